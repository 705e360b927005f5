/* One row per op: value against a double-precision oracle, gradient against central differences of that oracle under random
 * output weights, on every instruction set, with the same bits for any number of threads and guard bytes around every buffer.
 *
 *     cc -O2 -fopenmp -I. tests/test_ops.c -o build/test_ops -lm && build/test_ops [FILTER]
 *
 * A row is R(name, tolerance, "cases", op, oracle):
 *   cases   separated by '|', the inputs of a case by spaces. An input is [kind:]shape, the shape as 3x65x257. Kinds:
 *           none  uniform in [-2,2]           c   the same, a constant without gradient
 *           p     uniform in [0.5,2.5]        q   the same, a constant without gradient
 *           k     0.3 to 2.3 and either sign, for ops with a kink at 0
 *           d     different by at least 4/n   i7  I32 in 0..6          t7  the same, every third one -100
 *           s7    I32 rows without repetition in 0..6                  m   U8 0 or 1, the first of a row 0
 *           b     U8 0 or 1, every third row all 1
 *   op      the result, made of in[0], in[1] ...
 *   oracle  statements that give y its shape and its values from in[0], in[1] ..., in double precision
 * Values and gradients may differ by tolerance x max(1, largest magnitude). Rows of products also run at the lower precisions
 * of units for them, whose operands keep 11 (high: TF32) and 8 (bf16) bits: 3e-3 and 2.5e-2, on the CPU 1.5e-2 and for conv2d,
 * whose gradients go through Winograd's transforms, 4e-2. linear_relu does not: a rounded sum near 0 may fall on the other side
 * of the kink.
 */
#define _POSIX_C_SOURCE 200809L /* setenv */
#define SSL_GUARD
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "check.h"

#define MAX_IN 8
typedef struct array { int ndim, dim[SSL_DIMS]; int64_t n; double *x; char kind; } array;

/* ---- oracles ---- */
static void shape(array *y, int ndim, const int *dim)
{
    int i;
    y->ndim = ndim;
    y->n = 1;
    for (i = 0; i < ndim; i++) y->n *= y->dim[i] = dim[i];
    y->x = (double *)calloc((size_t)y->n, sizeof *y->x);
}
static void shape3(array *y, int a, int b, int c) /* up to 3 axes, 0 ends */
{
    int dim[3];
    dim[0] = a; dim[1] = b; dim[2] = c;
    shape(y, c ? 3 : b ? 2 : 1, dim);
}
static double at3(const array *a, int i, int j, int k) { return a->x[((int64_t)i * a->dim[1] + j) * a->dim[2] + k]; }
#define MAP(value) /* y = value(x) */                                                                          \
    do {                                                                                                       \
        int64_t i;                                                                                             \
        shape(y, in[0].ndim, in[0].dim);                                                                       \
        for (i = 0; i < y->n; i++) { const double x = in[0].x[i]; y->x[i] = (value); }                         \
    } while (0)

/* Where element i of an array of shape y is in a, whose axes of size 1 repeat. */
static int64_t repeated(const array *y, const array *a, int64_t i)
{
    int64_t place = 0, step = 1;
    int d;
    for (d = 1; d <= y->ndim; d++) {
        const int n = y->dim[y->ndim - d];
        if (d <= a->ndim) {
            const int m = a->dim[a->ndim - d];
            place += (m == 1 ? 0 : i % n) * step;
            step *= m;
        }
        i /= n;
    }
    return place;
}
static void shape2(array *y, const array *a, const array *b) /* the shape of a + b */
{
    int dim[SSL_DIMS], n = a->ndim > b->ndim ? a->ndim : b->ndim, d;
    for (d = 1; d <= n; d++) {
        const int p = d <= a->ndim ? a->dim[a->ndim - d] : 1, q = d <= b->ndim ? b->dim[b->ndim - d] : 1;
        dim[n - d] = p > q ? p : q;
    }
    shape(y, n, dim);
}
#define MAP2(value) /* y = value(a, b) with broadcasting */                                                    \
    do {                                                                                                       \
        int64_t i;                                                                                             \
        shape2(y, &in[0], &in[1]);                                                                             \
        for (i = 0; i < y->n; i++) {                                                                           \
            const double a = in[0].x[repeated(y, &in[0], i)], b = in[1].x[repeated(y, &in[1], i)];             \
            y->x[i] = (value);                                                                                 \
        }                                                                                                      \
    } while (0)

static double gelu(double x) { return 0.5 * x * (1.0 + erf(x / sqrt(2.0))); }
static double gelu_tanh(double x) { return 0.5 * x * (1.0 + tanh(sqrt(2.0 / 3.14159265358979323846) * (x + 0.044715 * x * x * x))); }
static double activate(ssl_act act, double x)
{ return act == SSL_ACT_RELU ? (x > 0.0 ? x : 0.0) : act == SSL_ACT_GELU ? gelu(x) : act == SSL_ACT_GELU_TANH ? gelu_tanh(x) : x; }

static void linear(const array *x, const array *w, const array *b, ssl_act act, const array *r, array *y)
{
    const int I = w->dim[1], O = w->dim[0];
    int dim[SSL_DIMS], p;
    int64_t i;
    memcpy(dim, x->dim, sizeof dim);
    dim[x->ndim - 1] = O;
    shape(y, x->ndim, dim);
    for (i = 0; i < y->n; i++) {
        double s = b ? b->x[i % O] : 0.0;
        for (p = 0; p < I; p++) s += x->x[i / O * I + p] * w->x[i % O * I + p];
        y->x[i] = activate(act, s) + (r ? r->x[i] : 0.0);
    }
}
static void matmul(const array *a, const array *b, int ta, int tb, array *y)
{
    const int *da = a->dim + a->ndim - 2, *db = b->dim + b->ndim - 2;
    const int m = da[ta], k = da[!ta], n = db[!tb];
    int dim[SSL_DIMS], p;
    int64_t i;
    memcpy(dim, a->dim, sizeof dim);
    dim[a->ndim - 2] = m;
    dim[a->ndim - 1] = n;
    shape(y, a->ndim, dim);
    for (i = 0; i < y->n; i++) {
        const int64_t batch = i / (m * n), r = i / n % m, c = i % n;
        const double *as = a->x + batch * m * k, *bs = b->x + (b->ndim == 2 ? 0 : batch * k * n);
        for (p = 0; p < k; p++) y->x[i] += as[ta ? p * m + r : r * k + p] * bs[tb ? c * k + p : p * n + c];
    }
}

static void sum_axes(const array *x, unsigned axes, int keep, int mean, array *y)
{
    array kept;
    int dim[SSL_DIMS], n = 0, d;
    int64_t i;
    memcpy(&kept, x, sizeof kept);
    for (d = 0; d < x->ndim; d++) {
        const int gone = axes >> d & 1;
        if (gone) kept.dim[d] = 1;
        if (keep || !gone) dim[n++] = kept.dim[d];
    }
    if (!n) dim[n++] = 1;
    shape(y, n, dim);
    for (i = 0; i < x->n; i++) y->x[repeated(x, &kept, i)] += x->x[i];
    for (i = 0; mean && i < y->n; i++) y->x[i] *= (double)y->n / (double)x->n;
}
static void expand(const array *x, int a, int b, int c, array *y)
{
    int64_t i;
    shape3(y, a, b, c);
    for (i = 0; i < y->n; i++) y->x[i] = x->x[repeated(y, x, i)];
}
static void permute(const array *x, const int *p, array *y)
{
    int dim[SSL_DIMS], d;
    int64_t i;
    for (d = 0; d < x->ndim; d++) dim[d] = x->dim[p[d]];
    shape(y, x->ndim, dim);
    for (i = 0; i < y->n; i++) {
        int64_t index[SSL_DIMS], rest = i, place = 0;
        for (d = x->ndim - 1; d >= 0; d--) { index[p[d]] = rest % dim[d]; rest /= dim[d]; }
        for (d = 0; d < x->ndim; d++) place = place * x->dim[d] + index[d];
        y->x[i] = x->x[place];
    }
}
static void permute4(const array *x, int p0, int p1, int p2, int p3, array *y)
{
    int p[4];
    p[0] = p0; p[1] = p1; p[2] = p2; p[3] = p3;
    permute(x, p, y);
}
/* Copy src into dst (or the other way) at element begin of an axis. */
static void part(array *whole, const array *small, int axis, int begin, int into)
{
    int64_t inner = 1, i;
    int d;
    for (d = axis + 1; d < whole->ndim; d++) inner *= whole->dim[d];
    for (i = 0; i < small->n; i++) {
        const int64_t a = i / inner % small->dim[axis], outer = i / inner / small->dim[axis];
        double *w = &whole->x[(outer * whole->dim[axis] + a + begin) * inner + i % inner];
        if (into) *w = small->x[i];
        else small->x[i] = *w;
    }
}
static void concat(const array *in, int axis, int n, array *y)
{
    int dim[SSL_DIMS], i, begin = 0;
    memcpy(dim, in[0].dim, sizeof dim);
    for (i = 1; i < n; i++) dim[axis] += in[i].dim[axis];
    shape(y, in[0].ndim, dim);
    for (i = 0; i < n; i++) { part(y, &in[i], axis, begin, 1); begin += in[i].dim[axis]; }
}
static void slice(const array *x, int axis, int begin, int end, array *y)
{
    array whole = *x;
    int dim[SSL_DIMS];
    memcpy(dim, x->dim, sizeof dim);
    dim[axis] = end - begin;
    shape(y, x->ndim, dim);
    part(&whole, y, axis, begin, 0);
}

static void gather(const array *x, const array *index, array *y)
{
    const int shared = index->ndim == 1, K = index->dim[index->ndim - 1], D = x->dim[2];
    int b, k, j;
    shape3(y, x->dim[0], K, D);
    for (b = 0; b < x->dim[0]; b++)
        for (k = 0; k < K; k++)
            for (j = 0; j < D; j++) y->x[((int64_t)b * K + k) * D + j] = at3(x, b, (int)index->x[(shared ? 0 : b * K) + k], j);
}
static void scatter(const array *base, const array *x, const array *index, array *y)
{
    const int L = base->dim[1], K = x->dim[1], D = x->dim[2];
    int b, k, j;
    shape(y, 3, base->dim);
    memcpy(y->x, base->x, sizeof *y->x * (size_t)y->n);
    for (b = 0; b < x->dim[0]; b++)
        for (k = 0; k < K; k++)
            for (j = 0; j < D; j++) y->x[((int64_t)b * L + (int)index->x[b * K + k]) * D + j] = at3(x, b, k, j);
}
/* Pixel i of images [B,C,H,W] is element patch_place of their patches [B,L,P*P*C]. */
static int64_t patch_place(const int *dim, int P, ssl_patch_order order, int64_t i)
{
    const int C = dim[1], H = dim[2], W = dim[3];
    const int64_t w = i % W, h = i / W % H, c = i / W / H % C, b = i / W / H / C;
    const int64_t patch = (b * (H / P) + h / P) * (W / P) + w / P, row = h % P, col = w % P;
    return patch * P * P * C + (order == SSL_PATCH_CHANNEL_ROW_COL ? (c * P + row) * P + col : (row * P + col) * C + c);
}
static void patchify(const array *x, int P, ssl_patch_order order, array *y)
{
    int64_t i;
    shape3(y, x->dim[0], x->dim[2] / P * (x->dim[3] / P), x->dim[1] * P * P);
    for (i = 0; i < x->n; i++) y->x[patch_place(x->dim, P, order, i)] = x->x[i];
}
static void unpatchify(const array *x, int P, int C, int H, int W, ssl_patch_order order, array *y)
{
    int dim[4];
    int64_t i;
    dim[0] = x->dim[0]; dim[1] = C; dim[2] = H; dim[3] = W;
    shape(y, 4, dim);
    for (i = 0; i < y->n; i++) y->x[i] = x->x[patch_place(dim, P, order, i)];
}
/* Patch l of the row-major grid of sample b is step segment_step of the shuffled sequence. */
static int segment_step(const array *ids, int b, int l, int width, int m)
{
    const int S = ids->dim[1], row = l / width, col = l % width, square = row / m * (width / m) + col / m;
    int s = 0;
    while ((int)ids->x[b * S + s] != square) s++;
    return (s * m + row % m) * m + col % m;
}
static void segments(const array *patches, const array *ids, int width, int m, int back, array *y) /* [B,L,D] to [L,B,D], or back */
{
    const int B = ids->dim[0], L = ids->dim[1] * m * m, D = patches->dim[2];
    int b, l, j;
    if (back) shape3(y, B, L, D);
    else shape3(y, L, B, D);
    for (b = 0; b < B; b++)
        for (l = 0; l < L; l++)
            for (j = 0; j < D; j++) {
                const int64_t p = ((int64_t)b * L + l) * D + j, q = ((int64_t)segment_step(ids, b, l, width, m) * B + b) * D + j;
                y->x[back ? p : q] = patches->x[back ? q : p];
            }
}
static void patchify_segments(const array *x, const array *ids, int P, int m, array *y)
{
    array patches;
    patchify(x, P, SSL_PATCH_ROW_COL_CHANNEL, &patches);
    segments(&patches, ids, x->dim[3] / P, m, 0, y);
    free(patches.x);
}
static void unpatchify_segments(const array *x, const array *ids, int P, int m, int C, int H, int W, array *y)
{
    array patches;
    segments(x, ids, W / P, m, 1, &patches);
    unpatchify(&patches, P, C, H, W, SSL_PATCH_ROW_COL_CHANNEL, y);
    free(patches.x);
}

/* ---- the table ---- */
/* ---- convolution and friends ---- */
static const ssl_conv_desc *window(int stride, int stride_w, int padding, int padding_w, int dilation, int groups)
{
    static ssl_conv_desc d;
    memset(&d, 0, sizeof d);
    d.stride = stride; d.stride_w = stride_w; d.padding = padding; d.padding_w = padding_w ? padding_w : SSL_CONV_ZERO; d.dilation = dilation; d.groups = groups;
    return &d;
}
static const ssl_conv_desc *reflecting(int padding)
{
    static ssl_conv_desc d;
    d.padding = padding;
    d.pad_mode = SSL_PAD_REFLECT;
    return &d;
}
static void shape4(array *y, int a, int b, int c, int d) { int dim[4]; dim[0] = a; dim[1] = b; dim[2] = c; dim[3] = d; shape(y, 4, dim); }
static int outputs(int n, int k, int stride, int padding, int dilation) { return (n + 2 * padding - dilation * (k - 1) - 1) / stride + 1; }
static double at4(const array *a, int n, int c, int i, int j) /* 0 outside */
{
    if (i < 0 || j < 0 || i >= a->dim[2] || j >= a->dim[3]) return 0.0;
    return a->x[(((int64_t)n * a->dim[1] + c) * a->dim[2] + i) * a->dim[3] + j];
}
static void conv2d(const array *x, const array *w, const array *b, const ssl_conv_desc *desc, array *y)
{
    ssl_conv_desc d = SSL_ZERO;
    int n, o, i, j, c, r, s, per;
    int64_t at = 0;
    ssl_conv_desc_resolve(desc, &d);
    per = w->dim[0] / d.groups;
    shape4(y, x->dim[0], w->dim[0], outputs(x->dim[2], w->dim[2], d.stride, d.padding, d.dilation), outputs(x->dim[3], w->dim[3], d.stride_w, d.padding_w, d.dilation_w));
    for (n = 0; n < y->dim[0]; n++) for (o = 0; o < y->dim[1]; o++) for (i = 0; i < y->dim[2]; i++) for (j = 0; j < y->dim[3]; j++, at++) {
        double v = b ? b->x[o] : 0.0;
        for (c = 0; c < w->dim[1]; c++) for (r = 0; r < w->dim[2]; r++) for (s = 0; s < w->dim[3]; s++)
            v += at4(w, o, c, r, s) * at4(x, n, o / per * w->dim[1] + c, i * d.stride + r * d.dilation - d.padding, j * d.stride_w + s * d.dilation_w - d.padding_w);
        y->x[at] = v;
    }
}
static void pad2d(const array *x, int top, int bottom, int left, int right, int reflect, double value, array *y)
{
    int n, c, i, j;
    int64_t at = 0;
    shape4(y, x->dim[0], x->dim[1], x->dim[2] + top + bottom, x->dim[3] + left + right);
    for (n = 0; n < y->dim[0]; n++) for (c = 0; c < y->dim[1]; c++) for (i = 0; i < y->dim[2]; i++) for (j = 0; j < y->dim[3]; j++, at++) {
        const int h = x->dim[2], w = x->dim[3], si = i - top, sj = j - left;
        const int inside = si >= 0 && si < h && sj >= 0 && sj < w;
        const int ri = si < 0 ? -si : si >= h ? 2 * h - 2 - si : si, rj = sj < 0 ? -sj : sj >= w ? 2 * w - 2 - sj : sj;
        y->x[at] = inside || reflect ? at4(x, n, c, ri, rj) : value;
    }
}
static void reflected_conv2d(const array *x, const array *w, int padding, array *y)
{
    array p;
    pad2d(x, padding, padding, padding, padding, 1, 0.0, &p);
    conv2d(&p, w, NULL, NULL, y);
    free(p.x);
}
static void unfold(const array *x, int kh, int kw, const ssl_conv_desc *d, array *y)
{
    const int oh = outputs(x->dim[2], kh, d->stride, d->padding, d->dilation), ow = outputs(x->dim[3], kw, d->stride, d->padding, d->dilation);
    int n, k, i, j;
    int64_t at = 0;
    shape3(y, x->dim[0], x->dim[1] * kh * kw, oh * ow);
    for (n = 0; n < y->dim[0]; n++) for (k = 0; k < y->dim[1]; k++) for (i = 0; i < oh; i++) for (j = 0; j < ow; j++)
        y->x[at++] = at4(x, n, k / (kh * kw), i * d->stride + k / kw % kh * d->dilation - d->padding, j * d->stride + k % kw * d->dilation - d->padding);
}
static void pool(const array *x, int kernel, int stride, int padding, int mean, array *y)
{
    int n, c, i, j, r, s;
    int64_t at = 0;
    shape4(y, x->dim[0], x->dim[1], outputs(x->dim[2], kernel, stride, padding, 1), outputs(x->dim[3], kernel, stride, padding, 1));
    for (n = 0; n < y->dim[0]; n++) for (c = 0; c < y->dim[1]; c++) for (i = 0; i < y->dim[2]; i++) for (j = 0; j < y->dim[3]; j++, at++) {
        double sum = 0.0, most = -HUGE_VAL;
        for (r = i * stride - padding; r < i * stride - padding + kernel; r++) for (s = j * stride - padding; s < j * stride - padding + kernel; s++) {
            sum += at4(x, n, c, r, s);
            if (r >= 0 && s >= 0 && r < x->dim[2] && s < x->dim[3]) most = fmax(most, at4(x, n, c, r, s));
        }
        y->x[at] = mean ? sum / (kernel * kernel) : most;
    }
}
static void global_avg_pool(const array *x, array *y)
{
    const int plane = x->dim[2] * x->dim[3];
    int64_t i;
    shape3(y, x->dim[0], x->dim[1], 0);
    for (i = 0; i < x->n; i++) y->x[i / plane] += x->x[i] / plane;
}
static void cutout(const array *x, const ssl_view_box *b, int oh, int ow, int nearest, array *y)
{
    int n, c, r, s;
    int64_t at = 0;
    shape4(y, x->dim[0], x->dim[1], oh, ow);
    for (n = 0; n < y->dim[0]; n++) for (c = 0; c < y->dim[1]; c++) for (r = 0; r < oh; r++) for (s = 0; s < ow; s++, at++) {
        const int h = b->y1 - b->y0, w = b->x1 - b->x0, i = b->vflip ? oh - 1 - r : r, j = b->hflip ? ow - 1 - s : s;
        const double si = fmax((i + 0.5) * h / oh - 0.5, 0.0), sj = fmax((j + 0.5) * w / ow - 0.5, 0.0);
        const int i0 = nearest ? i * h / oh : (int)si, j0 = nearest ? j * w / ow : (int)sj, i1 = i0 + 1 < h ? i0 + 1 : i0, j1 = j0 + 1 < w ? j0 + 1 : j0;
        const double li = nearest ? 0.0 : si - i0, lj = nearest ? 0.0 : sj - j0;
        const int p = b->y0 + i0, q = b->x0 + j0, p1 = b->y0 + i1, q1 = b->x0 + j1;
        y->x[at] = (1 - li) * ((1 - lj) * at4(x, n, c, p, q) + lj * at4(x, n, c, p, q1)) + li * ((1 - lj) * at4(x, n, c, p1, q) + lj * at4(x, n, c, p1, q1));
    }
}
static void interpolate(const array *x, int oh, int ow, int nearest, array *y)
{ const ssl_view_box all = { 0, x->dim[2], 0, x->dim[3], 0, 0 }; cutout(x, &all, oh, ow, nearest, y); }
static const ssl_view_box turned_over = { 1, 4, 2, 8, 1, 1 }, mirrored = { 0, 3, 1, 9, 1, 0 };
/* (x - mean) / sqrt(var + 1e-5) w + b: groups 0, over the batch for each channel; else over each group of channels of each image. */
static void standardize(const array *x, int groups, const array *w, const array *b, const array *mean, const array *var, const array *r, array *y)
{
    const int C = x->dim[1], plane = (int)(x->n / x->dim[0] / C), sets = groups ? x->dim[0] * groups : C;
    double *m = (double *)calloc((size_t)sets, sizeof *m), *v = (double *)calloc((size_t)sets, sizeof *v);
    int64_t i;
    int pass;
    shape(y, x->ndim, x->dim);
    for (pass = 0; pass < 3; pass++)
        for (i = 0; i < x->n; i++) {
            const int c = (int)(i / plane % C), set = groups ? (int)(i / plane / (C / groups)) : c;
            if (mean) { m[set] = mean->x[set]; v[set] = var->x[set]; }
            else if (pass == 0) m[set] += x->x[i] * sets / (double)x->n;
            else if (pass == 1) v[set] += (x->x[i] - m[set]) * (x->x[i] - m[set]) * sets / (double)x->n;
            if (pass < 2) continue;
            y->x[i] = (x->x[i] - m[set]) / sqrt(v[set] + 1e-5) * (w ? w->x[c] : 1.0) + (b ? b->x[c] : 0.0);
            if (r) y->x[i] = fmax(y->x[i] + r->x[i], 0.0);
        }
    free(m);
    free(v);
}
static ssl_tensor *frozen_batch_norm(ssl_tensor **in) /* evaluation: running statistics */
{
    ssl_tensor *y;
    ssl_train(in[0]->ctx, 0);
    y = ssl_batch_norm(in[0], in[1], in[2], in[3], in[4], 0.1f, 1e-5f);
    ssl_train(in[0]->ctx, 1);
    return y;
}

/* ---- norms, losses, attention ---- */
static int last_axis(const array *x) { return x->dim[x->ndim - 1]; }
static void layer_norm(const array *x, const array *w, const array *b, double eps, array *y)
{
    const int n = last_axis(x);
    int64_t i;
    int j;
    shape(y, x->ndim, x->dim);
    for (i = 0; i < x->n; i += n) {
        double mean = 0.0, var = 0.0;
        for (j = 0; j < n; j++) mean += x->x[i + j] / n;
        for (j = 0; j < n; j++) var += (x->x[i + j] - mean) * (x->x[i + j] - mean) / n;
        for (j = 0; j < n; j++) y->x[i + j] = (x->x[i + j] - mean) / sqrt(var + eps) * (w ? w->x[j] : 1.0) + (b ? b->x[j] : 0.0);
    }
}
static void layer_norm_chw(const array *x, const array *w, const array *b, double eps, array *y) /* one row per image */
{
    array rows = *x;
    rows.ndim = 2;
    rows.dim[1] = (int)(x->n / x->dim[0]);
    layer_norm(&rows, w, b, eps, y);
    y->ndim = x->ndim;
    memcpy(y->dim, x->dim, sizeof y->dim);
}
static void softmax(const array *x, int take_log, array *y)
{
    const int n = last_axis(x);
    int64_t i;
    int j;
    shape(y, x->ndim, x->dim);
    for (i = 0; i < x->n; i += n) {
        double sum = 0.0;
        for (j = 0; j < n; j++) sum += exp(x->x[i + j]);
        for (j = 0; j < n; j++) y->x[i + j] = take_log ? x->x[i + j] - log(sum) : exp(x->x[i + j]) / sum;
    }
}
static void cosine(const array *a, const array *b, array *y)
{
    const int n = last_axis(a);
    int64_t i;
    int j;
    shape(y, a->ndim > 1 ? a->ndim - 1 : 1, a->dim);
    if (a->ndim == 1) y->dim[0] = 1, y->n = 1;
    for (i = 0; i < a->n; i += n) {
        double dot = 0.0, aa = 0.0, bb = 0.0;
        for (j = 0; j < n; j++) { dot += a->x[i + j] * b->x[i + j]; aa += a->x[i + j] * a->x[i + j]; bb += b->x[i + j] * b->x[i + j]; }
        y->x[i / n] = dot / sqrt(aa * bb);
    }
}
static void l2_normalize(const array *x, double eps, array *y)
{
    const int n = last_axis(x);
    int64_t i;
    int j;
    shape(y, x->ndim, x->dim);
    for (i = 0; i < x->n; i += n) {
        double s = 0.0;
        for (j = 0; j < n; j++) s += x->x[i + j] * x->x[i + j];
        for (j = 0; j < n; j++) y->x[i + j] = x->x[i + j] / fmax(sqrt(s), eps);
    }
}
static void cross_entropy(const array *x, const array *target, double smoothing, array *y)
{
    const int n = last_axis(x);
    int64_t i, count = 0;
    array p;
    int j;
    shape3(y, 1, 0, 0);
    softmax(x, 1, &p);
    for (i = 0; i < target->n; i++) {
        if (target->x[i] < 0.0) continue;
        count++;
        for (j = 0; j < n; j++) y->x[0] -= (smoothing / n + (j == (int)target->x[i] ? 1.0 - smoothing : 0.0)) * p.x[i * n + j];
    }
    if (count) y->x[0] /= (double)count;
    free(p.x);
}
#define PAIR_MEAN(value) /* y = mean of value(d), d = a - b */                                                 \
    do {                                                                                                       \
        int64_t i;                                                                                             \
        shape3(y, 1, 0, 0);                                                                                    \
        for (i = 0; i < in[0].n; i++) { const double d = in[0].x[i] - in[1].x[i]; y->x[0] += (value) / (double)in[0].n; } \
    } while (0)

static int heads_of(int width) { return width % 3 == 0 ? 3 : width % 2 == 0 ? 2 : 1; }
typedef struct head { const array *a; int row, begin; } head; /* D columns of each row of a, from column begin on */
static double head_dot(const head *p, int b, int i, const head *q, int j, int h, int d)
{
    const int T = p->a->dim[1], S = q->a->dim[1];
    double s = 0.0;
    int e;
    for (e = h * d; e < (h + 1) * d; e++)
        s += p->a->x[((int64_t)b * T + i) * p->row + p->begin + e] * q->a->x[((int64_t)b * S + j) * q->row + q->begin + e];
    return s;
}
static double mask_at(const array *mask, int b, int i, int j) /* what is added to a score */
{
    const int64_t at = mask ? ((mask->ndim == 3 ? (int64_t)b * mask->dim[1] : 0) + i) * last_axis(mask) + j : 0;
    if (!mask) return 0.0;
    if (mask->kind == 'm' || mask->kind == 'b') return mask->x[at] != 0.0 ? -HUGE_VAL : 0.0;
    return mask->x[at];
}
static void attend(const head *q, const head *k, const head *v, int D, double scale, const array *mask, int causal, array *y) /* v NULL: the weights */
{
    const int B = q->a->dim[0], Tq = q->a->dim[1], Tk = k->a->dim[1], H = heads_of(D), d = D / H;
    double *p = (double *)calloc((size_t)Tk, sizeof *p);
    int b, h, i, j, e;
    if (v) shape3(y, B, Tq, D);
    else shape4(y, B, H, Tq, Tk);
    for (b = 0; b < B; b++) for (h = 0; h < H; h++) for (i = 0; i < Tq; i++) {
        double sum = 0.0;
        for (j = 0; j < Tk; j++) {
            p[j] = causal && j > i ? 0.0 : exp((scale > 0.0 ? scale : 1.0 / sqrt(d)) * head_dot(q, b, i, k, j, h, d) + mask_at(mask, b, i, j));
            sum += p[j];
        }
        for (j = 0; j < Tk && sum > 0.0; j++) {
            if (!v) y->x[((b * H + h) * Tq + i) * (int64_t)Tk + j] = p[j] / sum;
            else for (e = h * d; e < (h + 1) * d; e++) y->x[((int64_t)b * Tq + i) * D + e] += p[j] / sum * v->a->x[((int64_t)b * Tk + j) * v->row + v->begin + e];
        }
    }
    free(p);
}
static head whole(const array *a) { head p; p.a = a; p.row = a->dim[2]; p.begin = 0; return p; }
static head third(const array *a, int n, int of) { head p; p.a = a; p.row = a->dim[2]; p.begin = n * (a->dim[2] / of); return p; }
static void attention(const array *q, const array *k, const array *v, double scale, const array *mask, int causal, array *y)
{ const head hq = whole(q), hk = whole(k), hv = whole(v); attend(&hq, &hk, &hv, q->dim[2], scale, mask, causal, y); }
static void attention_packed(const array *x, const array *mask, int causal, array *y)
{ const head q = third(x, 0, 3), k = third(x, 1, 3), v = third(x, 2, 3); attend(&q, &k, &v, x->dim[2] / 3, 0.0, mask, causal, y); }
static void attention_kv(const array *x, const array *kv, array *y)
{ const head q = whole(x), k = third(kv, 0, 2), v = third(kv, 1, 2); attend(&q, &k, &v, x->dim[2], 0.0, NULL, 0, y); }
static void attention_weights(const array *q, const array *k, const array *mask, int causal, array *y)
{ const head hq = whole(q), hk = whole(k); attend(&hq, &hk, NULL, q->dim[2], 0.0, mask, causal, y); }
#define HEADS heads_of(in[0]->dim[2])

#define ELEMENTWISE(R)                                                                                         \
    R(relu, 0, "k:1 | k:3x65 | k:257x65", ssl_relu(in[0]), MAP(x > 0.0 ? x : 0.0))                             \
    R(gelu, 1e-6, "1 | 3x65 | 257x65", ssl_gelu(in[0]), MAP(gelu(x)))                                          \
    R(gelu_tanh, 1e-6, "1 | 3x65 | 257x65", ssl_gelu_tanh(in[0]), MAP(gelu_tanh(x)))                           \
    R(sigmoid, 1e-6, "1 | 3x65 | 257x65", ssl_sigmoid(in[0]), MAP(1.0 / (1.0 + exp(-x))))                      \
    R(tanh, 1e-6, "1 | 3x65 | 257x65", ssl_tanh(in[0]), MAP(tanh(x)))                                          \
    R(exp, 1e-6, "1 | 3x65 | 257x65", ssl_exp(in[0]), MAP(exp(x)))                                             \
    R(log, 1e-6, "p:1 | p:3x65 | p:257x65", ssl_log(in[0]), MAP(log(x)))                                       \
    R(sqrt, 1e-6, "p:1 | p:3x65 | p:257x65", ssl_sqrt(in[0]), MAP(sqrt(x)))                                    \
    R(square, 1e-6, "1 | 3x65 | 257x65", ssl_square(in[0]), MAP(x * x))                                        \
    R(abs, 0, "k:1 | k:3x65 | k:257x65", ssl_abs(in[0]), MAP(fabs(x)))                                         \
    R(scale, 1e-6, "1 | 3x65 | 257x65", ssl_scale(in[0], -1.7f), MAP((double)-1.7f * x))                       \
    R(add_scalar, 1e-6, "1 | 3x65 | 257x65", ssl_add_scalar(in[0], 0.3f), MAP(x + (double)0.3f))               \
    R(pow, 1e-6, "p:1 | p:3x65 | p:257x65", ssl_pow(in[0], 1.5f), MAP(pow(x, 1.5)))                            \
    R(clamp_min, 0, "k:1 | k:3x65 | k:257x65", ssl_clamp_min(in[0], 0.125f), MAP(x > 0.125 ? x : 0.125))       \
    R(tanh_clip, 1e-6, "1 | 3x65 | 257x65", ssl_tanh_clip(in[0], 5.0f), MAP(5.0 * tanh(x / 5.0)))

#define PRODUCTS(R)                                                                                            \
    R(linear, 1e-5, "1 1x1 1 | 3x65 257x65 257 | 3x5x33 17x33 17 | 131x3 5x3 5", ssl_linear(in[0], in[1], in[2]), linear(&in[0], &in[1], &in[2], SSL_ACT_NONE, NULL, y)) \
    R(linear_nobias, 1e-5, "65x3 1x3 | 5x257 65x257", ssl_linear(in[0], in[1], NULL), linear(&in[0], &in[1], NULL, SSL_ACT_NONE, NULL, y)) \
    R(linear_relu, 1e-5, "65x33 17x33 17", ssl_linear_fused(in[0], in[1], in[2], SSL_ACT_RELU, NULL), linear(&in[0], &in[1], &in[2], SSL_ACT_RELU, NULL, y)) \
    R(linear_gelu, 1e-5, "65x33 17x33 17", ssl_linear_fused(in[0], in[1], in[2], SSL_ACT_GELU, NULL), linear(&in[0], &in[1], &in[2], SSL_ACT_GELU, NULL, y)) \
    R(linear_gelu_tanh, 1e-5, "3x9 5x9", ssl_linear_fused(in[0], in[1], NULL, SSL_ACT_GELU_TANH, NULL), linear(&in[0], &in[1], NULL, SSL_ACT_GELU_TANH, NULL, y)) \
    R(linear_residual, 1e-5, "2x33x9 17x9 17 2x33x17", ssl_linear_fused(in[0], in[1], in[2], SSL_ACT_NONE, in[3]), linear(&in[0], &in[1], &in[2], SSL_ACT_NONE, &in[3], y)) \
    R(linear_gelu_residual, 1e-5, "65x9 17x9 17 65x17", ssl_linear_fused(in[0], in[1], in[2], SSL_ACT_GELU, in[3]), linear(&in[0], &in[1], &in[2], SSL_ACT_GELU, &in[3], y)) \
    R(matmul_nn, 1e-5, "1x1 1x1 | 65x33 33x257 | 2x3x5x7 2x3x7x9 | 3x5x7 7x9", ssl_matmul(in[0], in[1]), matmul(&in[0], &in[1], 0, 0, y)) \
    R(matmul_nt, 1e-5, "65x33 257x33 | 2x3x5x7 2x3x9x7 | 3x5x7 9x7", ssl_matmul_t(in[0], in[1], 0, 1), matmul(&in[0], &in[1], 0, 1, y)) \
    R(matmul_tn, 1e-5, "33x65 33x257 | 2x3x7x5 2x3x7x9 | 3x7x5 7x9", ssl_matmul_t(in[0], in[1], 1, 0), matmul(&in[0], &in[1], 1, 0, y)) \
    R(matmul_tt, 1e-5, "33x65 257x33 | 2x3x7x5 2x3x9x7 | 3x7x5 9x7", ssl_matmul_t(in[0], in[1], 1, 1), matmul(&in[0], &in[1], 1, 1, y))

#define PAIRS "1 1 | 3x65 3x65 | 3x65 65 | 65 3x65 | 3x1x65 1x257x1 | 300x33 33 | 1 3x5 | 2500 1 | 2x3x65x3 3x1x1 | 3x2500 3x1 | 2x1x3x1x2 5x1x7x1"
#define POSITIVE "1 p:1 | 3x65 p:3x65 | 3x65 p:65 | 65 p:3x65 | 3x1x65 p:1x257x1 | 300x33 p:33 | 2500 p:1 | 3x2500 p:3x1"
#define BROADCAST(R)                                                                                           \
    R(add, 1e-6, PAIRS, ssl_add(in[0], in[1]), MAP2(a + b))                                                    \
    R(sub, 1e-6, PAIRS, ssl_sub(in[0], in[1]), MAP2(a - b))                                                    \
    R(mul, 1e-6, PAIRS, ssl_mul(in[0], in[1]), MAP2(a * b))                                                    \
    R(div, 2e-6, POSITIVE, ssl_div(in[0], in[1]), MAP2(a / b))                                                 \
    R(add_self, 1e-6, "3x65", ssl_add(in[0], in[0]), MAP(x + x))                                               \
    R(mul_self, 1e-6, "3x65", ssl_mul(in[0], in[0]), MAP(x * x))                                               \
    R(sub_self, 1e-6, "3x65", ssl_sub(in[0], ssl_scale(in[0], 2.0f)), MAP(x - 2.0 * x))

#define REDUCE(R)                                                                                              \
    R(sum, 1e-6, "1 | 3x65 | 257x257", ssl_sum(in[0]), sum_axes(&in[0], (1u << in[0].ndim) - 1u, 0, 0, y)) \
    R(mean, 1e-6, "1 | 3x65 | 257x257", ssl_mean(in[0]), sum_axes(&in[0], (1u << in[0].ndim) - 1u, 0, 1, y)) \
    R(sum_axes_0, 1e-6, "1 | 65x3 | 3x65x257 | 1000x17", ssl_sum_axes(in[0], SSL_AXIS(0), 0), sum_axes(&in[0], 1, 0, 0, y)) \
    R(sum_axes_1, 1e-6, "65x3 | 3x65x257 | 3x1x5 | 2x700x3", ssl_sum_axes(in[0], SSL_AXIS(1), 0), sum_axes(&in[0], 2, 0, 0, y)) \
    R(mean_axes_1, 1e-6, "65x3 | 3x65x257", ssl_mean_axes(in[0], SSL_AXIS(1), 0), sum_axes(&in[0], 2, 0, 1, y)) \
    R(mean_axes_23, 1e-6, "3x5x7x9 | 2x3x65x33", ssl_mean_axes(in[0], SSL_AXIS(2) | SSL_AXIS(3), 1), sum_axes(&in[0], 12, 1, 1, y)) \
    R(sum_axes_02, 1e-6, "3x5x65 | 65x3x257 | 3x17x5x7", ssl_sum_axes(in[0], SSL_AXIS(0) | SSL_AXIS(2), 1), sum_axes(&in[0], 5, 1, 0, y)) \
    R(mean_axes_012, 1e-6, "3x5x65 | 9x65x257", ssl_mean_axes(in[0], 7u, 0), sum_axes(&in[0], 7, 0, 1, y))

#define SHAPES(R)                                                                                              \
    R(reshape, 0, "3x65x2", ssl_reshape(in[0], 2, -1, 13), { array t = in[0]; shape3(y, 30, 13, 0); memcpy(y->x, t.x, sizeof *t.x * (size_t)t.n); }) \
    R(expand, 1e-6, "7 | 5x1 | 1x1 | 1x5x1 | 3x5x7 | 3x1x7", ssl_expand(in[0], 3, 3, 5, 7), expand(&in[0], 3, 5, 7, y)) \
    R(permute_0213, 0, "1x1x1x1 | 2x3x5x65 | 3x65x2x17", ssl_permute(in[0], 0, 2, 1, 3), permute4(&in[0], 0, 2, 1, 3, y)) \
    R(permute_0231, 0, "2x3x5x65 | 2x33x5x3", ssl_permute(in[0], 0, 2, 3, 1), permute4(&in[0], 0, 2, 3, 1, y)) \
    R(permute_3210, 0, "2x3x5x65 | 65x3x1x257", ssl_permute(in[0], 3, 2, 1, 0), permute4(&in[0], 3, 2, 1, 0, y)) \
    R(concat_0, 0, "3 1 65 | 3x65 1x65 2x65", ssl_concat(0, 3, in), concat(in, 0, 3, y))                       \
    R(concat_1, 0, "2x1x65 2x257x65 2x3x65", ssl_concat(1, 3, in), concat(in, 1, 3, y))                        \
    R(concat_last, 0, "3x65 3x1 | 2x3x5 2x3x65", ssl_concat(-1, 2, in), concat(in, in[0].ndim - 1, 2, y))      \
    R(concat_self, 0, "3x5", ssl_concat(1, 2, (in[1] = in[0], in)), { array t[2]; t[0] = t[1] = in[0]; concat(t, 1, 2, y); }) \
    R(slice_1, 0, "3x3 | 2x65x257 | 2x3x1", ssl_slice(in[0], 1, 1, 3), slice(&in[0], 1, 1, 3, y))              \
    R(slice_last, 0, "5 | 3x65 | 2x3x257", ssl_slice(in[0], -1, 2, 5), slice(&in[0], in[0].ndim - 1, 2, 5, y))

#define TOKENS(R)                                                                                              \
    R(gather_tokens, 1e-6, "1x1x1 i1:1x1 | 3x7x65 i7:3x5 | 2x65x257 i65:2x257", ssl_gather_tokens(in[0], in[1]), gather(&in[0], &in[1], y)) \
    R(index_select, 1e-6, "3x7x65 i7:9 | 2x65x257 i65:33", ssl_index_select(in[0], in[1]), gather(&in[0], &in[1], y)) \
    R(scatter_tokens, 0, "1x1x1 1x1x1 i1:1x1 | 3x7x65 3x5x65 s7:3x5 | 2x65x257 2x33x257 s65:2x33", ssl_scatter_tokens(in[0], in[1], in[2]), scatter(&in[0], &in[1], &in[2], y)) \
    R(unshuffle_tokens, 0, "3x7x65 s7:3x7 | 2x65x257 s65:2x65", ssl_unshuffle_tokens(in[0], in[1]), gather(&in[0], &in[1], y)) \
    R(patchify, 0, "1x1x3x3 | 2x3x9x12 | 2x65x3x6", ssl_patchify(in[0], 3, SSL_PATCH_ROW_COL_CHANNEL), patchify(&in[0], 3, SSL_PATCH_ROW_COL_CHANNEL, y)) \
    R(patchify_chw, 0, "1x1x3x3 | 2x3x9x12", ssl_patchify(in[0], 3, SSL_PATCH_CHANNEL_ROW_COL), patchify(&in[0], 3, SSL_PATCH_CHANNEL_ROW_COL, y)) \
    R(unpatchify, 0, "2x12x27", ssl_unpatchify(in[0], 3, 3, 9, 12, SSL_PATCH_ROW_COL_CHANNEL), unpatchify(&in[0], 3, 3, 9, 12, SSL_PATCH_ROW_COL_CHANNEL, y)) \
    R(unpatchify_chw, 0, "2x12x27", ssl_unpatchify(in[0], 3, 3, 9, 12, SSL_PATCH_CHANNEL_ROW_COL), unpatchify(&in[0], 3, 3, 9, 12, SSL_PATCH_CHANNEL_ROW_COL, y)) \
    R(patchify_segments, 0, "3x2x8x12 s6:3x6", ssl_patchify_segments(in[0], 2, 2, in[1]), patchify_segments(&in[0], &in[1], 2, 2, y)) \
    R(unpatchify_segments, 0, "24x3x8 s6:3x6", ssl_unpatchify_segments(in[0], in[1], 2, 2, 2, 8, 12), unpatchify_segments(&in[0], &in[1], 2, 2, 2, 8, 12, y))

#define CONVOLUTION(R)                                                                                         \
    R(conv2d, 1e-5, "2x3x6x7 4x3x3x3 4 | 1x1x1x1 1x1x3x3 1 | 3x17x2x2 18x17x3x3 18 | 17x16x7x10 20x16x3x3 20 | 1x264x4x3 257x264x3x3 257 | 2x20x5x33 30x20x3x3 30 | 9x33x4x4 26x33x3x3 26 | 1x3x32x33 5x3x3x3 5 | 33x20x1x2 19x20x1x1 19", \
      ssl_conv2d(in[0], in[1], in[2], window(1, 1, 1, 1, 1, 1)), conv2d(&in[0], &in[1], &in[2], window(1, 1, 1, 1, 1, 1), y)) \
    R(conv2d_plain, 1e-5, "3x17x6x7 13x17x1x1 | 2x3x8x9 65x3x7x7 | 2x257x3x3 5x257x1x1 | 1x5x32x33 66x5x1x1 | 2x18x9x6 33x18x3x3 | 1x40x4x5 70x40x2x3", ssl_conv2d(in[0], in[1], NULL, NULL), conv2d(&in[0], &in[1], NULL, NULL, y)) \
    R(conv2d_stride, 1e-5, "2x5x9x8 17x5x3x3 17 | 17x9x2x2 13x9x3x3 13 | 1x5x2x1 13x5x3x3 13 | 3x16x7x7 12x16x1x1 12 | 5x3x17x16 24x3x7x7 24 | 2x3x1x1 4x3x3x3 4 | 35x33x4x4 70x33x3x3 70 | 2x66x13x10 34x66x3x3 34 | 2x34x8x8 20x34x1x1 20", \
      ssl_conv2d(in[0], in[1], in[2], window(2, 2, 1, 1, 1, 1)), conv2d(&in[0], &in[1], &in[2], window(2, 2, 1, 1, 1, 1), y)) \
    R(conv2d_wide_pad, 1e-5, "2x17x5x6 18x17x3x3 | 1x20x3x9 16x20x1x1 | 2x6x8x7 5x6x4x4", ssl_conv2d(in[0], in[1], NULL, window(1, 1, 2, 2, 1, 1)), conv2d(&in[0], &in[1], NULL, window(1, 1, 2, 2, 1, 1), y)) \
    R(conv2d_step3, 1e-5, "2x18x11x10 17x18x3x3 | 2x17x8x9 20x17x2x5", ssl_conv2d(in[0], in[1], NULL, window(3, 3, 1, 2, 1, 1)), conv2d(&in[0], &in[1], NULL, window(3, 3, 1, 2, 1, 1), y)) \
    R(conv2d_dilation, 1e-5, "2x5x9x8 7x5x3x3 | 2x16x12x11 5x16x3x2", ssl_conv2d(in[0], in[1], NULL, window(2, 3, 2, 0, 2, 1)), conv2d(&in[0], &in[1], NULL, window(2, 3, 2, 0, 2, 1), y)) \
    R(conv2d_one_place, 1e-5, "2x5x4x6 7x5x1x1", ssl_conv2d(in[0], in[1], NULL, window(1 << 30, 1 << 30, 0, 0, 1 << 29, 1)), conv2d(&in[0], &in[1], NULL, window(1 << 30, 1 << 30, 0, 0, 1 << 29, 1), y)) \
    R(conv2d_groups, 1e-5, "2x12x5x6 15x4x3x3 15 | 2x3x9x8 3x1x3x3 3 | 2x57x8x6 54x19x3x3 54", ssl_conv2d(in[0], in[1], in[2], window(1, 2, 1, 1, 1, 3)), conv2d(&in[0], &in[1], &in[2], window(1, 2, 1, 1, 1, 3), y)) \
    R(conv2d_pair, 1e-5, "3x34x9x10 36x17x3x3 36", ssl_conv2d(in[0], in[1], in[2], window(1, 1, 1, 1, 1, 2)), conv2d(&in[0], &in[1], &in[2], window(1, 1, 1, 1, 1, 2), y)) \
    R(conv2d_reflect, 1e-5, "2x5x7x6 9x5x3x3", ssl_conv2d(in[0], in[1], NULL, reflecting(2)), reflected_conv2d(&in[0], &in[1], 2, y)) \
    R(pad2d, 1e-6, "1x1x1x1 | 3x5x7x6", ssl_pad2d(in[0], 1, 0, 2, 3, SSL_PAD_CONSTANT, 0.5f), pad2d(&in[0], 1, 0, 2, 3, 0, 0.5, y)) \
    R(pad2d_reflect, 1e-6, "1x1x4x4 | 3x5x7x6", ssl_pad2d(in[0], 1, 0, 2, 3, SSL_PAD_REFLECT, 0.0f), pad2d(&in[0], 1, 0, 2, 3, 1, 0.0, y)) \
    R(unfold, 1e-6, "1x1x2x2 | 3x5x7x8", ssl_unfold(in[0], 2, 3, window(2, 2, 1, 1, 1, 1)), unfold(&in[0], 2, 3, window(2, 2, 1, 1, 1, 1), y)) \
    R(max_pool2d, 1e-6, "d:1x1x2x2 | d:3x5x9x8", ssl_max_pool2d(in[0], 3, 2, 1), pool(&in[0], 3, 2, 1, 0, y)) \
    R(avg_pool2d, 1e-6, "1x1x2x2 | 3x5x9x8", ssl_avg_pool2d(in[0], 3, 2, 1), pool(&in[0], 3, 2, 1, 1, y))    \
    R(global_avg_pool, 1e-6, "1x1x1x1 | 3x65x5x7", ssl_global_avg_pool(in[0]), global_avg_pool(&in[0], y))    \
    R(interpolate_nearest, 1e-6, "1x1x1x1 | 3x5x4x9", ssl_interpolate(in[0], 7, 5, SSL_INTERPOLATE_NEAREST), interpolate(&in[0], 7, 5, 1, y)) \
    R(interpolate_bilinear, 2e-6, "1x1x1x1 | 3x5x4x9", ssl_interpolate(in[0], 7, 5, SSL_INTERPOLATE_BILINEAR), interpolate(&in[0], 7, 5, 0, y)) \
    R(cutout_nearest, 1e-6, "3x5x4x9", ssl_cutout(in[0], &turned_over, 7, 5, SSL_INTERPOLATE_NEAREST), cutout(&in[0], &turned_over, 7, 5, 1, y)) \
    R(cutout_bilinear, 2e-6, "3x5x4x9", ssl_cutout(in[0], &mirrored, 7, 5, SSL_INTERPOLATE_BILINEAR), cutout(&in[0], &mirrored, 7, 5, 0, y)) \
    R(batch_norm, 1e-5, "2x1 1 1 | 65x3 3 3 | 3x65x5x7 65 65 | 2x3x65x33 3 3 | 131x70x1x2 70 70", ssl_batch_norm(in[0], in[1], in[2], NULL, NULL, 0.1f, 1e-5f), standardize(&in[0], 0, &in[1], &in[2], NULL, NULL, NULL, y)) \
    R(batch_norm_eval, 1e-5, "1x1 1 1 c:1 q:1 | 3x65x5x7 65 65 c:65 q:65", frozen_batch_norm(in), standardize(&in[0], 0, &in[1], &in[2], &in[3], &in[4], NULL, y)) \
    R(batch_norm_relu, 1e-5, "65x3 3 3 65x3 | 3x65x5x7 65 65 3x65x5x7 | 66x37x3x3 37 37 66x37x3x3", ssl_batch_norm_relu(in[0], in[1], in[2], NULL, NULL, 0.1f, 1e-5f, in[3]), standardize(&in[0], 0, &in[1], &in[2], NULL, NULL, &in[3], y)) \
    R(group_norm, 1e-5, "1x3x2x2 3 3 | 3x66x5x7 66 66 | 5x3 3 3", ssl_group_norm(in[0], in[0]->ndim == 2 ? 1 : 3, in[1], in[2], 1e-5f), standardize(&in[0], in[0].ndim == 2 ? 1 : 3, &in[1], &in[2], NULL, NULL, NULL, y))

#define NORMS(R)                                                                                               \
    R(layer_norm, 1e-5, "2 2 2 | 3x65 65 65 | 2x33x257 257 257 | 700x17 17 17 | 5x600 600 600 | 3x2051 2051 2051", ssl_layer_norm(in[0], in[1], in[2], 1e-5f), layer_norm(&in[0], &in[1], &in[2], 1e-5, y)) \
    R(layer_norm_chw, 1e-5, "2x3x1x1 3x1x1 3x1x1 | 3x5x7x3 5x7x3 5x7x3 | 2x65x4x4 65x4x4 65x4x4", ssl_layer_norm_chw(in[0], in[1], in[2], 1e-5f), layer_norm_chw(&in[0], &in[1], &in[2], 1e-5, y)) \
    R(layer_norm_plain, 1e-5, "1 | 3x65", ssl_layer_norm(in[0], NULL, NULL, 1e-6f), layer_norm(&in[0], NULL, NULL, 1e-6, y)) \
    R(layer_norm_weight, 1e-5, "5x3x65 65", ssl_layer_norm(in[0], in[1], NULL, 1e-5f), layer_norm(&in[0], &in[1], NULL, 1e-5, y)) \
    R(softmax, 1e-6, "1 | 3x65 | 2x33x257 | 1000x17 | 3x600 | 2x2051", ssl_softmax(in[0]), softmax(&in[0], 0, y))               \
    R(log_softmax, 2e-6, "1 | 3x65 | 2x33x257 | 1000x17", ssl_log_softmax(in[0]), softmax(&in[0], 1, y))       \
    R(l2_normalize, 1e-6, "p:1 | 3x65 | 2x33x257 | 3x600 | 2x2051", ssl_l2_normalize(in[0], 1e-12f), l2_normalize(&in[0], 1e-12, y)) \
    R(l2_normalize_short, 1e-6, "3x5", ssl_l2_normalize(in[0], 100.0f), l2_normalize(&in[0], 100.0, y))        \
    R(cosine_similarity, 2e-6, "65 65 | 3x65 3x65 | 2x33x257 2x33x257", ssl_cosine_similarity(in[0], in[1]), cosine(&in[0], &in[1], y))

#define LOSSES(R)                                                                                              \
    R(cross_entropy, 2e-6, "1x1 i1:1 | 7 i7:1 | 65x7 t7:65 | 3x33x257 t257:3x33 | 3x600 t600:3 | 2x2051 t2051:2", ssl_cross_entropy(in[0], in[1], 0.0f), cross_entropy(&in[0], &in[1], 0.0, y)) \
    R(cross_entropy_smooth, 2e-6, "65x7 i7:65 | 3x33x257 t257:3x33", ssl_cross_entropy(in[0], in[1], 0.2f), cross_entropy(&in[0], &in[1], (double)0.2f, y)) \
    R(mse, 2e-6, "1 1 | 3x65 3x65 | 257x65 257x65", ssl_mse(in[0], in[1]), PAIR_MEAN(d * d))                   \
    R(l1, 2e-6, "k:3x65 k:3x65 | k:257x65 k:257x65", ssl_l1(in[0], in[1]), PAIR_MEAN(fabs(d)))                 \
    R(smooth_l1, 2e-6, "3x65 3x65 | 257x65 257x65", ssl_smooth_l1(in[0], in[1], 0.5f), PAIR_MEAN(fabs(d) < 0.5 ? d * d : fabs(d) - 0.25))

#define SELF "1x1x1 1x1x1 1x1x1 | 3x5x6 3x5x6 3x5x6 | 2x17x81 2x17x81 2x17x81 | 1x65x192 1x65x192 1x65x192 | 1x197x33 1x197x33 1x197x33"
#define CROSS "1x1x2 1x9x2 1x9x2 | 2x33x131 2x40x131 2x40x131 | 2x66x27 2x3x27 2x3x27 | 2x33x32 2x130x32 2x130x32 | 1x130x5 1x300x5 1x300x5"
#define SHARED(kind) "3x5x6 3x5x6 3x5x6 " kind "5x5 | 2x17x27 2x33x27 2x33x27 " kind "17x33 | 2x130x8 2x65x8 2x65x8 " kind "130x65"
#define OWN(kind) "3x5x6 3x5x6 3x5x6 " kind "3x5x5 | 2x130x8 2x65x8 2x65x8 " kind "2x130x65"
#define ATTENTION(R)                                                                                           \
    R(attention, 1e-5, SELF, ssl_attention(in[0], in[1], in[2], HEADS, 0.0f, NULL, 0), attention(&in[0], &in[1], &in[2], 0.0, NULL, 0, y)) \
    R(attention_cross, 1e-5, CROSS, ssl_attention(in[0], in[1], in[2], HEADS, 0.0f, NULL, 0), attention(&in[0], &in[1], &in[2], 0.0, NULL, 0, y)) \
    R(attention_scale, 1e-5, "2x17x27 2x33x27 2x33x27", ssl_attention(in[0], in[1], in[2], HEADS, 0.125f, NULL, 0), attention(&in[0], &in[1], &in[2], 0.125, NULL, 0, y)) \
    R(attention_causal, 1e-5, SELF " | " CROSS, ssl_attention(in[0], in[1], in[2], HEADS, 0.0f, NULL, 1), attention(&in[0], &in[1], &in[2], 0.0, NULL, 1, y)) \
    R(attention_mask, 1e-5, SHARED("m:"), ssl_attention(in[0], in[1], in[2], HEADS, 0.0f, in[3], 0), attention(&in[0], &in[1], &in[2], 0.0, &in[3], 0, y)) \
    R(attention_mask_causal, 1e-5, SHARED("m:"), ssl_attention(in[0], in[1], in[2], HEADS, 0.0f, in[3], 1), attention(&in[0], &in[1], &in[2], 0.0, &in[3], 1, y)) \
    R(attention_mask_own, 1e-5, OWN("m:"), ssl_attention(in[0], in[1], in[2], HEADS, 0.0f, in[3], 0), attention(&in[0], &in[1], &in[2], 0.0, &in[3], 0, y)) \
    R(attention_blocked, 1e-5, SHARED("b:") " | " OWN("b:"), ssl_attention(in[0], in[1], in[2], HEADS, 0.0f, in[3], 0), attention(&in[0], &in[1], &in[2], 0.0, &in[3], 0, y)) \
    R(attention_add, 1e-5, SHARED(""), ssl_attention(in[0], in[1], in[2], HEADS, 0.0f, in[3], 0), attention(&in[0], &in[1], &in[2], 0.0, &in[3], 0, y)) \
    R(attention_add_causal, 1e-5, SHARED(""), ssl_attention(in[0], in[1], in[2], HEADS, 0.0f, in[3], 1), attention(&in[0], &in[1], &in[2], 0.0, &in[3], 1, y)) \
    R(attention_one, 1e-5, "3x5x6 | 1x66x27", ssl_attention(in[0], in[0], in[0], HEADS, 0.0f, NULL, 0), attention(&in[0], &in[0], &in[0], 0.0, NULL, 0, y)) \
    R(attention_packed, 1e-5, "1x1x3 | 3x5x18 | 2x65x576 | 3x49x81", ssl_attention_packed(in[0], heads_of(in[0]->dim[2] / 3), 0.0f, NULL, 0), attention_packed(&in[0], NULL, 0, y)) \
    R(attention_packed_mask, 1e-5, "3x5x18 m:5x5 | 2x130x24 130x130", ssl_attention_packed(in[0], heads_of(in[0]->dim[2] / 3), 0.0f, in[1], 1), attention_packed(&in[0], &in[1], 1, y)) \
    R(attention_kv, 1e-5, "3x5x6 3x9x12 | 2x33x32 2x130x64", ssl_attention_kv(in[0], in[1], HEADS, 0.0f, NULL, 0), attention_kv(&in[0], &in[1], y)) \
    R(attention_weights, 1e-6, "3x5x6 3x9x6 b:5x9 | 2x130x8 2x65x8 m:2x130x65", ssl_attention_weights(in[0], in[1], HEADS, 0.0f, in[2], 1), attention_weights(&in[0], &in[1], &in[2], 1, y))

#define ROWS(R) NORMS(R) LOSSES(R) ATTENTION(R) ELEMENTWISE(R) PRODUCTS(R) BROADCAST(R) REDUCE(R) SHAPES(R) TOKENS(R) CONVOLUTION(R)

typedef struct row {
    const char *name;
    double tolerance;
    const char *cases;
    ssl_tensor *(*op)(ssl_tensor **in);
    void (*oracle)(const array *in, array *y);
} row;
#define R(name, tolerance, cases, op, ...)                                                                     \
    static ssl_tensor *op_##name(ssl_tensor **in) { return op; }                                               \
    static void oracle_##name(const array *in, array *y) { __VA_ARGS__; }
ROWS(R)
#undef R
#define R(name, tolerance, cases, op, ...) { #name, tolerance, cases, op_##name, oracle_##name },
static const row rows[] = { ROWS(R) };
#undef R

/* ---- inputs of a case ---- */
static void shuffle(double *x, int n, ssl_rng *r)
{
    int i;
    for (i = n - 1; i > 0; i--) {
        const int j = ssl_rng_below(r, i + 1);
        const double t = x[i];
        x[i] = x[j];
        x[j] = t;
    }
}
static void fill(array *a, ssl_rng *r, int limit)
{
    const int last = a->dim[a->ndim - 1];
    double *all = (double *)calloc((size_t)limit + 1, sizeof *all);
    int64_t i;
    int j;
    for (i = 0; i < a->n; i++) {
        const double u = (double)ssl_rng_uniform(r);
        double v = 4.0 * u - 2.0;
        if (a->kind == 'p' || a->kind == 'q') v = 0.5 + 2.0 * u;
        if (a->kind == 'k') v = (u < 0.5 ? -1.0 : 1.0) * (0.3 + 4.0 * fabs(u - 0.5));
        if (a->kind == 'd') v = 4.0 * (double)i / (double)a->n - 2.0;
        if (a->kind == 'i' || a->kind == 't') v = a->kind == 't' && i % 3 == 2 ? -100.0 : floor(u * limit);
        if (a->kind == 'm') v = i % last != 0 && u < 0.3;
        if (a->kind == 'b') v = i / last % 3 == 1 || u < 0.3;
        a->x[i] = (double)(float)v;
    }
    if (a->kind == 'd') shuffle(a->x, (int)a->n, r);
    for (i = 0; a->kind == 's' && i < a->n; i += last) {
        for (j = 0; j < limit; j++) all[j] = j;
        shuffle(all, limit, r);
        memcpy(a->x + i, all, sizeof *all * (size_t)last);
    }
    free(all);
}
/* Reads "[kind[limit]:]shape" from text and returns what follows it; NULL at the end of the case. */
static const char *parse(const char *text, array *a, ssl_rng *r)
{
    int dim[SSL_DIMS], n = 0, limit = 0;
    char *end;
    while (*text == ' ') text++;
    if (!*text || *text == '|') return NULL;
    a->kind = ' ';
    if (*text > '9') {
        a->kind = *text++;
        limit = (int)strtol(text, &end, 10);
        text = end + 1;
    }
    for (;; text++) {
        dim[n++] = (int)strtol(text, &end, 10);
        text = end;
        if (*text != 'x') break;
    }
    shape(a, n, dim);
    fill(a, r, limit);
    return text;
}
static ssl_dtype type_of(const array *a) { return a->kind == 'i' || a->kind == 't' || a->kind == 's' ? SSL_I32 : a->kind == 'm' || a->kind == 'b' ? SSL_U8 : SSL_F32; }
static int wants_grad(const array *a) { return type_of(a) == SSL_F32 && a->kind != 'c' && a->kind != 'q'; }

static void *values(const array *a) /* as the tensor holds them */
{
    const ssl_dtype type = type_of(a);
    void *p = calloc((size_t)a->n, 4);
    int64_t i;
    for (i = 0; i < a->n; i++) {
        if (type == SSL_F32) ((float *)p)[i] = (float)a->x[i];
        else if (type == SSL_I32) ((int32_t *)p)[i] = (int32_t)a->x[i];
        else ((uint8_t *)p)[i] = (uint8_t)a->x[i];
    }
    return p;
}
static ssl_tensor *input(ssl_ctx *c, const array *a)
{
    const int *d = a->dim;
    void *p = values(a);
    ssl_tensor *t = type_of(a) == SSL_F32 ? ssl_input(c, (float *)p, a->ndim, d[0], d[1], d[2], d[3], d[4], d[5])
                  : type_of(a) == SSL_I32 ? ssl_input_i32(c, (int32_t *)p, a->ndim, d[0], d[1], d[2], d[3], d[4], d[5])
                                          : ssl_input_u8(c, (uint8_t *)p, a->ndim, d[0], d[1], d[2], d[3], d[4], d[5]);
    free(p);
    return wants_grad(a) ? ssl_requires_grad(t) : t;
}

/* ---- one case ---- */
typedef struct result { int64_t n; float *y, *g[MAX_IN]; } result;
typedef struct job {
    const struct row *row;
    const char *text, *variant;
    int n, len;
    array in[MAX_IN], y, w, v[MAX_IN]; /* inputs, expected result, weights of the loss sum w y (+ sum v in) */
    double *grad[MAX_IN];              /* expected gradient where it was computed, NAN elsewhere */
    double slope[MAX_IN];              /* expected sum grad v */
    double tolerance;
    const char *program;
} job;

static int fail(const job *j, const char *what, int input, int64_t place, double got, double want)
{
    printf("FAIL %s \"%.*s\" %s: %s %d [%ld] is %.9g, expected %.9g, tolerance %g\n     again: %s %s\n", j->row->name, j->len, j->text, j->variant, what, input, (long)place, got, want,
           j->tolerance, j->program, j->row->name);
    return 0;
}

static int broken(const job *j, const char *what)
{
    printf("FAIL %s \"%.*s\" %s: %s\n     again: %s %s\n", j->row->name, j->len, j->text, j->variant, what, j->program, j->row->name);
    return 0;
}

static double loss_of(job *j)
{
    array y;
    double s = 0.0;
    int64_t i;
    j->row->oracle(j->in, &y);
    for (i = 0; i < y.n; i++) s += y.x[i] * j->w.x[i];
    free(y.x);
    return s;
}
/* Central differences: all elements of small inputs, 24 of others, and along one random direction. */
static void differentiate(job *j, ssl_rng *r)
{
    const double h = 1e-5;
    int64_t i, t;
    int k;
    for (k = 0; k < j->n; k++) {
        array *a = &j->in[k];
        double *x0 = (double *)calloc((size_t)a->n, sizeof *x0), up;
        memcpy(x0, a->x, sizeof *x0 * (size_t)a->n);
        j->grad[k] = (double *)calloc((size_t)a->n, sizeof *j->grad[k]);
        for (i = 0; i < a->n; i++) j->grad[k][i] = (double)NAN;
        for (t = 0; wants_grad(a) && t < (a->n < 24 ? a->n : 24); t++) {
            i = a->n <= 24 ? t : ssl_rng_below(r, (int)a->n);
            a->x[i] = x0[i] + h;
            up = loss_of(j);
            a->x[i] = x0[i] - h;
            j->grad[k][i] = (up - loss_of(j)) / (2.0 * h);
            a->x[i] = x0[i];
        }
        for (i = 0; i < a->n; i++) a->x[i] = x0[i] + h * j->v[k].x[i];
        up = wants_grad(a) ? loss_of(j) : 0.0;
        for (i = 0; i < a->n; i++) a->x[i] = x0[i] - h * j->v[k].x[i];
        j->slope[k] = wants_grad(a) ? (up - loss_of(j)) / (2.0 * h) : 0.0;
        memcpy(a->x, x0, sizeof *x0 * (size_t)a->n);
        free(x0);
    }
}

#ifdef __CUDACC__ /* a device's memory cannot be read here; compute-sanitizer watches it */
static int guards_hold(const ssl__arena *a) { (void)a; return 1; }
#else
static int guards_hold(const ssl__arena *a)
{
    const ssl__chunk *k;
    for (k = a->first; k; k = k->next) {
        size_t o = 0, bytes, i;
        while (o < k->used) {
            const unsigned char *p = (const unsigned char *)k->p + o;
            memcpy(&bytes, p, sizeof bytes);
            for (i = sizeof bytes; i < 64; i++) if (p[i] != 0xA5) return 0;
            for (i = 64 + bytes; i < SSL__GUARDED(bytes); i++) if (p[i] != 0xA5) return 0;
            o += SSL__GUARDED(bytes);
        }
    }
    return 1;
}
#endif
static int inputs_hold(const job *j, ssl_tensor **in)
{
    int k, same = 1;
    for (k = 0; k < j->n; k++) {
        const size_t bytes = (size_t)j->in[k].n * (type_of(&j->in[k]) == SSL_U8 ? 1 : 4);
        void *p = values(&j->in[k]), *q = calloc(bytes, 1);
        same = same && ssl_to_host(in[k], q) && !memcmp(p, q, bytes);
        free(p);
        free(q);
    }
    return same;
}

static int value_matches(const job *j, const ssl_tensor *y, const float *got)
{
    double scale = 1.0;
    int64_t i;
    int d;
    if (y->ndim != j->y.ndim) return fail(j, "number of axes", 0, 0, y->ndim, j->y.ndim);
    for (d = 0; d < y->ndim; d++) if (y->dim[d] != j->y.dim[d]) return fail(j, "axis", 0, d, y->dim[d], j->y.dim[d]);
    for (i = 0; i < j->y.n; i++) if (fabs(j->y.x[i]) > scale) scale = fabs(j->y.x[i]);
    for (i = 0; i < j->y.n; i++)
        if (!(fabs((double)got[i] - j->y.x[i]) <= j->tolerance * scale)) return fail(j, "value", 0, i, (double)got[i], j->y.x[i]);
    return 1;
}
static int gradient_matches(const job *j, int k, const float *got, int extra)
{
    const array *a = &j->in[k], *v = &j->v[k];
    const double tolerance = j->tolerance + 1e-6;
    double scale = 1.0, slope = 0.0, size = 1.0;
    int64_t i;
    for (i = 0; i < a->n; i++) if (fabs(j->grad[k][i]) > scale) scale = fabs(j->grad[k][i]);
    for (i = 0; i < a->n; i++) {
        const double g = (double)got[i] - (extra ? v->x[i] : 0.0);
        slope += g * v->x[i];
        size += fabs((double)got[i] * v->x[i]);
        if (!isnan(j->grad[k][i]) && !(fabs(g - j->grad[k][i]) <= tolerance * scale)) return fail(j, extra ? "added gradient" : "gradient", k, i, g, j->grad[k][i]);
    }
    return fabs(slope - j->slope[k]) <= tolerance * size || fail(j, "slope along a random direction", k, 0, slope, j->slope[k]);
}

/* One step: build, compare, backward, compare. extra: a gradient of v is there before the op adds its own. */
static int step(const job *j, ssl_ctx *c, int extra, result *out)
{
    ssl_tensor *in[MAX_IN], *y, *loss;
    int k, ok;
    memset(out, 0, sizeof *out);
    for (k = 0; k < j->n; k++) in[k] = input(c, &j->in[k]);
    y = j->row->op(in);
    out->n = ssl_numel(y);
    out->y = (float *)calloc((size_t)out->n + 1, sizeof(float));
    ssl_to_host(y, out->y);
    if (!ssl_ok(c) || !value_matches(j, y, out->y)) return 0;
    loss = ssl_sum(ssl_mul(y, input(c, &j->w)));
    for (k = 0; extra && k < j->n; k++) if (wants_grad(&j->in[k])) loss = ssl_add(loss, ssl_sum(ssl_mul(in[k], input(c, &j->v[k]))));
    if (y->needs_grad) ssl_backward(loss);
    for (k = 0, ok = ssl_ok(c); ok && y->needs_grad && k < j->n; k++) {
        if (!wants_grad(&j->in[k])) continue;
        out->g[k] = (float *)calloc((size_t)j->in[k].n, sizeof(float));
        ssl_grad_to_host(in[k], out->g[k]);
        ok = gradient_matches(j, k, out->g[k], extra);
    }
    if (ok && !(guards_hold(&c->data) && guards_hold(&c->small) && guards_hold(&c->host))) ok = broken(j, "bytes beside a buffer were overwritten");
    if (ok && !inputs_hold(j, in)) ok = broken(j, "an input was changed");
    ssl_step_end(c);
    return ok;
}
static void release(result *r)
{
    int k;
    free(r->y);
    for (k = 0; k < MAX_IN; k++) free(r->g[k]);
}
static int same_bits(const job *j, const result *a, const result *b)
{
    int k;
    if (!a->y) return 1;
    if (memcmp(a->y, b->y, sizeof(float) * (size_t)a->n)) return broken(j, "the value differs between 1 and 3 threads");
    for (k = 0; k < j->n; k++)
        if (a->g[k] && memcmp(a->g[k], b->g[k], sizeof(float) * (size_t)j->in[k].n)) return broken(j, "a gradient differs between 1 and 3 threads");
    return 1;
}

static int lower(const char *variant) { return !strncmp(variant, "cuda-", 5) || !strcmp(variant, "avx512bf16") || !strcmp(variant, "amx"); } /* in precision */
static void choose(ssl_desc *d, const char *variant)
{
    d->device = strncmp(variant, "cuda", 4) ? SSL_DEVICE_CPU : SSL_DEVICE_CUDA;
    d->precision = !strcmp(variant, "cuda-high") ? SSL_PRECISION_HIGH : lower(variant) ? SSL_PRECISION_BF16 : SSL_PRECISION_HIGHEST;
    setenv("SSL_ISA", variant, 1);
}
/* Two steps (one at a lower precision) with 1 thread and as many with 3, on one instruction set. */
static int run_variant(job *j, const char *isa)
{
    ssl_desc d = SSL_ZERO;
    result r[2][2];
    int threads, extra, ok = 1;
    memset(r, 0, sizeof r);
    j->variant = isa;
    j->tolerance = !strcmp(isa, "cuda-high") ? 3e-3 : !strcmp(isa, "cuda-bf16") ? 2.5e-2 : !lower(isa) ? j->row->tolerance : strncmp(j->row->name, "conv2d", 6) ? 1.5e-2 : 4e-2;
    choose(&d, isa);
    for (threads = 0; threads < 2 && ok; threads++) {
        ssl_ctx *c;
        d.threads = threads ? 3 : 1;
        c = ssl_open(&d);
        for (extra = j->tolerance > j->row->tolerance; extra < 2 && ok; extra++) ok = step(j, c, extra, &r[threads][extra]);
        ok = ssl_close(c) == 0 && ok;
    }
    for (extra = 0; extra < 2 && ok; extra++) ok = same_bits(j, &r[0][extra], &r[1][extra]);
    for (threads = 0; threads < 2; threads++) for (extra = 0; extra < 2; extra++) release(&r[threads][extra]);
    return ok;
}

static const char *const variants[] = { "portable", "avx2", "avx512", "avx512bf16", "amx", "neon", "cuda", "cuda-high", "cuda-bf16" };
#define VARIANTS ((int)(sizeof variants / sizeof *variants))
static int here[VARIANTS]; /* which of them this machine and build can run */
static int multiplies(const row *row)
{
    static const char *const names[] = { "linear", "matmul", "conv2d", "attention" };
    size_t i;
    for (i = 0; i < sizeof names / sizeof *names; i++)
        if (!strncmp(row->name, names[i], strlen(names[i]))) return strcmp(row->name, "attention_weights") && strcmp(row->name, "linear_relu");
    return 0;
}
static int run_case(job *j, ssl_rng *r)
{
    const char *p = j->text, *next;
    int k, ok = 1;
    for (j->n = 0; j->n < MAX_IN && (next = parse(p, &j->in[j->n], r)) != NULL; p = next) j->n++;
    j->len = (int)(p - j->text);
    j->row->oracle(j->in, &j->y);
    j->w = j->y;
    j->w.kind = 'c';
    shape(&j->w, j->y.ndim, j->y.dim);
    fill(&j->w, r, 0);
    for (k = 0; k < j->n; k++) {
        j->v[k].kind = 'c';
        shape(&j->v[k], j->in[k].ndim, j->in[k].dim);
        fill(&j->v[k], r, 0);
    }
    differentiate(j, r);
    for (k = 0; k < VARIANTS; k++) {
        if (!here[k] || (lower(variants[k]) && !multiplies(j->row))) continue;
        if (run_variant(j, variants[k])) check_passed++;
        else { check_failed++; ok = 0; }
    }
    for (k = 0; k < j->n; k++) { free(j->in[k].x); free(j->v[k].x); free(j->grad[k]); }
    free(j->y.x);
    free(j->w.x);
    return ok;
}
static void run_row(const row *row, const char *program)
{
    ssl_rng r = ssl_rng_make(7, (uint64_t)strlen(row->name));
    const char *text = row->cases;
    int ok = 1;
    for (; text; text = strchr(text, '|')) {
        job j;
        while (*text == '|' || *text == ' ') text++;
        memset(&j, 0, sizeof j);
        j.row = row;
        j.text = text;
        j.program = program;
        ok = run_case(&j, &r) && ok;
    }
    printf("%s %s\n", ok ? "ok  " : "FAIL", row->name);
}

static void quiet(ssl_status code, const char *message, void *user) { (void)code; (void)message; (void)user; }
static void find_variants(void)
{
    ssl_desc d = SSL_ZERO;
    const char *device = getenv("SSL_DEVICE");
    int k;
    d.on_error = quiet;
    for (k = 0; k < VARIANTS; k++) {
        const int cuda = !strncmp(variants[k], "cuda", 4);
        ssl_ctx *c;
        if (device && !strcmp(device, "cuda") && !cuda) continue; /* the CPU's variants have their own run */
        choose(&d, variants[k]);
        c = ssl_open(&d);
        here[k] = ssl_ok(c) && !strcmp(ssl_isa(c), cuda ? "cuda" : lower(variants[k]) ? "avx512" : variants[k]);
        if (!cuda && lower(variants[k])) here[k] = here[k] && (strcmp(variants[k], "amx") ? c->bf16 : c->amx);
        if (!here[k]) { check_skipped++; printf("skip %s: not on this machine or not in this build\n", variants[k]); }
        ssl_close(c);
    }
    unsetenv("SSL_ISA");
}

/* ---- ops of chance and order, which have no oracle ---- */
static ssl_tensor *ramp(ssl_ctx *c, int a, int b) /* 1, 2, 3 ... */
{
    float *x = (float *)calloc((size_t)a * (size_t)b, sizeof *x);
    ssl_tensor *t;
    int i;
    for (i = 0; i < a * b; i++) x[i] = (float)(i + 1);
    t = ssl_input(c, x, 2, a, b);
    free(x);
    return ssl_requires_grad(t);
}
/* y is 0 or x / (1 - p), decided per group of elements; the gradient is the same mask. Returns the share of zeros, -1 if wrong. */
static double dropped(ssl_tensor *y, const ssl_tensor *x, int group, float p)
{
    const int n = (int)ssl_numel(x);
    float *a = (float *)calloc((size_t)n * 2, sizeof *a), *g = a + n;
    int i, zeros = 0, right = 1;
    ssl_to_host(y, a);
    ssl_backward(ssl_sum(y));
    ssl_grad_to_host(x, g);
    for (i = 0; i < n; i++) {
        const float scale = a[i] == 0.0f ? 0.0f : 1.0f / (1.0f - p);
        zeros += a[i] == 0.0f;
        right = right && g[i] == scale && a[i] == scale * (float)(i + 1) && (a[i] == 0.0f) == (a[i / group * group] == 0.0f);
    }
    free(a);
    return right ? (double)zeros / n : -1.0;
}
static void test_dropout(void)
{
    ssl_ctx *c = ssl_open(NULL);
    ssl_tensor *x = ramp(c, 200, 257);
    CHECK(fabs(dropped(ssl_dropout(x, 0.25f), x, 1, 0.25f) - 0.25) < 0.01);
    x = ramp(c, 2000, 13);
    CHECK(fabs(dropped(ssl_drop_path(x, 0.1f), x, 13, 0.1f) - 0.1) < 0.03);
    CHECK(ssl_dropout(x, 0.0f) == x);
    ssl_train(c, 0);
    CHECK(ssl_drop_path(x, 0.5f) == x);
    CHECK(ssl_close(c) == 0);
}
static void test_draws(int variant) /* each instruction set draws what ssl__philox does, all words of its counter in use */
{
    const uint64_t seed = 0x123456789abcdef0u, stream = 0xfedcba9876543210u;
    ssl_desc d = SSL_ZERO;
    float x[1001];
    uint32_t words[4];
    int i, same = 1;
    ssl_ctx *c;
    if (!here[variant] || !strncmp(variants[variant], "cuda", 4)) return;
    choose(&d, variants[variant]);
    c = ssl_open(&d);
    c->k->uniform(c, 1001, seed, stream, x);
    for (i = 0; i < 1001; i++) {
        ssl__philox(seed, stream, (uint64_t)i / 4, words);
        same = same && x[i] == ssl__unit(words[i % 4]);
    }
    CHECK(same);
    CHECK(ssl_close(c) == 0);
    unsetenv("SSL_ISA");
}
static void test_random_uniform(void)
{
    ssl_ctx *c = ssl_open(NULL);
    float x[2][1001];
    double sum = 0.0;
    ssl_rng r = ssl_rng_make(0, 0);
    int i, ordered = 1;
    ssl_to_host(ssl_random_uniform(c, 2, 7, 143), x[0]);
    ssl_to_host(ssl_random_uniform(c, 1, 1001), x[1]);
    for (i = 0; i < 1001; i++) { ordered = ordered && x[0][i] == ssl_rng_uniform(&r); sum += (double)x[0][i]; }
    CHECK(ordered); /* draw i of stream 0 */
    CHECK(memcmp(x[0], x[1], sizeof x[0]) != 0);
    CHECK(fabs(sum / 1001.0 - 0.5) < 0.05);
    CHECK(ssl_close(c) == 0);
    for (i = 0; i < VARIANTS; i++) test_draws(i);
}
static void test_argsort(void)
{
    static const float keys[12] = { 3, 1, 2, 1, -5, 0, 0, 0, 0, 0, 0, -1 };
    static const int32_t want[12] = { 4, 5, 1, 3, 2, 0, 5, 0, 1, 2, 3, 4 }, ids[5] = { 2, 0, 4, 1, 3 }, inverse[5] = { 1, 3, 0, 4, 2 };
    ssl_ctx *c = ssl_open(NULL);
    int32_t got[12], long_row[1000];
    float x[1000];
    int i, ascending = 1;
    ssl_to_host(ssl_argsort(ssl_input(c, keys, 2, 2, 6)), got);
    CHECK(!memcmp(got, want, sizeof want));
    ssl_to_host(ssl_argsort(ssl_input_i32(c, ids, 1, 5)), got);
    CHECK(!memcmp(got, inverse, sizeof inverse));
    ssl_to_host(ssl_random_uniform(c, 1, 1000), x);
    ssl_to_host(ssl_argsort(ssl_input(c, x, 1, 1000)), long_row);
    for (i = 1; i < 1000; i++) ascending = ascending && x[long_row[i - 1]] <= x[long_row[i]];
    CHECK(ascending);
    CHECK(ssl_close(c) == 0);
}
static void test_integers(void) /* copies keep integers, also those that are no number as floats */
{
    static const int32_t x[6] = { 0, -100, 2139095041, 3, 1 << 30, -1 };
    ssl_ctx *c = ssl_open(NULL);
    ssl_tensor *t = ssl_input_i32(c, x, 2, 2, 3), *pair[2];
    int32_t got[12];
    pair[0] = t;
    pair[1] = ssl_slice(t, 1, 2, 3);
    ssl_to_host(ssl_permute(t, 1, 0), got);
    CHECK(got[0] == x[0] && got[1] == x[3] && got[2] == x[1] && got[4] == x[2] && got[5] == x[5]);
    ssl_to_host(ssl_concat(1, 2, pair), got);
    CHECK(got[2] == x[2] && got[3] == x[2] && got[4] == x[3] && got[7] == x[5]);
    CHECK(ssl_close(c) == 0);
}
static void test_sincos2d(void)
{
    float p[10][8];
    CHECK(ssl_sincos2d(8, 3, 1, &p[0][0]));
    CHECK(p[0][0] == 0.0f && p[0][7] == 0.0f);
    CHECK(p[1][0] == 0.0f && p[1][2] == 1.0f && p[1][4] == 0.0f && p[1][6] == 1.0f);
    CHECK(p[3][0] == (float)sin(2.0) && p[3][3] == (float)cos(0.02) && p[3][4] == 0.0f); /* row 0, column 2 */
    CHECK(p[7][0] == 0.0f && p[7][5] == (float)sin(0.02));                                /* row 2, column 0 */
    CHECK(!ssl_sincos2d(6, 3, 0, &p[0][0]));
}

int main(int argc, char **argv)
{
    size_t i;
    if (argc > 1) check_filter = argv[1];
    find_variants();
    for (i = 0; i < sizeof rows / sizeof *rows; i++) if (strstr(rows[i].name, check_filter)) run_row(&rows[i], argv[0]);
    TEST(dropout);
    TEST(random_uniform);
    TEST(argsort);
    TEST(integers);
    TEST(sincos2d);
    return check_done();
}
