/* cc -O2 -fopenmp -I. examples/simclr.c -lm -pthread
 * SimCLR (Chen et al. 2020): among all views of the batch, find the other view of the same image. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "two_views.h" /* learn(): the loop */

/* loss = mean over the 2 B views of -log( exp(cos(z, z+) / t) / sum over the 2 B - 1 others of exp(cos(z, z') / t) ).
   What keeps it from collapsing are the negatives: with all z alike the loss is log(2 B - 1). Larger batches are harder. */

int main(void)
{
    ssl_siamese_desc d = SSL_ZERO;
    ssl_augment_desc view[2];

    ssl_augment_preset("simclr", &view[0]); /* random crops, flips, colors */
    view[1] = view[0];
    d.kind = SSL_SIAMESE_SIMCLR;
    d.temperature = 0.2f; /* lower: near negatives count more */
    d.projector_hidden = 256;
    d.projector_out = 64;
    return learn(&d, 2, view);
}
