/* Every objective: learns eight images by heart, its gradient against differences, the same bits on one and two threads, no
   allocation in a steady loop, and one clear sentence for every bad setting.   ./build/test_objectives [NAME [OBJECTIVE]] */
#define SSL_GUARD /* memory that was handed back reads as NaN: no objective reads it again */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "check.h"

enum { B = 8, SIDE = 16, N = B * 3 * SIDE * SIDE };
static int n_errors;
static char last_error[1024];
static void on_error(ssl_status code, const char *message, void *user)
{
    (void)code; (void)user;
    n_errors++;
    snprintf(last_error, sizeof last_error, "%s", message);
}
static ssl_ctx *open_context(int threads)
{
    ssl_desc d = SSL_ZERO;
    d.on_error = on_error;
    d.threads = threads;
    d.seed = 7;
    n_errors = 0;
    return ssl_open(&d);
}

/* ---- the objectives, small, behind one signature ---- */
typedef struct objective { const char *name; void *(*create)(ssl_ctx *ctx); ssl_tensor *(*loss)(void *model, ssl_tensor *images); int steps; float lr, fraction; } objective;

static void *apl_new(ssl_ctx *c)
{
    ssl_apl_desc d = SSL_ZERO;
    d.image_size = SIDE; d.encoder = SSL_APL_LINEAR; d.dim = 32; d.depth = 2; d.patch_dropout = 0.1f;
    return ssl_apl_new(c, "", &d);
}
static void *apl_original_new(ssl_ctx *c)
{
    ssl_apl_desc d = SSL_ZERO;
    d.image_size = SIDE; d.depth = 2; d.heads = 3; d.original_attention = 1; d.mlp_head = 1; d.method = SSL_APL_SUBSET; d.patch_dropout = 0.2f;
    return ssl_apl_new(c, "", &d);
}
static void *apl_cnn_new(ssl_ctx *c)
{
    ssl_apl_desc d = SSL_ZERO;
    d.image_size = SIDE; d.encoder = SSL_APL_CNN; d.project_patch_emb = 1; d.depth = 1; d.encoder_dropout = 0.1f;
    return ssl_apl_new(c, "", &d);
}
static void *apl_resnet_new(ssl_ctx *c)
{
    ssl_apl_desc d = SSL_ZERO;
    d.image_size = SIDE; d.grid = 2; d.encoder = SSL_APL_RESNET18; d.depth = 1; d.hidden = 64;
    return ssl_apl_new(c, "", &d);
}
static ssl_tensor *apl_loss(void *m, ssl_tensor *x) { return ssl_apl_loss((const ssl_apl *)m, x, NULL); }

static void *mae_new(ssl_ctx *c)
{
    ssl_mae_desc d = SSL_ZERO;
    d.image_size = SIDE; d.dim = 32; d.depth = 2; d.heads = 2; d.decoder_dim = 32; d.decoder_depth = 1; d.norm_pix = 1; d.mask_ratio = 0.5f;
    return ssl_mae_new(c, "", &d);
}
static ssl_tensor *mae_loss(void *m, ssl_tensor *x) { return ssl_mae_loss((const ssl_mae *)m, x, NULL); }

static void *mask_token_mae_new(ssl_ctx *c)
{
    ssl_mask_token_mae_desc d = SSL_ZERO;
    d.image_size = SIDE; d.dim = 32; d.depth = 2; d.heads = 2; d.decoder_dim = 32; d.decoder_depth = 1; d.mask_tokens = 3; d.per_image = 1; d.pixel_scale = 1.0f;
    return ssl_mask_token_mae_new(c, "", &d);
}
static ssl_tensor *mask_token_mae_loss(void *m, ssl_tensor *x) { return ssl_mask_token_mae_loss((const ssl_mask_token_mae *)m, x, NULL); }

static void *randsac_new_with(ssl_ctx *c, ssl_segments segments, int groups)
{
    ssl_randsac_desc d = SSL_ZERO;
    d.image_size = SIDE; d.patch = 2; d.segments = segments; d.groups = groups; d.dim = 32; d.depth = 2; d.heads = 2; d.decoder_depth = 2;
    return ssl_randsac_new(c, "", &d);
}
static void *randsac_new(ssl_ctx *c) { return randsac_new_with(c, SSL_SEGMENTS_SQUARE, 2); }
static void *randsac_blob_new(ssl_ctx *c) { return randsac_new_with(c, SSL_SEGMENTS_BLOB, 2); }
static ssl_tensor *randsac_loss(void *m, ssl_tensor *x) { return ssl_randsac_loss((const ssl_randsac *)m, x, NULL); }

static ssl_vit_desc small_vit(void)
{
    ssl_vit_desc v = SSL_ZERO;
    v.image_size = SIDE; v.dim = 32; v.depth = 2; v.heads = 2;
    return v;
}
static void *jigsaw_new(ssl_ctx *c)
{
    ssl_jigsaw_desc d = SSL_ZERO;
    d.image_size = SIDE; d.grid = 2; d.permutations = 8; d.backbone.vit = small_vit(); d.backbone.vit.patch = 2; d.mix = 1;
    return ssl_jigsaw_new(c, "", &d);
}
static ssl_tensor *jigsaw_loss(void *m, ssl_tensor *x) { return ssl_jigsaw_loss((const ssl_jigsaw *)m, x, NULL); }
static void *rotation_new(ssl_ctx *c)
{
    ssl_rotation_desc d = SSL_ZERO;
    d.backbone.vit = small_vit();
    d.backbone.image_size = SIDE;
    return ssl_rotation_new(c, "", &d);
}
static ssl_tensor *rotation_loss(void *m, ssl_tensor *x) { return ssl_rotation_loss((const ssl_rotation *)m, x, NULL); }
static void *mp3_new_with(ssl_ctx *c, int hidden_only)
{
    ssl_mp3_desc d = SSL_ZERO;
    d.vit = small_vit(); d.mask_ratio = 0.5f; d.hidden_only = hidden_only;
    return ssl_mp3_new(c, "", &d);
}
static void *mp3_new(ssl_ctx *c) { return mp3_new_with(c, 0); }
static void *mp3_hidden_new(ssl_ctx *c) { return mp3_new_with(c, 1); }
static ssl_tensor *mp3_loss(void *m, ssl_tensor *x) { return ssl_mp3_loss((const ssl_mp3 *)m, x, NULL); }

static ssl_siamese_desc siamese_desc(ssl_siamese_kind kind)
{
    ssl_siamese_desc d = SSL_ZERO;
    d.kind = kind;
    d.backbone.image_size = SIDE;
    d.backbone.vit.dim = 32; d.backbone.vit.depth = 2; d.backbone.vit.heads = 2; d.backbone.vit.mean_pool = 1;
    d.projector_hidden = d.projector_out = d.predictor_hidden = 32;
    d.queue = 32;
    d.prototypes = 24;
    d.momentum = 0.9f;
    d.teacher_temperature = 0.04f;
    d.freeze_prototypes = SSL_EXPLICIT_ZERO;
    return d;
}
static void *siamese_new(ssl_ctx *c, ssl_siamese_kind kind) { const ssl_siamese_desc d = siamese_desc(kind); return ssl_siamese_new(c, "", &d); }
static void *simclr_new(ssl_ctx *c) { return siamese_new(c, SSL_SIAMESE_SIMCLR); }
static void *moco_new(ssl_ctx *c) { return siamese_new(c, SSL_SIAMESE_MOCO); }
static void *byol_new(ssl_ctx *c) { return siamese_new(c, SSL_SIAMESE_BYOL); }
static void *simsiam_new(ssl_ctx *c) { return siamese_new(c, SSL_SIAMESE_SIMSIAM); }
static void *barlow_new(ssl_ctx *c) { return siamese_new(c, SSL_SIAMESE_BARLOW); }
static void *vicreg_new(ssl_ctx *c) { return siamese_new(c, SSL_SIAMESE_VICREG); }
static void *dino_new(ssl_ctx *c) { return siamese_new(c, SSL_SIAMESE_DINO); }
/* SimSiam's targets are its own projections, held constant: differences must hold them, too. */
static int hold; /* 1: remember the targets, 2: use those */
static ssl_tensor *simsiam_held(ssl_ctx *c, ssl_siamese_trace *t, ssl_tensor *loss)
{
    static float z[2][B * 32];
    int v;
    for (v = 0; v < 2 && hold == 1; v++) ssl_to_host(t->projection[v], z[v]);
    return hold < 2 ? loss : ssl_simsiam(t->prediction[0], t->prediction[1], ssl_input(c, z[0], 2, B, 32), ssl_input(c, z[1], 2, B, 32));
}
static ssl_tensor *siamese_loss(void *m, ssl_tensor *x)
{
    const ssl_siamese *s = (const ssl_siamese *)m;
    const int dino = s->d.kind == SSL_SIAMESE_DINO;
    ssl_siamese_trace t;
    ssl_tensor *views[3], *loss;
    views[0] = x;
    views[1] = ssl_add_scalar(ssl_scale(x, 0.8f), 0.1f);
    views[2] = ssl_slice(ssl_slice(x, 2, 2, 10), 3, 4, 12); /* a local view */
    loss = ssl_siamese_loss(s, dino ? 3 : 2, views, &t);
    return s->d.kind == SSL_SIAMESE_SIMSIAM ? ssl_add_scalar(simsiam_held(s->ctx, &t, loss), 1.0f) : loss; /* which is -1 at best */
}

/* PixPro on a convolution of its own; the target stays what it was, so that the loss is a function of the weights alone. */
typedef struct pixels { ssl_conv_layer conv[2]; } pixels;
static void pixel_net(void *user, int target, ssl_tensor *x, ssl_tensor **map, ssl_tensor **instance)
{
    *map = ssl_tanh(ssl_conv_forward(&((const pixels *)user)->conv[target], x));
    *instance = *map;
}
static void *pixpro_new_with(ssl_ctx *c, int contrast, int official)
{
    ssl_pixpro_desc d = SSL_ZERO;
    ssl_conv_desc conv = SSL_ZERO;
    static pixels nets;
    pixels *p = &nets;
    conv.stride = 4;
    p->conv[0] = ssl_conv_new(c, "online_encoder.net", 3, 8, 4, 0, ssl_init_make(SSL_INIT_TORCH, 0.0f), &conv);
    p->conv[1] = ssl_conv_new(c, "target_encoder.net", 3, 8, 4, 0, ssl_init_make(SSL_INIT_TORCH, 0.0f), &conv);
    d.net = pixel_net; d.net_user = p; d.projection_size = 8; d.projection_hidden = 16; d.contrast = contrast; d.official = official;
    return ssl_pixpro_new(c, "", &d);
}
static void *pixpro_new(ssl_ctx *c) { return pixpro_new_with(c, 0, 0); }
static void *pixpro_official_new(ssl_ctx *c) { return pixpro_new_with(c, 0, 1); }
static void *pixcontrast_new(ssl_ctx *c) { return pixpro_new_with(c, 1, 0); }
static ssl_tensor *pixpro_loss(void *m, ssl_tensor *x) { return ssl_pixpro_loss((const ssl_pixpro *)m, x, x, NULL); }

static void *amdim_new_with(ssl_ctx *c, int use_resnet)
{
    ssl_amdim_desc d = SSL_ZERO;
    ssl_rng r = ssl_rng_make(8, 0);
    ssl_amdim *m;
    int64_t i;
    int p;
    d.ndf = 4; d.rkhs = 16; d.depth = 2; d.use_resnet = use_resnet;
    d.resnet.width = 4; d.resnet.cifar_stem = d.resnet.stage[0] = d.resnet.stage[1] = d.resnet.stage[2] = d.resnet.stage[3] = 1;
    m = ssl_amdim_new(c, "", &d);
    for (p = 0; p < c->n_params && ssl_ok(c); p++) /* begin as zeros, which would hide the gradients before them */
        if (strstr(c->param[p]->name, "conv2.weight")) for (i = 0; i < ssl_numel(&c->param[p]->t); i++) c->param[p]->t.x[i] += 0.1f * ssl_rng_normal(&r);
    return m;
}
static void *amdim_new(ssl_ctx *c) { return amdim_new_with(c, 0); }
static void *amdim_resnet_new(ssl_ctx *c) { return amdim_new_with(c, 1); }
static ssl_tensor *amdim_loss(void *m, ssl_tensor *x)
{
    x = ssl_interpolate(x, 32, 32, SSL_INTERPOLATE_BILINEAR);
    return ssl_amdim_loss((const ssl_amdim *)m, x, ssl_add_scalar(ssl_scale(x, 0.8f), 0.1f), NULL);
}

static void *cpc_layer_norm_new(ssl_ctx *c)
{
    ssl_cpc_desc d = SSL_ZERO;
    d.layer_norm = 1; d.resnet.width = 4; d.resnet.stage[0] = d.resnet.stage[1] = d.resnet.stage[2] = d.resnet.stage[3] = 1;
    d.target_dim = 16; d.hidden = 16; d.blocks = 2; d.embed_scale = 1.0f;
    return ssl_cpc_new(c, "", &d);
}
static ssl_tensor *cpc_images_loss(void *m, ssl_tensor *x) { return ssl_cpc_loss((const ssl_cpc *)m, x, NULL); }

static void *cpc_new(ssl_ctx *c) /* the patches are their own features */
{
    ssl_cpc_desc d = SSL_ZERO;
    d.target_dim = 16; d.hidden = 16; d.blocks = 2; d.embed_scale = 1.0f;
    return ssl_cpc_task_new(c, "", 3 * 4 * 4, &d);
}
static ssl_tensor *cpc_loss(void *m, ssl_tensor *x)
{
    const ssl_tensor *like = x;
    x = ssl_permute(ssl_patchify(x, 4, SSL_PATCH_CHANNEL_ROW_COL), 0, 2, 1);
    return ssl_cpc_task((const ssl_cpc *)m, ssl_reshape(x, 4, like->dim[0], -1, SIDE / 4, SIDE / 4), NULL);
}

/* Classifiers of the pixels; the labels of the eight images are 0 to 7. */
typedef struct classifier { ssl_head head; float mix; } classifier;
static classifier *classifier_new(ssl_ctx *c, ssl_head_kind kind, float mix)
{
    static classifier one;
    ssl_head_desc d = SSL_ZERO;
    d.kind = kind; d.hidden = 32;
    one.head = ssl_head_new(c, "head", 3 * SIDE * SIDE, B, &d);
    one.mix = mix;
    return &one;
}
static void *linear_head_new(ssl_ctx *c) { return classifier_new(c, SSL_HEAD_LINEAR, 0.0f); }
static void *norm_head_new(ssl_ctx *c) { return classifier_new(c, SSL_HEAD_NORM, 0.0f); }
static void *mlp_head_new(ssl_ctx *c) { return classifier_new(c, SSL_HEAD_MLP, 0.0f); }
static void *mixed_head_new(ssl_ctx *c) { return classifier_new(c, SSL_HEAD_MLP_PLAIN, 0.2f); }
static ssl_tensor *classifier_loss(void *model, ssl_tensor *x)
{
    const classifier *m = (const classifier *)model;
    ssl_mix_desc d = SSL_ZERO;
    ssl_tensor *q;
    d.mixup = d.cutmix = m->mix;
    x = ssl_mix(x, ssl_iota(x->ctx, B, 0, 1, B), B, &d, &q);
    return ssl_soft_cross_entropy(ssl_head_forward(&m->head, ssl_reshape(x, 2, B, -1)), q);
}

static const objective objectives[] = { /* the loss after so many steps at this rate is below this fraction of the first */
    { "apl", apl_new, apl_loss, 300, 3e-3f, 0.3f },
    { "apl_original", apl_original_new, apl_loss, 250, 2e-3f, 0.3f },
    { "apl_cnn", apl_cnn_new, apl_loss, 100, 3e-3f, 0.5f },
    { "apl_resnet", apl_resnet_new, apl_loss, 40, 1e-3f, 0.3f },
    { "mae", mae_new, mae_loss, 250, 3e-3f, 0.6f },
    { "mask_token_mae", mask_token_mae_new, mask_token_mae_loss, 200, 3e-3f, 0.4f },
    { "randsac", randsac_new, randsac_loss, 120, 3e-3f, 0.75f },
    { "randsac_blob", randsac_blob_new, randsac_loss, 120, 3e-3f, 0.75f },
    { "jigsaw", jigsaw_new, jigsaw_loss, 250, 3e-3f, 0.4f },
    { "rotation", rotation_new, rotation_loss, 100, 3e-3f, 0.2f },
    { "mp3", mp3_new, mp3_loss, 300, 3e-3f, 0.4f },
    { "mp3_hidden", mp3_hidden_new, mp3_loss, 300, 3e-3f, 0.4f },
    { "simclr", simclr_new, siamese_loss, 120, 3e-3f, 0.2f },
    { "moco", moco_new, siamese_loss, 120, 3e-3f, 0.7f },
    { "byol", byol_new, siamese_loss, 80, 3e-3f, 0.2f },
    { "simsiam", simsiam_new, siamese_loss, 80, 3e-3f, 0.5f },
    { "barlow", barlow_new, siamese_loss, 120, 3e-3f, 0.5f },
    { "vicreg", vicreg_new, siamese_loss, 120, 3e-3f, 0.6f },
    { "dino", dino_new, siamese_loss, 120, 3e-3f, 0.6f },
    { "cpc", cpc_new, cpc_loss, 200, 3e-3f, 0.6f },
    { "linear_head", linear_head_new, classifier_loss, 60, 3e-3f, 0.2f },
    { "norm_head", norm_head_new, classifier_loss, 60, 3e-3f, 0.2f },
    { "mlp_head", mlp_head_new, classifier_loss, 60, 3e-3f, 0.2f },
    { "mixed_head", mixed_head_new, classifier_loss, 150, 3e-3f, 0.5f },
    { "cpc_layer_norm", cpc_layer_norm_new, cpc_images_loss, 60, 3e-3f, 0.6f },
    { "pixpro", pixpro_new, pixpro_loss, 150, 3e-3f, 0.3f },
    { "pixpro_official", pixpro_official_new, pixpro_loss, 60, 3e-3f, 0.3f },
    { "pixcontrast", pixcontrast_new, pixpro_loss, 150, 3e-3f, 0.6f },
    { "amdim", amdim_new, amdim_loss, 150, 5e-3f, 0.5f },
    { "amdim_resnet", amdim_resnet_new, amdim_loss, 150, 5e-3f, 0.5f },
};
static const char *only = "";
#define N_OBJECTIVES ((int)(sizeof objectives / sizeof *objectives))

static float pixel[N];
static void make_images(void) /* each a wave of its own direction and color */
{
    int b, c, y, x;
    ssl_rng r = ssl_rng_make(1, 2);
    for (b = 0; b < B; b++) {
        const float fx = 0.9f * ssl_rng_uniform(&r), fy = 0.9f * ssl_rng_uniform(&r), phase = 6.0f * ssl_rng_uniform(&r);
        for (c = 0; c < 3; c++)
            for (y = 0; y < SIDE; y++)
                for (x = 0; x < SIDE; x++) pixel[((b * 3 + c) * SIDE + y) * SIDE + x] = sinf(fx * (float)x + fy * (float)y + phase + (float)c);
    }
}
static ssl_tensor *images_of(ssl_ctx *c) { return ssl_input(c, pixel, 4, B, 3, SIDE, SIDE); }
static float step(const objective *o, ssl_ctx *c, void *model, float lr)
{
    ssl_tensor *loss = o->loss(model, images_of(c));
    const float value = ssl_item(loss);
    ssl_backward(loss);
    ssl_adamw_step(c, lr);
    if (o->loss == siamese_loss) ssl_siamese_update((const ssl_siamese *)model, 0.5f);
    ssl_step_end(c);
    return value;
}

static void test_learns_eight_images(void)
{
    int i, s;
    for (i = 0; i < N_OBJECTIVES; i++) {
        if (!strstr(objectives[i].name, only)) continue;
        const objective *o = &objectives[i];
        ssl_ctx *c = open_context(0);
        void *model = o->create(c);
        float first = step(o, c, model, o->lr);
        float last = 0.0f; /* mean of the last ten: masks and orders differ from step to step */
        for (s = 1; s < o->steps && ssl_ok(c); s++) {
            const float value = step(o, c, model, ssl_lr_warmup_cosine((float)s, 10.0f, (float)o->steps, o->lr, 0.0f));
            if (s < 8 && o->loss == siamese_loss) first = SSL__MAX(first, value); /* until queue and center are there */
            if (s >= o->steps - 10) last += value / 10.0f;
        }
        if (!CHECK(ssl_ok(c) && last < o->fraction * first)) printf("     %s: loss %g, then %g, want below %g of the first\n", o->name, (double)first, (double)last, (double)o->fraction);
        ssl_close(c);
    }
}

/* ---- gradients; the random choices are held fixed ---- */
static void keep_frozen(ssl_ctx *c, int restore) /* queues, centers and running statistics, which a loss may change */
{
    static float kept[1 << 17];
    int p;
    for (p = 0; p < c->n_params; p++) {
        const ssl_tensor *t = &c->param[p]->t;
        const int64_t n = ssl_numel(t), at = c->param[p]->offset;
        if (!c->param[p]->frozen || at + n > (int64_t)(sizeof kept / sizeof *kept)) continue;
        if (restore) memcpy(t->x, kept + at, sizeof(float) * (size_t)n);
        else memcpy(kept + at, t->x, sizeof(float) * (size_t)n);
    }
}
static double loss_at(const objective *o, ssl_ctx *c, void *model, uint64_t position, int backward)
{
    ssl_tensor *loss;
    double value;
    keep_frozen(c, 1);
    c->rng_position = position;
    loss = o->loss(model, images_of(c));
    value = (double)ssl_item(loss);
    if (backward) { ssl_zero_grad(c); ssl_backward(loss); }
    ssl_step_end(c);
    return value;
}
/* The change of the loss from x - h u to x + h u is the integral of gradient . u between, by Gauss and Legendre's three points in
   each of m parts of the way: exact to h^6, and kinks of ReLU, which spoil a difference quotient, matter less in parts (1, 4,
   16). u is the gradient of one parameter, each value times a number of its own from 0.5 to 1.5, scaled to length 1. One h: the
   loss changes by two ten-thousandths of itself (or of 1), unless that moves the parameter further than 5% of itself (or of 0.1). A
   gradient that is 1% too large or small in one parameter fails: 0.6% and the rounding of the loss are allowed. */
typedef struct line { float *from, *u, *middle, *gradient; int64_t n; } line; /* middle: the gradient at x; gradient: where the network is now */
static double slope_on(const line *l, const float *g)
{
    double sum = 0.0;
    int64_t i;
    for (i = 0; i < l->n; i++) sum += (double)g[i] * (double)l->u[i];
    return sum;
}
static void move_to(const line *l, float *x, double h)
{
    int64_t i;
    for (i = 0; i < l->n; i++) x[i] = (float)((double)l->from[i] + h * (double)l->u[i]);
}
static double line_begin(line *l, int p, double size) /* returns h */
{
    double gg = 0.0, ww = 0.0, uu = 0.0, lim;
    ssl_rng r = ssl_rng_make(9, (uint64_t)p);
    int64_t i;
    for (i = 0; i < l->n; i++) { gg += (double)l->middle[i] * (double)l->middle[i]; ww += (double)l->from[i] * (double)l->from[i]; }
    for (i = 0; i < l->n; i++) l->u[i] = (0.5f + ssl_rng_uniform(&r)) * (gg > 1e-20 ? l->middle[i] / (float)sqrt(gg) : 1.0f);
    for (i = 0; i < l->n; i++) uu += (double)l->u[i] * (double)l->u[i];
    for (i = 0; i < l->n; i++) l->u[i] /= (float)sqrt(uu);
    lim = 0.05 * (sqrt(ww / (double)l->n) + 0.1) * sqrt((double)l->n);
    return SSL__MIN(2e-4 * size / (sqrt(gg) + 1e-30), lim);
}
static double line_integral(const objective *o, ssl_ctx *c, void *model, uint64_t position, const line *l, float *x, double h, int parts)
{
    static const double node[3] = { -0.7745966692414834, 0.0, 0.7745966692414834 }, weight[3] = { 5.0, 8.0, 5.0 }; /* sqrt(3/5); of 18 */
    double sum = 0.0;
    int i, k;
    for (i = 0; i < parts; i++)
        for (k = 0; k < 3; k++) {
            move_to(l, x, h * ((2.0 * i + 1.0 + node[k]) / parts - 1.0));
            loss_at(o, c, model, position, 1);
            sum += weight[k] / 18.0 * 2.0 * h / parts * slope_on(l, l->gradient);
        }
    return sum;
}
static void check_gradient(const objective *o, ssl_ctx *c, void *model)
{
    const uint64_t position = c->rng_position;
    const size_t bytes = sizeof(float) * (size_t)c->n_flat;
    float *values = (float *)malloc(bytes), *middle = (float *)malloc(bytes), *u = (float *)malloc(bytes);
    double size, worst = 0.0;
    int p, parts, bad = 0, weak = 0, all = 0;
    keep_frozen(c, 0);
    hold = 1;
    size = SSL__MAX(fabs(loss_at(o, c, model, position, 1)), 1.0);
    hold = 2;
    memcpy(values, c->values, bytes);
    memcpy(middle, c->state[0], sizeof(float) * (size_t)c->n_state);
    for (p = 0; p < c->n_params && ssl_ok(c); p++) {
        const int64_t at = c->param[p]->offset;
        const double rounding = 6e-7 * size;
        float *x = c->values + at;
        double h, change, integral = 0.0, error = 1.0;
        line l;
        if (c->param[p]->frozen) continue;
        l.from = values + at; l.u = u; l.middle = middle + c->param[p]->slot; l.gradient = c->param[p]->t.g; l.n = ssl_numel(&c->param[p]->t);
        h = line_begin(&l, p, size);
        move_to(&l, x, h);
        change = loss_at(o, c, model, position, 0);
        move_to(&l, x, -h);
        change -= loss_at(o, c, model, position, 0);
        for (parts = 1; parts <= 16 && error > 0.006; parts *= 4) {
            integral = line_integral(o, c, model, position, &l, x, h, parts);
            error = SSL__MAX(fabs(change - integral) - rounding, 0.0) / (fabs(change) + 1e-30);
        }
        move_to(&l, x, 0.0);
        all++;
        weak += 0.004 * fabs(integral) < rounding; /* conv biases before a norm, what follows a weight that begins as zero */
        worst = SSL__MAX(worst, error);
        if (error > 0.006) { bad++; printf("     %s: %s: the loss changes by %g, its gradient promises %g\n", o->name, c->param[p]->name, change, integral); fflush(stdout); }
    }
    hold = 0;
    if (!CHECK(bad == 0 && 2 * weak <= all && ssl_ok(c))) printf("     %s: worst relative error %g, %d of %d too weak to tell\n", o->name, worst, weak, all);
    free(values); free(middle); free(u);
}
static void test_gradient(void)
{
    int i;
    for (i = 0; i < N_OBJECTIVES; i++) {
        if (!strstr(objectives[i].name, only)) continue;
        ssl_ctx *c = open_context(1);
        void *model = objectives[i].create(c);
        check_gradient(&objectives[i], c, model);
        ssl_close(c);
    }
}

static void test_same_bits_for_any_threads(void)
{
    int i, k, s;
    for (i = 0; i < N_OBJECTIVES; i++) {
        if (!strstr(objectives[i].name, only)) continue;
        float *weights[2] = { NULL, NULL };
        int64_t n = 0;
        for (k = 0; k < 2; k++) {
            ssl_ctx *c = open_context(1 + 2 * k);
            void *model = objectives[i].create(c);
            for (s = 0; s < 3; s++) step(&objectives[i], c, model, 1e-3f);
            n = c->n_flat;
            weights[k] = (float *)malloc(sizeof(float) * (size_t)n);
            CHECK(ssl_ok(c) && n > 0 && weights[k]);
            memcpy(weights[k], c->values, sizeof(float) * (size_t)n);
            ssl_close(c);
        }
        if (!CHECK(!memcmp(weights[0], weights[1], sizeof(float) * (size_t)n))) printf("     %s: 1 and 3 threads differ\n", objectives[i].name);
        free(weights[0]);
        free(weights[1]);
    }
}

static void test_no_allocation_in_a_steady_loop(void)
{
    int i, s;
    for (i = 0; i < N_OBJECTIVES; i++) {
        if (!strstr(objectives[i].name, only)) continue;
        ssl_ctx *c = open_context(2);
        void *model = objectives[i].create(c);
        uint64_t before;
        for (s = 0; s < 2; s++) step(&objectives[i], c, model, 1e-3f);
        before = ssl_memory_stats(c).n_allocs;
        for (s = 0; s < 5; s++) step(&objectives[i], c, model, 1e-3f);
        if (!CHECK(ssl_ok(c) && ssl_memory_stats(c).n_allocs == before)) printf("     %s: %d allocations\n", objectives[i].name, (int)(ssl_memory_stats(c).n_allocs - before));
        ssl_close(c);
    }
}

/* ---- APL: patches 0 and 3 of 2 x 2 change places, and so do their logits; features stay ---- */
static void test_apl_encoders_know_no_place(void)
{
    static float moved[N];
    int e, b, i, y, x;
    for (i = 0; i < B * 3; i++)
        for (y = 0; y < SIDE; y++)
            for (x = 0; x < SIDE; x++) {
                const int swap = (y < SIDE / 2) == (x < SIDE / 2), ty = swap ? (y + SIDE / 2) % SIDE : y, tx = swap ? (x + SIDE / 2) % SIDE : x;
                moved[(i * SIDE + ty) * SIDE + tx] = pixel[(i * SIDE + y) * SIDE + x];
            }
    for (e = SSL_APL_FLATTEN; e <= SSL_APL_RESNET18; e++) {
        ssl_ctx *c = open_context(0);
        ssl_apl_desc d = SSL_ZERO;
        ssl_apl_trace t1 = SSL_ZERO, t2 = SSL_ZERO;
        ssl_apl *m;
        ssl_tensor *f1, *f2;
        double worst = 0.0, size = 0.0;
        d.image_size = SIDE; d.grid = 2; d.encoder = (ssl_apl_encoder)e; d.depth = 1; d.heads = 1; d.patch_dropout = 0.5f; d.encoder_dropout = 0.5f;
        m = ssl_apl_new(c, "", &d);
        ssl_train(c, 0);
        ssl_apl_loss(m, images_of(c), &t1);
        ssl_apl_loss(m, ssl_input(c, moved, 4, B, 3, SIDE, SIDE), &t2);
        f1 = ssl_apl_features(m, images_of(c));
        f2 = ssl_apl_features(m, ssl_input(c, moved, 4, B, 3, SIDE, SIDE));
        if (!CHECK(ssl_ok(c))) { printf("     encoder %d: %s\n", e, ssl_error_message(c)); ssl_close(c); continue; }
        for (b = 0; b < B; b++)
            for (i = 0; i < 16; i++) {
                const int token = i / 4, other = token % 3 ? token : 3 - token;
                worst = SSL__MAX(worst, fabs((double)t1.logits->x[b * 16 + i] - (double)t2.logits->x[b * 16 + other * 4 + i % 4]));
                size = SSL__MAX(size, fabs((double)t1.logits->x[b * 16 + i] - (double)t1.logits->x[b * 16 + other * 4 + i % 4]));
            }
        for (i = 0; i < (int)ssl_numel(f1); i++) worst = SSL__MAX(worst, fabs((double)f1->x[i] - (double)f2->x[i]));
        if (!CHECK(worst < 1e-4 && size > 1e-3)) printf("     encoder %d: %g between, %g inside\n", e, worst, size);
        ssl_train(c, 1); /* in training patches are dropped, and features differ from draw to draw */
        f1 = ssl_apl_features(m, images_of(c));
        f2 = ssl_apl_features(m, images_of(c));
        CHECK(ssl_ok(c) && memcmp(f1->x, f2->x, sizeof(float) * (size_t)ssl_numel(f1)));
        ssl_step_end(c);
        ssl_backward(ssl_sum(ssl_square(ssl_apl_features(m, images_of(c))))); /* reaches every weight of the encoder: features can be fine-tuned */
        for (i = 0; i < c->n_params; i++) {
            const ssl_tensor *p = &c->param[i]->t;
            int64_t k, n = ssl_numel(p);
            for (k = 0; p->g && k < n && p->g[k] == 0.0f; k++) { }
            if (!c->param[i]->frozen && !strncmp(c->param[i]->name, "patch_embed", 11) && !CHECK(k < n)) printf("     encoder %d: %s has no gradient\n", e, c->param[i]->name);
        }
        ssl_close(c);
    }
}

/* ---- views: those of BYOL differ, 1 always blurred, 2 solarized in a fifth and otherwise mostly as it is; VICReg's are alike ---- */
static void test_views_of_the_papers(void)
{
    static const char *const names[2][2] = { { "byol", "byol-second" }, { "vicreg", "vicreg" } };
    static const double blurred[2][2] = { { 1.0, 0.1 }, { 0.5, 0.5 } }, solarized[2][2] = { { 0.0, 0.2 }, { 0.1, 0.1 } };
    enum { IMAGES = 500 };
    int k, v, i, j;
    for (k = 0; k < 2; k++) {
        ssl_ctx *c = open_context(1);
        ssl_dataset *data = ssl_dataset_open(c, "synthetic:500");
        ssl_augment_desc a[2];
        for (v = 0; v < 2; v++) {
            CHECK(ssl_augment_preset(names[k][v], &a[v]) && a[v].crop == SSL_CROP_RESIZED && a[v].hflip == 0.5f && a[v].saturation == 0.2f && a[v].grayscale_p == 0.2f);
            a[v].crop = SSL_CROP_WHOLE; a[v].hflip = a[v].jitter_p = a[v].brightness = a[v].contrast = a[v].saturation = a[v].hue = a[v].grayscale_p = 0.0f; a[v].no_normalize = 1;
            a[v].blur_sigma[0] = a[v].blur_sigma[1] = 1.0f; /* strong enough to be seen */
            CHECK(ssl_augment_resolve(c, &a[v], 3, 32, 32, &a[v]));
        }
        for (v = 0; v < 2 && ssl_ok(c); v++) {
            static float tmp[2 * 3 * 32 * 32], out[3 * 32 * 32];
            int n_blurred = 0, n_solarized = 0;
            for (i = 0; i < IMAGES; i++) {
                const ssl_image x = ssl_dataset_image(data, i), y = ssl_image_f32(out, 3, 32, 32);
                int bright = 0, same = 0;
                ssl_augment(&a[v], &x, 5, 0, i, v, tmp, &y, NULL);
                for (j = 0; j < 3072; j++) {
                    const float before = (float)data->images[(size_t)i * 3072 + (size_t)j] / 255.0f;
                    bright += out[j] > 0.51f;
                    same += fabsf(out[j] - (before < 0.5f ? before : SSL__MIN(1.0f - before, before))) < 1e-3f || fabsf(out[j] - before) < 1e-3f;
                }
                n_blurred += same < 3000;
                n_solarized += bright == 0;
            }
            if (!CHECK(fabs((double)n_blurred / IMAGES - blurred[k][v]) < 0.06 && fabs((double)n_solarized / IMAGES - solarized[k][v]) < 0.06))
                printf("     %s: %d of %d blurred, %d solarized\n", names[k][v], n_blurred, IMAGES, n_solarized);
        }
        ssl_close(c);
    }
}

static int near(float a, double b) { return fabs((double)a - b) < 1e-6; }
/* ---- RandAugment: operations by hand on an image of 8 x 8 levels, then how often images change ---- */
static float *ramp(float *x) /* 0, 1, 2 ... 63 of 255 in each channel, channel 1 twice, channel 2 three times as much */
{
    int i;
    for (i = 0; i < 192; i++) x[i] = (float)(i % 64 * (1 + i / 64)) / 255.0f;
    return x;
}
static void test_rand_augment(void)
{
    static const float fill[3] = { 0.5f, 0.25f, 0.75f };
    static float x[192], y[192], before[192], tmp[2 * 3072], out[2][3072];
    const ssl_image im = ssl_image_f32(x, 3, 8, 8);
    ssl_ctx *c = open_context(1);
    ssl_dataset *data = ssl_dataset_open(c, "synthetic:200");
    ssl_augment_desc d = SSL_ZERO;
    int i, k, changed = 0, op;
    ramp(before);
    for (op = SSL__RAND_ROTATE; op < SSL__RAND_OPS; op++) { /* without strength nothing changes */
        if (op == SSL__RAND_POSTERIZE) continue;
        ramp(x); ssl__rand_apply((ssl__rand_op)op, 0.0f, 1.0f, fill, &im, y);
        for (i = 0; i < 192 && fabsf(x[i] - before[i]) < 1e-5f; i++) { }
        if (!CHECK(i == 192)) printf("     operation %d at strength 0: %g became %g\n", op, (double)before[i], (double)x[i]);
    }
    ramp(x); ssl__rand_apply(SSL__RAND_INVERT, 0.9f, 1.0f, fill, &im, y); CHECK(near(x[5], 1.0 - 5.0 / 255.0));
    ramp(x); ssl__rand_apply(SSL__RAND_AUTOCONTRAST, 0.9f, 1.0f, fill, &im, y); CHECK(x[0] == 0.0f && x[63] == 1.0f && near(x[21], 21.0 / 63.0) && near(x[64 + 21], 21.0 / 63.0));
    ramp(x); for (i = 0; i < 64; i++) x[i] *= 4.0f; /* 63 pixels below the brightest: a step of less than one level leaves it alone */
    ssl__rand_apply(SSL__RAND_EQUALIZE, 0.9f, 1.0f, fill, &im, y); CHECK(near(x[10], 40.0 / 255.0));
    ramp(x); ssl__rand_apply(SSL__RAND_POSTERIZE, 0.9f, 1.0f, fill, &im, y); CHECK(x[0] == 0.0f && x[63] == 0.0f && near(x[128 + 50], 128.0 / 255.0)); /* one bit */
    ramp(x); ssl__rand_apply(SSL__RAND_SOLARIZE, 0.9f, 1.0f, fill, &im, y); CHECK(near(x[25], 25.0 / 255.0) && near(x[26], 229.0 / 255.0));
    ramp(x); ssl__rand_apply(SSL__RAND_SOLARIZE_ADD, 0.5f, 1.0f, fill, &im, y); CHECK(near(x[7], 62.0 / 255.0) && near(x[128 + 43], 129.0 / 255.0));
    ramp(x); ssl__rand_apply(SSL__RAND_BRIGHTNESS, 0.5f, -1.0f, fill, &im, y); CHECK(near(x[10], 5.5 / 255.0));
    ramp(x); ssl__rand_apply(SSL__RAND_SHARPNESS, 0.5f, -1.0f, fill, &im, y); CHECK(near(x[27], 27.0 / 255.0)); /* a ramp is smooth already */
    ramp(x); x[27] += 13.0f / 255.0f; ssl__rand_apply(SSL__RAND_SHARPNESS, 0.5f, -1.0f, fill, &im, y); CHECK(near(x[27], (27.0 + 0.55 * 13.0 + 0.45 * 5.0) / 255.0));
    ramp(x); ssl__rand_apply(SSL__RAND_SHIFT_X, 10.0f / 18.0f, 1.0f, fill, &im, y); CHECK(near(x[8], 10.0 / 255.0) && near(x[5], 7.0 / 255.0) && near(x[6], 0.5) && near(x[128 + 7], 0.75)); /* two pixels */
    ramp(x); ssl__rand_apply(SSL__RAND_SHIFT_Y, 5.0f / 18.0f, -1.0f, fill, &im, y); CHECK(near(x[0], 0.5) && near(x[8], 0.0) && near(x[63], 55.0 / 255.0)); /* one */
    ramp(x); ssl__rand_apply(SSL__RAND_SHEAR_X, 1.0f, 1.0f, fill, &im, y); CHECK(near(x[0], 0.0) && near(x[8], 8.3 / 255.0));
    ramp(x); ssl__rand_apply(SSL__RAND_SHEAR_Y, 1.0f, 1.0f, fill, &im, y); CHECK(near(x[0], 0.0) && near(x[1], 3.4 / 255.0)); /* a third of a row of 8 */
    ramp(x); ssl__rand_apply(SSL__RAND_ROTATE, 1.0f, 1.0f, fill, &im, y); /* 30 degrees about the center: what is there stays, corners are filled */
    CHECK(fabsf((x[27] + x[28] + x[35] + x[36]) / 4.0f - 31.5f / 255.0f) < 1e-5f && near(x[0], 0.5) && near(x[128], 0.75));
    d.no_normalize = 1; d.rand_ops = 2;
    CHECK(ssl_augment_resolve(c, &d, 3, 32, 32, &d) && d.rand_strength == 9.0f && d.rand_deviation == 0.5f);
    for (i = 0; i < 200 && ssl_ok(c); i++) {
        const ssl_image image = ssl_dataset_image(data, i);
        for (k = 0; k < 2; k++) { const ssl_image to = ssl_image_f32(out[k], 3, 32, 32); ssl_augment(&d, &image, 3, 0, i, 0, tmp, &to, NULL); }
        CHECK(!memcmp(out[0], out[1], sizeof out[0]));
        for (k = 0; k < 3072 && out[0][k] >= 0.0f && out[0][k] <= 1.0f; k++) { }
        CHECK(k == 3072);
        for (k = 0; k < 3072 && fabsf(out[0][k] - (float)data->images[(size_t)i * 3072 + (size_t)k] / 255.0f) < 1e-5f; k++) { }
        changed += k < 3072;
    }
    if (!CHECK(changed > 120 && changed < 170)) printf("     %d of 200 images changed: about three quarters should\n", changed);
    ssl_close(c);
}

/* ---- recipes of fine-tuning, by hand ---- */
static void test_mix(void)
{
    static const float x[8] = { 1, 2, 3, 4, 10, 20, 30, 40 };
    static const int32_t swap[2] = { 1, 0 }, label[2] = { 2, 0 };
    ssl_ctx *c = open_context(1);
    ssl_mix_desc d = SSL_ZERO;
    ssl_view_box box = SSL_ZERO;
    ssl_tensor *images = ssl_input(c, x, 4, 2, 1, 2, 2), *order = ssl_input_i32(c, swap, 1, 2), *labels = ssl_input_i32(c, label, 1, 2), *y, *q, *z;
    int i, k, draws = 0, cuts = 0;
    double sum = 0.0, squares = 0.0;

    y = ssl_mixup(images, order, 0.75f);
    CHECK(near(y->x[0], 0.75 * 1 + 0.25 * 10) && near(y->x[7], 0.75 * 40 + 0.25 * 4));
    box.y0 = 0; box.y1 = 2; box.x0 = 1; box.x1 = 2; /* the right column */
    y = ssl_cutmix(images, order, &box);
    CHECK(y->x[0] == 1 && y->x[1] == 20 && y->x[2] == 3 && y->x[3] == 40 && y->x[4] == 10 && y->x[5] == 2);
    q = ssl_one_hot(labels, 3);
    CHECK(q->dim[0] == 2 && q->dim[1] == 3 && q->x[0] == 0 && q->x[1] == 0 && q->x[2] == 1 && q->x[3] == 1 && q->x[5] == 0);
    d.smoothing = 0.3f;
    y = ssl_mix(images, labels, 3, &d, &q);
    CHECK(y == images && near(q->x[0], 0.1) && near(q->x[2], 0.8) && near(q->x[3], 0.8));
    z = ssl_reshape(ssl_slice(images, 2, 0, 1), 2, 2, 2); /* logits: the same loss as smoothed labels */
    d.smoothing = 0.2f;
    ssl_mix(images, ssl_iota(c, 2, 0, 1, 2), 2, &d, &q);
    CHECK(near(ssl_item(ssl_soft_cross_entropy(z, q)), (double)ssl_item(ssl_cross_entropy(z, ssl_iota(c, 2, 0, 1, 2), 0.2f))));

    for (k = 0; k < 2; k++) { /* Beta(0.5, 0.5): mean 1/2, variance 1/8; Beta(2, 2): 1/2, 1/20 */
        ssl_rng r = ssl_rng_make(3, (uint64_t)k);
        for (i = 0, sum = squares = 0.0; i < 20000; i++) { const double v = (double)ssl__beta(&r, k ? 2.0f : 0.5f); sum += v; squares += v * v; }
        sum /= 20000.0;
        CHECK(fabs(sum - 0.5) < 0.01 && fabs(squares / 20000.0 - sum * sum - (k ? 0.05 : 0.125)) < 0.005);
    }
    d.mixup = d.cutmix = 1.0f; d.smoothing = 0.0f; d.cutmix_p = 0.25f;
    for (i = 0; i < 400 && ssl_ok(c); i++, ssl_step_end(c)) { /* whatever is drawn, image 0 has as much of image 1 as its label says */
        static float plane[2 * 64];
        ssl_tensor *two;
        float mean = 0.0f;
        int j, pure = 1;
        for (j = 0; j < 64; j++) plane[64 + j] = 1.0f;
        two = ssl_mix(ssl_input(c, plane, 4, 2, 1, 8, 8), ssl_iota(c, 2, 0, 1, 2), 2, &d, &q);
        for (j = 0; j < 64; j++) { mean += two->x[j] / 64.0f; pure &= two->x[j] == 0.0f || two->x[j] == 1.0f; }
        CHECK(fabsf(mean - q->x[1]) < 1e-5f && fabsf(q->x[0] + q->x[1] - 1.0f) < 1e-6f);
        if (mean > 0.0f) { draws++; cuts += pure; }
    }
    if (!CHECK(draws > 120 && cuts > draws / 8 && cuts < draws / 2)) printf("     %d draws, %d cuts\n", draws, cuts);
    CHECK(ssl_close(c) == 0);
}

static float lr_scale(ssl_ctx *c, const char *name)
{
    const ssl__param *p = (const ssl__param *)(const void *)ssl_param_find(c, name);
    return p ? p->lr_scale : -1.0f;
}
static void test_layer_decay(void)
{
    ssl_ctx *c = open_context(1);
    ssl_vit_desc v = SSL_ZERO;
    ssl_resnet_desc r = SSL_ZERO;
    v.image_size = SIDE; v.dim = 16; v.depth = 3; v.heads = 1;
    ssl_vit_new(c, "net", &v);
    ssl_head_new(c, "head", 16, 4, NULL);
    CHECK(ssl_layer_decay(c, NULL, 0.5f) == 3);
    CHECK(lr_scale(c, "net.cls_token") == 0.0625f && lr_scale(c, "net.patch_embed.proj.weight") == 0.0625f && lr_scale(c, "net.blocks.0.attn.qkv.weight") == 0.125f);
    CHECK(lr_scale(c, "net.blocks.2.mlp.fc2.bias") == 0.5f && lr_scale(c, "net.norm.weight") == 1.0f && lr_scale(c, "head.weight") == 1.0f);
    CHECK(((const ssl__param *)(const void *)ssl_param_find(c, "net.cls_token"))->decay_scale == 0.0f);
    CHECK(ssl_close(c) == 0);
    c = open_context(1);
    ssl_resnet_new(c, "", &r);
    CHECK(ssl_layer_decay(c, "layer", 0.5f) == 4 && lr_scale(c, "conv1.weight") == 0.03125f && lr_scale(c, "layer1.1.bn1.weight") == 0.0625f && lr_scale(c, "layer4.0.conv1.weight") == 0.5f);
    CHECK(ssl_close(c) == 0);
    c = open_context(1);
    amdim_new(c);
    CHECK(ssl_layer_decay(c, NULL, 0.5f) == 9); /* AMDIM's layers at 32 pixels */
    CHECK(lr_scale(c, "encoder.layer_list.0.conv.weight") == powf(0.5f, 9.0f) && lr_scale(c, "encoder.layer_list.7.conv1.weight") == 0.25f && lr_scale(c, "encoder.rkhs_block_5.conv1.weight") == 1.0f);
    ssl_close(c);
}

/* ---- puzzles: what is asked for is what was done ---- */
static void test_permutations_lie_far_apart(void)
{
    int32_t p[64 * 9], q[24 * 4];
    int i, j, k, least = 9;
    CHECK(ssl_permutations(9, 64, p) == 7);
    for (i = 0; i < 64; i++) {
        int seen = 0, differ;
        for (k = 0; k < 9; k++) seen |= 1 << p[i * 9 + k];
        CHECK(seen == 511);
        for (j = 0; j < i; j++) {
            for (k = 0, differ = 0; k < 9; k++) differ += p[i * 9 + k] != p[j * 9 + k];
            least = differ < least ? differ : least;
        }
    }
    CHECK(least == 7);
    CHECK(ssl_permutations(4, 24, q) == 2); /* all there are */
    CHECK(ssl_permutations(2, 3, p) == 0);
}
/* Turning once more makes of turn r turn r + 1; four turns are none. */
static void test_quarter_turns(void)
{
    static float once[4 * N], twice[4 * N];
    ssl_ctx *c = open_context(1);
    ssl_tensor *turned = ssl_quarter_turns(images_of(c));
    int r;
    CHECK(ssl_to_host(turned, once) && !memcmp(once, pixel, sizeof pixel) && once[N] == pixel[SIDE - 1] && once[N + SIDE] == pixel[SIDE - 2]);
    CHECK(ssl_to_host(ssl_quarter_turns(ssl_slice(turned, 0, B, 2 * B)), twice));
    for (r = 0; r < 4; r++) CHECK(!memcmp(twice + r * N, once + (r + 1) % 4 * N, sizeof pixel));
    ssl_close(c);
}
/* Without positions MP3 knows a patch by what is in it: logits follow the patches when they change places. */
static void test_mp3_follows_the_patches(void)
{
    enum { L = 16, W = 48 };
    static float before[B * L * L], after[B * L * L];
    int32_t ids[B * L], moved[B * L], order[L];
    ssl_ctx *c = open_context(1);
    const ssl_mp3 *m = (const ssl_mp3 *)mp3_new(c);
    ssl_tensor *x = images_of(c);
    ssl_mp3_trace t = SSL_ZERO, u = SSL_ZERO;
    double worst = 0.0;
    int b, i, j;
    for (i = 0; i < L; i++) order[i] = (5 * i + 3) % L; /* patch order[i] goes to place i */
    for (i = 0; i < B * L; i++) ids[i] = (7 * i + i / L) % L;
    for (i = 0; i < B * L; i++) for (j = 0; j < L; j++) if (order[j] == ids[i]) moved[i] = j;
    t.ids_shuffle = ssl_input_i32(c, ids, 2, B, L);
    u.ids_shuffle = ssl_input_i32(c, moved, 2, B, L);
    ssl_mp3_loss(m, x, &t);
    x = ssl_index_select(ssl_patchify(x, 4, SSL_PATCH_ROW_COL_CHANNEL), ssl_input_i32(c, order, 1, L));
    ssl_mp3_loss(m, ssl_unpatchify(x, 4, 3, SIDE, SIDE, SSL_PATCH_ROW_COL_CHANNEL), &u);
    CHECK(ssl_to_host(t.logits, before) && ssl_to_host(u.logits, after));
    for (b = 0; b < B; b++)
        for (i = 0; i < L; i++)
            for (j = 0; j < L; j++) worst = SSL__MAX(worst, fabs((double)after[(b * L + i) * L + j] - (double)before[(b * L + order[i]) * L + j]));
    CHECK(worst < 1e-5);
    ssl_close(c);
}
/* Without gaps and shuffling, tiles put together again are the image: the loss of the identity and of a shuffled image that
   undoes it are the same. */
static void test_jigsaw_tiles(void)
{
    ssl_ctx *c = open_context(1);
    ssl_jigsaw_desc d = SSL_ZERO;
    ssl_jigsaw_trace t = SSL_ZERO, u = SSL_ZERO;
    const ssl_jigsaw *m;
    float a[B * 8], b[B * 8];
    int32_t one[B], none[B], index[4];
    double worst = 0.0;
    ssl_tensor *x = images_of(c);
    int i, identity = -1;
    d.image_size = SIDE; d.grid = 2; d.crop = -1; d.permutations = 24; d.backbone.vit = small_vit(); d.mix = 1;
    m = ssl_jigsaw_new(c, "", &d);
    for (i = 0; i < 24; i++) if (m->permutation[i * 4] == 0 && m->permutation[i * 4 + 1] == 1 && m->permutation[i * 4 + 2] == 2) identity = i;
    for (i = 0; i < B; i++) { one[i] = 5; none[i] = identity; }
    for (i = 0; i < 4; i++) index[i] = m->permutation[5 * 4 + i];
    CHECK(identity >= 0 && identity != 5);
    t.ids = ssl_input_i32(c, one, 1, B);
    u.ids = ssl_input_i32(c, none, 1, B);
    ssl_jigsaw_loss(m, x, &t);
    x = ssl_index_select(ssl_patchify(x, SIDE / 2, SSL_PATCH_ROW_COL_CHANNEL), ssl_input_i32(c, index, 1, 4)); /* shuffled by hand */
    ssl_jigsaw_loss(m, ssl_unpatchify(x, SIDE / 2, 3, SIDE, SIDE, SSL_PATCH_ROW_COL_CHANNEL), &u);
    CHECK(ssl_to_host(ssl_slice(t.logits, 1, 0, 8), a) && ssl_to_host(ssl_slice(u.logits, 1, 0, 8), b));
    for (i = 0; i < B * 8; i++) worst = SSL__MAX(worst, fabs((double)a[i] - (double)b[i]));
    CHECK(worst < 1e-5);
    ssl_close(c);
}

/* ---- what two-view methods keep beside the network: targets, a queue, a center ---- */
static void test_siamese_target_follows(void)
{
    static const ssl_siamese_kind kinds[] = { SSL_SIAMESE_MOCO, SSL_SIAMESE_BYOL, SSL_SIAMESE_DINO };
    static float before[1 << 17];
    int i, p, k;
    for (k = 0; k < 3; k++) {
        ssl_ctx *c = open_context(1);
        ssl_siamese *m = (ssl_siamese *)siamese_new(c, kinds[k]);
        const float momentum = kinds[k] == SSL_SIAMESE_MOCO ? 0.9f : ssl_momentum_cosine(0.25f, 0.9f);
        int targets = 0, moved = 0, wrong = 0;
        ssl_backward(siamese_loss(m, images_of(c)));
        ssl_adamw_step(c, 1e-2f);
        memcpy(before, c->values, sizeof(float) * (size_t)c->n_flat);
        ssl_siamese_update(m, 0.25f);
        for (p = 0; p < c->n_params && ssl_ok(c); p++) {
            const ssl_tensor *t = &c->param[p]->t, *online;
            if (strncmp(c->param[p]->name, "target.", 7)) continue;
            online = ssl_param_find(c, c->param[p]->name + 7);
            targets++;
            for (i = 0; i < (int)ssl_numel(t); i++) {
                const float old = before[c->param[p]->offset + i], want = momentum * old + (1.0f - momentum) * online->x[i];
                wrong += !(fabsf(t->x[i] - want) <= 1e-5f * (1.0f + fabsf(want)));
                moved += t->x[i] != old;
            }
        }
        if (!CHECK(ssl_ok(c) && targets > 20 && moved > 1000 && !wrong)) printf("     kind %d: %d targets, %d values moved, %d wrong\n", (int)kinds[k], targets, moved, wrong);
        ssl_close(c);
    }
}
static void test_siamese_gradient_stops(void) /* at targets and buffers */
{
    int i, p, k;
    for (k = SSL_SIAMESE_SIMCLR; k <= SSL_SIAMESE_DINO; k++) {
        ssl_ctx *c = open_context(1);
        void *m = siamese_new(c, (ssl_siamese_kind)k);
        int reached = 0, leaked = 0;
        ssl_backward(siamese_loss(m, images_of(c)));
        for (p = 0; p < c->n_params && ssl_ok(c); p++) {
            const ssl_tensor *t = &c->param[p]->t;
            double sum = 0.0;
            for (i = 0; t->g && i < (int)ssl_numel(t); i++) sum += fabs((double)t->g[i]);
            if (c->param[p]->frozen) leaked += sum > 0.0;
            else reached += sum > 0.0;
        }
        if (!CHECK(ssl_ok(c) && reached > 20 && !leaked)) printf("     kind %d: gradient reached %d parameters, leaked into %d\n", k, reached, leaked);
        ssl_close(c);
    }
}
static void test_siamese_queue_and_center(void)
{
    ssl_ctx *c = open_context(1);
    ssl_siamese *m = (ssl_siamese *)siamese_new(c, SSL_SIAMESE_MOCO);
    float old[32], norm = 0.0f;
    int i, s, wrong = 0;
    memcpy(old, m->queue->x, sizeof old);
    for (s = 0; s < 3; s++) { /* 2 B = 16 keys a step in 32 rows */
        CHECK(m->queue_ptr->x[0] == (float)(16 * s % 32));
        ssl_backward(siamese_loss(m, images_of(c)));
        ssl_step_end(c);
    }
    for (i = 0; i < 32; i++) norm += m->queue->x[i] * m->queue->x[i];
    CHECK(memcmp(old, m->queue->x, sizeof old) && fabsf(norm - 1.0f) < 1e-5f);
    ssl_train(c, 0); /* evaluation leaves it alone */
    siamese_loss(m, images_of(c));
    CHECK(ssl_ok(c) && m->queue_ptr->x[0] == 16.0f);
    ssl_close(c);
    c = open_context(1);
    m = (ssl_siamese *)siamese_new(c, SSL_SIAMESE_DINO);
    ssl_siamese_update(m, 0.25f);
    siamese_loss(m, images_of(c));
    for (i = 0; i < 24; i++) wrong += m->center->x[i] == 0.0f;
    CHECK(ssl_ok(c) && wrong == 0 && m->progress->x[0] == 0.25f);
    ssl_close(c);
}
/* Three steps, saved; then two more, and the same two by another context from the file. */
static void test_siamese_resumes(void)
{
    static const char *const path = "build/test_siamese.safetensors";
    static float want[1 << 17];
    int k, s;
    for (k = SSL_SIAMESE_SIMCLR; k <= SSL_SIAMESE_DINO; k++) {
        objective o = { "", NULL, siamese_loss, 0, 0.0f, 0.0f };
        ssl_ctx *c = open_context(1), *d = open_context(1);
        void *m = siamese_new(c, (ssl_siamese_kind)k), *again = siamese_new(d, (ssl_siamese_kind)k);
        for (s = 0; s < 3; s++) step(&o, c, m, 1e-3f);
        CHECK(ssl_save(c, path));
        for (s = 0; s < 2; s++) step(&o, c, m, 1e-3f);
        memcpy(want, c->values, sizeof(float) * (size_t)c->n_flat);
        CHECK(ssl_load(d, path, NULL) > 0);
        for (s = 0; s < 2; s++) step(&o, d, again, 1e-3f);
        if (!CHECK(ssl_ok(c) && ssl_ok(d) && !memcmp(want, d->values, sizeof(float) * (size_t)d->n_flat))) printf("     kind %d: the resumed run differs\n", k);
        ssl_close(c);
        ssl_close(d);
    }
    remove(path);
}
static void test_backbones(void)
{
    ssl_ctx *c = open_context(1);
    ssl_backbone_desc d = SSL_ZERO;
    ssl_backbone *vit, *resnet;
    ssl_tensor *big, *y;
    d.vit.dim = 32; d.vit.depth = 1; d.vit.any_size = 1; d.image_size = SIDE; d.resnet.width = 8;
    vit = ssl_backbone_new(c, "vit", &d);
    d.kind = SSL_BACKBONE_RESNET;
    resnet = ssl_backbone_new(c, "resnet", &d);
    CHECK(ssl_ok(c) && vit->vit && !vit->resnet && resnet->resnet && !resnet->vit && resnet->resnet->d.cifar_stem == 1);
    big = ssl_interpolate(images_of(c), 24, 32, SSL_INTERPOLATE_BILINEAR); /* 6 x 8 patches instead of 4 x 4 */
    y = ssl_backbone_forward(vit, big);
    CHECK(ssl_ok(c) && y->dim[0] == B && y->dim[1] == 32 && vit->features == 32);
    y = ssl_backbone_forward(resnet, big);
    CHECK(ssl_ok(c) && y->dim[0] == B && y->dim[1] == resnet->features);
    ssl_step_end(c);
    ssl_backward(ssl_mean(ssl_square(ssl_backbone_forward(vit, ssl_slice(images_of(c), 3, 0, 8)))));
    for (y = ssl_param_find(c, "vit.pos_embed"); y; y = NULL) { int i, n = 0; for (i = 32; i < 17 * 32; i++) n += y->g[i] != 0.0f; CHECK(n > 16 * 32 - 8); } /* every position took part */
    ssl_close(c);
    c = open_context(1);
    d.image_size = 64;
    resnet = ssl_backbone_new(c, "", &d);
    CHECK(ssl_ok(c) && resnet->resnet->d.cifar_stem == 0);
    ssl_close(c);
}

/* ---- what a network makes of a picture ---- */
/* With one head, the identity for its projection and nothing in the MLP a block adds attention times values. */
static void attention_of(ssl_block_style style, int post_norm)
{
    enum { T = 5, D = 8 };
    ssl_ctx *c = open_context(1);
    ssl_block_desc d = SSL_ZERO;
    ssl_block b;
    ssl_tensor *x, *n, *w, *v, *y;
    float identity[D * D] = { 0.0f }, zero[4 * D * D] = { 0.0f }, row[2 * 2 * T * T], sum;
    int i, j;
    d.dim = D; d.heads = 2; d.style = style; d.post_norm = post_norm; d.init = ssl_init_make(SSL_INIT_NORMAL, 1.0f);
    b = ssl_block_new(c, "two", &d);
    x = ssl_input(c, pixel, 3, 2, T, D);
    w = ssl_block_attention(&b, x, NULL);
    CHECK(ssl_ok(c) && w->ndim == 4 && w->dim[0] == 2 && w->dim[1] == 2 && w->dim[2] == T && w->dim[3] == T && ssl_to_host(w, row));
    for (i = 0; i < 2 * 2 * T; i++) {
        for (j = 0, sum = 0.0f; j < T; j++) sum += row[i * T + j];
        CHECK(fabsf(sum - 1.0f) < 1e-5f);
    }
    ssl_step_end(c);
    d.heads = 1; d.post_norm = 0;
    b = ssl_block_new(c, "one", &d);
    for (i = 0; i < D; i++) identity[i * D + i] = 1.0f;
    ssl_from_host(b.proj.weight, identity);
    ssl_from_host(b.fc2.weight, zero);
    x = ssl_input(c, pixel, 3, 2, T, D);
    n = ssl_layer_norm(x, b.norm1.weight, b.norm1.bias, b.norm1.eps);
    v = style == SSL_BLOCK_APL ? ssl_scale(ssl_linear(n, b.v.weight, NULL), 1.0f / sqrtf(sqrtf((float)D))) : ssl_slice(ssl_linear(n, b.qkv.weight, b.qkv.bias), 2, 2 * D, 3 * D);
    w = ssl_reshape(ssl_block_attention(&b, x, NULL), 3, 2, T, T);
    y = ssl_sub(ssl_block_forward(&b, x, NULL), x);
    if (!CHECK(ssl_ok(c) && difference(ssl_matmul(w, v), y) < 1e-5)) printf("     style %d: %g\n", (int)style, difference(ssl_matmul(w, v), y));
    ssl_close(c);
}
static void test_block_attention(void)
{
    attention_of(SSL_BLOCK_TIMM, 0);
    attention_of(SSL_BLOCK_TORCH, 0);
    attention_of(SSL_BLOCK_TORCH, 1);
    attention_of(SSL_BLOCK_APL, 1);
}
/* The mean of the tokens is the features; what is attended to sums to 1, or to less beside a class token. */
static void check_look(ssl_ctx *c, int looked, const ssl_look *look, const ssl_tensor *features, int grid, int heads, int cls)
{
    float share[B * 16 * 64];
    int i, j;
    CHECK(looked && ssl_ok(c) && look->h == grid && look->w == grid && look->tokens->dim[0] == B && look->tokens->dim[1] == grid * grid);
    CHECK(difference(ssl_mean_axes(look->tokens, SSL_AXIS(1), 0), features) < 1e-5);
    CHECK((look->attention != NULL) == (heads > 0));
    if (!heads || !ssl_ok(c) || !CHECK(look->attention->dim[1] == heads && look->attention->dim[2] == grid * grid && ssl_to_host(look->attention, share))) return;
    for (i = 0; i < B * heads; i++) {
        float sum = 0.0f;
        for (j = 0; j < grid * grid; j++) sum += share[i * grid * grid + j];
        CHECK(cls ? sum > 0.5f && sum < 1.0f : fabsf(sum - 1.0f) < 1e-5f);
    }
}
#define LOOK(type, create, looked, features, grid, heads, cls)                                                 \
    do {                                                                                                       \
        ssl_ctx *c = open_context(1);                                                                          \
        const type *m = (const type *)create(c);                                                               \
        ssl_tensor *x = images_of(c);                                                                          \
        ssl_look look = SSL_ZERO;                                                                              \
        ssl_train(c, 0);                                                                                       \
        check_look(c, looked, &look, features, grid, heads, cls);                                              \
        ssl_close(c);                                                                                          \
    } while (0)
static void test_looks(void)
{
    ssl_ctx *c;
    ssl_look look = SSL_ZERO;
    ssl_backbone_desc d = SSL_ZERO;
    const ssl_backbone *net;
    ssl_tensor *x;
    LOOK(ssl_apl, apl_new, ssl_apl_look(m, x, &look), ssl_apl_features(m, x), m->d.grid, m->d.heads, 0);
    LOOK(ssl_mae, mae_new, ssl_vit_look(m->vit, x, &look), ssl_mae_features(m, x), SIDE / m->d.patch, m->d.heads, 1);
    LOOK(ssl_mask_token_mae, mask_token_mae_new, ssl_mask_token_mae_look(m, x, &look), ssl_mask_token_mae_features(m, x), SIDE / m->d.patch, m->d.heads, 0);
    LOOK(ssl_randsac, randsac_new, ssl_randsac_look(m, x, &look), ssl_randsac_features(m, x), m->grid, m->d.heads, 0);
    LOOK(ssl_jigsaw, jigsaw_new, ssl_jigsaw_look(m, x, &look), ssl_jigsaw_features(m, x), m->d.grid, 0, 0);
    LOOK(ssl_siamese, byol_new, ssl_backbone_look(m->online.backbone, x, &look), ssl_siamese_features(m, x), SIDE / m->d.backbone.vit.patch, m->d.backbone.vit.heads, 1);

    c = open_context(1);
    ssl_train(c, 0);
    d.kind = SSL_BACKBONE_RESNET; d.image_size = SIDE; d.resnet.width = 4;
    net = ssl_backbone_new(c, "", &d);
    x = ssl_interpolate(images_of(c), 56, 56, SSL_INTERPOLATE_BILINEAR); /* layer4 has 7 x 7 places, at SIDE layer2 has 8 x 8 */
    check_look(c, ssl_backbone_look(net, x, &look), &look, ssl_backbone_forward(net, x), 7, 0, 0);
    CHECK(ssl_backbone_look(net, images_of(c), &look) && look.h == 8 && look.tokens->dim[2] == 8);
    CHECK(!ssl_map_look(ssl_input(c, pixel, 2, 3, 4), &look));
    ssl_close(c);
}

/* ---- one sentence for every bad setting, and nothing crashes after it ---- */
static void expect_error(ssl_ctx *c, ssl_tensor *loss, const char *words, int line)
{
    char where[64];
    snprintf(where, sizeof where, "test_objectives.c:%d: error: ", line);
    if (!CHECK(!ssl_ok(c) && n_errors == 1 && strstr(last_error, words) && strstr(last_error, where))) printf("     line %d: %d errors, last \"%s\"\n", line, n_errors, last_error);
    ssl_backward(loss);
    ssl_adamw_step(c, 1e-3f);
    ssl_step_end(c);
    CHECK(n_errors == 1);
    ssl_close(c);
}
static void test_bad_settings(void)
{
    ssl_ctx *c;
    ssl_vit_desc v = SSL_ZERO;
    ssl_apl_desc a = SSL_ZERO;
    ssl_mae_desc m = SSL_ZERO;
    ssl_randsac_desc r = SSL_ZERO;
    ssl_pixpro_desc p = SSL_ZERO;
    ssl_amdim_desc q = SSL_ZERO;
    const ssl_view_box box = { 0, SIDE + 1, 0, 8, 0, 0 };
    ssl_look look = SSL_ZERO;
    ssl_tensor *images;
    ssl_vit *vit;
    ssl_mae *mae;

    c = open_context(1); v.dim = 100; v.heads = 3;  vit = ssl_vit_new(c, "", &v); expect_error(c, ssl_vit_forward(vit, images_of(c)), "dim 100 and 3 heads", __LINE__);
    c = open_context(1); v.heads = 4; v.patch = 5;  vit = ssl_vit_new(c, "", &v); expect_error(c, ssl_vit_forward(vit, images_of(c)), "not a multiple of patch 5", __LINE__);
    c = open_context(1); v.patch = 4; vit = ssl_vit_new(c, "", &v);
    expect_error(c, ssl_vit_forward(vit, images_of(c)), "[B,3,32,32] is needed", __LINE__);
    c = open_context(1); v.heads = 7; vit = ssl_vit_new(c, "", &v); ssl_vit_look(vit, images_of(c), &look); expect_error(c, ssl_vit_forward(vit, images_of(c)), "and 7 heads", __LINE__);
    v.heads = 4;
    c = open_context(1); memset(&v, 0xcc, sizeof v); vit = ssl_vit_new(c, "", &v); expect_error(c, ssl_vit_forward(vit, images_of(c)), "not initialized", __LINE__);

    m.image_size = SIDE;
    c = open_context(1); m.mask_ratio = 0.99f; mae = ssl_mae_new(c, "", &m); expect_error(c, ssl_mae_loss(mae, images_of(c), NULL), "leaves 0 to see", __LINE__);
    c = open_context(1); m.mask_ratio = SSL_EXPLICIT_ZERO; mae = ssl_mae_new(c, "", &m); expect_error(c, ssl_mae_loss(mae, images_of(c), NULL), "0 to predict", __LINE__);
    c = open_context(1); m.mask_ratio = 0.5f; m.decoder_dim = 30; m.decoder_heads = 3; mae = ssl_mae_new(c, "", &m); expect_error(c, ssl_mae_loss(mae, images_of(c), NULL), "divisible by 4", __LINE__);

    a.image_size = SIDE;
    c = open_context(1); a.heads = 7; apl_loss(ssl_apl_new(c, "", &a), images_of(c)); expect_error(c, images_of(c), "cannot be shared by 7 heads", __LINE__ );
    c = open_context(1); a.heads = 3; a.crop = 4; apl_loss(ssl_apl_new(c, "", &a), images_of(c)); expect_error(c, images_of(c), "patches of 0 pixels", __LINE__);
    c = open_context(1); a.crop = 1; a.patch_dropout = 1.0f; apl_loss(ssl_apl_new(c, "", &a), images_of(c)); expect_error(c, images_of(c), "must be in [0,1)", __LINE__);

    r.image_size = SIDE;
    c = open_context(1); r.segment = 3; randsac_loss(ssl_randsac_new(c, "", &r), images_of(c)); expect_error(c, images_of(c), "segments of 3 x 3", __LINE__);
    c = open_context(1); r.segment = 4; randsac_loss(ssl_randsac_new(c, "", &r), images_of(c)); expect_error(c, images_of(c), "the first is never predicted", __LINE__);

    p.cutout_min = 0.9f; p.cutout_max = 0.8f;
    c = open_context(1); ssl_pixpro_new(c, "", &p); expect_error(c, images_of(c), "0 < min <= max <= 1", __LINE__);
    c = open_context(1); expect_error(c, ssl_cutout(images_of(c), &box, 4, 4, SSL_INTERPOLATE_NEAREST), "lie inside", __LINE__);
    c = open_context(1); ssl_ppm_new(c, "", 4, 3, 2.0f, 0); expect_error(c, images_of(c), "has 0, 1 or 2", __LINE__);
    c = open_context(1); images = ssl_input(c, pixel, 4, 1, 3, SIDE, SIDE); expect_error(c, ssl_pixpro_loss((const ssl_pixpro *)pixpro_new(c), images, images, NULL), "at least 2 in training", __LINE__);
    c = open_context(1); expect_error(c, ssl_cpc_task(ssl_cpc_task_new(c, "", 3, NULL), ssl_input(c, pixel, 4, 1, 3, 2, 8), NULL), "3 to 128 rows", __LINE__);
    c = open_context(1); expect_error(c, ssl_cpc_loss(ssl_cpc_task_new(c, "", 3, NULL), images_of(c), NULL), "has no encoder", __LINE__);

    c = open_context(1); q.comparisons = "01, 03"; ssl_amdim_new(c, "", &q); expect_error(c, images_of(c), "names map 3, and there are 3", __LINE__);
    c = open_context(1); q.comparisons = NULL; q.image_size = SIDE; ssl_amdim_new(c, "", &q); expect_error(c, images_of(c), "made for 32, 64 and 128 pixels", __LINE__);
    c = open_context(1); expect_error(c, ssl_amdim_loss((const ssl_amdim *)amdim_new(c), images_of(c), images_of(c), NULL), "[B,3,32,32] is needed", __LINE__);
    c = open_context(1); images = ssl_input(c, pixel, 4, 1, 3, SIDE, SIDE); expect_error(c, ssl_amdim_loss((const ssl_amdim *)amdim_resnet_new(c), images, images, NULL), "at least 2 in training", __LINE__);
    p.cutout_min = 0.6f; p.pixel_layer = "layer5"; p.resnet.width = 4; p.resnet.cifar_stem = 1;
    c = open_context(1); ssl_pixpro_new(c, "", &p); expect_error(c, images_of(c), "layer1 layer2 layer3 layer4 avgpool", __LINE__);
    c = open_context(1); expect_error(c, ssl_cpc_loss((const ssl_cpc *)cpc_layer_norm_new(c), ssl_input(c, pixel, 4, B, 3, 4, 48), NULL), "at least one patch of 8 x 8", __LINE__);

    c = open_context(1); expect_error(c, ssl_nt_xent(ssl_reshape(images_of(c), 2, B, -1), ssl_reshape(images_of(c), 2, B, -1), -1.0f, SSL_NT_XENT_DEFAULT), "must be positive", __LINE__);
}

int main(int argc, char **argv)
{
    if (argc > 1) check_filter = argv[1];
    if (argc > 2) only = argv[2];
    make_images();
    TEST(learns_eight_images);
    TEST(gradient);
    TEST(same_bits_for_any_threads);
    TEST(no_allocation_in_a_steady_loop);
    TEST(apl_encoders_know_no_place);
    TEST(views_of_the_papers);
    TEST(rand_augment);
    TEST(mix);
    TEST(layer_decay);
    TEST(permutations_lie_far_apart);
    TEST(quarter_turns);
    TEST(mp3_follows_the_patches);
    TEST(jigsaw_tiles);
    TEST(siamese_target_follows);
    TEST(siamese_gradient_stops);
    TEST(siamese_queue_and_center);
    TEST(siamese_resumes);
    TEST(backbones);
    TEST(block_attention);
    TEST(looks);
    TEST(bad_settings);
    return check_done();
}
