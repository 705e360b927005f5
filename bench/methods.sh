# methods.sh DATA OUT [METHOD...]: a short run of every method on 10,000 images of DATA (a SPEC as in pretrain --help), then k-NN
# and linear probe (5,000 of them, 5,000 test images) for the trained and for the untrained network, as rows of a table.
#   sh bench/methods.sh folder:data/cifar10-jpeg runs/methods
data=$1 out=$2
shift 2
small='--dim 64 --heads 2 --depth 3 --batch 128 --lr 2e-3'
views='--backbone resnet --resnet-width 16 --cifar-stem -1 --batch 128 --lr 2e-3'
settings() {
    case $1 in
    mae-mask-token) echo "$small --patch 8 --mask-ratio 0.5 --decoder-dim 32 --decoder-depth 1 --decoder-heads 1 --epochs 15" ;;
    randsac)        echo "$small --patch 4 --segment 2 --decoder-depth 1 --epochs 5" ;;
    jigsaw)         echo "$small --epochs 10" ;;
    rotation)       echo "$views --epochs 2" ;;
    mp3)            echo "$small --patch 4 --epochs 6" ;;
    pixpro|pixcontrast) echo "--epochs 2" ;;
    cpc)            echo "--patch-stride 8 --hidden 32 --context-blocks 2 --grayscale-p 0.8 --lr 2e-3 --epochs 7" ;; # gray: the color that the patches of an image share would do for the task
    amdim)          echo "--epochs 2" ;;
    dino)           echo "$views --local-views 0 --projector-out 64 --prototypes 128 --momentum 0.95 --teacher-temperature 0.04 --freeze-prototypes 0 --epochs 10" ;;
    byol)           echo "$views --lr 1e-3 --momentum 0.95 --epochs 8" ;;
    simsiam)        echo "$views --kind adamw --lr 1e-3 --weight-decay 0.05 --predictor-hidden 128 --epochs 8" ;;
    barlow)         echo "$views --epochs 6" ;;
    *)              echo "$views --epochs 4" ;;
    esac
}
score() { build/evaluate --checkpoint "$out/$1/checkpoint.safetensors" --limit-images 5000 --limit-test 5000 --protocol "$2" --features "$3" --threads "${THREADS:-0}" |
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
