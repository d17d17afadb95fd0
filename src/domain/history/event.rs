//! The events of a customer: which fields changed, their old and new values, and which accounts may read them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::{
    access::{member::Member, relation::Relation},
    accounts::{account::Account, branch::Branch},
    billing::payment_method::PaymentMethod,
    customers::customer::Customer,
    fields::{
        field::{Field, Readers, Shown},
        read_only::ReadOnlyField,
    },
    history::{event_type::EventType, image},
    requests::principal::Principal,
    tags::tag::Tag,
    values::{
        custom_id::CustomIds,
        ids::{AccountId, CustomerId, EventId, RequestId},
        timestamp::Timestamp,
    },
};

/// One field's old and new value; null if the field is empty. What is null is not stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// The old value.
    #[serde(rename = "old", default, skip_serializing_if = "Value::is_null")]
    pub old: Value,
    /// The new value.
    #[serde(rename = "new", default, skip_serializing_if = "Value::is_null")]
    pub new: Value,
}

/// The changed fields, by path as an update mask writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Changes(pub BTreeMap<String, Delta>);

impl Changes {
    /// The values that a new customer has.
    #[must_use]
    pub fn of_new(customer: &Customer) -> Self {
        Self::between(Map::new(), image::of(customer))
    }

    /// The differences between two states of a customer.
    #[must_use]
    pub fn of(before: &Customer, after: &Customer) -> Self {
        // Most commands change no field that clients write, and an image of all fields costs more than the rest of a command.
        let of = if before.fields == after.fields { image::without_fields } else { image::of };
        Self::between(of(before), of(after))
    }

    /// The differences between two states of a customer that moved to another account, with both owners.
    #[must_use]
    pub fn of_move(before: &Customer, after: &Customer) -> Self {
        let mut changes = Self::of(before, after);
        let [old, new] = [before, after].map(|customer| customer.owner.to_string().into());
        changes.0.insert("account_id".to_owned(), Delta { old, new });
        changes
    }

    /// The same where a payment method was added or removed.
    #[must_use]
    pub fn of_payment(
        before: &Customer,
        after: &Customer,
        (removed, added): (Option<&PaymentMethod>, Option<&PaymentMethod>),
    ) -> Self {
        let mut changes = Self::of(before, after);
        if let Some(method) = removed.or(added) {
            let image = |method: Option<&PaymentMethod>| method.map(PaymentMethod::image).unwrap_or_default();
            let delta = Delta { old: image(removed), new: image(added) };
            changes.0.insert(format!("payment_methods.{}", method.id), delta);
        }
        changes
    }

    /// The differences between two sets of custom IDs.
    #[must_use]
    pub fn of_custom_ids(before: &CustomIds, after: &CustomIds) -> Self {
        let image = |ids: &CustomIds| {
            ids.iter().map(|(system, id)| (format!("custom_ids.{}", system.as_str()), id.as_str().into())).collect()
        };
        Self::between(image(before), image(after))
    }

    /// The differences between two lists of tags, by the names that the tags had at the time.
    #[must_use]
    pub fn of_tags(before: &[Tag], after: &[Tag]) -> Self {
        let image = |tags: &[Tag]| {
            let names: Vec<&str> = tags.iter().map(|tag| tag.name.as_str()).collect();
            Map::from_iter((!names.is_empty()).then(|| ("tags".to_owned(), names.into())))
        };
        Self::between(image(before), image(after))
    }

    /// A new, renamed or deleted tag of an account's catalogue.
    #[must_use]
    pub fn of_tag(before: Option<&Tag>, after: Option<&Tag>) -> Self {
        let image = |tag: &Tag| [("tag_id", tag.id.to_string().into()), ("name", tag.name.as_str().into())];
        Self::of_entry("tag_id", before.map(image), after.map(image))
    }

    /// A new or changed branch.
    #[must_use]
    pub fn of_branch(before: Option<&Branch>, after: &Branch) -> Self {
        let image = |branch: &Branch| {
            [
                ("branch_id", branch.id.to_string().into()),
                ("name", branch.name.as_str().into()),
                ("dms_integrated", branch.dms_integrated.into()),
            ]
        };
        Self::of_entry("branch_id", before.map(image), Some(image(after)))
    }

    /// A new, changed or removed member. Its id alone is always included: what a removed one was stays here.
    #[must_use]
    pub fn of_member(before: Option<&Member>, after: Option<&Member>) -> Self {
        let image = |member: &Member| {
            [
                ("member_id", member.id.to_string().into()),
                ("issuer", member.principal.issuer().into()),
                ("subject", member.principal.subject().into()),
                ("role", member.role.as_str().into()),
                ("waiting", member.waiting.into()),
            ]
        };
        Self::of_entry("member_id", before.map(image), after.map(image))
    }

    /// A branch that was deleted.
    #[must_use]
    pub fn of_deleted_branch(branch: &Branch) -> Self {
        let deltas = Self::of_branch(None, branch).0.into_iter();
        Self(deltas.map(|(path, Delta { old, new })| (path, Delta { old: new, new: old })).collect())
    }

    /// The differences between two states of an account, by the paths of an update.
    #[must_use]
    pub fn of_account(before: &Account, after: &Account) -> Self {
        let image = |account: &Account| {
            let mut flat = Map::new();
            flat.insert("name".to_owned(), account.name.as_str().into());
            flat.insert("name_uniqueness".to_owned(), account.name_uniqueness.as_str().into());
            if let Some(Ok(own)) = account.industries.as_deref().map(serde_json::to_value) {
                flat.insert("industries".to_owned(), own);
            }
            // Policies are plain data with text keys: serializing them cannot fail.
            if let Ok(Value::Object(policies)) = serde_json::to_value(&*account.policies) {
                flat.extend(policies.into_iter().map(|(path, value)| (format!("policies.{path}"), value)));
            }
            flat
        };
        Self::between(image(before), image(after))
    }

    /// An entry of an account's list. Its id is always included, since it identifies the entry.
    pub(super) fn of_entry<const N: usize>(
        id: &str,
        before: Option<[(&str, Value); N]>,
        after: Option<[(&str, Value); N]>,
    ) -> Self {
        let image = |entry: Option<[(&str, Value); N]>| -> Map<String, Value> {
            entry.into_iter().flatten().map(|(path, value)| (path.to_owned(), value)).collect()
        };
        let [before, after] = [before, after].map(image);
        let [old, new] = [&before, &after].map(|image| image.get(id).cloned().unwrap_or_default());
        let mut changes = Self::between(before, after);
        changes.0.insert(id.to_owned(), Delta { old, new });
        changes
    }

    pub(super) fn between(mut before: Map<String, Value>, after: Map<String, Value>) -> Self {
        let mut deltas: BTreeMap<String, Delta> = BTreeMap::new();
        for (path, new) in after {
            let old = before.remove(&path).unwrap_or_default();
            deltas.insert(path, Delta { old, new });
        }
        deltas.extend(before.into_iter().map(|(path, old)| (path, Delta { old, new: Value::Null })));
        deltas.retain(|_, delta| delta.old != delta.new);
        Self(deltas)
    }

    /// Keeps the changes that an account with this relation to the customer may read.
    #[must_use]
    pub fn seen_from(mut self, relation: Relation) -> Self {
        if relation == Relation::Below {
            self.0.retain(|path, _| is_read_below(path));
        }
        self
    }
}

/// Keeps the paths of changes that an account with this relation to the customer may read.
#[must_use]
pub fn paths_seen_from(relation: Relation, mut paths: Vec<String>) -> Vec<String> {
    paths.retain(|path| relation != Relation::Below || is_read_below(path));
    paths
}

/// Whether accounts below the owner may read the field of this path. A field that the tables do not have, such as one of a
/// newer release, they may not.
fn is_read_below(path: &str) -> bool {
    let head = path.split('.').next().unwrap_or_default();
    let shown = Field::parse(head).map(Shown::from).or_else(|| ReadOnlyField::parse(head).map(Shown::from));
    shown.is_some_and(|shown| shown.readers == Readers::Below)
}

/// An event of a customer, as an account reads it.
#[derive(Clone, Debug)]
pub struct Event {
    /// The event's id.
    pub id: EventId,
    /// Its position among the customer's events.
    pub seq: i64,
    /// The customer.
    pub customer: CustomerId,
    /// The type of the event.
    pub happened: EventType,
    /// The time of the change.
    pub at: Timestamp,
    /// The principal whose rights were used; none if the account may not read it.
    pub principal: Option<Principal>,
    /// The actors for the principal, the last one first.
    pub actors: Vec<Principal>,
    /// The workload that made the call, as its connection proved it.
    pub workload: Option<String>,
    /// The account that the principal acted in.
    pub acting_account: AccountId,
    /// The RPC.
    pub rpc: String,
    /// The call's request_id.
    pub request_id: Option<RequestId>,
    /// The call's trace id.
    pub trace_id: Option<String>,
    /// The changed fields.
    pub changes: Changes,
}
