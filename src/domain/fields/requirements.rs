//! The fields that an account's policies require of its customers.

use serde::{Deserialize, Serialize};

use crate::domain::{
    fields::{customer_fields::CustomerFields, path::FieldPath},
    reference::postal_codes::{self, Usage},
    search::places::country_code,
    values::{address::AddressPart, custom_id::CustomIds, enums::CustomerType},
};

/// The paths that must be filled in at some point of a customer's life. Stored as texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<String>", from = "Vec<String>")]
pub struct Requirements(Vec<Requirement>);

/// One required field.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    Known(FieldPath),
    /// The path of a newer release, as it is stored.
    Newer(String),
}

impl From<Requirements> for Vec<String> {
    fn from(requirements: Requirements) -> Self {
        requirements.paths()
    }
}

impl From<Vec<String>> for Requirements {
    fn from(stored: Vec<String>) -> Self {
        let read = |path: String| match FieldPath::parse_required(&path) {
            Some(path) => Requirement::Known(path),
            None => Requirement::Newer(path),
        };
        Self(stored.into_iter().map(read).collect())
    }
}

impl Requirements {
    /// Most paths in one list.
    pub const MAX: usize = 50;

    /// Requires these paths; a repeated path counts once.
    #[must_use]
    pub fn new(paths: Vec<FieldPath>) -> Self {
        let mut kept: Vec<Requirement> = Vec::with_capacity(paths.len());
        for path in paths.into_iter().map(Requirement::Known) {
            if !kept.contains(&path) {
                kept.push(path);
            }
        }
        Self(kept)
    }

    /// The paths as they are stored and shown, those of a newer release too.
    #[must_use]
    pub fn paths(&self) -> Vec<String> {
        let text = |requirement: &Requirement| match requirement {
            Requirement::Known(path) => path.to_string(),
            Requirement::Newer(path) => path.clone(),
        };
        self.0.iter().map(text).collect()
    }

    /// Whether this release knows every path. If not, it cannot say that nothing is missing.
    #[must_use]
    pub fn are_known(&self) -> bool {
        self.0.iter().all(|requirement| matches!(requirement, Requirement::Known(_)))
    }

    /// The rate plan and the credit limit, if they are required and the customer has none.
    #[must_use]
    pub fn missing_terms(&self, (has_plan, has_limit): (bool, bool)) -> Vec<FieldPath> {
        let missing = [(FieldPath::RatePlan, has_plan), (FieldPath::CreditLimit, has_limit)];
        let missing = missing.into_iter().filter(|(_, has)| !has).map(|(path, _)| path);
        missing.filter(|path| self.0.contains(&Requirement::Known(path.clone()))).collect()
    }

    /// The paths that are still empty, among those that this release knows; [`Requirements::missing_terms`] has those of billing.
    /// `owner_ids` are the custom IDs that the customer's
    /// owner gave it, whichever account acts.
    #[must_use]
    pub fn missing(&self, fields: &CustomerFields, owner_ids: &CustomIds) -> Vec<FieldPath> {
        let missing = |requirement: &Requirement| match requirement {
            Requirement::Known(path) if applies(path, fields) && !is_filled(path, fields, owner_ids) => {
                Some(path.clone())
            }
            Requirement::Known(_) | Requirement::Newer(_) => None,
        };
        self.0.iter().filter_map(missing).collect()
    }
}

/// Whether a policy that requires this path applies to such a customer: some fields are required of businesses only, and a postal
/// code only in a country that has them and whose people know theirs.
fn applies(path: &FieldPath, fields: &CustomerFields) -> bool {
    if let FieldPath::AddressPart(kind, AddressPart::PostalCode) = path {
        let country = fields.profile.address(*kind).get(AddressPart::Country).and_then(country_code);
        return country.is_none_or(|country| postal_codes::usage(country) == Usage::Used);
    }
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
        // They are no fields: `missing_terms` decides.
        FieldPath::RatePlan | FieldPath::CreditLimit => true,
    }
}
