/* What every method says it does, one claim after the other: which view meets which target under which setting, what a patch may
   see and what it may not, what counts in a loss. Each against a few lines of the formula.   ./build/test_methods [NAME] */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "check.h"

enum { B = 4, SIDE = 16, N = B * 3 * SIDE * SIDE };
static float pixel[N], other[N];
static ssl_ctx *open_context(int training)
{
    ssl_desc d = SSL_ZERO;
    ssl_ctx *c;
    d.threads = 1;
    d.seed = 11;
    c = ssl_open(&d);
    ssl_train(c, training);
    return c;
}
static void make_images(void)
{
    ssl_rng r = ssl_rng_make(3, 4);
    int i;
    for (i = 0; i < N; i++) { pixel[i] = ssl_rng_normal(&r); other[i] = 0.5f * pixel[i] + ssl_rng_normal(&r); }
}
static ssl_tensor *images_of(ssl_ctx *c, const float *x) { return ssl_input(c, x, 4, B, 3, SIDE, SIDE); }
static void fill(ssl_tensor *p, float value) { p->ctx->k->fill(p->ctx, ssl_numel(p), value, p->x); }
static void scatter_weights(ssl_ctx *c, const char *pattern) /* what begins as zeros or ones gets values of its own */
{
    ssl_rng r = ssl_rng_make(5, 6);
    int p;
    int64_t i;
    for (p = 0; p < c->n_params; p++)
        if (!c->param[p]->frozen && strstr(c->param[p]->name, pattern))
            for (i = 0; i < ssl_numel(&c->param[p]->t); i++) c->param[p]->t.x[i] += 0.3f * ssl_rng_normal(&r);
}

/* ---- apl ---- */
static ssl_apl_desc apl_desc(ssl_apl_encoder encoder) /* blocks are the identity once their branches are zeros */
{
    ssl_apl_desc d = SSL_ZERO;
    d.image_size = SIDE; d.grid = 2; d.crop = 3; d.encoder = encoder; d.depth = 1; d.heads = encoder == SSL_APL_RESNET18 ? 2 : 1; d.dim = 12; d.pre_norm = 1; d.final_norm = -1;
    return d;
}
static void without_blocks(const ssl_apl *m)
{
    fill(m->block[0].proj.weight, 0.0f); fill(m->block[0].proj.bias, 0.0f);
    fill(m->block[0].fc2.weight, 0.0f); fill(m->block[0].fc2.bias, 0.0f);
}
static void test_apl_encoders(void)
{
    int e;
    for (e = SSL_APL_FLATTEN; e <= SSL_APL_RESNET18; e++) {
        ssl_apl_desc d = apl_desc((ssl_apl_encoder)e);
        ssl_ctx *c = open_context(0);
        ssl_apl_trace t = SSL_ZERO;
        ssl_tensor *x, *maps, *y;
        ssl_apl *m;
        d.project_patch_emb = d.mlp_head = 1;
        m = ssl_apl_new(c, "", &d);
        without_blocks(m);
        ssl_apl_loss(m, images_of(c, pixel), &t);
        /* by hand: cells of 8 x 8, of which 5 x 5 from row and column 2 on (3 are lost, round-half-even(1.5) = 2 of them before) */
        y = ssl_reshape(ssl_permute(ssl_reshape(images_of(c, pixel), 6, B, 3, 2, 8, 2, 8), 0, 2, 4, 1, 3, 5), 4, B * 4, 3, 8, 8);
        maps = ssl_slice(ssl_slice(y, 2, 2, 7), 3, 2, 7);
        x = ssl_reshape(maps, 3, B, 4, 75);
        CHECK(difference(t.patches, x) == 0.0);
        if (e == SSL_APL_LINEAR) x = ssl_linear(x, m->embed.weight, m->embed.bias);
        if (e == SSL_APL_CNN) {
            y = ssl_relu(ssl_conv2d(maps, m->conv1.weight, m->conv1.bias, &m->conv1.d));
            y = ssl_relu(ssl_conv2d(y, m->conv2.weight, m->conv2.bias, &m->conv2.d));
            CHECK(y->dim[1] == 128 && y->dim[2] == 5);
            x = ssl_reshape(ssl_mean_axes(y, SSL_AXIS(2) | SSL_AXIS(3), 0), 3, B, 4, 128);
        }
        if (e == SSL_APL_RESNET18) x = ssl_reshape(ssl_resnet_forward(m->resnet, maps), 3, B, 4, 512);
        x = ssl_linear(x, m->project.weight, NULL);
        x = ssl_linear(ssl_relu(ssl_linear(x, m->head.weight, m->head.bias)), m->head2.weight, m->head2.bias);
        if (!CHECK(ssl_ok(c) && difference(t.logits, x) < 1e-5)) printf("     encoder %d: %g\n", e, difference(t.logits, x));
        ssl_close(c);
    }
}
static void test_apl_drop(void)
{
    int method, i;
    for (method = SSL_APL_PLAIN; method <= SSL_APL_MASKED; method++) {
        ssl_apl_desc d = apl_desc(SSL_APL_LINEAR);
        ssl_ctx *c = open_context(1);
        ssl_apl_trace t = SSL_ZERO;
        uint8_t drop[B * 4];
        int32_t target[B * 4];
        int dropped = 0;
        d.patch_dropout = 0.5f; d.method = (ssl_apl_method)method;
        ssl_apl_loss(ssl_apl_new(c, "", &d), images_of(c, pixel), &t);
        CHECK(ssl_ok(c) && ssl_to_host(t.drop, drop) && ssl_to_host(t.target, target));
        for (i = 0; i < B * 4; i++) { dropped += drop[i]; CHECK(target[i] == (method == SSL_APL_MASKED && drop[i] ? -100 : i % 4)); }
        CHECK(dropped > 2 && dropped < 14);
        ssl_close(c);
    }
    for (i = 0; i < 3; i++) { /* each dropout alone makes two draws differ, and evaluation has none */
        ssl_apl_desc d = apl_desc(SSL_APL_CNN);
        ssl_ctx *c = open_context(1);
        ssl_apl_trace t[4];
        const ssl_apl *m;
        int k;
        d.dropout = i == 0 ? 0.3f : 0.0f; d.embed_dropout = i == 1 ? 0.3f : 0.0f; d.encoder_dropout = i == 2 ? 0.3f : 0.0f;
        m = ssl_apl_new(c, "", &d);
        memset(t, 0, sizeof t);
        for (k = 0; k < 4; k++) { ssl_train(c, k < 2); ssl_apl_loss(m, images_of(c, pixel), &t[k]); }
        if (!CHECK(difference(t[0].logits, t[1].logits) > 1e-3 && difference(t[2].logits, t[3].logits) == 0.0)) printf("     dropout %d\n", i);
        ssl_close(c);
    }
}

/* ---- masked ---- */
static void test_mask_token_choices(void)
{
    int per_image, i, distinct = 0;
    for (per_image = 0; per_image < 2; per_image++) {
        ssl_mask_token_mae_desc d = SSL_ZERO;
        ssl_mask_token_mae_trace t = SSL_ZERO;
        ssl_ctx *c = open_context(1);
        int32_t token[12], order[B * 16];
        d.image_size = SIDE; d.dim = 16; d.depth = d.decoder_depth = 1; d.heads = d.decoder_heads = 1; d.decoder_dim = 16; d.mask_tokens = 3; d.per_image = per_image;
        ssl_mask_token_mae_loss(ssl_mask_token_mae_new(c, "", &d), images_of(c, pixel), &t);
        CHECK(ssl_ok(c) && t.ids_shuffle->dim[0] == (per_image ? B : 1) && ssl_numel(t.token_index) == 12 && ssl_to_host(t.token_index, token) && ssl_to_host(t.ids_shuffle, order));
        for (i = 0; i < 12; i++) { CHECK(token[i] >= 0 && token[i] < 3); distinct |= 1 << token[i]; }
        CHECK(!per_image || memcmp(order, order + 16, 16 * sizeof *order));
        ssl_close(c);
    }
    CHECK(distinct == 7);
}
static ssl_randsac *randsac_new(ssl_ctx *c, ssl_segments segments, int groups, int raster)
{
    ssl_randsac_desc d = SSL_ZERO;
    d.image_size = SIDE; d.patch = 2; d.segment = 2; d.blobs = 5; d.segments = segments; d.groups = groups; d.raster = raster;
    d.dim = 16; d.depth = 2; d.decoder_depth = 2; d.heads = 2;
    return ssl_randsac_new(c, "", &d);
}
/* A patch is painted from earlier segments alone, and the first segment is not asked for. */
static void test_randsac_blobs(void)
{
    enum { L = 64, W = 12 };
    ssl_ctx *c = open_context(1);
    const ssl_randsac *m = randsac_new(c, SSL_SEGMENTS_BLOB, 1, 0);
    const uint64_t position = c->rng_position;
    ssl_randsac_trace t = SSL_ZERO, u = SSL_ZERO;
    static float changed[N], a[B * L * W], b[B * L * W], target[B * L * W];
    int32_t rank[B * L];
    double error = 0.0, loss;
    int i, j, seen = 0, counted = 0, last = 0;
    loss = (double)ssl_item(ssl_randsac_loss(m, images_of(c, pixel), &t));
    CHECK(ssl_ok(c) && ssl_to_host(t.rank, rank) && ssl_to_host(t.pred, a) && ssl_to_host(t.target, target));
    for (i = 0; i < B * L * W; i++) if (rank[i / W] > 0) { error += ((double)a[i] - (double)target[i]) * ((double)a[i] - (double)target[i]); counted++; }
    CHECK(counted > 0 && fabs(error / counted - loss) < 1e-5 * loss);
    memcpy(changed, pixel, sizeof changed);
    for (i = 0; i < B; i++) changed[i * 3 * SIDE * SIDE + 6 * SIDE + 6] += 3.0f; /* in patch (3,3), of red */
    ssl_step_end(c);
    c->rng_position = position;
    ssl_randsac_loss(m, images_of(c, changed), &u);
    CHECK(ssl_ok(c) && ssl_to_host(u.pred, b));
    for (i = 0; i < B; i++)
        for (j = 0; j < L; j++) {
            const int at = i * L + j, same = !memcmp(a + at * W, b + at * W, W * sizeof(float)), later = rank[at] > rank[i * L + 3 * 8 + 3];
            seen += later && !same;
            last = rank[at] > last ? rank[at] : last;
            if (!later) CHECK(same);
        }
    CHECK(seen > 0 && last >= 1);
    ssl_close(c);
}
static void test_randsac_order(void)
{
    int groups, i, s;
    for (groups = 1; groups <= 2; groups++) {
        ssl_ctx *c = open_context(1);
        ssl_randsac_trace t = SSL_ZERO;
        int32_t ids[B * 16];
        int together = 0;
        ssl_randsac_loss(randsac_new(c, SSL_SEGMENTS_SQUARE, groups, 0), images_of(c, pixel), &t);
        CHECK(ssl_ok(c) && ssl_to_host(t.ids_shuffle, ids) && memcmp(ids, ids + 16, 16 * sizeof *ids));
        for (i = 0; i < B; i++) /* 4 x 4 segments in groups of 2 x 2: does the order stay in a group for four segments? */
            for (s = 1; s < 16; s++) {
                const int a = ids[16 * i + s - 1], b = ids[16 * i + s];
                together += s % 4 && a / 8 == b / 8 && a % 4 / 2 == b % 4 / 2;
            }
        CHECK(groups == 2 ? together == B * 12 : together < B * 12);
        ssl_close(c);
    }
    for (i = 0; i < 1; i++) {
        ssl_ctx *c = open_context(1);
        ssl_randsac_trace t = SSL_ZERO;
        int32_t ids[B * 16];
        ssl_randsac_loss(randsac_new(c, SSL_SEGMENTS_SQUARE, 1, 1), images_of(c, pixel), &t);
        CHECK(ssl_ok(c) && ssl_to_host(t.ids_shuffle, ids));
        for (s = 0; s < B * 16; s++) CHECK(ids[s] == s % 16);
        ssl_close(c);
    }
}

/* ---- puzzles ---- */
static void test_rotation_labels(void)
{
    ssl_ctx *c = open_context(1);
    ssl_rotation_desc d = SSL_ZERO;
    ssl_rotation_trace t = SSL_ZERO;
    int32_t turn[4 * B];
    double loss;
    int i;
    d.backbone.image_size = SIDE; d.backbone.vit.dim = 16; d.backbone.vit.depth = 1;
    loss = (double)ssl_item(ssl_rotation_loss(ssl_rotation_new(c, "", &d), images_of(c, pixel), &t));
    for (i = 0; i < 4 * B; i++) turn[i] = i / B;
    CHECK(ssl_ok(c) && difference(ssl_slice(t.turned, 0, 0, B), images_of(c, pixel)) == 0.0);
    CHECK(fabs((double)ssl_item(ssl_cross_entropy(t.logits, ssl_input_i32(c, turn, 1, 4 * B), 0.0f)) - loss) < 1e-6);
    ssl_close(c);
}
/* Of 16 patches 4 are the context: a change of another one reaches its own logits alone. */
static void test_mp3_context(void)
{
    int hidden_only, i, j;
    for (hidden_only = 0; hidden_only < 2; hidden_only++) {
        ssl_ctx *c = open_context(0);
        ssl_mp3_desc d = SSL_ZERO;
        ssl_mp3_trace t = SSL_ZERO, u = SSL_ZERO;
        static float changed[N], a[B * 256], b[B * 256];
        int32_t ids[B * 16], label[B * 16];
        const ssl_mp3 *m;
        double loss;
        d.vit.image_size = SIDE; d.vit.dim = 16; d.vit.depth = 2; d.vit.heads = 2; d.hidden_only = hidden_only;
        m = ssl_mp3_new(c, "", &d);
        for (i = 0; i < B * 16; i++) ids[i] = (i % 16 * 5 + 3) % 16; /* context 3 8 13 2, then 7 ... */
        t.ids_shuffle = ssl_input_i32(c, ids, 2, B, 16);
        loss = (double)ssl_item(ssl_mp3_loss(m, images_of(c, pixel), &t));
        for (i = 0; i < B * 16; i++) label[i] = hidden_only && (i % 16 == 3 || i % 16 == 8 || i % 16 == 13 || i % 16 == 2) ? -100 : i % 16;
        CHECK(m->keep == 4 && fabs((double)ssl_item(ssl_cross_entropy(t.logits, ssl_input_i32(c, label, 2, B, 16), 0.0f)) - loss) < 1e-5);
        memcpy(changed, pixel, sizeof changed);
        for (i = 0; i < B; i++) changed[i * 3 * SIDE * SIDE + 5 * SIDE + 13] += 3.0f; /* in patch 7 */
        u.ids_shuffle = t.ids_shuffle;
        ssl_mp3_loss(m, images_of(c, changed), &u);
        CHECK(ssl_ok(c) && ssl_to_host(t.logits, a) && ssl_to_host(u.logits, b));
        for (i = 0; i < B; i++)
            for (j = 0; j < 16; j++) CHECK((j == 7) == (memcmp(a + i * 256 + j * 16, b + i * 256 + j * 16, 16 * sizeof(float)) != 0));
        ssl_close(c);
    }
}
static void test_jigsaw_tiles_normalized(void)
{
    int raw;
    for (raw = 0; raw < 2; raw++) {
        ssl_ctx *c = open_context(0);
        ssl_jigsaw_desc d = SSL_ZERO;
        const ssl_jigsaw *m;
        ssl_tensor *x = NULL;
        double change;
        d.image_size = SIDE; d.grid = 2; d.permutations = 4; d.raw_tiles = raw; d.backbone.vit.dim = 16; d.backbone.vit.depth = 1; d.mix = 1;
        m = ssl_jigsaw_new(c, "", &d);
        x = images_of(c, pixel);
        change = difference(ssl_jigsaw_features(m, ssl_add_scalar(ssl_scale(x, 2.0f), 3.0f)), ssl_jigsaw_features(m, x)); /* brighter, more contrast */
        CHECK(ssl_ok(c) && (raw ? change > 1e-2 : change < 1e-4));
        ssl_close(c);
    }
}

/* ---- two views ---- */
static ssl_siamese_desc siamese_desc(ssl_siamese_kind kind)
{
    ssl_siamese_desc d = SSL_ZERO;
    d.kind = kind;
    d.backbone.image_size = SIDE;
    d.backbone.vit.dim = 16; d.backbone.vit.depth = 1;
    d.projector_hidden = d.projector_out = d.predictor_hidden = 16;
    d.queue = 24; d.prototypes = 10;
    d.temperature = 0.3f; d.lambda = 0.02f; d.mu = 7.0f; d.nu = 3.0f;
    d.momentum = 0.9f;
    d.teacher_temperature_start = 0.03f; d.teacher_temperature = 0.07f; d.teacher_warmup = 0.5f;
    d.freeze_prototypes = 0.4f;
    return d;
}
static ssl_tensor *siamese_formula(const ssl_siamese *m, const ssl_siamese_trace *t, ssl_tensor *const *views, int n_views)
{
    ssl_tensor *const *z = t->projection, *const *p = t->prediction, *const *k = t->target, *crossed[2];
    int ptr = 0;
    (void)views;
    crossed[0] = k[1]; crossed[1] = k[0];
    switch (m->d.kind) {
    case SSL_SIAMESE_SIMCLR: return ssl_nt_xent(z[0], z[1], 0.3f, SSL_NT_XENT_DEFAULT);
    case SSL_SIAMESE_MOCO: return ssl_moco(ssl_concat(0, 2, z), ssl_concat(0, 2, crossed), m->queue, &ptr, 0.3f);
    case SSL_SIAMESE_BYOL: return ssl_byol(p[0], p[1], k[0], k[1]);
    case SSL_SIAMESE_SIMSIAM: return ssl_simsiam(p[0], p[1], z[0], z[1]);
    case SSL_SIAMESE_BARLOW: return ssl_barlow(z[0], z[1], 0.02f, 1e-5f);
    case SSL_SIAMESE_VICREG: return ssl_vicreg(z[0], z[1], 0.02f, 7.0f, 3.0f, 1e-4f);
    default: return ssl_dino(ssl_reshape(ssl_concat(0, n_views, z), 3, n_views, B, 10), ssl_reshape(ssl_concat(0, 2, k), 3, 2, B, 10), m->center, 0.3f, 0.05f, 0.9f);
    }
}
static void test_siamese_losses(void) /* the right tensors under the settings of the desc; in evaluation, where queue and center stay */
{
    int kind;
    for (kind = SSL_SIAMESE_SIMCLR; kind <= SSL_SIAMESE_DINO; kind++) {
        const ssl_siamese_desc d = siamese_desc((ssl_siamese_kind)kind);
        const int n = kind == SSL_SIAMESE_DINO ? 3 : 2;
        ssl_ctx *c = open_context(0);
        ssl_siamese *m = ssl_siamese_new(c, "", &d);
        ssl_siamese_trace t;
        ssl_tensor *views[3], *loss, *want;
        scatter_weights(c, ""); /* target and online apart */
        if (m->center) { fill(m->center, 0.0f); m->center->x[2] = 0.2f; }
        ssl_siamese_update(m, 0.25f); /* half of the warm-up: 0.03 + (0.07 - 0.03) / 2 */
        views[0] = images_of(c, pixel);
        views[1] = images_of(c, other);
        views[2] = ssl_slice(ssl_slice(views[1], 2, 0, 8), 3, 0, 8);
        loss = ssl_siamese_loss(m, n, views, &t);
        want = siamese_formula(m, &t, views, n);
        if (!CHECK(ssl_ok(c) && difference(loss, want) < 1e-5)) printf("     kind %d: %g, want %g\n", kind, (double)ssl_item(loss), (double)ssl_item(want));
        if (kind == SSL_SIAMESE_DINO) CHECK(fabsf(t.teacher_temperature - 0.05f) < 1e-6f);
        CHECK(difference(t.feature[0], ssl_siamese_features(m, views[0])) == 0.0 && difference(t.feature[1], t.feature[0]) > 1e-3);
        ssl_close(c);
    }
}
static void test_dino_prototypes_wait(void)
{
    const ssl_siamese_desc d = siamese_desc(SSL_SIAMESE_DINO);
    int i, k;
    for (k = 0; k < 2; k++) {
        ssl_ctx *c = open_context(1);
        ssl_siamese *m = ssl_siamese_new(c, "", &d);
        ssl_tensor *views[2];
        double g = 0.0;
        ssl_siamese_update(m, k ? 0.45f : 0.35f); /* frozen up to 0.4 */
        views[0] = images_of(c, pixel); views[1] = images_of(c, other);
        ssl_backward(ssl_siamese_loss(m, 2, views, NULL));
        for (i = 0; i < (int)ssl_numel(m->online.prototypes); i++) g += fabs((double)m->online.prototypes->g[i]);
        CHECK(ssl_ok(c) && (g > 0.0) == k);
        ssl_close(c);
    }
}

/* ---- pixels ---- */
static ssl_pixpro_desc pixpro_desc(int official)
{
    ssl_pixpro_desc d = SSL_ZERO;
    d.resnet.width = 4; d.resnet.cifar_stem = 1; d.resnet.stage[0] = d.resnet.stage[1] = d.resnet.stage[2] = d.resnet.stage[3] = 1;
    d.pixel_layer = "layer3"; d.projection_size = 6; d.projection_hidden = 8; d.official = official;
    return d;
}
/* -(2 / B) sum over both directions and images of (sum over positives of cos(x_i, z_j)) / (their number + 1e-6), boxes as in the unit image */
static void test_pixpro_official(void)
{
    enum { P = 16, D = 6 };
    ssl_ctx *c = open_context(1);
    const ssl_pixpro_desc d = pixpro_desc(1);
    const ssl_pixpro *m = ssl_pixpro_new(c, "", &d);
    ssl_pixpro_trace t = SSL_ZERO;
    ssl_view_box boxes[2 * B];
    static float x[2][B * D * P], z[2][B * D * P];
    double want = 0.0, center[2][2][P];
    int i, j, k, b, v, positives = 0;
    for (i = 0; i < 2 * B; i++) {
        memset(&boxes[i], 0, sizeof boxes[i]);
        boxes[i].y0 = i % 3; boxes[i].x0 = 4 - i % 4; boxes[i].y1 = boxes[i].y0 + 11; boxes[i].x1 = boxes[i].x0 + 11 + i % 2; boxes[i].hflip = i == 1 || i == 6;
    }
    t.boxes = boxes;
    ssl_pixpro_loss(m, images_of(c, pixel), images_of(c, pixel), &t);
    for (v = 0; v < 2; v++) CHECK(ssl_ok(c) && ssl_numel(t.pixel[v]) == B * D * P && ssl_to_host(ssl_ppm_forward(&m->ppm, t.pixel[v]), x[v]) && ssl_to_host(t.target_pixel[v], z[v]));
    for (b = 0; b < B; b++) {
        double sum[2] = { 0.0, 0.0 }, diagonal = 0.0;
        int count = 0;
        for (v = 0; v < 2; v++) {
            const ssl_view_box *q = &boxes[v * B + b];
            const double w = (q->x1 - q->x0) / 16.0 / 4.0, h = (q->y1 - q->y0) / 16.0 / 4.0;
            diagonal = fmax(diagonal, sqrt(w * w + h * h));
            for (i = 0; i < P; i++) {
                center[v][0][i] = q->y0 / 16.0 + (i / 4 + 0.5) * h;
                center[v][1][i] = q->hflip ? q->x1 / 16.0 - (i % 4 + 0.5) * w : q->x0 / 16.0 + (i % 4 + 0.5) * w;
            }
        }
        for (i = 0; i < P; i++)
            for (j = 0; j < P; j++) {
                const double dy = center[0][0][i] - center[1][0][j], dx = center[0][1][i] - center[1][1][j];
                if (sqrt(dy * dy + dx * dx) / diagonal >= 0.7) continue;
                count++;
                for (v = 0; v < 2; v++) { /* view 1's pixel i with target 2's j, and target 1's i with view 2's j */
                    const float *p = (v ? z : x)[0] + b * D * P + i, *q = (v ? x : z)[1] + b * D * P + j;
                    double dot = 0.0, pp = 0.0, qq = 0.0;
                    for (k = 0; k < D; k++) { dot += (double)p[k * P] * (double)q[k * P]; pp += (double)p[k * P] * (double)p[k * P]; qq += (double)q[k * P] * (double)q[k * P]; }
                    sum[v] += dot / sqrt(pp * qq);
                }
            }
        positives += count;
        want -= 2.0 / B * (sum[0] + sum[1]) / (count + 1e-6);
    }
    if (!CHECK(ssl_ok(c) && t.num_positive == positives && fabs((double)ssl_item(t.pixel_loss) - want) < 1e-4 * fabs(want)))
        printf("     %g with %d positives, want %g with %d\n", (double)ssl_item(t.pixel_loss), t.num_positive, want, positives);
    ssl_close(c);
}
static void test_pixpro_boxes(void)
{
    int s, flips[3] = { 0, 0, 0 };
    float least = 200.0f, most = 0.0f;
    for (s = 0; s < 3 * 60; s++) {
        static const float flip_p[3] = { SSL_EXPLICIT_ZERO, 1.0f, 0.5f };
        ssl_ctx *c = open_context(1);
        ssl_pixpro m = SSL_ZERO;
        ssl_pixpro_desc d = SSL_ZERO;
        const ssl_view_box *b;
        int i;
        c->seed = (uint64_t)s / 3;
        d.flip_p = flip_p[s % 3]; d.cutout_min = 0.5f; d.cutout_max = 0.7f;
        m.ctx = c;
        ssl_pixpro_desc_resolve(&d, &m.d);
        b = ssl__pixpro_boxes("test", &m, 1, 100, 100);
        for (i = 0; i < 2; i++) {
            const float side = (float)(b[i].y1 - b[i].y0);
            CHECK(b[i].y0 >= 0 && b[i].x0 >= 0 && b[i].y1 <= 100 && b[i].x1 <= 100 && b[i].x1 - b[i].x0 == b[i].y1 - b[i].y0);
            flips[s % 3] += b[i].hflip;
            least = side < least ? side : least;
            most = side > most ? side : most;
        }
        ssl_close(c);
    }
    CHECK(flips[0] == 0 && flips[1] == 120 && flips[2] > 40 && flips[2] < 80);
    if (!CHECK(least >= 50.0f && least < 54.0f && most <= 70.0f && most > 66.0f)) printf("     sides from %g to %g\n", (double)least, (double)most);
}
static void test_pixpro_target(void) /* begins as the online network; reset makes it so again */
{
    static const char *const name[2] = { "target_encoder.net.conv1.weight", "online_encoder.net.conv1.weight" };
    ssl_ctx *c = open_context(1);
    const ssl_pixpro_desc d = pixpro_desc(0);
    const ssl_pixpro *m = ssl_pixpro_new(c, "", &d);
    ssl_tensor *p[2];
    int i;
    for (i = 0; i < 2; i++) p[i] = ssl_param_find(c, name[i]);
    CHECK(ssl_ok(c) && p[0] && p[1] && difference(p[0], p[1]) == 0.0);
    ssl_backward(ssl_pixpro_loss(m, images_of(c, pixel), images_of(c, other), NULL));
    ssl_adamw_step(c, 1e-2f);
    CHECK(difference(p[0], p[1]) > 1e-3);
    ssl_pixpro_reset_target(m);
    CHECK(ssl_ok(c) && difference(p[0], p[1]) == 0.0);
    ssl_close(c);
}

/* ---- feature maps ---- */
static ssl_cpc *cpc_new(ssl_ctx *c, int each_once)
{
    ssl_cpc_desc d = SSL_ZERO;
    d.resnet.width = 4; d.resnet.stage[0] = d.resnet.stage[1] = d.resnet.stage[2] = d.resnet.stage[3] = 1;
    d.patch = 8; d.stride = 2; d.hidden = 8; d.blocks = 1; d.target_dim = 5; d.each_once = each_once;
    return ssl_cpc_new(c, "", &d);
}
static void test_cpc_grid(void) /* the vector of row i, column j is that of the patch whose corner is at (2 i, 2 j) */
{
    ssl_ctx *c = open_context(0);
    const ssl_cpc *m = cpc_new(c, 0);
    ssl_tensor *x = ssl_slice(images_of(c, pixel), 2, 0, 12), *z = ssl_cpc_grid(m, x), *one;
    int i, j;
    CHECK(ssl_ok(c) && z->dim[0] == B && z->dim[2] == 3 && z->dim[3] == 5);
    for (i = 0; i < 3; i++)
        for (j = 0; j < 5; j++) {
            one = ssl_resnet_forward(m->net, ssl_slice(ssl_slice(x, 2, 2 * i, 2 * i + 8), 3, 2 * j, 2 * j + 8));
            CHECK(difference(ssl_slice(ssl_slice(z, 2, i, i + 1), 3, j, j + 1), one) < 1e-5);
        }
    ssl_close(c);
}
static void test_cpc_steps(void)
{
    int each_once, i;
    for (each_once = 0; each_once < 2; each_once++) {
        ssl_ctx *c = open_context(1);
        ssl_cpc_trace t;
        double sum = 0.0, loss = (double)ssl_item(ssl_cpc_loss(cpc_new(c, each_once), images_of(c, pixel), &t));
        CHECK(ssl_ok(c) && t.n_losses == (each_once ? 4 : 3)); /* a grid of 5 rows */
        for (i = 0; i < t.n_losses; i++) sum += (each_once ? 1 : i + 1) * (double)ssl_item(t.losses[i]);
        CHECK(fabs(sum - loss) < 1e-5 * loss);
        ssl_close(c);
    }
}
static void test_amdim(void)
{
    static float big[2 * 3 * 32 * 32];
    ssl_ctx *c = open_context(1);
    ssl_amdim_desc d = SSL_ZERO;
    ssl_fmc_desc f = SSL_ZERO;
    ssl_fmc_trace t = SSL_ZERO, u = SSL_ZERO;
    ssl_tensor *x, *y, *one[SSL_AMDIM_MAPS], *two[SSL_AMDIM_MAPS], *again[SSL_AMDIM_MAPS];
    ssl_amdim *m;
    static const int32_t loc[2 * 2 * 2] = { 0, 0, 0, 0, 3, 24, 7, 0 }; /* two comparisons, two directions, two images */
    int i;
    for (i = 0; i < 2 * 3 * 32 * 32; i++) big[i] = pixel[i % N];
    d.ndf = 4; d.rkhs = 8; d.depth = 1; d.comparisons = "01, 12"; d.tclip = 0.1f;
    m = ssl_amdim_new(c, "", &d);
    x = ssl_input(c, big, 4, 2, 3, 32, 32);
    for (i = 2; i < 7; i++) { /* at first a unit averages what its kernel sees, and new channels are zeros */
        const ssl_amdim_unit *unit = m->layer[i].units ? &m->layer[i].unit[0] : NULL;
        int in;
        if (!unit || unit->kernel < 2) continue;
        in = unit->conv1.weight->dim[1];
        y = ssl_input(c, pixel, 4, 1, in, 8, 8);
        CHECK(difference(ssl_slice(ssl__amdim_unit("test", unit, y), 1, 0, in), ssl_avg_pool2d(y, unit->kernel, unit->stride, 0)) < 1e-6);
    }
    ssl_step_end(c);
    scatter_weights(c, "conv2");
    x = ssl_input(c, big, 4, 2, 3, 32, 32);
    y = ssl_add_scalar(ssl_scale(x, 0.7f), 0.2f);
    t.loc = u.loc = loc;
    f.comparisons = "01, 12"; f.tclip = 0.1f;
    CHECK(ssl_amdim_maps(m, x, one) == 3 && ssl_amdim_maps(m, y, two) == 3);
    CHECK(one[0]->dim[2] == 1 && one[1]->dim[2] == 5 && one[2]->dim[2] == 7 && one[2]->dim[1] == 8);
    CHECK(difference(ssl_amdim_loss(m, x, y, &t), ssl_fmc(&f, 3, one, two, &u)) < 1e-6);
    f.tclip = 10.0f; /* the default of ssl_fmc: it would show */
    CHECK(difference(ssl_amdim_loss(m, x, y, &t), ssl_fmc(&f, 3, one, two, &u)) > 1e-4);
    fill(m->rkhs[2].shortcut.weight, 0.0f);
    CHECK(ssl_amdim_maps(m, x, again) == 3 && difference(again[2], one[2]) > 1e-2 && difference(again[1], one[1]) == 0.0);
    ssl_close(c);
}

/* ---- networks and heads ---- */
static void test_vit(void) /* drop path grows from block to block; a look is what the class token, place 0, attends to */
{
    ssl_ctx *c = open_context(0);
    ssl_vit_desc d = SSL_ZERO;
    ssl_look look = SSL_ZERO;
    const ssl_vit *v;
    ssl_tensor *x, *row;
    int i;
    d.image_size = SIDE; d.dim = 16; d.depth = 3; d.heads = 2; d.drop_path = 0.3f;
    v = ssl_vit_new(c, "deep", &d);
    for (i = 0; i < 3; i++) CHECK(fabsf(v->block[i].d.drop_path - 0.15f * (float)i) < 1e-6f);
    d.depth = 1;
    v = ssl_vit_new(c, "flat", &d);
    CHECK(v->block[0].d.drop_path == 0.3f);
    scatter_weights(c, "flat");
    x = ssl__vit_class("test", v, ssl__vit_embed("test", v, images_of(c, pixel)));
    row = ssl_slice(ssl_slice(ssl_block_attention(&v->block[0], x, NULL), 2, 0, 1), 3, 1, 17);
    CHECK(ssl_vit_look(v, images_of(c, pixel), &look) && difference(look.attention, row) == 0.0);
    CHECK(ssl_ok(c) && difference(look.tokens, ssl_slice(ssl_vit_forward(v, images_of(c, pixel)), 1, 1, 17)) < 1e-6);
    ssl_close(c);
}
static double apart(const float *a, const float *b, int64_t n) /* |a - b| / |b| */
{
    double d = 0.0, s = 0.0;
    int64_t i;
    for (i = 0; i < n; i++) { d += ((double)a[i] - b[i]) * ((double)a[i] - b[i]); s += (double)b[i] * b[i]; }
    return sqrt(d / s);
}
static void test_vit_features(void) /* are the pooled tokens, and so are their gradients, however much of the last block is left out */
{
    int kind, way, i;
    for (kind = 0; kind < 3; kind++) {
        float *grad[2], value[2][B * 16];
        int64_t n = 0;
        for (way = 0; way < 2; way++) {
            ssl_ctx *c = open_context(1);
            ssl_vit_desc d = SSL_ZERO;
            const ssl_vit *v;
            ssl_tensor *x, *y;
            d.image_size = SIDE; d.dim = 16; d.depth = 2; d.heads = 2; d.mean_pool = kind == 1; d.no_class_token = kind == 2;
            v = ssl_vit_new(c, "v", &d);
            scatter_weights(c, "v");
            x = images_of(c, pixel);
            y = way ? ssl_vit_pool(v, ssl_vit_forward(v, x)) : ssl_vit_features(v, x);
            CHECK(y->ndim == 2 && y->dim[0] == B && y->dim[1] == 16);
            ssl_to_host(y, value[way]);
            ssl_backward(ssl_sum(ssl_mul(y, y)));
            for (i = 0, n = 0; i < ssl_param_count(c); i++) n += ssl_numel(ssl_param_at_index(c, i, NULL));
            grad[way] = (float *)malloc(sizeof(float) * (size_t)n);
            for (i = 0, n = 0; i < ssl_param_count(c); i++) {
                CHECK(ssl_grad_to_host(ssl_param_at_index(c, i, NULL), grad[way] + n));
                n += ssl_numel(ssl_param_at_index(c, i, NULL));
            }
            CHECK(ssl_close(c) == SSL_OK);
        }
        CHECK(apart(value[0], value[1], B * 16) < 1e-5 && apart(grad[0], grad[1], n) < 1e-5);
        free(grad[0]);
        free(grad[1]);
    }
}
static void test_zero_init_residual(void)
{
    static const char *const name[2] = { "layer1.0", "layer1.1" };
    int zero;
    for (zero = 0; zero < 2; zero++) {
        ssl_ctx *c = open_context(1);
        ssl_resnet_desc d = SSL_ZERO;
        ssl_tensor *out[2];
        d.width = 4; d.cifar_stem = 1; d.zero_init_residual = zero;
        ssl_resnet_layers(ssl_resnet_new(c, "", &d), images_of(c, pixel), 2, name, out);
        CHECK(ssl_ok(c) && (difference(out[1], out[0]) == 0.0) == zero);
        ssl_close(c);
    }
}
static void test_heads(void)
{
    int kind, k;
    for (kind = SSL_HEAD_LINEAR; kind <= SSL_HEAD_MLP_PLAIN; kind++) {
        ssl_ctx *c = open_context(1);
        ssl_head_desc d = SSL_ZERO;
        ssl_head h;
        ssl_tensor *x, *y, *want = NULL, *twice[2];
        d.kind = (ssl_head_kind)kind; d.hidden = 9;
        if (kind == SSL_HEAD_MLP_PLAIN) d.dropout = SSL_EXPLICIT_ZERO;
        h = ssl_head_new(c, "head", 12, 5, &d);
        d.dropout = 0.5f; d.hidden = 7;
        x = ssl_input(c, pixel, 2, 20, 12);
        y = ssl_head_forward(&h, x);
        if (kind == SSL_HEAD_LINEAR) want = ssl_linear(x, h.fc2.weight, h.fc2.bias);
        if (kind == SSL_HEAD_NORM) want = ssl_linear(ssl_batch_norm(x, NULL, NULL, NULL, NULL, 0.1f, 1e-6f), h.fc2.weight, h.fc2.bias);
        if (kind == SSL_HEAD_MLP) want = ssl_linear(ssl_relu(ssl_batch_norm(ssl_linear(x, h.fc1.weight, NULL), h.bn.weight, h.bn.bias, NULL, NULL, 0.1f, 1e-5f)), h.fc2.weight, h.fc2.bias);
        if (kind == SSL_HEAD_MLP_PLAIN) want = ssl_linear(ssl_relu(ssl_linear(x, h.fc1.weight, h.fc1.bias)), h.fc2.weight, h.fc2.bias);
        if (!CHECK(ssl_ok(c) && difference(y, want) < 1e-5)) printf("     head %d: %s\n", kind, ssl_error_message(c));
        ssl_step_end(c);
        h = ssl_head_new(c, "dropping", 12, 5, &d);
        for (k = 0; k < 2; k++) twice[k] = ssl_head_forward(&h, ssl_input(c, pixel, 2, 20, 12));
        CHECK(ssl_ok(c) && difference(twice[0], twice[1]) > 1e-2);
        ssl_close(c);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1) check_filter = argv[1];
    make_images();
    TEST(apl_encoders);
    TEST(apl_drop);
    TEST(mask_token_choices);
    TEST(randsac_blobs);
    TEST(randsac_order);
    TEST(rotation_labels);
    TEST(mp3_context);
    TEST(jigsaw_tiles_normalized);
    TEST(siamese_losses);
    TEST(dino_prototypes_wait);
    TEST(pixpro_official);
    TEST(pixpro_boxes);
    TEST(pixpro_target);
    TEST(cpc_grid);
    TEST(cpc_steps);
    TEST(amdim);
    TEST(vit);
    TEST(vit_features);
    TEST(zero_init_residual);
    TEST(heads);
    return check_done();
}
