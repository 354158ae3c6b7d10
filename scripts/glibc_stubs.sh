#!/usr/bin/env bash
# Makes what a program is linked with so that it runs from glibc 2.28 on: the libraries of that release as stubs, which
# hold its symbols and their versions and no code, and its start-up objects. zig makes them from its lists of what each
# release of glibc exports. docs/natives.md tells why 2.28.
#
#   scripts/glibc_stubs.sh x86_64|aarch64
set -euo pipefail
cd "$(dirname "$0")/.."
arch=$1
folder=$PWD/target/glibc-2.28/$arch
[ -e "$folder/libc.so" ] && exit
mkdir -p "$folder"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo 'int main(void) { return 0; }' >"$work/main.c"
python=$PWD/.venv/bin/python
"$python" -m pip install --quiet --disable-pip-version-check --target "$work/zig" -r scripts/requirements-zig.txt
# Linking a program for that release leaves all of it in zig's cache.
PYTHONPATH=$work/zig ZIG_GLOBAL_CACHE_DIR=$work/cache ZIG_LOCAL_CACHE_DIR=$work/cache "$python" -m ziglang \
    cc -target "$arch-linux-gnu.2.28" "$work/main.c" -o "$work/main"
for file in libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1 libutil.so.1 libresolv.so.2 libld.so.2 \
    libc_nonshared.a crt1.o; do
    find "$work/cache/o" -name "$file" -exec cp {} "$folder" \;
    [ -f "$folder/$file" ] || {
        echo "zig made no $file" >&2
        exit 1
    }
done

# The names under which a linker looks for them.
cp "$folder/crt1.o" "$folder/Scrt1.o"
for library in m.so.6 pthread.so.0 dl.so.2 rt.so.1 util.so.1 resolv.so.2; do
    ln -sf "lib$library" "$folder/lib${library%%.*}.so"
done
# Last, since it tells that all is there.
echo 'GROUP ( libc.so.6 libc_nonshared.a AS_NEEDED ( libld.so.2 ) )' >"$folder/libc.so"
