#!/bin/bash
# Runs the fuzz targets guided by coverage under the address sanitizer, each for so many executions, and tells how many
# were made. Stops at the first that finds something, with what it ran on in artifacts/.
#
# ffi/fuzz/long.sh TARGET=EXECUTIONS...      for example calls=100000 model=50000; 0 executions only build
#
# Needs no nightly: RUSTC_BOOTSTRAP lets the stable compiler take the sanitizer's flag. Corpora grow in ffi/fuzz/corpus.
set -euo pipefail

case "${1:-}" in
    '' | -h | --help)
        sed -n '2,8s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
esac
cd "$(dirname "$0")"
cp ../../Cargo.lock .
triple=$(rustc -vV | sed -n 's/^host: //p')
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"
RUSTC_BOOTSTRAP=1 RUSTC_WRAPPER="$PWD/rustc-wrapper.sh" RUSTFLAGS="-Zsanitizer=address -Cforce-frame-pointers=yes" \
    cargo build --release --target "$triple"

# A small quarantine keeps freed memory in the caches; a use after free is found all the same, within 16 MB of frees.
export ASAN_OPTIONS="quarantine_size_mb=16:malloc_context_size=8:${ASAN_OPTIONS:-}"
total=0
for run in "$@"; do
    target=${run%=*}
    runs=${run#*=}
    [ "$runs" -gt 0 ] || continue
    # Longer inputs say nothing that shorter ones don't, but for whole files and models.
    case $target in
        calls | config) longest=512 ;;
        audio) longest=4096 ;;
        *) longest=16384 ;;
    esac
    mkdir -p "corpus/$target" artifacts
    log=$(mktemp)
    status=0
    "$CARGO_TARGET_DIR/$triple/release/$target" "corpus/$target" -runs="$runs" -max_len=$longest -timeout=30 \
        -rss_limit_mb=1024 -artifact_prefix="artifacts/$target-" -print_final_stats=1 >"$log" 2>&1 || status=$?
    made=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    # An interrupted run ends with 72.
    if [ "$status" != 0 ] && [ "$status" != 72 ]; then
        tail -60 "$log"
        echo "$target: failed after ${made:-?} executions" >&2
        exit 1
    fi
    rm "$log"
    echo "$target: $made executions"
    total=$((total + made))
done
echo "$total executions in all"
