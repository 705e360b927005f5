/* cc -O2 -fopenmp -I. examples/moco.c -lm -pthread
 * MoCo (He et al. 2020): find the key of the other view in a queue of keys of earlier batches. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "two_views.h" /* learn(): the loop */

/* Keys come from a second network that follows the first slowly, k' <- 0.98 k' + 0.02 k, so that keys of different steps can be
   compared, and a small batch still meets many negatives. loss = cross entropy of [q.k, q.queue] / t against the first. */

int main(void)
{
    ssl_siamese_desc d = SSL_ZERO;
    ssl_augment_desc view[2];

    ssl_augment_preset("simclr", &view[0]); /* random crops, flips, colors */
    view[1] = view[0];
    d.kind = SSL_SIAMESE_MOCO;
    d.queue = 1024;       /* keys; at least twice the batch */
    d.temperature = 0.1f;
    d.momentum = 0.98f;   /* 0: keys of each step are strangers to the next */
    d.projector_hidden = 256;
    d.projector_out = 64;
    return learn(&d, 2, view);
}
