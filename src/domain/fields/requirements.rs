//! The fields that an account's policies require of its customers.

use serde::{Deserialize, Serialize};

use crate::domain::{
    fields::{customer_fields::CustomerFields, path::FieldPath},
    values::{custom_id::CustomIds, enums::CustomerType},
};

/// The paths that must be filled in at some point of a customer's life. Stored as texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<String>", from = "Vec<String>")]
pub struct Requirements(Vec<FieldPath>);

impl From<Requirements> for Vec<String> {
    fn from(requirements: Requirements) -> Self {
        requirements.0.iter().map(ToString::to_string).collect()
    }
}

impl From<Vec<String>> for Requirements {
    /// Reads stored paths. It drops a path of a newer release, which this one cannot check.
    fn from(stored: Vec<String>) -> Self {
        Self(stored.iter().filter_map(|path| FieldPath::parse_required(path)).collect())
    }
}

impl Requirements {
    /// Most paths in one list.
    pub const MAX: usize = 50;

    /// Requires these paths; a repeated path counts once.
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

    /// The paths.
    #[must_use]
    pub fn paths(&self) -> &[FieldPath] {
        &self.0
    }

    /// The paths that are still empty. `owner_ids` are the custom IDs that the customer's owner gave it, whichever account
    /// acts.
    #[must_use]
    pub fn missing(&self, fields: &CustomerFields, owner_ids: &CustomIds) -> Vec<FieldPath> {
        self.0.iter().filter(|path| applies(path, fields) && !is_filled(path, fields, owner_ids)).cloned().collect()
    }
}

/// Whether a policy that requires this path applies to such a customer: some fields are required of businesses only.
fn applies(path: &FieldPath, fields: &CustomerFields) -> bool {
    let business_only = path.field().is_some_and(|field| field.spec().business_only);
    !business_only || fields.customer_type == CustomerType::Business
}

fn is_filled(path: &FieldPath, fields: &CustomerFields, owner_ids: &CustomIds) -> bool {
    let profile = &fields.profile;
    match path {
        FieldPath::Whole(field) => fields.is_filled(*field),
        FieldPath::AddressPart(kind, part) => profile.address(*kind).get(*part).is_some(),
        FieldPath::Label(key) => profile.labels.get(key).is_some(),
        FieldPath::PrimaryContact(part) => {
            profile.contacts.primary().is_some_and(|contact| contact.get(*part).is_some())
        }
        FieldPath::CustomId(system) => owner_ids.contains_key(system),
    }
}
