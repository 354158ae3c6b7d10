#!/usr/bin/env bash
# Installs a Python package, without what it depends on, into a folder: pip_into.sh FOLDER PACKAGE
set -euo pipefail
cd "$(dirname "$0")/.."
# Debian's own Python has no pip.
[ -x .venv/bin/python ] || {
    echo "$2 is installed by the pip of .venv, which is not there: make setup" >&2
    exit 1
}
printf 'installing %s into %s\n' "$2" "$1" >&2
exec .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target "$1" "$2" >&2
