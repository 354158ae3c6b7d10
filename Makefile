# The two commands that matter: `make run` and `make test`. Both install what they need first.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

version := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
# The oldest Spark that the jar runs on; it is compiled against the newest.
oldest_spark := 4.0.5
jar := spark-udf-jvm/build/libs/spark-classify_2.13-$(version).jar
# Every recipe that builds or runs something does so against the Spark and the libtorch of .venv.
env := source scripts/env.sh &&

c_files := $(shell find rust-core scripts -name '*.[ch]' -o -name '*.cpp')
shell_files := $(wildcard scripts/*.sh) scripts/gpu-check .ci/run
aarch64 := aarch64-unknown-linux-gnu
# Without Spark, ONNX Runtime has to be told: the one that goes into the jar.
onnxruntime := ORT_DYLIB_PATH=$$(gradle --quiet onnxruntimeLibrary) && export ORT_DYLIB_PATH &&
# Virtual environments beside .venv.
environments := .venv-reference .venv-package .venv-docs
bench_environments := .venv-bench-peers .venv-bench-synapseml

# Every name without a dot: none of them is a file that is made. Whether an environment has to be, setup.sh decides.
.PHONY: $(shell sed -nE 's/^([a-z0-9-]+):.*/\1/p' Makefile) $(environments) $(bench_environments)

help: ## this list
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

setup: ## install what is missing (apt packages when root, .venv)
	@scripts/setup.sh

build: setup ## build the native libraries, the jar and classify-bench
	@$(env) cargo build --release -p spark-classify-jni-onnx -p spark-classify-jni-torch -p classify-bench
	@$(env) gradle --quiet jar

run: build ## classify the committed dataset in Spark with both backends
	@scripts/run_job.sh pytorch
	@scripts/run_job.sh onnx

# Of the artifacts that are published, one line: three take three times as long (make test-package).
test: ## everything but the slow tests, the cheapest first, each stage with its time and what is left of the disk
	@for stage in lint deny test-rust test-asan test-jvm test-e2e test-examples test-docs test-spark35 test-package test-references; do \
		start=$$SECONDS; $(MAKE) --no-print-directory $$stage PACKAGE_LINES=spark4_2.13; echo "== $$stage: $$((SECONDS - start)) s,$$(df --output=avail --block-size=G . | tail -n 1) left on the disk"; \
	done
	@echo "All tests passed."

spark-sql: build ## a SQL shell over the dataset: the view images, the model and the functions are there
	@scripts/spark_shell.sh spark-sql

pyspark: build ## the same in Python
	@scripts/spark_shell.sh pyspark

spark-shell: build ## the same in Scala
	@scripts/spark_shell.sh spark-shell

check: lint ## the inner loop: format, lint, and the tests that need no engine, in less than a minute once all is built
	@$(env) cargo test --release --quiet -p spark-classify-imaging -p spark-classify-core

test-rust: build ## Rust unit and integration tests
	@$(env) $(onnxruntime) HOSTILE_IMAGES=200000 cargo test --release --workspace

test-checked: setup ## the core's tests again, where arithmetic that overflows panics
	@$(env) HOSTILE_IMAGES=30000 cargo test --profile checked -p spark-classify-imaging -p spark-classify-core --lib --tests

test-asan: build ## the C code of the decoders under AddressSanitizer, over broken files
	@scripts/check_asan.sh

test-jvm: build ## ScalaTest suites on a real SparkSession
	@$(env) cargo build --release --quiet -p spark-classify-jni-faulty
	@$(env) gradle --quiet test
	@$(env) home=$$(scripts/spark_home.sh $(oldest_spark)) && gradle --quiet test -Psuite=LinkageSuite "-PtestSparkHome=$$home"

# Two at a time: much of a test is the start of a JVM, which keeps one core busy.
test-e2e: build ## spark-submit, spark-sql and PySpark with the jar, on local, local-cluster and standalone masters
	@$(env) $(onnxruntime) .venv/bin/python -m pytest -q -rs -n 2 -m "not slow" tests/e2e tests/cluster
	@$(env) FAULT_JOBS=1 .venv/bin/python -m pytest -q tests/faults/test_kills.py

test-slow: build test-checked ## what `make test` leaves out: test-checked; the other half of the pairs in test-e2e; Sparks that take long to install
	@$(env) $(onnxruntime) .venv/bin/python -m pytest -q -rs -n 2 -m slow tests/e2e

test-examples: build reference ## what examples/ and python/README.md show, by the commands that they name, and the shells of `make`
	@$(env) $(onnxruntime) .venv/bin/python -m pytest -q -rs -n 2 tests/examples

test-cluster-yarn: build ## the job on a YARN of two nodes (60 MB of Hadoop to download)
	@$(env) .venv/bin/python -m pytest -q tests/yarn

# The seed of the kills is printed, and FAULT_SEED=... makes the same ones again; FAULT_JOBS is their number, 20 by default.
test-faults: build ## jobs with killed executors and workers, bad folders, executors with files large for them, JVMs that end amid calls (half an hour)
	@$(env) $(onnxruntime) .venv/bin/python -m pytest -q tests/faults
	@$(env) PROCESS_ENDS=$${PROCESS_ENDS:-50} gradle --quiet test -Psuite=ProcessEndSuite

test-scale: build ## 100,000 rows with 1% bad ones of every kind, each against the oracle (ten minutes)
	@$(env) $(onnxruntime) SCALE_ROWS=$${SCALE_ROWS:-100000} .venv/bin/python -m pytest -q tests/e2e/test_bad_rows.py

test-spark35: build ## the core suites, and launchers, on Spark 3.5 with Scala 2.12 and Java 11, with the jar for it
	@$(env) cargo build --release --quiet -p spark-classify-jni-faulty
	@$(env) $(onnxruntime) MATRIX=3.5.9/11 .venv/bin/python scripts/matrix.py --quick

test-matrix: build ## the tests on every Spark and Java of scripts/matrix.py, and docs/compatibility.md (an hour; MATRIX=4.0.5 for a part)
	@$(env) cargo build --release --quiet -p spark-classify-jni-faulty
	@$(env) $(onnxruntime) .venv/bin/python scripts/matrix.py --page

test-aarch64: build ## linux-aarch64 under QEMU (qemu-user): the pixels of x86, and a model in a JVM for Arm
	@command -v qemu-aarch64 >/dev/null || { echo "make test-aarch64 needs qemu-aarch64 (Debian: qemu-user)" >&2; exit 1; }
	@scripts/build_natives.sh && scripts/aarch64_root.sh
	@$(env) for target in "" "--target $(aarch64)"; do \
		cargo build --release --quiet $$target -p classify-tools --bin classify-pixels; \
	done
	@$(env) .venv/bin/python -m pytest -q -rs tests/e2e/test_aarch64.py

docker-check: ## build the image of the Dockerfile and run its job, without Docker (VARIANT=gpu)
	@scripts/check_dockerfile.sh $(or $(VARIANT),cpu)

test-parity: parity_models := --small
test-parity: parity-models ## model families, and embeddings of five, against transformers, timm, torchvision, torch and ONNX Runtime in Python
	@$(env) $(onnxruntime) .venv/bin/python -m pytest -q tests/parity
	@.venv-reference/bin/python -m pytest -q tests/parity/test_live_torchvision.py

test-python: build reference ## `spark-classify export` and `check` on small networks of transformers, timm and torchvision
	@$(env) $(onnxruntime) .venv-reference/bin/python -m pytest -q -c python/pyproject.toml python/tests

# Both keep one core busy for much of their time.
test-references: ## test-parity and test-python, side by side
	@$(MAKE) --no-print-directory -j2 --output-sync=target test-parity test-python

parity: parity-models ## the same with large models too, and write what was measured into docs/parity.md
	@$(env) $(onnxruntime) .venv/bin/python -m pytest -q tests/parity --write-table

# Other images every time: the seed is printed, and LIVE_SEED=... makes the same ones again.
parity-live: build reference ## thousands of random images against a live Pillow and torchvision (LIVE_IMAGES of each kind)
	@$(env) cargo build --release --quiet -p classify-tools --bin classify-pixels
	@export LIVE_SEED=$${LIVE_SEED:-$$(date +%s)} LIVE_IMAGES=$${LIVE_IMAGES:-1000}; echo "LIVE_SEED=$$LIVE_SEED"; \
		.venv/bin/python -m pytest -q tests/parity/test_live_pillow.py && \
		.venv-reference/bin/python -m pytest -q tests/parity/test_live_torchvision.py

# What it finds to be new goes beside the committed inputs, not among them.
fuzz: ## fuzz each image format, the model configuration and ONNX files under AddressSanitizer (SECONDS_EACH=60 FUZZ="jpeg png"; nightly Rust, cargo-fuzz, clang)
	@scripts/fuzz.sh $(or $(SECONDS_EACH),60) $(FUZZ)

parity-models: build reference
	@.venv-reference/bin/python scripts/make_parity_models.py $(parity_models)
	@.venv-reference/bin/python scripts/make_parity_embeddings.py
	@$(env) cargo build --release --quiet -p classify-tools

$(environments): .venv-%:
	@scripts/setup.sh --environment $@ scripts/requirements-$*.txt

reference: .venv-reference # an environment of its own for what tests compare with (about 3 GB to download)

golden: reference ## make the reference values of the tests again
	@.venv-reference/bin/python scripts/make_golden.py
	@.venv-reference/bin/python scripts/timm_cases.py
	@.venv-reference/bin/python scripts/model_cases.py

# The environments of the contenders. What cannot be installed is reported in the benchmark's table.
$(bench_environments): .venv-bench-%:
	@scripts/setup.sh --environment $@ benchmarks/requirements-$*.txt || rm -rf $@

report-picture: build ## draw docs/report.png, the picture of a report that the README shows (needs chromium-headless-shell)
	@mkdir -p target/report
	@$(env) $(onnxruntime) target/release/classify-bench --images dataset/image_data.csv --model model --backend onnx \
		--report target/report/report.html >target/report/run.log
	@chromium-headless-shell --no-sandbox --hide-scrollbars --window-size=1200,930 --screenshot=docs/report.png file://$(CURDIR)/target/report/report.html

# Its theme announces the end of MkDocs on every run. With --quiet, MkDocs would pass over what --strict has it fail for.
docs: .venv-docs ## the documentation as a site, into target/site (30 MB to download)
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --config-file docs/site/mkdocs.yml 2>&1 | sed '/^INFO/d; /^$$/d'

test-docs: build docs ## the site, the links, and the SQL, Python and shell that the pages show
	@$(env) $(onnxruntime) .venv/bin/python -m pytest -q -rs -n 2 tests/docs

package: build .venv-package ## everything that is published, into target/package: Maven artifacts, wheels, SBOMs (PACKAGE_LINES=spark4_2.13 for one)
	@scripts/build_natives.sh
	@$(env) .venv-package/bin/python scripts/package.py build $(if $(PACKAGE_LINES),--lines $(PACKAGE_LINES))

wheel: build .venv-package ## the Python package for this machine, of the jar of `make build`; pip installs it from target/wheel
	@$(env) .venv-package/bin/python scripts/package.py wheel

publish-local: .venv-package ## copy the Maven artifacts of `make package` into the repository in a folder: REPOSITORY=DIR (PARTIAL=1 for what there is)
	@test -n "$(REPOSITORY)" || { echo "which folder? make publish-local REPOSITORY=DIR" >&2; exit 1; }
	@.venv-package/bin/python scripts/package.py publish $(if $(PARTIAL),--partial) "$(REPOSITORY)"

# With the native libraries of this machine's platform alone: those of another take minutes to build. Not in the folder of
# `make package`, where a release may be.
test-package: export NATIVES ?= linux-$(shell uname -m)
test-package: export PACKAGE_DIR ?= target/package-test
test-package: ## what `make package` builds: installed by --packages and by pip, the first query, SBOMs
	@$(MAKE) --no-print-directory package && $(MAKE) --no-print-directory test-release

test-release: .venv-package ## the same of what `make package` has left in target/package
	@$(env) .venv-package/bin/python -m pytest -q -n 2 tests/package

first-query: package ## from an empty machine to the first answer, by the wheel and by --packages, with what each step takes (1 GB to download)
	@$(env) .venv-package/bin/python scripts/first_query.py

bench: build $(bench_environments) ## measure against other ways to do the same (3 GB to download; BENCH="--only limit,spark-onnx")
	@scripts/setup.sh --fonts
	@gradle --quiet -p benchmarks/jvm || echo "The contenders in Scala could not be built."
	@$(env) $(onnxruntime) .venv/bin/python benchmarks/run.py $(BENCH)

bench-scale: build ## a million small images in a job: speed and memory along the way, executors, partitions, a store that fails (half an hour)
	@scripts/setup.sh --fonts
	@$(env) .venv/bin/python benchmarks/scale.py $(BENCH)

bench-core: build ## the Rust core with criterion: SAVE=name keeps the result as a baseline, BASELINE=name compares with it
	@$(env) $(onnxruntime) cargo bench --quiet -p spark-classify-imaging -p spark-classify-core -p classify-bench -- --noplot \
		$(if $(SAVE),--save-baseline $(SAVE)) $(if $(BASELINE),--baseline $(BASELINE))

bench-growth: build reference ## how cost grows: images of other sizes, larger batches and models, more rows
	@scripts/setup.sh --fonts
	@.venv-reference/bin/python benchmarks/models.py
	@$(env) $(onnxruntime) .venv/bin/python benchmarks/run.py --set growth,batches --output benchmarks/.results/growth $(BENCH)

bench-steps: build ## what each step of an image costs: bare, in classify-bench and in Spark (BENCH="--engine pytorch")
	@scripts/setup.sh --fonts
	@$(env) $(onnxruntime) .venv/bin/python benchmarks/steps.py $(BENCH)

bench-fixed: build ## what a job costs beside its images, from spark-submit to its end, and small queries (BENCH="--rounds 5")
	@scripts/setup.sh --fonts
	@$(env) $(onnxruntime) .venv/bin/python benchmarks/fixed_costs.py $(BENCH)

bench-images: reference ## decoding and resizing next to Pillow and other Rust libraries, in time and in bytes (BENCH=--write)
	@$(env) cargo build --release --quiet -p classify-tools --bin classify-image-libraries
	@$(env) .venv-reference/bin/python benchmarks/image_libraries.py $(BENCH)

bench-photos: build .venv-bench-peers ## small squares of photographs of 12 to 48 megapixels, in time and memory, next to Pillow, pyvips and Daft
	@$(env) cargo build --release --quiet -p classify-tools --bin classify-photos
	@$(env) .venv-bench-peers/bin/python benchmarks/large_photos.py $(BENCH)

# What a machine with a GPU and without Rust needs to run scripts/gpu-check, in target/gpu.
gpu-programs: build ## build the programs of scripts/gpu-check into target/gpu
	@mkdir -p target/gpu && cp target/release/classify-bench target/gpu/
	@$(env) for engine in onnx torch; do \
		cp "$$(cargo test --release --quiet --no-run --message-format json -p spark-classify-$$engine --test it \
			| sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)" target/gpu/$$engine-tests; \
	done

lint: setup ## rustfmt, clippy, rustdoc, the fuzz targets, imports without circles, the formats of all languages
	@cargo fmt --all --check
	@python3 scripts/check_imports.py && python3 scripts/check_width.py
	@.venv/bin/clang-format --dry-run -Werror $(c_files)
	@.venv/bin/shfmt -i 4 -d $(shell_files) && .venv/bin/shellcheck $(shell_files)
	@.venv/bin/hadolint Dockerfile
	@$(env) cargo clippy --release --workspace --all-targets --quiet -- -D warnings
	@if command -v aarch64-linux-gnu-gcc >/dev/null && [ -d "$$(rustc --print target-libdir --target $(aarch64))" ]; then \
		$(env) cargo clippy --release --quiet --target $(aarch64) -p spark-classify-imaging --all-targets -- -D warnings; \
	else echo "Not linted for Arm: a compiler for it or Rust's library is missing (scripts/setup.sh --aarch64)."; fi
	@$(env) cargo check --release --quiet --manifest-path rust-core/fuzz/Cargo.toml --target-dir target
	@$(env) RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --release --quiet --workspace --no-deps --document-private-items
	@$(env) gradle --quiet scalafmtCheck javaFormatCheck
	@.venv/bin/ruff check scripts tests benchmarks python docs examples
	@.venv/bin/ruff format --check scripts tests benchmarks python docs examples
	@.venv/bin/mypy --config-file python/pyproject.toml python/src

# Built once, and not optimized, which would take longer than it saves. The list of known weaknesses is asked for where it
# can be reached.
deny: setup ## what Rust dependencies may be (deny.toml): licences, sources, no second release of a crate, no known weakness
	@test -x target/tools/bin/cargo-deny || cargo install --quiet --debug --locked --root target/tools cargo-deny@0.20.2
	@cargo fetch --quiet --locked # also what no build here needs: other platforms' crates
	@target/tools/bin/cargo-deny --offline check --hide-inclusion-graph licenses bans sources
	@if target/tools/bin/cargo-deny fetch db 2>/dev/null; then target/tools/bin/cargo-deny check --disable-fetch advisories; \
		else echo "The database of known weaknesses cannot be reached: not asked."; fi

format: setup ## rewrite the sources in the project's format
	@cargo fmt --all
	@.venv/bin/clang-format -i $(c_files)
	@.venv/bin/shfmt -i 4 -w $(shell_files)
	@$(env) gradle --quiet scalafmt javaFormat
	@.venv/bin/ruff check --fix scripts tests benchmarks python docs examples
	@.venv/bin/ruff format scripts tests benchmarks python docs examples

clean: ## remove everything that was built, installed or written here
	@rm -rf target spark-udf-jvm/build .gradle .bloop .sparks .venv $(environments) $(bench_environments) \
		{.,python,tests}/{.mypy,.pytest,.ruff}_cache scripts/spark-jars/.gradle benchmarks/jvm/{.gradle,build} \
		tests/parity/{models,embeddings} benchmarks/{.images,.models} \
		output_predictions spark-warehouse metastore_db derby.log report.html report.json
