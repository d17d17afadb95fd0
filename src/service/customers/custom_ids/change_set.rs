//! What a command on custom IDs comes to: no waiting, no SQL.

use super::Attempt;
use crate::{
    domain::{
        customers::{
            command::DecisionInputs,
            custom_id_change::{CustomIdChange, must_keep_required},
            customer::{Change, Customer, Stamp},
        },
        history::event_type::EventType,
        refusal::Refusal,
        values::{
            custom_id::{CustomId, CustomIds, System},
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    store::customers::CustomerRecord,
};

/// What is to become of the custom IDs.
#[derive(Clone, Copy, Debug)]
pub(in crate::service::customers) enum Ids<'a> {
    /// Just this.
    Change(&'a CustomIdChange),
    /// These are set where the customer is not called so yet; `matched` is the one that it was found by, which stays as it
    /// is written, and has to be there still.
    Towards { ids: &'a CustomIds, matched: Option<(&'a System, &'a CustomId)> },
}

/// What a command comes to.
pub(super) struct CustomIdChangeSet {
    /// The fields, if they change.
    pub(super) customer: Option<(Customer, EventType)>,
    /// The custom IDs, if they change.
    pub(super) ids: Option<(CustomIdChange, CustomIds)>,
}

impl Attempt<'_> {
    /// The change of the custom IDs that the customer has now.
    ///
    /// # Errors
    /// `CustomerNotFound` if it is not called any more what it was found by.
    pub(super) fn wanted(&self, seen: &CustomerRecord) -> Result<CustomIdChange> {
        let now = &seen.link.custom_ids;
        match self.ids {
            Ids::Change(change) => Ok(change.clone()),
            Ids::Towards { ids, matched: None } => Ok(CustomIdChange::towards(ids, now)),
            Ids::Towards { ids, matched: Some((system, id)) } => {
                let still = now.get(system).filter(|now| now.key() == id.key());
                let still = still.ok_or(Error::CustomerNotFound { at: None })?;
                let mut ids = ids.clone();
                ids.insert(system.clone(), still.clone());
                Ok(CustomIdChange::towards(&ids, now))
            }
        }
    }

    /// The values that it would put.
    pub(super) fn put(&self) -> CustomIds {
        match self.ids {
            Ids::Change(change) => {
                change.iter().filter_map(|(system, id)| Some((system.clone(), id?.clone()))).collect()
            }
            Ids::Towards { ids, .. } => ids.clone(),
        }
    }
}

/// What the domain says of fields and custom IDs.
pub(super) fn change_set(
    attempt: &Attempt<'_>,
    seen: &CustomerRecord,
    change: CustomIdChange,
    at: Timestamp,
) -> Result<CustomIdChangeSet, Refusal> {
    let ids = change.decide(&seen.link.custom_ids)?;
    let own = seen.customer.owner == attempt.caller.scope().root();
    let owner_ids = ids.as_ref().filter(|_| own).unwrap_or(&seen.owner_ids);
    let inputs = DecisionInputs { policies: &seen.policies, owner_ids, acting: attempt.caller.account() };
    let mut after = seen.customer.clone();
    let happened = match attempt.fields {
        Some(fields) => fields.decide(&mut after, inputs, at)?,
        None => Change::AlreadyMade,
    };
    must_keep_required(&seen.policies, &after.fields, &seen.owner_ids, owner_ids)?;
    let customer = match happened {
        Change::AlreadyMade => None,
        Change::Made(happened) => {
            after.revision += 1;
            after.updated = Stamp { at, by: attempt.caller.author().principal.clone() };
            Some((after, happened))
        }
    };
    Ok(CustomIdChangeSet { customer, ids: ids.map(|ids| (change, ids)) })
}
