/* The programs as a user meets them: runs that resume bit for bit, settings read back, misuse and bad luck each answered in one
   sentence and exit code 1.   ./build/test_programs [NAME]   pretrain and evaluate are looked for beside it. */
#ifndef _GNU_SOURCE
#  define _GNU_SOURCE /* mkdtemp */
#endif
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"

static char bin[256], dir[64], output[1 << 16];

static char *read_all(const char *path, size_t *n) /* caller frees; NULL if it cannot be read */
{
    FILE *f = fopen(path, "rb");
    char *p = NULL;
    long size = -1;
    if (f && !fseek(f, 0, SEEK_END)) size = ftell(f);
    if (size >= 0) p = (char *)malloc((size_t)size + 1);
    if (p) {
        rewind(f);
        *n = fread(p, 1, (size_t)size, f);
        p[*n] = 0;
    }
    if (f) fclose(f);
    return p;
}
/* Runs "PROGRAM ..." in the test's directory with the shell; both streams go to `output`. Returns the exit code, -1 for a crash. */
static int run(const char *program, const char *format, ...)
{
    char line[2048], *text;
    size_t n, used = (size_t)snprintf(line, sizeof line, "cd %s && { %s%s ", dir, *program ? bin : "", program);
    int status;
    va_list list;
    va_start(list, format);
    vsnprintf(line + used, sizeof line - used, format, list);
    va_end(list);
    strncat(line, "; } >output.txt 2>&1 </dev/null", sizeof line - strlen(line) - 1);
    status = system(line);
    snprintf(line, sizeof line, "%s/output.txt", dir);
    *output = 0;
    if ((text = read_all(line, &n)) != NULL) snprintf(output, sizeof output, "%s", text);
    free(text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
static int same_file(const char *a, const char *b)
{
    char path[2][128], *p, *q;
    size_t n = 0, m = 0;
    int same;
    snprintf(path[0], sizeof path[0], "%s/%s", dir, a);
    snprintf(path[1], sizeof path[1], "%s/%s", dir, b);
    p = read_all(path[0], &n);
    q = read_all(path[1], &m);
    same = p && q && n == m && n > 1000 && !memcmp(p, q, n);
    free(p);
    free(q);
    return same;
}
static int file_has(const char *name, const char *words)
{
    char path[128], *p;
    size_t n;
    int found;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    p = read_all(path, &n);
    found = p && strstr(p, words);
    free(p);
    return found;
}
static int lines(const char *text, const char *words) /* lines that hold the words */
{
    int n = 0;
    for (; (text = strstr(text, words)) != NULL; text++) n++;
    return n;
}
/* The line is refused: exit code 1, one sentence with these words. */
static void refused(const char *program, const char *arguments, const char *words)
{
    const int code = run(program, "%s", arguments), ok = code == 1 && strstr(output, words) && lines(output, "error:") == 1;
    check(ok, arguments, __FILE__, __LINE__);
    if (!ok) printf("     exit code %d, wanted: %s\n     said: %s\n", code, words, output);
}

#define SMALL "--data synthetic:64 --batch 16 --epochs 2 --dim 24 --heads 2 --depth 1 --threads 2 "

/* Eight steps at once, or five and three: the same checkpoint to the last byte, and no row of the log twice. */
static void resumes(const char *method)
{
    CHECK(run("pretrain", "--method %s " SMALL "--seed 3 --log-every 1 --out %s", method, method) == 0 && run("", "mv %s whole", method) == 0);
    CHECK(run("pretrain", "--method %s " SMALL "--seed 3 --log-every 1 --out %s --stop-after 5", method, method) == 0 && strstr(output, "--resume"));
    CHECK(run("", "! cmp -s whole/checkpoint.safetensors %s/checkpoint.safetensors", method) == 0);
    CHECK(run("pretrain", "--resume --out %s --stop-after 0", method) == 0);
    CHECK(run("", "cmp whole/checkpoint.safetensors %s/checkpoint.safetensors && cmp whole/config.json %s/config.json", method, method) == 0);
    CHECK(run("", "cmp whole/look.png %s/look.png && cmp whole/%s.png %s/%s.png && cmp whole/neighbors.png %s/neighbors.png", method, method, method, method, method) == 0);
    CHECK(run("", "cut -d, -f1-4 whole/log.csv >a && cut -d, -f1-4 %s/log.csv | cmp - a && test $(wc -l <a) = 9", method) == 0);
    run("", "rm -r whole");
}
static void test_resume(void)
{
    resumes("apl");
    resumes("mae");
    resumes("mae-mask-token");
    resumes("jigsaw");
    resumes("simclr");
    resumes("moco"); /* its queue, its target */
    resumes("dino"); /* its center, views of two sizes */
}
static void test_pictures_of_maps(void) /* networks without attention: principal components alone, and what is alike before and after training */
{
    CHECK(run("pretrain", "--method pixpro --data synthetic:64 --epochs 1 --threads 2 --second-augment byol --out pixels") == 0 && file_has("pixels/pixpro.png", "PNG") && file_has("pixels/look.png", "PNG"));
    CHECK(run("pretrain", "--method dino --backbone resnet --resnet-width 8 " SMALL "--out maps") == 0 && file_has("maps/look.png", "PNG"));
}
static void test_same_bits(void)
{
    char a[64], b[64];
    CHECK(run("pretrain", "--method mae " SMALL "--out twice") == 0);
    snprintf(a, sizeof a, "once.safetensors");
    snprintf(b, sizeof b, "twice/checkpoint.safetensors");
    CHECK(run("", "mv %s %s", b, a) == 0);
    CHECK(run("pretrain", "--method mae " SMALL "--out twice") == 0 && same_file(a, b));
}
static void test_settings(void)
{
    CHECK(run("pretrain", "--method mae " SMALL "--stop-after 1 --set optim.beta2=0.9 --set mask_ratio=0.5 --lr=0.002 --out settings") == 0);
    CHECK(file_has("settings/config.json", "\"mask_ratio\": 0.5") && file_has("settings/config.json", "\"lr\": 0.002"));
    CHECK(file_has("settings/config.json", "\"optim.beta2\": 0.9") && file_has("settings/config.json", "\"method\": \"mae\""));
    CHECK(file_has("settings/log.csv", "step,epoch,lr,loss"));
    CHECK(run("pretrain", "--method byol " SMALL "--stop-after 1 --log-every 1 --out byol") == 0 && file_has("byol/config.json", "\"augment.blur_p\": 1,") &&
          file_has("byol/config.json", "\"second_blur_p\": 0.1") && file_has("byol/config.json", "\"second_solarize_p\": 0.2"));
    CHECK(run("pretrain", "--method byol " SMALL "--stop-after 1 --log-every 1 --second-solarize-p 1 --out byol2") == 0 &&
          run("", "! test \"$(cut -d, -f4 byol/log.csv)\" = \"$(cut -d, -f4 byol2/log.csv)\"") == 0);
    CHECK(run("pretrain", "--method byol " SMALL "--stop-after 1 --augment simclr --out byol") == 0 && file_has("byol/config.json", "\"second_solarize_p\": -1,"));
    CHECK(run("pretrain", "--help") == 0 && strstr(output, "--mask-ratio") && strstr(output, "--optim.beta2") && strstr(output, "0.95"));
    CHECK(run("evaluate", "--help") == 0 && strstr(output, "--protocol"));
}
/* TensorBoard's file: records of length, CRC, data, CRC; the names of the columns of log.csv are in it. base_lr is the rate of 256 images. */
static void test_tensorboard(void)
{
    CHECK(run("pretrain", "--method mae " SMALL "--log-every 1 --tensorboard 1 --base-lr 0.032 --schedule constant --out board") == 0 && run("", "mv board/events.out.tfevents.* events") == 0);
    CHECK(file_has("board/log.csv", "\n1,0.25,0.00200000009,")); /* 0.032 x 16 / 256 */
    CHECK(run("", "grep -ac psnr_val events | grep -qx 1; grep -ao 'brain.Event:2' events && test $(grep -ao images_per_second events | wc -l) = 8") == 0);
    CHECK(run("", "od -An -tu1 -N12 events | awk '{ exit !($1 == 24 && $2 == 0 && $9 == 163 && $10 == 127 && $11 == 75 && $12 == 34) }'") == 0);
}
/* Autoencoders log their PSNR and keep the best network; data without a test split give up some images for it. */
static void test_best_autoencoder(void)
{
    const char *const on_pictures = "--method mae-mask-token --data folder:best --image-size 32 --batch 2 --epochs 1 --dim 24 --heads 2 --depth 1 --threads 2 --out held";
    char line[256];
    CHECK(run("pretrain", "--method mae-mask-token " SMALL "--out best") == 0 && file_has("best/log.csv", ",psnr_train,psnr_val\n"));
    CHECK(run("", "tail -1 best/log.csv | awk -F, '{ exit !($6 > 1 && $6 < 60 && $7 > 1 && $7 < 60) }'") == 0);
    CHECK(run("evaluate", "--checkpoint best/best.safetensors --data synthetic:60 --test synthetic:50 --k 5") == 0);
    CHECK(run("pretrain", "%s --hold-out 0.34", on_pictures) == 0 && strstr(output, "4 images") && file_has("held/log.csv", "\n1,1,")); /* one held out; one step on two of three */
    snprintf(line, sizeof line, "%s --hold-out 0.9", on_pictures);
    refused("pretrain", line, "--hold-out leaves no image");
}
static void test_evaluate(void)
{
    const char *const file = "--checkpoint eval/checkpoint.safetensors --data synthetic:200 --test synthetic:50";
    CHECK(run("pretrain", "--method simclr " SMALL "--out eval") == 0);
    CHECK(run("evaluate", "%s --json", file) == 0 && strstr(output, "\"protocol\": \"knn\"") && strstr(output, "\"test_images\": 50") && strstr(output, "\"nll\": "));
    CHECK(run("evaluate", "%s --protocol linear", file) == 0 && strstr(output, "linear on") && strstr(output, "nll"));
    CHECK(run("evaluate", "%s --features untrained", file) == 0 && strstr(output, "untrained"));
    CHECK(run("evaluate", "%s --features pixels", file) == 0 && strstr(output, "pixels"));
    refused("evaluate", "--checkpoint eval/checkpoint.safetensors --data synthetic:30 --k 31", "31");
    refused("evaluate", "", "--checkpoint FILE is missing");
    refused("evaluate", "--checkpoint nowhere.safetensors", "nowhere.safetensors");
    CHECK(run("", "head -c 5000 eval/checkpoint.safetensors >eval/short.safetensors") == 0);
    refused("evaluate", "--checkpoint eval/short.safetensors", "short.safetensors");
    CHECK(run("", "echo '{}' >eval/other.safetensors") == 0);
    refused("evaluate", "--checkpoint eval/other.safetensors", "other.safetensors");
}
/* The values of a parameter in a .safetensors file, to be freed; NULL if it has none of that name. */
static char *parameter(const char *file, const char *name, size_t *bytes)
{
    char path[128], key[128], *p, *q = NULL;
    unsigned long long from, to, header = 0;
    const char *at;
    size_t n;
    int i;
    snprintf(path, sizeof path, "%s/%s", dir, file);
    snprintf(key, sizeof key, "\"%s\":{", name);
    p = read_all(path, &n);
    for (i = 7; p && i >= 0; i--) header = header << 8 | (unsigned char)p[i];
    at = p && header < n ? strstr(p + 8, key) : NULL;
    at = at ? strstr(at, "\"data_offsets\":[") : NULL;
    if (at && sscanf(at, "\"data_offsets\":[%llu,%llu]", &from, &to) == 2 && 8 + header + to <= n && (q = (char *)malloc((size_t)(to - from))) != NULL) {
        *bytes = (size_t)(to - from);
        memcpy(q, p + 8 + header + from, *bytes);
    }
    free(p);
    return q;
}
static int same_parameter(const char *a, const char *b, const char *name) /* -1: one of the files lacks it */
{
    size_t n = 0, m = 0;
    char *p = parameter(a, name, &n), *q = parameter(b, name, &m);
    const int same = !p || !q ? -1 : n == m && !memcmp(p, q, n);
    free(p);
    free(q);
    return same;
}
/* APL's tuner with its switches: head alone, encoder of the patches held, everything, and from scratch. */
static void test_tuner(void)
{
    static const char *const patch = "patch_embed.weight", *const block = "encoder.layers.0.linear1.weight";
    static const struct { const char *name, *switches; int patch, block; } rows[] = { /* 1: as pre-trained */
        { "linear", "--protocol linear", 1, 1 },
        { "mlp", "--protocol mlp", 1, 1 },
        { "head only", "--protocol finetune --freeze --head mlp_plain", 1, 1 },
        { "encoder frozen", "--protocol finetune --freeze=patch_embed*", 1, 0 },
        { "all of it", "--protocol finetune --eval-every 1", 0, 0 },
        { "scratch", "--protocol scratch", 0, 0 } };
    size_t i;
    CHECK(run("pretrain", "--method apl --encoder linear " SMALL "--patch-dropout 0.2 --out tuned") == 0);
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        int ok = run("evaluate", "--checkpoint tuned/checkpoint.safetensors --data synthetic:200 --test synthetic:50 --labels-per-class 8 --recipe apl --batch 16 --epochs 2 --threads 2 "
                                 "%s --out tuned/%d", rows[i].switches, (int)i) == 0 && strstr(output, "nll") && strstr(output, "(80 images)");
        char file[64];
        snprintf(file, sizeof file, "tuned/%d/tuned-0.safetensors", (int)i);
        ok = ok && same_parameter(file, "tuned/checkpoint.safetensors", patch) == rows[i].patch && same_parameter(file, "tuned/checkpoint.safetensors", block) == rows[i].block;
        ok = ok && strstr(output, "epoch   1") ? i == 4 : ok && i != 4;
        if (!check(ok, rows[i].name, __FILE__, __LINE__)) printf("     said: %s\n", output);
    }
}
/* The classifier beside is logged and kept, and the network is what it is without it. */
static void test_online_evaluator(void)
{
    CHECK(run("pretrain", "--method simclr " SMALL "--online-eval 1 --out beside") == 0 && file_has("beside/log.csv", ",online_train,online_val\n"));
    CHECK(run("pretrain", "--method simclr " SMALL "--out alone") == 0 && same_file("beside/backbone.safetensors", "alone/backbone.safetensors"));
    CHECK(run("", "tail -1 beside/log.csv | awk -F, '{ exit !($(NF-1) > 0 && $NF > 0 && $NF < 1) }'") == 0 && run("", "test -s beside/online_eval.safetensors") == 0);
}
static void test_misuse(void)
{
    refused("pretrain", "--epoch 3", "did you mean \"epochs\"?");
    refused("pretrain", "--method ma", "did you mean \"mae\"?");
    refused("pretrain", "--epochs many", "epochs must be a whole number");
    refused("pretrain", "--lr", "needs a value");
    refused("pretrain", "--json 1", "there is no setting \"json\"");
    refused("pretrain", "epochs 3", "is not an option");
    refused("pretrain", "--set epochs", "--set needs key=value");
    refused("pretrain", "--schedule rising", "cosine|chained|constant");
    refused("pretrain", "--augment sunny", "there is no augmentation recipe \"sunny\"");
    refused("pretrain", "--preset nothing", "there is no preset \"nothing\"");
    refused("pretrain", "--preset randsac-cifar10 --method mae", "is of method randsac");
    refused("pretrain", "--method jigsaw --permutations 30 --grid 2 --out m", "30 permutations of 4 tiles");
    refused("pretrain", "--method randsac --segment 3 --out m", "segments of 3 x 3");
    refused("pretrain", "--method amdim --comparisons 01,07 --out m", "\"01,07\" names map 7");
    refused("pretrain", "--method pixpro --pixel-layer layer9 --out m", "layer1 layer2 layer3 layer4 avgpool");
    refused("pretrain", "--method moco " SMALL "--queue 31 --out m", "take a longer queue or a smaller batch");
    refused("pretrain", "--method byol " SMALL "--batch 1 --out m", "use a batch of at least 2");
    refused("pretrain", "--data imagenet:x --out m", "imagenet");
    refused("pretrain", "--data folder:/nowhere --out m", "/nowhere");
    refused("pretrain", "--data synthetic:0 --out m", "synthetic");
    refused("pretrain", "--method mae --dim 30 --heads 4 --out m", "30");
    refused("pretrain", "--method mae --patch 5 --out m", "5");
    refused("pretrain", "--method mae --mask-ratio 0.999 --out m", "0.999");
    refused("pretrain", "--method apl --grid 40 --out m", "40");
    refused("pretrain", "--batch 100 --data synthetic:64 --out m", "batch");
    refused("pretrain", "--resume --out nowhere", "nowhere/checkpoint.safetensors");
    refused("pretrain", "--out /proc/none", "/proc/none");
    refused("pretrain", "--out ''", "out is empty");
    refused("pretrain", "--threads 100000000 --out m", "100000000 threads");
    CHECK(run("pretrain", "--method mae " SMALL "--epochs 2000000000 --log-every 1 --stop-after 2 --out m") == 0 && !strstr(output, ":-"));
    CHECK(run("", "mkdir -p empty/a truncated && head -c 10000 /dev/zero >truncated/data_batch_1.bin") == 0);
    refused("pretrain", "--data folder:empty --out m", "empty");
    refused("pretrain", "--data cifar10:truncated --out m", "truncated");
}
/* What would be passed over in silence is told, and so is every setting out of its range: by its option, before anything is written. */
static void test_settings_in_vain(void)
{
    static const char *const rows[][2] = {
        { "--method mae", "is of method simclr, not mae" }, { "--log-every 2", "--log-every counts only in pretrain" }, { "--preset apl-stl10", "--preset counts only in pretrain" },
        { "--k 3 --protocol linear", "--k counts only with --protocol knn" }, { "--l2 1", "--l2 counts only with --protocol linear --solver lbfgs" }, { "--freeze", "--freeze counts only" },
        { "--features untrained --protocol finetune", "--features counts only" }, { "--lr 1", "--lr counts only where a classifier is trained" }, { "--hflip 1", "--hflip counts only where" },
        { "--baseline cnn", "--baseline is a network of its own: leave --checkpoint out" }, { "--repeats 0", "--repeats is 0: it must be 1 to a million" },
        { "--protocol mlp --epochs 0", "--epochs is 0: it must be at least 1" }, { "--k -1", "--k is -1" } };
    static const char *const numbers[][2] = {
        { "--lr -1", "--lr is -1: it must be 0 or more" }, { "--lr 1e38", "--lr is 1e+38: it must be" }, { "--lr nan", "--lr must be a number, not \"nan\"" }, { "--lr 1e39", "--lr must be a number" },
        { "--batch 0", "--batch is 0: it must be from 1" }, { "--epochs -1", "--epochs is -1: it must be at least 1" }, { "--batch 2000000000", "--batch is 2000000000" },
        { "--beta2 1", "--optim.beta2 is 1: it must be from 0 to below 1" }, { "--beta2 -0.1", "--beta2 must be a number from 0" }, { "--log-every 0", "--log-every is 0" },
        { "--drop-path -1", "drop_path -1: both must be from 0 to below 1" }, { "--second-blur-p 1", "this method takes one view" } };
    char line[512];
    size_t i;
    CHECK(run("pretrain", "--method simclr " SMALL "--out vain") == 0);
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(line, sizeof line, "--checkpoint vain/checkpoint.safetensors --data synthetic:200 --test synthetic:50 %s", rows[i][0]);
        refused("evaluate", line, rows[i][1]);
    }
    for (i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        snprintf(line, sizeof line, "--method mae " SMALL "%s --out empty_%d", numbers[i][0], (int)i);
        refused("pretrain", line, numbers[i][1]);
        CHECK(!strstr(output, "run.h") && run("", "test -z \"$(ls empty_%d 2>/dev/null)\"", (int)i) == 0);
    }
    CHECK(run("pretrain", "--preset randsac-cifar10 --lr 0.5 --data synthetic:64 --image-size 16 --segment 2 --batch 16 --dim 24 --heads 2 --depth 1 --stop-after 1 --warmup 0 --log-every 1 --out rate") == 0 &&
          file_has("rate/log.csv", "\n1,0.25,0.5,")); /* not the preset's base_lr */
}
/* A loss that is no number stops the run and names the op; the checkpoint of before stays as it was. */
static void test_nan(void)
{
    CHECK(run("pretrain", "--method mae " SMALL "--stop-after 4 --save-every 1 --out nan") == 0);
    CHECK(run("", "cp nan/checkpoint.safetensors before") == 0);
    refused("pretrain", "--resume --out nan --lr 1e30 --clip-norm 0 --epochs 40 --stop-after 0 --save-every 100", "the first op that made one is");
    CHECK(same_file("before", "nan/checkpoint.safetensors"));
    CHECK(run("evaluate", "--checkpoint nan/checkpoint.safetensors --data synthetic:200 --test synthetic:50") == 0);
}
/* A full disk: the shell's limit on file sizes answers as one does, with a failing write. */
static void test_full_disk(void)
{
    CHECK(run("pretrain", "--method mae " SMALL "--stop-after 4 --out full") == 0);
    CHECK(run("", "cp full/checkpoint.safetensors before") == 0);
    CHECK(run("", "sh -c \"trap '' XFSZ; ulimit -f 16; %spretrain --resume --out full --stop-after 0\"", bin) == 1 && strstr(output, "cannot write full/") && strstr(output, "File too large"));
    CHECK(same_file("before", "full/checkpoint.safetensors"));
    CHECK(run("", "ls full | grep -c '\\.tmp' | grep -qx 0") == 0);
    CHECK(run("", "sh -c \"trap '' XFSZ; ulimit -f 8; %spretrain --method simclr " SMALL "--epochs 30 --save-every 1000 --log-every 1 --tensorboard 1 --out events_full\"", bin) == 1 &&
          strstr(output, "cannot write events.out.tfevents.*") && lines(output, "error:") == 1);
    CHECK(run("", "test -c /dev/full || exit 0; %sevaluate --checkpoint full/checkpoint.safetensors --data synthetic:64 --test synthetic:16 >/dev/full", bin) == 1 && lines(output, "error: the result") == 1);
    refused("pretrain", "--out /dev/null", "\"/dev/null\": a file has that name");
}
/* Resumed with another method a run would go on with the first, and its checkpoint then name the second: nobody could read it again. */
static void test_resume_of_another_method(void)
{
    CHECK(run("pretrain", "--method mae " SMALL "--stop-after 4 --out other") == 0 && run("", "cp other/checkpoint.safetensors before") == 0);
    refused("pretrain", "--resume --out other --method simclr", "is of method mae, not simclr");
    refused("pretrain", "--resume --out other --dim 48", "of another shape");
    CHECK(same_file("before", "other/checkpoint.safetensors") && run("pretrain", "--resume --out other --method mae --stop-after 0") == 0);
}
/* Asked to end, a run finishes its step, saves and says how to go on. */
static void test_interrupt(void)
{
    CHECK(run("", "%spretrain --method mae --data synthetic:2000 --epochs 500 --dim 24 --heads 2 --depth 1 --threads 1 --out stopped & p=$!; "
                  "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.3; [ -s stopped/log.csv ] && break; done; kill -TERM $p; wait $p", bin) == 0);
    CHECK(strstr(output, "--resume --out stopped") != NULL);
    CHECK(run("pretrain", "--resume --out stopped --stop-after 1") == 0);
    /* while it makes a network that takes minutes to make nobody looks at the first signal: the second one ends it */
    CHECK(run("", "timeout -s INT -k 9 9 sh -c '%spretrain --method mae --depth 100000 --dim 4 --heads 1 --threads 1 --out slow & p=$!; sleep 1; kill -TERM $p; sleep 0.5; kill -TERM $p; wait $p'", bin) == 128 + 15);
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    char here[200];
    if (argc > 1) check_filter = argv[1];
    if (!getcwd(here, sizeof here)) return 1;
    snprintf(bin, sizeof bin, "%s%s%.*s", *argv[0] == '/' ? "" : here, *argv[0] == '/' ? "" : "/", slash ? (int)(slash - argv[0] + 1) : 0, argv[0]);
    snprintf(dir, sizeof dir, "/tmp/test_programs.XXXXXX");
    if (!mkdtemp(dir)) { perror(dir); return 1; }
    setenv("OMP_WAIT_POLICY", "passive", 0); /* tiny steps on a busy machine */
    TEST(resume);
    TEST(pictures_of_maps);
    TEST(same_bits);
    TEST(settings);
    TEST(tensorboard);
    TEST(best_autoencoder);
    TEST(evaluate);
    TEST(tuner);
    TEST(online_evaluator);
    TEST(misuse);
    TEST(settings_in_vain);
    TEST(nan);
    TEST(full_disk);
    TEST(resume_of_another_method);
    TEST(interrupt);
    run("", "rm -rf %s", dir);
    return check_done();
}
