/* Every misuse yields exactly one message, which names this file and line, the call, and the shapes that met; the result is
   the nil tensor; and any calls after it are quiet no-ops.   ./build/test_errors [NAME] */
#ifndef _GNU_SOURCE
#  define _GNU_SOURCE /* dup, fileno */
#endif
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "check.h"
#include <unistd.h>

static ssl_ctx *ctx;
static int n_messages;
static char message[1024];
static void on_error(ssl_status code, const char *text, void *user)
{
    (void)code;
    n_messages++;
    CHECK(user == &n_messages);
    snprintf(message, sizeof message, "%s", text);
}
static void begin(void)
{
    ssl_desc d = SSL_ZERO;
    d.on_error = on_error;
    d.on_error_user = &n_messages;
    n_messages = 0;
    message[0] = 0;
    ctx = ssl_open(&d);
}

static ssl_tensor *const none = NULL; /* where a tensor should be */
static ssl_tensor *f1(int a) { return ssl_requires_grad(ssl_input(ctx, NULL, 1, a)); }
static ssl_tensor *f2(int a, int b) { return ssl_requires_grad(ssl_input(ctx, NULL, 2, a, b)); }
static ssl_tensor *f3(int a, int b, int c) { return ssl_requires_grad(ssl_input(ctx, NULL, 3, a, b, c)); }
static ssl_tensor *f4(int a, int b, int c, int d) { return ssl_requires_grad(ssl_input(ctx, NULL, 4, a, b, c, d)); }
static ssl_tensor *i1(int a, int value) { ssl_tensor *t = ssl_input_i32(ctx, NULL, 1, a); if (t->i) t->i[a - 1] = value; return t; }
static ssl_tensor *i2(int a, int b, int value) { ssl_tensor *t = ssl_input_i32(ctx, NULL, 2, a, b); if (t->i) t->i[a * b - 1] = value; return t; }

static void twenty_more(ssl_tensor *t)
{
    ssl_tensor *x = f3(2, 3, 4), *list[2];
    list[0] = t; list[1] = x;
    ssl_gelu(t); ssl_scale(x, 2.0f); ssl_linear(t, x, t); ssl_matmul(x, t); ssl_add(t, x);
    ssl_sum(t); ssl_mean(x); ssl_sum_axes(t, SSL_AXIS(1), 0); ssl_reshape(t, 2, 1, -1); ssl_detach(t);
    ssl_permute(t, 0, 1, 2); ssl_concat(1, 2, list); ssl_slice(t, 0, 0, 1); ssl_gather_tokens(t, x); ssl_softmax(t);
    ssl_layer_norm(t, x, t, 1e-5f); ssl_cross_entropy(t, x, 0.0f); ssl_mse(t, x); ssl_backward(t); ssl_param(ctx, ssl_init_make(SSL_INIT_ZEROS, 0.0f), "p", 1, 4);
    ssl_zero_grad(ctx); ssl_adamw_step(ctx, 1e-3f); ssl_step_end(ctx);
}

static void misuse(ssl_tensor *result, int line, const char *call, const char *part1, const char *part2)
{
    char want[64];
    const int at_fault = check_failed;
    snprintf(want, sizeof want, "test_errors.c:%d: error: %s: ", line, call);
    CHECK(n_messages == 1 && strstr(message, want) && strstr(message, part1) && strstr(message, part2));
    CHECK(result == &ctx->nil && !ssl_ok(ctx));
    twenty_more(result);
    CHECK(n_messages == 1 && !strcmp(message, ssl_error_message(ctx)));
    if (check_failed != at_fault) printf("line %d: %d messages, the last: %s\n", line, n_messages, message);
    ssl_close(ctx);
}
/* The call, and three texts of its message: op, and two shapes or values. */
#define MISUSE(call, op, part1, part2)                                                                         \
    do {                                                                                                       \
        begin();                                                                                               \
        misuse(call, __LINE__, op, part1, part2);                                                              \
    } while (0)
#define MISUSE_VOID(call, op, part1, part2) MISUSE((call, &ctx->nil), op, part1, part2)

static void test_engine(void)
{
    int two = 2;
    MISUSE(ssl_input(ctx, NULL, 0), "ssl_input", "0 axes", "1 to 6");
    MISUSE(ssl_input(ctx, NULL, 2, 3, 0), "ssl_input", "axis 1", "0 elements");
    MISUSE(ssl_input_u8(ctx, NULL, 1, -5), "ssl_input_u8", "-5", "at least 1");
    MISUSE(ssl_input_u8(ctx, NULL, 3, 1 << 30, 2, 1), "ssl_input_u8", "2^31 - 1 rows", "of 1");
    MISUSE_VOID(ssl_backward(f2(3, 1)), "ssl_backward", "[3,1]", "one element");
    MISUSE_VOID(ssl_backward(ssl_input(ctx, NULL, 1, 1)), "ssl_backward", "no parameter", "ssl_input");
    MISUSE(ssl_param(ctx, ssl_init_make(SSL_INIT_ZEROS, 0.0f), "w", 2, 3, -1), "ssl_param", "\"w\"", "-1");
    MISUSE(ssl_param(ctx, ssl_init_make(SSL_INIT_ZEROS, 0.0f), "w", 4, 1 << 30, 1 << 30, 1 << 30, 1 << 30), "ssl_param", "\"w\"", "2^40 elements");
    MISUSE(ssl_param(ctx, ssl_init_make(SSL_INIT_ZEROS, 0.0f), "w", 7, 1, 1, 1, 1, 1, 1, 1), "ssl_param", "\"w\"", "7 axes");
    MISUSE((ssl_gelu(f1(2)), ssl_param(ctx, ssl_init_make(SSL_INIT_ZEROS, 0.0f), "w", 1, 2)), "ssl_param", "\"w\"", "before");
    MISUSE(ssl_custom_op(ctx, "mine", NULL, NULL, NULL, 0, 0, &none, 9, &two), "mine", "9 axes", "");
}
static void test_elementwise(void)
{
    MISUSE(ssl_relu(i1(3, 0)), "ssl_relu", "x[3]", "I32");
    MISUSE(ssl_gelu(i2(3, 4, 0)), "ssl_gelu", "x[3,4]", "F32 is needed");
    MISUSE(ssl_scale(ssl_input_u8(ctx, NULL, 1, 5), 2.0f), "ssl_scale", "x[5]", "U8");
    MISUSE(ssl_add(f3(2, 3, 4), f2(2, 4)), "ssl_add", "a[2,3,4]", "b[2,4]");
    MISUSE(ssl_mul(f1(4), i1(4, 0)), "ssl_mul", "b[4]", "I32");
    MISUSE(ssl_sum(i1(4, 0)), "ssl_sum", "x[4]", "I32");
    MISUSE(ssl_mean_axes(f2(3, 4), SSL_AXIS(2), 0), "ssl_mean_axes", "x[3,4]", "0 to 1");
    MISUSE(ssl_sum_axes(f2(3, 4), 0, 0), "ssl_sum_axes", "x[3,4]", "SSL_AXIS");
}
static void test_products(void)
{
    MISUSE(ssl_linear(f3(64, 197, 192), f2(384, 193), NULL), "ssl_linear", "x[64,197,192]", "w[384,193]");
    MISUSE(ssl_linear(f2(5, 3), f2(4, 3), f1(5)), "ssl_linear", "w[4,3]", "b[5]");
    MISUSE(ssl_linear(i2(5, 3, 0), f2(4, 3), NULL), "ssl_linear", "x[5,3]", "I32");
    MISUSE(ssl_linear(f2(5, 3), i2(4, 3, 0), NULL), "ssl_linear", "w[4,3]", "I32");
    MISUSE(ssl_linear(f2(5, 3), f2(4, 3), i1(4, 0)), "ssl_linear", "b[4]", "I32");
    MISUSE(ssl_linear_fused(f2(5, 3), f2(4, 3), NULL, (ssl_act)9, NULL), "ssl_linear", "act 9", "ssl_act");
    MISUSE(ssl_linear_fused(f2(5, 3), f2(4, 3), NULL, SSL_ACT_RELU, f2(4, 4)), "ssl_linear", "x[5,3]", "residual[4,4]");
    MISUSE(ssl_matmul(f3(64, 197, 192), f2(384, 192)), "ssl_matmul", "a[64,197,192]", "b[384,192]");
    MISUSE(ssl_matmul(f3(2, 3, 4), f3(3, 4, 5)), "ssl_matmul", "a[2,3,4]", "b[3,4,5]");
    MISUSE(ssl_matmul_t(f2(3, 4), f2(4, 3), 1, 0), "ssl_matmul", "a[3,4]^T", "b[4,3]");
    MISUSE(ssl_matmul(f1(3), f2(3, 3)), "ssl_matmul", "a[3]", "b[3,3]");
    MISUSE(ssl_matmul(f2(3, 3), i2(3, 3, 0)), "ssl_matmul", "b[3,3]", "I32");
}
static void test_shapes(void)
{
    ssl_tensor *list[2];
    MISUSE(ssl_reshape(f2(3, 4), 2, 5, -1), "ssl_reshape", "[3,4]", "by 5");
    MISUSE(ssl_reshape(f2(3, 4), 1, 13), "ssl_reshape", "[3,4]", "[13]");
    MISUSE(ssl_reshape(f2(3, 4), 9, 1, 1, 1, 1, 1, 1, 1, 1, 12), "ssl_reshape", "9 axes", "");
    MISUSE(ssl_expand(f2(3, 4), 2, 6, 4), "ssl_expand", "x[3,4]", "[6,4]");
    MISUSE(ssl_permute(f2(3, 4), 0, 0), "ssl_permute", "x[3,4]", "once");
    MISUSE(ssl_permute(f2(3, 4), 0, 7), "ssl_permute", "x[3,4]", "0 to 1");
    MISUSE((list[0] = f2(3, 4), list[1] = f2(2, 5), ssl_concat(0, 2, list)), "ssl_concat", "[3,4]", "[2,5]");
    MISUSE((list[0] = f2(3, 4), list[1] = i2(3, 4, 0), ssl_concat(0, 2, list)), "ssl_concat", "F32[3,4]", "I32[3,4]");
    MISUSE((list[0] = f2(3, 4), ssl_concat(2, 1, list)), "ssl_concat", "axis 2", "[3,4]");
    MISUSE(ssl_reshape(f2(3, 4), 6, -1, 1 << 30, 1 << 30, 1 << 30, 1 << 30, 1 << 30), "ssl_reshape", "[3,4]", "do not divide");
    MISUSE(ssl_slice(f2(3, 4), 1, 2, 5), "ssl_slice", "2 to 5", "x[3,4]");
    MISUSE(ssl_slice(f2(3, 4), 1, 2, 2), "ssl_slice", "2 to 2", "x[3,4]");
    MISUSE(ssl_slice(f2(3, 4), 4, 0, 1), "ssl_slice", "axis 4", "x[3,4]");
}
static void test_tokens(void)
{
    MISUSE(ssl_gather_tokens(f3(2, 5, 4), i2(3, 2, 0)), "ssl_gather_tokens", "x[2,5,4]", "index[3,2]");
    MISUSE(ssl_gather_tokens(f3(2, 5, 4), i2(2, 2, 5)), "ssl_gather_tokens", "holds 5", "x[2,5,4]");
    MISUSE(ssl_gather_tokens(f3(2, 5, 4), i2(2, 2, -1)), "ssl_gather_tokens", "holds -1", "x[2,5,4]");
    MISUSE(ssl_gather_tokens(f3(2, 5, 4), f2(2, 2)), "ssl_gather_tokens", "index[2,2]", "I32 is needed");
    MISUSE(ssl_index_select(f3(2, 5, 4), i1(3, 9)), "ssl_index_select", "holds 9", "x[2,5,4]");
    MISUSE(ssl_index_select(f2(5, 4), i1(3, 0)), "ssl_index_select", "x[5,4]", "index[3]");
    MISUSE(ssl_unshuffle_tokens(f3(2, 5, 4), i2(2, 4, 0)), "ssl_unshuffle_tokens", "x[2,5,4]", "index[2,4]");
    MISUSE(ssl_scatter_tokens(f3(2, 5, 4), f3(2, 3, 3), i2(2, 3, 0)), "ssl_scatter_tokens", "base[2,5,4]", "x[2,3,3]");
    MISUSE(ssl_patchify(f4(2, 3, 33, 32), 4, SSL_PATCH_ROW_COL_CHANNEL), "ssl_patchify", "images[2,3,33,32]", "patch 4");
    MISUSE(ssl_patchify(f4(2, 3, 32, 32), 0, SSL_PATCH_ROW_COL_CHANNEL), "ssl_patchify", "images[2,3,32,32]", "patch 0");
    MISUSE(ssl_unpatchify(f3(2, 9, 48), 4, 3, 16, 16, SSL_PATCH_ROW_COL_CHANNEL), "ssl_unpatchify", "x[2,9,48]", "patch 4");
    MISUSE(ssl_unpatchify(f3(2, 9, 48), 1 << 30, 3, 1 << 30, 1 << 30, SSL_PATCH_ROW_COL_CHANNEL), "ssl_unpatchify", "x[2,9,48]", "patch 1073741824");
    MISUSE(ssl_patchify_segments(f4(2, 3, 16, 16), 1 << 30, 4, i2(2, 4, 0)), "ssl_patchify_segments", "[2,3,16,16]", "patch 1073741824");
    MISUSE(ssl_patchify_segments(f4(2, 3, 16, 16), 4, 3, i2(2, 4, 0)), "ssl_patchify_segments", "[2,3,16,16]", "ids_shuffle[2,4]");
    MISUSE(ssl_unpatchify_segments(f2(4, 4), i2(2, 4, 0), 4, 2, 3, 16, 16), "ssl_unpatchify_segments", "[4,4]", "ids_shuffle[2,4]");
    MISUSE(ssl_argsort(ssl_input_u8(ctx, NULL, 1, 5)), "ssl_argsort", "x[5]", "U8");
    MISUSE(ssl_random_uniform(ctx, 2, 3, 0), "ssl_random_uniform", "axis 1", "0 elements");
}
static void test_masks(void)
{
    MISUSE(ssl_iota(ctx, 4, 0, 0, 2), "ssl_iota", "div 0", "at least 1");
    MISUSE(ssl_iota(ctx, 4, INT32_MAX - 2, 1, 4), "ssl_iota", "start 2147483645", "below 2^31");
    MISUSE(ssl_bernoulli(ctx, 2, 3, 1.5f), "ssl_bernoulli", "p is 1.5", "from 0 to 1");
    MISUSE(ssl_random_ids(ctx, 2, 3, 0), "ssl_random_ids", "2 x 3", "below 0");
    MISUSE(ssl_random_ids(ctx, 1 << 20, 1 << 20, 5), "ssl_random_ids", "1048576 x 1048576", "2^31");
    MISUSE(ssl_slice_ids(i2(2, 4, 0), 2, 5), "ssl_slice_ids", "2 to 5", "ids[2,4]");
    MISUSE(ssl_repeat_ids(f1(4), 2), "ssl_repeat_ids", "ids[4]", "I32 is needed");
    MISUSE(ssl_ignore(i1(4, 0), i1(4, 0)), "ssl_ignore", "target[4]", "drop[4]");
    MISUSE(ssl_zero_rows(i2(3, 4, 0), ssl_input_u8(ctx, NULL, 1, 3)), "ssl_zero_rows", "x[3,4]", "F32 is needed");
    MISUSE(ssl_zero_rows(f2(3, 4), ssl_input_u8(ctx, NULL, 1, 4)), "ssl_zero_rows", "x[3,4]", "drop[4]");
    MISUSE(ssl_mask_diagonal(i2(3, 3, 0), 1.0f), "ssl_mask_diagonal", "x[3,3]", "F32 is needed");
    MISUSE(ssl_mask_diagonal(f2(3, 4), 1.0f), "ssl_mask_diagonal", "x[3,4]", "square");
    MISUSE(ssl_segment_tokens(i2(2, 4, 0), 4, 3), "ssl_segment_tokens", "ids[2,4]", "4 x 4");
    MISUSE(ssl_segment_tokens(i2(2, 4, 4), 4, 2), "ssl_segment_tokens", "holds 4 at place 7", "0 to 3");
    MISUSE(ssl_segment_tokens(i2(2, 4, 0), 1 << 30, 1 << 29), "ssl_segment_tokens", "ids[2,4]", "1073741824");
    MISUSE(ssl_segment_mask(f2(2, 4), 0), "ssl_segment_mask", "rank[2,4]", "I32");
    MISUSE(ssl_first_segment(f2(2, 4)), "ssl_first_segment", "rank[2,4]", "I32 is needed");
    MISUSE(ssl_blob_segments(ctx, 2, 8, 65, 1), "ssl_blob_segments", "65 blobs", "2 to 64");
    MISUSE(ssl_blob_segments(ctx, 2, 1 << 16, 8, 1), "ssl_blob_segments", "65536 x 65536", "1 to 46340");
}
static void test_norms_and_losses(void)
{
    MISUSE(ssl_layer_norm(f3(2, 3, 8), f1(7), NULL, 1e-5f), "ssl_layer_norm", "x[2,3,8]", "weight[7]");
    MISUSE(ssl_layer_norm(f3(2, 3, 8), f1(8), f2(1, 8), 1e-5f), "ssl_layer_norm", "x[2,3,8]", "bias[1,8]");
    MISUSE(ssl_softmax(i2(2, 3, 0)), "ssl_softmax", "x[2,3]", "I32");
    MISUSE(ssl_l2_normalize(i2(2, 3, 0), 1e-8f), "ssl_l2_normalize", "x[2,3]", "I32");
    MISUSE(ssl_cross_entropy(f2(4, 10), i1(5, 0), 0.0f), "ssl_cross_entropy", "logits[4,10]", "target[5]");
    MISUSE(ssl_cross_entropy(f2(4, 10), i1(4, 10), 0.0f), "ssl_cross_entropy", "target 10", "0 to 9");
    MISUSE(ssl_cross_entropy(f2(4, 10), f1(4), 0.0f), "ssl_cross_entropy", "target[4]", "I32");
    MISUSE(ssl_cross_entropy(f2(4, 10), i1(4, 0), 1.5f), "ssl_cross_entropy", "smoothing 1.5", "");
    MISUSE(ssl_mse(f2(4, 10), f2(4, 9)), "ssl_mse", "a[4,10]", "b[4,9]");
    MISUSE(ssl_l1(f2(4, 10), i2(4, 10, 0)), "ssl_l1", "b[4,10]", "I32");
    MISUSE(ssl_smooth_l1(f1(4), f1(4), -1.0f), "ssl_smooth_l1", "beta -1", "");
    MISUSE(ssl_cosine_similarity(f2(4, 10), f2(5, 10)), "ssl_cosine_similarity", "a[4,10]", "b[5,10]");
}
static void test_attention(void)
{
    MISUSE(ssl_attention(f3(2, 5, 18), f3(2, 5, 18), f3(2, 5, 18), 4, 0.0f, NULL, 0), "ssl_attention", "q[2,5,18]", "4 heads");
    MISUSE(ssl_attention(f3(2, 5, 16), f3(2, 5, 16), f3(2, 5, 16), 0, 0.0f, NULL, 0), "ssl_attention", "q[2,5,16]", "0 heads");
    MISUSE(ssl_attention(f3(2, 5, 16), f3(2, 7, 16), f3(2, 6, 16), 4, 0.0f, NULL, 0), "ssl_attention", "[2,7,16]", "[2,6,16]");
    MISUSE(ssl_attention(f3(2, 5, 16), f3(3, 7, 16), f3(3, 7, 16), 4, 0.0f, NULL, 0), "ssl_attention", "[2,5,16]", "[3,7,16]");
    MISUSE(ssl_attention(f3(2, 5, 16), f2(5, 16), f2(5, 16), 4, 0.0f, NULL, 0), "ssl_attention", "[5,16]", "[B,Tk,D]");
    MISUSE(ssl_attention(f3(2, 5, 16), f3(2, 7, 16), f3(2, 7, 16), 4, 0.0f, f2(5, 5), 0), "ssl_attention", "mask[5,5]", "F32 [5,7]");
    MISUSE(ssl_attention(f3(2, 5, 16), f3(2, 7, 16), f3(2, 7, 16), 4, 0.0f, i2(5, 7, 0), 0), "ssl_attention", "mask[5,7]", "I32");
    MISUSE(ssl_attention(f3(2, 5, 16), f3(2, 7, 16), f3(2, 7, 16), 4, 0.0f, f3(2, 5, 7), 0), "ssl_attention", "mask[2,5,7]", "U8 [5,7] or [2,5,7]");
    MISUSE(ssl_attention(f3(2, 5, 16), f3(2, 5, 16), f3(2, 5, 16), 4, -1.0f, NULL, 0), "ssl_attention", "scale -1", "");
    MISUSE(ssl_attention(f3(2, 5, 16), i2(5, 16, 0), f3(2, 5, 16), 4, 0.0f, NULL, 0), "ssl_attention", "[5,16]", "I32");
    MISUSE(ssl_attention_packed(f3(2, 5, 47), 4, 0.0f, NULL, 0), "ssl_attention_packed", "[2,5,47]", "[B,T,3D]");
    MISUSE(ssl_attention_packed(f3(2, 5, 48), 3, 0.0f, NULL, 0), "ssl_attention_packed", "[2,5,48]", "3 heads");
    MISUSE(ssl_attention_kv(f3(2, 5, 16), f3(2, 7, 16), 4, 0.0f, NULL, 0), "ssl_attention_kv", "[2,7,16]", "[B,Tk,2D]");
    MISUSE(ssl_attention_weights(f3(2, 5, 16), f3(2, 7, 15), 4, 0.0f, NULL, 0), "ssl_attention_weights", "[2,7,15]", "");
}
static void test_images(void)
{
    ssl_conv_desc d = SSL_ZERO;
    MISUSE(ssl_conv2d(f3(3, 32, 32), f4(8, 3, 3, 3), NULL, NULL), "ssl_conv2d", "x[3,32,32]", "");
    MISUSE(ssl_conv2d(f4(2, 3, 32, 32), f4(8, 4, 3, 3), NULL, NULL), "ssl_conv2d", "x[2,3,32,32]", "w[8,4,3,3]");
    MISUSE(ssl_conv2d(f4(2, 3, 2, 2), f4(8, 3, 3, 3), NULL, NULL), "ssl_conv2d", "x[2,3,2,2]", "3x3");
    MISUSE(ssl_conv2d(f4(2, 3, 9, 9), f4(8, 3, 3, 3), f1(7), NULL), "ssl_conv2d", "w[8,3,3,3]", "bias[7]");
    d.padding = -2;
    MISUSE(ssl_conv2d(f4(2, 3, 9, 9), f4(8, 3, 3, 3), NULL, &d), "ssl_conv2d", "padding -2", "");
    d.padding = 1 << 30;
    MISUSE(ssl_conv2d(f4(2, 3, 9, 9), f4(8, 3, 3, 3), NULL, &d), "ssl_conv2d", "padding 1073741824", "2^28 rows");
    d.padding = 0; d.dilation = 1 << 30;
    MISUSE(ssl_conv2d(f4(2, 3, 9, 9), f4(8, 3, 3, 3), NULL, &d), "ssl_conv2d", "x[2,3,9,9]", "dilation 1073741824");
    d._end_canary = 1;
    MISUSE(ssl_conv2d(f4(2, 3, 9, 9), f4(8, 3, 3, 3), NULL, &d), "ssl_conv2d", "not initialized", "SSL_ZERO");
    MISUSE(ssl_pad2d(f4(1, 3, 9, 9), INT32_MAX, INT32_MAX, 0, 0, SSL_PAD_ZERO, 0.0f), "ssl_pad2d", "2147483647,2147483647 rows", "2^30");
    MISUSE(ssl_max_pool2d(f4(2, 3, 8, 8), 3, 2, 1 << 30), "ssl_max_pool2d", "1073741824", "");
    MISUSE(ssl_pad2d(f3(2, 3, 9), 1, 1, 1, 1, SSL_PAD_ZERO, 0.0f), "ssl_pad2d", "x[2,3,9]", "");
    MISUSE(ssl_pad2d(f4(2, 3, 2, 2), 2, 0, 0, 0, SSL_PAD_REFLECT, 0.0f), "ssl_pad2d", "x[2,3,2,2]", "reflected");
    MISUSE(ssl_max_pool2d(f4(2, 3, 8, 8), 3, 2, 2), "ssl_max_pool2d", "padding 2", "kernel 3");
    MISUSE(ssl_avg_pool2d(f4(2, 3, 2, 2), 3, 1, 0), "ssl_avg_pool2d", "x[2,3,2,2]", "3x3");
    MISUSE(ssl_interpolate(f2(3, 3), 2, 2, SSL_INTERPOLATE_DEFAULT), "ssl_interpolate", "x[3,3]", "");
    MISUSE(ssl_interpolate(f4(2, 3, 8, 8), 0, 2, SSL_INTERPOLATE_DEFAULT), "ssl_interpolate", "0", "");
    MISUSE(ssl_global_avg_pool(f2(2, 3)), "ssl_global_avg_pool", "x[2,3]", "");
    MISUSE(ssl_batch_norm(f4(2, 3, 4, 4), f1(4), NULL, NULL, NULL, 0.1f, 1e-5f), "ssl_batch_norm", "x[2,3,4,4]", "[4]");
    MISUSE(ssl_batch_norm(f2(1, 3), f1(3), NULL, NULL, NULL, 0.1f, 1e-5f), "ssl_batch_norm", "x[1,3]", "variance");
    MISUSE(ssl_batch_norm(f2(2, 3), NULL, NULL, f1(3), NULL, 0.1f, 1e-5f), "ssl_batch_norm", "running_mean", "running_var");
    MISUSE(ssl_group_norm(f4(2, 6, 4, 4), 4, NULL, NULL, 1e-5f), "ssl_group_norm", "x[2,6,4,4]", "4 groups");
}

static ssl_resnet *small_resnet(void)
{
    ssl_resnet_desc d = SSL_ZERO;
    d.cifar_stem = 1;
    d.width = 8;
    return ssl_resnet_new(ctx, "net", &d);
}
/* A block of a style that does not exist, and the model of a call that failed. */
static void test_blocks(void)
{
    ssl_block_desc d = SSL_ZERO;
    ssl_vit_desc v = SSL_ZERO;
    d.dim = 1 << 30; d.heads = 2;
    MISUSE_VOID(ssl_block_new(ctx, "b", &d), "ssl_block_new", "\"b\" has dim 1073741824", "below 2^29");
    d.dim = 16; d.style = (ssl_block_style)4;
    MISUSE_VOID(ssl_block_new(ctx, "b", &d), "ssl_block_new", "style 4", "ssl_block_style");
    MISUSE_VOID(ssl_block_new(ctx, "b", NULL), "ssl_block_new", "dim 0", "");
    v.image_size = v.patch = 1 << 30;
    MISUSE_VOID(ssl_vit_new(ctx, "", &v), "ssl_vit_new", "patch 1073741824", "2^31 - 1");
    v.patch = 1;
    MISUSE_VOID(ssl_vit_new(ctx, "", &v), "ssl_vit_new", "image_size 1073741824", "2^31 - 1");
    v.image_size = 32; v.channels = -3;
    MISUSE_VOID(ssl_vit_new(ctx, "", &v), "ssl_vit_new", "channels -3", "at least 1");
    MISUSE_VOID((void)ssl_pixelcnn_new(ctx, "", 4, 4, 1 << 30), "ssl_pixelcnn_new", "1073741824 blocks", "1 to 1024");
}
static void test_resnet(void)
{
    static const char *const none = "layer5", *const no_shortcut = "layer1.0.downsample";
    ssl_resnet_desc d = SSL_ZERO;
    ssl_tensor *y;
    MISUSE_VOID(ssl_resnet_layers(small_resnet(), f4(1, 3, 8, 8), 1, &none, &y), "ssl_resnet_layers", "\"layer5\"", "layer1 layer2 layer3 layer4 avgpool");
    MISUSE_VOID(ssl_resnet_layers(small_resnet(), f4(1, 3, 8, 8), 1, &no_shortcut, &y), "ssl_resnet_layers", "\"layer1.0.downsample\"", "layer1.0-1");
    d.depth = 20;
    MISUSE_VOID(ssl_resnet_new(ctx, "net", &d), "ssl_resnet_new", "depth 20", "152");
    d.depth = 18; d.stage[1] = INT32_MAX;
    MISUSE_VOID(ssl_resnet_new(ctx, "net", &d), "ssl_resnet_new", "2147483647 blocks in layer2", "at most 1024");
    d.stage[1] = 0;
    MISUSE(ssl_resnet_forward(ssl_resnet_new(ctx, "net", &d), f4(2, 1, 32, 32)), "ssl_resnet_forward", "images[2,1,32,32]", "[N,3,H,W]");
    memset(&d, 0xcc, sizeof d);
    MISUSE_VOID(ssl_resnet_new(ctx, "net", &d), "ssl_resnet_new", "not initialized", "SSL_ZERO");
}
static void test_contrast(void)
{
    int beyond = 6;
    MISUSE(ssl_nt_xent(f2(5, 8), f2(4, 8), 0.1f, (ssl_nt_xent_kind)0), "ssl_nt_xent", "[5,8]", "[4,8]");
    MISUSE(ssl_nt_xent(f2(5, 8), f2(5, 8), 0.0f, (ssl_nt_xent_kind)0), "ssl_nt_xent", "temperature", "0");
    MISUSE(ssl_nt_xent_module(f2(5, 8), f2(5, 8), 0.5f, 0.0f), "ssl_nt_xent_module", "eps 0", "positive");
    MISUSE(ssl_cosine_similarity(f2(5, 8), f2(5, 7)), "ssl_cosine_similarity", "[5,8]", "[5,7]");
    MISUSE(ssl_barlow(f2(5, 8), f2(5, 7), 0.005f, 1e-5f), "ssl_barlow", "[5,8]", "[5,7]");
    MISUSE(ssl_moco(f2(2, 8), f2(2, 8), f2(6, 8), &beyond, 0.1f), "ssl_moco", "*ptr is 6", "rows 0 to 5");
    MISUSE(ssl_vicreg(f2(5, 8), f2(4, 8), 25.0f, 25.0f, 1.0f, 1e-4f), "ssl_vicreg", "[5,8]", "[4,8]");
    MISUSE(ssl_simsiam(f2(5, 8), f2(5, 8), f2(5, 8), f2(4, 8)), "ssl_simsiam", "ssl_cosine_similarity: a[5,8]", "[4,8]");
}
static ssl_tensor *fmc(const char *at, const char *comparisons, int n_maps)
{
    ssl_fmc_desc d = SSL_ZERO;
    ssl_tensor *maps[2];
    maps[0] = f4(4, 8, 1, 1); maps[1] = f4(4, 8, 3, 3);
    d.comparisons = comparisons;
    return ssl_fmc_at(at, &d, n_maps, maps, maps, NULL);
}
static void test_feature_maps(void)
{
    ssl_look look = SSL_ZERO;
    ssl_tensor *reg;
    ssl_amdim_desc a = SSL_ZERO;
    ssl_pixpro_desc p = SSL_ZERO;
    MISUSE(fmc(SSL_CALL("ssl_fmc"), "01, 02", 2), "ssl_fmc", "\"01, 02\" names map 2", "there are 2: 0 to 1");
    MISUSE(ssl_amdim_nce(f2(2, 4), f2(6, 4), 10.0f, NULL), "ssl_amdim_nce", "src[2,4]", "trg[6,4]");
    MISUSE(fmc(SSL_CALL("ssl_fmc"), "01, 0", 2), "ssl_fmc", "\"01, 0\" has no map at place 5", "two of 0 to 1 or r");
    MISUSE(ssl_amdim_nce(f2(2, 4), ssl_reshape(f2(6, 4), 3, 2, 3, 4), -1.0f, &reg), "ssl_amdim_nce", "tclip -1", "at most 100");
    a.comparisons = "00, 03";
    MISUSE_VOID(ssl_amdim_new(ctx, "", &a), "ssl_amdim_new", "ssl_fmc: comparisons \"00, 03\" names map 3", "there are 3: 0 to 2");
    p.pixel_layer = "layer9";
    MISUSE_VOID(ssl_pixpro_new(ctx, "", &p), "ssl_pixpro_new", "\"layer9\"", "layer1 layer2 layer3 layer4 avgpool");
    p.distance = -0.7f;
    MISUSE_VOID(ssl_pixpro_new(ctx, "", &p), "ssl_pixpro_new", "distance -0.7", "positive");
    MISUSE_VOID((void)ssl_map_look(f2(3, 4), &look), "ssl_map_look", "map[3,4]", "[B,C,h,w]");
}
static void test_masked_and_puzzles(void)
{
    ssl_mae_desc m = SSL_ZERO;
    ssl_mask_token_mae_desc t = SSL_ZERO;
    ssl_randsac_desc r = SSL_ZERO, blobs = SSL_ZERO;
    ssl_jigsaw_desc j = SSL_ZERO, few = SSL_ZERO, thick = SSL_ZERO;
    ssl_rotation_desc q = SSL_ZERO;
    ssl_mp3_desc p = SSL_ZERO;
    ssl_look look = SSL_ZERO;
    ssl_jigsaw_trace forced = SSL_ZERO;
    ssl_mask_token_mae *failed;
    ssl_randsac *segments;
    m.mask_ratio = 1e30f;
    MISUSE_VOID(ssl_mae_new(ctx, "", &m), "ssl_mae_new", "mask_ratio 1e+30 of 64 patches", "at least 1");
    m.mask_ratio = 0.999f;
    MISUSE_VOID(ssl_mae_new(ctx, "", &m), "ssl_mae_new", "mask_ratio 0.999 of 64 patches", "at least 1");
    t.patch = 5;
    MISUSE_VOID(ssl_mask_token_mae_new(ctx, "", &t), "ssl_mask_token_mae_new", "image_size 32", "patch 5");
    MISUSE_VOID((failed = ssl_mask_token_mae_new(ctx, "", &t), ssl_mask_token_mae_look(failed, f4(2, 3, 32, 32), &look), ssl_mask_token_mae_features(failed, f4(2, 3, 32, 32))),
                "ssl_mask_token_mae_new", "patch 5", "");
    t.patch = 4; t.mask_ratio = 0.01f;
    MISUSE_VOID(ssl_mask_token_mae_new(ctx, "", &t), "ssl_mask_token_mae_new", "hides 0 of 64", "1 to all of them must be hidden");
    t.mask_ratio = 0.5f; t.depth = -1;
    MISUSE_VOID(ssl_mask_token_mae_new(ctx, "", &t), "ssl_mask_token_mae_new", "ssl_block_new: -1 blocks \"encoder\"", "1 at least");
    t.depth = 1; t.decoder_depth = -1;
    MISUSE(ssl_mask_token_mae_loss(ssl_mask_token_mae_new(ctx, "", &t), f4(2, 3, 16, 16), NULL), "ssl_mask_token_mae_loss", "images[2,3,16,16]", "[B,3,32,32]");
    MISUSE(ssl_mask_token_mae_features(ssl_mask_token_mae_new(ctx, "", &t), f4(2, 1, 32, 32)), "ssl_mask_token_mae_features", "images[2,1,32,32]", "[B,3,32,32]");
    r.segment = 3;
    MISUSE_VOID(ssl_randsac_new(ctx, "", &r), "ssl_randsac_new", "grid of 8 x 8", "segments of 3 x 3");
    MISUSE_VOID((segments = ssl_randsac_new(ctx, "", &r), ssl_randsac_look(segments, f4(2, 3, 32, 32), &look), ssl_randsac_features(segments, f4(2, 3, 32, 32))),
                "ssl_randsac_new", "segments of 3 x 3", "");
    r.segment = 2; r.groups = 3;
    MISUSE_VOID(ssl_randsac_new(ctx, "", &r), "ssl_randsac_new", "groups of 3 x 3", "divide the grid");
    blobs.segments = SSL_SEGMENTS_BLOB; blobs.groups = 9;
    MISUSE_VOID(ssl_randsac_new(ctx, "", &blobs), "ssl_randsac_new", "8 blobs", "9 groups");
    j.grid = 9;
    MISUSE_VOID(ssl_jigsaw_new(ctx, "", &j), "ssl_jigsaw_new", "grid 9", "2 to 8");
    few.grid = 2; few.permutations = 25;
    MISUSE_VOID(ssl_jigsaw_new(ctx, "", &few), "ssl_jigsaw_new", "25 permutations", "4 tiles");
    thick.crop = 10;
    MISUSE_VOID(ssl_jigsaw_new(ctx, "", &thick), "ssl_jigsaw_new", "crop 10", "tiles of 0 pixels");
    thick.crop = 3;
    MISUSE_VOID(ssl_jigsaw_new(ctx, "", &thick), "ssl_jigsaw_new", "ssl_vit_new: image_size 7", "patch 4");
    thick.crop = 2; thick.backbone.vit.depth = 1;
    MISUSE(ssl_jigsaw_loss(ssl_jigsaw_new(ctx, "", &thick), f4(2, 3, 33, 33), NULL), "ssl_jigsaw_loss", "images[2,3,33,33]", "[B,3,32,32]");
    MISUSE((forced.ids = i1(2, 64), ssl_jigsaw_loss(ssl_jigsaw_new(ctx, "", &thick), f4(2, 3, 32, 32), &forced)), "ssl_jigsaw_loss", "holds 64 at place 1", "0 to 63");
    MISUSE((forced.ids = i1(9, 0), ssl_jigsaw_loss(ssl_jigsaw_new(ctx, "", &thick), f4(2, 3, 32, 32), &forced)), "ssl_jigsaw_loss", "ids[9]", "images[2,3,32,32]");
    MISUSE(ssl_quarter_turns(f4(2, 3, 16, 8)), "ssl_quarter_turns", "images[2,3,16,8]", "square");
    q.backbone.vit.depth = 1;
    MISUSE(ssl_rotation_loss(ssl_rotation_new(ctx, "", &q), f4(2, 3, 16, 16), NULL), "ssl_rotation_loss", "ssl_vit_forward: images[8,3,16,16]", "[B,3,32,32]");
    p.mask_ratio = 0.99f;
    MISUSE_VOID(ssl_mp3_new(ctx, "", &p), "ssl_mp3_new", "mask_ratio 0.99 of 64 patches", "at least 1");
    p.mask_ratio = SSL_EXPLICIT_ZERO; p.hidden_only = 1;
    MISUSE_VOID(ssl_mp3_new(ctx, "", &p), "ssl_mp3_new", "context of 64", "outside it");
    memset(&p, 0xcc, sizeof p);
    MISUSE_VOID(ssl_mp3_new(ctx, "", &p), "ssl_mp3_new", "not initialized", "SSL_ZERO");
}

static ssl_head wide_head(int dim) { return ssl_head_new(ctx, "head", dim, 3, NULL); }
static ssl_head batch_norm_head(int dim)
{
    ssl_head_desc d = SSL_ZERO;
    d.kind = SSL_HEAD_MLP; d.hidden = 4;
    return ssl_head_new(ctx, "head", dim, 3, &d);
}
static void test_tune(void)
{
    ssl_head_desc h = SSL_ZERO;
    ssl_mix_desc m = SSL_ZERO;
    ssl_view_box box = SSL_ZERO;
    ssl_head head;
    ssl_tensor *q;
    MISUSE(ssl_one_hot(i1(4, 3), 3), "ssl_one_hot", "holds 3", "[4]");
    MISUSE(ssl_one_hot(f1(4), 3), "ssl_one_hot", "labels[4]", "I32");
    MISUSE(ssl_soft_cross_entropy(f2(4, 3), f2(4, 2)), "ssl_soft_cross_entropy", "logits[4,3]", "q[4,2]");
    MISUSE(ssl_mixup(f2(4, 3), i1(3, 0), 0.5f), "ssl_mixup", "x[4,3]", "order[3]");
    MISUSE(ssl_mixup(f2(4, 3), i1(4, 0), 1.5f), "ssl_mixup", "lambda 1.5", "from 0 to 1");
    MISUSE(ssl_cutmix(f4(2, 3, 8, 8), i1(2, 0), &box), "ssl_cutmix", "images[2,3,8,8]", "rows 0 to 0");
    MISUSE(ssl_mix(f4(2, 3, 8, 8), i1(3, 0), 3, &m, &q), "ssl_mix", "images[2,3,8,8]", "labels[3]");
    m.mixup = -1.0f;
    MISUSE(ssl_mix(f4(2, 3, 8, 8), i1(2, 0), 3, &m, &q), "ssl_mix", "mixup -1", "negative");
    m._start_canary = 1;
    MISUSE(ssl_mix(f4(2, 3, 8, 8), i1(2, 0), 3, &m, &q), "ssl_mix", "not initialized", "SSL_ZERO");
    m._start_canary = 0; m.mixup = 0.0f;
    MISUSE(ssl_mix(f4(2, 3, 8, 8), i1(2, 3), 3, &m, &q), "ssl_mix", "holds 3", "0 to 2");
    MISUSE_VOID(ssl_layer_decay(ctx, "blocks", 0.5f), "ssl_layer_decay", "blocks.0", "no parameter");
    MISUSE_VOID(ssl_layer_decay(ctx, NULL, 1.5f), "ssl_layer_decay", "decay 1.5", "at most 1");
    MISUSE_VOID(ssl_head_new(ctx, "head", 8, 0, NULL), "ssl_head_new", "\"head\"", "0 classes");
    h._end_canary = 1;
    MISUSE_VOID(ssl_head_new(ctx, "head", 8, 2, &h), "ssl_head_new", "not initialized", "SSL_ZERO");
    MISUSE((head = wide_head(8), ssl_head_forward(&head, f2(4, 9))), "ssl_head_forward", "ssl_linear: x[4,9]", "w[3,8]");
    MISUSE((head = batch_norm_head(8), ssl_head_forward(&head, f2(1, 8))), "ssl_head_forward", "ssl_batch_norm: x[1,4]", "at least 2");
}

static ssl_siamese *siamese(ssl_siamese_kind kind, int queue)
{
    ssl_siamese_desc d = SSL_ZERO;
    d.kind = kind;
    d.backbone.image_size = 8;
    d.backbone.vit.dim = 16; d.backbone.vit.depth = 1;
    d.projector_hidden = d.projector_out = d.predictor_hidden = d.prototypes = 16;
    d.queue = queue;
    return ssl_siamese_new(ctx, "", &d);
}
static ssl_tensor *siamese_of(const char *at, ssl_siamese *m, int n, int b, int b1)
{
    ssl_tensor *views[17];
    int i;
    for (i = 0; i < n; i++) views[i] = ssl_input(ctx, NULL, 4, i == 1 ? b1 : b, 3, 8, 8);
    return ssl_siamese_loss_at(at, m, n, views, NULL);
}
static void test_siamese(void)
{
    ssl_siamese_desc d = SSL_ZERO;
    ssl_backbone_desc b = SSL_ZERO;
    ssl_mlp_desc mlp = SSL_ZERO;
    MISUSE(siamese_of(SSL_CALL("ssl_siamese_loss"), siamese(SSL_SIAMESE_MOCO, 7), 2, 4, 4), "ssl_siamese_loss", "ssl_moco: queue[7,16]", "keys[8,16]");
    MISUSE(siamese_of(SSL_CALL("ssl_siamese_loss"), siamese(SSL_SIAMESE_SIMCLR, 0), 2, 1, 1), "ssl_siamese_loss", "ssl_nt_xent: a[1,16]", "N >= 2");
    MISUSE(siamese_of(SSL_CALL("ssl_siamese_loss"), siamese(SSL_SIAMESE_BYOL, 0), 2, 1, 1), "ssl_siamese_loss", "ssl_batch_norm: x[1,16]", "at least 2");
    MISUSE(siamese_of(SSL_CALL("ssl_siamese_loss"), siamese(SSL_SIAMESE_SIMSIAM, 0), 2, 1, 1), "ssl_siamese_loss", "ssl_batch_norm: x[1,16]", "at least 2");
    MISUSE(siamese_of(SSL_CALL("ssl_siamese_loss"), siamese(SSL_SIAMESE_BARLOW, 0), 2, 1, 1), "ssl_siamese_loss", "ssl_batch_norm: x[1,16]", "at least 2");
    MISUSE(siamese_of(SSL_CALL("ssl_siamese_loss"), siamese(SSL_SIAMESE_VICREG, 0), 3, 4, 4), "ssl_siamese_loss", "vicreg", "2 views of every image, got 3");
    MISUSE(siamese_of(SSL_CALL("ssl_siamese_loss"), siamese(SSL_SIAMESE_BYOL, 0), 1, 4, 4), "ssl_siamese_loss", "byol", "got 1");
    MISUSE(siamese_of(SSL_CALL("ssl_siamese_loss"), siamese(SSL_SIAMESE_DINO, 0), 17, 4, 4), "ssl_siamese_loss", "14 local views", "got 17");
    MISUSE(siamese_of(SSL_CALL("ssl_siamese_loss"), siamese(SSL_SIAMESE_SIMCLR, 0), 2, 4, 5), "ssl_siamese_loss", "[4,3,8,8]", "view 1[5,3,8,8]");
    MISUSE_VOID(ssl_siamese_update(siamese(SSL_SIAMESE_BYOL, 0), 1.5f), "ssl_siamese_update", "1.5", "0 to 1");
    d.queue = -1;
    MISUSE_VOID(ssl_siamese_new(ctx, "", &d), "ssl_siamese_new", "queue -1", "positive");
    d.queue = 0; d.kind = SSL_SIAMESE_MOCO; d.momentum = -1.0f;
    MISUSE_VOID(ssl_siamese_new(ctx, "", &d), "ssl_siamese_new", "momentum -1", "from 0 to 1");
    d.momentum = 0.0f; d.temperature = -1.0f;
    MISUSE_VOID(ssl_siamese_new(ctx, "", &d), "ssl_siamese_new", "temperature -1", "positive");
    d.kind = (ssl_siamese_kind)9;
    MISUSE_VOID(ssl_siamese_new(ctx, "", &d), "ssl_siamese_new", "kind", "SSL_SIAMESE_");
    b.kind = (ssl_backbone_kind)7;
    MISUSE_VOID(ssl_backbone_new(ctx, "", &b), "ssl_backbone_new", "kind 7", "SSL_BACKBONE_VIT");
    memset(&b, 0xcc, sizeof b);
    MISUSE_VOID(ssl_backbone_new(ctx, "", &b), "ssl_backbone_new", "not initialized", "SSL_ZERO");
    mlp.layers = 5;
    MISUSE_VOID((void)ssl_mlp_new(ctx, "head", 4, 4, 4, &mlp), "ssl_mlp_new", "5 layers", "1 to 4");
}

/* A tensor that is not there, as what ssl_param_find returns, beside others that are: */
#define ABSENT(call, op, name) MISUSE(call, op, name " is NULL: ", "ssl_param_find")
#define ABSENT_VOID(call, op, name) MISUSE_VOID((void)(call), op, name " is NULL: ", "ssl_param_find")
/* and alone, where no context can be told: a line on stderr, and a result that later calls take in silence until a context comes in. */
static FILE *stderr_file;
static int stderr_kept;
static void stderr_listen(void)
{
    fflush(stderr);
    stderr_file = tmpfile();
    stderr_kept = dup(2);
    if (!stderr_file || dup2(fileno(stderr_file), 2) < 0) CHECK(!"stderr can be listened to");
}
static void stderr_heard(char *text, size_t size)
{
    size_t n;
    fflush(stderr);
    dup2(stderr_kept, 2);
    close(stderr_kept);
    rewind(stderr_file);
    n = fread(text, 1, size - 1, stderr_file);
    text[n] = 0;
    fclose(stderr_file);
}
static void alone(ssl_tensor *result, int line, const char *call, const char *name)
{
    char want[128], heard[1024];
    const char *place = !strcmp(name, "the tensor") ? "" : "test_errors.c";
    const int at_fault = check_failed;
    stderr_heard(heard, sizeof heard);
    snprintf(want, sizeof want, *place ? "%s:%d: error: %s: %s is NULL: a tensor is needed" : "%s", place, line, call, name);
    if (!*place) snprintf(want, sizeof want, "error: %s: the tensor is NULL (", call);
    CHECK(strstr(heard, want) && strchr(heard, '\n') == heard + strlen(heard) - 1); /* one line */
    CHECK(n_messages == 0 && ssl_ok(ctx));
    if (result) {
        stderr_listen();
        CHECK(result->ctx != ctx && !ssl_ok(result->ctx));
        result = ssl_sum(ssl_mul(ssl_gelu(result), ssl_detach(result)));
        ssl_backward(result);
        CHECK(isnan(ssl_item(result)) && ssl_numel(result) == 0 && n_messages == 0);
        ssl_add(f2(3, 4), result);
        CHECK(n_messages == 1 && strstr(message, "ssl_add: b is the result of a call that was given NULL") && !ssl_ok(ctx));
        twenty_more(result);
        CHECK(n_messages == 1);
        stderr_heard(heard, sizeof heard);
        CHECK(!*heard);
    }
    if (check_failed != at_fault) printf("line %d: heard: %s\n%d messages, the last: %s\n", line, heard, n_messages, message);
    ssl_close(ctx);
}
#define ALONE(call, op, name)                                                                                  \
    do {                                                                                                       \
        ssl_tensor *result;                                                                                    \
        begin();                                                                                               \
        stderr_listen();                                                                                       \
        result = call;                                                                                         \
        alone(result, __LINE__, op, name);                                                                     \
    } while (0)
#define ALONE_VOID(call, op, name) ALONE(((void)(call), (ssl_tensor *)NULL), op, name)

static void test_absent_elementwise(void)
{
    ABSENT(ssl_add(none, f1(4)), "ssl_add", "a");
    ABSENT(ssl_add(f1(4), none), "ssl_add", "b");
    ABSENT(ssl_sub(none, f1(4)), "ssl_sub", "a");
    ABSENT(ssl_sub(f1(4), none), "ssl_sub", "b");
    ABSENT(ssl_mul(none, f1(4)), "ssl_mul", "a");
    ABSENT(ssl_mul(f1(4), none), "ssl_mul", "b");
    ABSENT(ssl_div(none, f1(4)), "ssl_div", "a");
    ABSENT(ssl_div(f1(4), none), "ssl_div", "b");
    ALONE(ssl_add(none, none), "ssl_add", "a");
    ALONE(ssl_relu(none), "ssl_relu", "x");
    ALONE(ssl_gelu(none), "ssl_gelu", "x");
    ALONE(ssl_gelu_tanh(none), "ssl_gelu_tanh", "x");
    ALONE(ssl_sigmoid(none), "ssl_sigmoid", "x");
    ALONE(ssl_tanh(none), "ssl_tanh", "x");
    ALONE(ssl_exp(none), "ssl_exp", "x");
    ALONE(ssl_log(none), "ssl_log", "x");
    ALONE(ssl_sqrt(none), "ssl_sqrt", "x");
    ALONE(ssl_square(none), "ssl_square", "x");
    ALONE(ssl_abs(none), "ssl_abs", "x");
    ALONE(ssl_scale(none, 2.0f), "ssl_scale", "x");
    ALONE(ssl_add_scalar(none, 2.0f), "ssl_add_scalar", "x");
    ALONE(ssl_pow(none, 2.0f), "ssl_pow", "x");
    ALONE(ssl_clamp_min(none, 0.0f), "ssl_clamp_min", "x");
    ALONE(ssl_tanh_clip(none, 2.0f), "ssl_tanh_clip", "x");
    ALONE(ssl_sum(none), "ssl_sum", "x");
    ALONE(ssl_mean(none), "ssl_mean", "x");
    ALONE(ssl_sum_axes(none, SSL_AXIS(0), 0), "ssl_sum_axes", "x");
    ALONE(ssl_mean_axes(none, SSL_AXIS(0), 0), "ssl_mean_axes", "x");
}
/* Where a tensor may be NULL, what a call returned that was given NULL may not. */
static void test_absent_optional(void)
{
    ssl_tensor *lost;
    stderr_listen();
    lost = ssl_gelu(none);
    MISUSE(ssl_linear(f2(5, 3), f2(4, 3), lost), "ssl_linear", "b is the result", "given NULL");
    MISUSE(ssl_linear_fused(f2(5, 3), f2(4, 3), NULL, SSL_ACT_RELU, lost), "ssl_linear", "residual is the result", "given NULL");
    MISUSE(ssl_conv2d(f4(2, 3, 9, 9), f4(8, 3, 3, 3), lost, NULL), "ssl_conv2d", "bias is the result", "given NULL");
    MISUSE(ssl_layer_norm(f2(3, 4), f1(4), lost, 1e-5f), "ssl_layer_norm", "bias is the result", "given NULL");
    MISUSE(ssl_batch_norm_relu(f2(3, 4), f1(4), NULL, NULL, NULL, 0.1f, 1e-5f, lost), "ssl_batch_norm", "residual is the result", "given NULL");
    MISUSE(ssl_group_norm(f2(3, 4), 2, lost, NULL, 1e-5f), "ssl_group_norm", "weight is the result", "given NULL");
    MISUSE(ssl_layer_norm_chw(f4(2, 3, 4, 4), lost, NULL, 1e-5f), "ssl_layer_norm_chw", "weight is the result", "given NULL");
    MISUSE(ssl_attention(f3(2, 5, 16), f3(2, 5, 16), f3(2, 5, 16), 4, 0.0f, lost, 0), "ssl_attention", "mask is the result", "given NULL");
    MISUSE(ssl_add(lost, f1(3)), "ssl_add", "a is the result", "given NULL");
    stderr_heard(message, sizeof message);
}
static void test_absent_engine(void)
{
    float x[4] = { 0.0f };
    ALONE(ssl_requires_grad(none), "ssl_requires_grad", "the tensor");
    ALONE_VOID(CHECK(ssl_numel(none) == 0), "ssl_numel", "the tensor");
    ALONE_VOID(CHECK(isnan(ssl_item(none))), "ssl_item", "the tensor");
    ALONE_VOID(CHECK(isnan(ssl_item_end(ctx, ssl_item_begin(none)))), "ssl_item_begin", "the tensor");
    ALONE_VOID(CHECK(!ssl_to_host(none, x)), "ssl_to_host", "the tensor");
    ALONE_VOID(CHECK(!ssl_grad_to_host(none, x)), "ssl_grad_to_host", "the tensor");
    ALONE_VOID(CHECK(!ssl_from_host(none, x)), "ssl_from_host", "the tensor");
    ALONE_VOID(CHECK(isnan(ssl_psnr(f1(3), none, 0))), "ssl_psnr", "the tensor");
    ALONE_VOID(ssl_backward(none), "ssl_backward", "loss");
    CHECK(!ssl_grad_of(none));
}
static void test_absent_products(void)
{
    ABSENT(ssl_linear(none, f2(4, 3), NULL), "ssl_linear", "x");
    ABSENT(ssl_linear(f2(5, 3), none, NULL), "ssl_linear", "w");
    ABSENT(ssl_linear_fused(none, f2(4, 3), NULL, SSL_ACT_RELU, f2(5, 4)), "ssl_linear", "x");
    ABSENT(ssl_linear_fused(f2(5, 3), none, f1(4), SSL_ACT_RELU, NULL), "ssl_linear", "w");
    ABSENT(ssl_matmul(none, f2(4, 3)), "ssl_matmul", "a");
    ABSENT(ssl_matmul(f2(5, 4), none), "ssl_matmul", "b");
    ALONE(ssl_linear(none, none, NULL), "ssl_linear", "x");
    ALONE(ssl_matmul(none, none), "ssl_matmul", "a");
    ABSENT(ssl_attention(none, f3(2, 5, 16), f3(2, 5, 16), 4, 0.0f, NULL, 0), "ssl_attention", "q");
    ABSENT(ssl_attention(f3(2, 5, 16), none, f3(2, 5, 16), 4, 0.0f, NULL, 0), "ssl_attention", "k");
    ABSENT(ssl_attention(f3(2, 5, 16), f3(2, 5, 16), none, 4, 0.0f, NULL, 0), "ssl_attention", "v");
    ABSENT(ssl_attention_kv(none, f3(2, 7, 32), 4, 0.0f, NULL, 0), "ssl_attention_kv", "q");
    ABSENT(ssl_attention_kv(f3(2, 5, 16), none, 4, 0.0f, NULL, 0), "ssl_attention_kv", "kv");
    ABSENT(ssl_attention_weights(none, f3(2, 5, 16), 4, 0.0f, NULL, 0), "ssl_attention_weights", "q");
    ABSENT(ssl_attention_weights(f3(2, 5, 16), none, 4, 0.0f, NULL, 0), "ssl_attention_weights", "k");
    ALONE(ssl_attention_packed(none, 4, 0.0f, NULL, 0), "ssl_attention_packed", "qkv");
}
static void test_absent_shapes(void)
{
    ssl_tensor *list[2] = { NULL, NULL };
    ALONE(ssl_reshape(none, 2, 3, -1), "ssl_reshape", "x");
    ALONE(ssl_detach(none), "ssl_detach", "x");
    ALONE(ssl_expand(none, 2, 3, 4), "ssl_expand", "x");
    ALONE(ssl_permute(none, 1, 0), "ssl_permute", "x");
    ALONE(ssl_slice(none, 0, 0, 1), "ssl_slice", "x");
    ALONE(ssl_concat(0, 2, list), "ssl_concat", "list[0]");
    ALONE(ssl_concat(0, 2, NULL), "ssl_concat", "list[0]");
    ALONE(ssl_concat(0, 0, list), "ssl_concat", "list[0]");
    ABSENT((list[0] = f2(3, 4), list[1] = NULL, ssl_concat(0, 2, list)), "ssl_concat", "list[1]");
    ABSENT((list[0] = NULL, list[1] = f2(3, 4), ssl_concat(0, 2, list)), "ssl_concat", "list[0]");
    ABSENT(ssl_gather_tokens(none, i2(2, 2, 0)), "ssl_gather_tokens", "x");
    ABSENT(ssl_gather_tokens(f3(2, 5, 4), none), "ssl_gather_tokens", "index");
    ABSENT(ssl_index_select(none, i1(2, 0)), "ssl_index_select", "x");
    ABSENT(ssl_index_select(f3(2, 5, 4), none), "ssl_index_select", "index");
    ABSENT(ssl_unshuffle_tokens(none, i2(2, 5, 0)), "ssl_unshuffle_tokens", "x");
    ABSENT(ssl_unshuffle_tokens(f3(2, 5, 4), none), "ssl_unshuffle_tokens", "ids_restore");
    ABSENT(ssl_scatter_tokens(none, f3(2, 3, 4), i2(2, 3, 0)), "ssl_scatter_tokens", "base");
    ABSENT(ssl_scatter_tokens(f3(2, 5, 4), none, i2(2, 3, 0)), "ssl_scatter_tokens", "x");
    ABSENT(ssl_scatter_tokens(f3(2, 5, 4), f3(2, 3, 4), none), "ssl_scatter_tokens", "index");
    ALONE(ssl_patchify(none, 4, SSL_PATCH_ROW_COL_CHANNEL), "ssl_patchify", "images");
    ALONE(ssl_unpatchify(none, 4, 3, 16, 16, SSL_PATCH_ROW_COL_CHANNEL), "ssl_unpatchify", "x");
    ABSENT(ssl_patchify_segments(none, 4, 2, i2(2, 4, 0)), "ssl_patchify_segments", "images");
    ABSENT(ssl_patchify_segments(f4(2, 3, 16, 16), 4, 2, none), "ssl_patchify_segments", "ids_shuffle");
    ABSENT(ssl_unpatchify_segments(none, i2(2, 4, 0), 4, 2, 3, 16, 16), "ssl_unpatchify_segments", "seq");
    ABSENT(ssl_unpatchify_segments(f3(16, 2, 48), none, 4, 2, 3, 16, 16), "ssl_unpatchify_segments", "ids_shuffle");
    ALONE(ssl_argsort(none), "ssl_argsort", "x");
    ALONE(ssl_slice_ids(none, 0, 1), "ssl_slice_ids", "ids");
    ALONE(ssl_repeat_ids(none, 2), "ssl_repeat_ids", "ids");
    ABSENT(ssl_ignore(none, ssl_input_u8(ctx, NULL, 1, 4)), "ssl_ignore", "target");
    ABSENT(ssl_ignore(i1(4, 0), none), "ssl_ignore", "drop");
    ABSENT(ssl_zero_rows(none, ssl_input_u8(ctx, NULL, 1, 4)), "ssl_zero_rows", "x");
    ABSENT(ssl_zero_rows(f2(3, 4), none), "ssl_zero_rows", "drop");
    ALONE(ssl_mask_diagonal(none, 1.0f), "ssl_mask_diagonal", "x");
    ALONE(ssl_segment_tokens(none, 4, 2), "ssl_segment_tokens", "ids");
    ALONE(ssl_segment_mask(none, 0), "ssl_segment_mask", "rank");
    ALONE(ssl_first_segment(none), "ssl_first_segment", "rank");
}
static void test_absent_norms_and_losses(void)
{
    ABSENT(ssl_cross_entropy(none, i1(4, 0), 0.0f), "ssl_cross_entropy", "logits");
    ABSENT(ssl_cross_entropy(f2(4, 10), none, 0.0f), "ssl_cross_entropy", "target");
    ABSENT(ssl_mse(none, f1(4)), "ssl_mse", "a");
    ABSENT(ssl_mse(f1(4), none), "ssl_mse", "b");
    ABSENT(ssl_l1(none, f1(4)), "ssl_l1", "a");
    ABSENT(ssl_l1(f1(4), none), "ssl_l1", "b");
    ABSENT(ssl_smooth_l1(none, f1(4), 1.0f), "ssl_smooth_l1", "a");
    ABSENT(ssl_smooth_l1(f1(4), none, 1.0f), "ssl_smooth_l1", "b");
    ABSENT(ssl_cosine_similarity(none, f2(4, 10)), "ssl_cosine_similarity", "a");
    ABSENT(ssl_cosine_similarity(f2(4, 10), none), "ssl_cosine_similarity", "b");
    ABSENT(ssl_layer_norm(none, f1(4), f1(4), 1e-5f), "ssl_layer_norm", "x");
    ALONE(ssl_layer_norm(none, NULL, NULL, 1e-5f), "ssl_layer_norm", "x");
    ALONE(ssl_softmax(none), "ssl_softmax", "x");
    ALONE(ssl_log_softmax(none), "ssl_log_softmax", "x");
    ALONE(ssl_l2_normalize(none, 1e-8f), "ssl_l2_normalize", "x");
    ALONE(ssl_dropout(none, 0.5f), "ssl_dropout", "x");
    ALONE(ssl_drop_path(none, 0.5f), "ssl_drop_path", "x");
}
static void test_absent_images(void)
{
    ssl_view_box box = SSL_ZERO;
    box.y1 = box.x1 = 4;
    ABSENT(ssl_conv2d(none, f4(8, 3, 3, 3), NULL, NULL), "ssl_conv2d", "x");
    ABSENT(ssl_conv2d(f4(2, 3, 9, 9), none, NULL, NULL), "ssl_conv2d", "w");
    ALONE(ssl_pad2d(none, 1, 1, 1, 1, SSL_PAD_ZERO, 0.0f), "ssl_pad2d", "x");
    ALONE(ssl_unfold(none, 2, 2, NULL), "ssl_unfold", "x");
    ALONE(ssl_max_pool2d(none, 2, 2, 0), "ssl_max_pool2d", "x");
    ALONE(ssl_avg_pool2d(none, 2, 2, 0), "ssl_avg_pool2d", "x");
    ALONE(ssl_global_avg_pool(none), "ssl_global_avg_pool", "x");
    ALONE(ssl_interpolate(none, 2, 2, SSL_INTERPOLATE_BILINEAR), "ssl_interpolate", "x");
    ALONE(ssl_cutout(none, &box, 4, 4, SSL_INTERPOLATE_BILINEAR), "ssl_cutout", "images");
    ABSENT(ssl_batch_norm(none, f1(3), f1(3), NULL, NULL, 0.1f, 1e-5f), "ssl_batch_norm", "x");
    ALONE(ssl_batch_norm(none, NULL, NULL, NULL, NULL, 0.1f, 1e-5f), "ssl_batch_norm", "x");
    ALONE(ssl_batch_norm_relu(none, NULL, NULL, NULL, NULL, 0.1f, 1e-5f, NULL), "ssl_batch_norm", "x");
    ALONE(ssl_group_norm(none, 2, NULL, NULL, 1e-5f), "ssl_group_norm", "x");
    ALONE(ssl_layer_norm_chw(none, NULL, NULL, 1e-5f), "ssl_layer_norm_chw", "x");
}
static ssl_block *a_block(int cross)
{
    static ssl_block b;
    ssl_block_desc d = SSL_ZERO;
    d.dim = 16; d.heads = 2; d.cross = cross;
    if (cross) d.style = SSL_BLOCK_TORCH;
    b = ssl_block_new(ctx, "b", &d);
    return &b;
}
static ssl_mlp *an_mlp(void) { static ssl_mlp m; m = ssl_mlp_new(ctx, "mlp", 4, 4, 4, NULL); return &m; }
static ssl_head *a_head(void) { static ssl_head h; h = wide_head(8); return &h; }
static ssl_vit *a_vit(void) { ssl_vit_desc d = SSL_ZERO; d.dim = 16; d.depth = 1; return ssl_vit_new(ctx, "", &d); }
static ssl_backbone *a_backbone(ssl_backbone_kind kind)
{
    ssl_backbone_desc d = SSL_ZERO;
    d.kind = kind;
    d.vit.dim = 16; d.vit.depth = 1;
    return ssl_backbone_new(ctx, "", &d);
}
static void test_absent_networks(void)
{
    static const char *const layer = "layer1";
    static ssl_conv_layer conv;
    static ssl_batch_norm_layer bn;
    static ssl_pixelcnn pixelcnn;
    static ssl_ppm ppm;
    ssl_look look = SSL_ZERO;
    ssl_tensor *y[5];
    ABSENT(ssl_block_forward(a_block(0), none, NULL), "ssl_block_forward", "x");
    ABSENT(ssl_block_attention(a_block(0), none, NULL), "ssl_block_attention", "x");
    ABSENT(ssl_block_decode(a_block(1), none, f3(2, 5, 16), NULL, NULL), "ssl_block_decode", "x");
    ABSENT(ssl_block_decode(a_block(1), f3(2, 5, 16), none, NULL, NULL), "ssl_block_decode", "memory");
    ABSENT(ssl_vit_forward(a_vit(), none), "ssl_vit_forward", "images");
    ABSENT(ssl_vit_features(a_vit(), none), "ssl_vit_features", "ssl_vit_forward: images");
    ABSENT(ssl_vit_pool(a_vit(), none), "ssl_vit_pool", "tokens");
    ABSENT_VOID(ssl_vit_look(a_vit(), none, &look), "ssl_vit_look", "ssl_vit_forward: images");
    ABSENT((conv = ssl_conv_new(ctx, "c", 3, 4, 3, 0, ssl_init_make(SSL_INIT_TORCH, 0.0f), NULL), ssl_conv_forward(&conv, none)), "ssl_conv_forward", "ssl_conv2d: x");
    ABSENT((bn = ssl_batch_norm_new(ctx, "bn", 3), ssl_batch_norm_forward(&bn, none, 0, NULL)), "ssl_batch_norm_forward", "x");
    ABSENT(ssl_resnet_forward(small_resnet(), none), "ssl_resnet_forward", "images");
    ABSENT_VOID(ssl_resnet_layers(small_resnet(), none, 1, &layer, y), "ssl_resnet_layers", "ssl_resnet_forward: images");
    ABSENT_VOID(ssl_resnet_maps(small_resnet(), none, y), "ssl_resnet_maps", "ssl_resnet_forward: images");
    ABSENT_VOID(ssl_resnet_look(small_resnet(), none, &look), "ssl_resnet_look", "ssl_resnet_forward: images");
    ABSENT(ssl_resnet_block_forward(small_resnet()->block, none), "ssl_resnet_block_forward", "x");
    ALONE_VOID(ssl_map_look(none, &look), "ssl_map_look", "map");
    ABSENT(ssl_backbone_forward(a_backbone(SSL_BACKBONE_VIT), none), "ssl_backbone_forward", "ssl_vit_forward: images");
    ABSENT(ssl_backbone_forward(a_backbone(SSL_BACKBONE_RESNET), none), "ssl_backbone_forward", "ssl_resnet_forward: images");
    ABSENT_VOID(ssl_backbone_look(a_backbone(SSL_BACKBONE_VIT), none, &look), "ssl_backbone_look", "ssl_vit_forward: images");
    ABSENT(ssl_mlp_forward(an_mlp(), none), "ssl_mlp_forward", "x");
    ABSENT(ssl_head_forward(a_head(), none), "ssl_head_forward", "x");
    ABSENT((ppm = ssl_ppm_new(ctx, "p", 4, 1, 2.0f, 0), ssl_ppm_forward(&ppm, none)), "ssl_ppm_forward", "x");
    ABSENT((pixelcnn = ssl_pixelcnn_new(ctx, "", 4, 4, 1), ssl_pixelcnn_forward(&pixelcnn, none)), "ssl_pixelcnn_forward", "z");
}
static void test_absent_objective_losses(void)
{
    static int ptr;
    ssl_view_box box = SSL_ZERO;
    ssl_tensor *reg, *q, *maps[2];
    box.y1 = box.x1 = 4;
    ABSENT(ssl_nt_xent(none, f2(5, 8), 0.1f, (ssl_nt_xent_kind)0), "ssl_nt_xent", "a");
    ABSENT(ssl_nt_xent(f2(5, 8), none, 0.1f, (ssl_nt_xent_kind)0), "ssl_nt_xent", "b");
    ABSENT(ssl_nt_xent_module(none, f2(5, 8), 0.1f, 1e-6f), "ssl_nt_xent_module", "a");
    ABSENT(ssl_nt_xent_module(f2(5, 8), none, 0.1f, 1e-6f), "ssl_nt_xent_module", "b");
    ABSENT(ssl_amdim_nce(none, f3(2, 6, 4), 10.0f, &reg), "ssl_amdim_nce", "src");
    ABSENT(ssl_amdim_nce(f2(2, 4), none, 10.0f, &reg), "ssl_amdim_nce", "trg");
    ABSENT(ssl_byol(none, f2(5, 8), f2(5, 8), f2(5, 8)), "ssl_byol", "p1");
    ABSENT(ssl_byol(f2(5, 8), none, f2(5, 8), f2(5, 8)), "ssl_byol", "p2");
    ABSENT(ssl_byol(f2(5, 8), f2(5, 8), none, f2(5, 8)), "ssl_byol", "z1");
    ABSENT(ssl_byol(f2(5, 8), f2(5, 8), f2(5, 8), none), "ssl_byol", "z2");
    ABSENT(ssl_simsiam(none, f2(5, 8), f2(5, 8), f2(5, 8)), "ssl_simsiam", "p1");
    ABSENT(ssl_simsiam(f2(5, 8), none, f2(5, 8), f2(5, 8)), "ssl_simsiam", "p2");
    ABSENT(ssl_simsiam(f2(5, 8), f2(5, 8), none, f2(5, 8)), "ssl_simsiam", "z1");
    ABSENT(ssl_simsiam(f2(5, 8), f2(5, 8), f2(5, 8), none), "ssl_simsiam", "z2");
    ABSENT(ssl_barlow(none, f2(5, 8), 0.005f, 1e-5f), "ssl_barlow", "a");
    ABSENT(ssl_barlow(f2(5, 8), none, 0.005f, 1e-5f), "ssl_barlow", "b");
    ABSENT(ssl_vicreg(none, f2(5, 8), 25.0f, 25.0f, 1.0f, 1e-4f), "ssl_vicreg", "a");
    ABSENT(ssl_vicreg(f2(5, 8), none, 25.0f, 25.0f, 1.0f, 1e-4f), "ssl_vicreg", "b");
    ABSENT(ssl_dino(none, f3(2, 5, 8), f1(8), 0.1f, 0.04f, 0.9f), "ssl_dino", "student");
    ABSENT(ssl_dino(f3(2, 5, 8), none, f1(8), 0.1f, 0.04f, 0.9f), "ssl_dino", "teacher");
    ABSENT(ssl_dino(f3(2, 5, 8), f3(2, 5, 8), none, 0.1f, 0.04f, 0.9f), "ssl_dino", "center");
    ABSENT(ssl_moco(none, f2(2, 8), f2(6, 8), &ptr, 0.1f), "ssl_moco", "q");
    ABSENT(ssl_moco(f2(2, 8), none, f2(6, 8), &ptr, 0.1f), "ssl_moco", "k");
    ABSENT(ssl_moco(f2(2, 8), f2(2, 8), none, &ptr, 0.1f), "ssl_moco", "queue");
    ABSENT(ssl_pixel_consistency(none, f4(2, 3, 2, 2), f4(2, 3, 2, 2), f4(2, 3, 2, 2), f2(4, 4), 0), "ssl_pixel_consistency", "x1");
    ABSENT(ssl_pixel_consistency(f4(2, 3, 2, 2), none, f4(2, 3, 2, 2), f4(2, 3, 2, 2), f2(4, 4), 0), "ssl_pixel_consistency", "x2");
    ABSENT(ssl_pixel_consistency(f4(2, 3, 2, 2), f4(2, 3, 2, 2), none, f4(2, 3, 2, 2), f2(4, 4), 0), "ssl_pixel_consistency", "z1");
    ABSENT(ssl_pixel_consistency(f4(2, 3, 2, 2), f4(2, 3, 2, 2), f4(2, 3, 2, 2), none, f2(4, 4), 0), "ssl_pixel_consistency", "z2");
    ABSENT(ssl_pixel_consistency(f4(2, 3, 2, 2), f4(2, 3, 2, 2), f4(2, 3, 2, 2), f4(2, 3, 2, 2), none, 0), "ssl_pixel_consistency", "weight");
    ABSENT(ssl_pixel_contrast(none, f4(2, 3, 2, 2), f4(2, 3, 2, 2), f4(2, 3, 2, 2), f2(4, 4), 0.3f, 0), "ssl_pixel_contrast", "x1");
    ABSENT(ssl_pixel_contrast(f4(2, 3, 2, 2), none, f4(2, 3, 2, 2), f4(2, 3, 2, 2), f2(4, 4), 0.3f, 0), "ssl_pixel_contrast", "x2");
    ABSENT(ssl_pixel_contrast(f4(2, 3, 2, 2), f4(2, 3, 2, 2), none, f4(2, 3, 2, 2), f2(4, 4), 0.3f, 0), "ssl_pixel_contrast", "z1");
    ABSENT(ssl_pixel_contrast(f4(2, 3, 2, 2), f4(2, 3, 2, 2), f4(2, 3, 2, 2), none, f2(4, 4), 0.3f, 0), "ssl_pixel_contrast", "z2");
    ABSENT(ssl_pixel_contrast(f4(2, 3, 2, 2), f4(2, 3, 2, 2), f4(2, 3, 2, 2), f4(2, 3, 2, 2), none, 0.3f, 0), "ssl_pixel_contrast", "positive");
    ABSENT(ssl_soft_cross_entropy(none, f2(4, 3)), "ssl_soft_cross_entropy", "logits");
    ABSENT(ssl_soft_cross_entropy(f2(4, 3), none), "ssl_soft_cross_entropy", "q");
    ABSENT(ssl_mixup(none, i1(4, 0), 0.5f), "ssl_mixup", "x");
    ABSENT(ssl_mixup(f2(4, 3), none, 0.5f), "ssl_mixup", "order");
    ABSENT(ssl_cutmix(none, i1(2, 0), &box), "ssl_cutmix", "images");
    ABSENT(ssl_cutmix(f4(2, 3, 8, 8), none, &box), "ssl_cutmix", "order");
    ABSENT(ssl_mix(none, i1(2, 0), 3, NULL, &q), "ssl_mix", "images");
    ABSENT(ssl_mix(f4(2, 3, 8, 8), none, 3, NULL, &q), "ssl_mix", "labels");
    ABSENT_VOID(ssl_score_batch(none, i1(4, 0)), "ssl_score_batch", "logits");
    ABSENT_VOID(ssl_score_batch(f2(4, 3), none), "ssl_score_batch", "target");
    ALONE(ssl_one_hot(none, 3), "ssl_one_hot", "labels");
    ABSENT((maps[0] = f4(4, 8, 1, 1), maps[1] = NULL, ssl_fmc(NULL, 2, maps, maps, NULL)), "ssl_fmc", "anchor[1]");
}
static ssl_apl *an_apl(void) { ssl_apl_desc d = SSL_ZERO; d.encoder = SSL_APL_LINEAR; d.dim = 16; d.depth = 1; return ssl_apl_new(ctx, "", &d); }
static ssl_mae *a_mae(void) { ssl_mae_desc d = SSL_ZERO; d.dim = 32; d.depth = d.decoder_depth = 1; return ssl_mae_new(ctx, "", &d); }
static ssl_mp3 *an_mp3(void) { ssl_mp3_desc d = SSL_ZERO; d.vit.dim = 32; d.vit.depth = 1; return ssl_mp3_new(ctx, "", &d); }
static ssl_rotation *a_rotation(void) { ssl_rotation_desc d = SSL_ZERO; d.backbone.vit.dim = 32; d.backbone.vit.depth = 1; return ssl_rotation_new(ctx, "", &d); }
static ssl_amdim *an_amdim(void) { ssl_amdim_desc d = SSL_ZERO; d.ndf = 8; d.rkhs = 16; d.depth = 1; return ssl_amdim_new(ctx, "", &d); }
static ssl_pixpro *a_pixpro(void) { ssl_pixpro_desc d = SSL_ZERO; d.resnet.depth = 18; d.resnet.width = 8; d.projection_hidden = 32; return ssl_pixpro_new(ctx, "", &d); }
static ssl_cpc *a_cpc(void) { ssl_cpc_desc d = SSL_ZERO; d.resnet.depth = 18; d.resnet.width = 8; d.hidden = d.target_dim = 16; d.blocks = 1; return ssl_cpc_new(ctx, "", &d); }
/* Objectives are of a context, whatever else is missing. */
static void test_absent_objectives(void)
{
    ssl_tensor *views[2] = { NULL, NULL };
    ssl_look look = SSL_ZERO;
    ssl_online_eval e;
    ABSENT(ssl_apl_loss(an_apl(), none, NULL), "ssl_apl_loss", "images");
    ABSENT(ssl_apl_features(an_apl(), none), "ssl_apl_features", "images");
    ABSENT_VOID(ssl_apl_look(an_apl(), none, &look), "ssl_apl_look", "images");
    ABSENT(ssl_mae_loss(a_mae(), none, NULL), "ssl_mae_loss", "ssl_vit_forward: images");
    ABSENT(ssl_mae_features(a_mae(), none), "ssl_mae_features", "ssl_vit_forward: images");
    ABSENT(ssl_mask_token_mae_loss(ssl_mask_token_mae_new(ctx, "", NULL), none, NULL), "ssl_mask_token_mae_loss", "images");
    ABSENT(ssl_mask_token_mae_features(ssl_mask_token_mae_new(ctx, "", NULL), none), "ssl_mask_token_mae_features", "images");
    ABSENT_VOID(ssl_mask_token_mae_look(ssl_mask_token_mae_new(ctx, "", NULL), none, &look), "ssl_mask_token_mae_look", "images");
    ABSENT(ssl_randsac_loss(ssl_randsac_new(ctx, "", NULL), none, NULL), "ssl_randsac_loss", "images");
    ABSENT(ssl_randsac_features(ssl_randsac_new(ctx, "", NULL), none), "ssl_randsac_features", "images");
    ABSENT_VOID(ssl_randsac_look(ssl_randsac_new(ctx, "", NULL), none, &look), "ssl_randsac_look", "images");
    ABSENT(ssl_jigsaw_loss(ssl_jigsaw_new(ctx, "", NULL), none, NULL), "ssl_jigsaw_loss", "images");
    ABSENT(ssl_jigsaw_features(ssl_jigsaw_new(ctx, "", NULL), none), "ssl_jigsaw_features", "images");
    ABSENT_VOID(ssl_jigsaw_look(ssl_jigsaw_new(ctx, "", NULL), none, &look), "ssl_jigsaw_look", "images");
    ABSENT(ssl_rotation_loss(a_rotation(), none, NULL), "ssl_rotation_loss", "images");
    ABSENT(ssl_rotation_features(a_rotation(), none), "ssl_rotation_features", "ssl_vit_forward: images");
    ALONE(ssl_quarter_turns(none), "ssl_quarter_turns", "images");
    ABSENT(ssl_apl_loss(ssl_apl_new(ctx, "", NULL), none, NULL), "ssl_apl_loss", "images"); /* its defaults fit each other */
    ABSENT(ssl_mp3_loss(an_mp3(), none, NULL), "ssl_mp3_loss", "ssl_vit_forward: images");
    ABSENT(ssl_mp3_features(an_mp3(), none), "ssl_mp3_features", "ssl_vit_forward: images");
    ABSENT(ssl_amdim_loss(an_amdim(), none, f4(2, 3, 32, 32), NULL), "ssl_amdim_loss", "ssl_amdim_maps: images");
    ABSENT(ssl_amdim_features(an_amdim(), none), "ssl_amdim_features", "ssl_amdim_maps: images");
    ABSENT(ssl_pixpro_loss(a_pixpro(), none, f4(2, 3, 32, 32), NULL), "ssl_pixpro_loss", "images1");
    ABSENT(ssl_pixpro_loss(a_pixpro(), f4(2, 3, 32, 32), none, NULL), "ssl_pixpro_loss", "images2");
    ABSENT(ssl_pixpro_features(a_pixpro(), none), "ssl_pixpro_features", "ssl_resnet_forward: images");
    ABSENT(ssl_cpc_loss(a_cpc(), none, NULL), "ssl_cpc_loss", "images");
    ABSENT(ssl_cpc_task(a_cpc(), none, NULL), "ssl_cpc_task", "z");
    ABSENT(ssl_cpc_features(a_cpc(), none), "ssl_cpc_features", "images");
    ABSENT(ssl_siamese_loss(siamese(SSL_SIAMESE_SIMCLR, 0), 2, views, NULL), "ssl_siamese_loss", "views[0]");
    ABSENT(ssl_siamese_loss(siamese(SSL_SIAMESE_SIMCLR, 0), 2, NULL, NULL), "ssl_siamese_loss", "views[0]");
    ABSENT(ssl_siamese_features(siamese(SSL_SIAMESE_SIMCLR, 0), none), "ssl_siamese_features", "ssl_vit_forward: images");
    ABSENT_VOID((look.tokens = NULL, ssl_look_save(&look, f4(2, 3, 8, 8), NULL, NULL, "/tmp/none.png")), "ssl_look_save", "look->tokens");
    ABSENT_VOID((look.tokens = f3(2, 4, 8), ssl_look_save(&look, none, NULL, NULL, "/tmp/none.png")), "ssl_look_save", "images");
    ALONE_VOID((e = ssl_online_eval_new(ctx, 8, 3, NULL), ssl_online_eval_step(&e, none, NULL, 0.0f), ssl_online_eval_close(&e)), "ssl_online_eval_step", "features");
}

int main(int argc, char **argv)
{
    if (argc > 1) check_filter = argv[1];
    TEST(engine);
    TEST(elementwise);
    TEST(products);
    TEST(shapes);
    TEST(tokens);
    TEST(masks);
    TEST(norms_and_losses);
    TEST(attention);
    TEST(images);
    TEST(contrast);
    TEST(blocks);
    TEST(resnet);
    TEST(siamese);
    TEST(tune);
    TEST(feature_maps);
    TEST(masked_and_puzzles);
    TEST(absent_engine);
    TEST(absent_optional);
    TEST(absent_elementwise);
    TEST(absent_products);
    TEST(absent_shapes);
    TEST(absent_norms_and_losses);
    TEST(absent_images);
    TEST(absent_networks);
    TEST(absent_objective_losses);
    TEST(absent_objectives);
    return check_done();
}
