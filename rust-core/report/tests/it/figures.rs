//! The figures are those of scikit-learn.

use serde::Deserialize;
use spark_classify_report::{Collector, Head, Outcome, Report};
use spark_classify_testing::json;

#[derive(Deserialize)]
struct Case {
    name: String,
    classes: usize,
    actual: Vec<usize>,
    probabilities: Vec<Vec<f32>>,
    figures: std::collections::HashMap<String, f64>,
    confusion: Vec<Vec<u64>>,
}

fn report(case: &Case) -> Report {
    let mut collector = Collector::default();
    for (image, (&actual, probabilities)) in case.actual.iter().zip(&case.probabilities).enumerate() {
        // The first of equal ones, as in the model's predictions.
        let class_id = (0..case.classes)
            .rev()
            .max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]));
        let class_id = class_id.unwrap();
        let outcome = Outcome::Predicted {
            class_id,
            confidence: probabilities[class_id],
            probabilities,
        };
        collector.push(&format!("{image}.jpg"), Some(actual), outcome);
    }
    let classes = (0..case.classes).map(|class| format!("class {class}")).collect();
    Report::new(collector.finish(Head::default(), classes))
}

#[test]
fn figures_are_those_of_scikit_learn() {
    let cases: Vec<Case> = serde_json::from_value(json("tests/golden/report.json")["cases"].clone()).unwrap();
    assert!(cases.len() >= 4);
    for case in cases {
        let report = report(&case);
        let labelled = report.figures.labelled.expect("every image has a label");
        let ours = [
            ("correct", labelled.correct as f64),
            ("accuracy", labelled.accuracy),
            ("accuracy_low", labelled.accuracy_interval[0]),
            ("accuracy_high", labelled.accuracy_interval[1]),
            ("balanced_accuracy", labelled.balanced_accuracy),
            ("macro_f1", labelled.macro_f1),
            ("weighted_f1", labelled.weighted_f1),
            ("log_loss", labelled.log_loss.unwrap()),
            ("calibration_error", labelled.calibration_error),
        ];
        assert_eq!(ours.len(), case.figures.len());
        for (name, value) in ours {
            let expected = case.figures[name];
            assert!(
                (value - expected).abs() < 1e-9,
                "{}: {name} is {value}, not {expected}",
                case.name
            );
        }
        assert_eq!(labelled.matrix(), case.confusion, "{}", case.name);
    }
}

#[test]
fn the_json_reads_back_as_it_was_written() {
    let cases: Vec<Case> = serde_json::from_value(json("tests/golden/report.json")["cases"].clone()).unwrap();
    let report = report(&cases[0]);
    let again = Report::from_json(report.to_json().unwrap().as_bytes()).unwrap();
    assert!(again == report, "it reads back otherwise");
    let error = Report::from_json(b"{\"head\": 3}").unwrap_err();
    assert!(error.starts_with("this is no report.json: "), "{error}");
}

#[test]
fn precision_and_recall_follow_their_definitions() {
    // Three images of class 0 (two found), one of class 1 (found), none of class 2 (predicted once).
    let mut collector = Collector::default();
    for (actual, class_id) in [(0, 0), (0, 0), (0, 2), (1, 1)] {
        let outcome = Outcome::Predicted {
            class_id,
            confidence: 1.0,
            probabilities: &[],
        };
        collector.push("image", Some(actual), outcome);
    }
    let classes = ["a", "b", "c"].map(str::to_owned).to_vec();
    let labelled = Report::new(collector.finish(Head::default(), classes))
        .figures
        .labelled
        .unwrap();
    assert_eq!(labelled.matrix(), [vec![2, 0, 1], vec![0, 1, 0], vec![0, 0, 0]]);
    assert_eq!(labelled.images, 4);
    assert_eq!(Some(labelled.accuracy), Some(0.75));
    assert_eq!(labelled.classes[0].precision, Some(1.0));
    assert_eq!(labelled.classes[0].recall, Some(2.0 / 3.0));
    assert_eq!(labelled.classes[2].precision, Some(0.0));
    assert_eq!(labelled.classes[2].recall, None);
}

#[test]
fn nothing_is_known_of_no_images() {
    let classes = ["a", "b"].map(str::to_owned).to_vec();
    let report = Report::new(Collector::default().finish(Head::default(), classes));
    assert_eq!(report.figures.labelled, None);
}
