#!/usr/bin/env bash
# Builds the image of the Dockerfile and runs its job where there is neither a Docker daemon nor a registry of images:
#
#     scripts/check_dockerfile.sh [cpu|gpu]
#
# Buildah executes every instruction of the Dockerfile, in a root of its own for each stage; prints the size of the
# image. Only what the stages begin with is imitated: debian:bookworm-slim by debootstrap; rust:1.95-bookworm by that,
# fewer packages than the image has, and this machine's tool chain of that release. Both get this machine's sources of
# packages: certificates, and the settings of apt, pip, Cargo, Gradle and Maven.
#
# As root, with the Debian packages buildah and debootstrap, which are installed where they are missing. It takes 10 GB
# of target/docker-check while it runs (20 GB for gpu), and what the stages begin with stays there for the next time. A
# machine with less room resolves the packages of the GPU's image, and installs none.
set -euo pipefail
cd "$(dirname "$0")/.."
variant=${1:-cpu}
work=$PWD/target/docker-check
mkdir -p "$work"

say() { printf '[docker-check] %s\n' "$*"; }
die() {
    printf '[docker-check] error: %s\n' "$*" >&2
    exit 1
}
images() { buildah --root "$work/images" --runroot "$work/run" "$@"; }
# As `buildah run`, which has neither the kernel's nor a daemon's help here.
inside() { images run --isolation chroot "$@"; }

case $variant in
cpu) gpu='' ;;
gpu) gpu=1 ;;
*) die "cpu or gpu, not '$variant'" ;;
esac
[ "$(id -u)" = 0 ] || die "only root can make the roots of images."
if ! command -v buildah >/dev/null || ! command -v debootstrap >/dev/null; then
    say "installing buildah and debootstrap"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends buildah debootstrap \
        debian-archive-keyring >/dev/null
fi

debian=$(sed -n 's/^FROM \(debian:[^ ]*\).*/\1/p' Dockerfile)
rust=$(sed -n 's/^FROM \(rust:[^ ]*\).*/\1/p' Dockerfile)
suite=${debian#debian:} && suite=${suite%-slim}
release=${rust#rust:} && release=${release%"-$suite"}

has() { images inspect --type image "docker.io/library/$1" >/dev/null 2>&1; }
commit() { images commit --quiet --rm --format docker "$1" "docker.io/library/$2" >/dev/null; }

# Copies a file or folder of this machine, if there is one, to the container: `setting CONTAINER SOURCE TARGET`.
setting() {
    [ ! -e "$2" ] || images copy --quiet "$1" "$2" "$3" >/dev/null
}

# What both begin with: the Debian of which the slim image leaves parts out.
make_debian() {
    local root=$work/$suite mirror container
    say "making debian:$suite"
    rm -rf "$root"
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(SITE)' "Codename: $suite" "Component: main" | head -n 1)
    debootstrap --variant=minbase "$suite" "$root" ${mirror:+"$mirror"} >"$work/debootstrap.log" ||
        die "debootstrap failed: $work/debootstrap.log says why."
    # As the image has it: apt keeps nothing, and there are the updates of security.
    cat >"$root/etc/apt/apt.conf.d/docker-clean" <<'END'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
END
    [ ! -e /etc/apt/sources.list.d/debian.sources ] || rm "$root/etc/apt/sources.list"
    container=$(images from scratch)
    images copy --quiet "$container" "$root" / >/dev/null
    setting "$container" /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list.d/debian.sources
    setting "$container" /usr/local/share/ca-certificates /usr/local/share/ca-certificates
    inside "$container" -- sh -c 'apt-get update -qq && apt-get upgrade -y -qq >/dev/null && \
        rm -rf /var/lib/apt/lists/*'
    commit "$container" "debian:$suite"
    rm -rf "$root"
}

make_slim() {
    local container
    say "making $debian"
    container=$(images from --pull-never "docker.io/library/debian:$suite")
    # shellcheck disable=SC2016
    inside "$container" -- sh -c 'cd /usr/share && for folder in doc info locale man; do
        echo "path-exclude /usr/share/$folder/*" >>/etc/dpkg/dpkg.cfg.d/docker && rm -rf $folder/*; done'
    images commit --quiet --rm --squash --format docker "$container" "docker.io/library/$debian" >/dev/null
}

make_rust() {
    local container chain found root=$work/rust
    say "making $rust"
    for chain in $(rustup toolchain list | cut -d' ' -f1); do
        if [[ $(rustup run "$chain" rustc --version) = "rustc $release".* ]]; then found=$chain; fi
    done
    [ -n "${found:-}" ] || die "this machine has no Rust $release to build with: rustup toolchain install $release."
    chain=$(rustup run "$found" rustc --version --verbose | sed -n 's/^release: //p')
    chain+=-$(rustup run "$found" rustc --version --verbose | sed -n 's/^host: //p')

    # The tool chain in the image's minimal profile.
    rm -rf "$root"
    mkdir -p "$root/rustup/toolchains/$chain" "$root/cargo/bin"
    tar -C "$(rustup run "$found" rustc --print sysroot)" -c --exclude ./share --exclude ./lib/rustlib/src \
        --exclude '*clippy*' --exclude '*rustfmt*' --exclude '*miri*' . | tar -C "$root/rustup/toolchains/$chain" -x
    printf 'version = "12"\nprofile = "minimal"\ndefault_toolchain = "%s"\n' "$chain" >"$root/rustup/settings.toml"
    cp "$(command -v rustup)" "$root/cargo/bin/rustup"
    ln -s rustup "$root/cargo/bin/cargo"
    ln -s rustup "$root/cargo/bin/rustc"

    container=$(images from --pull-never "docker.io/library/debian:$suite")
    inside "$container" -- sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends \
        build-essential ca-certificates git pkg-config python3 >/dev/null && rm -rf /var/lib/apt/lists/*'
    images copy --quiet "$container" "$root" /usr/local >/dev/null
    images config --env RUSTUP_HOME=/usr/local/rustup --env CARGO_HOME=/usr/local/cargo \
        --env PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
    setting "$container" /etc/pip.conf /etc/pip.conf
    setting "$container" "$HOME/.config/pip" /root/.config/pip
    setting "$container" "${CARGO_HOME:-$HOME/.cargo}/config.toml" /usr/local/cargo/config.toml
    setting "$container" "$HOME/.gradle/gradle.properties" /root/.gradle/gradle.properties
    setting "$container" "$HOME/.gradle/init.d" /root/.gradle/init.d
    setting "$container" "$HOME/.m2/settings.xml" /root/.m2/settings.xml
    commit "$container" "$rust"
    rm -rf "$root"
}

has "debian:$suite" || make_debian
has "$debian" || make_slim
has "$rust" || make_rust

free=$(df --output=avail --block-size=G "$work" | tail -n 1 | tr -dc 0-9)
if [ -n "$gpu" ] && ((free < 25)); then
    say "$free GB are free, and 25 are needed: resolving the packages of the GPU's image alone"
    container=$(images from --pull-never "docker.io/library/$rust")
    trap 'images rm "$container" >/dev/null' EXIT
    images copy --quiet "$container" scripts/requirements-gpu.txt /tmp/ >/dev/null
    # Only a later pip than Debian's tries without downloading it all.
    inside "$container" -- bash -euc 'apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
        python3 -m venv /tmp/venv && /tmp/venv/bin/pip install --quiet --upgrade pip
        /tmp/venv/bin/pip install --dry-run --quiet --only-binary :all: -r /tmp/requirements-gpu.txt'
    say "passed: they can be had"
    exit
fi

name=spark-classify-$variant
trap 'images rm --all >/dev/null; images rmi --force "$name" >/dev/null 2>&1; images rmi --prune >/dev/null' EXIT
say "building $name"
images build --isolation chroot --pull-never --layers=false --format docker --build-arg "GPU=$gpu" --tag "$name" .

container=$(images from --pull-never "localhost/$name")
root=$(images mount "$container")
say "size of $name: $(du -xsh "$root" | cut -f1), of which"
du -xs --block-size=M "$root"/usr "$root"/opt/spark-classify/* "$root"/opt/spark-classify/.venv/lib/python3.*/site-packages/* |
    sed "s|$root||" | sort -rn | head -n 12

# As the image says: its user, its folder, its environment, its commands.
user=$(inside "$container" -- id -un)
[ "$user" = spark ] || die "the image runs as $user, and is to run as spark."
mapfile -t entrypoint < <(images inspect --format '{{range .Docker.Config.Entrypoint}}{{println .}}{{end}}' "$container" | grep .)
mapfile -t command < <(images inspect --format '{{range .Docker.Config.Cmd}}{{println .}}{{end}}' "$container" | grep .)
for arguments in "${command[*]}" onnx; do
    say "running ${entrypoint[*]} $arguments as $user"
    # shellcheck disable=SC2086
    inside "$container" -- "${entrypoint[@]}" $arguments 2>"$work/stderr" | tee "$work/stdout" ||
        die "the job failed: $(tail -n 20 "$work/stderr")"
    grep -q '^accuracy' "$work/stdout" || die "the job printed no accuracy."
done
say "running classify-bench as $user"
for backend in pytorch onnx; do
    inside "$container" -- target/release/classify-bench --images dataset/image_data.csv --image-dir dataset/all_images \
        --model model --backend "$backend" >"$work/stdout" 2>&1 || die "it failed: $(tail -n 5 "$work/stdout")"
done

say "passed"
