/* pixels.h: the loop of the small programs pixpro and pixcontrast. */
#ifndef PIXELS_H
#define PIXELS_H
#include "found.h"

static ssl_tensor *features(void *net, ssl_tensor *images) { return ssl_pixpro_features((const ssl_pixpro *)net, images); }
static int learn(ssl_pixpro_desc *small)
{
    ssl_augment_desc colors = SSL_ZERO;
    ssl_loader_desc loading = SSL_ZERO;
    ssl_ctx *ctx = ssl_open(NULL);
    ssl_dataset *data = ssl_dataset_open(ctx, "synthetic:1024");
    ssl_loader *loader;
    ssl_pixpro *net;
    ssl_batch b;
    double before;

    small->pixel_layer = "layer2"; /* 4 x 4 places for 32 pixels */
    small->resnet.width = 16;
    small->resnet.stage[0] = small->resnet.stage[1] = small->resnet.stage[2] = small->resnet.stage[3] = 1;
    small->projection_size = 64;
    small->projection_hidden = 256;
    small->momentum = 0.9f; /* a short run: the target follows soon */
    ssl_augment_preset("pixpro", &colors); /* changes colors only: ssl_pixpro_loss cuts the two views itself */
    colors.jitter_p = 1.0f;
    colors.hue = 0.5f; /* any color: a view that keeps its own is found by it alone */
    colors.brightness = colors.contrast = 0.4f;
    colors.grayscale_p = 0.4f;
    colors.solarize_p = 0.0f;
    loading.batch = 64;
    loading.epochs = 5;
    loading.n_views = 2;
    loading.augment = &colors;
    net = ssl_pixpro_new(ctx, "", small);
    loader = ssl_loader_open(data, &loading);
    before = found(ctx, features, net);

    while (ssl_ok(ctx) && ssl_loader_next(loader, &b)) {
        ssl_pixpro_trace t = SSL_ZERO;
        ssl_tensor *loss = ssl_pixpro_loss(net, b.views[0], b.views[1], &t);
        ssl_backward(loss);
        if (b.step % 8 == 0)
            printf("epoch %d step %d  loss %.4f = pixels %.4f + instance %.4f, %d positive pairs\n", b.epoch, b.step, (double)ssl_item(loss), (double)ssl_item(t.pixel_loss),
                   (double)ssl_item(t.instance_loss), t.num_positive);
        ssl_adamw_step(ctx, 2e-3f);
        ssl_pixpro_update(net); /* the target follows the online network */
        ssl_step_end(ctx);
    }
    found_print(before, found(ctx, features, net));
    return ssl_close(ctx);
}
#endif
