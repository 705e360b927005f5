/* ssl_cuda.cuh - the CUDA twins of ssl.h's kernels. ssl.h includes it when nvcc compiles the implementation.
 *
 * Same sections and names as in ssl.h; a kernel of SSL__KERNELS without a twin here is a compile error that names it.
 * ssl__k_x runs on the device, ssl__cuda_x launches it. Every sum is taken in a fixed order, without atomics: two runs give
 * the same bits. Sums in float32, across long axes in double.
 */
#define SSL__KERNEL(name, args) static void ssl__cuda_##name args;
SSL__KERNELS_ALL
#undef SSL__KERNEL

/* ==== >>platform ==== memory, launches, errors ======================================================== */
typedef struct ssl__cuda { /* the state of a context's device, at ssl_ctx.gpu */
    void *work;            /* partial sums of one kernel call */
    size_t work_bytes;
    int sync;              /* SSL_CUDA_SYNC=1: wait after every launch, so that a fault names its call */
} ssl__cuda;

#define SSL__THREADS 256
#define SSL__WARPS   (SSL__THREADS / 32)
#ifndef SSL__LAUNCH /* the tests' host emulation has its own */
static void ssl__cuda_launched(ssl_ctx *c, const char *kernel)
{
    cudaError_t e = cudaGetLastError();
    if (e == cudaSuccess && ((ssl__cuda *)c->gpu)->sync) e = cudaDeviceSynchronize();
    if (e != cudaSuccess) ssl__fail(c, SSL_E_CUDA, c->at, "CUDA: %s failed: %s", kernel, cudaGetErrorString(e));
}
#  define SSL__LAUNCH(c, kernel, grid, ...)                                                                    \
    do {                                                                                                       \
        kernel<<<grid, SSL__THREADS>>>(__VA_ARGS__);                                                           \
        ssl__cuda_launched(c, #kernel);                                                                        \
    } while (0)
#endif

static const char *ssl__cuda_error(void) { return cudaGetErrorString(cudaGetLastError()); }
static void *ssl__cuda_mem_alloc(size_t n)
{
    void *p = NULL;
    if (cudaMalloc(&p, n) == cudaSuccess) return p;
    cudaGetLastError(); /* running out of memory is reported by the caller and not a fault */
    return NULL;
}
static void ssl__cuda_mem_release(void *p) { cudaFree(p); }
static int ssl__cuda_mem_put(void *d, const void *s, size_t n) { return cudaMemcpy(d, s, n, cudaMemcpyHostToDevice) == cudaSuccess; }
static int ssl__cuda_mem_get(void *d, const void *s, size_t n) { return cudaMemcpy(d, s, n, cudaMemcpyDeviceToHost) == cudaSuccess; }
static int ssl__cuda_mem_copy(void *d, const void *s, size_t n) { return cudaMemcpy(d, s, n, cudaMemcpyDeviceToDevice) == cudaSuccess; }
static size_t ssl__cuda_mem_available(void)
{
    size_t free_bytes = 0, all = 0;
    cudaMemGetInfo(&free_bytes, &all);
    return free_bytes;
}

/* Device memory for the partial sums of one kernel call; NULL after an error. */
static void *ssl__cuda_work(ssl_ctx *c, size_t bytes)
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    if (g->work_bytes < bytes) {
        if (g->work) c->dev->release(g->work);
        g->work = ssl__device_alloc(c, c->at, bytes + bytes / 4);
        g->work_bytes = g->work ? bytes + bytes / 4 : 0;
    }
    return g->work;
}

/* Blocks for n elements, one a thread; kernels stride over the grid where that is more than the limit. */
static unsigned ssl__grid(int64_t n) { const int64_t b = (n + SSL__THREADS - 1) / SSL__THREADS; return (unsigned)(b < 1 ? 1 : b > 65535 ? 65535 : b); }
static unsigned ssl__grid_warps(int64_t n) { return ssl__grid(n * 32); }
#define SSL__EACH(i, n)      for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += (int64_t)gridDim.x * blockDim.x)
#define SSL__EACH_WARP(i, n) for (int64_t i = (int64_t)blockIdx.x * SSL__WARPS + threadIdx.x / 32; i < (n); i += (int64_t)gridDim.x * SSL__WARPS)
#define SSL__LANE            ((int)threadIdx.x & 31)

static __device__ float ssl__warp_sum(float v)
{
    for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
    return v;
}
static __device__ float ssl__warp_max(float v)
{
    for (int o = 16; o; o >>= 1) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, o));
    return v;
}
static __device__ double ssl__block_sum(double v) /* the same in every thread */
{
    __shared__ double part[SSL__WARPS];
    for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
    __syncthreads();
    if (SSL__LANE == 0) part[threadIdx.x / 32] = v;
    __syncthreads();
    v = 0.0;
    for (int w = 0; w < SSL__WARPS; w++) v += part[w];
    return v;
}

/* ==== >>elementwise ==== one thread an element ========================================================== */
#define SSL__UNARY_CUDA(name, value, derivative)                                                               \
    static __global__ void ssl__k_##name##_f(int64_t n, float p, const float *xs, float *ys)                   \
    {                                                                                                          \
        (void)p;                                                                                               \
        SSL__EACH(i, n) { const float x = xs[i]; ys[i] = (value); }                                            \
    }                                                                                                          \
    static __global__ void ssl__k_##name##_b(int64_t n, float p, const float *xs, const float *ys, const float *dy, float beta, float *dx) \
    {                                                                                                          \
        (void)p;                                                                                               \
        SSL__EACH(i, n) { const float x = xs[i], y = ys[i]; (void)x; (void)y; dx[i] = (beta != 0.0f ? dx[i] : 0.0f) + dy[i] * (derivative); } \
    }                                                                                                          \
    static void ssl__cuda_##name##_f(ssl_ctx *c, int64_t n, float p, const float *x, float *y)                 \
    { SSL__LAUNCH(c, ssl__k_##name##_f, ssl__grid(n), n, p, x, y); }                                           \
    static void ssl__cuda_##name##_b(ssl_ctx *c, int64_t n, float p, const float *x, const float *y, const float *dy, float beta, float *dx) \
    { SSL__LAUNCH(c, ssl__k_##name##_b, ssl__grid(n), n, p, x, y, dy, beta, dx); }
SSL__UNARY(SSL__UNARY_CUDA)
#undef SSL__UNARY_CUDA

static __global__ void ssl__k_fill(int64_t n, float v, float *y) { SSL__EACH(i, n) y[i] = v; }
static __global__ void ssl__k_axpy(int64_t n, float a, const float *x, float *y) { SSL__EACH(i, n) y[i] += a * x[i]; }
static void ssl__cuda_fill(ssl_ctx *c, int64_t n, float v, float *y) { SSL__LAUNCH(c, ssl__k_fill, ssl__grid(n), n, v, y); }
static void ssl__cuda_axpy(ssl_ctx *c, int64_t n, float a, const float *x, float *y) { SSL__LAUNCH(c, ssl__k_axpy, ssl__grid(n), n, a, x, y); }

/* ==== >>gemm ==== a block makes a 64 x 64 tile, a thread 4 x 4 of it, 16 of k at a time through shared memory ==== */
typedef struct ssl__tile { int ta, tb, m, n, k, lda, ldb, ldy; int64_t sa, sb, sy; float beta; ssl__epilogue ep; } ssl__tile;
static __global__ void ssl__k_gemm(ssl__tile t, int tiles_n, const float *a, const float *b, float *y)
{
    __shared__ float as[16][65], bs[16][65]; /* 65: a column of the tile meets 32 banks */
    const int i0 = (int)blockIdx.x / tiles_n * 64, j0 = (int)blockIdx.x % tiles_n * 64, id = (int)threadIdx.x;
    const int ti = id / 16 * 4, tj = id % 16 * 4;
    const int64_t batch = blockIdx.y;
    float sum[4][4] = { { 0.0f } };
    for (int p0 = 0; p0 < t.k; p0 += 16) {
        for (int e = id; e < 64 * 16; e += SSL__THREADS) { /* neighbouring threads read neighbouring addresses */
            const int ai = t.ta ? e % 64 : e / 16, ap = t.ta ? e / 64 : e % 16, bj = t.tb ? e / 16 : e % 64, bp = t.tb ? e % 16 : e / 64;
            const int i = i0 + ai, j = j0 + bj, pa = p0 + ap, pb = p0 + bp;
            as[ap][ai] = i < t.m && pa < t.k ? a[batch * t.sa + (t.ta ? (int64_t)pa * t.lda + i : (int64_t)i * t.lda + pa)] : 0.0f;
            bs[bp][bj] = j < t.n && pb < t.k ? b[batch * t.sb + (t.tb ? (int64_t)j * t.ldb + pb : (int64_t)pb * t.ldb + j)] : 0.0f;
        }
        __syncthreads();
        for (int p = 0; p < 16; p++)
            for (int u = 0; u < 4; u++)
                for (int v = 0; v < 4; v++) sum[u][v] += as[p][ti + u] * bs[p][tj + v];
        __syncthreads();
    }
    for (int u = 0; u < 4; u++)
        for (int v = 0; v < 4; v++) {
            const int i = i0 + ti + u, j = j0 + tj + v;
            const int64_t o = batch * t.sy + (int64_t)i * t.ldy + j;
            float s = sum[u][v];
            if (i >= t.m || j >= t.n) continue;
            if (t.beta != 0.0f) s += t.beta * y[o];
            if (t.ep.bias) s += t.ep.bias[j];
            if (t.ep.pre) t.ep.pre[(batch * t.m + i) * t.n + j] = s;
            s = ssl__act(t.ep.act, s);
            y[o] = t.ep.residual ? s + t.ep.residual[o] : s;
        }
}
static void ssl__cuda_gemm(ssl_ctx *c, int ta, int tb, int batch, int m, int n, int k, const float *a, int lda, int64_t sa,
                           const float *b, int ldb, int64_t sb, float beta, float *y, int ldy, int64_t sy, const ssl__epilogue *ep)
{
    const int tiles_n = (n + 63) / 64, tiles = (m + 63) / 64 * tiles_n;
    ssl__tile t;
    int i;
    memset(&t, 0, sizeof t);
    t.ta = ta; t.tb = tb; t.m = m; t.n = n; t.k = k; t.beta = beta;
    t.lda = lda; t.ldb = ldb; t.ldy = ldy; t.sa = sa; t.sb = sb; t.sy = sy;
    if (ep) t.ep = *ep;
    for (i = 0; i < batch; i += 65535) { /* the most blocks of the second axis */
        const dim3 grid((unsigned)tiles, (unsigned)SSL__MIN(batch - i, 65535));
        ssl__tile part = t;
        if (part.ep.pre) part.ep.pre += (int64_t)i * m * n;
        if (part.ep.residual) part.ep.residual += i * sy;
        SSL__LAUNCH(c, ssl__k_gemm, grid, part, tiles_n, a + i * sa, b + i * sb, y + i * sy);
    }
}

/* ==== >>reduce ==== each block sums a share, then one block adds the shares in order ===================== */
#define SSL__SHARES 1024
typedef enum ssl__term { SSL__TERM_X, SSL__TERM_SQUARE, SSL__TERM_HUBER } ssl__term;
static __global__ void ssl__k_shares(ssl__term term, int64_t n, float lim, float h, const float *a, const float *b, double *share)
{
    double s = 0.0;
    SSL__EACH(i, n) s += (double)(term == SSL__TERM_X ? a[i] : term == SSL__TERM_SQUARE ? a[i] * a[i] : ssl__huber(a[i] - b[i], lim, h));
    s = ssl__block_sum(s);
    if (threadIdx.x == 0) share[blockIdx.x] = s;
}
static __global__ void ssl__k_total(int shares, double scale, const double *share, float *y)
{
    double s = 0.0;
    SSL__EACH(i, shares) s += share[i];
    s = ssl__block_sum(s);
    if (threadIdx.x == 0) y[0] = (float)(s * scale);
}
static void ssl__cuda_total(ssl_ctx *c, ssl__term term, int64_t n, float lim, float h, double scale, const float *a, const float *b, float *y)
{
    const unsigned grid = SSL__MIN(ssl__grid(n), SSL__SHARES);
    double *share = (double *)ssl__cuda_work(c, sizeof(double) * SSL__SHARES);
    if (!share) return;
    SSL__LAUNCH(c, ssl__k_shares, grid, term, n, lim, h, a, b, share);
    SSL__LAUNCH(c, ssl__k_total, 1, (int)grid, scale, share, y);
}
static void ssl__cuda_sum(ssl_ctx *c, int64_t n, float scale, const float *x, float *y) { ssl__cuda_total(c, SSL__TERM_X, n, 0.0f, 0.0f, (double)scale, x, NULL, y); }

/* 32 columns a block, 8 threads to each: neighbours read neighbouring columns. With xhat given: sum x xhat (layer norm). */
static __global__ void ssl__k_colsum(int rows, int cols, const float *x, const float *in, const float *stat, float *y)
{
    __shared__ float part[SSL__WARPS][33];
    const int j = (int)blockIdx.x * 32 + SSL__LANE, w = (int)threadIdx.x / 32;
    float s = 0.0f;
    for (int i = w; i < rows && j < cols; i += SSL__WARPS) {
        const int64_t e = (int64_t)i * cols + j;
        s += in ? x[e] * (in[e] - stat[2 * i]) * stat[2 * i + 1] : x[e];
    }
    part[w][SSL__LANE] = s;
    __syncthreads();
    if (w || j >= cols) return;
    for (int v = 1; v < SSL__WARPS; v++) s += part[v][SSL__LANE];
    y[j] += s;
}
static void ssl__cuda_colsum(ssl_ctx *c, int rows, int cols, const float *x, float *y)
{ SSL__LAUNCH(c, ssl__k_colsum, (unsigned)(cols + 31) / 32, rows, cols, x, NULL, NULL, y); }
static __global__ void ssl__k_spread(int64_t n, float scale, const float *x, float *y) { const float v = scale * x[0]; SSL__EACH(i, n) y[i] += v; }
static void ssl__cuda_spread(ssl_ctx *c, int64_t n, float scale, const float *x, float *y) { SSL__LAUNCH(c, ssl__k_spread, ssl__grid(n), n, scale, x, y); }

/* ==== >>broadcast ==== loop nests: element `kept` of the result, step `summed` of its sum ================= */
typedef struct ssl__place { int64_t off[4]; } ssl__place;
static __device__ void ssl__nest_axis(const ssl__nest *s, int axis, int64_t *i, ssl__place *p)
{
    const int64_t at = *i % s->dim[axis];
    *i /= s->dim[axis];
    for (int k = 0; k < 4; k++) p->off[k] += at * s->st[k][axis];
}
static __device__ ssl__place ssl__nest_place(const ssl__nest *s, int64_t kept, int64_t summed)
{
    const int last = s->n - 1;
    ssl__place p = { { 0, 0, 0, 0 } };
    ssl__nest_axis(s, last, s->st[0][last] ? &kept : &summed, &p);
    for (int a = last - 1; a >= s->n_keep; a--) ssl__nest_axis(s, a, &summed, &p);
    for (int a = s->n_keep - 1; a >= 0; a--) ssl__nest_axis(s, a, &kept, &p);
    return p;
}
static void ssl__nest_counts(const ssl__nest *s, int64_t *kept, int64_t *summed)
{
    *kept = ssl__nest_steps(s, 0, s->n_keep);
    *summed = ssl__nest_steps(s, s->n_keep, s->n - 1);
    *(s->st[0][s->n - 1] ? kept : summed) *= s->dim[s->n - 1];
}

/* d = beta d + sum of a term: a warp for each element of d where the sum is long, else a thread. */
#define SSL__NEST_SUM(kept, summed, beta, d, term)                                                             \
    do {                                                                                                       \
        if (summed == 1) SSL__EACH(i, kept) {                                                                  \
            const ssl__place p = ssl__nest_place(&s, i, 0);                                                    \
            const float v = (term);                                                                            \
            d[p.off[0]] = beta != 0.0f ? beta * d[p.off[0]] + v : v;                                           \
        }                                                                                                      \
        else SSL__EACH_WARP(i, kept) {                                                                         \
            double v = 0.0;                                                                                    \
            int64_t o;                                                                                         \
            for (int64_t r = SSL__LANE; r < summed; r += 32) { const ssl__place p = ssl__nest_place(&s, i, r); v += (double)(term); } \
            for (int k = 16; k; k >>= 1) v += __shfl_xor_sync(0xffffffffu, v, k);                              \
            o = ssl__nest_place(&s, i, 0).off[0];                                                              \
            if (SSL__LANE == 0) d[o] = beta != 0.0f ? beta * d[o] + (float)v : (float)v;                       \
        }                                                                                                      \
    } while (0)
#define SSL__BINARY_CUDA(name, value, derivative_a, derivative_b)                                              \
    static __device__ float ssl__d_##name##_f(float a, float b) { return (value); }                            \
    static __device__ float ssl__d_##name##_da(float a, float b) { (void)a; (void)b; return (derivative_a); }  \
    static __device__ float ssl__d_##name##_db(float a, float b) { (void)a; (void)b; return (derivative_b); }  \
    static __global__ void ssl__k_##name##_f(ssl__nest s, int64_t n, const float *a, const float *b, float *y) \
    { SSL__EACH(i, n) { const ssl__place p = ssl__nest_place(&s, i, 0); y[p.off[0]] = ssl__d_##name##_f(a[p.off[1]], b[p.off[2]]); } } \
    static void ssl__cuda_##name##_f(ssl_ctx *c, const ssl__nest *s, const float *a, const float *b, float *y) \
    {                                                                                                          \
        int64_t kept, summed;                                                                                  \
        ssl__nest_counts(s, &kept, &summed);                                                                   \
        SSL__LAUNCH(c, ssl__k_##name##_f, ssl__grid(kept), *s, kept, a, b, y);                                 \
    }                                                                                                          \
    SSL__BINARY_GRAD_CUDA(name, da)                                                                            \
    SSL__BINARY_GRAD_CUDA(name, db)
#define SSL__BINARY_GRAD_CUDA(name, grad)                                                                      \
    static __global__ void ssl__k_##name##_##grad(ssl__nest s, int64_t kept, int64_t summed, float beta, const float *a, const float *b, \
                                                  const float *dy, float *d)                                   \
    { SSL__NEST_SUM(kept, summed, beta, d, dy[p.off[3]] * ssl__d_##name##_##grad(a[p.off[1]], b[p.off[2]])); } \
    static void ssl__cuda_##name##_##grad(ssl_ctx *c, const ssl__nest *s, float beta, const float *a, const float *b, const float *dy, float *d) \
    {                                                                                                          \
        int64_t kept, summed;                                                                                  \
        ssl__nest_counts(s, &kept, &summed);                                                                   \
        SSL__LAUNCH(c, ssl__k_##name##_##grad, ssl__grid_warps(kept), *s, kept, summed, beta, a, b, dy, d);    \
    }
SSL__BINARY(SSL__BINARY_CUDA)
#undef SSL__BINARY_CUDA
#undef SSL__BINARY_GRAD_CUDA

static __global__ void ssl__k_reduce(ssl__nest s, int64_t kept, int64_t summed, float scale, float beta, const float *x, float *y)
{ SSL__NEST_SUM(kept, summed, beta, y, scale * x[p.off[1]]); }
static void ssl__cuda_reduce(ssl_ctx *c, const ssl__nest *s, float scale, float beta, const float *x, float *y)
{
    int64_t kept, summed;
    ssl__nest_counts(s, &kept, &summed);
    SSL__LAUNCH(c, ssl__k_reduce, ssl__grid_warps(kept), *s, kept, summed, scale, beta, x, y);
}

/* ==== >>shape ==== words moved along strides ============================================================ */
static __global__ void ssl__k_copy(ssl__nest s, int64_t n, const uint32_t *x, uint32_t *y)
{ SSL__EACH(i, n) { const ssl__place p = ssl__nest_place(&s, i, 0); y[p.off[0]] = x[p.off[1]]; } }
static __global__ void ssl__k_copy_add(ssl__nest s, int64_t n, float scale, const float *x, float *y)
{ SSL__EACH(i, n) { const ssl__place p = ssl__nest_place(&s, i, 0); y[p.off[0]] += scale * x[p.off[1]]; } }
static ssl__nest ssl__nest_moves(const ssl__nest *s) { ssl__nest all = *s; all.n_keep = s->n - 1; return all; } /* nothing is summed */
static void ssl__cuda_copy(ssl_ctx *c, const ssl__nest *s, const float *x, float *y)
{ SSL__LAUNCH(c, ssl__k_copy, ssl__grid(ssl__nest_steps(s, 0, s->n)), ssl__nest_moves(s), ssl__nest_steps(s, 0, s->n), (const uint32_t *)x, (uint32_t *)y); }
static void ssl__cuda_copy_add(ssl_ctx *c, const ssl__nest *s, float scale, const float *x, float *y)
{ SSL__LAUNCH(c, ssl__k_copy_add, ssl__grid(ssl__nest_steps(s, 0, s->n)), ssl__nest_moves(s), ssl__nest_steps(s, 0, s->n), scale, x, y); }

/* ==== >>token ==== an index that is out of range gives rows of NaN ====================================== */
static __global__ void ssl__k_gather_f(int64_t n, int L, int K, int D, int shared, float beta, const float *x, const int32_t *index, float *y)
{
    SSL__EACH(i, n) {
        const int64_t row = i / D, b = row / K;
        const int l = index[shared ? row % K : row];
        const float v = l >= 0 && l < L ? x[(b * L + l) * D + i % D] : NAN;
        y[i] = beta != 0.0f ? y[i] + v : v;
    }
}
static void ssl__cuda_gather_f(ssl_ctx *c, int B, int L, int K, int D, int shared, float beta, const float *x, const int32_t *index, float *y)
{ const int64_t n = (int64_t)B * K * D; SSL__LAUNCH(c, ssl__k_gather_f, ssl__grid(n), n, L, K, D, shared, beta, x, index, y); }
static __global__ void ssl__k_gather_b(int64_t n, int L, int K, int D, int shared, const int32_t *index, const float *dy, float *dx)
{
    SSL__EACH(i, n) { /* an element of dx looks for the rows that were read from it, in order */
        const int64_t b = i / D / L;
        const int l = (int)(i / D % L);
        float s = 0.0f;
        for (int k = 0; k < K; k++)
            if (index[shared ? k : b * K + k] == l) s += dy[(b * K + k) * D + i % D];
        dx[i] += s;
    }
}
static void ssl__cuda_gather_b(ssl_ctx *c, int B, int L, int K, int D, int shared, const int32_t *index, const float *dy, float *dx)
{ const int64_t n = (int64_t)B * L * D; SSL__LAUNCH(c, ssl__k_gather_b, ssl__grid(n), n, L, K, D, shared, index, dy, dx); }
static __global__ void ssl__k_scatter_f(int64_t n, int L, int K, int D, const float *x, const int32_t *index, float *y)
{ SSL__EACH(i, n) { const int64_t row = i / D; const int l = index[row]; if (l >= 0 && l < L) y[(row / K * L + l) * D + i % D] = x[i]; } }
static void ssl__cuda_scatter_f(ssl_ctx *c, int B, int L, int K, int D, const float *x, const int32_t *index, float *y)
{ const int64_t n = (int64_t)B * K * D; SSL__LAUNCH(c, ssl__k_scatter_f, ssl__grid(n), n, L, K, D, x, index, y); }
static __global__ void ssl__k_scatter_base_b(int64_t n, int L, int K, int D, const int32_t *index, const float *dy, float *dbase)
{
    SSL__EACH(i, n) {
        const int64_t b = i / D / L;
        const int l = (int)(i / D % L);
        int hit = 0;
        for (int k = 0; k < K; k++) hit |= index[b * K + k] == l;
        if (!hit) dbase[i] += dy[i];
    }
}
static void ssl__cuda_scatter_base_b(ssl_ctx *c, int B, int L, int K, int D, const int32_t *index, const float *dy, float *dbase)
{ const int64_t n = (int64_t)B * L * D; SSL__LAUNCH(c, ssl__k_scatter_base_b, ssl__grid(n), n, L, K, D, index, dy, dbase); }

/* Place = how many come before: smaller ones, and equal ones to the left. */
static __global__ void ssl__k_argsort(int64_t total, int n, const float *x, int32_t *y)
{
    SSL__EACH(i, total) {
        const float *row = x + i / n * n, v = x[i];
        const int at = (int)(i % n);
        int before = 0;
        for (int j = 0; j < n; j++) before += row[j] < v || (row[j] == v && j < at);
        y[i / n * n + before] = at;
    }
}
static void ssl__cuda_argsort(ssl_ctx *c, int rows, int n, const float *x, int32_t *y)
{ const int64_t total = (int64_t)rows * n; SSL__LAUNCH(c, ssl__k_argsort, ssl__grid(total), total, n, x, y); }
static __global__ void ssl__k_i32_to_f32(int64_t n, const int32_t *x, float *y) { SSL__EACH(i, n) y[i] = (float)x[i]; }
static void ssl__cuda_i32_to_f32(ssl_ctx *c, int64_t n, const int32_t *x, float *y) { SSL__LAUNCH(c, ssl__k_i32_to_f32, ssl__grid(n), n, x, y); }

static __device__ float ssl__draw(uint64_t seed, uint64_t stream, uint64_t i)
{
    uint32_t u[4];
    ssl__philox(seed, stream, i / 4, u);
    return ssl__unit(u[i % 4]);
}
static __global__ void ssl__k_uniform(int64_t n, uint64_t seed, uint64_t stream, float *y) { SSL__EACH(i, n) y[i] = ssl__draw(seed, stream, (uint64_t)i); }
static void ssl__cuda_uniform(ssl_ctx *c, int64_t n, uint64_t seed, uint64_t stream, float *y) { SSL__LAUNCH(c, ssl__k_uniform, ssl__grid(n), n, seed, stream, y); }

/* ==== >>norm ==== a warp for each row ==================================================================== */
static __global__ void ssl__k_layer_norm_f(int rows, int cols, float eps, const float *xs, const float *w, const float *b, float *ys, float *stat)
{
    SSL__EACH_WARP(i, rows) {
        const float *x = xs + i * cols;
        float s = 0.0f, mean, r;
        for (int j = SSL__LANE; j < cols; j += 32) s += x[j];
        mean = ssl__warp_sum(s) / (float)cols;
        s = 0.0f;
        for (int j = SSL__LANE; j < cols; j += 32) s += (x[j] - mean) * (x[j] - mean);
        r = 1.0f / sqrtf(ssl__warp_sum(s) / (float)cols + eps);
        for (int j = SSL__LANE; j < cols; j += 32) ys[i * cols + j] = (x[j] - mean) * r * (w ? w[j] : 1.0f) + (b ? b[j] : 0.0f);
        if (SSL__LANE == 0) { stat[2 * i] = mean; stat[2 * i + 1] = r; }
    }
}
static void ssl__cuda_layer_norm_f(ssl_ctx *c, int rows, int cols, float eps, const float *x, const float *w, const float *b, float *y, float *stat)
{ SSL__LAUNCH(c, ssl__k_layer_norm_f, ssl__grid_warps(rows), rows, cols, eps, x, w, b, y, stat); }
static __global__ void ssl__k_layer_norm_b(int rows, int cols, const float *x, const float *w, const float *stat, const float *dy, float beta, float *dx)
{
    SSL__EACH_WARP(i, rows) {
        const float mean = stat[2 * i], r = stat[2 * i + 1];
        float s = 0.0f, sx = 0.0f;
        for (int j = SSL__LANE; j < cols; j += 32) {
            const float g = dy[i * cols + j] * (w ? w[j] : 1.0f);
            s += g;
            sx += g * (x[i * cols + j] - mean) * r;
        }
        s = ssl__warp_sum(s) / (float)cols;
        sx = ssl__warp_sum(sx) / (float)cols;
        for (int j = SSL__LANE; j < cols; j += 32) {
            const int64_t e = i * cols + j;
            const float v = r * (dy[e] * (w ? w[j] : 1.0f) - s - (x[e] - mean) * r * sx);
            dx[e] = beta != 0.0f ? dx[e] + v : v;
        }
    }
}
static void ssl__cuda_layer_norm_b(ssl_ctx *c, int rows, int cols, const float *x, const float *w, const float *stat, const float *dy,
                                   float beta, float *dx, float *dw, float *db)
{
    if (dx) SSL__LAUNCH(c, ssl__k_layer_norm_b, ssl__grid_warps(rows), rows, cols, x, w, stat, dy, beta, dx);
    if (dw) SSL__LAUNCH(c, ssl__k_colsum, (unsigned)(cols + 31) / 32, rows, cols, dy, x, stat, dw);
    if (db) ssl__cuda_colsum(c, rows, cols, dy, db);
}

static __device__ float ssl__row_lse(int cols, const float *x) /* ln sum exp x */
{
    float top = -INFINITY, s = 0.0f;
    for (int j = SSL__LANE; j < cols; j += 32) top = fmaxf(top, x[j]);
    top = ssl__warp_max(top);
    for (int j = SSL__LANE; j < cols; j += 32) s += ssl__exp(x[j] - top);
    return top + logf(ssl__warp_sum(s));
}
static __global__ void ssl__k_softmax_f(int rows, int cols, int log, const float *x, float *y)
{
    SSL__EACH_WARP(i, rows) {
        const float lse = ssl__row_lse(cols, x + i * cols);
        for (int64_t e = i * cols + SSL__LANE; e < (i + 1) * cols; e += 32) y[e] = log ? x[e] - lse : ssl__exp(x[e] - lse);
    }
}
static void ssl__cuda_softmax_f(ssl_ctx *c, int rows, int cols, int log, const float *x, float *y)
{ SSL__LAUNCH(c, ssl__k_softmax_f, ssl__grid_warps(rows), rows, cols, log, x, y); }
static __global__ void ssl__k_softmax_b(int rows, int cols, int log, const float *y, const float *dy, float beta, float *dx)
{
    SSL__EACH_WARP(i, rows) {
        float s = 0.0f;
        for (int64_t e = i * cols + SSL__LANE; e < (i + 1) * cols; e += 32) s += log ? dy[e] : y[e] * dy[e];
        s = ssl__warp_sum(s);
        for (int64_t e = i * cols + SSL__LANE; e < (i + 1) * cols; e += 32) {
            const float v = log ? dy[e] - ssl__exp(y[e]) * s : y[e] * (dy[e] - s);
            dx[e] = beta != 0.0f ? dx[e] + v : v;
        }
    }
}
static void ssl__cuda_softmax_b(ssl_ctx *c, int rows, int cols, int log, const float *y, const float *dy, float beta, float *dx)
{ SSL__LAUNCH(c, ssl__k_softmax_b, ssl__grid_warps(rows), rows, cols, log, y, dy, beta, dx); }

static __global__ void ssl__k_l2norm_f(int rows, int cols, float eps, const float *x, float *y, float *norm)
{
    SSL__EACH_WARP(i, rows) {
        float s = 0.0f;
        for (int64_t e = i * cols + SSL__LANE; e < (i + 1) * cols; e += 32) s += x[e] * x[e];
        s = sqrtf(ssl__warp_sum(s));
        if (SSL__LANE == 0) norm[i] = s;
        for (int64_t e = i * cols + SSL__LANE; e < (i + 1) * cols; e += 32) y[e] = x[e] / fmaxf(s, eps);
    }
}
static void ssl__cuda_l2norm_f(ssl_ctx *c, int rows, int cols, float eps, const float *x, float *y, float *norm)
{ SSL__LAUNCH(c, ssl__k_l2norm_f, ssl__grid_warps(rows), rows, cols, eps, x, y, norm); }
static __global__ void ssl__k_l2norm_b(int rows, int cols, float eps, const float *y, const float *norm, const float *dy, float beta, float *dx)
{
    SSL__EACH_WARP(i, rows) {
        float s = 0.0f;
        if (norm[i] > eps) for (int64_t e = i * cols + SSL__LANE; e < (i + 1) * cols; e += 32) s += y[e] * dy[e];
        s = ssl__warp_sum(s);
        for (int64_t e = i * cols + SSL__LANE; e < (i + 1) * cols; e += 32) {
            const float v = (dy[e] - y[e] * s) / fmaxf(norm[i], eps);
            dx[e] = beta != 0.0f ? dx[e] + v : v;
        }
    }
}
static void ssl__cuda_l2norm_b(ssl_ctx *c, int rows, int cols, float eps, const float *y, const float *norm, const float *dy, float beta, float *dx)
{ SSL__LAUNCH(c, ssl__k_l2norm_b, ssl__grid_warps(rows), rows, cols, eps, y, norm, dy, beta, dx); }

/* ==== >>loss ============================================================================================= */
static __global__ void ssl__k_cross_entropy_f(int rows, int cols, float smoothing, const float *xs, const int32_t *target, float *loss, float *lse)
{
    SSL__EACH_WARP(i, rows) {
        const float *x = xs + i * cols, l = ssl__row_lse(cols, x);
        const int t = target[i];
        float s = 0.0f, own;
        for (int j = SSL__LANE; j < cols && smoothing > 0.0f; j += 32) s += x[j];
        s = ssl__warp_sum(s);
        own = t >= 0 && t < cols ? x[t] : NAN; /* a target that is no class must not pass */
        if (SSL__LANE == 0) { lse[i] = l; loss[i] = t == -100 ? 0.0f : l - (1.0f - smoothing) * own - smoothing / (float)cols * s; }
    }
}
static __global__ void ssl__k_cross_entropy_mean(int rows, const int32_t *target, const float *row_loss, float *loss, float *lse)
{
    double s = 0.0, count = 0.0;
    SSL__EACH(i, rows) { s += (double)row_loss[i]; count += target[i] != -100; }
    s = ssl__block_sum(s);
    count = ssl__block_sum(count);
    if (threadIdx.x == 0) { lse[rows] = count > 0.0 ? (float)(1.0 / count) : 0.0f; loss[0] = count > 0.0 ? (float)(s / count) : 0.0f; }
}
static void ssl__cuda_cross_entropy_f(ssl_ctx *c, int rows, int cols, float smoothing, const float *x, const int32_t *target, float *loss, float *lse)
{
    float *row_loss = (float *)ssl__cuda_work(c, sizeof(float) * (size_t)rows);
    if (!row_loss) return;
    SSL__LAUNCH(c, ssl__k_cross_entropy_f, ssl__grid_warps(rows), rows, cols, smoothing, x, target, row_loss, lse);
    SSL__LAUNCH(c, ssl__k_cross_entropy_mean, 1, rows, target, row_loss, loss, lse);
}
static __global__ void ssl__k_cross_entropy_b(int rows, int cols, float smoothing, const float *x, const int32_t *target, const float *lse,
                                              const float *dloss, float beta, float *dx)
{
    const float scale = dloss[0] * lse[rows];
    SSL__EACH(e, (int64_t)rows * cols) {
        const int64_t i = e / cols;
        const int t = target[i], own = t == e % cols;
        const float q = smoothing / (float)cols + (own ? 1.0f - smoothing : 0.0f), v = t == -100 ? 0.0f : (ssl__exp(x[e] - lse[i]) - q) * scale;
        dx[e] = beta != 0.0f ? dx[e] + v : v;
    }
}
static void ssl__cuda_cross_entropy_b(ssl_ctx *c, int rows, int cols, float smoothing, const float *x, const int32_t *target, const float *lse,
                                      const float *dloss, float beta, float *dx)
{ SSL__LAUNCH(c, ssl__k_cross_entropy_b, ssl__grid((int64_t)rows * cols), rows, cols, smoothing, x, target, lse, dloss, beta, dx); }

static void ssl__cuda_huber_f(ssl_ctx *c, int64_t n, float lim, float h, const float *a, const float *b, float *loss)
{ ssl__cuda_total(c, SSL__TERM_HUBER, n, lim, h, 1.0 / (double)n, a, b, loss); }
static __global__ void ssl__k_huber_b(int64_t n, float lim, float h, const float *a, const float *b, const float *dloss, float *da, float *db)
{
    const float k = dloss[0] / (float)n;
    SSL__EACH(i, n) {
        const float d = k * ssl__dhuber(a[i] - b[i], lim, h);
        if (da) da[i] += d;
        if (db) db[i] -= d;
    }
}
static void ssl__cuda_huber_b(ssl_ctx *c, int64_t n, float lim, float h, const float *a, const float *b, const float *dloss, float *da, float *db)
{ SSL__LAUNCH(c, ssl__k_huber_b, ssl__grid(n), n, lim, h, a, b, dloss, da, db); }

/* ==== >>dropout ========================================================================================== */
static __global__ void ssl__k_dropout(int64_t n, int64_t group, float p, uint64_t seed, uint64_t stream, float beta, const float *x, float *y)
{
    const float keep = 1.0f / (1.0f - p);
    SSL__EACH(i, n) {
        const float v = (ssl__draw(seed, stream, (uint64_t)(i / group)) < p ? 0.0f : keep) * x[i];
        y[i] = beta != 0.0f ? y[i] + v : v;
    }
}
static void ssl__cuda_dropout(ssl_ctx *c, int64_t n, int64_t group, float p, uint64_t seed, uint64_t stream, float beta, const float *x, float *y)
{ SSL__LAUNCH(c, ssl__k_dropout, ssl__grid(n), n, group, p, seed, stream, beta, x, y); }

/* ==== >>attention ==== a warp for each query (forward, dq) or key (dk, dv); lanes share the head's d elements ==== */
#define SSL__HEAD 8 /* elements of a head that a lane holds: d up to 256 */
static __device__ float ssl__attn_dot(int d, const float *a, const float *b)
{
    float s = 0.0f;
    for (int j = SSL__LANE; j < d; j += 32) s += a[j] * b[j];
    return ssl__warp_sum(s);
}
static __device__ const float *ssl__attn_row(const float *p, int b, int T, int t, int stride, int h, int d) { return p + ((int64_t)b * T + t) * stride + h * d; }
/* The score of query i and key j, -inf where it is blocked. */
static __device__ float ssl__attn_score(const ssl__attn *a, int b, int h, int i, int j)
{
    const int64_t at = (int64_t)i * a->Tk + j;
    float s = a->scale * ssl__attn_dot(a->d, ssl__attn_row(a->q, b, a->Tq, i, a->sq, h, a->d), ssl__attn_row(a->k, b, a->Tk, j, a->sk, h, a->d));
    if (a->kind == SSL__MASK_ADD) s += ((const float *)a->mask)[at];
    if (a->kind == SSL__MASK_SHARED && ((const uint8_t *)a->mask)[at]) s = -INFINITY;
    if (a->kind == SSL__MASK_BATCH && ((const uint8_t *)a->mask)[(int64_t)b * a->Tq * a->Tk + at]) s = -INFINITY;
    return s;
}
static __device__ int ssl__attn_open(const ssl__attn *a, int i) { return a->causal && i + 1 < a->Tk ? i + 1 : a->Tk; }

/* Online softmax (Milakov and Gimelshein 2018): acc = sum of exp(s - top) v, rescaled whenever top grows. */
static __global__ void ssl__k_attn_f(ssl__attn a, float *y, float *lse)
{
    SSL__EACH_WARP(w, (int64_t)a.B * a.H * a.Tq) {
        const int i = (int)(w % a.Tq), h = (int)(w / a.Tq % a.H), b = (int)(w / a.Tq / a.H);
        float acc[SSL__HEAD] = { 0.0f }, top = -INFINITY, sum = 0.0f;
        for (int j = 0; j < ssl__attn_open(&a, i); j++) {
            const float *v = ssl__attn_row(a.v, b, a.Tk, j, a.sv, h, a.d), s = ssl__attn_score(&a, b, h, i, j);
            if (s > top) {
                const float shrink = ssl__exp(top - s);
                for (int r = 0; r < SSL__HEAD; r++) acc[r] *= shrink;
                sum *= shrink;
                top = s;
            }
            if (s == -INFINITY) continue;
            sum += ssl__exp(s - top);
            for (int r = 0; r < SSL__HEAD; r++) if (32 * r + SSL__LANE < a.d) acc[r] += ssl__exp(s - top) * v[32 * r + SSL__LANE];
        }
        for (int r = 0; r < SSL__HEAD; r++)
            if (32 * r + SSL__LANE < a.d) y[((int64_t)b * a.Tq + i) * a.H * a.d + h * a.d + 32 * r + SSL__LANE] = sum > 0.0f ? acc[r] / sum : 0.0f;
        if (SSL__LANE == 0) lse[w] = sum > 0.0f ? top + logf(sum) : 0.0f;
    }
}
static void ssl__cuda_attn_f(ssl_ctx *c, const ssl__attn *a, float *y, float *lse)
{
    if (a->d > 32 * SSL__HEAD) { ssl__fail(c, SSL_E_ARG, c->at, "ssl_attention: heads of %d elements: at most %d on CUDA", a->d, 32 * SSL__HEAD); return; }
    SSL__LAUNCH(c, ssl__k_attn_f, ssl__grid_warps((int64_t)a->B * a->H * a->Tq), *a, y, lse);
}
static __global__ void ssl__k_attn_p(ssl__attn a, float *p)
{
    SSL__EACH_WARP(w, (int64_t)a.B * a.H * a.Tq) {
        const int i = (int)(w % a.Tq), h = (int)(w / a.Tq % a.H), b = (int)(w / a.Tq / a.H), open = ssl__attn_open(&a, i);
        float top = -INFINITY, sum = 0.0f;
        for (int j = 0; j < open; j++) top = fmaxf(top, ssl__attn_score(&a, b, h, i, j));
        if (top == -INFINITY) top = 0.0f;
        for (int j = 0; j < open; j++) sum += ssl__exp(ssl__attn_score(&a, b, h, i, j) - top);
        for (int j = 0; j < a.Tk; j++) {
            const float s = j < open ? ssl__attn_score(&a, b, h, i, j) : -INFINITY;
            if (SSL__LANE == 0) p[w * a.Tk + j] = sum > 0.0f ? ssl__exp(s - top) / sum : 0.0f;
        }
    }
}
static void ssl__cuda_attn_p(ssl_ctx *c, const ssl__attn *a, float *p)
{ SSL__LAUNCH(c, ssl__k_attn_p, ssl__grid_warps((int64_t)a->B * a->H * a->Tq), *a, p); }

/* p = exp(s - lse), ds = p (dy v^T - delta), delta = dy y^T of the query. */
typedef struct ssl__attn_grad { ssl__attn a; const float *y, *lse, *dy; float *delta; } ssl__attn_grad;
static __device__ float ssl__attn_ds(const ssl__attn_grad *g, int b, int h, int i, int j, float delta, float *p)
{
    const ssl__attn *a = &g->a;
    const float *dy = ssl__attn_row(g->dy, b, a->Tq, i, a->H * a->d, h, a->d);
    *p = ssl__exp(ssl__attn_score(a, b, h, i, j) - g->lse[((int64_t)b * a->H + h) * a->Tq + i]);
    return *p * (ssl__attn_dot(a->d, dy, ssl__attn_row(a->v, b, a->Tk, j, a->sv, h, a->d)) - delta);
}
static __global__ void ssl__k_attn_dq(ssl__attn_grad g, float beta, float *dq)
{
    const ssl__attn *a = &g.a;
    SSL__EACH_WARP(w, (int64_t)a->B * a->H * a->Tq) {
        const int i = (int)(w % a->Tq), h = (int)(w / a->Tq % a->H), b = (int)(w / a->Tq / a->H), sy = a->H * a->d;
        const float delta = ssl__attn_dot(a->d, ssl__attn_row(g.dy, b, a->Tq, i, sy, h, a->d), ssl__attn_row(g.y, b, a->Tq, i, sy, h, a->d));
        float acc[SSL__HEAD] = { 0.0f }, p;
        if (SSL__LANE == 0) g.delta[w] = delta;
        for (int j = 0; j < ssl__attn_open(a, i) && dq; j++) {
            const float *k = ssl__attn_row(a->k, b, a->Tk, j, a->sk, h, a->d), ds = ssl__attn_ds(&g, b, h, i, j, delta, &p);
            for (int r = 0; r < SSL__HEAD; r++) if (32 * r + SSL__LANE < a->d) acc[r] += ds * k[32 * r + SSL__LANE];
        }
        for (int r = 0; r < SSL__HEAD && dq; r++)
            if (32 * r + SSL__LANE < a->d) {
                float *o = dq + ((int64_t)b * a->Tq + i) * a->sq + h * a->d + 32 * r + SSL__LANE;
                *o = beta != 0.0f ? *o + a->scale * acc[r] : a->scale * acc[r];
            }
    }
}
static __global__ void ssl__k_attn_dkv(ssl__attn_grad g, float beta_k, float beta_v, float *dk, float *dv)
{
    const ssl__attn *a = &g.a;
    SSL__EACH_WARP(w, (int64_t)a->B * a->H * a->Tk) {
        const int j = (int)(w % a->Tk), h = (int)(w / a->Tk % a->H), b = (int)(w / a->Tk / a->H), sy = a->H * a->d;
        float ak[SSL__HEAD] = { 0.0f }, av[SSL__HEAD] = { 0.0f }, p;
        for (int i = a->causal ? j : 0; i < a->Tq; i++) {
            const float *q = ssl__attn_row(a->q, b, a->Tq, i, a->sq, h, a->d), *dy = ssl__attn_row(g.dy, b, a->Tq, i, sy, h, a->d);
            const float ds = ssl__attn_ds(&g, b, h, i, j, g.delta[((int64_t)b * a->H + h) * a->Tq + i], &p);
            for (int r = 0; r < SSL__HEAD; r++)
                if (32 * r + SSL__LANE < a->d) { ak[r] += ds * q[32 * r + SSL__LANE]; av[r] += p * dy[32 * r + SSL__LANE]; }
        }
        for (int r = 0; r < SSL__HEAD; r++)
            if (32 * r + SSL__LANE < a->d) {
                const int64_t row = (int64_t)b * a->Tk + j, e = h * a->d + 32 * r + SSL__LANE;
                if (dk) dk[row * a->sk + e] = (beta_k != 0.0f ? dk[row * a->sk + e] : 0.0f) + a->scale * ak[r];
                if (dv) dv[row * a->sv + e] = (beta_v != 0.0f ? dv[row * a->sv + e] : 0.0f) + av[r];
            }
    }
}
static __global__ void ssl__k_attn_dmask(ssl__attn_grad g, float *dmask)
{
    const ssl__attn *a = &g.a;
    SSL__EACH_WARP(w, (int64_t)a->Tq * a->Tk) {
        const int i = (int)(w / a->Tk), j = (int)(w % a->Tk);
        float sum = 0.0f, p;
        for (int bh = 0; bh < a->B * a->H && j < ssl__attn_open(a, i); bh++)
            sum += ssl__attn_ds(&g, bh / a->H, bh % a->H, i, j, g.delta[(int64_t)bh * a->Tq + i], &p);
        if (SSL__LANE == 0) dmask[w] += sum;
    }
}
static void ssl__cuda_attn_b(ssl_ctx *c, const ssl__attn *a, const float *y, const float *lse, const float *dy, const float beta[3],
                             float *dq, float *dk, float *dv, float *dmask)
{
    ssl__attn_grad g;
    g.a = *a; g.y = y; g.lse = lse; g.dy = dy;
    g.delta = (float *)ssl__cuda_work(c, sizeof(float) * (size_t)a->B * (size_t)a->H * (size_t)a->Tq);
    if (!g.delta) return;
    SSL__LAUNCH(c, ssl__k_attn_dq, ssl__grid_warps((int64_t)a->B * a->H * a->Tq), g, beta[0], dq);
    if (dk || dv) SSL__LAUNCH(c, ssl__k_attn_dkv, ssl__grid_warps((int64_t)a->B * a->H * a->Tk), g, beta[1], beta[2], dk, dv);
    if (dmask) SSL__LAUNCH(c, ssl__k_attn_dmask, ssl__grid_warps((int64_t)a->Tq * a->Tk), g, dmask);
}

/* ==== >>mask ==== index lists and masks ================================================================== */
static __global__ void ssl__k_iota(int n, int start, int div, int m, int32_t *y) { SSL__EACH(i, n) y[i] = (start + (int32_t)i) / div % m; }
static void ssl__cuda_iota(ssl_ctx *c, int n, int start, int div, int m, int32_t *y) { SSL__LAUNCH(c, ssl__k_iota, ssl__grid(n), n, start, div, m, y); }
static __global__ void ssl__k_bernoulli(int64_t n, float p, uint64_t seed, uint64_t stream, uint8_t *y)
{ SSL__EACH(i, n) y[i] = ssl__draw(seed, stream, (uint64_t)i) < p; }
static void ssl__cuda_bernoulli(ssl_ctx *c, int64_t n, float p, uint64_t seed, uint64_t stream, uint8_t *y)
{ SSL__LAUNCH(c, ssl__k_bernoulli, ssl__grid(n), n, p, seed, stream, y); }
static __global__ void ssl__k_slice_ids(int64_t n, int x_rows, int cols, int begin, int width, const int32_t *x, int32_t *y)
{ SSL__EACH(i, n) y[i] = x[i / width % x_rows * cols + begin + i % width]; }
static void ssl__cuda_slice_ids(ssl_ctx *c, int rows, int x_rows, int cols, int begin, int end, const int32_t *x, int32_t *y)
{ const int64_t n = (int64_t)rows * (end - begin); SSL__LAUNCH(c, ssl__k_slice_ids, ssl__grid(n), n, x_rows, cols, begin, end - begin, x, y); }
static __global__ void ssl__k_random_ids(int n, int m, uint64_t seed, uint64_t stream, int32_t *y)
{ SSL__EACH(i, n) y[i] = ssl__random_id(seed, stream, (uint64_t)i, m); }
static void ssl__cuda_random_ids(ssl_ctx *c, int n, int m, uint64_t seed, uint64_t stream, int32_t *y)
{ SSL__LAUNCH(c, ssl__k_random_ids, ssl__grid(n), n, m, seed, stream, y); }
static __global__ void ssl__k_segment_tokens(int64_t n, int grid, int M, const int32_t *ids, int32_t *y)
{
    const int side = grid / M, S = side * side, L = grid * grid;
    SSL__EACH(e, n) {
        const int i = (int)(e % L), s = ids[e / L * S + i / (M * M)], in = i % (M * M);
        y[e] = (s / side * M + in / M) * grid + s % side * M + in % M;
    }
}
static void ssl__cuda_segment_tokens(ssl_ctx *c, int B, int grid, int M, const int32_t *ids, int32_t *y)
{ const int64_t n = (int64_t)B * grid * grid; SSL__LAUNCH(c, ssl__k_segment_tokens, ssl__grid(n), n, grid, M, ids, y); }
static __global__ void ssl__k_segment_mask(int64_t n, int T, int strict, const int32_t *rank, uint8_t *y)
{
    SSL__EACH(e, n) {
        const int64_t b = e / T / T;
        const int32_t i = rank[b * T + e / T % T], j = rank[b * T + e % T];
        y[e] = (uint8_t)(strict ? j >= i : j > i);
    }
}
static void ssl__cuda_segment_mask(ssl_ctx *c, int B, int T, int strict, const int32_t *rank, uint8_t *y)
{ const int64_t n = (int64_t)B * T * T; SSL__LAUNCH(c, ssl__k_segment_mask, ssl__grid(n), n, T, strict, rank, y); }
static __global__ void ssl__k_first_segment(int64_t n, const int32_t *rank, uint8_t *y) { SSL__EACH(i, n) y[i] = rank[i] == 0; }
static void ssl__cuda_first_segment(ssl_ctx *c, int64_t n, const int32_t *rank, uint8_t *y) { SSL__LAUNCH(c, ssl__k_first_segment, ssl__grid(n), n, rank, y); }
static __global__ void ssl__k_blob_segments(int B, int grid, int blobs, int groups, uint64_t seed, uint64_t stream, int32_t *rank)
{ SSL__EACH(b, B) ssl__blobs((int)b, grid, blobs, groups, seed, stream, rank + b * grid * grid); }
static void ssl__cuda_blob_segments(ssl_ctx *c, int B, int grid, int blobs, int groups, uint64_t seed, uint64_t stream, int32_t *rank)
{ SSL__LAUNCH(c, ssl__k_blob_segments, ssl__grid(B), B, grid, blobs, groups, seed, stream, rank); }
static __global__ void ssl__k_ignore(int64_t n, const int32_t *x, const uint8_t *drop, int32_t *y) { SSL__EACH(i, n) y[i] = drop[i] ? -100 : x[i]; }
static void ssl__cuda_ignore(ssl_ctx *c, int64_t n, const int32_t *x, const uint8_t *drop, int32_t *y) { SSL__LAUNCH(c, ssl__k_ignore, ssl__grid(n), n, x, drop, y); }
static __global__ void ssl__k_zero_rows_f(int64_t n, int d, const uint8_t *drop, const float *x, float *y) { SSL__EACH(i, n) y[i] = drop[i / d] ? 0.0f : x[i]; }
static void ssl__cuda_zero_rows_f(ssl_ctx *c, int64_t rows, int d, const uint8_t *drop, const float *x, float *y)
{ SSL__LAUNCH(c, ssl__k_zero_rows_f, ssl__grid(rows * d), rows * d, d, drop, x, y); }
static __global__ void ssl__k_zero_rows_b(int64_t n, int d, const uint8_t *drop, const float *dy, float *dx) { SSL__EACH(i, n) if (!drop[i / d]) dx[i] += dy[i]; }
static void ssl__cuda_zero_rows_b(ssl_ctx *c, int64_t rows, int d, const uint8_t *drop, const float *dy, float *dx)
{ SSL__LAUNCH(c, ssl__k_zero_rows_b, ssl__grid(rows * d), rows * d, d, drop, dy, dx); }
static __global__ void ssl__k_mask_diagonal_f(int64_t n, float value, const float *x, float *y) { SSL__EACH(i, n * n) y[i] = i / n == i % n ? value : x[i]; }
static void ssl__cuda_mask_diagonal_f(ssl_ctx *c, int n, float value, const float *x, float *y)
{ SSL__LAUNCH(c, ssl__k_mask_diagonal_f, ssl__grid((int64_t)n * n), n, value, x, y); }
static __global__ void ssl__k_mask_diagonal_b(int64_t n, const float *dy, float *dx) { SSL__EACH(i, n * n) if (i / n != i % n) dx[i] += dy[i]; }
static void ssl__cuda_mask_diagonal_b(ssl_ctx *c, int n, const float *dy, float *dx) { SSL__LAUNCH(c, ssl__k_mask_diagonal_b, ssl__grid((int64_t)n * n), n, dy, dx); }

/* ==== >>conv ==== a thread for each result; gradients gather what reached their element, in order ========= */
/* Output o of a window reads input i through tap r: i = o stride + r dilation - padding. -1: none does. */
static __device__ int ssl__window_output(int i, int r, int stride, int dilation, int padding, int outputs)
{
    const int t = i + padding - r * dilation;
    return t >= 0 && t % stride == 0 && t / stride < outputs ? t / stride : -1;
}
static __global__ void ssl__k_conv_f(ssl__window g, const float *x, const float *w, const float *bias, float *y)
{
    const int cig = g.ci / g.groups;
    SSL__EACH(e, (int64_t)g.n * g.co * g.oh * g.ow) {
        const int j = (int)(e % g.ow), i = (int)(e / g.ow % g.oh), o = (int)(e / g.ow / g.oh % g.co), c0 = o / (g.co / g.groups) * cig;
        const int64_t n = e / g.ow / g.oh / g.co;
        float s = bias ? bias[o] : 0.0f;
        for (int c = 0; c < cig; c++)
            for (int r = 0; r < g.kh; r++)
                for (int t = 0; t < g.kw; t++) {
                    const int xi = i * g.sh + r * g.dh - g.ph, xj = j * g.sw + t * g.dw - g.pw;
                    if (xi >= 0 && xi < g.h && xj >= 0 && xj < g.w)
                        s += w[(((int64_t)o * cig + c) * g.kh + r) * g.kw + t] * x[((n * g.ci + c0 + c) * g.h + xi) * g.w + xj];
                }
        y[e] = s;
    }
}
static void ssl__cuda_conv_f(ssl_ctx *c, const ssl__window *g, const float *x, const float *w, const float *bias, float *y)
{ SSL__LAUNCH(c, ssl__k_conv_f, ssl__grid((int64_t)g->n * g->co * g->oh * g->ow), *g, x, w, bias, y); }
static __global__ void ssl__k_conv_bx(ssl__window g, const float *w, const float *dy, float beta, float *dx)
{
    const int cig = g.ci / g.groups, cog = g.co / g.groups;
    SSL__EACH(e, (int64_t)g.n * g.ci * g.h * g.w) {
        const int xj = (int)(e % g.w), xi = (int)(e / g.w % g.h), c = (int)(e / g.w / g.h % g.ci), o0 = c / cig * cog;
        const int64_t n = e / g.w / g.h / g.ci;
        float s = 0.0f;
        for (int o = o0; o < o0 + cog; o++)
            for (int r = 0; r < g.kh; r++)
                for (int t = 0; t < g.kw; t++) {
                    const int i = ssl__window_output(xi, r, g.sh, g.dh, g.ph, g.oh), j = ssl__window_output(xj, t, g.sw, g.dw, g.pw, g.ow);
                    if (i >= 0 && j >= 0) s += w[(((int64_t)o * cig + c % cig) * g.kh + r) * g.kw + t] * dy[((n * g.co + o) * g.oh + i) * g.ow + j];
                }
        dx[e] = beta != 0.0f ? dx[e] + s : s;
    }
}
static void ssl__cuda_conv_bx(ssl_ctx *c, const ssl__window *g, const float *w, const float *dy, float beta, float *dx)
{ SSL__LAUNCH(c, ssl__k_conv_bx, ssl__grid((int64_t)g->n * g->ci * g->h * g->w), *g, w, dy, beta, dx); }
static __global__ void ssl__k_conv_bw(ssl__window g, const float *x, const float *dy, float *dw) /* a warp for each weight */
{
    const int cig = g.ci / g.groups;
    SSL__EACH_WARP(e, (int64_t)g.co * cig * g.kh * g.kw) {
        const int t = (int)(e % g.kw), r = (int)(e / g.kw % g.kh), o = (int)(e / g.kw / g.kh / cig), c = o / (g.co / g.groups) * cig + (int)(e / g.kw / g.kh % cig);
        double s = 0.0;
        for (int64_t q = SSL__LANE; q < (int64_t)g.n * g.oh * g.ow; q += 32) {
            const int j = (int)(q % g.ow), i = (int)(q / g.ow % g.oh), xi = i * g.sh + r * g.dh - g.ph, xj = j * g.sw + t * g.dw - g.pw;
            const int64_t n = q / g.ow / g.oh;
            if (xi >= 0 && xi < g.h && xj >= 0 && xj < g.w) s += (double)(x[((n * g.ci + c) * g.h + xi) * g.w + xj] * dy[((n * g.co + o) * g.oh + i) * g.ow + j]);
        }
        for (int k = 16; k; k >>= 1) s += __shfl_xor_sync(0xffffffffu, s, k);
        if (SSL__LANE == 0) dw[e] += (float)s;
    }
}
static void ssl__cuda_conv_bw(ssl_ctx *c, const ssl__window *g, const float *x, const float *dy, float *dw)
{ SSL__LAUNCH(c, ssl__k_conv_bw, ssl__grid_warps((int64_t)g->co * (g->ci / g->groups) * g->kh * g->kw), *g, x, dy, dw); }

static __global__ void ssl__k_unfold_f(ssl__window g, const float *x, float *y)
{
    SSL__EACH(e, (int64_t)g.n * g.ci * g.kh * g.kw * g.oh * g.ow) {
        const int j = (int)(e % g.ow), i = (int)(e / g.ow % g.oh), t = (int)(e / g.ow / g.oh % g.kw), r = (int)(e / g.ow / g.oh / g.kw % g.kh);
        const int xi = i * g.sh + r * g.dh - g.ph, xj = j * g.sw + t * g.dw - g.pw;
        const int64_t plane = e / g.ow / g.oh / g.kw / g.kh;
        y[e] = xi >= 0 && xi < g.h && xj >= 0 && xj < g.w ? x[(plane * g.h + xi) * g.w + xj] : 0.0f;
    }
}
static void ssl__cuda_unfold_f(ssl_ctx *c, const ssl__window *g, const float *x, float *y)
{ SSL__LAUNCH(c, ssl__k_unfold_f, ssl__grid((int64_t)g->n * g->ci * g->kh * g->kw * g->oh * g->ow), *g, x, y); }
/* What the windows over one input element hold for it: columns (unfold), averages, or maxima that it won. */
typedef enum ssl__reach { SSL__REACH_UNFOLD, SSL__REACH_AVG, SSL__REACH_MAX } ssl__reach;
static __global__ void ssl__k_window_b(ssl__reach kind, ssl__window g, const int32_t *at, const float *dy, float *dx)
{
    const float scale = kind == SSL__REACH_AVG ? 1.0f / (float)(g.kh * g.kw) : 1.0f;
    SSL__EACH(e, (int64_t)g.n * g.ci * g.h * g.w) {
        const int xj = (int)(e % g.w), xi = (int)(e / g.w % g.h);
        const int64_t plane = e / g.w / g.h;
        float s = 0.0f;
        for (int r = 0; r < g.kh; r++)
            for (int t = 0; t < g.kw; t++) {
                const int i = ssl__window_output(xi, r, g.sh, g.dh, g.ph, g.oh), j = ssl__window_output(xj, t, g.sw, g.dw, g.pw, g.ow);
                const int64_t window = kind == SSL__REACH_UNFOLD ? (plane * g.kh + r) * g.kw + t : plane, o = (window * g.oh + i) * g.ow + j;
                if (i >= 0 && j >= 0 && (kind != SSL__REACH_MAX || at[o] == xi * g.w + xj)) s += scale * dy[o];
            }
        dx[e] += s;
    }
}
static void ssl__cuda_window_b(ssl_ctx *c, ssl__reach kind, const ssl__window *g, const int32_t *at, const float *dy, float *dx)
{ SSL__LAUNCH(c, ssl__k_window_b, ssl__grid((int64_t)g->n * g->ci * g->h * g->w), kind, *g, at, dy, dx); }
static void ssl__cuda_unfold_b(ssl_ctx *c, const ssl__window *g, const float *dy, float *dx) { ssl__cuda_window_b(c, SSL__REACH_UNFOLD, g, NULL, dy, dx); }
static void ssl__cuda_avg_pool_b(ssl_ctx *c, const ssl__window *g, const float *dy, float *dx) { ssl__cuda_window_b(c, SSL__REACH_AVG, g, NULL, dy, dx); }
static void ssl__cuda_max_pool_b(ssl_ctx *c, const ssl__window *g, const int32_t *at, const float *dy, float *dx) { ssl__cuda_window_b(c, SSL__REACH_MAX, g, at, dy, dx); }

static __global__ void ssl__k_pool_f(ssl__window g, const float *x, float *y, int32_t *at) /* maximum and its place, or average where at is NULL */
{
    SSL__EACH(e, (int64_t)g.n * g.ci * g.oh * g.ow) {
        const int j = (int)(e % g.ow), i = (int)(e / g.ow % g.oh), r0 = i * g.sh - g.ph, t0 = j * g.sw - g.pw;
        const float *in = x + e / g.ow / g.oh * g.h * g.w;
        float s = 0.0f;
        int best = -1;
        for (int r = SSL__MAX(r0, 0); r < SSL__MIN(r0 + g.kh, g.h); r++)
            for (int t = SSL__MAX(t0, 0); t < SSL__MIN(t0 + g.kw, g.w); t++) {
                s += in[r * g.w + t];
                if (best < 0 || in[r * g.w + t] > in[best]) best = r * g.w + t;
            }
        y[e] = at ? in[best] : s * (1.0f / (float)(g.kh * g.kw));
        if (at) at[e] = best;
    }
}
static void ssl__cuda_max_pool_f(ssl_ctx *c, const ssl__window *g, const float *x, float *y, int32_t *at)
{ SSL__LAUNCH(c, ssl__k_pool_f, ssl__grid((int64_t)g->n * g->ci * g->oh * g->ow), *g, x, y, at); }
static void ssl__cuda_avg_pool_f(ssl_ctx *c, const ssl__window *g, const float *x, float *y) { ssl__cuda_max_pool_f(c, g, x, y, NULL); }

static __global__ void ssl__k_pad_f(ssl__resize r, const float *x, float *y)
{
    SSL__EACH(e, (int64_t)r.planes * r.oh * r.ow) {
        const int i = ssl__pad_source((int)(e / r.ow % r.oh), r.top, r.h, r.mode), j = ssl__pad_source((int)(e % r.ow), r.left, r.w, r.mode);
        y[e] = i >= 0 && j >= 0 ? x[(e / r.ow / r.oh * r.h + i) * r.w + j] : r.value;
    }
}
static void ssl__cuda_pad_f(ssl_ctx *c, const ssl__resize *r, const float *x, float *y)
{ SSL__LAUNCH(c, ssl__k_pad_f, ssl__grid((int64_t)r->planes * r->oh * r->ow), *r, x, y); }
static __global__ void ssl__k_pad_b(ssl__resize r, const float *dy, float *dx)
{
    SSL__EACH(e, (int64_t)r.planes * r.h * r.w) {
        const int j = (int)(e % r.w), i = (int)(e / r.w % r.h);
        float s = 0.0f;
        for (int oi = 0; oi < r.oh; oi++)
            for (int oj = 0; oj < r.ow && ssl__pad_source(oi, r.top, r.h, r.mode) == i; oj++)
                if (ssl__pad_source(oj, r.left, r.w, r.mode) == j) s += dy[(e / r.w / r.h * r.oh + oi) * r.ow + oj];
        dx[e] += s;
    }
}
static void ssl__cuda_pad_b(ssl_ctx *c, const ssl__resize *r, const float *dy, float *dx)
{ SSL__LAUNCH(c, ssl__k_pad_b, ssl__grid((int64_t)r->planes * r->h * r->w), *r, dy, dx); }

static __global__ void ssl__k_interpolate_f(ssl__resize r, const float *x, float *y)
{
    const int nearest = r.mode == SSL_INTERPOLATE_NEAREST;
    SSL__EACH(e, (int64_t)r.planes * r.oh * r.ow) {
        const float *in = x + e / r.ow / r.oh * r.h * r.w;
        int i[2], j[2];
        const float li = ssl__resize_source(nearest, (int)(e / r.ow % r.oh), r.h, r.oh, i), lj = ssl__resize_source(nearest, (int)(e % r.ow), r.w, r.ow, j);
        y[e] = (1.0f - li) * ((1.0f - lj) * in[i[0] * r.w + j[0]] + lj * in[i[0] * r.w + j[1]]) +
               li * ((1.0f - lj) * in[i[1] * r.w + j[0]] + lj * in[i[1] * r.w + j[1]]);
    }
}
static void ssl__cuda_interpolate_f(ssl_ctx *c, const ssl__resize *r, const float *x, float *y)
{ SSL__LAUNCH(c, ssl__k_interpolate_f, ssl__grid((int64_t)r->planes * r->oh * r->ow), *r, x, y); }
/* The weight with which output o reads input i, and the outputs lo..hi-1 outside of which it is 0. */
static __device__ float ssl__resize_weight(int nearest, int o, int n, int outputs, int i)
{
    int at[2];
    const float l = ssl__resize_source(nearest, o, n, outputs, at);
    return (at[0] == i ? 1.0f - l : 0.0f) + (at[1] == i ? l : 0.0f);
}
static __device__ void ssl__resize_range(int i, int n, int outputs, int *lo, int *hi)
{
    const int64_t first = (int64_t)(i - 1) * outputs / n - 1, end = (int64_t)(i + 2) * outputs / n + 2;
    *lo = first < 0 ? 0 : (int)first;
    *hi = end > outputs ? outputs : (int)end;
}
static __global__ void ssl__k_interpolate_b(ssl__resize r, const float *dy, float *dx)
{
    const int nearest = r.mode == SSL_INTERPOLATE_NEAREST;
    SSL__EACH(e, (int64_t)r.planes * r.h * r.w) {
        const int j = (int)(e % r.w), i = (int)(e / r.w % r.h);
        int i0, i1, j0, j1;
        float s = 0.0f;
        ssl__resize_range(i, r.h, r.oh, &i0, &i1);
        ssl__resize_range(j, r.w, r.ow, &j0, &j1);
        for (int oi = i0; oi < i1; oi++) {
            const float wi = ssl__resize_weight(nearest, oi, r.h, r.oh, i);
            for (int oj = j0; oj < j1 && wi != 0.0f; oj++)
                s += wi * ssl__resize_weight(nearest, oj, r.w, r.ow, j) * dy[(e / r.w / r.h * r.oh + oi) * r.ow + oj];
        }
        dx[e] += s;
    }
}
static void ssl__cuda_interpolate_b(ssl_ctx *c, const ssl__resize *r, const float *dy, float *dx)
{ SSL__LAUNCH(c, ssl__k_interpolate_b, ssl__grid((int64_t)r->planes * r->h * r->w), *r, dy, dx); }

/* ==== >>batchnorm ==== a block for each channel ========================================================== */
static __global__ void ssl__k_chansum(int n, int ch, int64_t hw, const float *dy, float *db)
{
    const int64_t c = blockIdx.x;
    double s = 0.0;
    for (int64_t i = threadIdx.x; i < n * hw; i += SSL__THREADS) s += (double)dy[(i / hw * ch + c) * hw + i % hw];
    s = ssl__block_sum(s);
    if (threadIdx.x == 0) db[c] += (float)s;
}
static void ssl__cuda_chansum(ssl_ctx *c, int n, int ch, int64_t hw, const float *dy, float *db) { SSL__LAUNCH(c, ssl__k_chansum, (unsigned)ch, n, ch, hw, dy, db); }
static __device__ float ssl__bn_rstd(const ssl__bn *b, const float *mean, const float *var, int64_t c) { return mean ? 1.0f / sqrtf(var[c] + b->eps) : 1.0f; }
static __global__ void ssl__k_batch_norm_f(ssl__bn b, const float *x, const float *w, const float *bias, const float *res, float *mean, float *var, float *y)
{
    const int64_t c = blockIdx.x, n = b.n * b.hw;
    float scale, shift, m;
    if (b.stages & SSL__BN_STATS) {
        double s = 0.0, q = 0.0;
        for (int64_t i = threadIdx.x; i < n; i += SSL__THREADS) s += (double)x[(i / b.hw * b.ch + c) * b.hw + i % b.hw];
        s = ssl__block_sum(s) / (double)n;
        for (int64_t i = threadIdx.x; i < n; i += SSL__THREADS) { const double d = (double)x[(i / b.hw * b.ch + c) * b.hw + i % b.hw] - s; q += d * d; }
        q = ssl__block_sum(q) / (double)n;
        if (threadIdx.x == 0) { mean[c] = (float)s; var[c] = (float)q; }
        __syncthreads();
    }
    if (!(b.stages & SSL__BN_APPLY)) return;
    m = mean ? mean[c] : 0.0f;
    scale = ssl__bn_rstd(&b, mean, var, c) * (w ? w[c] : 1.0f);
    shift = bias ? bias[c] : 0.0f;
    for (int64_t i = threadIdx.x; i < n; i += SSL__THREADS) {
        const int64_t e = (i / b.hw * b.ch + c) * b.hw + i % b.hw;
        const float v = (x[e] - m) * scale + shift + (res ? res[e] : 0.0f);
        y[e] = b.relu && v < 0.0f ? 0.0f : v;
    }
}
static void ssl__cuda_batch_norm_f(ssl_ctx *c, const ssl__bn *b, const float *x, const float *w, const float *bias, const float *res, float *mean, float *var, float *y)
{ SSL__LAUNCH(c, ssl__k_batch_norm_f, (unsigned)b->ch, *b, x, w, bias, res, mean, var, y); }
static __global__ void ssl__k_batch_norm_b(ssl__bn b, const float *x, const float *y, const float *w, const float *mean, const float *var,
                                           float *dy, float *s1, float *s2, float *dw, float *db, float beta, float *dx)
{
    const int64_t c = blockIdx.x, n = b.n * b.hw;
    const float m = mean ? mean[c] : 0.0f, rstd = ssl__bn_rstd(&b, mean, var, c);
    const float inv = b.count > 0.0 ? (float)(1.0 / b.count) : 0.0f;
    if (b.stages & SSL__BN_STATS) {
        double s = 0.0, q = 0.0;
        for (int64_t i = threadIdx.x; i < n; i += SSL__THREADS) {
            const int64_t e = (i / b.hw * b.ch + c) * b.hw + i % b.hw;
            if (b.relu && !(y[e] > 0.0f)) dy[e] = 0.0f;
            s += (double)dy[e];
            q += (double)((x[e] - m) * dy[e]);
        }
        s = ssl__block_sum(s);
        q = ssl__block_sum(q) * (double)rstd;
        if (threadIdx.x == 0) {
            s1[c] = (float)s;
            s2[c] = (float)q;
            if (db) db[c] += (float)s;
            if (dw) dw[c] += (float)q;
        }
        __syncthreads();
    }
    for (int64_t i = threadIdx.x; i < n && dx && b.stages & SSL__BN_APPLY; i += SSL__THREADS) {
        const int64_t e = (i / b.hw * b.ch + c) * b.hw + i % b.hw;
        const float v = rstd * (w ? w[c] : 1.0f) * (dy[e] - s1[c] * inv - (x[e] - m) * s2[c] * rstd * inv);
        dx[e] = beta != 0.0f ? dx[e] + v : v;
    }
}
static void ssl__cuda_batch_norm_b(ssl_ctx *c, const ssl__bn *b, const float *x, const float *y, const float *w, const float *mean, const float *var,
                                   float *dy, float *s1, float *s2, float *dw, float *db, float beta, float *dx)
{ SSL__LAUNCH(c, ssl__k_batch_norm_b, (unsigned)b->ch, *b, x, y, w, mean, var, dy, s1, s2, dw, db, beta, dx); }
static __global__ void ssl__k_batch_norm_running(int ch, float momentum, float unbias, const float *mean, const float *var, float *rm, float *rv)
{ SSL__EACH(j, ch) { rm[j] += momentum * (mean[j] - rm[j]); rv[j] += momentum * (unbias * var[j] - rv[j]); } }
static void ssl__cuda_batch_norm_running(ssl_ctx *c, int ch, float momentum, float unbias, const float *mean, const float *var, float *rm, float *rv)
{ SSL__LAUNCH(c, ssl__k_batch_norm_running, ssl__grid(ch), ch, momentum, unbias, mean, var, rm, rv); }

/* ==== >>optim ==== one pass over memory ================================================================== */
static void ssl__cuda_sumsq(ssl_ctx *c, int64_t n, const float *x, float *y) { ssl__cuda_total(c, SSL__TERM_SQUARE, n, 0.0f, 0.0f, 1.0, x, NULL, y); }
static __global__ void ssl__k_rescale(int64_t n, float s, float *y) { SSL__EACH(i, n) y[i] *= s; }
static void ssl__cuda_rescale(ssl_ctx *c, int64_t n, float s, float *y) { SSL__LAUNCH(c, ssl__k_rescale, ssl__grid(n), n, s, y); }
static __global__ void ssl__k_ema(int64_t n, float a, const float *x, float *y) { SSL__EACH(i, n) y[i] = a * y[i] + (1.0f - a) * x[i]; }
static void ssl__cuda_ema(ssl_ctx *c, int64_t n, float a, const float *x, float *y) { SSL__LAUNCH(c, ssl__k_ema, ssl__grid(n), n, a, x, y); }
static __global__ void ssl__k_adam(int64_t n, ssl__update u, float *w, float *g, float *m, float *v)
{
    SSL__EACH(i, n) {
        const float d = u.scale * g[i] + u.l2 * w[i];
        m[i] = u.beta1 * m[i] + u.rest1 * d;
        v[i] = u.beta2 * v[i] + u.rest2 * (d * d);
        w[i] = u.shrink * w[i] - u.rate * m[i] / (sqrtf(v[i]) * u.debias2 + u.eps);
        g[i] = 0.0f;
    }
}
static void ssl__cuda_adam(ssl_ctx *c, int64_t n, const ssl__update *u, float *w, float *g, float *m, float *v) { SSL__LAUNCH(c, ssl__k_adam, ssl__grid(n), n, *u, w, g, m, v); }
static __global__ void ssl__k_sgd(int64_t n, ssl__update u, float *w, float *g, float *m)
{
    SSL__EACH(i, n) {
        const float d = u.scale * g[i] + u.l2 * w[i];
        m[i] = u.beta1 * m[i] + d;
        w[i] -= u.rate * (u.nesterov ? u.beta1 * m[i] + d : m[i]);
        g[i] = 0.0f;
    }
}
static void ssl__cuda_sgd(ssl_ctx *c, int64_t n, const ssl__update *u, float *w, float *g, float *m) { SSL__LAUNCH(c, ssl__k_sgd, ssl__grid(n), n, *u, w, g, m); }

/* ==== >>context ========================================================================================== */
#define SSL__KERNEL(name, args) ssl__cuda_##name,
static const ssl__kernels ssl__cuda_kernels = { "cuda", SSL__KERNELS_ALL };
#undef SSL__KERNEL
static const ssl__backend ssl__cuda_backend = { ssl__cuda_mem_alloc, ssl__cuda_mem_release, ssl__cuda_mem_put, ssl__cuda_mem_get, ssl__cuda_mem_copy,
                                                ssl__cuda_mem_available, ssl__cuda_error };

static void ssl__cuda_open(ssl_ctx *c, const char *at)
{
    const char *sync = getenv("SSL_CUDA_SYNC");
    ssl__cuda *g;
    cudaFuncAttributes image;
    int n = 0, driver = 0, built = 0;
    cudaError_t e = cudaGetDeviceCount(&n);
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&built);
    if (driver && driver / 1000 < built / 1000)
        ssl__fail(c, SSL_E_CUDA, at, "ssl_open: the NVIDIA driver knows CUDA %d.%d, this program was built with %d.%d: update the driver, or build with an older CUDA",
                  driver / 1000, driver % 1000 / 10, built / 1000, built % 1000 / 10);
    else if (e != cudaSuccess || n == 0)
        ssl__fail(c, SSL_E_CUDA, at, "ssl_open: no NVIDIA GPU can be used (%s): use the CPU",
                  driver ? cudaGetErrorString(e != cudaSuccess ? e : cudaErrorNoDevice) : "no driver is installed");
    else if ((e = cudaFuncGetAttributes(&image, (const void *)ssl__k_fill)) != cudaSuccess)
        ssl__fail(c, SSL_E_CUDA, at, "ssl_open: this program holds no code for this GPU (%s): build it with nvcc -arch=native", cudaGetErrorString(e));
    cudaGetLastError();
    g = (ssl__cuda *)(c->status ? NULL : ssl__alloc(c, at, sizeof *g));
    if (!g) return;
    g->sync = sync && *sync && *sync != '0';
    c->gpu = g;
    c->k = &ssl__cuda_kernels;
    c->dev = &ssl__cuda_backend;
}
static void ssl__cuda_close(ssl_ctx *c)
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    if (!g) return;
    if (g->work) cudaFree(g->work);
    ssl__release(g);
}
