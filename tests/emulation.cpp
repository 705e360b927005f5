/* The host emulation of CUDA itself: what the instructions compute, and that it catches what a GPU would punish.
 *
 *     c++ -std=c++17 -include tests/cuda_emu.h tests/emulation.cpp -o build/emu/emulation && build/emu/emulation
 *
 * Fragments are laid out here element by element, as the tables of the PTX ISA number them. */
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"

static float number(int i, int j) { return (float)((i * 7 + j * 13) % 17 - 8); } /* exact in bf16 and tf32, as are all sums */
static uint32_t word(float x) { uint32_t u; memcpy(&u, &x, 4); return u; }

/* ---- mma.sync ---- */
/* m16n8k8 .tf32: a_i is row groupID (+ 8 for i = 1, 3), column threadID_in_group (+ 4 for i >= 2); b_i is row threadID_in_group
   + 4 i, column groupID. m16n8k16 .bf16: a_i is row groupID (+ 8 for 2 <= i < 4, i >= 6), column 2 threadID_in_group + i & 1
   (+ 8 for i >= 4); b_i is row 2 threadID_in_group + i & 1 (+ 8 for i >= 2), column groupID. c_i is row groupID (+ 8 for i >= 2),
   column 2 threadID_in_group + i & 1. */
static void k_mma(int bf16, int broken, float *out)
{
    const int group = (int)threadIdx.x / 4, in_group = (int)threadIdx.x % 4;
    uint32_t a[4], b[2];
    float d[4] = { 1.0f, 1.0f, 1.0f, 1.0f };
    for (int r = 0; r < 4; r++) {
        const int i = 2 * r; /* the first of a word's two halves */
        const int row = bf16 ? group + (i >= 2 && i < 4 ? 8 : i >= 6 ? 8 : 0) : group + (r % 2 ? 8 : 0);
        const int col = bf16 ? 2 * in_group + (i >= 4 ? 8 : 0) : in_group + (r >= 2 ? 4 : 0);
        a[r] = bf16 ? ssl__to_bf16x2(number(row, col), number(row, col + 1)) : ssl__to_tf32(word(number(row, col)));
    }
    for (int r = 0; r < 2; r++) {
        const int row = bf16 ? 2 * in_group + 8 * r : in_group + 4 * r;
        b[r] = bf16 ? ssl__to_bf16x2(number(row, group + 40), number(row + 1, group + 40)) : ssl__to_tf32(word(number(row, group + 40)));
    }
    if (broken) { const uint32_t t = a[1]; a[1] = a[2]; a[2] = t; }
    if (bf16) ssl__mma_bf16(d, a, b);
    else ssl__mma_tf32(d, a, b);
    for (int i = 0; i < 4; i++) out[(group + (i >= 2 ? 8 : 0)) * 8 + 2 * in_group + (i & 1)] = d[i];
}
static int product_is_right(int bf16, int broken)
{
    float out[16 * 8];
    int right = 1;
    emu_launch(dim3(1), 32, 0, k_mma, bf16, broken, out);
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 8; j++) {
            float s = 1.0f;
            for (int p = 0; p < (bf16 ? 16 : 8); p++) s += number(i, p) * number(p, j + 40);
            right = right && out[i * 8 + j] == s;
        }
    return right;
}
static void test_mma()
{
    CHECK(product_is_right(0, 0));
    CHECK(product_is_right(1, 0));
    CHECK(!product_is_right(0, 1)); /* two registers of a exchanged */
    CHECK(!product_is_right(1, 1));
}
static void test_rounding()
{
    CHECK(ssl__to_bf16x2(1.0f, -2.0f) == (0x3f80u | 0xc000u << 16));
    CHECK(ssl__to_bf16x2(emu_float(0x3f808000u), emu_float(0x3f818000u)) == (0x3f80u | 0x3f82u << 16)); /* ties to even */
    CHECK((ssl__to_bf16x2(NAN, INFINITY) & 0x7f80u) == 0x7f80u && (ssl__to_bf16x2(NAN, INFINITY) & 0x7fu) != 0);
    CHECK(ssl__to_bf16x2(0.0f, INFINITY) == 0x7f80u << 16);
    CHECK(ssl__to_tf32(0x3f801000u) == 0x3f802000u && ssl__to_tf32(0x3f800fffu) == 0x3f800000u); /* ties away from zero */
}

/* ---- ldmatrix: thread 4 g + t holds the halves 2 t and 2 t + 1 of row g; .trans: of column g ---- */
static void k_ldmatrix(int trans, uint32_t *out)
{
    SSL__DYNAMIC(shared);
    uint16_t *const s = (uint16_t *)shared;
    uint32_t r[4];
    for (int e = (int)threadIdx.x; e < 4 * 64; e += 32) s[e] = (uint16_t)e;
    __syncwarp();
    if (trans) ssl__ldmatrix_x4_trans(r, s + 8 * threadIdx.x);
    else ssl__ldmatrix_x4(r, s + 8 * threadIdx.x);
    for (int q = 0; q < 4; q++) out[4 * threadIdx.x + (unsigned)q] = r[q];
}
static void test_ldmatrix()
{
    uint32_t out[2][128];
    int right = 1;
    for (int trans = 0; trans < 2; trans++) emu_launch(dim3(1), 32, 512, k_ldmatrix, trans, out[trans]);
    for (unsigned lane = 0; lane < 32; lane++)
        for (unsigned q = 0; q < 4; q++) {
            const unsigned g = lane / 4, t = lane % 4, first = 64 * q;
            right = right && out[0][4 * lane + q] == ((first + 8 * g + 2 * t) | (first + 8 * g + 2 * t + 1) << 16);
            right = right && out[1][4 * lane + q] == ((first + 8 * (2 * t) + g) | (first + 8 * (2 * t + 1) + g) << 16);
        }
    CHECK(right);
}

/* ---- cp.async: a pipeline of two groups; mode 1 waits for too few, mode 2 not at all, mode 3 lacks the barrier ---- */
static void k_copy(int mode, const float *in, float *out)
{
    SSL__DYNAMIC(shared);
    float *const s = (float *)shared;
    const int t = (int)threadIdx.x;
    ssl__cp_async4(s + t, in + t, 4);
    ssl__cp_async_commit();
    ssl__cp_async4(s + 64 + t, in, 0); /* zeros */
    ssl__cp_async_commit();
    if (mode == 0 || mode == 3) ssl__cp_async_wait<1>();
    if (mode == 1) ssl__cp_async_wait<2>();
    if (mode != 3) __syncthreads();
    out[t] = s[63 - t];
    __syncthreads();
    ssl__cp_async_wait<0>();
    __syncthreads();
    out[64 + t] = s[64 + (t + 1) % 64];
}
static int copies(int mode) /* how many of 64 values are right */
{
    float in[64], out[128];
    int n = 0, zeros = 0;
    for (int i = 0; i < 64; i++) in[i] = (float)(i + 1);
    emu_launch(dim3(1), 64, 512, k_copy, mode, in, out);
    for (int i = 0; i < 64; i++) { n += out[i] == in[63 - i]; zeros += out[64 + i] == 0.0f; }
    return zeros == 64 ? n : -1;
}
static void test_cp_async()
{
    CHECK(copies(0) == 64);
    CHECK(copies(1) == 0); /* what is in flight is not there */
    CHECK(copies(2) == 0);
    CHECK(copies(3) < 64); /* another thread's copy, without a barrier */
}

/* ---- what cannot go on ends the program with a sentence ---- */
static void k_part_of_a_warp(float *out) { if (threadIdx.x < 16) out[0] = __shfl_xor_sync(0xffffffffu, 1.0f, 1); }
static void k_two_barriers(float *out) { if (threadIdx.x < 32) __syncthreads(); else { out[0] = __shfl_xor_sync(0xffffffffu, 1.0f, 1); __syncthreads(); } }
static void k_crooked(float *) { uint32_t r[4]; SSL__DYNAMIC(shared); ssl__ldmatrix_x4(r, shared + 8); }
static int stops(void (*kernel)(float *))
{
    int status = 0;
    const pid_t child = (fflush(stdout), fork());
    if (!child) {
        float x;
        if (!freopen("/dev/null", "w", stderr)) _exit(2);
        emu_launch(dim3(1), 64, 512, kernel, &x);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}
static void test_stops()
{
    CHECK(stops(k_part_of_a_warp));
    CHECK(stops(k_crooked));
    CHECK(!stops(k_two_barriers)); /* all meet at a barrier in the end */
}

int main(int argc, char **argv)
{
    if (argc > 1) check_filter = argv[1];
    for (emu_backwards = 0; emu_backwards < 2; emu_backwards++) { /* both orders of threads */
        TEST(mma);
        TEST(rounding);
        TEST(ldmatrix);
        TEST(cp_async);
        TEST(stops);
    }
    return check_done();
}
