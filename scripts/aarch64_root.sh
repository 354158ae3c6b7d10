#!/usr/bin/env bash
# Unpacks a JVM for Arm and the libraries it needs into target/aarch64/root, for tests under QEMU. Debian's
# packages, by an apt of that folder's own: nothing of the system's changes, and no rights are needed.
set -euo pipefail
cd "$(dirname "$0")/.."
root=target/aarch64/root
[ -e $root/done ] && exit
command -v apt-get >/dev/null || {
    echo "a root for Arm is made of Debian's packages, and there is no apt-get here" >&2
    exit 1
}
mkdir -p $root/apt/lists $root/apt/cache
touch $root/apt/status
apt=(apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root
    -o "Dir::State::Lists=$PWD/$root/apt/lists" -o "Dir::Cache=$PWD/$root/apt/cache"
    -o "Dir::State::status=$PWD/$root/apt/status")
"${apt[@]}" update
(cd $root/apt && "${apt[@]}" download openjdk-17-jre-headless libc6 libgcc-s1 libstdc++6 libgomp1 zlib1g)
for package in "$root"/apt/*.deb; do
    dpkg -x "$package" $root
done
rm -r $root/apt
# ONNX Runtime reads it and ends where it is that of an x86 processor.
mkdir -p $root/proc
printf 'processor\t: 0\nFeatures\t: fp asimd crc32 cpuid\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\nCPU revision\t: 3\n\n' \
    >$root/proc/cpuinfo
touch $root/done
