//! A model in ONNX Runtime on a GPU.

use std::path::PathBuf;
use std::slice;

use ort::environment::Environment;
use ort::value::{Shape, Tensor, TensorRefMut};
use spark_classify_core::engine::check_len;
use spark_classify_core::error::{Error, Result};
use spark_classify_core::model::ModelDirectory;
use spark_classify_core::{Device, DeviceModel, Lane, SampleTable};

use crate::outputs::Rows;
use crate::pixels;
use crate::session::{reason, NotOpened, Provider, Reason, Session};
use crate::signature::Signature;
use crate::ENGINE;

/// A loaded model that takes pixels. All lanes share the session and so its weights.
#[derive(Debug)]
pub(crate) struct OnnxOnDevice {
    session: Session,
    signature: Signature,
    classes: usize,
}

impl OnnxOnDevice {
    /// Loads the model file at `path`, checks that it fits the directory's configuration, and runs it once on an empty
    /// image: that shows the number of classes, and finds a model that cannot run before a query does.
    pub(crate) fn load(
        environment: &Environment,
        path: PathBuf,
        directory: &ModelDirectory,
        samples: &SampleTable,
        provider: Provider,
    ) -> Result<Self> {
        let open = || {
            let (session, signature) = Session::open_with(environment, &path, provider, |session| {
                let signature = Signature::of(session.inputs(), session.outputs(), directory)?;
                Ok((pixels::addition(&signature, samples, session)?, signature))
            })?;
            let mut model = Self {
                session,
                signature,
                classes: 0,
            };
            model.classes = model.count_classes().map_err(NotOpened::Model)?;
            Ok(model)
        };
        open().map_err(|cause| match (cause, provider) {
            (NotOpened::Provider(reason), Provider::Cuda(gpu, _)) => Error::Device {
                device: Device::Cuda(gpu).to_string(),
                reason: format!("ONNX Runtime cannot use it: {reason}"),
            },
            (NotOpened::Provider(reason) | NotOpened::Model(reason), _) => Error::ModelFile { path, reason },
        })
    }

    fn count_classes(&self) -> Result<usize, Reason> {
        let batch = self.signature.batch.unwrap_or(1);
        let mut lane = OnnxLane::new(self, batch).map_err(reason)?;
        lane.infer(batch, |rows| Ok(rows.width))
            .map_err(|cause| format!("the model cannot run on an image: {cause}"))
    }
}

impl DeviceModel for OnnxOnDevice {
    fn classes(&self) -> usize {
        self.classes
    }

    fn calls_probabilities(&self) -> bool {
        self.signature.output.is_probabilities
    }

    fn batch_multiple(&self) -> usize {
        self.signature.batch.unwrap_or(1)
    }

    /// One size alone: cuDNN's plan of a convolution is made for a size, and ONNX Runtime keeps only the last one.
    fn run_sizes(&self, largest: usize) -> Vec<usize> {
        match self.signature.batch {
            Some(_) => Vec::new(),
            None => vec![largest],
        }
    }

    fn lane(&self, images: usize) -> Result<Box<dyn Lane + '_>> {
        let lane = OnnxLane::new(self, images).map_err(|cause| Error::Inference {
            engine: ENGINE,
            reason: format!("no memory for batches of {images} images: {}", reason(cause)),
        })?;
        Ok(Box::new(lane))
    }
}

/// Runs the model on pixels in memory that the GPU copies from quickly.
struct OnnxLane<'a> {
    model: &'a OnnxOnDevice,
    pixels: Tensor<u8>,
    bytes: usize,
}

impl<'a> OnnxLane<'a> {
    #[allow(unsafe_code)]
    fn new(model: &'a OnnxOnDevice, images: usize) -> ort::Result<Self> {
        let images = images.next_multiple_of(model.batch_multiple());
        let mut pixels = Tensor::<u8>::new(&model.session.input_allocator(), model.signature.pixels_shape(images))?;
        let bytes = images * model.signature.image_len();
        // ONNX Runtime gives memory as it finds it, and a reference needs bytes that have been written.
        //
        // SAFETY: the tensor has so many bytes (its shape says so), in memory of this process, see `bytes`; nobody else
        // knows them yet.
        unsafe { pixels.data_ptr_mut().cast::<u8>().write_bytes(0, bytes) };
        Ok(Self { model, pixels, bytes })
    }

    #[allow(unsafe_code)]
    fn bytes(&mut self) -> &mut [u8] {
        // `ort` itself refuses to show page-locked memory, which belongs to the GPU for ONNX Runtime since 1.23.
        //
        // SAFETY: the tensor has so many bytes, in memory of this process: the allocator is that of the CPU, or that of
        // page-locked memory. They were set when the lane was made, and nobody else uses them between two runs.
        unsafe { slice::from_raw_parts_mut(self.pixels.data_ptr_mut().cast(), self.bytes) }
    }

    /// Runs the model on the first `batch` images and hands the output's rows to `read`.
    #[allow(unsafe_code)]
    fn infer<T>(&mut self, batch: usize, read: impl FnOnce(Rows<'_>) -> Result<T, Reason>) -> Result<T, Reason> {
        let OnnxOnDevice { session, signature, .. } = self.model;
        let shape = signature.pixels_shape(batch);
        if batch > self.bytes / signature.image_len() {
            return Err(format!("{batch} images are more than the lane has memory for"));
        }
        let start = self.pixels.data_ptr_mut();
        let info = self.pixels.memory_info().to_owned();
        // SAFETY: `start` is the memory of a tensor that this memory info describes and that outlives the one made
        // here; it has as many bytes as the shape says, which was checked.
        let images = unsafe { TensorRefMut::<u8>::from_raw(info, start, Shape::new(shape)) }.map_err(reason)?;
        let output = session.run(pixels::INPUT_C, &*images, &signature.output.name)?;
        read(signature.output.rows(&output, batch)?)
    }
}

impl Lane for OnnxLane<'_> {
    fn pixels(&mut self) -> &mut [u8] {
        self.bytes()
    }

    fn run(&mut self, n: usize, logits: &mut [f32]) -> Result<()> {
        let (classes, multiple) = (self.model.classes, self.model.batch_multiple());
        check_len("logits", logits.len(), n * classes)?;
        // A model of a fixed batch runs once for each; what is beyond the images in the last one is of no interest.
        let step = if multiple > 1 { multiple } else { n };
        let image = self.model.signature.image_len();
        for first in (0..n).step_by(step) {
            let rows = &mut logits[first * classes..(first + step).min(n) * classes];
            if first > 0 {
                self.pixels().copy_within(first * image..(first + step) * image, 0);
            }
            self.infer(step, |given| {
                given.check_width(classes)?;
                rows.copy_from_slice(&given.values[..rows.len()]);
                Ok(())
            })
            .map_err(|reason| Error::Inference { engine: ENGINE, reason })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
