//! The folded key by which names, custom IDs, tags and branches are compared: case, width, spacing and typography do not
//! matter, accents do.
//!
//! Rule: two texts are the same name if and only if their keys are the same bytes. So `PostgreSQL` compares keys with
//! `COLLATE "C"`. A change of the folding needs a new [`Key::VERSION`], to which `clientele migrate` brings every stored key.

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizerBorrowed;
use serde::{Deserialize, Serialize};

use super::characters::{is_apostrophe, is_dash, is_joiner, is_selector};
use super::rule_code::RuleCode;
use super::text::{collapse, is_plain, settled};
use super::violation::Rule;

/// A text folded for comparison: NFKC; full case folding with İ, ı and i as one letter; apostrophes and dashes of every kind as
/// `'` and `-`; without joiners and variation selectors; white space collapsed. Accents are kept. Unique names and custom IDs
/// compare by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(String);

impl Key {
    /// The version of the folding. Version 1 knew no typography and did not fold İ and ı.
    pub const VERSION: i32 = 2;
    /// The most bytes of a unique key: a B-tree of `PostgreSQL` refuses entries above a third of a page (2,704 bytes), and
    /// an entry holds ids and a system beside the key.
    pub const MAX_BYTES: usize = 2_048;

    /// Folds any text. Folding a key again returns the same key.
    #[must_use]
    pub fn fold(text: &str) -> Self {
        if is_plain(text) && !text.contains('`') {
            return Self(text.to_ascii_lowercase());
        }
        Self(settled(text, round))
    }

    /// Folds a text whose key must be unique.
    ///
    /// # Errors
    /// The key has more than [`Key::MAX_BYTES`]: only a long text of characters that fold to many, like U+FDFA.
    pub fn try_fold(text: &str) -> Result<Self, Rule> {
        let key = Self::fold(text);
        if key.0.len() > Self::MAX_BYTES {
            return Err(Rule::coded(RuleCode::Length, "must be shorter: some of its characters stand for many"));
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
    // Before NFKC, which takes an accent that is typed for an apostrophe apart into a space and a combining accent.
    let composed = plain_typography(&nfkc.normalize(&plain_typography(text)));
    collapse(&nfkc.normalize(&one_i(&CaseMapper::new().fold_string(&composed))))
}

/// The text as a typewriter has it: one apostrophe, one dash, and nothing invisible.
fn plain_typography(text: &str) -> String {
    let visible = text.chars().filter(|letter| !is_joiner(*letter) && !is_selector(*letter));
    visible
        .map(|letter| match letter {
            apostrophe if is_apostrophe(apostrophe) => '\'',
            dash if is_dash(dash) => '-',
            other => other,
        })
        .collect()
}

/// A case-folded text in which ı and İ (folded to i and a dot above) are i. So ISI, İSİ, ısı and isi are one name in every
/// language: whoever writes it, no search or look-up knows in which language it was written.
fn one_i(folded: &str) -> String {
    let mut text = String::with_capacity(folded.len());
    for letter in folded.chars() {
        match letter {
            'ı' => text.push('i'),
            '\u{307}' if text.ends_with(['i', 'į', 'ị']) => {}
            other => text.push(other),
        }
    }
    text
}

/// Declares a text that is stored as given and compared by its key. A macro, so that a name and a custom ID are
/// different types with the same `parse`.
macro_rules! keyed {
    ($(#[$about:meta])* pub struct $name:ident, at most $max:literal) => {
        $crate::domain::values::key::keyed! { $(#[$about])* pub struct $name, at most $max, by printable }
    };
    ($(#[$about:meta])* pub struct $name:ident, at most $max:literal, by $form:ident) => {
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
                let text = $crate::domain::values::text::$form(raw, 1..=Self::MAX_CHARS)?;
                Ok(Self { key: $crate::domain::values::key::Key::try_fold(&text)?, text })
            }

            /// The text as it is stored and shown.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.text
            }

            /// The text itself.
            #[must_use]
            pub fn into_string(self) -> String {
                self.text
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
    fn apostrophes_are_one_and_so_are_dashes() {
        for name in ["O’Brien", "O‘Brien", "OʼBrien", "Oʻbrien", "O′Brien", "O＇Brien", "O`Brien", "O´Brien", "O᾽Brien"]
        {
            assert_eq!(Key::fold(name).as_str(), "o'brien", "{name}");
        }
        for name in ["A-1", "A‐1", "A‑1", "A–1", "A—1", "A―1", "A−1", "A－1", "A﹘1", "A־1"] {
            assert_eq!(Key::fold(name).as_str(), "a-1", "{name}");
        }
        assert!(!same("O'Brien", "OBrien") && !same("A-1", "A1") && !same("A-1", "A 1") && !same("A-1", "Aー1"));
    }

    #[test]
    fn every_i_is_one_with_and_without_its_dot() {
        for name in ["IŞIK", "İŞİK", "ışık", "işik", "i\u{307}şi\u{307}k", "I\u{307}şık"] {
            assert_eq!(Key::fold(name).as_str(), "işik", "{name}");
        }
        assert!(same("İ\u{301}", "í") && same("İ\u{323}", "ị"));
        assert!(!same("i", "í") && !same("i", "ị") && !same("z\u{307}", "z"));
    }

    #[test]
    fn joiners_and_selectors_do_not_matter() {
        assert!(same("می\u{200C}خواهم", "میخواهم"));
        assert!(same("ශ්\u{200D}රී", "ශ්රී"));
        assert!(same("\u{2764}\u{FE0F} Shop", "\u{2764} shop"));
        assert!(same("葛\u{E0100}城", "葛城"));
        assert!(same("Co\u{200D}paco", "Copaco"));
        assert!(same("e\u{200D}\u{301}", "é"));
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

    /// If this fails, stored keys are no longer what their texts fold to: raise [`Key::VERSION`] with the new number.
    #[test]
    fn the_folding_is_that_of_its_version() {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for character in '\0'..='\u{2FFFF}' {
            for byte in Key::fold(&character.to_string()).as_str().bytes().chain([0]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        assert_eq!((Key::VERSION, hash), (2, 13_300_641_333_073_321_103));
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
