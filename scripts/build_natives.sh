#!/usr/bin/env bash
# Builds the native libraries of a jar for every platform into target/natives/<platform>/, from where
# `gradle jar -PnativesDir=target/natives` takes them: those of this machine's platform, which `make build` has built, and
# on x86_64 also those for aarch64. NATIVES="linux-x86_64" leaves the others out.
set -euo pipefail
cd "$(dirname "$0")/.."
host=linux-$(uname -m)
if [ "$host" = linux-x86_64 ]; then all="linux-x86_64 linux-aarch64"; else all=$host; fi

# What an earlier call left would go into the jar as well.
rm -rf target/natives
for platform in ${NATIVES:-$all}; do
    case "$platform" in
    "$host")
        scripts/setup.sh
        source scripts/env.sh
        cargo build --release --quiet -p spark-classify-jni-onnx -p spark-classify-jni-torch
        built=target/release
        ;;
    linux-aarch64)
        scripts/setup.sh --aarch64
        source scripts/env.sh
        LIBTORCH=$PWD/target/aarch64/libtorch/torch cargo build --release --quiet --target aarch64-unknown-linux-gnu \
            -p spark-classify-jni-onnx -p spark-classify-jni-torch
        built=target/aarch64-unknown-linux-gnu/release
        ;;
    *)
        echo "$host builds for $all, not for $platform" >&2
        exit 1
        ;;
    esac
    mkdir -p "target/natives/$platform"
    cp $built/libspark_classify_{onnx,torch}.so "target/natives/$platform/"
done
