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
# Nothing of ours listens on an outside interface.
export SPARK_LOCAL_IP=127.0.0.1
