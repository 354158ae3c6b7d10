//! A batch through each engine and precision that this machine has, and one of image files through all of the core.
//!
//! `make bench-core` measures on the committed model and images.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

use std::num::NonZeroUsize;

use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion, Throughput};
use spark_classify_core::{Asked, Classifier, Engine, LoadOptions, ModelDirectory, Precision, Predictions};
use spark_classify_testing::{dataset, repository};

const BATCH: usize = 8;

/// The engines that were built in and whose library is there.
fn engines() -> Vec<Box<dyn Engine>> {
    let mut engines: Vec<Box<dyn Engine>> = Vec::new();
    #[cfg(feature = "onnx")]
    if let Some(library) = std::env::var_os("ORT_DYLIB_PATH") {
        engines.push(Box::new(spark_classify_onnx::OnnxEngine::new(library.as_ref())));
    }
    #[cfg(feature = "torch")]
    engines.push(Box::new(spark_classify_torch::TorchEngine::new()));
    engines
}

fn inference(criterion: &mut Criterion) {
    let model = ModelDirectory::open(&repository("model")).unwrap();
    let (height, width) = model.input_size();
    let length = 3 * height * width;
    let nchw: Vec<f32> = (0..BATCH * length).map(|index| (index % 977) as f32 / 977.0).collect();
    let mut group = criterion.benchmark_group("inference");
    for engine in engines() {
        for precision in [Precision::Fp32, Precision::Bf16, Precision::Int8] {
            let options = LoadOptions {
                precision,
                ..LoadOptions::default()
            };
            let backend = match engine.load(&model, &options) {
                Ok(backend) => backend,
                Err(error) => {
                    eprintln!("not measured: {error}");
                    continue;
                }
            };
            let mut logits = vec![0.0; BATCH * backend.classes()];
            for batch in [1, BATCH] {
                group.throughput(Throughput::Elements(batch as u64));
                let id = BenchmarkId::new(format!("{}-{}", engine.name(), precision.name()), batch);
                group.bench_function(id, |bencher| {
                    let classes = backend.classes();
                    bencher.iter(|| {
                        let logits = &mut logits[..batch * classes];
                        backend
                            .run(batch, &nchw[..batch * length], Asked::Classes, logits)
                            .unwrap();
                    });
                });
            }
        }
    }
    group.finish();
}

fn classifying(criterion: &mut Criterion) {
    let files = dataset();
    let images: Vec<&[u8]> = files.iter().take(4 * BATCH).map(Vec::as_slice).collect();
    let mut group = criterion.benchmark_group("classify");
    group.throughput(Throughput::Elements(images.len() as u64));
    for engine in engines() {
        let classifier = Classifier::load(&*engine, &repository("model"), &LoadOptions::default()).unwrap();
        let mut predictions = Predictions::new();
        group.bench_function(BenchmarkId::new(engine.name(), images.len()), |bencher| {
            bencher.iter(|| {
                classifier
                    .classify(&images, NonZeroUsize::MIN, &mut predictions)
                    .unwrap()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, inference, classifying);
criterion_main!(benches);
