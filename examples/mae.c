/* cc -O2 -fopenmp -I. examples/mae.c -lm -pthread   MAE: paint the patches that are hidden from those that are seen. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "found.h"

/* loss = mean over the hidden patches and their pixels of (prediction - pixel)^2. The encoder sees only the quarter of the patches
   that is not hidden, the small decoder gets mask tokens in the other places. It cannot collapse: a constant picture costs more. */

static ssl_tensor *features(void *mae, ssl_tensor *images) { return ssl_mae_features((const ssl_mae *)mae, images); }

int main(void)
{
    ssl_mae_desc small = SSL_ZERO;
    ssl_loader_desc loading = SSL_ZERO;
    ssl_ctx *ctx = ssl_open(NULL);
    ssl_dataset *data = ssl_dataset_open(ctx, "synthetic:1024");
    ssl_loader *loader;
    ssl_mae *mae;
    ssl_batch b;
    double before;

    small.mask_ratio = 0.75f;
    small.dim = 64;
    small.depth = 4;
    small.decoder_dim = 64;
    small.decoder_depth = 2;
    loading.batch = 64;
    loading.epochs = 3;
    mae = ssl_mae_new(ctx, "mae", &small);
    loader = ssl_loader_open(data, &loading);
    before = found(ctx, features, mae);

    while (ssl_ok(ctx) && ssl_loader_next(loader, &b)) {
        ssl_tensor *loss = ssl_mae_loss(mae, b.images, NULL);
        ssl_backward(loss);
        if (b.step == 0) printf("epoch %d  loss %.4f\n", b.epoch, (double)ssl_item(loss));
        ssl_adamw_step(ctx, 1e-3f);
        ssl_step_end(ctx);
    }
    found_print(before, found(ctx, features, mae));
    return ssl_close(ctx);
}
