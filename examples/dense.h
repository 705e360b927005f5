/* dense.h: methods that compare places of feature maps: pixpro, pixcontrast, cpc, amdim. Part of methods.h. */
#ifndef DENSE_H
#define DENSE_H

#define RESNET_FIELDS(type, at)                                                                                \
    F_AT(INTEGER, type, "resnet", at depth, "depth of the ResNet: 18, 34, 50, 101 or 152"),                    \
    F_AT(INTEGER, type, "width", at width, "channels of its first layer; 0: 64"),                              \
    F_AT(INTEGER, type, "blocks1", at stage[0], "blocks of layer1; 0: as the depth says"),                     \
    F_AT(INTEGER, type, "blocks2", at stage[1], "of layer2"),                                                  \
    F_AT(INTEGER, type, "blocks3", at stage[2], "of layer3"),                                                  \
    F_AT(INTEGER, type, "blocks4", at stage[3], "of layer4"),                                                  \
    F_AT(INTEGER, type, "cifar_stem", at cifar_stem, "1: begin with a 3x3 convolution of stride 1 and no pooling (32 pixels)"), \
    F_AT(INTEGER, type, "zero_init_residual", at zero_init_residual, "1: every block starts as the identity")

/* A row of pictures under each other: image i, then its maps [h,w] of values lo..hi as colors, a cell of each map marked. */
typedef struct map_row { const char *title; const float *value; int h, w, mark; float lo, hi; } map_row; /* value [n,h,w]; mark -1: none */
static void maps_draw_mark(ssl_canvas *canvas, int x, int y, int side, const map_row *r)
{
    const int cw = side / r->w, ch = side / r->h, x0 = x + r->mark % r->w * cw, y0 = y + r->mark / r->w * ch;
    ssl_canvas_rect(canvas, x0, y0, cw, 2, 0xd6541e);
    ssl_canvas_rect(canvas, x0, y0 + ch - 2, cw, 2, 0xd6541e);
    ssl_canvas_rect(canvas, x0, y0, 2, ch, 0xd6541e);
    ssl_canvas_rect(canvas, x0 + cw - 2, y0, 2, ch, 0xd6541e);
}
static void maps_picture(ssl_ctx *ctx, const pictures *const *rows_of_images, const map_row *rows, int n_rows, const char *path)
{
    const pictures *p = rows_of_images[0];
    const int scale = picture_scale(p->h), side = p->h * scale, step = side + 8;
    ssl_canvas *canvas = ssl_canvas_new(ctx, 10 + p->n * step, n_rows * (step + 22) + 4, 0xffffff);
    int i, k;
    for (k = 0; canvas && k < n_rows; k++) {
        const map_row *r = &rows[k];
        const int y = k * (step + 22) + 22;
        ssl_canvas_text(canvas, 10, y - 18, 2, 0x202020, r->title);
        for (i = 0; i < p->n; i++) {
            const int x = 10 + i * step;
            if (!r->value) pictures_draw(rows_of_images[k], canvas, x, y, scale, pictures_at(rows_of_images[k], i));
            else {
                int cell;
                for (cell = 0; cell < r->h * r->w; cell++) /* one cell at a time: the side need not divide by the map's */
                    ssl_canvas_heat(canvas, x + cell % r->w * (side / r->w), y + cell / r->w * (side / r->h), side / r->w, r->value + (size_t)i * (size_t)(r->h * r->w) + cell, 1, 1, r->lo, r->hi);
            }
            if (r->mark >= 0) maps_draw_mark(canvas, x, y, side, r);
        }
    }
    ssl_canvas_save(canvas, path);
    ssl_canvas_free(canvas);
}
/* out [n,P]: products of one place of each map a [n,D,h,w] (place -1: its mean) with all of b; unit 1: cosines */
static int maps_compare(const ssl_tensor *a, int place, const ssl_tensor *b, int shift, int unit, float *out)
{
    const int n = a->dim[0], D = a->dim[1], A = (int)(ssl_numel(a) / n / D), P = (int)(ssl_numel(b) / n / D);
    float *x = (float *)malloc(sizeof(float) * (size_t)ssl_numel(a)), *y = (float *)malloc(sizeof(float) * (size_t)ssl_numel(b));
    const int ok = x && y && ssl_to_host(a, x) && ssl_to_host(b, y);
    int i, j, d;
    for (i = 0; ok && i < n; i++)
        for (j = 0; j < P; j++) {
            double dot = 0.0, xx = 1e-12, yy = 1e-12;
            for (d = 0; d < D; d++) {
                const double u = (double)x[((size_t)((i + shift) % n) * (size_t)D + (size_t)d) * (size_t)A + (size_t)place], v = (double)y[((size_t)i * (size_t)D + (size_t)d) * (size_t)P + (size_t)j];
                dot += u * v; xx += u * u; yy += v * v;
            }
            out[i * P + j] = (float)(unit ? dot / sqrt(xx * yy) : dot / sqrt((double)D));
        }
    free(x);
    free(y);
    return ok;
}

/* ---- pixpro, pixcontrast ---- */
typedef struct pixpro_desc { ssl_pixpro_desc d; char pixel_layer[WORD_SIZE], instance_layer[WORD_SIZE]; } pixpro_desc;
static const field pixpro_fields[] = {
    RESNET_FIELDS(pixpro_desc, d.resnet.),
    F(WORD, pixpro_desc, pixel_layer, "layer whose map is contrasted, by torchvision's name; -: layer4"),
    F(WORD, pixpro_desc, instance_layer, "layer that stands for the whole; -: avgpool"),
    F_AT(INTEGER, pixpro_desc, "projection_size", d.projection_size, "width of the projections"),
    F_AT(INTEGER, pixpro_desc, "projection_hidden", d.projection_hidden, "hidden width of projectors and predictor"),
    F_AT(NUMBER0, pixpro_desc, "flip_p", d.flip_p, "probability that a view is mirrored"),
    F_AT(NUMBER0, pixpro_desc, "target_momentum", d.momentum, "of the target network"),
    F_AT(INTEGER, pixpro_desc, "ppm_layers", d.ppm_layers, "layers of the pixel propagation: 1, 2, or -1 for none"),
    F_AT(NUMBER, pixpro_desc, "ppm_gamma", d.ppm_gamma, "sharpness of the pixel propagation"),
    F_AT(NUMBER, pixpro_desc, "distance", d.distance, "pixels nearer than this are positive pairs"),
    F_AT(NUMBER, pixpro_desc, "temperature", d.temperature, "of the pixel contrast"),
    F_AT(NUMBER0, pixpro_desc, "alpha", d.alpha, "weight of the pixel loss"),
    F_AT(INTEGER, pixpro_desc, "pixel_contrast", d.contrast, "1: pixel contrast instead of propagation and consistency"),
    F_AT(NUMBER, pixpro_desc, "cutout_min", d.cutout_min, "least side of a view / side of the image"),
    F_AT(NUMBER, pixpro_desc, "cutout_max", d.cutout_max, "greatest side of a view / side of the image"),
    { "cutout_mode", CHOICE, offsetof(pixpro_desc, d.cutout_mode), "default|nearest|bilinear", "how a cut is resized" },
    { "coord_mode", CHOICE, offsetof(pixpro_desc, d.coord_mode), "default|nearest|bilinear", "how its places are" },
    F_AT(INTEGER, pixpro_desc, "official", d.official, "1: the rule of the original PixPro: a cut for each image, distance over the bin's diagonal"),
};
static int pixpro_resolve(const void *desc, void *out)
{
    const pixpro_desc *d = (const pixpro_desc *)desc;
    pixpro_desc *o = (pixpro_desc *)out;
    *o = *d;
    return ssl_pixpro_desc_resolve(&d->d, &o->d);
}
static void *pixpro_create(ssl_ctx *ctx, void *desc, int image_size, int channels) /* the names stay where the settings are */
{
    pixpro_desc *d = (pixpro_desc *)desc;
    d->d.image_size = image_size;
    d->d.resnet.channels = channels;
    if (*d->pixel_layer) d->d.pixel_layer = d->pixel_layer;
    if (*d->instance_layer) d->d.instance_layer = d->instance_layer;
    return ssl_pixpro_new(ctx, "", &d->d);
}
static ssl_tensor *pixpro_features(void *model, ssl_tensor *images) { return ssl_pixpro_features((const ssl_pixpro *)model, images); }
static void pixpro_update(void *model, float progress) { (void)progress; ssl_pixpro_update((const ssl_pixpro *)model); }
static ssl_tensor *pixpro_loss(void *model, const ssl_batch *b, double *metrics)
{
    ssl_pixpro_trace t = SSL_ZERO;
    ssl_tensor *loss = ssl_pixpro_loss((const ssl_pixpro *)model, b->views[0], b->views[1], &t);
    if (metrics && ssl_ok(loss->ctx)) {
        metrics[0] = (double)ssl_item(t.pixel_loss);
        metrics[1] = (double)ssl_item(t.instance_loss);
        metrics[2] = (double)t.num_positive;
    }
    return loss;
}
/* The model as it was before training: its seed gives the same weights again. NULL if that cannot be had. */
static ssl_ctx *context_again(ssl_ctx *ctx)
{
    const char *seed = ssl_note_find(ctx, "set.seed");
    ssl_desc d = SSL_ZERO;
    ssl_ctx *c;
    if (!seed) return NULL;
    d.seed = (uint64_t)strtoull(seed, NULL, 10);
    c = ssl_open(&d);
    ssl_train(c, 0);
    ssl_no_grad(c, 1);
    return c;
}
static void pixpro_cosines(const ssl_pixpro *m, ssl_tensor *images, const ssl_view_box *boxes, int mark, ssl_pixpro_trace *t, float *out)
{
    t->boxes = boxes;
    ssl_pixpro_loss(m, images, images, t);
    if (ssl_ok(m->ctx)) maps_compare(t->pixel[0], mark, t->pixel[1], 0, 1, out);
}
/* Two cuts of each image; a pixel of the first and how like it the pixels of the second are, before and after training. */
static void pixpro_picture(void *model, ssl_tensor *images, const ssl_augment_desc *a, const char *path)
{
    static const float part[2][4] = { { 0.0f, 0.8f, 0.0f, 0.8f }, { 0.2f, 1.0f, 0.2f, 1.0f } }; /* y0 y1 x0 x1 */
    const ssl_pixpro *m = (const ssl_pixpro *)model;
    const int n = images->dim[0], H = images->dim[2], W = images->dim[3];
    ssl_view_box boxes[2 * 64], *box = boxes;
    ssl_pixpro_trace t = SSL_ZERO, before = SSL_ZERO;
    pictures p[3];
    const pictures *shown[4];
    map_row rows[4] = { { "view 1 and one pixel of its map", NULL, 1, 1, 0, 0, 0 }, { "view 2", NULL, 1, 1, -1, 0, 0 },
                        { "", NULL, 1, 1, -1, 0, 1 }, { "", NULL, 1, 1, -1, 0, 1 } };
    char title[2][64];
    float *cosine[2] = { NULL, NULL };
    ssl_ctx *again = context_again(m->ctx);
    int i, v, mark, P;
    memset(p, 0, sizeof p);
    if (n > 64 || !again) { ssl_close(again); return; }
    for (v = 0; v < 2; v++)
        for (i = 0; i < (m->d.official ? n : 1); i++, box++) {
            memset(box, 0, sizeof *box);
            box->y0 = (int)(part[v][0] * (float)H); box->y1 = (int)(part[v][1] * (float)H);
            box->x0 = (int)(part[v][2] * (float)W); box->x1 = (int)(part[v][3] * (float)W);
        }
    t.boxes = boxes;
    ssl_pixpro_loss(m, images, images, &t);
    if (ssl_ok(m->ctx) && pictures_get(&p[2], images, a)) {
        const ssl_pixpro *old = ssl_pixpro_new(again, "", &m->d);
        rows[0].h = rows[2].h = rows[3].h = t.pixel[0]->dim[2];
        rows[0].w = rows[2].w = rows[3].w = t.pixel[0]->dim[3];
        P = rows[0].h * rows[0].w;
        rows[0].mark = mark = rows[0].h / 2 * rows[0].w + rows[0].w / 2;
        for (i = 0; i < 2; i++) cosine[i] = (float *)calloc((size_t)(n * P), sizeof(float));
        rows[2].value = cosine[0];
        rows[3].value = cosine[1];
        if (cosine[0] && cosine[1]) {
            pixpro_cosines(old, ssl_input(again, p[2].x, 4, n, p[2].c, H, W), boxes, mark, &before, cosine[0]);
            pixpro_cosines(m, images, boxes, mark, &t, cosine[1]);
            for (v = 0; v < 2; v++) { /* from the least value of the row to 1 */
                for (i = 0, rows[2 + v].lo = 0.99f; i < n * P; i++) if (cosine[v][i] < rows[2 + v].lo) rows[2 + v].lo = cosine[v][i];
                snprintf(title[v], sizeof title[v], "likeness to it %s training: %.2f to 1", v ? "after" : "before", (double)rows[2 + v].lo);
                rows[2 + v].title = title[v];
            }
        }
        shown[2] = shown[3] = &p[2];
        for (v = 0; v < 2; v++) shown[v] = pictures_get(&p[v], t.view[v], a) ? &p[v] : &p[2];
        if (cosine[0] && cosine[1] && ssl_ok(again)) maps_picture(m->ctx, shown, rows, 4, path);
    }
    for (i = 0; i < 3; i++) free(p[i].x);
    free(cosine[0]);
    free(cosine[1]);
    ssl_close(again);
}

/* ---- cpc ---- */
static const field cpc_fields[] = {
    RESNET_FIELDS(ssl_cpc_desc, resnet.),
    F(INTEGER, ssl_cpc_desc, layer_norm, "1: the encoder of CPC v2, a ResNet-101 with layer norms; width and blocks make it smaller"),
    F(INTEGER, ssl_cpc_desc, patch, "side of a patch in pixels"),
    F_AT(INTEGER, ssl_cpc_desc, "patch_stride", stride, "from patch to patch; 0: patch / 2"),
    F(INTEGER, ssl_cpc_desc, target_dim, "width of predictions and targets"),
    F(NUMBER, ssl_cpc_desc, embed_scale, "factor of the predictions"),
    F(INTEGER, ssl_cpc_desc, hidden, "width of the PixelCNN"),
    F_AT(INTEGER, ssl_cpc_desc, "context_blocks", blocks, "its blocks"),
    F(INTEGER, ssl_cpc_desc, each_once, "1: every row below counts once, the next one too; 0: as Lightning Bolts counts"),
};
static int cpc_resolve(const void *desc, void *out) { return ssl_cpc_desc_resolve((const ssl_cpc_desc *)desc, (ssl_cpc_desc *)out); }
static void *cpc_create(ssl_ctx *ctx, void *desc, int image_size, int channels)
{
    ssl_cpc_desc *d = (ssl_cpc_desc *)desc;
    (void)image_size;
    d->resnet.channels = channels;
    return ssl_cpc_new(ctx, "", d);
}
static ssl_tensor *cpc_features(void *model, ssl_tensor *images) { return ssl_cpc_features((const ssl_cpc *)model, images); }
static ssl_tensor *cpc_loss(void *model, const ssl_batch *b, double *metrics)
{
    (void)metrics;
    return ssl_cpc_loss((const ssl_cpc *)model, b->images, NULL);
}
/* What the patches above a marked one predict, against all patches of the image: high below it is right. */
static void cpc_picture(void *model, ssl_tensor *images, const ssl_augment_desc *a, const char *path)
{
    const ssl_cpc *m = (const ssl_cpc *)model;
    map_row rows[3] = { { "the context of one place", NULL, 1, 1, 0, 0, 0 }, { "predicts: own image", NULL, 1, 1, 0, -1, 1 }, { "next image's prediction", NULL, 1, 1, 0, -1, 1 } };
    ssl_cpc_trace t;
    pictures p = SSL_ZERO;
    const pictures *shown[3];
    float *value[2] = { NULL, NULL };
    int i, n = images->dim[0];
    ssl_cpc_loss(m, images, &t);
    shown[0] = shown[1] = shown[2] = &p;
    if (ssl_ok(m->ctx) && pictures_get(&p, images, a)) {
        const int h = t.preds->dim[2], w = t.preds->dim[3];
        for (i = 0; i < 3; i++) { rows[i].h = h; rows[i].w = w; rows[i].mark = h / 3 * w + w / 2; }
        for (i = 0; i < 2; i++) {
            rows[1 + i].value = value[i] = (float *)malloc(sizeof(float) * (size_t)(n * h * w));
            if (value[i]) maps_compare(t.preds, rows[0].mark, t.targets, i, 1, value[i]);
        }
        if (value[0] && value[1]) maps_picture(m->ctx, shown, rows, 3, path);
    }
    free(p.x);
    free(value[0]);
    free(value[1]);
}

/* ---- amdim ---- */
typedef struct amdim_desc { ssl_amdim_desc d; char comparisons[WORD_SIZE]; } amdim_desc;
static const field amdim_fields[] = {
    F_AT(INTEGER, amdim_desc, "ndf", d.ndf, "channels of the first layer; 0: by the size of the images"),
    F_AT(INTEGER, amdim_desc, "rkhs", d.rkhs, "channels of the maps; 0: by the size of the images"),
    F_AT(INTEGER, amdim_desc, "depth", d.depth, "units of a block; 0: by the size of the images"),
    F_AT(INTEGER, amdim_desc, "batch_norm", d.batch_norm, "1: batch norm inside the units, too"),
    F_AT(INTEGER, amdim_desc, "use_resnet", d.use_resnet, "1: a ResNet instead of AMDIM's encoder"),
    F_AT(INTEGER, amdim_desc, "resnet_maps", d.resnet_maps, "its maps: pooled layer4, layer4, layer3, layer2, layer1"),
    RESNET_FIELDS(amdim_desc, d.resnet.),
    F(WORD, amdim_desc, comparisons, "\"ij,kl\": map i of one view against map j of the other, r a random one; -: 01,02,11"),
    F_AT(NUMBER, amdim_desc, "tclip", d.tclip, "scores are bent to stay below it"),
    F_AT(INTEGER, amdim_desc, "one_direction", d.one_direction, "1: not averaged with the views swapped"),
};
static int amdim_resolve(const void *desc, void *out)
{
    const amdim_desc *d = (const amdim_desc *)desc;
    amdim_desc *o = (amdim_desc *)out;
    *o = *d;
    return ssl_amdim_desc_resolve(&d->d, &o->d);
}
static void *amdim_create(ssl_ctx *ctx, void *desc, int image_size, int channels) /* the string stays where the settings are */
{
    amdim_desc *d = (amdim_desc *)desc;
    d->d.image_size = image_size;
    d->d.channels = channels;
    if (*d->comparisons) d->d.comparisons = d->comparisons;
    return ssl_amdim_new(ctx, "", &d->d);
}
static ssl_tensor *amdim_features(void *model, ssl_tensor *images) { return ssl_amdim_features((const ssl_amdim *)model, images); }
static ssl_tensor *amdim_loss(void *model, const ssl_batch *b, double *metrics)
{
    ssl_fmc_trace t = SSL_ZERO;
    ssl_tensor *loss = ssl_amdim_loss((const ssl_amdim *)model, b->views[0], b->views[1], &t);
    if (metrics && ssl_ok(loss->ctx)) metrics[0] = (double)ssl_item(t.regularizer);
    return loss;
}
/* Where an image looks like its own summary (map 0), and like that of the next image. */
static void amdim_picture(void *model, ssl_tensor *images, const ssl_augment_desc *a, const char *path)
{
    const ssl_amdim *m = (const ssl_amdim *)model;
    map_row rows[3] = { { "image", NULL, 1, 1, -1, 0, 0 }, { "places like its own summary", NULL, 1, 1, -1, 0, 0 }, { "like the next image's", NULL, 1, 1, -1, 0, 0 } };
    ssl_tensor *map[SSL_AMDIM_MAPS];
    pictures p = SSL_ZERO;
    const pictures *shown[3];
    float *value[2] = { NULL, NULL };
    const int n = images->dim[0], last = ssl_amdim_maps(m, images, map) - 1;
    int i, j, P;
    shown[0] = shown[1] = shown[2] = &p;
    if (ssl_ok(m->ctx) && last > 0 && pictures_get(&p, images, a)) {
        P = map[last]->dim[2] * map[last]->dim[3];
        for (i = 0; i < 2; i++) {
            rows[1 + i].h = map[last]->dim[2];
            rows[1 + i].w = map[last]->dim[3];
            rows[1 + i].value = value[i] = (float *)malloc(sizeof(float) * (size_t)(n * P));
            if (value[i]) maps_compare(map[0], 0, map[last], i, 0, value[i]);
        }
        for (i = 0; value[0] && value[1] && i < 2 * n * P; i++) { /* one scale for both rows */
            const float v = value[i & 1][i / 2];
            if (v < rows[1].lo) rows[1].lo = v;
            if (v > rows[1].hi) rows[1].hi = v;
        }
        for (j = 1; j < 3; j++) { rows[j].lo = rows[1].lo; rows[j].hi = rows[1].hi; }
        if (value[0] && value[1]) maps_picture(m->ctx, shown, rows, 3, path);
    }
    free(p.x);
    free(value[0]);
    free(value[1]);
}

/* a ResNet of a few blocks and ImageNet's stem, whose layer2 has 4 x 4 places at 32 pixels, and milder colors: learns in a minute */
#define DENSE_SMALL "augment=pixpro solarize_p=0 brightness=0.4 contrast=0.4 saturation=0.4 hue=0.1 flip_p=0.5 target_momentum=0.95 batch=32 width=32 blocks1=1 " \
                    "blocks2=1 blocks3=1 blocks4=1 pixel_layer=layer2 projection_hidden=256 projection_size=64"
#define DENSE_METHODS                                                                                          \
    { "pixpro", "agreement of the same pixels in two crops, propagated", DENSE_SMALL, 2, \
      GROUP("", pixpro_fields), sizeof(pixpro_desc), pixpro_resolve, pixpro_create, pixpro_loss, "pixel_loss,instance_loss,positives", pixpro_features, pixpro_update, pixpro_picture, NULL }, \
    { "pixcontrast", "contrast of pixels: the same place in two crops against all others", DENSE_SMALL " pixel_contrast=1", 2, \
      GROUP("", pixpro_fields), sizeof(pixpro_desc), pixpro_resolve, pixpro_create, pixpro_loss, "pixel_loss,instance_loss,positives", pixpro_features, pixpro_update, pixpro_picture, NULL }, \
    { "cpc", "predictive coding: tell the patches below from those above", "augment=amdim layer_norm=1 width=8 blocks1=1 blocks2=1 blocks3=1 blocks4=1 hidden=64 embed_scale=1 each_once=1 lr=3e-3 batch=16 kind=adam", 1, \
      GROUP("", cpc_fields), sizeof(ssl_cpc_desc), cpc_resolve, cpc_create, cpc_loss, "", cpc_features, NULL, cpc_picture, NULL }, \
    { "amdim", "contrast of feature maps: a summary against the places of another view", "augment=amdim ndf=32 rkhs=128 depth=2 batch=50 kind=adam", 2, \
      GROUP("", amdim_fields), sizeof(amdim_desc), amdim_resolve, amdim_create, amdim_loss, "regularizer", amdim_features, NULL, amdim_picture, NULL },

#define DENSE_BOLTS "kind=adam beta1=0.8 eps=1e-7 weight_decay=1e-5 schedule=constant clip_norm=0 "
#define DENSE_PRESETS                                                                                          \
    { "pixpro-resnet50", "pixpro", "data=folder:data/images image_size=256 resnet=50 width=64 blocks1=0 blocks2=0 blocks3=0 blocks4=0 projection_size=256 " \
      "pixel_layer=layer4 projection_hidden=2048 batch=10 kind=adam lr=1e-4 schedule=constant clip_norm=0 flip_p=0.25 target_momentum=0.99 solarize_p=0.5 brightness=0.8 contrast=0.8 saturation=0.8 hue=0.2 epochs=100", "PixelCL's usage example: 256 pixels, a map of 8 x 8" }, \
    { "amdim-cifar10", "amdim", "data=cifar10:data/cifar10 ndf=320 rkhs=1280 depth=10 batch=200 lr=2e-4 epochs=300 " DENSE_BOLTS, "AMDIM of Lightning Bolts on CIFAR-10" }, \
    { "amdim-stl10", "amdim", "data=stl10:data/stl10 split=unlabeled augment=amdim-large size=64 ndf=192 rkhs=1536 depth=8 batch=200 lr=2e-4 epochs=300 " DENSE_BOLTS, \
      "on STL-10's unlabeled images, crops of 64 pixels" }, \
    { "amdim-imagenet", "amdim", "data=folder:data/imagenet augment=amdim-large size=128 ndf=320 rkhs=2560 depth=10 batch=200 lr=2e-4 epochs=50 " DENSE_BOLTS, \
      "on ImageNet, crops of 128 pixels" }, \
    { "cpc-cifar10", "cpc", "data=cifar10:data/cifar10 patch=8 patch_stride=4 width=64 blocks1=3 blocks2=4 blocks3=46 blocks4=3 hidden=256 embed_scale=0.1 each_once=0 batch=44 lr=1e-4 epochs=300 " DENSE_BOLTS, \
      "CPC v2 of Lightning Bolts on CIFAR-10" }, \
    { "cpc-stl10", "cpc", "data=stl10:data/stl10 split=unlabeled augment=amdim-large size=64 patch=16 patch_stride=8 width=64 blocks1=3 blocks2=4 blocks3=46 blocks4=3 hidden=256 embed_scale=0.1 each_once=0 batch=108 " \
      "lr=1e-4 epochs=300 " DENSE_BOLTS, "on STL-10's unlabeled images, crops of 64 pixels" }, \
    { "cpc-imagenet", "cpc", "data=folder:data/imagenet augment=amdim-large size=256 patch=32 patch_stride=16 width=64 blocks1=3 blocks2=4 blocks3=46 blocks4=3 hidden=256 embed_scale=0.1 each_once=0 batch=48 " \
      "lr=1e-4 epochs=100 " DENSE_BOLTS, "on ImageNet, crops of 256 pixels" },
#endif
