//! The names of classes, as a table and a terminal can have them. The Spark job does the same.

use std::collections::HashMap;
use std::fmt::Write;

use spark_classify_core::model::Labels;

/// The labels, each with its class id after it (`crane (134)`) where another label differs from it in upper and lower
/// case at most: `ImageNet` has two classes `crane`, and Spark takes `Crane` and `crane` for one column.
pub(crate) fn unique_names(labels: &Labels) -> Vec<String> {
    let mut names: Vec<String> = labels.iter().map(str::to_owned).collect();
    // Again, should such a name be another class's label: it ends, as names that got their ids differ by them.
    loop {
        let mut sharing = HashMap::<_, Vec<_>>::new();
        for (id, name) in names.iter().enumerate() {
            sharing.entry(name.to_lowercase()).or_default().push(id);
        }
        let sharing: Vec<_> = sharing.into_values().filter(|ids| ids.len() > 1).flatten().collect();
        if sharing.is_empty() {
            return names;
        }
        for id in sharing {
            names[id] = format!("{} ({id})", names[id]);
        }
    }
}

/// The text with a visible name (`\u001b`) in the place of every character that controls, hides or turns others: a
/// terminal obeys some, and a line break would begin a line that nobody has written.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            _ if is_shown(character) => shown.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing into a string never fails.
                    let _ = write!(shown, "\\u{unit:04x}");
                }
            }
        }
    }
    shown
}

fn is_shown(character: char) -> bool {
    // Unicode's general categories Cf, Zl and Zp.
    let hides = matches!(
        character,
        '\u{ad}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{6dd}'
            | '\u{70f}'
            | '\u{890}'..='\u{891}'
            | '\u{8e2}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{110bd}'
            | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0001}'
            | '\u{e0020}'..='\u{e007f}'
    );
    !character.is_control() && !hides
}

/// The class that an image is known to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Actual {
    /// This one.
    Class(usize),
    /// One of several that have a name in common; the first of them.
    OneOf(usize),
}

impl Actual {
    /// The class to count the image as, of which the model says that it is `predicted`: it is right as any class of its
    /// name.
    pub(crate) fn class(self, predicted: usize, labels: &Labels) -> usize {
        match self {
            Self::OneOf(first) if labels.name(first) == labels.name(predicted) => predicted,
            Self::Class(class) | Self::OneOf(class) => class,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_controls_a_terminal_is_shown() {
        assert_eq!(
            printable("a\\b \u{1b}[2J\r\n\t\u{9b}"),
            "a\\b \\u001b[2J\\r\\n\\t\\u009b"
        );
        assert_eq!(
            printable("\u{202e}gpj\u{2028}\u{e0041}"),
            "\\u202egpj\\u2028\\udb40\\udc41"
        );
        assert_eq!(
            printable("Gr\u{fc}\u{df}e \u{1f600} e\u{301}"),
            "Gr\u{fc}\u{df}e \u{1f600} e\u{301}"
        );
    }
}
