//! Fields of a stored JSON object that this release does not know: a newer one wrote them.
//!
//! Rule for every document that is stored: fields are only added, and a field keeps its name, its type and its meaning. Numbers
//! are integers of at most 64 bits; any other number is a text. So an older release reads what a newer one wrote, and writes back
//! the fields that it does not know.

use std::hash::{Hash, Hasher};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// The fields of one object beside those that its type names: `#[serde(flatten)]` collects them.
///
/// Clients neither see nor change them, so all values are equal: comparing two objects compares the fields that are known.
#[derive(Clone, Debug, Default)]
pub struct UnknownFields(
    // Boxed: nearly always there are none, and a customer holds a dozen of these.
    Option<Box<Map<String, Value>>>,
);

impl UnknownFields {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Serialize for UnknownFields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(fields) => fields.serialize(serializer),
            None => Map::new().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for UnknownFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Map::deserialize(deserializer)?;
        Ok(Self((!fields.is_empty()).then(|| Box::new(fields))))
    }
}

impl PartialEq for UnknownFields {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for UnknownFields {}

impl Hash for UnknownFields {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Known {
        name: String,
        #[serde(flatten)]
        unknown: UnknownFields,
    }

    #[test]
    fn unknown_fields_are_written_back_and_do_not_count_in_comparisons() {
        let stored = json!({
            "name": "Ada", "since": {"year": 2031, "exact": null}, "ratios": ["0.1", -9_223_372_036_854_775_808_i64, u64::MAX]
        });
        let read: Known = serde_json::from_value(stored.clone()).unwrap();
        assert!(!read.unknown.is_empty());
        assert_eq!(serde_json::to_value(&read).unwrap(), stored);
        assert_eq!(read, Known { name: "Ada".to_owned(), unknown: UnknownFields::default() });
    }
}
