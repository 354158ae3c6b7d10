#!/usr/bin/env bash
# Runs the decoders' C code under AddressSanitizer and UndefinedBehaviorSanitizer, over broken JPEGs and JPEG 2000
# files.
#
#   scripts/check_asan.sh [number of files of each kind, 20000 unless told]
#
# libjpeg-turbo itself is the one that cargo has built, without sanitizers; behind the ends of the file and of the
# pixels there is no memory, which catches it, too. OpenJPEG is built again, under AddressSanitizer.
set -euo pipefail
cd "$(dirname "$0")/.."

count=${1:-20000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! echo 'int main(void) { return 0; }' | cc -x c - -fsanitize=address,undefined -o "$work/probe" 2>/dev/null; then
    echo "The compiler here has no AddressSanitizer: not checked."
    exit 0
fi

registry=${CARGO_HOME:-$HOME/.cargo}/registry/src
library=$(find target/release/build -path '*turbojpeg-sys*' -name 'libturbojpeg.a' -print -quit)
include=$(find target/release/build -path '*turbojpeg-sys*' -name 'jconfig.h' -printf '%h\n' -quit)
source=$(find "$registry" -path '*turbojpeg-sys*' -name 'jpeglib.h' -printf '%h\n' -quit)
openjpeg=$(find "$registry" -path '*openjpeg-sys*' -name 'openjpeg.h' -printf '%h\n' -quit)
if [[ -z $library || -z $include || -z $source || -z $openjpeg ]]; then
    echo "The libraries are not built: cargo build --release -p spark-classify-imaging comes first" >&2
    exit 1
fi

checks=(-g -O1 "-fsanitize=address,undefined" -fno-sanitize-recover=all)
jpeg=rust-core/imaging/src/decode/jpeg
cc "${checks[@]}" -I"$include" -I"$source" -I"$jpeg" scripts/jpeg_asan.c "$jpeg/jpeg.c" "$library" -lm -o "$work/jpeg"
"$work/jpeg" "$count" tests/golden/images/*.jpg

# The files that openjpeg-sys builds, but for its allocation functions, of which ours take the place.
for name in bio cio dwt event ht_dec image invert j2k jp2 mct mqc openjpeg opj_clock pi t1 t2 tcd tgt thread function_list \
    sparse_array; do
    cc -g -O1 -w -fsanitize=address -DOPJ_STATIC -DMUTEX_stub -I"$openjpeg" -I"$openjpeg/../../../../config" \
        -c "$openjpeg/$name.c" -o "$work/$name.o"
done
cc "${checks[@]}" -I"$openjpeg" -I"$openjpeg/../../../../config" scripts/jpeg2000_asan.c \
    rust-core/imaging/src/decode/jpeg2000/arena.c "$work"/*.o -lm -o "$work/jpeg2000"
"$work/jpeg2000" "$count" tests/golden/images/*.j{p2,2k}
