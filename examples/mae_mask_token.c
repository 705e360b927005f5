/* cc -O2 -fopenmp -I. examples/mae_mask_token.c -lm -pthread   An autoencoder whose encoder sees mask tokens in the hidden places. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "found.h"

static ssl_tensor *features(void *net, ssl_tensor *images) { return ssl_mask_token_mae_features((const ssl_mask_token_mae *)net, images); }

int main(void)
{
    ssl_mask_token_mae_desc small = SSL_ZERO;
    ssl_augment_desc view = SSL_ZERO;
    ssl_loader_desc loading = SSL_ZERO;
    ssl_ctx *ctx = ssl_open(NULL);
    ssl_dataset *data = ssl_dataset_open(ctx, "synthetic:2048");
    ssl_mask_token_mae *mae;
    ssl_loader *loader;
    ssl_batch b;
    double before;

    small.patch = 8;
    small.dim = 64;
    small.depth = 3;
    small.heads = 2;
    small.decoder_dim = 48;
    small.decoder_depth = 1;
    small.mask_ratio = 0.5f;
    small.pixel_scale = 1.0f; /* the loss is in squared deviations of the pixels; 255 for pixels in 0..1: in squared levels */
    view.hflip = 0.5f;
    loading.batch = 64;
    loading.epochs = 50;
    loading.augment = &view;
    mae = ssl_mask_token_mae_new(ctx, "", &small);
    loader = ssl_loader_open(data, &loading);
    before = found(ctx, features, mae);

    while (ssl_ok(ctx) && ssl_loader_next(loader, &b)) {
        ssl_tensor *loss = ssl_mask_token_mae_loss(mae, b.images, NULL);
        ssl_backward(loss);
        if (b.step == 0 && b.epoch % 7 == 0) printf("epoch %2d  loss %.4f\n", b.epoch, (double)ssl_item(loss));
        ssl_adamw_step(ctx, ssl_lr_warmup_cosine((float)b.epoch + (float)b.step / (float)ssl_loader_steps(loader), 2.0f, (float)loading.epochs, 3e-3f, 0.0f));
        ssl_step_end(ctx);
    }
    found_print(before, found(ctx, features, mae));
    return ssl_close(ctx);
}
