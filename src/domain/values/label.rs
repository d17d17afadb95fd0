//! Labels: key-value pairs that other services attach to a customer. Clientele can search by them and gives them no meaning.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rule_code::RuleCode;
use super::text::{optional, printable};
use super::violation::{Rule, Violations};

/// A label's key: 1 to 63 of `a-z`, `0-9`, `.`, `_`, `/` and `-`, a letter or digit first and last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LabelKey(String);

impl LabelKey {
    /// The most characters that it has.
    pub const MAX_CHARS: usize = 63;

    /// Parses what a client sent; nothing is trimmed or folded.
    ///
    /// # Errors
    /// Anything but `[a-z0-9]([a-z0-9._/-]*[a-z0-9])?` of at most 63 characters.
    pub fn parse(raw: &str) -> Result<Self, Rule> {
        let edge = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'));
        let bytes = raw.as_bytes();
        let fits = bytes.len() <= Self::MAX_CHARS
            && edge(bytes.first())
            && edge(bytes.last())
            && bytes.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'/' | b'-'));
        if fits {
            Ok(Self(raw.to_owned()))
        } else {
            Err(Rule::coded(
                RuleCode::LabelKey,
                "must be a key of 1 to 63 of a-z, 0-9, '.', '_', '/' and '-', a letter or digit first and last",
            ))
        }
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A label's value: 1 to 500 printable characters. One that is sent empty removes its label; one that was stored empty stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LabelValue(String);

impl LabelValue {
    /// The most characters that it has.
    pub const MAX_CHARS: usize = 500;

    /// Parses what a client sent; an empty value is none, which removes the label.
    ///
    /// # Errors
    /// Too long or not printable.
    pub fn parse_optional(raw: &str) -> Result<Option<Self>, Rule> {
        optional(raw, |raw| printable(raw, 1..=Self::MAX_CHARS).map(Self))
    }

    /// The value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A customer's labels, at most 50, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Labels(BTreeMap<LabelKey, LabelValue>);

impl Labels {
    /// The most that a customer has.
    pub const MAX: usize = 50;

    /// Parses the whole map that a client sent. A label with an empty value is left out.
    ///
    /// # Errors
    /// More than 50 (nothing else is checked then), invalid keys (`labels`, once), invalid values (`labels.KEY`, by key).
    /// The paths start at the customer.
    pub fn parse<K, V>(raw: impl IntoIterator<Item = (K, V)>) -> Result<Self, Violations>
    where
        K: AsRef<str> + Ord,
        V: AsRef<str>,
    {
        // Sorted, so that violations come in the same order each time.
        let raw: BTreeMap<K, V> = raw.into_iter().collect();
        if raw.len() > Self::MAX {
            return Err(Violations::of("labels", too_many(raw.len())));
        }
        let (mut labels, mut violations, mut bad_key) = (BTreeMap::new(), Violations::default(), None);
        for (key, value) in &raw {
            match LabelKey::parse(key.as_ref()) {
                Ok(key) => {
                    let value = LabelValue::parse_optional(value.as_ref());
                    let value = violations.check(format!("labels.{}", key.as_str()), value);
                    labels.extend(value.flatten().map(|value| (key, value)));
                }
                // An invalid key has any length and content: no path repeats it.
                Err(rule) => bad_key = Some(rule),
            }
        }
        if let Some(rule) = bad_key {
            violations.push("labels", rule);
        }
        violations.finish(Some(Self(labels)))
    }

    /// Sets one label, new or existing.
    ///
    /// # Errors
    /// It would exceed the limit; nothing changes then.
    pub fn set(&mut self, key: LabelKey, value: LabelValue) -> Result<(), Rule> {
        if self.0.len() >= Self::MAX && !self.0.contains_key(&key) {
            return Err(too_many(self.0.len() + 1));
        }
        self.0.insert(key, value);
        Ok(())
    }

    /// Removes one label, if it exists.
    pub fn remove(&mut self, key: &LabelKey) {
        self.0.remove(key);
    }

    /// One label's value, if it exists.
    #[must_use]
    pub fn get(&self, key: &LabelKey) -> Option<&LabelValue> {
        self.0.get(key)
    }

    /// All of them, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&LabelKey, &LabelValue)> {
        self.0.iter()
    }

    /// Their texts, by key.
    pub fn into_texts(self) -> impl Iterator<Item = (String, String)> {
        self.0.into_iter().map(|(LabelKey(key), LabelValue(value))| (key, value))
    }

    /// Whether the map is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn too_many(count: usize) -> Rule {
    Rule::coded_with(RuleCode::TooMany, format!("must be at most {} labels; these are {count}", Labels::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    fn value(raw: &str) -> LabelValue {
        LabelValue::parse_optional(raw).unwrap().unwrap()
    }

    #[test]
    fn a_key_is_a_path_of_lower_case_words() {
        for raw in ["a", "0", "cost-centre", "example.com/tier_2", &"k".repeat(63)] {
            assert_eq!(LabelKey::parse(raw).unwrap().as_str(), raw);
        }
        for raw in ["", "A", "-a", "a.", "a b", "é", "a\0b", &"k".repeat(64)] {
            assert!(LabelKey::parse(raw).is_err(), "{raw:?}");
        }
    }

    #[test]
    fn every_invalid_value_is_reported_and_invalid_keys_once_without_their_names() {
        let refused =
            Labels::parse([("b", "\0"), ("a", "\u{200B}"), ("SECRET", ""), ("MORE", ""), ("c", "")]).unwrap_err();
        let fields: Vec<_> = refused.all().iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, ["labels.a", "labels.b", "labels"]);
    }

    #[test]
    fn a_customer_has_at_most_50_labels() {
        let numbers = |count: usize| (0..count).map(|number| (format!("k{number}"), "v"));
        let mut labels = Labels::parse(numbers(50)).unwrap();
        let too_many = Rule::coded(RuleCode::TooMany, "must be at most 50 labels; these are 51");
        assert_eq!(Labels::parse(numbers(51)), Err(Violations::of("labels", too_many.clone())));

        let (old, new) = (LabelKey::parse("k7").unwrap(), LabelKey::parse("new").unwrap());
        assert_eq!(labels.set(new.clone(), LabelValue::default()), Err(too_many));
        assert_eq!(labels.set(old.clone(), value("other")), Ok(()));
        assert_eq!(labels.get(&old).unwrap().as_str(), "other");
        labels.remove(&old);
        assert_eq!(labels.set(new, LabelValue::default()), Ok(()));
        assert_eq!(labels.iter().count(), 50);
    }

    #[test]
    fn labels_are_stored_as_a_map() {
        let labels = Labels::parse([("tier", "gold"), ("beta", " "), ("alpha", "x")]).unwrap();
        let stored = serde_json::to_string(&labels).unwrap();
        assert_eq!(stored, r#"{"alpha":"x","tier":"gold"}"#, "an empty value clears");
        assert_eq!(serde_json::from_str::<Labels>(&stored).unwrap(), labels);
        assert!(!labels.is_empty() && Labels::default().is_empty());
    }

    proptest! {
        #[test]
        fn any_input_is_refused_or_kept_in_its_final_form(
            key in prop_oneof![samples::raw(), "[a-z0-9._/-]{1,64}"],
            value in samples::raw(),
        ) {
            if let Ok(labels) = Labels::parse([(&key, &value)]) {
                for (kept, value) in labels.iter() {
                    samples::assert_kept(value.as_str(), LabelValue::MAX_CHARS);
                    prop_assert!(key.len() <= LabelKey::MAX_CHARS);
                    prop_assert_eq!(kept.as_str(), &key);
                }
                let again = Labels::parse(labels.iter().map(|(key, value)| (key.as_str(), value.as_str())));
                prop_assert_eq!(again, Ok(labels));
            }
        }
    }
}
