# Spark with spark-classify: `docker build -t spark-classify .`, then `docker run --rm spark-classify` classifies the
# committed dataset; arguments are passed to scripts/run_job.sh (a backend, then spark-submit options).
#
# For GPUs: `docker build --build-arg GPU=1 -t spark-classify-gpu .`, then `docker run --rm --gpus all
# spark-classify-gpu pytorch --conf spark.classify.device=cuda`. That image runs on CPUs, too.
#
# `make docker-check` builds and runs it where there is no Docker.

# What changes least comes first: tools and packages, what runs in the image, Rust, the jar.
FROM rust:1.95-bookworm AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /opt/spark-classify
COPY Cargo.toml ./
COPY scripts/setup.sh scripts/glibc_stubs.sh scripts/requirements.txt scripts/requirements-libtorch.txt scripts/requirements-zig.txt \
    scripts/
RUN scripts/setup.sh
ARG GPU=
COPY scripts/image_environment.sh scripts/requirements-gpu.txt scripts/
RUN scripts/image_environment.sh /image/.venv "$GPU"
# `make build` finds these built, so that a change of the JVM side alone compiles no Rust.
COPY Cargo.toml Cargo.lock ./
COPY rust-core rust-core
COPY scripts/env.sh scripts/link_portable.sh scripts/
RUN . scripts/env.sh && \
    cargo build --release --quiet -p spark-classify-jni-onnx -p spark-classify-jni-torch -p classify-bench
COPY . .
# ONNX Runtime, for classify-bench.
RUN make build && cp "$(gradle --quiet onnxruntimeLibrary)" target/release/

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="spark-classify" \
    org.opencontainers.image.description="Image classification as a Spark SQL function, with Spark and libtorch" \
    org.opencontainers.image.licenses="MIT"
# python3 only launches Spark (and answers PySpark users); procps is what Spark's scripts call. Java's package makes links
# in the folder of manual pages, which a slim image may lack. The base image's own updates say which versions.
# hadolint ignore=DL3008
RUN mkdir -p /usr/share/man/man1 \
    && apt-get update \
    && apt-get install -y --no-install-recommends openjdk-17-jre-headless procps python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 185 --create-home --shell /bin/bash spark
WORKDIR /opt/spark-classify
RUN install --directory --owner=spark output_predictions
COPY --from=build /image/.venv .venv
COPY dataset dataset
COPY model model
COPY scripts/env.sh scripts/run_job.sh scripts/spark_infer.py scripts/
COPY --from=build /opt/spark-classify/target/release/classify-bench /opt/spark-classify/target/release/libonnxruntime.so \
    target/release/
COPY --from=build /opt/spark-classify/spark-udf-jvm/build/libs spark-udf-jvm/build/libs
ENV ORT_DYLIB_PATH=/opt/spark-classify/target/release/libonnxruntime.so
# What the NVIDIA container runtime gives to the container; other runtimes do not look at it.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
# The user `spark`, by number: Kubernetes' runAsNonRoot asks for one.
USER 185
# A job ends by itself, and its exit code says how.
HEALTHCHECK NONE
ENTRYPOINT ["/opt/spark-classify/scripts/run_job.sh"]
CMD ["pytorch"]
