/* make build/evaluate && build/evaluate --checkpoint out/checkpoint.safetensors --data synthetic --protocol knn
 * What a pre-trained network is worth: neighbours or a classifier on its frozen features, or the whole network fine-tuned. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#define FLAGS "help json freeze" /* options without a value */
#include "tune.h"

enum { KNN, LINEAR, MLP, FINETUNE, SCRATCH };
static const char protocols[] = "knn|linear|mlp|finetune|scratch";
typedef struct evaluate_desc {
    char checkpoint[WORD_SIZE], baseline[WORD_SIZE], recipe[WORD_SIZE], test[WORD_SIZE], freeze[WORD_SIZE];
    int protocol, features; /* features: 0 trained, 1 untrained, 2 pixels */
    int solver;             /* linear: 0 by the recipe, 1 lbfgs, 2 sgd */
    int limit_test, eval_every, repeats;
    float layer_decay, head_init;
    ssl_head_desc head;
    ssl_mix_desc mix;
    ssl_knn_desc knn;
    ssl_probe_desc probe;
} evaluate_desc;
static const field evaluate_fields[] = {
    F(WORD, evaluate_desc, checkpoint, "file written by pretrain; not needed for scratch with --method or --baseline"),
    F(WORD, evaluate_desc, baseline, "scratch: another network, cnn or resnet18"),
    F_OF(evaluate_desc, protocol, protocols, "neighbours; linear or MLP head on the frozen network; head and network trained; the same from random weights"),
    F(WORD, evaluate_desc, recipe, "settings of the training to start from, see below: default, apl, mae, bolts"),
    F(WORD, evaluate_desc, test, "labelled images to test on (split test); -: the same SPEC as data"),
    F(INTEGER, evaluate_desc, limit_test, "a random choice of so many test images; 0: all"),
    F_OF(evaluate_desc, features, "trained|untrained|pixels", "knn, linear, mlp: untrained: the same network as it was before training; pixels: no network at all"),
    F(WORD, evaluate_desc, freeze, "finetune: --freeze alone: the whole network; --freeze=PATTERN: parameters of such names, patch_embed*"),
    F(INTEGER, evaluate_desc, eval_every, "epochs from one test to the next; 0: only after the last"),
    F(INTEGER, evaluate_desc, repeats, "so many times with other seeds (of weights, order and choice of images): mean and deviation"),
    F_OF(evaluate_desc, solver, "recipe|lbfgs|sgd", "linear: L-BFGS to the minimum, or training as the recipe says (lbfgs for the default recipe)"),
    F(NUMBER, evaluate_desc, layer_decay, "finetune: rates fall by this factor from block to block towards the image; 0: all alike"),
    F_AT(NUMBER, evaluate_desc, "mixup", mix.mixup, "alpha of mixup; 0: none"),
    F_AT(NUMBER, evaluate_desc, "cutmix", mix.cutmix, "alpha of cutmix; 0: none"),
    F_AT(NUMBER0, evaluate_desc, "cutmix_p", mix.cutmix_p, "part of cutmix where both are on; default 0.5"),
    F_AT(NUMBER, evaluate_desc, "smoothing", mix.smoothing, "part of every label that is spread over all classes"),
    { "head", CHOICE, offsetof(evaluate_desc, head.kind), "default|linear|norm|mlp|mlp_plain", "norm: batch norm before it (MAE); mlp: batch norm inside (Bolts); mlp_plain: dropout inside (APL)" },
    F_AT(INTEGER, evaluate_desc, "head_hidden", head.hidden, "hidden width of an MLP head; 0: 1024, mlp_plain: 3 times its input"),
    F_AT(NUMBER0, evaluate_desc, "head_dropout", head.dropout, "in the head; default 0, mlp_plain 0.1"),
    F(NUMBER, evaluate_desc, head_init, "deviation of the head's weights; 0: the head's own"),
    F_AT(INTEGER, evaluate_desc, "k", knn.k, "knn: neighbours that vote; 0: 20"),
    F_AT(NUMBER, evaluate_desc, "knn_temperature", knn.temperature, "knn: votes weigh exp(cosine / temperature); 0: 0.07"),
    F_AT(NUMBER0, evaluate_desc, "l2", probe.l2, "lbfgs: l2/2 |W|^2 is added to the loss; default 1e-3"),
    F_AT(NUMBER, evaluate_desc, "tolerance", probe.tolerance, "lbfgs: greatest gradient at the end; 0: 1e-3"),
    F_AT(INTEGER, evaluate_desc, "max_iterations", probe.max_iterations, "lbfgs: 0: 500"),
};
/* Settings of the training: of the whole network, of a head on the frozen one, and those of the network that change (dropout),
   if it has them; what is not there stays as in pre-training. */
static const struct recipe { const char *name, *tune, *probe, *network, *doc; } recipes[] = {
    { "default", "augment=crop kind=adamw lr=1e-3 weight_decay=0.05 clip_norm=1 warmup=0.1 batch=128 epochs=20",
      "augment=none kind=adamw lr=1e-3 weight_decay=1e-4 batch=128 epochs=30", "", "short, for any network" },
    { "apl", "augment=apl scale_min=0.8 kind=adam lr=5e-4 weight_decay=1e-4 schedule=chained warmup=0.1 batch=1024 epochs=30",
      "augment=apl scale_min=0.8 kind=adam lr=5e-4 weight_decay=1e-4 schedule=chained warmup=0.1 batch=1024 epochs=30 solver=sgd", "dropout=0.1",
      "tuner of APL; its patch dropout stays unless set (\"auto\")" },
    { "mae", "augment=mae kind=adamw base_lr=1e-3 min_lr=1e-6 weight_decay=0.05 layer_decay=0.75 warmup=0.05 batch=1024 epochs=100 mixup=0.8 cutmix=1 smoothing=0.1 rand_ops=2 "
      "head_init=2e-5", "augment=mae scale_min=0.08 kind=lars lr=6.4 weight_decay=0 warmup=0.11 batch=1024 epochs=90 head=norm solver=sgd", "drop_path=0.1",
      "He et al. 2022, tables 9 and 10 (there lr 0.1 batch / 256 at batch 16384; fewer steps need no lower rate)" },
    { "bolts", "augment=simclr kind=sgd nesterov=1 lr=0.1 weight_decay=1e-6 batch=128 epochs=100", "augment=simclr kind=sgd nesterov=1 lr=0.1 weight_decay=1e-6 batch=128 epochs=100 solver=sgd",
      "", "SSL fine-tuner of Lightning Bolts; --schedule cosine or step" },
};
#define N_RECIPES ((int)(sizeof recipes / sizeof *recipes))
static const struct recipe *recipe_find(const char *name) /* NULL after a message */
{
    int i;
    for (i = 0; i < N_RECIPES; i++) if (!strcmp(name, recipes[i].name)) return &recipes[i];
    fprintf(stderr, "error: there is no recipe \"%s\": default, apl, mae, bolts\n", name);
    return NULL;
}

static table evaluate_table(evaluate_desc *e, settings *s) /* evaluate's own names first */
{
    static const group own = GROUP("", evaluate_fields);
    table all = settings_table(s), t;
    int i;
    t.n = 0;
    table_add(&t, own, e);
    for (i = 0; i < all.n; i++) table_add(&t, all.groups[i], all.bases[i]);
    return t;
}

static int help(void)
{
    static evaluate_desc e;
    static settings s;
    table t, shared;
    int i;
    if (!settings_init(&s, methods[0].name, NULL)) return 1;
    t = evaluate_table(&e, &s);
    t.n = 1;
    printf("usage: evaluate --checkpoint FILE [--data SPEC] [--protocol %s]\n"
           "                [--labels-per-class N] [--repeats N] [--recipe NAME] [--out DIR] [--json] [--KEY VALUE]...\n\n"
           "Prints accuracy @1 @3 @5 and the mean negative log likelihood of the true class. DIR gets the trained network and its curve.\n"
           "Settings of the network (see pretrain --help) may change if its weights still fit: --patch-dropout 0, --dropout 0.2.\n\n", protocols);
    table_print(&t);
    printf("\nRecipes\n");
    for (i = 0; i < N_RECIPES; i++)
        printf("  --recipe %-8s %s\n    finetune, scratch: %s %s\n    linear, mlp:       %s\n", recipes[i].name, recipes[i].doc, recipes[i].tune, recipes[i].network, recipes[i].probe);
    printf("\nAs in pretrain\n");
    shared = settings_shared(&s);
    table_print(&shared);
    return 0;
}

/* ---- settings: the network's from its checkpoint, the training's from the recipe, then the command line ---- */
static int network_of(settings *s, const arguments *a, int scratch)
{
    const char *checkpoint = arguments_find(a, "checkpoint"), *baseline = arguments_find(a, "baseline"), *name = arguments_find(a, "method");
    if (baseline && (checkpoint || name)) {
        fprintf(stderr, "error: --baseline is a network of its own: leave --%s out\n", checkpoint ? "checkpoint" : "method");
        return 0;
    }
    if (baseline && scratch) {
        if (!settings_init(s, methods[0].name, NULL)) return 0;
        memset(s->desc.bytes, 0, sizeof s->desc.bytes);
        return (s->method = baseline_find(baseline)) != NULL;
    }
    if (checkpoint) return settings_load(s, checkpoint, name, NULL, NULL);
    if (scratch) return settings_init(s, name ? name : methods[0].name, NULL);
    fprintf(stderr, "error: --checkpoint FILE is missing; --help lists all\n");
    return 0;
}
static void training_clear(settings *s) /* keep the network, the data and how they are normalized */
{
    const run_desc run = s->run;
    const ssl_augment_desc a = s->augment;
    const int image_size = s->data.image_size ? s->data.image_size : a.size;
    memset(&s->run, 0, sizeof s->run);
    memset(&s->data, 0, sizeof s->data);
    memset(&s->loader, 0, sizeof s->loader);
    memset(&s->optim, 0, sizeof s->optim);
    memset(&s->augment, 0, sizeof s->augment);
    memcpy(s->run.data, run.data, WORD_SIZE);
    memcpy(s->run.split, "train", sizeof "train");
    s->run.seed = run.seed;
    s->run.precision = run.precision;
    s->data.image_size = image_size;
    normalize_as(&a, &s->augment);
}
static int network_changes(settings *s, const char *text) /* only those that this network knows */
{
    const table own = settings_own(s);
    char key[WORD_SIZE], value[WORD_SIZE];
    int n, at;
    for (; sscanf(text, " %255[^= ]=%255[^ ]%n", key, value, &n) == 2; text += n) if (table_find(&own, key, &at) && !table_set(&own, key, value)) return 0;
    return 1;
}
/* Where settings count; named elsewhere they would be passed over in silence. */
enum { IN_KNN = 1, IN_LBFGS = 2, IN_SGD = 4, IN_MLP = 8, IN_FINETUNE = 16, IN_SCRATCH = 32, IN_TRAINING = IN_SGD | IN_MLP | IN_FINETUNE | IN_SCRATCH };
static const struct { const char *keys; int modes; const char *where; } uses[] = {
    { "k knn_temperature", IN_KNN, "with --protocol knn" },
    { "l2 tolerance max_iterations", IN_LBFGS, "with --protocol linear --solver lbfgs" },
    { "solver", IN_LBFGS | IN_SGD, "with --protocol linear" },
    { "features", IN_KNN | IN_LBFGS | IN_SGD | IN_MLP, "with --protocol knn, linear and mlp" },
    { "freeze layer_decay", IN_FINETUNE | IN_SCRATCH, "with --protocol finetune" },
    { "baseline", IN_SCRATCH, "with --protocol scratch" },
    { "recipe", IN_LBFGS | IN_TRAINING, "with a protocol that trains a classifier" },
    { "head head_hidden head_dropout head_init mixup cutmix cutmix_p smoothing eval_every out lr base_lr min_lr warmup schedule augment batch epochs no_shuffle keep_last "
      "loader_threads prefetch loader_seed optim. augment.", IN_TRAINING, "where a classifier is trained step by step (finetune, scratch, mlp, linear with --solver sgd)" },
    { "preset second_augment second_blur_p second_solarize_p local_views local_size local_scale_min local_scale_max local_blur_p log_every save_every stop_after psnr_images "
      "hold_out online_eval tensorboard", 0, "in pretrain" },
};
static const char normalization[] = "size no_normalize mean_r mean_g mean_b std_r std_g std_b"; /* of augment.: of every image there is */
static int word_in(const char *words, const char *word)
{
    const size_t n = strlen(word);
    const char *p;
    for (p = words; n && *p; p += strcspn(p, " "), p += *p == ' ') if (!strncmp(p, word, n) && (p[n] == ' ' || !p[n])) return 1;
    return 0;
}
static int arguments_count(const evaluate_desc *e, const arguments *a, const table *t) /* 1, or 0 after a message */
{
    static const int modes[] = { IN_KNN, IN_LBFGS, IN_MLP, IN_FINETUNE, IN_SCRATCH };
    const int mode = e->protocol == LINEAR && e->solver == 2 ? IN_SGD : modes[e->protocol];
    char option[WORD_SIZE + 2];
    size_t k;
    int i, at = 0;
    for (i = 0; i < a->n; i++) {
        const field *f = table_find(t, a->key[i], &at);
        const char *key = f ? f->key : a->key[i], *group = f ? t->groups[at].name : "";
        if (!strcmp(group, "augment.") && word_in(normalization, key)) continue;
        for (k = 0; k < sizeof uses / sizeof *uses; k++) {
            if ((uses[k].modes & mode) || !word_in(uses[k].keys, *group ? group : key)) continue;
            fprintf(stderr, "error: %s counts only %s\n", option_of(a->key[i], option), uses[k].where);
            return 0;
        }
    }
    return 1;
}
static int arguments_apply_here(settings *s, const arguments *a, const table *t) /* all but those of network_of */
{
    int i, ok = 1;
    for (i = 0; i < a->n && ok; i++) if (!is_flag(a->key[i]) && strcmp(a->key[i], "method")) ok = table_set(t, a->key[i], a->value[i]);
    if (arguments_find(a, "lr") && !arguments_find(a, "base_lr")) s->run.base_lr = 0.0f;
    return ok;
}
static int augmentation_of(settings *s) /* the named recipe; normalization stays if there is one */
{
    const ssl_augment_desc a = s->augment;
    if (!recipe_of(s->run.augment, &s->augment)) return 0;
    if (a.std_dev[0] == 0.0f && !a.no_normalize) s->augment.size = a.size;
    else normalize_as(&a, &s->augment);
    return 1;
}
static int evaluate_settings(evaluate_desc *e, settings *s, const arguments *a)
{
    const char *name = arguments_find(a, "recipe"), *protocol = arguments_find(a, "protocol"), *freeze = arguments_find(a, "freeze"), *changes;
    static const limit limits[] = {
        { "epochs", 1, 1e6, "at most a million" }, { "repeats", 1, 1e6, "1 to a million" }, { "eval_every", 0, MOST, "at least 1, or 0 for never" },
        { "limit_test", 0, MOST, "at least 1, or 0 for all" }, { "k", 0, MOST, "at least 1, or 0 for 20" }, { "knn_temperature", 0, 1e6, "above 0, or 0 for 0.07" },
        { "layer_decay", 0, 1, "from 0 to 1" }, { "head_init", 0, 1e6, "0 or more" },
    };
    const struct recipe *recipe = recipe_find(name ? name : "default");
    table t;
    if (!recipe || !network_of(s, a, protocol && !strcmp(protocol, "scratch"))) return 0;
    training_clear(s);
    t = evaluate_table(e, s);
    e->repeats = 1;
    if (!table_set(&t, "protocol", protocol ? protocol : "knn")) return 0;
    changes = e->protocol >= FINETUNE ? recipe->tune : recipe->probe;
    if (e->protocol == MLP && !table_set(&t, "head", "mlp")) return 0;
    if (!table_set_all(&t, changes) || !arguments_apply_here(s, a, &t) || !arguments_count(e, a, &t) || !augmentation_of(s)) return 0;
    if (!table_set_all(&t, changes) || (e->protocol >= FINETUNE && !network_changes(s, recipe->network)) || !arguments_apply_here(s, a, &t)) return 0; /* on top of the recipe of augmentation */
    if (!table_check(&t, LIMITS(training_limits)) || !table_check(&t, LIMITS(limits))) return 0;
    memcpy(e->recipe, recipe->name, strlen(recipe->name) + 1);
    if (freeze) snprintf(e->freeze, WORD_SIZE, "%s", strcmp(freeze, "1") ? freeze : "*");
    if (e->protocol == LINEAR || e->protocol == MLP) memcpy(e->freeze, "*", 2);
    if (!*e->test) memcpy(e->test, s->run.data, WORD_SIZE);
    if (e->head_init > 0.0f) e->head.init = ssl_init_make(SSL_INIT_TRUNC_NORMAL, e->head_init);
    return 1;
}

/* ---- one evaluation ---- */
typedef struct outcome { ssl_score score; uint64_t seed; int n_train, n_test, n_points; curve_point *point; } outcome;
static int is_plain(const ssl_augment_desc *a) /* every epoch sees the same pixels */
{
    return a->crop <= SSL_CROP_CENTER && a->hflip == 0.0f && a->vflip == 0.0f && a->jitter_p == 0.0f && a->brightness == 0.0f && a->contrast == 0.0f && a->saturation == 0.0f &&
           a->hue == 0.0f && a->grayscale_p == 0.0f && a->blur_p == 0.0f && a->solarize_p == 0.0f && a->rand_ops == 0;
}
static void train_classifier(run *r, const evaluate_desc *e, ssl_dataset *test, const ssl_features *a, const ssl_features *b, outcome *o)
{
    char path[2 * WORD_SIZE], name[64];
    tuner t = SSL_ZERO;
    ssl_csv *csv;
    int i;
    tuner_open(&t, r, a, &e->head, e->freeze);
    t.mix = e->mix;
    if (ssl_ok(r->ctx) && e->layer_decay > 0.0f && !t.frozen) ssl_layer_decay(r->ctx, NULL, e->layer_decay);
    o->point = (curve_point *)calloc((size_t)r->s.loader.epochs + 1, sizeof *o->point);
    if (o->point) o->n_points = tuner_train(r, &t, test, a, b, e->eval_every, o->point);
    if (o->n_points) o->score = o->point[o->n_points - 1].score;
    if (!*r->s.run.out || !o->n_points) return;
    snprintf(name, sizeof name, "tuned-%llu.safetensors", (unsigned long long)o->seed);
    ssl_save(r->ctx, run_path(r, name, path));
    snprintf(name, sizeof name, "tuned-%llu.csv", (unsigned long long)o->seed);
    csv = ssl_csv_open(r->ctx, run_path(r, name, path), "epoch,loss,top1,top3,top5,nll", -1);
    for (i = 0; i < o->n_points; i++) {
        const curve_point *p = &o->point[i];
        const double row[6] = { (double)p->epoch, p->loss, p->score.top1, p->score.top3, p->score.top5, p->score.nll };
        ssl_csv_row(csv, 6, row);
    }
    ssl_csv_close(csv);
}
static int evaluate(const evaluate_desc *e, const settings *s, int repeat, outcome *o)
{
    const int trained = e->protocol == FINETUNE || (e->protocol != SCRATCH && e->features == 0), solve = e->protocol == LINEAR && e->solver != 2;
    settings q = *s;
    ssl_dataset_desc spec = SSL_ZERO;
    ssl_dataset *test;
    ssl_features *a = NULL, *b = NULL;
    run r;
    q.run.seed += (uint64_t)repeat;
    q.data.seed += (uint64_t)repeat;
    run_open(&r, &q, 0);
    if (trained) run_load(&r, e->checkpoint, 1); /* else the seed gives the untrained weights again */
    spec.split = "test";
    spec.image_size = q.data.image_size;
    spec.limit_images = e->limit_test;
    test = ssl_dataset_open_desc(r.ctx, e->test, &spec);
    if (ssl_ok(r.ctx) && (r.data->n_classes < 2 || r.data->n_classes != test->n_classes)) ssl_raise(r.ctx, SSL_E_ARG, "--data and --test must be labelled with the same classes, at least 2");
    o->seed = q.run.seed;
    o->n_train = r.data->n;
    o->n_test = test->n;
    if (e->protocol == KNN || solve || (e->features == 2 && e->protocol == MLP) || (!strcmp(e->freeze, "*") && is_plain(&q.augment) && e->mix.mixup == 0.0f && e->mix.cutmix == 0.0f)) {
        a = e->features == 2 ? ssl_features_pixels(r.data) : run_features(&r, r.data, 0); /* computed once */
        b = e->features == 2 ? ssl_features_pixels(test) : run_features(&r, test, 0);
    }
    if (e->protocol == KNN) o->score = ssl_knn(a, b, &e->knn);
    else if (solve) o->score = ssl_linear_probe(a, b, &e->probe);
    else if (ssl_ok(r.ctx)) train_classifier(&r, e, test, a, b, o);
    ssl_features_free(a);
    ssl_features_free(b);
    return ssl_close(r.ctx) == 0 && !interrupted;
}

/* ---- results: mean and deviation over the repeats ---- */
static double figure(const ssl_score *s, int which) { return which == 0 ? s->top1 : which == 1 ? s->top3 : which == 2 ? s->top5 : s->nll; }
static double mean_of(const outcome *o, int n, int which, double *deviation)
{
    double mean = 0.0, squares = 0.0;
    int i;
    for (i = 0; i < n; i++) mean += figure(&o[i].score, which) / n;
    for (i = 0; i < n; i++) squares += (figure(&o[i].score, which) - mean) * (figure(&o[i].score, which) - mean);
    *deviation = n > 1 ? sqrt(squares / (n - 1)) : 0.0;
    return mean;
}
static const char *const feature_names[] = { "trained", "untrained", "pixels" }, *const figure_names[] = { "top1", "top3", "top5", "nll" };
static const char *network_name(const evaluate_desc *e) { return e->protocol == SCRATCH ? (*e->baseline ? e->baseline : "untrained") : e->protocol == FINETUNE ? "trained" : feature_names[e->features]; }
static const char *protocol_name(const evaluate_desc *e, char buf[WORD_SIZE])
{
    static const field f = F_OF(evaluate_desc, protocol, protocols, "");
    return field_text(&f, e, buf);
}
static void print_text(const evaluate_desc *e, const settings *s, const outcome *o)
{
    char buf[WORD_SIZE];
    double d;
    int i;
    for (i = 0; i + 1 < o->n_points; i++)
        printf("  epoch %3d  loss %.4f  @1 %.2f%%  @3 %.2f%%  @5 %.2f%%  nll %.4f\n", o->point[i].epoch, o->point[i].loss, 100.0 * o->point[i].score.top1, 100.0 * o->point[i].score.top3,
               100.0 * o->point[i].score.top5, o->point[i].score.nll);
    printf("%s, %s, %s on %s (%d images), tested on %s (%d):", s->method->name, network_name(e), protocol_name(e, buf), s->run.data, o->n_train, e->test, o->n_test);
    for (i = 0; i < 4; i++) {
        const double m = mean_of(o, e->repeats, i, &d);
        if (i == 3) printf("  nll %.4f", m);
        else printf("  @%d %.2f%%", 1 + 2 * i, 100.0 * m);
        if (e->repeats > 1) printf(i == 3 ? " +- %.4f" : " +- %.2f", i == 3 ? d : 100.0 * d);
    }
    if (e->repeats > 1) printf("  (%d seeds)", e->repeats);
    if (o->score.iterations) printf("  (%d iterations%s)", o->score.iterations, o->score.converged ? "" : ", not converged");
    printf("\n");
}
static void json_score(ssl_json *j, const ssl_score *s)
{
    int i;
    for (i = 0; i < 4; i++) ssl_json_number(j, figure_names[i], figure(s, i));
}
static int print_json(const evaluate_desc *e, const settings *s, const outcome *o)
{
    ssl_json j = SSL_ZERO;
    char buf[WORD_SIZE];
    double d;
    int i, k;
    j.ctx = run_context(&s->run);
    ssl_json_begin(&j, NULL, '{');
    ssl_json_string(&j, "checkpoint", e->checkpoint);
    ssl_json_string(&j, "method", s->method->name);
    ssl_json_string(&j, "data", s->run.data);
    ssl_json_string(&j, "test", e->test);
    ssl_json_string(&j, "features", network_name(e));
    ssl_json_string(&j, "protocol", protocol_name(e, buf));
    ssl_json_string(&j, "recipe", e->recipe);
    ssl_json_number(&j, "labels_per_class", s->data.labels_per_class);
    ssl_json_number(&j, "train_images", o->n_train);
    ssl_json_number(&j, "test_images", o->n_test);
    ssl_json_number(&j, "repeats", e->repeats);
    for (i = 0; i < 4; i++) {
        ssl_json_number(&j, figure_names[i], mean_of(o, e->repeats, i, &d));
        snprintf(buf, sizeof buf, "%s_deviation", figure_names[i]);
        ssl_json_number(&j, buf, d);
    }
    if (o->score.iterations) { ssl_json_number(&j, "iterations", o->score.iterations); ssl_json_number(&j, "converged", o->score.converged); }
    ssl_json_begin(&j, "runs", '[');
    for (i = 0; i < e->repeats; i++) {
        ssl_json_begin(&j, NULL, '{');
        ssl_json_number(&j, "seed", (double)o[i].seed);
        json_score(&j, &o[i].score);
        ssl_json_begin(&j, "curve", '[');
        for (k = 0; k < o[i].n_points; k++) {
            ssl_json_begin(&j, NULL, '{');
            ssl_json_number(&j, "epoch", o[i].point[k].epoch);
            ssl_json_number(&j, "loss", o[i].point[k].loss);
            json_score(&j, &o[i].point[k].score);
            ssl_json_end(&j);
        }
        ssl_json_end(&j);
        ssl_json_end(&j);
    }
    ssl_json_end(&j);
    ssl_json_end(&j);
    if (ssl_ok(j.ctx)) fputs(j.text, stdout);
    ssl_json_free(&j);
    return ssl_close(j.ctx) == 0;
}

int main(int argc, char **argv)
{
    static arguments args;
    static evaluate_desc e;
    static settings s;
    outcome *o;
    int i, ok = 1;
    if (!arguments_parse(&args, argc, argv)) return 1;
    if (arguments_find(&args, "help")) return help();
    if (!evaluate_settings(&e, &s, &args) || (*s.run.out && !make_directories(s.run.out))) return 1;
    signal(SIGINT, interrupt);
    o = (outcome *)calloc((size_t)e.repeats, sizeof *o);
    if (!o) return 1;
    for (i = 0; i < e.repeats && ok; i++) ok = evaluate(&e, &s, i, &o[i]);
    if (ok) ok = arguments_find(&args, "json") ? print_json(&e, &s, o) : (print_text(&e, &s, o), 1);
    if (ok && (fflush(stdout) || ferror(stdout))) { fprintf(stderr, "error: the result could not be written: %s\n", strerror(errno)); ok = 0; }
    for (i = 0; i < e.repeats; i++) free(o[i].point);
    free(o);
    return !ok;
}
