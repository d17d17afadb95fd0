//! The customer's language for correspondence: a tag in the syntax of BCP 47, not looked up in the registry.

use serde::{Deserialize, Serialize};

use super::{rule_code::RuleCode, violation::Rule};

/// A language tag such as `nl`, `nl-BE` or `zh-Hant-TW`: at most 35 characters, subtags of 1 to 8 ASCII letters and
/// digits, the first of 2 to 8 letters. Stored in the case that RFC 5646 (2.1.1) recommends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Language(String);

impl Language {
    /// The most characters: the least that RFC 5646 (4.4.1) requires software to support.
    pub const MAX_CHARS: usize = 35;

    /// Parses what a client sent, in any case. White space at the ends is trimmed.
    ///
    /// # Errors
    /// Not in the syntax of a tag.
    pub fn parse(raw: &str) -> Result<Self, Rule> {
        let raw = raw.trim();
        if raw.len() > Self::MAX_CHARS || !raw.split('-').enumerate().all(|(place, subtag)| is_subtag(place, subtag)) {
            return Err(Rule::coded(RuleCode::Language, "must be a language tag such as nl, en-GB or zh-Hant-TW"));
        }
        let mut tag = String::with_capacity(raw.len());
        let mut extended = false; // after a singleton (`-u-`, `-x-`) no subtag is a script or a region
        for (place, subtag) in raw.split('-').enumerate() {
            if place > 0 {
                tag.push('-');
            }
            let start = tag.len();
            tag.push_str(&subtag.to_ascii_lowercase());
            let (_, cased) = tag.split_at_mut(start);
            match cased.len() {
                1 => extended = true,
                2 if place > 0 && !extended => cased.make_ascii_uppercase(),
                4 if place > 0 && !extended => cased.split_at_mut(1).0.make_ascii_uppercase(),
                _ => {}
            }
        }
        Ok(Self(tag))
    }

    /// A stored tag.
    #[must_use]
    pub fn stored(tag: String) -> Self {
        Self(tag)
    }

    /// The tag.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_subtag(place: usize, subtag: &str) -> bool {
    let bytes = subtag.as_bytes();
    match place {
        0 => (2..=8).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_alphabetic),
        _ => (1..=8).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_alphanumeric),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    #[test]
    fn a_tag_is_kept_in_its_usual_case() {
        for (raw, kept) in [
            ("NL", "nl"),
            ("nl-be", "nl-BE"),
            ("ZH-hANT-tw", "zh-Hant-TW"),
            ("es-419", "es-419"),
            ("sl-rozaj-biske-1994", "sl-rozaj-biske-1994"),
            ("EN-us-U-CA-Gregory", "en-US-u-ca-gregory"),
            (" de ", "de"),
        ] {
            assert_eq!(Language::parse(raw).unwrap().as_str(), kept);
        }
    }

    #[test]
    fn other_syntax_is_refused_with_examples() {
        for raw in
            ["", "n", "dutch language", "nl_BE", "nl-", "-nl", "nl--BE", "x-klingon", "12", "né", &"nl-".repeat(12)]
        {
            assert!(Language::parse(raw).unwrap_err().text().contains("zh-Hant-TW"), "{raw:?}");
        }
    }

    proptest! {
        #[test]
        fn any_input_is_refused_or_kept_in_its_final_form(
            raw in prop_oneof![samples::raw(), "[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}"],
        ) {
            if let Ok(language) = Language::parse(&raw) {
                samples::assert_kept(language.as_str(), Language::MAX_CHARS);
                prop_assert!(language.as_str().eq_ignore_ascii_case(raw.trim()));
                prop_assert_eq!(Language::parse(language.as_str()), Ok(language.clone()));
                prop_assert_eq!(Language::parse(&language.as_str().to_uppercase()), Ok(language));
            }
        }
    }
}
