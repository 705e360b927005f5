/* methods.h: the table of methods that pretrain, evaluate and demo know. A new one is a row of `methods`: its settings, MODEL
 * for the three plain functions, a loss, and a picture or NULL. */
#ifndef METHODS_H
#define METHODS_H
#include "settings.h"

/* ---- methods ---- */
struct painting;
typedef struct method {
    const char *name, *doc;
    const char *defaults; /* settings in which it differs from all_defaults */
    int n_views;
    group settings;       /* fields of its desc */
    size_t desc_size;
    int (*resolve)(const void *desc, void *out);
    void *(*create)(ssl_ctx *ctx, void *desc, int image_size, int channels);
    ssl_tensor *(*loss)(void *model, const ssl_batch *b, double *metrics); /* metrics: values of the extra columns of log.csv, or NULL */
    const char *metrics;  /* their names, or "" */
    ssl_feature_fn features;
    void (*update)(void *model, float progress); /* after the optimizer's step, progress 0..1 of the run: momentum targets; or NULL */
    void (*picture)(void *model, ssl_tensor *images, const ssl_augment_desc *a, const char *path);
    /* or NULL: what the network paints over hidden patches. PSNR is then logged each epoch, and the best network kept */
    int (*paint)(void *model, ssl_tensor *images, const ssl_augment_desc *a, int mask, struct painting *q);
} method;
static const char all_defaults[] = "data=synthetic split=train out=out lr=1e-3 warmup=0.05 schedule=cosine log_every=10 save_every=1 local_size=16 local_scale_min=0.05 local_scale_max=0.4 local_blur_p=-1 second_blur_p=-1 second_solarize_p=-1 psnr_images=1000 hold_out=0.05 batch=128 epochs=20 "
                                   "clip_norm=1";

/* resolve, create and features of a method whose public functions are ssl_NAME_...; at: where its image size is kept */
#define MODEL(name, at)                                                                                        \
    static int name##_resolve(const void *desc, void *out)                                                     \
    { return ssl_##name##_desc_resolve((const ssl_##name##_desc *)desc, (ssl_##name##_desc *)out); }           \
    static void *name##_create(ssl_ctx *ctx, void *desc, int image_size, int channels)                         \
    {                                                                                                          \
        ssl_##name##_desc *d = (ssl_##name##_desc *)desc;                                                      \
        d->at image_size = image_size;                                                                         \
        d->at channels = channels;                                                                             \
        return ssl_##name##_new(ctx, "", d);                                                                   \
    }                                                                                                          \
    static ssl_tensor *name##_features(void *model, ssl_tensor *images)                                        \
    { return ssl_##name##_features((const ssl_##name *)model, images); }

/* a batch of pictures on the host, as they were before normalization */
typedef struct pictures { int n, c, h, w; float *x; float mean[3], std_dev[3]; } pictures;
static int pictures_get(pictures *p, const ssl_tensor *images, const ssl_augment_desc *a)
{
    int k;
    memset(p, 0, sizeof *p);
    if (!ssl_ok(images->ctx)) return 0;
    p->n = images->dim[0]; p->c = images->dim[1]; p->h = images->dim[2]; p->w = images->dim[3];
    for (k = 0; k < 3; k++) { p->mean[k] = a->no_normalize ? 0.0f : a->mean[k]; p->std_dev[k] = a->no_normalize ? 1.0f : a->std_dev[k]; }
    p->x = (float *)malloc(sizeof(float) * (size_t)ssl_numel(images));
    return p->x && ssl_to_host(images, p->x);
}
static void pictures_draw(const pictures *p, ssl_canvas *canvas, int x, int y, int scale, const float *image)
{ ssl_canvas_f32(canvas, x, y, scale, image, p->c, p->h, p->w, p->mean, p->std_dev); }
static int picture_scale(int side) { return side >= 96 ? 1 : 96 / side; }
static const float *pictures_at(const pictures *p, int i) { return p->x + (size_t)i * (size_t)(p->c * p->h * p->w); }

/* ---- puzzles: a picture's patches shuffled, and as a network puts them back ---- */
/* each patch to the free cell it is surest of, the surest patch first: cell[] of every patch */
static void puzzle_solve(const float *logits, int cells, int *cell)
{
    unsigned char *taken = (unsigned char *)calloc((size_t)cells, 1);
    int n, i, j;
    for (i = 0; i < cells; i++) cell[i] = -1;
    for (n = 0; taken && n < cells; n++) {
        int best_i = -1, best_j = -1;
        for (i = 0; i < cells; i++)
            for (j = 0; cell[i] < 0 && j < cells; j++)
                if (!taken[j] && (best_i < 0 || logits[i * cells + j] > logits[best_i * cells + best_j])) { best_i = i; best_j = j; }
        cell[best_i] = best_j;
        taken[best_j] = 1;
    }
    free(taken);
}
/* metrics[0..n-1]: part of the rows of logits [...,K] whose target is among the 1, 3, 5 likeliest; targets below 0 do not count */
static void puzzle_accuracy(const ssl_tensor *logits, const ssl_tensor *target, int n, double *metrics)
{
    const ssl_score s = ssl_score_batch(logits, target);
    const double top[3] = { s.top1, s.top3, s.top5 };
    memcpy(metrics, top, sizeof *top * (size_t)n);
}
typedef struct puzzle { pictures p; int grid, patch, scale, size; ssl_canvas *canvas; } puzzle;
static int puzzle_begin(puzzle *z, ssl_tensor *images, const ssl_augment_desc *a, int grid, int patch)
{
    memset(z, 0, sizeof *z);
    if (patch > 64 || !pictures_get(&z->p, images, a)) return 0;
    z->grid = grid;
    z->patch = patch;
    z->scale = picture_scale(z->p.h);
    z->size = grid * (patch * z->scale + 2);
    z->canvas = ssl_canvas_new(images->ctx, 10 + z->p.n * (z->size + 10), 60 + 2 * (z->size + 10), 0xffffff);
    ssl_canvas_text(z->canvas, 10, 10, 2, 0x202020, "shuffled patches");
    ssl_canvas_text(z->canvas, 10, 40 + z->size, 2, 0x202020, "as solved (wrong places underlined)");
    return 1;
}
static void puzzle_draw_patch(const puzzle *z, int image, int patch, int x, int y, int cell)
{
    const pictures *p = &z->p;
    const int g = z->grid, k = z->patch, step = k * z->scale + 2, px = patch % g * k, py = patch / g * k;
    const int cx = x + cell % g * step, cy = y + cell / g * step;
    float part[3 * 64 * 64];
    int c, i, j;
    for (c = 0; c < p->c; c++)
        for (i = 0; i < k; i++)
            for (j = 0; j < k; j++) part[(c * k + i) * k + j] = pictures_at(p, image)[((size_t)c * (size_t)p->h + (size_t)(py + i)) * (size_t)p->w + (size_t)(px + j)];
    ssl_canvas_f32(z->canvas, cx, cy, z->scale, part, p->c, k, k, p->mean, p->std_dev);
    if (patch != cell) ssl_canvas_rect(z->canvas, cx, cy + k * z->scale, k * z->scale, 2, 0xd6541e);
}
/* order[]: the patch shown in each cell; cell[]: where the network puts each patch */
static void puzzle_draw(const puzzle *z, int image, const int *order, const int *cell)
{
    const int x = 10 + image * (z->size + 10);
    int j;
    for (j = 0; j < z->grid * z->grid; j++) {
        puzzle_draw_patch(z, image, order[j], x, 30, j);
        puzzle_draw_patch(z, image, j, x, 60 + z->size, cell[j]);
    }
}
static void puzzle_end(puzzle *z, const char *path)
{
    if (z->canvas) ssl_canvas_save(z->canvas, path);
    ssl_canvas_free(z->canvas);
    free(z->p.x);
}
/* logits [B,T,T] of each patch for each cell, T = grid^2 */
static void puzzle_picture(ssl_tensor *images, ssl_tensor *logits, int grid, int patch, const ssl_augment_desc *a, const char *path)
{
    const size_t T = (size_t)(grid * grid);
    float *host = (float *)malloc(sizeof(float) * (size_t)images->dim[0] * T * T);
    int *cell = (int *)malloc(sizeof(int) * T), *order = (int *)malloc(sizeof(int) * T);
    ssl_rng rng = ssl_rng_make(1, 0);
    puzzle z = SSL_ZERO;
    int i, j;
    if (host && cell && order && puzzle_begin(&z, images, a, grid, patch) && ssl_to_host(logits, host))
        for (i = 0; i < z.p.n; i++) {
            for (j = 0; j < (int)T; j++) order[j] = j;
            for (j = (int)T - 1; j > 0; j--) { const int k = ssl_rng_below(&rng, j + 1), o = order[j]; order[j] = order[k]; order[k] = o; }
            puzzle_solve(host + (size_t)i * T * T, (int)T, cell);
            puzzle_draw(&z, i, order, cell);
        }
    puzzle_end(&z, path);
    free(host); free(cell); free(order);
}

/* ---- apl ---- */
typedef struct apl_desc { ssl_apl_desc d; int patch; } apl_desc;
static const field apl_fields[] = {
    F_AT(INTEGER, apl_desc, "grid", d.grid, "the image is cut into grid x grid patches"),
    F(INTEGER, apl_desc, patch, "another way to give grid: image_size / patch"),
    F_AT(INTEGER, apl_desc, "crop", d.crop, "pixels that a patch loses per axis; -1: none"),
    { "encoder", CHOICE, offsetof(apl_desc, d.encoder), "default|flatten|linear|cnn|resnet18", "of a patch; flatten: its pixels are the token; linear: projected to dim" },
    F_AT(INTEGER, apl_desc, "cifar_stem", d.cifar_stem, "encoder resnet18: 1: stride 1 and no pooling at its start"),
    F_AT(INTEGER, apl_desc, "project_patch_emb", d.project_patch_emb, "1: tokens are multiplied by a learned matrix before the blocks"),
    F_AT(INTEGER, apl_desc, "dim", d.dim, "width of the tokens (encoder linear)"),
    F_AT(INTEGER, apl_desc, "depth", d.depth, "blocks"),
    F_AT(INTEGER, apl_desc, "heads", d.heads, "attention heads; must divide the width of the tokens"),
    F_AT(INTEGER, apl_desc, "hidden_mult", d.hidden_mult, "width of the MLP / width of the tokens"),
    { "act", CHOICE, offsetof(apl_desc, d.act), "default|none|relu|gelu|gelu_tanh", "activation in the MLP" },
    F_AT(INTEGER, apl_desc, "pre_norm", d.pre_norm, "1: norm before attention and MLP, not after each"),
    F_AT(INTEGER, apl_desc, "final_norm", d.final_norm, "1: norm at the end, -1: none; 0: with pre_norm only"),
    F_AT(INTEGER, apl_desc, "original_attention", d.original_attention, "1: the original's scaling and bias-free q, k, v"),
    F_AT(INTEGER, apl_desc, "mlp_head", d.mlp_head, "1: head with a hidden layer"),
    { "drop_method", CHOICE, offsetof(apl_desc, d.method), "default|plain|masked|subset", "what happens to dropped patches" },
    F_AT(NUMBER, apl_desc, "patch_dropout", d.patch_dropout, "probability that a patch is dropped"),
    F_AT(NUMBER, apl_desc, "dropout", d.dropout, "in the blocks"),
    F_AT(NUMBER, apl_desc, "embed_dropout", d.embed_dropout, "on the tokens"),
    F_AT(NUMBER, apl_desc, "encoder_dropout", d.encoder_dropout, "encoder cnn: probability that a channel is dropped"),
};
static int apl_resolve(const void *desc, void *out)
{
    const apl_desc *d = (const apl_desc *)desc;
    apl_desc *o = (apl_desc *)out;
    o->patch = d->patch;
    return ssl_apl_desc_resolve(&d->d, &o->d);
}
static void *apl_create(ssl_ctx *ctx, void *desc, int image_size, int channels)
{
    apl_desc *d = (apl_desc *)desc;
    d->d.image_size = image_size;
    d->d.channels = channels;
    if (d->patch > 0) d->d.grid = image_size / d->patch;
    return ssl_apl_new(ctx, "", &d->d);
}
static ssl_tensor *apl_features(void *model, ssl_tensor *images) { return ssl_apl_features((const ssl_apl *)model, images); }
static ssl_tensor *apl_loss(void *model, const ssl_batch *b, double *metrics)
{
    ssl_apl_trace t = SSL_ZERO;
    ssl_tensor *loss = ssl_apl_loss((const ssl_apl *)model, b->images, &t);
    if (metrics && ssl_ok(loss->ctx)) puzzle_accuracy(t.logits, t.target, 3, metrics);
    return loss;
}
static void apl_picture(void *model, ssl_tensor *images, const ssl_augment_desc *a, const char *path)
{
    const ssl_apl *m = (const ssl_apl *)model;
    ssl_apl_trace t = SSL_ZERO;
    ssl_apl_loss(m, images, &t);
    puzzle_picture(images, t.logits, m->d.grid, m->patch, a, path);
}

/* ---- what several methods share ---- */
#define VIT_FIELDS(type, at)                                                                                   \
    F_AT(INTEGER, type, "patch", at patch, "side of a patch in pixels"),                                       \
    F_AT(INTEGER, type, "dim", at dim, "width of the network"),                                                \
    F_AT(INTEGER, type, "depth", at depth, "blocks"),                                                          \
    F_AT(INTEGER, type, "heads", at heads, "attention heads; 0: dim / 64"),                                    \
    F_AT(INTEGER, type, "hidden", at hidden, "width of the MLP; 0: 4 dim"),                                    \
    F_AT(INTEGER, type, "no_class_token", at no_class_token, "1: no class token, features are the mean of the patches"), \
    F_AT(INTEGER, type, "mean_pool", at mean_pool, "1: features are the mean of the patches"),                 \
    { "pos", CHOICE, offsetof(type, at pos), "default|learned|sincos|none", "positions" },                     \
    F_AT(NUMBER, type, "dropout", at dropout, "in the blocks"),                                                \
    F_AT(NUMBER, type, "drop_path", at drop_path, "probability that a block is skipped")

#include "siamese.h"
#include "masked.h"
#include "dense.h"

static const method methods[] = {
    { "apl", "puzzle: tell each patch's place in the image from content alone", "augment=apl kind=adam schedule=chained crop=2", 1,
      GROUP("", apl_fields), sizeof(apl_desc), apl_resolve, apl_create, apl_loss, "acc1,acc3,acc5", apl_features, NULL, apl_picture, NULL },
    { "mae", "masked autoencoder: paint the hidden patches", "augment=mae beta2=0.95", 1,
      GROUP("", mae_fields), sizeof(ssl_mae_desc), mae_resolve, mae_create, mae_loss, "", mae_features, NULL, mae_picture, mae_paint },
    { "mae-mask-token", "masked autoencoder whose encoder sees mask tokens in the hidden places", "augment=eval hflip=0.2 vflip=0.2 grayscale_p=0.2 per_image=1", 1,
      GROUP("", mask_token_mae_fields), sizeof(ssl_mask_token_mae_desc), mask_token_mae_resolve, mask_token_mae_create, mask_token_mae_loss, "", mask_token_mae_features, NULL,
      mask_token_mae_picture, mask_token_mae_paint },
    { "randsac", "paint random segments of patches one after the other, each from those before it", "augment=mae beta2=0.95", 1,
      GROUP("", randsac_fields), sizeof(ssl_randsac_desc), randsac_resolve, randsac_create, randsac_loss, "", randsac_features, NULL, randsac_picture, NULL },
    { "jigsaw", "puzzle: tell by which of some permutations the tiles of the image were shuffled", "augment=crop raw_tiles=1 permutations=24", 1,
      GROUP("", jigsaw_fields), sizeof(ssl_jigsaw_desc), jigsaw_resolve, jigsaw_create, jigsaw_loss, "acc1", jigsaw_features, NULL, jigsaw_picture, NULL },
    { "rotation", "puzzle: tell by how many quarter turns the image was rotated", "augment=mae mean_pool=1", 1,
      GROUP("", rotation_fields), sizeof(ssl_rotation_desc), rotation_resolve, rotation_create, rotation_loss, "acc1", rotation_features, NULL, rotation_picture, NULL },
    { "mp3", "puzzle: tell each patch's place, looking at a random few of the others only", "augment=mae", 1,
      GROUP("", mp3_fields), sizeof(ssl_mp3_desc), mp3_resolve, mp3_create, mp3_loss, "acc1,acc3,acc5", mp3_features, NULL, mp3_picture, NULL },
    SIAMESE_ROWS,
    DENSE_METHODS
};
#define N_METHODS ((int)(sizeof methods / sizeof *methods))
#define METRICS 8 /* the most extra columns */

/* ---- named recipes: a method and the settings that the command line goes on top of ---- */
typedef struct preset { const char *name, *method, *settings, *doc; } preset;
static const preset presets[] = {
    { "apl-stl10", "apl", "data=stl10:data/stl10 split=unlabeled image_size=96 grid=7 crop=1 patch_dropout=0.1 depth=4 heads=16 hidden_mult=3 dropout=0.15 original_attention=1 "
      "lr=0.00115 batch=1024 epochs=300", "the published setting of APL-7,1: STL-10's unlabeled images" },
    { "mae-mask-token-tiny-imagenet", "mae-mask-token", "data=tiny-imagenet:data/tiny-imagenet-200 image_size=64 patch=8 dim=512 depth=12 heads=16 decoder_dim=256 "
      "decoder_depth=4 decoder_heads=16 mask_ratio=0.75 per_image=0 no_normalize=1", "the sizes of Self-Supervised-ViT on Tiny-ImageNet" },
    { "randsac-cifar10", "randsac", "data=cifar10:data/cifar10 augment=mae patch=2 segment=4 dim=192 depth=6 heads=3 decoder_depth=4 batch=256 base_lr=1.5e-3 beta2=0.95 "
      "warmup=0.025 epochs=1600", "RandSAC on CIFAR-10: 16 squares of 4 x 4 patches, encoder 6, decoder 4" },
    DENSE_PRESETS
};
#define N_PRESETS ((int)(sizeof presets / sizeof *presets))
static const preset *preset_find(const char *name) /* NULL if there is none */
{
    int i;
    for (i = 0; i < N_PRESETS; i++) if (!strcmp(name, presets[i].name)) return &presets[i];
    return NULL;
}

#endif
