/* tune.h: a classifier on top of a network of methods.h, trained with labels: linear or MLP head on frozen features, fine-tuning
 * from end to end, the same from scratch, and two baselines. A tuner is a run (run.h) whose method is `tuning`. */
#ifndef TUNE_H
#define TUNE_H
#include "run.h"

/* ---- baselines of APL: networks without pre-training, methods that have features and nothing else ---- */
typedef struct cnn { ssl_conv_layer conv1, conv2; ssl_linear_layer fc; } cnn; /* LeNet's shape, as in the original */
static void *cnn_create(ssl_ctx *ctx, void *desc, int image_size, int channels)
{
    static cnn m; /* one at a time */
    const ssl_init torch = ssl_init_make(SSL_INIT_TORCH, 0.0f);
    const int side = ((image_size - 4) / 2 - 4) / 2;
    (void)desc;
    if (side < 1) ssl_raise(ctx, SSL_E_ARG, "--baseline cnn needs images of at least 16 pixels: set --image-size");
    m.conv1 = ssl_conv_new(ctx, "conv1", channels, 6, 5, 0, torch, NULL);
    m.conv2 = ssl_conv_new(ctx, "conv2", 6, 16, 5, 0, torch, NULL);
    m.fc = ssl_linear_new(ctx, "fc1", 16 * side * side, 1024, 0, torch);
    return &m;
}
static ssl_tensor *cnn_features(void *model, ssl_tensor *x) /* [B,C,H,W] -> [B,1024] */
{
    const cnn *m = (const cnn *)model;
    x = ssl_max_pool2d(ssl_relu(ssl_conv_forward(&m->conv1, x)), 2, 2, 0);
    x = ssl_max_pool2d(ssl_relu(ssl_conv_forward(&m->conv2, x)), 2, 2, 0);
    return ssl_linear_fused(ssl_reshape(x, 2, x->dim[0], -1), m->fc.weight, m->fc.bias, SSL_ACT_RELU, NULL);
}
static void *resnet18_create(ssl_ctx *ctx, void *desc, int image_size, int channels)
{
    ssl_backbone_desc d = SSL_ZERO;
    (void)desc;
    d.kind = SSL_BACKBONE_RESNET;
    d.image_size = image_size;
    d.channels = channels;
    return ssl_backbone_new(ctx, "", &d);
}
static ssl_tensor *resnet18_features(void *model, ssl_tensor *x) { return ssl_backbone_forward((const ssl_backbone *)model, x); }
static int nothing_resolve(const void *desc, void *out) { (void)desc; (void)out; return 1; }
static const method *baseline_find(const char *name) /* NULL after a message */
{
    static method m;
    memset(&m, 0, sizeof m);
    m.name = !strcmp(name, "cnn") ? "cnn" : !strcmp(name, "resnet18") ? "resnet18" : NULL;
    m.defaults = m.metrics = m.settings.name = "";
    m.n_views = 1;
    m.resolve = nothing_resolve;
    m.create = m.name && *m.name == 'c' ? cnn_create : resnet18_create;
    m.features = m.name && *m.name == 'c' ? cnn_features : resnet18_features;
    if (m.name) return &m;
    fprintf(stderr, "error: there is no baseline \"%s\": cnn, resnet18\n", name);
    return NULL;
}

/* ---- the tuner ---- */
typedef struct tuner {
    ssl_ctx *ctx;
    const method *base; /* of the network below */
    void *model;
    ssl_head head;
    int frozen;         /* the network stays as it is: evaluation mode, no gradients */
    int classes;
    ssl_mix_desc mix;
} tuner;
static ssl_tensor *tuner_features(const tuner *t, ssl_tensor *images, int training) /* [B,C,H,W], or features [B,D] as they are */
{
    if (images->ndim == 2) return images;
    return t->frozen && training ? frozen_features(t->ctx, t->base, t->model, images) : t->base->features(t->model, images);
}
static ssl_tensor *tuner_logits(void *model, ssl_tensor *images)
{
    const tuner *t = (const tuner *)model;
    return ssl_head_forward(&t->head, tuner_features(t, images, 0));
}
static ssl_tensor *tuner_loss(void *model, const ssl_batch *b, double *metrics)
{
    const tuner *t = (const tuner *)model;
    const int mixed = t->mix.mixup > 0.0f || t->mix.cutmix > 0.0f;
    ssl_tensor *x = b->images, *q = NULL;
    (void)metrics;
    if (mixed) x = ssl_mix(x, b->labels, t->classes, &t->mix, &q);
    x = ssl_head_forward(&t->head, tuner_features(t, x, 1));
    return mixed ? ssl_soft_cross_entropy(x, q) : ssl_cross_entropy(x, b->labels, t->mix.smoothing);
}
static const method *tuning(void)
{
    static method m;
    m.name = "tune";
    m.defaults = m.metrics = m.settings.name = "";
    m.n_views = 1;
    m.loss = tuner_loss;
    m.features = tuner_logits;
    return &m;
}
static int tuner_width(run *r) /* of the network's features, from one image of zeros */
{
    const int size = r->s.augment.size ? r->s.augment.size : r->data->h;
    ssl_tensor *x = frozen_features(r->ctx, r->s.method, r->model, ssl_input(r->ctx, NULL, 4, 1, r->data->c, size, size));
    const int dim = ssl_ok(r->ctx) ? x->dim[1] : 0;
    ssl_step_end(r->ctx);
    return dim;
}
/* A head on the run's network, which freeze ("" nothing, "*" all, else a pattern of names) holds as it is; from now on the run
   trains the tuner. cache: features of the training set instead of images, or NULL. */
static void tuner_open(tuner *t, run *r, const ssl_features *cache, const ssl_head_desc *head, const char *freeze)
{
    const int dim = cache ? cache->dim : tuner_width(r);
    t->ctx = r->ctx;
    t->base = r->s.method;
    t->model = r->model;
    t->classes = r->data->n_classes;
    t->frozen = !strcmp(freeze, "*");
    if (ssl_ok(r->ctx) && *freeze && !ssl_param_group(r->ctx, freeze, 1.0f, 1.0f, 1) && !t->frozen) ssl_raise(r->ctx, SSL_E_ARG, "--freeze: no parameter of the network has such a name");
    t->head = ssl_head_new(r->ctx, "classifier", dim, t->classes, head);
    r->s.method = tuning();
    r->model = t;
}

/* ---- batches: of a loader, or of features that were computed once ---- */
typedef struct feed { ssl_loader *loader; const ssl_features *cache; int batch, place, epoch; uint64_t seed; int32_t *order, *label; float *x; } feed;
static int feed_open(feed *f, run *r, const ssl_features *cache)
{
    ssl_loader_desc d = r->s.loader;
    memset(f, 0, sizeof *f);
    if (d.batch > r->data->n) d.batch = r->data->n; /* few labels: all of them in one batch */
    d.augment = &r->s.augment;
    f->batch = d.batch;
    f->cache = cache;
    f->seed = r->s.run.seed;
    if (!cache) f->loader = ssl_loader_open(r->data, &d);
    r->steps = cache ? cache->n / d.batch : ssl_loader_steps(f->loader);
    r->total = r->steps * d.epochs;
    if (cache) {
        f->order = (int32_t *)malloc(sizeof(int32_t) * (size_t)cache->n);
        f->label = (int32_t *)malloc(sizeof(int32_t) * (size_t)d.batch);
        f->x = (float *)malloc(sizeof(float) * (size_t)d.batch * (size_t)cache->dim);
        if (!f->order || !f->label || !f->x) ssl_raise(r->ctx, SSL_E_MEMORY, "no memory for a batch of features");
    }
    return ssl_ok(r->ctx);
}
static void feed_shuffle(feed *f)
{
    ssl_rng rng = ssl_rng_make(f->seed, (uint64_t)f->epoch++);
    int i;
    for (i = 0; i < f->cache->n; i++) f->order[i] = i;
    for (i = f->cache->n - 1; i > 0; i--) { const int k = ssl_rng_below(&rng, i + 1); const int32_t o = f->order[i]; f->order[i] = f->order[k]; f->order[k] = o; }
    f->place = 0;
}
static int feed_next(feed *f, ssl_batch *b)
{
    const ssl_features *c = f->cache;
    int i;
    if (f->loader) return ssl_loader_next(f->loader, b);
    if (!f->epoch || f->place + f->batch > c->n) feed_shuffle(f);
    for (i = 0; i < f->batch; i++) {
        const int32_t row = f->order[f->place + i];
        memcpy(f->x + (size_t)i * (size_t)c->dim, c->x + (size_t)row * (size_t)c->dim, sizeof(float) * (size_t)c->dim);
        f->label[i] = c->label[row];
    }
    f->place += f->batch;
    b->n = f->batch;
    b->images = ssl_input(c->ctx, f->x, 2, f->batch, c->dim);
    b->labels = ssl_input_i32(c->ctx, f->label, 1, f->batch);
    return ssl_ok(c->ctx);
}
static void feed_close(feed *f)
{
    if (f->loader) ssl_loader_close(f->loader);
    free(f->order); free(f->label); free(f->x);
}

/* ---- what the tuner has learned: on images of a test set, or on cached features of it ---- */
static ssl_score tuner_score(run *r, tuner *t, ssl_dataset *test, const ssl_features *cache)
{
    ssl_features *logits = NULL;
    ssl_score s = SSL_ZERO;
    int i, n;
    if (!cache) logits = run_features(r, test, 0);
    else if ((logits = ssl_features_new(r->ctx, cache->n, t->classes, t->classes)) != NULL) {
        memcpy(logits->label, cache->label, sizeof(int32_t) * (size_t)cache->n);
        ssl_train(r->ctx, 0);
        ssl_no_grad(r->ctx, 1);
        for (i = 0; i < cache->n; i += n, ssl_step_end(r->ctx)) {
            n = cache->n - i < 1024 ? cache->n - i : 1024;
            ssl_to_host(tuner_logits(t, ssl_input(r->ctx, cache->x + (size_t)i * (size_t)cache->dim, 2, n, cache->dim)), logits->x + (size_t)i * (size_t)t->classes);
        }
        ssl_no_grad(r->ctx, 0);
        ssl_train(r->ctx, 1);
    }
    s = ssl_score_logits(logits);
    ssl_features_free(logits);
    return s;
}

typedef struct curve_point { int epoch; double loss; ssl_score score; } curve_point;
/* Train the tuner; point[] gets the scores after every eval_every epochs (0: never) and after the last. Returns how many. */
static inline int tuner_train(run *r, tuner *t, ssl_dataset *test, const ssl_features *train_cache, const ssl_features *test_cache, int eval_every, curve_point *point)
{
    ssl_batch b;
    feed f;
    double loss = 0.0;
    int n = 0;
    if (!feed_open(&f, r, train_cache)) { feed_close(&f); return 0; }
    memset(&b, 0, sizeof b);
    while (ssl_ok(r->ctx) && !interrupted && r->step < r->total && feed_next(&f, &b)) {
        loss += (double)ssl_item_end(r->ctx, run_step(r, &b, NULL)) / (double)r->steps;
        if (++r->step % r->steps) continue;
        if (r->step == r->total || (eval_every > 0 && r->step / r->steps % eval_every == 0)) {
            point[n].epoch = (int)(r->step / r->steps);
            point[n].loss = loss;
            point[n++].score = tuner_score(r, t, test, test_cache);
        }
        loss = 0.0;
    }
    feed_close(&f);
    return ssl_ok(r->ctx) ? n : 0;
}
#endif
