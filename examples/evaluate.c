/* make build/evaluate && build/evaluate --checkpoint out/checkpoint.safetensors --data synthetic --protocol knn
 * What the features of a pre-trained network are worth: k-NN or a linear probe on the frozen network. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "run.h"

typedef struct evaluate_desc {
    char checkpoint[WORD_SIZE], data[WORD_SIZE], test[WORD_SIZE];
    int protocol; /* 0 knn, 1 linear */
    int features; /* 0 trained, 1 untrained, 2 pixels */
    int limit_images, threads, batch;
    ssl_knn_desc knn;
    ssl_probe_desc probe;
} evaluate_desc;
static const field evaluate_fields[] = {
    F(WORD, evaluate_desc, checkpoint, "file written by pretrain"),
    F(WORD, evaluate_desc, data, "labelled images to learn from (split train); as in pretrain --help; -: those of the checkpoint"),
    F(WORD, evaluate_desc, test, "labelled images to test on (split test); -: the same SPEC as data"),
    F_OF(evaluate_desc, protocol, "knn|linear", "k nearest neighbours, or a linear probe"),
    F_OF(evaluate_desc, features, "trained|untrained|pixels", "untrained: the same network as it was before training; pixels: no network at all"),
    F(INTEGER, evaluate_desc, limit_images, "a random choice of so many training images; 0: all"),
    F(INTEGER, evaluate_desc, threads, "threads; 0: all cores"),
    F(INTEGER, evaluate_desc, batch, "images at a time; 0: 256"),
    F_AT(INTEGER, evaluate_desc, "k", knn.k, "knn: neighbours that vote; 0: 20"),
    F_AT(NUMBER, evaluate_desc, "temperature", knn.temperature, "knn: votes weigh exp(cosine / temperature); 0: 0.07"),
    F_AT(NUMBER0, evaluate_desc, "l2", probe.l2, "linear: l2/2 |W|^2 is added to the loss; default 1e-3"),
    F_AT(NUMBER, evaluate_desc, "tolerance", probe.tolerance, "linear: greatest gradient at the end; 0: 1e-3"),
    F_AT(INTEGER, evaluate_desc, "max_iterations", probe.max_iterations, "linear: iterations of L-BFGS; 0: 500"),
};

static int help(const table *t)
{
    printf("usage: evaluate --checkpoint FILE [--data SPEC] [--test SPEC] [--protocol knn|linear] [--json] [--KEY VALUE]...\n\n");
    table_print(t);
    return 0;
}

static void print_json(ssl_ctx *ctx, const evaluate_desc *d, const run *r, int n_train, int n_test, const ssl_score *s)
{
    ssl_json j = SSL_ZERO;
    j.ctx = ctx;
    ssl_json_begin(&j, NULL, '{');
    ssl_json_string(&j, "checkpoint", d->checkpoint);
    ssl_json_string(&j, "method", r->s.method->name);
    ssl_json_string(&j, "data", d->data);
    ssl_json_string(&j, "test", d->test);
    ssl_json_string(&j, "features", d->features == 2 ? "pixels" : d->features ? "untrained" : "trained");
    ssl_json_string(&j, "protocol", d->protocol ? "linear" : "knn");
    ssl_json_number(&j, "train_images", n_train);
    ssl_json_number(&j, "test_images", n_test);
    ssl_json_number(&j, "top1", s->top1);
    ssl_json_number(&j, "top3", s->top3);
    ssl_json_number(&j, "top5", s->top5);
    if (d->protocol) {
        ssl_json_number(&j, "nll", s->nll);
        ssl_json_number(&j, "iterations", s->iterations);
        ssl_json_number(&j, "converged", s->converged);
    }
    ssl_json_end(&j);
    if (ssl_ok(ctx)) fputs(j.text, stdout);
    ssl_json_free(&j);
}

static void evaluate(run *r, const evaluate_desc *d, int json)
{
    ssl_dataset_desc spec = SSL_ZERO;
    ssl_dataset *test;
    ssl_features *a, *b;
    ssl_score s = SSL_ZERO;
    spec.split = "test";
    spec.image_size = r->s.data.image_size;
    test = ssl_dataset_open_desc(r->ctx, d->test, &spec);
    a = d->features == 2 ? ssl_features_pixels(r->data) : run_features(r, r->data, d->batch);
    b = d->features == 2 ? ssl_features_pixels(test) : run_features(r, test, d->batch);
    s = d->protocol ? ssl_linear_probe(a, b, &d->probe) : ssl_knn(a, b, &d->knn);
    if (json) print_json(r->ctx, d, r, r->data->n, test->n, &s);
    else if (ssl_ok(r->ctx)) {
        printf("%s, %s, %s on %s, tested on %s: @1 %.2f%%  @3 %.2f%%  @5 %.2f%%", d->checkpoint, d->features == 2 ? "pixels" : d->features ? "untrained" : "trained", d->protocol ? "linear probe" : "k-NN", d->data, d->test, 100.0 * s.top1, 100.0 * s.top3,
               100.0 * s.top5);
        if (d->protocol) printf("  nll %.4f  (%d iterations%s)", s.nll, s.iterations, s.converged ? "" : ", not converged");
        printf("\n");
    }
    ssl_features_free(a);
    ssl_features_free(b);
}

int main(int argc, char **argv)
{
    static arguments args;
    static evaluate_desc d;
    static settings s;
    const group fields = GROUP("", evaluate_fields);
    table t;
    run r;
    t.n = 0;
    table_add(&t, fields, &d);
    if (!arguments_parse(&args, argc, argv)) return 1;
    if (arguments_find(&args, "help")) return help(&t);
    if (!arguments_apply(&args, &t)) return 1;
    if (!*d.checkpoint) { fprintf(stderr, "error: --checkpoint FILE is missing; --help lists all\n"); return 1; }
    if (!settings_load(&s, d.checkpoint, NULL, NULL)) return 1;
    if (!*d.data) memcpy(d.data, s.run.data, WORD_SIZE);
    if (!*d.test) memcpy(d.test, d.data, WORD_SIZE);
    memcpy(s.run.data, d.data, WORD_SIZE);
    memcpy(s.run.split, "train", sizeof "train");
    s.data.limit_images = d.limit_images;
    s.data.labels_per_class = 0;
    s.run.threads = d.threads;
    s.data.image_size = s.data.image_size ? s.data.image_size : s.augment.size;
    run_open(&r, &s, 0);
    if (d.features == 0) run_load(&r, d.checkpoint, 1); /* the seed alone gives the untrained weights again */
    evaluate(&r, &d, arguments_find(&args, "json") != NULL);
    return ssl_close(r.ctx) != 0;
}
