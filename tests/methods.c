/* Every method of pretrain on the CUDA backend, at bf16: after a few steps, a step asks for no memory, waits for nothing, and is all graphs.
 *
 *     build/emu/methods [NAME]      on the host emulation
 *     build/cuda/methods [NAME]     on a GPU, where waits are not counted
 */
#define _POSIX_C_SOURCE 200809L
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include "check.h"
#define FLAGS ""
#include "examples/run.h"

static void set_if_there(const table *t, const char *key, const char *value)
{
    int at;
    if (table_find(t, key, &at)) table_set(t, key, value);
}
/* A small run of method m, opened up to its loader, with a classifier beside it or none; 1, or 0 after a message. */
static int begin(run *r, const method *m, int beside, ssl_loader **loader)
{
    settings s;
    table t;
    ssl_loader_desc d;
    ssl_augment_desc views[SSL_VIEWS];
    if (!settings_init(&s, m->name, NULL)) return 0;
    t = settings_table(&s);
    table_set_all(&t, "device=cuda precision=bf16 data=synthetic:40 threads=1 batch=2 epochs=1");
    set_if_there(&t, "dim", "32");
    set_if_there(&t, "depth", "1");
    if (beside) table_set(&t, "online_eval", "1");
    run_open(r, &s, 0);
    if (!ssl_ok(r->ctx)) return 0;
    d = r->s.loader;
    d.n_views = d.n_augment = run_views(r, views);
    d.augment = views;
    *loader = ssl_loader_open(r->data, &d);
    r->steps = r->total = ssl_loader_steps(*loader);
    return ssl_ok(r->ctx);
}
static void check_method(const method *m, int beside)
{
    enum { WARM = 5 };
    static run r;
    ssl_loader *loader;
    ssl_batch b;
    int64_t lists = 0, graphs = 0, allocs = 0;
    const ssl__cuda *g;
    if (!CHECK(begin(&r, m, beside, &loader))) { ssl_close(r.ctx); return; }
    g = (const ssl__cuda *)r.ctx->gpu;
    for (r.step = 0; r.step <= WARM && ssl_loader_next(loader, &b); r.step++) {
        if (r.step == WARM) {
            lists = g->flushes;
            graphs = g->replays;
            allocs = (int64_t)ssl_memory_stats(r.ctx).n_allocs;
#ifdef SSL__EMULATED
            emu_n_waits = emu_n_allocs = 0;
#endif
        }
        run_step(&r, &b, NULL);
    }
    lists = g->flushes - lists;
    graphs = g->replays - graphs;
    printf("%-16s %d lists, %d graphs%s\n", m->name, (int)lists, (int)graphs, beside ? " with a classifier beside" : "");
    CHECK(ssl_ok(r.ctx) && r.step == WARM + 1 && lists > 0);
    CHECK((beside ? r.online.ctx != NULL && graphs > 0 : graphs == lists) && (int64_t)ssl_memory_stats(r.ctx).n_allocs == allocs); /* beside: what is short is no graph */
#ifdef SSL__EMULATED
    CHECK(emu_n_waits == 0 && emu_n_allocs == 0);
#endif
    ssl_online_eval_close(&r.online);
    CHECK(ssl_close(r.ctx) == SSL_OK);
}
int main(int argc, char **argv)
{
    int i;
    if (argc > 1) check_filter = argv[1];
    for (i = 0; i < N_METHODS; i++) {
        check_group = methods[i].name;
        if (!strstr(methods[i].name, check_filter)) continue;
        check_method(&methods[i], 0);
        if (!strcmp(methods[i].name, "mae")) check_method(&methods[i], 1);
    }
    return check_done();
}
