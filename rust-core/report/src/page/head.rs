//! The head of the page, and how the run was made.

use maud::{html, Markup};

use super::text::{count, duration, figure, maybe_percent, percent, rate};
use crate::report::Report;

pub(super) fn header(report: &Report) -> Markup {
    let (head, figures) = (&report.head, &report.figures);
    html! {
        header {
            h1 { "Classified by " (head.model) }
            p.note { (head.backend) " on " (head.device) ", " (head.precision) ", " time datetime=(head.started) { (head.started) } }
            dl.tiles {
                div { dt { "images" } dd { (figure("classified", figures.classified as f64, &count(figures.classified))) } }
                div.warn[figures.bad > 0] { dt { "bad images" } dd { (figure("bad", figures.bad as f64, &count(figures.bad))) } }
                @if let Some(speed) = figures.images_per_second {
                    div { dt { "images a second" } dd { (figure("images_per_second", speed, &rate(speed))) } }
                }
                @if let Some(labelled) = &figures.labelled {
                    div {
                        dt { "accuracy" }
                        dd { (figure("accuracy", labelled.accuracy, &percent(labelled.accuracy))) }
                        dd.small { (percent(labelled.accuracy_interval[0])) " to " (percent(labelled.accuracy_interval[1])) }
                    }
                    div { dt { "macro F1" } dd { (figure("macro_f1", labelled.macro_f1, &percent(labelled.macro_f1))) } }
                }
            }
        }
    }
}

pub(super) fn run(report: &Report) -> Markup {
    let head = &report.head;
    let all: f64 = head.steps.iter().map(|step| step.seconds).sum();
    let share = |seconds: f64| (all > 0.0).then(|| seconds / all);
    html! {
        section aria-labelledby="run" {
            h2 id="run" { "How it was made" }
            div.columns {
                table {
                    caption { "Versions" }
                    tbody {
                        @for (name, version) in &head.versions { tr { th scope="row" { (name) } td { (version) } } }
                        @if let Some(hash) = &head.model_sha256 { tr { th scope="row" { "SHA-256 of the model" } td.path { (hash) } } }
                        tr { th scope="row" { "time" } td { (duration(head.seconds)) } }
                    }
                }
                @if !head.steps.is_empty() {
                    table {
                        caption { "Where the time of all tasks went" }
                        thead { tr { th scope="col" { "step" } th.number scope="col" { "time" } th.number scope="col" { "share" } } }
                        tbody {
                            @for step in &head.steps {
                                tr { th scope="row" { (step.name) } td.number { (duration(step.seconds)) } td.number { (maybe_percent(share(step.seconds))) } }
                            }
                        }
                    }
                }
                @if !head.configuration.is_empty() {
                    table {
                        caption { "Configuration that is not the default" }
                        tbody { @for (key, value) in &head.configuration { tr { th scope="row" { (key) } td.path { (value) } } } }
                    }
                }
            }
        }
    }
}
