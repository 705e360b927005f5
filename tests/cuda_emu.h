/* Enough of CUDA on the host to run ssl_cuda.cuh as plain C++: compile a test with -include tests/cuda_emu.h, run it with
 * SSL_DEVICE=cuda. Blocks run one after another, the threads of a block as fibers on one core: a thread runs until it meets
 * a barrier or a shuffle, then the next one does. "Device" memory is the heap, starts as NaN, and has guard bytes around it,
 * so that a sanitizer sees a wrong index. Each ssl_open turns the order of threads and blocks around: a missing barrier or
 * two threads writing one place show as different bits. */
#ifndef CUDA_EMU_H
#define CUDA_EMU_H
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#define SSL__CUDA 1
#define __global__
#define __device__
#define __shared__ static

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
static dim3 threadIdx, blockIdx, blockDim, gridDim;

/* ---- fibers: each runs threads of the block until one of them has to wait ---- */
enum { EMU_THREADS = 256, EMU_STACK = 256 << 10 };
typedef struct emu_fiber {
    ucontext_t *made; /* its first entry */
    void *sp;
    char *stack;
    int thread, started;
    const void *waits; /* what it waits at: a barrier (NULL: it does not wait) */
} emu_fiber;
static emu_fiber emu_fibers[EMU_THREADS + 1]; /* the last one is the scheduler */
static emu_fiber *emu_now;
static int emu_next, emu_done, emu_threads, emu_backwards;
static void (*emu_call)(void *);
static void *emu_arg;

static void emu_stop(const char *why)
{
    fprintf(stderr, "cuda_emu: block %u,%u: %s\n", blockIdx.x, blockIdx.y, why);
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
    emu_now = to;
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
static void emu_fiber_main()
{
    for (;;) {
        while (emu_next < emu_threads) {
            const int t = emu_next++;
            emu_now->thread = emu_backwards ? emu_threads - 1 - t : t;
            threadIdx.x = (unsigned)emu_now->thread;
            emu_call(emu_arg);
            emu_done++;
        }
        emu_now->started = 0;
        emu_switch(&emu_fibers[EMU_THREADS]);
    }
}
static void emu_wait(const void *where)
{
    emu_now->waits = where;
    emu_switch(&emu_fibers[EMU_THREADS]);
}

/* All threads of a block: start them, and whenever everyone waits, let those go on whose group has met. */
static int emu_member(const emu_fiber *f, const void *where) { return f->started && f->waits == where; }
static const char emu_block_barrier = 0;
static char emu_warp_barrier[EMU_THREADS / 32];
static void emu_run_block()
{
    int i, w;
    emu_next = emu_done = 0;
    emu_now = &emu_fibers[EMU_THREADS];
    for (i = 0; emu_next < emu_threads; i++) {
        emu_fiber *f = &emu_fibers[i];
        if (!f->stack) f->stack = (char *)malloc(EMU_STACK);
        f->started = 1;
        f->waits = NULL;
        emu_switch(f);
    }
    while (emu_done < emu_threads) {
        int waiting = 0, alive = 0, moved = 0;
        for (i = 0; i < EMU_THREADS; i++) { alive += emu_fibers[i].started; waiting += emu_member(&emu_fibers[i], &emu_block_barrier); }
        for (w = -1; w < EMU_THREADS / 32; w++) {
            const void *where = w < 0 ? (const void *)&emu_block_barrier : &emu_warp_barrier[w];
            emu_fiber *met[EMU_THREADS];
            int n = 0;
            for (i = 0; i < EMU_THREADS; i++) if (emu_member(&emu_fibers[i], where)) met[n++] = &emu_fibers[i];
            if (!n || (w < 0 && waiting < alive)) continue;
            if (w >= 0 && n < 32) emu_stop("a shuffle that not all threads of the warp take part in");
            for (i = 0; i < n; i++) met[i]->waits = NULL;
            for (i = 0; i < n; i++) emu_switch(met[i]);
            moved = 1;
        }
        if (!moved) emu_stop("threads wait for each other at different barriers");
    }
}

/* ---- what kernels call ---- */
static inline void __syncthreads() { emu_wait(&emu_block_barrier); }
template <class T> static inline T __shfl_xor_sync(unsigned, T v, int o)
{
    static T slot[2][EMU_THREADS]; /* in turns: nobody is two exchanges ahead of another */
    static unsigned char turn[EMU_THREADS];
    const int t = (int)threadIdx.x, k = turn[t]++ & 1;
    slot[k][t] = v;
    emu_wait(&emu_warp_barrier[t / 32]);
    return slot[k][t ^ o];
}

/* ---- launches ---- */
template <class T> struct emu_same { typedef T type; };
template <class F> static void emu_invoke(void *f) { (*(F *)f)(); }
template <class... P> static void emu_launch(dim3 grid, unsigned threads, void (*kernel)(P...), typename emu_same<P>::type... args)
{
    auto body = [&]() { kernel(args...); };
    const int64_t blocks = (int64_t)grid.x * grid.y;
    gridDim = grid;
    blockDim = dim3(threads);
    emu_threads = (int)threads;
    emu_call = emu_invoke<decltype(body)>;
    emu_arg = &body;
    for (int64_t i = 0; i < blocks; i++) {
        const int64_t b = emu_backwards ? blocks - 1 - i : i;
        blockIdx = dim3((unsigned)(b % grid.x), (unsigned)(b / grid.x));
        emu_run_block();
    }
    emu_arg = NULL;
}
#define SSL__LAUNCH(c, kernel, grid, ...) ((void)(c), emu_launch(dim3(grid), EMU_THREADS, kernel, __VA_ARGS__))

/* ---- the runtime ---- */
enum cudaError_t { cudaSuccess, cudaErrorMemoryAllocation, cudaErrorNoDevice };
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
struct cudaFuncAttributes { int unused; };
static inline const char *cudaGetErrorString(cudaError_t) { return "emulated"; }
static inline cudaError_t cudaGetLastError() { return cudaSuccess; }
static inline cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }
static inline cudaError_t cudaGetDeviceCount(int *n) { *n = 1; emu_backwards = !emu_backwards; return cudaSuccess; }
static inline cudaError_t cudaDriverGetVersion(int *v) { *v = 13000; return cudaSuccess; }
static inline cudaError_t cudaRuntimeGetVersion(int *v) { *v = 13000; return cudaSuccess; }
static inline cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *, const void *) { return cudaSuccess; }
static inline cudaError_t cudaMemGetInfo(size_t *f, size_t *all) { *f = *all = 0; return cudaSuccess; }
static inline cudaError_t cudaFree(void *p) { free(p); return cudaSuccess; }
static inline cudaError_t cudaMemcpy(void *d, const void *s, size_t n, cudaMemcpyKind) { memcpy(d, s, n); return cudaSuccess; }
static inline cudaError_t cudaMalloc(void **p, size_t n)
{
    *p = malloc(n);
    if (*p) memset(*p, 0xff, n);
    return *p ? cudaSuccess : cudaErrorMemoryAllocation;
}
#endif
