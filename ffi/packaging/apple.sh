#!/usr/bin/env bash
# Makes Linnet.xcframework for iOS devices, the iOS simulator and macOS, of static libraries, and its zip with the
# checksum that a Swift package wants.
#
#   ffi/packaging/apple.sh [--dry-run] [--profile embedded] [--features capture] [--out FOLDER]
#
# It needs a Mac with Xcode, and the targets: rustup target add aarch64-apple-ios aarch64-apple-ios-sim x86_64-apple-ios
# aarch64-apple-darwin x86_64-apple-darwin
set -euo pipefail
# shellcheck source=ffi/packaging/common.sh
. "$(dirname "$0")/common.sh"
parse_arguments "$@"
need cargo "install Rust"
need xcodebuild "install Xcode, on a Mac"
need lipo "install Xcode, on a Mac"
export IPHONEOS_DEPLOYMENT_TARGET=${IPHONEOS_DEPLOYMENT_TARGET:-13.0}
export MACOSX_DEPLOYMENT_TARGET=${MACOSX_DEPLOYMENT_TARGET:-11.0}

stage=$OUT/apple
framework=$OUT/Linnet.xcframework
run rm -rf "$stage" "$framework"
run mkdir -p "$stage/include"
run cp "$ROOT/ffi/include/linnet.h" "$ROOT/ffi/packaging/module.modulemap" "$stage/include/"

arguments=()
# A slice: slice NAME TARGET…
slice() {
    local name=$1 target libraries=()
    shift
    for target in "$@"; do
        cargo_build "$target" staticlib
        libraries+=("$(built "$target")/liblinnet_ffi.a")
    done
    run mkdir -p "$stage/$name"
    run lipo -create "${libraries[@]}" -output "$stage/$name/liblinnet.a"
    arguments+=(-library "$stage/$name/liblinnet.a" -headers "$stage/include")
}
slice ios aarch64-apple-ios
slice ios-simulator aarch64-apple-ios-sim x86_64-apple-ios
slice macos aarch64-apple-darwin x86_64-apple-darwin

run xcodebuild -create-xcframework "${arguments[@]}" -output "$framework"
run ditto -c -k --keepParent "$framework" "$framework.zip"
run swift package compute-checksum "$framework.zip"
echo "$framework.zip"
