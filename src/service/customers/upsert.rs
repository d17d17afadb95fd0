//! Upsert: the customer that is meant is looked for, then changed or created. However many do so at once with one custom
//! ID, they make one customer: whoever finds the ID taken after all looks again.

use super::{
    CustomerDetails, Customers, NewCustomer,
    custom_ids::{Attempt, Ids},
};
use crate::{
    domain::{
        access::caller::Caller,
        customers::command::Command,
        requests::options::{Options, Outcome},
        values::{
            custom_id::{CustomId, CustomIds, System},
            ids::CustomerId,
        },
    },
    error::{Error, Result},
    store,
};

/// How often the customer is looked for: it may be created, renumbered or gone between looking and writing.
const TRIES: usize = 4;

/// By what an upsert's customer is found.
#[derive(Clone, Debug)]
pub enum Match {
    /// Its id. It is never created.
    Id(CustomerId),
    /// What the acting account calls it.
    CustomId {
        /// In this system.
        system: System,
        /// Thus.
        id: CustomId,
        /// What it is if it is created; its custom IDs have this one among them.
        draft: Box<NewCustomer>,
    },
}

/// A customer to be there.
#[derive(Clone, Debug)]
pub struct Upsert {
    /// By what it is found.
    pub by: Match,
    /// The custom IDs that it gets, new or not.
    pub custom_ids: CustomIds,
    /// What else changes if it is there.
    pub update: Command,
}

/// What an upsert did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upserted {
    /// There was none; it made one.
    Created,
    /// It changed the one that there was.
    Updated,
    /// It was so already.
    Unchanged,
}

impl Customers {
    /// Creates a customer, or changes the one that there is.
    ///
    /// # Errors
    /// See the contract's UpsertCustomer.
    pub async fn upsert(
        &self,
        caller: &Caller,
        upsert: &Upsert,
        options: &Options,
    ) -> Result<(Outcome<CustomerDetails>, Upserted)> {
        let mut gone = Error::Contended;
        for _ in 0..TRIES {
            let found = match &upsert.by {
                Match::Id(id) => return self.upsert_found(caller, *id, upsert, options).await,
                Match::CustomId { system, id, draft } => match self.find_by_custom_id(caller, system, id).await? {
                    Some(found) => found,
                    None => match self.upsert_new(caller, draft, options).await {
                        // Somebody was quicker, perhaps to make this very customer.
                        Err(taken) if is_taken(&taken) => {
                            self.find_by_custom_id(caller, system, id).await?.ok_or(taken)?
                        }
                        done => return done,
                    },
                },
            };
            match self.upsert_found(caller, found, upsert, options).await {
                // It was renumbered, or left the caller's sight, after it was found.
                Err(error @ Error::CustomerNotFound { .. }) => gone = error,
                done => return done,
            }
        }
        Err(gone)
    }

    /// The customer that the acting account calls so now.
    async fn find_by_custom_id(&self, caller: &Caller, system: &System, id: &CustomId) -> Result<Option<CustomerId>> {
        let mut lease = self.pool.lease().await?;
        lease.run(async |conn| store::customers::find_by_custom_id(conn, caller.scope(), system, id).await).await
    }

    async fn upsert_found(
        &self,
        caller: &Caller,
        id: CustomerId,
        upsert: &Upsert,
        options: &Options,
    ) -> Result<(Outcome<CustomerDetails>, Upserted)> {
        let matched = match &upsert.by {
            Match::Id(_) => None,
            Match::CustomId { system, id, .. } => Some((system, id)),
        };
        let attempt = Attempt {
            caller,
            id,
            ids: Ids::Towards { ids: &upsert.custom_ids, matched },
            fields: Some(&upsert.update),
            options,
            etag: None,
            field: |system| format!("customer.custom_ids.{}", system.as_str()),
        };
        let done = Box::pin(self.change_ids(&attempt)).await?;
        let upserted = match done.changed {
            _ if done.outcome.replayed => stored(matched.is_some(), &done.outcome.value),
            true => Upserted::Updated,
            false => Upserted::Unchanged,
        };
        Ok((done.outcome, upserted))
    }

    async fn upsert_new(
        &self,
        caller: &Caller,
        draft: &NewCustomer,
        options: &Options,
    ) -> Result<(Outcome<CustomerDetails>, Upserted)> {
        let outcome = self.create(caller, draft, options).await?;
        let upserted = if outcome.replayed { stored(true, &outcome.value) } else { Upserted::Created };
        Ok((outcome, upserted))
    }
}

/// What an earlier upsert did, by what it left: one that creates leaves a customer and a link at their first revisions,
/// one that changes what was found by its custom ID leaves one of them further on.
fn stored(by_custom_id: bool, shown: &CustomerDetails) -> Upserted {
    if by_custom_id && shown.customer.revision == 1 && shown.link.revision == 1 {
        Upserted::Created
    } else {
        Upserted::Updated
    }
}

/// Somebody else has what a new customer was to have.
fn is_taken(error: &Error) -> bool {
    matches!(error, Error::CustomIdTaken { .. } | Error::NameTaken { .. } | Error::OrderReferenceTaken)
}
