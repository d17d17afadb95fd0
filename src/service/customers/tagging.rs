//! Tags put on many customers and taken off: one transaction, all or none. Locks are taken in one order: the account's
//! lists (if a tag is new), its tags, the customers by id.

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
        mutation::{end, retrying, write},
        tags::must_fit,
    },
    store::{
        self,
        customers::{CustomerRecord, Tagging},
    },
};

/// The names of the tags to put on and to take off, each list without repeats, none in both.
#[derive(Clone, Debug)]
pub struct TagNames {
    /// To put on; those that the catalogue lacks are created.
    pub add: Vec<TagName>,
    /// To take off.
    pub remove: Vec<TagName>,
}

/// The tags of those names.
struct Wanted {
    add: Vec<Tag>,
    remove: HashSet<TagId>,
    /// Those of `add` that the catalogue lacks, each with the id of its event.
    new: Vec<(Tag, EventId)>,
}

impl Customers {
    /// Puts tags on customers and takes others off, all or none. Safe to repeat.
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
        let done = retrying(|| async move {
            let mut lease = self.pool.lease().await?;
            lease.transaction(end(options), async |conn| tag_locked(conn, caller, batch, names, options).await).await
        })
        .await;
        self.outcomes(caller, options, done).await
    }
}

async fn tag_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    batch: &[BatchItem],
    names: &TagNames,
    options: &Options,
) -> Result<Outcome<Answer>> {
    let mut tags = hold_tags(conn, caller, names).await?;
    // Whoever sees a customer may tag it.
    let mut found = batch::lock(conn, caller, batch, |_| Ok(())).await?;
    if let Some(answer) = batch::stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(answer));
    }
    batch::must_be_known(batch, &found)?;
    let wanted = match missing(names, &tags) {
        new if new.is_empty() => Wanted::new(names, &tags, Vec::new()),
        new => {
            let new = must_fit(conn, caller, new).await?;
            tags.extend(new.iter().map(|(tag, _)| tag.clone()));
            Wanted::new(names, &tags, new)
        }
    };
    let (mut touched, mut changed) = (Vec::with_capacity(batch.len()), Vec::new());
    for named in batch {
        if let Some(seen) = found.remove(&named.id) {
            let (one, change) = touch(seen, &wanted, named)?;
            touched.push(one);
            changed.extend(change);
        }
    }
    save(conn, caller, &wanted, &changed, Answer::Batch { touched }, options).await
}

/// The catalogue's tags of those names, which stay as they are until the transaction ends. If one to be put on is
/// missing, nobody else adds to the catalogue any more.
async fn hold_tags(conn: &mut PgConnection, caller: &Caller, names: &TagNames) -> Result<Vec<Tag>> {
    let all: Vec<&TagName> = names.add.iter().chain(&names.remove).collect();
    let tags = store::tags::hold_named(conn, caller.scope(), &all).await?;
    if missing(names, &tags).is_empty() {
        return Ok(tags);
    }
    store::accounts::lock_lists(conn, caller.scope()).await?;
    // Who held the lists before may have added it.
    store::tags::hold_named(conn, caller.scope(), &all).await
}

fn missing(names: &TagNames, tags: &[Tag]) -> Vec<TagName> {
    let known = |name: &&TagName| tags.iter().any(|tag| tag.name.key() == name.key());
    names.add.iter().filter(|name| !known(name)).cloned().collect()
}

impl Wanted {
    fn new(names: &TagNames, tags: &[Tag], new: Vec<(Tag, EventId)>) -> Self {
        let named = |names: &[TagName]| {
            let wanted: HashSet<&str> = names.iter().map(|name| name.key().as_str()).collect();
            tags.iter().filter(|tag| wanted.contains(tag.name.key().as_str())).cloned().collect::<Vec<_>>()
        };
        let remove = named(&names.remove).into_iter().map(|tag| tag.id).collect();
        Self { add: named(&names.add), remove, new }
    }
}

/// Decides on one customer; what is to be written if its tags change.
fn touch(seen: CustomerRecord, wanted: &Wanted, named: &BatchItem) -> Result<(BatchOutcome, Option<Tagging>)> {
    let mut after = seen.link.clone();
    let change = after.retag(&wanted.add, &wanted.remove).map_err(|refusal| Error::refused_at(refusal, named.at()))?;
    let changed = change != Change::AlreadyMade;
    let customer = seen.customer.id;
    let touched = BatchOutcome { customer, changed, revision: seen.customer.revision, link_revision: after.revision };
    let event = EventId::from_uuid(clock::new_id());
    Ok((touched, changed.then_some(Tagging { customer, event, before: seen.link, after })))
}

async fn save(
    conn: &mut PgConnection,
    caller: &Caller,
    wanted: &Wanted,
    changed: &[Tagging],
    answer: Answer,
    options: &Options,
) -> Result<Outcome<Answer>> {
    if changed.is_empty() {
        return Ok(Outcome::fresh(answer));
    }
    let write = write(caller, clock::now(), options);
    if !wanted.new.is_empty() {
        store::tags::create(conn, caller.scope(), &wanted.new, None, write).await?;
    }
    store::customers::save_tagging(conn, caller, changed, &answer, write).await?;
    Ok(Outcome::fresh(answer))
}
