#!/usr/bin/env bash
# Installs what building and running needs, and nothing twice: system packages (apt, when root), and a virtual
# environment .venv with pyspark, the libtorch libraries and the test tools. With --fonts also those that cards are
# drawn with; with --aarch64 what builds for that platform. With --environment FOLDER REQUIREMENTS it makes another
# virtual environment instead of .venv.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '[setup] %s\n' "$*"; }
die() {
    printf '[setup] error: %s\n' "$*" >&2
    exit 1
}

[ "$(uname -s)" = Linux ] || die "this builds on Linux alone, and this is $(uname -s)."

# Runs a command without its output; where it fails, its last words are the reason.
attempt() {
    local problem=$1 log reason
    shift
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1; then
        reason=$(grep -E '^(E|ERROR|Error): ?' "$log" | tail -n 1 || true)
        [ -n "$reason" ] || reason=$(grep . "$log" | tail -n 1 || true)
        rm -f "$log"
        die "$problem: $reason"
    fi
    rm -f "$log"
}

# command -> Debian package
declare -A packages=(
    [cc]=build-essential [c++]=build-essential [cmake]=cmake [nasm]=nasm [gradle]=gradle [javac]=openjdk-17-jdk-headless
    [meson]=meson [ninja]=ninja-build [python3]=python3-venv
)
missing=()
for command in "${!packages[@]}"; do
    command -v "$command" >/dev/null || missing+=("${packages[$command]}")
done
if command -v python3 >/dev/null && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    missing+=(python3-venv)
fi
if [ "${1:-}" = --fonts ]; then
    for font in dejavu=fonts-dejavu-core liberation=fonts-liberation; do
        [ -d "/usr/share/fonts/truetype/${font%=*}" ] || missing+=("${font#*=}")
    done
fi
if [ "${1:-}" = --aarch64 ]; then
    command -v aarch64-linux-gnu-g++ >/dev/null || missing+=(g++-aarch64-linux-gnu)
fi
if ((${#missing[@]})); then
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing ${missing[*]}"
        attempt "apt-get cannot install ${missing[*]}" \
            env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get update -qq && exec apt-get install -y -qq --no-install-recommends "$@"' apt "${missing[@]}"
    else
        die "these packages are missing: ${missing[*]}. Install them (Debian: sudo apt-get install ${missing[*]}) and run this again."
    fi
fi

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "$(python3 --version) is too old: pyspark 4.3 needs Python 3.11 or later."

# environment FOLDER SIZE REQUIREMENTS [REQUIREMENTS whose own dependencies stay away]
#
# The stamp holds what an environment was made from, so that a changed requirement or Python makes it anew, and so does
# one that was interrupted.
environment() {
    local folder=$1 size=$2 made_from file options=()
    shift 2
    made_from=$(
        cat "$@"
        python3 --version
    )
    if [ "$(cat "$folder/.made-from" 2>/dev/null)" = "$made_from" ]; then return; fi
    say "making $folder${size:+ ($size to download)}"
    rm -f "$folder/.made-from"
    attempt "python3 cannot make $folder" python3 -m venv --clear "$folder"
    for file in "$@"; do
        attempt "pip cannot install $file (is a package index in reach?)" \
            "$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r "$file" "${options[@]}"
        options=(--no-deps)
    done
    printf '%s\n' "$made_from" >"$folder/.made-from"
}

if [ "${1:-}" = --environment ]; then
    environment "$2" "" "$3"
    exit
fi

wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
command -v cargo >/dev/null || die "cargo is missing: install Rust $wanted or later with rustup, then run this again."
# The rustup of a system may be there without any tool chain; what it then prints is a backtrace.
have=$(rustc --version 2>/dev/null | cut -d' ' -f2) || true
[ -n "$have" ] || die "rustc does not run: no Rust tool chain is installed (rustup toolchain install stable)."
[ "$(printf '%s\n' "$wanted" "$have" | sort -V | head -n1)" = "$wanted" ] ||
    die "rustc $have is too old: this project needs $wanted or later (rustup update stable)."
# Gradle and Spark take the Java of JAVA_HOME before that of PATH. Before Java 9 there was a 1. in front.
javac=${JAVA_HOME:+$JAVA_HOME/bin/}javac
[ -z "${JAVA_HOME:-}" ] || [ -x "$javac" ] ||
    die "JAVA_HOME is $JAVA_HOME, where there is no bin/javac: set it to a JDK 17 or later, or unset it."
java_major=$("$javac" -version 2>&1 | sed -nE 's/^javac (1\.)?([0-9]+).*/\2/p') || true
[ -n "$java_major" ] || die "$javac does not run: install JDK 17 or later, or set PATH to one ($javac -version says what is wrong)."
[ "$java_major" -ge 17 ] || die "$javac $java_major is too old: Spark 4 needs JDK 17 or later; set JAVA_HOME and PATH."

environment .venv "about 1 GB" scripts/requirements.txt scripts/requirements-libtorch.txt
# What portable programs are linked with: see scripts/env.sh.
scripts/glibc_stubs.sh "$(uname -m)"

if [ "${1:-}" = --aarch64 ]; then
    target=aarch64-unknown-linux-gnu
    [ -d "$(rustc --print target-libdir --target $target)" ] || rustup target add $target ||
        die "Rust's standard library for $target is missing, and rustup cannot install it."
    scripts/glibc_stubs.sh aarch64
    libtorch=target/aarch64/libtorch
    if ! cmp --quiet scripts/requirements-libtorch.txt $libtorch/.made-from; then
        say "getting libtorch for aarch64 (430 MB to download)"
        # Two releases in one folder would be mixed.
        rm -rf $libtorch
        attempt "pip cannot install libtorch for aarch64 (is a package index in reach?)" \
            .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target $libtorch --only-binary :all: \
            --platform manylinux_2_28_aarch64 --platform manylinux_2_25_aarch64 --platform manylinux2014_aarch64 \
            -r scripts/requirements-libtorch.txt
        cp scripts/requirements-libtorch.txt $libtorch/.made-from
    fi
fi
say "ready"
