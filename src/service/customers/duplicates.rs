//! Finds customers that may be the same as another one. One statement finds candidates; what they really have in common is then told
//! from their fields.

use std::cmp::Reverse;

use sqlx::PgConnection;

use super::{CustomerDetails, Customers};
use crate::{
    domain::{
        access::{caller::Caller, relation::Relation},
        duplicates::{Duplicate, MAX_REPORTED, Traits},
        fields::{customer_fields::CustomerFields, field::View},
        requests::{answer::Answer, options::Options},
        values::ids::CustomerId,
    },
    error::Result,
    service::{call, mutation::find_stored},
    store::{self, customers::CustomerRecord},
};

/// With what the others are compared.
#[derive(Clone, Debug)]
pub enum Compared {
    /// A customer.
    Stored(CustomerId),
    /// A customer that need not exist.
    Draft(Box<CustomerFields>),
}

/// A customer that may be the same, as the caller may see it.
#[derive(Clone, Debug)]
pub struct PossibleDuplicate {
    /// The customer in the view BASIC.
    pub customer: CustomerDetails,
    /// Which it is, and why.
    pub duplicate: Duplicate,
}

impl Customers {
    /// Finds customers that may be the same as this one: the most likely first, at most [`MAX_REPORTED`].
    ///
    /// # Errors
    /// `CustomerNotFound`.
    pub async fn find_duplicates(&self, caller: &Caller, compared: &Compared) -> Result<Vec<PossibleDuplicate>> {
        let mut lease = self.pool.lease().await?;
        let found = lease
            .run(async |conn| match compared {
                Compared::Draft(fields) => find(conn, caller, fields, Relation::OwnerOrAbove, None).await,
                Compared::Stored(id) => {
                    let record = store::customers::get(conn, caller, *id, call::hold).await?;
                    let relation = record.customer.relation(caller.scope());
                    find(conn, caller, &record.customer.fields, relation, Some(*id)).await
                }
            })
            .await?;
        drop(lease);
        self.show_duplicates(caller, found)
    }

    /// Customers that may be the same, as the caller may see them.
    pub(super) fn show_duplicates(
        &self,
        caller: &Caller,
        found: Vec<(CustomerRecord, Duplicate)>,
    ) -> Result<Vec<PossibleDuplicate>> {
        let show = |(record, duplicate)| {
            Ok(PossibleDuplicate { customer: self.details_in(caller, record, View::Basic)?, duplicate })
        };
        found.into_iter().map(show).collect()
    }

    /// Those of the stored answer of this request.
    pub(super) async fn replayed_duplicates(
        &self,
        caller: &Caller,
        options: &Options,
    ) -> Result<Vec<PossibleDuplicate>> {
        let mut lease = self.pool.lease().await?;
        lease
            .run(async |conn| match find_stored(conn, caller, options).await? {
                Some(Answer::Customer { duplicates, .. }) => self.stored_duplicates(conn, caller, duplicates).await,
                _ => Ok(Vec::new()),
            })
            .await
    }

    /// Those of a stored answer that the caller still sees, as they are now.
    pub(super) async fn stored_duplicates(
        &self,
        conn: &mut PgConnection,
        caller: &Caller,
        stored: Vec<Duplicate>,
    ) -> Result<Vec<PossibleDuplicate>> {
        if stored.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<CustomerId> = stored.iter().map(|duplicate| duplicate.customer).collect();
        let mut records = store::customers::get_all(conn, caller, &ids, View::Basic, call::hold).await?;
        let found = stored.into_iter().filter_map(|duplicate| {
            let place = records.iter().position(|record| record.customer.id == duplicate.customer)?;
            Some((records.swap_remove(place), duplicate))
        });
        self.show_duplicates(caller, found.collect())
    }
}

/// Finds customers that may be the same as one with these fields, of which the caller is shown what its relation says.
pub(super) async fn find(
    conn: &mut PgConnection,
    caller: &Caller,
    fields: &CustomerFields,
    relation: Relation,
    except: Option<CustomerId>,
) -> Result<Vec<(CustomerRecord, Duplicate)>> {
    let traits = Traits::of(fields, relation);
    if traits.asked().is_empty() {
        return Ok(Vec::new());
    }
    let candidates = store::customers::find_duplicates(conn, caller, &traits, except, call::hold).await?;
    let mut found: Vec<(CustomerRecord, Duplicate)> = candidates
        .into_iter()
        .filter_map(|record| {
            let customer = &record.customer;
            let reasons = traits.in_common(&Traits::of(&customer.fields, customer.relation(caller.scope())));
            let duplicate = Duplicate { customer: customer.id, reasons };
            (!duplicate.reasons.is_empty()).then_some((record, duplicate))
        })
        .collect();
    found.sort_by_key(|(_, duplicate)| (Reverse(duplicate.score()), duplicate.customer));
    found.truncate(MAX_REPORTED);
    Ok(found)
}
