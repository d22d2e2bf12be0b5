#!/bin/sh
# Cargo's RUSTC_WRAPPER for long.sh: the coverage that libFuzzer follows, in the recognizer, its C ABI, the targets and the
# audio decoders only. Every other crate runs at full speed (under the address sanitizer, as RUSTFLAGS say).
rustc=$1
shift
case " $* " in
    *" --crate-name build_script_build "*) exec "$rustc" "$@" ;;
    # Comparisons are followed where input is parsed; in arithmetic they would only be slow.
    *" --crate-name symphonia_bundle_mp3 "* | *" --crate-name symphonia_codec_vorbis "* | *" --crate-name linnet "*) ;;
    *" --crate-name linnet_ffi "* | *" --crate-name linnet_ffi_fuzz "* | *" --crate-name symphonia_"*)
        set -- "$@" -Cllvm-args=-sanitizer-coverage-trace-compares ;;
    *) exec "$rustc" "$@" ;;
esac
# Blocks rather than edges, and without the table of their addresses: half the counters to look through after each input.
exec "$rustc" "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=2 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters --cfg fuzzing
