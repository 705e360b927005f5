/* cc -O2 -fopenmp -I. examples/cpc.c -lm -pthread   CPC: the patches above tell which of all patches of the batch lie below. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "found.h"

static ssl_tensor *features(void *net, ssl_tensor *images) { return ssl_cpc_features((const ssl_cpc *)net, images); }

int main(void)
{
    ssl_cpc_desc small = SSL_ZERO; /* patches of 8 pixels, a grid of 4 x 4 */
    ssl_augment_desc colors = SSL_ZERO;
    ssl_loader_desc loading = SSL_ZERO;
    ssl_ctx *ctx = ssl_open(NULL);
    ssl_dataset *data = ssl_dataset_open(ctx, "synthetic:2048");
    ssl_loader *loader;
    ssl_cpc *net;
    ssl_batch b;
    double before;

    small.layer_norm = 1; /* CPC v2's encoder, with one block a stage and an eighth of the width */
    small.resnet.width = 8;
    small.resnet.stage[0] = small.resnet.stage[1] = small.resnet.stage[2] = small.resnet.stage[3] = 1;
    small.stride = 8; /* 4: patches that overlap, 7 x 7 */
    small.hidden = 32;
    small.blocks = 2;
    small.each_once = 1;
    small.embed_scale = 1.0f; /* the original's 0.1 learns slowly */
    ssl_augment_preset("amdim", &colors);
    colors.grayscale_p = 1.0f; /* all patches of a picture share its color: it would tell them from those of the others */
    loading.batch = 16;
    loading.epochs = 3;
    loading.augment = &colors;
    net = ssl_cpc_new(ctx, "", &small);
    loader = ssl_loader_open(data, &loading);
    before = found(ctx, features, net);

    while (ssl_ok(ctx) && ssl_loader_next(loader, &b)) {
        ssl_cpc_trace t;
        ssl_tensor *loss = ssl_cpc_loss(net, b.images, &t);
        ssl_backward(loss);
        if (b.step % 64 == 0) /* chance: ln(16 * 16) = 5.55 for each of three */
            printf("epoch %d step %d  loss %.3f; one row below %.3f, three rows below %.3f\n", b.epoch, b.step, (double)ssl_item(loss), (double)ssl_item(t.losses[0]),
                   (double)ssl_item(t.losses[t.n_losses - 1]));
        ssl_adamw_step(ctx, ssl_lr_warmup_cosine((float)b.epoch + (float)b.step / (float)ssl_loader_steps(loader), 0.2f, (float)loading.epochs, 2e-3f, 0.0f));
        ssl_step_end(ctx);
    }
    found_print(before, found(ctx, features, net));
    return ssl_close(ctx);
}
