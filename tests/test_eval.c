/* cc -O2 -fopenmp -I. tests/test_eval.c -lm -o build/test_eval && build/test_eval [FILTER]
 * k-NN and linear probe against double-precision oracles, hostile input, any thread count; reports: PNG, CSV, JSON. */
#if defined(__has_include) && !defined(SSL_STB_IMAGE_WRITE)
#  if __has_include(<stb/stb_image_write.h>)
#    define SSL_STB_IMAGE_WRITE <stb/stb_image_write.h>
#  endif
#endif
#define SSL_IMPLEMENTATION
#include "ssl.h"

static int n_passed, n_failed, n_skipped;
static void check(int ok, const char *what, double value)
{
    if (ok) n_passed++;
    else { n_failed++; printf("FAIL %s (%g)\n", what, value); }
}

static char last_error[1024];
static int n_errors;
static void keep_error(ssl_status code, const char *message, void *user)
{
    (void)code; (void)user;
    snprintf(last_error, sizeof last_error, "%s", message);
    n_errors++;
}
static ssl_ctx *open_quiet(int threads)
{
    ssl_desc d = SSL_ZERO;
    d.threads = threads;
    d.on_error = keep_error;
    n_errors = 0;
    last_error[0] = 0;
    return ssl_open(&d);
}
/* exactly one message, with this file's name and every given word; then later calls stay quiet */
static void check_error(ssl_ctx *c, const char *what, const char *word1, const char *word2)
{
    check(n_errors == 1 && strstr(last_error, "test_eval.c:") && strstr(last_error, word1) && strstr(last_error, word2), what, n_errors);
    if (n_errors != 1 || !strstr(last_error, word1) || !strstr(last_error, word2)) printf("     message: %s\n", last_error);
    check(ssl_close(c) != 0, what, 0);
}

/* Gaussian blobs: class centers at distance `apart`, one column scaled by 100 and one constant */
static ssl_features *blobs(ssl_ctx *c, int n, int dim, int classes, float apart, uint64_t stream)
{
    ssl_features *f = ssl_features_new(c, n, dim, classes);
    ssl_rng center = ssl_rng_make(7, 1), noise = ssl_rng_make(7, stream);
    float mid[64 * 16];
    int i, j;
    for (i = 0; i < classes * dim; i++) mid[i] = apart * ssl_rng_normal(&center);
    for (i = 0; i < n; i++) {
        f->label[i] = ssl_rng_below(&noise, classes);
        for (j = 0; j < dim; j++) f->x[i * dim + j] = mid[f->label[i] * dim + j] + ssl_rng_normal(&noise);
        if (dim > 2) { f->x[i * dim] *= 100.0f; f->x[i * dim + dim - 1] = 3.0f; }
    }
    return f;
}

/* ---- k-NN in double, straight from the formula ---- */
static double cosine(const float *a, const float *b, int d)
{
    double ab = 0, aa = 0, bb = 0;
    int j;
    for (j = 0; j < d; j++) { ab += (double)a[j] * (double)b[j]; aa += (double)a[j] * (double)a[j]; bb += (double)b[j] * (double)b[j]; }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0.0;
}
static double oracle_knn(const ssl_features *train, const ssl_features *test, int k, double temperature, int topk, double *nll)
{
    double all, first;
    double *sim = (double *)malloc(sizeof(double) * (size_t)train->n), vote[64];
    int i, j, c, hits = 0, rank;
    for (i = 0, *nll = 0.0; i < test->n; i++) {
        memset(vote, 0, sizeof vote);
        for (j = 0; j < train->n; j++) sim[j] = cosine(test->x + i * test->dim, train->x + j * train->dim, test->dim);
        for (c = 0, all = first = 0.0; c < k; c++) {
            int best = 0;
            for (j = 1; j < train->n; j++) if (sim[j] > sim[best]) best = j;
            vote[train->label[best]] += exp(sim[best] / temperature);
            all += exp(sim[best] / temperature);
            if (c == 0) first = all;
            sim[best] = -9;
        }
        for (c = 0, rank = 0; c < train->classes; c++)
            rank += vote[c] > vote[test->label[i]] || (vote[c] == vote[test->label[i]] && c < test->label[i]);
        hits += rank < topk;
        *nll -= log((vote[test->label[i]] + first / train->classes) / (all + first)) / test->n;
    }
    free(sim);
    return (double)hits / test->n;
}
static void test_knn(void)
{
    static const int size[][4] = { { 40, 9, 3, 4 }, { 301, 130, 17, 7 }, { 2500, 300, 5, 3 }, { 5, 1, 1, 2 } }; /* train, test, dim, classes */
    int i;
    for (i = 0; i < 4; i++) {
        ssl_ctx *c = open_quiet(2);
        ssl_features *train = blobs(c, size[i][0], size[i][2], size[i][3], 0.7f, 2), *test = blobs(c, size[i][1], size[i][2], size[i][3], 0.7f, 3);
        ssl_knn_desc d = SSL_ZERO;
        ssl_score s;
        double nll;
        d.k = size[i][0] < 20 ? size[i][0] : 20;
        d.temperature = i % 2 ? 0.5f : 0.07f;
        s = ssl_knn(train, test, &d);
        check(fabs(s.top1 - oracle_knn(train, test, d.k, (double)d.temperature, 1, &nll)) * size[i][1] < 1.5, "knn top1 against the formula", s.top1);
        check(fabs(s.top3 - oracle_knn(train, test, d.k, (double)d.temperature, 3, &nll)) * size[i][1] < 1.5, "knn top3 against the formula", s.top3);
        check(fabs(s.nll - nll) < 1e-4 * nll, "knn nll against the formula", s.nll - nll);
        check(s.top5 >= s.top3 && s.top3 >= s.top1, "knn top1 <= top3 <= top5", s.top5);
        d.temperature = 1e-3f; /* exp(1/T) alone would overflow */
        s = ssl_knn(train, test, &d);
        check((s.top1 > 0.0 || test->n == 1) && s.nll >= 0.0 && s.nll <= log((double)train->classes * (d.k + 1)) + 1e-9, "knn with a tiny temperature", s.nll);
        ssl_features_free(train);
        ssl_features_free(test);
        check(ssl_close(c) == 0, "knn", 0);
    }
}

static void test_neighbors(void)
{
    ssl_ctx *c = open_quiet(1), *c2 = open_quiet(2);
    ssl_features *a = blobs(c, 2300, 8, 3, 1.0f, 2), *b = blobs(c2, 2300, 8, 3, 1.0f, 2);
    int32_t *i1 = (int32_t *)malloc(2300 * 5 * 4), *i2 = (int32_t *)malloc(2300 * 5 * 4);
    float *s1 = (float *)malloc(2300 * 5 * 4), *s2 = (float *)malloc(2300 * 5 * 4);
    int i, own = 0, sorted = 1;
    memcpy(a->x + 8 * 2290, a->x, sizeof(float) * 8); /* rows 0 and 2290 are the same: the lower one comes first */
    memcpy(b->x + 8 * 2290, b->x, sizeof(float) * 8);
    memset(a->x + 8 * 11, 0, sizeof(float) * 8);
    memset(b->x + 8 * 11, 0, sizeof(float) * 8);
    check(ssl_neighbors(a, a, 5, i1, s1) && ssl_neighbors(b, b, 5, i2, s2), "neighbors", 0);
    for (i = 0; i < 2300; i++) {
        own += i1[i * 5] == i;
        sorted = sorted && s1[i * 5] >= s1[i * 5 + 1] && s1[i * 5 + 3] >= s1[i * 5 + 4];
    }
    check(own >= 2295 && sorted, "each row is its own nearest", own);
    check(i1[2290 * 5] == 0 && i1[2290 * 5 + 1] == 2290, "ties go to the lower row", i1[2290 * 5]);
    check(s1[11 * 5] == 0.0f && i1[11 * 5] == 0 && i1[11 * 5 + 4] == 4, "a zero row is equally far from all", (double)s1[11 * 5]);
    check(!memcmp(i1, i2, 2300 * 5 * 4) && !memcmp(s1, s2, 2300 * 5 * 4), "same bits with 1 and 2 threads", 0);
    free(i1); free(i2); free(s1); free(s2);
    ssl_features_free(a);
    ssl_features_free(b);
    check(!ssl_close(c) && !ssl_close(c2), "neighbors", 0);
}

/* ---- the probe's problem solved by plain gradient descent in double ---- */
static void oracle_probe(const ssl_features *train, const ssl_features *test, double l2, double *nll, double *top1)
{
    static double x[400 * 16], t[400 * 16], w[8 * 17], g[8 * 17], z[8];
    const int d = train->dim, k = train->classes;
    int i, j, c, it, hits = 0;
    for (j = 0; j < d; j++) {
        double m = 0, v = 0, s;
        for (i = 0; i < train->n; i++) m += (double)train->x[i * d + j] / train->n;
        for (i = 0; i < train->n; i++) v += ((double)train->x[i * d + j] - m) * ((double)train->x[i * d + j] - m) / train->n;
        s = v > 1e-9 ? 1.0 / sqrt(v) : 0.0;
        for (i = 0; i < train->n; i++) x[i * d + j] = ((double)train->x[i * d + j] - m) * s;
        for (i = 0; i < test->n; i++) t[i * d + j] = ((double)test->x[i * d + j] - m) * s;
    }
    memset(w, 0, sizeof w);
    for (it = 0; it < 4000; it++) {
        for (c = 0; c < k; c++) { for (j = 0; j < d; j++) g[c * 17 + j] = l2 * w[c * 17 + j]; g[c * 17 + 16] = 0; }
        for (i = 0; i < train->n; i++) {
            double sum = 0;
            for (c = 0; c < k; c++) { z[c] = w[c * 17 + 16]; for (j = 0; j < d; j++) z[c] += w[c * 17 + j] * x[i * d + j]; sum += z[c] = exp(z[c]); }
            for (c = 0; c < k; c++) {
                const double e = (z[c] / sum - (c == train->label[i])) / train->n;
                for (j = 0; j < d; j++) g[c * 17 + j] += e * x[i * d + j];
                g[c * 17 + 16] += e;
            }
        }
        for (i = 0; i < 8 * 17; i++) w[i] -= 0.5 * g[i];
    }
    for (i = 0, *nll = 0; i < test->n; i++) {
        double sum = 0;
        int best = 0;
        for (c = 0; c < k; c++) { z[c] = w[c * 17 + 16]; for (j = 0; j < d; j++) z[c] += w[c * 17 + j] * t[i * d + j]; sum += exp(z[c]); if (z[c] > z[best]) best = c; }
        *nll += (log(sum) - z[test->label[i]]) / test->n;
        hits += best == test->label[i];
    }
    *top1 = (double)hits / test->n;
}
static void test_probe(void)
{
    static const int size[][4] = { { 100, 50, 4, 3 }, { 400, 400, 16, 8 }, { 33, 7, 1, 2 }, { 300, 20, 6, 1 } };
    int i;
    for (i = 0; i < 4; i++) {
        ssl_ctx *c = open_quiet(2);
        ssl_features *train = blobs(c, size[i][0], size[i][2], size[i][3], 0.6f, 2), *test = blobs(c, size[i][1], size[i][2], size[i][3], 0.6f, 3);
        ssl_probe_desc d = SSL_ZERO;
        ssl_score s;
        double nll, top1;
        d.l2 = 1e-2f;
        d.tolerance = 1e-5f;
        s = ssl_linear_probe(train, test, &d);
        oracle_probe(train, test, 1e-2, &nll, &top1);
        check(s.converged && s.iterations < 500, "probe converges", s.iterations);
        check(fabs(s.nll - nll) < 2e-3 * (1.0 + nll), "probe nll against gradient descent", s.nll - nll);
        check(fabs(s.top1 - top1) * size[i][1] < 1.5, "probe top1 against gradient descent", s.top1 - top1);
        ssl_features_free(train);
        ssl_features_free(test);
        check(ssl_close(c) == 0, "probe", 0);
    }
}
static void test_score_logits(void)
{
    static const float z[3 * 6] = { 0, 9, 1, 2, 3, 4,  5, 4, 3, 2, 1, 0,  1, 1, 1, 1, 1, 1 };
    static const int32_t label[3] = { 1, 2, 0 };
    ssl_ctx *c = open_quiet(1);
    ssl_features *f = ssl_features_new(c, 3, 6, 6);
    ssl_score s;
    memcpy(f->x, z, sizeof z);
    memcpy(f->label, label, sizeof label);
    s = ssl_score_logits(f);
    check(fabs(s.top1 - 2.0 / 3.0) < 1e-12 && s.top3 == 1.0 && s.top5 == 1.0, "ranks of logits", s.top1);
    check(fabs(s.nll - (log(1 + exp(-9.0) + exp(-8.0) + exp(-7.0) + exp(-6.0) + exp(-5.0)) + log(exp(2.0) + exp(1.0) + 1 + exp(-1.0) + exp(-2.0) + exp(-3.0)) + log(6.0)) / 3.0) < 1e-9, "nll of logits", s.nll);
    ssl_features_free(f);
    {
        static const int32_t some[6] = { 1, -1, 2, -100, 0, 6 };
        float twice[6 * 6]; /* rows 1, 3 and 5 do not count */
        ssl_score b;
        int i;
        for (i = 0; i < 36; i++) twice[i] = i / 6 % 2 ? 50.0f : z[i / 12 * 6 + i % 6];
        b = ssl_score_batch(ssl_input(c, twice, 3, 2, 3, 6), ssl_input_i32(c, some, 2, 2, 3));
        check(b.top1 == s.top1 && b.top3 == s.top3 && b.top5 == s.top5 && fabs(b.nll - s.nll) < 1e-12, "ranks of a batch", b.top1);
        b = ssl_score_batch(ssl_input(c, twice, 2, 1, 6), ssl_input_i32(c, some + 1, 1, 1));
        check(b.top1 == 0.0 && b.nll == 0.0 && ssl_ok(c), "ranks of a batch without targets", b.top1);
        ssl_step_end(c);
    }
    f = ssl_features_new(c, 3, 5, 6);
    check(ssl_score_logits(f).top1 == 0.0, "logits of too few classes", 0);
    ssl_features_free(f);
    check_error(c, "logits of too few classes", "logits[3,5]", "6 classes");
    c = open_quiet(1);
    ssl_score_batch(ssl_input(c, z, 2, 3, 6), ssl_input_i32(c, label, 1, 2));
    check_error(c, "targets that do not fit", "logits[3,6]", "targets[2]");
    {
        float bad[6] = { 0.0f, 1.0f, 2.0f };
        static const int32_t own[1] = { 1 };
        bad[1] = ssl__bits(0x7fc00000u);
        c = open_quiet(1);
        s = ssl_score_batch(ssl_input(c, bad, 2, 1, 6), ssl_input_i32(c, own, 1, 1));
        check(s.top1 == 0.0 && s.top5 == 0.0 && s.nll == 0.0, "a NaN is no right answer", s.top1);
        check_error(c, "a NaN is no right answer", "ssl_score_batch", "NaN");
    }
}
static void test_probe_threads(void)
{
    ssl_score s[2];
    int i;
    for (i = 0; i < 2; i++) {
        ssl_ctx *c = open_quiet(i + 1);
        ssl_features *train = blobs(c, 1000, 33, 5, 0.4f, 2), *test = blobs(c, 500, 33, 5, 0.4f, 3);
        s[i] = ssl_linear_probe(train, test, NULL);
        ssl_features_free(train);
        ssl_features_free(test);
        check(ssl_close(c) == 0, "probe threads", 0);
    }
    check(s[0].nll == s[1].nll && s[0].iterations == s[1].iterations && s[0].top1 == s[1].top1, "probe: same bits with 1 and 2 threads", s[0].nll - s[1].nll);
    check(s[0].converged && s[0].top1 > 0.5 && s[0].top5 == 1.0, "probe learns blobs", s[0].top1);
}

/* ---- features of a data set ---- */
static int n_calls, bad_shape;
static ssl_tensor *first_pixels(void *model, ssl_tensor *images) /* [B,3,32,32] -> the first row of red [B,32] */
{
    const int b = images->dim[0];
    n_calls++;
    check(model == &n_calls && images->ctx->no_grad == 1 && images->ctx->training == 0, "features: no gradients, evaluation mode", 0);
    if (bad_shape) return images;
    {
        ssl_tensor *pick = ssl_input(images->ctx, NULL, 2, 32, 3 * 32 * 32);
        int i;
        for (i = 0; i < 32; i++) pick->x[i * 3 * 32 * 32 + i] = 1.0f;
        return ssl_linear(ssl_reshape(images, 2, b, -1), pick, NULL);
    }
}
static void test_features(void)
{
    ssl_ctx *c = open_quiet(2);
    ssl_dataset *data = ssl_dataset_open(c, "synthetic:50");
    ssl_features *f = ssl_features_of(data, NULL, 16, first_pixels, &n_calls), *pixels = ssl_features_pixels(data);
    double worst = 0.0;
    int i, j;
    check(n_calls == 4 && f && f->n == 50 && f->dim == 32 && f->classes == 10, "features of 50 images in batches of 16", n_calls);
    check(pixels && pixels->dim == 3072 && !memcmp(pixels->label, data->labels, 50 * 4) && !memcmp(f->label, data->labels, 50 * 4), "labels come along", 0);
    for (i = 0; f && pixels && i < 50; i++)
        for (j = 0; j < 32; j++) {
            const double e = fabs((double)f->x[i * 32 + j] - ((double)pixels->x[i * 3072 + j] - (double)data->mean[0]) / (double)data->std_dev[0]);
            worst = e > worst ? e : worst;
        }
    check(worst < 1e-4, "the images in order, normalized", worst);
    check(c->training == 1 && c->no_grad == 0, "modes restored", 0);
    ssl_features_free(f);
    ssl_features_free(pixels);
    bad_shape = 1;
    check(ssl_features_of(data, NULL, 16, first_pixels, &n_calls) == NULL && ssl_features_pixels(data) == NULL, "features of the wrong shape", 0);
    bad_shape = 0;
    check_error(c, "features of the wrong shape", "[16,3,32,32]", "[16,D]");
    c = open_quiet(1);
    data = ssl_dataset_open(c, "no-such-set");
    check(ssl_features_of(data, NULL, 0, first_pixels, &n_calls) == NULL && ssl_features_pixels(data) == NULL, "features of no data", 0);
    check_error(c, "features of no data", "no-such-set", "");
}

/* ---- protocols: each learns the labels of 100 images, and a frozen network keeps its bits ---- */
typedef struct classifier { ssl_apl *net; ssl_head head; } classifier;
static ssl_tensor *classifier_logits(void *model, ssl_tensor *images)
{
    const classifier *m = (const classifier *)model;
    return ssl_head_forward(&m->head, ssl_apl_features(m->net, images));
}
static void train_classifier(ssl_ctx *c, classifier *m, ssl_dataset *data, const ssl_mix_desc *mix, float lr)
{
    ssl_loader_desc d = SSL_ZERO;
    ssl_loader *loader;
    ssl_batch b;
    d.batch = 50;
    d.epochs = 40;
    loader = ssl_loader_open(data, &d);
    while (ssl_ok(c) && ssl_loader_next(loader, &b)) {
        ssl_tensor *q, *x = ssl_mix(b.images, b.labels, data->n_classes, mix, &q);
        ssl_backward(ssl_soft_cross_entropy(classifier_logits(m, x), q));
        ssl_adamw_step(c, lr);
        ssl_step_end(c);
    }
}
static void test_protocols(void)
{
    static const struct { const char *name; ssl_head_kind head; int frozen; float mix, decay, lr, top1; } rows[] = {
        { "linear head", SSL_HEAD_LINEAR, 1, 0.0f, 0.0f, 2e-2f, 0.25f },    { "linear head behind batch norm", SSL_HEAD_NORM, 1, 0.0f, 0.0f, 1e-2f, 0.25f },
        { "mlp head", SSL_HEAD_MLP, 1, 0.0f, 0.0f, 3e-3f, 0.6f },          { "fine-tuning", SSL_HEAD_LINEAR, 0, 0.0f, 0.0f, 3e-3f, 0.5f },
        { "fine-tuning, mixed, decayed", SSL_HEAD_MLP_PLAIN, 0, 0.2f, 0.75f, 3e-3f, 0.4f } };
    size_t i;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        ssl_ctx *c = open_quiet(2);
        ssl_dataset *data = ssl_dataset_open(c, "synthetic:100");
        ssl_apl_desc d = SSL_ZERO;
        ssl_head_desc h = SSL_ZERO;
        ssl_mix_desc mix = SSL_ZERO;
        ssl_features *logits;
        classifier m;
        float *before;
        int64_t n;
        d.encoder = SSL_APL_LINEAR; d.dim = 32; d.depth = 1;
        h.kind = rows[i].head; h.hidden = 64;
        mix.mixup = mix.cutmix = rows[i].mix;
        m.net = ssl_apl_new(c, "", &d);
        n = c->n_flat;
        before = (float *)malloc(sizeof(float) * (size_t)n);
        memcpy(before, c->values, sizeof(float) * (size_t)n);
        if (rows[i].frozen) ssl_param_group(c, "*", 1.0f, 1.0f, 1);
        m.head = ssl_head_new(c, "classifier", 32, data->n_classes, &h);
        if (rows[i].decay > 0.0f) check(ssl_layer_decay(c, NULL, rows[i].decay) == 1, "one block", 0);
        train_classifier(c, &m, data, &mix, rows[i].lr);
        check((memcmp(before, c->values, sizeof(float) * (size_t)n) == 0) == rows[i].frozen, rows[i].name, (double)rows[i].frozen);
        logits = ssl_features_of(data, NULL, 0, classifier_logits, &m);
        check(ssl_score_logits(logits).top1 > (double)rows[i].top1, rows[i].name, ssl_score_logits(logits).top1);
        ssl_features_free(logits);
        free(before);
        check(ssl_close(c) == 0, rows[i].name, 0);
    }
}

/* Ten epochs of APL's puzzle on 200 images, with or without a classifier beside; weights gets the network's. Returns the
   classifier's accuracy over the last epoch. */
static double online_run(int beside, float *weights, int64_t room, int64_t *n)
{
    ssl_ctx *c = open_quiet(2);
    ssl_apl_desc d = SSL_ZERO;
    ssl_loader_desc ld = SSL_ZERO;
    ssl_online_eval e = SSL_ZERO;
    ssl_loader *loader;
    ssl_apl *net;
    ssl_batch b;
    double right = 0.0;
    d.encoder = SSL_APL_LINEAR; d.dim = 32; d.depth = 1; d.patch_dropout = 0.2f; d.dropout = 0.1f;
    net = ssl_apl_new(c, "", &d);
    ld.batch = 50; ld.epochs = 30;
    loader = ssl_loader_open(ssl_dataset_open(c, "synthetic:200"), &ld);
    if (beside) e = ssl_online_eval_new(c, 32, 10, NULL);
    while (ssl_ok(c) && ssl_loader_next(loader, &b)) {
        ssl_backward(ssl_apl_loss(net, b.images, NULL));
        if (beside) {
            ssl_tensor *x;
            ssl_train(c, 0);
            ssl_no_grad(c, 1);
            x = ssl_apl_features(net, b.images);
            ssl_no_grad(c, 0);
            ssl_train(c, 1);
            if (b.epoch == ld.epochs - 1 && b.step == 0) ssl_online_eval_accuracy(&e); /* begins to count anew */
            ssl_online_eval_step(&e, x, b.label, 3e-2f);
        }
        ssl_adamw_step(c, 1e-3f);
        ssl_step_end(c);
    }
    if (beside) right = ssl_online_eval_accuracy(&e);
    if (beside) check(ssl_online_eval_accuracy(&e) == 0.0, "an accuracy counts from the last time it was asked for", 0);
    *n = c->n_flat;
    check(ssl_ok(c) && *n <= room, "online evaluator", (double)*n);
    memcpy(weights, c->values, sizeof(float) * (size_t)*n);
    ssl_online_eval_close(&e);
    check(ssl_close(c) == 0, "online evaluator", 0);
    return right;
}
static void test_online_eval(void)
{
    static float alone[1 << 16], beside[1 << 16];
    int64_t n, m;
    double right;
    online_run(0, alone, 1 << 16, &n);
    right = online_run(1, beside, 1 << 16, &m);
    check(n == m && !memcmp(alone, beside, sizeof(float) * (size_t)n), "a classifier beside leaves the network its bits", (double)n);
    check(right > 0.2, "a classifier beside learns (chance 0.1, 200 images: five deviations)", right);
}

static void test_hostile(void)
{
    int i;
    for (i = 0; i < 14; i++) {
        ssl_ctx *c = open_quiet(1);
        ssl_features *train = blobs(c, 10, 4, 3, 1.0f, 2), *test = blobs(c, 6, i == 0 ? 3 : 4, 3, 1.0f, 3), *none;
        ssl_knn_desc kd = SSL_ZERO;
        ssl_probe_desc pd = SSL_ZERO;
        ssl_score s = SSL_ZERO;
        kd.k = 3;
        if (i == 0) s = ssl_knn(train, test, &kd);
        if (i == 1) { kd.k = 11; s = ssl_knn(train, test, &kd); }
        if (i == 2) { test->x[9] = ssl__bits(0x7fc00000u); s = ssl_knn(train, test, &kd); }
        if (i == 3) { train->label[4] = 3; s = ssl_linear_probe(train, test, NULL); }
        if (i == 4) { train->x[0] = ssl__bits(0x7f800000u); s = ssl_linear_probe(train, test, NULL); }
        if (i == 5) { kd.temperature = -1.0f; s = ssl_knn(train, test, &kd); }
        if (i == 6) { memset(&pd, 0xcc, sizeof pd); s = ssl_linear_probe(train, test, &pd); }
        if (i == 7) check(ssl_features_new(c, 0, 4, 3) == NULL, "no images", 0);
        if (i == 8) ssl_neighbors(train, test, 0, NULL, NULL);
        if (i == 9) { pd.max_iterations = -1; s = ssl_linear_probe(train, test, &pd); }
        if (i == 10) { pd.l2 = ssl__bits(0x7fc00000u); s = ssl_linear_probe(train, test, &pd); }
        if (i == 11) { train->classes = INT32_MAX; s = ssl_linear_probe(train, test, NULL); }
        if (i == 12) { pd.l2 = ssl__bits(0x7f800000u); s = ssl_linear_probe(train, test, &pd); }
        if (i == 13) { int j; for (j = 0; j < 10; j++) train->x[4 * j] = 0.001f * (float)(j % 2); test->x[0] = 3e38f; s = ssl_linear_probe(train, test, NULL); } /* 10^41 deviations off */
        none = ssl_features_new(c, 4, 4, 2); /* quiet after the error */
        check(none == NULL && s.top1 == 0.0 && ssl_knn(train, test, NULL).top1 == 0.0 && ssl_linear_probe(none, test, NULL).nll == 0.0, "quiet after an error", i);
        ssl_features_free(train);
        ssl_features_free(test);
        check_error(c, "hostile input",
                    i == 0 ? "train[10,4]" : i == 1 ? "k 11" : i == 2 ? "row 2" : i == 3 ? "label 3" : i == 4 ? "train row 0" : i == 5 ? "temperature 0" : i == 6 ? "SSL_ZERO" : i == 7 ? "n 0" : i == 8 ? "k 0" : i == 9 ? "max_iterations -1" :
                    i == 10 ? "nan" : i == 11 ? "2147483647 classes" : i == 12 ? "l2 inf" : "NaN or infinite",
                    i == 0 ? "test[6,3]" : i == 1 ? "10 rows" : i == 2 ? "column 1" : i == 3 ? "0..2" : "");
    }
}

static void test_mix_ranges(void) /* a range without an end would draw for ever; Beta of next to nothing is 0 or 1 */
{
    static const int32_t label[2] = { 0, 1 };
    int i, whole = 0;
    for (i = 0; i < 24; i++) {
        ssl_ctx *c = open_quiet(1);
        ssl_mix_desc d = SSL_ZERO;
        ssl_tensor *q;
        d.mixup = i == 0 ? ssl__bits(0x7f800000u) : i == 1 ? ssl__bits(0x7fc00000u) : i == 2 ? 0.8f : 1e-30f;
        d.cutmix = i == 2 ? ssl__bits(0x7f800000u) : 0.0f;
        if (i == 3) d.cutmix_p = ssl__bits(0x7fc00000u);
        c->seed = (uint64_t)i;
        ssl_mix(ssl_input(c, NULL, 4, 2, 1, 2, 2), ssl_input_i32(c, label, 1, 2), 2, &d, &q);
        if (i < 4) { check_error(c, "mix of no range", "ssl_mix", "at most 10000"); continue; }
        whole += q->x[0] == 0.0f || q->x[0] == 1.0f;
        ssl_close(c);
    }
    check(whole == 20, "mixup of a tiny alpha takes one of the two", whole);
}

/* ---- reports ---- */
static char *slurp(const char *path, long *n)
{
    static char text[1 << 20];
    FILE *f = fopen(path, "rb");
    *n = f ? (long)fread(text, 1, sizeof text - 1, f) : -1;
    if (f) fclose(f);
    text[*n > 0 ? *n : 0] = 0;
    return text;
}
static void row2(ssl_csv *log, double a, double b)
{
    double v[2];
    v[0] = a;
    v[1] = b;
    ssl_csv_row(log, 2, v);
}
static void test_csv(void)
{
    static const double three[3] = { 1.0, 2.0, 3.0 };
    ssl_ctx *c = open_quiet(1);
    ssl_csv *log = ssl_csv_open(c, "build/test_eval.csv", "step,loss", -1);
    long n = 0;
    row2(log, 1.0, 0.1 + 0.2);
    row2(log, 2.0, (double)0.1f);
    row2(log, 3.0, 7.0);
    ssl_csv_close(log);
    check(!strcmp(slurp("build/test_eval.csv", &n), "step,loss\n1,0.3\n2,0.100000001\n3,7\n"), "csv rows", (double)n);
    log = ssl_csv_open(c, "build/test_eval.csv", "step,loss", 2);
    row2(log, 3.0, 8.0);
    ssl_csv_close(log);
    check(!strcmp(slurp("build/test_eval.csv", &n), "step,loss\n1,0.3\n2,0.100000001\n3,8\n"), "csv continued after row 2", (double)n);
    log = ssl_csv_open(c, "build/test_eval.csv", "step,loss", -1);
    ssl_csv_row(log, 3, three);
    row2(log, 1.0, 2.0);
    ssl_csv_close(log);
    check_error(c, "csv with a value too many", "3 values", "2 columns");
    c = open_quiet(1);
    check(ssl_csv_open(c, "build/no/such/dir/log.csv", "a", -1) == NULL, "csv in no directory", 0);
    ssl_csv_row(NULL, 1, three);
    check_error(c, "csv in no directory", "no/such/dir", "No such file");
    c = open_quiet(1);
    log = ssl_csv_open(c, "build/test_eval.csv", "a", -1);
    fclose(log->file);
    log->file = fopen("/dev/full", "w"); /* a disk without room */
    ssl_csv_row(log, 1, three);
    ssl_csv_close(log);
    check_error(c, "csv on a full disk", "cannot write", "No space");
    remove("build/test_eval.csv");
}
static void test_json(void)
{
    ssl_ctx *c = open_quiet(1);
    ssl_json j = SSL_ZERO;
    long n = 0;
    j.ctx = c;
    ssl_json_begin(&j, NULL, '{');
    ssl_json_string(&j, "a\"b", "tab\t \\ \xc3\xa9");
    ssl_json_number(&j, "x", (double)0.1f);
    ssl_json_begin(&j, "list", '[');
    ssl_json_number(&j, NULL, 1e30);
    ssl_json_number(&j, NULL, (double)ssl__bits(0x7fc00000u));
    ssl_json_end(&j);
    ssl_json_begin(&j, "empty", '{');
    ssl_json_end(&j);
    ssl_json_end(&j);
    check(!strcmp(j.text, "{\n  \"a\\\"b\": \"tab\\u0009 \\\\ \xc3\xa9\",\n  \"x\": 0.100000001,\n  \"list\": [\n    1e+30,\n    null\n  ],\n  \"empty\": {}\n}\n"), "json text", 0);
    check(ssl_json_save(&j, "build/test_eval.json") && !strcmp(slurp("build/test_eval.json", &n), j.text), "json file", 0);
    remove("build/test_eval.json");
    check(!ssl_json_save(&j, "build/no/such/dir.json"), "json in no directory", 0);
    ssl_json_free(&j);
    check_error(c, "json in no directory", "no/such/dir.json", "No such file");
}

static unsigned be32(const char *p) { const unsigned char *u = (const unsigned char *)p; return (unsigned)u[0] << 24 | (unsigned)u[1] << 16 | (unsigned)u[2] << 8 | u[3]; }
static void draw_everything(ssl_canvas *p) /* also far outside: it must be clipped */
{
    static const float x[5] = { 0, 1, 2, 3, 4 };
    float y[5] = { 2.0f, 1.2f, 0.9f, 0.0f, 0.7f }, heat[12];
    static const uint8_t gray[4] = { 0, 85, 170, 255 }, rgb[12] = { 255, 0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 0 };
    ssl_series s[2];
    int i;
    y[3] = ssl__bits(0x7f800000u);
    memset(s, 0, sizeof s);
    s[0].name = "train"; s[0].x = x; s[0].y = y; s[0].n = 5;
    s[1].name = "empty";
    for (i = 0; i < 12; i++) heat[i] = (float)i;
    ssl_canvas_plot(p, 0, 0, 480, 300, "loss", "epoch", s, 2);
    ssl_canvas_heat(p, 490, 10, 12, heat, 1, 12, 0.0f, 11.0f);
    ssl_canvas_u8(p, 490, 40, 20, gray, 1, 2, 2);
    ssl_canvas_u8(p, 540, 40, 20, rgb, 3, 2, 2);
    ssl_canvas_f32(p, 590, 40, 20, heat, 3, 2, 2, NULL, NULL);
    for (i = 0; i < 6; i++) {
        char line[17];
        int k;
        for (k = 0; k < 16; k++) line[k] = (char)(32 + 16 * i + k);
        line[16] = 0;
        ssl_canvas_text(p, 490, 100 + 20 * i, 1 + i % 2, 0x202020, line);
    }
    ssl_canvas_rect(p, -50, -50, 55, 55, 0xff0000);
    ssl_canvas_line(p, -100.0f, 350.0f, 5000.0f, 280.0f, 3.0f, 0x2f9e44);
    ssl_canvas_text(p, 670, 290, 3, 0x1f6fb4, "clipped");
    ssl_canvas_text(p, -2000, -2000, 1, 0, "far\xff");
    ssl_canvas_rect(p, 2, INT32_MAX, INT32_MAX, INT32_MAX, 0);
    ssl_canvas_text(p, INT32_MAX, 9, INT32_MAX, 0, "far");
    ssl_canvas_u8(p, INT32_MAX - 1, 9, INT32_MAX, gray, 1, 2, 2);
    ssl_canvas_heat(p, 9, INT32_MAX - 1, INT32_MAX, heat, 1, 12, 0.0f, 11.0f);
    ssl_canvas_line(p, y[3], 5.0f, 9e30f, y[3] - y[3], 3.0f, 0);
    ssl_canvas_line(p, y[3] - y[3], 5.0f, 9.0f, 5.0f, 3.0f, 0);
    y[0] = 3e38f; y[1] = -3e38f; s[0].n = 2; s[1].name = "constant"; s[1].x = heat + 11; s[1].y = y; s[1].n = 1;
    heat[11] = 1e30f;
    ssl_canvas_plot(p, 5000, 0, 480, 300, "huge", "x", s, 2);
    ssl_canvas_plot(p, 5000, 0, 480, 300, "one", "x", s + 1, 1);
    ssl_canvas_plot(p, INT32_MAX, INT32_MIN, INT32_MIN, 300, "far", "x", s + 1, 1);
}
/* Rows whose covariance is known: mean + sum over j of s_j sqrt(n - 1) u_j r_j with orthonormal u_j that sum to 0 (cosines) and
   orthonormal r_j (a mirror image of the axes): variances s_j^2, directions r_j, scores s_j sqrt(n - 1) u_j. */
static void pca_case(int n, int d, int k, const double *s, int rank)
{
    float *x = (float *)malloc(sizeof(float) * (size_t)(n * d)), *direction = (float *)malloc(sizeof(float) * (size_t)(k * d)), *variance = (float *)malloc(sizeof(float) * (size_t)k),
          *score = (float *)malloc(sizeof(float) * (size_t)(n * k));
    double *r = (double *)malloc(sizeof(double) * (size_t)(d * d)), *u = (double *)malloc(sizeof(double) * (size_t)(rank * n)), length = 0.0, dot, sign, worst[3] = { 0.0, 0.0, 0.0 };
    int i, j, e;
    for (j = 0; j < d; j++) length += (1.0 + j % 3) * (1.0 + j % 3);
    for (j = 0; j < d; j++) for (e = 0; e < d; e++) r[j * d + e] = (j == e) - 2.0 * (1.0 + j % 3) * (1.0 + e % 3) / length;
    for (j = 0; j < rank; j++) for (i = 0; i < n; i++) u[j * n + i] = sqrt(2.0 / n) * cos(3.14159265358979323846 * (i + 0.5) * (j + 1) / n);
    for (i = 0; i < n; i++)
        for (e = 0; e < d; e++) {
            double v = 5.0 + e;
            for (j = 0; j < rank; j++) v += s[j] * sqrt(n - 1.0) * u[j * n + i] * r[j * d + e];
            x[i * d + e] = (float)v;
        }
    check(ssl_pca(x, n, d, k, direction, variance, score), "pca", d);
    for (j = 0; j < k; j++) {
        worst[0] = fmax(worst[0], fabs((double)variance[j] - (j < rank ? s[j] * s[j] : 0.0)) / (s[0] * s[0]));
        for (e = 0, length = dot = 0.0; e < d; e++) { length += (double)direction[j * d + e] * (double)direction[j * d + e]; dot += (double)direction[j * d + e] * r[j * d + e]; }
        worst[1] = fmax(worst[1], fabs(length - 1.0));
        if (j >= rank) continue;
        sign = dot < 0.0 ? -1.0 : 1.0;
        worst[1] = fmax(worst[1], fabs(fabs(dot) - 1.0));
        for (e = 0, dot = 0.0; e < d; e++) if (fabs((double)direction[j * d + e]) > fabs(dot)) dot = (double)direction[j * d + e];
        check(dot > 0.0, "greatest entry of a direction is positive", j);
        for (i = 0; i < n; i++) worst[2] = fmax(worst[2], fabs((double)score[i * k + j] - sign * s[j] * sqrt(n - 1.0) * u[j * n + i]) / s[0]);
    }
    check(worst[0] < 1e-5, "pca: variances", worst[0]);
    check(worst[1] < 1e-5, "pca: directions", worst[1]);
    check(worst[2] < 1e-3, "pca: scores", worst[2]);
    free(x); free(direction); free(variance); free(score); free(r); free(u);
}
static void test_pca(void)
{
    static const double s[8] = { 3.0, 2.0, 1.5, 1.2, 1.0, 0.9, 0.8, 0.1 };
    const float two[4] = { 1.0f, 2.0f, 3.0f, 5.0f };
    pca_case(40, 8, 3, s, 8);   /* more rows than columns */
    pca_case(40, 200, 3, s, 8); /* more columns than rows */
    pca_case(9, 3, 3, s, 3);    /* all of them */
    pca_case(20, 12, 5, s, 2);  /* three directions without variance */
    check(!ssl_pca(two, 2, 2, INT32_MAX, NULL, NULL, NULL), "pca: more directions than columns", 0);
    check(!ssl_pca(two, 2, 2, 3, NULL, NULL, NULL) && !ssl_pca(two, 1, 4, 1, NULL, NULL, NULL), "pca: too few rows or columns", 0);
}
/* Two pictures of 4 x 4 pixels, scale 24, side 96, with 2 x 2 places: what is drawn of one token that differs, and of two heads. */
static void test_look(void)
{
    ssl_ctx *c = open_quiet(1);
    float token[2 * 4 * 3] = { 0.0f }, share[2 * 2 * 4] = { 0.0f };
    ssl_look look = SSL_ZERO;
    ssl_tensor *images = ssl_input(c, NULL, 4, 2, 3, 4, 4);
    token[3] = 9.0f; /* place 1 of the first picture */
    share[2] = 1.0f; /* head 1 of it looks at place 2 */
    look.h = look.w = 2;
    look.tokens = ssl_input(c, token, 3, 2, 4, 3);
    look.attention = ssl_input(c, share, 3, 2, 2, 4);
#ifdef SSL__HAS_STBIW
    {
        float pixel[2 * 3 * 16] = { 0.0f }, with_scores[2 * 4 * 3 + 2 * 4 * 3];
        const uint8_t *rgb;
        ssl_canvas *p;
        memcpy(with_scores, token, sizeof token);
        p = ssl__look_draw("test", &look, images, NULL, NULL, pixel, with_scores, share);
        check(p && p->w == 110 + 2 * 104 && p->h == 8 + 4 * 104, "look: size", p ? p->w : 0);
        rgb = p ? p->rgb : NULL;
#define AT(x, y) (rgb + 3 * ((y) * p->w + (x)))
        if (rgb) {
            check(AT(110 + 24, 8)[0] == 0 && AT(110 + 24, 8)[2] == 0, "look: the picture", AT(134, 8)[0]);
            check(AT(110 + 70, 112 + 20)[0] == 255 && AT(110 + 20, 112 + 20)[0] < 128 && AT(110 + 20, 112 + 20)[0] == AT(214 + 70, 112 + 70)[0], "look: the token that differs", AT(180, 132)[0]);
            check(AT(110 + 20, 112 + 20)[1] == 128, "look: no second component", AT(130, 132)[1]);
            check(AT(110 + 20, 216 + 70)[0] > 200 && AT(110 + 70, 216 + 70)[0] < 100, "look: head 1", AT(130, 286)[0]);
            check(AT(110 + 20, 320 + 70)[0] == AT(110 + 70, 320 + 20)[0], "look: head 2 sees nothing", 0);
        }
#undef AT
        ssl_canvas_free(p);
    }
    check(ssl_look_save(&look, images, NULL, NULL, "build/test_look.png"), "look saved", 0);
#endif
    look.w = 3;
    check(!ssl_look_save(&look, images, NULL, NULL, "build/test_look.png"), "look of other tokens", 0);
    check_error(c, "look of other tokens", "ssl_look_save", "2 x 3");
    c = open_quiet(1);
    look.w = 2;
    look.tokens = ssl_input(c, token, 3, 2, 4, 3);
    look.attention = NULL;
    check(!ssl_look_save(&look, ssl_input(c, NULL, 4, 2, 2, 4, 4), NULL, NULL, "build/test_look.png"), "look of two channels", 0);
    check_error(c, "look of two channels", "[2,2,4,4]", "1 or 3 channels");
    c = open_quiet(1);
    look.tokens = ssl_input(c, token, 3, 2, 4, 3);
    look.attention = ssl_input(c, share, 3, 2, 2, 3);
    check(!ssl_look_save(&look, ssl_input(c, NULL, 4, 2, 3, 4, 4), NULL, NULL, "build/test_look.png"), "look of other attention", 0);
    check_error(c, "look of other attention", "[2,2,3]", "2 x 2");
}
static void test_png(void)
{
#ifdef SSL__HAS_STBIW
    ssl_ctx *c = open_quiet(1);
    ssl_canvas *p = ssl_canvas_new(c, 701, 301, 0xffffff);
    const char *t;
    long n = 0;
    draw_everything(p);
    check(p->rgb[0] == 255 && p->rgb[1] == 0 && p->rgb[3 * 5] == 255 && p->rgb[3 * 5 + 1] == 255, "rectangle clipped at the corner", p->rgb[1]);
    check(p->rgb[3 * (41 * 701 + 541)] == 255 && p->rgb[3 * (41 * 701 + 541) + 1] == 0 && p->rgb[3 * (41 * 701 + 561) + 1] == 255, "planes in order", 0);
    check(ssl_canvas_save(p, "build/test_eval.png"), "png saved", 0);
    t = slurp("build/test_eval.png", &n);
    check(n > 1000 && !memcmp(t, "\x89PNG\r\n\x1a\n", 8) && !memcmp(t + 12, "IHDR", 4), "png signature", (double)n);
    check(be32(t + 16) == 701 && be32(t + 20) == 301 && t[24] == 8 && t[25] == 2, "png fields: width, height, 8 bits, RGB", be32(t + 16));
    check(!memcmp(t + n - 8, "IEND", 4), "png complete", 0);
    check(!ssl_canvas_save(p, "build/no/such/dir.png"), "png in no directory", 0);
    ssl_canvas_free(p);
    check(ssl_canvas_new(c, 10, 10, 0) == NULL, "no canvas after an error", 0);
    ssl_canvas_rect(NULL, 0, 0, 5, 5, 0);
    ssl_canvas_line(NULL, 0, 0, 5, 5, 1, 0);
    ssl_canvas_text(NULL, 0, 0, 1, 0, "x");
    ssl_canvas_plot(NULL, 0, 0, 5, 5, "", "", NULL, 0);
    ssl_canvas_free(NULL);
    check_error(c, "png in no directory", "no/such/dir.png", "No such file");
#else
    ssl_ctx *c = open_quiet(1);
    ssl_canvas *p = ssl_canvas_new(c, 701, 301, 0xffffff);
    draw_everything(p);
    check(!ssl_canvas_save(p, "build/test_eval.png"), "png without stb", 0);
    ssl_canvas_free(p);
    check_error(c, "png without stb", "SSL_STB_IMAGE_WRITE", "libstb-dev");
    n_skipped++;
    printf("skip png: built without stb_image_write.h\n");
#endif
}
static void test_progress(void)
{
    ssl_progress p = ssl_progress_begin("test", 0, 10);
    int i;
    p.terminal = 0;
    for (i = 0; i < 10; i++) ssl_progress_step(&p, i + 1, 32, 1.0f);
    check(p.images == 320 && fabs(p.loss - 1.0) < 1e-6 && ssl_seconds() >= p.begun, "progress counts", (double)p.images);
    p = ssl_progress_begin("odd", -5, 1);
    p.terminal = 0;
    p.begun -= 1e9;
    ssl_progress_end(&p, -4); /* more than 10^9 seconds left, less than nothing done */
    ssl_progress_end(&p, 1 << 30);
    p = ssl_progress_begin("empty", 0, 0); /* no division by zero, no line before the first step */
    check(p.images == 0, "progress of nothing", 0);
}

typedef struct test_row { const char *name; void (*run)(void); } test_row;
int main(int argc, char **argv)
{
    static const test_row rows[] = { { "knn", test_knn }, { "neighbors", test_neighbors }, { "probe", test_probe }, { "score_logits", test_score_logits }, { "probe_threads", test_probe_threads },
                                     { "features", test_features }, { "protocols", test_protocols }, { "online_eval", test_online_eval }, { "hostile", test_hostile }, { "mix_ranges", test_mix_ranges }, { "csv", test_csv }, { "json", test_json }, { "pca", test_pca }, { "look", test_look }, { "png", test_png }, { "progress", test_progress } };
    size_t i;
    for (i = 0; i < sizeof rows / sizeof *rows; i++)
        if (argc < 2 || strstr(rows[i].name, argv[1])) rows[i].run();
    printf("%d passed, %d failed, %d skipped\n", n_passed, n_failed, n_skipped);
    return n_failed > 0;
}
