//! Addresses: one text for each part. `domain/fields/settle.rs` compares country, state and postal code with the tables.

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use super::text::Text;
use super::unknown_fields::UnknownFields;
use super::violation::Rule;

/// Which of a customer's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddressKind {
    /// The customer's own.
    Primary,
    /// For bills.
    Billing,
    /// For deliveries.
    Shipping,
}

/// A part of an address, as a path names it: `primary_address.city`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray)]
pub enum AddressPart {
    /// Street and number.
    Line1,
    /// A second line, such as the building.
    Line2,
    /// City or town.
    City,
    /// State, province or region.
    State,
    /// Postal code.
    PostalCode,
    /// Country.
    Country,
}

impl AddressPart {
    /// Its name in a path.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Line1 => "line1",
            Self::Line2 => "line2",
            Self::City => "city",
            Self::State => "state",
            Self::PostalCode => "postal_code",
            Self::Country => "country",
        }
    }

    /// The part that a path names, if any.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::VARIANTS.iter().copied().find(|part| part.as_str() == name)
    }
}

/// An address. Each part is absent or a printable text of at most 100 characters, the postal code of at most 16.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    #[serde(rename = "line1", skip_serializing_if = "Option::is_none")]
    line1: Option<Text<100>>,
    #[serde(rename = "line2", skip_serializing_if = "Option::is_none")]
    line2: Option<Text<100>>,
    #[serde(rename = "city", skip_serializing_if = "Option::is_none")]
    city: Option<Text<100>>,
    #[serde(rename = "state", skip_serializing_if = "Option::is_none")]
    state: Option<Text<100>>,
    /// The state as it was given, where a code took its place: searches find it like that too.
    #[serde(rename = "state_given", skip_serializing_if = "Option::is_none")]
    state_given: Option<Text<100>>,
    #[serde(rename = "postal_code", skip_serializing_if = "Option::is_none")]
    postal_code: Option<Text<16>>,
    #[serde(rename = "country", skip_serializing_if = "Option::is_none")]
    country: Option<Text<100>>,
    #[serde(flatten)]
    pub(in crate::domain) unknown: UnknownFields,
}

impl Address {
    /// Whether no part is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        AddressPart::VARIANTS.iter().all(|part| self.get(*part).is_none())
    }

    /// Whether there is nothing to store: no part, and no field of a newer release.
    #[must_use]
    pub(in crate::domain) fn is_absent(&self) -> bool {
        self.is_empty() && self.unknown.is_empty()
    }

    /// Keeps the fields that a newer release stored with the address `before`, unless the address was cleared.
    pub(in crate::domain) fn keep_unknown(&mut self, before: &Self) {
        if self.unknown.is_empty() && !self.is_empty() {
            self.unknown.clone_from(&before.unknown);
        }
    }

    /// One part, if it is set.
    #[must_use]
    pub fn get(&self, part: AddressPart) -> Option<&str> {
        match part {
            AddressPart::Line1 => self.line1.as_ref().map(Text::as_str),
            AddressPart::Line2 => self.line2.as_ref().map(Text::as_str),
            AddressPart::City => self.city.as_ref().map(Text::as_str),
            AddressPart::State => self.state.as_ref().map(Text::as_str),
            AddressPart::PostalCode => self.postal_code.as_ref().map(Text::as_str),
            AddressPart::Country => self.country.as_ref().map(Text::as_str),
        }
    }

    /// Takes one part out; empty if it is not set.
    #[must_use]
    pub fn take(&mut self, part: AddressPart) -> String {
        let taken = match part {
            AddressPart::Line1 => self.line1.take(),
            AddressPart::Line2 => self.line2.take(),
            AddressPart::City => self.city.take(),
            AddressPart::State => self.state.take(),
            AddressPart::PostalCode => return self.postal_code.take().map(Text::into_string).unwrap_or_default(),
            AddressPart::Country => self.country.take(),
        };
        taken.map(Text::into_string).unwrap_or_default()
    }

    /// The state as it was given, if the state is a code that took its place.
    #[must_use]
    pub fn state_given(&self) -> Option<&str> {
        self.state_given.as_ref().map(Text::as_str)
    }

    /// Puts a code in the place of the country or the state, or the usual spelling in that of a postal code. What a state was
    /// given as is kept.
    pub(in crate::domain) fn settle(&mut self, part: AddressPart, form: &str) {
        if self.get(part) == Some(form) {
            return;
        }
        let form = form.to_owned();
        match part {
            AddressPart::Line1 | AddressPart::Line2 | AddressPart::City => {}
            AddressPart::State => self.state_given = self.state.replace(Text::stored(form)),
            AddressPart::PostalCode => self.postal_code = Some(Text::stored(form)),
            AddressPart::Country => self.country = Some(Text::stored(form)),
        }
    }

    /// Keeps the spelling in which the state of `before` was given, if that is the state now too.
    pub(in crate::domain) fn keep_state_given(&mut self, before: &Self) {
        if self.state == before.state {
            self.state_given.clone_from(&before.state_given);
        }
    }

    /// Sets one part to what a client sent; empty clears it.
    ///
    /// # Errors
    /// Too long or not printable; the part stays unchanged.
    pub fn set(&mut self, part: AddressPart, raw: &str) -> Result<(), Rule> {
        match part {
            AddressPart::Line1 => self.line1 = Text::parse_optional(raw)?,
            AddressPart::Line2 => self.line2 = Text::parse_optional(raw)?,
            AddressPart::City => self.city = Text::parse_optional(raw)?,
            AddressPart::State => (self.state, self.state_given) = (Text::parse_optional(raw)?, None),
            AddressPart::PostalCode => self.postal_code = Text::parse_optional(raw)?,
            AddressPart::Country => self.country = Text::parse_optional(raw)?,
        }
        Ok(())
    }

    /// Replaces one part by that of another address, which clears it if it is absent there.
    pub fn replace(&mut self, part: AddressPart, by: Self) {
        match part {
            AddressPart::Line1 => self.line1 = by.line1,
            AddressPart::Line2 => self.line2 = by.line2,
            AddressPart::City => self.city = by.city,
            AddressPart::State => (self.state, self.state_given) = (by.state, by.state_given),
            AddressPart::PostalCode => self.postal_code = by.postal_code,
            AddressPart::Country => self.country = by.country,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    #[test]
    fn every_part_is_set_read_stored_and_cleared_by_its_name() {
        let mut address = Address::default();
        for (&part, raw) in AddressPart::VARIANTS.iter().zip(["Hoevenweg 21", "2", "Eindhoven", "NB", "5652AW", "NL"]) {
            assert_eq!(AddressPart::parse(part.as_str()), Some(part));
            address.set(part, raw).unwrap();
            assert_eq!(address.get(part), Some(raw));
            assert_eq!(serde_json::to_value(&address).unwrap()[part.as_str()], raw);
        }
        let stored = serde_json::to_string(&address).unwrap();
        assert_eq!(serde_json::from_str::<Address>(&stored).unwrap(), address);
        for &part in AddressPart::VARIANTS {
            assert!(!address.is_empty());
            let mut other = address.clone();
            assert_eq!(other.take(part), address.get(part).unwrap());
            address.set(part, "").unwrap();
            assert_eq!(other.get(part), None);
        }
        assert!(address.is_empty());
        assert_eq!(AddressPart::parse("planet"), None);
    }

    #[test]
    fn absent_parts_are_not_stored() {
        assert_eq!(serde_json::to_string(&Address::default()).unwrap(), "{}");
        assert_eq!(serde_json::from_str::<Address>("{}").unwrap(), Address::default());
    }

    #[test]
    fn fields_of_a_newer_release_stay_until_the_address_is_cleared() {
        let stored = r#"{"city":"Eindhoven","district":"Strijp"}"#;
        let before: Address = serde_json::from_str(stored).unwrap();
        let mut changed = before.clone();
        changed.set(AddressPart::City, "").unwrap();
        assert!(changed.is_empty() && !changed.is_absent(), "{changed:?}");
        let mut replaced = Address::default();
        replaced.set(AddressPart::City, "Eindhoven").unwrap();
        replaced.keep_unknown(&before);
        assert_eq!(serde_json::to_string(&replaced).unwrap(), stored);
        let mut cleared = Address::default();
        cleared.keep_unknown(&before);
        assert!(cleared.is_absent());
    }

    #[test]
    fn a_refused_part_stays_unchanged() {
        let mut address = Address::default();
        address.set(AddressPart::PostalCode, "5652AW").unwrap();
        let refused = address.set(AddressPart::PostalCode, "5652AW 5652AW 5652AW").unwrap_err();
        assert_eq!(refused.text(), "must be 1 to 16 characters; this has 20");
        assert_eq!(address.get(AddressPart::PostalCode), Some("5652AW"));
    }

    proptest! {
        #[test]
        fn any_input_is_refused_or_kept_in_its_final_form(raw in samples::raw()) {
            for &part in AddressPart::VARIANTS {
                let (mut first, mut again) = (Address::default(), Address::default());
                if first.set(part, &raw).is_ok() {
                    let kept = first.get(part).unwrap_or_default();
                    samples::assert_kept(kept, if part == AddressPart::PostalCode { 16 } else { 100 });
                    prop_assert_eq!(again.set(part, kept), Ok(()));
                    prop_assert_eq!(again, first);
                }
            }
        }
    }
}
