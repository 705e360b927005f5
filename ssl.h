/* ssl.h - self-supervised vision learning in one C header.
 *
 * Copy this file (and ssl_cuda.cuh for NVIDIA GPUs) into a project; in exactly one source file define SSL_IMPLEMENTATION
 * before including it. A complete program, which pre-trains a masked autoencoder on the built-in images:
 *
 *     #define SSL_IMPLEMENTATION
 *     #include "ssl.h"
 *     int main(void)
 *     {
 *         ssl_ctx     *ctx  = ssl_open(NULL);                    // CPU, all cores, seed 0
 *         ssl_dataset *data = ssl_dataset_open(ctx, "synthetic");
 *         ssl_loader  *load = ssl_loader_open(data, NULL);
 *         ssl_mae     *mae  = ssl_mae_new(ctx, "mae", NULL);     // ViT-Tiny, mask ratio 0.75
 *         ssl_batch    b;
 *         while (ssl_ok(ctx) && ssl_loader_next(load, &b)) {
 *             ssl_backward(ssl_mae_loss(mae, b.images, NULL));
 *             ssl_adamw_step(ctx, 1e-3f);
 *             ssl_step_end(ctx);
 *         }
 *         ssl_save(ctx, "mae.safetensors");
 *         return ssl_close(ctx);                                 // 0, or the first error's code
 *     }
 *
 *     cc   -O2 -fopenmp prog.c   -lm -pthread                    // C11, all cores; -fopenmp is optional
 *     c++  -O2 -fopenmp prog.cpp -lm -pthread                    // C++17
 *     nvcc -O3 -x cu -arch=native prog.c                         // the same program with the CUDA backend inside
 *
 * No -march or -O3 is needed: the kernels are optimized for several instruction sets whatever the flags, the best is chosen at start.
 *
 * CONTENTS (search for a token: the first hit is the public part, the next ones kernels and implementation)
 *     basics       >>options >>types >>context >>rng >>tensor >>param
 *     ops          >>op >>broadcast >>reduce >>shape >>token >>norm >>loss >>dropout >>attention >>conv >>batchnorm >>mask
 *     networks     >>layer >>block >>vit >>resnet >>backbone >>mlp
 *     objectives   >>apl >>mae >>mask-token-mae >>randsac >>jigsaw >>rotation >>mp3 >>contrast >>fmc >>amdim >>pairs >>pixpro >>cpc >>siamese
 *     training     >>optim >>image >>dataset >>augment >>loader
 *     afterwards   >>tune >>eval >>report >>checkpoint
 *     inside       >>kernels >>platform >>math >>simd >>gemm
 *
 * OPTIONS (all for the implementation file only, unless it says "everywhere")
 *     SSL_STATIC                   everywhere: every function static, for a private copy in one file; the smallest program
 *     SSL_STB_IMAGE "stb_image.h"  read image folders; the path of stb_image.h. A unit that has included it already needs nothing
 *     SSL_STB_IMAGE_WRITE "..."    write PNG pictures; the path of stb_image_write.h
 *     SSL_MALLOC(n), SSL_FREE(p)   both or neither; default malloc, free
 *     SSL_ASSERT(c)                default assert; guards our own bugs only, never your input
 *     SSL_NO_THREADS               no pthreads: loaders work in the foreground
 *     SSL_PORTABLE                 only the plain C kernels
 *     SSL_CUBLASLT                 matrix products on a GPU by cuBLASLt (link with -lcublasLt), to compare with
 *     environment SSL_ISA=portable|avx2|avx512|avx512bf16|amx|neon  forces one instruction set
 *     environment SSL_DEVICE=cuda      contexts whose desc names no device are on the GPU
 *     environment SSL_CUDA_SYNC=1      every kernel runs at once and is waited for: a fault names its call and your line
 *     environment SSL_CUDA_GRAPH=0     kernels are launched one by one
 *
 * CONVENTIONS
 *     Layout       contiguous row-major float32 (indices int32, masks uint8), 1 to 6 axes. Images [B,C,H,W], tokens [B,T,D].
 *     Axes         B batch, T or L tokens, D embedding, H heads (or rows), C channels, P patch, K classes or queue.
 *     Lifetime     op results and inputs live until ssl_step_end; parameters, models, data sets and loaders until ssl_close.
 *     Defaults     a desc struct of zeros (ssl_mae_desc d = SSL_ZERO;) or NULL means every default; SSL_EXPLICIT_ZERO is a real 0
 *                  where 0 is not the default.
 *     Errors       the first error is printed once with your file and line and stays: every later call is a quiet no-op that
 *                  returns the nil tensor, never NULL. Loops run while ssl_ok(ctx). Nothing exits or aborts.
 *     Names        parameters are named as in timm (ViT), torchvision (ResNet) or the original code, under the prefix given
 *                  to ssl_x_new; "" gives the bare names.
 *     Threads      one context may be used by one thread at a time; several contexts can live side by side.
 *     Determinism  same seed, same bits, for any number of threads on one machine type; every random draw is Philox 4x32-10.
 *     Precision    of products, a property of the context. highest: float32 (3x3 convolutions by Winograd's F(4x4,3x3), relative
 *                  error 1e-6). high: float32 as three bf16 products where the CPU has AMX (2e-5 of a product), TF32 on a GPU, else
 *                  as highest. bf16: operands rounded to bf16, those of convolutions on a CPU only where AVX512_BF16 multiplies them, at
 *                  3x3 with stride 1 in the backward pass alone. Sums, everything that is no product, weights and moments: float32.
 *                  A GPU keeps at bf16 what lies inside of transformer and residual blocks, and its gradients, in bf16 too.
 *     GPU          calls return before they have run: a step's kernels start together when it ends or when a value is read. A sequence
 *                  that comes again becomes a CUDA graph and is replayed with the numbers of its step; another shape makes another
 *                  graph. Reading (ssl_item, ssl_to_host) waits for all that was asked for before: log a loss by ssl_item_begin and,
 *                  one step later, ssl_item_end. Losses and gradients that are not finite and faults of a kernel are told at the
 *                  next reading or at most two steps later; the parameters are then as they were before that step.
 */
#ifndef SSL_VISION_H_INCLUDED
#define SSL_VISION_H_INCLUDED
#include <stddef.h>
#include <stdint.h>

#define SSL_VISION_VERSION 100 /* 0.1.0 */

/* ==== >>options ====================================================================================== */
#if defined(__GNUC__) || defined(__clang__)
#  define SSL__UNUSED       __attribute__((unused))
#  define SSL__PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#  define SSL__UNUSED
#  define SSL__PRINTF(f, a)
#endif
#ifndef SSL_API
#  ifdef SSL_STATIC
#    define SSL_API static SSL__UNUSED
#  else
#    define SSL_API extern
#  endif
#endif
#ifdef __cplusplus
#  define SSL_ZERO {}  /* C++: {0} trips -Wmissing-field-initializers */
#else
#  define SSL_ZERO {0} /* C11: {} is an extension until C23 */
#endif
#define SSL_EXPLICIT_ZERO (-1.0f) /* for float fields where 0 means "default": write this for a real 0 */
#define SSL__STR2(x) #x
#define SSL__STR(x)  SSL__STR2(x)
#define SSL_HERE     __FILE__ ":" SSL__STR(__LINE__)
#define SSL_CALL(name) "\1" name "\1" SSL_HERE /* a place that tells the call, too: errors of the calls inside begin with it */

#ifdef __cplusplus
extern "C" {
#endif

/* ==== >>types ======================================================================================== */
#define SSL_DIMS 6 /* the most axes a tensor can have */

typedef enum ssl_status { SSL_OK = 0, SSL_E_ARG, SSL_E_SHAPE, SSL_E_MEMORY, SSL_E_IO, SSL_E_NAN, SSL_E_CUDA } ssl_status;
typedef enum ssl_dtype { SSL_F32 = 0, SSL_I32, SSL_U8, SSL_BF16 } ssl_dtype; /* BF16: results inside of a layer at precision bf16, on a GPU or a CPU with AVX512_BF16; no op returns one */
typedef enum ssl_device { SSL_DEVICE_DEFAULT = 0, SSL_DEVICE_CPU, SSL_DEVICE_CUDA } ssl_device;
typedef enum ssl_precision { SSL_PRECISION_DEFAULT = 0, SSL_PRECISION_HIGHEST, SSL_PRECISION_HIGH, SSL_PRECISION_BF16 } ssl_precision;
typedef enum ssl_act { SSL_ACT_DEFAULT = 0, SSL_ACT_NONE, SSL_ACT_RELU, SSL_ACT_GELU, SSL_ACT_GELU_TANH } ssl_act;

typedef struct ssl_ctx ssl_ctx;
typedef struct ssl_tensor ssl_tensor;
typedef void (*ssl_error_fn)(ssl_status code, const char *message, void *user);

/* A contiguous row-major array of up to 6 axes. Fields are for reading; on a GPU the data pointers are device pointers
   (use ssl_to_host). Tensors made by ops live until ssl_step_end, parameters until ssl_close. */
struct ssl_tensor {
    ssl_ctx *ctx;
    const char *op, *at;             /* what made it, and the caller's file:line */
    ssl_dtype dtype;
    int ndim, dim[SSL_DIMS];
    float *x;                        /* values, dtype SSL_F32 (SSL_BF16: of two bytes each, g too) */
    int32_t *i;                      /* values, dtype SSL_I32   */
    uint8_t *u;                      /* values, dtype SSL_U8    */
    float *g;                        /* gradient, or NULL while nothing has arrived */
    int needs_grad, keep_grad;       /* keep_grad: g survives ssl_backward (parameters, ssl_requires_grad) */
    ssl_tensor *param;               /* the parameter whose values these are, or some of them; NULL for all else */
    int n_in;
    ssl_tensor **in;                 /* inputs of the op that made it */
    void (*back)(ssl_tensor *y);     /* adds to the gradients of in[], reading y->g */
    void (*remake)(ssl_tensor *y);   /* fills x again, which was handed back in the forward pass; NULL: x stays */
    int inner;                       /* x is handed back when the backward pass has gone by */
    void *aux;                       /* what back needs beside in[] */
    ssl_tensor *prev;                /* tape: the node recorded before this one */
};

#define SSL_VIEWS 16 /* the most views of an image */
/* Where a view comes from: rows y0..y1 and columns x0..x1 of the image (ends exclusive), and whether it was mirrored. */
typedef struct ssl_view_box { int y0, y1, x0, x1, hflip, vflip; } ssl_view_box;

/* ==== >>context ====================================================================================== */
typedef struct ssl_desc {
    uint32_t _start_canary;
    ssl_device device;       /* default CPU, or what SSL_DEVICE=cuda in the environment says */
    ssl_precision precision; /* default SSL_PRECISION_HIGHEST: true float32 products */
    int threads;             /* default: all cores (1 without OpenMP) */
    uint64_t seed;           /* default 0 */
    ssl_error_fn on_error;   /* default: print the message to stderr */
    void *on_error_user;
    uint32_t _end_canary;
} ssl_desc;

typedef struct ssl_memory {
    uint64_t n_allocs;            /* allocations since ssl_open; constant in a steady training loop */
    size_t step_bytes, step_peak; /* step arena: in use now, and the most since ssl_open */
    size_t param_bytes;           /* values; gradients and moments of what is trained */
} ssl_memory;

/* Open a context; desc may be NULL. Never returns NULL: if memory runs out the returned context carries the error. */
#define ssl_open(...) ssl_open_at(SSL_HERE, __VA_ARGS__)
SSL_API ssl_ctx *ssl_open_at(const char *at, const ssl_desc *desc);
SSL_API int ssl_close(ssl_ctx *ctx);                 /* frees everything; returns the first error's code, 0 if none */
SSL_API int ssl_ok(const ssl_ctx *ctx);              /* 1 while no error happened: the condition of every loop */
SSL_API ssl_status ssl_error(const ssl_ctx *ctx);    /* the first error's code */
SSL_API const char *ssl_error_message(const ssl_ctx *ctx);
SSL_API void ssl_error_clear(ssl_ctx *ctx);          /* forget the error, e.g. after falling back to another file */
SSL_API void ssl_step_end(ssl_ctx *ctx);             /* drops every tensor made since the last call */
SSL_API ssl_memory ssl_memory_stats(const ssl_ctx *ctx);
SSL_API void ssl_train(ssl_ctx *ctx, int training);  /* 1 (default): dropout, drop path, batch statistics; 0: evaluation */
SSL_API void ssl_no_grad(ssl_ctx *ctx, int on);      /* 1: ops record nothing (evaluation, momentum targets); nests by count */
SSL_API const char *ssl_isa(const ssl_ctx *ctx);     /* "portable", "avx2", "avx512", "neon" or "cuda" */
SSL_API void ssl_raise_at(const char *at, ssl_ctx *ctx, ssl_status code, const char *message); /* for errors of your own ops */
#define ssl_raise(...) ssl_raise_at(SSL_HERE, __VA_ARGS__)

/* ==== >>rng ==== Philox 4x32-10 (Salmon et al. 2011): draw i of stream s under a seed is a pure function of the three. */
typedef struct ssl_rng { uint64_t seed, stream, index; uint32_t buf[4]; } ssl_rng;
SSL_API ssl_rng ssl_rng_make(uint64_t seed, uint64_t stream);
SSL_API uint32_t ssl_rng_u32(ssl_rng *r);
SSL_API float ssl_rng_uniform(ssl_rng *r);           /* [0,1), 24 bits */
SSL_API float ssl_rng_normal(ssl_rng *r);            /* mean 0, deviation 1 */
SSL_API int ssl_rng_below(ssl_rng *r, int n);        /* 0..n-1 */
SSL_API uint64_t ssl_rng_stream(ssl_ctx *ctx);       /* a fresh stream number; the counter is saved in checkpoints */

/* ==== >>tensor ======================================================================================= */
/* Step tensors from host data (NULL = zeros): ssl_input(ctx, data, ndim, d0, d1, ...). */
#define ssl_input(...)     ssl_input_at(SSL_HERE, __VA_ARGS__)
#define ssl_input_i32(...) ssl_input_i32_at(SSL_HERE, __VA_ARGS__)
#define ssl_input_u8(...)  ssl_input_u8_at(SSL_HERE, __VA_ARGS__)
SSL_API ssl_tensor *ssl_input_at(const char *at, ssl_ctx *ctx, const float *data, int ndim, ...);
SSL_API ssl_tensor *ssl_input_i32_at(const char *at, ssl_ctx *ctx, const int32_t *data, int ndim, ...);
SSL_API ssl_tensor *ssl_input_u8_at(const char *at, ssl_ctx *ctx, const uint8_t *data, int ndim, ...);
SSL_API ssl_tensor *ssl_requires_grad(ssl_tensor *t);           /* make an input a leaf whose gradient is kept; returns t */
SSL_API int64_t ssl_numel(const ssl_tensor *t);
SSL_API float ssl_item(const ssl_tensor *t);                    /* the first value; NaN after an error */
/* The same value without waiting for the GPU: a ticket now, the value later, after this step or the next (ssl_item_end waits if
   it must). The last 64 tickets are kept. A loop that logs the loss of the step before keeps the GPU busy all the time. */
SSL_API int64_t ssl_item_begin(const ssl_tensor *t);
SSL_API float ssl_item_end(ssl_ctx *ctx, int64_t ticket);
SSL_API int ssl_to_host(const ssl_tensor *t, void *dst);        /* copy all values out; 1 on success */
SSL_API int ssl_grad_to_host(const ssl_tensor *t, float *dst);  /* copy the gradient out (zeros if none arrived) */
/* Differentiate a one-element tensor: adds to the gradient of every parameter that took part, and clears the tape.
   A NaN or infinite loss is an error that names the first op that produced one. On a GPU the error comes later, when a value is
   read or two steps further at the latest, names the step and the op all the same, and no parameter has changed since. */
#define ssl_backward(...) ssl_backward_at(SSL_HERE, __VA_ARGS__)
SSL_API void ssl_backward_at(const char *at, ssl_tensor *loss);

/* A differentiable op of your own: shape and inputs, a forward that fills y->x and a backward that adds to in[]->g where
   ssl_grad_of(in) is not NULL. `params` (n bytes) is copied and found again in y->aux. Runs on the CPU backend. */
typedef void (*ssl_op_fn)(ssl_tensor *y);
#define ssl_custom_op(...) ssl_custom_op_at(SSL_HERE, __VA_ARGS__)
SSL_API ssl_tensor *ssl_custom_op_at(const char *at, ssl_ctx *ctx, const char *name, ssl_op_fn forward, ssl_op_fn backward,
                                     const void *params, size_t n, int n_in, ssl_tensor *const *in, int ndim, const int *dim);
SSL_API float *ssl_grad_of(ssl_tensor *t); /* gradient to accumulate into (zeroed on first use), NULL if t needs none */

/* ==== >>param ======================================================================================== */
/* Parameters live in flat buffers, in creation order: values, and once they are trained gradients and moments. */
typedef enum ssl_init_kind {
    SSL_INIT_ZEROS = 0, SSL_INIT_CONSTANT, SSL_INIT_NORMAL, SSL_INIT_TRUNC_NORMAL, SSL_INIT_UNIFORM,
    SSL_INIT_XAVIER_UNIFORM, SSL_INIT_KAIMING_NORMAL_FAN_OUT, SSL_INIT_TORCH
} ssl_init_kind;
typedef struct ssl_init { ssl_init_kind kind; float value; } ssl_init; /* value: constant, deviation, or bound */
SSL_API ssl_init ssl_init_make(ssl_init_kind kind, float value);

#define ssl_param(...) ssl_param_at(SSL_HERE, __VA_ARGS__)
/* Create (or, if the name exists with the same shape, find) a parameter: ssl_param(ctx, init, "head.weight", 2, K, D). */
SSL_API ssl_tensor *ssl_param_at(const char *at, ssl_ctx *ctx, ssl_init init, const char *name, int ndim, ...);
SSL_API ssl_tensor *ssl_param_find(ssl_ctx *ctx, const char *name);  /* NULL if there is none of that name */
SSL_API int ssl_param_count(const ssl_ctx *ctx);
SSL_API ssl_tensor *ssl_param_at_index(ssl_ctx *ctx, int i, const char **name);
SSL_API int64_t ssl_param_total(const ssl_ctx *ctx);                 /* trainable values in all */
/* Options of every parameter whose name matches pattern ('*' matches any run of characters); returns how many matched.
   lr_scale multiplies the learning rate, decay_scale the weight decay, frozen parameters (buffers, targets) are not trained. */
SSL_API int ssl_param_group(ssl_ctx *ctx, const char *pattern, float lr_scale, float decay_scale, int frozen);
SSL_API void ssl_zero_grad(ssl_ctx *ctx);

/* ==== >>op ==== elementwise ========================================================================== */
#define ssl_relu(...)       ssl_relu_at(SSL_HERE, __VA_ARGS__)       /* max(x, 0) */
#define ssl_gelu(...)       ssl_gelu_at(SSL_HERE, __VA_ARGS__)       /* x (1 + erf(x / sqrt 2)) / 2 */
#define ssl_gelu_tanh(...)  ssl_gelu_tanh_at(SSL_HERE, __VA_ARGS__)  /* x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2 */
#define ssl_sigmoid(...)    ssl_sigmoid_at(SSL_HERE, __VA_ARGS__)    /* 1 / (1 + exp(-x)) */
#define ssl_tanh(...)       ssl_tanh_at(SSL_HERE, __VA_ARGS__)       /* tanh x */
#define ssl_exp(...)        ssl_exp_at(SSL_HERE, __VA_ARGS__)        /* e^x */
#define ssl_log(...)        ssl_log_at(SSL_HERE, __VA_ARGS__)        /* ln x */
#define ssl_sqrt(...)       ssl_sqrt_at(SSL_HERE, __VA_ARGS__)       /* sqrt x */
#define ssl_square(...)     ssl_square_at(SSL_HERE, __VA_ARGS__)     /* x^2 */
#define ssl_abs(...)        ssl_abs_at(SSL_HERE, __VA_ARGS__)        /* |x| */
#define ssl_scale(...)      ssl_scale_at(SSL_HERE, __VA_ARGS__)      /* s x            ssl_scale(x, s) */
#define ssl_add_scalar(...) ssl_add_scalar_at(SSL_HERE, __VA_ARGS__) /* x + s          ssl_add_scalar(x, s) */
#define ssl_pow(...)        ssl_pow_at(SSL_HERE, __VA_ARGS__)        /* x^p, x >= 0    ssl_pow(x, p) */
#define ssl_clamp_min(...)  ssl_clamp_min_at(SSL_HERE, __VA_ARGS__)  /* max(x, lo)     ssl_clamp_min(x, lo) */
#define ssl_tanh_clip(...)  ssl_tanh_clip_at(SSL_HERE, __VA_ARGS__)  /* c tanh(x / c)  ssl_tanh_clip(x, c) */
SSL_API ssl_tensor *ssl_relu_at(const char *at, ssl_tensor *x);
SSL_API ssl_tensor *ssl_gelu_at(const char *at, ssl_tensor *x);
SSL_API ssl_tensor *ssl_gelu_tanh_at(const char *at, ssl_tensor *x);
SSL_API ssl_tensor *ssl_sigmoid_at(const char *at, ssl_tensor *x);
SSL_API ssl_tensor *ssl_tanh_at(const char *at, ssl_tensor *x);
SSL_API ssl_tensor *ssl_exp_at(const char *at, ssl_tensor *x);
SSL_API ssl_tensor *ssl_log_at(const char *at, ssl_tensor *x);
SSL_API ssl_tensor *ssl_sqrt_at(const char *at, ssl_tensor *x);
SSL_API ssl_tensor *ssl_square_at(const char *at, ssl_tensor *x);
SSL_API ssl_tensor *ssl_abs_at(const char *at, ssl_tensor *x);
SSL_API ssl_tensor *ssl_scale_at(const char *at, ssl_tensor *x, float s);
SSL_API ssl_tensor *ssl_add_scalar_at(const char *at, ssl_tensor *x, float s);
SSL_API ssl_tensor *ssl_pow_at(const char *at, ssl_tensor *x, float p);
SSL_API ssl_tensor *ssl_clamp_min_at(const char *at, ssl_tensor *x, float lo);
SSL_API ssl_tensor *ssl_tanh_clip_at(const char *at, ssl_tensor *x, float c);

/* ---- products ---- */
/* y = act(x w^T + b) + residual.  x [..., I], w [O,I], b [O] or NULL, residual [..., O] or NULL, y [..., O].
   ssl_linear(x, w, b) is the plain one; ssl_linear_fused adds activation and residual in the product's epilogue. */
#define ssl_linear(...)       ssl_linear_at(SSL_HERE, __VA_ARGS__)
#define ssl_linear_fused(...) ssl_linear_fused_at(SSL_HERE, __VA_ARGS__)
SSL_API ssl_tensor *ssl_linear_at(const char *at, ssl_tensor *x, ssl_tensor *w, ssl_tensor *b);
SSL_API ssl_tensor *ssl_linear_fused_at(const char *at, ssl_tensor *x, ssl_tensor *w, ssl_tensor *b, ssl_act act, ssl_tensor *residual);
/* y = op(a) op(b) over the last two axes; leading axes equal, or b has only two (shared by all). ta, tb: stored transposed. */
#define ssl_matmul(...)   ssl_matmul_t_at(SSL_HERE, __VA_ARGS__, 0, 0)
#define ssl_matmul_t(...) ssl_matmul_t_at(SSL_HERE, __VA_ARGS__)     /* ssl_matmul_t(a, b, ta, tb) */
SSL_API ssl_tensor *ssl_matmul_t_at(const char *at, ssl_tensor *a, ssl_tensor *b, int ta, int tb);

/* ==== >>broadcast ==== a + b and friends with NumPy broadcasting ===================================== */
/* Axes are aligned from the last; two are equal or one of them is 1 and repeats. The result has the longer shape. */
#define ssl_add(...) ssl_add_at(SSL_HERE, __VA_ARGS__)               /* a + b */
#define ssl_sub(...) ssl_sub_at(SSL_HERE, __VA_ARGS__)               /* a - b */
#define ssl_mul(...) ssl_mul_at(SSL_HERE, __VA_ARGS__)               /* a b   */
#define ssl_div(...) ssl_div_at(SSL_HERE, __VA_ARGS__)               /* a / b */
SSL_API ssl_tensor *ssl_add_at(const char *at, ssl_tensor *a, ssl_tensor *b);
SSL_API ssl_tensor *ssl_sub_at(const char *at, ssl_tensor *a, ssl_tensor *b);
SSL_API ssl_tensor *ssl_mul_at(const char *at, ssl_tensor *a, ssl_tensor *b);
SSL_API ssl_tensor *ssl_div_at(const char *at, ssl_tensor *a, ssl_tensor *b);

/* ==== >>reduce ==== sums and means =================================================================== */
#define ssl_sum(...)  ssl_sum_at(SSL_HERE, __VA_ARGS__)              /* all elements -> [1] */
#define ssl_mean(...) ssl_mean_at(SSL_HERE, __VA_ARGS__)
SSL_API ssl_tensor *ssl_sum_at(const char *at, ssl_tensor *x);
SSL_API ssl_tensor *ssl_mean_at(const char *at, ssl_tensor *x);
#define SSL_AXIS(i) (1u << (i))                                      /* axes of a sum: SSL_AXIS(1) | SSL_AXIS(2) */
#define ssl_sum_axes(...)  ssl_sum_axes_at(SSL_HERE, __VA_ARGS__)    /* over some axes; keep 1: they stay with size 1 */
#define ssl_mean_axes(...) ssl_mean_axes_at(SSL_HERE, __VA_ARGS__)   /* ssl_mean_axes(x, SSL_AXIS(1), 0): [B,T,D] -> [B,D] */
SSL_API ssl_tensor *ssl_sum_axes_at(const char *at, ssl_tensor *x, unsigned axes, int keep);
SSL_API ssl_tensor *ssl_mean_axes_at(const char *at, ssl_tensor *x, unsigned axes, int keep);

/* ==== >>shape ==== views and rearrangements ========================================================== */
#define ssl_reshape(...) ssl_reshape_at(SSL_HERE, __VA_ARGS__)       /* ssl_reshape(x, ndim, d0, ...); one -1 is inferred; free */
#define ssl_detach(...)  ssl_detach_at(SSL_HERE, __VA_ARGS__)        /* same values, no gradient passes */
SSL_API ssl_tensor *ssl_reshape_at(const char *at, ssl_tensor *x, int ndim, ...);
SSL_API ssl_tensor *ssl_detach_at(const char *at, ssl_tensor *x);
#define ssl_expand(...)  ssl_expand_at(SSL_HERE, __VA_ARGS__)        /* repeat axes of size 1: ssl_expand(x, ndim, d0, ...) */
#define ssl_permute(...) ssl_permute_at(SSL_HERE, __VA_ARGS__)       /* axis i of the result is axis p_i of x: ssl_permute(x, p0, p1, ...) */
#define ssl_concat(...)  ssl_concat_at(SSL_HERE, __VA_ARGS__)        /* join n tensors along an axis: ssl_concat(axis, n, list) */
#define ssl_slice(...)   ssl_slice_at(SSL_HERE, __VA_ARGS__)         /* elements begin..end-1 of an axis: ssl_slice(x, axis, begin, end) */
/* Negative axes count from the last. Permute, concat and slice also move SSL_I32. */
SSL_API ssl_tensor *ssl_expand_at(const char *at, ssl_tensor *x, int ndim, ...);
SSL_API ssl_tensor *ssl_permute_at(const char *at, ssl_tensor *x, ...);
SSL_API ssl_tensor *ssl_concat_at(const char *at, int axis, int n, ssl_tensor *const *t);
SSL_API ssl_tensor *ssl_slice_at(const char *at, ssl_tensor *x, int axis, int begin, int end);

/* ==== >>token ==== gather, scatter, patchify, positions ============================================== */
#define ssl_gather_tokens(...)    ssl_gather_tokens_at(SSL_HERE, __VA_ARGS__)    /* y[b,k,:] = x[b, index[b,k], :]; indices may repeat */
#define ssl_index_select(...)     ssl_index_select_at(SSL_HERE, __VA_ARGS__)     /* y[b,k,:] = x[b, index[k], :] */
#define ssl_scatter_tokens(...)   ssl_scatter_tokens_at(SSL_HERE, __VA_ARGS__)   /* y = base; y[b, index[b,k], :] = x[b,k,:]; indices differ */
#define ssl_unshuffle_tokens(...) ssl_unshuffle_tokens_at(SSL_HERE, __VA_ARGS__) /* y[b,l,:] = x[b, ids_restore[b,l], :] */
SSL_API ssl_tensor *ssl_gather_tokens_at(const char *at, ssl_tensor *x, ssl_tensor *index);      /* x [B,L,D], index I32 [B,K] -> [B,K,D] */
SSL_API ssl_tensor *ssl_index_select_at(const char *at, ssl_tensor *x, ssl_tensor *index);       /* x [B,L,D], index I32 [K] -> [B,K,D] */
SSL_API ssl_tensor *ssl_scatter_tokens_at(const char *at, ssl_tensor *base, ssl_tensor *x, ssl_tensor *index); /* [B,L,D] [B,K,D] [B,K] -> [B,L,D] */
SSL_API ssl_tensor *ssl_unshuffle_tokens_at(const char *at, ssl_tensor *x, ssl_tensor *ids_restore); /* [B,L,D], I32 [B,L] -> [B,L,D] */

/* Images [B,C,H,W] <-> patches [B,L,P*P*C], row-major, L = (H/P)(W/P). The order is that of the values inside a patch. */
typedef enum ssl_patch_order { SSL_PATCH_ROW_COL_CHANNEL = 0, SSL_PATCH_CHANNEL_ROW_COL } ssl_patch_order;
#define ssl_patchify(...)            ssl_patchify_at(SSL_HERE, __VA_ARGS__)
#define ssl_unpatchify(...)          ssl_unpatchify_at(SSL_HERE, __VA_ARGS__)
#define ssl_patchify_segments(...)   ssl_patchify_segments_at(SSL_HERE, __VA_ARGS__)
#define ssl_unpatchify_segments(...) ssl_unpatchify_segments_at(SSL_HERE, __VA_ARGS__)
SSL_API ssl_tensor *ssl_patchify_at(const char *at, ssl_tensor *images, int patch, ssl_patch_order order);
SSL_API ssl_tensor *ssl_unpatchify_at(const char *at, ssl_tensor *x, int patch, int channels, int height, int width, ssl_patch_order order);
/* RandSAC: the patch grid cut into squares of M x M patches, squares reordered by ids_shuffle I32 [B,S], sequence axis first:
   images [B,C,H,W] <-> [L,B,P*P*C], values inside a patch by row, column, channel. */
SSL_API ssl_tensor *ssl_patchify_segments_at(const char *at, ssl_tensor *images, int patch, int m, ssl_tensor *ids_shuffle);
SSL_API ssl_tensor *ssl_unpatchify_segments_at(const char *at, ssl_tensor *seq, ssl_tensor *ids_shuffle, int patch, int m, int channels, int height, int width);
/* Fixed positions of a grid x grid map into out [grid*grid (+1), dim], host memory: sin and cos of column, then of row, at
   frequencies 10000^(-k/(dim/4)); a zero row first for a class token. dim must be divisible by 4 (otherwise 0 is returned). */
SSL_API int ssl_sincos2d(int dim, int grid, int cls_token, float *out);

/* ---- order and chance, without gradient ---- */
#define ssl_argsort(...)        ssl_argsort_at(SSL_HERE, __VA_ARGS__)        /* x F32 or I32 [..., L] -> I32, ascending along the last axis, stable */
#define ssl_random_uniform(...) ssl_random_uniform_at(SSL_HERE, __VA_ARGS__) /* ssl_random_uniform(ctx, ndim, d0, ...): [0,1), a fresh stream each call */
SSL_API ssl_tensor *ssl_argsort_at(const char *at, ssl_tensor *x);
SSL_API ssl_tensor *ssl_random_uniform_at(const char *at, ssl_ctx *ctx, int ndim, ...);

/* ==== >>norm ==== layer norm, softmax, l2 normalize; all over the last axis, C elements ================ */
#define ssl_layer_norm(...)   ssl_layer_norm_at(SSL_HERE, __VA_ARGS__)   /* (x - mean) / sqrt(var + eps) * weight + bias */
#define ssl_softmax(...)      ssl_softmax_at(SSL_HERE, __VA_ARGS__)      /* exp(x) / sum exp(x) */
#define ssl_log_softmax(...)  ssl_log_softmax_at(SSL_HERE, __VA_ARGS__)  /* x - ln sum exp(x) */
#define ssl_l2_normalize(...) ssl_l2_normalize_at(SSL_HERE, __VA_ARGS__) /* x / max(|x|_2, eps) */
/* x [..., C]; weight, bias [C] or NULL (1, 0); var is the biased variance; eps 1e-5 in most models, 1e-6 in MAE. */
SSL_API ssl_tensor *ssl_layer_norm_at(const char *at, ssl_tensor *x, ssl_tensor *weight, ssl_tensor *bias, float eps);
SSL_API ssl_tensor *ssl_softmax_at(const char *at, ssl_tensor *x);
SSL_API ssl_tensor *ssl_log_softmax_at(const char *at, ssl_tensor *x);
SSL_API ssl_tensor *ssl_l2_normalize_at(const char *at, ssl_tensor *x, float eps);

/* ==== >>loss ==== cross entropy, mse, l1, cosine; results are [1] unless a shape is given ============= */
/* mean over counted rows of -sum_c q_c log_softmax(logits)_c, q = (1 - smoothing) onehot(target) + smoothing / C.
   logits [..., C], target I32 [...] in 0..C-1; rows with target -100 are not counted. No row counted: 0. */
#define ssl_cross_entropy(...) ssl_cross_entropy_at(SSL_HERE, __VA_ARGS__)
#define ssl_mse(...)           ssl_mse_at(SSL_HERE, __VA_ARGS__)         /* mean (a - b)^2 */
#define ssl_l1(...)            ssl_l1_at(SSL_HERE, __VA_ARGS__)          /* mean |a - b| */
#define ssl_smooth_l1(...)     ssl_smooth_l1_at(SSL_HERE, __VA_ARGS__)   /* mean of d^2 / 2 beta if |d| < beta, else |d| - beta / 2 */
SSL_API ssl_tensor *ssl_cross_entropy_at(const char *at, ssl_tensor *logits, ssl_tensor *target, float smoothing);
SSL_API ssl_tensor *ssl_mse_at(const char *at, ssl_tensor *a, ssl_tensor *b);
SSL_API ssl_tensor *ssl_l1_at(const char *at, ssl_tensor *a, ssl_tensor *b);
SSL_API ssl_tensor *ssl_smooth_l1_at(const char *at, ssl_tensor *a, ssl_tensor *b, float beta);
/* y = a.b / (max(|a|, eps) max(|b|, eps)) over the last axis, eps 1e-8.  a, b [..., C] -> [...] */
#define ssl_cosine_similarity(...) ssl_cosine_similarity_at(SSL_HERE, __VA_ARGS__)
SSL_API ssl_tensor *ssl_cosine_similarity_at(const char *at, ssl_tensor *a, ssl_tensor *b);

/* ==== >>dropout ====================================================================================== */
#define ssl_dropout(...)   ssl_dropout_at(SSL_HERE, __VA_ARGS__)     /* each element 0 with probability p, else x / (1 - p) */
#define ssl_drop_path(...) ssl_drop_path_at(SSL_HERE, __VA_ARGS__)   /* each sample (axis 0) as a whole: stochastic depth */
/* 0 <= p < 1; both return x itself where p is 0 or after ssl_train(ctx, 0). */
SSL_API ssl_tensor *ssl_dropout_at(const char *at, ssl_tensor *x, float p);
SSL_API ssl_tensor *ssl_drop_path_at(const char *at, ssl_tensor *x, float p);

/* ==== >>attention ==== y = softmax(scale q k^T + mask) v for each head ================================== */
/* q [B,Tq,D], k, v [B,Tk,D] -> [B,Tq,D]; head h owns the columns h D/heads .. of each. scale 0 means 1 / sqrt(D / heads).
   mask: NULL, U8 [Tq,Tk] or U8 [B,Tq,Tk] with 1 = blocked, or F32 [Tq,Tk] added to the scaled scores (it gets a gradient).
   causal 1 also blocks key j > query i. A query with every key blocked gets zeros. Memory grows with Tq + Tk, never Tq Tk. */
#define ssl_attention(...)         ssl_attention_at(SSL_HERE, __VA_ARGS__)         /* (q, k, v, heads, scale, mask, causal) */
#define ssl_attention_packed(...)  ssl_attention_packed_at(SSL_HERE, __VA_ARGS__)  /* qkv [B,T,3D]: q, k, v side by side */
#define ssl_attention_kv(...)      ssl_attention_kv_at(SSL_HERE, __VA_ARGS__)      /* q [B,Tq,D], kv [B,Tk,2D]: cross attention */
#define ssl_attention_weights(...) ssl_attention_weights_at(SSL_HERE, __VA_ARGS__) /* the softmax itself [B,heads,Tq,Tk], for pictures: no gradient */
SSL_API ssl_tensor *ssl_attention_at(const char *at, ssl_tensor *q, ssl_tensor *k, ssl_tensor *v, int heads, float scale, ssl_tensor *mask, int causal);
SSL_API ssl_tensor *ssl_attention_packed_at(const char *at, ssl_tensor *qkv, int heads, float scale, ssl_tensor *mask, int causal);
SSL_API ssl_tensor *ssl_attention_kv_at(const char *at, ssl_tensor *q, ssl_tensor *kv, int heads, float scale, ssl_tensor *mask, int causal);
SSL_API ssl_tensor *ssl_attention_weights_at(const char *at, ssl_tensor *q, ssl_tensor *k, int heads, float scale, ssl_tensor *mask, int causal);

/* ==== >>conv ==== convolution, pooling, interpolation ================================================ */
typedef enum ssl_pad_mode { SSL_PAD_DEFAULT = 0, SSL_PAD_ZERO, SSL_PAD_CONSTANT, SSL_PAD_REFLECT } ssl_pad_mode;
typedef enum ssl_interpolation { SSL_INTERPOLATE_DEFAULT = 0, SSL_INTERPOLATE_NEAREST, SSL_INTERPOLATE_BILINEAR } ssl_interpolation;
#define SSL_CONV_ZERO (-1) /* for padding_w where 0 means "as padding": write this for a real 0 */

typedef struct ssl_conv_desc {
    uint32_t _start_canary;
    int stride, stride_w;     /* rows, columns          default 1, as stride     */
    int padding, padding_w;   /* on both sides          default 0, as padding    */
    int dilation, dilation_w; /* from tap to tap        default 1, as dilation   */
    int groups;               /* default 1; channels for depthwise               */
    ssl_pad_mode pad_mode;    /* what the padding holds default SSL_PAD_ZERO     */
    float pad_value;          /* for SSL_PAD_CONSTANT                            */
    uint32_t _end_canary;
} ssl_conv_desc;

/* y[n,o,i,j] = bias[o] + sum_{c,r,s} w[o,c,r,s] x[n,c, i stride + r dilation - padding, j stride + s dilation - padding]
   x [N,Ci,H,W], w [Co,Ci/groups,kh,kw], bias [Co] or NULL, desc NULL for stride 1 without padding; y [N,Co,Ho,Wo],
   Ho = floor((H + 2 padding - dilation (kh - 1) - 1) / stride) + 1. */
#define ssl_conv2d(...)          ssl_conv2d_at(SSL_HERE, __VA_ARGS__)
#define ssl_pad2d(...)           ssl_pad2d_at(SSL_HERE, __VA_ARGS__)          /* rows and columns added around each plane */
#define ssl_unfold(...)          ssl_unfold_at(SSL_HERE, __VA_ARGS__)         /* windows as columns: [N, C kh kw, Ho Wo] */
#define ssl_max_pool2d(...)      ssl_max_pool2d_at(SSL_HERE, __VA_ARGS__)     /* stride 0: as kernel; padding never wins */
#define ssl_avg_pool2d(...)      ssl_avg_pool2d_at(SSL_HERE, __VA_ARGS__)     /* padding counts as zeros in the mean */
#define ssl_global_avg_pool(...) ssl_global_avg_pool_at(SSL_HERE, __VA_ARGS__) /* [N,C,H,W] -> [N,C] */
#define ssl_interpolate(...)     ssl_interpolate_at(SSL_HERE, __VA_ARGS__)    /* [N,C,H,W] -> [N,C,oh,ow], corners not aligned, no antialias */
SSL_API ssl_tensor *ssl_conv2d_at(const char *at, ssl_tensor *x, ssl_tensor *w, ssl_tensor *bias, const ssl_conv_desc *desc);
SSL_API ssl_tensor *ssl_pad2d_at(const char *at, ssl_tensor *x, int top, int bottom, int left, int right, ssl_pad_mode mode, float value);
SSL_API ssl_tensor *ssl_unfold_at(const char *at, ssl_tensor *x, int kh, int kw, const ssl_conv_desc *desc);
SSL_API ssl_tensor *ssl_max_pool2d_at(const char *at, ssl_tensor *x, int kernel, int stride, int padding);
SSL_API ssl_tensor *ssl_avg_pool2d_at(const char *at, ssl_tensor *x, int kernel, int stride, int padding);
SSL_API ssl_tensor *ssl_global_avg_pool_at(const char *at, ssl_tensor *x);
SSL_API ssl_tensor *ssl_interpolate_at(const char *at, ssl_tensor *x, int oh, int ow, ssl_interpolation mode);
SSL_API int ssl_conv_desc_resolve(const ssl_conv_desc *in, ssl_conv_desc *out); /* fills the defaults; 0: not initialized */

/* ==== >>batchnorm ==================================================================================== */
/* y = weight (x - mean) / sqrt(var + eps) + bias per channel, x [N,C] or [N,C,H,W]. In training mean and (biased) variance are
   the batch's, and running <- (1 - momentum) running + momentum batch (with the unbiased variance); in evaluation they are
   the running ones. weight and bias may be NULL; so may both running statistics (then the batch's are always used).
   ssl_batch_norm_relu: relu(y + residual), residual shaped as x or NULL, in one pass.
   Ioffe and Szegedy 2015, arXiv 1502.03167. */
#define ssl_batch_norm(...)      ssl_batch_norm_at(SSL_HERE, __VA_ARGS__)
#define ssl_batch_norm_relu(...) ssl_batch_norm_relu_at(SSL_HERE, __VA_ARGS__)
SSL_API ssl_tensor *ssl_batch_norm_at(const char *at, ssl_tensor *x, ssl_tensor *weight, ssl_tensor *bias, ssl_tensor *running_mean,
                                      ssl_tensor *running_var, float momentum, float eps);
SSL_API ssl_tensor *ssl_batch_norm_relu_at(const char *at, ssl_tensor *x, ssl_tensor *weight, ssl_tensor *bias, ssl_tensor *running_mean,
                                           ssl_tensor *running_var, float momentum, float eps, ssl_tensor *residual);
/* The same normalization over (C/groups, H, W) of each image: x [N,C] or [N,C,H,W], weight and bias [C] or NULL.
   Wu and He 2018, arXiv 1803.08494. */
#define ssl_group_norm(...) ssl_group_norm_at(SSL_HERE, __VA_ARGS__)
#define ssl_layer_norm_chw(...) ssl_layer_norm_chw_at(SSL_HERE, __VA_ARGS__) /* x [N,C,H,W], weight and bias [C,H,W] or NULL */
SSL_API ssl_tensor *ssl_group_norm_at(const char *at, ssl_tensor *x, int groups, ssl_tensor *weight, ssl_tensor *bias, float eps);
SSL_API ssl_tensor *ssl_layer_norm_chw_at(const char *at, ssl_tensor *x, ssl_tensor *weight, ssl_tensor *bias, float eps);

/* ==== >>mask ==== index lists and masks ============================================================== */
#define ssl_iota(...)          ssl_iota_at(SSL_HERE, __VA_ARGS__)          /* I32 [n]: ((start + i) / div) mod m */
#define ssl_bernoulli(...)     ssl_bernoulli_at(SSL_HERE, __VA_ARGS__)     /* U8 [rows,cols]: 1 with probability p */
#define ssl_random_ids(...)    ssl_random_ids_at(SSL_HERE, __VA_ARGS__)    /* I32 [rows,cols], uniform in 0..m-1 */
#define ssl_slice_ids(...)     ssl_slice_ids_at(SSL_HERE, __VA_ARGS__)     /* I32 [B,L] -> [B,end-begin] */
#define ssl_repeat_ids(...)    ssl_repeat_ids_at(SSL_HERE, __VA_ARGS__)    /* I32 [K] -> [rows,K] */
#define ssl_ignore(...)        ssl_ignore_at(SSL_HERE, __VA_ARGS__)        /* target where drop is 0, else -100 */
#define ssl_zero_rows(...)     ssl_zero_rows_at(SSL_HERE, __VA_ARGS__)     /* x [...,D] with the rows where drop is 1 set to 0 */
#define ssl_mask_diagonal(...) ssl_mask_diagonal_at(SSL_HERE, __VA_ARGS__) /* x [N,N] with value on the diagonal */
SSL_API ssl_tensor *ssl_iota_at(const char *at, ssl_ctx *ctx, int n, int start, int div, int m);
SSL_API ssl_tensor *ssl_bernoulli_at(const char *at, ssl_ctx *ctx, int rows, int cols, float p);
SSL_API ssl_tensor *ssl_random_ids_at(const char *at, ssl_ctx *ctx, int rows, int cols, int m);
SSL_API ssl_tensor *ssl_slice_ids_at(const char *at, ssl_tensor *ids, int begin, int end);
SSL_API ssl_tensor *ssl_repeat_ids_at(const char *at, ssl_tensor *ids, int rows);
SSL_API ssl_tensor *ssl_ignore_at(const char *at, ssl_tensor *target, ssl_tensor *drop);
SSL_API ssl_tensor *ssl_zero_rows_at(const char *at, ssl_tensor *x, ssl_tensor *drop);
SSL_API ssl_tensor *ssl_mask_diagonal_at(const char *at, ssl_tensor *x, float value);
/* Segments of patches (RandSAC). Squares: the order ids [B,S] of the M x M squares of a grid becomes the sequence of patches
   [B,L]. Blobs: each patch goes to the likeliest of a few random Gaussians, rank [B,L] is the place of its segment (0 first).
   A mask of ranks blocks later segments, strict also the own one: U8 [B,T,T]. */
#define ssl_segment_tokens(...) ssl_segment_tokens_at(SSL_HERE, __VA_ARGS__)
#define ssl_segment_mask(...)   ssl_segment_mask_at(SSL_HERE, __VA_ARGS__)
#define ssl_first_segment(...)  ssl_first_segment_at(SSL_HERE, __VA_ARGS__) /* U8: 1 where rank is 0 */
#define ssl_blob_segments(...)  ssl_blob_segments_at(SSL_HERE, __VA_ARGS__)
SSL_API ssl_tensor *ssl_segment_tokens_at(const char *at, ssl_tensor *ids, int grid, int M);
SSL_API ssl_tensor *ssl_segment_mask_at(const char *at, ssl_tensor *rank, int strict);
SSL_API ssl_tensor *ssl_first_segment_at(const char *at, ssl_tensor *rank);
SSL_API ssl_tensor *ssl_blob_segments_at(const char *at, ssl_ctx *ctx, int B, int grid, int blobs, int groups);

/* ==== >>layer ==== named groups of parameters ======================================================== */
typedef struct ssl_linear_layer { ssl_tensor *weight, *bias; } ssl_linear_layer;         /* weight [O,I], bias [O] or NULL */
typedef struct ssl_norm_layer { ssl_tensor *weight, *bias; float eps; } ssl_norm_layer;  /* weight, bias [D] */
/* "PREFIX.weight" and "PREFIX.bias"; use with ssl_linear(x, l.weight, l.bias). Biases start at zero, except with
   SSL_INIT_TORCH (nn.Linear's own: both uniform in +-1/sqrt(in)). */
#define ssl_linear_new(...) ssl_linear_new_at(SSL_CALL("ssl_linear_new"), __VA_ARGS__)
#define ssl_norm_new(...)   ssl_norm_new_at(SSL_CALL("ssl_norm_new"), __VA_ARGS__)
SSL_API ssl_linear_layer ssl_linear_new_at(const char *at, ssl_ctx *ctx, const char *prefix, int in, int out, int no_bias, ssl_init init);
SSL_API ssl_norm_layer ssl_norm_new_at(const char *at, ssl_ctx *ctx, const char *prefix, int dim, float eps); /* ones, zeros */
SSL_API int ssl_from_host(ssl_tensor *t, const void *src); /* overwrite all values, e.g. of a parameter; 1 on success */

/* ==== >>block ==== transformer blocks ================================================================ */
typedef enum ssl_block_style {
    SSL_BLOCK_DEFAULT = 0,
    SSL_BLOCK_TIMM,  /* names of timm: norm1 attn.qkv attn.proj norm2 mlp.fc1 mlp.fc2 */
    SSL_BLOCK_TORCH, /* names of nn.TransformerEncoderLayer/DecoderLayer: self_attn.in_proj_weight ... linear1 linear2 norm1 norm2 */
    SSL_BLOCK_APL    /* names and attention of the original APL: bias-free W_q W_k W_v, each output divided by D^(1/4) */
} ssl_block_style;

typedef struct ssl_block_desc {
    uint32_t _start_canary;
    int dim, heads;          /* width D and heads: required, D divisible by heads */
    int hidden;              /* width of the MLP                  default 4 D */
    ssl_act act;             /*                                   default SSL_ACT_GELU */
    ssl_block_style style;   /*                                   default SSL_BLOCK_TIMM */
    int post_norm;           /* 0: x += f(norm x);  1: x = norm(x + f(x)) */
    int cross;               /* 1: a decoder layer, with cross attention between the two (style TORCH) */
    float eps;               /* of the layer norms                default 1e-5 (TORCH, APL), 1e-6 (TIMM) */
    float dropout;           /* after attention, in and after the MLP          default 0 */
    float drop_path;         /* probability that a sample skips a branch       default 0 */
    ssl_init init;           /* of the weight matrices            default xavier uniform (APL: nn.Linear's own) */
    uint32_t _end_canary;
} ssl_block_desc;

typedef struct ssl_block {
    ssl_block_desc d;
    ssl_norm_layer norm1, norm2, norm3;
    ssl_linear_layer qkv, q, k, v, proj;  /* qkv: packed [3D,D]; q, k, v: style APL */
    ssl_linear_layer cross_qkv, cross_proj;
    ssl_linear_layer fc1, fc2;
} ssl_block;

#define ssl_block_new(...)     ssl_block_new_at(SSL_CALL("ssl_block_new"), __VA_ARGS__)
#define ssl_block_forward(...) ssl_block_forward_at(SSL_CALL("ssl_block_forward"), __VA_ARGS__)
#define ssl_block_decode(...)  ssl_block_decode_at(SSL_CALL("ssl_block_decode"), __VA_ARGS__)
SSL_API ssl_block ssl_block_new_at(const char *at, ssl_ctx *ctx, const char *prefix, const ssl_block_desc *desc);
/* x [B,T,D] -> [B,T,D]; mask as in ssl_attention, or NULL. */
SSL_API ssl_tensor *ssl_block_forward_at(const char *at, const ssl_block *b, ssl_tensor *x, ssl_tensor *mask);
/* A decoder layer: x [B,T,D] attends to itself and to memory [B,S,D]. */
SSL_API ssl_tensor *ssl_block_decode_at(const char *at, const ssl_block *b, ssl_tensor *x, ssl_tensor *memory, ssl_tensor *mask, ssl_tensor *memory_mask);
/* How ssl_block_forward(b, x, mask) attends: [B,heads,T,T], a row for each query, which sums to 1. No gradient. */
#define ssl_block_attention(...) ssl_block_attention_at(SSL_CALL("ssl_block_attention"), __VA_ARGS__)
SSL_API ssl_tensor *ssl_block_attention_at(const char *at, const ssl_block *b, ssl_tensor *x, ssl_tensor *mask);

/* What a network makes of pictures: a token for each of h x w places, and how much the last block attends to each place: its class
   token or, where there is none, the mean of all queries. ssl_vit_look, ssl_resnet_look ... fill it, ssl_look_save draws it. */
typedef struct ssl_look { int h, w; ssl_tensor *tokens, *attention; } ssl_look; /* [B,h w,D]; [B,heads,h w], or NULL without attention */

/* ==== >>vit ==== vision transformer ================================================================== */
/* Dosovitskiy et al. 2021. Names follow timm: cls_token pos_embed patch_embed.proj blocks.I norm. */
typedef enum ssl_pos { SSL_POS_DEFAULT = 0, SSL_POS_LEARNED, SSL_POS_SINCOS, SSL_POS_NONE } ssl_pos;

typedef struct ssl_vit_desc {
    uint32_t _start_canary;
    int image_size, patch, channels; /* pixels; image_size divisible by patch   default 32, 4, 3 */
    int dim, depth, heads;           /* ViT-Tiny                                default 192, 12, dim/64 (at least 1) */
    int hidden;                      /* width of the MLP                        default 4 dim */
    int no_class_token;              /* 1: ssl_vit_pool takes the mean of the tokens */
    int mean_pool;                   /* 1: the mean of the patch tokens although there is a class token */
    ssl_pos pos;                     /*                                         default SSL_POS_LEARNED */
    int any_size;                    /* 1: images of other sizes, too (multiples of patch): positions interpolated (bilinear) */
    float dropout, drop_path;        /* drop_path grows linearly with the depth up to this */
    ssl_init init;                   /* of the weight matrices                  default SSL_INIT_TRUNC_NORMAL 0.02 */
    uint32_t _end_canary;
} ssl_vit_desc;

typedef struct ssl_vit {
    ssl_ctx *ctx;
    ssl_vit_desc d;
    int tokens;                      /* L = (image_size / patch)^2 */
    ssl_tensor *cls, *pos;           /* [1,1,D], [1,(1+)L,D], or NULL */
    ssl_linear_layer embed;          /* weight [D,C,P,P] */
    ssl_block *block;                /* [depth] */
    ssl_norm_layer norm;
} ssl_vit;

SSL_API int ssl_vit_desc_resolve(const ssl_vit_desc *in, ssl_vit_desc *out); /* every default filled in; 0 if in was not initialized */
#define ssl_vit_new(...)     ssl_vit_new_at(SSL_CALL("ssl_vit_new"), __VA_ARGS__)
#define ssl_vit_forward(...) ssl_vit_forward_at(SSL_CALL("ssl_vit_forward"), __VA_ARGS__)
#define ssl_vit_pool(...)    ssl_vit_pool_at(SSL_CALL("ssl_vit_pool"), __VA_ARGS__)
SSL_API ssl_vit *ssl_vit_new_at(const char *at, ssl_ctx *ctx, const char *prefix, const ssl_vit_desc *desc); /* desc may be NULL */
SSL_API ssl_tensor *ssl_vit_forward_at(const char *at, const ssl_vit *vit, ssl_tensor *images); /* [B,C,H,W] -> [B,(1+)L,D], normed */
SSL_API ssl_tensor *ssl_vit_pool_at(const char *at, const ssl_vit *vit, ssl_tensor *tokens);    /* [B,(1+)L,D] -> [B,D] */
#define ssl_vit_look(...)    ssl_vit_look_at(SSL_CALL("ssl_vit_look"), __VA_ARGS__)
SSL_API int ssl_vit_look_at(const char *at, const ssl_vit *vit, ssl_tensor *images, ssl_look *look); /* 1, or 0 after an error */

/* ==== >>resnet ======================================================================================= */
/* He et al. 2015, arXiv 1512.03385, as torchvision builds it: its names (conv1 bn1 layer1.0.conv1 ... fc), the stride of a
   bottleneck in its 3x3 convolution, kaiming normal (fan out) weights, batch norm at 1 and 0. */
typedef struct ssl_conv_layer { ssl_tensor *weight, *bias; ssl_conv_desc d; } ssl_conv_layer;                     /* [O,I/groups,k,k], [O] or NULL */
typedef struct ssl_batch_norm_layer { ssl_tensor *weight, *bias, *running_mean, *running_var; float momentum, eps; } ssl_batch_norm_layer; /* each [C]; see ssl_resnet_desc.cpc */
#define ssl_conv_new(...)           ssl_conv_new_at(SSL_CALL("ssl_conv_new"), __VA_ARGS__)
#define ssl_conv_forward(...)       ssl_conv_forward_at(SSL_CALL("ssl_conv_forward"), __VA_ARGS__)
#define ssl_batch_norm_new(...)     ssl_batch_norm_new_at(SSL_CALL("ssl_batch_norm_new"), __VA_ARGS__)
#define ssl_batch_norm_forward(...) ssl_batch_norm_forward_at(SSL_CALL("ssl_batch_norm_forward"), __VA_ARGS__)
SSL_API ssl_conv_layer ssl_conv_new_at(const char *at, ssl_ctx *ctx, const char *prefix, int in, int out, int kernel, int no_bias, ssl_init init, const ssl_conv_desc *desc);
SSL_API ssl_tensor *ssl_conv_forward_at(const char *at, const ssl_conv_layer *l, ssl_tensor *x);
SSL_API ssl_batch_norm_layer ssl_batch_norm_new_at(const char *at, ssl_ctx *ctx, const char *prefix, int channels); /* weight 1, bias 0; momentum 0.1, eps 1e-5 */
SSL_API ssl_tensor *ssl_batch_norm_forward_at(const char *at, const ssl_batch_norm_layer *l, ssl_tensor *x, int relu, ssl_tensor *residual); /* relu 1: relu(bn(x) + residual) */

typedef struct ssl_resnet_desc {
    uint32_t _start_canary;
    int depth;              /* 18, 34, 50, 101 or 152                               default 18 */
    int width;              /* channels of conv1; layer i's 3x3 have width 2^(i-1)  default 64 */
    int stage[4];           /* blocks of layer1 to layer4                           default those of depth */
    int channels;           /* of the images                                        default 3 */
    int classes;            /* outputs of fc; 0: no fc, the network ends with the pooled features */
    int cifar_stem;         /* 1: conv1 is 3x3 with stride 1 and there is no max pooling (images of 32 pixels) */
    int zero_init_residual; /* 1: the last batch norm of every block starts at 0, and so every block as the identity */
    int cpc;                /* the side of the images: the encoder of CPC v2 (Lightning Bolts' CPCResNet101), bottlenecks 3, 4, 46, 3, layer3
                               8 width wide with expansion 8, layer norms over [C,H,W] named ln for batch norms; 0: batch norms */
    uint32_t _end_canary;
} ssl_resnet_desc;

typedef struct ssl_resnet_block {
    char name[32];                  /* "layer3.1" */
    int convs;                      /* 2 basic (3x3, 3x3), 3 bottleneck (1x1, 3x3, 1x1 to four (CPC's layer3: eight) times the width) */
    ssl_conv_layer conv[3], down;   /* down.weight NULL: the shortcut is the identity */
    ssl_batch_norm_layer bn[3], down_bn;
} ssl_resnet_block;

typedef struct ssl_resnet {
    ssl_ctx *ctx;
    ssl_resnet_desc d;
    int features;                   /* channels of layer4: 8 width or 32 width */
    int stage[4];                   /* blocks of layer1 to layer4 */
    ssl_conv_layer conv1;
    ssl_batch_norm_layer bn1;
    ssl_resnet_block *block;
    ssl_linear_layer fc;
} ssl_resnet;

SSL_API int ssl_resnet_desc_resolve(const ssl_resnet_desc *in, ssl_resnet_desc *out); /* every default filled in; 0 if in was not initialized */
#define ssl_resnet_new(...)     ssl_resnet_new_at(SSL_CALL("ssl_resnet_new"), __VA_ARGS__)
#define ssl_resnet_forward(...) ssl_resnet_forward_at(SSL_CALL("ssl_resnet_forward"), __VA_ARGS__)
#define ssl_resnet_layers(...)  ssl_resnet_layers_at(SSL_CALL("ssl_resnet_layers"), __VA_ARGS__)
#define ssl_resnet_maps(...)    ssl_resnet_maps_at(SSL_CALL("ssl_resnet_maps"), __VA_ARGS__)
SSL_API ssl_resnet *ssl_resnet_new_at(const char *at, ssl_ctx *ctx, const char *prefix, const ssl_resnet_desc *desc); /* desc may be NULL */
SSL_API ssl_tensor *ssl_resnet_forward_at(const char *at, const ssl_resnet *net, ssl_tensor *images); /* [N,C,H,W] -> [N,classes], or [N,features] without fc */
/* out[i] = the output of the module of that torchvision name, all from one pass that ends with the last of them:
   "layer4", "avgpool" [N,features,1,1], "layer3.1.conv2", "layer2.0.downsample.1", "bn1", "fc" ... An unknown name is an error. */
SSL_API void ssl_resnet_layers_at(const char *at, const ssl_resnet *net, ssl_tensor *images, int n, const char *const *names, ssl_tensor **out);
SSL_API void ssl_resnet_maps_at(const char *at, const ssl_resnet *net, ssl_tensor *images, ssl_tensor *out[5]); /* stem (maxpool) and layer1 to layer4 */
#define ssl_resnet_look(...) ssl_resnet_look_at(SSL_CALL("ssl_resnet_look"), __VA_ARGS__)
#define ssl_map_look(...)    ssl_map_look_at(SSL_CALL("ssl_map_look"), __VA_ARGS__)
SSL_API int ssl_resnet_look_at(const char *at, const ssl_resnet *net, ssl_tensor *images, ssl_look *look); /* its last map of at least 7 rows; 1, or 0 after an error */
SSL_API int ssl_map_look_at(const char *at, ssl_tensor *map, ssl_look *look);                              /* any map [B,C,h,w] */
#define ssl_resnet_block_forward(...) ssl_resnet_block_forward_at(SSL_CALL("ssl_resnet_block_forward"), __VA_ARGS__)
SSL_API ssl_tensor *ssl_resnet_block_forward_at(const char *at, const ssl_resnet_block *block, ssl_tensor *x); /* for networks of one's own */

/* ==== >>backbone ==== a network of either kind ======================================================== */
/* What methods that ask only for features of a picture are built on: images [B,C,H,W] -> [B,F], F the width of the ViT (class
   token or mean of the patches) or the 512 or 2048 channels of the ResNet, averaged over the picture. */
typedef enum ssl_backbone_kind { SSL_BACKBONE_DEFAULT = 0, SSL_BACKBONE_VIT, SSL_BACKBONE_RESNET } ssl_backbone_kind;
typedef struct ssl_backbone_desc {
    uint32_t _start_canary;
    ssl_backbone_kind kind;   /*                                                                       default SSL_BACKBONE_VIT */
    int image_size, channels; /* hold for both kinds, whatever vit and resnet say                      default 32, 3 */
    ssl_vit_desc vit;
    ssl_resnet_desc resnet;   /* without fc; cifar_stem: default 1 for images below 64 pixels, -1: never */
    uint32_t _end_canary;
} ssl_backbone_desc;
typedef struct ssl_backbone {
    ssl_ctx *ctx;
    ssl_backbone_desc d;
    int features;             /* F */
    ssl_vit *vit;             /* one of the two, the other is NULL */
    ssl_resnet *resnet;
} ssl_backbone;
SSL_API int ssl_backbone_desc_resolve(const ssl_backbone_desc *in, ssl_backbone_desc *out); /* 0 if in was not initialized */
#define ssl_backbone_new(...)     ssl_backbone_new_at(SSL_CALL("ssl_backbone_new"), __VA_ARGS__)
#define ssl_backbone_forward(...) ssl_backbone_forward_at(SSL_CALL("ssl_backbone_forward"), __VA_ARGS__)
SSL_API ssl_backbone *ssl_backbone_new_at(const char *at, ssl_ctx *ctx, const char *prefix, const ssl_backbone_desc *desc); /* desc may be NULL */
SSL_API ssl_tensor *ssl_backbone_forward_at(const char *at, const ssl_backbone *b, ssl_tensor *images); /* [B,C,H,W] -> [B,F] */
#define ssl_backbone_look(...) ssl_backbone_look_at(SSL_CALL("ssl_backbone_look"), __VA_ARGS__)
SSL_API int ssl_backbone_look_at(const char *at, const ssl_backbone *b, ssl_tensor *images, ssl_look *look);

/* ==== >>mlp ==== projectors and predictors ============================================================ */
/* (linear, batch norm, activation) for each layer but the last, which is linear alone. Parameters have the numbers of that
   sequence: PREFIX.0, .1 (norm), .3, .4, .6; without norms PREFIX.0, .2, .4. */
enum { SSL_MLP_LAYERS = 4 };
typedef struct ssl_mlp_desc {
    uint32_t _start_canary;
    int layers;    /* 1 to 4                                                  default 2 */
    ssl_act act;   /*                                                         default SSL_ACT_RELU */
    int no_norm;   /* 1: no batch norms */
    int last_norm; /* 1: the output is normalized, too, without weight and bias to learn (SimSiam) */
    int conv;      /* 1: 1x1 convolutions of maps [N,I,H,W] */
    ssl_init init; /*                                                         default SSL_INIT_TORCH */
    uint32_t _end_canary;
} ssl_mlp_desc;
typedef struct ssl_mlp { ssl_mlp_desc d; ssl_linear_layer linear[SSL_MLP_LAYERS]; ssl_batch_norm_layer norm[SSL_MLP_LAYERS]; } ssl_mlp;
#define ssl_mlp_new(...)     ssl_mlp_new_at(SSL_CALL("ssl_mlp_new"), __VA_ARGS__)
#define ssl_mlp_forward(...) ssl_mlp_forward_at(SSL_CALL("ssl_mlp_forward"), __VA_ARGS__)
SSL_API ssl_mlp ssl_mlp_new_at(const char *at, ssl_ctx *ctx, const char *prefix, int in, int hidden, int out, const ssl_mlp_desc *desc); /* desc may be NULL */
SSL_API ssl_tensor *ssl_mlp_forward_at(const char *at, const ssl_mlp *m, ssl_tensor *x); /* [N,I] -> [N,O]; conv 1: [N,I,H,W] -> [N,O,H,W] */

/* ==== >>apl ==== puzzle: absolute position localization ============================================== */
/* Idea      cut the image into G x G patches and tell from content alone where each one belongs
   Input     images [B,C,H,W]; patches [B,T,C k k], T = G^2, each cropped so that its edges do not betray its neighbours
   Encoder   a transformer without positions: it is permutation equivariant, so the label of patch t is t
   Loss      mean over the patches of cross entropy(head(z_t), t)
   Source    le0x99/self-supervised-vision-transformers (APL-G,K)
   Collapse  impossible: equal tokens cannot get T different labels */
typedef enum ssl_apl_encoder { /* of a patch */
    SSL_APL_ENCODER_DEFAULT = 0,
    SSL_APL_FLATTEN, /* its pixels are the token, D = C k k (the original's MECHANICAL, which it advises) */
    SSL_APL_LINEAR,  /* projected to D = dim */
    SSL_APL_CNN,     /* mean of relu(conv 3x3 (dropout of channels(relu(conv 3x3)))), 64 and D = 128 channels */
    SSL_APL_RESNET18 /* torchvision's ResNet-18 without fc, D = 512 */
} ssl_apl_encoder;
typedef enum ssl_apl_method {
    SSL_APL_METHOD_DEFAULT = 0,
    SSL_APL_PLAIN,   /* dropped patches become zero tokens and are asked for all the same */
    SSL_APL_MASKED,  /* dropped patches become zero tokens and are left out of the loss (the original's masked method) */
    SSL_APL_SUBSET   /* dropped patches are not encoded at all: round(T (1 - patch_dropout)) stay in every image */
} ssl_apl_method;

typedef struct ssl_apl_desc {
    uint32_t _start_canary;
    int image_size, channels;  /*                                                            default 32, 3 */
    int grid;                  /* G; patch = image_size / G, pixels beyond G patch are left out    default 4 */
    int crop;                  /* K pixels removed per axis in all, round-half-even(K/2) of them before    default 1, -1 for none */
    ssl_apl_encoder encoder;   /*                                                            default FLATTEN */
    int cifar_stem;            /* RESNET18: 1: conv1 is 3x3 with stride 1 and there is no pooling (costs 16 times as much) */
    int project_patch_emb;     /* 1: tokens are multiplied by a learned D x D matrix before the blocks */
    int dim;                   /* width of the tokens with LINEAR                            default 192 */
    int depth, heads;          /*                                                            default 4, 4 */
    int hidden_mult, hidden;   /* MLP width / dim, or the width itself                       default 3 */
    ssl_act act;               /*                                                            default SSL_ACT_RELU */
    int pre_norm;              /* 0: post-norm as the original; 1: pre-norm */
    int final_norm;            /* 1: the tokens are normed after the last block, too, -1 not    default 1 with pre_norm, else -1 */
    int original_attention;    /* 1: SSL_BLOCK_APL, the original's scaling and bias-free q, k, v */
    int mlp_head;              /* 1: head D -> 3D -> T, ReLU, dropout 0.1 */
    ssl_apl_method method;     /*                                                            default MASKED */
    float patch_dropout;       /* probability that a patch is dropped, in training           default 0 */
    float dropout, embed_dropout; /* in the blocks; on the tokens                            default 0 */
    float encoder_dropout;     /* CNN: probability that a channel is dropped                 default 0 */
    uint32_t _end_canary;
} ssl_apl_desc;

typedef struct ssl_apl_trace {  /* what happened in one call; set a field before to force the random choice */
    ssl_tensor *drop;           /* U8 [B,T], 1 = dropped (PLAIN, MASKED) */
    ssl_tensor *ids_keep;       /* I32 [B,Tk] (SUBSET) */
    ssl_tensor *patches;        /* out: [B,T,C k k] before dropping */
    ssl_tensor *logits;         /* out: [B,Tk,T] */
    ssl_tensor *target;         /* out: I32 [B,Tk], -100 where the loss does not count */
} ssl_apl_trace;

typedef struct ssl_apl {
    ssl_ctx *ctx;
    ssl_apl_desc d;
    int patch, cropped, tokens, token_dim; /* P, k = P - K, T, D */
    ssl_linear_layer embed, project, head, head2;
    ssl_conv_layer conv1, conv2; /* CNN */
    ssl_resnet *resnet;          /* RESNET18 */
    ssl_block *block;
    ssl_norm_layer norm;
} ssl_apl;

SSL_API int ssl_apl_desc_resolve(const ssl_apl_desc *in, ssl_apl_desc *out);
#define ssl_apl_new(...)      ssl_apl_new_at(SSL_CALL("ssl_apl_new"), __VA_ARGS__)
#define ssl_apl_loss(...)     ssl_apl_loss_at(SSL_CALL("ssl_apl_loss"), __VA_ARGS__)
#define ssl_apl_features(...) ssl_apl_features_at(SSL_CALL("ssl_apl_features"), __VA_ARGS__)
SSL_API ssl_apl *ssl_apl_new_at(const char *at, ssl_ctx *ctx, const char *prefix, const ssl_apl_desc *desc);
SSL_API ssl_tensor *ssl_apl_loss_at(const char *at, const ssl_apl *m, ssl_tensor *images, ssl_apl_trace *trace); /* -> [1]; trace may be NULL */
SSL_API ssl_tensor *ssl_apl_features_at(const char *at, const ssl_apl *m, ssl_tensor *images); /* [B,C,H,W] -> mean token [B,D]; drops patches in training */
#define ssl_apl_look(...) ssl_apl_look_at(SSL_CALL("ssl_apl_look"), __VA_ARGS__)
SSL_API int ssl_apl_look_at(const char *at, const ssl_apl *m, ssl_tensor *images, ssl_look *look);

/* ==== >>mae ==== masked autoencoder ================================================================== */
/* Idea      hide most patches, encode the rest, paint the hidden ones from what is left
   Input     images [B,C,H,W], H = W = image_size; L = (image_size / patch)^2 patches
   Masking   per image a random permutation; the first int(L (1 - mask_ratio)) patches are seen
   Loss      mean over the hidden patches and their pixels of (prediction - pixel)^2, pixels normalized per patch on request
   Paper     He et al. 2022, Masked Autoencoders Are Scalable Vision Learners; facebookresearch/mae
   Collapse  impossible: a constant picture does not rebuild the image */
typedef struct ssl_mae_desc {
    uint32_t _start_canary;
    int image_size, patch, channels;                 /* default 32, 4, 3 */
    int dim, depth, heads, hidden;                   /* encoder; default 192, 12, dim/64, 4 dim */
    int decoder_dim, decoder_depth, decoder_heads, decoder_hidden; /* default 128, 4, decoder_dim/32, 4 decoder_dim */
    float mask_ratio;                                /* in [0,1)   default 0.75; SSL_EXPLICIT_ZERO for 0 */
    int norm_pix;                                    /* 1: target (p - mean) / sqrt(var + norm_pix_eps), unbiased variance */
    float norm_pix_eps;                              /* default 1e-6 */
    float drop_path;                                 /* of the encoder */
    uint32_t _end_canary;
} ssl_mae_desc;

typedef struct ssl_mae_trace {   /* what happened in one call; set ids_shuffle before to force the masking */
    ssl_tensor *ids_shuffle;     /* I32 [B,L]: the seen patches first */
    ssl_tensor *latent;          /* out: [B,1+keep,D] */
    ssl_tensor *pred;            /* out: [B,L,P P C] for every patch, for pictures: no gradient passes through it */
} ssl_mae_trace;

typedef struct ssl_mae {
    ssl_ctx *ctx;
    ssl_mae_desc d;
    int tokens, keep;            /* L and how many patches are seen */
    ssl_vit *vit;
    ssl_linear_layer decoder_embed, decoder_pred;
    ssl_tensor *mask_token, *decoder_pos;
    ssl_block *block;
    ssl_norm_layer decoder_norm;
} ssl_mae;

SSL_API int ssl_mae_desc_resolve(const ssl_mae_desc *in, ssl_mae_desc *out);
#define ssl_mae_new(...)      ssl_mae_new_at(SSL_CALL("ssl_mae_new"), __VA_ARGS__)
#define ssl_mae_loss(...)     ssl_mae_loss_at(SSL_CALL("ssl_mae_loss"), __VA_ARGS__)
#define ssl_mae_features(...) ssl_mae_features_at(SSL_CALL("ssl_mae_features"), __VA_ARGS__)
SSL_API ssl_mae *ssl_mae_new_at(const char *at, ssl_ctx *ctx, const char *prefix, const ssl_mae_desc *desc);
SSL_API ssl_tensor *ssl_mae_loss_at(const char *at, const ssl_mae *m, ssl_tensor *images, ssl_mae_trace *trace); /* -> [1] */
SSL_API ssl_tensor *ssl_mae_features_at(const char *at, const ssl_mae *m, ssl_tensor *images); /* unmasked, mean of the patch tokens [B,D] */

/* ==== >>mask-token-mae ==== mask tokens before the encoder =========================================== */
/* Idea      MAE with mask tokens BEFORE the encoder: hidden patches are replaced by learned tokens, the encoder sees the full length
   Input     images [B,C,H,W], L = (image_size / patch)^2 patches, no class token; the first int(L mask_ratio) of a random order are hidden
   Loss      mean over the hidden patches and their pixels of (s prediction - s pixel)^2, s = pixel_scale
   Source    AaronHonjaya/Self-Supervised-ViT
   Collapse  impossible: a constant picture does not rebuild the image */
typedef struct ssl_mask_token_mae_desc {
    uint32_t _start_canary;
    int image_size, patch, channels;                               /* default 32, 4, 3 */
    int dim, depth, heads, hidden;                                 /* default 192, 12, dim/64, 4 dim */
    int decoder_dim, decoder_depth, decoder_heads, decoder_hidden; /* default 128, 4 (-1: none), decoder_dim/32, 4 decoder_dim */
    float mask_ratio;                                              /* hidden part, int(L ratio) patches    default 0.75 */
    int mask_tokens;                                               /* how many learned tokens; each hidden place takes one at random    default 1 */
    int per_image;                                                 /* 0: one mask for the whole batch (the original); 1: one per image */
    float pixel_scale;                                             /* default 255 */
    uint32_t _end_canary;
} ssl_mask_token_mae_desc;

typedef struct ssl_mask_token_mae_trace { /* what happened in one call; set the ids before to force them */
    ssl_tensor *ids_shuffle;              /* I32 [1 or B, L]: hidden patches first */
    ssl_tensor *token_index;              /* I32 [hidden]: which mask token stands in each hidden place */
    ssl_tensor *patches, *pred;           /* out: [B,L,C P P] */
} ssl_mask_token_mae_trace;

typedef struct ssl_mask_token_mae {
    ssl_ctx *ctx;
    ssl_mask_token_mae_desc d;
    int tokens, n_hidden;
    ssl_tensor *mask_tokens, *enc_pos, *dec_pos;
    ssl_linear_layer proj_enc, proj_dec, pred;
    ssl_block *encoder, *decoder;
    ssl_norm_layer norm;
} ssl_mask_token_mae;

SSL_API int ssl_mask_token_mae_desc_resolve(const ssl_mask_token_mae_desc *in, ssl_mask_token_mae_desc *out);
#define ssl_mask_token_mae_new(...)      ssl_mask_token_mae_new_at(SSL_CALL("ssl_mask_token_mae_new"), __VA_ARGS__)
#define ssl_mask_token_mae_loss(...)     ssl_mask_token_mae_loss_at(SSL_CALL("ssl_mask_token_mae_loss"), __VA_ARGS__)
#define ssl_mask_token_mae_features(...) ssl_mask_token_mae_features_at(SSL_CALL("ssl_mask_token_mae_features"), __VA_ARGS__)
SSL_API ssl_mask_token_mae *ssl_mask_token_mae_new_at(const char *at, ssl_ctx *ctx, const char *prefix, const ssl_mask_token_mae_desc *desc);
SSL_API ssl_tensor *ssl_mask_token_mae_loss_at(const char *at, const ssl_mask_token_mae *m, ssl_tensor *images, ssl_mask_token_mae_trace *trace);
SSL_API ssl_tensor *ssl_mask_token_mae_features_at(const char *at, const ssl_mask_token_mae *m, ssl_tensor *images); /* mean token [B,D] */
#define ssl_mask_token_mae_look(...) ssl_mask_token_mae_look_at(SSL_CALL("ssl_mask_token_mae_look"), __VA_ARGS__)
SSL_API int ssl_mask_token_mae_look_at(const char *at, const ssl_mask_token_mae *m, ssl_tensor *images, ssl_look *look);
/* 10 log10(255^2 / mean (s pred - s target)^2) in decibels. each_own_scale 0: s = 255 for both (pixels in [0,1]); 1: each is
   multiplied by 255 only if its own maximum is <= 1, as the original's helper does. NaN after an error. */
SSL_API float ssl_psnr(const ssl_tensor *pred, const ssl_tensor *target, int each_own_scale);

/* ==== >>randsac ==== random segments, autoregressive ================================================= */
/* Idea      group the patches into segments, put the segments in random order, predict each from the earlier ones
   Input     images [B,C,H,W]; L patches in S segments: all patches of a segment at once, segment after segment
   Encoder   reads patches + positions under a block-causal mask; the decoder's queries are positions only, its layer i
             attends to a learned mixture of all encoder layers
   Loss      mean over all segments but the first of (prediction - pixel)^2, pixels normalized per patch
   Paper     Hua et al., ICLR 2023, Self-supervision through Random Segments with Autoregressive Coding (RandSAC)
   Collapse  impossible: a constant picture does not rebuild the image */
typedef enum ssl_segments { SSL_SEGMENTS_DEFAULT = 0, SSL_SEGMENTS_SQUARE, SSL_SEGMENTS_BLOB } ssl_segments;

typedef struct ssl_randsac_desc {
    uint32_t _start_canary;
    int image_size, patch, channels; /*                                             default 32, 4, 3 */
    ssl_segments segments;           /* squares, or the patches likeliest under each of a few random Gaussians    default SQUARE */
    int segment;                     /* M: squares of M x M patches                 default 2 */
    int blobs;                       /* number of Gaussians of an image             default 8 */
    int groups;                      /* hierarchical order: squares come in groups of groups x groups, blobs in that many groups;
                                        the groups are shuffled, then the segments inside each; 0 (default) or 1: flat */
    int raster;                      /* 1: segments in row-major order (ablation, squares only) */
    int dim, depth, heads, hidden, decoder_depth; /*                                default 192, 6, dim/64, 4 dim, 4 */
    ssl_act act;                     /*                                             default SSL_ACT_GELU */
    int no_skip;                     /* 1: every decoder layer reads the last encoder layer */
    int raw_target;                  /* 1: pixels as they are */
    float dropout;
    uint32_t _end_canary;
} ssl_randsac_desc;

typedef struct ssl_randsac_trace { /* what happened in one call; set ids_shuffle before to force the order of the squares */
    ssl_tensor *ids_shuffle;       /* I32 [B,S], squares */
    ssl_tensor *order;             /* out, squares: I32 [B,L] patch at each place of the sequence */
    ssl_tensor *rank;              /* out, blobs: I32 [B,L] segment of each patch, 0 first */
    ssl_tensor *memory;            /* out: [decoder_depth,B,Q,D] */
    ssl_tensor *pred, *target;     /* out: [B,Q,P P C]; squares: Q = (S-1) M M, blobs: Q = L */
} ssl_randsac_trace;

typedef struct ssl_randsac {
    ssl_ctx *ctx;
    ssl_randsac_desc d;
    int grid, tokens, n_segments;
    ssl_tensor *pos, *skip_w, *skip_b;
    ssl_linear_layer in_proj, out_proj;
    ssl_block *encoder, *decoder;
    ssl_norm_layer encoder_norm, decoder_norm;
} ssl_randsac;

SSL_API int ssl_randsac_desc_resolve(const ssl_randsac_desc *in, ssl_randsac_desc *out);
#define ssl_randsac_new(...)      ssl_randsac_new_at(SSL_CALL("ssl_randsac_new"), __VA_ARGS__)
#define ssl_randsac_loss(...)     ssl_randsac_loss_at(SSL_CALL("ssl_randsac_loss"), __VA_ARGS__)
#define ssl_randsac_features(...) ssl_randsac_features_at(SSL_CALL("ssl_randsac_features"), __VA_ARGS__)
SSL_API ssl_randsac *ssl_randsac_new_at(const char *at, ssl_ctx *ctx, const char *prefix, const ssl_randsac_desc *desc);
SSL_API ssl_tensor *ssl_randsac_loss_at(const char *at, const ssl_randsac *m, ssl_tensor *images, ssl_randsac_trace *trace); /* -> [1] */
SSL_API ssl_tensor *ssl_randsac_features_at(const char *at, const ssl_randsac *m, ssl_tensor *images); /* mean token [B,D] */
#define ssl_randsac_look(...) ssl_randsac_look_at(SSL_CALL("ssl_randsac_look"), __VA_ARGS__)
SSL_API int ssl_randsac_look_at(const char *at, const ssl_randsac *m, ssl_tensor *images, ssl_look *look);

/* ==== >>jigsaw ==== puzzle: which permutation shuffled the tiles ===================================== */
/* Idea      cut the image into G x G tiles, shuffle them by one of P fixed permutations, tell which one
   Input     images [B,C,H,W]; T = G^2 tiles of k x k pixels, each from a random place in its cell and normalized by its own mean
             and deviation, so that neither edges nor brightness betray the neighbours
   Network   every tile alone through one backbone -> [B,T,D]; `mix` blocks over the T tiles, told by a learned position which slot
             each lies in; linear head on all of them side by side
   Loss      cross entropy(head, number of the permutation)
   Paper     Noroozi & Favaro 2016, arXiv 1603.09246 (a CNN and two fully connected layers)
   Collapse  impossible: equal features give ln P; but touching edges and color fringes would be a shortcut */
/* `count` permutations of n things, far from each other: each next one is that of a fixed random pool whose least Hamming
   distance to those before is greatest. out [count,n], host. Returns the least distance of two of them, 0 if there are not so
   many permutations. */
SSL_API int ssl_permutations(int n, int count, int32_t *out);

typedef struct ssl_jigsaw_desc {
    uint32_t _start_canary;
    int image_size, channels; /*                                                                default 32, 3 */
    int grid;                 /* G, 2 to 8; cells have image_size / G pixels                    default 3 */
    int crop;                 /* pixels by which a tile is smaller than its cell    default the fewest that leave whole patches, -1 none */
    int permutations;         /* P, the classes                                                 default 64 */
    int raw_tiles;            /* 1: tiles are not normalized */
    int mix;                  /* blocks over the tiles together                                 default 2, -1 none */
    ssl_backbone_desc backbone; /* of a tile; its image_size and channels follow from the above   default a ViT, mean_pool */
    uint32_t _end_canary;
} ssl_jigsaw_desc;
typedef struct ssl_jigsaw_trace { /* what happened in one call; set ids before to force them */
    ssl_tensor *ids;              /* I32 [B]: which permutation */
    ssl_tensor *logits;           /* out: [B,P] */
} ssl_jigsaw_trace;
typedef struct ssl_jigsaw {
    ssl_ctx *ctx;
    ssl_jigsaw_desc d;
    int cell, tile, tiles;        /* pixels of a cell, k, T */
    int32_t *permutation;         /* host [P,T]: slot s shows tile permutation[p T + s] */
    ssl_backbone *backbone;
    ssl_tensor *slot;             /* [1,T,D] */
    ssl_block *block;
    ssl_norm_layer norm;
    ssl_linear_layer head;
} ssl_jigsaw;
SSL_API int ssl_jigsaw_desc_resolve(const ssl_jigsaw_desc *in, ssl_jigsaw_desc *out);
#define ssl_jigsaw_new(...)      ssl_jigsaw_new_at(SSL_CALL("ssl_jigsaw_new"), __VA_ARGS__)
#define ssl_jigsaw_loss(...)     ssl_jigsaw_loss_at(SSL_CALL("ssl_jigsaw_loss"), __VA_ARGS__)
#define ssl_jigsaw_features(...) ssl_jigsaw_features_at(SSL_CALL("ssl_jigsaw_features"), __VA_ARGS__)
SSL_API ssl_jigsaw *ssl_jigsaw_new_at(const char *at, ssl_ctx *ctx, const char *prefix, const ssl_jigsaw_desc *desc);
SSL_API ssl_tensor *ssl_jigsaw_loss_at(const char *at, const ssl_jigsaw *m, ssl_tensor *images, ssl_jigsaw_trace *trace); /* -> [1]; trace may be NULL */
SSL_API ssl_tensor *ssl_jigsaw_features_at(const char *at, const ssl_jigsaw *m, ssl_tensor *images); /* mean of the tiles, each alone: [B,D] */
#define ssl_jigsaw_look(...) ssl_jigsaw_look_at(SSL_CALL("ssl_jigsaw_look"), __VA_ARGS__)
SSL_API int ssl_jigsaw_look_at(const char *at, const ssl_jigsaw *m, ssl_tensor *images, ssl_look *look); /* a token for each tile */

/* ==== >>rotation ==== puzzle: which way is up ======================================================== */
/* Idea      turn the image by 0, 90, 180 and 270 degrees and tell by how much
   Input     images [B,C,H,W], H = W -> all four turns of each [4B,C,H,W]; quarter turns move whole pixels and leave no traces
   Loss      mean over the 4B of cross entropy(head(features), turn)
   Paper     Gidaris, Singh & Komodakis 2018, arXiv 1803.07728
   Collapse  impossible: equal features give ln 4; but what looks the same from all sides teaches nothing */
#define ssl_quarter_turns(...) ssl_quarter_turns_at(SSL_CALL("ssl_quarter_turns"), __VA_ARGS__)
SSL_API ssl_tensor *ssl_quarter_turns_at(const char *at, ssl_tensor *images); /* [B,C,S,S] -> [4B,C,S,S]: turn r is images rB .. rB+B-1, counterclockwise */

typedef struct ssl_rotation_desc {
    uint32_t _start_canary;
    ssl_backbone_desc backbone; /* default a ViT-Tiny for 32 pixels */
    uint32_t _end_canary;
} ssl_rotation_desc;
typedef struct ssl_rotation_trace { ssl_tensor *turned, *logits; } ssl_rotation_trace; /* out: [4B,C,H,W], [4B,4] */
typedef struct ssl_rotation { ssl_ctx *ctx; ssl_rotation_desc d; ssl_backbone *backbone; ssl_linear_layer head; } ssl_rotation;
SSL_API int ssl_rotation_desc_resolve(const ssl_rotation_desc *in, ssl_rotation_desc *out);
#define ssl_rotation_new(...)      ssl_rotation_new_at(SSL_CALL("ssl_rotation_new"), __VA_ARGS__)
#define ssl_rotation_loss(...)     ssl_rotation_loss_at(SSL_CALL("ssl_rotation_loss"), __VA_ARGS__)
#define ssl_rotation_features(...) ssl_rotation_features_at(SSL_CALL("ssl_rotation_features"), __VA_ARGS__)
SSL_API ssl_rotation *ssl_rotation_new_at(const char *at, ssl_ctx *ctx, const char *prefix, const ssl_rotation_desc *desc);
SSL_API ssl_tensor *ssl_rotation_loss_at(const char *at, const ssl_rotation *m, ssl_tensor *images, ssl_rotation_trace *trace); /* -> [1]; trace may be NULL */
SSL_API ssl_tensor *ssl_rotation_features_at(const char *at, const ssl_rotation *m, ssl_tensor *images); /* [B,F] */

/* ==== >>mp3 ==== puzzle: positions from a few visible patches ======================================== */
/* Idea      a ViT without positions tells every patch's place, looking only at a random few of the others
   Input     images [B,C,H,W]; L patches, of which int(L (1 - mask_ratio)) are the context of an image
   Encoder   in every block all L patches ask, but keys and values come from the context alone
   Loss      mean over all L patches (hidden_only: over those outside the context) of cross entropy(head(z_l), l)
   Paper     Zhai et al. 2022, Position Prediction as an Effective Pretraining Strategy (MP3), arXiv 2207.07611
   Collapse  impossible: equal tokens cannot get L different labels; a small context keeps matching edges from being enough */
typedef struct ssl_mp3_desc {
    uint32_t _start_canary;
    ssl_vit_desc vit;  /* has no class token and no positions */
    float mask_ratio;  /* eta, in [0,1)   default 0.75; SSL_EXPLICIT_ZERO for 0 */
    int hidden_only;
    uint32_t _end_canary;
} ssl_mp3_desc;
typedef struct ssl_mp3_trace { /* what happened in one call; set ids_shuffle before to force the context */
    ssl_tensor *ids_shuffle;   /* I32 [B,L]: the context first */
    ssl_tensor *logits;        /* out: [B,L,L] */
} ssl_mp3_trace;
typedef struct ssl_mp3 { ssl_ctx *ctx; ssl_mp3_desc d; int tokens, keep; ssl_vit *vit; ssl_linear_layer head; } ssl_mp3;
SSL_API int ssl_mp3_desc_resolve(const ssl_mp3_desc *in, ssl_mp3_desc *out);
#define ssl_mp3_new(...)      ssl_mp3_new_at(SSL_CALL("ssl_mp3_new"), __VA_ARGS__)
#define ssl_mp3_loss(...)     ssl_mp3_loss_at(SSL_CALL("ssl_mp3_loss"), __VA_ARGS__)
#define ssl_mp3_features(...) ssl_mp3_features_at(SSL_CALL("ssl_mp3_features"), __VA_ARGS__)
SSL_API ssl_mp3 *ssl_mp3_new_at(const char *at, ssl_ctx *ctx, const char *prefix, const ssl_mp3_desc *desc);
SSL_API ssl_tensor *ssl_mp3_loss_at(const char *at, const ssl_mp3 *m, ssl_tensor *images, ssl_mp3_trace *trace); /* -> [1]; trace may be NULL */
SSL_API ssl_tensor *ssl_mp3_features_at(const char *at, const ssl_mp3 *m, ssl_tensor *images); /* everything visible, mean token [B,D] */

/* ==== >>contrast ==== NT-Xent and friends ============================================================ */
/* NT-Xent (SimCLR, Chen et al. 2020). Two views a, b [N,D] of N images; the other view of the same image is the positive,
   the 2N-2 views of the other images the negatives:  l_i = -log( exp(s_ip / t) / sum over j != i of exp(s_ij / t) ),
   loss = mean over the 2N rows, s = cosine similarity. Without negatives it would collapse to a point. temperature > 0. */
typedef enum ssl_nt_xent_kind {
    SSL_NT_XENT_DEFAULT = 0,   /* rows are l2-normalized first (the paper, lightly) */
    SSL_NT_XENT_BOLTS          /* rows are taken as they are (lightning-bolts nt_xent_loss) */
} ssl_nt_xent_kind;
#define ssl_nt_xent(...)        ssl_nt_xent_at(SSL_CALL("ssl_nt_xent"), __VA_ARGS__)
#define ssl_nt_xent_module(...) ssl_nt_xent_module_at(SSL_CALL("ssl_nt_xent_module"), __VA_ARGS__)
SSL_API ssl_tensor *ssl_nt_xent_at(const char *at, ssl_tensor *a, ssl_tensor *b, float temperature, ssl_nt_xent_kind kind); /* -> [1] */
/* As the SimCLR module of lightning-bolts has it: rows as they are, and the sum over j != i is max(sum over all j - e^(1/t), eps) + eps,
   right for rows of length 1. eps > 0, 1e-6 in the original. */
SSL_API ssl_tensor *ssl_nt_xent_module_at(const char *at, ssl_tensor *a, ssl_tensor *b, float temperature, float eps); /* -> [1] */

/* ==== >>fmc ==== contrast of feature maps ============================================================ */
/* Contrast of feature maps (AMDIM, Bachman et al. 2019; Lightning Bolts' FeatureMapContrastiveTask).
   ssl_amdim_nce: src [B,D], trg [B,n,D]; s[b,b',j] = src_b . trg_b'j / sqrt(D); *reg = 0.05 mean s^2 (before clipping);
   s = tclip tanh(s / tclip); loss = -mean over b, j of log( e^s[b,b,j] / (e^s[b,b,j] + sum over b' != b, j' of e^s[b,b',j']) ). */
#define ssl_amdim_nce(...) ssl_amdim_nce_at(SSL_CALL("ssl_amdim_nce"), __VA_ARGS__)
SSL_API ssl_tensor *ssl_amdim_nce_at(const char *at, ssl_tensor *src, ssl_tensor *trg, float tclip, ssl_tensor **reg);

typedef struct ssl_fmc_desc {
    uint32_t _start_canary;
    const char *comparisons; /* "ij, kl, ...": map i of one view against map j of the other, r = a random map    default "00" */
    float tclip;             /* default 10 */
    int one_direction;       /* 0: averaged with the two views swapped, at newly drawn locations */
    uint32_t _end_canary;
} ssl_fmc_desc;
typedef struct ssl_fmc_trace {    /* what happened in one call; set before to force the random choices */
    const int32_t *loc;           /* host [comparisons, directions, B]: source location, row * W + column */
    const int32_t *maps_used;     /* host [comparisons, 2] */
    ssl_tensor *losses[16];       /* out: one per comparison */
    ssl_tensor *regularizer;      /* out */
    int n_comparisons;            /* out */
} ssl_fmc_trace;
/* For each comparison the NCE between one random location of the source map and all locations of the target map;
   loss = sum of the losses and of the regularizers. anchor, positive: n_maps maps [B,C,H,W] with one C. */
#define ssl_fmc(...) ssl_fmc_at(SSL_CALL("ssl_fmc"), __VA_ARGS__)
SSL_API ssl_tensor *ssl_fmc_at(const char *at, const ssl_fmc_desc *desc, int n_maps, ssl_tensor *const *anchor, ssl_tensor *const *positive, ssl_fmc_trace *trace);

/* ==== >>amdim ==== mutual information across scales ================================================= */
/* Idea      what one view's summary knows of a place of the other view, against the places of all other images
   Input     two views [B,C,S,S] of each image, S 32, 64 or 128; maps of 1 x 1, 5 x 5 and 7 x 7 places, or those of a ResNet of any S
   Encoder   units y = conv2(relu(conv1(x))) + shortcut(x): conv1 k x k, conv2 1 x 1 starting at zero; the shortcut pools as conv1
             strides and adds channels of zeros, so that at the start a block averages; no padding: a place sees only its window
   Scores    map 0 is the last one, normalized; maps 1 (5 x 5) and 2 (7 x 7) pass a residual block of 1 x 1 convolutions to rkhs channels
   Loss      ssl_fmc with comparisons "01, 02, 11" and tclip 20
   Paper     Bachman et al. 2019, arXiv 1906.00910; Philip-Bachman/amdim-public; Lightning Bolts' AMDIM (names of parameters)
   Collapse  the other images of the batch prevent it */
typedef struct ssl_amdim_unit { int kernel, stride; ssl_conv_layer conv1, conv2, conv3; ssl_batch_norm_layer bn; } ssl_amdim_unit; /* conv3: the shortcut where channels get fewer */
typedef struct ssl_amdim_layer { ssl_conv_layer conv; ssl_batch_norm_layer bn; ssl_amdim_unit *unit; int units; } ssl_amdim_layer; /* one of the three */
typedef struct ssl_rkhs { ssl_conv_layer conv1, conv2, shortcut; ssl_batch_norm_layer bn1, bn_out; } ssl_rkhs; /* bn_out(conv2(relu(bn1(conv1(x)))) + shortcut(x)) */

typedef struct ssl_amdim_desc {
    uint32_t _start_canary;
    int image_size, channels;  /*                                                       default 32, 3 */
    int ndf, rkhs, depth;      /* channels of the first layer and of the maps; units of a block
                                  default at 32 pixels 320, 1280, 10; at 64 192, 1536, 8; at 128 320, 2560, 10 */
    int batch_norm;            /* 1: batch norm inside the units, too */
    int use_resnet;            /* 1: a ResNet instead; maps 0 pooled layer4, 1 layer4, 2 layer3, 3 layer2, 4 layer1, each through an ssl_rkhs
                                  rkhs default 128; the CIFAR stem up to 64 pixels unless resnet says something */
    int resnet_maps;           /* how many of them                                      default 3 */
    ssl_resnet_desc resnet;
    const char *comparisons;   /* of ssl_fmc_desc                                       default "01, 02, 11" */
    float tclip;               /*                                                       default 20 */
    int one_direction;
    uint32_t _end_canary;
} ssl_amdim_desc;
enum { SSL_AMDIM_LAYERS = 10, SSL_AMDIM_MAPS = 5 };
typedef struct ssl_amdim {
    ssl_ctx *ctx;
    ssl_amdim_desc d;
    int n_layers, n_maps;
    ssl_amdim_layer layer[SSL_AMDIM_LAYERS]; /* PREFIX.encoder.layer_list.i */
    ssl_resnet *net;                         /* PREFIX.encoder */
    ssl_rkhs rkhs[SSL_AMDIM_MAPS];           /* of map i; PREFIX.encoder.rkhs_block_5, _7; of a ResNet PREFIX.rkhs.i */
} ssl_amdim;
/* Augmentation: the preset "amdim", two views of a loader. */
SSL_API int ssl_amdim_desc_resolve(const ssl_amdim_desc *in, ssl_amdim_desc *out);
#define ssl_amdim_new(...)      ssl_amdim_new_at(SSL_CALL("ssl_amdim_new"), __VA_ARGS__)
#define ssl_amdim_maps(...)     ssl_amdim_maps_at(SSL_CALL("ssl_amdim_maps"), __VA_ARGS__)
#define ssl_amdim_loss(...)     ssl_amdim_loss_at(SSL_CALL("ssl_amdim_loss"), __VA_ARGS__)
#define ssl_amdim_features(...) ssl_amdim_features_at(SSL_CALL("ssl_amdim_features"), __VA_ARGS__)
SSL_API ssl_amdim *ssl_amdim_new_at(const char *at, ssl_ctx *ctx, const char *prefix, const ssl_amdim_desc *desc);
SSL_API int ssl_amdim_maps_at(const char *at, const ssl_amdim *m, ssl_tensor *images, ssl_tensor *out[SSL_AMDIM_MAPS]); /* [B,rkhs,h,w] each; how many */
SSL_API ssl_tensor *ssl_amdim_loss_at(const char *at, const ssl_amdim *m, ssl_tensor *view1, ssl_tensor *view2, ssl_fmc_trace *trace); /* -> [1]; trace may be NULL */
SSL_API ssl_tensor *ssl_amdim_features_at(const char *at, const ssl_amdim *m, ssl_tensor *images); /* map 0, [B,rkhs]; of a ResNet its pooled features */

/* ==== >>pairs ==== losses on paired embeddings ======================================================= */
/* Losses on paired embeddings [N,D] of two views. z (targets) get no gradient.
   ssl_byol       mean(2 - 2 cos(p1,z2)) + mean(2 - 2 cos(p2,z1))              Grill et al. 2020; a momentum target avoids the collapse
   ssl_simsiam    -(mean cos(p1,z2) + mean cos(p2,z1)) / 2                     Chen & He 2021; the stop-gradient avoids it
   ssl_barlow     sum_i (c_ii - 1)^2 + lambda sum_{i != j} c_ij^2,             Zbontar et al. 2021; c = a^T b / N of columns
                                                                               standardized with biased variance + 1e-5
   ssl_vicreg     lambda mse(a,b) + mu (v(a) + v(b)) / 2 + nu (k(a) + k(b)),   Bardes et al. 2022; v = mean relu(1 - sqrt(var + 1e-4)),
                                                                               k = off-diagonal covariances squared / D
   ssl_dino       -mean over pairs of different views and the batch of         Caron et al. 2021; teacher [Vt,B,D], student [Vs,B,D]; then
                  softmax((teacher - center) / Tt) . log softmax(student / Ts) center [1,1,D] <- m center + (1-m) mean(teacher)
   ssl_moco       cross entropy of [q.k, q.queue^T] / t against 0, rows        He et al. 2020; queue [K,D]; the keys then replace rows
                  l2-normalized                                                *ptr.. of the queue and *ptr advances (mod K) */
#define ssl_byol(...)    ssl_byol_at(SSL_CALL("ssl_byol"), __VA_ARGS__)
#define ssl_simsiam(...) ssl_simsiam_at(SSL_CALL("ssl_simsiam"), __VA_ARGS__)
#define ssl_barlow(...)  ssl_barlow_at(SSL_CALL("ssl_barlow"), __VA_ARGS__)
#define ssl_vicreg(...)  ssl_vicreg_at(SSL_CALL("ssl_vicreg"), __VA_ARGS__)
#define ssl_dino(...)    ssl_dino_at(SSL_CALL("ssl_dino"), __VA_ARGS__)
#define ssl_moco(...)    ssl_moco_at(SSL_CALL("ssl_moco"), __VA_ARGS__)
SSL_API ssl_tensor *ssl_byol_at(const char *at, ssl_tensor *p1, ssl_tensor *p2, ssl_tensor *z1, ssl_tensor *z2);
SSL_API ssl_tensor *ssl_simsiam_at(const char *at, ssl_tensor *p1, ssl_tensor *p2, ssl_tensor *z1, ssl_tensor *z2);
SSL_API ssl_tensor *ssl_barlow_at(const char *at, ssl_tensor *a, ssl_tensor *b, float lambda, float eps);
SSL_API ssl_tensor *ssl_vicreg_at(const char *at, ssl_tensor *a, ssl_tensor *b, float lambda, float mu, float nu, float eps);
SSL_API ssl_tensor *ssl_dino_at(const char *at, ssl_tensor *student, ssl_tensor *teacher, ssl_tensor *center, float student_temp, float teacher_temp, float center_momentum);
SSL_API ssl_tensor *ssl_moco_at(const char *at, ssl_tensor *q, ssl_tensor *k, ssl_tensor *queue, int *ptr, float temperature);

/* ==== >>pixpro ==== agreement of pixels ============================================================== */
/* Idea      the same place of the picture looks alike in two crops of it: contrast pixels, and whole crops beside
   Input     images [B,C,H,W]; two cuts of each, of the same ratio range, mirrored at chance; maps of h x w pixels of a ResNet
   Positives pairs of map pixels whose places in the picture are nearer than `distance` (map pixels over the diagonal)
   Target    the momentum copy of encoder and projectors; no gradient
   Loss      alpha pixels + instance;  pixels: mean of both directions of -mean over positives of cos(PPM(x)_i, target_j), or
             -log(sum over positives / sum over all of exp(cos / temperature));  instance: BYOL on the pooled features
   Paper     Xie et al. 2021, Propagate Yourself (PixPro), arXiv 2011.10043; lucidrains/pixel-level-contrastive-learning
   Collapse  avoided by the momentum target and the asymmetry of propagation and predictor; PixPro has no negatives */

/* Pixel propagation: y_i = sum over all pixels j of max(cos(x_i, x_j), clamp)^gamma g(x_j);  g: layers 0 the identity,
   1 a 1x1 convolution PREFIX, 2 an ssl_mlp PREFIX. unit 1: each g(x_j) and each y_i scaled to length 1 (the original). */
typedef struct ssl_ppm { int layers, unit; float gamma, clamp; ssl_conv_layer conv; ssl_mlp mlp; } ssl_ppm;
#define ssl_ppm_new(...)     ssl_ppm_new_at(SSL_CALL("ssl_ppm_new"), __VA_ARGS__)
#define ssl_ppm_forward(...) ssl_ppm_forward_at(SSL_CALL("ssl_ppm_forward"), __VA_ARGS__)
SSL_API ssl_ppm ssl_ppm_new_at(const char *at, ssl_ctx *ctx, const char *prefix, int channels, int layers, float gamma, int unit);
SSL_API ssl_tensor *ssl_ppm_forward_at(const char *at, const ssl_ppm *p, ssl_tensor *x); /* [B,C,H,W] -> [B,C,H,W] */

/* The part `box` of images [B,C,H,W], resized to h x w, mirrored as the box says. */
#define ssl_cutout(...) ssl_cutout_at(SSL_CALL("ssl_cutout"), __VA_ARGS__)
SSL_API ssl_tensor *ssl_cutout_at(const char *at, ssl_tensor *images, const ssl_view_box *box, int h, int w, ssl_interpolation mode);
/* Host: places out [h w, 2] (row, column) of the pixels of an h x w map of a box of an image: image rows and columns times
   h (or w) / diagonal of the image, resized as the picture is (mode), mirrored as the box says. */
SSL_API void ssl_pixel_places(const ssl_view_box *box, int image_h, int image_w, int h, int w, ssl_interpolation mode, float *out);
/* Host: positive[i,j] = |one_i - two_j + 1e-6| < threshold as 0 or 1, of n places each; distance [n,n] may be NULL. Returns
   how many are positive. */
SSL_API int ssl_pixel_positives(const float *one, const float *two, int n, float threshold, float *distance, float *positive);
/* Host, the original's rule: boxes x0,y0,x1,y1 in the unit image (x0 > x1: mirrored); positive if the centers of two bins of
   an h x w map are nearer than ratio times the longer of the two bin diagonals. */
SSL_API int ssl_pixel_positives_official(const float *one, const float *two, int h, int w, float ratio, float *positive);

/* Losses of maps x1, x2 (propagated, or projected) [B,C,h,w] against targets z2, z1; positive F32 [P,P] or [B,P,P], P = h w.
   direction 0: mean of both, 1: x1 with z2 alone, 2: x2 with z1 alone.
   consistency  -sum w cos(x1_i, z2_j), w of a weight per pair: positive / how many there are (and over the batch)
   contrast     -log(sum over positives and batch of exp(cos / temperature) / the same sum over all pairs), one log for the batch */
#define ssl_pixel_consistency(...) ssl_pixel_consistency_at(SSL_CALL("ssl_pixel_consistency"), __VA_ARGS__)
#define ssl_pixel_contrast(...)    ssl_pixel_contrast_at(SSL_CALL("ssl_pixel_contrast"), __VA_ARGS__)
SSL_API ssl_tensor *ssl_pixel_consistency_at(const char *at, ssl_tensor *x1, ssl_tensor *x2, ssl_tensor *z1, ssl_tensor *z2, ssl_tensor *weight, int direction);
SSL_API ssl_tensor *ssl_pixel_contrast_at(const char *at, ssl_tensor *x1, ssl_tensor *x2, ssl_tensor *z1, ssl_tensor *z2, ssl_tensor *positive, float temperature, int direction);

/* A network of your own instead of the ResNet: images -> *map [B,C,h,w] and *instance [B,F] or [B,F,1,1]. Its parameters are
   named PREFIX.online_encoder.* and PREFIX.target_encoder.* and made before; target says which of the two is meant. */
typedef void (*ssl_pixpro_net)(void *user, int target, ssl_tensor *images, ssl_tensor **map, ssl_tensor **instance);

typedef struct ssl_pixpro_desc {
    uint32_t _start_canary;
    ssl_resnet_desc resnet;       /*                                                         default ResNet-18 */
    ssl_pixpro_net net;           /* instead of it */
    void *net_user;
    int image_size;               /* side of the views                                       default that of the images */
    const char *pixel_layer;      /* torchvision's name, or its place as "-3"                default "layer4" */
    const char *instance_layer;   /* averaged over its pixels                                default "-2", avgpool */
    int projection_size, projection_hidden; /*                                               default 256, 2048 */
    float flip_p;                 /* probability that a view is mirrored                     default 0.25 */
    float momentum;               /* of the target                                           default 0.99 */
    int ppm_layers;               /* 1 or 2, -1 for none                                     default 1 */
    float ppm_gamma;              /*                                                         default 2 */
    float distance;               /* positives are nearer than this                          default 0.7 */
    float temperature;            /* of the pixel contrast, at least 0.03                    default 0.3 */
    float alpha;                  /* weight of the pixel loss                                default 1 */
    int contrast;                 /* 1: pixel contrast instead of propagation and consistency */
    float cutout_min, cutout_max; /* side of a view / side of the image                      default 0.6, 0.8 */
    ssl_interpolation cutout_mode, coord_mode; /*                                            default NEAREST, BILINEAR */
    int official;                 /* 1: the original PixPro: a crop for each image, distance over the bin diagonal, unit values,
                                     pixel loss twice the sum of both directions (see ssl_pixel_positives_official) */
    uint32_t _end_canary;
} ssl_pixpro_desc;

typedef struct ssl_pixpro_trace {  /* what happened in one call */
    const ssl_view_box *boxes;     /* [2], or [2,B] with official; set before to force the crops */
    ssl_tensor *view[2];           /* out: the cuts [B,C,H,W] */
    ssl_tensor *pixel[2];          /* out: projected maps of the online network [B,D,h,w] */
    ssl_tensor *target_pixel[2];   /* out: of the target */
    ssl_tensor *instance[2], *target_instance[2]; /* out: [B,D] */
    ssl_tensor *positive;          /* out: F32 [P,P], or [B,P,P] with official: 1 or 0 */
    ssl_tensor *pixel_loss, *instance_loss; /* out: [1] */
    int num_positive;              /* out: positive pairs of pixels; 0: the loss is the instance loss alone */
} ssl_pixpro_trace;

typedef struct ssl_pixpro {
    ssl_ctx *ctx;
    ssl_pixpro_desc d;
    const char *prefix;
    ssl_resnet *net[2];            /* online, target; NULL with a network of your own */
    ssl_mlp pixel_projector[2], instance_projector[2], predictor;
    ssl_ppm ppm;
} ssl_pixpro;

/* Augmentation: the preset "pixpro" for two views of a loader changes colors but not places; images1 and images2 are those
   (or both the same tensor). After the optimizer's step call ssl_pixpro_update. The improved backbone is the parameters
   PREFIX.online_encoder.net.*: ssl_load them into another program's "backbone" with only = "backbone" and
   file_prefix = "PREFIX.online_encoder.net". */
SSL_API int ssl_pixpro_desc_resolve(const ssl_pixpro_desc *in, ssl_pixpro_desc *out);
#define ssl_pixpro_new(...)          ssl_pixpro_new_at(SSL_CALL("ssl_pixpro_new"), __VA_ARGS__)
#define ssl_pixpro_loss(...)         ssl_pixpro_loss_at(SSL_CALL("ssl_pixpro_loss"), __VA_ARGS__)
#define ssl_pixpro_terms(...)        ssl_pixpro_terms_at(SSL_CALL("ssl_pixpro_terms"), __VA_ARGS__)
#define ssl_pixpro_features(...)     ssl_pixpro_features_at(SSL_CALL("ssl_pixpro_features"), __VA_ARGS__)
#define ssl_pixpro_update(...)       ssl_pixpro_update_at(SSL_CALL("ssl_pixpro_update"), __VA_ARGS__)
#define ssl_pixpro_reset_target(...) ssl_pixpro_reset_target_at(SSL_CALL("ssl_pixpro_reset_target"), __VA_ARGS__)
SSL_API ssl_pixpro *ssl_pixpro_new_at(const char *at, ssl_ctx *ctx, const char *prefix, const ssl_pixpro_desc *desc);
SSL_API ssl_tensor *ssl_pixpro_loss_at(const char *at, const ssl_pixpro *m, ssl_tensor *images1, ssl_tensor *images2, ssl_pixpro_trace *trace); /* -> [1] */
/* The loss from projections (pixel, target_pixel, instance, target_instance of the trace) and boxes of an image_h x image_w picture. */
SSL_API ssl_tensor *ssl_pixpro_terms_at(const char *at, const ssl_pixpro *m, int image_h, int image_w, ssl_pixpro_trace *trace);
SSL_API ssl_tensor *ssl_pixpro_features_at(const char *at, const ssl_pixpro *m, ssl_tensor *images); /* instance features [B,F], before the projector */
SSL_API void ssl_pixpro_update_at(const char *at, const ssl_pixpro *m);       /* target = momentum target + (1 - momentum) online */
SSL_API void ssl_pixpro_reset_target_at(const char *at, const ssl_pixpro *m); /* target = online */

/* ==== >>cpc ==== contrastive predictive coding ======================================================= */
/* Idea      from the patches above, tell which of all patches of the batch lies some rows below
   Input     images [B,C,H,W], cut into overlapping patches, each encoded by itself by a ResNet: z [B,F,G,G]
   Context   PixelCNN over the grid: what lies above and beside (its top row is padded with ones, 1x3 kernels see both sides)
   Target    another 1x1 convolution of z; negatives are all other places of all images
   Loss      L_i = mean cross entropy(embed_scale pred(row y) . targets, the place i + 1 rows below);  sum over i of i L_i, i >= 1
             (as Lightning Bolts counts), or each L_i once from i = 0 on (each_once)
   Paper     van den Oord et al. 2018, arXiv 1807.03748; Henaff et al. 2019, arXiv 1905.09272; Lightning Bolts' CPCTask
   Collapse  the negatives prevent it; batch norm over patches of one image can let them tell their neighbours */
typedef struct ssl_pixelcnn { ssl_conv_layer *conv; int blocks; } ssl_pixelcnn; /* [blocks][4]: PREFIX.blocks.b.0, .2, .4, .6 */
#define ssl_pixelcnn_new(...)     ssl_pixelcnn_new_at(SSL_CALL("ssl_pixelcnn_new"), __VA_ARGS__)
#define ssl_pixelcnn_forward(...) ssl_pixelcnn_forward_at(SSL_CALL("ssl_pixelcnn_forward"), __VA_ARGS__)
SSL_API ssl_pixelcnn ssl_pixelcnn_new_at(const char *at, ssl_ctx *ctx, const char *prefix, int channels, int hidden, int blocks);
/* relu(z_blocks), z_b+1 = z_b + conv1x1(relu(conv2x1(ones above(conv1x3(relu(conv1x1(z_b))))))).  z [B,C,H,W], W >= 3, same shape out */
SSL_API ssl_tensor *ssl_pixelcnn_forward_at(const char *at, const ssl_pixelcnn *m, ssl_tensor *z);

typedef struct ssl_cpc_desc {
    uint32_t _start_canary;
    ssl_resnet_desc resnet;  /* of the patches; the CIFAR stem below 32 pixels    default ResNet-18 */
    int layer_norm;          /* 1: the encoder of CPC v2 with layer norms, see ssl_resnet_desc.cpc; its own stem at any size */
    int patch, stride;       /* pixels; STL-10: 16, 8; ImageNet: 32, 16     default 8, patch / 2 */
    int target_dim;          /* of predictions and targets                  default 64 */
    float embed_scale;       /* of predictions                              default 0.1 */
    int hidden, blocks;      /* of the PixelCNN                             default 256, 5 */
    int each_once;           /* 1: loss = sum of L_0 .. L_H-2, each once */
    uint32_t _end_canary;
} ssl_cpc_desc;
enum { SSL_CPC_STEPS = 128 };
typedef struct ssl_cpc_trace {       /* what happened in one call */
    ssl_tensor *context, *targets, *preds; /* out: [B,F,G,G], [B,D,G,G], [B,D,G,G] */
    ssl_tensor *losses[SSL_CPC_STEPS];     /* out: L_1 .. (each_once: L_0 ..) */
    int n_losses;                          /* out */
} ssl_cpc_trace;
typedef struct ssl_cpc {
    ssl_ctx *ctx;
    ssl_cpc_desc d;
    ssl_resnet *net;                 /* PREFIX.encoder */
    ssl_conv_layer target, pred;     /* PREFIX.contrastive_task.target_cnn, .pred_cnn */
    ssl_pixelcnn context;            /* PREFIX.contrastive_task.context_cnn */
} ssl_cpc;
SSL_API int ssl_cpc_desc_resolve(const ssl_cpc_desc *in, ssl_cpc_desc *out);
#define ssl_cpc_new(...)      ssl_cpc_new_at(SSL_CALL("ssl_cpc_new"), __VA_ARGS__)
#define ssl_cpc_task_new(...) ssl_cpc_task_new_at(SSL_CALL("ssl_cpc_task_new"), __VA_ARGS__)
#define ssl_cpc_loss(...)     ssl_cpc_loss_at(SSL_CALL("ssl_cpc_loss"), __VA_ARGS__)
#define ssl_cpc_task(...)     ssl_cpc_task_at(SSL_CALL("ssl_cpc_task"), __VA_ARGS__)
#define ssl_cpc_grid(...)     ssl_cpc_grid_at(SSL_CALL("ssl_cpc_grid"), __VA_ARGS__)
#define ssl_cpc_features(...) ssl_cpc_features_at(SSL_CALL("ssl_cpc_features"), __VA_ARGS__)
SSL_API ssl_cpc *ssl_cpc_new_at(const char *at, ssl_ctx *ctx, const char *prefix, const ssl_cpc_desc *desc);
SSL_API ssl_cpc *ssl_cpc_task_new_at(const char *at, ssl_ctx *ctx, const char *prefix, int channels, const ssl_cpc_desc *desc); /* without encoder: PREFIX.target_cnn ..., for ssl_cpc_task */
SSL_API ssl_tensor *ssl_cpc_loss_at(const char *at, const ssl_cpc *m, ssl_tensor *images, ssl_cpc_trace *trace); /* -> [1]; trace may be NULL */
SSL_API ssl_tensor *ssl_cpc_task_at(const char *at, const ssl_cpc *m, ssl_tensor *z, ssl_cpc_trace *trace);      /* the loss from features [B,F,H,W] on a grid */
SSL_API ssl_tensor *ssl_cpc_grid_at(const char *at, const ssl_cpc *m, ssl_tensor *images);     /* [B,C,H,W] -> z [B,F,G,G], G = (H - patch) / stride + 1 */
SSL_API ssl_tensor *ssl_cpc_features_at(const char *at, const ssl_cpc *m, ssl_tensor *images); /* mean over the grid [B,F] */

/* ==== >>siamese ==== two views of a picture ========================================================== */
/* Seven methods of one frame. Of every view f = backbone(view) [B,F], the features, and z = projector(f) [B,D]; some have a
   predictor, p = h(z), and a target, z' [B,D]: a second network that follows the first slowly (momentum), without gradient.
   kind     loss                                                             paper (arXiv)              what keeps it from collapsing
   SIMCLR   NT-Xent(z1, z2, t): the other view among 2B - 2 others           Chen 2020, 2002.05709      negatives: large batches
   MOCO     cross entropy of [q.k, q.queue] / t, q = z1, k = z2' and q = z2, He 2019, 1911.05722;       negatives; keys of a slow target
            k = z1'; the keys then enter the queue                           v2 Chen 2020, 2003.04297   stay comparable
   BYOL     2 - 2 cos(p1, z2') + 2 - 2 cos(p2, z1')                          Grill 2020, 2006.07733     predictor and slow target
   SIMSIAM  -(cos(p1, sg(z2)) + cos(p2, sg(z1))) / 2                         Chen & He 2020, 2011.10566 stop-gradient sg and predictor
   BARLOW   sum_i (1 - c_ii)^2 + lambda sum_{i != j} c_ij^2, c correlations  Zbontar 2021, 2103.03230   units must vary to correlate and
            of the units of z1 with those of z2 over the batch                                          must not repeat each other
   VICREG   lambda mse(z1, z2) + mu variance + nu covariance                 Bardes 2021, 2105.04906    mu: deviation at least 1, nu: no
                                                                                                        unit repeats another
   DINO     mean over pairs of a global view a and another view b of cross   Caron 2021, 2104.14294     centering against one prototype
            entropy(softmax((z'_a - center) / t'), softmax(z_b / t)), z                                 for all, t' < t against all alike
            cosines with D prototypes; local views (small parts) come after the two global ones
   Queue, center and progress are frozen parameters (PREFIX.queue, .queue_ptr, .center, .progress), so that checkpoints hold
   them. The backbone has its bare names under PREFIX, the target is PREFIX.target.*. */
typedef enum ssl_siamese_kind {
    SSL_SIAMESE_DEFAULT = 0, SSL_SIAMESE_SIMCLR, SSL_SIAMESE_MOCO, SSL_SIAMESE_BYOL, SSL_SIAMESE_SIMSIAM, SSL_SIAMESE_BARLOW, SSL_SIAMESE_VICREG, SSL_SIAMESE_DINO
} ssl_siamese_kind;
typedef enum ssl_momentum_schedule { SSL_MOMENTUM_DEFAULT = 0, SSL_MOMENTUM_CONSTANT, SSL_MOMENTUM_COSINE } ssl_momentum_schedule;

/* Defaults are those of the papers or, where they speak of ImageNet alone, of their runs on CIFAR by solo-learn.
                                    SIMCLR     MOCO       BYOL        SIMSIAM    BARLOW     VICREG     DINO */
typedef struct ssl_siamese_desc {
    uint32_t _start_canary;
    ssl_siamese_kind kind;       /* default SSL_SIAMESE_SIMCLR */
    ssl_backbone_desc backbone;  /* default a ViT-Tiny for 32 pixels */
    int projector_hidden;        /* 2048       2048       4096        2048       2048       2048       2048 */
    int projector_out;           /* 128        128        256         2048       2048       2048       256, before the prototypes */
    int projector_layers;        /* 2          2          2, norm     3, norm    3, norm    3, norm    3, GELU */
    int predictor_hidden;        /*                       4096        512 */
    float temperature;           /* 0.2        0.1                                                     0.1 (student) */
    float momentum;              /* of the target: 0.99   0.99                                         0.996 */
    ssl_momentum_schedule momentum_schedule; /* constant  cosine to 1                                  cosine to 1 */
    int queue;                   /* keys       4096; at least twice the batch */
    float lambda, mu, nu;        /*                                              0.0051     25, 25, 1 */
    int prototypes;              /*                                                                    4096 */
    float teacher_temperature;   /* at the end of its warm-up                                          0.07 */
    float teacher_temperature_start; /*                                                                0.04 */
    float teacher_warmup;        /* part of the run                                                    0.3 */
    float center_momentum;       /*                                                                    0.9 */
    float freeze_prototypes;     /* part of the run during which they stay as they are                 0.01 */
    uint32_t _end_canary;
} ssl_siamese_desc;

typedef struct ssl_siamese_trace {  /* what happened in one call, out; NULL what the kind does not have */
    ssl_tensor *feature[SSL_VIEWS], *projection[SSL_VIEWS], *prediction[SSL_VIEWS]; /* f, z, p of each view */
    ssl_tensor *target[2];          /* z' of the first two views */
    float teacher_temperature;      /* t' */
} ssl_siamese_trace;

typedef struct ssl_siamese_net { ssl_backbone *backbone; ssl_mlp projector; ssl_tensor *prototypes; } ssl_siamese_net;
typedef struct ssl_siamese {
    ssl_ctx *ctx;
    ssl_siamese_desc d;
    const char *prefix;
    ssl_siamese_net online, target; /* target.backbone NULL: none */
    ssl_mlp predictor;              /* predictor.d.layers 0: none */
    ssl_tensor *queue, *queue_ptr;  /* MOCO: [K,D]; [1], the row that the next key replaces */
    ssl_tensor *center, *progress;  /* DINO: [1,1,D]; [1], part of the run that is done */
} ssl_siamese;

SSL_API int ssl_siamese_desc_resolve(const ssl_siamese_desc *in, ssl_siamese_desc *out);
#define ssl_siamese_new(...)      ssl_siamese_new_at(SSL_CALL("ssl_siamese_new"), __VA_ARGS__)
#define ssl_siamese_loss(...)     ssl_siamese_loss_at(SSL_CALL("ssl_siamese_loss"), __VA_ARGS__)
#define ssl_siamese_update(...)   ssl_siamese_update_at(SSL_CALL("ssl_siamese_update"), __VA_ARGS__)
#define ssl_siamese_features(...) ssl_siamese_features_at(SSL_CALL("ssl_siamese_features"), __VA_ARGS__)
SSL_API ssl_siamese *ssl_siamese_new_at(const char *at, ssl_ctx *ctx, const char *prefix, const ssl_siamese_desc *desc);
/* views: 2 tensors [B,C,H,W] (DINO: 2 global ones, then any number of local ones of any size), as in ssl_batch -> [1] */
SSL_API ssl_tensor *ssl_siamese_loss_at(const char *at, const ssl_siamese *m, int n_views, ssl_tensor *const *views, ssl_siamese_trace *trace);
/* After each optimizer step: moves the target and takes note of how much of the run is done, 0 to 1. */
SSL_API void ssl_siamese_update_at(const char *at, const ssl_siamese *m, float progress);
SSL_API ssl_tensor *ssl_siamese_features_at(const char *at, const ssl_siamese *m, ssl_tensor *images); /* [B,C,H,W] -> f [B,F] */

/* ==== >>optim ==== optimizers, schedules, EMA ======================================================== */
typedef enum ssl_optim_kind { SSL_OPTIM_DEFAULT = 0, SSL_OPTIM_ADAMW, SSL_OPTIM_ADAM, SSL_OPTIM_SGD, SSL_OPTIM_LARS } ssl_optim_kind;

/* t = steps so far, g = clipped gradient, wd = weight_decay x the group's decay_scale, lr = the call's rate x lr_scale.
   ADAMW  w *= 1 - lr wd;  m,v moments of g;  w -= lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
   ADAM   the same without the first term and with g += wd w
   SGD    g += wd w;  m = momentum m + (1 - dampening) g, first m = g;  w -= lr m,  nesterov: w -= lr (g + momentum m)
   LARS   g += wd w;  g *= trust |w| / |g|;  then SGD's momentum; parameters of one axis are left unscaled
   Weight decay leaves out parameters with one axis (biases, norms) unless decay_1d is set; positions and tokens are
   left out by ssl_param_group. */
typedef struct ssl_optim_desc {
    uint32_t _start_canary;
    ssl_optim_kind kind;     /* default SSL_OPTIM_ADAMW */
    float beta1, beta2, eps; /* Adam: default 0.9, 0.999, 1e-8 */
    float weight_decay;      /* default 0.05 for AdamW, 0 for the others */
    float momentum;          /* SGD, LARS: default 0.9; SSL_EXPLICIT_ZERO for none */
    float trust_coefficient; /* LARS: default 0.001 */
    float clip_norm;         /* limit of the global gradient norm; default 0: no clipping */
    float dampening;         /* SGD without nesterov: default 0 */
    int nesterov;            /* SGD */
    int decay_1d;            /* 1: decay parameters with one axis too */
    uint32_t _end_canary;
} ssl_optim_desc;
SSL_API int ssl_optim_desc_resolve(const ssl_optim_desc *in, ssl_optim_desc *out); /* defaults filled in; 0 if uninitialized */

/* One step over every parameter that is not frozen; clears the gradients. desc may be NULL. A gradient that is NaN or
   infinite is an error that names the parameter, and changes nothing. */
#define ssl_optim_step(...)     ssl_optim_step_at(SSL_CALL("ssl_optim_step"), __VA_ARGS__)
#define ssl_adamw_step(...)     ssl_adamw_step_at(SSL_CALL("ssl_adamw_step"), __VA_ARGS__)     /* ssl_optim_step with all defaults */
#define ssl_clip_grad_norm(...) ssl_clip_grad_norm_at(SSL_CALL("ssl_clip_grad_norm"), __VA_ARGS__)
SSL_API void ssl_optim_step_at(const char *at, ssl_ctx *ctx, const ssl_optim_desc *desc, float lr);
SSL_API void ssl_adamw_step_at(const char *at, ssl_ctx *ctx, float lr);
/* Every gradient *= min(1, max_norm / (norm + 1e-6)); returns the norm before. max_norm 0 only measures. */
SSL_API float ssl_clip_grad_norm_at(const char *at, ssl_ctx *ctx, float max_norm);

/* target = momentum target + (1 - momentum) online, for all parameters named "TARGET.rest" and their "ONLINE.rest".
   What is frozen in the online network (running statistics, fixed positions) is left alone. */
#define ssl_ema_update(...) ssl_ema_update_at(SSL_CALL("ssl_ema_update"), __VA_ARGS__)
#define ssl_ema_copy(...)   ssl_ema_copy_at(SSL_CALL("ssl_ema_copy"), __VA_ARGS__)           /* target = online, frozen ones too */
SSL_API void ssl_ema_update_at(const char *at, ssl_ctx *ctx, const char *target, const char *online, float momentum);
SSL_API void ssl_ema_copy_at(const char *at, ssl_ctx *ctx, const char *target, const char *online);

/* Learning rates and momenta as pure functions of the time; epoch may be a fraction (step / steps per epoch). */
SSL_API float ssl_lr_warmup_cosine(float epoch, float warmup, float epochs, float lr, float min_lr); /* linear, then half a cosine */
SSL_API float ssl_lr_step(float epoch, float every, float gamma, float lr);        /* lr gamma^floor(epoch / every) */
/* PyTorch's chained LinearLR(start over `warmup` epochs) and CosineAnnealingLR(epochs, end lr), both recursive: the rate
   of whole epoch t. APL's pre-trainer: warmup (int)(0.05 epochs), start 0.5, end 0.1; its tuner: warmup 0.1. */
SSL_API float ssl_lr_apl_chained(int epoch, int epochs, int warmup, float start, float end, float lr);
SSL_API float ssl_momentum_cosine(float progress, float base);    /* BYOL: 1 - (1 - base) (1 + cos(pi progress)) / 2 */

/* ==== >>image ==== pictures on raw memory, with the arithmetic of torchvision's tensor transforms.
   Every function reads x and writes y, needs no context, allocates nothing, and is safe in any thread. It returns 1,
   or 0 with y untouched when the sizes do not fit (said per function). Channels: 1 or 3 (RGB). x is first converted to
   the type of y (levels 0..255 or values 0..1), the result is clamped to that range. Where it says "in place", y may be x. */
typedef struct ssl_image {
    int      c, h, w;    /* channels (planes), rows, columns                              */
    size_t   row, plane; /* elements from row to row and from channel to channel          */
    uint8_t *u8;         /* levels 0..255, or NULL                                        */
    float   *f32;        /* values 0..1, or NULL: exactly one of the two is set           */
} ssl_image;

SSL_API ssl_image ssl_image_u8(const uint8_t *p, int c, int h, int w);  /* view of p[c,h,w]; only y is ever written */
SSL_API ssl_image ssl_image_f32(const float *p, int c, int h, int w);
SSL_API ssl_image ssl_image_view(const ssl_image *x, int top, int left, int h, int w); /* part of x, which must contain it */

SSL_API int ssl_image_convert(const ssl_image *x, const ssl_image *y);   /* u8 = round(255 f32), f32 = u8/255; in place */
SSL_API int ssl_image_hflip(const ssl_image *x, const ssl_image *y);     /* mirror columns; in place, same type         */
SSL_API int ssl_image_vflip(const ssl_image *x, const ssl_image *y);     /* mirror rows; in place, same type            */
SSL_API int ssl_image_invert(const ssl_image *x, const ssl_image *y);    /* max - x; in place                           */
SSL_API int ssl_image_solarize(const ssl_image *x, float threshold, const ssl_image *y); /* x < threshold ? x : max - x; in place */
SSL_API int ssl_image_brightness(const ssl_image *x, float factor, const ssl_image *y);  /* factor x; in place          */
SSL_API int ssl_image_contrast(const ssl_image *x, float factor, const ssl_image *y);    /* factor x + (1-factor) mean(gray(x)); in place */
SSL_API int ssl_image_saturation(const ssl_image *x, float factor, const ssl_image *y);  /* factor x + (1-factor) gray(x); in place */
SSL_API int ssl_image_hue(const ssl_image *x, float shift, const ssl_image *y);          /* hue + shift, shift -0.5..0.5 of a turn; in place */
/* gray = 0.2989 R + 0.587 G + 0.114 B, into the 1 channel or all 3 channels of y; in place when c is equal. */
SSL_API int ssl_image_grayscale(const ssl_image *x, const ssl_image *y);
/* Separable exp(-d^2 / 2 sigma^2), normalized, edges reflected. Kernels odd, at most 127, kernel/2 < side. y apart from x. */
SSL_API int ssl_image_blur(const ssl_image *x, int kernel_x, int kernel_y, float sigma_x, float sigma_y, const ssl_image *y);
/* (x - mean[c]) / std[c] of values 0..1. y must be f32; not clamped; in place. */
SSL_API int ssl_image_normalize(const ssl_image *x, const float *mean, const float *std_dev, const ssl_image *y);
/* Bilinear to the size of y (align_corners off). antialias 1 widens the triangle filter by the down-scale factor, as
   Pillow does; 0 takes the two nearest. At most 1000-fold down. y apart from x. For a resized crop, pass ssl_image_view of x. */
SSL_API int ssl_image_resize(const ssl_image *x, int antialias, const ssl_image *y);
/* y = the window of y's size at (top, left) of x, which may reach beyond x: there black (reflect 0) or mirrored without
   repeating the edge (reflect 1: the window must stay within one image side of x). Same type, y apart from x. */
SSL_API int ssl_image_crop(const ssl_image *x, int top, int left, int reflect, const ssl_image *y);

/* ==== >>dataset ==== labelled images in memory, 8 bits a channel =====================================
   SPEC is one of
     synthetic[:N]       procedural: 10 kinds of object in random pose and colour, in 4 of 5 pictures on the ground that goes with the kind;
                         N images (default 5000, test and val 1000) of 32x32 or any image_size; always the same, train and test disjoint
     cifar10:DIR         binary version: data_batch_1.bin .. data_batch_5.bin, test_batch.bin (in DIR or DIR/cifar-10-batches-bin)
     cifar100:DIR        binary version: train.bin, test.bin (in DIR or DIR/cifar-100-binary); the 100 fine labels
     stl10:DIR           binary version: train_X.bin, train_y.bin, test_X.bin, test_y.bin, unlabeled_X.bin (or in DIR/stl10_binary)
     idx:DIR             MNIST family: train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-... (or in DIR/raw, DIR/MNIST/raw)
     folder:DIR          DIR/CLASS/any/depth/NAME.jpg|jpeg|png|bmp; if DIR has train, test or val, that of the split is taken
                         (test and val stand in for each other); images right in DIR have no label
     tiny-imagenet:DIR   train/WNID/images/NAME.JPEG; val/images with val_annotations.txt (split test is val, too)
   Folders need stb_image.h: define SSL_STB_IMAGE as its path in the implementation file. Labels count the class names in
   sorted order (the file's own numbers for binary sets). Images that are too large or not square are brought to a square:
   short side to image_size (bilinear, antialiased), center part. Broken image files: a warning each, counted, left out. */
typedef struct ssl_dataset_desc {
    uint32_t _start_canary;
    const char *split;     /* "train", "test", "val" or "unlabeled"  default "train"                             */
    int image_size;        /* side in pixels, 8 to 4096              default: as stored; synthetic 32; a folder's
                              first readable image decides, at most 224                                          */
    int limit_images;      /* a random choice of so many images      default 0: all                              */
    int labels_per_class;  /* a random choice of so many per class   default 0: all                              */
    uint64_t seed;         /* of the two choices                     default 0                                   */
    uint32_t _end_canary;
} ssl_dataset_desc;

typedef struct ssl_dataset {
    ssl_ctx *ctx;
    int n, c, h, w;        /* images, channels, rows, columns; n is 0 after an error     */
    int n_classes;         /* 0 if nothing is labelled                                   */
    uint8_t *images;       /* [n,c,h,w]                                                  */
    int32_t *labels;       /* [n], 0..n_classes-1, or -1 for none                        */
    char **class_names;    /* [n_classes]                                                */
    float mean[3], std_dev[3]; /* of this set's values 0..1, per channel; evaluate with those of the training set */
    int n_broken;          /* image files left out because they could not be read        */
    int n_loaders;         /* open loaders that read from it                             */
} ssl_dataset;

/* Open a data set; desc may be NULL. After an error the set is empty (n = 0), which loaders accept quietly.
   Freed by ssl_close, or earlier by ssl_dataset_close when no loader uses it. */
#define ssl_dataset_open(ctx, spec)            ssl_dataset_open_at(SSL_HERE, ctx, spec, NULL)
#define ssl_dataset_open_desc(ctx, spec, desc) ssl_dataset_open_at(SSL_HERE, ctx, spec, desc)
SSL_API ssl_dataset *ssl_dataset_open_at(const char *at, ssl_ctx *ctx, const char *spec, const ssl_dataset_desc *desc);
SSL_API void ssl_dataset_close(ssl_dataset *data);
SSL_API ssl_image ssl_dataset_image(const ssl_dataset *data, int i); /* view of image i; 0 <= i < n */
SSL_API const char *ssl_dataset_class(const ssl_dataset *data, int label); /* its name, "-" for none */

/* Any JPEG, PNG or BMP file as 8-bit [3,h,w]: pixels to be given to ssl_image_file_free, NULL if it cannot be read
   (then why, if not NULL, says the reason). */
SSL_API uint8_t *ssl_image_file_load(const char *path, int *h, int *w, const char **why);
SSL_API void ssl_image_file_free(uint8_t *pixels);

/* ==== >>augment ==== one random view of an image, as a description ===================================
   Order: crop, flips, RandAugment, colour jitter (brightness, contrast, saturation and hue in random order), grayscale, blur,
   solarize, normalize; each as the torchvision transform of that name, in float; RandAugment (Cubuk et al. 2020) as timm's
   rand-m9-mstd0.5-inc1 with bilinear sampling. The result depends on seed, epoch,
   image index and view only. Fields named *_p and flips are probabilities: 0, the default, is off. */
typedef enum ssl_crop_kind {
    SSL_CROP_DEFAULT = 0,  /* SSL_CROP_WHOLE                                                             */
    SSL_CROP_WHOLE,        /* the whole image, resized when size differs                                 */
    SSL_CROP_CENTER,       /* middle square of crop_ratio of the short side, resized: for evaluation     */
    SSL_CROP_PADDED,       /* shift by up to pad pixels both ways, edges mirrored (or black: pad_black)  */
    SSL_CROP_RESIZED       /* a random part of area scale and aspect ratio, resized                      */
} ssl_crop_kind;

typedef struct ssl_augment_desc {
    uint32_t _start_canary;
    ssl_crop_kind crop;
    int size;                /* side of the result in pixels            default 0: the sides of the image       */
    int pad, pad_black;      /* PADDED                                  default 4, mirrored                     */
    float crop_ratio;        /* CENTER                                  default 0.875                           */
    float crop_p;            /* PADDED, RESIZED: else the whole image   default 1                               */
    float scale[2];          /* RESIZED: area, 0..1 of the image        default 0.08, 1                         */
    float ratio[2];          /* RESIZED: width/height                   default 3/4, 4/3                        */
    int no_antialias;        /* plain bilinear when shrinking                                                   */
    float hflip, vflip;      /* probability of mirroring                                                        */
    int shared_flip;         /* 1: the flips of view 0 hold for this view as well                               */
    float jitter_p;          /* probability of the next four            default 1 if one of them is set         */
    float brightness, contrast, saturation; /* factor 1-x .. 1+x                                                */
    float hue;               /* shift -x .. x turns, at most 0.5                                                */
    float grayscale_p;
    float blur_p;
    int blur_kernel;         /* odd pixels                              default a tenth of the side, at least 3 */
    float blur_sigma[2];     /*                                         default 0.1, 2                          */
    float solarize_p, solarize_threshold; /*                            default threshold 0.5                   */
    int rand_ops;            /* RandAugment: so many random operations, each left out in one half of all cases  */
    float rand_strength, rand_deviation; /* of 0 to 10                  default 9, 0.5 (as MAE is fine-tuned)   */
    int no_normalize;        /* leave values in 0..1                                                            */
    float mean[3], std_dev[3]; /* of values 0..1                        default in a loader: the data set's     */
    uint32_t _end_canary;
} ssl_augment_desc;

/* Fill desc with a recipe: "none" and "eval" (whole image, normalized), "mae" (resized crop 0.2..1, flip),
   "crop" (shift by 4, flip), "apl" (resized crop 0.6..1, flip, grayscale 0.2, blur, mean and deviation 0.5),
   "simclr" (resized crop 0.2..1, flip, jitter 0.4 0.4 0.4 0.1 with p 0.8, grayscale 0.2), "byol" and "byol-second" (the same with
   jitter 0.4 0.4 0.2 0.1; view 1 blur 1, view 2 blur 0.1 and solarize 0.2: also those of Barlow Twins and DINO), "vicreg" (both views
   blur 0.5 and solarize 0.1), "pixpro" (whole image, jitter
   0.8 0.8 0.8 0.2 with p 0.8, grayscale 0.2, blur 0.1, solarize 0.5, ImageNet's normalization), "amdim" (one flip for all
   views, then shift by 4 with p 0.8, jitter 0.4 0.4 0.4 0.2 with p 0.8, grayscale 0.25; CPC takes the same), "amdim-large" (the same with
   resized crop 0.3..1 of ratio 0.7..1.4 for the shift: STL-10, ImageNet). 0 if there is no such name. */
SSL_API int ssl_augment_preset(const char *name, ssl_augment_desc *desc);
/* The desc with every default filled in for images [c,h,w]; a bad value is an error. 1 on success. */
#define ssl_augment_resolve(...) ssl_augment_resolve_at(SSL_HERE, __VA_ARGS__)
SSL_API int ssl_augment_resolve_at(const char *at, ssl_ctx *ctx, const ssl_augment_desc *desc, int c, int h, int w, ssl_augment_desc *out);
/* View number `view` of image x (8 bits) into y [c,H,W]; desc resolved for x; tmp [2*c*max(h*w, H*W)]; box may be NULL. */
SSL_API void ssl_augment(const ssl_augment_desc *desc, const ssl_image *x, uint64_t seed, int epoch, int index, int view,
                         float *tmp, const ssl_image *y, ssl_view_box *box);

/* ==== >>loader ==== shuffled, augmented batches, made ahead by background threads =====================
   Which images a batch holds and how they are augmented depends on seed, epoch and step only, not on the threads. On a GPU the
   set's 8 bits are copied there once if they fit into half of the free memory, and a kernel makes the views: crops, flips and
   all other choices are those of the CPU bit for bit; values differ by rounding (1e-5), and a pixel that lies within rounding of
   solarize_threshold or of a level of RandAugment's may fall on the other side. Sets that do not fit are augmented by the threads. */
typedef struct ssl_loader_desc {
    uint32_t _start_canary;
    int batch;             /* images per batch                       default 64                                  */
    int epochs;            /* times through the set                  default 1                                   */
    int no_shuffle;        /* keep the order of the set                                                          */
    int keep_last;         /* also give the last batch of an epoch when it is smaller                            */
    int n_views;           /* views of every image                   default 1                                   */
    const ssl_augment_desc *augment; /* [n_augment] one for each view, or one for all; default "none"; copied    */
    int n_augment;         /*                                        default 1 if augment is given               */
    int threads;           /* background threads                     default 1, more when there are many cores   */
    int prefetch;          /* batches made ahead                     default 4                                   */
    uint64_t seed;         /* of order and augmentation              default 0: that of the context              */
    uint32_t _end_canary;
} ssl_loader_desc;

typedef struct ssl_loader ssl_loader;
typedef struct ssl_batch { /* owned by the loader, valid until its next ssl_loader_next */
    int n;                     /* images in this batch                                              */
    int epoch, step;           /* counted from 0; step within the epoch                             */
    int n_views;
    ssl_tensor *images;        /* [n,c,h,w] of view 0                                               */
    ssl_tensor **views;        /* [n_views] tensors [n,c,h,w], sizes as their augmentation says     */
    ssl_tensor *labels;        /* [n] int32, -1 for none                                            */
    const int32_t *label;      /* [n] the same on the host                                          */
    const int32_t *indices;    /* [n] place of each image in the data set                           */
    const ssl_view_box *boxes; /* [n_views,n] where each view comes from                            */
} ssl_batch;

/* Start loading. desc may be NULL. Always returns a loader; after an error it gives no batches. Freed by ssl_close. */
#define ssl_loader_open(...) ssl_loader_open_at(SSL_HERE, __VA_ARGS__)
SSL_API ssl_loader *ssl_loader_open_at(const char *at, ssl_dataset *data, const ssl_loader_desc *desc);
SSL_API int ssl_loader_next(ssl_loader *loader, ssl_batch *batch); /* 1, or 0 after the last epoch or an error */
SSL_API int ssl_loader_steps(const ssl_loader *loader);            /* batches in one epoch */
/* Continue as if the batches before (epoch, step) had been taken: the following ones are the same bit for bit. */
SSL_API void ssl_loader_seek(ssl_loader *loader, int epoch, int step);
SSL_API void ssl_loader_close(ssl_loader *loader);

/* ==== >>tune ==== a classifier on a pre-trained network: heads and recipes =========================== */
/* Heads: features x [B,D] -> logits [B,K]. Parameters PREFIX.weight, .bias (LINEAR), .0.*, .1.* (NORM), .fc1.*, .bn.*, .fc2.* (MLP). */
typedef enum ssl_head_kind {
    SSL_HEAD_DEFAULT = 0,
    SSL_HEAD_LINEAR,    /* w x + b */
    SSL_HEAD_NORM,      /* w bn(x) + b, bn without weight and bias, eps 1e-6: linear probe of MAE (Doersch et al. 2015), scale-free for LARS */
    SSL_HEAD_MLP,       /* w2 relu(bn(w1 x)) + b2, hidden 1024: SSL evaluator of Lightning Bolts */
    SSL_HEAD_MLP_PLAIN  /* w2 dropout(relu(w1 x + b1)) + b2, hidden 3 D, dropout 0.1: APL */
} ssl_head_kind;
typedef struct ssl_head_desc {
    uint32_t _start_canary;
    ssl_head_kind kind; /* default SSL_HEAD_LINEAR */
    int hidden;         /* see above */
    float dropout;      /* of x, and before w2    default 0; MLP_PLAIN: before w2 only, default 0.1, SSL_EXPLICIT_ZERO for none */
    ssl_init init;      /* of the last weight     default SSL_INIT_TORCH, NORM: SSL_INIT_TRUNC_NORMAL 0.01 */
    uint32_t _end_canary;
} ssl_head_desc;
typedef struct ssl_head { ssl_head_desc d; ssl_linear_layer fc1, fc2; ssl_batch_norm_layer bn; } ssl_head;
#define ssl_head_new(...)     ssl_head_new_at(SSL_CALL("ssl_head_new"), __VA_ARGS__)     /* ssl_head_new(ctx, "head", D, K, desc or NULL) */
#define ssl_head_forward(...) ssl_head_forward_at(SSL_CALL("ssl_head_forward"), __VA_ARGS__)
SSL_API ssl_head ssl_head_new_at(const char *at, ssl_ctx *ctx, const char *prefix, int dim, int classes, const ssl_head_desc *desc);
SSL_API ssl_tensor *ssl_head_forward_at(const char *at, const ssl_head *head, ssl_tensor *x);

/* A head that learns beside a network, from the values of its features (online evaluator of Lightning Bolts). It lives in a context
   of its own, e->ctx: the network's gradients, random numbers and optimizer are what they are without it. ssl_online_eval_step: the part
   of the batch that the head has right; lr > 0 also takes an Adam step on it. x [B,D] of the network's context, label [B] on the host,
   -1 for none. ssl_save and ssl_load of e->ctx keep it; ssl_online_eval_close frees it. */
typedef struct ssl_online_eval { ssl_ctx *ctx; ssl_head head; int dim, classes; } ssl_online_eval;
#define ssl_online_eval_new(...)  ssl_online_eval_new_at(SSL_CALL("ssl_online_eval_new"), __VA_ARGS__) /* ssl_online_eval_new(ctx, D, K, desc of the head or NULL) */
#define ssl_online_eval_step(...) ssl_online_eval_step_at(SSL_CALL("ssl_online_eval_step"), __VA_ARGS__)
SSL_API ssl_online_eval ssl_online_eval_new_at(const char *at, ssl_ctx *ctx, int dim, int classes, const ssl_head_desc *desc);
SSL_API double ssl_online_eval_step_at(const char *at, ssl_online_eval *e, ssl_tensor *x, const int32_t *label, float lr);
SSL_API void ssl_online_eval_close(ssl_online_eval *e);

/* Labels that are distributions. ssl_soft_cross_entropy: mean over the rows of -sum_c q_c log_softmax(logits)_c, both [N,K]. */
#define ssl_one_hot(...)            ssl_one_hot_at(SSL_CALL("ssl_one_hot"), __VA_ARGS__) /* labels I32 [N], 0..K-1 -> F32 [N,K] */
#define ssl_soft_cross_entropy(...) ssl_soft_cross_entropy_at(SSL_CALL("ssl_soft_cross_entropy"), __VA_ARGS__)
SSL_API ssl_tensor *ssl_one_hot_at(const char *at, ssl_tensor *labels, int classes);
SSL_API ssl_tensor *ssl_soft_cross_entropy_at(const char *at, ssl_tensor *logits, ssl_tensor *q);
/* mixup (Zhang et al. 2018): lambda x_i + (1 - lambda) x_order[i], x [B,...] images or labels, order I32 [B].
   cutmix (Yun et al. 2019): x_i with the rectangle `box` of x_order[i], images [B,C,H,W]. */
#define ssl_mixup(...)  ssl_mixup_at(SSL_CALL("ssl_mixup"), __VA_ARGS__)
#define ssl_cutmix(...) ssl_cutmix_at(SSL_CALL("ssl_cutmix"), __VA_ARGS__)
SSL_API ssl_tensor *ssl_mixup_at(const char *at, ssl_tensor *x, ssl_tensor *order, float lambda);
SSL_API ssl_tensor *ssl_cutmix_at(const char *at, ssl_tensor *images, ssl_tensor *order, const ssl_view_box *box);
/* One of the two at random for a batch, with a random order and lambda ~ Beta(alpha, alpha); cutmix: a rectangle of the part
   1 - lambda of the area around a random center, what lies outside is cut off and lambda corrected. *q [B,K] are the labels that
   go with the result: (1 - smoothing) of the mixed one-hot labels, the rest spread over all classes. */
typedef struct ssl_mix_desc {
    uint32_t _start_canary;
    float mixup, cutmix; /* alpha of each; MAE: 0.8, 1        default 0: off */
    float cutmix_p;      /* part of cutmix where both are on  default 0.5 */
    float smoothing;     /* of the labels; MAE: 0.1           default 0 */
    uint32_t _end_canary;
} ssl_mix_desc;
#define ssl_mix(...) ssl_mix_at(SSL_CALL("ssl_mix"), __VA_ARGS__) /* images = ssl_mix(images, labels, classes, &desc, &q) */
SSL_API ssl_tensor *ssl_mix_at(const char *at, ssl_tensor *images, ssl_tensor *labels, int classes, const ssl_mix_desc *desc, ssl_tensor **q);

/* Layer-wise learning rates (BEiT, MAE): of n blocks, block i learns at decay^(n - i) of the rate, what was made before the first
   block (patch embedding, tokens) at decay^(n + 1), what is no block and was made after it (norm, head) at the full rate. blocks:
   "blocks" (ViT: blocks.0.*), "layer" (ResNet: layer1.*) ..., wherever it stands between points; NULL: the first of encoder.layers,
   contextualize, layer_list, layer, blocks, encoder that the network has. Returns n; no block is an error. */
#define ssl_layer_decay(...) ssl_layer_decay_at(SSL_CALL("ssl_layer_decay"), __VA_ARGS__) /* ssl_layer_decay(ctx, NULL, 0.75f) */
SSL_API int ssl_layer_decay_at(const char *at, ssl_ctx *ctx, const char *blocks, float decay);

/* ==== >>eval ==== k-NN, linear probe ================================================================= */
/* What frozen features are worth. x [n,dim] and label [n] (0 <= label < classes) are on the host; fill them yourself, or
   let ssl_features_of (a network) or ssl_features_pixels (the images themselves) do it. */
typedef struct ssl_features { ssl_ctx *ctx; int n, dim, classes; float *x; int32_t *label; } ssl_features;
#define ssl_features_new(...) ssl_features_new_at(SSL_CALL("ssl_features_new"), __VA_ARGS__) /* ssl_features_new(ctx, n, dim, classes); NULL on error */
SSL_API ssl_features *ssl_features_new_at(const char *at, ssl_ctx *ctx, int n, int dim, int classes);
SSL_API void ssl_features_free(ssl_features *f);                         /* NULL is fine */
/* fn(model, images [B,C,H,W]) -> [B,D] for every image of data in order, in evaluation mode and without gradients.
   augment NULL: the whole image, normalized by this set's mean and deviation; for a test set pass those of its training
   set. batch 0: 256. Ends the current step. NULL on error. ssl_features_pixels: the pixels 0..1 as they are. */
typedef ssl_tensor *(*ssl_feature_fn)(void *model, ssl_tensor *images);
#define ssl_features_of(...)     ssl_features_of_at(SSL_CALL("ssl_features_of"), __VA_ARGS__)
#define ssl_features_pixels(...) ssl_features_pixels_at(SSL_CALL("ssl_features_pixels"), __VA_ARGS__)
SSL_API ssl_features *ssl_features_of_at(const char *at, ssl_dataset *data, const ssl_augment_desc *augment, int batch, ssl_feature_fn fn, void *model);
SSL_API ssl_features *ssl_features_pixels_at(const char *at, const ssl_dataset *data);

/* Fractions of the test set whose label is among the 1, 3, 5 best-scored classes (ties go to the lower class), and the
   mean -log p(label). All zero after an error. */
typedef struct ssl_score { double top1, top3, top5, nll; int iterations, converged; } ssl_score;

/* The figures of a classifier: logits->x [n,classes], e.g. ssl_features_of a network with a head on a test set. */
#define ssl_score_logits(...) ssl_score_logits_at(SSL_CALL("ssl_score_logits"), __VA_ARGS__)
SSL_API ssl_score ssl_score_logits_at(const char *at, const ssl_features *logits);

/* The k rows of train with the greatest cosine to each row of test, nearest first, ties to the lower row:
   index [test.n, k] and similarity [test.n, k] (either may be NULL). */
#define ssl_neighbors(...) ssl_neighbors_at(SSL_CALL("ssl_neighbors"), __VA_ARGS__)       /* ssl_neighbors(train, test, k, index, similarity) */
SSL_API int ssl_neighbors_at(const char *at, const ssl_features *train, const ssl_features *test, int k, int32_t *index, float *similarity);

/* Weighted k-NN (Wu et al. 2018, arXiv 1805.01978, eq. 7; DINO): class c scores s_c = sum over the k nearest with label c of
   w_j = exp(cos_j / temperature). For the NLL p(c) = (s_c + w_1 / K) / (sum s + w_1), w_1 that of the nearest: as if one more
   neighbour, as near as the nearest, were of all K classes alike, so that a label without a vote costs log(K (k + 1)) at most. */
typedef struct ssl_knn_desc {
    uint32_t _start_canary;
    int k;             /* default 20 */
    float temperature; /* default 0.07 */
    uint32_t _end_canary;
} ssl_knn_desc;
#define ssl_knn(...) ssl_knn_at(SSL_CALL("ssl_knn"), __VA_ARGS__)                   /* ssl_knn(train, test, desc or NULL) */
SSL_API ssl_score ssl_knn_at(const char *at, const ssl_features *train, const ssl_features *test, const ssl_knn_desc *desc);

/* Multinomial logistic regression on features standardized by the mean and deviation of train:
   minimize mean cross-entropy + l2/2 |W|^2 by L-BFGS (Liu & Nocedal 1989) until max |gradient| <= tolerance. */
typedef struct ssl_probe_desc {
    uint32_t _start_canary;
    float l2;           /* default 1e-3; SSL_EXPLICIT_ZERO for none */
    float tolerance;    /* default 1e-3 */
    int max_iterations; /* default 500; a probe that stops there has score.converged 0 */
    uint32_t _end_canary;
} ssl_probe_desc;
#define ssl_linear_probe(...) ssl_linear_probe_at(SSL_CALL("ssl_linear_probe"), __VA_ARGS__) /* ssl_linear_probe(train, test, desc or NULL) */
SSL_API ssl_score ssl_linear_probe_at(const char *at, const ssl_features *train, const ssl_features *test, const ssl_probe_desc *desc);

/* ==== >>report ==== progress, logs, pictures ========================================================= */
/* Progress on stderr: on a terminal one line redrawn ten times a second, otherwise a plain line every ten seconds. */
typedef struct ssl_progress {
    const char *title;
    int64_t first, total; /* steps before this run, and in all */
    int64_t images;       /* so far, in this run */
    double begun, shown;  /* seconds */
    double loss;          /* running mean, one fiftieth new */
    int terminal;
} ssl_progress;
SSL_API ssl_progress ssl_progress_begin(const char *title, int64_t first, int64_t total);
SSL_API void ssl_progress_step(ssl_progress *p, int64_t done, int images, float loss); /* after each step; done counts from 1 */
SSL_API void ssl_progress_end(ssl_progress *p, int64_t done);                          /* the last line, and a newline */
SSL_API double ssl_seconds(void);                                                      /* a clock, for differences */

/* A table as text: ssl_csv *log = ssl_csv_open(ctx, "log.csv", "step,loss", -1); ssl_csv_row(log, 2, values); every row is on
   disk when the call returns. keep -1: a new file; keep s >= 0: go on with an old one after its rows whose first column
   is <= s (a resumed run drops what was logged after its checkpoint). NULL after an error, which the others accept. */
typedef struct ssl_csv ssl_csv;
#define ssl_csv_open(...) ssl_csv_open_at(SSL_HERE, __VA_ARGS__)
#define ssl_csv_row(...)  ssl_csv_row_at(SSL_HERE, __VA_ARGS__)
SSL_API ssl_csv *ssl_csv_open_at(const char *at, ssl_ctx *ctx, const char *path, const char *columns, int64_t keep);
SSL_API void ssl_csv_row_at(const char *at, ssl_csv *csv, int n, const double *values); /* one for each column */
SSL_API void ssl_csv_close(ssl_csv *csv);

/* JSON text, indented: ssl_json j = SSL_ZERO; j.ctx = ctx; ssl_json_begin(&j, NULL, '{'); ssl_json_number(&j, "lr", 0.1);
   ssl_json_end(&j); then j.text, or ssl_json_save(&j, path). Keys are NULL at the top and inside [ ]. Strings are escaped,
   numbers have the digits that tell floats apart, NaN and infinity become null. */
typedef struct ssl_json { ssl_ctx *ctx; char *text; int size, capacity, depth, count; char close[16]; } ssl_json;
SSL_API void ssl_json_begin(ssl_json *j, const char *key, char bracket); /* '{' or '[', at most 16 deep */
SSL_API void ssl_json_end(ssl_json *j);
SSL_API void ssl_json_string(ssl_json *j, const char *key, const char *value);
SSL_API void ssl_json_number(ssl_json *j, const char *key, double value);
#define ssl_json_save(...) ssl_json_save_at(SSL_HERE, __VA_ARGS__)
SSL_API int ssl_json_save_at(const char *at, ssl_json *j, const char *path);
SSL_API void ssl_json_free(ssl_json *j);

/* A picture to draw on, rgb [h,w,3]. Colors are 0xRRGGBB; whatever lies outside is clipped; NULL canvases are ignored. */
typedef struct ssl_canvas { ssl_ctx *ctx; int w, h; uint8_t *rgb; } ssl_canvas;
typedef struct ssl_series { const char *name; const float *x, *y; int n; uint32_t color; } ssl_series; /* color 0: by position */
#define ssl_canvas_new(...)  ssl_canvas_new_at(SSL_HERE, __VA_ARGS__)  /* ssl_canvas_new(ctx, w, h, color) */
#define ssl_canvas_save(...) ssl_canvas_save_at(SSL_HERE, __VA_ARGS__) /* ssl_canvas_save(canvas, "x.png"); needs SSL_STB_IMAGE_WRITE */
SSL_API ssl_canvas *ssl_canvas_new_at(const char *at, ssl_ctx *ctx, int w, int h, uint32_t color);
SSL_API int ssl_canvas_save_at(const char *at, const ssl_canvas *canvas, const char *path);
SSL_API void ssl_canvas_free(ssl_canvas *canvas);
SSL_API void ssl_canvas_rect(ssl_canvas *canvas, int x, int y, int w, int h, uint32_t color);
SSL_API void ssl_canvas_line(ssl_canvas *canvas, float x0, float y0, float x1, float y1, float width, uint32_t color);
SSL_API void ssl_canvas_text(ssl_canvas *canvas, int x, int y, int scale, uint32_t color, const char *text); /* cell 6 x 8 times scale */
SSL_API int ssl_canvas_text_width(int scale, const char *text);
/* An image of 1 or 3 channels, [c,h,w], each pixel scale x scale: levels 0..255, or floats as mean + deviation * value with
   1.0 white (both NULL: 0 and 1), which shows normalized images as they were. */
SSL_API void ssl_canvas_u8(ssl_canvas *canvas, int x, int y, int scale, const uint8_t *image, int c, int h, int w);
SSL_API void ssl_canvas_f32(ssl_canvas *canvas, int x, int y, int scale, const float *image, int c, int h, int w, const float *mean, const float *std_dev);
/* Values [rows,cols] as colors from dark blue (lo) to yellow (hi): similarity strips and maps. */
SSL_API void ssl_canvas_heat(ssl_canvas *canvas, int x, int y, int scale, const float *value, int rows, int cols, float lo, float hi);
/* The k principal components of the rows of x [n,d], 1 <= k <= d, n > 1: directions [k,d] of length 1, their greatest entry positive, in
   the order of falling variance [k] (sum of squares / (n - 1)); score [n,k] = (x - mean) . direction. Each may be NULL. 0 without memory. */
SSL_API int ssl_pca(const float *x, int n, int d, int k, float *direction, float *variance, float *score);
/* The pictures (as in ssl_canvas_f32), below them their tokens with the three principal components of all together as red, green and
   blue (from -2 to 2 deviations), below these what the first 8 heads attend to (each from its least to its greatest). */
#define ssl_look_save(...) ssl_look_save_at(SSL_HERE, __VA_ARGS__) /* ssl_look_save(&look, images, mean, std_dev, "x.png") */
SSL_API int ssl_look_save_at(const char *at, const ssl_look *look, ssl_tensor *images, const float *mean, const float *std_dev, const char *path);
/* Curves with axes and legend in the rectangle x, y, w, h; points that are not finite are left out. */
SSL_API void ssl_canvas_plot(ssl_canvas *canvas, int x, int y, int w, int h, const char *title, const char *x_label, const ssl_series *series, int n);

/* ==== >>checkpoint ==== safetensors ================================================================== */
/* Reader and writer of .safetensors files, usable on their own; files and data are little-endian. */
#define SSL_FILE_DIMS 8
typedef struct ssl_file_tensor {
    const char *name, *dtype;      /* dtype: F64 F32 F16 BF16 I64 I32 I16 I8 U64 U32 U16 U8 BOOL; others can be listed, not converted */
    int ndim;                      /* 0: a single number */
    int64_t dim[SSL_FILE_DIMS], n; /* n: the number of elements */
    const void *data;              /* may lie at any address: copy or convert it */
    size_t bytes;
} ssl_file_tensor;
typedef struct ssl_note { const char *key, *value; } ssl_note;
typedef struct ssl_safetensors {   /* fields are for reading */
    ssl_ctx *ctx;
    char *path;
    int n_tensors, n_notes;
    ssl_file_tensor *tensor;       /* sorted by name */
    ssl_note *note;                /* the strings of __metadata__, in the file's order */
    void *memory;
} ssl_safetensors;

/* The whole file in memory, every length and offset checked; NULL (and the context's error) if it is not well-formed. */
#define ssl_safetensors_open(...) ssl_safetensors_open_at(SSL_HERE, __VA_ARGS__)
SSL_API ssl_safetensors *ssl_safetensors_open_at(const char *at, ssl_ctx *ctx, const char *path);
SSL_API void ssl_safetensors_close(ssl_safetensors *f);                                              /* NULL is fine */
SSL_API const ssl_file_tensor *ssl_safetensors_find(const ssl_safetensors *f, const char *name);     /* NULL if there is none */
SSL_API const char *ssl_safetensors_note(const ssl_safetensors *f, const char *key);                 /* NULL if there is none */
SSL_API int ssl_file_tensor_to_f32(const ssl_file_tensor *t, float *dst);   /* n values; 0 if the type is unknown */
SSL_API int ssl_file_tensor_to_i64(const ssl_file_tensor *t, int64_t *dst); /* the same; 0 for types with fractions, too */
/* Written to PATH.tmp, flushed to the disk, then renamed: PATH is the old file or the whole new one. 1 on success.
   Of a tensor to write: name, dtype, ndim, dim and data. */
#define ssl_safetensors_write(...) ssl_safetensors_write_at(SSL_HERE, __VA_ARGS__)
SSL_API int ssl_safetensors_write_at(const char *at, ssl_ctx *ctx, const char *path, int n_tensors, const ssl_file_tensor *tensor,
                                     int n_notes, const ssl_note *note);

/* Checkpoints: every parameter by name, the optimizer's moments (optim.m.NAME, optim.v.NAME), step count, seed and RNG
   position, and the context's notes. A run that continues from one gives the same bits as one that never stopped. */
#define ssl_save(...) ssl_save_at(SSL_HERE, __VA_ARGS__)
#define ssl_load(...) ssl_load_at(SSL_HERE, __VA_ARGS__)
SSL_API int ssl_save_at(const char *at, ssl_ctx *ctx, const char *path); /* 1 on success */

typedef struct ssl_load_desc {
    uint32_t _start_canary;
    int weights_only;        /* 1: values only; moments, step count, RNG and notes stay as they are */
    int partial;             /* 1: a parameter that the file lacks keeps its value, what the network lacks is passed over */
    const char *only;        /* only the parameters named ONLY.rest; implies weights_only */
    const char *file_prefix; /* they are named FILE_PREFIX.rest in the file ("": rest); default: as in the network */
    uint32_t _end_canary;
} ssl_load_desc;
/* Fill the context's parameters, which must have been made before. desc NULL: everything, as saved. If names or shapes
   differ, one error says which and nothing is changed. Returns how many parameters were filled. */
SSL_API int ssl_load_at(const char *at, ssl_ctx *ctx, const char *path, const ssl_load_desc *desc);

/* Notes: strings that travel with the context's checkpoints (method, settings, epoch): ssl_note_put(ctx, "epoch", "%d", 3). */
#define ssl_note_put(...) ssl_note_put_at(SSL_HERE, __VA_ARGS__)
SSL_API void ssl_note_put_at(const char *at, ssl_ctx *ctx, const char *key, const char *fmt, ...) SSL__PRINTF(4, 5);
SSL_API const char *ssl_note_find(const ssl_ctx *ctx, const char *key); /* NULL if there is none */

#ifdef __cplusplus
}
#endif
#endif /* SSL_VISION_H_INCLUDED */

/* =========================================================================================================
   IMPLEMENTATION, part 1: platform, context, kernel list.
   ========================================================================================================= */
#if defined(SSL_IMPLEMENTATION) && !defined(SSL_NO_IMPLEMENTATION) && !defined(SSL__PART) /* NO_: one compiled copy is linked */
#define SSL__PART 1
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#ifdef _OPENMP
#  include <omp.h>
#endif
#include <dirent.h>
#include <sys/stat.h>
#ifdef __linux__
#  include <sys/mman.h>
#  ifdef MADV_HUGEPAGE
#    define SSL__MADV_HUGEPAGE MADV_HUGEPAGE
#  elif !defined(__cplusplus) && (defined(__x86_64__) || defined(__aarch64__)) /* -std=c11 hides both */
#    define SSL__MADV_HUGEPAGE 14
int madvise(void *p, size_t bytes, int advice);
#  endif
#endif
#ifndef SSL_NO_THREADS
#  include <pthread.h>
#endif
/* stb_image: the user's copy where this file already includes it, else a private one where SSL_STB_IMAGE says its path
   ("stb_image.h" or <stb/stb_image.h>), else none, and the readers of picture files say so. */
#if defined(STBI_INCLUDE_STB_IMAGE_H)
#  define SSL__HAS_STBI 1
#elif defined(SSL_STB_IMAGE)
#  define SSL__HAS_STBI 1
#  define STB_IMAGE_STATIC
#  define STB_IMAGE_IMPLEMENTATION
#  define STBI_NO_STDIO
#  define STBI_NO_PSD
#  define STBI_NO_TGA
#  define STBI_NO_HDR
#  define STBI_NO_LINEAR
#  define STBI_NO_PIC
#  define STBI_NO_PNM
#  define stbi__unpremultiply_on_load_thread stbi_set_unpremultiply_on_load_thread /* 2.27 defines it under a wrong name */
#  ifdef __CUDACC__
#    pragma nv_diagnostic push
#    pragma nv_diag_suppress 177,550
#  endif
#  ifdef __GNUC__
#    pragma GCC diagnostic push
#    pragma GCC diagnostic ignored "-Wunused-function"
#    pragma GCC diagnostic ignored "-Wimplicit-fallthrough"
#  endif
#  include SSL_STB_IMAGE
#  ifdef __GNUC__
#    pragma GCC diagnostic pop
#  endif
#  ifdef __CUDACC__
#    pragma nv_diagnostic pop
#  endif
#  undef stbi__unpremultiply_on_load_thread
#  undef STB_IMAGE_IMPLEMENTATION
#  undef STB_IMAGE_STATIC
#else
#  define SSL__HAS_STBI 0
#endif
#if defined(__x86_64__) && defined(__GNUC__)
#  include <cpuid.h>
#  if defined(__cplusplus) && !defined(__clang__) && __GNUC__ < 13 /* its AVX-512 intrinsics start from an uninitialized register */
#    pragma GCC diagnostic push
#    pragma GCC diagnostic ignored "-Wuninitialized"
#    pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#    include <immintrin.h>
#    pragma GCC diagnostic pop
#  else
#    include <immintrin.h>
#  endif
#elif defined(__aarch64__)
#  include <arm_neon.h>
#endif

/* stb_image_write: the user's copy if this file has it, a private static one where SSL_STB_IMAGE_WRITE says, or none */
#if defined(INCLUDE_STB_IMAGE_WRITE_H)
#  define SSL__HAS_STBIW 1
#elif defined(SSL_STB_IMAGE_WRITE)
#  ifdef __CUDACC__
#    pragma nv_diagnostic push
#    pragma nv_diag_suppress 177,550
#  endif
#  ifdef __GNUC__
#    pragma GCC diagnostic push
#    pragma GCC diagnostic ignored "-Wunused-function"
#    pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#  endif
#  define STB_IMAGE_WRITE_STATIC
#  define STB_IMAGE_WRITE_IMPLEMENTATION
#  include SSL_STB_IMAGE_WRITE
#  undef STB_IMAGE_WRITE_IMPLEMENTATION
#  undef STB_IMAGE_WRITE_STATIC
#  ifdef __GNUC__
#    pragma GCC diagnostic pop
#  endif
#  ifdef __CUDACC__
#    pragma nv_diagnostic pop
#  endif
#  define SSL__HAS_STBIW 1
#endif

#ifndef SSL_ASSERT
#  include <assert.h>
#  define SSL_ASSERT(c) assert(c)
#endif
#if defined(SSL_MALLOC) != defined(SSL_FREE)
#  error "ssl.h: define both SSL_MALLOC(size) and SSL_FREE(ptr), or neither"
#endif
#ifndef SSL_MALLOC
#  define SSL_MALLOC(n) malloc(n)
#  define SSL_FREE(p)   free(p)
#endif
#ifdef __CUDACC__
#  define SSL__CUDA 1 /* the CUDA backend is inside */
#  define SSL_HD    __host__ __device__
#else
#  define SSL_HD
#endif
#if defined(__GNUC__) /* scalar formulas must be inlined into the loops of every pass, whose optimization options differ */
#  define SSL__INLINE inline __attribute__((always_inline))
#else
#  define SSL__INLINE inline
#endif
#if defined(__OPTIMIZE__) && defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__) /* code that only steers: half the time to compile */
#  define SSL__COLD_BEGIN _Pragma("GCC push_options") _Pragma("GCC optimize(\"O1\")")
#  define SSL__COLD_END   _Pragma("GCC pop_options")
#else
#  define SSL__COLD_BEGIN
#  define SSL__COLD_END
#endif
#ifdef __cplusplus
#  define SSL_RESTRICT __restrict
#else
#  define SSL_RESTRICT restrict
#endif
#define SSL__DEF(v, d)  ((v) == 0 ? (d) : (v))                       /* 0 = default */
#define SSL__DEFF(v, d) ((v) == 0.0f ? (d) : (v) < 0.0f ? 0.0f : (v)) /* 0 = default, SSL_EXPLICIT_ZERO = 0 */
#define SSL__MIN(a, b)  ((a) < (b) ? (a) : (b))
#define SSL__MAX(a, b)  ((a) > (b) ? (a) : (b))
#define SSL__CAT2(a, b) a##b
#define SSL__CAT(a, b)  SSL__CAT2(a, b)

#ifdef __cplusplus
extern "C" {
#endif

/* ==== >>kernels ==== everything a backend implements; a missing one is a compile error naming it ======
   Sizes are elements. Backward kernels add to d* unless the comment says "writes".
   SSL__UNARY(U): U(name, value, derivative) in terms of x, y and the op's constant p. */
#define SSL__UNARY_HOT(U)                                                                                      \
    U(relu,       x > 0.0f ? x : 0.0f,            x > 0.0f ? 1.0f : 0.0f)                                      \
    U(gelu_tanh,  ssl__gelu_tanh(x),              ssl__dgelu_tanh(x))                                          \
    U(exp,        ssl__exp(x),                    y)
#define SSL__UNARY_GELU(U) U(gelu, ssl__gelu(x), ssl__dgelu(x)) /* on the CPU in vectors by hand */
#define SSL__UNARY_PLAIN(U) /* rare, or bound by memory: the portable pass serves every instruction set */     \
    U(square,     x * x,                          2.0f * x)                                                    \
    U(scale,      p * x,                          p)                                                           \
    U(add_scalar, x + p,                          1.0f)                                                        \
    U(sigmoid,    1.0f / (1.0f + ssl__exp(-x)),   y * (1.0f - y))                                              \
    U(tanh,       ssl__tanh(x),                   1.0f - y * y)                                                \
    U(log,        logf(x),                        1.0f / x)                                                    \
    U(sqrt,       sqrtf(x),                       0.5f / y)                                                    \
    U(abs,        fabsf(x),                       x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f)                   \
    U(pow,        powf(x, p),                     p * powf(x, p - 1.0f))                                       \
    U(clamp_min,  x > p ? x : p,                  x > p ? 1.0f : 0.0f)                                         \
    U(tanh_clip,  p * ssl__tanh(x / p),           1.0f - (y / p) * (y / p))
#define SSL__UNARY(U) SSL__UNARY_HOT(U) SSL__UNARY_GELU(U) SSL__UNARY_PLAIN(U)
#define SSL__UNARY_KERNELS(name, f, d)                                                                         \
    SSL__KERNEL(name##_f, (ssl_ctx *c, int64_t n, float p, const float *x, float *y))                          \
    SSL__KERNEL(name##_b, (ssl_ctx *c, int64_t n, float p, const float *x, const float *y, const float *dy, float beta, float *dx))

typedef struct ssl__epilogue { /* v = sum + bias; pre = v; y = act(v) + residual */
    const float *bias;         /* [n] or NULL */
    ssl_act act;
    float *pre;                /* [m,n] (row length n) or NULL */
    const float *residual;     /* laid out as y, or NULL */
    unsigned half;             /* which of a, b and y (with pre) are bf16 behind their pointers; only where ssl__inner allows it */
} ssl__epilogue;
enum { SSL__HALF_A = 1, SSL__HALF_B = 2, SSL__HALF_Y = 4, SSL__HALF_X = SSL__HALF_A };

#define SSL__KERNELS_CORE                                                                             \
    SSL__KERNEL(fill, (ssl_ctx *c, int64_t n, float v, float *y))                                              \
    SSL__KERNEL(axpy, (ssl_ctx *c, int64_t n, float a, const float *x, float *y)) /* y += a x */               \
    /* y[i] = beta y[i] + op(a[i]) op(b[i]), i < batch: [m,k] x [k,n]; then the epilogue (ep may be NULL).     \
       op(a)[i,p] = a[i lda + p], ta: a[p lda + i]; op(b)[p,j] = b[p ldb + j], tb: b[j ldb + p];               \
       sa, sb, sy: elements from one product of the batch to the next. beta is 0 or 1. */                      \
    SSL__KERNEL(gemm, (ssl_ctx *c, int ta, int tb, int batch, int m, int n, int k, const float *a, int lda,    \
                       int64_t sa, const float *b, int ldb, int64_t sb, float beta, float *y, int ldy,         \
                       int64_t sy, const ssl__epilogue *ep))                                                   \
    SSL__KERNEL(sum, (ssl_ctx *c, int64_t n, float scale, const float *x, float *y)) /* y[0] = scale sum x */  \
    SSL__KERNEL(colsum, (ssl_ctx *c, int rows, int cols, const float *x, float *y)) /* y[j] += sum_i x[i,j] */ \
    /* dw[out,in] = beta dw + dy[rows,out]^T x[rows,in], db[out] += column sums of dy (may be NULL) */         \
    SSL__KERNEL(linear_bw, (ssl_ctx *c, int rows, int in, int out, const float *x, const float *dy, float beta, float *dw, float *db)) \
    SSL__KERNEL(spread, (ssl_ctx *c, int64_t n, float scale, const float *x, float *y)) /* y[i] += scale x[0] */

/* A loop over up to 6 axes along which operands move by strides (in elements; 0: the operand repeats). Operand 0 is the one
   written; where its stride is 0 the loop is a sum. Neighbouring axes along which all operands allow it are merged. The last
   axis is the inner loop; before it come n_keep axes that operand 0 moves along, then those it sums over. */
typedef struct ssl__nest { int n, n_keep; int64_t dim[SSL_DIMS], st[4][SSL_DIMS]; } ssl__nest;

/* SSL__BINARY(B): B(name, value, derivative for a, derivative for b) in terms of a and b. */
#define SSL__BINARY(B)                                                                                         \
    B(add, a + b, 1.0f,     1.0f)                                                                              \
    B(sub, a - b, 1.0f,     -1.0f)                                                                             \
    B(mul, a * b, b,        a)                                                                                 \
    B(div, a / b, 1.0f / b, -a / (b * b))
#define SSL__BINARY_KERNELS(name, f, da, db) /* operands of _f: y a b; of _da, _db: d a b dy; d = beta d + sum of dy (derivative) */ \
    SSL__KERNEL(name##_f, (ssl_ctx *c, const ssl__nest *s, const float *a, const float *b, float *y))          \
    SSL__KERNEL(name##_da, (ssl_ctx *c, const ssl__nest *s, float beta, const float *a, const float *b, const float *dy, float *d)) \
    SSL__KERNEL(name##_db, (ssl_ctx *c, const ssl__nest *s, float beta, const float *a, const float *b, const float *dy, float *d))

#define SSL__KERNELS_BROADCAST /* broadcast, reduce, shape, token, dropout */                                  \
    SSL__BINARY(SSL__BINARY_KERNELS)                                                                           \
    SSL__KERNEL(reduce, (ssl_ctx *c, const ssl__nest *s, float scale, float beta, const float *x, float *y)) /* y = beta y + scale sum x; operands y x */ \
    SSL__KERNEL(copy, (ssl_ctx *c, const ssl__nest *s, const float *x, float *y)) /* y = x, any strides, no sums; 4-byte words, also I32 */ \
    SSL__KERNEL(copy_add, (ssl_ctx *c, const ssl__nest *s, float scale, const float *x, float *y)) /* y += scale x, the same */ \
    /* index [B,K], or [K] for all samples where shared is 1; every one in 0..L-1 (CUDA: rows of a bad one are NaN) */ \
    SSL__KERNEL(gather_f, (ssl_ctx *c, int B, int L, int K, int D, int shared, float beta, const float *x, const int32_t *index, float *y)) /* y = beta y + x[index] */ \
    SSL__KERNEL(gather_b, (ssl_ctx *c, int B, int L, int K, int D, int shared, const int32_t *index, const float *dy, float *dx)) /* dx[index] += dy */ \
    SSL__KERNEL(scatter_f, (ssl_ctx *c, int B, int L, int K, int D, const float *x, const int32_t *index, float *y)) /* y[index] = x */ \
    SSL__KERNEL(uniform, (ssl_ctx *c, int64_t n, uint64_t seed, uint64_t stream, float *y)) /* y[i] = draw i in [0,1) */ \
    /* y = beta y + x keep / (1 - p); element i is dropped where draw i / group of the stream is below p */    \
    SSL__KERNEL(dropout, (ssl_ctx *c, int64_t n, int64_t group, float p, uint64_t seed, uint64_t stream, float beta, const float *x, float *y))
#define SSL__KERNELS_NORM /* rows of cols; statistics saved by _f are read by _b; beta 0: dx is written, 1: added to */   \
    /* stat [rows,2]: mean, 1 / sqrt(var + eps). Any of w, b, dx, dw, db may be NULL */                        \
    SSL__KERNEL(layer_norm_f, (ssl_ctx *c, int rows, int cols, float eps, const float *x, const float *w, const float *b, \
                               float *y, float *stat))                                                         \
    SSL__KERNEL(layer_norm_b, (ssl_ctx *c, int rows, int cols, const float *x, const float *w, const float *stat, \
                               const float *dy, float beta, float *dx, float *dw, float *db))                  \
    SSL__KERNEL(softmax_f, (ssl_ctx *c, int rows, int cols, int log, const float *x, float *y))                \
    SSL__KERNEL(softmax_b, (ssl_ctx *c, int rows, int cols, int log, const float *y, const float *dy, float beta, float *dx)) \
    SSL__KERNEL(l2norm_f, (ssl_ctx *c, int rows, int cols, float eps, const float *x, float *y, float *norm))  \
    SSL__KERNEL(l2norm_b, (ssl_ctx *c, int rows, int cols, float eps, const float *y, const float *norm,       \
                           const float *dy, float beta, float *dx))
#define SSL__KERNELS_LOSS                                                                                      \
    /* lse [rows + 1]: ln sum exp of each row, then 1 / counted rows */                                        \
    SSL__KERNEL(cross_entropy_f, (ssl_ctx *c, int rows, int cols, float smoothing, const float *x, const int32_t *target, \
                                  float *loss, float *lse))                                                    \
    SSL__KERNEL(cross_entropy_b, (ssl_ctx *c, int rows, int cols, float smoothing, const float *x, const int32_t *target, \
                                  const float *lse, const float *dloss, float beta, float *dx))
#define SSL__KERNELS_SMALL                                                                                     \
    SSL__KERNEL(scatter_base_b, (ssl_ctx *c, int B, int L, int K, int D, const int32_t *index, const float *dy, float *dbase)) /* dbase += dy but at index */ \
    SSL__KERNEL(argsort, (ssl_ctx *c, int rows, int n, const float *x, int32_t *y))                            \
    SSL__KERNEL(i32_to_f32, (ssl_ctx *c, int64_t n, const int32_t *x, float *y))                               \
    /* mean of ssl__huber(a - b, lim, h); da, db may be NULL */                                                \
    SSL__KERNEL(huber_f, (ssl_ctx *c, int64_t n, float lim, float h, const float *a, const float *b, float *loss)) \
    SSL__KERNEL(huber_b, (ssl_ctx *c, int64_t n, float lim, float h, const float *a, const float *b, const float *dloss, \
                          float *da, float *db))
typedef enum ssl__mask { SSL__MASK_NONE = 0, SSL__MASK_SHARED, SSL__MASK_BATCH, SSL__MASK_ADD } ssl__mask; /* U8 [Tq,Tk], U8 [B,Tq,Tk], F32 [Tq,Tk] */
typedef struct ssl__attn { /* element (b, t, h, j) of q is q[(b Tq + t) sq + h d + j]; k, v likewise with Tk; y, dy as q with H d */
    int B, H, Tq, Tk, d, sq, sk, sv, causal;
    float scale;
    const float *q, *k, *v;
    ssl__mask kind;
    const void *mask;
    int half_in, half_out; /* bf16 behind their pointers are q, k, v and their gradients; y and dy */
} ssl__attn;
#define SSL__KERNELS_ATTENTION                                                                                 \
    /* stat [B,H,2,Tq]: what the backend's attn_b wants to know about each query */                            \
    SSL__KERNEL(attn_f, (ssl_ctx *c, const ssl__attn *a, float *y, float *stat))                               \
    SSL__KERNEL(attn_p, (ssl_ctx *c, const ssl__attn *a, float *p)) /* the weights [B,H,Tq,Tk] */              \
    /* d = beta d + gradient, laid out as q, k, v, in the order dq, dk, dv, so that they may be one buffer.    \
       dmask [Tq,Tk] is added to. Each may be NULL. */                                                         \
    SSL__KERNEL(attn_b, (ssl_ctx *c, const ssl__attn *a, const float *y, const float *stat, const float *dy, const float beta[3], \
                         float *dq, float *dk, float *dv, float *dmask))
typedef struct ssl__window { /* a kh x kw window sliding over x [n,ci,h,w], giving y [n,co,oh,ow]; strides s, padding p, dilation d */
    int n, ci, h, w, co, oh, ow, kh, kw, sh, sw, ph, pw, dh, dw, groups;
    unsigned half; /* SSL__HALF_X: x and dx are bf16, SSL__HALF_Y: y and dy */
} ssl__window;
typedef struct ssl__resize { int planes, h, w, oh, ow, mode, top, left; float value; } ssl__resize; /* [planes,h,w] -> [planes,oh,ow] */
/* Batch norm works in stages, so that ranks can add their statistics between them. */
enum { SSL__BN_STATS = 1, SSL__BN_APPLY = 2 };
typedef struct ssl__bn { int n, ch, stages, relu; int64_t hw; double count; float eps; unsigned half; } ssl__bn; /* count: values per channel, of all ranks; half: as of a window */
#define SSL__KERNELS_CONV                                                                                      \
    SSL__KERNEL(conv_f, (ssl_ctx *c, const ssl__window *g, const float *x, const float *w, const float *bias, float *y)) \
    SSL__KERNEL(conv_bx, (ssl_ctx *c, const ssl__window *g, const float *w, const float *dy, float beta, float *dx)) \
    SSL__KERNEL(conv_bw, (ssl_ctx *c, const ssl__window *g, const float *x, const float *dy, float *dw)) \
    SSL__KERNEL(chansum, (ssl_ctx *c, int n, int ch, int64_t hw, const float *dy, float *db)) /* db[c] += sum_n,hw */ \
    SSL__KERNEL(batch_norm_f, (ssl_ctx *c, const ssl__bn *b, const float *x, const float *w, const float *bias, const float *res, \
                               float *mean, float *var, float *y)) /* stats write mean, var; apply writes y */ \
    /* stats: dy = relu ? dy (y > 0) : dy in place; s1 = sum dy, s2 = sum dy xhat, added to db and dw; \
       apply: dx = beta dx + w rstd (dy - (s1 + xhat s2) / count), count 0: mean and var were constants; mean NULL: xhat = x */ \
    SSL__KERNEL(batch_norm_b, (ssl_ctx *c, const ssl__bn *b, const float *x, const float *y, const float *w, const float *mean, const float *var, \
                               float *dy, float *s1, float *s2, float *dw, float *db, float beta, float *dx))
#define SSL__KERNELS_ONCE /* one CPU version for all instruction sets: rare, or bound by memory */ \
    SSL__KERNEL(unfold_f, (ssl_ctx *c, const ssl__window *g, const float *x, float *y)) /* y [n, ci kh kw, oh ow] */ \
    SSL__KERNEL(unfold_b, (ssl_ctx *c, const ssl__window *g, const float *dy, float *dx)) \
    SSL__KERNEL(max_pool_f, (ssl_ctx *c, const ssl__window *g, const float *x, float *y, int32_t *at)) /* at: h w index of the maximum */ \
    SSL__KERNEL(max_pool_b, (ssl_ctx *c, const ssl__window *g, const int32_t *at, const float *dy, float *dx)) \
    SSL__KERNEL(avg_pool_f, (ssl_ctx *c, const ssl__window *g, const float *x, float *y)) \
    SSL__KERNEL(avg_pool_b, (ssl_ctx *c, const ssl__window *g, const float *dy, float *dx)) \
    SSL__KERNEL(pad_f, (ssl_ctx *c, const ssl__resize *r, const float *x, float *y)) \
    SSL__KERNEL(pad_b, (ssl_ctx *c, const ssl__resize *r, const float *dy, float *dx)) \
    SSL__KERNEL(interpolate_f, (ssl_ctx *c, const ssl__resize *r, const float *x, float *y)) \
    SSL__KERNEL(interpolate_b, (ssl_ctx *c, const ssl__resize *r, const float *dy, float *dx)) \
    SSL__KERNEL(batch_norm_running, (ssl_ctx *c, int ch, float momentum, float unbias, const float *mean, const float *var, float *rm, float *rv))

typedef struct ssl__update { /* one optimizer step of a stretch of the flat buffers */
    int64_t begin, slot, n; /* where its values begin, where its gradients and moments do, how many; multiples of 16 */
    float rate;         /* learning rate; Adam: over 1 - beta1^t */
    float scale, l2;    /* gradient = scale g + l2 w */
    float shrink;       /* w *= shrink, decoupled decay */
    float beta1, beta2; /* beta1 is SGD's momentum */
    float rest1, rest2; /* 1 - beta1, 1 - beta2 */
    float eps, debias2; /* 1 / sqrt(1 - beta2^t) */
    int nesterov;
    const float *factor; /* CUDA: of the gradient, beside scale, in the device's memory */
} ssl__update;
#define SSL__KERNELS_MASK /* index lists and masks */                                                          \
    SSL__KERNEL(iota, (ssl_ctx *c, int n, int start, int div, int m, int32_t *y)) /* y[i] = ((start + i) / div) mod m */ \
    SSL__KERNEL(bernoulli, (ssl_ctx *c, int64_t n, float p, uint64_t seed, uint64_t stream, uint8_t *y))       \
    SSL__KERNEL(slice_ids, (ssl_ctx *c, int rows, int x_rows, int cols, int begin, int end, const int32_t *x, int32_t *y)) /* row r from row r mod x_rows */ \
    SSL__KERNEL(random_ids, (ssl_ctx *c, int n, int m, uint64_t seed, uint64_t stream, int32_t *y)) /* uniform in 0..m-1 */ \
    SSL__KERNEL(segment_tokens, (ssl_ctx *c, int B, int grid, int M, const int32_t *ids, int32_t *y)) /* [B,S] -> [B,L] */ \
    SSL__KERNEL(segment_mask, (ssl_ctx *c, int B, int T, int strict, const int32_t *rank, uint8_t *y)) /* [B,T] -> [B,T,T] */ \
    SSL__KERNEL(first_segment, (ssl_ctx *c, int64_t n, const int32_t *rank, uint8_t *y)) /* rank == 0 */ \
    SSL__KERNEL(blob_segments, (ssl_ctx *c, int B, int grid, int blobs, int groups, uint64_t seed, uint64_t stream, int32_t *rank)) \
    SSL__KERNEL(ignore, (ssl_ctx *c, int64_t n, const int32_t *x, const uint8_t *drop, int32_t *y))            \
    SSL__KERNEL(zero_rows_f, (ssl_ctx *c, int64_t rows, int d, const uint8_t *drop, const float *x, float *y)) \
    SSL__KERNEL(zero_rows_b, (ssl_ctx *c, int64_t rows, int d, const uint8_t *drop, const float *dy, float *dx)) \
    SSL__KERNEL(mask_diagonal_f, (ssl_ctx *c, int n, float value, const float *x, float *y))                   \
    SSL__KERNEL(mask_diagonal_b, (ssl_ctx *c, int n, const float *dy, float *dx))
#define SSL__KERNELS_OPTIM                                                                                     \
    SSL__KERNEL(sumsq, (ssl_ctx *c, int64_t n, const float *x, float *y)) /* y[0] = sum x^2 */                 \
    SSL__KERNEL(rescale, (ssl_ctx *c, int64_t n, float s, float *y)) /* y *= s */                              \
    SSL__KERNEL(ema, (ssl_ctx *c, int64_t n, float a, const float *x, float *y)) /* y = a y + (1 - a) x */     \
    /* n stretches of w in ascending order; g = 0 */                                                          \
    SSL__KERNEL(adam, (ssl_ctx *c, int n, const ssl__update *u, float *w, float *g, float *m, float *v))       \
    SSL__KERNEL(sgd, (ssl_ctx *c, int n, const ssl__update *u, float *w, float *g, float *m))
#define SSL__KERNELS                                                                                           \
    SSL__UNARY_HOT(SSL__UNARY_KERNELS) SSL__UNARY_GELU(SSL__UNARY_KERNELS) SSL__KERNELS_CORE SSL__KERNELS_BROADCAST SSL__KERNELS_NORM SSL__KERNELS_LOSS SSL__KERNELS_ATTENTION \
    SSL__KERNELS_CONV SSL__KERNELS_OPTIM
#define SSL__KERNELS_PLAIN SSL__UNARY_PLAIN(SSL__UNARY_KERNELS) SSL__KERNELS_SMALL SSL__KERNELS_MASK /* small or rare: the portable pass serves every instruction set */
#define SSL__KERNELS_ALL   SSL__KERNELS SSL__KERNELS_PLAIN SSL__KERNELS_ONCE

/* On bf16 values, two to a float: of backends that keep results inside of a layer so (ssl__inner). gemm, attn_*, conv_f and batch_norm_* are told by a field. */
#define SSL__KERNELS_HALF                                                                                      \
    SSL__KERNEL(half_layer_norm_f, (ssl_ctx *c, int rows, int cols, float eps, const float *x, const float *w, const float *b, \
                                    float *half_y, float *stat))                                               \
    SSL__KERNEL(half_layer_norm_b, (ssl_ctx *c, int rows, int cols, const float *x, const float *w, const float *stat, \
                                    const float *half_dy, float beta, float *dx, float *dw, float *db))        \
    SSL__KERNEL(half_act_f, (ssl_ctx *c, int64_t n, ssl_act act, const float *half_x, float *half_y))          \
    SSL__KERNEL(half_conv_b, (ssl_ctx *c, const ssl__window *g, const float *x, const float *w, const float *dy, float beta, float *dx, float *dw)) /* conv_bx and conv_bw, dx or dw may be NULL */ \
    /* dpre = dy act'(pre) (pre NULL: dy), which may lie at dy; db += its column sums; dpre, db may be NULL. half: dy and pre are bf16 */ \
    SSL__KERNEL(half_linear_b, (ssl_ctx *c, int rows, int cols, int half, ssl_act act, const float *dy, const float *pre, float *half_dpre, float *db))

#define SSL__KERNEL(name, args) void (*name) args;
typedef struct ssl__kernels {
    const char *isa;
    SSL__KERNELS_ALL
} ssl__kernels;
typedef struct ssl__half_kernels { SSL__KERNELS_HALF } ssl__half_kernels;
#undef SSL__KERNEL
SSL_HD static SSL__INLINE float *ssl__element(const float *p, int half, int64_t i) { return (float *)((uintptr_t)p + (uintptr_t)(half ? 2 * i : 4 * i)); }

/* What is random about one view of one image: drawn on the host, applied there or by a kernel. */
#define SSL__RAND_MOST 16
typedef enum ssl__rand_op {
    SSL__RAND_AUTOCONTRAST, SSL__RAND_EQUALIZE, SSL__RAND_INVERT, SSL__RAND_ROTATE, SSL__RAND_POSTERIZE, SSL__RAND_SOLARIZE, SSL__RAND_SOLARIZE_ADD, SSL__RAND_COLOR,
    SSL__RAND_CONTRAST, SSL__RAND_BRIGHTNESS, SSL__RAND_SHARPNESS, SSL__RAND_SHEAR_X, SSL__RAND_SHEAR_Y, SSL__RAND_SHIFT_X, SSL__RAND_SHIFT_Y, SSL__RAND_OPS
} ssl__rand_op;
typedef struct ssl__rand_choice { ssl__rand_op op; float strength, sign; } ssl__rand_choice; /* strength 0..1 */
typedef struct ssl__view_plan {
    ssl_view_box box;
    int jitter, order[4];  /* 0 brightness, 1 contrast, 2 saturation, 3 hue, -1 none */
    float amount[4];       /* of each of them, by its number */
    int gray, solarize;
    float sigma;           /* of the blur; 0: none */
    int n_rand;
    ssl__rand_choice rand[SSL__RAND_MOST]; /* last: who draws none sends none */
} ssl__view_plan;
typedef struct ssl__backend { /* memory of a device; all return 0 or NULL on failure */
    void *(*alloc)(ssl_ctx *c, size_t bytes);
    void (*release)(ssl_ctx *c, void *p);
    int (*put)(ssl_ctx *c, void *dst, const void *src, size_t bytes); /* host to device; src may change at once */
    int (*get)(ssl_ctx *c, void *dst, const void *src, size_t bytes); /* device to host: waits for it */
    int (*copy)(ssl_ctx *c, void *dst, const void *src, size_t bytes); /* device to device */
    /* The rest is NULL where kernels are done when they return. */
    size_t (*available)(void);    /* bytes that are free */
    const char *(*error)(ssl_ctx *c); /* why the last put, get or copy failed */
    int (*fetch)(ssl_ctx *c, int slot, const float *src); /* have c->reading[slot] = src[0] some time ... */
    float (*fetched)(ssl_ctx *c, int slot);               /* ... and wait for it */
    void (*judge)(ssl_ctx *c, const char *at, const ssl_tensor *loss); /* a loss that is not finite: no parameter changes from here on, an error later */
    const float *(*clip)(ssl_ctx *c, const char *at, float max_norm);  /* the factor that clips the gradients; the same for gradients */
    const float *(*trust)(ssl_ctx *c, const char *at, int param, float trust, float decay, const float *clip); /* the factor of LARS */
    void (*step_end)(ssl_ctx *c);
    void (*settle)(ssl_ctx *c); /* wait for everything, report what went wrong */
    const uint8_t *(*hold)(ssl_ctx *c, const char *at, const uint8_t *images, size_t bytes); /* a copy on the device, NULL if it does not fit ... */
    void (*let_go)(ssl_ctx *c, const uint8_t *images);                                       /* ... until as often let go as held */
    /* Host memory that the device reads by itself: a put that takes no time here, from what must not change until sent(its ticket) returns. */
    void *(*pin)(ssl_ctx *c, const char *at, size_t bytes);
    void (*unpin)(ssl_ctx *c, void *p);
    int64_t (*send)(ssl_ctx *c, void *dst, const void *pinned, size_t bytes);
    void (*sent)(ssl_ctx *c, int64_t ticket);
    /* view [n,c,H,W] = images index[i] (NULL: i) of the set (on the device) as plan[i] says; both arrays are the host's */
    void (*augment)(ssl_ctx *c, const char *at, const ssl_augment_desc *d, const uint8_t *images, const int *shape, int n, const int32_t *index, const ssl__view_plan *plan, ssl_tensor *view);
} ssl__backend;

/* ---- context ---- */
typedef struct ssl__chunk { struct ssl__chunk *next; char *p; size_t size, used; } ssl__chunk;
typedef struct ssl__arena { ssl__chunk *first, *now; size_t used, peak, size; int on_device; } ssl__arena;
#define SSL__READINGS 64
typedef struct ssl__spare { char *p; size_t bytes; } ssl__spare;
typedef struct ssl__slot { void *raw, *p; size_t size, missing; } ssl__slot; /* missing: bytes that could not be had */
typedef struct ssl__owned { struct ssl__owned *next; void *p; void (*close)(void *p); } ssl__owned; /* closed by ssl_close */
typedef struct ssl__param {
    ssl_tensor t;
    char *name;
    int64_t offset, slot; /* where its values are; where its gradient and moments are, -1 if it was never trained */
    float lr_scale, decay_scale;
    int frozen, known; /* known: known_value is its only value, so that nobody has to ask a GPU */
    float known_value;
} ssl__param;

struct ssl_ctx {
    ssl_status status; /* the FIRST error stays */
    int n_suppressed;
    char message[1024];
    ssl_error_fn on_error;
    void *on_error_user;
    ssl_tensor nil; /* what a failed op returns: never NULL */
    const char *at; /* the caller's line of the op at work: for errors found below the ops */
    const ssl__kernels *k;
    const ssl__half_kernels *half; /* NULL: all values are float32 */
    const ssl__backend *dev;
    ssl_device device;
    ssl_precision precision;
    int n_threads, training, no_grad;
    int amx, bf16; /* tiles of bf16 may be used, vectors of bf16 pairs */
    uint64_t seed, rng_position, n_allocs;
    ssl__arena host, data, small; /* tensor structs and lists; tensor values; those of few bytes, so that they do not lie between large ones */
    ssl__spare *spare; /* memory of this step that nobody needs any more; no two of them touch */
    int n_spare, cap_spare;
    ssl_tensor *tape;
    ssl__param **param;
    int n_params, cap_params;
    float *values, *state[3]; /* flat: all parameters; gradients, first and second moments of those that are trained, NULL until needed */
    int64_t n_flat, cap_flat, n_state, opt_step;
    ssl__owned *owned;  /* data sets, loaders: newest first */
    ssl__slot *scratch; /* n_threads private slots, then two shared ones */
    float reading[SSL__READINGS]; /* of ssl_item_begin, in turns */
    int64_t n_readings;
    void *gpu;          /* what the CUDA backend keeps */
    ssl_note *notes;    /* saved with checkpoints */
    int n_notes, cap_notes;
    struct { ssl_ctx *ctx; char zero[2040]; } nil_model; /* what a failed ssl_x_new returns */
};

/* What ssl_open returns when not even a context fits: every call on it is a quiet no-op, and nothing writes it. */
#if defined(__GNUC__) || defined(__clang__)
#  pragma GCC diagnostic push
#  pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif
static const ssl_ctx ssl__no_memory = { SSL_E_MEMORY, 0, "ssl_open: out of memory: not even a context fits", NULL, NULL,
                                        { (ssl_ctx *)&ssl__no_memory, "nil", "ssl_open" } };
#if defined(__GNUC__) || defined(__clang__)
#  pragma GCC diagnostic pop
#endif
static int ssl__dead(const ssl_ctx *c) { return c == &ssl__no_memory; }

/* ==== >>platform ==== errors, memory, threads ========================================================= */
static const char *ssl__where(const char *at) /* file and line, whether the call stands before them (SSL_CALL) or not */
{
    const char *end = *at == 1 ? strchr(at + 1, 1) : NULL;
    return end ? end + 1 : at;
}
/* The call that the user wrote stands first: "ssl_mae_loss: ssl_vit_forward: images[...", once if the message begins with it or
   with the beginning of it (ssl_mae: of ssl_mae_loss). Returns how much of the message that is. */
static int ssl__call_name(const char *at, char *message, size_t size, const char *text)
{
    const char *place = ssl__where(at);
    const size_t n = place == at ? 0 : (size_t)(place - at) - 2, own = strcspn(text, ":");
    const int same = own <= n && !memcmp(text, at + 1, own);
    snprintf(message, size, "%.*s%s", (int)n, at + 1, n && !same ? ": " : "");
    return n && same ? (int)own : 0;
}
SSL__PRINTF(4, 5)
static ssl_tensor *ssl__fail(ssl_ctx *c, ssl_status code, const char *at, const char *fmt, ...)
{
    const char *place = ssl__where(at);
    char text[sizeof c->message];
    va_list ap;
    int n, own;
    if (c->status) { /* later errors are consequences */
        if (!ssl__dead(c)) c->n_suppressed++;
        return &c->nil;
    }
    c->status = code;
    if (strlen(place) > 200) place += strlen(place) - 200; /* keep the end: that is where the line is */
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    n = snprintf(c->message, sizeof c->message, "%s: error: ", place);
    own = ssl__call_name(at, c->message + n, sizeof c->message - (size_t)n, text);
    n += (int)strlen(c->message + n);
    snprintf(c->message + n, sizeof c->message - (size_t)n, "%s", text + own);
    if (c->on_error) c->on_error(code, c->message, c->on_error_user);
    else fprintf(stderr, "%s\n", c->message);
    return &c->nil;
}

SSL__PRINTF(2, 3)
static SSL__UNUSED void ssl__warn(ssl_ctx *c, const char *fmt, ...)
{
    va_list ap;
    (void)c;
    fputs("warning: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

static const char *ssl__shape(const ssl_tensor *t, char buf[96]) /* "[64,197,192]" */
{
    int i, n = 0;
    buf[n++] = '[';
    for (i = 0; i < t->ndim; i++) n += snprintf(buf + n, 96 - (size_t)n, i ? ",%d" : "%d", t->dim[i]);
    buf[n] = ']';
    buf[n + 1] = 0;
    return buf;
}

/* Zeroed host memory that lives until ssl__free_mem; NULL and a sticky error when there is none. */
static void *ssl__alloc(ssl_ctx *c, const char *at, size_t bytes)
{
    void *p = SSL_MALLOC(bytes ? bytes : 1);
    c->n_allocs++;
    if (p) memset(p, 0, bytes);
    else ssl__fail(c, SSL_E_MEMORY, at, "out of memory: %zu bytes asked for", bytes);
    return p;
}
static void ssl__release(void *p) { if (p) SSL_FREE(p); }

/* Have ssl_close call close(p), newest first, unless ssl__disown comes before; 0 on failure. */
static int ssl__own(ssl_ctx *c, const char *at, void *p, void (*close)(void *p))
{
    ssl__owned *o = (ssl__owned *)ssl__alloc(c, at, sizeof *o);
    if (!o) return 0;
    o->next = c->owned;
    o->p = p;
    o->close = close;
    c->owned = o;
    return 1;
}
static void ssl__disown(ssl_ctx *c, const void *p)
{
    ssl__owned **o = &c->owned, *found;
    while (*o && (*o)->p != p) o = &(*o)->next;
    if (!(found = *o)) return;
    *o = found->next;
    ssl__release(found);
}

/* Grow an array to hold at least need elements; 0 on failure (the old array stays). */
static int ssl__grow(ssl_ctx *c, const char *at, void **array, int *cap, int need, size_t size)
{
    void *p;
    int n = SSL__MAX(need, *cap * 2);
    if (need <= *cap) return 1;
    p = ssl__alloc(c, at, (size_t)n * size);
    if (!p) return 0;
    if (*array) memcpy(p, *array, (size_t)*cap * size);
    ssl__release(*array);
    *array = p;
    *cap = n;
    return 1;
}

static void ssl__starved(ssl_ctx *c, ssl__slot *s)
{
    if (s->missing) ssl__fail(c, SSL_E_MEMORY, c->at, "out of memory: %zu bytes asked for to work in", s->missing);
    s->missing = 0;
}
static int ssl__slot_grow(ssl__slot *s, size_t size) /* what it held is lost; 0: nothing to be had */
{
    ssl__release(s->raw);
    s->raw = SSL_MALLOC(size + 64);
    s->size = s->raw ? size : 0;
    s->p = s->raw ? (void *)(((uintptr_t)s->raw + 63) & ~(uintptr_t)63) : NULL;
    return s->raw != NULL;
}
/* 64-byte aligned working memory of one thread (-1: the shared slot, -2: the one for operands of a product); valid until the slot's next call. NULL when there is
   none: the kernel returns, and the error is raised once its threads have joined. */
static void *ssl__scratch(ssl_ctx *c, int thread, size_t bytes)
{
    ssl__slot *s = &c->scratch[thread < 0 ? c->n_threads - 1 - thread : thread];
    if (s->size < bytes && !ssl__slot_grow(s, bytes + bytes / 4)) {
        s->missing = bytes;
        if (thread < 0) ssl__starved(c, s);
    }
#ifdef SSL_GUARD
    if (s->p) memset(s->p, 0xFF, s->size); /* NaN for whoever reads what it did not write */
#endif
    return s->p;
}
/* As much for every thread as the neediest had: which chunks a thread gets is chance, and later steps must not allocate. */
static void ssl__scratch_level(ssl_ctx *c)
{
    size_t most = 0;
    int i;
    for (i = 0; i < c->n_threads; i++) most = SSL__MAX(most, c->scratch[i].size);
    for (i = 0; i < c->n_threads; i++) if (c->scratch[i].size < most) ssl__slot_grow(&c->scratch[i], most);
}

typedef void (*ssl__chunk_fn)(void *arg, int chunk, int thread);
/* Run chunks 0..n-1 on all threads. How work is cut into chunks must not depend on the number of threads, and no two
   chunks may write the same place: then the bits do not depend on it either. */
static void ssl__parallel(ssl_ctx *c, int n_chunks, ssl__chunk_fn fn, void *arg)
{
    int i, threads = 1;
#ifdef _OPENMP
    if (n_chunks > 1) threads = c->n_threads;
#  pragma omp parallel for num_threads(threads) schedule(dynamic, 1) if (threads > 1)
    for (i = 0; i < n_chunks; i++) fn(arg, i, omp_get_thread_num());
#else
    for (i = 0; i < n_chunks; i++) fn(arg, i, 0);
#endif
    for (i = 0; i < threads; i++) ssl__starved(c, &c->scratch[i]);
}

/* ---- arenas: bump allocation in chunks, which the next step fills in the same order; then nothing allocates */
static void *ssl__device_alloc(ssl_ctx *c, const char *at, size_t bytes)
{
    void *p = c->dev->alloc(c, bytes);
    c->n_allocs++;
    if (!p && c->dev->available)
        ssl__fail(c, SSL_E_MEMORY, at, "out of memory: %zu bytes asked for on the GPU, %zu are free, %zu in use in this step; use a smaller batch",
                  bytes, c->dev->available(), c->data.used);
    else if (!p) ssl__fail(c, SSL_E_MEMORY, at, "out of memory: %zu bytes asked for, %zu in use in this step; use a smaller batch", bytes, c->data.used);
    return p;
}

#define SSL__PAD(n) (((n) + 63) & ~(size_t)63)
#if defined(SSL_GUARD) && !defined(__CUDACC__) /* for tests: 64 known bytes before and after every buffer, which starts and ends as NaN */
#  define SSL__GUARDED(n) (SSL__PAD(n) + 128)
static char *ssl__guard(char *p, size_t bytes)
{
    memset(p, 0xA5, SSL__GUARDED(bytes));
    memcpy(p, &bytes, sizeof bytes);
    memset(p + 64, 0xFF, bytes);
    return p + 64;
}
static int ssl__guard_gone(const ssl_ctx *c, char *p, size_t bytes) /* not used again: whoever reads it reads NaN; a device may not have read it yet */
{ if (c->device == SSL_DEVICE_CPU) memset(p, 0xFF, bytes); return 1; }
#else
#  define SSL__GUARDED(n)  SSL__PAD(n)
#  define ssl__guard(p, n) (p)
#  define ssl__guard_gone(c, p, n) 0
#endif
static int ssl__moved(ssl_ctx *c, int ok)
{
    if (!ok) ssl__fail(c, SSL_E_CUDA, c->at, "CUDA: %s; SSL_CUDA_SYNC=1 in the environment names the call that failed", c->dev->error(c));
    return ok;
}
static int ssl__put(ssl_ctx *c, void *dst, const void *src, size_t bytes) { return ssl__moved(c, c->dev->put(c, dst, src, bytes)); }
static int ssl__get(ssl_ctx *c, void *dst, const void *src, size_t bytes) { return ssl__moved(c, c->dev->get(c, dst, src, bytes)); }
static int ssl__move(ssl_ctx *c, void *dst, const void *src, size_t bytes) { return ssl__moved(c, c->dev->copy(c, dst, src, bytes)); }

/* Go on to the next chunk that holds this many bytes, one of an earlier step or a new one; 0 after an error. */
static int ssl__arena_next(ssl_ctx *c, ssl__arena *a, const char *at, size_t bytes)
{
    const size_t least = a->on_device ? (size_t)4 << 20 : (size_t)64 << 10, size = SSL__MAX(bytes, SSL__MAX(least, a->used / 4));
    ssl__chunk *k;
    while (a->now && a->now->next) {
        a->now = a->now->next;
        a->now->used = 0;
        if (bytes <= a->now->size) return 1;
    }
    k = (ssl__chunk *)ssl__alloc(c, at, sizeof *k);
    if (!k) return 0;
    k->p = (char *)(a->on_device ? ssl__device_alloc(c, at, size + 64) : ssl__alloc(c, at, size)); /* + 64: stretches of two chunks never touch */
    if (!k->p) { ssl__release(k); return 0; }
    k->size = size;
    a->size += size;
    if (a->now) a->now->next = k;
    else a->first = k;
    a->now = k;
    return 1;
}
static void *ssl__arena_alloc(ssl_ctx *c, ssl__arena *a, const char *at, size_t n)
{
    const size_t bytes = SSL__GUARDED(n);
    char *p;
    if ((!a->now || a->now->used + bytes > a->now->size) && !ssl__arena_next(c, a, at, bytes)) return NULL;
    p = a->now->p + a->now->used;
    a->now->used += bytes;
    a->used += bytes;
    if (a->used > a->peak) a->peak = a->used;
    return ssl__guard(p, n);
}

static void *ssl__step_alloc(ssl_ctx *c, const char *at, size_t bytes) { return ssl__arena_alloc(c, bytes < (size_t)64 << 10 ? &c->small : &c->data, at, bytes); }

static void ssl__arena_free(ssl_ctx *c, ssl__arena *a)
{
    ssl__chunk *k = a->first, *next;
    for (; k; k = next) {
        next = k->next;
        if (a->on_device) c->dev->release(c, k->p);
        else ssl__release(k->p);
        ssl__release(k);
    }
    a->first = a->now = NULL;
    a->used = a->size = 0;
}

static void ssl__arena_reset(ssl_ctx *c, ssl__arena *a)
{
    if (a->size > 2 * a->peak + ((size_t)16 << 20)) ssl__arena_free(c, a); /* chunks of steps of other shapes, too small for these */
    a->now = a->first;
    if (a->first) a->first->used = 0;
    a->used = 0;
}

/* 64-byte aligned; the word before it is what SSL_FREE takes. Linux gives large buffers pages of 2 MB where it is asked to: a
   512th of the page faults, and fewer misses of the table that translates addresses. */
#define SSL__HUGE ((size_t)2 << 20)
static void *ssl__cpu_alloc(ssl_ctx *c, size_t n)
{
    const size_t align = n >= 2 * SSL__HUGE ? SSL__HUGE : 64;
    char *raw = (char *)SSL_MALLOC(n + align), *p = raw + align - ((uintptr_t)raw & (align - 1));
    (void)c;
    if (!raw) return NULL;
    memcpy(p - sizeof raw, &raw, sizeof raw);
#ifdef SSL__MADV_HUGEPAGE
    if (align == SSL__HUGE) madvise(p, n & ~(SSL__HUGE - 1), SSL__MADV_HUGEPAGE); /* a wish: without it, small pages */
#endif
    return p;
}
static void ssl__cpu_release(ssl_ctx *c, void *p)
{
    void *raw;
    (void)c;
    memcpy(&raw, (char *)p - sizeof raw, sizeof raw);
    SSL_FREE(raw);
}
static int ssl__cpu_copy(ssl_ctx *c, void *d, const void *s, size_t n) { (void)c; memcpy(d, s, n); return 1; }
static const char *ssl__cpu_error(ssl_ctx *c) { (void)c; return "memcpy"; }
static const ssl__backend ssl__cpu_backend = { ssl__cpu_alloc, ssl__cpu_release, ssl__cpu_copy, ssl__cpu_copy, ssl__cpu_copy, NULL, ssl__cpu_error,
                                               NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL };

/* ==== >>rng ==== Philox 4x32-10: ten rounds of two 32x32 -> 64 bit products and xors ==================== */
SSL_HD static SSL__INLINE void ssl__philox(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4])
{
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32), c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    int i;
    for (i = 0; i < 10; i++) {
        const uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0; out[1] = c1; out[2] = c2; out[3] = c3;
}
SSL_HD static SSL__INLINE float ssl__unit(uint32_t u) { return (float)(u >> 8) * (1.0f / 16777216.0f); } /* [0,1) */

/* No kernel reads floating-point exception flags; told so, gcc vectorizes loops that select between values. */
#if defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__)
#  pragma GCC push_options
#  pragma GCC optimize("no-trapping-math")
#endif
/* ==== >>math ==== branch-free scalar functions that compilers vectorize; errors against libm are in tests/test_math.c */
SSL_HD static SSL__INLINE float ssl__bits(uint32_t u) { float f; memcpy(&f, &u, 4); return f; }
SSL_HD static SSL__INLINE uint32_t ssl__word(float f) { uint32_t u; memcpy(&u, &f, 4); return u; }
/* 2^n e^r for an integer n >= -127 (where it is exactly 0, never a slow denormal), |r| <= ln2/2: minimax polynomial of degree 6 */
SSL_HD static SSL__INLINE float ssl__pow2(float n, float r)
{
    float p = 1.38143485e-3f;
    p = p * r + 8.36883765e-3f;
    p = p * r + 4.16684002e-2f;
    p = p * r + 1.66665196e-1f;
    p = p * r + 4.99999940e-1f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return p * ssl__bits((uint32_t)((int32_t)n + 127) << 23);
}
SSL_HD static SSL__INLINE float ssl__nearest(float x) { return (x + 12582912.0f) - 12582912.0f; } /* |x| < 2^22 */
/* e^x = 2^n e^r, n = round(x / ln 2); infinity above 88.37, 0 below -87.7 */
SSL_HD static SSL__INLINE float ssl__exp(float x)
{
    float n;
    x = x < -88.0f ? -88.0f : x > 88.7f ? 88.7f : x;
    n = ssl__nearest(x * 1.44269504f);
    return ssl__pow2(n, (x - n * 0.693359375f) + n * 2.12194440e-4f);
}
/* tanh x = x P(x^2) for |x| < 0.625, else +-(1 - 2 / (e^2|x| + 1)) (P from Cephes) */
SSL_HD static SSL__INLINE float ssl__tanh(float x)
{
    const float s = x * x, a = x < 0.0f ? -x : x, big = 1.0f - 2.0f / (ssl__exp(2.0f * a) + 1.0f);
    float p = -5.70498872745e-3f;
    p = p * s + 2.06390887954e-2f;
    p = p * s - 5.37397155531e-2f;
    p = p * s + 1.33314422036e-1f;
    p = p * s - 3.33332819422e-1f;
    p = p * s * x + x;
    return a < 0.625f ? p : x < 0.0f ? -big : big;
}
SSL_HD static SSL__INLINE float ssl__bf16(float x) /* rounded to bfloat16, ties to even; NaN stays NaN */
{
    uint32_t u;
    memcpy(&u, &x, 4);
    u = (u & 0x7fffffffu) > 0x7f800000u ? u | 0x400000u : u + 0x7fffu + (u >> 16 & 1u);
    return ssl__bits(u & 0xffff0000u);
}
/* Phi(x), the normal distribution: Phi(-|x|) = 2^P(|x|), P a minimax polynomial of degree 9 for |x| < 6; beyond that 0 */
SSL_HD static SSL__INLINE float ssl__cdf(float x)
{
    const float a = x < 0.0f ? -x : x, u = a < 6.0f ? a : 6.0f;
    float p = 2.62493586e-7f, n, q;
    p = p * u - 5.98527822e-6f;
    p = p * u + 5.45677794e-5f;
    p = p * u - 2.24173491e-4f;
    p = p * u - 8.38402848e-5f;
    p = p * u + 7.02185230e-3f;
    p = p * u - 5.24789132e-2f;
    p = p * u - 4.59211528e-1f;
    p = p * u - 1.15110505f;
    p = p * u - 1.0f;
    n = ssl__nearest(p);
    q = ssl__pow2(n, 0.69314718f * (p - n));
    q = u < 6.0f ? q : 0.0f;
    return x < 0.0f ? q : 1.0f - q;
}
SSL_HD static SSL__INLINE float ssl__gelu(float x) { return x * ssl__cdf(x); }
SSL_HD static SSL__INLINE float ssl__dgelu(float x) { return ssl__cdf(x) + x * 0.39894228f * ssl__exp(-0.5f * x * x); } /* Phi(x) + x phi(x) */
/* (1 + tanh z) / 2 = 1 / (1 + e^-2z) = w at z = sqrt(2/pi) (x + 0.044715 x^3); dw/dz = 2 w (1 - w) = 2 w^2 e^-2z */
SSL_HD static SSL__INLINE float ssl__gelu_tanh(float x) { return x / (1.0f + ssl__exp(-1.59576912f * (x + 0.044715f * x * x * x))); }
SSL_HD static SSL__INLINE float ssl__dgelu_tanh(float x)
{
    const float z = -1.59576912f * (x + 0.044715f * x * x * x), e = ssl__exp(z > 80.0f ? 80.0f : z), w = 1.0f / (1.0f + e);
    return w + x * (w * e) * w * 1.59576912f * (1.0f + 0.134145f * x * x);
}
SSL_HD static SSL__INLINE float ssl__act(ssl_act a, float x)
{ return a == SSL_ACT_RELU ? (x > 0.0f ? x : 0.0f) : a == SSL_ACT_GELU ? ssl__gelu(x) : a == SSL_ACT_GELU_TANH ? ssl__gelu_tanh(x) : x; }

/* |d| < lim: h d^2, else |d| - lim / 2.  mse: lim inf, h 1;  l1: lim 0;  smooth l1: lim beta, h 1 / (2 beta) */
SSL_HD static SSL__INLINE float ssl__huber(float d, float lim, float h) { const float a = fabsf(d); return a < lim ? h * d * d : a - 0.5f * lim; }
SSL_HD static SSL__INLINE float ssl__dhuber(float d, float lim, float h) { return fabsf(d) < lim ? 2.0f * h * d : d > 0.0f ? 1.0f : d < 0.0f ? -1.0f : d; }

/* ==== >>gemm ==== y = beta y + op(a) op(b), then bias, activation, residual: blocking and threads ==========
   After Goto and van de Geijn (2008). The output is cut into tiles of mt x nt; a tile is one chunk of work. k is cut into blocks of
   kc; op(b) is packed in panels [kc][width] of a few vectors, op(a) is read in groups of rows, for one block of k each:
     registers  8 x 3 vectors of sums (AVX-512): 24 multiply-adds for 11 loads per step of k
     L1         the 8 rows of op(a) at work and what comes of a panel of op(b): 11 of 64 bytes a step in 12 cycles
     L2         the group of op(a) and a panel of op(b), read again for every panel and every 8 rows
   Tall products (m large, op(b) packed once for all chunks): a chunk is one group of rows, over all n and k, so that its y stays
   in L2 until the epilogue is done. Others (weight gradients: k large): a chunk packs its block of op(b), nt columns, and walks
   its groups of rows for every block of k; its tile of y is at most SSL__GEMM_L2 bytes.
   Every output is summed over k in the order of the blocks whatever mt and nt are: the same bits for any number of threads. */
typedef struct ssl__gemm_kind ssl__gemm_kind;
/* Rows of memory that are read next, fetched a cache line a step by tiles at work, which leave the memory idle */
typedef struct ssl__ahead { uintptr_t at, end; int64_t jump; int lines, left; } ssl__ahead; /* lines of a row; jump from its end to the next */
typedef struct ssl__gemm_block { /* y[rows,cols] = or += a b over kc of k */
    int rows, cols, kc, add;
    const void *a;              /* op(a)[i,p] at element i ars + p aps; or panels */
    int64_t ars, aps;
    const void *b;              /* panels [kc][width] */
    float *y;
    int64_t ldy;
    ssl__ahead ahead[2];        /* one after the other */
    float *sums;                /* what block_a adds the sums of op(a) over k to, or NULL; only if op(a) is transposed */
} ssl__gemm_block;
struct ssl__gemm_kind {         /* one way to multiply: an instruction set at a precision */
    int mr, kr;                 /* rows of a tile; k is padded with zeros to a multiple of kr */
    int elem;                   /* bytes of a packed element */
    int panel, group;           /* columns of a panel of op(b), rows of op(a) at a time */
    int depth, depth_t;         /* most of k in a block; if op(a) is transposed */
    float pack_cost;            /* of packing one element, in multiply-adds */
    int tall;                   /* tall products have an order of their own */
    int direct;                 /* op(a) with rows along k is not packed: of floats, or of bf16 pairs that lie as words */
    void (*block_a)(const ssl__gemm_kind *kind, int rows, int kc, const float *src, int64_t rs, int64_t ps, void *dst, ssl__gemm_block *b);
    void (*block_b)(const ssl__gemm_kind *kind, int cols, int kc, const float *src, int64_t cs, int64_t ps, void *dst);
    void (*multiply)(const ssl__gemm_kind *kind, ssl__gemm_block *b);
    void (*finish)(const ssl__gemm_block *b, const ssl__epilogue *ep, int64_t ldpre, int add, int64_t next, float *y, int64_t ldy); /* y and pre of the block's sums; y + next: what comes after it */
    void (*begin)(void), (*end)(void); /* around a chunk; NULL: nothing is to be set up */
    /* for multiply by ssl__gemm_panels_multiply alone: */
    void (*pack_a)(int half, int rows, int kc, const float *src, int64_t rs, int64_t ps, void *dst);
    void (*pack_b)(int half, int cols, int kc, const float *src, int64_t cs, int64_t ps, void *dst);
    void (*tile)(int kc, const void *a, const void *b, float *y, int64_t ldy, int add); /* y[mr,panel] = or += a b, both packed */
    unsigned half;              /* as of an epilogue; only of a copy made for one product */
};
#define SSL__AHEAD 16 /* rows that packing fetches before it reads them */

typedef struct ssl__gemm_job {
    ssl_ctx *c;
    const ssl__gemm_kind *kind;
    int m, n, k, add;
    const float *a, *b;
    int64_t ars, aps, sa;       /* op(a)[i,p] = a[i ars + p aps], one of the two strides is 1 */
    int64_t bcs, bps, sb;       /* op(b)[p,j] = b[j bcs + p bps], likewise */
    float *y;
    int64_t ldy, sy;
    const ssl__epilogue *ep;
    float *sums;                /* += sums of op(a) over k, or NULL */
    int mt, nt, group, tiles_m, tiles_n, kc, blocks_k, direct;
    int width;                  /* columns that are multiplied before their epilogue: a panel, while it is in L1, or all */
    char *shared_b;             /* op(b) packed beforehand: [blocks_k][panel], or NULL */
} ssl__gemm_job;

static int ssl__ceil_div(int a, int b) { return (a + b - 1) / b; }
static int ssl__round_up(int a, int b) { return ssl__ceil_div(a, b) * b; }
static int ssl__gemm_depth(const ssl__gemm_job *g, int kb) { return SSL__MIN(g->kc, g->k - kb * g->kc); }
static size_t ssl__gemm_bytes(const ssl__gemm_job *g, int width) { return (size_t)width * (size_t)g->kc * (size_t)g->kind->elem; }
static int ssl__gemm_padded(const ssl__gemm_job *g) { return ssl__round_up(g->n, g->kind->panel); }
static size_t ssl__gemm_panel(const ssl__gemm_job *g, int kb, int j) /* bytes of the panels before column j */
{ return (size_t)j * (size_t)ssl__round_up(ssl__gemm_depth(g, kb), g->kind->kr) * (size_t)g->kind->elem; }
static char *ssl__gemm_shared(const ssl__gemm_job *g, int kb, int j)
{ return g->shared_b + (size_t)kb * ssl__gemm_bytes(g, ssl__gemm_padded(g)) + ssl__gemm_panel(g, kb, j); }
/* op(a) of block kb from row i on, op(b) from column j on */
static const float *ssl__gemm_a(const ssl__gemm_job *g, int s, int kb, int i)
{ return ssl__element(g->a, g->kind->half & SSL__HALF_A, s * g->sa + i * g->ars + (int64_t)kb * g->kc * g->aps); }
static const float *ssl__gemm_b(const ssl__gemm_job *g, int s, int kb, int j)
{ return ssl__element(g->b, g->kind->half & SSL__HALF_B, s * g->sb + j * g->bcs + (int64_t)kb * g->kc * g->bps); }

static void ssl__gemm_share_chunk(void *arg, int chunk, int thread)
{
    const ssl__gemm_job *g = (const ssl__gemm_job *)arg;
    const int panels = ssl__ceil_div(g->n, g->kind->panel), kb = chunk / panels, j = chunk % panels * g->kind->panel;
    (void)thread;
    g->kind->block_b(g->kind, SSL__MIN(g->n - j, g->kind->panel), ssl__gemm_depth(g, kb), ssl__gemm_b(g, 0, kb, j), g->bcs, g->bps, ssl__gemm_shared(g, kb, j));
}

typedef struct ssl__gemm_part { int s, i0, i1, j0, j1; } ssl__gemm_part; /* the rows and columns of product s that a chunk makes */
/* The epilogue of b, rows i.. and columns j.. of a part */
static void ssl__gemm_finish(const ssl__gemm_job *g, const ssl__gemm_part *t, const ssl__gemm_block *b, int i, int j)
{
    const int s = t->s, rows = i + g->group < t->i1 ? g->group : t->i1 - i + (g->c->n_threads - 1) * g->mt; /* to those that this thread is likely to make next */
    const int64_t at = s * g->sy + i * g->ldy + j, next = j + g->width < t->j1 ? g->width : rows * g->ldy + t->j0 - j;
    const int half = (g->kind->half & SSL__HALF_Y) != 0;
    ssl__epilogue ep = *g->ep;
    if (ep.bias) ep.bias += j;
    if (ep.pre) ep.pre = ssl__element(ep.pre, half, ((int64_t)s * g->m + i) * g->n + j);
    if (ep.residual) ep.residual += at;
    g->kind->finish(b, &ep, g->n, half && g->add, next, ssl__element(g->y, half, at), g->ldy);
}

static ssl__ahead ssl__ahead_rows(const float *x, int half, int64_t rows, int64_t cols, int64_t stride)
{
    const int64_t size = half ? 2 : 4;
    ssl__ahead f;
    f.at = (uintptr_t)x & ~(uintptr_t)63;
    f.end = (uintptr_t)x + (uintptr_t)(size * ((rows - 1) * stride + cols));
    f.lines = f.left = (int)(((uintptr_t)x + (uintptr_t)(size * cols) - f.at + 63) / 64);
    f.jump = size * stride - 64 * (int64_t)f.lines;
    return f;
}
static ssl__ahead ssl__ahead_of(const float *x, unsigned half, int n, int64_t ns, int k, int64_t ps) /* n rows or columns of an operand, k of it */
{ return ps == 1 ? ssl__ahead_rows(x, half != 0, n, k, ns) : ssl__ahead_rows(x, half != 0, k, n, ps); }
static ssl__ahead ssl__ahead_a(const ssl__gemm_job *g, int s, int kb, int i, int rows)
{ return ssl__ahead_of(ssl__gemm_a(g, s, kb, i), g->kind->half & SSL__HALF_A, rows, g->ars, ssl__gemm_depth(g, kb), g->aps); }
/* What follows block kb of rows i..: their residual; the next rows, the next block, or the rows that this thread is likely to get next */
static void ssl__gemm_ahead(const ssl__gemm_job *g, const ssl__gemm_part *t, int kb, int i, ssl__ahead *f)
{
    const int next = i + g->group, other = t->i1 + (g->c->n_threads - 1) * g->mt, last = kb == g->blocks_k - 1;
    if (last && g->ep && g->ep->residual)
        *f++ = ssl__ahead_rows(g->ep->residual + t->s * g->sy + i * g->ldy + t->j0, 0, SSL__MIN(next, t->i1) - i, t->j1 - t->j0, g->ldy);
    if (next < t->i1) *f = ssl__ahead_a(g, t->s, kb, next, SSL__MIN(g->group, t->i1 - next));
    else if (!last) {
        *f++ = ssl__ahead_a(g, t->s, kb + 1, t->i0, SSL__MIN(g->group, t->i1 - t->i0));
        if (!g->shared_b) *f = ssl__ahead_of(ssl__gemm_b(g, t->s, kb + 1, t->j0), g->kind->half & SSL__HALF_B, t->j1 - t->j0, g->bcs, ssl__gemm_depth(g, kb + 1), g->bps);
    } else if (g->tiles_n == 1 && other < g->m) *f = ssl__ahead_a(g, t->s, 0, other, SSL__MIN(g->group, g->m - other));
}

/* Sums of a result that is bf16 stay beside it, as float32, until they are done: a panel's, or where there are several blocks all of the chunk's */
static int64_t ssl__gemm_sums(const ssl__gemm_job *g)
{ return !(g->kind->half & SSL__HALF_Y) ? 0 : g->width < g->nt ? (int64_t)g->group * g->width : (int64_t)g->mt * ssl__round_up(g->nt, 16); }

/* Block kb of rows i.. of a part; pb: its columns' panels; sums: as above */
static void ssl__gemm_rows(const ssl__gemm_job *g, const ssl__gemm_part *t, int kb, int i, char *pa, const char *pb, float *sums)
{
    const float *a = ssl__gemm_a(g, t->s, kb, i);
    const int end = SSL__MIN(t->i1, i + g->group), narrow = (g->kind->half & SSL__HALF_Y) != 0;
    ssl__gemm_block b;
    int j;
    memset(b.ahead, 0, sizeof b.ahead);
    ssl__gemm_ahead(g, t, kb, i, b.ahead);
    b.rows = end - i; b.kc = ssl__gemm_depth(g, kb); b.add = (g->add && !narrow) || kb;
    b.a = a; b.ars = g->ars / g->kind->kr; b.aps = g->aps;
    b.ldy = narrow ? SSL__MIN(g->width, ssl__round_up(g->nt, 16)) : g->ldy;
    b.sums = g->sums && t->j0 == 0 ? g->sums + i : NULL;
    if (!g->direct) g->kind->block_a(g->kind, b.rows, b.kc, a, g->ars, g->aps, pa, &b);
    for (j = t->j0; j < t->j1; j += g->width) {
        b.cols = SSL__MIN(g->width, t->j1 - j);
        b.b = pb + ssl__gemm_panel(g, kb, j - t->j0);
        b.y = !narrow ? g->y + t->s * g->sy + i * g->ldy + j : g->width < g->nt ? sums : sums + (i - t->i0) * b.ldy;
        g->kind->multiply(g->kind, &b);
        if (g->ep && kb == g->blocks_k - 1) ssl__gemm_finish(g, t, &b, i, j);
    }
}

static void ssl__gemm_chunk(void *arg, int chunk, int thread)
{
    const ssl__gemm_job *g = (const ssl__gemm_job *)arg;
    const size_t a_bytes = (ssl__gemm_bytes(g, ssl__round_up(g->group, g->kind->mr)) + 63) & ~(size_t)63;
    const size_t b_bytes = g->shared_b ? 0 : (ssl__gemm_bytes(g, ssl__round_up(g->nt, g->kind->panel)) + 63) & ~(size_t)63;
    char *pa = (char *)ssl__scratch(g->c, thread, a_bytes + b_bytes + sizeof(float) * (size_t)ssl__gemm_sums(g)), *pb = pa + a_bytes;
    float *sums = (float *)(void *)(pb + b_bytes);
    ssl__gemm_part t;
    int kb, i;
    t.i0 = chunk % g->tiles_m * g->mt; t.i1 = SSL__MIN(g->m, t.i0 + g->mt);
    t.j0 = chunk / g->tiles_m % g->tiles_n * g->nt; t.j1 = SSL__MIN(g->n, t.j0 + g->nt);
    t.s = chunk / g->tiles_m / g->tiles_n;
    if (!pa) return;
    if (g->kind->begin) g->kind->begin();
    for (kb = 0; kb < g->blocks_k; kb++) {
        if (g->shared_b) pb = ssl__gemm_shared(g, kb, t.j0);
        else g->kind->block_b(g->kind, t.j1 - t.j0, ssl__gemm_depth(g, kb), ssl__gemm_b(g, t.s, kb, t.j0), g->bcs, g->bps, pb);
        for (i = t.i0; i < t.i1; i += g->group) ssl__gemm_rows(g, &t, kb, i, pa, pb, sums);
    }
    if (g->kind->end) g->kind->end();
}

/* Choose mt x nt so that a block of b and the tile of y are at most SSL__GEMM_L2 bytes each: the least rounds(tiles / threads) x (mt nt + cost of packing mt + nt). */
#define SSL__GEMM_L2 (768 * 1024)
static void ssl__gemm_plan(ssl__gemm_job *g, int batch)
{
    const int mr = g->kind->mr, nr = g->kind->panel, threads = g->c->n_threads;
    const int cols = SSL__MIN(g->n, SSL__GEMM_L2 / (g->kc * g->kind->elem));
    const int rows = SSL__MIN(g->m, SSL__MIN(48 * mr, SSL__MAX(mr, SSL__GEMM_L2 / (4 * cols))));
    float best = 0.0f;
    int a, b;
    for (a = 0; a < 8; a++)
        for (b = 0; b < 8; b++) {
            const int mt = ssl__round_up(ssl__ceil_div(g->m, ssl__ceil_div(g->m, rows) + a), mr);
            const int nt = ssl__round_up(ssl__ceil_div(g->n, ssl__ceil_div(g->n, cols) + b), nr);
            const int tm = ssl__ceil_div(g->m, mt), tn = ssl__ceil_div(g->n, nt);
            const int64_t rounds = ((int64_t)batch * tm * tn + threads - 1) / threads;
            const float cost = (float)rounds * ((float)mt * (float)nt + g->kind->pack_cost * (float)(mt + nt));
            if (best > 0.0f && cost >= best) continue;
            best = cost;
            g->mt = mt; g->nt = nt; g->tiles_m = tm; g->tiles_n = tn;
        }
}

static void ssl__gemm_run(ssl_ctx *c, const ssl__gemm_kind *kind, int ta, int tb, int batch, int m, int n, int k, const float *a, int lda,
                          int64_t sa, const float *b, int ldb, int64_t sb, float beta, float *y, int ldy, int64_t sy, const ssl__epilogue *ep, float *sums)
{
    ssl__gemm_job g;
    int tall;
    if (batch <= 0 || m <= 0 || n <= 0) return;
    if (!sb && !ta && sa == (int64_t)m * lda && sy == (int64_t)m * ldy) { m *= batch; batch = 1; } /* one tall product */
    memset(&g, 0, sizeof g);
    g.c = c; g.kind = kind; g.m = m; g.n = n; g.k = k; g.add = beta != 0.0f;
    g.a = a; g.ars = ta ? 1 : lda; g.aps = ta ? lda : 1; g.sa = sa;
    g.b = b; g.bcs = tb ? ldb : 1; g.bps = tb ? 1 : ldb; g.sb = sb;
    g.y = y; g.ldy = ldy; g.sy = sy; g.ep = ep; g.sums = sums;
    g.blocks_k = SSL__MAX(1, ssl__ceil_div(k, ta ? kind->depth_t : kind->depth));
    g.kc = ssl__round_up(SSL__MAX(1, ssl__ceil_div(k, g.blocks_k)), kind->kr);
    tall = kind->tall && !ta && batch == 1 && m >= 4 * kind->group;
    if (tall) {
        g.tiles_m = ssl__ceil_div(m, kind->group);
        g.group = g.mt = ssl__round_up(ssl__ceil_div(m, g.tiles_m), kind->mr);
        g.tiles_m = ssl__ceil_div(m, g.mt);
        g.nt = n; g.tiles_n = 1;
    } else {
        ssl__gemm_plan(&g, batch);
        g.group = ta ? g.mt : SSL__MIN(g.mt, kind->group); /* rows of a transposed a lie side by side: read them all at once */
    }
    g.width = g.ep && g.blocks_k == 1 && !g.ep->residual ? kind->panel : g.nt;
    g.direct = g.aps == 1 && (kind->direct || ((kind->half & SSL__HALF_A) && kind->kr == 2 && !((k | lda | sa) & 1) && !((uintptr_t)a & 3)));
    if (batch == 1 && g.tiles_m > 2) {
        g.shared_b = (char *)ssl__scratch(c, -1, (size_t)g.blocks_k * ssl__gemm_bytes(&g, ssl__gemm_padded(&g)));
        if (g.shared_b) ssl__parallel(c, g.blocks_k * ssl__ceil_div(n, kind->panel), ssl__gemm_share_chunk, &g);
    }
    ssl__parallel(c, batch * g.tiles_m * g.tiles_n, ssl__gemm_chunk, &g);
}

#if defined(__clang__) /* SSL__INDEPENDENT: the loop's results are either its operands themselves or apart from them */
#  define SSL__INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__) && !defined(__CUDACC__)
#  define SSL__INDEPENDENT _Pragma("GCC ivdep")
#else
#  define SSL__INDEPENDENT
#endif
#if defined(__clang__)
#  define SSL__UNROLL _Pragma("unroll")
#elif defined(__GNUC__) && !defined(__CUDACC__)
#  define SSL__UNROLL _Pragma("GCC unroll 16")
#else
#  define SSL__UNROLL
#endif
#if defined(__GNUC__)
#  define SSL__PREFETCH(p)   __builtin_prefetch(p, 0, 2)
#  define SSL__PREFETCH_W(p) __builtin_prefetch(p, 1)
#else
#  define SSL__PREFETCH(p)   (void)(p)
#  define SSL__PREFETCH_W(p) (void)(p)
#endif

static SSL__INLINE void ssl__transpose4(const float *s, int64_t lds, float *d, int64_t ldd) /* d[4,4] = s[4,4]^T */
{
#ifdef __SSE__
    __m128 r0 = _mm_loadu_ps(s), r1 = _mm_loadu_ps(s + lds), r2 = _mm_loadu_ps(s + 2 * lds), r3 = _mm_loadu_ps(s + 3 * lds);
    _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
    _mm_storeu_ps(d, r0); _mm_storeu_ps(d + ldd, r1); _mm_storeu_ps(d + 2 * ldd, r2); _mm_storeu_ps(d + 3 * ldd, r3);
#else
    int i, j;
    for (i = 0; i < 4; i++)
        for (j = 0; j < 4; j++) d[i * ldd + j] = s[j * lds + i];
#endif
}

/* A panel [kc][width] of src[r rs + p ps], r < rows <= width; rows that do not exist are zero. Along r a copy, along p a
   transpose, a cache line of 16 floats at a time. */
static SSL__INLINE void ssl__gemm_pack(int width, int rows, int kc, const float *src, int64_t rs, int64_t ps, float *dst)
{
    int p, q, r;
    for (p = 0; rows == width && rs == 1 && p < kc; p++) memcpy(dst + p * width, src + p * ps, sizeof(float) * (size_t)width);
    for (; rows == width && p + 16 <= kc; p += 16)
        for (r = 0; r < width; r += 4)
            for (q = p; q < p + 16; q += 4) ssl__transpose4(src + r * rs + q, rs, dst + q * width + r, width);
    for (; p < kc; p++)
        for (r = 0; r < width; r++) dst[p * width + r] = r < rows ? src[r * rs + p * ps] : 0.0f;
}

/* ---- vectors of four floats where there is no wider unit */
#if defined(__GNUC__) && !defined(__CUDACC__)
typedef float ssl__v4 __attribute__((vector_size(16)));
typedef float ssl__v4u __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t ssl__v4i __attribute__((vector_size(16)));
static SSL__UNUSED inline ssl__v4 ssl__v4_set1(float f) { const ssl__v4 v = { f, f, f, f }; return v; }
static SSL__UNUSED inline ssl__v4 ssl__v4_max(ssl__v4 a, ssl__v4 b)
{ const ssl__v4i m = a > b; return (ssl__v4)((m & (ssl__v4i)a) | (~m & (ssl__v4i)b)); }
static SSL__UNUSED inline ssl__v4 ssl__v4_ifneg(ssl__v4 x, ssl__v4 a, ssl__v4 b)
{ const ssl__v4i m = (ssl__v4i)x >> 31; return (ssl__v4)((m & (ssl__v4i)a) | (~m & (ssl__v4i)b)); }
#endif

/* ==== >>broadcast ==== a place in a loop nest: axes first..last-1, and where the four operands are =========== */
typedef struct ssl__cursor { const ssl__nest *s; int first, last; int64_t index[SSL_DIMS], off[4]; } ssl__cursor;
static ssl__cursor ssl__nest_seek(const ssl__nest *s, int first, int last, int64_t i) /* step i of those axes */
{
    ssl__cursor u;
    int a, k;
    memset(&u, 0, sizeof u);
    u.s = s;
    u.first = first;
    u.last = last;
    for (a = last - 1; a >= first && i; a--) {
        u.index[a] = i % s->dim[a];
        i /= s->dim[a];
        for (k = 0; k < 4; k++) u.off[k] += u.index[a] * s->st[k][a];
    }
    return u;
}
static void ssl__nest_next(ssl__cursor *u)
{
    int a, k;
    for (a = u->last - 1; a >= u->first; a--) {
        const int wrap = ++u->index[a] == u->s->dim[a];
        const int64_t step = wrap ? 1 - u->s->dim[a] : 1;
        for (k = 0; k < 4; k++) u->off[k] += step * u->s->st[k][a];
        if (!wrap) return;
        u->index[a] = 0;
    }
}
static int64_t ssl__nest_steps(const ssl__nest *s, int first, int last)
{
    int64_t n = 1;
    for (; first < last; first++) n *= s->dim[first];
    return n;
}

/* ==== >>conv ==== what all passes share ================================================================ */
typedef struct ssl__window_job {
    const ssl__window *g;
    const ssl__resize *r;
    const float *x, *w, *bias, *dy;
    const int32_t *at_in;
    float beta, *y;
    int32_t *at;
} ssl__window_job;
/* Outputs lo <= o < hi whose input o stride + offset lies in 0..n-1. */
SSL_HD static inline void ssl__span(int stride, int offset, int n, int outputs, int *lo, int *hi)
{
    *lo = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
    *hi = offset >= n ? 0 : SSL__MIN(outputs, (n - 1 - offset) / stride + 1);
    if (*hi < *lo) *hi = *lo;
}
/* Where padding reads from: -1 is the constant; reflect mirrors at the rim without repeating it. */
SSL_HD static inline int ssl__pad_source(int o, int before, int n, int mode)
{
    const int i = o - before;
    if (i >= 0 && i < n) return i;
    return mode == SSL_PAD_REFLECT ? (i < 0 ? -i : 2 * (n - 1) - i) : -1;
}
/* The two pixels an output lies between and the weight of the second. Nearest: floor(o n / outputs); linear, pixel centers at
   half: max((o + 0.5) n / outputs - 0.5, 0). */
SSL_HD static inline float ssl__resize_source(int nearest, int o, int n, int outputs, int i[2])
{
    const float s = ((float)o + 0.5f) * ((float)n / (float)outputs) - 0.5f, t = s > 0.0f ? s : 0.0f;
    i[0] = nearest ? (int)((int64_t)o * n / outputs) : SSL__MIN((int)t, n - 1);
    i[1] = SSL__MIN(i[0] + 1, n - 1);
    return nearest ? 0.0f : t - (float)i[0];
}
typedef struct ssl__bn_job {
    const ssl__bn *b;
    const float *x, *w, *bias, *res, *ya;
    float *mean, *var, *y, *dy, *s1, *s2, *dw, *db, *dx, beta;
    int per; /* channels of a chunk: about a page of each image */
} ssl__bn_job;

/* ---- convolution as a matrix product ----
   y[q,o] = sum_k x[q,k] w[k,o]: q output position, k = (tap, input channel), o output channel. A chunk turns its block of rows or
   images channels last, with a rim of zeros: the taps of a row of the kernel then lie side by side for a position, and positions of
   a row at equal distances, so that products read the block itself; weights are packed once. dx is the same product: at stride s
   the rows of dx that lie s apart see the same taps, which are w turned around; so one product for each of the s s phases.
   dw[o,k] = sum_q dy[q,o] x[q,k] runs over slices of the blocks, whose sums are added in order; positions that follow each other
   are gathered for it. Along an axis: out[o0 + q ostep] += w[t0 + t tstep] in[q istep + d0 + t dstep], q < n, t < taps; low and
   high: the least and the largest of d0 + t dstep. */
typedef struct ssl__conv_kind ssl__conv_kind;
typedef struct ssl__lane { int n, in, out, o0, ostep, istep, taps, t0, tstep, d0, dstep, low, high; } ssl__lane;
/* dst[rows][cols][step] = `live` planes of src[rows][cols], the others zero; dst's rows lie pitch apart, src is asked for `ahead` */
typedef void (*ssl__turn_fn)(int live, int rows, int cols, const float *src, int64_t plane, int64_t ahead, float *dst, int64_t step, int64_t pitch);
struct ssl__conv_kind { /* an instruction set at a precision, `width` channels at a time; a word is a float, or two bf16 */
    int width, wide, pair; /* floats of a vector, columns of a product, channels (or positions) of a word */
    ssl__turn_fn turn, turn_c, turn_k; /* to floats; to words along channels, width pair at a time; to words along positions (pitch = cols step) */
    /* planes = or += src[rows][cols][step] + bias */
    void (*turn_back)(int live, int rows, int cols, const float *src, int64_t step, int64_t pitch, const float *bias, int add, float *dst, int64_t plane);
    void (*gather)(int n, int cols, const float *src, const int32_t *at, float *dst); /* words dst[n / pair][wide] of floats src[at[n]][cols] */
    void (*words)(int across, int n, const float *a, const float *b, float *dst, int64_t place); /* vectors a[n], b[n] as pairs of the two (across) or side by side */
    void (*sum)(int n, int slices, const float *src, int64_t slice, int64_t place, float *dst); /* dst[n] vectors, the sums of the slices */
    /* y[m, nv vectors] = or += a[m,k] b[k, nv vectors], as SSL__MM_ROWS; k in words */
    void (*rows)(int m, int nv, int k, const float *a, int64_t ars, int64_t acs, const float *b, int64_t ldb, float *y, int64_t ldy, int add);
};
typedef struct ssl__corr {
    ssl_ctx *c;
    const ssl__conv_kind *kind;
    const ssl__window *g;
    int images, groups, ic, oc; /* channels of one group */
    int back, phases_r, phases_s; /* dx: its phases */
    ssl__lane r, s;             /* rows, columns; of the first phase, low and high over all */
    const float *in, *w, *bias, *dy;
    int64_t wg, wo, wc;         /* w[group wg + o wo + c wc + row kw + column] */
    float beta, *out;
    int word;                   /* words of a pixel */
    int block_images, block_rows, blocks_r, blocks; /* positions of a chunk: whole images, or rows of one image */
    int panels;                 /* of oc */
    float *u;                   /* packed weights [group][panel][tap, phase after phase][word][wide] */
    int run, runs, run_ld, pointwise; /* dw: columns side by side (the taps of a row, or one), runs of a row, floats of one; x is gathered by itself */
    int slices, slice_blocks, bands, band; /* dw: slices of the positions, bands of oc */
    float *part;                /* dw: [slice][group][oc][part_ld] */
    int64_t part_ld;
} ssl__corr;
typedef struct ssl__patch { int n0, n, i0, rows, prow, pcol; } ssl__patch; /* a block, and the shape of its padded copy */

static ssl__lane ssl__lane_ends(ssl__lane a)
{
    a.low = a.d0 + SSL__MIN(0, (a.taps - 1) * a.dstep);
    a.high = a.d0 + SSL__MAX(0, (a.taps - 1) * a.dstep);
    return a;
}
static ssl__lane ssl__lane_f(int in, int out, int taps, int stride, int pad, int dilation)
{
    ssl__lane a = { out, in, out, 0, 1, stride, taps, 0, 1, -pad, dilation, 0, 0 };
    return ssl__lane_ends(a);
}
/* Positions phase, phase + stride ... of dx read dy at q + (phase + pad - t dilation) / stride, for the taps t that make it whole. */
static ssl__lane ssl__lane_b(int in, int out, int taps, int stride, int pad, int dilation, int phase)
{
    ssl__lane a = { (in - phase + stride - 1) / stride, out, in, phase, stride, 1, 0, 0, 1, 0, 0, 0, 0 };
    while (a.t0 < taps && (phase + pad - a.t0 * dilation) % stride) a.t0++;
    while (a.tstep * dilation % stride) a.tstep++;
    if (a.t0 < taps) a.taps = (taps - 1 - a.t0) / a.tstep + 1;
    a.d0 = (phase + pad - a.t0 * dilation) / stride;
    a.dstep = -(a.tstep * dilation / stride);
    return ssl__lane_ends(a);
}
static ssl__lane ssl__corr_lane(const ssl__corr *e, int column, int phase)
{
    const ssl__window *g = e->g;
    if (!e->back) return column ? ssl__lane_f(g->w, g->ow, g->kw, g->sw, g->pw, g->dw) : ssl__lane_f(g->h, g->oh, g->kh, g->sh, g->ph, g->dh);
    return column ? ssl__lane_b(g->w, g->ow, g->kw, g->sw, g->pw, g->dw, phase) : ssl__lane_b(g->h, g->oh, g->kh, g->sh, g->ph, g->dh, phase);
}
static ssl__lane ssl__corr_lanes(const ssl__corr *e, int column, int phases)
{
    ssl__lane all = ssl__corr_lane(e, column, 0);
    int i, any = all.taps > 0;
    for (i = 1; i < phases; i++) {
        const ssl__lane a = ssl__corr_lane(e, column, i);
        if (a.n < 1 || a.taps < 1) continue;
        all.low = any ? SSL__MIN(all.low, a.low) : a.low;
        all.high = any ? SSL__MAX(all.high, a.high) : a.high;
        any = 1;
    }
    return all;
}
static int ssl__lane_extent(const ssl__lane *a, int n) { return (n - 1) * a->istep + a->high - a->low + 1; } /* input positions under n outputs */

static void ssl__corr_blocks(ssl__corr *e, int positions) /* blocks of about this many positions, the same for any number of threads */
{
    const int image = e->r.n * e->s.n;
    e->block_images = SSL__MAX(1, SSL__MIN(e->images, positions / image));
    e->block_rows = e->block_images > 1 ? e->r.n : SSL__MAX(1, SSL__MIN(e->r.n, positions / e->s.n));
    e->blocks_r = ssl__ceil_div(e->r.n, e->block_rows);
    e->blocks = ssl__ceil_div(e->images, e->block_images) * e->blocks_r;
}
static ssl__patch ssl__corr_patch(const ssl__corr *e, int block)
{
    ssl__patch p;
    p.n0 = block / e->blocks_r * e->block_images;
    p.n = SSL__MIN(e->block_images, e->images - p.n0);
    p.i0 = block % e->blocks_r * e->block_rows;
    p.rows = SSL__MIN(e->block_rows, e->r.n - p.i0);
    p.prow = ssl__lane_extent(&e->r, p.rows);
    p.pcol = ssl__lane_extent(&e->s, e->s.n);
    return p;
}
static size_t ssl__corr_padded(const ssl__corr *e) /* pixels of the largest padded copy */
{ return (size_t)e->block_images * (size_t)ssl__lane_extent(&e->r, e->block_rows) * (size_t)ssl__lane_extent(&e->s, e->s.n); }
/* Channels c .. c + live of the rows under a block in image n of it, into the middle of dst. A 1 x 1 kernel skips rows. */
static void ssl__corr_turn(const ssl__corr *e, const ssl__patch *p, ssl__turn_fn turn, int live, int n, int group, int c, float *dst, int64_t step)
{
    const int top = p->i0 * e->r.istep + e->r.low, skip = e->r.taps == 1 && !e->back ? e->r.istep : 1, r0 = top + ssl__round_up(SSL__MAX(0, -top), skip);
    const int r1 = SSL__MIN(top + p->prow, e->r.in), c0 = SSL__MAX(0, e->s.low), c1 = SSL__MIN(e->s.in, e->s.low + p->pcol);
    const int whole = skip == 1 && c1 - c0 == e->s.in; /* rows without gaps between them */
    const int64_t plane = (int64_t)e->r.in * e->s.in;
    const float *src = e->in + (((int64_t)(p->n0 + n) * e->groups + group) * e->ic + c) * plane + (int64_t)r0 * e->s.in + c0;
    int r;
    dst += ((int64_t)(r0 - top) * p->pcol + c0 - e->s.low) * step;
    live = SSL__MAX(0, SSL__MIN(live, e->ic - c));
    for (r = r0; r < r1 && c0 < c1; r += whole ? r1 - r0 : skip, src += (int64_t)skip * e->s.in, dst += (int64_t)skip * p->pcol * step)
        turn(live, whole ? r1 - r0 : 1, c1 - c0, src, plane, plane > 128 ? 128 : e->groups * e->ic * plane, dst, step, (int64_t)p->pcol * step);
}
/* x[image][prow][pcol][step]: all channels of a block. The last first: what it writes past a pixel is written again. */
static void ssl__corr_turn_all(const ssl__corr *e, const ssl__patch *p, ssl__turn_fn turn, int pair, int group, float *x, int64_t step)
{
    const int64_t image = (int64_t)p->prow * p->pcol * step;
    const int width = e->kind->width;
    int n, c;
    memset(x, 0, sizeof(float) * (size_t)(p->n * image)); /* the rim stays zero */
    for (n = 0; n < p->n; n++)
        for (c = (e->ic - 1) / (width * pair) * width * pair; c >= 0; c -= width * pair) ssl__corr_turn(e, p, turn, width * pair, n, group, c, x + n * image + c / pair, step);
}

/* One panel of the weights: taps in the order of their phases, of a row of the kernel in that of the positions they read. */
static void ssl__corr_weights_chunk(void *arg, int chunk, int thread)
{
    const ssl__corr *e = (const ssl__corr *)arg;
    const ssl__conv_kind *kind = e->kind;
    const int group = chunk / e->panels, o0 = chunk % e->panels * kind->wide, width = kind->width, taps = e->g->kh * e->g->kw;
    float *a = (float *)ssl__scratch(e->c, thread, sizeof(float) * 2 * (size_t)(taps * width)), *b = a + taps * width;
    int o, c, pr, ps, i, j;
    if (!a) return;
    for (o = o0; o < SSL__MIN(e->oc, o0 + kind->wide); o += width)
        for (c = 0; c < e->ic; c += kind->pair) {
            const float *w = e->w + group * e->wg + o * e->wo + c * e->wc;
            float *u = e->u + (int64_t)chunk * taps * e->word * kind->wide + (int64_t)(c / kind->pair) * kind->wide + o - o0;
            kind->turn(SSL__MIN(width, e->oc - o), 1, taps, w, e->wo, 0, a, width, 0);
            if (kind->pair > 1 && c + 1 == e->ic) memset(b, 0, sizeof(float) * (size_t)(taps * width));
            else if (kind->pair > 1) kind->turn(SSL__MIN(width, e->oc - o), 1, taps, w + e->wc, e->wo, 0, b, width, 0);
            for (pr = 0; pr < e->phases_r; pr++)
                for (ps = 0; ps < e->phases_s; ps++) {
                    const ssl__lane r = ssl__corr_lane(e, 0, pr), s = ssl__corr_lane(e, 1, ps);
                    for (i = 0; i < r.taps; i++)
                        for (j = 0; j < s.taps; j++, u += (int64_t)e->word * kind->wide) {
                            const int t = ((r.t0 + i * r.tstep) * e->g->kw + s.t0 + (s.dstep < 0 ? s.taps - 1 - j : j) * s.tstep) * width;
                            kind->words(1, 1, a + t, b + t, u, 0);
                        }
                }
        }
}
/* One phase of a block: y[image][row][column][wide] of its positions. The rows of a product are positions of a row, or images. */
static void ssl__corr_phase(const ssl__corr *e, const ssl__patch *p, const ssl__lane *r, const ssl__lane *s, int nv, const float *u, const float *x, float *y)
{
    const int wide = e->kind->wide, rows = SSL__MIN(p->rows, r->n - p->i0), side = s->taps == 1 || s->dstep == 1 || s->dstep == -1;
    const int runs = side ? 1 : s->taps, k = (side ? s->taps : 1) * e->word, steps = s->taps > 0 ? r->taps * runs : 0, images = p->n > s->n;
    const int64_t x_row = (int64_t)p->pcol * e->word, x_image = p->prow * x_row, x_col = (int64_t)s->istep * e->word;
    const int64_t y_row = (int64_t)e->s.out * wide, y_image = p->rows * e->r.ostep * y_row, y_col = (int64_t)s->ostep * wide;
    int t, i, n;
    y += r->o0 * y_row + s->o0 * wide;
    for (t = 0; t < SSL__MAX(1, steps); t++, u += (int64_t)k * wide) { /* no taps: zeros */
        const int64_t at = steps ? (r->d0 + t / runs * r->dstep - e->r.low) * x_row + (int64_t)(s->low + t % runs * SSL__MAX(s->dstep, -s->dstep) - e->s.low) * e->word : 0;
        for (n = 0; n < (images ? s->n : p->n); n++)
            for (i = 0; i < rows; i++)
                e->kind->rows(images ? p->n : s->n, nv, steps ? k : 0, x + at + n * (images ? x_col : x_image) + i * r->istep * x_row, images ? x_image : x_col, 1, u, wide,
                              y + n * (images ? y_col : y_image) + i * r->ostep * y_row, images ? y_image : y_col, t > 0);
    }
}
static void ssl__corr_chunk(void *arg, int chunk, int thread) /* all output channels of a group at one block of positions */
{
    const ssl__corr *e = (const ssl__corr *)arg;
    const ssl__conv_kind *kind = e->kind;
    const int group = chunk % e->groups, wide = kind->wide, width = kind->width;
    const ssl__patch p = ssl__corr_patch(e, chunk / e->groups);
    const size_t x_size = (ssl__corr_padded(e) * (size_t)e->word + (size_t)width + 15) & ~(size_t)15;
    const int out_rows = SSL__MIN(p.rows * e->r.ostep, e->r.out - p.i0 * e->r.ostep);
    const int64_t plane = (int64_t)e->r.out * e->s.out, y_image = (int64_t)p.rows * e->r.ostep * e->s.out * wide;
    float *x = (float *)ssl__scratch(e->c, thread, sizeof(float) * (x_size + (size_t)(e->block_images * e->block_rows * e->r.ostep * e->s.out) * (size_t)wide)), *y = x + x_size;
    int o, n, pr, ps;
    if (!x) return;
    ssl__corr_turn_all(e, &p, kind->turn_c, kind->pair, group, x, e->word);
    for (o = 0; o < e->oc; o += wide) {
        const float *u = e->u + ((int64_t)group * e->panels + o / wide) * e->g->kh * e->g->kw * e->word * wide;
        for (pr = 0; pr < e->phases_r; pr++)
            for (ps = 0; ps < e->phases_s; ps++) {
                const ssl__lane r = ssl__corr_lane(e, 0, pr), s = ssl__corr_lane(e, 1, ps);
                ssl__corr_phase(e, &p, &r, &s, ssl__ceil_div(SSL__MIN(wide, e->oc - o), width), u, x, y);
                u += (int64_t)r.taps * s.taps * e->word * wide;
            }
        for (n = 0; n < p.n; n++)
            for (pr = 0; pr < wide && o + pr < e->oc; pr += width)
                kind->turn_back(SSL__MIN(width, e->oc - o - pr), out_rows, e->s.out, y + n * y_image + pr, wide, (int64_t)e->s.out * wide, e->bias ? e->bias + group * e->oc + o + pr : NULL,
                                e->beta != 0.0f, e->out + (((int64_t)(p.n0 + n) * e->groups + group) * e->oc + o + pr) * plane + (int64_t)p.i0 * e->r.ostep * e->s.out, plane);
    }
}
static ssl__corr ssl__corr_make(ssl_ctx *c, const ssl__conv_kind *kind, const ssl__window *g, int back)
{
    const int64_t taps = (int64_t)g->kh * g->kw, ic = g->ci / g->groups, oc = g->co / g->groups;
    ssl__corr e;
    memset(&e, 0, sizeof e);
    e.c = c; e.kind = kind; e.g = g; e.images = g->n; e.groups = g->groups; e.back = back;
    e.ic = (int)(back ? oc : ic);
    e.oc = (int)(back ? ic : oc);
    e.wg = oc * ic * taps;
    e.wo = back ? taps : ic * taps;
    e.wc = back ? ic * taps : taps;
    e.phases_r = back ? g->sh : 1;
    e.phases_s = back ? g->sw : 1;
    e.r = ssl__corr_lanes(&e, 0, e.phases_r);
    e.s = ssl__corr_lanes(&e, 1, e.phases_s);
    e.word = ssl__ceil_div(e.ic, kind->pair);
    e.panels = ssl__ceil_div(e.oc, kind->wide);
    return e;
}
static void ssl__corr_run(ssl__corr *e)
{
    ssl__corr_blocks(e, SSL__MAX(128, SSL__MIN(512, 65536 / e->oc)));
    e->u = (float *)ssl__scratch(e->c, -1, sizeof(float) * (size_t)(e->groups * e->panels * e->g->kh * e->g->kw) * (size_t)e->word * (size_t)e->kind->wide);
    if (!e->u) return;
    ssl__parallel(e->c, e->groups * e->panels, ssl__corr_weights_chunk, e);
    ssl__parallel(e->c, e->groups * e->blocks, ssl__corr_chunk, e);
}
static void ssl__corr_f(ssl_ctx *c, const ssl__conv_kind *kind, const ssl__window *g, const float *x, const float *w, const float *bias, float *y)
{
    ssl__corr e = ssl__corr_make(c, kind, g, 0);
    e.in = x; e.w = w; e.bias = bias; e.out = y;
    ssl__corr_run(&e);
}
static void ssl__corr_bx(ssl_ctx *c, const ssl__conv_kind *kind, const ssl__window *g, const float *w, const float *dy, float beta, float *dx)
{
    ssl__corr e = ssl__corr_make(c, kind, g, 1);
    e.in = dy; e.w = w; e.out = dx; e.beta = beta;
    ssl__corr_run(&e);
}

/* Channels c0 .. c1 of t[image][group][channels][plane] at the positions of a block, to words [panel][image][position][wide]. */
static void ssl__corr_positions(const ssl__corr *e, const ssl__patch *p, int group, const float *t, int channels, int c0, int c1, int steps, float *dst, int64_t panel)
{
    const int64_t plane = (int64_t)e->r.n * e->s.n;
    const int wide = e->kind->wide, width = e->kind->width;
    int c, n;
    for (c = c0; c < c1; c += width)
        for (n = 0; n < p->n; n++)
            e->kind->turn_k(SSL__MIN(width, channels - c), p->rows, e->s.n, t + (((int64_t)(p->n0 + n) * e->groups + group) * channels + c) * plane + (int64_t)p->i0 * e->s.n, plane,
                            plane > 128 ? 128 : e->groups * channels * plane, dst + (c - c0) / wide * panel + (int64_t)n * steps * wide + (c - c0) % wide, wide, (int64_t)e->s.n * wide);
}
typedef struct ssl__corr_room { float *x, *dy, *b; int32_t *at; } ssl__corr_room; /* a thread's scratch for dw */
static void ssl__corr_bw_block(const ssl__corr *e, int block, int group, int o0, int o1, const ssl__corr_room *m, float *part, int add)
{
    const ssl__conv_kind *kind = e->kind;
    const ssl__patch p = ssl__corr_patch(e, block);
    const int image = p.rows * e->s.n, steps = ssl__ceil_div(image, kind->pair), k = p.n * steps, wide = kind->wide;
    const int64_t panel = (int64_t)k * wide;
    int t, i, j, q, n;
    ssl__corr_positions(e, &p, group, e->dy, e->oc, o0, o1, steps, m->dy, panel);
    if (e->pointwise) ssl__corr_positions(e, &p, group, e->in, e->ic, 0, e->ic, steps, m->b, panel);
    else ssl__corr_turn_all(e, &p, kind->turn, 1, group, m->x, e->ic);
    for (n = 0; !e->pointwise && n < p.n; n++)
        for (q = 0; q < steps * kind->pair; q++) {
            const int at = SSL__MIN(q, image - 1); /* an odd position out is met by zeros of dy */
            m->at[n * steps * kind->pair + q] = ((n * p.prow + at / e->s.n * e->r.istep) * p.pcol + at % e->s.n * e->s.istep) * e->ic;
        }
    for (t = 0; t < e->r.taps * e->runs; t++)
        for (j = 0; j < e->run; j += wide) {
            const int cols = SSL__MIN(wide, e->run - j);
            const float *b = e->pointwise ? m->b + j / wide * panel : m->b;
            if (!e->pointwise)
                kind->gather(k * kind->pair, cols, m->x + ((int64_t)(t / e->runs * e->r.dstep) * p.pcol + t % e->runs * e->s.dstep) * e->ic + j, m->at, m->b);
            for (i = 0; i < o1 - o0; i += wide)
                kind->rows(SSL__MIN(wide, o1 - o0 - i), ssl__ceil_div(cols, kind->width), k, m->dy + i / wide * panel, 1, wide, b, wide, part + i * e->part_ld + (int64_t)t * e->run_ld + j, e->part_ld, add);
        }
}
static void ssl__corr_bw_chunk(void *arg, int chunk, int thread) /* a slice of the blocks, a band of oc */
{
    const ssl__corr *e = (const ssl__corr *)arg;
    const int group = chunk % e->groups, band = chunk / e->groups % e->bands, slice = chunk / e->groups / e->bands, wide = e->kind->wide;
    const int o0 = band * e->band, o1 = SSL__MIN(e->oc, o0 + e->band), b0 = slice * e->slice_blocks, b1 = SSL__MIN(e->blocks, b0 + e->slice_blocks);
    const size_t positions = (size_t)(e->block_images * (ssl__round_up(e->block_rows * e->s.n, e->kind->pair))), steps = positions / (size_t)e->kind->pair;
    const size_t x = e->pointwise ? 0 : (ssl__corr_padded(e) * (size_t)e->ic + (size_t)wide + 15) & ~(size_t)15;
    const size_t dy = steps * (size_t)ssl__round_up(o1 - o0, wide), columns = steps * (size_t)(e->pointwise ? ssl__round_up(e->ic, wide) : wide);
    ssl__corr_room m;
    int b;
    m.x = (float *)ssl__scratch(e->c, thread, sizeof(float) * (x + dy + columns) + sizeof(int32_t) * positions);
    m.dy = m.x + x;
    m.b = m.dy + dy;
    m.at = (int32_t *)(m.b + columns);
    if (!m.x) return;
    for (b = b0; b < b1; b++) ssl__corr_bw_block(e, b, group, o0, o1, &m, e->part + (((int64_t)slice * e->groups + group) * e->oc + o0) * e->part_ld, b > b0);
}
static void ssl__corr_bw_add(void *arg, int chunk, int thread) /* dw of one output channel += its slices */
{
    const ssl__corr *e = (const ssl__corr *)arg;
    const int width = e->kind->width, taps = e->r.taps * e->s.taps, side = e->runs == 1, group = chunk / e->oc, o = chunk % e->oc;
    const int64_t slice = (int64_t)e->groups * e->oc * e->part_ld;
    float *sum = (float *)ssl__scratch(e->c, thread, sizeof(float) * (size_t)(taps * width)), *dw = e->out + group * e->wg + o * e->wo;
    int c, t, k;
    if (!sum) return;
    for (c = 0; c < e->ic; c += width) {
        const float *src = e->part + ((int64_t)group * e->oc + o) * e->part_ld + c;
        const int live = SSL__MIN(width, e->ic - c);
        for (t = 0; t < e->r.taps * e->runs; t++, src += e->run_ld) e->kind->sum(side ? e->s.taps : 1, e->slices, src, slice, e->ic, sum + t * (side ? e->s.taps : 1) * width);
        if (taps > 1) e->kind->turn_back(live, 1, taps, sum, width, 0, NULL, 1, dw + (int64_t)c * taps, taps);
        else for (k = 0; k < live; k++) dw[c + k] += sum[k];
    }
}
/* Slices and bands for dw of `size` floats: at least 16 chunks where there is as much, and partial sums of at most `most` floats. */
static void ssl__corr_slices(ssl__corr *e, int64_t size, int64_t most)
{
    for (e->slices = 8; e->slices > 1 && e->slices * size > most; ) e->slices /= 2;
    e->slice_blocks = ssl__ceil_div(e->blocks, e->slices);
    e->slices = ssl__ceil_div(e->blocks, e->slice_blocks);
    e->bands = SSL__MAX(1, SSL__MIN(ssl__ceil_div(16, e->slices * e->groups), e->oc / 128));
    e->band = ssl__round_up(ssl__ceil_div(e->oc, e->bands), e->kind->width);
    e->bands = ssl__ceil_div(e->oc, e->band);
    e->part = (float *)ssl__scratch(e->c, -1, sizeof(float) * (size_t)(e->slices * size + 16));
}
static void ssl__corr_bw(ssl_ctx *c, const ssl__conv_kind *kind, const ssl__window *g, const float *x, const float *dy, float *dw)
{
    ssl__corr e = ssl__corr_make(c, kind, g, 0);
    const int side = e.s.taps == 1 || e.s.dstep == 1;
    e.in = x; e.dy = dy; e.out = dw;
    e.pointwise = g->kh * g->kw * g->sh * g->sw == 1 && !g->ph && !g->pw;
    e.runs = side ? 1 : e.s.taps;
    e.run = (side ? e.s.taps : 1) * e.ic;
    e.run_ld = ssl__round_up(e.run, kind->width);
    e.part_ld = (int64_t)e.r.taps * e.runs * e.run_ld;
    ssl__corr_blocks(&e, 256);
    ssl__corr_slices(&e, e.groups * e.oc * e.part_ld, 2 << 20);
    if (!e.part) return;
    ssl__parallel(c, e.slices * e.bands * e.groups, ssl__corr_bw_chunk, &e);
    ssl__parallel(c, e.groups * e.oc, ssl__corr_bw_add, &e);
}
/* ---- 3 x 3 at stride 1: F(4x4, 3x3) of Winograd's minimal filtering (Lavin and Gray 2016, arXiv 1509.09308) ----
   A tile of 4 x 4 outputs is y = A^T [(G w G^T) . (B^T x B)] A: 36 products where the sum has 144. At each of these 36 places stands
   a matrix product over the channels, [tiles,ic] [ic,oc]. dx is the same with w turned around; dw = G^T [sum over tiles of
   (A dy A^T) . (B^T x B)] G. Interpolation points 0, +-1/sqrt 2, +-sqrt 2, infinity; relative error against double with normal numbers
   and 64 to 512 channels 6e-7 to 1.1e-6, dw 1e-6 (the plain sum: 2e-7; points 0, +-1, +-2: twice as much). At bf16 y is made in
   float32 all the same, which costs less than the plain sum at bf16; dx and dw multiply bf16 pairs where there is a unit for them,
   relative error of their norm 1.2e-2 to 1.4e-2 (the plain sum: 2.3e-3), far below what another mini-batch changes.
   Everything is channels last inside, `width` channels in the lanes of a vector; the tiles of a block are numbered over images,
   rows, columns. */
typedef void (*ssl__wino_fn)(const float *src, int64_t row, int64_t col, float *dst, int64_t drow, int64_t dcol);
#define SSL__WINO 36
#define SSL__WINO_SKEW 48 /* floats between the places, whose distance were otherwise a power of two: the same few cache sets */
enum { SSL__WINO_IN, SSL__WINO_OUT, SSL__WINO_BACK, SSL__WINO_WEIGHTS, SSL__WINO_GRAD };
typedef struct ssl__winograd { ssl__wino_fn in, out, back, weights, grad; } ssl__winograd; /* B^T x B, A^T m A, A dy A^T, G w G^T, G^T m G of `width` channels */
typedef struct ssl__wino {
    ssl__corr e, d;  /* x, and dy for dw, both with rows and columns rounded up to whole tiles */
    const ssl__winograd *t;
} ssl__wino; /* e.u: [group][36][panel][k][wide] */
/* A thread's scratch: 2 channel groups of an image; 2 tiles or groups as floats; a transform at all places [36][tile][row], the products. */
typedef struct ssl__wino_room { float *turned, *pair, *v, *m; int64_t v_row, v_place, m_row, m_place; } ssl__wino_room;

/* Steps of k that n channels or tiles are: one each, or one for two. */
static int ssl__wino_steps(const ssl__wino *z, int n) { return ssl__ceil_div(n, z->e.kind->pair); }
static int64_t ssl__wino_place(int64_t rows, int64_t row) { return rows * row + SSL__WINO_SKEW; }
static void ssl__wino_blocks(ssl__wino *z, int most) /* blocks of about `most` tiles: rows of one image, or whole images */
{
    ssl__corr *e = &z->e;
    const int th = e->r.n / 4, tw = e->s.n / 4;
    e->block_images = SSL__MAX(1, SSL__MIN(e->images, most / (th * tw)));
    e->block_rows = 4 * ssl__ceil_div(th, ssl__ceil_div(th, SSL__MAX(1, SSL__MIN(th, most / tw))));
    e->blocks_r = ssl__ceil_div(e->r.n, e->block_rows);
    e->blocks = ssl__ceil_div(e->images, e->block_images) * e->blocks_r;
    z->d.block_images = e->block_images;
    z->d.block_rows = e->block_rows;
    z->d.blocks_r = e->blocks_r;
    z->d.blocks = e->blocks;
}
static int ssl__wino_block_tiles(const ssl__wino *z) { return z->e.block_images * z->e.block_rows * z->e.s.n / 16; }
static ssl__wino ssl__wino_make(ssl_ctx *c, const ssl__conv_kind *kind, const ssl__winograd *t, const ssl__window *g, int back)
{
    ssl__wino z;
    memset(&z, 0, sizeof z);
    z.t = t;
    z.e = ssl__corr_make(c, kind, g, back);
    z.e.r.n = ssl__round_up(z.e.r.n, 4);
    z.e.s.n = ssl__round_up(z.e.s.n, 4);
    z.d = z.e;
    z.d.ic = z.e.oc;
    z.d.r = ssl__lane_f(z.e.r.out, z.e.r.n, 1, 1, 0, 1);
    z.d.s = ssl__lane_f(z.e.s.out, z.e.s.n, 1, 1, 0, 1);
    return z;
}
/* Room for v[36][v_rows][v_row] and m[36][m_rows][m_row]. */
static int ssl__wino_scratch(const ssl__wino *z, int thread, int v_rows, int v_row, int m_rows, int m_row, ssl__wino_room *m)
{
    const ssl__corr *e = &z->e;
    const size_t turned = 2 * (size_t)e->kind->width * (size_t)ssl__lane_extent(&e->r, e->block_rows) * (size_t)ssl__lane_extent(&e->s, e->s.n);
    const size_t pair = 2 * SSL__WINO * (size_t)e->kind->width;
    m->v_row = v_row;
    m->m_row = m_row;
    m->v_place = ssl__wino_place(v_rows, v_row);
    m->m_place = ssl__wino_place(m_rows, m_row);
    m->v = (float *)ssl__scratch(e->c, thread, sizeof(float) * (SSL__WINO * (size_t)(m->v_place + m->m_place) + turned + pair));
    if (!m->v) return 0;
    m->m = m->v + SSL__WINO * m->v_place;
    m->pair = m->m + SSL__WINO * m->m_place;
    m->turned = m->pair + pair;
    return 1;
}

static void ssl__wino_weights_chunk(void *arg, int chunk, int thread) /* one panel of G w G^T */
{
    const ssl__wino *z = (const ssl__wino *)arg;
    const ssl__corr *e = &z->e;
    const int width = e->kind->width, wide = e->kind->wide, pair = e->kind->pair > 1, group = chunk / e->panels, o0 = chunk % e->panels * wide;
    const int64_t panel = ssl__wino_place(e->word, wide), next = e->panels * panel;
    float *u = e->u + (group * SSL__WINO * e->panels + chunk % e->panels) * panel, taps[9 * 16], two[2 * SSL__WINO * 16];
    int c, r;
    (void)thread;
    for (r = 0; r < wide && o0 + r < e->oc; r += width)
        for (c = 0; c < e->ic; c++) {
            float *t = two + (c & 1) * SSL__WINO * width, *d = pair ? t : u + (int64_t)c * wide + r;
            const int64_t place = pair ? width : next;
            e->kind->turn(SSL__MIN(width, e->oc - o0 - r), 1, 9, e->w + group * e->wg + c * e->wc + (o0 + r) * e->wo, e->wo, e->wc, taps, width, 0);
            if (e->back) z->t->weights(taps + 8 * width, -3 * width, -width, d, 6 * place, place); /* w turned around */
            else z->t->weights(taps, 3 * width, width, d, 6 * place, place);
            if (!pair || (c % 2 == 0 && c + 1 < e->ic)) continue;
            if (c % 2 == 0) memset(t + SSL__WINO * width, 0, sizeof(float) * SSL__WINO * (size_t)width);
            e->kind->words(1, SSL__WINO, two, two + SSL__WINO * width, u + (int64_t)(c / 2) * wide + r, next);
        }
}

/* fn of the tiles of a block, channels c0 to c1, at v[36][tile][channel], or (across, for sums over tiles) v[36][panel][tile][wide].
   bf16 pairs are of two channels, or of two tiles. */
static void ssl__wino_in(const ssl__corr *e, const ssl__patch *p, int group, int c0, int c1, ssl__wino_fn fn, int across,
                         const ssl__wino_room *m, float *v, int64_t row, int64_t place, int64_t panel)
{
    const int width = e->kind->width, half = SSL__WINO * width, pair = e->kind->pair > 1, two = pair && !across, size = p->prow * p->pcol * width;
    int c, n, i, j, q;
    memset(m->turned, 0, sizeof(float) * (size_t)(two ? 2 * size : size)); /* the rim stays zero */
    for (c = c0; c < c1; c += two ? 2 * width : width) {
        float *d = v + (two ? (c - c0) / 2 : across ? (c - c0) / e->kind->wide * panel + (c - c0) % e->kind->wide : c - c0);
        for (n = q = 0; n < p->n; n++) {
            ssl__corr_turn(e, p, e->kind->turn, width, n, group, c, m->turned, width);
            if (two) ssl__corr_turn(e, p, e->kind->turn, width, n, group, SSL__MIN(c + width, e->ic), m->turned + size, width);
            for (i = 0; i < p->rows; i += 4)
                for (j = 0; j < e->s.n; j += 4, q++) {
                    const float *src = m->turned + ((int64_t)i * p->pcol + j) * width;
                    if (!pair) { fn(src, (int64_t)p->pcol * width, width, d + q * row, 6 * place, place); continue; }
                    fn(src, (int64_t)p->pcol * width, width, m->pair + (across && q & 1 ? half : 0), 6 * width, width);
                    if (two) fn(src + size, (int64_t)p->pcol * width, width, m->pair + half, 6 * width, width);
                    if (two) e->kind->words(0, SSL__WINO, m->pair, m->pair + half, d + q * row, place);
                    else if (q & 1) e->kind->words(1, SSL__WINO, m->pair, m->pair + half, d + q / 2 * row, place);
                }
        }
        if (!pair || two || q % 2 == 0) continue;
        memset(m->pair + half, 0, sizeof(float) * (size_t)half);
        e->kind->words(1, SSL__WINO, m->pair, m->pair + half, d + q / 2 * row, place);
    }
}
static void ssl__wino_out(const ssl__wino *z, const ssl__patch *p, int group, const ssl__wino_room *m)
{
    const ssl__corr *e = &z->e;
    const int width = e->kind->width, cols = e->s.n, rows = SSL__MIN(p->rows, e->r.out - p->i0);
    int o, n, i, j;
    for (o = 0; o < e->oc; o += width) {
        const float *src = m->m + o;
        for (n = 0; n < p->n; n++) {
            const int64_t plane = (int64_t)e->r.out * e->s.out;
            for (i = 0; i < p->rows; i += 4)
                for (j = 0; j < cols; j += 4, src += m->m_row)
                    z->t->out(src, 6 * m->m_place, m->m_place, m->turned + ((int64_t)i * cols + j) * width, (int64_t)cols * width, width);
            e->kind->turn_back(SSL__MIN(width, e->oc - o), rows, e->s.out, m->turned, width, (int64_t)cols * width, e->bias ? e->bias + group * e->oc + o : NULL, e->beta != 0.0f,
                            e->out + (((int64_t)(p->n0 + n) * e->groups + group) * e->oc + o) * plane + (int64_t)p->i0 * e->s.out, plane);
        }
    }
}
static void ssl__wino_chunk(void *arg, int chunk, int thread) /* all output channels of a group at one block of tiles */
{
    const ssl__wino *z = (const ssl__wino *)arg;
    const ssl__corr *e = &z->e;
    const int group = chunk % e->groups, tiles = ssl__wino_block_tiles(z), k = e->word, width = e->kind->width, wide = e->kind->wide;
    const int64_t panel = ssl__wino_place(k, wide);
    const float *u = e->u + (int64_t)group * SSL__WINO * e->panels * panel;
    const ssl__patch p = ssl__corr_patch(e, chunk / e->groups);
    ssl__wino_room m;
    int xi, j;
    if (!ssl__wino_scratch(z, thread, tiles, ssl__round_up(k, width), tiles, ssl__round_up(e->oc, width), &m)) return;
    ssl__wino_in(e, &p, group, 0, e->ic, z->t->in, 0, &m, m.v, m.v_row, m.v_place, 0);
    for (xi = 0; xi < SSL__WINO; xi++)
        for (j = 0; j < e->panels; j++, u += panel)
            e->kind->rows(p.n * p.rows * e->s.n / 16, ssl__ceil_div(SSL__MIN(wide, e->oc - j * wide), width), k, m.v + xi * m.v_place, m.v_row, 1, u, wide,
                       m.m + xi * m.m_place + j * wide, m.m_row, 0);
    ssl__wino_out(z, &p, group, &m);
}
static void ssl__wino_run(ssl__wino *z)
{
    ssl__corr *e = &z->e;
    ssl__wino_blocks(z, SSL__MAX(32, SSL__MIN(128, (e->ic + e->oc) / 8))); /* few channels: v and m in L2; many: w, read once for each block */
    e->u = (float *)ssl__scratch(e->c, -1, sizeof(float) * SSL__WINO * (size_t)(e->groups * e->panels) * (size_t)ssl__wino_place(e->word, e->kind->wide));
    if (!e->u) return;
    ssl__parallel(e->c, e->groups * e->panels, ssl__wino_weights_chunk, z);
    ssl__parallel(e->c, e->groups * e->blocks, ssl__wino_chunk, z);
}
static void ssl__wino_f(ssl_ctx *c, const ssl__conv_kind *kind, const ssl__winograd *t, const ssl__window *g, const float *x, const float *w, const float *bias, float *y)
{
    ssl__wino z = ssl__wino_make(c, kind, t, g, 0);
    z.e.in = x; z.e.w = w; z.e.bias = bias; z.e.out = y;
    ssl__wino_run(&z);
}
static void ssl__wino_bx(ssl_ctx *c, const ssl__conv_kind *kind, const ssl__winograd *t, const ssl__window *g, const float *w, const float *dy, float beta, float *dx)
{
    ssl__wino z = ssl__wino_make(c, kind, t, g, 1);
    z.e.in = dy; z.e.w = w; z.e.out = dx; z.e.beta = beta;
    ssl__wino_run(&z);
}

static void ssl__wino_bw_chunk(void *arg, int chunk, int thread) /* a slice of the blocks, a band of oc: part[36][oc][ic] */
{
    const ssl__wino *z = (const ssl__wino *)arg;
    const ssl__corr *e = &z->e;
    const int group = chunk % e->groups, band = chunk / e->groups % e->bands, slice = chunk / e->groups / e->bands, width = e->kind->width, wide = e->kind->wide;
    const int o0 = band * e->band, o1 = SSL__MIN(e->oc, o0 + e->band), b0 = slice * e->slice_blocks, b1 = SSL__MIN(e->blocks, b0 + e->slice_blocks);
    const int steps = ssl__wino_steps(z, ssl__wino_block_tiles(z));
    const int64_t ld = ssl__round_up(e->ic, width);
    float *part = e->part + ((int64_t)slice * e->groups + group) * e->part_ld + o0 * ld;
    ssl__wino_room m;
    const int64_t panel = (int64_t)steps * wide;
    int b, xi, i, j;
    if (!ssl__wino_scratch(z, thread, steps, ssl__round_up(e->ic, wide), steps, ssl__round_up(o1 - o0, wide), &m)) return;
    for (b = b0; b < b1; b++) {
        const ssl__patch p = ssl__corr_patch(e, b), pd = ssl__corr_patch(&z->d, b);
        const int k = ssl__wino_steps(z, p.n * p.rows * e->s.n / 16);
        ssl__wino_in(e, &p, group, 0, e->ic, z->t->in, 1, &m, m.v, wide, m.v_place, panel);
        ssl__wino_in(&z->d, &pd, group, o0, o1, z->t->back, 1, &m, m.m, wide, m.m_place, panel);
        for (xi = 0; xi < SSL__WINO; xi++)
            for (j = 0; j < e->ic; j += wide)
                for (i = 0; i < o1 - o0; i += wide)
                    e->kind->rows(SSL__MIN(wide, o1 - o0 - i), ssl__ceil_div(SSL__MIN(wide, e->ic - j), width), k, m.m + xi * m.m_place + i / wide * panel, 1, wide,
                               m.v + xi * m.v_place + j / wide * panel, wide, part + (xi * e->oc + i) * ld + j, ld, b > b0);
    }
}
static void ssl__wino_bw_add(void *arg, int chunk, int thread) /* dw of one output channel += G^T (sum of the slices) G */
{
    const ssl__wino *z = (const ssl__wino *)arg;
    const ssl__corr *e = &z->e;
    const int width = e->kind->width, ld = ssl__round_up(e->ic, width), group = chunk / e->oc, o = chunk % e->oc;
    float sum[SSL__WINO * 16], taps[9 * 16];
    int c;
    (void)thread;
    for (c = 0; c < e->ic; c += width) {
        const float *m = e->part + group * e->part_ld + (int64_t)o * ld + c;
        e->kind->sum(SSL__WINO, e->slices, m, e->groups * e->part_ld, e->oc * ld, sum);
        z->t->grad(sum, 6 * width, width, taps, 3 * width, width);
        e->kind->turn_back(SSL__MIN(width, e->ic - c), 1, 9, taps, width, 0, NULL, 1, e->out + group * e->wg + o * e->wo + c * 9, 9);
    }
}
static void ssl__wino_bw(ssl_ctx *c, const ssl__conv_kind *kind, const ssl__winograd *t, const ssl__window *g, const float *x, const float *dy, float *dw)
{
    ssl__wino z = ssl__wino_make(c, kind, t, g, 0);
    ssl__corr *e = &z.e;
    ssl__wino_blocks(&z, SSL__MIN(128 * kind->pair, SSL__MAX(128, e->ic + e->oc)));
    e->in = x; e->out = dw;
    z.d.in = dy;
    e->part_ld = (int64_t)SSL__WINO * e->oc * ssl__round_up(e->ic, kind->width);
    ssl__corr_slices(e, e->groups * e->part_ld, 6 << 20);
    if (!e->part) return;
    ssl__parallel(c, e->slices * e->bands * e->groups, ssl__wino_bw_chunk, &z);
    ssl__parallel(c, e->groups * e->oc, ssl__wino_bw_add, &z);
}
/* At least half of the products saved, and enough channels that the transforms do not cost more. */
static int ssl__conv_winograd(const ssl__window *g)
{
    const int positions = g->oh * g->ow, tiles = ssl__ceil_div(g->oh, 4) * ssl__ceil_div(g->ow, 4);
    return g->kh == 3 && g->kw == 3 && g->sh == 1 && g->sw == 1 && g->dh == 1 && g->dw == 1 && g->ph <= 2 && g->pw <= 2 &&
           SSL__MIN(g->ci, g->co) / g->groups >= 16 && 2 * SSL__WINO * tiles <= 9 * positions;
}
/* ---- maps smaller than the kernel: y[n, (o,p)] = sum over (c,q) of x[n, (c,q)] w[o, c, tap through which p sees q], a plain product ---- */
typedef struct ssl__dense { const ssl__window *g; float *wide, *w; const float *in, *bias; } ssl__dense; /* wide[(o,p)][(c,q)], bias of (o,p) */
static int ssl__conv_dense(const ssl__window *g) /* at least half of the taps always fall on padding; wide is at most twice as large as w */
{
    const int in = g->h * g->w, out = g->oh * g->ow, taps = g->kh * g->kw;
    return g->groups == 1 && 2 * in <= taps && in * out <= 2 * taps;
}
static int ssl__dense_tap(const ssl__window *g, int p, int q) /* or -1 */
{
    const int i = q / g->w - p / g->ow * g->sh + g->ph, j = q % g->w - p % g->ow * g->sw + g->pw;
    return i < 0 || j < 0 || i % g->dh || j % g->dw || i / g->dh >= g->kh || j / g->dw >= g->kw ? -1 : i / g->dh * g->kw + j / g->dw;
}
static void ssl__dense_chunk(void *arg, int chunk, int thread) /* one output channel: wide = w spread out, or w += wide folded together */
{
    const ssl__dense *e = (const ssl__dense *)arg;
    const ssl__window *g = e->g;
    const int in = g->h * g->w, out = g->oh * g->ow, taps = g->kh * g->kw;
    const float *w = e->in ? e->in + (int64_t)chunk * g->ci * taps : NULL;
    float *dw = e->w ? e->w + (int64_t)chunk * g->ci * taps : NULL;
    int p, q, c;
    (void)thread;
    for (p = 0; p < out; p++)
        for (q = 0; q < in; q++) {
            float *wide = e->wide + ((int64_t)chunk * out + p) * g->ci * in + q;
            const int t = ssl__dense_tap(g, p, q);
            if (w) for (c = 0; c < g->ci; c++) wide[c * in] = t < 0 ? 0.0f : w[c * taps + t];
            else if (t >= 0) for (c = 0; c < g->ci; c++) dw[c * taps + t] += wide[c * in];
        }
    for (p = 0; w && p < out; p++) e->wide[(int64_t)g->co * out * g->ci * in + (int64_t)chunk * out + p] = e->bias ? e->bias[chunk] : 0.0f;
}
/* wide of w, or room for it where w is NULL; behind it the bias. NULL: no memory. */
static float *ssl__dense_wide(ssl_ctx *c, const ssl__window *g, const float *w, const float *bias)
{
    ssl__dense e = { g, NULL, NULL, w, bias };
    const size_t rows = (size_t)(g->co * g->oh * g->ow);
    e.wide = (float *)ssl__scratch(c, -2, sizeof(float) * rows * (size_t)(g->ci * g->h * g->w + 1));
    if (e.wide && w) ssl__parallel(c, g->co, ssl__dense_chunk, &e);
    return e.wide;
}
static void ssl__dense_fold(ssl_ctx *c, const ssl__window *g, float *wide, float *dw)
{ ssl__dense e = { g, wide, dw, NULL, NULL }; ssl__parallel(c, g->co, ssl__dense_chunk, &e); }

/* Few channels per group (depthwise): the matrix would be nearly empty, the sliding rows below are faster. */
static int ssl__conv_direct(const ssl__window *g) { return (g->ci / g->groups) * (g->co / g->groups) < 16; }
/* 1 x 1 without stride or padding: images are already the matrix. */
static int ssl__conv_pointwise(const ssl__window *g)
{ return g->kh == 1 && g->kw == 1 && g->sh == 1 && g->sw == 1 && !g->ph && !g->pw && g->groups == 1 && g->oh * g->ow >= 32; }

static inline void ssl__cpu_row_axpy(int n, float a, const float *SSL_RESTRICT x, int step, float *SSL_RESTRICT y)
{
    int i;
    if (step == 1) for (i = 0; i < n; i++) y[i] += a * x[i];
    else for (i = 0; i < n; i++) y[i] += a * x[(int64_t)i * step];
}
static inline void ssl__cpu_row_scatter(int n, float a, const float *SSL_RESTRICT dy, int step, float *SSL_RESTRICT dx)
{
    int i;
    if (step == 1) for (i = 0; i < n; i++) dx[i] += a * dy[i];
    else for (i = 0; i < n; i++) dx[(int64_t)i * step] += a * dy[i];
}
static inline float ssl__cpu_row_dot(int n, const float *SSL_RESTRICT x, int step, const float *SSL_RESTRICT dy)
{
    float lane[16] = { 0.0f }, s = 0.0f;
    int i = 0, j;
    for (; step == 1 && i + 16 <= n; i += 16)
        for (j = 0; j < 16; j++) lane[j] += x[i + j] * dy[i + j];
    for (; i < n; i++) s += x[(int64_t)i * step] * dy[i];
    for (j = 0; j < 16; j++) s += lane[j];
    return s;
}

/* ---- direct convolution: y_plane[o] += w[o,c,r,s] x_plane[c] shifted by (r,s), one row at a time ---- */
static void ssl__cpu_conv_direct_f_chunk(void *arg, int chunk, int thread) /* one output plane */
{
    const ssl__window_job *e = (const ssl__window_job *)arg;
    const ssl__window *g = e->g;
    const int n = chunk / g->co, o = chunk % g->co, cig = g->ci / g->groups, c0 = o / (g->co / g->groups) * cig;
    const int64_t plane = (int64_t)g->oh * g->ow;
    float *y = e->y + chunk * plane;
    int c, r, s, i, i0, i1, j0, j1;
    int64_t p;
    (void)thread;
    for (p = 0; p < plane; p++) y[p] = e->bias ? e->bias[o] : 0.0f;
    for (c = 0; c < cig; c++)
        for (r = 0; r < g->kh; r++)
            for (s = 0; s < g->kw; s++) {
                const float *x = e->x + ((int64_t)n * g->ci + c0 + c) * g->h * g->w, w = e->w[(((int64_t)o * cig + c) * g->kh + r) * g->kw + s];
                const int di = r * g->dh - g->ph, dj = s * g->dw - g->pw;
                ssl__span(g->sh, di, g->h, g->oh, &i0, &i1);
                ssl__span(g->sw, dj, g->w, g->ow, &j0, &j1);
                for (i = i0; i < i1; i++)
                    ssl__cpu_row_axpy(j1 - j0, w, x + (int64_t)(i * g->sh + di) * g->w + j0 * g->sw + dj, g->sw, y + (int64_t)i * g->ow + j0);
            }
}
static void ssl__cpu_conv_direct_f(ssl_ctx *c, const ssl__window *g, const float *x, const float *w, const float *bias, float *y)
{ ssl__window_job e = { g, NULL, x, w, bias, NULL, NULL, 0.0f, y, NULL }; ssl__parallel(c, g->n * g->co, ssl__cpu_conv_direct_f_chunk, &e); }

static void ssl__cpu_conv_direct_bx_chunk(void *arg, int chunk, int thread) /* one input plane: dx[c] += w[o,c,r,s] dy[o] shifted back */
{
    const ssl__window_job *e = (const ssl__window_job *)arg;
    const ssl__window *g = e->g;
    const int n = chunk / g->ci, cig = g->ci / g->groups, cog = g->co / g->groups, c = chunk % g->ci, o0 = c / cig * cog;
    float *out = e->y + (int64_t)chunk * g->h * g->w;
    int o, r, s, i, i0, i1, j0, j1;
    (void)thread;
    if (e->beta == 0.0f) memset(out, 0, sizeof(float) * (size_t)g->h * (size_t)g->w);
    for (o = o0; o < o0 + cog; o++)
        for (r = 0; r < g->kh; r++)
            for (s = 0; s < g->kw; s++) {
                const float *in = e->dy + ((int64_t)n * g->co + o) * g->oh * g->ow, w = e->w[(((int64_t)o * cig + c % cig) * g->kh + r) * g->kw + s];
                const int di = r * g->dh - g->ph, dj = s * g->dw - g->pw;
                ssl__span(g->sh, di, g->h, g->oh, &i0, &i1);
                ssl__span(g->sw, dj, g->w, g->ow, &j0, &j1);
                for (i = i0; i < i1; i++)
                    ssl__cpu_row_scatter(j1 - j0, w, in + (int64_t)i * g->ow + j0, g->sw, out + (int64_t)(i * g->sh + di) * g->w + j0 * g->sw + dj);
            }
}
static void ssl__cpu_conv_direct_bx(ssl_ctx *c, const ssl__window *g, const float *w, const float *dy, float beta, float *dx)
{ ssl__window_job e = { g, NULL, NULL, w, NULL, dy, NULL, beta, dx, NULL }; ssl__parallel(c, g->n * g->ci, ssl__cpu_conv_direct_bx_chunk, &e); }

static void ssl__cpu_conv_direct_bw_chunk(void *arg, int chunk, int thread) /* one kernel plane: dw[o,c,r,s] += sum dy[o] x[c] shifted */
{
    const ssl__window_job *e = (const ssl__window_job *)arg;
    const ssl__window *g = e->g;
    const int cig = g->ci / g->groups, o = chunk / cig, c = o / (g->co / g->groups) * cig + chunk % cig;
    int n, r, s, i, i0, i1, j0, j1;
    (void)thread;
    for (r = 0; r < g->kh; r++)
        for (s = 0; s < g->kw; s++) {
            const int di = r * g->dh - g->ph, dj = s * g->dw - g->pw;
            double sum = 0.0;
            ssl__span(g->sh, di, g->h, g->oh, &i0, &i1);
            ssl__span(g->sw, dj, g->w, g->ow, &j0, &j1);
            for (n = 0; n < g->n; n++)
                for (i = i0; i < i1; i++)
                    sum += (double)ssl__cpu_row_dot(j1 - j0, e->x + (((int64_t)n * g->ci + c) * g->h + i * g->sh + di) * g->w + j0 * g->sw + dj, g->sw,
                                                   e->dy + (((int64_t)n * g->co + o) * g->oh + i) * g->ow + j0);
            e->y[((int64_t)chunk * g->kh + r) * g->kw + s] += (float)sum;
        }
}
static void ssl__cpu_conv_direct_bw(ssl_ctx *c, const ssl__window *g, const float *x, const float *dy, float *dw)
{ ssl__window_job e = { g, NULL, x, NULL, NULL, dy, NULL, 1.0f, dw, NULL }; ssl__parallel(c, g->co * (g->ci / g->groups), ssl__cpu_conv_direct_bw_chunk, &e); }

/* ---- windows as columns: y[n, (c,r,s), (i,j)] = x[n, c, i sh + r dh - ph, j sw + s dw - pw] ---- */
static void ssl__cpu_unfold_f_chunk(void *arg, int chunk, int thread) /* one input plane */
{
    const ssl__window_job *e = (const ssl__window_job *)arg;
    const ssl__window *g = e->g;
    const float *x = e->x + (int64_t)chunk * g->h * g->w;
    const int64_t plane = (int64_t)g->oh * g->ow;
    float *y = e->y + chunk * plane * g->kh * g->kw;
    int r, s, i, i0, i1, j0, j1;
    (void)thread;
    memset(y, 0, sizeof(float) * (size_t)plane * (size_t)(g->kh * g->kw));
    for (r = 0; r < g->kh; r++)
        for (s = 0; s < g->kw; s++, y += plane) {
            const int di = r * g->dh - g->ph, dj = s * g->dw - g->pw;
            ssl__span(g->sh, di, g->h, g->oh, &i0, &i1);
            ssl__span(g->sw, dj, g->w, g->ow, &j0, &j1);
            for (i = i0; i < i1; i++)
                ssl__cpu_row_axpy(j1 - j0, 1.0f, x + (int64_t)(i * g->sh + di) * g->w + j0 * g->sw + dj, g->sw, y + (int64_t)i * g->ow + j0);
        }
}
static void ssl__cpu_unfold_f(ssl_ctx *c, const ssl__window *g, const float *x, float *y)
{ ssl__window_job e = { g, NULL, x, NULL, NULL, NULL, NULL, 0.0f, y, NULL }; ssl__parallel(c, g->n * g->ci, ssl__cpu_unfold_f_chunk, &e); }

static void ssl__cpu_unfold_b_chunk(void *arg, int chunk, int thread)
{
    const ssl__window_job *e = (const ssl__window_job *)arg;
    const ssl__window *g = e->g;
    const int64_t plane = (int64_t)g->oh * g->ow;
    const float *dy = e->dy + chunk * plane * g->kh * g->kw;
    float *dx = e->y + (int64_t)chunk * g->h * g->w;
    int r, s, i, i0, i1, j0, j1;
    (void)thread;
    for (r = 0; r < g->kh; r++)
        for (s = 0; s < g->kw; s++, dy += plane) {
            const int di = r * g->dh - g->ph, dj = s * g->dw - g->pw;
            ssl__span(g->sh, di, g->h, g->oh, &i0, &i1);
            ssl__span(g->sw, dj, g->w, g->ow, &j0, &j1);
            for (i = i0; i < i1; i++)
                ssl__cpu_row_scatter(j1 - j0, 1.0f, dy + (int64_t)i * g->ow + j0, g->sw, dx + (int64_t)(i * g->sh + di) * g->w + j0 * g->sw + dj);
        }
}
static void ssl__cpu_unfold_b(ssl_ctx *c, const ssl__window *g, const float *dy, float *dx)
{ ssl__window_job e = { g, NULL, NULL, NULL, NULL, dy, NULL, 1.0f, dx, NULL }; ssl__parallel(c, g->n * g->ci, ssl__cpu_unfold_b_chunk, &e); }

/* ---- pooling: a chunk is one plane ---- */
/* Orders by value, then by the lower place, so that the largest key is the first maximum: no branch depends on what the values are. */
static inline int64_t ssl__pool_key(float v, int32_t at)
{
    const int32_t u = (int32_t)ssl__word(v + 0.0f); /* -0 is 0 */
    return (int64_t)(u ^ (u >> 31 & INT32_MAX)) * ((int64_t)1 << 32) + (INT32_MAX - at);
}
static void ssl__cpu_max_pool_f_chunk(void *arg, int chunk, int thread)
{
    const ssl__window_job *e = (const ssl__window_job *)arg;
    const ssl__window *g = e->g;
    const float *x = e->x + (int64_t)chunk * g->h * g->w;
    int64_t o = (int64_t)chunk * g->oh * g->ow;
    int i, j, r, s;
    (void)thread;
    for (i = 0; i < g->oh; i++)
        for (j = 0; j < g->ow; j++, o++) {
            const int r0 = SSL__MAX(i * g->sh - g->ph, 0), r1 = SSL__MIN(i * g->sh - g->ph + g->kh, g->h);
            const int s0 = SSL__MAX(j * g->sw - g->pw, 0), s1 = SSL__MIN(j * g->sw - g->pw + g->kw, g->w);
            int64_t best = INT64_MIN;
            for (r = r0; r < r1; r++)
                for (s = s0; s < s1; s++) {
                    const int64_t key = ssl__pool_key(x[r * g->w + s], r * g->w + s);
                    best = key > best ? key : best;
                }
            e->at[o] = INT32_MAX - (int32_t)(best & INT32_MAX);
            e->y[o] = x[e->at[o]];
        }
}
static void ssl__cpu_max_pool_f(ssl_ctx *c, const ssl__window *g, const float *x, float *y, int32_t *at)
{ ssl__window_job e = { g, NULL, x, NULL, NULL, NULL, NULL, 0.0f, y, at }; ssl__parallel(c, g->n * g->ci, ssl__cpu_max_pool_f_chunk, &e); }
static void ssl__cpu_max_pool_b_chunk(void *arg, int chunk, int thread)
{
    const ssl__window_job *e = (const ssl__window_job *)arg;
    const int64_t outputs = (int64_t)e->g->oh * e->g->ow;
    float *dx = e->y + (int64_t)chunk * e->g->h * e->g->w;
    int64_t o;
    (void)thread;
    for (o = chunk * outputs; o < (chunk + 1) * outputs; o++) dx[e->at_in[o]] += e->dy[o];
}
static void ssl__cpu_max_pool_b(ssl_ctx *c, const ssl__window *g, const int32_t *at, const float *dy, float *dx)
{ ssl__window_job e = { g, NULL, NULL, NULL, NULL, dy, at, 1.0f, dx, NULL }; ssl__parallel(c, g->n * g->ci, ssl__cpu_max_pool_b_chunk, &e); }

static void ssl__cpu_avg_pool_chunk(void *arg, int chunk, int thread) /* forward where x is given, else backward */
{
    const ssl__window_job *e = (const ssl__window_job *)arg;
    const ssl__window *g = e->g;
    const int64_t in = (int64_t)chunk * g->h * g->w;
    const float scale = 1.0f / (float)(g->kh * g->kw);
    int64_t o = (int64_t)chunk * g->oh * g->ow;
    int i, j, r, s;
    (void)thread;
    for (i = 0; i < g->oh; i++)
        for (j = 0; j < g->ow; j++, o++) {
            const int r0 = i * g->sh - g->ph, s0 = SSL__MAX(j * g->sw - g->pw, 0), s1 = SSL__MIN(j * g->sw - g->pw + g->kw, g->w);
            float sum = 0.0f;
            for (r = SSL__MAX(r0, 0); r < SSL__MIN(r0 + g->kh, g->h); r++)
                for (s = s0; s < s1; s++)
                    if (e->x) sum += e->x[in + r * g->w + s];
                    else e->y[in + r * g->w + s] += scale * e->dy[o];
            if (e->x) e->y[o] = scale * sum;
        }
}
static void ssl__cpu_avg_pool_f(ssl_ctx *c, const ssl__window *g, const float *x, float *y)
{ ssl__window_job e = { g, NULL, x, NULL, NULL, NULL, NULL, 0.0f, y, NULL }; ssl__parallel(c, g->n * g->ci, ssl__cpu_avg_pool_chunk, &e); }
static void ssl__cpu_avg_pool_b(ssl_ctx *c, const ssl__window *g, const float *dy, float *dx)
{ ssl__window_job e = { g, NULL, NULL, NULL, NULL, dy, NULL, 1.0f, dx, NULL }; ssl__parallel(c, g->n * g->ci, ssl__cpu_avg_pool_chunk, &e); }

/* ---- padding and interpolation: a chunk is one plane, forward where x is given, else backward ---- */
static void ssl__cpu_pad_chunk(void *arg, int chunk, int thread)
{
    const ssl__window_job *e = (const ssl__window_job *)arg;
    const ssl__resize *r = e->r;
    const int64_t in = (int64_t)chunk * r->h * r->w;
    int64_t o = (int64_t)chunk * r->oh * r->ow;
    int i, j;
    (void)thread;
    for (i = 0; i < r->oh; i++) {
        const int si = ssl__pad_source(i, r->top, r->h, r->mode);
        for (j = 0; j < r->ow; j++, o++) {
            const int sj = ssl__pad_source(j, r->left, r->w, r->mode), inside = si >= 0 && sj >= 0;
            if (e->x) e->y[o] = inside ? e->x[in + (int64_t)si * r->w + sj] : r->value;
            else if (inside) e->y[in + (int64_t)si * r->w + sj] += e->dy[o];
        }
    }
}
static void ssl__cpu_pad_f(ssl_ctx *c, const ssl__resize *r, const float *x, float *y)
{ ssl__window_job e = { NULL, r, x, NULL, NULL, NULL, NULL, 0.0f, y, NULL }; ssl__parallel(c, r->planes, ssl__cpu_pad_chunk, &e); }
static void ssl__cpu_pad_b(ssl_ctx *c, const ssl__resize *r, const float *dy, float *dx)
{ ssl__window_job e = { NULL, r, NULL, NULL, NULL, dy, NULL, 1.0f, dx, NULL }; ssl__parallel(c, r->planes, ssl__cpu_pad_chunk, &e); }

static void ssl__cpu_interpolate_chunk(void *arg, int chunk, int thread)
{
    const ssl__window_job *e = (const ssl__window_job *)arg;
    const ssl__resize *r = e->r;
    const int nearest = r->mode == SSL_INTERPOLATE_NEAREST;
    const int64_t in = (int64_t)chunk * r->h * r->w;
    int64_t o = (int64_t)chunk * r->oh * r->ow;
    int i, j, k, si[2], sj[2];
    (void)thread;
    for (i = 0; i < r->oh; i++) {
        const float li = ssl__resize_source(nearest, i, r->h, r->oh, si);
        for (j = 0; j < r->ow; j++, o++) {
            const float lj = ssl__resize_source(nearest, j, r->w, r->ow, sj);
            float y = 0.0f;
            for (k = 0; k < 4; k++) {
                const int64_t p = in + (int64_t)si[k >> 1] * r->w + sj[k & 1];
                const float a = (k >> 1 ? li : 1.0f - li) * (k & 1 ? lj : 1.0f - lj);
                if (e->x) y += a * e->x[p];
                else e->y[p] += a * e->dy[o];
            }
            if (e->x) e->y[o] = y;
        }
    }
}
static void ssl__cpu_interpolate_f(ssl_ctx *c, const ssl__resize *r, const float *x, float *y)
{ ssl__window_job e = { NULL, r, x, NULL, NULL, NULL, NULL, 0.0f, y, NULL }; ssl__parallel(c, r->planes, ssl__cpu_interpolate_chunk, &e); }
static void ssl__cpu_interpolate_b(ssl_ctx *c, const ssl__resize *r, const float *dy, float *dx)
{ ssl__window_job e = { NULL, r, NULL, NULL, NULL, dy, NULL, 1.0f, dx, NULL }; ssl__parallel(c, r->planes, ssl__cpu_interpolate_chunk, &e); }
static void ssl__cpu_batch_norm_running(ssl_ctx *c, int ch, float momentum, float unbias, const float *mean, const float *var, float *rm, float *rv)
{
    int j;
    (void)c;
    for (j = 0; j < ch; j++) {
        rm[j] += momentum * (mean[j] - rm[j]);
        rv[j] += momentum * (unbias * var[j] - rv[j]);
    }
}

SSL_HD static inline int32_t ssl__random_id(uint64_t seed, uint64_t stream, uint64_t i, int m)
{
    uint32_t r[4];
    ssl__philox(seed, stream, i, r);
    return (int32_t)(((uint64_t)r[0] * (uint64_t)m) >> 32);
}

/* One random Gaussian of blob segments: center uniform in the grid, deviations in [0.6, 0.6 + grid / 4], correlation in (-0.8, 0.8). */
typedef struct ssl__blob { float x, y, sx, sy, rho; } ssl__blob;
SSL_HD static inline ssl__blob ssl__blob_draw(uint64_t seed, uint64_t stream, uint64_t i, float grid)
{
    uint32_t r[4], q[4];
    ssl__blob g;
    ssl__philox(seed, stream, 2 * i, r);
    ssl__philox(seed, stream, 2 * i + 1, q);
    g.x = ssl__unit(r[0]) * grid;
    g.y = ssl__unit(r[1]) * grid;
    g.sx = 0.6f + ssl__unit(r[2]) * 0.25f * grid;
    g.sy = 0.6f + ssl__unit(r[3]) * 0.25f * grid;
    g.rho = 1.6f * ssl__unit(q[0]) - 0.8f;
    return g;
}
SSL_HD static inline float ssl__blob_density(const ssl__blob *g, float x, float y)
{
    const float dx = (x - g->x) / g->sx, dy = (y - g->y) / g->sy, s = 1.0f - g->rho * g->rho;
    return ssl__exp(-0.5f * (dx * dx - 2.0f * g->rho * dx * dy + dy * dy) / s) / (g->sx * g->sy * sqrtf(s));
}
/* Blob segments of image b: each patch goes to the largest of K <= 64 densities. The blobs are exchangeable, so their numbers
   are a random order; with groups, blob k belongs to the nearest of the first blobs' centers and the groups come one after
   another. Ranks of segments that got no patch are closed up. */
SSL_HD static inline void ssl__blobs(int b, int grid, int K, int groups, uint64_t seed, uint64_t stream, int32_t *rank)
{
    ssl__blob blob[64];
    int32_t place[64], group[64], used[64];
    int i, k, j, n = 0;
    for (k = 0; k < K; k++) {
        blob[k] = ssl__blob_draw(seed, stream, (uint64_t)b * (uint64_t)K + (uint64_t)k, (float)grid);
        used[k] = 0;
        group[k] = 0;
    }
    for (k = 0; k < K; k++)
        for (j = 1; j < groups; j++) {
            const ssl__blob *p = &blob[group[k]], *q = &blob[j], *g = &blob[k];
            if ((q->x - g->x) * (q->x - g->x) + (q->y - g->y) * (q->y - g->y) < (p->x - g->x) * (p->x - g->x) + (p->y - g->y) * (p->y - g->y)) group[k] = j;
        }
    for (i = 0; i < grid * grid; i++) {
        float best = -1.0f;
        for (k = 0; k < K; k++) {
            const float d = ssl__blob_density(&blob[k], (float)(i % grid) + 0.5f, (float)(i / grid) + 0.5f);
            if (d > best) { best = d; rank[i] = k; }
        }
        used[rank[i]] = 1;
    }
    for (j = 0; j < groups; j++)
        for (k = 0; k < K; k++)
            if (group[k] == j && used[k]) place[k] = n++;
    for (i = 0; i < grid * grid; i++) rank[i] = place[rank[i]];
}

/* A setting as it was written: 0.999f is 0.999 (in float, 1 - 0.999f is off by 1e-5 of itself, and 25 (1 - 0.6f) is below 10). */
static double ssl__decimal(float v) { return floor((double)v * 1e7 + 0.5) / 1e7; }

/* ==== the passes: the kernels below, compiled once per instruction set =================================== */
#define SSL__GRAIN 16384 /* elements of one chunk of an elementwise kernel */
#define SSL__BLOCK 1024  /* elements of one row of a loop nest */
#define SSL__SLICE 256   /* rows summed in sequence before partial sums are added */

#define SSL__PASS 0
#define SSL__SUFFIX _portable
#define SSL__ISA_NAME "portable"
#include "ssl.h" /* the file at hand, wherever it lies: quotes begin beside it, __FILE__ would not */
#undef SSL__PASS
#undef SSL__SUFFIX
#undef SSL__ISA_NAME

#if defined(__x86_64__) && defined(__GNUC__) && !defined(SSL_PORTABLE)
#  define SSL__X86_PASSES 1
#  if __GNUC__ >= 11 || (defined(__clang__) && __clang_major__ >= 12)
#    define SSL__AVX512BF16 1
#    ifdef __linux__
#      define SSL__AMX 1
#    endif
#  endif
#  define SSL__PASS 1
#  define SSL__SUFFIX _avx2
#  define SSL__ISA_NAME "avx2"
#  ifdef __clang__
#    pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#  else
#    pragma GCC push_options
#    ifndef __CUDACC__ /* nvcc does not know the pragma */
#      pragma GCC optimize("O2", "tree-vectorize") /* also at -O0; the simple loops; O3 made the rest larger and no faster */
#    endif
#    pragma GCC target("avx2,fma")
#  endif
#  include "ssl.h"
#  ifdef __clang__
#    pragma clang attribute pop
#  else
#    pragma GCC pop_options
#  endif
#  undef SSL__PASS
#  undef SSL__SUFFIX
#  undef SSL__ISA_NAME
#  define SSL__PASS 2
#  define SSL__SUFFIX _avx512
#  define SSL__ISA_NAME "avx512"
#  ifdef __clang__
#    pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#  else
#    pragma GCC push_options
#    ifndef __CUDACC__ /* nvcc does not know the pragma */
#      pragma GCC optimize("O2", "tree-vectorize") /* also at -O0; the simple loops; O3 made the rest larger and no faster */
#    endif
#    pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,prefer-vector-width=512")
#  endif
#  include "ssl.h"
#  ifdef __clang__
#    pragma clang attribute pop
#  else
#    pragma GCC pop_options
#  endif
#  undef SSL__PASS
#  undef SSL__SUFFIX
#  undef SSL__ISA_NAME
#elif defined(__aarch64__) && defined(__GNUC__) && !defined(SSL_PORTABLE)
#  define SSL__NEON_PASS 1
#  define SSL__PASS 3
#  define SSL__SUFFIX _neon
#  define SSL__ISA_NAME "neon"
#  include "ssl.h"
#  undef SSL__PASS
#  undef SSL__SUFFIX
#  undef SSL__ISA_NAME
#endif
#if defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__)
#  pragma GCC pop_options
#endif
#endif /* part 1 */

/* =========================================================================================================
   KERNELS, CPU: this part is compiled once per pass.
   ========================================================================================================= */
#ifdef SSL__PASS
#define SSL__K(name) SSL__CAT(SSL__CAT(ssl__cpu_, name), SSL__SUFFIX)
#define SSL__KERNEL(name, args) static void SSL__K(name) args;
SSL__KERNELS
#if SSL__PASS == 0
SSL__KERNELS_PLAIN
#endif
#undef SSL__KERNEL

/* ==== >>simd ==== SSL__W floats in an SSL__V ============================================================ */
#if SSL__PASS == 2
#  define SSL__W            16
#  define SSL__V            __m512
#  define SSL__VLOAD(p)     _mm512_loadu_ps(p)
#  define SSL__VSTORE(p, v) _mm512_storeu_ps(p, v)
#  define SSL__VSET1(f)     _mm512_set1_ps(f)
#  define SSL__VZERO()      _mm512_setzero_ps()
#  define SSL__VADD(a, b)   _mm512_add_ps(a, b)
#  define SSL__VSUB(a, b)   _mm512_sub_ps(a, b)
#  define SSL__VMUL(a, b)   _mm512_mul_ps(a, b)
#  define SSL__VMAX(a, b)   _mm512_max_ps(a, b)
#  define SSL__VFMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#  define SSL__VSUM(v)      _mm512_reduce_add_ps(v)
#  define SSL__VTOP(v)      _mm512_reduce_max_ps(v)
#  define SSL__VPOW2(t)     _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(t), 23))
#  define SSL__VDIV(a, b)   _mm512_div_ps(a, b)
#  define SSL__VIFNEG(x, a, b) _mm512_mask_blend_ps(_mm512_movepi32_mask(_mm512_castps_si512(x)), b, a)
#  define SSL__VLOADN(p, n, fill) _mm512_mask_loadu_ps(fill, (__mmask16)((1u << (n)) - 1u), p)
#  define SSL__VSTOREN(p, n, v)   _mm512_mask_storeu_ps(p, (__mmask16)((1u << (n)) - 1u), v)
#elif SSL__PASS == 1
#  define SSL__W            8
#  define SSL__V            __m256
#  define SSL__VLOAD(p)     _mm256_loadu_ps(p)
#  define SSL__VSTORE(p, v) _mm256_storeu_ps(p, v)
#  define SSL__VSET1(f)     _mm256_set1_ps(f)
#  define SSL__VZERO()      _mm256_setzero_ps()
#  define SSL__VADD(a, b)   _mm256_add_ps(a, b)
#  define SSL__VSUB(a, b)   _mm256_sub_ps(a, b)
#  define SSL__VMUL(a, b)   _mm256_mul_ps(a, b)
#  define SSL__VMAX(a, b)   _mm256_max_ps(a, b)
#  define SSL__VFMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#  define SSL__VPOW2(t)     _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(t), 23))
#  define SSL__VDIV(a, b)   _mm256_div_ps(a, b)
#  define SSL__VIFNEG(x, a, b) _mm256_blendv_ps(b, a, x)
#elif SSL__PASS == 3
#  define SSL__W            4
#  define SSL__V            float32x4_t
#  define SSL__VLOAD(p)     vld1q_f32(p)
#  define SSL__VSTORE(p, v) vst1q_f32(p, v)
#  define SSL__VSET1(f)     vdupq_n_f32(f)
#  define SSL__VZERO()      vdupq_n_f32(0.0f)
#  define SSL__VADD(a, b)   vaddq_f32(a, b)
#  define SSL__VSUB(a, b)   vsubq_f32(a, b)
#  define SSL__VMUL(a, b)   vmulq_f32(a, b)
#  define SSL__VMAX(a, b)   vmaxq_f32(a, b)
#  define SSL__VFMA(a, b, c) vfmaq_f32(c, a, b)
#  define SSL__VSUM(v)      vaddvq_f32(v)
#  define SSL__VTOP(v)      vmaxvq_f32(v)
#  define SSL__VPOW2(t)     vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(t), 23))
#  define SSL__VDIV(a, b)   vdivq_f32(a, b)
#  define SSL__VIFNEG(x, a, b) vbslq_f32(vcltq_f32(x, vdupq_n_f32(0.0f)), a, b)
#elif defined(__GNUC__) && !defined(__CUDACC__) /* portable: four floats as a vector type of the compiler */
#  define SSL__W            4
#  define SSL__V            ssl__v4
#  define SSL__VLOAD(p)     (*(const ssl__v4u *)(p))
#  define SSL__VSTORE(p, v) (void)(*(ssl__v4u *)(p) = (v))
#  define SSL__VSET1(f)     ssl__v4_set1(f)
#  define SSL__VZERO()      ssl__v4_set1(0.0f)
#  define SSL__VADD(a, b)   ((a) + (b))
#  define SSL__VSUB(a, b)   ((a) - (b))
#  define SSL__VMUL(a, b)   ((a) * (b))
#  define SSL__VMAX(a, b)   ssl__v4_max(a, b)
#  define SSL__VFMA(a, b, c) ((a) * (b) + (c))
#  define SSL__VPOW2(t)     (ssl__v4)((ssl__v4i)(t) << 23)
#  define SSL__VDIV(a, b)   ((a) / (b))
#  define SSL__VIFNEG(x, a, b) ssl__v4_ifneg(x, a, b)
#else /* plain C: any compiler, any machine */
#  define SSL__W            1
#  define SSL__V            float
#  define SSL__VLOAD(p)     (*(p))
#  define SSL__VSTORE(p, v) (void)(*(p) = (v))
#  define SSL__VSET1(f)     (f)
#  define SSL__VZERO()      0.0f
#  define SSL__VADD(a, b)   ((a) + (b))
#  define SSL__VSUB(a, b)   ((a) - (b))
#  define SSL__VMUL(a, b)   ((a) * (b))
#  define SSL__VMAX(a, b)   ((a) > (b) ? (a) : (b))
#  define SSL__VFMA(a, b, c) ((a) * (b) + (c))
#  define SSL__VPOW2(t)     ssl__bits(ssl__word(t) << 23)
#  define SSL__VDIV(a, b)   ((a) / (b))
#  define SSL__VIFNEG(x, a, b) ((x) < 0.0f ? (a) : (b))
#endif

/* Sum and largest of the lanes, and vectors that are only partly there, for the instruction sets without their own. */
#ifndef SSL__VSUM
static inline float SSL__K(vsum)(SSL__V v)
{
    float t[SSL__W];
    int i, h;
    SSL__VSTORE(t, v);
    for (h = SSL__W / 2; h; h /= 2) for (i = 0; i < h; i++) t[i] += t[i + h];
    return t[0];
}
static inline float SSL__K(vtop)(SSL__V v)
{
    float t[SSL__W];
    int i;
    SSL__VSTORE(t, v);
    for (i = 1; i < SSL__W; i++) t[0] = t[i] > t[0] ? t[i] : t[0];
    return t[0];
}
#  define SSL__VSUM(v)      SSL__K(vsum)(v)
#  define SSL__VTOP(v)      SSL__K(vtop)(v)
#endif
#ifndef SSL__VLOADN
static inline SSL__V SSL__K(vloadn)(const float *p, int n, SSL__V fill)
{
    float t[SSL__W];
    int i;
    SSL__VSTORE(t, fill);
    for (i = 0; i < SSL__W && i < n; i++) t[i] = p[i];
    return SSL__VLOAD(t);
}
static inline void SSL__K(vstoren)(float *p, int n, SSL__V v)
{
    float t[SSL__W];
    int i;
    SSL__VSTORE(t, v);
    for (i = 0; i < SSL__W && i < n; i++) p[i] = t[i];
}
#  define SSL__VLOADN(p, n, fill) SSL__K(vloadn)(p, n, fill)
#  define SSL__VSTOREN(p, n, v)   SSL__K(vstoren)(p, n, v)
#endif
/* The vector at p of a row with n floats left: lanes past the end read as fill and are not written. */
static inline SSL__V SSL__K(ld)(const float *p, int n, SSL__V fill)
{
    if (n >= SSL__W) return SSL__VLOAD(p);
    return SSL__VLOADN(p, n, fill);
}
static inline void SSL__K(st)(float *p, int n, SSL__V v)
{
    if (n >= SSL__W) SSL__VSTORE(p, v);
    else SSL__VSTOREN(p, n, v);
}
/* The same from element i on of floats, or of bf16 where half is set (AVX-512 alone; who stores bf16 has another put) */
static SSL__INLINE SSL__V SSL__K(take)(int half, const float *p, int64_t i, int n)
{
#if SSL__PASS == 2
    const uint16_t *h = (const uint16_t *)(const void *)p + i;
    if (half && n >= 16) return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)h)), 16));
    if (half) return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1u), h)), 16));
#endif
    (void)half;
    return SSL__K(ld)(p + i, n, SSL__VZERO());
}
typedef void SSL__K(put_fn)(float *p, int64_t i, int n, SSL__V v);
static SSL__INLINE void SSL__K(put)(float *p, int64_t i, int n, SSL__V v) { SSL__K(st)(p + i, n, v); }
/* ssl__exp of a vector, x <= 88: adding 1.5 2^23 + 127 leaves n + 127 in the low bits, which shifted up are the bits of 2^n */
static inline SSL__V SSL__K(vexp)(SSL__V v)
{
    const SSL__V x = SSL__VMAX(SSL__VSET1(-88.0f), v); /* in this order a NaN stays one */
    const SSL__V t = SSL__VFMA(x, SSL__VSET1(1.44269504f), SSL__VSET1(12583039.0f)), n = SSL__VSUB(t, SSL__VSET1(12583039.0f));
    const SSL__V r = SSL__VFMA(n, SSL__VSET1(2.12194440e-4f), SSL__VFMA(n, SSL__VSET1(-0.693359375f), x));
    SSL__V p = SSL__VFMA(r, SSL__VSET1(1.3888889e-3f), SSL__VSET1(8.3333333e-3f));
    p = SSL__VFMA(p, r, SSL__VSET1(4.1666668e-2f));
    p = SSL__VFMA(p, r, SSL__VSET1(1.6666667e-1f));
    p = SSL__VFMA(p, r, SSL__VSET1(0.5f));
    p = SSL__VFMA(p, r, SSL__VSET1(1.0f));
    p = SSL__VFMA(p, r, SSL__VSET1(1.0f));
    return SSL__VMUL(p, SSL__VPOW2(t));
}
/* 2^t, t <= 127, to 2e-7; below 2^-126 zero: n + 127 as above, a polynomial of degree 5 of the rest */
static SSL__INLINE SSL__V SSL__K(vexp2)(SSL__V v)
{
    const SSL__V x = SSL__VMAX(SSL__VSET1(-127.0f), v), t = SSL__VADD(x, SSL__VSET1(12583039.0f)), r = SSL__VSUB(x, SSL__VSUB(t, SSL__VSET1(12583039.0f)));
    SSL__V p = SSL__VFMA(r, SSL__VSET1(1.32647272e-3f), SSL__VSET1(9.67151264e-3f));
    p = SSL__VFMA(p, r, SSL__VSET1(5.55073374e-2f));
    p = SSL__VFMA(p, r, SSL__VSET1(2.40222421e-1f));
    p = SSL__VFMA(p, r, SSL__VSET1(6.93146978e-1f));
    p = SSL__VFMA(p, r, SSL__VSET1(1.0f));
    return SSL__VMUL(p, SSL__VPOW2(t));
}
/* gelu: x Phi(x) = max(x, 0) - |x| Phi(-|x|), and its derivative Phi(x) + x phi(x), from one e = exp(-x^2 / 2): phi = e / sqrt(2 pi),
   Phi(-u) = e (t P(t)), t = 1 / (1 + 0.4 u): a fit of Mills' ratio to 5e-8 / Phi(-u) or 5e-6 up to u = 3, 1e-4 up to 6 */
static SSL__INLINE SSL__V SSL__K(vtail)(SSL__V u, SSL__V *e) /* Phi(-u), u >= 0 */
{
    const SSL__V t = SSL__VDIV(SSL__VSET1(1.0f), SSL__VFMA(u, SSL__VSET1(0.4f), SSL__VSET1(1.0f)));
    SSL__V p = SSL__VFMA(t, SSL__VSET1(5.47713909e-2f), SSL__VSET1(-2.48482713e-1f));
    *e = SSL__K(vexp2)(SSL__VMUL(SSL__VMUL(u, SSL__VSET1(-0.721347520f)), u));
    p = SSL__VFMA(p, t, SSL__VSET1(3.30284494e-1f));
    p = SSL__VFMA(p, t, SSL__VSET1(2.02299315e-2f));
    p = SSL__VFMA(p, t, SSL__VSET1(1.86117432e-1f));
    p = SSL__VFMA(p, t, SSL__VSET1(1.57079424e-1f));
    return SSL__VMUL(SSL__VMUL(p, t), *e);
}
static SSL__INLINE SSL__V SSL__K(vabs)(SSL__V x) { return SSL__VMAX(SSL__VSUB(SSL__VZERO(), x), x); }
static SSL__INLINE SSL__V SSL__K(vgelu)(SSL__V x)
{
    const SSL__V u = SSL__K(vabs)(x);
    SSL__V e, q = SSL__K(vtail)(u, &e);
    return SSL__VSUB(SSL__VMAX(SSL__VZERO(), x), SSL__VMUL(u, q));
}
static SSL__INLINE SSL__V SSL__K(vdgelu)(SSL__V x)
{
    SSL__V e, q = SSL__K(vtail)(SSL__K(vabs)(x), &e);
    return SSL__VFMA(SSL__VMUL(x, SSL__VSET1(0.39894228f)), e, SSL__VIFNEG(x, q, SSL__VSUB(SSL__VSET1(1.0f), q)));
}

/* ==== >>elementwise ==== one line of SSL__UNARY gives value, derivative, CPU loops (and the CUDA kernels) ==== */
typedef struct SSL__K(ew) { int64_t n; float p, beta; const float *x, *y, *dy; float *out; } SSL__K(ew);
static inline int64_t SSL__K(ew_end)(const SSL__K(ew) *e, int chunk)
{ const int64_t end = ((int64_t)chunk + 1) * SSL__GRAIN; return end < e->n ? end : e->n; }
static void SSL__K(ew_run)(ssl_ctx *c, ssl__chunk_fn fn, SSL__K(ew) *e)
{ ssl__parallel(c, (int)((e->n + SSL__GRAIN - 1) / SSL__GRAIN), fn, e); }

#define SSL__UNARY_CPU(name, value, derivative)                                                                \
    static void SSL__K(name##_f_chunk)(void *arg, int chunk, int thread)                                       \
    {                                                                                                          \
        const SSL__K(ew) *e = (const SSL__K(ew) *)arg;                                                         \
        const int64_t end = SSL__K(ew_end)(e, chunk);                                                          \
        const float *SSL_RESTRICT xs = e->x, p = e->p;                                                         \
        float *SSL_RESTRICT ys = e->out;                                                                       \
        int64_t i;                                                                                             \
        (void)thread; (void)p;                                                                                 \
        for (i = (int64_t)chunk * SSL__GRAIN; i < end; i++) { const float x = xs[i]; ys[i] = (value); }        \
    }                                                                                                          \
    static void SSL__K(name##_b_chunk)(void *arg, int chunk, int thread)                                       \
    {                                                                                                          \
        const SSL__K(ew) *e = (const SSL__K(ew) *)arg;                                                         \
        const int64_t end = SSL__K(ew_end)(e, chunk);                                                          \
        const float *xs = e->x, *ys = e->y, *dy = e->dy, p = e->p;                                             \
        float *dx = e->out;                                                                                    \
        int64_t i = (int64_t)chunk * SSL__GRAIN;                                                               \
        (void)thread; (void)p;                                                                                 \
        SSL__INDEPENDENT for (; i < end; i++) {                                                                \
            const float x = xs[i], y = ys[i];                                                                  \
            (void)x; (void)y;                                                                                  \
            dx[i] = (e->beta != 0.0f ? dx[i] : 0.0f) + dy[i] * (derivative);                                   \
        }                                                                                                      \
    }                                                                                                          \
    SSL__UNARY_RUN(name, value, derivative)
#define SSL__UNARY_RUN(name, value, derivative)                                                                \
    static void SSL__K(name##_f)(ssl_ctx *c, int64_t n, float p, const float *x, float *y)                     \
    {                                                                                                          \
        SSL__K(ew) e = { n, p, 0.0f, x, NULL, NULL, y };                                                             \
        SSL__K(ew_run)(c, SSL__K(name##_f_chunk), &e);                                                         \
    }                                                                                                          \
    static void SSL__K(name##_b)(ssl_ctx *c, int64_t n, float p, const float *x, const float *y, const float *dy, float beta, float *dx) \
    {                                                                                                          \
        SSL__K(ew) e = { n, p, beta, x, y, dy, dx };                                                                 \
        SSL__K(ew_run)(c, SSL__K(name##_b_chunk), &e);                                                         \
    }
#ifdef __clang__ /* formulas that call libm stay loops of calls */
#  pragma clang diagnostic push
#  pragma clang diagnostic ignored "-Wpass-failed"
#endif
SSL__UNARY_HOT(SSL__UNARY_CPU)
#if SSL__PASS == 0
SSL__UNARY_PLAIN(SSL__UNARY_CPU)
#endif
#ifdef __clang__
#  pragma clang diagnostic pop
#endif

static void SSL__K(gelu_f_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(ew) *e = (const SSL__K(ew) *)arg;
    const int64_t i0 = (int64_t)chunk * SSL__GRAIN;
    const int n = (int)(SSL__K(ew_end)(e, chunk) - i0);
    int i;
    (void)thread;
    for (i = 0; i < n; i += SSL__W) SSL__K(st)(e->out + i0 + i, n - i, SSL__K(vgelu)(SSL__K(ld)(e->x + i0 + i, n - i, SSL__VZERO())));
}
static void SSL__K(gelu_b_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(ew) *e = (const SSL__K(ew) *)arg;
    const int64_t i0 = (int64_t)chunk * SSL__GRAIN;
    const int n = (int)(SSL__K(ew_end)(e, chunk) - i0);
    const SSL__V zero = SSL__VZERO();
    int i;
    (void)thread;
    for (i = 0; i < n; i += SSL__W) {
        float *o = e->out + i0 + i;
        const SSL__V sum = e->beta != 0.0f ? SSL__K(ld)(o, n - i, zero) : zero;
        SSL__K(st)(o, n - i, SSL__VFMA(SSL__K(ld)(e->dy + i0 + i, n - i, zero), SSL__K(vdgelu)(SSL__K(ld)(e->x + i0 + i, n - i, zero)), sum));
    }
}
SSL__UNARY_GELU(SSL__UNARY_RUN)
#undef SSL__UNARY_CPU
#undef SSL__UNARY_RUN

static void SSL__K(fill_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(ew) *e = (const SSL__K(ew) *)arg;
    const int64_t end = SSL__K(ew_end)(e, chunk);
    int64_t i;
    (void)thread;
    for (i = (int64_t)chunk * SSL__GRAIN; i < end; i++) e->out[i] = e->p;
}
static void SSL__K(fill)(ssl_ctx *c, int64_t n, float v, float *y)
{ SSL__K(ew) e = { n, v, 0.0f, NULL, NULL, NULL, y }; SSL__K(ew_run)(c, SSL__K(fill_chunk), &e); }

static void SSL__K(axpy_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(ew) *e = (const SSL__K(ew) *)arg;
    const int64_t end = SSL__K(ew_end)(e, chunk);
    const float *SSL_RESTRICT x = e->x;
    float *SSL_RESTRICT y = e->out;
    int64_t i;
    (void)thread;
    for (i = (int64_t)chunk * SSL__GRAIN; i < end; i++) y[i] += e->p * x[i];
}
static void SSL__K(axpy)(ssl_ctx *c, int64_t n, float a, const float *x, float *y)
{ SSL__K(ew) e = { n, a, 0.0f, x, NULL, NULL, y }; SSL__K(ew_run)(c, SSL__K(axpy_chunk), &e); }

/* ==== >>gemm ==== kernels: the register tile, one template for every instruction set =====================
   Sums in vector registers: 8 x 3, 6 x 4 (attention) of 32 (AVX-512, NEON); 4 x 3, 6 x 2 of 16 (AVX2); 6 x 2 (SSE2). */
#if SSL__PASS == 2 || SSL__PASS == 3
#  define SSL__MM_NV 3      /* vectors of a panel in whole products */
#  define SSL__MM_HIGH 8    /* rows of its tiles */
#  define SSL__MM_WIDE 4    /* in attention, where 64 queries and many heads are as wide; 6 rows of them */
#else
#  define SSL__MM_NV (SSL__PASS == 1 ? 3 : 2)
#  define SSL__MM_HIGH 4
#  define SSL__MM_WIDE 2
#endif
#define SSL__MM_NR (SSL__MM_NV * SSL__W)

/* tile: c[mr, nv vectors] = or += a[mr,k] b[k, nv vectors]; a[r ars + p acs] is broadcast. mr and nv are constants where it
   is inlined. rows: c[m, nv vectors], in tiles of 8 rows, 9 where one is left over (a class token), of the widest of 6. f: what is fetched meanwhile, or NULL. */
#define SSL__MM_TILE(FN, tile, FMA)                                                                             \
    FN SSL__INLINE void tile(const int mr, const int nv, int k, const float *a, int64_t ars, int64_t acs, const float *b, int64_t ldb, \
                             float *c, int64_t ldc, int add, ssl__ahead *f)                                    \
    {                                                                                                          \
        SSL__V s[9][4], bv[4];                                                                                 \
        /* Three bases: an address is base + ars or base + 2 ars. g++ 12 with -fsanitize=undefined takes the wrong one of (c ? a0 : a3)[i]. */ \
        const float *a0 = a, *a3 = a + 3 * ars, *a6 = a + 6 * ars;                                             \
        uintptr_t at = f ? f->at : 0;                                                                          \
        int p, r, v, left = f ? f->left : 0;                                                                   \
        SSL__UNROLL for (r = 0; r < mr; r++)                                                                   \
            SSL__UNROLL for (v = 0; v < nv; v++) {                                                             \
                if (nv != SSL__MM_WIDE) SSL__PREFETCH_W(c + r * ldc + v * SSL__W); /* in attention it is in L1 */ \
                s[r][v] = SSL__VZERO();                                                                        \
            }                                                                                                  \
        for (p = 0; p < k; p++, a0 += acs, a3 += acs, a6 += acs, b += ldb) {                                   \
            SSL__UNROLL for (v = 0; v < nv; v++) bv[v] = SSL__VLOAD(b + v * SSL__W);                           \
            if (f) {                                                                                           \
                SSL__PREFETCH((const char *)at);                                                               \
                at += 64;                                                                                      \
                if (--left == 0) { left = f->lines; at += (uintptr_t)f->jump; }                                \
            }                                                                                                  \
            SSL__UNROLL for (r = 0; r < mr; r++) {                                                             \
                const SSL__V av = SSL__VSET1(r < 3 ? a0[r * ars] : r < 6 ? a3[(r - 3) * ars] : a6[(r - 6) * ars]); \
                SSL__UNROLL for (v = 0; v < nv; v++) s[r][v] = FMA(av, bv[v], s[r][v]);                        \
            }                                                                                                  \
        }                                                                                                      \
        if (f) { f->at = at; f->left = left; }                                                                 \
        SSL__UNROLL for (r = 0; r < mr; r++)                                                                   \
            SSL__UNROLL for (v = 0; v < nv; v++) {                                                             \
                float *o = c + r * ldc + v * SSL__W;                                                           \
                if (add) s[r][v] = SSL__VADD(SSL__VLOAD(o), s[r][v]);                                          \
                SSL__VSTORE(o, s[r][v]);                                                                       \
            }                                                                                                  \
    }
#define SSL__MM_ROWS(FN, tile, rows)                                                                            \
    FN void rows(int m, int nv, int k, const float *a, int64_t ars, int64_t acs, const float *b, int64_t ldb, float *c, int64_t ldc, int add) \
    {                                                                                                          \
        int mr;                                                                                                \
        for (; m > 0; m -= mr, a += mr * ars, c += mr * ldc) {                                                 \
            mr = SSL__K(mm_height)(m, nv);                                                                     \
            switch (8 * mr + nv) { SSL__MM_ALL(tile) default: break; }                                         \
        }                                                                                                      \
    }
/* Tiles of a whole panel as long as there is something to fetch; returns the rows done. */
#define SSL__MM_AHEAD(FN, tile, name)                                                                          \
    FN int name(int m, int k, const float *a, int64_t ars, int64_t acs, const float *b, float *c, int64_t ldc, int add, ssl__ahead *f) \
    {                                                                                                          \
        int i;                                                                                                 \
        for (i = 0; m - i >= SSL__MM_HIGH && m - i != 9; i += SSL__MM_HIGH) { /* 9 are one tile of rows */     \
            if (f->at >= f->end) { f[0] = f[1]; f[1].at = f[1].end; }                                          \
            if (f->at >= f->end) break;                                                                        \
            tile(SSL__MM_HIGH, SSL__MM_NV, k, a + i * ars, ars, acs, b, SSL__MM_NR, c + i * ldc, ldc, add, f); \
        }                                                                                                      \
        return i;                                                                                              \
    }
#define SSL__MM(tile, r, n) case 8 * r + n: tile(r, n, k, a, ars, acs, b, ldb, c, ldc, add, NULL); break;
#define SSL__MM_FEW(tile, n) SSL__MM(tile, 4, n) SSL__MM(tile, 2, n) SSL__MM(tile, 1, n)
#define SSL__MM_SIX(tile, n) SSL__MM(tile, 6, n) SSL__MM(tile, 5, n) SSL__MM_FEW(tile, n)
#if SSL__MM_WIDE == 4 /* 32 registers */
#  define SSL__MM_MANY(tile, n) SSL__MM(tile, 9, n) SSL__MM(tile, 8, n) SSL__MM_FEW(tile, n)
#  define SSL__MM_ALL(tile) SSL__MM_MANY(tile, 1) SSL__MM_MANY(tile, 2) SSL__MM_MANY(tile, 3) SSL__MM_SIX(tile, 4)
#elif SSL__PASS == 1
#  define SSL__MM_ALL(tile) SSL__MM_FEW(tile, 1) SSL__MM_SIX(tile, 2) SSL__MM_FEW(tile, 3)
#else
#  define SSL__MM_ALL(tile) SSL__MM_FEW(tile, 1) SSL__MM_SIX(tile, 2)
#endif
static int SSL__K(mm_height)(int m, int nv) /* rows of the next tile */
{
    if (nv == SSL__MM_WIDE && m > 4) return ssl__ceil_div(m, ssl__ceil_div(m, 6)); /* even */
    if (SSL__MM_WIDE == 4 && m >= 8) return m == 9 ? 9 : 8;
    return m >= 4 ? 4 : m >= 2 ? 2 : 1;
}
SSL__MM_TILE(static, SSL__K(mm_tile), SSL__VFMA)
SSL__MM_ROWS(static, SSL__K(mm_tile), SSL__K(mm_rows))
SSL__MM_AHEAD(static, SSL__K(mm_tile), SSL__K(mm_ahead))

/* The block of a product, panels of b outermost. The last panel may have columns that do not exist: its tiles are computed beside y. */
typedef void SSL__K(mm_fn)(int m, int nv, int k, const float *a, int64_t ars, int64_t acs, const float *b, int64_t ldb, float *c, int64_t ldc, int add);
typedef int SSL__K(mm_ahead_fn)(int m, int k, const float *a, int64_t ars, int64_t acs, const float *b, float *c, int64_t ldc, int add, ssl__ahead *f);
static SSL__INLINE void SSL__K(gemm_multiply_by)(SSL__K(mm_fn) *rows, SSL__K(mm_ahead_fn) *ahead, int steps, ssl__gemm_block *g)
{
    float rim[9 * SSL__MM_NR];
    int i, j, r, q;
    for (j = 0; j < g->cols; j += SSL__MM_NR) {
        const int cols = SSL__MIN(SSL__MM_NR, g->cols - j), nv = ssl__ceil_div(cols, SSL__W);
        const float *a = (const float *)g->a, *b = (const float *)g->b + (int64_t)j * steps;
        float *y = g->y + j;
        if (cols == nv * SSL__W) {
            i = nv == SSL__MM_NV ? ahead(g->rows, steps, a, g->ars, g->aps, b, y, g->ldy, g->add, g->ahead) : 0;
            rows(g->rows - i, nv, steps, a + i * g->ars, g->ars, g->aps, b, cols, y + i * g->ldy, g->ldy, g->add);
            continue;
        }
        for (i = 0; i < g->rows; i += 8) {
            const int m = SSL__MIN(8, g->rows - i);
            rows(m, nv, steps, a + i * g->ars, g->ars, g->aps, b, nv * SSL__W, rim, nv * SSL__W, 0);
            for (r = 0; r < m; r++)
                for (q = 0; q < cols; q += SSL__W) {
                    float *o = y + (i + r) * g->ldy + q;
                    const SSL__V v = SSL__VLOAD(rim + r * nv * SSL__W + q);
                    SSL__K(st)(o, cols - q, g->add ? SSL__VADD(v, SSL__K(ld)(o, cols - q, v)) : v);
                }
        }
    }
}
static void SSL__K(gemm_multiply)(const ssl__gemm_kind *kind, ssl__gemm_block *b) { (void)kind; SSL__K(gemm_multiply_by)(SSL__K(mm_rows), SSL__K(mm_ahead), b->kc, b); }

/* ---- packing */
#if SSL__PASS == 2
static SSL__INLINE void SSL__K(transpose16)(__m512i *r) /* 16 x 16 of 32 bits: within 128-bit lanes, then across */
{
    __m512i t[16];
    int i;
    SSL__UNROLL for (i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    SSL__UNROLL for (i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    SSL__UNROLL for (i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    SSL__UNROLL for (i = 0; i < 8; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    }
}
static SSL__INLINE __mmask16 SSL__K(mask16)(int n) { return n >= 16 ? (__mmask16)0xffff : n > 0 ? (__mmask16)((1u << n) - 1u) : (__mmask16)0; }
/* A panel [kc][width] of src[r rs + p ps], r < rows <= width; rows that do not exist are zero. */
static void SSL__K(gemm_pack)(int width, int rows, int kc, const float *src, int64_t rs, int64_t ps, float *dst)
{
    __m512i t[16];
    int p, r, i;
    if (rs == 1) {
        for (p = 0; p < kc; p++, src += ps, dst += width)
            for (r = 0; r < width; r += 16, SSL__PREFETCH(src + SSL__AHEAD * ps + r)) _mm512_mask_storeu_ps(dst + r, SSL__K(mask16)(width - r), _mm512_maskz_loadu_ps(SSL__K(mask16)(rows - r), src + r));
        return;
    }
    for (r = 0; r < width; r += 16)
        for (p = 0; p < kc; p += 16) {
            SSL__UNROLL for (i = 0; i < 16; i++)
                t[i] = r + i < rows ? _mm512_maskz_loadu_epi32(SSL__K(mask16)(kc - p), src + (r + i) * rs + p) : _mm512_setzero_si512();
            SSL__K(transpose16)(t);
            SSL__UNROLL for (i = 0; i < 16; i++)
                if (p + i < kc) _mm512_mask_storeu_epi32(dst + (p + i) * width + r, SSL__K(mask16)(width - r), t[i]);
        }
}
#else
#  define ssl__cpu_gemm_pack_portable ssl__gemm_pack
#  define ssl__cpu_gemm_pack_avx2     ssl__gemm_pack
#  define ssl__cpu_gemm_pack_neon     ssl__gemm_pack
#endif
static void SSL__K(gemm_block_b)(const ssl__gemm_kind *kind, int cols, int kc, const float *src, int64_t cs, int64_t ps, void *dst)
{
    int j;
    (void)kind;
    for (j = 0; j < cols; j += SSL__MM_NR) {
        const int n = SSL__MIN(SSL__MM_NR, cols - j);
        SSL__K(gemm_pack)(ssl__round_up(n, SSL__W), n, kc, src + j * cs, cs, ps, (float *)dst + (int64_t)j * kc);
    }
}
/* op(a) as it lies, without the gaps between its rows: [rows][kc] or [kc][rows]; sums += sums over k, four steps at a time */
static void SSL__K(gemm_sums)(int rows, int kc, const float *x, int64_t ld, float *sums)
{
    const SSL__V zero = SSL__VZERO();
    int p, j;
    for (p = 0; p < kc; p += 4)
        for (j = 0; j < rows; j += SSL__W) {
            const float *s = x + p * ld + j;
            SSL__V v = SSL__K(ld)(s, rows - j, zero);
            if (p + 1 < kc) v = SSL__VADD(v, SSL__K(ld)(s + ld, rows - j, zero));
            if (p + 2 < kc) v = SSL__VADD(v, SSL__K(ld)(s + 2 * ld, rows - j, zero));
            if (p + 3 < kc) v = SSL__VADD(v, SSL__K(ld)(s + 3 * ld, rows - j, zero));
            SSL__K(st)(sums + j, rows - j, SSL__VADD(SSL__K(ld)(sums + j, rows - j, zero), v));
        }
}
static void SSL__K(gemm_block_a)(const ssl__gemm_kind *kind, int rows, int kc, const float *src, int64_t rs, int64_t ps, void *dst, ssl__gemm_block *b)
{
    const int along_k = ps == 1, n = along_k ? kc : rows, lines = along_k ? rows : kc;
    float *d = (float *)dst;
    int i, j;
    (void)kind;
    for (i = 0; i < lines; i++, d += n, src += along_k ? rs : ps)
        for (j = 0; j < n; j += SSL__W) {
            SSL__K(st)(d + j, n - j, SSL__K(ld)(src + j, n - j, SSL__VZERO()));
            SSL__PREFETCH(src + SSL__AHEAD * (along_k ? rs : ps) + j);
        }
    b->a = dst;
    b->ars = along_k ? n : 1;
    b->aps = along_k ? 1 : n;
    if (b->sums) SSL__K(gemm_sums)(rows, kc, src - ps * kc, ps, b->sums);
}

/* bf16 without a bf16 unit: the operands are rounded, the rest is float32. */
static void SSL__K(gemm_round)(int64_t n, float *x) { int64_t i; for (i = 0; i < n; i++) x[i] = ssl__bf16(x[i]); }
static void SSL__K(gemm_round_block_a)(const ssl__gemm_kind *kind, int rows, int kc, const float *src, int64_t rs, int64_t ps, void *dst, ssl__gemm_block *b)
{ SSL__K(gemm_block_a)(kind, rows, kc, src, rs, ps, dst, b); SSL__K(gemm_round)((int64_t)rows * kc, (float *)dst); }
static void SSL__K(gemm_round_block_b)(const ssl__gemm_kind *kind, int cols, int kc, const float *src, int64_t cs, int64_t ps, void *dst)
{ SSL__K(gemm_block_b)(kind, cols, kc, src, cs, ps, dst); SSL__K(gemm_round)((int64_t)ssl__round_up(cols, SSL__W) * kc, (float *)dst); }

#if SSL__PASS == 2
/* Where the result is rounded to bf16: cubics on 16 pieces of u = |x|, 3/8 wide. [0]: u Phi(-u), to 1e-3 of itself up to 4;
   [1]: Phi(-u) - u phi(u), the derivative of gelu at -u, to 2e-5. Their four coefficients come out of registers by the number of the piece. */
static const float ssl__gelu_pieces[2][4][16] = {
    { { 0.0f, 1.32681891e-01f, 1.69972479e-01f, 1.46586746e-01f, 1.00215718e-01f, 5.69956638e-02f, 2.75054555e-02f, 1.13721555e-02f,
        4.04911209e-03f, 1.24528364e-03f, 3.31406191e-04f, 7.64084689e-05f, 1.52736866e-05f, 2.64846517e-06f, 3.98520370e-07f, 5.20505523e-08f },
      { 1.87539175e-01f, 8.05426091e-02f, 2.32351085e-04f, -4.06967886e-02f, -4.79598008e-02f, -3.70485559e-02f, -2.22101379e-02f, -1.08843837e-02f,
        -4.46085446e-03f, -1.54733728e-03f, -4.57467744e-04f, -1.15796051e-04f, -2.51712536e-05f, -4.70901705e-06f, -7.59380839e-07f, -1.05685807e-07f },
      { -5.68121821e-02f, -4.94060740e-02f, -3.01899500e-02f, -1.00939889e-02f, 3.08400183e-03f, 7.75888283e-03f, 6.91665243e-03f, 4.29736357e-03f,
        2.08643847e-03f, 8.25634925e-04f, 2.71806988e-04f, 7.53182321e-05f, 1.76972080e-05f, 3.54352869e-06f, 6.06781384e-07f, 8.90908538e-08f },
      { 1.92120124e-03f, 6.14831084e-03f, 6.56894362e-03f, 4.42035729e-03f, 1.65797351e-03f, -1.98693117e-04f, -8.39046319e-04f, -7.35997222e-04f,
        -4.29620646e-04f, -1.92349034e-04f, -6.94256887e-05f, -2.06905879e-05f, -5.16126693e-06f, -1.08692461e-06f, -1.94370713e-07f, -2.96385618e-08f } },
    { { 5.0e-01f, 2.14402243e-01f, 7.88754493e-04f, -1.08063228e-01f, -1.27474278e-01f, -9.85846743e-02f, -5.91937862e-02f, -2.90695559e-02f,
        -1.19452151e-02f, -4.15656203e-03f, -1.23342045e-03f, -3.13521305e-04f, -6.84720653e-05f, -1.28758820e-05f, -2.08803044e-06f, -2.92351814e-07f },
      { -2.99371570e-01f, -2.59843498e-01f, -1.62802786e-01f, -5.84704615e-02f, 1.23002920e-02f, 3.93128470e-02f, 3.65834236e-02f, 2.33710092e-02f,
        1.16204312e-02f, 4.70227608e-03f, 1.58202427e-03f, 4.47874860e-04f, 1.07496679e-04f, 2.19842696e-05f, 3.84460873e-06f, 5.76439334e-07f },
      { 8.82759574e-04f, 4.06129770e-02f, 5.70040047e-02f, 4.65216078e-02f, 2.31584273e-02f, 3.29827983e-03f, -6.02278905e-03f, -6.98237540e-03f,
        -4.61436436e-03f, -2.24908418e-03f, -8.68849689e-04f, -2.74525635e-04f, -7.21568140e-05f, -1.59411356e-05f, -2.98049235e-06f, -4.73892896e-07f },
      { 1.28834192e-02f, 5.62050659e-03f, -3.04312655e-03f, -7.45473756e-03f, -6.56790985e-03f, -3.22281313e-03f, -4.39077936e-04f, 7.34470377e-04f,
        7.82445190e-04f, 4.70173924e-04f, 2.06922530e-04f, 7.17980874e-05f, 2.02915526e-05f, 4.75461775e-06f, 9.33811577e-07f, 1.54852913e-07f } } };
static SSL__INLINE __m512 ssl__gelu_cubic(const int which, __m512 x)
{
    const float (*c)[16] = ssl__gelu_pieces[which];
    const __m512 t = _mm512_min_ps(_mm512_set1_ps(15.9999f), _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(8.0f / 3.0f))); /* in this order a NaN stays one */
    const __m512 r = _mm512_reduce_ps(t, 3); /* t less its whole part */
    const __m512i i = _mm512_cvttps_epi32(t);
    __m512 p = _mm512_permutexvar_ps(i, _mm512_loadu_ps(c[3]));
    p = _mm512_fmadd_ps(p, r, _mm512_permutexvar_ps(i, _mm512_loadu_ps(c[2])));
    p = _mm512_fmadd_ps(p, r, _mm512_permutexvar_ps(i, _mm512_loadu_ps(c[1])));
    return _mm512_fmadd_ps(p, r, _mm512_permutexvar_ps(i, _mm512_loadu_ps(c[0])));
}
#endif
static SSL__INLINE SSL__V SSL__K(act)(const int half, ssl_act act, SSL__V v) /* half: the result is rounded to bf16 */
{
    float t[SSL__W];
    int q;
    if (act == SSL_ACT_RELU) return SSL__VMAX(v, SSL__VZERO());
#if SSL__PASS == 2
    if (act == SSL_ACT_GELU && half) return _mm512_sub_ps(_mm512_max_ps(_mm512_setzero_ps(), v), ssl__gelu_cubic(0, v));
#endif
    (void)half;
    if (act == SSL_ACT_GELU) return SSL__K(vgelu)(v);
    if (act != SSL_ACT_GELU_TANH) return v;
    SSL__VSTORE(t, v);
    for (q = 0; q < SSL__W; q++) t[q] = ssl__gelu_tanh(t[q]);
    return SSL__VLOAD(t);
}
static SSL__INLINE void SSL__K(finish_ahead)(const float *y, int64_t at) /* the lines of a row of a panel of bf16 */
{
    const float *line = ssl__element(y, 1, at);
    SSL__PREFETCH_W(line);
    SSL__PREFETCH_W(line + 16);
    (void)line;
}
/* nv vectors from row i and column j on; half, put: how y and pre are kept */
static SSL__INLINE void SSL__K(gemm_finish_few)(const int nv, const int half, SSL__K(put_fn) *put, int n, const float *sums, const ssl__epilogue *ep, int j, int64_t at_pre, int add, float *y, int64_t at)
{
    SSL__V s[SSL__MM_NV];
    int v;
    if (nv > 1) n = SSL__W; /* whole vectors */
    SSL__UNROLL for (v = 0; v < nv; v++) {
        s[v] = SSL__K(ld)(sums + v * SSL__W, n, SSL__VZERO());
        if (half && add) s[v] = SSL__VADD(s[v], SSL__K(take)(half, y, at + v * SSL__W, n));
    }
    if (ep->bias) SSL__UNROLL for (v = 0; v < nv; v++) s[v] = SSL__VADD(s[v], SSL__K(ld)(ep->bias + j + v * SSL__W, n, SSL__VZERO()));
    if (ep->pre) SSL__UNROLL for (v = 0; v < nv; v++) put(ep->pre, at_pre + v * SSL__W, n, s[v]);
    if (ep->act > SSL_ACT_NONE) SSL__UNROLL for (v = 0; v < nv; v++) s[v] = SSL__K(act)(half, ep->act, s[v]);
    if (ep->residual) SSL__UNROLL for (v = 0; v < nv; v++) s[v] = SSL__VADD(s[v], SSL__K(ld)(ep->residual + at + v * SSL__W, n, SSL__VZERO()));
    SSL__UNROLL for (v = 0; v < nv; v++) put(y, at + v * SSL__W, n, s[v]);
}
static SSL__INLINE void SSL__K(gemm_finish_by)(const int half, SSL__K(put_fn) *put, const ssl__gemm_block *b, const ssl__epilogue *ep, int64_t ldpre, int add, int64_t next, float *y, int64_t ldy)
{
    int i, j;
    for (i = 0; i < b->rows; i++) {
        const float *sums = b->y + i * b->ldy;
        if (half) SSL__K(finish_ahead)(y, i * ldy + next);
        if (half && ep->pre) SSL__K(finish_ahead)(ep->pre, i * ldpre + next);
        for (j = 0; j + SSL__MM_NR <= b->cols; j += SSL__MM_NR) SSL__K(gemm_finish_few)(SSL__MM_NV, half, put, 0, sums + j, ep, j, i * ldpre + j, add, y, i * ldy + j);
        for (; j < b->cols; j += SSL__W) SSL__K(gemm_finish_few)(1, half, put, b->cols - j, sums + j, ep, j, i * ldpre + j, add, y, i * ldy + j);
    }
}
static void SSL__K(gemm_finish)(const ssl__gemm_block *b, const ssl__epilogue *ep, int64_t ldpre, int add, int64_t next, float *y, int64_t ldy)
{ SSL__K(gemm_finish_by)(0, SSL__K(put), b, ep, ldpre, add, next, y, ldy); }

static const ssl__gemm_kind SSL__K(gemm_f32) = { SSL__MM_HIGH, 1, 4, SSL__MM_NR, 96, 512, 128, 16.0f, 1, 1,
    SSL__K(gemm_block_a), SSL__K(gemm_block_b), SSL__K(gemm_multiply), SSL__K(gemm_finish), NULL, NULL, NULL, NULL, NULL, 0 };
static const ssl__gemm_kind SSL__K(gemm_bf16) = { SSL__MM_HIGH, 1, 4, SSL__MM_NR, 96, 512, 128, 24.0f, 1, 0,
    SSL__K(gemm_round_block_a), SSL__K(gemm_round_block_b), SSL__K(gemm_multiply), SSL__K(gemm_finish), NULL, NULL, NULL, NULL, NULL, 0 };

#if SSL__PASS == 2 && defined(SSL__AVX512BF16)
/* ---- AVX512_BF16: vdpbf16ps adds two products of bf16 pairs to each of 16 sums, twice the rate of float32. An element of a packed
   operand is a pair along k; all else is as for float32. Denormal operands and results count as zero. */
#define SSL__BF16_FN __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16"))) static
#define SSL__BF16_FMA(a, b, s) _mm512_dpbf16_ps(s, (__m512bh)(a), (__m512bh)(b))
SSL__MM_TILE(SSL__BF16_FN, ssl__bf16_mm_tile, SSL__BF16_FMA)
SSL__MM_ROWS(SSL__BF16_FN, ssl__bf16_mm_tile, ssl__bf16_mm_rows)
SSL__MM_AHEAD(SSL__BF16_FN, ssl__bf16_mm_tile, ssl__bf16_mm_ahead)
SSL__BF16_FN void ssl__bf16_multiply(const ssl__gemm_kind *kind, ssl__gemm_block *b)
{ (void)kind; SSL__K(gemm_multiply_by)(ssl__bf16_mm_rows, ssl__bf16_mm_ahead, ssl__ceil_div(b->kc, 2), b); }

/* 16 pairs: of n floats side by side (along k), or of two rows one of which may be missing. _by: of bf16 where half is set */
SSL__BF16_FN SSL__INLINE __m512i ssl__bf16_along(const float *s, int n)
{ return (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(SSL__K(mask16)(n - 16), s + 16), _mm512_maskz_loadu_ps(SSL__K(mask16)(n), s)); }
SSL__BF16_FN SSL__INLINE __m512i ssl__bf16_along_by(int half, const float *s, int n)
{
    if (!half) return ssl__bf16_along(s, n);
    return n >= 32 ? _mm512_loadu_si512(s) : _mm512_maskz_loadu_epi16(n > 0 ? ((__mmask32)1 << n) - 1 : 0, s);
}
SSL__BF16_FN SSL__INLINE __m512i ssl__bf16_turns(__m512i x) /* numbers of the lower and of the upper half in turns */
{
    const __m512i zip = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3,
                                         18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(zip, x);
}
SSL__BF16_FN SSL__INLINE __m512i ssl__bf16_zip(const float *s, const float *next, int n)
{
    const __mmask16 m = SSL__K(mask16)(n);
    const __m512 hi = next ? _mm512_maskz_loadu_ps(m, next) : _mm512_setzero_ps();
    return ssl__bf16_turns((__m512i)_mm512_cvtne2ps_pbh(hi, _mm512_maskz_loadu_ps(m, s)));
}
SSL__BF16_FN SSL__INLINE __m512i ssl__bf16_zip_by(int half, const float *s, const float *next, int n)
{
    const __mmask16 m = SSL__K(mask16)(n);
    if (!half) return ssl__bf16_zip(s, next, n);
    return ssl__bf16_turns(_mm512_inserti64x4(_mm512_castsi256_si512(_mm256_maskz_loadu_epi16(m, s)), next ? _mm256_maskz_loadu_epi16(m, next) : _mm256_setzero_si256(), 1));
}
/* Panels [ceil(kc / 2)][width] of pairs where the rows of a panel lie side by side: all panels at once, so that memory is read in order.
   The last of several is as wide as needed. */
SSL__BF16_FN void ssl__bf16_pack_across(int half, int width, int rows, int kc, const float *src, int64_t ps, float *dst)
{
    const int64_t ahead = ps * (2 + 1024 / SSL__MAX(rows, 1) / 2 * 2); /* about 4 KB */
    int p, j, r;
    for (p = 0; p < kc; p += 2)
        for (j = 0; j < rows; j += width) {
            const int left = rows - j, w = j > 0 && left < width ? ssl__round_up(left, 16) : width;
            const int64_t at = p * ps + j;
            float *d = dst + (int64_t)j * ssl__ceil_div(kc, 2) + p / 2 * w;
            for (r = 0; p + 1 < kc && r + 16 <= SSL__MIN(left, w); r += 16) {
                _mm512_storeu_si512(d + r, ssl__bf16_zip_by(half, ssl__element(src, half, at + r), ssl__element(src, half, at + ps + r), 16));
                SSL__PREFETCH(ssl__element(src, half, at + ahead + r));
                SSL__PREFETCH(ssl__element(src, half, at + ahead + ps + r));
            }
            for (; r < w; r += 16)
                _mm512_mask_storeu_epi32(d + r, SSL__K(mask16)(w - r),
                                         ssl__bf16_zip_by(half, ssl__element(src, half, at + r), p + 1 < kc ? ssl__element(src, half, at + ps + r) : NULL, left - r));
        }
}
/* A panel [ceil(kc / 2)][width] of pairs, as gemm_pack */
SSL__BF16_FN void ssl__bf16_pack(int half, int width, int rows, int kc, const float *src, int64_t rs, int64_t ps, float *dst)
{
    __m512i t[16];
    int p, r, i;
    if (rs == 1) { ssl__bf16_pack_across(half, width, rows, kc, src, ps, dst); return; }
    for (r = 0; r < width; r += 16)
        for (p = 0; p < kc; p += 32) {
            const float *s = ssl__element(src, half, r * rs + p);
            float *d = dst + p / 2 * width + r;
            if (r + 16 <= rows && p + 32 <= kc) {
                SSL__UNROLL for (i = 0; i < 16; i++) t[i] = ssl__bf16_along_by(half, ssl__element(s, half, i * rs), 32);
                SSL__K(transpose16)(t);
                SSL__UNROLL for (i = 0; i < 16; i++) _mm512_storeu_si512(d + i * width, t[i]);
                continue;
            }
            SSL__UNROLL for (i = 0; i < 16; i++) t[i] = r + i < rows ? ssl__bf16_along_by(half, ssl__element(s, half, i * rs), kc - p) : _mm512_setzero_si512();
            SSL__K(transpose16)(t);
            SSL__UNROLL for (i = 0; i < 16; i++)
                if (p + 2 * i < kc) _mm512_mask_storeu_epi32(d + i * width, SSL__K(mask16)(width - r), t[i]);
        }
}
SSL__BF16_FN void ssl__bf16_block_b(const ssl__gemm_kind *kind, int cols, int kc, const float *src, int64_t cs, int64_t ps, void *dst)
{
    const int half = (kind->half & SSL__HALF_B) != 0;
    int j;
    if (cs == 1) { ssl__bf16_pack_across(half, SSL__MIN(SSL__MM_NR, ssl__round_up(cols, 16)), cols, kc, src, ps, (float *)dst); return; }
    for (j = 0; j < cols; j += SSL__MM_NR) {
        const int n = SSL__MIN(SSL__MM_NR, cols - j);
        ssl__bf16_pack(half, ssl__round_up(n, 16), n, kc, ssl__element(src, half, j * cs), cs, ps, (float *)dst + (int64_t)j * ssl__ceil_div(kc, 2));
    }
}
/* Rows of n numbers as rows of ld pairs, n <= 2 ld; pairs past the end are zero */
SSL__BF16_FN void ssl__bf16_lines(int half, int rows, int n, const float *src, int64_t rs, float *dst, int ld)
{
    int i, p;
    for (i = 0; i < rows; i++, dst += ld) {
        const float *s = ssl__element(src, half, i * rs);
        for (p = 0; p + 32 <= n; p += 32) _mm512_storeu_si512(dst + p / 2, ssl__bf16_along_by(half, ssl__element(s, half, p), 32));
        if (p < n) _mm512_mask_storeu_epi32(dst + p / 2, SSL__K(mask16)(ld - p / 2), ssl__bf16_along_by(half, ssl__element(s, half, p), n - p));
    }
}
SSL__BF16_FN void ssl__bf16_block_a(const ssl__gemm_kind *kind, int rows, int kc, const float *src, int64_t rs, int64_t ps, void *dst, ssl__gemm_block *b)
{
    const int pairs = ssl__ceil_div(kc, 2), half = (kind->half & SSL__HALF_A) != 0;
    float *d = (float *)dst;
    b->a = dst;
    b->ars = ps == 1 ? pairs : 1;
    b->aps = ps == 1 ? 1 : rows;
    if (ps == 1) { ssl__bf16_lines(half, rows, kc, src, rs, d, pairs); return; }
    ssl__bf16_pack(half, rows, rows, kc, src, rs, ps, d);
    if (b->sums) SSL__K(gemm_sums)(rows, kc, src, ps, b->sums);
}
SSL__BF16_FN SSL__INLINE void ssl__bf16_put(float *p, int64_t i, int n, __m512 v) /* number i of bf16, as gemm's put */
{
    const __m256i h = (__m256i)_mm512_cvtneps_pbh(v);
    uint16_t *o = (uint16_t *)(void *)p + i;
    if (n >= 16) _mm256_storeu_si256((__m256i *)(void *)o, h);
    else _mm256_mask_storeu_epi16(o, (__mmask16)((1u << n) - 1u), h);
}
SSL__BF16_FN void ssl__bf16_finish(const ssl__gemm_block *b, const ssl__epilogue *ep, int64_t ldpre, int add, int64_t next, float *y, int64_t ldy)
{ SSL__K(gemm_finish_by)(1, ssl__bf16_put, b, ep, ldpre, add, next, y, ldy); }
static const ssl__gemm_kind ssl__bf16_kind = { SSL__MM_HIGH, 2, 2, SSL__MM_NR, 96, 1024, 256, 16.0f, 1, 0,
    ssl__bf16_block_a, ssl__bf16_block_b, ssl__bf16_multiply, SSL__K(gemm_finish), NULL, NULL, NULL, NULL, NULL, 0 };
#endif

#if SSL__PASS == 2 && defined(SSL__AMX)
/* ---- AMX: tiles of 16 rows x 64 bytes, 2 x 2 of them at a time; 16 x 16 x 32 multiply-adds of bf16 in 16 cycles.
   A panel is a run of blocks, 32 rows (or columns) x 32 of k, each 2 tiles of bf16 pairs along k: [row][pair] for op(a),
   [pair][column] for op(b). At precision `high` x = hi + lo, hi = bf16(x), lo = bf16(x - hi), a block holds 2 tiles of hi and
   2 of lo, and a b = hi hi + hi lo + lo hi; what is left out is below 2^-16 |a| |b|. */
#define SSL__AMX_FN __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16"))) static
#define SSL__AMX_KR   32
#define SSL__AMX_TILE 32 /* rows and columns of four tiles */

/* Palette 1, eight tiles of 16 rows x 64 bytes: bytes 16.. row lengths (16 bits each), 48.. rows. */
static const uint8_t ssl__amx_config[64] = { 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0, 64, 0,
                                             0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 16, 16, 16, 16, 16, 16, 16 };
SSL__AMX_FN void ssl__amx_begin(void) { _tile_loadconfig(ssl__amx_config); }
SSL__AMX_FN void ssl__amx_end(void) { _tile_release(); }

SSL__AMX_FN void ssl__amx_load_y(const float *y, int64_t ldy, int add) /* tiles 0..3 = y[32,32] or 0 */
{
    const size_t row = (size_t)ldy * sizeof(float);
    int r;
    for (r = 0; r < 32 && !add; r++) { SSL__PREFETCH_W(y + r * ldy); SSL__PREFETCH_W(y + r * ldy + 16); } /* tile stores wait for their lines */
    if (!add) { _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3); return; }
    _tile_loadd(0, y, row);
    _tile_loadd(1, y + 16, row);
    _tile_loadd(2, y + 16 * ldy, row);
    _tile_loadd(3, y + 16 * ldy + 16, row);
}
SSL__AMX_FN void ssl__amx_store_y(float *y, int64_t ldy)
{
    const size_t row = (size_t)ldy * sizeof(float);
    _tile_stored(0, y, row);
    _tile_stored(1, y + 16, row);
    _tile_stored(2, y + 16 * ldy, row);
    _tile_stored(3, y + 16 * ldy + 16, row);
}
#define SSL__AMX_LOAD(t, u, p) do { _tile_loadd(t, p, 64); _tile_loadd(u, (p) + 1024, 64); } while (0)
#define SSL__AMX_MULTIPLY()    do { _tile_dpbf16ps(0, 4, 6); _tile_dpbf16ps(1, 4, 7); _tile_dpbf16ps(2, 5, 6); _tile_dpbf16ps(3, 5, 7); } while (0)

SSL__AMX_FN void ssl__amx_tile_bf16(int kc, const void *pa, const void *pb, float *y, int64_t ldy, int add)
{
    const char *a = (const char *)pa, *b = (const char *)pb;
    ssl__amx_load_y(y, ldy, add);
    for (; kc > 0; kc -= SSL__AMX_KR, a += 2048, b += 2048) {
        SSL__AMX_LOAD(4, 5, a);
        SSL__AMX_LOAD(6, 7, b);
        SSL__AMX_MULTIPLY();
    }
    ssl__amx_store_y(y, ldy);
}

SSL__AMX_FN void ssl__amx_tile_high(int kc, const void *pa, const void *pb, float *y, int64_t ldy, int add)
{
    const char *a = (const char *)pa, *b = (const char *)pb; /* hi at 0, lo at 2048 */
    ssl__amx_load_y(y, ldy, add);
    for (; kc > 0; kc -= SSL__AMX_KR, a += 4096, b += 4096) {
        SSL__AMX_LOAD(4, 5, a);
        SSL__AMX_LOAD(6, 7, b + 2048);
        SSL__AMX_MULTIPLY();
        SSL__AMX_LOAD(6, 7, b);
        SSL__AMX_MULTIPLY();
        SSL__AMX_LOAD(4, 5, a + 2048);
        SSL__AMX_MULTIPLY();
    }
    ssl__amx_store_y(y, ldy);
}

/* bf16 of x0 in the lower and of x1 in the upper half; lo: the same of what rounding took away */
SSL__AMX_FN SSL__INLINE __m512i ssl__amx_split(__m512 x0, __m512 x1, int split, __m512i *lo)
{
    const __m512i hi = (__m512i)_mm512_cvtne2ps_pbh(x1, x0);
    if (split) {
        const __m512i h0 = _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(hi)), 16);
        const __m512i h1 = _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(hi, 1)), 16);
        *lo = (__m512i)_mm512_cvtne2ps_pbh(_mm512_sub_ps(x1, _mm512_castsi512_ps(h1)), _mm512_sub_ps(x0, _mm512_castsi512_ps(h0)));
    }
    return hi;
}

/* One tile, 16 r x 32 p of src[r rs + p ps], as [r][pair] (pairs_first 0) or [pair][r] (1). Vectors come along the stride 1;
   if that is not the order asked for, the tile is transposed. rows, kc: how many exist from here on, the rest is zero. */
SSL__AMX_FN SSL__INLINE void ssl__amx_pack_tile(int half, int pairs_first, int split, int rows, int kc, const float *src, int64_t rs, int64_t ps, char *dst)
{
    const int along_k = ps == 1, wide = along_k ? kc : rows, high = along_k ? rows : kc;
    const uint32_t mask = wide <= 0 ? 0 : wide >= 32 ? ~0u : (1u << wide) - 1;
    __m512i hi[16], lo[16];
    int i;
    for (i = 0; i < 16; i++) {
        const float *s = ssl__element(src, half, along_k ? i * rs : 2 * i * ps), *next = along_k ? s + 16 : ssl__element(s, half, ps);
        const __mmask16 m0 = (along_k ? i : 2 * i) < high ? (__mmask16)mask : (__mmask16)0;
        const __mmask16 m1 = along_k ? (i < high ? (__mmask16)(mask >> 16) : (__mmask16)0) : 2 * i + 1 < high ? (__mmask16)mask : (__mmask16)0;
        if (half && along_k) hi[i] = _mm512_maskz_loadu_epi16((__mmask32)m1 << 16 | m0, s);
        else if (half) hi[i] = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_maskz_loadu_epi16(m0, s)), _mm256_maskz_loadu_epi16(m1, next), 1);
        else hi[i] = ssl__amx_split(_mm512_maskz_loadu_ps(m0, s), _mm512_maskz_loadu_ps(m1, next), split, &lo[i]);
        if (along_k) continue;
        hi[i] = ssl__bf16_turns(hi[i]);
        if (split) lo[i] = ssl__bf16_turns(lo[i]);
    }
    if (along_k == pairs_first) {
        SSL__K(transpose16)(hi);
        if (split) SSL__K(transpose16)(lo);
    }
    for (i = 0; i < 16; i++) {
        _mm512_store_si512(dst + 64 * i, hi[i]);
        if (split) _mm512_store_si512(dst + 2048 + 64 * i, lo[i]);
    }
}
SSL__AMX_FN SSL__INLINE void ssl__amx_pack(int half, int pairs_first, int split, int rows, int kc, const float *src, int64_t rs, int64_t ps, void *dst)
{
    char *d = (char *)dst;
    for (; kc > 0; kc -= 32, src = ssl__element(src, half, 32 * ps), d += split ? 4096 : 2048) {
        ssl__amx_pack_tile(half, pairs_first, split, rows, kc, src, rs, ps, d);
        ssl__amx_pack_tile(half, pairs_first, split, rows - 16, kc, ssl__element(src, half, 16 * rs), rs, ps, d + 1024);
    }
}
#define SSL__AMX_PACK(name, pairs_first, split)                                                                 \
    SSL__AMX_FN void name(int half, int rows, int kc, const float *src, int64_t rs, int64_t ps, void *dst)      \
    { ssl__amx_pack(half, pairs_first, split, rows, kc, src, rs, ps, dst); }
SSL__AMX_PACK(ssl__amx_pack_a_bf16, 0, 0)
SSL__AMX_PACK(ssl__amx_pack_b_bf16, 1, 0)
SSL__AMX_PACK(ssl__amx_pack_a_high, 0, 1)
SSL__AMX_PACK(ssl__amx_pack_b_high, 1, 1)
#undef SSL__AMX_PACK

/* ---- block_a, block_b and multiply by way of panels [kc][mr] and [kc][panel], of both operands.
   32 steps of k of one panel after the other: what lies along the rows of the source is then read in order. */
#define SSL__GEMM_PIECE 32
typedef void (*ssl__panel_fn)(int half, int rows, int kc, const float *src, int64_t rs, int64_t ps, void *dst);
static void ssl__gemm_panels(const ssl__gemm_kind *kind, ssl__panel_fn pack, int half, int width, int rows, int kc, const float *src, int64_t rs, int64_t ps, char *dst)
{
    const int depth = ssl__round_up(kc, kind->kr);
    int i, p;
    for (p = 0; p == 0 || p < kc; p += SSL__GEMM_PIECE)
        for (i = 0; i < rows; i += width)
            pack(half, SSL__MIN(width, rows - i), SSL__MIN(SSL__GEMM_PIECE, kc - p), ssl__element(src, half, i * rs + p * ps), rs, ps,
                 dst + (size_t)(i * depth + p * width) * (size_t)kind->elem);
}
static void ssl__gemm_panels_a(const ssl__gemm_kind *kind, int rows, int kc, const float *src, int64_t rs, int64_t ps, void *dst, ssl__gemm_block *b)
{
    ssl__gemm_panels(kind, kind->pack_a, (kind->half & SSL__HALF_A) != 0, kind->mr, rows, kc, src, rs, ps, (char *)dst);
    b->a = dst;
}
static void ssl__gemm_panels_b(const ssl__gemm_kind *kind, int cols, int kc, const float *src, int64_t cs, int64_t ps, void *dst)
{ ssl__gemm_panels(kind, kind->pack_b, (kind->half & SSL__HALF_B) != 0, kind->panel, cols, kc, src, cs, ps, (char *)dst); }
/* One register tile. At the rim the whole tile is computed beside y, and what exists of it is stored. */
static void ssl__gemm_tile(const ssl__gemm_kind *kind, int kc, const char *a, const char *b, float *y, int64_t ldy, int rows, int cols, int add)
{
    float rim[SSL__AMX_TILE * SSL__AMX_TILE];
    int i, j;
    if (rows >= kind->mr && cols >= kind->panel) { kind->tile(kc, a, b, y, ldy, add); return; }
    rows = SSL__MIN(rows, kind->mr);
    cols = SSL__MIN(cols, kind->panel);
    kind->tile(kc, a, b, rim, kind->panel, 0);
    for (i = 0; i < rows; i++, y += ldy)
        for (j = 0; j < cols; j++) y[j] = (add ? y[j] : 0.0f) + rim[i * kind->panel + j];
}
static void ssl__gemm_panels_multiply(const ssl__gemm_kind *kind, ssl__gemm_block *b) /* panels of b outermost, so that one stays in L1 */
{
    const size_t step = (size_t)ssl__round_up(b->kc, kind->kr) * (size_t)kind->elem;
    int i, j;
    for (j = 0; j < b->cols; j += kind->panel)
        for (i = 0; i < b->rows; i += kind->mr)
            ssl__gemm_tile(kind, ssl__round_up(b->kc, kind->kr), (const char *)b->a + (size_t)i * step, (const char *)b->b + (size_t)j * step,
                           b->y + i * b->ldy + j, b->ldy, b->rows - i, b->cols - j, b->add);
}

static const ssl__gemm_kind ssl__amx_bf16 = { SSL__AMX_TILE, SSL__AMX_KR, 2, SSL__AMX_TILE, 32, 256, 256, 256.0f, 0, 0, ssl__gemm_panels_a, ssl__gemm_panels_b,
    ssl__gemm_panels_multiply, SSL__K(gemm_finish), ssl__amx_begin, ssl__amx_end, ssl__amx_pack_a_bf16, ssl__amx_pack_b_bf16, ssl__amx_tile_bf16, 0 };
static const ssl__gemm_kind ssl__amx_high = { SSL__AMX_TILE, SSL__AMX_KR, 4, SSL__AMX_TILE, 32, 256, 256, 128.0f, 0, 0, ssl__gemm_panels_a, ssl__gemm_panels_b,
    ssl__gemm_panels_multiply, SSL__K(gemm_finish), ssl__amx_begin, ssl__amx_end, ssl__amx_pack_a_high, ssl__amx_pack_b_high, ssl__amx_tile_high, 0 };
#endif

/* how this context multiplies; least: the shortest side of the product, of which a tile of AMX would be mostly padding */
static const ssl__gemm_kind *SSL__K(gemm_kind)(const ssl_ctx *c, int least)
{
#if SSL__PASS == 2 && defined(SSL__AMX)
    if (c->amx && least >= SSL__AMX_TILE / 2 && c->precision == SSL_PRECISION_BF16) return &ssl__amx_bf16;
    if (c->amx && least >= SSL__AMX_TILE / 2 && c->precision == SSL_PRECISION_HIGH) return &ssl__amx_high;
#endif
#if SSL__PASS == 2 && defined(SSL__AVX512BF16)
    if (c->bf16 && c->precision == SSL_PRECISION_BF16) return &ssl__bf16_kind;
#endif
    (void)least;
    return c->precision == SSL_PRECISION_BF16 ? &SSL__K(gemm_bf16) : &SSL__K(gemm_f32);
}
static void SSL__K(gemm)(ssl_ctx *c, int ta, int tb, int batch, int m, int n, int k, const float *a, int lda, int64_t sa,
                         const float *b, int ldb, int64_t sb, float beta, float *y, int ldy, int64_t sy, const ssl__epilogue *ep)
{
    ssl__gemm_kind kind = *SSL__K(gemm_kind)(c, SSL__MIN(m, SSL__MIN(n, k)));
    kind.half = ep ? ep->half : 0;
#if SSL__PASS == 2 && defined(SSL__AVX512BF16)
    if (kind.half & SSL__HALF_Y) kind.finish = ssl__bf16_finish;
#endif
    if (ep && !ep->bias && !ep->pre && !ep->residual && ep->act <= SSL_ACT_NONE && !(kind.half & SSL__HALF_Y)) ep = NULL;
    ssl__gemm_run(c, &kind, ta, tb, batch, m, n, k, a, lda, sa, b, ldb, sb, beta, y, ldy, sy, ep, NULL);
}
static void SSL__K(linear_bw)(ssl_ctx *c, int rows, int in, int out, const float *x, const float *dy, float beta, float *dw, float *db)
{
    const ssl__gemm_kind *kind = SSL__K(gemm_kind)(c, SSL__MIN(rows, SSL__MIN(in, out)));
    const int sums = db && kind->tall && out > 1; /* while dy is packed, which one column is not */
    ssl__gemm_run(c, kind, 1, 0, 1, out, in, rows, dy, out, 0, x, in, 0, beta, dw, in, 0, NULL, sums ? db : NULL);
    if (db && !sums) SSL__K(colsum)(c, rows, out, dy, db);
}

/* ==== >>reduce ==== sums in 16 lanes per block of SSL__GRAIN, blocks added in order: the same for any thread count */
static void SSL__K(sum_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(ew) *e = (const SSL__K(ew) *)arg;
    const int64_t begin = (int64_t)chunk * SSL__GRAIN, end = SSL__K(ew_end)(e, chunk);
    float lane[16] = { 0.0f }, s = 0.0f;
    int64_t i = begin;
    int j;
    (void)thread;
    for (; i + 16 <= end; i += 16)
        for (j = 0; j < 16; j++) lane[j] += e->x[i + j];
    for (; i < end; i++) s += e->x[i];
    for (j = 0; j < 16; j++) s += lane[j];
    e->out[chunk] = s;
}
static void SSL__K(sum)(ssl_ctx *c, int64_t n, float scale, const float *x, float *y)
{
    const int n_chunks = (int)((n + SSL__GRAIN - 1) / SSL__GRAIN);
    float *part = (float *)ssl__scratch(c, -1, sizeof(float) * (size_t)n_chunks);
    SSL__K(ew) e = { n, scale, 0.0f, x, NULL, NULL, part };
    double s = 0.0;
    int i;
    if (!part) return;
    SSL__K(ew_run)(c, SSL__K(sum_chunk), &e);
    for (i = 0; i < n_chunks; i++) s += (double)part[i];
    y[0] = (float)(s * (double)scale);
}
typedef struct SSL__K(cs) { int rows, cols; const float *x; float *y; } SSL__K(cs);
static void SSL__K(colsum_chunk)(void *arg, int chunk, int thread) /* 64 columns, all rows in order */
{
    const SSL__K(cs) *e = (const SSL__K(cs) *)arg;
    const int j0 = chunk * 64, n = SSL__MIN(64, e->cols - j0);
    float s[64] = { 0.0f };
    int i, j;
    (void)thread;
    for (i = 0; i < e->rows; i++) {
        const float *SSL_RESTRICT x = e->x + (int64_t)i * e->cols + j0;
        if (n == 64) for (j = 0; j < 64; j++) s[j] += x[j];
        else for (j = 0; j < n; j++) s[j] += x[j];
    }
    for (j = 0; j < n; j++) e->y[j0 + j] += s[j];
}
static void SSL__K(colsum)(ssl_ctx *c, int rows, int cols, const float *x, float *y)
{ SSL__K(cs) e = { rows, cols, x, y }; ssl__parallel(c, (cols + 63) / 64, SSL__K(colsum_chunk), &e); }
static void SSL__K(spread_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(ew) *e = (const SSL__K(ew) *)arg;
    const int64_t end = SSL__K(ew_end)(e, chunk);
    int64_t i;
    (void)thread;
    for (i = (int64_t)chunk * SSL__GRAIN; i < end; i++) e->out[i] += e->p;
}
static void SSL__K(spread)(ssl_ctx *c, int64_t n, float scale, const float *x, float *y)
{ SSL__K(ew) e = { n, scale * x[0], 0.0f, NULL, NULL, NULL, y }; SSL__K(ew_run)(c, SSL__K(spread_chunk), &e); }

/* ==== >>broadcast ==== kernels ======================================================================= */
/* One driver for everything that walks a loop nest: rows of up to SSL__BLOCK elements, sums cut into slices of SSL__SLICE
   rows whose partial results are added in order. Rows add dy (derivative) to d, or write the value of a binary op. */
typedef void (*SSL__K(row_fn))(int n, float scale, const float *a, const float *b, const float *dy, float *d);
typedef struct SSL__K(nest_job) {
    const ssl__nest *s;
    SSL__K(row_fn) row;
    int writes;                /* the row writes d instead of adding to it */
    float scale, beta;
    const float *in[3];        /* operands 1..3 (NULL: the row does not read it) */
    float *out, *part;         /* part [slices, out_n]: one result per slice when there are several */
    int64_t out_n, units, sums; /* blocks of out, and rows that each sums up */
    int blocks, slices, group; /* blocks of the inner axis, slices of the sum, tasks per chunk */
} SSL__K(nest_job);

static float SSL__K(lanes)(const float *x, int n) /* sum in 16 lanes, always in the same order */
{
    float lane[16] = { 0.0f }, s = 0.0f;
    int i = 0, j;
    for (; i + 16 <= n; i += 16) for (j = 0; j < 16; j++) lane[j] += x[i + j];
    for (; i < n; i++) s += x[i];
    for (j = 0; j < 16; j++) s += lane[j];
    return s;
}

/* n elements of an operand from element i of the inner axis; a repeated value is spread over buf. */
static const float *SSL__K(nest_in)(const float *p, int64_t off, int64_t stride, int64_t i, int n, float *buf)
{
    int j;
    if (!p) return NULL;
    if (stride) return p + off + i;
    for (j = 0; j < n; j++) buf[j] = p[off];
    return buf;
}

/* One block of out (or its only element, if the inner axis is summed), one slice of its sum. */
static void SSL__K(nest_unit)(const SSL__K(nest_job) *e, int64_t unit, int slice)
{
    const ssl__nest *s = e->s;
    const int last = s->n - 1, sum_inner = s->st[0][last] == 0;
    const int width = (int)SSL__MIN(s->dim[last], SSL__BLOCK);
    const int64_t begin = (int64_t)slice * SSL__SLICE, end = SSL__MIN(begin + SSL__SLICE, e->sums);
    ssl__cursor o = ssl__nest_seek(s, 0, s->n_keep, sum_inner ? unit : unit / e->blocks);
    ssl__cursor u = ssl__nest_seek(s, s->n_keep, last, sum_inner ? begin / e->blocks : begin);
    int64_t block = sum_inner ? begin % e->blocks : unit % e->blocks, r;
    float buf[3][SSL__BLOCK], acc[SSL__BLOCK];
    const float beta = e->slices > 1 ? 0.0f : e->beta;
    float *out = (e->slices > 1 ? e->part + slice * e->out_n : e->out) + o.off[0] + (sum_inner ? 0 : block * SSL__BLOCK);
    float *d = sum_inner ? acc : out;
    if (sum_inner) memset(acc, 0, sizeof(float) * (size_t)width);
    else if (beta == 0.0f && !e->writes) memset(out, 0, sizeof(float) * (size_t)SSL__MIN(SSL__BLOCK, s->dim[last] - block * SSL__BLOCK));
    for (r = begin; r < end; r++) {
        const int64_t i = block * SSL__BLOCK;
        const int n = (int)SSL__MIN(SSL__BLOCK, s->dim[last] - i);
        const float *p[3];
        int k;
        for (k = 0; k < 3; k++) p[k] = SSL__K(nest_in)(e->in[k], o.off[k + 1] + u.off[k + 1], s->st[k + 1][last], i, n, buf[k]);
        e->row(n, e->scale, p[0], p[1], p[2], d);
        if (sum_inner && ++block < e->blocks) continue;
        if (sum_inner) block = 0;
        ssl__nest_next(&u);
    }
    if (sum_inner) *out = (beta != 0.0f ? beta * *out : 0.0f) + SSL__K(lanes)(acc, width);
}

static void SSL__K(nest_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(nest_job) *e = (const SSL__K(nest_job) *)arg;
    const int64_t begin = (int64_t)chunk * e->group, end = SSL__MIN(begin + e->group, e->units * e->slices);
    int64_t t;
    (void)thread;
    for (t = begin; t < end; t++) SSL__K(nest_unit)(e, t / e->slices, (int)(t % e->slices));
}
static void SSL__K(nest_join_chunk)(void *arg, int chunk, int thread) /* out = beta out + the slices in order */
{
    const SSL__K(nest_job) *e = (const SSL__K(nest_job) *)arg;
    const int64_t i = (int64_t)chunk * SSL__BLOCK;
    const int n = (int)SSL__MIN(SSL__BLOCK, e->out_n - i);
    float acc[SSL__BLOCK] = { 0.0f };
    int j, k;
    (void)thread;
    for (k = 0; k < e->slices; k++) {
        const float *SSL_RESTRICT p = e->part + k * e->out_n + i;
        for (j = 0; j < n; j++) acc[j] += p[j];
    }
    for (j = 0; j < n; j++) e->out[i + j] = (e->beta != 0.0f ? e->beta * e->out[i + j] : 0.0f) + acc[j];
}

static void SSL__K(nest_run)(ssl_ctx *c, SSL__K(nest_job) *e)
{
    const ssl__nest *s = e->s;
    const int last = s->n - 1, sum_inner = s->st[0][last] == 0;
    int64_t tasks, work;
    e->blocks = (int)((s->dim[last] + SSL__BLOCK - 1) / SSL__BLOCK);
    e->units = ssl__nest_steps(s, 0, s->n_keep);
    e->out_n = e->units * (sum_inner ? 1 : s->dim[last]);
    e->sums = ssl__nest_steps(s, s->n_keep, last);
    *(sum_inner ? &e->sums : &e->units) *= e->blocks;
    e->slices = (int)((e->sums + SSL__SLICE - 1) / SSL__SLICE);
    if (e->slices > 1 && !(e->part = (float *)ssl__scratch(c, -1, sizeof(float) * (size_t)e->slices * (size_t)e->out_n))) return;
    work = SSL__MIN(s->dim[last], SSL__BLOCK) * SSL__MIN(e->sums, SSL__SLICE);
    e->group = (int)SSL__MAX(1, SSL__GRAIN / work);
    tasks = e->units * e->slices;
    ssl__parallel(c, (int)((tasks + e->group - 1) / e->group), SSL__K(nest_chunk), e);
    if (e->slices > 1) ssl__parallel(c, (int)((e->out_n + SSL__BLOCK - 1) / SSL__BLOCK), SSL__K(nest_join_chunk), e);
}

#define SSL__BINARY_CPU(name, value, derivative_a, derivative_b)                                               \
    static void SSL__K(name##_f_row)(int n, float scale, const float *pa, const float *pb, const float *dy, float *y) \
    {                                                                                                          \
        float *SSL_RESTRICT out = y;                                                                           \
        int j;                                                                                                 \
        (void)scale; (void)dy;                                                                                 \
        for (j = 0; j < n; j++) { const float a = pa[j], b = pb[j]; out[j] = (value); }                        \
    }                                                                                                          \
    SSL__BINARY_GRAD_CPU(name, da, derivative_a)                                                               \
    SSL__BINARY_GRAD_CPU(name, db, derivative_b)                                                               \
    static void SSL__K(name##_f)(ssl_ctx *c, const ssl__nest *s, const float *a, const float *b, float *y)     \
    {                                                                                                          \
        SSL__K(nest_job) e = { s, SSL__K(name##_f_row), 1, 1.0f, 0.0f, { a, b, NULL }, y, NULL, 0, 0, 0, 0, 0, 0 }; \
        SSL__K(nest_run)(c, &e);                                                                               \
    }
#define SSL__BINARY_GRAD_CPU(name, grad, derivative)                                                           \
    static void SSL__K(name##_##grad##_row)(int n, float scale, const float *pa, const float *pb, const float *dy, float *d) \
    {                                                                                                          \
        float *SSL_RESTRICT out = d;                                                                           \
        int j;                                                                                                 \
        (void)scale;                                                                                           \
        for (j = 0; j < n; j++) { const float a = pa[j], b = pb[j]; (void)a; (void)b; out[j] += dy[j] * (derivative); } \
    }                                                                                                          \
    static void SSL__K(name##_##grad)(ssl_ctx *c, const ssl__nest *s, float beta, const float *a, const float *b, const float *dy, float *d) \
    {                                                                                                          \
        SSL__K(nest_job) e = { s, SSL__K(name##_##grad##_row), 0, 1.0f, beta, { a, b, dy }, d, NULL, 0, 0, 0, 0, 0, 0 }; \
        SSL__K(nest_run)(c, &e);                                                                               \
    }
SSL__BINARY(SSL__BINARY_CPU)
#undef SSL__BINARY_CPU
#undef SSL__BINARY_GRAD_CPU

static void SSL__K(reduce_row)(int n, float scale, const float *x, const float *b, const float *dy, float *d)
{
    float *SSL_RESTRICT out = d;
    int j;
    (void)b; (void)dy;
    for (j = 0; j < n; j++) out[j] += scale * x[j];
}
static void SSL__K(reduce)(ssl_ctx *c, const ssl__nest *s, float scale, float beta, const float *x, float *y)
{
    SSL__K(nest_job) e = { s, SSL__K(reduce_row), 0, scale, beta, { x, NULL, NULL }, y, NULL, 0, 0, 0, 0, 0, 0 };
    SSL__K(nest_run)(c, &e);
}

/* ==== >>shape ==== kernels =========================================================================== */
typedef struct SSL__K(move) {
    const ssl__nest *s;
    int add;
    float scale;
    const float *x;
    float *y;
    int64_t rows;
    int blocks, group; /* blocks of one row; rows per chunk, or 1 and a chunk is one block */
} SSL__K(move);
static void SSL__K(move_row)(const SSL__K(move) *e, int n, const float *x, int64_t sx, float *y, int64_t sy)
{
    const float *SSL_RESTRICT in = x;
    float *SSL_RESTRICT out = y;
    int j;
    if (sx == 1 && sy == 1) {
        if (e->add) for (j = 0; j < n; j++) out[j] += e->scale * in[j];
        else memcpy(out, in, sizeof(float) * (size_t)n);
    } else {
        if (e->add) for (j = 0; j < n; j++) out[j * sy] += e->scale * in[j * sx];
        else for (j = 0; j < n; j++) out[j * sy] = in[j * sx];
    }
}
static void SSL__K(move_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(move) *e = (const SSL__K(move) *)arg;
    const ssl__nest *s = e->s;
    const int last = s->n - 1;
    const int64_t row = (int64_t)(chunk / e->blocks) * e->group, end = SSL__MIN(row + e->group, e->rows);
    const int64_t j = (int64_t)(chunk % e->blocks) * SSL__GRAIN, sx = s->st[1][last], sy = s->st[0][last];
    const int n = (int)SSL__MIN(SSL__GRAIN, s->dim[last] - j);
    ssl__cursor u = ssl__nest_seek(s, 0, last, row);
    int64_t r;
    (void)thread;
    for (r = row; r < end; r++, ssl__nest_next(&u))
        SSL__K(move_row)(e, n, e->x + u.off[1] + j * sx, sx, e->y + u.off[0] + j * sy, sy);
}
static void SSL__K(move_run)(ssl_ctx *c, SSL__K(move) *e)
{
    const int64_t n = e->s->dim[e->s->n - 1];
    e->rows = ssl__nest_steps(e->s, 0, e->s->n - 1);
    e->blocks = (int)((n + SSL__GRAIN - 1) / SSL__GRAIN);
    e->group = (int)SSL__MAX(1, SSL__GRAIN / n);
    ssl__parallel(c, (int)((e->rows + e->group - 1) / e->group) * e->blocks, SSL__K(move_chunk), e);
}
static void SSL__K(copy)(ssl_ctx *c, const ssl__nest *s, const float *x, float *y)
{ SSL__K(move) e = { s, 0, 1.0f, x, y, 0, 0, 0 }; SSL__K(move_run)(c, &e); }
static void SSL__K(copy_add)(ssl_ctx *c, const ssl__nest *s, float scale, const float *x, float *y)
{ SSL__K(move) e = { s, 1, scale, x, y, 0, 0, 0 }; SSL__K(move_run)(c, &e); }

/* ==== >>token ==== kernels =========================================================================== */
typedef struct SSL__K(tok) { int L, K, D, shared, split; float beta; const int32_t *index; const float *x; float *y; } SSL__K(tok);
static void SSL__K(gather_chunk)(void *arg, int b, int thread) /* one sample */
{
    const SSL__K(tok) *e = (const SSL__K(tok) *)arg;
    const int32_t *index = e->index + (e->shared ? 0 : (int64_t)b * e->K);
    int k, j;
    (void)thread;
    for (k = 0; k < e->K; k++) {
        const float *SSL_RESTRICT x = e->x + ((int64_t)b * e->L + index[k]) * e->D;
        float *SSL_RESTRICT y = e->y + ((int64_t)b * e->K + k) * e->D;
        if (e->beta != 0.0f) for (j = 0; j < e->D; j++) y[j] += x[j];
        else memcpy(y, x, sizeof(float) * (size_t)e->D);
    }
}
static void SSL__K(gather_f)(ssl_ctx *c, int B, int L, int K, int D, int shared, float beta, const float *x, const int32_t *index, float *y)
{ SSL__K(tok) e = { L, K, D, shared, 1, beta, index, x, y }; ssl__parallel(c, B, SSL__K(gather_chunk), &e); }

/* x[index] = or += rows, one sample and 1/split of the columns; indices in order, so repeated ones add up the same way. */
static void SSL__K(scatter_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(tok) *e = (const SSL__K(tok) *)arg;
    const int b = chunk / e->split, part = (e->D + e->split - 1) / e->split;
    const int j0 = chunk % e->split * part, n = SSL__MIN(part, e->D - j0);
    const int32_t *index = e->index + (e->shared ? 0 : (int64_t)b * e->K);
    int k, j;
    (void)thread;
    for (k = 0; k < e->K && n > 0; k++) {
        const float *SSL_RESTRICT x = e->x + ((int64_t)b * e->K + k) * e->D + j0;
        float *SSL_RESTRICT y = e->y + ((int64_t)b * e->L + index[k]) * e->D + j0;
        if (e->beta != 0.0f) for (j = 0; j < n; j++) y[j] += x[j];
        else memcpy(y, x, sizeof(float) * (size_t)n);
    }
}
static void SSL__K(gather_b)(ssl_ctx *c, int B, int L, int K, int D, int shared, const int32_t *index, const float *dy, float *dx)
{
    SSL__K(tok) e = { L, K, D, shared, (D + 255) / 256, 1.0f, index, dy, dx };
    ssl__parallel(c, B * e.split, SSL__K(scatter_chunk), &e);
}
static void SSL__K(scatter_f)(ssl_ctx *c, int B, int L, int K, int D, const float *x, const int32_t *index, float *y)
{ SSL__K(tok) e = { L, K, D, 0, 1, 0.0f, index, x, y }; ssl__parallel(c, B, SSL__K(scatter_chunk), &e); }

#if SSL__PASS == 0 /* SSL__KERNELS_SMALL */
static void SSL__K(scatter_base_chunk)(void *arg, int b, int thread)
{
    const SSL__K(tok) *e = (const SSL__K(tok) *)arg;
    const int32_t *index = e->index + (int64_t)b * e->K;
    int l, k, j;
    (void)thread;
    for (l = 0; l < e->L; l++) {
        const float *SSL_RESTRICT dy = e->x + ((int64_t)b * e->L + l) * e->D;
        float *SSL_RESTRICT dbase = e->y + ((int64_t)b * e->L + l) * e->D;
        int hit = 0;
        for (k = 0; k < e->K; k++) hit |= index[k] == l;
        if (!hit) for (j = 0; j < e->D; j++) dbase[j] += dy[j];
    }
}
static void SSL__K(scatter_base_b)(ssl_ctx *c, int B, int L, int K, int D, const int32_t *index, const float *dy, float *dbase)
{ SSL__K(tok) e = { L, K, D, 0, 1, 1.0f, index, dy, dbase }; ssl__parallel(c, B, SSL__K(scatter_base_chunk), &e); }

/* ---- order and chance ---- */
typedef struct SSL__K(sort) { ssl_ctx *c; int n; const float *x; int32_t *y; } SSL__K(sort);
static void SSL__K(argsort_row)(void *arg, int row, int thread) /* merge sort, runs of 1, 2, 4 ... */
{
    const SSL__K(sort) *e = (const SSL__K(sort) *)arg;
    const int n = e->n;
    const float *x = e->x + (int64_t)row * n;
    int32_t *y = e->y + (int64_t)row * n, *tmp = (int32_t *)ssl__scratch(e->c, thread, sizeof(int32_t) * (size_t)n);
    int run, i, j, k, o;
    if (!tmp) return;
    for (i = 0; i < n; i++) y[i] = i;
    for (run = 1; run < n; run *= 2) {
        memcpy(tmp, y, sizeof(int32_t) * (size_t)n);
        for (o = 0; o < n;) {
            const int mid = SSL__MIN(o + run, n), end = SSL__MIN(mid + run, n);
            for (i = o, j = mid, k = o; k < end; k++) y[k] = j >= end || (i < mid && !(x[tmp[j]] < x[tmp[i]])) ? tmp[i++] : tmp[j++];
            o = end;
        }
    }
}
static void SSL__K(argsort)(ssl_ctx *c, int rows, int n, const float *x, int32_t *y)
{ SSL__K(sort) e = { c, n, x, y }; ssl__parallel(c, rows, SSL__K(argsort_row), &e); }

static void SSL__K(i32_to_f32)(ssl_ctx *c, int64_t n, const int32_t *x, float *y)
{
    int64_t i;
    (void)c;
    for (i = 0; i < n; i++) y[i] = (float)x[i];
}
#endif

/* Draws 128 block .. 128 block + 127 of a stream: 32 counters side by side, as ssl__philox does one. */
#if SSL__PASS == 2
/* A counter word is the lower half of 64 bits, whose upper half is anything: products read lower halves only. Lanes hold the
   counters 0 4 1 5 2 6 3 7, so that words unpacked within 128 bits lie in order. */
static void SSL__K(draw128)(uint64_t seed, uint64_t stream, uint64_t block, float *u)
{
    const __m512i m0 = _mm512_set1_epi64(0xD2511F53), m1 = _mm512_set1_epi64(0xCD9E8D57), lanes = _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0);
    __m512i c0[4], c1[4], c2[4], c3[4];
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    int r, i;
    SSL__UNROLL for (i = 0; i < 4; i++) {
        c0[i] = _mm512_add_epi64(_mm512_set1_epi64((int64_t)(block * 32) + 8 * i), lanes);
        c1[i] = _mm512_srli_epi64(c0[i], 32);
        c2[i] = _mm512_set1_epi64((int64_t)stream);
        c3[i] = _mm512_srli_epi64(c2[i], 32);
    }
    for (r = 0; r < 10; r++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        const __m512i v0 = _mm512_set1_epi64(k0), v1 = _mm512_set1_epi64(k1);
        SSL__UNROLL for (i = 0; i < 4; i++) {
            const __m512i a = _mm512_mul_epu32(c0[i], m0), b = _mm512_mul_epu32(c2[i], m1);
            c0[i] = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(b, 32), c1[i]), v0);
            c2[i] = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(a, 32), c3[i]), v1);
            c1[i] = b;
            c3[i] = a;
        }
    }
    SSL__UNROLL for (i = 0; i < 4; i++, u += 32) { /* as ssl__unit */
        const __m512i w01 = _mm512_mask_blend_epi32(0xaaaa, c0[i], _mm512_slli_epi64(c1[i], 32)), w23 = _mm512_mask_blend_epi32(0xaaaa, c2[i], _mm512_slli_epi64(c3[i], 32));
        const __m512 unit = _mm512_set1_ps(1.0f / 16777216.0f);
        _mm512_storeu_ps(u, _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_srli_epi32(_mm512_unpacklo_epi64(w01, w23), 8)), unit));
        _mm512_storeu_ps(u + 16, _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_srli_epi32(_mm512_unpackhi_epi64(w01, w23), 8)), unit));
    }
}
#else
static void SSL__K(draw128)(uint64_t seed, uint64_t stream, uint64_t block, float *u)
{
    uint32_t c0[32], c1[32], c2[32], c3[32], k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    int r, i;
    for (i = 0; i < 32; i++) {
        const uint64_t index = block * 32 + (uint64_t)i;
        c0[i] = (uint32_t)index; c1[i] = (uint32_t)(index >> 32); c2[i] = (uint32_t)stream; c3[i] = (uint32_t)(stream >> 32);
    }
    for (r = 0; r < 10; r++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
        for (i = 0; i < 32; i++) {
            const uint64_t a = (uint64_t)0xD2511F53u * c0[i], b = (uint64_t)0xCD9E8D57u * c2[i];
            c0[i] = (uint32_t)(b >> 32) ^ c1[i] ^ k0;
            c1[i] = (uint32_t)b;
            c2[i] = (uint32_t)(a >> 32) ^ c3[i] ^ k1;
            c3[i] = (uint32_t)a;
        }
    for (i = 0; i < 32; i++) { u[4 * i] = ssl__unit(c0[i]); u[4 * i + 1] = ssl__unit(c1[i]); u[4 * i + 2] = ssl__unit(c2[i]); u[4 * i + 3] = ssl__unit(c3[i]); }
}
#endif
typedef struct SSL__K(draws) { int64_t n; uint64_t seed, stream; float *y; } SSL__K(draws);
static void SSL__K(uniform_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(draws) *e = (const SSL__K(draws) *)arg;
    const int64_t end = SSL__MIN(((int64_t)chunk + 1) * SSL__GRAIN, e->n);
    int64_t i;
    float u[128];
    (void)thread;
    for (i = (int64_t)chunk * SSL__GRAIN; i < end; i += 128) {
        SSL__K(draw128)(e->seed, e->stream, (uint64_t)i / 128, u);
        memcpy(e->y + i, u, sizeof(float) * (size_t)SSL__MIN(128, end - i));
    }
}
static void SSL__K(uniform)(ssl_ctx *c, int64_t n, uint64_t seed, uint64_t stream, float *y)
{
    SSL__K(draws) e = { n, seed, stream, y };
    ssl__parallel(c, (int)((n + SSL__GRAIN - 1) / SSL__GRAIN), SSL__K(uniform_chunk), &e);
}

/* ==== >>norm ==== kernels: a row of n floats at a time, it stays in L1 between its sweeps ================== */
static float SSL__K(row_sum)(int n, const float *x) /* in three sums, as one would wait for itself */
{
    SSL__V s = SSL__VZERO(), t = s, u = s;
    int j;
    for (j = 0; j + 3 * SSL__W <= n; j += 3 * SSL__W) {
        s = SSL__VADD(s, SSL__VLOAD(x + j));
        t = SSL__VADD(t, SSL__VLOAD(x + j + SSL__W));
        u = SSL__VADD(u, SSL__VLOAD(x + j + 2 * SSL__W));
    }
    for (; j < n; j += SSL__W) s = SSL__VADD(s, SSL__K(ld)(x + j, n - j, SSL__VZERO()));
    return SSL__VSUM(SSL__VADD(s, SSL__VADD(t, u)));
}
static float SSL__K(row_dot)(int n, const float *a, const float *b)
{
    SSL__V s = SSL__VZERO();
    int j;
    for (j = 0; j < n; j += SSL__W) s = SSL__VFMA(SSL__K(ld)(a + j, n - j, SSL__VZERO()), SSL__K(ld)(b + j, n - j, SSL__VZERO()), s);
    return SSL__VSUM(s);
}
static float SSL__K(row_spread)(int n, const float *x, float mean) /* sum (x - mean)^2 */
{
    const SSL__V m = SSL__VSET1(mean);
    SSL__V s = SSL__VZERO(), t = s, u = s, d;
    int j;
    for (j = 0; j + 3 * SSL__W <= n; j += 3 * SSL__W) {
        d = SSL__VSUB(SSL__VLOAD(x + j), m); s = SSL__VFMA(d, d, s);
        d = SSL__VSUB(SSL__VLOAD(x + j + SSL__W), m); t = SSL__VFMA(d, d, t);
        d = SSL__VSUB(SSL__VLOAD(x + j + 2 * SSL__W), m); u = SSL__VFMA(d, d, u);
    }
    for (; j < n; j += SSL__W) { d = SSL__VSUB(SSL__K(ld)(x + j, n - j, m), m); s = SSL__VFMA(d, d, s); }
    return SSL__VSUM(SSL__VADD(s, SSL__VADD(t, u)));
}
static float SSL__K(row_max)(int n, const float *x)
{
    SSL__V m = SSL__VSET1(x[0]);
    int j;
    for (j = 0; j < n; j += SSL__W) m = SSL__VMAX(m, SSL__K(ld)(x + j, n - j, m));
    return SSL__VTOP(m);
}
static float SSL__K(row_exp)(int n, const float *x, float shift, float *y) /* y = exp(x - shift) unless y is NULL; its sum */
{
    const SSL__V m = SSL__VSET1(shift), none = SSL__VSET1(-INFINITY);
    SSL__V s = SSL__VZERO();
    int j;
    for (j = 0; j < n; j += SSL__W) {
        const SSL__V e = SSL__K(vexp)(SSL__VSUB(SSL__K(ld)(x + j, n - j, none), m));
        if (y) SSL__K(st)(y + j, n - j, e);
        s = SSL__VADD(s, e);
    }
    return SSL__VSUM(s);
}
static void SSL__K(row_affine)(int n, const float *x, float a, float b, float *y) /* y = a x + b */
{
    const SSL__V av = SSL__VSET1(a), bv = SSL__VSET1(b);
    int j;
    for (j = 0; j < n; j += SSL__W) SSL__K(st)(y + j, n - j, SSL__VFMA(SSL__K(ld)(x + j, n - j, bv), av, bv));
}

typedef struct SSL__K(rowjob) { /* what the kernels over rows hand to their chunks; chunk i has rows i step .. i step + step - 1 */
    int rows, cols, step, log;
    float p, beta;
    const float *x, *w, *b, *y, *dy, *stat;
    const int32_t *target;
    float *out, *out2, *part;
} SSL__K(rowjob);
static int SSL__K(row_chunks)(SSL__K(rowjob) *e, int most) /* cut the rows: chunks of about SSL__GRAIN elements, no more than most */
{
    const int step = SSL__MAX(1, SSL__GRAIN / e->cols), least = (e->rows + most - 1) / most;
    e->step = SSL__MAX(step, least);
    return (e->rows + e->step - 1) / e->step;
}
static int SSL__K(row_end)(const SSL__K(rowjob) *e, int chunk)
{ const int64_t end = ((int64_t)chunk + 1) * e->step; return (int)SSL__MIN(end, e->rows); }

/* ---- layer norm: y = xh w + b, xh = (x - mean) r, r = 1 / sqrt(var + eps) */
static SSL__INLINE void SSL__K(layer_norm_f_rows)(SSL__K(put_fn) *put, const SSL__K(rowjob) *e, int chunk) /* put: how y is kept */
{
    const int n = e->cols, end = SSL__K(row_end)(e, chunk);
    int i, j;
    for (i = chunk * e->step; i < end; i++) {
        const float *x = e->x + (int64_t)i * n, mean = SSL__K(row_sum)(n, x) / (float)n;
        const float r = 1.0f / sqrtf(SSL__K(row_spread)(n, x, mean) / (float)n + e->p);
        const SSL__V mv = SSL__VSET1(mean), rv = SSL__VSET1(r), zero = SSL__VZERO();
        e->out2[2 * (int64_t)i] = mean;
        e->out2[2 * (int64_t)i + 1] = r;
        for (j = 0; j < n; j += SSL__W) {
            SSL__V v = SSL__VMUL(SSL__VSUB(SSL__K(ld)(x + j, n - j, mv), mv), rv);
            if (e->w) v = SSL__VMUL(v, SSL__K(ld)(e->w + j, n - j, zero));
            if (e->b) v = SSL__VADD(v, SSL__K(ld)(e->b + j, n - j, zero));
            put(e->out, (int64_t)i * n + j, n - j, v);
        }
    }
}
static void SSL__K(layer_norm_f_chunk)(void *arg, int chunk, int thread)
{
    (void)thread;
    SSL__K(layer_norm_f_rows)(SSL__K(put), (const SSL__K(rowjob) *)arg, chunk);
}
static void SSL__K(layer_norm_f_run)(ssl__chunk_fn fn, ssl_ctx *c, int rows, int cols, float eps, const float *x, const float *w, const float *b, float *y, float *stat)
{
    SSL__K(rowjob) e;
    memset(&e, 0, sizeof e);
    e.rows = rows; e.cols = cols; e.p = eps; e.x = x; e.w = w; e.b = b; e.out = y; e.out2 = stat;
    ssl__parallel(c, SSL__K(row_chunks)(&e, rows), fn, &e);
}
static void SSL__K(layer_norm_f)(ssl_ctx *c, int rows, int cols, float eps, const float *x, const float *w, const float *b, float *y, float *stat)
{ SSL__K(layer_norm_f_run)(SSL__K(layer_norm_f_chunk), c, rows, cols, eps, x, w, b, y, stat); }
/* With g = dy w and <.> the mean over the row: dx = r (g - <g> - xh <g xh>).  dw = sum dy xh, db = sum dy over the rows:
   each chunk sums its own into part [2, chunks, cols], the chunks are added in order afterwards. */
static SSL__INLINE void SSL__K(layer_norm_b_row)(const int half, const SSL__K(rowjob) *e, int i, float *dw, float *db) /* half: dy is bf16 */
{
    const int n = e->cols;
    const float *x = e->x + (int64_t)i * n, *dy = ssl__element(e->dy, half, (int64_t)i * n), *stat = e->stat + 2 * (int64_t)i;
    const SSL__V zero = SSL__VZERO(), mean = SSL__VSET1(stat[0]), r = SSL__VSET1(stat[1]);
    SSL__V s = zero, sx = zero;
    int j;
    for (j = 0; j < n; j += SSL__W) {
        const SSL__V d = SSL__K(take)(half, dy, j, n - j), xh = SSL__VMUL(SSL__VSUB(SSL__K(ld)(x + j, n - j, mean), mean), r);
        const SSL__V g = e->w ? SSL__VMUL(d, SSL__K(ld)(e->w + j, n - j, zero)) : d;
        s = SSL__VADD(s, g);
        sx = SSL__VFMA(g, xh, sx);
        if (!dw) continue;
        SSL__K(st)(dw + j, n - j, SSL__VFMA(d, xh, SSL__K(ld)(dw + j, n - j, zero)));
        SSL__K(st)(db + j, n - j, SSL__VADD(d, SSL__K(ld)(db + j, n - j, zero)));
    }
    if (!e->out) return;
    s = SSL__VSET1(SSL__VSUM(s) / (float)n);
    sx = SSL__VSET1(SSL__VSUM(sx) / (float)n);
    for (j = 0; j < n; j += SSL__W) {
        const SSL__V d = SSL__K(take)(half, dy, j, n - j), xh = SSL__VMUL(SSL__VSUB(SSL__K(ld)(x + j, n - j, mean), mean), r);
        const SSL__V g = e->w ? SSL__VMUL(d, SSL__K(ld)(e->w + j, n - j, zero)) : d;
        float *dx = e->out + (int64_t)i * n + j;
        SSL__V v = SSL__VMUL(r, SSL__VSUB(SSL__VSUB(g, s), SSL__VMUL(xh, sx)));
        if (e->beta != 0.0f) v = SSL__VADD(v, SSL__K(ld)(dx, n - j, zero));
        SSL__K(st)(dx, n - j, v);
    }
}
static SSL__INLINE void SSL__K(layer_norm_b_rows)(const int half, const SSL__K(rowjob) *e, int chunk)
{
    const int end = SSL__K(row_end)(e, chunk), chunks = (e->rows + e->step - 1) / e->step;
    float *dw = e->part ? e->part + (int64_t)chunk * e->cols : NULL, *db = dw ? dw + (int64_t)chunks * e->cols : NULL;
    int i;
    if (dw) memset(dw, 0, sizeof(float) * (size_t)e->cols);
    if (db) memset(db, 0, sizeof(float) * (size_t)e->cols);
    for (i = chunk * e->step; i < end; i++) SSL__K(layer_norm_b_row)(half, e, i, dw, db);
}
static void SSL__K(layer_norm_b_chunk)(void *arg, int chunk, int thread)
{
    (void)thread;
    SSL__K(layer_norm_b_rows)(0, (const SSL__K(rowjob) *)arg, chunk);
}
static void SSL__K(layer_norm_b_run)(ssl__chunk_fn fn, ssl_ctx *c, int rows, int cols, const float *x, const float *w, const float *stat, const float *dy,
                                     float beta, float *dx, float *dw, float *db)
{
    SSL__K(rowjob) e;
    int chunks;
    memset(&e, 0, sizeof e);
    e.rows = rows; e.cols = cols; e.x = x; e.w = w; e.stat = stat; e.dy = dy; e.beta = beta; e.out = dx;
    chunks = SSL__K(row_chunks)(&e, 64);
    if (dw || db) e.part = (float *)ssl__scratch(c, -1, sizeof(float) * 2 * (size_t)chunks * (size_t)cols);
    if ((dw || db) && !e.part) return;
    ssl__parallel(c, chunks, fn, &e);
    if (dw) SSL__K(colsum)(c, chunks, cols, e.part, dw);
    if (db) SSL__K(colsum)(c, chunks, cols, e.part + (int64_t)chunks * cols, db);
}
static void SSL__K(layer_norm_b)(ssl_ctx *c, int rows, int cols, const float *x, const float *w, const float *stat, const float *dy,
                                 float beta, float *dx, float *dw, float *db)
{ SSL__K(layer_norm_b_run)(SSL__K(layer_norm_b_chunk), c, rows, cols, x, w, stat, dy, beta, dx, dw, db); }
#if SSL__PASS == 2 && defined(SSL__AVX512BF16)
SSL__BF16_FN void ssl__bf16_layer_norm_f_chunk(void *arg, int chunk, int thread)
{
    (void)thread;
    SSL__K(layer_norm_f_rows)(ssl__bf16_put, (const SSL__K(rowjob) *)arg, chunk);
}
static void ssl__bf16_layer_norm_f(ssl_ctx *c, int rows, int cols, float eps, const float *x, const float *w, const float *b, float *y, float *stat)
{ SSL__K(layer_norm_f_run)(ssl__bf16_layer_norm_f_chunk, c, rows, cols, eps, x, w, b, y, stat); }
static void ssl__bf16_layer_norm_b_chunk(void *arg, int chunk, int thread)
{
    (void)thread;
    SSL__K(layer_norm_b_rows)(1, (const SSL__K(rowjob) *)arg, chunk);
}
static void ssl__bf16_layer_norm_b(ssl_ctx *c, int rows, int cols, const float *x, const float *w, const float *stat, const float *dy,
                                   float beta, float *dx, float *dw, float *db)
{ SSL__K(layer_norm_b_run)(ssl__bf16_layer_norm_b_chunk, c, rows, cols, x, w, stat, dy, beta, dx, dw, db); }

/* ---- half_linear_b */
static SSL__INLINE __m512 ssl__bf16_slope(ssl_act act, __m512 x)
{
    float t[16];
    int q;
    if (act == SSL_ACT_RELU) return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ), _mm512_set1_ps(1.0f));
    if (act == SSL_ACT_GELU) {
        const __m512 d = ssl__gelu_cubic(1, x);
        return SSL__VIFNEG(x, d, _mm512_sub_ps(_mm512_set1_ps(1.0f), d));
    }
    _mm512_storeu_ps(t, x);
    for (q = 0; q < 16; q++) t[q] = ssl__dgelu_tanh(t[q]);
    return _mm512_loadu_ps(t);
}
SSL__BF16_FN void ssl__bf16_linear_b_chunk(void *arg, int chunk, int thread)
{
    const SSL__K(rowjob) *e = (const SSL__K(rowjob) *)arg;
    const int end = SSL__K(row_end)(e, chunk), half = e->log & 1;
    const ssl_act act = (ssl_act)(e->log / 2);
    float *sums = e->part ? e->part + (int64_t)chunk * e->cols : NULL;
    int i, j;
    (void)thread;
    if (sums) memset(sums, 0, sizeof(float) * (size_t)e->cols);
    for (i = chunk * e->step; i < end; i++)
        for (j = 0; j < e->cols; j += 16) {
            const int n = e->cols - j;
            const int64_t at = (int64_t)i * e->cols + j;
            __m512 d = SSL__K(take)(half, e->dy, at, n);
            if (e->x) d = _mm512_mul_ps(d, ssl__bf16_slope(act, SSL__K(take)(half, e->x, at, n)));
            if (e->out) ssl__bf16_put(e->out, at, n, d);
            if (sums) SSL__K(st)(sums + j, n, _mm512_add_ps(d, SSL__K(ld)(sums + j, n, d)));
        }
}
static void ssl__bf16_linear_b(ssl_ctx *c, int rows, int cols, int half, ssl_act act, const float *dy, const float *pre, float *dpre, float *db)
{
    SSL__K(rowjob) e;
    int chunks;
    memset(&e, 0, sizeof e);
    e.rows = rows; e.cols = cols; e.log = 2 * (int)act + (half != 0); e.dy = dy; e.x = pre; e.out = dpre;
    chunks = SSL__K(row_chunks)(&e, db ? 64 : rows);
    if (db) e.part = (float *)ssl__scratch(c, -1, sizeof(float) * (size_t)chunks * (size_t)cols);
    if (db && !e.part) return;
    ssl__parallel(c, chunks, ssl__bf16_linear_b_chunk, &e);
    if (db) SSL__K(colsum)(c, chunks, cols, e.part, db);
}
static const ssl__half_kernels ssl__bf16_half_kernels = { ssl__bf16_layer_norm_f, ssl__bf16_layer_norm_b, NULL, NULL, ssl__bf16_linear_b }; /* a CPU remakes no bf16 (ssl__kept), and its maps are float32 (ssl__inner_map) */
#endif

/* ---- softmax: y = exp(x - max) / sum.  log: y = x - max - ln sum */
static void SSL__K(softmax_f_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(rowjob) *e = (const SSL__K(rowjob) *)arg;
    const int n = e->cols, end = SSL__K(row_end)(e, chunk);
    int i;
    (void)thread;
    for (i = chunk * e->step; i < end; i++) {
        const float *x = e->x + (int64_t)i * n, top = SSL__K(row_max)(n, x);
        float *y = e->out + (int64_t)i * n, s = SSL__K(row_exp)(n, x, top, e->log ? NULL : y);
        if (e->log) SSL__K(row_affine)(n, x, 1.0f, -(top + logf(s)), y);
        else SSL__K(row_affine)(n, y, 1.0f / s, 0.0f, y);
    }
}
static void SSL__K(softmax_f)(ssl_ctx *c, int rows, int cols, int log, const float *x, float *y)
{
    SSL__K(rowjob) e;
    memset(&e, 0, sizeof e);
    e.rows = rows; e.cols = cols; e.log = log; e.x = x; e.out = y;
    ssl__parallel(c, SSL__K(row_chunks)(&e, rows), SSL__K(softmax_f_chunk), &e);
}
/* softmax: dx = y (dy - sum y dy);  log: dx = dy - exp(y) sum dy */
static void SSL__K(softmax_b_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(rowjob) *e = (const SSL__K(rowjob) *)arg;
    const int n = e->cols, end = SSL__K(row_end)(e, chunk);
    const SSL__V zero = SSL__VZERO();
    int i, j;
    (void)thread;
    for (i = chunk * e->step; i < end; i++) {
        const float *y = e->y + (int64_t)i * n, *dy = e->dy + (int64_t)i * n;
        const SSL__V s = SSL__VSET1(e->log ? SSL__K(row_sum)(n, dy) : SSL__K(row_dot)(n, y, dy));
        float *dx = e->out + (int64_t)i * n;
        for (j = 0; j < n; j += SSL__W) {
            const SSL__V yv = SSL__K(ld)(y + j, n - j, zero), d = SSL__K(ld)(dy + j, n - j, zero);
            SSL__V v = e->log ? SSL__VSUB(d, SSL__VMUL(SSL__K(vexp)(yv), s)) : SSL__VMUL(yv, SSL__VSUB(d, s));
            if (e->beta != 0.0f) v = SSL__VADD(v, SSL__K(ld)(dx + j, n - j, zero));
            SSL__K(st)(dx + j, n - j, v);
        }
    }
}
static void SSL__K(softmax_b)(ssl_ctx *c, int rows, int cols, int log, const float *y, const float *dy, float beta, float *dx)
{
    SSL__K(rowjob) e;
    memset(&e, 0, sizeof e);
    e.rows = rows; e.cols = cols; e.log = log; e.y = y; e.dy = dy; e.beta = beta; e.out = dx;
    ssl__parallel(c, SSL__K(row_chunks)(&e, rows), SSL__K(softmax_b_chunk), &e);
}

/* ---- l2 normalize: y = x / max(|x|, eps), |x| is kept.  dx = (dy - y sum y dy) / |x|, or dy / eps where |x| <= eps */
static void SSL__K(l2norm_f_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(rowjob) *e = (const SSL__K(rowjob) *)arg;
    const int n = e->cols, end = SSL__K(row_end)(e, chunk);
    int i;
    (void)thread;
    for (i = chunk * e->step; i < end; i++) {
        const float *x = e->x + (int64_t)i * n, norm = sqrtf(SSL__K(row_dot)(n, x, x));
        e->out2[i] = norm;
        SSL__K(row_affine)(n, x, 1.0f / SSL__MAX(norm, e->p), 0.0f, e->out + (int64_t)i * n);
    }
}
static void SSL__K(l2norm_f)(ssl_ctx *c, int rows, int cols, float eps, const float *x, float *y, float *norm)
{
    SSL__K(rowjob) e;
    memset(&e, 0, sizeof e);
    e.rows = rows; e.cols = cols; e.p = eps; e.x = x; e.out = y; e.out2 = norm;
    ssl__parallel(c, SSL__K(row_chunks)(&e, rows), SSL__K(l2norm_f_chunk), &e);
}
static void SSL__K(l2norm_b_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(rowjob) *e = (const SSL__K(rowjob) *)arg;
    const int n = e->cols, end = SSL__K(row_end)(e, chunk);
    const SSL__V zero = SSL__VZERO();
    int i, j;
    (void)thread;
    for (i = chunk * e->step; i < end; i++) {
        const float *y = e->y + (int64_t)i * n, *dy = e->dy + (int64_t)i * n, norm = e->stat[i];
        const SSL__V s = SSL__VSET1(norm > e->p ? SSL__K(row_dot)(n, y, dy) : 0.0f), r = SSL__VSET1(1.0f / SSL__MAX(norm, e->p));
        float *dx = e->out + (int64_t)i * n;
        for (j = 0; j < n; j += SSL__W) {
            SSL__V v = SSL__VMUL(r, SSL__VSUB(SSL__K(ld)(dy + j, n - j, zero), SSL__VMUL(s, SSL__K(ld)(y + j, n - j, zero))));
            if (e->beta != 0.0f) v = SSL__VADD(v, SSL__K(ld)(dx + j, n - j, zero));
            SSL__K(st)(dx + j, n - j, v);
        }
    }
}
static void SSL__K(l2norm_b)(ssl_ctx *c, int rows, int cols, float eps, const float *y, const float *norm, const float *dy, float beta, float *dx)
{
    SSL__K(rowjob) e;
    memset(&e, 0, sizeof e);
    e.rows = rows; e.cols = cols; e.p = eps; e.y = y; e.stat = norm; e.dy = dy; e.beta = beta; e.out = dx;
    ssl__parallel(c, SSL__K(row_chunks)(&e, rows), SSL__K(l2norm_b_chunk), &e);
}

/* ==== >>loss ==== kernels ============================================================================ */
/* ---- cross entropy of a row with target t: lse - (1 - s) x_t - s <x>.  part [chunks,2]: sum and count of a chunk's rows */
static void SSL__K(cross_entropy_f_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(rowjob) *e = (const SSL__K(rowjob) *)arg;
    const int n = e->cols, end = SSL__K(row_end)(e, chunk);
    float sum = 0.0f;
    int i, count = 0;
    (void)thread;
    for (i = chunk * e->step; i < end; i++) {
        const float *x = e->x + (int64_t)i * n;
        const float top = SSL__K(row_max)(n, x), lse = top + logf(SSL__K(row_exp)(n, x, top, NULL));
        const int t = e->target[i];
        e->out2[i] = lse;
        if (t == -100) continue;
        sum += lse - (1.0f - e->p) * ((unsigned)t < (unsigned)n ? x[t] : NAN); /* a target that is no class must not pass */
        if (e->p > 0.0f) sum -= e->p / (float)n * SSL__K(row_sum)(n, x);
        count++;
    }
    e->part[2 * chunk] = sum;
    e->part[2 * chunk + 1] = (float)count;
}
static void SSL__K(cross_entropy_f)(ssl_ctx *c, int rows, int cols, float smoothing, const float *x, const int32_t *target, float *loss, float *lse)
{
    SSL__K(rowjob) e;
    double sum = 0.0, count = 0.0;
    int i, chunks;
    memset(&e, 0, sizeof e);
    e.rows = rows; e.cols = cols; e.p = smoothing; e.x = x; e.target = target; e.out2 = lse;
    chunks = SSL__K(row_chunks)(&e, rows);
    e.part = (float *)ssl__scratch(c, -1, sizeof(float) * 2 * (size_t)chunks);
    if (!e.part) return;
    ssl__parallel(c, chunks, SSL__K(cross_entropy_f_chunk), &e);
    for (i = 0; i < chunks; i++) { sum += (double)e.part[2 * i]; count += (double)e.part[2 * i + 1]; }
    lse[rows] = count > 0.0 ? (float)(1.0 / count) : 0.0f;
    loss[0] = count > 0.0 ? (float)(sum / count) : 0.0f;
}
/* dx = (exp(x - lse) - q) dloss / count, 0 for rows that are not counted */
static void SSL__K(cross_entropy_b_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(rowjob) *e = (const SSL__K(rowjob) *)arg;
    const int n = e->cols, end = SSL__K(row_end)(e, chunk);
    const float scale = e->dy[0] * e->stat[e->rows];
    const SSL__V zero = SSL__VZERO(), k = SSL__VSET1(scale), all = SSL__VSET1(-scale * e->p / (float)n);
    int i, j;
    (void)thread;
    for (i = chunk * e->step; i < end; i++) {
        const float *x = e->x + (int64_t)i * n;
        const SSL__V lse = SSL__VSET1(e->stat[i]);
        const int t = e->target[i];
        float *dx = e->out + (int64_t)i * n;
        if (t == -100) { if (e->beta == 0.0f) memset(dx, 0, sizeof(float) * (size_t)n); continue; }
        for (j = 0; j < n; j += SSL__W) {
            SSL__V v = SSL__VFMA(SSL__K(vexp)(SSL__VSUB(SSL__K(ld)(x + j, n - j, lse), lse)), k, all);
            if (e->beta != 0.0f) v = SSL__VADD(v, SSL__K(ld)(dx + j, n - j, zero));
            SSL__K(st)(dx + j, n - j, v);
        }
        if ((unsigned)t < (unsigned)n) dx[t] -= (1.0f - e->p) * scale;
    }
}
static void SSL__K(cross_entropy_b)(ssl_ctx *c, int rows, int cols, float smoothing, const float *x, const int32_t *target, const float *lse,
                                    const float *dloss, float beta, float *dx)
{
    SSL__K(rowjob) e;
    memset(&e, 0, sizeof e);
    e.rows = rows; e.cols = cols; e.p = smoothing; e.x = x; e.target = target; e.stat = lse; e.dy = dloss; e.beta = beta; e.out = dx;
    ssl__parallel(c, SSL__K(row_chunks)(&e, rows), SSL__K(cross_entropy_b_chunk), &e);
}

#if SSL__PASS == 0
/* ---- mse, l1, smooth l1: mean of ssl__huber(a - b) */
typedef struct SSL__K(pair) { int64_t n; float lim, h, scale; const float *a, *b; float *da, *db, *part; } SSL__K(pair);
static void SSL__K(huber_f_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(pair) *e = (const SSL__K(pair) *)arg;
    const float *SSL_RESTRICT a = e->a + (int64_t)chunk * SSL__GRAIN, *SSL_RESTRICT b = e->b + (int64_t)chunk * SSL__GRAIN;
    const int n = (int)SSL__MIN(e->n - (int64_t)chunk * SSL__GRAIN, SSL__GRAIN);
    float lane[16] = { 0.0f }, s = 0.0f;
    int i, j;
    (void)thread;
    for (i = 0; i + 16 <= n; i += 16)
        for (j = 0; j < 16; j++) lane[j] += ssl__huber(a[i + j] - b[i + j], e->lim, e->h);
    for (; i < n; i++) s += ssl__huber(a[i] - b[i], e->lim, e->h);
    for (j = 0; j < 16; j++) s += lane[j];
    e->part[chunk] = s;
}
static void SSL__K(huber_f)(ssl_ctx *c, int64_t n, float lim, float h, const float *a, const float *b, float *loss)
{
    const int chunks = (int)((n + SSL__GRAIN - 1) / SSL__GRAIN);
    float *part = (float *)ssl__scratch(c, -1, sizeof(float) * (size_t)chunks);
    SSL__K(pair) e = { n, lim, h, 0.0f, a, b, NULL, NULL, part };
    double s = 0.0;
    int i;
    if (!part) return;
    ssl__parallel(c, chunks, SSL__K(huber_f_chunk), &e);
    for (i = 0; i < chunks; i++) s += (double)part[i];
    loss[0] = (float)(s / (double)n);
}
static void SSL__K(huber_b_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(pair) *e = (const SSL__K(pair) *)arg;
    const int64_t begin = (int64_t)chunk * SSL__GRAIN;
    const int n = (int)SSL__MIN(e->n - begin, SSL__GRAIN);
    const float *SSL_RESTRICT a = e->a + begin, *SSL_RESTRICT b = e->b + begin, lim = e->lim, h = e->h, k = e->scale;
    int i;
    (void)thread;
    if (e->da) { float *SSL_RESTRICT d = e->da + begin; for (i = 0; i < n; i++) d[i] += k * ssl__dhuber(a[i] - b[i], lim, h); }
    if (e->db) { float *SSL_RESTRICT d = e->db + begin; for (i = 0; i < n; i++) d[i] -= k * ssl__dhuber(a[i] - b[i], lim, h); }
}
static void SSL__K(huber_b)(ssl_ctx *c, int64_t n, float lim, float h, const float *a, const float *b, const float *dloss, float *da, float *db)
{
    SSL__K(pair) e = { n, lim, h, dloss[0] / (float)n, a, b, da, db, NULL };
    ssl__parallel(c, (int)((n + SSL__GRAIN - 1) / SSL__GRAIN), SSL__K(huber_b_chunk), &e);
}
#endif

/* ==== >>dropout ==== kernels ========================================================================= */
typedef struct SSL__K(drop) { int64_t n, group; float p, beta; uint64_t seed, stream; const float *x; float *y; } SSL__K(drop);
static void SSL__K(dropout_row)(const SSL__K(drop) *e, int64_t i, int n, const float *u) /* element i + j takes draw u[j] */
{
    const float p = e->p, keep = 1.0f / (1.0f - p), *SSL_RESTRICT x = e->x + i;
    float *SSL_RESTRICT y = e->y + i;
    int j;
    if (e->beta != 0.0f) for (j = 0; j < n; j++) y[j] += (u[j] < p ? 0.0f : keep) * x[j];
    else for (j = 0; j < n; j++) y[j] = (u[j] < p ? 0.0f : keep) * x[j];
}
static void SSL__K(dropout_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(drop) *e = (const SSL__K(drop) *)arg;
    const int64_t end = SSL__MIN(((int64_t)chunk + 1) * SSL__GRAIN, e->n);
    int64_t i, n;
    float u[128];
    (void)thread;
    for (i = (int64_t)chunk * SSL__GRAIN; i < end; i += n) {
        n = SSL__MIN(128, end - i);
        if (e->group == 1) SSL__K(draw128)(e->seed, e->stream, (uint64_t)i / 128, u);
        else { /* the elements of a group share the draw of its number */
            const int64_t g = i / e->group;
            uint32_t d[4];
            int j;
            n = SSL__MIN(n, (g + 1) * e->group - i);
            ssl__philox(e->seed, e->stream, (uint64_t)g / 4, d);
            for (j = 0; j < 128; j++) u[j] = ssl__unit(d[g % 4]);
        }
        SSL__K(dropout_row)(e, i, (int)n, u);
    }
}
static void SSL__K(dropout)(ssl_ctx *c, int64_t n, int64_t group, float p, uint64_t seed, uint64_t stream, float beta, const float *x, float *y)
{
    SSL__K(drop) e = { n, group, p, beta, seed, stream, x, y };
    ssl__parallel(c, (int)((n + SSL__GRAIN - 1) / SSL__GRAIN), SSL__K(dropout_chunk), &e);
}

/* ==== >>attention ==== kernels: one (batch, head) at a time, its queries in tiles of about 64 ==============
   After Rabe and Staats (2021), Dao et al. (2022). For a tile of queries i and all keys j, with k' = scale k:
     s = k' q^T + mask;  p = exp(s - top) / sum;  y = p^T v
     ds = p (v dy^T - sum dy y);   dq = scale ds^T k;  dk = scale ds q;  dv = p dy;  dmask = sum of ds^T over batch and heads
   s is kept as [keys, queries]: a vector holds the same key of SSL__W queries, so that maximum and sum over keys are plain
   vector operations. One thread owns a (batch, head), so gradients are summed in a fixed order. */
#define SSL__TILE 64              /* queries of a tile, beside a few left over */
#define SSL__LD   (SSL__TILE + SSL__W) /* row of a tile: an odd number of vectors, so that columns do not meet in one cache set */
/* c[m, n vectors] = or += a[m,k] b[k, n vectors], columns cut evenly, k so that a panel of b stays in L1 */
static void SSL__K(mm_by)(SSL__K(mm_fn) *rows, int m, int n, int k, const float *a, int64_t ars, int64_t acs, const float *b, int64_t ldb, float *c, int64_t ldc, int add)
{
    int j, p, nv;
    for (p = 0; p < k; p += 128, add = 1)
        for (j = 0; j < n; j += nv) {
            nv = ssl__ceil_div(n - j, ssl__ceil_div(n - j, SSL__MM_WIDE));
            rows(m, nv, SSL__MIN(k - p, 128), a + p * acs, ars, acs, b + p * ldb + j * SSL__W, ldb, c + j * SSL__W, ldc, add);
        }
}
static void SSL__K(mm)(int m, int n, int k, const float *a, int64_t ars, int64_t acs, const float *b, int64_t ldb, float *c, int64_t ldc, int add)
{ SSL__K(mm_by)(SSL__K(mm_rows), m, n, k, a, ars, acs, b, ldb, c, ldc, add); }

typedef struct SSL__K(attn_job) {
    ssl_ctx *c;
    const ssl__attn *a;
    int per_chunk, dp;      /* (batch, head) pairs of a chunk; d rounded up to vectors */
    int64_t lb;             /* row of bias: Tq rounded up */
    float *bias;            /* [Tk,lb]: a mask that the whole batch shares, transposed, as what is added to the scores */
    float *y, *stat;        /* y is the weights in attn_p; stat [B,H,2,Tq]: largest score of a query, 1 / sum exp(score - largest) */
    const float *dy, *beta;
    float *dq, *dk, *dv, *dmask; /* dmask: [Tk,lb] for each chunk */
} SSL__K(attn_job);

typedef struct SSL__K(attn_tile) { /* m queries from i0 on of one (batch, head) against n keys */
    int item, b, i0, m, n;
    const float *q, *k, *v;  /* first element of the tile's first query, of the first key */
    int64_t ahead;           /* from k to the k of the next pair of the chunk, 0 if there is none */
    const float *bias;
    int64_t lb;
} SSL__K(attn_tile);

static int SSL__K(attn_few)(int n) { return n % SSL__W <= SSL__W / 8 ? n % SSL__W : 0; } /* one over (a class token) is common: not worth a vector */
/* Rows of a head lie far apart, where no hardware looks ahead: fetch row j of the next (batch, head) while this one is worked on. */
static SSL__INLINE void SSL__K(attn_ahead)(const ssl__attn *a, const SSL__K(attn_tile) *t, int j)
{
    int i;
    if (t->ahead && t->i0 == 0)
        for (i = 0; i < a->d + 15; i += a->half_in ? 32 : 16) {
            SSL__PREFETCH(ssl__element(t->k, a->half_in, t->ahead + (int64_t)j * a->sk + i));
            SSL__PREFETCH(ssl__element(t->v, a->half_in, t->ahead + (int64_t)j * a->sv + i));
            if (j < a->Tq) SSL__PREFETCH(ssl__element(t->q, a->half_in, t->ahead + (int64_t)j * a->sq + i));
        }
}
static void SSL__K(attn_begin)(const SSL__K(attn_job) *e, int item, SSL__K(attn_tile) *t)
{
    const ssl__attn *a = e->a;
    const int h = item % a->H;
    memset(t, 0, sizeof *t);
    t->item = item;
    t->b = item / a->H;
    t->q = ssl__element(a->q, a->half_in, (int64_t)t->b * a->Tq * a->sq + h * a->d);
    t->k = ssl__element(a->k, a->half_in, (int64_t)t->b * a->Tk * a->sk + h * a->d);
    t->v = ssl__element(a->v, a->half_in, (int64_t)t->b * a->Tk * a->sv + h * a->d);
    if (item % e->per_chunk + 1 < e->per_chunk && item + 1 < a->B * a->H) t->ahead = h + 1 < a->H ? a->d : (int64_t)a->Tk * a->sk - h * a->d;
}
static void SSL__K(attn_bias)(const ssl__attn *a, int b, int i0, int m, int n, float *bias, int64_t lb)
{
    const int64_t at = ((a->kind == SSL__MASK_BATCH ? (int64_t)b * a->Tq : 0) + i0) * a->Tk;
    const float *f = (const float *)a->mask + at;
    const uint8_t *u = (const uint8_t *)a->mask + at;
    int i, j;
    for (i = 0; i < m; i++, f += a->Tk, u += a->Tk)
        if (a->kind == SSL__MASK_ADD) for (j = 0; j < n; j++) bias[j * lb + i] = f[j];
        else for (j = 0; j < n; j++) bias[j * lb + i] = u[j] ? -INFINITY : 0.0f;
    for (; i % SSL__W; i++) /* whole vectors are worked on, and pairs of queries at bf16 */
        for (j = 0; j < n; j++) bias[j * lb + i] = 0.0f;
}
/* Step to the next tile: as even as possible, the last one takes a few more. 0 at the end. */
static int SSL__K(attn_next)(const SSL__K(attn_job) *e, SSL__K(attn_tile) *t, float *bias)
{
    const ssl__attn *a = e->a;
    const int left = a->Tq - t->i0 - t->m, vectors = ssl__ceil_div(left - SSL__K(attn_few)(left), SSL__W), most = SSL__TILE / SSL__W;
    if (left == 0) return 0;
    t->q = ssl__element(t->q, a->half_in, (int64_t)t->m * a->sq);
    t->i0 += t->m;
    t->m = vectors <= most ? left : SSL__W * ssl__ceil_div(vectors, ssl__ceil_div(vectors, most));
    t->n = a->causal ? SSL__MIN(a->Tk, t->i0 + t->m) : a->Tk;
    t->bias = e->bias ? e->bias + t->i0 : NULL;
    t->lb = e->lb;
    if (a->kind == SSL__MASK_BATCH) {
        SSL__K(attn_bias)(a, t->b, t->i0, t->m, t->n, bias, SSL__LD);
        t->bias = bias;
        t->lb = SSL__LD;
    }
    return 1;
}

/* s[n, m] = x[n,d] r[m,d]^T by way of rt, the transpose of r; few left over of r are done as dot products. */
static void SSL__K(attn_dots)(int n, int m, int d, const float *x, int64_t xs, const float *r, int64_t rs, float *rt, float *s)
{
    const int few = SSL__K(attn_few)(m), whole = m - few, full = ssl__round_up(whole, SSL__W);
    int i, j = 0;
    for (; j + 4 <= whole; j += 4) {
        const float *o = r + j * rs;
        for (i = 0; i + 4 <= d; i += 4) ssl__transpose4(o + i, rs, rt + i * SSL__LD + j, SSL__LD);
        for (; i < d; i++) { float *to = rt + i * SSL__LD + j; to[0] = o[i]; to[1] = o[rs + i]; to[2] = o[2 * rs + i]; to[3] = o[3 * rs + i]; }
    }
    for (; j < full; j++)
        for (i = 0; i < d; i++) rt[i * SSL__LD + j] = j < whole ? r[j * rs + i] : 0.0f;
    if (full) SSL__K(mm)(n, full / SSL__W, d, x, xs, 1, rt, SSL__LD, s, SSL__LD, 0);
    for (j = 0; few && j < n; j++) {
        SSL__VSTORE(s + j * SSL__LD + full, SSL__VZERO());
        for (i = 0; i < few; i++) s[j * SSL__LD + full + i] = SSL__K(row_dot)(d, x + j * xs, r + (whole + i) * rs);
    }
}
/* The products s become scores up to a factor, which is returned: key j is closed to the queries before it if causal. */
static float SSL__K(attn_scores)(const SSL__K(attn_job) *e, const SSL__K(attn_tile) *t, float *s)
{
    const SSL__V scale = SSL__VSET1(e->a->scale);
    int i, j;
    for (j = e->a->causal ? t->i0 + 1 : t->n; j < t->n; j++)
        for (i = 0; i < j - t->i0; i++) s[j * SSL__LD + i] = -INFINITY;
    if (!t->bias) return e->a->scale;
    for (j = 0; j < t->n; j++)
        for (i = 0; i < t->m; i += SSL__W) {
            float *o = s + j * SSL__LD + i;
            SSL__VSTORE(o, SSL__VFMA(SSL__VLOAD(o), scale, SSL__VLOAD(t->bias + j * t->lb + i)));
        }
    return 1.0f;
}
static SSL__V SSL__K(attn_top)(const SSL__K(attn_tile) *t, const float *s, int i, SSL__V k) /* largest score of SSL__W queries; finite if all keys are closed */
{
    const SSL__V least = SSL__VSET1(-3e38f);
    SSL__V most = least;
    int j;
    for (j = 0; j + 2 <= t->n; j += 2) most = SSL__VMAX(most, SSL__VMAX(SSL__VLOAD(s + j * SSL__LD + i), SSL__VLOAD(s + (j + 1) * SSL__LD + i)));
    if (j < t->n) most = SSL__VMAX(most, SSL__VLOAD(s + j * SSL__LD + i));
    return SSL__VMAX(least, SSL__VMUL(most, k));
}
/* s = exp(scores - top). top and 1 / sum of the tile's queries; a query with every key closed gets zeros: 1 / sum is 0 then. */
static void SSL__K(attn_softmax)(const SSL__K(attn_job) *e, const SSL__K(attn_tile) *t, float *s, float *top, float *inv)
{
    const SSL__V k = SSL__VSET1(SSL__K(attn_scores)(e, t, s));
    float sums[SSL__LD];
    int i, j;
    for (i = 0; i < t->m; i += SSL__W) {
        const SSL__V most = SSL__K(attn_top)(t, s, i, k);
        SSL__V sum = SSL__VZERO();
        for (j = 0; j < t->n; j++) {
            float *o = s + j * SSL__LD + i;
            const SSL__V p = SSL__K(vexp)(SSL__VSUB(SSL__VMUL(SSL__VLOAD(o), k), most));
            if (i == 0) SSL__K(attn_ahead)(e->a, t, j);
            SSL__VSTORE(o, p);
            sum = SSL__VADD(sum, p);
        }
        SSL__VSTORE(sums + i, sum);
        SSL__VSTORE(top + i, most);
    }
    for (i = 0; i < t->m; i++) inv[i] = sums[i] == 0.0f ? 0.0f : 1.0f / sums[i];
}
/* Rows that mm can read as whole vectors: src itself if d is a number of vectors, else a copy with rows of dp. */
static const float *SSL__K(attn_rows)(const SSL__K(attn_job) *e, int n, const float *src, int64_t stride, float *copy, int64_t *ld)
{
    const int d = e->a->d;
    int i, j;
    *ld = stride;
    if (d == e->dp) return src;
    *ld = e->dp;
    for (i = 0; i < n; i++)
        for (j = 0; j < d; j += SSL__W) SSL__VSTORE(copy + i * e->dp + j, SSL__K(ld)(src + i * stride + j, d - j, SSL__VZERO()));
    return copy;
}
/* y[n,d] = beta y + f x[n,dp], row i times f[i] (NULL: 1) */
static SSL__INLINE void SSL__K(attn_put_by)(const int half, SSL__K(put_fn) *put, const SSL__K(attn_job) *e, int n, const float *x, const float *f, float beta, float *y, int64_t stride)
{
    const int d = e->a->d;
    int i, j;
    for (i = 0; i < n; i++, x += e->dp) {
        const SSL__V fv = SSL__VSET1(f ? f[i] : 1.0f);
        for (j = 0; j < d; j += SSL__W) {
            SSL__V v = SSL__VMUL(SSL__VLOAD(x + j), fv);
            if (beta != 0.0f) v = SSL__VADD(v, SSL__K(take)(half, y, i * stride + j, d - j));
            put(y, i * stride + j, d - j, v);
        }
    }
}
static void SSL__K(attn_put)(const SSL__K(attn_job) *e, int n, const float *x, const float *f, float beta, float *y, int64_t stride)
{ SSL__K(attn_put_by)(0, SSL__K(put), e, n, x, f, beta, y, stride); }

enum { SSL__K(RT), SSL__K(S), SSL__K(O), SSL__K(VP), SSL__K(BIAS), SSL__K(F_BUFS), /* forward; these and more in backward: */
       SSL__K(DS) = SSL__K(F_BUFS), SSL__K(DYP), SSL__K(KP), SSL__K(DK), SSL__K(DV), SSL__K(B_BUFS) };
/* A thread's scratch, cut into buffers of so many floats. Returns where the chunk's pairs end. */
static int SSL__K(attn_cut)(const SSL__K(attn_job) *e, int chunk, int thread, int n, const int64_t *size, float **w)
{
    int64_t total = 0;
    int i;
    for (i = 0; i < n; i++) total += size[i];
    w[0] = (float *)ssl__scratch(e->c, thread, sizeof(float) * (size_t)total);
    if (!w[0]) return 0; /* no memory: no pairs */
    for (i = 1; i < n; i++) w[i] = w[i - 1] + size[i - 1];
    return SSL__MIN(e->a->B * e->a->H, (chunk + 1) * e->per_chunk);
}
static int SSL__K(attn_bufs)(const SSL__K(attn_job) *e, int chunk, int thread, int n, float **w)
{
    const ssl__attn *a = e->a;
    const int64_t tile = (int64_t)a->Tk * SSL__LD, rows = (int64_t)SSL__MIN(a->Tq, SSL__LD) * e->dp, keys = (int64_t)a->Tk * e->dp;
    const int64_t size[SSL__K(B_BUFS)] = { (int64_t)a->d * SSL__LD, tile, rows, SSL__MAX(keys, rows), a->kind == SSL__MASK_BATCH ? tile : 0, tile, rows, keys, keys, keys };
    return SSL__K(attn_cut)(e, chunk, thread, n, size, w);
}
static void SSL__K(attn_run)(SSL__K(attn_job) *e, ssl_ctx *c, const ssl__attn *a, int chunks_at_most, ssl__chunk_fn fn)
{
    const int64_t lb = ssl__round_up(a->Tq, SSL__W), shared = a->kind == SSL__MASK_SHARED || a->kind == SSL__MASK_ADD ? a->Tk * lb : 0;
    const int pairs = a->B * a->H, grain = (int)SSL__MIN(pairs / 48 + 1, 1 + 2097152 / ((int64_t)a->Tq * a->Tk * a->d)); /* 2^21 multiply-adds of a product */
    float *s;
    e->c = c;
    e->a = a;
    e->lb = lb;
    e->dp = ssl__round_up(a->d, SSL__W);
    e->per_chunk = SSL__MAX(grain, ssl__ceil_div(pairs, chunks_at_most));
    s = (float *)ssl__scratch(c, -1, sizeof(float) * (size_t)(shared + (e->dmask ? ssl__ceil_div(pairs, e->per_chunk) * a->Tk * lb : 0)));
    if (c->status) return;
    if (shared) SSL__K(attn_bias)(a, 0, 0, a->Tq, a->Tk, e->bias = s, lb);
    if (e->dmask) e->dmask = s + shared;
    ssl__parallel(c, ssl__ceil_div(pairs, e->per_chunk), fn, e);
}

static void SSL__K(attn_f_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(attn_job) *e = (const SSL__K(attn_job) *)arg;
    const ssl__attn *a = e->a;
    float *w[SSL__K(F_BUFS)], top[SSL__LD], inv[SSL__LD];
    const int end = SSL__K(attn_bufs)(e, chunk, thread, SSL__K(F_BUFS), w);
    int item, sy = a->H * a->d;
    for (item = chunk * e->per_chunk; item < end; item++) {
        SSL__K(attn_tile) t;
        int64_t lv;
        const float *v;
        SSL__K(attn_begin)(e, item, &t);
        v = SSL__K(attn_rows)(e, a->Tk, t.v, a->sv, w[SSL__K(VP)], &lv);
        while (SSL__K(attn_next)(e, &t, w[SSL__K(BIAS)])) {
            float *stat = e->stat + 2 * (int64_t)item * a->Tq + t.i0;
            SSL__K(attn_dots)(t.n, t.m, a->d, t.k, a->sk, t.q, a->sq, w[SSL__K(RT)], w[SSL__K(S)]);
            SSL__K(attn_softmax)(e, &t, w[SSL__K(S)], top, inv);
            memcpy(stat, top, sizeof(float) * (size_t)t.m);
            memcpy(stat + a->Tq, inv, sizeof(float) * (size_t)t.m);
            SSL__K(mm)(t.m, e->dp / SSL__W, t.n, w[SSL__K(S)], 1, SSL__LD, v, lv, w[SSL__K(O)], e->dp, 0);
            SSL__K(attn_put)(e, t.m, w[SSL__K(O)], inv, 0.0f, e->y + ((int64_t)t.b * a->Tq + t.i0) * sy + item % a->H * a->d, sy);
        }
    }
}

static void SSL__K(attn_p_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(attn_job) *e = (const SSL__K(attn_job) *)arg;
    const ssl__attn *a = e->a;
    float *w[SSL__K(F_BUFS)], top[SSL__LD], inv[SSL__LD], *s;
    const int end = SSL__K(attn_bufs)(e, chunk, thread, SSL__K(F_BUFS), w);
    int item, i, j;
    for (item = chunk * e->per_chunk; item < end; item++) {
        SSL__K(attn_tile) t;
        SSL__K(attn_begin)(e, item, &t);
        while (SSL__K(attn_next)(e, &t, w[SSL__K(BIAS)])) {
            float *p = e->y + ((int64_t)item * a->Tq + t.i0) * a->Tk;
            s = w[SSL__K(S)];
            SSL__K(attn_dots)(t.n, t.m, a->d, t.k, a->sk, t.q, a->sq, w[SSL__K(RT)], s);
            SSL__K(attn_softmax)(e, &t, s, top, inv);
            for (i = 0; i < t.m; i++)
                for (j = 0; j < a->Tk; j++) p[(int64_t)i * a->Tk + j] = j < t.n ? s[j * SSL__LD + i] * inv[i] : 0.0f;
        }
    }
}
static void SSL__K(attn_p)(ssl_ctx *c, const ssl__attn *a, float *p)
{
    SSL__K(attn_job) e;
    memset(&e, 0, sizeof e);
    e.y = p;
    SSL__K(attn_run)(&e, c, a, a->B * a->H, SSL__K(attn_p_chunk));
}

/* From the products s and dp: p = exp(scores - top) / sum into s, ds = p (dp - sum dy y) to dmask, scale ds into dp. */
static void SSL__K(attn_ds)(const SSL__K(attn_job) *e, const SSL__K(attn_tile) *t, const float *dots, float *s, float *dp, float *dmask)
{
    const float *stat = e->stat + 2 * (int64_t)t->item * e->a->Tq + t->i0;
    const SSL__V k = SSL__VSET1(SSL__K(attn_scores)(e, t, s)), scale = SSL__VSET1(e->a->scale), zero = SSL__VZERO();
    int i, j;
    for (i = 0; i < t->m; i += SSL__W) {
        const SSL__V top = SSL__K(ld)(stat + i, t->m - i, zero), inv = SSL__K(ld)(stat + e->a->Tq + i, t->m - i, zero), dot = SSL__VLOAD(dots + i);
        for (j = 0; j < t->n; j++) {
            float *o = s + j * SSL__LD + i, *od = dp + j * SSL__LD + i;
            const SSL__V p = SSL__VMUL(SSL__K(vexp)(SSL__VSUB(SSL__VMUL(SSL__VLOAD(o), k), top)), inv);
            const SSL__V ds = SSL__VMUL(p, SSL__VSUB(SSL__VLOAD(od), dot));
            if (i == 0) SSL__K(attn_ahead)(e->a, t, j);
            SSL__VSTORE(o, p);
            SSL__VSTORE(od, SSL__VMUL(ds, scale));
            if (dmask) SSL__VSTORE(dmask + j * e->lb + i, SSL__VADD(SSL__VLOAD(dmask + j * e->lb + i), ds));
        }
    }
}
static void SSL__K(attn_b_tile)(const SSL__K(attn_job) *e, const SSL__K(attn_tile) *t, const float *k, int64_t lk, float *dmask, float *const *w)
{
    const ssl__attn *a = e->a;
    const int sy = a->H * a->d, nd = e->dp / SSL__W, add = t->i0 > 0 || a->causal;
    const int64_t y0 = ((int64_t)t->b * a->Tq + t->i0) * sy + t->item % a->H * a->d;
    const float *q = t->q, *dy = e->dy + y0;
    float *s = w[SSL__K(S)], *ds = w[SSL__K(DS)], dots[SSL__LD];
    int64_t lq, ldy;
    int i;
    SSL__K(attn_dots)(t->n, t->m, a->d, t->k, a->sk, q, a->sq, w[SSL__K(RT)], s);
    SSL__K(attn_dots)(t->n, t->m, a->d, t->v, a->sv, dy, sy, w[SSL__K(RT)], ds);
    for (i = 0; i < SSL__LD; i++) dots[i] = i < t->m ? SSL__K(row_dot)(a->d, dy + (int64_t)i * sy, e->y + y0 + (int64_t)i * sy) : 0.0f;
    SSL__K(attn_ds)(e, t, dots, s, ds, dmask ? dmask + t->i0 : NULL);
    SSL__K(mm)(t->m, nd, t->n, ds, 1, SSL__LD, k, lk, w[SSL__K(O)], e->dp, 0);
    if (e->dq) SSL__K(attn_put)(e, t->m, w[SSL__K(O)], NULL, e->beta[0], e->dq + (q - a->q), a->sq);
    q = SSL__K(attn_rows)(e, t->m, q, a->sq, w[SSL__K(VP)], &lq);
    SSL__K(mm)(t->n, nd, t->m, ds, SSL__LD, 1, q, lq, w[SSL__K(DK)], e->dp, add);
    dy = SSL__K(attn_rows)(e, t->m, dy, sy, w[SSL__K(DYP)], &ldy);
    SSL__K(mm)(t->n, nd, t->m, s, SSL__LD, 1, dy, ldy, w[SSL__K(DV)], e->dp, add);
}
static void SSL__K(attn_b_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(attn_job) *e = (const SSL__K(attn_job) *)arg;
    const ssl__attn *a = e->a;
    float *w[SSL__K(B_BUFS)], *dmask = e->dmask ? e->dmask + chunk * (a->Tk * e->lb) : NULL;
    const int end = SSL__K(attn_bufs)(e, chunk, thread, SSL__K(B_BUFS), w);
    int item;
    if (dmask) memset(dmask, 0, sizeof(float) * (size_t)(a->Tk * e->lb));
    for (item = chunk * e->per_chunk; item < end; item++) {
        SSL__K(attn_tile) t;
        int64_t lk;
        const float *k;
        SSL__K(attn_begin)(e, item, &t);
        k = SSL__K(attn_rows)(e, a->Tk, t.k, a->sk, w[SSL__K(KP)], &lk);
        if (a->causal) memset(w[SSL__K(DK)], 0, sizeof(float) * 2 * (size_t)a->Tk * (size_t)e->dp); /* dk and dv: not every tile reaches every key */
        while (SSL__K(attn_next)(e, &t, w[SSL__K(BIAS)])) SSL__K(attn_b_tile)(e, &t, k, lk, dmask, w);
        if (e->dk) SSL__K(attn_put)(e, a->Tk, w[SSL__K(DK)], NULL, e->beta[1], e->dk + (t.k - a->k), a->sk);
        if (e->dv) SSL__K(attn_put)(e, a->Tk, w[SSL__K(DV)], NULL, e->beta[2], e->dv + (t.v - a->v), a->sv);
    }
}

#if SSL__PASS == 2 && defined(SSL__AVX512BF16)
/* ---- AVX512_BF16: the five products by vdpbf16ps at precision bf16, on machines with AMX too. Operands are pairs along the sum:
     s, dp [key,query]  k, v in rows of pairs along d;                q, dy transposed, [pair][query]
     y, dq [query,d]    p, ds as pairs of keys, [pair][query];        v, k as [pair of keys][d]
     dk, dv [key,d]     ds, p as they lie, pairs of queries;          q, dy as [pair of queries][d]
   s becomes p in its own place: a vector of two keys is read before what is half as large is written over it. */
enum { SSL__BF16_RT, SSL__BF16_S, SSL__BF16_O, SSL__BF16_KB, SSL__BF16_KEYS, SSL__BF16_BIAS, SSL__BF16_F_BUFS, /* forward; and more in backward: */
       SSL__BF16_DP = SSL__BF16_F_BUFS, SSL__BF16_DS, SSL__BF16_VB, SSL__BF16_QUERIES, SSL__BF16_DK, SSL__BF16_DV, SSL__BF16_B_BUFS };
static int ssl__bf16_attn_bufs(const SSL__K(attn_job) *e, int chunk, int thread, int n, float **w)
{
    const ssl__attn *a = e->a;
    const int64_t d32 = ssl__round_up(a->d, 32), keys = (int64_t)a->Tk * e->dp, tile = (int64_t)a->Tk * SSL__LD, rows = d32 / 2 * a->Tk;
    const int64_t pairs = ssl__ceil_div(a->Tk, 2), size[SSL__BF16_B_BUFS] = { d32 / 2 * (SSL__LD + 2), tile, (int64_t)SSL__LD * e->dp, rows, pairs * e->dp,
        a->kind == SSL__MASK_BATCH ? tile : 0, tile, pairs * SSL__LD, rows, (int64_t)SSL__LD / 2 * e->dp, keys, keys };
    return SSL__K(attn_cut)(e, chunk, thread, n, size, w);
}
/* s[n, m] = x r^T, x: n rows of ld pairs, r[m,d], which is bf16 if half; as attn_dots */
SSL__BF16_FN void ssl__bf16_dots(int half, int n, int m, int d, const float *x, int ld, const float *r, int64_t rs, float *rt, float *s)
{
    const int few = SSL__K(attn_few)(m), whole = m - few, full = ssl__round_up(whole, 16), pairs = ssl__ceil_div(d, 2);
    float *last = rt + pairs * full;
    int i, j, p;
    ssl__bf16_pack(half, full, whole, d, r, rs, 1, rt);
    if (full) SSL__K(mm_by)(ssl__bf16_mm_rows, n, full / 16, pairs, x, ld, 1, rt, full, s, SSL__LD, 0);
    ssl__bf16_lines(half, few, d, ssl__element(r, half, whole * rs), rs, last, ld);
    for (j = 0, s += full; few && j < n; j++, x += ld, s += SSL__LD) {
        _mm512_storeu_ps(s, _mm512_setzero_ps());
        for (i = 0; i < few; i++) {
            __m512 sum = _mm512_setzero_ps();
            for (p = 0; p < ld; p += 16) sum = SSL__BF16_FMA(_mm512_loadu_si512(x + p), _mm512_loadu_si512(last + i * ld + p), sum);
            s[i] = _mm512_reduce_add_ps(sum);
        }
    }
}
/* attn_softmax, with p as pairs of keys in the first half of s */
SSL__BF16_FN void ssl__bf16_softmax(const SSL__K(attn_job) *e, const SSL__K(attn_tile) *t, float *s, float *top, float *inv)
{
    const float scale = SSL__K(attn_scores)(e, t, s), log2e = 1.44269504f;
    const __m512 zero = _mm512_setzero_ps(), k = _mm512_set1_ps(scale), k2 = _mm512_set1_ps(scale * log2e);
    float sums[SSL__LD];
    int i, j;
    for (i = 0; i < t->m; i += 16) {
        const __m512 most = SSL__K(attn_top)(t, s, i, k), most2 = _mm512_max_ps(_mm512_set1_ps(-3e38f), _mm512_mul_ps(most, _mm512_set1_ps(log2e)));
        __m512 sum0 = zero, sum1 = zero;
        for (j = 0; j < t->n; j += 2) {
            const float *o = s + j * SSL__LD + i;
            const __m512 p0 = SSL__K(vexp2)(_mm512_fmsub_ps(_mm512_loadu_ps(o), k2, most2));
            const __m512 p1 = j + 1 < t->n ? SSL__K(vexp2)(_mm512_fmsub_ps(_mm512_loadu_ps(o + SSL__LD), k2, most2)) : zero;
            if (i == 0) { SSL__K(attn_ahead)(e->a, t, j); if (j + 1 < t->n) SSL__K(attn_ahead)(e->a, t, j + 1); }
            sum0 = _mm512_add_ps(sum0, p0);
            sum1 = _mm512_add_ps(sum1, p1);
            _mm512_storeu_si512(s + j / 2 * SSL__LD + i, ssl__bf16_turns((__m512i)_mm512_cvtne2ps_pbh(p1, p0)));
        }
        _mm512_storeu_ps(sums + i, _mm512_add_ps(sum0, sum1));
        _mm512_storeu_ps(top + i, most);
    }
    for (i = 0; i < t->m; i++) inv[i] = sums[i] == 0.0f ? 0.0f : 1.0f / sums[i];
}
/* attn_put, to row i and column j on of y if half as bf16 */
SSL__BF16_FN void ssl__bf16_attn_put(int half, const SSL__K(attn_job) *e, int n, const float *x, const float *f, float beta, float *y, int64_t at, int64_t stride)
{
    y = ssl__element(y, half, at);
    if (half) SSL__K(attn_put_by)(1, ssl__bf16_put, e, n, x, f, beta, y, stride);
    else SSL__K(attn_put)(e, n, x, f, beta, y, stride);
}
SSL__BF16_FN void ssl__bf16_attn_f_chunk(void *arg, int chunk, int thread)
{
    const SSL__K(attn_job) *e = (const SSL__K(attn_job) *)arg;
    const ssl__attn *a = e->a;
    const int ld = ssl__round_up(a->d, 32) / 2, sy = a->H * a->d;
    float *w[SSL__BF16_F_BUFS], top[SSL__LD], inv[SSL__LD], *s, *o;
    const int end = ssl__bf16_attn_bufs(e, chunk, thread, SSL__BF16_F_BUFS, w);
    int item;
    for (item = chunk * e->per_chunk; item < end; item++) {
        SSL__K(attn_tile) t;
        SSL__K(attn_begin)(e, item, &t);
        ssl__bf16_lines(a->half_in, a->Tk, a->d, t.k, a->sk, w[SSL__BF16_KB], ld);
        ssl__bf16_pack(a->half_in, e->dp, a->d, a->Tk, t.v, 1, a->sv, w[SSL__BF16_KEYS]);
        while (SSL__K(attn_next)(e, &t, w[SSL__BF16_BIAS])) {
            float *stat = e->stat + 2 * (int64_t)item * a->Tq + t.i0;
            s = w[SSL__BF16_S];
            o = w[SSL__BF16_O];
            ssl__bf16_dots(a->half_in, t.n, t.m, a->d, w[SSL__BF16_KB], ld, t.q, a->sq, w[SSL__BF16_RT], s);
            ssl__bf16_softmax(e, &t, s, top, inv);
            memcpy(stat, top, sizeof(float) * (size_t)t.m);
            memcpy(stat + a->Tq, inv, sizeof(float) * (size_t)t.m);
            SSL__K(mm_by)(ssl__bf16_mm_rows, t.m, e->dp / 16, ssl__ceil_div(t.n, 2), s, 1, SSL__LD, w[SSL__BF16_KEYS], e->dp, o, e->dp, 0);
            ssl__bf16_attn_put(a->half_out, e, t.m, o, inv, 0.0f, e->y, ((int64_t)t.b * a->Tq + t.i0) * sy + item % a->H * a->d, sy);
        }
    }
}

/* 16 numbers of two keys as bf16, side by side, go to their rows; the second row may be missing */
SSL__BF16_FN SSL__INLINE void ssl__bf16_two(__m512i x, float *first, float *second)
{
    _mm256_storeu_si256((__m256i *)(void *)first, _mm512_castsi512_si256(x));
    if (second) _mm256_storeu_si256((__m256i *)(void *)second, _mm512_extracti64x4_epi64(x, 1));
}
/* attn_ds, with p and scale ds as rows of pairs in s and dp, and scale ds as pairs of keys in ds. sum dy y = sum p dp, of these products. */
SSL__BF16_FN void ssl__bf16_ds(const SSL__K(attn_job) *e, const SSL__K(attn_tile) *t, float *s, float *dp, float *ds, float *dmask)
{
    const float *stat = e->stat + 2 * (int64_t)t->item * e->a->Tq + t->i0, log2e = 1.44269504f;
    const __m512 zero = _mm512_setzero_ps(), k2 = _mm512_set1_ps(SSL__K(attn_scores)(e, t, s) * log2e), scale = _mm512_set1_ps(e->a->scale);
    int i, j;
    for (i = 0; i < t->m; i += 16) {
        const __m512 top2 = _mm512_max_ps(_mm512_set1_ps(-3e38f), _mm512_mul_ps(SSL__K(ld)(stat + i, t->m - i, zero), _mm512_set1_ps(log2e)));
        const __m512 inv = SSL__K(ld)(stat + e->a->Tq + i, t->m - i, zero);
        __m512 dot = zero;
        for (j = 0; j < t->n; j++) {
            float *o = s + j * SSL__LD + i;
            const __m512 p = _mm512_mul_ps(SSL__K(vexp2)(_mm512_fmsub_ps(_mm512_loadu_ps(o), k2, top2)), inv);
            if (i == 0) SSL__K(attn_ahead)(e->a, t, j);
            dot = _mm512_fmadd_ps(p, _mm512_loadu_ps(dp + j * SSL__LD + i), dot);
            _mm512_storeu_ps(o, p);
        }
        for (j = 0; j < t->n; j += 2) {
            const int two = j + 1 < t->n;
            float *o = s + j * SSL__LD + i, *od = dp + j * SSL__LD + i, *dm = dmask ? dmask + j * e->lb + i : NULL;
            const __m512 p0 = _mm512_loadu_ps(o), p1 = two ? _mm512_loadu_ps(o + SSL__LD) : zero;
            const __m512 d0 = _mm512_mul_ps(p0, _mm512_sub_ps(_mm512_loadu_ps(od), dot));
            const __m512 d1 = two ? _mm512_mul_ps(p1, _mm512_sub_ps(_mm512_loadu_ps(od + SSL__LD), dot)) : zero;
            const __m512i dd = (__m512i)_mm512_cvtne2ps_pbh(_mm512_mul_ps(d1, scale), _mm512_mul_ps(d0, scale));
            if (dm) _mm512_storeu_ps(dm, _mm512_add_ps(_mm512_loadu_ps(dm), d0));
            if (dm && two) _mm512_storeu_ps(dm + e->lb, _mm512_add_ps(_mm512_loadu_ps(dm + e->lb), d1));
            ssl__bf16_two((__m512i)_mm512_cvtne2ps_pbh(p1, p0), o - i / 2, two ? o - i / 2 + SSL__LD : NULL);
            ssl__bf16_two(dd, od - i / 2, two ? od - i / 2 + SSL__LD : NULL);
            _mm512_storeu_si512(ds + j / 2 * SSL__LD + i, ssl__bf16_turns(dd));
        }
    }
}
SSL__BF16_FN void ssl__bf16_attn_b_tile(const SSL__K(attn_job) *e, const SSL__K(attn_tile) *t, float *dmask, float *const *w)
{
    const ssl__attn *a = e->a;
    const int sy = a->H * a->d, h = t->item % a->H * a->d, ld = ssl__round_up(a->d, 32) / 2, nd = e->dp / 16, add = t->i0 > 0 || a->causal, half = ssl__ceil_div(t->m, 2);
    const int64_t row = (int64_t)t->b * a->Tq + t->i0;
    const float *dy = ssl__element(e->dy, a->half_out, row * sy + h);
    float *s = w[SSL__BF16_S], *dp = w[SSL__BF16_DP], *ds = w[SSL__BF16_DS], *queries = w[SSL__BF16_QUERIES];
    ssl__bf16_dots(a->half_in, t->n, t->m, a->d, w[SSL__BF16_KB], ld, t->q, a->sq, w[SSL__BF16_RT], s);
    ssl__bf16_dots(a->half_out, t->n, t->m, a->d, w[SSL__BF16_VB], ld, dy, sy, w[SSL__BF16_RT], dp);
    ssl__bf16_ds(e, t, s, dp, ds, dmask ? dmask + t->i0 : NULL);
    SSL__K(mm_by)(ssl__bf16_mm_rows, t->m, nd, ssl__ceil_div(t->n, 2), ds, 1, SSL__LD, w[SSL__BF16_KEYS], e->dp, w[SSL__BF16_O], e->dp, 0);
    if (e->dq) ssl__bf16_attn_put(a->half_in, e, t->m, w[SSL__BF16_O], NULL, e->beta[0], e->dq, row * a->sq + h, a->sq);
    ssl__bf16_pack(a->half_in, e->dp, a->d, t->m, t->q, 1, a->sq, queries);
    SSL__K(mm_by)(ssl__bf16_mm_rows, t->n, nd, half, dp, SSL__LD, 1, queries, e->dp, w[SSL__BF16_DK], e->dp, add);
    ssl__bf16_pack(a->half_out, e->dp, a->d, t->m, dy, 1, sy, queries);
    SSL__K(mm_by)(ssl__bf16_mm_rows, t->n, nd, half, s, SSL__LD, 1, queries, e->dp, w[SSL__BF16_DV], e->dp, add);
}
SSL__BF16_FN void ssl__bf16_attn_b_chunk(void *arg, int chunk, int thread)
{
    const SSL__K(attn_job) *e = (const SSL__K(attn_job) *)arg;
    const ssl__attn *a = e->a;
    const int ld = ssl__round_up(a->d, 32) / 2;
    float *w[SSL__BF16_B_BUFS], *dmask = e->dmask ? e->dmask + chunk * (a->Tk * e->lb) : NULL;
    const int end = ssl__bf16_attn_bufs(e, chunk, thread, SSL__BF16_B_BUFS, w);
    int item;
    if (dmask) memset(dmask, 0, sizeof(float) * (size_t)(a->Tk * e->lb));
    for (item = chunk * e->per_chunk; item < end; item++) {
        const int h = item % a->H * a->d;
        SSL__K(attn_tile) t;
        SSL__K(attn_begin)(e, item, &t);
        ssl__bf16_lines(a->half_in, a->Tk, a->d, t.k, a->sk, w[SSL__BF16_KB], ld);
        ssl__bf16_lines(a->half_in, a->Tk, a->d, t.v, a->sv, w[SSL__BF16_VB], ld);
        ssl__bf16_pack(a->half_in, e->dp, a->d, a->Tk, t.k, 1, a->sk, w[SSL__BF16_KEYS]);
        if (a->causal) memset(w[SSL__BF16_DK], 0, sizeof(float) * 2 * (size_t)a->Tk * (size_t)e->dp);
        while (SSL__K(attn_next)(e, &t, w[SSL__BF16_BIAS])) ssl__bf16_attn_b_tile(e, &t, dmask, w);
        if (e->dk) ssl__bf16_attn_put(a->half_in, e, a->Tk, w[SSL__BF16_DK], NULL, e->beta[1], e->dk, (int64_t)t.b * a->Tk * a->sk + h, a->sk);
        if (e->dv) ssl__bf16_attn_put(a->half_in, e, a->Tk, w[SSL__BF16_DV], NULL, e->beta[2], e->dv, (int64_t)t.b * a->Tk * a->sv + h, a->sv);
    }
}
#  define SSL__ATTN_BY(c, plain, pairs) ((c)->bf16 && (c)->precision == SSL_PRECISION_BF16 ? pairs : plain)
#else
#  define SSL__ATTN_BY(c, plain, pairs) plain
#endif
static void SSL__K(attn_f)(ssl_ctx *c, const ssl__attn *a, float *y, float *stat)
{
    SSL__K(attn_job) e;
    memset(&e, 0, sizeof e);
    e.y = y; e.stat = stat;
    SSL__K(attn_run)(&e, c, a, a->B * a->H, SSL__ATTN_BY(c, SSL__K(attn_f_chunk), ssl__bf16_attn_f_chunk));
}
static void SSL__K(attn_b)(ssl_ctx *c, const ssl__attn *a, const float *y, const float *stat, const float *dy, const float beta[3],
                           float *dq, float *dk, float *dv, float *dmask)
{
    SSL__K(attn_job) e;
    int i, j, n;
    memset(&e, 0, sizeof e);
    e.y = (float *)(uintptr_t)y; e.stat = (float *)(uintptr_t)stat; e.dy = dy; e.beta = beta;
    e.dq = dq; e.dk = dk; e.dv = dv; e.dmask = dmask;
    SSL__K(attn_run)(&e, c, a, dmask ? 16 : a->B * a->H, SSL__ATTN_BY(c, SSL__K(attn_b_chunk), ssl__bf16_attn_b_chunk)); /* one sum of dmask for each chunk: so not too many */
    for (n = 0; dmask && !c->status && n < ssl__ceil_div(a->B * a->H, e.per_chunk); n++, e.dmask += a->Tk * e.lb)
        for (i = 0; i < a->Tq; i++)
            for (j = 0; j < a->Tk; j++) dmask[(int64_t)i * a->Tk + j] += e.dmask[j * e.lb + i];
}
#undef SSL__ATTN_BY
#undef SSL__TILE
#undef SSL__LD
#undef SSL__MM_NV
#undef SSL__MM_NR
#undef SSL__MM_TILE
#undef SSL__MM_ROWS
#undef SSL__MM_HIGH
#undef SSL__MM_AHEAD
#undef SSL__MM_SIX
#undef SSL__MM_MANY
#undef SSL__MM_FEW
#undef SSL__MM_ALL
#undef SSL__MM

/* ==== >>batchnorm ==== kernels ======================================================================= */
/* Sums over `planes` rows of n floats, `stride` apart: every 16th of a row in a lane, the lanes added to total[16]. */
#define SSL__BN_RUN(n) ((int)SSL__MAX(1, 1024 / (n))) /* rows summed in float before they are added in double */
#define SSL__BN_LANES(term)                                                                                     \
    float lane[16] = { 0.0f };                                                                                  \
    int64_t i;                                                                                                  \
    int j;                                                                                                      \
    for (; planes > 0; planes--, x += stride) {                                                                 \
        for (i = 0; i + 16 <= n; i += 16)                                                                       \
            for (j = 0; j < 16; j++) lane[j] += term(i + j);                                                    \
        for (j = 0; i < n; i++, j++) lane[j] += term(i);                                                        \
    }                                                                                                           \
    for (j = 0; j < 16; j++) total[j] += (double)lane[j]
static inline void SSL__K(lane_sum)(int planes, int64_t stride, int64_t n, const float *SSL_RESTRICT x, double *SSL_RESTRICT total)
{
#define SSL__TERM(i) x[i]
    SSL__BN_LANES(SSL__TERM);
#undef SSL__TERM
}
static inline void SSL__K(lane_square)(int planes, int64_t stride, int64_t n, float mean, const float *SSL_RESTRICT x, double *SSL_RESTRICT total) /* of (x - mean)^2 */
{
#define SSL__TERM(i) (x[i] - mean) * (x[i] - mean)
    SSL__BN_LANES(SSL__TERM);
#undef SSL__TERM
}
#undef SSL__BN_LANES
/* dy = 0 where y, if given, is not positive; sum += dy, dot += dy (x - mean). */
static inline void SSL__K(lane_dot)(int planes, int64_t stride, int64_t n, float mean, const float *SSL_RESTRICT x, const float *SSL_RESTRICT y, float *SSL_RESTRICT dy,
                                    double *SSL_RESTRICT sum, double *SSL_RESTRICT dot)
{
    float s[16] = { 0.0f }, d[16] = { 0.0f };
    int64_t i;
    int j;
    for (; planes > 0; planes--, x += stride, dy += stride, y += y ? stride : 0) {
        for (i = 0; y && i < n; i++) dy[i] = y[i] > 0.0f ? dy[i] : 0.0f;
        for (i = 0; i + 16 <= n; i += 16)
            for (j = 0; j < 16; j++) { s[j] += dy[i + j]; d[j] += (x[i + j] - mean) * dy[i + j]; }
        for (j = 0; i < n; i++, j++) { s[j] += dy[i]; d[j] += (x[i] - mean) * dy[i]; }
    }
    for (j = 0; j < 16; j++) { sum[j] += (double)s[j]; dot[j] += (double)d[j]; }
}
static inline double SSL__K(fold)(const double *lane)
{
    double s = 0.0;
    int j;
    for (j = 0; j < 16; j++) s += lane[j];
    return s;
}
#define SSL__BN_CHANNELS 64 /* most channels of a chunk */
static inline int SSL__K(bn_range)(const ssl__bn_job *e, int chunk, int *c0) { *c0 = chunk * e->per; return SSL__MIN(e->per, e->b->ch - *c0); }
static void SSL__K(bn_run)(ssl_ctx *c, ssl__bn_job *e, ssl__chunk_fn fn)
{
    e->per = (int)SSL__MAX(1, SSL__MIN(SSL__BN_CHANNELS, 1024 / e->b->hw));
    ssl__parallel(c, (e->b->ch + e->per - 1) / e->per, fn, e);
}

/* ---- maps of at most SSL__BN_SMALL pixels: the channels of a chunk lie side by side, `places` floats of an image. A sum for each
   place, of at most SSL__BN_IMAGES images in float, then over the places of a channel. ---- */
#define SSL__BN_SMALL 32
#define SSL__BN_PLACES 1024
#define SSL__BN_IMAGES 64
static inline void SSL__K(bn_spread)(int nc, int64_t hw, const float *c, float *p) /* p[place] = c[its channel], zero past the last */
{
    int64_t i, j;
    for (j = 0; j < nc; j++) for (i = 0; i < hw; i++) *p++ = c[j];
    for (i = nc * hw; i % 16; i++) *p++ = 0.0f;
}
static inline void SSL__K(bn_gather)(int nc, int64_t hw, const double *p, double *c) /* c[channel] = the sum of its places */
{
    int64_t i, j;
    for (j = 0; j < nc; j++) for (c[j] = 0.0, i = 0; i < hw; i++) c[j] += *p++;
}
/* dy = 0 where y, if given, is not positive; sum += dy, dot += dy (x - mean). */
static void SSL__K(bn_places_b)(const ssl__bn_job *e, int c0, int places, const float *mean, double *sum, double *dot)
{
    const ssl__bn *b = e->b;
    const SSL__V zero = SSL__VZERO();
    float s[SSL__BN_PLACES], d[SSL__BN_PLACES];
    int n, m, i;
    for (i = 0; i < places; i++) sum[i] = dot[i] = 0.0;
    for (n = 0; n < b->n; n += SSL__BN_IMAGES) {
        memset(s, 0, sizeof s);
        memset(d, 0, sizeof d);
        for (m = n; m < SSL__MIN(b->n, n + SSL__BN_IMAGES); m++) {
            const int64_t at = (m * (int64_t)b->ch + c0) * b->hw;
            for (i = 0; i < places; i += SSL__W) {
                const int left = places - i;
                SSL__V g = SSL__K(ld)(e->dy + at + i, left, zero);
                if (b->relu) g = SSL__VIFNEG(SSL__VSUB(zero, SSL__K(ld)(e->ya + at + i, left, zero)), g, zero);
                if (b->relu) SSL__K(st)(e->dy + at + i, left, g);
                SSL__VSTORE(s + i, SSL__VADD(g, SSL__VLOAD(s + i)));
                SSL__VSTORE(d + i, SSL__VFMA(SSL__VSUB(SSL__K(ld)(e->x + at + i, left, zero), SSL__VLOAD(mean + i)), g, SSL__VLOAD(d + i)));
            }
        }
        for (i = 0; i < places; i++) { sum[i] += (double)s[i]; dot[i] += (double)d[i]; }
    }
}

/* ---- batch norm: two passes over the channels of a chunk, which stay in the cache, then a third writes y ---- */
static void SSL__K(bn_stats)(const ssl__bn_job *e, int c0, int nc)
{
    const ssl__bn *b = e->b;
    double lane[SSL__BN_CHANNELS][16];
    const int run = SSL__BN_RUN(b->hw);
    const int64_t image = b->ch * b->hw;
    int n, j;
    memset(lane, 0, sizeof lane);
    for (n = 0; n < b->n; n += run)
        for (j = 0; j < nc; j++) SSL__K(lane_sum)(SSL__MIN(run, b->n - n), image, b->hw, e->x + n * image + (c0 + j) * b->hw, lane[j]);
    for (j = 0; j < nc; j++) e->mean[c0 + j] = (float)(SSL__K(fold)(lane[j]) / ((double)b->n * (double)b->hw));
    memset(lane, 0, sizeof lane);
    for (n = 0; n < b->n; n += run)
        for (j = 0; j < nc; j++) SSL__K(lane_square)(SSL__MIN(run, b->n - n), image, b->hw, e->mean[c0 + j], e->x + n * image + (c0 + j) * b->hw, lane[j]);
    for (j = 0; j < nc; j++) e->var[c0 + j] = (float)(SSL__K(fold)(lane[j]) / ((double)b->n * (double)b->hw));
}
/* Small maps: one pass. The images of a run, which stay in the cache, have a mean and squares about it of their own for each place;
   they are joined as in Chan, Golub and LeVeque (1983). */
static inline void SSL__K(bn_join)(double *mean, double *squares, double before, double m, double s, double here)
{
    *squares += s + (m - *mean) * (m - *mean) * before * here / (before + here);
    *mean += (m - *mean) * here / (before + here);
}
static void SSL__K(bn_stats_small)(const ssl__bn_job *e, int c0, int nc)
{
    const ssl__bn *b = e->b;
    const SSL__V zero = SSL__VZERO();
    const int places = nc * (int)b->hw;
    double mean[SSL__BN_PLACES] = { 0.0 }, squares[SSL__BN_PLACES] = { 0.0 };
    float center[SSL__BN_PLACES], acc[SSL__BN_PLACES];
    int n, m, i, j;
    for (n = 0; n < b->n; n += SSL__BN_IMAGES) {
        const int end = SSL__MIN(b->n, n + SSL__BN_IMAGES);
        memset(center, 0, sizeof center);
        memset(acc, 0, sizeof acc);
        for (m = n; m < end; m++)
            for (i = 0; i < places; i += SSL__W) SSL__VSTORE(center + i, SSL__VADD(SSL__VLOAD(center + i), SSL__K(ld)(e->x + (m * (int64_t)b->ch + c0) * b->hw + i, places - i, zero)));
        for (i = 0; i < places; i += SSL__W) SSL__VSTORE(center + i, SSL__VMUL(SSL__VLOAD(center + i), SSL__VSET1(1.0f / (float)(end - n))));
        for (m = n; m < end; m++)
            for (i = 0; i < places; i += SSL__W) {
                const SSL__V v = SSL__VSUB(SSL__K(ld)(e->x + (m * (int64_t)b->ch + c0) * b->hw + i, places - i, zero), SSL__VLOAD(center + i));
                SSL__VSTORE(acc + i, SSL__VFMA(v, v, SSL__VLOAD(acc + i)));
            }
        for (i = 0; i < places; i++) SSL__K(bn_join)(&mean[i], &squares[i], (double)n, (double)center[i], (double)acc[i], (double)(end - n));
    }
    for (j = 0; j < nc; j++) {
        double m1 = 0.0, s1 = 0.0;
        for (i = 0; i < (int)b->hw; i++) SSL__K(bn_join)(&m1, &s1, (double)b->n * i, mean[j * b->hw + i], squares[j * b->hw + i], (double)b->n);
        e->mean[c0 + j] = (float)m1;
        e->var[c0 + j] = (float)(s1 / ((double)b->n * (double)b->hw));
    }
}
static inline void SSL__K(bn_plane)(int64_t n, float mean, float scale, float shift, int relu, const float *SSL_RESTRICT x, const float *SSL_RESTRICT res, float *SSL_RESTRICT y)
{
    const float floor = relu ? 0.0f : -INFINITY;
    int64_t i;
    if (res) for (i = 0; i < n; i++) { const float v = (x[i] - mean) * scale + shift + res[i]; y[i] = v < floor ? floor : v; }
    else for (i = 0; i < n; i++) { const float v = (x[i] - mean) * scale + shift; y[i] = v < floor ? floor : v; }
}
static inline float SSL__K(bn_rstd)(const ssl__bn_job *e, int c) { return e->mean ? 1.0f / sqrtf(e->var[c] + e->b->eps) : 1.0f; }
static void SSL__K(bn_apply_small)(const ssl__bn_job *e, int c0, int nc)
{
    const ssl__bn *b = e->b;
    const int places = nc * (int)b->hw;
    const SSL__V zero = SSL__VZERO(), floor = SSL__VSET1(b->relu ? 0.0f : -INFINITY);
    float mean[SSL__BN_PLACES], scale[SSL__BN_PLACES], shift[SSL__BN_PLACES], c[SSL__BN_CHANNELS] = { 0.0f };
    int n, i;
    for (i = 0; i < nc; i++) c[i] = e->mean ? e->mean[c0 + i] : 0.0f;
    SSL__K(bn_spread)(nc, b->hw, c, mean);
    for (i = 0; i < nc; i++) c[i] = SSL__K(bn_rstd)(e, c0 + i) * (e->w ? e->w[c0 + i] : 1.0f);
    SSL__K(bn_spread)(nc, b->hw, c, scale);
    for (i = 0; i < nc; i++) c[i] = e->bias ? e->bias[c0 + i] : 0.0f;
    SSL__K(bn_spread)(nc, b->hw, c, shift);
    for (n = 0; n < b->n; n++) {
        const int64_t at = (n * (int64_t)b->ch + c0) * b->hw;
        for (i = 0; i < places; i += SSL__W) {
            const int left = places - i;
            SSL__V v = SSL__VFMA(SSL__VSUB(SSL__K(ld)(e->x + at + i, left, zero), SSL__VLOAD(mean + i)), SSL__VLOAD(scale + i), SSL__VLOAD(shift + i));
            if (e->res) v = SSL__VADD(v, SSL__K(ld)(e->res + at + i, left, zero));
            SSL__K(st)(e->y + at + i, left, SSL__VMAX(floor, v)); /* in this order a NaN stays one */
        }
    }
}
static void SSL__K(batch_norm_f_chunk)(void *arg, int chunk, int thread)
{
    const ssl__bn_job *e = (const ssl__bn_job *)arg;
    const ssl__bn *b = e->b;
    int c0, c, n, nc = SSL__K(bn_range)(e, chunk, &c0);
    (void)thread;
    if (b->hw <= SSL__BN_SMALL) {
        if (b->stages & SSL__BN_STATS) SSL__K(bn_stats_small)(e, c0, nc);
        if (b->stages & SSL__BN_APPLY) SSL__K(bn_apply_small)(e, c0, nc);
        return;
    }
    if (b->stages & SSL__BN_STATS) SSL__K(bn_stats)(e, c0, nc);
    for (n = 0; b->stages & SSL__BN_APPLY && n < b->n; n++)
        for (c = c0; c < c0 + nc; c++) {
            const int64_t p = ((int64_t)n * b->ch + c) * b->hw;
            SSL__K(bn_plane)(b->hw, e->mean ? e->mean[c] : 0.0f, SSL__K(bn_rstd)(e, c) * (e->w ? e->w[c] : 1.0f), e->bias ? e->bias[c] : 0.0f, b->relu,
                             e->x + p, e->res ? e->res + p : NULL, e->y + p);
        }
}
static void SSL__K(batch_norm_f)(ssl_ctx *c, const ssl__bn *b, const float *x, const float *w, const float *bias, const float *res, float *mean, float *var, float *y)
{
    ssl__bn_job e;
    memset(&e, 0, sizeof e);
    e.b = b; e.x = x; e.w = w; e.bias = bias; e.res = res; e.mean = mean; e.var = var; e.y = y;
    SSL__K(bn_run)(c, &e, SSL__K(batch_norm_f_chunk));
}

static void SSL__K(chansum_chunk)(void *arg, int chunk, int thread) /* one channel */
{
    const ssl__bn_job *e = (const ssl__bn_job *)arg;
    const int run = SSL__BN_RUN(e->b->hw);
    const int64_t image = e->b->ch * e->b->hw;
    double lane[16] = { 0.0 }, s = 0.0;
    int n, j;
    (void)thread;
    for (n = 0; n < e->b->n; n += run) SSL__K(lane_sum)(SSL__MIN(run, e->b->n - n), image, e->b->hw, e->x + n * image + chunk * e->b->hw, lane);
    for (j = 0; j < 16; j++) s += lane[j];
    e->y[chunk] += (float)s;
}
static void SSL__K(chansum)(ssl_ctx *c, int n, int ch, int64_t hw, const float *x, float *y)
{
    ssl__bn b;
    ssl__bn_job e;
    memset(&b, 0, sizeof b);
    memset(&e, 0, sizeof e);
    b.n = n; b.ch = ch; b.hw = hw;
    e.b = &b; e.x = x; e.y = y;
    ssl__parallel(c, ch, SSL__K(chansum_chunk), &e);
}

static void SSL__K(bn_sums_store)(const ssl__bn_job *e, int c, double sum, double dot)
{
    e->s1[c] = (float)sum;
    e->s2[c] = (float)(dot * (double)SSL__K(bn_rstd)(e, c));
    if (e->db) e->db[c] += e->s1[c];
    if (e->dw) e->dw[c] += e->s2[c];
}
static void SSL__K(bn_sums)(const ssl__bn_job *e, int c0, int nc)
{
    const ssl__bn *b = e->b;
    double dot[SSL__BN_CHANNELS][16], sum[SSL__BN_CHANNELS][16];
    const int run = SSL__BN_RUN(b->hw);
    const int64_t image = b->ch * b->hw;
    int n, j;
    memset(dot, 0, sizeof dot);
    memset(sum, 0, sizeof sum);
    for (n = 0; n < b->n; n += run)
        for (j = 0; j < nc; j++) {
            const int64_t p = n * image + (c0 + j) * b->hw;
            SSL__K(lane_dot)(SSL__MIN(run, b->n - n), image, b->hw, e->mean ? e->mean[c0 + j] : 0.0f, e->x + p, b->relu ? e->ya + p : NULL, e->dy + p, sum[j], dot[j]);
        }
    for (j = 0; j < nc; j++) SSL__K(bn_sums_store)(e, c0 + j, SSL__K(fold)(sum[j]), SSL__K(fold)(dot[j]));
}
static void SSL__K(bn_sums_small)(const ssl__bn_job *e, int c0, int nc)
{
    const ssl__bn *b = e->b;
    double sum[SSL__BN_PLACES], dot[SSL__BN_PLACES], s[SSL__BN_CHANNELS], d[SSL__BN_CHANNELS];
    float mean[SSL__BN_PLACES], c[SSL__BN_CHANNELS] = { 0.0f };
    int j;
    for (j = 0; j < nc; j++) c[j] = e->mean ? e->mean[c0 + j] : 0.0f;
    SSL__K(bn_spread)(nc, b->hw, c, mean);
    SSL__K(bn_places_b)(e, c0, nc * (int)b->hw, mean, sum, dot);
    SSL__K(bn_gather)(nc, b->hw, sum, s);
    SSL__K(bn_gather)(nc, b->hw, dot, d);
    for (j = 0; j < nc; j++) SSL__K(bn_sums_store)(e, c0 + j, s[j], d[j]);
}
static void SSL__K(bn_apply_small_b)(const ssl__bn_job *e, int c0, int nc, float inv)
{
    const ssl__bn *b = e->b;
    const int places = nc * (int)b->hw;
    const SSL__V zero = SSL__VZERO();
    float mean[SSL__BN_PLACES], scale[SSL__BN_PLACES], m1[SSL__BN_PLACES], m2[SSL__BN_PLACES], c[SSL__BN_CHANNELS] = { 0.0f };
    int n, i;
    for (i = 0; i < nc; i++) c[i] = e->mean ? e->mean[c0 + i] : 0.0f;
    SSL__K(bn_spread)(nc, b->hw, c, mean);
    for (i = 0; i < nc; i++) c[i] = SSL__K(bn_rstd)(e, c0 + i) * (e->w ? e->w[c0 + i] : 1.0f);
    SSL__K(bn_spread)(nc, b->hw, c, scale);
    for (i = 0; i < nc; i++) c[i] = e->s1[c0 + i] * inv;
    SSL__K(bn_spread)(nc, b->hw, c, m1);
    for (i = 0; i < nc; i++) c[i] = e->s2[c0 + i] * SSL__K(bn_rstd)(e, c0 + i) * inv;
    SSL__K(bn_spread)(nc, b->hw, c, m2);
    for (n = 0; n < b->n; n++) {
        const int64_t at = (n * (int64_t)b->ch + c0) * b->hw;
        for (i = 0; i < places; i += SSL__W) {
            const int left = places - i;
            const SSL__V apart = SSL__VSUB(SSL__K(ld)(e->x + at + i, left, zero), SSL__VLOAD(mean + i));
            SSL__V v = SSL__VSUB(SSL__VSUB(SSL__K(ld)(e->dy + at + i, left, zero), SSL__VLOAD(m1 + i)), SSL__VMUL(apart, SSL__VLOAD(m2 + i)));
            v = SSL__VMUL(SSL__VLOAD(scale + i), v);
            if (e->beta != 0.0f) v = SSL__VADD(SSL__K(ld)(e->dx + at + i, left, zero), v);
            SSL__K(st)(e->dx + at + i, left, v);
        }
    }
}
static inline void SSL__K(bn_plane_b)(int64_t n, float scale, float m1, float mean, float m2, const float *SSL_RESTRICT x, const float *SSL_RESTRICT dy, float beta, float *SSL_RESTRICT dx)
{
    int64_t i;
    if (beta == 0.0f) for (i = 0; i < n; i++) dx[i] = scale * (dy[i] - m1 - (x[i] - mean) * m2);
    else for (i = 0; i < n; i++) dx[i] += scale * (dy[i] - m1 - (x[i] - mean) * m2);
}
static void SSL__K(batch_norm_b_chunk)(void *arg, int chunk, int thread)
{
    const ssl__bn_job *e = (const ssl__bn_job *)arg;
    const ssl__bn *b = e->b;
    const float inv = b->count > 0.0 ? (float)(1.0 / b->count) : 0.0f;
    int c0, c, n, nc = SSL__K(bn_range)(e, chunk, &c0);
    (void)thread;
    if (b->hw <= SSL__BN_SMALL) {
        if (b->stages & SSL__BN_STATS) SSL__K(bn_sums_small)(e, c0, nc);
        if (b->stages & SSL__BN_APPLY && e->dx) SSL__K(bn_apply_small_b)(e, c0, nc, inv);
        return;
    }
    if (b->stages & SSL__BN_STATS) SSL__K(bn_sums)(e, c0, nc);
    for (n = 0; b->stages & SSL__BN_APPLY && e->dx && n < b->n; n++)
        for (c = c0; c < c0 + nc; c++) {
            const int64_t p = ((int64_t)n * b->ch + c) * b->hw;
            const float rstd = SSL__K(bn_rstd)(e, c);
            SSL__K(bn_plane_b)(b->hw, rstd * (e->w ? e->w[c] : 1.0f), e->s1[c] * inv, e->mean ? e->mean[c] : 0.0f, e->s2[c] * rstd * inv,
                               e->x + p, e->dy + p, e->beta, e->dx + p);
        }
}
static void SSL__K(batch_norm_b)(ssl_ctx *c, const ssl__bn *b, const float *x, const float *y, const float *w, const float *mean, const float *var,
                                 float *dy, float *s1, float *s2, float *dw, float *db, float beta, float *dx)
{
    ssl__bn_job e;
    memset(&e, 0, sizeof e);
    e.b = b; e.x = x; e.ya = y; e.w = w; e.mean = (float *)(uintptr_t)mean; e.var = (float *)(uintptr_t)var;
    e.dy = dy; e.s1 = s1; e.s2 = s2; e.dw = dw; e.db = db; e.beta = beta; e.dx = dx;
    SSL__K(bn_run)(c, &e, SSL__K(batch_norm_b_chunk));
}

/* ==== >>mask ==== kernels ============================================================================ */
#if SSL__PASS == 0
/* Small integer work: one thread, no vectors needed. */
static void SSL__K(iota)(ssl_ctx *c, int n, int start, int div, int m, int32_t *y)
{ int i; (void)c; for (i = 0; i < n; i++) y[i] = (int32_t)((start + i) / div % m); }
static void SSL__K(bernoulli)(ssl_ctx *c, int64_t n, float p, uint64_t seed, uint64_t stream, uint8_t *y)
{
    int64_t i;
    uint32_t r[4];
    (void)c;
    for (i = 0; i < n; i++) {
        if (i % 4 == 0) ssl__philox(seed, stream, (uint64_t)i / 4, r);
        y[i] = ssl__unit(r[i % 4]) < p;
    }
}
static void SSL__K(slice_ids)(ssl_ctx *c, int rows, int x_rows, int cols, int begin, int end, const int32_t *x, int32_t *y)
{
    int i;
    (void)c;
    for (i = 0; i < rows; i++) memcpy(y + (int64_t)i * (end - begin), x + (int64_t)(i % x_rows) * cols + begin, sizeof *y * (size_t)(end - begin));
}
static void SSL__K(random_ids)(ssl_ctx *c, int n, int m, uint64_t seed, uint64_t stream, int32_t *y)
{
    int i;
    (void)c;
    for (i = 0; i < n; i++) y[i] = ssl__random_id(seed, stream, (uint64_t)i, m);
}
/* Sequence of patches when the M x M squares come in the order ids: row-major squares, row-major patches inside. */
static void SSL__K(segment_tokens)(ssl_ctx *c, int B, int grid, int M, const int32_t *ids, int32_t *y)
{
    const int side = grid / M, S = side * side, L = grid * grid;
    int b, i;
    (void)c;
    for (b = 0; b < B; b++)
        for (i = 0; i < L; i++) {
            const int s = ids[b * S + i / (M * M)], in = i % (M * M);
            y[(int64_t)b * L + i] = (int32_t)((s / side * M + in / M) * grid + s % side * M + in % M);
        }
}
static void SSL__K(segment_mask)(ssl_ctx *c, int B, int T, int strict, const int32_t *rank, uint8_t *y)
{
    int b, i, j;
    (void)c;
    for (b = 0; b < B; b++, rank += T)
        for (i = 0; i < T; i++)
            for (j = 0; j < T; j++) *y++ = (uint8_t)(strict ? rank[j] >= rank[i] : rank[j] > rank[i]);
}
static void SSL__K(first_segment)(ssl_ctx *c, int64_t n, const int32_t *rank, uint8_t *y)
{ int64_t i; (void)c; for (i = 0; i < n; i++) y[i] = rank[i] == 0; }
static void SSL__K(blob_segments)(ssl_ctx *c, int B, int grid, int blobs, int groups, uint64_t seed, uint64_t stream, int32_t *rank)
{
    int b;
    (void)c;
    for (b = 0; b < B; b++) ssl__blobs(b, grid, blobs, groups, seed, stream, rank + (int64_t)b * grid * grid);
}
static void SSL__K(ignore)(ssl_ctx *c, int64_t n, const int32_t *x, const uint8_t *drop, int32_t *y)
{ int64_t i; (void)c; for (i = 0; i < n; i++) y[i] = drop[i] ? -100 : x[i]; }

static void SSL__K(zero_rows_f)(ssl_ctx *c, int64_t rows, int d, const uint8_t *drop, const float *x, float *y)
{
    int64_t i;
    (void)c;
    for (i = 0; i < rows; i++)
        if (drop[i]) memset(y + i * d, 0, sizeof *y * (size_t)d);
        else memcpy(y + i * d, x + i * d, sizeof *y * (size_t)d);
}
static void SSL__K(zero_rows_b)(ssl_ctx *c, int64_t rows, int d, const uint8_t *drop, const float *dy, float *dx)
{
    int64_t i;
    int j;
    (void)c;
    for (i = 0; i < rows; i++)
        if (!drop[i]) for (j = 0; j < d; j++) dx[i * d + j] += dy[i * d + j];
}
static void SSL__K(mask_diagonal_f)(ssl_ctx *c, int n, float value, const float *x, float *y)
{
    int i;
    (void)c;
    memcpy(y, x, sizeof *y * (size_t)n * (size_t)n);
    for (i = 0; i < n; i++) y[(int64_t)i * n + i] = value;
}
static void SSL__K(mask_diagonal_b)(ssl_ctx *c, int n, const float *dy, float *dx)
{
    int i, j;
    (void)c;
    for (i = 0; i < n; i++)
        for (j = 0; j < n; j++)
            if (i != j) dx[(int64_t)i * n + j] += dy[(int64_t)i * n + j];
}
#endif

/* ==== >>conv ==== kernels ============================================================================ */
/* One line of Winograd's transforms, n values to m. Points 0, +-a, +-b, infinity with a a = 1/2, b b = 2. */
static SSL__INLINE void SSL__K(wino_line)(int which, const SSL__V *x, SSL__V *y)
{
    const SSL__V a = SSL__VSET1(0.70710678f), b = SSL__VSET1(1.41421356f), half = SSL__VSET1(0.5f), two = SSL__VSET1(2.0f), a3 = SSL__VSET1(-2.0f / 3.0f), b6 = SSL__VSET1(1.0f / 6.0f);
    SSL__V e, o, f, q;
    switch (which) {
    case SSL__WINO_IN: /* B^T: t^5 - 2.5 t^3 + t over (t - point) */
        y[0] = SSL__VADD(SSL__VFMA(SSL__VSET1(-2.5f), x[2], x[0]), x[4]);
        y[5] = SSL__VADD(SSL__VFMA(SSL__VSET1(-2.5f), x[3], x[1]), x[5]);
        e = SSL__VFMA(SSL__VSET1(-2.0f), x[2], x[4]); o = SSL__VFMA(SSL__VSET1(-2.0f), x[1], x[3]);
        f = SSL__VFMA(SSL__VSET1(-0.5f), x[2], x[4]); q = SSL__VFMA(SSL__VSET1(-0.5f), x[1], x[3]);
        break;
    case SSL__WINO_BACK: /* A: powers of the points */
        y[0] = x[0]; y[5] = x[3];
        e = SSL__VFMA(half, x[2], x[0]); o = SSL__VFMA(half, x[3], x[1]);
        f = SSL__VFMA(two, x[2], x[0]);  q = SSL__VFMA(two, x[3], x[1]);
        break;
    case SSL__WINO_WEIGHTS: /* G: powers over the product of the distances to the other points, -1.5 and 6 */
        y[0] = x[0]; y[5] = x[2];
        e = SSL__VMUL(a3, SSL__VFMA(half, x[2], x[0])); o = SSL__VMUL(a3, x[1]);
        f = SSL__VMUL(b6, SSL__VFMA(two, x[2], x[0])); q = SSL__VMUL(b6, x[1]);
        break;
    default: /* the transposes of A and G */
        e = SSL__VADD(x[1], x[2]); o = SSL__VMUL(a, SSL__VSUB(x[1], x[2]));
        f = SSL__VADD(x[3], x[4]); q = SSL__VMUL(b, SSL__VSUB(x[3], x[4]));
        if (which == SSL__WINO_GRAD) { e = SSL__VMUL(a3, e); o = SSL__VMUL(a3, o); f = SSL__VMUL(b6, f); q = SSL__VMUL(b6, q); }
        y[0] = SSL__VADD(x[0], SSL__VADD(e, f));
        y[1] = SSL__VADD(o, q);
        y[2] = SSL__VFMA(two, f, SSL__VMUL(half, e));
        if (which == SSL__WINO_GRAD) y[2] = SSL__VADD(y[2], x[5]);
        else y[3] = SSL__VADD(x[5], SSL__VFMA(two, q, SSL__VMUL(half, o)));
        return;
    }
    y[1] = SSL__VFMA(a, o, e); y[2] = SSL__VSUB(e, SSL__VMUL(a, o));
    y[3] = SSL__VFMA(b, q, f); y[4] = SSL__VSUB(f, SSL__VMUL(b, q));
}
static SSL__INLINE void SSL__K(wino)(int which, int n, int m, const float *src, int64_t row, int64_t col, float *dst, int64_t drow, int64_t dcol)
{
    SSL__V x[6], y[6], t[6][6];
    int i, j;
    SSL__UNROLL for (i = 0; i < n; i++) {
        SSL__UNROLL for (j = 0; j < n; j++) x[j] = SSL__VLOAD(src + i * row + j * col);
        SSL__K(wino_line)(which, x, y);
        SSL__UNROLL for (j = 0; j < m; j++) t[j][i] = y[j];
    }
    SSL__UNROLL for (j = 0; j < m; j++) {
        SSL__K(wino_line)(which, t[j], y);
        SSL__UNROLL for (i = 0; i < m; i++) SSL__VSTORE(dst + i * drow + j * dcol, y[i]);
    }
}
#define SSL__WINO_FN(name, which, n, m)                                                                                    \
    static void SSL__K(name)(const float *src, int64_t row, int64_t col, float *dst, int64_t drow, int64_t dcol)           \
    { SSL__K(wino)(which, n, m, src, row, col, dst, drow, dcol); }
SSL__WINO_FN(wino_in, SSL__WINO_IN, 6, 6)
SSL__WINO_FN(wino_out, SSL__WINO_OUT, 6, 4)
SSL__WINO_FN(wino_back, SSL__WINO_BACK, 4, 6)
SSL__WINO_FN(wino_weights, SSL__WINO_WEIGHTS, 3, 6)
SSL__WINO_FN(wino_grad, SSL__WINO_GRAD, 6, 3)
#undef SSL__WINO_FN

static SSL__INLINE void SSL__K(square)(SSL__V *v) /* v[W] transposed */
{
#if SSL__PASS == 2
    __m512i t[16];
    int i;
    SSL__UNROLL for (i = 0; i < 16; i++) t[i] = _mm512_castps_si512(v[i]);
    SSL__K(transpose16)(t);
    SSL__UNROLL for (i = 0; i < 16; i++) v[i] = _mm512_castsi512_ps(t[i]);
#elif SSL__PASS == 1 /* pairs of rows, of pairs, of halves */
    __m256 t[8], u[8];
    int i;
    SSL__UNROLL for (i = 0; i < 8; i += 2) { t[i] = _mm256_unpacklo_ps(v[i], v[i + 1]); t[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]); }
    SSL__UNROLL for (i = 0; i < 8; i += 4) {
        u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44); u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44); u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    SSL__UNROLL for (i = 0; i < 4; i++) { v[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20); v[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31); }
#else
    float s[SSL__W * SSL__W], t[SSL__W * SSL__W];
    int i, j;
    for (i = 0; i < SSL__W; i++) SSL__VSTORE(s + i * SSL__W, v[i]);
    for (i = 0; i < SSL__W; i++) for (j = 0; j < SSL__W; j++) t[j * SSL__W + i] = s[i * SSL__W + j];
    for (i = 0; i < SSL__W; i++) v[i] = SSL__VLOAD(t + i * SSL__W);
#endif
}
/* ssl__conv_kind of this instruction set */
static void SSL__K(turn)(int live, int rows, int cols, const float *src, int64_t plane, int64_t ahead, float *dst, int64_t step, int64_t pitch)
{
    const int n = rows * cols;
    SSL__V v[SSL__W];
    int p, i, col = 0;
    for (p = 0; p < n; p += SSL__W, src += SSL__W) {
        SSL__UNROLL for (i = 0; i < SSL__W; i++) {
            v[i] = i < live ? SSL__K(ld)(src + i * plane, n - p, SSL__VZERO()) : SSL__VZERO();
            SSL__PREFETCH(src + i * plane + ahead);
        }
        SSL__K(square)(v);
        SSL__UNROLL for (i = 0; i < SSL__W; i++) {
            if (i < n - p) SSL__VSTORE(dst + col * step, v[i]);
            if (++col == cols) { col = 0; dst += pitch; }
        }
    }
}
static void SSL__K(turn_back)(int live, int rows, int cols, const float *src, int64_t step, int64_t pitch, const float *bias, int add, float *dst, int64_t plane)
{
    const int n = rows * cols;
    SSL__V v[SSL__W];
    int p, i, col = 0;
    for (p = 0; p < n; p += SSL__W, dst += SSL__W) {
        SSL__UNROLL for (i = 0; i < SSL__W; i++) {
            v[i] = SSL__VZERO();
            if (i < n - p) v[i] = SSL__VLOAD(src + col * step);
            if (++col == cols) { col = 0; src += pitch; }
        }
        SSL__K(square)(v);
        SSL__UNROLL for (i = 0; i < SSL__W; i++) {
            float *o = dst + i * plane;
            if (i >= live) break;
            if (bias) v[i] = SSL__VADD(v[i], SSL__VSET1(bias[i]));
            if (add) v[i] = SSL__VADD(v[i], SSL__K(ld)(o, n - p, SSL__VZERO()));
            SSL__K(st)(o, n - p, v[i]);
        }
    }
}
static void SSL__K(gather)(int n, int cols, const float *src, const int32_t *at, float *dst)
{
    int i, j;
    for (i = 0; i < n; i++, dst += SSL__MM_WIDE * SSL__W)
        for (j = 0; j < cols; j += SSL__W) SSL__VSTORE(dst + j, SSL__VLOAD(src + at[i] + j));
}
static void SSL__K(words)(int across, int n, const float *a, const float *b, float *dst, int64_t place)
{
    int i;
    (void)across; (void)b;
    for (i = 0; i < n; i++) SSL__VSTORE(dst + i * place, SSL__VLOAD(a + i * SSL__W));
}
static void SSL__K(slices)(int n, int slices, const float *src, int64_t slice, int64_t place, float *dst)
{
    int i, s;
    for (i = 0; i < n; i++, src += place, dst += SSL__W) {
        SSL__V v = SSL__VLOAD(src);
        for (s = 1; s < slices; s++) v = SSL__VADD(v, SSL__VLOAD(src + s * slice));
        SSL__VSTORE(dst, v);
    }
}
static const ssl__conv_kind SSL__K(conv_f32) = { SSL__W, SSL__MM_WIDE * SSL__W, 1, SSL__K(turn), SSL__K(turn), SSL__K(turn), SSL__K(turn_back), SSL__K(gather), SSL__K(words),
                                                 SSL__K(slices), SSL__K(mm_rows) };
#if SSL__PASS == 2 && defined(SSL__AVX512BF16)
SSL__BF16_FN void ssl__bf16_turn_c(int live, int rows, int cols, const float *src, int64_t plane, int64_t ahead, float *dst, int64_t step, int64_t pitch)
{
    const int n = rows * cols;
    __m512i v[16];
    int p, i, col = 0;
    for (p = 0; p < n; p += 16, src += 16) {
        SSL__UNROLL for (i = 0; i < 16; i++) {
            const float *s = src + 2 * i * plane;
            v[i] = 2 * i < live ? ssl__bf16_zip(s, 2 * i + 1 < live ? s + plane : NULL, n - p) : _mm512_setzero_si512();
            SSL__PREFETCH(s + ahead);
            SSL__PREFETCH(s + plane + ahead);
        }
        SSL__K(transpose16)(v);
        SSL__UNROLL for (i = 0; i < 16; i++) {
            if (i < n - p) _mm512_storeu_si512(dst + col * step, v[i]);
            if (++col == cols) { col = 0; dst += pitch; }
        }
    }
}
SSL__BF16_FN void ssl__bf16_turn_k(int live, int rows, int cols, const float *src, int64_t plane, int64_t ahead, float *dst, int64_t step, int64_t pitch)
{
    const int n = rows * cols;
    __m512i v[16];
    int p, i;
    (void)pitch;
    for (p = 0; p < n; p += 32, src += 32) {
        SSL__UNROLL for (i = 0; i < 16; i++) {
            v[i] = i < live ? ssl__bf16_along(src + i * plane, n - p) : _mm512_setzero_si512();
            SSL__PREFETCH(src + i * plane + ahead);
            SSL__PREFETCH(src + i * plane + ahead + 16);
        }
        SSL__K(transpose16)(v);
        SSL__UNROLL for (i = 0; i < 16; i++, dst += step) if (2 * i < n - p) _mm512_storeu_si512(dst, v[i]);
    }
}
SSL__BF16_FN void ssl__bf16_gather(int n, int cols, const float *src, const int32_t *at, float *dst)
{
    int i, j;
    for (i = 0; i < n; i += 2, dst += SSL__MM_WIDE * 16)
        for (j = 0; j < cols; j += 16) _mm512_storeu_si512(dst + j, ssl__bf16_zip(src + at[i] + j, src + at[i + 1] + j, 16));
}
SSL__BF16_FN void ssl__bf16_words(int across, int n, const float *a, const float *b, float *dst, int64_t place)
{
    int i;
    for (i = 0; i < n; i++, a += 16, b += 16, dst += place)
        _mm512_storeu_si512(dst, across ? ssl__bf16_zip(a, b, 16) : (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(b), _mm512_loadu_ps(a)));
}
static const ssl__conv_kind ssl__conv_bf16 = { SSL__W, SSL__MM_WIDE * SSL__W, 2, SSL__K(turn), ssl__bf16_turn_c, ssl__bf16_turn_k, SSL__K(turn_back), ssl__bf16_gather, ssl__bf16_words,
                                               SSL__K(slices), ssl__bf16_mm_rows };
#endif
static const ssl__conv_kind *SSL__K(conv_kind)(const ssl_ctx *c) /* bf16 without vdpbf16ps: float32; AMX has vdpbf16ps too */
{
#if SSL__PASS == 2 && defined(SSL__AVX512BF16)
    if (c->bf16 && c->precision == SSL_PRECISION_BF16) return &ssl__conv_bf16;
#endif
    (void)c;
    return &SSL__K(conv_f32);
}
static const ssl__winograd SSL__K(winograd) = { SSL__K(wino_in), SSL__K(wino_out), SSL__K(wino_back), SSL__K(wino_weights), SSL__K(wino_grad) };
#undef SSL__MM_WIDE

/* Five ways: few channels per group directly; maps smaller than the kernel as one plain product; 3 x 3 by Winograd; 1 x 1 as a
   product of the images; the rest as products of blocks that were turned channels last. */
static void SSL__K(conv_f)(ssl_ctx *c, const ssl__window *g, const float *x, const float *w, const float *bias, float *y)
{
    const ssl__conv_kind *kind = SSL__K(conv_kind)(c);
    const int plane = g->oh * g->ow;
    if (ssl__conv_direct(g)) ssl__cpu_conv_direct_f(c, g, x, w, bias, y);
    else if (ssl__conv_dense(g)) {
        const int in = g->ci * g->h * g->w, out = g->co * plane;
        const float *wide = ssl__dense_wide(c, g, w, bias);
        ssl__epilogue ep;
        memset(&ep, 0, sizeof ep);
        if (wide) ep.bias = wide + (int64_t)in * out;
        if (wide) SSL__K(gemm)(c, 0, 1, 1, g->n, out, in, x, in, 0, wide, in, 0, 0.0f, y, out, 0, bias ? &ep : NULL);
    }
    else if (ssl__conv_winograd(g)) ssl__wino_f(c, &SSL__K(conv_f32), &SSL__K(winograd), g, x, w, bias, y);
    else if (bias || !ssl__conv_pointwise(g)) ssl__corr_f(c, kind, g, x, w, bias, y);
    else SSL__K(gemm)(c, 0, 0, g->n, g->co, plane, g->ci, w, g->ci, 0, x, plane, (int64_t)g->ci * plane, 0.0f, y, plane, (int64_t)g->co * plane, NULL);
}
static void SSL__K(conv_bx)(ssl_ctx *c, const ssl__window *g, const float *w, const float *dy, float beta, float *dx)
{
    const ssl__conv_kind *kind = SSL__K(conv_kind)(c);
    const int plane = g->oh * g->ow;
    if (ssl__conv_direct(g)) ssl__cpu_conv_direct_bx(c, g, w, dy, beta, dx);
    else if (ssl__conv_dense(g)) {
        const int in = g->ci * g->h * g->w, out = g->co * plane;
        const float *wide = ssl__dense_wide(c, g, w, NULL);
        if (wide) SSL__K(gemm)(c, 0, 0, 1, g->n, in, out, dy, out, 0, wide, in, 0, beta, dx, in, 0, NULL);
    }
    else if (ssl__conv_winograd(g)) ssl__wino_bx(c, kind, &SSL__K(winograd), g, w, dy, beta, dx);
    else if (!ssl__conv_pointwise(g)) ssl__corr_bx(c, kind, g, w, dy, beta, dx);
    else SSL__K(gemm)(c, 1, 0, g->n, g->ci, plane, g->co, w, g->ci, 0, dy, plane, (int64_t)g->co * plane, beta, dx, plane, (int64_t)g->ci * plane, NULL);
}
static void SSL__K(conv_bw)(ssl_ctx *c, const ssl__window *g, const float *x, const float *dy, float *dw)
{
    const ssl__conv_kind *kind = SSL__K(conv_kind)(c);
    if (ssl__conv_direct(g)) ssl__cpu_conv_direct_bw(c, g, x, dy, dw);
    else if (ssl__conv_dense(g)) {
        const int in = g->ci * g->h * g->w, out = g->co * g->oh * g->ow;
        float *wide = ssl__dense_wide(c, g, NULL, NULL);
        if (wide) SSL__K(gemm)(c, 1, 0, 1, out, in, g->n, dy, out, 0, x, in, 0, 0.0f, wide, in, 0, NULL);
        if (wide) ssl__dense_fold(c, g, wide, dw);
    }
    else if (ssl__conv_winograd(g)) ssl__wino_bw(c, kind, &SSL__K(winograd), g, x, dy, dw);
    else ssl__corr_bw(c, kind, g, x, dy, dw);
}

/* ==== >>optim ==== kernels: each one pass over memory ================================================ */
static void SSL__K(sumsq_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(ew) *e = (const SSL__K(ew) *)arg;
    const int64_t end = SSL__K(ew_end)(e, chunk);
    float lane[16] = { 0.0f }, s = 0.0f;
    int64_t i = (int64_t)chunk * SSL__GRAIN;
    int j;
    (void)thread;
    for (; i + 16 <= end; i += 16)
        for (j = 0; j < 16; j++) lane[j] += e->x[i + j] * e->x[i + j];
    for (; i < end; i++) s += e->x[i] * e->x[i];
    for (j = 0; j < 16; j++) s += lane[j];
    e->out[chunk] = s;
}
static void SSL__K(sumsq)(ssl_ctx *c, int64_t n, const float *x, float *y)
{
    const int n_chunks = (int)((n + SSL__GRAIN - 1) / SSL__GRAIN);
    float *part = (float *)ssl__scratch(c, -1, sizeof(float) * (size_t)n_chunks);
    SSL__K(ew) e = { n, 0.0f, 0.0f, x, NULL, NULL, part };
    double s = 0.0;
    int i;
    if (!part) return;
    SSL__K(ew_run)(c, SSL__K(sumsq_chunk), &e);
    for (i = 0; i < n_chunks; i++) s += (double)part[i];
    y[0] = (float)s;
}
static void SSL__K(rescale_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(ew) *e = (const SSL__K(ew) *)arg;
    const int64_t end = SSL__K(ew_end)(e, chunk);
    int64_t i;
    (void)thread;
    for (i = (int64_t)chunk * SSL__GRAIN; i < end; i++) e->out[i] *= e->p;
}
static void SSL__K(rescale)(ssl_ctx *c, int64_t n, float s, float *y)
{ SSL__K(ew) e = { n, s, 0.0f, NULL, NULL, NULL, y }; SSL__K(ew_run)(c, SSL__K(rescale_chunk), &e); }

static void SSL__K(ema_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(ew) *e = (const SSL__K(ew) *)arg;
    const int64_t end = SSL__K(ew_end)(e, chunk);
    const float *SSL_RESTRICT x = e->x, a = e->p, b = 1.0f - e->p;
    float *SSL_RESTRICT y = e->out;
    int64_t i;
    (void)thread;
    for (i = (int64_t)chunk * SSL__GRAIN; i < end; i++) y[i] = a * y[i] + b * x[i];
}
static void SSL__K(ema)(ssl_ctx *c, int64_t n, float a, const float *x, float *y)
{ SSL__K(ew) e = { n, a, 0.0f, x, NULL, NULL, y }; SSL__K(ew_run)(c, SSL__K(ema_chunk), &e); }

/* Adam and SGD in vectors by hand: compilers keep a scalar sqrtf because of errno. 28 bytes read and written a value. */
#if SSL__PASS == 2
#  define SSL__VSQRT(a)   _mm512_sqrt_ps(a)
#elif SSL__PASS == 1
#  define SSL__VSQRT(a)   _mm256_sqrt_ps(a)
#elif SSL__PASS == 3
#  define SSL__VSQRT(a)   vsqrtq_f32(a)
#else
static inline SSL__V SSL__K(vsqrt)(SSL__V a)
{
    float f[SSL__W];
    int i;
    SSL__VSTORE(f, a);
    for (i = 0; i < SSL__W; i++) f[i] = sqrtf(f[i]);
    return SSL__VLOAD(f);
}
#  define SSL__VSQRT(a)   SSL__K(vsqrt)(a)
#endif
typedef struct SSL__K(opt) { const ssl__update *u; int64_t n; float *w, *g, *m, *v; } SSL__K(opt);
static void SSL__K(adam_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(opt) *e = (const SSL__K(opt) *)arg;
    const ssl__update *u = e->u;
    const SSL__V rate = SSL__VSET1(-u->rate), scale = SSL__VSET1(u->scale), l2 = SSL__VSET1(u->l2), shrink = SSL__VSET1(u->shrink);
    const SSL__V b1 = SSL__VSET1(u->beta1), a1 = SSL__VSET1(u->rest1), b2 = SSL__VSET1(u->beta2), a2 = SSL__VSET1(u->rest2);
    const SSL__V debias2 = SSL__VSET1(u->debias2), eps = SSL__VSET1(u->eps);
    const int64_t begin = (int64_t)chunk * SSL__GRAIN, end = SSL__MIN(begin + SSL__GRAIN, e->n);
    int64_t i;
    (void)thread;
    for (i = begin; i < end; i += SSL__W) {
        const SSL__V w = SSL__VLOAD(e->w + i), g = SSL__VFMA(l2, w, SSL__VMUL(scale, SSL__VLOAD(e->g + i)));
        const SSL__V m = SSL__VFMA(b1, SSL__VLOAD(e->m + i), SSL__VMUL(a1, g));
        const SSL__V v = SSL__VFMA(b2, SSL__VLOAD(e->v + i), SSL__VMUL(a2, SSL__VMUL(g, g)));
        const SSL__V step = SSL__VDIV(m, SSL__VFMA(SSL__VSQRT(v), debias2, eps));
        SSL__VSTORE(e->w + i, SSL__VFMA(rate, step, SSL__VMUL(shrink, w)));
        SSL__VSTORE(e->g + i, SSL__VZERO());
        SSL__VSTORE(e->m + i, m);
        SSL__VSTORE(e->v + i, v);
    }
}
static void SSL__K(update)(ssl_ctx *c, void (*chunk)(void *arg, int chunk, int thread), int n, const ssl__update *u, float *w, float *g, float *m, float *v)
{
    for (; n-- > 0; u++) {
        SSL__K(opt) e = { u, u->n, w + u->begin, g + u->slot, m + u->slot, v ? v + u->slot : NULL };
        ssl__parallel(c, (int)((u->n + SSL__GRAIN - 1) / SSL__GRAIN), chunk, &e);
    }
}
static void SSL__K(adam)(ssl_ctx *c, int n, const ssl__update *u, float *w, float *g, float *m, float *v) { SSL__K(update)(c, SSL__K(adam_chunk), n, u, w, g, m, v); }
static void SSL__K(sgd_chunk)(void *arg, int chunk, int thread)
{
    const SSL__K(opt) *e = (const SSL__K(opt) *)arg;
    const ssl__update *u = e->u;
    const SSL__V rate = SSL__VSET1(-u->rate), scale = SSL__VSET1(u->scale), l2 = SSL__VSET1(u->l2), mu = SSL__VSET1(u->beta1);
    const int64_t begin = (int64_t)chunk * SSL__GRAIN, end = SSL__MIN(begin + SSL__GRAIN, e->n);
    int64_t i;
    (void)thread;
    for (i = begin; i < end; i += SSL__W) {
        const SSL__V w = SSL__VLOAD(e->w + i), g = SSL__VFMA(l2, w, SSL__VMUL(scale, SSL__VLOAD(e->g + i)));
        const SSL__V m = SSL__VFMA(mu, SSL__VLOAD(e->m + i), g);
        SSL__VSTORE(e->w + i, SSL__VFMA(rate, u->nesterov ? SSL__VFMA(mu, m, g) : m, w));
        SSL__VSTORE(e->g + i, SSL__VZERO());
        SSL__VSTORE(e->m + i, m);
    }
}
static void SSL__K(sgd)(ssl_ctx *c, int n, const ssl__update *u, float *w, float *g, float *m) { SSL__K(update)(c, SSL__K(sgd_chunk), n, u, w, g, m, NULL); }
#undef SSL__VSQRT

#define SSL__KERNEL(name, args) SSL__K(name),
static const ssl__kernels SSL__K(table) = { SSL__ISA_NAME, SSL__KERNELS
#undef SSL__KERNEL
#define SSL__KERNEL(name, args) ssl__cpu_##name##_portable,
    SSL__KERNELS_PLAIN
#undef SSL__KERNEL
#define SSL__KERNEL(name, args) ssl__cpu_##name,
    SSL__KERNELS_ONCE };
#undef SSL__KERNEL
#undef SSL__K
#undef SSL__W
#undef SSL__V
#undef SSL__VLOAD
#undef SSL__VSTORE
#undef SSL__VSET1
#undef SSL__VZERO
#undef SSL__VADD
#undef SSL__VSUB
#undef SSL__VMUL
#undef SSL__VMAX
#undef SSL__VFMA
#undef SSL__VSUM
#undef SSL__VTOP
#undef SSL__VPOW2
#undef SSL__VDIV
#undef SSL__VIFNEG
#undef SSL__VLOADN
#undef SSL__VSTOREN
#endif /* SSL__PASS */

/* =========================================================================================================
   IMPLEMENTATION, part 2: tensors, autograd, ops, layers, everything above.
   ========================================================================================================= */
#if defined(SSL__PART) && SSL__PART == 1 && !defined(SSL__PASS)
#undef SSL__PART
#define SSL__PART 2

#ifdef SSL__CUDA
#  include "ssl_cuda.cuh"
#endif

SSL__COLD_BEGIN
/* ==== >>context ====================================================================================== */
static const ssl__kernels *ssl__cpu_kernels(void) /* the best table this machine can run; SSL_ISA= forces one */
{
    const char *want = getenv("SSL_ISA");
#ifdef SSL__X86_PASSES
    const int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                       __builtin_cpu_supports("avx512vl");
    if (avx512 && (!want || !strncmp(want, "avx512", 6) || !strcmp(want, "amx"))) return &ssl__cpu_table_avx512;
    if (avx2 && (!want || !strcmp(want, "avx2"))) return &ssl__cpu_table_avx2;
#endif
#ifdef SSL__NEON_PASS
    if (!want || !strcmp(want, "neon")) return &ssl__cpu_table_neon;
#endif
    (void)want;
    return &ssl__cpu_table_portable;
}

/* AVX512_BF16: CPUID leaf 7. SSL_ISA=avx512 does without. */
static int ssl__bf16_open(const ssl__kernels *k)
{
#ifdef SSL__AVX512BF16
    const char *want = getenv("SSL_ISA");
    unsigned a = 0, b = 0, c = 0, d = 0;
    return k == &ssl__cpu_table_avx512 && (!want || strcmp(want, "avx512")) && __get_cpuid_count(7, 1, &a, &b, &c, &d) && a >> 5 & 1;
#else
    (void)k;
    return 0;
#endif
}
/* AMX with bf16: CPUID leaf 7, and the kernel's permission for the tile registers, given to the process once. SSL_ISA=avx512
   and avx512bf16 do without. */
static int ssl__amx_open(const ssl__kernels *k)
{
#ifdef SSL__AMX
    const char *want = getenv("SSL_ISA");
    unsigned a = 0, b = 0, c = 0, d = 0;
    long failed = 158, request = 0x1023, feature = 18; /* arch_prctl(ARCH_REQ_XCOMP_PERM, XTILEDATA) */
    if (!ssl__bf16_open(k) || (want && strcmp(want, "amx"))) return 0;
#  ifdef SSL_AMX_EMULATED /* tests/amx_emu.h */
    return 1;
#  endif
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 22 & 1) || !(d >> 24 & 1)) return 0; /* amx-bf16, amx-tile */
    __asm__ volatile("syscall" : "+a"(failed) : "D"(request), "S"(feature) : "rcx", "r11", "memory");
    return !failed;
#else
    (void)k;
    return 0;
#endif
}

static ssl_device ssl__default_device(void) /* the CPU, unless SSL_DEVICE=cuda is in the environment */
{
    const char *want = getenv("SSL_DEVICE");
    return want && !strcmp(want, "cuda") ? SSL_DEVICE_CUDA : SSL_DEVICE_CPU;
}

static int ssl__max_threads(void)
{
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

SSL_API ssl_ctx *ssl_open_at(const char *at, const ssl_desc *desc)
{
    ssl_desc d = SSL_ZERO;
    const int initialized = !desc || (!desc->_start_canary && !desc->_end_canary);
    int threads;
    ssl_ctx *c;
    if (desc && initialized) d = *desc;
    threads = d.threads > 0 ? d.threads : ssl__max_threads();
    c = (ssl_ctx *)SSL_MALLOC(sizeof *c + sizeof(ssl__slot) * (size_t)(threads + 2));
    if (!c) {
        if (d.on_error) d.on_error(SSL_E_MEMORY, ssl__no_memory.message, d.on_error_user);
        else fprintf(stderr, "%s: error: %s\n", ssl__where(at), ssl__no_memory.message);
        return (ssl_ctx *)&ssl__no_memory;
    }
    memset(c, 0, sizeof *c + sizeof(ssl__slot) * (size_t)(threads + 2));
    c->scratch = (ssl__slot *)(c + 1);
    c->nil.ctx = c;
    c->nil.op = "nil";
    c->nil.at = c->at = at;
    c->on_error = d.on_error;
    c->on_error_user = d.on_error_user;
    c->seed = d.seed;
    c->training = 1;
    c->device = d.device == SSL_DEVICE_DEFAULT ? ssl__default_device() : d.device;
    c->precision = d.precision == SSL_PRECISION_DEFAULT ? SSL_PRECISION_HIGHEST : d.precision;
    c->n_threads = threads;
    c->dev = &ssl__cpu_backend;
    c->k = ssl__cpu_kernels();
    c->bf16 = ssl__bf16_open(c->k);
    c->amx = ssl__amx_open(c->k);
#ifdef SSL__AVX512BF16
    if (c->bf16) c->half = &ssl__bf16_half_kernels;
#endif
    c->data.on_device = c->small.on_device = 1;
    if (!initialized) ssl__fail(c, SSL_E_ARG, at, "ssl_open: the ssl_desc is not initialized: write `ssl_desc d = SSL_ZERO;`");
#ifdef SSL__CUDA
    if (c->device == SSL_DEVICE_CUDA && initialized) ssl__cuda_open(c, at);
#else
    if (c->device == SSL_DEVICE_CUDA)
        ssl__fail(c, SSL_E_CUDA, at, "ssl_open: this program was built without CUDA: build it with `nvcc -O3 -x cu -arch=native prog.c`, or use the CPU");
#endif
    return c;
}

SSL_API int ssl_close(ssl_ctx *c)
{
    int i, code;
    if (!ssl__dead(c) && c->dev->settle && !c->status) c->dev->settle(c); /* the last steps may have failed */
    code = (int)c->status;
    if (ssl__dead(c)) return code;
    if (c->n_suppressed && !c->on_error) fprintf(stderr, "(%d later calls were skipped)\n", c->n_suppressed);
    while (c->owned) {
        ssl__owned *o = c->owned;
        c->owned = o->next;
        o->close(o->p);
        ssl__release(o);
    }
    for (i = 0; i < c->n_params; i++) { ssl__release(c->param[i]->name); ssl__release(c->param[i]); }
    ssl__release(c->param);
    for (i = 0; i < c->n_notes; i++) { ssl__release((void *)(uintptr_t)c->notes[i].key); ssl__release((void *)(uintptr_t)c->notes[i].value); }
    ssl__release(c->notes);
    if (c->values) c->dev->release(c, c->values);
    for (i = 0; i < 3; i++) if (c->state[i]) c->dev->release(c, c->state[i]);
    ssl__arena_free(c, &c->data);
    ssl__arena_free(c, &c->small);
    ssl__arena_free(c, &c->host);
    ssl__release(c->spare);
#ifdef SSL__CUDA
    ssl__cuda_close(c);
#endif
    for (i = 0; i < c->n_threads + 2; i++) ssl__release(c->scratch[i].raw);
    SSL_FREE(c);
    return code;
}

/* Zeroed memory for a model (its first field is the context), freed by ssl_close; after an error the nil model, never NULL. */
static void *ssl__model(ssl_ctx *c, const char *at, size_t bytes)
{
    void *m = c->status ? NULL : ssl__alloc(c, at, SSL__MAX(bytes, sizeof(ssl_ctx *)));
    c->nil_model.ctx = c;
    if (!m || !ssl__own(c, at, m, ssl__release)) return &c->nil_model;
    *(ssl_ctx **)m = c;
    return m;
}

SSL_API int ssl_ok(const ssl_ctx *c) { return c->status == SSL_OK; }
SSL_API ssl_status ssl_error(const ssl_ctx *c) { return c->status; }
SSL_API const char *ssl_error_message(const ssl_ctx *c) { return c->message; }
SSL_API void ssl_error_clear(ssl_ctx *c)
{
    if (ssl__dead(c)) return;
    c->status = SSL_OK;
    c->n_suppressed = 0;
    c->message[0] = 0;
}
SSL_API void ssl_train(ssl_ctx *c, int training) { if (!ssl__dead(c)) c->training = training; }
SSL_API void ssl_no_grad(ssl_ctx *c, int on) { if (!ssl__dead(c)) c->no_grad += on ? 1 : -1; }
SSL_API const char *ssl_isa(const ssl_ctx *c) { return c->k ? c->k->isa : "none"; }
SSL_API void ssl_raise_at(const char *at, ssl_ctx *c, ssl_status code, const char *message) { ssl__fail(c, code, at, "%s", message); }

SSL_API void ssl_step_end(ssl_ctx *c)
{
    if (ssl__dead(c)) return;
    if (c->dev->step_end) c->dev->step_end(c);
    ssl__arena_reset(c, &c->data);
    ssl__arena_reset(c, &c->small);
    ssl__arena_reset(c, &c->host);
    ssl__scratch_level(c);
    c->n_spare = 0;
    c->tape = NULL;
}

SSL_API ssl_memory ssl_memory_stats(const ssl_ctx *c)
{
    ssl_memory m;
    int i;
    m.n_allocs = c->n_allocs;
    m.step_bytes = c->data.used + c->small.used;
    m.step_peak = c->data.peak + c->small.peak;
    m.param_bytes = sizeof(float) * (size_t)c->cap_flat;
    for (i = 0; i < 3; i++) if (c->state[i]) m.param_bytes += sizeof(float) * (size_t)c->n_state;
    return m;
}

/* ==== >>rng ==== sequential draws over Philox */
SSL_API ssl_rng ssl_rng_make(uint64_t seed, uint64_t stream)
{ ssl_rng r; memset(&r, 0, sizeof r); r.seed = seed; r.stream = stream; return r; }
SSL_API uint32_t ssl_rng_u32(ssl_rng *r)
{
    if (r->index % 4 == 0) ssl__philox(r->seed, r->stream, r->index / 4, r->buf);
    return r->buf[r->index++ % 4];
}
SSL_API float ssl_rng_uniform(ssl_rng *r) { return ssl__unit(ssl_rng_u32(r)); }
SSL_API float ssl_rng_normal(ssl_rng *r) /* Box-Muller */
{
    const double u = ((double)ssl_rng_u32(r) + 1.0) / 4294967297.0, v = (double)ssl_rng_u32(r) / 4294967296.0;
    return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
}
SSL_API int ssl_rng_below(ssl_rng *r, int n) { return (int)(((uint64_t)ssl_rng_u32(r) * (uint64_t)n) >> 32); }
SSL_API uint64_t ssl_rng_stream(ssl_ctx *c) { return ssl__dead(c) ? 0 : c->rng_position++; }

/* ==== >>tensor ======================================================================================= */
SSL_API int64_t ssl_numel(const ssl_tensor *t)
{
    int64_t n = 1;
    int i;
    if (t->ndim == 0) return 0; /* the nil tensor */
    for (i = 0; i < t->ndim; i++) n *= t->dim[i];
    return n;
}

static size_t ssl__bytes(const ssl_tensor *t) { return (size_t)ssl_numel(t) * (t->dtype == SSL_U8 ? 1 : t->dtype == SSL_BF16 ? 2 : 4); }
static int64_t ssl__floats(const ssl_tensor *t) { return (int64_t)(ssl__bytes(t) + 3) / 4; } /* floats that its values (and its gradient) take */

/* The type of a result that no user sees, which one kernel writes and only products, attention, batch norms and backward passes read:
   bf16 where the backend can, which halves the bytes of most activations. */
static ssl_dtype ssl__inner(const ssl_ctx *c) { return c->half && c->precision == SSL_PRECISION_BF16 ? SSL_BF16 : SSL_F32; }
static ssl_dtype ssl__inner_map(const ssl_ctx *c) { return c->half && c->half->half_conv_b ? ssl__inner(c) : SSL_F32; } /* the same of maps of channels */
static int ssl__is_half(const ssl_tensor *t) { return t->dtype == SSL_BF16; }

#define SSL__NUMEL_LIMIT ((int64_t)1 << 40)
/* A tensor of this step without values yet (reshape and detach share their input's). */
static ssl_tensor *ssl__node(ssl_ctx *c, const char *at, const char *op, ssl_dtype dtype, int ndim, const int *dim)
{
    ssl_tensor *t;
    int64_t n = 1;
    int i;
    if (c->status) return &c->nil;
    if (ndim < 1 || ndim > SSL_DIMS) return ssl__fail(c, SSL_E_SHAPE, at, "%s: %d axes: a tensor has 1 to %d", op, ndim, SSL_DIMS);
    for (i = 0; i < ndim; n *= dim[i++]) {
        if (dim[i] <= 0) return ssl__fail(c, SSL_E_SHAPE, at, "%s: axis %d would have %d elements: every axis needs at least 1", op, i, dim[i]);
        if (n > SSL__NUMEL_LIMIT / dim[i]) return ssl__fail(c, SSL_E_SHAPE, at, "%s: a tensor of more than 2^40 elements", op);
    }
    t = (ssl_tensor *)ssl__arena_alloc(c, &c->host, at, sizeof *t);
    if (!t) return &c->nil;
    memset(t, 0, sizeof *t);
    t->ctx = c;
    t->op = op;
    t->at = c->at = at;
    t->dtype = dtype;
    t->ndim = ndim;
    memcpy(t->dim, dim, sizeof *dim * (size_t)ndim);
    return t;
}

static void ssl__point(ssl_tensor *t, void *p)
{
    t->x = t->dtype == SSL_F32 || t->dtype == SSL_BF16 ? (float *)p : NULL;
    t->i = t->dtype == SSL_I32 ? (int32_t *)p : NULL;
    t->u = t->dtype == SSL_U8 ? (uint8_t *)p : NULL;
}
static const void *ssl__data(const ssl_tensor *t) { return t->dtype == SSL_I32 ? (const void *)t->i : t->dtype == SSL_U8 ? (const void *)t->u : (const void *)t->x; }

/* ---- buffers of this step: gradients are handed back as soon as the node that owns them is done, inner values after their last
   use; the next buffer is cut from the smallest stretch that holds it, but crumbs are not cut from large ones ---- */
static float *ssl__buffer(ssl_ctx *c, const char *at, int64_t n)
{
    const size_t bytes = SSL__PAD(sizeof(float) * (size_t)n);
    ssl__spare *best = NULL;
    float *p;
    int i;
    for (i = 0; i < c->n_spare; i++)
        if (c->spare[i].bytes >= bytes && c->spare[i].bytes / 64 <= bytes && (!best || c->spare[i].bytes < best->bytes)) best = &c->spare[i];
    if (!best) return (float *)ssl__step_alloc(c, at, sizeof(float) * (size_t)n);
    p = (float *)(void *)best->p;
    best->p += bytes;
    best->bytes -= bytes;
    if (!best->bytes) *best = c->spare[--c->n_spare];
    return p;
}
static void ssl__hand_back(ssl_ctx *c, const char *at, float *p, int64_t n)
{
    ssl__spare s;
    int i = 0;
    s.p = (char *)p;
    s.bytes = SSL__PAD(sizeof(float) * (size_t)n);
    if (ssl__guard_gone(c, s.p, sizeof(float) * (size_t)n)) return;
    while (i < c->n_spare) { /* join the neighbours */
        const ssl__spare o = c->spare[i];
        if (o.p + o.bytes == s.p) s.p = o.p;
        else if (s.p + s.bytes != o.p) { i++; continue; }
        s.bytes += o.bytes;
        c->spare[i] = c->spare[--c->n_spare];
    }
    if (ssl__grow(c, at, (void **)&c->spare, &c->cap_spare, c->n_spare + 1, sizeof *c->spare)) c->spare[c->n_spare++] = s;
}
/* A tensor of this step with (uninitialized) values: what ops write into. */
static ssl_tensor *ssl__new(ssl_ctx *c, const char *at, const char *op, ssl_dtype dtype, int ndim, const int *dim)
{
    ssl_tensor *t = ssl__node(c, at, op, dtype, ndim, dim);
    void *p;
    if (c->status) return &c->nil;
    p = dtype == SSL_F32 || dtype == SSL_BF16 ? (void *)ssl__buffer(c, at, ssl__floats(t)) : ssl__step_alloc(c, at, ssl__bytes(t));
    if (!p) return &c->nil;
    ssl__point(t, p);
    return t;
}
static ssl_tensor *ssl__like(const char *at, const char *op, const ssl_tensor *x) { return ssl__new(x->ctx, at, op, SSL_F32, x->ndim, x->dim); }

static const char *ssl__dtype_name(ssl_dtype t) { return t == SSL_F32 ? "F32" : t == SSL_I32 ? "I32" : t == SSL_U8 ? "U8" : "BF16"; }
/* 1 if t holds values of this type and no error happened so far; else 0 and an error. */
static int ssl__need(const char *at, const char *op, const char *name, const ssl_tensor *t, ssl_dtype dtype)
{
    char s[96];
    if (t->ctx->status) return 0;
    if (t->dtype == dtype) return 1;
    ssl__fail(t->ctx, SSL_E_ARG, at, "%s: %s%s holds %s values: %s is needed", op, name, ssl__shape(t, s), ssl__dtype_name(t->dtype), ssl__dtype_name(dtype));
    return 0;
}
static int ssl__need_real(const char *at, const char *op, const char *name, const ssl_tensor *t) /* float32, or inside of a layer bf16 */
{ return ssl__need(at, op, name, t, ssl__is_half(t) ? SSL_BF16 : SSL_F32); }

/* Step memory for an op's own use: on the device, or zeroed on the host (aux structs, lists). NULL after an error. */
static SSL__UNUSED void *ssl__temp(ssl_ctx *c, const char *at, size_t bytes) { return c->status ? NULL : ssl__step_alloc(c, at, bytes); }
static void *ssl__aux(ssl_ctx *c, const char *at, size_t bytes)
{
    void *p = c->status ? NULL : ssl__arena_alloc(c, &c->host, at, bytes);
    if (p) memset(p, 0, bytes);
    return p;
}

/* Put y on the tape if a gradient can reach one of its n inputs (NULL inputs are left out of the check). */
static ssl_tensor *ssl__record_n(ssl_tensor *y, ssl_op_fn back, int n, ssl_tensor *const *in)
{
    ssl_ctx *c = y->ctx;
    int i;
    for (i = 0; i < n; i++)
        if (in[i] && in[i]->ctx != c) return ssl__fail(c, SSL_E_ARG, y->at, "%s: its inputs belong to two contexts", y->op);
    if (c->status) return &c->nil;
    for (i = 0; i < n && !c->no_grad; i++) if (in[i] && in[i]->needs_grad) y->needs_grad = 1;
    if (!y->needs_grad) return y;
    y->in = (ssl_tensor **)ssl__aux(c, y->at, sizeof *y->in * (size_t)n);
    if (!y->in) return &c->nil;
    for (i = 0; i < n; i++) y->in[i] = in[i];
    y->n_in = n;
    y->back = back;
    y->prev = c->tape;
    c->tape = y;
    return y;
}
static ssl_tensor *ssl__record(ssl_tensor *y, ssl_op_fn back, ssl_tensor *a, ssl_tensor *b, ssl_tensor *d)
{
    ssl_tensor *in[3];
    in[0] = a; in[1] = b; in[2] = d;
    return ssl__record_n(y, back, d ? 3 : b ? 2 : 1, in);
}

static void ssl__grad_drop(ssl_tensor *t)
{
    if (!t->g || t->keep_grad) return;
    ssl__hand_back(t->ctx, t->at, t->g, ssl__floats(t));
    t->g = NULL;
}
static void ssl__values_drop(ssl_tensor *t)
{
    if (!t->x) return;
    ssl__hand_back(t->ctx, t->at, t->x, ssl__floats(t));
    t->x = NULL;
}
/* The values of t, an inner result that no user sees and that owns them, are not read again in the forward pass. They go now if
   the backward pass can remake them or there will be none, else when it has passed. */
static void ssl__shed(ssl_tensor *t, void (*remake)(ssl_tensor *t))
{
    ssl_ctx *c = t->ctx;
    if (c->status || (!c->no_grad && !t->needs_grad)) return; /* not on the tape, whose walk would remake and drop them */
    t->inner = 1;
    t->remake = remake;
    if (c->no_grad || remake) ssl__values_drop(t);
}
/* The backward pass does not read them either: dropout and sums do not look at their inputs. */
static void ssl__spend(ssl_tensor *t) { if (!t->ctx->status) ssl__values_drop(t); }
static void ssl__remake(ssl_tensor *t) /* and first what it is made from */
{
    int i;
    if (!t || t->x || !t->remake) return;
    for (i = 0; i < t->n_in; i++) ssl__remake(t->in[i]);
    t->x = t->ctx->status ? NULL : ssl__buffer(t->ctx, t->at, ssl__floats(t));
    if (t->x) t->remake(t);
}
static int ssl__state_ready(ssl_ctx *c, const char *at, int parts);
/* The gradient to write into; *beta is 0 if nothing is there yet (the kernel must write), 1 if it must add.
   NULL when t needs none. */
static float *ssl__grad_beta(ssl_tensor *t, float *beta)
{
    *beta = 1.0f;
    if (!t || !t->needs_grad) return NULL;
    if (!t->g && t->param) t->g = ssl__state_ready(t->ctx, t->at, 1) ? t->param->g + (t->x - t->param->x) : NULL;
    else if (!t->g) { t->g = ssl__buffer(t->ctx, t->at, ssl__floats(t)); *beta = 0.0f; }
    return t->g;
}
SSL_API float *ssl_grad_of(ssl_tensor *t)
{
    float beta, *g = ssl__grad_beta(t, &beta);
    if (g && beta == 0.0f) t->ctx->k->fill(t->ctx, ssl_numel(t), 0.0f, g);
    return g;
}
/* dx += dy for the same number of elements; takes y's buffer over when x has none yet. */
static void ssl__grad_pass(ssl_tensor *y, ssl_tensor *x)
{
    if (!x || !x->needs_grad) return;
    if (!x->g && !y->keep_grad && !x->keep_grad) { x->g = y->g; y->g = NULL; }
    else {
        float *dx = ssl_grad_of(x);
        if (dx) x->ctx->k->axpy(x->ctx, ssl_numel(x), 1.0f, y->g, dx);
    }
}

static int ssl__has_nan(const ssl_tensor *t) /* host check of a float tensor by bits: NaN or infinity */
{
    const int64_t n = ssl_numel(t);
    float part[1024];
    int64_t i, j;
    if (t->dtype != SSL_F32 || !t->x) return 0;
    for (i = 0; i < n; i += 1024) {
        const int64_t m = SSL__MIN(n - i, 1024);
        if (!ssl__get(t->ctx, part, t->x + i, sizeof(float) * (size_t)m)) return 0;
        for (j = 0; j < m; j++) { uint32_t u; memcpy(&u, &part[j], 4); if ((u & 0x7f800000u) == 0x7f800000u) return 1; }
    }
    return 0;
}
/* Name the first op of the tape that made a NaN or infinity. */
static void ssl__blame_nan(const char *at, ssl_tensor *loss)
{
    ssl_tensor *t, *first = loss;
    char s[96];
    for (t = loss->ctx->tape; t; t = t->prev) if (ssl__has_nan(t)) first = t;
    ssl__fail(loss->ctx, SSL_E_NAN, at, "ssl_backward: the loss is not a number or infinite; the first op that made one is %s %s at %s; lower the learning rate or check the images",
              first->op, ssl__shape(first, s), ssl__where(first->at));
}

SSL_API void ssl_backward_at(const char *at, ssl_tensor *loss)
{
    ssl_ctx *c = loss->ctx;
    char s[96];
    ssl_tensor *t;
    if (c->status) return;
    if (ssl_numel(loss) != 1) { ssl__fail(c, SSL_E_SHAPE, at, "ssl_backward: loss%s must have one element: use ssl_mean or ssl_sum first", ssl__shape(loss, s)); return; }
    if (!loss->needs_grad || !c->tape) {
        ssl__fail(c, SSL_E_ARG, at, "ssl_backward: the loss (from %s at %s) depends on no parameter, or the tape was already used up: call it once per forward pass", loss->op, ssl__where(loss->at));
        return;
    }
    if (!ssl__state_ready(c, at, 1)) return;
    if (c->dev->judge) c->dev->judge(c, at, loss);
    else if (ssl__has_nan(loss)) { ssl__blame_nan(at, loss); return; }
    c->k->fill(c, 1, 1.0f, ssl_grad_of(loss));
    for (t = c->tape; t && !c->status; t = t->prev) { /* newest first = reverse order */
        int i;
        c->at = t->at;
        for (i = 0; i < t->n_in && t->g; i++) ssl__remake(t->in[i]);
        if (c->status) return;
        if (t->g && t->back) t->back(t);
        ssl__grad_drop(t);
        if (t->inner) ssl__values_drop(t);
    }
    c->tape = NULL;
}

/* ---- inputs and outputs ---- */
static ssl_tensor *ssl__input(const char *at, ssl_ctx *c, const char *op, ssl_dtype dtype, const void *data, int ndim, va_list ap)
{
    int dim[SSL_DIMS], i;
    ssl_tensor *t;
    for (i = 0; i < ndim && i < SSL_DIMS; i++) dim[i] = va_arg(ap, int);
    t = ssl__new(c, at, op, dtype, ndim, dim);
    if (c->status) return t;
    if (data) ssl__put(c, (void *)(uintptr_t)ssl__data(t), data, ssl__bytes(t));
    else c->k->fill(c, (int64_t)(ssl__bytes(t) + 3) / 4, 0.0f, (float *)(uintptr_t)ssl__data(t));
    return t;
}
#define SSL__INPUT(name, type, dtype)                                                                          \
    SSL_API ssl_tensor *ssl_##name##_at(const char *at, ssl_ctx *c, const type *data, int ndim, ...)           \
    {                                                                                                          \
        va_list ap;                                                                                            \
        ssl_tensor *t;                                                                                         \
        va_start(ap, ndim);                                                                                    \
        t = ssl__input(at, c, "ssl_" #name, dtype, data, ndim, ap);                                            \
        va_end(ap);                                                                                            \
        return t;                                                                                              \
    }
SSL__INPUT(input, float, SSL_F32)
SSL__INPUT(input_i32, int32_t, SSL_I32)
SSL__INPUT(input_u8, uint8_t, SSL_U8)
#undef SSL__INPUT

SSL_API ssl_tensor *ssl_requires_grad(ssl_tensor *t) { if (!t->ctx->status) t->needs_grad = t->keep_grad = 1; return t; }
SSL_API float ssl_item(const ssl_tensor *t)
{
    float v = 0.0f;
    if (t->ctx->status || !t->x || !ssl__get(t->ctx, &v, t->x, sizeof v)) return ssl__bits(0x7fc00000u);
    return v;
}
SSL_API int64_t ssl_item_begin(const ssl_tensor *t)
{
    ssl_ctx *c = t->ctx;
    const int slot = (int)(c->n_readings % SSL__READINGS);
    if (ssl__dead(c)) return 0;
    c->reading[slot] = ssl__bits(0x7fc00000u);
    if (c->status || !t->x) return c->n_readings++;
    if (c->dev->fetch) ssl__moved(c, c->dev->fetch(c, slot, t->x));
    else c->reading[slot] = t->x[0];
    return c->n_readings++;
}
SSL_API float ssl_item_end(ssl_ctx *c, int64_t ticket)
{
    const int slot = (int)(ticket % SSL__READINGS);
    if (ssl__dead(c) || ticket < 0 || ticket >= c->n_readings || ticket < c->n_readings - SSL__READINGS) return ssl__bits(0x7fc00000u);
    return c->dev->fetched ? c->dev->fetched(c, slot) : c->reading[slot];
}
SSL_API int ssl_to_host(const ssl_tensor *t, void *dst) { return !t->ctx->status && ssl__data(t) && ssl__get(t->ctx, dst, ssl__data(t), ssl__bytes(t)); }
SSL_API int ssl_grad_to_host(const ssl_tensor *t, float *dst)
{
    if (t->ctx->status || t->dtype != SSL_F32) return 0;
    if (!t->g) { memset(dst, 0, ssl__bytes(t)); return 1; }
    return ssl__get(t->ctx, dst, t->g, ssl__bytes(t));
}

SSL_API ssl_tensor *ssl_custom_op_at(const char *at, ssl_ctx *c, const char *name, ssl_op_fn forward, ssl_op_fn backward,
                                     const void *params, size_t n, int n_in, ssl_tensor *const *in, int ndim, const int *dim)
{
    ssl_tensor *y;
    if (c->status) return &c->nil;
    if (c->device != SSL_DEVICE_CPU) return ssl__fail(c, SSL_E_ARG, at, "ssl_custom_op: %s runs on the CPU backend only", name);
    y = ssl__new(c, at, name, SSL_F32, ndim, dim);
    if (c->status) return y;
    y->aux = n ? ssl__aux(c, at, n) : NULL;
    y->in = (ssl_tensor **)ssl__aux(c, at, sizeof *y->in * (size_t)SSL__MAX(n_in, 1));
    if (c->status) return &c->nil;
    if (n) memcpy(y->aux, params, n);
    for (y->n_in = 0; y->n_in < n_in; y->n_in++) y->in[y->n_in] = in[y->n_in];
    forward(y);
    return ssl__record_n(y, backward, n_in, in);
}

/* ==== >>param ======================================================================================== */
static int ssl__match(const char *pattern, const char *name) /* '*' matches any run of characters */
{
    for (; *pattern != '*'; pattern++, name++) {
        if (*pattern != *name) return 0;
        if (!*name) return 1;
    }
    while (pattern[1] == '*') pattern++;
    for (;; name++) {
        if (ssl__match(pattern + 1, name)) return 1;
        if (!*name) return 0;
    }
}

SSL_API ssl_init ssl_init_make(ssl_init_kind kind, float value) { ssl_init i; i.kind = kind; i.value = value; return i; }

/* Fans as PyTorch counts them: weight [out, in, kernel...]. */
static void ssl__fill_init(ssl_ctx *c, ssl_init init, const ssl_tensor *t, float *host)
{
    const int64_t n = ssl_numel(t);
    ssl_rng r = ssl_rng_make(c->seed, ssl_rng_stream(c));
    double receptive = 1.0, in, out, bound;
    int64_t i;
    int d;
    for (d = 2; d < t->ndim; d++) receptive *= t->dim[d];
    in = receptive * (t->ndim > 1 ? t->dim[1] : 1);
    out = receptive * t->dim[0];
    bound = init.kind == SSL_INIT_XAVIER_UNIFORM ? sqrt(6.0 / (in + out)) : init.kind == SSL_INIT_TORCH ? 1.0 / sqrt(in) : (double)init.value;
    for (i = 0; i < n; i++) {
        float v = 0.0f;
        switch (init.kind) {
        case SSL_INIT_ZEROS: break;
        case SSL_INIT_CONSTANT: v = init.value; break;
        case SSL_INIT_NORMAL: v = init.value * ssl_rng_normal(&r); break;
        case SSL_INIT_TRUNC_NORMAL: do v = ssl_rng_normal(&r); while (fabsf(v) > 2.0f); v *= init.value; break;
        case SSL_INIT_KAIMING_NORMAL_FAN_OUT: v = (float)sqrt(2.0 / out) * ssl_rng_normal(&r); break;
        case SSL_INIT_UNIFORM: case SSL_INIT_XAVIER_UNIFORM: case SSL_INIT_TORCH: v = (float)bound * (2.0f * ssl_rng_uniform(&r) - 1.0f); break;
        }
        host[i] = v;
    }
}

static int64_t ssl__padded(const ssl__param *p) { return (ssl_numel(&p->t) + 15) & ~(int64_t)15; } /* 64-byte steps; what lies between is zero */

/* Gradients (parts 1), first (2) and second moments (3) for every parameter that is trained, zero where they are new; what was
   trained once keeps its own. 0 after an error, and then nothing has changed. */
static int ssl__state_ready(ssl_ctx *c, const char *at, int parts)
{
    float *fresh[3] = { NULL, NULL, NULL };
    int64_t n = 0, slot = 0;
    int i, k, more = 0;
    for (i = 0; i < c->n_params; i++) {
        const ssl__param *p = c->param[i];
        if (p->slot < 0 && p->frozen) continue;
        more |= p->slot < 0;
        n += ssl__padded(p);
    }
    if (c->status || !n || (!more && c->state[parts - 1])) return !c->status;
    for (k = 0; k < 3; k++) {
        if (c->state[k] ? !more : k >= parts) continue;
        if (!(fresh[k] = (float *)ssl__device_alloc(c, at, sizeof(float) * (size_t)n))) break;
        c->k->fill(c, n, 0.0f, fresh[k]);
    }
    if (c->status) {
        for (k = 0; k < 3; k++) if (fresh[k]) c->dev->release(c, fresh[k]);
        return 0;
    }
    for (i = 0; i < c->n_params; i++) {
        ssl__param *p = c->param[i];
        if (p->slot < 0 && p->frozen) continue;
        for (k = 0; k < 3; k++) if (fresh[k] && c->state[k] && p->slot >= 0) ssl__move(c, fresh[k] + slot, c->state[k] + p->slot, sizeof(float) * (size_t)ssl__padded(p));
        p->slot = slot;
        slot += ssl__padded(p);
    }
    for (k = 0; k < 3; k++) {
        if (!fresh[k]) continue;
        if (c->state[k]) c->dev->release(c, c->state[k]);
        c->state[k] = fresh[k];
    }
    c->n_state = n;
    for (i = 0; i < c->n_params; i++) if (c->param[i]->slot >= 0) c->param[i]->t.g = c->state[0] + c->param[i]->slot;
    return 1;
}

/* Room for n more values: a new buffer, old values copied, every tensor pointed anew. */
static int ssl__param_reserve(ssl_ctx *c, const char *at, int64_t n)
{
    int64_t cap = SSL__MAX(c->n_flat + n, c->cap_flat * 2);
    float *p;
    int i;
    if (c->n_flat + n <= c->cap_flat) return 1;
    if (cap < 1 << 14) cap = 1 << 14;
    p = (float *)ssl__device_alloc(c, at, sizeof(float) * (size_t)cap);
    if (!p) return 0;
    if (c->n_flat) ssl__move(c, p, c->values, sizeof(float) * (size_t)c->n_flat);
    if (c->values) c->dev->release(c, c->values);
    c->values = p;
    c->cap_flat = cap;
    for (i = 0; i < c->n_params; i++) c->param[i]->t.x = c->values + c->param[i]->offset;
    return 1;
}

static ssl__param *ssl__param_new(ssl_ctx *c, const char *at, const char *name, int ndim, const int *dim)
{
    ssl__param *p = (ssl__param *)ssl__alloc(c, at, sizeof *p);
    const size_t len = strlen(name) + 1;
    char *copy = (char *)ssl__alloc(c, at, len);
    if (!p || !copy || !ssl__grow(c, at, (void **)&c->param, &c->cap_params, c->n_params + 1, sizeof *c->param)) { ssl__release(p); ssl__release(copy); return NULL; }
    memcpy(copy, name, len);
    p->name = copy;
    p->lr_scale = p->decay_scale = 1.0f;
    p->t.ctx = c;
    p->t.op = copy;
    p->t.at = at;
    p->t.ndim = ndim;
    memcpy(p->t.dim, dim, sizeof *dim * (size_t)ndim);
    p->t.needs_grad = p->t.keep_grad = 1;
    p->t.param = &p->t;
    p->offset = c->n_flat;
    p->slot = -1;
    return p;
}

static ssl_tensor *ssl__param_same(ssl_ctx *c, const char *at, ssl_tensor *t, const char *name, int ndim, const int *dim)
{
    ssl_tensor want = *t;
    char a[96], b[96];
    want.ndim = ndim;
    memcpy(want.dim, dim, sizeof *dim * (size_t)ndim);
    if (t->ndim == ndim && !memcmp(t->dim, dim, sizeof *dim * (size_t)ndim)) return t;
    return ssl__fail(c, SSL_E_SHAPE, at, "ssl_param: \"%s\" exists as %s (made at %s) and is asked for as %s", name, ssl__shape(t, a), ssl__where(t->at), ssl__shape(&want, b));
}

static ssl_tensor *ssl__param_make(const char *at, ssl_ctx *c, ssl_init init, const char *name, int ndim, const int *dim)
{
    ssl_tensor *old;
    ssl__param *p;
    float *host;
    int64_t n;
    int i;
    if (c->status) return &c->nil;
    if (ndim < 1 || ndim > SSL_DIMS) return ssl__fail(c, SSL_E_SHAPE, at, "ssl_param: \"%s\" has %d axes: 1 to %d are possible", name, ndim, SSL_DIMS);
    for (i = 0; i < ndim; i++)
        if (dim[i] < 1) return ssl__fail(c, SSL_E_SHAPE, at, "ssl_param: axis %d of \"%s\" has %d elements: at least 1 is needed", i, name, dim[i]);
    if ((old = ssl_param_find(c, name)) != NULL) return ssl__param_same(c, at, old, name, ndim, dim);
    if (c->tape) return ssl__fail(c, SSL_E_ARG, at, "ssl_param: \"%s\" is made after the step's first op: make all parameters before, or call ssl_step_end first", name);
    if (!(p = ssl__param_new(c, at, name, ndim, dim))) return &c->nil;
    n = ssl_numel(&p->t);
    host = ssl__param_reserve(c, at, ssl__padded(p)) ? (float *)ssl__alloc(c, at, sizeof(float) * (size_t)n) : NULL;
    if (!host) { ssl__release(p->name); ssl__release(p); return &c->nil; }
    p->t.x = c->values + p->offset;
    c->k->fill(c, ssl__padded(p), 0.0f, p->t.x);
    ssl__fill_init(c, init, &p->t, host);
    ssl__put(c, p->t.x, host, sizeof(float) * (size_t)n);
    ssl__release(host);
    c->param[c->n_params++] = p;
    c->n_flat += ssl__padded(p);
    return &p->t;
}

SSL_API ssl_tensor *ssl_param_at(const char *at, ssl_ctx *c, ssl_init init, const char *name, int ndim, ...)
{
    int dim[SSL_DIMS], i;
    va_list ap;
    va_start(ap, ndim);
    for (i = 0; i < ndim && i < SSL_DIMS; i++) dim[i] = va_arg(ap, int);
    va_end(ap);
    return ssl__param_make(at, c, init, name, ndim, dim);
}

SSL_API ssl_tensor *ssl_param_find(ssl_ctx *c, const char *name)
{
    int i;
    for (i = 0; i < c->n_params; i++) if (!strcmp(c->param[i]->name, name)) return &c->param[i]->t;
    return NULL;
}
SSL_API int ssl_param_count(const ssl_ctx *c) { return c->n_params; }
SSL_API ssl_tensor *ssl_param_at_index(ssl_ctx *c, int i, const char **name)
{
    if (name) *name = i < 0 || i >= c->n_params ? "" : c->param[i]->name;
    if (i < 0 || i >= c->n_params) return &c->nil;
    return &c->param[i]->t;
}
SSL_API int64_t ssl_param_total(const ssl_ctx *c)
{
    int64_t n = 0;
    int i;
    for (i = 0; i < c->n_params; i++) if (!c->param[i]->frozen) n += ssl_numel(&c->param[i]->t);
    return n;
}
SSL_API int ssl_param_group(ssl_ctx *c, const char *pattern, float lr_scale, float decay_scale, int frozen)
{
    int i, n = 0;
    for (i = 0; i < c->n_params; i++) {
        ssl__param *p = c->param[i];
        if (!ssl__match(pattern, p->name)) continue;
        p->lr_scale = lr_scale;
        p->decay_scale = decay_scale;
        p->frozen = frozen;
        p->t.needs_grad = !frozen;
        n++;
    }
    return n;
}
SSL_API void ssl_zero_grad(ssl_ctx *c) { if (!c->status && c->state[0]) c->k->fill(c, c->n_state, 0.0f, c->state[0]); }

/* ==== >>op ==== every block: shape rule, forward, record; above it the backward ========================= */
static int ssl__last(const ssl_tensor *t) { return t->ndim ? t->dim[t->ndim - 1] : 0; }
static int ssl__rows(const ssl_tensor *t) { const int d = ssl__last(t); return d ? (int)(ssl_numel(t) / d) : 0; }

/* ---- elementwise ---- */
typedef struct ssl__unary_aux { float p; } ssl__unary_aux;
typedef void (*ssl__unary_f)(ssl_ctx *c, int64_t n, float p, const float *x, float *y);
static ssl_tensor *ssl__unary(const char *at, const char *op, ssl_tensor *x, float p, ssl__unary_f f, ssl_op_fn back)
{
    ssl_ctx *c = x->ctx;
    ssl_tensor *y = !ssl__need(at, op, "x", x, SSL_F32) ? &c->nil : ssl__like(at, op, x);
    ssl__unary_aux *aux = (ssl__unary_aux *)ssl__aux(c, at, sizeof *aux);
    if (c->status) return &c->nil;
    aux->p = p;
    y->aux = aux;
    f(c, ssl_numel(x), p, x->x, y->x);
    return ssl__record(y, back, x, NULL, NULL);
}
#define SSL__UNARY_OP(name, value, derivative)                                                                 \
    static void ssl__##name##_back(ssl_tensor *y)                                                              \
    {                                                                                                          \
        ssl_tensor *x = y->in[0];                                                                              \
        float beta, *dx = ssl__grad_beta(x, &beta);                                                            \
        if (dx) x->ctx->k->name##_b(x->ctx, ssl_numel(x), ((ssl__unary_aux *)y->aux)->p, x->x, y->x, y->g, beta, dx); \
    }                                                                                                          \
    static ssl_tensor *ssl__##name##_op(const char *at, ssl_tensor *x, float p)                                \
    { return x->ctx->status ? &x->ctx->nil : ssl__unary(at, "ssl_" #name, x, p, x->ctx->k->name##_f, ssl__##name##_back); }
SSL__UNARY(SSL__UNARY_OP)
#undef SSL__UNARY_OP
SSL_API ssl_tensor *ssl_relu_at(const char *at, ssl_tensor *x) { return ssl__relu_op(at, x, 0.0f); }
SSL_API ssl_tensor *ssl_gelu_at(const char *at, ssl_tensor *x) { return ssl__gelu_op(at, x, 0.0f); }
SSL_API ssl_tensor *ssl_gelu_tanh_at(const char *at, ssl_tensor *x) { return ssl__gelu_tanh_op(at, x, 0.0f); }
SSL_API ssl_tensor *ssl_sigmoid_at(const char *at, ssl_tensor *x) { return ssl__sigmoid_op(at, x, 0.0f); }
SSL_API ssl_tensor *ssl_tanh_at(const char *at, ssl_tensor *x) { return ssl__tanh_op(at, x, 0.0f); }
SSL_API ssl_tensor *ssl_exp_at(const char *at, ssl_tensor *x) { return ssl__exp_op(at, x, 0.0f); }
SSL_API ssl_tensor *ssl_log_at(const char *at, ssl_tensor *x) { return ssl__log_op(at, x, 0.0f); }
SSL_API ssl_tensor *ssl_sqrt_at(const char *at, ssl_tensor *x) { return ssl__sqrt_op(at, x, 0.0f); }
SSL_API ssl_tensor *ssl_square_at(const char *at, ssl_tensor *x) { return ssl__square_op(at, x, 0.0f); }
SSL_API ssl_tensor *ssl_abs_at(const char *at, ssl_tensor *x) { return ssl__abs_op(at, x, 0.0f); }
SSL_API ssl_tensor *ssl_scale_at(const char *at, ssl_tensor *x, float s) { return ssl__scale_op(at, x, s); }
SSL_API ssl_tensor *ssl_add_scalar_at(const char *at, ssl_tensor *x, float s) { return ssl__add_scalar_op(at, x, s); }
SSL_API ssl_tensor *ssl_pow_at(const char *at, ssl_tensor *x, float p) { return ssl__pow_op(at, x, p); }
SSL_API ssl_tensor *ssl_clamp_min_at(const char *at, ssl_tensor *x, float lo) { return ssl__clamp_min_op(at, x, lo); }
SSL_API ssl_tensor *ssl_tanh_clip_at(const char *at, ssl_tensor *x, float k) { return ssl__tanh_clip_op(at, x, k); }

/* ---- shapes: no kernels, the values are shared ---- */
static void ssl__reshape_back(ssl_tensor *y) { ssl__grad_pass(y, y->in[0]); }
static ssl_tensor *ssl__reshape(const char *at, ssl_tensor *x, int ndim, const int *dim)
{
    ssl_ctx *c = x->ctx;
    ssl_tensor *y = c->status ? &c->nil : ssl__node(c, at, "ssl_reshape", x->dtype, ndim, dim);
    char a[96], b[96];
    if (c->status) return &c->nil;
    if (ssl_numel(y) != ssl_numel(x)) return ssl__fail(c, SSL_E_SHAPE, at, "ssl_reshape: %s has another number of elements than %s", ssl__shape(x, a), ssl__shape(y, b));
    ssl__point(y, (void *)(uintptr_t)ssl__data(x));
    return ssl__record(y, ssl__reshape_back, x, NULL, NULL);
}
SSL_API ssl_tensor *ssl_reshape_at(const char *at, ssl_tensor *x, int ndim, ...)
{
    int dim[SSL_DIMS], i, infer = -1;
    int64_t rest = 1;
    va_list ap;
    va_start(ap, ndim);
    for (i = 0; i < ndim && i < SSL_DIMS; i++) {
        dim[i] = va_arg(ap, int);
        if (dim[i] == -1 && infer < 0) infer = i;
        else rest *= dim[i];
    }
    va_end(ap);
    if (infer >= 0 && !x->ctx->status) {
        char s[96];
        if (rest <= 0 || ssl_numel(x) % rest)
            return ssl__fail(x->ctx, SSL_E_SHAPE, at, "ssl_reshape: %s: its elements do not divide by %lld, the product of the axes that are given", ssl__shape(x, s), (long long)rest);
        dim[infer] = (int)(ssl_numel(x) / rest);
    }
    return ssl__reshape(at, x, ndim, dim);
}
SSL_API ssl_tensor *ssl_detach_at(const char *at, ssl_tensor *x)
{
    ssl_tensor *y = x->ctx->status ? &x->ctx->nil : ssl__node(x->ctx, at, "ssl_detach", x->dtype, x->ndim, x->dim);
    if (x->ctx->status) return &x->ctx->nil;
    ssl__point(y, (void *)(uintptr_t)ssl__data(x));
    return y;
}

/* ---- linear: y = act(x w^T + b) + r.  dpre = dy act'(pre);  dx += dpre w;  dw += dpre^T x;  db += column sums ---- */
typedef struct ssl__linear_aux { ssl_act act; float *pre; } ssl__linear_aux; /* pre: what act was applied to; NULL where y itself says as much, as relu's does inside of a layer */
static unsigned ssl__halves(const ssl_tensor *a, const ssl_tensor *b, const ssl_tensor *y) /* of an epilogue, by the types of the three */
{ return (unsigned)(ssl__is_half(a) * SSL__HALF_A + ssl__is_half(b) * SSL__HALF_B + ssl__is_half(y) * SSL__HALF_Y); }
/* y = beta y + op(a) op(b), rows without gaps: values or gradients, of the types of ta, tb and ty */
static void ssl__linear_product(ssl_ctx *c, int trans_a, int trans_b, int m, int n, int k, const ssl_tensor *ta, const float *a, const ssl_tensor *tb, const float *b,
                                float beta, const ssl_tensor *ty, float *y)
{
    ssl__epilogue ep = SSL_ZERO;
    ep.act = SSL_ACT_NONE;
    ep.half = ssl__halves(ta, tb, ty);
    c->k->gemm(c, trans_a, trans_b, 1, m, n, k, a, trans_a ? m : k, 0, b, trans_b ? k : n, 0, beta, y, n, 0, ep.half ? &ep : NULL);
}
static void ssl__linear_back_half(ssl_tensor *y) /* where x or y is bf16, so is dpre, which one pass makes and sums up */
{
    ssl_tensor *x = y->in[0], *w = y->in[1], d = *y;
    ssl_ctx *c = y->ctx;
    const ssl__linear_aux *aux = (ssl__linear_aux *)y->aux;
    const int n = ssl__last(y), m = ssl__rows(y), k = ssl__last(x), half = ssl__is_half(y);
    const float *pre = aux->act != SSL_ACT_NONE && !aux->pre ? y->x : aux->pre;
    float *db = ssl_grad_of(y->in[2]), *g, beta;
    d.dtype = SSL_BF16;
    d.keep_grad = 0;
    if (!half) d.g = ssl__buffer(c, y->at, ssl__floats(&d));
    if (!d.g) return;
    if (db || pre || !half) c->half->half_linear_b(c, m, n, half, aux->act, y->g, pre, pre || !half ? d.g : NULL, db);
    if ((g = ssl__grad_beta(x, &beta)) != NULL) ssl__linear_product(c, 0, 0, m, k, n, &d, d.g, w, w->x, beta, x, g);
    if ((g = ssl__grad_beta(w, &beta)) != NULL) ssl__linear_product(c, 1, 0, n, k, m, &d, d.g, x, x->x, beta, w, g);
    if (!half) ssl__grad_drop(&d);
    if (aux->pre) ssl__hand_back(c, y->at, aux->pre, ssl__floats(y));
}
static void ssl__linear_back(ssl_tensor *y)
{
    ssl_tensor *x = y->in[0], *w = y->in[1], *b = y->in[2], *r = y->in[3];
    ssl_ctx *c = y->ctx;
    ssl__linear_aux *aux = (ssl__linear_aux *)y->aux;
    const int n = ssl__last(y), m = ssl__rows(y), k = ssl__last(x);
    float *dpre = y->g, *g, *db, beta;
    if (ssl__is_half(x) || ssl__is_half(y)) { ssl__linear_back_half(y); ssl__grad_pass(y, r); return; }
    if (aux->pre) { /* in place unless dy itself is still wanted */
        if (y->keep_grad || r) dpre = ssl__buffer(c, y->at, (int64_t)m * n);
        if (!dpre) return;
        if (aux->act == SSL_ACT_RELU) c->k->relu_b(c, (int64_t)m * n, 0.0f, aux->pre, aux->pre, y->g, 0.0f, dpre);
        else if (aux->act == SSL_ACT_GELU) c->k->gelu_b(c, (int64_t)m * n, 0.0f, aux->pre, aux->pre, y->g, 0.0f, dpre);
        else c->k->gelu_tanh_b(c, (int64_t)m * n, 0.0f, aux->pre, aux->pre, y->g, 0.0f, dpre);
    }
    if ((g = ssl__grad_beta(x, &beta)) != NULL) c->k->gemm(c, 0, 0, 1, m, k, n, dpre, n, 0, w->x, k, 0, beta, g, k, 0, NULL);
    db = ssl_grad_of(b);
    if ((g = ssl__grad_beta(w, &beta)) != NULL) c->k->linear_bw(c, m, k, n, x->x, dpre, beta, g, db);
    else if (db) c->k->colsum(c, m, n, dpre, db);
    if (dpre != y->g) ssl__hand_back(c, y->at, dpre, (int64_t)m * n);
    if (aux->pre) ssl__hand_back(c, y->at, aux->pre, (int64_t)m * n);
    ssl__grad_pass(y, r);
}
static void ssl__linear_remake(ssl_tensor *y) /* from what the activation was applied to */
{
    const ssl__linear_aux *aux = (ssl__linear_aux *)y->aux;
    const ssl_ctx *c = y->ctx;
    if (ssl__is_half(y)) c->half->half_act_f(y->ctx, ssl_numel(y), aux->act, aux->pre, y->x);
    else (aux->act == SSL_ACT_RELU ? c->k->relu_f : aux->act == SSL_ACT_GELU ? c->k->gelu_f : c->k->gelu_tanh_f)(y->ctx, ssl_numel(y), 0.0f, aux->pre, y->x);
}
static ssl_tensor *ssl__linear(const char *at, ssl_tensor *x, ssl_tensor *w, ssl_tensor *b, ssl_act act, ssl_tensor *r, ssl_dtype type) /* x, and y without r, may be inner */
{
    ssl_ctx *c = x->ctx;
    ssl__linear_aux *aux;
    ssl__epilogue ep;
    ssl_tensor *y, *in[4];
    int dim[SSL_DIMS], n, m, k;
    char s1[96], s2[96], s3[96];
    if (!ssl__need_real(at, "ssl_linear", "x", x) || !ssl__need(at, "ssl_linear", "w", w, SSL_F32) ||
        (b && !ssl__need(at, "ssl_linear", "b", b, SSL_F32)) || (r && !ssl__need(at, "ssl_linear", "residual", r, SSL_F32))) return &c->nil;
    if (w->ndim != 2 || ssl__last(x) != w->dim[1])
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_linear: x%s w%s: the last axis of x must equal axis 1 of w [out,in]", ssl__shape(x, s1), ssl__shape(w, s2));
    if (b && (b->ndim != 1 || b->dim[0] != w->dim[0]))
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_linear: w%s b%s: b must be [out]", ssl__shape(w, s1), ssl__shape(b, s2));
    memcpy(dim, x->dim, sizeof dim);
    dim[x->ndim - 1] = n = w->dim[0];
    m = ssl__rows(x);
    k = ssl__last(x);
    y = ssl__new(c, at, "ssl_linear", type, x->ndim, dim);
    if (!c->status && r && ssl_numel(r) != ssl_numel(y))
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_linear: x%s w%s residual%s: the residual must have the shape of the result", ssl__shape(x, s1), ssl__shape(w, s2), ssl__shape(r, s3));
    aux = (ssl__linear_aux *)ssl__aux(c, at, sizeof *aux);
    if (c->status) return &c->nil;
    aux->act = act == SSL_ACT_DEFAULT ? SSL_ACT_NONE : act;
    if (aux->act != SSL_ACT_NONE && !c->no_grad && (aux->act != SSL_ACT_RELU || type != SSL_BF16)) aux->pre = ssl__buffer(c, at, ssl__floats(y));
    if (c->status) return &c->nil;
    ep.bias = b ? b->x : NULL;
    ep.act = aux->act;
    ep.pre = aux->pre;
    ep.residual = r ? r->x : NULL;
    ep.half = ssl__halves(x, w, y);
    c->k->gemm(c, 0, 1, 1, m, n, k, x->x, k, 0, w->x, k, 0, 0.0f, y->x, n, 0, &ep);
    y->aux = aux;
    in[0] = x; in[1] = w; in[2] = b; in[3] = r;
    return ssl__record_n(y, ssl__linear_back, 4, in);
}
SSL_API ssl_tensor *ssl_linear_fused_at(const char *at, ssl_tensor *x, ssl_tensor *w, ssl_tensor *b, ssl_act act, ssl_tensor *r)
{ return ssl__linear(at, x, w, b, act, r, SSL_F32); }
SSL_API ssl_tensor *ssl_linear_at(const char *at, ssl_tensor *x, ssl_tensor *w, ssl_tensor *b) { return ssl_linear_fused_at(at, x, w, b, SSL_ACT_NONE, NULL); }

/* ---- matmul: y = op(a) op(b).  op(da) += dy op(b)^T,  op(db) += op(a)^T dy ---- */
typedef struct ssl__matmul_aux { int ta, tb, batch, m, n, k, lda, ldb; int64_t sa, sb; } ssl__matmul_aux;
static void ssl__matmul_back(ssl_tensor *y)
{
    const ssl__matmul_aux *q = (ssl__matmul_aux *)y->aux;
    ssl_tensor *a = y->in[0], *b = y->in[1];
    ssl_ctx *c = y->ctx;
    const int64_t sy = (int64_t)q->m * q->n;
    float *g, beta;
    if ((g = ssl__grad_beta(a, &beta)) != NULL) {
        if (!q->ta) c->k->gemm(c, 0, !q->tb, q->batch, q->m, q->k, q->n, y->g, q->n, sy, b->x, q->ldb, q->sb, beta, g, q->lda, q->sa, NULL);
        else        c->k->gemm(c, q->tb, 1, q->batch, q->k, q->m, q->n, b->x, q->ldb, q->sb, y->g, q->n, sy, beta, g, q->lda, q->sa, NULL);
    }
    if ((g = ssl__grad_beta(b, &beta)) != NULL) {
        const int shared = q->sb == 0 && q->batch > 1; /* one b for the batch: its gradient sums over the batch, in order */
        int i;
        for (i = 0; i < (shared ? q->batch : 1); i++) {
            const float *ai = a->x + i * q->sa, *dy = y->g + i * sy;
            if (!q->tb) c->k->gemm(c, !q->ta, 0, shared ? 1 : q->batch, q->k, q->n, q->m, ai, q->lda, q->sa, dy, q->n, sy, i ? 1.0f : beta, g, q->ldb, q->sb, NULL);
            else        c->k->gemm(c, 1, q->ta, shared ? 1 : q->batch, q->n, q->k, q->m, dy, q->n, sy, ai, q->lda, q->sa, i ? 1.0f : beta, g, q->ldb, q->sb, NULL);
        }
    }
}
SSL_API ssl_tensor *ssl_matmul_t_at(const char *at, ssl_tensor *a, ssl_tensor *b, int ta, int tb)
{
    ssl_ctx *c = a->ctx;
    ssl__matmul_aux q, *aux;
    ssl_tensor *y;
    int dim[SSL_DIMS], i, same = 1;
    char s1[96], s2[96];
    if (c->status || !ssl__need(at, "ssl_matmul", "a", a, SSL_F32) || !ssl__need(at, "ssl_matmul", "b", b, SSL_F32)) return &c->nil;
    memset(&q, 0, sizeof q);
    if (a->ndim >= 2 && b->ndim >= 2) {
        const int *da = a->dim + a->ndim - 2, *db = b->dim + b->ndim - 2;
        q.ta = ta; q.tb = tb;
        q.m = da[ta ? 1 : 0]; q.k = da[ta ? 0 : 1]; q.n = db[tb ? 0 : 1];
        q.lda = da[1]; q.ldb = db[1];
        same = q.k == db[tb ? 1 : 0];
    }
    for (i = 0; i < a->ndim - 2 && b->ndim != 2; i++) same = same && a->ndim == b->ndim && a->dim[i] == b->dim[i];
    if (a->ndim < 2 || b->ndim < 2 || !same || (a->ndim == 2 && b->ndim != 2))
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_matmul: a%s%s x b%s%s: the inner axes must be equal, and the leading axes equal or b two-dimensional",
                         ssl__shape(a, s1), ta ? "^T" : "", ssl__shape(b, s2), tb ? "^T" : "");
    memcpy(dim, a->dim, sizeof dim);
    dim[a->ndim - 2] = q.m;
    dim[a->ndim - 1] = q.n;
    q.batch = (int)(ssl_numel(a) / ((int64_t)q.m * q.k));
    q.sa = (int64_t)q.m * q.k;
    q.sb = b->ndim == 2 ? 0 : (int64_t)q.k * q.n;
    y = ssl__new(c, at, "ssl_matmul", SSL_F32, a->ndim, dim);
    aux = (ssl__matmul_aux *)ssl__aux(c, at, sizeof *aux);
    if (c->status) return &c->nil;
    *aux = q;
    y->aux = aux;
    c->k->gemm(c, ta, tb, q.batch, q.m, q.n, q.k, a->x, q.lda, q.sa, b->x, q.ldb, q.sb, 0.0f, y->x, q.n, (int64_t)q.m * q.n, NULL);
    return ssl__record(y, ssl__matmul_back, a, b, NULL);
}

/* ---- sum and mean of all elements ---- */
static void ssl__sum_back(ssl_tensor *y)
{
    ssl_tensor *x = y->in[0];
    float *dx = ssl_grad_of(x);
    if (dx) x->ctx->k->spread(x->ctx, ssl_numel(x), ((ssl__unary_aux *)y->aux)->p, y->g, dx);
}
static ssl_tensor *ssl__sum_scaled(const char *at, const char *op, ssl_tensor *x, float scale)
{
    const int one = 1;
    ssl_ctx *c = x->ctx;
    ssl_tensor *y = c->status || !ssl__need(at, op, "x", x, SSL_F32) ? &c->nil : ssl__new(c, at, op, SSL_F32, 1, &one);
    ssl__unary_aux *aux = (ssl__unary_aux *)ssl__aux(c, at, sizeof *aux);
    if (c->status) return &c->nil;
    aux->p = scale;
    y->aux = aux;
    c->k->sum(c, ssl_numel(x), scale, x->x, y->x);
    return ssl__record(y, ssl__sum_back, x, NULL, NULL);
}
SSL_API ssl_tensor *ssl_sum_at(const char *at, ssl_tensor *x) { return ssl__sum_scaled(at, "ssl_sum", x, 1.0f); }
SSL_API ssl_tensor *ssl_mean_at(const char *at, ssl_tensor *x) { return ssl__sum_scaled(at, "ssl_mean", x, 1.0f / (float)SSL__MAX(ssl_numel(x), 1)); }

/* ==== >>broadcast ==== a + b and friends with NumPy broadcasting ===================================== */
/* ---- loop nests ---- */
static ssl__nest ssl__nest_make(int ndim, const int *dim)
{
    ssl__nest s;
    int i;
    memset(&s, 0, sizeof s);
    s.n = ndim;
    for (i = 0; i < ndim; i++) s.dim[i] = dim[i];
    return s;
}
/* Operand k is contiguous with these dimensions, aligned from the last axis; axes of size 1 and missing ones repeat. */
static void ssl__nest_operand(ssl__nest *s, int k, int ndim, const int *dim)
{
    int64_t step = 1;
    int i, a;
    for (i = ndim - 1, a = s->n - 1; i >= 0; i--, a--) {
        s->st[k][a] = dim[i] > 1 ? step : 0;
        step *= dim[i];
    }
}
static void ssl__nest_axis_copy(ssl__nest *d, int to, const ssl__nest *s, int from)
{
    int k;
    d->dim[to] = s->dim[from];
    for (k = 0; k < 4; k++) d->st[k][to] = s->st[k][from];
}
/* Drop axes of size 1 and merge axis a into a + 1 where every operand goes on in one stride. */
static void ssl__nest_merge(ssl__nest *s)
{
    ssl__nest m = *s;
    int a, k;
    m.n = 0;
    for (a = 0; a < s->n; a++) {
        int merge = m.n > 0;
        if (s->dim[a] == 1) continue;
        for (k = 0; k < 4 && merge; k++) merge = m.st[k][m.n - 1] == s->st[k][a] * s->dim[a];
        if (merge) {
            const int64_t n = m.dim[m.n - 1];
            ssl__nest_axis_copy(&m, m.n - 1, s, a);
            m.dim[m.n - 1] *= n;
        } else ssl__nest_axis_copy(&m, m.n++, s, a);
    }
    if (!m.n) { ssl__nest_axis_copy(&m, 0, s, 0); m.n = 1; }
    m.n_keep = m.n - 1;
    *s = m;
}
/* For kernels that sum: all but the last axis in the order kept, summed. */
static ssl__nest ssl__nest_sums(ssl__nest s)
{
    ssl__nest m = s;
    int a, n = 0, keep;
    for (keep = 1; keep >= 0; keep--) {
        for (a = 0; a < s.n - 1; a++) if ((s.st[0][a] != 0) == keep) ssl__nest_axis_copy(&m, n++, &s, a);
        if (keep) m.n_keep = n;
    }
    return m;
}
/* For copies: the last axis is the inner loop, unless it is short and the one along which x is contiguous is longer. */
static ssl__nest ssl__nest_rows(ssl__nest s)
{
    ssl__nest m = s;
    int a, n = 0, inner = s.n - 1;
    for (a = 0; a < s.n; a++) if (s.dim[inner] < 16 && s.st[1][a] == 1 && s.dim[a] > s.dim[inner]) inner = a;
    for (a = 0; a < s.n; a++) if (a != inner) ssl__nest_axis_copy(&m, n++, &s, a);
    ssl__nest_axis_copy(&m, n, &s, inner);
    return m;
}

/* ---- binary ops: y = f(a, b).  da += dy df/da,  db += dy df/db, summed over the axes along which each was repeated ---- */
static ssl__nest ssl__binary_nest(const ssl_tensor *y, const ssl_tensor *a, const ssl_tensor *b) /* operands y a b */
{
    ssl__nest s = ssl__nest_make(y->ndim, y->dim);
    ssl__nest_operand(&s, 0, y->ndim, y->dim);
    ssl__nest_operand(&s, 1, a->ndim, a->dim);
    ssl__nest_operand(&s, 2, b->ndim, b->dim);
    ssl__nest_merge(&s);
    return s;
}
typedef void (*ssl__binary_f)(ssl_ctx *c, const ssl__nest *s, const float *a, const float *b, float *y);
typedef void (*ssl__binary_b)(ssl_ctx *c, const ssl__nest *s, float beta, const float *a, const float *b, const float *dy, float *d);
static void ssl__binary_grad(ssl_tensor *y, int k, ssl__binary_b kernel) /* the gradient of in[k] */
{
    ssl_tensor *a = y->in[0], *b = y->in[1];
    ssl__nest s;
    float beta, *d = ssl__grad_beta(y->in[k], &beta);
    if (!d) return;
    s = ssl__binary_nest(y, a, b);
    memcpy(s.st[3], s.st[0], sizeof s.st[0]);
    memcpy(s.st[0], s.st[k + 1], sizeof s.st[0]);
    s = ssl__nest_sums(s);
    kernel(y->ctx, &s, beta, a->x ? a->x : y->g, b->x ? b->x : y->g, y->g, d); /* a sum needs no values, which may be gone */
}
static ssl_tensor *ssl__binary(const char *at, const char *op, const char *sign, ssl_tensor *a, ssl_tensor *b, ssl__binary_f f, ssl_op_fn back)
{
    ssl_ctx *c = a->ctx;
    const int n = SSL__MAX(a->ndim, b->ndim);
    int dim[SSL_DIMS], i;
    char s1[96], s2[96];
    ssl__nest s;
    ssl_tensor *y;
    if (!ssl__need(at, op, "a", a, SSL_F32) || !ssl__need(at, op, "b", b, SSL_F32)) return &c->nil;
    for (i = 1; i <= n; i++) {
        const int p = i <= a->ndim ? a->dim[a->ndim - i] : 1, q = i <= b->ndim ? b->dim[b->ndim - i] : 1;
        if (p != q && p != 1 && q != 1)
            return ssl__fail(c, SSL_E_SHAPE, at, "%s: a%s %s b%s: axes, counted from the last, must be equal or one of the two be 1", op, ssl__shape(a, s1), sign, ssl__shape(b, s2));
        dim[n - i] = SSL__MAX(p, q);
    }
    y = ssl__new(c, at, op, SSL_F32, n, dim);
    if (c->status) return &c->nil;
    s = ssl__binary_nest(y, a, b);
    f(c, &s, a->x, b->x, y->x);
    return ssl__record(y, back, a, b, NULL);
}
static int ssl__same_size(const ssl_tensor *y, const ssl_tensor *x) { return ssl_numel(y) == ssl_numel(x); }

static void ssl__add_back(ssl_tensor *y) /* where the shape is y's, dy is the gradient: the last taker gets its buffer */
{
    ssl_tensor *a = y->in[0], *b = y->in[1];
    const ssl__kernels *k = y->ctx->k;
    const int pass_a = a->needs_grad && ssl__same_size(y, a);
    if (pass_a) ssl__binary_grad(y, 1, k->add_db);
    else ssl__binary_grad(y, 0, k->add_da);
    if (pass_a) ssl__grad_pass(y, a);
    else if (ssl__same_size(y, b)) ssl__grad_pass(y, b);
    else ssl__binary_grad(y, 1, k->add_db);
}
static void ssl__sub_back(ssl_tensor *y)
{
    const ssl__kernels *k = y->ctx->k;
    ssl__binary_grad(y, 1, k->sub_db);
    if (ssl__same_size(y, y->in[0])) ssl__grad_pass(y, y->in[0]);
    else ssl__binary_grad(y, 0, k->sub_da);
}
static void ssl__mul_back(ssl_tensor *y) { ssl__binary_grad(y, 0, y->ctx->k->mul_da); ssl__binary_grad(y, 1, y->ctx->k->mul_db); }
static void ssl__div_back(ssl_tensor *y) { ssl__binary_grad(y, 0, y->ctx->k->div_da); ssl__binary_grad(y, 1, y->ctx->k->div_db); }
SSL_API ssl_tensor *ssl_add_at(const char *at, ssl_tensor *a, ssl_tensor *b) { return ssl__binary(at, "ssl_add", "+", a, b, a->ctx->k->add_f, ssl__add_back); }
SSL_API ssl_tensor *ssl_sub_at(const char *at, ssl_tensor *a, ssl_tensor *b) { return ssl__binary(at, "ssl_sub", "-", a, b, a->ctx->k->sub_f, ssl__sub_back); }
SSL_API ssl_tensor *ssl_mul_at(const char *at, ssl_tensor *a, ssl_tensor *b) { return ssl__binary(at, "ssl_mul", "x", a, b, a->ctx->k->mul_f, ssl__mul_back); }
SSL_API ssl_tensor *ssl_div_at(const char *at, ssl_tensor *a, ssl_tensor *b) { return ssl__binary(at, "ssl_div", "/", a, b, a->ctx->k->div_f, ssl__div_back); }

/* ==== >>reduce ==== sums and means =================================================================== */
/* y = scale sum over axes of x.  dx += scale dy, repeated along them */
typedef struct ssl__axes_aux { ssl__nest nest; float scale; } ssl__axes_aux; /* operands y x */
static ssl__nest ssl__nest_swap(ssl__nest s) /* operands 0 and 1 change places */
{
    int64_t t[SSL_DIMS];
    memcpy(t, s.st[0], sizeof t);
    memcpy(s.st[0], s.st[1], sizeof t);
    memcpy(s.st[1], t, sizeof t);
    return s;
}
static void ssl__sum_axes_back(ssl_tensor *y)
{
    const ssl__axes_aux *aux = (const ssl__axes_aux *)y->aux;
    const ssl__nest s = ssl__nest_swap(aux->nest);
    float *dx = ssl_grad_of(y->in[0]);
    if (dx) y->ctx->k->copy_add(y->ctx, &s, aux->scale, y->g, dx);
}
static ssl_tensor *ssl__sum_axes(const char *at, const char *op, ssl_tensor *x, unsigned axes, int keep, int mean)
{
    ssl_ctx *c = x->ctx;
    int kept[SSL_DIMS], dim[SSL_DIMS], i, n = 0;
    int64_t count = 1;
    char s1[96];
    ssl__axes_aux *aux;
    ssl__nest s;
    ssl_tensor *y;
    if (!ssl__need(at, op, "x", x, SSL_F32)) return &c->nil;
    if (!axes || axes >> x->ndim) return ssl__fail(c, SSL_E_ARG, at, "%s: x%s has axes 0 to %d: name at least one of them, as SSL_AXIS(0)", op, ssl__shape(x, s1), x->ndim - 1);
    for (i = 0; i < x->ndim; i++) {
        const int gone = axes >> i & 1;
        kept[i] = gone ? 1 : x->dim[i];
        if (gone) count *= x->dim[i];
        if (keep || !gone) dim[n++] = kept[i];
    }
    if (!n) dim[n++] = 1;
    y = ssl__new(c, at, op, SSL_F32, n, dim);
    aux = (ssl__axes_aux *)ssl__aux(c, at, sizeof *aux);
    if (c->status) return &c->nil;
    s = ssl__nest_make(x->ndim, x->dim);
    ssl__nest_operand(&s, 0, x->ndim, kept);
    ssl__nest_operand(&s, 1, x->ndim, x->dim);
    ssl__nest_merge(&s);
    aux->nest = s;
    aux->scale = mean ? 1.0f / (float)count : 1.0f;
    y->aux = aux;
    s = ssl__nest_sums(s);
    c->k->reduce(c, &s, aux->scale, 0.0f, x->x, y->x);
    return ssl__record(y, ssl__sum_axes_back, x, NULL, NULL);
}
SSL_API ssl_tensor *ssl_sum_axes_at(const char *at, ssl_tensor *x, unsigned axes, int keep) { return ssl__sum_axes(at, "ssl_sum_axes", x, axes, keep, 0); }
SSL_API ssl_tensor *ssl_mean_axes_at(const char *at, ssl_tensor *x, unsigned axes, int keep) { return ssl__sum_axes(at, "ssl_mean_axes", x, axes, keep, 1); }

/* ==== >>shape ==== views and rearrangements ========================================================== */
static int ssl__axis(const ssl_tensor *x, int axis) { return axis < 0 ? axis + x->ndim : axis; } /* negative: from the last */
static int ssl__need_words(const char *at, const char *op, const ssl_tensor *x) /* copies move 4-byte words */
{ return !x->ctx->status && (x->dtype == SSL_I32 || ssl__need(at, op, "x", x, SSL_F32)); }
static float *ssl__words(const ssl_tensor *t) { return (float *)(uintptr_t)ssl__data(t); }
/* Gradient of a copy that fills all of x: written if it is the first to arrive, added otherwise. */
static void ssl__copy_grad(ssl_tensor *x, const ssl__nest *s, const float *dy)
{
    float beta, *dx = ssl__grad_beta(x, &beta);
    if (!dx) return;
    if (beta == 0.0f) x->ctx->k->copy(x->ctx, s, dy, dx);
    else x->ctx->k->copy_add(x->ctx, s, 1.0f, dy, dx);
}

/* ---- expand: y = x repeated.  dx += dy summed over the repeats ---- */
static ssl__nest ssl__expand_nest(const ssl_tensor *y, const ssl_tensor *x) /* operands y x */
{
    ssl__nest s = ssl__nest_make(y->ndim, y->dim);
    ssl__nest_operand(&s, 0, y->ndim, y->dim);
    ssl__nest_operand(&s, 1, x->ndim, x->dim);
    ssl__nest_merge(&s);
    return s;
}
static void ssl__expand_back(ssl_tensor *y)
{
    const ssl__nest s = ssl__nest_sums(ssl__nest_swap(ssl__expand_nest(y, y->in[0])));
    float beta, *dx = ssl__grad_beta(y->in[0], &beta);
    if (dx) y->ctx->k->reduce(y->ctx, &s, 1.0f, beta, y->g, dx);
}
SSL_API ssl_tensor *ssl_expand_at(const char *at, ssl_tensor *x, int ndim, ...)
{
    ssl_ctx *c = x->ctx;
    int dim[SSL_DIMS], i, fits;
    char s1[96], s2[96];
    ssl__nest s;
    ssl_tensor *y;
    va_list ap;
    va_start(ap, ndim);
    for (i = 0; i < ndim && i < SSL_DIMS; i++) dim[i] = va_arg(ap, int);
    va_end(ap);
    if (!ssl__need(at, "ssl_expand", "x", x, SSL_F32)) return &c->nil;
    y = ssl__new(c, at, "ssl_expand", SSL_F32, ndim, dim);
    if (c->status) return &c->nil;
    fits = x->ndim <= ndim;
    for (i = 1; fits && i <= x->ndim; i++) fits = x->dim[x->ndim - i] == 1 || x->dim[x->ndim - i] == y->dim[ndim - i];
    if (!fits) return ssl__fail(c, SSL_E_SHAPE, at, "ssl_expand: x%s to %s: axes of x, counted from the last, must be 1 or equal", ssl__shape(x, s1), ssl__shape(y, s2));
    s = ssl__nest_rows(ssl__expand_nest(y, x));
    c->k->copy(c, &s, x->x, y->x);
    return ssl__record(y, ssl__expand_back, x, NULL, NULL);
}

/* ---- permute: y[i_p0, i_p1, ...] = x[i_0, i_1, ...].  dx = dy permuted back ---- */
static ssl__nest ssl__permute_nest(const ssl_tensor *y, const ssl_tensor *x, const int *p) /* operands y x */
{
    ssl__nest s = ssl__nest_make(y->ndim, y->dim), t = ssl__nest_make(x->ndim, x->dim);
    int i;
    ssl__nest_operand(&s, 0, y->ndim, y->dim);
    ssl__nest_operand(&t, 0, x->ndim, x->dim);
    for (i = 0; i < y->ndim; i++) s.st[1][i] = t.st[0][p[i]];
    ssl__nest_merge(&s);
    return s;
}
static void ssl__permute_back(ssl_tensor *y)
{
    const ssl__nest s = ssl__nest_swap(ssl__nest_rows(ssl__permute_nest(y, y->in[0], (const int *)y->aux)));
    ssl__copy_grad(y->in[0], &s, y->g);
}
static ssl_tensor *ssl__permute(const char *at, const char *op, ssl_tensor *x, const int *p)
{
    ssl_ctx *c = x->ctx;
    int dim[SSL_DIMS], i;
    ssl__nest s;
    ssl_tensor *y;
    if (!ssl__need_words(at, op, x)) return &c->nil;
    for (i = 0; i < x->ndim; i++) dim[i] = x->dim[p[i]];
    y = ssl__new(c, at, op, x->dtype, x->ndim, dim);
    if (!c->status) y->aux = ssl__aux(c, at, sizeof *p * (size_t)x->ndim);
    if (c->status) return &c->nil;
    memcpy(y->aux, p, sizeof *p * (size_t)x->ndim);
    s = ssl__nest_rows(ssl__permute_nest(y, x, p));
    c->k->copy(c, &s, ssl__words(x), ssl__words(y));
    return ssl__record(y, ssl__permute_back, x, NULL, NULL);
}
SSL_API ssl_tensor *ssl_permute_at(const char *at, ssl_tensor *x, ...)
{
    int p[SSL_DIMS], i;
    unsigned seen = 0;
    char s1[96];
    va_list ap;
    va_start(ap, x);
    for (i = 0; i < x->ndim; i++) {
        p[i] = ssl__axis(x, va_arg(ap, int));
        if (p[i] >= 0 && p[i] < x->ndim) seen |= 1u << p[i];
    }
    va_end(ap);
    if (seen != (1u << x->ndim) - 1u)
        return ssl__fail(x->ctx, SSL_E_ARG, at, "ssl_permute: x%s: give each of its axes 0 to %d once, in the new order", ssl__shape(x, s1), x->ndim - 1);
    return ssl__permute(at, "ssl_permute", x, p);
}

/* ---- concat and slice: a part of an axis.  The gradient is the same part of dy, or goes to it ---- */
static ssl__nest ssl__part_nest(const ssl_tensor *part, const ssl_tensor *whole, int whole_is) /* operand whole_is is the whole */
{
    ssl__nest s = ssl__nest_make(part->ndim, part->dim);
    ssl__nest_operand(&s, whole_is, whole->ndim, whole->dim);
    ssl__nest_operand(&s, 1 - whole_is, part->ndim, part->dim);
    ssl__nest_merge(&s);
    return ssl__nest_rows(s);
}
static int64_t ssl__part_offset(const ssl_tensor *whole, int axis, int begin)
{
    int64_t step = begin;
    for (axis++; axis < whole->ndim; axis++) step *= whole->dim[axis];
    return step;
}
static void ssl__concat_back(ssl_tensor *y)
{
    const int axis = *(const int *)y->aux;
    int i, begin = 0;
    for (i = 0; i < y->n_in; i++) {
        const ssl__nest s = ssl__part_nest(y->in[i], y, 1);
        ssl__copy_grad(y->in[i], &s, y->g + ssl__part_offset(y, axis, begin));
        begin += y->in[i]->dim[axis];
    }
}
static int ssl__concat_fits(const char *at, int axis, const ssl_tensor *a, const ssl_tensor *b)
{
    char s1[96], s2[96];
    int i, fits = a->ndim == b->ndim && a->dtype == b->dtype;
    for (i = 0; fits && i < a->ndim; i++) fits = i == axis || a->dim[i] == b->dim[i];
    if (!fits) ssl__fail(a->ctx, SSL_E_SHAPE, at, "ssl_concat: %s%s and %s%s along axis %d: types and all other axes must be equal", ssl__dtype_name(a->dtype), ssl__shape(a, s1),
                         ssl__dtype_name(b->dtype), ssl__shape(b, s2), axis);
    return fits;
}
SSL_API ssl_tensor *ssl_concat_at(const char *at, int axis, int n, ssl_tensor *const *t)
{
    ssl_ctx *c = t[0]->ctx;
    int dim[SSL_DIMS], i, begin = 0;
    ssl_tensor *y;
    char s1[96];
    if (!ssl__need_words(at, "ssl_concat", t[0])) return &c->nil;
    axis = ssl__axis(t[0], axis);
    if (n < 1 || axis < 0 || axis >= t[0]->ndim)
        return ssl__fail(c, SSL_E_ARG, at, "ssl_concat: %d tensors along axis %d of %s: at least one and an axis of it are needed", n, axis, ssl__shape(t[0], s1));
    memcpy(dim, t[0]->dim, sizeof dim);
    for (i = 1; i < n; i++) {
        if (!ssl__concat_fits(at, axis, t[0], t[i])) return &c->nil;
        dim[axis] += t[i]->dim[axis];
    }
    y = ssl__new(c, at, "ssl_concat", t[0]->dtype, t[0]->ndim, dim);
    if (!c->status) y->aux = ssl__aux(c, at, sizeof axis);
    if (c->status) return &c->nil;
    *(int *)y->aux = axis;
    for (i = 0; i < n; i++) {
        const ssl__nest s = ssl__part_nest(t[i], y, 0);
        c->k->copy(c, &s, ssl__words(t[i]), ssl__words(y) + ssl__part_offset(y, axis, begin));
        begin += t[i]->dim[axis];
    }
    return ssl__record_n(y, ssl__concat_back, n, t);
}

static void ssl__slice_back(ssl_tensor *y)
{
    const ssl__nest s = ssl__part_nest(y, y->in[0], 0);
    float *dx = ssl_grad_of(y->in[0]);
    if (dx) y->ctx->k->copy_add(y->ctx, &s, 1.0f, y->g, dx + *(const int64_t *)y->aux);
}
SSL_API ssl_tensor *ssl_slice_at(const char *at, ssl_tensor *x, int axis, int begin, int end)
{
    ssl_ctx *c = x->ctx;
    int dim[SSL_DIMS];
    char s1[96];
    ssl__nest s;
    ssl_tensor *y;
    int64_t offset;
    if (!ssl__need_words(at, "ssl_slice", x)) return &c->nil;
    axis = ssl__axis(x, axis);
    if (axis < 0 || axis >= x->ndim || begin < 0 || begin >= end || end > x->dim[axis])
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_slice: %d to %d of axis %d of x%s: 0 <= begin < end <= the axis length is needed", begin, end, axis, ssl__shape(x, s1));
    memcpy(dim, x->dim, sizeof dim);
    dim[axis] = end - begin;
    y = ssl__new(c, at, "ssl_slice", x->dtype, x->ndim, dim);
    if (!c->status) y->aux = ssl__aux(c, at, sizeof offset);
    if (c->status) return &c->nil;
    offset = ssl__part_offset(x, axis, begin);
    memcpy(y->aux, &offset, sizeof offset);
    s = ssl__part_nest(y, x, 1);
    c->k->copy(c, &s, ssl__words(x) + offset, ssl__words(y));
    return ssl__record(y, ssl__slice_back, x, NULL, NULL);
}

/* ==== >>token ==== gather, scatter, patchify, positions ============================================== */
/* ---- gather: y[b,k,:] = x[b, index[b,k], :].  dx[b, index[b,k], :] += dy[b,k,:] ---- */
static int ssl__need_index(const char *at, const char *op, const ssl_tensor *x, const ssl_tensor *index) /* every index in 0..L-1 */
{
    const int64_t n = ssl_numel(index);
    char s1[96], s2[96];
    int64_t i;
    if (!ssl__need(at, op, "x", x, SSL_F32) || !ssl__need(at, op, "index", index, SSL_I32)) return 0;
    if (x->ndim != 3 || index->ndim > 2 || (index->ndim == 2 && index->dim[0] != x->dim[0])) {
        ssl__fail(x->ctx, SSL_E_SHAPE, at, "%s: x%s index%s: x must be [B,L,D] and index [B,K]", op, ssl__shape(x, s1), ssl__shape(index, s2));
        return 0;
    }
    if (x->ctx->device != SSL_DEVICE_CPU) return 1; /* not to wait for the device: there a bad index makes NaN */
    for (i = 0; i < n; i++)
        if (index->i[i] < 0 || index->i[i] >= x->dim[1]) {
            ssl__fail(x->ctx, SSL_E_ARG, at, "%s: index%s holds %d at place %lld: x%s has tokens 0 to %d", op, ssl__shape(index, s1), (int)index->i[i], (long long)i,
                      ssl__shape(x, s2), x->dim[1] - 1);
            return 0;
        }
    return 1;
}
static void ssl__gather_back(ssl_tensor *y)
{
    ssl_tensor *x = y->in[0], *index = y->in[1];
    float *dx = ssl_grad_of(x);
    if (dx) y->ctx->k->gather_b(y->ctx, x->dim[0], x->dim[1], y->dim[1], x->dim[2], index->ndim == 1, index->i, y->g, dx);
}
static ssl_tensor *ssl__gather(const char *at, const char *op, ssl_tensor *x, ssl_tensor *index)
{
    ssl_ctx *c = x->ctx;
    int dim[3];
    ssl_tensor *y;
    if (!ssl__need_index(at, op, x, index)) return &c->nil;
    dim[0] = x->dim[0];
    dim[1] = ssl__last(index);
    dim[2] = x->dim[2];
    y = ssl__new(c, at, op, SSL_F32, 3, dim);
    if (c->status) return &c->nil;
    c->k->gather_f(c, dim[0], x->dim[1], dim[1], dim[2], index->ndim == 1, 0.0f, x->x, index->i, y->x);
    return ssl__record(y, ssl__gather_back, x, index, NULL);
}
static ssl_tensor *ssl__gather_checked(const char *at, const char *op, ssl_tensor *x, ssl_tensor *index, int ndim, int all)
{
    char s1[96], s2[96];
    if (!x->ctx->status && (index->ndim != ndim || (all && x->ndim > 1 && ssl__last(index) != x->dim[1])))
        return ssl__fail(x->ctx, SSL_E_SHAPE, at, "%s: x%s index%s: x [B,L,D] needs an index %s", op, ssl__shape(x, s1), ssl__shape(index, s2), all ? "[B,L]" : ndim == 1 ? "[K]" : "[B,K]");
    return ssl__gather(at, op, x, index);
}
SSL_API ssl_tensor *ssl_gather_tokens_at(const char *at, ssl_tensor *x, ssl_tensor *index) { return ssl__gather_checked(at, "ssl_gather_tokens", x, index, 2, 0); }
SSL_API ssl_tensor *ssl_index_select_at(const char *at, ssl_tensor *x, ssl_tensor *index) { return ssl__gather_checked(at, "ssl_index_select", x, index, 1, 0); }
SSL_API ssl_tensor *ssl_unshuffle_tokens_at(const char *at, ssl_tensor *x, ssl_tensor *ids) { return ssl__gather_checked(at, "ssl_unshuffle_tokens", x, ids, 2, 1); }

/* ---- scatter: y = base, y[b, index[b,k], :] = x[b,k,:].  dx = dy at index,  dbase += dy elsewhere ---- */
static void ssl__scatter_back(ssl_tensor *y)
{
    ssl_tensor *base = y->in[0], *x = y->in[1], *index = y->in[2];
    const int B = y->dim[0], L = y->dim[1], K = x->dim[1], D = y->dim[2];
    ssl_ctx *c = y->ctx;
    float beta, *d;
    if ((d = ssl__grad_beta(x, &beta)) != NULL) c->k->gather_f(c, B, L, K, D, 0, beta, y->g, index->i, d);
    if ((d = ssl_grad_of(base)) != NULL) c->k->scatter_base_b(c, B, L, K, D, index->i, y->g, d);
}
SSL_API ssl_tensor *ssl_scatter_tokens_at(const char *at, ssl_tensor *base, ssl_tensor *x, ssl_tensor *index)
{
    ssl_ctx *c = base->ctx;
    char s1[96], s2[96], s3[96];
    ssl_tensor *y;
    if (!ssl__need(at, "ssl_scatter_tokens", "x", x, SSL_F32)) return &c->nil;
    if (base->ndim != 3 || x->ndim != 3 || index->ndim != 2 || x->dim[0] != base->dim[0] || x->dim[2] != base->dim[2] || x->dim[1] != index->dim[1])
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_scatter_tokens: base%s x%s index%s: base [B,L,D], x [B,K,D] and index [B,K] are needed", ssl__shape(base, s1), ssl__shape(x, s2), ssl__shape(index, s3));
    if (!ssl__need_index(at, "ssl_scatter_tokens", base, index)) return &c->nil;
    y = ssl__like(at, "ssl_scatter_tokens", base);
    if (c->status) return &c->nil;
    ssl__move(c, y->x, base->x, ssl__bytes(y));
    c->k->scatter_f(c, y->dim[0], y->dim[1], x->dim[1], y->dim[2], x->x, index->i, y->x);
    return ssl__record(y, ssl__scatter_back, base, x, index);
}

/* ---- patches: reshape, permute, reshape ---- */
static ssl_tensor *ssl__reshape3(const char *at, ssl_tensor *x, int64_t a, int64_t b, int64_t d)
{
    int dim[3];
    dim[0] = (int)a; dim[1] = (int)b; dim[2] = (int)d;
    return ssl__reshape(at, x, 3, dim);
}
static ssl_tensor *ssl__permute6(const char *at, const char *op, ssl_tensor *x, const int *dim, int p0, int p1, int p2, int p3, int p4, int p5)
{
    int p[6];
    p[0] = p0; p[1] = p1; p[2] = p2; p[3] = p3; p[4] = p4; p[5] = p5;
    x = ssl__reshape(at, x, 6, dim);
    return x->ctx->status ? x : ssl__permute(at, op, x, p);
}
SSL_API ssl_tensor *ssl_patchify_at(const char *at, ssl_tensor *images, int patch, ssl_patch_order order)
{
    ssl_ctx *c = images->ctx;
    ssl_tensor *y;
    int d[6];
    char s1[96];
    if (c->status) return &c->nil;
    if (images->ndim != 4 || patch < 1 || images->dim[2] % patch || images->dim[3] % patch)
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_patchify: images%s, patch %d: [B,C,H,W] with H and W divisible by the patch size is needed", ssl__shape(images, s1), patch);
    d[0] = images->dim[0]; d[1] = images->dim[1]; d[2] = images->dim[2] / patch; d[3] = patch; d[4] = images->dim[3] / patch; d[5] = patch;
    y = order == SSL_PATCH_CHANNEL_ROW_COL ? ssl__permute6(at, "ssl_patchify", images, d, 0, 2, 4, 1, 3, 5) : ssl__permute6(at, "ssl_patchify", images, d, 0, 2, 4, 3, 5, 1);
    return ssl__reshape3(at, y, d[0], (int64_t)d[2] * d[4], (int64_t)d[1] * patch * patch);
}
SSL_API ssl_tensor *ssl_unpatchify_at(const char *at, ssl_tensor *x, int patch, int channels, int height, int width, ssl_patch_order order)
{
    ssl_ctx *c = x->ctx;
    ssl_tensor *y;
    int d[6], e[4];
    char s1[96];
    if (c->status) return &c->nil;
    if (patch < 1 || height % patch || width % patch || x->ndim != 3 || x->dim[1] != (height / patch) * (width / patch) || x->dim[2] != channels * patch * patch)
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_unpatchify: x%s to [B,%d,%d,%d] with patch %d: x must be [B, (height/patch)(width/patch), patch*patch*channels]", ssl__shape(x, s1), channels,
                         height, width, patch);
    d[0] = e[0] = x->dim[0];
    d[1] = height / patch; d[2] = width / patch; d[3] = d[4] = patch; d[5] = channels;
    if (order == SSL_PATCH_CHANNEL_ROW_COL) { d[3] = channels; d[5] = patch; }
    y = order == SSL_PATCH_CHANNEL_ROW_COL ? ssl__permute6(at, "ssl_unpatchify", x, d, 0, 3, 1, 4, 2, 5) : ssl__permute6(at, "ssl_unpatchify", x, d, 0, 5, 1, 3, 2, 4);
    e[1] = channels; e[2] = height; e[3] = width;
    return ssl__reshape(at, y, 4, e);
}

/* ---- patches in rows x cols squares of m x m: [B,rows,m,cols,m,D] <-> [B,rows,cols,m,m,D] ---- */
static ssl_tensor *ssl__squares(const char *at, const char *op, ssl_tensor *x, int rows, int cols, int m, int back)
{
    const int batch = x->dim[0], patches = x->dim[1], width = x->dim[2];
    int d[6];
    if (x->ctx->status) return x;
    d[0] = batch; d[1] = rows; d[2] = back ? cols : m; d[3] = back ? m : cols; d[4] = m; d[5] = width;
    return ssl__reshape3(at, ssl__permute6(at, op, x, d, 0, 1, 3, 2, 4, 5), batch, patches, width);
}
static int ssl__need_squares(const char *at, const char *op, const ssl_tensor *x, const ssl_tensor *ids, int patch, int m, int batch, int height, int width)
{
    char s1[96], s2[96];
    const int unit = patch * m;
    const int fits = patch > 0 && m > 0 && height % unit == 0 && width % unit == 0 && ids->ndim == 2 && ids->dim[0] == batch && ids->dim[1] == (height / unit) * (width / unit);
    if (!fits) ssl__fail(x->ctx, SSL_E_SHAPE, at, "%s: %s with ids_shuffle%s, patch %d, squares of %d x %d patches: height %d and width %d must be divisible by %d, and ids_shuffle be [batch, squares]",
                         op, ssl__shape(x, s1), ssl__shape(ids, s2), patch, m, m, height, width, unit);
    return fits;
}
SSL_API ssl_tensor *ssl_patchify_segments_at(const char *at, ssl_tensor *images, int patch, int m, ssl_tensor *ids)
{
    static const char op[] = "ssl_patchify_segments";
    ssl_ctx *c = images->ctx;
    const int p[3] = { 1, 0, 2 };
    int rows, cols, S, D;
    ssl_tensor *x;
    if (c->status || !ssl__need_squares(at, op, images, ids, patch, m, images->dim[0], images->dim[2], images->dim[3])) return &c->nil;
    rows = images->dim[2] / (patch * m);
    cols = images->dim[3] / (patch * m);
    S = rows * cols;
    x = ssl_patchify_at(at, images, patch, SSL_PATCH_ROW_COL_CHANNEL);
    x = ssl__squares(at, op, x, rows, cols, m, 0);
    D = ssl__last(x);
    x = ssl__gather(at, op, ssl__reshape3(at, x, x->dim[0], S, (int64_t)m * m * D), ids);
    x = ssl__reshape3(at, x, x->dim[0], (int64_t)S * m * m, D);
    return ssl__permute(at, op, x, p);
}
SSL_API ssl_tensor *ssl_unpatchify_segments_at(const char *at, ssl_tensor *seq, ssl_tensor *ids, int patch, int m, int channels, int height, int width)
{
    static const char op[] = "ssl_unpatchify_segments";
    ssl_ctx *c = seq->ctx;
    const int p[3] = { 1, 0, 2 };
    int rows, cols, S, D;
    ssl_tensor *x;
    char s1[96];
    if (c->status || !ssl__need_squares(at, op, seq, ids, patch, m, seq->dim[1], height, width)) return &c->nil;
    if (seq->ndim != 3) return ssl__fail(c, SSL_E_SHAPE, at, "%s: seq%s: [L,B,P*P*C] is needed", op, ssl__shape(seq, s1));
    rows = height / (patch * m);
    cols = width / (patch * m);
    S = rows * cols;
    D = seq->dim[2];
    x = ssl__permute(at, op, seq, p);
    x = ssl__gather(at, op, ssl__reshape3(at, x, x->dim[0], S, (int64_t)m * m * D), ssl_argsort_at(at, ids));
    x = ssl__reshape3(at, x, x->dim[0], (int64_t)S * m * m, D);
    return ssl_unpatchify_at(at, ssl__squares(at, op, x, rows, cols, m, 1), patch, channels, height, width, SSL_PATCH_ROW_COL_CHANNEL);
}

SSL_API int ssl_sincos2d(int dim, int grid, int cls_token, float *out)
{
    const int quarter = dim / 4;
    int row, col, k;
    if (dim < 4 || dim % 4) return 0;
    if (cls_token) { memset(out, 0, sizeof *out * (size_t)dim); out += dim; }
    for (row = 0; row < grid; row++)
        for (col = 0; col < grid; col++, out += dim)
            for (k = 0; k < quarter; k++) {
                const double w = pow(10000.0, -(double)k / quarter);
                out[k] = (float)sin(col * w);
                out[quarter + k] = (float)cos(col * w);
                out[2 * quarter + k] = (float)sin(row * w);
                out[3 * quarter + k] = (float)cos(row * w);
            }
    return 1;
}

/* ---- order and chance ---- */
SSL_API ssl_tensor *ssl_argsort_at(const char *at, ssl_tensor *x)
{
    ssl_ctx *c = x->ctx;
    ssl_tensor *y;
    float *key = x->x;
    if (c->status || (x->dtype != SSL_I32 && !ssl__need(at, "ssl_argsort", "x", x, SSL_F32))) return &c->nil;
    y = ssl__new(c, at, "ssl_argsort", SSL_I32, x->ndim, x->dim);
    if (x->dtype == SSL_I32) key = (float *)ssl__temp(c, at, ssl__bytes(x));
    if (c->status) return &c->nil;
    if (x->dtype == SSL_I32) c->k->i32_to_f32(c, ssl_numel(x), x->i, key);
    c->k->argsort(c, ssl__rows(x), ssl__last(x), key, y->i);
    return y;
}
SSL_API ssl_tensor *ssl_random_uniform_at(const char *at, ssl_ctx *c, int ndim, ...)
{
    int dim[SSL_DIMS], i;
    ssl_tensor *y;
    va_list ap;
    va_start(ap, ndim);
    for (i = 0; i < ndim && i < SSL_DIMS; i++) dim[i] = va_arg(ap, int);
    va_end(ap);
    y = ssl__new(c, at, "ssl_random_uniform", SSL_F32, ndim, dim);
    if (c->status) return &c->nil;
    c->k->uniform(c, ssl_numel(y), c->seed, ssl_rng_stream(c), y->x);
    return y;
}

/* ==== >>norm ==== layer norm, softmax, l2 normalize ================================================== */
typedef struct ssl__row_aux { float p; int log; float *stat; } ssl__row_aux;
/* The result of an op over the rows of x, and its aux with n floats of statistics; the nil tensor after an error. */
static ssl_tensor *ssl__row_op(const char *at, const char *op, ssl_tensor *x, size_t n, ssl_dtype type)
{
    ssl_ctx *c = x->ctx;
    ssl_tensor *y;
    ssl__row_aux *aux;
    if (c->status || !ssl__need(at, op, "x", x, SSL_F32)) return &c->nil;
    y = ssl__new(c, at, op, type, x->ndim, x->dim);
    aux = (ssl__row_aux *)ssl__aux(c, at, sizeof *aux);
    if (!c->status && n) aux->stat = (float *)ssl__temp(c, at, sizeof(float) * n);
    if (c->status) return &c->nil;
    y->aux = aux;
    return y;
}

static void ssl__layer_norm_back(ssl_tensor *y)
{
    ssl_tensor *x = y->in[0], *w = y->in[1];
    ssl__row_aux *aux = (ssl__row_aux *)y->aux;
    float beta, *dx = ssl__grad_beta(x, &beta), *dw = ssl_grad_of(w), *db = ssl_grad_of(y->in[2]);
    (ssl__is_half(y) ? y->ctx->half->half_layer_norm_b : y->ctx->k->layer_norm_b)(y->ctx, ssl__rows(x), ssl__last(x), x->x, w ? w->x : NULL, aux->stat, y->g, beta, dx, dw, db);
}
static void ssl__layer_norm_run(ssl_tensor *y, const ssl_tensor *x, const ssl_tensor *w, const ssl_tensor *b)
{
    ssl__row_aux *aux = (ssl__row_aux *)y->aux;
    (ssl__is_half(y) ? y->ctx->half->half_layer_norm_f : y->ctx->k->layer_norm_f)(y->ctx, ssl__rows(x), ssl__last(x), aux->p, x->x, w ? w->x : NULL, b ? b->x : NULL, y->x, aux->stat);
}
static void ssl__layer_norm_remake(ssl_tensor *y) { ssl__layer_norm_run(y, y->in[0], y->in[1], y->in[2]); }
static ssl_tensor *ssl__layer_norm(const char *at, ssl_tensor *x, ssl_tensor *weight, ssl_tensor *bias, float eps, ssl_dtype type)
{
    ssl_tensor *y = ssl__row_op(at, "ssl_layer_norm", x, 2 * (size_t)ssl__rows(x), type), *in[3];
    ssl_ctx *c = x->ctx;
    char s1[96], s2[96];
    int i;
    in[0] = x; in[1] = weight; in[2] = bias;
    for (i = 1; i < 3 && !c->status; i++)
        if (in[i] && (in[i]->ndim != 1 || in[i]->dim[0] != ssl__last(x)))
            return ssl__fail(c, SSL_E_SHAPE, at, "ssl_layer_norm: x%s %s%s: it must be [%d], the last axis of x", ssl__shape(x, s1),
                             i == 1 ? "weight" : "bias", ssl__shape(in[i], s2), ssl__last(x));
    if (c->status) return &c->nil;
    ((ssl__row_aux *)y->aux)->p = eps;
    ssl__layer_norm_run(y, x, weight, bias);
    return ssl__record_n(y, ssl__layer_norm_back, 3, in);
}
SSL_API ssl_tensor *ssl_layer_norm_at(const char *at, ssl_tensor *x, ssl_tensor *weight, ssl_tensor *bias, float eps) { return ssl__layer_norm(at, x, weight, bias, eps, SSL_F32); }

static void ssl__softmax_back(ssl_tensor *y)
{
    float beta, *dx = ssl__grad_beta(y->in[0], &beta);
    y->ctx->k->softmax_b(y->ctx, ssl__rows(y), ssl__last(y), ((ssl__row_aux *)y->aux)->log, y->x, y->g, beta, dx);
}
static ssl_tensor *ssl__softmax(const char *at, const char *op, ssl_tensor *x, int log)
{
    ssl_tensor *y = ssl__row_op(at, op, x, 0, SSL_F32);
    if (x->ctx->status) return y;
    ((ssl__row_aux *)y->aux)->log = log;
    x->ctx->k->softmax_f(x->ctx, ssl__rows(x), ssl__last(x), log, x->x, y->x);
    return ssl__record(y, ssl__softmax_back, x, NULL, NULL);
}
SSL_API ssl_tensor *ssl_softmax_at(const char *at, ssl_tensor *x) { return ssl__softmax(at, "ssl_softmax", x, 0); }
SSL_API ssl_tensor *ssl_log_softmax_at(const char *at, ssl_tensor *x) { return ssl__softmax(at, "ssl_log_softmax", x, 1); }

static void ssl__l2_normalize_back(ssl_tensor *y)
{
    ssl__row_aux *aux = (ssl__row_aux *)y->aux;
    float beta, *dx = ssl__grad_beta(y->in[0], &beta);
    y->ctx->k->l2norm_b(y->ctx, ssl__rows(y), ssl__last(y), aux->p, y->x, aux->stat, y->g, beta, dx);
}
SSL_API ssl_tensor *ssl_l2_normalize_at(const char *at, ssl_tensor *x, float eps)
{
    ssl_tensor *y = ssl__row_op(at, "ssl_l2_normalize", x, (size_t)ssl__rows(x), SSL_F32);
    ssl__row_aux *aux = (ssl__row_aux *)y->aux;
    if (x->ctx->status) return y;
    aux->p = eps;
    x->ctx->k->l2norm_f(x->ctx, ssl__rows(x), ssl__last(x), eps, x->x, y->x, aux->stat);
    return ssl__record(y, ssl__l2_normalize_back, x, NULL, NULL);
}

/* ==== >>loss ==== cross entropy, mse, l1, cosine ===================================================== */
static void ssl__cross_entropy_back(ssl_tensor *y)
{
    ssl_tensor *x = y->in[0];
    ssl__row_aux *aux = (ssl__row_aux *)y->aux;
    float beta, *dx = ssl__grad_beta(x, &beta);
    y->ctx->k->cross_entropy_b(y->ctx, ssl__rows(x), ssl__last(x), aux->p, x->x, y->in[1]->i, aux->stat, y->g, beta, dx);
}
static int ssl__targets_ok(ssl_ctx *c, const char *at, const ssl_tensor *x, const ssl_tensor *target)
{
    const int rows = ssl__rows(x), n = ssl__last(x);
    char s1[96], s2[96];
    int i, same = target->ndim == x->ndim - 1 || (x->ndim == 1 && ssl_numel(target) == 1);
    if (!ssl__need(at, "ssl_cross_entropy", "logits", x, SSL_F32) || !ssl__need(at, "ssl_cross_entropy", "target", target, SSL_I32)) return 0;
    for (i = 0; same && i < x->ndim - 1; i++) same = target->dim[i] == x->dim[i];
    if (!same) {
        ssl__fail(c, SSL_E_SHAPE, at, "ssl_cross_entropy: logits%s target%s: target must have the axes of logits without the last", ssl__shape(x, s1), ssl__shape(target, s2));
        return 0;
    }
    for (i = 0; c->device == SSL_DEVICE_CPU && i < rows; i++) /* on a GPU the loss becomes NaN instead */
        if (target->i[i] != -100 && (unsigned)target->i[i] >= (unsigned)n) {
            ssl__fail(c, SSL_E_ARG, at, "ssl_cross_entropy: target %d of row %d: logits%s know the classes 0 to %d, and -100 for rows to leave out",
                      (int)target->i[i], i, ssl__shape(x, s1), n - 1);
            return 0;
        }
    return 1;
}
SSL_API ssl_tensor *ssl_cross_entropy_at(const char *at, ssl_tensor *logits, ssl_tensor *target, float smoothing)
{
    const int one = 1, rows = ssl__rows(logits), n = ssl__last(logits);
    ssl_ctx *c = logits->ctx;
    ssl__row_aux *aux;
    ssl_tensor *y;
    if (c->status || !ssl__targets_ok(c, at, logits, target)) return &c->nil;
    if (!(smoothing >= 0.0f && smoothing <= 1.0f)) return ssl__fail(c, SSL_E_ARG, at, "ssl_cross_entropy: label smoothing %g: it must be in 0..1", (double)smoothing);
    y = ssl__new(c, at, "ssl_cross_entropy", SSL_F32, 1, &one);
    aux = (ssl__row_aux *)ssl__aux(c, at, sizeof *aux);
    if (!c->status) aux->stat = (float *)ssl__temp(c, at, sizeof(float) * ((size_t)rows + 1));
    if (c->status) return &c->nil;
    aux->p = smoothing;
    y->aux = aux;
    c->k->cross_entropy_f(c, rows, n, smoothing, logits->x, target->i, y->x, aux->stat);
    return ssl__record(y, ssl__cross_entropy_back, logits, target, NULL);
}

typedef struct ssl__huber_aux { float lim, h; } ssl__huber_aux;
static void ssl__huber_back(ssl_tensor *y)
{
    ssl_tensor *a = y->in[0], *b = y->in[1];
    ssl__huber_aux *aux = (ssl__huber_aux *)y->aux;
    y->ctx->k->huber_b(y->ctx, ssl_numel(a), aux->lim, aux->h, a->x, b->x, y->g, ssl_grad_of(a), ssl_grad_of(b));
}
static int ssl__same_shape(const ssl_tensor *a, const ssl_tensor *b) { return a->ndim == b->ndim && !memcmp(a->dim, b->dim, sizeof *a->dim * (size_t)a->ndim); }
static ssl_tensor *ssl__huber_loss(const char *at, const char *op, ssl_tensor *a, ssl_tensor *b, float lim, float h)
{
    const int one = 1;
    ssl_ctx *c = a->ctx;
    ssl__huber_aux *aux;
    ssl_tensor *y;
    char s1[96], s2[96];
    if (c->status || !ssl__need(at, op, "a", a, SSL_F32) || !ssl__need(at, op, "b", b, SSL_F32)) return &c->nil;
    if (!ssl__same_shape(a, b)) return ssl__fail(c, SSL_E_SHAPE, at, "%s: a%s b%s: both must have the same shape", op, ssl__shape(a, s1), ssl__shape(b, s2));
    y = ssl__new(c, at, op, SSL_F32, 1, &one);
    aux = (ssl__huber_aux *)ssl__aux(c, at, sizeof *aux);
    if (c->status) return &c->nil;
    aux->lim = lim;
    aux->h = h;
    y->aux = aux;
    c->k->huber_f(c, ssl_numel(a), lim, h, a->x, b->x, y->x);
    return ssl__record(y, ssl__huber_back, a, b, NULL);
}
SSL_API ssl_tensor *ssl_mse_at(const char *at, ssl_tensor *a, ssl_tensor *b) { return ssl__huber_loss(at, "ssl_mse", a, b, INFINITY, 1.0f); }
SSL_API ssl_tensor *ssl_l1_at(const char *at, ssl_tensor *a, ssl_tensor *b) { return ssl__huber_loss(at, "ssl_l1", a, b, 0.0f, 0.0f); }
SSL_API ssl_tensor *ssl_smooth_l1_at(const char *at, ssl_tensor *a, ssl_tensor *b, float beta)
{
    if (!(beta >= 0.0f)) return ssl__fail(a->ctx, SSL_E_ARG, at, "ssl_smooth_l1: beta %g: it must not be negative", (double)beta);
    return ssl__huber_loss(at, "ssl_smooth_l1", a, b, beta, beta > 0.0f ? 0.5f / beta : 0.0f);
}
SSL_API ssl_tensor *ssl_cosine_similarity_at(const char *at, ssl_tensor *a, ssl_tensor *b)
{
    char s1[96], s2[96];
    if (!ssl__need(at, "ssl_cosine_similarity", "a", a, SSL_F32) || !ssl__need(at, "ssl_cosine_similarity", "b", b, SSL_F32)) return &a->ctx->nil;
    if (!ssl__same_shape(a, b))
        return ssl__fail(a->ctx, SSL_E_SHAPE, at, "ssl_cosine_similarity: a%s b%s: both must have the same shape", ssl__shape(a, s1), ssl__shape(b, s2));
    a = ssl_mul_at(at, ssl_l2_normalize_at(at, a, 1e-8f), ssl_l2_normalize_at(at, b, 1e-8f));
    return ssl_sum_axes_at(at, a, SSL_AXIS(a->ndim - 1), 0);
}

/* ==== >>dropout ====================================================================================== */
/* y = x keep / (1 - p), keep = 1 with probability 1 - p; dx += dy keep / (1 - p), keep drawn again from (seed, stream, index) */
typedef struct ssl__dropout_aux { float p; uint64_t stream; } ssl__dropout_aux;
static void ssl__dropout_run(const ssl_tensor *y, int per_sample, float beta, const float *x, float *out)
{
    const ssl__dropout_aux *aux = (const ssl__dropout_aux *)y->aux;
    const int64_t n = ssl_numel(y);
    y->ctx->k->dropout(y->ctx, n, per_sample ? n / y->dim[0] : 1, aux->p, y->ctx->seed, aux->stream, beta, x, out);
}
static void ssl__dropout_grad(ssl_tensor *y, int per_sample)
{
    float beta, *dx = ssl__grad_beta(y->in[0], &beta);
    if (dx) ssl__dropout_run(y, per_sample, beta, y->g, dx);
}
static void ssl__dropout_back(ssl_tensor *y) { ssl__dropout_grad(y, 0); }
static void ssl__drop_path_back(ssl_tensor *y) { ssl__dropout_grad(y, 1); }
static ssl_tensor *ssl__dropout(const char *at, const char *op, ssl_tensor *x, float p, int per_sample)
{
    ssl_ctx *c = x->ctx;
    ssl__dropout_aux *aux;
    ssl_tensor *y;
    if (!ssl__need(at, op, "x", x, SSL_F32)) return &c->nil;
    if (!(p >= 0.0f && p < 1.0f)) return ssl__fail(c, SSL_E_ARG, at, "%s: p is %g: 0 <= p < 1 is needed", op, (double)p);
    if (p == 0.0f || !c->training) return x;
    y = ssl__like(at, op, x);
    aux = (ssl__dropout_aux *)ssl__aux(c, at, sizeof *aux);
    if (c->status) return &c->nil;
    aux->p = p;
    aux->stream = ssl_rng_stream(c);
    y->aux = aux;
    ssl__dropout_run(y, per_sample, 0.0f, x->x, y->x);
    return ssl__record(y, per_sample ? ssl__drop_path_back : ssl__dropout_back, x, NULL, NULL);
}
SSL_API ssl_tensor *ssl_dropout_at(const char *at, ssl_tensor *x, float p) { return ssl__dropout(at, "ssl_dropout", x, p, 0); }
SSL_API ssl_tensor *ssl_drop_path_at(const char *at, ssl_tensor *x, float p) { return ssl__dropout(at, "ssl_drop_path", x, p, 1); }

/* ==== >>attention ==================================================================================== */
typedef enum ssl__attn_form { SSL__ATTN_PLAIN = 0, SSL__ATTN_PACKED, SSL__ATTN_KV, SSL__ATTN_WEIGHTS } ssl__attn_form;
static const struct { const char *op, *need; int row[3], offset[3]; } ssl__attn_forms[] = { /* rows and offsets of q, k, v in units of D */
    { "ssl_attention", "q must be [B,Tq,D], k and v [B,Tk,D]", { 1, 1, 1 }, { 0, 0, 0 } },
    { "ssl_attention_packed", "qkv must be [B,T,3D]", { 3, 3, 3 }, { 0, 1, 2 } },
    { "ssl_attention_kv", "q must be [B,Tq,D], kv [B,Tk,2D]", { 1, 2, 2 }, { 0, 0, 1 } },
    { "ssl_attention_weights", "q must be [B,Tq,D], k [B,Tk,D]", { 1, 1, 1 }, { 0, 0, 0 } }
};
typedef struct ssl__attn_aux { ssl__attn a; ssl__attn_form form; float *stat; } ssl__attn_aux;
static void ssl__attention_back(ssl_tensor *y)
{
    const ssl__attn_aux *aux = (const ssl__attn_aux *)y->aux;
    const int *offset = ssl__attn_forms[aux->form].offset;
    float beta[3], *g[3];
    int i;
    for (i = 0; i < 3; i++) {
        g[i] = ssl__grad_beta(y->in[i], &beta[i]);
        if (i && y->in[i] == y->in[i - 1] && offset[i] != offset[i - 1]) beta[i] = beta[i - 1]; /* other columns of the same rows */
        if (g[i]) g[i] = ssl__element(g[i], aux->a.half_in, offset[i] * aux->a.H * aux->a.d);
    }
    y->ctx->k->attn_b(y->ctx, &aux->a, y->x, aux->stat, y->g, beta, g[0], g[1], g[2], ssl_grad_of(y->in[3]));
}
static int ssl__attn_mask(ssl_ctx *c, const char *at, const char *op, const ssl_tensor *mask, ssl__attn *a)
{
    const int n = mask ? mask->ndim : 0, u8 = mask && mask->dtype == SSL_U8;
    char s[96];
    if (!mask) return 1;
    if ((n == 2 || (n == 3 && u8 && mask->dim[0] == a->B)) && mask->dtype != SSL_I32 && mask->dim[n - 2] == a->Tq && mask->dim[n - 1] == a->Tk) {
        a->kind = !u8 ? SSL__MASK_ADD : n == 2 ? SSL__MASK_SHARED : SSL__MASK_BATCH;
        a->mask = ssl__data(mask);
        return 1;
    }
    ssl__fail(c, SSL_E_SHAPE, at, "%s: mask%s of %s values: it must be U8 [%d,%d] or [%d,%d,%d], or F32 [%d,%d] (queries, keys)", op,
              ssl__shape(mask, s), ssl__dtype_name(mask->dtype), a->Tq, a->Tk, a->B, a->Tq, a->Tk, a->Tq, a->Tk);
    return 0;
}
/* Fill a from in[] = q, k, v, mask; 0 and an error if they do not fit. */
static int ssl__attn_check(const char *at, ssl__attn_form form, ssl_tensor *const *in, int heads, float scale, int causal, ssl__attn *a)
{
    const char *op = ssl__attn_forms[form].op;
    const int *row = ssl__attn_forms[form].row, *offset = ssl__attn_forms[form].offset, width = ssl__last(in[0]) / row[0];
    ssl_ctx *c = in[0]->ctx;
    char s1[96], s2[96], s3[96];
    int i, fit = in[1]->dim[1] == in[2]->dim[1] && width > 0;
    for (i = 0; i < 3; i++) {
        if (!ssl__need(at, op, "input ", in[i], ssl__is_half(in[0]) ? SSL_BF16 : SSL_F32)) return 0;
        fit = fit && in[i]->ndim == 3 && in[i]->dim[0] == in[0]->dim[0] && in[i]->dim[2] == row[i] * width;
    }
    if (!fit) {
        ssl__fail(c, SSL_E_SHAPE, at, "%s: given %s%s%s%s%s: %s", op, ssl__shape(in[0], s1), in[1] != in[0] ? ", " : "", in[1] != in[0] ? ssl__shape(in[1], s2) : "",
                  in[2] != in[1] ? ", " : "", in[2] != in[1] ? ssl__shape(in[2], s3) : "", ssl__attn_forms[form].need);
        return 0;
    }
    if (heads < 1 || width % heads) {
        ssl__fail(c, SSL_E_SHAPE, at, "%s: q%s with %d heads: the number of heads must divide the width %d", op, ssl__shape(in[0], s1), heads, width);
        return 0;
    }
    if (!(scale >= 0.0f)) { ssl__fail(c, SSL_E_ARG, at, "%s: scale %g: it must be positive, or 0 for 1 / sqrt(width of a head)", op, (double)scale); return 0; }
    memset(a, 0, sizeof *a);
    a->B = in[0]->dim[0]; a->H = heads; a->Tq = in[0]->dim[1]; a->Tk = in[1]->dim[1]; a->d = width / heads;
    a->sq = row[0] * width; a->sk = row[1] * width; a->sv = row[2] * width;
    a->half_in = ssl__is_half(in[0]);
    a->q = ssl__element(in[0]->x, a->half_in, offset[0] * width);
    a->k = ssl__element(in[1]->x, a->half_in, offset[1] * width);
    a->v = ssl__element(in[2]->x, a->half_in, offset[2] * width);
    a->scale = scale != 0.0f ? scale : 1.0f / sqrtf((float)a->d);
    a->causal = causal != 0;
    return ssl__attn_mask(c, at, op, in[3], a);
}
static ssl_tensor *ssl__attention(const char *at, ssl__attn_form form, ssl_tensor *q, ssl_tensor *k, ssl_tensor *v, int heads, float scale, ssl_tensor *mask, int causal, ssl_dtype type)
{
    ssl_ctx *c = q->ctx;
    ssl__attn_aux *aux = (ssl__attn_aux *)ssl__aux(c, at, sizeof *aux);
    ssl_tensor *in[4], *y;
    int dim[4];
    in[0] = q; in[1] = k; in[2] = v; in[3] = mask;
    if (!aux || !ssl__attn_check(at, form, in, heads, scale, causal, &aux->a)) return &c->nil;
    dim[0] = aux->a.B; dim[1] = aux->a.Tq; dim[2] = heads * aux->a.d;
    if (form == SSL__ATTN_WEIGHTS) { dim[1] = heads; dim[2] = aux->a.Tq; dim[3] = aux->a.Tk; }
    y = ssl__new(c, at, ssl__attn_forms[form].op, type, form == SSL__ATTN_WEIGHTS ? 4 : 3, dim);
    aux->a.half_out = ssl__is_half(y);
    aux->form = form;
    aux->stat = (float *)ssl__temp(c, at, sizeof(float) * 2 * (size_t)aux->a.B * (size_t)heads * (size_t)aux->a.Tq);
    if (c->status) return &c->nil;
    y->aux = aux;
    if (form == SSL__ATTN_WEIGHTS) { c->k->attn_p(c, &aux->a, y->x); return y; }
    c->k->attn_f(c, &aux->a, y->x, aux->stat);
    return ssl__record_n(y, ssl__attention_back, 4, in);
}
SSL_API ssl_tensor *ssl_attention_at(const char *at, ssl_tensor *q, ssl_tensor *k, ssl_tensor *v, int heads, float scale, ssl_tensor *mask, int causal)
{ return ssl__attention(at, SSL__ATTN_PLAIN, q, k, v, heads, scale, mask, causal, SSL_F32); }
SSL_API ssl_tensor *ssl_attention_packed_at(const char *at, ssl_tensor *qkv, int heads, float scale, ssl_tensor *mask, int causal)
{ return ssl__attention(at, SSL__ATTN_PACKED, qkv, qkv, qkv, heads, scale, mask, causal, SSL_F32); }
SSL_API ssl_tensor *ssl_attention_kv_at(const char *at, ssl_tensor *q, ssl_tensor *kv, int heads, float scale, ssl_tensor *mask, int causal)
{ return ssl__attention(at, SSL__ATTN_KV, q, kv, kv, heads, scale, mask, causal, SSL_F32); }
SSL_API ssl_tensor *ssl_attention_weights_at(const char *at, ssl_tensor *q, ssl_tensor *k, int heads, float scale, ssl_tensor *mask, int causal)
{ return ssl__attention(at, SSL__ATTN_WEIGHTS, q, k, k, heads, scale, mask, causal, SSL_F32); }

/* ==== >>conv ==== convolution, pooling, interpolation ================================================ */
SSL_API int ssl_conv_desc_resolve(const ssl_conv_desc *in, ssl_conv_desc *out)
{
    ssl_conv_desc d = SSL_ZERO;
    if (in) d = *in;
    if (d._start_canary || d._end_canary) return 0;
    d.stride = SSL__DEF(d.stride, 1);
    d.stride_w = SSL__DEF(d.stride_w, d.stride);
    d.padding_w = d.padding_w == SSL_CONV_ZERO ? 0 : SSL__DEF(d.padding_w, d.padding);
    d.dilation = SSL__DEF(d.dilation, 1);
    d.dilation_w = SSL__DEF(d.dilation_w, d.dilation);
    d.groups = SSL__DEF(d.groups, 1);
    d.pad_mode = d.pad_mode == SSL_PAD_DEFAULT ? SSL_PAD_ZERO : d.pad_mode;
    *out = d;
    return 1;
}

/* Check and fill everything of a window but the channels: 0 after an error. */
static int ssl__window_make(const char *at, const char *op, ssl_tensor *x, ssl_dtype type, int kh, int kw, const ssl_conv_desc *d, ssl__window *g)
{
    ssl_ctx *c = x->ctx;
    char s[96];
    if (!ssl__need(at, op, "x", x, type)) return 0;
    memset(g, 0, sizeof *g);
    if (x->ndim != 4) { ssl__fail(c, SSL_E_SHAPE, at, "%s: x%s must be [N,C,H,W]", op, ssl__shape(x, s)); return 0; }
    if (kh < 1 || kw < 1 || d->stride < 1 || d->stride_w < 1 || d->dilation < 1 || d->dilation_w < 1 || d->padding < 0 || d->padding_w < 0) {
        ssl__fail(c, SSL_E_ARG, at, "%s: kernel %dx%d, stride %dx%d, padding %dx%d, dilation %dx%d: padding must be at least 0, the others at least 1",
                  op, kh, kw, d->stride, d->stride_w, d->padding, d->padding_w, d->dilation, d->dilation_w);
        return 0;
    }
    g->n = x->dim[0]; g->ci = g->co = x->dim[1]; g->h = x->dim[2]; g->w = x->dim[3];
    g->kh = kh; g->kw = kw; g->sh = d->stride; g->sw = d->stride_w; g->ph = d->padding; g->pw = d->padding_w;
    g->dh = d->dilation; g->dw = d->dilation_w; g->groups = d->groups;
    g->oh = g->h + 2 * g->ph - g->dh * (kh - 1); /* positions of the kernel, then every stride-th of them */
    g->ow = g->w + 2 * g->pw - g->dw * (kw - 1);
    if (g->oh < 1 || g->ow < 1) {
        ssl__fail(c, SSL_E_SHAPE, at, "%s: x%s with padding %dx%d is smaller than the kernel %dx%d with dilation %dx%d", op, ssl__shape(x, s), g->ph, g->pw, kh, kw, g->dh, g->dw);
        return 0;
    }
    g->oh = (g->oh - 1) / g->sh + 1;
    g->ow = (g->ow - 1) / g->sw + 1;
    return 1;
}

/* ---- padding: dx += dy where it came from ---- */
static void ssl__pad2d_back(ssl_tensor *y) { y->ctx->k->pad_b(y->ctx, (const ssl__resize *)y->aux, y->g, ssl_grad_of(y->in[0])); }
SSL_API ssl_tensor *ssl_pad2d_at(const char *at, ssl_tensor *x, int top, int bottom, int left, int right, ssl_pad_mode mode, float value)
{
    ssl_ctx *c = x->ctx;
    ssl__resize *r = (ssl__resize *)ssl__aux(c, at, sizeof *r);
    ssl_tensor *y;
    int dim[4];
    char s[96];
    if (c->status || !ssl__need(at, "ssl_pad2d", "x", x, SSL_F32)) return &c->nil;
    if (x->ndim != 4) return ssl__fail(c, SSL_E_SHAPE, at, "ssl_pad2d: x%s must be [N,C,H,W]", ssl__shape(x, s));
    if (SSL__MIN(SSL__MIN(top, bottom), SSL__MIN(left, right)) < 0 ||
        (mode == SSL_PAD_REFLECT && (SSL__MAX(top, bottom) >= x->dim[2] || SSL__MAX(left, right) >= x->dim[3])))
        return ssl__fail(c, SSL_E_ARG, at, "ssl_pad2d: x%s padded by %d,%d rows and %d,%d columns: padding must be at least 0, and reflected padding smaller than the image",
                         ssl__shape(x, s), top, bottom, left, right);
    r->planes = x->dim[0] * x->dim[1]; r->h = x->dim[2]; r->w = x->dim[3];
    r->top = top; r->left = left; r->mode = (int)mode; r->value = mode == SSL_PAD_CONSTANT ? value : 0.0f;
    dim[0] = x->dim[0]; dim[1] = x->dim[1];
    dim[2] = r->oh = r->h + top + bottom;
    dim[3] = r->ow = r->w + left + right;
    y = ssl__new(c, at, "ssl_pad2d", SSL_F32, 4, dim);
    if (c->status) return &c->nil;
    y->aux = r;
    c->k->pad_f(c, r, x->x, y->x);
    return ssl__record(y, ssl__pad2d_back, x, NULL, NULL);
}

/* ---- conv2d: dx = w transposed over dy, dw = x correlated with dy, db = sum of dy ---- */
static void ssl__conv2d_back(ssl_tensor *y)
{
    const ssl__window *g = (const ssl__window *)y->aux;
    ssl_ctx *c = y->ctx;
    float *d, beta;
    if (g->half) {
        d = ssl__grad_beta(y->in[0], &beta);
        c->half->half_conv_b(c, g, y->in[0]->x, y->in[1]->x, y->g, beta, d, ssl_grad_of(y->in[1]));
    } else {
        if ((d = ssl__grad_beta(y->in[0], &beta)) != NULL) c->k->conv_bx(c, g, y->in[1]->x, y->g, beta, d);
        if ((d = ssl_grad_of(y->in[1])) != NULL) c->k->conv_bw(c, g, y->in[0]->x, y->g, d);
    }
    if ((d = ssl_grad_of(y->in[2])) != NULL) c->k->chansum(c, g->n, g->co, (int64_t)g->oh * g->ow, y->g, d);
}
static ssl_tensor *ssl__conv2d(const char *at, ssl_tensor *x, ssl_tensor *w, ssl_tensor *bias, const ssl_conv_desc *desc, ssl_dtype type) /* x, and y without a bias, may be inner */
{
    ssl_ctx *c = x->ctx;
    ssl_conv_desc d;
    ssl__window *g = (ssl__window *)ssl__aux(c, at, sizeof *g);
    ssl_tensor *y, *in[3];
    int dim[4];
    char s1[96], s2[96], s3[96];
    if (c->status || !ssl__need_real(at, "ssl_conv2d", "x", x) || !ssl__need(at, "ssl_conv2d", "w", w, SSL_F32)) return &c->nil;
    if (bias && !ssl__need(at, "ssl_conv2d", "bias", bias, SSL_F32)) return &c->nil;
    if (!ssl_conv_desc_resolve(desc, &d)) return ssl__fail(c, SSL_E_ARG, at, "ssl_conv2d: the ssl_conv_desc is not initialized: write `ssl_conv_desc d = SSL_ZERO;`");
    if (x->ndim != 4 || w->ndim != 4 || d.groups < 1 || x->dim[1] != w->dim[1] * d.groups || w->dim[0] % d.groups)
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_conv2d: x%s w%s groups %d: x must be [N,Ci,H,W] and w [Co,Ci/groups,kh,kw], both channel counts divisible by groups",
                         ssl__shape(x, s1), ssl__shape(w, s2), d.groups);
    if (bias && (bias->ndim != 1 || bias->dim[0] != w->dim[0]))
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_conv2d: w%s bias%s: the bias must be [Co]", ssl__shape(w, s2), ssl__shape(bias, s3));
    if (d.pad_mode != SSL_PAD_ZERO && (d.padding > 0 || d.padding_w > 0)) {
        x = ssl_pad2d_at(at, x, d.padding, d.padding, d.padding_w, d.padding_w, d.pad_mode, d.pad_value);
        d.padding = d.padding_w = 0;
    }
    if (!ssl__window_make(at, "ssl_conv2d", x, x->dtype, w->dim[2], w->dim[3], &d, g)) return &c->nil;
    dim[0] = g->n;
    dim[1] = g->co = w->dim[0];
    dim[2] = g->oh;
    dim[3] = g->ow;
    y = ssl__new(c, at, "ssl_conv2d", type, 4, dim);
    if (c->status) return &c->nil;
    y->aux = g;
    g->half = ssl__halves(x, w, y);
    c->k->conv_f(c, g, x->x, w->x, bias ? bias->x : NULL, y->x);
    in[0] = x; in[1] = w; in[2] = bias;
    return ssl__record_n(y, ssl__conv2d_back, 3, in);
}
SSL_API ssl_tensor *ssl_conv2d_at(const char *at, ssl_tensor *x, ssl_tensor *w, ssl_tensor *bias, const ssl_conv_desc *desc) { return ssl__conv2d(at, x, w, bias, desc, SSL_F32); }

/* ---- unfold: the columns of F.unfold ---- */
static void ssl__unfold_back(ssl_tensor *y) { y->ctx->k->unfold_b(y->ctx, (const ssl__window *)y->aux, y->g, ssl_grad_of(y->in[0])); }
SSL_API ssl_tensor *ssl_unfold_at(const char *at, ssl_tensor *x, int kh, int kw, const ssl_conv_desc *desc)
{
    ssl_ctx *c = x->ctx;
    ssl_conv_desc d;
    ssl__window *g = (ssl__window *)ssl__aux(c, at, sizeof *g);
    ssl_tensor *y;
    int dim[3];
    if (c->status) return &c->nil;
    if (!ssl_conv_desc_resolve(desc, &d)) return ssl__fail(c, SSL_E_ARG, at, "ssl_unfold: the ssl_conv_desc is not initialized: write `ssl_conv_desc d = SSL_ZERO;`");
    if (d.pad_mode != SSL_PAD_ZERO || d.groups != 1) return ssl__fail(c, SSL_E_ARG, at, "ssl_unfold: only zero padding and one group; use ssl_pad2d before");
    if (!ssl__window_make(at, "ssl_unfold", x, SSL_F32, kh, kw, &d, g)) return &c->nil;
    dim[0] = g->n;
    dim[1] = g->ci * kh * kw;
    dim[2] = g->oh * g->ow;
    y = ssl__new(c, at, "ssl_unfold", SSL_F32, 3, dim);
    if (c->status) return &c->nil;
    y->aux = g;
    c->k->unfold_f(c, g, x->x, y->x);
    return ssl__record(y, ssl__unfold_back, x, NULL, NULL);
}

/* ---- pooling: max passes dy to the pixel that won (the first of equals), mean spreads it over the window ---- */
typedef struct ssl__pool_aux { ssl__window g; int32_t *at; } ssl__pool_aux;
static void ssl__max_pool2d_back(ssl_tensor *y)
{
    const ssl__pool_aux *a = (const ssl__pool_aux *)y->aux;
    y->ctx->k->max_pool_b(y->ctx, &a->g, a->at, y->g, ssl_grad_of(y->in[0]));
}
static void ssl__avg_pool2d_back(ssl_tensor *y) { y->ctx->k->avg_pool_b(y->ctx, &((const ssl__pool_aux *)y->aux)->g, y->g, ssl_grad_of(y->in[0])); }

/* The output of a pool and its aux; the nil tensor after an error. */
static ssl_tensor *ssl__pool(const char *at, const char *op, ssl_tensor *x, int kh, int kw, int stride, int padding)
{
    ssl_ctx *c = x->ctx;
    ssl__pool_aux *a = (ssl__pool_aux *)ssl__aux(c, at, sizeof *a);
    ssl_conv_desc d = SSL_ZERO;
    ssl_tensor *y;
    int dim[4];
    ssl_conv_desc_resolve(NULL, &d);
    d.stride = stride ? stride : kh;
    d.stride_w = stride ? stride : kw;
    d.padding = d.padding_w = padding;
    if (c->status || !ssl__window_make(at, op, x, SSL_F32, kh, kw, &d, &a->g)) return &c->nil;
    if (2 * padding > SSL__MIN(kh, kw)) return ssl__fail(c, SSL_E_ARG, at, "%s: padding %d is more than half of the kernel %d", op, padding, SSL__MIN(kh, kw));
    dim[0] = a->g.n; dim[1] = a->g.ci; dim[2] = a->g.oh; dim[3] = a->g.ow;
    y = ssl__new(c, at, op, SSL_F32, 4, dim);
    if (!c->status) y->aux = a;
    return y;
}
SSL_API ssl_tensor *ssl_max_pool2d_at(const char *at, ssl_tensor *x, int kernel, int stride, int padding)
{
    ssl_ctx *c = x->ctx;
    ssl_tensor *y = ssl__pool(at, "ssl_max_pool2d", x, kernel, kernel, stride, padding);
    ssl__pool_aux *a = (ssl__pool_aux *)y->aux;
    if (!c->status) a->at = (int32_t *)ssl__temp(c, at, sizeof(int32_t) * (size_t)ssl_numel(y));
    if (c->status) return &c->nil;
    c->k->max_pool_f(c, &a->g, x->x, y->x, a->at);
    return ssl__record(y, ssl__max_pool2d_back, x, NULL, NULL);
}
static ssl_tensor *ssl__avg_pool(const char *at, const char *op, ssl_tensor *x, int kh, int kw, int stride, int padding)
{
    ssl_ctx *c = x->ctx;
    ssl_tensor *y = ssl__pool(at, op, x, kh, kw, stride, padding);
    if (c->status) return &c->nil;
    c->k->avg_pool_f(c, &((const ssl__pool_aux *)y->aux)->g, x->x, y->x);
    return ssl__record(y, ssl__avg_pool2d_back, x, NULL, NULL);
}
SSL_API ssl_tensor *ssl_avg_pool2d_at(const char *at, ssl_tensor *x, int kernel, int stride, int padding)
{ return ssl__avg_pool(at, "ssl_avg_pool2d", x, kernel, kernel, stride, padding); }
SSL_API ssl_tensor *ssl_global_avg_pool_at(const char *at, ssl_tensor *x)
{
    ssl_tensor *y = ssl__avg_pool(at, "ssl_global_avg_pool", x, x->ndim == 4 ? x->dim[2] : 1, x->ndim == 4 ? x->dim[3] : 1, 0, 0);
    return ssl_reshape_at(at, y, 2, y->dim[0], y->dim[1]);
}

/* ---- interpolation ---- */
static void ssl__interpolate_back(ssl_tensor *y) { y->ctx->k->interpolate_b(y->ctx, (const ssl__resize *)y->aux, y->g, ssl_grad_of(y->in[0])); }
SSL_API ssl_tensor *ssl_interpolate_at(const char *at, ssl_tensor *x, int oh, int ow, ssl_interpolation mode)
{
    ssl_ctx *c = x->ctx;
    ssl__resize *r = (ssl__resize *)ssl__aux(c, at, sizeof *r);
    ssl_tensor *y;
    int dim[4];
    char s[96];
    if (c->status || !ssl__need(at, "ssl_interpolate", "x", x, SSL_F32)) return &c->nil;
    if (x->ndim != 4) return ssl__fail(c, SSL_E_SHAPE, at, "ssl_interpolate: x%s must be [N,C,H,W]", ssl__shape(x, s));
    dim[0] = x->dim[0]; dim[1] = x->dim[1]; dim[2] = oh; dim[3] = ow;
    y = ssl__new(c, at, "ssl_interpolate", SSL_F32, 4, dim);
    if (c->status) return &c->nil;
    r->planes = x->dim[0] * x->dim[1]; r->h = x->dim[2]; r->w = x->dim[3]; r->oh = oh; r->ow = ow;
    r->mode = mode == SSL_INTERPOLATE_DEFAULT ? (int)SSL_INTERPOLATE_BILINEAR : (int)mode;
    y->aux = r;
    c->k->interpolate_f(c, r, x->x, y->x);
    return ssl__record(y, ssl__interpolate_back, x, NULL, NULL);
}

/* ==== >>batchnorm ==================================================================================== */
/* With xhat = (x - mean) rstd and g = dy (after the ReLU): dw = sum g xhat, db = sum g,
   dx = w rstd (g - db / count - xhat dw / count), or w rstd g where mean and variance were constants. Saved: mean and variance. */
typedef struct ssl__bn_aux { ssl__bn b; float *mean, *var, *sums; } ssl__bn_aux;
static void ssl__batch_norm_back(ssl_tensor *y)
{
    ssl__bn_aux *a = (ssl__bn_aux *)y->aux;
    ssl_tensor *x = y->in[0], *w = y->in[1], *bias = y->in[2], *res = y->in[3];
    ssl_ctx *c = y->ctx;
    ssl_tensor t = *y; /* owns dy where y must keep its own */
    float *dx, beta;
    if (a->b.relu && y->keep_grad) {
        t.keep_grad = 0;
        t.g = ssl__buffer(c, y->at, ssl_numel(y));
        if (!t.g) return;
        ssl__move(c, t.g, y->g, ssl__bytes(y));
    }
    dx = ssl__grad_beta(x, &beta);
    a->b.stages = SSL__BN_STATS | SSL__BN_APPLY;
    c->k->batch_norm_b(c, &a->b, x->x, y->x, w ? w->x : NULL, a->mean, a->var, t.g, a->sums, a->sums + a->b.ch, ssl_grad_of(w), ssl_grad_of(bias), beta, dx);
    if (t.g != y->g) { ssl__grad_pass(&t, res); ssl__grad_drop(&t); }
    else ssl__grad_pass(y, res);
}

static void ssl__batch_norm_remake(ssl_tensor *y)
{
    const ssl_tensor *x = y->in[0], *w = y->in[1], *bias = y->in[2], *res = y->in[3];
    ssl__bn_aux *a = (ssl__bn_aux *)y->aux;
    a->b.stages = SSL__BN_APPLY;
    y->ctx->k->batch_norm_f(y->ctx, &a->b, x->x, w ? w->x : NULL, bias ? bias->x : NULL, res ? res->x : NULL, a->mean, a->var, y->x);
}
/* mean NULL: y = w x + bias alone. count 0: mean and var are given, else they are made from x. */
static ssl_tensor *ssl__norm_channels(const char *at, const char *op, ssl_tensor *x, ssl_tensor *w, ssl_tensor *bias, ssl_tensor *res,
                                      const ssl__bn *b, float *mean, float *var)
{
    ssl_ctx *c = x->ctx;
    ssl_tensor *y = ssl__new(c, at, op, b->half & SSL__HALF_Y ? SSL_BF16 : SSL_F32, x->ndim, x->dim), *in[4];
    ssl__bn_aux *a = (ssl__bn_aux *)ssl__aux(c, at, sizeof *a);
    if (c->status) return &c->nil;
    a->b = *b;
    a->b.stages = SSL__BN_APPLY | (b->count > 0.0 ? (int)SSL__BN_STATS : 0);
    a->mean = mean;
    a->var = var;
    a->sums = (float *)ssl__temp(c, at, sizeof(float) * 2 * (size_t)b->ch);
    if (c->status) return &c->nil;
    y->aux = a;
    c->k->batch_norm_f(c, &a->b, x->x, w ? w->x : NULL, bias ? bias->x : NULL, res ? res->x : NULL, mean, var, y->x);
    in[0] = x; in[1] = w; in[2] = bias; in[3] = res;
    return ssl__record_n(y, ssl__batch_norm_back, 4, in);
}

/* 1 if every given vector is [channels of x]. */
static int ssl__norm_check(const char *at, const char *op, ssl_tensor *x, int n, ssl_tensor *const *v)
{
    char s1[96], s2[96];
    int i;
    if (!ssl__need_real(at, op, "x", x)) return 0;
    if (x->ndim != 2 && x->ndim != 4) { ssl__fail(x->ctx, SSL_E_SHAPE, at, "%s: x%s must be [N,C] or [N,C,H,W]", op, ssl__shape(x, s1)); return 0; }
    for (i = 0; i < n; i++) if (v[i] && !ssl__need(at, op, "the vector ", v[i], SSL_F32)) return 0;
    for (i = 0; i < n; i++)
        if (v[i] && (v[i]->ndim != 1 || v[i]->dim[0] != x->dim[1])) {
            ssl__fail(x->ctx, SSL_E_SHAPE, at, "%s: x%s with a vector%s per channel: weight, bias and running statistics must be [C]", op, ssl__shape(x, s1), ssl__shape(v[i], s2));
            return 0;
        }
    return 1;
}

static ssl_tensor *ssl__batch_norm(const char *at, ssl_tensor *x, ssl_tensor *w, ssl_tensor *bias, ssl_tensor *rm, ssl_tensor *rv,
                                   float momentum, float eps, int relu, ssl_tensor *res, ssl_dtype type) /* x, and y without res, may be inner */
{
    ssl_ctx *c = x->ctx;
    ssl_tensor *v[4], *y;
    ssl__bn b;
    float *mean, *var;
    char s1[96], s2[96];
    v[0] = w; v[1] = bias; v[2] = rm; v[3] = rv;
    if (!ssl__norm_check(at, "ssl_batch_norm", x, 4, v)) return &c->nil;
    if (!rm != !rv) return ssl__fail(c, SSL_E_ARG, at, "ssl_batch_norm: give both running_mean and running_var, or neither");
    if (res && ssl_numel(res) != ssl_numel(x)) return ssl__fail(c, SSL_E_SHAPE, at, "ssl_batch_norm: x%s residual%s: shapes must be equal", ssl__shape(x, s1), ssl__shape(res, s2));
    memset(&b, 0, sizeof b);
    b.n = x->dim[0]; b.ch = x->dim[1]; b.hw = ssl_numel(x) / ((int64_t)b.n * b.ch); b.relu = relu; b.eps = eps;
    b.half = (unsigned)(ssl__is_half(x) * SSL__HALF_X + (type == SSL_BF16) * SSL__HALF_Y);
    if (rm && !c->training) return ssl__norm_channels(at, "ssl_batch_norm", x, w, bias, res, &b, rm->x, rv->x);
    b.count = (double)b.n * (double)b.hw;
    if (b.count < 2.0) return ssl__fail(c, SSL_E_SHAPE, at, "ssl_batch_norm: x%s has one value per channel, which has no variance: use a batch of at least 2 in training", ssl__shape(x, s1));
    mean = (float *)ssl__temp(c, at, sizeof(float) * 2 * (size_t)b.ch);
    if (!mean) return &c->nil;
    var = mean + b.ch;
    y = ssl__norm_channels(at, "ssl_batch_norm", x, w, bias, res, &b, mean, var);
    if (rm && !c->status) c->k->batch_norm_running(c, b.ch, momentum, (float)(b.count / (b.count - 1.0)), mean, var, rm->x, rv->x);
    return y;
}
SSL_API ssl_tensor *ssl_batch_norm_at(const char *at, ssl_tensor *x, ssl_tensor *w, ssl_tensor *bias, ssl_tensor *rm, ssl_tensor *rv, float momentum, float eps)
{ return ssl__batch_norm(at, x, w, bias, rm, rv, momentum, eps, 0, NULL, SSL_F32); }
SSL_API ssl_tensor *ssl_batch_norm_relu_at(const char *at, ssl_tensor *x, ssl_tensor *w, ssl_tensor *bias, ssl_tensor *rm, ssl_tensor *rv, float momentum, float eps, ssl_tensor *res)
{ return ssl__batch_norm(at, x, w, bias, rm, rv, momentum, eps, 1, res, SSL_F32); }

/* The groups as the channels of one image [1, N groups, C/groups H W], then weight and bias per channel. */
SSL_API ssl_tensor *ssl_group_norm_at(const char *at, ssl_tensor *x, int groups, ssl_tensor *w, ssl_tensor *bias, float eps)
{
    ssl_ctx *c = x->ctx;
    ssl_tensor *v[2], *y;
    ssl__bn b;
    float *mean;
    char s[96];
    v[0] = w; v[1] = bias;
    if (!ssl__norm_check(at, "ssl_group_norm", x, 2, v)) return &c->nil;
    if (groups < 1 || x->dim[1] % groups) return ssl__fail(c, SSL_E_ARG, at, "ssl_group_norm: x%s has %d channels, which %d groups do not divide", ssl__shape(x, s), x->dim[1], groups);
    memset(&b, 0, sizeof b);
    b.n = 1; b.ch = x->dim[0] * groups; b.hw = ssl_numel(x) / b.ch; b.eps = eps; b.count = (double)b.hw;
    mean = (float *)ssl__temp(c, at, sizeof(float) * 2 * (size_t)b.ch);
    if (!mean) return &c->nil;
    y = ssl__norm_channels(at, "ssl_group_norm", x, NULL, NULL, NULL, &b, mean, mean + b.ch);
    if (!w && !bias) return y;
    memset(&b, 0, sizeof b);
    b.n = x->dim[0]; b.ch = x->dim[1]; b.hw = ssl_numel(x) / ((int64_t)b.n * b.ch);
    return ssl__norm_channels(at, "ssl_group_norm", y, w, bias, NULL, &b, NULL, NULL);
}

SSL_API ssl_tensor *ssl_layer_norm_chw_at(const char *at, ssl_tensor *x, ssl_tensor *w, ssl_tensor *bias, float eps)
{
    char s[96];
    ssl_tensor *y;
    if (x->ctx->status) return &x->ctx->nil;
    if (x->ndim != 4) return ssl__fail(x->ctx, SSL_E_SHAPE, at, "ssl_layer_norm_chw: x%s must be [N,C,H,W]", ssl__shape(x, s));
    y = ssl_layer_norm_at(at, ssl_reshape_at(at, x, 2, x->dim[0], -1), w ? ssl_reshape_at(at, w, 1, -1) : NULL, bias ? ssl_reshape_at(at, bias, 1, -1) : NULL, eps);
    return ssl_reshape_at(at, y, 4, x->dim[0], x->dim[1], x->dim[2], x->dim[3]);
}

/* ==== >>mask ==== index lists and masks ============================================================== */
SSL_API ssl_tensor *ssl_iota_at(const char *at, ssl_ctx *c, int n, int start, int div, int m)
{
    ssl_tensor *y = c->status ? &c->nil : ssl__new(c, at, "ssl_iota", SSL_I32, 1, &n);
    if (!c->status) c->k->iota(c, n, start, div, m, y->i);
    return y;
}
SSL_API ssl_tensor *ssl_bernoulli_at(const char *at, ssl_ctx *c, int rows, int cols, float p)
{
    int dim[2];
    ssl_tensor *y;
    dim[0] = rows; dim[1] = cols;
    y = c->status ? &c->nil : ssl__new(c, at, "ssl_bernoulli", SSL_U8, 2, dim);
    if (!c->status) c->k->bernoulli(c, (int64_t)rows * cols, p, c->seed, ssl_rng_stream(c), y->u);
    return y;
}
SSL_API ssl_tensor *ssl_slice_ids_at(const char *at, ssl_tensor *ids, int begin, int end)
{
    ssl_ctx *c = ids->ctx;
    ssl_tensor *y;
    int dim[2];
    char s[96];
    if (c->status) return &c->nil;
    if (ids->dtype != SSL_I32 || ids->ndim != 2 || begin < 0 || end > ids->dim[1] || begin >= end)
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_slice_ids: columns %d to %d of ids%s: ids must be I32 [B,L] and 0 <= begin < end <= L", begin, end, ssl__shape(ids, s));
    dim[0] = ids->dim[0];
    dim[1] = end - begin;
    y = ssl__new(c, at, "ssl_slice_ids", SSL_I32, 2, dim);
    if (!c->status) c->k->slice_ids(c, dim[0], dim[0], ids->dim[1], begin, end, ids->i, y->i);
    return y;
}
SSL_API ssl_tensor *ssl_repeat_ids_at(const char *at, ssl_tensor *ids, int rows)
{
    ssl_ctx *c = ids->ctx;
    ssl_tensor *y;
    int dim[2];
    if (c->status) return &c->nil;
    dim[0] = rows;
    dim[1] = (int)ssl_numel(ids);
    y = ssl__new(c, at, "ssl_repeat_ids", SSL_I32, 2, dim);
    if (!c->status) c->k->slice_ids(c, rows, 1, dim[1], 0, dim[1], ids->i, y->i);
    return y;
}
SSL_API ssl_tensor *ssl_random_ids_at(const char *at, ssl_ctx *c, int rows, int cols, int m)
{
    ssl_tensor *y;
    int dim[2];
    dim[0] = rows; dim[1] = cols;
    y = c->status ? &c->nil : ssl__new(c, at, "ssl_random_ids", SSL_I32, 2, dim);
    if (!c->status) c->k->random_ids(c, rows * cols, m, c->seed, ssl_rng_stream(c), y->i);
    return y;
}
SSL_API ssl_tensor *ssl_segment_tokens_at(const char *at, ssl_tensor *ids, int grid, int M)
{
    ssl_ctx *c = ids->ctx;
    const int L = grid * grid;
    ssl_tensor *y;
    int dim[2];
    char s[96];
    if (c->status) return &c->nil;
    if (M < 1 || grid % M || ids->dtype != SSL_I32 || ids->ndim != 2 || ids->dim[1] != (grid / M) * (grid / M))
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_segment_tokens: ids%s for a grid of %d x %d in segments of %d x %d: M must divide the grid and ids be I32 [B,(grid/M)^2]", ssl__shape(ids, s), grid, grid, M, M);
    dim[0] = ids->dim[0];
    dim[1] = L;
    y = ssl__new(c, at, "ssl_segment_tokens", SSL_I32, 2, dim);
    if (!c->status) c->k->segment_tokens(c, dim[0], grid, M, ids->i, y->i);
    return y;
}
SSL_API ssl_tensor *ssl_segment_mask_at(const char *at, ssl_tensor *rank, int strict)
{
    ssl_ctx *c = rank->ctx;
    ssl_tensor *y;
    int dim[3];
    char s[96];
    if (c->status) return &c->nil;
    if (rank->dtype != SSL_I32 || rank->ndim != 2) return ssl__fail(c, SSL_E_SHAPE, at, "ssl_segment_mask: rank%s must be I32 [B,T]", ssl__shape(rank, s));
    dim[0] = rank->dim[0];
    dim[1] = dim[2] = rank->dim[1];
    y = ssl__new(c, at, "ssl_segment_mask", SSL_U8, 3, dim);
    if (!c->status) c->k->segment_mask(c, dim[0], dim[1], strict, rank->i, y->u);
    return y;
}
SSL_API ssl_tensor *ssl_first_segment_at(const char *at, ssl_tensor *rank)
{
    ssl_ctx *c = rank->ctx;
    ssl_tensor *y = c->status ? &c->nil : ssl__new(c, at, "ssl_first_segment", SSL_U8, rank->ndim, rank->dim);
    if (!c->status) c->k->first_segment(c, ssl_numel(y), rank->i, y->u);
    return y;
}
SSL_API ssl_tensor *ssl_blob_segments_at(const char *at, ssl_ctx *c, int B, int grid, int blobs, int groups)
{
    ssl_tensor *y;
    int dim[2];
    if (c->status) return &c->nil;
    if (blobs < 2 || blobs > 64 || groups < 1 || groups > blobs) return ssl__fail(c, SSL_E_ARG, at, "ssl_blob_segments: %d blobs in %d groups: 2 to 64 blobs and 1 to that many groups are possible", blobs, groups);
    dim[0] = B;
    dim[1] = grid * grid;
    y = ssl__new(c, at, "ssl_blob_segments", SSL_I32, 2, dim);
    if (!c->status) c->k->blob_segments(c, B, grid, blobs, groups, c->seed, ssl_rng_stream(c), y->i);
    return y;
}
SSL_API ssl_tensor *ssl_ignore_at(const char *at, ssl_tensor *target, ssl_tensor *drop)
{
    ssl_ctx *c = target->ctx;
    ssl_tensor *y;
    char a[96], b[96];
    if (c->status) return &c->nil;
    if (target->dtype != SSL_I32 || drop->dtype != SSL_U8 || ssl_numel(target) != ssl_numel(drop))
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_ignore: target%s drop%s: I32 and U8 of the same number of elements are needed", ssl__shape(target, a), ssl__shape(drop, b));
    y = ssl__new(c, at, "ssl_ignore", SSL_I32, target->ndim, target->dim);
    if (!c->status) c->k->ignore(c, ssl_numel(target), target->i, drop->u, y->i);
    return y;
}

static void ssl__zero_rows_back(ssl_tensor *y)
{
    ssl_tensor *x = y->in[0];
    y->ctx->k->zero_rows_b(y->ctx, ssl_numel(y) / ssl__last(y), ssl__last(y), y->in[1]->u, y->g, ssl_grad_of(x));
}
SSL_API ssl_tensor *ssl_zero_rows_at(const char *at, ssl_tensor *x, ssl_tensor *drop)
{
    ssl_ctx *c = x->ctx;
    ssl_tensor *y;
    char a[96], b[96];
    if (c->status) return &c->nil;
    if (drop->dtype != SSL_U8 || ssl_numel(drop) * ssl__last(x) != ssl_numel(x))
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_zero_rows: x%s drop%s: drop must be U8 with one element per row of x", ssl__shape(x, a), ssl__shape(drop, b));
    y = ssl__like(at, "ssl_zero_rows", x);
    if (c->status) return y;
    c->k->zero_rows_f(c, ssl_numel(drop), ssl__last(x), drop->u, x->x, y->x);
    return ssl__record(y, ssl__zero_rows_back, x, drop, NULL);
}

static void ssl__mask_diagonal_back(ssl_tensor *y) { y->ctx->k->mask_diagonal_b(y->ctx, y->dim[0], y->g, ssl_grad_of(y->in[0])); }
SSL_API ssl_tensor *ssl_mask_diagonal_at(const char *at, ssl_tensor *x, float value)
{
    ssl_ctx *c = x->ctx;
    ssl_tensor *y;
    char s[96];
    if (c->status) return &c->nil;
    if (x->ndim != 2 || x->dim[0] != x->dim[1]) return ssl__fail(c, SSL_E_SHAPE, at, "ssl_mask_diagonal: x%s must be square, [N,N]", ssl__shape(x, s));
    y = ssl__like(at, "ssl_mask_diagonal", x);
    if (c->status) return y;
    c->k->mask_diagonal_f(c, x->dim[0], value, x->x, y->x);
    return ssl__record(y, ssl__mask_diagonal_back, x, NULL, NULL);
}

/* ==== >>layer ==== named groups of parameters ======================================================== */
/* Parameter names: "prefix.name" or "prefix.name.3"; just "name" under no prefix, cut at 255 characters. */
static void ssl__append(char buf[256], const char *text)
{
    const size_t used = strlen(buf), n = SSL__MIN(strlen(text), 255 - used);
    memcpy(buf + used, text, n);
    buf[used + n] = 0;
}
static const char *ssl__name(char buf[256], const char *prefix, const char *name)
{
    buf[0] = 0;
    ssl__append(buf, prefix);
    if (*prefix) ssl__append(buf, ".");
    ssl__append(buf, name);
    return buf;
}
static const char *ssl__name_i(char buf[256], const char *prefix, const char *name, int i)
{
    char number[16];
    snprintf(number, sizeof number, ".%d", i);
    ssl__name(buf, prefix, name);
    ssl__append(buf, number);
    return buf;
}
static void ssl__no_decay(ssl_tensor *t) { if (t != &t->ctx->nil) ((ssl__param *)(void *)t)->decay_scale = 0.0f; }
static void ssl__freeze(ssl_tensor *t) { if (t != &t->ctx->nil) { ((ssl__param *)(void *)t)->frozen = 1; t->needs_grad = 0; } }
static ssl_init ssl__xavier(void) { return ssl_init_make(SSL_INIT_XAVIER_UNIFORM, 0.0f); }
static ssl_init ssl__zeros(void) { return ssl_init_make(SSL_INIT_ZEROS, 0.0f); }

static ssl__param *ssl__param_of(const ssl_tensor *t)
{
    int i;
    for (i = 0; i < t->ctx->n_params; i++) if (&t->ctx->param[i]->t == t) return t->ctx->param[i];
    return NULL;
}
/* The value of a parameter that is a number kept for the host: no kernel changes it. */
static float ssl__number(const ssl_tensor *t)
{
    ssl__param *p = ssl__param_of(t);
    if (!p) return ssl_item(t);
    if (!p->known) p->known_value = ssl_item(t);
    p->known = !t->ctx->status;
    return p->known_value;
}
static void ssl__number_set(ssl_tensor *t, float value)
{
    ssl__param *p = ssl__param_of(t);
    if (!ssl_from_host(t, &value) || !p) return;
    p->known_value = value;
    p->known = 1;
}
SSL_API int ssl_from_host(ssl_tensor *t, const void *src)
{
    ssl__param *p = ssl_numel(t) == 1 ? ssl__param_of(t) : NULL;
    if (p) p->known = 0;
    return !t->ctx->status && ssl__data(t) && ssl__put(t->ctx, (void *)(uintptr_t)ssl__data(t), src, ssl__bytes(t));
}

static ssl_tensor *ssl__bias(const char *at, ssl_ctx *c, const char *name, int in, int out, ssl_init init)
{
    const int torch = init.kind == SSL_INIT_TORCH;
    return ssl_param_at(at, c, torch ? ssl_init_make(SSL_INIT_UNIFORM, 1.0f / sqrtf((float)in)) : ssl__zeros(), name, 1, out);
}
SSL_API ssl_linear_layer ssl_linear_new_at(const char *at, ssl_ctx *c, const char *prefix, int in, int out, int no_bias, ssl_init init)
{
    char buf[256];
    ssl_linear_layer l;
    l.weight = ssl_param_at(at, c, init, ssl__name(buf, prefix, "weight"), 2, out, in);
    l.bias = no_bias ? NULL : ssl__bias(at, c, ssl__name(buf, prefix, "bias"), in, out, init);
    return l;
}
SSL_API ssl_norm_layer ssl_norm_new_at(const char *at, ssl_ctx *c, const char *prefix, int dim, float eps)
{
    char buf[256];
    ssl_norm_layer n;
    n.weight = ssl_param_at(at, c, ssl_init_make(SSL_INIT_CONSTANT, 1.0f), ssl__name(buf, prefix, "weight"), 1, dim);
    n.bias = ssl_param_at(at, c, ssl__zeros(), ssl__name(buf, prefix, "bias"), 1, dim);
    n.eps = eps;
    return n;
}
static ssl_tensor *ssl__lin(const char *at, ssl_tensor *x, const ssl_linear_layer *l) { return ssl_linear_at(at, x, l->weight, l->bias); }
static ssl_tensor *ssl__lin_inner(const char *at, ssl_tensor *x, const ssl_linear_layer *l) { return ssl__linear(at, x, l->weight, l->bias, SSL_ACT_NONE, NULL, ssl__inner(x->ctx)); }
static ssl_tensor *ssl__ln(const char *at, ssl_tensor *x, const ssl_norm_layer *n) { return ssl_layer_norm_at(at, x, n->weight, n->bias, n->eps); }

/* A part or another shape of a parameter without a copy: values and gradient point into the flat buffer. */
static ssl_tensor *ssl__view(const char *at, ssl_tensor *p, int64_t offset, int ndim, int d0, int d1)
{
    int dim[2];
    ssl_tensor *v;
    dim[0] = d0; dim[1] = d1;
    v = ssl__node(p->ctx, at, p->op, SSL_F32, ndim, dim);
    if (p->ctx->status) return v;
    v->x = p->x + offset;
    v->param = p;
    v->needs_grad = p->needs_grad;
    v->keep_grad = 1;
    return v;
}

/* ==== >>block ==== transformer blocks ================================================================ */
static int ssl__block_check(const char *at, ssl_ctx *c, const char *prefix, ssl_block_desc *d)
{
    if (c->status) return 0;
    if (d->_start_canary || d->_end_canary) { ssl__fail(c, SSL_E_ARG, at, "ssl_block_new: the ssl_block_desc of \"%s\" is not initialized: write `ssl_block_desc d = SSL_ZERO;`", prefix); return 0; }
    if (d->dim < 1 || d->heads < 1 || d->dim % d->heads) {
        ssl__fail(c, SSL_E_ARG, at, "ssl_block_new: \"%s\" has dim %d and %d heads: dim must be a positive multiple of heads", prefix, d->dim, d->heads);
        return 0;
    }
    d->hidden = SSL__DEF(d->hidden, 4 * d->dim);
    d->act = d->act == SSL_ACT_DEFAULT ? SSL_ACT_GELU : d->act;
    d->style = d->style == SSL_BLOCK_DEFAULT ? SSL_BLOCK_TIMM : d->style;
    d->eps = SSL__DEF(d->eps, d->style == SSL_BLOCK_TIMM ? 1e-6f : 1e-5f);
    if (d->init.kind == SSL_INIT_ZEROS) d->init = d->style == SSL_BLOCK_APL ? ssl_init_make(SSL_INIT_TORCH, 0.0f) : ssl__xavier();
    return 1;
}

/* nn.MultiheadAttention's names: PREFIX.in_proj_weight [3D,D], PREFIX.in_proj_bias, PREFIX.out_proj.* */
static void ssl__mha_new(const char *at, ssl_ctx *c, const char *prefix, const ssl_block_desc *d, ssl_linear_layer *qkv, ssl_linear_layer *proj)
{
    char buf[256];
    qkv->weight = ssl_param_at(at, c, d->init, ssl__name(buf, prefix, "in_proj_weight"), 2, 3 * d->dim, d->dim);
    qkv->bias = ssl__bias(at, c, ssl__name(buf, prefix, "in_proj_bias"), d->dim, 3 * d->dim, ssl__zeros());
    *proj = ssl_linear_new_at(at, c, ssl__name(buf, prefix, "out_proj"), d->dim, d->dim, 0, d->init);
}

SSL_API ssl_block ssl_block_new_at(const char *at, ssl_ctx *c, const char *prefix, const ssl_block_desc *desc)
{
    ssl_block b;
    ssl_block_desc *d = &b.d;
    char p[256];
    memset(&b, 0, sizeof b);
    *d = *desc;
    if (!ssl__block_check(at, c, prefix, d)) return b;
    b.norm1 = ssl_norm_new_at(at, c, ssl__name(p, prefix, "norm1"), d->dim, d->eps);
    b.norm2 = ssl_norm_new_at(at, c, ssl__name(p, prefix, "norm2"), d->dim, d->eps);
    if (d->cross) {
        b.norm3 = ssl_norm_new_at(at, c, ssl__name(p, prefix, "norm3"), d->dim, d->eps);
        ssl__mha_new(at, c, ssl__name(p, prefix, "multihead_attn"), d, &b.cross_qkv, &b.cross_proj);
    }
    if (d->style == SSL_BLOCK_TIMM) {
        b.qkv = ssl_linear_new_at(at, c, ssl__name(p, prefix, "attn.qkv"), d->dim, 3 * d->dim, 0, d->init);
        b.proj = ssl_linear_new_at(at, c, ssl__name(p, prefix, "attn.proj"), d->dim, d->dim, 0, d->init);
    } else if (d->style == SSL_BLOCK_TORCH) {
        ssl__mha_new(at, c, ssl__name(p, prefix, "self_attn"), d, &b.qkv, &b.proj);
    } else {
        b.q = ssl_linear_new_at(at, c, ssl__name(p, prefix, "attention.W_q"), d->dim, d->dim, 1, d->init);
        b.k = ssl_linear_new_at(at, c, ssl__name(p, prefix, "attention.W_k"), d->dim, d->dim, 1, d->init);
        b.v = ssl_linear_new_at(at, c, ssl__name(p, prefix, "attention.W_v"), d->dim, d->dim, 1, d->init);
        b.proj = ssl_linear_new_at(at, c, ssl__name(p, prefix, "attention.W_u"), d->dim, d->dim, 0, d->init);
    }
    b.fc1 = ssl_linear_new_at(at, c, ssl__name(p, prefix, d->style == SSL_BLOCK_TIMM ? "mlp.fc1" : d->style == SSL_BLOCK_TORCH ? "linear1" : "ff.0"), d->dim, d->hidden, 0, d->init);
    b.fc2 = ssl_linear_new_at(at, c, ssl__name(p, prefix, d->style == SSL_BLOCK_TIMM ? "mlp.fc2" : d->style == SSL_BLOCK_TORCH ? "linear2" : "ff.2"), d->hidden, d->dim, 0, d->init);
    return b;
}

/* PREFIX.NAME.0 .. PREFIX.NAME.(n-1), at least `least` of them; drop_path grows from 0 to that of d */
static ssl_block *ssl__blocks_new(const char *at, ssl_ctx *c, const char *prefix, const char *name, int n, int least, const ssl_block_desc *d)
{
    ssl_block_desc one = *d;
    ssl_block *block;
    char p[256];
    int i;
    if (!c->status && n < least) ssl__fail(c, SSL_E_ARG, at, "ssl_block_new: %d blocks \"%s\": there must be %d at least", n, ssl__name(p, prefix, name), least);
    block = (ssl_block *)ssl__model(c, at, sizeof *block * (size_t)SSL__MAX(n, 1));
    for (i = 0; i < n && !c->status; i++) {
        if (n > 1) one.drop_path = d->drop_path * (float)i / (float)(n - 1);
        block[i] = ssl_block_new_at(at, c, ssl__name_i(p, prefix, name, i), &one);
    }
    return block;
}

static ssl_tensor *ssl__dropped(const char *at, ssl_tensor *x, float p, ssl_tensor *(*drop)(const char *at, ssl_tensor *x, float p)) /* x is inner */
{
    ssl_tensor *y = drop(at, x, p);
    if (y != x) ssl__spend(x);
    return y;
}
/* x + drop_path(dropout(h w^T + b)); without dropping the sum is the product's epilogue */
static ssl_tensor *ssl__branch(const char *at, const ssl_block *b, ssl_tensor *x, ssl_tensor *h, const ssl_linear_layer *l)
{
    const int apl = b->d.style == SSL_BLOCK_APL; /* the original drops after the norm instead */
    ssl_tensor *y;
    if (!x->ctx->training || ((b->d.dropout == 0.0f || apl) && b->d.drop_path == 0.0f))
        return ssl_linear_fused_at(at, h, l->weight, l->bias, SSL_ACT_NONE, x);
    h = ssl__dropped(at, ssl__lin(at, h, l), apl ? 0.0f : b->d.dropout, ssl_dropout_at);
    h = ssl__dropped(at, h, b->d.drop_path, ssl_drop_path_at);
    y = ssl_add_at(at, x, h);
    ssl__spend(h);
    return y;
}
static ssl_tensor *ssl__after(const char *at, const ssl_block *b, ssl_tensor *x, const ssl_norm_layer *n) /* what follows a post-norm branch */
{
    if (!b->d.post_norm) return x;
    x = ssl__ln(at, x, n);
    return b->d.style == SSL_BLOCK_APL ? ssl__dropped(at, x, b->d.dropout, ssl_dropout_at) : x;
}
static ssl_tensor *ssl__before(const char *at, const ssl_block *b, ssl_tensor *x, const ssl_norm_layer *n)
{ return b->d.post_norm ? x : ssl__layer_norm(at, x, n->weight, n->bias, n->eps, ssl__inner(x->ctx)); }
/* Two bytes a value are kept rather than remade where that takes longer than to read them again */
static int ssl__kept(const ssl_tensor *t) { return ssl__is_half(t) && t->ctx->device == SSL_DEVICE_CPU; }
static ssl_tensor *ssl__done(ssl_tensor *y, const ssl_block *b, ssl_tensor *h) /* y has been made from h, what ssl__before gave */
{
    if (!b->d.post_norm) ssl__shed(h, ssl__kept(h) ? NULL : ssl__layer_norm_remake);
    return y;
}

SSL_API ssl_tensor *ssl_block_attention_at(const char *at, const ssl_block *b, ssl_tensor *x, ssl_tensor *mask)
{
    const int d = b->d.dim, apl = b->d.style == SSL_BLOCK_APL;
    ssl_tensor *both;
    x = ssl__before(at, b, x, &b->norm1);
    if (apl) return ssl_attention_weights_at(at, ssl__lin(at, x, &b->q), ssl__lin(at, x, &b->k), b->d.heads, 1.0f / sqrtf((float)d), mask, 0);
    both = ssl__lin(at, x, &b->qkv);
    return ssl_attention_weights_at(at, ssl_slice_at(at, both, -1, 0, d), ssl_slice_at(at, both, -1, d, 2 * d), b->d.heads, 0.0f, mask, 0);
}
static ssl_tensor *ssl__self_attention(const char *at, const ssl_block *b, ssl_tensor *x, ssl_tensor *mask)
{
    const float d = (float)b->d.dim;
    ssl_tensor *y;
    if (b->d.style != SSL_BLOCK_APL) {
        ssl_tensor *qkv = ssl__lin_inner(at, x, &b->qkv);
        y = ssl__attention(at, SSL__ATTN_PACKED, qkv, qkv, qkv, b->d.heads, 0.0f, mask, 0, ssl__inner(x->ctx));
        ssl__shed(qkv, NULL);
        return y;
    }
    y = ssl__attention(at, SSL__ATTN_PLAIN, ssl__lin_inner(at, x, &b->q), ssl__lin_inner(at, x, &b->k), ssl__lin_inner(at, x, &b->v), b->d.heads, 1.0f / sqrtf(d), mask, 0, SSL_F32);
    return ssl_scale_at(at, y, 1.0f / sqrtf(sqrtf(d))); /* v / D^(1/4), taken out of the sum */
}
static ssl_tensor *ssl__cross_attention(const char *at, const ssl_block *b, const ssl_linear_layer *qkv, ssl_tensor *x, ssl_tensor *memory, ssl_tensor *mask)
{
    const int d = b->d.dim; /* rows 0..D of the packed weight make q from x, the rest k and v from memory */
    ssl_tensor *w = qkv->weight, *bias = qkv->bias;
    const ssl_dtype inner = ssl__inner(x->ctx);
    ssl_tensor *q = ssl__linear(at, x, ssl__view(at, w, 0, 2, d, d), ssl__view(at, bias, 0, 1, d, 0), SSL_ACT_NONE, NULL, inner);
    ssl_tensor *kv = ssl__linear(at, memory, ssl__view(at, w, (int64_t)d * d, 2, 2 * d, d), ssl__view(at, bias, d, 1, 2 * d, 0), SSL_ACT_NONE, NULL, inner);
    return ssl__attention(at, SSL__ATTN_KV, q, kv, kv, b->d.heads, 0.0f, mask, 0, inner);
}
/* x + fc2(dropout(act(fc1(norm(x))))) */
static ssl_tensor *ssl__mlp(const char *at, const ssl_block *b, ssl_tensor *x, const ssl_norm_layer *n)
{
    const float dropout = b->d.style == SSL_BLOCK_APL || !x->ctx->training ? 0.0f : b->d.dropout;
    ssl_tensor *before = ssl__before(at, b, x, n);
    ssl_tensor *hidden = ssl__done(ssl__linear(at, before, b->fc1.weight, b->fc1.bias, b->d.act, NULL, dropout == 0.0f ? ssl__inner(x->ctx) : SSL_F32), b, before);
    ssl_tensor *kept = dropout == 0.0f ? hidden : ssl__dropped(at, hidden, dropout, ssl_dropout_at);
    x = ssl__branch(at, b, x, kept, &b->fc2);
    ssl__shed(kept, kept == hidden && hidden->aux && ((const ssl__linear_aux *)hidden->aux)->pre && !ssl__kept(kept) ? ssl__linear_remake : NULL);
    return x;
}
static ssl_tensor *ssl__attend(const char *at, const ssl_block *b, ssl_tensor *x, ssl_tensor *mask) /* x + proj(attention(norm(x))) */
{
    ssl_tensor *before = ssl__before(at, b, x, &b->norm1), *y = ssl__done(ssl__self_attention(at, b, before, mask), b, before);
    x = ssl__branch(at, b, x, y, &b->proj);
    ssl__shed(y, NULL);
    return x;
}

SSL_API ssl_tensor *ssl_block_forward_at(const char *at, const ssl_block *b, ssl_tensor *x, ssl_tensor *mask)
{
    ssl_tensor *y;
    x = ssl__after(at, b, ssl__attend(at, b, x, mask), &b->norm1);
    y = ssl__after(at, b, ssl__mlp(at, b, x, &b->norm2), &b->norm2);
    ssl__shed(x, NULL);
    return y;
}
SSL_API ssl_tensor *ssl_block_decode_at(const char *at, const ssl_block *b, ssl_tensor *x, ssl_tensor *memory, ssl_tensor *mask, ssl_tensor *memory_mask)
{
    ssl_tensor *before;
    if (x->ctx->status) return &x->ctx->nil;
    if (!b->d.cross) return ssl__fail(x->ctx, SSL_E_ARG, at, "ssl_block_decode: this block has no cross attention: set ssl_block_desc.cross = 1");
    x = ssl__after(at, b, ssl__attend(at, b, x, mask), &b->norm1);
    before = ssl__before(at, b, x, &b->norm2);
    x = ssl__branch(at, b, x, ssl__done(ssl__cross_attention(at, b, &b->cross_qkv, before, memory, memory_mask), b, before), &b->cross_proj);
    x = ssl__after(at, b, x, &b->norm2);
    return ssl__after(at, b, ssl__mlp(at, b, x, &b->norm3), &b->norm3);
}

/* n blocks on x [B,(cls +) h w,D]; the attention of the last one goes to the look */
static ssl_tensor *ssl__blocks_look(const char *at, const ssl_block *block, int n, ssl_tensor *x, int cls, ssl_look *look)
{
    ssl_tensor *a;
    int i;
    look->attention = NULL;
    if (n < 1 || x->ctx->status) return x;
    for (i = 0; i < n - 1; i++) x = ssl_block_forward_at(at, &block[i], x, NULL);
    a = ssl_block_attention_at(at, &block[n - 1], x, NULL);
    a = cls ? ssl_slice_at(at, ssl_slice_at(at, a, 2, 0, 1), 3, 1, x->dim[1]) : ssl_mean_axes_at(at, a, SSL_AXIS(2), 0);
    look->attention = ssl_reshape_at(at, a, 3, x->dim[0], block[n - 1].d.heads, -1);
    return ssl_block_forward_at(at, &block[n - 1], x, NULL);
}
static int ssl__looked(ssl_look *look, ssl_tensor *tokens, int h, int w)
{
    look->tokens = tokens;
    look->h = h;
    look->w = w;
    return !tokens->ctx->status;
}

/* ==== >>vit ==== vision transformer ================================================================== */
#define SSL__VIT_DEFAULTS(d, layers) /* of the fields that every transformer on patches has */                 \
    ((d).image_size = SSL__DEF((d).image_size, 32), (d).patch = SSL__DEF((d).patch, 4), (d).channels = SSL__DEF((d).channels, 3), \
     (d).dim = SSL__DEF((d).dim, 192), (d).depth = SSL__DEF((d).depth, layers), (d).heads = SSL__DEF((d).heads, SSL__MAX((d).dim / 64, 1)), \
     (d).hidden = SSL__DEF((d).hidden, 4 * (d).dim))
SSL_API int ssl_vit_desc_resolve(const ssl_vit_desc *in, ssl_vit_desc *out)
{
    ssl_vit_desc d = SSL_ZERO;
    if (in) d = *in;
    if (d._start_canary || d._end_canary) return 0;
    SSL__VIT_DEFAULTS(d, 12);
    d.pos = d.pos == SSL_POS_DEFAULT ? SSL_POS_LEARNED : d.pos;
    if (d.init.kind == SSL_INIT_ZEROS) d.init = ssl_init_make(SSL_INIT_TRUNC_NORMAL, 0.02f);
    *out = d;
    return 1;
}

/* [1,1,D] learned token */
static ssl_tensor *ssl__token_new(const char *at, ssl_ctx *c, const char *prefix, const char *name, int count, int dim, float std)
{
    char buf[256];
    ssl_tensor *t = ssl_param_at(at, c, ssl_init_make(SSL_INIT_NORMAL, std), ssl__name(buf, prefix, name), 3, 1, count, dim);
    ssl__no_decay(t);
    return t;
}
/* fixed 2-D sin-cos table [1,(1+)G*G,D] as a frozen parameter */
static ssl_tensor *ssl__sincos_new(const char *at, ssl_ctx *c, const char *name, int dim, int grid, int cls)
{
    const int rows = grid * grid + (cls ? 1 : 0);
    float *host;
    ssl_tensor *t;
    if (c->status) return &c->nil;
    if (dim % 4) return ssl__fail(c, SSL_E_ARG, at, "%s: sin-cos positions need a width divisible by 4, got %d", name, dim);
    t = ssl_param_at(at, c, ssl__zeros(), name, 3, 1, rows, dim);
    host = (float *)ssl__alloc(c, at, sizeof *host * (size_t)rows * (size_t)dim);
    if (c->status) return &c->nil;
    ssl_sincos2d(dim, grid, cls, host);
    ssl_from_host(t, host);
    ssl__release(host);
    ssl__no_decay(t);
    ssl__freeze(t);
    return t;
}

/* Patch embedding weight [D,C,P,P]: timm keeps the convolution's default; MAE takes xavier over the matrix [D, C P P]. */
static ssl_linear_layer ssl__patch_embed_new(const char *at, ssl_ctx *c, const char *prefix, const ssl_vit_desc *d)
{
    const int in = d->channels * d->patch * d->patch;
    const float bound = sqrtf(6.0f / (float)(in + d->dim));
    char buf[256];
    ssl_linear_layer l;
    const ssl_init torch = ssl_init_make(SSL_INIT_TORCH, 0.0f);
    l.weight = ssl_param_at(at, c, d->init.kind == SSL_INIT_XAVIER_UNIFORM ? ssl_init_make(SSL_INIT_UNIFORM, bound) : torch,
                            ssl__name(buf, prefix, "patch_embed.proj.weight"), 4, d->dim, d->channels, d->patch, d->patch);
    l.bias = ssl__bias(at, c, ssl__name(buf, prefix, "patch_embed.proj.bias"), in, d->dim, torch);
    return l;
}

SSL_API ssl_vit *ssl_vit_new_at(const char *at, ssl_ctx *c, const char *prefix, const ssl_vit_desc *desc)
{
    ssl_vit *v = (ssl_vit *)ssl__model(c, at, sizeof *v);
    ssl_vit_desc *d = &v->d;
    ssl_block_desc bd = SSL_ZERO;
    char buf[256];
    int grid;
    if (c->status) return v;
    if (!ssl_vit_desc_resolve(desc, d)) { ssl__fail(c, SSL_E_ARG, at, "ssl_vit_new: the ssl_vit_desc is not initialized: write `ssl_vit_desc d = SSL_ZERO;`"); return v; }
    if (d->patch < 1 || d->image_size % d->patch) { ssl__fail(c, SSL_E_ARG, at, "ssl_vit_new: image_size %d is not a multiple of patch %d", d->image_size, d->patch); return v; }
    grid = d->image_size / d->patch;
    v->tokens = grid * grid;
    if (!d->no_class_token) v->cls = ssl__token_new(at, c, prefix, "cls_token", 1, d->dim, d->init.kind == SSL_INIT_XAVIER_UNIFORM ? 0.02f : 1e-6f);
    if (d->pos == SSL_POS_SINCOS) v->pos = ssl__sincos_new(at, c, ssl__name(buf, prefix, "pos_embed"), d->dim, grid, !d->no_class_token);
    if (d->pos == SSL_POS_LEARNED) v->pos = ssl__token_new(at, c, prefix, "pos_embed", v->tokens + !d->no_class_token, d->dim, 0.02f);
    v->embed = ssl__patch_embed_new(at, c, prefix, d);
    bd.dim = d->dim; bd.heads = d->heads; bd.hidden = d->hidden; bd.dropout = d->dropout; bd.drop_path = d->drop_path; bd.init = d->init;
    v->block = ssl__blocks_new(at, c, prefix, "blocks", d->depth, 1, &bd);
    v->norm = ssl_norm_new_at(at, c, ssl__name(buf, prefix, "norm"), d->dim, 1e-6f);
    return v;
}

/* positions [grid grid, D] of a square of patches -> [rows columns, D] of another: a map of D channels, resized */
static ssl_tensor *ssl__vit_resize_pos(const char *at, ssl_tensor *pos, int grid, int rows, int columns)
{
    ssl_tensor *x = ssl_reshape_at(at, pos, 4, 1, grid, grid, -1);
    x = ssl_interpolate_at(at, ssl_permute_at(at, x, 0, 3, 1, 2), rows, columns, SSL_INTERPOLATE_BILINEAR);
    return ssl_reshape_at(at, ssl_permute_at(at, x, 0, 2, 3, 1), 2, rows * columns, -1);
}
/* [B,C,H,W] -> patch tokens with positions [B,L,D], no class token yet */
static ssl_tensor *ssl__vit_embed(const char *at, const ssl_vit *v, ssl_tensor *images)
{
    const ssl_vit_desc *d = &v->d;
    ssl_ctx *c = v->ctx;
    ssl_tensor *x, *pos, *w = v->embed.weight;
    char s[96];
    if (c->status) return &c->nil;
    if (images->ndim != 4 || images->dim[1] != d->channels || (!d->any_size && (images->dim[2] != d->image_size || images->dim[3] != d->image_size)))
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_vit_forward: images%s: [B,%d,%d,%d] is needed%s", ssl__shape(images, s), d->channels, d->image_size, d->image_size,
                         d->any_size ? ", or another size" : "");
    x = ssl_patchify_at(at, images, d->patch, SSL_PATCH_CHANNEL_ROW_COL);
    x = ssl_linear_at(at, x, ssl__view(at, w, 0, 2, d->dim, d->channels * d->patch * d->patch), v->embed.bias);
    if (!v->pos) return x;
    pos = ssl__view(at, v->pos, v->cls ? d->dim : 0, 2, v->tokens, d->dim);
    if (images->dim[2] != d->image_size || images->dim[3] != d->image_size) pos = ssl__vit_resize_pos(at, pos, d->image_size / d->patch, images->dim[2] / d->patch, images->dim[3] / d->patch);
    return ssl_add_at(at, x, pos);
}
static ssl_tensor *ssl__vit_class(const char *at, const ssl_vit *v, ssl_tensor *x) /* the class token goes before the others */
{
    ssl_tensor *both[2], *cls = v->cls;
    if (v->ctx->status) return &v->ctx->nil;
    if (cls) {
        if (v->pos) cls = ssl_add_at(at, cls, ssl__view(at, v->pos, 0, 2, 1, v->d.dim));
        both[0] = ssl_expand_at(at, cls, 3, x->dim[0], 1, v->d.dim);
        both[1] = x;
        x = ssl_concat_at(at, 1, 2, both);
    }
    return ssl_dropout_at(at, x, v->d.dropout);
}
/* [B,T,D] -> [B,1+T,D] normed tokens of the encoder */
static ssl_tensor *ssl__vit_encode(const char *at, const ssl_vit *v, ssl_tensor *x)
{
    int i;
    x = ssl__vit_class(at, v, x);
    if (v->ctx->status) return &v->ctx->nil;
    for (i = 0; i < v->d.depth; i++) x = ssl_block_forward_at(at, &v->block[i], x, NULL);
    return ssl__ln(at, x, &v->norm);
}
SSL_API int ssl_vit_look_at(const char *at, const ssl_vit *v, ssl_tensor *images, ssl_look *look)
{
    const int cls = v->cls != NULL;
    ssl_tensor *x = ssl__blocks_look(at, v->block, v->d.depth, ssl__vit_class(at, v, ssl__vit_embed(at, v, images)), cls, look);
    x = ssl__ln(at, x, &v->norm);
    if (v->ctx->status) return ssl__looked(look, x, 0, 0);
    return ssl__looked(look, cls ? ssl_slice_at(at, x, 1, 1, x->dim[1]) : x, images->dim[2] / v->d.patch, images->dim[3] / v->d.patch);
}
SSL_API ssl_tensor *ssl_vit_forward_at(const char *at, const ssl_vit *v, ssl_tensor *images) { return ssl__vit_encode(at, v, ssl__vit_embed(at, v, images)); }

/* The class token, or the mean of the patch tokens. */
SSL_API ssl_tensor *ssl_vit_pool_at(const char *at, const ssl_vit *v, ssl_tensor *tokens)
{
    const int mean = v->d.no_class_token || v->d.mean_pool;
    if (v->ctx->status) return &v->ctx->nil;
    if (v->cls) tokens = mean ? ssl_slice_at(at, tokens, 1, 1, tokens->dim[1]) : ssl_slice_at(at, tokens, 1, 0, 1);
    return mean ? ssl_mean_axes_at(at, tokens, SSL_AXIS(1), 0) : ssl_reshape_at(at, tokens, 2, -1, v->d.dim);
}

/* ==== >>resnet ======================================================================================= */
SSL_API ssl_conv_layer ssl_conv_new_at(const char *at, ssl_ctx *c, const char *prefix, int in, int out, int kernel, int no_bias, ssl_init init, const ssl_conv_desc *desc)
{
    char buf[256];
    ssl_conv_layer l;
    memset(&l, 0, sizeof l);
    if (!ssl_conv_desc_resolve(desc, &l.d)) ssl__fail(c, SSL_E_ARG, at, "ssl_conv_new: the ssl_conv_desc of \"%s\" is not initialized: write `ssl_conv_desc d = SSL_ZERO;`", prefix);
    else if (l.d.groups < 1 || in % l.d.groups) ssl__fail(c, SSL_E_ARG, at, "ssl_conv_new: \"%s\": %d channels, which %d groups do not divide", prefix, in, l.d.groups);
    l.weight = ssl_param_at(at, c, init, ssl__name(buf, prefix, "weight"), 4, out, in / SSL__MAX(l.d.groups, 1), kernel, kernel);
    l.bias = no_bias ? NULL : ssl__bias(at, c, ssl__name(buf, prefix, "bias"), in / SSL__MAX(l.d.groups, 1) * kernel * kernel, out, init);
    if (l.d.padding_w == 0) l.d.padding_w = SSL_CONV_ZERO; /* resolved twice */
    return l;
}
SSL_API ssl_tensor *ssl_conv_forward_at(const char *at, const ssl_conv_layer *l, ssl_tensor *x) { return ssl_conv2d_at(at, x, l->weight, l->bias, &l->d); }

SSL_API ssl_batch_norm_layer ssl_batch_norm_new_at(const char *at, ssl_ctx *c, const char *prefix, int channels)
{
    const ssl_init one = ssl_init_make(SSL_INIT_CONSTANT, 1.0f);
    const ssl_norm_layer n = ssl_norm_new_at(at, c, prefix, channels, 1e-5f);
    char buf[256];
    ssl_batch_norm_layer l;
    l.weight = n.weight;
    l.bias = n.bias;
    l.running_mean = ssl_param_at(at, c, ssl__zeros(), ssl__name(buf, prefix, "running_mean"), 1, channels);
    l.running_var = ssl_param_at(at, c, one, ssl__name(buf, prefix, "running_var"), 1, channels);
    l.momentum = 0.1f;
    l.eps = n.eps;
    ssl__freeze(l.running_mean);
    ssl__freeze(l.running_var);
    return l;
}
SSL_API ssl_tensor *ssl_batch_norm_forward_at(const char *at, const ssl_batch_norm_layer *l, ssl_tensor *x, int relu, ssl_tensor *residual)
{ return ssl__batch_norm(at, x, l->weight, l->bias, l->running_mean, l->running_var, l->momentum, l->eps, relu, relu ? residual : NULL, SSL_F32); }

SSL_API int ssl_resnet_desc_resolve(const ssl_resnet_desc *in, ssl_resnet_desc *out)
{
    ssl_resnet_desc d = SSL_ZERO;
    if (in) d = *in;
    if (d._start_canary || d._end_canary) return 0;
    d.depth = SSL__DEF(d.depth, d.cpc ? 101 : 18);
    d.width = SSL__DEF(d.width, 64);
    d.channels = SSL__DEF(d.channels, 3);
    *out = d;
    return 1;
}
static int ssl__resnet_stages(const ssl_resnet_desc *d, int stage[4]) /* 0: no such depth */
{
    static const int known[6][5] = { { 18, 2, 2, 2, 2 }, { 34, 3, 4, 6, 3 }, { 50, 3, 4, 6, 3 }, { 101, 3, 4, 23, 3 }, { 152, 3, 8, 36, 3 }, { 0, 3, 4, 46, 3 } };
    int i, k;
    for (i = 0; i < 5 && known[i][0] != d->depth; i++) {}
    if (i == 5) return 0;
    for (k = 0; k < 4; k++) stage[k] = SSL__DEF(d->stage[k], known[d->cpc ? 5 : i][k + 1]);
    return 1;
}
static ssl_conv_layer ssl__resnet_conv(const char *at, ssl_ctx *c, const char *prefix, const char *name, int in, int out, int kernel, int stride)
{
    ssl_conv_desc d = SSL_ZERO;
    char buf[256];
    d.stride = stride;
    d.padding = kernel / 2;
    return ssl_conv_new_at(at, c, ssl__name(buf, prefix, name), in, out, kernel, 1, ssl_init_make(SSL_INIT_KAIMING_NORMAL_FAN_OUT, 0.0f), &d);
}
/* side 0: batch norm; else layer norm of maps of side x side, which has no running statistics and weights [C,H,W] */
static ssl_batch_norm_layer ssl__resnet_norm(const char *at, ssl_ctx *c, const char *prefix, const char *name, int channels, int side)
{
    ssl_batch_norm_layer l;
    char p[256], buf[256];
    ssl__name(p, prefix, name);
    if (!side) return ssl_batch_norm_new_at(at, c, p, channels);
    memset(&l, 0, sizeof l);
    l.weight = ssl_param_at(at, c, ssl_init_make(SSL_INIT_CONSTANT, 1.0f), ssl__name(buf, p, "weight"), 3, channels, side, side);
    l.bias = ssl_param_at(at, c, ssl__zeros(), ssl__name(buf, p, "bias"), 3, channels, side, side);
    ssl__no_decay(l.weight);
    ssl__no_decay(l.bias);
    return l;
}

/* A block from `in` channels to width (basic) or expansion x width (bottleneck); *side of its input becomes that of its output. */
static void ssl__resnet_block_new(const char *at, ssl_ctx *c, const char *prefix, ssl_resnet_block *b, int in, int width, int expansion, int stride, int *side, int zero_init)
{
    const int basic = b->convs == 2, out = basic ? width : expansion * width, after = (*side + stride - 1) / stride;
    ssl_tensor *last;
    char p[256];
    int i;
    ssl__name(p, prefix, b->name);
    for (i = 0; i < b->convs; i++) {
        const int from = i ? width : in, to = i == b->convs - 1 ? out : width, strided = basic ? i == 0 : i == 1;
        char conv[8] = "conv1", norm[4] = "bn1";
        if (*side) norm[0] = 'l';
        conv[4] = norm[2] = (char)('1' + i);
        b->conv[i] = ssl__resnet_conv(at, c, p, conv, from, to, basic || i == 1 ? 3 : 1, strided ? stride : 1);
        b->bn[i] = ssl__resnet_norm(at, c, p, norm, to, i || basic ? after : *side);
    }
    last = b->bn[b->convs - 1].weight;
    if (zero_init && !c->status) c->k->fill(c, ssl_numel(last), 0.0f, last->x);
    *side = after;
    if (stride == 1 && in == out) return;
    b->down = ssl__resnet_conv(at, c, p, "downsample.0", in, out, 1, stride);
    b->down_bn = ssl__resnet_norm(at, c, p, "downsample.1", out, after);
}

SSL_API ssl_resnet *ssl_resnet_new_at(const char *at, ssl_ctx *c, const char *prefix, const ssl_resnet_desc *desc)
{
    ssl_resnet *net = (ssl_resnet *)ssl__model(c, at, sizeof *net);
    ssl_resnet_block *b;
    char buf[256];
    int i, j, in, side;
    if (c->status) return net;
    if (!ssl_resnet_desc_resolve(desc, &net->d)) { ssl__fail(c, SSL_E_ARG, at, "ssl_resnet_new: the ssl_resnet_desc is not initialized: write `ssl_resnet_desc d = SSL_ZERO;`"); return net; }
    if (!ssl__resnet_stages(&net->d, net->stage)) { ssl__fail(c, SSL_E_ARG, at, "ssl_resnet_new: depth %d: 18, 34, 50, 101 and 152 exist", net->d.depth); return net; }
    for (i = 0; i < 4; i++)
        if (net->stage[i] < 1 || net->d.width < 1 || net->d.cpc < 0) { ssl__fail(c, SSL_E_ARG, at, "ssl_resnet_new: width %d, %d blocks in layer%d, cpc %d: width and blocks must be positive", net->d.width, net->stage[i], i + 1, net->d.cpc); return net; }
    in = net->d.width;
    side = net->d.cifar_stem ? net->d.cpc : (net->d.cpc + 1) / 2; /* stays 0 with batch norm */
    net->conv1 = ssl__resnet_conv(at, c, prefix, "conv1", net->d.channels, in, net->d.cifar_stem ? 3 : 7, net->d.cifar_stem ? 1 : 2);
    net->bn1 = ssl__resnet_norm(at, c, prefix, side ? "ln1" : "bn1", in, side);
    if (!net->d.cifar_stem) side = (side + 1) / 2;
    b = net->block = (ssl_resnet_block *)ssl__model(c, at, sizeof *b * (size_t)(net->stage[0] + net->stage[1] + net->stage[2] + net->stage[3]));
    for (i = 0; i < 4; i++)
        for (j = 0; j < net->stage[i] && !c->status; j++, b++) {
            const int wide = net->d.cpc && i == 2, width = net->d.width << (wide ? 3 : i), expansion = wide ? 8 : 4;
            b->convs = net->d.depth < 50 ? 2 : 3;
            snprintf(b->name, sizeof b->name, "layer%d.%d", i + 1, j);
            ssl__resnet_block_new(at, c, prefix, b, in, width, expansion, i && !j ? 2 : 1, &side, net->d.zero_init_residual);
            in = b->convs == 2 ? width : expansion * width;
        }
    net->features = in;
    if (net->d.classes > 0) net->fc = ssl_linear_new_at(at, c, ssl__name(buf, prefix, "fc"), in, net->d.classes, 0, ssl_init_make(SSL_INIT_TORCH, 0.0f));
    return net;
}

/* ---- outputs by name: every module shows its output to the taps, which keep those that were asked for ---- */
typedef struct ssl__taps { int n, left; const char *const *name; ssl_tensor **out; } ssl__taps;
static int ssl__tap_find(const ssl__taps *t, const char *block, const char *name)
{
    char buf[64];
    int i;
    snprintf(buf, sizeof buf, "%s%s%s", block, *block && *name ? "." : "", name);
    for (i = 0; i < t->n; i++) if (!strcmp(t->name[i], buf)) return 1;
    return 0;
}
/* x, which owns its values, is not read again in the forward pass, unless by who asked for it */
static void ssl__resnet_shed(const ssl__taps *t, ssl_tensor *x)
{
    int i;
    for (i = 0; i < t->n; i++) if (t->out[i] == x) return;
    ssl__shed(x, x->back == ssl__batch_norm_back ? ssl__batch_norm_remake : NULL);
}
static ssl_tensor *ssl__tap(ssl__taps *t, const char *block, const char *name, ssl_tensor *y)
{
    char buf[64];
    int i;
    snprintf(buf, sizeof buf, "%s%s%s", block, *block && *name ? "." : "", name);
    for (i = 0; i < t->n; i++)
        if (!t->out[i] && !strcmp(t->name[i], buf)) { t->out[i] = y; t->left--; }
    return y;
}

/* relu(bn(conv(x)) + residual), one op for all but the convolution unless someone asks for what lies between. */
static ssl_tensor *ssl__resnet_conv_bn(const char *at, ssl__taps *t, const char *block, const char *conv_name, const char *bn_name, ssl_tensor *x,
                                       const ssl_conv_layer *conv, const ssl_batch_norm_layer *bn, int relu, ssl_tensor *residual, ssl_dtype type)
{
    const int fused = relu && !ssl__tap_find(t, block, bn_name), inner = bn->running_mean && !ssl__tap_find(t, block, conv_name);
    ssl_tensor *y;
    x = ssl__tap(t, block, conv_name, ssl__conv2d(at, x, conv->weight, conv->bias, &conv->d, inner ? ssl__inner_map(x->ctx) : SSL_F32));
    if (!bn->running_mean) y = ssl_layer_norm_chw_at(at, x, bn->weight, bn->bias, 1e-5f);
    else y = ssl__batch_norm(at, x, bn->weight, bn->bias, bn->running_mean, bn->running_var, bn->momentum, bn->eps, fused, fused ? residual : NULL, fused ? type : SSL_F32);
    ssl__resnet_shed(t, x);
    if (bn->running_mean && fused) return y;
    y = ssl__tap(t, block, bn_name, y);
    if (residual) y = ssl_add_at(at, y, residual);
    return relu ? ssl_relu_at(at, y) : y;
}
static ssl_tensor *ssl__resnet_block_forward(const char *at, ssl__taps *t, const ssl_resnet_block *b, ssl_tensor *x)
{
    ssl_tensor *shortcut = x, *y; /* the block's own values go as soon as may be, those of its input are the caller's */
    int i;
    if (b->down.weight) shortcut = ssl__tap(t, b->name, "downsample", ssl__resnet_conv_bn(at, t, b->name, "downsample.0", "downsample.1", x, &b->down, &b->down_bn, 0, NULL, SSL_F32));
    for (i = 0; i < b->convs; i++) {
        const int last = i == b->convs - 1;
        char conv[8] = "conv1", bn[4] = "bn1";
        conv[4] = bn[2] = (char)('1' + i);
        y = ssl__resnet_conv_bn(at, t, b->name, conv, bn, x, &b->conv[i], &b->bn[i], 1, last ? shortcut : NULL, last ? SSL_F32 : ssl__inner_map(x->ctx));
        if (i) ssl__resnet_shed(t, x);
        x = y;
    }
    if (b->down_bn.running_mean) ssl__resnet_shed(t, shortcut);
    return ssl__tap(t, b->name, "", x);
}
static ssl_tensor *ssl__resnet_run(const char *at, const ssl_resnet *net, ssl_tensor *x, ssl__taps *t) /* until every tap has its output */
{
    const ssl_resnet_block *b = net->block;
    ssl_tensor *y;
    char stage[8] = "layer1", s[96];
    int i, j;
    if (net->ctx->status) return &net->ctx->nil;
    if (x->ndim != 4 || x->dim[1] != net->d.channels) return ssl__fail(net->ctx, SSL_E_SHAPE, at, "ssl_resnet_forward: images%s: [N,%d,H,W] is needed", ssl__shape(x, s), net->d.channels);
    if (net->d.cpc && (x->dim[2] != net->d.cpc || x->dim[3] != net->d.cpc))
        return ssl__fail(net->ctx, SSL_E_SHAPE, at, "ssl_resnet_forward: images%s: the layer norms of this network (cpc %d) need images of %d x %d", ssl__shape(x, s), net->d.cpc, net->d.cpc, net->d.cpc);
    x = ssl__tap(t, "", "relu", ssl__resnet_conv_bn(at, t, "", "conv1", "bn1", x, &net->conv1, &net->bn1, 1, NULL, SSL_F32));
    y = ssl__tap(t, "", "maxpool", net->d.cifar_stem ? x : ssl_max_pool2d_at(at, x, 3, 2, 1));
    if (y != x) ssl__resnet_shed(t, x);
    x = y;
    for (i = 0; i < 4; i++) {
        for (j = 0; j < net->stage[i]; j++, b++) {
            if (t->n && !t->left) return x;
            y = ssl__resnet_block_forward(at, t, b, x);
            ssl__resnet_shed(t, x);
            x = y;
        }
        stage[5] = (char)('1' + i);
        ssl__tap(t, "", stage, x);
    }
    if (t->n && !t->left) return x;
    x = ssl_global_avg_pool_at(at, x);
    if (ssl__tap_find(t, "", "avgpool")) ssl__tap(t, "", "avgpool", ssl_reshape_at(at, x, 4, x->dim[0], x->dim[1], 1, 1));
    return net->fc.weight ? ssl__tap(t, "", "fc", ssl_linear_at(at, x, net->fc.weight, net->fc.bias)) : x;
}

static int ssl__resnet_in_block(const ssl_resnet_block *b, const char *name) /* "", "conv1" ... */
{
    if (!*name) return 1;
    if (!strncmp(name, "conv", 4) || !strncmp(name, "bn", 2)) {
        const char *digit = name + (*name == 'c' ? 4 : 2);
        return *digit >= '1' && *digit < '1' + b->convs && !digit[1];
    }
    return b->down.weight && (!strcmp(name, "downsample") || !strcmp(name, "downsample.0") || !strcmp(name, "downsample.1"));
}
static int ssl__resnet_has(const ssl_resnet *net, const char *name)
{
    static const char *const top[] = { "conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool" };
    int i;
    for (i = 0; i < 9; i++) if (!strcmp(name, top[i])) return 1;
    if (net->fc.weight && !strcmp(name, "fc")) return 1;
    for (i = 0; i < net->stage[0] + net->stage[1] + net->stage[2] + net->stage[3]; i++) {
        const size_t n = strlen(net->block[i].name);
        if (!strncmp(name, net->block[i].name, n) && (!name[n] || name[n] == '.') && ssl__resnet_in_block(&net->block[i], name + n + (name[n] == '.'))) return 1;
    }
    return 0;
}
SSL_API void ssl_resnet_layers_at(const char *at, const ssl_resnet *net, ssl_tensor *images, int n, const char *const *names, ssl_tensor **out)
{
    ssl_ctx *c = net->ctx;
    ssl__taps t;
    int i;
    for (i = 0; i < n; i++)
        if (!c->status && !ssl__resnet_has(net, names[i]))
            ssl__fail(c, SSL_E_ARG, at, "ssl_resnet_layers: \"%s\" does not exist; there are conv1 bn1 relu maxpool layer1 layer2 layer3 layer4 avgpool%s, the blocks layer1.0-%d "
                      "layer2.0-%d layer3.0-%d layer4.0-%d, and in a block conv1-%d bn1-%d and, where it changes the shape, downsample downsample.0 downsample.1", names[i],
                      net->fc.weight ? " fc" : "", net->stage[0] - 1, net->stage[1] - 1, net->stage[2] - 1, net->stage[3] - 1, net->block->convs, net->block->convs);
    memset(out, 0, sizeof *out * (size_t)n);
    t.n = t.left = n; t.name = names; t.out = out;
    if (!c->status) ssl__resnet_run(at, net, images, &t);
    for (i = 0; i < n; i++) if (!out[i] || c->status) out[i] = &c->nil;
}
SSL_API void ssl_resnet_maps_at(const char *at, const ssl_resnet *net, ssl_tensor *images, ssl_tensor *out[5])
{
    static const char *const maps[] = { "maxpool", "layer1", "layer2", "layer3", "layer4" };
    ssl_resnet_layers_at(at, net, images, 5, maps, out);
}
static ssl_tensor *ssl__map_tokens(const char *at, ssl_tensor *map) /* [B,C,H,W] -> [B,H W,C] */
{ return map->ctx->status ? map : ssl_permute_at(at, ssl_reshape_at(at, map, 3, map->dim[0], map->dim[1], -1), 0, 2, 1); }
SSL_API int ssl_map_look_at(const char *at, ssl_tensor *map, ssl_look *look)
{
    char s[96];
    look->attention = NULL;
    if (!map->ctx->status && map->ndim != 4) map = ssl__fail(map->ctx, SSL_E_SHAPE, at, "ssl_map_look: map%s must be [B,C,h,w]", ssl__shape(map, s));
    return ssl__looked(look, ssl__map_tokens(at, map), map->dim[2], map->dim[3]);
}
SSL_API int ssl_resnet_look_at(const char *at, const ssl_resnet *net, ssl_tensor *images, ssl_look *look)
{
    ssl_tensor *map[5];
    int i = 4;
    ssl_resnet_maps_at(at, net, images, map);
    while (i > 0 && !net->ctx->status && map[i]->dim[2] < 7) i--;
    return ssl_map_look_at(at, map[i], look);
}
SSL_API ssl_tensor *ssl_resnet_forward_at(const char *at, const ssl_resnet *net, ssl_tensor *images)
{
    ssl__taps none = SSL_ZERO;
    return ssl__resnet_run(at, net, images, &none);
}
SSL_API ssl_tensor *ssl_resnet_block_forward_at(const char *at, const ssl_resnet_block *block, ssl_tensor *x)
{
    ssl__taps none = SSL_ZERO;
    return ssl__resnet_block_forward(at, &none, block, x);
}

/* ==== >>backbone ==== a network of either kind ======================================================== */
SSL_API int ssl_backbone_desc_resolve(const ssl_backbone_desc *in, ssl_backbone_desc *out)
{
    ssl_backbone_desc d = SSL_ZERO;
    if (in) d = *in;
    if (d._start_canary || d._end_canary) return 0;
    d.kind = d.kind == SSL_BACKBONE_DEFAULT ? SSL_BACKBONE_VIT : d.kind;
    d.image_size = d.vit.image_size = SSL__DEF(d.image_size, 32);
    d.channels = d.vit.channels = d.resnet.channels = SSL__DEF(d.channels, 3);
    d.resnet.classes = 0;
    d.resnet.cifar_stem = SSL__DEF(d.resnet.cifar_stem, d.image_size < 64 ? 1 : -1);
    if (!ssl_vit_desc_resolve(&d.vit, &d.vit) || !ssl_resnet_desc_resolve(&d.resnet, &d.resnet)) return 0;
    *out = d;
    return 1;
}
SSL_API ssl_backbone *ssl_backbone_new_at(const char *at, ssl_ctx *c, const char *prefix, const ssl_backbone_desc *desc)
{
    ssl_backbone *b = (ssl_backbone *)ssl__model(c, at, sizeof *b);
    ssl_resnet_desc r;
    if (c->status) return b;
    if (!ssl_backbone_desc_resolve(desc, &b->d)) { ssl__fail(c, SSL_E_ARG, at, "ssl_backbone_new: the ssl_backbone_desc is not initialized: write `ssl_backbone_desc d = SSL_ZERO;`"); return b; }
    if (b->d.kind != SSL_BACKBONE_VIT && b->d.kind != SSL_BACKBONE_RESNET) { ssl__fail(c, SSL_E_ARG, at, "ssl_backbone_new: kind %d: it is SSL_BACKBONE_VIT or SSL_BACKBONE_RESNET", (int)b->d.kind); return b; }
    r = b->d.resnet;
    r.cifar_stem = r.cifar_stem > 0;
    if (b->d.kind == SSL_BACKBONE_VIT) b->vit = ssl_vit_new_at(at, c, prefix, &b->d.vit);
    else b->resnet = ssl_resnet_new_at(at, c, prefix, &r);
    if (!c->status) b->features = b->vit ? b->d.vit.dim : b->resnet->features;
    return b;
}
SSL_API ssl_tensor *ssl_backbone_forward_at(const char *at, const ssl_backbone *b, ssl_tensor *images)
{
    if (b->ctx->status) return &b->ctx->nil;
    return b->vit ? ssl_vit_pool_at(at, b->vit, ssl_vit_forward_at(at, b->vit, images)) : ssl_resnet_forward_at(at, b->resnet, images);
}

SSL_API int ssl_backbone_look_at(const char *at, const ssl_backbone *b, ssl_tensor *images, ssl_look *look)
{ return b->vit ? ssl_vit_look_at(at, b->vit, images, look) : b->resnet && ssl_resnet_look_at(at, b->resnet, images, look); }

/* ==== >>mlp ==== projectors and predictors ============================================================ */
SSL_API ssl_mlp ssl_mlp_new_at(const char *at, ssl_ctx *c, const char *prefix, int in, int hidden, int out, const ssl_mlp_desc *desc)
{
    ssl_mlp m;
    char p[256], number[16];
    int i;
    memset(&m, 0, sizeof m);
    if (c->status) return m;
    if (desc) m.d = *desc;
    m.d.layers = SSL__DEF(m.d.layers, 2);
    m.d.act = m.d.act == SSL_ACT_DEFAULT ? SSL_ACT_RELU : m.d.act;
    if (m.d.init.kind == SSL_INIT_ZEROS) m.d.init = ssl_init_make(SSL_INIT_TORCH, 0.0f);
    if (m.d._start_canary || m.d._end_canary) ssl__fail(c, SSL_E_ARG, at, "ssl_mlp_new: the ssl_mlp_desc is not initialized: write `ssl_mlp_desc d = SSL_ZERO;`");
    else if (m.d.layers < 1 || m.d.layers > SSL_MLP_LAYERS) ssl__fail(c, SSL_E_ARG, at, "ssl_mlp_new: \"%s\" with %d layers: 1 to %d are possible", prefix, m.d.layers, SSL_MLP_LAYERS);
    for (i = 0; i < m.d.layers && !c->status; i++) {
        const int last = i == m.d.layers - 1, from = i ? hidden : in, to = last ? out : hidden, at_number = i * (m.d.no_norm ? 2 : 3);
        snprintf(number, sizeof number, "%d", at_number);
        if (m.d.conv) {
            const ssl_conv_layer l = ssl_conv_new_at(at, c, ssl__name(p, prefix, number), from, to, 1, 0, m.d.init, NULL);
            m.linear[i].weight = l.weight; m.linear[i].bias = l.bias;
        } else m.linear[i] = ssl_linear_new_at(at, c, ssl__name(p, prefix, number), from, to, 0, m.d.init);
        snprintf(number, sizeof number, "%d", at_number + 1);
        if (last ? m.d.last_norm : !m.d.no_norm) m.norm[i] = ssl_batch_norm_new_at(at, c, ssl__name(p, prefix, number), to);
        if (last && m.d.last_norm) { ssl__freeze(m.norm[i].weight); ssl__freeze(m.norm[i].bias); }
    }
    return m;
}
static ssl_tensor *ssl__activate(const char *at, ssl_tensor *x, ssl_act act)
{ return act == SSL_ACT_RELU ? ssl_relu_at(at, x) : act == SSL_ACT_GELU ? ssl_gelu_at(at, x) : act == SSL_ACT_GELU_TANH ? ssl_gelu_tanh_at(at, x) : x; }
SSL_API ssl_tensor *ssl_mlp_forward_at(const char *at, const ssl_mlp *m, ssl_tensor *x)
{
    ssl_ctx *c = x->ctx;
    int i;
    for (i = 0; i < m->d.layers && !c->status; i++) {
        const ssl_linear_layer *l = &m->linear[i];
        const ssl_act act = i == m->d.layers - 1 ? SSL_ACT_NONE : m->d.act;
        const int norm = m->norm[i].weight != NULL, fused = norm && act == SSL_ACT_RELU;
        x = m->d.conv ? ssl_conv2d_at(at, x, l->weight, l->bias, NULL) : ssl_linear_at(at, x, l->weight, l->bias);
        if (norm && !c->status) x = ssl_batch_norm_forward_at(at, &m->norm[i], x, fused, NULL);
        if (!fused) x = ssl__activate(at, x, act);
    }
    return c->status ? &c->nil : x;
}

/* ==== >>apl ==== puzzle: absolute position localization ============================================== */
SSL_API int ssl_apl_desc_resolve(const ssl_apl_desc *in, ssl_apl_desc *out)
{
    ssl_apl_desc d = SSL_ZERO;
    if (in) d = *in;
    if (d._start_canary || d._end_canary) return 0;
    d.image_size = SSL__DEF(d.image_size, 32);
    d.channels = SSL__DEF(d.channels, 3);
    d.grid = SSL__DEF(d.grid, 4);
    d.crop = SSL__DEF(d.crop, 1);
    d.encoder = d.encoder == SSL_APL_ENCODER_DEFAULT ? SSL_APL_FLATTEN : d.encoder;
    d.dim = SSL__DEF(d.dim, 192);
    d.depth = SSL__DEF(d.depth, 4);
    d.heads = SSL__DEF(d.heads, 4);
    d.hidden_mult = SSL__DEF(d.hidden_mult, 3);
    d.act = d.act == SSL_ACT_DEFAULT ? SSL_ACT_RELU : d.act;
    d.method = d.method == SSL_APL_METHOD_DEFAULT ? SSL_APL_MASKED : d.method;
    d.final_norm = SSL__DEF(d.final_norm, d.pre_norm ? 1 : -1);
    *out = d;
    return 1;
}

static int ssl__apl_sizes(const char *at, ssl_apl *m)
{
    const ssl_apl_desc *d = &m->d;
    const int crop = SSL__MAX(d->crop, 0);
    m->patch = d->grid > 0 ? d->image_size / d->grid : 0;
    m->cropped = m->patch - crop;
    m->tokens = d->grid * d->grid;
    m->token_dim = d->encoder == SSL_APL_FLATTEN ? d->channels * m->cropped * m->cropped : d->encoder == SSL_APL_CNN ? 128 : d->encoder == SSL_APL_RESNET18 ? 512 : d->dim;
    if (m->cropped < 1) ssl__fail(m->ctx, SSL_E_ARG, at, "ssl_apl_new: image_size %d, grid %d, crop %d leave patches of %d pixels: take a smaller grid or crop", d->image_size, d->grid, crop, m->cropped);
    else if (d->heads < 1 || m->token_dim % d->heads)
        ssl__fail(m->ctx, SSL_E_ARG, at, "ssl_apl_new: tokens of width %d (from %d channels of %d x %d pixels) cannot be shared by %d heads: change heads, crop or grid, or set encoder to SSL_APL_LINEAR with a dim",
                  m->token_dim, d->channels, m->cropped, m->cropped, d->heads);
    else if (d->encoder < SSL_APL_FLATTEN || d->encoder > SSL_APL_RESNET18) ssl__fail(m->ctx, SSL_E_ARG, at, "ssl_apl_new: encoder %d: take one of SSL_APL_FLATTEN, LINEAR, CNN, RESNET18", (int)d->encoder);
    else if (d->patch_dropout < 0.0f || d->patch_dropout >= 1.0f)
        ssl__fail(m->ctx, SSL_E_ARG, at, "ssl_apl_new: patch_dropout %g: it must be in [0,1)", (double)d->patch_dropout);
    return !m->ctx->status;
}

static void ssl__apl_encoder_new(const char *at, ssl_ctx *c, const char *prefix, ssl_apl *m)
{
    const ssl_init torch = ssl_init_make(SSL_INIT_TORCH, 0.0f);
    ssl_conv_desc conv = SSL_ZERO;
    ssl_resnet_desc rd = SSL_ZERO;
    char p[256];
    conv.padding = 1;
    rd.channels = m->d.channels;
    rd.cifar_stem = m->d.cifar_stem;
    if (m->d.encoder == SSL_APL_LINEAR) m->embed = ssl_linear_new_at(at, c, ssl__name(p, prefix, "patch_embed"), m->d.channels * m->cropped * m->cropped, m->token_dim, 0, torch);
    if (m->d.encoder == SSL_APL_CNN) {
        m->conv1 = ssl_conv_new_at(at, c, ssl__name(p, prefix, "patch_embed.conv1"), m->d.channels, 64, 3, 0, torch, &conv);
        m->conv2 = ssl_conv_new_at(at, c, ssl__name(p, prefix, "patch_embed.conv2"), 64, 128, 3, 0, torch, &conv);
    }
    if (m->d.encoder == SSL_APL_RESNET18) m->resnet = ssl_resnet_new_at(at, c, ssl__name(p, prefix, "patch_embed.resnet"), &rd);
    if (m->d.project_patch_emb) m->project = ssl_linear_new_at(at, c, ssl__name(p, prefix, "patch_embed.project"), m->token_dim, m->token_dim, 1, torch);
}

SSL_API ssl_apl *ssl_apl_new_at(const char *at, ssl_ctx *c, const char *prefix, const ssl_apl_desc *desc)
{
    ssl_apl *m = (ssl_apl *)ssl__model(c, at, sizeof *m);
    const ssl_init torch = ssl_init_make(SSL_INIT_TORCH, 0.0f);
    ssl_block_desc bd = SSL_ZERO;
    char p[256];
    if (c->status) return m;
    if (!ssl_apl_desc_resolve(desc, &m->d)) { ssl__fail(c, SSL_E_ARG, at, "ssl_apl_new: the ssl_apl_desc is not initialized: write `ssl_apl_desc d = SSL_ZERO;`"); return m; }
    if (!ssl__apl_sizes(at, m)) return m;
    bd.dim = m->token_dim; bd.heads = m->d.heads; bd.hidden = SSL__DEF(m->d.hidden, m->d.hidden_mult * m->token_dim); bd.act = m->d.act;
    bd.style = m->d.original_attention ? SSL_BLOCK_APL : SSL_BLOCK_TORCH;
    bd.post_norm = !m->d.pre_norm; bd.dropout = m->d.dropout;
    ssl__apl_encoder_new(at, c, prefix, m);
    m->block = ssl__blocks_new(at, c, prefix, m->d.original_attention ? "contextualize" : "encoder.layers", m->d.depth, 1, &bd);
    if (m->d.final_norm > 0) m->norm = ssl_norm_new_at(at, c, ssl__name(p, prefix, "encoder.norm"), m->token_dim, 1e-5f);
    if (m->d.mlp_head) {
        m->head = ssl_linear_new_at(at, c, ssl__name(p, prefix, "head.0"), m->token_dim, 3 * m->token_dim, 0, torch);
        m->head2 = ssl_linear_new_at(at, c, ssl__name(p, prefix, "head.3"), 3 * m->token_dim, m->tokens, 0, torch);
    } else m->head = ssl_linear_new_at(at, c, ssl__name(p, prefix, "head"), m->token_dim, m->tokens, 0, torch);
    return m;
}

/* [B,C,H,W] -> [B,T,C k k]: G x G patches, the crop's offset is round-half-even(K/2) */
static ssl_tensor *ssl__apl_patches(const char *at, const ssl_apl *m, ssl_tensor *images)
{
    const ssl_apl_desc *d = &m->d;
    const int size = d->grid * m->patch, crop = SSL__MAX(d->crop, 0), off = crop / 2 + (crop % 4 == 3);
    ssl_tensor *x = images;
    char s[96];
    if (m->ctx->status) return &m->ctx->nil;
    if (images->ndim != 4 || images->dim[1] != d->channels || images->dim[2] != d->image_size || images->dim[3] != d->image_size)
        return ssl__fail(m->ctx, SSL_E_SHAPE, at, "ssl_apl: images%s: [B,%d,%d,%d] is needed", ssl__shape(images, s), d->channels, d->image_size, d->image_size);
    if (size != d->image_size) x = ssl_slice_at(at, ssl_slice_at(at, x, 2, 0, size), 3, 0, size);
    x = ssl_patchify_at(at, x, m->patch, SSL_PATCH_CHANNEL_ROW_COL);
    if (crop == 0) return x;
    x = ssl_reshape_at(at, x, 5, images->dim[0], m->tokens, d->channels, m->patch, m->patch);
    x = ssl_slice_at(at, ssl_slice_at(at, x, 3, off, off + m->cropped), 4, off, off + m->cropped);
    return ssl_reshape_at(at, x, 3, images->dim[0], m->tokens, d->channels * m->cropped * m->cropped);
}
/* patches [B,Tk,C k k] -> tokens [B,Tk,D], each from its own pixels */
static ssl_tensor *ssl__apl_embed(const char *at, const ssl_apl *m, ssl_tensor *x)
{
    const int B = x->dim[0], T = x->dim[1], k = m->cropped;
    if (m->d.encoder == SSL_APL_LINEAR) x = ssl__lin(at, x, &m->embed);
    if (m->d.encoder == SSL_APL_CNN) {
        x = ssl_relu_at(at, ssl_conv_forward_at(at, &m->conv1, ssl_reshape_at(at, x, 4, B * T, m->d.channels, k, k)));
        x = ssl_drop_path_at(at, ssl_reshape_at(at, x, 2, B * T * 64, k * k), m->d.encoder_dropout); /* a row is a channel of a patch */
        x = ssl_relu_at(at, ssl_conv_forward_at(at, &m->conv2, ssl_reshape_at(at, x, 4, B * T, 64, k, k)));
        x = ssl_reshape_at(at, ssl_global_avg_pool_at(at, x), 3, B, T, m->token_dim);
    }
    if (m->d.encoder == SSL_APL_RESNET18)
        x = ssl_reshape_at(at, ssl_resnet_forward_at(at, m->resnet, ssl_reshape_at(at, x, 4, B * T, m->d.channels, k, k)), 3, B, T, m->token_dim);
    return m->project.weight ? ssl__lin(at, x, &m->project) : x;
}
/* patches [B,Tk,C k k] -> contextualized tokens [B,Tk,D]; rows with drop = 1 enter as zeros */
static ssl_tensor *ssl__apl_encode(const char *at, const ssl_apl *m, ssl_tensor *x, ssl_tensor *drop)
{
    int i;
    if (m->ctx->status) return &m->ctx->nil;
    x = ssl_dropout_at(at, ssl__apl_embed(at, m, x), m->d.embed_dropout);
    if (drop) x = ssl_zero_rows_at(at, x, drop);
    for (i = 0; i < m->d.depth; i++) x = ssl_block_forward_at(at, &m->block[i], x, NULL);
    return m->d.final_norm > 0 ? ssl__ln(at, x, &m->norm) : x;
}
static ssl_tensor *ssl__apl_head(const char *at, const ssl_apl *m, ssl_tensor *z)
{
    if (!m->d.mlp_head) return ssl__lin(at, z, &m->head);
    z = ssl_linear_fused_at(at, z, m->head.weight, m->head.bias, SSL_ACT_RELU, NULL);
    return ssl__lin(at, ssl_dropout_at(at, z, 0.1f), &m->head2);
}

/* Patch dropout, unless the trace forces it: t->drop, or the places t->ids_keep of the patches that stay. Returns those patches. */
static ssl_tensor *ssl__apl_drop(const char *at, const ssl_apl *m, ssl_tensor *x, ssl_apl_trace *t)
{
    ssl_ctx *c = m->ctx;
    const int T = m->tokens, keep = SSL__MAX((int)((float)T * (1.0f - m->d.patch_dropout) + 0.5f), 1), draw = m->d.patch_dropout > 0.0f && c->training;
    if (c->status) return &c->nil;
    if (m->d.method != SSL_APL_SUBSET) {
        if (!t->drop && draw) t->drop = ssl_bernoulli_at(at, c, x->dim[0], T, m->d.patch_dropout);
        return x;
    }
    if (!t->ids_keep && draw) t->ids_keep = ssl_slice_ids_at(at, ssl_argsort_at(at, ssl_random_uniform_at(at, c, 2, x->dim[0], T)), 0, keep);
    return t->ids_keep ? ssl_gather_tokens_at(at, x, t->ids_keep) : x;
}

SSL_API ssl_tensor *ssl_apl_loss_at(const char *at, const ssl_apl *m, ssl_tensor *images, ssl_apl_trace *trace)
{
    ssl_ctx *c = m->ctx;
    ssl_apl_trace none = SSL_ZERO, *t = trace ? trace : &none;
    ssl_tensor *x;
    t->patches = ssl__apl_patches(at, m, images);
    x = ssl__apl_drop(at, m, t->patches, t);
    if (c->status) return &c->nil;
    t->target = t->ids_keep; /* the label of a patch is its place */
    if (!t->ids_keep) t->target = ssl_reshape_at(at, ssl_iota_at(at, c, x->dim[0] * m->tokens, 0, 1, m->tokens), 2, x->dim[0], m->tokens);
    if (t->drop && m->d.method == SSL_APL_MASKED) t->target = ssl_ignore_at(at, t->target, t->drop);
    t->logits = ssl__apl_head(at, m, ssl__apl_encode(at, m, x, t->drop));
    return ssl_cross_entropy_at(at, t->logits, t->target, 0.0f);
}

SSL_API ssl_tensor *ssl_apl_features_at(const char *at, const ssl_apl *m, ssl_tensor *images)
{
    ssl_apl_trace t = SSL_ZERO;
    ssl_tensor *x = ssl__apl_drop(at, m, ssl__apl_patches(at, m, images), &t);
    return ssl_mean_axes_at(at, ssl__apl_encode(at, m, x, t.drop), SSL_AXIS(1), 0);
}

SSL_API int ssl_apl_look_at(const char *at, const ssl_apl *m, ssl_tensor *images, ssl_look *look)
{
    ssl_tensor *x = ssl__apl_patches(at, m, images);
    if (m->ctx->status) return ssl__looked(look, x, 0, 0);
    x = ssl__blocks_look(at, m->block, m->d.depth, ssl__apl_embed(at, m, x), 0, look);
    return ssl__looked(look, m->d.final_norm > 0 ? ssl__ln(at, x, &m->norm) : x, m->d.grid, m->d.grid);
}

/* ==== >>mae ==== masked autoencoder ================================================================== */
#define SSL__DECODER_DEFAULTS(d) /* of what the two masked autoencoders share beside it */                     \
    ((d).decoder_dim = SSL__DEF((d).decoder_dim, 128), (d).decoder_depth = SSL__DEF((d).decoder_depth, 4),     \
     (d).decoder_heads = SSL__DEF((d).decoder_heads, SSL__MAX((d).decoder_dim / 32, 1)),                       \
     (d).decoder_hidden = SSL__DEF((d).decoder_hidden, 4 * (d).decoder_dim), (d).mask_ratio = SSL__DEFF((d).mask_ratio, 0.75f))
SSL_API int ssl_mae_desc_resolve(const ssl_mae_desc *in, ssl_mae_desc *out)
{
    ssl_mae_desc d = SSL_ZERO;
    if (in) d = *in;
    if (d._start_canary || d._end_canary) return 0;
    SSL__VIT_DEFAULTS(d, 12);
    SSL__DECODER_DEFAULTS(d);
    d.norm_pix_eps = SSL__DEF(d.norm_pix_eps, 1e-6f);
    *out = d;
    return 1;
}

SSL_API ssl_mae *ssl_mae_new_at(const char *at, ssl_ctx *c, const char *prefix, const ssl_mae_desc *desc)
{
    ssl_mae *m = (ssl_mae *)ssl__model(c, at, sizeof *m);
    ssl_mae_desc *d = &m->d;
    ssl_vit_desc vd = SSL_ZERO;
    ssl_block_desc bd = SSL_ZERO;
    char p[256];
    if (c->status) return m;
    if (!ssl_mae_desc_resolve(desc, d)) { ssl__fail(c, SSL_E_ARG, at, "ssl_mae_new: the ssl_mae_desc is not initialized: write `ssl_mae_desc d = SSL_ZERO;`"); return m; }
    vd.image_size = d->image_size; vd.patch = d->patch; vd.channels = d->channels; vd.dim = d->dim; vd.depth = d->depth; vd.heads = d->heads;
    vd.hidden = d->hidden; vd.pos = SSL_POS_SINCOS; vd.mean_pool = 1; vd.drop_path = d->drop_path; vd.init = ssl__xavier();
    m->vit = ssl_vit_new_at(at, c, prefix, &vd);
    if (c->status) return m;
    m->tokens = m->vit->tokens;
    m->keep = (int)((double)m->tokens * (1.0 - ssl__decimal(d->mask_ratio)));
    if (m->keep < 1 || m->keep >= m->tokens) {
        ssl__fail(c, SSL_E_ARG, at, "ssl_mae_new: mask_ratio %g of %d patches leaves %d to see and %d to predict: both must be at least 1", (double)d->mask_ratio, m->tokens, m->keep, m->tokens - m->keep);
        return m;
    }
    m->decoder_embed = ssl_linear_new_at(at, c, ssl__name(p, prefix, "decoder_embed"), d->dim, d->decoder_dim, 0, ssl__xavier());
    m->mask_token = ssl__token_new(at, c, prefix, "mask_token", 1, d->decoder_dim, 0.02f);
    m->decoder_pos = ssl__sincos_new(at, c, ssl__name(p, prefix, "decoder_pos_embed"), d->decoder_dim, d->image_size / d->patch, 1);
    bd.dim = d->decoder_dim; bd.heads = d->decoder_heads; bd.hidden = d->decoder_hidden;
    m->block = ssl__blocks_new(at, c, prefix, "decoder_blocks", d->decoder_depth, 1, &bd);
    m->decoder_norm = ssl_norm_new_at(at, c, ssl__name(p, prefix, "decoder_norm"), d->decoder_dim, 1e-6f);
    m->decoder_pred = ssl_linear_new_at(at, c, ssl__name(p, prefix, "decoder_pred"), d->decoder_dim, d->patch * d->patch * d->channels, 0, ssl__xavier());
    return m;
}

/* (p - mean) / sqrt(var + eps) per patch, unbiased variance.  p [B,L,N] */
static ssl_tensor *ssl__normalize_patches(const char *at, ssl_tensor *p, float eps)
{
    const float n = (float)ssl__last(p);
    const unsigned axis = SSL_AXIS(p->ndim - 1);
    ssl_tensor *x, *var;
    if (p->ctx->status) return p;
    x = ssl_sub_at(at, p, ssl_mean_axes_at(at, p, axis, 1));
    var = ssl_scale_at(at, ssl_sum_axes_at(at, ssl_square_at(at, x), axis, 1), 1.0f / (n - 1.0f));
    return ssl_div_at(at, x, ssl_sqrt_at(at, ssl_add_scalar_at(at, var, eps)));
}

/* latent [B,1+keep,D] -> [B,1+L,Dd]: mask tokens in the hidden places, positions, decoder blocks */
static ssl_tensor *ssl__mae_decode(const char *at, const ssl_mae *m, ssl_tensor *latent, ssl_tensor *ids_keep)
{
    const int dd = m->d.decoder_dim;
    ssl_tensor *x = ssl__lin(at, latent, &m->decoder_embed), *part[2], *all;
    int i;
    if (m->ctx->status) return &m->ctx->nil;
    all = ssl_expand_at(at, m->mask_token, 3, x->dim[0], m->tokens, dd);
    part[0] = ssl_slice_at(at, x, 1, 0, 1);
    part[1] = ssl_scatter_tokens_at(at, all, ssl_slice_at(at, x, 1, 1, 1 + m->keep), ids_keep);
    x = ssl_add_at(at, ssl_concat_at(at, 1, 2, part), ssl__view(at, m->decoder_pos, 0, 2, 1 + m->tokens, dd));
    for (i = 0; i < m->d.decoder_depth; i++) x = ssl_block_forward_at(at, &m->block[i], x, NULL);
    return x;
}

SSL_API ssl_tensor *ssl_mae_loss_at(const char *at, const ssl_mae *m, ssl_tensor *images, ssl_mae_trace *trace)
{
    ssl_ctx *c = m->ctx;
    ssl_mae_trace none = SSL_ZERO, *t = trace ? trace : &none;
    ssl_tensor *x = c->status ? &c->nil : ssl__vit_embed(at, m->vit, images), *keep, *hidden, *target;
    if (c->status) return &c->nil;
    if (!t->ids_shuffle) t->ids_shuffle = ssl_argsort_at(at, ssl_random_uniform_at(at, c, 2, x->dim[0], m->tokens));
    keep = ssl_slice_ids_at(at, t->ids_shuffle, 0, m->keep);
    hidden = ssl_slice_ids_at(at, t->ids_shuffle, m->keep, m->tokens);
    t->latent = ssl__vit_encode(at, m->vit, ssl_gather_tokens_at(at, x, keep));
    x = ssl__mae_decode(at, m, t->latent, keep);
    x = ssl_slice_at(at, x, 1, 1, 1 + m->tokens); /* without the class token */
    if (trace) t->pred = ssl__lin(at, ssl__ln(at, x, &m->decoder_norm), &m->decoder_pred);
    x = ssl__lin(at, ssl__ln(at, ssl_gather_tokens_at(at, x, hidden), &m->decoder_norm), &m->decoder_pred);
    target = ssl_gather_tokens_at(at, ssl_patchify_at(at, images, m->d.patch, SSL_PATCH_ROW_COL_CHANNEL), hidden);
    return ssl_mse_at(at, x, m->d.norm_pix ? ssl__normalize_patches(at, target, m->d.norm_pix_eps) : target);
}

SSL_API ssl_tensor *ssl_mae_features_at(const char *at, const ssl_mae *m, ssl_tensor *images)
{ return m->ctx->status ? &m->ctx->nil : ssl_vit_pool_at(at, m->vit, ssl_vit_forward_at(at, m->vit, images)); }

/* ==== >>mask-token-mae ==== mask tokens before the encoder =========================================== */
SSL_API int ssl_mask_token_mae_desc_resolve(const ssl_mask_token_mae_desc *in, ssl_mask_token_mae_desc *out)
{
    ssl_mask_token_mae_desc d = SSL_ZERO;
    if (in) d = *in;
    if (d._start_canary || d._end_canary) return 0;
    SSL__VIT_DEFAULTS(d, 12);
    SSL__DECODER_DEFAULTS(d);
    d.mask_tokens = SSL__DEF(d.mask_tokens, 1);
    d.pixel_scale = SSL__DEFF(d.pixel_scale, 255.0f);
    *out = d;
    return 1;
}

SSL_API ssl_mask_token_mae *ssl_mask_token_mae_new_at(const char *at, ssl_ctx *c, const char *prefix, const ssl_mask_token_mae_desc *desc)
{
    ssl_mask_token_mae *m = (ssl_mask_token_mae *)ssl__model(c, at, sizeof *m);
    ssl_mask_token_mae_desc *d = &m->d;
    ssl_block_desc bd = SSL_ZERO;
    char p[256];
    int grid, ppc;
    if (c->status) return m;
    if (!ssl_mask_token_mae_desc_resolve(desc, d)) { ssl__fail(c, SSL_E_ARG, at, "ssl_mask_token_mae_new: the ssl_mask_token_mae_desc is not initialized: write `ssl_mask_token_mae_desc d = SSL_ZERO;`"); return m; }
    if (d->patch < 1 || d->image_size % d->patch) { ssl__fail(c, SSL_E_ARG, at, "ssl_mask_token_mae_new: image_size %d is not a multiple of patch %d", d->image_size, d->patch); return m; }
    grid = d->image_size / d->patch;
    ppc = d->patch * d->patch * d->channels;
    m->tokens = grid * grid;
    m->n_hidden = (int)((double)m->tokens * ssl__decimal(d->mask_ratio));
    if (m->n_hidden < 1 || m->n_hidden > m->tokens) { ssl__fail(c, SSL_E_ARG, at, "ssl_mask_token_mae_new: mask_ratio %g hides %d of %d patches: 1 to all of them must be hidden", (double)d->mask_ratio, m->n_hidden, m->tokens); return m; }
    m->mask_tokens = ssl__token_new(at, c, prefix, "masktokens", d->mask_tokens, d->dim, 0.02f);
    m->proj_enc = ssl_linear_new_at(at, c, ssl__name(p, prefix, "proj_enc"), ppc, d->dim, 0, ssl__xavier());
    m->enc_pos = ssl__sincos_new(at, c, ssl__name(p, prefix, "enc_embed"), d->dim, grid, 0);
    bd.dim = d->dim; bd.heads = d->heads; bd.hidden = d->hidden; bd.eps = 1e-5f;
    m->encoder = ssl__blocks_new(at, c, prefix, "encoder", d->depth, 1, &bd);
    m->proj_dec = ssl_linear_new_at(at, c, ssl__name(p, prefix, "proj_dec"), d->dim, d->decoder_dim, 0, ssl__xavier());
    m->dec_pos = ssl__sincos_new(at, c, ssl__name(p, prefix, "dec_embed"), d->decoder_dim, grid, 0);
    bd.dim = d->decoder_dim; bd.heads = d->decoder_heads; bd.hidden = d->decoder_hidden;
    m->decoder = ssl__blocks_new(at, c, prefix, "decoder", SSL__MAX(d->decoder_depth, 0), 0, &bd);
    m->norm = ssl_norm_new_at(at, c, ssl__name(p, prefix, "decoder_norm"), d->decoder_dim, 1e-5f);
    m->pred = ssl_linear_new_at(at, c, ssl__name(p, prefix, "decoder_pred"), d->decoder_dim, ppc, 0, ssl__xavier());
    return m;
}

static ssl_tensor *ssl__mask_token_patches(const char *at, const ssl_mask_token_mae *m, ssl_tensor *images)
{
    const ssl_mask_token_mae_desc *d = &m->d;
    char s[96];
    if (m->ctx->status) return &m->ctx->nil;
    if (images->ndim != 4 || images->dim[1] != d->channels || images->dim[2] != d->image_size || images->dim[3] != d->image_size)
        return ssl__fail(m->ctx, SSL_E_SHAPE, at, "ssl_mask_token_mae: images%s: [B,%d,%d,%d] is needed", ssl__shape(images, s), d->channels, d->image_size, d->image_size);
    return ssl_patchify_at(at, images, d->patch, SSL_PATCH_CHANNEL_ROW_COL);
}
static ssl_tensor *ssl__mask_token_encode(const char *at, const ssl_mask_token_mae *m, ssl_tensor *x)
{
    int i;
    x = ssl_add_at(at, x, m->enc_pos);
    for (i = 0; i < m->d.depth; i++) x = ssl_block_forward_at(at, &m->encoder[i], x, NULL);
    return x;
}
SSL_API ssl_tensor *ssl_mask_token_mae_loss_at(const char *at, const ssl_mask_token_mae *m, ssl_tensor *images, ssl_mask_token_mae_trace *trace)
{
    ssl_ctx *c = m->ctx;
    ssl_mask_token_mae_trace none = SSL_ZERO, *t = trace ? trace : &none;
    const int L = m->tokens, n = m->n_hidden;
    ssl_tensor *x, *hidden, *tokens;
    int i, B;
    t->patches = ssl__mask_token_patches(at, m, images);
    if (c->status) return &c->nil;
    B = images->dim[0];
    if (!t->ids_shuffle) t->ids_shuffle = ssl_argsort_at(at, ssl_random_uniform_at(at, c, 2, m->d.per_image ? B : 1, L));
    if (!t->token_index) t->token_index = ssl_random_ids_at(at, c, 1, n, m->d.mask_tokens);
    hidden = ssl_slice_ids_at(at, t->ids_shuffle, 0, n);
    if (hidden->dim[0] != B) hidden = ssl_repeat_ids_at(at, hidden, B);
    tokens = ssl_gather_tokens_at(at, m->mask_tokens, ssl_repeat_ids_at(at, t->token_index, 1));
    tokens = ssl_expand_at(at, tokens, 3, B, n, m->d.dim);
    x = ssl_scatter_tokens_at(at, ssl__lin(at, t->patches, &m->proj_enc), tokens, hidden);
    x = ssl_add_at(at, ssl__lin(at, ssl__mask_token_encode(at, m, x), &m->proj_dec), m->dec_pos);
    for (i = 0; i < m->d.decoder_depth; i++) x = ssl_block_forward_at(at, &m->decoder[i], x, NULL);
    t->pred = ssl__lin(at, ssl__ln(at, x, &m->norm), &m->pred);
    x = ssl_mse_at(at, ssl_gather_tokens_at(at, t->pred, hidden), ssl_gather_tokens_at(at, t->patches, hidden));
    return ssl_scale_at(at, x, m->d.pixel_scale * m->d.pixel_scale);
}
SSL_API ssl_tensor *ssl_mask_token_mae_features_at(const char *at, const ssl_mask_token_mae *m, ssl_tensor *images)
{
    ssl_tensor *x = ssl__lin(at, ssl__mask_token_patches(at, m, images), &m->proj_enc);
    return ssl_mean_axes_at(at, ssl__mask_token_encode(at, m, x), SSL_AXIS(1), 0);
}
SSL_API int ssl_mask_token_mae_look_at(const char *at, const ssl_mask_token_mae *m, ssl_tensor *images, ssl_look *look)
{
    ssl_tensor *x = ssl__lin(at, ssl__mask_token_patches(at, m, images), &m->proj_enc);
    const int grid = m->ctx->status ? 0 : m->d.image_size / m->d.patch;
    return ssl__looked(look, ssl__blocks_look(at, m->encoder, m->d.depth, ssl_add_at(at, x, m->enc_pos), 0, look), grid, grid);
}

SSL_API float ssl_psnr(const ssl_tensor *pred, const ssl_tensor *target, int each_own_scale)
{
    ssl_ctx *c = pred->ctx;
    const int64_t n = ssl_numel(pred);
    float *p = (float *)ssl__aux(c, "ssl_psnr", sizeof(float) * (size_t)n), *q = (float *)ssl__aux(c, "ssl_psnr", sizeof(float) * (size_t)n);
    double sp = 255.0, st = 255.0, mp = -1e30, mt = -1e30, sum = 0.0;
    int64_t i;
    if (!p || !q || n != ssl_numel(target) || !ssl_to_host(pred, p) || !ssl_to_host(target, q)) return ssl__bits(0x7fc00000u);
    for (i = 0; i < n; i++) { mp = SSL__MAX(mp, (double)p[i]); mt = SSL__MAX(mt, (double)q[i]); }
    if (each_own_scale) { sp = mp <= 1.0 ? 255.0 : 1.0; st = mt <= 1.0 ? 255.0 : 1.0; }
    for (i = 0; i < n; i++) { const double d = sp * (double)p[i] - st * (double)q[i]; sum += d * d; }
    return (float)(10.0 * log10(255.0 * 255.0 * (double)n / sum));
}

/* ==== >>randsac ==== random segments, autoregressive ================================================= */
SSL_API int ssl_randsac_desc_resolve(const ssl_randsac_desc *in, ssl_randsac_desc *out)
{
    ssl_randsac_desc d = SSL_ZERO;
    if (in) d = *in;
    if (d._start_canary || d._end_canary) return 0;
    SSL__VIT_DEFAULTS(d, 6);
    d.segments = d.segments == SSL_SEGMENTS_DEFAULT ? SSL_SEGMENTS_SQUARE : d.segments;
    d.segment = SSL__DEF(d.segment, 2);
    d.blobs = SSL__DEF(d.blobs, 8);
    d.groups = SSL__DEF(d.groups, 1);
    d.decoder_depth = SSL__DEF(d.decoder_depth, 4);
    d.act = d.act == SSL_ACT_DEFAULT ? SSL_ACT_GELU : d.act;
    *out = d;
    return 1;
}

static int ssl__randsac_sizes(const char *at, ssl_randsac *m)
{
    const ssl_randsac_desc *d = &m->d;
    ssl_ctx *c = m->ctx;
    m->grid = d->patch > 0 ? d->image_size / d->patch : 0;
    m->tokens = m->grid * m->grid;
    m->n_segments = d->segments == SSL_SEGMENTS_BLOB ? d->blobs : d->segment > 0 ? (m->grid / d->segment) * (m->grid / d->segment) : 0;
    if (d->patch < 1 || d->image_size % d->patch) ssl__fail(c, SSL_E_ARG, at, "ssl_randsac_new: image_size %d is not a multiple of patch %d", d->image_size, d->patch);
    else if (d->segments == SSL_SEGMENTS_SQUARE && (d->segment < 1 || m->grid % d->segment || m->grid % (d->segment * d->groups)))
        ssl__fail(c, SSL_E_ARG, at, "ssl_randsac_new: a grid of %d x %d patches cannot be cut into segments of %d x %d in groups of %d x %d: each must divide the grid",
                  m->grid, m->grid, d->segment, d->segment, d->groups, d->groups);
    else if (m->n_segments < 2) ssl__fail(c, SSL_E_ARG, at, "ssl_randsac_new: %d segment: at least 2 are needed, the first is never predicted; take smaller segments", m->n_segments);
    else if (d->segments == SSL_SEGMENTS_BLOB && (d->groups < 1 || d->groups > d->blobs))
        ssl__fail(c, SSL_E_ARG, at, "ssl_randsac_new: %d blobs in %d groups: there must be 1 to %d groups", d->blobs, d->groups, d->blobs);
    return !c->status;
}

SSL_API ssl_randsac *ssl_randsac_new_at(const char *at, ssl_ctx *c, const char *prefix, const ssl_randsac_desc *desc)
{
    ssl_randsac *m = (ssl_randsac *)ssl__model(c, at, sizeof *m);
    ssl_randsac_desc *d = &m->d;
    const ssl_init torch = ssl_init_make(SSL_INIT_TORCH, 0.0f);
    ssl_block_desc bd = SSL_ZERO;
    char p[256];
    int ppc;
    if (c->status) return m;
    if (!ssl_randsac_desc_resolve(desc, d)) { ssl__fail(c, SSL_E_ARG, at, "ssl_randsac_new: the ssl_randsac_desc is not initialized: write `ssl_randsac_desc d = SSL_ZERO;`"); return m; }
    if (!ssl__randsac_sizes(at, m)) return m;
    ppc = d->patch * d->patch * d->channels;
    bd.dim = d->dim; bd.heads = d->heads; bd.hidden = d->hidden; bd.act = d->act; bd.style = SSL_BLOCK_TORCH; bd.dropout = d->dropout;
    m->pos = ssl_param_at(at, c, ssl_init_make(SSL_INIT_NORMAL, 0.02f), ssl__name(p, prefix, "pos"), 4, 1, m->grid, m->grid, d->dim);
    ssl__no_decay(m->pos);
    m->in_proj = ssl_linear_new_at(at, c, ssl__name(p, prefix, "in_proj"), ppc, d->dim, 0, torch);
    m->encoder = ssl__blocks_new(at, c, prefix, "transformer.encoder.layers", d->depth, 1, &bd);
    m->encoder_norm = ssl_norm_new_at(at, c, ssl__name(p, prefix, "transformer.encoder.norm"), d->dim, 1e-5f);
    if (!d->no_skip) {
        m->skip_w = ssl_param_at(at, c, torch, ssl__name(p, prefix, "transformer.skip_connection.weight"), 2, d->decoder_depth, d->depth);
        m->skip_b = ssl__bias(at, c, ssl__name(p, prefix, "transformer.skip_connection.bias"), d->depth, d->decoder_depth, torch);
    }
    bd.cross = 1;
    m->decoder = ssl__blocks_new(at, c, prefix, "transformer.decoder.layers", d->decoder_depth, 1, &bd);
    m->decoder_norm = ssl_norm_new_at(at, c, ssl__name(p, prefix, "transformer.decoder.norm"), d->dim, 1e-5f);
    m->out_proj = ssl_linear_new_at(at, c, ssl__name(p, prefix, "out_proj"), d->dim, ppc, 0, torch);
    return m;
}

/* Order of the squares, I32 [B,S]. Hierarchical: a draw per group decides first, a draw per segment inside it. */
static ssl_tensor *ssl__randsac_order(const char *at, const ssl_randsac *m, int B)
{
    ssl_ctx *c = m->ctx;
    const int S = m->n_segments, side = m->grid / m->d.segment, per = m->d.groups, gside = side / per;
    ssl_tensor *u, *big;
    int32_t *group;
    int s;
    if (c->status) return &c->nil;
    if (m->d.raster) return ssl_reshape_at(at, ssl_iota_at(at, c, B * S, 0, 1, S), 2, B, S);
    u = ssl_random_uniform_at(at, c, 2, B, S);
    if (per == 1) return ssl_argsort_at(at, u);
    group = (int32_t *)ssl__aux(c, at, sizeof *group * (size_t)S);
    for (s = 0; group && s < S; s++) group[s] = (s / side / per) * gside + s % side / per;
    big = ssl_index_select_at(at, ssl_reshape_at(at, ssl_random_uniform_at(at, c, 2, B, gside * gside), 3, B, gside * gside, 1), ssl_input_i32_at(at, c, group, 1, S));
    return ssl_argsort_at(at, ssl_add_at(at, ssl_scale_at(at, ssl_reshape_at(at, big, 2, B, S), 65536.0f), u)); /* u < 1: ties of groups only */
}

/* src [B,Qs,D] through the encoder; memory of decoder layer i = sum_l w[i,l] norm(level l) + b[i] -> [decoder_depth, B Q D] */
static ssl_tensor *ssl__randsac_encode(const char *at, const ssl_randsac *m, ssl_tensor *x, ssl_tensor *mask)
{
    ssl_ctx *c = m->ctx;
    ssl_tensor **level = (ssl_tensor **)ssl__aux(c, at, sizeof *level * (size_t)m->d.depth), *all;
    int i;
    if (c->status) return &c->nil;
    for (i = 0; i < m->d.depth; i++) {
        x = ssl_block_forward_at(at, &m->encoder[i], x, mask);
        level[i] = ssl_reshape_at(at, ssl__ln(at, x, &m->encoder_norm), 2, 1, -1);
    }
    if (m->d.no_skip) return level[m->d.depth - 1];
    all = ssl_concat_at(at, 0, m->d.depth, level);
    return ssl_add_at(at, ssl_matmul_t_at(at, m->skip_w, all, 0, 0), ssl_reshape_at(at, m->skip_b, 2, m->d.decoder_depth, 1));
}

/* queries [B,Q,D] read the memories layer by layer -> predicted pixels [B,Q,P P C] */
static ssl_tensor *ssl__randsac_decode(const char *at, const ssl_randsac *m, ssl_tensor *query, ssl_tensor *memory, ssl_tensor *mask, ssl_tensor *memory_mask)
{
    ssl_tensor *x = query;
    int i;
    if (m->ctx->status) return &m->ctx->nil;
    for (i = 0; i < m->d.decoder_depth; i++) {
        ssl_tensor *mem = m->d.no_skip ? memory : ssl_slice_at(at, memory, 0, i, i + 1);
        x = ssl_block_decode_at(at, &m->decoder[i], x, ssl_reshape_at(at, mem, 3, query->dim[0], -1, m->d.dim), mask, memory_mask);
    }
    return ssl__lin(at, ssl__ln(at, x, &m->decoder_norm), &m->out_proj);
}

/* Squares: source = all segments but the last, queries = positions of all but the first, one mask for everything. */
static ssl_tensor *ssl__randsac_squares(const char *at, const ssl_randsac *m, ssl_tensor *patches, ssl_tensor *tokens, ssl_tensor *pos, ssl_randsac_trace *t)
{
    ssl_ctx *c = m->ctx;
    const int L = m->tokens, MM = m->d.segment * m->d.segment, Q = L - MM;
    ssl_tensor *mask, *rest;
    if (!t->ids_shuffle) t->ids_shuffle = ssl__randsac_order(at, m, tokens->dim[0]);
    t->order = ssl_segment_tokens_at(at, t->ids_shuffle, m->grid, m->d.segment);
    rest = ssl_slice_ids_at(at, t->order, MM, L);
    mask = ssl_reshape_at(at, ssl_segment_mask_at(at, ssl_reshape_at(at, ssl_iota_at(at, c, Q, 0, MM, Q), 2, 1, Q), 0), 2, Q, Q);
    t->memory = ssl__randsac_encode(at, m, ssl_gather_tokens_at(at, tokens, ssl_slice_ids_at(at, t->order, 0, Q)), mask);
    t->pred = ssl__randsac_decode(at, m, ssl_gather_tokens_at(at, pos, rest), t->memory, mask, mask);
    t->target = ssl_gather_tokens_at(at, patches, rest);
    if (!m->d.raw_target) t->target = ssl__normalize_patches(at, t->target, 1e-6f);
    return ssl_mse_at(at, t->pred, t->target);
}

/* Blobs differ in size, so nothing is cut off: a query of segment s sees segments before s, those of the first are left out of the loss. */
static ssl_tensor *ssl__randsac_blobs(const char *at, const ssl_randsac *m, ssl_tensor *patches, ssl_tensor *tokens, ssl_tensor *pos, ssl_randsac_trace *t)
{
    ssl_ctx *c = m->ctx;
    const int B = tokens->dim[0], L = m->tokens;
    ssl_tensor *mask, *first, *error, *kept;
    t->rank = ssl_blob_segments_at(at, c, B, m->grid, m->d.blobs, m->d.groups);
    mask = ssl_segment_mask_at(at, t->rank, 0);
    first = ssl_first_segment_at(at, t->rank);
    t->memory = ssl__randsac_encode(at, m, tokens, mask);
    t->pred = ssl__randsac_decode(at, m, pos, t->memory, mask, ssl_segment_mask_at(at, t->rank, 1));
    t->target = m->d.raw_target ? patches : ssl__normalize_patches(at, patches, 1e-6f);
    error = ssl_sum_at(at, ssl_square_at(at, ssl_zero_rows_at(at, ssl_sub_at(at, t->pred, t->target), first)));
    kept = ssl_sum_at(at, ssl_zero_rows_at(at, ssl_add_scalar_at(at, ssl_input_at(at, c, NULL, 3, B, L, 1), 1.0f), first));
    return ssl_div_at(at, error, ssl_scale_at(at, kept, (float)(m->d.patch * m->d.patch * m->d.channels)));
}

static int ssl__randsac_images(const char *at, const ssl_randsac *m, ssl_tensor *x)
{
    const int C = m->d.channels, S = m->d.image_size;
    char s[96];
    if (x->ndim == 4 && x->dim[1] == C && x->dim[2] == S && x->dim[3] == S) return 1;
    ssl__fail(m->ctx, SSL_E_SHAPE, at, "ssl_randsac: images%s: [B,%d,%d,%d] is needed", ssl__shape(x, s), C, S, S);
    return 0;
}
SSL_API ssl_tensor *ssl_randsac_loss_at(const char *at, const ssl_randsac *m, ssl_tensor *images, ssl_randsac_trace *trace)
{
    ssl_ctx *c = m->ctx;
    ssl_randsac_trace none = SSL_ZERO, *t = trace ? trace : &none;
    ssl_tensor *patches, *tokens, *pos, *loss;
    if (c->status || !ssl__randsac_images(at, m, images)) return &c->nil;
    patches = ssl_patchify_at(at, images, m->d.patch, SSL_PATCH_ROW_COL_CHANNEL);
    pos = ssl__view(at, m->pos, 0, 2, m->tokens, m->d.dim);
    tokens = ssl_add_at(at, ssl__lin(at, patches, &m->in_proj), pos);
    pos = ssl_expand_at(at, pos, 3, images->dim[0], m->tokens, m->d.dim);
    loss = m->d.segments == SSL_SEGMENTS_BLOB ? ssl__randsac_blobs(at, m, patches, tokens, pos, t) : ssl__randsac_squares(at, m, patches, tokens, pos, t);
    if (trace && !m->d.no_skip) t->memory = ssl_reshape_at(at, t->memory, 4, m->d.decoder_depth, images->dim[0], -1, m->d.dim);
    return loss;
}

static ssl_tensor *ssl__randsac_embed(const char *at, const ssl_randsac *m, ssl_tensor *images) /* patches + positions [B,L,D] */
{
    if (m->ctx->status || !ssl__randsac_images(at, m, images)) return &m->ctx->nil;
    return ssl_add_at(at, ssl__lin(at, ssl_patchify_at(at, images, m->d.patch, SSL_PATCH_ROW_COL_CHANNEL), &m->in_proj), ssl__view(at, m->pos, 0, 2, m->tokens, m->d.dim));
}
SSL_API int ssl_randsac_look_at(const char *at, const ssl_randsac *m, ssl_tensor *images, ssl_look *look)
{
    ssl_tensor *x = ssl__blocks_look(at, m->encoder, m->d.depth, ssl__randsac_embed(at, m, images), 0, look);
    return ssl__looked(look, ssl__ln(at, x, &m->encoder_norm), m->grid, m->grid);
}
SSL_API ssl_tensor *ssl_randsac_features_at(const char *at, const ssl_randsac *m, ssl_tensor *images)
{
    ssl_tensor *x = ssl__randsac_embed(at, m, images);
    int i;
    for (i = 0; i < m->d.depth; i++) x = ssl_block_forward_at(at, &m->encoder[i], x, NULL);
    return ssl_mean_axes_at(at, ssl__ln(at, x, &m->encoder_norm), SSL_AXIS(1), 0);
}

/* ==== >>jigsaw ==== puzzle: which permutation shuffled the tiles ===================================== */
static void ssl__shuffle(ssl_rng *r, int n, int32_t *out) /* inside out: each new one changes places with an earlier one */
{
    int i;
    for (i = 0; i < n; i++) {
        const int k = ssl_rng_below(r, i + 1);
        out[i] = out[k];
        out[k] = i;
    }
}
static int ssl__hamming(int n, const int32_t *a, const int32_t *b)
{
    int i, d = 0;
    for (i = 0; i < n; i++) d += a[i] != b[i];
    return d;
}
SSL_API int ssl_permutations(int n, int count, int32_t *out)
{
    const int pool = 16384 + 8 * count;
    int32_t *candidate = (int32_t *)SSL_MALLOC(sizeof(int32_t) * (size_t)pool * (size_t)(n + 1)), *distance;
    ssl_rng rng = ssl_rng_make(2016, 0);
    int i, k, best = 0, least = n;
    if (!candidate) return 0;
    distance = candidate + (size_t)pool * (size_t)n; /* of each candidate to the nearest one taken */
    for (i = 0; i < pool; i++) { ssl__shuffle(&rng, n, candidate + (size_t)i * (size_t)n); distance[i] = n; }
    for (k = 0; k < count && least > 0; k++) {
        const int32_t *taken = out + (size_t)k * (size_t)n;
        least = distance[best];
        memcpy(out + (size_t)k * (size_t)n, candidate + (size_t)best * (size_t)n, sizeof(int32_t) * (size_t)n);
        for (best = 0, i = 0; i < pool; i++) {
            const int d = ssl__hamming(n, candidate + (size_t)i * (size_t)n, taken);
            distance[i] = SSL__MIN(distance[i], d);
            if (distance[i] > distance[best]) best = i;
        }
    }
    SSL_FREE(candidate);
    return least;
}

SSL_API int ssl_jigsaw_desc_resolve(const ssl_jigsaw_desc *in, ssl_jigsaw_desc *out)
{
    ssl_jigsaw_desc d = SSL_ZERO;
    int cell;
    if (in) d = *in;
    if (d._start_canary || d._end_canary || !ssl_backbone_desc_resolve(&d.backbone, &d.backbone)) return 0;
    d.image_size = SSL__DEF(d.image_size, 32);
    d.channels = SSL__DEF(d.channels, 3);
    d.grid = SSL__DEF(d.grid, 3);
    cell = d.image_size / SSL__MAX(d.grid, 1);
    d.crop = d.crop == 0 && d.backbone.vit.patch > 0 ? (cell - 1) % d.backbone.vit.patch + 1 : d.crop;
    d.permutations = SSL__DEF(d.permutations, 64);
    d.mix = SSL__DEF(d.mix, 2);
    d.backbone.image_size = d.backbone.vit.image_size = cell - SSL__MAX(d.crop, 0);
    d.backbone.channels = d.backbone.vit.channels = d.channels;
    d.backbone.vit.mean_pool = 1;
    *out = d;
    return 1;
}
SSL_API ssl_jigsaw *ssl_jigsaw_new_at(const char *at, ssl_ctx *c, const char *prefix, const ssl_jigsaw_desc *desc)
{
    ssl_jigsaw *m = (ssl_jigsaw *)ssl__model(c, at, sizeof *m);
    ssl_jigsaw_desc *d = &m->d;
    ssl_block_desc bd = SSL_ZERO;
    char p[256];
    int D;
    if (c->status) return m;
    if (!ssl_jigsaw_desc_resolve(desc, d)) { ssl__fail(c, SSL_E_ARG, at, "ssl_jigsaw_new: the ssl_jigsaw_desc is not initialized: write `ssl_jigsaw_desc d = SSL_ZERO;`"); return m; }
    m->tiles = d->grid * d->grid;
    m->tile = d->backbone.image_size;
    m->cell = d->image_size / SSL__MAX(d->grid, 1);
    if (d->grid < 2 || d->grid > 8 || m->tile < 1) { ssl__fail(c, SSL_E_ARG, at, "ssl_jigsaw_new: image_size %d, grid %d, crop %d give tiles of %d pixels: grid must be 2 to 8 and tiles at least 1 pixel", d->image_size, d->grid, d->crop, m->tile); return m; }
    m->permutation = (int32_t *)ssl__model(c, at, sizeof *m->permutation * (size_t)SSL__MAX(d->permutations, 1) * (size_t)m->tiles);
    if (c->status) return m;
    if (d->permutations < 2 || !ssl_permutations(m->tiles, d->permutations, m->permutation)) { ssl__fail(c, SSL_E_ARG, at, "ssl_jigsaw_new: %d permutations of %d tiles: there must be at least 2 and no more than exist", d->permutations, m->tiles); return m; }
    m->backbone = ssl_backbone_new_at(at, c, prefix, &d->backbone);
    if (c->status) return m;
    D = m->backbone->features;
    m->slot = ssl__token_new(at, c, prefix, "slot_embed", m->tiles, D, 0.02f);
    bd.dim = D; bd.heads = m->backbone->vit ? d->backbone.vit.heads : D % 64 ? 1 : D / 64; bd.dropout = d->backbone.vit.dropout; bd.init = d->backbone.vit.init;
    m->block = ssl__blocks_new(at, c, prefix, "mix", SSL__MAX(d->mix, 0), 0, &bd);
    m->norm = ssl_norm_new_at(at, c, ssl__name(p, prefix, "mix_norm"), D, 1e-6f);
    m->head = ssl_linear_new_at(at, c, ssl__name(p, prefix, "head"), m->tiles * D, d->permutations, 0, ssl_init_make(SSL_INIT_TORCH, 0.0f));
    return m;
}

/* images -> the tiles [B T,C,k,k] in the order of permutation ids[b] (NULL: as they lie), in the middle of their cells or anywhere */
static ssl_tensor *ssl__jigsaw_cut(const char *at, const ssl_jigsaw *m, ssl_tensor *images, const int32_t *ids, int jitter)
{
    const ssl_jigsaw_desc *d = &m->d;
    ssl_ctx *c = m->ctx;
    const int k = m->tile, T = m->tiles, W = d->image_size, room = m->cell - k;
    ssl_rng rng = ssl_rng_make(c->seed, ssl_rng_stream(c));
    ssl_tensor *x;
    int32_t *index, *out;
    int b, s, i, B;
    char buf[96];
    if (c->status) return &c->nil;
    if (images->ndim != 4 || images->dim[1] != d->channels || images->dim[2] != W || images->dim[3] != W)
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_jigsaw: images%s: [B,%d,%d,%d] is needed", ssl__shape(images, buf), d->channels, W, W);
    B = images->dim[0];
    out = index = (int32_t *)ssl__aux(c, at, sizeof *index * (size_t)B * (size_t)(T * k * k));
    for (b = 0; index && b < B; b++)
        for (s = 0; s < T; s++) {
            const int tile = ids ? m->permutation[ids[b] * T + s] : s;
            const int y = tile / d->grid * m->cell + (jitter ? ssl_rng_below(&rng, room + 1) : room / 2);
            const int z = tile % d->grid * m->cell + (jitter ? ssl_rng_below(&rng, room + 1) : room / 2);
            for (i = 0; i < k * k; i++) *out++ = (y + i / k) * W + z + i % k;
        }
    x = ssl_reshape_at(at, ssl_permute_at(at, images, 0, 2, 3, 1), 3, B, W * W, d->channels);
    x = ssl_reshape_at(at, ssl_gather_tokens_at(at, x, ssl_input_i32_at(at, c, index, 2, B, T * k * k)), 3, B, T, -1);
    if (!d->raw_tiles) x = ssl__normalize_patches(at, x, 1e-6f);
    return ssl_permute_at(at, ssl_reshape_at(at, x, 4, B * T, k, k, d->channels), 0, 3, 1, 2);
}
static ssl_tensor *ssl__jigsaw_encode(const char *at, const ssl_jigsaw *m, ssl_tensor *tiles) /* each alone: [B T,C,k,k] -> [B,T,D] */
{ return ssl_reshape_at(at, ssl_backbone_forward_at(at, m->backbone, tiles), 3, -1, m->tiles, m->backbone->features); }

SSL_API ssl_tensor *ssl_jigsaw_loss_at(const char *at, const ssl_jigsaw *m, ssl_tensor *images, ssl_jigsaw_trace *trace)
{
    ssl_ctx *c = m->ctx;
    ssl_jigsaw_trace none = SSL_ZERO, *t = trace ? trace : &none;
    ssl_tensor *x;
    int32_t *ids;
    int i;
    if (c->status) return &c->nil;
    ids = (int32_t *)ssl__aux(c, at, sizeof *ids * (size_t)images->dim[0]);
    if (!ids || (t->ids && !ssl_to_host(t->ids, ids))) return &c->nil;
    for (i = 0; i < images->dim[0] && !t->ids; i++) ids[i] = ssl__random_id(c->seed, c->rng_position, (uint64_t)i, m->d.permutations); /* those of the next line */
    if (!t->ids) t->ids = ssl_reshape_at(at, ssl_random_ids_at(at, c, 1, images->dim[0], m->d.permutations), 1, images->dim[0]);
    x = ssl__jigsaw_encode(at, m, ssl__jigsaw_cut(at, m, images, ids, c->training));
    x = ssl_add_at(at, x, m->slot);
    for (i = 0; i < m->d.mix; i++) x = ssl_block_forward_at(at, &m->block[i], x, NULL);
    x = ssl_reshape_at(at, ssl__ln(at, x, &m->norm), 2, images->dim[0], -1);
    t->logits = ssl__lin(at, x, &m->head);
    return ssl_cross_entropy_at(at, t->logits, t->ids, 0.0f);
}
SSL_API ssl_tensor *ssl_jigsaw_features_at(const char *at, const ssl_jigsaw *m, ssl_tensor *images)
{ return m->ctx->status ? &m->ctx->nil : ssl_mean_axes_at(at, ssl__jigsaw_encode(at, m, ssl__jigsaw_cut(at, m, images, NULL, 0)), SSL_AXIS(1), 0); }
SSL_API int ssl_jigsaw_look_at(const char *at, const ssl_jigsaw *m, ssl_tensor *images, ssl_look *look)
{
    look->attention = NULL;
    return ssl__looked(look, m->ctx->status ? &m->ctx->nil : ssl__jigsaw_encode(at, m, ssl__jigsaw_cut(at, m, images, NULL, 0)), m->d.grid, m->d.grid);
}

/* ==== >>rotation ==== puzzle: which way is up ======================================================== */
SSL_API ssl_tensor *ssl_quarter_turns_at(const char *at, ssl_tensor *images)
{
    ssl_ctx *c = images->ctx;
    int32_t *index;
    ssl_tensor *x;
    int B, C, S, i, j;
    char s[96];
    if (c->status) return &c->nil;
    if (images->ndim != 4 || images->dim[2] != images->dim[3]) return ssl__fail(c, SSL_E_SHAPE, at, "ssl_quarter_turns: images%s must be square, [B,C,S,S]", ssl__shape(images, s));
    B = images->dim[0]; C = images->dim[1]; S = images->dim[2];
    index = (int32_t *)ssl__aux(c, at, sizeof *index * 4 * (size_t)S * (size_t)S);
    for (i = 0; index && i < S; i++)
        for (j = 0; j < S; j++) { /* where the pixel of row i, column j comes from */
            index[i * S + j] = i * S + j;
            index[(S + i) * S + j] = j * S + S - 1 - i;
            index[(2 * S + i) * S + j] = (S - 1 - i) * S + S - 1 - j;
            index[(3 * S + i) * S + j] = (S - 1 - j) * S + i;
        }
    x = ssl_index_select_at(at, ssl_reshape_at(at, images, 3, B * C, S * S, 1), ssl_input_i32_at(at, c, index, 1, 4 * S * S));
    return ssl_reshape_at(at, ssl_permute_at(at, ssl_reshape_at(at, x, 4, B, C, 4, S * S), 2, 0, 1, 3), 4, 4 * B, C, S, S);
}

SSL_API int ssl_rotation_desc_resolve(const ssl_rotation_desc *in, ssl_rotation_desc *out)
{
    ssl_rotation_desc d = SSL_ZERO;
    if (in) d = *in;
    if (d._start_canary || d._end_canary || !ssl_backbone_desc_resolve(&d.backbone, &d.backbone)) return 0;
    *out = d;
    return 1;
}
SSL_API ssl_rotation *ssl_rotation_new_at(const char *at, ssl_ctx *c, const char *prefix, const ssl_rotation_desc *desc)
{
    ssl_rotation *m = (ssl_rotation *)ssl__model(c, at, sizeof *m);
    char p[256];
    if (c->status) return m;
    if (!ssl_rotation_desc_resolve(desc, &m->d)) { ssl__fail(c, SSL_E_ARG, at, "ssl_rotation_new: the ssl_rotation_desc is not initialized: write `ssl_rotation_desc d = SSL_ZERO;`"); return m; }
    m->backbone = ssl_backbone_new_at(at, c, prefix, &m->d.backbone);
    if (c->status) return m;
    m->head = ssl_linear_new_at(at, c, ssl__name(p, prefix, "head"), m->backbone->features, 4, 0, ssl_init_make(SSL_INIT_TORCH, 0.0f));
    return m;
}
SSL_API ssl_tensor *ssl_rotation_loss_at(const char *at, const ssl_rotation *m, ssl_tensor *images, ssl_rotation_trace *trace)
{
    ssl_rotation_trace none = SSL_ZERO, *t = trace ? trace : &none;
    const int B = m->ctx->status ? 0 : images->dim[0];
    t->turned = ssl_quarter_turns_at(at, images);
    t->logits = ssl__lin(at, ssl_rotation_features_at(at, m, t->turned), &m->head);
    return ssl_cross_entropy_at(at, t->logits, ssl_iota_at(at, m->ctx, 4 * B, 0, B, 4), 0.0f);
}
SSL_API ssl_tensor *ssl_rotation_features_at(const char *at, const ssl_rotation *m, ssl_tensor *images)
{ return m->ctx->status ? &m->ctx->nil : ssl_backbone_forward_at(at, m->backbone, images); }

/* ==== >>mp3 ==== puzzle: positions from a few visible patches ======================================== */
SSL_API int ssl_mp3_desc_resolve(const ssl_mp3_desc *in, ssl_mp3_desc *out)
{
    ssl_mp3_desc d = SSL_ZERO;
    if (in) d = *in;
    if (d._start_canary || d._end_canary || !ssl_vit_desc_resolve(&d.vit, &d.vit)) return 0;
    d.vit.no_class_token = 1;
    d.vit.pos = SSL_POS_NONE;
    d.mask_ratio = SSL__DEFF(d.mask_ratio, 0.75f);
    *out = d;
    return 1;
}
SSL_API ssl_mp3 *ssl_mp3_new_at(const char *at, ssl_ctx *c, const char *prefix, const ssl_mp3_desc *desc)
{
    ssl_mp3 *m = (ssl_mp3 *)ssl__model(c, at, sizeof *m);
    char p[256];
    if (c->status) return m;
    if (!ssl_mp3_desc_resolve(desc, &m->d)) { ssl__fail(c, SSL_E_ARG, at, "ssl_mp3_new: the ssl_mp3_desc is not initialized: write `ssl_mp3_desc d = SSL_ZERO;`"); return m; }
    m->vit = ssl_vit_new_at(at, c, prefix, &m->d.vit);
    if (c->status) return m;
    m->tokens = m->vit->tokens;
    m->keep = (int)((double)m->tokens * (1.0 - ssl__decimal(m->d.mask_ratio)));
    if (m->keep < 1 || m->keep > m->tokens || (m->d.hidden_only && m->keep == m->tokens)) {
        ssl__fail(c, SSL_E_ARG, at, "ssl_mp3_new: mask_ratio %g of %d patches leaves a context of %d%s", (double)m->d.mask_ratio, m->tokens, m->keep,
                  m->d.hidden_only ? ": it must be at least 1, and hidden_only needs some outside it" : ": it must be at least 1");
        return m;
    }
    m->head = ssl_linear_new_at(at, c, ssl__name(p, prefix, "head"), m->d.vit.dim, m->tokens, 0, ssl_init_make(SSL_INIT_TORCH, 0.0f));
    return m;
}
/* A block in which all tokens x [B,L,D] ask, and only those of ids I32 [B,K] answer. */
static ssl_tensor *ssl__block_ask(const char *at, const ssl_block *b, ssl_tensor *x, ssl_tensor *ids)
{
    ssl_tensor *n = b->d.post_norm ? x : ssl__ln(at, x, &b->norm1); /* read by the gathering, too: not as ssl__before makes it */
    x = ssl__branch(at, b, x, ssl__cross_attention(at, b, &b->qkv, n, ssl_gather_tokens_at(at, n, ids), NULL), &b->proj);
    return ssl__mlp(at, b, x, &b->norm2);
}
SSL_API ssl_tensor *ssl_mp3_loss_at(const char *at, const ssl_mp3 *m, ssl_tensor *images, ssl_mp3_trace *trace)
{
    ssl_ctx *c = m->ctx;
    ssl_mp3_trace none = SSL_ZERO, *t = trace ? trace : &none;
    const int L = m->tokens;
    ssl_tensor *x = c->status ? &c->nil : ssl__vit_embed(at, m->vit, images), *context, *hidden;
    int i;
    if (c->status) return &c->nil;
    if (!t->ids_shuffle) t->ids_shuffle = ssl_argsort_at(at, ssl_random_uniform_at(at, c, 2, x->dim[0], L));
    context = ssl_slice_ids_at(at, t->ids_shuffle, 0, m->keep);
    x = ssl_dropout_at(at, x, m->d.vit.dropout);
    for (i = 0; i < m->d.vit.depth; i++) x = ssl__block_ask(at, &m->vit->block[i], x, context);
    t->logits = ssl__lin(at, ssl__ln(at, x, &m->vit->norm), &m->head);
    if (!m->d.hidden_only) return ssl_cross_entropy_at(at, t->logits, ssl_reshape_at(at, ssl_iota_at(at, c, images->dim[0] * L, 0, 1, L), 2, images->dim[0], L), 0.0f);
    hidden = ssl_slice_ids_at(at, t->ids_shuffle, m->keep, L); /* the label of a patch is its place */
    return ssl_cross_entropy_at(at, ssl_gather_tokens_at(at, t->logits, hidden), hidden, 0.0f);
}
SSL_API ssl_tensor *ssl_mp3_features_at(const char *at, const ssl_mp3 *m, ssl_tensor *images)
{ return m->ctx->status ? &m->ctx->nil : ssl_vit_pool_at(at, m->vit, ssl_vit_forward_at(at, m->vit, images)); }

/* ==== >>contrast ==== NT-Xent and friends ============================================================ */
/* z [2N,D], the views one after the other, and s = z z^T / t [2N,2N]; 0 after an error. */
static int ssl__nt_xent_scores(const char *at, ssl_tensor *a, ssl_tensor *b, float temperature, int normalize, ssl_tensor **s)
{
    ssl_ctx *c = a->ctx;
    ssl_tensor *both[2], *z;
    char sa[96], sb[96];
    if (c->status) return 0;
    if (a->ndim != 2 || b->ndim != 2 || a->dim[0] != b->dim[0] || a->dim[1] != b->dim[1] || a->dim[0] < 2)
        ssl__fail(c, SSL_E_SHAPE, at, "ssl_nt_xent: a%s b%s: both must be [N,D] with N >= 2 images", ssl__shape(a, sa), ssl__shape(b, sb));
    else if (!(temperature > 0.0f)) ssl__fail(c, SSL_E_ARG, at, "ssl_nt_xent: temperature %g: it must be positive", (double)temperature);
    if (c->status) return 0;
    both[0] = a; both[1] = b;
    z = ssl_concat_at(at, 0, 2, both);
    if (normalize) z = ssl_l2_normalize_at(at, z, 1e-12f);
    *s = ssl_scale_at(at, ssl_matmul_t_at(at, z, z, 0, 1), 1.0f / temperature);
    return 1;
}
SSL_API ssl_tensor *ssl_nt_xent_at(const char *at, ssl_tensor *a, ssl_tensor *b, float temperature, ssl_nt_xent_kind kind)
{
    ssl_tensor *s;
    if (!ssl__nt_xent_scores(at, a, b, temperature, kind == SSL_NT_XENT_DEFAULT, &s)) return &a->ctx->nil;
    return ssl_cross_entropy_at(at, ssl_mask_diagonal_at(at, s, -1e30f), ssl_iota_at(at, a->ctx, s->dim[0], a->dim[0], 1, s->dim[0]), 0.0f);
}
SSL_API ssl_tensor *ssl_nt_xent_module_at(const char *at, ssl_tensor *a, ssl_tensor *b, float temperature, float eps)
{
    ssl_tensor *s, *sum, *pos;
    if (!ssl__nt_xent_scores(at, a, b, temperature, 0, &s)) return &a->ctx->nil;
    if (!(eps > 0.0f)) return ssl__fail(a->ctx, SSL_E_ARG, at, "ssl_nt_xent_module: eps %g: it must be positive, or a row without negatives has the logarithm of 0", (double)eps);
    sum = ssl_sum_axes_at(at, ssl_exp_at(at, s), SSL_AXIS(1), 0);
    sum = ssl_add_scalar_at(at, ssl_clamp_min_at(at, ssl_add_scalar_at(at, sum, -expf(1.0f / temperature)), eps), eps);
    pos = ssl_scale_at(at, ssl_mean_at(at, ssl_sum_axes_at(at, ssl_mul_at(at, a, b), SSL_AXIS(1), 0)), 1.0f / temperature);
    return ssl_sub_at(at, ssl_mean_at(at, ssl_log_at(at, sum)), pos);
}

/* ==== >>fmc ==== contrast of feature maps ============================================================ */
SSL_API ssl_tensor *ssl_amdim_nce_at(const char *at, ssl_tensor *src, ssl_tensor *trg, float tclip, ssl_tensor **reg)
{
    ssl_ctx *c = src->ctx;
    const float shift = SSL__MIN(tclip, 40.0f);
    ssl_tensor *s, *e, *eye, *pos, *neg;
    int B, n, d;
    char a[96], b[96];
    if (c->status) return &c->nil;
    if (src->ndim != 2 || trg->ndim != 3 || src->dim[0] != trg->dim[0] || src->dim[1] != trg->dim[2] || src->dim[0] < 2)
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_amdim_nce: src%s trg%s: [B,D] and [B,n,D] with B >= 2 are needed", ssl__shape(src, a), ssl__shape(trg, b));
    if (!(tclip > 0.0f && tclip <= 100.0f)) return ssl__fail(c, SSL_E_ARG, at, "ssl_amdim_nce: tclip %g: it must be above 0 and at most 100", (double)tclip);
    B = src->dim[0]; d = src->dim[1]; n = trg->dim[1];
    s = ssl_scale_at(at, ssl_matmul_t_at(at, src, ssl_reshape_at(at, trg, 2, B * n, d), 0, 1), 1.0f / sqrtf((float)d)); /* [B,B n] */
    *reg = ssl_scale_at(at, ssl_mean_at(at, ssl_square_at(at, s)), 0.05f);
    s = ssl_reshape_at(at, ssl_tanh_clip_at(at, s, tclip), 3, B, B, n);
    e = ssl_exp_at(at, ssl_add_scalar_at(at, s, -shift)); /* |s| <= tclip <= 100: no overflow, and what counts does not vanish */
    eye = ssl_reshape_at(at, ssl_mask_diagonal_at(at, ssl_input_at(at, c, NULL, 2, B, B), 1.0f), 3, B, B, 1);
    pos = ssl_sum_axes_at(at, ssl_mul_at(at, s, eye), SSL_AXIS(1), 0);                                                  /* [B,n] */
    neg = ssl_sum_axes_at(at, ssl_mul_at(at, e, ssl_add_scalar_at(at, ssl_scale_at(at, eye, -1.0f), 1.0f)), SSL_AXIS(1) | SSL_AXIS(2), 0); /* [B] */
    neg = ssl_add_at(at, ssl_exp_at(at, ssl_add_scalar_at(at, pos, -shift)), ssl_reshape_at(at, neg, 2, B, 1));
    return ssl_mean_at(at, ssl_sub_at(at, ssl_log_at(at, neg), ssl_add_scalar_at(at, pos, -shift)));
}

/* One direction of one comparison. */
static ssl_tensor *ssl__fmc_one(const char *at, ssl_tensor *source, ssl_tensor *target, const int32_t *loc, float tclip, ssl_tensor **reg)
{
    ssl_ctx *c = source->ctx;
    ssl_tensor *x = ssl__map_tokens(at, source), *index;
    if (c->status) return &c->nil;
    index = loc ? ssl_input_i32_at(at, c, loc, 2, x->dim[0], 1) : ssl_random_ids_at(at, c, x->dim[0], 1, x->dim[1]);
    x = ssl_reshape_at(at, ssl_gather_tokens_at(at, x, index), 2, x->dim[0], x->dim[2]);
    return ssl_amdim_nce_at(at, x, ssl__map_tokens(at, target), tclip, reg);
}

/* "01, 1r" -> pairs of map indices; a bad string or a missing map is an error. Returns the number of comparisons, 0 on failure. */
static int ssl__fmc_parse(const char *at, ssl_ctx *c, const char *text, int n_maps, int pair[16][2])
{
    ssl_rng rng = ssl_rng_make(c->seed, ssl_rng_stream(c));
    const char *p = text;
    int n = 0, k;
    while (*p) {
        if (*p == ',' || *p == ' ') { p++; continue; }
        for (k = 0; k < 2; k++, p++) {
            const int digit = *p >= '0' && *p <= '9', i = *p == 'r' ? ssl_rng_below(&rng, n_maps) : *p - '0';
            if (n == 16) ssl__fail(c, SSL_E_ARG, at, "ssl_fmc: comparisons \"%s\" names more than 16 pairs of maps", text);
            else if (digit && i >= n_maps) ssl__fail(c, SSL_E_ARG, at, "ssl_fmc: comparisons \"%s\" names map %d, and there are %d: 0 to %d, or r for a random one", text, i, n_maps, n_maps - 1);
            else if (!digit && *p != 'r') ssl__fail(c, SSL_E_ARG, at, "ssl_fmc: comparisons \"%s\" has no map at place %d: each pair is two of 0 to %d or r, as in \"01, 1r\"", text, (int)(p - text), n_maps - 1);
            if (c->status) return 0;
            pair[n][k] = i;
        }
        n++;
    }
    if (!n) ssl__fail(c, SSL_E_ARG, at, "ssl_fmc: comparisons \"%s\" names no pair of maps; write e.g. \"00, 11\"", text);
    return n;
}

SSL_API ssl_tensor *ssl_fmc_at(const char *at, const ssl_fmc_desc *desc, int n_maps, ssl_tensor *const *anchor, ssl_tensor *const *positive, ssl_fmc_trace *trace)
{
    ssl_ctx *c = anchor[0]->ctx;
    ssl_fmc_trace none = SSL_ZERO, *t = trace ? trace : &none;
    ssl_fmc_desc d = SSL_ZERO;
    ssl_tensor *loss = NULL, *reg = NULL;
    int pair[16][2], i, k, n, n_dir, B;
    if (c->status) return &c->nil;
    if (desc) d = *desc;
    if (d._start_canary || d._end_canary) return ssl__fail(c, SSL_E_ARG, at, "ssl_fmc: the ssl_fmc_desc is not initialized: write `ssl_fmc_desc d = SSL_ZERO;`");
    d.tclip = SSL__DEF(d.tclip, 10.0f);
    n_dir = d.one_direction ? 1 : 2;
    if (!(n = ssl__fmc_parse(at, c, d.comparisons ? d.comparisons : "00", n_maps, pair))) return &c->nil;
    B = anchor[0]->dim[0];
    for (i = 0; i < n && !c->status; i++) {
        const int a = t->maps_used ? t->maps_used[2 * i] : pair[i][0], b = t->maps_used ? t->maps_used[2 * i + 1] : pair[i][1];
        ssl_tensor *l = NULL, *r = NULL;
        for (k = 0; k < n_dir; k++) {
            const int32_t *loc = t->loc ? t->loc + (i * n_dir + k) * B : NULL;
            ssl_tensor *r1, *l1 = ssl__fmc_one(at, k ? positive[a] : anchor[a], k ? anchor[b] : positive[b], loc, d.tclip, &r1);
            if (c->status) return &c->nil;
            l = l ? ssl_add_at(at, l, l1) : l1;
            r = r ? ssl_add_at(at, r, r1) : r1;
        }
        t->losses[i] = l = ssl_scale_at(at, l, 1.0f / (float)n_dir);
        r = ssl_scale_at(at, r, 1.0f / (float)n_dir);
        loss = loss ? ssl_add_at(at, loss, l) : l;
        reg = reg ? ssl_add_at(at, reg, r) : r;
    }
    t->regularizer = reg;
    t->n_comparisons = n;
    return ssl_add_at(at, loss, reg);
}

/* ==== >>amdim ==== mutual information across scales ================================================= */
/* kernel (0: batch norm), stride, channels / ndf (0: rkhs), units (0: convolution and ReLU, 1, or 2: depth) of the layers at 32, 64 and
   128 pixels; a list ends with -1. Sides 30 30 14 7 7 5 3 1 1 at 32, 62 30 14 7 7 5 3 1 1 at 64, 64 62 30 ... at 128. */
static const signed char ssl__amdim_plan[3][SSL_AMDIM_LAYERS + 1][4] = {
    { { 3, 1, 1, 0 }, { 1, 1, 1, 1 }, { 4, 2, 2, 2 }, { 2, 2, 4, 2 }, { 0, 0, 4, 0 }, { 3, 1, 4, 2 }, { 3, 1, 4, 2 }, { 3, 1, 0, 1 }, { 0, 0, 0, 0 }, { -1, 0, 0, 0 }, { -1, 0, 0, 0 } },
    { { 3, 1, 1, 0 }, { 4, 2, 2, 2 }, { 4, 2, 4, 2 }, { 2, 2, 8, 2 }, { 0, 0, 8, 0 }, { 3, 1, 8, 2 }, { 3, 1, 8, 2 }, { 3, 1, 0, 1 }, { 0, 0, 0, 0 }, { -1, 0, 0, 0 }, { -1, 0, 0, 0 } },
    { { 5, 2, 1, 0 }, { 3, 1, 1, 0 }, { 4, 2, 2, 2 }, { 4, 2, 4, 2 }, { 2, 2, 8, 2 }, { 0, 0, 8, 0 }, { 3, 1, 8, 2 }, { 3, 1, 8, 2 }, { 3, 1, 0, 1 }, { 0, 0, 0, 0 }, { -1, 0, 0, 0 } }
};
static int ssl__amdim_size(int image_size) { return image_size == 32 ? 0 : image_size == 64 ? 1 : image_size == 128 ? 2 : -1; }

SSL_API int ssl_amdim_desc_resolve(const ssl_amdim_desc *in, ssl_amdim_desc *out)
{
    static const int preset[3][3] = { { 320, 1280, 10 }, { 192, 1536, 8 }, { 320, 2560, 10 } };
    ssl_amdim_desc d = SSL_ZERO;
    const int *p;
    if (in) d = *in;
    if (d._start_canary || d._end_canary) return 0;
    d.image_size = SSL__DEF(d.image_size, 32);
    d.channels = SSL__DEF(d.channels, 3);
    p = preset[SSL__MAX(ssl__amdim_size(d.image_size), 0)];
    d.ndf = SSL__DEF(d.ndf, p[0]);
    d.rkhs = SSL__DEF(d.rkhs, d.use_resnet ? 128 : p[1]);
    d.depth = SSL__DEF(d.depth, p[2]);
    d.resnet_maps = SSL__DEF(d.resnet_maps, 3);
    d.resnet.channels = d.channels;
    if (d.image_size <= 64 && !d.resnet.depth) d.resnet.cifar_stem = 1;
    d.comparisons = d.comparisons ? d.comparisons : "01, 02, 11";
    d.tclip = SSL__DEFF(d.tclip, 20.0f);
    if (!ssl_resnet_desc_resolve(&d.resnet, &d.resnet)) return 0;
    *out = d;
    return 1;
}
static ssl_conv_layer ssl__amdim_conv(const char *at, ssl_ctx *c, const char *prefix, const char *name, int in, int out, int kernel, int stride, int no_bias, int zero)
{
    ssl_conv_desc d = SSL_ZERO;
    char p[256];
    d.stride = stride;
    if (kernel == 5) { d.padding = 2; d.pad_mode = SSL_PAD_REFLECT; }
    return ssl_conv_new_at(at, c, ssl__name(p, prefix, name), in, out, kernel, no_bias, zero ? ssl__zeros() : ssl_init_make(SSL_INIT_TORCH, 0.0f), &d);
}
static void ssl__amdim_unit_new(const char *at, ssl_ctx *c, const char *p, ssl_amdim_unit *u, int in, int out, int kernel, int stride, int batch_norm)
{
    char q[256];
    u->kernel = kernel;
    u->stride = stride;
    u->conv1 = ssl__amdim_conv(at, c, p, "conv1", in, out, kernel, stride, 1, 0);
    u->conv2 = ssl__amdim_conv(at, c, p, "conv2", out, out, 1, 1, 1, 1);
    if (out < in) u->conv3 = ssl__amdim_conv(at, c, p, "conv3", in, out, kernel, stride, 0, 0);
    if (batch_norm) u->bn = ssl_batch_norm_new_at(at, c, ssl__name(q, p, "bn1.bn"), out);
}
static ssl_tensor *ssl__amdim_unit(const char *at, const ssl_amdim_unit *u, ssl_tensor *x)
{
    ssl_ctx *c = x->ctx;
    ssl_tensor *y = ssl_conv_forward_at(at, &u->conv1, x);
    const int more = c->status ? 0 : y->dim[1] - x->dim[1];
    y = ssl_conv_forward_at(at, &u->conv2, u->bn.weight ? ssl_batch_norm_forward_at(at, &u->bn, y, 1, NULL) : ssl_relu_at(at, y));
    if (u->conv3.weight) x = ssl_conv_forward_at(at, &u->conv3, x);
    else if (u->kernel > 1) x = ssl_avg_pool2d_at(at, x, u->kernel, u->stride, 0);
    if (more > 0 && !c->status) { /* channels are the rows of one plane per image */
        x = ssl_pad2d_at(at, ssl_reshape_at(at, x, 4, x->dim[0], 1, x->dim[1], -1), 0, more, 0, 0, SSL_PAD_ZERO, 0.0f);
        if (!c->status) x = ssl_reshape_at(at, x, 4, y->dim[0], y->dim[1], y->dim[2], y->dim[3]);
    }
    return ssl_add_at(at, y, x);
}
static ssl_rkhs ssl__rkhs_new(const char *at, ssl_ctx *c, const char *p, int in, int out, int batch_norm)
{
    ssl_rkhs r;
    float *w;
    char q[256];
    int i;
    memset(&r, 0, sizeof r);
    r.conv1 = ssl__amdim_conv(at, c, p, "conv1", in, out, 1, 1, 1, 0);
    r.conv2 = ssl__amdim_conv(at, c, p, "conv2", out, out, 1, 1, 1, 1);
    r.shortcut = ssl__amdim_conv(at, c, p, "shortcut", in, out, 1, 1, 0, 0);
    if (batch_norm) r.bn1 = ssl_batch_norm_new_at(at, c, ssl__name(q, p, "bn1.bn"), out);
    r.bn_out = ssl_batch_norm_new_at(at, c, ssl__name(q, p, "bn_out.bn"), out);
    if (out < in || !(w = (float *)ssl__alloc(c, at, sizeof(float) * (size_t)out * (size_t)in))) return r;
    if (ssl_to_host(r.shortcut.weight, w)) { /* like the identity: 1 on the diagonal, uniform in +-0.01 elsewhere */
        for (i = 0; i < out * in; i++) w[i] = i / in == i % in ? 1.0f : w[i] * 0.01f * sqrtf((float)in);
        ssl_from_host(r.shortcut.weight, w);
    }
    ssl__release(w);
    return r;
}
static ssl_tensor *ssl__rkhs(const char *at, const ssl_rkhs *r, ssl_tensor *x)
{
    ssl_tensor *y = ssl_conv_forward_at(at, &r->conv1, x);
    y = ssl_conv_forward_at(at, &r->conv2, r->bn1.weight ? ssl_batch_norm_forward_at(at, &r->bn1, y, 1, NULL) : ssl_relu_at(at, y));
    return ssl_batch_norm_forward_at(at, &r->bn_out, ssl_add_at(at, y, ssl_conv_forward_at(at, &r->shortcut, x)), 0, NULL);
}

static void ssl__amdim_encoder_new(const char *at, ssl_amdim *m, const char *prefix)
{
    const ssl_amdim_desc *d = &m->d;
    const int size = ssl__amdim_size(d->image_size);
    ssl_ctx *c = m->ctx;
    char p[256], q[256], r[256];
    int i, j, in = d->channels, out, local = 0;
    for (i = 0; ssl__amdim_plan[size][i][0] >= 0 && !c->status; i++) {
        const signed char *k = ssl__amdim_plan[size][i];
        ssl_amdim_layer *l = &m->layer[i];
        ssl__name_i(p, prefix, "layer_list", i);
        out = k[2] ? k[2] * d->ndf : d->rkhs;
        if (k[2]) local = out;
        if (k[0] == 0 && (d->batch_norm || !k[2])) l->bn = ssl_batch_norm_new_at(at, c, ssl__name(q, p, "bn"), out);
        else if (k[0] && !k[3]) l->conv = ssl__amdim_conv(at, c, p, "conv", in, out, k[0], k[1], 0, 0);
        l->units = k[3] == 2 ? d->depth : k[3];
        l->unit = (ssl_amdim_unit *)ssl__model(c, at, sizeof *l->unit * (size_t)SSL__MAX(l->units, 1));
        for (j = 0; j < l->units && !c->status; j++)
            ssl__amdim_unit_new(at, c, k[3] == 2 ? ssl__name_i(q, p, "layer_list", j) : p, &l->unit[j], j ? out : in, out, j ? 1 : k[0], j ? 1 : k[1], d->batch_norm);
        in = out;
        m->n_layers = i + 1;
    }
    m->n_maps = 3;
    m->rkhs[1] = ssl__rkhs_new(at, c, ssl__name(r, prefix, "rkhs_block_5"), local, d->rkhs, d->batch_norm);
    m->rkhs[2] = ssl__rkhs_new(at, c, ssl__name(r, prefix, "rkhs_block_7"), local, d->rkhs, d->batch_norm);
}
SSL_API ssl_amdim *ssl_amdim_new_at(const char *at, ssl_ctx *c, const char *prefix, const ssl_amdim_desc *desc)
{
    ssl_amdim *m = (ssl_amdim *)ssl__model(c, at, sizeof *m);
    const ssl_amdim_desc *d = &m->d;
    char p[256], q[256];
    int i, pair[16][2];
    if (c->status) return m;
    if (!ssl_amdim_desc_resolve(desc, &m->d)) ssl__fail(c, SSL_E_ARG, at, "ssl_amdim_new: the ssl_amdim_desc is not initialized: write `ssl_amdim_desc d = SSL_ZERO;`");
    else if (!d->use_resnet && ssl__amdim_size(d->image_size) < 0) ssl__fail(c, SSL_E_ARG, at, "ssl_amdim_new: image_size %d: AMDIM's encoder is made for 32, 64 and 128 pixels; resize the images, or set use_resnet", d->image_size);
    else if (d->ndf < 1 || d->rkhs < 1 || d->depth < 1 || d->resnet_maps < 1 || d->resnet_maps > SSL_AMDIM_MAPS)
        ssl__fail(c, SSL_E_ARG, at, "ssl_amdim_new: ndf %d, rkhs %d, depth %d, resnet_maps %d: all must be positive, the maps at most %d", d->ndf, d->rkhs, d->depth, d->resnet_maps, (int)SSL_AMDIM_MAPS);
    if (c->status || !ssl__fmc_parse(at, c, d->comparisons, d->use_resnet ? d->resnet_maps : 3, pair)) return m; /* a missing map is told before the first step */
    ssl__name(p, prefix, "encoder");
    if (!d->use_resnet) { ssl__amdim_encoder_new(at, m, p); return m; }
    m->net = ssl_resnet_new_at(at, c, p, &d->resnet);
    m->n_maps = d->resnet_maps;
    for (i = 0; i < m->n_maps && !c->status; i++)
        m->rkhs[i] = ssl__rkhs_new(at, c, ssl__name_i(q, prefix, "rkhs", i), m->net->features >> (i ? i - 1 : 0), d->rkhs, d->batch_norm);
    return m;
}

SSL_API int ssl_amdim_maps_at(const char *at, const ssl_amdim *m, ssl_tensor *x, ssl_tensor *out[SSL_AMDIM_MAPS])
{
    static const char *const names[SSL_AMDIM_MAPS] = { "avgpool", "layer4", "layer3", "layer2", "layer1" };
    ssl_ctx *c = m->ctx;
    char s[96];
    int i, j;
    for (i = 0; i < SSL_AMDIM_MAPS; i++) out[i] = &c->nil;
    if (c->status) return 0;
    if (m->net) ssl_resnet_layers_at(at, m->net, x, m->n_maps, names, out);
    else if (x->ndim != 4 || x->dim[1] != m->d.channels || x->dim[2] != m->d.image_size || x->dim[3] != m->d.image_size)
        ssl__fail(c, SSL_E_SHAPE, at, "ssl_amdim: images%s: [B,%d,%d,%d] is needed", ssl__shape(x, s), m->d.channels, m->d.image_size, m->d.image_size);
    for (i = 0; i < m->n_layers && !c->status; i++) { /* a map is the last one of its size */
        const ssl_amdim_layer *l = &m->layer[i];
        if (l->conv.weight) x = ssl_relu_at(at, ssl_conv_forward_at(at, &l->conv, x));
        if (l->bn.weight) x = ssl_batch_norm_forward_at(at, &l->bn, x, 0, NULL);
        for (j = 0; j < l->units; j++) x = ssl__amdim_unit(at, &l->unit[j], x);
        if (!c->status) out[x->dim[2] == 7 ? 2 : x->dim[2] == 5 ? 1 : 0] = x;
    }
    for (i = 0; i < m->n_maps && !c->status; i++) if (m->rkhs[i].shortcut.weight) out[i] = ssl__rkhs(at, &m->rkhs[i], out[i]);
    return c->status ? 0 : m->n_maps;
}
SSL_API ssl_tensor *ssl_amdim_loss_at(const char *at, const ssl_amdim *m, ssl_tensor *view1, ssl_tensor *view2, ssl_fmc_trace *trace)
{
    ssl_tensor *one[SSL_AMDIM_MAPS], *two[SSL_AMDIM_MAPS];
    ssl_fmc_desc f = SSL_ZERO;
    f.comparisons = m->d.comparisons;
    f.tclip = m->d.tclip;
    f.one_direction = m->d.one_direction;
    ssl_amdim_maps_at(at, m, view1, one);
    ssl_amdim_maps_at(at, m, view2, two);
    return m->ctx->status ? &m->ctx->nil : ssl_fmc_at(at, &f, m->n_maps, one, two, trace);
}
SSL_API ssl_tensor *ssl_amdim_features_at(const char *at, const ssl_amdim *m, ssl_tensor *images)
{
    ssl_tensor *map[SSL_AMDIM_MAPS];
    if (m->net) return ssl_resnet_forward_at(at, m->net, images);
    return ssl_amdim_maps_at(at, m, images, map) ? ssl_reshape_at(at, map[0], 2, images->dim[0], -1) : &m->ctx->nil;
}

/* ==== >>pairs ==== losses on paired embeddings ======================================================= */
static ssl_tensor *ssl__mean_cos(const char *at, ssl_tensor *p, ssl_tensor *z) { return ssl_mean_at(at, ssl_cosine_similarity_at(at, p, ssl_detach_at(at, z))); }
SSL_API ssl_tensor *ssl_byol_at(const char *at, ssl_tensor *p1, ssl_tensor *p2, ssl_tensor *z1, ssl_tensor *z2)
{ return ssl_add_scalar_at(at, ssl_scale_at(at, ssl_add_at(at, ssl__mean_cos(at, p1, z2), ssl__mean_cos(at, p2, z1)), -2.0f), 4.0f); }
SSL_API ssl_tensor *ssl_simsiam_at(const char *at, ssl_tensor *p1, ssl_tensor *p2, ssl_tensor *z1, ssl_tensor *z2)
{ return ssl_scale_at(at, ssl_add_at(at, ssl__mean_cos(at, p1, z2), ssl__mean_cos(at, p2, z1)), -0.5f); }

static ssl_tensor *ssl__center_columns(const char *at, ssl_tensor *x) { return ssl_sub_at(at, x, ssl_mean_axes_at(at, x, SSL_AXIS(0), 1)); }
static ssl_tensor *ssl__standardize_columns(const char *at, ssl_tensor *x, float eps)
{
    x = ssl__center_columns(at, x);
    return ssl_div_at(at, x, ssl_sqrt_at(at, ssl_add_scalar_at(at, ssl_mean_axes_at(at, ssl_square_at(at, x), SSL_AXIS(0), 1), eps)));
}
static ssl_tensor *ssl__off_diagonal_sq(const char *at, ssl_tensor *m) { return ssl_sum_at(at, ssl_square_at(at, ssl_mask_diagonal_at(at, m, 0.0f))); }
static int ssl__pair_ok(const char *at, const char *op, ssl_tensor *a, ssl_tensor *b)
{
    char sa[96], sb[96];
    if (a->ctx->status) return 0;
    if (a->ndim == 2 && b->ndim == 2 && a->dim[0] == b->dim[0] && a->dim[1] == b->dim[1] && a->dim[0] > 1) return 1;
    ssl__fail(a->ctx, SSL_E_SHAPE, at, "%s: a%s b%s: both must be [N,D] with N >= 2 images", op, ssl__shape(a, sa), ssl__shape(b, sb));
    return 0;
}
SSL_API ssl_tensor *ssl_barlow_at(const char *at, ssl_tensor *a, ssl_tensor *b, float lambda, float eps)
{
    ssl_tensor *c, *diagonal;
    float n;
    if (!ssl__pair_ok(at, "ssl_barlow", a, b)) return &a->ctx->nil;
    n = (float)a->dim[0];
    a = ssl__standardize_columns(at, a, eps);
    b = ssl__standardize_columns(at, b, eps);
    c = ssl_scale_at(at, ssl_matmul_t_at(at, a, b, 1, 0), 1.0f / n);
    diagonal = ssl_scale_at(at, ssl_sum_axes_at(at, ssl_mul_at(at, a, b), SSL_AXIS(0), 0), 1.0f / n);
    return ssl_add_at(at, ssl_sum_at(at, ssl_square_at(at, ssl_add_scalar_at(at, diagonal, -1.0f))), ssl_scale_at(at, ssl__off_diagonal_sq(at, c), lambda));
}

static ssl_tensor *ssl__vicreg_variance(const char *at, ssl_tensor *x, float eps) /* x centered: mean relu(1 - sqrt(var + eps)) */
{
    ssl_tensor *var = ssl_scale_at(at, ssl_sum_axes_at(at, ssl_square_at(at, x), SSL_AXIS(0), 0), 1.0f / (float)(x->dim[0] - 1));
    ssl_tensor *std = ssl_sqrt_at(at, ssl_add_scalar_at(at, var, eps));
    return ssl_mean_at(at, ssl_relu_at(at, ssl_add_scalar_at(at, ssl_scale_at(at, std, -1.0f), 1.0f)));
}
static ssl_tensor *ssl__vicreg_covariance(const char *at, ssl_tensor *x)
{
    ssl_tensor *cov = ssl_scale_at(at, ssl_matmul_t_at(at, x, x, 1, 0), 1.0f / (float)(x->dim[0] - 1));
    return ssl_scale_at(at, ssl__off_diagonal_sq(at, cov), 1.0f / (float)x->dim[1]);
}
SSL_API ssl_tensor *ssl_vicreg_at(const char *at, ssl_tensor *a, ssl_tensor *b, float lambda, float mu, float nu, float eps)
{
    ssl_tensor *invariance, *variance, *covariance;
    if (!ssl__pair_ok(at, "ssl_vicreg", a, b)) return &a->ctx->nil;
    invariance = ssl_mse_at(at, a, b);
    a = ssl__center_columns(at, a);
    b = ssl__center_columns(at, b);
    if (a->ctx->status) return &a->ctx->nil;
    variance = ssl_add_at(at, ssl__vicreg_variance(at, a, eps), ssl__vicreg_variance(at, b, eps));
    covariance = ssl_add_at(at, ssl__vicreg_covariance(at, a), ssl__vicreg_covariance(at, b));
    return ssl_add_at(at, ssl_scale_at(at, invariance, lambda), ssl_add_at(at, ssl_scale_at(at, variance, 0.5f * mu), ssl_scale_at(at, covariance, nu)));
}

/* sum over pairs s != t = (sum_t T_t) . (sum_s S_s) - sum over the shared views k of T_k . S_k */
SSL_API ssl_tensor *ssl_dino_at(const char *at, ssl_tensor *student, ssl_tensor *teacher, ssl_tensor *center, float student_temp, float teacher_temp, float center_momentum)
{
    ssl_ctx *c = student->ctx;
    ssl_tensor *t, *s, *all, *same, *mean;
    int vs, vt, batch;
    char a[96], b[96];
    if (c->status) return &c->nil;
    if (student->ndim != 3 || teacher->ndim != 3 || student->dim[1] != teacher->dim[1] || student->dim[2] != teacher->dim[2] || teacher->dim[0] > student->dim[0] ||
        student->dim[0] < 2 || ssl_numel(center) != student->dim[2])
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_dino: student%s teacher%s: [Vs,B,D] and [Vt,B,D] with Vt <= Vs, Vs >= 2 and a center of D values are needed", ssl__shape(student, a), ssl__shape(teacher, b));
    vs = student->dim[0];
    vt = teacher->dim[0];
    batch = student->dim[1];
    t = ssl_detach_at(at, ssl_softmax_at(at, ssl_scale_at(at, ssl_sub_at(at, ssl_detach_at(at, teacher), ssl_detach_at(at, center)), 1.0f / teacher_temp)));
    s = ssl_log_softmax_at(at, ssl_scale_at(at, student, 1.0f / student_temp));
    all = ssl_sum_at(at, ssl_mul_at(at, ssl_sum_axes_at(at, t, SSL_AXIS(0), 0), ssl_sum_axes_at(at, s, SSL_AXIS(0), 0)));
    same = ssl_sum_at(at, ssl_mul_at(at, t, ssl_slice_at(at, s, 0, 0, vt)));
    mean = ssl_mean_axes_at(at, ssl_detach_at(at, teacher), SSL_AXIS(0) | SSL_AXIS(1), 0);
    if (!c->status && c->training) c->k->ema(c, ssl_numel(center), center_momentum, mean->x, center->x);
    return ssl_scale_at(at, ssl_sub_at(at, all, same), -1.0f / (float)((vt * vs - vt) * batch));
}

SSL_API ssl_tensor *ssl_moco_at(const char *at, ssl_tensor *q, ssl_tensor *k, ssl_tensor *queue, int *ptr, float temperature)
{
    ssl_ctx *c = q->ctx;
    ssl_tensor *part[2], *loss;
    int n, d, size, first;
    char a[96], b[96];
    if (!ssl__pair_ok(at, "ssl_moco", q, k)) return &c->nil;
    n = q->dim[0]; d = q->dim[1]; size = queue->dim[0];
    if (queue->ndim != 2 || queue->dim[1] != d || size < n)
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_moco: queue%s for keys%s: the queue must be [K,D] with K >= N: take a longer queue or a smaller batch", ssl__shape(queue, a), ssl__shape(k, b));
    q = ssl_l2_normalize_at(at, q, 1e-12f);
    k = ssl_detach_at(at, ssl_l2_normalize_at(at, ssl_detach_at(at, k), 1e-12f));
    part[0] = ssl_sum_axes_at(at, ssl_mul_at(at, q, k), SSL_AXIS(1), 1);
    part[1] = ssl_matmul_t_at(at, q, ssl_add_scalar_at(at, ssl_detach_at(at, queue), 0.0f), 0, 1); /* the queue changes below, before backward */
    loss = ssl_cross_entropy_at(at, ssl_scale_at(at, ssl_concat_at(at, 1, 2, part), 1.0f / temperature), ssl_iota_at(at, c, n, 0, 1, 1), 0.0f);
    if (c->status || !c->training) return loss;
    first = SSL__MIN(n, size - *ptr); /* what does not fit before the end goes to the start */
    ssl__move(c, queue->x + (int64_t)*ptr * d, k->x, sizeof(float) * (size_t)first * (size_t)d);
    if (first < n) ssl__move(c, queue->x, k->x + (int64_t)first * d, sizeof(float) * (size_t)(n - first) * (size_t)d);
    *ptr = (*ptr + n) % size;
    return loss;
}

/* ==== >>pixpro ==== agreement of pixels ============================================================== */
SSL_API ssl_ppm ssl_ppm_new_at(const char *at, ssl_ctx *c, const char *prefix, int channels, int layers, float gamma, int unit)
{
    ssl_mlp_desc maps = SSL_ZERO;
    ssl_ppm p;
    memset(&p, 0, sizeof p);
    maps.conv = 1;
    p.layers = layers; p.unit = unit; p.gamma = gamma;
    if (layers < 0 || layers > 2) ssl__fail(c, SSL_E_ARG, at, "ssl_ppm_new: %d layers: the transformation has 0, 1 or 2", layers);
    else if (!(gamma > 0.0f)) ssl__fail(c, SSL_E_ARG, at, "ssl_ppm_new: gamma %g: it must be positive", (double)gamma);
    if (layers == 1) p.conv = ssl_conv_new_at(at, c, prefix, channels, channels, 1, 0, ssl_init_make(SSL_INIT_TORCH, 0.0f), NULL);
    if (layers == 2) p.mlp = ssl_mlp_new_at(at, c, prefix, channels, channels, channels, &maps);
    return p;
}
SSL_API ssl_tensor *ssl_ppm_forward_at(const char *at, const ssl_ppm *p, ssl_tensor *x)
{
    ssl_ctx *c = x->ctx;
    ssl_tensor *s, *v;
    char shape[96];
    if (c->status) return &c->nil;
    if (x->ndim != 4) return ssl__fail(c, SSL_E_SHAPE, at, "ssl_ppm_forward: x%s must be [B,C,H,W]", ssl__shape(x, shape));
    s = ssl_l2_normalize_at(at, ssl__map_tokens(at, x), 1e-8f);
    s = ssl_clamp_min_at(at, ssl_matmul_t_at(at, s, s, 0, 1), p->clamp); /* [B,P,P] */
    if (p->gamma < 1.0f) s = ssl_add_scalar_at(at, s, 1e-6f);             /* the slope at 0 is infinite */
    s = p->gamma == 2.0f ? ssl_square_at(at, s) : p->gamma == 1.0f ? s : ssl_pow_at(at, s, p->gamma);
    v = ssl__map_tokens(at, p->layers == 2 ? ssl_mlp_forward_at(at, &p->mlp, x) : p->layers == 1 ? ssl_conv_forward_at(at, &p->conv, x) : x);
    v = ssl_matmul_t_at(at, s, p->unit ? ssl_l2_normalize_at(at, v, 1e-12f) : v, 0, 0); /* [B,P,C] */
    if (p->unit) v = ssl_l2_normalize_at(at, v, 1e-12f);
    return c->status ? &c->nil : ssl_reshape_at(at, ssl_permute_at(at, v, 0, 2, 1), 4, x->dim[0], x->dim[1], x->dim[2], x->dim[3]);
}

/* Mirror the axis of n elements, the last or the one before it, of x [B,C,h,w]. */
static ssl_tensor *ssl__mirror(const char *at, ssl_tensor *x, int columns)
{
    ssl_ctx *c = x->ctx;
    const int n = c->status ? 1 : x->dim[columns ? 3 : 2];
    int32_t *order = (int32_t *)ssl__aux(c, at, sizeof *order * (size_t)n);
    ssl_tensor *y;
    int i;
    if (c->status) return &c->nil;
    for (i = 0; i < n; i++) order[i] = n - 1 - i;
    y = ssl_reshape_at(at, x, 3, columns ? -1 : x->dim[0] * x->dim[1], n, columns ? 1 : x->dim[3]);
    return ssl_reshape_at(at, ssl_index_select_at(at, y, ssl_input_i32_at(at, c, order, 1, n)), 4, x->dim[0], x->dim[1], x->dim[2], x->dim[3]);
}
SSL_API ssl_tensor *ssl_cutout_at(const char *at, ssl_tensor *x, const ssl_view_box *b, int h, int w, ssl_interpolation mode)
{
    ssl_ctx *c = x->ctx;
    char s[96];
    if (c->status) return &c->nil;
    if (x->ndim != 4 || b->y0 < 0 || b->x0 < 0 || b->y1 <= b->y0 || b->x1 <= b->x0 || b->y1 > x->dim[2] || b->x1 > x->dim[3])
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_cutout: rows %d to %d and columns %d to %d of images%s: the box must have pixels and lie inside", b->y0, b->y1, b->x0, b->x1, ssl__shape(x, s));
    x = ssl_slice_at(at, ssl_slice_at(at, x, 2, b->y0, b->y1), 3, b->x0, b->x1);
    x = ssl_interpolate_at(at, x, h, w, mode);
    if (b->hflip) x = ssl__mirror(at, x, 1);
    return b->vflip ? ssl__mirror(at, x, 0) : x;
}

/* Place of element i of n, resized from elements begin.. of `size`. Linear interpolation of places is a place between. */
static float ssl__pixel_place(int i, int n, int begin, int size, ssl_interpolation mode)
{
    float at = ((float)i + 0.5f) * (float)size / (float)n - 0.5f;
    if (mode == SSL_INTERPOLATE_NEAREST) at = (float)(int)((float)i * (float)size / (float)n);
    return (float)begin + SSL__MIN(SSL__MAX(at, 0.0f), (float)(size - 1));
}
SSL_API void ssl_pixel_places(const ssl_view_box *b, int image_h, int image_w, int h, int w, ssl_interpolation mode, float *out)
{
    const float diagonal = sqrtf((float)image_h * (float)image_h + (float)image_w * (float)image_w);
    int i, j;
    for (i = 0; i < h; i++)
        for (j = 0; j < w; j++) {
            const int y = b->vflip ? h - 1 - i : i, x = b->hflip ? w - 1 - j : j;
            *out++ = ssl__pixel_place(y, h, b->y0, b->y1 - b->y0, mode) / diagonal * (float)h;
            *out++ = ssl__pixel_place(x, w, b->x0, b->x1 - b->x0, mode) / diagonal * (float)w;
        }
}
SSL_API int ssl_pixel_positives(const float *one, const float *two, int n, float threshold, float *distance, float *positive)
{
    int i, j, count = 0;
    for (i = 0; i < n; i++)
        for (j = 0; j < n; j++) {
            const float dy = one[2 * i] - two[2 * j] + 1e-6f, dx = one[2 * i + 1] - two[2 * j + 1] + 1e-6f, d = sqrtf(dy * dy + dx * dx);
            const size_t k = (size_t)i * (size_t)n + (size_t)j;
            if (distance) distance[k] = d;
            positive[k] = d < threshold ? 1.0f : 0.0f;
            count += d < threshold;
        }
    return count;
}
SSL_API int ssl_pixel_positives_official(const float *a, const float *b, int h, int w, float ratio, float *positive)
{
    const float aw = (a[2] - a[0]) / (float)w, ah = (a[3] - a[1]) / (float)h, bw = (b[2] - b[0]) / (float)w, bh = (b[3] - b[1]) / (float)h;
    const float da = sqrtf(aw * aw + ah * ah), db = sqrtf(bw * bw + bh * bh), diagonal = SSL__MAX(da, db);
    const int n = h * w;
    int i, j, count = 0;
    for (i = 0; i < n; i++)
        for (j = 0; j < n; j++) {
            const float dx = ((float)(i % w) + 0.5f) * aw + a[0] - ((float)(j % w) + 0.5f) * bw - b[0];
            const float dy = ((float)(i / w) + 0.5f) * ah + a[1] - ((float)(j / w) + 0.5f) * bh - b[1];
            const int near = sqrtf(dx * dx + dy * dy) / diagonal < ratio;
            *positive++ = near ? 1.0f : 0.0f;
            count += near;
        }
    return count;
}

/* cos(x_i, z_j) [B,P,P] of two maps */
static ssl_tensor *ssl__pixel_cos(const char *at, ssl_tensor *x, ssl_tensor *z)
{ return ssl_matmul_t_at(at, ssl_l2_normalize_at(at, ssl__map_tokens(at, x), 1e-8f), ssl_l2_normalize_at(at, ssl__map_tokens(at, z), 1e-8f), 0, 1); }
static int ssl__pixel_ok(const char *at, const char *op, ssl_tensor *x1, ssl_tensor *x2, ssl_tensor *z1, ssl_tensor *z2, ssl_tensor *pairs)
{
    ssl_tensor *t[3];
    ssl_ctx *c = x1->ctx;
    char a[96], b[96];
    int i;
    t[0] = x2; t[1] = z1; t[2] = z2;
    if (c->status) return 0;
    for (i = 0; i < 3; i++)
        if (x1->ndim != 4 || t[i]->ndim != 4 || memcmp(x1->dim, t[i]->dim, 4 * sizeof(int))) { ssl__fail(c, SSL_E_SHAPE, at, "%s: maps%s and%s: all four must have one shape [B,C,h,w]", op, ssl__shape(x1, a), ssl__shape(t[i], b)); return 0; }
    i = x1->dim[2] * x1->dim[3];
    if (pairs->ndim >= 2 && pairs->ndim <= 3 && pairs->dim[pairs->ndim - 1] == i && pairs->dim[pairs->ndim - 2] == i && (pairs->ndim == 2 || pairs->dim[0] == x1->dim[0])) return 1;
    ssl__fail(c, SSL_E_SHAPE, at, "%s: maps%s with pairs%s: pairs must be [P,P] or [B,P,P], P = h w", op, ssl__shape(x1, a), ssl__shape(pairs, b));
    return 0;
}
SSL_API ssl_tensor *ssl_pixel_consistency_at(const char *at, ssl_tensor *x1, ssl_tensor *x2, ssl_tensor *z1, ssl_tensor *z2, ssl_tensor *weight, int direction)
{
    ssl_tensor *s;
    if (!ssl__pixel_ok(at, "ssl_pixel_consistency", x1, x2, z1, z2, weight)) return &x1->ctx->nil;
    if (direction == 1) s = ssl__pixel_cos(at, x1, ssl_detach_at(at, z2));
    else if (direction == 2) s = ssl__pixel_cos(at, ssl_detach_at(at, z1), x2); /* rows are pixels of the first view here, too */
    else s = ssl_add_at(at, ssl__pixel_cos(at, x1, ssl_detach_at(at, z2)), ssl__pixel_cos(at, ssl_detach_at(at, z1), x2));
    return ssl_scale_at(at, ssl_sum_at(at, ssl_mul_at(at, s, weight)), direction ? -1.0f : -0.5f);
}
static ssl_tensor *ssl__pixel_contrast(const char *at, ssl_tensor *a, ssl_tensor *b, ssl_tensor *positive, float temperature)
{
    ssl_tensor *e = ssl_exp_at(at, ssl_scale_at(at, ssl_add_scalar_at(at, ssl__pixel_cos(at, a, b), -1.0f), 1.0f / temperature)); /* at most 1 */
    return ssl_sub_at(at, ssl_log_at(at, ssl_sum_at(at, e)), ssl_log_at(at, ssl_sum_at(at, ssl_mul_at(at, e, positive))));
}
SSL_API ssl_tensor *ssl_pixel_contrast_at(const char *at, ssl_tensor *x1, ssl_tensor *x2, ssl_tensor *z1, ssl_tensor *z2, ssl_tensor *positive, float temperature, int direction)
{
    ssl_ctx *c = x1->ctx;
    ssl_tensor *one = NULL, *two = NULL;
    if (!ssl__pixel_ok(at, "ssl_pixel_contrast", x1, x2, z1, z2, positive)) return &c->nil;
    if (!(temperature >= 0.03f)) return ssl__fail(c, SSL_E_ARG, at, "ssl_pixel_contrast: temperature %g: it must be at least 0.03, or exp(cos / temperature) vanishes", (double)temperature);
    if (direction != 2) one = ssl__pixel_contrast(at, x1, ssl_detach_at(at, z2), positive, temperature);
    if (direction != 1) two = ssl__pixel_contrast(at, ssl_detach_at(at, z1), x2, positive, temperature);
    return one && two ? ssl_scale_at(at, ssl_add_at(at, one, two), 0.5f) : one ? one : two;
}

/* ---- the objective ---- */
SSL_API int ssl_pixpro_desc_resolve(const ssl_pixpro_desc *in, ssl_pixpro_desc *out)
{
    ssl_pixpro_desc d = SSL_ZERO;
    if (in) d = *in;
    if (d._start_canary || d._end_canary || !ssl_resnet_desc_resolve(&d.resnet, &d.resnet)) return 0;
    d.pixel_layer = d.pixel_layer ? d.pixel_layer : "layer4";
    d.instance_layer = d.instance_layer ? d.instance_layer : "-2";
    d.projection_size = SSL__DEF(d.projection_size, 256);
    d.projection_hidden = SSL__DEF(d.projection_hidden, 2048);
    d.flip_p = SSL__DEFF(d.flip_p, 0.25f);
    d.momentum = SSL__DEFF(d.momentum, 0.99f);
    d.ppm_layers = SSL__DEF(d.ppm_layers, 1);
    d.ppm_gamma = SSL__DEFF(d.ppm_gamma, 2.0f);
    d.distance = SSL__DEF(d.distance, 0.7f);
    d.temperature = SSL__DEFF(d.temperature, 0.3f);
    d.alpha = SSL__DEFF(d.alpha, 1.0f);
    d.cutout_min = SSL__DEFF(d.cutout_min, 0.6f);
    d.cutout_max = SSL__DEFF(d.cutout_max, SSL__MAX(0.8f, d.cutout_min));
    d.cutout_mode = d.cutout_mode == SSL_INTERPOLATE_DEFAULT ? SSL_INTERPOLATE_NEAREST : d.cutout_mode;
    d.coord_mode = d.coord_mode == SSL_INTERPOLATE_DEFAULT ? SSL_INTERPOLATE_BILINEAR : d.coord_mode;
    *out = d;
    return 1;
}
static const char *ssl__resnet_child(const char *name) /* "-2" or "7": a child by its place, as in list(net.children()) */
{
    static const char *const child[10] = { "conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool", "fc" };
    char *end;
    const long i = strtol(name, &end, 10);
    return end == name || *end || i < -10 || i > 9 ? name : child[i < 0 ? 10 + i : i];
}
/* Both hidden outputs of the online (0) or target (1) network: map [B,C,h,w], instance [B,F]. */
static void ssl__pixpro_net(const char *at, const ssl_pixpro *m, int target, ssl_tensor *images, ssl_tensor *out[2])
{
    ssl_ctx *c = m->ctx;
    const char *name[2];
    char s1[96], s2[96];
    name[0] = ssl__resnet_child(m->d.pixel_layer);
    name[1] = ssl__resnet_child(m->d.instance_layer);
    out[0] = out[1] = &c->nil;
    if (c->status) return;
    if (m->d.net) m->d.net(m->d.net_user, target, images, &out[0], &out[1]);
    else ssl_resnet_layers_at(at, m->net[target], images, 2, name, out);
    if (c->status) return;
    if (out[0]->ndim != 4 || (out[1]->ndim != 4 && out[1]->ndim != 2))
        ssl__fail(c, SSL_E_ARG, at, "ssl_pixpro: pixel layer \"%s\"%s and instance layer \"%s\"%s: the first must be a map [B,C,h,w], the second a map or [B,F]", name[0], ssl__shape(out[0], s1), name[1], ssl__shape(out[1], s2));
    else if (out[1]->ndim == 4) out[1] = ssl_global_avg_pool_at(at, out[1]);
}
static int ssl__pixpro_check(const char *at, ssl_ctx *c, const ssl_pixpro_desc *d)
{
    if (d->projection_size < 1 || d->projection_hidden < 1) ssl__fail(c, SSL_E_ARG, at, "ssl_pixpro_new: projection_size %d, projection_hidden %d: both must be positive", d->projection_size, d->projection_hidden);
    else if (!(d->cutout_min > 0.0f && d->cutout_min <= d->cutout_max && d->cutout_max <= 1.0f)) ssl__fail(c, SSL_E_ARG, at, "ssl_pixpro_new: cutout_min %g, cutout_max %g: 0 < min <= max <= 1 is needed", (double)d->cutout_min, (double)d->cutout_max);
    else if (!(d->temperature >= 0.03f)) ssl__fail(c, SSL_E_ARG, at, "ssl_pixpro_new: temperature %g: it must be at least 0.03", (double)d->temperature);
    else if (!(d->distance > 0.0f)) ssl__fail(c, SSL_E_ARG, at, "ssl_pixpro_new: distance %g: pixels nearer than it are pairs, so it must be positive", (double)d->distance);
    else if (!(d->momentum <= 1.0f)) ssl__fail(c, SSL_E_ARG, at, "ssl_pixpro_new: momentum %g: it must be from 0 to 1", (double)d->momentum);
    else if (d->official && d->contrast) ssl__fail(c, SSL_E_ARG, at, "ssl_pixpro_new: the original PixPro has no pixel contrast: set official or contrast, not both");
    return !c->status;
}

SSL_API ssl_pixpro *ssl_pixpro_new_at(const char *at, ssl_ctx *c, const char *prefix, const ssl_pixpro_desc *desc)
{
    static const char *const side[2] = { "online_encoder", "target_encoder" };
    ssl_pixpro *m = (ssl_pixpro *)ssl__model(c, at, sizeof *m);
    ssl_pixpro_desc *d = &m->d;
    ssl_mlp_desc maps = SSL_ZERO;
    ssl_tensor *out[2];
    char p[256], q[256], *own = c->status ? NULL : (char *)ssl__model(c, at, strlen(prefix) + 1);
    const int training = c->training;
    int i;
    if (c->status) return m;
    m->prefix = strcpy(own, prefix);
    if (!ssl_pixpro_desc_resolve(desc, d)) { ssl__fail(c, SSL_E_ARG, at, "ssl_pixpro_new: the ssl_pixpro_desc is not initialized: write `ssl_pixpro_desc d = SSL_ZERO;`"); return m; }
    if (!ssl__pixpro_check(at, c, d)) return m;
    for (i = 0; i < 2 && !d->net; i++) m->net[i] = ssl_resnet_new_at(at, c, ssl__name(p, ssl__name(q, prefix, side[i]), "net"), &d->resnet);
    maps.conv = 1;
    ssl_no_grad(c, 1); /* a small black picture tells the widths */
    c->training = 0;
    i = d->net && d->image_size ? d->image_size : 32;
    ssl__pixpro_net(at, m, 0, ssl_input_at(at, c, NULL, 4, 1, d->resnet.channels, i, i), out);
    c->training = training;
    ssl_no_grad(c, 0);
    for (i = 0; i < 2 && !c->status; i++) {
        ssl__name(q, prefix, side[i]);
        m->pixel_projector[i] = ssl_mlp_new_at(at, c, ssl__name(p, q, "pixel_projector.net"), out[0]->dim[1], d->projection_hidden, d->projection_size, &maps);
        m->instance_projector[i] = ssl_mlp_new_at(at, c, ssl__name(p, q, "instance_projector.net"), out[1]->dim[1], d->projection_hidden, d->projection_size, NULL);
    }
    if (!d->contrast) m->ppm = ssl_ppm_new_at(at, c, ssl__name(p, prefix, "propagate_pixels.transform_net"), d->projection_size, SSL__MAX(d->ppm_layers, 0), d->ppm_gamma, d->official);
    m->predictor = ssl_mlp_new_at(at, c, ssl__name(p, prefix, "online_predictor.net"), d->projection_size, d->projection_hidden, d->projection_size, NULL);
    ssl_pixpro_reset_target_at(at, m);
    if (!c->status) ssl_param_group(c, ssl__name(p, ssl__name(q, prefix, side[1]), "*"), 1.0f, 1.0f, 1);
    return m;
}
static void ssl__pixpro_ema(const char *at, const ssl_pixpro *m, int copy)
{
    char p[256], q[256];
    if (m->ctx->status) return;
    ssl__name(p, m->prefix, "target_encoder");
    ssl__name(q, m->prefix, "online_encoder");
    if (copy) ssl_ema_copy_at(at, m->ctx, p, q);
    else ssl_ema_update_at(at, m->ctx, p, q, m->d.momentum);
}
SSL_API void ssl_pixpro_update_at(const char *at, const ssl_pixpro *m) { ssl__pixpro_ema(at, m, 0); }
SSL_API void ssl_pixpro_reset_target_at(const char *at, const ssl_pixpro *m) { ssl__pixpro_ema(at, m, 1); }

/* n boxes for each of two views: one ratio and place for a view (or, with official, an image of a view). */
static const ssl_view_box *ssl__pixpro_boxes(const char *at, const ssl_pixpro *m, int n, int h, int w)
{
    ssl_rng r = ssl_rng_make(m->ctx->seed, ssl_rng_stream(m->ctx));
    ssl_view_box *b = (ssl_view_box *)ssl__aux(m->ctx, at, sizeof *b * 2 * (size_t)n);
    int i;
    for (i = 0; b && i < 2 * n; i++) {
        const float ratio = m->d.cutout_min + ssl_rng_uniform(&r) * (m->d.cutout_max - m->d.cutout_min);
        const int bh = SSL__MAX((int)(ratio * (float)h), 1), bw = SSL__MAX((int)(ratio * (float)w), 1);
        b[i].y0 = (int)(ssl_rng_uniform(&r) * (float)(h - bh));
        b[i].x0 = (int)(ssl_rng_uniform(&r) * (float)(w - bw));
        b[i].y1 = b[i].y0 + bh;
        b[i].x1 = b[i].x0 + bw;
        b[i].hflip = ssl_rng_uniform(&r) < m->d.flip_p;
    }
    return b;
}
static ssl_tensor *ssl__pixpro_view(const char *at, const ssl_pixpro *m, ssl_tensor *images, const ssl_view_box *boxes)
{
    ssl_ctx *c = m->ctx;
    const int B = images->dim[0], h = m->d.image_size ? m->d.image_size : images->dim[2], w = m->d.image_size ? m->d.image_size : images->dim[3];
    ssl_tensor **part;
    int i;
    if (!m->d.official) return ssl_cutout_at(at, images, boxes, h, w, m->d.cutout_mode);
    part = (ssl_tensor **)ssl__aux(c, at, sizeof *part * (size_t)B);
    for (i = 0; i < B && !c->status; i++) part[i] = ssl_cutout_at(at, ssl_slice_at(at, images, 0, i, i + 1), &boxes[i], h, w, m->d.cutout_mode);
    return c->status ? &c->nil : ssl_concat_at(at, 0, B, part);
}

/* Positive pairs of the boxes of trace: positive and num_positive; returns the weight of each pair, which are those of a mean
   over positive pairs and batch, or of the original's 4 / B sum over positives of an image / (their number + 1e-6). */
static ssl_tensor *ssl__pixpro_weights(const char *at, const ssl_pixpro *m, int B, int h, int w, int image_h, int image_w, ssl_pixpro_trace *t)
{
    ssl_ctx *c = m->ctx;
    const int P = h * w, n = m->d.official ? B : 1;
    const size_t pairs = (size_t)P * (size_t)P;
    float *positive = (float *)ssl__aux(c, at, sizeof(float) * ((size_t)n * pairs + (size_t)P * 4)), *place = positive + (size_t)n * pairs, *weight, box[8];
    int b, v;
    size_t k;
    if (c->status) return &c->nil;
    t->num_positive = 0;
    if (!m->d.official) {
        for (v = 0; v < 2; v++) ssl_pixel_places(&t->boxes[v], image_h, image_w, h, w, m->d.coord_mode, place + v * 2 * P);
        t->num_positive = ssl_pixel_positives(place, place + 2 * P, P, m->d.distance, NULL, positive);
        t->positive = ssl_input_at(at, c, positive, 2, P, P);
        return ssl_scale_at(at, t->positive, 1.0f / ((float)B * SSL__MAX((float)t->num_positive, 1.0f)));
    }
    weight = (float *)ssl__aux(c, at, sizeof(float) * (size_t)n * pairs);
    for (b = 0; b < n && weight; b++) {
        float *p = positive + (size_t)b * pairs;
        int count;
        for (v = 0; v < 2; v++) {
            const ssl_view_box *x = &t->boxes[v * n + b];
            box[4 * v] = (float)(x->hflip ? x->x1 : x->x0) / (float)image_w;
            box[4 * v + 2] = (float)(x->hflip ? x->x0 : x->x1) / (float)image_w;
            box[4 * v + 1] = (float)(x->vflip ? x->y1 : x->y0) / (float)image_h;
            box[4 * v + 3] = (float)(x->vflip ? x->y0 : x->y1) / (float)image_h;
        }
        count = ssl_pixel_positives_official(box, box + 4, h, w, m->d.distance, p);
        for (k = 0; k < pairs; k++) weight[(size_t)b * pairs + k] = p[k] * 4.0f / ((float)B * ((float)count + 1e-6f)); /* 2 x the sum of directions = 4 x their mean */
        t->num_positive += count;
    }
    t->positive = ssl_input_at(at, c, positive, 3, n, P, P);
    return ssl_input_at(at, c, weight, 3, n, P, P);
}

SSL_API ssl_tensor *ssl_pixpro_terms_at(const char *at, const ssl_pixpro *m, int image_h, int image_w, ssl_pixpro_trace *t)
{
    ssl_ctx *c = m->ctx;
    ssl_tensor *p[2], *x[2], *weight;
    int i;
    if (c->status) return &c->nil;
    for (i = 0; i < 2; i++) p[i] = ssl_mlp_forward_at(at, &m->predictor, t->instance[i]);
    t->instance_loss = ssl_byol_at(at, p[0], p[1], t->target_instance[0], t->target_instance[1]);
    weight = ssl__pixpro_weights(at, m, t->pixel[0]->dim[0], t->pixel[0]->dim[2], t->pixel[0]->dim[3], image_h, image_w, t);
    if (c->status) return &c->nil;
    if (!t->num_positive) { t->pixel_loss = ssl_input_at(at, c, NULL, 1, 1); return t->instance_loss; }
    if (m->d.contrast) t->pixel_loss = ssl_pixel_contrast_at(at, t->pixel[0], t->pixel[1], t->target_pixel[0], t->target_pixel[1], t->positive, m->d.temperature, 0);
    else {
        for (i = 0; i < 2; i++) x[i] = ssl_ppm_forward_at(at, &m->ppm, t->pixel[i]);
        t->pixel_loss = ssl_pixel_consistency_at(at, x[0], x[1], t->target_pixel[0], t->target_pixel[1], weight, 0);
    }
    return ssl_add_at(at, ssl_scale_at(at, t->pixel_loss, m->d.alpha), t->instance_loss);
}

SSL_API ssl_tensor *ssl_pixpro_loss_at(const char *at, const ssl_pixpro *m, ssl_tensor *images1, ssl_tensor *images2, ssl_pixpro_trace *trace)
{
    ssl_ctx *c = m->ctx;
    ssl_pixpro_trace none = SSL_ZERO, *t = trace ? trace : &none;
    ssl_tensor *out[2];
    char s1[96], s2[96];
    int i, k, n;
    if (c->status) return &c->nil;
    if (images1->ndim != 4 || images2->ndim != 4 || memcmp(images1->dim, images2->dim, 4 * sizeof(int)))
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_pixpro_loss: images%s and%s: both must be [B,C,H,W] of one shape", ssl__shape(images1, s1), ssl__shape(images2, s2));
    n = m->d.official ? images1->dim[0] : 1;
    if (!t->boxes) t->boxes = ssl__pixpro_boxes(at, m, n, images1->dim[2], images1->dim[3]);
    for (i = 0; i < 2 && !c->status; i++) t->view[i] = ssl__pixpro_view(at, m, i ? images2 : images1, t->boxes + i * n);
    for (k = 1; k >= 0; k--) { /* the target, then the online network, into the memory that the target's inner values leave */
        if (k) ssl_no_grad(c, 1);
        for (i = 0; i < 2 && !c->status; i++) {
            ssl__pixpro_net(at, m, k, t->view[i], out);
            (k ? t->target_pixel : t->pixel)[i] = ssl_mlp_forward_at(at, &m->pixel_projector[k], out[0]);
            (k ? t->target_instance : t->instance)[i] = ssl_mlp_forward_at(at, &m->instance_projector[k], out[1]);
        }
        if (k) ssl_no_grad(c, 0);
    }
    return ssl_pixpro_terms_at(at, m, images1->dim[2], images1->dim[3], t);
}

SSL_API ssl_tensor *ssl_pixpro_features_at(const char *at, const ssl_pixpro *m, ssl_tensor *images)
{
    ssl_tensor *out[2];
    ssl__pixpro_net(at, m, 0, images, out);
    return out[1];
}

/* ==== >>cpc ==== contrastive predictive coding ======================================================= */
SSL_API ssl_pixelcnn ssl_pixelcnn_new_at(const char *at, ssl_ctx *c, const char *prefix, int channels, int hidden, int blocks)
{
    static const int kh[4] = { 1, 1, 2, 1 }, kw[4] = { 1, 3, 1, 1 };
    const ssl_init torch = ssl_init_make(SSL_INIT_TORCH, 0.0f);
    ssl_pixelcnn m;
    char p[256], q[256];
    int i;
    m.blocks = blocks;
    m.conv = (ssl_conv_layer *)ssl__model(c, at, sizeof *m.conv * 4 * (size_t)SSL__MAX(blocks, 1));
    for (i = 0; i < 4 * blocks && !c->status; i++) {
        ssl_conv_layer *l = &m.conv[i];
        const int k = i % 4, in = k ? hidden : channels, out = k == 3 ? channels : hidden;
        char number[16];
        snprintf(number, sizeof number, "%d", 2 * k);
        ssl__name(p, ssl__name_i(q, prefix, "blocks", i / 4), number);
        l->weight = ssl_param_at(at, c, torch, ssl__name(q, p, "weight"), 4, out, in, kh[k], kw[k]);
        l->bias = ssl__bias(at, c, ssl__name(q, p, "bias"), in * kh[k] * kw[k], out, torch);
        l->d.padding_w = k == 2 ? 1 : SSL_CONV_ZERO; /* the columns that 1x3 lost come back as zeros */
    }
    return m;
}
SSL_API ssl_tensor *ssl_pixelcnn_forward_at(const char *at, const ssl_pixelcnn *m, ssl_tensor *z)
{
    int i;
    for (i = 0; i < m->blocks && !z->ctx->status; i++) {
        const ssl_conv_layer *l = m->conv + 4 * i;
        ssl_tensor *x = ssl_conv_forward_at(at, &l[1], ssl_relu_at(at, ssl_conv_forward_at(at, &l[0], z)));
        x = ssl_conv_forward_at(at, &l[2], ssl_pad2d_at(at, x, 1, 0, 0, 0, SSL_PAD_CONSTANT, 1.0f));
        z = ssl_add_at(at, z, ssl_conv_forward_at(at, &l[3], ssl_relu_at(at, x)));
    }
    return ssl_relu_at(at, z);
}

SSL_API int ssl_cpc_desc_resolve(const ssl_cpc_desc *in, ssl_cpc_desc *out)
{
    ssl_cpc_desc d = SSL_ZERO;
    if (in) d = *in;
    if (d._start_canary || d._end_canary) return 0;
    d.patch = SSL__DEF(d.patch, 8);
    if (d.layer_norm) d.resnet.cpc = d.patch;
    else if (d.patch < 32) d.resnet.cifar_stem = 1; /* the other stem and four stages would halve a single pixel */
    if (!ssl_resnet_desc_resolve(&d.resnet, &d.resnet)) return 0;
    d.stride = SSL__DEF(d.stride, SSL__MAX(d.patch / 2, 1));
    d.target_dim = SSL__DEF(d.target_dim, 64);
    d.embed_scale = SSL__DEFF(d.embed_scale, 0.1f);
    d.hidden = SSL__DEF(d.hidden, 256);
    d.blocks = SSL__DEF(d.blocks, 5);
    *out = d;
    return 1;
}
SSL_API ssl_cpc *ssl_cpc_task_new_at(const char *at, ssl_ctx *c, const char *prefix, int channels, const ssl_cpc_desc *desc)
{
    ssl_cpc *m = (ssl_cpc *)ssl__model(c, at, sizeof *m);
    const ssl_cpc_desc *d = &m->d;
    char p[256];
    if (c->status) return m;
    if (!ssl_cpc_desc_resolve(desc, &m->d)) { ssl__fail(c, SSL_E_ARG, at, "ssl_cpc_new: the ssl_cpc_desc is not initialized: write `ssl_cpc_desc d = SSL_ZERO;`"); return m; }
    if (d->patch < 1 || d->stride < 1 || d->target_dim < 1 || d->hidden < 1 || d->blocks < 1) {
        ssl__fail(c, SSL_E_ARG, at, "ssl_cpc_new: patch %d, stride %d, target_dim %d, hidden %d, blocks %d: all must be positive", d->patch, d->stride, d->target_dim, d->hidden, d->blocks);
        return m;
    }
    m->target = ssl_conv_new_at(at, c, ssl__name(p, prefix, "target_cnn"), channels, d->target_dim, 1, 0, ssl_init_make(SSL_INIT_TORCH, 0.0f), NULL);
    m->pred = ssl_conv_new_at(at, c, ssl__name(p, prefix, "pred_cnn"), channels, d->target_dim, 1, 0, ssl_init_make(SSL_INIT_TORCH, 0.0f), NULL);
    m->context = ssl_pixelcnn_new_at(at, c, ssl__name(p, prefix, "context_cnn"), channels, d->hidden, d->blocks);
    return m;
}
SSL_API ssl_cpc *ssl_cpc_new_at(const char *at, ssl_ctx *c, const char *prefix, const ssl_cpc_desc *desc)
{
    ssl_cpc_desc d = SSL_ZERO;
    ssl_resnet *net = NULL;
    ssl_cpc *m;
    char p[256];
    if (ssl_cpc_desc_resolve(desc, &d)) net = ssl_resnet_new_at(at, c, ssl__name(p, prefix, "encoder"), &d.resnet);
    m = ssl_cpc_task_new_at(at, c, ssl__name(p, prefix, "contrastive_task"), net && !c->status ? SSL__DEF(d.resnet.classes, net->features) : 1, desc);
    if (!c->status) m->net = net;
    return m;
}

SSL_API ssl_tensor *ssl_cpc_grid_at(const char *at, const ssl_cpc *m, ssl_tensor *x)
{
    ssl_conv_desc window = SSL_ZERO;
    const int P = m->d.patch;
    char s[96];
    int B, C, h, w;
    if (m->ctx->status) return &m->ctx->nil;
    if (!m->net) return ssl__fail(m->ctx, SSL_E_ARG, at, "ssl_cpc: this model has no encoder: make it with ssl_cpc_new, or give features to ssl_cpc_task");
    if (x->ndim != 4 || x->dim[2] < P || x->dim[3] < P) return ssl__fail(m->ctx, SSL_E_SHAPE, at, "ssl_cpc: images%s: [B,C,H,W] of at least one patch of %d x %d pixels is needed", ssl__shape(x, s), P, P);
    B = x->dim[0]; C = x->dim[1];
    h = (x->dim[2] - P) / m->d.stride + 1;
    w = (x->dim[3] - P) / m->d.stride + 1;
    window.stride = m->d.stride;
    x = ssl_permute_at(at, ssl_unfold_at(at, x, P, P, &window), 0, 2, 1);                       /* [B,G G,C P P] */
    x = ssl_resnet_forward_at(at, m->net, ssl_reshape_at(at, x, 4, B * h * w, C, P, P));        /* [B G G,F] */
    return ssl_permute_at(at, ssl_reshape_at(at, x, 4, B, h, w, -1), 0, 3, 1, 2);
}
SSL_API ssl_tensor *ssl_cpc_features_at(const char *at, const ssl_cpc *m, ssl_tensor *images)
{ return ssl_mean_axes_at(at, ssl_cpc_grid_at(at, m, images), SSL_AXIS(2) | SSL_AXIS(3), 0); }

/* L_i: predictions [B,H,W,D] of rows 0 .. H-i-2 against all targets [B H W,D] */
static ssl_tensor *ssl__cpc_step(const char *at, ssl_tensor *preds, ssl_tensor *targets, int i)
{
    ssl_ctx *c = preds->ctx;
    const int B = preds->dim[0], H = preds->dim[1], W = preds->dim[2], rows = (H - i - 1) * W;
    int32_t *label = (int32_t *)ssl__aux(c, at, sizeof *label * (size_t)B * (size_t)rows);
    ssl_tensor *x;
    int k;
    if (c->status) return &c->nil;
    for (k = 0; k < B * rows; k++) label[k] = k / rows * H * W + (i + 1) * W + k % rows;
    x = ssl_reshape_at(at, ssl_slice_at(at, preds, 1, 0, H - i - 1), 2, B * rows, preds->dim[3]);
    return ssl_cross_entropy_at(at, ssl_matmul_t_at(at, x, targets, 0, 1), ssl_input_i32_at(at, c, label, 1, B * rows), 0.0f);
}
SSL_API ssl_tensor *ssl_cpc_task_at(const char *at, const ssl_cpc *m, ssl_tensor *z, ssl_cpc_trace *trace)
{
    ssl_ctx *c = m->ctx;
    ssl_cpc_trace none, *t = trace ? trace : &none;
    const int first = m->d.each_once ? 0 : 1;
    ssl_tensor *preds, *targets, *loss = NULL, *l;
    char s[96];
    int i;
    if (c->status) return &c->nil;
    if (z->ndim != 4 || z->dim[2] < first + 2 || z->dim[3] < 3 || z->dim[2] > SSL_CPC_STEPS)
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_cpc: features%s: a grid of %d to %d rows and at least 3 columns is needed: take smaller patches or a smaller stride", ssl__shape(z, s), first + 2, (int)SSL_CPC_STEPS);
    t->context = ssl_pixelcnn_forward_at(at, &m->context, z);
    t->targets = ssl_conv_forward_at(at, &m->target, z);
    t->preds = ssl_conv_forward_at(at, &m->pred, t->context);
    t->n_losses = 0;
    preds = ssl_scale_at(at, ssl_permute_at(at, t->preds, 0, 2, 3, 1), m->d.embed_scale);
    targets = ssl_reshape_at(at, ssl_permute_at(at, t->targets, 0, 2, 3, 1), 2, -1, m->d.target_dim);
    for (i = first; i < z->dim[2] - 1 && !c->status; i++) {
        t->losses[t->n_losses++] = l = ssl__cpc_step(at, preds, targets, i);
        l = first ? ssl_scale_at(at, l, (float)i) : l;
        loss = loss ? ssl_add_at(at, loss, l) : l;
    }
    return loss ? loss : &c->nil;
}
SSL_API ssl_tensor *ssl_cpc_loss_at(const char *at, const ssl_cpc *m, ssl_tensor *images, ssl_cpc_trace *trace)
{
    ssl_tensor *z = ssl_cpc_grid_at(at, m, images);
    return m->ctx->status ? &m->ctx->nil : ssl_cpc_task_at(at, m, z, trace);
}

/* ==== >>siamese ==== two views of a picture ========================================================== */
static ssl_tensor *ssl__siamese_simclr(const char *at, const ssl_siamese *m, int n_views, ssl_siamese_trace *t)
{ (void)n_views; return ssl_nt_xent_at(at, t->projection[0], t->projection[1], m->d.temperature, SSL_NT_XENT_DEFAULT); }

static ssl_tensor *ssl__siamese_moco(const char *at, const ssl_siamese *m, int n_views, ssl_siamese_trace *t)
{
    int ptr = (int)ssl__number(m->queue_ptr);
    ssl_tensor *crossed[2], *loss; /* both directions at once: queries 1, 2 meet keys 2, 1 */
    crossed[0] = t->target[1]; crossed[1] = t->target[0];
    loss = ssl_moco_at(at, ssl_concat_at(at, 0, n_views, t->projection), ssl_concat_at(at, 0, n_views, crossed), m->queue, &ptr, m->d.temperature);
    ssl__number_set(m->queue_ptr, (float)ptr);
    return loss;
}

static ssl_tensor *ssl__siamese_byol(const char *at, const ssl_siamese *m, int n_views, ssl_siamese_trace *t)
{ (void)m; (void)n_views; return ssl_byol_at(at, t->prediction[0], t->prediction[1], t->target[0], t->target[1]); }

static ssl_tensor *ssl__siamese_simsiam(const char *at, const ssl_siamese *m, int n_views, ssl_siamese_trace *t)
{ (void)m; (void)n_views; return ssl_simsiam_at(at, t->prediction[0], t->prediction[1], t->projection[0], t->projection[1]); }

static ssl_tensor *ssl__siamese_barlow(const char *at, const ssl_siamese *m, int n_views, ssl_siamese_trace *t)
{ (void)n_views; return ssl_barlow_at(at, t->projection[0], t->projection[1], m->d.lambda, 1e-5f); }

static ssl_tensor *ssl__siamese_vicreg(const char *at, const ssl_siamese *m, int n_views, ssl_siamese_trace *t)
{ (void)n_views; return ssl_vicreg_at(at, t->projection[0], t->projection[1], m->d.lambda, m->d.mu, m->d.nu, 1e-4f); }

static ssl_tensor *ssl__siamese_dino(const char *at, const ssl_siamese *m, int n_views, ssl_siamese_trace *t)
{
    const ssl_siamese_desc *d = &m->d;
    const float warm = d->teacher_warmup > 0.0f ? SSL__MIN(ssl__number(m->progress) / d->teacher_warmup, 1.0f) : 1.0f;
    ssl_tensor *student = ssl_reshape_at(at, ssl_concat_at(at, 0, n_views, t->projection), 3, n_views, -1, d->prototypes);
    ssl_tensor *teacher = ssl_reshape_at(at, ssl_concat_at(at, 0, 2, t->target), 3, 2, -1, d->prototypes);
    t->teacher_temperature = d->teacher_temperature_start + warm * (d->teacher_temperature - d->teacher_temperature_start);
    return ssl_dino_at(at, student, teacher, m->center, d->temperature, t->teacher_temperature, d->center_momentum);
}

typedef struct ssl__siamese_row { /* what a kind is made of, and its defaults */
    const char *name;
    ssl_tensor *(*loss)(const char *at, const ssl_siamese *m, int n_views, ssl_siamese_trace *t);
    int most_views, norm, hidden, out, layers, predictor;
    float temperature, momentum, lambda;
    ssl_momentum_schedule schedule;
} ssl__siamese_row;
static const ssl__siamese_row *ssl__siamese_kind(ssl_siamese_kind kind)
{
    static const ssl__siamese_row rows[] = { /* views norm hidden out layers predictor temperature momentum lambda */
        { "simclr", ssl__siamese_simclr, 2, 0, 2048, 128, 2, 0, 0.2f, 0.0f, 0.0f, SSL_MOMENTUM_CONSTANT },
        { "moco", ssl__siamese_moco, 2, 0, 2048, 128, 2, 0, 0.1f, 0.99f, 0.0f, SSL_MOMENTUM_CONSTANT },
        { "byol", ssl__siamese_byol, 2, 1, 4096, 256, 2, 4096, 0.0f, 0.99f, 0.0f, SSL_MOMENTUM_COSINE },
        { "simsiam", ssl__siamese_simsiam, 2, 1, 2048, 2048, 3, 512, 0.0f, 0.0f, 0.0f, SSL_MOMENTUM_CONSTANT },
        { "barlow", ssl__siamese_barlow, 2, 1, 2048, 2048, 3, 0, 0.0f, 0.0f, 0.0051f, SSL_MOMENTUM_CONSTANT },
        { "vicreg", ssl__siamese_vicreg, 2, 1, 2048, 2048, 3, 0, 0.0f, 0.0f, 25.0f, SSL_MOMENTUM_CONSTANT },
        { "dino", ssl__siamese_dino, SSL_VIEWS, 0, 2048, 256, 3, 0, 0.1f, 0.996f, 0.0f, SSL_MOMENTUM_COSINE },
    };
    return (int)kind < SSL_SIAMESE_SIMCLR || kind > SSL_SIAMESE_DINO ? NULL : &rows[kind - SSL_SIAMESE_SIMCLR];
}

SSL_API int ssl_siamese_desc_resolve(const ssl_siamese_desc *in, ssl_siamese_desc *out)
{
    ssl_siamese_desc d = SSL_ZERO;
    const ssl__siamese_row *row;
    if (in) d = *in;
    if (d._start_canary || d._end_canary) return 0;
    d.kind = d.kind == SSL_SIAMESE_DEFAULT ? SSL_SIAMESE_SIMCLR : d.kind;
    if (!(row = ssl__siamese_kind(d.kind))) return 0;
    if (d.kind == SSL_SIAMESE_DINO) d.backbone.vit.any_size = 1;
    if (!ssl_backbone_desc_resolve(&d.backbone, &d.backbone)) return 0;
    d.projector_hidden = SSL__DEF(d.projector_hidden, row->hidden);
    d.projector_out = SSL__DEF(d.projector_out, row->out);
    d.projector_layers = SSL__DEF(d.projector_layers, row->layers);
    d.predictor_hidden = row->predictor ? SSL__DEF(d.predictor_hidden, row->predictor) : 0;
    d.temperature = SSL__DEF(d.temperature, row->temperature);
    d.momentum = row->momentum > 0.0f ? SSL__DEF(d.momentum, row->momentum) : 0.0f;
    d.momentum_schedule = d.momentum_schedule == SSL_MOMENTUM_DEFAULT ? row->schedule : d.momentum_schedule;
    d.queue = SSL__DEF(d.queue, 4096);
    d.lambda = SSL__DEF(d.lambda, row->lambda);
    d.mu = SSL__DEF(d.mu, 25.0f);
    d.nu = SSL__DEF(d.nu, 1.0f);
    d.prototypes = SSL__DEF(d.prototypes, 4096);
    d.teacher_temperature = SSL__DEF(d.teacher_temperature, 0.07f);
    d.teacher_temperature_start = SSL__DEF(d.teacher_temperature_start, 0.04f);
    d.teacher_warmup = SSL__DEFF(d.teacher_warmup, 0.3f);
    d.center_momentum = SSL__DEFF(d.center_momentum, 0.9f);
    d.freeze_prototypes = SSL__DEFF(d.freeze_prototypes, 0.01f);
    *out = d;
    return 1;
}

static int ssl__siamese_check(const char *at, ssl_ctx *c, const ssl_siamese_desc *in, ssl_siamese_desc *d)
{
    if (!ssl_siamese_desc_resolve(in, d)) ssl__fail(c, SSL_E_ARG, at, "ssl_siamese_new: the ssl_siamese_desc is not initialized (write `ssl_siamese_desc d = SSL_ZERO;`), or its kind is not one of SSL_SIAMESE_*");
    else if (d->projector_hidden < 1 || d->projector_out < 1 || d->predictor_hidden < 0 || d->queue < 1 || d->prototypes < 1)
        ssl__fail(c, SSL_E_ARG, at, "ssl_siamese_new: projector_hidden %d, projector_out %d, predictor_hidden %d, queue %d, prototypes %d: they must be positive", d->projector_hidden,
                  d->projector_out, d->predictor_hidden, d->queue, d->prototypes);
    else if (d->temperature < 0.0f || !(d->teacher_temperature > 0.0f) || !(d->teacher_temperature_start > 0.0f))
        ssl__fail(c, SSL_E_ARG, at, "ssl_siamese_new: temperature %g, teacher_temperature %g from %g: they must be positive", (double)d->temperature, (double)d->teacher_temperature,
                  (double)d->teacher_temperature_start);
    else if (!(d->momentum >= 0.0f && d->momentum <= 1.0f)) ssl__fail(c, SSL_E_ARG, at, "ssl_siamese_new: momentum %g: it must be from 0 to 1", (double)d->momentum);
    return !c->status;
}
static ssl_siamese_net ssl__siamese_net_new(const char *at, ssl_ctx *c, const char *prefix, const ssl_siamese_desc *d)
{
    const int dino = d->kind == SSL_SIAMESE_DINO;
    ssl_siamese_net net;
    ssl_mlp_desc head = SSL_ZERO;
    char p[256];
    memset(&net, 0, sizeof net);
    head.layers = d->projector_layers;
    head.no_norm = !ssl__siamese_kind(d->kind)->norm;
    head.last_norm = d->kind == SSL_SIAMESE_SIMSIAM;
    head.act = dino ? SSL_ACT_GELU : SSL_ACT_RELU;
    net.backbone = ssl_backbone_new_at(at, c, prefix, &d->backbone);
    if (c->status) return net;
    net.projector = ssl_mlp_new_at(at, c, ssl__name(p, prefix, "projector"), net.backbone->features, d->projector_hidden, d->projector_out, &head);
    if (dino) net.prototypes = ssl_param_at(at, c, ssl_init_make(SSL_INIT_TORCH, 0.0f), ssl__name(p, prefix, "prototypes"), 2, d->prototypes, d->projector_out);
    return net;
}
static ssl_tensor *ssl__siamese_buffer(const char *at, const ssl_siamese *m, const char *name, float deviation, int ndim, int rows, int columns)
{
    char p[256];
    ssl_tensor *t = ssl_param_at(at, m->ctx, ssl_init_make(SSL_INIT_NORMAL, deviation), ssl__name(p, m->prefix, name), ndim, rows, columns);
    ssl__freeze(t);
    return t;
}
/* target = momentum target + (1 - momentum) online, or a copy */
static void ssl__siamese_ema(const char *at, const ssl_siamese *m, float momentum, int copy)
{
    const char *dot = *m->prefix ? "." : "";
    char target[256] = "", online[256] = "";
    ssl__append(online, m->prefix);
    ssl__append(online, dot);
    ssl__append(target, online);
    ssl__append(target, "target.");
    if (copy) ssl_ema_copy_at(at, m->ctx, target, online);
    else ssl_ema_update_at(at, m->ctx, target, online, momentum);
}
SSL_API ssl_siamese *ssl_siamese_new_at(const char *at, ssl_ctx *c, const char *prefix, const ssl_siamese_desc *desc)
{
    ssl_siamese *m = (ssl_siamese *)ssl__model(c, at, sizeof *m);
    const ssl_siamese_desc *d = &m->d;
    char p[256], *own = c->status ? NULL : (char *)ssl__model(c, at, strlen(prefix) + 1);
    if (c->status) return m;
    m->prefix = strcpy(own, prefix);
    if (!ssl__siamese_check(at, c, desc, &m->d)) return m;
    m->online = ssl__siamese_net_new(at, c, prefix, d);
    if (d->predictor_hidden) m->predictor = ssl_mlp_new_at(at, c, ssl__name(p, prefix, "predictor"), d->projector_out, d->predictor_hidden, d->projector_out, NULL);
    if (d->kind == SSL_SIAMESE_MOCO) { /* random keys of about length 1 until real ones have come */
        m->queue = ssl__siamese_buffer(at, m, "queue", 1.0f / sqrtf((float)d->projector_out), 2, d->queue, d->projector_out);
        m->queue_ptr = ssl__siamese_buffer(at, m, "queue_ptr", 0.0f, 1, 1, 0);
    }
    if (d->kind == SSL_SIAMESE_DINO) {
        m->center = ssl__siamese_buffer(at, m, "center", 0.0f, 2, 1, d->prototypes);
        m->progress = ssl__siamese_buffer(at, m, "progress", 0.0f, 1, 1, 0);
    }
    if (!(d->momentum > 0.0f)) return m;
    m->target = ssl__siamese_net_new(at, c, ssl__name(p, prefix, "target"), d);
    if (c->status) return m;
    ssl__siamese_ema(at, m, 0.0f, 1);
    ssl_param_group(c, ssl__name(p, prefix, "target.*"), 1.0f, 1.0f, 1);
    return m;
}
SSL_API void ssl_siamese_update_at(const char *at, const ssl_siamese *m, float progress)
{
    if (m->ctx->status) return;
    if (!(progress >= 0.0f && progress <= 1.0f)) { ssl__fail(m->ctx, SSL_E_ARG, at, "ssl_siamese_update: progress %g: it is the part of the run that is done, 0 to 1", (double)progress); return; }
    if (m->target.backbone) ssl__siamese_ema(at, m, m->d.momentum_schedule == SSL_MOMENTUM_COSINE ? ssl_momentum_cosine(progress, m->d.momentum) : m->d.momentum, 0);
    if (m->progress) ssl__number_set(m->progress, progress);
}

/* z [B,D]; DINO: cosines with the prototypes, which are unit rows (weight normalization with its length held at 1) */
static ssl_tensor *ssl__siamese_project(const char *at, const ssl_siamese *m, const ssl_siamese_net *net, ssl_tensor *feature)
{
    ssl_tensor *z = ssl_mlp_forward_at(at, &net->projector, feature), *w = net->prototypes;
    if (m->ctx->status || !w) return z;
    w = ssl_l2_normalize_at(at, w, 1e-12f);
    if (ssl__number(m->progress) < m->d.freeze_prototypes) w = ssl_detach_at(at, w);
    return ssl_linear_at(at, ssl_l2_normalize_at(at, z, 1e-12f), w, NULL);
}
static int ssl__siamese_views(const char *at, const ssl_siamese *m, int n, ssl_tensor *const *views)
{
    const ssl__siamese_row *row = ssl__siamese_kind(m->d.kind);
    char a[96], b[96];
    int v;
    if (n < 2 || n > row->most_views) {
        ssl__fail(m->ctx, SSL_E_ARG, at, "ssl_siamese_loss: %s compares %s of every image, got %d", row->name, row->most_views == 2 ? "2 views" : "2 global and up to 14 local views", n);
        return 0;
    }
    for (v = 1; v < n; v++)
        if (views[v]->dim[0] != views[0]->dim[0]) {
            ssl__fail(m->ctx, SSL_E_SHAPE, at, "ssl_siamese_loss: view 0%s and view %d%s: views of the same images are needed", ssl__shape(views[0], a), v, ssl__shape(views[v], b));
            return 0;
        }
    return 1;
}
SSL_API ssl_tensor *ssl_siamese_loss_at(const char *at, const ssl_siamese *m, int n_views, ssl_tensor *const *views, ssl_siamese_trace *trace)
{
    ssl_ctx *c = m->ctx;
    ssl_siamese_trace own, *t = trace ? trace : &own;
    int v;
    memset(t, 0, sizeof *t);
    if (c->status || !ssl__siamese_views(at, m, n_views, views)) return &c->nil;
    ssl_no_grad(c, 1); /* the target first: what follows goes into the memory that its inner values leave */
    for (v = 0; v < 2 && m->target.backbone; v++) t->target[v] = ssl__siamese_project(at, m, &m->target, ssl_backbone_forward_at(at, m->target.backbone, views[v]));
    ssl_no_grad(c, 0);
    for (v = 0; v < n_views; v++) { /* view by view, as in the papers: batch norms see one kind of view at a time */
        t->feature[v] = ssl_backbone_forward_at(at, m->online.backbone, views[v]);
        t->projection[v] = ssl__siamese_project(at, m, &m->online, t->feature[v]);
        if (m->predictor.d.layers) t->prediction[v] = ssl_mlp_forward_at(at, &m->predictor, t->projection[v]);
    }
    return c->status ? &c->nil : ssl__siamese_kind(m->d.kind)->loss(at, m, n_views, t);
}
SSL_API ssl_tensor *ssl_siamese_features_at(const char *at, const ssl_siamese *m, ssl_tensor *images)
{ return m->ctx->status ? &m->ctx->nil : ssl_backbone_forward_at(at, m->online.backbone, images); }

/* ==== >>optim ==== optimizers, schedules, EMA ======================================================== */
SSL_API int ssl_optim_desc_resolve(const ssl_optim_desc *in, ssl_optim_desc *out)
{
    ssl_optim_desc d = SSL_ZERO;
    if (in) d = *in;
    if (d._start_canary || d._end_canary) return 0;
    d.kind = d.kind == SSL_OPTIM_DEFAULT ? SSL_OPTIM_ADAMW : d.kind;
    d.beta1 = SSL__DEFF(d.beta1, 0.9f);
    d.beta2 = SSL__DEFF(d.beta2, 0.999f);
    d.eps = SSL__DEFF(d.eps, 1e-8f);
    d.weight_decay = SSL__DEFF(d.weight_decay, d.kind == SSL_OPTIM_ADAMW ? 0.05f : 0.0f);
    d.momentum = SSL__DEFF(d.momentum, 0.9f);
    d.trust_coefficient = SSL__DEFF(d.trust_coefficient, 0.001f);
    d.clip_norm = SSL__DEFF(d.clip_norm, 0.0f);
    *out = d;
    return 1;
}


/* sum of squares of n device values, on the host */
static float ssl__sumsq(ssl_ctx *c, const char *at, int64_t n, const float *x)
{
    float v = 0.0f, *y = (float *)ssl__temp(c, at, sizeof v);
    if (!y) return 0.0f;
    c->k->sumsq(c, n, x, y);
    ssl__get(c, &v, y, sizeof v);
    return v;
}

static int ssl__finite(float v) { uint32_t u; memcpy(&u, &v, 4); return (u & 0x7f800000u) != 0x7f800000u; } /* by bits: fast-math cannot remove it */

/* Global 2-norm of the gradients that are trained; NaN or infinity is an error that names the first such parameter. */
static float ssl__grad_norm(ssl_ctx *c, const char *at, const char *op)
{
    double sum = 0.0;
    char s[96];
    int i, j;
    for (i = 0; i < c->n_params && !c->status; i = j) { /* stretches without a frozen parameter */
        for (j = i; j < c->n_params && c->param[j]->frozen == c->param[i]->frozen; j++) { }
        if (!c->param[i]->frozen)
            sum += (double)ssl__sumsq(c, at, (j < c->n_params ? c->param[j]->offset : c->n_flat) - c->param[i]->offset, c->param[i]->t.g);
    }
    for (i = 0; i < c->n_params && !ssl__finite((float)sum) && !c->status; i++)
        if (!c->param[i]->frozen && !ssl__finite(ssl__sumsq(c, at, ssl__padded(c->param[i]), c->param[i]->t.g)))
            ssl__fail(c, SSL_E_NAN, at, "%s: the gradient of %s%s is not a number or infinite, no parameter was changed; lower the learning rate or set clip_norm",
                      op, c->param[i]->name, ssl__shape(&c->param[i]->t, s));
    return (float)sqrt(sum);
}
static float ssl__clip_scale(float norm, float max_norm) { return max_norm > 0.0f && norm + 1e-6f > max_norm ? max_norm / (norm + 1e-6f) : 1.0f; }

SSL_API float ssl_clip_grad_norm_at(const char *at, ssl_ctx *c, float max_norm)
{
    float norm, scale;
    if (c->status) return 0.0f;
    if (!ssl__state_ready(c, at, 1)) return 0.0f;
    norm = ssl__grad_norm(c, at, "ssl_clip_grad_norm");
    scale = ssl__clip_scale(norm, max_norm);
    if (!c->status && scale < 1.0f) c->k->rescale(c, c->n_state, scale, c->state[0]);
    return norm;
}

static float ssl__decay(const ssl__param *p, const ssl_optim_desc *d)
{ return p->t.ndim > 1 || d->decay_1d ? d->weight_decay * p->decay_scale : 0.0f; }

/* LARS: bring g to trust (|w| / |g + wd w|) (g + wd w) before the momentum step. Parameters of one axis: as they are. */
static float ssl__lars_scale(ssl_ctx *c, const char *at, const ssl__param *p, const ssl_optim_desc *d, float clip)
{
    const int64_t n = ssl__padded(p);
    float w2, g2;
    if (p->t.ndim < 2) return clip;
    c->k->rescale(c, n, clip, p->t.g);
    c->k->axpy(c, n, ssl__decay(p, d), p->t.x, p->t.g);
    w2 = ssl__sumsq(c, at, n, p->t.x);
    g2 = ssl__sumsq(c, at, n, p->t.g);
    return w2 > 0.0f && g2 > 0.0f ? d->trust_coefficient * sqrtf(w2) / sqrtf(g2) : 1.0f;
}

/* The step's constants for one stretch of equal parameters, which begins with parameter i. factor: what clips on the device. */
static ssl__update ssl__update_of(ssl_ctx *c, const char *at, int i, const ssl_optim_desc *d, float lr, float clip, const float *factor)
{
    const ssl__param *p = c->param[i];
    const double t = (double)(c->opt_step + 1), beta1 = ssl__decimal(d->beta1), beta2 = ssl__decimal(d->beta2);
    const int adam = d->kind == SSL_OPTIM_ADAMW || d->kind == SSL_OPTIM_ADAM;
    ssl__update u;
    u.begin = p->offset;
    u.slot = p->slot;
    u.n = 0;
    u.rate = lr * p->lr_scale;
    u.scale = clip;
    u.l2 = ssl__decay(p, d);
    u.shrink = 1.0f;
    u.beta1 = adam ? d->beta1 : d->momentum;
    u.beta2 = d->beta2;
    u.rest1 = (float)(1.0 - beta1);
    u.rest2 = (float)(1.0 - beta2);
    u.eps = d->eps;
    u.debias2 = (float)(1.0 / sqrt(1.0 - pow(beta2, t)));
    u.nesterov = d->nesterov;
    u.factor = factor;
    if (d->kind == SSL_OPTIM_ADAMW) { u.shrink = 1.0f - u.rate * u.l2; u.l2 = 0.0f; }
    if (d->kind == SSL_OPTIM_LARS && !factor) u.scale = ssl__lars_scale(c, at, p, d, clip);
    if (d->kind == SSL_OPTIM_LARS && factor && p->t.ndim > 1) u.factor = c->dev->trust(c, at, i, d->trust_coefficient, ssl__decay(p, d), factor);
    if (d->kind == SSL_OPTIM_LARS) { u.l2 = p->t.ndim < 2 ? u.l2 : 0.0f; u.nesterov = 0; }
    if (d->kind == SSL_OPTIM_SGD && c->opt_step > 0) { u.scale *= 1.0f - d->dampening; u.l2 *= 1.0f - d->dampening; }
    if (adam) u.rate = (float)((double)u.rate / (1.0 - pow(beta1, t)));
    return u;
}

/* Parameters i and i+1 can be one stretch: same rate and decay, and no norms of their own. */
static int ssl__same_update(const ssl__param *p, const ssl__param *q, const ssl_optim_desc *d)
{ return d->kind != SSL_OPTIM_LARS && p->frozen == q->frozen && p->lr_scale == q->lr_scale && ssl__decay(p, d) == ssl__decay(q, d); }

SSL_API void ssl_optim_step_at(const char *at, ssl_ctx *c, const ssl_optim_desc *desc, float lr)
{
    ssl_optim_desc d;
    const float *factor = NULL; /* a GPU keeps the norm to itself: nobody waits for it */
    float clip = 1.0f;
    ssl__update *u;
    int i, j, n = 0;
    if (c->status) return;
    if (!ssl_optim_desc_resolve(desc, &d)) { ssl__fail(c, SSL_E_ARG, at, "ssl_optim_step: the ssl_optim_desc is not initialized: write `ssl_optim_desc d = SSL_ZERO;`"); return; }
    if (!(lr >= 0.0f && lr < 1e30f)) { ssl__fail(c, SSL_E_ARG, at, "ssl_optim_step: the learning rate is %g: it must be finite and not negative", (double)lr); return; }
    if (d.dampening != 0.0f && (d.nesterov || d.kind != SSL_OPTIM_SGD)) { ssl__fail(c, SSL_E_ARG, at, "ssl_optim_step: dampening %g: only SGD without nesterov has it", (double)d.dampening); return; }
    if (!ssl__state_ready(c, at, d.kind == SSL_OPTIM_ADAMW || d.kind == SSL_OPTIM_ADAM ? 3 : 2)) return;
    if (c->dev->clip) factor = c->dev->clip(c, at, d.clip_norm);
    else clip = ssl__clip_scale(ssl__grad_norm(c, at, "ssl_optim_step"), d.clip_norm);
    u = (ssl__update *)ssl__aux(c, at, sizeof *u * (size_t)SSL__MAX(c->n_params, 1));
    for (i = 0; i < c->n_params && !c->status; i = j) {
        const ssl__param *p = c->param[i];
        if (!p->frozen) u[n] = ssl__update_of(c, at, i, &d, lr, clip, factor);
        for (j = i; j < c->n_params && (j == i || ssl__same_update(p, c->param[j], &d)); j++) if (!p->frozen) u[n].n += ssl__padded(c->param[j]);
        n += !p->frozen;
    }
    if (c->status) return;
    if (d.kind == SSL_OPTIM_ADAMW || d.kind == SSL_OPTIM_ADAM) c->k->adam(c, n, u, c->values, c->state[0], c->state[1], c->state[2]);
    else c->k->sgd(c, n, u, c->values, c->state[0], c->state[1]);
    if (!c->status) c->opt_step++;
}
SSL_API void ssl_adamw_step_at(const char *at, ssl_ctx *c, float lr) { ssl_optim_step_at(at, c, NULL, lr); }

/* ---- exponential moving averages ---- */
/* "head.weight" under "head" is ".weight"; under "" it is itself; not under "he": NULL. */
static const char *ssl__under(const char *name, const char *prefix)
{
    const size_t n = strlen(prefix);
    if (strncmp(name, prefix, n)) return NULL;
    return n == 0 || name[n] == '.' || name[n] == 0 || prefix[n - 1] == '.' ? name + n : NULL;
}

/* The parameter ONLINE.rest that goes with t = TARGET.rest, same shape; *hint is where to look first. */
static const ssl__param *ssl__twin(ssl_ctx *c, const char *at, const char *op, const ssl__param *t, const char *rest, const char *online, int *hint)
{
    char a[96], b[96];
    int i;
    for (i = 0; i < c->n_params; i++, *hint = (*hint + 1) % c->n_params) {
        const ssl__param *o = c->param[*hint];
        const char *r = ssl__under(o->name, online);
        if (!r || strcmp(r, rest)) continue;
        if (o->t.ndim == t->t.ndim && !memcmp(o->t.dim, t->t.dim, sizeof(int) * (size_t)o->t.ndim)) return o;
        ssl__fail(c, SSL_E_SHAPE, at, "%s: %s%s and %s%s must have the same shape", op, t->name, ssl__shape(&t->t, a), o->name, ssl__shape(&o->t, b));
        return NULL;
    }
    ssl__fail(c, SSL_E_ARG, at, "%s: there is no %s%s to go with %s: both networks must be built alike", op, online, rest, t->name);
    return NULL;
}

static void ssl__ema(const char *at, const char *op, ssl_ctx *c, const char *target, const char *online, float momentum, int copy)
{
    float *y = NULL;
    const float *x = NULL;
    int64_t n = 0; /* neighbours in both networks are one call */
    int i, found = 0, hint = 0;
    if (c->status) return;
    if (!(momentum >= 0.0f && momentum <= 1.0f)) { ssl__fail(c, SSL_E_ARG, at, "%s: the momentum is %g: it must be from 0 to 1", op, (double)momentum); return; }
    for (i = 0; i < c->n_params; i++) {
        const ssl__param *t = c->param[i], *o;
        const char *rest = ssl__under(t->name, target);
        if (!rest) continue;
        if (!(o = ssl__twin(c, at, op, t, rest, online, &hint))) return;
        if (copy) ssl__move(c, t->t.x, o->t.x, sizeof(float) * (size_t)ssl_numel(&t->t));
        else if (!o->frozen) {
            if (n && (y + n != t->t.x || x + n != o->t.x)) { c->k->ema(c, n, momentum, x, y); n = 0; }
            if (n == 0) { y = t->t.x; x = o->t.x; }
            n += ssl__padded(t);
        }
        found = 1;
    }
    if (n) c->k->ema(c, n, momentum, x, y);
    if (!found) ssl__fail(c, SSL_E_ARG, at, "%s: no parameter is named \"%s.*\"", op, target);
}
SSL_API void ssl_ema_update_at(const char *at, ssl_ctx *c, const char *target, const char *online, float momentum)
{ ssl__ema(at, "ssl_ema_update", c, target, online, momentum, 0); }
SSL_API void ssl_ema_copy_at(const char *at, ssl_ctx *c, const char *target, const char *online)
{ ssl__ema(at, "ssl_ema_copy", c, target, online, 0.0f, 1); }

/* ---- schedules ---- */
#define SSL__PI 3.14159265358979323846
SSL_API float ssl_lr_warmup_cosine(float epoch, float warmup, float epochs, float lr, float min_lr)
{
    if (epoch < warmup) return lr * epoch / warmup;
    if (epoch >= epochs) return min_lr;
    return (float)((double)min_lr + ((double)lr - (double)min_lr) * 0.5 * (1.0 + cos(SSL__PI * ((double)epoch - (double)warmup) / ((double)epochs - (double)warmup))));
}
SSL_API float ssl_lr_step(float epoch, float every, float gamma, float lr)
{ return every > 0.0f ? (float)((double)lr * pow((double)gamma, floor((double)epoch / (double)every))) : lr; }
SSL_API float ssl_lr_apl_chained(int epoch, int epochs, int warmup, float start, float end, float lr)
{
    const double gain = 1.0 - (double)start, low = (double)end * (double)lr;
    double r = (double)lr * (double)start;
    int t;
    for (t = 1; t <= epoch; t++) {
        if (t <= warmup) r *= 1.0 + gain / (warmup * (double)start + (t - 1) * gain);
        if (t <= epochs) r = (1.0 + cos(SSL__PI * t / epochs)) / (1.0 + cos(SSL__PI * (t - 1) / epochs)) * (r - low) + low;
    }
    return (float)r;
}
SSL_API float ssl_momentum_cosine(float progress, float base)
{ return (float)(1.0 - (1.0 - (double)base) * (1.0 + cos(SSL__PI * (double)progress)) / 2.0); }

SSL__COLD_END

/* ==== >>image ==== */
#define SSL__RUN 256 /* pixels that a pointwise operation holds on the stack at a time */

SSL_HD static SSL__INLINE float ssl__clampf(float x, float hi) { return x < 0.0f ? 0.0f : x > hi ? hi : x; }

SSL_API ssl_image ssl_image_u8(const uint8_t *p, int c, int h, int w)
{
    ssl_image m = SSL_ZERO;
    m.c = c; m.h = h; m.w = w;
    m.row = (size_t)w; m.plane = (size_t)w * (size_t)h;
    m.u8 = (uint8_t *)p;
    return m;
}

SSL_API ssl_image ssl_image_f32(const float *p, int c, int h, int w)
{
    ssl_image m = ssl_image_u8(NULL, c, h, w);
    m.f32 = (float *)p;
    return m;
}

SSL_API ssl_image ssl_image_view(const ssl_image *x, int top, int left, int h, int w)
{
    ssl_image m = *x;
    size_t at = (size_t)top * x->row + (size_t)left;
    m.h = h; m.w = w;
    if (m.u8) m.u8 += at;
    if (m.f32) m.f32 += at;
    return m;
}

static int ssl__image_ok(const ssl_image *m) { return (m->c == 1 || m->c == 3) && m->h > 0 && m->w > 0 && !m->u8 != !m->f32; }
static int ssl__image_same_size(const ssl_image *x, const ssl_image *y)
{
    return ssl__image_ok(x) && ssl__image_ok(y) && x->c == y->c && x->h == y->h && x->w == y->w;
}
static float ssl__image_max(const ssl_image *m) { return m->u8 ? 255.0f : 1.0f; }

/* Round half to even, as torch.round does, for 0 <= x < 2^22; vectorizes on every instruction set. */
static float ssl__round(float x) { x += 12582912.0f; return x - 12582912.0f; }

/* n pixels of one channel from element `at`, as floats in 0..max. */
static void ssl__run_load(const ssl_image *m, size_t at, int n, float max, float *v)
{
    int j;
    if (m->u8) {
        if (max == 255.0f) for (j = 0; j < n; j++) v[j] = (float)m->u8[at + (size_t)j];
        else               for (j = 0; j < n; j++) v[j] = (float)m->u8[at + (size_t)j] / 255.0f;
    } else {
        if (max == 255.0f) for (j = 0; j < n; j++) v[j] = m->f32[at + (size_t)j] * 255.0f;
        else               memcpy(v, m->f32 + at, (size_t)n * sizeof *v);
    }
}

static void ssl__run_store(const ssl_image *m, size_t at, int n, const float *v)
{
    int j;
    if (m->u8) for (j = 0; j < n; j++) m->u8[at + (size_t)j] = (uint8_t)(int)ssl__clampf(v[j], 255.0f);
    else       memcpy(m->f32 + at, v, (size_t)n * sizeof *v);
}

/* A pointwise operation on n pixels: v[channel][pixel] in 0..max, parameters p. Writes v[0 .. channels of y - 1]. */
typedef void (*ssl__run_fn)(int c, int n, float (*v)[SSL__RUN], const float *p, float max);

static int ssl__image_map(const ssl_image *x, const ssl_image *y, ssl__run_fn fn, const float *p)
{
    float v[3][SSL__RUN], max = ssl__image_max(y);
    int flat = x->row == (size_t)x->w && y->row == (size_t)y->w; /* rows follow each other: one long row */
    int rows = flat ? 1 : x->h, i, k;
    size_t cols = flat ? (size_t)x->w * (size_t)x->h : (size_t)x->w, j;
    for (i = 0; i < rows; i++) {
        for (j = 0; j < cols; j += SSL__RUN) {
            int n = (int)(cols - j < SSL__RUN ? cols - j : SSL__RUN);
            for (k = 0; k < x->c; k++) ssl__run_load(x, (size_t)k * x->plane + (size_t)i * x->row + j, n, max, v[k]);
            fn(x->c, n, v, p, max);
            for (k = 0; k < y->c; k++) ssl__run_store(y, (size_t)k * y->plane + (size_t)i * y->row + j, n, v[k]);
        }
    }
    return 1;
}

static void ssl__run_convert(int c, int n, float (*v)[SSL__RUN], const float *p, float max)
{
    int j, k;
    (void)p;
    if (max == 255.0f)
        for (k = 0; k < c; k++) for (j = 0; j < n; j++) v[k][j] = ssl__round(ssl__clampf(v[k][j], max));
}

static void ssl__run_solarize(int c, int n, float (*v)[SSL__RUN], const float *p, float max)
{
    int j, k;
    for (k = 0; k < c; k++) for (j = 0; j < n; j++) v[k][j] = v[k][j] < p[0] ? v[k][j] : max - v[k][j];
}

static void ssl__run_normalize(int c, int n, float (*v)[SSL__RUN], const float *p, float max)
{
    int j, k;
    (void)max;
    for (k = 0; k < c; k++) for (j = 0; j < n; j++) v[k][j] = (v[k][j] - p[k]) / p[3 + k];
}

/* factor x + offset: brightness with offset 0, contrast with offset (1-factor) mean. */
static void ssl__run_affine(int c, int n, float (*v)[SSL__RUN], const float *p, float max)
{
    int j, k;
    for (k = 0; k < c; k++) for (j = 0; j < n; j++) v[k][j] = ssl__clampf(p[0] * v[k][j] + p[1], max);
}

/* torchvision keeps the gray image of an 8-bit picture in 8 bits, which truncates it. */
SSL_HD static SSL__INLINE float ssl__gray(float r, float g, float b, float max)
{
    float y = 0.2989f * r + 0.587f * g + 0.114f * b;
    return max == 255.0f ? (float)(int)y : y;
}

static void ssl__run_gray(int c, int n, float (*v)[SSL__RUN], const float *p, float max)
{
    int j;
    (void)p;
    if (c == 3)
        for (j = 0; j < n; j++) v[0][j] = ssl__gray(v[0][j], v[1][j], v[2][j], max);
    memcpy(v[1], v[0], (size_t)n * sizeof **v);
    memcpy(v[2], v[0], (size_t)n * sizeof **v);
}

static void ssl__run_saturation(int c, int n, float (*v)[SSL__RUN], const float *p, float max)
{
    int j;
    if (c == 1) return;
    for (j = 0; j < n; j++) {
        float g = (1.0f - p[0]) * ssl__gray(v[0][j], v[1][j], v[2][j], max);
        v[0][j] = ssl__clampf(p[0] * v[0][j] + g, max);
        v[1][j] = ssl__clampf(p[0] * v[1][j] + g, max);
        v[2][j] = ssl__clampf(p[0] * v[2][j] + g, max);
    }
}

/* One channel of HSV -> RGB: v - v s clamp(min(k, 4-k), 0, 1) with k = (offset + 6h) mod 6, offset 5, 3, 1 for R, G, B. */
SSL_HD static SSL__INLINE float ssl__hsv_channel(float value, float chroma, float k)
{
    float a;
    k = k >= 6.0f ? k - 6.0f : k;
    a = k < 4.0f - k ? k : 4.0f - k;
    return value - chroma * ssl__clampf(a, 1.0f);
}

/* RGB -> HSV, hue + shift, -> RGB. With h in sixths of a turn; no branches, so that the loop vectorizes. */
SSL_HD static SSL__INLINE void ssl__shift_hue(float shift, float in, float out, float *red, float *green, float *blue)
{
    float r = *red * in, g = *green * in, b = *blue * in;
    float hi = r > g ? r : g, lo = r < g ? r : g, chroma, inv, h;
    hi = hi > b ? hi : b;
    lo = lo < b ? lo : b;
    chroma = hi - lo;
    inv = 1.0f / (chroma > 0.0f ? chroma : 1.0f);
    h = hi == r ? (g - b) * inv : hi == g ? 2.0f + (b - r) * inv : 4.0f + (r - g) * inv;
    h += 6.0f * shift;
    h = h < 0.0f ? h + 6.0f : h;
    h = h < 0.0f ? h + 6.0f : h >= 6.0f ? h - 6.0f : h;
    *red = out * ssl__hsv_channel(hi, chroma, h + 5.0f);
    *green = out * ssl__hsv_channel(hi, chroma, h + 3.0f);
    *blue = out * ssl__hsv_channel(hi, chroma, h + 1.0f);
}
static void ssl__run_hue(int c, int n, float (*v)[SSL__RUN], const float *p, float max)
{
    float in = 1.0f / max, out = max == 255.0f ? 255.999f : 1.0f; /* torchvision's float -> 8 bit is trunc(255.999 x) */
    int j;
    if (c == 1) return;
    for (j = 0; j < n; j++) ssl__shift_hue(p[0], in, out, &v[0][j], &v[1][j], &v[2][j]);
}

SSL_API int ssl_image_convert(const ssl_image *x, const ssl_image *y)
{
    return ssl__image_same_size(x, y) && ssl__image_map(x, y, ssl__run_convert, NULL);
}

SSL_API int ssl_image_solarize(const ssl_image *x, float threshold, const ssl_image *y)
{
    return ssl__image_same_size(x, y) && ssl__image_map(x, y, ssl__run_solarize, &threshold);
}

SSL_API int ssl_image_invert(const ssl_image *x, const ssl_image *y) { return ssl_image_solarize(x, -1.0f, y); }

SSL_API int ssl_image_brightness(const ssl_image *x, float factor, const ssl_image *y)
{
    float p[2];
    p[0] = factor; p[1] = 0.0f;
    return ssl__image_same_size(x, y) && ssl__image_map(x, y, ssl__run_affine, p);
}

/* Mean of the gray image, in the range and with the truncation of y's type. */
static float ssl__image_gray_mean(const ssl_image *x, float max)
{
    float v[3][SSL__RUN];
    double sum = 0.0;
    int i, j, k, q;
    for (i = 0; i < x->h; i++)
        for (j = 0; j < x->w; j += SSL__RUN) {
            int n = SSL__MIN(SSL__RUN, x->w - j);
            float part[8] = {0, 0, 0, 0, 0, 0, 0, 0}; /* eight sums: vectorizes, and the order is fixed */
            for (k = 0; k < x->c; k++)
                ssl__run_load(x, (size_t)k * x->plane + (size_t)i * x->row + (size_t)j, n, max, v[k]);
            ssl__run_gray(x->c, n, v, NULL, max);
            for (q = 0; q + 8 <= n; q += 8) for (k = 0; k < 8; k++) part[k] += v[0][q + k];
            for (; q < n; q++) part[0] += v[0][q];
            for (k = 0; k < 8; k++) sum += (double)part[k];
        }
    return (float)(sum / ((double)x->h * (double)x->w));
}

SSL_API int ssl_image_contrast(const ssl_image *x, float factor, const ssl_image *y)
{
    float p[2];
    if (!ssl__image_same_size(x, y)) return 0;
    p[0] = factor;
    p[1] = (1.0f - factor) * ssl__image_gray_mean(x, ssl__image_max(y));
    return ssl__image_map(x, y, ssl__run_affine, p);
}

SSL_API int ssl_image_saturation(const ssl_image *x, float factor, const ssl_image *y)
{
    return ssl__image_same_size(x, y) && ssl__image_map(x, y, ssl__run_saturation, &factor);
}

SSL_API int ssl_image_hue(const ssl_image *x, float shift, const ssl_image *y)
{
    return ssl__image_same_size(x, y) && shift >= -0.5f && shift <= 0.5f && ssl__image_map(x, y, ssl__run_hue, &shift);
}

SSL_API int ssl_image_grayscale(const ssl_image *x, const ssl_image *y)
{
    if (!ssl__image_ok(x) || !ssl__image_ok(y) || x->h != y->h || x->w != y->w) return 0;
    return ssl__image_map(x, y, ssl__run_gray, NULL);
}

SSL_API int ssl_image_normalize(const ssl_image *x, const float *mean, const float *std_dev, const ssl_image *y)
{
    float p[6];
    int k;
    if (!ssl__image_same_size(x, y) || !y->f32) return 0;
    for (k = 0; k < x->c; k++) { p[k] = mean[k]; p[3 + k] = std_dev[k]; }
    return ssl__image_map(x, y, ssl__run_normalize, p);
}

SSL_API int ssl_image_hflip(const ssl_image *x, const ssl_image *y)
{
    int i, j, k;
    if (!ssl__image_same_size(x, y) || !x->u8 != !y->u8) return 0;
    for (k = 0; k < x->c; k++)
        for (i = 0; i < x->h; i++) {
            size_t xo = (size_t)k * x->plane + (size_t)i * x->row, yo = (size_t)k * y->plane + (size_t)i * y->row;
            for (j = 0; j <= (x->w - 1) / 2; j++) {
                size_t a = (size_t)j, b = (size_t)(x->w - 1 - j);
                if (x->u8) { uint8_t t = x->u8[xo + a]; y->u8[yo + a] = x->u8[xo + b]; y->u8[yo + b] = t; }
                else       { float t = x->f32[xo + a]; y->f32[yo + a] = x->f32[xo + b]; y->f32[yo + b] = t; }
            }
        }
    return 1;
}

SSL_API int ssl_image_vflip(const ssl_image *x, const ssl_image *y)
{
    int i, j, k;
    if (!ssl__image_same_size(x, y) || !x->u8 != !y->u8) return 0;
    for (k = 0; k < x->c; k++)
        for (i = 0; i <= (x->h - 1) / 2; i++) {
            size_t xa = (size_t)k * x->plane + (size_t)i * x->row, xb = (size_t)k * x->plane + (size_t)(x->h - 1 - i) * x->row;
            size_t ya = (size_t)k * y->plane + (size_t)i * y->row, yb = (size_t)k * y->plane + (size_t)(x->h - 1 - i) * y->row;
            for (j = 0; j < x->w; j++, xa++, xb++, ya++, yb++) {
                if (x->u8) { uint8_t t = x->u8[xa]; y->u8[ya] = x->u8[xb]; y->u8[yb] = t; }
                else       { float t = x->f32[xa]; y->f32[ya] = x->f32[xb]; y->f32[yb] = t; }
            }
        }
    return 1;
}

/* -3 -2 -1 | 0 1 .. n-1 | n n+1  ->  3 2 1 | 0 1 .. n-1 | n-2 n-3 */
SSL_HD static SSL__INLINE int ssl__reflect(int i, int n) { return i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i; }

SSL_API int ssl_image_crop(const ssl_image *x, int top, int left, int reflect, const ssl_image *y)
{
    const int from = SSL__MIN(SSL__MAX(-left, 0), y->w), to = SSL__MAX(SSL__MIN(x->w - left, y->w), from); /* columns inside x */
    const size_t e = x->u8 ? 1 : sizeof(float);
    int i, j, k;
    if (!ssl__image_ok(x) || !ssl__image_ok(y) || x->c != y->c || !x->u8 != !y->u8) return 0;
    if (reflect && (top <= -x->h || left <= -x->w || top + y->h >= 2 * x->h || left + y->w >= 2 * x->w)) return 0;
    for (k = 0; k < y->c; k++)
        for (i = 0; i < y->h; i++) {
            const int r = ssl__reflect(top + i, x->h), inside = reflect || r == top + i;
            const size_t out = (size_t)k * y->plane + (size_t)i * y->row, in = (size_t)k * x->plane + (size_t)(inside ? r : 0) * x->row;
            char *d = y->u8 ? (char *)(y->u8 + out) : (char *)(y->f32 + out);
            const char *p = x->u8 ? (const char *)(x->u8 + in) : (const char *)(x->f32 + in);
            if (!reflect) memset(d, 0, (size_t)y->w * e);
            if (inside && to > from) memcpy(d + (size_t)from * e, p + (size_t)(left + from) * e, (size_t)(to - from) * e);
            for (j = 0; j < y->w && reflect; j++)
                if (j < from || j >= to) memcpy(d + (size_t)j * e, p + (size_t)ssl__reflect(left + j, x->w) * e, e);
        }
    return 1;
}

#define SSL__BLUR_MAX 127 /* widest kernel */
#define SSL__STRIP 64     /* columns done together */

static void ssl__blur_kernel(int n, float sigma, float *w)
{
    float sum = 0.0f;
    int i;
    for (i = 0; i < n; i++) {
        float d = (float)(i - n / 2) / sigma;
        w[i] = expf(-0.5f * d * d);
        if (w[i] < 1e-20f) w[i] = 0.0f; /* also keeps denormal numbers, which are slow, out of the sums */
        sum += w[i];
    }
    for (i = 0; i < n; i++) w[i] /= sum;
}

/* v[j] = sum_k w[k] row[k][j], j < n */
static void ssl__mix(int taps, const float *w, const float *const *row, int n, float *SSL_RESTRICT v)
{
    int j, k;
    memset(v, 0, (size_t)n * sizeof *v);
    for (k = 0; k < taps; k++) {
        const float *SSL_RESTRICT p = row[k], a = w[k];
        if (a == 0.0f) continue;
        for (j = 0; j < n; j++) v[j] += a * p[j];
    }
}

/* Columns [left, left+n) of the row that begins at row_at, blurred along it into v[n]. */
static void ssl__blur_row(const ssl_image *x, size_t row_at, int left, int n, int kernel, const float *w, float max, float *v)
{
    float in[SSL__STRIP + SSL__BLUR_MAX];
    const float *shifted[SSL__BLUR_MAX];
    const int from = left - kernel / 2, to = left + n + kernel / 2, a = SSL__MAX(from, 0), b = SSL__MIN(to, x->w);
    int j;
    ssl__run_load(x, row_at + (size_t)a, b - a, max, in + (a - from));
    for (j = from; j < a; j++) in[j - from] = in[ssl__reflect(j, x->w) - from];
    for (j = b; j < to; j++) in[j - from] = in[ssl__reflect(j, x->w) - from];
    for (j = 0; j < kernel; j++) shifted[j] = in + j;
    ssl__mix(kernel, w, shifted, n, v);
}

/* One strip of columns of one channel; a ring of kernel_y row-blurred rows makes the two passes one, without a buffer. */
static void ssl__blur_strip(const ssl_image *x, const ssl_image *y, int ch, int left, int n, int kx, int ky, const float *wx, const float *wy)
{
    float ring[SSL__BLUR_MAX][SSL__STRIP], v[SSL__STRIP];
    const float *row[SSL__BLUR_MAX], max = ssl__image_max(y);
    int i, j, k, next = 0; /* next: first row not yet in the ring */
    for (i = 0; i < x->h; i++) {
        for (; next < x->h && next <= i + ky / 2; next++)
            ssl__blur_row(x, (size_t)ch * x->plane + (size_t)next * x->row, left, n, kx, wx, max, ring[next % ky]);
        for (k = 0; k < ky; k++) row[k] = ring[ssl__reflect(i + k - ky / 2, x->h) % ky];
        ssl__mix(ky, wy, row, n, v);
        for (j = 0; j < n && y->u8; j++) v[j] = ssl__round(v[j]);
        ssl__run_store(y, (size_t)ch * y->plane + (size_t)i * y->row + (size_t)left, n, v);
    }
}

SSL_API int ssl_image_blur(const ssl_image *x, int kernel_x, int kernel_y, float sigma_x, float sigma_y, const ssl_image *y)
{
    float wx[SSL__BLUR_MAX], wy[SSL__BLUR_MAX];
    int ch, left;
    if (!ssl__image_same_size(x, y) || !(sigma_x > 0.0f) || !(sigma_y > 0.0f)) return 0;
    if (kernel_x < 1 || kernel_x > SSL__BLUR_MAX || kernel_x % 2 == 0 || kernel_x / 2 >= x->w) return 0;
    if (kernel_y < 1 || kernel_y > SSL__BLUR_MAX || kernel_y % 2 == 0 || kernel_y / 2 >= x->h) return 0;
    ssl__blur_kernel(kernel_x, sigma_x, wx);
    ssl__blur_kernel(kernel_y, sigma_y, wy);
    for (ch = 0; ch < x->c; ch++)
        for (left = 0; left < x->w; left += SSL__STRIP)
            ssl__blur_strip(x, y, ch, left, SSL__MIN(SSL__STRIP, x->w - left), kernel_x, kernel_y, wx, wy);
    return 1;
}

#define SSL__TAPS 2048 /* weights held for one strip of a resize: at most 1000-fold down */

/* The triangle's height over pixel i. */
SSL_HD static SSL__INLINE float ssl__triangle(int i, float center, float half)
{
    float d = ((float)i + 0.5f - center) / half;
    d = d < 0.0f ? 1.0f + d : 1.0f - d;
    return d > 0.0f ? d : 0.0f;
}
/* Weights of the source pixels first .. first+n-1 for output i: a triangle around (i + 1/2) in/out, half as wide as the
   step, at least 1; outside weights are 0 (n is the same for every i, so that loops are plain). Returns first. */
static int ssl__resize_taps(int i, int in, int out, int antialias, int n, float *w)
{
    float scale = (float)in / (float)out, half = antialias && scale > 1.0f ? scale : 1.0f, sum = 0.0f;
    float center = scale * ((float)i + 0.5f);
    int first = SSL__MIN(SSL__MAX((int)(center - half + 0.5f), 0), in - n), k;
    for (k = 0; k < n; k++) sum += w[k] = ssl__triangle(first + k, center, half);
    for (k = 0; k < n; k++) w[k] /= sum;
    return first;
}

SSL_HD static SSL__INLINE int ssl__resize_n(int in, int out, int antialias)
{
    float scale = (float)in / (float)out;
    return SSL__MIN(antialias && scale > 1.0f ? (int)(2.0f * scale) + 2 : 2, in);
}

/* Weighted sum of n rows, columns [a, b) of one channel, into acc[b-a]. */
static void ssl__resize_rows(const ssl_image *x, size_t at, int n, const float *w, int len, float *acc)
{
    int j, k;
    for (k = 0; k < n; k++, at += x->row) {
        float wk = w[k];
        if (wk == 0.0f && k) continue;
        if (x->u8 && !k) for (j = 0; j < len; j++) acc[j] = wk * (float)x->u8[at + (size_t)j];
        else if (x->u8)  for (j = 0; j < len; j++) acc[j] += wk * (float)x->u8[at + (size_t)j];
        else if (!k)     for (j = 0; j < len; j++) acc[j] = wk * x->f32[at + (size_t)j];
        else             for (j = 0; j < len; j++) acc[j] += wk * x->f32[at + (size_t)j];
    }
}

/* m output columns from `left` of every row and channel: rows first (long loops), then the few columns that are left. */
static void ssl__resize_strip(const ssl_image *x, int antialias, const ssl_image *y, int left, int m, int nx, int ny)
{
    float wx[SSL__TAPS], wy[SSL__TAPS], acc[2 * SSL__TAPS], v[SSL__STRIP];
    float scale = y->u8 == NULL && x->u8 ? 1.0f / 255.0f : y->u8 && !x->u8 ? 255.0f : 1.0f;
    int first[SSL__STRIP], ch, i, j, k, a, len;
    for (j = 0; j < m; j++) first[j] = ssl__resize_taps(left + j, x->w, y->w, antialias, nx, wx + (size_t)j * (size_t)nx);
    a = first[0];
    len = first[m - 1] + nx - a;
    for (j = 0; j < m * nx; j++) wx[j] *= scale;
    for (i = 0; i < y->h; i++) {
        int top = ssl__resize_taps(i, x->h, y->h, antialias, ny, wy);
        for (ch = 0; ch < y->c; ch++) {
            ssl__resize_rows(x, (size_t)ch * x->plane + (size_t)top * x->row + (size_t)a, ny, wy, len, acc);
            if (nx == 2)
                for (j = 0; j < m; j++) v[j] = wx[2 * j] * acc[first[j] - a] + wx[2 * j + 1] * acc[first[j] - a + 1];
            else
                for (j = 0; j < m; j++) {
                    float s = 0.0f;
                    for (k = 0; k < nx; k++) s += wx[j * nx + k] * acc[first[j] - a + k];
                    v[j] = s;
                }
            if (y->u8) for (j = 0; j < m; j++) v[j] = ssl__round(v[j]);
            ssl__run_store(y, (size_t)ch * y->plane + (size_t)i * y->row + (size_t)left, m, v);
        }
    }
}

SSL_API int ssl_image_resize(const ssl_image *x, int antialias, const ssl_image *y)
{
    int nx, ny, m, left;
    if (!ssl__image_ok(x) || !ssl__image_ok(y) || x->c != y->c) return 0;
    if (x->w / y->w > 1000 || x->h / y->h > 1000) return 0;
    nx = ssl__resize_n(x->w, y->w, antialias);
    ny = ssl__resize_n(x->h, y->h, antialias);
    m = SSL__MAX(1, SSL__MIN(SSL__STRIP, SSL__TAPS / nx)); 
    if (!antialias && x->w > y->w) m = SSL__MAX(1, SSL__MIN(m, (int)((float)SSL__TAPS * (float)y->w / (float)x->w)));
    for (left = 0; left < y->w; left += m) ssl__resize_strip(x, antialias, y, left, SSL__MIN(m, y->w - left), nx, ny);
    return 1;
}

/* ==== >>dataset ====================================================================================== */
/* Streams of the data layer, apart from those that ssl_rng_stream counts up from 0. */
#define SSL__STREAM_SHUFFLE   ((uint64_t)1 << 60) /* + epoch                */
#define SSL__STREAM_AUGMENT   ((uint64_t)2 << 60) /* + view << 48 + epoch   */
#define SSL__STREAM_SUBSET    ((uint64_t)3 << 60)
#define SSL__STREAM_SYNTHETIC ((uint64_t)4 << 60) /* + split << 48          */

#define SSL__PATH 4096     /* bytes of the longest path, with its end */
#define SSL__SIDE_MAX 4096 /* pixels */

typedef struct ssl__reader { /* one opening of a data set */
    ssl_ctx *c;
    const char *at, *spec, *dir;
    ssl_dataset_desc desc;
    ssl_dataset *d;
    int total;             /* images in the source, before the choice of limit_images and labels_per_class */
    int32_t *label;        /* [total] */
    uint8_t *keep;         /* [total] 1 = chosen */
} ssl__reader;

SSL__PRINTF(3, 4)
static int ssl__bad(ssl__reader *r, ssl_status code, const char *fmt, ...) /* sticky error "ssl_dataset_open: SPEC: ..."; returns 0 */
{
    char text[800];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    ssl__fail(r->c, code, r->at, "ssl_dataset_open: %.120s: %s", r->spec, text);
    return 0;
}

static int ssl__split_is(const ssl__reader *r, const char *name) { return !strcmp(r->desc.split, name); }

static int ssl__is_dir(const char *path) { struct stat s; return !stat(path, &s) && S_ISDIR(s.st_mode); }

/* ---- the choice of images ---- */
static int ssl__keep_some(ssl__reader *r, int *order, int *left)
{
    ssl_rng rng = ssl_rng_make(r->desc.seed, SSL__STREAM_SUBSET);
    const int limit = r->desc.limit_images ? r->desc.limit_images : r->total;
    int i, n = 0;
    for (i = 0; i < r->d->n_classes; i++) left[i] = r->desc.labels_per_class;
    for (i = 0; i < r->total; i++) order[i] = i;
    for (i = 0; i < r->total && n < limit; i++) { /* Fisher-Yates, as far as needed */
        const int j = i + ssl_rng_below(&rng, r->total - i), k = order[j];
        order[j] = order[i];
        if (r->desc.labels_per_class && (r->label[k] < 0 || left[r->label[k]]-- <= 0)) continue;
        r->keep[k] = 1;
        n++;
    }
    return n;
}

/* Decide which of r->label[total] are taken and make room for them; image size and classes are known by now. */
static int ssl__choose(ssl__reader *r)
{
    ssl_dataset *d = r->d;
    int *order = (int *)ssl__alloc(r->c, r->at, sizeof(int) * ((size_t)r->total + (size_t)d->n_classes));
    int i, n = 0;
    r->keep = (uint8_t *)ssl__alloc(r->c, r->at, (size_t)r->total);
    if (order && r->keep) n = ssl__keep_some(r, order, order + r->total);
    ssl__release(order);
    if (r->c->status) return 0;
    if (!n) return ssl__bad(r, SSL_E_ARG, "no image is left: it has %d images, labels_per_class is %d", r->total, r->desc.labels_per_class);
    d->labels = (int32_t *)ssl__alloc(r->c, r->at, sizeof(int32_t) * (size_t)n);
    d->images = (uint8_t *)ssl__alloc(r->c, r->at, (size_t)n * (size_t)d->c * (size_t)d->h * (size_t)d->w);
    if (r->c->status) return 0;
    for (i = 0; i < r->total; i++) if (r->keep[i]) d->labels[d->n++] = r->label[i];
    return 1;
}

static int ssl__labels_alloc(ssl__reader *r, int total)
{
    r->total = total;
    r->label = (int32_t *)ssl__alloc(r->c, r->at, sizeof(int32_t) * (size_t)total);
    return r->label != NULL;
}

/* ---- class names: one allocation of pointers and text ---- */
static int ssl__class_names(ssl__reader *r, int n, const char *const *names)
{
    size_t bytes = sizeof(char *) * (size_t)n;
    char *text;
    int i;
    for (i = 0; i < n; i++) bytes += strlen(names[i]) + 1;
    r->d->class_names = (char **)ssl__alloc(r->c, r->at, bytes);
    if (!r->d->class_names) return 0;
    text = (char *)(r->d->class_names + n);
    for (i = 0; i < n; i++) {
        r->d->class_names[i] = text;
        text += strlen(strcpy(text, names[i])) + 1;
    }
    r->d->n_classes = n;
    return 1;
}

/* ---- synthetic: a lit object on patterned ground ---- */
typedef struct ssl__pose { float x, y, cs, sn; } ssl__pose; /* picture (-1..1) to own coordinates: turned and scaled about (x,y) */
typedef struct ssl__scene {
    int kind, ground;
    ssl__pose object, pattern;
    float r;                         /* radius of the object                           */
    float paint[3], far[3], near[3]; /* colours of the object, top and bottom of the ground */
    float depth, grain, lattice[25]; /* of the pattern, of the noise                   */
} ssl__scene;

static float ssl__smooth(float t) { return t * t * (3.0f - 2.0f * t); }

/* Value noise from a lattice of n x n numbers: one row of it at height y, then its value at x; both in -1..1. */
static void ssl__noise_row(const float *lattice, int n, float y, float *row)
{
    const float v = (y + 1.0f) * 0.4999f * (float)(n - 1), t = ssl__smooth(v - (float)(int)v);
    const float *p = lattice + (int)v * n;
    int j;
    for (j = 0; j < n; j++) row[j] = p[j] + t * (p[n + j] - p[j]);
}
static float ssl__noise(const float *row, int n, float x)
{
    const float u = (x + 1.0f) * 0.4999f * (float)(n - 1);
    const int j = (int)u;
    return row[j] + ssl__smooth(u - (float)j) * (row[j + 1] - row[j]);
}

static float ssl__box(float x, float y, float w, float h) { return SSL__MAX(fabsf(x) - w, fabsf(y) - h); }
static float ssl__wave(float x) { return fabsf(x - 2.0f * floorf(0.5f * x) - 1.0f) - 0.5f; } /* triangle of period 2 */

/* Distance, negative inside, of (x,y) from the outline of a shape of radius about 1. */
static float ssl__outline(int kind, float x, float y)
{
    const float r = sqrtf(x * x + y * y);
    float a;
    switch (kind) {
    case 0: return r - 0.85f;                                                              /* disk     */
    case 1: return fabsf(r - 0.72f) - 0.2f;                                                /* ring     */
    case 2: return ssl__box(x, y, 0.75f, 0.75f);                                           /* square   */
    case 3: return SSL__MAX(y, 0.866f * fabsf(x) - 0.5f * y) - 0.5f;                       /* triangle */
    case 4: return SSL__MIN(ssl__box(x, y, 0.9f, 0.28f), ssl__box(x, y, 0.28f, 0.9f));     /* cross    */
    case 5:                                                                                /* star     */
        a = fabsf(fmodf(atan2f(y, x) + 6.9115038f, 1.2566371f) - 0.6283185f);
        return r * cosf(a) * 0.588f + r * sinf(a) * 0.809f - 0.4f;
    case 6: return SSL__MAX(r - 0.9f, 0.68f - sqrtf((x - 0.45f) * (x - 0.45f) + y * y));   /* crescent */
    case 7: return SSL__MAX(r - 0.92f, 0.3f * ssl__wave(3.3f * x));                        /* stripes  */
    case 8: a = ssl__wave(2.2f * x) * ssl__wave(2.2f * y);                                 /* checker  */
        return SSL__MAX(ssl__box(x, y, 0.85f, 0.85f), a);
    default:                                                                               /* spiral   */
        a = r - 0.0732f * (atan2f(y, x) + 3.1415927f);
        return SSL__MAX(r - 0.95f, fabsf(a - 0.46f * floorf(a / 0.46f) - 0.23f) - 0.115f);
    }
}
static const char *const ssl__kinds[10] = { "disk", "ring", "square", "triangle", "cross", "star", "crescent", "stripes", "checker", "spiral" };

/* Height, -0.5..0.5, at (x,y) of the pattern on the ground that goes with a kind; most repeat after 2. */
static float ssl__pattern(int kind, float x, float y)
{
    const float u = ssl__wave(x), v = ssl__wave(y), row = floorf(y + 0.5f);
    switch (kind) {
    case 0: return 0.0f;                                                                   /* bare      */
    case 1: return ssl__wave(sqrtf(x * x + y * y));                                        /* ripples   */
    case 2: return ssl__clampf(8.0f * SSL__MIN(fabsf(y - row), fabsf(ssl__wave(x + row))), 1.0f) - 0.5f; /* bricks */
    case 3: return ssl__wave(y + 1.2f * u);                                                /* chevrons  */
    case 4: return SSL__MAX(u, v) < 0.2f ? -0.5f : 0.5f;                                   /* lattice   */
    case 5: return u * u + v * v < 0.09f ? 0.5f : -0.5f;                                   /* dots      */
    case 6: return v;                                                                      /* furrows   */
    case 7: return ssl__wave(x + y);                                                       /* diagonals */
    case 8: return u * v > 0.0f ? 0.5f : -0.5f;                                            /* tiles     */
    default: return u;                                                                     /* pales     */
    }
}

/* of brightness v_lo..v_hi and saturation s_lo..s_hi */
static void ssl__random_colour(ssl_rng *r, float v_lo, float v_hi, float s_lo, float s_hi, float *rgb)
{
    const float h = 6.0f * ssl_rng_uniform(r), s = s_lo + (s_hi - s_lo) * ssl_rng_uniform(r), v = v_lo + (v_hi - v_lo) * ssl_rng_uniform(r);
    rgb[0] = ssl__hsv_channel(v, v * s, h + 5.0f);
    rgb[1] = ssl__hsv_channel(v, v * s, h + 3.0f);
    rgb[2] = ssl__hsv_channel(v, v * s, h + 1.0f);
}
static ssl__pose ssl__random_pose(ssl_rng *r, float shift, float turn, float scale)
{
    const float a = turn * (2.0f * ssl_rng_uniform(r) - 1.0f);
    ssl__pose p;
    p.x = shift * (2.0f * ssl_rng_uniform(r) - 1.0f);
    p.y = shift * (2.0f * ssl_rng_uniform(r) - 1.0f);
    p.cs = cosf(a) * scale;
    p.sn = sinf(a) * scale;
    return p;
}

static ssl__scene ssl__scene_make(ssl_rng *r, int kind)
{
    const int light = ssl_rng_u32(r) & 1; /* on dark, or dark on light */
    const float shade = 1.0f - 0.3f * ssl_rng_uniform(r);
    ssl__scene s;
    int i;
    s.kind = kind;
    s.ground = ssl_rng_uniform(r) < 0.8f ? kind : ssl_rng_below(r, 10);
    s.r = 0.5f + 0.25f * ssl_rng_uniform(r);
    s.object = ssl__random_pose(r, 0.3f, 0.6f, 1.0f / s.r);
    s.pattern = ssl__random_pose(r, 1.0f, 0.4f, 4.5f + 2.0f * ssl_rng_uniform(r));
    ssl__random_colour(r, light ? 0.85f : 0.0f, light ? 1.0f : 0.15f, 0.2f, 0.8f, s.paint);
    ssl__random_colour(r, 0.38f, 0.62f, 0.1f, 0.6f, s.far);
    for (i = 0; i < 3; i++) s.near[i] = s.far[i] * shade;
    s.depth = 0.5f + 0.3f * ssl_rng_uniform(r);
    s.grain = 0.1f + 0.1f * ssl_rng_uniform(r);
    for (i = 0; i < 25; i++) s.lattice[i] = ssl_rng_uniform(r) - 0.5f;
    return s;
}

static void ssl__scene_pixel(const ssl__scene *s, float x, float y, float edge, float texture, float noise, float *rgb)
{
    const ssl__pose *o = &s->object, *p = &s->pattern;
    const float u = o->cs * (x - o->x) + o->sn * (y - o->y), v = o->cs * (y - o->y) - o->sn * (x - o->x);
    const float a = p->cs * (x - p->x) + p->sn * (y - p->y), b = p->cs * (y - p->y) - p->sn * (x - p->x);
    const float far = u * u + v * v > 1.5f ? 1.0f : ssl__outline(s->kind, u, v) * s->r;
    const float in = ssl__clampf(0.5f - far / edge, 1.0f), light = 1.0f - 0.15f * x; /* lit from the left */
    const float t = ssl__clampf(0.5f + 0.5f * y, 1.0f), cover = s->depth * ssl__pattern(s->ground, a, b);
    int k;
    for (k = 0; k < 3; k++) {
        const float ground = (s->far[k] + t * (s->near[k] - s->far[k])) * (1.0f + texture + cover);
        const float object = s->paint[k] * (1.0f - 0.3f * texture);
        rgb[k] = light * (ground + in * (object - ground)) + noise;
    }
}

static void ssl__scene_draw(const ssl__scene *s, ssl_rng *r, const ssl_image *m)
{
    const float step = 2.0f / (float)SSL__MIN(m->h, m->w);
    float lattice[5], rgb[3];
    uint32_t bits = 0;
    int i, j, k;
    for (i = 0; i < m->h; i++) {
        const float y = ((float)i + 0.5f) * step - 1.0f;
        ssl__noise_row(s->lattice, 5, y, lattice);
        for (j = 0; j < m->w; j++) {
            const float x = ((float)j + 0.5f) * step - 1.0f;
            if (j % 4 == 0) bits = ssl_rng_u32(r);
            ssl__scene_pixel(s, x, y, step, s->grain * ssl__noise(lattice, 5, x), 0.06f * ((float)(bits & 255) / 255.0f - 0.5f), rgb);
            bits >>= 8;
            for (k = 0; k < 3; k++) m->u8[(size_t)k * m->plane + (size_t)i * m->row + (size_t)j] = (uint8_t)(255.0f * ssl__clampf(rgb[k], 1.0f) + 0.5f);
        }
    }
}

typedef struct ssl__synthetic_job { ssl_dataset *d; const int *source; uint64_t stream; } ssl__synthetic_job;

static void ssl__synthetic_chunk(void *arg, int chunk, int thread)
{
    const ssl__synthetic_job *job = (const ssl__synthetic_job *)arg;
    const int end = SSL__MIN((chunk + 1) * 32, job->d->n);
    int i;
    (void)thread;
    for (i = chunk * 32; i < end; i++) {
        ssl_rng r = ssl_rng_make(0, job->stream);
        const ssl_image y = ssl_dataset_image(job->d, i);
        ssl__scene s;
        r.index = (uint64_t)job->source[i] << 24; /* room for 2^24 draws per picture */
        s = ssl__scene_make(&r, job->d->labels[i]);
        ssl__scene_draw(&s, &r, &y);
    }
}

static int ssl__open_synthetic(ssl__reader *r)
{
    ssl__synthetic_job job;
    const int test = ssl__split_is(r, "test") || ssl__split_is(r, "val");
    const long n = r->dir ? strtol(r->dir, NULL, 10) : test ? 1000 : 5000;
    int i, k = 0, *source;
    if (n < 1 || n > 100000000) return ssl__bad(r, SSL_E_ARG, "the number after synthetic: must be 1 to 100000000");
    r->d->c = 3;
    r->d->h = r->d->w = r->desc.image_size ? r->desc.image_size : 32;
    if (!ssl__class_names(r, 10, ssl__kinds) || !ssl__labels_alloc(r, (int)n)) return 0;
    for (i = 0; i < r->total; i++) r->label[i] = i % 10;
    if (!ssl__choose(r) || !(source = (int *)ssl__alloc(r->c, r->at, sizeof(int) * (size_t)r->d->n))) return 0;
    for (i = 0; i < r->total; i++) if (r->keep[i]) source[k++] = i;
    job.d = r->d;
    job.source = source;
    job.stream = SSL__STREAM_SYNTHETIC + ((uint64_t)(ssl__split_is(r, "val") ? 2 : test ? 1 : ssl__split_is(r, "unlabeled") ? 3 : 0) << 48);
    ssl__parallel(r->c, (r->d->n + 31) / 32, ssl__synthetic_chunk, &job);
    ssl__release(source);
    return 1;
}

/* dir/name into out[SSL__PATH]; 0 when it does not fit. */
static int ssl__path_join(char *out, const char *dir, const char *name)
{
    const int n = snprintf(out, SSL__PATH, "%s%s%s", dir, *name ? "/" : "", name);
    return n > 0 && n < SSL__PATH;
}

static int ssl__is_file(const char *path) { struct stat s; return !stat(path, &s) && S_ISREG(s.st_mode); }

/* Image i of the set from a picture of any size: short side to the side of the set, center part. 0 if it is more than 1000 times larger. */
static int ssl__store_image(ssl_dataset *d, int i, const ssl_image *x)
{
    const ssl_image y = ssl_dataset_image(d, i);
    const float s = SSL__MIN((float)x->h / (float)d->h, (float)x->w / (float)d->w); /* source pixels per pixel */
    const int h = SSL__MAX(1, SSL__MIN(x->h, (int)((float)d->h * s + 0.5f))), w = SSL__MAX(1, SSL__MIN(x->w, (int)((float)d->w * s + 0.5f)));
    const ssl_image part = ssl_image_view(x, (x->h - h) / 2, (x->w - w) / 2, h, w);
    return h == d->h && w == d->w ? ssl_image_convert(&part, &y) : ssl_image_resize(&part, 1, &y);
}

/* Names from the lines of a text file (as CIFAR and STL-10 ship); their numbers if it is not there. */
static int ssl__class_names_file(ssl__reader *r, const char *path, int n)
{
    char line[128][64];
    const char *name[128];
    FILE *f = fopen(path, "rb");
    int i;
    for (i = 0; i < n; i++) {
        name[i] = line[i];
        if (!f || !fgets(line[i], (int)sizeof line[i], f)) snprintf(line[i], sizeof line[i], "%d", i);
        line[i][strcspn(line[i], "\r\n")] = 0;
    }
    if (f) fclose(f);
    return ssl__class_names(r, n, name);
}

/* ---- files of fixed-size records: CIFAR, STL-10 and IDX ---- */
typedef struct ssl__bin {
    char path[SSL__PATH];
    int64_t bytes;            /* size of the file                                   */
    int head, record, n;      /* bytes before the records, bytes of one, their number */
    int label_at, pixels_at;  /* place in a record; label_at < 0: labels are elsewhere */
    int c, h, w, sideways;    /* sideways: columns lie one after the other, not rows */
} ssl__bin;

/* Find name in DIR or one of its usual subfolders (a list that ends with NULL). */
static int ssl__bin_find(ssl__reader *r, ssl__bin *b, const char *const *subs, const char *name)
{
    char dir[SSL__PATH], packed[SSL__PATH + 8];
    struct stat s;
    int i;
    for (i = 0; i == 0 || subs[i - 1]; i++) {
        if (!ssl__path_join(dir, r->dir, i ? subs[i - 1] : "") || !ssl__path_join(b->path, dir, name)) return ssl__bad(r, SSL_E_ARG, "the path is longer than %d bytes", SSL__PATH - 1);
        if (!stat(b->path, &s) && S_ISREG(s.st_mode)) { b->bytes = (int64_t)s.st_size; return 1; }
        snprintf(packed, sizeof packed, "%s.gz", b->path);
        if (ssl__is_file(packed)) return ssl__bad(r, SSL_E_IO, "'%.500s' is packed: unpack it with gunzip", packed);
    }
    return ssl__bad(r, SSL_E_IO, "there is no file %s in '%.500s'", name, r->dir);
}

/* Number of records from the size of the file, which must hold whole ones. */
static int ssl__bin_count(ssl__reader *r, ssl__bin *b, const char *what)
{
    const int64_t n = (b->bytes - b->head) / b->record;
    if (n < 1 || n > 0x7fffffff || n * b->record + b->head != b->bytes)
        return ssl__bad(r, SSL_E_IO, "'%.500s' has %lld bytes, not a multiple of %d (%s): it is truncated or of another format",
                        b->path, (long long)b->bytes, b->record, what);
    b->n = (int)n;
    return 1;
}

static FILE *ssl__bin_open(ssl__reader *r, const ssl__bin *b)
{
    FILE *f = fopen(b->path, "rb");
    if (!f) ssl__bad(r, SSL_E_IO, "'%.500s' cannot be opened: %s", b->path, strerror(errno));
    else if (b->head) fseek(f, b->head, SEEK_SET);
    return f;
}

/* Labels of the records into label[n]; each must be below n_classes after `base` is taken off. */
static int ssl__bin_labels(ssl__reader *r, const ssl__bin *b, int n_classes, int base, int32_t *label)
{
    uint8_t *record = (uint8_t *)ssl__alloc(r->c, r->at, (size_t)b->record);
    FILE *f = record ? ssl__bin_open(r, b) : NULL;
    int i, ok = f != NULL;
    for (i = 0; ok && i < b->n; i++) {
        if (fread(record, (size_t)b->record, 1, f) != 1) ok = ssl__bad(r, SSL_E_IO, "'%.500s' ends at record %d of %d", b->path, i, b->n);
        else if ((label[i] = record[b->label_at] - base) < 0 || label[i] >= n_classes)
            ok = ssl__bad(r, SSL_E_IO, "'%.500s' has label %d in record %d: %d..%d are possible", b->path, label[i] + base, i, base, base + n_classes - 1);
    }
    if (f) fclose(f);
    ssl__release(record);
    return ok;
}

/* The chosen ones of the records first .. first+n-1 of the source become images *next, *next + 1, ... of the set. */
static int ssl__bin_images(ssl__reader *r, const ssl__bin *b, int first, int *next)
{
    uint8_t *record = (uint8_t *)ssl__alloc(r->c, r->at, 2 * (size_t)b->record), *turned = record ? record + b->record : NULL;
    FILE *f = record ? ssl__bin_open(r, b) : NULL;
    const size_t plane = (size_t)b->h * (size_t)b->w;
    int i, skip = 0, ok = f != NULL;
    for (i = 0; ok && i < b->n; i++) {
        const uint8_t *p = record ? record + b->pixels_at : NULL;
        size_t k, x, y;
        ssl_image m;
        if (!r->keep[first + i]) { skip++; continue; }
        if (skip) fseek(f, (long)skip * b->record, SEEK_CUR);
        skip = 0;
        if (fread(record, (size_t)b->record, 1, f) != 1) { ok = ssl__bad(r, SSL_E_IO, "'%.500s' ends at record %d of %d", b->path, i, b->n); break; }
        for (k = 0; b->sideways && k < (size_t)b->c; k++)
            for (y = 0; y < (size_t)b->h; y++)
                for (x = 0; x < (size_t)b->w; x++) turned[k * plane + y * (size_t)b->w + x] = p[k * plane + x * (size_t)b->h + y];
        m = ssl_image_u8(b->sideways ? turned : p, b->c, b->h, b->w);
        ssl__store_image(r->d, (*next)++, &m);
    }
    if (f) fclose(f);
    ssl__release(record);
    return ok;
}

static void ssl__bin_shape(ssl__bin *b, int c, int h, int w, int label_bytes)
{
    b->c = c;
    b->h = h;
    b->w = w;
    b->head = 0;
    b->label_at = label_bytes - 1;
    b->pixels_at = label_bytes;
    b->record = label_bytes + c * h * w;
    b->sideways = 0;
}

static void ssl__set_shape(ssl__reader *r, int c, int h, int w)
{
    const int side = r->desc.image_size;
    r->d->c = c;
    r->d->h = side ? side : h;
    r->d->w = side ? side : w;
}

static int ssl__only_splits(ssl__reader *r, int unlabeled)
{
    return unlabeled || !ssl__split_is(r, "unlabeled") || ssl__bad(r, SSL_E_ARG, "it has no split \"unlabeled\": use train or test");
}

static int ssl__cifar(ssl__reader *r, int n_files, const char *const *files, const char *sub, int label_bytes, int n_classes, const char *names)
{
    const char *subs[2];
    ssl__bin b[5], meta;
    int i, total = 0, at = 0, next = 0;
    subs[0] = sub; subs[1] = NULL;
    for (i = 0; i < n_files; i++) {
        ssl__bin_shape(&b[i], 3, 32, 32, label_bytes);
        if (!ssl__bin_find(r, &b[i], subs, files[i]) || !ssl__bin_count(r, &b[i], label_bytes == 1 ? "1 label and 3072 pixels" : "2 labels and 3072 pixels")) return 0;
        total += b[i].n;
    }
    ssl__set_shape(r, 3, 32, 32);
    snprintf(meta.path, sizeof meta.path, "%.*s%s", (int)(strlen(b[0].path) - strlen(files[0])), b[0].path, names);
    if (!ssl__class_names_file(r, meta.path, n_classes) || !ssl__labels_alloc(r, total)) return 0;
    for (i = 0; i < n_files; at += b[i++].n) if (!ssl__bin_labels(r, &b[i], n_classes, 0, r->label + at)) return 0;
    if (!ssl__choose(r)) return 0;
    for (i = 0, at = 0; i < n_files; at += b[i++].n) if (!ssl__bin_images(r, &b[i], at, &next)) return 0;
    return 1;
}

static int ssl__open_cifar10(ssl__reader *r)
{
    static const char *const files[6] = { "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin" };
    const int train = ssl__split_is(r, "train");
    return ssl__only_splits(r, 0) && ssl__cifar(r, train ? 5 : 1, train ? files : files + 5, "cifar-10-batches-bin", 1, 10, "batches.meta.txt");
}

static int ssl__open_cifar100(ssl__reader *r)
{
    static const char *const files[2] = { "train.bin", "test.bin" };
    return ssl__only_splits(r, 0) && ssl__cifar(r, 1, ssl__split_is(r, "train") ? files : files + 1, "cifar-100-binary", 2, 100, "fine_label_names.txt");
}

static int ssl__open_stl10(ssl__reader *r)
{
    static const char *const subs[2] = { "stl10_binary", NULL };
    const char *split = ssl__split_is(r, "val") ? "test" : r->desc.split;
    const int labelled = !ssl__split_is(r, "unlabeled");
    char name[32], names[SSL__PATH];
    ssl__bin x, y;
    int i, next = 0;
    snprintf(name, sizeof name, "%.9s_X.bin", split);
    ssl__bin_shape(&x, 3, 96, 96, 0);
    x.sideways = 1;
    if (!ssl__bin_find(r, &x, subs, name) || !ssl__bin_count(r, &x, "27648 pixels") || !ssl__labels_alloc(r, x.n)) return 0;
    ssl__set_shape(r, 3, 96, 96);
    for (i = 0; i < x.n; i++) r->label[i] = -1;
    if (labelled) {
        snprintf(names, sizeof names, "%.*sclass_names.txt", (int)(strlen(x.path) - strlen(name)), x.path);
        snprintf(name, sizeof name, "%.9s_y.bin", split);
        ssl__bin_shape(&y, 1, 0, 0, 1);
        if (!ssl__bin_find(r, &y, subs, name) || !ssl__bin_count(r, &y, "1 label")) return 0;
        if (y.n != x.n) return ssl__bad(r, SSL_E_IO, "'%.500s' has %d labels for %d images", y.path, y.n, x.n);
        if (!ssl__class_names_file(r, names, 10) || !ssl__bin_labels(r, &y, 10, 1, r->label)) return 0;
    }
    return ssl__choose(r) && ssl__bin_images(r, &x, 0, &next);
}

/* Header of an IDX file: 0 0 8 axes, then each axis as four bytes, the highest first. */
static int ssl__idx_header(ssl__reader *r, ssl__bin *b, int axes, int64_t *dim)
{
    uint8_t h[16];
    FILE *f = ssl__bin_open(r, b);
    const size_t want = 4 + 4 * (size_t)axes, got = f ? fread(h, 1, want, f) : 0;
    int64_t record = 1;
    int i;
    if (!f) return 0;
    fclose(f);
    if (got != want || h[0] || h[1] || h[2] != 8 || h[3] != axes) return ssl__bad(r, SSL_E_IO, "'%.500s' is not an IDX file of bytes with %d axes", b->path, axes);
    for (i = 0; i < axes; i++) dim[i] = ((int64_t)h[4 + 4 * i] << 24) + (h[5 + 4 * i] << 16) + (h[6 + 4 * i] << 8) + h[7 + 4 * i];
    for (i = 1; i < axes; i++) {
        if (dim[i] < 1 || dim[i] > SSL__SIDE_MAX) return ssl__bad(r, SSL_E_IO, "'%.500s' claims images of %lld x %lld pixels: 1 to %d are possible", b->path, (long long)dim[1], (long long)dim[2], SSL__SIDE_MAX);
        record *= dim[i];
    }
    if (dim[0] < 1 || dim[0] > 0x7fffffff || b->bytes != (int64_t)want + dim[0] * record)
        return ssl__bad(r, SSL_E_IO, "'%.500s' has %lld bytes, its header promises %lld: it is truncated or damaged", b->path, (long long)b->bytes, (long long)((int64_t)want + dim[0] * record));
    b->head = (int)want;
    b->record = (int)record;
    b->n = (int)dim[0];
    return 1;
}

static int ssl__open_idx(ssl__reader *r)
{
    static const char *const subs[3] = { "raw", "MNIST/raw", NULL };
    const int train = ssl__split_is(r, "train");
    int64_t dim[3];
    ssl__bin x, y;
    int i, n_classes = 0, next = 0;
    char text[256][4];
    const char *names[256];
    ssl__bin_shape(&x, 1, 0, 0, 0);
    ssl__bin_shape(&y, 1, 0, 0, 1);
    if (!ssl__only_splits(r, 0)) return 0;
    if (!ssl__bin_find(r, &x, subs, train ? "train-images-idx3-ubyte" : "t10k-images-idx3-ubyte") || !ssl__idx_header(r, &x, 3, dim)) return 0;
    x.h = (int)dim[1];
    x.w = (int)dim[2];
    if (!ssl__bin_find(r, &y, subs, train ? "train-labels-idx1-ubyte" : "t10k-labels-idx1-ubyte") || !ssl__idx_header(r, &y, 1, dim)) return 0;
    if (y.n != x.n) return ssl__bad(r, SSL_E_IO, "'%.500s' has %d labels for %d images", y.path, y.n, x.n);
    ssl__set_shape(r, 1, x.h, x.w);
    if (!ssl__labels_alloc(r, x.n) || !ssl__bin_labels(r, &y, 256, 0, r->label)) return 0;
    for (i = 0; i < x.n; i++) n_classes = SSL__MAX(n_classes, r->label[i] + 1);
    for (i = 0; i < n_classes; i++) { snprintf(text[i], sizeof text[i], "%u", (unsigned)i & 255u); names[i] = text[i]; }
    return ssl__class_names(r, n_classes, names) && ssl__choose(r) && ssl__bin_images(r, &x, 0, &next);
}

/* ---- picture files, through stb_image ---- */
#if SSL__HAS_STBI
/* stb_image fills the rest of a truncated JPEG or BMP with gray: look for the end ourselves. */
static int ssl__cut_short(const uint8_t *p, size_t n)
{
    size_t i = 2;
    if (n > 6 && p[0] == 'B' && p[1] == 'M') return ((size_t)p[5] << 24) + ((size_t)p[4] << 16) + ((size_t)p[3] << 8) + p[2] > n;
    if (n < 4 || p[0] != 0xff || p[1] != 0xd8) return 0;
    while (i + 3 < n && p[i] == 0xff && p[i + 1] != 0xda) i += 2 + ((size_t)p[i + 2] << 8) + p[i + 3]; /* segments before the scan */
    for (; i + 1 < n; i++) if (p[i] == 0xff && p[i + 1] == 0xd9) return 0;                          /* end of image */
    return 1;
}

/* The whole file, or NULL and the reason. */
static uint8_t *ssl__slurp(const char *path, size_t *n, const char **why)
{
    FILE *f = fopen(path, "rb");
    uint8_t *p = NULL;
    long size = -1;
    *why = "it cannot be opened";
    if (!f) return NULL;
    if (!fseek(f, 0, SEEK_END)) size = ftell(f);
    rewind(f);
    *why = size == 0 ? "it is empty" : size < 0 || size > 0x7ffffff0 ? "it is no ordinary file below 2 GB" : "out of memory";
    if (size > 0 && size <= 0x7ffffff0 && (p = (uint8_t *)SSL_MALLOC((size_t)size)) != NULL && fread(p, 1, (size_t)size, f) != (size_t)size) {
        *why = "it cannot be read";
        SSL_FREE(p);
        p = NULL;
    }
    fclose(f);
    *n = (size_t)size;
    return p;
}

SSL_API uint8_t *ssl_image_file_load(const char *path, int *h, int *w, const char **why)
{
    const char *reason;
    size_t n, i, area;
    uint8_t *file = ssl__slurp(path, &n, &reason), *pixels = NULL, *out = NULL;
    int channels;
    if (file) {
        if (!stbi_info_from_memory(file, (int)n, w, h, &channels)) reason = stbi_failure_reason();
        else if (*w < 1 || *h < 1 || *w > 32767 || *h > 32767 || *w > 0xfffffff / *h) reason = "it claims more than 2^28 pixels";
        else if (ssl__cut_short(file, n)) reason = "it is truncated";
        else if (!(pixels = stbi_load_from_memory(file, (int)n, w, h, &channels, 3))) reason = stbi_failure_reason();
        SSL_FREE(file);
    }
    if (pixels) {
        area = (size_t)*w * (size_t)*h;
        reason = "out of memory";
        out = (uint8_t *)SSL_MALLOC(3 * area);
        for (i = 0; out && i < area; i++) {
            out[i] = pixels[3 * i];
            out[area + i] = pixels[3 * i + 1];
            out[2 * area + i] = pixels[3 * i + 2];
        }
        stbi_image_free(pixels);
    }
    if (why) *why = out ? "" : reason ? reason : "it is no picture";
    return out;
}
#else
SSL_API uint8_t *ssl_image_file_load(const char *path, int *h, int *w, const char **why)
{
    (void)path;
    *h = *w = 0;
    if (why) *why = "the program was built without stb_image";
    return NULL;
}
#endif
SSL_API void ssl_image_file_free(uint8_t *pixels) { ssl__release(pixels); }

/* ---- lists of names ---- */
typedef struct ssl__list { /* offsets while it grows, pointers when it is done */
    char *text;
    int used, cap_text, *start, n, cap;
    const char **name;
} ssl__list;

static int ssl__list_add(ssl__reader *r, ssl__list *l, const char *name)
{
    const int len = (int)strlen(name) + 1;
    if (l->used > 0x3fffffff - len) return ssl__bad(r, SSL_E_ARG, "the names of its files fill more than a gigabyte");
    if (!ssl__grow(r->c, r->at, (void **)&l->text, &l->cap_text, l->used + len, 1) || !ssl__grow(r->c, r->at, (void **)&l->start, &l->cap, l->n + 1, sizeof *l->start)) return 0;
    memcpy(l->text + l->used, name, (size_t)len);
    l->start[l->n++] = l->used;
    l->used += len;
    return 1;
}

static int ssl__name_order(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static int ssl__list_done(ssl__reader *r, ssl__list *l, int sorted)
{
    int i;
    l->name = (const char **)ssl__alloc(r->c, r->at, sizeof *l->name * (size_t)l->n);
    if (!l->name) return 0;
    for (i = 0; i < l->n; i++) l->name[i] = l->text + l->start[i];
    if (sorted) qsort((void *)l->name, (size_t)l->n, sizeof *l->name, ssl__name_order);
    return 1;
}

static int ssl__list_find(const ssl__list *l, const char *name) /* in a sorted list; -1 if it is not there */
{
    const char **p = (const char **)bsearch(&name, l->name, (size_t)l->n, sizeof *l->name, ssl__name_order);
    return p ? (int)(p - l->name) : -1;
}

static void ssl__list_free(ssl__list *l)
{
    ssl__release(l->text);
    ssl__release(l->start);
    ssl__release((void *)l->name);
}

/* Entries of a folder in sorted order, without those that begin with a dot. */
static int ssl__list_of_dir(ssl__reader *r, const char *dir, ssl__list *l)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    int ok = 1;
    if (!d) return ssl__bad(r, SSL_E_IO, "'%.500s' cannot be listed: %s", dir, strerror(errno));
    while (ok && (e = readdir(d)) != NULL) if (e->d_name[0] != '.') ok = ssl__list_add(r, l, e->d_name);
    closedir(d);
    return ok && ssl__list_done(r, l, 1);
}

/* ---- folders ---- */
typedef struct ssl__files { ssl__list path; int32_t *label; int cap; } ssl__files;

static int ssl__files_add(ssl__reader *r, ssl__files *f, const char *path, int label)
{
    if (!ssl__grow(r->c, r->at, (void **)&f->label, &f->cap, f->path.n + 1, sizeof *f->label)) return 0;
    f->label[f->path.n] = label;
    return ssl__list_add(r, &f->path, path);
}

static int ssl__is_picture(const char *name) /* by its ending */
{
    static const char *const endings[4] = { ".jpg", ".jpeg", ".png", ".bmp" };
    const size_t n = strlen(name);
    int i;
    for (i = 0; i < 4; i++) {
        const size_t m = strlen(endings[i]);
        size_t k = 0;
        while (k < m && n >= m && (name[n - m + k] | 32) == (endings[i][k] | 32)) k++;
        if (k == m) return 1;
    }
    return 0;
}

/* All pictures below dir get the label. Links may form circles, so that depth has a limit. */
static int ssl__scan(ssl__reader *r, ssl__files *f, const char *dir, int label, int depth)
{
    ssl__list l = SSL_ZERO;
    char *path = (char *)ssl__alloc(r->c, r->at, SSL__PATH);
    int i, ok = path && ssl__list_of_dir(r, dir, &l);
    for (i = 0; ok && i < l.n; i++) {
        if (!ssl__path_join(path, dir, l.name[i])) ssl__warn(r->c, "'%.200s...' was left out: its path is longer than %d bytes", dir, SSL__PATH - 1);
        else if (ssl__is_picture(l.name[i])) ok = ssl__files_add(r, f, path, label);
        else if (depth < 8 && ssl__is_dir(path)) ok = ssl__scan(r, f, path, label, depth + 1);
    }
    ssl__list_free(&l);
    ssl__release(path);
    return ok;
}

typedef struct ssl__decode_job { ssl_dataset *d; const char **path, **why; } ssl__decode_job; /* path, why: [n] of the chosen */

static void ssl__decode_chunk(void *arg, int chunk, int thread)
{
    const ssl__decode_job *job = (const ssl__decode_job *)arg;
    const int end = SSL__MIN((chunk + 1) * 16, job->d->n);
    int i;
    (void)thread;
    for (i = chunk * 16; i < end; i++) {
        int h, w;
        uint8_t *p = ssl_image_file_load(job->path[i], &h, &w, &job->why[i]);
        const ssl_image x = ssl_image_u8(p, 3, h, w);
        if (p && !ssl__store_image(job->d, i, &x)) job->why[i] = "it is more than 1000 times larger than image_size";
        ssl_image_file_free(p);
    }
}

/* Decode the chosen files on all cores, then close the gaps that broken ones leave. */
static int ssl__decode(ssl__reader *r, const ssl__files *f)
{
    ssl_dataset *d = r->d;
    const size_t one = (size_t)d->c * (size_t)d->h * (size_t)d->w;
    ssl__decode_job job;
    int i, k = 0;
    job.d = d;
    job.path = (const char **)ssl__alloc(r->c, r->at, sizeof *job.path * 2 * (size_t)d->n);
    if (!job.path) return 0;
    job.why = job.path + d->n;
    for (i = 0; i < r->total; i++) if (r->keep[i]) job.path[k++] = f->path.name[i];
    ssl__parallel(r->c, (d->n + 15) / 16, ssl__decode_chunk, &job);
    for (i = 0, k = 0; i < d->n; i++) {
        if (*job.why[i]) { ssl__warn(r->c, "'%s' was left out: %s", job.path[i], job.why[i]); continue; }
        if (k < i) memcpy(d->images + (size_t)k * one, d->images + (size_t)i * one, one);
        d->labels[k++] = d->labels[i];
    }
    d->n_broken = d->n - k;
    d->n = k;
    ssl__release((void *)job.path);
    return k > 0 || ssl__bad(r, SSL_E_IO, "none of its %d picture files can be read", d->n_broken);
}

/* Sides of the set from the first file that can be read, unless image_size says them. */
static int ssl__folder_size(ssl__reader *r, const ssl__files *f)
{
    int i, h = 0, w = 0;
    uint8_t *p = NULL;
    const char *why = "";
    for (i = 0; !r->desc.image_size && !p && i < f->path.n; i++) p = ssl_image_file_load(f->path.name[i], &h, &w, &why);
    if (!p && !r->desc.image_size) return ssl__bad(r, SSL_E_IO, "none of its %d picture files can be read: the last is '%.500s': %s", f->path.n, f->path.name[f->path.n - 1], why);
    ssl_image_file_free(p);
    h = SSL__MIN(SSL__MIN(h, w), 224);
    ssl__set_shape(r, 3, h, h);
    return 1;
}

static int ssl__folder_read(ssl__reader *r, ssl__files *f)
{
    if (!SSL__HAS_STBI) return ssl__bad(r, SSL_E_ARG, "this program was built without stb_image: build with -DSSL_STB_IMAGE='<stb/stb_image.h>' (Debian: libstb-dev)");
    if (!f->path.n) return ssl__bad(r, SSL_E_IO, "there is no .jpg, .jpeg, .png or .bmp file for split \"%s\": expected DIR/CLASS/NAME.jpg", r->desc.split);
    if (!ssl__list_done(r, &f->path, 0) || !ssl__folder_size(r, f)) return 0;
    r->total = f->path.n;
    r->label = f->label;
    f->label = NULL; /* r frees it */
    return ssl__choose(r) && ssl__decode(r, f);
}

/* Folder of the split: DIR/train and so on where there are such folders, else DIR itself. */
static int ssl__folder_root(ssl__reader *r, char *root)
{
    static const char *const splits[4] = { "train", "test", "val", "unlabeled" };
    const char *other = ssl__split_is(r, "test") ? "val" : ssl__split_is(r, "val") ? "test" : r->desc.split;
    int i, split = 0;
    for (i = 0; i < 4; i++) split += ssl__path_join(root, r->dir, splits[i]) && ssl__is_dir(root);
    if (ssl__path_join(root, r->dir, r->desc.split) && ssl__is_dir(root)) return 1;
    if (ssl__path_join(root, r->dir, other) && ssl__is_dir(root)) return 1;
    if (split) return ssl__bad(r, SSL_E_IO, "there is no folder '%.500s'", root);
    return ssl__path_join(root, r->dir, "") || ssl__bad(r, SSL_E_ARG, "the path is longer than %d bytes", SSL__PATH - 1);
}

static int ssl__folder_scan(ssl__reader *r, ssl__files *f, const char *root, ssl__list *classes)
{
    ssl__list entries = SSL_ZERO;
    char path[SSL__PATH];
    int i, ok = ssl__list_of_dir(r, root, &entries);
    for (i = 0; ok && i < entries.n; i++) {
        if (!ssl__path_join(path, root, entries.name[i])) continue;
        if (ssl__is_picture(entries.name[i])) ok = ssl__files_add(r, f, path, -1);
        else if (ssl__is_dir(path)) ok = ssl__list_add(r, classes, entries.name[i]) && ssl__scan(r, f, path, classes->n - 1, 0);
    }
    ssl__list_free(&entries);
    return ok && ssl__list_done(r, classes, 0);
}

static int ssl__open_folder(ssl__reader *r)
{
    char root[SSL__PATH];
    ssl__files f = SSL_ZERO;
    ssl__list classes = SSL_ZERO;
    const int ok = ssl__folder_root(r, root) && ssl__folder_scan(r, &f, root, &classes) && ssl__class_names(r, classes.n, classes.name) && ssl__folder_read(r, &f);
    ssl__list_free(&classes);
    ssl__list_free(&f.path);
    ssl__release(f.label);
    return ok;
}

/* ---- Tiny-ImageNet ---- */
/* First word of every line, up to a tab or the end: wnids.txt. */
static int ssl__list_of_file(ssl__reader *r, const char *path, ssl__list *l)
{
    char line[1024];
    FILE *f = fopen(path, "rb");
    int ok = 1;
    if (!f) return ssl__bad(r, SSL_E_IO, "'%.500s' cannot be opened: expected the layout of tiny-imagenet-200 (wnids.txt, train/, val/)", path);
    while (ok && fgets(line, (int)sizeof line, f)) {
        line[strcspn(line, " \t\r\n")] = 0;
        if (*line) ok = ssl__list_add(r, l, line);
    }
    fclose(f);
    return ok && ssl__list_done(r, l, 1);
}

/* Class names from words.txt ("wnid TAB name, other names"); the wnid where there is none. */
static int ssl__tiny_words(ssl__reader *r, const ssl__list *wnids)
{
    char path[SSL__PATH], line[1024];
    const char **name = (const char **)ssl__alloc(r->c, r->at, sizeof *name * (size_t)wnids->n);
    char (*text)[64] = (char (*)[64])ssl__alloc(r->c, r->at, 64 * (size_t)wnids->n);
    FILE *f = ssl__path_join(path, r->dir, "words.txt") ? fopen(path, "rb") : NULL;
    int i, ok = name && text;
    for (i = 0; ok && i < wnids->n; i++) name[i] = wnids->name[i];
    while (ok && f && fgets(line, (int)sizeof line, f)) {
        const size_t n = strcspn(line, "\t\r\n");
        if (line[n] != '\t') continue;
        line[n] = 0;
        if ((i = ssl__list_find(wnids, line)) < 0) continue;
        snprintf(text[i], 64, "%.*s", (int)SSL__MIN(strcspn(line + n + 1, ",\r\n"), 63), line + n + 1);
        name[i] = text[i];
    }
    if (f) fclose(f);
    ok = ok && ssl__class_names(r, wnids->n, name);
    ssl__release((void *)name);
    ssl__release(text);
    return ok;
}

static int ssl__tiny_train(ssl__reader *r, ssl__files *f, const char *sub, const ssl__list *wnids)
{
    char root[SSL__PATH], path[SSL__PATH];
    int i, ok = ssl__path_join(root, r->dir, sub);
    for (i = 0; ok && i < wnids->n; i++)
        if (ssl__path_join(path, root, wnids->name[i]) && ssl__is_dir(path)) ok = ssl__scan(r, f, path, i, 0);
    return ok;
}

/* val/val_annotations.txt: file TAB wnid TAB box. */
static int ssl__tiny_val(ssl__reader *r, ssl__files *f, const ssl__list *wnids)
{
    char list[SSL__PATH], images[SSL__PATH], path[SSL__PATH], line[1024];
    FILE *in = ssl__path_join(list, r->dir, "val/val_annotations.txt") ? fopen(list, "rb") : NULL;
    int ok = ssl__path_join(images, r->dir, "val/images"), n = 0;
    if (!in) return ssl__tiny_train(r, f, "val", wnids); /* sorted into class folders, as some do */
    while (ok && fgets(line, (int)sizeof line, in)) {
        char *wnid = strchr(line, '\t');
        int label = -1;
        n++;
        if (wnid) {
            *wnid++ = 0;
            wnid[strcspn(wnid, "\t\r\n")] = 0;
            label = ssl__list_find(wnids, wnid);
        }
        if (label < 0) ok = ssl__bad(r, SSL_E_IO, "line %d of '%.500s' names no class of wnids.txt", n, list);
        else if (strchr(line, '/') || !ssl__path_join(path, images, line)) ok = ssl__bad(r, SSL_E_IO, "line %d of val_annotations.txt has a path where a file name should be", n);
        else ok = ssl__files_add(r, f, path, label);
    }
    fclose(in);
    return ok;
}

static int ssl__open_tiny_imagenet(ssl__reader *r)
{
    char path[SSL__PATH];
    ssl__files f = SSL_ZERO;
    ssl__list wnids = SSL_ZERO;
    int ok = ssl__only_splits(r, 0) && ssl__path_join(path, r->dir, "wnids.txt") && ssl__list_of_file(r, path, &wnids) && ssl__tiny_words(r, &wnids);
    if (ok) ok = ssl__split_is(r, "train") ? ssl__tiny_train(r, &f, "train", &wnids) : ssl__tiny_val(r, &f, &wnids);
    if (ok) ok = ssl__folder_read(r, &f);
    ssl__list_free(&wnids);
    ssl__list_free(&f.path);
    ssl__release(f.label);
    return ok;
}

/* ---- opening and closing ---- */
typedef struct ssl__moment_job { const ssl_dataset *d; int per_chunk; uint64_t *part; } ssl__moment_job; /* part [chunk,c,2] */

static void ssl__moment_chunk(void *arg, int chunk, int thread) /* sums of levels and of their squares: exact */
{
    const ssl__moment_job *job = (const ssl__moment_job *)arg;
    const ssl_dataset *d = job->d;
    const size_t plane = (size_t)d->h * (size_t)d->w;
    const int end = SSL__MIN((chunk + 1) * job->per_chunk, d->n);
    int i, k;
    (void)thread;
    for (i = chunk * job->per_chunk; i < end; i++)
        for (k = 0; k < d->c; k++) {
            const uint8_t *p = d->images + ((size_t)i * (size_t)d->c + (size_t)k) * plane;
            uint64_t *out = job->part + 2 * ((size_t)chunk * (size_t)d->c + (size_t)k);
            size_t j, end_run;
            for (j = 0; j < plane; j = end_run) {
                uint32_t sum = 0, squares = 0; /* 2^16 levels squared stay below 2^32 */
                for (end_run = SSL__MIN(plane, j + 65536); j < end_run; j++) { sum += p[j]; squares += (uint32_t)p[j] * p[j]; }
                out[0] += sum;
                out[1] += squares;
            }
        }
}

static int ssl__moments(ssl__reader *r)
{
    ssl_dataset *d = r->d;
    ssl__moment_job job;
    const int n_chunks = SSL__MIN(d->n, 64);
    const double count = (double)d->n * (double)d->h * (double)d->w;
    int i, k;
    job.d = d;
    job.per_chunk = (d->n + n_chunks - 1) / n_chunks;
    job.part = (uint64_t *)ssl__alloc(r->c, r->at, sizeof(uint64_t) * 2 * (size_t)n_chunks * (size_t)d->c);
    if (!job.part) return 0;
    ssl__parallel(r->c, n_chunks, ssl__moment_chunk, &job);
    for (k = 0; k < d->c; k++) {
        double sum = 0.0, squares = 0.0;
        for (i = 0; i < n_chunks; i++) {
            sum += (double)job.part[2 * (i * d->c + k)];
            squares += (double)job.part[2 * (i * d->c + k) + 1];
        }
        sum /= count * 255.0;
        d->mean[k] = (float)sum;
        d->std_dev[k] = (float)sqrt(SSL__MAX(squares / (count * 65025.0) - sum * sum, 1e-8)); /* one-coloured sets stay usable */
    }
    ssl__release(job.part);
    return 1;
}

typedef struct ssl__format { const char *name; int (*open)(ssl__reader *r); int needs_dir; } ssl__format;
static const ssl__format ssl__formats[] = {
    { "synthetic", ssl__open_synthetic, 0 }, { "cifar10", ssl__open_cifar10, 1 }, { "cifar100", ssl__open_cifar100, 1 },
    { "stl10", ssl__open_stl10, 1 }, { "idx", ssl__open_idx, 1 }, { "folder", ssl__open_folder, 1 },
    { "tiny-imagenet", ssl__open_tiny_imagenet, 1 }
};

static const ssl__format *ssl__format_of(ssl__reader *r)
{
    const size_t n = strcspn(r->spec, ":");
    size_t i;
    for (i = 0; i < sizeof ssl__formats / sizeof *ssl__formats; i++) {
        const ssl__format *f = &ssl__formats[i];
        if (strlen(f->name) != n || memcmp(f->name, r->spec, n)) continue;
        r->dir = r->spec[n] == ':' ? r->spec + n + 1 : NULL;
        if (f->needs_dir && (!r->dir || !*r->dir)) ssl__bad(r, SSL_E_ARG, "a folder must follow: write %s:DIR", f->name);
        else if (f->needs_dir && !ssl__is_dir(r->dir)) ssl__bad(r, SSL_E_IO, "there is no folder '%.500s'", r->dir);
        else return f;
        return NULL;
    }
    ssl__bad(r, SSL_E_ARG, "unknown data set: use synthetic[:N], cifar10:DIR, cifar100:DIR, stl10:DIR, idx:DIR, folder:DIR or tiny-imagenet:DIR");
    return NULL;
}

static int ssl__dataset_desc_ok(ssl__reader *r)
{
    ssl_dataset_desc *d = &r->desc;
    if (d->_start_canary || d->_end_canary) return ssl__bad(r, SSL_E_ARG, "the ssl_dataset_desc is not initialized: write `ssl_dataset_desc d = SSL_ZERO;`");
    if (!d->split) d->split = "train";
    if (!ssl__split_is(r, "train") && !ssl__split_is(r, "test") && !ssl__split_is(r, "val") && !ssl__split_is(r, "unlabeled"))
        return ssl__bad(r, SSL_E_ARG, "split \"%.40s\" must be train, test, val or unlabeled", d->split);
    if (d->image_size && (d->image_size < 8 || d->image_size > SSL__SIDE_MAX)) return ssl__bad(r, SSL_E_ARG, "image_size %d must be 8 to %d, or 0 for the size as stored", d->image_size, SSL__SIDE_MAX);
    if (d->limit_images < 0 || d->labels_per_class < 0) return ssl__bad(r, SSL_E_ARG, "limit_images %d and labels_per_class %d must not be negative", d->limit_images, d->labels_per_class);
    return 1;
}

static void ssl__dataset_drop(ssl_dataset *d) /* what it holds; it becomes an empty set */
{
    ssl__release(d->images);
    ssl__release(d->labels);
    ssl__release(d->class_names);
    d->images = NULL;
    d->labels = NULL;
    d->class_names = NULL;
    d->n = d->n_classes = 0;
}
static void ssl__dataset_free(void *p) { ssl__dataset_drop((ssl_dataset *)p); ssl__release(p); }

SSL_API ssl_dataset *ssl_dataset_open_at(const char *at, ssl_ctx *c, const char *spec, const ssl_dataset_desc *desc)
{
    ssl__reader r;
    const ssl__format *f;
    memset(&r, 0, sizeof r);
    r.c = c;
    r.at = at;
    r.spec = spec ? spec : "";
    if (desc) r.desc = *desc;
    r.d = (ssl_dataset *)ssl__alloc(c, at, sizeof *r.d);
    if (!r.d) return NULL;
    r.d->ctx = c;
    if (!ssl__own(c, at, r.d, ssl__dataset_free)) { ssl__release(r.d); return NULL; }
    if (!ssl_ok(c)) return r.d;
    if (!ssl__dataset_desc_ok(&r) || !(f = ssl__format_of(&r)) || !f->open(&r) || !ssl__moments(&r)) ssl__dataset_drop(r.d);
    ssl__release(r.label);
    ssl__release(r.keep);
    return r.d;
}

SSL_API void ssl_dataset_close(ssl_dataset *d)
{
    if (!d) return;
    if (d->n_loaders) { ssl__fail(d->ctx, SSL_E_ARG, "ssl_dataset_close", "ssl_dataset_close: %d loaders still read from the set: close them first", d->n_loaders); return; }
    ssl__disown(d->ctx, d);
    ssl__dataset_free(d);
}

SSL_API ssl_image ssl_dataset_image(const ssl_dataset *d, int i)
{ return ssl_image_u8(d->images + (size_t)i * (size_t)d->c * (size_t)d->h * (size_t)d->w, d->c, d->h, d->w); }

SSL_API const char *ssl_dataset_class(const ssl_dataset *d, int label) { return label >= 0 && label < d->n_classes ? d->class_names[label] : "-"; }

/* ==== >>augment ====================================================================================== */
#define SSL__DRAWS_PER_VIEW 4096                  /* numbers kept for one view of one image; about 50 are drawn */

SSL_API int ssl_augment_preset(const char *name, ssl_augment_desc *desc)
{
    ssl_augment_desc d = SSL_ZERO;
    const int apl = !strcmp(name, "apl"), simclr = !strcmp(name, "simclr"), mae = !strcmp(name, "mae"), pixpro = !strcmp(name, "pixpro");
    const int large = !strcmp(name, "amdim-large"), amdim = large || !strcmp(name, "amdim");
    const int second = !strcmp(name, "byol-second"), vicreg = !strcmp(name, "vicreg"), byol = second || vicreg || !strcmp(name, "byol");
    if (!strcmp(name, "crop")) d.crop = SSL_CROP_PADDED;
    else if (amdim) {
        d.crop = large ? SSL_CROP_RESIZED : SSL_CROP_PADDED;
        d.crop_p = large ? 1.0f : 0.8f;
        d.shared_flip = 1;
        d.ratio[0] = 0.7f; d.ratio[1] = 1.4f;
        d.jitter_p = 0.8f; d.brightness = d.contrast = d.saturation = 0.4f; d.hue = 0.2f;
        d.grayscale_p = 0.25f;
    }
    else if (apl || simclr || byol || mae) d.crop = SSL_CROP_RESIZED;
    else if (strcmp(name, "none") && strcmp(name, "eval") && !pixpro) return 0;
    if (d.crop == SSL_CROP_RESIZED) { d.scale[0] = apl ? 0.6f : large ? 0.3f : 0.2f; d.scale[1] = 1.0f; }
    if (d.crop == SSL_CROP_RESIZED || d.crop == SSL_CROP_PADDED) d.hflip = 0.5f;
    if (apl || simclr || byol || pixpro) d.grayscale_p = 0.2f;
    if (pixpro) {
        d.jitter_p = 0.8f; d.brightness = d.contrast = d.saturation = 0.8f; d.hue = 0.2f;
        d.blur_p = 0.1f; d.blur_kernel = 3; d.blur_sigma[0] = d.blur_sigma[1] = 1.5f; d.solarize_p = 0.5f;
        d.mean[0] = 0.485f; d.mean[1] = 0.456f; d.mean[2] = 0.406f; d.std_dev[0] = 0.229f; d.std_dev[1] = 0.224f; d.std_dev[2] = 0.225f;
    }
    if (simclr || byol) { d.jitter_p = 0.8f; d.brightness = d.contrast = 0.4f; d.saturation = byol ? 0.2f : 0.4f; d.hue = 0.1f; }
    if (byol) { d.blur_p = vicreg ? 0.5f : second ? 0.1f : 1.0f; d.solarize_p = vicreg ? 0.1f : second ? 0.2f : 0.0f; }
    if (apl) {
        d.blur_p = 0.5f; d.blur_kernel = 9; d.blur_sigma[0] = 0.1f; d.blur_sigma[1] = 0.5f;
        d.mean[0] = d.mean[1] = d.mean[2] = d.std_dev[0] = d.std_dev[1] = d.std_dev[2] = 0.5f;
    }
    *desc = d;
    return 1;
}

static void ssl__augment_defaults(ssl_augment_desc *d, int h, int w)
{
    const int side = d->size ? d->size : SSL__MIN(h, w);
    if (d->crop == SSL_CROP_DEFAULT) d->crop = SSL_CROP_WHOLE;
    d->pad = SSL__DEF(d->pad, 4);
    d->crop_ratio = SSL__DEFF(d->crop_ratio, 0.875f);
    d->crop_p = SSL__DEFF(d->crop_p, 1.0f);
    if (d->scale[0] == 0.0f && d->scale[1] == 0.0f) { d->scale[0] = 0.08f; d->scale[1] = 1.0f; }
    if (d->ratio[0] == 0.0f && d->ratio[1] == 0.0f) { d->ratio[0] = 0.75f; d->ratio[1] = 4.0f / 3.0f; }
    if (d->brightness > 0.0f || d->contrast > 0.0f || d->saturation > 0.0f || d->hue > 0.0f) d->jitter_p = SSL__DEFF(d->jitter_p, 1.0f);
    d->blur_kernel = SSL__DEF(d->blur_kernel, SSL__MAX(side / 10, 3) | 1);
    if (d->blur_sigma[0] == 0.0f && d->blur_sigma[1] == 0.0f) { d->blur_sigma[0] = 0.1f; d->blur_sigma[1] = 2.0f; }
    d->solarize_threshold = SSL__DEFF(d->solarize_threshold, 0.5f);
    d->rand_strength = SSL__DEFF(d->rand_strength, 9.0f);
    d->rand_deviation = SSL__DEFF(d->rand_deviation, 0.5f);
    if (d->std_dev[0] == 0.0f && d->std_dev[1] == 0.0f && d->std_dev[2] == 0.0f) d->std_dev[0] = d->std_dev[1] = d->std_dev[2] = 1.0f;
}

static int ssl__in(float x, float lo, float hi) { return x >= lo && x <= hi; } /* false for NaN */

/* What is wrong with a resolved desc, or NULL. */
static const char *ssl__augment_fault(const ssl_augment_desc *d, int c, int h, int w)
{
    const int oh = d->size ? d->size : h, ow = d->size ? d->size : w;
    int k;
    if ((int)d->crop < 0 || d->crop > SSL_CROP_RESIZED) return "crop is not one of SSL_CROP_*";
    if (d->size < 0 || d->size > 4096 || SSL__MAX(h, w) / SSL__MIN(oh, ow) > 1000) return "size must be 0 or 1..4096, and at least a thousandth of the image";
    if (d->pad < 0 || (!d->pad_black && d->pad >= SSL__MIN(h, w))) return "pad must be smaller than the image";
    if (!ssl__in(d->crop_ratio, 1e-3f, 1.0f)) return "crop_ratio must be in 0..1";
    if (!ssl__in(d->scale[0], 1e-6f, d->scale[1]) || !ssl__in(d->scale[1], 0.0f, 1.0f)) return "scale must be 0 < scale[0] <= scale[1] <= 1";
    if (!ssl__in(d->ratio[0], 1e-3f, d->ratio[1]) || !ssl__in(d->ratio[1], 0.0f, 1e3f)) return "ratio must be 0 < ratio[0] <= ratio[1]";
    if (!ssl__in(d->crop_p, 0, 1) || !ssl__in(d->hflip, 0, 1) || !ssl__in(d->vflip, 0, 1) || !ssl__in(d->jitter_p, 0, 1) || !ssl__in(d->grayscale_p, 0, 1) ||
        !ssl__in(d->blur_p, 0, 1) || !ssl__in(d->solarize_p, 0, 1)) return "crop_p, hflip, vflip, jitter_p, grayscale_p, blur_p and solarize_p must be in 0..1";
    if (!ssl__in(d->brightness, 0, 100) || !ssl__in(d->contrast, 0, 100) || !ssl__in(d->saturation, 0, 100)) return "brightness, contrast and saturation must be 0 or more";
    if (!ssl__in(d->hue, 0, 0.5f)) return "hue must be in 0..0.5";
    if (d->blur_p > 0 && (d->blur_kernel < 1 || d->blur_kernel % 2 == 0 || d->blur_kernel > SSL__BLUR_MAX || d->blur_kernel / 2 >= SSL__MIN(oh, ow)))
        return "blur_kernel must be odd, at most 127 and less than twice the side";
    if (d->blur_p > 0 && (!ssl__in(d->blur_sigma[0], 1e-3f, d->blur_sigma[1]) || !ssl__in(d->blur_sigma[1], 0, 1e3f))) return "blur_sigma must be 0 < blur_sigma[0] <= blur_sigma[1]";
    if (d->rand_ops < 0 || d->rand_ops > 16 || !ssl__in(d->rand_strength, 0, 10) || !ssl__in(d->rand_deviation, 0, 10)) return "rand_ops must be 0..16, rand_strength and rand_deviation 0..10";
    for (k = 0; k < c; k++) if (!ssl__in(d->std_dev[k], 1e-6f, 1e6f) || !ssl__in(d->mean[k], -1e6f, 1e6f)) return "std_dev must be positive for every channel, and mean finite";
    return NULL;
}

SSL_API int ssl_augment_resolve_at(const char *at, ssl_ctx *ctx, const ssl_augment_desc *desc, int c, int h, int w, ssl_augment_desc *out)
{
    ssl_augment_desc d = SSL_ZERO;
    const char *fault;
    if (!ssl_ok(ctx)) return 0;
    if (desc) d = *desc;
    if (d._start_canary || d._end_canary) {
        ssl__fail(ctx, SSL_E_ARG, at, "ssl_augment: the ssl_augment_desc is not initialized: write `ssl_augment_desc d = SSL_ZERO;`");
        return 0;
    }
    ssl__augment_defaults(&d, h, w);
    if ((fault = ssl__augment_fault(&d, c, h, w)) != NULL) {
        ssl__fail(ctx, SSL_E_ARG, at, "ssl_augment: %s (images are [%d,%d,%d])", fault, c, h, w);
        return 0;
    }
    *out = d;
    return 1;
}

static float ssl__between(ssl_rng *r, float lo, float hi) { return lo + (hi - lo) * ssl_rng_uniform(r); }
static int   ssl__coin(ssl_rng *r, float p) { return ssl_rng_uniform(r) < p; } /* always draws */

/* torchvision's RandomResizedCrop: ten tries of area and log-uniform aspect, then the largest centered part that fits. */
static void ssl__resized_box(const ssl_augment_desc *d, int h, int w, ssl_rng *r, ssl_view_box *b)
{
    const float lo = logf(d->ratio[0]), hi = logf(d->ratio[1]), whole = (float)w / (float)h;
    int bh = h, bw = w, i;
    for (i = 0; i < 10; i++) {
        const float area = (float)h * (float)w * ssl__between(r, d->scale[0], d->scale[1]), aspect = expf(ssl__between(r, lo, hi));
        const int th = (int)ssl__round(sqrtf(area / aspect)), tw = (int)ssl__round(sqrtf(area * aspect));
        if (tw < 1 || tw > w || th < 1 || th > h) continue;
        b->y0 = ssl_rng_below(r, h - th + 1);
        b->x0 = ssl_rng_below(r, w - tw + 1);
        b->y1 = b->y0 + th;
        b->x1 = b->x0 + tw;
        return;
    }
    if (whole < d->ratio[0]) bh = SSL__MAX(1, SSL__MIN(h, (int)ssl__round((float)w / d->ratio[0])));
    else if (whole > d->ratio[1]) bw = SSL__MAX(1, SSL__MIN(w, (int)ssl__round((float)h * d->ratio[1])));
    b->y0 = (h - bh) / 2; b->y1 = b->y0 + bh;
    b->x0 = (w - bw) / 2; b->x1 = b->x0 + bw;
}

static void ssl__augment_box(const ssl_augment_desc *d, int h, int w, ssl_rng *r, ssl_view_box *b)
{
    const int cropped = ssl__coin(r, d->crop_p);
    b->y0 = b->x0 = 0;
    b->y1 = h;
    b->x1 = w;
    if (d->crop == SSL_CROP_CENTER) {
        const int side = SSL__MAX(1, (int)((float)SSL__MIN(h, w) * d->crop_ratio + 0.5f));
        b->y0 = (h - side) / 2; b->y1 = b->y0 + side;
        b->x0 = (w - side) / 2; b->x1 = b->x0 + side;
    } else if (d->crop == SSL_CROP_PADDED && cropped) {
        b->y0 = ssl_rng_below(r, 2 * d->pad + 1) - d->pad; b->y1 = b->y0 + h;
        b->x0 = ssl_rng_below(r, 2 * d->pad + 1) - d->pad; b->x1 = b->x0 + w;
    } else if (d->crop == SSL_CROP_RESIZED && cropped) ssl__resized_box(d, h, w, r, b);
}

/* The box of x, resized to y (f32, contiguous); tmp holds a crop that reaches over the edge before it is resized. */
static void ssl__augment_crop(const ssl_augment_desc *d, const ssl_image *x, const ssl_view_box *b, float *tmp, const ssl_image *y)
{
    const int h = b->y1 - b->y0, w = b->x1 - b->x0;
    ssl_image part;
    if (d->crop == SSL_CROP_PADDED) {
        part = ssl_image_u8((uint8_t *)tmp, x->c, h, w);
        ssl_image_crop(x, b->y0, b->x0, !d->pad_black, &part);
    } else part = ssl_image_view(x, b->y0, b->x0, h, w);
    if (h == y->h && w == y->w) ssl_image_convert(&part, y);
    else ssl_image_resize(&part, !d->no_antialias, y);
}

static void ssl__draw_jitter(const ssl_augment_desc *d, ssl_rng *r, ssl__view_plan *p)
{
    float most[4];
    int i;
    for (i = 0; i < 4; i++) p->order[i] = i;
    for (i = 3; i > 0; i--) {
        const int j = ssl_rng_below(r, i + 1), t = p->order[i];
        p->order[i] = p->order[j];
        p->order[j] = t;
    }
    most[0] = d->brightness; most[1] = d->contrast; most[2] = d->saturation; most[3] = d->hue;
    for (i = 0; i < 4; i++) {
        const int op = p->order[i];
        const float a = most[op];
        p->amount[op] = ssl__between(r, op == 3 ? -a : SSL__MAX(0.0f, 1.0f - a), op == 3 ? a : 1.0f + a);
        if (a == 0.0f) p->order[i] = -1; /* left out */
    }
}
static void ssl__augment_jitter(const ssl__view_plan *p, const ssl_image *y)
{
    int i;
    for (i = 0; i < 4; i++) {
        const int op = p->order[i];
        if (op == 0)      ssl_image_brightness(y, p->amount[op], y);
        else if (op == 1) ssl_image_contrast(y, p->amount[op], y);
        else if (op == 2) ssl_image_saturation(y, p->amount[op], y);
        else if (op == 3) ssl_image_hue(y, p->amount[op], y);
    }
}

/* ---- RandAugment: operations on x, values 0..1, in place; y is room for as much.  L = strength / 10, s = a random sign ---- */
/* y(i,j) = x(m0 j + m1 i + m2, m3 j + m4 i + m5) as column and row, bilinear, `fill` beyond the edge; x <- y */
static void ssl__rand_affine(const ssl_image *x, const float m[6], const float *fill, float *y)
{
    const int h = x->h, w = x->w;
    int c, i, j, k;
    for (c = 0; c < x->c; c++)
        for (i = 0; i < h; i++)
            for (j = 0; j < w; j++) {
                const float u = m[0] * (float)j + m[1] * (float)i + m[2], v = m[3] * (float)j + m[4] * (float)i + m[5];
                const int u0 = (int)floorf(u), v0 = (int)floorf(v);
                float sum = 0.0f;
                for (k = 0; k < 4; k++) {
                    const int col = u0 + (k & 1), row = v0 + (k >> 1), inside = col >= 0 && col < w && row >= 0 && row < h;
                    const float a = (k & 1 ? u - (float)u0 : 1.0f - u + (float)u0) * (k >> 1 ? v - (float)v0 : 1.0f - v + (float)v0);
                    sum += a * (inside ? x->f32[(size_t)c * x->plane + (size_t)row * x->row + (size_t)col] : fill[c]);
                }
                y[((size_t)c * (size_t)h + (size_t)i) * (size_t)w + (size_t)j] = sum;
            }
    for (c = 0; c < x->c; c++)
        for (i = 0; i < h; i++) memcpy(x->f32 + (size_t)c * x->plane + (size_t)i * x->row, y + ((size_t)c * (size_t)h + (size_t)i) * (size_t)w, sizeof(float) * (size_t)w);
}
/* x <- table[level of x] per channel, levels 0..255 */
static void ssl__rand_levels(const ssl_image *x, int c, const float table[256])
{
    int i, j;
    for (i = 0; i < x->h; i++)
        for (j = 0; j < x->w; j++) {
            float *p = x->f32 + (size_t)c * x->plane + (size_t)i * x->row + (size_t)j;
            *p = table[(int)(255.0f * *p + 0.5f)];
        }
}
/* What every level of a channel becomes, from how often each occurs among n pixels; 0: it stays as it is. */
SSL_HD static SSL__INLINE int ssl__rand_stretch(const int count[256], int pixels, int equalize, float table[256])
{
    int lo = 0, hi = 255, k, n, step;
    while (!count[lo]) lo++;
    while (!count[hi]) hi--;
    step = (pixels - count[hi]) / 255;
    if (lo == hi || (equalize && !step)) return 0;
    for (k = 0, n = step / 2; k < 256; n += count[k++])
        table[k] = equalize ? (float)SSL__MIN(n / SSL__MAX(step, 1), 255) / 255.0f : SSL__MIN(SSL__MAX((float)(k - lo) / (float)(hi - lo), 0.0f), 1.0f);
    return 1;
}
/* Stretch (equalize 0: darkest level to 0, brightest to 1) or equalize the histogram of every channel, as PIL does. */
static void ssl__rand_histogram(const ssl_image *x, int equalize)
{
    int c, i, j, count[256];
    float table[256];
    for (c = 0; c < x->c; c++) {
        memset(count, 0, sizeof count);
        for (i = 0; i < x->h; i++)
            for (j = 0; j < x->w; j++) count[(int)(255.0f * x->f32[(size_t)c * x->plane + (size_t)i * x->row + (size_t)j] + 0.5f)]++;
        if (ssl__rand_stretch(count, x->h * x->w, equalize, table)) ssl__rand_levels(x, c, table);
    }
}
/* factor x + (1 - factor) smooth(x); smooth weighs a pixel 5 and its 8 neighbours 1, edges stay */
static void ssl__rand_sharpness(const ssl_image *x, float factor, float *y)
{
    int c, i, j, k;
    for (c = 0; c < x->c; c++) {
        float *p = x->f32 + (size_t)c * x->plane;
        for (i = 1; i + 1 < x->h; i++)
            for (j = 1; j + 1 < x->w; j++) {
                float sum = 4.0f * p[(size_t)i * x->row + (size_t)j];
                for (k = 0; k < 9; k++) sum += p[(size_t)(i - 1 + k / 3) * x->row + (size_t)(j - 1 + k % 3)];
                y[i * x->w + j] = sum / 13.0f;
            }
        for (i = 1; i + 1 < x->h; i++)
            for (j = 1; j + 1 < x->w; j++) {
                float *q = p + (size_t)i * x->row + (size_t)j;
                *q = SSL__MIN(SSL__MAX(factor * *q + (1.0f - factor) * y[i * x->w + j], 0.0f), 1.0f);
            }
    }
}
SSL_HD static SSL__INLINE float ssl__rand_level(int k, int add, int bits)
{ return (float)(bits < 8 ? k & ~(255 >> bits) & 255 : k < 128 ? SSL__MIN(k + add, 255) : k) / 255.0f; }
/* SolarizeAdd: levels below 128 get 110 L more, at most 255; Posterize: the first 4 - floor(4 L) bits of a level stay */
static void ssl__rand_tone(const ssl_image *x, int add, int bits)
{
    float table[256];
    int c, k;
    for (k = 0; k < 256; k++) table[k] = ssl__rand_level(k, add, bits);
    for (c = 0; c < x->c; c++) ssl__rand_levels(x, c, table);
}
SSL_HD static SSL__INLINE float ssl__rand_factor(float L, float s) { return SSL__MAX(0.1f, 1.0f + s * 0.9f * L); }
SSL_HD static SSL__INLINE float ssl__rand_threshold(float L) { return (256.0f - floorf(256.0f * L)) / 255.0f; }
/* The map of ssl__rand_affine for images of h x w; 0: the operation does not move pixels. */
SSL_HD static SSL__INLINE int ssl__rand_map(ssl__rand_op op, float L, float s, int h, int w, float m[6])
{
    const float angle = s * L * 30.0f * 3.14159265f / 180.0f, co = cosf(angle), si = sinf(angle), cx = 0.5f * (float)(w - 1), cy = 0.5f * (float)(h - 1);
    m[0] = m[4] = 1.0f;
    m[1] = m[2] = m[3] = m[5] = 0.0f;
    if (op == SSL__RAND_ROTATE) { m[0] = m[4] = co; m[1] = si; m[3] = -si; m[2] = cx - co * cx - si * cy; m[5] = cy + si * cx - co * cy; }
    else if (op == SSL__RAND_SHEAR_X) m[1] = s * 0.3f * L;
    else if (op == SSL__RAND_SHEAR_Y) m[3] = s * 0.3f * L;
    else if (op == SSL__RAND_SHIFT_X) m[2] = s * 0.45f * L * (float)w;
    else if (op == SSL__RAND_SHIFT_Y) m[5] = s * 0.45f * L * (float)h;
    else return 0;
    return 1;
}
static void ssl__rand_apply(ssl__rand_op op, float L, float s, const float *fill, const ssl_image *x, float *y)
{
    const float factor = ssl__rand_factor(L, s);
    float m[6];
    if (ssl__rand_map(op, L, s, x->h, x->w, m)) { ssl__rand_affine(x, m, fill, y); return; }
    switch (op) {
    case SSL__RAND_AUTOCONTRAST: case SSL__RAND_EQUALIZE: ssl__rand_histogram(x, op == SSL__RAND_EQUALIZE); return;
    case SSL__RAND_INVERT: ssl_image_invert(x, x); return;
    case SSL__RAND_POSTERIZE: ssl__rand_tone(x, 0, 4 - (int)(4.0f * L)); return;
    case SSL__RAND_SOLARIZE: ssl_image_solarize(x, ssl__rand_threshold(L), x); return;
    case SSL__RAND_SOLARIZE_ADD: ssl__rand_tone(x, (int)(110.0f * L), 8); return;
    case SSL__RAND_COLOR: ssl_image_saturation(x, factor, x); return;
    case SSL__RAND_CONTRAST: ssl_image_contrast(x, factor, x); return;
    case SSL__RAND_BRIGHTNESS: ssl_image_brightness(x, factor, x); return;
    case SSL__RAND_SHARPNESS: ssl__rand_sharpness(x, factor, y); return;
    default: return;
    }
}
static void ssl__draw_rand(const ssl_augment_desc *d, ssl_rng *r, ssl__view_plan *p)
{
    int i;
    for (i = 0; i < d->rand_ops; i++) {
        ssl__rand_choice *q = &p->rand[p->n_rand];
        float strength;
        q->op = (ssl__rand_op)ssl_rng_below(r, SSL__RAND_OPS);
        strength = d->rand_strength + d->rand_deviation * ssl_rng_normal(r);
        q->sign = ssl__coin(r, 0.5f) ? 1.0f : -1.0f;
        q->strength = SSL__MIN(SSL__MAX(strength, 0.0f), 10.0f) / 10.0f;
        if (ssl__coin(r, 0.5f)) p->n_rand++;
    }
}
static float ssl__rand_fill(const ssl_augment_desc *d, int channel) /* what lies beyond the edge */
{ return d->no_normalize ? 0.5f : SSL__MIN(SSL__MAX(d->mean[channel], 0.0f), 1.0f); }
static void ssl__augment_rand(const ssl_augment_desc *d, const ssl__view_plan *p, const ssl_image *x, float *y)
{
    float fill[3];
    int i;
    for (i = 0; i < 3; i++) fill[i] = ssl__rand_fill(d, i);
    for (i = 0; i < p->n_rand; i++) ssl__rand_apply(p->rand[i].op, p->rand[i].strength, p->rand[i].sign, fill, x, y);
}

static ssl_rng ssl__augment_rng(uint64_t seed, int epoch, int index, int view)
{
    ssl_rng r = ssl_rng_make(seed, SSL__STREAM_AUGMENT + ((uint64_t)view << 48) + (uint64_t)epoch);
    r.index = (uint64_t)index * SSL__DRAWS_PER_VIEW;
    return r;
}

/* All draws of a view, for an image of h x w; nothing here looks at pixels. */
static ssl__view_plan ssl__augment_plan(const ssl_augment_desc *d, int h, int w, uint64_t seed, int epoch, int index, int view)
{
    ssl_rng r = ssl__augment_rng(seed, epoch, index, view), shared = ssl__augment_rng(seed, epoch, index, 0);
    ssl_rng *flip = d->shared_flip ? &shared : &r;
    ssl__view_plan p;
    memset(&p, 0, sizeof p);
    p.box.hflip = ssl__coin(flip, d->hflip); /* the first two draws, so that views can share them */
    p.box.vflip = ssl__coin(flip, d->vflip);
    ssl__augment_box(d, h, w, &r, &p.box);
    ssl__draw_rand(d, &r, &p);
    if (ssl__coin(&r, d->jitter_p)) { p.jitter = 1; ssl__draw_jitter(d, &r, &p); }
    p.gray = ssl__coin(&r, d->grayscale_p);
    if (ssl__coin(&r, d->blur_p)) p.sigma = ssl__between(&r, d->blur_sigma[0], d->blur_sigma[1]);
    p.solarize = ssl__coin(&r, d->solarize_p);
    return p;
}
SSL_API void ssl_augment(const ssl_augment_desc *d, const ssl_image *x, uint64_t seed, int epoch, int index, int view,
                         float *tmp, const ssl_image *y, ssl_view_box *box)
{
    const ssl__view_plan p = ssl__augment_plan(d, x->h, x->w, seed, epoch, index, view);
    ssl_image a = ssl_image_f32(tmp, y->c, y->h, y->w), b = ssl_image_f32(tmp + (size_t)y->c * (size_t)y->h * (size_t)y->w, y->c, y->h, y->w), *now = &a;
    ssl__augment_crop(d, x, &p.box, b.f32, &a);
    if (p.box.hflip) ssl_image_hflip(&a, &a);
    if (p.box.vflip) ssl_image_vflip(&a, &a);
    ssl__augment_rand(d, &p, &a, b.f32);
    if (p.jitter) ssl__augment_jitter(&p, &a);
    if (p.gray) ssl_image_grayscale(&a, &a);
    if (p.sigma > 0.0f && ssl_image_blur(&a, d->blur_kernel, d->blur_kernel, p.sigma, p.sigma, &b)) now = &b;
    if (p.solarize) ssl_image_solarize(now, d->solarize_threshold, now);
    if (d->no_normalize) ssl_image_convert(now, y);
    else ssl_image_normalize(now, d->mean, d->std_dev, y);
    if (box) *box = p.box;
}

/* ==== >>loader ==== a ring of batches; threads fill them image by image group, the caller takes them in order */
#define SSL__GROUP 16 /* images that a thread does before it asks for more */

typedef struct ssl__ring { /* one batch being made or waiting */
    float *view[SSL_VIEWS];         /* pixels, or where a GPU makes them: */
    ssl__view_plan *plan[SSL_VIEWS]; /* how ... */
    uint8_t *images;                /* ... from what, in pinned memory, if the GPU does not have the set */
    int64_t ticket;                 /* of sending them */
    int32_t *label, *index;
    ssl_view_box *box;     /* [n_views,batch]          */
    int n, epoch, todo;    /* todo: images not yet done */
} ssl__ring;

struct ssl_loader {
    ssl_ctx *c;
    ssl_dataset *data;
    ssl_loader_desc d;                  /* resolved */
    ssl_augment_desc augment[SSL_VIEWS];
    ssl_tensor view[SSL_VIEWS], labels, *views[SSL_VIEWS];
    const uint8_t *resident;            /* the images on the GPU, or NULL: it has too little memory, and every batch is sent there */
    ssl__ring *ring;                    /* [prefetch] batch number b lies in ring[b % prefetch] */
    float **tmp;                        /* [threads + 1] scratch of each thread, the last for the caller */
    int32_t *order;                     /* [n] the images in the order of epoch `order_epoch` */
    int order_epoch, steps;             /* batches per epoch */
    int64_t total;                      /* batches in all; 0 after an error */
    int64_t freed, next, planned;       /* batches given back, next to hand out, and set up for filling; freed <= next <= planned */
    int at_image;                       /* images of batch planned-1 that were handed to threads */
    int busy, pause, quit, n_threads, n_started, n_tmp;
#ifndef SSL_NO_THREADS
    pthread_mutex_t lock;
    pthread_cond_t work, ready;
    pthread_t *thread;
#endif
};

#ifndef SSL_NO_THREADS
static void ssl__lock(ssl_loader *l)   { pthread_mutex_lock(&l->lock); }
static void ssl__unlock(ssl_loader *l) { pthread_mutex_unlock(&l->lock); }
static void ssl__wake(ssl_loader *l)   { pthread_cond_broadcast(&l->work); pthread_cond_broadcast(&l->ready); }
static void ssl__wait(ssl_loader *l)   { pthread_cond_wait(&l->ready, &l->lock); }
#else
static void ssl__lock(ssl_loader *l)   { (void)l; }
static void ssl__unlock(ssl_loader *l) { (void)l; }
static void ssl__wake(ssl_loader *l)   { (void)l; }
static void ssl__wait(ssl_loader *l)   { (void)l; }
#endif

/* ---- making batches; called with the lock held unless it says otherwise ---- */
static int ssl__loader_plans(const ssl_loader *l) { return l->c->dev->augment != NULL; } /* a GPU makes the views */
static int ssl__loader_sends(const ssl_loader *l) { return ssl__loader_plans(l) && !l->resident; }
static size_t ssl__loader_image(const ssl_loader *l) { return (size_t)l->data->c * (size_t)l->data->h * (size_t)l->data->w; } /* bytes */
static void ssl__loader_order(ssl_loader *l, int epoch) /* Fisher-Yates from the order of the set */
{
    ssl_rng r = ssl_rng_make(l->d.seed, SSL__STREAM_SHUFFLE + (uint64_t)epoch);
    int i;
    if (l->order_epoch == epoch) return;
    l->order_epoch = epoch;
    for (i = 0; i < l->data->n; i++) l->order[i] = i;
    for (i = l->data->n - 1; i > 0 && !l->d.no_shuffle; i--) {
        const int j = ssl_rng_below(&r, i + 1);
        const int32_t t = l->order[i];
        l->order[i] = l->order[j];
        l->order[j] = t;
    }
}

static void ssl__loader_plan(ssl_loader *l) /* set up batch number `planned` */
{
    ssl__ring *s = &l->ring[l->planned % l->d.prefetch];
    const int first = (int)(l->planned % l->steps) * l->d.batch;
    int i;
    s->epoch = (int)(l->planned / l->steps);
    s->n = s->todo = SSL__MIN(l->d.batch, l->data->n - first);
    ssl__loader_order(l, s->epoch);
    for (i = 0; i < s->n; i++) {
        s->index[i] = l->order[first + i];
        s->label[i] = l->data->labels[s->index[i]];
    }
    l->planned++;
    l->at_image = 0;
}

/* The next group of images to make: its batch, and where it starts; NULL if there is none (the ring is full). */
static ssl__ring *ssl__loader_take(ssl_loader *l, int *first, int *count)
{
    ssl__ring *s;
    if (l->pause || l->quit) return NULL;
    if (l->planned == l->next || l->at_image == l->ring[(l->planned - 1) % l->d.prefetch].n) {
        if (l->planned == l->total || l->planned == l->freed + l->d.prefetch) return NULL;
        ssl__loader_plan(l);
    }
    s = &l->ring[(l->planned - 1) % l->d.prefetch];
    *first = l->at_image;
    *count = SSL__MIN(SSL__GROUP, s->n - *first);
    l->at_image += *count;
    l->busy++;
    return s;
}

/* Without the lock. */
static void ssl__loader_make(ssl_loader *l, ssl__ring *s, int first, int count, float *tmp)
{
    int i, v;
    for (i = first; i < first + count; i++) {
        const ssl_image x = ssl_dataset_image(l->data, s->index[i]);
        if (s->images) memcpy(s->images + (size_t)i * ssl__loader_image(l), l->data->images + (size_t)s->index[i] * ssl__loader_image(l), ssl__loader_image(l));
        for (v = 0; v < l->d.n_views; v++) {
            const ssl_tensor *t = &l->view[v];
            const size_t one = (size_t)t->dim[1] * (size_t)t->dim[2] * (size_t)t->dim[3];
            ssl_view_box *box = &s->box[(size_t)v * (size_t)s->n + (size_t)i];
            if (ssl__loader_plans(l)) {
                s->plan[v][i] = ssl__augment_plan(&l->augment[v], x.h, x.w, l->d.seed, s->epoch, s->index[i], v);
                *box = s->plan[v][i].box;
            } else {
                const ssl_image y = ssl_image_f32(s->view[v] + (size_t)i * one, t->dim[1], t->dim[2], t->dim[3]);
                ssl_augment(&l->augment[v], &x, l->d.seed, s->epoch, s->index[i], v, tmp, &y, box);
            }
        }
    }
}

static int ssl__loader_work(ssl_loader *l, float *tmp) /* do one group; 0 if there was none */
{
    int first, count;
    ssl__ring *s = ssl__loader_take(l, &first, &count);
    if (!s) return 0;
    ssl__unlock(l);
    ssl__loader_make(l, s, first, count, tmp);
    ssl__lock(l);
    l->busy--;
    s->todo -= count;
    if (!s->todo || (l->pause && !l->busy)) ssl__wake(l);
    return 1;
}

#ifndef SSL_NO_THREADS
static void *ssl__loader_main(void *arg)
{
    ssl_loader *l = (ssl_loader *)arg;
    float *tmp;
    ssl__lock(l);
    tmp = l->tmp[l->n_started++];
    while (!l->quit) if (!ssl__loader_work(l, tmp)) pthread_cond_wait(&l->work, &l->lock);
    ssl__unlock(l);
    return NULL;
}
#endif

/* ---- handing out ---- */
static const uint8_t *ssl__loader_send(ssl_loader *l, ssl__ring *s) /* the batch's images on the GPU, for this step */
{
    const size_t bytes = (size_t)s->n * ssl__loader_image(l);
    uint8_t *p = (uint8_t *)ssl__temp(l->c, l->view[0].at, bytes);
    if (p) s->ticket = l->c->dev->send(l->c, p, s->images, bytes);
    return p;
}
static void ssl__loader_show(ssl_loader *l, ssl__ring *s) /* point the batch's tensors at s; on a GPU, have them made */
{
    ssl_ctx *c = l->c;
    const uint8_t *images = ssl__loader_sends(l) ? ssl__loader_send(l, s) : l->resident;
    int v, shape[3];
    shape[0] = l->data->c; shape[1] = l->data->h; shape[2] = l->data->w;
    l->labels.dim[0] = s->n;
    if (c->device == SSL_DEVICE_CPU) l->labels.i = s->label;
    else ssl__put(c, l->labels.i, s->label, ssl__bytes(&l->labels));
    for (v = 0; v < l->d.n_views; v++) {
        l->view[v].dim[0] = s->n;
        if (c->device == SSL_DEVICE_CPU) l->view[v].x = s->view[v];
        else c->dev->augment(c, l->view[v].at, &l->augment[v], images, shape, s->n, l->resident ? s->index : NULL, s->plan[v], &l->view[v]);
    }
}

#define SSL__SENDING 2 /* batches that may be on their way to a GPU, which is at most two steps behind */
static void ssl__loader_sent(ssl_loader *l, ssl__ring *s) { if (s->ticket) l->c->dev->sent(l->c, s->ticket); s->ticket = 0; }

SSL_API int ssl_loader_next(ssl_loader *l, ssl_batch *b)
{
    ssl__ring *s;
    int keep;
    memset(b, 0, sizeof *b);
    if (!l || !ssl_ok(l->c) || l->next >= l->total) return 0;
    keep = ssl__loader_sends(l) ? SSL__SENDING : 0;
    if (l->next - keep > l->freed) ssl__loader_sent(l, &l->ring[(l->next - keep - 1) % l->d.prefetch]);
    ssl__lock(l);
    l->freed = SSL__MAX(l->next - keep, l->freed); /* the batch handed out before this one may be overwritten, or those that a GPU has by now */
    ssl__wake(l);
    s = &l->ring[l->next % l->d.prefetch];
    while (l->planned == l->next || s->todo) { /* help with this batch rather than wait */
        const int mine = l->planned == l->next || (l->planned == l->next + 1 && l->at_image < s->n);
        if (!mine || !ssl__loader_work(l, l->tmp[l->d.threads])) ssl__wait(l);
    }
    b->step = (int)(l->next++ % l->steps);
    ssl__unlock(l);
    ssl__loader_show(l, s);
    b->n = s->n;
    b->epoch = s->epoch;
    b->n_views = l->d.n_views;
    b->images = &l->view[0];
    b->views = l->views;
    b->labels = &l->labels;
    b->label = s->label;
    b->indices = s->index;
    b->boxes = s->box;
    return 1;
}

SSL_API int ssl_loader_steps(const ssl_loader *l) { return l ? l->steps : 0; }

SSL_API void ssl_loader_seek(ssl_loader *l, int epoch, int step)
{
    int64_t to;
    int i;
    if (!l || !l->total || epoch < 0 || step < 0) return;
    for (i = 0; i < l->d.prefetch; i++) ssl__loader_sent(l, &l->ring[i]);
    to = (int64_t)epoch * l->steps + step;
    ssl__lock(l);
    l->pause = 1;
    while (l->busy) ssl__wait(l);
    l->freed = l->next = l->planned = SSL__MIN(to, l->total);
    l->at_image = 0;
    l->pause = 0;
    ssl__wake(l);
    ssl__unlock(l);
}

/* ---- opening and closing ---- */
static int ssl__loader_resolve(ssl_loader *l, const char *at, const ssl_loader_desc *desc)
{
    ssl_loader_desc *d = &l->d;
    if (desc) *d = *desc;
    if (d->_start_canary || d->_end_canary) {
        ssl__fail(l->c, SSL_E_ARG, at, "ssl_loader_open: the ssl_loader_desc is not initialized: write `ssl_loader_desc d = SSL_ZERO;`");
        return 0;
    }
    d->batch = SSL__DEF(d->batch, 64);
    d->epochs = SSL__DEF(d->epochs, 1);
    d->n_views = SSL__DEF(d->n_views, 1);
    d->n_augment = d->augment ? SSL__DEF(d->n_augment, 1) : 0;
    d->threads = SSL__DEF(d->threads, SSL__MAX(1, SSL__MIN(l->c->n_threads / 4, 8)));
    d->prefetch = SSL__DEF(d->prefetch, 4);
    if (!d->seed) d->seed = l->c->seed;
    if (d->batch < 1 || d->epochs < 1 || d->n_views < 1 || d->n_views > SSL_VIEWS || d->threads < 1 || d->threads > 256 || d->prefetch < 2 || d->prefetch > 1024)
        ssl__fail(l->c, SSL_E_ARG, at, "ssl_loader_open: batch %d, epochs %d, n_views %d, threads %d, prefetch %d: the first two must be positive, n_views 1..%d, threads 1..256, prefetch 2..1024",
                  d->batch, d->epochs, d->n_views, d->threads, d->prefetch, SSL_VIEWS);
    else if (d->augment && d->n_augment != 1 && d->n_augment != d->n_views)
        ssl__fail(l->c, SSL_E_ARG, at, "ssl_loader_open: n_augment %d must be 1 or n_views %d", d->n_augment, d->n_views);
    else if (d->batch > l->data->n && !d->keep_last)
        ssl__fail(l->c, SSL_E_ARG, at, "ssl_loader_open: batch %d is larger than the set of %d images: use a smaller batch or keep_last", d->batch, l->data->n);
    return !l->c->status;
}

/* View v: its resolved augmentation and the tensor that shows it. */
static int ssl__loader_view(ssl_loader *l, const char *at, int v)
{
    const ssl_dataset *data = l->data;
    ssl_augment_desc a = SSL_ZERO;
    ssl_tensor *t = &l->view[v];
    if (l->d.augment) a = l->d.augment[l->d.n_augment == 1 ? 0 : v];
    if (a.std_dev[0] == 0.0f && a.std_dev[1] == 0.0f && a.std_dev[2] == 0.0f) {
        memcpy(a.mean, data->mean, sizeof a.mean);
        memcpy(a.std_dev, data->std_dev, sizeof a.std_dev);
    }
    if (!ssl_augment_resolve_at(at, l->c, &a, data->c, data->h, data->w, &l->augment[v])) return 0;
    t->ctx = l->c;
    t->op = "ssl_loader";
    t->at = at;
    t->dtype = SSL_F32;
    t->ndim = 4;
    t->dim[0] = l->d.batch;
    t->dim[1] = data->c;
    t->dim[2] = a.size ? a.size : data->h;
    t->dim[3] = a.size ? a.size : data->w;
    l->views[v] = t;
    if (l->c->device != SSL_DEVICE_CPU) t->x = (float *)ssl__device_alloc(l->c, at, ssl__bytes(t));
    return !l->c->status;
}

static int ssl__loader_buffers(ssl_loader *l, const char *at)
{
    const size_t batch = (size_t)l->d.batch;
    size_t scratch = (size_t)l->data->h * (size_t)l->data->w;
    int i, v;
    l->ring = (ssl__ring *)ssl__alloc(l->c, at, sizeof *l->ring * (size_t)l->d.prefetch);
    l->tmp = (float **)ssl__alloc(l->c, at, sizeof *l->tmp * (size_t)(l->d.threads + 1));
    l->order = (int32_t *)ssl__alloc(l->c, at, sizeof *l->order * (size_t)l->data->n);
    for (v = 0; v < l->d.n_views; v++) scratch = SSL__MAX(scratch, (size_t)l->view[v].dim[2] * (size_t)l->view[v].dim[3]);
    l->n_tmp = l->tmp ? l->d.threads + 1 : 0;
    for (i = 0; i < l->n_tmp; i++) l->tmp[i] = (float *)ssl__alloc(l->c, at, sizeof(float) * 2 * (size_t)l->data->c * scratch);
    for (i = 0; i < l->d.prefetch && l->ring; i++) {
        ssl__ring *s = &l->ring[i];
        s->label = (int32_t *)ssl__alloc(l->c, at, sizeof(int32_t) * batch);
        s->index = (int32_t *)ssl__alloc(l->c, at, sizeof(int32_t) * batch);
        s->box = (ssl_view_box *)ssl__alloc(l->c, at, sizeof *s->box * batch * (size_t)l->d.n_views);
        for (v = 0; v < l->d.n_views; v++)
            if (ssl__loader_plans(l)) s->plan[v] = (ssl__view_plan *)ssl__alloc(l->c, at, sizeof **s->plan * batch);
            else s->view[v] = (float *)ssl__alloc(l->c, at, ssl__bytes(&l->view[v]));
        if (ssl__loader_sends(l)) s->images = (uint8_t *)l->c->dev->pin(l->c, at, batch * ssl__loader_image(l));
    }
    return !l->c->status;
}

static void ssl__loader_start(ssl_loader *l, const char *at)
{
#ifndef SSL_NO_THREADS
    l->thread = (pthread_t *)ssl__alloc(l->c, at, sizeof *l->thread * (size_t)l->d.threads);
    if (!l->thread) return;
    while (l->n_threads < l->d.threads && !pthread_create(&l->thread[l->n_threads], NULL, ssl__loader_main, l)) l->n_threads++;
    /* fewer than asked for is slower, not wrong: the caller helps */
#else
    (void)l; (void)at;
#endif
}

static void ssl__loader_free(void *p)
{
    ssl_loader *l = (ssl_loader *)p;
    int i, v;
#ifndef SSL_NO_THREADS
    ssl__lock(l);
    l->quit = 1;
    ssl__wake(l);
    ssl__unlock(l);
    for (i = 0; i < l->n_threads; i++) pthread_join(l->thread[i], NULL);
    ssl__release(l->thread);
    pthread_cond_destroy(&l->work);
    pthread_cond_destroy(&l->ready);
    pthread_mutex_destroy(&l->lock);
#endif
    for (i = 0; l->ring && i < l->d.prefetch; i++) {
        for (v = 0; v < l->d.n_views; v++) { ssl__release(l->ring[i].view[v]); ssl__release(l->ring[i].plan[v]); }
        if (l->ring[i].images) l->c->dev->unpin(l->c, l->ring[i].images);
        ssl__release(l->ring[i].label);
        ssl__release(l->ring[i].index);
        ssl__release(l->ring[i].box);
    }
    for (i = 0; i < l->n_tmp; i++) ssl__release(l->tmp[i]);
    for (v = 0; v < l->d.n_views && l->c->device != SSL_DEVICE_CPU; v++) if (l->view[v].x) l->c->dev->release(l->c, l->view[v].x);
    if (l->c->device != SSL_DEVICE_CPU && l->labels.i) l->c->dev->release(l->c, l->labels.i);
    if (l->resident) l->c->dev->let_go(l->c, l->resident);
    ssl__release(l->tmp);
    ssl__release(l->ring);
    ssl__release(l->order);
    if (l->data) l->data->n_loaders--;
    ssl__release(l);
}

static void ssl__loader_build(ssl_loader *l, const char *at, const ssl_loader_desc *desc)
{
    int v;
    if (l->data->n < 1) { ssl__fail(l->c, SSL_E_ARG, at, "ssl_loader_open: the data set is empty"); return; }
    if (!ssl__loader_resolve(l, at, desc)) return;
    for (v = 0; v < l->d.n_views; v++) if (!ssl__loader_view(l, at, v)) return;
    l->labels.ctx = l->c;
    l->labels.op = "ssl_loader";
    l->labels.at = at;
    l->labels.dtype = SSL_I32;
    l->labels.ndim = 1;
    l->labels.dim[0] = l->d.batch;
    if (l->c->device != SSL_DEVICE_CPU) l->labels.i = (int32_t *)ssl__device_alloc(l->c, at, ssl__bytes(&l->labels));
    if (!l->c->status && l->c->dev->hold) l->resident = l->c->dev->hold(l->c, at, l->data->images, (size_t)l->data->n * ssl__loader_image(l));
    if (ssl__loader_sends(l)) l->d.prefetch += SSL__SENDING;
    if (l->c->status || !ssl__loader_buffers(l, at)) return;
    l->d.augment = NULL; /* the caller's: copied above */
    l->order_epoch = -1;
    l->steps = (l->data->n + (l->d.keep_last ? l->d.batch - 1 : 0)) / l->d.batch;
    l->total = (int64_t)l->steps * l->d.epochs;
    ssl__loader_start(l, at);
}

SSL_API ssl_loader *ssl_loader_open_at(const char *at, ssl_dataset *data, const ssl_loader_desc *desc)
{
    ssl_loader *l;
    if (!data || !(l = (ssl_loader *)ssl__alloc(data->ctx, at, sizeof *l))) return NULL;
    l->c = data->ctx;
#ifndef SSL_NO_THREADS
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->ready, NULL);
#endif
    if (!ssl__own(l->c, at, l, ssl__loader_free)) { ssl__loader_free(l); return NULL; }
    l->data = data;
    data->n_loaders++;
    if (ssl_ok(l->c)) ssl__loader_build(l, at, desc);
    return l;
}

SSL_API void ssl_loader_close(ssl_loader *l)
{
    if (!l) return;
    ssl__disown(l->c, l);
    ssl__loader_free(l);
}

/* ==== >>tune ==== a classifier on a pre-trained network: heads and recipes =========================== */
SSL_API ssl_head ssl_head_new_at(const char *at, ssl_ctx *c, const char *prefix, int dim, int classes, const ssl_head_desc *desc)
{
    const ssl_init torch = ssl_init_make(SSL_INIT_TORCH, 0.0f);
    ssl_head h;
    ssl_head_desc *d = &h.d;
    char p[256];
    memset(&h, 0, sizeof h);
    if (c->status) return h;
    if (desc) *d = *desc;
    if (d->_start_canary || d->_end_canary) { ssl__fail(c, SSL_E_ARG, at, "ssl_head_new: the ssl_head_desc is not initialized: write `ssl_head_desc d = SSL_ZERO;`"); return h; }
    if (dim < 1 || classes < 1) { ssl__fail(c, SSL_E_ARG, at, "ssl_head_new: \"%s\" from %d features to %d classes: both must be at least 1", prefix, dim, classes); return h; }
    if (d->kind == SSL_HEAD_DEFAULT) d->kind = SSL_HEAD_LINEAR;
    d->hidden = SSL__DEF(d->hidden, d->kind == SSL_HEAD_MLP_PLAIN ? 3 * dim : 1024);
    d->dropout = SSL__DEFF(d->dropout, d->kind == SSL_HEAD_MLP_PLAIN ? 0.1f : 0.0f);
    if (d->init.kind == SSL_INIT_ZEROS) d->init = d->kind == SSL_HEAD_NORM ? ssl_init_make(SSL_INIT_TRUNC_NORMAL, 0.01f) : torch;
    if (d->kind == SSL_HEAD_LINEAR) h.fc2 = ssl_linear_new_at(at, c, prefix, dim, classes, 0, d->init);
    else if (d->kind == SSL_HEAD_NORM) {
        ssl__freeze(h.bn.running_mean = ssl_param_at(at, c, ssl__zeros(), ssl__name(p, prefix, "0.running_mean"), 1, dim));
        ssl__freeze(h.bn.running_var = ssl_param_at(at, c, ssl_init_make(SSL_INIT_CONSTANT, 1.0f), ssl__name(p, prefix, "0.running_var"), 1, dim));
        h.fc2 = ssl_linear_new_at(at, c, ssl__name(p, prefix, "1"), dim, classes, 0, d->init);
    } else {
        h.fc1 = ssl_linear_new_at(at, c, ssl__name(p, prefix, "fc1"), dim, d->hidden, d->kind == SSL_HEAD_MLP, torch);
        if (d->kind == SSL_HEAD_MLP) h.bn = ssl_batch_norm_new_at(at, c, ssl__name(p, prefix, "bn"), d->hidden);
        h.fc2 = ssl_linear_new_at(at, c, ssl__name(p, prefix, "fc2"), d->hidden, classes, 0, d->init);
    }
    return h;
}
SSL_API ssl_tensor *ssl_head_forward_at(const char *at, const ssl_head *h, ssl_tensor *x)
{
    if (x->ctx->status) return &x->ctx->nil;
    if (h->d.kind != SSL_HEAD_MLP_PLAIN) x = ssl_dropout_at(at, x, h->d.dropout);
    if (h->d.kind == SSL_HEAD_NORM) x = ssl_batch_norm_at(at, x, NULL, NULL, h->bn.running_mean, h->bn.running_var, 0.1f, 1e-6f);
    if (h->d.kind == SSL_HEAD_MLP) x = ssl_dropout_at(at, ssl_batch_norm_forward_at(at, &h->bn, ssl__lin(at, x, &h->fc1), 1, NULL), h->d.dropout);
    if (h->d.kind == SSL_HEAD_MLP_PLAIN) x = ssl_dropout_at(at, ssl_linear_fused_at(at, x, h->fc1.weight, h->fc1.bias, SSL_ACT_RELU, NULL), h->d.dropout);
    return ssl__lin(at, x, &h->fc2);
}

SSL_API ssl_online_eval ssl_online_eval_new_at(const char *at, ssl_ctx *c, int dim, int classes, const ssl_head_desc *desc)
{
    ssl_online_eval e;
    ssl_desc d = SSL_ZERO;
    memset(&e, 0, sizeof e);
    if (c->status) return e;
    if (classes < 2) { ssl__fail(c, SSL_E_ARG, at, "ssl_online_eval_new: %d classes: a head needs labelled images of at least 2", classes); return e; }
    d.threads = c->n_threads;
    d.seed = c->seed;
    d.on_error = c->on_error;
    d.on_error_user = c->on_error_user;
    e.ctx = ssl_open_at(at, &d);
    e.dim = dim;
    e.classes = classes;
    e.head = ssl_head_new_at(at, e.ctx, "head", dim, classes, desc);
    if (e.ctx->status) c->status = e.ctx->status; /* told already */
    return e;
}
SSL_API double ssl_online_eval_step_at(const char *at, ssl_online_eval *e, ssl_tensor *x, const int32_t *label, float lr)
{
    ssl_ctx *c = x->ctx;
    const int n = c->status ? 0 : x->dim[0];
    ssl_optim_desc adam = SSL_ZERO;
    ssl_tensor *z;
    float *host;
    int32_t *target;
    char s[96];
    int i, k, counted = 0, right = 0;
    if (c->status) return 0.0;
    if (!e->ctx || x->ndim != 2 || x->dim[1] != e->dim) { ssl__fail(c, SSL_E_SHAPE, at, "ssl_online_eval_step: features%s: [B,%d] is needed", ssl__shape(x, s), e->dim); return 0.0; }
    host = (float *)ssl__alloc(c, at, sizeof(float) * (size_t)n * (size_t)SSL__MAX(e->dim, e->classes));
    target = (int32_t *)ssl__alloc(c, at, sizeof *target * (size_t)n);
    for (i = 0; target && i < n; i++) counted += (target[i] = label[i] >= 0 && label[i] < e->classes ? label[i] : -100) >= 0;
    if (host && target && counted && ssl_to_host(x, host)) {
        ssl_train(e->ctx, lr > 0.0f && n > 1);
        z = ssl_head_forward_at(at, &e->head, ssl_input_at(at, e->ctx, host, 2, n, e->dim));
        if (ssl_to_host(z, host))
            for (i = 0; i < n; i++) {
                const float *row = host + (size_t)i * (size_t)e->classes;
                int best = 0;
                for (k = 1; k < e->classes; k++) if (row[k] > row[best]) best = k;
                right += target[i] == best;
            }
        adam.kind = SSL_OPTIM_ADAM;
        if (lr > 0.0f) {
            ssl_backward_at(at, ssl_cross_entropy_at(at, z, ssl_input_i32_at(at, e->ctx, target, 1, n), 0.0f));
            ssl_optim_step_at(at, e->ctx, &adam, lr);
        }
        ssl_step_end(e->ctx);
    }
    ssl__release(host);
    ssl__release(target);
    if (e->ctx->status) c->status = e->ctx->status;
    return counted ? (double)right / counted : 0.0;
}
SSL_API void ssl_online_eval_close(ssl_online_eval *e) { if (e->ctx) ssl_close(e->ctx); e->ctx = NULL; }

SSL_API ssl_tensor *ssl_one_hot_at(const char *at, ssl_tensor *labels, int classes) /* rows of the identity */
{
    ssl_ctx *c = labels->ctx;
    ssl_tensor *eye;
    char s[96];
    if (c->status) return &c->nil;
    if (labels->dtype != SSL_I32 || labels->ndim != 1 || classes < 1)
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_one_hot: labels%s and %d classes: labels must be I32 [N], classes at least 1", ssl__shape(labels, s), classes);
    eye = ssl_mask_diagonal_at(at, ssl_input_at(at, c, NULL, 2, classes, classes), 1.0f);
    eye = ssl__gather(at, "ssl_one_hot", ssl_reshape_at(at, eye, 3, 1, classes, classes), labels);
    return ssl_reshape_at(at, eye, 2, labels->dim[0], classes);
}
SSL_API ssl_tensor *ssl_soft_cross_entropy_at(const char *at, ssl_tensor *logits, ssl_tensor *q)
{
    char s1[96], s2[96];
    if (logits->ctx->status || !ssl__need(at, "ssl_soft_cross_entropy", "logits", logits, SSL_F32)) return &logits->ctx->nil;
    if (logits->ndim != 2 || !ssl__same_shape(logits, q))
        return ssl__fail(logits->ctx, SSL_E_SHAPE, at, "ssl_soft_cross_entropy: logits%s q%s: both must be [N,K]", ssl__shape(logits, s1), ssl__shape(q, s2));
    return ssl_scale_at(at, ssl_sum_at(at, ssl_mul_at(at, q, ssl_log_softmax_at(at, logits))), -1.0f / (float)logits->dim[0]);
}

/* x_order[i], x [B,...] */
static ssl_tensor *ssl__reorder(const char *at, const char *op, ssl_tensor *x, ssl_tensor *order)
{
    ssl_tensor *y;
    char s1[96], s2[96];
    if (x->ctx->status) return &x->ctx->nil;
    if (order->ndim != 1 || order->dim[0] != x->dim[0]) return ssl__fail(x->ctx, SSL_E_SHAPE, at, "%s: x%s order%s: order must name one row for each of the %d", op, ssl__shape(x, s1), ssl__shape(order, s2), x->dim[0]);
    y = ssl__gather(at, op, ssl_reshape_at(at, x, 3, 1, x->dim[0], -1), order);
    return ssl__reshape(at, y, x->ndim, x->dim);
}
SSL_API ssl_tensor *ssl_mixup_at(const char *at, ssl_tensor *x, ssl_tensor *order, float lambda)
{
    ssl_tensor *other = ssl__reorder(at, "ssl_mixup", x, order);
    if (x->ctx->status) return &x->ctx->nil;
    if (!(lambda >= 0.0f && lambda <= 1.0f)) return ssl__fail(x->ctx, SSL_E_ARG, at, "ssl_mixup: lambda %g: it must be from 0 to 1", (double)lambda);
    return ssl_add_at(at, ssl_scale_at(at, x, lambda), ssl_scale_at(at, other, 1.0f - lambda));
}
/* x with its places lo..hi-1 along an axis taken from part */
static ssl_tensor *ssl__splice(const char *at, ssl_tensor *x, int axis, int lo, int hi, ssl_tensor *part)
{
    ssl_tensor *list[3];
    int n = 0;
    if (x->ctx->status) return &x->ctx->nil;
    if (lo > 0) list[n++] = ssl_slice_at(at, x, axis, 0, lo);
    list[n++] = part;
    if (hi < x->dim[axis]) list[n++] = ssl_slice_at(at, x, axis, hi, x->dim[axis]);
    return ssl_concat_at(at, axis, n, list);
}
SSL_API ssl_tensor *ssl_cutmix_at(const char *at, ssl_tensor *x, ssl_tensor *order, const ssl_view_box *b)
{
    ssl_tensor *part = ssl__reorder(at, "ssl_cutmix", x, order);
    char s[96];
    if (x->ctx->status) return &x->ctx->nil;
    if (x->ndim != 4 || b->y0 < 0 || b->x0 < 0 || b->y0 >= b->y1 || b->x0 >= b->x1 || b->y1 > x->dim[2] || b->x1 > x->dim[3])
        return ssl__fail(x->ctx, SSL_E_SHAPE, at, "ssl_cutmix: images%s, rows %d to %d, columns %d to %d: the rectangle must lie inside images [B,C,H,W]", ssl__shape(x, s), b->y0, b->y1, b->x0, b->x1);
    part = ssl_slice_at(at, ssl_slice_at(at, part, 2, b->y0, b->y1), 3, b->x0, b->x1);
    part = ssl__splice(at, ssl_slice_at(at, x, 2, b->y0, b->y1), 3, b->x0, b->x1, part); /* the rows y0..y1 of the result */
    return ssl__splice(at, x, 2, b->y0, b->y1, part);
}

static float ssl__gamma(ssl_rng *r, float shape) /* Marsaglia and Tsang 2000; below 1 from shape + 1 */
{
    const float boost = shape < 1.0f ? powf(ssl_rng_uniform(r) + 1e-7f, 1.0f / shape) : 1.0f, d = (shape < 1.0f ? shape + 1.0f : shape) - 1.0f / 3.0f, k = 1.0f / sqrtf(9.0f * d);
    for (;;) {
        const float x = ssl_rng_normal(r), v = (1.0f + k * x) * (1.0f + k * x) * (1.0f + k * x), u = ssl_rng_uniform(r) + 1e-7f;
        if (v > 0.0f && logf(u) < 0.5f * x * x + d - d * v + d * logf(v)) return boost * d * v;
    }
}
static float ssl__beta(ssl_rng *r, float alpha)
{
    const float a = ssl__gamma(r, alpha), b = ssl__gamma(r, alpha);
    return a + b > 0.0f ? a / (a + b) : 0.5f;
}
/* A rectangle of the part 1 - lambda of h x w around a random center, cut off at the edge */
static ssl_view_box ssl__cutmix_box(ssl_rng *r, int h, int w, float lambda)
{
    const float side = sqrtf(1.0f - lambda);
    const int bh = (int)((float)h * side), bw = (int)((float)w * side), y = ssl_rng_below(r, h), x = ssl_rng_below(r, w);
    ssl_view_box b = SSL_ZERO;
    b.y0 = SSL__MAX(y - bh / 2, 0); b.y1 = SSL__MIN(y + bh / 2, h);
    b.x0 = SSL__MAX(x - bw / 2, 0); b.x1 = SSL__MIN(x + bw / 2, w);
    return b;
}
SSL_API ssl_tensor *ssl_mix_at(const char *at, ssl_tensor *x, ssl_tensor *labels, int classes, const ssl_mix_desc *desc, ssl_tensor **q)
{
    ssl_ctx *c = x->ctx;
    ssl_mix_desc d = SSL_ZERO;
    ssl_tensor *order;
    ssl_view_box b;
    ssl_rng r;
    float lambda, area;
    int cut;
    char s1[96], s2[96];
    *q = &c->nil;
    if (c->status) return &c->nil;
    if (desc) d = *desc;
    if (d._start_canary || d._end_canary) return ssl__fail(c, SSL_E_ARG, at, "ssl_mix: the ssl_mix_desc is not initialized: write `ssl_mix_desc d = SSL_ZERO;`");
    if (!(d.mixup >= 0.0f && d.cutmix >= 0.0f && d.smoothing >= 0.0f && d.smoothing < 1.0f))
        return ssl__fail(c, SSL_E_ARG, at, "ssl_mix: mixup %g, cutmix %g, smoothing %g: none may be negative, smoothing must be below 1", (double)d.mixup, (double)d.cutmix, (double)d.smoothing);
    if (x->ndim != 4 || labels->ndim != 1 || labels->dim[0] != x->dim[0])
        return ssl__fail(c, SSL_E_SHAPE, at, "ssl_mix: images%s labels%s: [B,C,H,W] and [B] are needed", ssl__shape(x, s1), ssl__shape(labels, s2));
    *q = ssl_add_scalar_at(at, ssl_scale_at(at, ssl_one_hot_at(at, labels, classes), 1.0f - d.smoothing), d.smoothing / (float)classes);
    if (d.mixup == 0.0f && d.cutmix == 0.0f) return x;
    r = ssl_rng_make(c->seed, ssl_rng_stream(c));
    cut = d.mixup == 0.0f || (d.cutmix > 0.0f && ssl_rng_uniform(&r) < SSL__DEFF(d.cutmix_p, 0.5f));
    lambda = ssl__beta(&r, cut ? d.cutmix : d.mixup);
    order = ssl_argsort_at(at, ssl_random_uniform_at(at, c, 1, x->dim[0]));
    if (cut) {
        b = ssl__cutmix_box(&r, x->dim[2], x->dim[3], lambda);
        area = (float)(b.y1 - b.y0) * (float)(b.x1 - b.x0);
        if (!(area > 0.0f)) return x;
        lambda = 1.0f - area / (float)(x->dim[2] * x->dim[3]);
        x = ssl_cutmix_at(at, x, order, &b);
    } else x = ssl_mixup_at(at, x, order, lambda);
    *q = ssl_mixup_at(at, *q, order, lambda);
    return x;
}

/* The number after blocks in "vit.blocks.3.attn" or "layer3.0.conv1"; -1: the name has no such part */
static int ssl__block_number(const char *name, const char *blocks)
{
    const size_t n = strlen(blocks);
    const char *p;
    for (p = name; p; p = strchr(p, '.') ? strchr(p, '.') + 1 : NULL)
        if (!strncmp(p, blocks, n)) {
            const char *digit = p + n + (p[n] == '.');
            if (*digit >= '0' && *digit <= '9') return atoi(digit);
        }
    return -1;
}
SSL_API int ssl_layer_decay_at(const char *at, ssl_ctx *c, const char *blocks, float decay)
{
    static const char *const known[] = { "encoder.layers", "contextualize", "layer_list", "layer", "blocks", "encoder" };
    int i, k, n = 0, first = -1, low = 0;
    if (c->status) return 0;
    if (!(decay > 0.0f && decay <= 1.0f)) { ssl__fail(c, SSL_E_ARG, at, "ssl_layer_decay: decay %g: it must be above 0 and at most 1", (double)decay); return 0; }
    for (k = 0; k < (blocks ? 1 : (int)(sizeof known / sizeof *known)) && first < 0; k++)
        for (i = 0; i < c->n_params; i++) {
            const int number = ssl__block_number(c->param[i]->name, blocks ? blocks : known[k]);
            if (number < 0) continue;
            if (first < 0) { first = i; low = number; } /* layer1 is the first of a ResNet */
            n = SSL__MAX(n, number - low + 1);
        }
    if (first < 0) { ssl__fail(c, SSL_E_ARG, at, "ssl_layer_decay: no parameter is named \"%s.0.*\": name the part before the number of a block", blocks ? blocks : "blocks"); return 0; }
    if (!blocks) blocks = known[k - 1];
    for (i = 0; i < c->n_params; i++) {
        const int number = ssl__block_number(c->param[i]->name, blocks);
        c->param[i]->lr_scale = number >= 0 ? powf(decay, (float)(n - (number - low))) : i < first ? powf(decay, (float)(n + 1)) : 1.0f;
    }
    return n;
}

/* ==== >>eval ==== k-NN, linear probe ================================================================= */
SSL_API ssl_features *ssl_features_new_at(const char *at, ssl_ctx *c, int n, int dim, int classes)
{
    ssl_features *f;
    if (c->status) return NULL;
    if (n < 1 || dim < 1 || classes < 1) {
        ssl__fail(c, SSL_E_ARG, at, "ssl_features_new: n %d, dim %d, classes %d: each must be at least 1", n, dim, classes);
        return NULL;
    }
    f = (ssl_features *)ssl__alloc(c, at, sizeof *f);
    if (!f) return NULL;
    f->ctx = c; f->n = n; f->dim = dim; f->classes = classes;
    f->x = (float *)ssl__alloc(c, at, sizeof(float) * (size_t)n * (size_t)dim);
    f->label = (int32_t *)ssl__alloc(c, at, sizeof(int32_t) * (size_t)n);
    if (c->status) { ssl_features_free(f); return NULL; }
    return f;
}
SSL_API void ssl_features_free(ssl_features *f)
{
    if (!f) return;
    ssl__release(f->x);
    ssl__release(f->label);
    ssl__release(f);
}

SSL_API ssl_features *ssl_features_pixels_at(const char *at, const ssl_dataset *data)
{
    const int dim = data->c * data->h * data->w;
    const int64_t n = (int64_t)data->n * dim;
    ssl_features *f = ssl_features_new_at(at, data->ctx, data->n, dim, SSL__MAX(data->n_classes, 1));
    int64_t i;
    if (!f) return NULL;
    for (i = 0; i < n; i++) f->x[i] = (float)data->images[i] / 255.0f;
    memcpy(f->label, data->labels, sizeof(int32_t) * (size_t)data->n);
    return f;
}

/* Copies the features y [B,D] of rows first.. into *f, which the first batch allocates. */
static void ssl__features_rows(const char *at, const ssl_dataset *data, int first, int n, const ssl_tensor *y, ssl_features **f)
{
    char s[96];
    if (data->ctx->status) return;
    if (y->ndim != 2 || y->dim[0] != n || (*f && y->dim[1] != (*f)->dim)) {
        ssl__fail(data->ctx, SSL_E_SHAPE, at, "ssl_features_of: the features of %d images are %s: they must be [%d,D], D the same for every batch", n, ssl__shape(y, s), n);
        return;
    }
    if (!*f) *f = ssl_features_new_at(at, data->ctx, data->n, y->dim[1], SSL__MAX(data->n_classes, 1));
    if (*f) ssl_to_host(y, (*f)->x + (size_t)first * (size_t)(*f)->dim);
}
SSL_API ssl_features *ssl_features_of_at(const char *at, ssl_dataset *data, const ssl_augment_desc *augment, int batch, ssl_feature_fn fn, void *model)
{
    ssl_ctx *c = data->ctx;
    ssl_loader_desc d = SSL_ZERO;
    ssl_loader *loader;
    ssl_batch b;
    ssl_features *f = NULL;
    int first = 0;
    const int training = c->training;
    d.batch = SSL__MIN(SSL__DEF(batch, 256), SSL__MAX(data->n, 1));
    d.no_shuffle = d.keep_last = 1;
    d.augment = augment;
    loader = ssl_loader_open_at(at, data, &d);
    ssl_train(c, 0);
    ssl_no_grad(c, 1);
    for (; ssl_loader_next(loader, &b); first += b.n) {
        ssl__features_rows(at, data, first, b.n, fn(model, b.images), &f);
        ssl_step_end(c);
    }
    ssl_no_grad(c, 0);
    ssl_train(c, training);
    ssl_loader_close(loader);
    if (f && !c->status) memcpy(f->label, data->labels, sizeof(int32_t) * (size_t)data->n);
    if (f && c->status) { ssl_features_free(f); f = NULL; }
    return f;
}

/* What every protocol needs: two sets that fit together, finite numbers, and labels in range if they matter. */
static int ssl__features_check(const char *at, const char *op, const ssl_features *train, const ssl_features *test, int labels)
{
    const ssl_features *f;
    int pass;
    if (!train || !test || train->ctx->status) return 0; /* whatever made them NULL has reported it */
    if (train->dim != test->dim) {
        ssl__fail(train->ctx, SSL_E_SHAPE, at, "%s: train[%d,%d] and test[%d,%d] must have features of the same width", op, train->n, train->dim, test->n, test->dim);
        return 0;
    }
    for (pass = 0, f = train; pass < 2; pass++, f = test) {
        const int64_t n = (int64_t)f->n * f->dim;
        int64_t i;
        for (i = 0; labels && i < f->n; i++)
            if (f->label[i] < 0 || f->label[i] >= train->classes) {
                ssl__fail(f->ctx, SSL_E_ARG, at, "%s: label %d of %s row %d is outside 0..%d (-1: an image without a label)", op, (int)f->label[i], pass ? "test" : "train", (int)i, train->classes - 1);
                return 0;
            }
        for (i = 0; i < n; i++)
            if (!ssl__finite(f->x[i])) {
                ssl__fail(f->ctx, SSL_E_NAN, at, "%s: %s row %d holds a NaN or infinity at column %d", op, pass ? "test" : "train", (int)(i / f->dim), (int)(i % f->dim));
                return 0;
            }
    }
    return 1;
}

/* Adds one test row to a score: the rank of its label among the classes, ties to the lower class. */
static void ssl__score_row(ssl_score *s, int classes, const double *value, int label)
{
    int c, rank = 0;
    for (c = 0; c < classes; c++) rank += value[c] > value[label] || (value[c] == value[label] && c < label);
    s->top1 += rank < 1;
    s->top3 += rank < 3;
    s->top5 += rank < 5;
}
static void ssl__score_mean(ssl_score *s, int n) { s->top1 /= n; s->top3 /= n; s->top5 /= n; s->nll /= n; }

/* ---- k nearest rows: cosines block by block through the matrix product, the best k of each row kept sorted ---- */
#define SSL__KNN_ROWS 256  /* test rows of a block */
#define SSL__KNN_COLS 2048 /* train rows of a block */
typedef struct ssl__knn_block { int cols, first_col, k; const float *cosine; int32_t *index; float *best; } ssl__knn_block;
static void ssl__knn_row(void *arg, int row, int thread)
{
    const ssl__knn_block *b = (const ssl__knn_block *)arg;
    const float *cosine = b->cosine + (size_t)row * (size_t)b->cols;
    float *best = b->best + (size_t)row * (size_t)b->k;
    int32_t *index = b->index + (size_t)row * (size_t)b->k;
    int j, p;
    (void)thread;
    for (j = 0; j < b->cols; j++) {
        if (cosine[j] <= best[b->k - 1]) continue;
        for (p = b->k - 1; p > 0 && cosine[j] > best[p - 1]; p--) { best[p] = best[p - 1]; index[p] = index[p - 1]; }
        best[p] = cosine[j];
        index[p] = b->first_col + j;
    }
}

static void ssl__put_unit_rows(const ssl_features *f, int first, int n, float *host, float *dst) /* a zero row stays zero */
{
    int i, j;
    for (i = 0; i < n; i++) {
        const float *x = f->x + (size_t)(first + i) * (size_t)f->dim;
        float *y = host + (size_t)i * (size_t)f->dim;
        double s = 0.0;
        for (j = 0; j < f->dim; j++) s += (double)x[j] * (double)x[j];
        s = s > 0.0 ? 1.0 / sqrt(s) : 0.0;
        for (j = 0; j < f->dim; j++) y[j] = (float)((double)x[j] * s);
    }
    ssl__put(f->ctx, dst, host, sizeof(float) * (size_t)n * (size_t)f->dim);
}

static void ssl__neighbors(const ssl_features *train, const ssl_features *test, float *a, float *b, float *y, float *host, ssl__knn_block *q)
{
    ssl_ctx *c = train->ctx;
    const int d = train->dim;
    int32_t *index = q->index;
    float *best = q->best;
    int i, j;
    for (j = 0; j < train->n; j += SSL__KNN_COLS) {
        const int cols = SSL__MIN(SSL__KNN_COLS, train->n - j);
        ssl__put_unit_rows(train, j, cols, host, b);
        for (i = 0; i < test->n; i += SSL__KNN_ROWS) {
            const int rows = SSL__MIN(SSL__KNN_ROWS, test->n - i);
            ssl__put_unit_rows(test, i, rows, host, a);
            c->k->gemm(c, 0, 1, 1, rows, cols, d, a, d, 0, b, d, 0, 0.0f, y, cols, 0, NULL);
            ssl__get(c, host, y, sizeof(float) * (size_t)rows * (size_t)cols);
            q->cols = cols;
            q->first_col = j;
            q->cosine = host;
            q->index = index + (size_t)i * (size_t)q->k;
            q->best = best + (size_t)i * (size_t)q->k;
            ssl__parallel(c, rows, ssl__knn_row, q);
        }
    }
}

SSL_API int ssl_neighbors_at(const char *at, const ssl_features *train, const ssl_features *test, int k, int32_t *index, float *similarity)
{
    ssl_ctx *c;
    ssl__knn_block q;
    size_t i, n, d;
    float *device, *host;
    if (!ssl__features_check(at, "ssl_neighbors", train, test, 0)) return 0;
    c = train->ctx;
    if (k < 1 || k > train->n) {
        ssl__fail(c, SSL_E_ARG, at, "ssl_neighbors: k %d: the training set has %d rows, so k must be 1 to %d", k, train->n, train->n);
        return 0;
    }
    n = (size_t)test->n * (size_t)k;
    d = (size_t)train->dim;
    memset(&q, 0, sizeof q);
    q.k = k;
    q.index = index ? index : (int32_t *)ssl__alloc(c, at, sizeof(int32_t) * n);
    q.best = similarity ? similarity : (float *)ssl__alloc(c, at, sizeof(float) * n);
    host = (float *)ssl__alloc(c, at, sizeof(float) * SSL__KNN_COLS * SSL__MAX(d, (size_t)SSL__KNN_ROWS));
    device = (float *)ssl__device_alloc(c, at, sizeof(float) * ((SSL__KNN_ROWS + SSL__KNN_COLS) * d + (size_t)SSL__KNN_ROWS * SSL__KNN_COLS));
    if (!c->status) {
        ssl__knn_block whole = q;
        for (i = 0; i < n; i++) q.best[i] = -2.0f; /* below every cosine */
        ssl__neighbors(train, test, device, device + SSL__KNN_ROWS * d, device + (SSL__KNN_ROWS + SSL__KNN_COLS) * d, host, &whole);
    }
    if (device) c->dev->release(c, device);
    ssl__release(host);
    if (!index) ssl__release(q.index);
    if (!similarity) ssl__release(q.best);
    return !c->status;
}

SSL_API ssl_score ssl_knn_at(const char *at, const ssl_features *train, const ssl_features *test, const ssl_knn_desc *desc)
{
    ssl_score s = SSL_ZERO;
    ssl_knn_desc d = SSL_ZERO;
    ssl_ctx *c;
    int32_t *index;
    float *cosine;
    double *vote, all;
    int i, j;
    if (!ssl__features_check(at, "ssl_knn", train, test, 1)) return s;
    c = train->ctx;
    if (desc) d = *desc;
    d.k = SSL__DEF(d.k, 20);
    d.temperature = SSL__DEFF(d.temperature, 0.07f);
    if (d._start_canary || d._end_canary) { ssl__fail(c, SSL_E_ARG, at, "ssl_knn: the ssl_knn_desc is not initialized: write `ssl_knn_desc d = SSL_ZERO;`"); return s; }
    if (d.k < 1 || d.k > train->n) { ssl__fail(c, SSL_E_ARG, at, "ssl_knn: k %d: the training set has %d rows, so k must be 1 to %d", d.k, train->n, train->n); return s; }
    if (!(d.temperature > 0.0f)) { ssl__fail(c, SSL_E_ARG, at, "ssl_knn: temperature %g: it must be above 0", (double)d.temperature); return s; }
    index = (int32_t *)ssl__alloc(c, at, sizeof(int32_t) * (size_t)test->n * (size_t)d.k);
    cosine = (float *)ssl__alloc(c, at, sizeof(float) * (size_t)test->n * (size_t)d.k);
    vote = (double *)ssl__alloc(c, at, sizeof(double) * (size_t)train->classes);
    if (!c->status && ssl_neighbors_at(at, train, test, d.k, index, cosine)) {
        for (i = 0; i < test->n; i++) {
            const size_t row = (size_t)i * (size_t)d.k;
            memset(vote, 0, sizeof *vote * (size_t)train->classes);
            for (j = 0; j < d.k; j++) /* relative to the nearest: the same ratios, and no overflow at any temperature */
                vote[train->label[index[row + (size_t)j]]] += exp((double)(cosine[row + (size_t)j] - cosine[row]) / (double)d.temperature);
            ssl__score_row(&s, train->classes, vote, test->label[i]);
            for (j = 0, all = 1.0; j < train->classes; j++) all += vote[j];
            s.nll += log(all) - log(vote[test->label[i]] + 1.0 / train->classes);
        }
        ssl__score_mean(&s, test->n);
    }
    ssl__release(index);
    ssl__release(cosine);
    ssl__release(vote);
    return s;
}

/* ---- L-BFGS (Nocedal & Wright, algorithms 7.4 and 7.5): x moves to a minimum of f, whose gradient f writes into g ---- */
#define SSL__LBFGS_MEMORY 10
typedef double (*ssl__objective_fn)(void *user, const double *x, double *g);
static double ssl__dot(int n, const double *a, const double *b)
{
    double s = 0.0;
    int i;
    for (i = 0; i < n; i++) s += a[i] * b[i];
    return s;
}
static double ssl__max_abs(int n, const double *a)
{
    double m = 0.0;
    int i;
    for (i = 0; i < n; i++) if (fabs(a[i]) > m) m = fabs(a[i]);
    return m;
}
/* d = -H g, H the inverse Hessian that the last steps s and gradient changes y imply (the newest is pair `newest`) */
static void ssl__lbfgs_direction(int n, int n_pairs, int newest, const double *s, const double *y, const double *g, double *d)
{
    double alpha[SSL__LBFGS_MEMORY], rho[SSL__LBFGS_MEMORY], beta, scale = 1.0;
    int i, j, p;
    for (i = 0; i < n; i++) d[i] = -g[i];
    for (j = 0; j < n_pairs; j++) {
        p = (newest - j + SSL__LBFGS_MEMORY) % SSL__LBFGS_MEMORY;
        rho[p] = 1.0 / ssl__dot(n, s + (size_t)p * (size_t)n, y + (size_t)p * (size_t)n);
        alpha[p] = rho[p] * ssl__dot(n, s + (size_t)p * (size_t)n, d);
        for (i = 0; i < n; i++) d[i] -= alpha[p] * y[(size_t)p * (size_t)n + (size_t)i];
    }
    if (n_pairs) scale = 1.0 / (rho[newest] * ssl__dot(n, y + (size_t)newest * (size_t)n, y + (size_t)newest * (size_t)n));
    for (i = 0; i < n; i++) d[i] *= scale;
    for (j = n_pairs - 1; j >= 0; j--) {
        p = (newest - j + SSL__LBFGS_MEMORY) % SSL__LBFGS_MEMORY;
        beta = rho[p] * ssl__dot(n, y + (size_t)p * (size_t)n, d);
        for (i = 0; i < n; i++) d[i] += (alpha[p] - beta) * s[(size_t)p * (size_t)n + (size_t)i];
    }
}
/* Backtrack along d from x0 until f falls by a ten-thousandth of what the slope promises; 0 when no step does. */
static int ssl__lbfgs_search(ssl__objective_fn f, void *user, int n, const double *x0, const double *d, double slope, double step, double *fx, double *x, double *g)
{
    const double f0 = *fx;
    int i, tries;
    for (tries = 0; tries < 20; tries++, step *= 0.5) {
        for (i = 0; i < n; i++) x[i] = x0[i] + step * d[i];
        *fx = f(user, x, g);
        if (*fx <= f0 + 1e-4 * step * slope) return 1;
    }
    return 0;
}
/* work: (2 memory + 3) n doubles. Returns 1 when max |g| <= tolerance, or when float32 sums allow no further descent. */
static int ssl__lbfgs(ssl__objective_fn f, void *user, int n, double *x, double *work, int max_iterations, double tolerance, int *iterations)
{
    double *s = work, *y = s + (size_t)SSL__LBFGS_MEMORY * (size_t)n, *g = y + (size_t)SSL__LBFGS_MEMORY * (size_t)n, *d = g + n, *next = d + n;
    double fx = f(user, x, g), slope, step;
    int it, i, n_pairs = 0, slot = SSL__LBFGS_MEMORY - 1;
    for (it = 0; it < max_iterations && ssl__max_abs(n, g) > tolerance; it++) {
        double *si, *yi;
        ssl__lbfgs_direction(n, n_pairs, slot, s, y, g, d);
        slope = ssl__dot(n, g, d);
        step = n_pairs ? 1.0 : SSL__MIN(1.0, 1.0 / sqrt(-slope));
        slot = (slot + 1) % SSL__LBFGS_MEMORY;
        si = s + (size_t)slot * (size_t)n;
        yi = y + (size_t)slot * (size_t)n;
        memcpy(yi, g, sizeof *g * (size_t)n);
        if (!(slope < 0.0) || !ssl__lbfgs_search(f, user, n, x, d, slope, step, &fx, next, g)) { *iterations = it; return 1; }
        for (i = 0; i < n; i++) { si[i] = next[i] - x[i]; yi[i] = g[i] - yi[i]; x[i] = next[i]; }
        if (n_pairs < SSL__LBFGS_MEMORY) n_pairs++;
        if (ssl__dot(n, si, yi) <= 0.0) n_pairs = 0; /* rounding broke convexity: start over from the gradient */
    }
    *iterations = it;
    return it < max_iterations || ssl__max_abs(n, g) <= tolerance;
}

/* ---- linear probe.  x [n,d] standardized, w [K,d], b [K]:  loss = mean(logsumexp(z) - z[label]) + l2/2 |w|^2,  z = x w^T + b;
   dz = (softmax(z) - onehot) / n,  dw = dz^T x + l2 w,  db = column sums of dz ---- */
#define SSL__PROBE_ROWS 256 /* rows of a chunk */
typedef struct ssl__probe {
    ssl_ctx *c;
    int n, d, classes;
    double l2;
    const int32_t *label;
    float *x, *z, *theta, *grad;        /* on the device; theta and grad: w, then b */
    float *host_z, *host_theta;         /* [n,classes], [classes d + classes] */
    double *part;                       /* loss of each chunk */
} ssl__probe;

static void ssl__probe_rows(void *arg, int chunk, int thread) /* z becomes dz */
{
    ssl__probe *p = (ssl__probe *)arg;
    const int end = SSL__MIN(p->n, (chunk + 1) * SSL__PROBE_ROWS), classes = p->classes;
    const float scale = 1.0f / (float)p->n;
    double loss = 0.0;
    int i, j;
    (void)thread;
    for (i = chunk * SSL__PROBE_ROWS; i < end; i++) {
        float *z = p->host_z + (size_t)i * (size_t)classes, top = z[0], own = z[p->label[i]], sum = 0.0f;
        for (j = 1; j < classes; j++) top = z[j] > top ? z[j] : top;
        for (j = 0; j < classes; j++) sum += z[j] = ssl__exp(z[j] - top);
        for (j = 0; j < classes; j++) z[j] *= scale / sum;
        z[p->label[i]] -= scale;
        loss += log((double)sum) + (double)top - (double)own;
    }
    p->part[chunk] = loss;
}

static void ssl__probe_logits(ssl__probe *p)
{
    ssl__epilogue ep = SSL_ZERO;
    ep.bias = p->theta + (size_t)p->classes * (size_t)p->d;
    ep.act = SSL_ACT_NONE;
    p->c->k->gemm(p->c, 0, 1, 1, p->n, p->classes, p->d, p->x, p->d, 0, p->theta, p->d, 0, 0.0f, p->z, p->classes, 0, &ep);
    ssl__get(p->c, p->host_z, p->z, sizeof(float) * (size_t)p->n * (size_t)p->classes);
}

static double ssl__probe_loss(void *user, const double *theta, double *g)
{
    ssl__probe *p = (ssl__probe *)user;
    ssl_ctx *c = p->c;
    const int n_w = p->classes * p->d, n_theta = n_w + p->classes, chunks = (p->n + SSL__PROBE_ROWS - 1) / SSL__PROBE_ROWS;
    double loss = 0.0;
    int i;
    for (i = 0; i < n_theta; i++) p->host_theta[i] = (float)theta[i];
    ssl__put(c, p->theta, p->host_theta, sizeof(float) * (size_t)n_theta);
    ssl__probe_logits(p);
    ssl__parallel(c, chunks, ssl__probe_rows, p);
    ssl__put(c, p->z, p->host_z, sizeof(float) * (size_t)p->n * (size_t)p->classes);
    c->k->gemm(c, 1, 0, 1, p->classes, p->d, p->n, p->z, p->classes, 0, p->x, p->d, 0, 0.0f, p->grad, p->d, 0, NULL);
    c->k->fill(c, p->classes, 0.0f, p->grad + n_w);
    c->k->colsum(c, p->n, p->classes, p->z, p->grad + n_w);
    ssl__get(c, p->host_theta, p->grad, sizeof(float) * (size_t)n_theta);
    for (i = 0; i < chunks; i++) loss += p->part[i];
    for (i = 0; i < n_theta; i++) g[i] = (double)p->host_theta[i] + (i < n_w ? p->l2 * theta[i] : 0.0);
    return loss / p->n + 0.5 * p->l2 * ssl__dot(n_w, theta, theta);
}

/* Mean and 1/deviation of each column; a constant column gets 0, so that it drops out. */
static void ssl__column_stats(const ssl_features *f, double *mean, double *inv)
{
    int i, j;
    for (j = 0; j < f->dim; j++) mean[j] = inv[j] = 0.0;
    for (i = 0; i < f->n; i++) for (j = 0; j < f->dim; j++) mean[j] += (double)f->x[(size_t)i * (size_t)f->dim + (size_t)j];
    for (j = 0; j < f->dim; j++) mean[j] /= f->n;
    for (i = 0; i < f->n; i++)
        for (j = 0; j < f->dim; j++) { const double e = (double)f->x[(size_t)i * (size_t)f->dim + (size_t)j] - mean[j]; inv[j] += e * e; }
    for (j = 0; j < f->dim; j++) inv[j] = inv[j] > 1e-12 * mean[j] * mean[j] * f->n ? 1.0 / sqrt(inv[j] / f->n) : 0.0;
}

/* Point the probe at a feature set: its rows standardized, on the device; room for its logits on both sides. */
static int ssl__probe_set(ssl__probe *p, const char *at, const ssl_features *f, const double *mean, const double *inv)
{
    ssl_ctx *c = p->c;
    const int rows = SSL__MIN(f->n, 1024);
    const size_t d = (size_t)p->d;
    float *host = (float *)ssl__alloc(c, at, sizeof(float) * (size_t)rows * d);
    int i, j, k;
    p->n = f->n;
    p->label = f->label;
    p->x = (float *)ssl__device_alloc(c, at, sizeof(float) * (size_t)f->n * d);
    p->z = (float *)ssl__device_alloc(c, at, sizeof(float) * (size_t)f->n * (size_t)p->classes);
    p->host_z = (float *)ssl__alloc(c, at, sizeof(float) * (size_t)f->n * (size_t)p->classes);
    for (i = 0; i < f->n && !c->status; i += rows) {
        const int n = SSL__MIN(rows, f->n - i);
        for (k = 0; k < n; k++)
            for (j = 0; j < p->d; j++) host[(size_t)k * d + (size_t)j] = (float)(((double)f->x[(size_t)(i + k) * d + (size_t)j] - mean[j]) * inv[j]);
        ssl__put(c, p->x + (size_t)i * d, host, sizeof(float) * (size_t)n * d);
    }
    ssl__release(host);
    return !c->status;
}
static void ssl__probe_unset(ssl__probe *p)
{
    if (p->x) p->c->dev->release(p->c, p->x);
    if (p->z) p->c->dev->release(p->c, p->z);
    ssl__release(p->host_z);
    p->x = p->z = p->host_z = NULL;
}

static void ssl__score_logits(int n, int classes, const float *logits, const int32_t *label, double *row, ssl_score *s) /* row [classes]: scratch */
{
    int i, j;
    for (i = 0; i < n; i++) {
        const float *z = logits + (size_t)i * (size_t)classes;
        double top = (double)z[0], sum = 0.0;
        for (j = 0; j < classes; j++) { row[j] = (double)z[j]; top = row[j] > top ? row[j] : top; }
        for (j = 0; j < classes; j++) sum += exp(row[j] - top);
        s->nll += log(sum) + top - row[label[i]];
        ssl__score_row(s, classes, row, label[i]);
    }
    ssl__score_mean(s, n);
}
SSL_API ssl_score ssl_score_logits_at(const char *at, const ssl_features *f)
{
    ssl_score s = SSL_ZERO;
    double *row;
    if (f && !f->ctx->status && f->dim != f->classes)
        ssl__fail(f->ctx, SSL_E_SHAPE, at, "ssl_score_logits: logits[%d,%d] for %d classes: there must be one column for each class", f->n, f->dim, f->classes);
    if (!ssl__features_check(at, "ssl_score_logits", f, f, 1)) return s;
    row = (double *)ssl__alloc(f->ctx, at, sizeof *row * (size_t)f->classes);
    if (row) ssl__score_logits(f->n, f->classes, f->x, f->label, row, &s);
    ssl__release(row);
    return s;
}

/* buffer: mean, inverse deviation, theta, work of L-BFGS, loss parts or one row of logits */
static void ssl__probe_run(ssl__probe *p, const char *at, const ssl_features *train, const ssl_features *test, const ssl_probe_desc *d, double *buffer, ssl_score *s)
{
    const int n_theta = p->classes * p->d + p->classes;
    double *mean = buffer, *inv = mean + p->d, *theta = inv + p->d, *work = theta + n_theta;
    p->part = work + (size_t)(2 * SSL__LBFGS_MEMORY + 3) * (size_t)n_theta;
    ssl__column_stats(train, mean, inv);
    if (ssl__probe_set(p, at, train, mean, inv))
        s->converged = ssl__lbfgs(ssl__probe_loss, p, n_theta, theta, work, d->max_iterations, (double)d->tolerance, &s->iterations);
    ssl__probe_unset(p);
    if (!p->c->status && ssl__probe_set(p, at, test, mean, inv)) {
        int i;
        for (i = 0; i < n_theta; i++) p->host_theta[i] = (float)theta[i];
        ssl__put(p->c, p->theta, p->host_theta, sizeof(float) * (size_t)n_theta);
        ssl__probe_logits(p);
        ssl__score_logits(p->n, p->classes, p->host_z, p->label, p->part, s);
    }
    ssl__probe_unset(p);
}

SSL_API ssl_score ssl_linear_probe_at(const char *at, const ssl_features *train, const ssl_features *test, const ssl_probe_desc *desc)
{
    ssl_score s = SSL_ZERO;
    ssl_probe_desc d = SSL_ZERO;
    ssl__probe p;
    double *buffer;
    size_t n_theta;
    if (!ssl__features_check(at, "ssl_linear_probe", train, test, 1)) return s;
    memset(&p, 0, sizeof p);
    p.c = train->ctx;
    if (desc) d = *desc;
    if (d._start_canary || d._end_canary) { ssl__fail(p.c, SSL_E_ARG, at, "ssl_linear_probe: the ssl_probe_desc is not initialized: write `ssl_probe_desc d = SSL_ZERO;`"); return s; }
    d.l2 = SSL__DEFF(d.l2, 1e-3f);
    d.tolerance = SSL__DEFF(d.tolerance, 1e-3f);
    d.max_iterations = SSL__DEF(d.max_iterations, 500);
    p.d = train->dim;
    p.classes = train->classes;
    p.l2 = (double)d.l2;
    n_theta = (size_t)p.classes * (size_t)(p.d + 1);
    buffer = (double *)ssl__alloc(p.c, at, sizeof(double) * (2 * (size_t)p.d + n_theta * (2 * SSL__LBFGS_MEMORY + 4) +
                                                            (size_t)SSL__MAX(train->n / SSL__PROBE_ROWS + 1, p.classes)));
    p.host_theta = (float *)ssl__alloc(p.c, at, sizeof(float) * n_theta);
    p.theta = (float *)ssl__device_alloc(p.c, at, sizeof(float) * 2 * n_theta);
    if (!p.c->status) {
        p.grad = p.theta + n_theta;
        ssl__probe_run(&p, at, train, test, &d, buffer, &s);
    }
    if (p.theta) p.c->dev->release(p.c, p.theta);
    ssl__release(p.host_theta);
    ssl__release(buffer);
    return s;
}

SSL__COLD_BEGIN
/* ==== >>report ==== progress, logs, pictures ========================================================= */
SSL_API double ssl_seconds(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

SSL_API ssl_progress ssl_progress_begin(const char *title, int64_t first, int64_t total)
{
    ssl_progress p;
    memset(&p, 0, sizeof p);
    p.title = title;
    p.first = first;
    p.total = total;
    p.begun = p.shown = ssl_seconds();
    p.terminal = isatty(2);
    return p;
}
static void ssl__progress_show(const ssl_progress *p, int64_t done)
{
    const double seconds = SSL__MAX(ssl_seconds() - p->begun, 1e-6), part = p->total > 0 ? (double)done / (double)p->total : 1.0;
    const double left = done > p->first ? seconds * (double)(p->total - done) / (double)(done - p->first) : 0.0;
    char bar[25];
    int i;
    for (i = 0; i < 24; i++) bar[i] = i < (int)(24.0 * part) ? '#' : '.';
    bar[24] = 0;
    fprintf(stderr, "%s%-10s %s%s%s %3d%%  step %lld/%lld  loss %.4f  %.0f images/s  %d:%02d left%s", p->terminal ? "\r" : "", p->title, p->terminal ? "[" : "",
            p->terminal ? bar : "", p->terminal ? "]" : "", (int)(100.0 * part), (long long)done, (long long)p->total, p->loss, (double)p->images / seconds, (int)left / 60,
            (int)left % 60, p->terminal ? "\033[K" : "\n");
    fflush(stderr);
}
SSL_API void ssl_progress_step(ssl_progress *p, int64_t done, int images, float loss)
{
    const double now = ssl_seconds();
    p->loss = p->images ? p->loss + 0.02 * ((double)loss - p->loss) : (double)loss;
    p->images += images;
    if (now - p->shown < (p->terminal ? 0.1 : 10.0)) return;
    p->shown = now;
    ssl__progress_show(p, done);
}
SSL_API void ssl_progress_end(ssl_progress *p, int64_t done)
{
    ssl__progress_show(p, done);
    if (p->terminal) fputc('\n', stderr);
}

/* ---- text files ---- */
struct ssl_csv { ssl_ctx *ctx; FILE *file; char *path; int columns; };
static void ssl__csv_copy(FILE *from, FILE *to, int64_t keep) /* the rows after the heading whose first column is <= keep */
{
    char line[4096];
    int heading = 1;
    for (; fgets(line, sizeof line, from); heading = 0)
        if (!heading && strchr(line, '\n') && strtod(line, NULL) <= (double)keep) fputs(line, to);
}
/* Open path for writing its heading and the rows to keep: they go to a new file, which then replaces the old one. */
static FILE *ssl__csv_file(const char *path, const char *temporary, const char *columns, int64_t keep)
{
    FILE *old = keep >= 0 ? fopen(path, "r") : NULL, *f = fopen(temporary, "w");
    if (f) fprintf(f, "%s\n", columns);
    if (f && old) ssl__csv_copy(old, f, keep);
    if (old) fclose(old);
    if (f && (fflush(f) || rename(temporary, path))) { fclose(f); f = NULL; }
    return f;
}
SSL_API ssl_csv *ssl_csv_open_at(const char *at, ssl_ctx *c, const char *path, const char *columns, int64_t keep)
{
    ssl_csv *csv;
    char *temporary;
    const char *p;
    const size_t n = strlen(path);
    if (c->status) return NULL;
    csv = (ssl_csv *)ssl__alloc(c, at, sizeof *csv + n + 1);
    temporary = (char *)ssl__alloc(c, at, n + 5);
    if (csv && temporary) {
        csv->ctx = c;
        csv->path = (char *)(csv + 1);
        memcpy(csv->path, path, n + 1);
        memcpy(temporary, path, n);
        memcpy(temporary + n, ".tmp", 5);
        for (p = columns, csv->columns = 1; *p; p++) csv->columns += *p == ',';
        csv->file = ssl__csv_file(path, temporary, columns, keep);
        if (!csv->file) ssl__fail(c, SSL_E_IO, at, "ssl_csv_open: \"%s\": %s", path, strerror(errno));
    }
    ssl__release(temporary);
    if (c->status) { ssl_csv_close(csv); return NULL; }
    return csv;
}
SSL_API void ssl_csv_row_at(const char *at, ssl_csv *csv, int n, const double *values)
{
    int i;
    if (!csv || csv->ctx->status) return;
    if (n != csv->columns) { ssl__fail(csv->ctx, SSL_E_ARG, at, "ssl_csv_row: %d values: \"%s\" has %d columns", n, csv->path, csv->columns); return; }
    for (i = 0; i < n; i++) fprintf(csv->file, i ? ",%.9g" : "%.9g", values[i]);
    fputc('\n', csv->file);
    if (fflush(csv->file)) ssl__fail(csv->ctx, SSL_E_IO, at, "ssl_csv_row: cannot write \"%s\": %s", csv->path, strerror(errno));
}
SSL_API void ssl_csv_close(ssl_csv *csv)
{
    if (!csv) return;
    if (csv->file) fclose(csv->file);
    ssl__release(csv);
}

static void ssl__json_put(ssl_json *j, const char *text, int n)
{
    if (j->ctx->status || !ssl__grow(j->ctx, "ssl_json", (void **)&j->text, &j->capacity, j->size + n + 1, 1)) return;
    memcpy(j->text + j->size, text, (size_t)n);
    j->size += n;
    j->text[j->size] = 0;
}
static int ssl__json_char(char letter, char code[8]) /* as it stands inside a string of JSON; how long that is */
{
    if ((unsigned char)letter < 32) return snprintf(code, 8, "\\u%04x", (unsigned)letter);
    code[0] = '\\';
    code[letter == '"' || letter == '\\'] = letter;
    return letter == '"' || letter == '\\' ? 2 : 1;
}
static void ssl__json_quote(ssl_json *j, const char *s)
{
    char code[8];
    ssl__json_put(j, "\"", 1);
    for (; *s; s++) ssl__json_put(j, code, ssl__json_char(*s, code));
    ssl__json_put(j, "\"", 1);
}
static void ssl__json_item(ssl_json *j, const char *key) /* comma, new line, indentation, key */
{
    int i;
    if (j->count++) ssl__json_put(j, ",", 1);
    if (j->depth) ssl__json_put(j, "\n", 1);
    for (i = 0; i < j->depth; i++) ssl__json_put(j, "  ", 2);
    if (!key) return;
    ssl__json_quote(j, key);
    ssl__json_put(j, ": ", 2);
}
SSL_API void ssl_json_begin(ssl_json *j, const char *key, char bracket)
{
    if (j->depth == 16) { ssl__fail(j->ctx, SSL_E_ARG, "ssl_json_begin", "more than 16 levels"); return; }
    ssl__json_item(j, key);
    ssl__json_put(j, &bracket, 1);
    j->close[j->depth++] = bracket == '{' ? '}' : ']';
    j->count = 0;
}
SSL_API void ssl_json_end(ssl_json *j)
{
    int i;
    if (j->depth < 1) return;
    j->depth--;
    if (j->count) { ssl__json_put(j, "\n", 1); for (i = 0; i < j->depth; i++) ssl__json_put(j, "  ", 2); }
    ssl__json_put(j, &j->close[j->depth], 1);
    j->count = 1;
    if (!j->depth) ssl__json_put(j, "\n", 1);
}
SSL_API void ssl_json_string(ssl_json *j, const char *key, const char *value) { ssl__json_item(j, key); ssl__json_quote(j, value); }
SSL_API void ssl_json_number(ssl_json *j, const char *key, double value)
{
    char text[40];
    const int n = value - value == 0.0 ? snprintf(text, sizeof text, "%.9g", value) : snprintf(text, sizeof text, "null");
    ssl__json_item(j, key);
    ssl__json_put(j, text, n);
}
SSL_API void ssl_json_free(ssl_json *j) { ssl__release(j->text); j->text = NULL; j->size = j->capacity = 0; }

/* ---- pictures ---- */
static const uint64_t ssl__font[95] = { /* ASCII 32..126 in 5 x 7 pixels: bit 5 row + column */
    0x000000000, 0x100421084, 0x00000014a, 0x295f57d4a, 0x11f4717c4, 0x672222273, 0x593532526, 0x000000084, 0x208210888,
    0x088842082, 0x009575480, 0x0084f9080, 0x110c00000, 0x000070000, 0x18c000000, 0x042222210, 0x3a33ae62e, 0x3884210c4,
    0x7c444422e, 0x3a306422e, 0x211f4a988, 0x3a3083c3f, 0x3a317844c, 0x10844221f, 0x3a317462e, 0x1910f462e, 0x00c6018c0,
    0x0886018c0, 0x208208888, 0x001f07c00, 0x088882082, 0x10044422e, 0x783daf62e, 0x463f8c544, 0x3e317c62f, 0x3a210862e,
    0x3e318c62f, 0x7c217843f, 0x04217843f, 0x7a31e862e, 0x4631fc631, 0x38842108e, 0x19284211c, 0x452519531, 0x7c2108421,
    0x4631ad771, 0x4739ace71, 0x3a318c62e, 0x04217c62f, 0x59358c62e, 0x45257c62f, 0x3e107043e, 0x10842109f, 0x3a318c631,
    0x114a8c631, 0x4775ac631, 0x462a22a31, 0x108422a31, 0x7c222221f, 0x38421084e, 0x420820821, 0x39084210e, 0x000004544,
    0x7c0000000, 0x000000082, 0x7a3e83800, 0x3e318bc21, 0x3a218b800, 0x7a318fa10, 0x383f8b800, 0x084238a4c, 0x3a1e8c7c0,
    0x46318bc21, 0x388421804, 0x192843008, 0x24a32a421, 0x388421086, 0x56b5aac00, 0x46318bc00, 0x3a318b800, 0x042f8bc00,
    0x421e8f800, 0x04219b400, 0x3e0e0f800, 0x324211c42, 0x7a318c400, 0x11518c400, 0x2ab58c400, 0x454454400, 0x3a1e8c400,
    0x7c4447c00, 0x208411088, 0x108421084, 0x088441082, 0x0008a8800,
};
SSL_API ssl_canvas *ssl_canvas_new_at(const char *at, ssl_ctx *c, int w, int h, uint32_t color)
{
    ssl_canvas *p;
    if (c->status) return NULL;
    if (w < 1 || h < 1 || w > 32768 || h > 32768) { ssl__fail(c, SSL_E_ARG, at, "ssl_canvas_new: %d x %d: both sides must be 1 to 32768", w, h); return NULL; }
    p = (ssl_canvas *)ssl__alloc(c, at, sizeof *p);
    if (!p) return NULL;
    p->ctx = c; p->w = w; p->h = h;
    p->rgb = (uint8_t *)ssl__alloc(c, at, (size_t)w * (size_t)h * 3);
    if (!p->rgb) { ssl__release(p); return NULL; }
    ssl_canvas_rect(p, 0, 0, w, h, color);
    return p;
}
SSL_API void ssl_canvas_free(ssl_canvas *p)
{
    if (!p) return;
    ssl__release(p->rgb);
    ssl__release(p);
}

SSL_API void ssl_canvas_rect(ssl_canvas *p, int x, int y, int w, int h, uint32_t color)
{
    const int x0 = SSL__MAX(x, 0), y0 = SSL__MAX(y, 0), x1 = p ? SSL__MIN(x + w, p->w) : 0, y1 = p ? SSL__MIN(y + h, p->h) : 0;
    int i, j;
    for (i = y0; i < y1; i++)
        for (j = x0; j < x1; j++) {
            uint8_t *q = p->rgb + 3 * ((size_t)i * (size_t)p->w + (size_t)j);
            q[0] = (uint8_t)(color >> 16);
            q[1] = (uint8_t)(color >> 8);
            q[2] = (uint8_t)color;
        }
}
static void ssl__blend(ssl_canvas *p, int x, int y, float a, uint32_t color)
{
    uint8_t *q;
    int k;
    if (x < 0 || y < 0 || x >= p->w || y >= p->h || a <= 0.0f) return;
    q = p->rgb + 3 * ((size_t)y * (size_t)p->w + (size_t)x);
    for (k = 0; k < 3; k++) q[k] = (uint8_t)((float)q[k] + SSL__MIN(a, 1.0f) * ((float)((color >> (16 - 8 * k)) & 255) - (float)q[k]) + 0.5f);
}
/* Smooth: each pixel is covered by how near its center is to the segment. */
SSL_API void ssl_canvas_line(ssl_canvas *p, float x0, float y0, float x1, float y1, float width, uint32_t color)
{
    const float dx = x1 - x0, dy = y1 - y0, len2 = dx * dx + dy * dy, reach = 0.5f * width + 1.0f;
    const int left = (int)(SSL__MIN(x0, x1) - reach), right = (int)(SSL__MAX(x0, x1) + reach);
    const int top = (int)(SSL__MIN(y0, y1) - reach), bottom = (int)(SSL__MAX(y0, y1) + reach);
    int x, y;
    for (y = SSL__MAX(top, 0); p && y <= SSL__MIN(bottom, p->h - 1); y++)
        for (x = SSL__MAX(left, 0); x <= SSL__MIN(right, p->w - 1); x++) {
            const float px = (float)x + 0.5f - x0, py = (float)y + 0.5f - y0, t = len2 > 0.0f ? (px * dx + py * dy) / len2 : 0.0f;
            const float s = t < 0.0f ? 0.0f : t > 1.0f ? 1.0f : t, ex = px - s * dx, ey = py - s * dy;
            ssl__blend(p, x, y, 0.5f * width + 0.5f - sqrtf(ex * ex + ey * ey), color);
        }
}
SSL_API int ssl_canvas_text_width(int scale, const char *text) { return 6 * scale * (int)strlen(text); }
SSL_API void ssl_canvas_text(ssl_canvas *p, int x, int y, int scale, uint32_t color, const char *text)
{
    for (; *text; text++, x += 6 * scale) {
        const int ch = *text >= 32 && *text < 127 ? *text : '?';
        int bit;
        for (bit = 0; bit < 35; bit++)
            if (ssl__font[ch - 32] >> bit & 1) ssl_canvas_rect(p, x + bit % 5 * scale, y + bit / 5 * scale, scale, scale, color);
    }
}

static int ssl__level(float v) { return v > 0.0f ? (int)(SSL__MIN(v, 1.0f) * 255.0f + 0.5f) : 0; }
SSL_API void ssl_canvas_u8(ssl_canvas *p, int x, int y, int scale, const uint8_t *image, int c, int h, int w)
{
    int i, j;
    for (i = 0; i < h; i++)
        for (j = 0; j < w; j++) {
            const size_t plane = c > 1 ? (size_t)h * (size_t)w : 0, q = (size_t)i * (size_t)w + (size_t)j;
            ssl_canvas_rect(p, x + j * scale, y + i * scale, scale, scale, (uint32_t)image[q] << 16 | (uint32_t)image[q + plane] << 8 | image[q + 2 * plane]);
        }
}
SSL_API void ssl_canvas_f32(ssl_canvas *p, int x, int y, int scale, const float *image, int c, int h, int w, const float *mean, const float *std_dev)
{
    int i, j, k;
    for (i = 0; i < h; i++)
        for (j = 0; j < w; j++) {
            uint32_t color = 0;
            for (k = 0; k < 3; k++) {
                const int plane = c > 1 ? k : 0;
                const float v = image[((size_t)plane * (size_t)h + (size_t)i) * (size_t)w + (size_t)j];
                color = color << 8 | (uint32_t)ssl__level(mean ? mean[plane] + std_dev[plane] * v : v);
            }
            ssl_canvas_rect(p, x + j * scale, y + i * scale, scale, scale, color);
        }
}
static uint32_t ssl__heat_color(float t) /* viridis, by five of its colors */
{
    static const float anchor[5][3] = { { 68, 1, 84 }, { 59, 82, 139 }, { 33, 145, 140 }, { 94, 201, 98 }, { 253, 231, 37 } };
    const float s = 4.0f * (t > 0.0f ? SSL__MIN(t, 1.0f) : 0.0f);
    const int i = SSL__MIN((int)s, 3);
    uint32_t color = 0;
    int k;
    for (k = 0; k < 3; k++) color = color << 8 | (uint32_t)(anchor[i][k] + (s - (float)i) * (anchor[i + 1][k] - anchor[i][k]) + 0.5f);
    return color;
}
SSL_API void ssl_canvas_heat(ssl_canvas *p, int x, int y, int scale, const float *value, int rows, int cols, float lo, float hi)
{
    int i;
    for (i = 0; i < rows * cols; i++)
        ssl_canvas_rect(p, x + i % cols * scale, y + i / cols * scale, scale, scale, ssl__heat_color(hi > lo ? (value[i] - lo) / (hi - lo) : 0.0f));
}

/* ---- principal components: k + 4 vectors q, orthonormal, times the covariance again and again (subspace iteration); their own small
   covariance, diagonalized by Jacobi's rotations, turns them to its axes in each round ---- */
enum { SSL__PCA_SPARE = 4, SSL__PCA_ROUNDS = 300 };
static double ssl__dot_d(const double *a, const double *b, int n)
{
    double s = 0.0;
    int i;
    for (i = 0; i < n; i++) s += a[i] * b[i];
    return s;
}
static void ssl__orthonormalize(ssl_rng *rng, double *q, int m, int d) /* a row that depends on those before it becomes a random one */
{
    int i, j, k, pass, tries;
    for (i = 0; i < m; i++)
        for (tries = 0; tries < 8; tries++) {
            double *row = q + (size_t)i * (size_t)d, before = sqrt(ssl__dot_d(row, row, d)), length;
            for (pass = 0; pass < 2; pass++)
                for (j = 0; j < i; j++) {
                    const double *other = q + (size_t)j * (size_t)d, along = ssl__dot_d(row, other, d);
                    for (k = 0; k < d; k++) row[k] -= along * other[k];
                }
            length = sqrt(ssl__dot_d(row, row, d));
            if (length > 1e-10 * before) {
                for (k = 0; k < d; k++) row[k] /= length;
                break;
            }
            for (k = 0; k < d; k++) row[k] = (double)ssl_rng_uniform(rng) - 0.5;
        }
}
/* a [m,m] symmetric becomes diagonal; rows of v, the identity before, become its axes */
static void ssl__jacobi(int m, double *a, double *v)
{
    int sweep, p, q, k;
    for (sweep = 0; sweep < 30; sweep++)
        for (p = 0; p < m; p++)
            for (q = p + 1; q < m; q++) {
                const double angle = 0.5 * atan2(2.0 * a[p * m + q], a[p * m + p] - a[q * m + q]), c = cos(angle), s = sin(angle);
                for (k = 0; k < m; k++) { /* columns p and q of a, then its rows and those of v */
                    const double x = a[k * m + p], y = a[k * m + q];
                    a[k * m + p] = c * x + s * y;
                    a[k * m + q] = c * y - s * x;
                }
                for (k = 0; k < m; k++) {
                    const double x = a[p * m + k], y = a[q * m + k], u = v[p * m + k], w = v[q * m + k];
                    a[p * m + k] = c * x + s * y;
                    a[q * m + k] = c * y - s * x;
                    v[p * m + k] = c * u + s * w;
                    v[q * m + k] = c * w - s * u;
                }
            }
}
/* z [m,d] = q times the covariance of the centered rows x [n,d]; s [n] is room */
static void ssl__pca_times(const double *x, int n, int d, const double *q, int m, double *s, double *z)
{
    int i, j, k;
    memset(z, 0, sizeof *z * (size_t)m * (size_t)d);
    for (j = 0; j < m; j++) {
        double *row = z + (size_t)j * (size_t)d;
        for (i = 0; i < n; i++) s[i] = ssl__dot_d(x + (size_t)i * (size_t)d, q + (size_t)j * (size_t)d, d) / (n - 1);
        for (i = 0; i < n; i++)
            for (k = 0; k < d; k++) row[k] += s[i] * x[(size_t)i * (size_t)d + (size_t)k];
    }
}
/* Turns q [m,d] and z = q cov to the axes of q cov q^T, of falling lambda[m]; t [m (2 m + d)] is room. Returns the greatest residual
   |z - lambda q| of the first k. */
static double ssl__pca_turn(double *q, double *z, double *lambda, int m, int d, int k, double *t)
{
    double *v = t + m * m, *turned = v + m * m, *part[2], worst = 0.0;
    int i, j, e, h;
    part[0] = q; part[1] = z;
    for (i = 0; i < m * m; i++) { t[i] = ssl__dot_d(z + (size_t)(i / m) * (size_t)d, q + (size_t)(i % m) * (size_t)d, d); v[i] = i / m == i % m; }
    ssl__jacobi(m, t, v);
    for (i = 0; i < m; i++) lambda[i] = t[i * m + i];
    for (i = 0; i < m; i++)
        for (j = i + 1; j < m; j++)
            if (lambda[j] > lambda[i]) {
                const double l = lambda[i];
                lambda[i] = lambda[j];
                lambda[j] = l;
                for (e = 0; e < m; e++) { const double u = v[i * m + e]; v[i * m + e] = v[j * m + e]; v[j * m + e] = u; }
            }
    for (h = 0; h < 2; h++) {
        memset(turned, 0, sizeof *turned * (size_t)m * (size_t)d);
        for (i = 0; i < m * m; i++)
            for (e = 0; e < d; e++) turned[(size_t)(i / m) * (size_t)d + (size_t)e] += v[i] * part[h][(size_t)(i % m) * (size_t)d + (size_t)e];
        memcpy(part[h], turned, sizeof *turned * (size_t)m * (size_t)d);
    }
    for (i = 0; i < k; i++) {
        double s = 0.0;
        for (e = 0; e < d; e++) { const double r = z[(size_t)i * (size_t)d + (size_t)e] - lambda[i] * q[(size_t)i * (size_t)d + (size_t)e]; s += r * r; }
        worst = SSL__MAX(worst, sqrt(s));
    }
    return worst;
}
static void ssl__pca_out(const double *x, int n, int d, int k, double *q, const double *lambda, float *direction, float *variance, float *score)
{
    int i, j, e, most;
    for (i = 0; i < k; i++) {
        double *row = q + (size_t)i * (size_t)d;
        for (e = most = 0; e < d; e++) if (fabs(row[e]) > fabs(row[most])) most = e;
        if (row[most] < 0.0) for (e = 0; e < d; e++) row[e] = -row[e];
        for (e = 0; e < d && direction; e++) direction[(size_t)i * (size_t)d + (size_t)e] = (float)row[e];
        if (variance) variance[i] = (float)SSL__MAX(lambda[i], 0.0);
        for (j = 0; j < n && score; j++) score[(size_t)j * (size_t)k + (size_t)i] = (float)ssl__dot_d(x + (size_t)j * (size_t)d, row, d);
    }
}
SSL_API int ssl_pca(const float *x, int n, int d, int k, float *direction, float *variance, float *score)
{
    const int m = SSL__MIN(d, k + SSL__PCA_SPARE);
    const size_t rows = (size_t)m * (size_t)d, size = (size_t)n * (size_t)d;
    double *centered = k < 1 || k > d || n < 2 ? NULL : (double *)SSL_MALLOC(sizeof(double) * (size + 3 * rows + 2 * (size_t)(m * m) + (size_t)(m + n)));
    double *q = centered + size, *z = q + rows, *t = z + rows, *lambda = t + 2 * (size_t)(m * m) + rows, *s = lambda + m, mean;
    ssl_rng rng = ssl_rng_make(1, 0);
    size_t i, e;
    int round;
    if (!centered) return 0;
    for (e = 0; e < (size_t)d; e++) {
        for (mean = 0.0, i = e; i < size; i += (size_t)d) mean += (double)x[i] / n;
        for (i = e; i < size; i += (size_t)d) centered[i] = (double)x[i] - mean;
    }
    memset(q, 0, sizeof(double) * rows); /* all random ones */
    ssl__orthonormalize(&rng, q, m, d);
    for (round = 0; round < SSL__PCA_ROUNDS; round++) {
        ssl__pca_times(centered, n, d, q, m, s, z);
        if (ssl__pca_turn(q, z, lambda, m, d, k, t) <= 1e-7 * lambda[0]) break;
        memcpy(q, z, sizeof(double) * rows);
        ssl__orthonormalize(&rng, q, m, d);
    }
    ssl__pca_out(centered, n, d, k, q, lambda, direction, variance, score);
    SSL_FREE(centered);
    return 1;
}

/* ---- what a network makes of pictures ---- */
static void ssl__look_cell(ssl_canvas *p, int x, int y, int side, const ssl_look *look, int place, uint32_t color) /* the side need not divide by the map's */
{
    const int row = place / look->w, column = place % look->w, x0 = column * side / look->w, y0 = row * side / look->h;
    ssl_canvas_rect(p, x + x0, y + y0, (column + 1) * side / look->w - x0, (row + 1) * side / look->h - y0, color);
}
static void ssl__look_colors(ssl_canvas *p, int x, int y, int side, const ssl_look *look, const float *score, const float *variance, int k) /* score [h w,k] */
{
    int i, c;
    for (i = 0; i < look->h * look->w; i++) {
        uint32_t color = 0;
        for (c = 0; c < 3; c++) {
            const float v = c < k && variance[c] > 0.0f ? 0.5f + 0.25f * score[i * k + c] / sqrtf(variance[c]) : 0.5f;
            color = color << 8 | (uint32_t)(255.0f * SSL__MIN(SSL__MAX(v, 0.0f), 1.0f) + 0.5f);
        }
        ssl__look_cell(p, x, y, side, look, i, color);
    }
}
static void ssl__look_heat(ssl_canvas *p, int x, int y, int side, const ssl_look *look, const float *value)
{
    float lo = value[0], hi = value[0];
    int i;
    for (i = 0; i < look->h * look->w; i++) { lo = SSL__MIN(lo, value[i]); hi = SSL__MAX(hi, value[i]); }
    for (i = 0; i < look->h * look->w; i++) ssl__look_cell(p, x, y, side, look, i, ssl__heat_color(hi > lo ? (value[i] - lo) / (hi - lo) : 0.0f));
}
static ssl_canvas *ssl__look_draw(const char *at, const ssl_look *look, const ssl_tensor *images, const float *mean, const float *std_dev, float *pixel, float *token, float *attention)
{
    const int B = images->dim[0], C = images->dim[1], H = images->dim[2], W = images->dim[3], D = look->tokens->dim[2], L = look->h * look->w, k = SSL__MIN(D, 3);
    const int heads = look->attention ? look->attention->dim[1] : 0, shown = SSL__MIN(heads, 8), scale = SSL__MAX(96 / H, 1), side = scale * SSL__MAX(H, W), step = side + 8;
    float *score = token + (size_t)B * (size_t)L * (size_t)D, variance[3] = { 0.0f, 0.0f, 0.0f };
    ssl_canvas *p = ssl_canvas_new_at(at, images->ctx, 110 + B * step, 8 + (2 + shown) * step, 0xffffff);
    char title[24];
    int b, i;
    if (!p || !ssl_pca(token, B * L, D, k, NULL, variance, score)) return p;
    ssl_canvas_text(p, 8, step / 2, 2, 0x202020, "images");
    ssl_canvas_text(p, 8, step + step / 2, 2, 0x202020, "tokens");
    for (i = 0; i < shown; i++) {
        snprintf(title, sizeof title, "head %d", i + 1);
        ssl_canvas_text(p, 8, (2 + i) * step + step / 2, 2, 0x202020, title);
    }
    for (b = 0; b < B; b++) {
        const int x = 110 + b * step;
        ssl_canvas_f32(p, x, 8, scale, pixel + (size_t)b * (size_t)(C * H * W), C, H, W, mean, std_dev);
        ssl__look_colors(p, x, 8 + step, side, look, score + (size_t)b * (size_t)L * (size_t)k, variance, k);
        for (i = 0; i < shown; i++) ssl__look_heat(p, x, 8 + (2 + i) * step, side, look, attention + (size_t)(b * heads + i) * (size_t)L);
    }
    return p;
}
SSL_API int ssl_look_save_at(const char *at, const ssl_look *look, ssl_tensor *images, const float *mean, const float *std_dev, const char *path)
{
    ssl_ctx *c = images->ctx;
    const int attends = look->attention != NULL;
    float *pixel, *token, *attention;
    ssl_canvas *p;
    char s[96], u[96];
    int saved = 0;
    if (c->status) return 0;
    if (images->ndim != 4 || look->tokens->ndim != 3 || look->tokens->dim[0] != images->dim[0] || look->tokens->dim[1] != look->h * look->w || images->dim[0] * look->h * look->w < 2) {
        ssl__fail(c, SSL_E_SHAPE, at, "ssl_look_save: tokens%s of images%s: [B,%d x %d,D] of the same images is needed, with two places at least", ssl__shape(look->tokens, s), ssl__shape(images, u), look->h, look->w);
        return 0;
    }
    pixel = (float *)ssl__alloc(c, at, sizeof(float) * (size_t)ssl_numel(images));
    token = (float *)ssl__alloc(c, at, sizeof(float) * ((size_t)ssl_numel(look->tokens) + 3 * (size_t)look->tokens->dim[0] * (size_t)look->tokens->dim[1])); /* scores behind */
    attention = (float *)ssl__alloc(c, at, sizeof(float) * (attends ? (size_t)ssl_numel(look->attention) : 1));
    if (pixel && token && attention && ssl_to_host(images, pixel) && ssl_to_host(look->tokens, token) && (!attends || ssl_to_host(look->attention, attention))) {
        p = ssl__look_draw(at, look, images, mean, std_dev, pixel, token, attention);
        saved = ssl_canvas_save_at(at, p, path);
        ssl_canvas_free(p);
    }
    ssl__release(pixel);
    ssl__release(token);
    ssl__release(attention);
    return saved;
}

/* ---- plots: data coordinates to pixels, axes with round numbers, one curve after the other ---- */
typedef struct ssl__plot { ssl_canvas *canvas; int x, y, w, h; double x0, x1, y0, y1; } ssl__plot;
static float ssl__plot_x(const ssl__plot *q, double v) { return (float)(q->x + q->w * (v - q->x0) / (q->x1 - q->x0)); }
static float ssl__plot_y(const ssl__plot *q, double v) { return (float)(q->y + q->h * (q->y1 - v) / (q->y1 - q->y0)); }
static double ssl__round_step(double range, int n) /* 1, 2 or 5 times a power of ten, about n of them in range */
{
    const double raw = range / n, power = pow(10.0, floor(log10(raw))), m = raw / power;
    return power * (m < 1.5 ? 1.0 : m < 3.5 ? 2.0 : m < 7.5 ? 5.0 : 10.0);
}
static void ssl__plot_range(ssl__plot *q, const ssl_series *s, int n)
{
    int i, j, any = 0;
    q->x0 = q->y0 = 0.0;
    q->x1 = q->y1 = 1.0;
    for (i = 0; i < n; i++)
        for (j = 0; j < s[i].n; j++) {
            const double x = (double)s[i].x[j], y = (double)s[i].y[j];
            if (!ssl__finite(s[i].x[j]) || !ssl__finite(s[i].y[j])) continue;
            if (!any++) { q->x0 = q->x1 = x; q->y0 = q->y1 = y; }
            q->x0 = SSL__MIN(q->x0, x); q->x1 = SSL__MAX(q->x1, x);
            q->y0 = SSL__MIN(q->y0, y); q->y1 = SSL__MAX(q->y1, y);
        }
    if (q->x1 <= q->x0) q->x1 = q->x0 + 1.0;
    if (q->y1 <= q->y0) q->y1 = q->y0 + SSL__MAX(fabs(q->y0), 1.0);
    q->y0 -= 0.05 * (q->y1 - q->y0);
    q->y1 += 0.05 * (q->y1 - q->y0);
}
static void ssl__plot_axes(const ssl__plot *q, const char *x_label)
{
    const double sx = ssl__round_step(q->x1 - q->x0, SSL__MAX(q->w / 110, 1)), sy = ssl__round_step(q->y1 - q->y0, SSL__MAX(q->h / 60, 1));
    char text[32];
    int i;
    for (i = (int)ceil(q->y0 / sy); i * sy <= q->y1; i++) {
        const int y = (int)ssl__plot_y(q, i * sy);
        snprintf(text, sizeof text, "%.4g", i * sy);
        ssl_canvas_rect(q->canvas, q->x, y, q->w, 1, 0xe4e4e4);
        ssl_canvas_text(q->canvas, q->x - 8 - ssl_canvas_text_width(2, text), y - 7, 2, 0x505050, text);
    }
    for (i = (int)ceil(q->x0 / sx); i * sx <= q->x1; i++) {
        const int x = (int)ssl__plot_x(q, i * sx);
        snprintf(text, sizeof text, "%.6g", i * sx);
        ssl_canvas_rect(q->canvas, x, q->y + q->h, 1, 5, 0x505050);
        ssl_canvas_text(q->canvas, x - ssl_canvas_text_width(2, text) / 2, q->y + q->h + 9, 2, 0x505050, text);
    }
    ssl_canvas_rect(q->canvas, q->x, q->y, 1, q->h, 0x505050);
    ssl_canvas_rect(q->canvas, q->x, q->y + q->h, q->w, 1, 0x505050);
    ssl_canvas_text(q->canvas, q->x + (q->w - ssl_canvas_text_width(2, x_label)) / 2, q->y + q->h + 28, 2, 0x505050, x_label);
}
SSL_API void ssl_canvas_plot(ssl_canvas *p, int x, int y, int w, int h, const char *title, const char *x_label, const ssl_series *s, int n)
{
    static const uint32_t colors[6] = { 0x1f6fb4, 0xd6541e, 0x2f9e44, 0x9b3fa8, 0xc9970c, 0x5a5a5a };
    ssl__plot q;
    int i, j;
    if (!p) return;
    q.canvas = p;
    q.x = x + 90; q.y = y + 30; q.w = SSL__MAX(w - 110, 1); q.h = SSL__MAX(h - 80, 1);
    ssl__plot_range(&q, s, n);
    ssl__plot_axes(&q, x_label);
    ssl_canvas_text(p, q.x, y + 6, 2, 0x202020, title);
    for (i = 0; i < n; i++) {
        const uint32_t color = s[i].color ? s[i].color : colors[i % 6];
        int last = -1;
        for (j = 0; j < s[i].n; j++) {
            if (!ssl__finite(s[i].x[j]) || !ssl__finite(s[i].y[j])) continue;
            if (last >= 0)
                ssl_canvas_line(p, ssl__plot_x(&q, (double)s[i].x[last]), ssl__plot_y(&q, (double)s[i].y[last]), ssl__plot_x(&q, (double)s[i].x[j]),
                                ssl__plot_y(&q, (double)s[i].y[j]), 2.0f, color);
            last = j;
        }
        ssl_canvas_text(p, q.x + q.w - ssl_canvas_text_width(2, s[i].name) - 6, q.y + 6 + 20 * i, 2, color, s[i].name);
    }
}

/* ---- files written whole: to PATH.tmp, which then takes the place of PATH ---- */
static int ssl__save_bytes(ssl_ctx *c, const char *at, const char *op, const char *path, const void *bytes, size_t n)
{
    char *temporary = c->status ? NULL : (char *)ssl__alloc(c, at, strlen(path) + 5);
    FILE *f;
    int bad;
    if (!temporary) return 0;
    snprintf(temporary, strlen(path) + 5, "%s.tmp", path);
    f = fopen(temporary, "wb");
    bad = !f || fwrite(bytes, 1, n, f) != n || fflush(f);
    bad = (f && fclose(f)) || bad;
    bad = bad || rename(temporary, path);
    if (bad) { ssl__fail(c, SSL_E_IO, at, "%s: cannot write \"%s\": %s", op, path, strerror(errno)); remove(temporary); }
    ssl__release(temporary);
    return !bad;
}
SSL_API int ssl_json_save_at(const char *at, ssl_json *j, const char *path)
{ return ssl__save_bytes(j->ctx, at, "ssl_json_save", path, j->text ? j->text : "", (size_t)j->size); }

#ifdef SSL__HAS_STBIW
typedef struct ssl__png { ssl_ctx *ctx; const char *at, *path; int saved; } ssl__png;
static void ssl__png_write(void *user, void *bytes, int n)
{
    ssl__png *p = (ssl__png *)user;
    p->saved = ssl__save_bytes(p->ctx, p->at, "ssl_canvas_save", p->path, bytes, (size_t)n);
}
SSL_API int ssl_canvas_save_at(const char *at, const ssl_canvas *p, const char *path)
{
    ssl__png png;
    if (!p || p->ctx->status) return 0;
    png.ctx = p->ctx; png.at = at; png.path = path; png.saved = 0;
    if (!stbi_write_png_to_func(ssl__png_write, &png, p->w, p->h, 3, p->rgb, 3 * p->w)) ssl__fail(p->ctx, SSL_E_MEMORY, at, "ssl_canvas_save: out of memory for \"%s\"", path);
    return png.saved;
}
#else
SSL_API int ssl_canvas_save_at(const char *at, const ssl_canvas *p, const char *path)
{
    if (p) ssl__fail(p->ctx, SSL_E_ARG, at, "ssl_canvas_save: \"%s\": this program was built without PNG output: #define SSL_STB_IMAGE_WRITE \"stb_image_write.h\" before ssl.h (Debian: libstb-dev)", path);
    return 0;
}
#endif

/* ==== >>checkpoint ==== safetensors: u64 header length, JSON header, data =============================== */
static float ssl__half(uint16_t h) /* IEEE half precision: 1 sign, 5 exponent, 10 fraction bits */
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16, rest = h & 0x7fffu;
    const float tiny = (float)rest * (1.0f / 16777216.0f);
    if (rest >= 0x7c00u) return ssl__bits(sign | 0x7f800000u | (rest & 0x3ffu) << 13); /* infinity, NaN */
    if (rest >= 0x400u) return ssl__bits(sign | ((rest << 13) + (112u << 23)));
    return sign ? -tiny : tiny;                                                        /* subnormal: rest 2^-24 */
}
/* D(name in the file, C type, its value, whether it is whole) */
#define SSL__DTYPES(D)                                                                                         \
    D("F32", float, v, 0)        D("F64", double, v, 0)      D("F16", uint16_t, ssl__half(v), 0)               \
    D("BF16", uint16_t, ssl__bits((uint32_t)v << 16), 0)     D("I64", int64_t, v, 1)     D("U64", uint64_t, v, 1) \
    D("I32", int32_t, v, 1)      D("U32", uint32_t, v, 1)    D("I16", int16_t, v, 1)     D("U16", uint16_t, v, 1) \
    D("I8", int8_t, v, 1)        D("U8", uint8_t, v, 1)      D("BOOL", uint8_t, v, 1)

static size_t ssl__dtype_size(const char *dtype) /* 0: unknown */
{
#define SSL__DTYPE_SIZE(name, type, value, whole) if (!strcmp(dtype, name)) return sizeof(type);
    SSL__DTYPES(SSL__DTYPE_SIZE)
#undef SSL__DTYPE_SIZE
    return 0;
}
/* One loop for each type; memcpy because the file's data may be unaligned. */
#define SSL__DTYPE_CONVERT(name, type, value, whole)                                                           \
    if (SSL__WANTED(whole) && !strcmp(t->dtype, name)) {                                                       \
        for (i = 0; i < t->n; i++) { type v; memcpy(&v, p + (size_t)i * sizeof v, sizeof v); dst[i] = SSL__TO(value); } \
        return 1;                                                                                              \
    }
#define SSL__WANTED(whole) 1
#define SSL__TO(value)     (float)(value)
SSL_API int ssl_file_tensor_to_f32(const ssl_file_tensor *t, float *dst)
{
    const char *p = (const char *)t->data;
    int64_t i;
    SSL__DTYPES(SSL__DTYPE_CONVERT)
    return 0;
}
#undef SSL__WANTED
#undef SSL__TO
#define SSL__WANTED(whole) whole
#define SSL__TO(value)     (int64_t)(value)
SSL_API int ssl_file_tensor_to_i64(const ssl_file_tensor *t, int64_t *dst)
{
    const char *p = (const char *)t->data;
    int64_t i;
    SSL__DTYPES(SSL__DTYPE_CONVERT)
    return 0;
}
#undef SSL__WANTED
#undef SSL__TO
#undef SSL__DTYPE_CONVERT
#undef SSL__DTYPES

/* ---- the header: the small part of JSON that the format allows, decoded in place; every function returns 0 on bad input */
typedef struct ssl__json { char *p, *begin; const char *want; } ssl__json; /* the text ends with a 0 byte; want: what was missing */

static int ssl__json_bad(ssl__json *j, const char *want) { if (!j->want) j->want = want; return 0; }
static char ssl__json_peek(ssl__json *j)
{
    while (*j->p == ' ' || *j->p == '\n' || *j->p == '\t' || *j->p == '\r') j->p++;
    return *j->p;
}
static int ssl__json_take(ssl__json *j, char c, const char *want) { return ssl__json_peek(j) == c ? (j->p++, 1) : ssl__json_bad(j, want); }
/* After an element of a list or object: 1 if another follows, 0 at its end (or on bad input). */
static int ssl__json_more(ssl__json *j, char close)
{
    if (ssl__json_peek(j) == ',') { j->p++; return 1; }
    ssl__json_take(j, close, "a comma or a closing bracket");
    return 0;
}

static int ssl__json_hex4(ssl__json *j, uint32_t *v)
{
    int i;
    for (i = 0, *v = 0; i < 4; i++, j->p++) {
        const char c = *j->p;
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) return ssl__json_bad(j, "four hexadecimal digits");
        *v = *v * 16 + (uint32_t)digit;
    }
    return 1;
}
static char *ssl__utf8(char *out, uint32_t u)
{
    if (u < 0x80) *out++ = (char)u;
    else if (u < 0x800) { *out++ = (char)(0xc0 | u >> 6); *out++ = (char)(0x80 | (u & 63)); }
    else if (u < 0x10000) { *out++ = (char)(0xe0 | u >> 12); *out++ = (char)(0x80 | (u >> 6 & 63)); *out++ = (char)(0x80 | (u & 63)); }
    else { *out++ = (char)(0xf0 | u >> 18); *out++ = (char)(0x80 | (u >> 12 & 63)); *out++ = (char)(0x80 | (u >> 6 & 63)); *out++ = (char)(0x80 | (u & 63)); }
    return out;
}
static int ssl__json_escape(ssl__json *j, char **out) /* j->p is behind the backslash */
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *f = *j->p ? strchr(from, *j->p) : NULL;
    uint32_t u, low;
    if (f) { j->p++; *(*out)++ = to[f - from]; return 1; }
    if (*j->p++ != 'u' || !ssl__json_hex4(j, &u) || !u) return ssl__json_bad(j, "a known escape");
    if (u >= 0xd800 && u < 0xdc00) { /* a surrogate pair */
        if (j->p[0] != '\\' || j->p[1] != 'u') return ssl__json_bad(j, "a surrogate pair");
        j->p += 2;
        if (!ssl__json_hex4(j, &low) || low < 0xdc00 || low > 0xdfff) return ssl__json_bad(j, "a surrogate pair");
        u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
    }
    *out = ssl__utf8(*out, u); /* never longer than the escape */
    return 1;
}
static char *ssl__json_string(ssl__json *j)
{
    char *begin, *out;
    if (!ssl__json_take(j, '"', "a string")) return NULL;
    for (begin = out = j->p; *j->p != '"';) {
        if ((unsigned char)*j->p < 32) { ssl__json_bad(j, "a closing quote"); return NULL; }
        if (*j->p == '\\') { j->p++; if (!ssl__json_escape(j, &out)) return NULL; }
        else *out++ = *j->p++;
    }
    j->p++;
    *out = 0;
    return begin;
}
static char *ssl__json_key(ssl__json *j)
{
    char *key = ssl__json_string(j);
    return key && ssl__json_take(j, ':', "a colon") ? key : NULL;
}
static int ssl__json_uint(ssl__json *j, uint64_t *v)
{
    char c = ssl__json_peek(j);
    if (c < '0' || c > '9') return ssl__json_bad(j, "a whole number");
    for (*v = 0; (c = *j->p) >= '0' && c <= '9'; j->p++) {
        if (*v > (UINT64_C(1) << 60) / 10) return ssl__json_bad(j, "a smaller number");
        *v = *v * 10 + (uint64_t)(c - '0');
    }
    return 1;
}
static int ssl__json_uints(ssl__json *j, uint64_t *v, int cap, int *n)
{
    *n = 0;
    if (!ssl__json_take(j, '[', "a list")) return 0;
    if (ssl__json_peek(j) == ']') { j->p++; return 1; }
    do {
        if (*n == cap) return ssl__json_bad(j, "a shorter list");
        if (!ssl__json_uint(j, &v[(*n)++])) return 0;
    } while (ssl__json_more(j, ']'));
    return !j->want;
}

/* ---- reading ---- */
typedef struct ssl__extent { uint64_t begin, end; } ssl__extent; /* bytes behind the header */

static int ssl__st_tensor(ssl__json *j, ssl_file_tensor *t, ssl__extent *x) /* {"dtype":"F32","shape":[2,3],"data_offsets":[0,24]} */
{
    uint64_t dim[SSL_FILE_DIMS], offset[2];
    int n = 0, i, seen = 0;
    if (!ssl__json_take(j, '{', "a tensor's description")) return 0;
    do {
        const char *key = ssl__json_key(j);
        if (!key) return 0;
        if (!strcmp(key, "dtype")) { seen |= 1; if ((t->dtype = ssl__json_string(j)) == NULL) return 0; }
        else if (!strcmp(key, "shape")) { seen |= 2; if (!ssl__json_uints(j, dim, SSL_FILE_DIMS, &t->ndim)) return 0; }
        else if (!strcmp(key, "data_offsets")) { seen |= 4; if (!ssl__json_uints(j, offset, 2, &n)) return 0; }
        else return ssl__json_bad(j, "only dtype, shape and data_offsets");
    } while (ssl__json_more(j, '}'));
    if (seen != 7 || n != 2) return ssl__json_bad(j, "dtype, shape and two data_offsets");
    x->begin = offset[0];
    x->end = offset[1];
    for (i = 0; i < t->ndim; i++) t->dim[i] = (int64_t)dim[i];
    return !j->want;
}
static int ssl__st_notes(const char *at, ssl_safetensors *f, ssl__json *j, int *cap)
{
    if (f->n_notes) return ssl__json_bad(j, "__metadata__ once only");
    if (!ssl__json_take(j, '{', "an object of strings")) return 0;
    if (ssl__json_peek(j) == '}') { j->p++; return 1; }
    do {
        ssl_note m;
        if ((m.key = ssl__json_key(j)) == NULL || (m.value = ssl__json_string(j)) == NULL) return 0;
        if (!ssl__grow(f->ctx, at, (void **)&f->note, cap, f->n_notes + 1, sizeof m)) return 0;
        f->note[f->n_notes++] = m;
    } while (ssl__json_more(j, '}'));
    return !j->want;
}

typedef struct ssl__st_entry { ssl_file_tensor t; ssl__extent x; } ssl__st_entry;
static int ssl__by_offset(const void *a, const void *b)
{
    const ssl__extent *x = &((const ssl__st_entry *)a)->x, *y = &((const ssl__st_entry *)b)->x;
    return x->begin != y->begin ? (x->begin < y->begin ? -1 : 1) : x->end < y->end ? -1 : x->end > y->end;
}
static int ssl__by_name(const void *a, const void *b) { return strcmp(((const ssl_file_tensor *)a)->name, ((const ssl_file_tensor *)b)->name); }

/* Elements of a shape, if they are `bytes` long in that type; -1 if not. No product can overflow. */
static int64_t ssl__st_count(const ssl_file_tensor *t, uint64_t bytes)
{
    const uint64_t size = ssl__dtype_size(t->dtype);
    uint64_t n = 1;
    int i, empty = 0;
    for (i = 0; i < t->ndim; i++) empty |= t->dim[i] == 0;
    for (i = 0; i < t->ndim && !empty; i++) {
        if (n > (UINT64_C(1) << 60) / (uint64_t)t->dim[i]) return -1;
        n *= (uint64_t)t->dim[i];
    }
    if (empty) n = 0;
    return size == 0 || (n <= bytes && n * size == bytes) ? (int64_t)n : -1;
}

static int ssl__st_fail(const char *at, const ssl_safetensors *f, const char *fmt, const char *what)
{
    char text[400];
    snprintf(text, sizeof text, fmt, what);
    ssl__fail(f->ctx, SSL_E_IO, at, "%s is not a well-formed safetensors file: %s", f->path, text);
    return 0;
}

/* Put the tensors in place: extents must follow each other without hole or overlap from 0 to the end of the data. */
static int ssl__st_place(const char *at, ssl_safetensors *f, ssl__st_entry *e, const char *data, uint64_t size)
{
    uint64_t end = 0;
    int i;
    if (f->n_tensors) qsort(e, (size_t)f->n_tensors, sizeof *e, ssl__by_offset);
    for (i = 0; i < f->n_tensors; end = e[i++].x.end) {
        ssl_file_tensor *t = &e[i].t;
        if (e[i].x.begin != end || e[i].x.end < end) return ssl__st_fail(at, f, "the data of %s overlaps or leaves a hole", t->name);
        if (e[i].x.end > size) return ssl__st_fail(at, f, "the data of %s goes beyond the end of the file, which may be truncated", t->name);
        t->bytes = (size_t)(e[i].x.end - e[i].x.begin);
        t->data = data + e[i].x.begin;
        if ((t->n = ssl__st_count(t, t->bytes)) < 0) return ssl__st_fail(at, f, "the shape of %s does not fit its number of bytes", t->name);
        f->tensor[i] = *t;
    }
    if (end != size) return ssl__st_fail(at, f, "%s after the last tensor", "there is more data");
    qsort(f->tensor, (size_t)f->n_tensors, sizeof *f->tensor, ssl__by_name);
    for (i = 1; i < f->n_tensors; i++)
        if (!strcmp(f->tensor[i - 1].name, f->tensor[i].name)) return ssl__st_fail(at, f, "the name %s occurs twice", f->tensor[i].name);
    return 1;
}

static int ssl__st_entries(const char *at, ssl_safetensors *f, ssl__json *j, ssl__st_entry **entry)
{
    int cap = 0, cap_notes = 0;
    int more = ssl__json_take(j, '{', "an object");
    if (more && ssl__json_peek(j) == '}') { j->p++; more = 0; }
    for (; more; more = ssl__json_more(j, '}')) {
        const char *key = ssl__json_key(j);
        if (!key) return 0;
        if (!strcmp(key, "__metadata__")) {
            if (!ssl__st_notes(at, f, j, &cap_notes)) return 0;
        } else {
            if (!ssl__grow(f->ctx, at, (void **)entry, &cap, f->n_tensors + 1, sizeof **entry)) return 0;
            (*entry)[f->n_tensors].t.name = key;
            if (!ssl__st_tensor(j, &(*entry)[f->n_tensors].t, &(*entry)[f->n_tensors].x)) return 0;
            f->n_tensors++;
        }
    }
    return !j->want && (ssl__json_peek(j) == 0 || ssl__json_bad(j, "the end of the header"));
}

static int ssl__st_parse(const char *at, ssl_safetensors *f, char *header, const char *data, uint64_t data_size)
{
    ssl__st_entry *entry = NULL;
    ssl__json j;
    int ok;
    j.p = j.begin = header;
    j.want = NULL;
    ok = ssl__st_entries(at, f, &j, &entry);
    if (!ok && !f->ctx->status) {
        char where[120];
        snprintf(where, sizeof where, "at byte %ld of its header %s is expected", (long)(j.p - j.begin), j.want);
        ssl__st_fail(at, f, "%s", where);
    }
    if (ok) ok = (f->tensor = (ssl_file_tensor *)ssl__alloc(f->ctx, at, sizeof *f->tensor * (size_t)(f->n_tensors + 1))) != NULL;
    if (ok) ok = ssl__st_place(at, f, entry, data, data_size);
    ssl__release(entry);
    return ok;
}

/* Header, a 0 byte, and at the next multiple of 64 the data. */
static int ssl__st_read(const char *at, ssl_safetensors *f, FILE *in)
{
    unsigned char head[8];
    uint64_t n = 0, size;
    size_t start;
    long end;
    char *p;
    int i;
    if (fread(head, 1, 8, in) != 8 || fseek(in, 0, SEEK_END) || (end = ftell(in)) < 8 || fseek(in, 8, SEEK_SET))
        return ssl__st_fail(at, f, "%s", "it is shorter than 8 bytes, or no regular file");
    for (i = 7; i >= 0; i--) n = n << 8 | head[i];
    size = (uint64_t)end - 8;
    if (n > size || n > 100000000) return ssl__st_fail(at, f, "%s", "the header is longer than the file, which may be truncated");
    start = ((size_t)n + 64) & ~(size_t)63;
    size -= n;
    p = (char *)ssl__alloc(f->ctx, at, start + (size_t)size);
    if (!p) return 0;
    f->memory = p;
    if (fread(p, 1, (size_t)n, in) != n || fread(p + start, 1, (size_t)size, in) != size) return ssl__st_fail(at, f, "%s", "it could not be read to its end");
    return ssl__st_parse(at, f, p, p + start, size);
}

SSL_API ssl_safetensors *ssl_safetensors_open_at(const char *at, ssl_ctx *c, const char *path)
{
    ssl_safetensors *f;
    FILE *in;
    int ok;
    if (c->status) return NULL;
    if ((in = fopen(path, "rb")) == NULL) { ssl__fail(c, SSL_E_IO, at, "cannot open %s: %s", path, strerror(errno)); return NULL; }
    f = (ssl_safetensors *)ssl__alloc(c, at, sizeof *f);
    ok = f && (f->path = (char *)ssl__alloc(c, at, strlen(path) + 1)) != NULL;
    if (ok) {
        f->ctx = c;
        strcpy(f->path, path);
        ok = ssl__st_read(at, f, in);
    }
    fclose(in);
    if (ok) return f;
    ssl_safetensors_close(f);
    return NULL;
}

SSL_API void ssl_safetensors_close(ssl_safetensors *f)
{
    if (!f) return;
    ssl__release(f->path);
    ssl__release(f->tensor);
    ssl__release(f->note);
    ssl__release(f->memory);
    ssl__release(f);
}

SSL_API const ssl_file_tensor *ssl_safetensors_find(const ssl_safetensors *f, const char *name)
{
    ssl_file_tensor key;
    key.name = name;
    return f && f->n_tensors ? (const ssl_file_tensor *)bsearch(&key, f->tensor, (size_t)f->n_tensors, sizeof key, ssl__by_name) : NULL;
}
SSL_API const char *ssl_safetensors_note(const ssl_safetensors *f, const char *key)
{
    int i;
    for (i = 0; f && i < f->n_notes; i++) if (!strcmp(f->note[i].key, key)) return f->note[i].value;
    return NULL;
}

/* ---- writing ---- */
typedef struct ssl__text { char *p; int n, cap; } ssl__text; /* a growing string; a failure shows in the context */
static void ssl__text_put(ssl_ctx *c, const char *at, ssl__text *t, const char *s, size_t n)
{
    if (!ssl__grow(c, at, (void **)&t->p, &t->cap, t->n + (int)n + 1, 1)) return;
    memcpy(t->p + t->n, s, n);
    t->p[t->n += (int)n] = 0;
}
static void ssl__text_json(ssl_ctx *c, const char *at, ssl__text *t, const char *s) /* "quoted" */
{
    char code[8];
    ssl__text_put(c, at, t, "\"", 1);
    for (; *s; s++) ssl__text_put(c, at, t, code, (size_t)ssl__json_char(*s, code));
    ssl__text_put(c, at, t, "\"", 1);
}
static void ssl__text_uints(ssl_ctx *c, const char *at, ssl__text *t, const char *key, const int64_t *v, int n) /* ,"key":[1,2] */
{
    char u[40];
    int i;
    ssl__text_put(c, at, t, u, (size_t)snprintf(u, sizeof u, ",\"%s\":[", key));
    for (i = 0; i < n; i++) ssl__text_put(c, at, t, u, (size_t)snprintf(u, sizeof u, i ? ",%lld" : "%lld", (long long)v[i]));
    ssl__text_put(c, at, t, "]", 1);
}
static int64_t ssl__st_bytes(const ssl_file_tensor *t)
{
    int64_t n = (int64_t)ssl__dtype_size(t->dtype);
    int i;
    for (i = 0; i < t->ndim; i++) n *= t->dim[i];
    return n;
}

/* The order in the file: wide types first, so that every tensor is naturally aligned. -1 at the end. */
static int ssl__st_next(const ssl_file_tensor *t, int n, size_t *size, int i)
{
    for (; *size; *size /= 2, i = -1)
        for (i++; i < n; i++) if (ssl__dtype_size(t[i].dtype) == *size) return i;
    return -1;
}
static void ssl__st_header(ssl_ctx *c, const char *at, ssl__text *h, int n, const ssl_file_tensor *t, int n_notes, const ssl_note *note)
{
    int64_t extent[2] = { 0, 0 };
    size_t size = 8;
    int i;
    ssl__text_put(c, at, h, "{\"__metadata__\":{", 17);
    for (i = 0; i < n_notes; i++) {
        if (i) ssl__text_put(c, at, h, ",", 1);
        ssl__text_json(c, at, h, note[i].key);
        ssl__text_put(c, at, h, ":", 1);
        ssl__text_json(c, at, h, note[i].value);
    }
    ssl__text_put(c, at, h, "}", 1);
    for (i = ssl__st_next(t, n, &size, -1); i >= 0; i = ssl__st_next(t, n, &size, i)) {
        extent[0] = extent[1];
        extent[1] += ssl__st_bytes(&t[i]);
        ssl__text_put(c, at, h, ",", 1);
        ssl__text_json(c, at, h, t[i].name);
        ssl__text_put(c, at, h, ":{\"dtype\":", 10);
        ssl__text_json(c, at, h, t[i].dtype);
        ssl__text_uints(c, at, h, "shape", t[i].dim, t[i].ndim);
        ssl__text_uints(c, at, h, "data_offsets", extent, 2);
        ssl__text_put(c, at, h, "}", 1);
    }
    ssl__text_put(c, at, h, "}       ", 1 + (size_t)(7 - h->n % 8)); /* data starts at a multiple of 8 */
}

static int ssl__write_all(int fd, const void *data, size_t n)
{
    const char *p = (const char *)data;
    while (n) {
        const ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return 0;
        p += done;
        n -= (size_t)done;
    }
    return 1;
}
typedef int (*ssl__get_fn)(ssl_ctx *c, void *dst, const void *src, size_t n); /* from where the tensors' data is: host or device */
static int ssl__st_write_fd(ssl_ctx *c, int fd, const ssl__text *header, int n, const ssl_file_tensor *t, ssl__get_fn get)
{
    static const size_t piece = 1 << 16;
    unsigned char length[8], part[1 << 16];
    size_t size = 8, done;
    int i;
    for (i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)header->n >> (8 * i));
    if (!ssl__write_all(fd, length, 8) || !ssl__write_all(fd, header->p, (size_t)header->n)) return 0;
    for (i = ssl__st_next(t, n, &size, -1); i >= 0; i = ssl__st_next(t, n, &size, i)) {
        const size_t bytes = (size_t)ssl__st_bytes(&t[i]);
        for (done = 0; done < bytes; done += piece) {
            const size_t m = SSL__MIN(piece, bytes - done);
            if (!get(c, part, (const char *)t[i].data + done, m) || !ssl__write_all(fd, part, m)) return 0;
        }
    }
    return fsync(fd) == 0;
}
static int ssl__st_write(const char *at, ssl_ctx *c, const char *path, int n, const ssl_file_tensor *t, int n_notes, const ssl_note *note, ssl__get_fn get)
{
    const size_t len = strlen(path);
    char *tmp = (char *)ssl__alloc(c, at, len + 5);
    ssl__text header = { NULL, 0, 0 };
    struct stat st;
    int fd = -1, ok;
    ssl__st_header(c, at, &header, n, t, n_notes, note);
    if (c->status) { ssl__release(tmp); ssl__release(header.p); return 0; }
    memcpy(tmp, path, len);
    memcpy(tmp + len, ".tmp", 5);
    errno = 0;
    ok = stat(path, &st) != 0 || S_ISREG(st.st_mode) || (errno = EEXIST, 0); /* never replace a device or a folder */
    ok = ok && (fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC, 0666)) >= 0 && ssl__st_write_fd(c, fd, &header, n, t, get);
    if (fd >= 0 && close(fd)) ok = 0;
    ok = ok && rename(tmp, path) == 0;
    if (!ok) {
        ssl__fail(c, SSL_E_IO, at, "cannot write %s: %s; a file of that name is as it was", path, errno == EEXIST ? "it is not a regular file" : strerror(errno));
        if (fd >= 0) unlink(tmp);
    }
    ssl__release(tmp);
    ssl__release(header.p);
    return ok;
}
SSL_API int ssl_safetensors_write_at(const char *at, ssl_ctx *c, const char *path, int n, const ssl_file_tensor *t, int n_notes, const ssl_note *note)
{
    int i;
    if (c->status) return 0;
    for (i = 0; i < n; i++)
        if (!ssl__dtype_size(t[i].dtype)) { ssl__fail(c, SSL_E_ARG, at, "ssl_safetensors_write: %s has the unknown type %s", t[i].name, t[i].dtype); return 0; }
    return ssl__st_write(at, c, path, n, t, n_notes, note, ssl__cpu_copy);
}

/* ---- notes ---- */
SSL_API const char *ssl_note_find(const ssl_ctx *c, const char *key)
{
    int i;
    for (i = 0; i < c->n_notes; i++) if (!strcmp(c->notes[i].key, key)) return c->notes[i].value;
    return NULL;
}
static char *ssl__copy_string(ssl_ctx *c, const char *at, const char *s)
{
    const size_t n = strlen(s) + 1;
    char *p = (char *)ssl__alloc(c, at, n);
    if (p) memcpy(p, s, n);
    return p;
}
static void ssl__note(const char *at, ssl_ctx *c, const char *key, const char *value)
{
    char *copy;
    int i;
    for (i = 0; i < c->n_notes && strcmp(c->notes[i].key, key); i++) { }
    if (!ssl__grow(c, at, (void **)&c->notes, &c->cap_notes, i + 1, sizeof *c->notes)) return;
    if ((copy = ssl__copy_string(c, at, value)) == NULL) return;
    if (i == c->n_notes) {
        if ((c->notes[i].key = ssl__copy_string(c, at, key)) == NULL) { ssl__release(copy); return; }
        c->n_notes++;
    } else ssl__release((void *)(uintptr_t)c->notes[i].value);
    c->notes[i].value = copy;
}
SSL_API void ssl_note_put_at(const char *at, ssl_ctx *c, const char *key, const char *fmt, ...)
{
    va_list ap;
    char *value;
    int n;
    if (c->status) return;
    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if ((value = (char *)ssl__alloc(c, at, (size_t)SSL__MAX(n, 0) + 1)) == NULL) return;
    va_start(ap, fmt);
    vsnprintf(value, (size_t)SSL__MAX(n, 0) + 1, fmt, ap);
    va_end(ap);
    ssl__note(at, c, key, value);
    ssl__release(value);
}

/* ---- checkpoints ---- */
static const char *const ssl__moment_prefix[2] = { "optim.m.", "optim.v." };

static const char *ssl__glue(ssl_ctx *c, const char *at, const char *a, const char *b) /* in step memory */
{
    char *p = (char *)ssl__aux(c, at, strlen(a) + strlen(b) + 1);
    return p ? strcat(strcpy(p, a), b) : "";
}
static void ssl__describe(ssl_file_tensor *f, const char *name, const ssl_tensor *t, const float *data)
{
    int i;
    f->name = name;
    f->dtype = "F32";
    f->ndim = t->ndim;
    for (i = 0; i < t->ndim; i++) f->dim[i] = t->dim[i];
    f->data = data;
}

SSL_API int ssl_save_at(const char *at, ssl_ctx *c, const char *path)
{
    ssl_file_tensor *t = (ssl_file_tensor *)ssl__aux(c, at, sizeof *t * 3 * (size_t)(c->n_params + 1));
    ssl_note *note = (ssl_note *)ssl__aux(c, at, sizeof *note * (size_t)(c->n_notes + 3));
    char *number = (char *)ssl__aux(c, at, 3 * 24);
    int i, k, n = 0;
    if (c->dev->settle && !c->status) c->dev->settle(c);
    if (c->status) return 0;
    for (i = 0; i < c->n_params; i++) {
        const ssl__param *p = c->param[i];
        ssl__describe(&t[n++], p->name, &p->t, p->t.x);
        for (k = 0; k < 2 && c->opt_step && !p->frozen && p->slot >= 0 && c->state[k + 1]; k++)
            ssl__describe(&t[n++], ssl__glue(c, at, ssl__moment_prefix[k], p->name), &p->t, c->state[k + 1] + p->slot);
    }
    note[0].key = "ssl.opt_step";
    note[1].key = "ssl.rng_position";
    note[2].key = "ssl.seed";
    for (i = 0; i < 3; i++) {
        snprintf(number + 24 * i, 24, "%llu", (unsigned long long)(i == 0 ? (uint64_t)c->opt_step : i == 1 ? c->rng_position : c->seed));
        note[i].value = number + 24 * i;
    }
    if (c->n_notes) memcpy(note + 3, c->notes, sizeof *note * (size_t)c->n_notes);
    return !c->status && ssl__st_write(at, c, path, n, t, c->n_notes + 3, note, c->dev->get);
}

typedef struct ssl__names { int n; char text[200]; } ssl__names; /* the first three of a list, and how many there are */
static void ssl__names_add(ssl__names *l, const char *fmt, const char *a, const char *b, const char *d)
{
    const size_t used = strlen(l->text);
    if (l->n++ > 3 || used + 8 > sizeof l->text) return;
    if (l->n > 3) { snprintf(l->text + used, sizeof l->text - used, ", ..."); return; }
    snprintf(l->text + used, sizeof l->text - used, "%s", l->n > 1 ? ", " : "");
    snprintf(l->text + strlen(l->text), sizeof l->text - strlen(l->text) - 6, fmt, a, b, d);
}

/* FROM.rest -> TO.rest in step memory; NULL if the name is not under `from`. */
static const char *ssl__renamed(ssl_ctx *c, const char *at, const char *name, const char *from, const char *to)
{
    const char *rest = ssl__under(name, from);
    if (!rest) return NULL;
    if (*rest == '.') rest++;
    return ssl__glue(c, at, *to && *rest ? ssl__glue(c, at, to, ".") : to, rest);
}
static const char *ssl__file_shape(const ssl_file_tensor *t, char buf[96])
{
    ssl_tensor s;
    int i;
    s.ndim = SSL__MIN(t->ndim, SSL_DIMS);
    for (i = 0; i < s.ndim; i++) s.dim[i] = (int)SSL__MIN(t->dim[i], 0x7fffffff);
    return ssl__shape(&s, buf);
}
static int ssl__shape_fits(const ssl_file_tensor *f, const ssl_tensor *t)
{
    int i, same = f->ndim == t->ndim;
    for (i = 0; i < f->ndim && same; i++) same = f->dim[i] == t->dim[i];
    return same;
}

typedef struct ssl__load {
    const char *at, *only, *file_prefix;
    ssl_ctx *c;
    ssl_safetensors *f;
    const ssl_file_tensor **from[3]; /* for each parameter: values, moments; NULL: leave it */
    ssl__names missing, extra, shape;
    int n, moments;
} ssl__load;

static void ssl__load_match(ssl__load *l, int i, int k, const char *name)
{
    const ssl__param *p = l->c->param[i];
    const ssl_file_tensor *t = ssl_safetensors_find(l->f, name);
    char a[96], b[96];
    if (!t) ssl__names_add(&l->missing, "%s", name, "", "");
    else if (!ssl__shape_fits(t, &p->t)) ssl__names_add(&l->shape, "%s is %s in the file and %s here", name, ssl__file_shape(t, a), ssl__shape(&p->t, b));
    else if (!ssl__dtype_size(t->dtype)) ssl__names_add(&l->shape, "%s has the unknown type %s", name, t->dtype, "");
    else l->from[k][i] = t;
}
static int ssl__load_moments(const ssl_safetensors *f) /* SGD and LARS have one, Adam two */
{
    int i;
    for (i = 0; i < f->n_tensors; i++) if (ssl__under(f->tensor[i].name, ssl__moment_prefix[1])) return 2;
    return 1;
}
/* Find the file's tensor for every parameter and note what differs; nothing is changed yet. */
static void ssl__load_plan(ssl__load *l, const ssl_load_desc *d)
{
    ssl_ctx *c = l->c;
    int i, k;
    for (i = 0; i < c->n_params && !c->status; i++) {
        const ssl__param *p = c->param[i];
        const char *name = ssl__renamed(c, l->at, p->name, l->only, l->file_prefix);
        if (!name) continue;
        ssl__load_match(l, i, 0, name);
        if (l->from[0][i]) l->n++;
        for (k = 0; k < l->moments && !p->frozen; k++) ssl__load_match(l, i, k + 1, ssl__glue(c, l->at, ssl__moment_prefix[k], name));
    }
    for (i = 0; i < l->f->n_tensors && !d->partial && !c->status; i++) {
        const char *name = l->f->tensor[i].name, *here = ssl__renamed(c, l->at, name, l->file_prefix, l->only);
        if (here && strncmp(name, "optim.", 6) && !ssl_param_find(c, here)) ssl__names_add(&l->extra, "%s", name, "", "");
    }
}
static const char *ssl__names_say(const ssl__names *l, const char *what, char buf[280]) /* "; 2 missing in the file (a, b)" */
{
    buf[0] = 0;
    if (l->n) snprintf(buf, 280, "; %d %s (%s)", l->n, what, l->text);
    return buf;
}
static int ssl__load_fits(ssl__load *l, const ssl_load_desc *d)
{
    char missing[280], extra[280], shape[280];
    if (d->partial) l->missing.n = 0;
    if (l->c->status) return 0;
    if (!l->missing.n && !l->extra.n && !l->shape.n && l->n) return 1;
    ssl__fail(l->c, SSL_E_SHAPE, l->at, "ssl_load: the parameters of %s are not those of the network%s%s%s%s: build the network as it was saved%s", l->f->path,
              l->n ? "" : "; no name agrees", ssl__names_say(&l->missing, "missing in the file", missing),
              ssl__names_say(&l->extra, "in the file but not in the network", extra), ssl__names_say(&l->shape, "of another shape", shape),
              d->partial ? "" : ", or set partial or weights_only in ssl_load_desc");
    return 0;
}
static void ssl__load_fill(ssl__load *l)
{
    ssl_ctx *c = l->c;
    int64_t most = 1;
    float *host;
    int i, k;
    if (l->moments && !ssl__state_ready(c, l->at, 1 + l->moments)) return;
    for (i = 0; i < c->n_params; i++) most = SSL__MAX(most, ssl_numel(&c->param[i]->t));
    if ((host = (float *)ssl__alloc(c, l->at, sizeof(float) * (size_t)most)) == NULL) return;
    for (k = 0; k < 3; k++)
        for (i = 0; i < c->n_params; i++)
            if (l->from[k][i]) {
                ssl_file_tensor_to_f32(l->from[k][i], host);
                ssl__put(c, k ? c->state[k] + c->param[i]->slot : c->param[i]->t.x, host, sizeof(float) * (size_t)l->from[k][i]->n);
                c->param[i]->known = 0;
            }
    ssl__release(host);
}

static uint64_t ssl__note_u64(const ssl_safetensors *f, const char *key) /* 0 if it is missing or no number */
{
    const char *s = ssl_safetensors_note(f, key);
    uint64_t v = 0;
    for (; s && *s >= '0' && *s <= '9'; s++) v = v * 10 + (uint64_t)(*s - '0');
    return v;
}
static void ssl__load_state(ssl__load *l) /* what else a resumed run needs */
{
    int i;
    l->c->opt_step = (int64_t)(ssl__note_u64(l->f, "ssl.opt_step") & INT64_MAX);
    l->c->rng_position = ssl__note_u64(l->f, "ssl.rng_position");
    l->c->seed = ssl__note_u64(l->f, "ssl.seed");
    for (i = 0; i < l->f->n_notes; i++)
        if (strncmp(l->f->note[i].key, "ssl.", 4)) ssl__note(l->at, l->c, l->f->note[i].key, l->f->note[i].value);
}

SSL_API int ssl_load_at(const char *at, ssl_ctx *c, const char *path, const ssl_load_desc *desc)
{
    ssl_load_desc d = SSL_ZERO;
    ssl__load l;
    int k, all;
    if (c->status) return 0;
    if (desc) d = *desc;
    if (d._start_canary || d._end_canary) { ssl__fail(c, SSL_E_ARG, at, "ssl_load: the ssl_load_desc is not initialized: write `ssl_load_desc d = SSL_ZERO;`"); return 0; }
    memset(&l, 0, sizeof l);
    l.at = at;
    l.c = c;
    l.only = d.only ? d.only : "";
    l.file_prefix = d.file_prefix ? d.file_prefix : l.only;
    all = !d.weights_only && !d.only;
    for (k = 0; k < 3; k++) l.from[k] = (const ssl_file_tensor **)ssl__aux(c, at, sizeof **l.from * (size_t)(c->n_params + 1));
    if ((l.f = ssl_safetensors_open_at(at, c, path)) == NULL) return 0;
    if (all && ssl__note_u64(l.f, "ssl.opt_step") > 0) l.moments = ssl__load_moments(l.f);
    ssl__load_plan(&l, &d);
    if (ssl__load_fits(&l, &d)) {
        ssl__load_fill(&l);
        if (all) ssl__load_state(&l);
    }
    ssl_safetensors_close(l.f);
    return c->status ? 0 : l.n;
}

SSL__COLD_END
#ifdef __cplusplus
}
#endif
#endif /* part 2 */
