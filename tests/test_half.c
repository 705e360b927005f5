/* Precision bf16 on a CPU that keeps results inside of transformer blocks as bf16: whole blocks beside the same in float32, values
 * and the gradients of inputs and parameters; fewer bytes; the same bits for 1 and 3 threads, and without a gradient.
 *
 *     cc -O2 -fopenmp -I. tests/test_half.c -o build/test_half -lm && build/test_half [NAME]
 */
#define SSL_GUARD
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "check.h"

typedef struct kind { ssl_block_style style; ssl_act act; int images, tokens, dim, heads, hidden, post_norm, cross, mask; float dropout; int first; } kind; /* first: of the result only the first token */
typedef struct outcome { float *v; int64_t n; size_t bytes; } outcome; /* the block's value, then gradients */
enum { MEMORY = 7 };

static ssl_tensor *drawn(ssl_ctx *c, ssl_rng *r, int images, int tokens, int dim)
{
    const int64_t n = (int64_t)images * tokens * dim;
    float *x = (float *)malloc(sizeof *x * (size_t)n);
    ssl_tensor *t;
    int64_t i;
    for (i = 0; i < n; i++) x[i] = ssl_rng_normal(r);
    t = ssl_input(c, x, 3, images, tokens, dim);
    free(x);
    return t;
}
static ssl_tensor *closed(ssl_ctx *c, const kind *k) /* keys after their query, some of them, and not the same for every image */
{
    const int T = k->tokens, n = k->images * T * T;
    uint8_t *u = (uint8_t *)malloc((size_t)n);
    ssl_tensor *t;
    int i;
    for (i = 0; i < n; i++) u[i] = (uint8_t)(i % T > i / T % T && i % (i / T / T + 2) == 0);
    t = ssl_input_u8(c, u, 3, k->images, T, T);
    free(u);
    return t;
}
static void keep(outcome *o, const ssl_tensor *t, int gradient)
{
    const int64_t n = ssl_numel(t);
    o->v = (float *)realloc(o->v, sizeof *o->v * (size_t)(o->n + n));
    CHECK(gradient ? ssl_grad_to_host(t, o->v + o->n) : ssl_to_host(t, o->v + o->n));
    o->n += n;
}
static ssl_tensor *forward(const kind *k, const ssl_block *b, ssl_tensor *x, ssl_tensor *memory)
{
    ssl_tensor *mask = k->mask ? closed(x->ctx, k) : NULL;
    if (k->first && x->ctx->precision != SSL_PRECISION_BF16) return ssl_slice(ssl_block_forward(b, x, mask), 1, 0, 1);
    if (k->first) return ssl__block_first("test_half", b, x);
    return k->cross ? ssl_block_decode(b, x, memory, mask, NULL) : ssl_block_forward(b, x, mask);
}
static outcome run(const kind *k, ssl_precision precision, int threads)
{
    ssl_desc d = SSL_ZERO;
    ssl_block_desc bd = SSL_ZERO;
    ssl_rng r = ssl_rng_make(3, 1);
    outcome o = { NULL, 0, 0 }, again = { NULL, 0, 0 };
    ssl_tensor *x, *memory, *y;
    ssl_block b;
    ssl_ctx *c;
    int i;
    d.precision = precision; d.threads = threads; d.seed = 5;
    c = ssl_open(&d);
    bd.style = k->style; bd.act = k->act; bd.dim = k->dim; bd.heads = k->heads; bd.hidden = k->hidden; bd.post_norm = k->post_norm; bd.cross = k->cross; bd.dropout = k->dropout;
    b = ssl_block_new(c, "b", &bd);
    x = ssl_requires_grad(drawn(c, &r, k->images, k->tokens, k->dim));
    memory = ssl_requires_grad(drawn(c, &r, k->images, MEMORY, k->dim));
    y = forward(k, &b, x, memory);
    keep(&o, y, 0);
    ssl_backward(ssl_sum(ssl_mul(y, drawn(c, &r, k->images, k->first ? 1 : k->tokens, k->dim))));
    keep(&o, x, 1);
    if (k->cross) keep(&o, memory, 1);
    for (i = 0; i < ssl_param_count(c); i++) keep(&o, ssl_param_at_index(c, i, NULL), 1);
    o.bytes = ssl_memory_stats(c).step_peak;
    ssl_no_grad(c, 1);
    for (i = 0; i < 2 && k->dropout == 0.0f; i++) keep(&again, forward(k, &b, x, memory), 0);
    CHECK(!again.n || (!memcmp(again.v, o.v, sizeof *o.v * (size_t)again.n / 2) && !memcmp(again.v + again.n / 2, o.v, sizeof *o.v * (size_t)again.n / 2)));
    free(again.v);
    CHECK(ssl_close(c) == SSL_OK);
    return o;
}
static double apart(const outcome *a, const outcome *b) /* |a - b| / |b| */
{
    double d = 0.0, s = 0.0;
    int64_t i;
    for (i = 0; i < b->n; i++) { d += ((double)a->v[i] - b->v[i]) * ((double)a->v[i] - b->v[i]); s += (double)b->v[i] * b->v[i]; }
    return sqrt(d / s);
}
static void test_blocks(void)
{
    static const kind kinds[] = {
        { SSL_BLOCK_TIMM, SSL_ACT_GELU, 8, 65, 64, 2, 128, 0, 0, 0, 0.0f, 0 },      { SSL_BLOCK_TIMM, SSL_ACT_GELU_TANH, 3, 9, 27, 3, 41, 0, 0, 0, 0.0f, 0 },
        { SSL_BLOCK_TIMM, SSL_ACT_RELU, 2, 70, 40, 1, 49, 0, 0, 1, 0.0f, 0 },       { SSL_BLOCK_TORCH, SSL_ACT_RELU, 3, 11, 48, 2, 64, 1, 1, 1, 0.0f, 0 },
        { SSL_BLOCK_TORCH, SSL_ACT_GELU, 5, 7, 33, 1, 50, 0, 1, 0, 0.25f, 0 },      { SSL_BLOCK_TORCH, SSL_ACT_RELU, 4, 12, 34, 2, 30, 1, 0, 0, 0.25f, 0 },
        { SSL_BLOCK_APL, SSL_ACT_GELU, 9, 49, 54, 2, 70, 1, 0, 0, 0.0f, 0 },        { SSL_BLOCK_APL, SSL_ACT_RELU, 2, 6, 32, 4, 32, 0, 0, 0, 0.1f, 0 },
        { SSL_BLOCK_TIMM, SSL_ACT_GELU, 2, 5, 288, 2, 1100, 0, 0, 0, 0.0f, 0 },     { SSL_BLOCK_TIMM, SSL_ACT_GELU, 1, 1, 6, 2, 5, 0, 0, 0, 0.0f, 0 },
        { SSL_BLOCK_TIMM, SSL_ACT_GELU, 6, 50, 64, 2, 128, 0, 0, 0, 0.0f, 1 }
    };
    size_t i; /* with relu a value near 0 may change sides: 4% with operands alone rounded, too */
    for (i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        outcome want = run(&kinds[i], SSL_PRECISION_HIGHEST, 1), got = run(&kinds[i], SSL_PRECISION_BF16, 1), threads = run(&kinds[i], SSL_PRECISION_BF16, 3);
        CHECK(got.n == want.n && threads.n == want.n);
        if (!CHECK(apart(&got, &want) < (kinds[i].act == SSL_ACT_RELU ? 0.06 : 0.01))) printf("     kind %d is off by %g\n", (int)i, apart(&got, &want));
        CHECK(!memcmp(got.v, threads.v, sizeof *got.v * (size_t)got.n));
        CHECK(got.bytes < want.bytes || want.n < 4096);
        free(want.v); free(got.v); free(threads.v);
    }
}

int main(int argc, char **argv)
{
    ssl_ctx *c = ssl_open(NULL);
    check_filter = argc > 1 ? argv[1] : "";
    if (c->half) TEST(blocks);
    else { check_skipped++; printf("skip blocks: this machine or build keeps float32 in memory\n"); }
    ssl_close(c);
    return check_done();
}
