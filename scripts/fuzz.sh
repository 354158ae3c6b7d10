#!/usr/bin/env bash
# Fuzzes what reads strangers' bytes: guided by coverage, under AddressSanitizer, the C code of the decoders too (but
# for libjpeg-turbo's and dav1d's assembly, which AddressSanitizer does not see).
#
#   scripts/fuzz.sh [seconds for each, 60 unless told] [what, all unless told: jpeg png … model onnx]
#
# Each begins with the inputs of rust-core/fuzz/corpus, those that earlier runs have found to be new
# (rust-core/fuzz/found, the smallest of them), and, for images, tests/golden/images. What is found on the way stays in
# target/fuzz/corpus for the next run, and what ends the process in target/fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
shift || true
for needed in "cargo +nightly fuzz:rustup toolchain install nightly && cargo install cargo-fuzz" "clang:Debian's clang"; do
    if ! ${needed%%:*} --version >/dev/null 2>&1; then
        echo "make fuzz needs ${needed%%:*} (${needed#*:})" >&2
        exit 1
    fi
done

formats=(avif bmp dib gif ico jpeg jpeg2000 png pnm qoi tiff webp)
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || targets=("${formats[@]}" model onnx)

export CC=clang CXX=clang++
export CFLAGS="-g -O1 -fsanitize=address,fuzzer-no-link" CXXFLAGS="-g -O1 -fsanitize=address,fuzzer-no-link"
# Memory that is not there is an error of the decoders', and no finding.
export ASAN_OPTIONS=allocator_may_return_null=1
work=$PWD/target/fuzz
for name in "${targets[@]}"; do
    target=$name seeds=("$PWD/rust-core/fuzz/corpus/$name")
    if [[ " ${formats[*]} " == *" $name "* ]]; then
        target=decode
        seeds=("$PWD/rust-core/fuzz/corpus/decode/$name" "$work/seeds/$name")
        case $name in
        jpeg) ending='jpg' ;;
        jpeg2000) ending='j[p2][2k]' ;;
        pnm) ending='p[bgpn]m' ;;
        *) ending=$name ;;
        esac
        mkdir -p "$work/seeds/$name"
        find tests/golden/images -name "*.$ending" -exec cp {} "$work/seeds/$name" \;
    fi
    mkdir -p "$work/corpus/$name" "$work/artifacts/$name" "$work/found/$name"
    if [[ -f rust-core/fuzz/found/$name.zip ]]; then
        python3 -m zipfile -e "rust-core/fuzz/found/$name.zip" "$work/found/$name"
    fi
    if ! cargo +nightly fuzz run --fuzz-dir rust-core/fuzz --target-dir "$work/build" "$target" \
        "$work/corpus/$name" "$work/found/$name" "${seeds[@]}" -- "-artifact_prefix=$work/artifacts/$name/" -max_len=65536 \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 >"$work/$name.log" 2>&1; then
        tail -n 40 "$work/$name.log" >&2
        echo "$name: see $work/artifacts/$name and $work/$name.log" >&2
        exit 1
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$name.log")
    echo "$name: $runs inputs in $seconds s, $(grep -oE 'cov: [0-9]+' "$work/$name.log" | tail -n 1), nothing found"
done
