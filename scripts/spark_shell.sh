#!/usr/bin/env bash
# Opens one of Spark's shells over the dataset, with the jar of `make build`, the model and the views of
# examples/images.sql: scripts/spark_shell.sh spark-sql|pyspark|spark-shell [options]
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/env.sh
shell=${1:?which shell? spark-sql, pyspark or spark-shell}
shift
jar=$(ls spark-udf-jvm/build/libs/spark-classify_*.jar)
options=(
    --master "${SPARK_MASTER:-local[*]}"
    --jars "$jar"
    --conf spark.classify.model=model
    --conf spark.classify.torch.home="$LIBTORCH"
    --conf spark.log.level=WARN
)

case $shell in
spark-sql)
    options+=(-i examples/images.sql)
    ;;
pyspark)
    # It runs this after its own; also where its input is a file.
    export PYTHONSTARTUP=$PWD/scripts/pyspark_startup.py PYSPARK_DRIVER_PYTHON_OPTS=-i
    export PYTHONPATH=$PWD/python/src${PYTHONPATH:+:$PYTHONPATH}
    ;;
spark-shell)
    options+=(-i scripts/spark_shell.scala)
    ;;
*)
    echo "$shell is none of spark-sql, pyspark, spark-shell" >&2
    exit 2
    ;;
esac
exec "$SPARK_HOME/bin/$shell" "${options[@]}" "$@"
