/* masked.h: the methods that hide patches and paint them (mae, mae-mask-token, randsac) and the puzzles jigsaw, rotation, mp3.
 * Included by methods.h. */
#ifndef MASKED_H
#define MASKED_H

/* ---- a batch of images with what a network paints in the place of their hidden patches ---- */
typedef struct painting {
    pictures p;
    int patch, tokens, norm; /* norm 1: pred is in units of the mean and deviation of the true patch */
    ssl_patch_order order;   /* of the values inside a patch */
    unsigned char *hidden;   /* [n,tokens] */
    float *pred;             /* [n,tokens,P P C] */
} painting;
static void painting_free(painting *q) { free(q->p.x); free(q->hidden); free(q->pred); }
static int painting_get(painting *q, ssl_tensor *images, const ssl_augment_desc *a, int patch, ssl_patch_order order, int norm) /* nothing hidden yet */
{
    memset(q, 0, sizeof *q);
    if (!pictures_get(&q->p, images, a)) return 0;
    q->patch = patch;
    q->tokens = (q->p.h / patch) * (q->p.w / patch);
    q->norm = norm;
    q->order = order;
    q->hidden = (unsigned char *)calloc((size_t)q->p.n * (size_t)q->tokens, 1);
    q->pred = (float *)calloc((size_t)ssl_numel(images), sizeof(float));
    return q->hidden && q->pred;
}
/* Columns first..last-1 of ids I32 [1 or B, L] are hidden; pred [B,L,P P C]. */
static int painting_hide(painting *q, ssl_tensor *ids, int first, int last, ssl_tensor *pred)
{
    int32_t *host = (int32_t *)malloc(sizeof(int32_t) * (size_t)ssl_numel(ids));
    int i, j, ok = host && ssl_to_host(ids, host) && ssl_to_host(pred, q->pred);
    for (i = 0; ok && i < q->p.n; i++)
        for (j = first; j < last; j++) q->hidden[i * q->tokens + host[(ids->dim[0] > 1 ? i : 0) * q->tokens + j]] = 1;
    free(host);
    return ok;
}
/* A random order of n things in each of `rows` rows, I32 [rows,n]: always the same for the same stream. */
static ssl_tensor *fixed_order(ssl_ctx *ctx, int rows, int n, int stream)
{
    int32_t *ids = (int32_t *)malloc(sizeof(int32_t) * (size_t)rows * (size_t)n);
    ssl_rng rng = ssl_rng_make(1, (uint64_t)stream);
    ssl_tensor *t;
    int i, j;
    for (i = 0; ids && i < rows; i++)
        for (j = 0; j < n; j++) { /* each new one changes places with an earlier one */
            const int k = ssl_rng_below(&rng, j + 1);
            ids[i * n + j] = ids[i * n + k];
            ids[i * n + k] = j;
        }
    t = ssl_input_i32(ctx, ids, 2, rows, n);
    free(ids);
    return t;
}
/* where value j of a patch is in an image: place within it */
static size_t painting_pixel(const painting *q, int patch, int j, int *channel)
{
    const int k = q->patch, C = q->p.c, across = q->p.w / k, last = q->order == SSL_PATCH_ROW_COL_CHANNEL;
    const int c = last ? j % C : j / (k * k), y = patch / across * k + (last ? j / (k * C) : j / k % k), x = patch % across * k + (last ? j / C % k : j % k);
    *channel = c;
    return ((size_t)c * (size_t)q->p.h + (size_t)y) * (size_t)q->p.w + (size_t)x;
}
static void painting_figures(const painting *q, int image, int patch, float *mean, float *deviation) /* of all values of a patch, unbiased */
{
    const int n = q->patch * q->patch * q->p.c;
    double sum = 0.0, squares = 0.0;
    int j, c;
    *mean = 0.0f;
    *deviation = 1.0f;
    for (j = 0; j < n; j++) {
        const double v = (double)pictures_at(&q->p, image)[painting_pixel(q, patch, j, &c)];
        sum += v;
        squares += v * v;
    }
    if (!q->norm) return;
    *mean = (float)(sum / n);
    *deviation = (float)sqrt((squares - sum * sum / n) / (n - 1) + 1e-6);
}
/* The hidden patches of a copy of the image become the prediction, or gray with painted 0. */
static void painting_fill(const painting *q, int image, int painted, float *copy)
{
    const int width = q->patch * q->patch * q->p.c;
    const float *pred = q->pred + (size_t)image * (size_t)q->tokens * (size_t)width;
    float mean, deviation;
    int i, j, c;
    memcpy(copy, pictures_at(&q->p, image), sizeof(float) * (size_t)q->tokens * (size_t)width);
    for (i = 0; i < q->tokens; i++) {
        if (!q->hidden[image * q->tokens + i]) continue;
        painting_figures(q, image, i, &mean, &deviation);
        for (j = 0; j < width; j++) {
            const size_t at = painting_pixel(q, i, j, &c);
            copy[at] = painted ? mean + deviation * pred[i * width + j] : (0.5f - q->p.mean[c]) / q->p.std_dev[c];
        }
    }
}
/* Adds the squared error of the hidden pixels in levels 0..255, and their number. */
static void painting_error(const painting *q, double *squares, double *n)
{
    const size_t plane = (size_t)(q->p.h * q->p.w), size = (size_t)q->p.c * plane;
    float *copy = (float *)malloc(sizeof(float) * size);
    size_t j;
    int i;
    for (i = 0; copy && i < q->p.n; i++) {
        painting_fill(q, i, 1, copy);
        for (j = 0; j < size; j++) {
            const double d = 255.0 * (double)q->p.std_dev[j / plane] * (double)(copy[j] - pictures_at(&q->p, i)[j]);
            *squares += d * d;
        }
    }
    for (i = 0; i < q->p.n * q->tokens; i++) *n += q->hidden[i] ? q->patch * q->patch * q->p.c : 0;
    free(copy);
}
/* Three rows: the images, something between (middle; NULL: what is hidden is gray), what is painted. */
static void painting_picture(const painting *q, ssl_ctx *ctx, const char *path, const char *name, void (*middle)(void *user, ssl_canvas *canvas, int image, int x, int y, int scale), void *user)
{
    const int scale = picture_scale(q->p.h), step = q->p.h * scale + 10;
    const char *names[3];
    ssl_canvas *canvas = ssl_canvas_new(ctx, 130 + q->p.n * step, 10 + 3 * step, 0xffffff);
    float *copy = (float *)malloc(sizeof(float) * (size_t)(q->p.c * q->p.h * q->p.w));
    int i;
    names[0] = "input"; names[1] = name; names[2] = "predicted";
    for (i = 0; i < 3; i++) ssl_canvas_text(canvas, 10, 10 + i * step + step / 2 - 12, 2, 0x202020, names[i]);
    for (i = 0; copy && i < q->p.n; i++) {
        pictures_draw(&q->p, canvas, 130 + i * step, 10, scale, pictures_at(&q->p, i));
        painting_fill(q, i, 0, copy);
        if (middle) middle(user, canvas, i, 130 + i * step, 10 + step, scale);
        else pictures_draw(&q->p, canvas, 130 + i * step, 10 + step, scale, copy);
        painting_fill(q, i, 1, copy);
        pictures_draw(&q->p, canvas, 130 + i * step, 10 + 2 * step, scale, copy);
    }
    ssl_canvas_save(canvas, path);
    ssl_canvas_free(canvas);
    free(copy);
}

/* ---- mae ---- */
#define AUTOENCODER_FIELDS(type)                                                                               \
    F(INTEGER, type, patch, "side of a patch in pixels"),                                                      \
    F(INTEGER, type, dim, "width of the encoder"),                                                             \
    F(INTEGER, type, depth, "blocks of the encoder"),                                                          \
    F(INTEGER, type, heads, "attention heads of the encoder; 0: dim / 64"),                                    \
    F(INTEGER, type, hidden, "width of the encoder's MLP; 0: 4 dim"),                                          \
    F(INTEGER, type, decoder_dim, "width of the decoder"),                                                     \
    F(INTEGER, type, decoder_depth, "blocks of the decoder"),                                                  \
    F(INTEGER, type, decoder_heads, "attention heads of the decoder; 0: decoder_dim / 32"),                    \
    F(INTEGER, type, decoder_hidden, "width of the decoder's MLP; 0: 4 decoder_dim"),                          \
    F(NUMBER0, type, mask_ratio, "part of the patches that is hidden")
static const field mae_fields[] = {
    AUTOENCODER_FIELDS(ssl_mae_desc),
    F(INTEGER, ssl_mae_desc, norm_pix, "1: predict patches normalized by their own mean and deviation"),
    F(NUMBER, ssl_mae_desc, drop_path, "probability that a block of the encoder is skipped"),
};
MODEL(mae, )
static ssl_tensor *mae_loss(void *model, const ssl_batch *b, double *metrics)
{
    (void)metrics;
    return ssl_mae_loss((const ssl_mae *)model, b->images, NULL);
}
static int mae_paint(void *model, ssl_tensor *images, const ssl_augment_desc *a, int mask, painting *q)
{
    const ssl_mae *m = (const ssl_mae *)model;
    ssl_mae_trace t = SSL_ZERO;
    t.ids_shuffle = fixed_order(m->ctx, images->dim[0], m->tokens, mask);
    ssl_mae_loss(m, images, &t);
    return painting_get(q, images, a, m->d.patch, SSL_PATCH_ROW_COL_CHANNEL, m->d.norm_pix) && painting_hide(q, t.ids_shuffle, m->keep, m->tokens, t.pred);
}
static void mae_picture(void *model, ssl_tensor *images, const ssl_augment_desc *a, const char *path)
{
    painting q;
    if (mae_paint(model, images, a, 0, &q)) painting_picture(&q, images->ctx, path, "masked", NULL, NULL);
    painting_free(&q);
}

/* ---- mae-mask-token ---- */
static const field mask_token_mae_fields[] = {
    AUTOENCODER_FIELDS(ssl_mask_token_mae_desc),
    F(INTEGER, ssl_mask_token_mae_desc, mask_tokens, "learned tokens; each hidden place takes one of them at random"),
    F(INTEGER, ssl_mask_token_mae_desc, per_image, "1: a mask for each image; 0: one for the whole batch (the original)"),
    F(NUMBER0, ssl_mask_token_mae_desc, pixel_scale, "the loss is the mean of (scale x error)^2"),
};
MODEL(mask_token_mae, )
static ssl_tensor *mask_token_mae_loss(void *model, const ssl_batch *b, double *metrics)
{
    (void)metrics;
    return ssl_mask_token_mae_loss((const ssl_mask_token_mae *)model, b->images, NULL);
}
static int mask_token_mae_paint(void *model, ssl_tensor *images, const ssl_augment_desc *a, int mask, painting *q)
{
    const ssl_mask_token_mae *m = (const ssl_mask_token_mae *)model;
    ssl_mask_token_mae_trace t = SSL_ZERO;
    t.ids_shuffle = fixed_order(m->ctx, m->d.per_image ? images->dim[0] : 1, m->tokens, mask);
    t.token_index = ssl_iota(m->ctx, m->n_hidden, 0, 1, m->d.mask_tokens); /* each token in its turn */
    ssl_mask_token_mae_loss(m, images, &t);
    return painting_get(q, images, a, m->d.patch, SSL_PATCH_CHANNEL_ROW_COL, 0) && painting_hide(q, t.ids_shuffle, 0, m->n_hidden, t.pred);
}
static void mask_token_mae_picture(void *model, ssl_tensor *images, const ssl_augment_desc *a, const char *path)
{
    painting q;
    if (mask_token_mae_paint(model, images, a, 0, &q)) painting_picture(&q, images->ctx, path, "masked", NULL, NULL);
    painting_free(&q);
}

/* ---- randsac ---- */
static const field randsac_fields[] = {
    F(INTEGER, ssl_randsac_desc, patch, "side of a patch in pixels"),
    F_OF(ssl_randsac_desc, segments, "default|square|blob", "squares of patches, or the patches likeliest under random Gaussians"),
    F(INTEGER, ssl_randsac_desc, segment, "squares: patches along a side; must divide the grid"),
    F(INTEGER, ssl_randsac_desc, blobs, "blobs of an image"),
    F(INTEGER, ssl_randsac_desc, groups, "hierarchical order: squares in groups of n x n, blobs in n groups; the groups are shuffled, then what is in each; 1: flat"),
    F(INTEGER, ssl_randsac_desc, raster, "1: squares in row-major order (ablation)"),
    F(INTEGER, ssl_randsac_desc, dim, "width of the network"),
    F(INTEGER, ssl_randsac_desc, depth, "blocks of the encoder"),
    F(INTEGER, ssl_randsac_desc, heads, "attention heads; 0: dim / 64"),
    F(INTEGER, ssl_randsac_desc, hidden, "width of the MLPs; 0: 4 dim"),
    F(INTEGER, ssl_randsac_desc, decoder_depth, "blocks of the decoder"),
    F_OF(ssl_randsac_desc, act, "default|none|relu|gelu|gelu_tanh", "activation in the MLPs"),
    F(INTEGER, ssl_randsac_desc, no_skip, "1: the decoder reads the last layer of the encoder, not a learned mixture of all"),
    F(INTEGER, ssl_randsac_desc, raw_target, "1: predict pixels as they are, not normalized patch by patch"),
    F(NUMBER, ssl_randsac_desc, dropout, "in the blocks"),
};
MODEL(randsac, )
static ssl_tensor *randsac_loss(void *model, const ssl_batch *b, double *metrics)
{
    (void)metrics;
    return ssl_randsac_loss((const ssl_randsac *)model, b->images, NULL);
}
typedef struct segments { int grid, patch, last; int32_t *rank; } segments; /* rank [B,L]: when a patch is predicted, 0 not at all; last: the greatest */
static void segments_draw(void *user, ssl_canvas *canvas, int image, int x, int y, int scale)
{
    const segments *s = (const segments *)user;
    const int side = s->patch * scale;
    char text[16];
    int i;
    for (i = 0; i < s->grid * s->grid; i++) {
        const int32_t rank = s->rank[image * s->grid * s->grid + i];
        const float value = (float)rank;
        const int px = x + i % s->grid * side, py = y + i / s->grid * side;
        ssl_canvas_heat(canvas, px, py, side, &value, 1, 1, 0.0f, (float)s->last);
        snprintf(text, sizeof text, "%d", (int)rank + 1);
        if (ssl_canvas_text_width(1, text) <= side && side >= 8)
            ssl_canvas_text(canvas, px + (side - ssl_canvas_text_width(1, text)) / 2, py + (side - 8) / 2, 1, 2 * rank > s->last ? 0x202020 : 0xffffff, text);
    }
}
/* Squares: predictions [B,Q,W] in the order of the sequence, the first segment left out, go to their places. */
static int randsac_squares(const ssl_randsac *m, const ssl_randsac_trace *t, painting *q, segments *s)
{
    const int L = m->tokens, per = m->d.segment * m->d.segment, width = t->pred->dim[2];
    int32_t *order = (int32_t *)malloc(sizeof(int32_t) * (size_t)(q->p.n * L));
    float *pred = (float *)malloc(sizeof(float) * (size_t)ssl_numel(t->pred));
    int i, j, ok = order && pred && ssl_to_host(t->order, order) && ssl_to_host(t->pred, pred);
    for (i = 0; ok && i < q->p.n; i++)
        for (j = 0; j < L; j++) {
            const int at = i * L + order[i * L + j];
            s->rank[at] = j / per;
            if (j >= per) memcpy(q->pred + (size_t)at * (size_t)width, pred + (size_t)(i * (L - per) + j - per) * (size_t)width, sizeof(float) * (size_t)width);
        }
    free(order); free(pred);
    return ok;
}
static void randsac_picture(void *model, ssl_tensor *images, const ssl_augment_desc *a, const char *path)
{
    const ssl_randsac *m = (const ssl_randsac *)model;
    ssl_randsac_trace t = SSL_ZERO;
    segments s = SSL_ZERO;
    painting q;
    int i, ok;
    ssl_randsac_loss(m, images, &t);
    s.grid = m->grid; s.patch = m->d.patch; s.last = m->n_segments - 1;
    s.rank = (int32_t *)malloc(sizeof(int32_t) * (size_t)images->dim[0] * (size_t)m->tokens);
    ok = painting_get(&q, images, a, m->d.patch, SSL_PATCH_ROW_COL_CHANNEL, !m->d.raw_target) && s.rank;
    if (m->d.segments == SSL_SEGMENTS_BLOB) ok = ok && ssl_to_host(t.rank, s.rank) && ssl_to_host(t.pred, q.pred);
    else ok = ok && randsac_squares(m, &t, &q, &s);
    for (i = 0; ok && i < q.p.n * m->tokens; i++) q.hidden[i] = s.rank[i] > 0;
    if (ok) painting_picture(&q, images->ctx, path, "segments", segments_draw, &s);
    painting_free(&q);
    free(s.rank);
}

/* ---- jigsaw ---- */
static const field jigsaw_fields[] = {
    F(INTEGER, ssl_jigsaw_desc, grid, "the image is cut into grid x grid tiles"),
    { "crop", INTEGER, offsetof(ssl_jigsaw_desc, crop), NULL, "pixels that a tile is smaller than its cell; 0: the fewest that leave whole patches, -1: none" },
    F(INTEGER, ssl_jigsaw_desc, permutations, "how many to tell apart"),
    F(INTEGER, ssl_jigsaw_desc, raw_tiles, "1: tiles are not normalized by their own mean and deviation"),
    F(INTEGER, ssl_jigsaw_desc, mix, "blocks over all tiles, after those of each tile; -1: none"),
    BACKBONE_FIELDS(ssl_jigsaw_desc, backbone.),
};
MODEL(jigsaw, )
static ssl_tensor *jigsaw_loss(void *model, const ssl_batch *b, double *metrics)
{
    ssl_jigsaw_trace t = SSL_ZERO;
    ssl_tensor *loss = ssl_jigsaw_loss((const ssl_jigsaw *)model, b->images, &t);
    if (metrics && ssl_ok(loss->ctx)) puzzle_accuracy(t.logits, t.ids, 1, metrics);
    return loss;
}
static void jigsaw_picture(void *model, ssl_tensor *images, const ssl_augment_desc *a, const char *path)
{
    const ssl_jigsaw *m = (const ssl_jigsaw *)model;
    const int n = images->dim[0], P = m->d.permutations, T = m->tiles;
    ssl_jigsaw_trace t = SSL_ZERO;
    int32_t *ids = (int32_t *)malloc(sizeof(int32_t) * (size_t)n);
    float *logits = (float *)malloc(sizeof(float) * (size_t)n * (size_t)P);
    int order[64], cell[64];
    puzzle z = SSL_ZERO;
    int i, j, best;
    ssl_jigsaw_loss(m, images, &t);
    if (ids && logits && puzzle_begin(&z, images, a, m->d.grid, m->cell) && ssl_to_host(t.ids, ids) && ssl_to_host(t.logits, logits))
        for (i = 0; i < n; i++) {
            for (j = 1, best = 0; j < P; j++) if (logits[i * P + j] > logits[i * P + best]) best = j;
            for (j = 0; j < T; j++) {
                order[j] = m->permutation[ids[i] * T + j];
                cell[order[j]] = m->permutation[best * T + j];
            }
            puzzle_draw(&z, i, order, cell);
        }
    puzzle_end(&z, path);
    free(ids); free(logits);
}

/* ---- rotation ---- */
static const field rotation_fields[] = { BACKBONE_FIELDS(ssl_rotation_desc, backbone.) };
MODEL(rotation, backbone.)
static ssl_tensor *rotation_loss(void *model, const ssl_batch *b, double *metrics)
{
    const int n = b->n;
    ssl_rotation_trace t = SSL_ZERO;
    ssl_tensor *loss = ssl_rotation_loss((const ssl_rotation *)model, b->images, &t);
    if (metrics && ssl_ok(loss->ctx)) puzzle_accuracy(t.logits, ssl_iota(loss->ctx, 4 * n, 0, n, 4), 1, metrics);
    return loss;
}
/* Each image in one of its turns; below it the turn that the network sees, and the image turned back by it. */
static void rotation_picture(void *model, ssl_tensor *images, const ssl_augment_desc *a, const char *path)
{
    static const char *const names[4] = { "0", "90", "180", "270" };
    const int n = images->dim[0];
    ssl_rotation_trace t = SSL_ZERO;
    pictures p = SSL_ZERO, q = SSL_ZERO;
    float *logits = (float *)malloc(sizeof(float) * 16 * (size_t)n);
    ssl_canvas *canvas = NULL;
    int i, j, scale, step;
    ssl_rotation_loss((const ssl_rotation *)model, images, &t);
    if (logits && pictures_get(&p, images, a) && pictures_get(&q, t.turned, a) && ssl_to_host(t.logits, logits))
        canvas = ssl_canvas_new(images->ctx, 130 + n * (p.h * picture_scale(p.h) + 10), 36 + 2 * (p.h * picture_scale(p.h) + 10), 0xffffff);
    scale = picture_scale(images->dim[2]);
    step = p.h * scale + 10;
    ssl_canvas_text(canvas, 10, 10 + step / 2 - 12, 2, 0x202020, "turned");
    ssl_canvas_text(canvas, 10, 14 + step, 2, 0x202020, "predicted");
    ssl_canvas_text(canvas, 10, 36 + step + step / 2 - 12, 2, 0x202020, "undone");
    for (i = 0; canvas && i < n; i++) {
        const int turn = i % 4, at = turn * n + i;
        int seen = 0;
        for (j = 1; j < 4; j++) if (logits[at * 4 + j] > logits[at * 4 + seen]) seen = j;
        pictures_draw(&q, canvas, 130 + i * step, 10, scale, pictures_at(&q, at));
        ssl_canvas_text(canvas, 130 + i * step, 14 + step, 2, seen == turn ? 0x2f9e44 : 0xd6541e, names[seen]);
        pictures_draw(&q, canvas, 130 + i * step, 36 + step, scale, pictures_at(&q, (turn - seen + 4) % 4 * n + i));
    }
    if (canvas) ssl_canvas_save(canvas, path);
    ssl_canvas_free(canvas);
    free(p.x); free(q.x); free(logits);
}

/* ---- mp3 ---- */
static const field mp3_fields[] = {
    VIT_FIELDS(ssl_mp3_desc, vit.),
    F(NUMBER0, ssl_mp3_desc, mask_ratio, "part of the patches outside the context that all others look at"),
    F(INTEGER, ssl_mp3_desc, hidden_only, "1: only those outside the context are asked for their places"),
};
MODEL(mp3, vit.)
static ssl_tensor *mp3_loss(void *model, const ssl_batch *b, double *metrics)
{
    const int L = ((const ssl_mp3 *)model)->tokens;
    ssl_mp3_trace t = SSL_ZERO;
    ssl_tensor *loss = ssl_mp3_loss((const ssl_mp3 *)model, b->images, &t);
    if (metrics && ssl_ok(loss->ctx)) puzzle_accuracy(t.logits, ssl_iota(loss->ctx, b->n * L, 0, 1, L), 3, metrics);
    return loss;
}
static void mp3_picture(void *model, ssl_tensor *images, const ssl_augment_desc *a, const char *path)
{
    const ssl_mp3 *m = (const ssl_mp3 *)model;
    ssl_mp3_trace t = SSL_ZERO;
    t.ids_shuffle = fixed_order(m->ctx, images->dim[0], m->tokens, 0);
    ssl_mp3_loss(m, images, &t);
    puzzle_picture(images, t.logits, m->d.vit.image_size / m->d.vit.patch, m->d.vit.patch, a, path);
}
#endif
