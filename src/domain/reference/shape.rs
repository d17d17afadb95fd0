//! The shapes of numbers: `9` is a digit, `a` a letter, `x` a letter or a digit, anything else itself.

use crate::domain::values::characters::is_dash;

/// A number without what people set between its parts: spaces, dots, commas, dashes of every kind and slashes; ASCII letters in upper
/// case.
pub(in crate::domain) fn compact(written: &str) -> String {
    let kept = written.chars().filter(|letter| !letter.is_whitespace() && !is_separator(*letter));
    kept.map(|letter| letter.to_ascii_uppercase()).collect()
}

fn is_separator(letter: char) -> bool {
    matches!(letter, '.' | ',' | '/' | '\u{B7}') || is_dash(letter)
}

/// Whether a number has this shape.
pub(super) fn fits(shape: &str, number: &str) -> bool {
    shape.len() == number.len()
        && shape.bytes().zip(number.bytes()).all(|(wanted, found)| match wanted {
            b'9' => found.is_ascii_digit(),
            b'a' => found.is_ascii_uppercase(),
            b'x' => found.is_ascii_digit() || found.is_ascii_uppercase(),
            other => found == other,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_without_its_punctuation() {
        assert_eq!(compact(" CHE-116.281 710 mwst"), "CHE116281710MWST");
        assert_eq!(compact("nl\u{2011}0064/86"), "NL006486");
    }

    #[test]
    fn a_shape_has_digits_letters_and_what_stands_for_itself() {
        assert!(fits("U99x", "U12Z") && fits("U99x", "U123"));
        for other in ["U1Z3", "V12Z", "U12", "U12ZZ", "U12é"] {
            assert!(!fits("U99x", other), "{other}");
        }
    }
}
