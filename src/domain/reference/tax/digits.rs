//! Sums of digits, of which check digits are made.

/// What the check digits say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::domain::reference) enum Digits {
    /// They fit.
    Fit,
    /// They do not fit.
    Wrong,
    /// A number of this kind has none that are published.
    None,
}

impl From<bool> for Digits {
    fn from(fit: bool) -> Self {
        if fit { Self::Fit } else { Self::Wrong }
    }
}

/// The digits of a number. Letters are left out.
pub(super) fn digits(number: &str) -> Vec<u32> {
    number.chars().filter_map(|digit| digit.to_digit(10)).collect()
}

/// The sum of the first digits, each times its weight.
pub(super) fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

/// The number that so many digits are.
pub(super) fn value(digits: &[u32]) -> u64 {
    digits.iter().fold(0, |value, digit| value * 10 + u64::from(*digit))
}

pub(super) fn last(digits: &[u32]) -> u32 {
    digits.last().copied().unwrap_or_default()
}

pub(super) fn digit_sum(number: u32) -> u32 {
    number / 10 + number % 10
}

/// The algorithm of Luhn over all digits.
pub(in crate::domain::reference) fn luhn(number: &str) -> bool {
    let doubled = |(place, digit): (usize, &u32)| if place % 2 == 1 { digit_sum(digit * 2) } else { *digit };
    digits(number).iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

/// ISO 7064, MOD 11,10.
pub(super) fn mod_11_10(digits: &[u32]) -> bool {
    let product = digits.iter().take(digits.len().saturating_sub(1)).fold(10, |product, digit| {
        let sum = (product + digit) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == last(digits)
}

/// The rest of a weighted sum of all digits but the last, by 11.
pub(super) fn rest_11(digits: &[u32], weights: &[u32]) -> u32 {
    weighted(digits, weights) % 11
}
