/* The matrix products of a training step on an NVIDIA GPU, beside cuBLASLt where it is linked.
 *
 *     nvcc -O3 -arch=native -I. bench/gemm_cuda.cu [-DWITH_CUBLASLT -lcublasLt] -o build/cuda/gemm_cuda && build/cuda/gemm_cuda
 *
 * Both read the same operands, which are bf16 in memory at bf16, and write float32. A row is validated (the two results against each
 * other) and then timed: median of 20, after warm-up. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#ifdef WITH_CUBLASLT
#  include <cublasLt.h>
#endif

static const struct shape { const char *name; int ta, tb, m, n, k; } shapes[] = {
    { "square 4096", 0, 1, 4096, 4096, 4096 },
    { "ViT-T/4 qkv, B 4096, 17 tokens", 0, 1, 69632, 576, 192 },
    { "ViT-T/4 mlp forward", 0, 1, 69632, 768, 192 },
    { "ViT-T/4 mlp dx", 0, 0, 69632, 192, 768 },
    { "ViT-T/4 mlp dw", 1, 0, 768, 192, 69632 },
    { "ViT-S/16 mlp forward, B 1024", 0, 1, 51200, 1536, 384 },
    { "ViT-S/16 mlp dx", 0, 0, 51200, 384, 1536 },
    { "ViT-S/16 mlp dw", 1, 0, 1536, 384, 51200 },
    { "projector forward, B 1024", 0, 1, 1024, 2048, 2048 },
    { "projector dw", 1, 0, 2048, 2048, 1024 },
};
#define ROUNDS 20
static int by_size(const void *a, const void *b) { return *(const float *)a < *(const float *)b ? -1 : *(const float *)a > *(const float *)b; }
template <class F> static double median_ms(cudaStream_t stream, F run)
{
    cudaEvent_t start, stop;
    float ms[ROUNDS];
    cudaEventCreate(&start);
    cudaEventCreate(&stop);
    for (int i = -3; i < ROUNDS; i++) {
        cudaEventRecord(start, stream);
        run();
        cudaEventRecord(stop, stream);
        cudaEventSynchronize(stop);
        if (i >= 0) cudaEventElapsedTime(&ms[i], start, stop);
    }
    cudaEventDestroy(start);
    cudaEventDestroy(stop);
    qsort(ms, ROUNDS, sizeof *ms, by_size);
    return (double)ms[ROUNDS / 2];
}

#ifdef WITH_CUBLASLT
typedef struct peer { cublasLtHandle_t lt; cublasLtMatmulDesc_t op; cublasLtMatrixLayout_t a, b, y; cublasLtMatmulHeuristicResult_t found; void *work; size_t bytes; } peer;
/* Row-major y = op(a) op(b) is column-major y^T = op(b)^T op(a)^T. */
static int peer_open(peer *p, const shape *s, ssl_precision precision)
{
    const cudaDataType_t type = precision == SSL_PRECISION_BF16 ? CUDA_R_16BF : CUDA_R_32F;
    const cublasComputeType_t compute = precision == SSL_PRECISION_HIGH ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    const cublasOperation_t ta = s->tb ? CUBLAS_OP_T : CUBLAS_OP_N, tb = s->ta ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasLtMatmulPreference_t want;
    int n = 0;
    p->bytes = (size_t)64 << 20;
    cudaMalloc(&p->work, p->bytes);
    cublasLtCreate(&p->lt);
    cublasLtMatmulDescCreate(&p->op, compute, CUDA_R_32F);
    cublasLtMatmulDescSetAttribute(p->op, CUBLASLT_MATMUL_DESC_TRANSA, &ta, sizeof ta);
    cublasLtMatmulDescSetAttribute(p->op, CUBLASLT_MATMUL_DESC_TRANSB, &tb, sizeof tb);
    cublasLtMatrixLayoutCreate(&p->a, type, s->tb ? s->k : s->n, s->tb ? s->n : s->k, s->tb ? s->k : s->n);
    cublasLtMatrixLayoutCreate(&p->b, type, s->ta ? s->m : s->k, s->ta ? s->k : s->m, s->ta ? s->m : s->k);
    cublasLtMatrixLayoutCreate(&p->y, CUDA_R_32F, s->n, s->m, s->n);
    cublasLtMatmulPreferenceCreate(&want);
    cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &p->bytes, sizeof p->bytes);
    cublasLtMatmulAlgoGetHeuristic(p->lt, p->op, p->a, p->b, p->y, p->y, want, 1, &p->found, &n);
    cublasLtMatmulPreferenceDestroy(want);
    return n > 0;
}
static void peer_run(peer *p, const void *a, const void *b, float *y)
{
    const float one = 1.0f, zero = 0.0f;
    cublasLtMatmul(p->lt, p->op, &one, b, p->a, a, p->b, &zero, y, p->y, y, p->y, &p->found.algo, p->work, p->bytes, 0);
}
static void peer_close(peer *p)
{
    cublasLtMatrixLayoutDestroy(p->a);
    cublasLtMatrixLayoutDestroy(p->b);
    cublasLtMatrixLayoutDestroy(p->y);
    cublasLtMatmulDescDestroy(p->op);
    cublasLtDestroy(p->lt);
    cudaFree(p->work);
}
#endif

static double largest_difference(const float *y, const float *z, size_t n) /* over the largest value */
{
    float *h = (float *)malloc(2 * n * sizeof *h);
    double most = 0.0, size = 0.0;
    cudaMemcpy(h, y, n * sizeof *h, cudaMemcpyDeviceToHost);
    cudaMemcpy(h + n, z, n * sizeof *h, cudaMemcpyDeviceToHost);
    for (size_t i = 0; i < n; i++) { most = fmax(most, fabs((double)h[i] - (double)h[n + i])); size = fmax(size, fabs((double)h[n + i])); }
    free(h);
    return most / size;
}

static float *operand(ssl_ctx *c, size_t n, int half, uint64_t stream) /* random, as bf16 behind the pointer where half is set */
{
    float *x = (float *)c->dev->alloc(c, n * 4), *y = half ? (float *)c->dev->alloc(c, n * 2) : x;
    if (!x || !y) return NULL;
    c->k->uniform(c, (int64_t)n, 1, stream, x);
    if (!half) return x;
    SSL__LAUNCH(c, ssl__k_narrow, ssl__grid((int64_t)n / 2), (int64_t)n / 2, x, (uint32_t *)y);
    c->dev->release(c, x);
    return y;
}
static int measure(const shape *s, ssl_precision precision)
{
    static const char *const names[] = { "", "highest", "high", "bf16" };
    const size_t na = (size_t)s->m * (size_t)s->k, nb = (size_t)s->n * (size_t)s->k, ny = (size_t)s->m * (size_t)s->n;
    const double flop = 2.0 * s->m * s->n * (double)s->k;
    const int half = precision == SSL_PRECISION_BF16;
    float *a, *b, *y, *z;
    double ours, theirs = 0.0, wrong = 0.0;
    ssl_desc d = SSL_ZERO;
    ssl__epilogue ep = SSL_ZERO;
    ssl_ctx *c;
    d.device = SSL_DEVICE_CUDA;
    d.precision = precision;
    c = ssl_open(&d);
    if (!ssl_ok(c)) return 1;
    a = operand(c, na, half, 1); b = operand(c, nb, half, 2); y = (float *)c->dev->alloc(c, ny * 4); z = (float *)c->dev->alloc(c, ny * 4);
    if (!a || !b || !y || !z) return 1;
    ep.act = SSL_ACT_NONE;
    ep.half = half ? SSL__HALF_A | SSL__HALF_B : 0;
    const int lda = s->ta ? s->m : s->k, ldb = s->tb ? s->k : s->n;
    ssl__cuda_finish(c);
    ours = median_ms(((ssl__cuda *)c->gpu)->stream, [&]() {
        c->k->gemm(c, s->ta, s->tb, 1, s->m, s->n, s->k, a, lda, 0, b, ldb, 0, 0.0f, y, s->n, 0, half ? &ep : NULL);
        ssl__cuda_flush(c);
    });
#ifdef WITH_CUBLASLT
    {
        peer p;
        if (peer_open(&p, s, precision)) {
            theirs = median_ms(0, [&]() { peer_run(&p, a, b, z); });
            wrong = largest_difference(y, z, ny);
        }
        peer_close(&p);
    }
#endif
    printf("%-32s %-8s %6d %6d %6d %9.1f %9.1f %8.2f  %s\n", s->name, names[precision], s->m, s->n, s->k, flop / ours * 1e-9, theirs > 0.0 ? flop / theirs * 1e-9 : 0.0,
           theirs / ours, wrong > 2e-3 ? "WRONG" : "");
    fflush(stdout);
    c->dev->release(c, a); c->dev->release(c, b); c->dev->release(c, y); c->dev->release(c, z);
    return (ssl_close(c) != 0) | (wrong > 2e-3);
}

int main(void)
{
    int bad = 0;
    printf("%-32s %-8s %6s %6s %6s %9s %9s %8s\n", "product", "", "m", "n", "k", "TFLOP/s", "cuBLASLt", "ratio");
    for (int p = SSL_PRECISION_HIGHEST; p <= SSL_PRECISION_BF16; p++)
        for (const shape &s : shapes) bad |= measure(&s, (ssl_precision)p);
    return bad;
}
