//! Names of customers, which a tenant may require to be unique, and of accounts, which may repeat.

use super::key::keyed;
use super::text::Text;

keyed! {
    /// A customer's short name: 1 to 120 printable characters, stored as given, compared by its folded key where
    /// `name_uniqueness` requires it.
    pub struct Name, at most 120
}

impl Name {
    /// The name of an erased customer, which is empty. No other customer has it.
    #[must_use]
    pub fn erased() -> Self {
        Self::from(String::new())
    }
}

/// An account's name: 1 to 120 printable characters. Two accounts may have the same.
pub type AccountName = Text<120>;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    #[test]
    fn a_name_keeps_its_spelling_and_compares_without_it() {
        let name = Name::parse(" Copaco ").unwrap();
        assert_eq!(name.as_str(), "Copaco");
        assert_eq!(name.key(), Name::parse("COPACO").unwrap().key());
    }

    #[test]
    fn a_name_is_1_to_120_characters() {
        assert!(Name::parse(&"é".repeat(120)).is_ok());
        assert_eq!(Name::parse("").unwrap_err().text(), "must not be empty");
        assert_eq!(Name::parse(&"é".repeat(121)).unwrap_err().text(), "must be 1 to 120 characters; this has 121");
        assert_eq!(AccountName::MAX_CHARS, Name::MAX_CHARS);
    }

    #[test]
    fn a_name_is_stored_as_its_text_and_read_back_with_its_key() {
        let name = Name::parse("Straße").unwrap();
        let stored = serde_json::to_string(&name).unwrap();
        assert_eq!(stored, r#""Straße""#);
        assert_eq!(serde_json::from_str::<Name>(&stored).unwrap(), name);
    }

    proptest! {
        #[test]
        fn any_input_is_refused_or_kept_in_its_final_form(raw in samples::raw()) {
            if let Ok(name) = Name::parse(&raw) {
                samples::assert_kept(name.as_str(), Name::MAX_CHARS);
                prop_assert!(!name.key().as_str().is_empty());
                prop_assert_eq!(Name::parse(name.as_str()), Ok(name.clone()));
            }
        }
    }
}
