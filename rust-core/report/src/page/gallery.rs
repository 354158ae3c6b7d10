//! Images with what the model says of them.

use maud::{html, Markup};

use super::text::percent;
use crate::report::Report;
use crate::run::Sample;
use crate::thumbnail::Thumbnails;

pub(super) fn gallery(report: &Report, samples: &[Sample], thumbnails: &Thumbnails) -> Markup {
    html! {
        ul.gallery {
            @for sample in samples { (card(report, sample, thumbnails)) }
        }
    }
}

fn card(report: &Report, sample: &Sample, thumbnails: &Thumbnails) -> Markup {
    let name = |class: usize| report.classes.get(class).map_or("?", String::as_str);
    let predicted = name(sample.predicted);
    let actual = sample.actual.map(name);
    let wrong = sample.actual.is_some_and(|actual| actual != sample.predicted);
    let file = sample.path.rsplit('/').next().unwrap_or(&sample.path);
    html! {
        li data-pair=[sample.actual.map(|actual| format!("{actual}-{}", sample.predicted))] {
            figure {
                @if let Some(jpeg) = thumbnails.get(&sample.path) {
                    img src=(format!("data:image/jpeg;base64,{jpeg}")) alt="" decoding="async";
                } @else {
                    div.missing { "no picture" }
                }
                figcaption {
                    span.wrong[wrong] { (predicted) } " " (percent(f64::from(sample.confidence)))
                    @if let Some(actual) = actual {
                        br;
                        span.note {
                            "labelled " (actual)
                            @if let (true, Some(probability)) = (wrong, sample.actual_probability) { ", " (percent(f64::from(probability))) }
                        }
                    }
                    br;
                    span.path title=(sample.path) { (file) }
                }
            }
        }
    }
}
