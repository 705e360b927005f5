/* The frame of a test program: CHECK counts, TEST runs one named group unless argv[1] filters it out, check_done prints the
   closing line that tests/run.sh reads. */
#include <stdio.h>
#include <string.h>

static int check_passed, check_failed, check_skipped;
static const char *check_filter = "", *check_group = "";

static int check(int ok, const char *what, const char *file, int line)
{
    if (ok) check_passed++;
    else {
        check_failed++;
        printf("%s:%d: %s: %s\n", file, line, check_group, what);
    }
    return ok;
}
#define CHECK(condition) check((condition) != 0, #condition, __FILE__, __LINE__)

#define TEST(name)                                                                                             \
    do {                                                                                                       \
        const int failed = check_failed;                                                                       \
        if (!strstr(#name, check_filter)) break;                                                               \
        check_group = #name;                                                                                   \
        test_##name();                                                                                         \
        printf("%s %s\n", check_failed == failed ? "ok  " : "FAIL", #name);                                    \
    } while (0)

static int check_done(void)
{
    printf("%d passed, %d failed, %d skipped\n", check_passed, check_failed, check_skipped);
    return check_failed > 0;
}

#ifdef SSL_VISION_H_INCLUDED
#include <math.h>
static inline double difference(const ssl_tensor *a, const ssl_tensor *b) /* |a - b| / |b|; 1 if they differ in size, or after an error */
{
    static float x[1 << 16], y[1 << 16];
    const int64_t n = ssl_numel(a);
    double d = 0.0, s = 0.0;
    int64_t i;
    if (n != ssl_numel(b) || n > 1 << 16 || !ssl_to_host(a, x) || !ssl_to_host(b, y)) return 1.0;
    for (i = 0; i < n; i++) { d += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]); s += (double)y[i] * (double)y[i]; }
    return sqrt(d / (s + 1e-30));
}
#endif
