//! Check digits of the numbers that states give to people, where tax numbers are such numbers too.

use crate::domain::reference::tax::digits::{Digits, digits, last, rest_11, value, weighted};

/// Of a person, of a foreigner, or of anybody else: each has check digits of its own.
pub(super) fn bulgaria(number: &str) -> Digits {
    let digits = digits(number);
    let person = rest_11(&digits, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 10;
    let foreigner = weighted(&digits, &[21, 19, 17, 13, 11, 9, 7, 3, 1]) % 10;
    let other = 11 - rest_11(&digits, &[4, 3, 2, 7, 6, 5, 4, 3, 2]);
    [person, foreigner, other % 11].contains(&last(&digits)).into()
}

/// The number of a birth since 1954. Earlier ones, which are shorter, have no check digit.
pub(super) fn czechia(number: &str) -> Digits {
    let digits = digits(number);
    if digits.len() != 10 {
        return Digits::None;
    }
    let (birth, _) = digits.split_at(9);
    // Until 1985 a rest of ten was written as zero.
    (value(&digits).is_multiple_of(11) || (value(birth) % 11 == 10 && last(&digits) == 0)).into()
}
