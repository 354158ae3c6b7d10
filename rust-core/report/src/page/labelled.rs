//! How good the predictions are.

use maud::{html, Markup};

use super::charts::{self, shortened};
use super::text::{count, figure, images, maybe_percent, percent};
use crate::figures::{Confusion, Labelled};
use crate::report::Report;

/// With more classes the matrix is a list of its largest mistakes.
const MATRIX_CLASSES: usize = 30;
const CONFUSED_PAIRS: usize = 30;
/// Shades of the matrix.
const LEVELS: f64 = 8.0;

pub(super) fn quality(labelled: &Labelled) -> Markup {
    html! {
        section aria-labelledby="quality" {
            h2 id="quality" { "How good it is" }
            dl.tiles {
                div {
                    dt { "right" }
                    dd { (figure("correct", labelled.correct as f64, &count(labelled.correct))) }
                    dd.small { "of " (images(labelled.images)) }
                }
                div { dt { "balanced accuracy" } dd { (figure("balanced_accuracy", labelled.balanced_accuracy, &percent(labelled.balanced_accuracy))) } }
                div { dt { "weighted F1" } dd { (figure("weighted_f1", labelled.weighted_f1, &percent(labelled.weighted_f1))) } }
                @if let Some(loss) = labelled.log_loss {
                    div { dt { "log loss" } dd { (figure("log_loss", loss, &format!("{loss:.4}"))) } }
                }
                div { dt { "calibration error" } dd { (figure("calibration_error", labelled.calibration_error, &percent(labelled.calibration_error))) } }
            }
            div.charts {
                figure {
                    figcaption { "Accuracy by confidence: on the line where the model is as good as it says" }
                    (charts::reliability(&labelled.reliability))
                }
                figure {
                    figcaption { "What setting less certain predictions aside would bring" }
                    (charts::thresholds(&labelled.thresholds))
                }
            }
            (classes(labelled))
        }
    }
}

fn classes(labelled: &Labelled) -> Markup {
    let columns = ["images", "predicted", "right", "precision", "recall", "F1"];
    html! {
        div.scroll tabindex="0" role="region" aria-label="Figures by class" {
            table.sortable {
                caption { "By class" }
                thead {
                    tr {
                        th scope="col" aria-sort="none" { button type="button" { "class" } }
                        @for column in columns { th.number scope="col" aria-sort="none" { button type="button" { (column) } } }
                    }
                }
                tbody {
                    @for class in &labelled.classes {
                        tr {
                            th scope="row" { (class.class) }
                            @for number in [class.images, class.predicted, class.correct] {
                                td.number data-sort=(number) { (count(number)) }
                            }
                            @for share in [class.precision, class.recall, class.f1] {
                                td.number data-sort=(share.unwrap_or(-1.0)) { (maybe_percent(share)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn confusion(report: &Report, labelled: &Labelled) -> Markup {
    html! {
        section aria-labelledby="confusion" {
            h2 id="confusion" { "What is taken for what" }
            @if report.classes.len() <= MATRIX_CLASSES {
                (matrix(report, labelled))
            } @else {
                (confused_pairs(report, labelled))
            }
        }
    }
}

fn matrix(report: &Report, labelled: &Labelled) -> Markup {
    let matrix = labelled.matrix();
    let level = |actual: usize, images: u64| {
        let all = labelled.classes.get(actual).map_or(0, |class| class.images).max(1);
        (images as f64 / all as f64 * LEVELS).ceil()
    };
    let predicted = report
        .classes
        .get(..report.figures.predicted.len())
        .unwrap_or(&report.classes);
    html! {
        div.scroll tabindex="0" role="region" aria-label="Confusion matrix" {
            table.matrix {
                caption { "Images by actual class (down) and predicted class (across)" }
                thead {
                    tr {
                        td {}
                        @for class in predicted { th.across scope="col" title=(class) { (shortened(class, 24)) } }
                    }
                }
                tbody {
                    @for (actual, class) in report.classes.iter().enumerate() {
                        tr {
                            th scope="row" title=(class) { (shortened(class, 24)) }
                            @for (predicted, name) in predicted.iter().enumerate() {
                                @let images = matrix[actual][predicted];
                                td.number.right[actual == predicted] data-level=(level(actual, images)) {
                                    @if images == 0 { "0" } @else { (pair_button(class, name, &Confusion { actual, predicted, images })) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn confused_pairs(report: &Report, labelled: &Labelled) -> Markup {
    let mut pairs: Vec<_> = labelled
        .confusion
        .iter()
        .filter(|cell| cell.actual != cell.predicted)
        .collect();
    pairs.sort_by_key(|cell| std::cmp::Reverse(cell.images));
    pairs.truncate(CONFUSED_PAIRS);
    let name = |class: usize| report.classes.get(class).map_or("?", String::as_str);
    html! {
        @if pairs.is_empty() {
            p { "Every image was predicted right." }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Most confused pairs" {
                table {
                    caption { "Most confused pairs of classes" }
                    thead { tr { th scope="col" { "labelled" } th scope="col" { "predicted" } th.number scope="col" { "images" } } }
                    tbody {
                        @for cell in pairs {
                            @let (actual, predicted) = (name(cell.actual), name(cell.predicted));
                            tr { th scope="row" { (actual) } td { (predicted) } td.number { (pair_button(actual, predicted, cell)) } }
                        }
                    }
                }
            }
        }
    }
}

/// The number of a pair's images, which shows them when it is pressed.
fn pair_button(actual: &str, predicted: &str, cell: &Confusion) -> Markup {
    let label = format!(
        "{} of {actual} predicted as {predicted}: show some",
        images(cell.images)
    );
    html! {
        button type="button" data-show=(format!("{}-{}", cell.actual, cell.predicted)) data-name=(format!("{actual} predicted as {predicted}")) aria-label=(label) {
            (count(cell.images))
        }
    }
}
