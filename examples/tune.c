/* cc -O2 -fopenmp -I. examples/tune.c -lm -pthread   Few labels: a network that APL's puzzle has pre-trained, and the same from scratch. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include <stdio.h>
#include <string.h>

typedef struct classifier { ssl_apl *net; ssl_head head; } classifier;
static ssl_tensor *logits(void *model, ssl_tensor *images) /* [B,3,32,32] -> [B,10] */
{
    const classifier *m = (const classifier *)model;
    return ssl_head_forward(&m->head, ssl_apl_features(m->net, images));
}
static ssl_apl *network(ssl_ctx *ctx)
{
    ssl_apl_desc d = SSL_ZERO;
    d.encoder = SSL_APL_LINEAR;
    d.crop = 2;
    d.dim = 64;
    d.depth = 2;
    return ssl_apl_new(ctx, "", &d);
}
static ssl_loader *images(ssl_ctx *ctx, int labels_per_class, int epochs) /* shifted and mirrored at random */
{
    ssl_dataset_desc data = SSL_ZERO;
    ssl_augment_desc augment = SSL_ZERO;
    ssl_loader_desc loading = SSL_ZERO;
    data.labels_per_class = labels_per_class;
    ssl_augment_preset("crop", &augment);
    loading.augment = &augment;
    loading.epochs = epochs;
    return ssl_loader_open(ssl_dataset_open_desc(ctx, "synthetic:5000", &data), &loading);
}
/* One step for every batch: the puzzle without a head, else cross entropy with label smoothing. */
static void train(ssl_ctx *ctx, classifier *m, ssl_loader *loader, int labels, float epochs, float lr)
{
    ssl_batch b;
    while (ssl_ok(ctx) && ssl_loader_next(loader, &b)) {
        const float epoch = (float)b.epoch + (float)b.step / (float)ssl_loader_steps(loader);
        ssl_tensor *loss = labels ? ssl_cross_entropy(logits(m, b.images), b.labels, 0.1f) : ssl_apl_loss(m->net, b.images, NULL);
        ssl_backward(loss);
        if (b.step == 0 && b.epoch % 4 == 0) printf("%s epoch %2d  loss %.4f\n", labels ? "classes" : "puzzle ", b.epoch, (double)ssl_item(loss));
        ssl_adamw_step(ctx, ssl_lr_warmup_cosine(epoch, 0.1f * epochs, epochs, lr, 0.0f));
        ssl_step_end(ctx);
    }
}
static double tune(const char *checkpoint) /* accuracy on 1000 test images; NULL: from scratch */
{
    ssl_load_desc weights = SSL_ZERO;
    ssl_dataset_desc test = SSL_ZERO;
    ssl_ctx *ctx = ssl_open(NULL);
    ssl_features *f;
    classifier m;
    double top1;
    m.net = network(ctx);
    weights.weights_only = 1;
    test.split = "test";
    if (checkpoint) ssl_load(ctx, checkpoint, &weights);
    m.head = ssl_head_new(ctx, "classifier", 64, 10, NULL);
    train(ctx, &m, images(ctx, 100, 12), 1, 12.0f, 1e-3f);
    f = ssl_features_of(ssl_dataset_open_desc(ctx, "synthetic:1000", &test), NULL, 0, logits, &m);
    top1 = ssl_score_logits(f).top1;
    ssl_features_free(f);
    return ssl_close(ctx) ? -1.0 : top1;
}

int main(void)
{
    const char *file = "tune.safetensors";
    ssl_ctx *ctx = ssl_open(NULL);
    classifier m;
    double tuned, scratch;
    memset(&m, 0, sizeof m);
    m.net = network(ctx);
    train(ctx, &m, images(ctx, 0, 8), 0, 8.0f, 2e-3f);
    ssl_save(ctx, file);
    if (ssl_close(ctx)) return 1;
    tuned = tune(file);
    scratch = tune(NULL);
    remove(file);
    printf("100 labels per class: %.1f%% of the test images are right if the network was pre-trained, %.1f%% from scratch\n", 100.0 * tuned, 100.0 * scratch);
    return tuned < 0.0 || scratch < 0.0;
}
