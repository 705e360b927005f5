# methods.sh DATA OUT [METHOD...]: a short run of every method on 10,000 images of DATA (a SPEC as in pretrain --help), then k-NN
# and linear probe on its test images for the trained and for the untrained network, as rows of a table.
#   sh bench/methods.sh folder:data/cifar10-jpeg runs/methods
data=$1 out=$2
shift 2
small='--dim 64 --heads 2 --depth 3 --batch 128 --lr 2e-3'
views='--patch 8 --dim 96 --depth 4 --heads 3 --mean-pool 1 --batch 128 --lr 1.5e-3'
settings() {
    case $1 in
    mae-mask-token) echo "$small --patch 8 --mask-ratio 0.5 --decoder-dim 32 --decoder-depth 1 --decoder-heads 1 --epochs 30" ;;
    randsac)        echo "$small --patch 4 --segment 2 --decoder-depth 1 --epochs 8" ;;
    jigsaw)         echo "$small --epochs 12" ;;
    rotation)       echo "$small --patch 8 --epochs 15" ;;
    mp3)            echo "$small --patch 4 --epochs 10" ;;
    pixpro|pixcontrast) echo "--epochs 3" ;;
    cpc)            echo "--epochs 2" ;;
    amdim)          echo "--epochs 2" ;;
    *)              echo "$views --epochs 10" ;;
    esac
}
score() { build/evaluate --checkpoint "$out/$1/checkpoint.safetensors" --limit-images 10000 --protocol "$2" --features "$3" --threads "${THREADS:-0}" |
              sed -n 's/.*@1 *\([0-9.]*%\).*/\1/p'; }
echo "| method | settings | training | k-NN untrained | k-NN trained | probe untrained | probe trained |"
echo "|---|---|---|---|---|---|---|"
for method in ${*:-mae-mask-token randsac jigsaw rotation mp3 simclr moco byol simsiam barlow vicreg dino pixpro pixcontrast cpc amdim}; do
    start=$(date +%s)
    # shellcheck disable=SC2046
    build/pretrain --method "$method" --data "$data" --limit-images 10000 $(settings "$method") --threads "${THREADS:-0}" --out "$out/$method" >/dev/null 2>&1 ||
        { echo "| $method | failed |"; continue; }
    seconds=$(($(date +%s) - start))
    echo "| $method | \`$(settings "$method")\` | $seconds s | $(score "$method" knn untrained) | $(score "$method" knn trained)" \
         "| $(score "$method" linear untrained) | $(score "$method" linear trained) |"
done
