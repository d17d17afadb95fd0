//! Finds customers by other means than one id, and checks which names are free. Each is one statement.

use super::{CustomerDetails, Customers, names::similar_names};
use crate::{
    domain::{
        access::caller::Caller,
        fields::field::View,
        values::{
            custom_id::{CustomId, ResolvedBy, System},
            ids::CustomerId,
            name::Name,
        },
    },
    error::Result,
    service::call,
    store::{self, customers::ByCustomId},
};

/// The customers of a batch of ids.
#[derive(Clone, Debug)]
pub struct Found {
    /// The customers, in the order of the request.
    pub customers: Vec<CustomerDetails>,
    /// The ids without a customer that the caller sees, in the order of the request.
    pub missing: Vec<CustomerId>,
}

/// Whether a name is free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Availability {
    /// Whether it is.
    pub available: bool,
    /// If not: similar names that are free.
    pub suggestions: Vec<String>,
}

impl Customers {
    /// Reads customers by their ids, in a view; no id may be repeated.
    ///
    /// # Errors
    /// `AnswerTooLarge`, or a failure of the database.
    pub async fn batch_get(&self, caller: &Caller, ids: &[CustomerId], view: View) -> Result<Found> {
        let mut lease = self.pool.lease().await?;
        let records =
            lease.run(async |conn| store::customers::get_all(conn, caller, ids, view, call::hold).await).await?;
        let mut found = Found { customers: Vec::with_capacity(records.len()), missing: Vec::new() };
        let mut records = records.into_iter().peekable();
        for id in ids {
            match records.next_if(|record| record.customer.id == *id) {
                Some(record) => found.customers.push(self.details_in(caller, record, view)?),
                None => found.missing.push(*id),
            }
        }
        Ok(found)
    }

    /// Reads the customer that has, or had, this custom ID of the acting account: in this system, or in any. It is read together with
    /// others that are looked up at the same time.
    ///
    /// # Errors
    /// `CustomerNotFound`; `LookupAmbiguous` if several customers have it in different systems.
    pub async fn lookup(
        &self,
        caller: &Caller,
        id: CustomId,
        system: Option<System>,
    ) -> Result<(CustomerDetails, ResolvedBy)> {
        let asked = ByCustomId { id, system };
        let record = self.look_ups.read(caller, &asked).await?;
        let ByCustomId { id, system } = &asked;
        let is_asked = |other: &System| system.as_ref().is_none_or(|asked| asked == other);
        let current = record.link.custom_ids.iter().any(|(of, now)| is_asked(of) && now.key() == id.key());
        // Only of a former one it matters where it comes from.
        let resolved_by = match current {
            true => ResolvedBy::Current,
            false => {
                let of = record.customer.id;
                let found = async |conn: &mut sqlx::PgConnection| {
                    store::customers::came_by_merge(conn, caller.scope(), of, id, system.as_ref()).await
                };
                if self.pool.lease().await?.run(found).await? { ResolvedBy::Merge } else { ResolvedBy::Alias }
            }
        };
        Ok((self.details(caller, record)?, resolved_by))
    }

    /// Whether a new customer of the acting account may have this name.
    ///
    /// # Errors
    /// `ValueOfNewerRelease` under a rule on names of a newer release, or a failure of the database.
    pub async fn check_name(&self, caller: &Caller, name: &Name) -> Result<Availability> {
        caller.account().must_know_name_rule()?;
        let (scope, similar) = (caller.scope(), similar_names(name, None));
        let mut lease = self.pool.lease().await?;
        let check = lease
            .run(async |conn| store::customers::taken::check_name(conn, scope, scope.root(), name, &similar).await)
            .await?;
        let available = !check.taken;
        Ok(Availability { available, suggestions: if available { Vec::new() } else { check.free } })
    }
}
