/* cc -O2 -fopenmp -I. -DSSL_STB_IMAGE='<stb/stb_image.h>' tests/test_data.c -lm -o build/test_data && build/test_data [FILTER]
 * Image operations against torchvision's numbers; data set readers on files written here, whole, damaged and hostile;
 * augmentation and loader: same bits for any threads and after a seek. Real sets from SSL_DATA=DIR or ../shared/data. */
#ifndef _POSIX_C_SOURCE
#  define _POSIX_C_SOURCE 200809L
#endif
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include <unistd.h>

static int n_passed, n_failed, n_skipped;
static void check(int ok, const char *what, double value)
{
    if (ok) n_passed++;
    else { n_failed++; printf("FAIL %s (%g)\n", what, value); }
}
static void skip(const char *what, const char *why) { n_skipped++; printf("skip %s: %s\n", what, why); }

static char last_error[1200];
static int n_errors;
static void keep_error(ssl_status code, const char *message, void *user)
{
    (void)code; (void)user;
    snprintf(last_error, sizeof last_error, "%s", message);
    n_errors++;
}
static ssl_ctx *open_quiet(int threads)
{
    ssl_desc d = SSL_ZERO;
    d.threads = threads;
    d.seed = 11;
    d.on_error = keep_error;
    n_errors = 0;
    last_error[0] = 0;
    return ssl_open(&d);
}
/* exactly one message, with this file's name and both words; closes the context */
static void check_error(ssl_ctx *c, const char *what, const char *word1, const char *word2)
{
    const int ok = n_errors == 1 && strstr(last_error, "test_data.c:") && strstr(last_error, word1) && strstr(last_error, word2);
    check(ok, what, n_errors);
    if (!ok) printf("     message: %s\n", last_error);
    check(ssl_close(c) != 0, what, 0);
}

/* ---- golden numbers: torchvision 0.29 functional on the 8-bit tensor of image_90() ---- */
static const uint8_t gold_brightness[90] = {
    84, 131, 180, 252, 16, 131, 255, 198, 5, 228, 89, 151, 211, 255, 84, 255, 255, 116, 243, 190, 77, 36, 25, 113, 46, 253, 208, 135, 93, 255,
    255, 63, 119, 255, 138, 196, 166, 255, 255, 254, 255, 255, 54, 133, 245, 57, 176, 61, 211, 255, 117, 5, 255, 82, 255, 8, 137, 15, 123, 46,
    255, 145, 51, 218, 255, 255, 2, 9, 255, 255, 162, 140, 239, 255, 255, 175, 148, 51, 255, 255, 226, 207, 191, 18, 149, 201, 255, 120, 255, 98
};
static const uint8_t gold_contrast[90] = {
    79, 103, 127, 163, 46, 103, 176, 137, 40, 151, 82, 113, 143, 187, 79, 213, 191, 95, 159, 132, 76, 55, 50, 94, 60, 164, 141, 105, 84, 172,
    204, 69, 97, 213, 106, 135, 120, 215, 194, 165, 209, 211, 64, 104, 160, 66, 125, 68, 143, 193, 96, 40, 207, 78, 186, 41, 106, 45, 99, 60,
    182, 110, 63, 146, 179, 204, 39, 42, 216, 181, 118, 107, 157, 210, 168, 125, 111, 63, 198, 171, 151, 141, 133, 46, 112, 138, 207, 97, 176, 86
};
static const uint8_t gold_saturation[90] = {
    0, 110, 151, 157, 0, 68, 239, 111, 0, 154, 0, 59, 189, 254, 11, 255, 255, 100, 178, 101, 37, 26, 0, 93, 0, 245, 161, 128, 50, 255,
    255, 32, 80, 255, 108, 141, 113, 255, 255, 184, 255, 255, 10, 63, 195, 0, 111, 38, 142, 241, 84, 0, 255, 58, 251, 0, 79, 0, 84, 2,
    222, 126, 4, 118, 255, 255, 0, 0, 255, 221, 80, 46, 221, 255, 214, 132, 79, 26, 255, 189, 208, 221, 121, 0, 83, 186, 255, 110, 255, 61
};
static const uint8_t gold_hue[90] = {
    60, 104, 90, 156, 97, 178, 100, 7, 9, 182, 64, 100, 171, 247, 60, 251, 212, 80, 230, 136, 122, 148, 18, 41, 33, 181, 242, 97, 164, 192,
    109, 45, 129, 251, 12, 94, 198, 254, 4, 163, 211, 249, 39, 95, 60, 146, 220, 83, 151, 177, 55, 4, 147, 81, 156, 25, 98, 13, 67, 139,
    238, 61, 37, 218, 203, 238, 2, 94, 255, 205, 245, 226, 72, 143, 187, 41, 106, 37, 215, 223, 162, 140, 243, 13, 212, 6, 206, 11, 198, 33
};
static const uint8_t gold_grayscale[30] = {
    181, 66, 92, 218, 84, 137, 129, 192, 161, 178, 176, 189, 87, 147, 141, 113, 151, 54, 166, 193, 84, 26, 163, 60, 146, 74, 129, 45, 94, 84
};
static const uint8_t gold_blur[90] = {
    123, 107, 118, 102, 102, 66, 150, 119, 120, 112, 120, 91, 171, 133, 127, 122, 132, 115, 154, 129, 110, 84, 92, 88, 139, 125, 111, 75, 84, 84,
    155, 156, 167, 179, 186, 174, 154, 159, 170, 174, 174, 180, 132, 138, 132, 131, 119, 147, 142, 133, 93, 97, 92, 132, 135, 126, 73, 82, 78, 116,
    84, 104, 130, 161, 167, 162, 90, 120, 153, 166, 141, 127, 163, 172, 174, 154, 107, 93, 187, 187, 170, 152, 105, 101, 168, 179, 166, 158, 113, 119
};
static const uint8_t gold_solarize[90] = {
    60, 94, 126, 75, 12, 94, 57, 113, 4, 92, 64, 108, 104, 41, 60, 4, 35, 83, 81, 119, 55, 26, 18, 81, 33, 74, 106, 97, 67, 63,
    17, 45, 85, 4, 99, 115, 119, 1, 31, 73, 10, 6, 39, 95, 80, 41, 126, 44, 104, 32, 84, 4, 12, 59, 43, 6, 98, 11, 88, 33,
    48, 104, 37, 99, 52, 17, 2, 7, 0, 50, 116, 100, 84, 8, 68, 125, 106, 37, 25, 64, 93, 107, 118, 13, 107, 111, 13, 86, 57, 70
};
static const uint8_t gold_up[216] = {
    60, 77, 100, 123, 154, 152, 40, 53, 94, 120, 118, 108, 81, 123, 150, 58, 67, 100, 195, 171, 123, 31, 88, 153, 90, 90, 106, 166, 179, 167,
    67, 133, 215, 180, 131, 91, 158, 174, 168, 80, 120, 177, 161, 120, 82, 173, 157, 127, 70, 48, 38, 32, 56, 81, 95, 128, 152, 117, 87, 63,
    49, 94, 143, 33, 107, 176, 154, 123, 92, 72, 130, 192, 238, 142, 52, 78, 168, 226, 124, 120, 140, 186, 161, 138, 144, 183, 211, 173, 175, 188,
    114, 179, 240, 225, 197, 184, 227, 237, 236, 64, 104, 152, 183, 138, 98, 150, 136, 108, 74, 104, 137, 145, 88, 52, 140, 106, 49, 144, 180, 194,
    111, 48, 45, 197, 147, 58, 185, 143, 99, 93, 50, 33, 131, 100, 44, 212, 109, 21, 83, 54, 24, 75, 60, 33, 207, 156, 93, 48, 96, 164,
    195, 220, 238, 117, 89, 73, 121, 155, 175, 167, 171, 178, 13, 17, 60, 213, 225, 186, 129, 106, 96, 118, 145, 178, 202, 179, 143, 116, 83, 57,
    189, 209, 221, 188, 156, 129, 118, 73, 30, 226, 210, 189, 169, 155, 145, 137, 75, 14, 161, 163, 172, 200, 160, 123, 162, 108, 45, 107, 126, 160,
    226, 164, 105, 179, 134, 70
};
static const uint8_t gold_down[18] = {
    147, 101, 78, 143, 61, 70, 175, 194, 215, 168, 47, 128, 42, 197, 136, 189, 157, 90
};
static const uint8_t gold_down_antialias[24] = {
    143, 101, 135, 91, 141, 114, 95, 104, 144, 158, 166, 164, 137, 109, 81, 98, 110, 145, 160, 132, 172, 184, 141, 81
};
/* an 8x8 JPEG of one component with levels 4 i, and a 4x4 PNG with the top left of image_90() */
static const uint8_t file_gray_jpeg[166] = {
    255, 216, 255, 224, 0, 16, 74, 70, 73, 70, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 255, 219, 0, 67, 0, 16, 11, 12, 14, 12,
    10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51, 56, 55, 64,
    72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99, 255,
    192, 0, 11, 8, 0, 8, 0, 8, 1, 1, 17, 0, 255, 196, 0, 20, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 1, 255, 196, 0, 24, 16, 0, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 6, 99, 161,
    255, 218, 0, 8, 1, 1, 0, 0, 63, 0, 17, 14, 175, 15, 255, 217
};
static const uint8_t file_png[120] = {
    137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 4, 0, 0, 0, 4, 8, 2, 0, 0, 0, 38,
    147, 9, 41, 0, 0, 0, 63, 73, 68, 65, 84, 120, 156, 1, 52, 0, 203, 255, 1, 60, 238, 207, 34, 63, 153, 35, 40, 189, 51, 166,
    119, 0, 198, 119, 2, 142, 254, 7, 4, 224, 255, 163, 182, 205, 0, 151, 39, 171, 214, 95, 247, 60, 175, 187, 251, 41, 125, 4, 23, 112,
    59, 178, 72, 200, 251, 117, 231, 31, 219, 23, 118, 108, 24, 244, 192, 75, 5, 3, 0, 0, 0, 0, 73, 69, 78, 68, 174, 66, 96, 130
};

static void image_90(uint8_t *p) /* [3,5,6] */
{
    uint32_t s = 1;
    int i;
    for (i = 0; i < 90; i++) p[i] = (uint8_t)((s = s * 1664525u + 1013904223u) >> 24);
}

/* ---- image operations ---- */
#define GUARD 8
static int run_op(int op, const ssl_image *x, const ssl_image *y)
{
    const float bound = y->u8 ? 255.0f : 1.0f;
    switch (op) {
    case 0: return ssl_image_brightness(x, 1.4f, y);
    case 1: return ssl_image_contrast(x, 0.7f, y);
    case 2: return ssl_image_saturation(x, 1.6f, y);
    case 3: return ssl_image_hue(x, 0.15f, y);
    case 4: return ssl_image_grayscale(x, y);
    case 5: return ssl_image_blur(x, 3, 5, 1.5f, 0.8f, y);
    case 6: return ssl_image_solarize(x, 128.0f / 255.0f * bound, y);
    case 7: case 8: return ssl_image_resize(x, 0, y);
    default: return ssl_image_resize(x, 1, y);
    }
}

/* Every op on 8 bits equals torchvision within one level, and on floats within one level of truncation; nothing is
   written beside y, which lies inside a larger buffer here. */
static void test_image_golden(void)
{
    static const struct { const char *name; const uint8_t *want; int c, h, w; } row[10] = {
        { "image brightness", gold_brightness, 3, 5, 6 }, { "image contrast", gold_contrast, 3, 5, 6 }, { "image saturation", gold_saturation, 3, 5, 6 },
        { "image hue", gold_hue, 3, 5, 6 }, { "image grayscale", gold_grayscale, 1, 5, 6 }, { "image blur", gold_blur, 3, 5, 6 },
        { "image solarize", gold_solarize, 3, 5, 6 }, { "image resize up", gold_up, 3, 8, 9 }, { "image resize down", gold_down, 3, 2, 3 },
        { "image resize antialias", gold_down_antialias, 3, 2, 4 }
    };
    uint8_t p[90], out[4096];
    float f[90], fout[4096];
    int op, i, j, k;
    image_90(p);
    for (i = 0; i < 90; i++) f[i] = (float)p[i] / 255.0f;
    for (op = 0; op < 10; op++) {
        const ssl_image x = ssl_image_u8(p, 3, 5, 6), xf = ssl_image_f32(f, 3, 5, 6);
        const int h = row[op].h + 2, w = row[op].w + 2; /* y is the inside of a frame */
        const ssl_image frame = ssl_image_u8(out, row[op].c, h, w), framef = ssl_image_f32(fout, row[op].c, h, w);
        const ssl_image y = ssl_image_view(&frame, 1, 1, row[op].h, row[op].w), yf = ssl_image_view(&framef, 1, 1, row[op].h, row[op].w);
        int worst = 0, touched = 0;
        double worst_f = 0.0;
        for (i = 0; i < 4096; i++) { out[i] = 77; fout[i] = -7.0f; }
        check(run_op(op, &x, &y) && run_op(op, &xf, &yf), row[op].name, op);
        for (k = 0; k < row[op].c; k++)
            for (i = 0; i < h; i++)
                for (j = 0; j < w; j++) {
                    const int at = (k * h + i) * w + j, inside = i > 0 && j > 0 && i <= row[op].h && j <= row[op].w;
                    if (!inside) { touched += out[at] != 77 || fout[at] != -7.0f; continue; }
                    {
                        const int want = row[op].want[(k * row[op].h + i - 1) * row[op].w + j - 1];
                        worst = SSL__MAX(worst, abs(out[at] - want));
                        worst_f = SSL__MAX(worst_f, fabs((double)fout[at] * 255.0 - want));
                    }
                }
        for (i = row[op].c * h * w; i < 4096; i++) touched += out[i] != 77 || fout[i] != -7.0f;
        check(worst <= 1, row[op].name, worst);
        check(worst_f <= 2.0, row[op].name, worst_f);
        check(!touched, row[op].name, touched);
    }
}

static void test_image_exact(void)
{
    const float mean[3] = { 0.5f, 0.25f, 0.125f }, dev[3] = { 0.5f, 0.25f, 0.2f };
    uint8_t p[90], a[90], b[90];
    float f[90];
    int i, bad = 0;
    ssl_image x = ssl_image_u8(p, 3, 5, 6), y = ssl_image_u8(a, 3, 5, 6), z = ssl_image_u8(b, 3, 5, 6), g = ssl_image_f32(f, 3, 5, 6), part;
    image_90(p);
    ssl_image_hflip(&x, &y);
    for (i = 0; i < 90; i++) bad += a[i] != p[i / 6 * 6 + 5 - i % 6];
    ssl_image_hflip(&y, &y); /* in place, and twice is the identity */
    bad += memcmp(a, p, 90) != 0;
    ssl_image_vflip(&x, &y);
    for (i = 0; i < 90; i++) bad += a[i] != p[i / 30 * 30 + (4 - i % 30 / 6) * 6 + i % 6];
    ssl_image_vflip(&y, &y);
    bad += memcmp(a, p, 90) != 0;
    ssl_image_invert(&x, &y);
    for (i = 0; i < 90; i++) bad += a[i] != 255 - p[i];
    ssl_image_convert(&x, &g);
    ssl_image_convert(&g, &y);
    bad += memcmp(a, p, 90) != 0; /* 8 bits -> float -> 8 bits */
    check(!bad, "image flips, invert, convert", bad);
    ssl_image_normalize(&x, mean, dev, &g);
    for (i = 0; i < 90; i++) bad += fabsf(f[i] - ((float)p[i] / 255.0f - mean[i / 30]) / dev[i / 30]) > 1e-6f;
    check(!bad, "image normalize", bad);
    ssl_image_crop(&x, -2, 3, 1, &z); /* mirrored: rows 2 1 0 1 2, columns 3 4 5 4 3 2 */
    for (i = 0; i < 90; i++) {
        static const int rows[5] = { 2, 1, 0, 1, 2 }, cols[6] = { 3, 4, 5, 4, 3, 2 };
        bad += b[i] != p[i / 30 * 30 + rows[i % 30 / 6] * 6 + cols[i % 6]];
    }
    ssl_image_crop(&x, -2, 3, 0, &z);
    for (i = 0; i < 90; i++) bad += b[i] != (i % 30 < 12 || i % 6 > 2 ? 0 : p[i / 30 * 30 + (i % 30 / 6 - 2) * 6 + i % 6 + 3]);
    check(!bad, "image crop beyond the edge", bad);
    part = ssl_image_view(&x, 1, 2, 3, 4);
    y = ssl_image_u8(a, 3, 3, 4);
    ssl_image_resize(&part, 1, &y); /* same size: a copy */
    for (i = 0; i < 36; i++) bad += a[i] != p[i / 12 * 30 + (1 + i % 12 / 4) * 6 + 2 + i % 4];
    check(!bad, "image view", bad);
}

/* A wide picture goes through several strips and runs; compare with the formula in double. */
static void test_image_large(void)
{
    enum { H = 37, W = 700, OH = 11, OW = 231 };
    uint8_t *p = (uint8_t *)malloc(H * W), *q = (uint8_t *)malloc(H * W);
    const ssl_image x = ssl_image_u8(p, 1, H, W), y = ssl_image_u8(q, 1, OH, OW), z = ssl_image_u8(q, 1, H, W);
    ssl_rng r = ssl_rng_make(5, 5);
    double worst = 0.0, sum, weight, w[23];
    int i, j, k, m;
    for (i = 0; i < H * W; i++) p[i] = (uint8_t)ssl_rng_below(&r, 256);
    ssl_image_resize(&x, 1, &y);
    for (i = 0; i < OH; i++)
        for (j = 0; j < OW; j++) {
            for (sum = weight = 0.0, k = 0; k < H; k++)
                for (m = 0; m < W; m++) {
                    const double a = 1.0 - fabs((k + 0.5) * OH / H - (i + 0.5)), b = 1.0 - fabs((m + 0.5) * OW / W - (j + 0.5));
                    if (a > 0 && b > 0) { sum += a * b * p[k * W + m]; weight += a * b; }
                }
            worst = SSL__MAX(worst, fabs(q[i * OW + j] - sum / weight));
        }
    check(worst <= 0.51, "image resize of a wide picture", worst);
    ssl_image_blur(&x, 23, 1, 4.0f, 1.0f, &z);
    for (weight = 0.0, k = 0; k < 23; k++) weight += w[k] = exp(-(k - 11) * (k - 11) / 32.0);
    for (worst = 0.0, i = 0; i < H * W; i++) {
        for (sum = 0.0, k = 0; k < 23; k++) {
            m = i % W + k - 11;
            m = m < 0 ? -m : m >= W ? 2 * W - 2 - m : m;
            sum += w[k] * p[i / W * W + m];
        }
        worst = SSL__MAX(worst, fabs(q[i] - sum / weight));
    }
    check(worst <= 0.51, "image blur of a wide picture", worst);
    free(p);
    free(q);
}

static void test_image_refusals(void)
{
    uint8_t p[90], a[200];
    float f[90];
    const ssl_image x = ssl_image_u8(p, 3, 5, 6), y = ssl_image_u8(a, 3, 5, 6), small = ssl_image_u8(a, 3, 4, 6), two = ssl_image_u8(a, 2, 5, 6), g = ssl_image_f32(f, 3, 5, 6);
    ssl_image none = SSL_ZERO, tiny = ssl_image_u8(a, 3, 1, 1), huge = ssl_image_u8(p, 3, 5, 6);
    int i, bad = 0;
    huge.w = 1000000;
    memset(p, 5, sizeof p);
    memset(a, 9, sizeof a);
    bad += ssl_image_brightness(&x, 1.0f, &small) + ssl_image_contrast(&x, 1.0f, &two) + ssl_image_hue(&x, 0.6f, &y) + ssl_image_convert(&none, &y);
    bad += ssl_image_blur(&x, 4, 3, 1.0f, 1.0f, &y) + ssl_image_blur(&x, 13, 3, 1.0f, 1.0f, &y) + ssl_image_blur(&x, 3, 3, 0.0f, 1.0f, &y);
    bad += ssl_image_normalize(&x, f, f, &y) + ssl_image_hflip(&x, &g) + ssl_image_resize(&huge, 1, &tiny);
    bad += ssl_image_crop(&x, -5, 0, 1, &y) + ssl_image_crop(&x, 0, 6, 1, &y);
    for (i = 0; i < 200; i++) bad += a[i] != 9;
    check(!bad, "image: sizes that do not fit are refused", bad);
}
static void test_image_hostile(void) /* values that are none, windows far away */
{
    static const int far[4] = { INT32_MAX, INT32_MIN, -7, 6 };
    float f[12];
    uint8_t a[12], none[12] = { 0 };
    const ssl_image x = ssl_image_f32(f, 3, 2, 2), y = ssl_image_u8(a, 3, 2, 2);
    int i, bad = 0;
    for (i = 0; i < 12; i++) f[i] = i % 3 == 0 ? ssl__bits(0x7fc00000u) : i % 3 == 1 ? 1e30f : -1e30f;
    ssl_image_convert(&x, &y);
    for (i = 0; i < 12; i++) bad += a[i] != (i % 3 == 1 ? 255 : 0);
    check(!bad, "image: NaN is level 0, what is too large 255", bad);
    for (i = 0; i < 12; i++) f[i] = 0.5f;
    bad = !ssl_image_brightness(&x, ssl__bits(0x7fc00000u), &y) || memcmp(a, none, 12);
    f[0] = ssl__bits(0x7f800000u);
    bad += !ssl_image_saturation(&x, 0.5f, &y) + !ssl_image_contrast(&x, 0.5f, &y) + !ssl_image_resize(&x, 1, &y) + !ssl_image_blur(&x, 3, 3, 1.0f, 1.0f, &y);
    check(!bad, "image: factors and pixels that are not finite", bad);
    for (i = 0; i < 16; i++) {
        const ssl_image z = ssl_image_u8(a, 3, 2, 2), w = ssl_image_u8(none, 3, 2, 2);
        memset(a, 9, sizeof a);
        memset(none, 1, sizeof none);
        bad += !ssl_image_crop(&w, far[i / 4], far[i % 4], 0, &z) + ssl_image_crop(&w, far[i / 4], far[i % 4], 1, &z);
        bad += a[0] != 0 || memcmp(a, a + 1, 11);
    }
    check(!bad, "image: a window far away is black", bad);
    {
        static const uint8_t row[6] = { 0, 1, 2, 3, 4, 5 };
        const ssl_image z = ssl_image_u8(row, 1, 1, 6), w = ssl_image_u8(a, 1, 1, 2);
        bad = !ssl_image_crop(&z, 0, -4, 1, &w) || a[0] != 4 || a[1] != 3 || !ssl_image_crop(&z, 0, 8, 1, &w) || a[0] != 2 || a[1] != 1;
        check(!bad, "image: a window of nothing but mirrored columns", bad);
    }
}

/* ---- files ---- */
static char root[512];
static const char *in_root(const char *name)
{
    static char path[4][1024];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", root, name);
    return path[turn];
}
static const char *spec(const char *format, const char *name)
{
    static char text[1200];
    snprintf(text, sizeof text, "%s:%s", format, in_root(name));
    return text;
}
static void folder(const char *name) { mkdir(in_root(name), 0777); }
static void file(const char *name, const void *data, size_t n)
{
    FILE *f = fopen(in_root(name), "wb");
    if (!f || (n && fwrite(data, n, 1, f) != 1)) { printf("cannot write %s\n", in_root(name)); exit(2); }
    fclose(f);
}
static void text_file(const char *name, const char *text) { file(name, text, strlen(text)); }

/* 24-bit BMP of one colour, side x side */
static size_t bmp(uint8_t *p, int side, int r, int g, int b)
{
    const int row = (3 * side + 3) / 4 * 4;
    const uint32_t size = (uint32_t)(54 + row * side);
    int i, j;
    memset(p, 0, size);
    p[0] = 'B'; p[1] = 'M';
    for (i = 0; i < 4; i++) p[2 + i] = (uint8_t)(size >> 8 * i);
    p[10] = 54; p[14] = 40; p[26] = 1; p[28] = 24;
    p[18] = p[22] = (uint8_t)side;
    for (i = 0; i < side; i++)
        for (j = 0; j < side; j++) {
            uint8_t *q = p + 54 + i * row + 3 * j;
            q[0] = (uint8_t)b; q[1] = (uint8_t)g; q[2] = (uint8_t)r;
        }
    return size;
}
static void picture(const char *name, int side, int r, int g, int b)
{
    uint8_t p[4096];
    file(name, p, bmp(p, side, r, g, b));
}

static ssl_dataset *open_split(ssl_ctx *c, const char *what, const char *split)
{
    ssl_dataset_desc d = SSL_ZERO;
    d.split = split;
    return ssl_dataset_open_desc(c, what, &d);
}
static void refuse(const char *what, const char *spec_text, const char *split, const char *word1, const char *word2)
{
    ssl_ctx *c = open_quiet(1);
    ssl_dataset *d = open_split(c, spec_text, split);
    ssl_batch b;
    ssl_loader *l = ssl_loader_open(d, NULL);
    check(d->n == 0 && !d->images && !ssl_loader_next(l, &b), what, d->n);
    check_error(c, what, word1, word2);
}

static uint8_t level(int image, int k, int y, int x) { return (uint8_t)(image * 37 + k * 11 + y * 7 + x * 3); }

static void test_cifar(void)
{
    static uint8_t record[5 * 3074];
    char name[64];
    int i, j, bad = 0;
    ssl_ctx *c;
    ssl_dataset *d;
    folder("cifar"); folder("cifar/cifar-10-batches-bin"); folder("cifar100");
    for (i = 0; i < 6; i++) { /* 3 records a file, labels 0 1 2 .. */
        for (j = 0; j < 3 * 3073; j++) record[j] = j % 3073 == 0 ? (uint8_t)((3 * i + j / 3073) % 10) : level(3 * i + j / 3073, (j % 3073 - 1) / 1024, (j % 3073 - 1) % 1024 / 32, (j % 3073 - 1) % 32);
        snprintf(name, sizeof name, i < 5 ? "cifar/cifar-10-batches-bin/data_batch_%d.bin" : "cifar/cifar-10-batches-bin/test_batch.bin", i + 1);
        file(name, record, 3 * 3073);
    }
    text_file("cifar/cifar-10-batches-bin/batches.meta.txt", "airplane\nautomobile\nbird\n");
    c = open_quiet(2);
    d = ssl_dataset_open(c, spec("cifar10", "cifar"));
    for (i = 0; i < d->n; i++) bad += d->labels[i] != i % 10;
    for (i = 0; i < d->n * 3072; i++) bad += d->images[i] != level(i / 3072, i % 3072 / 1024, i % 1024 / 32, i % 32);
    check(d->n == 15 && d->c == 3 && d->h == 32 && d->w == 32 && d->n_classes == 10 && !bad, "cifar10 train", bad);
    check(!strcmp(ssl_dataset_class(d, 1), "automobile") && !strcmp(ssl_dataset_class(d, 3), "3") && !strcmp(ssl_dataset_class(d, 10), "-"), "class names", 0);
    d = open_split(c, spec("cifar10", "cifar/cifar-10-batches-bin"), "test");
    check(d->n == 3 && d->labels[0] == 5 && d->images[0] == level(15, 0, 0, 0), "cifar10 test", d->n);
    for (i = 0; i < 2 * 3074; i++) record[i] = (uint8_t)(i % 3074 == 1 ? 99 - i / 3074 : 7);
    file("cifar100/train.bin", record, 2 * 3074);
    d = ssl_dataset_open(c, spec("cifar100", "cifar100"));
    check(d->n == 2 && d->n_classes == 100 && d->labels[0] == 99 && d->labels[1] == 98, "cifar100", d->n);
    check(ssl_close(c) == 0, "cifar without errors", n_errors);

    file("cifar100/test.bin", record, 3000);
    refuse("cifar100 truncated", spec("cifar100", "cifar100"), "test", "test.bin' has 3000 bytes", "3074");
    file("cifar100/test.bin", record, 0);
    refuse("cifar100 empty file", spec("cifar100", "cifar100"), "test", "has 0 bytes", "truncated");
    record[1] = 100;
    file("cifar100/test.bin", record, 3074);
    refuse("cifar100 label", spec("cifar100", "cifar100"), "test", "label 100", "0..99");
    refuse("cifar100 split", spec("cifar100", "cifar100"), "unlabeled", "unlabeled", "use train or test");
    remove(in_root("cifar/cifar-10-batches-bin/data_batch_4.bin"));
    refuse("cifar10 missing batch", spec("cifar10", "cifar"), "train", "data_batch_4.bin", "no file");
    refuse("cifar10 wrong folder", spec("cifar10", "nowhere"), "train", "no folder", "nowhere");
}

static void test_stl(void)
{
    static uint8_t x[3 * 27648], y[3] = { 1, 10, 5 };
    int i, bad = 0;
    ssl_ctx *c = open_quiet(1);
    ssl_dataset *d;
    folder("stl");
    for (i = 0; i < 3 * 27648; i++) x[i] = level(i / 27648, i % 27648 / 9216, i % 96, i % 9216 / 96); /* column after column */
    file("stl/train_X.bin", x, sizeof x);
    file("stl/train_y.bin", y, 3);
    file("stl/unlabeled_X.bin", x, sizeof x);
    d = ssl_dataset_open(c, spec("stl10", "stl"));
    for (i = 0; i < d->n * 27648; i++) bad += d->images[i] != level(i / 27648, i % 27648 / 9216, i % 9216 / 96, i % 96);
    check(d->n == 3 && d->h == 96 && d->labels[0] == 0 && d->labels[1] == 9 && !bad, "stl10 train", bad);
    d = open_split(c, spec("stl10", "stl"), "unlabeled");
    check(d->n == 3 && d->labels[2] == -1 && d->n_classes == 0, "stl10 unlabeled", d->n);
    check(ssl_close(c) == 0, "stl10 without errors", n_errors);
    y[1] = 0;
    file("stl/train_y.bin", y, 3);
    refuse("stl10 label", spec("stl10", "stl"), "train", "label 0 in record 1", "1..10");
    file("stl/train_y.bin", y, 2);
    refuse("stl10 label count", spec("stl10", "stl"), "train", "2 labels for 3 images", "train_y.bin");
    refuse("stl10 no test", spec("stl10", "stl"), "test", "test_X.bin", "no file");
}

static void test_idx(void)
{
    uint8_t x[16 + 4 * 28 * 20] = { 0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 28, 0, 0, 0, 20 }, y[12] = { 0, 0, 8, 1, 0, 0, 0, 4, 3, 0, 9, 1 };
    ssl_dataset_desc dd = SSL_ZERO;
    ssl_ctx *c = open_quiet(1);
    ssl_dataset *d;
    int i;
    for (i = 16; i < (int)sizeof x; i++) x[i] = (uint8_t)i;
    folder("idx"); folder("idx/MNIST"); folder("idx/MNIST/raw");
    file("idx/MNIST/raw/train-images-idx3-ubyte", x, sizeof x);
    file("idx/MNIST/raw/train-labels-idx1-ubyte", y, sizeof y);
    d = ssl_dataset_open(c, spec("idx", "idx"));
    check(d->n == 4 && d->c == 1 && d->h == 28 && d->w == 20 && d->labels[2] == 9 && d->n_classes == 10 && !memcmp(d->images, x + 16, sizeof x - 16), "idx", d->n);
    dd.image_size = 16;
    d = ssl_dataset_open_desc(c, spec("idx", "idx"), &dd);
    check(d->n == 4 && d->h == 16 && d->w == 16, "idx resized", d->h);
    check(ssl_close(c) == 0, "idx without errors", n_errors);
    text_file("idx/t10k-images-idx3-ubyte.gz", "packed");
    refuse("idx packed", spec("idx", "idx"), "test", "gunzip", "t10k-images");
    file("idx/MNIST/raw/train-labels-idx1-ubyte", y, 10);
    refuse("idx truncated labels", spec("idx", "idx"), "train", "has 10 bytes, its header promises 12", "truncated");
    x[4] = 0x7f;
    file("idx/MNIST/raw/train-images-idx3-ubyte", x, sizeof x);
    refuse("idx hostile count", spec("idx", "idx"), "train", "header promises", "truncated");
    x[4] = 0; x[8] = 0xff;
    file("idx/MNIST/raw/train-images-idx3-ubyte", x, sizeof x);
    refuse("idx hostile size", spec("idx", "idx"), "train", "4278190108 x 20", "possible");
    file("idx/MNIST/raw/train-images-idx3-ubyte", x, 3);
    refuse("idx short header", spec("idx", "idx"), "train", "not an IDX file", "train-images");
}

static void test_folder(void)
{
    uint8_t p[4096];
    size_t n;
    ssl_dataset_desc dd = SSL_ZERO;
    ssl_ctx *c = open_quiet(2);
    ssl_dataset *d;
    folder("set"); folder("set/train"); folder("set/train/b"); folder("set/train/b/deep"); folder("set/train/a"); folder("set/val"); folder("set/val/a");
    picture("set/train/b/deep/red.BMP", 12, 250, 0, 0);
    picture("set/train/b/green.bmp", 24, 0, 200, 0);
    file("set/train/a/gray.jpeg", file_gray_jpeg, sizeof file_gray_jpeg);
    file("set/train/a/x.png", file_png, sizeof file_png);
    file("set/train/a/zero.png", "", 0);
    text_file("set/train/a/text.jpg", "this is no picture");
    text_file("set/train/a/readme.txt", "and this no file of the set");
    file("set/train/a/cut.jpg", file_gray_jpeg, sizeof file_gray_jpeg - 20);
    n = bmp(p, 12, 1, 2, 3);
    file("set/train/a/cut.bmp", p, n - 100);
    p[18] = p[19] = p[20] = p[22] = p[23] = p[24] = 0xff; /* 16777215 x 16777215 */
    file("set/train/a/huge.bmp", p, n);
    picture("set/val/a/blue.bmp", 9, 0, 0, 100);
    if (!SSL__HAS_STBI) {
        ssl_close(c);
        refuse("folder without stb_image", spec("folder", "set"), "train", "built without stb_image", "SSL_STB_IMAGE");
        return;
    }
    dd.image_size = 12;
    d = ssl_dataset_open_desc(c, spec("folder", "set"), &dd);
    check(d->n == 4 && d->n_broken == 5 && d->n_classes == 2 && !strcmp(ssl_dataset_class(d, 1), "b"), "folder: broken files are counted and left out", d->n_broken);
    check(d->n == 4 && d->labels[0] == 0 && d->labels[3] == 1, "folder labels", d->n);
    check(d->n == 4 && d->images[2 * 432] == 250 && d->images[3 * 432 + 144] == 200 && d->images[3 * 432] == 0, "folder pixels", d->images[2 * 432]);
    check(d->images[0] == d->images[144] && d->images[143] > 240, "folder: one component is expanded", d->images[143]);
    dd.split = "test";
    dd.image_size = 0;
    d = ssl_dataset_open_desc(c, spec("folder", "set"), &dd);
    check(d->n == 1 && d->h == 9 && d->images[2 * 81] == 100, "folder: val stands in for test, size of the first file", d->h);
    d = ssl_dataset_open(c, spec("folder", "set/train/b"));
    check(d->n == 2 && d->labels[0] == 0 && d->labels[1] == -1 && d->h == 12, "folder: pictures without class", d->n);
    check(ssl_close(c) == 0, "folder without errors", n_errors);

    folder("bare"); folder("bare/class"); folder("broken"); folder("broken/class");
    text_file("broken/class/a.png", "\x89PNG\r\n\x1a\n garbage");
    refuse("folder without pictures", spec("folder", "bare"), "train", "no .jpg, .jpeg, .png or .bmp", "DIR/CLASS");
    refuse("folder with broken ones only", spec("folder", "broken"), "train", "none of its 1 picture", "a.png");
    refuse("folder split", spec("folder", "set"), "unlabeled", "no folder", "set/unlabeled");
    refuse("folder missing", spec("folder", "nothing"), "train", "no folder", "nothing");
    refuse("folder is a file", spec("folder", "stl/train_X.bin"), "train", "no folder", "train_X.bin");
}

static void test_tiny_imagenet(void)
{
    ssl_ctx *c = open_quiet(1);
    ssl_dataset *d;
    if (!SSL__HAS_STBI) { ssl_close(c); skip("tiny-imagenet", "built without stb_image"); return; }
    folder("tiny"); folder("tiny/train"); folder("tiny/train/n2"); folder("tiny/train/n2/images"); folder("tiny/train/n1"); folder("tiny/train/n1/images");
    folder("tiny/val"); folder("tiny/val/images");
    text_file("tiny/wnids.txt", "n2\nn1\n");
    text_file("tiny/words.txt", "n1\tgoldfish, Carassius auratus\nn3\tother\n");
    file("tiny/train/n2/images/n2_0.JPEG", file_gray_jpeg, sizeof file_gray_jpeg);
    file("tiny/train/n1/images/n1_0.JPEG", file_gray_jpeg, sizeof file_gray_jpeg);
    file("tiny/val/images/val_7.JPEG", file_gray_jpeg, sizeof file_gray_jpeg);
    text_file("tiny/val/val_annotations.txt", "val_7.JPEG\tn2\t0\t0\t7\t7\n");
    d = ssl_dataset_open(c, spec("tiny-imagenet", "tiny"));
    check(d->n == 2 && d->labels[0] == 0 && d->labels[1] == 1 && !strcmp(ssl_dataset_class(d, 0), "goldfish") && !strcmp(ssl_dataset_class(d, 1), "n2"), "tiny-imagenet train", d->n);
    d = open_split(c, spec("tiny-imagenet", "tiny"), "val");
    check(d->n == 1 && d->labels[0] == 1, "tiny-imagenet val", d->n);
    check(ssl_close(c) == 0, "tiny-imagenet without errors", n_errors);
    text_file("tiny/val/val_annotations.txt", "val_7.JPEG\tn2\nval_8.JPEG\tn9\n");
    refuse("tiny-imagenet annotation", spec("tiny-imagenet", "tiny"), "val", "line 2", "val_annotations.txt");
    text_file("tiny/val/val_annotations.txt", "../../../secret\tn2\n");
    refuse("tiny-imagenet path", spec("tiny-imagenet", "tiny"), "val", "line 1", "path");
    text_file("tiny/wnids.txt", "n2\nn1\nn2\n");
    refuse("tiny-imagenet class twice", spec("tiny-imagenet", "tiny"), "train", "names n2 twice", "wnids.txt");
    folder("set"); /* another test's, which may not have run */
    refuse("tiny-imagenet layout", spec("tiny-imagenet", "set"), "train", "wnids.txt", "layout");
}

static void test_hostile_pictures(void) /* what some versions of stb_image refuse without a reason, or write beyond their tables for */
{
    static const uint8_t codes[5] = { 255, 196, 0, 19, 0 }; /* a Huffman table of 16 times 255 symbols */
    uint8_t jpeg[sizeof file_gray_jpeg + 21];
    static const uint8_t png[60] = { 0x89, 'P', 'N', 'G', 13, 10, 26, 10, 0, 0, 0, 13, 'I', 'H', 'D', 'R', 0, 0, 0, 8, 0, 0, 0, 8, 8, 2 };
    ssl_ctx *c = open_quiet(1);
    const char *why = NULL;
    ssl_dataset *d;
    int h, w;
    if (!SSL__HAS_STBI) { ssl_close(c); skip("hostile pictures", "built without stb_image"); return; }
    memcpy(jpeg, file_gray_jpeg, 2);
    memcpy(jpeg + 2, codes, 5);
    memset(jpeg + 7, 255, 16);
    memcpy(jpeg + 23, file_gray_jpeg + 2, sizeof file_gray_jpeg - 2);
    folder("chunk"); folder("chunk/a");
    file("chunk/a/bad.png", png, sizeof png);
    picture("chunk/a/good.bmp", 8, 1, 2, 3);
    check(!ssl_image_file_load(in_root("chunk/a/bad.png"), &h, &w, &why) && why && *why, "a PNG with a chunk without a name", 0);
    file("chunk/a/codes.jpg", jpeg, sizeof jpeg);
    check(!ssl_image_file_load(in_root("chunk/a/codes.jpg"), &h, &w, &why) && strstr(why, "256 symbols"), "a JPEG with a Huffman table that is too long", 0);
    d = ssl_dataset_open(c, spec("folder", "chunk"));
    check(d->n == 1 && d->n_broken == 2, "broken pictures are left out", d->n);
    check(ssl_close(c) == 0, "hostile pictures without errors", n_errors);
}

static void test_dataset_desc(void)
{
    static char deep[6000] = "folder:";
    ssl_dataset_desc dd = SSL_ZERO;
    ssl_ctx *c;
    refuse("unknown set", "imagenet:/x", "train", "unknown data set", "tiny-imagenet:DIR");
    refuse("empty spec", "", "train", "unknown data set", "synthetic");
    refuse("no folder given", "cifar10", "train", "cifar10:DIR", "must follow");
    refuse("count", "synthetic:none", "train", "number after synthetic", "1 to");
    refuse("count and more", "synthetic:12k", "train", "number after synthetic", "nothing behind");
    refuse("split", "synthetic", "training", "split \"training\"", "train, test");
    memset(deep + 7, 'x', 5000);
    refuse("long path", deep, "train", "no folder", "xxx");
    c = open_quiet(1); dd.image_size = -4; ssl_dataset_open_desc(c, "synthetic", &dd); check_error(c, "image_size", "image_size -4", "8 to");
    c = open_quiet(1); dd.image_size = 0; dd.limit_images = -1; ssl_dataset_open_desc(c, "synthetic", &dd); check_error(c, "limit_images", "limit_images -1", "negative");
    c = open_quiet(1); memset(&dd, 0xcc, sizeof dd); ssl_dataset_open_desc(c, "synthetic", &dd); check_error(c, "canary", "not initialized", "SSL_ZERO");
}

/* ---- synthetic ---- */
static void test_synthetic(void)
{
    ssl_ctx *c = open_quiet(1), *c2 = open_quiet(3);
    ssl_dataset *a = ssl_dataset_open(c, "synthetic:200"), *b = ssl_dataset_open(c2, "synthetic:200"), *t = open_split(c, "synthetic:200", "test"), *s;
    ssl_dataset_desc dd = SSL_ZERO;
    int count[10] = { 0 }, i, j, same = 0, bad = 0;
    check(a->n == 200 && a->n_classes == 10 && a->h == 32 && !memcmp(a->images, b->images, 200 * 3072), "synthetic: same bits for any threads", a->n);
    for (i = 0; i < 200; i++) count[a->labels[i]]++;
    for (i = 0; i < 10; i++) bad += count[i] != 20;
    check(!bad, "synthetic: classes balanced", bad);
    for (i = 0; i < 200; i++) for (j = 0; j < 200; j++) same += !memcmp(a->images + i * 3072, t->images + j * 3072, 3072);
    check(!same, "synthetic: train and test apart", same);
    dd.labels_per_class = 3;
    dd.image_size = 24;
    s = ssl_dataset_open_desc(c, "synthetic:200", &dd);
    memset(count, 0, sizeof count);
    for (i = 0; i < s->n; i++) count[s->labels[i]]++;
    for (i = 0; i < 10; i++) bad += count[i] != 3;
    check(s->n == 30 && s->w == 24 && !bad, "labels_per_class", s->n);
    memset(&dd, 0, sizeof dd);
    dd.limit_images = 50;
    dd.seed = 1;
    s = ssl_dataset_open_desc(c, "synthetic:200", &dd);
    for (i = 0, same = 0; i < s->n; i++) for (j = 0; j < 200; j++) same += !memcmp(s->images + i * 3072, a->images + j * 3072, 3072) && s->labels[i] == a->labels[j];
    check(s->n == 50 && same == 50, "limit_images takes images of the whole set", same);
    check(fabsf(a->mean[0] - 0.4f) < 0.15f && a->std_dev[1] > 0.1f && a->std_dev[1] < 0.35f, "synthetic: mean and deviation", a->mean[0]);
    ssl_close(c);
    ssl_close(c2);
}

/* ---- augmentation ---- */
static void test_augment_faults(void)
{
    ssl_augment_desc d = SSL_ZERO, r = SSL_ZERO;
    ssl_ctx *c;
    int i;
    static const char *const presets[6] = { "none", "eval", "mae", "crop", "apl", "simclr" };
    for (i = 0; i < 6; i++) {
        c = open_quiet(1);
        check(ssl_augment_preset(presets[i], &d) && ssl_augment_resolve(c, &d, 3, 32, 32, &r) && r.scale[1] == 1.0f, presets[i], i);
        ssl_close(c);
    }
    check(!ssl_augment_preset("magic", &d), "unknown preset", 0);
    memset(&d, 0, sizeof d);
#define FAULT(field, value, bad, word) d.field = bad; c = open_quiet(1); check(!ssl_augment_resolve(c, &d, 3, 32, 32, &r), word, 0); check_error(c, word, word, "[3,32,32]"); d.field = value
    FAULT(hflip, 0.0f, 1.5f, "hflip");
    FAULT(hue, 0.0f, 0.7f, "hue");
    FAULT(pad, 0, 32, "pad");
    FAULT(scale[0], 0.0f, -0.5f, "scale");
    FAULT(ratio[1], 0.0f, -1.0f, "ratio");
    FAULT(brightness, 0.0f, -1.0f, "brightness");
    FAULT(std_dev[0], 0.0f, 1.0f, "std_dev");
    FAULT(size, 0, 5000, "size");
    d.blur_p = 0.5f;
    FAULT(blur_kernel, 0, 8, "blur_kernel");
    FAULT(blur_kernel, 0, 65, "blur_kernel");
    d.pad_black = 1;
    FAULT(pad, 0, INT32_MAX, "pad");
#undef FAULT
    memset(&d, 0, sizeof d);
    for (i = 0; i < 4; i++) {
        c = open_quiet(1);
        check(!ssl_augment_resolve(c, &d, i == 0 ? 2 : i == 1 ? 100 : 3, i == 2 ? 0 : 8, i == 3 ? -1 : 8, &r), "no such images", i);
        check_error(c, "no such images", "1 or 3 channels", i == 0 ? "[2,8,8]" : i == 1 ? "[100,8,8]" : i == 2 ? "[3,0,8]" : "[3,8,-1]");
    }
    c = open_quiet(1); memset(&d, 0xcc, sizeof d); ssl_augment_resolve(c, &d, 3, 32, 32, &r); check_error(c, "augment canary", "not initialized", "SSL_ZERO");
}

static void test_augment_ranges(void)
{
    ssl_ctx *c = open_quiet(1);
    ssl_dataset *data = ssl_dataset_open(c, "synthetic:10");
    ssl_augment_desc d = SSL_ZERO, pad = SSL_ZERO;
    ssl_view_box box, other;
    float tmp[2 * 3072], y[3072];
    ssl_image x = ssl_dataset_image(data, 0), v = ssl_image_f32(y, 3, 32, 32);
    int i, bad = 0, flips = 0;
    double area = 0.0;
    d.crop = SSL_CROP_RESIZED;
    d.hflip = 0.25f;
    d.no_normalize = d.shared_flip = 1;
    pad.crop = SSL_CROP_PADDED;
    pad.no_normalize = 1;
    ssl_augment_resolve(c, &d, 3, 32, 32, &d);
    ssl_augment_resolve(c, &pad, 3, 32, 32, &pad);
    for (i = 0; i < 2000; i++) {
        ssl_augment(&d, &x, 1, i, 0, 0, tmp, &v, &box);
        ssl_augment(&d, &x, 1, i, 0, 1, tmp, &v, &other);
        bad += box.y0 < 0 || box.x0 < 0 || box.y1 > 32 || box.x1 > 32 || box.y1 <= box.y0 || box.x1 <= box.x0 || box.hflip != other.hflip;
        area += (box.y1 - box.y0) * (box.x1 - box.x0) / 1024.0 / 2000.0;
        flips += box.hflip;
        ssl_augment(&pad, &x, 1, i, 0, 0, tmp, &v, &box);
        bad += box.y0 < -4 || box.y0 > 4 || box.y1 - box.y0 != 32 || box.x1 - box.x0 != 32;
    }
    check(!bad, "augment: boxes and shared flips", bad);
    check(fabs(area - 0.5) < 0.06, "augment: mean area of resized crops", area);
    check(abs(flips - 500) < 80, "augment: share of flips", flips);
    memset(&d, 0, sizeof d);
    d.brightness = d.contrast = d.saturation = 3.0f; d.hue = 0.5f; d.blur_p = 0.5f; d.solarize_p = 0.5f; d.grayscale_p = 0.3f; d.vflip = 0.5f; d.no_normalize = 1;
    ssl_augment_resolve(c, &d, 3, 32, 32, &d);
    for (i = 0; i < 300; i++) {
        int j;
        ssl_augment(&d, &x, 2, i, 3, 0, tmp, &v, NULL);
        for (j = 0; j < 3072; j++) bad += !(y[j] >= -1e-6f && y[j] <= 1.000001f);
    }
    check(!bad, "augment: strong settings stay in 0..1", bad);
    check(ssl_close(c) == 0, "augment without errors", 0);
}

/* ---- loader ---- */
static uint64_t hash(uint64_t h, const void *data, size_t n)
{
    const uint8_t *p = (const uint8_t *)data;
    while (n--) h = (h ^ *p++) * 1099511628211u;
    return h;
}

/* Hash of all batches from (epoch, step) on, of two views of unequal size. */
static uint64_t run_loader(int threads, int prefetch, int epoch, int step, int seek)
{
    ssl_ctx *c = open_quiet(1);
    ssl_augment_desc a[2];
    ssl_loader_desc d = SSL_ZERO;
    ssl_loader *l;
    ssl_batch b;
    uint64_t h = 14695981039346656037u;
    ssl_augment_preset("simclr", &a[0]);
    ssl_augment_preset("apl", &a[1]);
    a[1].size = 20;
    d.batch = 24; d.epochs = 3; d.keep_last = 1; d.n_views = d.n_augment = 2; d.augment = a; d.threads = threads; d.prefetch = prefetch;
    l = ssl_loader_open(ssl_dataset_open(c, "synthetic:100"), &d);
    if (seek) { ssl_loader_next(l, &b); ssl_loader_seek(l, epoch, step); }
    while (ssl_loader_next(l, &b)) {
        if (b.epoch < epoch || (b.epoch == epoch && b.step < step)) continue;
        h = hash(h, b.views[0]->x, sizeof(float) * (size_t)ssl_numel(b.views[0]));
        h = hash(h, b.views[1]->x, sizeof(float) * (size_t)ssl_numel(b.views[1]));
        h = hash(hash(h, b.indices, sizeof *b.indices * (size_t)b.n), b.boxes, sizeof *b.boxes * 2 * (size_t)b.n);
    }
    ssl_close(c);
    return h;
}

static void test_loader_bits(void)
{
    const uint64_t all = run_loader(1, 2, 0, 0, 0), tail = run_loader(1, 4, 1, 3, 0);
    check(all == run_loader(3, 4, 0, 0, 0) && all == run_loader(2, 9, 0, 0, 0), "loader: same bits for any threads and prefetch", 0);
    check(tail == run_loader(3, 3, 1, 3, 1) && tail == run_loader(1, 2, 1, 3, 1), "loader: a seek continues bit for bit", 0);
    check(all != tail, "loader: epochs differ", 0);
}

static void test_loader_batches(void)
{
    ssl_ctx *c = open_quiet(1);
    ssl_dataset *data = ssl_dataset_open(c, "synthetic:100");
    ssl_loader_desc d = SSL_ZERO;
    ssl_loader *l;
    ssl_batch b;
    int seen[100] = { 0 }, order[2][100], i, k = 0, bad = 0, n_batches = 0;
    uint64_t allocs = 0;
    double sum = 0.0, squares = 0.0;
    d.batch = 30; d.epochs = 2; d.keep_last = 1;
    l = ssl_loader_open(data, &d);
    while (ssl_loader_next(l, &b)) {
        if (!n_batches++) allocs = ssl_memory_stats(c).n_allocs;
        for (i = 0; i < b.n; i++) {
            seen[b.indices[i]]++;
            order[k / 100][k % 100] = b.indices[i];
            k++;
            bad += b.label[i] != data->labels[b.indices[i]] || b.labels->i[i] != b.label[i];
        }
        for (i = 0; i < b.n * 3072; i++) { sum += (double)b.images->x[i]; squares += (double)b.images->x[i] * (double)b.images->x[i]; }
        bad += b.images->dim[0] != b.n || b.images->dim[1] != 3 || b.images->dim[3] != 32 || b.n != (b.step == 3 ? 10 : 30) || b.epoch != (n_batches - 1) / 4;
    }
    for (i = 0; i < 100; i++) bad += seen[i] != 2;
    check(!bad && n_batches == 8 && ssl_loader_steps(l) == 4, "loader: every image once an epoch", bad);
    check(memcmp(order[0], order[1], sizeof order[0]) != 0, "loader: a new order every epoch", 0);
    check(ssl_memory_stats(c).n_allocs == allocs, "loader: no allocation after the first batch", (double)(ssl_memory_stats(c).n_allocs - allocs));
    check(fabs(sum / 614400.0) < 1e-3 && fabs(squares / 614400.0 - 1.0) < 1e-3, "loader: normalized by the set's mean and deviation", sum / 614400.0);
    check(!ssl_loader_next(l, &b) && !b.images, "loader: stays at the end", 0);
    ssl_loader_close(l);
    d.keep_last = 0; d.no_shuffle = 1; d.epochs = 1;
    l = ssl_loader_open(data, &d);
    for (k = 0, n_batches = 0; ssl_loader_next(l, &b); n_batches++) for (i = 0; i < b.n; i++) bad += b.indices[i] != k++;
    check(!bad && n_batches == 3, "loader: in order, without the smaller last batch", n_batches);
    ssl_loader_seek(l, 0, 1);
    ssl_loader_next(l, &b); /* closed with batches in the making */
    check(b.step == 1 && b.indices[0] == 30, "loader: seek after the end", b.step);
    check(ssl_close(c) == 0, "loader without errors", n_errors);
}

static void test_loader_faults(void)
{
    ssl_loader_desc d = SSL_ZERO;
    ssl_augment_desc a[3];
    ssl_batch b;
    ssl_ctx *c = open_quiet(1);
    ssl_loader *l;
    d.batch = 11;
    l = ssl_loader_open(ssl_dataset_open(c, "synthetic:10"), &d);
    check(!ssl_loader_next(l, &b), "loader after an error", 0);
    check_error(c, "batch larger than the set", "batch 11", "10 images");
    c = open_quiet(1); d.batch = -1; ssl_loader_open(ssl_dataset_open(c, "synthetic:10"), &d); check_error(c, "negative batch", "batch -1", "positive");
    c = open_quiet(1); d.batch = 5; d.n_views = 99; ssl_loader_open(ssl_dataset_open(c, "synthetic:10"), &d); check_error(c, "too many views", "n_views 99", "1..16");
    memset(a, 0, sizeof a);
    c = open_quiet(1); d.n_views = 2; d.augment = a; d.n_augment = 3; ssl_loader_open(ssl_dataset_open(c, "synthetic:10"), &d); check_error(c, "n_augment", "n_augment 3", "n_views 2");
    c = open_quiet(1); d.n_augment = 1; a[0].hflip = 2.0f; ssl_loader_open(ssl_dataset_open(c, "synthetic:10"), &d); check_error(c, "augment in a loader", "hflip", "0..1");
    c = open_quiet(1); memset(&d, 0xcc, sizeof d); ssl_loader_open(ssl_dataset_open(c, "synthetic:10"), &d); check_error(c, "loader canary", "not initialized", "SSL_ZERO");
    memset(&d, 0, sizeof d);
    d.batch = INT32_MAX; d.keep_last = 1;
    c = open_quiet(1);
    l = ssl_loader_open(ssl_dataset_open(c, "synthetic:10"), &d);
    check(ssl_loader_steps(l) == 1 && ssl_loader_next(l, &b) && b.n == 10 && !ssl_loader_next(l, &b), "a batch larger than the set with keep_last", b.n);
    check(ssl_close(c) == 0, "a batch larger than the set", n_errors);
    check(!ssl_loader_open(NULL, NULL) && !ssl_loader_next(NULL, &b) && ssl_loader_steps(NULL) == 0, "loader of nothing", 0);
    ssl_loader_seek(NULL, 0, 0);
    ssl_loader_close(NULL);
    ssl_dataset_close(NULL);
}

/* ---- real sets ---- */
static void test_real(void)
{
    const char *base = getenv("SSL_DATA") ? getenv("SSL_DATA") : "../shared/data";
    char path[1024], command[2400];
    ssl_ctx *c;
    ssl_dataset *d;
    double t;
    snprintf(path, sizeof path, "%.900s/cifar10-mini.tar.gz", base);
    if (!SSL__HAS_STBI) { skip("real images", "built without stb_image"); return; }
    if (access(path, R_OK)) { skip("real images", "no cifar10-mini.tar.gz in SSL_DATA or ../shared/data"); return; }
    snprintf(command, sizeof command, "tar -xzf '%s' -C '%s'", path, root);
    if (system(command)) { skip("real images", "tar failed"); return; }
    c = open_quiet(2);
    d = ssl_dataset_open(c, spec("folder", "cifar10-mini"));
    t = fabs((double)d->mean[0] - 0.4901) + fabs((double)d->mean[1] - 0.4822) + fabs((double)d->std_dev[2] - 0.2602);
    check(d->n == 1000 && d->n_classes == 10 && !strcmp(ssl_dataset_class(d, 9), "truck") && t < 3e-3, "cifar10-mini train", t);
    d = open_split(c, spec("folder", "cifar10-mini"), "test");
    check(d->n == 500 && d->h == 32 && d->n_broken == 0 && d->labels[499] == 9, "cifar10-mini test", d->n);
    check(ssl_close(c) == 0, "cifar10-mini without errors", n_errors);
}

typedef struct test { const char *name; void (*run)(void); } test;
int main(int argc, char **argv)
{
    static const test tests[] = {
        { "image_golden", test_image_golden }, { "image_exact", test_image_exact }, { "image_large", test_image_large }, { "image_refusals", test_image_refusals }, { "image_hostile", test_image_hostile },
        { "cifar", test_cifar }, { "stl", test_stl }, { "idx", test_idx }, { "folder", test_folder }, { "tiny_imagenet", test_tiny_imagenet }, { "hostile_pictures", test_hostile_pictures },
        { "dataset_desc", test_dataset_desc }, { "synthetic", test_synthetic }, { "augment_faults", test_augment_faults }, { "augment_ranges", test_augment_ranges },
        { "loader_bits", test_loader_bits }, { "loader_batches", test_loader_batches }, { "loader_faults", test_loader_faults }, { "real", test_real }
    };
    char command[600];
    size_t i;
    snprintf(root, sizeof root, "%.400s/ssl_test_data_%ld", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", (long)getpid());
    mkdir(root, 0777);
    for (i = 0; i < sizeof tests / sizeof *tests; i++) if (argc < 2 || strstr(tests[i].name, argv[1])) tests[i].run();
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    if (system(command)) printf("cannot remove %s\n", root);
    printf("%d passed, %d failed, %d skipped\n", n_passed, n_failed, n_skipped);
    return n_failed > 0;
}
