# What the packaging scripts share. Sourced, not run.
# shellcheck shell=bash disable=SC2034 # those who source it use its variables

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml" | head -1)
ABI=$(sed -n 's/^#define LINNET_ABI_VERSION \([0-9]*\)$/\1/p' "$ROOT/ffi/include/linnet.h")
TARGET_DIR=${CARGO_TARGET_DIR:-$ROOT/target}
OUT=${OUT:-$TARGET_DIR/packages}
PROFILE=embedded
FEATURES=
DRY_RUN=

usage() {
    sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"
    exit "${1:-0}"
}

parse_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
        --dry-run) DRY_RUN=1 ;;
        --profile) PROFILE=${2:?--profile takes a name}; shift ;;
        --features) FEATURES=${2:?--features takes names}; shift ;;
        --out) OUT=${2:?--out takes a folder}; shift ;;
        -h | --help) usage ;;
        *) echo "$0: unknown argument $1" >&2; usage 2 >&2 ;;
        esac
        shift
    done
}

# Runs a command, or only prints it.
run() {
    if [ -n "$DRY_RUN" ]; then
        printf '+'
        printf ' %q' "$@"
        printf '\n'
    else
        "$@"
    fi
}

# Writes standard input to a file, or only says so.
write() {
    if [ -n "$DRY_RUN" ]; then
        printf '+ write %s\n' "$1"
        cat >/dev/null
    else
        cat >"$1"
    fi
}

# A program that must be there: need NAME WHERE-FROM. A dry run goes on without.
need() {
    if command -v "$1" >/dev/null 2>&1; then return; fi
    if [ -n "$DRY_RUN" ]; then
        echo "# $1 is not here: $2"
    else
        echo "$0: $1 is needed: $2" >&2
        exit 1
    fi
}

# Builds the crate for a target: cargo_build TARGET CRATE-TYPE [further arguments of cargo]. An empty target is this machine.
cargo_build() {
    local target=$1 kind=$2
    shift 2
    # shellcheck disable=SC2086 # no target is no argument
    run cargo rustc --locked --manifest-path "$ROOT/ffi/Cargo.toml" --lib --crate-type "$kind" --profile "$PROFILE" \
        ${FEATURES:+--features "$FEATURES"} ${target:+--target "$target"} "$@"
}

# The folder that cargo puts it into.
built() {
    local folder=$PROFILE
    if [ "$PROFILE" = dev ]; then folder=debug; fi
    echo "$TARGET_DIR/${1:+$1/}$folder"
}
