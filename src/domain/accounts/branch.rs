//! A branch: an office or site of an account, where customers are kept.

use serde::{Deserialize, Serialize};

use crate::domain::values::{ids::BranchId, key::keyed, timestamp::Timestamp};

keyed! {
    /// A branch's name: 1 to 120 printable characters, unique in its account by its folded key.
    pub struct BranchName, at most 120
}

/// One branch of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// Its id.
    #[serde(rename = "id")]
    pub id: BranchId,
    /// Its name.
    #[serde(rename = "name")]
    pub name: BranchName,
    /// Whether it works with a dealer management system.
    #[serde(rename = "dms_integrated")]
    pub dms_integrated: bool,
    /// When it was created.
    #[serde(rename = "created_at")]
    pub created_at: Timestamp,
}

/// New values of a branch's fields; those that are none stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BranchEdit {
    /// The name.
    pub name: Option<BranchName>,
    /// Whether it works with a dealer management system.
    pub dms_integrated: Option<bool>,
}

impl Branch {
    /// Branches of one account at most: the access cache keeps those with a DMS for every call.
    pub const MAX_IN_ACCOUNT: usize = 1_000;

    /// The branch with its new values.
    #[must_use]
    pub fn edited(&self, edit: BranchEdit) -> Self {
        let BranchEdit { name, dms_integrated } = edit;
        Self {
            name: name.unwrap_or_else(|| self.name.clone()),
            dms_integrated: dms_integrated.unwrap_or(self.dms_integrated),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    proptest! {
        #[test]
        fn whatever_is_sent_is_refused_or_kept_in_its_final_form(raw in samples::raw()) {
            if let Ok(name) = BranchName::parse(&raw) {
                samples::assert_kept(name.as_str(), BranchName::MAX_CHARS);
                prop_assert_eq!(BranchName::parse(name.as_str()), Ok(name.clone()));
            }
        }
    }
}
