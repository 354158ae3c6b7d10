#!/usr/bin/env bash
# Tells Spark which GPUs a worker or executor has: the file for spark.worker.resource.gpu.discoveryScript and
# spark.executor.resource.gpu.discoveryScript. Prints {"name": "gpu", "addresses": ["0", "1"]}.
#
# The numbers are those that CUDA gives the GPUs which this process sees. Where CUDA_VISIBLE_DEVICES chooses some, CUDA
# counts these from 0.
set -euo pipefail

if [ -n "${CUDA_VISIBLE_DEVICES+set}" ]; then
    chosen=${CUDA_VISIBLE_DEVICES//[^,]/}
    count=0
    if [ -n "$CUDA_VISIBLE_DEVICES" ] && [ "$CUDA_VISIBLE_DEVICES" != -1 ]; then
        count=$((${#chosen} + 1))
    fi
elif command -v nvidia-smi >/dev/null; then
    count=$(nvidia-smi --query-gpu=index --format=csv,noheader | grep -c .) || count=0
else
    printf '%s: nvidia-smi is missing: it comes with the NVIDIA driver\n' "$0" >&2
    exit 1
fi
addresses=()
for ((index = 0; index < count; index++)); do
    addresses+=("\"$index\"")
done
joined=$(
    IFS=,
    printf '%s' "${addresses[*]-}"
)
printf '{"name": "gpu", "addresses": [%s]}\n' "$joined"
