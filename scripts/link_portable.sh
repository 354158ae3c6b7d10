#!/usr/bin/env bash
# The linker of Rust's programs and libraries that are to run from glibc 2.28 on: the C compiler, with the stubs that
# scripts/glibc_stubs.sh made. scripts/env.sh sets it for this machine, scripts/build_natives.sh for another platform.
set -euo pipefail
stubs=$(dirname "$0")/../target/glibc-2.28/${LINK_ARCH:-$(uname -m)}
# -B goes before the system's own folders. Libraries of the build machine, such as its libstdc++, may need symbols of a
# newer glibc than that.
exec "${LINK_WITH:-cc}" "-B$stubs" "-L$stubs" -Wl,--allow-shlib-undefined "$@"
