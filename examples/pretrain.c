/* make build/pretrain && build/pretrain --method mae --data synthetic --epochs 5 --out out/mae
 * Self-supervised pre-training of any method of methods.h on any data set; --help lists every setting with its default. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#define FLAGS "help resume" /* options without a value */
#include "run.h"

static int help(void)
{
    settings s;
    table t;
    int i;
    printf("usage: pretrain [--method NAME | --preset NAME] [--data SPEC] [--out DIR] [--resume] [--KEY VALUE | --set KEY=VALUE]...\n\n"
           "DIR gets log.csv, config.json, checkpoint.safetensors and pictures. Ctrl-C saves and stops. --resume goes on from\n"
           "DIR/checkpoint.safetensors with its settings, bit for bit as if it had never stopped. Methods that paint what is hidden (mae,\n"
           "mae-mask-token) log their PSNR each epoch and keep the network of the best one as DIR/best.safetensors. The part of a name\n"
           "before the point may be left out: --beta2 is --optim.beta2, but --crop with method apl is apl's.\n\n"
           "Settings of all methods (defaults: those of %s)\n", methods[0].name);
    for (i = 0; i < N_METHODS; i++) {
        if (!settings_init(&s, methods[i].name, NULL)) return 1;
        s = settings_resolved(&s);
        t = settings_shared(&s);
        if (i == 0) table_print(&t);
        printf("\n%s: %s\nother defaults: %s\n", methods[i].name, methods[i].doc, methods[i].defaults);
        t = settings_own(&s);
        table_print(&t);
    }
    printf("\nPresets\n");
    for (i = 0; i < N_PRESETS; i++) printf("  --preset %-30s %s (%s)\n    %s\n", presets[i].name, presets[i].doc, presets[i].method, presets[i].settings);
    return 0;
}

/* What the settings start from: a preset, a method, or the first method. NULL after a message. */
static const char *start_of(const arguments *a)
{
    const char *name = arguments_find(a, "method"), *recipe = arguments_find(a, "preset");
    const preset *p = recipe ? preset_find(recipe) : NULL;
    if (!recipe) return name ? name : methods[0].name;
    if (!p) fprintf(stderr, "error: there is no preset \"%s\"; --help lists all\n", recipe);
    else if (name && strcmp(name, p->method)) fprintf(stderr, "error: preset %s is of method %s, not %s\n", recipe, p->method, name);
    else return recipe;
    return NULL;
}

/* The settings of this run: defaults, or with --resume those of the checkpoint; then the command line. */
static int settings_of(settings *s, const arguments *a, int64_t *step)
{
    const char *start, *out = arguments_find(a, "out");
    char path[2 * WORD_SIZE];
    table t;
    *step = 0;
    if (arguments_find(a, "resume")) {
        if (arguments_find(a, "preset")) { fprintf(stderr, "error: a resumed run has the settings of its checkpoint: --preset cannot be given again\n"); return 0; }
        snprintf(path, sizeof path, "%s/checkpoint.safetensors", out ? out : "out");
        return settings_load(s, path, arguments_find(a, "method"), a, step);
    }
    if (!(start = start_of(a)) || !settings_init(s, start, arguments_find(a, "augment"))) return 0;
    t = settings_table(s);
    return settings_apply(s, a, &t);
}

int main(int argc, char **argv)
{
    static arguments args;
    static settings s;
    run r;
    char path[2 * WORD_SIZE];
    if (!arguments_parse(&args, argc, argv)) return 1;
    if (arguments_find(&args, "help")) return help();
    if (!settings_of(&s, &args, &r.step) || !make_directories(s.run.out)) return 1;
    signal(SIGINT, interrupt);
    signal(SIGTERM, interrupt);
    run_open(&r, &s, r.step);
    if (r.step > 0) run_load(&r, run_path(&r, "checkpoint.safetensors", path), 0);
    if (ssl_ok(r.ctx)) printf("%s on %s: %d images, %lld parameters, %s\n", s.method->name, s.run.data, r.data->n, (long long)ssl_param_total(r.ctx), ssl_isa(r.ctx));
    run_train(&r);
    if (interrupted) printf("stopped after step %lld of %lld: go on with --resume --out %s\n", (long long)r.step, (long long)r.total, s.run.out);
    else run_pictures(&r);
    return ssl_close(r.ctx) != 0;
}
