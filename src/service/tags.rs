//! The acting account's catalogue of tags. What it puts on customers is with the customers: `customers/tagging.rs`.

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
        clock,
        mutation::{end, retrying, settle, stored, write},
        page::{self, Page},
        pool::Pool,
        seal::{PageOf, Sealer},
    },
    store,
};

/// The use cases on tags.
#[derive(Clone)]
pub struct Tags {
    pool: Pool,
    sealer: Arc<Sealer>,
}

impl Tags {
    pub(super) fn new(pool: Pool, sealer: Arc<Sealer>) -> Self {
        Self { pool, sealer }
    }

    /// Lists the acting account's tags by folded name, with how many customers have each.
    ///
    /// # Errors
    /// `PageToken`.
    pub async fn list(&self, caller: &Caller, size: usize, token: &str) -> Result<Page<TagUse>> {
        let after: Option<String> = self.sealer.open_page(&page_of(caller, &caller.scope().narrowed()), token)?;
        let limit = page::limit(size);
        let mut lease = self.pool.lease().await?;
        let found =
            lease.run(async |conn| store::tags::list(conn, caller.scope(), after.as_deref(), limit).await).await?;
        Ok(Page::of(found, size))
    }

    /// The token of the page after this tag.
    ///
    /// # Errors
    /// None that can happen.
    pub fn tags_after(&self, caller: &Caller, last: &TagUse) -> Result<String> {
        self.sealer.page_token(&page_of(caller, &caller.scope().narrowed()), last.tag.name.key())
    }

    /// Adds a tag to the catalogue.
    ///
    /// # Errors
    /// `TagExists`, `LimitReached`, `Narrowed`.
    pub async fn create(&self, caller: &Caller, name: &TagName, options: &Options) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        let done = retrying(|| async move {
            let mut lease = self.pool.lease().await?;
            lease.transaction(end(options), async |conn| create_counted(conn, caller, name, options).await).await
        })
        .await;
        self.settled(caller, options, done).await
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
        let done = retrying(|| async move {
            let mut lease = self.pool.lease().await?;
            lease.transaction(end(options), async |conn| rename_locked(conn, caller, id, name, options).await).await
        })
        .await;
        match done {
            // Existence comes before the stored answer.
            Err(Error::TagNotFound) => Err(Error::TagNotFound),
            done => self.settled(caller, options, done).await,
        }
    }

    /// Deletes a tag and takes it off all customers. A repeat, whose tag is gone, meets the stored answer.
    ///
    /// # Errors
    /// `TagNotFound`, `LimitReached`, `Narrowed`.
    pub async fn delete(&self, caller: &Caller, id: TagId, options: &Options) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        let done = retrying(|| async move {
            let mut lease = self.pool.lease().await?;
            lease.transaction(end(options), async |conn| delete_locked(conn, caller, id, options).await).await
        })
        .await;
        self.settled(caller, options, done).await
    }

    /// What came of a write, or of its own first call.
    async fn settled(
        &self,
        caller: &Caller,
        options: &Options,
        done: Result<Outcome<Answer>>,
    ) -> Result<Outcome<Answer>> {
        let failure = match done {
            Err(failure) => failure,
            done => return done,
        };
        let request = options.request.as_ref();
        let settled = settle(&self.pool, caller.scope().tenant(), caller.author(), request, failure).await;
        settled.map(Outcome::replayed).map_err(|error| match error.broken_key() {
            Some("tags_account_id_name_key_key") => Error::TagExists,
            _ => error,
        })
    }
}

async fn create_counted(
    conn: &mut PgConnection,
    caller: &Caller,
    name: &TagName,
    options: &Options,
) -> Result<Outcome<Answer>> {
    let new = must_fit(conn, caller, vec![name.clone()]).await?;
    let (tag, _) = new.first().ok_or_else(|| Error::internal("no new tag"))?;
    let answer = Answer::Tag { tag: tag.clone() };
    let stored = stored(&answer, options)?;
    store::tags::create(conn, caller.scope(), &new, stored, write(caller, clock::now(), options)).await?;
    Ok(Outcome::fresh(answer))
}

/// New tags of these names, each with the id of its event, if the catalogue has room for them. Nobody else adds to it
/// before the transaction ends.
pub(super) async fn must_fit(
    conn: &mut PgConnection,
    caller: &Caller,
    names: Vec<TagName>,
) -> Result<Vec<(Tag, EventId)>> {
    store::accounts::lock_lists(conn, caller.scope()).await?;
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
    if let Some(request) = &options.request
        && let Some(stored) = store::requests::find(conn, caller.scope().tenant(), caller.author(), request).await?
    {
        return stored.answer(request).map(Outcome::replayed);
    }
    let after = Tag { id, name: name.clone() };
    let answer = Answer::Tag { tag: after.clone() };
    if before != after {
        let stored = stored(&answer, options)?;
        let write = write(caller, clock::now(), options);
        store::tags::rename(conn, caller.scope(), &before, &after, stored, write).await?;
    }
    Ok(Outcome::fresh(answer))
}

async fn delete_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    id: TagId,
    options: &Options,
) -> Result<Outcome<Answer>> {
    let scope = caller.scope();
    let tag = store::tags::lock(conn, scope, id).await?;
    let customers = store::tags::lock_customers(conn, scope, &tag, page::limit(Tag::MAX_DELETED_FROM)).await?;
    if customers.len() > Tag::MAX_DELETED_FROM {
        return Err(Refusal::LimitReached("a tag on more than 10,000 customers is taken off them first").into());
    }
    let answer = Answer::TagDeleted { customers: customers.len() };
    let with_event = |customer: CustomerId| (customer, EventId::from_uuid(clock::new_id()));
    let customers: Vec<_> = customers.into_iter().map(with_event).collect();
    let stored = stored(&answer, options)?;
    store::tags::delete(conn, scope, &tag, &customers, stored, write(caller, clock::now(), options)).await?;
    Ok(Outcome::fresh(answer))
}

/// The counts depend on what the call is narrowed to, and so does the page.
fn page_of<'a>(caller: &Caller, narrowed: &'a Option<CustomerId>) -> PageOf<'a, Option<CustomerId>> {
    PageOf { list: "ListTags", place: (caller.scope().tenant(), caller.scope().root()), query: narrowed }
}
