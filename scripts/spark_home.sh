#!/usr/bin/env bash
# Prints the SPARK_HOME of a release of Spark: spark_home.sh 3.5.9. Where it is neither in .venv nor in .sparks (or in
# $SPARKS), it is installed there from its Python package, which carries all jars of the release (450 MB to download).
#
# The Python package of Spark 3.5 has Scala 2.12. With 2.13 (spark_home.sh 3.5.6_2.13) its jars come from Maven: not all of
# them, so that spark-sql and spark-shell do not run.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:?which release of Spark? Usage: spark_home.sh 3.5.9}
# The release that .venv has is there already.
for home in .venv/lib/python3.*/site-packages/pyspark; do
    if [ -d "$home-$version.dist-info" ]; then
        printf '%s\n' "$PWD/$home"
        exit
    fi
done
folder=${SPARKS:-$PWD/.sparks}
mkdir -p "$folder"
exec 9>"$folder/.$version.lock"
flock 9
home=$folder/$version/pyspark
if [ ! -d "$home/jars" ]; then
    rm -rf "$folder/.$version"
    scripts/pip_into.sh "$folder/.$version" "pyspark==${version%_*}"
    if [[ $version == *_2.13 ]]; then
        rm -r "$folder/.$version/pyspark/jars"
        gradle --quiet -p scripts/spark-jars sparkJars "-Pspark=${version%_*}" "-Pinto=$folder/.$version/pyspark/jars" >&2
    fi
    rm -rf "${folder:?}/$version"
    mv "$folder/.$version" "$folder/$version"
fi
printf '%s\n' "$home"
