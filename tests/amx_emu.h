/* AMX's tiles in plain C, so that their packing and order can be tested on any machine with AVX-512 and AVX512_BF16:
 *
 *     cc -O2 -fopenmp -I. -include tests/amx_emu.h tests/test_gemm.c -o build/amx/test_gemm -lm && build/amx/test_gemm amx
 *
 * A tile has 16 rows of 64 bytes (Intel SDM, volume 1, chapter 18). What the instructions refuse, or leave to chance, ends the
 * program: no configuration, a tile that was released or never loaded, a second configuration without a release.
 */
#ifndef SSL_AMX_EMULATED
#define SSL_AMX_EMULATED 1
#ifndef _POSIX_C_SOURCE
#  define _POSIX_C_SOURCE 200809L
#endif
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct amx_tile { uint8_t row[16][64]; int loaded; } amx_tile;
static __thread struct { int ready, rows[8], bytes[8]; amx_tile tile[8]; } amx;

static inline void amx_need(int ok, const char *what)
{
    if (ok) return;
    fprintf(stderr, "amx_emu: %s\n", what);
    abort();
}
static inline amx_tile *amx_at(int t, int loaded)
{
    amx_need(amx.ready, "a tile is used without a configuration");
    amx_need(t >= 0 && t < 8 && amx.rows[t] > 0, "a tile that is not configured");
    amx_need(!loaded || amx.tile[t].loaded, "a tile is read that was never written");
    return &amx.tile[t];
}
static inline void amx_release(void) { memset(&amx, 0, sizeof amx); }
static inline void amx_config(const void *config) /* byte 0: palette; 16..: bytes of a row, 16 bits each; 48..: rows */
{
    const uint8_t *p = (const uint8_t *)config;
    int t;
    amx_need(!amx.ready, "a configuration where the last was not released");
    amx_need(p[0] == 1, "palette 1 is the only one");
    for (t = 0; t < 8; t++) {
        amx.bytes[t] = p[16 + 2 * t] | p[17 + 2 * t] << 8;
        amx.rows[t] = p[48 + t];
        amx_need(amx.rows[t] <= 16 && amx.bytes[t] <= 64 && amx.bytes[t] % 4 == 0 && !amx.rows[t] == !amx.bytes[t], "a tile larger than 16 x 64 bytes");
    }
    amx.ready = 1;
}
static inline void amx_zero(int t)
{
    amx_tile *a = amx_at(t, 0);
    memset(a->row, 0, sizeof a->row);
    a->loaded = 1;
}
static inline void amx_load(int t, const void *base, size_t stride)
{
    amx_tile *a = amx_at(t, 0);
    int r;
    amx_zero(t);
    for (r = 0; r < amx.rows[t]; r++) memcpy(a->row[r], (const char *)base + (size_t)r * stride, (size_t)amx.bytes[t]);
}
static inline void amx_store(int t, void *base, size_t stride)
{
    const amx_tile *a = amx_at(t, 1);
    int r;
    for (r = 0; r < amx.rows[t]; r++) memcpy((char *)base + (size_t)r * stride, a->row[r], (size_t)amx.bytes[t]);
}
static inline float amx_bf16(uint32_t bits)
{
    float f;
    bits <<= 16;
    memcpy(&f, &bits, 4);
    return f;
}
/* d[m][n] += sum_k a[m][2k] b[k][2n] + a[m][2k+1] b[k][2n+1]: the even and the odd products are summed apart, in float32 */
static inline void amx_dpbf16(int d, int a, int b)
{
    amx_tile *td = amx_at(d, 1);
    const amx_tile *ta = amx_at(a, 1), *tb = amx_at(b, 1);
    int m, n, k;
    amx_need(amx.rows[d] == amx.rows[a] && amx.bytes[d] == amx.bytes[b] && amx.rows[b] == amx.bytes[a] / 4, "tiles of a product that do not fit each other");
    for (m = 0; m < amx.rows[d]; m++) {
        float even[16] = { 0 }, odd[16] = { 0 }, sum[16];
        for (k = 0; k < amx.rows[b]; k++) {
            uint32_t x, y[16];
            memcpy(&x, ta->row[m] + 4 * k, 4);
            memcpy(y, tb->row[k], 64);
            for (n = 0; n < 16; n++) {
                even[n] += amx_bf16(x & 0xffffu) * amx_bf16(y[n] & 0xffffu);
                odd[n] += amx_bf16(x >> 16) * amx_bf16(y[n] >> 16);
            }
        }
        memcpy(sum, td->row[m], 64);
        for (n = 0; n < 16; n++) sum[n] += even[n] + odd[n];
        memcpy(td->row[m], sum, (size_t)amx.bytes[d]);
    }
}

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#define _tile_loadconfig(p)        amx_config(p)
#define _tile_release()            amx_release()
#define _tile_zero(t)              amx_zero(t)
#define _tile_loadd(t, p, s)       amx_load(t, p, s)
#define _tile_stored(t, p, s)      amx_store(t, p, s)
#define _tile_dpbf16ps(d, a, b)    amx_dpbf16(d, a, b)
#endif
