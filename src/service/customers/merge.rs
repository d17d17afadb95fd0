//! Merges customers of one account: one transaction, rows locked in id order.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::{
    CustomerDetails, Customers,
    merge_billing::united,
    merge_parts::{
        BlockedMerge, blockers, field, link_events, may_change_custom_ids, merged_event, must_keep_required,
        of_the_survivor, repointed_event, report, too_many_on_links,
    },
};
use crate::{
    domain::{
        access::caller::Caller,
        billing::payment_method::PaymentMethod,
        customers::{
            customer::{Customer, Stamp},
            merge::{MAX_LINKS, MAX_SOURCES, unite},
            merge_blocker::MergeBlocker,
            status::Status,
        },
        fields::{field::Field, references::References},
        history::{
            event::{Changes, Delta},
            event_type::EventType,
        },
        requests::options::{Options, Outcome},
        values::ids::CustomerId,
    },
    error::{Error, Result},
    service::{
        clock,
        mutation::{Call, end, find_stored, write},
        pool::Lease,
        seal::Revisions,
    },
    store::{
        self,
        customers::{
            CustomerRecord,
            family::{self, Relative},
            merge::{self, Merging, images},
        },
    },
};

/// A customer that is to be merged into another one.
#[derive(Clone, Debug)]
pub struct Merged {
    /// Its id.
    pub id: CustomerId,
    /// The etag of the state that the caller read.
    pub etag: Option<String>,
}

/// What is merged.
#[derive(Clone, Debug)]
pub struct Merge {
    /// The customer that stays.
    pub survivor: CustomerId,
    /// Those that are merged into it, each once.
    pub others: Vec<Merged>,
    /// The customer whose value a field of the survivor gets.
    pub choices: BTreeMap<Field, CustomerId>,
}

/// The result of a merge.
#[derive(Clone, Debug)]
pub struct MergeResult {
    /// The customer that stays.
    pub customer: CustomerDetails,
    /// What blocks it, under `validate_only`.
    pub blockers: Vec<BlockedMerge>,
}

impl MergeResult {
    fn unblocked(customer: CustomerDetails) -> Self {
        Self { customer, blockers: Vec::new() }
    }
}

/// One merge, with what its tries share.
struct Attempt<'a> {
    caller: &'a Caller,
    merge: &'a Merge,
    options: &'a Options,
    etag: Option<Revisions>,
    etags: Vec<Option<Revisions>>,
}

/// The customers of a merge as they are read.
struct Read {
    survivor: CustomerRecord,
    others: Vec<CustomerRecord>,
}

impl Customers {
    /// Merges customers. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's MergeCustomers.
    pub async fn merge(&self, caller: &Caller, merge: &Merge, options: &Options) -> Result<Outcome<MergeResult>> {
        let of = |other: &Merged| {
            let field = format!("merged_etags.{}", other.id);
            self.opened_etag(caller, other.id, other.etag.as_deref(), &field)
        };
        let etags = merge.others.iter().map(of).collect::<Result<_>>()?;
        let etag = self.etag(caller, merge.survivor, options)?;
        let attempt = &Attempt { caller, merge, options, etag, etags };
        let run = |mut lease: Lease| async move {
            lease.transaction(end(options), async |conn| Box::pin(self.merge_locked(conn, attempt)).await).await
        };
        let replay = async |answer| self.replay(caller, answer).await.map(MergeResult::unblocked);
        self.mutations.run(Call::new(caller, options), run, replay).await
    }

    async fn merge_locked(&self, conn: &mut PgConnection, attempt: &Attempt<'_>) -> Result<Outcome<MergeResult>> {
        let Attempt { caller, merge, options, .. } = *attempt;
        let scope = caller.scope();
        // Read without a lock first: all rows are locked in id order, those that were merged before among them.
        read(conn, attempt).await?;
        let ids: Vec<CustomerId> = merge.others.iter().map(|other| other.id).collect();
        let merging = Merging { survivor: merge.survivor, others: &ids };
        let sources = family::sources(conn, scope, &ids).await?;
        let locked = family::lock(conn, scope, &[vec![merge.survivor], ids.clone(), sources.clone()].concat()).await?;
        let Read { survivor, others } = read(conn, attempt).await?;
        may_change_custom_ids(caller, &others)?;
        if let Some(answer) = find_stored(conn, caller, options).await? {
            return Ok(Outcome::replayed(MergeResult::unblocked(self.replay_over(caller, survivor, answer)?)));
        }
        survivor.customer.must_be_known()?;
        for (place, other) in others.iter().enumerate() {
            other.customer.must_be_known().map_err(|refusal| Error::refused_at(refusal, field(place)))?;
        }
        let into = Status::Merged { into: merge.survivor };
        if others.iter().all(|other| other.customer.status == into) {
            return Ok(Outcome::unchanged(MergeResult::unblocked(self.mutated_details(caller, options, survivor)?)));
        }
        self.check_etag(conn, (caller, merge.survivor), attempt.etag, &survivor).await?;
        for (other, etag) in others.iter().zip(&attempt.etags) {
            self.check_etag(conn, (caller, other.customer.id), *etag, other).await?;
        }
        if family::sources(conn, scope, &ids).await? != sources {
            return Err(Error::LostRace);
        }
        let of_survivor = family::sources(conn, scope, &[merge.survivor]).await?.len();
        let mut blockers = blockers(&survivor, &others);
        if of_survivor + ids.len() + sources.len() > MAX_SOURCES {
            blockers.push(of_the_survivor(merge.survivor, MergeBlocker::TooManySources));
        }
        let methods: usize = others.iter().chain([&survivor]).map(|record| record.customer.payment.count).sum();
        if methods > PaymentMethod::MAX {
            blockers.push(of_the_survivor(merge.survivor, MergeBlocker::TooManyPaymentMethods));
        }
        let limit = i64::try_from(MAX_LINKS).map_err(Error::internal)? + 1;
        let accounts = merge::accounts(conn, scope, &ids, limit).await?;
        if accounts.len() > MAX_LINKS {
            blockers.push(of_the_survivor(merge.survivor, MergeBlocker::TooManyLinks));
        }
        let records: Vec<_> = others.iter().map(|other| &other.customer).collect();
        let (fields, more) = unite(&survivor.customer, &records, &merge.choices);
        blockers.extend(more.into_iter().map(|blocker| of_the_survivor(merge.survivor, blocker)));
        let (billing, more) = united(conn, caller, &survivor, &fields, &others).await?;
        blockers.extend(more);
        if let Some(blocked) = report(blockers, options)? {
            let customer = self.mutated_details(caller, options, survivor)?;
            return Ok(Outcome::unchanged(MergeResult { customer, blockers: blocked }));
        }
        must_keep_required(caller, &survivor, &fields)?;

        let at = clock::now();
        let merge_id = clock::new_id();
        images::keep(conn, scope, merging, (merge_id, at)).await?;
        let family: Vec<CustomerId> = std::iter::once(merge.survivor).chain(ids.iter().copied()).collect();
        let links = merge::links(conn, scope, &family, &accounts).await?;
        merge::unite(conn, scope, merging, &accounts).await?;
        billing.give(conn, caller, &survivor).await?;
        let united_links = merge::links(conn, scope, &family, &accounts).await?;
        if let Some(blocked) = report(too_many_on_links(&united_links, merge.survivor), options)? {
            let customer = self.mutated_details(caller, options, survivor)?;
            return Ok(Outcome::unchanged(MergeResult { customer, blockers: blocked }));
        }
        let relatives: Vec<Relative> = locked.into_iter().filter(|one| sources.contains(&one.id)).collect();
        let mut changed = link_events(&links, &united_links, EventType::CustomersMerged, |customer| {
            let all = std::iter::once(&survivor).chain(&others);
            all.filter(|record| record.customer.id == customer).map(|record| record.customer.revision).sum()
        });
        changed.extend(others.iter().map(|other| merged_event(other, merge.survivor)));
        changed.extend(relatives.iter().map(|source| repointed_event(source, merge.survivor)));
        merge::become_merged(conn, caller, merging, &relatives, &changed, write(caller, at, options)).await?;

        let before =
            store::customers::load(conn, caller, merge.survivor, None, (&References::default(), None)).await?.seen;
        let mut after = before.customer.clone();
        after.fields = fields;
        after.revision += 1;
        after.updated = Stamp { at, by: caller.author().principal.clone() };
        // What the others had is the survivor's by now.
        let Customer { payment, billing, .. } = survivor.customer;
        let was = Customer { payment, billing, ..before.customer.clone() };
        let mut changes = Changes::of(&was, &after);
        let named: Vec<String> = ids.iter().map(ToString::to_string).collect();
        changes.0.insert("merged_customer_ids".to_owned(), Delta { old: serde_json::Value::Null, new: named.into() });
        let happened = (EventType::CustomersMerged, changes);
        let saved =
            store::customers::save_changes(conn, caller, &before, &after, happened, write(caller, at, options)).await?;
        if !saved {
            return Err(Error::internal("a locked customer was changed"));
        }
        images::keep_after(conn, scope, merge.survivor, merge_id).await?;
        let customer = self.details_in_transaction(conn, caller, merge.survivor, options).await?;
        Ok(Outcome::changed(MergeResult::unblocked(customer)))
    }
}

/// Reads the customers of a merge; each must exist for the caller, and be its own or below.
async fn read(conn: &mut PgConnection, attempt: &Attempt<'_>) -> Result<Read> {
    let Attempt { caller, merge, .. } = *attempt;
    let none = References::default();
    let survivor = store::customers::load(conn, caller, merge.survivor, None, (&none, None)).await?.seen;
    let mut others = Vec::with_capacity(merge.others.len());
    for (place, other) in merge.others.iter().enumerate() {
        match store::customers::load(conn, caller, other.id, None, (&none, None)).await {
            Ok(loaded) => others.push(loaded.seen),
            Err(Error::CustomerNotFound { .. }) => return Err(Error::CustomerNotFound { at: Some(field(place)) }),
            Err(failure) => return Err(failure),
        }
    }
    survivor.customer.must_be_ours(caller)?;
    for (place, other) in others.iter().enumerate() {
        other.customer.must_be_ours(caller).map_err(|refusal| Error::refused_at(refusal, field(place)))?;
    }
    Ok(Read { survivor, others })
}
