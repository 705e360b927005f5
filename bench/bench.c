/* Measurements: every number next to what the machine can do.
 *
 *     cc -O3 -fopenmp -I. bench/bench.c -o build/bench -lm
 *     build/bench ceilings [--json FILE] [--threads N]      what the arithmetic units reach in a loop of independent operations
 *     build/bench gemm [--json FILE] [--threads N] [--precision highest|high|bf16] [--only TEXT]
 *
 * SSL_ISA=portable|avx2|avx512 in the environment restricts the library and the ceiling to that instruction set.
 * A product is checked against double precision on sampled entries before it is timed. Product and ceiling are measured in
 * turns; the fastest of each counts, as other programs may be running.
 */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include <time.h>

typedef struct options {
    const char *json, *only;
    int threads;
    ssl_precision precision;
} options;

static double seconds(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
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

#ifdef SSL__AMX
SSL__AMX_FN double ceiling_amx(void) /* four independent tiles of sums; 16 x 16 x 32 multiply-adds each time */
{
    int r;
    ssl__amx_begin();
    for (r = 0; r < CEILING_ROUNDS; r++) SSL__AMX_MULTIPLY();
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
#  ifdef SSL__AMX
    { "amx", ceiling_amx },
#  endif
#elif defined(SSL__NEON_PASS)
    { "neon", ceiling_neon },
#endif
};
#define N_CEILINGS ((int)(sizeof ceilings / sizeof *ceilings))

/* the last row that the library uses at the context's precision */
static int ceiling_best(const ssl_ctx *c, int products)
{
    int i;
    for (i = 0; strcmp(ceilings[i].isa, ssl_isa(c)); i++) {}
    return c->amx && (!products || c->precision != SSL_PRECISION_HIGHEST) ? N_CEILINGS - 1 : i;
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

static int bench_ceilings(ssl_ctx *c, const options *o)
{
    const int last = ceiling_best(c, 0);
    int i, r;
    FILE *f = o->json ? fopen(o->json, "w") : NULL;
    if (o->json && !f) { fprintf(stderr, "bench: cannot write %s\n", o->json); return 1; }
    for (i = 0; i <= last; i++) {
        double best = 0;
        for (r = 0; r < 50; r++) best = SSL__MAX(best, ceiling_measure(c, &ceilings[i]));
        printf("%-10s %2d threads %9.1f GFLOP/s\n", ceilings[i].isa, c->n_threads, best);
        if (f) fprintf(f, "%s{\"name\": \"ceiling\", \"isa\": \"%s\", \"threads\": %d, \"gflops\": %.1f}", i ? ",\n " : "[", ceilings[i].isa, c->n_threads, best);
    }
    if (f) { fprintf(f, "]\n"); fclose(f); }
    return 0;
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
typedef struct product { int ta, tb, m, n, k; const float *a, *b; float *y; } product;

static void product_run(ssl_ctx *c, const product *q)
{
    c->k->gemm(c, q->ta, q->tb, 1, q->m, q->n, q->k, q->a, q->ta ? q->m : q->k, 0, q->b, q->tb ? q->k : q->n, 0, 0.0f, q->y, q->n, 0, NULL);
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

static int product_bench(ssl_ctx *c, const char *name, const product *q, FILE *f, int *rows)
{
    const ceiling *k = &ceilings[ceiling_best(c, 1)];
    const double work = 2e-9 * q->m * q->n * q->k, per_product = c->amx && c->precision == SSL_PRECISION_HIGH ? 3.0 : 1.0;
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
        top = SSL__MAX(top, ceiling_measure(c, k) / per_product);
    }
    printf("%-26s %6d %5d %5d  %-8s %-8s %2d %9.1f %9.1f %6.1f%%\n", name, q->m, q->n, q->k, precision_name[c->precision], k->isa,
           c->n_threads, best, top, 100 * best / top);
    if (f)
        fprintf(f, "%s{\"name\": \"%s\", \"m\": %d, \"n\": %d, \"k\": %d, \"precision\": \"%s\", \"isa\": \"%s\", \"threads\": %d, "
                   "\"gflops\": %.1f, \"ceiling_gflops\": %.1f, \"percent\": %.1f}", (*rows)++ ? ",\n " : "[", name, q->m, q->n, q->k,
                precision_name[c->precision], k->isa, c->n_threads, best, top, 100 * best / top);
    return 0;
}

static float *random_floats(size_t n)
{
    ssl_rng r = ssl_rng_make(3, 4);
    float *x = (float *)SSL_MALLOC(n * sizeof(float));
    size_t i;
    for (i = 0; x && i < n; i++) x[i] = 2.0f * ssl_rng_uniform(&r) - 1.0f;
    return x;
}

static int bench_gemm(ssl_ctx *c, const options *o)
{
    const size_t most = (size_t)16640 * 1296;
    float *a = random_floats(most), *b = random_floats(most), *y = random_floats(most);
    const product square = { 0, 0, 1024, 1024, 1024, a, b, y };
    FILE *f = o->json ? fopen(o->json, "w") : NULL;
    size_t i;
    int bad = !a || !b || !y, rows = 0, v;
    char name[64];
    if (o->json && !f) { fprintf(stderr, "bench: cannot write %s\n", o->json); return 1; }
    printf("%-26s %6s %5s %5s  %-8s %-8s %2s %9s %9s %7s\n", "product", "m", "n", "k", "precision", "isa", "th", "GFLOP/s", "ceiling", "percent");
    if (!bad && (!o->only || strstr("square", o->only))) bad = product_bench(c, "square", &square, f, &rows);
    for (i = 0; !bad && i < sizeof layers / sizeof *layers; i++) {
        const layer *l = &layers[i];
        const product forward = { 0, 1, l->rows, l->out, l->in, a, b, y }, dx = { 0, 0, l->rows, l->in, l->out, a, b, y };
        const product dw = { 1, 0, l->out, l->in, l->rows, a, b, y };
        const product q[3] = { forward, dx, dw };
        for (v = 0; !bad && v < 3; v++) {
            snprintf(name, sizeof name, "%s %s", l->name, v == 0 ? "forward" : v == 1 ? "dx" : "dw");
            if (!o->only || strstr(name, o->only)) bad = product_bench(c, name, &q[v], f, &rows);
        }
    }
    if (f) { fprintf(f, "]\n"); fclose(f); }
    SSL_FREE(a);
    SSL_FREE(b);
    SSL_FREE(y);
    return bad;
}

/* ==== subcommands ==== */
typedef struct command {
    const char *name;
    int (*run)(ssl_ctx *c, const options *o);
    const char *help;
} command;
static const command commands[] = {
    { "ceilings", bench_ceilings, "multiply-adds per second of each instruction set" },
    { "gemm", bench_gemm, "matrix products of the workloads, forward and backward" },
};

static int usage(const char *wrong)
{
    size_t i;
    if (wrong) fprintf(stderr, "bench: unknown argument '%s'\n", wrong);
    fprintf(stderr, "usage: bench COMMAND [--json FILE] [--threads N] [--precision highest|high|bf16] [--only TEXT]\n");
    for (i = 0; i < sizeof commands / sizeof *commands; i++) fprintf(stderr, "  %-10s %s\n", commands[i].name, commands[i].help);
    return 1;
}

int main(int argc, char **argv)
{
    options o = SSL_ZERO;
    ssl_desc d = SSL_ZERO;
    const command *chosen = NULL;
    ssl_ctx *c;
    size_t j;
    int i, p, bad;
    for (j = 0; argc > 1 && j < sizeof commands / sizeof *commands; j++)
        if (!strcmp(commands[j].name, argv[1])) chosen = &commands[j];
    if (!chosen) return usage(argc > 1 ? argv[1] : NULL);
    for (i = 2; i < argc; i += 2) {
        if (i + 1 >= argc) return usage(argv[i]);
        if (!strcmp(argv[i], "--json")) o.json = argv[i + 1];
        else if (!strcmp(argv[i], "--only")) o.only = argv[i + 1];
        else if (!strcmp(argv[i], "--threads")) o.threads = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--precision")) {
            for (p = 1; p <= 3; p++)
                if (!strcmp(precision_name[p], argv[i + 1])) o.precision = (ssl_precision)p;
            if (!o.precision) return usage(argv[i + 1]);
        } else return usage(argv[i]);
    }
    d.threads = o.threads;
    d.precision = o.precision;
    c = ssl_open(&d);
    bad = chosen->run(c, &o);
    return ssl_close(c) || bad;
}
