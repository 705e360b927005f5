/* The CUDA backend from outside: a training run beside the CPU's, lists that become graphs, errors that come later, loaders.
 *
 *     build/emu/device [NAME]     on the host emulation, where an operation runs as late as it may and calls can be made to fail
 *     build/cuda/device [NAME]    on a GPU
 */
#define _POSIX_C_SOURCE 200809L /* setenv */
#define SSL__STAGE (16 << 10) /* small: uploads of two steps do not fit */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "check.h"

static char said[1024]; /* the last message */
static void hear(ssl_status code, const char *message, void *user) { (void)code; (void)user; snprintf(said, sizeof said, "%s", message); }
static ssl_ctx *open_on(ssl_device device)
{
    ssl_desc d = SSL_ZERO;
    d.device = device;
    d.on_error = hear;
    d.threads = 1;
    d.seed = 5;
    said[0] = 0;
    return ssl_open(&d);
}
static int near_to(const float *a, const float *b, int64_t n, double tolerance) /* of the largest magnitude of b */
{
    double worst = 0.0, top = 1e-6;
    int64_t i;
    for (i = 0; i < n; i++) {
        if (!(fabs((double)a[i] - (double)b[i]) <= 1e30)) { printf("     element %lld: %g, %g\n", (long long)i, (double)a[i], (double)b[i]); return 0; }
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
        top = fmax(top, fabs((double)b[i]));
    }
    if (worst > tolerance * top) printf("     off by %g of %g\n", worst, top);
    return worst <= tolerance * top;
}
static float pixel(int step, int i) { return sinf(0.37f * (float)i + 1.7f * (float)step) + 0.3f * sinf(0.011f * (float)(i * (step + 3))); }

/* ---- a training run ---- */
enum { STEPS = 14, BATCH = 4, SIDE = 16, PIXELS = BATCH * 3 * SIDE * SIDE, MOST_PARAMS = 60000 };
typedef struct course { /* what one does */
    ssl_device device;
    ssl_optim_desc optim;
    int odd;     /* every fifth batch is smaller */
    int reads;   /* the loss is waited for in every third step */
    int nan_at;  /* the images of this step have one that is not a number; -1: none */
} course;
typedef struct result { float loss[STEPS], w[MOST_PARAMS]; int64_t n; } result;
static ssl_mae *small_mae(ssl_ctx *c)
{
    ssl_mae_desc d = SSL_ZERO;
    d.image_size = SIDE;
    d.dim = 32; d.depth = 1; d.heads = 2; d.hidden = 48;
    d.decoder_dim = 16; d.decoder_depth = 1; d.decoder_heads = 1; d.decoder_hidden = 32;
    d.drop_path = 0.2f;
    return ssl_mae_new(c, "mae", &d);
}
static void copy_params(ssl_ctx *c, result *r)
{
    int i;
    r->n = 0;
    for (i = 0; i < ssl_param_count(c); i++) {
        const ssl_tensor *t = ssl_param_at_index(c, i, NULL);
        if (r->n + ssl_numel(t) > MOST_PARAMS || !ssl_to_host(t, r->w + r->n)) { r->n = 0; return; }
        r->n += ssl_numel(t);
    }
}
static int64_t train_step(ssl_ctx *c, const ssl_mae *m, const course *p, int s) /* the ticket of its loss */
{
    float images[PIXELS];
    const int n = p->odd && s % 5 == 4 ? BATCH - 1 : BATCH;
    ssl_tensor *loss;
    int64_t ticket;
    int i;
    for (i = 0; i < PIXELS; i++) images[i] = pixel(s, i);
    if (s == p->nan_at) images[7] = NAN;
    loss = ssl_mae_loss(m, ssl_input(c, images, 4, n, 3, SIDE, SIDE), NULL);
    ssl_backward(loss);
    ticket = ssl_item_begin(loss);
    if (p->reads && s % 3 == 2) CHECK(ssl_item(loss) == ssl_item_end(c, ticket));
    ssl_optim_step(c, &p->optim, 1e-3f);
    ssl_step_end(c);
    return ticket;
}
static void train(const course *p, result *r)
{
    ssl_ctx *c = open_on(p->device);
    const ssl_mae *m = small_mae(c);
    int64_t ticket[STEPS];
    int s;
    for (s = 0; s < STEPS; s++) {
        ticket[s] = train_step(c, m, p, s);
        if (s > 0) r->loss[s - 1] = ssl_item_end(c, ticket[s - 1]);
    }
    r->loss[STEPS - 1] = ssl_item_end(c, ticket[STEPS - 1]);
    copy_params(c, r);
    CHECK(ssl_close(c) == SSL_OK);
}
static course plain(ssl_device device) { course p; memset(&p, 0, sizeof p); p.device = device; p.nan_at = -1; return p; }
static result cpu, gpu, again;
static int same(const result *a, const result *b) { return a->n == b->n && a->n > 0 && !memcmp(a->loss, b->loss, sizeof a->loss) && !memcmp(a->w, b->w, sizeof(float) * (size_t)a->n); }

static void test_training(void) /* as on the CPU, with every optimizer, and the same bits twice */
{
    static const ssl_optim_kind kind[] = { SSL_OPTIM_ADAMW, SSL_OPTIM_ADAM, SSL_OPTIM_SGD, SSL_OPTIM_LARS };
    int k;
    for (k = 0; k < 4; k++) {
        course p = plain(SSL_DEVICE_CPU);
        p.optim.kind = kind[k];
        p.optim.weight_decay = 0.1f;
        p.optim.clip_norm = k % 2 ? 0.0f : 0.5f; /* the first norm is about 4 */
        train(&p, &cpu);
        p.device = SSL_DEVICE_CUDA;
        train(&p, &gpu);
        CHECK(gpu.n == cpu.n && cpu.n > 0);
        CHECK(near_to(gpu.loss, cpu.loss, STEPS, 1e-4));
        CHECK(near_to(gpu.w, cpu.w, cpu.n, 2e-3)); /* Adam divides by gradients that are nearly 0 */
        if (k == 0) {
            train(&p, &again);
            CHECK(same(&gpu, &again));
        }
    }
}
static void test_graphs(void) /* replayed or not, whatever the host reads and however the shape changes: the same bits */
{
    int k;
    for (k = 0; k < 2; k++) {
        course p = plain(SSL_DEVICE_CUDA);
        p.odd = p.reads = k;
        train(&p, &gpu);
        setenv("SSL_CUDA_GRAPH", "0", 1);
        train(&p, &again);
        unsetenv("SSL_CUDA_GRAPH");
        CHECK(same(&gpu, &again));
        setenv("SSL_CUDA_SYNC", "1", 1);
        train(&p, &again);
        unsetenv("SSL_CUDA_SYNC");
        CHECK(same(&gpu, &again));
    }
}
static void test_steady(void) /* after three steps: no memory is asked for, and every list is a graph */
{
    const course p = plain(SSL_DEVICE_CUDA);
    ssl_ctx *c = open_on(SSL_DEVICE_CUDA);
    const ssl_mae *m = small_mae(c);
    const ssl__cuda *g = (const ssl__cuda *)c->gpu;
    int64_t allocs, replays, flushes;
    int s;
    for (s = 0; s < 5; s++) train_step(c, m, &p, s);
    allocs = (int64_t)ssl_memory_stats(c).n_allocs;
    replays = g->replays;
    flushes = g->flushes;
#ifdef SSL__EMULATED
    emu_n_allocs = emu_n_launches = emu_n_waits = emu_n_graphs = 0;
#endif
    for (; s < 10; s++) train_step(c, m, &p, s);
    CHECK((int64_t)ssl_memory_stats(c).n_allocs == allocs);
    CHECK(g->replays - replays == g->flushes - flushes && g->replays > replays);
#ifdef SSL__EMULATED
    CHECK(emu_n_allocs == 0 && emu_n_launches == 0 && emu_n_waits == 0 && emu_n_graphs >= 5);
#endif
    CHECK(ssl_close(c) == SSL_OK);
}

/* ---- what is random: masks, permutations, dropout, bit for bit those of the CPU ---- */
typedef struct draws { uint8_t mask[300]; int32_t ids[60], order[60], blobs[128]; float dropped[90], path[90], uniform[77]; } draws;
static int draw_all(ssl_device device, draws *d)
{
    ssl_ctx *c = open_on(device);
    float x[90];
    int i, ok;
    memset(d, 0, sizeof *d);
    for (i = 0; i < 90; i++) x[i] = 1.0f;
    ok = ssl_to_host(ssl_bernoulli(c, 3, 100, 0.3f), d->mask) && ssl_to_host(ssl_random_ids(c, 5, 12, 24), d->ids) &&
         ssl_to_host(ssl_argsort(ssl_random_uniform(c, 2, 5, 12)), d->order) && ssl_to_host(ssl_blob_segments(c, 2, 8, 6, 3), d->blobs) &&
         ssl_to_host(ssl_dropout(ssl_input(c, x, 2, 9, 10), 0.4f), d->dropped) && ssl_to_host(ssl_drop_path(ssl_input(c, x, 2, 9, 10), 0.4f), d->path) &&
         ssl_to_host(ssl_random_uniform(c, 1, 77), d->uniform);
    return ssl_close(c) == SSL_OK && ok;
}
static void test_draws(void)
{
    static draws a, b;
    CHECK(draw_all(SSL_DEVICE_CPU, &a) && draw_all(SSL_DEVICE_CUDA, &b));
    CHECK(!memcmp(&a, &b, sizeof a));
}

/* ---- loaders: the set on the device, augmented there, beside the CPU's ---- */
enum { SHOWN = 6, LARGEST = SHOWN * 3 * 48 * 48 };
typedef struct batch_copy { int dim[4]; int32_t label[SHOWN], index[SHOWN]; ssl_view_box box[2 * SHOWN]; float x[2][LARGEST]; } batch_copy;
static batch_copy shown[2];
static int show(ssl_device device, const ssl_augment_desc a[2], int number, batch_copy *y) /* batch `number` of a synthetic set; 1 on success */
{
    ssl_ctx *c = open_on(device);
    ssl_dataset_desc data = SSL_ZERO;
    ssl_loader_desc d = SSL_ZERO;
    ssl_batch b;
    ssl_loader *l;
    int v, ok;
    data.limit_images = 40;
    d.batch = SHOWN;
    d.n_views = d.n_augment = 2;
    d.augment = a;
    memset(y, 0, sizeof *y);
    l = ssl_loader_open(ssl_dataset_open_desc(c, "synthetic:60", &data), &d);
    for (ok = 1; ok && number >= 0; number--) { ok = ssl_loader_next(l, &b); ssl_step_end(c); }
    for (v = 0; v < 2 && ok; v++) ok = ssl_numel(b.views[v]) <= LARGEST && ssl_to_host(b.views[v], y->x[v]);
    ok = ok && ssl_to_host(b.labels, y->label);
    if (ok) {
        memcpy(y->dim, b.views[1]->dim, sizeof y->dim);
        memcpy(y->index, b.indices, sizeof y->index);
        memcpy(y->box, b.boxes, sizeof y->box);
    }
    CHECK(ssl_close(c) == SSL_OK);
    return ok;
}
/* All choices equal; values within 1e-5 of each other but for `strays` in a thousand. */
static int views_agree(const ssl_augment_desc a[2], int number, int strays)
{
    int i, v, far = 0, n = 0;
    if (!show(SSL_DEVICE_CPU, a, number, &shown[0]) || !show(SSL_DEVICE_CUDA, a, number, &shown[1])) return 0;
    if (memcmp(shown[0].dim, shown[1].dim, sizeof shown[0].dim) || memcmp(shown[0].label, shown[1].label, sizeof shown[0].label) ||
        memcmp(shown[0].index, shown[1].index, sizeof shown[0].index) || memcmp(shown[0].box, shown[1].box, sizeof shown[0].box)) return 0;
    for (v = 0; v < 2; v++)
        for (i = 0; i < LARGEST; i++, n++)
            if (!(fabsf(shown[0].x[v][i] - shown[1].x[v][i]) <= 1e-5f * (1.0f + fabsf(shown[0].x[v][i])))) far++;
    if (far * 1000LL > (long long)strays * n) printf("     %d of %d values are off\n", far, n);
    return far * 1000LL <= (long long)strays * n;
}
static void test_presets(void)
{
    static const char *const name[] = { "none", "eval", "mae", "crop", "apl", "simclr", "byol", "byol-second", "vicreg", "pixpro", "amdim", "amdim-large" };
    ssl_augment_desc a[2];
    size_t i;
    int number;
    for (i = 0; i < sizeof name / sizeof *name; i++)
        for (number = 0; number < 2; number++) {
            CHECK(ssl_augment_preset(name[i], &a[0]));
            a[1] = a[0];
            a[1].size = number ? 48 : 20; /* another size, larger and smaller */
            if (!CHECK(views_agree(a, number, 1))) printf("     preset %s\n", name[i]);
        }
}
static void test_choices(void) /* what no preset has */
{
    ssl_augment_desc a[2];
    int k;
    for (k = 0; k < 6; k++) {
        memset(a, 0, sizeof a);
        a[0].crop = k % 2 ? SSL_CROP_PADDED : SSL_CROP_CENTER;
        a[0].pad = 9;
        a[0].pad_black = k % 4 < 2;
        a[0].size = k < 3 ? 0 : 24;
        a[0].vflip = 0.5f;
        a[0].no_normalize = k % 3 == 0;
        a[1].rand_ops = 3;
        a[1].rand_deviation = 3.0f;
        a[1].shared_flip = 1;
        a[1].crop = SSL_CROP_RESIZED;
        a[1].no_antialias = k % 2;
        a[1].size = 12;
        CHECK(views_agree(a, k, 4)); /* RandAugment has steps */
    }
}
static void test_residence(void) /* one copy for all loaders, given back; none where it does not fit, and then the same views */
{
    ssl_augment_desc a[2];
    ssl_loader_desc d = SSL_ZERO;
    ssl_ctx *c = open_on(SSL_DEVICE_CUDA);
    ssl_dataset *data = ssl_dataset_open(c, "synthetic:100");
    const ssl__cuda *g = (const ssl__cuda *)c->gpu;
    ssl_loader *l[2];
    int i;
    d.batch = 10;
    for (i = 0; i < 2; i++) l[i] = ssl_loader_open(data, &d);
    CHECK(l[0]->resident && l[0]->resident == l[1]->resident);
    for (i = 0; i < 2; i++) ssl_loader_close(l[i]);
    for (i = 0; i < SSL__HELD; i++) CHECK(g->held[i].users == 0);
    CHECK(ssl_close(c) == SSL_OK);
#ifdef SSL__EMULATED
    emu_free_bytes = 100000;
#endif
    ssl_augment_preset("simclr", &a[0]);
    a[1] = a[0];
    CHECK(views_agree(a, 0, 1));
#ifdef SSL__EMULATED
    emu_free_bytes = (size_t)1 << 30;
#endif
}

/* ---- errors ---- */
static void test_not_a_number(void) /* told late, with step, op and line; what was learned before is kept */
{
    static result before;
    course p = plain(SSL_DEVICE_CUDA);
    ssl_ctx *c = open_on(SSL_DEVICE_CUDA);
    const ssl_mae *m = small_mae(c);
    int s;
    p.nan_at = 6;
    for (s = 0; s < 6; s++) train_step(c, m, &p, s);
    copy_params(c, &before);
    for (; s < 12 && ssl_ok(c); s++) train_step(c, m, &p, s);
    CHECK(s <= 10);
    CHECK(ssl_error(c) == SSL_E_NAN && strstr(said, "device.c:") && strstr(said, "ssl_backward: the loss is not a number or infinite in step 7;"));
    CHECK(strstr(said, "the first op that made one is"));
    ssl_error_clear(c);
    copy_params(c, &gpu);
    CHECK(gpu.n > 0 && gpu.n == before.n && !memcmp(gpu.w, before.w, sizeof(float) * (size_t)gpu.n));
    for (s = 20; s < 24; s++) train_step(c, m, &p, s); /* and it goes on */
    copy_params(c, &gpu);
    CHECK(ssl_ok(c) && gpu.n > 0 && memcmp(gpu.w, before.w, sizeof(float) * (size_t)gpu.n));
    CHECK(ssl_close(c) == SSL_OK);
}
static void test_bad_gradient(void) /* names the parameter; nothing was changed */
{
    ssl_ctx *c = open_on(SSL_DEVICE_CUDA);
    ssl_tensor *a = ssl_param(c, ssl_init_make(SSL_INIT_CONSTANT, 1.0f), "a", 1, 3), *b = ssl_param(c, ssl_init_make(SSL_INIT_CONSTANT, 0.0f), "b", 1, 3);
    float w[3] = { 0.0f, 0.0f, 0.0f };
    ssl_backward(ssl_sum(ssl_add(ssl_square(a), ssl_sqrt(b)))); /* d sqrt(0) is infinite, the value is not */
    ssl_adamw_step(c, 0.1f);
    ssl_step_end(c);
    CHECK(ssl_ok(c));
    CHECK(!ssl_save(c, "build/never.safetensors"));
    CHECK(ssl_error(c) == SSL_E_NAN && strstr(said, "the gradient of b[3] is not a number or infinite in step 1, no parameter was changed"));
    ssl_error_clear(c);
    CHECK(ssl_to_host(a, w) && w[0] == 1.0f && w[1] == 1.0f && w[2] == 1.0f);
    ssl_close(c);
}
#ifdef SSL__EMULATED
static void test_no_device(void)
{
    ssl_ctx *c;
    emu_devices = 0;
    c = open_on(SSL_DEVICE_CUDA);
    CHECK(ssl_error(c) == SSL_E_CUDA && strstr(said, "ssl_open: no NVIDIA GPU can be used (no CUDA-capable device is detected): use the CPU"));
    CHECK(ssl_close(c) == SSL_E_CUDA);
    emu_driver = 0;
    ssl_close(c = open_on(SSL_DEVICE_CUDA));
    CHECK(strstr(said, "no driver is installed"));
    emu_devices = 1;
    emu_driver = 11080;
    ssl_close(c = open_on(SSL_DEVICE_CUDA));
    CHECK(strstr(said, "the NVIDIA driver knows CUDA 11.8, this program was built with 13.0: update the driver"));
    emu_driver = 13000;
}
static void test_out_of_memory(void) /* how much was asked for, how much is free, where */
{
    ssl_ctx *c = open_on(SSL_DEVICE_CUDA);
    ssl_tensor *x[2], *y;
    const int line = __LINE__ + 4;
    char want[64];
    x[0] = x[1] = ssl_input(c, NULL, 2, 1000, 1000);
    emu_allocs_left = 0;
    y = ssl_concat(0, 2, x); /* 8 MB: another chunk */
    emu_allocs_left = -1;
    snprintf(want, sizeof want, "device.c:%d: error: ", line);
    CHECK(y == &c->nil && ssl_error(c) == SSL_E_MEMORY && strstr(said, want));
    CHECK(strstr(said, "out of memory: 8000064 bytes asked for on the GPU, 1073741824 are free, 4000000 in use in this step; use a smaller batch"));
    ssl_close(c);
}
static void test_fault(void) /* a kernel that touches what it may not: told where the host next waits, or at its own line */
{
    int sync;
    for (sync = 0; sync < 2; sync++) {
        ssl_ctx *c;
        ssl_tensor *w, *x, *y;
        const char *path = "build/device-fault.safetensors";
        ssl_safetensors *file;
        int line;
        char want[64];
        if (sync) setenv("SSL_CUDA_SYNC", "1", 1);
        c = open_on(SSL_DEVICE_CUDA);
        w = ssl_param(c, ssl_init_make(SSL_INIT_CONSTANT, 2.0f), "w", 1, 4);
        CHECK(ssl_save(c, path));
        x = ssl_square(w);
        if (!sync) ssl_item(x);
        emu_kernels_left = 0;
        line = __LINE__ + 1;
        y = ssl_exp(x);
        if (!sync) { CHECK(ssl_ok(c)); line = __LINE__; ssl_item(ssl_exp(y)); } /* wherever: the last line before the wait */
        emu_kernels_left = -1;
        snprintf(want, sizeof want, "device.c:%d: error: ", line);
        CHECK(ssl_error(c) == SSL_E_CUDA && strstr(said, "an illegal memory access was encountered") && strstr(said, want));
        CHECK(sync ? strstr(said, "ssl__k_exp_f") != NULL : strstr(said, "SSL_CUDA_SYNC=1 in the environment names the call that failed") != NULL);
        CHECK(!ssl_save(c, path));
        CHECK(ssl_close(c) == SSL_E_CUDA);
        emu_error = cudaSuccess; /* another process */
        c = open_on(SSL_DEVICE_CPU);
        file = ssl_safetensors_open(c, path); /* the last checkpoint is as it was */
        CHECK(file && ssl_ok(c));
        ssl_safetensors_close(file);
        ssl_close(c);
        remove(path);
        unsetenv("SSL_CUDA_SYNC");
    }
}
#endif

int main(int argc, char **argv)
{
    ssl_ctx *c = open_on(SSL_DEVICE_CUDA);
    const int usable = ssl_ok(c);
    ssl_close(c);
    if (argc > 1) check_filter = argv[1];
    if (!usable) { /* as on a machine without a GPU */
        printf("%s\n", said);
        check_skipped++;
        return check_done();
    }
#ifdef SSL__EMULATED
    emu_lazy = 1;
    TEST(no_device);
    TEST(out_of_memory);
    TEST(fault);
#endif
    TEST(bad_gradient);
    TEST(not_a_number);
    TEST(training);
    TEST(graphs);
    TEST(steady);
    TEST(draws);
    TEST(presets);
    TEST(choices);
    TEST(residence);
    return check_done();
}
