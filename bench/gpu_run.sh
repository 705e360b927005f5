#!/usr/bin/env bash
# Everything that awaits an NVIDIA GPU, in 9 minutes: builds, tests, measures against PyTorch and cuBLASLt, runs the sanitizers.
#
#     bash bench/gpu_run.sh [OUT]          results in OUT (default build/gpu), a stage's as soon as it is there; a table at the end
#
# Needs nvcc and a GPU; compares with PyTorch where PYTHON (default python3) has torch, timm and torchvision. No network.
# SECONDS_ALL=540 is the time for all stages; one that does not fit any more is skipped and says so. Exit status: 0 when nothing
# failed, 1 when something did, 3 without a GPU or nvcc.
set -u
cd "$(dirname "$0")/.." || exit 1
out=${1:-build/gpu}
all=${SECONDS_ALL:-540}
python=${PYTHON:-python3}
fixtures=${FIXTURES:-../shared/fixtures}
mkdir -p "$out"
: >"$out/table.txt"

row() { printf '%-34s %-10s %s\n' "$1" "$2" "$3" | tee -a "$out/table.txt"; }
# stage NAME LIMIT COMMAND...: its output goes to OUT/NAME.txt; the row quotes its last line
stage() {
    local name=$1 limit=$2 left=$((all - SECONDS)) code start=$SECONDS verdict
    shift 2
    if [ "$left" -lt 10 ]; then row "$name" skipped "no time left"; return 1; fi
    timeout "$((limit < left ? limit : left))" "$@" >"$out/$name.txt" 2>&1 </dev/null
    code=$?
    verdict=failed
    if [ "$code" = 0 ]; then verdict=ok; elif [ "$code" = 124 ]; then verdict=timeout; fi
    [ "$code" = 0 ] || failed=1
    row "$name" "$verdict" "$((SECONDS - start)) s, $(tail -n 1 "$out/$name.txt" | cut -c1-120)"
    return "$code"
}
failed=0

if ! command -v nvidia-smi >/dev/null || ! nvidia-smi -L >/dev/null 2>&1; then
    echo "no NVIDIA GPU here: nothing was run (on a machine without one, make test runs the kernels on the host emulation)"
    exit 3
fi
if ! command -v "${NVCC:-nvcc}" >/dev/null; then
    echo "nvcc is not installed here: nothing was run"
    exit 3
fi
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | tee "$out/device.txt"

native=(CUDA_ARCH=-arch=native)
programs=(test_ops test_gemm conformance bench)
stage build 240 make -k "${native[@]}" "${programs[@]/#/build/cuda/}"
stage gemm-table 60 env SSL_DEVICE=cuda build/cuda/test_gemm cuda
stage op-table 90 env SSL_DEVICE=cuda build/cuda/test_ops
[ ! -d "$fixtures" ] || stage conformance 60 env SSL_DEVICE=cuda build/cuda/conformance "$fixtures"

# Images per second of whole training steps, bf16, then the same model in PyTorch (eager, compiled).
batch=(4096 1024 1024 1024 64 512 512)
if build/cuda/bench train --help 2>&1 | grep -q -e --device; then
    for i in 0 1 2 3 4 5 6; do
        w=W$((i + 1))
        stage "train-$w" 30 build/cuda/bench train "$w" --device cuda --precision bf16 --batch "${batch[i]}" --seconds 3 --json "$out/train-$w.json"
    done
    if "$python" bench/peer_torch.py --help 2>/dev/null | grep -q -e --device; then
        for i in 0 1 2 3 4 5 6; do
            w=W$((i + 1))
            stage "torch-eager-$w" 30 "$python" bench/peer_torch.py --alone "$w" --mode eager --device cuda --precision bf16 --batch "${batch[i]}" --seconds 3
            stage "torch-compile-$w" 60 "$python" bench/peer_torch.py --alone "$w" --mode compile --device cuda --precision bf16 --batch "${batch[i]}" --seconds 3
        done
    else
        row torch skipped "bench/peer_torch.py cannot run on a GPU here (no torch, or it has no --device)"
    fi
else
    row train skipped "build/cuda/bench has no train --device"
fi

# Matrix products at the workloads' shapes, beside cuBLASLt where its library is.
flags=()
lt=without
for dir in "${CUDA_HOME:-/usr/local/cuda}/lib64" /usr/lib/x86_64-linux-gnu; do
    if [ -e "$dir/libcublasLt.so" ]; then flags=(-DWITH_CUBLASLT "-L$dir" -lcublasLt) && lt=with; break; fi
done
if stage build-gemm 120 "${NVCC:-nvcc}" -O3 -arch=native -I. bench/gemm_cuda.cu "${flags[@]}" -o build/cuda/gemm_cuda; then
    stage "gemm-$lt-cublasLt" 60 build/cuda/gemm_cuda
    cat "$out/gemm-$lt-cublasLt.txt"
fi

if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck; do
        for filter in attention linear conv2d; do
            stage "$tool-$filter" 60 env SSL_DEVICE=cuda compute-sanitizer --error-exitcode 1 --tool "$tool" build/cuda/test_ops "$filter"
        done
    done
else
    row sanitizer skipped "compute-sanitizer is not installed"
fi

echo
echo "=== $(cat "$out/device.txt"), $SECONDS s"
cat "$out/table.txt"
exit "$failed"
