//! The shapes of numbers: `9` is a digit, `a` a letter, `x` a letter or a digit, anything else itself.

use crate::domain::values::characters::is_dash;

/// The zeros of digits that people type on keyboards of other scripts: Arabic, Persian, Devanagari, Bengali, Gujarati, Tamil, Telugu,
/// Thai, Lao, Burmese and Khmer.
const ZEROS: [char; 11] = [
    '\u{660}', '\u{6F0}', '\u{966}', '\u{9E6}', '\u{AE6}', '\u{BE6}', '\u{C66}', '\u{E50}', '\u{ED0}', '\u{1040}',
    '\u{17E0}',
];

/// A number without what people set between its parts: spaces, dots, commas, colons, dashes of every kind, slashes and parentheses;
/// ASCII letters in upper case, digits and wide letters of other keyboards as those of ASCII.
pub(in crate::domain) fn compact(written: &str) -> String {
    let kept = written.chars().map(ascii).filter(|letter| !letter.is_whitespace() && !is_separator(*letter));
    kept.map(|letter| letter.to_ascii_uppercase()).collect()
}

fn is_separator(letter: char) -> bool {
    matches!(letter, '.' | ',' | ':' | '/' | '(' | ')' | '\u{B7}') || is_dash(letter)
}

/// The digit, letter or sign of ASCII that is meant: of a digit of another script, or of a wide one of East Asia.
pub(super) fn ascii(letter: char) -> char {
    if letter.is_ascii() {
        return letter;
    }
    let shifted = |by: u32| char::from_u32(u32::from(letter) - by);
    let meant = match letter {
        '\u{FF01}'..='\u{FF5E}' => shifted(0xFF01 - 0x21),
        _ => {
            let zero =
                ZEROS.iter().find(|zero| (u32::from(**zero)..u32::from(**zero) + 10).contains(&u32::from(letter)));
            zero.and_then(|zero| shifted(u32::from(*zero) - u32::from('0')))
        }
    };
    meant.unwrap_or(letter)
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
        assert_eq!(compact("BE (0)468.561.072: x"), "BE0468561072X");
    }

    #[test]
    fn digits_of_other_keyboards_are_digits() {
        assert_eq!(compact("ＮＬ００６４－８６ｂ"), "NL006486B");
        assert_eq!(compact("٠١٢٣٤٥٦٧٨٩ ۰۹ ०९ ๐๙ ០៩ ၀၉"), "01234567890909090909");
        assert_eq!(compact("é〒Ω"), "é〒Ω");
    }

    #[test]
    fn a_shape_has_digits_letters_and_what_stands_for_itself() {
        assert!(fits("U99x", "U12Z") && fits("U99x", "U123"));
        for other in ["U1Z3", "V12Z", "U12", "U12ZZ", "U12é"] {
            assert!(!fits("U99x", other), "{other}");
        }
    }
}
