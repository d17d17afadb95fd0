//! Tax IDs as they are written. `domain/reference/tax` checks their form and check digits; no external register is asked.

use serde::{Deserialize, Serialize};

use super::key::Key;
use super::rule_code::RuleCode;
use super::text::Text;
use super::unknown_fields::UnknownFields;
use super::violation::{Rule, Violations};
use crate::domain::reference::tax::{self, TaxCheck};

/// A tax ID: 1 to 40 printable characters, and the country that issued it, if known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxId {
    #[serde(rename = "value")]
    value: Text<40>,
    #[serde(rename = "country", skip_serializing_if = "Option::is_none")]
    country: Option<Text<100>>,
    #[serde(flatten)]
    pub(in crate::domain) unknown: UnknownFields,
}

impl TaxId {
    /// The most characters of the value.
    pub const MAX_CHARS: usize = 40;

    /// Parses what a client sent; an empty country is none.
    ///
    /// # Errors
    /// All violations of `value` and `country`.
    pub fn parse(value: &str, country: &str) -> Result<Self, Violations> {
        let mut violations = Violations::default();
        let value = violations.check("value", Text::parse(value));
        let country = violations.check("country", Text::parse_optional(country));
        violations.finish(value.zip(country).map(|(value, country)| Self {
            value,
            country,
            unknown: UnknownFields::default(),
        }))
    }

    /// The ID as it was written.
    #[must_use]
    pub fn value(&self) -> &str {
        self.value.as_str()
    }

    /// The country that issued it, if known.
    #[must_use]
    pub fn country(&self) -> Option<&str> {
        self.country.as_ref().map(Text::as_str)
    }

    /// How far the number can be checked.
    ///
    /// # Errors
    /// It breaks a rule that was not there yet when it was stored.
    pub fn check(&self) -> Result<TaxCheck, Rule> {
        tax::check(self.value(), self.country().and_then(tax::country))
    }

    /// Puts the country's code in its place.
    pub(in crate::domain) fn settle(&mut self, country: &str) {
        if self.country() != Some(country) {
            self.country = Some(Text::stored(country.to_owned()));
        }
    }

    /// Two tax IDs are the same if their keys are equal.
    fn key(&self) -> (Key, Option<Key>) {
        let (country, number) = tax::parts(self.value(), self.country().and_then(tax::country));
        (Key::fold(&number), country.or(self.country()).map(Key::fold))
    }
}

/// A customer's tax IDs, at most 20, no two the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaxIds(Vec<TaxId>);

impl TaxIds {
    /// The most that a customer has.
    pub const MAX: usize = 20;

    /// Makes the list from tax IDs that are each valid.
    ///
    /// # Errors
    /// Those of [`TaxIds::check_count`] and [`TaxIds::check`].
    pub fn try_new(tax_ids: Vec<TaxId>) -> Result<Self, Violations> {
        Self::check_count(tax_ids.len())?;
        Self::check(tax_ids.iter().map(Some)).finish(Some(Self(tax_ids)))
    }

    /// The list whatever is wrong with it, to find what else is wrong: none stands for a tax ID that cannot be read.
    #[must_use]
    pub fn read(tax_ids: Vec<Option<TaxId>>) -> Self {
        let unread = || TaxId { value: Text::stored(String::new()), country: None, unknown: UnknownFields::default() };
        Self(tax_ids.into_iter().map(|tax_id| tax_id.unwrap_or_else(unread)).collect())
    }

    /// Checks the number of tax IDs.
    ///
    /// # Errors
    /// More than 20; the path is `tax_ids`.
    pub fn check_count(count: usize) -> Result<(), Violations> {
        if count <= Self::MAX {
            return Ok(());
        }
        let text = format!("must be at most {} tax IDs; these are {count}", Self::MAX);
        let rule = Rule::coded_with(RuleCode::TooMany, text);
        Err(Violations::of("tax_ids", rule))
    }

    /// Reports the tax IDs that repeat an earlier one. None stands for a tax ID that is itself invalid. The paths start
    /// at the customer: `tax_ids[3]`.
    pub fn check<'a>(tax_ids: impl Iterator<Item = Option<&'a TaxId>>) -> Violations {
        let mut violations = Violations::default();
        let keys: Vec<_> = tax_ids.map(|tax_id| tax_id.map(TaxId::key)).collect();
        for (place, key) in keys.iter().enumerate().filter(|(_, key)| key.is_some()) {
            if let Some(first) = keys.iter().take(place).position(|earlier| earlier == key) {
                let rule = Rule::coded_with(RuleCode::Duplicate, format!("must not repeat tax_ids[{first}]"));
                violations.push(format!("tax_ids[{place}]"), rule);
            }
        }
        violations
    }

    /// Keeps the fields that a newer release stored with the tax IDs of `before` that are still in the list.
    pub(in crate::domain) fn keep_unknown(&mut self, before: &Self) {
        for old in before.0.iter().filter(|old| !old.unknown.is_empty()) {
            if let Some(new) = self.0.iter_mut().find(|new| new.key() == old.key()) {
                new.unknown.clone_from(&old.unknown);
            }
        }
    }

    /// All of them, in the order given.
    #[must_use]
    pub fn as_slice(&self) -> &[TaxId] {
        &self.0
    }

    pub(in crate::domain) fn iter_mut(&mut self) -> std::slice::IterMut<'_, TaxId> {
        self.0.iter_mut()
    }

    /// Whether the list is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    fn tax_id(value: &str, country: &str) -> TaxId {
        TaxId::parse(value, country).unwrap()
    }

    #[test]
    fn violations_of_both_parts_are_reported_together() {
        let violations = TaxId::parse("", &"x".repeat(101)).unwrap_err();
        let fields: Vec<_> = violations.all().iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["value", "country"]);
    }

    #[test]
    fn a_repeated_tax_id_is_refused_in_any_spelling() {
        let twice = vec![tax_id("1", ""), tax_id("NL006486253B01", "Netherlands"), tax_id("nl 0064.86253-b01", "NL")];
        let refused = TaxIds::try_new(twice).unwrap_err();
        assert_eq!(
            refused,
            Violations::of("tax_ids[2]", Rule::coded(RuleCode::Duplicate, "must not repeat tax_ids[1]"))
        );
        assert!(TaxIds::try_new(vec![tax_id("1", "NL"), tax_id("1", "BE"), tax_id("1", "")]).is_ok());
        // The prefix or the country may be missing, and Northern Ireland's numbers are Great Britain's too.
        for (one, other) in [
            (("NL006486253B01", "NL"), ("006486253 B01", "NL")),
            (("NL006486253B01", ""), ("NL006486253B01", "NL")),
            (("XI980780684", "xi"), ("GB 980 7806 84", "United Kingdom")),
            (("1", "Atlantis"), ("1", "ATLANTIS")),
        ] {
            let both = [one, other].map(|(value, country)| tax_id(value, country));
            assert!(TaxIds::try_new(both.into()).is_err(), "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_customer_has_at_most_20_tax_ids() {
        let numbers = |count: usize| (0..count).map(|number| tax_id(&number.to_string(), "")).collect();
        assert_eq!(TaxIds::try_new(numbers(20)).unwrap().as_slice().len(), 20);
        let refused = TaxIds::try_new(numbers(21)).unwrap_err();
        assert_eq!(
            refused,
            Violations::of("tax_ids", Rule::coded(RuleCode::TooMany, "must be at most 20 tax IDs; these are 21"))
        );
    }

    #[test]
    fn tax_ids_are_stored_as_a_list() {
        let tax_ids = TaxIds::try_new(vec![tax_id("NL1", "NL"), tax_id("2", "")]).unwrap();
        let stored = serde_json::to_string(&tax_ids).unwrap();
        assert_eq!(stored, r#"[{"value":"NL1","country":"NL"},{"value":"2"}]"#);
        assert_eq!(serde_json::from_str::<TaxIds>(&stored).unwrap(), tax_ids);
    }

    proptest! {
        #[test]
        fn any_input_is_refused_or_kept_in_its_final_form(value in samples::raw(), country in samples::raw()) {
            if let Ok(tax_id) = TaxId::parse(&value, &country) {
                samples::assert_kept(tax_id.value(), TaxId::MAX_CHARS);
                samples::assert_kept(tax_id.country().unwrap_or_default(), 100);
                prop_assert_eq!(TaxId::parse(tax_id.value(), tax_id.country().unwrap_or_default()), Ok(tax_id));
            }
        }
    }
}
