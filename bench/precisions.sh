# precisions.sh DATA OUT [SEED...]: what a lower precision costs in accuracy. Short runs on 10,000 images of DATA (a SPEC as in
# pretrain --help) at every precision and with every seed (default 0 1 2); k-NN with 5,000 of them on 5,000 test images.
#   sh bench/precisions.sh folder:data/cifar10-jpeg runs/precisions
data=$1 out=$2
shift 2
settings() {
    case $1 in
    apl)    echo '--encoder linear --dim 96 --depth 3 --heads 3 --grid 4 --crop 2 --pre-norm 1 --batch 128 --lr 1e-3 --epochs 6' ;;
    mae)    echo '--dim 64 --heads 2 --depth 3 --patch 4 --decoder-dim 48 --decoder-depth 1 --decoder-heads 2 --norm-pix 1 --batch 128 --lr 2e-3 --epochs 10' ;;
    simclr) echo '--backbone resnet --resnet-width 16 --cifar-stem -1 --batch 128 --lr 2e-3 --epochs 4' ;;
    esac
}
run() { # METHOD PRECISION SEED: its k-NN accuracy in percent
    # shellcheck disable=SC2046
    build/pretrain --method "$1" --data "$data" --limit-images 10000 $(settings "$1") --precision "$2" --seed "$3" --threads "${THREADS:-0}" \
        --out "$out/$1-$2-$3" >/dev/null 2>&1 || { echo failed; return; }
    build/evaluate --checkpoint "$out/$1-$2-$3/checkpoint.safetensors" --limit-images 5000 --limit-test 5000 --protocol knn --threads "${THREADS:-0}" |
        sed -n 's/.*@1 *\([0-9.]*\)%.*/\1/p'
}
echo "| method | precision | k-NN of seeds ${*:-0 1 2} | mean | deviation |"
echo "|---|---|---|---|---|"
for method in apl mae simclr; do
    for precision in highest high bf16; do
        scores=$(for seed in ${*:-0 1 2}; do run "$method" "$precision" "$seed"; done)
        echo "$scores" | awk -v row="| $method | $precision |" '{ all = all " " $1; n++; sum += $1; squares += $1 * $1 }
            END { m = sum / n; v = n > 1 ? (squares - n * m * m) / (n - 1) : 0; printf "%s%s | %.2f | %.2f |\n", row, all, m, sqrt(v > 0 ? v : 0) }'
    done
done
