//! Adds tags to many customers and removes tags from them: one transaction, all or none. Locks are taken in one order:
//! the account's lists (if a tag is new), its tags, the customers by id. Then the customers are read and written in slices,
//! so that no statement takes long and no more than two slices are in memory.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;

use super::{BatchItem, BatchOutcomes, Customers, batch};
use crate::{
    domain::{
        access::caller::Caller,
        customers::{
            customer::{Change, Customer},
            link::Link,
        },
        requests::{
            answer::{Answer, BatchOutcome},
            options::{Options, Outcome},
        },
        tags::{
            tag::{Tag, TagName},
            tagging::TagOrder,
        },
        values::ids::{CustomerId, EventId, TagId},
    },
    error::{Error, Result},
    service::{
        call, clock,
        mutation::{end, find_stored, write},
        tags::new_tags,
    },
    store::{
        self, Write,
        customers::{Tagged, Tagging},
    },
};

/// The names of the tags to add and to remove: each list without repeats, no name in both.
#[derive(Clone, Debug)]
pub struct TagNames {
    /// Tags to add; those that the catalogue lacks are created.
    pub add: Vec<TagName>,
    /// Tags to remove.
    pub remove: Vec<TagName>,
}

/// The tags of those names.
struct NamedTags {
    add: Vec<Tag>,
    remove: HashSet<TagId>,
}

/// Customers that one statement tags: with the most tags it then takes a tenth of the time that a statement may take.
const SLICE: usize = 100;

impl Customers {
    /// Adds tags to customers and removes others, all or none. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's ModifyCustomerTags.
    pub async fn modify_tags(
        &self,
        caller: &Caller,
        batch: &[BatchItem],
        names: &TagNames,
        options: &Options,
    ) -> Result<Outcome<BatchOutcomes>> {
        let writes = batch.len() * (names.add.len() + names.remove.len());
        self.change_batch(caller, options, writes, |mut lease| async move {
            lease
                .transaction(end(options), async |conn| tag_locked(conn, caller, batch, names, options).await)
                .await
                // A tag was renamed to a new tag's name after this call looked for it. The next try finds it.
                .map_err(|failure| failure.on_key("tags_account_id_name_key_key", Error::LostRace))
        })
        .await
    }
}

async fn tag_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    batch: &[BatchItem],
    names: &TagNames,
    options: &Options,
) -> Result<Outcome<Answer>> {
    let mut tags = lock_tags(conn, caller, names).await?;
    // Every account that sees a customer may tag it.
    let customers = batch::lock(conn, caller, batch, |_| Ok(())).await?;
    if let Some(answer) = find_stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(answer));
    }
    batch::must_be_changeable(batch, &customers)?;
    let write = write(caller, clock::now(), options);
    let missing = missing(names, &tags);
    if !missing.is_empty() {
        let new = new_tags(conn, caller, missing).await?;
        store::tags::create(conn, caller.scope(), &new, None, write).await?;
        tags.extend(new.into_iter().map(|(tag, _)| tag));
    }
    let named = NamedTags::new(names, &tags);
    let (mut outcomes, mut undone, mut order) = (Vec::with_capacity(batch.len()), Vec::new(), TagOrder::default());
    for slice in batch.chunks(SLICE) {
        let mut links = read_links(conn, caller, slice, &mut order).await?;
        let mut changes = Vec::new();
        for item in slice {
            let (Some(known), link) = (customers.get(&item.id), links.remove(&item.id).unwrap_or_default()) else {
                continue;
            };
            let (outcome, change) = decide_tagging(&known.customer, link, &named, item, &mut order)?;
            outcomes.push(outcome);
            changes.extend(change);
        }
        // The last changes wait for the answer, which is stored with them.
        if !changes.is_empty() {
            let before = std::mem::replace(&mut undone, changes);
            save(conn, caller, &before, None, write).await?;
            call::note_progress();
        }
    }
    let answer = Answer::Batch { touched: outcomes };
    if undone.is_empty() {
        return Ok(Outcome::unchanged(answer));
    }
    save(conn, caller, &undone, Some(&answer), write).await?;
    Ok(Outcome::changed(answer))
}

async fn save(
    conn: &mut PgConnection,
    caller: &Caller,
    changes: &[Tagging],
    answer: Option<&Answer>,
    write: Write<'_>,
) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    store::customers::save_tagging(conn, caller, changes, answer, write).await
}

/// The acting account's links to the customers of a slice, with their tags by name.
async fn read_links(
    conn: &mut PgConnection,
    caller: &Caller,
    slice: &[BatchItem],
    order: &mut TagOrder,
) -> Result<HashMap<CustomerId, Link>> {
    let ids: Vec<CustomerId> = slice.iter().map(|item| item.id).collect();
    let tagged = store::customers::read_tags(conn, caller.scope(), &ids).await?;
    let on: HashSet<TagId> = tagged.iter().flat_map(|tagged| &tagged.tags).copied().collect();
    let on: Vec<TagId> = on.into_iter().collect();
    let tags: HashMap<TagId, Tag> =
        store::tags::get_all(conn, caller.scope(), &on).await?.into_iter().map(|tag| (tag.id, tag)).collect();
    let links = tagged.into_iter().map(|Tagged { customer, revision, tags: ids }| {
        let mut tags: Vec<Tag> = ids.iter().filter_map(|id| tags.get(id)).cloned().collect();
        order.sort(&mut tags);
        (customer, Link { revision, tags, ..Link::default() })
    });
    Ok(links.collect())
}

/// The catalogue's tags of those names, locked until the transaction ends. If a tag to add is missing, the account's
/// lists are locked as well, so that no other call adds it.
async fn lock_tags(conn: &mut PgConnection, caller: &Caller, names: &TagNames) -> Result<Vec<Tag>> {
    let all: Vec<&TagName> = names.add.iter().chain(&names.remove).collect();
    let tags = store::tags::hold_named(conn, caller.scope(), &all).await?;
    if missing(names, &tags).is_empty() {
        return Ok(tags);
    }
    store::accounts::lock_lists(conn, caller.scope()).await?;
    // The call that held the lists before may have added it.
    store::tags::hold_named(conn, caller.scope(), &all).await
}

fn missing(names: &TagNames, tags: &[Tag]) -> Vec<TagName> {
    let exists = |name: &&TagName| tags.iter().any(|tag| tag.name.key() == name.key());
    names.add.iter().filter(|name| !exists(name)).cloned().collect()
}

impl NamedTags {
    fn new(names: &TagNames, tags: &[Tag]) -> Self {
        let tags_of = |names: &[TagName]| {
            let keys: HashSet<&str> = names.iter().map(|name| name.key().as_str()).collect();
            tags.iter().filter(|tag| keys.contains(tag.name.key().as_str())).cloned().collect::<Vec<_>>()
        };
        let remove = tags_of(&names.remove).into_iter().map(|tag| tag.id).collect();
        Self { add: tags_of(&names.add), remove }
    }
}

/// Decides on one customer: its outcome, and what to write if its tags change.
fn decide_tagging(
    customer: &Customer,
    before: Link,
    named: &NamedTags,
    item: &BatchItem,
    order: &mut TagOrder,
) -> Result<(BatchOutcome, Option<Tagging>)> {
    let mut after = before.clone();
    let change = after.retag(&named.add, &named.remove, order);
    let change = change.map_err(|refusal| Error::refused_at(refusal, item.field()))?;
    let changed = change != Change::AlreadyMade;
    let (id, revision) = (customer.id, customer.revision);
    let outcome = BatchOutcome { customer: id, changed, revision, link_revision: after.revision };
    let event = EventId::from_uuid(clock::new_id());
    Ok((outcome, changed.then_some(Tagging { customer: id, revision, event, before, after })))
}
