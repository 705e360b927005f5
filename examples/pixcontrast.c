/* cc -O2 -fopenmp -I. examples/pixcontrast.c -lm -pthread   PixContrast: the same place of two crops against all other places. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "pixels.h" /* learn(): the loop */

/* loss = -log(sum over the pairs of pixels that show the same place of exp(cos(x_i, z'_j) / t) / the same sum over all pairs), both
   ways, and BYOL on the whole crops; z' of a slow copy. The other places are negatives, which keep the pixels apart. */

int main(void)
{
    ssl_pixpro_desc d = SSL_ZERO;
    d.contrast = 1;
    d.temperature = 0.3f;
    d.distance = 0.7f; /* pixels of the map nearer than this show the same place */
    return learn(&d);
}
