//! A device that is this process's own memory. Its number chooses what it does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use spark_classify_core::{Asked, DeviceModel, Error, Lane, ModelDirectory, Outputs, Result};

use crate::NAME;

/// A model is tried on two images, one after the other, and on both, which may come in two runs.
const MOST_PROBES: usize = 4;

/// A model on the device.
pub(crate) struct FaultyDevice {
    number: u32,
    classes: usize,
    image: usize,
    runs: AtomicUsize,
}

impl FaultyDevice {
    /// * `cuda:0`: the logits of every image are 0, 1, 2, ...
    /// * `cuda:1`: it has no memory for batches of more than one image.
    /// * `cuda:2`: a run with a black image in it fails, but not one of those that the model is tried in.
    /// * `cuda:3`: such a run panics.
    pub(crate) fn new(number: u32, model: &ModelDirectory) -> Result<Self> {
        if number > 3 {
            return Err(Error::Device {
                device: spark_classify_core::Device::Cuda(number).to_string(),
                reason: "no behaviour of this number".to_owned(),
            });
        }
        let (height, width) = model.input_size();
        Ok(Self {
            number,
            classes: model.labels()?.len(),
            image: 3 * height * width,
            runs: AtomicUsize::new(0),
        })
    }
}

impl DeviceModel for FaultyDevice {
    fn outputs(&self) -> Outputs {
        Outputs::of_classes(self.classes)
    }

    fn lane(&self, images: usize) -> Result<Box<dyn Lane + '_>> {
        Ok(Box::new(FaultyLane {
            device: self,
            pixels: vec![0; images * self.image],
        }))
    }
}

struct FaultyLane<'a> {
    device: &'a FaultyDevice,
    pixels: Vec<u8>,
}

impl Lane for FaultyLane<'_> {
    fn pixels(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    fn run(&mut self, n: usize, _: Asked, logits: &mut [f32]) -> Result<()> {
        // Long enough for the images of other tasks to come.
        thread::sleep(Duration::from_millis(2));
        let probing = self.device.runs.fetch_add(1, Ordering::SeqCst) < MOST_PROBES;
        let failure = |reason: &str| Error::Inference {
            engine: NAME,
            reason: reason.to_owned(),
        };
        let images = self.pixels.chunks_exact(self.device.image).take(n);
        let dark = !probing && images.into_iter().any(|image| image.iter().all(|sample| *sample == 0));
        match self.device.number {
            1 if n > 1 => return Err(failure("provoked: out of memory")),
            2 if dark => return Err(failure("provoked in run")),
            3 => assert!(!dark, "provoked in run"),
            _ => {}
        }
        for row in logits.chunks_exact_mut(self.device.classes) {
            for (class, logit) in row.iter_mut().enumerate() {
                *logit = class as f32;
            }
        }
        Ok(())
    }
}
