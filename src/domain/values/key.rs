//! The folded key by which names and custom IDs are compared: case, width and spacing do not matter, accents do.
//!
//! Rule: two texts are the same name if and only if their keys are the same bytes. So `PostgreSQL` compares keys with
//! `COLLATE "C"`. A change of the folding is a migration of every stored key.

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;
use serde::{Deserialize, Serialize};

use super::text::{collapse, is_plain};
use super::violation::Rule;

/// Two rounds have been enough for every text tried so far: a third changed nothing. The bound guarantees an end.
const MAX_ROUNDS: usize = 4;

/// A text folded for comparison: NFKC, full case folding (not the Turkic one), NFKC, white space collapsed; accents
/// are kept. Unique names and custom IDs compare by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// The most bytes of a unique key: a B-tree of `PostgreSQL` refuses entries above a third of a page (2,704 bytes), and
    /// an entry holds ids and a system beside the key.
    pub const MAX_BYTES: usize = 2_048;

    /// Folds any text. Folding a key again returns the same key.
    #[must_use]
    pub fn fold(text: &str) -> Self {
        if is_plain(text) {
            return Self(text.to_ascii_lowercase());
        }
        let mut key = round(text);
        for _ in 0..MAX_ROUNDS {
            let next = round(&key);
            if next == key {
                break;
            }
            key = next;
        }
        Self(key)
    }

    /// Folds a text whose key must be unique.
    ///
    /// # Errors
    /// The key has more than [`Key::MAX_BYTES`]: only a long text of characters that fold to many, like U+FDFA.
    pub fn try_fold(text: &str) -> Result<Self, Rule> {
        let key = Self::fold(text);
        if key.0.len() > Self::MAX_BYTES {
            return Err(Rule::new("must be shorter: some of its characters stand for many"));
        }
        Ok(key)
    }

    /// The folded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn round(text: &str) -> String {
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    collapse(&nfkc.normalize(&CaseMapper::new().fold_string(&nfkc.normalize(text))))
}

/// Declares a text that is stored as given and compared by its key. A macro, so that a name and a custom ID are
/// different types with the same `parse`.
macro_rules! keyed {
    ($(#[$about:meta])* pub struct $name:ident, at most $max:literal) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
        #[serde(from = "String")]
        pub struct $name {
            text: String,
            key: $crate::domain::values::key::Key,
        }

        impl $name {
            /// The most code points that it has.
            pub const MAX_CHARS: usize = $max;

            /// Parses what a client sent.
            ///
            /// # Errors
            /// Empty, too long, or not printable.
            pub fn parse(raw: &str) -> Result<Self, $crate::domain::values::violation::Rule> {
                let text = $crate::domain::values::text::printable(raw, 1..=Self::MAX_CHARS)?;
                Ok(Self { key: $crate::domain::values::key::Key::try_fold(&text)?, text })
            }

            /// The text as it is stored and shown.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.text
            }

            /// The key that it is compared by.
            #[must_use]
            pub fn key(&self) -> &$crate::domain::values::key::Key {
                &self.key
            }
        }

        /// Reads a stored text, without today's rule.
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self { key: $crate::domain::values::key::Key::fold(&text), text }
            }
        }

        /// Stores the text alone: the key is derived from it.
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.text)
            }
        }
    };
}
pub(in crate::domain) use keyed;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    /// Words whose letters have both cases, and come back from either.
    const CASED: &str = "[a-zA-Z0-9À-ÖØ-öø-ÿА-яΑ-Ρα-ρ]{1,8}";

    fn same(one: &str, other: &str) -> bool {
        Key::fold(one) == Key::fold(other)
    }

    #[test]
    fn case_width_and_spacing_do_not_matter() {
        assert!(same("Copaco  B.V.", "COPACO b.v. "));
        assert!(same("Straße", "STRASSE"));
        assert!(same("ΣΊΣΥΦΟΣ", "σίσυφος"));
        assert!(same("ＡＢＣ１２３", "abc123"));
        assert!(same("ﬁets", "FIETS"));
        assert!(same("Mu\u{308}nchen", "MÜNCHEN"));
    }

    #[test]
    fn accents_and_leading_zeros_do() {
        assert!(!same("Jose", "José"));
        assert!(!same("007", "7"));
    }

    #[test]
    fn folding_any_single_character_twice_changes_nothing() {
        // Above plane 2 nothing folds.
        for character in '\0'..='\u{2FFFF}' {
            let key = Key::fold(&character.to_string());
            assert_eq!(round(key.as_str()), key.as_str(), "U+{:04X}", u32::from(character));
        }
    }

    #[test]
    fn a_key_too_long_for_an_index_is_refused() {
        assert!(Key::try_fold(&"x".repeat(255)).is_ok());
        assert!(Key::try_fold(&"\u{10400}".repeat(255)).is_ok());
        assert!(Key::try_fold(&"\u{FDFA}".repeat(120)).unwrap_err().text().starts_with("must be shorter"));
    }

    proptest! {
        #[test]
        fn folding_what_is_folded_changes_nothing(raw in samples::raw()) {
            let key = Key::fold(&raw);
            prop_assert_eq!(Key::fold(key.as_str()), key.clone());
            prop_assert_eq!(round(key.as_str()), key.as_str());
        }

        #[test]
        fn every_spelling_in_case_and_spaces_has_one_key(words in prop::collection::vec(CASED, 1..5)) {
            let key = Key::fold(&words.join(" "));
            prop_assert_eq!(Key::fold(&words.join("  ").to_uppercase()), key.clone());
            prop_assert_eq!(Key::fold(&words.join("\u{A0}").to_lowercase()), key.clone());
            prop_assert_eq!(Key::fold(&format!(" {} ", words.join("\u{3000}"))), key);
        }

        #[test]
        fn full_width_is_plain(raw in "[!-~]{1,20}") {
            let wide: String = raw.chars().filter_map(|c| char::from_u32(u32::from(c) + 0xFEE0)).collect();
            prop_assert_eq!(Key::fold(&wide), Key::fold(&raw));
        }
    }
}
