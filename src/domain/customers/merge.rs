//! Merging: several customers of one account become one, which keeps its id. What blocks it, and the fields of the one that stays.

use std::collections::BTreeMap;

use strum::VariantArray as _;

use crate::domain::{
    customers::{customer::Customer, merge_blocker::MergeBlocker, status::Status},
    fields::{customer_fields::CustomerFields, field::Field},
    values::{contact::Contact, contacts::Contacts, ids::CustomerId, label::Labels},
};

/// Most customers that one call merges into another one.
pub const MAX_MERGED: usize = 20;
/// Most fields that one call chooses.
pub const MAX_CHOICES: usize = 50;
/// Most customers that are merged into one altogether: erasing it erases them in one transaction.
pub const MAX_SOURCES: usize = 200;
/// Most links of accounts that one call unites.
pub const MAX_LINKS: usize = 2_000;
/// A merge can be undone within this many days.
pub const UNDONE_DAYS: i64 = 30;

/// The fields that undoing a merge gives the one that stayed: as before it, where the merge changed them and nobody has since. And
/// those that the merge changed and somebody changed after it, which keep their values.
#[must_use]
pub fn undo(
    now: &CustomerFields,
    before: &CustomerFields,
    after: &CustomerFields,
) -> (CustomerFields, Vec<&'static str>) {
    let (mut fields, mut changed_since) = (now.clone(), Vec::new());
    for field in Field::VARIANTS.iter().filter(|field| !before.agrees(**field, after)) {
        if now.agrees(*field, after) {
            fields.take(*field, before);
        } else if !now.agrees(*field, before) {
            changed_since.push(field.name());
        }
    }
    (fields, changed_since)
}

impl Customer {
    /// What keeps it from being merged with customers of this owner. One that stays may be a reseller.
    #[must_use]
    pub fn merge_blockers(&self, survivor: &Self) -> Vec<MergeBlocker> {
        let found = [
            (matches!(self.status, Status::Merged { .. }), MergeBlocker::Merged),
            (self.status == Status::Erased, MergeBlocker::Erased),
            (!self.holds.is_empty(), MergeBlocker::Hold),
            (self.owner != survivor.owner, MergeBlocker::OtherOwner),
            (self.id != survivor.id && self.migrated().is_some(), MergeBlocker::Reseller),
        ];
        found.into_iter().filter_map(|(there, blocker)| there.then_some(blocker)).collect()
    }

    /// Whether merging it with another one is possible as far as it alone decides.
    #[must_use]
    pub fn may_merge(&self) -> bool {
        self.merge_blockers(self).is_empty()
    }

    /// Makes it one that was merged into another. What must be unique, and what its owner must be able to delete, goes; what it has
    /// active is the other one's.
    pub fn become_merged(&mut self, into: CustomerId) {
        self.status = Status::Merged { into };
        self.fields.order_reference = None;
        self.fields.references = Default::default();
        self.billing.features.clear();
    }
}

/// The fields of the one that stays: its own, those that are blank from the first of the others that has them; contacts and labels
/// of all. A choice names the customer whose value a field gets instead, be it blank.
#[must_use]
pub fn unite(
    survivor: &Customer,
    others: &[&Customer],
    choices: &BTreeMap<Field, CustomerId>,
) -> (CustomerFields, Vec<MergeBlocker>) {
    let mut fields = survivor.fields.clone();
    let mut blockers = Vec::new();
    for field in Field::VARIANTS {
        let chosen = choices.get(field).and_then(|id| others.iter().find(|other| other.id == *id));
        match (field, chosen) {
            (_, Some(other)) => fields.take(*field, &other.fields),
            // The survivor's own, by choice.
            _ if choices.contains_key(field) => {}
            (Field::Contacts, None) => match united_contacts(survivor, others) {
                Some(contacts) => fields.profile.contacts = contacts,
                None => blockers.push(MergeBlocker::TooManyContacts),
            },
            (Field::Labels, None) => match united_labels(survivor, others) {
                Some(labels) => fields.profile.labels = labels,
                None => blockers.push(MergeBlocker::TooManyLabels),
            },
            _ if fields.is_filled(*field) => {}
            _ => {
                if let Some(other) = others.iter().find(|other| other.fields.is_filled(*field)) {
                    fields.take(*field, &other.fields);
                }
            }
        }
    }
    (fields, blockers)
}

/// The contacts of all, each once, one of them primary: the survivor's, else the first other one. None if they are too many.
fn united_contacts(survivor: &Customer, others: &[&Customer]) -> Option<Contacts> {
    let mut all: Vec<Contact> = survivor.fields.profile.contacts.as_slice().to_vec();
    for other in others {
        for contact in other.fields.profile.contacts.as_slice() {
            let same = |known: &Contact| {
                *known == Contact { contact_id: known.contact_id, primary: known.primary, ..contact.clone() }
            };
            if !all.iter().any(same) {
                let primary = contact.primary && !all.iter().any(|known| known.primary);
                all.push(Contact { primary, ..contact.clone() });
            }
        }
    }
    Contacts::check_count(all.len()).ok()?;
    Some(Contacts::stored(all))
}

/// The labels of all; of two with one key, the first. None if they are too many.
fn united_labels(survivor: &Customer, others: &[&Customer]) -> Option<Labels> {
    let mut all = survivor.fields.profile.labels.clone();
    for other in others {
        for (key, value) in other.fields.profile.labels.iter() {
            if all.get(key).is_none() {
                all.set(key.clone(), value.clone()).ok()?;
            }
        }
    }
    Some(all)
}
