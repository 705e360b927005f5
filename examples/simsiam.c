/* cc -O2 -fopenmp -I. examples/simsiam.c -lm -pthread
 * SimSiam (Chen & He 2021): BYOL without a second network. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include <stdio.h>
#include "found.h"

/* loss = -(cos(p1, sg(z2)) + cos(p2, sg(z1))) / 2; sg holds z constant. -1 at once and a spread of 0 would be the collapse that
   sg and the predictor prevent. */

int main(void)
{
    ssl_ctx *ctx = ssl_open(NULL);
    ssl_dataset *data = ssl_dataset_open(ctx, "synthetic:1024");
    ssl_augment_desc view;
    ssl_loader_desc loading = SSL_ZERO;
    ssl_siamese_desc d = SSL_ZERO;
    ssl_loader *loader;
    ssl_siamese *m;
    ssl_batch b;

    ssl_augment_preset("simclr", &view); /* random crops, flips, colors: what the features shall not see */
    loading.n_views = 2;
    loading.augment = &view;
    loading.batch = BATCH;
    loading.epochs = 8;
    loader = ssl_loader_open(data, &loading);

    d.kind = SSL_SIAMESE_SIMSIAM;
    d.predictor_hidden = 64; /* narrower than the projections */
    d.projector_hidden = 256;
    d.projector_out = 64;
    d.backbone.vit.patch = 8; /* a small ViT; d.backbone.kind = SSL_BACKBONE_RESNET takes a ResNet-18 */
    d.backbone.vit.dim = 64;
    d.backbone.vit.depth = 2;
    d.backbone.vit.mean_pool = 1;
    m = ssl_siamese_new(ctx, "", &d);

    while (ssl_ok(ctx) && ssl_loader_next(loader, &b)) {
        const float epoch = (float)b.epoch + (float)b.step / (float)ssl_loader_steps(loader);
        ssl_siamese_trace t;
        ssl_tensor *loss = ssl_siamese_loss(m, b.n_views, b.views, &t);
        if (b.step == 0) printf("epoch %d  loss %8.4f  other view found for %.0f%% of %d images\n", b.epoch, (double)ssl_item(loss), found(&t), BATCH);
        ssl_backward(loss);
        ssl_adamw_step(ctx, ssl_lr_warmup_cosine(epoch, 0.5f, (float)loading.epochs, 2e-3f, 0.0f));
        ssl_siamese_update(m, epoch / (float)loading.epochs);
        ssl_step_end(ctx);
    }
    return ssl_close(ctx);
}
