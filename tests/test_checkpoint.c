/* Safetensors and checkpoints: round trips, hostile files, full disks, resuming.   ./build/test_checkpoint [NAME] */
#ifndef _GNU_SOURCE
#  define _GNU_SOURCE /* mkdtemp, symlink */
#endif
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "check.h"
#include <signal.h>
#include <sys/resource.h>
#define EXPECT(condition, what) check((condition) != 0, what, __FILE__, __LINE__)

static char dir[64], path[100], temporary[120], other[100];

static void quiet(ssl_status code, const char *message, void *user) { (void)code; (void)message; (void)user; }
static ssl_ctx *open_quiet(uint64_t seed)
{
    ssl_desc d = SSL_ZERO;
    d.on_error = quiet;
    d.seed = seed;
    d.threads = 2;
    return ssl_open(&d);
}
static void check_error(ssl_ctx *c, ssl_status code, const char *words, const char *what)
{
    const int ok = ssl_error(c) == code && strstr(ssl_error_message(c), words) && strstr(ssl_error_message(c), "test_checkpoint.c:");
    EXPECT(ok, what);
    if (!ok) printf("     status %d, message: %s\n", (int)ssl_error(c), ssl_error_message(c));
    ssl_error_clear(c);
}
static void write_file(const char *name, const void *data, size_t n)
{
    FILE *f;
    unlink(name); /* some file systems wait for the disk when a file is overwritten */
    f = fopen(name, "wb");
    if (!f || fwrite(data, 1, n, f) != n || fclose(f)) { printf("cannot write %s\n", name); exit(1); }
}
static size_t read_file(const char *name, unsigned char *data, size_t cap)
{
    FILE *f = fopen(name, "rb");
    const size_t n = f ? fread(data, 1, cap, f) : 0;
    if (f) fclose(f);
    return n;
}
static int exists(const char *name) { return access(name, F_OK) == 0; }

/* ---- a small network whose steps draw random numbers ---- */
static void build(ssl_ctx *c)
{
    ssl_param(c, ssl_init_make(SSL_INIT_TORCH, 0.0f), "net.fc1.weight", 2, 13, 7);
    ssl_param(c, ssl_init_make(SSL_INIT_ZEROS, 0.0f), "net.fc1.bias", 1, 13);
    ssl_param(c, ssl_init_make(SSL_INIT_TORCH, 0.0f), "head.weight", 2, 5, 13);
    ssl_param(c, ssl_init_make(SSL_INIT_NORMAL, 1.0f), "net.statistics", 1, 3);
    ssl_param_group(c, "*statistics", 1.0f, 1.0f, 1);
}
static ssl_ctx *network(uint64_t seed)
{
    ssl_ctx *c = open_quiet(seed);
    build(c);
    return c;
}
static void train(ssl_ctx *c, int steps)
{
    float x[4 * 7];
    int i;
    for (; steps > 0 && ssl_ok(c); steps--) {
        ssl_rng r = ssl_rng_make(c->seed, ssl_rng_stream(c));
        ssl_tensor *h;
        for (i = 0; i < 4 * 7; i++) x[i] = ssl_rng_normal(&r);
        h = ssl_gelu(ssl_linear(ssl_input(c, x, 2, 4, 7), ssl_param_find(c, "net.fc1.weight"), ssl_param_find(c, "net.fc1.bias")));
        ssl_backward(ssl_mean(ssl_square(ssl_add_scalar(ssl_linear(h, ssl_param_find(c, "head.weight"), NULL), -1.0f))));
        ssl_adamw_step(c, 1e-2f);
        ssl_step_end(c);
    }
}
static int same_state(const ssl_ctx *a, const ssl_ctx *b)
{
    const size_t n = sizeof(float) * (size_t)a->n_flat, m = sizeof(float) * (size_t)a->n_state;
    return a->n_state == b->n_state && a->state[2] && b->state[2] && a->n_flat == b->n_flat && a->opt_step == b->opt_step && a->rng_position == b->rng_position && a->seed == b->seed &&
           !memcmp(a->values, b->values, n) && !memcmp(a->state[1], b->state[1], m) && !memcmp(a->state[2], b->state[2], m);
}

static void test_resume(void)
{
    ssl_ctx *a = network(5), *b = network(5), *c = network(99);
    ssl_load_desc weights = SSL_ZERO;
    train(a, 20);
    train(b, 9);
    ssl_note_put(b, "epoch", "%d", 3);
    ssl_note_put(b, "epoch", "%d of %d", 4, 10);
    ssl_note_put(b, "method", "a \"quoted\"\nname \\ \xc3\xa9");
    EXPECT(ssl_save(b, path) == 1, "save");
    EXPECT(!exists(temporary), "the temporary file is gone");
    EXPECT(ssl_load(c, path, NULL) == 4, "load fills four parameters");
    EXPECT(same_state(b, c), "the loaded context is the saved one");
    EXPECT(ssl_note_find(c, "epoch") && !strcmp(ssl_note_find(c, "epoch"), "4 of 10"), "a note, overwritten once");
    EXPECT(!strcmp(ssl_note_find(c, "method"), "a \"quoted\"\nname \\ \xc3\xa9"), "a note with quotes, lines and UTF-8");
    EXPECT(!ssl_note_find(c, "ssl.seed") && !ssl_note_find(c, "nothing"), "no other notes");
    train(c, 11);
    EXPECT(same_state(a, c), "9 steps, saved, loaded, 11 steps: the same bits as 20 steps");
    EXPECT(ssl_close(c) == 0, "resume");
    c = network(7);
    weights.weights_only = 1;
    EXPECT(ssl_load(c, path, &weights) == 4 && !memcmp(b->values, c->values, sizeof(float) * (size_t)b->n_flat), "weights only: the values");
    EXPECT(c->opt_step == 0 && c->seed == 7 && !c->state[1] && !ssl_note_find(c, "epoch"), "weights only: nothing else");
    EXPECT(ssl_close(a) == 0 && ssl_close(b) == 0 && ssl_close(c) == 0, "resume");
}

static void test_differences(void)
{
    ssl_ctx *c = network(1), *d = open_quiet(2);
    ssl_load_desc l = SSL_ZERO;
    float before;
    train(c, 1);
    ssl_save(c, path);
    ssl_param(d, ssl_init_make(SSL_INIT_NORMAL, 1.0f), "net.fc1.weight", 2, 13, 7);
    ssl_param(d, ssl_init_make(SSL_INIT_NORMAL, 1.0f), "net.fc1.bias", 1, 13);
    ssl_param(d, ssl_init_make(SSL_INIT_NORMAL, 1.0f), "head.weight", 2, 6, 13);
    ssl_param(d, ssl_init_make(SSL_INIT_NORMAL, 1.0f), "head.bias", 1, 6);
    before = d->values[0];
    ssl_load(d, path, NULL);
    EXPECT(strstr(ssl_error_message(d), "head.weight is [5,13] in the file and [6,13] here") != NULL, "the shapes that differ");
    EXPECT(strstr(ssl_error_message(d), "1 in the file but not in the network (net.statistics)") != NULL, "the names that are too many");
    check_error(d, SSL_E_SHAPE, "missing in the file (head.bias, optim.m.head.bias, optim.v.head.bias)", "the names that are missing");
    EXPECT(d->values[0] == before && d->opt_step == 0, "and nothing was changed");
    l.partial = 1;
    ssl_load(d, path, &l);
    check_error(d, SSL_E_SHAPE, "of another shape", "partial does not hide another shape");
    l.only = "net";
    EXPECT(ssl_load(d, path, &l) == 2 && !memcmp(d->values, c->values, sizeof(float) * 91), "only one part of the network");
    l.only = "nothing";
    ssl_load(d, path, &l);
    check_error(d, SSL_E_SHAPE, "no name agrees", "a prefix that does not exist");
    memset(&l, 0xcc, sizeof l);
    ssl_load(d, path, &l);
    check_error(d, SSL_E_ARG, "SSL_ZERO", "an uninitialized desc");
    EXPECT(ssl_close(c) == 0 && ssl_close(d) == 0, "differences");
}

static void test_prefix(void)
{
    ssl_ctx *c = network(1), *d = open_quiet(2);
    ssl_load_desc l = SSL_ZERO;
    ssl_save(c, path);
    ssl_param(d, ssl_init_make(SSL_INIT_ZEROS, 0.0f), "probe.encoder.fc1.weight", 2, 13, 7);
    ssl_param(d, ssl_init_make(SSL_INIT_ZEROS, 0.0f), "probe.encoder.fc1.bias", 1, 13);
    ssl_param(d, ssl_init_make(SSL_INIT_ZEROS, 0.0f), "probe.head.weight", 2, 10, 13);
    l.only = "probe.encoder";
    l.file_prefix = "net";
    ssl_load(d, path, &l);
    check_error(d, SSL_E_SHAPE, "net.statistics", "renamed, strict: what is in the file but not here");
    l.partial = 1;
    EXPECT(ssl_load(d, path, &l) == 2 && !memcmp(d->values, c->values, sizeof(float) * 91), "net.* loaded into probe.encoder.*");
    EXPECT(ssl_close(d) == 0, "prefix");
    d = open_quiet(2);
    ssl_param(d, ssl_init_make(SSL_INIT_ZEROS, 0.0f), "fc1.weight", 2, 13, 7);
    memset(&l, 0, sizeof l);
    l.weights_only = l.partial = 1;
    l.file_prefix = "net";
    EXPECT(ssl_load(d, path, &l) == 1 && !memcmp(d->values, c->values, sizeof(float) * 91), "net.* loaded into *");
    EXPECT(ssl_close(d) == 0, "prefix");
    d = open_quiet(2);
    ssl_param(d, ssl_init_make(SSL_INIT_ZEROS, 0.0f), "vit.net.fc1.weight", 2, 13, 7);
    l.only = "vit";
    l.file_prefix = "";
    EXPECT(ssl_load(d, path, &l) == 1 && !memcmp(d->values, c->values, sizeof(float) * 91), "* loaded into vit.*");
    EXPECT(ssl_close(c) == 0 && ssl_close(d) == 0, "prefix");
}

/* ---- the file format ---- */
static ssl_file_tensor describe(const char *name, const char *dtype, int n, const void *data)
{
    ssl_file_tensor t = SSL_ZERO;
    t.name = name;
    t.dtype = dtype;
    t.ndim = 1;
    t.dim[0] = n;
    t.data = data;
    return t;
}
static void test_types(void)
{
    static const float want[4] = { 1.0f, -2.0f, 0.0f, 3.0f };
    static const double f64[4] = { 1.0, -2.0, 0.0, 3.0 };
    static const uint16_t f16[4] = { 0x3c00, 0xc000, 0x0000, 0x4200 }, bf16[4] = { 0x3f80, 0xc000, 0x0000, 0x4040 };
    static const uint16_t odd[4] = { 0x0001, 0x8400, 0x7bff, 0xfc00 }; /* smallest, -smallest normal, largest, -infinity */
    static const int64_t i64[4] = { 1, -2, 0, 3 };
    static const int32_t i32[4] = { 1, -2, 0, 3 };
    static const uint8_t u8[3] = { 1, 0, 1 };
    ssl_ctx *c = open_quiet(0);
    ssl_file_tensor t[9];
    ssl_safetensors *f;
    float x[4];
    int64_t whole[4];
    int i;
    t[0] = describe("z.u8", "U8", 3, u8);
    t[1] = describe("f32", "F32", 4, want);
    t[2] = describe("f16", "F16", 4, f16);
    t[3] = describe("bf16", "BF16", 4, bf16);
    t[4] = describe("f64", "F64", 4, f64);
    t[5] = describe("i32", "I32", 4, i32);
    t[6] = describe("i64", "I64", 4, i64);
    t[7] = describe("odd \"name\"\t", "F16", 4, odd);
    t[8] = describe("single", "BOOL", 1, u8);
    t[8].ndim = 0;
    EXPECT(ssl_safetensors_write(c, path, 9, t, 0, NULL) == 1, "write nine types");
    f = ssl_safetensors_open(c, path);
    EXPECT(f && f->n_tensors == 9 && f->n_notes == 0, "open them");
    for (i = 1; i < 7 && f; i++) {
        const ssl_file_tensor *r = ssl_safetensors_find(f, t[i].name);
        EXPECT(r && !strcmp(r->dtype, t[i].dtype) && ssl_file_tensor_to_f32(r, x) && !memcmp(x, want, sizeof x), t[i].name);
        EXPECT(r && (uintptr_t)r->data % (r->bytes / 4) == 0, "data is naturally aligned");
    }
    EXPECT(f && ssl_safetensors_find(f, "single")->n == 1 && ssl_safetensors_find(f, "z.u8")->bytes == 3, "a single number, three bytes");
    EXPECT(f && ssl_file_tensor_to_i64(ssl_safetensors_find(f, "i32"), whole) && whole[1] == -2, "whole numbers");
    EXPECT(f && !ssl_file_tensor_to_i64(ssl_safetensors_find(f, "f32"), whole), "fractions are not whole numbers");
    EXPECT(f && ssl_file_tensor_to_f32(ssl_safetensors_find(f, "odd \"name\"\t"), x) && x[0] == ldexpf(1.0f, -24) && x[1] == -ldexpf(1.0f, -14) &&
          x[2] == 65504.0f && x[3] < -3.4e38f, "extreme halves");
    EXPECT(f && !ssl_safetensors_find(f, "f3") && !ssl_safetensors_note(f, "x"), "what is not there");
    ssl_safetensors_close(f);
    t[0].dtype = "F7";
    ssl_safetensors_write(c, path, 1, t, 0, NULL);
    check_error(c, SSL_E_ARG, "unknown type F7", "an unknown type cannot be written");
    EXPECT(ssl_close(c) == 0, "types");
}

static size_t compose(unsigned char *out, const char *header, size_t n_data) /* a file with this header and n_data zero bytes */
{
    const size_t n = strlen(header);
    int i;
    for (i = 0; i < 8; i++) out[i] = (unsigned char)((uint64_t)n >> (8 * i));
    memcpy(out + 8, header, n);
    memset(out + 8 + n, 0, n_data);
    return 8 + n + n_data;
}
static void test_hostile_headers(void)
{
    static const struct { const char *header; size_t n_data; const char *message; } file[] = {
        { "", 0, "an object is expected" },
        { "{", 0, "a string is expected" },
        { "[]", 0, "an object is expected" },
        { "{}x", 0, "the end of the header" },
        { "{} ", 4, "more data" },
        { "{\"a", 0, "a closing quote" },
        { "{\"a\"}", 0, "a colon" },
        { "{\"a\":1}", 0, "a tensor's description" },
        { "{\"a\":{}}", 0, "a string is expected" },
        { "{\"\\u00zz\":1}", 0, "four hexadecimal digits" },
        { "{\"\\u0000\":1}", 0, "a known escape" },
        { "{\"\\ud800x\":1}", 0, "a surrogate pair" },
        { "{\"__metadata__\":{\"a\":1}}", 0, "a string is expected" },
        { "{\"__metadata__\":{\"a\":\"b\"},\"__metadata__\":{\"a\":\"b\"}}", 0, "once only" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":[[[[[[[[]]]]]]]]}}", 4, "only dtype, shape and data_offsets" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[[[[[[1]]]]]],\"data_offsets\":[0,4]}}", 4, "a whole number" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "dtype, shape and two data_offsets" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "dtype, shape and two data_offsets" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4, "a shorter list" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, "a shorter list" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "a whole number" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}", 4, "a comma or a closing bracket" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]}}", 4, "a smaller number" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "the shape of a does not fit" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1073741824,1073741824,1073741824,1073741824],\"data_offsets\":[0,0]}}", 0, "the shape of a does not fit" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387905],\"data_offsets\":[0,4]}}", 4, "a smaller number" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "overlaps or leaves a hole" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "overlaps or leaves a hole" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "overlaps" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "overlaps" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "occurs twice" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, "beyond the end" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1152921504606846976],\"data_offsets\":[0,1152921504606846976]}}", 4, "beyond the end" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 12, "more data" },
    };
    ssl_ctx *c = open_quiet(0);
    unsigned char bytes[512];
    size_t i, n;
    for (i = 0; i < sizeof file / sizeof *file; i++) {
        write_file(path, bytes, compose(bytes, file[i].header, file[i].n_data));
        EXPECT(ssl_safetensors_open(c, path) == NULL, file[i].header);
        check_error(c, SSL_E_IO, file[i].message, file[i].header);
    }
    for (i = 0; i < 8; i++) bytes[i] = 0xff;
    write_file(path, bytes, 8);
    ssl_safetensors_open(c, path);
    check_error(c, SSL_E_IO, "longer than the file", "a header of 2^64 bytes");
    write_file(path, bytes, 5);
    ssl_safetensors_open(c, path);
    check_error(c, SSL_E_IO, "shorter than 8 bytes", "five bytes");
    n = compose(bytes, "{}xx", 0);
    bytes[10] = 0;
    write_file(path, bytes, n);
    ssl_safetensors_open(c, path);
    check_error(c, SSL_E_IO, "the end of the header", "a zero byte and more inside the header");
    ssl_safetensors_open(c, dir);
    check_error(c, SSL_E_IO, "no regular file", "a folder");
    ssl_safetensors_open(c, other);
    check_error(c, SSL_E_IO, "cannot open", "a file that does not exist");
    write_file(path, bytes, compose(bytes, "{\"\":{\"dtype\":\"X9\",\"shape\":[7],\"data_offsets\":[0,3]}}", 3));
    ssl_safetensors_close(ssl_safetensors_open(c, path));
    EXPECT(ssl_close(c) == 0, "an unknown type and an empty name are legal");
}

/* Cut a good file at every length and change every byte of its header: an error or a sound file, never a crash. */
static void test_damage(void)
{
    static unsigned char good[8192], bad[8192];
    ssl_ctx *c = network(1);
    size_t n, i, header, opened = 0;
    train(c, 1);
    ssl_save(c, path);
    n = read_file(path, good, sizeof good);
    header = 8 + good[0] + 256u * good[1];
    EXPECT(n > header && n < sizeof good, "a good file to damage");
    for (i = 0; i < n; i++) {
        write_file(other, good, i);
        opened += ssl_safetensors_open(c, other) != NULL;
        ssl_error_clear(c);
    }
    EXPECT(opened == 0, "no truncated file can be opened");
    for (i = 0; i < header; i++) {
        memcpy(bad, good, n);
        bad[i] ^= (unsigned char)(1 << i % 7);
        write_file(other, bad, n);
        ssl_load(c, other, NULL);
        ssl_error_clear(c);
    }
    EXPECT(ssl_load(c, path, NULL) == 4, "the good file still loads");
    unlink(other);
    EXPECT(ssl_close(c) == 0, "damage");
}

/* Step count, seed and RNG position are numbers, or nothing of the file is taken. */
static void test_damaged_notes(void)
{
    static const char *const text[][2] = { { "ssl.opt_step", "" }, { "ssl.opt_step", "1 2" }, { "ssl.opt_step", "-1" }, { "ssl.opt_step", "9223372036854775807" },
                                           { "ssl.seed", "18446744073709551616" }, { "ssl.rng_position", "0x7" } };
    ssl_ctx *c = network(1), *fresh = network(1);
    ssl_load_desc weights = SSL_ZERO;
    size_t i;
    int k;
    train(c, 2);
    ssl_save(c, path);
    for (i = 0; i < sizeof text / sizeof *text; i++) {
        ssl_safetensors *f = ssl_safetensors_open(c, path);
        for (k = 0; k < f->n_notes; k++) if (!strcmp(f->note[k].key, text[i][0])) f->note[k].value = text[i][1];
        EXPECT(ssl_safetensors_write(c, other, f->n_tensors, f->tensor, f->n_notes, f->note), "a file with a damaged note");
        ssl_safetensors_close(f);
        EXPECT(ssl_load(c, other, NULL) == 0, text[i][1]);
        check_error(c, SSL_E_IO, text[i][0], text[i][1]);
        ssl_load(fresh, path, NULL);
        EXPECT(same_state(c, fresh), "nothing was changed");
    }
    weights.weights_only = 1;
    EXPECT(ssl_load(c, other, &weights) == 4, "weights alone need no notes");
    unlink(other);
    ssl_close(fresh);
    EXPECT(ssl_close(c) == 0, "damaged notes");
}
/* The place in the queue of MoCo is a parameter, which a damaged file may set to anything. */
static void test_damaged_queue(void)
{
    const float place[3] = { -1.0f, 1e30f, ssl__bits(0x7fc00000u) };
    ssl_siamese_desc d = SSL_ZERO;
    int i;
    d.kind = SSL_SIAMESE_MOCO;
    d.backbone.image_size = 8;
    d.backbone.vit.dim = 8;
    d.backbone.vit.depth = 1;
    d.projector_hidden = d.projector_out = 4;
    d.queue = 8;
    for (i = 0; i < 3; i++) {
        ssl_ctx *c = open_quiet(1);
        const ssl_siamese *m = ssl_siamese_new(c, "m", &d);
        ssl_tensor *views[2];
        views[0] = views[1] = ssl_input(c, NULL, 4, 2, 3, 8, 8);
        ssl_from_host(m->queue_ptr, &place[i]);
        ssl_siamese_loss(m, 2, views, NULL);
        check_error(c, SSL_E_ARG, "rows 0 to 7", "a place outside of the queue");
        ssl_close(c);
    }
}

/* ---- disks and folders that refuse ---- */
static void check_refused(ssl_ctx *c, const unsigned char *old, size_t n_old, const char *words, const char *what)
{
    static unsigned char now[8192];
    EXPECT(ssl_save(c, path) == 0, what);
    check_error(c, SSL_E_IO, words, what);
    EXPECT(!exists(temporary), "the temporary file is removed");
    EXPECT(read_file(path, now, sizeof now) == n_old && !memcmp(now, old, n_old), "the old checkpoint is untouched");
}
static void test_full_disk(void)
{
    static unsigned char old[8192];
    struct rlimit all, little;
    ssl_ctx *c = network(1);
    size_t n;
    ssl_save(c, path);
    n = read_file(path, old, sizeof old);
    train(c, 1);
    if (exists("/dev/full") && symlink("/dev/full", temporary) == 0) check_refused(c, old, n, "No space left", "a full disk");
    else { check_skipped++; printf("skip full disk: no /dev/full\n"); }
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &all);
    little = all;
    little.rlim_cur = 1000;
    setrlimit(RLIMIT_FSIZE, &little);
    check_refused(c, old, n, "File too large", "a file size limit in the middle of the data");
    setrlimit(RLIMIT_FSIZE, &all);
    EXPECT(ssl_save(c, path) == 1 && ssl_load(c, path, NULL) == 4, "saving works again");
    EXPECT(ssl_save(c, dir) == 0, "a folder");
    check_error(c, SSL_E_IO, "not a regular file", "a folder is not replaced");
    EXPECT(ssl_save(c, "/dev/null") == 0, "a device");
    check_error(c, SSL_E_IO, "not a regular file", "a device is not replaced");
    EXPECT(ssl_save(c, "no/such/folder/x.safetensors") == 0, "no folder");
    check_error(c, SSL_E_IO, "No such file or directory", "a folder that does not exist");
    EXPECT(ssl_close(c) == 0, "full disk");
}

/* A value that is no number is told by its tensor and file before anything is changed; an infinity may be meant. */
static void test_nan(void)
{
    static const char *const names[2] = { "head.weight", "optim.v.head.weight" };
    static unsigned char bytes[8192];
    ssl_ctx *c = network(1), *d = network(2);
    ssl_safetensors *f;
    float kept[5 * 13], now[5 * 13];
    const uint32_t nan = 0xffc00001u, infinity = 0x7f800000u;
    const char *end;
    char words[200];
    size_t n, at;
    int i, k;
    train(c, 1);
    ssl_to_host(ssl_param_find(d, "head.weight"), kept);
    for (i = 0; i < 2; i++) {
        ssl_save(c, path);
        n = read_file(path, bytes, sizeof bytes);
        f = ssl_safetensors_open(c, path);
        for (k = 0, end = NULL; k < f->n_tensors; k++) /* the file ends with the last one's data */
            if (!end || (const char *)f->tensor[k].data + f->tensor[k].bytes > end) end = (const char *)f->tensor[k].data + f->tensor[k].bytes;
        at = n - (size_t)(end - (const char *)ssl_safetensors_find(f, names[i])->data) + 4 * 9;
        ssl_safetensors_close(f);
        memcpy(bytes + at, &nan, 4);
        write_file(path, bytes, n);
        EXPECT(ssl_load(d, path, NULL) == 0, "NaN is refused");
        snprintf(words, sizeof words, "%s of %s is not a number (NaN) at place 9", names[i], path);
        check_error(d, SSL_E_NAN, words, names[i]);
        EXPECT(ssl_to_host(ssl_param_find(d, "head.weight"), now) && !memcmp(now, kept, sizeof now) && d->opt_step == 0 && d->seed == 2, "nothing is changed");
        memcpy(bytes + at, &infinity, 4);
        write_file(path, bytes, n);
    }
    EXPECT(ssl_load(d, path, NULL) == 4, "infinity is loaded");
    EXPECT(ssl_close(c) == 0 && ssl_close(d) == 0, "NaN");
}

/* After an error nothing is written: the last good checkpoint stays. */
static void test_after_error(void)
{
    static unsigned char old[8192], now[8192];
    ssl_ctx *c = network(1);
    const float zero[7] = { 0.0f };
    size_t n;
    ssl_save(c, path);
    n = read_file(path, old, sizeof old);
    ssl_backward(ssl_mean(ssl_log(ssl_linear(ssl_input(c, zero, 2, 1, 7), ssl_param_find(c, "net.fc1.weight"), NULL)))); /* log 0 */
    EXPECT(ssl_error(c) == SSL_E_NAN && ssl_save(c, path) == 0, "saving after a NaN loss does nothing");
    EXPECT(read_file(path, now, sizeof now) == n && !memcmp(now, old, n), "the last good checkpoint is kept");
    EXPECT(ssl_load(c, path, NULL) == 0 && ssl_close(c) == (int)SSL_E_NAN, "the first error stays");
}

int main(int argc, char **argv)
{
    if (argc > 1) check_filter = argv[1];
    strcpy(dir, "/tmp/test_checkpoint.XXXXXX");
    if (!mkdtemp(dir)) return 1;
    snprintf(path, sizeof path, "%s/run.safetensors", dir);
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    snprintf(other, sizeof other, "%s/other.safetensors", dir);
    TEST(resume);
    TEST(differences);
    TEST(prefix);
    TEST(types);
    TEST(hostile_headers);
    TEST(damage);
    TEST(damaged_notes);
    TEST(damaged_queue);
    TEST(full_disk);
    TEST(nan);
    TEST(after_error);
    unlink(path);
    rmdir(dir);
    return check_done();
}
