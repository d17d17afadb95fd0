//! The tenant's catalogue of features: what customers can have, and which of it costs something.

use serde::{Deserialize, Serialize};

use crate::domain::values::{enums::ServiceClass, text::Text, timestamp::Timestamp, violation::Rule};

/// What people call a feature: 1 to 120 printable characters.
pub type FeatureName = Text<120>;

/// A feature's code: 1 to 63 of `a-z`, `0-9`, `_` and `-`, a letter or digit first and last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FeatureCode(String);

impl FeatureCode {
    /// The most characters that it has.
    pub const MAX_CHARS: usize = 63;

    /// Parses what a client sent; nothing is trimmed or folded.
    ///
    /// # Errors
    /// Anything but `[a-z0-9]([a-z0-9_-]*[a-z0-9])?` of at most 63 characters.
    pub fn parse(raw: &str) -> Result<Self, Rule> {
        let edge = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'));
        let bytes = raw.as_bytes();
        let fits = bytes.len() <= Self::MAX_CHARS
            && edge(bytes.first())
            && edge(bytes.last())
            && bytes.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
        if fits {
            Ok(Self(raw.to_owned()))
        } else {
            Err(Rule::new("must be a code of 1 to 63 of a-z, 0-9, '_' and '-', a letter or digit first and last"))
        }
    }

    /// A code that the database kept.
    #[must_use]
    pub fn stored(code: String) -> Self {
        Self(code)
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The service classes whose customers can have a feature. Never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServiceClasses(Vec<ServiceClass>);

impl ServiceClasses {
    /// These classes, each once.
    ///
    /// # Errors
    /// There is none.
    pub fn new(classes: impl IntoIterator<Item = ServiceClass>) -> Result<Self, Rule> {
        let classes: Vec<ServiceClass> = classes.into_iter().collect();
        let known: Vec<ServiceClass> =
            ServiceClass::KNOWN.iter().copied().filter(|class| classes.contains(class)).collect();
        if known.is_empty() {
            return Err(Rule::new("must name SERVICE_CLASS_NORMAL, SERVICE_CLASS_RESIDENTIAL or both"));
        }
        Ok(Self(known))
    }

    /// Classes that the database kept, those of a newer release as `Unknown`.
    #[must_use]
    pub fn stored(words: &[String]) -> Self {
        Self(words.iter().map(|word| ServiceClass::stored(word)).collect())
    }

    /// Whether this class is among them.
    #[must_use]
    pub fn contains(&self, class: ServiceClass) -> bool {
        self.0.contains(&class)
    }

    /// The classes, in the contract's order.
    #[must_use]
    pub fn as_slice(&self) -> &[ServiceClass] {
        &self.0
    }
}

/// One feature of a tenant's catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feature {
    /// Its code. It never changes.
    #[serde(rename = "code")]
    pub code: FeatureCode,
    /// What people call it.
    #[serde(rename = "name")]
    pub name: FeatureName,
    /// Whether an active one costs what the customer's plan says.
    #[serde(rename = "chargeable")]
    pub chargeable: bool,
    /// Whose customers can have it.
    #[serde(rename = "service_classes")]
    pub service_classes: ServiceClasses,
    /// Whether it is not activated any more.
    #[serde(rename = "retired")]
    pub retired: bool,
    /// When it was created.
    #[serde(rename = "created_at")]
    pub created_at: Timestamp,
}

/// New values of a feature; those that are none stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeatureEdit {
    /// The name.
    pub name: Option<FeatureName>,
    /// Whether it is chargeable.
    pub chargeable: Option<bool>,
    /// The service classes.
    pub service_classes: Option<ServiceClasses>,
    /// Whether it is retired.
    pub retired: Option<bool>,
}

impl Feature {
    /// The most features of one tenant, retired ones too.
    pub const MAX_IN_TENANT: usize = 1_000;

    /// The feature with its new values.
    #[must_use]
    pub fn edited(&self, edit: FeatureEdit) -> Self {
        Self {
            name: edit.name.unwrap_or_else(|| self.name.clone()),
            chargeable: edit.chargeable.unwrap_or(self.chargeable),
            service_classes: edit.service_classes.unwrap_or_else(|| self.service_classes.clone()),
            retired: edit.retired.unwrap_or(self.retired),
            ..self.clone()
        }
    }

    /// The service classes whose customers may not have the feature active for this change to be allowed: all if it becomes
    /// chargeable or free, else those that it leaves.
    #[must_use]
    pub fn classes_in_the_way(&self, after: &Self) -> Vec<ServiceClass> {
        let chargeable = self.chargeable != after.chargeable;
        let before = self.service_classes.as_slice().iter().copied();
        before.filter(|class| chargeable || !after.service_classes.contains(*class)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_lower_case_letters_digits_and_inner_signs() {
        for code in ["voicemail", "call_recording", "sip-trunk-10", "5g", "a"] {
            assert_eq!(FeatureCode::parse(code).unwrap().as_str(), code);
        }
        let long = "a".repeat(64);
        for code in ["", "Voicemail", "a.b", "-a", "a_", "a b", "é", "a/b", long.as_str()] {
            assert!(FeatureCode::parse(code).is_err(), "{code}");
        }
    }

    #[test]
    fn classes_count_once_and_at_least_one_is_named() {
        let both =
            ServiceClasses::new([ServiceClass::Residential, ServiceClass::Normal, ServiceClass::Normal]).unwrap();
        assert_eq!(both.as_slice(), ServiceClass::KNOWN);
        assert!(ServiceClasses::new([]).is_err());
        assert!(ServiceClasses::new([ServiceClass::Unknown]).is_err());
    }
}
