/* The scalar functions of >>math against libm in double precision, over all magnitudes: worst errors below the bounds stated
 * here, and what happens at the ends.
 *
 *     cc -O2 -fopenmp -I. tests/test_math.c -o build/test_math -lm && build/test_math [FILTER]
 */
#ifndef SSL_PORTABLE
#  define SSL_PORTABLE
#endif
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "check.h"

#define ROOT_HALF 0.70710678118654752440
static double cdf(double x) { return 0.5 * erfc(-x * ROOT_HALF); }
static double gelu(double x) { return x * cdf(x); }
static double dgelu(double x) { return cdf(x) + x * 0.39894228040143267794 * exp(-0.5 * x * x); }
static double logistic(double x) { return 1.0 / (1.0 + exp(-x)); }
static double bend(double x) { return 1.59576912160573071176 * (x + 0.044715 * x * x * x); }
static double gelu_tanh(double x) { return x * logistic(bend(x)); }
static double dgelu_tanh(double x)
{ return logistic(bend(x)) + x * logistic(bend(x)) * logistic(-bend(x)) * 1.59576912160573071176 * (1.0 + 0.134145 * x * x); }

typedef float (*approximation)(float x);
typedef double (*reference)(double x);
/* The largest |f - g| / (|g| + floor) over every 331st float with |x| between lo and hi, both signs. */
static double worst(approximation f, reference g, float lo, float hi, double floor)
{
    double most = 0.0;
    uint32_t u;
    for (u = ssl__word(lo); u <= ssl__word(hi); u += 331) {
        int sign;
        for (sign = 0; sign < 2; sign++) {
            const float x = sign ? -ssl__bits(u) : ssl__bits(u);
            const double want = g((double)x), error = fabs((double)f(x) - want) / (fabs(want) + floor);
            if (!(error <= most)) most = error; /* also where it is not a number */
        }
    }
    printf("     worst %.3g\n", most);
    return most;
}

static void test_exp(void)
{
    CHECK(worst(ssl__exp, exp, 1e-10f, 87.0f, 0.0) < 1.2e-7);
    CHECK(isinf(ssl__exp(88.5f)) && isinf(ssl__exp(1e30f)));
    CHECK(ssl__exp(-88.0f) == 0.0f && ssl__exp(-1e30f) == 0.0f && ssl__exp(-INFINITY) == 0.0f && ssl__exp(0.0f) == 1.0f);
    CHECK(isnan(ssl__exp(NAN)));
}
static void test_tanh(void)
{
    CHECK(worst(ssl__tanh, tanh, 1e-30f, 30.0f, 0.0) < 1.8e-7);
    CHECK(ssl__tanh(1e30f) == 1.0f && ssl__tanh(-1e30f) == -1.0f && ssl__tanh(0.0f) == 0.0f);
    CHECK(isnan(ssl__tanh(NAN)));
}
static void test_cdf(void)
{
    CHECK(worst(ssl__cdf, cdf, 1e-30f, 30.0f, 1.0) < 1e-7);
    CHECK(worst(ssl__cdf, cdf, 1e-30f, 3.0f, 0.0) < 5e-6);  /* relative, also in the lower tail */
    CHECK(worst(ssl__cdf, cdf, 3.0f, 5.9f, 0.0) < 3e-4);
    CHECK(ssl__cdf(0.0f) == 0.5f && ssl__cdf(7.0f) == 1.0f && ssl__cdf(-7.0f) == 0.0f);
}
static void test_gelu(void)
{
    CHECK(worst(ssl__gelu, gelu, 1e-30f, 1.0f, 0.0) < 4e-7);
    CHECK(worst(ssl__gelu, gelu, 1e-30f, 100.0f, 0.5) < 2e-7);
    CHECK(worst(ssl__dgelu, dgelu, 1e-30f, 100.0f, 1.0) < 2e-7);
    CHECK(ssl__gelu(100.0f) == 100.0f && ssl__gelu(-100.0f) == 0.0f);
    CHECK(isnan(ssl__gelu(NAN)) && isnan(ssl__dgelu(NAN)));
}
/* The vector forms, which the CPU's kernels use, one value at a time */
static ssl_ctx *ctx;
static float vector_gelu(float x) { float y; ctx->k->gelu_f(ctx, 1, 0.0f, &x, &y); return y; }
static float vector_dgelu(float x) { float dx; const float dy = 1.0f; ctx->k->gelu_b(ctx, 1, 0.0f, &x, &x, &dy, 0.0f, &dx); return dx; }
static void test_vector_gelu(void)
{
    ssl_desc d = SSL_ZERO;
    d.threads = 1;
    ctx = ssl_open(&d);
    CHECK(worst(vector_gelu, gelu, 1e-30f, 1.0f, 0.0) < 6e-7);
    CHECK(worst(vector_gelu, gelu, 1e-30f, 100.0f, 0.5) < 2.5e-7);
    CHECK(worst(vector_dgelu, dgelu, 1e-30f, 100.0f, 1.0) < 2e-7);
    CHECK(vector_gelu(100.0f) == 100.0f && vector_gelu(-100.0f) == 0.0f && vector_gelu(0.0f) == 0.0f && vector_dgelu(0.0f) == 0.5f);
    CHECK(isnan(vector_gelu(NAN)) && isnan(vector_dgelu(NAN)));
    ssl_close(ctx);
}
static void test_gelu_tanh(void)
{
    CHECK(worst(ssl__gelu_tanh, gelu_tanh, 1e-30f, 1.0f, 0.0) < 4e-7);
    CHECK(worst(ssl__gelu_tanh, gelu_tanh, 1e-30f, 100.0f, 0.5) < 2e-7);
    CHECK(worst(ssl__dgelu_tanh, dgelu_tanh, 1e-30f, 100.0f, 1.0) < 3e-7);
    CHECK(ssl__gelu_tanh(100.0f) == 100.0f && ssl__gelu_tanh(-100.0f) == 0.0f);
    CHECK(isnan(ssl__gelu_tanh(NAN)) && isnan(ssl__dgelu_tanh(NAN)));
}

int main(int argc, char **argv)
{
    if (argc > 1) check_filter = argv[1];
    TEST(exp);
    TEST(tanh);
    TEST(cdf);
    TEST(gelu);
    TEST(vector_gelu);
    TEST(gelu_tanh);
    return check_done();
}
