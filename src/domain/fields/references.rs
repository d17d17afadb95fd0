//! The references of a customer: the ids of things that its owner has, such as a branch or the member who is its sales
//! person. They are kept by field, so that everything that concerns all of them is written once: the store refuses an id
//! of another account, a change of owner clears them, and a reverted migration restores those that are still there.

use std::{collections::BTreeMap, fmt, sync::LazyLock};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use strum::VariantArray as _;
use uuid::Uuid;

use crate::domain::{
    fields::field::Field,
    values::{
        ids::BranchId,
        violation::{Rule, Violations},
    },
};

/// Ids by field. An empty field is not in it. Serialized as an object of the fields' names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References(BTreeMap<Field, Uuid>);

impl References {
    /// The id in a field.
    #[must_use]
    pub fn get(&self, field: Field) -> Option<Uuid> {
        self.0.get(&field).copied()
    }

    /// Sets or clears a field. One that is no reference in the table of fields stays empty.
    pub fn set(&mut self, field: Field, id: Option<Uuid>) {
        match id.filter(|_| field.spec().reference.is_some()) {
            Some(id) => _ = self.0.insert(field, id),
            None => _ = self.0.remove(&field),
        }
    }

    /// The branch.
    #[must_use]
    pub fn branch(&self) -> Option<BranchId> {
        self.get(Field::BranchId).map(BranchId::from_uuid)
    }

    /// The fields that are set, in the contract's order.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        self.0.keys().copied()
    }
}

/// Refuses references whose id names something that the owner does not have.
///
/// # Errors
/// The violation of each of these fields.
pub fn refuse_foreign(foreign: &[Field]) -> Result<(), Violations> {
    let mut violations = Violations::default();
    for spec in foreign.iter().map(|field| field.spec()) {
        if let Some(rule) = spec.reference {
            violations.push(format!("customer.{}", spec.name), Rule::new(rule));
        }
    }
    violations.finish(Some(()))
}

impl FromIterator<(Field, Option<Uuid>)> for References {
    fn from_iter<I: IntoIterator<Item = (Field, Option<Uuid>)>>(ids: I) -> Self {
        let mut references = Self::default();
        for (field, id) in ids {
            references.set(field, id);
        }
        references
    }
}

impl Serialize for References {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(field, id)| (field.name(), id)))
    }
}

/// The names of all references.
static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    Field::VARIANTS
        .iter()
        .map(|field| field.spec())
        .filter(|spec| spec.reference.is_some())
        .map(|spec| spec.name)
        .collect()
});

impl<'de> Deserialize<'de> for References {
    /// As a struct with these members: flattened into an object, it takes them and leaves the object's others.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("References", &NAMES, Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = References;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object of ids by the names of their fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<References, A::Error> {
        let mut references = References::default();
        while let Some(name) = members.next_key::<String>()? {
            match Field::parse(&name) {
                Some(field) => references.set(field, members.next_value()?),
                None => _ = members.next_value::<IgnoredAny>()?,
            }
        }
        Ok(references)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Document {
        at: u8,
        #[serde(flatten)]
        references: References,
        #[serde(flatten)]
        others: serde_json::Map<String, serde_json::Value>,
    }

    #[test]
    fn references_are_stored_under_the_names_of_their_fields_and_leave_other_members_alone() {
        let stored = json!({"at": 1, "branch_id": ID, "sales_person_id": ID, "name": "Ada", "rate_plan": [1]});
        let document: Document = serde_json::from_value(stored.clone()).unwrap();
        let id = Uuid::try_parse(ID).ok();
        assert_eq!(document.references, [(Field::SalesPersonId, id), (Field::BranchId, id)].into_iter().collect());
        assert_eq!(document.others.keys().collect::<Vec<_>>(), ["name", "rate_plan"]);
        assert_eq!(serde_json::to_value(document).unwrap(), stored);
    }

    #[test]
    fn an_empty_reference_and_a_field_that_is_none_are_left_out() {
        let references: References = serde_json::from_value(json!({"branch_id": null, "later": 1})).unwrap();
        assert_eq!(references, References::default());
        let name = [(Field::Name, Uuid::try_parse(ID).ok())].into_iter().collect::<References>();
        assert_eq!(serde_json::to_value(name).unwrap(), json!({}));
    }

    #[test]
    fn a_reference_is_set_and_cleared_by_its_field() {
        let id = Uuid::try_parse(ID).ok();
        let mut references = References::default();
        references.set(Field::BranchId, id);
        assert_eq!(references.branch().map(BranchId::get), id);
        assert_eq!(references.fields().collect::<Vec<_>>(), [Field::BranchId]);
        references.set(Field::BranchId, None);
        assert_eq!(references, References::default());
    }
}
