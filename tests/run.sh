# run.sh LOGS COMMAND...: run every test command and add up their closing lines, "N passed, N failed, N skipped".
# A command that does not start, crashes, or ends without such a line counts as one failure.
logs=$1
shift
mkdir -p "$logs"
: >"$logs/sums"
for command in "$@"; do
    log=$logs/$(printf %s "$command" | tr -c 'A-Za-z0-9' _).txt
    start=$(date +%s)
    sh -c "exec $command" >"$log" 2>&1 </dev/null
    code=$?
    sum=$(tail -n 1 "$log" | grep -Ex '[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped')
    case $sum in
    *', 0 failed, '*) [ $code = 0 ] || sum="0 passed, 1 failed, 0 skipped" ;;
    '') sum="0 passed, 1 failed, 0 skipped" ;;
    esac
    echo "$sum" >>"$logs/sums"
    case $sum in
    *', 0 failed, '*) ;;
    *) tail -n 40 "$log"; echo "exit code $code; all of it: $log" ;;
    esac
    printf '%-44s %4ds   %s\n' "$command" $(($(date +%s) - start)) "$sum"
done
awk '{ p += $1; f += $3; s += $5 } END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 }' "$logs/sums"
