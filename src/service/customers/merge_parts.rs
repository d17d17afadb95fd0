//! Merges and their undoing: rights, blockers and events.

use std::collections::{BTreeMap, HashMap};

use crate::{
    domain::{
        access::caller::Caller,
        customers::{link::Link, merge_blocker::MergeBlocker},
        fields::customer_fields::CustomerFields,
        history::{
            event::{Changes, Delta},
            event_type::EventType,
        },
        refusal::Refusal,
        requests::options::Options,
        values::{
            custom_id::MAX_SYSTEMS,
            enums::Role,
            ids::{AccountId, CustomerId, EventId},
        },
    },
    error::{Error, Result},
    service::clock,
    store::customers::{
        CustomerRecord,
        family::Relative,
        merge::{AccountLink, Changed},
    },
};

/// Most tags of one account on a customer.
const MAX_TAGS: usize = 100;

/// A customer that cannot be merged, with one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockedMerge {
    /// The customer.
    pub customer: CustomerId,
    /// The field of the request that names it.
    pub at: String,
    /// The reason.
    pub blocker: MergeBlocker,
}

impl BlockedMerge {
    fn error(self) -> Error {
        Error::Refused { refusal: Refusal::MergeBlocked(self.blocker), at: Some(self.at) }
    }
}

/// Refuses a caller that may not change custom IDs, if those of its account move.
pub(super) fn may_change_custom_ids(caller: &Caller, others: &[CustomerRecord]) -> Result<()> {
    let policy = &caller.account().policies.custom_id_role;
    let must_ask = caller.role() < Role::Admin || policy.role().is_err();
    if must_ask && others.iter().any(|other| !other.link.custom_ids.is_empty()) {
        caller.must_be(policy.role()?)?;
    }
    Ok(())
}

/// What blocks each customer, in the request's order.
pub(super) fn blockers(survivor: &CustomerRecord, others: &[CustomerRecord]) -> Vec<BlockedMerge> {
    let of = |customer: &CustomerRecord, at: String| {
        let (id, found) = (customer.customer.id, customer.customer.merge_blockers(&survivor.customer));
        found.into_iter().map(move |blocker| BlockedMerge { customer: id, at: at.clone(), blocker })
    };
    let first = of(survivor, "customer_id".to_owned());
    first.chain(others.iter().enumerate().flat_map(|(place, other)| of(other, field(place)))).collect()
}

pub(super) fn of_the_survivor(customer: CustomerId, blocker: MergeBlocker) -> BlockedMerge {
    BlockedMerge { customer, at: "customer_id".to_owned(), blocker }
}

/// What the survivor's links have too much of once they are united.
pub(super) fn too_many_on_links(links: &[AccountLink], survivor: CustomerId) -> Vec<BlockedMerge> {
    let too_many = links.iter().filter(|link| link.customer == survivor).flat_map(|link| {
        let found = [
            (link.link.custom_ids.len() > MAX_SYSTEMS, MergeBlocker::TooManyCustomIds),
            (link.link.tags.len() > MAX_TAGS, MergeBlocker::TooManyTags),
        ];
        found.into_iter().filter_map(|(there, blocker)| there.then_some(blocker))
    });
    let mut too_many: Vec<_> = too_many.map(|blocker| of_the_survivor(survivor, blocker)).collect();
    too_many.dedup();
    too_many
}

/// All blockers under `validate_only`; none: nothing is blocked.
///
/// # Errors
/// The first one, of a call that is not only validated.
pub(super) fn report(blockers: Vec<BlockedMerge>, options: &Options) -> Result<Option<Vec<BlockedMerge>>> {
    match blockers.into_iter() {
        mut blocked if !options.validate_only => blocked.next().map_or(Ok(None), |first| Err(first.error())),
        blocked if blocked.len() == 0 => Ok(None),
        blocked => Ok(Some(blocked.collect())),
    }
}

/// Refuses to empty fields that the owner's policy requires, and a new name under a rule of a newer release.
pub(super) fn must_keep_required(caller: &Caller, survivor: &CustomerRecord, fields: &CustomerFields) -> Result<()> {
    let required = &survivor.policies.required_to_create;
    let missing_before = required.missing(&survivor.customer.fields, &survivor.owner_ids);
    let mut missing = required.missing(fields, &survivor.owner_ids);
    missing.retain(|path| !missing_before.contains(path));
    if !missing.is_empty() {
        return Err(Refusal::RequiredToCreate(missing).into());
    }
    if fields.name.key() != survivor.customer.fields.name.key() {
        caller.account().must_know_name_rule()?;
    }
    Ok(())
}

/// An event for each link that changed, which its account alone sees.
pub(super) fn link_events(
    before: &[AccountLink],
    after: &[AccountLink],
    happened: EventType,
    revision: impl Fn(CustomerId) -> i64,
) -> Vec<Changed> {
    let key = |link: &AccountLink| (link.customer, link.account);
    let known: HashMap<(CustomerId, AccountId), &AccountLink> = before.iter().map(|link| (key(link), link)).collect();
    let empty = Link::default();
    let mut changed = Vec::new();
    for now in after {
        let was = known.get(&key(now)).map_or(&empty, |link| &link.link);
        if was.revision == now.link.revision {
            continue;
        }
        let mut changes = Changes::of_custom_ids(&was.custom_ids, &now.link.custom_ids);
        changes.0.extend(Changes::of_tags(&was.tags, &now.link.tags).0);
        changed.push(Changed {
            customer: now.customer,
            revision: revision(now.customer),
            audience: Some(now.account),
            happened,
            event: EventId::from_uuid(clock::new_id()),
            changes,
        });
    }
    changed
}

pub(super) fn merged_event(other: &CustomerRecord, into: CustomerId) -> Changed {
    let mut after = other.customer.clone();
    after.become_merged(into);
    Changed {
        customer: other.customer.id,
        revision: other.customer.revision + 1,
        audience: None,
        happened: EventType::Merged,
        event: EventId::from_uuid(clock::new_id()),
        changes: Changes::of(&other.customer, &after),
    }
}

/// The event of one that was merged before into one that is merged now.
pub(super) fn repointed_event(source: &Relative, into: CustomerId) -> Changed {
    let old = source.merged_into.map(|id| id.to_string()).into();
    let delta = Delta { old, new: into.to_string().into() };
    Changed {
        customer: source.id,
        revision: source.revision + 1,
        audience: None,
        happened: EventType::Merged,
        event: EventId::from_uuid(clock::new_id()),
        changes: Changes(BTreeMap::from([("merged_into".to_owned(), delta)])),
    }
}

pub(super) fn field(place: usize) -> String {
    format!("merged_customer_ids[{place}]")
}
