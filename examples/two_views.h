/* two_views.h: the loop of the small programs of the two-view methods (simclr, moco, byol, simsiam, barlow, vicreg, dino). */
#ifndef TWO_VIEWS_H
#define TWO_VIEWS_H
#include "found.h"

enum { BATCH = 64, EPOCHS = 16 };
static ssl_tensor *features(void *model, ssl_tensor *images) { return ssl_siamese_features((const ssl_siamese *)model, images); }

/* Of how many images of the batch the features of one view are nearest to those of the other view of the same image, in percent. */
static double matched(const ssl_siamese_trace *t)
{
    static float cosine[BATCH * BATCH];
    int i, j, best, hits = 0;
    if (!ssl_to_host(ssl_matmul_t(ssl_l2_normalize(t->feature[0], 1e-12f), ssl_l2_normalize(t->feature[1], 1e-12f), 0, 1), cosine)) return 0.0;
    for (i = 0; i < BATCH; i++) {
        for (j = best = 0; j < BATCH; j++) if (cosine[i * BATCH + j] > cosine[i * BATCH + best]) best = j;
        hits += best == i;
    }
    return 100.0 * hits / BATCH;
}

/* Trains the method d on a small ViT and random views of each image, which say what the features shall not see: here any color. The
   object and the ground of a picture come in all of them, and a view that keeps its hue would be found by that alone. */
static int learn(ssl_siamese_desc *d, int n_views, ssl_augment_desc *view)
{
    ssl_ctx *ctx = ssl_open(NULL);
    ssl_loader_desc loading = SSL_ZERO;
    ssl_loader *loader;
    ssl_siamese *m;
    ssl_batch b;
    double before, first = -1.0, last = 0.0;
    int v;

    for (v = 0; v < n_views; v++) {
        view[v].jitter_p = 1.0f;
        view[v].hue = 0.5f;
        view[v].saturation = 0.8f;
        view[v].grayscale_p = 0.4f;
    }
    loading.n_views = loading.n_augment = n_views;
    loading.augment = view;
    loading.batch = BATCH;
    loading.epochs = EPOCHS;
    loader = ssl_loader_open(ssl_dataset_open(ctx, "synthetic:2048"), &loading);

    d->backbone.vit.patch = 8; /* d->backbone.kind = SSL_BACKBONE_RESNET takes a ResNet-18 */
    d->backbone.vit.dim = 64;
    d->backbone.vit.depth = 2;
    d->backbone.vit.mean_pool = 1;
    m = ssl_siamese_new(ctx, "", d);
    before = found(ctx, features, m);

    while (ssl_ok(ctx) && ssl_loader_next(loader, &b)) {
        const float epoch = (float)b.epoch + (float)b.step / (float)ssl_loader_steps(loader);
        ssl_siamese_trace t;
        ssl_tensor *loss = ssl_siamese_loss(m, b.n_views, b.views, &t);
        if (b.step % 8 == 0) last = matched(&t);
        if (first < 0.0) first = last;
        if (b.step == 0) printf("epoch %d  loss %8.4f  other view found for %.0f%% of %d images\n", b.epoch, (double)ssl_item(loss), last, BATCH);
        ssl_backward(loss);
        ssl_adamw_step(ctx, ssl_lr_warmup_cosine(epoch, 0.5f, (float)EPOCHS, 2e-3f, 0.0f));
        ssl_siamese_update(m, epoch / (float)EPOCHS); /* what follows the network slowly does so now */
        ssl_step_end(ctx);
    }
    printf("other view found for %.0f%% of %d images, %.0f%% at first\n", last, BATCH, first);
    found_print(before, found(ctx, features, m));
    return ssl_close(ctx);
}
#endif
