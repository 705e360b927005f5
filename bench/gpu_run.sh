#!/usr/bin/env bash
# Everything that awaits an NVIDIA GPU, in 9 minutes: builds, tests, measures against PyTorch and cuBLASLt, runs the sanitizers.
#
#     bash bench/gpu_run.sh [OUT]          results in OUT (default build/gpu), a stage's as soon as it is there; a table at the end
#
# Needs nvcc 11.6 or later (code for the GPU that is there) and a GPU; compares with PyTorch where PYTHON (default python3) has
# torch, timm and torchvision. No network: without stb_image the programs are built without it, without FIXTURES those of tests/golden are replayed.
# While nvcc builds, the GPU measures PyTorch. SECONDS_ALL=540 is the time for all stages; one that does not fit any more is skipped
# and says so. Exit status: 0 when nothing failed, 1 when something did, 3 without a GPU or nvcc.
set -u
cd "$(dirname "$0")/.." || exit 1
out=${1:-build/gpu}
all=${SECONDS_ALL:-540}
python=${PYTHON:-python3}
nvcc=${NVCC:-nvcc}
fixtures=${FIXTURES:-../shared/fixtures}
[ -d "$fixtures" ] || fixtures=tests/golden
workloads=(W1 W2 W3 W4 W5 W6 W7)
batch=(4096 1024 1024 1024 64 512 512)

row() { printf '%-34s %-10s %s\n' "$1" "$2" "$3" | tee -a "$out/stages.txt"; }
# stage NAME LIMIT COMMAND...: its output goes to OUT/NAME.txt; the row quotes its last line, or where it failed the first that says error
stage() {
    local name=$1 limit=$2 left=$((all - SECONDS)) code start=$SECONDS verdict=failed quote
    shift 2
    if [ "$left" -lt 10 ]; then row "$name" skipped "no time left"; return 1; fi
    timeout -k 5 "$((limit < left ? limit : left))" "$@" >"$out/$name.txt" 2>&1 </dev/null
    code=$?
    quote=$(tail -n 1 "$out/$name.txt")
    case $code in
    0) verdict=ok ;;
    124 | 137) verdict=timeout ;;
    *) [[ $quote == *' passed, '* ]] || quote="exit $code: $(grep -im 1 'error' "$out/$name.txt" || echo "$quote")" ;;
    esac
    row "$name" "$verdict" "$((SECONDS - start)) s, $(printf %s "$quote" | cut -c1-120)"
    return "$code"
}
number() { sed -n "s/.*\"$2\": *\([0-9.]*\).*/\1/p" "$1" 2>/dev/null | tail -n 1; } # FILE KEY: the last value in it
peer() { # MODE LIMIT INDEX
    local w=${workloads[$3]}
    stage "torch-$1-$w" "$2" "$python" bench/peer_torch.py --alone "$w" --mode "$1" --device cuda --precision bf16 --batch "${batch[$3]}" --seconds 3
}
workload_table() { # images per second of each workload and of PyTorch, the ratio to the faster of its modes, memory of both
    local w i ours eager compiled mb
    printf '\n%-9s %6s %11s %11s %11s %7s %9s %9s\n' "bf16" batch images/s eager compile ratio MB "torch MB"
    for i in "${!workloads[@]}"; do
        w=${workloads[i]}
        ours=$(number "$out/train-$w.json" images_per_s) eager=$(number "$out/torch-eager-$w.txt" peer_images_per_s)
        compiled=$(number "$out/torch-compile-$w.txt" peer_images_per_s) mb=$(number "$out/torch-eager-$w.txt" peer_peak_mb)
        awk -v w="$w" -v b="${batch[i]}" -v o="${ours:-0}" -v e="${eager:-0}" -v c="${compiled:-0}" -v m="$(number "$out/train-$w.json" peak_mb)" -v t="${mb:-0}" 'BEGIN {
            best = (e > c) ? e : c
            printf "%-9s %6d %11.0f %11.0f %11.0f %7s %9.0f %9.0f\n", w, b, o, e, c, (best > 0 && o > 0 ? sprintf("%.2f", o / best) : "-"), m, t }'
    done
}

if ! command -v nvidia-smi >/dev/null || ! nvidia-smi -L >/dev/null 2>&1; then
    echo "no NVIDIA GPU here: nothing was run (on a machine without one, make test runs the kernels on the host emulation)"
    exit 3
fi
if ! command -v "$nvcc" >/dev/null; then
    echo "nvcc is not installed here: nothing was run"
    exit 3
fi
mkdir -p "$out"
rm -f "$out"/*.txt "$out"/*.json
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | tee "$out/gpu.txt"

# Build in the background, PyTorch (eager) in the foreground.
flags=()
lt=without
for dir in "${CUDA_HOME:-/usr/local/cuda}/lib64" /usr/lib/x86_64-linux-gnu; do
    if [ -e "$dir/libcublasLt.so" ]; then flags=(-DWITH_CUBLASLT "-L$dir" -lcublasLt) && lt=with; break; fi
done
stb=()
[ -e "${STB_DIR:-/usr/include/stb}/stb_image.h" ] || stb=(STB= NEEDS='ssl.h Makefile')
mkdir -p build/cuda
fast=-DSSL_PORTABLE # of the CPU's code: less to compile
"$nvcc" --help | grep -q -e --split-compile && fast+=' -split-compile 0'
stage build 240 make -k NVCC="$nvcc" CUDA_ARCH="-arch=native $fast" CUDA_WARN= "${stb[@]}" build/cuda/{bench,test_ops,test_gemm,conformance,device} &
build=$!
stage build-gemm 240 "$nvcc" -O3 -arch=native -I. bench/gemm_cuda.cu "${flags[@]}" -o build/cuda/gemm_cuda &
build_gemm=$!
torch=no
if "$python" -c 'import sys, torch, timm, torchvision; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    torch=yes
    for i in "${!workloads[@]}"; do peer eager 30 "$i"; done
else
    row torch skipped "no torch with CUDA, timm and torchvision in $python"
fi
wait "$build"
wait "$build_gemm"

# Right first: products, what the backend promises, every op; then speed; then the rest by value.
export SSL_DEVICE=cuda
stage gemm-table 45 build/cuda/test_gemm cuda
stage device 60 build/cuda/device
stage op-table 90 build/cuda/test_ops
for i in "${!workloads[@]}"; do
    w=${workloads[i]}
    stage "train-$w" 30 build/cuda/bench train "$w" --device cuda --precision bf16 --batch "${batch[i]}" --seconds 3 --json "$out/train-$w.json"
done
workload_table | tee "$out/workloads.txt"
stage "gemm-$lt-cublasLt" 60 build/cuda/gemm_cuda
for precision in highest bf16 high; do stage "conformance-$precision" 60 build/cuda/conformance "$fixtures" --precision "$precision"; done
stage graph-off-W1 20 env SSL_CUDA_GRAPH=0 build/cuda/bench train W1 --device cuda --precision bf16 --batch 4096 --seconds 2
if command -v compute-sanitizer >/dev/null; then
    for what in 'memcheck test_ops linear' 'racecheck test_ops attention' 'memcheck test_ops attention' 'racecheck test_ops linear' 'memcheck device presets' 'racecheck device half_blocks'; do
        read -r tool program filter <<<"$what"
        stage "$tool-$program-$filter" 40 compute-sanitizer --error-exitcode 1 --tool "$tool" "build/cuda/$program" "$filter"
    done
else
    row sanitizer skipped "compute-sanitizer is not installed"
fi
if [ "$torch" = yes ]; then for i in "${!workloads[@]}"; do peer compile 75 "$i"; done; fi

{
    echo "=== $(cat "$out/gpu.txt"), $SECONDS s"
    cat "$out/stages.txt"
    workload_table
    [ ! -e "$out/gemm-$lt-cublasLt.txt" ] || cat "$out/gemm-$lt-cublasLt.txt"
} >"$out/table.txt"
echo
cat "$out/table.txt"
! grep -v '^torch' "$out/stages.txt" | grep -Eq ' (failed|timeout) ' # of ours
