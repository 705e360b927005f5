/* kernels.h: kernels at the shapes of the workloads. Those that multiply stand beside the multiply-add ceiling, the others beside
 * memcpy moving as many bytes, so that both find their data in the same level of the memory. */
#ifndef KERNELS_H
#define KERNELS_H

enum { KERNEL_BUFFERS = 6, KERNEL_FLOATS = 128 * 64 * 32 * 32 };
typedef struct kernel_case {
    const char *name;
    void (*run)(ssl_ctx *c, const struct kernel_case *k, float *const *b);
    int n[7];            /* sizes, as run reads them */
    double flops, bytes; /* one of the two: multiply-adds x 2, or what has to be read and written at least */
} kernel_case;
#define K_RUN(name) static void run_##name(ssl_ctx *c, const kernel_case *k, float *const *b)

K_RUN(gelu_f)       { c->k->gelu_f(c, (int64_t)k->n[0] * k->n[1], 0.0f, b[0], b[1]); }
K_RUN(gelu_b)       { c->k->gelu_b(c, (int64_t)k->n[0] * k->n[1], 0.0f, b[0], b[1], b[2], 1.0f, b[3]); }
K_RUN(axpy)         { c->k->axpy(c, (int64_t)k->n[0] * k->n[1], 0.5f, b[0], b[1]); }
K_RUN(colsum)       { c->k->colsum(c, k->n[0], k->n[1], b[0], b[1]); }
K_RUN(layer_norm_f) { c->k->layer_norm_f(c, k->n[0], k->n[1], 1e-6f, b[0], b[1], b[1], b[2], b[3]); }
K_RUN(layer_norm_b) { c->k->layer_norm_b(c, k->n[0], k->n[1], b[0], b[1], b[3], b[2], 0.0f, b[4], b[5], b[5] + k->n[1]); }
K_RUN(softmax_f)    { c->k->softmax_f(c, k->n[0], k->n[1], 0, b[0], b[1]); }
K_RUN(softmax_b)    { c->k->softmax_b(c, k->n[0], k->n[1], 0, b[0], b[1], 0.0f, b[2]); }
K_RUN(adam)
{
    ssl__update u = SSL_ZERO;
    u.n = (int64_t)k->n[0] * k->n[1];
    u.rate = 1e-6f; u.scale = 1.0f; u.shrink = 1.0f; u.beta1 = 0.9f; u.beta2 = 0.999f;
    u.rest1 = 0.1f; u.rest2 = 0.001f; u.eps = 1e-8f; u.debias2 = 1.0f;
    c->k->adam(c, 1, &u, b[0], b[1], b[2], b[4]);
}

static ssl__attn attention_of(const kernel_case *k, float *const *b) /* n: B H Tq Tk d, packed q k v */
{
    ssl__attn a = SSL_ZERO;
    const int D = k->n[1] * k->n[4];
    a.B = k->n[0]; a.H = k->n[1]; a.Tq = k->n[2]; a.Tk = k->n[3]; a.d = k->n[4];
    a.sq = a.sk = a.sv = 3 * D;
    a.scale = 1.0f / sqrtf((float)a.d);
    a.q = b[0]; a.k = b[0] + D; a.v = b[0] + 2 * D;
    return a;
}
K_RUN(attn_f)
{
    const ssl__attn a = attention_of(k, b);
    c->k->attn_f(c, &a, b[1], b[2]);
}
K_RUN(attn_b)
{
    const ssl__attn a = attention_of(k, b);
    const float beta[3] = { 0.0f, 0.0f, 0.0f };
    const int D = a.H * a.d;
    c->k->attn_b(c, &a, b[1], b[2], b[3], beta, b[4], b[4] + D, b[4] + 2 * D, NULL);
}

static ssl__window window_of(const kernel_case *k) /* n: images, channels in, side, channels out, kernel, stride */
{
    ssl__window g = SSL_ZERO;
    const int pad = k->n[4] / 2, out = (k->n[2] + 2 * pad - k->n[4]) / k->n[5] + 1;
    g.n = k->n[0]; g.ci = k->n[1]; g.h = g.w = k->n[2]; g.co = k->n[3]; g.kh = g.kw = k->n[4]; g.sh = g.sw = k->n[5];
    g.oh = g.ow = out; g.ph = g.pw = pad; g.dh = g.dw = g.groups = 1;
    return g;
}
K_RUN(conv_f)  { const ssl__window g = window_of(k); ssl__maps(c)->conv_f(c, &g, b[0], b[1], NULL, b[2]); }
K_RUN(conv_bx) { const ssl__window g = window_of(k); ssl__maps(c)->conv_bx(c, &g, b[1], b[2], 0.0f, b[3]); }
K_RUN(conv_bw) { const ssl__window g = window_of(k); ssl__maps(c)->conv_bw(c, &g, b[0], b[2], b[4]); }

static ssl__bn batch_norm_of(const kernel_case *k) /* n: images, channels, side */
{
    ssl__bn n = SSL_ZERO;
    n.n = k->n[0]; n.ch = k->n[1]; n.hw = (int64_t)k->n[2] * k->n[2]; n.eps = 1e-5f; n.relu = 1;
    n.count = (double)n.n * (double)n.hw; n.stages = SSL__BN_STATS | SSL__BN_APPLY;
    return n;
}
K_RUN(batch_norm_f)
{
    const ssl__bn n = batch_norm_of(k);
    ssl__maps(c)->batch_norm_f(c, &n, b[0], b[4], b[4], NULL, b[5], b[5] + n.ch, b[1]);
}
K_RUN(batch_norm_b)
{
    const ssl__bn n = batch_norm_of(k);
    ssl__maps(c)->batch_norm_b(c, &n, b[0], b[1], b[4], b[5], b[5] + n.ch, b[2], b[5] + 2 * n.ch, b[5] + 3 * n.ch, b[5] + 4 * n.ch, b[5] + 5 * n.ch, 0.0f, b[3]);
}

#define ROWS(name, of, rows, cols, values) { #name " " of, run_##name, { rows, cols }, 0, 4.0 * (values) * (rows) * (cols) }
#define ATTENTION(of, B, H, T, d)                                                                              \
    { "attn_f " of, run_attn_f, { B, H, T, T, d }, 4.0 * (B) * (H) * (T) * (T) * (d), 0 },                     \
    { "attn_b " of, run_attn_b, { B, H, T, T, d }, 8.0 * (B) * (H) * (T) * (T) * (d), 0 }
#define CONVOLUTION_FLOPS(n, ci, s, co, k, st) (2.0 * (n) * (ci) * (co) * (k) * (k) * (((s) + (st) - 1) / (st)) * (((s) + (st) - 1) / (st)))
#define CONVOLUTION(of, n, ci, s, co, k, st)                                                                   \
    { "conv_f " of, run_conv_f, { n, ci, s, co, k, st }, CONVOLUTION_FLOPS(n, ci, s, co, k, st), 0 },          \
    { "conv_bx " of, run_conv_bx, { n, ci, s, co, k, st }, CONVOLUTION_FLOPS(n, ci, s, co, k, st), 0 },        \
    { "conv_bw " of, run_conv_bw, { n, ci, s, co, k, st }, CONVOLUTION_FLOPS(n, ci, s, co, k, st), 0 }
static const kernel_case kernel_cases[] = {
    ROWS(gelu_f, "W1 encoder", 4352, 768, 2), ROWS(gelu_b, "W1 encoder", 4352, 768, 4), /* dx is added to */
    ROWS(axpy, "W1 decoder", 16640, 128, 3), ROWS(colsum, "W1 decoder", 16640, 512, 1),
    ROWS(layer_norm_f, "W1 encoder", 4352, 192, 2), ROWS(layer_norm_b, "W1 encoder", 4352, 192, 3),
    ROWS(layer_norm_f, "W1 decoder", 16640, 128, 2), ROWS(layer_norm_b, "W1 decoder", 16640, 128, 3),
    ROWS(softmax_f, "W2 head", 6272, 49, 2), ROWS(softmax_b, "W2 head", 6272, 49, 3),
    ROWS(adam, "W1", 6000, 1024, 8), /* reads and writes four arrays: the gradient is cleared */
    ATTENTION("W1 encoder", 256, 3, 17, 64), ATTENTION("W1 decoder", 256, 4, 65, 32), ATTENTION("W2", 128, 16, 49, 27),
    ATTENTION("W3", 128, 3, 60, 64), ATTENTION("W7", 32, 6, 197, 64),
    CONVOLUTION("W4 layer1", 128, 64, 32, 64, 3, 1), CONVOLUTION("W4 layer2", 128, 128, 16, 128, 3, 1),
    CONVOLUTION("W4 layer3", 128, 256, 8, 256, 3, 1), CONVOLUTION("W4 layer4", 128, 512, 4, 512, 3, 1),
    CONVOLUTION("W4 layer2 down", 128, 64, 32, 128, 3, 2), CONVOLUTION("W5 layer1 1x1", 8, 64, 64, 256, 1, 1),
    { "batch_norm_f W4 layer1", run_batch_norm_f, { 128, 64, 32 }, 0, 4.0 * 3 * KERNEL_FLOATS },
    { "batch_norm_b W4 layer1", run_batch_norm_b, { 128, 64, 32 }, 0, 4.0 * 6 * KERNEL_FLOATS },
    { "batch_norm_f W4 layer3", run_batch_norm_f, { 128, 256, 8 }, 0, 4.0 * 3 * KERNEL_FLOATS / 4 },
    { "batch_norm_b W4 layer3", run_batch_norm_b, { 128, 256, 8 }, 0, 4.0 * 6 * KERNEL_FLOATS / 4 },
};

/* memcpy of chunks by all threads, `bytes` read and written in all */
typedef struct stream { char *to; const char *from; size_t chunk; } stream;
static void stream_chunk(void *arg, int chunk, int thread)
{
    const stream *s = (const stream *)arg;
    (void)thread;
    memcpy(s->to + (size_t)chunk * s->chunk, s->from + (size_t)chunk * s->chunk, s->chunk);
}
static double stream_seconds(ssl_ctx *c, double bytes, float *const *b)
{
    const size_t most = sizeof(float) * KERNEL_FLOATS;
    stream s;
    double start;
    s.chunk = SSL__MIN((size_t)(bytes / 2), most) / 64;
    s.from = (const char *)b[0];
    s.to = (char *)b[3];
    start = seconds();
    ssl__parallel(c, 64, stream_chunk, &s);
    return (seconds() - start) * bytes / (2.0 * 64 * (double)s.chunk);
}

#endif
