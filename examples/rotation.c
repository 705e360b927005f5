/* cc -O2 -fopenmp -I. examples/rotation.c -lm -pthread   A puzzle: by how many quarter turns was the image rotated? */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "found.h"

static ssl_tensor *features(void *net, ssl_tensor *images) { return ssl_rotation_features((const ssl_rotation *)net, images); }

int main(void)
{
    ssl_rotation_desc small = SSL_ZERO;
    ssl_augment_desc view = SSL_ZERO;
    ssl_loader_desc loading = SSL_ZERO;
    ssl_ctx *ctx = ssl_open(NULL);
    ssl_dataset *data = ssl_dataset_open(ctx, "synthetic:2048"); /* lit from above: up can be told from down */
    ssl_rotation *net;
    ssl_loader *loader;
    ssl_batch b;
    double before;

    small.backbone.vit.dim = 64;
    small.backbone.vit.depth = 3;
    small.backbone.vit.heads = 2;
    small.backbone.vit.patch = 8;
    small.backbone.vit.mean_pool = 1;
    ssl_augment_preset("mae", &view); /* crops, flips: the slope of the light alone is not enough */
    view.scale[0] = 0.4f;
    loading.augment = &view;
    loading.batch = 64;
    loading.epochs = 12;
    net = ssl_rotation_new(ctx, "", &small);
    loader = ssl_loader_open(data, &loading);
    before = found(ctx, features, net);

    while (ssl_ok(ctx) && ssl_loader_next(loader, &b)) {
        ssl_tensor *loss = ssl_rotation_loss(net, b.images, NULL); /* of all four turns of each image; chance: ln 4 = 1.39 */
        ssl_backward(loss);
        if (b.step == 0) printf("epoch %d  loss %.4f\n", b.epoch, (double)ssl_item(loss));
        ssl_adamw_step(ctx, 2e-3f);
        ssl_step_end(ctx);
    }
    found_print(before, found(ctx, features, net));
    return ssl_close(ctx);
}
