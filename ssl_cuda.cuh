/* ssl_cuda.cuh - the CUDA twins of ssl.h's kernels. ssl.h includes it when nvcc compiles the implementation.
 *
 * Same sections and names as in ssl.h; a kernel of SSL__KERNELS without a twin here is a compile error that names it.
 * ssl__k_x runs on the device, ssl__cuda_x launches it. Every sum is taken in a fixed order, without atomics: two runs give
 * the same bits. Sums in float32, across long axes in double.
 */
#ifdef SSL_CUBLASLT
extern "C++" {
#  include <cublasLt.h>
}
#endif
#define SSL__KERNEL(name, args) static void ssl__cuda_##name args;
SSL__KERNELS_ALL SSL__KERNELS_MAPS SSL__KERNELS_HALF SSL__KERNELS_HALF_MAPS SSL__KERNELS_IMAGE_NORM
#undef SSL__KERNEL

/* ==== >>platform ==== memory, launches, errors =========================================================
 * Nothing runs when it is asked for. A launch or a copy becomes a task, its arguments in the list's bytes; the list runs when it
 * is long (SSL__LIST tasks), when the step ends, and when the host wants a value. Lists repeat from step to step: one that was
 * seen before (the same kernels, grids and sizes in the same order) becomes a CUDA graph, and after that a list costs one launch,
 * plus a call for each task whose arguments differ from the time before (learning rates, streams of random numbers, places in the
 * upload buffer). Another shape is another list; the least recently used graph makes room for it. So a step of any user code is
 * right: what it reads in between only ends a list early.
 *     SSL_CUDA_SYNC=1   run every task at once and wait for it: a fault names its call
 *     SSL_CUDA_GRAPH=0  launch every task by itself */
enum { SSL__ARGS = 24, SSL__LIST = 512, SSL__LIST_LEAST = 8, SSL__GRAPHS = 64, SSL__FLIGHT = 8, SSL__JUDGEMENTS = 8 };
#ifndef SSL__STAGE
#  define SSL__STAGE (4 << 20) /* bytes of each half of the upload buffer */
#endif
typedef struct ssl__copy_args { void *dst; const void *src; size_t bytes; cudaMemcpyKind kind; } ssl__copy_args;
struct ssl__cuda;
typedef cudaError_t (*ssl__cuda_call)(struct ssl__cuda *g, const void *args); /* a library's function, which no graph of ours holds */
typedef struct ssl__task {
    const void *kernel; /* NULL: a copy, or a call */
    ssl__cuda_call call;
    const char *name, *at;
    unsigned grid[2], threads, shared, size; /* size: of the arguments */
    int n_args;
    size_t args;        /* where they begin in the list's bytes */
    uint16_t place[SSL__ARGS];
} ssl__task;
typedef struct ssl__tasks { ssl__task *task; unsigned char *bytes; int n, cap, cap_bytes, calls; size_t n_bytes; uint64_t hash; } ssl__tasks;
typedef struct ssl__graph { /* a list that has been seen; exec once it was seen twice */
    ssl__tasks list;        /* with the arguments that exec has */
    uint64_t hash;
    int64_t used;           /* the last flush it served */
    cudaGraphExec_t exec;
    cudaGraphNode_t *node;
} ssl__graph;

/* What the device finds out about a loss or the gradients, in its own memory: halt says that no parameter may change any more. */
typedef struct ssl__verdict { int halt, first; float factor; } ssl__verdict; /* factor: of clipping; NaN where halted */
typedef struct ssl__stretch { const float *x; int64_t n, id; } ssl__stretch;
typedef struct ssl__table { ssl__stretch *host, *device; int n, cap; } ssl__table; /* a table that is sent again only where it changed */
typedef struct ssl__op_name { const char *op, *at; int ndim, dim[SSL_DIMS]; } ssl__op_name;
typedef struct ssl__judgement { const char *at; int64_t flush, step, opt_step; int n, cap; ssl__op_name *tape; } ssl__judgement;

#define SSL__HELD 16
typedef struct ssl__held { const uint8_t *host; uint8_t *device; size_t bytes; int users; } ssl__held; /* a data set */

typedef struct ssl__cuda { /* the state of a context's device, at ssl_ctx.gpu */
    void *work;            /* partial sums of one kernel call */
    size_t work_bytes;
    int sync, graphs;
    int tensor, units;     /* tensor cores that we have code for; multiprocessors */
    cudaStream_t stream, sending; /* of kernels; of batches that go to the device beside them */
    cudaEvent_t arrived;          /* the last of those */
    cudaError_t failed;    /* the last fault */
    ssl__tasks now;        /* what has not run yet */
    ssl__graph graph[SSL__GRAPHS];
    int64_t flushes, replays;          /* lists that were started; of them as graphs */
    cudaEvent_t done[SSL__FLIGHT];     /* [flush % SSL__FLIGHT] */
    unsigned char *stage;              /* pinned: 2 halves that uploads go through in turns */
    int half;
    size_t staged;
    int64_t stage_flush[2];            /* the flush after which a half may be written again */
    float *read;                       /* pinned [SSL__READINGS], of ssl_item_begin */
    int64_t read_flush[SSL__READINGS];
    ssl__verdict *verdict, *told;      /* on the device; pinned [SSL__JUDGEMENTS], what it was at each judgement */
    ssl__judgement judgement[SSL__JUDGEMENTS];
    int64_t judged, settled, steps;    /* judgements asked for and heard; steps that ended */
    ssl__table tape, params;
    float *narrow;                     /* the flat values as bf16 [n_narrow] */
    int64_t n_narrow;
    int narrowed;                      /* and as they are now */
    ssl__update *updates;              /* on the device [n_updates], of one optimizer step */
    int n_updates;
    float *part;                       /* on the device, 4 for each parameter: sums of squares, and what LARS makes of them */
    int n_part;
    ssl__held held[SSL__HELD];
    struct ssl__lt *lt; /* of SSL_CUBLASLT */
} ssl__cuda;

#define SSL__THREADS 256
#define SSL__WARPS   (SSL__THREADS / 32)
static void ssl__cuda_settle(ssl_ctx *c, int64_t before);

static int ssl__cuda_ok(ssl_ctx *c, cudaError_t e) { if (e != cudaSuccess) ((ssl__cuda *)c->gpu)->failed = e; return e == cudaSuccess; }

/* ---- lists ---- */
static void ssl__cuda_hash(ssl__tasks *l, const void *p, size_t n) /* FNV-1a */
{ const unsigned char *b = (const unsigned char *)p; for (size_t i = 0; i < n; i++) l->hash = (l->hash ^ b[i]) * 0x100000001b3u; }
static ssl__task *ssl__cuda_task(ssl_ctx *c, const char *name, const void *kernel, dim3 grid, unsigned threads, int shared, int n_args)
{
    ssl__tasks *l = &((ssl__cuda *)c->gpu)->now;
    ssl__task *t;
    if (c->status == SSL_E_CUDA || !ssl__grow(c, c->at, (void **)&l->task, &l->cap, l->n + 1, sizeof *t)) return NULL;
    t = &l->task[l->n];
    memset(t, 0, sizeof *t);
    t->kernel = kernel;
    t->name = name;
    t->at = c->at;
    t->grid[0] = grid.x;
    t->grid[1] = grid.y;
    t->threads = threads;
    t->shared = (unsigned)shared;
    t->args = (l->n_bytes + 15) & ~(size_t)15;
    t->n_args = n_args;
    return t;
}
static int ssl__cuda_arg(ssl_ctx *c, ssl__task *t, int i, const void *p, size_t n, size_t align)
{
    ssl__tasks *l = &((ssl__cuda *)c->gpu)->now;
    const size_t place = (t->size + align - 1) / align * align;
    if (!ssl__grow(c, c->at, (void **)&l->bytes, &l->cap_bytes, (int)(t->args + place + n), 1)) return 0;
    memset(l->bytes + t->args + t->size, 0, place - t->size);
    memcpy(l->bytes + t->args + place, p, n);
    t->place[i] = (uint16_t)place;
    t->size = (unsigned)(place + n);
    return 1;
}
static void ssl__cuda_flush(ssl_ctx *c);
static void ssl__cuda_add(ssl_ctx *c, const ssl__task *t) /* the task is complete */
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    ssl__tasks *l = &g->now;
    const ssl__copy_args *copy = (const ssl__copy_args *)(l->bytes + t->args);
    if (!l->n) l->hash = 0xcbf29ce484222325u;
    ssl__cuda_hash(l, &t->kernel, sizeof t->kernel);
    ssl__cuda_hash(l, t->grid, sizeof t->grid + 3 * sizeof(unsigned));
    if (t->call) l->calls++;
    else if (!t->kernel) { ssl__cuda_hash(l, &copy->bytes, sizeof copy->bytes); ssl__cuda_hash(l, &copy->kind, sizeof copy->kind); }
    l->n_bytes = t->args + t->size;
    l->n++;
    if (g->sync || l->n == SSL__LIST) ssl__cuda_flush(c);
}
static int ssl__cuda_alike(const ssl__tasks *a, const ssl__tasks *b) /* may one be run as the graph of the other? */
{
    if (a->n != b->n || a->hash != b->hash) return 0;
    for (int i = 0; i < a->n; i++) {
        const ssl__task *s = &a->task[i], *t = &b->task[i];
        const ssl__copy_args *p = (const ssl__copy_args *)(a->bytes + s->args), *q = (const ssl__copy_args *)(b->bytes + t->args);
        if (s->kernel != t->kernel || s->args != t->args || memcmp(s->grid, t->grid, sizeof s->grid + 3 * sizeof(unsigned))) return 0;
        if (!s->kernel && (p->bytes != q->bytes || p->kind != q->kind)) return 0;
    }
    return 1;
}
static cudaKernelNodeParams ssl__cuda_node(const ssl__tasks *l, const ssl__task *t, void *arg[SSL__ARGS])
{
    cudaKernelNodeParams p = {};
    for (int i = 0; i < t->n_args; i++) arg[i] = l->bytes + t->args + t->place[i];
    p.func = (void *)(uintptr_t)t->kernel;
    p.gridDim = dim3(t->grid[0], t->grid[1]);
    p.blockDim = dim3(t->threads);
    p.sharedMemBytes = t->shared;
    p.kernelParams = arg;
    return p;
}
static cudaError_t ssl__cuda_run(ssl__cuda *g, const ssl__task *t)
{
    void *arg[SSL__ARGS];
    const ssl__copy_args *copy = (const ssl__copy_args *)(g->now.bytes + t->args);
    const cudaKernelNodeParams p = ssl__cuda_node(&g->now, t, arg);
    if (t->call) return t->call(g, copy);
    if (!t->kernel) return cudaMemcpyAsync(copy->dst, copy->src, copy->bytes, copy->kind, g->stream);
    return cudaLaunchKernel(t->kernel, p.gridDim, p.blockDim, arg, t->shared, g->stream);
}

/* ---- graphs: a chain of nodes ---- */
static cudaError_t ssl__cuda_graph_add(const ssl__tasks *l, int i, cudaGraph_t graph, cudaGraphNode_t *node)
{
    void *arg[SSL__ARGS];
    const ssl__task *t = &l->task[i];
    const ssl__copy_args *copy = (const ssl__copy_args *)(l->bytes + t->args);
    const cudaKernelNodeParams p = ssl__cuda_node(l, t, arg);
    if (t->kernel) return cudaGraphAddKernelNode(&node[i], graph, i ? &node[i - 1] : NULL, i > 0, &p);
    return cudaGraphAddMemcpyNode1D(&node[i], graph, i ? &node[i - 1] : NULL, i > 0, copy->dst, copy->src, copy->bytes, copy->kind);
}
static cudaError_t ssl__cuda_graph_build(ssl_ctx *c, ssl__graph *r)
{
    const ssl__tasks *l = &((ssl__cuda *)c->gpu)->now;
    cudaGraph_t graph;
    cudaError_t e;
    r->node = (cudaGraphNode_t *)ssl__alloc(c, c->at, sizeof *r->node * (size_t)l->n);
    r->list = *l;
    r->list.task = (ssl__task *)ssl__alloc(c, c->at, sizeof *l->task * (size_t)l->n);
    r->list.bytes = (unsigned char *)ssl__alloc(c, c->at, l->n_bytes);
    if (!r->node || !r->list.task || !r->list.bytes) return cudaErrorMemoryAllocation;
    memcpy(r->list.task, l->task, sizeof *l->task * (size_t)l->n);
    memcpy(r->list.bytes, l->bytes, l->n_bytes);
    if ((e = cudaGraphCreate(&graph, 0)) != cudaSuccess) return e;
    for (int i = 0; i < l->n && e == cudaSuccess; i++) e = ssl__cuda_graph_add(l, i, graph, r->node);
    if (e == cudaSuccess) e = cudaGraphInstantiateWithFlags(&r->exec, graph, 0);
    cudaGraphDestroy(graph);
    return e;
}
/* Give the graph the arguments that are not those of its last run. */
static cudaError_t ssl__cuda_graph_update(ssl__cuda *g, const ssl__graph *r)
{
    cudaError_t e = cudaSuccess;
    for (int i = 0; i < g->now.n && e == cudaSuccess; i++) {
        const ssl__task *t = &g->now.task[i];
        const ssl__copy_args *copy = (const ssl__copy_args *)(g->now.bytes + t->args);
        void *arg[SSL__ARGS];
        if (!memcmp(g->now.bytes + t->args, r->list.bytes + t->args, t->size)) continue;
        memcpy(r->list.bytes + t->args, g->now.bytes + t->args, t->size);
        if (t->kernel) { const cudaKernelNodeParams p = ssl__cuda_node(&g->now, t, arg); e = cudaGraphExecKernelNodeSetParams(r->exec, r->node[i], &p); }
        else e = cudaGraphExecMemcpyNodeSetParams1D(r->exec, r->node[i], copy->dst, copy->src, copy->bytes, copy->kind);
    }
    return e;
}
static void ssl__cuda_graph_drop(ssl__graph *r)
{
    if (r->exec) cudaGraphExecDestroy(r->exec);
    ssl__release(r->node);
    ssl__release(r->list.task);
    ssl__release(r->list.bytes);
    memset(r, 0, sizeof *r);
}
/* Run the list as a graph if it was seen before. 1: done (or failed: *e), 0: run it task by task. */
static int ssl__cuda_replay(ssl_ctx *c, cudaError_t *e)
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    ssl__graph *r = g->graph, *oldest = g->graph;
    if (g->sync || !g->graphs || g->now.calls || g->now.n < SSL__LIST_LEAST) return 0;
    for (; r < g->graph + SSL__GRAPHS && !(r->used && r->hash == g->now.hash); r++) if (r->used < oldest->used) oldest = r;
    if (r == g->graph + SSL__GRAPHS) {
        ssl__cuda_graph_drop(oldest);
        oldest->hash = g->now.hash;
        oldest->used = g->flushes;
        return 0;
    }
    r->used = g->flushes;
    if (!r->exec) *e = ssl__cuda_graph_build(c, r);
    else if (ssl__cuda_alike(&g->now, &r->list)) *e = ssl__cuda_graph_update(g, r);
    else return 0;
    if (*e == cudaSuccess) *e = cudaGraphLaunch(r->exec, g->stream);
    g->replays++;
    return 1;
}

/* Run what was asked for so far. */
static void ssl__cuda_flush(ssl_ctx *c)
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    const int n = c->status == SSL_E_CUDA ? 0 : g->now.n;
    const char *name = "a graph", *at = c->at;
    cudaError_t e = cudaSuccess;
    if (n) {
        g->flushes++; /* its event is that of SSL__FLIGHT flushes ago: nobody runs further ahead */
        if (g->flushes > SSL__FLIGHT) e = cudaEventSynchronize(g->done[g->flushes % SSL__FLIGHT]);
        if (e == cudaSuccess && !ssl__cuda_replay(c, &e))
            for (int i = 0; i < n && e == cudaSuccess; i++) { name = g->now.task[i].name; at = g->now.task[i].at; e = ssl__cuda_run(g, &g->now.task[i]); }
        if (e == cudaSuccess) e = cudaEventRecord(g->done[g->flushes % SSL__FLIGHT], g->stream);
        if (e == cudaSuccess && g->sync) e = cudaStreamSynchronize(g->stream);
    }
    g->now.n = g->now.calls = 0;
    g->now.n_bytes = 0;
    if (e == cudaSuccess) return;
    g->failed = e;
    ssl__fail(c, SSL_E_CUDA, at, "CUDA: %s failed: %s%s", name, cudaGetErrorString(e), g->sync ? "" : "; SSL_CUDA_SYNC=1 in the environment names the call that failed");
}
static int ssl__cuda_wait(ssl_ctx *c, int64_t flush) /* until that one is done */
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    if (flush > g->flushes) ssl__cuda_flush(c);
    if (c->status == SSL_E_CUDA) return 0;
    return flush > g->flushes || flush <= g->flushes - SSL__FLIGHT || flush <= 0 || ssl__cuda_ok(c, cudaEventSynchronize(g->done[flush % SSL__FLIGHT]));
}
static int64_t ssl__cuda_pending(const ssl__cuda *g) { return g->flushes + (g->now.n > 0); } /* the flush that everything so far is done with */

/* ---- launches ---- */
static int ssl__cuda_shared(ssl_ctx *c, const char *kernel, const void *f, int bytes) /* what is beyond 48 KB must be asked for */
{
    int most = 0, device = 0;
    if (bytes <= 48 << 10 || cudaFuncSetAttribute(f, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes) == cudaSuccess) return 1;
    cudaGetLastError();
    if (cudaGetDevice(&device) == cudaSuccess) cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
    ssl__fail(c, SSL_E_CUDA, c->at, "CUDA: %s needs %d KB of shared memory, this GPU has %d KB a block: use narrower heads, or precision bf16, which needs half",
              kernel, bytes >> 10, most >> 10);
    return 0;
}
#ifndef SSL__EMULATED
#  define SSL__KNOWN(kernel) ((void)0) /* the tests' host emulation learns here how to call it */
#endif
extern "C++" {
template <class T> struct ssl__same { typedef T type; };
template <class... P> static void ssl__cuda_launch(ssl_ctx *c, const char *name, dim3 grid, unsigned threads, int shared, void (*kernel)(P...), typename ssl__same<P>::type... args)
{
    static_assert(sizeof...(P) <= SSL__ARGS, "SSL__ARGS is too small");
    const void *p[] = { &args... };
    const size_t size[] = { sizeof(P)... }, align[] = { alignof(P)... };
    const int n = (int)sizeof...(P);
    ssl__task *t = ssl__cuda_shared(c, name, (const void *)kernel, shared) ? ssl__cuda_task(c, name, (const void *)kernel, grid, threads, shared, n) : NULL;
    SSL__KNOWN(kernel);
    if (!t) return;
    for (int i = 0; i < n; i++) if (!ssl__cuda_arg(c, t, i, p[i], size[i], align[i])) return;
    ssl__cuda_add(c, t);
}
}
#define SSL__LAUNCH(c, kernel, grid, ...) ssl__cuda_launch(c, #kernel, dim3(grid), SSL__THREADS, 0, kernel, __VA_ARGS__)
#define SSL__LAUNCH_SHARED(c, threads, bytes, name, kernel, grid, ...) ssl__cuda_launch(c, name, dim3(grid), threads, bytes, kernel, __VA_ARGS__) /* bytes of shared memory */

/* ---- memory ---- */
static void ssl__cuda_written(ssl_ctx *c, const void *p) /* whoever writes parameters says so */
{ if ((const float *)p >= c->values && (const float *)p < c->values + c->cap_flat) ((ssl__cuda *)c->gpu)->narrowed = 0; }
static int ssl__cuda_move(ssl_ctx *c, void *dst, const void *src, size_t bytes, cudaMemcpyKind kind)
{
    ssl__copy_args a;
    ssl__task *t = ssl__cuda_task(c, "a copy", NULL, dim3(1), 1, 0, 0);
    memset(&a, 0, sizeof a);
    a.dst = dst; a.src = src; a.bytes = bytes; a.kind = kind;
    if (!t || !ssl__cuda_arg(c, t, 0, &a, sizeof a, alignof(ssl__copy_args))) return 0;
    ssl__cuda_add(c, t);
    return c->status != SSL_E_CUDA;
}
static int ssl__cuda_finish(ssl_ctx *c) /* wait for everything; faults are told, judgements are not yet looked at */
{
    ssl__cuda_flush(c);
    return c->status != SSL_E_CUDA && ssl__cuda_ok(c, cudaStreamSynchronize(((ssl__cuda *)c->gpu)->stream));
}
static const char *ssl__cuda_error(ssl_ctx *c) { return cudaGetErrorString(((ssl__cuda *)c->gpu)->failed); }
static void *ssl__cuda_mem_alloc(ssl_ctx *c, size_t n)
{
    void *p = NULL;
    (void)c;
    if (cudaMalloc(&p, n) == cudaSuccess) return p;
    cudaGetLastError(); /* running out of memory is reported by the caller and not a fault */
    return NULL;
}
static void ssl__cuda_mem_release(ssl_ctx *c, void *p)
{
    ssl__cuda_finish(c); /* a task may still use it */
    cudaFree(p);
}
static unsigned char *ssl__cuda_staging(ssl_ctx *c, size_t n) /* n at most SSL__STAGE */
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    unsigned char *p;
    if (g->staged + n > SSL__STAGE) {
        g->stage_flush[g->half] = ssl__cuda_pending(g);
        g->half ^= 1;
        g->staged = 0;
        if (!ssl__cuda_wait(c, g->stage_flush[g->half])) return NULL;
    }
    p = g->stage + (size_t)g->half * SSL__STAGE + g->staged;
    g->staged += (n + 15) & ~(size_t)15;
    return p;
}
static int ssl__cuda_mem_put(ssl_ctx *c, void *d, const void *s, size_t n)
{
    ssl__cuda_written(c, d);
    for (size_t done = 0, m; done < n; done += m) {
        unsigned char *p = ssl__cuda_staging(c, m = SSL__MIN(n - done, (size_t)SSL__STAGE));
        if (!p) return 0;
        memcpy(p, (const char *)s + done, m);
        if (!ssl__cuda_move(c, (char *)d + done, p, m, cudaMemcpyHostToDevice)) return 0;
    }
    return 1;
}
static int ssl__cuda_mem_get(ssl_ctx *c, void *d, const void *s, size_t n)
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    ssl__cuda_flush(c);
    if (c->status == SSL_E_CUDA || !ssl__cuda_ok(c, cudaMemcpyAsync(d, s, n, cudaMemcpyDeviceToHost, g->stream)) || !ssl__cuda_finish(c)) return 0;
    ssl__cuda_settle(c, g->judged);
    return 1;
}
static int ssl__cuda_mem_copy(ssl_ctx *c, void *d, const void *s, size_t n) { ssl__cuda_written(c, d); return ssl__cuda_move(c, d, s, n, cudaMemcpyDeviceToDevice); }
static int ssl__cuda_hand(ssl_ctx *from, ssl_ctx *to, void *d, const void *s, size_t n) /* each stream waits for the other's event, the host for none */
{
    ssl__cuda *a = (ssl__cuda *)from->gpu, *b = (ssl__cuda *)to->gpu;
    ssl__cuda_flush(from);
    ssl__cuda_flush(to);
    if (from->status == SSL_E_CUDA || !ssl__cuda_ok(to, cudaStreamWaitEvent(b->stream, a->done[a->flushes % SSL__FLIGHT], 0)) || !ssl__cuda_mem_copy(to, d, s, n)) return 0;
    ssl__cuda_flush(to);
    return to->status != SSL_E_CUDA && ssl__cuda_ok(to, cudaStreamWaitEvent(a->stream, b->done[b->flushes % SSL__FLIGHT], 0));
}
static int ssl__cuda_fetch(ssl_ctx *c, int slot, const float *src)
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    const int ok = ssl__cuda_move(c, g->read + slot, src, sizeof *src, cudaMemcpyDeviceToHost);
    g->read_flush[slot] = ssl__cuda_pending(g);
    return ok;
}
static float ssl__cuda_fetched(ssl_ctx *c, int slot)
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    if (!ssl__moved(c, ssl__cuda_wait(c, g->read_flush[slot]))) return ssl__bits(0x7fc00000u);
    while (g->settled < g->judged && g->judgement[g->settled % SSL__JUDGEMENTS].flush <= g->read_flush[slot]) ssl__cuda_settle(c, g->settled + 1);
    return g->read[slot];
}
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
        if (g->work) c->dev->release(c, g->work);
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
static void ssl__cuda_fill(ssl_ctx *c, int64_t n, float v, float *y) { ssl__cuda_written(c, y); SSL__LAUNCH(c, ssl__k_fill, ssl__grid(n), n, v, y); }
static void ssl__cuda_axpy(ssl_ctx *c, int64_t n, float a, const float *x, float *y) { SSL__LAUNCH(c, ssl__k_axpy, ssl__grid(n), n, a, x, y); }

/* ==== >>gemm ==== tiles in shared memory, multiplied on the float32 units or on the tensor cores ==========
 * A block of T threads makes an M x N tile of op(a) op(b), a slab of k at a time. Slabs lie in shared memory as in memory: an
 * operand whose k is contiguous as [rows][k], else as [k][rows], its rows padded so that the reads below meet every bank once.
 * Three ways to multiply, one for each precision:
 *   F32   highest: M N / T results a thread, 4 of k at a time through 16-byte reads
 *   TF32  high: mma.sync m16n8k8 on operands rounded to 10 bits of mantissa; needs sm_80
 *   BF16  bf16: mma.sync m16n8k16 on operands that are bf16 in memory, or rounded while they are staged; needs sm_80
 * All of them add in float32 and in the order of k. wgmma and TMA (sm_90a) would replace ssl__product and ssl__slab. */
extern "C++" {
enum { SSL__F32, SSL__TF32, SSL__BF16 };
#define SSL__TENSOR_ARCH 80

#ifndef SSL__EMULATED /* the instructions; tests/cuda_emu.h models them from their documented layouts */
#  define SSL__REPEAT _Pragma("unroll")
#  define SSL__TWICE  _Pragma("unroll 2")
#  define SSL__ROLLED _Pragma("unroll 1")
#  define SSL__DYNAMIC(name) extern __shared__ __align__(16) unsigned char name[]
#  if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
#    define SSL__ASM(...) asm volatile(__VA_ARGS__)
#  else
#    define SSL__ASM(...) __trap() /* never launched there */
#  endif
static __device__ __forceinline__ unsigned ssl__smem(const void *p) { return (unsigned)__cvta_generic_to_shared(p); }
/* bytes are copied, the rest of 16 (4) becomes zero; there after the wait for its group and a barrier */
static __device__ __forceinline__ void ssl__cp_async16(void *s, const void *g, int bytes)
{ SSL__ASM("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(ssl__smem(s)), "l"(g), "r"(bytes) : "memory"); }
static __device__ __forceinline__ void ssl__cp_async4(void *s, const void *g, int bytes)
{ SSL__ASM("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(ssl__smem(s)), "l"(g), "r"(bytes) : "memory"); }
static __device__ __forceinline__ void ssl__cp_async_commit() { SSL__ASM("cp.async.commit_group;" ::: "memory"); }
template <int N> static __device__ __forceinline__ void ssl__cp_async_wait() { SSL__ASM("cp.async.wait_group %0;" ::"n"(N) : "memory"); }
static __device__ __forceinline__ void ssl__ldmatrix_x4(uint32_t r[4], const void *row)
{ SSL__ASM("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(ssl__smem(row)) : "memory"); }
static __device__ __forceinline__ void ssl__ldmatrix_x4_trans(uint32_t r[4], const void *row)
{ SSL__ASM("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(ssl__smem(row)) : "memory"); }
static __device__ __forceinline__ void ssl__mma_tf32(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    SSL__ASM("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
             : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
static __device__ __forceinline__ void ssl__mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    SSL__ASM("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
             : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
static __device__ __forceinline__ uint32_t ssl__to_tf32(uint32_t x) /* nearest, ties away from zero */
{ uint32_t y = 0; SSL__ASM("cvt.rna.tf32.f32 %0, %1;" : "=r"(y) : "r"(x)); return y; }
static __device__ __forceinline__ float ssl__exp2(float x) { float y; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }
static __device__ __forceinline__ uint32_t ssl__to_bf16x2(float low, float high) /* nearest, ties to even */
{ uint32_t y = 0; SSL__ASM("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low)); return y; }
#endif

template <int MODE> struct ssl__elem { typedef float type; };
template <> struct ssl__elem<SSL__BF16> { typedef uint16_t type; };

#define SSL__STAGES 3 /* slabs in flight or in use */
/* WR warps above each other, T / 32 / WR side by side. AK, BK: k is contiguous in a, in b. SLAB: elements of k in a slab. */
template <int MODE_, int T_, int WR, int M_, int N_, int SLAB_, int AK_, int BK_> struct ssl__block {
    typedef typename ssl__elem<MODE_>::type elem;
    static const int MODE = MODE_, T = T_, M = M_, N = N_, SLAB = SLAB_, AK = AK_, BK = BK_;
    static const int WC = T / 32 / WR, WM = M / WR, WN = N / WC; /* a warp's part */
    static const int TY = T / 16, NV = N / 16;                   /* F32: 16 threads side by side, NV columns each */
    static const int RESULTS = M * N / T, PAD = MODE == SSL__BF16 ? 8 : 4;
    static const int LDA = AK ? SLAB + PAD : M + 8, LDB = BK ? SLAB + PAD : N + 8;
    static const int A_ELEMS = (AK ? M : SLAB) * LDA, B_ELEMS = (BK ? N : SLAB) * LDB;
    static const int STAGED = (int)sizeof(elem) * (A_ELEMS + B_ELEMS) * SSL__STAGES; /* bytes of what cp.async copies, and of operands of floats */
    static const int BYTES = MODE == SSL__BF16 ? STAGED / SSL__STAGES * 2 : STAGED;
};
/* Row and column of result e of this thread. */
template <class G> static __device__ __forceinline__ void ssl__spot(int e, int *i, int *j)
{
    const int id = (int)threadIdx.x, lane = id & 31, warp = id / 32;
    if (G::MODE == SSL__F32) {
        const int u = e / G::NV, v = e % G::NV, ty = id / 16, tx = id % 16;
        *i = G::AK ? ty + G::TY * u : ty * 4 + u % 4 + u / 4 * 4 * G::TY;
        *j = G::BK ? tx + 16 * v : tx * 4 + v % 4 + v / 4 * 64;
    } else { /* tiles of 16 x 8: lane 4 g + t has rows g and g + 8, columns 2 t and 2 t + 1 */
        const int tile = e / 4, c = e % 4;
        *i = warp / G::WC * G::WM + tile / (G::WN / 8) * 16 + c / 2 * 8 + lane / 4;
        *j = warp % G::WC * G::WN + tile % (G::WN / 8) * 8 + lane % 4 * 2 + c % 2;
    }
}

/* acc += a b over a slab in shared memory */
template <class G> static __device__ __forceinline__ void ssl__product_f32(float *acc, const float *as, int lda, const float *bs, int ldb, int slab)
{
    const int U = G::M / G::TY, V = G::NV < 4 ? G::NV : 4;
    const int ty = (int)threadIdx.x / 16, tx = (int)threadIdx.x % 16;
    SSL__ROLLED for (int p = 0; p < slab; p += 4) {
        float a[U][4], b[V][4];
        SSL__REPEAT for (int u = 0; u < U; u += G::AK ? 1 : 4)
            SSL__REPEAT for (int q = 0; q < (G::AK ? 1 : 4); q++) {
                const float4 f = *(const float4 *)(G::AK ? as + (ty + G::TY * u) * lda + p : as + (p + q) * lda + ty * 4 + u * G::TY);
                if (G::AK) { a[u][0] = f.x; a[u][1] = f.y; a[u][2] = f.z; a[u][3] = f.w; }
                else { a[u][q] = f.x; a[u + (G::AK ? 0 : 1)][q] = f.y; a[u + (G::AK ? 0 : 2)][q] = f.z; a[u + (G::AK ? 0 : 3)][q] = f.w; }
            }
        SSL__REPEAT for (int v0 = 0; v0 < G::NV; v0 += V) {
            SSL__REPEAT for (int v = 0; v < V; v++) { /* a column, or four of them at one k */
                const float4 f = *(const float4 *)(G::BK ? bs + (tx + 16 * (v0 + v)) * ldb + p : bs + (p + v) * ldb + tx * 4 + v0 * 16);
                if (G::BK) { b[v][0] = f.x; b[v][1] = f.y; b[v][2] = f.z; b[v][3] = f.w; }
                else { b[0][v] = f.x; b[V > 1 ? 1 : 0][v] = f.y; b[V > 2 ? 2 : 0][v] = f.z; b[V > 3 ? 3 : 0][v] = f.w; }
            }
            SSL__REPEAT for (int u = 0; u < U; u++)
                SSL__REPEAT for (int v = 0; v < V; v++)
                    SSL__REPEAT for (int q = 0; q < 4; q++) acc[u * G::NV + v0 + v] += a[u][q] * b[v][q];
        }
    }
}
template <class G> static __device__ __forceinline__ void ssl__step_tf32(float *acc, const float *as, int lda, const float *bs, int ldb, int p)
{
    const int lane = (int)threadIdx.x & 31, warp = (int)threadIdx.x / 32, g = lane / 4, t = lane % 4;
    const int i0 = warp / G::WC * G::WM, j0 = warp % G::WC * G::WN;
    uint32_t a[4], b[G::WN / 8][2];
    SSL__REPEAT for (int j = 0; j < G::WN; j += 16) { /* 8 rows of 4 words are what ldmatrix calls 8 x 8 halves */
        uint32_t r[4];
        if (G::BK) ssl__ldmatrix_x4(r, bs + (j0 + j + (lane & 7) + lane / 16 * 8) * ldb + p + (lane / 8 & 1) * 4);
        else SSL__REPEAT for (int q = 0; q < 4; q++) r[q] = ssl__word(bs[(p + t + q % 2 * 4) * ldb + j0 + j + q / 2 * 8 + g]);
        SSL__REPEAT for (int q = 0; q < 4; q++) b[j / 8 + q / 2][q % 2] = ssl__to_tf32(r[q]);
    }
    SSL__REPEAT for (int i = 0; i < G::WM; i += 16) {
        if (G::AK) ssl__ldmatrix_x4(a, as + (i0 + i + (lane & 15)) * lda + p + lane / 16 * 4);
        else SSL__REPEAT for (int q = 0; q < 4; q++) a[q] = ssl__word(as[(p + t + q / 2 * 4) * lda + i0 + i + q % 2 * 8 + g]);
        SSL__REPEAT for (int q = 0; q < 4; q++) a[q] = ssl__to_tf32(a[q]);
        SSL__REPEAT for (int j = 0; j < G::WN / 8; j++) ssl__mma_tf32(acc + (i / 16 * (G::WN / 8) + j) * 4, a, b[j]);
    }
}
template <class G> static __device__ __forceinline__ void ssl__product_tf32(float *acc, const float *as, int lda, const float *bs, int ldb, int slab)
{
    if constexpr (G::AK || G::BK) SSL__TWICE for (int p = 0; p < slab; p += 8) ssl__step_tf32<G>(acc, as, lda, bs, ldb, p);
    else SSL__ROLLED for (int p = 0; p < slab; p += 8) ssl__step_tf32<G>(acc, as, lda, bs, ldb, p); /* its single words take more registers than ldmatrix */
}
template <class G> static __device__ __forceinline__ void ssl__product_bf16(float *acc, const uint16_t *as, int lda, const uint16_t *bs, int ldb, int slab)
{
    const int lane = (int)threadIdx.x & 31, warp = (int)threadIdx.x / 32, r = lane & 7, odd = lane / 8 & 1, high = lane / 16;
    const int i0 = warp / G::WC * G::WM, j0 = warp % G::WC * G::WN;
    SSL__TWICE for (int p = 0; p < slab; p += 16) {
        uint32_t a[4], b[G::WN / 8][2];
        SSL__REPEAT for (int j = 0; j < G::WN; j += 16) {
            uint32_t q[4];
            if (G::BK) ssl__ldmatrix_x4(q, bs + (j0 + j + high * 8 + r) * ldb + p + odd * 8);
            else ssl__ldmatrix_x4_trans(q, bs + (p + odd * 8 + r) * ldb + j0 + j + high * 8);
            b[j / 8][0] = q[0]; b[j / 8][1] = q[1];
            b[j / 8 + 1][0] = q[2]; b[j / 8 + 1][1] = q[3];
        }
        SSL__REPEAT for (int i = 0; i < G::WM; i += 16) {
            if (G::AK) ssl__ldmatrix_x4(a, as + (i0 + i + odd * 8 + r) * lda + p + high * 8);
            else ssl__ldmatrix_x4_trans(a, as + (p + high * 8 + r) * lda + i0 + i + odd * 8);
            SSL__REPEAT for (int j = 0; j < G::WN / 8; j++) ssl__mma_bf16(acc + (i / 16 * (G::WN / 8) + j) * 4, a, b[j]);
        }
    }
}
template <class G> static __device__ __forceinline__ void ssl__product(float *acc, const typename G::elem *a, int lda, const typename G::elem *b, int ldb, int slab)
{
    if constexpr (G::MODE == SSL__F32) ssl__product_f32<G>(acc, a, lda, b, ldb, slab);
    else if constexpr (G::MODE == SSL__TF32) ssl__product_tf32<G>(acc, a, lda, b, ldb, slab);
    else ssl__product_bf16<G>(acc, a, lda, b, ldb, slab);
}

/* Numbers in memory: float32, or where half is set bf16 behind the same pointer. */
static __device__ __forceinline__ float ssl__number_at(const float *p, int half, int64_t i)
{ return half ? ssl__bits((uint32_t)((const uint16_t *)(const void *)p)[i] << 16) : p[i]; }
static __device__ __forceinline__ void ssl__number_put(float *p, int half, int64_t i, float v)
{
    if (half) ((uint16_t *)(void *)p)[i] = (uint16_t)ssl__to_bf16x2(v, 0.0f);
    else p[i] = v;
}

/* Eight bf16, which lie in 16 bytes. */
static __device__ __forceinline__ uint4 ssl__octet_at(const float *p, int64_t i) { return *(const uint4 *)(const void *)((const uint16_t *)(const void *)p + i); } /* bf16 behind p */
static __device__ __forceinline__ void ssl__eight_of(uint4 u, float v[8])
{
    const uint32_t w[4] = { u.x, u.y, u.z, u.w };
    SSL__REPEAT for (int q = 0; q < 8; q++) v[q] = ssl__bits(q & 1 ? w[q / 2] & 0xffff0000u : w[q / 2] << 16);
}
static __device__ __forceinline__ void ssl__eight(const uint16_t *p, float v[8]) { ssl__eight_of(*(const uint4 *)(const void *)p, v); }
static __device__ __forceinline__ void ssl__eight_put(uint16_t *p, const float v[8], int add)
{
    uint4 u;
    float sum[8];
    if (add) ssl__eight(p, sum);
    SSL__REPEAT for (int q = 0; q < 8; q++) sum[q] = add ? sum[q] + v[q] : v[q];
    u.x = ssl__to_bf16x2(sum[0], sum[1]);
    u.y = ssl__to_bf16x2(sum[2], sum[3]);
    u.z = ssl__to_bf16x2(sum[4], sum[5]);
    u.w = ssl__to_bf16x2(sum[6], sum[7]);
    *(uint4 *)(void *)p = u;
}

/* Where a tile comes from: rows of numbers, zeros outside of them. whole: four numbers at a time (what is copied as bf16 always is, 16 bytes).
   half: bf16 behind a pointer to float, on the way through registers. */
template <class E> struct ssl__panel { typedef E elem; const E *p; int ld, rows, cols, whole, half; };
static __device__ __forceinline__ ssl__panel<float> ssl__panel_of(const float *p, int ld, int rows, int cols, int half = 0)
{
    ssl__panel<float> s;
    s.p = p; s.ld = ld; s.rows = rows; s.cols = cols; s.half = half;
    s.whole = ((uintptr_t)p & (half ? 7 : 15)) == 0 && ld % 4 == 0 && cols % 4 == 0;
    return s;
}
static __device__ __forceinline__ ssl__panel<uint16_t> ssl__panel_of(const uint16_t *p, int ld, int rows, int cols, int = 1)
{ const ssl__panel<uint16_t> s = { p, ld, rows, cols, 1, 1 }; return s; }
template <int WHOLE> static __device__ __forceinline__ float4 ssl__take4(const ssl__panel<float> *s, int r, int c)
{
    const float *p = s->p + (int64_t)r * s->ld + c;
    const int n = r < s->rows ? s->cols - c : 0;
    float4 v = { 0.0f, 0.0f, 0.0f, 0.0f };
    if (WHOLE) return n > 0 ? *(const float4 *)p : v;
    if (n > 0) v.x = p[0];
    if (n > 1) v.y = p[1];
    if (n > 2) v.z = p[2];
    if (n > 3) v.w = p[3];
    return v;
}
template <int WHOLE> static __device__ __forceinline__ float4 ssl__take4_half(const ssl__panel<float> *s, int r, int c) /* as they are, in x and y */
{
    const uint16_t *p = (const uint16_t *)(const void *)s->p + (int64_t)r * s->ld + c;
    const int n = r < s->rows ? s->cols - c : 0;
    uint2 h = { 0, 0 };
    float4 v = { 0.0f, 0.0f, 0.0f, 0.0f };
    if (WHOLE) { if (n > 0) h = *(const uint2 *)(const void *)p; }
    else {
        if (n > 0) h.x = p[0];
        if (n > 1) h.x |= (uint32_t)p[1] << 16;
        if (n > 2) h.y = p[2];
        if (n > 3) h.y |= (uint32_t)p[3] << 16;
    }
    v.x = ssl__bits(h.x);
    v.y = ssl__bits(h.y);
    return v;
}
template <class E> static __device__ __forceinline__ void ssl__copy16(const ssl__panel<E> *s, int e, int r, int c, E *to)
{
    const int n = r < s->rows ? s->cols - c : 0;
    const E *p = n > 0 ? s->p + (int64_t)r * s->ld + c : s->p;
    (void)e;
    if (sizeof(E) < sizeof(float) || s->whole) ssl__cp_async16(to, p, n > 0 ? 16 : 0);
    else SSL__REPEAT for (int q = 0; q < 4; q++) ssl__cp_async4(to + q, q < n ? p + q : s->p, q < n ? 4 : 0);
}
static __device__ __forceinline__ uint2 ssl__four_halves(float4 v)
{
    uint2 h;
    h.x = ssl__to_bf16x2(v.x, v.y);
    h.y = ssl__to_bf16x2(v.z, v.w);
    return h;
}
static __device__ __forceinline__ void ssl__put4(float4 v, int half, uint16_t *to) /* rounded to bf16, or as they were */
{
    uint2 h = { ssl__word(v.x), ssl__word(v.y) };
    if (!half) h = ssl__four_halves(v);
    *(uint2 *)to = h;
}
static __device__ __forceinline__ float ssl__as_bf16(float v) { return ssl__bits(ssl__to_bf16x2(v, 0.0f) << 16); }
static __device__ __forceinline__ void ssl__keep(float v, float *to) { *to = v; }
static __device__ __forceinline__ void ssl__keep(float v, uint16_t *to) { *to = (uint16_t)ssl__to_bf16x2(v, 0.0f); }

/* Start to copy R x C numbers from row r0, column c0 of a source; this thread's copy e always lies in the same row and column of the slab. */
template <int T, int R, int C, int LD, class S> static __device__ __forceinline__ void ssl__slab_copy(const S *s, int r0, int c0, typename S::elem *to)
{
    const int IN = 16 / (int)sizeof(typename S::elem), ROW = C / IN;
    SSL__REPEAT for (int e = 0; e < R * ROW / T; e++) {
        const int at = e * T + (int)threadIdx.x, r = at / ROW, c = at % ROW * IN;
        ssl__copy16(s, e, r0 + r, c0 + c, to + r * LD + c);
    }
}
template <int T, int R, int C, int WHOLE, int HALF> static __device__ __forceinline__ void ssl__slab_take(const ssl__panel<float> *s, int r0, int c0, float4 *v)
{
    SSL__REPEAT for (int e = 0; e < R * C / 4 / T; e++) {
        const unsigned at = (unsigned)e * T + threadIdx.x;
        const int r = r0 + (int)(at / (C / 4)), c = c0 + (int)(at % (C / 4)) * 4;
        v[e] = HALF ? ssl__take4_half<WHOLE>(s, r, c) : ssl__take4<WHOLE>(s, r, c);
    }
}
template <int T, int R, int C> static __device__ __forceinline__ void ssl__slab_take(const ssl__panel<float> *s, int r0, int c0, float4 *v)
{
    if (s->half && s->whole) ssl__slab_take<T, R, C, 1, 1>(s, r0, c0, v);
    else if (s->half) ssl__slab_take<T, R, C, 0, 1>(s, r0, c0, v);
    else if (s->whole) ssl__slab_take<T, R, C, 1, 0>(s, r0, c0, v);
    else ssl__slab_take<T, R, C, 0, 0>(s, r0, c0, v);
}
template <int T, int R, int C, int LD> static __device__ __forceinline__ void ssl__slab_put(const float4 *v, int half, uint16_t *to)
{
    SSL__REPEAT for (int e = 0; e < R * C / 4 / T; e++) {
        const unsigned at = (unsigned)e * T + threadIdx.x; /* unsigned here and above: signed divisions cost the registers that sm_80 would spill */
        ssl__put4(v[e], half, to + at / (C / 4) * LD + at % (C / 4) * 4);
    }
}

/* acc += op(a) op(b) over k0..k1-1 for the tile at i0, j0. Operands go to shared memory by cp.async, STAGES slabs in flight or in use; what is
   rounded on the way goes through registers while the slab before is multiplied. */
template <class G, class A, class B>
static __device__ __forceinline__ void ssl__accumulate(float *acc, const A *a, const B *b, int i0, int j0, int k0, int k1, void *shared)
{
    const int AR = G::AK ? G::M : G::SLAB, AC = G::AK ? G::SLAB : G::M, BR = G::BK ? G::N : G::SLAB, BC = G::BK ? G::SLAB : G::N;
    const int slabs = (k1 - k0 + G::SLAB - 1) / G::SLAB;
    typename G::elem *const as = (typename G::elem *)shared;
    if constexpr (sizeof(typename A::elem) > sizeof(typename G::elem)) { /* one operand at a time, each behind half of the products: registers for two blocks */
        const int HALF = G::SLAB / 2;
        float4 v[(AR * AC > BR * BC ? AR * AC : BR * BC) / 4 / G::T];
        SSL__ROLLED for (int s = -1; s < slabs; s++) {
            const int k = k0 + (s + 1) * G::SLAB, more = s + 1 < slabs;
            uint16_t *const now = as + (s & 1) * (G::A_ELEMS + G::B_ELEMS), *const then = as + (~s & 1) * (G::A_ELEMS + G::B_ELEMS); /* a, then b */
            if (more) ssl__slab_take<G::T, AR, AC>(a, G::AK ? i0 : k, G::AK ? k : i0, v);
            if (s >= 0) ssl__product<G>(acc, now, G::LDA, now + G::A_ELEMS, G::LDB, HALF);
            if (more) {
                ssl__slab_put<G::T, AR, AC, G::LDA>(v, a->half, then);
                ssl__slab_take<G::T, BR, BC>(b, G::BK ? j0 : k, G::BK ? k : j0, v);
            }
            if (s >= 0) ssl__product<G>(acc, now + (G::AK ? HALF : HALF * G::LDA), G::LDA, now + G::A_ELEMS + (G::BK ? HALF : HALF * G::LDB), G::LDB, HALF);
            if (more) ssl__slab_put<G::T, BR, BC, G::LDB>(v, b->half, then + G::A_ELEMS);
            __syncthreads();
        }
    } else {
        typename G::elem *const bs = as + SSL__STAGES * G::A_ELEMS;
        SSL__ROLLED for (int s = 1 - SSL__STAGES; s < slabs; s++) {
            const int next = s + SSL__STAGES - 1, k = k0 + next * G::SLAB, slot = next % SSL__STAGES;
            if (s >= 0) {
                ssl__cp_async_wait<SSL__STAGES - 2>();
                __syncthreads(); /* slab s is there for all, slab s - 1 was multiplied by all */
            }
            if (next < slabs) {
                ssl__slab_copy<G::T, AR, AC, G::LDA>(a, G::AK ? i0 : k, G::AK ? k : i0, as + slot * G::A_ELEMS);
                ssl__slab_copy<G::T, BR, BC, G::LDB>(b, G::BK ? j0 : k, G::BK ? k : j0, bs + slot * G::B_ELEMS);
            }
            ssl__cp_async_commit(); /* an empty group where there is no slab left: the wait counts groups */
            if (s >= 0) ssl__product<G>(acc, as + s % SSL__STAGES * G::A_ELEMS, G::LDA, bs + s % SSL__STAGES * G::B_ELEMS, G::LDB, G::SLAB);
        }
    }
}

/* f(i, j, result) for every result of the tile. 64 rows at a time change hands through shared memory, so that a warp writes neighbours of
   one row; a thread meets one column only. */
template <class G> static __device__ __forceinline__ int ssl__own_column() { return (int)threadIdx.x % G::N; }
template <class G, int BYTES, class F> static __device__ __forceinline__ void ssl__each_result(const float *acc, void *shared, F f)
{
    float *const out = (float *)shared;
    static_assert(BYTES >= 64 * (G::N + 4) * (int)sizeof(float) && G::T % G::N == 0, "the slabs' memory holds 64 rows of results");
    SSL__ROLLED for (int i0 = 0; i0 < G::M; i0 += 64) {
        __syncthreads();
        SSL__REPEAT for (int e = 0; e < G::RESULTS; e++) {
            int i, j;
            ssl__spot<G>(e, &i, &j);
            if (i / 64 * 64 == i0) out[i % 64 * (G::N + 4) + j] = acc[e];
        }
        __syncthreads();
        SSL__ROLLED for (int i = (int)threadIdx.x / G::N; i < 64; i += G::T / G::N) f(i0 + i, ssl__own_column<G>(), out[i * (G::N + 4) + ssl__own_column<G>()]);
    }
}

/* f(i, j, the results i .. i + 7 of column j), for results that lie along i in memory: 64 rows at a time change hands, as 64 words of each column.
   Then strip(i, words of the first column, words between columns), for the 64 rows from i on. */
template <class G, class F, class S> static __device__ __forceinline__ void ssl__each_eight(const float *acc, void *shared, F f, S strip)
{
    const int LD = 64 + 4;
    float *const out = (float *)shared;
    static_assert(G::STAGED >= G::N * LD * (int)sizeof(float), "the slabs' memory holds 64 rows of results");
    SSL__ROLLED for (int i0 = 0; i0 < G::M; i0 += 64) {
        __syncthreads();
        SSL__REPEAT for (int e = 0; e < G::RESULTS; e++) {
            int i, j;
            ssl__spot<G>(e, &i, &j);
            if (i / 64 * 64 == i0) out[j * LD + i % 64] = acc[e];
        }
        __syncthreads();
        SSL__ROLLED for (int e = (int)threadIdx.x; e < 8 * G::N; e += G::T) {
            const float4 *const at = (const float4 *)(const void *)(out + e / 8 * LD + e % 8 * 8);
            const float4 low = at[0], high = at[1];
            float v[8] = { low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w };
            f(i0 + e % 8 * 8, e / 8, v);
        }
        strip(i0, out, LD);
    }
}

/* Long products of few tiles are cut along k into slices, so that all multiprocessors work: their sums go to part
   [slices][batch][m][n] and are added in order by ssl__k_gemm_total. */
typedef struct ssl__tile {
    int m, n, k, lda, ldb, ldy, batch, slices, k_slice, tiles_n;
    int64_t sa, sb, sy;
    float beta, *part;
    ssl__epilogue ep;
} ssl__tile;
static __device__ __forceinline__ void ssl__gemm_finish(const ssl__tile *t, int64_t batch, int i, int j, float s, float *y)
{
    const int64_t o = batch * t->sy + (int64_t)i * t->ldy + j;
    const int half = (t->ep.half & SSL__HALF_Y) != 0;
    if (t->beta != 0.0f) s += t->beta * ssl__number_at(y, half, o);
    if (t->ep.bias) s += t->ep.bias[j];
    if (t->ep.pre) ssl__number_put(t->ep.pre, half, (batch * t->m + i) * t->n + j, s);
    s = ssl__act(t->ep.act, s);
    ssl__number_put(y, half, o, t->ep.residual ? s + t->ep.residual[o] : s);
}
template <int MODE, int SIDE, int AK_, int BK_, class E> struct ssl__gemm_shape : ssl__block<MODE, SSL__THREADS, 2, SIDE, SIDE, MODE == SSL__BF16 ? 32 : 16, AK_, BK_> {
    typedef ssl__block<MODE, SSL__THREADS, 2, SIDE, SIDE, MODE == SSL__BF16 ? 32 : 16, AK_, BK_> base;
    static const int SHARED = sizeof(E) == sizeof(typename base::elem) ? base::STAGED : base::BYTES;
};
/* E uint16_t: both operands are bf16, in rows of whole 16 bytes. Else each of them is what t.ep.half says. */
template <int MODE, int SIDE, int AK, int BK, class E> static __global__ void __launch_bounds__(SSL__THREADS, MODE == SSL__F32 ? 1 : 2) ssl__k_gemm(ssl__tile t, const float *a, const float *b, float *y)
{
    typedef ssl__gemm_shape<MODE, SIDE, AK, BK, E> G;
    SSL__DYNAMIC(shared);
    const int i0 = (int)blockIdx.x / t.tiles_n * SIDE, j0 = (int)blockIdx.x % t.tiles_n * SIDE;
    const int batch = (int)blockIdx.y / t.slices, slice = (int)blockIdx.y % t.slices, k0 = slice * t.k_slice, k1 = SSL__MIN(t.k, k0 + t.k_slice);
    float acc[G::RESULTS] = { 0.0f };
    const int half_a = (t.ep.half & SSL__HALF_A) != 0, half_b = (t.ep.half & SSL__HALF_B) != 0;
    const ssl__panel<E> sa = ssl__panel_of((const E *)(const void *)ssl__element(a, half_a, batch * t.sa), t.lda, AK ? t.m : k1, AK ? k1 : t.m, half_a);
    const ssl__panel<E> sb = ssl__panel_of((const E *)(const void *)ssl__element(b, half_b, batch * t.sb), t.ldb, BK ? t.n : k1, BK ? k1 : t.n, half_b);
    ssl__accumulate<G>(acc, &sa, &sb, i0, j0, k0, k1, shared);
    ssl__each_result<G, G::SHARED>(acc, shared, [&](int i, int j, float s) {
        i += i0;
        j += j0;
        if (i >= t.m || j >= t.n) return;
        if (t.part) t.part[(((int64_t)slice * t.batch + batch) * t.m + i) * t.n + j] = s;
        else ssl__gemm_finish(&t, batch, i, j, s, y);
    });
}
static __global__ void ssl__k_gemm_total(ssl__tile t, float *y)
{
    const int64_t n = (int64_t)t.batch * t.m * t.n;
    SSL__EACH(e, n) {
        const int64_t batch = e / t.n / t.m;
        const int i = (int)(e / t.n % t.m), j = (int)(e % t.n);
        float s = t.part[e];
        for (int q = 1; q < t.slices; q++) s += t.part[q * n + e];
        ssl__gemm_finish(&t, batch, i, j, s, y);
    }
}
typedef void (*ssl__gemm_fn)(ssl__tile, const float *, const float *, float *);
typedef struct ssl__gemm_kernel { ssl__gemm_fn run; int bytes; } ssl__gemm_kernel;
template <int MODE, int SIDE, int AK, int BK, class E> static ssl__gemm_kernel ssl__gemm_of()
{
    ssl__gemm_kernel k;
    k.run = ssl__k_gemm<MODE, SIDE, AK, BK, E>;
    k.bytes = ssl__gemm_shape<MODE, SIDE, AK, BK, E>::SHARED;
    return k;
}
template <int MODE, int SIDE, class E> static ssl__gemm_kernel ssl__gemm_choose(int ta, int tb)
{ return ta ? tb ? ssl__gemm_of<MODE, SIDE, 0, 1, E>() : ssl__gemm_of<MODE, SIDE, 0, 0, E>() : tb ? ssl__gemm_of<MODE, SIDE, 1, 1, E>() : ssl__gemm_of<MODE, SIDE, 1, 0, E>(); }
template <int MODE, class E> static ssl__gemm_kernel ssl__gemm_choose(int side, int ta, int tb) { return side == 128 ? ssl__gemm_choose<MODE, 128, E>(ta, tb) : ssl__gemm_choose<MODE, 64, E>(ta, tb); }
} /* extern "C++" */

static int ssl__cuda_mode(const ssl_ctx *c) /* which units multiply */
{
    if (!((ssl__cuda *)c->gpu)->tensor) return SSL__F32;
    return c->precision == SSL_PRECISION_BF16 ? SSL__BF16 : c->precision == SSL_PRECISION_HIGH ? SSL__TF32 : SSL__F32;
}
#ifdef SSL_CUBLASLT /* ---- products by cuBLASLt, to compare with; the epilogue stays ours. Link with -lcublasLt ---- */
typedef struct ssl__lt { cublasLtHandle_t handle; void *work; size_t bytes; } ssl__lt;
typedef struct ssl__lt_args { ssl__tile t; int ta, tb; cublasComputeType_t compute; const float *a, *b; float *y; } ssl__lt_args; /* y [batch][m][n], strides of t */
static cublasStatus_t ssl__lt_layout(cublasLtMatrixLayout_t *l, cudaDataType_t type, int trans, int rows, int cols, int ld, int batch, int64_t stride)
{
    cublasStatus_t s = cublasLtMatrixLayoutCreate(l, type, (uint64_t)(trans ? cols : rows), (uint64_t)(trans ? rows : cols), ld);
    if (s == CUBLAS_STATUS_SUCCESS) s = cublasLtMatrixLayoutSetAttribute(*l, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof batch);
    if (s == CUBLAS_STATUS_SUCCESS) s = cublasLtMatrixLayoutSetAttribute(*l, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof stride);
    return s;
}
/* Row-major y = op(a) op(b) is column-major y^T = op(b)^T op(a)^T. */
static cublasStatus_t ssl__lt_product(ssl__cuda *g, const ssl__lt_args *p, cublasLtMatmulDesc_t op, cublasLtMatrixLayout_t l[3], cublasLtMatmulPreference_t want)
{
    const cublasOperation_t ta = p->tb ? CUBLAS_OP_T : CUBLAS_OP_N, tb = p->ta ? CUBLAS_OP_T : CUBLAS_OP_N;
    const ssl__tile *t = &p->t;
    const float one = 1.0f, beta = t->beta;
    const cudaDataType_t type = t->ep.half & SSL__HALF_A ? CUDA_R_16BF : CUDA_R_32F; /* of both operands */
    cublasLtMatmulHeuristicResult_t found;
    cublasStatus_t s;
    int n = 0;
    cublasLtMatmulDescSetAttribute(op, CUBLASLT_MATMUL_DESC_TRANSA, &ta, sizeof ta);
    cublasLtMatmulDescSetAttribute(op, CUBLASLT_MATMUL_DESC_TRANSB, &tb, sizeof tb);
    cublasLtMatmulPreferenceSetAttribute(want, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &g->lt->bytes, sizeof g->lt->bytes);
    if ((s = ssl__lt_layout(&l[0], type, p->tb, t->n, t->k, t->ldb, t->batch, t->sb)) != CUBLAS_STATUS_SUCCESS) return s;
    if ((s = ssl__lt_layout(&l[1], type, p->ta, t->k, t->m, t->lda, t->batch, t->sa)) != CUBLAS_STATUS_SUCCESS) return s;
    if ((s = ssl__lt_layout(&l[2], CUDA_R_32F, 0, t->n, t->m, t->ldy, t->batch, t->sy)) != CUBLAS_STATUS_SUCCESS) return s;
    s = cublasLtMatmulAlgoGetHeuristic(g->lt->handle, op, l[0], l[1], l[2], l[2], want, 1, &found, &n);
    if (s != CUBLAS_STATUS_SUCCESS || !n) return CUBLAS_STATUS_NOT_SUPPORTED;
    return cublasLtMatmul(g->lt->handle, op, &one, p->b, l[0], p->a, l[1], &beta, p->y, l[2], p->y, l[2], &found.algo, g->lt->work, g->lt->bytes, g->stream);
}
static cudaError_t ssl__lt_run(ssl__cuda *g, const void *args)
{
    const ssl__lt_args *p = (const ssl__lt_args *)args;
    cublasLtMatmulDesc_t op = NULL;
    cublasLtMatrixLayout_t l[3] = { NULL, NULL, NULL };
    cublasLtMatmulPreference_t want = NULL;
    cublasStatus_t s = cublasLtMatmulDescCreate(&op, p->compute, CUDA_R_32F);
    if (s == CUBLAS_STATUS_SUCCESS) s = cublasLtMatmulPreferenceCreate(&want);
    if (s == CUBLAS_STATUS_SUCCESS) s = ssl__lt_product(g, p, op, l, want);
    for (int i = 0; i < 3; i++) if (l[i]) cublasLtMatrixLayoutDestroy(l[i]);
    if (want) cublasLtMatmulPreferenceDestroy(want);
    if (op) cublasLtMatmulDescDestroy(op);
    return s == CUBLAS_STATUS_SUCCESS ? cudaSuccess : cudaErrorUnknown;
}
static int ssl__lt_open(ssl_ctx *c)
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    if (g->lt) return 1;
    if (!(g->lt = (ssl__lt *)ssl__alloc(c, c->at, sizeof *g->lt))) return 0;
    g->lt->bytes = (size_t)64 << 20;
    g->lt->work = ssl__device_alloc(c, c->at, g->lt->bytes);
    if (!c->status && cublasLtCreate(&g->lt->handle) != CUBLAS_STATUS_SUCCESS) ssl__fail(c, SSL_E_CUDA, c->at, "CUDA: cuBLASLt cannot be opened");
    return !c->status;
}
static void ssl__lt_close(ssl__cuda *g)
{
    if (!g->lt) return;
    if (g->lt->handle) cublasLtDestroy(g->lt->handle);
    cudaFree(g->lt->work);
    ssl__release(g->lt);
}
static void ssl__lt_gemm(ssl_ctx *c, int ta, int tb, ssl__tile t, const float *a, const float *b, float *y, const ssl__epilogue *ep)
{
    ssl__lt_args p;
    ssl__task *task;
    memset(&p, 0, sizeof p);
    p.t = t; p.ta = ta; p.tb = tb; p.a = a; p.b = b; p.y = y;
    p.compute = t.ep.half & SSL__HALF_A ? CUBLAS_COMPUTE_32F : c->precision == SSL_PRECISION_BF16 ? CUBLAS_COMPUTE_32F_FAST_16BF : c->precision == SSL_PRECISION_HIGH ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    if (ep) { /* the product apart, then as if it were the only slice of one */
        t.part = p.y = (float *)ssl__cuda_work(c, sizeof(float) * (size_t)t.batch * (size_t)t.m * (size_t)t.n);
        p.t.beta = 0.0f;
        p.t.ldy = t.n;
        p.t.sy = (int64_t)t.m * t.n;
    }
    if (!p.y || !ssl__lt_open(c) || !(task = ssl__cuda_task(c, "cublasLtMatmul", NULL, dim3(1), 1, 0, 0))) return;
    task->call = ssl__lt_run;
    if (!ssl__cuda_arg(c, task, 0, &p, sizeof p, alignof(ssl__lt_args))) return;
    ssl__cuda_add(c, task);
    if (ep) SSL__LAUNCH(c, ssl__k_gemm_total, ssl__grid((int64_t)t.batch * t.m * t.n), t, y);
}
#endif
/* ---- the parameters as bf16: made where a product of bf16 values asks for one of them after they changed. 6 B a parameter. ---- */
static __global__ void ssl__k_narrow(int64_t pairs, const float *x, uint32_t *y) { SSL__EACH(i, pairs) y[i] = ssl__to_bf16x2(x[2 * i], x[2 * i + 1]); }
static const float *ssl__cuda_narrow(ssl_ctx *c, const float *w) /* bf16 behind the pointer; NULL: no parameter, or no memory */
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    if (!c->values || w < c->values || w >= c->values + c->n_flat) return NULL;
    if (g->n_narrow < c->cap_flat) {
        if (g->narrow) c->dev->release(c, g->narrow);
        g->narrow = (float *)ssl__device_alloc(c, c->at, sizeof(uint16_t) * (size_t)c->cap_flat);
        g->n_narrow = g->narrow ? c->cap_flat : 0;
        g->narrowed = 0;
    }
    if (!g->narrow) return NULL;
    if (!g->narrowed) SSL__LAUNCH(c, ssl__k_narrow, ssl__grid(c->n_flat / 2), c->n_flat / 2, c->values, (uint32_t *)(void *)g->narrow);
    g->narrowed = 1;
    return ssl__element(g->narrow, 1, w - c->values);
}
/* Both bf16, in rows of whole 16 bytes? */
static int ssl__gemm_narrow(const ssl__tile *t, int batch, int ta, int tb, const float *a, const float *b)
{
    const int64_t steps = t->lda | t->ldb | (ta ? t->m : t->k) | (tb ? t->k : t->n) | (batch > 1 ? t->sa | t->sb : 0);
    return (t->ep.half & 3) == (SSL__HALF_A | SSL__HALF_B) && ((uintptr_t)a & 15) == 0 && ((uintptr_t)b & 15) == 0 && steps % 8 == 0;
}
static int64_t ssl__gemm_tiles(int m, int n, int side) { return (int64_t)((m + side - 1) / side) * ((n + side - 1) / side); }
static void ssl__cuda_gemm(ssl_ctx *c, int ta, int tb, int batch, int m, int n, int k, const float *a, int lda, int64_t sa,
                           const float *b, int ldb, int64_t sb, float beta, float *y, int ldy, int64_t sy, const ssl__epilogue *ep)
{
    const int mode = ssl__cuda_mode(c), units = ((ssl__cuda *)c->gpu)->units, side = ssl__gemm_tiles(m, n, 128) * batch >= units ? 128 : 64;
    const int64_t tiles = ssl__gemm_tiles(m, n, side);
    const float *weights;
    ssl__gemm_kernel kernel;
    ssl__tile t;
    int i;
    memset(&t, 0, sizeof t);
    t.m = m; t.n = n; t.k = t.k_slice = k; t.beta = beta; t.slices = 1; t.tiles_n = (n + side - 1) / side;
    t.lda = lda; t.ldb = ldb; t.ldy = ldy; t.sa = sa; t.sb = sb; t.sy = sy;
    if (ep) t.ep = *ep;
    if (t.ep.half & SSL__HALF_A && !(t.ep.half & SSL__HALF_B) && (weights = ssl__cuda_narrow(c, b)) != NULL) { b = weights; t.ep.half |= SSL__HALF_B; }
#ifdef SSL_CUBLASLT
    t.batch = batch;
    if (!(t.ep.half & 3) || ssl__gemm_narrow(&t, batch, ta, tb, a, b)) { ssl__lt_gemm(c, ta, tb, t, a, b, y, ep); return; }
#endif
    if (ssl__gemm_narrow(&t, batch, ta, tb, a, b)) kernel = ssl__gemm_choose<SSL__BF16, uint16_t>(side, ta, tb);
    else if (mode == SSL__BF16) kernel = ssl__gemm_choose<SSL__BF16, float>(side, ta, tb);
    else kernel = mode == SSL__TF32 ? ssl__gemm_choose<SSL__TF32, float>(side, ta, tb) : ssl__gemm_choose<SSL__F32, float>(side, ta, tb);
    if (2 * tiles * batch <= units && k >= 512) { /* slices of 256 or more, whole slabs */
        t.k_slice = (k / SSL__MIN((int)(units / (tiles * batch)), k / 256) + 31) / 32 * 32;
        t.slices = (k + t.k_slice - 1) / t.k_slice;
        t.batch = batch;
        t.part = (float *)ssl__cuda_work(c, sizeof(float) * (size_t)t.slices * (size_t)batch * (size_t)m * (size_t)n);
        if (!t.part) return;
    }
    for (i = 0; i < batch; i += 65535) { /* the most blocks of the second axis; slices are few there */
        const dim3 grid((unsigned)tiles, (unsigned)(SSL__MIN(batch - i, 65535) * t.slices));
        ssl__tile part = t;
        if (part.ep.pre) part.ep.pre = ssl__element(part.ep.pre, t.ep.half & SSL__HALF_Y, (int64_t)i * m * n);
        if (part.ep.residual) part.ep.residual += i * sy;
        SSL__LAUNCH_SHARED(c, SSL__THREADS, kernel.bytes, "ssl__k_gemm", kernel.run, grid, part, ssl__element(a, t.ep.half & SSL__HALF_A, i * sa),
                           ssl__element(b, t.ep.half & SSL__HALF_B, i * sb), ssl__element(y, t.ep.half & SSL__HALF_Y, i * sy));
    }
    if (t.part) SSL__LAUNCH(c, ssl__k_gemm_total, ssl__grid((int64_t)batch * m * n), t, y);
}

/* ---- activations of bf16 values, two at a time: 4 B a value ---- */
static __global__ void ssl__k_half_act(int64_t pairs, ssl_act act, const uint32_t *xs, uint32_t *y)
{ SSL__EACH(i, pairs) y[i] = ssl__to_bf16x2(ssl__act(act, ssl__bits(xs[i] << 16)), ssl__act(act, ssl__bits(xs[i] & 0xffff0000u))); }
static void ssl__cuda_half_act_f(ssl_ctx *c, int64_t n, ssl_act act, const float *x, float *y)
{ SSL__LAUNCH(c, ssl__k_half_act, ssl__grid((n + 1) / 2), (n + 1) / 2, act, (const uint32_t *)(const void *)x, (uint32_t *)(void *)y); }

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

/* y[j] += sum of column j: 32 columns a block, 8 threads to each, so that neighbours read neighbours. Shares of `per` rows go to part [share][cols],
   which the same kernel adds up; columns from `first` on belong to y1. */
static __global__ void ssl__k_colsum(int rows, int per, int cols, const float *x, float *part, int first, float *y, float *y1)
{
    __shared__ float sum[SSL__WARPS][33];
    const int j = (int)blockIdx.x * 32 + SSL__LANE, w = (int)threadIdx.x / 32, i0 = (int)blockIdx.y * per, i1 = SSL__MIN(rows, i0 + per);
    float s = 0.0f;
    for (int i = i0 + w; i < i1 && j < cols; i += SSL__WARPS) s += x[(int64_t)i * cols + j];
    sum[w][SSL__LANE] = s;
    __syncthreads();
    if (w || j >= cols) return;
    for (int v = 1; v < SSL__WARPS; v++) s += sum[v][SSL__LANE];
    if (part) part[(int64_t)blockIdx.y * cols + j] = s;
    else if (j >= first) { if (y1) y1[j - first] += s; }
    else if (y) y[j] += s;
}
/* Blocks `across` the columns and how many rows each has, at least 64: 8 blocks for every multiprocessor where there are so many. */
static int ssl__column_parts(ssl_ctx *c, int rows, int across, int *per)
{
    const int shares = SSL__MIN(8 * ((ssl__cuda *)c->gpu)->units / across, rows / 64);
    *per = shares > 1 ? (rows + shares - 1) / shares : rows;
    return shares > 1 ? (rows + *per - 1) / *per : 1;
}
static void ssl__cuda_colsum(ssl_ctx *c, int rows, int cols, const float *x, float *y) /* 4 B a value */
{
    int per;
    const int across = (cols + 31) / 32, parts = ssl__column_parts(c, rows, across, &per);
    float *part = parts > 1 ? (float *)ssl__cuda_work(c, sizeof(float) * (size_t)parts * (size_t)cols) : NULL;
    if (parts > 1 && !part) return;
    SSL__LAUNCH(c, ssl__k_colsum, dim3((unsigned)across, (unsigned)parts), rows, per, cols, x, part, cols, y, NULL);
    if (part) SSL__LAUNCH(c, ssl__k_colsum, (unsigned)across, parts, parts, cols, part, NULL, cols, y, NULL);
}

/* ---- dpre and its column sums: as ssl__k_colsum, PER columns a thread. 6 B a value of float32 or of an activation, 2 for sums alone ---- */
static __device__ float ssl__act_slope(ssl_act act, float x)
{ return act == SSL_ACT_GELU ? ssl__dgelu(x) : act == SSL_ACT_GELU_TANH ? ssl__dgelu_tanh(x) : act == SSL_ACT_RELU ? (x > 0.0f ? 1.0f : 0.0f) : 1.0f; }
extern "C++" {
template <int PER> static __device__ __forceinline__ void ssl__load_columns(const float *p, int half, int64_t at, float v[PER])
{
    if constexpr (PER == 1) v[0] = ssl__number_at(p, half, at);
    else if (half) {
        const uint32_t h = ((const uint32_t *)(const void *)p)[at / 2];
        v[0] = ssl__bits(h << 16); v[1] = ssl__bits(h & 0xffff0000u);
    } else {
        const float2 f = ((const float2 *)(const void *)p)[at / 2];
        v[0] = f.x; v[1] = f.y;
    }
}
template <int PER> static __global__ void ssl__k_half_linear_b(int rows, int per, int cols, int half, ssl_act act, const float *dy, const float *pre, float *dpre, float *part, float *db)
{
    __shared__ float sum[PER][SSL__WARPS][33];
    const int j = ((int)blockIdx.x * 32 + SSL__LANE) * PER, w = (int)threadIdx.x / 32, i0 = (int)blockIdx.y * per, i1 = SSL__MIN(rows, i0 + per);
    float s[PER] = { 0.0f };
    for (int i = i0 + w; i < i1 && j < cols; i += SSL__WARPS) {
        const int64_t at = (int64_t)i * cols + j;
        float d[PER], p[PER];
        ssl__load_columns<PER>(dy, half, at, d);
        if (pre) ssl__load_columns<PER>(pre, half, at, p);
        for (int q = 0; q < PER && pre; q++) d[q] *= ssl__act_slope(act, p[q]);
        for (int q = 0; q < PER; q++) s[q] += d[q];
        if (dpre && PER == 1) ssl__number_put(dpre, 1, at, d[0]);
        else if (dpre) ((uint32_t *)(void *)dpre)[at / 2] = ssl__to_bf16x2(d[0], d[PER - 1]);
    }
    for (int q = 0; q < PER; q++) sum[q][w][SSL__LANE] = s[q];
    __syncthreads();
    if (w || j >= cols) return;
    for (int q = 0; q < PER; q++) {
        for (int v = 1; v < SSL__WARPS; v++) s[q] += sum[q][v][SSL__LANE];
        if (part) part[(int64_t)blockIdx.y * cols + j + q] = s[q];
        else if (db) db[j + q] += s[q];
    }
}
} /* extern "C++" */
static void ssl__cuda_half_linear_b(ssl_ctx *c, int rows, int cols, int half, ssl_act act, const float *dy, const float *pre, float *dpre, float *db)
{
    int per;
    const int pairs = cols % 2 == 0, across = (cols + (pairs ? 63 : 31)) / (pairs ? 64 : 32), parts = ssl__column_parts(c, rows, across, &per);
    const dim3 grid((unsigned)across, (unsigned)parts);
    float *part = db && parts > 1 ? (float *)ssl__cuda_work(c, sizeof(float) * (size_t)parts * (size_t)cols) : NULL;
    if (db && parts > 1 && !part) return;
    if (pairs) SSL__LAUNCH(c, ssl__k_half_linear_b<2>, grid, rows, per, cols, half, act, dy, pre, dpre, part, db);
    else SSL__LAUNCH(c, ssl__k_half_linear_b<1>, grid, rows, per, cols, half, act, dy, pre, dpre, part, db);
    if (part) SSL__LAUNCH(c, ssl__k_colsum, (unsigned)((cols + 31) / 32), parts, parts, cols, part, NULL, cols, db, NULL);
}
static void ssl__cuda_linear_bw(ssl_ctx *c, int rows, int in, int out, const float *x, const float *dy, float beta, float *dw, float *db)
{
    ssl__cuda_gemm(c, 1, 0, 1, out, in, rows, dy, out, 0, x, in, 0, beta, dw, in, 0, NULL);
    if (db) ssl__cuda_colsum(c, rows, out, dy, db);
}
static __global__ void ssl__k_spread(int64_t n, float scale, const float *x, float *y) { const float v = scale * x[0]; SSL__EACH(i, n) y[i] += v; }
static void ssl__cuda_spread(ssl_ctx *c, int64_t n, float scale, const float *x, float *y) { SSL__LAUNCH(c, ssl__k_spread, ssl__grid(n), n, scale, x, y); }

/* ==== >>broadcast ==== loop nests: element `kept` of the result, step `summed` of its sum ================= */
/* n / d for 0 <= n < 2^31 as (n m) >> shift, with m = 2^shift / d rounded up and shift = 31 + ceil(log2 d) (Granlund and Montgomery 1994). */
typedef struct ssl__divisor { int d, shift; uint32_t m; } ssl__divisor;
static ssl__divisor ssl__divisor_of(int d)
{
    ssl__divisor v;
    v.d = d;
    for (v.shift = 31; (1ll << (v.shift - 31)) < d; v.shift++) {}
    v.m = (uint32_t)((1ull << v.shift) / (unsigned)d + 1);
    return v;
}
static __device__ __forceinline__ int ssl__over(int n, const ssl__divisor *v, int *rest)
{
    const int q = (int)((uint64_t)(uint32_t)n * v->m >> v->shift);
    *rest = n - q * v->d;
    return q;
}

typedef struct ssl__offsets { int64_t off[4]; } ssl__offsets;
typedef struct ssl__loops { ssl__nest s; ssl__divisor dim[SSL_DIMS]; } ssl__loops; /* places without divisions, as long as they are below 2^31 */
static ssl__loops ssl__loops_of(const ssl__nest *s)
{
    ssl__loops l;
    memset(&l, 0, sizeof l);
    l.s = *s;
    for (int a = 0; a < s->n; a++) l.dim[a] = ssl__divisor_of((int)SSL__MIN(s->dim[a], INT32_MAX));
    return l;
}
static __device__ void ssl__nest_axis(const ssl__loops *l, int axis, int64_t *i, ssl__offsets *p)
{
    int64_t at;
    if (*i < INT32_MAX) {
        int rest;
        *i = ssl__over((int)*i, &l->dim[axis], &rest);
        at = rest;
    } else {
        at = *i % l->s.dim[axis];
        *i /= l->s.dim[axis];
    }
    for (int k = 0; k < 4; k++) p->off[k] += at * l->s.st[k][axis];
}
static __device__ ssl__offsets ssl__nest_place(const ssl__loops *l, int64_t kept, int64_t summed)
{
    const int last = l->s.n - 1;
    ssl__offsets p = { { 0, 0, 0, 0 } };
    int64_t inner = l->s.st[0][last] ? kept : summed;
    ssl__nest_axis(l, last, &inner, &p);
    if (l->s.st[0][last]) kept = inner;
    else summed = inner;
    for (int a = last - 1; a >= l->s.n_keep; a--) ssl__nest_axis(l, a, &summed, &p);
    for (int a = l->s.n_keep - 1; a >= 0; a--) ssl__nest_axis(l, a, &kept, &p);
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
            const ssl__offsets p = ssl__nest_place(&s, i, 0);                                                    \
            const float v = (term);                                                                            \
            d[p.off[0]] = beta != 0.0f ? beta * d[p.off[0]] + v : v;                                           \
        }                                                                                                      \
        else SSL__EACH_WARP(i, kept) {                                                                         \
            double v = 0.0;                                                                                    \
            int64_t o;                                                                                         \
            for (int64_t r = SSL__LANE; r < summed; r += 32) { const ssl__offsets p = ssl__nest_place(&s, i, r); v += (double)(term); } \
            for (int k = 16; k; k >>= 1) v += __shfl_xor_sync(0xffffffffu, v, k);                              \
            o = ssl__nest_place(&s, i, 0).off[0];                                                              \
            if (SSL__LANE == 0) d[o] = beta != 0.0f ? beta * d[o] + (float)v : (float)v;                       \
        }                                                                                                      \
    } while (0)
#define SSL__BINARY_CUDA(name, value, derivative_a, derivative_b)                                              \
    static __device__ float ssl__d_##name##_f(float a, float b) { return (value); }                            \
    static __device__ float ssl__d_##name##_da(float a, float b) { (void)a; (void)b; return (derivative_a); }  \
    static __device__ float ssl__d_##name##_db(float a, float b) { (void)a; (void)b; return (derivative_b); }  \
    static __global__ void ssl__k_##name##_f(ssl__loops s, int64_t n, const float *a, const float *b, float *y) \
    { SSL__EACH(i, n) { const ssl__offsets p = ssl__nest_place(&s, i, 0); y[p.off[0]] = ssl__d_##name##_f(a[p.off[1]], b[p.off[2]]); } } \
    static void ssl__cuda_##name##_f(ssl_ctx *c, const ssl__nest *s, const float *a, const float *b, float *y) \
    {                                                                                                          \
        int64_t kept, summed;                                                                                  \
        ssl__nest_counts(s, &kept, &summed);                                                                   \
        SSL__LAUNCH(c, ssl__k_##name##_f, ssl__grid(kept), ssl__loops_of(s), kept, a, b, y);                                 \
    }                                                                                                          \
    SSL__BINARY_GRAD_CUDA(name, da)                                                                            \
    SSL__BINARY_GRAD_CUDA(name, db)
#define SSL__BINARY_GRAD_CUDA(name, grad)                                                                      \
    static __global__ void ssl__k_##name##_##grad(ssl__loops s, int64_t kept, int64_t summed, float beta, const float *a, const float *b, \
                                                  const float *dy, float *d)                                   \
    { SSL__NEST_SUM(kept, summed, beta, d, dy[p.off[3]] * ssl__d_##name##_##grad(a[p.off[1]], b[p.off[2]])); } \
    static void ssl__cuda_##name##_##grad(ssl_ctx *c, const ssl__nest *s, float beta, const float *a, const float *b, const float *dy, float *d) \
    {                                                                                                          \
        int64_t kept, summed;                                                                                  \
        ssl__nest_counts(s, &kept, &summed);                                                                   \
        SSL__LAUNCH(c, ssl__k_##name##_##grad, ssl__grid_warps(kept), ssl__loops_of(s), kept, summed, beta, a, b, dy, d);    \
    }
SSL__BINARY(SSL__BINARY_CUDA)
#undef SSL__BINARY_CUDA
#undef SSL__BINARY_GRAD_CUDA

static __global__ void ssl__k_reduce(ssl__loops s, int64_t kept, int64_t summed, float scale, float beta, const float *x, float *y)
{ SSL__NEST_SUM(kept, summed, beta, y, scale * x[p.off[1]]); }
static void ssl__cuda_reduce(ssl_ctx *c, const ssl__nest *s, float scale, float beta, const float *x, float *y)
{
    int64_t kept, summed;
    ssl__nest_counts(s, &kept, &summed);
    SSL__LAUNCH(c, ssl__k_reduce, ssl__grid_warps(kept), ssl__loops_of(s), kept, summed, scale, beta, x, y);
}

/* ==== >>shape ==== words moved along strides ============================================================ */
static __global__ void ssl__k_copy(ssl__loops s, int64_t n, const uint32_t *x, uint32_t *y)
{ SSL__EACH(i, n) { const ssl__offsets p = ssl__nest_place(&s, i, 0); y[p.off[0]] = x[p.off[1]]; } }
static __global__ void ssl__k_copy_add(ssl__loops s, int64_t n, float scale, const float *x, float *y)
{ SSL__EACH(i, n) { const ssl__offsets p = ssl__nest_place(&s, i, 0); y[p.off[0]] += scale * x[p.off[1]]; } }
static ssl__loops ssl__nest_moves(const ssl__nest *s) { ssl__loops all = ssl__loops_of(s); all.s.n_keep = s->n - 1; return all; } /* nothing is summed */
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
static __global__ void ssl__k_gather_b(int64_t rows, int L, int K, int D, int shared, const int32_t *index, const float *dy, float *dx)
{
    SSL__EACH_WARP(row, rows) { /* a row of dx looks for the rows that were read from it, 32 at a time, and adds them in order */
        const int64_t b = row / L;
        for (int k0 = 0; k0 < K; k0 += 32) {
            const int k = k0 + SSL__LANE;
            unsigned hits = __ballot_sync(0xffffffffu, k < K && index[shared ? k : b * K + k] == (int32_t)(row % L));
            for (; hits; hits &= hits - 1)
                for (int j = SSL__LANE; j < D; j += 32) dx[row * D + j] += dy[(b * K + k0 + __ffs((int)hits) - 1) * D + j];
        }
    }
}
static void ssl__cuda_gather_b(ssl_ctx *c, int B, int L, int K, int D, int shared, const int32_t *index, const float *dy, float *dx)
{ const int64_t n = (int64_t)B * L; SSL__LAUNCH(c, ssl__k_gather_b, ssl__grid_warps(n), n, L, K, D, shared, index, dy, dx); }
static __global__ void ssl__k_scatter_f(int64_t n, int L, int K, int D, const float *x, const int32_t *index, float *y)
{ SSL__EACH(i, n) { const int64_t row = i / D; const int l = index[row]; if (l >= 0 && l < L) y[(row / K * L + l) * D + i % D] = x[i]; } }
static void ssl__cuda_scatter_f(ssl_ctx *c, int B, int L, int K, int D, const float *x, const int32_t *index, float *y)
{ const int64_t n = (int64_t)B * K * D; SSL__LAUNCH(c, ssl__k_scatter_f, ssl__grid(n), n, L, K, D, x, index, y); }
static __global__ void ssl__k_scatter_base_b(int64_t rows, int L, int K, int D, const int32_t *index, const float *dy, float *dbase)
{
    SSL__EACH_WARP(row, rows) {
        unsigned hits = 0;
        for (int k0 = 0; k0 < K; k0 += 32) {
            const int k = k0 + SSL__LANE;
            hits |= __ballot_sync(0xffffffffu, k < K && index[row / L * K + k] == (int32_t)(row % L));
        }
        for (int j = SSL__LANE; j < D && !hits; j += 32) dbase[row * D + j] += dy[row * D + j];
    }
}
static void ssl__cuda_scatter_base_b(ssl_ctx *c, int B, int L, int K, int D, const int32_t *index, const float *dy, float *dbase)
{ const int64_t n = (int64_t)B * L; SSL__LAUNCH(c, ssl__k_scatter_base_b, ssl__grid_warps(n), n, L, K, D, index, dy, dbase); }

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

/* ==== >>norm ==== rows in registers: each is read from memory once =======================================
 * A row belongs to a group of G threads, a warp or a block, N of its values to a thread. N = 0: a row of any length, read again by every pass (from the
 * caches). All of them are bound by memory: 8 B a value forward, 12 backward, 16 where dx is added to. */
extern "C++" {
template <int G> static __device__ __forceinline__ float ssl__group_sum(float v) /* the same in every thread of the group */
{
    __shared__ float part[SSL__WARPS];
    v = ssl__warp_sum(v);
    if (G == 32) return v;
    __syncthreads();
    if (SSL__LANE == 0) part[threadIdx.x / 32] = v;
    __syncthreads();
    v = 0.0f;
    for (int w = 0; w < SSL__WARPS; w++) v += part[w];
    return v;
}
template <int G> static __device__ __forceinline__ float ssl__group_max(float v)
{
    __shared__ float part[SSL__WARPS];
    v = ssl__warp_max(v);
    if (G == 32) return v;
    __syncthreads();
    if (SSL__LANE == 0) part[threadIdx.x / 32] = v;
    __syncthreads();
    for (int w = 0; w < SSL__WARPS; w++) v = fmaxf(v, part[w]);
    return v;
}
#define SSL__EACH_ROW(i, rows) for (int64_t i = (int64_t)blockIdx.x * (SSL__THREADS / G) + threadIdx.x / G; i < (rows); i += (int64_t)gridDim.x * (SSL__THREADS / G))
#define SSL__EACH_OWN(q, j)    SSL__REPEAT for (int q = 0, j = (int)threadIdx.x % G; N ? q < N : j < cols; q++, j += G) if (N == 0 || j < cols) /* values of a row */
template <int G, int N> struct ssl__row {
    const float *p;
    int half;
    float v[N ? N : 1];
    __device__ __forceinline__ ssl__row(const float *row, int cols, int half_ = 0) : p(row), half(half_) { if (N) { SSL__EACH_OWN(q, j) v[N ? q : 0] = ssl__number_at(p, half, j); } }
    __device__ __forceinline__ float at(int q, int j) const { return N ? v[N ? q : 0] : ssl__number_at(p, half, j); }
};
static unsigned ssl__grid_rows(int rows, int group) { return ssl__grid((int64_t)rows * group); }
#define SSL__ROWS(c, kernel, rows, cols, ...) /* the kernel for rows of this length */                           \
    do {                                                                                                       \
        if ((cols) <= 256) SSL__LAUNCH(c, (kernel<32, 8>), ssl__grid_rows(rows, 32), rows, cols, __VA_ARGS__);  \
        else if ((cols) <= 512) SSL__LAUNCH(c, (kernel<32, 16>), ssl__grid_rows(rows, 32), rows, cols, __VA_ARGS__); \
        else if ((cols) <= 2048) SSL__LAUNCH(c, (kernel<SSL__THREADS, 8>), ssl__grid_rows(rows, SSL__THREADS), rows, cols, __VA_ARGS__); \
        else SSL__LAUNCH(c, (kernel<SSL__THREADS, 0>), ssl__grid_rows(rows, SSL__THREADS), rows, cols, __VA_ARGS__); \
    } while (0)

template <int G, int N> static __global__ void ssl__k_layer_norm_f(int rows, int cols, float eps, const float *xs, const float *w, const float *b, int half, float *ys, float *stat)
{
    SSL__EACH_ROW(i, rows) {
        const ssl__row<G, N> x(xs + i * cols, cols);
        float s = 0.0f, mean, r;
        SSL__EACH_OWN(q, j) s += x.at(q, j);
        mean = ssl__group_sum<G>(s) / (float)cols;
        s = 0.0f;
        SSL__EACH_OWN(q, j) s += (x.at(q, j) - mean) * (x.at(q, j) - mean);
        r = 1.0f / sqrtf(ssl__group_sum<G>(s) / (float)cols + eps);
        SSL__EACH_OWN(q, j) ssl__number_put(ys, half, i * cols + j, (x.at(q, j) - mean) * r * (w ? w[j] : 1.0f) + (b ? b[j] : 0.0f));
        if (threadIdx.x % G == 0) { stat[2 * i] = mean; stat[2 * i + 1] = r; }
    }
}
/* part [block][2][cols]: what the rows of a block add to dw and db; with N = 0 it grows in memory, row by row. */
template <int G, int N> static __device__ __forceinline__ void ssl__layer_norm_share(int cols, const float *sum, float *part)
{
    __shared__ float sums[SSL__WARPS][33];
    for (int q = 0; q < N; q++) {
        const int j = q * G + (int)threadIdx.x % G;
        float s = sum[q];
        if (G == 32) { /* the same columns in every warp */
            __syncthreads();
            sums[threadIdx.x / 32][SSL__LANE] = s;
            __syncthreads();
            for (int w = 1; w < SSL__WARPS; w++) s += sums[w][SSL__LANE];
        }
        if (j < cols && threadIdx.x < G) part[j] = s;
    }
}
template <int G, int N> static __global__ void ssl__k_layer_norm_b(int rows, int cols, const float *xs, const float *w, const float *stat, int half, const float *dys, float beta, float *dx, float *part)
{
    float gw[N ? N : 1] = { 0.0f }, gb[N ? N : 1] = { 0.0f };
    float *const pw = part ? part + (int64_t)blockIdx.x * 2 * cols : NULL, *const pb = part ? pw + cols : NULL;
    SSL__EACH_ROW(i, rows) {
        const ssl__row<G, N> x(xs + i * cols, cols), dy(ssl__element(dys, half, i * cols), cols, half);
        const float mean = stat[2 * i], r = stat[2 * i + 1];
        float s = 0.0f, sx = 0.0f;
        SSL__EACH_OWN(q, j) {
            const float xhat = (x.at(q, j) - mean) * r, d = dy.at(q, j), g = d * (w ? w[j] : 1.0f);
            s += g;
            sx += g * xhat;
            if (N) { gw[N ? q : 0] += d * xhat; gb[N ? q : 0] += d; }
            else if (part) { pw[j] = (i == blockIdx.x ? 0.0f : pw[j]) + d * xhat; pb[j] = (i == blockIdx.x ? 0.0f : pb[j]) + d; }
        }
        if (!dx) continue;
        s = ssl__group_sum<G>(s) / (float)cols;
        sx = ssl__group_sum<G>(sx) / (float)cols;
        SSL__EACH_OWN(q, j) {
            const float v = r * (dy.at(q, j) * (w ? w[j] : 1.0f) - s - (x.at(q, j) - mean) * r * sx);
            dx[i * cols + j] = beta != 0.0f ? dx[i * cols + j] + v : v;
        }
    }
    if (N && part) {
        ssl__layer_norm_share<G, N>(cols, gw, pw);
        ssl__layer_norm_share<G, N>(cols, gb, pb);
    }
}
template <int G, int N> static void ssl__layer_norm_back(ssl_ctx *c, int rows, int cols, const float *x, const float *w, const float *stat, int half, const float *dy,
                                                         float beta, float *dx, float *dw, float *db)
{
    const int blocks = (int)SSL__MIN(ssl__grid_rows(rows, G), 4u * (unsigned)((ssl__cuda *)c->gpu)->units);
    float *part = dw || db ? (float *)ssl__cuda_work(c, sizeof(float) * 2 * (size_t)blocks * (size_t)cols) : NULL;
    if ((dw || db) && !part) return;
    SSL__LAUNCH(c, (ssl__k_layer_norm_b<G, N>), (unsigned)blocks, rows, cols, x, w, stat, half, dy, beta, dx, part);
    if (part) SSL__LAUNCH(c, ssl__k_colsum, (unsigned)(2 * cols + 31) / 32, blocks, blocks, 2 * cols, part, NULL, cols, dw, db);
}

template <int G, int N> static __device__ __forceinline__ float ssl__row_lse(const ssl__row<G, N> *x, int cols) /* ln sum exp x */
{
    float top = -INFINITY, s = 0.0f;
    SSL__EACH_OWN(q, j) top = fmaxf(top, x->at(q, j));
    top = ssl__group_max<G>(top);
    SSL__EACH_OWN(q, j) s += ssl__exp(x->at(q, j) - top);
    return top + logf(ssl__group_sum<G>(s));
}
template <int G, int N> static __global__ void ssl__k_softmax_f(int rows, int cols, int log, const float *xs, float *y)
{
    SSL__EACH_ROW(i, rows) {
        const ssl__row<G, N> x(xs + i * cols, cols);
        const float lse = ssl__row_lse(&x, cols);
        SSL__EACH_OWN(q, j) y[i * cols + j] = log ? x.at(q, j) - lse : ssl__exp(x.at(q, j) - lse);
    }
}
template <int G, int N> static __global__ void ssl__k_softmax_b(int rows, int cols, int log, const float *ys, const float *dys, float beta, float *dx)
{
    SSL__EACH_ROW(i, rows) {
        const ssl__row<G, N> y(ys + i * cols, cols), dy(dys + i * cols, cols);
        float s = 0.0f;
        SSL__EACH_OWN(q, j) s += log ? dy.at(q, j) : y.at(q, j) * dy.at(q, j);
        s = ssl__group_sum<G>(s);
        SSL__EACH_OWN(q, j) {
            const float v = log ? dy.at(q, j) - ssl__exp(y.at(q, j)) * s : y.at(q, j) * (dy.at(q, j) - s);
            dx[i * cols + j] = beta != 0.0f ? dx[i * cols + j] + v : v;
        }
    }
}
template <int G, int N> static __global__ void ssl__k_l2norm_f(int rows, int cols, float eps, const float *xs, float *y, float *norm)
{
    SSL__EACH_ROW(i, rows) {
        const ssl__row<G, N> x(xs + i * cols, cols);
        float s = 0.0f;
        SSL__EACH_OWN(q, j) s += x.at(q, j) * x.at(q, j);
        s = sqrtf(ssl__group_sum<G>(s));
        if (threadIdx.x % G == 0) norm[i] = s;
        SSL__EACH_OWN(q, j) y[i * cols + j] = x.at(q, j) / fmaxf(s, eps);
    }
}
template <int G, int N> static __global__ void ssl__k_l2norm_b(int rows, int cols, float eps, const float *ys, const float *norm, const float *dys, float beta, float *dx)
{
    SSL__EACH_ROW(i, rows) {
        const ssl__row<G, N> y(ys + i * cols, cols), dy(dys + i * cols, cols);
        float s = 0.0f;
        SSL__EACH_OWN(q, j) s += y.at(q, j) * dy.at(q, j);
        s = norm[i] > eps ? ssl__group_sum<G>(s) : 0.0f;
        SSL__EACH_OWN(q, j) {
            const float v = (dy.at(q, j) - y.at(q, j) * s) / fmaxf(norm[i], eps);
            dx[i * cols + j] = beta != 0.0f ? dx[i * cols + j] + v : v;
        }
    }
}
} /* extern "C++" */
static void ssl__cuda_layer_norm_f(ssl_ctx *c, int rows, int cols, float eps, const float *x, const float *w, const float *b, float *y, float *stat)
{ SSL__ROWS(c, ssl__k_layer_norm_f, rows, cols, eps, x, w, b, 0, y, stat); }
static void ssl__cuda_half_layer_norm_f(ssl_ctx *c, int rows, int cols, float eps, const float *x, const float *w, const float *b, float *y, float *stat)
{ SSL__ROWS(c, ssl__k_layer_norm_f, rows, cols, eps, x, w, b, 1, y, stat); }
static void ssl__layer_norm_gradients(ssl_ctx *c, int rows, int cols, const float *x, const float *w, const float *stat, int half, const float *dy,
                                      float beta, float *dx, float *dw, float *db)
{
    if (cols <= 256) ssl__layer_norm_back<32, 8>(c, rows, cols, x, w, stat, half, dy, beta, dx, dw, db);
    else if (cols <= 512) ssl__layer_norm_back<32, 16>(c, rows, cols, x, w, stat, half, dy, beta, dx, dw, db);
    else if (cols <= 2048) ssl__layer_norm_back<SSL__THREADS, 8>(c, rows, cols, x, w, stat, half, dy, beta, dx, dw, db);
    else ssl__layer_norm_back<SSL__THREADS, 0>(c, rows, cols, x, w, stat, half, dy, beta, dx, dw, db);
}
static void ssl__cuda_layer_norm_b(ssl_ctx *c, int rows, int cols, const float *x, const float *w, const float *stat, const float *dy,
                                   float beta, float *dx, float *dw, float *db)
{ ssl__layer_norm_gradients(c, rows, cols, x, w, stat, 0, dy, beta, dx, dw, db); }
static void ssl__cuda_half_layer_norm_b(ssl_ctx *c, int rows, int cols, const float *x, const float *w, const float *stat, const float *dy,
                                        float beta, float *dx, float *dw, float *db)
{ ssl__layer_norm_gradients(c, rows, cols, x, w, stat, 1, dy, beta, dx, dw, db); }
static void ssl__cuda_softmax_f(ssl_ctx *c, int rows, int cols, int log, const float *x, float *y) { SSL__ROWS(c, ssl__k_softmax_f, rows, cols, log, x, y); }
static void ssl__cuda_softmax_b(ssl_ctx *c, int rows, int cols, int log, const float *y, const float *dy, float beta, float *dx)
{ SSL__ROWS(c, ssl__k_softmax_b, rows, cols, log, y, dy, beta, dx); }
static void ssl__cuda_l2norm_f(ssl_ctx *c, int rows, int cols, float eps, const float *x, float *y, float *norm) { SSL__ROWS(c, ssl__k_l2norm_f, rows, cols, eps, x, y, norm); }
static void ssl__cuda_l2norm_b(ssl_ctx *c, int rows, int cols, float eps, const float *y, const float *norm, const float *dy, float beta, float *dx)
{ SSL__ROWS(c, ssl__k_l2norm_b, rows, cols, eps, y, norm, dy, beta, dx); }

/* ==== >>loss ============================================================================================= */
extern "C++" {
template <int G, int N> static __global__ void ssl__k_cross_entropy_f(int rows, int cols, float smoothing, const float *xs, const int32_t *target, float *loss, float *lse)
{
    SSL__EACH_ROW(i, rows) {
        const ssl__row<G, N> x(xs + i * cols, cols);
        const int t = target[i];
        const float l = ssl__row_lse(&x, cols);
        float s = 0.0f, own;
        if (smoothing > 0.0f) {
            SSL__EACH_OWN(q, j) s += x.at(q, j);
            s = ssl__group_sum<G>(s);
        }
        own = t >= 0 && t < cols ? x.p[t] : NAN; /* a target that is no class must not pass */
        if (threadIdx.x % G == 0) { lse[i] = l; loss[i] = t == -100 ? 0.0f : l - (1.0f - smoothing) * own - smoothing / (float)cols * s; }
    }
}
template <int G, int N> static __global__ void ssl__k_cross_entropy_b(int rows, int cols, float smoothing, const float *x, const int32_t *target, const float *lse,
                                                                      const float *dloss, float beta, float *dx)
{
    const float scale = dloss[0] * lse[rows], rest = smoothing / (float)cols;
    SSL__EACH_ROW(i, rows) {
        const int t = target[i];
        const float l = lse[i];
        SSL__EACH_OWN(q, j) {
            const int64_t e = i * cols + j;
            const float v = t == -100 ? 0.0f : (ssl__exp(x[e] - l) - (rest + (t == j ? 1.0f - smoothing : 0.0f))) * scale;
            dx[e] = beta != 0.0f ? dx[e] + v : v;
        }
    }
}
} /* extern "C++" */
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
    SSL__ROWS(c, ssl__k_cross_entropy_f, rows, cols, smoothing, x, target, row_loss, lse);
    SSL__LAUNCH(c, ssl__k_cross_entropy_mean, 1, rows, target, row_loss, loss, lse);
}
static void ssl__cuda_cross_entropy_b(ssl_ctx *c, int rows, int cols, float smoothing, const float *x, const int32_t *target, const float *lse,
                                      const float *dloss, float beta, float *dx)
{ SSL__ROWS(c, ssl__k_cross_entropy_b, rows, cols, smoothing, x, target, lse, dloss, beta, dx); }

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

/* ==== >>attention ==== tile by tile (Dao et al. 2022): no Tq x Tk matrix in memory =====================
 * A block holds M queries (forward, dq) or keys (dk, dv) of one head, each row in one warp, and walks over the others N at a time. On the
 * tensor cores the weights stay in the registers that they were multiplied in, which have the layout of the next product's left operand. Heads are
 * padded with zeros to D elements. 4 B H Tq Tk d FLOP forward, 10 backward; all but float32 heads over 128 need at most 99 KB of shared memory. */
extern "C++" {
template <int MODE_, int D_, int BACK> struct ssl__flash { /* tiles as large as registers and shared memory allow */
    static const int MODE = MODE_, D = D_, T = D > 128 && MODE != SSL__F32 ? 64 : 128, M = D > 128 ? 32 : 64, N = D > 64 && MODE != SSL__BF16 && (BACK || D > 128) ? 16 : 32;
    typedef ssl__block<MODE, T, T / 32, M, N, D, 1, 1> S; /* own x other, a sum over d */
    typedef ssl__block<MODE, T, T / 32, M, D, N, 1, 0> O; /* own x d, a sum over the others */
    typedef typename S::elem elem;
    static const int LD = S::LDA, LDP = O::LDA, ROWS = MODE == SSL__F32 ? M / S::TY : 2; /* ROWS: that a thread has part in */
    static const int BYTES = (int)sizeof(elem) * ((BACK ? 2 * M + 2 * N : M + 2 * N) * LD + (MODE == SSL__F32 ? M * LDP : 0));
};
template <class G> static __device__ __forceinline__ int ssl__row_of(int e) { return G::MODE == SSL__F32 ? e / G::NV : e % 4 / 2; }
template <class G> static __device__ __forceinline__ int ssl__row_at(int r) /* the other way around, in the tile */
{
    int i, j;
    ssl__spot<G>(G::MODE == SSL__F32 ? r * G::NV : r * 2, &i, &j);
    return i;
}
template <int MODE> static __device__ __forceinline__ float ssl__row_max(float v) /* over the lanes that share a row */
{
    SSL__REPEAT for (int o = MODE == SSL__F32 ? 8 : 2; o; o >>= 1) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, o));
    return v;
}
template <int MODE> static __device__ __forceinline__ float ssl__row_sum(float v)
{
    SSL__REPEAT for (int o = MODE == SSL__F32 ? 8 : 2; o; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
    return v;
}
template <int MODE> static __device__ __forceinline__ float ssl__weight(float x) /* e^x; 0 for -inf. Precise to 2^-22 on the way to a rounded product */
{ return MODE != SSL__F32 ? ssl__exp2(x * 1.44269504f) : x == -INFINITY ? 0.0f : ssl__exp(x); }

/* R rows of a head from row r0 on, into shared memory; there after ssl__cp_async_wait<0> and a barrier. */
template <class F, int R> static __device__ __forceinline__ void ssl__head_load(const ssl__panel<float> *s, int r0, typename F::elem *to)
{
    const int T = F::T, C = F::D, STEP = 4 * 4 * T / C; /* rows that 4 fours a thread make */
    static_assert(C * STEP == 16 * T || R % (3 * 4 * T / C) == 0, "every thread has as many fours");
    const int ROWS = C * STEP == 16 * T ? SSL__MIN(STEP, R) : 3 * 4 * T / C;
    SSL__ROLLED for (int r = 0; r < R; r += ROWS) {
        if constexpr (F::MODE == SSL__BF16) {
            float4 v[ROWS * C / 4 / T];
            ssl__slab_take<T, ROWS, C>(s, r0 + r, 0, v);
            ssl__slab_put<T, ROWS, C, F::LD>(v, s->half, to + r * F::LD);
        } else ssl__slab_copy<T, ROWS, C, F::LD>(s, r0 + r, 0, to + r * F::LD);
    }
}
/* N rows that arrive while something is multiplied: by cp.async, or in registers where they are rounded and few enough; else finish loads them. */
template <class F> struct ssl__fetch {
    static const int FOURS = F::N * F::D / 4 / F::T, HELD = F::MODE == SSL__BF16 && FOURS <= 4;
    float4 v[HELD ? FOURS : 1];
    __device__ __forceinline__ void start(const ssl__panel<float> *s, int r0, typename F::elem *to)
    {
        if constexpr (F::MODE != SSL__BF16) ssl__head_load<F, F::N>(s, r0, to);
        else if constexpr (HELD) ssl__slab_take<F::T, F::N, F::D>(s, r0, 0, v);
    }
    __device__ __forceinline__ void finish(const ssl__panel<float> *s, int r0, typename F::elem *to)
    {
        if constexpr (HELD) ssl__slab_put<F::T, F::N, F::D, F::LD>(v, s->half, to);
        else if constexpr (F::MODE == SSL__BF16) ssl__head_load<F, F::N>(s, r0, to);
    }
};
static __device__ __forceinline__ ssl__panel<float> ssl__head_of(const float *p, int half, int b, int T, int stride, int h, int d)
{ return ssl__panel_of(ssl__element(p, half, (int64_t)b * T * stride + h * d), stride, T, d, half); }
/* o += s z: s [M, N] as the product before left it in registers, z [N, D]. Of TF32's eight of k, numbers 2 t and 2 t + 1 take the places t and t + 4
   in both operands; float32 goes through shared memory, where a row of p is written and read by one warp. */
template <class F> static __device__ __forceinline__ void ssl__product_own(float *o, const float *s, const typename F::elem *z, typename F::elem *p)
{
    const int lane = (int)threadIdx.x & 31, g = lane / 4, t = lane % 4;
    uint32_t a[4], b[4];
    (void)p; (void)g; (void)t; (void)a; (void)b;
    if constexpr (F::MODE == SSL__BF16) {
        SSL__REPEAT for (int k = 0; k < F::N; k += 16) {
            SSL__REPEAT for (int q = 0; q < 4; q++) a[q] = ssl__to_bf16x2(s[k / 2 + 2 * q], s[k / 2 + 2 * q + 1]);
            SSL__REPEAT for (int j = 0; j < F::D; j += 16) {
                ssl__ldmatrix_x4_trans(b, z + (k + (lane & 15)) * F::LD + j + lane / 16 * 8);
                ssl__mma_bf16(o + j / 2, a, b);
                ssl__mma_bf16(o + j / 2 + 4, a, b + 2);
            }
        }
    } else if constexpr (F::MODE == SSL__TF32) {
        SSL__REPEAT for (int k = 0; k < F::N; k += 8) {
            SSL__REPEAT for (int q = 0; q < 4; q++) a[q] = ssl__to_tf32(ssl__word(s[k / 2 + q % 2 * 2 + q / 2]));
            SSL__REPEAT for (int j = 0; j < F::D; j += 8) {
                SSL__REPEAT for (int q = 0; q < 2; q++) b[q] = ssl__to_tf32(ssl__word(z[(k + 2 * t + q) * F::LD + j + g]));
                ssl__mma_tf32(o + j / 2, a, b);
            }
        }
    } else {
        __syncwarp();
        SSL__REPEAT for (int e = 0; e < F::S::RESULTS; e++) {
            int i, j;
            ssl__spot<typename F::S>(e, &i, &j);
            p[i * F::LDP + j] = s[e];
        }
        __syncwarp();
        ssl__product<typename F::O>(o, p, F::LDP, z, F::LD, F::N);
    }
}
/* The score of query i and key j, -inf where it is blocked. */
static __device__ __forceinline__ float ssl__flash_score(const ssl__attn *a, int b, int i, int j, float dot)
{
    const int64_t at = (int64_t)i * a->Tk + j;
    if (i >= a->Tq || j >= a->Tk || (a->causal && j > i)) return -INFINITY;
    if (a->kind == SSL__MASK_ADD) return a->scale * dot + ((const float *)a->mask)[at];
    if (a->kind == SSL__MASK_SHARED && ((const uint8_t *)a->mask)[at]) return -INFINITY;
    if (a->kind == SSL__MASK_BATCH && ((const uint8_t *)a->mask)[(int64_t)b * a->Tq * a->Tk + at]) return -INFINITY;
    return a->scale * dot;
}

/* ---- boolean masks, 32 queries x 16 keys at a time: 1 something is open there, 2 something is blocked. Tiles that are blocked as a whole are
   not loaded, those that are open do without the mask. Read once for all heads. ---- */
enum { SSL__PATCH_Q = 32, SSL__PATCH_K = 16, SSL__OPEN = 1, SSL__BLOCKED = 2 };
typedef struct ssl__patches { const uint8_t *p; int down, across; } ssl__patches; /* p [masks][down][across], or NULL: nothing is known */
static __global__ void ssl__k_attn_patches(ssl__attn a, ssl__patches s, int64_t n, uint8_t *y)
{
    SSL__EACH_WARP(w, n) {
        const int j0 = (int)(w % s.across) * SSL__PATCH_K, i = (int)(w / s.across % s.down) * SSL__PATCH_Q + SSL__LANE, j1 = SSL__MIN(a.Tk, j0 + SSL__PATCH_K);
        const uint8_t *row = (const uint8_t *)a.mask + ((int64_t)(w / s.across / s.down) * a.Tq + i) * a.Tk;
        unsigned found = 0;
        for (int j = j0; j < j1 && i < a.Tq; j++) found |= row[j] ? SSL__BLOCKED : SSL__OPEN;
        const unsigned open = __ballot_sync(0xffffffffu, found & SSL__OPEN), blocked = __ballot_sync(0xffffffffu, found & SSL__BLOCKED);
        if (SSL__LANE == 0) y[w] = (uint8_t)((open ? SSL__OPEN : 0) | (blocked ? SSL__BLOCKED : 0));
    }
}
static __device__ __forceinline__ int ssl__patch_found(const ssl__attn *a, const ssl__patches *s, int b, int i0, int m, int j0, int n) /* of m queries x n keys; 0: not known */
{
    const int i1 = (SSL__MIN(i0 + m, a->Tq) - 1) / SSL__PATCH_Q, j1 = (SSL__MIN(j0 + n, a->Tk) - 1) / SSL__PATCH_K;
    int found = 0;
    for (int i = i0 / SSL__PATCH_Q; i <= i1 && s->p; i++)
        for (int j = j0 / SSL__PATCH_K; j <= j1; j++) found |= s->p[((int64_t)(a->kind == SSL__MASK_BATCH ? b : 0) * s->down + i) * s->across + j];
    return found;
}

/* Online softmax (Milakov and Gimelshein 2018): o = sum of exp(s - top) v, rescaled whenever top grows. v arrives behind the product with k, the
   next k behind the one with v. */
/* The first tile of keys after the one at j0 that queries from i0 on see, and what was found of it; `open` or more where there is none. */
template <class F> static __device__ __forceinline__ int ssl__flash_next(const ssl__attn *a, const ssl__patches *s, int b, int i0, int j0, int open, int *found)
{
    do j0 += F::N; while (j0 < open && (*found = ssl__patch_found(a, s, b, i0, F::M, j0, F::N)) == SSL__BLOCKED);
    return j0;
}
template <int MODE, int D> static __global__ void __launch_bounds__(ssl__flash<MODE, D, 0>::T, MODE == SSL__F32 || D > 64 ? 2 : 3) ssl__k_flash_f(ssl__attn a, ssl__patches patches, int tiles, float *y, float *lse)
{
    typedef ssl__flash<MODE, D, 0> F;
    typedef typename F::S S;
    typedef typename F::O O;
    SSL__DYNAMIC(shared);
    typename F::elem *const q = (typename F::elem *)shared, *const k = q + F::M * F::LD, *const v = k + F::N * F::LD, *const p = v + F::N * F::LD;
    const int bh = (int)blockIdx.x / tiles, i0 = (int)blockIdx.x % tiles * F::M, b = bh / a.H, h = bh % a.H;
    const int open = a.causal ? SSL__MIN(a.Tk, i0 + F::M) : a.Tk, width = (a.d + 15) / 16 * 16;
    const ssl__panel<float> pq = ssl__head_of(a.q, a.half_in, b, a.Tq, a.sq, h, a.d), pk = ssl__head_of(a.k, a.half_in, b, a.Tk, a.sk, h, a.d), pv = ssl__head_of(a.v, a.half_in, b, a.Tk, a.sv, h, a.d);
    float o[O::RESULTS] = { 0.0f }, top[F::ROWS], sum[F::ROWS] = { 0.0f };
    ssl__fetch<F> next_k, next_v;
    SSL__REPEAT for (int r = 0; r < F::ROWS; r++) top[r] = -INFINITY;
    ssl__head_load<F, F::M>(&pq, i0, q);
    int found = 0, j0 = -F::N, next = ssl__flash_next<F>(&a, &patches, b, i0, j0, open, &found);
    if (next < open) next_k.start(&pk, next, k);
    SSL__ROLLED while (next < open) {
        const int unmasked = a.kind == SSL__MASK_NONE || found == SSL__OPEN;
        float s[S::RESULTS] = { 0.0f }, most[F::ROWS], more[F::ROWS] = { 0.0f };
        j0 = next;
        next_k.finish(&pk, j0, k);
        ssl__cp_async_commit();
        ssl__cp_async_wait<0>();
        __syncthreads(); /* k is there; v was used by all */
        next_v.start(&pv, j0, v);
        ssl__product<S>(s, q, F::LD, k, F::LD, width);
        SSL__REPEAT for (int r = 0; r < F::ROWS; r++) most[r] = top[r];
        const int plain = unmasked && j0 + F::N <= a.Tk && (!a.causal || j0 + F::N <= i0 + 1);
        if (plain) SSL__REPEAT for (int e = 0; e < S::RESULTS; e++) s[e] *= a.scale;
        else SSL__REPEAT for (int e = 0; e < S::RESULTS; e++) {
            int i, j;
            ssl__spot<S>(e, &i, &j);
            s[e] = ssl__flash_score(&a, b, i0 + i, j0 + j, s[e]);
        }
        SSL__REPEAT for (int e = 0; e < S::RESULTS; e++) most[ssl__row_of<S>(e)] = fmaxf(most[ssl__row_of<S>(e)], s[e]);
        SSL__REPEAT for (int r = 0; r < F::ROWS; r++) {
            most[r] = ssl__row_max<MODE>(most[r]);
            const float from = most[r] == -INFINITY ? 0.0f : most[r], shrink = ssl__weight<MODE>(top[r] - from);
            sum[r] *= shrink;
            top[r] = most[r];
            SSL__REPEAT for (int e = 0; e < O::RESULTS; e++) if (ssl__row_of<O>(e) == r) o[e] *= shrink;
            most[r] = from;
        }
        SSL__REPEAT for (int e = 0; e < S::RESULTS; e++) {
            const int r = ssl__row_of<S>(e);
            s[e] = ssl__weight<MODE>(s[e] - most[r]);
            more[r] += s[e];
        }
        SSL__REPEAT for (int r = 0; r < F::ROWS; r++) sum[r] += ssl__row_sum<MODE>(more[r]);
        next_v.finish(&pv, j0, v);
        ssl__cp_async_commit();
        ssl__cp_async_wait<0>();
        __syncthreads(); /* v is there; k was used by all */
        next = ssl__flash_next<F>(&a, &patches, b, i0, j0, open, &found);
        if (next < open) next_k.start(&pk, next, k);
        ssl__product_own<F>(o, s, v, p);
    }
    SSL__REPEAT for (int e = 0; e < O::RESULTS; e++) {
        const int r = ssl__row_of<O>(e);
        int i, j;
        ssl__spot<O>(e, &i, &j);
        i += i0;
        if (i < a.Tq && j < a.d) ssl__number_put(y, a.half_out, ((int64_t)b * a.Tq + i) * a.H * a.d + h * a.d + j, sum[r] > 0.0f ? o[e] / sum[r] : 0.0f);
        if (i < a.Tq && j == 0) lse[(int64_t)bh * a.Tq + i] = sum[r] > 0.0f ? top[r] + logf(sum[r]) : 0.0f;
    }
}

/* p = exp(s - lse), ds = p (dy v^T - delta), delta = dy y^T of the query. */
typedef struct ssl__attn_grad { ssl__attn a; ssl__patches patches; const float *lse, *dy; float *delta; } ssl__attn_grad;
/* Queries: dq = beta dq + scale ds k. Keys: dk = beta dk + scale ds^T q and (or) dv = beta dv + p^T dy. dq or dk goes to d1, dv to d2. */
template <int MODE, int D, int KEYS, int FIRST, int SECOND>
static __global__ void __launch_bounds__(ssl__flash<MODE, D, 1>::T, 2) ssl__k_flash_b(ssl__attn_grad g, int tiles, float beta1, float *d1, float beta2, float *d2)
{
    typedef ssl__flash<MODE, D, 1> F;
    typedef typename F::S S;
    typedef typename F::O O;
    SSL__DYNAMIC(shared);
    typename F::elem *const x1 = (typename F::elem *)shared, *const x2 = x1 + F::M * F::LD, *const z1 = x2 + F::M * F::LD, *const z2 = z1 + F::N * F::LD,
                     *const p = z2 + F::N * F::LD;
    const ssl__attn &a = g.a;
    const int bh = (int)blockIdx.x / tiles, i0 = (int)blockIdx.x % tiles * F::M, b = bh / a.H, h = bh % a.H, own = KEYS ? a.Tk : a.Tq, others = KEYS ? a.Tq : a.Tk;
    const ssl__panel<float> q = ssl__head_of(a.q, a.half_in, b, a.Tq, a.sq, h, a.d), dy = ssl__head_of(g.dy, a.half_out, b, a.Tq, a.H * a.d, h, a.d);
    const ssl__panel<float> k = ssl__head_of(a.k, a.half_in, b, a.Tk, a.sk, h, a.d), v = ssl__head_of(a.v, a.half_in, b, a.Tk, a.sv, h, a.d);
    const int first = KEYS && a.causal ? i0 / F::N * F::N : 0, end = KEYS || !a.causal ? others : SSL__MIN(a.Tk, i0 + F::M), width = (a.d + 15) / 16 * 16;
    const float *const lse = g.lse + (int64_t)bh * a.Tq, *const delta = g.delta + (int64_t)bh * a.Tq;
    float o1[FIRST ? O::RESULTS : 1] = { 0.0f }, o2[SECOND ? O::RESULTS : 1] = { 0.0f };
    ssl__head_load<F, F::M>(KEYS ? &k : &q, i0, x1);
    ssl__head_load<F, F::M>(KEYS ? &v : &dy, i0, x2);
    SSL__ROLLED for (int j0 = first; j0 < end; j0 += F::N) {
        const int found = KEYS ? ssl__patch_found(&a, &g.patches, b, j0, F::N, i0, F::M) : ssl__patch_found(&a, &g.patches, b, i0, F::M, j0, F::N);
        if (found == SSL__BLOCKED) continue;
        float s[S::RESULTS] = { 0.0f }, dp[S::RESULTS] = { 0.0f };
        __syncthreads(); /* the tiles before were used by all */
        ssl__head_load<F, F::N>(KEYS ? &q : &k, j0, z1);
        ssl__head_load<F, F::N>(KEYS ? &dy : &v, j0, z2);
        ssl__cp_async_commit();
        ssl__cp_async_wait<0>();
        __syncthreads();
        ssl__product<S>(s, x1, F::LD, z1, F::LD, width);
        if (FIRST) ssl__product<S>(dp, x2, F::LD, z2, F::LD, width);
        const int plain = (a.kind == SSL__MASK_NONE || found == SSL__OPEN) && j0 + F::N <= others && i0 + F::M <= own && (!a.causal || (KEYS ? i0 + F::M <= j0 + 1 : j0 + F::N <= i0 + 1));
        SSL__REPEAT for (int e = 0; e < S::RESULTS; e++) {
            int i, j, query;
            ssl__spot<S>(e, &i, &j);
            query = KEYS ? j0 + j : i0 + i;
            s[e] = plain ? a.scale * s[e] : ssl__flash_score(&a, b, query, KEYS ? i0 + i : j0 + j, s[e]);
            s[e] = s[e] == -INFINITY ? 0.0f : ssl__weight<MODE>(s[e] - lse[query]);
            if (FIRST) dp[e] = s[e] == 0.0f ? 0.0f : s[e] * (dp[e] - delta[query]);
        }
        if (SECOND) ssl__product_own<F>(o2, s, z2, p);
        if (FIRST) ssl__product_own<F>(o1, dp, z1, p);
    }
    SSL__REPEAT for (int e = 0; e < O::RESULTS; e++) {
        int i, j;
        ssl__spot<O>(e, &i, &j);
        if (i0 + i >= own || j >= a.d) continue;
        const int64_t at = ((int64_t)b * own + i0 + i) * (KEYS ? a.sk : a.sq) + h * a.d + j, at2 = ((int64_t)b * own + i0 + i) * a.sv + h * a.d + j;
        if (FIRST && d1) ssl__number_put(d1, a.half_in, at, (beta1 != 0.0f ? ssl__number_at(d1, a.half_in, at) : 0.0f) + a.scale * o1[FIRST ? e : 0]);
        if (SECOND && d2) ssl__number_put(d2, a.half_in, at2, (beta2 != 0.0f ? ssl__number_at(d2, a.half_in, at2) : 0.0f) + o2[SECOND ? e : 0]);
    }
}
template <int MODE, int D> static void ssl__flash_forward(ssl_ctx *c, const ssl__attn *a, const ssl__patches *patches, float *y, float *lse)
{
    typedef ssl__flash<MODE, D, 0> F;
    const int tiles = (a->Tq + F::M - 1) / F::M;
    SSL__LAUNCH_SHARED(c, F::T, F::BYTES, "ssl__k_flash_f", (ssl__k_flash_f<MODE, D>), (unsigned)(a->B * a->H * tiles), *a, *patches, tiles, y, lse);
}
template <int MODE, int D> static void ssl__flash_backward(ssl_ctx *c, const ssl__attn_grad *g, const float beta[3], float *dq, float *dk, float *dv)
{
    typedef ssl__flash<MODE, D, 1> F;
    const int queries = (g->a.Tq + F::M - 1) / F::M, keys = (g->a.Tk + F::M - 1) / F::M;
    const unsigned q_grid = (unsigned)(g->a.B * g->a.H * queries), k_grid = (unsigned)(g->a.B * g->a.H * keys);
    if (dq) SSL__LAUNCH_SHARED(c, F::T, F::BYTES, "ssl__k_flash_b", (ssl__k_flash_b<MODE, D, 0, 1, 0>), q_grid, *g, queries, beta[0], dq, 0.0f, NULL);
    if constexpr (D <= 64) {
        if (dk || dv) SSL__LAUNCH_SHARED(c, F::T, F::BYTES, "ssl__k_flash_b", (ssl__k_flash_b<MODE, D, 1, 1, 1>), k_grid, *g, keys, beta[1], dk, beta[2], dv);
        return;
    } else { /* dk and dv of a wide head together would not fit into registers */
        if (dk) SSL__LAUNCH_SHARED(c, F::T, F::BYTES, "ssl__k_flash_b", (ssl__k_flash_b<MODE, D, 1, 1, 0>), k_grid, *g, keys, beta[1], dk, 0.0f, NULL);
        if (dv) SSL__LAUNCH_SHARED(c, F::T, F::BYTES, "ssl__k_flash_b", (ssl__k_flash_b<MODE, D, 1, 0, 1>), k_grid, *g, keys, 0.0f, NULL, beta[2], dv);
    }
}
} /* extern "C++" */

/* A warp for each row or score: what is rare. */
static __device__ float ssl__attn_dot(int d, const ssl__panel<float> &x, int i, const ssl__panel<float> &y, int j) /* row i of a head, row j of another */
{
    float s = 0.0f;
    for (int e = SSL__LANE; e < d; e += 32) s += ssl__number_at(x.p, x.half, (int64_t)i * x.ld + e) * ssl__number_at(y.p, y.half, (int64_t)j * y.ld + e);
    return ssl__warp_sum(s);
}
static __device__ float ssl__attn_score(const ssl__attn *a, int b, int h, int i, int j)
{
    const ssl__panel<float> q = ssl__head_of(a->q, a->half_in, b, a->Tq, a->sq, h, a->d), k = ssl__head_of(a->k, a->half_in, b, a->Tk, a->sk, h, a->d);
    return ssl__flash_score(a, b, i, j, ssl__attn_dot(a->d, q, i, k, j));
}
static __global__ void ssl__k_attn_p(ssl__attn a, float *p)
{
    SSL__EACH_WARP(w, (int64_t)a.B * a.H * a.Tq) {
        const int i = (int)(w % a.Tq), h = (int)(w / a.Tq % a.H), b = (int)(w / a.Tq / a.H);
        float top = -INFINITY, sum = 0.0f;
        for (int j = 0; j < a.Tk; j++) top = fmaxf(top, ssl__attn_score(&a, b, h, i, j));
        if (top == -INFINITY) top = 0.0f;
        for (int j = 0; j < a.Tk; j++) sum += ssl__exp(ssl__attn_score(&a, b, h, i, j) - top);
        for (int j = 0; j < a.Tk; j++) {
            const float s = ssl__attn_score(&a, b, h, i, j);
            if (SSL__LANE == 0) p[w * a.Tk + j] = sum > 0.0f ? ssl__exp(s - top) / sum : 0.0f;
        }
    }
}
static void ssl__cuda_attn_p(ssl_ctx *c, const ssl__attn *a, float *p)
{ SSL__LAUNCH(c, ssl__k_attn_p, ssl__grid_warps((int64_t)a->B * a->H * a->Tq), *a, p); }
static __global__ void ssl__k_attn_delta(ssl__attn_grad g, const float *y)
{
    const ssl__attn *a = &g.a;
    SSL__EACH_WARP(w, (int64_t)a->B * a->H * a->Tq) {
        const int i = (int)(w % a->Tq), h = (int)(w / a->Tq % a->H), b = (int)(w / a->Tq / a->H), sy = a->H * a->d;
        const float delta = ssl__attn_dot(a->d, ssl__head_of(g.dy, a->half_out, b, a->Tq, sy, h, a->d), i, ssl__head_of(y, a->half_out, b, a->Tq, sy, h, a->d), i);
        if (SSL__LANE == 0) g.delta[w] = delta;
    }
}
static __global__ void ssl__k_attn_dmask(ssl__attn_grad g, float *dmask)
{
    const ssl__attn *a = &g.a;
    SSL__EACH_WARP(w, (int64_t)a->Tq * a->Tk) {
        const int i = (int)(w / a->Tk), j = (int)(w % a->Tk);
        float sum = 0.0f;
        for (int bh = 0; bh < a->B * a->H; bh++) {
            const int b = bh / a->H, h = bh % a->H;
            const float p = ssl__exp(ssl__attn_score(a, b, h, i, j) - g.lse[(int64_t)bh * a->Tq + i]);
            const float dp = ssl__attn_dot(a->d, ssl__head_of(g.dy, a->half_out, b, a->Tq, a->H * a->d, h, a->d), i, ssl__head_of(a->v, a->half_in, b, a->Tk, a->sv, h, a->d), j);
            sum += p * (dp - g.delta[(int64_t)bh * a->Tq + i]);
        }
        if (SSL__LANE == 0) dmask[w] += sum;
    }
}

#define SSL__FLASH_HEAD(mode, d, call, ...) /* the instance for heads of d elements */                           \
    do {                                                                                                       \
        if ((d) <= 32) call<mode, 32>(__VA_ARGS__);                                                            \
        else if ((d) <= 64) call<mode, 64>(__VA_ARGS__);                                                       \
        else if ((d) <= 96) call<mode, 96>(__VA_ARGS__);                                                       \
        else if ((d) <= 128) call<mode, 128>(__VA_ARGS__);                                                     \
        else call<mode, 256>(__VA_ARGS__);                                                                     \
    } while (0)
#define SSL__FLASH(mode, d, call, ...) /* and for this precision; 16 threads share a row of float32, 4 elements each */ \
    do {                                                                                                       \
        if (mode == SSL__BF16) SSL__FLASH_HEAD(SSL__BF16, d, call, __VA_ARGS__);                               \
        else if (mode == SSL__TF32) SSL__FLASH_HEAD(SSL__TF32, d, call, __VA_ARGS__);                          \
        else if ((d) <= 64) call<SSL__F32, 64>(__VA_ARGS__);                                                   \
        else if ((d) <= 128) call<SSL__F32, 128>(__VA_ARGS__);                                                 \
        else call<SSL__F32, 256>(__VA_ARGS__);                                                                 \
    } while (0)
/* Work memory of `bytes`, and behind it the patches of a boolean mask that has more keys than a tile; NULL after an error. */
static void *ssl__attn_work(ssl_ctx *c, const ssl__attn *a, size_t bytes, ssl__patches *s)
{
    const int known = (a->kind == SSL__MASK_SHARED || a->kind == SSL__MASK_BATCH) && a->Tk > 2 * SSL__PATCH_K;
    int64_t n;
    uint8_t *work;
    s->p = NULL;
    s->down = (a->Tq + SSL__PATCH_Q - 1) / SSL__PATCH_Q;
    s->across = (a->Tk + SSL__PATCH_K - 1) / SSL__PATCH_K;
    n = known ? (int64_t)(a->kind == SSL__MASK_BATCH ? a->B : 1) * s->down * s->across : 0;
    work = bytes || n ? (uint8_t *)ssl__cuda_work(c, bytes + (size_t)n) : NULL;
    if (!work || !n) return work;
    SSL__LAUNCH(c, ssl__k_attn_patches, ssl__grid_warps(n), *a, *s, n, work + bytes);
    s->p = work + bytes;
    return work;
}
static void ssl__cuda_attn_f(ssl_ctx *c, const ssl__attn *a, float *y, float *lse)
{
    const int mode = ssl__cuda_mode(c);
    ssl__patches patches;
    if (a->d > 256) { ssl__fail(c, SSL_E_ARG, c->at, "ssl_attention: heads of %d elements: at most 256 on CUDA", a->d); return; }
    ssl__attn_work(c, a, 0, &patches);
    SSL__FLASH(mode, a->d, ssl__flash_forward, c, a, &patches, y, lse);
}
static void ssl__cuda_attn_b(ssl_ctx *c, const ssl__attn *a, const float *y, const float *lse, const float *dy, const float beta[3],
                             float *dq, float *dk, float *dv, float *dmask)
{
    const int mode = ssl__cuda_mode(c);
    ssl__attn_grad g;
    g.a = *a; g.lse = lse; g.dy = dy;
    g.delta = (float *)ssl__attn_work(c, a, sizeof(float) * (size_t)a->B * (size_t)a->H * (size_t)a->Tq, &g.patches);
    if (!g.delta) return;
    SSL__LAUNCH(c, ssl__k_attn_delta, ssl__grid_warps((int64_t)a->B * a->H * a->Tq), g, y);
    SSL__FLASH(mode, a->d, ssl__flash_backward, c, &g, beta, dq, dk, dv);
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

/* ==== >>conv ==== matrix products over images with the channels last, gathered while they are staged: nothing is unfolded in memory.
 * Half maps lie so and are read in place. Planes are first copied [pixel, group, channel], the channels of a group padded to whole 16 bytes and rounded to
 * bf16 where the product is, which costs 8 B a value (bf16: 6); weights likewise [row, tap, channel]. Now k runs over (tap, channel), both operands lie
 * along it, and every 16 bytes of the gather come from one tap at one pixel:
 *   forward: y [o, position] = w [o, (tap, c)] x [position, (tap, c)]
 *   dx: the same product of dy, a stride's phase at a time (ssl__lane): no tap that a phase does not meet is multiplied
 *   dw [o, (tap, c)] = dy [position, o]^T x [position, (tap, c)], positions cut into slices that are added in order */
/* Output o of a window reads input i through tap r: i = o stride + r dilation - padding. -1: none does. */
static __device__ int ssl__window_output(int i, int r, int stride, int dilation, int padding, int outputs)
{
    const int t = i + padding - r * dilation;
    return t >= 0 && t % stride == 0 && t / stride < outputs ? t / stride : -1;
}
typedef struct ssl__tile_sums { float first, sum, square; } ssl__tile_sums; /* of a channel at the positions of a tile: a value, sum and squares of the others less that */
extern "C++" {
/* Positions (image, i, j) see the pixels i istep + d0 + t dstep of rows and columns through taps t. */
typedef struct ssl__conv {
    ssl__lane r, s;                      /* rows, columns */
    ssl__divisor image, row, cell, line; /* positions of an image and of a row; padded channels of a tap; taps of a row */
    int groups, m, n, k, k_slice, slices, tiles_n;
    int ch, kw, area, turned;            /* channels of a group in the images that are gathered; the window's width and taps; dx: weights [ch, row] */
    int half, relu;                      /* y is a half map, to which res, another, may be added, and which may then pass a ReLU */
    const float *bias, *res;
    float beta, *part, *y;
    ssl__tile_sums *sums;                    /* [m][tiles_n], where the moments of a half map y are asked for */
} ssl__conv;

/* ---- planes to channels last and back: a lane has 16 bytes of channels at one of its warp's 32 pixels, so reads (writes) run along planes ---- */
static __device__ __forceinline__ void ssl__put16(float *p, const float v[4], int add)
{
    float4 f = { v[0], v[1], v[2], v[3] };
    if (add) { const float4 old = *(const float4 *)p; f.x += old.x; f.y += old.y; f.z += old.z; f.w += old.w; }
    *(float4 *)p = f;
}
static __device__ __forceinline__ void ssl__put16(uint16_t *p, const float v[8], int add) { ssl__eight_put(p, v, add); }
typedef struct ssl__turn { int pixels, groups, ch, padded; ssl__divisor plane; } ssl__turn; /* [n, groups, ch, plane] and [pixel, groups, padded] */
template <int IN, class F> static __device__ __forceinline__ void ssl__each_turned(const ssl__turn *t, F f) /* f(place in planes, IN channels from which one, place channels last) */
{
    const int cell = t->padded / IN, steps = t->groups * cell;
    SSL__EACH_WARP(e, (int64_t)((t->pixels + 31) / 32) * steps) {
        const int step = (int)(e % steps), p = (int)(e / steps) * 32 + SSL__LANE, group = step / cell, c = step % cell * IN;
        int in;
        const int n = ssl__over(p, &t->plane, &in);
        if (p < t->pixels) f(((int64_t)(n * t->groups + group) * t->ch + c) * t->plane.d + in, c, ((int64_t)p * t->groups + group) * t->padded + c);
    }
}
template <class E> static __global__ void ssl__k_channels_last(ssl__turn t, int add, const float *x, E *y)
{
    const int IN = 16 / (int)sizeof(E);
    ssl__each_turned<IN>(&t, [&](int64_t from, int c, int64_t to) {
        float v[IN];
        SSL__REPEAT for (int q = 0; q < IN; q++) v[q] = c + q < t.ch ? x[from + (int64_t)q * t.plane.d] : 0.0f;
        ssl__put16(y + to, v, add);
    });
}
static __global__ void ssl__k_planes(ssl__turn t, int add, const uint16_t *x, float *y)
{
    ssl__each_turned<8>(&t, [&](int64_t to, int, int64_t from) {
        float v[8];
        ssl__eight(x + from, v);
        SSL__REPEAT for (int q = 0; q < 8; q++) y[to + (int64_t)q * t.plane.d] = add ? y[to + (int64_t)q * t.plane.d] + v[q] : v[q];
    });
}
static ssl__turn ssl__turn_of(int n, int groups, int ch, int padded, int plane) { const ssl__turn t = { n * plane, groups, ch, padded, ssl__divisor_of(plane) }; return t; }
static unsigned ssl__turn_grid(const ssl__turn *t, int in) { return ssl__grid_warps((int64_t)((t->pixels + 31) / 32) * t->groups * (t->padded / in)); }
template <class E> static __global__ void ssl__k_conv_taps(ssl__conv t, int64_t n, const float *w, E *y) /* w [o, c, kh, kw] to [group, row, tap, channel] */
{
    SSL__EACH(e, n) {
        const int ch = (int)(e % t.cell.d), tap = (int)(e / t.cell.d % (t.k / t.cell.d)), row = (int)(e / t.k % t.m), group = (int)(e / t.k / t.m);
        const int o = group * (t.turned ? t.ch : t.m) + (t.turned ? ch : row), c = t.turned ? row : ch, width = t.turned ? t.m : t.ch;
        const int at = (t.r.t0 + tap / t.line.d * t.r.tstep) * t.kw + t.s.t0 + tap % t.line.d * t.s.tstep;
        ssl__keep(ch < t.ch ? w[((int64_t)o * width + c) * t.area + at] : 0.0f, y + e);
    }
}

/* What positions see through the taps: row q, column (tap, channel). FIXED > 0: copies of a thread whose rows stay the same from slab to slab. */
typedef struct ssl__place { int at, i, j; } ssl__place; /* the pixel under tap 0, which may lie outside of the image */
template <class E, int FIXED> struct ssl__seen {
    typedef E elem;
    const ssl__conv *t;
    const E *p;
    int rows, cols;
    ssl__place fixed[FIXED ? FIXED : 1];
    __device__ __forceinline__ ssl__place place(int q) const
    {
        ssl__place a;
        int i, j;
        const int n = ssl__over(q, &t->image, &i);
        i = ssl__over(i, &t->row, &j);
        a.i = i * t->r.istep + t->r.d0;
        a.j = j * t->s.istep + t->s.d0;
        a.at = (n * t->r.in + a.i) * t->s.in + a.j;
        if (q >= rows) a.i = -(1 << 30); /* where no tap reaches an image */
        return a;
    }
};
template <class E, int FIXED> static __device__ __forceinline__ void ssl__copy16(const ssl__seen<E, FIXED> *s, int e, int q, int c, E *to)
{
    const ssl__conv *const t = s->t;
    const ssl__place a = FIXED ? s->fixed[FIXED ? e : 0] : s->place(q);
    int channel, column;
    const int row = ssl__over(ssl__over(c, &t->cell, &channel), &t->line, &column) * t->r.dstep;
    column *= t->s.dstep;
    const int inside = c < s->cols && (unsigned)(a.i + row) < (unsigned)t->r.in && (unsigned)(a.j + column) < (unsigned)t->s.in;
    ssl__cp_async16(to, inside ? s->p + (int64_t)(a.at + row * t->s.in + column) * (t->groups * t->cell.d) + channel : s->p, inside ? 16 : 0);
}

static __device__ __forceinline__ int ssl__conv_place(const ssl__conv *t, int q, int *n) /* of position q in the plane of its image */
{
    int i, j;
    *n = ssl__over(q, &t->image, &i);
    i = ssl__over(i, &t->row, &j);
    return (t->r.o0 + i * t->r.ostep) * t->s.out + t->s.o0 + j * t->s.ostep;
}

template <int MODE, int M, int N, int AK> struct ssl__conv_block : ssl__block<MODE, SSL__THREADS, 2, M, N, MODE == SSL__BF16 ? 32 : 16, AK, AK> {};
/* Moments of 64 channels from o on at the tile's positions from j0 on: a thread has a channel and every fourth position. */
template <class G> static __device__ __forceinline__ void ssl__conv_sums(const ssl__conv *t, int o, int j0, const float *v, int ld)
{
    __shared__ float part[2][G::T];
    const int row = (int)threadIdx.x % 64, end = SSL__MIN(G::N, t->n - j0);
    const float first = ssl__as_bf16(v[row]);
    float s = 0.0f, q = 0.0f;
    SSL__ROLLED for (int j = (int)threadIdx.x / 64; j < end; j += G::T / 64) {
        const float d = ssl__as_bf16(v[j * ld + row]) - first;
        s += d;
        q += d * d;
    }
    part[0][threadIdx.x] = s;
    part[1][threadIdx.x] = q;
    __syncthreads();
    if ((int)threadIdx.x >= 64 || o + row >= t->m) return;
    for (int k = row + 64; k < G::T; k += 64) { s += part[0][k]; q += part[1][k]; }
    const ssl__tile_sums all = { first, s, q };
    t->sums[(int64_t)(o + row) * t->tiles_n + j0 / G::N] = all;
}
/* Forward and dx. Of a slab of 128 x 32 a thread copies 2 x 16 bytes of each operand and does one pair of multiplications for the tap. */
template <int MODE, int M, int N> static __global__ void __launch_bounds__(SSL__THREADS, MODE == SSL__F32 ? 1 : 2) ssl__k_conv(ssl__conv t, const typename ssl__elem<MODE>::type *w, const typename ssl__elem<MODE>::type *x)
{
    typedef ssl__conv_block<MODE, M, N, 1> G;
    typedef typename G::elem E;
    const int COPIES = G::N * G::SLAB / (16 / (int)sizeof(E)) / G::T, ROW = G::SLAB / (16 / (int)sizeof(E));
    SSL__DYNAMIC(shared);
    const int i0 = (int)blockIdx.x / t.tiles_n * M, j0 = (int)blockIdx.x % t.tiles_n * N, group = (int)blockIdx.y, plane = t.r.out * t.s.out;
    float acc[G::RESULTS] = { 0.0f };
    ssl__panel<E> a;
    ssl__seen<E, COPIES> b;
    a.p = w + (int64_t)group * t.m * t.k; a.ld = t.k; a.rows = t.m; a.cols = t.k; a.whole = 1;
    b.t = &t; b.p = x + group * t.cell.d; b.rows = t.n; b.cols = t.k;
    SSL__REPEAT for (int e = 0; e < COPIES; e++) b.fixed[e] = b.place(j0 + (e * G::T + (int)threadIdx.x) / ROW);
    ssl__accumulate<G>(acc, &a, &b, i0, j0, 0, t.k, shared);
    if constexpr (MODE == SSL__BF16) if (t.half) {
        ssl__each_eight<G>(acc, shared, [&](int o, int q, float v[8]) {
            int n, in;
            o += i0;
            q += j0;
            if (o >= t.m || q >= t.n) return;
            in = ssl__conv_place(&t, q, &n);
            const int64_t at = (int64_t)(n * plane + in) * t.m + o;
            if (t.bias) SSL__REPEAT for (int k = 0; k < 8; k++) v[k] += t.bias[o + k];
            if (t.res) {
                float r[8];
                ssl__eight((const uint16_t *)(const void *)t.res + at, r);
                SSL__REPEAT for (int k = 0; k < 8; k++) v[k] += r[k];
            }
            if (t.relu) SSL__REPEAT for (int k = 0; k < 8; k++) if (v[k] < 0.0f) v[k] = 0.0f;
            ssl__eight_put((uint16_t *)(void *)t.y + at, v, t.beta != 0.0f);
        },
        [&](int o, const float *v, int ld) { if (t.sums) ssl__conv_sums<G>(&t, i0 + o, j0, v, ld); });
        return;
    }
    int n;
    const int q = j0 + ssl__own_column<G>(), in = ssl__conv_place(&t, q, &n);
    float *const y = t.y + ((int64_t)n * t.groups + group) * t.m * plane + in;
    ssl__each_result<G, G::STAGED>(acc, shared, [&](int o, int, float s) {
        o += i0;
        if (o >= t.m || q >= t.n) return;
        if (t.bias) s += t.bias[group * t.m + o];
        y[(int64_t)o * plane] = t.beta != 0.0f ? y[(int64_t)o * plane] + s : s;
    });
}
static __device__ __forceinline__ void ssl__conv_weight(const ssl__conv *t, int row, int column, float s) /* row of all groups */
{
    int c;
    const int tap = ssl__over(column, &t->cell, &c);
    if (c < t->ch) t->y[((int64_t)row * t->ch + c) * t->area + tap] += s;
}
template <int MODE, int M, int N> static __global__ void __launch_bounds__(SSL__THREADS, MODE == SSL__F32 ? 1 : 2) ssl__k_conv_w(ssl__conv t, const typename ssl__elem<MODE>::type *dy, const typename ssl__elem<MODE>::type *x)
{
    typedef ssl__conv_block<MODE, M, N, 0> G;
    typedef typename G::elem E;
    SSL__DYNAMIC(shared);
    const int i0 = (int)blockIdx.x / t.tiles_n * M, j0 = (int)blockIdx.x % t.tiles_n * N, group = (int)blockIdx.y / t.slices, slice = (int)blockIdx.y % t.slices;
    const int k0 = slice * t.k_slice, k1 = SSL__MIN(t.k, k0 + t.k_slice), padded = (t.m * (int)sizeof(E) + 15) / 16 * 16 / (int)sizeof(E);
    float acc[G::RESULTS] = { 0.0f };
    ssl__panel<E> a;
    ssl__seen<E, 0> b;
    a.p = dy + group * padded; a.ld = t.groups * padded; a.rows = k1; a.cols = padded; a.whole = 1;
    b.t = &t; b.p = x + group * t.cell.d; b.rows = k1; b.cols = t.n;
    ssl__accumulate<G>(acc, &a, &b, i0, j0, k0, k1, shared);
    ssl__each_result<G, G::STAGED>(acc, shared, [&](int o, int j, float s) {
        o += i0;
        j += j0;
        if (o >= t.m || j >= t.n) return;
        if (t.part) t.part[(((int64_t)slice * t.groups + group) * t.m + o) * t.n + j] = s;
        else ssl__conv_weight(&t, group * t.m + o, j, s);
    });
}
static __global__ void ssl__k_conv_total(ssl__conv t)
{
    const int64_t n = (int64_t)t.groups * t.m * t.n;
    SSL__EACH(e, n) {
        float s = t.part[e];
        for (int q = 1; q < t.slices; q++) s += t.part[q * n + e];
        ssl__conv_weight(&t, (int)(e / t.n), (int)(e % t.n), s);
    }
}

/* mean and variance of a channel from those of its tiles of N positions, of n; all less the first value */
static __global__ void ssl__k_conv_moments(ssl__conv t, int N, float *mean, float *var)
{
    const ssl__tile_sums *const tile = t.sums + (int64_t)blockIdx.x * t.tiles_n;
    const double first = (double)tile->first, n = (double)t.n;
    double s = 0.0, q = 0.0;
    for (int i = (int)threadIdx.x; i < t.tiles_n; i += SSL__THREADS) {
        const double d = (double)tile[i].first - first, own = (double)SSL__MIN(N, t.n - i * N);
        s += (double)tile[i].sum + own * d;
        q += (double)tile[i].square + 2.0 * d * (double)tile[i].sum + own * d * d;
    }
    s = ssl__block_sum(s) / n;
    q = ssl__block_sum(q) / n - s * s;
    if (threadIdx.x) return;
    mean[blockIdx.x] = (float)(first + s);
    var[blockIdx.x] = (float)(q > 0.0 ? q : 0.0);
}
template <int MODE> static int ssl__conv_padded(int channels) /* to 16 bytes */
{ const int in = 16 / (int)sizeof(typename ssl__elem<MODE>::type); return (channels + in - 1) / in * in; }
static void ssl__conv_lanes(ssl__conv *t, const ssl__window *g, ssl__lane r, ssl__lane s, int cell)
{
    t->r = r; t->s = s;
    t->groups = g->groups; t->kw = g->kw; t->area = g->kh * g->kw;
    t->image = ssl__divisor_of(SSL__MAX(r.n * s.n, 1)); t->row = ssl__divisor_of(SSL__MAX(s.n, 1));
    t->cell = ssl__divisor_of(cell); t->line = ssl__divisor_of(SSL__MAX(s.taps, 1));
}
static int64_t ssl__conv_tiles(ssl__conv *t, int M, int N) { t->tiles_n = (t->n + N - 1) / N; return (int64_t)((t->m + M - 1) / M) * t->tiles_n; }

template <int MODE, int M, int N> static void ssl__conv_launch(ssl_ctx *c, ssl__conv *t, const typename ssl__elem<MODE>::type *w, const typename ssl__elem<MODE>::type *x)
{
    const dim3 grid((unsigned)ssl__conv_tiles(t, M, N), (unsigned)t->groups);
    SSL__LAUNCH_SHARED(c, SSL__THREADS, (ssl__conv_block<MODE, M, N, 1>::STAGED), "ssl__k_conv", (ssl__k_conv<MODE, M, N>), grid, *t, w, x);
}
template <int MODE> static size_t ssl__conv_pixels(const ssl__window *g, int outputs) /* elements of the copy that the images, or the outputs, need */
{
    if (g->half & (outputs ? SSL__HALF_Y : SSL__HALF_X)) return 0;
    return (size_t)g->n * (size_t)(outputs ? g->oh * g->ow : g->h * g->w) * (size_t)g->groups * (size_t)ssl__conv_padded<MODE>((outputs ? g->co : g->ci) / g->groups);
}
/* Images, or outputs, with their channels last: as they are, or a copy, for which the caller has room. */
template <int MODE> static const typename ssl__elem<MODE>::type *ssl__conv_last(ssl_ctx *c, const ssl__window *g, int outputs, const float *x, typename ssl__elem<MODE>::type *room)
{
    typedef typename ssl__elem<MODE>::type E;
    const int ch = (outputs ? g->co : g->ci) / g->groups;
    const ssl__turn t = ssl__turn_of(g->n, g->groups, ch, ssl__conv_padded<MODE>(ch), outputs ? g->oh * g->ow : g->h * g->w);
    if (!ssl__conv_pixels<MODE>(g, outputs)) return (const E *)(const void *)x;
    SSL__LAUNCH(c, ssl__k_channels_last<E>, ssl__turn_grid(&t, 16 / (int)sizeof(E)), t, 0, x, room);
    return room;
}
template <int MODE> static size_t ssl__conv_taps(const ssl__window *g, int back) /* elements of a copy of the weights */
{ return (size_t)g->kh * (size_t)g->kw * (size_t)(back ? g->ci : g->co) * (size_t)ssl__conv_padded<MODE>((back ? g->co : g->ci) / g->groups); }
/* y = beta y + bias + w x, or with back dx = beta dx + w^T dy. xs: x (dy) with its channels last, ws: room for a copy of w */
template <int MODE> static void ssl__conv_images(ssl_ctx *c, const ssl__window *g, int back, const typename ssl__elem<MODE>::type *xs, typename ssl__elem<MODE>::type *ws,
                                                 const float *w, const float *bias, float beta, float *y, ssl__tile_sums *sums)
{
    typedef typename ssl__elem<MODE>::type E;
    const int cig = g->ci / g->groups, cog = g->co / g->groups, units = ((ssl__cuda *)c->gpu)->units, rows = back ? g->sh : 1, columns = back ? g->sw : 1;
    const int cell = ssl__conv_padded<MODE>(back ? cog : cig);
    const E *taps = MODE == SSL__BF16 && !back && g->kh * g->kw == 1 && cell == cig ? (const E *)(const void *)ssl__cuda_narrow(c, w) : NULL; /* a parameter in its order */
    ssl__conv t;
    if (!taps) taps = ws;
    memset(&t, 0, sizeof t);
    t.m = back ? cig : cog; t.ch = back ? cog : cig; t.turned = back; t.bias = bias; t.beta = beta; t.y = y; t.half = (g->half & (back ? SSL__HALF_X : SSL__HALF_Y)) != 0;
    if (!back) { t.relu = g->relu; t.res = g->res; t.sums = sums; }
    for (int phase = 0; phase < rows * columns; phase++) {
        ssl__conv_lanes(&t, g, back ? ssl__lane_b(g->h, g->oh, g->kh, g->sh, g->ph, g->dh, phase / columns) : ssl__lane_f(g->h, g->oh, g->kh, g->sh, g->ph, g->dh),
                        back ? ssl__lane_b(g->w, g->ow, g->kw, g->sw, g->pw, g->dw, phase % columns) : ssl__lane_f(g->w, g->ow, g->kw, g->sw, g->pw, g->dw), cell);
        t.n = g->n * t.r.n * t.s.n;
        t.k = t.r.taps * t.s.taps * cell;
        if (t.n == 0) continue;
        if (t.k && taps == ws) SSL__LAUNCH(c, (ssl__k_conv_taps<E>), ssl__grid((int64_t)t.groups * t.m * t.k), t, (int64_t)t.groups * t.m * t.k, w, ws);
        if (t.m > 64 && ssl__conv_tiles(&t, 128, 128) * t.groups >= units) ssl__conv_launch<MODE, 128, 128>(c, &t, taps, xs);
        else if (t.m <= 64 && ssl__conv_tiles(&t, 64, 128) * t.groups >= units) ssl__conv_launch<MODE, 64, 128>(c, &t, taps, xs);
        else ssl__conv_launch<MODE, 64, 64>(c, &t, taps, xs);
    }
    if (!t.sums) return;
    SSL__LAUNCH(c, ssl__k_conv_moments, (unsigned)t.m, t, t.tiles_n == (t.n + 127) / 128 ? 128 : 64, g->moments->mean, g->moments->var);
    g->moments->made = 1;
}
template <int MODE, int M, int N> static void ssl__conv_launch_w(ssl_ctx *c, ssl__conv *t, const typename ssl__elem<MODE>::type *dy, const typename ssl__elem<MODE>::type *x)
{
    const dim3 grid((unsigned)ssl__conv_tiles(t, M, N), (unsigned)(t->groups * t->slices));
    SSL__LAUNCH_SHARED(c, SSL__THREADS, (ssl__conv_block<MODE, M, N, 0>::STAGED), "ssl__k_conv_w", (ssl__k_conv_w<MODE, M, N>), grid, *t, dy, x);
}
/* What dw += dy^T x needs, and the tiles that it takes */
template <int MODE> static ssl__conv ssl__conv_weights_of(ssl_ctx *c, const ssl__window *g, float *dw, int *M, int *N)
{
    const int cell = ssl__conv_padded<MODE>(g->ci / g->groups), units = ((ssl__cuda *)c->gpu)->units;
    ssl__conv t;
    int64_t tiles;
    memset(&t, 0, sizeof t);
    ssl__conv_lanes(&t, g, ssl__lane_f(g->h, g->oh, g->kh, g->sh, g->ph, g->dh), ssl__lane_f(g->w, g->ow, g->kw, g->sw, g->pw, g->dw), cell);
    t.m = g->co / g->groups; t.ch = g->ci / g->groups; t.n = g->kh * g->kw * cell; t.k = t.k_slice = g->n * g->oh * g->ow; t.slices = 1; t.y = dw;
    *N = t.n > 64 ? 128 : 64;
    *M = *N > 64 && t.m > 64 ? 128 : 64;
    tiles = ssl__conv_tiles(&t, *M, *N) * t.groups;
    if (tiles <= units && t.k >= 512) { /* few weights, many positions: 2 blocks and more for every multiprocessor */
        t.k_slice = (t.k / SSL__MIN((int)(2 * units / tiles), t.k / 256) + 31) / 32 * 32;
        t.slices = (t.k + t.k_slice - 1) / t.k_slice;
    }
    return t;
}
template <int MODE> static void ssl__conv_forward(ssl_ctx *c, const ssl__window *g, const float *x, const float *w, const float *bias, float *y)
{
    typedef typename ssl__elem<MODE>::type E;
    const size_t images = ssl__conv_pixels<MODE>(g, 0), both = sizeof(E) * (images + ssl__conv_taps<MODE>(g, 0)); /* whole 16 bytes */
    const int sums = g->half & SSL__HALF_Y && g->moments && !bias && !g->res && !g->relu;
    char *work = (char *)ssl__cuda_work(c, both + (sums ? sizeof(ssl__tile_sums) * (size_t)g->co * (((size_t)g->n * (size_t)(g->oh * g->ow) + 63) / 64) : 0));
    E *xs = (E *)(void *)work;
    if (work) ssl__conv_images<MODE>(c, g, 0, ssl__conv_last<MODE>(c, g, 0, x, xs), xs + images, w, bias, 0.0f, y, sums ? (ssl__tile_sums *)(void *)(work + both) : NULL);
}
/* Both gradients, from one copy of dy where it needs one; dx and dw may be NULL. */
template <int MODE> static void ssl__conv_back(ssl_ctx *c, const ssl__window *g, const float *x, const float *w, const float *dy, float beta, float *dx, float *dw)
{
    typedef typename ssl__elem<MODE>::type E;
    int M, N;
    ssl__conv t = ssl__conv_weights_of<MODE>(c, g, dw, &M, &N);
    const size_t part = sizeof(float) * (((size_t)(t.slices * t.groups * t.m) * (size_t)t.n + 3) / 4 * 4), copy = sizeof(E) * ssl__conv_pixels<MODE>(g, 1);
    const size_t for_dx = dx ? sizeof(E) * ssl__conv_taps<MODE>(g, 1) : 0, for_dw = dw ? part + sizeof(E) * ssl__conv_pixels<MODE>(g, 0) : 0;
    char *work = (char *)ssl__cuda_work(c, copy + SSL__MAX(for_dx, for_dw));
    const E *ys, *xs;
    if (!work) return;
    ys = ssl__conv_last<MODE>(c, g, 1, dy, (E *)(void *)work);
    if (dx) ssl__conv_images<MODE>(c, g, 1, ys, (E *)(void *)(work + copy), w, NULL, beta, dx, NULL);
    if (!dw) return;
    t.part = t.slices > 1 ? (float *)(void *)(work + copy) : NULL;
    xs = ssl__conv_last<MODE>(c, g, 0, x, (E *)(void *)(work + copy + part));
    if (M == 128) ssl__conv_launch_w<MODE, 128, 128>(c, &t, ys, xs);
    else if (N == 128) ssl__conv_launch_w<MODE, 64, 128>(c, &t, ys, xs);
    else ssl__conv_launch_w<MODE, 64, 64>(c, &t, ys, xs);
    if (t.part) SSL__LAUNCH(c, ssl__k_conv_total, ssl__grid((int64_t)t.groups * t.m * t.n), t);
}
} /* extern "C++" */
#define SSL__CONV(c, call, ...) /* for this precision */                                                        \
    do {                                                                                                       \
        const int mode = ssl__cuda_mode(c);                                                                    \
        if (mode == SSL__BF16) call<SSL__BF16>(c, __VA_ARGS__);                                                \
        else if (mode == SSL__TF32) call<SSL__TF32>(c, __VA_ARGS__);                                           \
        else call<SSL__F32>(c, __VA_ARGS__);                                                                   \
    } while (0)
static void ssl__cuda_conv_f(ssl_ctx *c, const ssl__window *g, const float *x, const float *w, const float *bias, float *y) { SSL__CONV(c, ssl__conv_forward, g, x, w, bias, y); }
static void ssl__cuda_conv_bx(ssl_ctx *c, const ssl__window *g, const float *w, const float *dy, float beta, float *dx) { SSL__CONV(c, ssl__conv_back, g, NULL, w, dy, beta, dx, NULL); }
static void ssl__cuda_conv_bw(ssl_ctx *c, const ssl__window *g, const float *x, const float *dy, float *dw) { SSL__CONV(c, ssl__conv_back, g, x, NULL, dy, 0.0f, NULL, dw); }
static void ssl__cuda_half_conv_b(ssl_ctx *c, const ssl__window *g, const float *x, const float *w, const float *dy, float beta, float *dx, float *dw)
{ ssl__conv_back<SSL__BF16>(c, g, x, w, dy, beta, dx, dw); }

static void ssl__cuda_half_turn(ssl_ctx *c, int n, int ch, int64_t hw, int to_half, float beta, float *planes, float *half)
{
    const ssl__turn t = ssl__turn_of(n, 1, ch, ch, (int)hw);
    if (to_half) SSL__LAUNCH(c, ssl__k_channels_last<uint16_t>, ssl__turn_grid(&t, 8), t, beta != 0.0f, planes, (uint16_t *)(void *)half);
    else SSL__LAUNCH(c, ssl__k_planes, ssl__turn_grid(&t, 8), t, beta != 0.0f, (const uint16_t *)(const void *)half, planes);
}

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

/* ---- half maps, eight channels at a time; of a window the tap that won is kept, in 16 bits. Backward one to four windows reach a pixel ---- */
typedef struct ssl__octets { int64_t n; ssl__divisor per, columns, rows; } ssl__octets; /* of a map: per pixel, and its rows and columns */
static ssl__octets ssl__octets_of(int n, int ch, int h, int w)
{ const ssl__octets o = { (int64_t)n * h * w * (ch / 8), ssl__divisor_of(ch / 8), ssl__divisor_of(w), ssl__divisor_of(h) }; return o; }
static __device__ __forceinline__ int ssl__octet(const ssl__octets *o, int64_t e, int *i, int *j, int *c) /* its image, pixel and first channel */
{
    const int pixel = ssl__over((int)e, &o->per, c);
    *c *= 8;
    return ssl__over(ssl__over(pixel, &o->columns, j), &o->rows, i);
}
static __global__ void ssl__k_half_pool_f(ssl__window g, ssl__octets out, const uint16_t *x, uint16_t *y, uint4 *at) /* maximum, and the taps that they are under */
{
    SSL__EACH(e, out.n) {
        int i, j, c, any = 0;
        float best[8] = { 0.0f }, v[8];
        uint32_t tap[8] = { 0 };
        const int n = ssl__octet(&out, e, &i, &j, &c), r0 = i * g.sh - g.ph, t0 = j * g.sw - g.pw;
        for (int r = SSL__MAX(0, -r0); r < SSL__MIN(g.kh, g.h - r0); r++)
            for (int t = SSL__MAX(0, -t0); t < SSL__MIN(g.kw, g.w - t0); t++, any = 1) {
                ssl__eight(x + ((int64_t)(n * g.h + r0 + r) * g.w + t0 + t) * g.ci + c, v);
                SSL__REPEAT for (int q = 0; q < 8; q++) if (!any || v[q] > best[q]) { best[q] = v[q]; tap[q] = (uint32_t)(r * g.kw + t); }
            }
        ssl__eight_put(y + e * 8, best, 0);
        const uint4 taps = { tap[0] | tap[1] << 16, tap[2] | tap[3] << 16, tap[4] | tap[5] << 16, tap[6] | tap[7] << 16 };
        at[e] = taps;
    }
}
static __global__ void ssl__k_half_pool_b(ssl__window g, ssl__octets in, const uint4 *at, const uint16_t *dy, int add, uint16_t *dx)
{
    SSL__EACH(e, in.n) {
        int i, j, c;
        float s[8] = { 0.0f }, v[8];
        const int n = ssl__octet(&in, e, &i, &j, &c), r = i + g.ph, t = j + g.pw; /* output o sees this pixel through tap r - o stride */
        for (int oi = SSL__MAX(0, r - g.kh + g.sh) / g.sh; oi < g.oh && oi * g.sh <= r; oi++)
            for (int oj = SSL__MAX(0, t - g.kw + g.sw) / g.sw; oj < g.ow && oj * g.sw <= t; oj++) {
                const int64_t o = ((int64_t)(n * g.oh + oi) * g.ow + oj) * g.ci + c;
                const uint32_t tap = (uint32_t)((r - oi * g.sh) * g.kw + t - oj * g.sw);
                const uint4 u = at[o / 8];
                const uint32_t taps[4] = { u.x, u.y, u.z, u.w };
                ssl__eight(dy + o, v);
                SSL__REPEAT for (int q = 0; q < 8; q++) if ((q & 1 ? taps[q / 2] >> 16 : taps[q / 2] & 0xffffu) == tap) s[q] += v[q];
            }
        ssl__eight_put(dx + e * 8, s, add);
    }
}
static void ssl__cuda_half_pool_f(ssl_ctx *c, const ssl__window *g, const float *x, float *y, int32_t *at)
{
    const ssl__octets out = ssl__octets_of(g->n, g->ci, g->oh, g->ow);
    SSL__LAUNCH(c, ssl__k_half_pool_f, ssl__grid(out.n), *g, out, (const uint16_t *)(const void *)x, (uint16_t *)(void *)y, (uint4 *)(void *)at);
}
static void ssl__cuda_half_pool_b(ssl_ctx *c, const ssl__window *g, const int32_t *at, const float *dy, float beta, float *dx)
{
    const ssl__octets in = ssl__octets_of(g->n, g->ci, g->h, g->w);
    SSL__LAUNCH(c, ssl__k_half_pool_b, ssl__grid(in.n), *g, in, (const uint4 *)(const void *)at, (const uint16_t *)(const void *)dy, beta != 0.0f, (uint16_t *)(void *)dx);
}
static __global__ void ssl__k_half_mean_f(int64_t octets, int ch, int hw, const uint16_t *x, float *y) /* of n ch / 8 */
{
    SSL__EACH(e, octets) {
        const int n = (int)(e / (ch / 8)), c = (int)(e % (ch / 8)) * 8;
        float s[8] = { 0.0f }, v[8];
        SSL__TWICE for (int p = 0; p < hw; p++) {
            ssl__eight(x + ((int64_t)n * hw + p) * ch + c, v);
            SSL__REPEAT for (int q = 0; q < 8; q++) s[q] += v[q];
        }
        SSL__REPEAT for (int q = 0; q < 8; q++) y[e * 8 + q] = s[q] / (float)hw;
    }
}
static __global__ void ssl__k_half_mean_b(ssl__octets in, int ch, float scale, int add, const float *dy, uint16_t *dx)
{
    SSL__EACH(e, in.n) {
        int i, j, c;
        float v[8];
        const float *const d = dy + (int64_t)ssl__octet(&in, e, &i, &j, &c) * ch;
        SSL__REPEAT for (int q = 0; q < 8; q++) v[q] = scale * d[c + q];
        ssl__eight_put(dx + e * 8, v, add);
    }
}
static void ssl__cuda_half_mean_f(ssl_ctx *c, int n, int ch, int64_t hw, const float *x, float *y)
{ SSL__LAUNCH(c, ssl__k_half_mean_f, ssl__grid((int64_t)n * ch / 8), (int64_t)n * ch / 8, ch, (int)hw, (const uint16_t *)(const void *)x, y); }
static void ssl__cuda_half_mean_b(ssl_ctx *c, int n, int ch, int64_t hw, const float *dy, float beta, float *dx)
{
    const ssl__octets in = ssl__octets_of(n, ch, 1, (int)hw);
    SSL__LAUNCH(c, ssl__k_half_mean_b, ssl__grid(in.n), in, ch, 1.0f / (float)hw, beta != 0.0f, dy, (uint16_t *)(void *)dx);
}

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

/* Boxes and mirrors come as arguments of one launch, so that a step with crops of other sizes is the same graph. */
static __global__ void ssl__k_interpolate_f(ssl__resize r, const float *x, float *y)
{
    const int nearest = r.mode == SSL_INTERPOLATE_NEAREST;
    SSL__EACH(e, (int64_t)r.planes * r.oh * r.ow) {
        const int oi = (int)(e / r.ow % r.oh), oj = (int)(e % r.ow);
        const float *in = x + (e / r.ow / r.oh * r.rows + r.top) * r.cols + r.left;
        int i[2], j[2];
        const float li = ssl__resize_source(nearest, r.vflip ? r.oh - 1 - oi : oi, r.h, r.oh, i), lj = ssl__resize_source(nearest, r.hflip ? r.ow - 1 - oj : oj, r.w, r.ow, j);
        y[e] = (1.0f - li) * ((1.0f - lj) * in[i[0] * r.cols + j[0]] + lj * in[i[0] * r.cols + j[1]]) +
               li * ((1.0f - lj) * in[i[1] * r.cols + j[0]] + lj * in[i[1] * r.cols + j[1]]);
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
    SSL__EACH(e, (int64_t)r.planes * r.rows * r.cols) {
        const int j = (int)(e % r.cols) - r.left, i = (int)(e / r.cols % r.rows) - r.top;
        int i0, i1, j0, j1;
        float s = 0.0f;
        if (i < 0 || j < 0 || i >= r.h || j >= r.w) continue;
        ssl__resize_range(i, r.h, r.oh, &i0, &i1);
        ssl__resize_range(j, r.w, r.ow, &j0, &j1);
        for (int oi = i0; oi < i1; oi++) {
            const float wi = ssl__resize_weight(nearest, oi, r.h, r.oh, i), *const d = dy + (e / r.cols / r.rows * r.oh + (r.vflip ? r.oh - 1 - oi : oi)) * r.ow;
            for (int oj = j0; oj < j1 && wi != 0.0f; oj++) s += wi * ssl__resize_weight(nearest, oj, r.w, r.ow, j) * d[r.hflip ? r.ow - 1 - oj : oj];
        }
        dx[e] += s;
    }
}
static void ssl__cuda_interpolate_b(ssl_ctx *c, const ssl__resize *r, const float *dy, float *dx)
{ SSL__LAUNCH(c, ssl__k_interpolate_b, ssl__grid((int64_t)r->planes * r->rows * r->cols), *r, dy, dx); }

/* ==== >>batchnorm ==== several blocks for each channel ====================================================
 * Sums (4 B a value, 8 to 16 backward), a warp a channel that adds the blocks' sums in order, then the values (8 B, 12 with a residual or backward);
 * half as many bytes of half maps. Of planes a block has LANES channels: one, its threads along the pixels, or 32 where planes are too short for
 * that. Of half maps it has up to 16 times eight channels, a thread eight of them at every so many pixels. */
typedef struct ssl__channels { ssl__bn b; ssl__divisor plane; int shares, per, octets; const float *x, *y, *w, *bias, *res, *mean, *var; float beta; double *part; } ssl__channels;
static __device__ __forceinline__ float ssl__bn_rstd(const ssl__channels *t, int c) { return t->mean ? 1.0f / sqrtf(t->var[c] + t->b.eps) : 1.0f; }
static __device__ __forceinline__ float ssl__bn_first(const ssl__channels *t, int c) /* value of a channel */
{ return ssl__number_at(t->x, t->octets, t->octets ? c : (int64_t)c * t->plane.d); }
static __device__ __forceinline__ void ssl__bn_share(const ssl__channels *t, int c, double s, double q)
{
    double *const part = t->part + ((int64_t)c * t->shares + blockIdx.y) * 2;
    part[0] = s;
    part[1] = q;
}
extern "C++" {
/* sums of dy; of x and its square, less the channel's first value; of dy (after ReLU) and dy (x - mean); of dy and dy xhat, with mean and 1 / deviation of
   each pixel in mean */
enum { SSL__SUM_VALUES, SSL__SUM_MOMENTS, SSL__SUM_GRADIENTS, SSL__SUM_IMAGES };

/* ---- planes ---- */
template <int LANES> static __device__ __forceinline__ int ssl__own_channel() { return (int)blockIdx.x * LANES + (int)threadIdx.x % LANES; }
/* f(place) for this thread's values of its channel */
template <int LANES, class F> static __device__ __forceinline__ void ssl__each_pixel(const ssl__channels *t, F f)
{
    const int c = ssl__own_channel<LANES>(), end = SSL__MIN(t->b.n * t->plane.d, ((int)blockIdx.y + 1) * t->per);
    if (c >= t->b.ch) return;
    for (int i = (int)blockIdx.y * t->per + (int)threadIdx.x / LANES; i < end; i += SSL__THREADS / LANES) {
        int in;
        const int image = ssl__over(i, &t->plane, &in);
        f(((int64_t)image * t->b.ch + c) * t->plane.d + in);
    }
}
template <int LANES, int WHAT> static __global__ void ssl__k_channel_sums(ssl__channels t, float *dy)
{
    __shared__ double sum[2][SSL__THREADS];
    const int c = ssl__own_channel<LANES>(), own = (int)threadIdx.x;
    const float zero = c >= t.b.ch ? 0.0f : WHAT == SSL__SUM_MOMENTS ? ssl__bn_first(&t, c) : WHAT == SSL__SUM_GRADIENTS && t.mean ? t.mean[c] : 0.0f;
    double s = 0.0, q = 0.0;
    ssl__each_pixel<LANES>(&t, [&](int64_t e) {
        if (WHAT == SSL__SUM_MOMENTS) {
            const double d = (double)t.x[e] - (double)zero;
            s += d;
            q += d * d;
        } else {
            if (WHAT == SSL__SUM_GRADIENTS && t.b.relu && !(t.y[e] > 0.0f)) dy[e] = 0.0f;
            s += (double)dy[e];
            if (WHAT == SSL__SUM_GRADIENTS) q += (double)((t.x[e] - zero) * dy[e]);
        }
    });
    sum[0][own] = s;
    sum[1][own] = q;
    for (int half = SSL__THREADS / 2; half >= LANES; half /= 2) {
        __syncthreads();
        if (own >= half) continue;
        sum[0][own] += sum[0][own + half];
        sum[1][own] += sum[1][own + half];
    }
    if (own < LANES && c < t.b.ch) ssl__bn_share(&t, c, sum[0][own], sum[1][own]);
}
template <int LANES> static __global__ void ssl__k_batch_norm_f(ssl__channels t, float *y)
{
    const int c = ssl__own_channel<LANES>();
    if (c >= t.b.ch) return;
    const float m = t.mean ? t.mean[c] : 0.0f, scale = ssl__bn_rstd(&t, c) * (t.w ? t.w[c] : 1.0f), shift = t.bias ? t.bias[c] : 0.0f;
    ssl__each_pixel<LANES>(&t, [&](int64_t e) {
        const float v = (t.x[e] - m) * scale + shift + (t.res ? t.res[e] : 0.0f);
        y[e] = t.b.relu && v < 0.0f ? 0.0f : v;
    });
}
template <int LANES> static __global__ void ssl__k_batch_norm_b(ssl__channels t, const float *dy, const float *s1, const float *s2, float *dx)
{
    const int c = ssl__own_channel<LANES>();
    if (c >= t.b.ch) return;
    const float m = t.mean ? t.mean[c] : 0.0f, rstd = ssl__bn_rstd(&t, c), scale = rstd * (t.w ? t.w[c] : 1.0f);
    const float inv = t.b.count > 0.0 ? (float)(1.0 / t.b.count) : 0.0f, a = s1[c] * inv, b = s2[c] * rstd * inv;
    ssl__each_pixel<LANES>(&t, [&](int64_t e) {
        const float v = scale * (dy[e] - a - (t.x[e] - m) * b);
        dx[e] = t.beta != 0.0f ? dx[e] + v : v;
    });
}

/* ---- half maps ---- */
enum { SSL__OCTETS = 16, SSL__EARLY = 2 }; /* of a block at most; pixels that a thread reads before it uses them */
typedef struct ssl__early { uint4 x, y, d; float mean, rstd; } ssl__early;
static __device__ __forceinline__ int ssl__own_octet(const ssl__channels *t) { return ((int)blockIdx.x * t->octets + (int)threadIdx.x % t->octets) * 8; } /* its first channel */
/* read(place, pixel, a) and then use(place, a) for this thread's values */
template <class R, class U> static __device__ __forceinline__ void ssl__each_octet(const ssl__channels *t, R read, U use)
{
    const int c = ssl__own_octet(t), rows = SSL__THREADS / t->octets, row = (int)threadIdx.x / t->octets, end = SSL__MIN(t->b.n * t->plane.d, ((int)blockIdx.y + 1) * t->per);
    ssl__early a[SSL__EARLY];
    if (c >= t->b.ch || row >= rows) return;
    SSL__ROLLED for (int i = (int)blockIdx.y * t->per + row; i < end; i += SSL__EARLY * rows) {
        SSL__REPEAT for (int u = 0; u < SSL__EARLY; u++) if (i + u * rows < end) read((int64_t)(i + u * rows) * t->b.ch + c, i + u * rows, &a[u]);
        SSL__REPEAT for (int u = 0; u < SSL__EARLY; u++) if (i + u * rows < end) use((int64_t)(i + u * rows) * t->b.ch + c, &a[u]);
    }
}
/* y before residual and ReLU is scale x + shift; backward, bias is there where the ReLU may be told from it. */
static __device__ __forceinline__ void ssl__octet_line(const ssl__channels *t, int c, float scale[8], float shift[8])
{
    SSL__REPEAT for (int k = 0; k < 8; k++) {
        scale[k] = ssl__bn_rstd(t, c + k) * (t->w ? t->w[c + k] : 1.0f);
        shift[k] = (t->bias ? t->bias[c + k] : 0.0f) - (t->mean ? t->mean[c + k] : 0.0f) * scale[k];
    }
}
/* A thread adds its pixels in float32, few of them (ssl__channel_grid), the block its threads' sums in double. */
template <int WHAT> static __global__ void ssl__k_octet_sums(ssl__channels t, float *dy)
{
    __shared__ float sum[16][SSL__THREADS + 8];
    const int c = ssl__own_octet(&t), own = (int)threadIdx.x, rows = SSL__THREADS / t.octets;
    float zero[8] = { 0.0f }, s[8] = { 0.0f }, q[8] = { 0.0f }, scale[8], shift[8];
    if (WHAT == SSL__SUM_GRADIENTS && t.bias && c < t.b.ch) ssl__octet_line(&t, c, scale, shift);
    SSL__REPEAT for (int k = 0; k < 8; k++)
        if (c < t.b.ch) zero[k] = WHAT == SSL__SUM_MOMENTS ? ssl__bn_first(&t, c + k) : WHAT == SSL__SUM_GRADIENTS && t.mean ? t.mean[c + k] : 0.0f;
    ssl__each_octet(&t,
        [&](int64_t e, int pixel, ssl__early *a) {
            (void)pixel;
            a->x = ssl__octet_at(t.x, e);
            if (WHAT != SSL__SUM_MOMENTS) a->d = ssl__octet_at(dy, e);
            if (WHAT == SSL__SUM_IMAGES) { a->mean = t.mean[2 * pixel]; a->rstd = t.mean[2 * pixel + 1]; }
            if (WHAT == SSL__SUM_GRADIENTS && t.b.relu && !t.bias) a->y = ssl__octet_at(t.y, e);
        },
        [&](int64_t e, ssl__early *a) {
            float x[8], y[8], d[8];
            ssl__eight_of(a->x, x);
            if (WHAT != SSL__SUM_MOMENTS) ssl__eight_of(a->d, d);
            if (WHAT == SSL__SUM_GRADIENTS && t.b.relu && t.bias) {
                SSL__REPEAT for (int k = 0; k < 8; k++) if (!(fmaf(x[k], scale[k], shift[k]) > 0.0f)) d[k] = 0.0f;
            } else if (WHAT == SSL__SUM_GRADIENTS && t.b.relu) {
                ssl__eight_of(a->y, y);
                SSL__REPEAT for (int k = 0; k < 8; k++) if (!(y[k] > 0.0f)) d[k] = 0.0f;
                ssl__eight_put((uint16_t *)(void *)dy + e, d, 0);
            }
            SSL__REPEAT for (int k = 0; k < 8; k++) {
                const float v = WHAT == SSL__SUM_IMAGES ? (x[k] - a->mean) * a->rstd : x[k] - zero[k];
                s[k] += WHAT == SSL__SUM_MOMENTS ? v : d[k];
                q[k] += WHAT == SSL__SUM_MOMENTS ? v * v : v * d[k];
            }
        });
    SSL__REPEAT for (int k = 0; k < 8; k++) { sum[k][own] = s[k]; sum[8 + k][own] = q[k]; }
    __syncthreads();
    for (int e = own; e < 8 * t.octets; e += SSL__THREADS) {
        const int octet = e % t.octets, k = e / t.octets, channel = ((int)blockIdx.x * t.octets + octet) * 8 + k;
        double s1 = 0.0, s2 = 0.0;
        for (int r = octet; r < rows * t.octets; r += t.octets) { s1 += (double)sum[k][r]; s2 += (double)sum[8 + k][r]; }
        if (channel < t.b.ch) ssl__bn_share(&t, channel, s1, s2);
    }
}
static __global__ void ssl__k_octet_norm_f(ssl__channels t, float *y)
{
    const int c = ssl__own_octet(&t);
    float scale[8], shift[8];
    if (c >= t.b.ch) return;
    ssl__octet_line(&t, c, scale, shift);
    ssl__each_octet(&t,
        [&](int64_t e, int, ssl__early *a) {
            a->x = ssl__octet_at(t.x, e);
            if (t.res) a->d = ssl__octet_at(t.res, e);
        },
        [&](int64_t e, ssl__early *a) {
            float v[8], r[8];
            ssl__eight_of(a->x, v);
            if (t.res) ssl__eight_of(a->d, r);
            SSL__REPEAT for (int k = 0; k < 8; k++) {
                v[k] = fmaf(v[k], scale[k], shift[k]) + (t.res ? r[k] : 0.0f);
                if (t.b.relu && v[k] < 0.0f) v[k] = 0.0f;
            }
            ssl__eight_put((uint16_t *)(void *)y + e, v, 0);
        });
}
static __global__ void ssl__k_octet_norm_b(ssl__channels t, const float *dy, const float *s1, const float *s2, float *dx)
{
    const int c = ssl__own_octet(&t);
    const float inv = t.b.count > 0.0 ? (float)(1.0 / t.b.count) : 0.0f;
    float scale[8], shift[8], slope[8], level[8]; /* dx = scale dy + slope x + level */
    if (c >= t.b.ch) return;
    ssl__octet_line(&t, c, scale, shift);
    SSL__REPEAT for (int k = 0; k < 8; k++) {
        const float b = s2[c + k] * ssl__bn_rstd(&t, c + k) * inv;
        slope[k] = -scale[k] * b;
        level[k] = scale[k] * ((t.mean ? t.mean[c + k] : 0.0f) * b - s1[c + k] * inv);
    }
    ssl__each_octet(&t,
        [&](int64_t e, int, ssl__early *a) {
            a->x = ssl__octet_at(t.x, e);
            a->d = ssl__octet_at(dy, e);
        },
        [&](int64_t e, ssl__early *a) {
            float x[8], v[8];
            ssl__eight_of(a->x, x);
            ssl__eight_of(a->d, v);
            SSL__REPEAT for (int k = 0; k < 8; k++) {
                if (t.b.relu && t.bias && !(fmaf(x[k], scale[k], shift[k]) > 0.0f)) v[k] = 0.0f;
                v[k] = v[k] * scale[k] + x[k] * slope[k] + level[k];
            }
            ssl__eight_put((uint16_t *)(void *)dx + e, v, t.beta != 0.0f);
        });
}

/* ---- layer norm of the images of half maps: a warp an image, read from memory once and then from cache; w and bias channels last ---- */
typedef struct ssl__images { int n, values, relu; float eps, beta; const float *x, *y, *w, *bias, *res; } ssl__images; /* values: of an image */
static __device__ __forceinline__ void ssl__eight_of(const float *p, float v[8])
{
    const float4 a = ((const float4 *)(const void *)p)[0], b = ((const float4 *)(const void *)p)[1];
    v[0] = a.x; v[1] = a.y; v[2] = a.z; v[3] = a.w; v[4] = b.x; v[5] = b.y; v[6] = b.z; v[7] = b.w;
}
#define SSL__EACH_OWN_EIGHT(e, t) for (int e = 8 * SSL__LANE; e < (t).values; e += 8 * 32)
static __global__ void ssl__k_image_norm_f(ssl__images t, float *stat, float *y)
{
    SSL__EACH_WARP(i, t.n) {
        const int64_t at = i * t.values;
        const float zero = ssl__number_at(t.x, 1, at);
        float v[8], w[8], b[8], s = 0.0f, q = 0.0f;
        SSL__EACH_OWN_EIGHT(e, t) {
            ssl__eight_of(ssl__octet_at(t.x, at + e), v);
            SSL__REPEAT for (int k = 0; k < 8; k++) { s += v[k] - zero; q += (v[k] - zero) * (v[k] - zero); }
        }
        s = ssl__warp_sum(s) / (float)t.values;
        q = ssl__warp_sum(q) / (float)t.values - s * s;
        const float mean = zero + s, rstd = 1.0f / sqrtf(fmaxf(q, 0.0f) + t.eps);
        if (SSL__LANE == 0) { stat[2 * i] = mean; stat[2 * i + 1] = rstd; }
        SSL__EACH_OWN_EIGHT(e, t) {
            ssl__eight_of(ssl__octet_at(t.x, at + e), v);
            ssl__eight_of(t.w + e, w);
            ssl__eight_of(t.bias + e, b);
            SSL__REPEAT for (int k = 0; k < 8; k++) v[k] = (v[k] - mean) * rstd * w[k] + b[k];
            if (t.res) {
                ssl__eight_of(ssl__octet_at(t.res, at + e), b);
                SSL__REPEAT for (int k = 0; k < 8; k++) v[k] += b[k];
            }
            SSL__REPEAT for (int k = 0; k < 8; k++) if (t.relu && v[k] < 0.0f) v[k] = 0.0f;
            ssl__eight_put((uint16_t *)(void *)y + at + e, v, 0);
        }
    }
}
/* dx = rstd (g - mean g - xhat mean(g xhat)) with g = dy w */
static __global__ void ssl__k_image_norm_b(ssl__images t, const float *stat, float *dy, float *dx)
{
    SSL__EACH_WARP(i, t.n) {
        const int64_t at = i * t.values;
        const float mean = stat[2 * i], rstd = stat[2 * i + 1];
        float v[8], w[8], d[8], s = 0.0f, q = 0.0f;
        SSL__EACH_OWN_EIGHT(e, t) {
            ssl__eight_of(ssl__octet_at(dy, at + e), d);
            if (t.relu) {
                ssl__eight_of(ssl__octet_at(t.y, at + e), v);
                SSL__REPEAT for (int k = 0; k < 8; k++) if (!(v[k] > 0.0f)) d[k] = 0.0f;
                ssl__eight_put((uint16_t *)(void *)dy + at + e, d, 0);
            }
            ssl__eight_of(ssl__octet_at(t.x, at + e), v);
            ssl__eight_of(t.w + e, w);
            SSL__REPEAT for (int k = 0; k < 8; k++) { s += d[k] * w[k]; q += d[k] * w[k] * (v[k] - mean) * rstd; }
        }
        s = ssl__warp_sum(s) / (float)t.values;
        q = ssl__warp_sum(q) / (float)t.values;
        if (!dx) continue;
        SSL__EACH_OWN_EIGHT(e, t) { /* what it wrote above and reads here is this lane's own */
            ssl__eight_of(ssl__octet_at(dy, at + e), d);
            ssl__eight_of(ssl__octet_at(t.x, at + e), v);
            ssl__eight_of(t.w + e, w);
            SSL__REPEAT for (int k = 0; k < 8; k++) v[k] = rstd * (d[k] * w[k] - s - (v[k] - mean) * rstd * q);
            ssl__eight_put((uint16_t *)(void *)dx + at + e, v, t.beta != 0.0f);
        }
    }
}

/* o1, o2: mean and variance, or s1 and s2, which db and dw get too */
template <int WHAT> static __global__ void ssl__k_channel_totals(ssl__channels t, float *o1, float *o2, float *db, float *dw)
{
    SSL__EACH_WARP(c, t.b.ch) {
        const double n = (double)t.b.n * (double)t.b.hw;
        double s = 0.0, q = 0.0;
        for (int i = SSL__LANE; i < t.shares; i += 32) { s += t.part[(c * t.shares + i) * 2]; q += t.part[(c * t.shares + i) * 2 + 1]; }
        for (int o = 16; o; o >>= 1) { s += __shfl_xor_sync(0xffffffffu, s, o); q += __shfl_xor_sync(0xffffffffu, q, o); }
        if (SSL__LANE) continue;
        if (WHAT == SSL__SUM_MOMENTS) {
            s /= n;
            q = q / n - s * s;
            o1[c] = (float)((double)ssl__bn_first(&t, (int)c) + s);
            o2[c] = (float)(q > 0.0 ? q : 0.0);
        } else {
            const int64_t across = t.b.ch / t.b.hw, to = WHAT == SSL__SUM_IMAGES ? c % across * t.b.hw + c / across : c; /* of images a channel is a value [hw, across] */
            if (WHAT == SSL__SUM_GRADIENTS) { q *= (double)ssl__bn_rstd(&t, (int)c); o1[c] = (float)s; o2[c] = (float)q; }
            if (db) db[to] += (float)s;
            if (dw) dw[to] += (float)q;
        }
    }
}
/* Planes: shares of 2048 or more values, 8 blocks for every multiprocessor where there is so much. Half maps: 8 to 64 pixels for a thread (more only
   where there are more than 65535 shares), 4 blocks for every multiprocessor where there is so much. */
static dim3 ssl__channel_grid(ssl_ctx *c, ssl__channels *t, const ssl__bn *b)
{
    const int units = ((ssl__cuda *)c->gpu)->units, n = (int)(b->n * b->hw);
    int blocks;
    memset(t, 0, sizeof *t);
    t->b = *b;
    t->plane = ssl__divisor_of((int)b->hw);
    if (b->half) {
        int rows;
        blocks = (b->ch / 8 + SSL__OCTETS - 1) / SSL__OCTETS;
        t->octets = (b->ch / 8 + blocks - 1) / blocks;
        rows = SSL__THREADS / t->octets;
        t->per = rows * (int)SSL__MAX(SSL__MIN((int64_t)n * blocks / (4 * units * rows), 64), 8);
        t->per = SSL__MAX(t->per, n / 65535 + 1);
        t->shares = (n + t->per - 1) / t->per;
    } else {
        const int lanes = b->hw < 8 ? 32 : 1;
        blocks = (b->ch + lanes - 1) / lanes;
        t->shares = SSL__MAX(SSL__MIN(8 * units / blocks, n / (2048 / lanes)), 1);
        t->per = (n + t->shares - 1) / t->shares;
    }
    return dim3((unsigned)blocks, (unsigned)t->shares);
}
template <int WHAT> static int ssl__channel_sums(ssl_ctx *c, ssl__channels *t, dim3 grid, float *dy, float *o1, float *o2, float *db, float *dw) /* 0: no memory */
{
    t->part = (double *)ssl__cuda_work(c, sizeof(double) * 2 * (size_t)t->b.ch * (size_t)t->shares);
    if (!t->part) return 0;
    if constexpr (WHAT != SSL__SUM_VALUES) if (t->octets) SSL__LAUNCH(c, ssl__k_octet_sums<WHAT>, grid, *t, dy);
    if constexpr (WHAT != SSL__SUM_IMAGES) {
        if (!t->octets && t->b.hw < 8) SSL__LAUNCH(c, (ssl__k_channel_sums<32, WHAT>), grid, *t, dy);
        else if (!t->octets) SSL__LAUNCH(c, (ssl__k_channel_sums<1, WHAT>), grid, *t, dy);
    }
    SSL__LAUNCH(c, ssl__k_channel_totals<WHAT>, ssl__grid_warps(t->b.ch), *t, o1, o2, db, dw);
    return 1;
}
} /* extern "C++" */
static void ssl__cuda_chansum(ssl_ctx *c, int n, int ch, int64_t hw, const float *dy, float *db)
{
    ssl__channels t;
    ssl__bn b;
    memset(&b, 0, sizeof b);
    b.n = n; b.ch = ch; b.hw = hw;
    const dim3 grid = ssl__channel_grid(c, &t, &b);
    ssl__channel_sums<SSL__SUM_VALUES>(c, &t, grid, (float *)dy, NULL, NULL, db, NULL); /* which reads alone */
}
static void ssl__cuda_batch_norm_f(ssl_ctx *c, const ssl__bn *b, const float *x, const float *w, const float *bias, const float *res, float *mean, float *var, float *y)
{
    ssl__channels t;
    const dim3 grid = ssl__channel_grid(c, &t, b);
    t.x = x; t.w = w; t.bias = bias; t.res = res; t.mean = mean; t.var = var;
    if (b->stages & SSL__BN_STATS && !ssl__channel_sums<SSL__SUM_MOMENTS>(c, &t, grid, NULL, mean, var, NULL, NULL)) return;
    if (!(b->stages & SSL__BN_APPLY)) return;
    if (t.octets) SSL__LAUNCH(c, ssl__k_octet_norm_f, grid, t, y);
    else if (b->hw < 8) SSL__LAUNCH(c, ssl__k_batch_norm_f<32>, grid, t, y);
    else SSL__LAUNCH(c, ssl__k_batch_norm_f<1>, grid, t, y);
}
static void ssl__cuda_batch_norm_b(ssl_ctx *c, const ssl__bn *b, const float *x, const float *y, const float *w, const float *mean, const float *var,
                                   float *dy, float *s1, float *s2, float *dw, float *db, float beta, float *dx)
{
    ssl__channels t;
    const dim3 grid = ssl__channel_grid(c, &t, b);
    t.x = x; t.y = y; t.w = w; t.bias = b->half ? b->shift : NULL; t.mean = mean; t.var = var; t.beta = beta;
    if (b->stages & SSL__BN_STATS && !ssl__channel_sums<SSL__SUM_GRADIENTS>(c, &t, grid, dy, s1, s2, db, dw)) return;
    if (!dx || !(b->stages & SSL__BN_APPLY)) return;
    if (t.octets) SSL__LAUNCH(c, ssl__k_octet_norm_b, grid, t, dy, s1, s2, dx);
    else if (b->hw < 8) SSL__LAUNCH(c, ssl__k_batch_norm_b<32>, grid, t, dy, s1, s2, dx);
    else SSL__LAUNCH(c, ssl__k_batch_norm_b<1>, grid, t, dy, s1, s2, dx);
}
/* w and bias [ch,hw] with the channels last at work, which has room for both. */
static ssl__images ssl__images_of(ssl_ctx *c, const ssl__bn *b, const float *x, const float *w, const float *bias, float *work)
{
    const ssl__turn turn = ssl__turn_of(1, 1, b->ch, b->ch, (int)b->hw);
    ssl__images t;
    memset(&t, 0, sizeof t);
    t.n = b->n; t.values = b->ch * (int)b->hw; t.relu = b->relu; t.eps = b->eps; t.x = x; t.w = work;
    SSL__LAUNCH(c, ssl__k_channels_last<float>, ssl__turn_grid(&turn, 4), turn, 0, w, work);
    if (!bias) return t;
    t.bias = work + t.values;
    SSL__LAUNCH(c, ssl__k_channels_last<float>, ssl__turn_grid(&turn, 4), turn, 0, bias, work + t.values);
    return t;
}
static void ssl__cuda_half_image_norm_f(ssl_ctx *c, const ssl__bn *b, const float *x, const float *w, const float *bias, const float *res, float *stat, float *y)
{
    float *const work = (float *)ssl__cuda_work(c, sizeof(float) * 2 * (size_t)b->ch * (size_t)b->hw);
    ssl__images t;
    if (!work) return;
    t = ssl__images_of(c, b, x, w, bias, work);
    t.res = res;
    SSL__LAUNCH(c, ssl__k_image_norm_f, ssl__grid_warps(t.n), t, stat, y);
}
static void ssl__cuda_half_image_norm_b(ssl_ctx *c, const ssl__bn *b, const float *x, const float *y, const float *w, const float *stat, float *dy,
                                        float *dw, float *db, float beta, float *dx)
{
    float *const work = (float *)ssl__cuda_work(c, sizeof(float) * (size_t)b->ch * (size_t)b->hw);
    ssl__images t;
    ssl__channels sums;
    ssl__bn values = *b; /* an image's values are channels of a pixel */
    if (!work) return;
    t = ssl__images_of(c, b, x, w, NULL, work);
    t.y = y; t.beta = beta;
    SSL__LAUNCH(c, ssl__k_image_norm_b, ssl__grid_warps(t.n), t, stat, dy, dx);
    if (!dw && !db) return;
    values.ch = t.values;
    values.hw = 1;
    const dim3 grid = ssl__channel_grid(c, &sums, &values);
    sums.x = x; sums.mean = stat; sums.b.hw = b->hw;
    ssl__channel_sums<SSL__SUM_IMAGES>(c, &sums, grid, dy, NULL, NULL, db, dw);
}
static __global__ void ssl__k_batch_norm_running(int ch, float momentum, float unbias, const float *mean, const float *var, float *rm, float *rv)
{ SSL__EACH(j, ch) { rm[j] += momentum * (mean[j] - rm[j]); rv[j] += momentum * (unbias * var[j] - rv[j]); } }
static void ssl__cuda_batch_norm_running(ssl_ctx *c, int ch, float momentum, float unbias, const float *mean, const float *var, float *rm, float *rv)
{ SSL__LAUNCH(c, ssl__k_batch_norm_running, ssl__grid(ch), ch, momentum, unbias, mean, var, rm, rv); }

/* ==== >>tensor ==== losses and gradients that are not finite, without waiting for them =====================
 * A judgement is a kernel that writes the device's verdict, and a copy of the verdict that the host looks at when it has come. In
 * between the device itself keeps the parameters as they are: clip and trust factors become NaN, with which nothing is written. */
static __device__ int ssl__k_finite(float v) { uint32_t u; memcpy(&u, &v, 4); return (u & 0x7f800000u) != 0x7f800000u; }
static __device__ void ssl__k_halt(ssl__verdict *v, int why, int64_t first)
{
    if (threadIdx.x) return;
    v->factor = NAN;
    v->first = (int)first;
    v->halt = why;
}
/* One block. The values of the tape, oldest first, are looked at only if the loss is bad. */
static __global__ void ssl__k_judge_loss(const float *loss, int n, const ssl__stretch *tape, ssl__verdict *v)
{
    if (v->halt || ssl__k_finite(loss[0])) return;
    for (int s = 0; s <= n; s++) {
        double bad = s == n; /* no op made it: the loss is to blame */
        for (int64_t i = threadIdx.x; s < n && i < tape[s].n; i += blockDim.x) if (!ssl__k_finite(ssl__number_at(tape[s].x, (int)tape[s].id, i))) bad = 1.0;
        if (ssl__block_sum(bad) > 0.0) { ssl__k_halt(v, 1, s < n ? s : n - 1); return; }
    }
}
static __device__ float ssl__clip_factor(float norm, float max_norm) { return max_norm > 0.0f && norm + 1e-6f > max_norm ? max_norm / (norm + 1e-6f) : 1.0f; }
/* One block. The sums of squares of stretches give the norm; the gradients of single parameters are looked at only if it is bad. */
static __global__ void ssl__k_clip(int stretches, const float *sumsq, float max_norm, int n, const ssl__stretch *params, ssl__verdict *v)
{
    double sum = 0.0;
    if (v->halt) return;
    for (int i = 0; i < stretches; i++) sum += (double)sumsq[i];
    for (int p = 0; p < n && !ssl__k_finite((float)sum); p++) {
        double part = 0.0;
        for (int64_t i = threadIdx.x; i < params[p].n; i += blockDim.x) part += (double)(params[p].x[i] * params[p].x[i]);
        if (!ssl__k_finite((float)ssl__block_sum(part))) { ssl__k_halt(v, 2, params[p].id); return; }
    }
    if (threadIdx.x == 0) v->factor = ssl__clip_factor((float)sqrt(sum), max_norm);
}
static __global__ void ssl__k_trust(float trust, const float *w2_g2, const ssl__verdict *v, float *factor)
{
    if (threadIdx.x) return;
    *factor = v->halt ? NAN : w2_g2[0] > 0.0f && w2_g2[1] > 0.0f ? trust * sqrtf(w2_g2[0]) / sqrtf(w2_g2[1]) : 1.0f;
}
static __global__ void ssl__k_rescale_by(int64_t n, const float *s, float *y) { SSL__EACH(i, n) y[i] *= s[0]; }

/* Have the table of n spans on the device; it is sent where it changed. NULL after an error. */
static const ssl__stretch *ssl__cuda_table(ssl_ctx *c, ssl__table *s, int n, const ssl__stretch *now)
{
    if (s->device && s->n == n && !memcmp(s->host, now, sizeof *now * (size_t)n)) return s->device;
    if (n > s->cap) {
        if (s->device) c->dev->release(c, s->device);
        ssl__release(s->host);
        s->host = (ssl__stretch *)ssl__alloc(c, c->at, sizeof *now * 2 * (size_t)n);
        s->device = (ssl__stretch *)ssl__device_alloc(c, c->at, sizeof *now * 2 * (size_t)n);
        s->cap = s->host && s->device ? 2 * n : 0;
        if (!s->cap) return NULL;
    }
    memcpy(s->host, now, sizeof *now * (size_t)n);
    s->n = n;
    return ssl__put(c, s->device, now, sizeof *now * (size_t)n) ? s->device : NULL;
}
/* The next judgement's slot; the one that had it before is heard first. */
static ssl__judgement *ssl__cuda_judgement(ssl_ctx *c, const char *at)
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    ssl__judgement *j = &g->judgement[g->judged % SSL__JUDGEMENTS];
    if (g->judged - g->settled == SSL__JUDGEMENTS) ssl__cuda_settle(c, g->settled + 1);
    j->at = at;
    j->step = g->steps;
    j->opt_step = c->opt_step;
    return c->status ? NULL : j;
}
static void ssl__cuda_judged(ssl_ctx *c, ssl__judgement *j) /* after the kernel: have the verdict told */
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    if (c->status || !ssl__cuda_move(c, &g->told[g->judged % SSL__JUDGEMENTS], g->verdict, sizeof *g->verdict, cudaMemcpyDeviceToHost)) return;
    j->flush = ssl__cuda_pending(g);
    g->judged++;
}
static void ssl__cuda_judge(ssl_ctx *c, const char *at, const ssl_tensor *loss)
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    ssl__judgement *j = ssl__cuda_judgement(c, at);
    const ssl__stretch *tape;
    ssl__stretch *now;
    const ssl_tensor *t;
    int n = 0, i;
    for (t = c->tape; t; t = t->prev) n++;
    now = (ssl__stretch *)ssl__arena_alloc(c, &c->host, at, sizeof *now * (size_t)n);
    if (!j || !now || !ssl__grow(c, at, (void **)&j->tape, &j->cap, n, sizeof *j->tape)) return;
    for (t = c->tape, i = n - 1; t; t = t->prev, i--) {
        now[i].x = t->x;
        now[i].n = t->x ? ssl_numel(t) : 0;
        now[i].id = t->dtype == SSL_BF16;
        j->tape[i].op = t->op;
        j->tape[i].at = t->at;
        j->tape[i].ndim = t->ndim;
        memcpy(j->tape[i].dim, t->dim, sizeof t->dim);
    }
    j->n = n;
    if (!(tape = ssl__cuda_table(c, &g->tape, n, now))) return;
    SSL__LAUNCH(c, ssl__k_judge_loss, 1, loss->x, n, tape, g->verdict);
    ssl__cuda_judged(c, j);
}
/* The trained parameters and, in stretches without a frozen one, the sums of squares of their gradients; how many stretches. */
static int ssl__cuda_stretches(ssl_ctx *c, ssl__stretch *now, int *trained)
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    int i, j, n = 0;
    for (i = *trained = 0; i < c->n_params; i = j) {
        for (j = i; j < c->n_params && c->param[j]->frozen == c->param[i]->frozen; j++) {
            if (c->param[j]->frozen) continue;
            now[*trained].x = c->param[j]->t.g;
            now[*trained].n = (ssl_numel(&c->param[j]->t) + 15) & ~(int64_t)15;
            now[(*trained)++].id = j;
        }
        if (!c->param[i]->frozen) c->k->sumsq(c, (j < c->n_params ? c->param[j]->offset : c->n_flat) - c->param[i]->offset, c->param[i]->t.g, g->part + n++);
    }
    return n;
}
static const float *ssl__cuda_clip(ssl_ctx *c, const char *at, float max_norm)
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    ssl__judgement *j = ssl__cuda_judgement(c, at);
    ssl__stretch *now = (ssl__stretch *)ssl__arena_alloc(c, &c->host, at, sizeof *now * (size_t)SSL__MAX(c->n_params, 1));
    const ssl__stretch *params;
    int stretches, trained;
    c->at = at;
    if (!j || !now) return &g->verdict->factor;
    if (g->n_part < c->n_params) {
        if (g->part) c->dev->release(c, g->part);
        g->part = (float *)ssl__device_alloc(c, at, sizeof(float) * 4 * (size_t)c->n_params);
        g->n_part = g->part ? c->n_params : 0;
    }
    if (c->status) return &g->verdict->factor;
    stretches = ssl__cuda_stretches(c, now, &trained);
    if (!(params = ssl__cuda_table(c, &g->params, trained, now))) return &g->verdict->factor;
    SSL__LAUNCH(c, ssl__k_clip, 1, stretches, g->part, max_norm, trained, params, g->verdict);
    ssl__cuda_judged(c, j);
    return &g->verdict->factor;
}
static const float *ssl__cuda_trust(ssl_ctx *c, const char *at, int param, float trust, float decay, const float *clip)
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    const ssl__param *p = c->param[param];
    const int64_t n = (ssl_numel(&p->t) + 15) & ~(int64_t)15;
    float *part = g->part + g->n_part + 3 * param; /* |w|^2, |g + wd w|^2, the factor */
    c->at = at;
    SSL__LAUNCH(c, ssl__k_rescale_by, ssl__grid(n), n, clip, p->t.g);
    c->k->axpy(c, n, decay, p->t.x, p->t.g);
    c->k->sumsq(c, n, p->t.x, part);
    c->k->sumsq(c, n, p->t.g, part + 1);
    SSL__LAUNCH(c, ssl__k_trust, 1, trust, part, g->verdict, part + 2);
    return part + 2;
}

/* Say what a judgement found. */
static void ssl__cuda_tell(ssl_ctx *c, const ssl__judgement *j, const ssl__verdict *v)
{
    ssl_tensor t = c->nil;
    char s[96];
    if (v->halt == 2) {
        const ssl__param *p = c->param[v->first];
        ssl__fail(c, SSL_E_NAN, j->at, "ssl_optim_step: the gradient of %s%s is not a number or infinite in step %lld, no parameter was changed; lower the learning rate or set clip_norm",
                  p->name, ssl__shape(&p->t, s), (long long)j->opt_step + 1);
        return;
    }
    t.ndim = j->tape[v->first].ndim;
    memcpy(t.dim, j->tape[v->first].dim, sizeof t.dim);
    ssl__fail(c, SSL_E_NAN, j->at, "ssl_backward: the loss is not a number or infinite in step %lld; the first op that made one is %s %s at %s; lower the learning rate or check the images",
              (long long)j->opt_step + 1, j->tape[v->first].op, ssl__shape(&t, s), ssl__where(j->tape[v->first].at));
}
/* Hear the judgements up to number `before`; the first bad one is an error, and what was asked for after it changed nothing. */
static void ssl__cuda_settle(ssl_ctx *c, int64_t before)
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    const ssl__verdict fresh = { 0, 0, 1.0f };
    while (g->settled < before) {
        const ssl__judgement *j = &g->judgement[g->settled % SSL__JUDGEMENTS];
        const ssl__verdict *v = &g->told[g->settled++ % SSL__JUDGEMENTS];
        if (!ssl__moved(c, ssl__cuda_wait(c, j->flush))) return;
        if (!v->halt) continue;
        ssl__cuda_tell(c, j, v);
        g->settled = g->judged;
        c->opt_step = j->opt_step; /* whoever clears the error goes on from there */
        if (c->state[0]) c->k->fill(c, c->n_state, 0.0f, c->state[0]);
        ssl__put(c, g->verdict, &fresh, sizeof fresh);
        return;
    }
}
static void ssl__cuda_settle_all(ssl_ctx *c)
{
    ssl__moved(c, ssl__cuda_finish(c));
    if (!c->status) ssl__cuda_settle(c, ((ssl__cuda *)c->gpu)->judged);
}
static void ssl__cuda_step_end(ssl_ctx *c) /* the device is at most two steps behind */
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    ssl__cuda_flush(c);
    g->steps++;
    while (!c->status && g->settled < g->judged && g->judgement[g->settled % SSL__JUDGEMENTS].step < g->steps - 2) ssl__cuda_settle(c, g->settled + 1);
}

/* ==== >>optim ==== one pass over memory ================================================================== */
static void ssl__cuda_sumsq(ssl_ctx *c, int64_t n, const float *x, float *y) { ssl__cuda_total(c, SSL__TERM_SQUARE, n, 0.0f, 0.0f, 1.0, x, NULL, y); }
static __global__ void ssl__k_rescale(int64_t n, float s, float *y) { SSL__EACH(i, n) y[i] *= s; }
static void ssl__cuda_rescale(ssl_ctx *c, int64_t n, float s, float *y) { SSL__LAUNCH(c, ssl__k_rescale, ssl__grid(n), n, s, y); }
/* One launch for all stretches, 28 B a value (SGD 20): four values a thread, which looks up the stretch they belong to. What follows an
   update at once joins it, as the values are at hand: averages of parameters (ssl_ema_update, 8 B a value instead of 12) and their copy
   in bf16 where there is one (2 B instead of 6). */
enum { SSL__FOLLOWERS = 4 };
typedef struct ssl__follower { int64_t begin, n, to; float a; } ssl__follower; /* y[to..] = a y + (1 - a) of what begins at begin */
typedef struct ssl__updates {
    int64_t n;
    const ssl__update *u;
    float *w, *g, *m, *v;   /* v NULL: SGD */
    uint2 *narrow;          /* the copy, 4 values each, or NULL */
    int n_updates, n_followers;
    ssl__follower follower[SSL__FOLLOWERS];
} ssl__updates;
static __device__ const ssl__update *ssl__update_at(const ssl__updates *s, int64_t i) /* NULL: frozen */
{
    int first = 0, last = s->n_updates - 1;
    while (first < last) {
        const int middle = (first + last + 1) / 2;
        if (s->u[middle].begin <= i) first = middle;
        else last = middle - 1;
    }
    return i >= s->u[first].begin && i < s->u[first].begin + s->u[first].n ? s->u + first : NULL;
}
static __device__ __forceinline__ void ssl__update_one(const ssl__update *u, float scale, float g, float *w, float *m, float *v)
{
    const float d = scale * g + u->l2 * *w;
    *m = u->beta1 * *m + (v ? u->rest1 : 1.0f) * d;
    if (!v) { *w -= u->rate * (u->nesterov ? u->beta1 * *m + d : *m); return; }
    *v = u->beta2 * *v + u->rest2 * (d * d);
    *w = u->shrink * *w - u->rate * *m / (sqrtf(*v) * u->debias2 + u->eps);
}
static __device__ __forceinline__ void ssl__load_four(const float *x, int64_t four, float v[4])
{ const float4 f = ((const float4 *)(const void *)x)[four]; v[0] = f.x; v[1] = f.y; v[2] = f.z; v[3] = f.w; }
static __device__ __forceinline__ float4 ssl__store_four(float *x, int64_t four, const float v[4])
{ const float4 f = { v[0], v[1], v[2], v[3] }; return ((float4 *)(void *)x)[four] = f; }
static __device__ __forceinline__ void ssl__update_keep(const ssl__updates *s, int64_t four, const float w[4])
{
    const float4 f = ssl__store_four(s->w, four, w);
    if (s->narrow) s->narrow[four] = ssl__four_halves(f);
}
static __global__ void ssl__k_update(ssl__updates s)
{
    SSL__EACH(k, s.n / 4) {
        const ssl__update *const u = ssl__update_at(&s, 4 * k);
        const float scale = u ? u->scale * (u->factor ? u->factor[0] : 1.0f) : NAN;
        if (!ssl__k_finite(scale)) continue; /* frozen, or halted */
        const int64_t state = k + (u->slot - u->begin) / 4;
        float w[4], g[4], m[4], v[4];
        ssl__load_four(s.w, k, w);
        ssl__load_four(s.g, state, g);
        ssl__load_four(s.m, state, m);
        if (s.v) ssl__load_four(s.v, state, v);
        SSL__REPEAT for (int q = 0; q < 4; q++) { ssl__update_one(u, scale, g[q], &w[q], &m[q], s.v ? &v[q] : NULL); g[q] = 0.0f; }
        ssl__update_keep(&s, k, w);
        ssl__store_four(s.g, state, g);
        ssl__store_four(s.m, state, m);
        if (s.v) ssl__store_four(s.v, state, v);
        for (int f = 0; f < s.n_followers; f++) {
            const ssl__follower *const t = &s.follower[f];
            const int64_t to = (4 * k - t->begin + t->to) / 4;
            if (4 * k < t->begin || 4 * k >= t->begin + t->n) continue;
            ssl__load_four(s.w, to, g);
            SSL__REPEAT for (int q = 0; q < 4; q++) g[q] = t->a * g[q] + (1.0f - t->a) * w[q];
            ssl__update_keep(&s, to, g);
        }
    }
}
static void ssl__cuda_update(ssl_ctx *c, int n, const ssl__update *u, float *w, float *g, float *m, float *v)
{
    ssl__cuda *gpu = (ssl__cuda *)c->gpu;
    ssl__updates s;
    if (n == 0) return;
    memset(&s, 0, sizeof s);
    if (gpu->n_updates < n) {
        if (gpu->updates) c->dev->release(c, gpu->updates);
        gpu->updates = (ssl__update *)ssl__device_alloc(c, c->at, sizeof *u * (size_t)n);
        gpu->n_updates = gpu->updates ? n : 0;
    }
    if (!gpu->updates || !ssl__put(c, gpu->updates, u, sizeof *u * (size_t)n)) return;
    s.n = u[n - 1].begin + u[n - 1].n; s.u = gpu->updates; s.w = w; s.g = g; s.m = m; s.v = v; s.n_updates = n;
    if (w == c->values && gpu->narrowed) s.narrow = (uint2 *)(void *)gpu->narrow;
    SSL__LAUNCH(c, ssl__k_update, ssl__grid(s.n / 4), s);
}
static void ssl__cuda_adam(ssl_ctx *c, int n, const ssl__update *u, float *w, float *g, float *m, float *v) { ssl__cuda_update(c, n, u, w, g, m, v); }
static void ssl__cuda_sgd(ssl_ctx *c, int n, const ssl__update *u, float *w, float *g, float *m) { ssl__cuda_update(c, n, u, w, g, m, NULL); }

static __global__ void ssl__k_ema(int64_t n, float a, const ssl__verdict *v, const float *x, float *y) { SSL__EACH(i, n) if (!v->halt) y[i] = a * y[i] + (1.0f - a) * x[i]; }
static int ssl__cuda_follow(ssl_ctx *c, int64_t n, float a, const float *x, const float *y) /* with the update that was asked for last; 0: not possible */
{
    ssl__tasks *l = &((ssl__cuda *)c->gpu)->now;
    const ssl__task *last = l->n ? &l->task[l->n - 1] : NULL;
    ssl__updates *s = last && last->kernel == (const void *)ssl__k_update ? (ssl__updates *)(void *)(l->bytes + last->args + last->place[0]) : NULL;
    ssl__follower *f;
    if (!s || s->n_followers == SSL__FOLLOWERS || x < s->w || x >= s->w + s->n || y < c->values || y >= c->values + c->n_flat) return 0;
    f = &s->follower[s->n_followers++];
    f->begin = x - s->w; f->n = n; f->to = y - s->w; f->a = a;
    return 1;
}
static void ssl__cuda_ema(ssl_ctx *c, int64_t n, float a, const float *x, float *y) /* x: trained parameters, or none */
{
    if (ssl__cuda_follow(c, n, a, x, y)) return;
    ssl__cuda_written(c, y);
    SSL__LAUNCH(c, ssl__k_ema, ssl__grid(n), n, a, ((ssl__cuda *)c->gpu)->verdict, x, y);
}

/* ==== >>augment ==== a block makes a view; the random choices come from the host ========================
 * The steps of ssl_augment in its order, on a [c,H,W] in device memory and, where a step reads its neighbours, a second one. */
SSL_HD static SSL__INLINE float ssl__clampf(float x, float hi);
SSL_HD static SSL__INLINE float ssl__gray(float r, float g, float b, float max);
SSL_HD static SSL__INLINE void ssl__shift_hue(float shift, float in, float out, float *red, float *green, float *blue);
SSL_HD static SSL__INLINE int ssl__reflect(int i, int n);
SSL_HD static SSL__INLINE float ssl__triangle(int i, float center, float half);
SSL_HD static SSL__INLINE int ssl__resize_n(int in, int out, int antialias);
SSL_HD static SSL__INLINE float ssl__rand_factor(float L, float s);
SSL_HD static SSL__INLINE float ssl__rand_threshold(float L);
SSL_HD static SSL__INLINE int ssl__rand_map(ssl__rand_op op, float L, float s, int h, int w, float m[6]);
SSL_HD static SSL__INLINE int ssl__rand_stretch(const int count[256], int pixels, int equalize, float table[256]);
SSL_HD static SSL__INLINE float ssl__rand_level(int k, int add, int bits);
typedef struct ssl__picture { int c, h, w; float *x, *other; } ssl__picture; /* what a block works on; other: as large */
#define SSL__EACH_PIXEL(i, n) for (int i = (int)threadIdx.x; i < (n); i += SSL__THREADS)

/* Where output i of a resize looks: taps pixels from first on, their weights' sum. */
typedef struct ssl__resample { int first, taps; float center, half, sum; } ssl__resample;
static __device__ ssl__resample ssl__resample_at(int i, int in, int out, int antialias)
{
    const float scale = (float)in / (float)out;
    ssl__resample l;
    l.half = antialias && scale > 1.0f ? scale : 1.0f;
    l.center = scale * ((float)i + 0.5f);
    l.taps = ssl__resize_n(in, out, antialias);
    l.first = SSL__MIN(SSL__MAX((int)(l.center - l.half + 0.5f), 0), in - l.taps);
    l.sum = 0.0f;
    for (int k = 0; k < l.taps; k++) l.sum += ssl__triangle(l.first + k, l.center, l.half);
    return l;
}
/* Pixel (i, j) of the box of a plane, which may reach over the edge: mirrored there, or black. */
static __device__ float ssl__box_pixel(const uint8_t *plane, int h, int w, int reflect, int i, int j)
{
    const int r = ssl__reflect(i, h), t = ssl__reflect(j, w);
    return reflect || (r == i && t == j) ? (float)plane[r * w + t] : 0.0f;
}
static __device__ void ssl__view_crop(const ssl_augment_desc *d, const ssl_view_box *b, const uint8_t *image, int h, int w, const ssl__picture *p)
{
    const int bh = b->y1 - b->y0, bw = b->x1 - b->x0, reflect = d->crop != SSL_CROP_PADDED || !d->pad_black, whole = bh == p->h && bw == p->w;
    SSL__EACH_PIXEL(e, p->c * p->h * p->w) {
        const int j = e % p->w, i = e / p->w % p->h, y = b->vflip ? p->h - 1 - i : i, x = b->hflip ? p->w - 1 - j : j;
        const uint8_t *plane = image + (int64_t)(e / p->w / p->h) * h * w;
        float v = 0.0f;
        if (whole) v = ssl__box_pixel(plane, h, w, reflect, b->y0 + y, b->x0 + x) / 255.0f;
        else {
            const ssl__resample ly = ssl__resample_at(y, bh, p->h, !d->no_antialias), lx = ssl__resample_at(x, bw, p->w, !d->no_antialias);
            for (int t = 0; t < lx.taps; t++) {
                float column = 0.0f;
                for (int r = 0; r < ly.taps; r++)
                    column += ssl__triangle(ly.first + r, ly.center, ly.half) / ly.sum * ssl__box_pixel(plane, h, w, reflect, b->y0 + ly.first + r, b->x0 + lx.first + t);
                v += ssl__triangle(lx.first + t, lx.center, lx.half) / lx.sum * (1.0f / 255.0f) * column;
            }
        }
        p->x[e] = v;
    }
}

static __device__ void ssl__view_affine(const ssl__picture *p, float factor, float offset) /* factor x + offset in 0..1 */
{ SSL__EACH_PIXEL(e, p->c * p->h * p->w) p->x[e] = ssl__clampf(factor * p->x[e] + offset, 1.0f); }
static __device__ float ssl__view_gray(const ssl__picture *p, int i)
{ const int n = p->h * p->w; return p->c == 3 ? ssl__gray(p->x[i], p->x[n + i], p->x[2 * n + i], 1.0f) : p->x[i]; }
static __device__ void ssl__view_contrast(const ssl__picture *p, float factor)
{
    double sum = 0.0;
    SSL__EACH_PIXEL(i, p->h * p->w) sum += (double)ssl__view_gray(p, i);
    ssl__view_affine(p, factor, (1.0f - factor) * (float)(ssl__block_sum(sum) / ((double)p->h * (double)p->w)));
}
static __device__ void ssl__view_saturation(const ssl__picture *p, float factor)
{
    SSL__EACH_PIXEL(i, p->c == 3 ? p->h * p->w : 0) {
        const float g = (1.0f - factor) * ssl__view_gray(p, i);
        for (int k = 0; k < 3; k++) { float *v = &p->x[k * p->h * p->w + i]; *v = ssl__clampf(factor * *v + g, 1.0f); }
    }
}
static __device__ void ssl__view_hue(const ssl__picture *p, float shift)
{ SSL__EACH_PIXEL(i, p->c == 3 ? p->h * p->w : 0) ssl__shift_hue(shift, 1.0f, 1.0f, &p->x[i], &p->x[p->h * p->w + i], &p->x[2 * p->h * p->w + i]); }
static __device__ void ssl__view_grayscale(const ssl__picture *p)
{ SSL__EACH_PIXEL(i, p->c == 3 ? p->h * p->w : 0) { const float g = ssl__view_gray(p, i); for (int k = 0; k < 3; k++) p->x[k * p->h * p->w + i] = g; } }
static __device__ void ssl__view_solarize(const ssl__picture *p, float threshold)
{ SSL__EACH_PIXEL(e, p->c * p->h * p->w) p->x[e] = p->x[e] < threshold ? p->x[e] : 1.0f - p->x[e]; }
/* y = x blurred along rows (step 1) or columns (step w); position i of n in that direction */
static __device__ void ssl__view_blur_pass(const ssl__picture *p, int kernel, const float *weight, int columns, const float *x, float *y)
{
    SSL__EACH_PIXEL(e, p->c * p->h * p->w) {
        const int step = columns ? p->w : 1, n = columns ? p->h : p->w, i = e / step % n;
        float sum = 0.0f;
        for (int k = 0; k < kernel; k++) sum += weight[k] * x[e + (ssl__reflect(i + k - kernel / 2, n) - i) * step];
        y[e] = sum;
    }
}
static __device__ void ssl__view_blur(const ssl__picture *p, int kernel, float sigma)
{
    __shared__ float weight[128];
    float sum = 0.0f;
    __syncthreads();
    if ((int)threadIdx.x < kernel) {
        const float d = (float)((int)threadIdx.x - kernel / 2) / sigma;
        weight[threadIdx.x] = expf(-0.5f * d * d);
    }
    __syncthreads();
    for (int k = 0; k < kernel; k++) sum += weight[k];
    __syncthreads();
    if ((int)threadIdx.x < kernel) weight[threadIdx.x] /= sum;
    __syncthreads();
    ssl__view_blur_pass(p, kernel, weight, 0, p->x, p->other);
    __syncthreads();
    ssl__view_blur_pass(p, kernel, weight, 1, p->other, p->x);
}

/* ---- RandAugment ---- */
static __device__ int ssl__view_level(float x) { return (int)(255.0f * x + 0.5f); }
static __device__ void ssl__view_histogram(const ssl__picture *p, int equalize)
{
    __shared__ int count[256], change;
    __shared__ float table[256];
    const int n = p->h * p->w;
    for (int k = 0; k < p->c; k++) {
        __syncthreads();
        count[threadIdx.x] = 0;
        __syncthreads();
        SSL__EACH_PIXEL(i, n) atomicAdd(&count[ssl__view_level(p->x[k * n + i])], 1); /* whole numbers: any order gives the same */
        __syncthreads();
        if (threadIdx.x == 0) change = ssl__rand_stretch(count, n, equalize, table);
        __syncthreads();
        SSL__EACH_PIXEL(i, change ? n : 0) p->x[k * n + i] = table[ssl__view_level(p->x[k * n + i])];
    }
}
static __device__ void ssl__view_warp(const ssl__picture *p, const float m[6], const float fill[3])
{
    SSL__EACH_PIXEL(e, p->c * p->h * p->w) {
        const int j = e % p->w, i = e / p->w % p->h, ch = e / p->w / p->h;
        const float u = m[0] * (float)j + m[1] * (float)i + m[2], v = m[3] * (float)j + m[4] * (float)i + m[5];
        const int u0 = (int)floorf(u), v0 = (int)floorf(v);
        float sum = 0.0f;
        for (int k = 0; k < 4; k++) {
            const int col = u0 + (k & 1), row = v0 + (k >> 1), inside = col >= 0 && col < p->w && row >= 0 && row < p->h;
            const float a = (k & 1 ? u - (float)u0 : 1.0f - u + (float)u0) * (k >> 1 ? v - (float)v0 : 1.0f - v + (float)v0);
            sum += a * (inside ? p->x[(ch * p->h + row) * p->w + col] : fill[ch]);
        }
        p->other[e] = sum;
    }
}
static __device__ void ssl__view_sharpness(const ssl__picture *p, float factor)
{
    SSL__EACH_PIXEL(e, p->c * p->h * p->w) {
        const int j = e % p->w, i = e / p->w % p->h, edge = i == 0 || j == 0 || i == p->h - 1 || j == p->w - 1;
        float sum = 4.0f * p->x[e];
        for (int k = 0; k < 9 && !edge; k++) sum += p->x[e + (k / 3 - 1) * p->w + k % 3 - 1];
        p->other[e] = edge ? p->x[e] : ssl__clampf(factor * p->x[e] + (1.0f - factor) * (sum / 13.0f), 1.0f);
    }
}
static __device__ void ssl__view_rand(const ssl__picture *p, const ssl__rand_choice *q, const float fill[3])
{
    const float factor = ssl__rand_factor(q->strength, q->sign), L = q->strength;
    const int moved = q->op == SSL__RAND_SHARPNESS || (q->op >= SSL__RAND_SHEAR_X && q->op < SSL__RAND_OPS) || q->op == SSL__RAND_ROTATE, n = p->c * p->h * p->w;
    float m[6];
    if (ssl__rand_map(q->op, L, q->sign, p->h, p->w, m)) ssl__view_warp(p, m, fill);
    else switch (q->op) {
    case SSL__RAND_AUTOCONTRAST: case SSL__RAND_EQUALIZE: ssl__view_histogram(p, q->op == SSL__RAND_EQUALIZE); break;
    case SSL__RAND_INVERT: ssl__view_solarize(p, -1.0f); break;
    case SSL__RAND_POSTERIZE: SSL__EACH_PIXEL(e, n) { p->x[e] = ssl__rand_level(ssl__view_level(p->x[e]), 0, 4 - (int)(4.0f * L)); } break;
    case SSL__RAND_SOLARIZE: ssl__view_solarize(p, ssl__rand_threshold(L)); break;
    case SSL__RAND_SOLARIZE_ADD: SSL__EACH_PIXEL(e, n) { p->x[e] = ssl__rand_level(ssl__view_level(p->x[e]), (int)(110.0f * L), 8); } break;
    case SSL__RAND_COLOR: ssl__view_saturation(p, factor); break;
    case SSL__RAND_CONTRAST: ssl__view_contrast(p, factor); break;
    case SSL__RAND_BRIGHTNESS: ssl__view_affine(p, factor, 0.0f); break;
    case SSL__RAND_SHARPNESS: ssl__view_sharpness(p, factor); break;
    default: break;
    }
    __syncthreads();
    SSL__EACH_PIXEL(e, moved ? n : 0) p->x[e] = p->other[e];
}

static __device__ void ssl__view_jitter(const ssl__picture *p, const ssl__view_plan *plan)
{
    for (int k = 0; k < 4; k++) {
        const int op = plan->order[k];
        const float a = op >= 0 ? plan->amount[op] : 0.0f;
        __syncthreads();
        if (op == 0) ssl__view_affine(p, a, 0.0f);
        else if (op == 1) ssl__view_contrast(p, a);
        else if (op == 2) ssl__view_saturation(p, a);
        else if (op == 3) ssl__view_hue(p, a);
    }
}
static __global__ void ssl__k_augment(ssl_augment_desc d, const uint8_t *images, int h, int w, const int32_t *index, const char *plans, int plan_bytes,
                                      ssl__picture all, float solid0, float solid1, float solid2)
{
    const ssl__view_plan *plan = (const ssl__view_plan *)(plans + (int64_t)blockIdx.x * plan_bytes);
    const int n = all.c * all.h * all.w, pixels = all.h * all.w;
    const float fill[3] = { solid0, solid1, solid2 };
    ssl__picture p = all;
    p.x += (int64_t)blockIdx.x * n;
    if (p.other) p.other += (int64_t)blockIdx.x * n;
    ssl__view_crop(&d, &plan->box, images + (index ? (int64_t)index[blockIdx.x] : (int64_t)blockIdx.x) * p.c * h * w, h, w, &p);
    for (int k = 0; k < plan->n_rand; k++) { __syncthreads(); ssl__view_rand(&p, &plan->rand[k], fill); }
    if (plan->jitter) ssl__view_jitter(&p, plan);
    __syncthreads();
    if (plan->gray) ssl__view_grayscale(&p);
    if (plan->sigma > 0.0f) ssl__view_blur(&p, d.blur_kernel, plan->sigma);
    __syncthreads();
    if (plan->solarize) ssl__view_solarize(&p, d.solarize_threshold);
    SSL__EACH_PIXEL(e, d.no_normalize ? 0 : n) p.x[e] = (p.x[e] - d.mean[e / pixels]) / d.std_dev[e / pixels];
}
static float ssl__rand_fill(const ssl_augment_desc *d, int channel);
static void ssl__cuda_augment(ssl_ctx *c, const char *at, const ssl_augment_desc *d, const uint8_t *images, const int *shape, int n, const int32_t *index,
                              const ssl__view_plan *plan, ssl_tensor *view)
{
    const size_t plan_bytes = offsetof(ssl__view_plan, rand) + sizeof plan->rand[0] * (size_t)d->rand_ops, index_bytes = index ? (sizeof *index * (size_t)n + 15) & ~(size_t)15 : 0;
    const size_t bytes = index_bytes + plan_bytes * (size_t)n;
    char *host = (char *)ssl__arena_alloc(c, &c->host, at, bytes), *device = (char *)ssl__step_alloc(c, at, bytes);
    ssl__picture p = { shape[0], view->dim[2], view->dim[3], view->x, NULL };
    if (d->blur_p > 0.0f || d->rand_ops) p.other = (float *)ssl__cuda_work(c, sizeof(float) * (size_t)ssl_numel(view));
    if (c->status || !host || !device) return;
    memset(host, 0, index_bytes);
    if (index) memcpy(host, index, sizeof *index * (size_t)n);
    for (int i = 0; i < n; i++) memcpy(host + index_bytes + plan_bytes * (size_t)i, &plan[i], plan_bytes);
    c->at = at;
    if (!ssl__put(c, device, host, bytes)) return;
    SSL__LAUNCH(c, ssl__k_augment, (unsigned)n, *d, images, shape[1], shape[2], index ? (const int32_t *)device : NULL, device + index_bytes, (int)plan_bytes, p,
                ssl__rand_fill(d, 0), ssl__rand_fill(d, 1), ssl__rand_fill(d, 2));
}

/* ==== >>eval ============================================================================================= */
static __device__ double ssl__warp_sum_double(double v)
{
    for (int o = 16; o; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
    return v;
}
static __global__ void ssl__k_unit_rows(int rows, int cols, float *x)
{
    SSL__EACH_WARP(row, rows) {
        float *const v = x + row * cols;
        double s = 0.0;
        for (int j = SSL__LANE; j < cols; j += 32) s += (double)v[j] * (double)v[j];
        s = ssl__warp_sum_double(s);
        s = s > 0.0 ? 1.0 / sqrt(s) : 0.0;
        for (int j = SSL__LANE; j < cols; j += 32) v[j] = (float)((double)v[j] * s);
    }
}
static void ssl__cuda_unit_rows(ssl_ctx *c, int rows, int cols, float *x) { SSL__LAUNCH(c, ssl__k_unit_rows, ssl__grid_warps(rows), rows, cols, x); }

/* A block has 32 columns, each warp every SSL__WARPS-th row of them. */
static __device__ double ssl__column_sum(double v, double *part) /* of a lane over the block's warps, the same in each; part [SSL__WARPS,32] */
{
    double s = 0.0;
    __syncthreads();
    part[threadIdx.x] = v;
    __syncthreads();
    for (int w = 0; w < SSL__WARPS; w++) s += part[w * 32 + SSL__LANE];
    return s;
}
static __global__ void ssl__k_column_stats(int rows, int cols, const float *x, double *stat)
{
    __shared__ double part[SSL__THREADS];
    const int j = (int)blockIdx.x * 32 + SSL__LANE, inside = j < cols;
    double s = 0.0, square = 0.0;
    for (int i = (int)threadIdx.x / 32; inside && i < rows; i += SSL__WARPS) s += (double)x[(int64_t)i * cols + j];
    const double mean = ssl__column_sum(s, part) / rows;
    for (int i = (int)threadIdx.x / 32; inside && i < rows; i += SSL__WARPS) { const double d = (double)x[(int64_t)i * cols + j] - mean; square += d * d; }
    square = ssl__column_sum(square, part);
    if (!inside || threadIdx.x >= 32) return;
    stat[j] = mean;
    stat[cols + j] = ssl__inverse_deviation(rows, mean, square);
}
static void ssl__cuda_column_stats(ssl_ctx *c, int rows, int cols, const float *x, double *stat)
{ SSL__LAUNCH(c, ssl__k_column_stats, (unsigned)((cols + 31) / 32), rows, cols, x, stat); }
static __global__ void ssl__k_standardize(int64_t n, int cols, const double *stat, float *x)
{
    SSL__EACH(i, n) x[i] = (float)(((double)x[i] - stat[i % cols]) * stat[cols + i % cols]);
}
static void ssl__cuda_standardize(ssl_ctx *c, int rows, int cols, const double *stat, float *x)
{ const int64_t n = (int64_t)rows * cols; SSL__LAUNCH(c, ssl__k_standardize, ssl__grid(n), n, cols, stat, x); }

/* A warp a row: 32 values at a time are held against the least of the best. */
static __global__ void ssl__k_nearest(int rows, int cols, int first, int k, const float *x, float *best, int32_t *place)
{
    SSL__EACH_WARP(row, rows) {
        float *const b = best + row * k;
        int32_t *const at = place + row * k;
        for (int j = 0; j < cols; j += 32) {
            const float own = j + SSL__LANE < cols ? x[row * cols + j + SSL__LANE] : -INFINITY;
            unsigned more = __ballot_sync(0xffffffffu, own > b[k - 1]);
            for (; more; more &= more - 1) {
                const int from = j + __ffs((int)more) - 1;
                const float v = x[row * cols + from];
                for (int last = k - 1; last >= 0; last -= 32) { /* what is smaller moves one place on */
                    const int p = last - SSL__LANE;
                    const float here = p >= 0 ? b[p] : INFINITY, before = p > 0 ? b[p - 1] : INFINITY;
                    const int32_t place_before = p > 0 ? at[p - 1] : 0;
                    __syncwarp();
                    if (v > here) {
                        b[p] = v > before ? before : v;
                        at[p] = v > before ? place_before : first + from;
                    }
                    __syncwarp();
                    if (__ballot_sync(0xffffffffu, v > here) != 0xffffffffu) break;
                }
            }
        }
    }
}
static void ssl__cuda_nearest(ssl_ctx *c, int rows, int cols, int first, int k, const float *x, float *best, int32_t *place)
{ SSL__LAUNCH(c, ssl__k_nearest, ssl__grid_warps(rows), rows, cols, first, k, x, best, place); }

static __global__ void ssl__k_vote(int rows, int k, int classes, float temperature, const float *x, const int32_t *place, const int32_t *label, float *z)
{
    SSL__EACH_WARP(row, rows) {
        float *const v = z + row * classes;
        for (int j = SSL__LANE; j < classes; j += 32) v[j] = 0.0f;
        __syncwarp();
        for (int j = 0; SSL__LANE == 0 && j < k; j++) v[label[place[row * k + j]]] += ssl__exp((x[row * k + j] - x[row * k]) / temperature);
        __syncwarp();
        for (int j = SSL__LANE; j < classes; j += 32) v[j] = logf(v[j] + 1.0f / (float)classes);
    }
}
static void ssl__cuda_vote(ssl_ctx *c, int rows, int k, int classes, float temperature, const float *x, const int32_t *place, const int32_t *label, float *z)
{ SSL__LAUNCH(c, ssl__k_vote, ssl__grid_warps(rows), rows, k, classes, temperature, x, place, label, z); }

static __global__ void ssl__k_classify(int rows, int cols, float scale, const int32_t *label, float *z, double *loss) /* a block has SSL__SHARE rows */
{
    const int end = SSL__MIN(rows, ((int)blockIdx.x + 1) * SSL__SHARE);
    double s = 0.0;
    for (int i = (int)blockIdx.x * SSL__SHARE + (int)threadIdx.x / 32; i < end; i += SSL__WARPS) {
        float *const v = z + (int64_t)i * cols;
        const float own = v[label[i]];
        float top = -INFINITY, sum = 0.0f;
        for (int j = SSL__LANE; j < cols; j += 32) top = fmaxf(top, v[j]);
        top = ssl__warp_max(top);
        for (int j = SSL__LANE; j < cols; j += 32) sum += ssl__exp(v[j] - top);
        sum = ssl__warp_sum(sum);
        for (int j = SSL__LANE; j < cols; j += 32) v[j] = ssl__exp(v[j] - top) * (scale / sum) - (j == label[i] ? scale : 0.0f);
        if (SSL__LANE == 0) s += log((double)sum) + (double)top - (double)own;
    }
    s = ssl__block_sum(s);
    if (threadIdx.x == 0) loss[blockIdx.x] = s;
}
static void ssl__cuda_classify(ssl_ctx *c, int rows, int cols, const int32_t *label, float *z, double *loss)
{ SSL__LAUNCH(c, ssl__k_classify, (unsigned)((rows + SSL__SHARE - 1) / SSL__SHARE), rows, cols, 1.0f / (float)rows, label, z, loss); }

static __global__ void ssl__k_score(int rows, int cols, const int32_t *label, const float *z, double *part) /* a block has SSL__SHARE rows */
{
    const int end = SSL__MIN(rows, ((int)blockIdx.x + 1) * SSL__SHARE);
    double sum[SSL__SCORES] = {};
    for (int i = (int)blockIdx.x * SSL__SHARE + (int)threadIdx.x / 32; i < end; i += SSL__WARPS) {
        const float *const v = z + (int64_t)i * cols;
        const int own = label[i];
        float top = -INFINITY, before = 0.0f;
        double all = 0.0;
        if (own < 0 || own >= cols) continue;
        for (int j = SSL__LANE; j < cols; j += 32) {
            top = fmaxf(top, v[j]);
            before += (float)(v[j] > v[own] || (v[j] == v[own] && j < own));
        }
        top = ssl__warp_max(top);
        for (int j = SSL__LANE; j < cols; j += 32) all += exp((double)v[j] - (double)top);
        all = ssl__warp_sum_double(all);
        before = ssl__warp_sum(before);
        if (SSL__LANE) continue;
        sum[0] += before < 1.0f;
        sum[1] += before < 3.0f;
        sum[2] += before < 5.0f;
        sum[3] += log(all) + (double)top - (double)v[own];
        sum[4] += 1.0;
    }
    for (int s = 0; s < SSL__SCORES; s++) {
        const double all = ssl__block_sum(sum[s]);
        if (threadIdx.x == 0) part[(int)blockIdx.x * SSL__SCORES + s] = all;
    }
}
static __global__ void ssl__k_score_sum(int shares, const double *part, double *sum)
{
    for (int i = 0; threadIdx.x < SSL__SCORES && i < shares; i++) sum[threadIdx.x] += part[i * SSL__SCORES + (int)threadIdx.x];
}
static void ssl__cuda_score(ssl_ctx *c, int rows, int cols, const int32_t *label, const float *z, double *sum)
{
    const int shares = (rows + SSL__SHARE - 1) / SSL__SHARE;
    double *part = (double *)ssl__cuda_work(c, sizeof *part * SSL__SCORES * (size_t)shares);
    if (!part) return;
    SSL__LAUNCH(c, ssl__k_score, (unsigned)shares, rows, cols, label, z, part);
    SSL__LAUNCH(c, ssl__k_score_sum, 1, shares, part, sum);
}

/* A row of blocks for each pair of rows b <= a, each with a share of their n values; then a thread a pair adds the shares. */
static __global__ void ssl__k_products(int64_t n, int rows, const float *v, double *part)
{
    const int a = (int)blockIdx.y / rows, b = (int)blockIdx.y % rows;
    const float *const p = v + a * n, *const q = v + b * n;
    double s = 0.0;
    if (b > a) return;
    SSL__EACH(i, n) s += (double)p[i] * (double)q[i];
    s = ssl__block_sum(s);
    if (threadIdx.x == 0) part[blockIdx.y * gridDim.x + blockIdx.x] = s;
}
static __global__ void ssl__k_products_sum(int shares, int rows, const double *part, double *y)
{
    SSL__EACH(i, rows * rows) {
        const int a = (int)i / rows, b = (int)i % rows;
        double s = 0.0;
        for (int j = 0; b <= a && j < shares; j++) s += part[i * shares + j];
        if (b <= a) y[a * rows + b] = y[b * rows + a] = s;
    }
}
static void ssl__cuda_products(ssl_ctx *c, int64_t n, int rows, const float *v, double *y)
{
    const unsigned shares = (unsigned)SSL__MAX((int64_t)1, SSL__MIN((int64_t)64, n / (16 * SSL__THREADS)));
    double *part = (double *)ssl__cuda_work(c, sizeof *part * (size_t)(rows * rows) * shares);
    if (!part) return;
    SSL__LAUNCH(c, ssl__k_products, dim3(shares, (unsigned)(rows * rows)), n, rows, v, part);
    SSL__LAUNCH(c, ssl__k_products_sum, ssl__grid(rows * rows), (int)shares, rows, part, y);
}
static __global__ void ssl__k_extent(int64_t n, const float *x, double *y) /* one block */
{
    __shared__ float most[2][SSL__WARPS];
    float a = -INFINITY, b = -INFINITY;
    for (int64_t i = threadIdx.x; i < n; i += SSL__THREADS) { a = fmaxf(a, x[i]); b = fmaxf(b, -x[i]); }
    a = ssl__warp_max(a);
    b = ssl__warp_max(b);
    if (SSL__LANE == 0) { most[0][threadIdx.x / 32] = a; most[1][threadIdx.x / 32] = b; }
    __syncthreads();
    if (threadIdx.x >= 2) return;
    for (int w = 0; w < SSL__WARPS; w++) a = w ? fmaxf(a, most[threadIdx.x][w]) : most[threadIdx.x][0];
    y[threadIdx.x] = (double)a;
}
static void ssl__cuda_extent(ssl_ctx *c, int64_t n, const float *x, double *y) { SSL__LAUNCH(c, ssl__k_extent, 1, n, x, y); }
static __global__ void ssl__k_combine(int64_t n, ssl__mixture m, const float *v, float *y)
{
    SSL__EACH(i, n) {
        double s = 0.0;
        for (int r = 0; r < m.rows; r++) s += m.of[r] * (double)v[r * n + i];
        y[i] = (float)s;
    }
}
static void ssl__cuda_combine(ssl_ctx *c, int64_t n, const ssl__mixture *m, const float *v, float *y) { SSL__LAUNCH(c, ssl__k_combine, ssl__grid(n), n, *m, v, y); }

/* ==== >>dataset ==== 8-bit images on the device, while a loader reads them ============================== */
static const uint8_t *ssl__cuda_hold(ssl_ctx *c, const char *at, const uint8_t *images, size_t bytes)
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    ssl__held *h = g->held, *free_one = NULL;
    for (; h < g->held + SSL__HELD; h++) {
        if (h->users && h->host == images && h->bytes == bytes) { h->users++; return h->device; }
        if (!h->users) free_one = h;
    }
    if (!free_one || bytes > ssl__cuda_mem_available() / 2) return NULL;
    free_one->device = (uint8_t *)ssl__device_alloc(c, at, bytes);
    if (!free_one->device || !ssl__put(c, free_one->device, images, bytes)) return NULL;
    free_one->host = images;
    free_one->bytes = bytes;
    free_one->users = 1;
    return free_one->device;
}
static void ssl__cuda_let_go(ssl_ctx *c, const uint8_t *images)
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    for (ssl__held *h = g->held; h < g->held + SSL__HELD; h++)
        if (h->users && h->device == images && --h->users == 0) c->dev->release(c, h->device);
}

/* What does not fit is sent batch by batch, 8 bits a channel, from pinned memory that the loader's threads fill ahead. */
static void *ssl__cuda_pin(ssl_ctx *c, const char *at, size_t bytes)
{
    void *p = NULL;
    c->n_allocs++;
    if (cudaMallocHost(&p, bytes) == cudaSuccess) return p;
    cudaGetLastError();
    ssl__fail(c, SSL_E_MEMORY, at, "out of memory: %zu bytes of pinned memory asked for; use a smaller batch", bytes);
    return NULL;
}
static void ssl__cuda_unpin(ssl_ctx *c, void *p)
{
    ssl__cuda_finish(c); /* a copy may still read it */
    cudaFreeHost(p);
}
static int64_t ssl__cuda_send(ssl_ctx *c, void *dst, const void *pinned, size_t bytes, int64_t after) /* a ticket is a flush */
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    cudaError_t e = cudaSuccess;
    ssl__cuda_flush(c); /* what was asked for so far does not wait for the copy */
    if (c->status == SSL_E_CUDA) return 0;
    if (after > 0 && after > g->flushes - SSL__FLIGHT) e = cudaStreamWaitEvent(g->sending, g->done[after % SSL__FLIGHT], 0);
    if (e == cudaSuccess) e = cudaMemcpyAsync(dst, pinned, bytes, cudaMemcpyHostToDevice, g->sending);
    if (e == cudaSuccess) e = cudaEventRecord(g->arrived, g->sending);
    if (e == cudaSuccess) e = cudaStreamWaitEvent(g->stream, g->arrived, 0);
    ssl__moved(c, ssl__cuda_ok(c, e));
    return g->flushes + 1;
}
static void ssl__cuda_sent(ssl_ctx *c, int64_t ticket) { ssl__moved(c, ssl__cuda_wait(c, ticket)); }

/* ==== >>context ========================================================================================== */
#define SSL__KERNEL(name, args) ssl__cuda_##name,
static const ssl__kernels ssl__cuda_kernels = { "cuda", SSL__KERNELS_ALL };
static const ssl__map_kernels ssl__cuda_map_kernels = { SSL__KERNELS_MAPS };
static const ssl__half_kernels ssl__cuda_half_kernels = { SSL__KERNELS_HALF };
static const ssl__half_map_kernels ssl__cuda_half_map_kernels = { SSL__KERNELS_HALF_MAPS SSL__KERNELS_IMAGE_NORM };
#undef SSL__KERNEL
static const ssl__backend ssl__cuda_backend = { ssl__cuda_mem_alloc, ssl__cuda_mem_release, ssl__cuda_mem_put, ssl__cuda_mem_get, ssl__cuda_mem_copy, ssl__cuda_hand,
                                                ssl__cuda_mem_available, ssl__cuda_error, ssl__cuda_fetch, ssl__cuda_fetched, ssl__cuda_judge,
                                                ssl__cuda_clip, ssl__cuda_trust, ssl__cuda_step_end, ssl__cuda_settle_all, ssl__cuda_hold, ssl__cuda_let_go,
                                                ssl__cuda_pin, ssl__cuda_unpin, ssl__cuda_send, ssl__cuda_sent, ssl__cuda_augment };

static int ssl__cuda_usable(ssl_ctx *c, const char *at, cudaFuncAttributes *image) /* 0 after an error that says why not */
{
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
    else if ((e = cudaFuncGetAttributes(image, (const void *)ssl__k_fill)) != cudaSuccess)
        ssl__fail(c, SSL_E_CUDA, at, "ssl_open: this program holds no code for this GPU (%s): build it with nvcc -arch=native", cudaGetErrorString(e));
    cudaGetLastError();
    return !c->status;
}
static cudaError_t ssl__cuda_resources(ssl__cuda *g) /* its stream, events and pinned memory */
{
    const ssl__verdict fresh = { 0, 0, 1.0f };
    cudaError_t e = cudaStreamCreateWithFlags(&g->stream, cudaStreamNonBlocking);
    if (e == cudaSuccess) e = cudaStreamCreateWithFlags(&g->sending, cudaStreamNonBlocking);
    if (e == cudaSuccess) e = cudaEventCreateWithFlags(&g->arrived, cudaEventDisableTiming);
    for (int i = 0; i < SSL__FLIGHT && e == cudaSuccess; i++) e = cudaEventCreateWithFlags(&g->done[i], cudaEventDisableTiming);
    if (e == cudaSuccess) e = cudaMallocHost((void **)&g->stage, 2 * (size_t)SSL__STAGE);
    if (e == cudaSuccess) e = cudaMallocHost((void **)&g->read, sizeof(float) * SSL__READINGS);
    if (e == cudaSuccess) e = cudaMallocHost((void **)&g->told, sizeof *g->told * SSL__JUDGEMENTS);
    if (e == cudaSuccess) e = cudaMalloc((void **)&g->verdict, sizeof *g->verdict);
    return e == cudaSuccess ? cudaMemcpy(g->verdict, &fresh, sizeof fresh, cudaMemcpyHostToDevice) : e;
}
static void ssl__cuda_open(ssl_ctx *c, const char *at)
{
    const char *sync = getenv("SSL_CUDA_SYNC"), *graph = getenv("SSL_CUDA_GRAPH");
    ssl__cuda *g;
    cudaFuncAttributes image = {};
    cudaError_t e;
    int n = 0;
    if (!ssl__cuda_usable(c, at, &image) || !(g = (ssl__cuda *)ssl__alloc(c, at, sizeof *g))) return;
    c->gpu = g;
    g->sync = sync && *sync && *sync != '0';
    g->graphs = !graph || *graph != '0';
    g->tensor = image.ptxVersion >= SSL__TENSOR_ARCH;
    if (cudaGetDevice(&n) == cudaSuccess) cudaDeviceGetAttribute(&g->units, cudaDevAttrMultiProcessorCount, n);
    if ((e = ssl__cuda_resources(g)) != cudaSuccess) { ssl__fail(c, SSL_E_CUDA, at, "ssl_open: the GPU cannot be used: %s", cudaGetErrorString(e)); return; }
    c->k = &ssl__cuda_kernels;
    c->half = g->tensor ? &ssl__cuda_half_kernels : NULL;
    c->dev = &ssl__cuda_backend;
}
static void ssl__cuda_close(ssl_ctx *c)
{
    ssl__cuda *g = (ssl__cuda *)c->gpu;
    int i;
    if (!g) return;
    if (g->sending) cudaStreamSynchronize(g->sending);
    if (g->stream) cudaStreamSynchronize(g->stream);
#ifdef SSL_CUBLASLT
    ssl__lt_close(g);
#endif
    for (i = 0; i < SSL__GRAPHS; i++) ssl__cuda_graph_drop(&g->graph[i]);
    for (i = 0; i < SSL__JUDGEMENTS; i++) ssl__release(g->judgement[i].tape);
    for (i = 0; i < SSL__FLIGHT; i++) if (g->done[i]) cudaEventDestroy(g->done[i]);
    ssl__release(g->now.task);
    ssl__release(g->now.bytes);
    ssl__release(g->tape.host);
    ssl__release(g->params.host);
    cudaFree(g->work);
    cudaFree(g->verdict);
    cudaFree(g->part);
    cudaFree(g->narrow);
    cudaFree(g->updates);
    cudaFree(g->tape.device);
    cudaFree(g->params.device);
    cudaFreeHost(g->stage);
    cudaFreeHost(g->read);
    cudaFreeHost(g->told);
    if (g->arrived) cudaEventDestroy(g->arrived);
    if (g->sending) cudaStreamDestroy(g->sending);
    if (g->stream) cudaStreamDestroy(g->stream);
    ssl__release(g);
}
