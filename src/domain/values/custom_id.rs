//! Custom IDs: an account's own ids for a customer, one in each system: `(account, system) -> value`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::key::keyed;
use super::text;
use super::violation::Rule;

keyed! {
    /// An account's own id for a customer: 1 to 255 printable characters, kept as given (leading zeros, case, runs of spaces inside),
    /// compared by its folded key.
    pub struct CustomId, at most 255, by verbatim
}

impl CustomId {
    /// Parses an optional custom ID: empty is `None`, which clears the value.
    ///
    /// # Errors
    /// As [`CustomId::parse`] does.
    pub fn parse_optional(raw: &str) -> Result<Option<Self>, Rule> {
        text::optional(raw, Self::parse)
    }
}

/// The most custom IDs that an account may have of one customer, each in a system of its own.
pub const MAX_SYSTEMS: usize = 20;

/// How a look-up found a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResolvedBy {
    /// By a current custom ID.
    Current,
    /// By an old custom ID that no other customer has got since.
    Alias,
    /// By an old custom ID of a customer that was merged into it.
    Merge,
}

/// An account's custom IDs of a customer, by system.
pub type CustomIds = BTreeMap<System, CustomId>;

/// The system a custom ID belongs to, such as `erp`, `dms` or `billing`: a lower-case letter, then up to 31 lower-case
/// letters, digits and hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct System(String);

impl System {
    /// The most characters that it has.
    pub const MAX_CHARS: usize = 32;

    /// Parses what a client sent.
    ///
    /// # Errors
    /// Anything but `[a-z][a-z0-9-]{0,31}`; nothing is trimmed or folded.
    pub fn parse(raw: &str) -> Result<Self, Rule> {
        let fits = raw.len() <= Self::MAX_CHARS
            && raw.starts_with(|first: char| first.is_ascii_lowercase())
            && raw.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if fits {
            Ok(Self(raw.to_owned()))
        } else {
            Err(Rule::new("must be 1 to 32 of a-z, 0-9 and '-', a letter first, such as erp or dms"))
        }
    }

    /// Parses an optional system: empty is the system `default`.
    ///
    /// # Errors
    /// As [`System::parse`] does.
    pub fn parse_or_default(raw: &str) -> Result<Self, Rule> {
        if raw.is_empty() { Ok(Self::default()) } else { Self::parse(raw) }
    }

    /// The text itself.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The system of a custom ID that names none.
impl Default for System {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    #[test]
    fn a_custom_id_keeps_leading_zeros_and_case_and_compares_without_case() {
        let id = CustomId::parse("00Ab-17").unwrap();
        assert_eq!(id.as_str(), "00Ab-17");
        assert_eq!(id.key(), CustomId::parse("00aB-17").unwrap().key());
        assert_ne!(id.key(), CustomId::parse("Ab-17").unwrap().key());
    }

    #[test]
    fn a_custom_id_keeps_its_spaces_and_compares_with_one() {
        let id = CustomId::parse("  A  1\u{a0}\u{a0}e\u{301} ").unwrap();
        assert_eq!(id.as_str(), "A  1\u{a0}\u{a0}\u{e9}");
        assert_eq!(id.key(), CustomId::parse("A 1 \u{e9}").unwrap().key());
        assert!(CustomId::parse("A\t1").is_err());
        assert_eq!(CustomId::parse("  ").unwrap_err().text(), "must not be empty");
    }

    #[test]
    fn a_custom_id_has_at_most_255_characters() {
        assert!(CustomId::parse(&"7".repeat(255)).is_ok());
        assert_eq!(CustomId::parse(&"7".repeat(256)).unwrap_err().text(), "must be 1 to 255 characters; this has 256");
        assert_eq!(CustomId::parse_optional("").unwrap(), None);
    }

    #[test]
    fn a_system_is_a_short_lower_case_word() {
        for raw in ["erp", "a", "dms-2", &"a".repeat(32)] {
            assert_eq!(System::parse(raw).unwrap().as_str(), raw);
        }
        for raw in ["", "ERP", "2nd", "-a", "a b", "erp ", "é", "a.b", &"a".repeat(33)] {
            assert!(System::parse(raw).unwrap_err().text().starts_with("must be 1 to 32 of"), "{raw:?}");
        }
        assert_eq!(System::parse_or_default("").unwrap().as_str(), "default");
        assert_eq!(System::parse_or_default("dms").unwrap().as_str(), "dms");
    }

    #[test]
    fn custom_ids_are_stored_as_a_map_of_texts() {
        let ids = BTreeMap::from([(System::parse("erp").unwrap(), CustomId::parse("0123").unwrap())]);
        let stored = serde_json::to_string(&ids).unwrap();
        assert_eq!(stored, r#"{"erp":"0123"}"#);
        assert_eq!(serde_json::from_str::<BTreeMap<System, CustomId>>(&stored).unwrap(), ids);
    }

    proptest! {
        #[test]
        fn any_input_is_refused_or_kept_in_its_final_form(raw in samples::raw()) {
            if let Ok(id) = CustomId::parse(&raw) {
                samples::assert_kept(&text::collapse(id.as_str()), CustomId::MAX_CHARS);
                prop_assert!(id.as_str().chars().count() <= CustomId::MAX_CHARS && id.as_str().trim() == id.as_str());
                prop_assert_eq!(CustomId::parse(id.as_str()), Ok(id.clone()));
            }
            if let Ok(system) = System::parse(&raw) {
                samples::assert_kept(system.as_str(), System::MAX_CHARS);
                prop_assert_eq!(system.as_str(), raw);
            }
        }

        #[test]
        fn every_word_of_the_right_shape_is_a_system(raw in "[a-z][a-z0-9-]{0,31}") {
            let system = System::parse(&raw);
            prop_assert_eq!(system.as_ref().map(System::as_str), Ok(raw.as_str()));
        }
    }
}
