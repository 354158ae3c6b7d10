//! The batcher on a device that is simple enough to know its answers, and that fails on demand.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::engine::{Asked, Lane};

const IMAGE: usize = 4;
const CLASSES: usize = 3;

/// First samples of images whose runs fail, alone or with others.
const POISON: u8 = 255;
const PANIC: u8 = 254;

/// What happens on the device.
#[derive(Default)]
struct Device {
    /// A run of more images fails.
    memory: usize,
    batch: usize,
    run_time: Duration,
    /// No lane can be made.
    broken: bool,
    /// Runs have one of these sizes.
    sizes: Vec<usize>,
    runs: Mutex<Vec<usize>>,
    /// How often each image was in a run that went well.
    answered: Mutex<HashMap<[u8; IMAGE], usize>>,
}

struct TestLane<'a> {
    device: &'a Device,
    pixels: Vec<u8>,
}

impl DeviceModel for Device {
    fn outputs(&self) -> Outputs {
        Outputs {
            classes: Ok(CLASSES),
            embedding: Ok(IMAGE),
            embeddings_only: false,
        }
    }

    fn batch_multiple(&self) -> usize {
        self.batch.max(1)
    }

    fn run_sizes(&self, largest: usize) -> Vec<usize> {
        self.sizes.iter().copied().filter(|size| *size <= largest).collect()
    }

    fn lane(&self, images: usize) -> Result<Box<dyn Lane + '_>> {
        if self.broken {
            return Err(failure("no memory for a lane"));
        }
        Ok(Box::new(TestLane {
            device: self,
            pixels: vec![0; images * IMAGE],
        }))
    }
}

impl Lane for TestLane<'_> {
    fn pixels(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    fn run(&mut self, n: usize, asked: Asked, rows: &mut [f32]) -> Result<()> {
        let width = self.device.outputs().width(asked);
        assert_eq!(rows.len(), n * width);
        std::thread::sleep(self.device.run_time);
        self.device.runs.lock().unwrap().push(n);
        let (images, _) = self.pixels[..n * IMAGE].as_chunks::<IMAGE>();
        assert!(images.iter().all(|image| image[0] != PANIC), "provoked");
        if images.iter().any(|image| image[0] == POISON) {
            return Err(failure("poison"));
        }
        if n > self.device.memory {
            return Err(failure("out of memory"));
        }
        let mut answered = self.device.answered.lock().unwrap();
        // What fills a run up is of no interest: images that were there before, or none.
        for (image, row) in images.iter().zip(rows.chunks_exact_mut(width)) {
            row.copy_from_slice(&row_of(*image, asked));
            *answered.entry(*image).or_default() += 1;
        }
        Ok(())
    }
}

fn failure(reason: &str) -> Error {
    Error::Inference {
        engine: "test",
        reason: reason.to_owned(),
    }
}

fn expected(image: [u8; IMAGE]) -> [f32; CLASSES] {
    let [a, b, c, d] = image.map(f32::from);
    [a + 2.0 * b, c, d]
}

/// The embedding of an image is its samples.
fn row_of(image: [u8; IMAGE], asked: Asked) -> Vec<f32> {
    let (logits, samples) = (expected(image), image.map(f32::from));
    let part = |asked, values| if asked { values } else { &[][..] };
    [part(asked.classes(), &logits), part(asked.embedding(), &samples)].concat()
}

fn device(memory: usize) -> Device {
    Device {
        memory,
        ..Device::default()
    }
}

fn start(device: Device, batch_size: usize) -> (Arc<Device>, Batcher) {
    let device = Arc::new(device);
    let batcher = Batcher::start(Arc::clone(&device) as _, NonZeroUsize::new(batch_size).unwrap());
    (device, batcher.unwrap())
}

/// Submits all, in their order.
fn submit(batcher: &Batcher, call: &Call<'_>, images: &[[u8; IMAGE]]) {
    for (place, image) in images.iter().enumerate() {
        let mut pixels = batcher.buffer(IMAGE);
        pixels.copy_from_slice(image);
        call.submit(place, pixels);
    }
}

fn classify(batcher: &Batcher, images: &[[u8; IMAGE]]) -> Result<Vec<f32>> {
    let call = batcher.call(images.len(), Asked::Classes);
    submit(batcher, &call, images);
    call.finish().map(|(logits, _)| logits)
}

/// The images of one caller, none of which another one has.
fn images(caller: u8, count: u8) -> Vec<[u8; IMAGE]> {
    (0..count).map(|number| [1, caller, number, 7]).collect()
}

fn logits_of(images: &[[u8; IMAGE]]) -> Vec<f32> {
    images.iter().copied().flat_map(expected).collect()
}

#[test]
fn callers_get_what_they_ask_for_of_one_run() {
    let slow = Device {
        run_time: Duration::from_millis(5),
        ..device(64)
    };
    let (device, batcher) = start(slow, 64);
    let asked = [Asked::Classes, Asked::Embedding, Asked::Both];
    std::thread::scope(|scope| {
        for caller in 0..6 {
            let batcher = &batcher;
            scope.spawn(move || {
                let asked = asked[usize::from(caller) % 3];
                let images = images(caller, 40);
                let call = batcher.call(images.len(), asked);
                submit(batcher, &call, &images);
                let expected: Vec<f32> = images.iter().flat_map(|image| row_of(*image, asked)).collect();
                assert_eq!(call.finish().unwrap().0, expected, "{asked:?}");
            });
        }
    });
    let shared = device.runs.lock().unwrap().iter().any(|run| *run > 40);
    assert!(shared, "no run has had images of several callers");
}

#[test]
fn answers_come_in_their_places() {
    let (_, batcher) = start(device(8), 8);
    let images = images(1, 100);
    assert_eq!(classify(&batcher, &images).unwrap(), logits_of(&images));
    assert_eq!(classify(&batcher, &[]).unwrap(), Vec::<f32>::new());

    // What is not submitted, as a bad image, has zeros.
    let call = batcher.call(2, Asked::Classes);
    call.submit(1, images[5].to_vec());
    let (logits, _) = call.finish().unwrap();
    assert_eq!(logits, [&[0.0; 3][..], &expected(images[5])].concat());
}

#[test]
fn images_of_several_callers_share_a_batch() {
    let (device, batcher) = start(
        Device {
            run_time: Duration::from_millis(30),
            ..device(64)
        },
        64,
    );
    thread::scope(|scope| {
        for caller in 1..9 {
            let batcher = &batcher;
            scope.spawn(move || {
                let images = images(caller, 4);
                assert_eq!(classify(batcher, &images).unwrap(), logits_of(&images));
            });
        }
    });
    let runs = device.runs.lock().unwrap();
    assert_eq!(runs.iter().sum::<usize>(), 32);
    // The first ones run alone; while they do, the others come together.
    assert!(runs.iter().any(|&n| n > 4), "{runs:?}");
}

#[test]
fn a_failing_image_fails_its_caller_alone() {
    for bad in [POISON, PANIC] {
        let (_, batcher) = start(
            Device {
                run_time: Duration::from_millis(5),
                ..device(64)
            },
            64,
        );
        thread::scope(|scope| {
            for caller in 1..7 {
                let batcher = &batcher;
                scope.spawn(move || {
                    let mut images = images(caller, 9);
                    if caller == 3 {
                        images[4][0] = bad;
                        let error = classify(batcher, &images).unwrap_err().to_string();
                        assert!(error.contains("poison") || error.contains("provoked"), "{error}");
                    } else {
                        assert_eq!(classify(batcher, &images).unwrap(), logits_of(&images));
                    }
                });
            }
        });
        // The lanes go on.
        let images = images(1, 3);
        assert_eq!(classify(&batcher, &images).unwrap(), logits_of(&images));
    }
}

/// Has the device hold its runs until all of `images` wait for it, so that they come in at most three batches: one for
/// each lane, and the rest.
fn classify_at_once(device: &Device, batcher: &Batcher, images: &[[u8; IMAGE]]) -> Vec<f32> {
    let call = batcher.call(images.len(), Asked::Classes);
    let held = device.runs.lock().unwrap();
    submit(batcher, &call, images);
    drop(held);
    call.finish().unwrap().0
}

#[test]
fn batches_shrink_to_what_the_memory_holds() {
    let (device, batcher) = start(device(5), 64);
    let images = images(1, 64);
    assert_eq!(classify_at_once(&device, &batcher, &images), logits_of(&images));
    assert!(batcher.shared.largest_batch() <= 5, "{:?}", batcher.shared);
    device.runs.lock().unwrap().clear();
    // By now both lanes have waited for images since before batches shrank.
    for _ in 0..3 {
        assert_eq!(classify_at_once(&device, &batcher, &images), logits_of(&images));
    }
    let runs = device.runs.lock().unwrap();
    assert!(runs.iter().all(|&n| n <= 5), "{runs:?}");
}

#[test]
fn batches_are_filled_up_to_the_sizes_of_runs() {
    let sizes = vec![1, 4, 16];
    let (device, batcher) = start(
        Device {
            sizes: sizes.clone(),
            ..device(64)
        },
        16,
    );
    // Each lane has tried all sizes, the largest first.
    let warm: Vec<usize> = device.runs.lock().unwrap().drain(..).collect();
    assert_eq!((warm.len(), warm[0]), (6, 16));
    let images = images(1, 50);
    assert_eq!(classify(&batcher, &images).unwrap(), logits_of(&images));
    assert!(device.runs.lock().unwrap().iter().all(|size| sizes.contains(size)));

    // Sizes that the memory does not hold are found before the first image comes.
    let (device, batcher) = start(
        Device {
            sizes,
            ..self::device(5)
        },
        16,
    );
    assert_eq!(batcher.shared.largest_batch(), 4);
    device.runs.lock().unwrap().clear();
    assert_eq!(classify(&batcher, &images).unwrap(), logits_of(&images));
    assert!(device.runs.lock().unwrap().iter().all(|size| [1, 4].contains(size)));
}

#[test]
fn without_lanes_nobody_waits() {
    let (_, batcher) = start(device(8), 8);
    batcher.shared.queue.close();
    let error = classify(&batcher, &images(1, 20)).unwrap_err().to_string();
    assert!(error.contains("an image was lost on its way to the device"), "{error}");
}

#[test]
fn without_memory_for_one_image_there_is_an_error() {
    let (_, batcher) = start(device(0), 16);
    let error = classify(&batcher, &images(1, 20)).unwrap_err().to_string();
    assert_eq!(error, "test: inference failed: out of memory");
}

#[test]
fn batches_are_multiples_of_what_the_model_takes() {
    let (_, batcher) = start(Device { batch: 6, ..device(64) }, 8);
    assert_eq!(batcher.shared.largest_batch(), 12);
}

#[test]
fn a_lane_that_cannot_be_made_is_an_error_of_the_start() {
    let broken = Device {
        broken: true,
        ..Device::default()
    };
    let error = Batcher::start(Arc::new(broken), NonZeroUsize::MIN).unwrap_err();
    assert!(error.to_string().contains("no memory for a lane"), "{error}");
}

#[test]
fn the_device_is_freed_with_the_batcher() {
    let (device, batcher) = start(device(8), 8);
    classify(&batcher, &images(1, 10)).unwrap();
    drop(batcher);
    assert_eq!(Arc::strong_count(&device), 1);
}

/// What one caller does.
#[derive(Debug, Clone)]
struct Plan {
    images: u8,
    /// The places of images that fail.
    poisoned: Vec<u8>,
    /// After so many images it goes away without waiting for answers.
    leaves_after: Option<u8>,
}

fn plan() -> impl Strategy<Value = Plan> {
    (
        1_u8..60,
        prop::collection::vec(0_u8..60, 0..2),
        prop::option::weighted(0.2, 0_u8..60),
    )
        .prop_map(|(images, mut poisoned, leaves_after)| {
            poisoned.retain(|place| *place < images);
            Plan {
                images,
                poisoned,
                leaves_after,
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever callers do and the device cannot: each image is answered once, with its own answer.
    #[test]
    fn every_image_is_answered_exactly_once(
        plans in prop::collection::vec(plan(), 1..6),
        batch_size in 1_usize..40,
        memory in 1_usize..40,
        batch in 1_usize..5,
        run_micros in 0_u64..300,
    ) {
        let (device, batcher) = start(
            Device { memory, batch, run_time: Duration::from_micros(run_micros), ..Device::default() },
            batch_size,
        );
        thread::scope(|scope| {
            for (caller, plan) in plans.iter().enumerate() {
                let batcher = &batcher;
                scope.spawn(move || {
                    let mut images = images(caller as u8, plan.images);
                    for place in &plan.poisoned {
                        images[usize::from(*place)][0] = POISON;
                    }
                    let call = batcher.call(images.len(), Asked::Classes);
                    if let Some(count) = plan.leaves_after {
                        submit(batcher, &call, &images[..images.len().min(count.into())]);
                        return;
                    }
                    submit(batcher, &call, &images);
                    match call.finish() {
                        Ok((logits, _)) => {
                            assert!(plan.poisoned.is_empty());
                            assert_eq!(logits, logits_of(&images));
                        }
                        Err(error) => {
                            assert!(!plan.poisoned.is_empty());
                            assert!(error.to_string().contains("poison"), "{error}");
                        }
                    }
                });
            }
        });
        // What was left behind by those who went away runs or not, but nothing runs twice.
        drop(batcher);
        let answered = device.answered.lock().unwrap();
        for (caller, plan) in plans.iter().enumerate() {
            for (place, image) in images(caller as u8, plan.images).into_iter().enumerate() {
                let times = answered.get(&image).copied().unwrap_or_default();
                let poisoned = plan.poisoned.contains(&(place as u8));
                if plan.leaves_after.is_some() {
                    prop_assert!(times <= 1);
                } else {
                    prop_assert_eq!(times, usize::from(!poisoned));
                }
            }
        }
    }
}
