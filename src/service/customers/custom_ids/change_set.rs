//! Decides what a command on custom IDs changes: no waiting, no SQL.

use super::attempt::{Attempt, CustomIdEdit};
use crate::{
    domain::{
        customers::{
            command::DecisionInputs,
            custom_id_change::{CustomIdChange, must_keep_required},
            customer::{Change, Customer, Stamp},
        },
        history::event_type::EventType,
        refusal::Refusal,
        values::{custom_id::CustomIds, timestamp::Timestamp},
    },
    error::{Error, Result},
    store::customers::CustomerRecord,
};

/// The changes to write.
pub(super) struct CustomIdChangeSet {
    /// The customer with its new fields, if they change.
    pub(super) customer: Option<(Customer, EventType)>,
    /// The custom IDs, if they change.
    pub(super) ids: Option<(CustomIdChange, CustomIds)>,
}

impl Attempt<'_> {
    /// The change of the custom IDs that the customer has now.
    ///
    /// # Errors
    /// `CustomerNotFound` if the customer no longer has the custom ID by which it was found.
    pub(super) fn change_of(&self, record: &CustomerRecord) -> Result<CustomIdChange> {
        let now = &record.link.custom_ids;
        match self.ids {
            CustomIdEdit::Change(change) => Ok(change.clone()),
            CustomIdEdit::Put { ids, found_by: None } => Ok(CustomIdChange::towards(ids, now)),
            CustomIdEdit::Put { ids, found_by: Some((system, id)) } => {
                let current = now.get(system).filter(|now| now.key() == id.key());
                let current = current.ok_or(Error::CustomerNotFound { at: None })?;
                let mut ids = ids.clone();
                ids.insert(system.clone(), current.clone());
                Ok(CustomIdChange::towards(&ids, now))
            }
        }
    }

    /// The custom IDs that the command would set.
    pub(super) fn ids_to_set(&self) -> CustomIds {
        match self.ids {
            CustomIdEdit::Change(change) => {
                change.iter().filter_map(|(system, id)| Some((system.clone(), id?.clone()))).collect()
            }
            CustomIdEdit::Put { ids, .. } => ids.clone(),
        }
    }
}

/// The domain's decision on fields and custom IDs.
pub(super) fn change_set(
    attempt: &Attempt<'_>,
    record: &CustomerRecord,
    change: CustomIdChange,
    at: Timestamp,
) -> Result<CustomIdChangeSet, Refusal> {
    let ids = change.decide(&record.link.custom_ids)?;
    let own = record.customer.owner == attempt.caller.scope().root();
    let owner_ids = ids.as_ref().filter(|_| own).unwrap_or(&record.owner_ids);
    let (policies, terms) = (&*record.policies, &record.terms);
    let inputs = DecisionInputs { policies, owner_ids, acting: attempt.caller.account(), terms };
    let mut after = record.customer.clone();
    let decision = match attempt.fields {
        Some(fields) => fields.decide(&mut after, inputs, at)?,
        None => Change::AlreadyMade,
    };
    must_keep_required(&record.policies, &after.fields, &record.owner_ids, owner_ids)?;
    let customer = match decision {
        Change::AlreadyMade => None,
        Change::Made(event_type) => {
            after.revision += 1;
            after.updated = Stamp { at, by: attempt.caller.author().principal.clone() };
            Some((after, event_type))
        }
    };
    Ok(CustomIdChangeSet { customer, ids: ids.map(|ids| (change, ids)) })
}
