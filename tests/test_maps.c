/* Half maps, bf16 maps of convolutions that lie channels last: every kernel beside sums in double, blocks and whole networks at bf16
   beside the same at `highest`, one thread beside two.   ./build/test_maps [NAME] */
#define SSL_GUARD /* memory that was handed back, and scratch that was not written, reads as NaN */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "check.h"
#include "networks.h"

enum { RIM = 64 };
#define ROUNDED 2.2e-3 /* what rounding to bf16 once changes */
static ssl_ctx *open_context(ssl_precision precision, int threads)
{
    ssl_desc d = SSL_ZERO;
    d.device = SSL_DEVICE_CPU;
    d.precision = precision;
    d.threads = threads;
    d.seed = 7;
    return ssl_open(&d);
}
static float value(uint64_t seed, int64_t i) /* in [-1,1), exact in bf16 */
{
    uint32_t r[4];
    ssl__philox(seed, 1, (uint64_t)i, r);
    return ssl__bf16(2.0f * ssl__unit(r[0]) - 1.0f);
}

/* ---- arrays of floats, or of bf16 channels last, between rims that nobody may write ---- */
typedef struct array { int half, n, ch; int64_t hw; char *raw; double *want; } array; /* want: [n][ch][hw] */
static int64_t array_size(const array *a) { return a->n * a->ch * a->hw; }
static float *array_data(const array *a) { return (float *)(void *)(a->raw + RIM); }
static size_t array_bytes(const array *a) { return (size_t)array_size(a) * (a->half ? 2 : 4); }
static int64_t array_place(const array *a, int64_t i) /* of element i of [n][ch][hw] */
{
    const int64_t p = i % a->hw, c = i / a->hw % a->ch, n = i / a->hw / a->ch;
    return a->half ? (n * a->hw + p) * a->ch + c : i;
}
static double array_get(const array *a, int64_t i)
{
    if (!a->half) return (double)array_data(a)[i];
    return (double)ssl__bits((uint32_t)((const uint16_t *)(const void *)array_data(a))[array_place(a, i)] << 16);
}
static array array_new(int half, int n, int ch, int64_t hw, uint64_t seed) /* seed 0: NaN */
{
    array a;
    int64_t i;
    a.half = half; a.n = n; a.ch = ch; a.hw = hw;
    a.raw = (char *)aligned_alloc(64, (array_bytes(&a) + 2 * RIM + 63) / 64 * 64); /* as the library has them */
    a.want = (double *)calloc((size_t)array_size(&a), sizeof *a.want);
    memset(a.raw, 0xff, array_bytes(&a) + 2 * RIM);
    for (i = 0; seed && i < array_size(&a); i++) {
        const float v = value(seed, i);
        a.want[i] = (double)v;
        if (half) ((uint16_t *)(void *)array_data(&a))[array_place(&a, i)] = (uint16_t)(ssl__word(v) >> 16);
        else array_data(&a)[i] = v;
    }
    return a;
}
/* |a - want| / |want|, or 1 if a rim was written; frees a */
static double array_error(array a)
{
    double d = 0.0, s = 0.0;
    int64_t i;
    for (i = 0; i < RIM; i++) if (a.raw[i] != -1 || a.raw[RIM + (int64_t)array_bytes(&a) + i] != -1) { printf("     a rim was written\n"); d = s = 1.0; }
    for (i = 0; i < array_size(&a); i++) { const double e = array_get(&a, i) - a.want[i]; d += e * e; s += a.want[i] * a.want[i]; }
    free(a.raw);
    free(a.want);
    return d == d ? sqrt(d / (s + 1e-30)) : 1.0;
}
static void array_drop(array a) { free(a.raw); free(a.want); }

/* ---- convolution ---- */
typedef struct conv_case { int n, ci, h, w, co, k, stride, pad, dilation; unsigned half; } conv_case;
enum { X = SSL__HALF_X, Y = SSL__HALF_Y };
static const conv_case conv_cases[] = {
    { 3, 8, 5, 7, 8, 1, 1, 0, 1, X | Y },    { 1, 24, 1, 1, 40, 1, 1, 0, 1, X | Y },  { 2, 40, 9, 13, 72, 1, 1, 0, 1, X | Y },  { 2, 72, 11, 9, 8, 1, 2, 0, 1, X | Y },
    { 5, 16, 6, 6, 24, 1, 2, 0, 1, X | Y },  { 2, 512, 3, 5, 528, 1, 1, 0, 1, X | Y }, { 1, 520, 5, 5, 512, 1, 1, 0, 1, X | Y }, { 2, 640, 3, 3, 512, 1, 2, 0, 1, X | Y },
    { 2, 24, 8, 8, 40, 3, 1, 1, 1, X | Y },  { 3, 40, 7, 9, 24, 3, 1, 1, 1, X | Y },  { 2, 16, 13, 11, 80, 3, 1, 1, 1, X | Y }, { 2, 16, 12, 20, 16, 3, 1, 0, 1, X | Y },
    { 1, 72, 16, 16, 136, 3, 1, 1, 1, X | Y }, { 2, 8, 9, 7, 24, 3, 1, 1, 1, X | Y }, { 2, 24, 9, 11, 40, 3, 2, 1, 1, X | Y },  { 3, 40, 8, 8, 8, 3, 2, 1, 1, X | Y },
    { 2, 16, 10, 9, 16, 3, 1, 2, 2, X | Y }, { 5, 24, 1, 1, 40, 3, 1, 1, 1, X | Y },  { 5, 24, 2, 2, 16, 3, 1, 1, 1, X | Y },   { 7, 40, 2, 2, 8, 3, 2, 1, 1, X | Y },
    { 2, 3, 23, 21, 16, 7, 2, 3, 1, Y },     { 2, 3, 9, 9, 8, 3, 1, 1, 1, Y },        { 3, 1, 8, 8, 8, 3, 1, 1, 1, Y },         { 3, 17, 5, 5, 24, 1, 1, 0, 1, Y },
    { 2, 24, 7, 7, 5, 3, 1, 1, 1, X },       { 3, 16, 5, 5, 9, 1, 1, 0, 1, X },       { 2, 8, 6, 5, 3, 3, 2, 1, 1, X },         { 130, 16, 1, 3, 8, 1, 1, 0, 1, X | Y },
    /* enough tiles for Winograd, several images or rows of one in a block; and channels in 32s, of which moments are made */
    { 13, 24, 8, 8, 40, 3, 1, 1, 1, X | Y }, { 7, 40, 9, 13, 24, 3, 1, 1, 1, X | Y }, { 13, 24, 8, 8, 96, 3, 1, 1, 1, X | Y }, { 1, 32, 28, 29, 32, 3, 1, 1, 1, X | Y },
    { 2, 40, 9, 13, 64, 1, 1, 0, 1, X | Y }, { 5, 8, 29, 31, 32, 1, 1, 0, 1, X | Y },  { 3, 16, 8, 8, 96, 3, 2, 1, 1, X | Y },  { 1, 16, 47, 33, 32, 3, 2, 1, 1, X | Y },
    { 3, 72, 11, 9, 160, 1, 2, 0, 1, X | Y }, { 2, 3, 23, 21, 32, 7, 2, 3, 1, Y },     { 5, 24, 2, 2, 32, 3, 1, 1, 1, X | Y },
    { 2, 4, 40, 70, 32, 4, 2, 1, 1, Y },     { 3, 1, 8, 67, 24, 5, 2, 0, 1, Y }
};
static ssl__window conv_window(const conv_case *p)
{
    ssl__window g;
    memset(&g, 0, sizeof g);
    g.n = p->n; g.ci = p->ci; g.h = p->h; g.w = p->w; g.co = p->co; g.kh = g.kw = p->k; g.sh = g.sw = p->stride; g.ph = g.pw = p->pad; g.dh = g.dw = p->dilation;
    g.groups = 1; g.half = p->half;
    g.oh = (g.h + 2 * g.ph - g.dh * (g.kh - 1) - 1) / g.sh + 1;
    g.ow = (g.w + 2 * g.pw - g.dw * (g.kw - 1) - 1) / g.sw + 1;
    return g;
}
/* Adds to y, dx and dw what one tap of each output has to do with them. */
static void conv_sums(const ssl__window *g, const double *x, const double *w, const double *dy, double *y, double *dx, double *dw)
{
    int n, o, c, i, j, r, s;
    for (n = 0; n < g->n; n++) for (o = 0; o < g->co; o++) for (i = 0; i < g->oh; i++) for (j = 0; j < g->ow; j++)
        for (c = 0; c < g->ci; c++) for (r = 0; r < g->kh; r++) for (s = 0; s < g->kw; s++) {
            const int a = i * g->sh + r * g->dh - g->ph, b = j * g->sw + s * g->dw - g->pw;
            const int64_t q = (((int64_t)n * g->co + o) * g->oh + i) * g->ow + j, p = (((int64_t)n * g->ci + c) * g->h + a) * g->w + b, k = (((int64_t)o * g->ci + c) * g->kh + r) * g->kw + s;
            if (a < 0 || b < 0 || a >= g->h || b >= g->w) continue;
            y[q] += x[p] * w[k];
            dx[p] += dy[q] * w[k];
            dw[k] += dy[q] * x[p];
        }
}
/* With a bias, and of half maps y with a residual, a ReLU or both */
static void conv_more(ssl_ctx *c, const ssl__window *of, int how, const array *x, const array *w, const double *plain)
{
    ssl__window g = *of;
    const int half = (g.half & Y) != 0, relu = half && how & 1, add = half && how & 2;
    const array bias = array_new(0, 1, g.co, 1, 16), res = array_new(half, g.n, g.co, (int64_t)g.oh * g.ow, 17);
    array y = array_new(half, g.n, g.co, res.hw, 0);
    int64_t i;
    double error;
    for (i = 0; i < array_size(&y); i++) {
        y.want[i] = plain[i] + bias.want[i / res.hw % g.co] + (add ? res.want[i] : 0.0);
        if (relu && y.want[i] < 0.0) y.want[i] = 0.0;
    }
    g.moments = NULL;
    g.relu = relu;
    g.res = add ? array_data(&res) : NULL;
    ssl__maps(c)->conv_f(c, &g, array_data(x), array_data(w), array_data(&bias), array_data(&y));
    if (!CHECK((error = array_error(y)) < (half ? 2 * ROUNDED : 1e-6))) printf("     [%d,%d,%d,%d] to %d, kernel %d, with more (%d): y %.1e\n", g.n, g.ci, g.h, g.w, g.co, g.kh, how % 4, error);
    array_drop(bias); array_drop(res);
}
/* How far the moments of y that a convolution made are from those of y, in deviations and variances; made where they ought to be */
static double moments_error(const ssl__window *g, const array *y)
{
    const ssl__map_moments *m = g->moments;
    const int64_t count = g->n * y->hw;
    double worst = 0.0;
    int c, n;
    int64_t i;
    if (!CHECK(m->made == ((g->half & Y) && g->co % 32 == 0 && !ssl__conv_dense(g)))) return 1.0;
    for (c = 0; m->made && c < g->co; c++) {
        double mean = 0.0, var = 0.0;
        for (n = 0; n < g->n; n++) for (i = 0; i < y->hw; i++) mean += array_get(y, ((int64_t)n * g->co + c) * y->hw + i);
        mean /= (double)count;
        for (n = 0; n < g->n; n++) for (i = 0; i < y->hw; i++) { const double d = array_get(y, ((int64_t)n * g->co + c) * y->hw + i) - mean; var += d * d; }
        var /= (double)count;
        worst = fmax(worst, fmax(fabs((double)m->mean[c] - mean) / sqrt(var), fabs((double)m->var[c] - var) / var));
    }
    return worst;
}
static void test_convolutions(void)
{
    ssl_ctx *c = open_context(SSL_PRECISION_BF16, 2);
    size_t i;
    for (i = 0; i < sizeof conv_cases / sizeof *conv_cases; i++) {
        const conv_case *p = &conv_cases[i];
        float moments[2 * 640];
        ssl__map_moments m = { moments, moments + p->co, 0 };
        ssl__window g = conv_window(p);
        const double winograd = g.half == (X | Y) && ssl__conv_winograd(&g) ? 1.5e-2 : 0.0; /* whose gradients multiply bf16 of what was transformed */
        const double fine = g.half & Y ? ROUNDED : 1e-6, back = (g.half & X ? ROUNDED : 1e-6) + winograd;
        const array x = array_new((p->half & X) != 0, g.n, g.ci, (int64_t)g.h * g.w, 11), w = array_new(0, g.co, g.ci, g.kh * g.kw, 12), dy = array_new((p->half & Y) != 0, g.n, g.co, (int64_t)g.oh * g.ow, 13);
        array y = array_new(dy.half, g.n, g.co, dy.hw, 0), dx = array_new(x.half, g.n, g.ci, x.hw, 0), more = array_new(x.half, g.n, g.ci, x.hw, 14), dw = array_new(0, g.co, g.ci, w.hw, 15);
        double error[5];
        int64_t k;
        g.moments = &m;
        conv_sums(&g, x.want, w.want, dy.want, y.want, dx.want, dw.want);
        for (k = 0; k < array_size(&dx); k++) more.want[k] += dx.want[k];
        ssl__maps(c)->conv_f(c, &g, array_data(&x), array_data(&w), NULL, array_data(&y));
        conv_more(c, &g, (int)i, &x, &w, y.want);
        ssl__half_maps(c)->half_conv_b(c, &g, array_data(&x), array_data(&w), array_data(&dy), 0.0f, array_data(&dx), NULL);
        ssl__half_maps(c)->half_conv_b(c, &g, array_data(&x), array_data(&w), array_data(&dy), 1.0f, array_data(&more), array_data(&dw));
        error[4] = moments_error(&g, &y);
        error[0] = array_error(y); error[1] = array_error(dx); error[2] = array_error(more); error[3] = array_error(dw);
        if (!CHECK(error[0] < fine && error[1] < back && error[2] < back && error[3] < 1e-6 + winograd && error[4] < 1e-5))
            printf("     [%d,%d,%d,%d] to %d, kernel %d, stride %d, padding %d, halves %u: y %.1e dx %.1e added %.1e dw %.1e moments %.1e\n", p->n, p->ci, p->h, p->w, p->co, p->k, p->stride, p->pad, p->half,
                   error[0], error[1], error[2], error[3], error[4]);
        array_drop(x); array_drop(w); array_drop(dy);
    }
    CHECK(ssl_close(c) == SSL_OK);
}

/* ---- batch norm ---- */
typedef struct norm_case { int n, ch, hw, relu, res, batch, beta; } norm_case; /* batch 0: mean and variance are given */
static const norm_case norm_cases[] = { { 3, 8, 5, 0, 0, 1, 0 }, { 2, 24, 7, 1, 0, 1, 0 }, { 5, 40, 9, 1, 1, 1, 0 }, { 1, 72, 3, 0, 1, 1, 1 }, { 2, 136, 49, 1, 1, 1, 1 },
                                        { 7, 64, 401, 1, 0, 1, 0 }, { 3, 24, 3001, 1, 1, 1, 0 }, { 4, 40, 1, 1, 1, 1, 0 }, { 2, 48, 22001, 1, 1, 1, 0 }, { 3, 24, 11, 1, 1, 0, 0 }, { 2, 8, 6, 0, 0, 0, 1 } };
static void norm_sums(const norm_case *p, int ch, const double *x, const double *res, const double *dy, double w, double bias, double mean, double var, double *y, double *dres, double *dx, double sum[2])
{
    const double rstd = 1.0 / sqrt(var + 1e-5), count = (double)p->n * p->hw;
    int64_t at;
    int n, i, pass;
    sum[0] = sum[1] = 0.0;
    for (pass = 0; pass < 2; pass++)
        for (n = 0; n < p->n; n++)
            for (i = 0; i < p->hw; i++) {
                double v, g;
                at = ((int64_t)n * p->ch + ch) * p->hw + i;
                v = (x[at] - mean) * rstd * w + bias + (p->res ? res[at] : 0.0);
                g = p->relu && v <= 0.0 ? 0.0 : dy[at];
                if (!pass) { sum[0] += g; sum[1] += g * (x[at] - mean) * rstd; y[at] = p->relu && v < 0.0 ? 0.0 : v; dres[at] = g; }
                else dx[at] += w * rstd * (g - (p->batch ? (sum[0] + (x[at] - mean) * rstd * sum[1]) / count : 0.0));
            }
}
static void test_batch_norms(void)
{
    ssl_ctx *c = open_context(SSL_PRECISION_BF16, 2);
    size_t i;
    for (i = 0; i < sizeof norm_cases / sizeof *norm_cases; i++) {
        const norm_case *p = &norm_cases[i];
        const array x = array_new(1, p->n, p->ch, p->hw, 21), res = array_new(1, p->n, p->ch, p->hw, 22), dy = array_new(1, p->n, p->ch, p->hw, 23), w = array_new(0, 1, p->ch, 1, 24), bias = array_new(0, 1, p->ch, 1, 25);
        array y = array_new(1, p->n, p->ch, p->hw, 0), dx = array_new(1, p->n, p->ch, p->hw, p->beta ? 26 : 0), dres = array_new(1, p->n, p->ch, p->hw, 23), moment[2], sum[2], grad[2];
        ssl__bn b;
        double error[7];
        int k, n, ch;
        memset(&b, 0, sizeof b);
        b.n = p->n; b.ch = p->ch; b.hw = p->hw; b.relu = p->relu; b.eps = 1e-5f; b.half = X | Y; b.count = p->batch ? (double)p->n * p->hw : 0.0;
        b.stages = SSL__BN_APPLY | (p->batch ? (int)SSL__BN_STATS : 0);
        for (k = 0; k < 2; k++) { moment[k] = array_new(0, 1, p->ch, 1, p->batch ? 0 : 27 + (uint64_t)k); sum[k] = array_new(0, 1, p->ch, 1, 0); grad[k] = array_new(0, 1, p->ch, 1, 29 + (uint64_t)k); }
        for (ch = 0; ch < p->ch; ch++) {
            double m = moment[0].want[ch], v, s[2];
            if (!p->batch) v = array_data(&moment[1])[ch] = (float)(moment[1].want[ch] = fabs(moment[1].want[ch]) + 0.5);
            else {
                for (m = v = 0.0, k = 0; k < p->n; k++) for (n = 0; n < p->hw; n++) m += x.want[((int64_t)k * p->ch + ch) * p->hw + n] / p->n / p->hw;
                for (k = 0; k < p->n; k++) for (n = 0; n < p->hw; n++) { const double d = x.want[((int64_t)k * p->ch + ch) * p->hw + n] - m; v += d * d / p->n / p->hw; }
                moment[0].want[ch] = m;
                moment[1].want[ch] = v;
            }
            norm_sums(p, ch, x.want, res.want, dy.want, w.want[ch], bias.want[ch], m, v, y.want, dres.want, dx.want, s);
            for (k = 0; k < 2; k++) { sum[k].want[ch] = s[k]; grad[k].want[ch] += s[k]; }
        }
        ssl__maps(c)->batch_norm_f(c, &b, array_data(&x), array_data(&w), array_data(&bias), p->res ? array_data(&res) : NULL, array_data(&moment[0]), array_data(&moment[1]), array_data(&y));
        b.stages = SSL__BN_STATS | SSL__BN_APPLY;
        b.shift = p->res ? NULL : array_data(&bias); /* dy may then stay as it is */
        ssl__maps(c)->batch_norm_b(c, &b, array_data(&x), array_data(&y), array_data(&w), array_data(&moment[0]), array_data(&moment[1]), array_data(&dres), array_data(&sum[0]), array_data(&sum[1]),
                           array_data(&grad[1]), array_data(&grad[0]), (float)p->beta, array_data(&dx));
        error[0] = array_error(y); error[1] = array_error(dx); error[2] = p->res ? array_error(dres) : 0.0;
        if (!p->res) array_drop(dres);
        for (k = 0; k < 2; k++) { error[3 + k] = array_error(moment[k]); error[5 + k] = array_error(grad[k]); array_drop(sum[k]); }
        if (!CHECK(error[0] < ROUNDED && error[1] < ROUNDED && error[2] < 1e-6 && error[3] < 1e-5 && error[4] < 1e-5 && error[5] < 1e-5 && error[6] < 1e-5))
            printf("     [%d,%d,%d] relu %d residual %d batch %d beta %d: y %.1e dx %.1e dres %.1e mean %.1e var %.1e db %.1e dw %.1e\n", p->n, p->ch, p->hw, p->relu, p->res, p->batch, p->beta,
                   error[0], error[1], error[2], error[3], error[4], error[5], error[6]);
        array_drop(x); array_drop(res); array_drop(dy); array_drop(w); array_drop(bias);
    }
    CHECK(ssl_close(c) == SSL_OK);
}

/* ---- pooling, mean, planes ---- */
static void pool_case(ssl_ctx *c, int n, int ch, int h, int w, int kernel, int stride, int pad, int beta)
{
    const conv_case p = { n, ch, h, w, ch, kernel, stride, pad, 1, X | Y };
    const ssl__window g = conv_window(&p);
    const array x = array_new(1, n, ch, (int64_t)h * w, 31), dy = array_new(1, n, ch, (int64_t)g.oh * g.ow, 32);
    array y = array_new(1, n, ch, dy.hw, 0), dx = array_new(1, n, ch, x.hw, beta ? 33 : 0);
    int32_t *at = (int32_t *)malloc(sizeof *at * (size_t)array_size(&y));
    int64_t o;
    int r, s;
    double error;
    for (o = 0; o < array_size(&y); o++) {
        const int i = (int)(o / g.ow % g.oh) * stride - pad, j = (int)(o % g.ow) * stride - pad;
        int64_t best = -1;
        for (r = SSL__MAX(0, i); r < SSL__MIN(h, i + kernel); r++)
            for (s = SSL__MAX(0, j); s < SSL__MIN(w, j + kernel); s++) {
                const int64_t q = o / dy.hw * x.hw + (int64_t)r * w + s;
                if (best < 0 || x.want[q] > x.want[best]) best = q;
            }
        y.want[o] = x.want[best];
        dx.want[best] += dy.want[o];
    }
    ssl__half_maps(c)->half_pool_f(c, &g, array_data(&x), array_data(&y), at);
    ssl__half_maps(c)->half_pool_b(c, &g, at, array_data(&dy), (float)beta, array_data(&dx));
    CHECK(array_error(y) == 0.0);
    if (!CHECK((error = array_error(dx)) < ROUNDED)) printf("     [%d,%d,%d,%d] kernel %d stride %d: dx %.1e\n", n, ch, h, w, kernel, stride, error);
    array_drop(x); array_drop(dy);
    free(at);
}
static void mean_case(ssl_ctx *c, int n, int ch, int hw)
{
    const array x = array_new(1, n, ch, hw, 41), dy = array_new(0, n, ch, 1, 42);
    array y = array_new(0, n, ch, 1, 0), dx = array_new(1, n, ch, hw, 0), more = array_new(1, n, ch, hw, 43);
    int64_t i;
    for (i = 0; i < array_size(&x); i++) { y.want[i / hw] += x.want[i] / hw; dx.want[i] = dy.want[i / hw] / hw; more.want[i] += dx.want[i]; }
    ssl__half_maps(c)->half_mean_f(c, n, ch, hw, array_data(&x), array_data(&y));
    ssl__half_maps(c)->half_mean_b(c, n, ch, hw, array_data(&dy), 0.0f, array_data(&dx));
    ssl__half_maps(c)->half_mean_b(c, n, ch, hw, array_data(&dy), 1.0f, array_data(&more));
    CHECK(array_error(y) < 1e-5);
    CHECK(array_error(dx) < ROUNDED);
    CHECK(array_error(more) < ROUNDED);
    array_drop(x); array_drop(dy);
}
static void turn_case(ssl_ctx *c, int n, int ch, int hw)
{
    array half = array_new(1, n, ch, hw, 51), planes = array_new(0, n, ch, hw, 52), to = array_new(1, n, ch, hw, 0), back = array_new(0, n, ch, hw, 0);
    int64_t i;
    for (i = 0; i < array_size(&half); i++) { to.want[i] = planes.want[i]; back.want[i] = half.want[i]; }
    ssl__half_maps(c)->half_turn(c, n, ch, hw, 1, 0.0f, array_data(&planes), array_data(&to));
    ssl__half_maps(c)->half_turn(c, n, ch, hw, 0, 0.0f, array_data(&back), array_data(&half));
    CHECK(array_error(to) == 0.0);
    CHECK(array_error(back) == 0.0);
    for (i = 0; i < array_size(&half); i++) planes.want[i] += half.want[i];
    ssl__half_maps(c)->half_turn(c, n, ch, hw, 0, 1.0f, array_data(&planes), array_data(&half));
    for (i = 0; i < array_size(&half); i++) half.want[i] += planes.want[i];
    ssl__half_maps(c)->half_turn(c, n, ch, hw, 1, 1.0f, array_data(&planes), array_data(&half));
    CHECK(array_error(planes) < 1e-6);
    CHECK(array_error(half) < 4e-3);
}
static void test_pools_and_planes(void)
{
    ssl_ctx *c = open_context(SSL_PRECISION_BF16, 2);
    static const int ch[] = { 8, 24, 40, 64, 72 };
    int i;
    for (i = 0; i < 5; i++) {
        pool_case(c, 2, ch[i], 9 + i, 7 + 2 * i, 3, 2, 1, i & 1);
        mean_case(c, 3, ch[i], 1 + 8 * i);
        turn_case(c, 2, ch[i], 1 + 12 * i);
    }
    pool_case(c, 2, 40, 8, 6, 2, 2, 0, 0);
    pool_case(c, 1, 16, 5, 5, 3, 1, 1, 0);
    pool_case(c, 3, 8, 7, 11, 3, 3, 0, 0);
    CHECK(ssl_close(c) == SSL_OK);
}

/* ---- networks: values, gradients of images and parameters, taps; how far bf16 is from `highest`, two threads from one ---- */
enum { MOST = 1 << 21 };
static float run_value[3][MOST];
typedef struct net_case { int depth, width, cifar, side, images; int n_taps; const char *tap[4]; double most; } net_case;
static const net_case net_cases[] = { /* tolerances: about twice what is seen; what grows through ten layers is where a ReLU falls on its other side */
    { 18, 8, 1, 12, 6, 0, { "" }, 0.12 },
    { 50, 8, 1, 9, 9, 0, { "" }, 0.2 },
    { 18, 24, 0, 37, 4, 0, { "" }, 0.3 },
    { 50, 16, 0, 33, 5, 4, { "maxpool", "layer1.0", "layer2.0.downsample.1", "layer3.0.conv2" }, 0.02 },
    { 18, 8, 1, 11, 6, 4, { "conv1", "bn1", "layer1.0.bn2", "layer2.0.bn1" }, 0.012 },
    { 18, 4, 1, 10, 6, 2, { "layer1", "layer2" }, 0.01 }, /* layer1 has 4 channels: planes of float32 */
};
/* The gradients of loss for x and for every parameter, after the n values of out: how many there are now */
static int64_t gradients(ssl_ctx *c, ssl_tensor *loss, const ssl_tensor *x, float *out, int64_t n)
{
    int k;
    ssl_backward(loss);
    if (ssl_grad_to_host(x, out + n)) n += ssl_numel(x);
    for (k = 0; k < ssl_param_count(c); k++)
        if (ssl_grad_to_host(ssl_param_at_index(c, k, NULL), out + n)) n += ssl_numel(ssl_param_at_index(c, k, NULL));
    return n;
}
static int64_t run_net(const net_case *p, ssl_precision precision, int threads, float *out, size_t *bytes)
{
    ssl_ctx *c = open_context(precision, threads);
    ssl_resnet_desc d = SSL_ZERO;
    const ssl_resnet *net;
    ssl_tensor *x, *y[4], *loss = NULL;
    int64_t n = 0, i;
    int k;
    float *in = (float *)malloc(sizeof *in * MOST);
    for (i = 0; i < MOST; i++) in[i] = value(61, i);
    d.depth = p->depth; d.width = p->width; d.cifar_stem = p->cifar; d.classes = 7;
    for (k = 0; k < 4; k++) d.stage[k] = 1;
    net = ssl_resnet_new(c, "", &d);
    x = ssl_requires_grad(ssl_input(c, in, 4, p->images, 3, p->side, p->side));
    if (p->n_taps) ssl_resnet_layers(net, x, p->n_taps, p->tap, y);
    else y[0] = ssl_resnet_forward(net, x);
    for (k = 0; k < SSL__MAX(1, p->n_taps); k++) {
        ssl_tensor *part = ssl_mean(ssl_mul(y[k], ssl_reshape(ssl_input(c, in + 1000 * k, 1, (int)ssl_numel(y[k])), y[k]->ndim, y[k]->dim[0], y[k]->dim[1], y[k]->dim[2], y[k]->dim[3])));
        CHECK(y[k]->dtype == SSL_F32);
        loss = loss ? ssl_add(loss, part) : part;
        if (ssl_to_host(y[k], out + n)) n += ssl_numel(y[k]);
    }
    n = gradients(c, loss, x, out, n);
    *bytes = ssl_memory_stats(c).step_peak;
    free(in);
    CHECK(n < MOST && ssl_close(c) == SSL_OK);
    return n;
}
static double apart(const float *a, const float *b, int64_t n)
{
    double d = 0.0, s = 0.0;
    int64_t i;
    for (i = 0; i < n; i++) { d += ((double)a[i] - b[i]) * ((double)a[i] - b[i]); s += (double)b[i] * b[i]; }
    return d == d ? sqrt(d / (s + 1e-30)) : 1.0;
}
static void test_networks(void)
{
    size_t i, bytes[3];
    for (i = 0; i < sizeof net_cases / sizeof *net_cases; i++) {
        const net_case *p = &net_cases[i];
        const int64_t n = run_net(p, SSL_PRECISION_HIGHEST, 1, run_value[0], &bytes[0]);
        double d;
        CHECK(n > 0 && run_net(p, SSL_PRECISION_BF16, 1, run_value[1], &bytes[1]) == n && run_net(p, SSL_PRECISION_BF16, 2, run_value[2], &bytes[2]) == n);
        d = apart(run_value[1], run_value[0], n);
        if (!CHECK(d < p->most)) printf("     ResNet-%d of width %d is off by %g\n", p->depth, p->width, d);
        CHECK(!memcmp(run_value[1], run_value[2], sizeof(float) * (size_t)n));
        if (!p->n_taps) CHECK(bytes[1] < bytes[0]);
    }
}

/* ---- single blocks, also with what half maps do not know: groups, a bias ---- */
typedef struct block_case { int depth, stage, groups, bias; double most; } block_case;
static const block_case block_cases[] = { { 18, 0, 1, 0, 0.08 }, { 50, 0, 1, 0, 0.12 }, { 18, 1, 1, 0, 0.12 }, { 50, 1, 1, 0, 0.12 }, { 50, 1, 4, 0, 0.12 }, { 50, 0, 1, 1, 0.12 } };
static int64_t run_block(const block_case *p, ssl_precision precision, int threads, float *out)
{
    ssl_ctx *c = open_context(precision, threads);
    ssl_resnet_desc d = SSL_ZERO;
    ssl_conv_desc conv = SSL_ZERO;
    const ssl_resnet *net;
    ssl_resnet_block b;
    ssl_tensor *x, *y;
    int64_t n = 0, i;
    int k;
    float *in = (float *)malloc(sizeof *in * MOST);
    for (i = 0; i < MOST; i++) in[i] = value(71, i);
    d.depth = p->depth; d.width = 16; d.cifar_stem = 1;
    for (k = 0; k < 4; k++) d.stage[k] = 1;
    net = ssl_resnet_new(c, "", &d);
    b = net->block[p->stage];
    if (p->groups > 1 || p->bias) {
        const int width = b.conv[1].weight->dim[0];
        conv = b.conv[1].d;
        conv.groups = p->groups;
        b.conv[1] = ssl_conv_new(c, "other", width, width, 3, !p->bias, ssl_init_make(SSL_INIT_TORCH, 0.0f), &conv);
    }
    x = ssl_requires_grad(ssl_input(c, in, 4, 16, b.conv[0].weight->dim[1], 11, 13));
    y = ssl_resnet_block_forward(&b, x);
    CHECK(y->dtype == SSL_F32);
    if (ssl_to_host(y, out)) n = ssl_numel(y);
    n = gradients(c, ssl_sum(ssl_mul(y, ssl_input(c, in + 500, 4, y->dim[0], y->dim[1], y->dim[2], y->dim[3]))), x, out, n);
    free(in);
    CHECK(n < MOST && ssl_close(c) == SSL_OK);
    return n;
}
static void test_blocks(void)
{
    size_t i;
    for (i = 0; i < sizeof block_cases / sizeof *block_cases; i++) {
        const block_case *p = &block_cases[i];
        const int64_t n = run_block(p, SSL_PRECISION_HIGHEST, 1, run_value[0]);
        double d;
        CHECK(n > 0 && run_block(p, SSL_PRECISION_BF16, 1, run_value[1]) == n && run_block(p, SSL_PRECISION_BF16, 2, run_value[2]) == n);
        d = apart(run_value[1], run_value[0], n);
        if (!CHECK(d < p->most)) printf("     block %d of ResNet-%d is off by %g\n", p->stage, p->depth, d);
        CHECK(!memcmp(run_value[1], run_value[2], sizeof(float) * (size_t)n));
    }
}

/* ---- the other networks that keep half maps ---- */
static char said[512];
static void hear(ssl_status code, const char *message, void *user) { (void)code; (void)user; snprintf(said, sizeof said, "%s", message); }
static void test_no_maps(void) /* refused as at any precision, not turned */
{
    static const int32_t in[2 * 8 * 3 * 3] = { 0 };
    int k;
    for (k = 0; k < 2; k++) {
        ssl_desc d = SSL_ZERO;
        ssl_ctx *c;
        ssl_pixelcnn m;
        d.device = SSL_DEVICE_CPU; d.precision = SSL_PRECISION_BF16; d.on_error = hear;
        c = ssl_open(&d);
        m = ssl_pixelcnn_new(c, "m", 8, 8, 1);
        ssl_pixelcnn_forward(&m, k ? ssl_input_i32(c, in, 4, 2, 8, 3, 3) : ssl_input(c, NULL, 3, 2, 8, 9));
        CHECK(ssl_error(c) == (k ? SSL_E_ARG : SSL_E_SHAPE) && strstr(said, "ssl_pixelcnn_forward: ssl_conv2d: x"));
        ssl_close(c);
    }
}
static void test_others(void)
{
    static const double most[NETWORKS] = { 0.1, 0.1, 0.1, 0.1, 0.1 };
    size_t bytes[3];
    int i;
    for (i = 0; i < NETWORKS; i++) {
        const int64_t n = network_run(open_context(SSL_PRECISION_HIGHEST, 1), (network)i, run_value[0], &bytes[0]);
        double d;
        CHECK(n > 1 && n < MOST && network_run(open_context(SSL_PRECISION_BF16, 1), (network)i, run_value[1], &bytes[1]) == n);
        CHECK(network_run(open_context(SSL_PRECISION_BF16, 2), (network)i, run_value[2], &bytes[2]) == n);
        d = apart(run_value[1], run_value[0], n);
        if (!CHECK(d < most[i])) printf("     %s is off by %g\n", network_name[i], d);
        CHECK(!memcmp(run_value[1], run_value[2], sizeof(float) * (size_t)n));
        if (!CHECK(bytes[1] < bytes[0])) printf("     %s takes %zu bytes, and %zu at `highest`\n", network_name[i], bytes[1], bytes[0]);
    }
}

int main(int argc, char **argv)
{
    ssl_ctx *c = open_context(SSL_PRECISION_BF16, 1);
    const int here = c->half != NULL;
    ssl_close(c);
    if (argc > 1) check_filter = argv[1];
    if (!here) { printf("skip: this machine or build keeps no half maps\n"); check_skipped = 7; return check_done(); }
    TEST(convolutions);
    TEST(batch_norms);
    TEST(pools_and_planes);
    TEST(blocks);
    TEST(networks);
    TEST(others);
    TEST(no_maps);
    return check_done();
}
