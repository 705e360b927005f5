/* cc -O2 -fopenmp -I. examples/jigsaw.c -lm -pthread   A puzzle: which permutation shuffled the nine tiles of the image? */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "found.h"

static ssl_tensor *features(void *net, ssl_tensor *images) { return ssl_jigsaw_features((const ssl_jigsaw *)net, images); }

int main(void)
{
    ssl_jigsaw_desc small = SSL_ZERO; /* 3 x 3 tiles */
    ssl_loader_desc loading = SSL_ZERO;
    ssl_ctx *ctx = ssl_open(NULL);
    ssl_dataset *data = ssl_dataset_open(ctx, "synthetic:2048");
    ssl_jigsaw *net;
    ssl_loader *loader;
    ssl_batch b;
    double before;

    small.permutations = 8; /* chance: a loss of ln 8 = 2.08 */
    small.backbone.vit.dim = 64;
    small.backbone.vit.depth = 2;
    loading.batch = 64;
    loading.epochs = 12;
    net = ssl_jigsaw_new(ctx, "", &small);
    loader = ssl_loader_open(data, &loading);
    before = found(ctx, features, net);

    while (ssl_ok(ctx) && ssl_loader_next(loader, &b)) {
        ssl_tensor *loss = ssl_jigsaw_loss(net, b.images, NULL);
        ssl_backward(loss);
        if (b.step == 0) printf("epoch %2d  loss %.4f\n", b.epoch, (double)ssl_item(loss));
        ssl_adamw_step(ctx, 1e-3f);
        ssl_step_end(ctx);
    }
    found_print(before, found(ctx, features, net));
    return ssl_close(ctx);
}
