/* cc -O2 -fopenmp -I. examples/vicreg.c -lm -pthread
 * VICReg (Bardes et al. 2022): views alike, units that vary, units that do not repeat each other. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "two_views.h" /* learn(): the loop */

/* loss = lambda mean (z1 - z2)^2 + mu mean max(0, 1 - deviation of each unit) + nu (covariances off the diagonal)^2 / D, the
   last two for either view by itself. With mu 0 everything shrinks to a point, with nu 0 all units say the same. */

int main(void)
{
    ssl_siamese_desc d = SSL_ZERO;
    ssl_augment_desc view[2];

    ssl_augment_preset("vicreg", &view[0]); /* random crops, flips, colors, blur, now and then solarized */
    view[1] = view[0];
    d.kind = SSL_SIAMESE_VICREG;
    d.lambda = 25.0f;
    d.mu = 25.0f;
    d.nu = 1.0f;
    d.projector_hidden = 256;
    d.projector_out = 256;
    return learn(&d, 2, view);
}
