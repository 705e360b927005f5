/* Optimizers against double precision, groups, clipping, EMA, schedules.   ./build/test_optim [NAME] */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "check.h"
#define EXPECT(condition, what) check((condition) != 0, what, __FILE__, __LINE__)

static void check_near(double a, double b, double tol, const char *what)
{
    const int ok = fabs(a - b) <= tol;
    EXPECT(ok, what);
    if (!ok) printf("     got %.9g, want %.9g\n", a, b);
}
static void quiet(ssl_status code, const char *message, void *user) { (void)code; (void)message; (void)user; }
static ssl_ctx *open_quiet(int threads)
{
    ssl_desc d = SSL_ZERO;
    d.on_error = quiet;
    d.threads = threads;
    d.seed = 3;
    return ssl_open(&d);
}

/* ---- optimizers: three parameters of odd sizes, ten steps, against the formulas in double precision ---- */
enum { STEPS = 10, N_PARAMS = 3, LONGEST = 40000 };
static const int rows[N_PARAMS] = { 7, 33, 200 }, cols[N_PARAMS] = { 5, 1, 200 }; /* the second has one axis */

typedef struct oracle { double w[N_PARAMS][LONGEST], m[N_PARAMS][LONGEST], v[N_PARAMS][LONGEST]; } oracle;
static oracle want;

static float gradient(int p, int step, int i) { return 0.3f * sinf(1.3f * (float)i + 0.7f * (float)step + (float)p) + 0.05f; }

static void oracle_step(const ssl_optim_desc *d, int t, double lr)
{
    const int adam = d->kind == SSL_OPTIM_ADAM || d->kind == SSL_OPTIM_ADAMW;
    const double beta1 = 0.9, beta2 = 0.999; /* the defaults */
    int p, i;
    for (p = 0; p < N_PARAMS; p++) {
        const int n = rows[p] * cols[p];
        const double wd = cols[p] > 1 || d->decay_1d ? (double)d->weight_decay : 0.0;
        double q = 1.0, w2 = 0.0, g2 = 0.0;
        for (i = 0; i < n; i++) {
            const double g = (double)gradient(p, t, i) + wd * want.w[p][i];
            w2 += want.w[p][i] * want.w[p][i];
            g2 += g * g;
        }
        if (d->kind == SSL_OPTIM_LARS && cols[p] > 1) q = (double)d->trust_coefficient * sqrt(w2) / sqrt(g2);
        for (i = 0; i < n; i++) {
            double *w = &want.w[p][i], *m = &want.m[p][i], *v = &want.v[p][i], g = (double)gradient(p, t, i);
            if (d->kind == SSL_OPTIM_ADAMW) *w *= 1.0 - lr * wd;
            else g = q * (g + wd * *w);
            if (adam) {
                *m = beta1 * *m + (1.0 - beta1) * g;
                *v = beta2 * *v + (1.0 - beta2) * g * g;
                *w -= lr * (*m / (1.0 - pow(beta1, t + 1))) / (sqrt(*v / (1.0 - pow(beta2, t + 1))) + (double)d->eps);
            } else {
                *m = (double)d->momentum * *m + g;
                *w -= lr * (d->nesterov ? g + (double)d->momentum * *m : *m);
            }
        }
    }
}

static void set_gradients(ssl_ctx *c, int step)
{
    int p, i;
    for (p = 0; p < N_PARAMS; p++) {
        float *g = ssl_grad_of(ssl_param_at_index(c, p, NULL));
        for (i = 0; g && i < rows[p] * cols[p]; i++) g[i] = gradient(p, step, i); /* not of frozen ones */
    }
}
static ssl_ctx *three_params(int threads)
{
    ssl_ctx *c = open_quiet(threads);
    const ssl_init init = ssl_init_make(SSL_INIT_NORMAL, 0.5f);
    ssl_param(c, init, "net.a.weight", 2, rows[0], cols[0]);
    ssl_param(c, init, "net.a.bias", 1, rows[1]);
    ssl_param(c, init, "net.b.weight", 2, rows[2], cols[2]);
    return c;
}

static void test_kind(const char *name, const ssl_optim_desc *desc, float lr)
{
    ssl_ctx *c = three_params(2), *one = three_params(1);
    ssl_optim_desc d;
    double error = 0.0, scale = 0.0;
    int p, i, t, same = 1, cleared = 1;
    memset(&want, 0, sizeof want);
    EXPECT(ssl_optim_desc_resolve(desc, &d), name);
    for (p = 0; p < N_PARAMS; p++)
        for (i = 0; i < rows[p] * cols[p]; i++) want.w[p][i] = (double)ssl_param_at_index(c, p, NULL)->x[i];
    for (t = 0; t < STEPS; t++) {
        set_gradients(c, t);
        set_gradients(one, t);
        ssl_optim_step(c, desc, lr);
        ssl_optim_step(one, desc, lr);
        oracle_step(&d, t, (double)lr);
    }
    for (p = 0; p < N_PARAMS; p++)
        for (i = 0; i < rows[p] * cols[p]; i++) {
            const ssl_tensor *a = ssl_param_at_index(c, p, NULL), *b = ssl_param_at_index(one, p, NULL);
            const double e = (double)a->x[i] - want.w[p][i];
            error += e * e;
            scale += want.w[p][i] * want.w[p][i];
            same = same && !memcmp(&a->x[i], &b->x[i], 4);
            cleared = cleared && a->g[i] == 0.0f;
        }
    check_near(sqrt(error / scale), 0.0, 3e-6, name);
    EXPECT(same, "one and two threads give the same bits");
    EXPECT(cleared, "the step clears the gradients");
    EXPECT(ssl_close(c) == 0 && ssl_close(one) == 0, name);
}

static void test_kinds(void)
{
    ssl_optim_desc d = SSL_ZERO;
    test_kind("adamw, defaults", NULL, 1e-2f);
    d.decay_1d = 1;
    test_kind("adamw, decay everywhere", &d, 1e-2f);
    d.kind = SSL_OPTIM_ADAM;
    d.weight_decay = 0.01f;
    test_kind("adam with L2", &d, 1e-2f);
    d.kind = SSL_OPTIM_SGD;
    test_kind("sgd with momentum", &d, 0.05f);
    d.nesterov = 1;
    test_kind("sgd, nesterov", &d, 0.05f);
    d.momentum = SSL_EXPLICIT_ZERO;
    test_kind("sgd without momentum", &d, 0.05f);
    memset(&d, 0, sizeof d);
    d.kind = SSL_OPTIM_LARS;
    d.weight_decay = 0.01f;
    d.trust_coefficient = 0.02f;
    test_kind("lars", &d, 1.0f);
}

static void test_groups(void)
{
    ssl_ctx *c = three_params(2);
    ssl_optim_desc d = SSL_ZERO;
    float before[3], after[3];
    int p;
    d.kind = SSL_OPTIM_SGD;
    d.momentum = SSL_EXPLICIT_ZERO;
    d.weight_decay = 0.1f;
    EXPECT(ssl_param_group(c, "net.a.*", 0.5f, 0.0f, 0) == 2, "two parameters match net.a.*");
    EXPECT(ssl_param_group(c, "net.b.*", 1.0f, 1.0f, 1) == 1, "one parameter matches net.b.*");
    set_gradients(c, 0);
    for (p = 0; p < 3; p++) before[p] = ssl_param_at_index(c, p, NULL)->x[0];
    ssl_optim_step(c, &d, 0.2f);
    for (p = 0; p < 3; p++) after[p] = ssl_param_at_index(c, p, NULL)->x[0];
    check_near((double)after[0], (double)before[0] - 0.1 * (double)gradient(0, 0, 0), 1e-6, "lr_scale 0.5, decay_scale 0");
    check_near((double)after[1], (double)before[1] - 0.1 * (double)gradient(1, 0, 0), 1e-6, "lr_scale 0.5 on a bias");
    EXPECT(before[2] == after[2], "a frozen parameter stays");
    EXPECT(ssl_close(c) == 0, "groups");
}

static void test_clip(void)
{
    ssl_ctx *c = three_params(2);
    double sum = 0.0;
    float norm, g0;
    int p, i;
    set_gradients(c, 0);
    for (p = 0; p < N_PARAMS; p++)
        for (i = 0; i < rows[p] * cols[p]; i++) sum += (double)gradient(p, 0, i) * (double)gradient(p, 0, i);
    g0 = ssl_param_at_index(c, 0, NULL)->g[3];
    norm = ssl_clip_grad_norm(c, 0.0f);
    check_near((double)norm / sqrt(sum), 1.0, 1e-6, "the norm over all parameters");
    EXPECT(ssl_param_at_index(c, 0, NULL)->g[3] == g0, "limit 0 only measures");
    ssl_clip_grad_norm(c, norm * 2.0f);
    EXPECT(ssl_param_at_index(c, 0, NULL)->g[3] == g0, "a norm below the limit changes nothing");
    ssl_clip_grad_norm(c, 1.0f);
    check_near((double)ssl_param_at_index(c, 0, NULL)->g[3], (double)g0 / sqrt(sum), 1e-7, "clipped to norm 1");
    check_near((double)ssl_clip_grad_norm(c, 0.0f), 1.0, 1e-5, "the norm afterwards");
    EXPECT(ssl_close(c) == 0, "clip");
}

static void test_clip_in_step(void)
{
    ssl_ctx *a = three_params(1), *b = three_params(1);
    ssl_optim_desc d = SSL_ZERO;
    set_gradients(a, 0);
    set_gradients(b, 0);
    d.kind = SSL_OPTIM_LARS;
    d.weight_decay = 0.01f;
    ssl_clip_grad_norm(a, 0.5f);
    ssl_optim_step(a, &d, 0.1f);
    d.clip_norm = 0.5f;
    ssl_optim_step(b, &d, 0.1f);
    EXPECT(!memcmp(ssl_param_at_index(a, 2, NULL)->x, ssl_param_at_index(b, 2, NULL)->x, sizeof(float) * 40000), "clip_norm is ssl_clip_grad_norm before the step");
    EXPECT(ssl_close(a) == 0 && ssl_close(b) == 0, "clip in step");
}

/* Gradients and moments exist for what is trained, when it is trained, and survive what is frozen or made later. */
static void test_state(void)
{
    ssl_ctx *c = three_params(2);
    ssl_tensor *frozen = ssl_param_at_index(c, 1, NULL), *late;
    float m, v, w;
    EXPECT(!c->state[0] && !frozen->g, "nothing before the first gradient");
    set_gradients(c, 0);
    EXPECT(c->state[0] && !c->state[1], "no moments before the first step");
    ssl_adamw_step(c, 0.1f);
    m = c->state[1][c->param[1]->slot];
    v = c->state[2][c->param[1]->slot];
    w = frozen->x[0];
    EXPECT(m != 0.0f && v > 0.0f, "moments after a step");
    ssl_param_group(c, c->param[1]->name, 1.0f, 1.0f, 1);
    late = ssl_param(c, ssl_init_make(SSL_INIT_CONSTANT, 1.0f), "late", 2, 5, 7);
    EXPECT(!late->g, "a late parameter has no gradient yet");
    ssl_grad_of(late)[34] = 2.0f;
    set_gradients(c, 1);
    EXPECT(late->g[34] == 2.0f && late->g[33] == 0.0f && c->state[1][c->param[N_PARAMS]->slot + 34] == 0.0f, "gradient and moments of a late parameter");
    ssl_adamw_step(c, 0.1f);
    EXPECT(c->state[1][c->param[N_PARAMS]->slot + 34] > 0.0f && late->x[34] < late->x[33], "a late parameter is trained");
    EXPECT(frozen->x[0] == w && c->state[1][c->param[1]->slot] == m && c->state[2][c->param[1]->slot] == v, "a frozen one and its moments stay");
    ssl_param_group(c, c->param[1]->name, 1.0f, 1.0f, 0);
    set_gradients(c, 2);
    ssl_adamw_step(c, 0.1f);
    EXPECT(frozen->x[0] != w && c->state[1][c->param[1]->slot] != m, "and go on from there");
    EXPECT(ssl_close(c) == 0, "state");
}

static void test_bad_gradients(void)
{
    const float bad[3] = { ssl__bits(0x7fc00000u), ssl__bits(0x7f800000u), 1e30f }; /* NaN, infinity, a square too large */
    int k;
    for (k = 0; k < 3; k++) {
        ssl_ctx *c = three_params(2);
        const ssl_tensor *w = ssl_param_at_index(c, 0, NULL);
        const float before = w->x[0];
        set_gradients(c, 0);
        ssl_param_at_index(c, 1, NULL)->g[32] = bad[k];
        ssl_optim_step(c, NULL, 0.1f);
        EXPECT(ssl_error(c) == SSL_E_NAN && strstr(ssl_error_message(c), "net.a.bias[33]") && strstr(ssl_error_message(c), "test_optim.c"), "a bad gradient names the parameter");
        EXPECT(w->x[0] == before && w->g[0] != 0.0f, "and nothing is changed");
        ssl_optim_step(c, NULL, 0.1f);
        ssl_clip_grad_norm(c, 1.0f);
        ssl_ema_update(c, "x", "y", 0.5f);
        EXPECT(ssl_close(c) == (int)SSL_E_NAN, "the first error stays");
    }
}

static void check_error(ssl_ctx *c, ssl_status code, const char *words, const char *what)
{
    const int ok = ssl_error(c) == code && strstr(ssl_error_message(c), words) && strstr(ssl_error_message(c), "test_optim.c:");
    EXPECT(ok, what);
    if (!ok) printf("     message: %s\n", ssl_error_message(c));
    ssl_error_clear(c);
}
static void test_misuse(void)
{
    ssl_ctx *c = three_params(1);
    ssl_optim_desc d;
    memset(&d, 0xcc, sizeof d);
    ssl_optim_step(c, &d, 0.1f);
    check_error(c, SSL_E_ARG, "SSL_ZERO", "an uninitialized desc");
    ssl_adamw_step(c, -1.0f);
    check_error(c, SSL_E_ARG, "learning rate is -1", "a negative learning rate");
    memset(&d, 0, sizeof d);
    d.kind = SSL_OPTIM_SGD; d.nesterov = 1; d.dampening = 0.5f;
    ssl_optim_step(c, &d, 0.1f);
    check_error(c, SSL_E_ARG, "dampening 0.5: only SGD without nesterov", "dampening with nesterov");
    ssl_ema_update(c, "nothing", "net", 0.9f);
    check_error(c, SSL_E_ARG, "\"nothing.*\"", "a target that does not exist");
    ssl_ema_update(c, "net.a", "net.b", 0.9f);
    check_error(c, SSL_E_SHAPE, "net.a.weight[7,5] and net.b.weight[200,200]", "targets of another shape");
    ssl_ema_update(c, "net.b", "net.a", 1.5f);
    check_error(c, SSL_E_ARG, "from 0 to 1", "a momentum beyond 1");
    ssl_ema_copy(c, "net", "other");
    check_error(c, SSL_E_ARG, "there is no other.a.weight", "an online network that does not exist");
    EXPECT(ssl_close(c) == 0, "cleared errors do not stay");
}

/* ---- EMA ---- */
static void test_ema(void)
{
    ssl_ctx *c = open_quiet(2);
    const ssl_init init = ssl_init_make(SSL_INIT_NORMAL, 1.0f);
    ssl_tensor *o = ssl_param(c, init, "online.w", 2, 13, 7), *os = ssl_param(c, init, "online.mean", 1, 13);
    ssl_tensor *t = ssl_param(c, init, "target.w", 2, 13, 7), *ts = ssl_param(c, init, "target.mean", 1, 13);
    ssl_tensor *other = ssl_param(c, init, "target2.w", 2, 13, 7);
    const float t0 = t->x[90], other0 = other->x[90], s0 = ts->x[12];
    ssl_param_group(c, "target*", 1.0f, 1.0f, 1);
    ssl_param_group(c, "online.mean", 1.0f, 1.0f, 1);
    ssl_ema_update(c, "target", "online", 0.75f);
    check_near((double)t->x[90], 0.75 * (double)t0 + 0.25 * (double)o->x[90], 1e-6, "ema of a weight");
    EXPECT(other->x[90] == other0, "target2 is not under target");
    EXPECT(ts->x[12] == s0, "frozen statistics are left alone");
    ssl_ema_copy(c, "target", "online");
    EXPECT(!memcmp(t->x, o->x, sizeof(float) * 91) && !memcmp(ts->x, os->x, sizeof(float) * 13), "ema_copy copies everything");
    EXPECT(ssl_close(c) == 0, "ema");
}

/* ---- schedules ---- */
static void test_schedules(void)
{
    int t;
    check_near((double)ssl_lr_warmup_cosine(1.0f, 2.0f, 10.0f, 0.1f, 0.01f), 0.05, 1e-8, "half way through the warm-up");
    check_near((double)ssl_lr_warmup_cosine(2.0f, 2.0f, 10.0f, 0.1f, 0.01f), 0.1, 1e-8, "the end of the warm-up");
    check_near((double)ssl_lr_warmup_cosine(6.0f, 2.0f, 10.0f, 0.1f, 0.01f), 0.055, 1e-8, "half way down");
    check_near((double)ssl_lr_warmup_cosine(10.0f, 2.0f, 10.0f, 0.1f, 0.01f), 0.01, 1e-8, "the last epoch");
    check_near((double)ssl_lr_warmup_cosine(99.0f, 2.0f, 10.0f, 0.1f, 0.01f), 0.01, 1e-8, "after the last epoch");
    check_near((double)ssl_lr_warmup_cosine(0.0f, 0.0f, 10.0f, 0.1f, 0.01f), 0.1, 1e-8, "no warm-up");
    check_near((double)ssl_lr_step(29.0f, 30.0f, 0.1f, 1.0f), 1.0, 1e-8, "before the step");
    check_near((double)ssl_lr_step(60.0f, 30.0f, 0.1f, 1.0f), 0.01, 1e-8, "after two steps");
    for (t = 0; t < 50; t++) /* start 1: no warm-up, and the recursion is the closed form */
        check_near((double)ssl_lr_apl_chained(t, 50, 5, 1.0f, 0.1f, 1.0f), 0.1 + 0.45 * (1.0 + cos(SSL__PI * t / 50)), 1e-6, "the recursive cosine");
    check_near((double)ssl_lr_apl_chained(0, 60, 3, 0.5f, 0.1f, 2.0f), 1.0, 1e-6, "starts at half the rate");
    check_near((double)ssl_momentum_cosine(0.0f, 0.99f), 0.99, 1e-7, "momentum at the start");
    check_near((double)ssl_momentum_cosine(1.0f, 0.99f), 1.0, 1e-7, "momentum at the end");
}

int main(int argc, char **argv)
{
    if (argc > 1) check_filter = argv[1];
    TEST(kinds);
    TEST(groups);
    TEST(clip);
    TEST(clip_in_step);
    TEST(state);
    TEST(bad_gradients);
    TEST(misuse);
    TEST(ema);
    TEST(schedules);
    return check_done();
}
