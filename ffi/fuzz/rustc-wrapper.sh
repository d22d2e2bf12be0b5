#!/bin/sh
# Cargo's RUSTC_WRAPPER for long.sh: the coverage that libFuzzer follows, in the recognizer, its C ABI, the targets and the
# audio decoders only. Every other crate runs at full speed (under the address sanitizer, as RUSTFLAGS say).
rustc=$1
shift
case " $* " in
    *" --crate-name build_script_build "*) exec "$rustc" "$@" ;;
    # Comparisons are followed where input is parsed; in the recognizer's arithmetic they would only be slow.
    *" --crate-name linnet_ffi "* | *" --crate-name linnet_ffi_fuzz "* | *" --crate-name symphonia_"*)
        set -- "$@" -Cllvm-args=-sanitizer-coverage-trace-compares ;;
    *" --crate-name linnet "*) ;;
    *) exec "$rustc" "$@" ;;
esac
exec "$rustc" "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table --cfg fuzzing
