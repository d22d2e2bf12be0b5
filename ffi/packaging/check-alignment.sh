#!/usr/bin/env bash
# Checks that the segments of a library are aligned to pages of 16 KB: check-alignment.sh READELF LIBRARY
set -euo pipefail
worst=$("$1" --program-headers --wide "$2" | awk '$1 == "LOAD" { print $NF }' | sort -u)
[ -n "$worst" ] || { echo "$2 has no segments to load" >&2; exit 1; }
for alignment in $worst; do
    if [ $((alignment)) -lt 16384 ]; then
        echo "$2 is aligned to $((alignment)) bytes; devices with 16 KB pages do not load it" >&2
        exit 1
    fi
done
