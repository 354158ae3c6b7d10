#!/usr/bin/env bash
# Classifies the committed dataset with one backend, as `make run` does: scripts/run_job.sh [pytorch|onnx] [spark-submit
# options]
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh
backend=${1:-pytorch}
shift || true
jar=$(ls spark-udf-jvm/build/libs/spark-classify_*.jar)

# Where there is an ONNX Runtime for GPUs in .venv (Dockerfile), that takes the place of the one in the jar.
options=()
for home in .venv/lib/python3.*/site-packages/onnxruntime; do
    if [ -e "$home/capi/libonnxruntime_providers_cuda.so" ]; then
        options+=(--conf "spark.classify.onnxruntime.home=$PWD/$home")
    fi
done

printf '\n=== spark-classify: %s ===\n' "$backend"
exec "$SPARK_HOME/bin/spark-submit" \
    --master "${SPARK_MASTER:-local[*]}" \
    --conf spark.ui.enabled=false \
    --conf spark.log.level=WARN \
    --conf spark.sql.extensions=io.sparkclassify.ClassifyExtensions \
    --conf spark.classify.torch.home="$LIBTORCH" \
    "${options[@]}" \
    "$@" \
    --class io.sparkclassify.ClassifyJob "$jar" \
    --images dataset/image_data.csv --image-dir dataset/all_images --model model \
    --backend "$backend" --output "output_predictions/$backend"
