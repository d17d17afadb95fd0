//! Customers found otherwise than by one id, and names that may be had. Each is one statement.

use std::collections::HashMap;

use super::{CustomerDetails, Customers};
use crate::{
    domain::{
        access::caller::Caller,
        values::{
            custom_id::{CustomId, ResolvedBy, System},
            ids::CustomerId,
            name::Name,
        },
    },
    error::{Error, Result},
    store::{self, customers::CustomerRecord},
};

/// What was found of a batch of ids.
#[derive(Clone, Debug)]
pub struct Found {
    /// The customers, in the order in which they were asked for.
    pub customers: Vec<CustomerDetails>,
    /// The ids that the caller sees no customer of, in that order too.
    pub missing: Vec<CustomerId>,
}

/// Whether a name may be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Availability {
    /// It may.
    pub available: bool,
    /// If not: names near it that may.
    pub suggestions: Vec<String>,
}

impl Customers {
    /// Reads customers by their ids, each of which is given once.
    ///
    /// # Errors
    /// What the database says.
    pub async fn batch_get(&self, caller: &Caller, ids: &[CustomerId]) -> Result<Found> {
        let mut lease = self.pool.lease().await?;
        let seen = lease.run(async |conn| store::customers::get_all(conn, caller, ids).await).await?;
        let mut seen: HashMap<CustomerId, CustomerRecord> =
            seen.into_iter().map(|seen| (seen.customer.id, seen)).collect();
        let mut found = Found { customers: Vec::with_capacity(seen.len()), missing: Vec::new() };
        for id in ids {
            match seen.remove(id) {
                Some(seen) => found.customers.push(self.show(caller, seen)?),
                None => found.missing.push(*id),
            }
        }
        Ok(found)
    }

    /// Reads the customer that the acting account calls, or called, so: in this system, or in any.
    ///
    /// # Errors
    /// `CustomerNotFound`; `LookupAmbiguous` if different systems say different customers.
    pub async fn lookup(
        &self,
        caller: &Caller,
        id: &CustomId,
        system: Option<&System>,
    ) -> Result<(CustomerDetails, ResolvedBy)> {
        let mut lease = self.pool.lease().await?;
        let hits = lease.run(async |conn| store::customers::lookup(conn, caller, id, system).await).await?;
        let mut hits = hits.into_iter();
        match (hits.next(), hits.next()) {
            (None, _) => Err(Error::CustomerNotFound { at: None }),
            (Some(_), Some(_)) => Err(Error::LookupAmbiguous),
            (Some(seen), None) => {
                let is_asked = |other: &System| system.is_none_or(|asked| asked == other);
                let current = seen.link.custom_ids.iter().any(|(of, now)| is_asked(of) && now.key() == id.key());
                let resolved_by = if current { ResolvedBy::Current } else { ResolvedBy::Alias };
                Ok((self.show(caller, seen)?, resolved_by))
            }
        }
    }

    /// Whether a new customer of the acting account may have this name.
    ///
    /// # Errors
    /// `ValueOfNewerRelease` under a rule on names that this release does not know.
    pub async fn check_name(&self, caller: &Caller, name: &Name) -> Result<Availability> {
        caller.account().must_know_name_rule()?;
        let mut candidates = vec![name.clone()];
        candidates.extend(near(name, None));
        let owner = caller.scope().root();
        let mut lease = self.pool.lease().await?;
        let free = lease
            .run(async |conn| store::customers::free_names(conn, caller.scope(), owner, &candidates).await)
            .await?;
        let available = free.first().is_some_and(|first| first == name.as_str());
        Ok(Availability { available, suggestions: if available { Vec::new() } else { free } })
    }
}

/// Names near a taken one. A long one is cut, so that what tells it apart fits.
pub(super) fn near(name: &Name, city: Option<&str>) -> Vec<Name> {
    city.map(|city| format!(" ({city})"))
        .into_iter()
        .chain((2..6).map(|number| format!(" {number}")))
        .filter_map(|suffix| {
            let room = Name::MAX_CHARS.saturating_sub(suffix.chars().count());
            let start: String = name.as_str().chars().take(room).collect();
            Name::parse(&format!("{}{suffix}", start.trim_end())).ok()
        })
        .collect()
}
