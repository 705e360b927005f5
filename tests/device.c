/* The CUDA backend from outside: a training run beside the CPU's, lists that become graphs, errors that come later, loaders.
 *
 *     build/emu/device [NAME]     on the host emulation, where an operation runs as late as it may and calls can be made to fail
 *     build/cuda/device [NAME]    on a GPU
 */
#define _POSIX_C_SOURCE 200809L /* setenv */
#define SSL__STAGE (16 << 10) /* small: uploads of two steps do not fit */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "check.h"
#include "networks.h"

static char said[1024]; /* the last message */
static void hear(ssl_status code, const char *message, void *user) { (void)code; (void)user; snprintf(said, sizeof said, "%s", message); }
static ssl_ctx *open_at(ssl_device device, ssl_precision precision)
{
    ssl_desc d = SSL_ZERO;
    d.device = device;
    d.precision = precision;
    d.on_error = hear;
    d.threads = 1;
    d.seed = 5;
    said[0] = 0;
    return ssl_open(&d);
}
static ssl_ctx *open_on(ssl_device device) { return open_at(device, SSL_PRECISION_DEFAULT); }
static double apart(const float *a, const float *b, int64_t n) /* |a - b| / |b| */
{
    double d = 0.0, s = 0.0;
    int64_t i;
    for (i = 0; i < n; i++) { d += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]); s += (double)b[i] * (double)b[i]; }
    return sqrt(d / s);
}
static int near_to(const float *a, const float *b, int64_t n, double tolerance) /* of the largest magnitude of b */
{
    double worst = 0.0, top = 1e-6;
    int64_t i;
    for (i = 0; i < n; i++) {
        if (!(fabs((double)a[i] - (double)b[i]) <= 1e30)) { printf("     element %lld: %g, %g\n", (long long)i, (double)a[i], (double)b[i]); return 0; }
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
        top = fmax(top, fabs((double)b[i]));
    }
    if (worst > tolerance * top) printf("     off by %g of %g\n", worst, top);
    return worst <= tolerance * top;
}
static float pixel(int step, int i) { return sinf(0.37f * (float)i + 1.7f * (float)step) + 0.3f * sinf(0.011f * (float)(i * (step + 3))); }

/* ---- a training run ---- */
enum { STEPS = 14, BATCH = 4, SIDE = 16, PIXELS = BATCH * 3 * SIDE * SIDE, MOST_PARAMS = 60000 };
typedef struct course { /* what one does */
    ssl_device device;
    ssl_precision precision;
    ssl_optim_desc optim;
    int odd;     /* every fifth batch is smaller */
    int reads;   /* the loss is waited for in every third step */
    int nan_at;  /* the images of this step have one that is not a number; -1: none */
} course;
typedef struct result { float loss[STEPS], w[MOST_PARAMS]; int64_t n; } result;
static ssl_mae *small_mae(ssl_ctx *c)
{
    ssl_mae_desc d = SSL_ZERO;
    d.image_size = SIDE;
    d.dim = 32; d.depth = 1; d.heads = 2; d.hidden = 48;
    d.decoder_dim = 16; d.decoder_depth = 1; d.decoder_heads = 1; d.decoder_hidden = 32;
    d.drop_path = 0.2f;
    return ssl_mae_new(c, "mae", &d);
}
static void copy_params(ssl_ctx *c, result *r)
{
    int i;
    r->n = 0;
    for (i = 0; i < ssl_param_count(c); i++) {
        const ssl_tensor *t = ssl_param_at_index(c, i, NULL);
        if (r->n + ssl_numel(t) > MOST_PARAMS || !ssl_to_host(t, r->w + r->n)) { r->n = 0; return; }
        r->n += ssl_numel(t);
    }
}
static int64_t train_step(ssl_ctx *c, const ssl_mae *m, const course *p, int s) /* the ticket of its loss */
{
    float images[PIXELS];
    const int n = p->odd && s % 5 == 4 ? BATCH - 1 : BATCH;
    ssl_tensor *loss;
    int64_t ticket;
    int i;
    for (i = 0; i < PIXELS; i++) images[i] = pixel(s, i);
    if (s == p->nan_at) images[7] = NAN;
    loss = ssl_mae_loss(m, ssl_input(c, images, 4, n, 3, SIDE, SIDE), NULL);
    ssl_backward(loss);
    ticket = ssl_item_begin(loss);
    if (p->reads && s % 3 == 2) CHECK(ssl_item(loss) == ssl_item_end(c, ticket));
    ssl_optim_step(c, &p->optim, 1e-3f);
    ssl_step_end(c);
    return ticket;
}
static void train(const course *p, result *r)
{
    ssl_ctx *c = open_at(p->device, p->precision);
    const ssl_mae *m = small_mae(c);
    int64_t ticket[STEPS];
    int s;
    for (s = 0; s < STEPS; s++) {
        ticket[s] = train_step(c, m, p, s);
        if (s > 0) r->loss[s - 1] = ssl_item_end(c, ticket[s - 1]);
    }
    r->loss[STEPS - 1] = ssl_item_end(c, ticket[STEPS - 1]);
    copy_params(c, r);
    CHECK(ssl_close(c) == SSL_OK);
}
static course plain(ssl_device device) { course p; memset(&p, 0, sizeof p); p.device = device; p.nan_at = -1; return p; }
static result cpu, gpu, again;
static int same(const result *a, const result *b) { return a->n == b->n && a->n > 0 && !memcmp(a->loss, b->loss, sizeof a->loss) && !memcmp(a->w, b->w, sizeof(float) * (size_t)a->n); }

static void test_training(void) /* as on the CPU, with every optimizer, and the same bits twice */
{
    static const ssl_optim_kind kind[] = { SSL_OPTIM_ADAMW, SSL_OPTIM_ADAM, SSL_OPTIM_SGD, SSL_OPTIM_LARS };
    int k;
    for (k = 0; k < 4; k++) {
        course p = plain(SSL_DEVICE_CPU);
        p.optim.kind = kind[k];
        p.optim.weight_decay = 0.1f;
        p.optim.clip_norm = k % 2 ? 0.0f : 0.5f; /* the first norm is about 4 */
        train(&p, &cpu);
        p.device = SSL_DEVICE_CUDA;
        train(&p, &gpu);
        CHECK(gpu.n == cpu.n && cpu.n > 0);
        CHECK(near_to(gpu.loss, cpu.loss, STEPS, 1e-4));
        CHECK(near_to(gpu.w, cpu.w, cpu.n, 2e-3)); /* Adam divides by gradients that are nearly 0 */
        if (k == 0) {
            train(&p, &again);
            CHECK(same(&gpu, &again));
        }
    }
}
static void test_graphs(void) /* replayed or not, whatever the host reads and however the shape changes: the same bits */
{
    int k;
    for (k = 0; k < 2; k++) {
        course p = plain(SSL_DEVICE_CUDA);
        p.odd = p.reads = k;
        train(&p, &gpu);
        setenv("SSL_CUDA_GRAPH", "0", 1);
        train(&p, &again);
        unsetenv("SSL_CUDA_GRAPH");
        CHECK(same(&gpu, &again));
        setenv("SSL_CUDA_SYNC", "1", 1);
        train(&p, &again);
        unsetenv("SSL_CUDA_SYNC");
        CHECK(same(&gpu, &again));
    }
}
static void test_steady(void) /* after three steps: no memory is asked for, and every list is a graph */
{
    const course p = plain(SSL_DEVICE_CUDA);
    ssl_ctx *c = open_on(SSL_DEVICE_CUDA);
    const ssl_mae *m = small_mae(c);
    const ssl__cuda *g = (const ssl__cuda *)c->gpu;
    int64_t allocs, replays, flushes;
    int s;
    for (s = 0; s < 5; s++) train_step(c, m, &p, s);
    allocs = (int64_t)ssl_memory_stats(c).n_allocs;
    replays = g->replays;
    flushes = g->flushes;
#ifdef SSL__EMULATED
    emu_n_allocs = emu_n_launches = emu_n_waits = emu_n_graphs = 0;
#endif
    for (; s < 10; s++) train_step(c, m, &p, s);
    CHECK((int64_t)ssl_memory_stats(c).n_allocs == allocs);
    CHECK(g->replays - replays == g->flushes - flushes && g->replays > replays);
#ifdef SSL__EMULATED
    CHECK(emu_n_allocs == 0 && emu_n_launches == 0 && emu_n_waits == 0 && emu_n_graphs >= 5);
#endif
    CHECK(ssl_close(c) == SSL_OK);
}

/* ---- averages: updated in the launch of the parameters that they follow, in bf16 copies too ---- */
enum { FOLLOWED = 4 };
/* All parameters and losses after some steps in which a target follows the network that is trained towards it; returns how many values.
   apart: the host reads something between the two updates, which so cannot be one launch. */
static int64_t follow(ssl_device device, ssl_precision precision, ssl_optim_kind kind, int apart, result *r)
{
    ssl_ctx *c = open_at(device, precision);
    ssl_block_desc d = SSL_ZERO;
    ssl_optim_desc o = SSL_ZERO;
    ssl_block net, target;
    float in[4 * 6 * 32];
    int i, s;
    for (i = 0; i < 4 * 6 * 32; i++) in[i] = pixel(i % 7, i);
    d.dim = 32; d.heads = 2; d.hidden = 48;
    o.kind = kind;
    target = ssl_block_new(c, "target", &d); /* first: gradients and moments do not begin where values do */
    net = ssl_block_new(c, "net", &d);
    ssl_param_group(c, "target*", 1.0f, 1.0f, 1);
    ssl_ema_copy(c, "target", "net");
    memset(r, 0, sizeof *r);
    for (s = 0; s < FOLLOWED; s++) {
        ssl_tensor *x = ssl_input(c, in, 3, 4, 6, 32), *y = ssl_block_forward(&target, x, NULL);
        ssl_tensor *z = ssl_block_forward(&net, x, NULL), *loss = ssl_add(ssl_mean(ssl_mul(z, x)), ssl_scale(ssl_mse(z, y), 10.0f));
        int tasks = 0;
        ssl_backward(loss);
        r->loss[s] = ssl_item(loss);
        ssl_optim_step(c, &o, kind == SSL_OPTIM_SGD ? 0.02f : 1e-3f);
        if (apart) ssl_item(loss);
        if (device == SSL_DEVICE_CUDA) tasks = ((const ssl__cuda *)c->gpu)->now.n;
        ssl_ema_update(c, "target", "net", 0.7f);
        if (device == SSL_DEVICE_CUDA) CHECK(((const ssl__cuda *)c->gpu)->now.n == tasks + apart);
        ssl_step_end(c);
    }
    copy_params(c, r);
    CHECK(ssl_close(c) == SSL_OK);
    return r->n;
}
static void test_averages(void)
{
    static const ssl_optim_kind kind[] = { SSL_OPTIM_ADAMW, SSL_OPTIM_SGD };
    int k;
    for (k = 0; k < 2; k++) {
        const int64_t n = follow(SSL_DEVICE_CPU, SSL_PRECISION_HIGHEST, kind[k], 0, &cpu);
        CHECK(n > 0 && follow(SSL_DEVICE_CUDA, SSL_PRECISION_HIGHEST, kind[k], 0, &gpu) == n);
        CHECK(apart(gpu.w, cpu.w, n) < 2e-4 && near_to(gpu.loss, cpu.loss, FOLLOWED, 1e-4));
        CHECK(follow(SSL_DEVICE_CUDA, SSL_PRECISION_BF16, kind[k], 0, &gpu) == n);
        CHECK(apart(gpu.w, cpu.w, n) < 5e-3 && near_to(gpu.loss, cpu.loss, FOLLOWED, 1e-2));
        CHECK(follow(SSL_DEVICE_CUDA, SSL_PRECISION_BF16, kind[k], 1, &again) == n && same(&gpu, &again));
    }
}

/* ---- boolean masks: tiles that are blocked as a whole are skipped, with the bits of the same mask as numbers to add ---- */
enum { SEEN_B = 2, SEEN_T = 150 };
/* y and the gradients of packed q, k, v; how: 0 boolean, 1 boolean for each sample, 2 additive. unread: keys that nobody sees are no numbers. */
static int64_t seen(ssl_precision precision, int D, int heads, int how, int unread, float *y)
{
    static float in[SEEN_B * SEEN_T * 3 * 96], add[SEEN_T * SEEN_T];
    static uint8_t blocked[SEEN_B * SEEN_T * SEEN_T];
    ssl_ctx *c = open_at(SSL_DEVICE_CUDA, precision);
    ssl_tensor *x, *mask, *out;
    int64_t n = 0;
    int i;
    for (i = 0; i < SEEN_B * SEEN_T * 3 * D; i++) in[i] = unread && i / (3 * D) % SEEN_T >= 128 ? NAN : pixel(3, i);
    for (i = 0; i < SEEN_B * SEEN_T * SEEN_T; i++) { /* block-causal: segments of 1, 2, 3, ... tokens; the last keys see and are seen by none */
        const int q = i / SEEN_T % SEEN_T, k = i % SEEN_T;
        blocked[i] = (uint8_t)(sqrt(8.0 * k + 1.0) - sqrt(8.0 * q + 1.0) > 2.0 || k >= 128 || q >= 128);
        if (i < SEEN_T * SEEN_T) add[i] = blocked[i] ? -INFINITY : 0.0f;
    }
    x = ssl_requires_grad(ssl_input(c, in, 3, SEEN_B, SEEN_T, 3 * D));
    mask = how == 2 ? ssl_input(c, add, 2, SEEN_T, SEEN_T) : how ? ssl_input_u8(c, blocked, 3, SEEN_B, SEEN_T, SEEN_T) : ssl_input_u8(c, blocked, 2, SEEN_T, SEEN_T);
    out = ssl_attention_packed(x, heads, 0.0f, mask, 0);
    if (ssl_to_host(out, y)) n = ssl_numel(out);
    ssl_backward(ssl_mean(ssl_square(ssl_slice(out, 1, 0, 128))));
    if (ssl_grad_to_host(x, y + n)) n += ssl_numel(x);
    CHECK(ssl_close(c) == SSL_OK);
    return n;
}
static void test_seen(void)
{
    static float y[2][SEEN_B * SEEN_T * 4 * 96];
    int p, wide, how, i;
    for (p = SSL_PRECISION_HIGHEST; p <= SSL_PRECISION_BF16; p++)
        for (wide = 0; wide < 2; wide++) {
            const int D = wide ? 96 : 12;
            const int64_t n = seen((ssl_precision)p, D, wide ? 1 : 2, 2, 0, y[0]);
            for (how = 0; how < 2; how++) {
                CHECK(n > 0 && seen((ssl_precision)p, D, wide ? 1 : 2, how, 0, y[1]) == n && !memcmp(y[0], y[1], sizeof(float) * (size_t)n));
                CHECK(seen((ssl_precision)p, D, wide ? 1 : 2, how, 1, y[1]) == n);
                for (i = 0; i < n; i++) { /* what is not read cannot spoil anything */
                    const int64_t token = i < SEEN_B * SEEN_T * D ? i / D : (i - SEEN_B * SEEN_T * D) / (3 * D);
                    if (token % SEEN_T < 128 && !(y[1][i] == y[0][i])) break;
                }
                CHECK(i == n);
            }
        }
}

/* ---- precision bf16: results inside of a layer are bf16 in memory ---- */
enum { MOST_VALUES = 1 << 16 };
static float value(int i) { return 0.7f * sinf(0.61f * (float)i) + 0.3f * cosf(0.017f * (float)(i % 911)); }
static float rounded(float x) { uint32_t u; memcpy(&u, &x, 4); u = (u + 0x7fffu + (u >> 16 & 1u)) & 0xffff0000u; memcpy(&x, &u, 4); return x; }
/* n values on the device, as bf16 where half is set; the host has them in either case as floats that bf16 can hold */
static float *lend(ssl_ctx *c, int half, int64_t n, const float *x)
{
    static uint16_t h[MOST_VALUES];
    float *p = (float *)c->dev->alloc(c, sizeof(float) * (size_t)n);
    int64_t i;
    for (i = 0; i < n && half; i++) { uint32_t u; memcpy(&u, &x[i], 4); h[i] = (uint16_t)(u >> 16); }
    c->dev->put(c, p, half ? (const void *)h : (const void *)x, (half ? 2 : 4) * (size_t)n);
    return p;
}
static void take_back(ssl_ctx *c, int half, int64_t n, float *p, float *x)
{
    static uint16_t h[MOST_VALUES];
    int64_t i;
    c->dev->get(c, half ? (void *)h : (void *)x, p, (half ? 2 : 4) * (size_t)n);
    for (i = 0; i < n && half; i++) { const uint32_t u = (uint32_t)h[i] << 16; memcpy(&x[i], &u, 4); }
    c->dev->release(c, p);
}
typedef struct shape { int batch, m, n, k; } shape;
/* y = act(beta y + op(a) op(b) + bias) + residual with operands of either type, whose values bf16 can hold: the CPU's sums */
static void product(ssl_device device, const shape *s, int ta, int tb, unsigned half, int more, float *y, float *pre)
{
    static float a[MOST_VALUES], b[MOST_VALUES];
    ssl_ctx *c = open_at(device, device == SSL_DEVICE_CUDA ? SSL_PRECISION_BF16 : SSL_PRECISION_HIGHEST);
    const int64_t na = (int64_t)s->batch * s->m * s->k, nb = (int64_t)s->batch * s->k * s->n, ny = (int64_t)s->batch * s->m * s->n;
    const int h = device == SSL_DEVICE_CUDA && half & SSL__HALF_Y;
    ssl__epilogue ep = SSL_ZERO;
    float *p[6];
    int i;
    for (i = 0; i < MOST_VALUES; i++) { a[i] = rounded(value(i)); b[i] = rounded(value(3 * i + 1)); y[i] = rounded(value(7 * i)); }
    p[0] = lend(c, device == SSL_DEVICE_CUDA && half & SSL__HALF_A, na, a);
    p[1] = lend(c, device == SSL_DEVICE_CUDA && half & SSL__HALF_B, nb, b);
    p[2] = lend(c, h, ny, y);
    p[3] = lend(c, h, ny, y);
    p[4] = lend(c, 0, s->n, a);
    p[5] = lend(c, 0, ny, b);
    ep.act = SSL_ACT_NONE;
    if (more) { ep.bias = p[4]; ep.act = SSL_ACT_GELU; ep.pre = p[3]; ep.residual = p[5]; }
    if (device == SSL_DEVICE_CUDA) ep.half = half;
    c->k->gemm(c, ta, tb, s->batch, s->m, s->n, s->k, p[0], ta ? s->m : s->k, (int64_t)s->m * s->k, p[1], tb ? s->k : s->n, (int64_t)s->k * s->n, more ? 1.0f : 0.0f,
               p[2], s->n, (int64_t)s->m * s->n, &ep);
    for (i = 0; i < 2; i++) c->dev->release(c, p[i]);
    take_back(c, h, ny, p[2], y);
    take_back(c, h, ny, p[3], pre);
    for (i = 4; i < 6; i++) c->dev->release(c, p[i]);
    CHECK(ssl_close(c) == SSL_OK);
}
static void test_half_products(void)
{
    static const shape shapes[] = { { 1, 72, 136, 64 }, { 1, 33, 41, 27 }, { 1, 392, 136, 24 }, { 3, 9, 15, 70 }, { 1, 24, 16, 1056 }, { 1, 7, 9, 1100 } };
    static float y[2][MOST_VALUES], pre[2][MOST_VALUES];
    size_t i;
    int way;
    unsigned half;
    for (i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (half = 1; half < 8; half++)
            for (way = 0; way < 4; way++) {
                const shape *s = &shapes[i];
                const int64_t n = (int64_t)s->batch * s->m * s->n;
                const double tolerance = half & SSL__HALF_Y ? 4.1e-3 : 1e-5; /* half of bf16's last place */
                const int more = (way + (int)half) % 2;
                product(SSL_DEVICE_CPU, s, way & 1, way >> 1, half, more, y[0], pre[0]);
                product(SSL_DEVICE_CUDA, s, way & 1, way >> 1, half, more, y[1], pre[1]);
                if (!CHECK(near_to(y[1], y[0], n, tolerance) && near_to(pre[1], pre[0], n, tolerance)))
                    printf("     %d x [%d,%d] x [%d,%d], halves %u, transposed %d\n", s->batch, s->m, s->k, s->k, s->n, half, way);
            }
}
/* What a block gives and how its inputs and parameters move it, one after the other in y; returns how many values. */
typedef struct block_case { ssl_block_style style; int dim, heads, tokens, hidden, post_norm, cross, mask; float dropout; ssl_act act; } block_case;
enum { BLOCK_IMAGES = 3, BLOCK_MEMORY = 5 };
static ssl_tensor *block_mask(ssl_ctx *c, const block_case *p)
{
    uint8_t blocked[BLOCK_IMAGES * 80 * 80];
    const int T = p->tokens;
    int i;
    for (i = 0; i < BLOCK_IMAGES * T * T; i++) blocked[i] = (uint8_t)(i % T > i / T % T && i % (i / T / T + 2) == 0);
    return !p->mask ? NULL : p->mask == 1 ? ssl_input_u8(c, blocked, 2, T, T) : ssl_input_u8(c, blocked, 3, BLOCK_IMAGES, T, T);
}
static int64_t run_block(ssl_device device, ssl_precision precision, const block_case *p, float *y, size_t *bytes)
{
    static float in[MOST_VALUES];
    ssl_ctx *c = open_at(device, precision);
    ssl_block_desc d = SSL_ZERO;
    ssl_block b;
    ssl_tensor *x, *memory, *out;
    int64_t n = 0;
    int i;
    for (i = 0; i < MOST_VALUES; i++) in[i] = value(i);
    d.style = p->style; d.dim = p->dim; d.heads = p->heads; d.hidden = p->hidden; d.post_norm = p->post_norm; d.cross = p->cross; d.dropout = p->dropout; d.act = p->act;
    b = ssl_block_new(c, "b", &d);
    x = ssl_requires_grad(ssl_input(c, in, 3, BLOCK_IMAGES, p->tokens, p->dim));
    memory = ssl_requires_grad(ssl_input(c, in + 77, 3, BLOCK_IMAGES, BLOCK_MEMORY, p->dim));
    out = p->cross ? ssl_block_decode(&b, x, memory, block_mask(c, p), NULL) : ssl_block_forward(&b, x, block_mask(c, p));
    ssl_backward(ssl_sum(ssl_mul(out, ssl_input(c, in + 1000, 3, BLOCK_IMAGES, p->tokens, p->dim))));
    if (ssl_to_host(out, y)) n = ssl_numel(out);
    if (ssl_grad_to_host(x, y + n)) n += ssl_numel(x);
    if (p->cross && ssl_grad_to_host(memory, y + n)) n += ssl_numel(memory);
    for (i = 0; i < ssl_param_count(c); i++)
        if (ssl_grad_to_host(ssl_param_at_index(c, i, NULL), y + n)) n += ssl_numel(ssl_param_at_index(c, i, NULL));
    *bytes = ssl_memory_stats(c).step_peak;
    ssl_no_grad(c, 1); /* without a gradient: what is handed back early is used again by other results, of either type */
    for (i = 0; i < 2 && p->dropout == 0.0f; i++) {
        out = p->cross ? ssl_block_decode(&b, x, memory, block_mask(c, p), NULL) : ssl_block_forward(&b, x, block_mask(c, p));
        CHECK(ssl_to_host(out, in) && !memcmp(in, y, sizeof(float) * (size_t)ssl_numel(out)));
    }
    CHECK(ssl_close(c) == SSL_OK);
    return n;
}
static void test_half_blocks(void) /* a block at bf16 beside the CPU's in float32: values and every gradient */
{
    static const block_case cases[] = {
        { SSL_BLOCK_TIMM, 64, 2, 17, 128, 0, 0, 0, 0.0f, SSL_ACT_GELU },  { SSL_BLOCK_TIMM, 27, 3, 9, 41, 0, 0, 0, 0.0f, SSL_ACT_GELU_TANH },
        { SSL_BLOCK_TIMM, 40, 1, 70, 48, 0, 0, 1, 0.0f, SSL_ACT_RELU },   { SSL_BLOCK_TORCH, 48, 2, 11, 64, 1, 1, 2, 0.0f, SSL_ACT_RELU },
        { SSL_BLOCK_TORCH, 33, 1, 7, 50, 0, 1, 0, 0.25f, SSL_ACT_GELU },  { SSL_BLOCK_APL, 54, 2, 16, 70, 1, 0, 0, 0.0f, SSL_ACT_GELU },
        { SSL_BLOCK_APL, 32, 4, 6, 32, 0, 0, 0, 0.1f, SSL_ACT_RELU },     { SSL_BLOCK_TIMM, 288, 2, 5, 96, 0, 0, 2, 0.0f, SSL_ACT_GELU },
        { SSL_BLOCK_TIMM, 256, 1, 5, 32, 0, 0, 2, 0.0f, SSL_ACT_GELU }
    };
    static float y[2][1 << 19];
    size_t i, bytes[3];
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int64_t n = run_block(SSL_DEVICE_CPU, SSL_PRECISION_HIGHEST, &cases[i], y[0], &bytes[0]);
        CHECK(n > 0 && run_block(SSL_DEVICE_CUDA, SSL_PRECISION_BF16, &cases[i], y[1], &bytes[1]) == n);
        if (!CHECK(apart(y[1], y[0], n) < 0.02)) printf("     case %d is off by %g\n", (int)i, apart(y[1], y[0], n));
        CHECK(run_block(SSL_DEVICE_CUDA, SSL_PRECISION_HIGHEST, &cases[i], y[1], &bytes[2]) == n);
        CHECK(apart(y[1], y[0], n) < 1e-4);
        CHECK(bytes[1] < bytes[2]);
    }
}
/* ---- half maps: the kernels beside the CPU's on planes of float32, from numbers that bf16 can hold ---- */
enum { HALF_ROUND = 41 }; /* 1e-4 of the largest value: half of bf16's last place, and sums that are a little off */
typedef struct map_shape { int n, ch, hw; } map_shape;
static void turned(const map_shape *s, int last, const float *x, float *y) /* planes to channels last, or back */
{
    int i, c, p;
    for (i = 0; i < s->n; i++)
        for (c = 0; c < s->ch; c++)
            for (p = 0; p < s->hw; p++) {
                const int planes = (i * s->ch + c) * s->hw + p, pixels = (i * s->hw + p) * s->ch + c;
                if (last) y[pixels] = x[planes];
                else y[planes] = x[pixels];
            }
}
static int values_of(const map_shape *s) { return s->n * s->ch * s->hw; }
static float *lend_map(ssl_ctx *c, int half, const map_shape *s, const float *x)
{
    static float t[MOST_VALUES];
    if (!half || c->device == SSL_DEVICE_CPU) return lend(c, 0, values_of(s), x);
    turned(s, 1, x, t);
    return lend(c, 1, values_of(s), t);
}
static void take_map(ssl_ctx *c, int half, const map_shape *s, float *p, float *x)
{
    static float t[MOST_VALUES];
    if (!half || c->device == SSL_DEVICE_CPU) { take_back(c, 0, values_of(s), p, x); return; }
    take_back(c, 1, values_of(s), p, t);
    turned(s, 0, t, x);
}
static void fill(float *x, int n, int seed) { int i; for (i = 0; i < n; i++) x[i] = rounded(value(seed * i + seed)); }
static ssl_ctx *open_for_maps(ssl_device device) { return open_at(device, device == SSL_DEVICE_CUDA ? SSL_PRECISION_BF16 : SSL_PRECISION_HIGHEST); }

static ssl__window window_of(const int v[12]) /* n, ci, h, w, co, kernel, stride, padding (each of rows and columns), dilation of rows */
{
    ssl__window g;
    memset(&g, 0, sizeof g);
    g.n = v[0]; g.ci = v[1]; g.h = v[2]; g.w = v[3]; g.co = v[4]; g.kh = v[5]; g.kw = v[6]; g.sh = v[7]; g.sw = v[8]; g.ph = v[9]; g.pw = v[10]; g.dh = v[11];
    g.dw = g.groups = 1;
    g.oh = (g.h + 2 * g.ph - g.dh * (g.kh - 1) - 1) / g.sh + 1;
    g.ow = (g.w + 2 * g.pw - (g.kw - 1) - 1) / g.sw + 1;
    return g;
}
/* The moments that a convolution makes on the way are those of what it wrote. */
static void conv_moments(ssl_ctx *c, const ssl__window *of, const float *x, const float *w, float *y)
{
    static float got[MOST_VALUES], moment[2][512];
    const map_shape out = { of->n, of->co, of->oh * of->ow };
    ssl__map_moments m = { NULL, NULL, 0 };
    ssl__window g = *of;
    int k, n, p;
    m.mean = lend(c, 0, g.co, moment[0]);
    m.var = lend(c, 0, g.co, moment[1]);
    g.res = NULL;
    g.relu = 0;
    g.moments = &m;
    ssl__maps(c)->conv_f(c, &g, x, w, NULL, y);
    CHECK(m.made && ssl__get(c, moment[0], m.mean, sizeof(float) * (size_t)g.co) && ssl__get(c, moment[1], m.var, sizeof(float) * (size_t)g.co));
    take_map(c, 1, &out, y, got);
    c->dev->release(c, m.mean);
    c->dev->release(c, m.var);
    for (k = 0; k < g.co; k++) {
        double s = 0.0, q = 0.0;
        for (n = 0; n < g.n; n++) for (p = 0; p < out.hw; p++) s += (double)got[(n * g.co + k) * out.hw + p] / g.n / out.hw;
        for (n = 0; n < g.n; n++) for (p = 0; p < out.hw; p++) { const double d = (double)got[(n * g.co + k) * out.hw + p] - s; q += d * d / g.n / out.hw; }
        if (!CHECK(fabs((double)moment[0][k] - s) < 1e-5 * (fabs(s) + sqrt(q)) && fabs((double)moment[1][k] - q) < 1e-4 * q)) printf("     channel %d: %g %g, want %g %g\n", k, (double)moment[0][k], (double)moment[1][k], s, q);
    }
}
/* more: 1 a bias; of half maps y also 2 a residual, 4 a ReLU */
static void conv_maps(ssl_device device, const ssl__window *of, int more, float beta, float *y, float *dx, float *dw)
{
    static float x[MOST_VALUES], w[MOST_VALUES], dy[MOST_VALUES], res[MOST_VALUES], bias[512];
    ssl__window g = *of;
    const map_shape in = { g.n, g.ci, g.h * g.w }, out = { g.n, g.co, g.oh * g.ow };
    const int hx = (g.half & SSL__HALF_X) != 0, hy = (g.half & SSL__HALF_Y) != 0, nw = g.co * g.ci * g.kh * g.kw;
    ssl_ctx *c = open_for_maps(device);
    float *p[8];
    int i;
    fill(x, values_of(&in), 3); fill(w, nw, 7); fill(dy, values_of(&out), 5); fill(dx, values_of(&in), 11); fill(dw, nw, 13); fill(res, values_of(&out), 17); fill(bias, g.co, 19);
    p[6] = lend_map(c, hy, &out, res);
    p[7] = lend(c, 0, g.co, bias);
    p[0] = lend_map(c, hx, &in, x);
    p[1] = lend(c, 0, nw, w);
    p[2] = lend_map(c, hy, &out, dy);
    p[3] = lend_map(c, hy, &out, dy); /* y: anything */
    p[4] = lend_map(c, hx, &in, dx);
    p[5] = lend(c, 0, nw, dw);
    if (device == SSL_DEVICE_CPU) g.half = 0;
    g.res = hy && more & 2 ? p[6] : NULL;
    g.relu = hy && more & 4;
    ssl__maps(c)->conv_f(c, &g, p[0], p[1], more & 1 ? p[7] : NULL, p[3]);
    for (i = 0; device == SSL_DEVICE_CPU && i < values_of(&out); i++) { /* planes have neither */
        if (g.res) p[3][i] += res[i];
        if (g.relu && p[3][i] < 0.0f) p[3][i] = 0.0f;
    }
    if (g.half) ssl__half_maps(c)->half_conv_b(c, &g, p[0], p[1], p[2], beta, p[4], p[5]);
    else { ssl__maps(c)->conv_bx(c, &g, p[1], p[2], beta, p[4]); ssl__maps(c)->conv_bw(c, &g, p[0], p[2], p[5]); }
    take_map(c, hy, &out, p[3], y);
    take_map(c, hx, &in, p[4], dx);
    take_back(c, 0, nw, p[5], dw);
    if (g.half & SSL__HALF_Y) conv_moments(c, &g, p[0], p[1], lend_map(c, 1, &out, dy));
    for (i = 0; i < 3; i++) c->dev->release(c, p[i]);
    for (i = 6; i < 8; i++) c->dev->release(c, p[i]);
    CHECK(ssl_close(c) == SSL_OK);
}
static void test_half_convolutions(void)
{
    static const int cases[][12] = { /* the last two fill whole tiles of 64 x 128 and 128 x 128 results */
        { 2, 8, 7, 5, 16, 3, 3, 1, 1, 1, 1, 1 },   { 3, 16, 9, 9, 8, 3, 3, 2, 2, 1, 1, 1 },
        { 2, 24, 6, 7, 72, 1, 1, 1, 1, 0, 0, 1 },  { 2, 64, 5, 5, 40, 1, 1, 2, 2, 0, 0, 1 },
        { 1, 3, 12, 13, 8, 7, 7, 2, 2, 3, 3, 1 },  { 2, 16, 9, 8, 5, 3, 2, 1, 3, 2, 0, 2 },
        { 2, 8, 24, 20, 64, 3, 3, 1, 1, 1, 1, 1 }, { 2, 16, 20, 20, 72, 1, 1, 1, 1, 0, 0, 1 }
    };
    static float y[3][MOST_VALUES], dx[3][MOST_VALUES], dw[3][MOST_VALUES];
    size_t i;
    unsigned half;
    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        for (half = 0; half < 4; half++) {
            ssl__window g = window_of(cases[i]);
            const unsigned h = half == 3 ? SSL__HALF_X | SSL__HALF_Y : half == 2 ? SSL__HALF_Y : half ? SSL__HALF_X : 0;
            int k, nx, ny, nw;
            if (((h & SSL__HALF_X) && g.ci % 8) || ((h & SSL__HALF_Y) && g.co % 8)) continue;
            g.half = h;
            nx = g.n * g.ci * g.h * g.w; ny = g.n * g.co * g.oh * g.ow; nw = g.co * g.ci * g.kh * g.kw;
            for (k = 0; k < 3; k++) conv_maps(k ? SSL_DEVICE_CUDA : SSL_DEVICE_CPU, &g, ((int)i + 3 * (int)half) % 8, (float)(half % 2), y[k], dx[k], dw[k]);
            if (!CHECK(near_to(y[1], y[0], ny, h & SSL__HALF_Y ? 1e-4 * HALF_ROUND : 1e-5) && near_to(dx[1], dx[0], nx, h & SSL__HALF_X ? 1e-4 * HALF_ROUND : 1e-5) &&
                       near_to(dw[1], dw[0], nw, 1e-5)))
                printf("     case %d, halves %u\n", (int)i, h);
            CHECK(!memcmp(y[1], y[2], sizeof(float) * (size_t)ny) && !memcmp(dx[1], dx[2], sizeof(float) * (size_t)nx) && !memcmp(dw[1], dw[2], sizeof(float) * (size_t)nw));
        }
}

typedef struct norm_maps { float y[MOST_VALUES], dy[MOST_VALUES], dx[MOST_VALUES], of[6][512]; } norm_maps; /* of channels: mean, variance, s1, s2, dw, db */
static void run_norm_maps(ssl_device device, const map_shape *s, int relu, int with_res, int way, norm_maps *r)
{
    static float x[MOST_VALUES], res[MOST_VALUES], w[512], bias[512];
    const int cuda = device == SSL_DEVICE_CUDA, n = values_of(s);
    ssl_ctx *c = open_for_maps(device);
    ssl__bn b;
    float *p[13];
    int i, told;
    fill(x, n, 3); fill(res, n, 5); fill(w, s->ch, 7); fill(bias, s->ch, 9); fill(r->dy, n, 11); fill(r->dx, n, 13);
    for (i = 0; i < n; i++) x[i] = rounded(x[i] + (float)(i / s->hw % s->ch % 3) * 20.0f); /* means far from 0 */
    for (i = 0; i < 6; i++) fill(r->of[i], s->ch, 17 + i);
    memset(&b, 0, sizeof b);
    b.n = s->n; b.ch = s->ch; b.hw = s->hw; b.relu = relu; b.eps = 1e-5f; b.count = (double)s->n * s->hw;
    b.half = cuda;
    told = relu && !with_res && way; /* what the ReLU lets pass, by the bias */
    p[0] = lend_map(c, 1, s, x); p[1] = lend(c, 0, s->ch, w); p[2] = lend(c, 0, s->ch, bias); p[3] = lend_map(c, 1, s, res);
    p[4] = lend_map(c, 1, s, res); p[5] = lend_map(c, 1, s, r->dy); p[6] = lend_map(c, 1, s, r->dx);
    for (i = 0; i < 6; i++) p[7 + i] = lend(c, 0, s->ch, r->of[i]);
    for (i = 0; i < (way ? 2 : 1); i++) { /* both stages at once, or one after the other */
        b.stages = way ? i ? (int)SSL__BN_APPLY : (int)SSL__BN_STATS : SSL__BN_STATS | SSL__BN_APPLY;
        ssl__maps(c)->batch_norm_f(c, &b, p[0], p[1], p[2], with_res ? p[3] : NULL, p[7], p[8], p[4]);
    }
    for (i = 0; i < (way ? 2 : 1); i++) {
        b.stages = way ? i ? (int)SSL__BN_APPLY : (int)SSL__BN_STATS : SSL__BN_STATS | SSL__BN_APPLY;
        b.shift = told ? p[2] : NULL;
        ssl__maps(c)->batch_norm_b(c, &b, p[0], told && cuda ? NULL : p[4], p[1], p[7], p[8], p[5], p[9], p[10], p[11], p[12], (float)way, p[6]);
    }
    take_map(c, 1, s, p[4], r->y); take_map(c, 1, s, p[5], r->dy); take_map(c, 1, s, p[6], r->dx);
    if (told) memset(r->dy, 0, sizeof r->dy);
    for (i = 0; i < 6; i++) take_back(c, 0, s->ch, p[7 + i], r->of[i]);
    for (i = 0; i < 4; i++) c->dev->release(c, p[i]);
    CHECK(ssl_close(c) == SSL_OK);
}
static void test_half_norms(void)
{
    static const map_shape shapes[] = { { 3, 8, 35 }, { 2, 72, 49 }, { 5, 136, 4 }, { 7, 264, 1 }, { 2, 16, 1300 } };
    static norm_maps r[3];
    size_t i;
    int how, k;
    for (i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (how = 0; how < 8; how++) {
            const map_shape *s = &shapes[i];
            const int n = values_of(s);
            for (k = 0; k < 3; k++) run_norm_maps(k ? SSL_DEVICE_CUDA : SSL_DEVICE_CPU, s, how & 1, how & 2, how >> 2, &r[k]);
            if (!CHECK(near_to(r[1].y, r[0].y, n, 1e-4 * HALF_ROUND) && near_to(r[1].dx, r[0].dx, n, 1e-4 * HALF_ROUND) && !memcmp(r[1].dy, r[0].dy, sizeof(float) * (size_t)n)))
                printf("     [%d,%d,%d], way %d\n", s->n, s->ch, s->hw, how);
            for (k = 0; k < 6; k++) CHECK(near_to(r[1].of[k], r[0].of[k], s->ch, 1e-4)); /* a mean of 40 is known to 4e-6 */
            CHECK(!memcmp(&r[1], &r[2], sizeof r[1]));
        }
}

/* Layer norm of images, residual and ReLU; the CPU's in three steps. */
typedef struct norm_images { float y[MOST_VALUES], dy[MOST_VALUES], dx[MOST_VALUES], dw[2048], db[2048]; } norm_images;
static void run_norm_images(ssl_device device, const map_shape *s, int relu, int with_res, float beta, norm_images *r)
{
    static float x[MOST_VALUES], res[MOST_VALUES], w[2048], bias[2048];
    const int cuda = device == SSL_DEVICE_CUDA, n = values_of(s), values = s->ch * s->hw;
    ssl_ctx *c = open_for_maps(device);
    ssl__bn b;
    float *p[10];
    int i;
    fill(x, n, 3); fill(res, n, 5); fill(w, values, 7); fill(bias, values, 9); fill(r->dy, n, 11); fill(r->dx, n, 13); fill(r->dw, values, 15); fill(r->db, values, 17);
    memset(&b, 0, sizeof b);
    b.n = s->n; b.ch = s->ch; b.hw = s->hw; b.relu = relu; b.eps = 1e-5f; b.half = 1;
    p[0] = lend_map(c, 1, s, x); p[1] = lend(c, 0, values, w); p[2] = lend(c, 0, values, bias); p[3] = lend_map(c, 1, s, res); p[4] = lend(c, 0, 2 * s->n, x);
    p[5] = lend_map(c, 1, s, res); p[6] = lend_map(c, 1, s, r->dy); p[7] = lend_map(c, 1, s, r->dx); p[8] = lend(c, 0, values, r->dw); p[9] = lend(c, 0, values, r->db);
    if (cuda) {
        ssl__half_maps(c)->half_image_norm_f(c, &b, p[0], p[1], p[2], with_res ? p[3] : NULL, p[4], p[5]);
        ssl__half_maps(c)->half_image_norm_b(c, &b, p[0], p[5], p[1], p[4], p[6], p[8], p[9], beta, p[7]);
    } else {
        c->k->layer_norm_f(c, s->n, values, b.eps, p[0], p[1], p[2], p[5], p[4]);
        for (i = 0; i < n; i++) {
            if (with_res) p[5][i] += res[i];
            if (relu && !(p[5][i] > 0.0f)) p[5][i] = p[6][i] = 0.0f;
        }
        c->k->layer_norm_b(c, s->n, values, p[0], p[1], p[4], p[6], beta, p[7], p[8], p[9]);
    }
    take_map(c, 1, s, p[5], r->y); take_map(c, 1, s, p[6], r->dy); take_map(c, 1, s, p[7], r->dx); take_back(c, 0, values, p[8], r->dw); take_back(c, 0, values, p[9], r->db);
    for (i = 0; i < 5; i++) c->dev->release(c, p[i]);
    CHECK(ssl_close(c) == SSL_OK);
}
static void test_half_images(void)
{
    static const map_shape shapes[] = { { 5, 8, 3 }, { 9, 24, 16 }, { 3, 64, 25 }, { 300, 16, 4 } };
    static norm_images r[3];
    size_t i;
    int how, k;
    for (i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (how = 0; how < 4; how++) {
            const map_shape *s = &shapes[i];
            const int n = values_of(s), values = s->ch * s->hw;
            for (k = 0; k < 3; k++) run_norm_images(k ? SSL_DEVICE_CUDA : SSL_DEVICE_CPU, s, how & 1, how & 2, (float)(how & 1), &r[k]);
            CHECK(near_to(r[1].y, r[0].y, n, 1e-4 * HALF_ROUND) && near_to(r[1].dx, r[0].dx, n, 1e-4 * HALF_ROUND) && !memcmp(r[1].dy, r[0].dy, sizeof(float) * (size_t)n));
            CHECK(near_to(r[1].dw, r[0].dw, values, 1e-5) && near_to(r[1].db, r[0].db, values, 1e-5));
            CHECK(!memcmp(&r[1], &r[2], sizeof r[1]));
        }
}

/* Max pooling, the mean over pixels, and turning, each both ways; beta 0 and 1. */
static void pool_maps(ssl_device device, const ssl__window *g, float beta, float *y, float *dx, float *mean, float *dmean)
{
    static float x[MOST_VALUES], dy[MOST_VALUES];
    const map_shape in = { g->n, g->ci, g->h * g->w }, out = { g->n, g->ci, g->oh * g->ow };
    const int cuda = device == SSL_DEVICE_CUDA, n = values_of(&in);
    ssl_ctx *c = open_for_maps(device);
    ssl__window whole = *g;
    float *p[7];
    int32_t *at = (int32_t *)lend(c, 0, values_of(&out), dy);
    int i;
    fill(x, n, 3); fill(dy, values_of(&out), 5); fill(dx, n, 7); fill(dmean, n, 9);
    for (i = 0; i < n; i++) { x[i] = 0.25f * floorf(4.0f * x[i]); if (beta == 0.0f && !cuda) dx[i] = dmean[i] = 0.0f; } /* with equals; the CPU's only add */
    p[0] = lend_map(c, 1, &in, x); p[1] = lend_map(c, 1, &out, dy); p[2] = lend_map(c, 1, &in, dx); p[3] = lend_map(c, 1, &out, dy);
    p[4] = lend(c, 0, g->n * g->ci, dy); p[5] = lend(c, 0, g->n * g->ci, dy); p[6] = lend_map(c, 1, &in, dmean);
    whole.kh = g->h; whole.kw = g->w; whole.sh = whole.sw = 1; whole.ph = whole.pw = 0; whole.oh = whole.ow = 1;
    if (cuda) {
        ssl__half_maps(c)->half_pool_f(c, g, p[0], p[3], at);
        ssl__half_maps(c)->half_pool_b(c, g, at, p[1], beta, p[2]);
        ssl__half_maps(c)->half_mean_f(c, g->n, g->ci, in.hw, p[0], p[4]);
        ssl__half_maps(c)->half_mean_b(c, g->n, g->ci, in.hw, p[5], beta, p[6]);
    } else {
        ssl__maps(c)->max_pool_f(c, g, p[0], p[3], at);
        ssl__maps(c)->max_pool_b(c, g, at, p[1], p[2]);
        ssl__maps(c)->avg_pool_f(c, &whole, p[0], p[4]);
        ssl__maps(c)->avg_pool_b(c, &whole, p[5], p[6]);
    }
    take_map(c, 1, &out, p[3], y); take_map(c, 1, &in, p[2], dx); take_back(c, 0, g->n * g->ci, p[4], mean); take_map(c, 1, &in, p[6], dmean);
    c->dev->release(c, p[0]); c->dev->release(c, p[1]); c->dev->release(c, p[5]); c->dev->release(c, at);
    CHECK(ssl_close(c) == SSL_OK);
}
static void test_half_pools(void)
{
    static const int cases[][12] = { { 2, 8, 9, 7, 8, 3, 3, 2, 2, 1, 1, 1 }, { 3, 72, 8, 8, 72, 2, 2, 2, 2, 0, 0, 1 },
                                     { 1, 24, 10, 11, 24, 3, 4, 1, 3, 1, 2, 1 }, { 2, 16, 5, 6, 16, 2, 2, 3, 3, 0, 0, 1 } };
    static float y[3][MOST_VALUES], dx[3][MOST_VALUES], mean[3][512], dmean[3][MOST_VALUES];
    size_t i;
    int beta, k;
    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        for (beta = 0; beta < 2; beta++) {
            const ssl__window g = window_of(cases[i]);
            const int n = g.n * g.ci * g.h * g.w;
            for (k = 0; k < 3; k++) pool_maps(k ? SSL_DEVICE_CUDA : SSL_DEVICE_CPU, &g, (float)beta, y[k], dx[k], mean[k], dmean[k]);
            CHECK(!memcmp(y[1], y[0], sizeof(float) * (size_t)(g.n * g.ci * g.oh * g.ow)));
            CHECK(near_to(dx[1], dx[0], n, 1e-4 * HALF_ROUND) && near_to(dmean[1], dmean[0], n, 1e-4 * HALF_ROUND) && near_to(mean[1], mean[0], g.n * g.ci, 1e-5));
            CHECK(!memcmp(dx[1], dx[2], sizeof(float) * (size_t)n) && !memcmp(mean[1], mean[2], sizeof(float) * (size_t)(g.n * g.ci)));
        }
}
static void test_half_turns(void)
{
    static const map_shape shapes[] = { { 3, 8, 35 }, { 2, 72, 49 }, { 5, 136, 1 } };
    static float x[MOST_VALUES], y[MOST_VALUES], both[MOST_VALUES], want[MOST_VALUES];
    size_t i;
    int how, k;
    for (i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (how = 0; how < 4; how++) {
            const map_shape *s = &shapes[i];
            const int n = values_of(s), to_half = how & 1, add = how >> 1;
            ssl_ctx *c = open_for_maps(SSL_DEVICE_CUDA);
            float *planes, *half;
            fill(x, n, 3); fill(y, n, 5);
            planes = lend_map(c, 0, s, x);
            half = lend_map(c, 1, s, y);
            ssl__half_maps(c)->half_turn(c, s->n, s->ch, s->hw, to_half, (float)add, planes, half);
            for (k = 0; k < n; k++) {
                want[k] = (to_half ? x : y)[k] + (add ? (to_half ? y : x)[k] : 0.0f);
                if (to_half) want[k] = rounded(want[k]);
            }
            take_map(c, 1, s, half, to_half ? both : y);
            take_map(c, 0, s, planes, to_half ? x : both);
            CHECK(!memcmp(both, want, sizeof(float) * (size_t)n));
            CHECK(ssl_close(c) == SSL_OK);
        }
}
/* What a block of a ResNet gives, and how its input and parameters move it */
static int64_t run_resnet(ssl_device device, ssl_precision precision, int depth, int block, int layer_norm, float *y, size_t *bytes)
{
    static float in[MOST_VALUES];
    ssl_ctx *c = open_at(device, precision);
    ssl_resnet_desc d = SSL_ZERO;
    ssl_tensor *x, *out;
    const ssl_resnet *net;
    int64_t n = 0;
    int i;
    for (i = 0; i < MOST_VALUES; i++) in[i] = value(i);
    d.depth = depth; d.width = 8; d.cifar_stem = 1; d.cpc = layer_norm ? 11 : 0;
    for (i = 0; i < 4; i++) d.stage[i] = 1;
    net = ssl_resnet_new(c, "net", &d);
    x = ssl_requires_grad(ssl_input(c, in, 4, 6, net->block[block].conv[0].weight->dim[1], 11, 11));
    out = ssl_resnet_block_forward(&net->block[block], x);
    ssl_backward(ssl_sum(ssl_mul(out, ssl_input(c, in + 500, 4, out->dim[0], out->dim[1], out->dim[2], out->dim[3]))));
    if (ssl_to_host(out, y)) n = ssl_numel(out);
    if (ssl_grad_to_host(x, y + n)) n += ssl_numel(x);
    for (i = 0; i < ssl_param_count(c); i++)
        if (ssl_grad_to_host(ssl_param_at_index(c, i, NULL), y + n)) n += ssl_numel(ssl_param_at_index(c, i, NULL));
    *bytes = ssl_memory_stats(c).step_peak;
    CHECK(ssl_close(c) == SSL_OK);
    return n;
}
static void test_half_resnets(void)
{
    static float y[2][1 << 20];
    int k;
    size_t bytes[3];
    for (k = 0; k < 8; k++) { /* basic and bottleneck, at stride 1 and 2, with batch and layer norms */
        const int depth = k % 2 ? 50 : 18, block = k / 2 % 2, layer_norm = k / 4;
        const int64_t n = run_resnet(SSL_DEVICE_CPU, SSL_PRECISION_HIGHEST, depth, block, layer_norm, y[0], &bytes[0]);
        CHECK(n > 0 && run_resnet(SSL_DEVICE_CUDA, SSL_PRECISION_BF16, depth, block, layer_norm, y[1], &bytes[1]) == n);
        if (!CHECK(apart(y[1], y[0], n) < 0.15)) printf("     depth %d, block %d, layer norm %d: off by %g\n", depth, block, layer_norm, apart(y[1], y[0], n));
        CHECK(run_resnet(SSL_DEVICE_CUDA, SSL_PRECISION_HIGHEST, depth, block, layer_norm, y[1], &bytes[2]) == n);
        CHECK(apart(y[1], y[0], n) < 1e-4);
        CHECK(bytes[1] < bytes[2]);
    }
}
static void test_half_networks(void)
{
    static float y[2][1 << 20];
    int i;
    size_t bytes[3];
    for (i = 0; i < NETWORKS; i++) {
        const int64_t n = network_run(open_at(SSL_DEVICE_CPU, SSL_PRECISION_HIGHEST), (network)i, y[0], &bytes[0]);
        CHECK(n > 1 && network_run(open_at(SSL_DEVICE_CUDA, SSL_PRECISION_BF16), (network)i, y[1], &bytes[1]) == n);
        if (!CHECK(apart(y[1], y[0], n) < 0.1)) printf("     %s is off by %g\n", network_name[i], apart(y[1], y[0], n));
        CHECK(network_run(open_at(SSL_DEVICE_CUDA, SSL_PRECISION_HIGHEST), (network)i, y[1], &bytes[2]) == n);
        CHECK(apart(y[1], y[0], n) < 1e-4 && bytes[1] < bytes[2]);
    }
}
static void test_half_training(void) /* a run at bf16 ends near the CPU's in float32, with the same bits as graphs and without */
{
    course p = plain(SSL_DEVICE_CPU);
    train(&p, &cpu);
    p.device = SSL_DEVICE_CUDA;
    p.precision = SSL_PRECISION_BF16;
    train(&p, &gpu);
    CHECK(near_to(gpu.loss, cpu.loss, STEPS, 1e-2));
    setenv("SSL_CUDA_GRAPH", "0", 1);
    train(&p, &again);
    unsetenv("SSL_CUDA_GRAPH");
    CHECK(same(&gpu, &again));
}

#ifdef SSL__EMULATED
static void test_older_device(void) /* without tensor cores that we have code for: float32, whatever was asked for */
{
    course p = plain(SSL_DEVICE_CUDA);
    int k;
    emu_arch = 75;
    for (k = 0; k < 3; k++) {
        p.precision = k == 0 ? SSL_PRECISION_HIGHEST : k == 1 ? SSL_PRECISION_HIGH : SSL_PRECISION_BF16;
        train(&p, k ? &again : &gpu);
        if (k) CHECK(same(&gpu, &again));
    }
    emu_arch = 80;
}
#endif

/* ---- what is random: masks, permutations, dropout, bit for bit those of the CPU ---- */
typedef struct draws { uint8_t mask[300]; int32_t ids[60], order[60], blobs[128]; float dropped[90], path[90], uniform[77]; } draws;
static int draw_all(ssl_device device, draws *d)
{
    ssl_ctx *c = open_on(device);
    float x[90];
    int i, ok;
    memset(d, 0, sizeof *d);
    for (i = 0; i < 90; i++) x[i] = 1.0f;
    ok = ssl_to_host(ssl_bernoulli(c, 3, 100, 0.3f), d->mask) && ssl_to_host(ssl_random_ids(c, 5, 12, 24), d->ids) &&
         ssl_to_host(ssl_argsort(ssl_random_uniform(c, 2, 5, 12)), d->order) && ssl_to_host(ssl_blob_segments(c, 2, 8, 6, 3), d->blobs) &&
         ssl_to_host(ssl_dropout(ssl_input(c, x, 2, 9, 10), 0.4f), d->dropped) && ssl_to_host(ssl_drop_path(ssl_input(c, x, 2, 9, 10), 0.4f), d->path) &&
         ssl_to_host(ssl_random_uniform(c, 1, 77), d->uniform);
    return ssl_close(c) == SSL_OK && ok;
}
static void test_draws(void)
{
    static draws a, b;
    CHECK(draw_all(SSL_DEVICE_CPU, &a) && draw_all(SSL_DEVICE_CUDA, &b));
    CHECK(!memcmp(&a, &b, sizeof a));
}

/* ---- nearest rows: with many equals, of which the first counts ---- */
enum { LIBRARY = 2100, ASKED = 70, WIDE = 16 };
static void test_neighbors(void)
{
    static int32_t place[2][ASKED * 90];
    static float cosine[2][ASKED * 90];
    static const int ks[] = { 1, 7, 33, 90 };
    int d, i, k;
    for (i = 0; i < 4; i++) {
        for (d = 0; d < 2; d++) {
            ssl_ctx *c = open_on(d ? SSL_DEVICE_CUDA : SSL_DEVICE_CPU);
            ssl_features *f[2];
            for (k = 0; k < 2; k++) { /* rows of four halves: cosines are quarters */
                int j;
                f[k] = ssl_features_new(c, k ? ASKED : LIBRARY, WIDE, 1);
                memset(f[k]->x, 0, sizeof(float) * (size_t)(f[k]->n * WIDE));
                for (j = 0; j < f[k]->n; j++) {
                    int m, at = j * (k ? 5 : 7) % WIDE;
                    for (m = 0; m < 4; m++, at = (at + 1 + (j >> m) % 3) % WIDE) f[k]->x[j * WIDE + at] = (j >> m) & 1 ? 0.5f : -0.5f;
                }
            }
            CHECK(ssl_neighbors(f[0], f[1], ks[i], place[d], cosine[d]));
            for (k = 0; k < 2; k++) ssl_features_free(f[k]);
            CHECK(ssl_close(c) == SSL_OK);
        }
        CHECK(!memcmp(place[0], place[1], sizeof(int32_t) * (size_t)(ASKED * ks[i])));
        CHECK(near_to(cosine[1], cosine[0], ASKED * ks[i], 1e-6));
    }
}

/* ---- protocols: the scores of the CPU ---- */
enum { SCORED = 600, ASKING = 300, CLASSES = 40, BROAD = 50 };
static ssl_features *clouds(ssl_ctx *c, int n, int dim, uint64_t seed) /* a normal cloud for each class; the last column is constant, one row is 0 */
{
    ssl_features *f = ssl_features_new(c, n, dim, CLASSES);
    int i, j;
    for (i = 0; i < n; i++) {
        f->label[i] = i % CLASSES;
        for (j = 0; j < dim; j++) f->x[i * dim + j] = j == dim - 1 ? 3.0f : 2.0f * pixel(f->label[i], j) + sinf((float)((uint64_t)(i * dim + j) * 7919u % 1000u + seed));
    }
    memset(f->x + 5 * dim, 0, sizeof(float) * (size_t)dim);
    return f;
}
static int alike(const char *what, ssl_score a, ssl_score b, int n) /* but for a row that stands on the edge */
{
    const int same = fabs(a.top1 - b.top1) * n < 1.5 && fabs(a.top3 - b.top3) * n < 1.5 && fabs(a.top5 - b.top5) * n < 1.5 && fabs(a.nll - b.nll) < 1e-4 * b.nll;
    if (!same) printf("     %s: top-1 %g and %g, top-5 %g and %g, nll %g and %g\n", what, a.top1, b.top1, a.top5, b.top5, a.nll, b.nll);
    return same && b.top1 > 0.3 && b.top1 < b.top5 && b.top1 < 1.0;
}
static void test_scores(void)
{
    ssl_score knn[2], probe[2], logits[2];
    float psnr[2][2], pictures[2][PIXELS];
    int d, i;
    for (i = 0; i < PIXELS; i++) { pictures[0][i] = 0.4f + 0.4f * pixel(0, i); pictures[1][i] = 255.0f * pictures[0][i] + 3.0f * pixel(1, i); }
    for (d = 0; d < 2; d++) {
        ssl_ctx *c = open_on(d ? SSL_DEVICE_CUDA : SSL_DEVICE_CPU);
        ssl_features *train = clouds(c, SCORED, BROAD, 1), *test = clouds(c, ASKING, BROAD, 2), *z = clouds(c, ASKING, CLASSES, 3);
        ssl_tensor *p = ssl_input(c, pictures[0], 1, PIXELS), *q = ssl_input(c, pictures[1], 1, PIXELS);
        for (i = 0; i < ASKING; i++) z->x[i * CLASSES + z->label[i]] += 3.0f;
        knn[d] = ssl_knn(train, test, NULL);
        probe[d] = ssl_linear_probe(train, test, NULL);
        logits[d] = ssl_score_logits(z);
        psnr[d][0] = ssl_psnr(p, q, 1);
        psnr[d][1] = ssl_psnr(ssl_scale(q, 1.0f / 255.0f), p, 0);
        ssl_features_free(train);
        ssl_features_free(test);
        ssl_features_free(z);
        CHECK(ssl_close(c) == SSL_OK);
    }
    CHECK(alike("k-NN", knn[1], knn[0], ASKING));
    CHECK(alike("linear probe", probe[1], probe[0], ASKING) && probe[0].converged && probe[1].converged && abs(probe[0].iterations - probe[1].iterations) <= 3);
    CHECK(alike("logits", logits[1], logits[0], ASKING));
    for (i = 0; i < 2; i++) CHECK(psnr[0][i] > 20.0f && psnr[0][i] < 60.0f && fabsf(psnr[0][i] - psnr[1][i]) < 1e-3f);
}

/* ---- a classifier that learns beside a network: the other stream's results are waited for by the device ---- */
static void learn_beside(ssl_device device, int beside, result *r, float head[3 * 32], double accuracy[2])
{
    const course p = plain(device);
    ssl_ctx *c = open_on(device);
    const ssl_mae *m = small_mae(c);
    ssl_online_eval e = SSL_ZERO;
    const int32_t label[BATCH] = { 1, 0, -1, 2 };
    float images[PIXELS];
    int s, i;
    if (beside) e = ssl_online_eval_new(c, 32, 3, NULL);
    for (s = 0; s < 2 * STEPS; s++) {
        for (i = 0; i < PIXELS; i++) images[i] = pixel(s % 2, i) + (float)(i * BATCH / PIXELS); /* brighter from one to the next */
        if (beside) {
            ssl_train(c, 0);
            ssl_no_grad(c, 1);
            ssl_online_eval_step(&e, ssl_mae_features(m, ssl_input(c, images, 4, BATCH, 3, SIDE, SIDE)), label, 0.05f);
            ssl_no_grad(c, 0);
            ssl_train(c, 1);
        }
        train_step(c, m, &p, s % 2);
        if (beside && s % STEPS == STEPS - 1) accuracy[s / STEPS] = ssl_online_eval_accuracy(&e);
    }
    copy_params(c, r);
    CHECK(!beside || ssl_to_host(e.head.fc2.weight, head));
    ssl_online_eval_close(&e);
    CHECK(ssl_close(c) == SSL_OK);
}
static void test_beside(void)
{
    double accuracy[2][2];
    float head[2][3 * 32];
    learn_beside(SSL_DEVICE_CUDA, 0, &again, NULL, NULL);
    learn_beside(SSL_DEVICE_CUDA, 1, &gpu, head[1], accuracy[1]);
    learn_beside(SSL_DEVICE_CPU, 1, &cpu, head[0], accuracy[0]);
    CHECK(gpu.n > 0 && !memcmp(gpu.w, again.w, sizeof(float) * (size_t)gpu.n)); /* the network is what it is without */
    CHECK(apart(gpu.w, cpu.w, cpu.n) < 1e-3);
    printf("     accuracy %.3f and %.3f, the CPU's %.3f and %.3f\n", accuracy[1][0], accuracy[1][1], accuracy[0][0], accuracy[0][1]);
    CHECK(accuracy[0][1] == 1.0 && fabs(accuracy[0][0] - accuracy[1][0]) < 0.05 && accuracy[0][1] == accuracy[1][1]);
    CHECK(apart(head[1], head[0], 3 * 32) < 1e-3);
}

/* ---- loaders: the set on the device, augmented there, beside the CPU's ---- */
enum { SHOWN = 6, LARGEST = SHOWN * 3 * 48 * 48 };
typedef struct batch_copy { int dim[4]; int32_t label[SHOWN], index[SHOWN]; ssl_view_box box[2 * SHOWN]; float x[2][LARGEST]; } batch_copy;
static batch_copy shown[2];
static int show(ssl_device device, const ssl_augment_desc a[2], int number, batch_copy *y) /* batch `number` of a synthetic set; 1 on success */
{
    ssl_ctx *c = open_on(device);
    ssl_dataset_desc data = SSL_ZERO;
    ssl_loader_desc d = SSL_ZERO;
    ssl_batch b;
    ssl_loader *l;
    int v, ok;
    data.limit_images = 40;
    d.batch = SHOWN;
    d.n_views = d.n_augment = 2;
    d.augment = a;
    memset(y, 0, sizeof *y);
    l = ssl_loader_open(ssl_dataset_open_desc(c, "synthetic:60", &data), &d);
    for (ok = 1; ok && number >= 0; number--) { ok = ssl_loader_next(l, &b); ssl_step_end(c); }
    for (v = 0; v < 2 && ok; v++) ok = ssl_numel(b.views[v]) <= LARGEST && ssl_to_host(b.views[v], y->x[v]);
    ok = ok && ssl_to_host(b.labels, y->label);
    if (ok) {
        memcpy(y->dim, b.views[1]->dim, sizeof y->dim);
        memcpy(y->index, b.indices, sizeof y->index);
        memcpy(y->box, b.boxes, sizeof y->box);
    }
    CHECK(ssl_close(c) == SSL_OK);
    return ok;
}
/* All choices equal; values within 1e-5 of each other but for `strays` in a thousand. */
static int views_agree(const ssl_augment_desc a[2], int number, int strays)
{
    int i, v, far = 0, n = 0;
    if (!show(SSL_DEVICE_CPU, a, number, &shown[0]) || !show(SSL_DEVICE_CUDA, a, number, &shown[1])) return 0;
    if (memcmp(shown[0].dim, shown[1].dim, sizeof shown[0].dim) || memcmp(shown[0].label, shown[1].label, sizeof shown[0].label) ||
        memcmp(shown[0].index, shown[1].index, sizeof shown[0].index) || memcmp(shown[0].box, shown[1].box, sizeof shown[0].box)) return 0;
    for (v = 0; v < 2; v++)
        for (i = 0; i < LARGEST; i++, n++)
            if (!(fabsf(shown[0].x[v][i] - shown[1].x[v][i]) <= 1e-5f * (1.0f + fabsf(shown[0].x[v][i])))) far++;
    if (far * 1000LL > (long long)strays * n) printf("     %d of %d values are off\n", far, n);
    return far * 1000LL <= (long long)strays * n;
}
static void test_presets(void)
{
    static const char *const name[] = { "none", "eval", "mae", "crop", "apl", "simclr", "byol", "byol-second", "vicreg", "pixpro", "amdim", "amdim-large" };
    ssl_augment_desc a[2];
    size_t i;
    int number;
    for (i = 0; i < sizeof name / sizeof *name; i++)
        for (number = 0; number < 2; number++) {
            CHECK(ssl_augment_preset(name[i], &a[0]));
            a[1] = a[0];
            a[1].size = number ? 48 : 20; /* another size, larger and smaller */
            if (!CHECK(views_agree(a, number, 1))) printf("     preset %s\n", name[i]);
        }
}
static void test_choices(void) /* what no preset has */
{
    ssl_augment_desc a[2];
    int k;
    for (k = 0; k < 6; k++) {
        memset(a, 0, sizeof a);
        a[0].crop = k % 2 ? SSL_CROP_PADDED : SSL_CROP_CENTER;
        a[0].pad = 9;
        a[0].pad_black = k % 4 < 2;
        a[0].size = k < 3 ? 0 : 24;
        a[0].vflip = 0.5f;
        a[0].no_normalize = k % 3 == 0;
        a[1].rand_ops = 3;
        a[1].rand_deviation = 3.0f;
        a[1].shared_flip = 1;
        a[1].crop = SSL_CROP_RESIZED;
        a[1].no_antialias = k % 2;
        a[1].size = 12;
        CHECK(views_agree(a, k, 4)); /* RandAugment has steps */
    }
}
static void test_residence(void) /* one copy for all loaders, given back; none where it does not fit, and then the same views */
{
    ssl_augment_desc a[2];
    ssl_loader_desc d = SSL_ZERO;
    ssl_ctx *c = open_on(SSL_DEVICE_CUDA);
    ssl_dataset *data = ssl_dataset_open(c, "synthetic:100");
    const ssl__cuda *g = (const ssl__cuda *)c->gpu;
    ssl_loader *l[2];
    int i;
    d.batch = 10;
    for (i = 0; i < 2; i++) l[i] = ssl_loader_open(data, &d);
    CHECK(l[0]->resident && l[0]->resident == l[1]->resident);
    for (i = 0; i < 2; i++) ssl_loader_close(l[i]);
    for (i = 0; i < SSL__HELD; i++) CHECK(g->held[i].users == 0);
    CHECK(ssl_close(c) == SSL_OK);
    ssl_augment_preset("simclr", &a[0]);
    a[1] = a[0];
    for (i = 0; i < 6; i += 5) { /* the sixth batch is the last of an epoch */
        CHECK(show(SSL_DEVICE_CUDA, a, i, &shown[0]));
#ifdef SSL__EMULATED
        emu_free_bytes = 100000;
#endif
        CHECK(show(SSL_DEVICE_CUDA, a, i, &shown[1]) && !memcmp(&shown[0], &shown[1], sizeof shown[0]));
#ifdef SSL__EMULATED
        emu_free_bytes = (size_t)1 << 30;
#endif
    }
}
#ifdef SSL__EMULATED
/* Batches of a set that does not fit, in order, after a seek, without the host ever waiting for one, whether copies run as late as they may or as early. */
static void test_sending(void)
{
    ssl_ctx *c = open_on(SSL_DEVICE_CUDA);
    ssl_dataset *data = ssl_dataset_open(c, "synthetic:60");
    ssl_loader_desc d = SSL_ZERO;
    ssl_loader *l;
    ssl_batch b;
    float mean[3][24];
    int64_t ticket[24];
    int i, k;
    d.batch = 5; d.epochs = 2; d.prefetch = 2; d.threads = 1;
    emu_free_bytes = 100000;
    l = ssl_loader_open(data, &d);
    emu_free_bytes = (size_t)1 << 30;
    CHECK(!l->resident);
    for (k = 0; k < 3; k++) {
        emu_lazy = k; /* at once, late, copies early */
        ssl_loader_seek(l, 0, 3 * k);
        for (i = 3 * k; ssl_loader_next(l, &b); i++) {
            if (i == 8) emu_n_waits = 0;
            CHECK(ssl_numel(b.images) == 5 * 3 * 32 * 32);
            ticket[i] = ssl_item_begin(ssl_mean(b.images));
            ssl_step_end(c);
        }
        CHECK(i == 24 && emu_n_waits == 0);
        for (i = 3 * k; i < 24; i++) mean[k][i] = ssl_item_end(c, ticket[i]);
        CHECK(!memcmp(mean[k] + 3 * k, mean[0] + 3 * k, sizeof(float) * (size_t)(24 - 3 * k)));
    }
    emu_lazy = 1;
    for (i = 1; i < 24; i++) CHECK(mean[0][i] != mean[0][i - 1]);
    CHECK(ssl_close(c) == SSL_OK);
}
#endif

/* ---- errors ---- */
static void test_not_a_number(void) /* told late, with step, op and line; what was learned before is kept */
{
    static result before;
    course p = plain(SSL_DEVICE_CUDA);
    ssl_ctx *c = open_on(SSL_DEVICE_CUDA);
    const ssl_mae *m = small_mae(c);
    int s;
    p.nan_at = 6;
    for (s = 0; s < 6; s++) train_step(c, m, &p, s);
    copy_params(c, &before);
    for (; s < 12 && ssl_ok(c); s++) train_step(c, m, &p, s);
    CHECK(s <= 10);
    CHECK(ssl_error(c) == SSL_E_NAN && strstr(said, "device.c:") && strstr(said, "ssl_backward: the loss is not a number or infinite in step 7;"));
    CHECK(strstr(said, "the first op that made one is"));
    ssl_error_clear(c);
    copy_params(c, &gpu);
    CHECK(gpu.n > 0 && gpu.n == before.n && !memcmp(gpu.w, before.w, sizeof(float) * (size_t)gpu.n));
    for (s = 20; s < 24; s++) train_step(c, m, &p, s); /* and it goes on */
    copy_params(c, &gpu);
    CHECK(ssl_ok(c) && gpu.n > 0 && memcmp(gpu.w, before.w, sizeof(float) * (size_t)gpu.n));
    CHECK(ssl_close(c) == SSL_OK);
}
static void test_bad_gradient(void) /* names the parameter; nothing was changed */
{
    ssl_ctx *c = open_on(SSL_DEVICE_CUDA);
    ssl_tensor *a = ssl_param(c, ssl_init_make(SSL_INIT_CONSTANT, 1.0f), "a", 1, 3), *b = ssl_param(c, ssl_init_make(SSL_INIT_CONSTANT, 0.0f), "b", 1, 3);
    float w[3] = { 0.0f, 0.0f, 0.0f };
    ssl_backward(ssl_sum(ssl_add(ssl_square(a), ssl_sqrt(b)))); /* d sqrt(0) is infinite, the value is not */
    ssl_adamw_step(c, 0.1f);
    ssl_step_end(c);
    CHECK(ssl_ok(c));
    CHECK(!ssl_save(c, "build/never.safetensors"));
    CHECK(ssl_error(c) == SSL_E_NAN && strstr(said, "the gradient of b[3] is not a number or infinite in step 1, no parameter was changed"));
    ssl_error_clear(c);
    CHECK(ssl_to_host(a, w) && w[0] == 1.0f && w[1] == 1.0f && w[2] == 1.0f);
    ssl_close(c);
}
#ifdef SSL__EMULATED
static void test_no_device(void)
{
    ssl_ctx *c;
    emu_devices = 0;
    c = open_on(SSL_DEVICE_CUDA);
    CHECK(ssl_error(c) == SSL_E_CUDA && strstr(said, "ssl_open: no NVIDIA GPU can be used (no CUDA-capable device is detected): use the CPU"));
    CHECK(ssl_close(c) == SSL_E_CUDA);
    emu_driver = 0;
    ssl_close(c = open_on(SSL_DEVICE_CUDA));
    CHECK(strstr(said, "no driver is installed"));
    emu_devices = 1;
    emu_driver = 11080;
    ssl_close(c = open_on(SSL_DEVICE_CUDA));
    CHECK(strstr(said, "the NVIDIA driver knows CUDA 11.8, this program was built with 13.0: update the driver"));
    emu_driver = 13000;
}
static void test_out_of_memory(void) /* how much was asked for, how much is free, where */
{
    ssl_ctx *c = open_on(SSL_DEVICE_CUDA);
    ssl_tensor *x[2], *y;
    const int line = __LINE__ + 4;
    char want[64];
    x[0] = x[1] = ssl_input(c, NULL, 2, 1000, 1000);
    emu_allocs_left = 0;
    y = ssl_concat(0, 2, x); /* 8 MB: another chunk */
    emu_allocs_left = -1;
    snprintf(want, sizeof want, "device.c:%d: error: ", line);
    CHECK(y == &c->nil && ssl_error(c) == SSL_E_MEMORY && strstr(said, want));
    CHECK(strstr(said, "out of memory: 8000064 bytes asked for on the GPU, 1073741824 are free, 4000000 in use in this step; use a smaller batch"));
    ssl_close(c);
}
static void test_fault(void) /* a kernel that touches what it may not: told where the host next waits, or at its own line */
{
    int sync;
    for (sync = 0; sync < 2; sync++) {
        ssl_ctx *c;
        ssl_tensor *w, *x, *y;
        const char *path = "build/device-fault.safetensors";
        ssl_safetensors *file;
        int line;
        char want[64];
        if (sync) setenv("SSL_CUDA_SYNC", "1", 1);
        c = open_on(SSL_DEVICE_CUDA);
        w = ssl_param(c, ssl_init_make(SSL_INIT_CONSTANT, 2.0f), "w", 1, 4);
        CHECK(ssl_save(c, path));
        x = ssl_square(w);
        if (!sync) ssl_item(x);
        emu_kernels_left = 0;
        line = __LINE__ + 1;
        y = ssl_exp(x);
        if (!sync) { CHECK(ssl_ok(c)); line = __LINE__; ssl_item(ssl_exp(y)); } /* wherever: the last line before the wait */
        emu_kernels_left = -1;
        snprintf(want, sizeof want, "device.c:%d: error: ", line);
        CHECK(ssl_error(c) == SSL_E_CUDA && strstr(said, "an illegal memory access was encountered") && strstr(said, want));
        CHECK(sync ? strstr(said, "ssl__k_exp_f") != NULL : strstr(said, "SSL_CUDA_SYNC=1 in the environment names the call that failed") != NULL);
        CHECK(!ssl_save(c, path));
        CHECK(ssl_close(c) == SSL_E_CUDA);
        emu_error = cudaSuccess; /* another process */
        c = open_on(SSL_DEVICE_CPU);
        file = ssl_safetensors_open(c, path); /* the last checkpoint is as it was */
        CHECK(file && ssl_ok(c));
        ssl_safetensors_close(file);
        ssl_close(c);
        remove(path);
        unsetenv("SSL_CUDA_SYNC");
    }
}
#endif

int main(int argc, char **argv)
{
    ssl_ctx *c = open_on(SSL_DEVICE_CUDA);
    const int usable = ssl_ok(c);
    ssl_close(c);
    if (argc > 1) check_filter = argv[1];
    if (!usable) { /* as on a machine without a GPU */
        printf("%s\n", said);
        check_skipped++;
        return check_done();
    }
#ifdef SSL__EMULATED
    emu_lazy = 1;
    TEST(no_device);
    TEST(out_of_memory);
    TEST(fault);
    TEST(older_device);
#endif
    TEST(bad_gradient);
    TEST(not_a_number);
    TEST(training);
    TEST(graphs);
    TEST(steady);
    TEST(averages);
    TEST(seen);
    TEST(half_products);
    TEST(half_blocks);
    TEST(half_convolutions);
    TEST(half_norms);
    TEST(half_images);
    TEST(half_pools);
    TEST(half_turns);
    TEST(half_resnets);
    TEST(half_networks);
    TEST(half_training);
    TEST(draws);
    TEST(neighbors);
    TEST(scores);
    TEST(beside);
    TEST(presets);
    TEST(choices);
    TEST(residence);
#ifdef SSL__EMULATED
    TEST(sending);
#endif
    return check_done();
}
