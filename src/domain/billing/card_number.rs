//! What looks like a card number or an IBAN in a text. Such numbers are never stored: a payment method is a reference.
//!
//! A card number has 13 to 19 digits and a right check digit (Luhn, ISO/IEC 7812-1). Its digits may be of any script, in
//! groups with spaces, dashes or dots between them. A text is taken apart into groups of digits; one group, or several next
//! to each other, is a number. One in ten numbers has a right check digit: so only fields where nobody needs a long number
//! are looked at.
//!
//! An IBAN begins with a country and two check digits, and is 1 by modulus 97 (ISO 13616). That of a country of the register
//! is found anywhere in a text, by its length; any other only where it begins and ends at a boundary of groups.

mod tables;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::{CodePointSetData, props::DefaultIgnorableCodePoint};

use self::tables::{ZEROS, iban_length};

/// Digits of a card number.
const CARD: std::ops::RangeInclusive<usize> = 13..=19;
/// Characters of an IBAN.
const IBAN: std::ops::RangeInclusive<usize> = 15..=34;

/// Whether a text holds what looks like a card number or an IBAN.
#[must_use]
pub fn holds_card_number(text: &str) -> bool {
    let text = folded(text);
    holds_card(&text) || holds_iban(&text)
}

/// The text in which numbers are looked for: compatibility forms as usual ones, digits of all scripts as ASCII, letters in
/// upper case, without what cannot be seen, and each separator as a dash.
fn folded(text: &str) -> String {
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    let plain = ComposingNormalizerBorrowed::new_nfkc().normalize(text);
    let shown = plain.chars().filter(|char| !ignorable.contains(*char));
    shown
        .map(|char| match digit(char) {
            Some(digit) => digit,
            None if is_separator(char) => '-',
            None => char.to_ascii_uppercase(),
        })
        .collect()
}

/// The ASCII digit of a decimal digit.
fn digit(char: char) -> Option<char> {
    if char.is_ascii() {
        return char.is_ascii_digit().then_some(char);
    }
    let zero = ZEROS.chars().take_while(|zero| *zero <= char).last()?;
    char::from_digit(u32::from(char).checked_sub(u32::from(zero))?, 10)
}

fn is_separator(char: char) -> bool {
    char.is_whitespace()
        || char.is_control()
        || matches!(
            char,
            '-' | '.' | '\u{B7}' | '\u{58A}' | '\u{2010}'
                ..='\u{2015}' | '\u{2043}' | '\u{2212}' | '\u{2E3A}' | '\u{2E3B}' | '\u{30FB}'
        )
}

fn holds_card(text: &str) -> bool {
    // What is neither a digit nor a separator ends a number.
    text.split(|char: char| !char.is_ascii_digit() && char != '-').any(|part| {
        let groups: Vec<&str> = part.split('-').filter(|group| !group.is_empty()).collect();
        adjoining(&groups, *CARD.end()).any(|number| CARD.contains(&number.len()) && is_luhn(&number))
    })
}

fn holds_iban(text: &str) -> bool {
    text.split(|char: char| !char.is_ascii_alphanumeric() && char != '-').any(|part| {
        let groups: Vec<&str> = part.split('-').filter(|group| !group.is_empty()).collect();
        let whole: String = groups.concat();
        let of_a_country = (0..whole.len()).any(|from| {
            let rest = whole.get(from..).unwrap_or_default();
            let length = rest.get(..2).and_then(iban_length);
            length.and_then(|length| rest.get(..length)).is_some_and(is_iban)
        });
        of_a_country || adjoining(&groups, *IBAN.end()).any(|text| IBAN.contains(&text.len()) && is_iban(&text))
    })
}

/// Every row of groups next to each other, as one text, up to a length.
fn adjoining<'a>(groups: &'a [&'a str], longest: usize) -> impl Iterator<Item = String> + 'a {
    (0..groups.len()).flat_map(move |from| {
        let rows = groups.get(from..).unwrap_or_default().iter().scan(String::new(), |row, group| {
            row.push_str(group);
            Some(row.clone())
        });
        rows.take_while(move |row| row.len() <= longest)
    })
}

/// Whether the last digit is the check digit of the others.
fn is_luhn(digits: &str) -> bool {
    let mut sum = 0;
    for (place, digit) in digits.bytes().rev().enumerate() {
        let digit = u32::from(digit - b'0');
        sum += match (place % 2, digit * 2) {
            (0, _) => digit,
            (_, doubled) if doubled > 9 => doubled - 9,
            (_, doubled) => doubled,
        };
    }
    // A row of zeros has a right check digit too, and is no number of a card.
    sum > 0 && sum % 10 == 0
}

/// Whether a text of ASCII letters and digits has the form and the check digits of an IBAN.
fn is_iban(text: &str) -> bool {
    let bytes = text.as_bytes();
    let [a, b, c, d, ..] = bytes else { return false };
    if !(a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_digit() && d.is_ascii_digit()) {
        return false;
    }
    let (head, tail) = bytes.split_at(4);
    let remainder = tail.iter().chain(head).try_fold(0_u32, |sum, byte| {
        let value = char::from(*byte).to_digit(36)?;
        Some((sum * if value > 9 { 100 } else { 10 } + value) % 97)
    });
    remainder == Some(1)
}

#[cfg(test)]
mod tests;
