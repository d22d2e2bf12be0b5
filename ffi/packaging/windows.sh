#!/usr/bin/env bash
# Makes linnet-VERSION-x86_64-windows.zip: linnet_ffi.dll with its import library, the static library, and linnet.h. (The
# import library names the DLL: neither can be renamed.)
#
#   ffi/packaging/windows.sh [--dry-run] [--profile embedded] [--features capture] [--out FOLDER]
#
# On Windows (Git Bash) it needs the tools of Visual Studio; elsewhere mingw-w64, zip, and the target: rustup target add
# x86_64-pc-windows-gnu.
set -euo pipefail
# shellcheck source=ffi/packaging/common.sh
. "$(dirname "$0")/common.sh"
parse_arguments "$@"
need cargo "install Rust"

stage=$OUT/linnet-$VERSION-x86_64-windows
run rm -rf "$stage"
run mkdir -p "$stage/include" "$stage/lib/cmake/linnet" "$stage/bin"
case $(uname) in
MINGW* | MSYS* | CYGWIN*)
    target=x86_64-pc-windows-msvc
    names=(linnet_ffi.dll.lib linnet_ffi.lib)
    # The runtime goes into the library, so that hosts need not install it.
    export RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static"
    ;;
*)
    target=x86_64-pc-windows-gnu
    names=(liblinnet_ffi.dll.a liblinnet_ffi.a)
    need x86_64-w64-mingw32-gcc "install mingw-w64"
    need zip "install zip"
    export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc
    ;;
esac
cargo_build "$target" cdylib,staticlib
run cp "$(built "$target")/linnet_ffi.dll" "$stage/bin/"
for name in "${names[@]}"; do
    run cp "$(built "$target")/$name" "$stage/lib/"
done
run cp "$ROOT/ffi/include/linnet.h" "$stage/include/"
run cp "$ROOT/ffi/packaging/cmake/linnet-config.cmake" "$stage/lib/cmake/linnet/"
sed "s/@VERSION@/$VERSION/" "$ROOT/ffi/packaging/cmake/linnet-config-version.cmake.in" |
    write "$stage/lib/cmake/linnet/linnet-config-version.cmake"
case $target in
*-gnu)
    run "$ROOT/ffi/packaging/check-exports.sh" x86_64-w64-mingw32-objdump "$stage/bin/linnet_ffi.dll"
    run rm -f "$stage.zip"
    # shellcheck disable=SC2016 # the inner shell expands them
    run sh -c 'cd "$1" && zip -q -r "$2" "$3"' sh "$OUT" "$stage.zip" "$(basename "$stage")"
    ;;
# Git Bash has no zip, and its tar makes none; that of Windows does.
*) run "${SYSTEMROOT:-/c/Windows}/System32/tar.exe" -C "$OUT" -a -cf "$stage.zip" "$(basename "$stage")" ;;
esac
echo "$stage.zip"
