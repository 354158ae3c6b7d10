//! Charts in SVG. Colours are the style's; numbers stand in the charts' titles, too, for those who hear the page.

use std::fmt::Write;

use maud::{html, Markup};

use super::text::{count, images, maybe_percent, percent};
use crate::figures::{ConfidenceBin, ThresholdPoint};

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 260.0;
/// The drawing area within the axes.
const LEFT: f64 = 44.0;
const RIGHT: f64 = WIDTH - 8.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = HEIGHT - 30.0;

/// One horizontal bar for each class.
pub(super) fn class_bars(classes: &[(&str, u64)]) -> Markup {
    let row = 22.0;
    let height = row * classes.len().max(1) as f64;
    let most = classes.iter().map(|&(_, images)| images).max().unwrap_or(0).max(1) as f64;
    let total: u64 = classes.iter().map(|&(_, images)| images).sum();
    let share = |images: u64| maybe_percent((total > 0).then(|| images as f64 / total as f64));
    html! {
        svg.chart viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label="Images by predicted class" {
            @for (place, &(class, number)) in classes.iter().enumerate() {
                @let y = row * place as f64;
                g {
                    title { (class) ": " (images(number)) ", " (share(number)) }
                    text.end x="168" y=(y + 15.0) { (shortened(class, 24)) }
                    rect.bar x="176" y=(y + 3.0) width=(number as f64 / most * 220.0) height=(row - 6.0) {}
                    text x=(182.0 + number as f64 / most * 220.0) y=(y + 15.0) { (count(number)) }
                }
            }
        }
    }
}

/// Images by confidence.
pub(super) fn histogram(bins: &[ConfidenceBin]) -> Markup {
    let most = round_top(bins.iter().map(|bin| bin.images).max().unwrap_or(0)) as f64;
    html! {
        svg.chart viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label="Images by confidence" {
            (axes("confidence", |share| count((share * most).round() as u64)))
            @for bin in bins {
                @let height = bin.images as f64 / most * (BOTTOM - TOP);
                rect.bar x=(x(bin.from) + 1.0) y=(BOTTOM - height) width=(width(bin)) height=(height) {
                    title { (percent(bin.from)) " to " (percent(bin.to)) ": " (images(bin.images)) }
                }
            }
        }
    }
}

/// Accuracy of each bin beside the confidence that it should equal.
pub(super) fn reliability(bins: &[ConfidenceBin]) -> Markup {
    html! {
        svg.chart viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label="Accuracy by confidence" {
            (axes("confidence", percent_label))
            @for bin in bins {
                @if let (Some(accuracy), Some(confidence)) = (bin.accuracy, bin.mean_confidence) {
                    @let height = BOTTOM - y(accuracy);
                    rect.bar x=(x(bin.from) + 1.0) y=(y(accuracy)) width=(width(bin)) height=(height) {
                        title {
                            (images(bin.images)) " of mean confidence " (percent(confidence))
                            ": accuracy " (percent(accuracy))
                        }
                    }
                }
            }
            line.ideal x1=(x(0.0)) y1=(y(0.0)) x2=(x(1.0)) y2=(y(1.0)) {}
        }
    }
}

/// Accuracy and coverage against the least confidence that is asked for.
pub(super) fn thresholds(points: &[ThresholdPoint]) -> Markup {
    let coverage = path(points.iter().map(|point| (point.threshold, Some(point.coverage))));
    let accuracy = path(points.iter().map(|point| (point.threshold, point.accuracy)));
    html! {
        svg.chart viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label="Accuracy and share of images by the least confidence asked for" {
            (axes("least confidence", percent_label))
            path.coverage d=(coverage) { title { "share of images that have this confidence" } }
            path.accuracy d=(accuracy) { title { "accuracy of these" } }
            text.accuracy x=(LEFT + 10.0) y=(BOTTOM - 28.0) { "accuracy" }
            text.coverage x=(LEFT + 10.0) y=(BOTTOM - 10.0) { "share of images" }
        }
    }
}

fn path(points: impl Iterator<Item = (f64, Option<f64>)>) -> String {
    let mut path = String::new();
    for (threshold, share) in points {
        let Some(share) = share else { continue };
        let command = if path.is_empty() { 'M' } else { 'L' };
        // Writing into a string never fails.
        let _ = write!(path, "{command}{:.1} {:.1}", x(threshold), y(share));
    }
    path
}

fn axes(label: &str, tick: impl Fn(f64) -> String) -> Markup {
    html! {
        @for step in [0.0, 0.25, 0.5, 0.75, 1.0] {
            line.grid x1=(LEFT) y1=(y(step)) x2=(RIGHT) y2=(y(step)) {}
            text.end x=(LEFT - 6.0) y=(y(step) + 4.0) { (tick(step)) }
            text.middle x=(x(step).min(RIGHT - 12.0)) y=(BOTTOM + 14.0) { (percent_label(step)) }
        }
        text.middle x=(f64::midpoint(LEFT, RIGHT)) y=(HEIGHT - 3.0) { (label) }
    }
}

/// Of a bin's bar, with a gap to the next.
fn width(bin: &ConfidenceBin) -> f64 {
    x(bin.to) - x(bin.from) - 2.0
}

/// The end of an axis that has this value on it, and whole numbers at its quarters.
fn round_top(value: u64) -> u64 {
    let mut unit = 4;
    while unit < value {
        let tops = [unit, unit * 2, unit * 3, unit * 5];
        if let Some(top) = tops.into_iter().find(|&top| top >= value) {
            return top;
        }
        unit *= 10;
    }
    unit
}

fn percent_label(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

fn x(share: f64) -> f64 {
    LEFT + share * (RIGHT - LEFT)
}

fn y(share: f64) -> f64 {
    BOTTOM - share * (BOTTOM - TOP)
}

/// The text with an ellipsis where it is too long.
pub(super) fn shortened(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    text.chars().take(characters - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::{round_top, shortened};

    #[test]
    fn axes_end_at_round_numbers() {
        let tops = [0, 1, 5, 12, 13, 21, 66, 4_000, 1_000_000].map(round_top);
        assert_eq!(tops, [4, 4, 8, 12, 20, 40, 80, 4_000, 1_200_000]);
    }

    #[test]
    fn long_names_end_in_an_ellipsis() {
        assert_eq!(shortened("Gr\u{fc}\u{df}e", 5), "Gr\u{fc}\u{df}e");
        assert_eq!(shortened("Gr\u{fc}\u{df}e!", 5), "Gr\u{fc}\u{df}\u{2026}");
    }
}
