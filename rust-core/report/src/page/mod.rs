//! One HTML page, which loads nothing: a strict content security policy allows its own style and script by their
//! hashes, and images that stand in the page.

mod charts;
mod comparison;
mod gallery;
mod head;
mod labelled;
mod text;

use base64::engine::general_purpose::STANDARD;
use base64::Engine as _;
use maud::{html, Markup, PreEscaped, DOCTYPE};
use sha2::{Digest, Sha256};

use crate::report::Report;
use crate::thumbnail::Thumbnails;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// Rows of a chart of classes.
const CHART_CLASSES: usize = 30;

impl Report {
    /// The HTML page, beside the report of another run where there is one.
    #[must_use]
    pub fn page(&self, thumbnails: &Thumbnails, baseline: Option<&Report>) -> String {
        render(self, thumbnails, baseline)
    }
}

fn render(report: &Report, thumbnails: &Thumbnails, baseline: Option<&Report>) -> String {
    let policy = format!(
        "default-src 'none'; img-src data:; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        source_hash(STYLE),
        source_hash(SCRIPT)
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Classified by " (report.head.model) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (head::header(report))
                main {
                    @if let Some(baseline) = baseline { (comparison::section(report, baseline)) }
                    @if let Some(labelled) = &report.figures.labelled {
                        (labelled::quality(labelled))
                        (labelled::confusion(report, labelled))
                    }
                    (predictions(report))
                    (pairs(report, thumbnails))
                    (samples(report, thumbnails))
                    (bad(report))
                    (head::run(report))
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// What a content security policy calls an inline style or script.
fn source_hash(source: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(source)))
}

fn predictions(report: &Report) -> Markup {
    let figures = &report.figures;
    let mut classes: Vec<_> = report
        .classes
        .iter()
        .map(String::as_str)
        .zip(figures.predicted.iter().copied())
        .collect();
    classes.sort_by_key(|&(_, images)| std::cmp::Reverse(images));
    let rest: u64 = classes.iter().skip(CHART_CLASSES).map(|&(_, images)| images).sum();
    let others = format!("{} other classes", classes.len().saturating_sub(CHART_CLASSES));
    classes.truncate(CHART_CLASSES);
    if rest > 0 {
        classes.push((&others, rest));
    }
    html! {
        section aria-labelledby="predictions" {
            h2 id="predictions" { "What the model said" }
            div.charts {
                figure {
                    figcaption { "Images by predicted class" }
                    (charts::class_bars(&classes))
                }
                figure {
                    figcaption { "Images by confidence" }
                    (charts::histogram(&figures.confidence))
                }
            }
        }
    }
}

fn pairs(report: &Report, thumbnails: &Thumbnails) -> Markup {
    html! {
        @if report.figures.labelled.is_some() && !report.samples.pairs.is_empty() {
            section aria-labelledby="pairs" {
                h2 id="pairs" { "Images by actual and predicted class" }
                p #pair-filter .note role="status" data-all="A few images of each pair. A number in the confusion matrix shows those of its pair alone." {
                    "A few images of each pair. A number in the confusion matrix shows those of its pair alone."
                }
                button #all-pairs type="button" hidden { "Show all pairs" }
                (gallery::gallery(report, &report.samples.pairs, thumbnails))
            }
        }
    }
}

fn samples(report: &Report, thumbnails: &Thumbnails) -> Markup {
    let lists = [
        (
            "mistakes",
            "Most confident mistakes",
            "Predicted wrong, and surest of it.",
            &report.samples.mistakes,
        ),
        (
            "label-errors",
            "Likely label errors",
            "The model gives the class that they are labelled with the lowest probability.",
            &report.samples.label_errors,
        ),
        (
            "uncertain",
            "Least certain images",
            "Of all images, those with the lowest confidence.",
            &report.samples.uncertain,
        ),
    ];
    html! {
        @for (id, title, note, samples) in lists {
            @if !samples.is_empty() {
                section aria-labelledby=(id) {
                    h2 id=(id) { (title) }
                    p.note { (note) }
                    (gallery::gallery(report, samples, thumbnails))
                }
            }
        }
    }
}

fn bad(report: &Report) -> Markup {
    html! {
        @if !report.bad.is_empty() {
            section aria-labelledby="bad" {
                h2 id="bad" { "Bad images" }
                p.note { "They have no prediction." }
                @for bad in &report.bad {
                    details open[report.bad.len() == 1] {
                        summary { code { (bad.condition) } ": " (text::images(bad.images)) }
                        div.scroll tabindex="0" role="region" aria-label=(bad.condition) {
                            table {
                                thead { tr { th scope="col" { "image" } th scope="col" { "reason" } } }
                                tbody {
                                    @for example in &bad.examples {
                                        tr { td.path { (example.path) } td { (example.reason) } }
                                    }
                                }
                            }
                        }
                        @if bad.images > bad.examples.len() as u64 {
                            p.note { "and " (text::count(bad.images - bad.examples.len() as u64)) " more" }
                        }
                    }
                }
            }
        }
    }
}
