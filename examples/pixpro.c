/* cc -O2 -fopenmp -I. examples/pixpro.c -lm -pthread   PixPro: the same pixels in two crops agree, after propagation. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "pixels.h" /* learn(): the loop */

/* loss = -mean of cos(y_i, z'_j) over the pixels i of one crop and j of the other that show the same place, both ways, and BYOL on
   the whole crops; y_i = sum_j max(cos(x_i, x_j), 0)^gamma g(x_j), what the pixels like x_i say; z' of a slow copy. Without the slow
   copy and the propagation all pixels would become alike: nothing pushes them apart. */

int main(void)
{
    ssl_pixpro_desc d = SSL_ZERO;
    d.ppm_gamma = 2.0f; /* higher: only very like pixels have a say */
    d.ppm_layers = 1;
    d.distance = 0.7f;  /* pixels of the map nearer than this show the same place */
    return learn(&d);
}
