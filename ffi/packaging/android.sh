#!/usr/bin/env bash
# Makes linnet-VERSION.aar: liblinnet.so and the JNI library for arm64-v8a and x86_64, and the class org.linnet.Linnet.
#
#   ANDROID_NDK_HOME=… ffi/packaging/android.sh [--dry-run] [--profile embedded] [--features capture] [--out FOLDER]
#
# It needs the NDK (r27 or newer), a JDK, zip, and the targets: rustup target add aarch64-linux-android
# x86_64-linux-android. Libraries are aligned to pages of 16 KB, and checked to be.
set -euo pipefail
# shellcheck source=ffi/packaging/common.sh
. "$(dirname "$0")/common.sh"
parse_arguments "$@"

API=${ANDROID_API:-24}
NDK=${ANDROID_NDK_HOME:-}
if [ -z "$NDK" ]; then
    [ -n "$DRY_RUN" ] || { echo "$0: set ANDROID_NDK_HOME to the NDK's folder" >&2; exit 1; }
    NDK=/ANDROID_NDK_HOME
    echo "# ANDROID_NDK_HOME is not set: the NDK is taken to be in $NDK"
fi
need cargo "install Rust"
need javac "install a JDK"
need jar "install a JDK"
case $(uname) in Darwin) host=darwin-x86_64 ;; *) host=linux-x86_64 ;; esac
tools=$NDK/toolchains/llvm/prebuilt/$host/bin
sources=$ROOT/examples/android/linnet/src/main
stage=$OUT/aar

run rm -rf "$stage"
run mkdir -p "$stage/classes"
for pair in aarch64-linux-android:arm64-v8a x86_64-linux-android:x86_64; do
    target=${pair%%:*} abi=${pair##*:}
    variable=$(echo "$target" | tr 'a-z-' 'A-Z_')
    cc=$tools/$target$API-clang
    run mkdir -p "$stage/jni/$abi"
    run env "CARGO_TARGET_${variable}_LINKER=$cc" "CC_$target=$cc" "AR_$target=$tools/llvm-ar" \
        cargo rustc --locked --manifest-path "$ROOT/ffi/Cargo.toml" --lib --crate-type cdylib --profile "$PROFILE" \
        ${FEATURES:+--features "$FEATURES"} --target "$target" -- -C link-arg=-Wl,-soname,liblinnet.so
    run cp "$(built "$target")/liblinnet_ffi.so" "$stage/jni/$abi/liblinnet.so"
    run "$cc" -std=c11 -Wall -Wextra -O2 -fPIC -shared -Wl,-z,max-page-size=16384 -Wl,--no-undefined \
        -I"$ROOT/ffi/include" -o "$stage/jni/$abi/liblinnet_jni.so" "$sources/cpp/linnet_jni.c" \
        -L"$stage/jni/$abi" -llinnet
    for library in "$stage/jni/$abi"/liblinnet.so "$stage/jni/$abi"/liblinnet_jni.so; do
        run "$ROOT/ffi/packaging/check-alignment.sh" "$tools/llvm-readelf" "$library"
    done
done
run javac --release 11 -d "$stage/classes" "$sources/java/org/linnet/Linnet.java"
run jar --create --file "$stage/classes.jar" -C "$stage/classes" org
run rm -r "$stage/classes"
run mkdir -p "$stage/assets"
run cp "$ROOT/models/linnet-en.linnet" "$stage/assets/"
write "$stage/AndroidManifest.xml" <<XML
<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="org.linnet">
    <uses-sdk android:minSdkVersion="$API" />
</manifest>
XML
write "$stage/R.txt" </dev/null
run jar --create --no-manifest --file "$OUT/linnet-$VERSION.aar" -C "$stage" .
echo "$OUT/linnet-$VERSION.aar"
