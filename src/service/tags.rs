//! The acting account's catalogue of tags. Tagging customers is in `customers/tagging.rs`.

use std::sync::Arc;

use sqlx::PgConnection;

use crate::{
    domain::{
        access::caller::Caller,
        refusal::Refusal,
        requests::{
            answer::Answer,
            options::{Options, Outcome},
        },
        tags::tag::{Tag, TagName, TagUse},
        values::ids::{CustomerId, EventId, TagId},
    },
    error::{Error, Result},
    service::{
        call, clock,
        mutation::{Call, Mutations, end, find_stored, replay_as_stored, to_stored, write},
        page::{self, Page},
        pool::{Lease, Pool},
        seal::{PageContext, Sealer},
    },
    store::{self, rows::ByName},
};

/// The use cases on tags.
#[derive(Clone)]
pub struct Tags {
    pool: Pool,
    mutations: Mutations,
    sealer: Arc<Sealer>,
}

impl Tags {
    pub(super) fn new(pool: Pool, mutations: Mutations, sealer: Arc<Sealer>) -> Self {
        Self { pool, mutations, sealer }
    }

    /// Lists the acting account's tags by name, each with its position and its number of customers.
    ///
    /// # Errors
    /// `PageToken`.
    pub async fn list(&self, caller: &Caller, size: usize, token: &str) -> Result<Page<(ByName, TagUse)>> {
        let after: Option<ByName> = self.sealer.open_page(&page_context(caller, &caller.scope().narrowed()), token)?;
        let after = after.unwrap_or_default();
        let limit = page::limit(size);
        let mut lease = self.pool.lease().await?;
        let found =
            lease.run(async |conn| store::tags::list(conn, caller.scope(), &after, limit, call::hold).await).await?;
        Ok(Page::of(found, size))
    }

    /// The token of the page after this position.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn tags_token(&self, caller: &Caller, last: &ByName) -> Result<String> {
        self.sealer.page_token(&page_context(caller, &caller.scope().narrowed()), last)
    }

    /// Adds a tag to the catalogue.
    ///
    /// # Errors
    /// `TagExists`, `LimitReached`, `Narrowed`.
    pub async fn create(&self, caller: &Caller, name: &TagName, options: &Options) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        let done = self.change(caller, options, |mut lease| async move {
            lease.transaction(end(options), async |conn| create_locked(conn, caller, name, options).await).await
        });
        self.named(caller, name, done.await).await
    }

    /// Gives a tag another name.
    ///
    /// # Errors
    /// `TagNotFound`, `TagExists`, `Narrowed`.
    pub async fn rename(
        &self,
        caller: &Caller,
        id: TagId,
        name: &TagName,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        let done = self.change(caller, options, |mut lease| async move {
            lease.transaction(end(options), async |conn| rename_locked(conn, caller, id, name, options).await).await
        });
        self.named(caller, name, done.await).await
    }

    /// Deletes a tag and removes it from all customers. A repeat finds no tag, but the stored answer.
    ///
    /// # Errors
    /// `TagNotFound`, `LimitReached`, `Narrowed`.
    pub async fn delete(&self, caller: &Caller, id: TagId, options: &Options) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        self.change(caller, options, |mut lease| async move {
            lease.transaction(end(options), async |conn| delete_locked(conn, caller, id, options).await).await
        })
        .await
    }

    async fn change<A>(
        &self,
        caller: &Caller,
        options: &Options,
        attempt: impl Fn(Lease) -> A,
    ) -> Result<Outcome<Answer>>
    where
        A: Future<Output = Result<Outcome<Answer>>>,
    {
        self.mutations.run(Call::new(caller, options), attempt, replay_as_stored).await
    }

    /// Turns a taken name into `TagExists`, with the tag that has it.
    async fn named(&self, caller: &Caller, name: &TagName, done: Result<Outcome<Answer>>) -> Result<Outcome<Answer>> {
        match done {
            Err(failure) if failure.broken_key() == Some("tags_account_id_name_key_key") => {}
            done => return done,
        }
        let by = async {
            let mut lease = self.pool.lease().await?;
            lease.run(async |conn| store::tags::find(conn, caller.scope(), name).await).await
        };
        Err(Error::TagExists { by: by.await.unwrap_or_default() })
    }
}

async fn create_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    name: &TagName,
    options: &Options,
) -> Result<Outcome<Answer>> {
    store::accounts::lock_lists(conn, caller.scope()).await?;
    if let Some(answer) = find_stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(answer));
    }
    let new = new_tags(conn, caller, vec![name.clone()]).await?;
    let (tag, _) = new.first().ok_or_else(|| Error::internal("no new tag"))?;
    let answer = Answer::Tag { tag: tag.clone() };
    let stored = to_stored(&answer, options)?;
    store::tags::create(conn, caller.scope(), &new, stored, write(caller, clock::now(), options)).await?;
    Ok(Outcome::changed(answer))
}

/// New tags of these names, each with the id of its event. The account's lists must be locked.
///
/// # Errors
/// `LimitReached` if the catalogue has no room for them.
pub(super) async fn new_tags(
    conn: &mut PgConnection,
    caller: &Caller,
    names: Vec<TagName>,
) -> Result<Vec<(Tag, EventId)>> {
    if store::tags::count(conn, caller.scope()).await? + names.len() > Tag::MAX_IN_ACCOUNT {
        return Err(Refusal::LimitReached("an account has at most 2,000 tags").into());
    }
    let new = |name| {
        let tag = Tag { id: TagId::from_uuid(clock::new_id()), name };
        (tag, EventId::from_uuid(clock::new_id()))
    };
    Ok(names.into_iter().map(new).collect())
}

async fn rename_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    id: TagId,
    name: &TagName,
    options: &Options,
) -> Result<Outcome<Answer>> {
    let before = store::tags::lock(conn, caller.scope(), id).await?;
    if let Some(answer) = find_stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(answer));
    }
    let after = Tag { id, name: name.clone() };
    let answer = Answer::Tag { tag: after.clone() };
    if before == after {
        return Ok(Outcome::unchanged(answer));
    }
    let stored = to_stored(&answer, options)?;
    let write = write(caller, clock::now(), options);
    store::tags::rename(conn, caller.scope(), &before, &after, stored, write).await?;
    Ok(Outcome::changed(answer))
}

async fn delete_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    id: TagId,
    options: &Options,
) -> Result<Outcome<Answer>> {
    let scope = caller.scope();
    let tag = match store::tags::lock(conn, scope, id).await {
        // Not refused yet: the first call of this request may have deleted it.
        Err(Error::TagNotFound) => None,
        tag => Some(tag?),
    };
    if let Some(answer) = find_stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(answer));
    }
    let tag = tag.ok_or(Error::TagNotFound)?;
    let customers = store::tags::lock_customers(conn, scope, &tag, page::limit(Tag::MAX_DELETED_FROM)).await?;
    if customers.len() > Tag::MAX_DELETED_FROM {
        return Err(Refusal::LimitReached("a tag on more than 10,000 customers is taken off them first").into());
    }
    let answer = Answer::TagDeleted { customers: customers.len() };
    let with_event = |customer: CustomerId| (customer, EventId::from_uuid(clock::new_id()));
    let customers: Vec<_> = customers.into_iter().map(with_event).collect();
    let stored = to_stored(&answer, options)?;
    store::tags::delete(conn, scope, &tag, &customers, stored, write(caller, clock::now(), options)).await?;
    Ok(Outcome::changed(answer))
}

/// The context of ListTags' pages. The counts, and so the pages, depend on the customer that the call is narrowed to.
fn page_context<'a>(caller: &Caller, narrowed: &'a Option<CustomerId>) -> PageContext<'a, Option<CustomerId>> {
    PageContext::new("ListTags", caller, narrowed)
}
