/* run.h: one pre-training run from settings to checkpoint, log and pictures; pretrain, evaluate and demo are thin over it. */
#ifndef RUN_H
#define RUN_H
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include "events.h"
#include "look.h"

/* ---- settings ---- */
#define AUGMENTATIONS "none, eval, crop, mae, apl, simclr, byol, byol-second, vicreg, pixpro, amdim, amdim-large"
typedef struct run_desc {
    int local_views, local_size;
    float local_scale_min, local_scale_max, local_blur_p, second_blur_p, second_solarize_p;
    char method[WORD_SIZE], preset[WORD_SIZE], data[WORD_SIZE], split[WORD_SIZE], out[WORD_SIZE], augment[WORD_SIZE], second_augment[WORD_SIZE];
    float lr, base_lr, min_lr, warmup;
    int schedule; /* 0 cosine, 1 chained, 2 constant, 3 step */
    int log_every, save_every, stop_after, psnr_images, online_eval, tensorboard;
    float hold_out;
    int threads, device, precision;
    uint64_t seed;
} run_desc;
static const field run_fields[] = {
    F(WORD, run_desc, method, "what to learn: see below"),
    F(WORD, run_desc, preset, "named recipe of a method and its settings, on top of which go the others: see below"),
    F(WORD, run_desc, data, "synthetic[:N] cifar10:DIR cifar100:DIR stl10:DIR idx:DIR folder:DIR tiny-imagenet:DIR"),
    F(WORD, run_desc, split, "train, test, val or unlabeled"),
    F(WORD, run_desc, out, "directory for log.csv, config.json, checkpoint.safetensors and pictures"),
    F(WORD, run_desc, augment, "recipe that the fields of augment start from: " AUGMENTATIONS),
    F(WORD, run_desc, second_augment, "recipe of the second of two views; -: that of the first"),
    F(NUMBER, run_desc, lr, "highest learning rate"),
    F(NUMBER, run_desc, base_lr, "learning rate of 256 images: lr = base_lr batch / 256; 0: lr counts"),
    F(NUMBER, run_desc, min_lr, "learning rate at the end (cosine)"),
    F(NUMBER, run_desc, warmup, "part of the epochs during which the rate rises"),
    F_OF(run_desc, schedule, "cosine|chained|constant|step", "course of the learning rate; chained: that of APL; step: a tenth from 60% of the epochs on, a hundredth from 80%"),
    F(INTEGER, run_desc, local_views, "views beside the method's own that show small parts: dino"),
    F(INTEGER, run_desc, local_size, "their side in pixels; vit: a multiple of patch"),
    F(NUMBER, run_desc, local_scale_min, "smallest part of the area in them"),
    F(NUMBER, run_desc, local_scale_max, "largest part of the area in them"),
    F(NUMBER, run_desc, local_blur_p, "probability of blur in them; -1: that of the others"),
    F(NUMBER, run_desc, second_blur_p, "probability of blur in the second view; -1: that of the first"),
    F(NUMBER, run_desc, second_solarize_p, "probability of solarizing in the second view; -1: that of the first"),
    F(INTEGER, run_desc, log_every, "steps from one row of log.csv to the next"),
    F(INTEGER, run_desc, tensorboard, "1: the columns of log.csv for TensorBoard, too, as DIR/events.out.tfevents.*"),
    F(INTEGER, run_desc, save_every, "epochs from one checkpoint to the next"),
    F(INTEGER, run_desc, stop_after, "steps after which to save and stop, to be resumed; 0: never"),
    F(INTEGER, run_desc, online_eval, "1: a linear classifier learns beside from the features and labels, its accuracy is logged; more: an MLP so wide; 0: none"),
    F(INTEGER, run_desc, psnr_images, "mae, mae-mask-token: images of training and of validation whose PSNR is logged each epoch; 0: all"),
    F(NUMBER, run_desc, hold_out, "the same: part of the images kept for validation if the data have no test or val split"),
    F(INTEGER, run_desc, threads, "threads; 0: all cores"),
    F_OF(run_desc, device, "default|cpu|cuda", "where to compute"),
    F_OF(run_desc, precision, "default|highest|high|bf16", "of matrix products; default: highest"),
    F(SEED, run_desc, seed, "of everything random"),
};
static const field data_fields[] = {
    F(INTEGER, ssl_dataset_desc, image_size, "side in pixels; 0: as stored"),
    F(INTEGER, ssl_dataset_desc, limit_images, "a random choice of so many images; 0: all"),
    F(INTEGER, ssl_dataset_desc, labels_per_class, "a random choice of so many images per class; 0: all"),
    F_AT(SEED, ssl_dataset_desc, "choice_seed", seed, "of the two choices"),
};
static const field loader_fields[] = {
    F(INTEGER, ssl_loader_desc, batch, "images per step"),
    F(INTEGER, ssl_loader_desc, epochs, "passes over the data"),
    F(INTEGER, ssl_loader_desc, no_shuffle, "1: keep the order of the set"),
    F(INTEGER, ssl_loader_desc, keep_last, "1: use the last, smaller batch of an epoch too"),
    F_AT(INTEGER, ssl_loader_desc, "loader_threads", threads, "background threads; 0: by the number of cores"),
    F(INTEGER, ssl_loader_desc, prefetch, "batches made ahead; 0: 4"),
    F_AT(SEED, ssl_loader_desc, "loader_seed", seed, "of order and augmentation; 0: the run's"),
};
static const field optim_fields[] = {
    F_OF(ssl_optim_desc, kind, "default|adamw|adam|sgd|lars", "the optimizer"),
    F(NUMBER0, ssl_optim_desc, beta1, "decay of the first moment"),
    F(NUMBER0, ssl_optim_desc, beta2, "decay of the second moment"),
    F(NUMBER0, ssl_optim_desc, eps, "keeps the division finite"),
    F(NUMBER0, ssl_optim_desc, weight_decay, "on matrices; norms, biases, positions and tokens are left out"),
    F(NUMBER0, ssl_optim_desc, momentum, "sgd, lars"),
    F(NUMBER0, ssl_optim_desc, trust_coefficient, "lars"),
    F(NUMBER, ssl_optim_desc, clip_norm, "greatest norm of the gradient; 0: any"),
    F(NUMBER, ssl_optim_desc, dampening, "sgd: part of the gradient that does not enter its mean"),
    F(INTEGER, ssl_optim_desc, nesterov, "sgd: 1 looks ahead"),
    F(INTEGER, ssl_optim_desc, decay_1d, "1: decay parameters with one axis too"),
};
static const field augment_fields[] = {
    F_OF(ssl_augment_desc, crop, "default|whole|center|padded|resized", "part of the image that is shown"),
    F(INTEGER, ssl_augment_desc, size, "side of the result in pixels; 0: as the data"),
    F(INTEGER, ssl_augment_desc, pad, "padded: largest shift"),
    F(INTEGER, ssl_augment_desc, pad_black, "padded: 1 black beyond the edge, 0 mirrored"),
    F(NUMBER, ssl_augment_desc, crop_ratio, "center: part of the short side"),
    F(NUMBER, ssl_augment_desc, crop_p, "padded, resized: probability, else the whole image"),
    F_AT(NUMBER, ssl_augment_desc, "scale_min", scale[0], "resized: smallest part of the area"),
    F_AT(NUMBER, ssl_augment_desc, "scale_max", scale[1], "resized: largest part of the area"),
    F_AT(NUMBER, ssl_augment_desc, "ratio_min", ratio[0], "resized: least width / height"),
    F_AT(NUMBER, ssl_augment_desc, "ratio_max", ratio[1], "resized: greatest width / height"),
    F(INTEGER, ssl_augment_desc, no_antialias, "1: plain bilinear when shrinking"),
    F(NUMBER, ssl_augment_desc, hflip, "probability of mirroring left and right"),
    F(NUMBER, ssl_augment_desc, vflip, "probability of mirroring top and bottom"),
    F(INTEGER, ssl_augment_desc, shared_flip, "1: all views of an image are mirrored alike"),
    F(NUMBER, ssl_augment_desc, jitter_p, "probability of the next four; 0: 1 if one of them is set"),
    F(NUMBER, ssl_augment_desc, brightness, "factor 1 - x .. 1 + x"),
    F(NUMBER, ssl_augment_desc, contrast, "factor 1 - x .. 1 + x"),
    F(NUMBER, ssl_augment_desc, saturation, "factor 1 - x .. 1 + x"),
    F(NUMBER, ssl_augment_desc, hue, "shift -x .. x turns, at most 0.5"),
    F(NUMBER, ssl_augment_desc, grayscale_p, "probability of gray"),
    F(NUMBER, ssl_augment_desc, blur_p, "probability of blur"),
    F(INTEGER, ssl_augment_desc, blur_kernel, "odd pixels; 0: a tenth of the side, at least 3"),
    F_AT(NUMBER, ssl_augment_desc, "sigma_min", blur_sigma[0], "least blur in pixels"),
    F_AT(NUMBER, ssl_augment_desc, "sigma_max", blur_sigma[1], "greatest blur in pixels"),
    F(NUMBER, ssl_augment_desc, solarize_p, "probability of solarizing"),
    F(NUMBER, ssl_augment_desc, solarize_threshold, "values from here on are inverted"),
    F(INTEGER, ssl_augment_desc, rand_ops, "RandAugment: so many of 15 operations, each with probability 0.5; 0: none"),
    F(NUMBER0, ssl_augment_desc, rand_strength, "RandAugment: 0 to 10"),
    F(NUMBER0, ssl_augment_desc, rand_deviation, "RandAugment: deviation of the strength"),
    F(INTEGER, ssl_augment_desc, no_normalize, "1: leave values in 0..1"),
    F_AT(NUMBER, ssl_augment_desc, "mean_r", mean[0], "normalization; all six 0: mean and deviation of the data"),
    F_AT(NUMBER, ssl_augment_desc, "mean_g", mean[1], ""),
    F_AT(NUMBER, ssl_augment_desc, "mean_b", mean[2], ""),
    F_AT(NUMBER, ssl_augment_desc, "std_r", std_dev[0], ""),
    F_AT(NUMBER, ssl_augment_desc, "std_g", std_dev[1], ""),
    F_AT(NUMBER, ssl_augment_desc, "std_b", std_dev[2], ""),
};

typedef struct settings {
    const struct method *method;
    run_desc run;
    ssl_dataset_desc data;
    ssl_loader_desc loader;
    ssl_optim_desc optim;
    ssl_augment_desc augment;
    union { double align; unsigned char bytes[1024]; } desc; /* the method's */
} settings;
static table settings_shared(settings *s) /* the groups that every method has */
{
    static const group run = GROUP("", run_fields), data = GROUP("", data_fields), loader = GROUP("", loader_fields),
                       optim = GROUP("optim.", optim_fields), augment = GROUP("augment.", augment_fields);
    table t;
    t.n = 0;
    table_add(&t, run, &s->run);
    table_add(&t, data, &s->data);
    table_add(&t, loader, &s->loader);
    table_add(&t, optim, &s->optim);
    table_add(&t, augment, &s->augment);
    return t;
}
static table settings_own(settings *s) /* those of the method */
{
    table t;
    t.n = 0;
    table_add(&t, s->method->settings, s->desc.bytes);
    return t;
}
static table settings_table(settings *s) /* all; a short name means the method's own first */
{
    table t = settings_own(s), shared = settings_shared(s);
    int i;
    for (i = 0; i < shared.n; i++) table_add(&t, shared.groups[i], shared.bases[i]);
    return t;
}
static const method *method_find(const char *name) /* NULL after a message */
{
    const char *near = NULL;
    int i, least = 4;
    for (i = 0; i < N_METHODS; i++) {
        const int d = edit_distance(name, methods[i].name);
        if (!d) return &methods[i];
        if (d < least) { near = methods[i].name; least = d; }
    }
    fprintf(stderr, "error: there is no method \"%s\"%s%s%s; --help lists all\n", name, near ? ": did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return NULL;
}
static int recipe_of(const char *name, ssl_augment_desc *a) /* 1, or 0 after a message */
{
    if (ssl_augment_preset(name, a)) return 1;
    fprintf(stderr, "error: there is no augmentation recipe \"%s\": " AUGMENTATIONS "\n", name);
    return 0;
}
/* The normalization and size of a, which the network knows, in place of those of *b. */
static void normalize_as(const ssl_augment_desc *a, ssl_augment_desc *b)
{
    b->size = a->size;
    b->no_normalize = a->no_normalize;
    memcpy(b->mean, a->mean, sizeof a->mean);
    memcpy(b->std_dev, a->std_dev, sizeof a->std_dev);
}
/* The defaults of a method, or of a preset by its name, and its recipe of augmentation or the named one. 1, or 0 after a message. */
static int settings_init(settings *s, const char *name, const char *augment)
{
    const preset *p = preset_find(name);
    const char *own = p ? p->settings : "";
    table t;
    memset(s, 0, sizeof *s);
    if (!(s->method = method_find(p ? p->method : name))) return 0;
    t = settings_table(s);
    if (!table_set_all(&t, all_defaults) || !table_set_all(&t, s->method->defaults) || !table_set_all(&t, own)) return 0;
    if (!table_set(&t, "method", s->method->name) || !table_set(&t, "preset", p ? p->name : "")) return 0;
    if (augment && !table_set(&t, "augment", augment)) return 0;
    if (augment) s->run.second_blur_p = s->run.second_solarize_p = s->run.local_blur_p = -1.0f; /* those of the method's own recipe */
    return recipe_of(s->run.augment, &s->augment) && (augment || (table_set_all(&t, s->method->defaults) && table_set_all(&t, own))); /* the recipe first, then what the defaults change in it */
}
/* What no run and no training can do with: told before anything is made or written. */
#define MOST 2147483647.0
static const limit training_limits[] = {
    { "batch", 1, 1e9, "from 1 to a billion" }, { "epochs", 1, MOST, "at least 1" }, { "warmup", 0, 0.999, "a part of the epochs, from 0 to below 1" },
    { "optim.beta1", -1, 0.9999999, "from 0 to below 1" }, { "optim.beta2", -1, 0.9999999, "from 0 to below 1" }, { "optim.momentum", -1, 0.9999999, "from 0 to below 1" },
    { "optim.clip_norm", 0, 1e30, "above 0, or 0 for none" }, /* -1: a real 0 */
    { "lr", 0, 1e30, "0 or more, and at most 1e30" }, { "base_lr", 0, 1e30, "0 or more, and at most 1e30" }, { "min_lr", 0, 1e30, "0 or more, and at most 1e30" },
};
static const limit run_limits[] = {
    { "log_every", 1, MOST, "at least 1" }, { "save_every", 1, MOST, "at least 1" }, { "stop_after", 0, MOST, "at least 1, or 0 for never" },
    { "psnr_images", 0, MOST, "at least 1, or 0 for all" }, { "online_eval", 0, 65536, "0, 1, or the width of an MLP" }, { "hold_out", 1e-6, 0.999999, "a part of the images, between 0 and 1" },
};
#define LIMITS(list) list, (int)(sizeof list / sizeof *list)
/* The command line on top; a rate that it names counts, not the base_lr of a preset or recipe. 1, or 0 after a message. */
static int settings_apply(settings *s, const arguments *a, const table *t)
{
    if (!arguments_apply(a, t)) return 0;
    if (arguments_find(a, "lr") && !arguments_find(a, "base_lr")) s->run.base_lr = 0.0f;
    return table_check(t, LIMITS(training_limits)) && table_check(t, LIMITS(run_limits));
}
/* Every default of the library filled in: what a run used, to be printed and saved. */
static settings settings_resolved(const settings *s)
{
    settings r = *s;
    s->method->resolve(s->desc.bytes, r.desc.bytes);
    ssl_optim_desc_resolve(&s->optim, &r.optim);
    return r;
}

static inline int make_directories(const char *path) /* like mkdir -p; 1, or 0 after a message */
{
    char part[WORD_SIZE];
    struct stat st;
    size_t i;
    if (!*path) { fprintf(stderr, "error: --out is empty: name a directory\n"); return 0; }
    for (i = 1; i <= strlen(path); i++)
        if (path[i] == '/' || !path[i]) {
            snprintf(part, sizeof part, "%.*s", (int)i, path);
            if (!mkdir(part, 0777) || (errno == EEXIST && !stat(part, &st) && S_ISDIR(st.st_mode))) continue;
            fprintf(stderr, "error: cannot make the directory \"%s\": %s\n", part, errno == EEXIST ? "a file has that name" : strerror(errno));
            return 0;
        }
    return 1;
}

/* ---- a run ---- */
typedef struct run {
    settings s;
    ssl_ctx *ctx;
    ssl_dataset *data;
    void *model;
    int64_t step, steps, total; /* done, of an epoch, of the run */
    ssl_dataset *validation, held; /* methods that paint, or with online_eval: a split of its own, or `held`, the images kept out of training */
    ssl_online_eval online;        /* a classifier of its own context, with online_eval */
    double online_acc[2];          /* its accuracy: since the last row of the log; on validation after the last epoch */
    double psnr[2], best;          /* of training and validation at the end of the last epoch; the best of validation */
} run;
static const char *run_path(const run *r, const char *name, char buf[2 * WORD_SIZE])
{
    snprintf(buf, 2 * WORD_SIZE, "%s/%s", r->s.run.out, name);
    return buf;
}

static void print_error(ssl_status code, const char *message, void *user) /* without the line of this program that stands before it */
{
    const char *text = strstr(message, "error: ");
    (void)code; (void)user;
    fprintf(stderr, "%s\n", text ? text : message);
}
static ssl_ctx *run_context(const run_desc *d)
{
    ssl_desc c = SSL_ZERO;
    c.on_error = print_error;
    c.threads = d->threads;
    c.seed = d->seed;
    c.device = (ssl_device)d->device;
    c.precision = (ssl_precision)d->precision;
    return ssl_open(&c);
}
/* Data and an untrained network (step: what a checkpoint to be loaded has done). Normalization is that of the data unless the
   settings name one. Then ssl_ok(r->ctx) tells whether it worked. */
static void run_open(run *r, const settings *s, int64_t step)
{
    int k;
    memset(r, 0, sizeof *r);
    r->s = *s;
    r->step = step;
    r->ctx = run_context(&s->run);
    r->s.data.split = r->s.run.split;
    r->data = ssl_dataset_open_desc(r->ctx, s->run.data, &r->s.data);
    if (!ssl_ok(r->ctx)) return;
    if (s->augment.std_dev[0] == 0.0f)
        for (k = 0; k < 3; k++) { r->s.augment.mean[k] = r->data->mean[k]; r->s.augment.std_dev[k] = r->data->std_dev[k]; }
    if (!ssl_augment_resolve(r->ctx, &r->s.augment, r->data->c, r->data->h, r->data->w, &r->s.augment)) return;
    r->model = s->method->create(r->ctx, r->s.desc.bytes, r->s.augment.size ? r->s.augment.size : r->data->h, r->data->c);
}

typedef struct notes { ssl_ctx *ctx; ssl_json json; } notes;
static void note_field(void *user, const char *name, const field *f, const char *text)
{
    notes *n = (notes *)user;
    char key[WORD_SIZE + 8];
    snprintf(key, sizeof key, "set.%s", name);
    ssl_note_put(n->ctx, key, "%s", text);
    if (f->kind == WORD || f->kind == CHOICE) ssl_json_string(&n->json, name, text);
    else ssl_json_number(&n->json, name, strtod(text, NULL));
}
static void run_save_config(run *r) /* DIR/config.json, and the same as notes of the checkpoint */
{
    settings s = settings_resolved(&r->s);
    const table t = settings_table(&s);
    char path[2 * WORD_SIZE];
    notes n;
    memset(&n, 0, sizeof n);
    n.ctx = n.json.ctx = r->ctx;
    ssl_json_begin(&n.json, NULL, '{');
    table_each(&t, note_field, &n);
    ssl_json_end(&n.json);
    ssl_json_save(&n.json, run_path(r, "config.json", path));
    ssl_json_free(&n.json);
}
static void run_save(run *r, const char *name)
{
    char path[2 * WORD_SIZE];
    ssl_note_put(r->ctx, "step", "%lld", (long long)r->step);
    ssl_save(r->ctx, run_path(r, name, path));
    if (r->online.ctx && !strcmp(name, "checkpoint.safetensors")) ssl_save(r->online.ctx, run_path(r, "online_eval.safetensors", path));
}
/* "x.net.layer1.0.conv1.weight" begins with "x.net." and goes on with a module of a torchvision ResNet or a timm ViT */
static int is_backbone(const char *name, const char *prefix)
{
    static const char *const modules[] = { "conv1.", "bn1.", "layer1.", "layer2.", "layer3.", "layer4.", "cls_token", "pos_embed", "patch_embed.", "blocks.", "norm." };
    const size_t n = strlen(prefix);
    int i, found = 0;
    for (i = 0; i < 11 && !strncmp(name, prefix, n); i++) found |= !strncmp(name + n, modules[i], strlen(modules[i]));
    return found;
}
/* DIR/backbone.safetensors: the first ResNet or ViT (of a momentum pair the one that learns) with torchvision's or timm's names. */
static void run_save_backbone(run *r)
{
    static const char *const first[2] = { "conv1.weight", "patch_embed.proj.weight" };
    const int n = ssl_param_count(r->ctx);
    ssl_file_tensor *file = (ssl_file_tensor *)calloc((size_t)n, sizeof *file);
    const char *name;
    char prefix[WORD_SIZE] = "", path[2 * WORD_SIZE];
    int i, k, used = 0, found = 0;
    for (i = 0; file && i < n && !found; i++)
        for (k = 0, ssl_param_at_index(r->ctx, i, &name); k < 2 && !found; k++) {
            const size_t length = strlen(name), tail = strlen(first[k]);
            if (length < tail || strcmp(name + length - tail, first[k]) || (length > tail && name[length - tail - 1] != '.')) continue;
            snprintf(prefix, sizeof prefix, "%.*s", (int)(length - tail), name);
            snprintf(path, sizeof path, "%s%s", prefix, k ? "blocks.0.norm1.weight" : "layer4.0.conv1.weight");
            found = ssl_param_find(r->ctx, path) != NULL; /* not a block's conv1 */
        }
    for (i = 0; found && i < n; i++) {
        const ssl_tensor *t = ssl_param_at_index(r->ctx, i, &name);
        float *x;
        if (!is_backbone(name, prefix) || !(x = (float *)malloc(sizeof(float) * (size_t)ssl_numel(t)))) continue;
        ssl_to_host(t, x);
        file[used].name = name + strlen(prefix);
        file[used].dtype = "F32";
        file[used].ndim = t->ndim;
        for (k = 0; k < t->ndim; k++) file[used].dim[k] = t->dim[k];
        file[used++].data = x;
    }
    if (used && ssl_ok(r->ctx)) ssl_safetensors_write(r->ctx, run_path(r, "backbone.safetensors", path), used, file, 0, NULL);
    for (i = 0; i < used; i++) free((void *)(uintptr_t)file[i].data);
    free(file);
}

static float run_rate(const run *r) /* learning rate of the next step */
{
    const run_desc *d = &r->s.run;
    const int epochs = r->s.loader.epochs;
    const float epoch = (float)((double)r->step / (double)r->steps), lr = d->base_lr > 0.0f ? d->base_lr * (float)r->s.loader.batch / 256.0f : d->lr;
    if (d->schedule == 2) return lr;
    if (d->schedule == 3) return lr * (epoch < 0.6f * (float)epochs ? 1.0f : epoch < 0.8f * (float)epochs ? 0.1f : 0.01f);
    if (d->schedule == 1) return ssl_lr_apl_chained((int)epoch, epochs, (int)(d->warmup * (float)epochs), 0.5f, 0.1f, lr);
    return ssl_lr_warmup_cosine(epoch, d->warmup * (float)epochs, (float)epochs, lr, d->min_lr);
}

static volatile sig_atomic_t interrupted; /* Ctrl-C: finish the step, save, leave; a second one leaves at once */
static inline void interrupt(int signal_number)
{
    interrupted = 1;
    signal(signal_number, SIG_DFL);
}

static ssl_augment_desc run_eval_augment(const run *r) /* whole images, normalized as in training */
{
    ssl_augment_desc a = SSL_ZERO;
    normalize_as(&r->s.augment, &a);
    return a;
}

/* ---- PSNR of what a network paints over hidden patches ---- */
/* 10 log10(255^2 / mean squared error) in decibels, over the hidden patches of the first psnr_images images of data, pixels as
   levels 0..255; the masks are always the same. */
static double run_psnr(run *r, ssl_dataset *data)
{
    const ssl_augment_desc a = run_eval_augment(r);
    const int most = r->s.run.psnr_images ? r->s.run.psnr_images : data->n;
    ssl_loader_desc d = SSL_ZERO;
    ssl_loader *loader;
    ssl_batch b;
    double squares = 0.0, n = 0.0;
    d.batch = data->n < 100 ? data->n : 100;
    d.no_shuffle = d.keep_last = 1;
    d.augment = &a;
    loader = ssl_loader_open(data, &d);
    ssl_train(r->ctx, 0);
    ssl_no_grad(r->ctx, 1);
    while (ssl_ok(r->ctx) && ssl_loader_next(loader, &b) && b.step * d.batch < most) {
        painting q;
        if (r->s.method->paint(r->model, b.images, &a, b.step, &q)) painting_error(&q, &squares, &n);
        painting_free(&q);
        ssl_step_end(r->ctx);
    }
    ssl_no_grad(r->ctx, 0);
    ssl_train(r->ctx, 1);
    ssl_loader_close(loader);
    return 10.0 * log10(255.0 * 255.0 * n / squares);
}
static int run_has_test(const run *r) /* whether the data have a test or val split beside the one in use */
{
    char path[2 * WORD_SIZE];
    struct stat st;
    if (strcmp(r->s.run.split, "train") && strcmp(r->s.run.split, "unlabeled")) return 0;
    if (strncmp(r->s.run.data, "folder:", 7)) return 1;
    snprintf(path, sizeof path, "%s/test", r->s.run.data + 7);
    if (!stat(path, &st)) return 1;
    snprintf(path, sizeof path, "%s/val", r->s.run.data + 7);
    return !stat(path, &st);
}
/* A random part of the images moves to the end of the set, which ends before them from now on. */
static void run_hold_out(run *r)
{
    ssl_dataset *d = r->data;
    const size_t size = (size_t)(d->c * d->h * d->w);
    const int n = (int)((float)d->n * r->s.run.hold_out + 0.5f);
    unsigned char *spare = (unsigned char *)malloc(size);
    ssl_rng rng = ssl_rng_make(r->s.run.seed, 1);
    int i;
    if (n < 1 || n >= d->n) ssl_raise(r->ctx, SSL_E_ARG, "--hold-out leaves no image to train on or none to validate with");
    for (i = d->n - 1; spare && ssl_ok(r->ctx) && i >= d->n - n; i--) {
        const int k = ssl_rng_below(&rng, i + 1);
        const int32_t label = d->labels[i];
        memcpy(spare, d->images + (size_t)i * size, size);
        memcpy(d->images + (size_t)i * size, d->images + (size_t)k * size, size);
        memcpy(d->images + (size_t)k * size, spare, size);
        d->labels[i] = d->labels[k];
        d->labels[k] = label;
    }
    free(spare);
    d->n -= n;
    r->held = *d;
    r->held.n = n;
    r->held.images += (size_t)d->n * size;
    r->held.labels += d->n;
    r->validation = &r->held;
}
static void run_open_validation(run *r)
{
    ssl_dataset_desc d = r->s.data;
    const char *before = ssl_note_find(r->ctx, "psnr"); /* of the checkpoint */
    if (!before || sscanf(before, "%lf %lf %lf", &r->psnr[0], &r->psnr[1], &r->best) != 3) {
        r->psnr[0] = r->psnr[1] = 0.0;
        r->best = -1e9;
    }
    d.split = "test";
    d.limit_images = r->s.run.psnr_images;
    d.labels_per_class = 0;
    if (!ssl_ok(r->ctx)) return;
    if (run_has_test(r)) r->validation = ssl_dataset_open_desc(r->ctx, r->s.run.data, &d);
    else run_hold_out(r);
}
/* At the end of an epoch: PSNR, and DIR/best.safetensors if validation has never been better. */
static void run_validate(run *r)
{
    int better;
    r->psnr[0] = run_psnr(r, r->data);
    r->psnr[1] = run_psnr(r, r->validation);
    better = r->psnr[1] > r->best;
    if (better) r->best = r->psnr[1];
    ssl_note_put(r->ctx, "psnr", "%.17g %.17g %.17g", r->psnr[0], r->psnr[1], r->best);
    if (better) run_save(r, "best.safetensors");
}

/* ---- a classifier that learns beside ---- */
static ssl_tensor *frozen_features(ssl_ctx *ctx, const method *m, void *model, ssl_tensor *images) /* in evaluation mode, without gradient */
{
    ssl_tensor *x;
    ssl_train(ctx, 0);
    ssl_no_grad(ctx, 1);
    x = m->features(model, images);
    ssl_no_grad(ctx, 0);
    ssl_train(ctx, 1);
    return x;
}
static ssl_tensor *run_online_features(run *r, ssl_tensor *images) { return frozen_features(r->ctx, r->s.method, r->model, images); }
static void run_online_step(run *r, const ssl_batch *b) /* the first step makes it, or loads it where a run goes on */
{
    ssl_tensor *x = run_online_features(r, b->images);
    ssl_head_desc d = SSL_ZERO;
    const char *before;
    char path[2 * WORD_SIZE];
    d.kind = r->s.run.online_eval > 1 ? SSL_HEAD_MLP : SSL_HEAD_LINEAR;
    d.hidden = r->s.run.online_eval;
    d.dropout = 0.2f;
    if (!r->online.ctx) {
        r->online = ssl_online_eval_new(r->ctx, ssl_ok(r->ctx) ? x->dim[1] : 1, r->data->n_classes, &d);
        if (r->step > 0 && ssl_ok(r->ctx)) ssl_load(r->online.ctx, run_path(r, "online_eval.safetensors", path), NULL);
        before = r->online.ctx ? ssl_note_find(r->online.ctx, "val") : NULL;
        if (before) r->online_acc[1] = strtod(before, NULL);
    }
    ssl_online_eval_step(&r->online, x, b->label, 1e-3f);
}
static void run_online_validate(run *r) /* at the end of an epoch */
{
    const ssl_augment_desc a = run_eval_augment(r);
    ssl_loader_desc d = SSL_ZERO;
    ssl_loader *loader;
    ssl_batch b;
    if (!ssl_ok(r->ctx)) return;
    d.batch = r->validation->n < 100 ? r->validation->n : 100;
    d.no_shuffle = d.keep_last = 1;
    d.augment = &a;
    loader = ssl_loader_open(r->validation, &d);
    while (ssl_ok(r->ctx) && ssl_loader_next(loader, &b)) {
        ssl_online_eval_step(&r->online, run_online_features(r, b.images), b.label, 0.0f);
        ssl_step_end(r->ctx);
    }
    ssl_loader_close(loader);
    r->online_acc[1] = ssl_online_eval_accuracy(&r->online);
    if (r->online.ctx) ssl_note_put(r->online.ctx, "val", "%.17g", r->online_acc[1]);
}

typedef struct run_late { int64_t ticket, step; int images; } run_late; /* a step whose loss was not looked at yet; images 0: none */
typedef struct run_log { ssl_csv *csv; FILE *events; char columns[WORD_SIZE]; double loss, begun; int n, images; run_late late; } run_log; /* means since the last row */
static void run_no_events(run *r)
{
    char text[WORD_SIZE];
    snprintf(text, sizeof text, "--tensorboard: cannot write events.out.tfevents.* in the directory of --out: %s", strerror(errno));
    ssl_raise(r->ctx, SSL_E_IO, text);
}
static void run_log_open(run *r, run_log *log)
{
    char path[2 * WORD_SIZE];
    memset(log, 0, sizeof *log);
    snprintf(log->columns, sizeof log->columns, "step,epoch,lr,loss,images_per_second%s%s%s%s", *r->s.method->metrics ? "," : "", r->s.method->metrics,
             r->s.method->paint ? ",psnr_train,psnr_val" : "", r->s.run.online_eval ? ",online_train,online_val" : ""); /* of the last whole epoch; 0 before the first */
    log->csv = ssl_csv_open(r->ctx, run_path(r, "log.csv", path), log->columns, r->step > 0 ? r->step : -1);
    if (r->s.run.tensorboard && ssl_ok(r->ctx) && !(log->events = events_open(r->s.run.out))) run_no_events(r);
    log->begun = ssl_seconds();
}
static void run_log_row(run *r, run_log *log, float rate, const double *metrics)
{
    const char *p = r->s.method->metrics;
    double row[5 + METRICS + 4];
    int i, n = 5;
    row[0] = (double)r->step;
    row[1] = (double)r->step / (double)r->steps;
    row[2] = (double)rate;
    row[3] = log->loss / log->n;
    row[4] = (double)log->images / (ssl_seconds() - log->begun + 1e-9);
    if (*p) for (n = 6; *p; p++) n += *p == ',';
    for (i = 5; i < n; i++) row[i] = metrics[i - 5];
    if (r->s.method->paint) { row[n++] = r->psnr[0]; row[n++] = r->psnr[1]; }
    if (r->s.run.online_eval) { row[n++] = r->online_acc[0]; row[n++] = r->online_acc[1]; }
    ssl_csv_row(log->csv, n, row);
    if (log->events && !events_row(log->events, r->step, log->columns + strlen("step,"), row + 1)) run_no_events(r);
    log->loss = 0.0;
    log->n = log->images = 0;
    log->begun = ssl_seconds();
}

/* One step: loss, gradients, optimizer. Returns the loss's ticket; metrics may be NULL. */
static int64_t run_step(run *r, const ssl_batch *b, double *metrics)
{
    ssl_tensor *loss = r->s.method->loss(r->model, b, metrics);
    int64_t ticket;
    ssl_backward(loss);
    ticket = ssl_item_begin(loss);
    if (r->s.run.online_eval) run_online_step(r, b);
    ssl_optim_step(r->ctx, &r->s.optim, run_rate(r));
    if (r->s.method->update) r->s.method->update(r->model, (float)r->step / (float)r->total);
    ssl_step_end(r->ctx);
    return ticket;
}
static void run_hear(run *r, run_log *log, ssl_progress *progress) /* the loss that is late */
{
    const run_late l = log->late;
    float loss;
    if (!l.images) return;
    loss = ssl_item_end(r->ctx, l.ticket);
    log->late.images = 0;
    log->loss += (double)loss;
    log->images += l.images;
    log->n++;
    ssl_progress_step(progress, l.step, l.images, loss);
}
static void run_loop(run *r, ssl_loader *loader, ssl_progress *progress, run_log *log)
{
    double metrics[METRICS] = { 0.0 };
    ssl_batch b;
    while (ssl_ok(r->ctx) && !interrupted && ssl_loader_next(loader, &b)) {
        const int epoch_ends = (r->step + 1) % r->steps == 0, images = b.n;
        const int row = (r->step + 1) % r->s.run.log_every == 0 || r->step + 1 == r->total || (epoch_ends && (r->s.method->paint || r->s.run.online_eval));
        const float rate = run_rate(r);
        const int64_t ticket = run_step(r, &b, row ? metrics : NULL);
        if (!ssl_ok(r->ctx)) return; /* the last good checkpoint stays */
        r->step++;
        run_hear(r, log, progress); /* of the step before: a GPU is at work on this one */
        log->late.ticket = ticket;
        log->late.step = r->step;
        log->late.images = images;
        if (row) run_hear(r, log, progress);
        if (!ssl_ok(r->ctx)) return;
        if (row && r->s.run.online_eval) r->online_acc[0] = ssl_online_eval_accuracy(&r->online);
        if (epoch_ends && r->s.method->paint) run_validate(r);
        if (epoch_ends && r->s.run.online_eval) run_online_validate(r);
        if (row) run_log_row(r, log, rate, metrics);
        if (r->s.run.stop_after > 0 && r->step - progress->first >= r->s.run.stop_after && r->step < r->total) interrupted = 1;
        if (r->step % (r->steps * r->s.run.save_every) == 0) run_save(r, "checkpoint.safetensors");
    }
    run_hear(r, log, progress);
}
static void set_if(float *p, float value) { if (value >= 0.0f) *p = value; }
/* The augmentation of every view: the method's own, then the local ones, a[n] of them in all. */
static int run_views(const run *r, ssl_augment_desc a[SSL_VIEWS])
{
    const run_desc *d = &r->s.run;
    const int own = r->s.method->n_views;
    ssl_augment_desc second;
    char text[WORD_SIZE];
    int v;
    if (d->local_views < 0 || own + d->local_views > SSL_VIEWS || (d->local_views > 0 && own < 2)) {
        snprintf(text, sizeof text, "--local-views is %d: %s takes 0%s", d->local_views, r->s.method->name, own < 2 ? " beside its one view" : " to 14 beside its two");
        ssl_raise(r->ctx, SSL_E_ARG, text);
        return own;
    }
    second = r->s.augment;
    if (own < 2 && (*d->second_augment || d->second_blur_p >= 0.0f || d->second_solarize_p >= 0.0f))
        ssl_raise(r->ctx, SSL_E_ARG, "--second-augment, --second-blur-p and --second-solarize-p: this method takes one view");
    else if (*d->second_augment && !ssl_augment_preset(d->second_augment, &second)) ssl_raise(r->ctx, SSL_E_ARG, "--second-augment must be one of " AUGMENTATIONS);
    normalize_as(&r->s.augment, &second);
    for (v = 0; v < own + d->local_views; v++) {
        a[v] = v == 1 ? second : r->s.augment;
        if (v == 1 && own == 2) { set_if(&a[v].blur_p, d->second_blur_p); set_if(&a[v].solarize_p, d->second_solarize_p); }
        if (v < own) continue;
        set_if(&a[v].blur_p, d->local_blur_p);
        a[v].crop = SSL_CROP_RESIZED;
        a[v].size = d->local_size;
        a[v].scale[0] = d->local_scale_min;
        a[v].scale[1] = d->local_scale_max;
    }
    return own + d->local_views;
}
/* Train to the end, or until Ctrl-C or an error; the checkpoint holds the last good step. */
static inline void run_train(run *r)
{
    ssl_loader_desc d = r->s.loader;
    ssl_augment_desc views[SSL_VIEWS];
    ssl_loader *loader;
    ssl_progress progress;
    run_log log;
    d.n_views = d.n_augment = run_views(r, views);
    d.augment = views;
    if (r->s.method->paint || r->s.run.online_eval) run_open_validation(r);
    loader = ssl_loader_open(r->data, &d);
    r->steps = ssl_loader_steps(loader);
    r->total = r->steps * d.epochs;
    if (!ssl_ok(r->ctx)) return;
    ssl_loader_seek(loader, (int)(r->step / r->steps), (int)(r->step % r->steps));
    run_save_config(r);
    run_log_open(r, &log);
    progress = ssl_progress_begin(r->s.method->name, r->step, r->total);
    run_loop(r, loader, &progress, &log);
    if (r->step > progress.first) ssl_progress_end(&progress, r->step);
    if (ssl_ok(r->ctx)) { run_save(r, "checkpoint.safetensors"); run_save_backbone(r); }
    ssl_online_eval_close(&r->online);
    ssl_csv_close(log.csv);
    if (log.events) fclose(log.events);
    ssl_loader_close(loader);
}

/* ---- checkpoints ---- */
/* Settings as the checkpoint has them, which must be of the method `wanted` (NULL: any); args (may be NULL) go on top. 1, or 0 after a message. */
static inline int settings_load(settings *s, const char *path, const char *wanted, const arguments *args, int64_t *step)
{
    static run_desc plain; /* all defaults */
    ssl_ctx *ctx = run_context(&plain);
    ssl_safetensors *file = ssl_safetensors_open(ctx, path);
    const char *name = file ? ssl_safetensors_note(file, "set.method") : NULL, *done = file ? ssl_safetensors_note(file, "step") : NULL;
    table t;
    int i, ok = name != NULL;
    if (file && !name) fprintf(stderr, "error: \"%s\" was not written by pretrain: it names no method\n", path);
    if (ok && wanted && strcmp(wanted, name)) {
        fprintf(stderr, "error: \"%s\" is of method %s, not %s: name another file or directory, or leave --method out\n", path, name, wanted);
        ok = 0;
    }
    ok = ok && settings_init(s, name, ssl_safetensors_note(file, "set.augment"));
    if (ok) {
        t = settings_table(s);
        for (i = 0; i < file->n_notes && ok; i++)
            if (!strncmp(file->note[i].key, "set.", 4)) ok = table_set(&t, file->note[i].key + 4, file->note[i].value);
        ok = ok && (!args || settings_apply(s, args, &t));
    }
    if (step) *step = done ? strtoll(done, NULL, 10) : 0;
    ssl_safetensors_close(file);
    ssl_close(ctx);
    return ok;
}

static inline void run_load(run *r, const char *path, int weights_only)
{
    ssl_load_desc d = SSL_ZERO;
    d.weights_only = weights_only;
    ssl_load(r->ctx, path, &d);
}

/* ---- what the features are worth ---- */
static ssl_features *run_features(run *r, ssl_dataset *data, int batch)
{
    const ssl_augment_desc a = run_eval_augment(r);
    return ssl_features_of(data, &a, batch, r->s.method->features, r->model);
}

/* ---- pictures ---- */
/* Columns `x` and `y` of a log as arrays of *n; 0 if there is none. */
static int log_read(const char *path, float **x, float **y, int *n)
{
    FILE *f = fopen(path, "r");
    char line[1024];
    float step, epoch, lr, loss;
    int cap = 0;
    *x = *y = NULL;
    *n = 0;
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "%f,%f,%f,%f", &step, &epoch, &lr, &loss) != 4) continue;
        if (*n == cap) {
            cap = cap ? 2 * cap : 256;
            *x = (float *)realloc(*x, sizeof(float) * (size_t)cap);
            *y = (float *)realloc(*y, sizeof(float) * (size_t)cap);
            if (!*x || !*y) break;
        }
        (*x)[*n] = epoch;
        (*y)[(*n)++] = loss;
    }
    if (f) fclose(f);
    return *x && *y && *n > 0;
}
static void run_picture_loss(run *r)
{
    ssl_canvas *canvas = ssl_canvas_new(r->ctx, 720, 420, 0xffffff);
    ssl_series s = SSL_ZERO;
    float *x, *y;
    char path[2 * WORD_SIZE];
    if (log_read(run_path(r, "log.csv", path), &x, &y, &s.n)) {
        s.name = r->s.method->name; s.x = x; s.y = y;
        ssl_canvas_plot(canvas, 0, 0, 720, 420, "loss", "epoch", &s, 1);
        ssl_canvas_save(canvas, run_path(r, "loss.png", path));
    }
    ssl_canvas_free(canvas);
    free(x); free(y);
}
/* The first images of the set through the network: NAME.png is the method's own picture, look.png its tokens and attention. */
static void run_picture_method(run *r)
{
    const look_fn look = look_of(r->s.method);
    ssl_look seen = SSL_ZERO;
    ssl_loader_desc d = SSL_ZERO;
    const ssl_augment_desc a = run_eval_augment(r);
    ssl_dataset_desc few = r->s.data; /* chosen from all classes: a folder's first images are of one */
    ssl_dataset *some;
    ssl_loader *loader;
    ssl_batch b;
    char path[2 * WORD_SIZE], name[WORD_SIZE];
    few.limit_images = r->data->n > 8 ? 8 : 0;
    few.labels_per_class = 0;
    few.seed = 1;
    some = ssl_dataset_open_desc(r->ctx, r->s.run.data, &few);
    d.batch = some->n < 8 ? some->n : 8;
    d.no_shuffle = 1;
    d.augment = &a;
    loader = ssl_loader_open(some, &d);
    ssl_train(r->ctx, 0);
    ssl_no_grad(r->ctx, 1);
    snprintf(name, sizeof name, "%s.png", r->s.method->name);
    if (ssl_loader_next(loader, &b)) {
        if (r->s.method->picture) r->s.method->picture(r->model, b.images, &a, run_path(r, name, path));
        if (look && look(r->model, b.images, &seen)) ssl_look_save(&seen, b.images, a.no_normalize ? NULL : a.mean, a.no_normalize ? NULL : a.std_dev, run_path(r, "look.png", path));
    }
    ssl_step_end(r->ctx);
    ssl_no_grad(r->ctx, 0);
    ssl_train(r->ctx, 1);
    ssl_loader_close(loader);
}
/* Some images and the six that the network finds most like each, with their cosines; green: of the same class. */
static void run_picture_neighbors(run *r, ssl_dataset *data, const ssl_features *f)
{
    enum { ROWS = 8, K = 7 };
    const int scale = picture_scale(data->h), side = data->h * scale, step = side + 6, k = f->n < K ? f->n : K;
    int32_t index[ROWS * K];
    float cosine[ROWS * K];
    ssl_features query;
    ssl_canvas *canvas;
    char path[2 * WORD_SIZE], text[16];
    int i, j;
    query = *f;
    query.n = f->n < ROWS ? f->n : ROWS;
    if (!ssl_neighbors(f, &query, k, index, cosine)) return;
    canvas = ssl_canvas_new(r->ctx, 30 + k * step, 36 + query.n * (step + 14), 0xffffff);
    ssl_canvas_text(canvas, 10, 10, 2, 0x202020, "image and its nearest (green: same class)");
    for (i = 0; i < query.n; i++)
        for (j = 0; j < k; j++) {
            const int x = 10 + j * step + (j > 0 ? 10 : 0), y = 36 + i * (step + 14), q = index[i * k + j];
            const size_t size = (size_t)(data->c * data->h * data->w);
            ssl_canvas_u8(canvas, x, y, scale, data->images + (size_t)q * size, data->c, data->h, data->w);
            snprintf(text, sizeof text, "%.2f", (double)cosine[i * k + j]);
            ssl_canvas_rect(canvas, x, y + side, side, 3, data->labels[q] == data->labels[index[i * k]] ? 0x2f9e44 : 0xd6541e);
            ssl_canvas_text(canvas, x, y + side + 6, 1, 0x505050, text);
        }
    ssl_canvas_save(canvas, run_path(r, "neighbors.png", path));
    ssl_canvas_free(canvas);
}
static inline void run_pictures(run *r)
{
    ssl_dataset_desc d = r->s.data;
    ssl_dataset *some;
    ssl_features *f;
    if (d.limit_images == 0 || d.limit_images > 1000) d.limit_images = r->data->n < 1000 ? 0 : 1000;
    run_picture_loss(r);
    run_picture_method(r);
    some = ssl_dataset_open_desc(r->ctx, r->s.run.data, &d);
    f = ssl_ok(r->ctx) ? run_features(r, some, 0) : NULL;
    if (f) run_picture_neighbors(r, some, f);
    ssl_features_free(f);
}
#endif
