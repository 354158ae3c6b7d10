//! What is counted, and which images are kept.

use spark_classify_report::{Collector, Head, Outcome};

fn predicted(class_id: usize, probabilities: &[f32]) -> Outcome<'_> {
    Outcome::Predicted {
        class_id,
        confidence: probabilities[class_id],
        probabilities,
    }
}

#[test]
fn images_of_a_kind_are_counted_together() {
    let mut collector = Collector::default();
    collector.push("a", Some(0), predicted(0, &[0.5, 0.5]));
    collector.push("b", Some(0), predicted(0, &[0.505, 0.495]));
    collector.push("c", Some(1), predicted(0, &[1.0, 0.0]));
    collector.push("d", None, predicted(1, &[0.25, 0.75]));
    let run = collector.finish(Head::default(), vec!["x".into(), "y".into()]);
    let of = |actual| run.counts.iter().find(|count| count.actual == actual).copied();
    let both = of(Some(0)).expect("two images");
    assert_eq!((both.images, both.confidence_step), (2, 50));
    assert!((both.log_loss.expect("known") + 0.5_f64.ln() + 0.505_f64.ln()).abs() < 1e-7);
    let wrong = of(Some(1)).expect("one image");
    assert_eq!(wrong.confidence_step, 99);
    assert!((wrong.log_loss.expect("known") + 1e-15_f64.ln()).abs() < 1e-9);
    assert_eq!(of(None).expect("one image").log_loss, None);
    assert_eq!(run.samples.mistakes.len(), 1);
    assert_eq!(run.samples.uncertain[0].path, "a");
}

#[test]
fn what_is_kept_is_bounded_and_the_most_interesting() {
    let mut collector = Collector::default();
    for image in 0_u16..1000 {
        let confidence = 0.5 + f32::from((image * 7) % 1000) / 2001.0;
        collector.push(
            &image.to_string(),
            Some(0),
            predicted(1, &[1.0 - confidence, confidence]),
        );
        let reason = image.to_string();
        collector.push(
            "bad",
            None,
            Outcome::Bad {
                condition: "X",
                reason: &reason,
            },
        );
    }
    let run = collector.finish(Head::default(), vec!["x".into(), "y".into()]);
    assert_eq!(run.bad[0].images, 1000);
    assert_eq!(run.bad[0].examples.len(), 20);
    let confidences: Vec<_> = run.samples.mistakes.iter().map(|sample| sample.confidence).collect();
    assert_eq!(confidences.len(), 24);
    assert!(confidences.is_sorted_by(|a, b| a >= b) && confidences[0] > 0.999);
    assert!(run.samples.uncertain[0].confidence <= 0.5);
    assert_eq!(run.samples.pairs.len(), 4);
}
