#!/usr/bin/env bash
# Makes the Python environment of the Docker image, after setup.sh: Spark, and of libtorch what runs a model.
#
#     scripts/image_environment.sh FOLDER [1 for GPUs, too]
#
# What setup.sh has downloaded is in pip's cache.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1
gpu=${2:-}

install() {
    .venv/bin/python -m pip --python "$folder/bin/python" install --quiet --no-compile --disable-pip-version-check "$@"
}

python3 -m venv --without-pip "$folder"
install "$(grep '^pyspark==' scripts/requirements.txt)"
if [ -n "$gpu" ]; then
    install -r scripts/requirements-gpu.txt
else
    install --no-deps -r scripts/requirements-libtorch.txt
fi

# Nothing here compiles against torch or runs Python on it.
packages=$(echo "$folder"/lib/python3.*/site-packages)
find "$packages/torch" -type f ! -path "$packages/torch/lib/*" ! -path "$packages/torch/version.py" -delete
rm -rf "$packages"/{functorch,torchgen,triton}
if [ -z "$gpu" ]; then
    find "$packages/torch/lib" -type f ! -name libc10.so ! -name libtorch_cpu.so ! -name 'libgomp*' -delete
    find "$packages/nvidia" -type f ! -name 'libcudart.so*' ! -name 'libcupti.so*' -delete
fi
find "$packages/torch" "$packages/nvidia" -type d -empty -delete
