/* cc -O2 -fopenmp -I. examples/dino.c -lm -pthread
 * DINO (Caron et al. 2021): small parts of a picture choose the prototype that a slow teacher chooses for large ones. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "two_views.h" /* learn(): the loop */

/* loss = mean over pairs of a large view a and another view b of H(softmax((z'_a - center) / t'), softmax(z_b / t)). Two ways to
   collapse: one prototype for all, against which the center works, and all prototypes alike, against which t' < t works. */

int main(void)
{
    ssl_siamese_desc d = SSL_ZERO;
    ssl_augment_desc view[4];
    int v;

    for (v = 0; v < 4; v++) { /* two large parts, two small ones of 16 pixels */
        ssl_augment_preset(v == 1 ? "byol-second" : "byol", &view[v]);
        view[v].scale[0] = v < 2 ? 0.4f : 0.05f;
        view[v].scale[1] = v < 2 ? 1.0f : 0.4f;
        view[v].size = v < 2 ? 0 : 16;
        if (v >= 2) view[v].blur_p = 0.5f;
    }
    d.kind = SSL_SIAMESE_DINO;
    d.prototypes = 256;
    d.momentum = 0.98f; /* rises to 1; 0.996 in long runs */
    d.teacher_temperature = 0.04f;
    d.projector_hidden = 256;
    d.projector_out = 64;
    return learn(&d, 4, view);
}
