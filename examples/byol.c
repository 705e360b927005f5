/* cc -O2 -fopenmp -I. examples/byol.c -lm -pthread
 * BYOL (Grill et al. 2020): predict what a slow copy of the network makes of the other view. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "two_views.h" /* learn(): the loop */

/* loss = 2 - 2 cos(p1, z2') + 2 - 2 cos(p2, z1'), p = predictor(projector(f)), z' from the slow copy, without gradient. There
   are no negatives: without the predictor, or with a copy that follows at once, all images would get the same z. */

int main(void)
{
    ssl_siamese_desc d = SSL_ZERO;
    ssl_augment_desc view[2];

    ssl_augment_preset("byol", &view[0]);        /* crop, flip, colors, blur */
    ssl_augment_preset("byol-second", &view[1]); /* seldom blur, sometimes solarized */
    d.kind = SSL_SIAMESE_BYOL;
    d.momentum = 0.9f;        /* rises to 1 along half a cosine; 0.996 in long runs */
    d.predictor_hidden = 256;
    d.projector_hidden = 256;
    d.projector_out = 64;
    return learn(&d, 2, view);
}
