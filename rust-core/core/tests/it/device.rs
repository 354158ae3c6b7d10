//! A model on a device gives what it gives on the caller's threads. The device is this process: its model makes pixels
//! into the tensor by the table that it gets, and both models add up that tensor with the same weights.

use std::num::NonZeroUsize;
use std::process::Command;
use std::sync::Arc;

use spark_classify_core::{
    Asked, Classifier, DeviceModel, Engine, Error, GpuOptions, Lane, LoadOptions, Model, ModelDirectory, Outputs,
    Predictions, Result, SampleTable,
};
use spark_classify_testing::{dataset, dataset_image, model_directory, odd_image};

const CLASSES: usize = 3;

const PLAIN: &str = r#"{"size": {"height": 8, "width": 8}, "resample": 2, "do_normalize": false}"#;

struct SumEngine;

struct SumModel;

struct SumOnDevice {
    samples: SampleTable,
    image: usize,
}

struct SumLane<'a> {
    model: &'a SumOnDevice,
    pixels: Vec<u8>,
}

/// Sums over thirds of the tensor, which cross the planes, so that each value counts and its place does.
fn logits(tensor: &[f32], logits: &mut [f32]) {
    for (part, logit) in logits.iter_mut().enumerate() {
        let values = tensor
            .iter()
            .enumerate()
            .map(|(at, value)| value * ((at + part) % 7) as f32);
        *logit = values.sum::<f32>() / tensor.len() as f32;
    }
}

impl Engine for SumEngine {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn version(&self) -> Result<String> {
        Ok("1".to_owned())
    }

    fn load(&self, _: &ModelDirectory, options: &LoadOptions) -> Result<Box<dyn Model>> {
        assert_eq!(options.device, "cpu");
        Ok(Box::new(SumModel))
    }

    fn load_on_gpu(
        &self,
        model: &ModelDirectory,
        gpu: u32,
        samples: &SampleTable,
        _: &LoadOptions,
    ) -> Result<Arc<dyn DeviceModel>> {
        assert_eq!(gpu, 3);
        let (height, width) = model.input_size();
        Ok(Arc::new(SumOnDevice {
            samples: samples.clone(),
            image: 3 * height * width,
        }))
    }
}

impl Model for SumModel {
    fn outputs(&self) -> Outputs {
        Outputs::of_classes(CLASSES)
    }

    fn run(&self, n: usize, nchw: &[f32], _: Asked, results: &mut [f32]) -> Result<()> {
        for (image, row) in nchw.chunks_exact(nchw.len() / n).zip(results.chunks_exact_mut(CLASSES)) {
            logits(image, row);
        }
        Ok(())
    }
}

impl DeviceModel for SumOnDevice {
    fn outputs(&self) -> Outputs {
        Outputs::of_classes(CLASSES)
    }

    fn lane(&self, images: usize) -> Result<Box<dyn Lane + '_>> {
        Ok(Box::new(SumLane {
            model: self,
            pixels: vec![0; images * self.image],
        }))
    }
}

impl Lane for SumLane<'_> {
    fn pixels(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    fn run(&mut self, n: usize, _: Asked, results: &mut [f32]) -> Result<()> {
        let SumOnDevice { samples, image } = self.model;
        let images = self.pixels.chunks_exact(*image).take(n);
        for (pixels, row) in images.zip(results.chunks_exact_mut(CLASSES)) {
            let planes = pixels.chunks_exact(image / 3).zip(&samples.0);
            let tensor: Vec<f32> = planes
                .flat_map(|(plane, values)| plane.iter().map(|sample| values[usize::from(*sample)]))
                .collect();
            logits(&tensor, row);
        }
        Ok(())
    }
}

fn on_device(batch_size: usize) -> LoadOptions {
    LoadOptions {
        device: "cuda:3".to_owned(),
        gpu: GpuOptions {
            batch_size,
            ..GpuOptions::default()
        },
        ..LoadOptions::default()
    }
}

#[test]
fn the_results_are_those_of_the_callers_threads() {
    let mut files = dataset();
    files.truncate(30);
    files.insert(7, odd_image("truncated.jpg"));
    files.push(Vec::new());
    let images: Vec<&[u8]> = files.iter().map(Vec::as_slice).collect();
    // With other means for each channel; a crop that pads; and the channels in another order.
    for preprocessor in [
        r#"{"size": {"height": 60, "width": 40}, "resample": 2, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.9, 0.8, 0.7]}"#,
        r#"{"size": {"shortest_edge": 30}, "resample": 3, "do_center_crop": true, "crop_size": {"height": 70, "width": 34}, "do_normalize": false}"#,
        r#"{"image_processor_type": "MobileViTImageProcessor", "size": {"shortest_edge": 40}, "resample": 2, "crop_size": {"height": 32, "width": 32}}"#,
    ] {
        let directory = model_directory(preprocessor);
        let load = |options: &LoadOptions| Classifier::load(&SumEngine, directory.path(), options).unwrap();
        let mut expected = Predictions::new();
        load(&LoadOptions::default())
            .classify(&images, NonZeroUsize::MIN, &mut expected)
            .unwrap();
        assert_eq!(expected.bad_images(), 2);
        for (batch_size, threads) in [(1, 1), (256, 1), (7, 3)] {
            let mut actual = Predictions::new();
            let times = load(&on_device(batch_size))
                .classify(&images, NonZeroUsize::new(threads).unwrap(), &mut actual)
                .unwrap();
            assert!(
                actual.iter().eq(expected.iter()),
                "{batch_size}, {threads}: {preprocessor}"
            );
            assert!(times.decode.as_nanos() > 0 && times.inference.as_nanos() > 0);
        }
    }
}

#[test]
fn without_a_good_image_nothing_reaches_the_device() {
    let directory = model_directory(PLAIN);
    let classifier = Classifier::load(&SumEngine, directory.path(), &on_device(4)).unwrap();
    let mut predictions = Predictions::new();
    classifier
        .classify(&[b"", b"text"], NonZeroUsize::MIN, &mut predictions)
        .unwrap();
    assert_eq!((predictions.len(), predictions.bad_images()), (2, 2));
    classifier.classify(&[], NonZeroUsize::MIN, &mut predictions).unwrap();
    assert!(predictions.is_empty());
}

/// One that has nothing but what every engine must have.
struct CpuEngine;

impl Engine for CpuEngine {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn version(&self) -> Result<String> {
        Ok("1".to_owned())
    }

    fn load(&self, _: &ModelDirectory, _: &LoadOptions) -> Result<Box<dyn Model>> {
        Ok(Box::new(SumModel))
    }
}

#[test]
fn an_engine_without_gpus_says_so() {
    let directory = model_directory(PLAIN);
    let error = Classifier::load(&CpuEngine, directory.path(), &on_device(4)).unwrap_err();
    assert!(matches!(error, Error::Device { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "device cuda:3: the engine plain runs on the CPU only"
    );
    assert_eq!(error.condition(), "CLASSIFY_DEVICE_UNAVAILABLE");
}

#[test]
fn threads_that_the_system_does_not_give_end_nothing() {
    const NAME: &str = "device::threads_that_the_system_does_not_give_end_nothing";
    if std::env::var_os("RUST_MIN_STACK").is_none() {
        // No system has the memory for such a stack, so that none of the process's threads can begin.
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME])
            .env("RUST_MIN_STACK", (1_u64 << 50).to_string())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{told}");
        return;
    }
    assert!(std::thread::Builder::new().spawn(|| ()).is_err());
    let directory = model_directory(PLAIN);
    let image = dataset_image("id_0063.jpg");
    let batch = [image.as_slice(); 5];
    let load = |options: &LoadOptions| Classifier::load(&SumEngine, directory.path(), options);

    // The caller's thread does what its helpers would do.
    let classifier = load(&LoadOptions::default()).unwrap();
    let mut predictions = Predictions::new();
    classifier
        .classify(&batch, NonZeroUsize::new(4).unwrap(), &mut predictions)
        .unwrap();
    assert_eq!((predictions.len(), predictions.bad_images()), (5, 0));

    let refused = load(&on_device(4)).map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("no thread for a lane: "), "{refused}");
}
