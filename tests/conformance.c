/* conformance DIR [--precision highest|high|bf16] [NAME...]: replay recorded cases through the public API.
 *
 * DIR holds NAME.safetensors files: inputs, parameters, settings, and the outputs and gradients that a public implementation
 * gave for them. One line each, "ok|FAIL|skip NAME worst-error tolerance", then the counts; NAME may contain * and ?.
 * Shapes and settings come from the file alone. A family of cases is one row of the table at the end and one function
 * run_*, which says how the case is written with ssl.h. Every output, gradient and "after" tensor of a file must have been
 * compared, or the case fails. Tolerances are those of the file; at `high` ten times as much, where operands are rounded (`high` on CUDA, `bf16`)
 * those below. */
#ifndef _GNU_SOURCE
#  define _GNU_SOURCE /* mkstemp */
#endif
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include <dirent.h>
#include <fnmatch.h>

enum { MOST_LEAVES = 4096 };
/* Of the norm, where products round their operands. An operand is off by 2^-11 of itself at most (TF32, a mantissa of 10 bits) or 2^-8 (bf16), a product by
   as much in norm, an output by what several products in sequence add; gradients by a few times that. Both grow with the rounding: with operands
   left as they are the same kernels pass at the tenfold tolerances. A ReLU's input that falls on its other side moves the gradients of a batch of few values by
   up to a third at once, whatever the rounding: at TF32 in six cases. */
typedef struct rounding { double out, grad, zero; } rounding;
static const rounding tf32 = { 2e-3, 0.2, 4e-4 }; /* most seen: 9e-4; 4e-3, with a ReLU's jump 0.15 */
static const rounding bf16 = { 0.03, 0.35, 3e-3 }; /* most seen: 8e-3; 0.02, with a ReLU's jump 0.32 */
typedef struct leaf { ssl_tensor *t; const char *name; } leaf; /* something that is differentiated, and its name in the file */
typedef struct mark { int compared; int64_t n_seen; double error2; } mark; /* of a tensor that is compared step by step */
typedef struct fixture {
    ssl_ctx *c;
    ssl_safetensors *f;
    const char *name;
    double rtol_out, rtol_grad, rtol_zero, loss_scale, grad_scale;
    leaf leaves[MOST_LEAVES];
    int n_leaves;
    mark *marks;              /* for each tensor of the file */
    double error, tolerance;  /* of the comparison that came nearest to its limit, or farthest beyond */
    const char *where;        /* the tensor of that comparison */
    char skip[200];           /* why the case cannot be replayed; "" if it can */
} fixture;

/* ---- settings ---- */
static const char *word(const fixture *t, const char *key, const char *otherwise)
{
    const char *s = ssl_safetensors_note(t->f, key);
    return s ? s : otherwise;
}
static double number(const fixture *t, const char *key, double otherwise)
{
    const char *s = ssl_safetensors_note(t->f, key);
    return s ? atof(s) : otherwise;
}
static float real(const fixture *t, const char *key, double otherwise) { return (float)number(t, key, otherwise); }
static int whole(const fixture *t, const char *key, int otherwise) { return (int)number(t, key, otherwise); }
static int numbers(const fixture *t, const char *key, double otherwise, double *v, int n) /* "2,1"; a single number fills all */
{
    const char *s = word(t, key, "");
    int i, k = 0;
    for (i = 0; i < n; i++) v[i] = otherwise;
    for (; *s && k < n; s += strcspn(s, ","), s += *s == ',') v[k++] = atof(s);
    for (i = k; i < n && k == 1; i++) v[i] = v[0];
    return k;
}
static int has_word(const char *words, const char *w) /* words are separated by spaces or commas */
{
    const size_t n = strlen(w);
    for (; *words; words += strcspn(words, " ,"), words += strspn(words, " ,"))
        if (strcspn(words, " ,") == n && !strncmp(words, w, n)) return 1;
    return 0;
}
static void skip(fixture *t, const char *why) { snprintf(t->skip, sizeof t->skip, "%s", why); }

/* ---- tensors of the file ---- */
static const ssl_file_tensor *find(const fixture *t, const char *prefix, const char *name)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    return ssl_safetensors_find(t->f, full);
}
static void *must_alloc(size_t n)
{
    void *p = malloc(n ? n : 1);
    if (!p) { fprintf(stderr, "out of memory\n"); exit(1); }
    return p;
}
static float *floats(const ssl_file_tensor *w) /* to be freed */
{
    float *x = (float *)must_alloc(sizeof(float) * (size_t)w->n);
    if (!ssl_file_tensor_to_f32(w, x)) memset(x, 0, sizeof(float) * (size_t)w->n);
    return x;
}
static int32_t *ints(const ssl_file_tensor *w) /* of an I64 tensor, to be freed */
{
    int32_t *x = (int32_t *)must_alloc(sizeof *x * (size_t)w->n);
    int64_t i, v;
    for (i = 0; i < w->n; i++) { memcpy(&v, (const char *)w->data + 8 * i, 8); x[i] = (int32_t)v; }
    return x;
}
/* A step tensor with the file's values (I64 becomes I32): elements [begin, begin + n) seen with the given shape. */
static ssl_tensor *load_part(fixture *t, const ssl_file_tensor *w, int64_t begin, int ndim, const int64_t *dim)
{
    int d[SSL_DIMS] = { 1, 1, 1, 1, 1, 1 }, i;
    ssl_tensor *y;
    for (i = 0; i < ndim; i++) d[i] = (int)dim[i];
    ndim = ndim ? ndim : 1;
    if (!strcmp(w->dtype, "U8")) return ssl_input_u8(t->c, (const uint8_t *)w->data + begin, ndim, d[0], d[1], d[2], d[3], d[4], d[5]);
    if (!strcmp(w->dtype, "I64")) {
        int32_t *x = ints(w);
        y = ssl_input_i32(t->c, x + begin, ndim, d[0], d[1], d[2], d[3], d[4], d[5]);
        free(x);
        return y;
    }
    return ssl_input(t->c, (const float *)w->data + begin, ndim, d[0], d[1], d[2], d[3], d[4], d[5]);
}
static void complain(fixture *t, const char *fmt, const char *name)
{
    char text[400];
    snprintf(text, sizeof text, fmt, name);
    ssl_raise(t->c, SSL_E_ARG, text);
}
static void add_leaf(fixture *t, ssl_tensor *x, const char *name)
{
    if (t->n_leaves == MOST_LEAVES) { ssl_raise(t->c, SSL_E_ARG, "too many gradients"); return; }
    t->leaves[t->n_leaves].name = name;
    t->leaves[t->n_leaves++].t = x;
}
static ssl_tensor *load(fixture *t, const char *prefix, const char *name) /* the context's error if it is not in the file */
{
    const ssl_file_tensor *w = find(t, prefix, name);
    char full[256];
    ssl_tensor *x;
    snprintf(full, sizeof full, "%s%s", prefix, name);
    if (!w) { complain(t, "the file has no %s", full); return &t->c->nil; }
    x = load_part(t, w, 0, w->ndim, w->dim);
    if (find(t, "grad.", w->name)) add_leaf(t, ssl_requires_grad(x), w->name);
    return x;
}
static ssl_tensor *in(fixture *t, const char *name) { return load(t, "in.", name); }
static ssl_tensor *in_or_null(fixture *t, const char *name) { return find(t, "in.", name) ? in(t, name) : NULL; }
static ssl_tensor *param(fixture *t, const char *name) { return load(t, "param.", name); }
static ssl_tensor *param_or_null(fixture *t, const char *name) { return find(t, "param.", name) ? param(t, name) : NULL; }
static ssl_tensor *buffer(fixture *t, const char *name) { return load(t, "buf.", name); }

/* ---- comparing ---- */
static void judge(fixture *t, const ssl_file_tensor *want, double error, double tolerance)
{
    const double now = tolerance > 0.0 ? error / tolerance : error > 0.0 ? HUGE_VAL : 0.0;
    const double worst = t->tolerance > 0.0 ? t->error / t->tolerance : t->error > 0.0 ? HUGE_VAL : 0.0;
    t->marks[want - t->f->tensor].compared = 1;
    if (t->where && now <= worst) return; /* a NaN is not */
    t->error = error;
    t->tolerance = tolerance;
    t->where = want->name;
}
static double norm(const float *a, int64_t n)
{
    double s = 0.0;
    int64_t i;
    for (i = 0; i < n; i++) s += (double)a[i] * (double)a[i];
    return sqrt(s);
}
static double distance(const float *a, const float *b, int64_t n)
{
    double s = 0.0;
    int64_t i;
    for (i = 0; i < n; i++) s += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sqrt(s);
}
static void output_values(fixture *t, const ssl_file_tensor *want, const float *got, int64_t n)
{
    float *b = floats(want);
    const double size = norm(b, want->n), scale = want->n == 1 && size < t->loss_scale ? t->loss_scale : size;
    if (n != want->n) judge(t, want, HUGE_VAL, t->rtol_out);
    else judge(t, want, scale > 0.0 ? distance(got, b, n) / scale : norm(got, n), t->rtol_out);
    free(b);
}
static void output_indices(fixture *t, const ssl_file_tensor *want, const int32_t *got, int64_t n)
{
    int64_t *b = (int64_t *)must_alloc(sizeof *b * (size_t)want->n), i;
    double wrong = n != want->n;
    ssl_file_tensor_to_i64(want, b);
    for (i = 0; i < n && n == want->n; i++) wrong += got[i] != b[i];
    judge(t, want, wrong, 0.0);
    free(b);
}
static void output_levels(fixture *t, const ssl_file_tensor *want, const uint8_t *got, double tolerance)
{
    double most = 0.0;
    int64_t i;
    for (i = 0; i < want->n; i++) {
        const double d = abs((int)got[i] - (int)((const uint8_t *)want->data)[i]);
        most = d > most ? d : most;
    }
    judge(t, want, most, tolerance);
}
static void compare(fixture *t, const ssl_file_tensor *want, const ssl_tensor *got)
{
    const int64_t n = ssl_numel(got);
    void *host;
    if (!want || !ssl_ok(t->c)) return;
    host = must_alloc(4 * (size_t)n);
    ssl_to_host(got, host);
    if (got->dtype == SSL_F32) output_values(t, want, (const float *)host, n);
    else if (got->dtype == SSL_I32) output_indices(t, want, (const int32_t *)host, n);
    else if (n == want->n) output_levels(t, want, (const uint8_t *)host, 0.0);
    free(host);
}
static void out(fixture *t, const char *name, const ssl_tensor *y) { compare(t, find(t, "out.", name), y); }
static void out_values(fixture *t, const char *name, const float *x, int64_t n)
{
    const ssl_file_tensor *want = find(t, "out.", name);
    if (want && ssl_ok(t->c)) output_values(t, want, x, n);
}
/* Step by step: the first axis of out.NAME counts the steps. settle compares what is complete. */
static void out_step(fixture *t, const char *name, int step, const float *got, int64_t n)
{
    const ssl_file_tensor *w = find(t, "out.", name);
    mark *m = w ? &t->marks[w - t->f->tensor] : NULL;
    float *b;
    double d;
    if (!w || (step + 1) * n > w->n || !ssl_ok(t->c)) return;
    b = floats(w);
    d = distance(got, b + step * n, n);
    m->error2 += d * d;
    m->n_seen += n;
    free(b);
}
static void settle(fixture *t)
{
    int i;
    for (i = 0; i < t->f->n_tensors; i++) {
        const ssl_file_tensor *w = &t->f->tensor[i];
        float *b;
        if (!t->marks[i].n_seen || t->marks[i].n_seen != w->n) continue;
        b = floats(w);
        judge(t, w, sqrt(t->marks[i].error2) / norm(b, w->n), t->rtol_out);
        free(b);
    }
}
/* State after the call: the file says after.buf.NAME, after.param.NAME or after.NAME. */
static void after(fixture *t, const char *name, const ssl_tensor *y)
{
    const ssl_file_tensor *w = find(t, "after.buf.", name);
    if (!w) w = find(t, "after.param.", name);
    compare(t, w ? w : find(t, "after.", name), y);
}

/* ---- gradients ---- */
static void gradient_values(fixture *t, const ssl_file_tensor *want, const float *got)
{
    float *b = floats(want);
    const double size = norm(b, want->n), least = 1e-3 * t->grad_scale, scale = size > least ? size : least;
    if (has_word(word(t, "zero_grads", ""), want->name)) judge(t, want, norm(got, want->n) / t->grad_scale, t->rtol_zero);
    else judge(t, want, scale > 0.0 ? distance(got, b, want->n) / scale : norm(got, want->n), t->rtol_grad);
    free(b);
}
static void gradient(fixture *t, const ssl_file_tensor *want, const ssl_tensor *x)
{
    float *a = (float *)must_alloc(sizeof(float) * (size_t)ssl_numel(x));
    if (want->n != ssl_numel(x) || !ssl_grad_to_host(x, a)) judge(t, want, HUGE_VAL, t->rtol_grad);
    else gradient_values(t, want, a);
    free(a);
}
/* The end of every differentiated case: out.loss, backward, grad.*. */
static void finish(fixture *t, ssl_tensor *loss)
{
    int i;
    out(t, "loss", loss);
    if (t->n_leaves) ssl_backward(loss);
    for (i = 0; i < t->n_leaves && ssl_ok(t->c); i++) {
        const ssl_file_tensor *want = find(t, "grad.", t->leaves[i].name);
        if (want) gradient(t, want, t->leaves[i].t);
    }
}
/* Compares out.NAME; sum(y * in.probe) or sum(y * in.probe.NAME) is its part of the loss. */
static ssl_tensor *probe(fixture *t, const char *name, ssl_tensor *y)
{
    char own[128];
    snprintf(own, sizeof own, "probe.%s", name);
    out(t, name, y);
    return ssl_sum(ssl_mul(y, in(t, find(t, "in.", own) ? own : "probe")));
}

/* ==== operators ======================================================================================= */
static void run_linear(fixture *t) { finish(t, probe(t, "y", ssl_linear(in(t, "x"), param(t, "weight"), param_or_null(t, "bias")))); }
static void run_matmul(fixture *t) { finish(t, probe(t, "y", ssl_matmul_t(in(t, "a"), in(t, "b"), whole(t, "trans_a", 0), whole(t, "trans_b", 0)))); }
static void run_add(fixture *t) { finish(t, probe(t, "y", ssl_add(in(t, "a"), in(t, "b")))); }
static void run_mul(fixture *t) { finish(t, probe(t, "y", ssl_mul(in(t, "a"), in(t, "b")))); }
static void run_gelu(fixture *t) { finish(t, probe(t, "y", ssl_gelu(in(t, "x")))); }
static void run_gelu_tanh(fixture *t) { finish(t, probe(t, "y", ssl_gelu_tanh(in(t, "x")))); }
static void run_relu(fixture *t) { finish(t, probe(t, "y", ssl_relu(in(t, "x")))); }
static void run_sigmoid(fixture *t) { finish(t, probe(t, "y", ssl_sigmoid(in(t, "x")))); }
static void run_tanh(fixture *t) { finish(t, probe(t, "y", ssl_tanh(in(t, "x")))); }
static void run_tanh_clip(fixture *t) { finish(t, probe(t, "y", ssl_tanh_clip(in(t, "x"), real(t, "clip_val", 10.0)))); }
static void run_softmax(fixture *t) { finish(t, probe(t, "y", ssl_softmax(in(t, "x")))); }
static void run_log_softmax(fixture *t) { finish(t, probe(t, "y", ssl_log_softmax(in(t, "x")))); }
static void run_l2_normalize(fixture *t) { finish(t, probe(t, "y", ssl_l2_normalize(in(t, "x"), real(t, "eps", 1e-12)))); }
static void run_cosine_similarity(fixture *t) { finish(t, probe(t, "y", ssl_cosine_similarity(in(t, "a"), in(t, "b")))); }
static void run_mse(fixture *t) { finish(t, ssl_mse(in(t, "a"), in(t, "b"))); }
static void run_l1(fixture *t) { finish(t, ssl_l1(in(t, "a"), in(t, "b"))); }
static void run_smooth_l1(fixture *t) { finish(t, ssl_smooth_l1(in(t, "a"), in(t, "b"), real(t, "beta", 1.0))); }
static void run_layer_norm(fixture *t)
{ finish(t, probe(t, "y", ssl_layer_norm(in(t, "x"), param_or_null(t, "weight"), param_or_null(t, "bias"), real(t, "eps", 1e-5)))); }
static void run_cross_entropy(fixture *t)
{
    const int ignore = whole(t, "ignore_index", -100);
    ssl_tensor *target = in(t, "target");
    int32_t *label = (int32_t *)must_alloc(sizeof *label * (size_t)ssl_numel(target));
    int64_t i;
    if (ssl_to_host(target, label)) {
        for (i = 0; i < ssl_numel(target); i++) if (label[i] == ignore) label[i] = -100;
        ssl_from_host(target, label);
    }
    free(label);
    finish(t, ssl_cross_entropy(in(t, "logits"), target, real(t, "label_smoothing", 0.0)));
}

/* The axes are those by which the shape of y differs from that of x; where several fit, axis 1, then 2 and 3, come first. */
static int fits_axes(const ssl_tensor *x, const ssl_file_tensor *y, unsigned axes, int keep)
{
    int i, k = 0;
    for (i = 0; i < x->ndim; i++) {
        if (axes & SSL_AXIS(i)) { if (keep && (k >= y->ndim || y->dim[k++] != 1)) return 0; }
        else if (k >= y->ndim || y->dim[k++] != x->dim[i]) return 0;
    }
    return k == y->ndim;
}
static void run_reduce(fixture *t, int mean)
{
    static const unsigned first[2] = { SSL_AXIS(1), SSL_AXIS(2) | SSL_AXIS(3) };
    const ssl_file_tensor *y = find(t, "out.", "y");
    ssl_tensor *x = in(t, "x");
    unsigned i, all = SSL_AXIS(x->ndim) - 1;
    int keep;
    if (!y || !x->ndim) { skip(t, "no out.y"); return; }
    if (y->n == 1) { finish(t, probe(t, "y", mean ? ssl_mean(x) : ssl_sum(x))); return; }
    for (i = 0; i < 2 + all; i++) {
        const unsigned axes = i < 2 ? first[i] : i - 1;
        for (keep = 0; keep < 2; keep++)
            if ((axes & all) == axes && fits_axes(x, y, axes, keep)) {
                finish(t, probe(t, "y", mean ? ssl_mean_axes(x, axes, keep) : ssl_sum_axes(x, axes, keep)));
                return;
            }
    }
    skip(t, "out.y is no reduction of in.x");
}
static void run_mean(fixture *t) { run_reduce(t, 1); }
static void run_sum(fixture *t) { run_reduce(t, 0); }

static void run_gather_tokens(fixture *t) { finish(t, probe(t, "y", ssl_gather_tokens(in(t, "x"), in(t, "index")))); }
static void run_index_select(fixture *t) { finish(t, probe(t, "y", ssl_index_select(in(t, "x"), in(t, "index")))); }
static void run_scatter_tokens(fixture *t) { finish(t, probe(t, "y", ssl_scatter_tokens(in(t, "base"), in(t, "x"), in(t, "index")))); }
static void run_unshuffle_tokens(fixture *t)
{
    ssl_tensor *ids_restore = ssl_argsort(in(t, "ids_shuffle"));
    out(t, "ids_restore", ids_restore);
    finish(t, probe(t, "y", ssl_unshuffle_tokens(in(t, "x"), ids_restore)));
}
static void run_concat(fixture *t)
{
    ssl_tensor *list[26];
    char name[2] = "a";
    int n = 0;
    for (; n < 26 && find(t, "in.", name); name[0]++) list[n++] = in(t, name);
    finish(t, probe(t, "y", ssl_concat(whole(t, "axis", -1), n, list)));
}
static void run_slice(fixture *t)
{
    ssl_tensor *x = ssl_slice(in(t, "x"), 1, whole(t, "t0", 0), whole(t, "t1", 0));
    finish(t, probe(t, "y", ssl_slice(x, 2, whole(t, "c0", 0), whole(t, "c1", 0))));
}
static void run_permute(fixture *t)
{
    double p[SSL_DIMS];
    numbers(t, "perm", 0.0, p, SSL_DIMS);
    finish(t, probe(t, "y", ssl_permute(in(t, "x"), (int)p[0], (int)p[1], (int)p[2], (int)p[3], (int)p[4], (int)p[5])));
}
static void run_patchify_mae(fixture *t) { finish(t, probe(t, "y", ssl_patchify(in(t, "imgs"), whole(t, "patch_size", 0), SSL_PATCH_ROW_COL_CHANNEL))); }
static void run_patchify_unfold(fixture *t) { finish(t, probe(t, "y", ssl_patchify(in(t, "imgs"), whole(t, "patch_size", 0), SSL_PATCH_CHANNEL_ROW_COL))); }
static void run_unpatchify_mae(fixture *t)
{
    const ssl_tensor *like = in(t, "probe");
    finish(t, probe(t, "y", ssl_unpatchify(in(t, "x"), whole(t, "patch_size", 0), like->dim[1], like->dim[2], like->dim[3], SSL_PATCH_ROW_COL_CHANNEL)));
}
static void run_patchify_randsac(fixture *t)
{ finish(t, probe(t, "seq", ssl_patchify_segments(in(t, "imgs"), whole(t, "patch_size", 0), whole(t, "M", 0), in(t, "ids_shuffle")))); }
static void run_unpatchify_randsac(fixture *t)
{
    const ssl_tensor *like = in(t, "probe");
    finish(t, probe(t, "imgs", ssl_unpatchify_segments(in(t, "seq"), in(t, "ids_shuffle"), whole(t, "patch_size", 0), whole(t, "M", 0),
                                                       like->dim[1], like->dim[2], like->dim[3])));
}
static void run_sincos2d(fixture *t)
{
    const int dim = whole(t, "embed_dim", 0), grid = whole(t, "grid_size", 0), cls = whole(t, "cls_token", 0);
    const int64_t n = (int64_t)(grid * grid + cls) * dim;
    float *pos = (float *)must_alloc(sizeof(float) * (size_t)n);
    if (ssl_sincos2d(dim, grid, cls, pos)) out_values(t, "pos_embed", pos, n);
    free(pos);
}

/* ==== convolution and friends ========================================================================= */
static void run_conv2d(fixture *t)
{
    ssl_conv_desc d = SSL_ZERO;
    double stride[2], padding[2], dilation[2];
    numbers(t, "stride", 1.0, stride, 2);
    numbers(t, "padding", 0.0, padding, 2);
    numbers(t, "dilation", 1.0, dilation, 2);
    d.stride = (int)stride[0];
    d.stride_w = (int)stride[1];
    d.padding = (int)padding[0];
    d.padding_w = padding[1] > 0.0 ? (int)padding[1] : SSL_CONV_ZERO;
    d.dilation = (int)dilation[0];
    d.dilation_w = (int)dilation[1];
    d.groups = whole(t, "groups", 1);
    d.pad_mode = strcmp(word(t, "padding_mode", "zeros"), "reflect") ? SSL_PAD_ZERO : SSL_PAD_REFLECT;
    finish(t, probe(t, "y", ssl_conv2d(in(t, "x"), param(t, "weight"), param_or_null(t, "bias"), &d)));
}
static void run_batch_norm(fixture *t)
{
    ssl_tensor *mean = buffer(t, "running_mean"), *var = buffer(t, "running_var"), *y;
    ssl_train(t->c, whole(t, "train", 1));
    y = ssl_batch_norm(in(t, "x"), param_or_null(t, "weight"), param_or_null(t, "bias"), mean, var, real(t, "momentum", 0.1), real(t, "eps", 1e-5));
    finish(t, probe(t, "y", y));
    after(t, "running_mean", mean);
    after(t, "running_var", var);
}
static void run_group_norm(fixture *t)
{ finish(t, probe(t, "y", ssl_group_norm(in(t, "x"), whole(t, "groups", 1), param_or_null(t, "weight"), param_or_null(t, "bias"), real(t, "eps", 1e-5)))); }
static void set_bn(const fixture *t, ssl_batch_norm_layer *b)
{
    b->momentum = real(t, "bn_momentum", 0.1);
    b->eps = real(t, "bn_eps", 1e-5);
}
static void set_mlp(const fixture *t, ssl_mlp *m)
{
    int i;
    for (i = 0; i < SSL_MLP_LAYERS; i++) set_bn(t, &m->norm[i]);
}
static void resnet_unit(fixture *t, const char *conv, const char *bn, int stride, ssl_conv_layer *c, ssl_batch_norm_layer *b)
{
    char name[64];
    snprintf(name, sizeof name, "%s.weight", conv);
    c->weight = param(t, name);
    c->d.stride = stride;
    c->d.padding = c->weight->dim[2] / 2;
    snprintf(name, sizeof name, "%s.weight", bn);
    b->weight = param(t, name);
    snprintf(name, sizeof name, "%s.bias", bn);
    b->bias = param(t, name);
    snprintf(name, sizeof name, "%s.running_mean", bn);
    b->running_mean = buffer(t, name);
    snprintf(name, sizeof name, "%s.running_var", bn);
    b->running_var = buffer(t, name);
    set_bn(t, b);
}
static void resnet_after(fixture *t, const char *bn, const ssl_batch_norm_layer *b)
{
    char name[64];
    snprintf(name, sizeof name, "%s.running_mean", bn);
    after(t, name, b->running_mean);
    snprintf(name, sizeof name, "%s.running_var", bn);
    after(t, name, b->running_var);
}
static void run_resnet(fixture *t)
{
    static const char *const conv[] = { "conv1", "conv2", "conv3" }, *const bn[] = { "bn1", "bn2", "bn3" };
    const int stride = whole(t, "stride", 1), down = whole(t, "downsample", 0);
    ssl_resnet_block b = SSL_ZERO;
    int i;
    b.convs = find(t, "param.", "conv3.weight") ? 3 : 2;
    for (i = 0; i < b.convs; i++) resnet_unit(t, conv[i], bn[i], i == b.convs - 2 ? stride : 1, &b.conv[i], &b.bn[i]);
    if (down) resnet_unit(t, "downsample.0", "downsample.1", stride, &b.down, &b.down_bn);
    ssl_train(t->c, whole(t, "train", 1));
    finish(t, probe(t, "y", ssl_resnet_block_forward(&b, in(t, "x"))));
    for (i = 0; i < b.convs; i++) resnet_after(t, bn[i], &b.bn[i]);
    if (down) resnet_after(t, "downsample.1", &b.down_bn);
}
static void run_max_pool2d(fixture *t)
{ finish(t, probe(t, "y", ssl_max_pool2d(in(t, "x"), whole(t, "kernel", 2), whole(t, "stride", 0), whole(t, "padding", 0)))); }
static void run_avg_pool2d(fixture *t)
{ finish(t, probe(t, "y", ssl_avg_pool2d(in(t, "x"), whole(t, "kernel", 2), whole(t, "stride", 0), whole(t, "padding", 0)))); }
static void run_global_avg_pool(fixture *t) { finish(t, probe(t, "y", ssl_global_avg_pool(in(t, "x")))); }
static ssl_interpolation mode_of(const fixture *t) { return strcmp(word(t, "mode", ""), "nearest") ? SSL_INTERPOLATE_BILINEAR : SSL_INTERPOLATE_NEAREST; }
static void run_interpolate(fixture *t) { finish(t, probe(t, "y", ssl_interpolate(in(t, "x"), whole(t, "out_h", 0), whole(t, "out_w", 0), mode_of(t)))); }

/* ==== attention ======================================================================================= */
static ssl_tensor *rows(ssl_tensor *x, int begin, int end) { return x ? ssl_slice(x, 0, begin, end) : NULL; }
/* nn.MultiheadAttention: one projection [3E,E] for q, k, v; attention; an output projection. */
static void run_mha(fixture *t)
{
    const int heads = whole(t, "num_heads", 1), causal = !strcmp(word(t, "mask", ""), "causal");
    ssl_tensor *mask = causal ? NULL : in_or_null(t, "attn_mask");
    ssl_tensor *w = param(t, "in_proj_weight"), *b = param_or_null(t, "in_proj_bias"), *q, *k, *y;
    const int e = w->dim[1];
    if (find(t, "in.", "memory")) {
        ssl_tensor *kv = ssl_linear(in(t, "memory"), rows(w, e, 3 * e), rows(b, e, 3 * e));
        q = ssl_linear(in(t, "query"), rows(w, 0, e), rows(b, 0, e));
        k = ssl_slice(kv, 2, 0, e);
        y = ssl_attention_kv(q, kv, heads, 0.0f, mask, causal);
    } else {
        ssl_tensor *qkv = ssl_linear(in(t, "x"), w, b);
        q = ssl_slice(qkv, 2, 0, e);
        k = ssl_slice(qkv, 2, e, 2 * e);
        y = ssl_attention_packed(qkv, heads, 0.0f, mask, causal);
    }
    out(t, "attn", ssl_attention_weights(q, k, heads, 0.0f, mask, causal));
    finish(t, probe(t, "y", ssl_linear(y, param(t, "out_proj.weight"), param_or_null(t, "out_proj.bias"))));
}

/* ==== optimizers, schedules, updates ================================================================== */
/* The i-th tensor of the file whose name begins with prefix; *name is the rest. */
static const ssl_file_tensor *nth(const fixture *t, const char *prefix, int i, const char **name)
{
    const size_t n = strlen(prefix);
    int k;
    for (k = 0; k < t->f->n_tensors; k++)
        if (!strncmp(t->f->tensor[k].name, prefix, n) && i-- == 0) { *name = t->f->tensor[k].name + n; return &t->f->tensor[k]; }
    return NULL;
}
/* Parameters AS + NAME for all tensors PREFIX + NAME of the file, in its order; by_step: their first axis counts steps.
   Returns how many. */
static int make_params(fixture *t, const char *prefix, int by_step, const char *as)
{
    const ssl_file_tensor *w;
    const char *name;
    char full[256];
    int n, i, d[SSL_DIMS] = { 1, 1, 1, 1, 1, 1 };
    for (n = 0; (w = nth(t, prefix, n, &name)) != NULL; n++) {
        for (i = by_step; i < w->ndim; i++) d[i - by_step] = (int)w->dim[i];
        snprintf(full, sizeof full, "%s%s", as, name);
        ssl_param(t->c, ssl_init_make(SSL_INIT_ZEROS, 0.0f), full, w->ndim - by_step, d[0], d[1], d[2], d[3], d[4], d[5]);
    }
    return n;
}
static ssl_tensor *nth_param(fixture *t, int i, const char **name) { return ssl_param_at_index(t->c, i, name); }
/* The part of step `step` of a file tensor, shaped as p (all of it with step 0). */
static ssl_tensor *part_for(fixture *t, const ssl_file_tensor *w, int step, const ssl_tensor *p)
{
    const int64_t n = ssl_numel(p);
    int64_t dim[SSL_DIMS];
    int i;
    if (!w || (step + 1) * n > w->n) { complain(t, "the file has too little for %s", p->op); return &t->c->nil; }
    for (i = 0; i < p->ndim; i++) dim[i] = p->dim[i];
    return load_part(t, w, step * n, p->ndim, dim);
}
static void set_values(ssl_tensor *p, const ssl_file_tensor *w, int step)
{
    const int64_t n = ssl_numel(p);
    if (w && (step + 1) * n <= w->n) ssl_from_host(p, (const float *)w->data + step * n);
}
static void set_gradient(fixture *t, ssl_tensor *p, const ssl_file_tensor *w, int step) /* that of sum(p G) is G */
{
    ssl_backward(ssl_sum(ssl_mul(p, part_for(t, w, step, p))));
}
static void out_step_tensor(fixture *t, const char *prefix, const char *name, int step, const ssl_tensor *p)
{
    float *x = (float *)must_alloc(sizeof *x * (size_t)ssl_numel(p));
    char full[256];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    if (ssl_to_host(p, x)) out_step(t, full, step, x, ssl_numel(p));
    free(x);
}

static ssl_optim_desc optimizer_of(const fixture *t)
{
    ssl_optim_desc d = SSL_ZERO;
    const int adam = ssl_safetensors_note(t->f, "beta1") != NULL;
    d.kind = adam ? (strstr(t->name, "adamw") ? SSL_OPTIM_ADAMW : SSL_OPTIM_ADAM) : ssl_safetensors_note(t->f, "trust_coefficient") ? SSL_OPTIM_LARS : SSL_OPTIM_SGD;
    d.beta1 = real(t, "beta1", 0.0);
    d.beta2 = real(t, "beta2", 0.0);
    d.eps = real(t, "eps", 0.0);
    d.momentum = real(t, "momentum", 0.0);
    d.momentum = d.momentum > 0.0f ? d.momentum : SSL_EXPLICIT_ZERO;
    d.weight_decay = real(t, "weight_decay", 0.0);
    d.weight_decay = d.weight_decay > 0.0f ? d.weight_decay : SSL_EXPLICIT_ZERO;
    d.trust_coefficient = real(t, "trust_coefficient", 0.0);
    d.nesterov = whole(t, "nesterov", 0);
    d.dampening = real(t, "dampening", 0.0);
    d.decay_1d = d.kind != SSL_OPTIM_LARS;
    return d;
}
/* Moments are read from a checkpoint, where they are optim.m.NAME and optim.v.NAME. */
static void compare_moments(fixture *t)
{
    static const char *const state[4] = { "after.exp_avg.", "after.momentum_buffer.", "after.mu.", "after.exp_avg_sq." };
    char path[] = "/tmp/conformance.XXXXXX";
    const ssl_file_tensor *want, *got;
    ssl_safetensors *f = NULL;
    const char *name;
    int i, k;
    const int fd = mkstemp(path);
    if (fd < 0) return;
    close(fd);
    if (ssl_save(t->c, path)) f = ssl_safetensors_open(t->c, path);
    for (k = 0; k < 4 && f; k++)
        for (i = 0; (want = nth(t, state[k], i, &name)) != NULL; i++) {
            char full[256];
            snprintf(full, sizeof full, "optim.%c.%s", k == 3 ? 'v' : 'm', name);
            if ((got = ssl_safetensors_find(f, full)) != NULL) output_values(t, want, (const float *)got->data, got->n);
        }
    ssl_safetensors_close(f);
    unlink(path);
}
static void run_optimizer(fixture *t)
{
    const ssl_optim_desc d = optimizer_of(t);
    const int n = make_params(t, "param.", 0, ""), steps = whole(t, "steps", 1);
    const char *name;
    int i, step;
    for (i = 0; i < n; i++) {
        ssl_tensor *p = nth_param(t, i, &name);
        set_values(p, find(t, "param.", name), 0);
        if (has_word(word(t, "no_decay", ""), name)) ssl_param_group(t->c, name, 1.0f, 0.0f, 0);
    }
    for (step = 0; step < steps && ssl_ok(t->c); step++) {
        for (i = 0; i < n; i++) {
            ssl_tensor *p = nth_param(t, i, &name);
            set_gradient(t, p, find(t, "in.grads.", name), step);
        }
        ssl_optim_step(t->c, &d, real(t, "lr", 0.0));
        for (i = 0; i < n; i++) {
            const ssl_tensor *p = nth_param(t, i, &name);
            out_step_tensor(t, "traj.", name, step, p);
        }
    }
    for (i = 0; i < n; i++) {
        const ssl_tensor *p = nth_param(t, i, &name);
        after(t, name, p);
    }
    compare_moments(t);
}
static void run_clip_grad_norm(fixture *t)
{
    const int n = make_params(t, "in.grad.", 0, "");
    const ssl_file_tensor *want;
    const char *name;
    float total;
    int i;
    for (i = 0; i < n; i++) {
        ssl_tensor *p = nth_param(t, i, &name);
        set_gradient(t, p, find(t, "in.grad.", name), 0);
    }
    total = ssl_clip_grad_norm(t->c, real(t, "max_norm", 1.0));
    out_values(t, "total_norm", &total, 1);
    for (i = 0; i < n; i++) {
        const ssl_tensor *p = nth_param(t, i, &name);
        float *g = (float *)must_alloc(sizeof *g * (size_t)ssl_numel(p));
        if ((want = find(t, "out.clipped.", name)) != NULL && ssl_grad_to_host(p, g)) output_values(t, want, g, ssl_numel(p));
        free(g);
    }
}
static void run_lr(fixture *t, int chained)
{
    const ssl_file_tensor *want = find(t, "out.", "lr"), *epoch = find(t, "in.", "epoch");
    const int epochs = whole(t, "epochs", 1);
    float *lr;
    int i;
    if (!want || (!chained && !epoch)) { skip(t, "no out.lr or in.epoch"); return; }
    lr = (float *)must_alloc(sizeof(float) * (size_t)want->n);
    for (i = 0; i < (int)want->n; i++)
        lr[i] = chained ? ssl_lr_apl_chained(i, epochs, (int)(0.05 * epochs), real(t, "start_factor", 0.5), real(t, "eta_min_ratio", 0.1), real(t, "lr", 0.0))
                        : ssl_lr_warmup_cosine(((const float *)epoch->data)[i], real(t, "warmup_epochs", 0.0), (float)epochs, real(t, "lr", 0.0), real(t, "min_lr", 0.0));
    output_values(t, want, lr, want->n);
    free(lr);
}
static void run_lr_warmup_cosine(fixture *t) { run_lr(t, 0); }
static void run_lr_apl_chained(fixture *t) { run_lr(t, 1); }

static void run_ema(fixture *t)
{
    const int n = make_params(t, "param.", 0, "target."), steps = whole(t, "steps", 1);
    const char *name;
    int i, step;
    if (make_params(t, "in.online.", 1, "online.") != n) { skip(t, "in.online and param differ"); return; }
    for (i = 0; i < n; i++) {
        ssl_tensor *p = nth_param(t, i, &name);
        set_values(p, find(t, "param.", name + 7), 0);
    }
    for (step = 0; step < steps && ssl_ok(t->c); step++) {
        for (i = n; i < 2 * n; i++) {
            ssl_tensor *p = nth_param(t, i, &name);
            set_values(p, find(t, "in.online.", name + 7), step);
        }
        ssl_ema_update(t->c, "target", "online", real(t, "beta", 0.0));
        for (i = 0; i < n; i++) {
            const ssl_tensor *p = nth_param(t, i, &name);
            out_step_tensor(t, "traj.", name + 7, step, p);
        }
    }
    for (i = 0; i < n; i++) {
        const ssl_tensor *p = nth_param(t, i, &name);
        after(t, name + 7, p);
    }
}

/* ==== networks ======================================================================================== */
/* Fill the context's parameters, which bear the file's names, from param.* and buf.*; every one of both must have its partner. */
static void fill_params(fixture *t)
{
    const ssl_file_tensor *w;
    const char *name;
    ssl_tensor *p;
    int i;
    for (i = 0; (w = nth(t, "param.", i, &name)) != NULL && ssl_ok(t->c); i++) {
        float *x = floats(w);
        if ((p = ssl_param_find(t->c, name)) == NULL) complain(t, "the network has no parameter %s", name);
        else if (ssl_numel(p) != w->n) complain(t, "the network has another shape of %s", name);
        else ssl_from_host(p, x);
        if (p && find(t, "grad.", w->name)) add_leaf(t, p, w->name);
        free(x);
    }
    for (i = 0; i < ssl_param_count(t->c) && ssl_ok(t->c); i++) {
        ssl_param_at_index(t->c, i, &name);
        if (find(t, "buf.", name)) set_values(ssl_param_at_index(t->c, i, &name), find(t, "buf.", name), 0);
        else if (!find(t, "param.", name)) complain(t, "the file has no param.%s", name);
    }
}
static ssl_act act_of(const fixture *t)
{
    const char *a = word(t, "activation", "gelu");
    return !strcmp(a, "relu") ? SSL_ACT_RELU : !strcmp(a, "gelu_tanh") ? SSL_ACT_GELU_TANH : SSL_ACT_GELU;
}
static void run_block(fixture *t, ssl_block_style style)
{
    ssl_block_desc d = SSL_ZERO;
    ssl_block b;
    d.style = style;
    d.dim = whole(t, "dim", whole(t, "d_model", 0));
    d.heads = whole(t, "num_heads", 1);
    d.hidden = whole(t, "ff_dim", (int)(number(t, "mlp_ratio", 4.0) * d.dim));
    d.act = act_of(t);
    d.eps = real(t, "ln_eps", 1e-5);
    d.post_norm = !strcmp(word(t, "norm", "pre"), "post");
    d.cross = find(t, "in.", "memory") != NULL;
    b = ssl_block_new(t->c, "", &d);
    fill_params(t);
    if (!d.cross) finish(t, probe(t, "y", ssl_block_forward(&b, in(t, "x"), NULL)));
    else finish(t, probe(t, "y", ssl_block_decode(&b, in(t, "tgt"), in(t, "memory"), in_or_null(t, "tgt_mask"), in_or_null(t, "memory_mask"))));
}
static void run_timm_block(fixture *t) { run_block(t, SSL_BLOCK_TIMM); }
static void run_torch_block(fixture *t) { run_block(t, SSL_BLOCK_TORCH); }

/* Where the descs have the originals' values, as the file says: activation, place and eps of the norms of n blocks, eps of one norm more. */
static void set_blocks(fixture *t, ssl_block *block, int n, ssl_norm_layer *last)
{
    const float eps = real(t, "ln_eps", 1e-6);
    int i;
    for (i = 0; i < n && ssl_ok(t->c); i++) {
        block[i].norm1.eps = block[i].norm2.eps = block[i].norm3.eps = eps;
        block[i].d.act = act_of(t);
        block[i].d.post_norm = !strcmp(word(t, "norm", "pre"), "post");
    }
    if (ssl_ok(t->c)) last->eps = eps;
}

/* ==== puzzle ========================================================================================== */
/* Fraction of the rows of logits whose label is among the k largest. */
static float top(const float *logits, const int32_t *label, int rows, int classes, int k)
{
    int r, j, hits = 0;
    for (r = 0; r < rows; r++) {
        const float *x = logits + (int64_t)r * classes;
        int greater = 0;
        for (j = 0; j < classes; j++) greater += x[j] > x[label[r]];
        hits += greater < k;
    }
    return (float)hits / (float)rows;
}
/* Over all patches, also those that the loss leaves out: the label of a patch is its place. */
static void apl_accuracy(const ssl_apl_trace *trace, float accuracy[3])
{
    const ssl_tensor *logits = trace->logits;
    const int classes = logits->dim[logits->ndim - 1], rows = (int)(ssl_numel(logits) / (classes ? classes : 1));
    float *x = (float *)must_alloc(sizeof(float) * (size_t)ssl_numel(logits));
    int32_t *label = (int32_t *)must_alloc(sizeof(int32_t) * (size_t)rows);
    int i;
    if (ssl_to_host(logits, x) && (!trace->ids_keep || ssl_to_host(trace->ids_keep, label)))
        for (i = 0; i < 3; i++) {
            int r;
            for (r = 0; r < rows && !trace->ids_keep; r++) label[r] = r % classes;
            accuracy[i] = top(x, label, rows, classes, 2 * i + 1);
        }
    free(x);
    free(label);
}
static ssl_apl *apl_of(fixture *t, int channels)
{
    ssl_apl_desc d = SSL_ZERO;
    const int k = whole(t, "K", 0);
    ssl_apl *m;
    d.image_size = whole(t, "image_size", 0);
    d.channels = channels;
    d.grid = whole(t, "G", 0);
    d.crop = strstr(word(t, "K_meaning", "every side"), "total") ? k : 2 * k;
    d.crop = d.crop ? d.crop : -1;
    d.encoder = strcmp(word(t, "patch_encoder", "flatten"), "linear") ? SSL_APL_FLATTEN : SSL_APL_LINEAR;
    d.dim = whole(t, "d_model", 0);
    d.depth = whole(t, "num_layers", 1);
    d.heads = whole(t, "num_heads", 1);
    d.hidden_mult = whole(t, "hidden_mult", 0);
    d.hidden = whole(t, "ff_dim", 0);
    d.act = act_of(t);
    d.pre_norm = !strcmp(word(t, "norm", "post"), "pre");
    d.final_norm = whole(t, "final_norm", d.pre_norm) ? 1 : -1;
    d.original_attention = ssl_safetensors_note(t->f, "qkv_scale") != NULL;
    d.method = find(t, "in.", "ids_keep") ? SSL_APL_SUBSET : SSL_APL_MASKED;
    m = ssl_apl_new(t->c, "", &d);
    set_blocks(t, m->block, d.depth, &m->norm);
    return m;
}
static void run_apl(fixture *t)
{
    ssl_apl_trace trace = SSL_ZERO;
    const ssl_file_tensor *drop = find(t, "in.", "drop");
    ssl_tensor *images = in(t, "images"), *loss, *patches;
    const ssl_apl *m = apl_of(t, images->dim[1]);
    float accuracy[3] = { 0.0f, 0.0f, 0.0f };
    fill_params(t);
    if (drop) trace.drop = ssl_input_u8(t->c, (const uint8_t *)drop->data, 2, images->dim[0], m->tokens);
    if (find(t, "in.", "ids_keep")) trace.ids_keep = in(t, "ids_keep");
    loss = ssl_apl_loss(m, images, &trace);
    if (!ssl_ok(t->c)) return;
    patches = trace.ids_keep ? ssl_gather_tokens(trace.patches, trace.ids_keep) : trace.patches;
    out(t, "patches", patches);
    out(t, "logits", trace.logits);
    if (!drop) out(t, "target", trace.target);
    apl_accuracy(&trace, accuracy);
    out_values(t, "top1", &accuracy[0], 1);
    out_values(t, "top3", &accuracy[1], 1);
    out_values(t, "top5", &accuracy[2], 1);
    finish(t, loss);
}

/* ==== reconstruction ================================================================================== */
/* The images once more, as a leaf of their own: what the target alone is computed from. */
static ssl_tensor *images_again(fixture *t)
{
    const ssl_file_tensor *w = find(t, "in.", "images");
    return ssl_requires_grad(load_part(t, w, 0, w->ndim, w->dim));
}
/* grad_const_target.in.images = the gradient of the whole loss less that of scale (pred - target)^2 through the target. */
static void const_target(fixture *t, const ssl_tensor *images, const ssl_tensor *again, ssl_tensor *pred, ssl_tensor *target, float scale)
{
    const ssl_file_tensor *want = find(t, "grad_const_target.in.", "images");
    const int64_t n = ssl_numel(images);
    float *whole_gradient, *part;
    int64_t i;
    if (!want || !ssl_ok(t->c)) return;
    ssl_backward(ssl_scale(ssl_mse(ssl_detach(pred), target), scale));
    whole_gradient = (float *)must_alloc(sizeof(float) * (size_t)n);
    part = (float *)must_alloc(sizeof(float) * (size_t)n);
    if (n == want->n && ssl_grad_to_host(images, whole_gradient) && ssl_grad_to_host(again, part)) {
        for (i = 0; i < n; i++) part[i] = whole_gradient[i] - part[i];
        gradient_values(t, want, part);
    }
    free(whole_gradient);
    free(part);
}
static ssl_tensor *normalized(ssl_tensor *p, float eps) /* (p - mean) / sqrt(unbiased var + eps) over the last axis of [.,.,N] */
{
    ssl_tensor *x = ssl_sub(p, ssl_mean_axes(p, SSL_AXIS(2), 1));
    ssl_tensor *var = ssl_scale(ssl_sum_axes(ssl_square(x), SSL_AXIS(2), 1), 1.0f / (float)(p->dim[2] - 1));
    return ssl_div(x, ssl_sqrt(ssl_add_scalar(var, eps)));
}

static ssl_mae *mae_of(fixture *t, int channels)
{
    ssl_mae_desc d = SSL_ZERO;
    ssl_mae *m;
    d.image_size = whole(t, "image_size", 0);
    d.patch = whole(t, "patch_size", 0);
    d.channels = channels;
    d.dim = whole(t, "embed_dim", 0);
    d.depth = whole(t, "depth", 1);
    d.heads = whole(t, "num_heads", 1);
    d.hidden = (int)(number(t, "mlp_ratio", 4.0) * d.dim);
    d.decoder_dim = whole(t, "decoder_embed_dim", 0);
    d.decoder_depth = whole(t, "decoder_depth", 1);
    d.decoder_heads = whole(t, "decoder_num_heads", 1);
    d.decoder_hidden = (int)(number(t, "mlp_ratio", 4.0) * d.decoder_dim);
    d.mask_ratio = real(t, "mask_ratio", 0.75);
    d.norm_pix = whole(t, "norm_pix_loss", 0);
    d.norm_pix_eps = real(t, "norm_pix_eps", 1e-6);
    m = ssl_mae_new(t->c, "", &d);
    if (!ssl_ok(t->c)) return m;
    set_blocks(t, m->vit->block, d.depth, &m->vit->norm);
    set_blocks(t, m->block, d.decoder_depth, &m->decoder_norm);
    return m;
}
static void mae_mask(fixture *t, const ssl_mae *m, const ssl_tensor *ids_restore) /* 1 where a patch was removed */
{
    const int64_t n = ssl_numel(ids_restore);
    int32_t *ids = (int32_t *)must_alloc(sizeof *ids * (size_t)n);
    float *mask = (float *)must_alloc(sizeof *mask * (size_t)n);
    int64_t i;
    for (i = 0; ssl_to_host(ids_restore, ids) && i < n; i++) mask[i] = ids[i] >= m->keep ? 1.0f : 0.0f;
    out_values(t, "mask", mask, n);
    free(ids);
    free(mask);
}
static void run_mae(fixture *t)
{
    ssl_mae_trace trace = SSL_ZERO;
    ssl_tensor *images = in(t, "images"), *again, *hidden, *target, *loss;
    const ssl_mae *m = mae_of(t, images->dim[1]);
    fill_params(t);
    compare(t, find(t, "in.", "ids_shuffle"), ssl_argsort(in(t, "noise")));
    trace.ids_shuffle = in(t, "ids_shuffle");
    loss = ssl_mae_loss(m, images, &trace);
    out(t, "ids_restore", ssl_argsort(trace.ids_shuffle));
    if (!ssl_ok(t->c)) return;
    mae_mask(t, m, ssl_argsort(trace.ids_shuffle));
    out(t, "latent", trace.latent);
    out(t, "pred", trace.pred);
    finish(t, loss);
    again = images_again(t);
    hidden = ssl_slice(trace.ids_shuffle, 1, m->keep, m->tokens);
    target = ssl_gather_tokens(ssl_patchify(again, m->d.patch, SSL_PATCH_ROW_COL_CHANNEL), hidden);
    const_target(t, images, again, ssl_gather_tokens(trace.pred, hidden), m->d.norm_pix ? normalized(target, m->d.norm_pix_eps) : target, 1.0f);
}

static void run_mask_token_mae(fixture *t)
{
    ssl_mask_token_mae_desc d = SSL_ZERO;
    ssl_mask_token_mae_trace trace = SSL_ZERO;
    ssl_tensor *images = in(t, "images"), *perm = in(t, "perm"), *again, *hidden, *pred, *target, *loss, *list[256]; /* perm [L], or [B,L] */
    ssl_mask_token_mae *m;
    float psnr[2];
    int i;
    d.image_size = whole(t, "image_size", 0);
    d.patch = whole(t, "patch_size", 0);
    d.channels = images->dim[1];
    d.dim = whole(t, "embed_dim", 0);
    d.depth = whole(t, "depth", 1);
    d.heads = whole(t, "num_heads", 1);
    d.hidden = (int)(number(t, "mlp_ratio", 4.0) * d.dim);
    d.decoder_dim = whole(t, "decoder_embed_dim", 0);
    d.decoder_depth = whole(t, "decoder_depth", 0) ? whole(t, "decoder_depth", 0) : -1;
    d.decoder_heads = whole(t, "decoder_num_heads", 1);
    d.decoder_hidden = (int)(number(t, "mlp_ratio", 4.0) * d.decoder_dim);
    d.mask_ratio = real(t, "mask_percent", 0.75);
    d.mask_tokens = whole(t, "num_mask_tokens", 1);
    d.per_image = perm->ndim == 2;
    d.pixel_scale = real(t, "pixel_scale", 255.0);
    m = ssl_mask_token_mae_new(t->c, "", &d);
    set_blocks(t, m->encoder, d.depth, &m->norm);
    set_blocks(t, m->decoder, d.decoder_depth, &m->norm);
    fill_params(t);
    trace.ids_shuffle = d.per_image ? perm : ssl_reshape(perm, 2, 1, -1);
    trace.token_index = in(t, "token_index");
    loss = ssl_mask_token_mae_loss(m, images, &trace);
    if (!ssl_ok(t->c) || images->dim[0] > 256) return;
    hidden = ssl_slice(trace.ids_shuffle, 1, 0, m->n_hidden);
    out(t, "masked", d.per_image ? hidden : ssl_slice(perm, 0, 0, m->n_hidden));
    for (i = 0; i < images->dim[0]; i++) list[i] = hidden;
    if (!d.per_image) hidden = ssl_concat(0, images->dim[0], list);
    pred = ssl_gather_tokens(ssl_detach(trace.pred), hidden);
    target = ssl_gather_tokens(ssl_detach(trace.patches), hidden);
    out(t, "patches", trace.patches);
    out(t, "pred", trace.pred);
    for (i = 0; i < 2; i++) psnr[i] = ssl_psnr(pred, target, i);
    out_values(t, "psnr", &psnr[0], 1);
    out_values(t, "psnr_repo", &psnr[1], 1);
    finish(t, loss);
    again = images_again(t);
    target = ssl_gather_tokens(ssl_patchify(again, d.patch, SSL_PATCH_CHANNEL_ROW_COL), hidden);
    const_target(t, images, again, pred, target, d.pixel_scale * d.pixel_scale);
}

static ssl_randsac *randsac_of(fixture *t, int channels)
{
    ssl_randsac_desc d = SSL_ZERO;
    ssl_randsac *m;
    d.image_size = whole(t, "image_size", 0);
    d.patch = whole(t, "patch_size", 0);
    d.channels = channels;
    d.segment = whole(t, "M", 0);
    d.dim = whole(t, "d_model", 0);
    d.depth = whole(t, "num_encoder_layers", 1);
    d.decoder_depth = whole(t, "num_decoder_layers", 1);
    d.heads = whole(t, "num_heads", 1);
    d.hidden = whole(t, "ff_dim", 0);
    d.act = act_of(t);
    d.raw_target = !whole(t, "norm_target", 0);
    m = ssl_randsac_new(t->c, "", &d);
    set_blocks(t, m->encoder, d.depth, &m->encoder_norm);
    set_blocks(t, m->decoder, d.decoder_depth, &m->decoder_norm);
    return m;
}
static void run_randsac(fixture *t) /* the file puts the sequence axis first */
{
    ssl_randsac_trace trace = SSL_ZERO;
    ssl_tensor *images = in(t, "images"), *ids = in(t, "ids_shuffle"), *again, *target, *loss;
    const ssl_randsac *m = randsac_of(t, images->dim[1]);
    const int first = m->d.segment * m->d.segment;
    fill_params(t);
    out(t, "patches", ssl_patchify_segments(images, m->d.patch, m->d.segment, ids));
    trace.ids_shuffle = ids;
    loss = ssl_randsac_loss(m, images, &trace);
    if (!ssl_ok(t->c)) return;
    out(t, "memory", ssl_permute(trace.memory, 0, 2, 1, 3));
    out(t, "pred", ssl_permute(trace.pred, 1, 0, 2));
    out(t, "target", ssl_permute(trace.target, 1, 0, 2));
    finish(t, loss);
    again = images_again(t);
    target = ssl_slice(ssl_patchify_segments(again, m->d.patch, m->d.segment, ids), 0, first, m->tokens);
    const_target(t, images, again, ssl_permute(ssl_detach(trace.pred), 1, 0, 2), m->d.raw_target ? target : normalized(target, 1e-6f), 1.0f);
}

/* ==== pairs of embeddings ============================================================================= */
static void run_nt_xent(fixture *t)
{
    const float temperature = real(t, "temperature", 0.5);
    if (strstr(t->name, "simclr_module")) finish(t, ssl_nt_xent_module(in(t, "a"), in(t, "b"), temperature, real(t, "eps", 1e-6)));
    else finish(t, ssl_nt_xent(in(t, "a"), in(t, "b"), temperature, strstr(t->name, "bolts") ? SSL_NT_XENT_BOLTS : SSL_NT_XENT_DEFAULT));
}
static void run_byol(fixture *t) { finish(t, ssl_byol(in(t, "p1"), in(t, "p2"), in(t, "z1"), in(t, "z2"))); }
static void run_simsiam(fixture *t) { finish(t, ssl_simsiam(in(t, "p1"), in(t, "p2"), in(t, "z1"), in(t, "z2"))); }
static void run_barlow_twins(fixture *t) { finish(t, ssl_barlow(in(t, "a"), in(t, "b"), real(t, "lambda_param", 5e-3), real(t, "eps", 1e-5))); }
static void run_vicreg(fixture *t)
{
    const float lambda = real(t, "lambda_param", 25.0), mu = real(t, "mu_param", 25.0), nu = real(t, "nu_param", 1.0), eps = real(t, "eps", 1e-4);
    ssl_tensor *a = in(t, "a"), *b = in(t, "b");
    out(t, "invariance", ssl_vicreg(a, b, 1.0f, 0.0f, 0.0f, eps));
    out(t, "variance", ssl_vicreg(a, b, 0.0f, 1.0f, 0.0f, eps));
    out(t, "covariance", ssl_vicreg(a, b, 0.0f, 0.0f, 1.0f, eps));
    finish(t, ssl_vicreg(a, b, lambda, mu, nu, eps));
}
static void run_dino(fixture *t)
{
    ssl_tensor *center = buffer(t, "center");
    finish(t, ssl_dino(in(t, "student"), in(t, "teacher"), center, real(t, "student_temp", 0.1), real(t, "teacher_temp", 0.04), real(t, "center_momentum", 0.9)));
    after(t, "center", center);
}
static void run_moco(fixture *t)
{
    const float temperature = real(t, "temperature", 0.1);
    ssl_tensor *q = in(t, "query"), *k = in(t, "key"), *queue = buffer(t, "queue"), *part[2], *unit = ssl_l2_normalize(q, 1e-12f);
    const ssl_file_tensor *start = find(t, "buf.", "queue_ptr");
    int ptr = start ? (int)*(const int64_t *)start->data : 0;
    part[0] = ssl_reshape(ssl_cosine_similarity(q, k), 2, -1, 1);
    part[1] = ssl_matmul_t(unit, queue, 0, 1);
    out(t, "logits", ssl_scale(ssl_concat(1, 2, part), 1.0f / temperature));
    finish(t, ssl_moco(q, k, queue, &ptr, temperature));
    after(t, "queue", queue);
    after(t, "queue_ptr", ssl_input_i32(t->c, &ptr, 1, 1));
}

/* ==== feature maps ==================================================================================== */
static void run_amdim_nce(fixture *t)
{
    ssl_tensor *src = in(t, "src"), *trg = in(t, "trg"), *reg = NULL, *nce; /* trg [D, B n] */
    nce = ssl_amdim_nce(src, ssl_reshape(ssl_permute(trg, 1, 0), 3, src->dim[0], -1, src->dim[1]), real(t, "tclip", 10.0), &reg);
    if (!ssl_ok(t->c)) return;
    out(t, "nce", nce);
    out(t, "reg", reg);
    finish(t, ssl_add(nce, reg));
}
static void run_fmc(fixture *t)
{
    ssl_fmc_desc d = SSL_ZERO;
    ssl_fmc_trace trace = SSL_ZERO;
    const ssl_file_tensor *loc = find(t, "in.", "loc"), *used = find(t, "in.", "maps_used");
    ssl_tensor *anchor[10], *positive[10], *loss;
    int32_t *ids[2];
    char name[2][32];
    int n, i;
    for (n = 0; n < 10; n++) {
        snprintf(name[0], sizeof name[0], "anchor.%d", n);
        snprintf(name[1], sizeof name[1], "positive.%d", n);
        if (!find(t, "in.", name[0])) break;
        anchor[n] = in(t, name[0]);
        positive[n] = in(t, name[1]);
    }
    d.comparisons = word(t, "comparisons", "");
    d.tclip = real(t, "tclip", 10.0);
    d.one_direction = !whole(t, "bidirectional", 1);
    if (!n || !loc || !used) { skip(t, "no maps or locations"); return; }
    trace.loc = ids[0] = ints(loc);
    trace.maps_used = ids[1] = ints(used);
    loss = ssl_fmc(&d, n, anchor, positive, &trace);
    free(ids[0]);
    free(ids[1]);
    for (i = 0; i < trace.n_comparisons; i++) {
        const float value = ssl_item(trace.losses[i]);
        out_step(t, "losses", i, &value, 1);
    }
    if (trace.regularizer) out(t, "regularizer", trace.regularizer);
    finish(t, loss);
}

/* ==== agreement of pixels ============================================================================= */
static void all_after(fixture *t) /* after.* of every parameter and buffer */
{
    const char *name;
    int i;
    for (i = 0; i < ssl_param_count(t->c); i++) {
        const ssl_tensor *p = ssl_param_at_index(t->c, i, &name);
        after(t, name, p);
    }
}
static void run_ppm(fixture *t)
{
    ssl_ppm p = ssl_ppm_new(t->c, "transform_net", whole(t, "chan", 0), whole(t, "num_layers", 0), real(t, "gamma", 2.0), 0);
    set_mlp(t, &p.mlp);
    fill_params(t);
    finish(t, probe(t, "y", ssl_ppm_forward(&p, in(t, "x"))));
    all_after(t);
}
static void run_mlp(fixture *t)
{
    ssl_tensor *x = in(t, "x");
    ssl_mlp_desc d = SSL_ZERO;
    ssl_mlp m;
    d.conv = x->ndim == 4;
    m = ssl_mlp_new(t->c, "net", whole(t, "chan", 0), whole(t, "inner_dim", 0), whole(t, "chan_out", 0), &d);
    set_mlp(t, &m);
    fill_params(t);
    finish(t, probe(t, "y", ssl_mlp_forward(&m, x)));
    all_after(t);
}
static ssl_view_box box_of(fixture *t, const char *box, const char *flip)
{
    const ssl_file_tensor *w = find(t, "in.", box), *f = find(t, "in.", flip);
    ssl_view_box b = SSL_ZERO;
    int64_t v[4] = { 0, 0, 0, 0 }, mirrored = 0;
    if (!w || w->n != 4 || !ssl_file_tensor_to_i64(w, v)) complain(t, "the file has no box in.%s", box);
    if (f && f->n == 1) ssl_file_tensor_to_i64(f, &mirrored);
    b.y0 = (int)v[0]; b.y1 = (int)v[1]; b.x0 = (int)v[2]; b.x1 = (int)v[3]; b.hflip = (int)mirrored;
    return b;
}
static void run_cutout(fixture *t)
{
    const ssl_view_box b = box_of(t, "box", "flip");
    finish(t, probe(t, "y", ssl_cutout(in(t, "x"), &b, whole(t, "out_h", 0), whole(t, "out_w", 0), mode_of(t))));
}
static void out_positive(fixture *t, const float *positive, int64_t n, int count)
{
    const ssl_file_tensor *want = find(t, "out.", "positive_one_two"), *number_wanted = find(t, "out.", "num_positive");
    uint8_t *level = (uint8_t *)must_alloc((size_t)n);
    int32_t k = count;
    int64_t i;
    for (i = 0; i < n; i++) level[i] = (uint8_t)positive[i];
    if (want && want->n == n) output_levels(t, want, level, 0.0);
    if (number_wanted) output_indices(t, number_wanted, &k, 1);
    free(level);
}
static void run_pixel_masks(fixture *t)
{
    const ssl_view_box one = box_of(t, "box_one", "flip_one"), two = box_of(t, "box_two", "flip_two");
    const int h = whole(t, "proj_h", 1), w = whole(t, "proj_w", 1), ih = whole(t, "image_h", 1), iw = whole(t, "image_w", 1), n = h * w;
    float *a = (float *)must_alloc(sizeof(float) * (size_t)(4 * n + 2 * n * n)), *b = a + 2 * n, *distance_now = b + 2 * n, *positive = distance_now + n * n;
    int count;
    ssl_pixel_places(&one, ih, iw, h, w, SSL_INTERPOLATE_BILINEAR, a);
    ssl_pixel_places(&two, ih, iw, h, w, SSL_INTERPOLATE_BILINEAR, b);
    count = ssl_pixel_positives(a, b, n, real(t, "distance_thres", 0.7), distance_now, positive);
    out_values(t, "coords_one", a, 2 * n);
    out_values(t, "coords_two", b, 2 * n);
    out_values(t, "distance", distance_now, (int64_t)n * n);
    out_positive(t, positive, (int64_t)n * n, count);
    free(a);
}
/* in.positive_one_two as F32 [P,P], scaled to 1 over the number of positives and the batch if mean is 1 */
static ssl_tensor *pairs_of(fixture *t, int mean, int batch)
{
    const ssl_file_tensor *w = find(t, "in.", "positive_one_two");
    float *x, count = 0.0f;
    ssl_tensor *y;
    int64_t i;
    if (!w || w->ndim != 2) { complain(t, "the file has no in.%s", "positive_one_two"); return &t->c->nil; }
    x = floats(w);
    for (i = 0; i < w->n; i++) count += x[i];
    y = ssl_input(t->c, x, 2, (int)w->dim[0], (int)w->dim[1]);
    free(x);
    return mean ? ssl_scale(y, 1.0f / (count * (float)batch)) : y;
}
static void run_pixpro_loss(fixture *t)
{
    ssl_tensor *x1 = in(t, "propagated_one"), *x2 = in(t, "propagated_two"), *z1 = in(t, "target_one"), *z2 = in(t, "target_two"), *weight = pairs_of(t, 1, x1->dim[0]);
    out(t, "loss_one_two", ssl_pixel_consistency(x1, x2, z1, z2, weight, 1));
    out(t, "loss_two_one", ssl_pixel_consistency(x1, x2, z1, z2, weight, 2));
    finish(t, ssl_pixel_consistency(x1, x2, z1, z2, weight, 0));
}
static void run_contrast_loss(fixture *t)
{
    ssl_tensor *x1 = in(t, "proj_one"), *x2 = in(t, "proj_two"), *z1 = in(t, "target_one"), *z2 = in(t, "target_two"), *positive = pairs_of(t, 0, 1);
    const float temperature = real(t, "similarity_temperature", 0.3);
    out(t, "loss_one_two", ssl_pixel_contrast(x1, x2, z1, z2, positive, temperature, 1));
    out(t, "loss_two_one", ssl_pixel_contrast(x1, x2, z1, z2, positive, temperature, 2));
    finish(t, ssl_pixel_contrast(x1, x2, z1, z2, positive, temperature, 0));
}
static void run_instance_loss(fixture *t) { finish(t, ssl_byol(in(t, "pred_one"), in(t, "pred_two"), in(t, "target_one"), in(t, "target_two"))); }

static ssl_pixpro_desc pixpro_of(const fixture *t)
{
    ssl_pixpro_desc d = SSL_ZERO;
    d.projection_size = whole(t, "projection_size", 0);
    d.projection_hidden = whole(t, "projection_hidden_size", 0);
    d.momentum = real(t, "moving_average_decay", 0.99);
    d.ppm_layers = whole(t, "ppm_num_layers", 1) ? whole(t, "ppm_num_layers", 1) : -1;
    d.ppm_gamma = real(t, "ppm_gamma", 2.0);
    d.distance = real(t, "distance_thres", 0.7);
    d.temperature = real(t, "similarity_temperature", 0.3);
    d.alpha = real(t, "alpha", 1.0);
    d.alpha = d.alpha > 0.0f ? d.alpha : SSL_EXPLICIT_ZERO;
    d.contrast = !whole(t, "use_pixpro", 1);
    return d;
}
static void set_pixpro(const fixture *t, ssl_pixpro *m)
{
    int k;
    for (k = 0; k < 2; k++) { set_mlp(t, &m->pixel_projector[k]); set_mlp(t, &m->instance_projector[k]); }
    set_mlp(t, &m->ppm.mlp);
    set_mlp(t, &m->predictor);
}
static void out_pixpro(fixture *t, const ssl_pixpro_trace *trace)
{
    float *positive = (float *)must_alloc(sizeof(float) * (size_t)ssl_numel(trace->positive));
    if (ssl_to_host(trace->positive, positive)) out_positive(t, positive, ssl_numel(trace->positive), trace->num_positive);
    free(positive);
    out(t, "pix_loss", trace->pixel_loss);
    out(t, "instance_loss", trace->instance_loss);
}
static void run_pixelcl_full(fixture *t) /* from the projections on: a model without encoders */
{
    static const char *const view[2] = { "one", "two" };
    ssl_pixpro_desc d = pixpro_of(t);
    ssl_pixpro_trace trace = SSL_ZERO;
    ssl_pixpro m = SSL_ZERO;
    ssl_view_box boxes[2];
    ssl_tensor *loss;
    char name[64];
    int i;
    boxes[0] = box_of(t, "box_one", "flip_one");
    boxes[1] = box_of(t, "box_two", "flip_two");
    trace.boxes = boxes;
    for (i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "proj_pixel_%s", view[i]);           trace.pixel[i] = in(t, name);
        snprintf(name, sizeof name, "proj_instance_%s", view[i]);        trace.instance[i] = in(t, name);
        snprintf(name, sizeof name, "target_proj_pixel_%s", view[i]);    trace.target_pixel[i] = in(t, name);
        snprintf(name, sizeof name, "target_proj_instance_%s", view[i]); trace.target_instance[i] = in(t, name);
    }
    m.ctx = t->c;
    if (!ssl_pixpro_desc_resolve(&d, &m.d) || !ssl_ok(t->c)) return;
    if (!d.contrast) m.ppm = ssl_ppm_new(t->c, "propagate_pixels.transform_net", trace.pixel[0]->dim[1], d.ppm_layers > 0 ? d.ppm_layers : 0, m.d.ppm_gamma, 0);
    m.predictor = ssl_mlp_new(t->c, "online_predictor.net", trace.instance[0]->dim[1], whole(t, "hidden_dim", 0), trace.instance[0]->dim[1], NULL);
    set_pixpro(t, &m);
    fill_params(t);
    loss = ssl_pixpro_terms(&m, whole(t, "image_h", 0), whole(t, "image_w", 0), &trace);
    if (!ssl_ok(t->c)) return;
    out_pixpro(t, &trace);
    finish(t, loss);
    all_after(t);
}

enum { MOST_LAYERS = 8 };
typedef struct small_net { int layers; ssl_conv_layer conv[2][MOST_LAYERS]; ssl_batch_norm_layer bn[2][MOST_LAYERS]; } small_net; /* [online, target][layer] */
static void small_net_forward(void *user, int target, ssl_tensor *x, ssl_tensor **map, ssl_tensor **instance)
{
    const small_net *net = (const small_net *)user;
    int i;
    for (i = 0; i < net->layers; i++) x = ssl_batch_norm_forward(&net->bn[target][i], ssl_conv_forward(&net->conv[target][i], x), 1, NULL);
    *map = x;
    *instance = ssl_global_avg_pool(x);
}
static void run_pixelcl_end_to_end(fixture *t)
{
    static const char *const side[2] = { "online_encoder", "target_encoder" };
    ssl_pixpro_desc d = pixpro_of(t);
    ssl_pixpro_trace trace = SSL_ZERO;
    ssl_conv_desc conv = SSL_ZERO;
    small_net net;
    ssl_pixpro *m;
    ssl_view_box boxes[2];
    ssl_tensor *images = in(t, "images"), *loss;
    double width[MOST_LAYERS];
    char name[64];
    int k, i;
    net.layers = numbers(t, "net_widths", 8.0, width, MOST_LAYERS);
    conv.stride = 2;
    conv.padding = 1;
    for (k = 0; k < 2; k++)
        for (i = 0; i < net.layers; i++) {
            snprintf(name, sizeof name, "%s.net.%d", side[k], 3 * i);
            net.conv[k][i] = ssl_conv_new(t->c, name, i ? (int)width[i - 1] : images->dim[1], (int)width[i], 3, 1, ssl_init_make(SSL_INIT_TORCH, 0.0f), &conv);
            snprintf(name, sizeof name, "%s.net.%d", side[k], 3 * i + 1);
            net.bn[k][i] = ssl_batch_norm_new(t->c, name, (int)width[i]);
            set_bn(t, &net.bn[k][i]);
        }
    d.net = small_net_forward;
    d.net_user = &net;
    m = ssl_pixpro_new(t->c, "", &d);
    set_pixpro(t, m);
    fill_params(t);
    boxes[0] = box_of(t, "box_one", "flip_one");
    boxes[1] = box_of(t, "box_two", "flip_two");
    trace.boxes = boxes;
    loss = ssl_pixpro_loss(m, images, images, &trace);
    if (!ssl_ok(t->c)) return;
    out_pixpro(t, &trace);
    finish(t, loss);
    ssl_pixpro_update(m);
    all_after(t);
}
static void run_pixpro_official(fixture *t)
{
    ssl_tensor *x[2], *key[2], *pred[2], *weight;
    const ssl_file_tensor *one = find(t, "in.", "coord_1"), *two = find(t, "in.", "coord_2");
    ssl_ppm p;
    float *w;
    int i, b, B, P;
    x[0] = in(t, "proj_1"); x[1] = in(t, "proj_2"); key[0] = in(t, "key_1"); key[1] = in(t, "key_2");
    if (!ssl_ok(t->c) || !one || !two || one->n != 4 * x[0]->dim[0] || two->n != one->n) { skip(t, "no boxes"); return; }
    p = ssl_ppm_new(t->c, "value_transform", x[0]->dim[1], whole(t, "transform_layer", 1), real(t, "p", 2.0), 1);
    p.clamp = real(t, "clamp_value", 0.0);
    fill_params(t);
    B = x[0]->dim[0];
    P = x[0]->dim[2] * x[0]->dim[3];
    w = (float *)must_alloc(sizeof(float) * (size_t)(B * P * P));
    for (b = 0; b < B; b++) {
        const int count = ssl_pixel_positives_official((const float *)one->data + 4 * b, (const float *)two->data + 4 * b, x[0]->dim[2], x[0]->dim[3], real(t, "pos_ratio", 0.7), w + b * P * P);
        for (i = 0; i < P * P; i++) w[b * P * P + i] *= 4.0f / ((float)B * ((float)count + 1e-6f));
    }
    weight = ssl_input(t->c, w, 3, B, P, P);
    free(w);
    for (i = 0; i < 2; i++) pred[i] = ssl_ppm_forward(&p, x[i]);
    out(t, "pred_1", pred[0]);
    out(t, "pred_2", pred[1]);
    finish(t, ssl_pixel_consistency(pred[0], pred[1], key[0], key[1], weight, 0));
}

/* ==== predictive coding =============================================================================== */
static void run_pixelcnn(fixture *t)
{
    const ssl_pixelcnn m = ssl_pixelcnn_new(t->c, "", whole(t, "channels", 0), whole(t, "hidden_channels", 0), whole(t, "num_blocks", 0));
    fill_params(t);
    finish(t, probe(t, "y", ssl_pixelcnn_forward(&m, in(t, "z"))));
}
static void run_cpc(fixture *t)
{
    ssl_cpc_desc d = SSL_ZERO;
    ssl_cpc_trace trace = SSL_ZERO;
    ssl_tensor *loss;
    ssl_cpc *m;
    int i;
    d.target_dim = whole(t, "target_dim", 0);
    d.embed_scale = real(t, "embed_scale", 0.1);
    d.hidden = whole(t, "hidden_channels", 0);
    d.blocks = whole(t, "num_blocks", 0);
    m = ssl_cpc_task_new(t->c, "", whole(t, "channels", 0), &d);
    fill_params(t);
    loss = ssl_cpc_task(m, in(t, "z"), &trace);
    if (!ssl_ok(t->c)) return;
    out(t, "context", trace.context);
    out(t, "targets", trace.targets);
    out(t, "preds", trace.preds);
    for (i = 0; i < trace.n_losses; i++) {
        const float value = ssl_item(trace.losses[i]);
        out_step(t, "step_losses", i, &value, 1);
    }
    finish(t, loss);
}

/* ==== training runs =================================================================================== */
/* Step by step: losses before each update, global gradient norms, AdamW; then the parameters. loss_of makes one step's loss
   from the step's images. */
typedef ssl_tensor *(*loss_fn)(fixture *t, const void *model, ssl_tensor *images, int step);
static ssl_tensor *slice_of(fixture *t, const char *name, int step) /* in.NAME[step] */
{
    const ssl_file_tensor *w = find(t, "in.", name);
    if (!w || !w->ndim || step >= w->dim[0]) { complain(t, "the file has no in.%s for every step", name); return &t->c->nil; }
    return load_part(t, w, step * (w->n / w->dim[0]), w->ndim - 1, w->dim + 1);
}
static void run_training(fixture *t, const void *model, loss_fn loss_of, int decay_1d)
{
    const ssl_file_tensor *lr = find(t, "in.", "lr");
    const int steps = whole(t, "steps", 0);
    ssl_optim_desc d = SSL_ZERO;
    const char *name;
    int i, step;
    d.beta1 = real(t, "beta1", 0.9);
    d.beta2 = real(t, "beta2", 0.999);
    d.eps = real(t, "adam_eps", 1e-8);
    d.weight_decay = real(t, "weight_decay", 0.0);
    d.weight_decay = d.weight_decay > 0.0f ? d.weight_decay : SSL_EXPLICIT_ZERO;
    d.decay_1d = decay_1d;
    fill_params(t);
    for (i = 0; i < ssl_param_count(t->c); i++) /* the files decay tokens and positions too */
        if (ssl_param_at_index(t->c, i, &name)->needs_grad) ssl_param_group(t->c, name, 1.0f, 1.0f, 0);
    for (step = 0; step < steps && lr && step < lr->n && ssl_ok(t->c); step++) {
        ssl_tensor *loss = loss_of(t, model, slice_of(t, "images", step), step);
        const float value = ssl_item(loss);
        float norm_now;
        ssl_backward(loss);
        norm_now = ssl_clip_grad_norm(t->c, 0.0f);
        out_step(t, "losses", step, &value, 1);
        out_step(t, "grad_norms", step, &norm_now, 1);
        ssl_optim_step(t->c, &d, ((const float *)lr->data)[step]);
        ssl_step_end(t->c);
    }
    for (i = 0; i < ssl_param_count(t->c); i++) {
        const ssl_tensor *p = ssl_param_at_index(t->c, i, &name);
        after(t, name, p);
    }
}
static int channels_of(const fixture *t) /* in.images [steps,B,C,H,W] */
{
    const ssl_file_tensor *w = find(t, "in.", "images");
    return w && w->ndim == 5 ? (int)w->dim[2] : 0;
}
static ssl_tensor *apl_step(fixture *t, const void *model, ssl_tensor *images, int step)
{
    ssl_apl_trace trace = SSL_ZERO;
    ssl_tensor *loss = ssl_apl_loss((const ssl_apl *)model, images, &trace);
    float accuracy[3] = { 0.0f, 0.0f, 0.0f };
    if (ssl_ok(t->c)) apl_accuracy(&trace, accuracy);
    out_step(t, "top1", step, &accuracy[0], 1);
    return loss;
}
static ssl_tensor *mae_step(fixture *t, const void *model, ssl_tensor *images, int step)
{
    ssl_mae_trace trace = SSL_ZERO;
    trace.ids_shuffle = slice_of(t, "ids_shuffle", step);
    return ssl_mae_loss((const ssl_mae *)model, images, &trace);
}
static ssl_tensor *randsac_step(fixture *t, const void *model, ssl_tensor *images, int step)
{
    ssl_randsac_trace trace = SSL_ZERO;
    trace.ids_shuffle = slice_of(t, "ids_shuffle", step);
    return ssl_randsac_loss((const ssl_randsac *)model, images, &trace);
}
static void run_traj_apl(fixture *t) { run_training(t, apl_of(t, channels_of(t)), apl_step, 1); }
static void run_traj_mae(fixture *t) { run_training(t, mae_of(t, channels_of(t)), mae_step, 0); }
static void run_traj_randsac(fixture *t) { run_training(t, randsac_of(t, channels_of(t)), randsac_step, 1); }

/* ==== images ========================================================================================== */
/* Both forms of the picture, in.u8 -> out.u8 within one level and in.f32 -> out.f32, through the same call. */
typedef int (*image_fn)(fixture *t, const ssl_image *x, const ssl_image *y);
static void run_image(fixture *t, image_fn fn)
{
    const ssl_file_tensor *x = find(t, "in.", "u8"), *y = find(t, "out.", "u8");
    ssl_image from, to;
    if (x && y && x->ndim == 3 && y->ndim == 3) {
        uint8_t *got = (uint8_t *)must_alloc((size_t)y->n);
        from = ssl_image_u8((const uint8_t *)x->data, (int)x->dim[0], (int)x->dim[1], (int)x->dim[2]);
        to = ssl_image_u8(got, (int)y->dim[0], (int)y->dim[1], (int)y->dim[2]);
        if (fn(t, &from, &to)) output_levels(t, y, got, 1.0);
        free(got);
    }
    x = find(t, "in.", "f32");
    y = find(t, "out.", "f32");
    if (x && y && x->ndim == 3 && y->ndim == 3) {
        float *got = (float *)must_alloc(sizeof(float) * (size_t)y->n);
        from = ssl_image_f32((const float *)x->data, (int)x->dim[0], (int)x->dim[1], (int)x->dim[2]);
        to = ssl_image_f32(got, (int)y->dim[0], (int)y->dim[1], (int)y->dim[2]);
        if (fn(t, &from, &to)) output_values(t, y, got, y->n);
        free(got);
    }
}
static int image_brightness(fixture *t, const ssl_image *x, const ssl_image *y) { return ssl_image_brightness(x, real(t, "factor", 1.0), y); }
static int image_contrast(fixture *t, const ssl_image *x, const ssl_image *y) { return ssl_image_contrast(x, real(t, "factor", 1.0), y); }
static int image_saturation(fixture *t, const ssl_image *x, const ssl_image *y) { return ssl_image_saturation(x, real(t, "factor", 1.0), y); }
static int image_hue(fixture *t, const ssl_image *x, const ssl_image *y) { return ssl_image_hue(x, real(t, "factor", 0.0), y); }
static int image_grayscale(fixture *t, const ssl_image *x, const ssl_image *y) { (void)t; return ssl_image_grayscale(x, y); }
static int image_hflip(fixture *t, const ssl_image *x, const ssl_image *y) { (void)t; return ssl_image_hflip(x, y); }
static int image_solarize(fixture *t, const ssl_image *x, const ssl_image *y)
{ return ssl_image_solarize(x, x->u8 ? real(t, "threshold", 128.0) : real(t, "threshold_f", 0.5), y); }
static int image_blur(fixture *t, const ssl_image *x, const ssl_image *y)
{
    double kernel[2], sigma[2];
    numbers(t, "kernel", 3.0, kernel, 2);
    numbers(t, "sigma", 1.0, sigma, 2);
    return ssl_image_blur(x, (int)kernel[0], (int)kernel[1], (float)sigma[0], (float)sigma[1], y);
}
static int image_normalize(fixture *t, const ssl_image *x, const ssl_image *y)
{
    double mean[3], dev[3];
    float m[3], d[3];
    int i;
    numbers(t, "mean", 0.0, mean, 3);
    numbers(t, "std", 1.0, dev, 3);
    for (i = 0; i < 3; i++) { m[i] = (float)mean[i]; d[i] = (float)dev[i]; }
    return ssl_image_normalize(x, m, d, y);
}
static int image_resized_crop(fixture *t, const ssl_image *x, const ssl_image *y)
{
    const ssl_image part = ssl_image_view(x, whole(t, "top", 0), whole(t, "left", 0), whole(t, "h", x->h), whole(t, "w", x->w));
    return ssl_image_resize(&part, strstr(t->name, "antialias") != NULL, y);
}

/* ==== the table: a case belongs to the longest of these names that its own name begins with (or contains) ==== */
static const struct family { const char *name; void (*run)(fixture *t); image_fn image; } families[] = {
    { "op_linear", run_linear, NULL },
    { "op_matmul", run_matmul, NULL },
    { "op_add", run_add, NULL },
    { "op_mul", run_mul, NULL },
    { "op_layer_norm", run_layer_norm, NULL },
    { "op_gelu", run_gelu, NULL },
    { "op_gelu_tanh", run_gelu_tanh, NULL },
    { "op_relu", run_relu, NULL },
    { "op_sigmoid", run_sigmoid, NULL },
    { "op_tanh", run_tanh, NULL },
    { "op_softmax", run_softmax, NULL },
    { "op_log_softmax", run_log_softmax, NULL },
    { "op_cross_entropy", run_cross_entropy, NULL },
    { "op_mse", run_mse, NULL },
    { "op_l1", run_l1, NULL },
    { "op_smooth_l1", run_smooth_l1, NULL },
    { "op_cosine_similarity", run_cosine_similarity, NULL },
    { "op_l2_normalize", run_l2_normalize, NULL },
    { "op_gather_tokens", run_gather_tokens, NULL },
    { "op_index_select_tokens", run_index_select, NULL },
    { "op_scatter_tokens", run_scatter_tokens, NULL },
    { "op_unshuffle_tokens", run_unshuffle_tokens, NULL },
    { "op_concat", run_concat, NULL },
    { "op_slice", run_slice, NULL },
    { "op_permute", run_permute, NULL },
    { "op_mean", run_mean, NULL },
    { "op_sum", run_sum, NULL },
    { "op_patchify_mae", run_patchify_mae, NULL },
    { "op_unpatchify_mae", run_unpatchify_mae, NULL },
    { "op_patchify_unfold", run_patchify_unfold, NULL },
    { "op_patchify_randsac", run_patchify_randsac, NULL },
    { "op_unpatchify_randsac", run_unpatchify_randsac, NULL },
    { "op_sincos2d", run_sincos2d, NULL },
    { "op_conv2d", run_conv2d, NULL },
    { "op_batch_norm", run_batch_norm, NULL },
    { "op_group_norm", run_group_norm, NULL },
    { "op_resnet", run_resnet, NULL },
    { "op_max_pool2d", run_max_pool2d, NULL },
    { "op_avg_pool2d", run_avg_pool2d, NULL },
    { "op_global_avg_pool", run_global_avg_pool, NULL },
    { "op_interpolate", run_interpolate, NULL },
    { "op_mha", run_mha, NULL },
    { "op_timm_block", run_timm_block, NULL },
    { "op_encoder_layer", run_torch_block, NULL },
    { "op_decoder_layer", run_torch_block, NULL },
    { "apl_", run_apl, NULL },
    { "mae_", run_mae, NULL },
    { "mae_mask_token", run_mask_token_mae, NULL },
    { "randsac", run_randsac, NULL },
    { "nt_xent", run_nt_xent, NULL },
    { "byol", run_byol, NULL },
    { "simsiam", run_simsiam, NULL },
    { "barlow_twins", run_barlow_twins, NULL },
    { "vicreg", run_vicreg, NULL },
    { "dino", run_dino, NULL },
    { "moco", run_moco, NULL },
    { "amdim_nce", run_amdim_nce, NULL },
    { "fmc_", run_fmc, NULL },
    { "tanh_clip", run_tanh_clip, NULL },
    { "pixelcl_ppm", run_ppm, NULL },
    { "pixelcl_mlp", run_mlp, NULL },
    { "pixelcl_conv_mlp", run_mlp, NULL },
    { "pixelcl_cutout", run_cutout, NULL },
    { "pixelcl_masks", run_pixel_masks, NULL },
    { "pixelcl_pixpro_loss", run_pixpro_loss, NULL },
    { "pixelcl_contrast_loss", run_contrast_loss, NULL },
    { "pixelcl_instance_loss", run_instance_loss, NULL },
    { "pixelcl_full", run_pixelcl_full, NULL },
    { "pixelcl_end_to_end", run_pixelcl_end_to_end, NULL },
    { "pixpro_official", run_pixpro_official, NULL },
    { "pixelcnn", run_pixelcnn, NULL },
    { "cpc_", run_cpc, NULL },
    { "traj_apl", run_traj_apl, NULL },
    { "traj_mae", run_traj_mae, NULL },
    { "traj_randsac", run_traj_randsac, NULL },
    { "opt_", run_optimizer, NULL },
    { "clip_grad_norm", run_clip_grad_norm, NULL },
    { "lr_warmup_cosine", run_lr_warmup_cosine, NULL },
    { "lr_apl_chained", run_lr_apl_chained, NULL },
    { "ema_update", run_ema, NULL },
    { "img_adjust_brightness", NULL, image_brightness },
    { "img_adjust_contrast", NULL, image_contrast },
    { "img_adjust_saturation", NULL, image_saturation },
    { "img_adjust_hue", NULL, image_hue },
    { "img_rgb_to_grayscale", NULL, image_grayscale },
    { "img_gaussian_blur", NULL, image_blur },
    { "img_solarize", NULL, image_solarize },
    { "img_normalize", NULL, image_normalize },
    { "img_hflip", NULL, image_hflip },
    { "img_resized_crop", NULL, image_resized_crop },
};
static const struct family *family_of(const char *name)
{
    const struct family *best = NULL;
    size_t i, longest = 0;
    int inside;
    for (inside = 0; inside < 2 && !best; inside++)
        for (i = 0; i < sizeof families / sizeof *families; i++) {
            const size_t n = strlen(families[i].name);
            if (n > longest && (inside ? strstr(name, families[i].name) != NULL : !strncmp(name, families[i].name, n))) { best = &families[i]; longest = n; }
        }
    return best;
}

/* ==== running ========================================================================================= */
static int n_passed, n_failed, n_skipped;

static const char *not_compared(const fixture *t)
{
    static const char *const result[4] = { "out.", "grad.", "grad_const_target.", "after." };
    int i, k;
    for (i = 0; i < t->f->n_tensors; i++)
        for (k = 0; k < 4 && !t->marks[i].compared; k++)
            if (!strncmp(t->f->tensor[i].name, result[k], strlen(result[k]))) return t->f->tensor[i].name;
    return NULL;
}
static void report(const fixture *t)
{
    const char *left = not_compared(t);
    if (t->skip[0]) { n_skipped++; printf("skip %s: %s\n", t->name, t->skip); return; }
    if (ssl_ok(t->c) && !left && t->where && t->error <= t->tolerance) { n_passed++; printf("ok   %-32s %.1e %.0e\n", t->name, t->error, t->tolerance); return; }
    n_failed++;
    printf("FAIL %-32s %.1e %.0e ", t->name, t->error, t->tolerance);
    if (!ssl_ok(t->c)) printf("%s\n", ssl_error_message(t->c));
    else if (t->where && !(t->error <= t->tolerance)) printf("%s\n", t->where);
    else printf("%s was not compared\n", left ? left : "anything");
}
static void quiet(ssl_status code, const char *message, void *user) { (void)code; (void)message; (void)user; }
static void run(const char *path, const char *name, ssl_precision precision)
{
    static fixture t;
    const struct family *family;
    const double slack = precision == SSL_PRECISION_HIGH ? 10.0 : 1.0;
    const rounding *rounded = precision == SSL_PRECISION_BF16 ? &bf16 : NULL;
    ssl_desc d = SSL_ZERO;
    d.on_error = quiet;
    d.precision = precision;
    memset(&t, 0, sizeof t);
    t.name = name;
    t.c = ssl_open(&d);
    if (precision == SSL_PRECISION_HIGH && t.c->device == SSL_DEVICE_CUDA) rounded = &tf32;
    t.f = ssl_safetensors_open(t.c, path);
    if (!t.f) { n_failed++; printf("FAIL %s: %s\n", name, ssl_error_message(t.c)); ssl_close(t.c); return; }
    t.name = word(&t, "fixture", name);
    t.rtol_out = slack * number(&t, "rtol_out", 1e-5);
    t.rtol_grad = slack * number(&t, "rtol_grad", 1e-4);
    t.rtol_zero = slack * 1e-4;
    if (rounded) { t.rtol_out = rounded->out; t.rtol_grad = rounded->grad; t.rtol_zero = rounded->zero; }
    t.loss_scale = number(&t, "loss_scale", 0.0);
    t.grad_scale = number(&t, "grad_scale", 0.0);
    t.marks = (mark *)calloc((size_t)t.f->n_tensors + 1, sizeof *t.marks);
    family = family_of(t.name);
    if (!family || !t.marks) skip(&t, "no such family of cases");
    else if (family->image) run_image(&t, family->image);
    else family->run(&t);
    settle(&t);
    t.name = name;
    report(&t);
    free(t.marks);
    ssl_safetensors_close(t.f);
    ssl_close(t.c);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static int wanted(const char *name, int first, int argc, char **argv)
{
    int i;
    for (i = first; i < argc; i++) if (!fnmatch(argv[i], name, 0)) return 1;
    return first >= argc;
}
static int precision_of(const char *word) /* 0: there is no such precision */
{
    static const char *const names[] = { "", "highest", "high", "bf16" };
    int i;
    for (i = SSL_PRECISION_HIGHEST; i <= SSL_PRECISION_BF16; i++) if (!strcmp(word, names[i])) return i;
    return 0;
}
int main(int argc, char **argv)
{
    char *names[4096], path[4096];
    const struct dirent *e;
    DIR *dir = argc > 1 ? opendir(argv[1]) : NULL;
    const int told = argc > 3 && !strcmp(argv[2], "--precision"), precision = told ? precision_of(argv[3]) : SSL_PRECISION_HIGHEST;
    int n = 0, i;
    if (!precision) { fprintf(stderr, "conformance: --precision %s: it must be highest, high or bf16\n", argv[3]); return 2; }
    if (!dir) { fprintf(stderr, argc > 1 ? "conformance: cannot open %s\n" : "usage: conformance DIR [--precision highest|high|bf16] [NAME...]\n", argc > 1 ? argv[1] : ""); return 2; }
    while ((e = readdir(dir)) != NULL && n < 4096) {
        const char *end = strstr(e->d_name, ".safetensors");
        if (!end || end[12]) continue;
        names[n] = (char *)must_alloc(strlen(e->d_name) + 1);
        strcpy(names[n], e->d_name);
        names[n++][end - e->d_name] = 0;
    }
    closedir(dir);
    qsort(names, (size_t)n, sizeof *names, by_name);
    for (i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s.safetensors", argv[1], names[i]);
        if (wanted(names[i], told ? 4 : 2, argc, argv)) run(path, names[i], (ssl_precision)precision);
        free(names[i]);
    }
    if (n_passed + n_failed + n_skipped == 0) { n_failed++; printf("FAIL no case of that name in %s\n", argv[1]); }
    printf("%d passed, %d failed, %d skipped\n", n_passed, n_failed, n_skipped);
    return n_failed > 0;
}
