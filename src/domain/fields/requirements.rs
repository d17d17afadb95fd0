//! What an account's policies require of a customer's fields.

use serde::{Deserialize, Serialize};

use crate::domain::{
    fields::{customer_fields::CustomerFields, field::FieldPath},
    values::custom_id::CustomIds,
};

/// What must be filled in at some point of a customer's life. Stored as the texts of its paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<String>", from = "Vec<String>")]
pub struct Requirements(Vec<FieldPath>);

impl From<Requirements> for Vec<String> {
    fn from(requirements: Requirements) -> Self {
        requirements.0.iter().map(ToString::to_string).collect()
    }
}

impl From<Vec<String>> for Requirements {
    /// Reads what was stored. A path that this server does not know, of a newer one, it cannot ask for.
    fn from(stored: Vec<String>) -> Self {
        Self(stored.iter().filter_map(|path| FieldPath::parse_required(path)).collect())
    }
}

impl Requirements {
    /// Most paths in one list.
    pub const MAX: usize = 50;

    /// Requirements of these fields; one that is named again counts once.
    #[must_use]
    pub fn new(paths: Vec<FieldPath>) -> Self {
        let mut kept: Vec<FieldPath> = Vec::with_capacity(paths.len());
        for path in paths {
            if !kept.contains(&path) {
                kept.push(path);
            }
        }
        Self(kept)
    }

    /// The fields.
    #[must_use]
    pub fn paths(&self) -> &[FieldPath] {
        &self.0
    }

    /// What is still empty. `owner_ids` are the custom IDs of the customer's owner, whoever acts. Tax and registration
    /// numbers bind companies alone.
    #[must_use]
    pub fn missing(&self, fields: &CustomerFields, owner_ids: &CustomIds) -> Vec<FieldPath> {
        self.0.iter().filter(|path| path.binds(fields) && !path.is_filled(fields, owner_ids)).cloned().collect()
    }
}
