/* Measurements: every number next to what the machine can do.
 *
 *     cc -O2 -fopenmp -I. bench/bench.c -o build/bench -lm -pthread
 *     build/bench ceilings                    what the arithmetic units reach in a loop of independent operations
 *     build/bench gemm [--only TEXT]          matrix products of the workloads
 *     build/bench kernels [--only TEXT]       the others of their kernels
 *     build/bench train [W1 ... W7]           training steps of whole models; bench/peer_torch.py has the same in PyTorch
 *     build/bench all                         these four
 *     build/bench scaling                     cost against batch, tokens, width and threads
 *     build/bench start                       first step, size and compile time against their budgets
 *     build/bench loader [--data SPEC]        the loader alone beside what training consumes
 * Options of all: --json FILE, --threads N, --precision highest|high|bf16|all, --device cpu|cuda; of train: --batch N, --seconds S.
 * --clock cpu counts the time that the process had a processor: for --threads 1 on a busy machine.
 *
 * SSL_ISA=portable|avx2|avx512|avx512bf16 in the environment restricts the library and the ceiling to that instruction set.
 * A product is checked against double precision on sampled entries before it is timed. Product and ceiling are measured in
 * turns; the fastest of each counts, as other programs may be running. Of training steps the median counts.
 */
#ifndef _GNU_SOURCE
#  define _GNU_SOURCE /* fork, pipe, getrusage */
#endif
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "workloads.h"
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct options {
    const char *json, *only, *data;
    int threads, batch, all_precisions, chosen; /* chosen: bit i for workload i; 0 for all */
    double seconds;
    ssl_precision precision;
    ssl_device device;
} options;

static int processor_clock; /* --clock cpu */
static double seconds(void)
{
    struct timespec t;
    if (processor_clock) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    else clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#include "kernels.h"

static ssl_ctx *open_context(const options *o, ssl_precision precision)
{
    ssl_desc d = SSL_ZERO;
    d.threads = o->threads;
    d.precision = precision;
    d.device = o->device;
    return ssl_open(&d);
}

/* The rows of --json FILE, one array of flat objects. */
typedef struct report { FILE *f; int rows; } report;
static int report_open(report *r, const options *o)
{
    r->rows = 0;
    r->f = o->json ? fopen(o->json, "w") : NULL;
    if (o->json && !r->f) fprintf(stderr, "bench: cannot write %s\n", o->json);
    return !o->json || r->f;
}
SSL__PRINTF(2, 3)
static void report_row(report *r, const char *fmt, ...)
{
    va_list ap;
    if (!r->f) return;
    fprintf(r->f, "%s{", r->rows++ ? ",\n " : "[");
    va_start(ap, fmt);
    vfprintf(r->f, fmt, ap);
    va_end(ap);
    fprintf(r->f, "}");
}
static void report_close(report *r)
{
    if (!r->f) return;
    fprintf(r->f, "%s]\n", r->rows ? "" : "[");
    fclose(r->f);
}

/* ==== ceilings ==== independent multiply-adds on registers: operations per call, repeated by every thread */
#define CEILING_ROUNDS 20000
#define CEILING(name, target_isa, V, W, N, SET1, FMA, STORE)                                                   \
    target_isa static double ceiling_##name(void)                                                              \
    {                                                                                                          \
        volatile float sink;                                                                                   \
        float out[W];                                                                                          \
        V x[N], a = SET1(0.999f), b = SET1(1e-3f);                                                             \
        int i, r;                                                                                              \
        SSL__UNROLL for (i = 0; i < N; i++) x[i] = SET1((float)i);                                             \
        for (r = 0; r < CEILING_ROUNDS; r++) { SSL__UNROLL for (i = 0; i < N; i++) x[i] = FMA(x[i], a, b); }   \
        for (i = 0; i < N; i++) { STORE(out, x[i]); sink = out[0]; }                                           \
        (void)sink;                                                                                            \
        return 2.0 * W * N * CEILING_ROUNDS;                                                                   \
    }
#define PLAIN_SET1(f)      (f)
#define PLAIN_FMA(a, b, c) ((a) * (b) + (c))
#define PLAIN_STORE(p, v)  (*(p) = (v))
#ifdef SSL__X86_PASSES
#  define SSE_FMA(a, b, c) _mm_add_ps(_mm_mul_ps(a, b), c)
CEILING(portable, , __m128, 4, 12, _mm_set1_ps, SSE_FMA, _mm_storeu_ps)
CEILING(avx2, __attribute__((target("avx2,fma"))), __m256, 8, 12, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_storeu_ps)
CEILING(avx512, __attribute__((target("avx512f"))), __m512, 16, 16, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_storeu_ps)
#elif defined(SSL__NEON_PASS)
#  define NEON_FMA(a, b, c) vfmaq_f32(c, a, b)
CEILING(portable, , float, 1, 16, PLAIN_SET1, PLAIN_FMA, PLAIN_STORE)
CEILING(neon, , float32x4_t, 4, 16, vdupq_n_f32, NEON_FMA, vst1q_f32)
#else
CEILING(portable, , float, 1, 16, PLAIN_SET1, PLAIN_FMA, PLAIN_STORE)
#endif

#ifdef SSL__AVX512BF16
SSL__BF16_FN double ceiling_avx512bf16(void) /* 16 x 2 multiply-adds each */
{
    volatile float sink;
    __m512 x[16], a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(1e-3f);
    int i, r;
    SSL__UNROLL for (i = 0; i < 16; i++) x[i] = _mm512_set1_ps((float)i);
    for (r = 0; r < CEILING_ROUNDS; r++) { SSL__UNROLL for (i = 0; i < 16; i++) x[i] = _mm512_dpbf16_ps(x[i], (__m512bh)a, (__m512bh)b); }
    for (i = 0; i < 16; i++) sink = _mm512_reduce_add_ps(x[i]);
    (void)sink;
    return 2.0 * 2 * 16 * 16 * CEILING_ROUNDS;
}
#endif
#ifdef SSL__AMX
SSL__AMX_FN double ceiling_amx(void) /* four independent tiles of sums; 16 x 16 x 32 multiply-adds each time */
{
    int r;
    ssl__amx_begin();
    for (r = 0; r < CEILING_ROUNDS; r++) { _tile_dpbf16ps(0, 4, 6); _tile_dpbf16ps(1, 4, 7); _tile_dpbf16ps(2, 5, 6); _tile_dpbf16ps(3, 5, 7); }
    ssl__amx_end();
    return 2.0 * 16 * 16 * 32 * 4 * CEILING_ROUNDS;
}
#endif

typedef struct ceiling {
    const char *isa;
    double (*run)(void);
} ceiling;
static const ceiling ceilings[] = {
    { "portable", ceiling_portable },
#ifdef SSL__X86_PASSES
    { "avx2", ceiling_avx2 },
    { "avx512", ceiling_avx512 },
#  ifdef SSL__AVX512BF16
    { "avx512bf16", ceiling_avx512bf16 },
#  endif
#  ifdef SSL__AMX
    { "amx", ceiling_amx },
#  endif
#elif defined(SSL__NEON_PASS)
    { "neon", ceiling_neon },
#endif
};
#define N_CEILINGS ((int)(sizeof ceilings / sizeof *ceilings))

/* the last row that the library uses, for products only at the context's precision */
static int ceiling_best(const ssl_ctx *c, int products)
{
    int i;
    for (i = 0; strcmp(ceilings[i].isa, ssl_isa(c)); i++) {}
    if (c->amx && (!products || c->precision != SSL_PRECISION_HIGHEST)) return i + 2;
    return c->bf16 && (!products || c->precision == SSL_PRECISION_BF16) ? i + 1 : i;
}

static void ceiling_chunk(void *arg, int chunk, int thread)
{
    (void)chunk;
    (void)thread;
    ((const ceiling *)arg)->run();
}
/* GFLOP/s of all threads together, once */
static double ceiling_measure(ssl_ctx *c, const ceiling *k)
{
    ceiling copy = *k;
    const double work = k->run(), start = seconds();
    ssl__parallel(c, 4 * c->n_threads, ceiling_chunk, &copy);
    return 4e-9 * c->n_threads * work / (seconds() - start);
}

static int bench_ceilings(const options *o, report *out)
{
    ssl_ctx *c = open_context(o, SSL_PRECISION_DEFAULT);
    const int last = ceiling_best(c, 0);
    int i, r;
    for (i = 0; i <= last; i++) {
        double best = 0;
        for (r = 0; r < 50; r++) best = SSL__MAX(best, ceiling_measure(c, &ceilings[i]));
        printf("%-10s %2d threads %9.1f GFLOP/s\n", ceilings[i].isa, c->n_threads, best);
        report_row(out, "\"name\": \"ceiling\", \"isa\": \"%s\", \"threads\": %d, \"gflops\": %.1f", ceilings[i].isa, c->n_threads, best);
    }
    return ssl_close(c);
}

/* ==== gemm ==== layers of the workloads: y[rows,out] = x[rows,in] w[out,in]^T, dx = dy w, dw = dy^T x.
   The ceiling of precision `high` on AMX is a third of the bf16 ceiling: three products for one. */
typedef struct layer { const char *name; int rows, in, out; } layer;
static const layer layers[] = {
    { "W1 encoder qkv", 4352, 192, 576 },  { "W1 encoder fc1", 4352, 192, 768 },  { "W1 encoder fc2", 4352, 768, 192 },
    { "W1 decoder qkv", 16640, 128, 384 }, { "W1 decoder fc1", 16640, 128, 512 }, { "W1 decoder fc2", 16640, 512, 128 },
    { "W2 qkv", 12544, 432, 1296 },        { "W2 proj", 12544, 432, 432 },        { "W3 qkv", 8192, 192, 576 },
    { "W3 fc1", 8192, 192, 768 },          { "W3 fc2", 8192, 768, 192 },          { "tall", 16384, 192, 576 },
};
typedef struct product { int ta, tb, m, n, k; const float *a, *b; float *y; const uint16_t *ha, *hb; } product; /* ha, hb: a and b as bf16, or NULL */

static void product_run(ssl_ctx *c, const product *q)
{
    const float *a = q->ha ? (const float *)(const void *)q->ha : q->a, *b = q->hb ? (const float *)(const void *)q->hb : q->b;
    ssl__epilogue ep;
    memset(&ep, 0, sizeof ep);
    ep.half = q->ha ? SSL__HALF_A | SSL__HALF_B : 0;
    c->k->gemm(c, q->ta, q->tb, 1, q->m, q->n, q->k, a, q->ta ? q->m : q->k, 0, b, q->tb ? q->k : q->n, 0, 0.0f, q->y, q->n, 0, &ep);
}

/* Largest error of 256 sampled entries, relative to sum |a| |b| */
static double product_error(const product *q)
{
    ssl_rng r = ssl_rng_make(1, 2);
    double worst = 0;
    int s, p;
    for (s = 0; s < 256; s++) {
        const int i = s ? ssl_rng_below(&r, q->m) : q->m - 1, j = s ? ssl_rng_below(&r, q->n) : q->n - 1;
        double v = 0, scale = 0;
        for (p = 0; p < q->k; p++) {
            const double t = (double)q->a[q->ta ? (size_t)p * (size_t)q->m + (size_t)i : (size_t)i * (size_t)q->k + (size_t)p] *
                             q->b[q->tb ? (size_t)j * (size_t)q->k + (size_t)p : (size_t)p * (size_t)q->n + (size_t)j];
            v += t;
            scale += fabs(t);
        }
        v = fabs(v - q->y[(size_t)i * (size_t)q->n + (size_t)j]) / scale;
        if (!(v <= worst)) worst = v;
    }
    return worst;
}

static const char *const precision_name[] = { "", "highest", "high", "bf16" };
static const double tolerance[] = { 0, 1e-6, 2e-5, 4e-3 };

/* One product costs as many as this of the kind that the ceiling counts: precision high on AMX is three of bf16. */
static double products_per_product(const ssl_ctx *c) { return c->amx && c->precision == SSL_PRECISION_HIGH ? 3.0 : 1.0; }

static int product_bench(ssl_ctx *c, const char *name, const product *q, report *out)
{
    const ceiling *k = &ceilings[ceiling_best(c, 1)];
    const double work = 2e-9 * q->m * q->n * q->k;
    double best = 0, top = 0, e, start;
    int r;
    product_run(c, q);
    e = product_error(q);
    if (!(e <= tolerance[c->precision])) {
        printf("%s %d x %d x %d: wrong, relative error %.2g (tolerance %.2g)\n", name, q->m, q->n, q->k, e, tolerance[c->precision]);
        return 1;
    }
    for (r = 0; r < 6 || (r < 100 && r * work < 6); r++) {
        start = seconds();
        product_run(c, q);
        best = SSL__MAX(best, work / (seconds() - start));
        top = SSL__MAX(top, ceiling_measure(c, k) / products_per_product(c));
    }
    printf("%-26s %6d %5d %5d  %-8s %-8s %2d %9.1f %9.1f %6.1f%%\n", name, q->m, q->n, q->k, precision_name[c->precision], k->isa,
           c->n_threads, best, top, 100 * best / top);
    report_row(out, "\"name\": \"%s\", \"m\": %d, \"n\": %d, \"k\": %d, \"precision\": \"%s\", \"isa\": \"%s\", \"threads\": %d, "
                    "\"gflops\": %.1f, \"ceiling_gflops\": %.1f, \"percent\": %.1f", name, q->m, q->n, q->k,
               precision_name[c->precision], k->isa, c->n_threads, best, top, 100 * best / top);
    return 0;
}

static float *random_floats(size_t n) /* in large pages, as tensors are */
{
    ssl_rng r = ssl_rng_make(3, 4);
    float *x = (float *)ssl__cpu_alloc(NULL, n * sizeof(float));
    size_t i;
    for (i = 0; x && i < n; i++) x[i] = 2.0f * ssl_rng_uniform(&r) - 1.0f;
    return x;
}

static uint16_t *as_bf16(size_t n, const float *x, float *room)
{
    uint16_t *h = (uint16_t *)(void *)room;
    size_t i;
    for (i = 0; i < n; i++) {
        const float f = ssl__bf16(x[i]);
        uint32_t bits;
        memcpy(&bits, &f, 4);
        h[i] = (uint16_t)(bits >> 16);
    }
    return h;
}

static int bench_gemm_at(const options *o, ssl_precision precision, report *out)
{
    const size_t most = (size_t)16640 * 1296, million = 1024 * 1024;
    float *a = random_floats(most), *b = random_floats(most), *y = random_floats(most);
    product square = { 0, 0, 1024, 1024, 1024, a, b, y, NULL, NULL };
    ssl_ctx *c = open_context(o, precision);
    size_t i;
    int bad = !a || !b || !y, v;
    char name[64];
    if (!bad && (!o->only || strstr("square", o->only))) bad = product_bench(c, "square", &square, out);
    if (!bad && c->bf16 && precision == SSL_PRECISION_BF16 && (!o->only || strstr("square of bf16", o->only))) {
        square.ha = as_bf16(million, a, a + million);
        square.hb = as_bf16(million, b, b + million);
        bad = product_bench(c, "square of bf16", &square, out);
    }
    for (i = 0; !bad && i < sizeof layers / sizeof *layers; i++) {
        const layer *l = &layers[i];
        const product forward = { 0, 1, l->rows, l->out, l->in, a, b, y, NULL, NULL }, dx = { 0, 0, l->rows, l->in, l->out, a, b, y, NULL, NULL };
        const product dw = { 1, 0, l->out, l->in, l->rows, a, b, y, NULL, NULL };
        const product q[3] = { forward, dx, dw };
        for (v = 0; !bad && v < 3; v++) {
            snprintf(name, sizeof name, "%s %s", l->name, v == 0 ? "forward" : v == 1 ? "dx" : "dw");
            if (!o->only || strstr(name, o->only)) bad = product_bench(c, name, &q[v], out);
        }
    }
    if (a) ssl__cpu_release(NULL, a);
    if (b) ssl__cpu_release(NULL, b);
    if (y) ssl__cpu_release(NULL, y);
    return ssl_close(c) || bad;
}

static int bench_gemm(const options *o, report *out)
{
    const ssl_precision first = o->precision ? o->precision : SSL_PRECISION_HIGHEST, last = o->all_precisions ? SSL_PRECISION_BF16 : first;
    int p, bad = 0;
    printf("%-26s %6s %5s %5s  %-8s %-8s %2s %9s %9s %7s\n", "product", "m", "n", "k", "precision", "isa", "th", "GFLOP/s", "ceiling", "percent");
    for (p = first; p <= (int)last && !bad; p++) bad = bench_gemm_at(o, (ssl_precision)p, out);
    return bad;
}

/* ==== kernels ==== */
static int kernel_bench(ssl_ctx *c, const kernel_case *k, float *const *b, report *out)
{
    const ceiling *top = &ceilings[ceiling_best(c, 1)];
    const double work = 1e-9 * (k->flops > 0 ? k->flops : k->bytes);
    const char *unit = k->flops > 0 ? "GFLOP/s" : "GB/s", *p = precision_name[c->precision];
    double best = 0, most = 0, start, spent = 0;
    int r;
    for (r = 0; r < 6 || (r < 60 && spent < 0.3); r++) {
        start = seconds();
        k->run(c, k, b);
        start = seconds() - start;
        spent += start;
        best = SSL__MAX(best, work / start);
        most = SSL__MAX(most, k->flops > 0 ? ceiling_measure(c, top) / products_per_product(c) : work / stream_seconds(c, k->bytes, b));
    }
    printf("%-26s %-8s %-8s %2d %9.1f %9.1f %-7s %6.1f%%\n", k->name, p, ssl_isa(c), c->n_threads, best, most, unit, 100 * best / most);
    fflush(stdout);
    report_row(out, "\"name\": \"%s\", \"precision\": \"%s\", \"isa\": \"%s\", \"threads\": %d, \"rate\": %.1f, \"ceiling\": %.1f, \"unit\": \"%s\", \"percent\": %.1f",
               k->name, p, ssl_isa(c), c->n_threads, best, most, unit, 100 * best / most);
    return !ssl_ok(c);
}

static int bench_kernels_at(const options *o, ssl_precision precision, report *out)
{
    float *b[KERNEL_BUFFERS];
    ssl_ctx *c = open_context(o, precision);
    size_t i;
    int bad = 0;
    for (i = 0; i < KERNEL_BUFFERS; i++) bad |= !(b[i] = random_floats(KERNEL_FLOATS));
    for (i = 0; !bad && i < KERNEL_FLOATS; i++) b[4][i] = fabsf(b[4][i]); /* second moments, weights */
    for (i = 0; !bad && i < sizeof kernel_cases / sizeof *kernel_cases; i++)
        if ((!o->only || strstr(kernel_cases[i].name, o->only)) && (kernel_cases[i].flops > 0 || precision == SSL_PRECISION_HIGHEST))
            bad = kernel_bench(c, &kernel_cases[i], b, out);
    for (i = 0; i < KERNEL_BUFFERS; i++) if (b[i]) ssl__cpu_release(NULL, b[i]);
    return ssl_close(c) || bad;
}

static int bench_kernels(const options *o, report *out)
{
    const ssl_precision first = o->precision ? o->precision : SSL_PRECISION_HIGHEST, last = o->precision ? first : SSL_PRECISION_BF16;
    int p, bad = 0;
    printf("%-26s %-8s %-8s %2s %9s %9s %-7s %7s\n", "kernel", "precision", "isa", "th", "rate", "ceiling", "", "percent");
    for (p = first; p <= (int)last && !bad; p++) bad = bench_kernels_at(o, (ssl_precision)p, out);
    return bad;
}

/* ==== train ==== whole steps. Every row is a process of its own, so that its peak memory is its own. */
enum { MOST_STEPS = 200 };
typedef struct train_row { int failed, threads, steps; char isa[16]; double images_per_s, gflops, ceiling, peak_mb, loss; } train_row;

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, ascending);
    return n % 2 ? x[n / 2] : 0.5 * (x[n / 2 - 1] + x[n / 2]);
}
static double peak_megabytes(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
#ifdef __APPLE__
    return (double)u.ru_maxrss / 1048576.0;
#else
    return (double)u.ru_maxrss / 1024.0;
#endif
}

/* Two steps to warm up, of which the second is counted; then steps and ceiling in turns. */
static train_row train_measure(const options *o, const workload *w, ssl_precision precision)
{
    train_row row = SSL_ZERO;
    ssl_ctx *c = open_context(o, precision);
    const ceiling *k = c->device == SSL_DEVICE_CUDA ? NULL : &ceilings[ceiling_best(c, 1)];
    job j = SSL_ZERO;
    const size_t unused = c->dev->available ? c->dev->available() : 0; /* of the GPU's memory, before the model */
    double step[MOST_STEPS], flops = 0, spent = 0, start;
    row.failed = !job_open(&j, w, c, o->batch ? o->batch : w->batch);
    if (!row.failed) {
        job_step(&j);
        flops = job_flops(&j);
    }
    while (!row.failed && row.steps < MOST_STEPS && (row.steps < 3 || spent < o->seconds)) {
        start = seconds();
        job_step(&j);
        spent += step[row.steps++] = seconds() - start;
        if (k) row.ceiling = SSL__MAX(row.ceiling, ceiling_measure(c, k) / products_per_product(c));
        row.failed = !ssl_ok(c) || !(fabs(j.loss) < 1e30);
    }
    if (row.steps) start = median(step, row.steps);
    else start = 1;
    row.images_per_s = j.batch / start;
    row.gflops = 1e-9 * flops / start;
    row.loss = j.loss;
    row.threads = c->n_threads;
    row.peak_mb = unused ? (double)(unused - c->dev->available()) / 1048576.0 : peak_megabytes(); /* a GPU's arena only grows */
    snprintf(row.isa, sizeof row.isa, "%s", k ? k->isa : ssl_isa(c));
    job_close(&j);
    row.failed |= ssl_close(c) != 0;
    return row;
}

/* The same in a process of its own. */
static train_row train_alone(const options *o, const workload *w, ssl_precision precision)
{
    train_row row = SSL_ZERO;
    int ends[2], status;
    pid_t child;
    row.failed = 1;
    fflush(NULL);
    if (pipe(ends)) return row;
    child = fork();
    if (child == 0) {
        row = train_measure(o, w, precision);
        _exit(write(ends[1], &row, sizeof row) != (ssize_t)sizeof row);
    }
    close(ends[1]);
    if (child < 0 || read(ends[0], &row, sizeof row) != (ssize_t)sizeof row) row.failed = 1;
    close(ends[0]);
    if (child > 0) waitpid(child, &status, 0);
    return row;
}

static int train_print(const workload *w, ssl_precision precision, int batch, const train_row *r, report *out)
{
    const double percent = r->ceiling > 0 ? 100 * r->gflops / r->ceiling : 0;
    const char *p = precision_name[precision];
    if (r->failed) {
        printf("%-3s %-26s %-8s failed\n", w->name, w->doc, p);
        return 1;
    }
    printf("%-3s %-26s %5d  %-8s %-8s %2d %9.1f %9.1f %9.1f %6.1f%% %8.0f %9.4f\n", w->name, w->doc, batch, p, r->isa, r->threads, r->images_per_s,
           r->gflops, r->ceiling, percent, r->peak_mb, r->loss);
    fflush(stdout);
    report_row(out, "\"name\": \"%s\", \"precision\": \"%s\", \"isa\": \"%s\", \"threads\": %d, \"batch\": %d, \"images_per_s\": %.2f, \"gflops\": %.1f, "
                    "\"ceiling_gflops\": %.1f, \"percent\": %.2f, \"peak_mb\": %.1f, \"steps\": %d", w->name, p, r->isa, r->threads, batch,
               r->images_per_s, r->gflops, r->ceiling, percent, r->peak_mb, r->steps);
    return 0;
}

static int bench_train(const options *o, report *out)
{
    const ssl_precision first = o->precision ? o->precision : SSL_PRECISION_HIGHEST, last = o->precision ? first : SSL_PRECISION_BF16;
    int i, p, bad = 0;
    printf("%-30s %5s  %-8s %-8s %2s %9s %9s %9s %7s %8s %9s\n", "workload", "batch", "precision", "isa", "th", "images/s", "GFLOP/s", "ceiling", "percent", "peak MB", "loss");
    for (i = 0; i < N_WORKLOADS; i++)
        for (p = first; p <= (int)last && (!o->chosen || o->chosen >> i & 1); p++) {
            const train_row r = train_alone(o, &workloads[i], (ssl_precision)p);
            bad |= train_print(&workloads[i], (ssl_precision)p, o->batch ? o->batch : workloads[i].batch, &r, out);
        }
    return bad;
}

/* ==== scaling ==== one MAE training step while one size grows: cost ~ size^exponent, beside the exponent of its operations */
static ssl_mae_desc scaled;
static void *scaled_create(ssl_ctx *c) { return ssl_mae_new(c, "", &scaled); }

typedef struct series { const char *axis; int value[5], n; } series;
static const series all_series[] = { { "batch", { 16, 32, 64, 128, 256 }, 5 }, { "tokens", { 16, 64, 256, 1024 }, 4 }, { "width", { 96, 192, 384, 768 }, 4 }, { "threads", { 1, 2, 4, 8, 16 }, 5 } };

/* Slope of the straight line through the logarithms. */
static double exponent(const double *x, const double *y, int n)
{
    double mx = 0, my = 0, sxy = 0, sxx = 0;
    int i;
    for (i = 0; i < n; i++) { mx += log(x[i]) / n; my += log(y[i]) / n; }
    for (i = 0; i < n; i++) { sxy += (log(x[i]) - mx) * (log(y[i]) - my); sxx += (log(x[i]) - mx) * (log(x[i]) - mx); }
    return sxx > 0 ? sxy / sxx : 0;
}

/* Fastest of the steps within a second, at least three: other programs may be running. */
static int scaling_point(const options *o, const series *s, int value, double *time, double *flops)
{
    const int is = (int)(s - all_series);
    workload w = workloads[0];
    options at = *o;
    job j = SSL_ZERO;
    ssl_ctx *c;
    double start, spent = 0;
    int r, ok;
    memset(&scaled, 0, sizeof scaled);
    scaled.depth = 4;
    scaled.dim = is == 2 ? value : 192;
    scaled.image_size = w.side = is == 1 ? 4 * (int)(sqrt((double)value) + 0.5) : 32;
    w.create = scaled_create;
    if (is == 3) at.threads = value;
    c = open_context(&at, o->precision);
    ok = job_open(&j, &w, c, is == 0 ? value : is == 1 ? 8 : 64);
    if (ok) job_step(&j);
    *flops = ok ? job_flops(&j) : 0;
    for (r = 0, *time = 1e9; ok && (r < 3 || spent < 1); r++, spent += start) {
        start = seconds();
        job_step(&j);
        start = seconds() - start;
        *time = SSL__MIN(*time, start);
    }
    job_close(&j);
    return !ssl_close(c) && ok;
}

static int bench_scaling(const options *o, report *out)
{
    double x[5], time[5], flops[5];
    size_t i;
    int k, n, most;
    ssl_ctx *c = open_context(o, o->precision);
    most = c->n_threads;
    ssl_close(c);
    for (i = 0; i < sizeof all_series / sizeof *all_series; i++) {
        const series *s = &all_series[i];
        printf("%-8s", s->axis);
        for (k = n = 0; k < s->n && (i != 3 || s->value[k] <= most); k++, n++) {
            if (!scaling_point(o, s, s->value[k], &time[k], &flops[k])) return 1;
            x[k] = s->value[k];
            printf(" %5d: %7.1f ms ", s->value[k], 1e3 * time[k]);
            fflush(stdout);
        }
        printf(" exponent %.2f, of the operations %.2f\n", exponent(x, time, n), exponent(x, flops, n));
        report_row(out, "\"name\": \"scaling\", \"axis\": \"%s\", \"threads\": %d, \"exponent\": %.3f, \"flops_exponent\": %.3f, \"first_ms\": %.3f, \"last_ms\": %.3f",
                   s->axis, most, exponent(x, time, n), exponent(x, flops, n), 1e3 * time[0], 1e3 * time[n - 1]);
    }
    return 0;
}

/* ==== start ==== the budgets: first step, size of a program, time to compile ==== */
static const char *program; /* argv[0] */

/* What `bench first-step` does: a small MAE from nothing to the end of its first step. */
static int first_step(const options *o, report *out)
{
    ssl_mae_desc d = SSL_ZERO;
    ssl_loader_desc ld = SSL_ZERO;
    ssl_ctx *c = open_context(o, o->precision);
    ssl_loader *load;
    ssl_mae *mae;
    ssl_batch b;
    (void)out;
    d.dim = 64; d.depth = 2; d.heads = 2; d.decoder_dim = 32; d.decoder_depth = 1; d.decoder_heads = 1;
    ld.batch = 16;
    load = ssl_loader_open(ssl_dataset_open(c, "synthetic:16"), &ld);
    mae = ssl_mae_new(c, "", &d);
    if (ssl_loader_next(load, &b)) {
        ssl_backward(ssl_mae_loss(mae, b.images, NULL));
        ssl_adamw_step(c, 1e-3f);
        ssl_step_end(c);
    }
    return ssl_close(c);
}

/* Milliseconds from before fork to the end of a program that does one step; -1 if it fails. */
static double start_milliseconds(const options *o)
{
    char threads[16];
    const double start = seconds();
    const pid_t child = fork();
    int status = 1;
    if (child == 0) {
        snprintf(threads, sizeof threads, "%d", o->threads);
        execl(program, program, "first-step", "--threads", threads, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status) return -1;
    return 1e3 * (seconds() - start);
}

static int budget(const char *what, double value, const char *unit, double most, report *out)
{
    printf("%-44s %9.1f %-3s budget %6.0f%s\n", what, value, unit, most, value < 0 ? "  failed" : value > most ? "  exceeded" : "");
    report_row(out, "\"name\": \"%s\", \"value\": %.1f, \"unit\": \"%s\", \"budget\": %.0f", what, value, unit, most);
    return value < 0 || value > most;
}

/* Processor seconds of a shell command; -1 if it fails. */
static double command_seconds(const char *command)
{
    struct rusage a, b;
    getrusage(RUSAGE_CHILDREN, &a);
    if (system(command)) return -1;
    getrusage(RUSAGE_CHILDREN, &b);
    return (double)(b.ru_utime.tv_sec - a.ru_utime.tv_sec + b.ru_stime.tv_sec - a.ru_stime.tv_sec) +
           1e-6 * (double)(b.ru_utime.tv_usec - a.ru_utime.tv_usec + b.ru_stime.tv_usec - a.ru_stime.tv_usec);
}

/* Compiles examples/minimal.c, which is a few lines: the header's time, and the bytes of the stripped program. */
static double compile_minimal(const char *flags, double *bytes)
{
    char command[256];
    double spent;
    FILE *f;
    snprintf(command, sizeof command, "${CC:-cc} -std=c11 -O2 -fopenmp %s -I. examples/minimal.c -o build/minimal.size -lm -pthread && strip build/minimal.size", flags);
    spent = command_seconds(command);
    f = spent < 0 ? NULL : fopen("build/minimal.size", "rb");
    *bytes = f && !fseek(f, 0, SEEK_END) ? (double)ftell(f) : -1000;
    if (f) fclose(f);
    remove("build/minimal.size");
    return spent;
}

static int bench_start(const options *o, report *out)
{
    double step[11], bytes, small, used;
    int i, bad;
    for (i = 0; i < 11; i++) step[i] = start_milliseconds(o);
    bad = budget("process start to the end of the first step", median(step, 11), "ms", 50, out);
    bad |= budget("compiling and linking examples/minimal.c", compile_minimal("", &bytes), "s", 10, out);
    used = compile_minimal("-DSSL_STATIC -fno-asynchronous-unwind-tables", &small);
    bad |= budget("with SSL_STATIC, no unwind tables", used, "s", 10, out);
    bad |= budget("its program, stripped", 1e-3 * small, "KB", 500, out);
    printf("(%.0f KB with neither)\n", 1e-3 * bytes);
    return bad;
}

/* ==== loader ==== views a second of one background thread, beside what training consumes */
static double loader_rate(const options *o, const char *preset, int views)
{
    ssl_ctx *c = open_context(o, SSL_PRECISION_DEFAULT);
    ssl_dataset *data = ssl_dataset_open(c, o->data);
    ssl_augment_desc a = SSL_ZERO;
    ssl_loader_desc d = SSL_ZERO;
    ssl_loader *load;
    ssl_batch b;
    double start = 0;
    int64_t images = 0;
    ssl_augment_preset(preset, &a);
    d.batch = 128; d.epochs = 1000000; d.n_views = views; d.augment = &a; d.threads = 1;
    load = ssl_loader_open(data, &d);
    while (ssl_loader_next(load, &b)) {
        if (start == 0) start = seconds(); /* after the first batch */
        else images += b.n;
        ssl_step_end(c);
        if (seconds() - start > o->seconds) break;
    }
    start = seconds() - start;
    return ssl_close(c) ? -1 : (double)images / start;
}

static int bench_loader(const options *o, report *out)
{
    static const struct { const char *preset; int workload, views; } row[] = { { "mae", 0, 1 }, { "simclr", 3, 2 } };
    double rate, consumed;
    train_row r;
    int i, bad = 0;
    for (i = 0; i < 2; i++) {
        r = train_alone(o, &workloads[row[i].workload], o->precision ? o->precision : SSL_PRECISION_BF16);
        consumed = r.images_per_s;
        rate = loader_rate(o, row[i].preset, row[i].views);
        bad |= r.failed || rate < 0;
        printf("%s, %s: %.0f images/s of one loader thread, training takes %.0f: %.1f times as many\n", workloads[row[i].workload].name, row[i].preset, rate, consumed, rate / consumed);
        report_row(out, "\"name\": \"loader %s\", \"images_per_s\": %.1f, \"consumed\": %.1f, \"ratio\": %.2f", row[i].preset, rate, consumed, rate / consumed);
    }
    return bad;
}

/* ==== subcommands ==== */
static int bench_all(const options *o, report *out) /* whole steps first: their processes must not inherit threads */
{
    options all = *o;
    all.all_precisions = !o->precision;
    return bench_train(&all, out) | bench_ceilings(&all, out) | bench_gemm(&all, out) | bench_kernels(&all, out);
}

typedef struct command {
    const char *name;
    int (*run)(const options *o, report *out);
    const char *help;
} command;
static const command commands[] = {
    { "all", bench_all, "ceilings, gemm, kernels and train" },
    { "ceilings", bench_ceilings, "multiply-adds per second of each instruction set" },
    { "gemm", bench_gemm, "matrix products of the workloads, forward and backward" },
    { "kernels", bench_kernels, "the other kernels of the workloads" },
    { "train", bench_train, "training steps of whole models" },
    { "scaling", bench_scaling, "cost against batch, tokens, width and threads" },
    { "start", bench_start, "budgets of the first step, of size and of compile time; from the root of the repository" },
    { "first-step", first_step, "the program that start measures" },
    { "loader", bench_loader, "one background thread of the loader beside what training consumes" },
};

static int usage(const char *wrong)
{
    size_t i;
    if (wrong) fprintf(stderr, "bench: unknown argument '%s'\n", wrong);
    fprintf(stderr, "usage: bench COMMAND [W1 ... W7] [--json FILE] [--threads N] [--precision highest|high|bf16|all] [--device cpu|cuda]\n"
                    "             [--batch N] [--seconds S] [--only TEXT] [--data SPEC] [--clock wall|cpu]\n");
    for (i = 0; i < sizeof commands / sizeof *commands; i++) fprintf(stderr, "  %-10s %s\n", commands[i].name, commands[i].help);
    return 1;
}

static int option(options *o, const char *name, const char *value)
{
    int p;
    if (!strcmp(name, "--json")) o->json = value;
    else if (!strcmp(name, "--only")) o->only = value;
    else if (!strcmp(name, "--data")) o->data = value;
    else if (!strcmp(name, "--threads")) o->threads = atoi(value);
    else if (!strcmp(name, "--batch")) o->batch = atoi(value);
    else if (!strcmp(name, "--seconds")) o->seconds = atof(value);
    else if (!strcmp(name, "--device")) o->device = !strcmp(value, "cuda") ? SSL_DEVICE_CUDA : SSL_DEVICE_CPU;
    else if (!strcmp(name, "--clock")) processor_clock = !strcmp(value, "cpu");
    else if (!strcmp(name, "--precision")) {
        for (p = 1; p <= 3; p++)
            if (!strcmp(precision_name[p], value)) o->precision = (ssl_precision)p;
        o->all_precisions = !strcmp(value, "all");
        return o->precision || o->all_precisions;
    } else return 0;
    return 1;
}

int main(int argc, char **argv)
{
    options o = SSL_ZERO;
    const command *chosen = NULL;
    report out;
    size_t j;
    int i, w, bad;
    o.seconds = 5;
    o.data = "synthetic:4096";
    program = argv[0];
    for (j = 0; argc > 1 && j < sizeof commands / sizeof *commands; j++)
        if (!strcmp(commands[j].name, argv[1])) chosen = &commands[j];
    if (!chosen) return usage(argc > 1 ? argv[1] : NULL);
    for (i = 2; i < argc; i++) {
        for (w = 0; w < N_WORKLOADS && strcmp(argv[i], workloads[w].name); w++) {}
        if (w < N_WORKLOADS) o.chosen |= 1 << w;
        else if (i + 1 >= argc || !option(&o, argv[i], argv[i + 1])) return usage(argv[i]);
        else i++;
    }
    if (!report_open(&out, &o)) return 1;
    bad = chosen->run(&o, &out);
    report_close(&out);
    return bad;
}
