/* The engine below the ops: memory, random numbers, parameters, tape, errors that are not about shapes.
   ./build/test_engine [NAME] */
#include <stdlib.h>
#include <time.h>
static size_t n_alive;        /* allocations not yet freed */
static long n_made, fail_at;  /* fail_at > 0: that allocation and all later ones fail */
static void *test_malloc(size_t n)
{
    void *p = fail_at && ++n_made >= fail_at ? NULL : malloc(n);
    if (p) {
#ifdef _OPENMP
#  pragma omp atomic
#endif
        n_alive++;
    }
    return p;
}
static void test_free(void *p)
{
    if (p) {
#ifdef _OPENMP
#  pragma omp atomic
#endif
        n_alive--;
    }
    free(p);
}
#define SSL_MALLOC(n) test_malloc(n)
#define SSL_FREE(p)   test_free(p)
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "check.h"

static int n_errors;
static char last_error[1024];
static void on_error(ssl_status code, const char *message, void *user)
{
    (void)code; (void)user;
    n_errors++;
    snprintf(last_error, sizeof last_error, "%s", message);
}
static ssl_ctx *open_quiet(int threads)
{
    ssl_desc d = SSL_ZERO;
    d.threads = threads;
    d.seed = 7;
    d.on_error = on_error;
    n_errors = 0;
    last_error[0] = 0;
    return ssl_open(&d);
}
/* The last error names this file and contains both texts. */
static int said(const char *a, const char *b) { return n_errors == 1 && strstr(last_error, "test_engine.c:") && strstr(last_error, a) && strstr(last_error, b); }

/* Two layers with everything the tape does: shared inputs, a residual, an unused branch, reductions. */
enum { IN = 70, HIDDEN = 130, ROWS = 300 };
static void net_make(ssl_ctx *c)
{
    ssl_param(c, ssl_init_make(SSL_INIT_TORCH, 0.0f), "a.weight", 2, HIDDEN, IN);
    ssl_param(c, ssl_init_make(SSL_INIT_ZEROS, 0.0f), "a.bias", 1, HIDDEN);
    ssl_param(c, ssl_init_make(SSL_INIT_TORCH, 0.0f), "b.weight", 2, HIDDEN, HIDDEN);
}
static ssl_tensor *net_loss(ssl_ctx *c, int step)
{
    ssl_tensor *w = ssl_param_find(c, "a.weight"), *b = ssl_param_find(c, "a.bias"), *v = ssl_param_find(c, "b.weight"), *x, *h;
    float *data = (float *)malloc(sizeof(float) * ROWS * IN);
    ssl_rng r = ssl_rng_make(11, (uint64_t)step);
    int i;
    for (i = 0; i < ROWS * IN; i++) data[i] = ssl_rng_normal(&r);
    x = ssl_input(c, data, 2, ROWS, IN);
    free(data);
    if (!w || !b || !v) return x;
    h = ssl_linear_fused(x, w, b, SSL_ACT_GELU, NULL);
    ssl_tanh(h);
    h = ssl_linear_fused(h, v, NULL, SSL_ACT_RELU, h);
    return ssl_mean(ssl_square(ssl_add_scalar(ssl_matmul_t(h, h, 1, 0), -1.0f)));
}
static float net_step(ssl_ctx *c, int step)
{
    ssl_tensor *loss = net_loss(c, step);
    const float value = ssl_item(loss);
    ssl_backward(loss);
    ssl_clip_grad_norm(c, 1.0f);
    ssl_adamw_step(c, 1e-3f);
    ssl_step_end(c);
    return value;
}

/* Random123's known answers for philox4x32-10: counter, key, output. */
static void test_philox(void)
{
    static const uint32_t kat[3][10] = {
        { 0, 0, 0, 0, 0, 0, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u },
        { ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu },
        { 0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u, 0xd16cfe09u, 0x94fdcceb, 0x5001e420u, 0x24126ea1u },
    };
    uint32_t out[4];
    int i;
    for (i = 0; i < 3; i++) {
        const uint32_t *k = kat[i];
        ssl__philox(k[4] | (uint64_t)k[5] << 32, k[2] | (uint64_t)k[3] << 32, k[0] | (uint64_t)k[1] << 32, out);
        CHECK(!memcmp(out, k + 6, sizeof out));
    }
}
static void test_rng(void)
{
    ssl_rng r = ssl_rng_make(1, 2), again = ssl_rng_make(1, 2), other = ssl_rng_make(1, 3);
    double sum = 0.0, sum2 = 0.0, uniform = 0.0;
    int i, bins[7] = { 0 }, same = 0, in_range = 1, n = 70000;
    for (i = 0; i < 100; i++) {
        const uint32_t u = ssl_rng_u32(&r);
        CHECK(u == ssl_rng_u32(&again));
        same += u == ssl_rng_u32(&other);
    }
    CHECK(same == 0);
    for (i = 0; i < n; i++) {
        const float z = ssl_rng_normal(&r), u = ssl_rng_uniform(&r);
        const int b = ssl_rng_below(&r, 7);
        sum += (double)z;
        sum2 += (double)z * (double)z;
        uniform += (double)u;
        in_range = in_range && u >= 0.0f && u < 1.0f && b >= 0 && b < 7;
        bins[b]++;
    }
    CHECK(in_range);
    CHECK(fabs(sum / n) < 0.02 && fabs(sum2 / n - 1.0) < 0.03 && fabs(uniform / n - 0.5) < 0.01);
    for (i = 0; i < 7; i++) CHECK(abs(bins[i] - n / 7) < 500);
}

static void test_no_allocation_after_step_two(void)
{
    ssl_ctx *c = open_quiet(0);
    uint64_t n;
    size_t peak;
    int i;
    net_make(c);
    net_step(c, 0);
    net_step(c, 1);
    n = ssl_memory_stats(c).n_allocs;
    peak = ssl_memory_stats(c).step_peak;
    fail_at = 1; /* not even behind the counter's back */
    n_made = 0;
    for (i = 2; i < 6; i++) net_step(c, i);
    fail_at = 0;
    CHECK(ssl_memory_stats(c).n_allocs == n);
    CHECK(ssl_memory_stats(c).step_peak == peak);
    CHECK(ssl_memory_stats(c).step_bytes == 0);
    CHECK(ssl_close(c) == SSL_OK);
    CHECK(n_alive == 0);
}

static void train_bits(int threads, float *out, int n)
{
    ssl_ctx *c = open_quiet(threads);
    int i;
    net_make(c);
    for (i = 0; i < 3; i++) net_step(c, i);
    CHECK(ssl_ok(c));
    memset(out, 0, sizeof *out * (size_t)n);
    ssl_to_host(ssl_param_find(c, "b.weight"), out);
    ssl_close(c);
}
static void test_threads_same_bits(void)
{
    static float one[HIDDEN * HIDDEN], two[HIDDEN * HIDDEN], again[HIDDEN * HIDDEN], five[HIDDEN * HIDDEN];
    train_bits(1, one, HIDDEN * HIDDEN);
    train_bits(2, two, HIDDEN * HIDDEN);
    train_bits(5, five, HIDDEN * HIDDEN);
    train_bits(2, again, HIDDEN * HIDDEN);
    CHECK(!memcmp(one, two, sizeof one));
    CHECK(!memcmp(one, five, sizeof one));
    CHECK(!memcmp(two, again, sizeof one));
}

static void test_params(void)
{
    ssl_ctx *c = open_quiet(0);
    const ssl_init one = ssl_init_make(SSL_INIT_CONSTANT, 1.0f);
    ssl_tensor *w = ssl_param(c, one, "block.0.weight", 2, 3, 5), *b = ssl_param(c, one, "block.0.bias", 1, 3), *t;
    const char *name = NULL;
    float back[15];
    char s[32];
    int i;
    CHECK(ssl_param_count(c) == 2 && ssl_param_total(c) == 18);
    CHECK(b->x - w->x == 16 && ((uintptr_t)w->x & 63) == 0 && !w->g);
    CHECK(ssl_grad_of(b) - ssl_grad_of(w) == 16 && ((uintptr_t)w->g & 63) == 0 && !c->state[1]);
    CHECK(ssl_param_find(c, "block.0.bias") == b && !ssl_param_find(c, "block.0"));
    CHECK(ssl_param(c, one, "block.0.bias", 1, 3) == b);
    CHECK(ssl_param_at_index(c, 1, &name) == b && !strcmp(name, "block.0.bias"));
    CHECK(ssl_param_at_index(c, 2, &name) == &c->nil);
    for (i = 0; i < 40; i++) { /* grows past the first buffer: tensors stay valid, values stay */
        snprintf(s, sizeof s, "more.%d", i);
        ssl_param(c, one, s, 2, 30, 30);
    }
    CHECK(ssl_to_host(w, back) && back[0] == 1.0f && back[14] == 1.0f);
    CHECK(ssl_param_group(c, "*.bias", 1.0f, 0.0f, 0) == 1);
    CHECK(c->param[1]->decay_scale == 0.0f && c->param[0]->decay_scale == 1.0f);
    CHECK(ssl_param_group(c, "more.*", 1.0f, 1.0f, 1) == 40 && ssl_param_total(c) == 18);
    CHECK(ssl_param_group(c, "*", 1.0f, 1.0f, 0) == 42 && ssl_param_group(c, "none", 1.0f, 1.0f, 0) == 0);
    CHECK(ssl__match("a*c*e", "abcde") && ssl__match("*", "") && !ssl__match("a*c", "ab") && !ssl__match("abc", "ab") && ssl__match("**b", "aab"));
    t = ssl_param(c, one, "block.0.bias", 1, 4);
    CHECK(t == &c->nil && said("\"block.0.bias\" exists as [3]", "[4]"));
    ssl_close(c);
    CHECK(n_alive == 0);
}

/* As many as a table of one tensor per class or pixel may need: each is found in the time of one. */
static void test_many_params(void)
{
    ssl_ctx *c = open_quiet(1);
    const clock_t begin = clock();
    const char *name;
    char s[32];
    int i, found = 0;
    for (i = 0; i < 60000; i++) {
        snprintf(s, sizeof s, "table.%d.weight", i);
        ssl_param(c, ssl_init_make(SSL_INIT_ZEROS, 0.0f), s, 1, 2);
    }
    CHECK(clock() - begin < 2 * CLOCKS_PER_SEC); /* a tenth of a second; looking at all names takes six */
    for (i = 0; i < 60000; i += 7) {
        const ssl_tensor *t = ssl_param_at_index(c, i, &name);
        snprintf(s, sizeof s, "table.%d.weight", i);
        found += !strcmp(name, s) && ssl_param_find(c, s) == t;
    }
    CHECK(ssl_ok(c) && found == 60000 / 7 + 1 && ssl_param_count(c) == 60000 && !ssl_param_find(c, "table.60000.weight") && !ssl_param_find(c, ""));
    ssl_close(c);
    CHECK(n_alive == 0);
}

static void test_frozen(void)
{
    ssl_ctx *c = open_quiet(0);
    float g[HIDDEN * IN];
    int i, zero = 1;
    net_make(c);
    ssl_param_group(c, "a.weight", 1.0f, 1.0f, 1);
    ssl_backward(net_loss(c, 0));
    CHECK(ssl_grad_to_host(ssl_param_find(c, "a.weight"), g));
    for (i = 0; i < HIDDEN * IN; i++) zero = zero && g[i] == 0.0f;
    CHECK(zero && ssl_ok(c));
    ssl_close(c);
}

static void sin_f(ssl_tensor *y) { int64_t i; for (i = 0; i < ssl_numel(y); i++) y->x[i] = sinf(*(float *)y->aux * y->in[0]->x[i]); }
static void sin_b(ssl_tensor *y)
{
    const float k = *(float *)y->aux;
    float *dx = ssl_grad_of(y->in[0]);
    int64_t i;
    for (i = 0; dx && i < ssl_numel(y); i++) dx[i] += y->g[i] * k * cosf(k * y->in[0]->x[i]);
}
static void broken_f(ssl_tensor *y) { ssl_raise(y->ctx, SSL_E_ARG, "my_op: no"); }
static void test_custom_op(void)
{
    ssl_ctx *c = open_quiet(0);
    const float data[3] = { 0.3f, -1.0f, 2.0f }, k = 1.5f;
    ssl_tensor *x = ssl_requires_grad(ssl_input(c, data, 1, 3)), *y;
    float g[3];
    int i;
    y = ssl_custom_op(c, "my_sin", sin_f, sin_b, &k, sizeof k, 1, &x, x->ndim, x->dim);
    ssl_backward(ssl_sum(y));
    CHECK(ssl_grad_to_host(x, g));
    for (i = 0; i < 3; i++) CHECK(fabsf(y->x[i] - sinf(k * data[i])) < 1e-6f && fabsf(g[i] - k * cosf(k * data[i])) < 1e-5f);
    y = ssl_custom_op(c, "my_constant", sin_f, NULL, &k, sizeof k, 1, &x, x->ndim, x->dim);
    y = ssl_custom_op(c, "my_op", broken_f, sin_b, NULL, 0, 0, NULL, 1, x->dim);
    CHECK(y == &c->nil && said("my_op: no", ""));
    ssl_close(c);
    CHECK(n_alive == 0);
}

static void test_tape(void)
{
    ssl_ctx *c = open_quiet(0);
    const float data[2] = { 2.0f, -3.0f };
    ssl_tensor *x = ssl_requires_grad(ssl_input(c, data, 1, 2)), *y, *loss;
    float g[2];
    y = ssl_square(x);
    loss = ssl_sum(ssl_matmul(ssl_reshape(y, 2, 1, 2), ssl_reshape(x, 2, 2, -1))); /* sum x^3: both operands reach x */
    ssl_backward(loss);
    CHECK(ssl_item(loss) == 8.0f - 27.0f && ssl_grad_to_host(x, g) && fabsf(g[0] - 12.0f) < 1e-5f && fabsf(g[1] - 27.0f) < 1e-5f);
    loss = ssl_sum(ssl_scale(x, 2.0f));
    ssl_backward(loss); /* adds to what is there */
    CHECK(ssl_grad_to_host(x, g) && fabsf(g[0] - 14.0f) < 1e-5f);
    ssl_step_end(c);

    x = ssl_requires_grad(ssl_input(c, data, 1, 2));
    y = ssl_detach(ssl_square(x));
    CHECK(!y->needs_grad && y->x[1] == 9.0f);
    ssl_no_grad(c, 1);
    ssl_no_grad(c, 1);
    ssl_no_grad(c, 0);
    CHECK(!ssl_square(x)->needs_grad);
    ssl_no_grad(c, 0);
    CHECK(ssl_square(x)->needs_grad);
    ssl_step_end(c);

    x = ssl_requires_grad(ssl_input(c, data, 1, 2));
    loss = ssl_sum(x);
    ssl_backward(loss);
    CHECK(ssl_ok(c));
    ssl_backward(loss);
    CHECK(said("ssl_backward", "already used up"));
    ssl_close(c);
}

static void test_nan_is_blamed(void)
{
    ssl_ctx *c = open_quiet(0);
    const float data[2] = { 1.0f, -1.0f };
    ssl_tensor *x = ssl_requires_grad(ssl_input(c, data, 1, 2));
    char line[32];
    ssl_tensor *bad = ssl_log(ssl_scale(x, 2.0f));
    snprintf(line, sizeof line, "test_engine.c:%d", __LINE__ - 1);
    ssl_backward(ssl_mean(ssl_exp(bad)));
    CHECK(said("ssl_log [2]", line) && ssl_error(c) == SSL_E_NAN);
    ssl_close(c);
}

static void test_two_contexts(void)
{
    ssl_ctx *a = open_quiet(1), *b = open_quiet(2);
    float one[HIDDEN * HIDDEN], two[HIDDEN * HIDDEN];
    int i;
    net_make(a);
    net_make(b);
    for (i = 0; i < 2; i++) CHECK(net_step(a, i) == net_step(b, i));
    ssl_to_host(ssl_param_find(a, "b.weight"), one);
    ssl_to_host(ssl_param_find(b, "b.weight"), two);
    CHECK(!memcmp(one, two, sizeof one));
    CHECK(ssl_matmul(ssl_param_find(a, "b.weight"), ssl_param_find(b, "b.weight")) == &a->nil);
    CHECK(said("ssl_matmul", "two contexts") && !ssl_ok(a) && ssl_ok(b));
    ssl_close(a);
    ssl_close(b);
    CHECK(n_alive == 0);
}

static void test_open(void)
{
    ssl_desc d;
    ssl_ctx *c;
    memset(&d, 0xcc, sizeof d); /* what a desc without an initializer may hold: its handler must not be called */
    c = ssl_open(&d);
    CHECK(ssl_error(c) == SSL_E_ARG && strstr(ssl_error_message(c), "SSL_ZERO"));
    CHECK(ssl_close(c) == SSL_E_ARG);
#ifndef __CUDACC__
    memset(&d, 0, sizeof d);
    d.device = SSL_DEVICE_CUDA;
    d.on_error = on_error;
    n_errors = 0;
    c = ssl_open(&d);
    CHECK(said("without CUDA", "nvcc") && ssl_close(c) == SSL_E_CUDA);
#endif
    CHECK(n_alive == 0);
}

static void test_error_is_sticky_until_cleared(void)
{
    ssl_ctx *c = open_quiet(0);
    ssl_tensor *bad;
    net_make(c);
    bad = ssl_input(c, NULL, 7, 1, 1, 1, 1, 1, 1, 1);
    CHECK(bad == &c->nil && said("ssl_input", "7 axes"));
    CHECK(net_step(c, 0) != net_step(c, 0) && n_errors == 1); /* NaN */
    ssl_error_clear(c);
    CHECK(ssl_ok(c) && net_step(c, 0) > 0.0f);
    ssl_gelu(bad); /* a nil tensor from before the clear is an error again, not a crash */
    CHECK(n_errors == 2 && !ssl_ok(c));
    ssl_error_clear(c);
    ssl_input(c, NULL, 6, 1 << 30, 1 << 30, 1 << 30, 1 << 30, 1 << 30, 1 << 30);
    CHECK(n_errors == 3 && ssl_error(c) == SSL_E_SHAPE);
    ssl_close(c);
}

/* Whatever allocation fails: one error, no crash, nothing lost; and the context without memory answers every call. */
static void test_out_of_memory(void)
{
    long n;
    int i, code;
    for (n = 1; n < 200; n++) {
        ssl_ctx *c;
        fail_at = n;
        n_made = 0;
        c = open_quiet(1);
        net_make(c);
        for (i = 0; i < 3; i++) net_step(c, i);
        code = ssl_close(c);
        fail_at = 0;
        if (code == SSL_OK) break;
        CHECK(code == SSL_E_MEMORY && n_errors == 1 && n_alive == 0);
    }
    CHECK(n > 10 && n < 200);
}
static void test_memory_error_names_the_op(void)
{
    ssl_ctx *c = open_quiet(1);
    ssl_tensor *x = ssl_input(c, NULL, 2, 1, 1);
    fail_at = 1;
    n_made = 0;
    ssl_expand(x, 2, 4096, 4096);
    fail_at = 0;
    CHECK(said("error: ssl_expand: out of memory: ", " bytes asked for"));
    ssl_close(c);
}
static void test_context_without_memory(void)
{
    ssl_ctx *c;
    ssl_tensor *t;
    ssl_dataset *data;
    ssl_loader *loader;
    ssl_batch b;
    float v;
    fail_at = 1;
    n_made = 0;
    c = open_quiet(2);
    fail_at = 0;
    CHECK(n_errors == 1 && !ssl_ok(c) && ssl_error(c) == SSL_E_MEMORY);
    net_make(c);
    t = ssl_input(c, NULL, 1, 1);
    ssl_backward(ssl_mean(ssl_linear(ssl_gelu(t), t, t)));
    ssl_adamw_step(c, 1.0f);
    ssl_zero_grad(c);
    ssl_train(c, 0);
    ssl_no_grad(c, 1);
    ssl_error_clear(c);
    ssl_rng_stream(c);
    ssl_step_end(c);
    ssl_add(t, ssl_mul(t, t));
    CHECK(!ssl_ok(ssl_mae_loss(ssl_mae_new(c, "", NULL), t, NULL)->ctx) && isnan(ssl_psnr(t, t, 0)));
    data = ssl_dataset_open(c, "synthetic:16");
    loader = ssl_loader_open(data, NULL);
    CHECK(!ssl_loader_next(loader, &b) && !ssl_save(c, "/nowhere/x") && !ssl_load(c, "/nowhere/x", NULL));
    CHECK(!ssl_ok(c) && n_errors == 1 && ssl_item(t) != ssl_item(t) && !ssl_to_host(t, &v) && ssl_param_count(c) == 0);
    CHECK(ssl_isa(c) && ssl_memory_stats(c).n_allocs == 0);
    CHECK(ssl_close(c) == SSL_E_MEMORY && n_alive == 0);
}

int main(int argc, char **argv)
{
    if (argc > 1) check_filter = argv[1];
    TEST(philox);
    TEST(rng);
    TEST(no_allocation_after_step_two);
    TEST(threads_same_bits);
    TEST(params);
    TEST(many_params);
    TEST(frozen);
    TEST(custom_op);
    TEST(tape);
    TEST(nan_is_blamed);
    TEST(two_contexts);
    TEST(open);
    TEST(error_is_sticky_until_cleared);
    TEST(out_of_memory);
    TEST(memory_error_names_the_op);
    TEST(context_without_memory);
    return check_done();
}
