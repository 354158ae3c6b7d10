//! Two runs side by side.

use std::collections::HashMap;

use maud::{html, Markup};

use super::text::{count, percent, rate};
use crate::figures::Labelled;
use crate::report::Report;

/// Classes that are listed.
const CLASSES: usize = 20;

type Figure = fn(&Labelled) -> f64;

struct Row {
    name: &'static str,
    before: f64,
    now: f64,
    show: fn(f64) -> String,
}

pub(super) fn section(report: &Report, baseline: &Report) -> Markup {
    html! {
        section aria-labelledby="comparison" {
            h2 id="comparison" { "Beside another run" }
            p.note {
                "The other: " (baseline.head.model) ", " (baseline.head.backend) " on " (baseline.head.device) ", "
                (baseline.head.precision) ", " (baseline.head.started)
            }
            div.columns {
                table {
                    thead {
                        tr {
                            th scope="col" { "figure" }
                            @for column in ["other", "this", "difference"] { th.number scope="col" { (column) } }
                        }
                    }
                    tbody {
                        @for row in rows(report, baseline) {
                            tr {
                                th scope="row" { (row.name) }
                                td.number { ((row.show)(row.before)) }
                                td.number { ((row.show)(row.now)) }
                                td.number { (difference(&row)) }
                            }
                        }
                    }
                }
                (classes(report, baseline))
            }
        }
    }
}

fn difference(row: &Row) -> String {
    let difference = row.now - row.before;
    let shown = (row.show)(difference.abs());
    match difference {
        _ if shown == (row.show)(0.0) => shown,
        _ if difference < 0.0 => format!("−{shown}"),
        _ => format!("+{shown}"),
    }
}

fn rows(report: &Report, baseline: &Report) -> Vec<Row> {
    let (now, before) = (&report.figures, &baseline.figures);
    let whole = |number: f64| count(number.round() as u64);
    let loss = |number: f64| format!("{number:.4}");
    let mut rows = vec![
        Row {
            name: "images",
            before: before.classified as f64,
            now: now.classified as f64,
            show: whole,
        },
        Row {
            name: "bad images",
            before: before.bad as f64,
            now: now.bad as f64,
            show: whole,
        },
    ];
    if let (Some(before), Some(now)) = (before.images_per_second, now.images_per_second) {
        rows.push(Row {
            name: "images a second",
            before,
            now,
            show: rate,
        });
    }
    if let (Some(before), Some(now)) = (&before.labelled, &now.labelled) {
        let shares: [(&'static str, Figure); 5] = [
            ("accuracy", |labelled| labelled.accuracy),
            ("balanced accuracy", |labelled| labelled.balanced_accuracy),
            ("macro F1", |labelled| labelled.macro_f1),
            ("weighted F1", |labelled| labelled.weighted_f1),
            ("calibration error", |labelled| labelled.calibration_error),
        ];
        rows.extend(shares.map(|(name, of)| Row {
            name,
            before: of(before),
            now: of(now),
            show: percent,
        }));
        if let (Some(before), Some(now)) = (before.log_loss, now.log_loss) {
            rows.push(Row {
                name: "log loss",
                before,
                now,
                show: loss,
            });
        }
    }
    rows
}

/// The classes whose F1 differs most, by name, as two models may number theirs in their own ways.
fn classes(report: &Report, baseline: &Report) -> Markup {
    let f1s = |report: &Report| -> HashMap<String, f64> {
        let labelled = report.figures.labelled.iter().flat_map(|labelled| &labelled.classes);
        labelled
            .filter_map(|class| Some((class.class.clone(), class.f1?)))
            .collect()
    };
    let before = f1s(baseline);
    let mut changed: Vec<_> = f1s(report)
        .into_iter()
        .filter_map(|(class, now)| Some((now - before.get(&class)?, class, now)))
        .filter(|(difference, ..)| percent(difference.abs()) != percent(0.0))
        .collect();
    changed.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()).then_with(|| a.1.cmp(&b.1)));
    changed.truncate(CLASSES);
    html! {
        @if !changed.is_empty() {
            table {
                caption { "Classes whose F1 differs most" }
                thead { tr { th scope="col" { "class" } th.number scope="col" { "this" } th.number scope="col" { "difference" } } }
                tbody {
                    @for (difference, class, now) in changed {
                        tr {
                            th scope="row" { (class) }
                            td.number { (percent(now)) }
                            td.number { (if difference < 0.0 { "−" } else { "+" }) (percent(difference.abs())) }
                        }
                    }
                }
            }
        }
    }
}
