#!/usr/bin/env bash
# Tries which releases of torch from PyPI run with the libtorch library built here, on the CPU:
#
#     scripts/try_libtorch.sh 2.12.1 2.15.0
#
# Each is installed into an environment of its own, which is thrown away (about 600 MB to download for each). The
# engine's tests run with it, classify-bench, and one Spark query.
# Prints a row of docs/torchscript.md for each.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# What libtorch_cpu.so of a CUDA build needs beside itself.
cuda=$(echo "$LIBTORCH"/../nvidia/*/lib | tr ' ' ':')
tests=$(cargo test --release --quiet --no-run --message-format json -p spark-classify-torch --test it |
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)

# "yes", or the command's last line of output where it fails.
outcome() {
    if "$@" >"$scratch/out" 2>&1; then echo yes; else echo "no: $(grep . "$scratch/out" | tail -n 1 | cut -c 1-200)"; fi
}

with_libraries() {
    local folder=$1
    shift
    env LD_LIBRARY_PATH="$folder/lib:$cuda" "$@"
}

tested() {
    # One test asks for the version that the library was built against.
    with_libraries "$1" "$tests" --skip version_is_that_of_the_library
}

classified() {
    with_libraries "$1" target/release/classify-bench --images dataset/image_data.csv --image-dir dataset/all_images \
        --model model --backend pytorch
}

queried() {
    "$SPARK_HOME/bin/spark-sql" --master 'local[1]' --driver-java-options "-Dderby.system.home=$scratch" \
        --conf "spark.sql.warehouse.dir=$scratch/warehouse" --jars "$(echo spark-udf-jvm/build/libs/spark-classify_*.jar)" \
        --conf spark.classify.model=model --conf "spark.classify.torch.home=$1" \
        -e "SELECT classify('$PWD/dataset/all_images/id_0001.jpg', 'pytorch').class"
}

echo "| torch | engine's tests | classify-bench | Spark |"
echo "|---|---|---|---|"
for version in "$@"; do
    python3 -m venv "$scratch/venv"
    "$scratch/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "torch==$version"
    folder=$(echo "$scratch"/venv/lib/python3.*/site-packages/torch)
    # The jar looks for CUDA's libraries beside torch.
    ln -s "$LIBTORCH/../nvidia" "$folder/../nvidia"
    echo "| $version | $(outcome tested "$folder") | $(outcome classified "$folder") | $(outcome queried "$folder") |"
    rm -rf "$scratch/venv"
done
