//! A native library whose engine fails on purpose, for the JVM's tests.
//!
//! Everything around the engine is the real thing: the boundary, the model directory, preprocessing, softmax. The
//! option `device` chooses what the model does, see `Behaviour`; `cuda:N` is a device of its own kind, see
//! `FaultyDevice`.

#![allow(unsafe_code)] // exported symbols

mod device;

use std::panic::panic_any;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use spark_classify_core::{
    Asked, DeviceModel, Engine, Error, LoadOptions, Model, ModelDirectory, Outputs, Result, SampleTable,
};
use spark_classify_jni::Library;

use crate::device::FaultyDevice;

static LIBRARY: Library = Library::new(NAME, |_| Ok(Box::new(FaultyEngine::default())));

spark_classify_jni::natives!(FaultyNative, LIBRARY);

const NAME: &str = "faulty";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    /// `cpu`: the logits of every image are 0, 1, 2, ...
    Ok,
    /// `panic-in-load`
    PanicInLoad,
    /// `fail-first-load`: the first load in the process fails, later ones succeed.
    FailFirstLoad,
    /// `slow-load`: takes 300 ms, so that callers meet.
    SlowLoad,
    /// `wrong-classes`: one class more than the labels.
    WrongClasses,
    /// `panic-in-run`
    PanicInRun,
    /// `panic-in-helper`: on a helper thread of a call; the thread that made the call waits until that has happened
    /// once.
    PanicInHelper,
    /// `strange-panic-in-run`: with a payload that is not text.
    StrangePanicInRun,
    /// `error-in-run`
    ErrorInRun,
}

impl Behaviour {
    fn of(device: &str) -> Result<Self> {
        Ok(match device {
            "cpu" => Self::Ok,
            "panic-in-load" => Self::PanicInLoad,
            "fail-first-load" => Self::FailFirstLoad,
            "slow-load" => Self::SlowLoad,
            "wrong-classes" => Self::WrongClasses,
            "panic-in-run" => Self::PanicInRun,
            "panic-in-helper" => Self::PanicInHelper,
            "strange-panic-in-run" => Self::StrangePanicInRun,
            "error-in-run" => Self::ErrorInRun,
            _ => {
                return Err(Error::Option {
                    option: "device",
                    value: device.to_owned(),
                    reason: "no behaviour of this name".to_owned(),
                })
            }
        })
    }
}

#[derive(Default)]
struct FaultyEngine {
    has_failed: AtomicBool,
}

impl Engine for FaultyEngine {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> Result<String> {
        Ok("0".to_owned())
    }

    #[allow(clippy::panic)] // its purpose
    fn load(&self, model: &ModelDirectory, options: &LoadOptions) -> Result<Box<dyn Model>> {
        let behaviour = Behaviour::of(&options.device)?;
        match behaviour {
            Behaviour::PanicInLoad => panic!("provoked in load"),
            Behaviour::SlowLoad => thread::sleep(Duration::from_millis(300)),
            Behaviour::FailFirstLoad if !self.has_failed.swap(true, Ordering::SeqCst) => {
                return Err(Error::ModelFile {
                    path: model.path().join("model.faulty"),
                    reason: "provoked in the first load".to_owned(),
                })
            }
            _ => {}
        }
        let classes = model.labels()?.len() + usize::from(behaviour == Behaviour::WrongClasses);
        Ok(Box::new(FaultyModel {
            behaviour,
            classes,
            runs: AtomicUsize::new(0),
            helper_came: AtomicBool::new(false),
        }))
    }

    fn load_on_gpu(
        &self,
        model: &ModelDirectory,
        gpu: u32,
        _: &SampleTable,
        _: &LoadOptions,
    ) -> Result<Arc<dyn DeviceModel>> {
        Ok(Arc::new(FaultyDevice::new(gpu, model)?))
    }
}

/// How often `Classifier::load` runs a model to see what it gives.
const PROBES: usize = 3;

struct FaultyModel {
    behaviour: Behaviour,
    classes: usize,
    runs: AtomicUsize,
    helper_came: AtomicBool,
}

impl FaultyModel {
    /// Panics on a helper thread, which has a name of its own. Elsewhere, sees to it that a helper gets a part of the
    /// batch.
    #[allow(clippy::panic)] // its purpose
    fn panic_in_helper(&self) {
        if thread::current().name() == Some("classify") {
            self.helper_came.store(true, Ordering::SeqCst);
            panic!("provoked in a helper");
        }
        for _ in 0..10_000 {
            if self.helper_came.load(Ordering::SeqCst) {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Model for FaultyModel {
    fn outputs(&self) -> Outputs {
        Outputs::of_classes(self.classes)
    }

    #[allow(clippy::panic)] // its purpose
    fn run(&self, _n: usize, _nchw: &[f32], _: Asked, logits: &mut [f32]) -> Result<()> {
        // What is provoked in a run must not come when the model is loaded.
        let probing = self.runs.fetch_add(1, Ordering::SeqCst) < PROBES;
        if self.behaviour == Behaviour::PanicInHelper && !probing {
            self.panic_in_helper();
        }
        match self.behaviour {
            Behaviour::PanicInRun if !probing => panic!("provoked in run"),
            Behaviour::StrangePanicInRun if !probing => panic_any(7_u8),
            Behaviour::ErrorInRun if !probing => Err(Error::Inference {
                engine: NAME,
                reason: "provoked in run".to_owned(),
            }),
            _ => {
                for row in logits.chunks_exact_mut(self.classes) {
                    for (class, logit) in row.iter_mut().enumerate() {
                        *logit = class as f32;
                    }
                }
                Ok(())
            }
        }
    }
}
