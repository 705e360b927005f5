/* Matrix product: every instruction set x precision x transpose x odd shape against a double-precision oracle, with sentinels
 * on both sides of every output; batches, accumulation, epilogues, bf16 in memory; the same bits for 1, 2 and 3 threads.
 *
 *     cc -O2 -fopenmp -I. tests/test_gemm.c -o build/test_gemm -lm && build/test_gemm [FILTER]
 */
#define SSL_IMPLEMENTATION
#include "ssl.h"

#define GUARD 16
#define SENTINEL 12352.0f /* bf16 can hold it */
#ifdef SSL__CUDA
#  define ROUNDINGS 3
#else
#  define ROUNDINGS 2
#endif
static const char *filter;
static int n_passed, n_failed, n_skipped;

typedef struct product {
    int ta, tb, batch, m, n, k, pad; /* pad: lda, ldb, ldy exceed the row lengths by this much */
    int shared_b, beta, bias, pre, residual;
    ssl_act act;
    unsigned half; /* as of an epilogue */
} product;

typedef struct operands { /* everything exactly as long as it must be, so that a sanitizer sees a read beyond it */
    int lda, ldb, ldy;
    int64_t na, nb, ny, sa, sb, sy;
    float *a, *b, *y0, *bias, *residual;
    double *want[3], *scale[3], *want_pre[3]; /* [0] of the float operands, [1] of the operands rounded to bf16, [2] to tf32 */
} operands;

static float draw(ssl_rng *r) { return 2.0f * ssl_rng_uniform(r) - 1.0f; }
static float *draws(ssl_rng *r, int64_t n)
{
    float *x = (float *)malloc(sizeof(float) * (size_t)n);
    int64_t i;
    for (i = 0; i < n; i++) x[i] = draw(r);
    return x;
}
static float to_bf16(float x)
{
    uint32_t u;
    memcpy(&u, &x, 4);
    u = (u + 0x7fffu + (u >> 16 & 1u)) & 0xffff0000u;
    memcpy(&x, &u, 4);
    return x;
}

static float to_tf32(float x) /* 10 bits of mantissa, ties away from zero */
{
    uint32_t u;
    memcpy(&u, &x, 4);
    u = (u + 0x1000u) & 0xffffe000u;
    memcpy(&x, &u, 4);
    return x;
}

static double act(ssl_act a, double x)
{
    if (a == SSL_ACT_RELU) return x > 0 ? x : 0;
    if (a == SSL_ACT_GELU) return 0.5 * x * (1 + erf(x / sqrt(2.0)));
    if (a == SSL_ACT_GELU_TANH) return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    return x;
}

/* want = act(beta y0 + a b + bias) + residual;  scale = what an error is relative to: |y0| + sum |a| |b| */
static void oracle(const product *q, operands *o, int rounded)
{
    int s, i, j, p;
    for (s = 0; s < q->batch; s++)
        for (i = 0; i < q->m; i++)
            for (j = 0; j < q->n; j++) {
                const int64_t at = s * o->sy + (int64_t)i * o->ldy + j;
                double v = q->beta ? o->y0[at] : 0.0, abs = fabs(v) + 0.1;
                for (p = 0; p < q->k; p++) {
                    float x = o->a[s * o->sa + (q->ta ? (int64_t)p * o->lda + i : (int64_t)i * o->lda + p)];
                    float z = o->b[s * o->sb + (q->tb ? (int64_t)j * o->ldb + p : (int64_t)p * o->ldb + j)];
                    if (rounded == 1) { x = to_bf16(x); z = to_bf16(z); }
                    if (rounded == 2) { x = to_tf32(x); z = to_tf32(z); }
                    v += (double)x * z;
                    abs += fabs((double)x * z);
                }
                if (q->bias) v += o->bias[j];
                o->want_pre[rounded][at] = v;
                o->want[rounded][at] = act(q->act, v) + (q->residual ? o->residual[at] : 0.0f);
                o->scale[rounded][at] = abs;
            }
}

static operands operands_make(const product *q)
{
    ssl_rng r = ssl_rng_make(7, (uint64_t)q->m * 1000003u + (uint64_t)q->n * 1009u + (uint64_t)q->k);
    operands o;
    int64_t j;
    int v;
    o.lda = (q->ta ? q->m : q->k) + q->pad;
    o.ldb = (q->tb ? q->k : q->n) + q->pad;
    o.ldy = q->n + q->pad;
    o.sa = (int64_t)((q->ta ? q->k : q->m) - 1) * o.lda + (q->ta ? q->m : q->k);
    o.sb = (int64_t)((q->tb ? q->n : q->k) - 1) * o.ldb + (q->tb ? q->k : q->n);
    o.sy = (int64_t)q->m * o.ldy;
    if (!q->pad) o.sa = (int64_t)q->m * q->k;
    o.na = o.sa * q->batch;
    o.nb = o.sb * (q->shared_b ? 1 : q->batch);
    o.ny = o.sy * q->batch;
    if (q->shared_b) o.sb = 0;
    o.a = draws(&r, o.na);
    o.b = draws(&r, o.nb);
    o.y0 = draws(&r, o.ny);
    o.bias = draws(&r, q->n);
    o.residual = draws(&r, o.ny);
    for (j = 0; j < o.ny && q->half & SSL__HALF_Y; j++) o.y0[j] = to_bf16(o.y0[j]);
    for (v = 0; v < ROUNDINGS; v++) {
        o.want[v] = (double *)malloc(sizeof(double) * (size_t)o.ny);
        o.want_pre[v] = (double *)malloc(sizeof(double) * (size_t)o.ny);
        o.scale[v] = (double *)malloc(sizeof(double) * (size_t)o.ny);
        oracle(q, &o, v);
    }
    return o;
}
static void operands_free(operands *o)
{
    int v;
    free(o->a); free(o->b); free(o->y0); free(o->bias); free(o->residual);
    for (v = 0; v < ROUNDINGS; v++) { free(o->want[v]); free(o->want_pre[v]); free(o->scale[v]); }
}

static float *lend(ssl_ctx *c, const float *x, int64_t n) /* a copy where the device can use it */
{
    float *p = (float *)c->dev->alloc(c, sizeof(float) * (size_t)n + 4);
    c->dev->put(c, p, x, sizeof(float) * (size_t)n);
    return p;
}
/* The same, as bf16 where half is set, and back: the CPU's memory alone */
static float *lend_as(ssl_ctx *c, int half, const float *x, int64_t n)
{
    uint16_t *p;
    int64_t i;
    if (!half) return lend(c, x, n);
    p = (uint16_t *)c->dev->alloc(c, 2 * (size_t)n);
    for (i = 0; i < n; i++) { const float v = to_bf16(x[i]); uint32_t u; memcpy(&u, &v, 4); p[i] = (uint16_t)(u >> 16); }
    return (float *)(void *)p;
}
static void take_back(ssl_ctx *c, int half, float *x, const float *p, int64_t n)
{
    int64_t i;
    if (!half) { c->dev->get(c, x, p, sizeof(float) * (size_t)n); return; }
    for (i = 0; i < n; i++) { const uint32_t u = (uint32_t)((const uint16_t *)(const void *)p)[i] << 16; memcpy(&x[i], &u, 4); }
}
static void run(ssl_ctx *c, const product *q, const operands *o, float *buf, float *pre)
{
    const int64_t ny = o->ny + 2 * GUARD, n_pre = (int64_t)q->batch * q->m * q->n;
    const int narrow = (q->half & SSL__HALF_Y) != 0;
    float *lent[6];
    ssl__epilogue ep;
    int i;
    memset(pre, 0, sizeof(float) * (size_t)n_pre);
    lent[0] = lend_as(c, q->half & SSL__HALF_A, o->a, o->na);
    lent[1] = lend_as(c, q->half & SSL__HALF_B, o->b, o->nb);
    lent[2] = lend_as(c, narrow, buf, ny);
    lent[3] = lend_as(c, narrow, pre, n_pre);
    lent[4] = lend(c, o->bias, q->n);
    lent[5] = lend(c, o->residual, o->ny);
    ep.bias = q->bias ? lent[4] : NULL;
    ep.act = q->act;
    ep.pre = q->pre ? lent[3] : NULL;
    ep.residual = q->residual ? lent[5] : NULL;
    ep.half = q->half;
    c->k->gemm(c, q->ta, q->tb, q->batch, q->m, q->n, q->k, lent[0], o->lda, o->sa, lent[1], o->ldb, o->sb, q->beta ? 1.0f : 0.0f, ssl__element(lent[2], narrow, GUARD),
               o->ldy, o->sy, ep.bias || ep.pre || ep.residual || q->act || q->half ? &ep : NULL);
    take_back(c, narrow, buf, lent[2], ny);
    take_back(c, narrow, pre, lent[3], n_pre);
    for (i = 0; i < 6; i++) c->dev->release(c, lent[i]);
}

/* The error of a result beyond what rounding it to bf16 may cost */
static double beyond(const product *q, double got, double want) { return fmax(0.0, fabs(got - want) - (q->half & SSL__HALF_Y ? fabs(want) / 255 : 0.0)); }
/* Largest error relative to scale; infinite if a sentinel, a padding column or nothing at all was written. */
static double worst(const product *q, const operands *o, int v, const float *buf, const float *pre)
{
    const float *y = buf + GUARD;
    double e = 0;
    int64_t at;
    int j;
    for (j = 0; j < GUARD; j++)
        if (buf[j] != SENTINEL || y[o->ny + j] != SENTINEL) return INFINITY;
    for (at = 0; at < o->ny; at++) {
        double d;
        if (at % o->ldy >= q->n) { if (y[at] != o->y0[at]) return INFINITY; continue; }
        d = beyond(q, y[at], o->want[v][at]) / o->scale[v][at];
        if (!(d <= e)) e = d;
        if (q->pre) d = beyond(q, pre[at / o->ldy * q->n + at % o->ldy], o->want_pre[v][at]) / o->scale[v][at];
        if (!(d <= e)) e = d;
    }
    return e;
}

static float *guarded(const operands *o)
{
    float *buf = (float *)malloc(sizeof(float) * (size_t)(o->ny + 2 * GUARD));
    int j;
    for (j = 0; j < GUARD; j++) buf[j] = buf[GUARD + o->ny + j] = SENTINEL;
    memcpy(buf + GUARD, o->y0, sizeof(float) * (size_t)o->ny);
    return buf;
}

static const ssl__kernels *tables[7];
static const char *isa[7]; /* their names; "amx" is avx512 with tiles, "avx512bf16" with bf16 pairs */
static int n_tables;
static const char *const precision_name[] = { "", "highest", "high", "bf16" };
static const double tolerance[] = { 0, 1e-6, 2e-5, 1e-6 };
/* Tensor cores round products exactly as stated and add in float32, whose lowest bits they may cut off. */
static const double tolerance_cuda[] = { 0, 1e-6, 4e-6, 4e-6 };

static ssl_ctx *open_on(int table, int precision, int threads)
{
    ssl_desc d = SSL_ZERO;
    ssl_ctx *c;
    d.threads = threads;
    d.precision = (ssl_precision)precision;
    if (!strcmp(isa[table], "cuda")) d.device = SSL_DEVICE_CUDA;
    c = ssl_open(&d);
    c->k = tables[table];
    c->amx = !strcmp(isa[table], "amx");
    c->bf16 = c->amx || !strcmp(isa[table], "avx512bf16");
    return c;
}

static int holds_bf16(int table, int precision) /* the CPU's; CUDA's are tests/device.c's */
{ return precision == SSL_PRECISION_BF16 && (!strcmp(isa[table], "avx512bf16") || !strcmp(isa[table], "amx")); }

static void report(const char *name, int ok, const char *what, double err, double tol)
{
    if (ok) { n_passed++; return; }
    n_failed++;
    printf("FAIL %s: %s %.3g (tolerance %.3g)\n     build/test_gemm %s\n", name, what, err, tol, name);
}

/* One product on every table at every precision. */
static void check(const char *group, const product *q)
{
    operands o;
    int t, p, made = 0;
    for (t = 0; t < n_tables; t++)
        for (p = SSL_PRECISION_HIGHEST; p <= SSL_PRECISION_BF16; p++) {
            const int cuda = !strcmp(isa[t], "cuda"), v = p == SSL_PRECISION_BF16 ? 1 : cuda && p == SSL_PRECISION_HIGH ? 2 : 0;
            const double bound = cuda ? tolerance_cuda[p] : q->half & SSL__HALF_Y && q->act == SSL_ACT_GELU ? 5e-5 : tolerance[p];
            ssl_ctx *c;
            float *buf, *pre;
            char name[160];
            double e;
            snprintf(name, sizeof name, "%s/%s/%s/%d%d/%dx%dx%dx%d/%u", group, isa[t], precision_name[p], q->ta, q->tb, q->batch, q->m,
                     q->n, q->k, q->half);
            if (q->half && !holds_bf16(t, p)) continue;
            if (filter && !strstr(name, filter)) continue;
            if (!made) { o = operands_make(q); made = 1; }
            c = open_on(t, p, 2);
            buf = guarded(&o);
            pre = (float *)malloc(sizeof(float) * (size_t)q->batch * (size_t)q->m * (size_t)q->n);
            run(c, q, &o, buf, pre);
            e = worst(q, &o, v, buf, pre);
            report(name, e <= bound, "relative error", e, bound);
            free(buf);
            free(pre);
            ssl_close(c);
        }
    if (made) operands_free(&o);
}

static void check_threads(const product *q)
{
    operands o = operands_make(q);
    int t, p, n;
    for (t = 0; t < n_tables; t++)
        for (p = SSL_PRECISION_HIGHEST; p <= SSL_PRECISION_BF16; p++) {
            float *buf[4], *pre = (float *)malloc(sizeof(float) * (size_t)o.ny);
            char name[160];
            int same = 1;
            snprintf(name, sizeof name, "threads/%s/%s/%d%d/%dx%dx%dx%d/%u", isa[t], precision_name[p], q->ta, q->tb, q->batch, q->m,
                     q->n, q->k, q->half);
            if (q->half && !holds_bf16(t, p)) { free(pre); continue; }
            if (filter && !strstr(name, filter)) { free(pre); continue; }
            for (n = 1; n <= 3; n++) {
                ssl_ctx *c = open_on(t, p, n);
                buf[n] = guarded(&o);
                run(c, q, &o, buf[n], pre);
                same = same && !memcmp(buf[1], buf[n], sizeof(float) * (size_t)(o.ny + 2 * GUARD));
                ssl_close(c);
            }
            report(name, same, "bits differ between numbers of threads", 1, 0);
            for (n = 1; n <= 3; n++) free(buf[n]);
            free(pre);
        }
    operands_free(&o);
}

static product plain(int ta, int tb, int batch, int m, int n, int k)
{
    product q;
    memset(&q, 0, sizeof q);
    q.ta = ta; q.tb = tb; q.batch = batch; q.m = m; q.n = n; q.k = k;
    return q;
}

static void check_shapes(void)
{
    static const int dim[] = { 1, 3, 17, 65, 257 };
    int v, i, j, p;
    for (v = 0; v < 4; v++)
        for (i = 0; i < 5; i++)
            for (j = 0; j < 5; j++)
                for (p = 0; p < 5; p++) {
                    const product q = plain(v / 2, v % 2, 1, dim[i], dim[j], dim[p]);
                    check("shape", &q);
                }
}

static void check_options(void)
{
    int v, act;
    for (v = 0; v < 4; v++) {
        product q = plain(v / 2, v % 2, 5, 33, 47, 70);
        check("batch", &q);
        q.shared_b = 1;
        check("shared", &q);
        q.pad = 3;
        check("padded-shared", &q);
        q.shared_b = 0;
        q.beta = 1;
        check("padded-accumulate", &q);
        q = plain(v / 2, v % 2, 1, 70, 600, 530);
        q.beta = 1;
        check("accumulate", &q);
        q.pad = 5;
        check("padded", &q);
        q = plain(v / 2, v % 2, 2, 65, 33, 1100); /* few tiles, long sums */
        q.beta = q.bias = q.pre = q.residual = 1;
        q.act = SSL_ACT_GELU;
        check("long", &q);
        q = plain(v / 2, v % 2, 1, 7, 9, 0);
        check("empty", &q);
        for (act = SSL_ACT_NONE; act <= SSL_ACT_GELU_TANH; act++) {
            q = plain(v / 2, v % 2, 2, 50, 67, 40);
            q.act = (ssl_act)act;
            check("act", &q);
            q.bias = q.pre = q.residual = 1;
            check("epilogue", &q);
            q.pad = 2;
            q.beta = 1;
            check("epilogue-padded", &q);
        }
    }
}

/* Operands and results that are bf16 in memory, every set of them: rows whose pairs lie as words or not, several blocks of k, a rim. */
static void check_halves(void)
{
    static const int shape[][4] = { { 1, 1, 1, 1 }, { 1, 3, 17, 5 }, { 1, 65, 50, 64 }, { 1, 401, 100, 96 }, { 1, 500, 70, 33 }, { 3, 40, 96, 70 }, { 1, 70, 33, 2050 }, { 1, 410, 100, 1026 } };
    unsigned half, i;
    int v;
    for (half = 1; half < 8; half++)
        for (v = 0; v < 4; v++)
            for (i = 0; i < sizeof shape / sizeof *shape; i++) {
                product q = plain(v / 2, v % 2, shape[i][0], shape[i][1], shape[i][2], shape[i][3]);
                q.half = half;
                check("half", &q);
                q.pad = 1 + (int)i % 2; /* odd, even */
                q.beta = 1;
                check("half-accumulate", &q);
                q.bias = q.pre = q.residual = 1;
                q.act = (ssl_act)(SSL_ACT_NONE + i % 4);
                check("half-epilogue", &q);
                q.residual = q.beta = 0;
                check("half-panels", &q);
            }
}

static void check_all_threads(void)
{
    product q = plain(0, 1, 1, 1000, 70, 300);
    check_threads(&q);
    q = plain(1, 0, 1, 200, 300, 700);
    check_threads(&q);
    q = plain(0, 0, 1, 90, 900, 130);
    q.beta = q.bias = q.residual = 1;
    q.act = SSL_ACT_GELU;
    check_threads(&q);
    q = plain(1, 1, 7, 65, 65, 64);
    check_threads(&q);
    q = plain(0, 1, 1, 1000, 100, 300);
    q.bias = q.pre = 1;
    q.act = SSL_ACT_GELU;
    q.half = SSL__HALF_A | SSL__HALF_Y;
    check_threads(&q);
    q = plain(1, 0, 1, 200, 300, 700);
    q.half = SSL__HALF_A | SSL__HALF_B;
    check_threads(&q);
}

/* Weight and bias gradients in one call: dw as the product alone gives it, db against double precision; the same bits for any
   number of threads. */
static void check_linear_bw(int rows, int in, int out)
{
    ssl_rng r = ssl_rng_make(9, (uint64_t)(rows * 1000 + out));
    float *x = draws(&r, (int64_t)rows * in), *dy = draws(&r, (int64_t)rows * out), *start = draws(&r, (int64_t)out * (in + 1));
    const size_t n = sizeof(float) * (size_t)(out * (in + 1));
    int t, p, i, j, threads;
    for (t = 0; t < n_tables; t++)
        for (p = SSL_PRECISION_HIGHEST; p <= SSL_PRECISION_BF16; p++) {
            float *first = NULL;
            char name[160];
            snprintf(name, sizeof name, "linear_bw/%s/%s/%dx%dx%d", isa[t], precision_name[p], rows, in, out);
            if (filter && !strstr(name, filter)) continue;
            for (threads = 1; threads <= 3; threads++) {
                ssl_ctx *c = open_on(t, p, threads);
                float *lx = lend(c, x, (int64_t)rows * in), *ldy = lend(c, dy, (int64_t)rows * out), *lw = lend(c, start, out * (in + 1));
                float *got = (float *)malloc(n), *alone = (float *)malloc(n);
                double worst_db = 0;
                c->k->linear_bw(c, rows, in, out, lx, ldy, 1.0f, lw, lw + (int64_t)out * in);
                c->dev->get(c, got, lw, n);
                c->dev->put(c, lw, start, n);
                c->k->gemm(c, 1, 0, 1, out, in, rows, ldy, out, 0, lx, in, 0, 1.0f, lw, in, 0, NULL);
                c->dev->get(c, alone, lw, n);
                report(name, !memcmp(got, alone, n - sizeof(float) * (size_t)out), "dw differs from the product's", 1, 0);
                for (j = 0; j < out; j++) {
                    double v = start[(int64_t)out * in + j], abs = fabs(v) + 0.1;
                    for (i = 0; i < rows; i++) { v += dy[(int64_t)i * out + j]; abs += fabs(dy[(int64_t)i * out + j]); }
                    v = fabs(got[(int64_t)out * in + j] - v) / abs;
                    if (!(v <= worst_db)) worst_db = v;
                }
                report(name, worst_db <= 1e-6, "relative error of db", worst_db, 1e-6);
                if (first) report(name, !memcmp(first, got, n), "bits differ between numbers of threads", 1, 0);
                if (first) free(got);
                else first = got;
                free(alone);
                c->dev->release(c, lx); c->dev->release(c, ldy); c->dev->release(c, lw);
                ssl_close(c);
            }
            free(first);
        }
    free(x); free(dy); free(start);
}

static void add_table(const ssl__kernels *table, const char *name, int available)
{
    if (available) { tables[n_tables] = table; isa[n_tables++] = name; return; }
    n_skipped++;
    printf("skip %s: this machine does not have it\n", name);
}

int main(int argc, char **argv)
{
    ssl_desc d = SSL_ZERO;
    ssl_ctx *c = ssl_open(&d);
    filter = argc > 1 ? argv[1] : NULL;
    add_table(&ssl__cpu_table_portable, "portable", 1);
#ifdef SSL__X86_PASSES
    add_table(&ssl__cpu_table_avx2, "avx2", __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
    add_table(&ssl__cpu_table_avx512, "avx512", __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl"));
    add_table(&ssl__cpu_table_avx512, "avx512bf16", c->bf16);
    add_table(&ssl__cpu_table_avx512, "amx", c->amx);
#endif
#ifdef SSL__NEON_PASS
    add_table(&ssl__cpu_table_neon, "neon", 1);
#endif
    ssl_close(c);
#ifdef SSL__CUDA
    d.device = SSL_DEVICE_CUDA;
    c = ssl_open(&d);
    add_table(&ssl__cuda_kernels, "cuda", ssl_ok(c));
    ssl_close(c);
#endif
    check_shapes();
    check_options();
    check_halves();
    check_all_threads();
    check_linear_bw(700, 65, 130);
    check_linear_bw(515, 300, 1000);
    check_linear_bw(33, 17, 1);
    check_linear_bw(1, 3, 5);
    printf("%d passed, %d failed, %d skipped\n", n_passed, n_failed, n_skipped);
    return n_failed != 0;
}
