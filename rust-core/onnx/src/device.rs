//! A model in ONNX Runtime on a GPU.

use std::path::PathBuf;
use std::slice;

use ort::environment::Environment;
use ort::value::{DynValue, Shape, Tensor, TensorRefMut};
use spark_classify_core::engine::{check_len, Asked, Outputs};
use spark_classify_core::error::{Error, Result};
use spark_classify_core::model::ModelDirectory;
use spark_classify_core::{Device, DeviceModel, Lane, SampleTable};

use crate::pixels;
use crate::results::Results;
use crate::session::{reason, NotOpened, Provider, Reason, Session};
use crate::signature::Signature;
use crate::ENGINE;

/// A loaded model that takes pixels. All lanes share the session and so its weights.
#[derive(Debug)]
pub(crate) struct OnnxOnDevice {
    session: Session,
    signature: Signature,
    results: Results,
}

impl OnnxOnDevice {
    /// Loads the model file at `path`, checks that it fits the directory's configuration, and runs it once on an empty
    /// image: that shows how wide its outputs are, and finds a model that cannot run before a query does.
    pub(crate) fn load(
        environment: &Environment,
        path: PathBuf,
        directory: &ModelDirectory,
        samples: &SampleTable,
        provider: Provider,
    ) -> Result<Self> {
        let open = || {
            let (session, (signature, mut results)) = Session::open_with(environment, &path, provider, |session| {
                let signature = Signature::of(session.inputs(), directory)?;
                let results = Results::of(session.outputs(), &path, directory);
                Ok((pixels::addition(&signature, samples, session)?, (signature, results)))
            })?;
            let batch = signature.batch.unwrap_or(1);
            let mut pixels = Pixels::new(&session, &signature, batch)
                .map_err(reason)
                .map_err(NotOpened::Model)?;
            results
                .measure(&path, batch, |results, asked| {
                    pixels.infer(&session, &signature, results, batch, asked)
                })
                .map_err(|cause| NotOpened::Model(format!("the model cannot run on an image: {cause}")))?;
            Ok(Self {
                session,
                signature,
                results,
            })
        };
        open().map_err(|cause| match (cause, provider) {
            (NotOpened::Provider(reason), Provider::Cuda(gpu, _)) => Error::Device {
                device: Device::Cuda(gpu).to_string(),
                reason: format!("ONNX Runtime cannot use it: {reason}"),
            },
            (NotOpened::Provider(reason) | NotOpened::Model(reason), _) => Error::ModelFile { path, reason },
        })
    }
}

impl DeviceModel for OnnxOnDevice {
    fn outputs(&self) -> Outputs {
        self.results.outputs.clone()
    }

    fn channels(&self) -> usize {
        self.signature.channels
    }

    fn calls_probabilities(&self) -> bool {
        self.results.is_probabilities()
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
        let images = images.next_multiple_of(self.batch_multiple());
        let pixels = Pixels::new(&self.session, &self.signature, images).map_err(|cause| Error::Inference {
            engine: ENGINE,
            reason: format!("no memory for batches of {images} images: {}", reason(cause)),
        })?;
        Ok(Box::new(OnnxLane { model: self, pixels }))
    }
}

/// Pixels in memory that the GPU copies from quickly.
struct Pixels {
    tensor: Tensor<u8>,
    bytes: usize,
}

impl Pixels {
    #[allow(unsafe_code)]
    fn new(session: &Session, signature: &Signature, images: usize) -> ort::Result<Self> {
        let mut tensor = Tensor::<u8>::new(&session.input_allocator(), signature.pixels_shape(images))?;
        let bytes = images * signature.image_len();
        // ONNX Runtime gives memory as it finds it, and a reference needs bytes that have been written.
        //
        // SAFETY: the tensor has so many bytes (its shape says so), in memory of this process, see `bytes`; nobody else
        // knows them yet.
        unsafe { tensor.data_ptr_mut().cast::<u8>().write_bytes(0, bytes) };
        Ok(Self { tensor, bytes })
    }

    #[allow(unsafe_code)]
    fn bytes(&mut self) -> &mut [u8] {
        // `ort` itself refuses to show page-locked memory, which belongs to the GPU for ONNX Runtime since 1.23.
        //
        // SAFETY: the tensor has so many bytes, in memory of this process: the allocator is that of the CPU, or that of
        // page-locked memory. They were set when the lane was made, and nobody else uses them between two runs.
        unsafe { slice::from_raw_parts_mut(self.tensor.data_ptr_mut().cast(), self.bytes) }
    }

    /// Runs the model on the first `batch` images for the outputs that are asked for.
    #[allow(unsafe_code)]
    fn infer(
        &mut self,
        session: &Session,
        signature: &Signature,
        results: &Results,
        batch: usize,
        asked: Asked,
    ) -> Result<Vec<DynValue>, Reason> {
        let shape = signature.pixels_shape(batch);
        if batch > self.bytes / signature.image_len() {
            return Err(format!("{batch} images are more than the lane has memory for"));
        }
        let start = self.tensor.data_ptr_mut();
        let info = self.tensor.memory_info().to_owned();
        // SAFETY: `start` is the memory of a tensor that this memory info describes and that outlives the one made
        // here; it has as many bytes as the shape says, which was checked.
        let images = unsafe { TensorRefMut::<u8>::from_raw(info, start, Shape::new(shape)) }.map_err(reason)?;
        session.run(pixels::INPUT_C, &*images, &results.names(asked))
    }
}

/// Runs the model on pixels.
struct OnnxLane<'a> {
    model: &'a OnnxOnDevice,
    pixels: Pixels,
}

impl Lane for OnnxLane<'_> {
    fn pixels(&mut self) -> &mut [u8] {
        self.pixels.bytes()
    }

    fn run(&mut self, n: usize, asked: Asked, rows: &mut [f32]) -> Result<()> {
        let OnnxOnDevice {
            session,
            signature,
            results,
        } = self.model;
        let (width, multiple) = (results.outputs.width(asked), self.model.batch_multiple());
        check_len("rows", rows.len(), n * width)?;
        // A model of a fixed batch runs once for each; what is beyond the images in the last one is of no interest.
        let step = if multiple > 1 { multiple } else { n };
        let image = signature.image_len();
        for first in (0..n).step_by(step) {
            let rows = &mut rows[first * width..(first + step).min(n) * width];
            if first > 0 {
                self.pixels().copy_within(first * image..(first + step) * image, 0);
            }
            self.pixels
                .infer(session, signature, results, step, asked)
                .and_then(|values| results.write(asked, &values, step, rows))
                .map_err(|reason| Error::Inference { engine: ENGINE, reason })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
