#!/usr/bin/env bash
# Makes linnet-VERSION-ARCH-linux.tar.gz: liblinnet.so with a versioned soname and versioned symbols, liblinnet.a,
# linnet.h, and what pkg-config and CMake need to find them. Unpack it anywhere; nothing in it is an absolute path.
#
#   ffi/packaging/linux.sh [--dry-run] [--profile embedded] [--features capture] [--out FOLDER]
#
# It needs cargo, a C compiler and binutils. STATIC_LIBRARY in the environment names a liblinnet_ffi.a that is built already.
set -euo pipefail
# shellcheck source=ffi/packaging/common.sh
. "$(dirname "$0")/common.sh"
parse_arguments "$@"
need cargo "install Rust"
need "${CC:-cc}" "install a C compiler"
need strip "install binutils"

arch=$(uname -m)
stage=$OUT/linnet-$VERSION-$arch-linux
libraries=(-lm -lpthread -ldl)
case ,$FEATURES, in *,capture,*) libraries+=(-lasound) ;; esac

[ -n "${STATIC_LIBRARY:-}" ] || cargo_build "" staticlib
run rm -rf "$stage"
run mkdir -p "$stage/include" "$stage/lib/pkgconfig" "$stage/lib/cmake/linnet"
run cp "$ROOT/ffi/include/linnet.h" "$stage/include/"
run cp "${STATIC_LIBRARY:-$(built "")/liblinnet_ffi.a}" "$stage/lib/liblinnet.a"
# Cargo's own shared library has no room for symbol versions: it is linked from the static one instead.
run "${CC:-cc}" -shared -o "$stage/lib/liblinnet.so.$VERSION" "-Wl,-soname,liblinnet.so.$ABI" \
    "-Wl,--version-script=$ROOT/ffi/packaging/linnet.map" -Wl,--gc-sections -Wl,-z,relro,-z,now -Wl,--no-undefined \
    -Wl,--whole-archive "$stage/lib/liblinnet.a" -Wl,--no-whole-archive "${libraries[@]}"
run strip --strip-unneeded "$stage/lib/liblinnet.so.$VERSION"
run ln -s "liblinnet.so.$VERSION" "$stage/lib/liblinnet.so.$ABI"
run ln -s "liblinnet.so.$ABI" "$stage/lib/liblinnet.so"
run cp "$ROOT/ffi/packaging/cmake/linnet-config.cmake" "$stage/lib/cmake/linnet/"
sed "s/@VERSION@/$VERSION/" "$ROOT/ffi/packaging/cmake/linnet-config-version.cmake.in" |
    write "$stage/lib/cmake/linnet/linnet-config-version.cmake"
write "$stage/lib/pkgconfig/linnet.pc" <<PC
prefix=\${pcfiledir}/../..
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: linnet
Description: Embedded streaming speech recognition
Version: $VERSION
Libs: -L\${libdir} -llinnet
Libs.private: ${libraries[*]}
Cflags: -I\${includedir}
PC
run tar -C "$OUT" -czf "$stage.tar.gz" "$(basename "$stage")"
echo "$stage.tar.gz"
