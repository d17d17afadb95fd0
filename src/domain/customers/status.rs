//! A customer's status.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::values::{enums::UNKNOWN, ids::CustomerId, status_reason::StatusReason};

/// A customer's status. Being archived is a time stamp beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Waits to be approved or rejected.
    Pending,
    /// Approved.
    Active,
    /// Rejected; it can still be approved.
    Rejected {
        /// Why.
        reason: StatusReason,
    },
    /// Was ACTIVE, and can be again.
    Suspended {
        /// Why.
        reason: StatusReason,
    },
    /// Merged into another customer.
    Merged {
        /// That customer, which is not merged itself.
        into: CustomerId,
    },
    /// Its personal data is gone. Final.
    Erased,
    /// A status of a newer release.
    Unknown,
}

impl Status {
    /// The words that this release knows.
    pub const WORDS: [&'static str; 6] = ["PENDING", "ACTIVE", "REJECTED", "SUSPENDED", "MERGED", "ERASED"];
    /// Those of customers that searches show unless a status is asked for.
    pub const LIVING: [&'static str; 4] = ["PENDING", "ACTIVE", "REJECTED", "SUSPENDED"];

    /// The status of a stored word, with its reason and the customer that it was merged into.
    #[must_use]
    pub fn stored(word: &str, reason: Option<String>, merged_into: Option<CustomerId>) -> Self {
        match (word, reason.map(StatusReason::stored), merged_into) {
            ("PENDING", None, None) => Self::Pending,
            ("ACTIVE", None, None) => Self::Active,
            ("REJECTED", Some(reason), None) => Self::Rejected { reason },
            ("SUSPENDED", Some(reason), None) => Self::Suspended { reason },
            ("MERGED", None, Some(into)) => Self::Merged { into },
            ("ERASED", None, None) => Self::Erased,
            _ => Self::Unknown,
        }
    }

    /// The word that is stored.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Active => "ACTIVE",
            Self::Rejected { .. } => "REJECTED",
            Self::Suspended { .. } => "SUSPENDED",
            Self::Merged { .. } => "MERGED",
            Self::Erased => "ERASED",
            Self::Unknown => UNKNOWN,
        }
    }

    /// The reason, where one is kept.
    #[must_use]
    pub fn reason(&self) -> Option<&StatusReason> {
        match self {
            Self::Rejected { reason } | Self::Suspended { reason } => Some(reason),
            Self::Pending | Self::Active | Self::Merged { .. } | Self::Erased | Self::Unknown => None,
        }
    }

    /// The customer that it was merged into.
    #[must_use]
    pub fn merged_into(&self) -> Option<CustomerId> {
        if let Self::Merged { into } = self { Some(*into) } else { None }
    }
}

/// A status as stored answers hold it.
#[derive(Serialize, Deserialize)]
struct StoredStatus<'a> {
    #[serde(rename = "name")]
    name: Cow<'a, str>,
    #[serde(rename = "reason", default, skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    #[serde(rename = "merged_into", default, skip_serializing_if = "Option::is_none")]
    merged_into: Option<CustomerId>,
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reason = self.reason().map(|reason| reason.as_str().into());
        StoredStatus { name: self.as_str().into(), reason, merged_into: self.merged_into() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let StoredStatus { name, reason, merged_into } = StoredStatus::deserialize(deserializer)?;
        Ok(Self::stored(&name, reason.map(Cow::into_owned), merged_into))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_comes_back_and_any_other_is_unknown() {
        for word in Status::WORDS {
            let reason = ["REJECTED", "SUSPENDED"].contains(&word).then(|| "unpaid".to_owned());
            let into = (word == "MERGED").then(|| CustomerId::from_uuid(crate::domain::samples::id(7)));
            let status = Status::stored(word, reason.clone(), into);
            assert_eq!(status.merged_into(), into);
            assert_eq!((status.as_str(), status.reason().map(StatusReason::as_str)), (word, reason.as_deref()));
            assert_eq!(serde_json::from_str::<Status>(&serde_json::to_string(&status).unwrap()).unwrap(), status);
        }
        for (word, reason) in [
            ("ON_TRIAL", None),
            ("ON_TRIAL", Some("new")),
            ("ACTIVE", Some("new")),
            ("REJECTED", None),
            ("MERGED", None),
            ("ERASED", Some("new")),
        ] {
            assert_eq!(Status::stored(word, reason.map(ToOwned::to_owned), None), Status::Unknown, "{word} {reason:?}");
        }
    }
}
