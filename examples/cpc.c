/* cc -O2 -fopenmp -I. examples/cpc.c -lm -pthread   CPC: the patches above tell which of all patches of the batch lie below. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "found.h"

static ssl_tensor *features(void *net, ssl_tensor *images) { return ssl_cpc_features((const ssl_cpc *)net, images); }

int main(void)
{
    ssl_cpc_desc small = SSL_ZERO; /* patches of 8 pixels every 4: a grid of 7 x 7 */
    ssl_augment_desc colors = SSL_ZERO;
    ssl_loader_desc loading = SSL_ZERO;
    ssl_ctx *ctx = ssl_open(NULL);
    ssl_dataset *data = ssl_dataset_open(ctx, "synthetic:128");
    ssl_loader *loader;
    ssl_cpc *net;
    ssl_batch b;
    double before;

    small.layer_norm = 1; /* CPC v2's encoder, with one block a stage and an eighth of the width */
    small.resnet.width = 8;
    small.resnet.stage[0] = small.resnet.stage[1] = small.resnet.stage[2] = small.resnet.stage[3] = 1;
    small.hidden = 64;
    small.embed_scale = 1.0f; /* the original's 0.1 learns slowly */
    ssl_augment_preset("amdim", &colors);
    loading.batch = 16;
    loading.epochs = 4;
    loading.augment = &colors;
    net = ssl_cpc_new(ctx, "", &small);
    loader = ssl_loader_open(data, &loading);
    before = found(ctx, features, net);

    while (ssl_ok(ctx) && ssl_loader_next(loader, &b)) {
        ssl_cpc_trace t;
        ssl_tensor *loss = ssl_cpc_loss(net, b.images, &t);
        ssl_backward(loss);
        if (b.step % 4 == 0) /* chance: ln(16 * 49) = 6.66 for each */
            printf("epoch %d step %d  loss %.3f; two rows below %.3f, six rows below %.3f\n", b.epoch, b.step, (double)ssl_item(loss), (double)ssl_item(t.losses[0]),
                   (double)ssl_item(t.losses[t.n_losses - 1]));
        ssl_adamw_step(ctx, 2e-3f);
        ssl_step_end(ctx);
    }
    found_print(before, found(ctx, features, net));
    return ssl_close(ctx);
}
