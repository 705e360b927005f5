/* cc -O2 -fopenmp -I. examples/minimal.c -lm -pthread   The shortest complete pre-training, and the small program of the method mae. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include <stdio.h>

int main(void)
{
    ssl_mae_desc small = SSL_ZERO; /* what is left 0 takes its default; NULL instead of &small is ViT-Tiny */
    ssl_loader_desc loading = SSL_ZERO;
    ssl_ctx *ctx = ssl_open(NULL); /* CPU, all cores, seed 0 */
    ssl_dataset *data = ssl_dataset_open(ctx, "synthetic:1024");
    ssl_loader *loader;
    ssl_mae *mae;
    ssl_batch b;
    float first = 0.0f, last = 0.0f;

    small.dim = 64;
    small.depth = 4;
    small.decoder_dim = 64;
    small.decoder_depth = 2;
    loading.batch = 64;
    loading.epochs = 3;
    mae = ssl_mae_new(ctx, "mae", &small);
    loader = ssl_loader_open(data, &loading);

    while (ssl_ok(ctx) && ssl_loader_next(loader, &b)) {
        ssl_tensor *loss = ssl_mae_loss(mae, b.images, NULL);
        ssl_backward(loss);
        last = ssl_item(loss);
        if (b.epoch + b.step == 0) first = last;
        if (b.step == 0) printf("epoch %d  loss %.4f\n", b.epoch, (double)last);
        ssl_adamw_step(ctx, 1e-3f);
        ssl_step_end(ctx);
    }
    printf("squared error of the painted patches: %.4f, at first %.4f\n", (double)last, (double)first);
    return ssl_close(ctx); /* 0, or the first error's code */
}
