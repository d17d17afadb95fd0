//! Check digits of Great Britain and Northern Ireland, as HM Revenue and Customs gives them.

use crate::domain::reference::tax::digits::{Digits, digits, value, weighted};

/// Of a trader, of a branch of one with three digits more, or of a government department or a health authority.
pub(in crate::domain::reference::tax) fn britain(number: &str) -> Digits {
    let digits = digits(number);
    let is_department = number.starts_with("GD");
    if !(is_department || number.starts_with("HA")) {
        return trader(&digits).into();
    }
    // Written in full, 8888 comes before the office's three digits, and two that check them come after.
    let (office, check) = match digits.len() {
        3 => (value(&digits), None),
        _ => (value(digits.get(4..7).unwrap_or_default()), digits.get(7..).map(value)),
    };
    if is_department != (office < 500) {
        return Digits::Wrong;
    }
    check.map_or(Digits::None, |check| (check == office % 97).into())
}

/// Numbers from 100 on were given in three series: with each the sum leaves another rest.
fn trader(digits: &[u32]) -> bool {
    let sum = u64::from(weighted(digits, &[8, 7, 6, 5, 4, 3, 2])) + value(digits.get(7..9).unwrap_or_default());
    match value(digits.get(..3).unwrap_or_default()) {
        ..100 => sum.is_multiple_of(97),
        _ => matches!(sum % 97, 0 | 42 | 55),
    }
}
