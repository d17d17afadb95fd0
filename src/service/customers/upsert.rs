//! Upsert: finds the customer, then changes or creates it. Concurrent calls with the same custom ID create one
//! customer: a call that finds the ID taken on writing looks again.

use std::collections::HashSet;

use super::{
    Created, Customers, NewCustomer,
    custom_ids::{Attempt, CustomIdEdit},
};
use crate::{
    domain::{
        access::caller::Caller,
        customers::command::Command,
        duplicates::DuplicatePolicy,
        requests::options::{Options, Outcome},
        values::{
            custom_id::{CustomId, CustomIds, System},
            ids::CustomerId,
            violation::{Rule, Violations},
        },
    },
    error::{Error, Result},
    service::mutation::is_in_time,
    store,
};

/// Look-ups of the customer: it may be created, get another custom ID or leave the caller's sight between the look-up
/// and the write.
const TRIES: usize = 4;

/// How an upsert finds its customer.
#[derive(Clone, Debug)]
pub enum Match {
    /// By its id. It is never created.
    Id(CustomerId),
    /// By the acting account's custom ID.
    CustomId {
        /// The system of the custom ID.
        system: System,
        /// The custom ID.
        id: CustomId,
        /// The customer to create if there is none; this custom ID is among its own.
        new: Box<NewCustomer>,
    },
}

/// A customer to create or update.
#[derive(Clone, Debug)]
pub struct Upsert {
    /// How the customer is found.
    pub by: Match,
    /// The custom IDs that it gets, new or not.
    pub custom_ids: CustomIds,
    /// The update of its fields if it exists.
    pub update: Command,
}

impl Upsert {
    /// The same, with what is done about duplicates if the customer is created.
    #[must_use]
    pub fn with_duplicates(mut self, policy: DuplicatePolicy) -> Self {
        if let Match::CustomId { new, .. } = &mut self.by {
            new.duplicates = policy;
        }
        self
    }
}

/// The result of an upsert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upserted {
    /// The customer did not exist.
    Created,
    /// It existed and changed.
    Updated,
    /// It existed and did not change.
    Unchanged,
}

impl Customers {
    /// Creates a customer, or updates the one that exists.
    ///
    /// # Errors
    /// See the contract's UpsertCustomer.
    pub async fn upsert(
        &self,
        caller: &Caller,
        upsert: &Upsert,
        options: &Options,
    ) -> Result<(Outcome<Created>, Upserted)> {
        self.upsert_once(caller, upsert, options, &mut HashSet::new()).await
    }

    /// The same of a customer that is none of these, to which it is added.
    ///
    /// # Errors
    /// `Invalid` if it is one of them.
    pub(in crate::service) async fn upsert_once(
        &self,
        caller: &Caller,
        upsert: &Upsert,
        options: &Options,
        named: &mut HashSet<CustomerId>,
    ) -> Result<(Outcome<Created>, Upserted)> {
        let (system, custom_id, new) = match &upsert.by {
            Match::Id(id) if !named.insert(*id) => return Err(named_twice(None).into()),
            Match::Id(id) => return self.upsert_existing(caller, *id, upsert, options).await,
            Match::CustomId { system, id, new } => (system, id, new),
        };
        let (mut failure, mut mine) = (Error::Contended, HashSet::new());
        for attempt in 0..TRIES {
            if attempt > 0 && !is_in_time(caller.author()) {
                break;
            }
            let found = match self.find_by_custom_id(caller, system, custom_id).await? {
                Some(found) => found,
                None => match self.upsert_new(caller, new, options).await {
                    // Another call was quicker, perhaps to create this very customer.
                    Err(taken) if is_taken(&taken) => {
                        self.find_by_custom_id(caller, system, custom_id).await?.ok_or(taken)?
                    }
                    Ok(done) => {
                        named.insert(done.0.value.customer.customer.id);
                        return Ok(done);
                    }
                    Err(refused) => return Err(refused),
                },
            };
            if mine.insert(found) && !named.insert(found) {
                return Err(named_twice(Some(system)).into());
            }
            match self.upsert_existing(caller, found, upsert, options).await {
                // It got another custom ID, or left the caller's sight, after it was found.
                Err(gone @ Error::CustomerNotFound { .. }) => failure = gone,
                done => return done,
            }
        }
        Err(failure)
    }

    /// Adds what else is wrong with an upsert that has violations, as far as its customer is known: see `add_violations`.
    pub async fn add_upsert_violations(&self, caller: &Caller, upsert: Upsert, violations: &mut Violations) {
        if let Match::Id(id) = upsert.by {
            self.add_violations(caller, id, upsert.update, violations).await;
        }
    }

    /// The customer with the acting account's current custom ID.
    async fn find_by_custom_id(&self, caller: &Caller, system: &System, id: &CustomId) -> Result<Option<CustomerId>> {
        let mut lease = self.pool.lease().await?;
        lease.run(async |conn| store::customers::find_by_custom_id(conn, caller.scope(), system, id).await).await
    }

    async fn upsert_existing(
        &self,
        caller: &Caller,
        id: CustomerId,
        upsert: &Upsert,
        options: &Options,
    ) -> Result<(Outcome<Created>, Upserted)> {
        let found_by = match &upsert.by {
            Match::Id(_) => None,
            Match::CustomId { system, id, .. } => Some((system, id)),
        };
        let attempt = Attempt {
            caller,
            id,
            ids: CustomIdEdit::Put { ids: &upsert.custom_ids, found_by },
            fields: Some(&upsert.update),
            options,
            etag: None,
            field: |system| format!("customer.custom_ids.{}", system.as_str()),
        };
        let mut outcome = self.change_ids(&attempt).await?.map(Created::alone);
        let upserted = match outcome.changed {
            _ if outcome.replayed => replayed(found_by.is_some(), &outcome.value.customer),
            true => Upserted::Updated,
            false => Upserted::Unchanged,
        };
        if outcome.replayed && upserted == Upserted::Created {
            outcome.value.duplicates = self.replayed_duplicates(caller, options).await?;
        }
        Ok((outcome, upserted))
    }

    async fn upsert_new(
        &self,
        caller: &Caller,
        new: &NewCustomer,
        options: &Options,
    ) -> Result<(Outcome<Created>, Upserted)> {
        let outcome = self.create(caller, new, options).await?;
        let upserted = if outcome.replayed { replayed(true, &outcome.value.customer) } else { Upserted::Created };
        Ok((outcome, upserted))
    }
}

/// The refusal of a row whose customer another row of its request names, by its custom ID in this system or by its id.
#[must_use]
pub fn named_twice(system: Option<&System>) -> Violations {
    let field =
        system.map_or_else(|| "customer.id".to_owned(), |system| format!("customer.custom_ids.{}", system.as_str()));
    Violations::of(field, Rule::new("must not name a customer that another row names: each row has one of its own"))
}

/// The result of an earlier upsert, by its stored answer: a creation leaves the customer and the link at their first
/// revisions; an update of a customer that was found by its custom ID leaves one of them at a later one.
fn replayed(by_custom_id: bool, stored: &super::CustomerDetails) -> Upserted {
    if by_custom_id && stored.customer.revision == 1 && stored.link.revision == 1 {
        Upserted::Created
    } else {
        Upserted::Updated
    }
}

/// Whether another customer has what the new one was to get, or may be the same.
fn is_taken(error: &Error) -> bool {
    matches!(
        error,
        Error::CustomIdTaken { .. }
            | Error::NameTaken { .. }
            | Error::OrderReferenceTaken { .. }
            | Error::PossibleDuplicate { .. }
    )
}
