/* cc -O2 -fopenmp -I. examples/barlow.c -lm -pthread
 * Barlow Twins (Zbontar et al. 2021): units agree between views and do not repeat each other. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "two_views.h" /* learn(): the loop */

/* c = correlations over the batch of the units of z1 with those of z2; loss = sum_i (1 - c_ii)^2 + lambda sum_{i != j} c_ij^2.
   A constant unit correlates with nothing and two equal ones with each other: neither is a way out. */

int main(void)
{
    ssl_siamese_desc d = SSL_ZERO;
    ssl_augment_desc view[2];

    ssl_augment_preset("byol", &view[0]);        /* crop, flip, colors, blur */
    ssl_augment_preset("byol-second", &view[1]); /* seldom blur, sometimes solarized */
    d.kind = SSL_SIAMESE_BARLOW;
    d.lambda = 0.0051f; /* of the D (D - 1) correlations that should be 0, against D that should be 1 */
    d.projector_hidden = 256;
    d.projector_out = 256;
    return learn(&d, 2, view);
}
