/* cc -O2 -fopenmp -I. examples/mp3.c -lm -pthread   A puzzle: where does each patch belong, told from a random few of the others? */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "found.h"

static ssl_tensor *features(void *net, ssl_tensor *images) { return ssl_mp3_features((const ssl_mp3 *)net, images); }

int main(void)
{
    ssl_mp3_desc small = SSL_ZERO;
    ssl_loader_desc loading = SSL_ZERO;
    ssl_ctx *ctx = ssl_open(NULL);
    ssl_dataset *data = ssl_dataset_open(ctx, "synthetic:1024");
    ssl_mp3 *net;
    ssl_loader *loader;
    ssl_batch b;
    double before;

    small.vit.dim = 64;
    small.vit.depth = 3;
    small.vit.patch = 8;     /* 16 patches; chance: a loss of ln 16 = 2.77 */
    small.mask_ratio = 0.5f; /* 8 of them are seen by all */
    loading.batch = 64;
    loading.epochs = 10;
    net = ssl_mp3_new(ctx, "", &small);
    loader = ssl_loader_open(data, &loading);
    before = found(ctx, features, net);

    while (ssl_ok(ctx) && ssl_loader_next(loader, &b)) {
        ssl_tensor *loss = ssl_mp3_loss(net, b.images, NULL);
        ssl_backward(loss);
        if (b.step == 0) printf("epoch %d  loss %.4f\n", b.epoch, (double)ssl_item(loss));
        ssl_adamw_step(ctx, 1e-3f);
        ssl_step_end(ctx);
    }
    found_print(before, found(ctx, features, net));
    return ssl_close(ctx);
}
