//! Adds tags to many customers and removes tags from them: one transaction, all or none. Locks are taken in one order:
//! the account's lists (if a tag is new), its tags, the customers by id.

use std::collections::HashSet;

use sqlx::PgConnection;

use super::{BatchItem, BatchOutcomes, Customers, batch};
use crate::{
    domain::{
        access::caller::Caller,
        customers::customer::Change,
        requests::{
            answer::{Answer, BatchOutcome},
            options::{Options, Outcome},
        },
        tags::tag::{Tag, TagName},
        values::ids::{EventId, TagId},
    },
    error::{Error, Result},
    service::{
        clock,
        mutation::{end, find_stored, write},
        tags::new_tags,
    },
    store::{
        self,
        customers::{CustomerRecord, Tagging},
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
    /// Those of `add` that the catalogue lacks, each with the id of its event.
    new: Vec<(Tag, EventId)>,
}

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
        self.change_batch(caller, options, |mut lease| async move {
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
    let mut records = batch::lock(conn, caller, batch, |_| Ok(())).await?;
    if let Some(answer) = find_stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(answer));
    }
    batch::must_be_known(batch, &records)?;
    let named = match missing(names, &tags) {
        missing if missing.is_empty() => NamedTags::new(names, &tags, Vec::new()),
        missing => {
            let new = new_tags(conn, caller, missing).await?;
            tags.extend(new.iter().map(|(tag, _)| tag.clone()));
            NamedTags::new(names, &tags, new)
        }
    };
    let (mut outcomes, mut changes) = (Vec::with_capacity(batch.len()), Vec::new());
    for item in batch {
        if let Some(record) = records.remove(&item.id) {
            let (outcome, change) = decide_tagging(record, &named, item)?;
            outcomes.push(outcome);
            changes.extend(change);
        }
    }
    save(conn, caller, &named, &changes, Answer::Batch { touched: outcomes }, options).await
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
    fn new(names: &TagNames, tags: &[Tag], new: Vec<(Tag, EventId)>) -> Self {
        let tags_of = |names: &[TagName]| {
            let keys: HashSet<&str> = names.iter().map(|name| name.key().as_str()).collect();
            tags.iter().filter(|tag| keys.contains(tag.name.key().as_str())).cloned().collect::<Vec<_>>()
        };
        let remove = tags_of(&names.remove).into_iter().map(|tag| tag.id).collect();
        Self { add: tags_of(&names.add), remove, new }
    }
}

/// Decides on one customer: its outcome, and what to write if its tags change.
fn decide_tagging(
    record: CustomerRecord,
    named: &NamedTags,
    item: &BatchItem,
) -> Result<(BatchOutcome, Option<Tagging>)> {
    let mut after = record.link.clone();
    let change = after.retag(&named.add, &named.remove).map_err(|refusal| Error::refused_at(refusal, item.field()))?;
    let changed = change != Change::AlreadyMade;
    let customer = record.customer.id;
    let revision = record.customer.revision;
    let outcome = BatchOutcome { customer, changed, revision, link_revision: after.revision };
    let event = EventId::from_uuid(clock::new_id());
    Ok((outcome, changed.then_some(Tagging { customer, revision, event, before: record.link, after })))
}

async fn save(
    conn: &mut PgConnection,
    caller: &Caller,
    named: &NamedTags,
    changes: &[Tagging],
    answer: Answer,
    options: &Options,
) -> Result<Outcome<Answer>> {
    if changes.is_empty() {
        return Ok(Outcome::unchanged(answer));
    }
    let write = write(caller, clock::now(), options);
    if !named.new.is_empty() {
        store::tags::create(conn, caller.scope(), &named.new, None, write).await?;
    }
    store::customers::save_tagging(conn, caller, changes, &answer, write).await?;
    Ok(Outcome::changed(answer))
}
