/* Enough of CUDA on the host to run ssl_cuda.cuh as plain C++: compile a test with -include tests/cuda_emu.h, run it with
 * SSL_DEVICE=cuda. Blocks run one after another, the threads of a block as fibers on one core: a thread runs until it meets
 * a barrier or a shuffle, then the next one does. "Device" memory is the heap, starts as NaN, and has guard bytes around it,
 * so that a sanitizer sees a wrong index. Streams, events and graphs are queues of operations. Each ssl_open turns the order of threads and blocks around: a missing barrier or
 * two threads writing one place show as different bits. mma.sync, ldmatrix and cp.async are modelled a warp (a thread) at a time
 * from their documented register layouts. */
#ifndef CUDA_EMU_H
#define CUDA_EMU_H
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <type_traits>
#include <ucontext.h>
#include <utility>
#define SSL__CUDA 1
#define __global__
#define __device__
#define __shared__ static
#define __forceinline__ inline
#define __launch_bounds__(...)

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
static dim3 threadIdx, blockIdx, blockDim, gridDim;

/* ---- fibers: each runs threads of the block until one of them has to wait ---- */
enum { EMU_THREADS = 256, EMU_WARPS = EMU_THREADS / 32, EMU_STACK = 256 << 10 };
typedef struct emu_fiber {
    ucontext_t *made; /* its first entry */
    void *sp;
    char *stack;
    int thread;
} emu_fiber;
typedef struct emu_barrier { emu_fiber *met[EMU_THREADS]; int n; } emu_barrier; /* who waits there */
static emu_fiber emu_fibers[EMU_THREADS + 1]; /* the last one is the scheduler */
static emu_fiber *emu_now, *emu_idle[EMU_THREADS], *emu_ready[EMU_THREADS];
static emu_barrier emu_block_barrier, emu_warp_barrier[EMU_WARPS];
static unsigned emu_first, emu_last; /* of the ready ones */
static int emu_n_idle, emu_next, emu_done, emu_threads, emu_backwards;
static void (*emu_call)(void *);
static void *emu_arg;

static void emu_stop(const char *why)
{
    fprintf(stderr, "cuda_emu: block %u,%u, thread %u: %s\n", blockIdx.x, blockIdx.y, threadIdx.x, why);
    exit(1);
}
#if defined(__x86_64__)
/* Save what a call must preserve, exchange stacks, restore. */
extern "C" void emu_exchange(void **from, void *to);
__asm__(".text\n.globl emu_exchange\nemu_exchange:\n"
        "push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\nmov %rsp, (%rdi)\nmov %rsi, %rsp\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\nret\n");
#endif
static void emu_fiber_main();
static void emu_switch(emu_fiber *to)
{
    emu_fiber *from = emu_now;
    if (from == to) return;
    emu_now = to;
    if (!to->stack && to != &emu_fibers[EMU_THREADS]) to->stack = (char *)malloc(EMU_STACK);
#if defined(__x86_64__)
    if (!to->sp) { /* a fresh stack that returns into emu_fiber_main, aligned as after a call */
        void **top = (void **)(((uintptr_t)to->stack + EMU_STACK - 64) & ~(uintptr_t)15);
        *--top = NULL;
        *--top = (void *)emu_fiber_main;
        to->sp = top - 6;
    }
    emu_exchange(&from->sp, to->sp);
#else
    if (!from->made) from->made = (ucontext_t *)calloc(1, sizeof *from->made);
    if (!to->made) {
        to->made = (ucontext_t *)calloc(1, sizeof *to->made);
        getcontext(to->made);
        to->made->uc_stack.ss_sp = to->stack;
        to->made->uc_stack.ss_size = EMU_STACK;
        makecontext(to->made, emu_fiber_main, 0);
    }
    swapcontext(from->made, to->made);
#endif
    threadIdx.x = (unsigned)emu_now->thread;
}
/* Go on with a thread that may run, else with one that has not begun: so a warp runs as far ahead of the others as it can. */
static void emu_leave()
{
    if (emu_first != emu_last) emu_switch(emu_ready[emu_first++ % EMU_THREADS]);
    else if (emu_next < emu_threads) emu_switch(emu_idle[--emu_n_idle]);
    else emu_switch(&emu_fibers[EMU_THREADS]);
}
static void emu_release(emu_barrier *b)
{
    for (int i = 0; i < b->n; i++) emu_ready[emu_last++ % EMU_THREADS] = b->met[emu_backwards ? b->n - 1 - i : i];
    b->n = 0;
}
static void emu_wait(emu_barrier *b, int all)
{
    b->met[b->n++] = emu_now;
    if (b->n == all) emu_release(b);
    emu_leave();
}
static void emu_fiber_main()
{
    for (;;) {
        while (emu_next < emu_threads) {
            const int t = emu_next++;
            emu_now->thread = emu_backwards ? emu_threads - 1 - t : t;
            threadIdx.x = (unsigned)emu_now->thread;
            emu_call(emu_arg);
            emu_done++;
            if (emu_block_barrier.n && emu_block_barrier.n == emu_threads - emu_done) emu_release(&emu_block_barrier);
        }
        emu_idle[emu_n_idle++] = emu_now;
        emu_leave();
    }
}
static void emu_run_block()
{
    emu_next = emu_done = emu_n_idle = 0;
    emu_first = emu_last = 0;
    for (int i = EMU_THREADS; i--;) emu_idle[emu_n_idle++] = &emu_fibers[i];
    emu_now = &emu_fibers[EMU_THREADS];
    emu_leave();
    if (emu_done == emu_threads) return;
    for (int w = 0; w < EMU_WARPS; w++) if (emu_warp_barrier[w].n) emu_stop("a shuffle that not all threads of the warp take part in");
    emu_stop("threads wait for each other at different barriers");
}

/* ---- what kernels call ---- */
static inline void __syncthreads() { emu_wait(&emu_block_barrier, emu_threads - emu_done); }
static inline void __syncwarp() { emu_wait(&emu_warp_barrier[threadIdx.x / 32], 32); }
template <class T> static inline const T *emu_trade(const T &mine) /* what each thread of the warp gives */
{
    static T slot[2][EMU_THREADS]; /* in turns: nobody is two exchanges ahead of another */
    static unsigned char turn[EMU_THREADS];
    const unsigned t = threadIdx.x, k = turn[t]++ & 1;
    slot[k][t] = mine;
    __syncwarp();
    return slot[k] + (t & ~31u);
}
template <class T> static inline T __shfl_xor_sync(unsigned, T v, int o) { return emu_trade(v)[(threadIdx.x & 31u) ^ (unsigned)o]; }
static inline unsigned __ballot_sync(unsigned, int yes)
{
    const int *all = emu_trade((int)(yes != 0));
    unsigned b = 0;
    for (int i = 0; i < 32; i++) b |= (unsigned)all[i] << i;
    return b;
}
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int atomicAdd(int *p, int v) { const int old = *p; *p += v; return old; } /* no thread runs between */

struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) float2 { float x, y; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };

/* Shared memory whose size the launch gives: exactly that long, NaN when a block starts. */
static unsigned char *emu_shared;
#define SSL__EMULATED 1
#define SSL__REPEAT
#define SSL__ROLLED
#define SSL__TWICE
#define SSL__DYNAMIC(name) unsigned char *const name = emu_shared

/* cp.async: the bytes arrive when their group is waited for, until then they are NaN. */
typedef struct emu_copy { void *to; const void *from; int bytes, size; unsigned group; } emu_copy;
enum { EMU_COPIES = 512 };
static emu_copy emu_copies[EMU_THREADS][EMU_COPIES]; /* a ring for each thread */
static unsigned emu_copy_first[EMU_THREADS], emu_copy_last[EMU_THREADS], emu_group[EMU_THREADS];
static inline void emu_cp_async(void *to, const void *from, int bytes, int size)
{
    const unsigned t = threadIdx.x;
    emu_copy *c = &emu_copies[t][emu_copy_last[t]++ % EMU_COPIES];
    if ((uintptr_t)to % (unsigned)size || (uintptr_t)from % (unsigned)size) emu_stop("cp.async: an address is not aligned");
    if (emu_copy_last[t] - emu_copy_first[t] > EMU_COPIES) emu_stop("cp.async: more copies in flight than the emulation holds");
    memset(to, 0xff, (size_t)size);
    c->to = to; c->from = from; c->bytes = bytes; c->size = size; c->group = emu_group[t];
}
static inline void ssl__cp_async16(void *to, const void *from, int bytes) { emu_cp_async(to, from, bytes, 16); }
static inline void ssl__cp_async4(void *to, const void *from, int bytes) { emu_cp_async(to, from, bytes, 4); }
static inline void ssl__cp_async_commit() { emu_group[threadIdx.x]++; }
template <int N> static inline void ssl__cp_async_wait() /* until at most N groups are in flight */
{
    const unsigned t = threadIdx.x;
    for (; emu_copy_first[t] != emu_copy_last[t]; emu_copy_first[t]++) {
        const emu_copy *c = &emu_copies[t][emu_copy_first[t] % EMU_COPIES];
        if ((int)(c->group + N - emu_group[t]) >= 0) break;
        memset(c->to, 0, (size_t)c->size);
        memcpy(c->to, c->from, (size_t)c->bytes);
    }
}

/* ldmatrix: lane 8 q + r gives row r of matrix q, 8 halves; lane 4 g + t gets the halves 2 t and 2 t + 1 of row g of each
   (.trans: of column g). */
typedef struct emu_row { uint16_t half[8]; } emu_row;
static inline const emu_row *emu_rows(const void *row)
{
    emu_row mine;
    if ((uintptr_t)row % 16) emu_stop("ldmatrix: an address is not aligned to 16 bytes");
    memcpy(&mine, row, sizeof mine);
    return emu_trade(mine);
}
static inline void ssl__ldmatrix_x4(uint32_t r[4], const void *row)
{
    const emu_row *m = emu_rows(row);
    const unsigned g = (threadIdx.x & 31u) / 4, t = threadIdx.x & 3u;
    for (unsigned q = 0; q < 4; q++) r[q] = (uint32_t)m[8 * q + g].half[2 * t] | (uint32_t)m[8 * q + g].half[2 * t + 1] << 16;
}
static inline void ssl__ldmatrix_x4_trans(uint32_t r[4], const void *row)
{
    const emu_row *m = emu_rows(row);
    const unsigned g = (threadIdx.x & 31u) / 4, t = threadIdx.x & 3u;
    for (unsigned q = 0; q < 4; q++) r[q] = (uint32_t)m[8 * q + 2 * t].half[g] | (uint32_t)m[8 * q + 2 * t + 1].half[g] << 16;
}

/* mma.sync (PTX ISA, "Matrix Fragments"). Of 32-bit words, 8 to a row of k: a[16][8] and b[8][8] lie in registers as
   a[i][w]: lane 4 (i % 8) + w % 4, register i / 8 + 2 (w / 4);   b[w][j]: lane 4 j + w % 4, register w / 4;
   d[i][j]: lane 4 (i % 8) + j / 2, register 2 (i / 8) + j % 2.   A word is H numbers: a tf32, or two bf16, the lower half first. */
static inline float emu_float(uint32_t u) { float f; memcpy(&f, &u, 4); return f; }
static inline void emu_numbers(float (&x)[1], uint32_t u) { x[0] = emu_float(u & ~0x1fffu); } /* the lowest 13 bits are not looked at */
static inline void emu_numbers(float (&x)[2], uint32_t u) { x[0] = emu_float(u << 16); x[1] = emu_float(u & 0xffff0000u); }
template <int H> struct emu_fragment { float a[4][H], b[2][H]; };
template <int H> static inline void emu_mma(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    emu_fragment<H> mine;
    for (int r = 0; r < 4; r++) emu_numbers(mine.a[r], a[r]);
    for (int r = 0; r < 2; r++) emu_numbers(mine.b[r], b[r]);
    const emu_fragment<H> *lane = emu_trade(mine);
    const unsigned g = (threadIdx.x & 31u) / 4, t = threadIdx.x & 3u;
    float s[4] = { 0.0f };
    for (unsigned w = 0; w < 8; w++) {
        const emu_fragment<H> *x = lane + 4 * g + w % 4, *y = lane + 8 * t + w % 4, *z = y + 4;
        for (int h = 0; h < H; h++) {
            s[0] += x->a[w / 4 * 2][h] * y->b[w / 4][h];
            s[1] += x->a[w / 4 * 2][h] * z->b[w / 4][h];
            s[2] += x->a[w / 4 * 2 + 1][h] * y->b[w / 4][h];
            s[3] += x->a[w / 4 * 2 + 1][h] * z->b[w / 4][h];
        }
    }
    for (int q = 0; q < 4; q++) d[q] += s[q];
}
static inline void ssl__mma_tf32(float d[4], const uint32_t a[4], const uint32_t b[2]) { emu_mma<1>(d, a, b); }
static inline void ssl__mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2]) { emu_mma<2>(d, a, b); }
static inline uint32_t ssl__to_tf32(uint32_t x) { return (x & 0x7f800000u) == 0x7f800000u ? x : (x + 0x1000u) & ~0x1fffu; }
static inline uint32_t emu_bf16(float x)
{
    uint32_t u;
    memcpy(&u, &x, 4);
    return ((u & 0x7fffffffu) > 0x7f800000u ? 0x7fff0000u : u + 0x7fffu + (u >> 16 & 1u)) >> 16;
}
static inline float ssl__exp2(float x) { return exp2f(x); }
static inline uint32_t ssl__to_bf16x2(float low, float high) { return emu_bf16(low) | emu_bf16(high) << 16; }

/* ---- running a kernel ---- */
template <class T> struct emu_same { typedef T type; };
static void emu_run(dim3 grid, unsigned threads, size_t shared, void (*call)(void *), void *arg)
{
    const int64_t blocks = (int64_t)grid.x * grid.y;
    gridDim = grid;
    blockDim = dim3(threads);
    emu_threads = (int)threads;
    emu_call = call;
    emu_arg = arg;
    emu_shared = shared ? (unsigned char *)malloc(shared) : NULL;
    for (int64_t i = 0; i < blocks; i++) {
        const int64_t b = emu_backwards ? blocks - 1 - i : i;
        blockIdx = dim3((unsigned)(b % grid.x), (unsigned)(b / grid.x));
        if (shared) memset(emu_shared, 0xff, shared);
        memcpy(emu_copy_first, emu_copy_last, sizeof emu_copy_first); /* what nobody waited for */
        emu_run_block();
    }
    free(emu_shared);
    emu_shared = NULL;
    emu_arg = NULL;
}
template <class F> static void emu_invoke(void *f) { (*(F *)f)(); }
template <class... P> static void emu_launch(dim3 grid, unsigned threads, size_t shared, void (*kernel)(P...), typename emu_same<P>::type... args)
{
    auto body = [&]() { kernel(args...); };
    emu_run(grid, threads, shared, emu_invoke<decltype(body)>, &body);
}

/* ---- kernels by their address: how many bytes their arguments have, and a function that passes them ---- */
enum { EMU_KERNELS = 1024, EMU_ARGS = 32 };
typedef struct emu_kernel { const void *f; void (*call)(const void *f, void **arg); int n; size_t size[EMU_ARGS]; } emu_kernel;
static emu_kernel emu_kernels[EMU_KERNELS];
template <class... P, size_t... I> static void emu_pass(void (*f)(P...), void **arg, std::index_sequence<I...>)
{ f(*(typename std::remove_cv<P>::type *)arg[I]...); }
template <class... P> static void emu_call_kernel(const void *f, void **arg) { emu_pass((void (*)(P...))(uintptr_t)f, arg, std::index_sequence_for<P...>()); }
static emu_kernel *emu_find(const void *f) /* its place in the table, or where it belongs */
{
    unsigned i = (unsigned)((uintptr_t)f >> 4) % EMU_KERNELS;
    for (int tries = 0; tries < EMU_KERNELS; tries++, i = (i + 1) % EMU_KERNELS) if (!emu_kernels[i].f || emu_kernels[i].f == f) return &emu_kernels[i];
    emu_stop("more kernels than the emulation's table holds");
    return NULL;
}
template <class... P> static void emu_know(void (*kernel)(P...))
{
    emu_kernel *k = emu_find((const void *)kernel);
    const size_t size[] = { sizeof(P)... };
    if (k->f) return;
    k->n = (int)sizeof...(P);
    k->call = emu_call_kernel<P...>;
    memcpy(k->size, size, sizeof size);
    k->f = (const void *)kernel;
}
#define SSL__KNOWN(kernel) emu_know(kernel)

/* ---- the runtime: a queue for each stream. By default an operation runs when it is queued; with emu_lazy = 1 only when
   somebody waits for it, as late as a GPU may: who reads pinned memory or reuses it too early, or another stream's results without
   an event, is seen; with 2 likewise, but a copy that has nothing before it in its stream runs at once. The emu_ variables make calls
   fail and count them. ---- */
enum cudaError_t { cudaSuccess, cudaErrorInvalidValue, cudaErrorMemoryAllocation, cudaErrorNoDevice, cudaErrorIllegalAddress, cudaErrorInsufficientDriver, cudaErrorNotReady };
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount, cudaDevAttrMaxSharedMemoryPerBlockOptin };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2, EMU_SHARED_MOST = 227 << 10 };
struct cudaFuncAttributes { int ptxVersion; };
struct cudaKernelNodeParams { dim3 blockDim; void **extra; void *func; dim3 gridDim; void **kernelParams; unsigned sharedMemBytes; };
struct emu_stream;
typedef struct emu_event { struct emu_stream *stream; uint64_t mark; } emu_event; /* what was queued there before it */
typedef struct emu_op { /* a launch, or a copy where kernel is NULL, or waiting for `after` where that has a stream */
    const emu_kernel *kernel;
    emu_event after;
    dim3 grid, block;
    size_t shared, bytes;
    unsigned char *args; /* one after the other */
    void *dst;
    const void *src;
} emu_op;
typedef struct emu_graph { emu_op *op; size_t n; } emu_graph;
enum { EMU_QUEUE = 1 << 14 };
typedef struct emu_stream { struct emu_stream *next; uint64_t queued, executed; emu_op queue[EMU_QUEUE]; } emu_stream;
typedef emu_stream *cudaStream_t;
typedef emu_event *cudaEvent_t;
typedef emu_graph *cudaGraph_t, *cudaGraphExec_t;
typedef size_t cudaGraphNode_t; /* its number, from 1 */
static emu_stream *emu_streams;                   /* all there are */
static cudaError_t emu_error;                      /* after a fault every call returns it */
static int emu_lazy, emu_devices = 1, emu_driver = 13000, emu_arch = 80;
static int64_t emu_allocs_left = -1, emu_kernels_left = -1; /* until one fails; -1: never */
static size_t emu_free_bytes = (size_t)1 << 30;
static int64_t emu_n_allocs, emu_n_launches, emu_n_graphs, emu_n_waits; /* launches: calls; waits: for everything, by the host */

static void emu_op_free(emu_op *o) { free(o->args); o->args = NULL; }
static emu_op emu_op_copy(const emu_op *o)
{
    emu_op p = *o;
    size_t n = 0;
    for (int i = 0; o->kernel && i < o->kernel->n; i++) n += o->kernel->size[i];
    if (o->args) p.args = (unsigned char *)memcpy(malloc(n), o->args, n);
    return p;
}
static emu_op emu_op_kernel(const void *f, dim3 grid, dim3 block, void **args, size_t shared)
{
    emu_op o = emu_op();
    const emu_kernel *k = emu_find(f);
    size_t n = 0, at = 0;
    if (!k->f) emu_stop("a kernel that was never launched by its name");
    for (int i = 0; i < k->n; i++) n += k->size[i];
    o.kernel = k;
    o.grid = grid;
    o.block = block;
    o.shared = shared;
    o.args = (unsigned char *)malloc(n);
    for (int i = 0; i < k->n; at += k->size[i++]) memcpy(o.args + at, args[i], k->size[i]);
    return o;
}
static emu_op emu_op_memcpy(void *dst, const void *src, size_t bytes)
{
    emu_op o = emu_op();
    o.dst = dst;
    o.src = src;
    o.bytes = bytes;
    return o;
}
static cudaError_t emu_catch_up(emu_stream *s, uint64_t mark);
static void emu_execute(emu_op *o)
{
    if (o->after.stream) emu_catch_up(o->after.stream, o->after.mark);
    else if (emu_error == cudaSuccess && o->kernel) {
        void *arg[EMU_ARGS];
        double aligned[EMU_ARGS][64]; /* arguments lie packed */
        size_t at = 0;
        auto body = [&]() { o->kernel->call(o->kernel->f, arg); };
        for (int i = 0; i < o->kernel->n; at += o->kernel->size[i++]) {
            if (o->kernel->size[i] > sizeof aligned[i]) emu_stop("an argument is too large for the emulation");
            arg[i] = memcpy(aligned[i], o->args + at, o->kernel->size[i]);
        }
        if (emu_kernels_left >= 0 && emu_kernels_left-- == 0) emu_error = cudaErrorIllegalAddress;
        else emu_run(o->grid, o->block.x, o->shared, emu_invoke<decltype(body)>, &body);
    } else if (emu_error == cudaSuccess) memcpy(o->dst, o->src, o->bytes);
    emu_op_free(o);
}
static cudaError_t emu_catch_up(emu_stream *s, uint64_t mark) /* of a stream that is gone everything has run */
{
    const emu_stream *there = emu_streams;
    while (there && there != s) there = there->next;
    while (there && s->executed < mark && s->executed < s->queued) { emu_op o = s->queue[s->executed++ % EMU_QUEUE]; emu_execute(&o); }
    return emu_error;
}
static cudaError_t emu_catch_up_all()
{
    for (emu_stream *s = emu_streams; s; s = s->next) emu_catch_up(s, s->queued);
    return emu_error;
}
static cudaError_t emu_enqueue(emu_stream *s, emu_op o)
{
    if (s->queued - s->executed == EMU_QUEUE) emu_catch_up(s, s->executed + 1);
    s->queue[s->queued++ % EMU_QUEUE] = o;
    if (emu_lazy == 2 && !o.kernel && s->queued - s->executed == 1) return emu_catch_up(s, s->queued);
    return emu_lazy ? emu_error : emu_catch_up(s, s->queued);
}
static inline const char *cudaGetErrorString(cudaError_t e)
{
    return e == cudaSuccess ? "no error" : e == cudaErrorMemoryAllocation ? "out of memory" : e == cudaErrorNoDevice ? "no CUDA-capable device is detected" :
           e == cudaErrorIllegalAddress ? "an illegal memory access was encountered" : e == cudaErrorInsufficientDriver ? "CUDA driver version is insufficient" : "invalid argument";
}
static inline cudaError_t cudaGetLastError() { return emu_error; }
static inline cudaError_t cudaGetDeviceCount(int *n)
{
    emu_backwards = !emu_backwards;
    *n = emu_devices;
    return emu_devices ? cudaSuccess : cudaErrorNoDevice;
}
static inline cudaError_t cudaDriverGetVersion(int *v) { *v = emu_driver; return cudaSuccess; }
static inline cudaError_t cudaRuntimeGetVersion(int *v) { *v = 13000; return cudaSuccess; }
static inline cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *f, const void *) { f->ptxVersion = emu_arch; return cudaSuccess; }
static inline cudaError_t cudaFuncSetAttribute(const void *, cudaFuncAttribute, int v) { return v <= EMU_SHARED_MOST ? cudaSuccess : cudaErrorInvalidValue; }
static inline cudaError_t cudaGetDevice(int *d) { *d = 0; return cudaSuccess; }
static inline cudaError_t cudaDeviceGetAttribute(int *v, cudaDeviceAttr a, int) /* few multiprocessors: both tile sizes and slices occur */
{ *v = a == cudaDevAttrMultiProcessorCount ? 8 : (int)EMU_SHARED_MOST; return cudaSuccess; }
static inline cudaError_t cudaMemGetInfo(size_t *f, size_t *all) { *f = *all = emu_free_bytes; return cudaSuccess; }
static inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned)
{
    *s = (cudaStream_t)calloc(1, sizeof **s);
    (*s)->next = emu_streams;
    emu_streams = *s;
    return cudaSuccess;
}
static inline cudaError_t cudaStreamDestroy(cudaStream_t s)
{
    emu_stream **at = &emu_streams;
    emu_catch_up(s, s->queued);
    while (*at != s) at = &(*at)->next;
    *at = s->next;
    free(s);
    return cudaSuccess;
}
static inline cudaError_t cudaStreamSynchronize(cudaStream_t s) { emu_n_waits++; return emu_catch_up(s, s->queued); }
static inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned) { *e = (cudaEvent_t)calloc(1, sizeof **e); return cudaSuccess; }
static inline cudaError_t cudaEventDestroy(cudaEvent_t e) { free(e); return cudaSuccess; }
static inline cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s) { e->stream = s; e->mark = s->queued; return emu_error; }
static inline cudaError_t cudaEventSynchronize(cudaEvent_t e) { return emu_catch_up(e->stream, e->mark); }
static inline cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned) /* for what the event marks now */
{
    emu_op o = emu_op();
    o.after = *e;
    return o.after.stream ? emu_enqueue(s, o) : emu_error;
}
static inline cudaError_t cudaMalloc(void **p, size_t n)
{
    emu_n_allocs++;
    *p = emu_allocs_left >= 0 && emu_allocs_left-- == 0 ? NULL : malloc(n);
    if (*p) memset(*p, 0xff, n);
    return *p ? emu_error : cudaErrorMemoryAllocation;
}
static inline cudaError_t cudaFree(void *p) { emu_catch_up_all(); free(p); return emu_error; }
static inline cudaError_t cudaMallocHost(void **p, size_t n) { emu_n_allocs++; *p = memset(malloc(n), 0xff, n); return emu_error; }
static inline cudaError_t cudaFreeHost(void *p) { return cudaFree(p); }
static inline cudaError_t cudaMemcpyAsync(void *d, const void *s, size_t n, cudaMemcpyKind, cudaStream_t t) { return emu_enqueue(t, emu_op_memcpy(d, s, n)); }
static inline cudaError_t cudaMemcpy(void *d, const void *s, size_t n, cudaMemcpyKind) { emu_n_waits++; memcpy(d, s, n); return emu_error; }
static inline cudaError_t cudaLaunchKernel(const void *f, dim3 grid, dim3 block, void **args, size_t shared, cudaStream_t s)
{ emu_n_launches++; return emu_enqueue(s, emu_op_kernel(f, grid, block, args, shared)); }

static inline cudaError_t cudaGraphCreate(cudaGraph_t *g, unsigned) { *g = (cudaGraph_t)calloc(1, sizeof **g); return cudaSuccess; }
static inline cudaError_t cudaGraphDestroy(cudaGraph_t g)
{
    for (size_t i = 0; i < g->n; i++) emu_op_free(&g->op[i]);
    free(g->op);
    free(g);
    return cudaSuccess;
}
static inline cudaError_t emu_graph_add(cudaGraphNode_t *node, cudaGraph_t g, const cudaGraphNode_t *after, size_t n_after, emu_op o)
{
    if (n_after != (g->n > 0) || (n_after && after[0] != g->n)) emu_stop("the emulation knows graphs that are one chain");
    g->op = (emu_op *)realloc(g->op, sizeof o * (g->n + 1));
    g->op[g->n] = o;
    *node = ++g->n;
    return cudaSuccess;
}
static inline cudaError_t cudaGraphAddKernelNode(cudaGraphNode_t *node, cudaGraph_t g, const cudaGraphNode_t *after, size_t n, const cudaKernelNodeParams *p)
{ return emu_graph_add(node, g, after, n, emu_op_kernel(p->func, p->gridDim, p->blockDim, p->kernelParams, p->sharedMemBytes)); }
static inline cudaError_t cudaGraphAddMemcpyNode1D(cudaGraphNode_t *node, cudaGraph_t g, const cudaGraphNode_t *after, size_t n, void *d, const void *s, size_t bytes, cudaMemcpyKind)
{ return emu_graph_add(node, g, after, n, emu_op_memcpy(d, s, bytes)); }
static inline cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *e, cudaGraph_t g, unsigned long long)
{
    cudaGraphCreate(e, 0);
    (*e)->op = (emu_op *)malloc(sizeof(emu_op) * (g->n + 1));
    for (; (*e)->n < g->n; (*e)->n++) (*e)->op[(*e)->n] = emu_op_copy(&g->op[(*e)->n]);
    return cudaSuccess;
}
static inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t e) { return cudaGraphDestroy(e); }
static inline cudaError_t emu_exec_set(cudaGraphExec_t e, cudaGraphNode_t node, emu_op o) /* what a graph's node does may not change in kind */
{
    emu_op *old = &e->op[node - 1];
    if (o.kernel != old->kernel || (!o.kernel && o.bytes != old->bytes)) { emu_op_free(&o); return cudaErrorInvalidValue; }
    emu_op_free(old);
    *old = o;
    return cudaSuccess;
}
static inline cudaError_t cudaGraphExecKernelNodeSetParams(cudaGraphExec_t e, cudaGraphNode_t node, const cudaKernelNodeParams *p)
{ return emu_exec_set(e, node, emu_op_kernel(p->func, p->gridDim, p->blockDim, p->kernelParams, p->sharedMemBytes)); }
static inline cudaError_t cudaGraphExecMemcpyNodeSetParams1D(cudaGraphExec_t e, cudaGraphNode_t node, void *d, const void *s, size_t bytes, cudaMemcpyKind)
{ return emu_exec_set(e, node, emu_op_memcpy(d, s, bytes)); }
static inline cudaError_t cudaGraphLaunch(cudaGraphExec_t e, cudaStream_t s)
{
    emu_n_graphs++;
    for (size_t i = 0; i < e->n; i++) emu_enqueue(s, emu_op_copy(&e->op[i]));
    return emu_error;
}
#endif
