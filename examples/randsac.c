/* cc -O2 -fopenmp -I. examples/randsac.c -lm -pthread   Random segments, each painted from those before it. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "found.h"

static ssl_tensor *features(void *net, ssl_tensor *images) { return ssl_randsac_features((const ssl_randsac *)net, images); }

int main(void)
{
    ssl_randsac_desc small = SSL_ZERO;
    ssl_loader_desc loading = SSL_ZERO;
    ssl_ctx *ctx = ssl_open(NULL);
    ssl_dataset *data = ssl_dataset_open(ctx, "synthetic:2048");
    ssl_randsac *net;
    ssl_loader *loader;
    ssl_batch b;
    double before;

    small.segments = SSL_SEGMENTS_BLOB; /* random shapes; SSL_SEGMENTS_SQUARE: squares of patches */
    small.blobs = 4;
    small.patch = 8;
    small.dim = 64;
    small.depth = 3;
    small.decoder_depth = 1;
    loading.batch = 64;
    loading.epochs = 40;
    net = ssl_randsac_new(ctx, "", &small);
    loader = ssl_loader_open(data, &loading);
    before = found(ctx, features, net);

    while (ssl_ok(ctx) && ssl_loader_next(loader, &b)) {
        ssl_randsac_trace t = SSL_ZERO;
        ssl_tensor *loss = ssl_randsac_loss(net, b.images, &t);
        int32_t rank[64 * 16]; /* the segment of each of the 16 patches of the 64 images, in the order of painting */
        int i;
        ssl_backward(loss);
        if (b.step == 0 && b.epoch % 5 == 0 && ssl_to_host(t.rank, rank)) {
            printf("epoch %2d  loss %.4f  first image:", b.epoch, (double)ssl_item(loss));
            for (i = 0; i < 16; i++) printf("%s%d", i % 4 ? "" : " ", (int)rank[i] + 1);
            printf("\n");
        }
        ssl_adamw_step(ctx, 1e-3f);
        ssl_step_end(ctx);
    }
    found_print(before, found(ctx, features, net));
    return ssl_close(ctx);
}
