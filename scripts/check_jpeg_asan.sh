#!/usr/bin/env bash
# Runs the JPEG decoder's C code under AddressSanitizer and UndefinedBehaviorSanitizer, over broken JPEGs.
#
#   scripts/check_jpeg_asan.sh [number of images, 20000 unless told]
#
# libjpeg-turbo itself is the one that cargo has built, without sanitizers; behind the ends of the file and of the
# pixels there is no memory, which catches it, too.
set -euo pipefail
cd "$(dirname "$0")/.."

count=${1:-20000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! echo 'int main(void) { return 0; }' | cc -x c - -fsanitize=address,undefined -o "$work/probe" 2>/dev/null; then
    echo "The compiler here has no AddressSanitizer: not checked."
    exit 0
fi

library=$(find target/release/build -path '*turbojpeg-sys*' -name 'libturbojpeg.a' -print -quit)
include=$(find target/release/build -path '*turbojpeg-sys*' -name 'jconfig.h' -printf '%h\n' -quit)
source=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/src" -path '*turbojpeg-sys*' -name 'jpeglib.h' -printf '%h\n' -quit)
if [[ -z $library || -z $include || -z $source ]]; then
    echo "libjpeg-turbo is not built: cargo build --release -p spark-classify-imaging comes first" >&2
    exit 1
fi

cc -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -I"$include" -I"$source" \
    scripts/jpeg_asan.c rust-core/imaging/src/decode/jpeg/jpeg.c "$library" -lm -o "$work/check"
"$work/check" "$count" tests/golden/images/*.jpg
