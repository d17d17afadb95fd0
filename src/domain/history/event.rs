//! What an event tells: which fields changed, from what to what, and who may see which.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::{
    access::relation::Relation,
    accounts::branch::Branch,
    customers::customer::Customer,
    history::event_type::EventType,
    requests::principal::Principal,
    tags::tag::Tag,
    values::{
        custom_id::CustomIds,
        ids::{AccountId, CustomerId, EventId, RequestId},
        timestamp::Timestamp,
    },
};

/// One field's old and new value; null is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// The old value.
    #[serde(rename = "old", default)]
    pub old: Value,
    /// The new value.
    #[serde(rename = "new", default)]
    pub new: Value,
}

/// The fields that changed, by path as an update mask writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Changes(pub BTreeMap<String, Delta>);

/// Fields whose parts are told one by one.
const BY_PART: [&str; 4] = ["primary_address", "billing_address", "shipping_address", "labels"];

/// What an account below the owner of a FLEET customer may read of it, and so what changes it is told of (DESIGN 1).
const SEEN_FROM_BELOW: [&str; 18] = [
    "account_id",
    "type",
    "service_class",
    "reach",
    "name",
    "legal_name",
    "registration_number",
    "tax_ids",
    "primary_address",
    "shipping_address",
    "contacts",
    "email",
    "phone",
    "fax",
    "status",
    "archived_at",
    // Only ever the account's own: the events of other accounts' links have another audience.
    "custom_ids",
    "tags",
];

impl Changes {
    /// What a new customer starts with.
    #[must_use]
    pub fn of_new(customer: &Customer) -> Self {
        Self::between(Map::new(), image(customer))
    }

    /// What differs between two states of a customer.
    #[must_use]
    pub fn of(before: &Customer, after: &Customer) -> Self {
        Self::between(image(before), image(after))
    }

    /// What differs between a customer and the same after it went to another account: from and to, too.
    #[must_use]
    pub fn of_move(before: &Customer, after: &Customer) -> Self {
        let mut changes = Self::of(before, after);
        let [old, new] = [before, after].map(|customer| customer.owner.to_string().into());
        changes.0.insert("account_id".to_owned(), Delta { old, new });
        changes
    }

    /// What differs between two sets of custom IDs.
    #[must_use]
    pub fn of_custom_ids(before: &CustomIds, after: &CustomIds) -> Self {
        let image = |ids: &CustomIds| {
            ids.iter().map(|(system, id)| (format!("custom_ids.{}", system.as_str()), id.as_str().into())).collect()
        };
        Self::between(image(before), image(after))
    }

    /// What differs between two sets of tags: the names as they were called then.
    #[must_use]
    pub fn of_tags(before: &[Tag], after: &[Tag]) -> Self {
        let image = |tags: &[Tag]| {
            let names: Vec<&str> = tags.iter().map(|tag| tag.name.as_str()).collect();
            Map::from_iter((!names.is_empty()).then(|| ("tags".to_owned(), names.into())))
        };
        Self::between(image(before), image(after))
    }

    /// A tag of a catalogue that is new, renamed or deleted.
    #[must_use]
    pub fn of_tag(before: Option<&Tag>, after: Option<&Tag>) -> Self {
        let image = |tag: &Tag| [("tag_id", tag.id.to_string().into()), ("name", tag.name.as_str().into())];
        Self::of_entry("tag_id", before.map(image), after.map(image))
    }

    /// A branch that is new or changed.
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

    /// An entry of an account's list. Its id is told even where it stays: it says which entry.
    fn of_entry<const N: usize>(
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

    fn between(mut before: Map<String, Value>, after: Map<String, Value>) -> Self {
        let mut deltas: BTreeMap<String, Delta> = BTreeMap::new();
        for (path, new) in after {
            let old = before.remove(&path).unwrap_or_default();
            deltas.insert(path, Delta { old, new });
        }
        deltas.extend(before.into_iter().map(|(path, old)| (path, Delta { old, new: Value::Null })));
        deltas.retain(|_, delta| delta.old != delta.new);
        Self(deltas)
    }

    /// What of it an account may be told that stands so to the customer.
    #[must_use]
    pub fn seen_from(mut self, relation: Relation) -> Self {
        if relation == Relation::Below {
            self.0.retain(|path, _| SEEN_FROM_BELOW.contains(&path.split('.').next().unwrap_or_default()));
        }
        self
    }
}

/// A customer as a flat map from path to value. Empty fields are not in it.
fn image(customer: &Customer) -> Map<String, Value> {
    let mut flat = Map::new();
    let mut known = Cow::Borrowed(&customer.fields);
    if known.profile.has_unknown() {
        // Who may see a field of a newer release, this one does not know.
        known.to_mut().profile.drop_unknown();
    }
    // CustomerFields are plain data with text keys: serializing them cannot fail.
    let Ok(Value::Object(fields)) = serde_json::to_value(&*known) else { return flat };
    for (field, value) in fields {
        match value {
            Value::Object(parts) if BY_PART.contains(&field.as_str()) => {
                flat.extend(parts.into_iter().map(|(part, value)| (format!("{field}.{part}"), value)));
            }
            value => _ = flat.insert(field, value),
        }
    }
    flat.insert("status".to_owned(), customer.status.as_str().into());
    if let Some(reason) = customer.status.reason() {
        flat.insert("status_reason".to_owned(), reason.as_str().into());
    }
    for hold in &customer.holds {
        let told = serde_json::json!({"kind": hold.kind.as_str(), "reason": hold.reason.as_str()});
        flat.insert(format!("holds.{}", hold.hold_id), told);
    }
    if let Some(at) = customer.archived_at {
        flat.insert("archived_at".to_owned(), at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true).into());
    }
    flat
}

/// One thing that happened to a customer, as it is told.
#[derive(Clone, Debug)]
pub struct Event {
    /// The event's id.
    pub id: EventId,
    /// Its place among the customer's events.
    pub seq: i64,
    /// The customer.
    pub customer: CustomerId,
    /// What happened.
    pub happened: EventType,
    /// When.
    pub at: Timestamp,
    /// With whose rights; none if that is not the reader's business.
    pub principal: Option<Principal>,
    /// Who acted for the principal, the last one first.
    pub actors: Vec<Principal>,
    /// The workload that made the call: what its connection proved.
    pub workload: Option<String>,
    /// In which account.
    pub acting_account: AccountId,
    /// By which RPC.
    pub rpc: String,
    /// The call's request_id.
    pub request_id: Option<RequestId>,
    /// The call's trace id.
    pub trace_id: Option<String>,
    /// What changed.
    pub changes: Changes,
}
