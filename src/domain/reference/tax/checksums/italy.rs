//! Check digits of Italy: of numbers for value added tax, and of the codes of persons, which are tax numbers too.

use crate::domain::reference::tax::digits::{Digits, digits, luhn, value};

/// Of a company, or the code of a person.
pub(in crate::domain::reference::tax) fn italy(number: &str) -> Digits {
    if number.len() != 11 {
        return person(number);
    }
    let office = value(digits(number).get(7..10).unwrap_or_default());
    (matches!(office, 1..=100 | 120 | 121 | 888 | 999) && luhn(number)).into()
}

/// The code of a person: its last letter checks the others, of which those in odd places have values of their own.
fn person(code: &str) -> Digits {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let value_of = |letter: char| letter.to_digit(36).map(|it| if it < 10 { it } else { it - 10 });
    let body = code.chars().take(15).filter_map(value_of).enumerate();
    let values = body.map(|(place, value)| match place % 2 {
        0 => ODD.get(value as usize).copied().unwrap_or_default(),
        _ => value,
    });
    (code.chars().last().and_then(value_of) == Some(values.sum::<u32>() % 26)).into()
}
