#!/usr/bin/env bash
# Checks that a DLL exports functions of linnet.h, all of them, and nothing else: check-exports.sh OBJDUMP DLL
set -euo pipefail
header=$(dirname "$0")/../include/linnet.h
declared=$(sed -n 's/^.*[ *]\(linnet_[a-z0-9_]*\)(.*$/\1/p' "$header" | sort -u)
exported=$("$1" -p "$2" | sed -n '/Name Pointer.*Table/,/^$/s/^.*[] ]\([A-Za-z_][A-Za-z0-9_@.]*\)$/\1/p' | grep -v '^Table$' | sort -u)
if [ "$declared" != "$exported" ]; then
    echo "$2 exports other functions than $header declares (< declared, > exported):" >&2
    diff <(echo "$declared") <(echo "$exported") >&2 || true
    exit 1
fi
echo "$(basename "$2") exports the $(echo "$exported" | wc -l) functions of linnet.h and nothing else"
