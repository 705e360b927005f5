/* Every misuse yields exactly one message, which names this file and line, the call, and the shapes that met; the result is
   the nil tensor; and any calls after it are quiet no-ops.   ./build/test_errors [NAME] */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "check.h"

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
    ssl_tensor *const none = NULL;
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
    return check_done();
}
