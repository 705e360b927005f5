# compile.sh DIR [FILTER]: the header in every language, compiler and neighbourhood it promises to work in. A row compiles,
# links and runs a small program. Tools that are not installed are skips.
root=$PWD dir=$1 filter=$2
passed=0 failed=0 skipped=0
warn='-Wall -Wextra -Wpedantic -Werror'
stb="-isystem ${STB_DIR:-/usr/include/stb} '-DSSL_STB_IMAGE=<stb_image.h>' '-DSSL_STB_IMAGE_WRITE=<stb_image_write.h>'"
link='-lm -pthread'
mkdir -p "$dir"
cd "$dir" || exit 1

cat >step.c <<'END'
#include "ssl.h"
int ssl_test_step(void);
int ssl_test_step(void)
{
    ssl_ctx *ctx = ssl_open(NULL);
    const float data[6] = { 1.0f, -2.0f, 3.0f, 0.5f, 0.0f, -1.0f };
    ssl_tensor *w = ssl_param(ctx, ssl_init_make(SSL_INIT_TORCH, 0.0f), "w", 2, 5, 3);
    ssl_tensor *loss = ssl_mean(ssl_gelu(ssl_linear(ssl_input(ctx, data, 2, 2, 3), w, NULL)));
    ssl_backward(loss);
    ssl_step_end(ctx);
    return ssl_close(ctx);
}
END
echo 'int ssl_test_step(void); int main(void) { return ssl_test_step(); }' >main.c
echo '#include "ssl.h"' >impl.c
cat step.c main.c >one.c
echo '#include <openssl/ssl.h>' | cat - step.c >openssl_first.c
(sed 1q step.c; echo '#include <openssl/ssl.h>'; sed 1d step.c) >openssl_last.c
echo '#include <openssl/ssl.h>
int ssl_test_step(void);
int main(void) { SSL_CTX *c = SSL_CTX_new(TLS_client_method()); SSL_CTX_free(c); return ssl_test_step() || !c; }' >openssl_main.c

have() { for tool in "$@"; do command -v "$tool" >/dev/null 2>&1 || return 1; done; }
wanted() { case $1 in *"$filter"*) ;; *) return 1 ;; esac; }
skip() { wanted "$1" || return 0; skipped=$((skipped + 1)); echo "skip $1: $2"; }
row() # NAME COMMANDS
{
    wanted "$1" || return 0
    if eval "$2" >log 2>&1; then passed=$((passed + 1)); echo "ok   $1"; return; fi
    failed=$((failed + 1))
    sed 30q log
    echo "FAIL $1, rerun: sh tests/compile.sh $dir '$1'"
}

include="-I'$root'"
impl="$warn $include -DSSL_IMPLEMENTATION"
openmp() # the flag, if the compiler has the header and the library
{ echo '#include <omp.h>
int main(void) { return omp_get_max_threads() < 1; }' >omp.c; "$1" -fopenmp omp.c -o omp 2>/dev/null && echo -fopenmp; }

# Languages and compilers.
for lang in 'gcc -std=c11 -O1' 'clang -std=c11 -O0' 'g++ -x c++ -std=c++17 -O1' 'clang++ -x c++ -std=c++17 -O0'; do
    cc=${lang%% *}
    if have "$cc"; then row "$cc" "$lang $impl $stb $(openmp "$cc") one.c -o one $link && ./one"
    else skip "$cc" "not installed"; fi
done
c="gcc -std=c11 -O0"
row no_openmp  "$c $impl one.c -o one $link && ./one"
row portable   "$c $impl -DSSL_PORTABLE -DNDEBUG one.c -o one $link && ./one"
row elsewhere  "mkdir -p lib/deep && cp '$root/ssl.h' lib/deep/ && sed 's,\"ssl.h\",\"deep/ssl.h\",' one.c >lib/one.c && $c $warn -DSSL_IMPLEMENTATION lib/one.c -o one $link && ./one &&
                $c $warn -DSSL_IMPLEMENTATION -Ilib/deep one.c -o one $link && ./one"
row arch       "$c $impl -march=native one.c -o one $link && ./one"

# One implementation, used from two units; or a private copy in each.
row two_units  "$c $impl -c impl.c && $c $warn $include step.c main.c impl.o -o two $link && ./two"
row static     "$c $impl -DSSL_STATIC -c impl.c && $c $impl -DSSL_STATIC step.c main.c impl.o -o two $link && ./two"
row cxx_uses_c "$c $impl -c impl.c && g++ -std=c++17 $warn $include -x c++ step.c main.c -x none impl.o -o two $link && ./two"
row one_hook   "$c $include -DSSL_IMPLEMENTATION '-DSSL_MALLOC(n)=malloc(n)' -c impl.c 2>&1 | grep 'define both SSL_MALLOC'"

# Names: all globals start with ssl_, none is writable.
row names      "$c $impl -c -fno-pic -fno-pie impl.c && nm impl.o | awk '
                    \$2 ~ /^[A-Z]\$/ && \$2 != \"U\" && \$3 !~ /^ssl_/ { print \"not ours: \" \$3; bad = 1 }
                    \$2 ~ /^[BbCDdGgSs]\$/ { print \"writable: \" \$3; bad = 1 }
                    END { exit bad }'"

# Beside OpenSSL, which shares the prefix.
if [ -f /usr/include/openssl/ssl.h ]; then
    ssl="-Wl,-Bstatic -lssl -lcrypto -Wl,-Bdynamic -ldl"
    for order in openssl_first openssl_last; do
        row "$order" "$c $impl $order.c openssl_main.c -o openssl $ssl $link && ./openssl"
    done
    row openssl_names "$c $impl -c impl.c && nm -g --defined-only impl.o \$(gcc -print-file-name=libssl.a) 2>/dev/null |
                       awk 'NF == 3 { print \$3 }' | sort | uniq -d | awk '{ print; bad = 1 } END { exit bad }'"
else
    skip openssl "libssl-dev is not installed"
fi

# Other machines.
if have aarch64-linux-gnu-gcc qemu-aarch64; then
    row arm64 "aarch64-linux-gnu-gcc -std=c11 -O1 -static $impl one.c -o one $link && qemu-aarch64 ./one"
    for test in ops engine; do
        [ -f "$root/tests/test_$test.c" ] || continue
        row arm64_$test "aarch64-linux-gnu-gcc -std=c11 -O2 -static -fopenmp $warn $include $root/tests/test_$test.c -o test $link && qemu-aarch64 ./test"
    done
else
    skip arm64 "gcc-aarch64-linux-gnu or qemu-user is not installed"
fi
if have "${NVCC:-nvcc}"; then
    cuda="-gencode arch=compute_80,code=[sm_80,compute_80] -gencode arch=compute_90a,code=sm_90a --threads 2 -Xptxas -O0" # ptxas -O0: a third of the time
    row nvcc "${NVCC:-nvcc} -O1 -x cu $cuda -Werror all-warnings -DSSL_IMPLEMENTATION $include one.c -o one && ./one"
else
    skip nvcc "not installed"
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
