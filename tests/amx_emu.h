/* AMX's instructions on a machine without them, so that what the compiler made of the tiles can be run on any with AVX-512 and AVX512_BF16:
 *
 *     cc -O2 -fopenmp -I. -include tests/amx_emu.h tests/test_gemm.c -o build/amx/test_gemm -lm && build/amx/test_gemm amx
 *
 * The processor refuses each with SIGILL; the handler here does its work and goes on behind it. A tile has 16 rows of 64 bytes (Intel SDM,
 * volume 1, chapter 18; encodings in volume 2). What the instructions refuse, or leave to chance, ends the program: no configuration, a tile
 * that was released or never loaded, a second configuration without a release. Linux on x86-64.
 */
#ifndef SSL_AMX_EMULATED
#define SSL_AMX_EMULATED 1
#ifndef _GNU_SOURCE
#  define _GNU_SOURCE /* REG_RIP */
#endif
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

typedef struct amx_tile { uint8_t row[16][64]; int loaded; } amx_tile;
static __thread struct { int ready, rows[8], bytes[8]; amx_tile tile[8]; } amx;

static void amx_need(int ok, const char *what)
{
    if (ok) return;
    fprintf(stderr, "amx_emu: %s\n", what);
    abort();
}
static amx_tile *amx_at(int t, int loaded)
{
    amx_need(amx.ready, "a tile is used without a configuration");
    amx_need(t >= 0 && t < 8 && amx.rows[t] > 0, "a tile that is not configured");
    amx_need(!loaded || amx.tile[t].loaded, "a tile is read that was never written");
    return &amx.tile[t];
}
static void amx_config(const uint8_t *p) /* byte 0: palette; 16..: bytes of a row, 16 bits each; 48..: rows */
{
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
static void amx_zero(int t)
{
    amx_tile *a = amx_at(t, 0);
    memset(a->row, 0, sizeof a->row);
    a->loaded = 1;
}
static void amx_load(int t, const uint8_t *base, int64_t stride)
{
    amx_tile *a = amx_at(t, 0);
    int r;
    amx_zero(t);
    for (r = 0; r < amx.rows[t]; r++) memcpy(a->row[r], base + r * stride, (size_t)amx.bytes[t]);
}
static void amx_store(int t, uint8_t *base, int64_t stride)
{
    const amx_tile *a = amx_at(t, 1);
    int r;
    for (r = 0; r < amx.rows[t]; r++) memcpy(base + r * stride, a->row[r], (size_t)amx.bytes[t]);
}
static float amx_bf16(uint32_t bits)
{
    float f;
    bits <<= 16;
    memcpy(&f, &bits, 4);
    return f;
}
/* d[m][n] += sum_k a[m][2k] b[k][2n] + a[m][2k+1] b[k][2n+1]: the even and the odd products are summed apart, in float32 */
static void amx_dpbf16(int d, int a, int b)
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

/* ---- the instructions: C4, [R X B inverted, map 2], [W 0, a register inverted, L 0, prefix], opcode, ModRM, and what of an address follows */
static int64_t amx_register(const ucontext_t *u, int n) /* by the number of the encoding */
{
    static const int at[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
    return u->uc_mcontext.gregs[at[n]];
}
typedef struct amx_operand { int64_t base, stride; int length; } amx_operand; /* of memory: base + displacement, index times scale, bytes of the encoding */
static amx_operand amx_memory(const ucontext_t *u, const uint8_t *p) /* p: ModRM of the instruction */
{
    const int mod = p[0] >> 6, rm = p[0] & 7, x = p[-3] & 0x40 ? 0 : 8, b = p[-3] & 0x20 ? 0 : 8, sib = rm == 4;
    amx_operand o = { 0, 0, 1 + sib };
    int32_t disp = 0;
    if (sib && (p[1] >> 3 & 7) + x != 4) o.stride = amx_register(u, (p[1] >> 3 & 7) + x) * (1 << (p[1] >> 6));
    if (mod == 1) { o.base = (int8_t)p[o.length]; o.length += 1; }
    else if (mod == 2 || (sib ? p[1] & 7 : rm) == 5) { memcpy(&disp, p + o.length, 4); o.base = disp; o.length += 4; }
    if (mod == 0 && !sib && rm == 5) o.base += (int64_t)(intptr_t)(p + o.length); /* from the next instruction on */
    else if (mod != 0 || !sib || (p[1] & 7) != 5) o.base += amx_register(u, (sib ? p[1] & 7 : rm) + b);
    return o;
}
static void amx_illegal(int number, siginfo_t *info, void *context)
{
    ucontext_t *u = (ucontext_t *)context;
    const uint8_t *p = (const uint8_t *)(intptr_t)u->uc_mcontext.gregs[REG_RIP], *modrm = p + 4;
    const int prefix = p[2] & 3, in_memory = p[4] >> 6 != 3, t = p[4] >> 3 & 7, kind = p[3] << 4 | prefix; /* prefix: 0, 1 66, 2 F3, 3 F2 */
    const amx_operand o = in_memory ? amx_memory(u, modrm) : (amx_operand){ 0, 0, 1 };
    (void)number; (void)info;
    amx_need(p[0] == 0xc4 && (p[1] & 0x1f) == 2 && !(p[2] & 0x84), "an instruction that is none of AMX");
    if (kind == 0x490 && in_memory && t == 0) amx_config((const uint8_t *)(intptr_t)o.base);
    else if (kind == 0x490 && p[4] == 0xc0) memset(&amx, 0, sizeof amx);
    else if (kind == 0x493 && !in_memory) amx_zero(t);
    else if (kind == 0x4b3 && in_memory) amx_load(t, (const uint8_t *)(intptr_t)o.base, o.stride);
    else if (kind == 0x4b2 && in_memory) amx_store(t, (uint8_t *)(intptr_t)o.base, o.stride);
    else if (kind == 0x5c2 && !in_memory) amx_dpbf16(t, p[4] & 7, ~p[2] >> 3 & 7);
    else amx_need(0, "an instruction of AMX that is not known here");
    u->uc_mcontext.gregs[REG_RIP] += 4 + o.length;
}
__attribute__((constructor)) static void amx_begin_emulation(void)
{
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_sigaction = amx_illegal;
    a.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigemptyset(&a.sa_mask);
    sigaction(SIGILL, &a, NULL);
}
#endif
