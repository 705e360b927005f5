/* cc -O2 -fopenmp -I. examples/amdim.c -lm -pthread   AMDIM: a summary of one view against all places of the other views. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "found.h"

static ssl_tensor *features(void *net, ssl_tensor *images) { return ssl_amdim_features((const ssl_amdim *)net, images); }

int main(void)
{
    ssl_amdim_desc small = SSL_ZERO; /* maps 1 x 1, 5 x 5, 7 x 7 of 32 pixels, compared as "01, 02, 11" */
    ssl_augment_desc view = SSL_ZERO;
    ssl_loader_desc loading = SSL_ZERO;
    ssl_ctx *ctx = ssl_open(NULL);
    ssl_dataset *data = ssl_dataset_open(ctx, "synthetic:1024");
    ssl_loader *loader;
    ssl_amdim *net;
    ssl_batch b;
    double before;

    small.ndf = 16;
    small.rkhs = 64;
    small.depth = 1;
    ssl_augment_preset("amdim", &view); /* one flip for both views, then each its own shift, colors, gray */
    view.jitter_p = 1.0f;
    view.hue = 0.5f; /* any color: a view that keeps its own is found by it alone */
    view.saturation = 0.8f;
    view.grayscale_p = 0.4f;
    loading.batch = 32;
    loading.epochs = 3;
    loading.n_views = 2;
    loading.augment = &view;
    net = ssl_amdim_new(ctx, "", &small);
    loader = ssl_loader_open(data, &loading);
    before = found(ctx, features, net);

    while (ssl_ok(ctx) && ssl_loader_next(loader, &b)) {
        ssl_fmc_trace t = SSL_ZERO;
        ssl_tensor *loss = ssl_amdim_loss(net, b.views[0], b.views[1], &t);
        ssl_backward(loss);
        if (b.step % 16 == 0)
            printf("epoch %d  loss %.3f: 01 %.3f, 02 %.3f, 11 %.3f, regularizer %.3f\n", b.epoch, (double)ssl_item(loss), (double)ssl_item(t.losses[0]), (double)ssl_item(t.losses[1]),
                   (double)ssl_item(t.losses[2]), (double)ssl_item(t.regularizer));
        ssl_adamw_step(ctx, 1e-3f);
        ssl_step_end(ctx);
    }
    found_print(before, found(ctx, features, net));
    return ssl_close(ctx);
}
