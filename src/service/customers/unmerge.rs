//! Undoes a merge: one transaction, rows locked in id order after the tenant's rule on names.

use std::collections::{BTreeMap, HashSet};

use sqlx::PgConnection;

use super::{
    CustomerDetails, Customers, merge_billing,
    merge_parts::link_events,
    ownership::conflict_is_lost_race,
    unmerge_parts::{Undoing, changed_fields, conflicts, lost_paths, unmerged_event},
};
use crate::{
    domain::{
        access::caller::Caller,
        customers::{
            customer::{Customer, Stamp},
            merge::UNDONE_DAYS,
            merge_blocker::UndoBlocker,
            status::Status,
        },
        duplicates::stored_keys,
        fields::{customer_fields::CustomerFields, references::References},
        history::{
            event::{Changes, Delta},
            event_type::EventType,
        },
        refusal::Refusal,
        requests::options::{Options, Outcome},
        search::Searchable,
        values::{ids::CustomerId, timestamp::Timestamp},
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
            merge::{
                self,
                images::{self, Image, KeptMerge},
                undo::{self as back, LostId, Restored},
            },
        },
    },
};

/// The result of undoing a merge.
#[derive(Clone, Debug)]
pub struct Unmerged {
    /// The customer that the call names.
    pub customer: CustomerDetails,
    /// What blocks it, under `validate_only`.
    pub blockers: Vec<UndoBlocker>,
    /// The fields that were changed after the merge, under `validate_only`.
    pub changed_fields: Vec<String>,
}

impl Unmerged {
    fn of(customer: CustomerDetails) -> Self {
        Self { customer, blockers: Vec::new(), changed_fields: Vec::new() }
    }
}

/// One call, with what its tries share.
struct Attempt<'a> {
    caller: &'a Caller,
    id: CustomerId,
    keep_newer: bool,
    options: &'a Options,
    etag: Option<Revisions>,
}

impl Customers {
    /// Undoes the merge by which a customer became MERGED.
    ///
    /// # Errors
    /// See the contract's UnmergeCustomers.
    pub async fn unmerge(
        &self,
        caller: &Caller,
        id: CustomerId,
        keep_newer: bool,
        options: &Options,
    ) -> Result<Outcome<Unmerged>> {
        let attempt = &Attempt { caller, id, keep_newer, options, etag: self.etag(caller, id, options)? };
        let run = |mut lease: Lease| async move {
            lease
                .transaction(end(options), async |conn| Box::pin(self.unmerge_locked(conn, attempt)).await)
                .await
                .map_err(conflict_is_lost_race)
        };
        let replay = async |answer| self.replay(caller, answer).await.map(Unmerged::of);
        self.mutations.run(Call::new(caller, options), run, replay).await
    }

    async fn unmerge_locked(&self, conn: &mut PgConnection, attempt: &Attempt<'_>) -> Result<Outcome<Unmerged>> {
        let Attempt { caller, id, keep_newer, options, etag } = *attempt;
        let (scope, none) = (caller.scope(), References::default());
        let rule = store::customers::ownership::hold_name_rule(conn, scope).await?;
        // Read without a lock first: all rows are locked in id order.
        let unlocked = store::customers::load(conn, caller, id, None, (&none, None)).await?.seen;
        unlocked.customer.must_be_ours(caller)?;
        let kept = images::last(conn, scope, id).await?.filter(|kept| kept.survivor != id);
        let parts = match kept {
            Some(kept) => images::read(conn, scope, kept.id).await?,
            None => Vec::new(),
        };
        let named = parts.iter().flat_map(|image| std::iter::once(image.customer).chain(image.sources.iter().copied()));
        let ids: HashSet<CustomerId> = named.chain([id]).collect();
        let locked = family::lock(conn, scope, &ids.into_iter().collect::<Vec<_>>()).await?;
        let now = store::customers::load(conn, caller, id, None, (&none, None)).await?.seen;
        now.customer.must_be_ours(caller)?;
        if let Some(answer) = find_stored(conn, caller, options).await? {
            return Ok(Outcome::replayed(Unmerged::of(self.replay_over(caller, now, answer)?)));
        }
        if now.customer.status == Status::Erased {
            return Err(Refusal::Erased.into());
        }
        now.customer.must_be_known()?;
        self.check_etag(conn, (caller, id), etag, &now).await?;
        // What was read before the lock must still be so.
        if images::last(conn, scope, id).await?.filter(|kept| kept.survivor != id) != kept {
            return Err(Error::LostRace);
        }
        let at = clock::now();
        let undoing = match self.undoing(conn, caller, &now.customer, kept, parts, &locked, at).await? {
            Ok(undoing) => undoing,
            Err(blocker) => return self.blocked(attempt, now, vec![blocker], Vec::new()),
        };
        let (fields, mut changed) = changed_fields(&undoing)?;
        let lost = back::lost_ids(conn, scope, undoing.kept.id).await?;
        changed.extend(lost_paths(caller, &lost));
        let blockers = conflicts(conn, caller, rule, &undoing, &fields).await?;
        if !blockers.is_empty() || (!changed.is_empty() && (options.validate_only || !keep_newer)) {
            return self.blocked(attempt, now, blockers, changed);
        }
        self.give_back(conn, attempt, &undoing, fields, &lost, at).await?;
        let customer = self.details_in_transaction(conn, caller, id, options).await?;
        Ok(Outcome::changed(Unmerged::of(customer)))
    }

    /// The answer, or the error, of a merge that is not undone. Under `validate_only` with `keep_newer`, changed fields do not
    /// keep it from being undone, but nothing is stored anyway.
    fn blocked(
        &self,
        attempt: &Attempt<'_>,
        now: CustomerRecord,
        blockers: Vec<UndoBlocker>,
        changed_fields: Vec<String>,
    ) -> Result<Outcome<Unmerged>> {
        if attempt.options.validate_only {
            let customer = self.mutated_details(attempt.caller, attempt.options, now)?;
            return Ok(Outcome::unchanged(Unmerged { customer, blockers, changed_fields }));
        }
        Err(match blockers.first() {
            Some(blocker) => Refusal::UndoBlocked(*blocker).into(),
            None => Refusal::ChangedSinceMerge(changed_fields).into(),
        })
    }

    /// The merge, if nothing but later changes is in the way.
    #[expect(clippy::too_many_arguments, reason = "all that was read of one merge")]
    async fn undoing(
        &self,
        conn: &mut PgConnection,
        caller: &Caller,
        customer: &Customer,
        kept: Option<KeptMerge>,
        mut parts: Vec<Image>,
        locked: &[Relative],
        at: Timestamp,
    ) -> Result<Result<Undoing, UndoBlocker>> {
        if customer.status.merged_into().is_none() {
            return Ok(Err(UndoBlocker::NotMerged));
        }
        let is_recent = |then: Timestamp| at - then <= chrono::TimeDelta::days(UNDONE_DAYS);
        let kept = match kept {
            Some(kept) if is_recent(kept.at) => kept,
            // The sweeper deletes images that are too old: others were deleted by an erasure.
            None if is_recent(customer.updated.at) => return Ok(Err(UndoBlocker::Erased)),
            Some(_) | None => return Ok(Err(UndoBlocker::TooLate)),
        };
        let survivor =
            match store::customers::load(conn, caller, kept.survivor, None, (&References::default(), None)).await {
                Ok(loaded) => loaded.seen,
                Err(Error::CustomerNotFound { .. }) => return Ok(Err(UndoBlocker::MovedOn)),
                Err(failure) => return Err(failure),
            };
        let others = parts.split_off(1.min(parts.len()));
        let Some(image) = parts.pop() else { return Ok(Err(UndoBlocker::Erased)) };
        let last = images::last(conn, caller.scope(), kept.survivor).await?;
        let relative = |id: CustomerId| locked.iter().find(|one| one.id == id).copied();
        let of_others: Vec<_> = others.iter().map(|other| (other, relative(other.customer))).collect();
        let stays = |one: Option<Relative>| one.and_then(|one| one.merged_into) == Some(kept.survivor);
        if last != Some(kept) || of_others.iter().any(|(_, now)| !stays(*now)) {
            return Ok(Err(UndoBlocker::LaterMerge));
        }
        if survivor.customer.owner != image.owner {
            return Ok(Err(UndoBlocker::MovedOn));
        }
        survivor.customer.must_be_changeable()?;
        let sources = of_others.iter().flat_map(|(other, _)| {
            let into = other.customer;
            // One that was erased meanwhile comes along no more.
            other.sources.iter().filter_map(move |id| Some((relative(*id).filter(|one| stays(Some(*one)))?, into)))
        });
        let sources = sources.collect();
        let others = of_others.into_iter().filter_map(|(other, now)| Some((other.clone(), now?))).collect();
        Ok(Ok(Undoing { kept, survivor, image, others, sources }))
    }

    async fn give_back(
        &self,
        conn: &mut PgConnection,
        attempt: &Attempt<'_>,
        undoing: &Undoing,
        fields: CustomerFields,
        lost: &[LostId],
        at: Timestamp,
    ) -> Result<()> {
        let Attempt { caller, options, .. } = *attempt;
        let (scope, survivor, merge_id) = (caller.scope(), undoing.kept.survivor, undoing.kept.id);
        let ids: Vec<CustomerId> = undoing.others.iter().map(|(other, _)| other.customer).collect();
        let all: Vec<CustomerId> = std::iter::once(survivor).chain(ids.iter().copied()).collect();
        let accounts = back::accounts(conn, scope, merge_id).await?;
        let links = merge::links(conn, scope, &all, &accounts).await?;
        back::give_back(conn, scope, merge_id, (survivor, &ids), (&accounts, lost)).await?;
        let now = &undoing.survivor.customer;
        merge_billing::give_back(conn, caller, (now, &undoing.image), &undoing.others).await?;
        let given_back = merge::links(conn, scope, &all, &accounts).await?;
        let mut changed = link_events(&links, &given_back, EventType::CustomersUnmerged, |customer| {
            let of_others = undoing.others.iter().find(|(other, _)| other.customer == customer);
            of_others.map_or(undoing.survivor.customer.revision, |(_, now)| now.revision)
        });

        // First the survivor, which may have a name or an order reference that goes back.
        let before = store::customers::load(conn, caller, survivor, None, (&References::default(), None)).await?.seen;
        let mut after = before.customer.clone();
        after.fields = fields;
        after.revision += 1;
        after.updated = Stamp { at, by: caller.author().principal.clone() };
        let was = Customer { billing: now.billing.clone(), ..before.customer.clone() };
        let mut changes = Changes::of(&was, &after);
        let named: Vec<String> = ids.iter().map(ToString::to_string).collect();
        changes.0.insert("merged_customer_ids".to_owned(), Delta { old: named.into(), new: serde_json::Value::Null });
        let happened = (EventType::CustomersUnmerged, changes);
        let unstored = Options { request: None, ..options.clone() };
        if !store::customers::save_changes(conn, caller, &before, &after, happened, write(caller, at, &unstored))
            .await?
        {
            return Err(Error::internal("a locked customer was changed"));
        }

        let mut restored = Vec::with_capacity(ids.len());
        for (image, now) in &undoing.others {
            let owner = undoing.image.owner;
            let references = store::customers::references::owned(conn, scope, owner, &image.fields.references).await?;
            let record =
                store::customers::load(conn, caller, image.customer, None, (&References::default(), None)).await?.seen;
            let mut customer = record.customer.clone();
            customer.status = image.status.clone();
            customer.fields.order_reference.clone_from(&image.fields.order_reference);
            customer.fields.references = references.clone();
            let text = Searchable::of(&customer.fields);
            // What it has active came back already.
            let mut was = record.customer;
            was.billing.features.clear();
            changed.push(unmerged_event(image.customer, now.revision, Changes::of(&was, &customer)));
            let duplicate_keys = stored_keys(&customer.fields);
            restored.push(Restored { customer: image.customer, references, text, duplicate_keys });
        }
        changed.extend(undoing.sources.iter().map(|(source, into)| {
            let [old, new] = [survivor, *into].map(|id| id.to_string().into());
            let changes = Changes(BTreeMap::from([("merged_into".to_owned(), Delta { old, new })]));
            unmerged_event(source.id, source.revision, changes)
        }));
        back::restore(conn, caller, merge_id, survivor, &restored, &changed, write(caller, at, &unstored)).await?;
        self.store_answer(conn, attempt, at).await
    }

    /// Stores the answer, which is about the customer as it is now.
    async fn store_answer(&self, conn: &mut PgConnection, attempt: &Attempt<'_>, at: Timestamp) -> Result<()> {
        let Attempt { caller, id, options, .. } = *attempt;
        let now = store::customers::load(conn, caller, id, None, (&References::default(), None)).await?.seen;
        images::store_answer(conn, caller, &now, write(caller, at, options)).await
    }
}
