/* cc -O2 -fopenmp -I. examples/apl.c -lm -pthread   APL: a puzzle; tell from content alone where each patch belongs. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "found.h"

/* loss = mean over the T = G^2 patches of cross entropy(head(z_t), t), z from a transformer without positions: it cannot know the
   order of its input, so a patch must be recognized by what it shows. Chance: ln 16 = 2.77. It cannot collapse: equal tokens cannot
   get T different labels. */

static ssl_tensor *features(void *net, ssl_tensor *images) { return ssl_apl_features((const ssl_apl *)net, images); }

int main(void)
{
    ssl_apl_desc small = SSL_ZERO;
    ssl_loader_desc loading = SSL_ZERO;
    ssl_ctx *ctx = ssl_open(NULL);
    ssl_loader *loader;
    ssl_apl *net;
    ssl_batch b;
    double before;

    small.grid = 4;
    small.crop = 2; /* pixels a patch loses per axis, so that its edges do not betray its neighbours */
    small.encoder = SSL_APL_LINEAR;
    small.dim = 64;
    small.depth = 2;
    loading.batch = 64;
    loading.epochs = 8;
    net = ssl_apl_new(ctx, "", &small);
    loader = ssl_loader_open(ssl_dataset_open(ctx, "synthetic:1024"), &loading);
    before = found(ctx, features, net);

    while (ssl_ok(ctx) && ssl_loader_next(loader, &b)) {
        ssl_tensor *loss = ssl_apl_loss(net, b.images, NULL);
        ssl_backward(loss);
        if (b.step == 0) printf("epoch %d  loss %.4f\n", b.epoch, (double)ssl_item(loss));
        ssl_adamw_step(ctx, 2e-3f);
        ssl_step_end(ctx);
    }
    found_print(before, found(ctx, features, net));
    return ssl_close(ctx);
}
