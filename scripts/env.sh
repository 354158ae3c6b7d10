# shellcheck shell=bash
# Where .venv keeps Spark and libtorch; without it, the caller's own environment counts. Sourced by the Makefile's
# recipes and by the scripts; made by setup.sh.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ -d "$root/.venv" ]; then
    site_packages=$(echo "$root"/.venv/lib/python3.*/site-packages)
    export SPARK_HOME="$site_packages/pyspark"
    export LIBTORCH="$site_packages/torch"
    export PYSPARK_PYTHON="$root/.venv/bin/python"
fi
export LIBTORCH_CXX11_ABI=1
# What is built here, and so what is tested, runs from glibc 2.28 on, as what is shipped (docs/natives.md).
machine=$(uname -m)
if [ -e "$root/target/glibc-2.28/$machine/libc.so" ]; then
    export "CARGO_TARGET_${machine^^}_UNKNOWN_LINUX_GNU_LINKER=$root/scripts/link_portable.sh"
fi
# For another kind of machine (scripts/build_natives.sh).
if [ "$machine" = x86_64 ]; then
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER="$root/scripts/link_portable_aarch64.sh"
fi
# GCC for Arm fuses multiplications and additions, with other last bits, and so other pixels, than on x86.
export CFLAGS_aarch64_unknown_linux_gnu=-ffp-contract=off
# Nothing of ours listens on an outside interface.
export SPARK_LOCAL_IP=127.0.0.1
