//! Erases a customer, with all that were merged into it: one transaction.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::{CustomerDetails, Customers};
use crate::{
    domain::{
        access::caller::Caller,
        customers::{
            customer::{Change, Stamp},
            link::Link,
        },
        fields::references::References,
        history::event::{Changes, Delta},
        requests::{
            answer::Answer,
            options::{Options, Outcome},
        },
        values::ids::{CustomerId, EventId},
    },
    error::{Error, Result},
    service::{
        clock,
        mutation::{Call, end, write},
        pool::Lease,
        seal::Revisions,
    },
    store::{
        self,
        customers::{
            CustomerRecord, erase,
            family::{self, Relative},
        },
    },
};

impl Customers {
    /// Erases a customer. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's EraseCustomer.
    pub async fn erase(&self, caller: &Caller, id: CustomerId, options: &Options) -> Result<Outcome<CustomerDetails>> {
        let etag = self.etag(caller, id, options)?;
        let attempt = |mut lease: Lease| async move {
            lease
                .transaction(end(options), async |conn| {
                    Box::pin(self.erase_locked(conn, caller, id, options, etag)).await
                })
                .await
        };
        self.mutations.run(Call::new(caller, options), attempt, |answer| self.replay(caller, answer)).await
    }

    async fn erase_locked(
        &self,
        conn: &mut PgConnection,
        caller: &Caller,
        id: CustomerId,
        options: &Options,
        etag: Option<Revisions>,
    ) -> Result<Outcome<CustomerDetails>> {
        let scope = caller.scope();
        // Read without a lock first: all rows are locked in id order, so its sources must be known before.
        let unlocked = store::customers::load(conn, caller, id, None, (&References::default(), None)).await?.seen;
        unlocked.customer.must_be_ours(caller)?;
        let sources = family::sources(conn, scope, &[id]).await?;
        let locked = family::lock(conn, scope, &[vec![id], sources.clone()].concat()).await?;
        let loaded =
            store::customers::load(conn, caller, id, options.request.as_ref(), (&References::default(), None)).await?;
        let before = &loaded.seen.customer;
        before.must_be_ours(caller)?;
        if let (Some(stored), Some(request)) = (loaded.stored.clone(), options.request.as_ref()) {
            return Ok(Outcome::replayed(self.replay_over(caller, loaded.seen, stored.answer(request)?)?));
        }
        before.must_be_known()?;
        let decision = before.may_erase();
        if decision == Ok(false) {
            return Ok(Outcome::unchanged(self.mutated_details(caller, options, loaded.seen)?));
        }
        self.check_etag(conn, (caller, id), etag, &loaded.seen).await?;
        decision?;
        // Another merge may have come before the lock.
        if family::sources(conn, scope, &[id]).await? != sources {
            return Err(Error::LostRace);
        }
        let at = clock::now();
        let mut after = loaded.seen.clone();
        if after.customer.erase() == Change::AlreadyMade {
            return Err(Error::internal("erased twice"));
        }
        after.customer.revision += 1;
        after.customer.updated = Stamp { at, by: caller.author().principal.clone() };
        let had_something = !(after.link.custom_ids.is_empty() && after.link.tags.is_empty());
        let revision = after.link.revision + i64::from(had_something);
        after.link = Link { revision, ..Link::default() };
        let after = CustomerRecord { owner_ids: Default::default(), ..after };

        let ids: Vec<CustomerId> = locked.iter().map(|relative| relative.id).collect();
        let mut texts = erase::texts_with_at(conn, scope, &ids).await?;
        for id in &ids {
            texts.extend(erase::empty_events(conn, scope, *id).await?);
        }
        erase::empty_former_merges(conn, scope, &ids).await?;
        erase::delete_invitations(conn, scope, &erase::address_keys(texts)).await?;
        let erased = erased(id, before.status.as_str(), &locked);
        let answer =
            Answer::Customer { customer: after.customer.clone(), link: after.link.clone(), duplicates: Vec::new() };
        erase::erase(conn, caller, &erased, &answer, write(caller, at, options)).await?;
        Ok(Outcome::changed(self.mutated_details(caller, options, after)?))
    }
}

/// The customers that are erased, the named one first, each with its event: the change of the status alone.
fn erased(named: CustomerId, status: &str, locked: &[Relative]) -> Vec<(Relative, EventId, Changes)> {
    let mut all: Vec<Relative> = locked.to_vec();
    all.sort_by_key(|relative| relative.id != named);
    let changes = |relative: &Relative| {
        let before = if relative.id == named { status } else { "MERGED" };
        let mut deltas = BTreeMap::from([("status".to_owned(), Delta { old: before.into(), new: "ERASED".into() })]);
        if let Some(into) = relative.merged_into {
            deltas
                .insert("merged_into".to_owned(), Delta { old: into.to_string().into(), new: serde_json::Value::Null });
        }
        Changes(deltas)
    };
    all.into_iter().map(|relative| (relative, EventId::from_uuid(clock::new_id()), changes(&relative))).collect()
}
