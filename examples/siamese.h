/* siamese.h: rows of methods.h for the methods that compare two views: simclr, moco, byol, simsiam, barlow, vicreg, dino. */
#ifndef SIAMESE_H
#define SIAMESE_H

/* vit or resnet, and the settings of both */
#define BACKBONE_FIELDS(type, at)                                                                              \
    { "backbone", CHOICE, offsetof(type, at kind), "default|vit|resnet", "the network; default: vit" },        \
    VIT_FIELDS(type, at vit.),                                                                                 \
    F_AT(INTEGER, type, "resnet_depth", at resnet.depth, "resnet: 18, 34, 50, 101 or 152"),                    \
    F_AT(INTEGER, type, "resnet_width", at resnet.width, "resnet: channels of its first convolution; 64 as published"), \
    F_AT(INTEGER, type, "cifar_stem", at resnet.cifar_stem, "resnet: 1 first convolution 3x3 with stride 1, no pooling; -1 never; 0: 1 below 64 pixels"), \
    F_AT(INTEGER, type, "zero_init_residual", at resnet.zero_init_residual, "resnet: 1 every block begins as the identity")
#define PROJECTOR_FIELDS                                                                                       \
    BACKBONE_FIELDS(ssl_siamese_desc, backbone.),                                                              \
    F(INTEGER, ssl_siamese_desc, projector_hidden, "hidden width of the projector"),                           \
    F(INTEGER, ssl_siamese_desc, projector_out, "width of the projections"),                                   \
    F(INTEGER, ssl_siamese_desc, projector_layers, "layers of the projector, 1 to 4")
#define MOMENTUM_FIELDS                                                                                        \
    F(NUMBER, ssl_siamese_desc, momentum, "of the target: what stays of it in a step, at the beginning"),      \
    { "momentum_schedule", CHOICE, offsetof(ssl_siamese_desc, momentum_schedule), "default|constant|cosine", "cosine: rises to 1 at the end of the run" }
static const field simclr_fields[] = {
    PROJECTOR_FIELDS,
    F(NUMBER, ssl_siamese_desc, temperature, "of NT-Xent"),
};
static const field moco_fields[] = {
    PROJECTOR_FIELDS, MOMENTUM_FIELDS,
    F(NUMBER, ssl_siamese_desc, temperature, "of the cross entropy"),
    F(INTEGER, ssl_siamese_desc, queue, "keys that are kept; at least twice the batch"),
};
static const field byol_fields[] = {
    PROJECTOR_FIELDS, MOMENTUM_FIELDS,
    F(INTEGER, ssl_siamese_desc, predictor_hidden, "hidden width of the predictor"),
};
static const field simsiam_fields[] = {
    PROJECTOR_FIELDS,
    F(INTEGER, ssl_siamese_desc, predictor_hidden, "hidden width of the predictor"),
};
static const field barlow_fields[] = {
    PROJECTOR_FIELDS,
    F(NUMBER, ssl_siamese_desc, lambda, "weight of the correlations off the diagonal"),
};
static const field vicreg_fields[] = {
    PROJECTOR_FIELDS,
    F(NUMBER, ssl_siamese_desc, lambda, "weight of the distance between the two views"),
    F(NUMBER, ssl_siamese_desc, mu, "weight of the variance"),
    F(NUMBER, ssl_siamese_desc, nu, "weight of the covariance"),
};
static const field dino_fields[] = {
    PROJECTOR_FIELDS, MOMENTUM_FIELDS,
    F(INTEGER, ssl_siamese_desc, prototypes, "how many of them"),
    F(NUMBER, ssl_siamese_desc, temperature, "of the student"),
    F(NUMBER, ssl_siamese_desc, teacher_temperature, "of the teacher after its warm-up; below the student's"),
    F(NUMBER, ssl_siamese_desc, teacher_temperature_start, "of the teacher at the beginning"),
    F(NUMBER0, ssl_siamese_desc, teacher_warmup, "part of the run from one to the other"),
    F(NUMBER0, ssl_siamese_desc, center_momentum, "what stays of the center in a step; higher: slower"),
    F(NUMBER0, ssl_siamese_desc, freeze_prototypes, "part of the run during which they stay as they are"),
};

static void *siamese_new(ssl_ctx *ctx, void *desc, ssl_siamese_kind kind, int image_size, int channels)
{
    ssl_siamese_desc *d = (ssl_siamese_desc *)desc;
    d->kind = kind;
    d->backbone.image_size = image_size;
    d->backbone.channels = channels;
    return ssl_siamese_new(ctx, "", d);
}
static int siamese_resolve(const void *desc, void *out, ssl_siamese_kind kind)
{
    ssl_siamese_desc d = *(const ssl_siamese_desc *)desc;
    d.kind = kind;
    return ssl_siamese_desc_resolve(&d, (ssl_siamese_desc *)out);
}
#define SIAMESE(name, kind)                                                                                    \
    static int name##_resolve(const void *desc, void *out) { return siamese_resolve(desc, out, kind); }        \
    static void *name##_create(ssl_ctx *ctx, void *desc, int image_size, int channels)                         \
    { return siamese_new(ctx, desc, kind, image_size, channels); }
SIAMESE(simclr, SSL_SIAMESE_SIMCLR)
SIAMESE(moco, SSL_SIAMESE_MOCO)
SIAMESE(byol, SSL_SIAMESE_BYOL)
SIAMESE(simsiam, SSL_SIAMESE_SIMSIAM)
SIAMESE(barlow, SSL_SIAMESE_BARLOW)
SIAMESE(vicreg, SSL_SIAMESE_VICREG)
SIAMESE(dino, SSL_SIAMESE_DINO)

/* Rows of x [n,d] to length 1; returns the mean over the columns of their deviation over the rows, times sqrt(d): 1 for
   directions spread evenly, 0 for a collapse to one. */
static double unit_rows(float *x, int n, int d)
{
    double spread = 0.0;
    int i, j;
    for (i = 0; i < n; i++) {
        float *row = x + (size_t)i * (size_t)d;
        double norm = 0.0;
        for (j = 0; j < d; j++) norm += (double)row[j] * (double)row[j];
        for (j = 0; j < d; j++) row[j] = (float)((double)row[j] / (sqrt(norm) + 1e-12));
    }
    for (j = 0; j < d; j++) {
        double sum = 0.0, squares = 0.0;
        for (i = 0; i < n; i++) { const double v = (double)x[(size_t)i * (size_t)d + (size_t)j]; sum += v; squares += v * v; }
        spread += sqrt(fmax(squares / n - sum * sum / n / n, 0.0));
    }
    return spread / sqrt((double)d);
}
static double row_product(const float *a, const float *b, int d)
{
    double sum = 0.0;
    int j;
    for (j = 0; j < d; j++) sum += (double)a[j] * (double)b[j];
    return sum;
}
/* cosine: mean over the images of cos(z1, z2); spread: of z1 over the batch, which tells a collapse from a success */
static void siamese_metrics(const ssl_siamese_trace *t, double *metrics)
{
    const int n = t->projection[0]->dim[0], d = t->projection[0]->dim[1];
    float *z1 = (float *)malloc(sizeof(float) * (size_t)n * (size_t)d), *z2 = (float *)malloc(sizeof(float) * (size_t)n * (size_t)d);
    int i;
    metrics[0] = metrics[1] = 0.0;
    if (z1 && z2 && ssl_to_host(t->projection[0], z1) && ssl_to_host(t->projection[1], z2)) {
        unit_rows(z2, n, d);
        metrics[1] = unit_rows(z1, n, d);
        for (i = 0; i < n; i++) metrics[0] += row_product(z1 + (size_t)i * (size_t)d, z2 + (size_t)i * (size_t)d, d) / n;
    }
    free(z1);
    free(z2);
}
static ssl_tensor *siamese_loss(void *model, const ssl_batch *b, double *metrics)
{
    ssl_siamese_trace t;
    ssl_tensor *loss = ssl_siamese_loss((const ssl_siamese *)model, b->n_views, b->views, &t);
    if (metrics && ssl_ok(loss->ctx)) siamese_metrics(&t, metrics);
    return loss;
}
static ssl_tensor *siamese_features(void *model, ssl_tensor *images) { return ssl_siamese_features((const ssl_siamese *)model, images); }
static void siamese_update(void *model, float progress) { ssl_siamese_update((const ssl_siamese *)model, progress); }

/* Cosines of the projections of some images (rows) with those of mirrored parts of the same images (columns): bright on the
   diagonal and dark elsewhere if a view is found again among the others. */
static void siamese_draw(ssl_canvas *canvas, const pictures *p, const pictures *q, float *z1, float *z2, int d)
{
    const int scale = picture_scale(p->h), step = p->h * scale + 6;
    float cosine;
    char text[16];
    int i, j;
    unit_rows(z1, p->n, d);
    unit_rows(z2, p->n, d);
    for (i = 0; i < p->n; i++) {
        pictures_draw(p, canvas, 10, 10 + (i + 1) * step, scale, pictures_at(p, i));
        pictures_draw(q, canvas, 10 + (i + 1) * step, 10, scale, pictures_at(q, i));
        for (j = 0; j < p->n; j++) {
            cosine = (float)row_product(z1 + (size_t)i * (size_t)d, z2 + (size_t)j * (size_t)d, d);
            ssl_canvas_heat(canvas, 10 + (j + 1) * step, 10 + (i + 1) * step, p->h * scale, &cosine, 1, 1, -0.5f, 1.0f);
            snprintf(text, sizeof text, "%.2f", (double)cosine);
            ssl_canvas_text(canvas, 14 + (j + 1) * step, 14 + (i + 1) * step, 1, 0xffffff, text);
        }
    }
}
static void siamese_picture(void *model, ssl_tensor *images, const ssl_augment_desc *a, const char *path)
{
    const int side = images->dim[2], part = side / 8, n = images->dim[0];
    const ssl_view_box box = { part, side - part, part, side - part, 1, 0 };
    ssl_tensor *views[2];
    ssl_siamese_trace t;
    pictures p = SSL_ZERO, q = SSL_ZERO;
    ssl_canvas *canvas = NULL;
    float *z[2];
    int d;
    views[0] = images;
    views[1] = ssl_cutout(images, &box, side, side, SSL_INTERPOLATE_BILINEAR);
    ssl_siamese_loss((const ssl_siamese *)model, 2, views, &t);
    if (!ssl_ok(images->ctx)) return;
    d = t.projection[0]->dim[1];
    z[0] = (float *)malloc(sizeof(float) * (size_t)n * (size_t)d);
    z[1] = (float *)malloc(sizeof(float) * (size_t)n * (size_t)d);
    if (z[0] && z[1] && pictures_get(&p, images, a) && pictures_get(&q, views[1], a) && ssl_to_host(t.projection[0], z[0]) && ssl_to_host(t.projection[1], z[1]))
        canvas = ssl_canvas_new(images->ctx, 14 + (n + 1) * (side * picture_scale(side) + 6), 14 + (n + 1) * (side * picture_scale(side) + 6), 0xffffff);
    if (canvas) {
        siamese_draw(canvas, &p, &q, z[0], z[1], d);
        ssl_canvas_save(canvas, path);
    }
    ssl_canvas_free(canvas);
    free(p.x); free(q.x); free(z[0]); free(z[1]);
}

/* a row of `methods` */
#define SIAMESE_ROW(name, doc, defaults)                                                                       \
    { #name, doc, defaults, 2, GROUP("", name##_fields), sizeof(ssl_siamese_desc), name##_resolve, name##_create, \
      siamese_loss, "cosine,spread", siamese_features, siamese_update, siamese_picture, NULL }
#define ASYMMETRIC "augment=byol second_blur_p=0.1 second_solarize_p=0.2 " /* first view: blur 1, solarize 0 */
#define SIAMESE_ROWS                                                                                           \
    SIAMESE_ROW(simclr, "contrast: find the other view of the same image in the batch", "augment=simclr lr=2e-3 projector_hidden=256"), \
    SIAMESE_ROW(moco, "contrast: find the other view's key of a slow network in a queue", "augment=simclr lr=2e-3 projector_hidden=256 queue=1024"), \
    SIAMESE_ROW(byol, "predict what a slow network makes of the other view",                                   \
                ASYMMETRIC "lr=1e-3 projector_hidden=256 projector_out=128 predictor_hidden=256 momentum=0.95"),          \
    SIAMESE_ROW(simsiam, "predict what the network itself makes of the other view, held constant",             \
                "augment=simclr kind=adamw lr=1e-3 weight_decay=0.05 projector_hidden=256 projector_out=256 projector_layers=2 predictor_hidden=128"),      \
    SIAMESE_ROW(barlow, "units that agree between two views and do not repeat each other", ASYMMETRIC "lr=2e-3 projector_hidden=256 projector_out=256"), \
    SIAMESE_ROW(vicreg, "two views alike, units that vary, units that do not repeat each other", "augment=vicreg lr=2e-3 projector_hidden=256 projector_out=256"), \
    SIAMESE_ROW(dino, "choose the prototype that a slow network chooses for the other views, small ones too",  \
                ASYMMETRIC "local_blur_p=0.5 lr=2e-3 projector_hidden=256 projector_out=128 prototypes=256 momentum=0.98 teacher_temperature=0.04 local_views=2 scale_min=0.4")
#endif
