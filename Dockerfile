# Spark with spark-classify: `docker build -t spark-classify .`, then `docker run --rm spark-classify` classifies the
# committed dataset; arguments are passed to scripts/run_job.sh (a backend, then spark-submit options).
#
# For GPUs: `docker build --build-arg GPU=1 -t spark-classify-gpu .`, then `docker run --rm --gpus all
# spark-classify-gpu pytorch --conf spark.classify.device=cuda`. That image runs on CPUs, too.
FROM rust:1.95-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends cmake gradle meson nasm ninja-build openjdk-17-jdk-headless python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/spark-classify
# The environment first: it changes seldom, and it is what takes long to download.
COPY scripts/setup.sh scripts/requirements*.txt scripts/
COPY Cargo.toml .
RUN scripts/setup.sh
COPY . .
RUN make build
# After the build, which needs libtorch alone.
ARG GPU=
RUN if [ -n "$GPU" ]; then .venv/bin/python -m pip install --quiet -r scripts/requirements-gpu.txt; fi

FROM debian:bookworm-slim
# python3 only launches Spark (and answers PySpark users); procps is what Spark's scripts call.
RUN apt-get update \
    && apt-get install -y --no-install-recommends openjdk-17-jre-headless procps python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home spark
WORKDIR /opt/spark-classify
COPY --from=build /opt/spark-classify/.venv .venv
COPY --from=build /opt/spark-classify/spark-udf-jvm/build/libs spark-udf-jvm/build/libs
COPY --from=build /opt/spark-classify/target/release/classify-bench target/release/classify-bench
COPY dataset dataset
COPY model model
COPY scripts scripts
RUN mkdir output_predictions && chown spark output_predictions
# What the NVIDIA container runtime gives to the container; other runtimes do not look at it.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER spark
ENTRYPOINT ["scripts/run_job.sh"]
CMD ["pytorch"]
