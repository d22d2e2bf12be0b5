#!/bin/bash
# Runs the fuzz targets guided by coverage under the address sanitizer, each for so many executions or seconds, and tells
# how many executions were made. Stops at the first that finds something, with what it ran on in artifacts/.
#
# ffi/fuzz/long.sh TARGET=EXECUTIONS|SECONDSs...      for example calls=100000 model=300s; 0 only builds
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

# What makes it fast: a small quarantine keeps freed memory in the caches (a use after free is found all the same, within
# 4 MB of frees), short stacks of allocations, and no copies of stack frames, to which safe Rust cannot keep a reference.
export ASAN_OPTIONS="quarantine_size_mb=4:malloc_context_size=4:detect_stack_use_after_return=0:max_malloc_fill_size=0:${ASAN_OPTIONS:-}"
total=0
for run in "$@"; do
    target=${run%=*}
    limit=${run#*=}
    case $limit in
        0) continue ;;
        *s) limit=-max_total_time=${limit%s} ;;
        *) limit=-runs=$limit ;;
    esac
    # Longer inputs say nothing that shorter ones don't, but for whole files and models.
    case $target in
        calls | config) longest=256 ;;
        audio) longest=2048 ;;
        file) longest=8192 ;;
        *) longest=16384 ;;
    esac
    mkdir -p "corpus/$target" artifacts
    log=$(mktemp)
    status=0
    binary=$CARGO_TARGET_DIR/$triple/release/$target
    # A few inputs take fifty times as long as the others and are changed as often: without them twice as many run.
    if [ "$target" = config ]; then
        find corpus/config -type f -exec timeout 120 "$binary" {} + 2>&1 |
            sed -n 's/^Executed \(.*\) in \([0-9]*\) ms$/\2 \1/p' | awk '$1 >= 4 { print $2 }' | xargs -r rm -f || true
    fi
    # Choosing inputs by the rarity of what they reach takes as long as running them here.
    "$binary" "corpus/$target" "$limit" -max_len=$longest -entropic=0 -timeout=30 \
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
