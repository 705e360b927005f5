/* cc -O2 -fopenmp -I. examples/simsiam.c -lm -pthread
 * SimSiam (Chen & He 2021): BYOL without a second network. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "two_views.h" /* learn(): the loop */

/* loss = -(cos(p1, sg(z2)) + cos(p2, sg(z1))) / 2; sg holds z constant. -1 at once and a spread of 0 would be the collapse that
   sg and the predictor prevent. */

int main(void)
{
    ssl_siamese_desc d = SSL_ZERO;
    ssl_augment_desc view[2];

    ssl_augment_preset("simclr", &view[0]); /* random crops, flips, colors */
    view[1] = view[0];
    d.kind = SSL_SIAMESE_SIMSIAM;
    d.predictor_hidden = 64; /* narrower than the projections */
    d.projector_hidden = 256;
    d.projector_out = 64;
    return learn(&d, 2, view);
}
