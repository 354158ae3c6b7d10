#!/usr/bin/env bash
# link_portable.sh for aarch64, on a machine of another kind. A program of its own, since cargo links for both in one run.
set -euo pipefail
LINK_ARCH=aarch64 LINK_WITH=aarch64-linux-gnu-gcc exec "$(dirname "$0")/link_portable.sh" "$@"
