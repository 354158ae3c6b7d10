//! What stands in the page, and what must not.

use spark_classify_report::{Collector, Head, Outcome, Report, Thumbnails, MAX_THUMBNAILS};
use spark_classify_testing::dataset;

fn head() -> Head {
    Head {
        model: "/models/<b>id</b> & \"card\"".to_owned(),
        backend: "onnx".to_owned(),
        device: "cpu".to_owned(),
        precision: "fp32".to_owned(),
        seconds: 2.0,
        ..Head::default()
    }
}

fn collected(images: &[(&str, Option<usize>, [f32; 2])]) -> Collector {
    let mut collector = Collector::default();
    for &(path, actual, probabilities) in images {
        let class_id = usize::from(probabilities[1] > probabilities[0]);
        let outcome = Outcome::Predicted {
            class_id,
            confidence: probabilities[class_id],
            probabilities: &probabilities,
        };
        collector.push(path, actual, outcome);
    }
    collector
}

fn classes() -> Vec<String> {
    vec!["<script>alert(1)</script>".to_owned(), "dog".to_owned()]
}

#[test]
fn text_of_others_stays_text() {
    let mut collector = collected(&[("<img src=x onerror=alert(2)>.jpg", Some(0), [0.1, 0.9])]);
    let bad = Outcome::Bad {
        condition: "CLASSIFY_BAD_IMAGE",
        reason: "<svg onload=alert(3)>",
    };
    collector.push("</style><script>alert(4)</script>", None, bad);
    let page = Report::new(collector.finish(head(), classes())).page(&Thumbnails::default(), None);
    for foreign in [
        "<script>alert",
        "<img src=x",
        "<svg onload",
        "<b>id",
        "</style><script>alert",
    ] {
        assert!(!page.contains(foreign), "{foreign} stands in the page");
    }
    assert!(page.contains("&lt;img src=x onerror=alert(2)&gt;.jpg"));
    assert!(page.contains("CLASSIFY_BAD_IMAGE"));
    assert!(page.contains("default-src 'none'; img-src data:; style-src 'sha256-"));
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "the page names an address"
    );
}

#[test]
fn without_labels_nothing_is_said_of_quality() {
    let report = Report::new(collected(&[("a.jpg", None, [0.4, 0.6])]).finish(head(), classes()));
    assert_eq!(report.figures.labelled, None);
    let page = report.page(&Thumbnails::default(), None);
    assert!(page.contains("Least certain images") && page.contains("no picture"));
    assert!(
        !page.contains("Confusion") && !page.contains("data-figure=\"accuracy\""),
        "there is nothing to compare with"
    );
}

#[test]
fn a_run_of_no_images_has_a_report_too() {
    let report = Report::new(Collector::default().finish(Head::default(), classes()));
    assert_eq!((report.figures.classified, report.figures.images_per_second), (0, None));
    let page = report.page(&Thumbnails::default(), Some(&report));
    assert!(page.contains("Beside another run") && !page.contains("NaN"));
}

#[test]
fn runs_that_hardly_differ_have_no_signs() {
    let of = |confidence| {
        let images = [("a.jpg", Some(1), [1.0 - confidence, confidence])];
        Report::new(collected(&images).finish(head(), classes()))
    };
    let page = of(0.9).page(&Thumbnails::default(), Some(&of(0.900_001)));
    assert!(
        !page.contains("+0") && !page.contains("−0"),
        "a difference of nothing has a sign"
    );
    let page = of(0.9).page(&Thumbnails::default(), Some(&of(0.6)));
    assert!(page.contains("−30.00%"), "the calibration error is smaller");
}

#[test]
fn many_classes_are_a_list_of_confused_pairs() {
    let mut collector = Collector::default();
    for image in 0..80_usize {
        let mut probabilities = vec![0.0; 40];
        probabilities[image % 40] = 1.0;
        let actual = if image < 3 { 39 } else { image % 40 };
        let outcome = Outcome::Predicted {
            class_id: image % 40,
            confidence: 1.0,
            probabilities: &probabilities,
        };
        collector.push(&format!("{image}.jpg"), Some(actual), outcome);
    }
    let classes = (0..40).map(|class| format!("class {class}")).collect();
    let page = Report::new(collector.finish(head(), classes)).page(&Thumbnails::default(), None);
    assert!(page.contains("Most confused pairs"));
    assert!(page.contains("1 image of class 39 predicted as class 2: show some"));
    assert!(page.contains("10 other classes"));
}

#[test]
fn thumbnails_are_small_and_few() {
    let file = dataset().swap_remove(0);
    let mut thumbnails = Thumbnails::default();
    assert!(!thumbnails.add("broken.jpg", &file[..200]));
    for image in 0..MAX_THUMBNAILS {
        assert!(thumbnails.add(&image.to_string(), &file));
    }
    assert!(!thumbnails.add("one too many", &file));
    assert!(thumbnails.add("0", &file), "it is there already");
    let report = Report::new(collected(&[("0", None, [0.4, 0.6])]).finish(head(), classes()));
    let page = report.page(&thumbnails, None);
    assert!(page.contains("data:image/jpeg;base64,/9j/"));
    assert!(page.len() < 100_000, "{} bytes", page.len());
}
