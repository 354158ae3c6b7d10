//! Numbers as people read them.

use maud::{html, Markup};

/// `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 image`, `1,234 images`.
pub(super) fn images(number: u64) -> String {
    format!("{} image{}", count(number), if number == 1 { "" } else { "s" })
}

/// `93.75%`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

/// A share that may be unknown.
pub(super) fn maybe_percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), percent)
}

/// `12.3`, `1,234`.
pub(super) fn rate(number: f64) -> String {
    if number < 100.0 {
        format!("{number:.1}")
    } else {
        count(number.round() as u64)
    }
}

/// `95 ms`, `12.3 s`, `5 min 10 s`, `2 h 5 min`.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match seconds {
        _ if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        _ if seconds < 100.0 => format!("{seconds:.1} s"),
        _ if whole < 3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// A figure that stands in `report.json` under the same name, as a program reads it and as people do.
pub(super) fn figure(name: &str, value: f64, shown: &str) -> Markup {
    html! { data data-figure=(name) value=(value) { (shown) } }
}

#[cfg(test)]
mod tests {
    use super::{count, duration, images, rate};

    #[test]
    fn numbers_as_people_read_them() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(images(1), "1 image");
        assert_eq!(images(12_000), "12,000 images");
        assert_eq!(rate(99.94), "99.9");
        assert_eq!(rate(7226.4), "7,226");
        assert_eq!(duration(0.0954), "95 ms");
        assert_eq!(duration(12.34), "12.3 s");
        assert_eq!(duration(310.0), "5 min 10 s");
        assert_eq!(duration(7500.0), "2 h 5 min");
    }
}
