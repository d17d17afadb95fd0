//! Money: a number of nano units of a currency. Exact: no floating point anywhere, and what does not fit is an error.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::domain::values::{text::Text, violation::Rule};

/// Nano units of one unit.
const UNIT: i128 = 1_000_000_000;

/// A currency: its code of ISO 4217.
pub type Currency = Text<3>;

/// An amount of some currency, in nano units. Stored as a decimal text without trailing zeros: `12.5`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(i128);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The highest price of one feature a month: so no total of a customer exceeds what a message can hold.
    pub const MAX_PRICE: Self = Self(10_000_000_000 * UNIT);
    /// The highest credit limit.
    pub const MAX_LIMIT: Self = Self(1_000_000_000_000_000 * UNIT);

    /// The amount of a `google.type.Money`: units and nanos of the same sign, nanos within a billion.
    ///
    /// # Errors
    /// Nanos out of range, or of the other sign.
    pub fn from_parts(units: i64, nanos: i32) -> Result<Self, Rule> {
        let (units, nanos) = (i128::from(units), i128::from(nanos));
        if nanos.abs() >= UNIT || units.signum() * nanos.signum() < 0 {
            return Err(Rule::new("must have nanos between -999,999,999 and 999,999,999, of the same sign as units"));
        }
        Ok(Self(units * UNIT + nanos))
    }

    /// Its units and nanos, if they fit into a message.
    #[must_use]
    pub fn parts(self) -> Option<(i64, i32)> {
        Some((i64::try_from(self.0 / UNIT).ok()?, i32::try_from(self.0 % UNIT).ok()?))
    }

    /// So many times the amount; none if it does not fit.
    #[must_use]
    pub fn times(self, quantity: u32) -> Option<Self> {
        self.0.checked_mul(i128::from(quantity)).map(Self)
    }

    /// The sum; none if it does not fit.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference; none if it does not fit.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Reads a decimal text as it is stored; none if it is not one.
    #[must_use]
    pub fn stored(text: &str) -> Option<Self> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let (units, nanos) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if units.is_empty() || nanos.len() > 9 || !is_number(units) || !is_number(nanos) {
            return None;
        }
        let units: i128 = units.parse().ok()?;
        let nanos: i128 = format!("{nanos:0<9}").parse().ok()?;
        let amount = units.checked_mul(UNIT)?.checked_add(nanos)?;
        Some(Self(if negative { -amount } else { amount }))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (units, nanos) = ((self.0 / UNIT).unsigned_abs(), (self.0 % UNIT).unsigned_abs());
        if nanos == 0 {
            return write!(out, "{sign}{units}");
        }
        let nanos = format!("{nanos:09}");
        write!(out, "{sign}{units}.{}", nanos.trim_end_matches('0'))
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::stored(&text).ok_or_else(|| D::Error::custom("no decimal number of at most nine places"))
    }
}

/// An amount with its currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Money {
    /// The currency.
    pub currency: Currency,
    /// How much.
    pub amount: Amount,
}

impl fmt::Display for Money {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.amount, self.currency.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_amount_is_stored_as_a_decimal_text_without_trailing_zeros() {
        for (units, nanos, text) in [
            (12, 500_000_000, "12.5"),
            (0, 0, "0"),
            (0, 1, "0.000000001"),
            (-1, -50_000_000, "-1.05"),
            (0, -1, "-0.000000001"),
        ] {
            let amount = Amount::from_parts(units, nanos).unwrap();
            assert_eq!((amount.to_string().as_str(), amount.parts()), (text, Some((units, nanos))));
        }
    }

    #[test]
    fn nanos_of_another_sign_or_of_a_whole_unit_are_refused() {
        for (units, nanos) in [(1, -1), (-1, 1), (0, 1_000_000_000), (0, -1_000_000_000)] {
            assert!(Amount::from_parts(units, nanos).is_err(), "{units} {nanos}");
        }
    }

    #[test]
    fn what_is_no_decimal_number_is_not_read() {
        for text in ["", "-", ".5", "1e3", "1.0000000001", "+1", " 1", "1,5", "--1", "٣"] {
            assert_eq!(Amount::stored(text), None, "{text}");
        }
    }

    #[test]
    fn the_highest_total_of_a_customer_fits_into_a_message() {
        let total = Amount::MAX_PRICE.times(super::super::customer_billing::MAX_QUANTITY).unwrap();
        let total = total.times(u32::try_from(super::super::customer_billing::MAX_FEATURES).unwrap()).unwrap();
        assert!(total.parts().is_some() && Amount::MAX_LIMIT.minus(total).unwrap().parts().is_some());
    }

    #[test]
    fn what_does_not_fit_is_none() {
        assert_eq!(Amount(i128::MAX).plus(Amount(1)), None);
        assert_eq!(Amount(i128::MAX).times(2), None);
        assert_eq!(Amount(i128::MIN).minus(Amount(1)), None);
        assert_eq!(Amount(i128::MAX).parts(), None);
    }

    proptest! {
        #[test]
        fn every_amount_comes_back_from_its_text(nanos in any::<i64>(), more in 0_u32..1_000_000) {
            let amount = Amount(i128::from(nanos)).times(more).unwrap();
            prop_assert_eq!(Amount::stored(&amount.to_string()), Some(amount));
        }
    }
}
