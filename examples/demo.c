/* make demo       Three ways to learn from images without labels - a puzzle, a reconstruction, a contrast - on procedural images:
 *                 trained, compared with the raw pixels and with the same network untrained, and drawn into out/.
 * make demo-all   The same with every method. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#define FLAGS "all help" /* options without a value */
#include "run.h"

/* In a patch of 8 pixels the pattern of the ground repeats once, and of 16 patches much is learned in a few seconds. */
#define MASKED "patch=8 dim=64 depth=3 heads=2 batch=64 lr=3e-3 "
#define PAINTED "decoder_dim=48 decoder_depth=1 decoder_heads=2 mask_ratio=0.5 "
#define VIT "patch=8 dim=64 depth=3 heads=2 batch=64 lr=2e-3 mean_pool=1 "
#define RESNET "backbone=resnet resnet_width=16 cifar_stem=-1 lr=2e-3 "
/* The color of these pictures says nothing of their kind, but tells one from another: views that kept it would be found by it alone. */
#define ANY_COLOR "jitter_p=1 hue=0.5 saturation=0.8 grayscale_p=0.4 "
#define VIEWS RESNET ANY_COLOR "scale_min=0.4 epochs=3 "
static const char shared_changes[] = "data=synthetic:5000 batch=128";
static const struct { const char *name, *changes; } demos[] = {
    { "apl", "grid=4 crop=2 encoder=linear dim=64 depth=3 heads=2 lr=2e-3 epochs=8" },
    { "mae", MASKED PAINTED "norm_pix=1 epochs=16" },
    { "simclr", VIEWS },
    { "mae-mask-token", MASKED PAINTED "epochs=20" },
    { "randsac", MASKED "segment=2 decoder_depth=1 epochs=20" },
    { "jigsaw", "dim=64 depth=3 heads=2 lr=2e-3 epochs=4" },
    { "rotation", VIT "epochs=3" },
    { "mp3", MASKED "epochs=8" },
    { "moco", VIEWS },
    { "byol", VIT ANY_COLOR "scale_min=0.4 blur_p=0 second_blur_p=0 second_solarize_p=0 momentum=0.9 epochs=6" },
    { "simsiam", VIEWS "lr=1e-3 weight_decay=0.05 predictor_hidden=128 epochs=6" },
    { "barlow", VIEWS },
    { "vicreg", VIEWS },
    { "dino", VIEWS "local_views=0 projector_out=64 prototypes=128 momentum=0.95 teacher_temperature=0.04 freeze_prototypes=0 epochs=4" },
    { "pixpro", ANY_COLOR "width=16 batch=32 lr=2e-3 target_momentum=0.9 epochs=4" },
    { "pixcontrast", ANY_COLOR "batch=32 epochs=1" },
    { "cpc", "patch_stride=8 hidden=32 context_blocks=2 grayscale_p=1 batch=16 lr=2e-3 epochs=1" },
    { "amdim", ANY_COLOR "batch=64 epochs=1" },
};
#define N_DEMOS ((int)(sizeof demos / sizeof *demos))
#define N_FIRST 3 /* of make demo */

typedef struct row { const char *name; ssl_score before[2], after[2]; double seconds; } row; /* k-NN, linear probe */

static void score(ssl_features *train, ssl_features *test, ssl_score s[2])
{
    ssl_probe_desc probe = SSL_ZERO;
    probe.l2 = 1e-2f; /* few images: keep the 3072 weights per class of the raw pixels small */
    s[0] = ssl_knn(train, test, NULL);
    s[1] = ssl_linear_probe(train, test, &probe);
    ssl_features_free(train);
    ssl_features_free(test);
}

/* One method from random weights to pictures: what its features are worth before and after. */
static int demo(const char *name, const char *changes, const arguments *args, row *q, row *pixels)
{
    static settings s;
    run r;
    ssl_dataset_desc d = SSL_ZERO;
    ssl_dataset *test;
    table t;
    q->name = name;
    if (!settings_init(&s, name, NULL)) return 0;
    t = settings_table(&s);
    if (!table_set_all(&t, shared_changes) || !table_set_all(&t, changes) || !settings_apply(&s, args, &t)) return 0;
    snprintf(s.run.out + strlen(s.run.out), WORD_SIZE - strlen(s.run.out), "/%s", name);
    if (!make_directories(s.run.out)) return 0;
    run_open(&r, &s, 0);
    d.split = "test";
    test = ssl_dataset_open_desc(r.ctx, "synthetic:2000", &d);
    if (ssl_ok(r.ctx) && !pixels->name) {
        pixels->name = "raw pixels";
        score(ssl_features_pixels(r.data), ssl_features_pixels(test), pixels->after);
    }
    if (ssl_ok(r.ctx)) score(run_features(&r, r.data, 0), run_features(&r, test, 0), q->before);
    q->seconds = ssl_seconds();
    run_train(&r);
    q->seconds = ssl_seconds() - q->seconds;
    if (ssl_ok(r.ctx)) score(run_features(&r, r.data, 0), run_features(&r, test, 0), q->after);
    run_pictures(&r);
    return ssl_close(r.ctx) == 0 && !interrupted;
}

static void print_row(const row *q)
{
    const double knn = 100.0 * q->after[0].top1, probe = 100.0 * q->after[1].top1, knn0 = 100.0 * q->before[0].top1, probe0 = 100.0 * q->before[1].top1;
    if (q->seconds > 0.0)
        printf("  %-14s %9.1f%% %9.1f%% %12.1f%% %9.1f%% %9.0f s%s\n", q->name, knn0, knn, probe0, probe, q->seconds, knn < knn0 || probe < probe0 ? "  <- below the untrained network" : "");
    else printf("  %-14s %10s %9.1f%% %13s %9.1f%%\n", q->name, "", knn, "", probe);
}

int main(int argc, char **argv)
{
    static arguments args;
    const char *only;
    int all;
    row rows[N_DEMOS + 1];
    int i;
    memset(rows, 0, sizeof rows);
    if (!arguments_parse(&args, argc, argv)) return 1;
    if (arguments_find(&args, "help")) {
        printf("usage: demo [--all | --method NAME] [--out DIR] [--KEY VALUE]...\n\nTrains apl, mae and simclr (or all methods, or one) on built-in images and prints what their features are worth.\n"
               "DIR/NAME gets pictures and logs. Settings are those of `pretrain --help`.\n");
        return 0;
    }
    only = arguments_find(&args, "method");
    all = arguments_find(&args, "all") != NULL;
    signal(SIGINT, interrupt);
    for (i = 0; i < N_DEMOS; i++)
        if (only ? !strcmp(only, demos[i].name) : all || i < N_FIRST) { if (!demo(demos[i].name, demos[i].changes, &args, &rows[i + 1], &rows[0])) return 1; }
    for (i = 1; i <= N_DEMOS && !rows[i].name;) i++;
    if (i > N_DEMOS) { fprintf(stderr, "error: there is no method \"%s\"; `pretrain --help` lists all\n", only); return 1; }
    printf("\n  accuracy on 2000 test images of 10 classes (chance: 10%%)\n\n"
           "  %-14s %21s %24s\n  %-14s %10s %10s %13s %10s %11s\n", "", "---- k-NN (k = 20) --", "---- linear probe ---", "features", "untrained", "trained", "untrained", "trained", "training");
    for (i = 0; i <= N_DEMOS; i++) if (rows[i].name) print_row(&rows[i]);
    printf("\n  pictures and logs: %s/*/\n", arguments_find(&args, "out") ? arguments_find(&args, "out") : "out");
    return 0;
}
