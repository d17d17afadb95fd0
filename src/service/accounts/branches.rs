//! Branches of accounts.

use sqlx::PgConnection;

use super::Accounts;
use crate::{
    domain::{
        access::caller::Caller,
        accounts::branch::{Branch, BranchEdit, BranchName},
        refusal::Refusal,
        requests::{
            answer::Answer,
            options::{Options, Outcome},
        },
        values::ids::BranchId,
    },
    error::{Error, Result},
    service::{
        clock,
        mutation::{end, retrying, settle, stored, write},
        page::{self, Page},
        seal::PageOf,
    },
    store,
};

impl Accounts {
    /// Adds a branch to the acting account.
    ///
    /// # Errors
    /// `BranchExists`, `LimitReached`, `Narrowed`.
    pub async fn create_branch(
        &self,
        caller: &Caller,
        name: BranchName,
        dms_integrated: bool,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        let id = BranchId::from_uuid(clock::new_id());
        let branch = &Branch { id, name, dms_integrated, created_at: clock::now() };
        let done = retrying(|| async move {
            let mut lease = self.pool.lease().await?;
            lease.transaction(end(options), async |conn| create_counted(conn, caller, branch, options).await).await
        })
        .await;
        self.branch_settled(caller, options, done).await
    }

    /// Changes a branch of the acting account.
    ///
    /// # Errors
    /// `BranchNotFound`, `BranchExists`, `Narrowed`.
    pub async fn update_branch(
        &self,
        caller: &Caller,
        id: BranchId,
        edit: &BranchEdit,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        let done = retrying(|| async move {
            let mut lease = self.pool.lease().await?;
            lease.transaction(end(options), async |conn| update_locked(conn, caller, id, edit, options).await).await
        })
        .await;
        match done {
            // Existence comes before the stored answer.
            Err(Error::BranchNotFound) => Err(Error::BranchNotFound),
            done => self.branch_settled(caller, options, done).await,
        }
    }

    /// Lists the branches of the acting account by folded name.
    ///
    /// # Errors
    /// `PageToken`.
    pub async fn list_branches(&self, caller: &Caller, size: usize, token: &str) -> Result<Page<Branch>> {
        let after: Option<String> = self.sealer.open_page(&branches_of(caller), token)?;
        let limit = page::limit(size);
        let mut lease = self.pool.lease().await?;
        let found = lease
            .run(async |conn| store::accounts::branches::list(conn, caller.scope(), after.as_deref(), limit).await)
            .await?;
        Ok(Page::of(found, size))
    }

    /// The token of the page after this branch.
    ///
    /// # Errors
    /// None that can happen.
    pub fn branches_after(&self, caller: &Caller, last: &Branch) -> Result<String> {
        self.sealer.page_token(&branches_of(caller), last.name.key())
    }

    /// What came of a write, or of its own first call. Customers' `dms_link` follows at once in this process.
    async fn branch_settled(
        &self,
        caller: &Caller,
        options: &Options,
        done: Result<Outcome<Answer>>,
    ) -> Result<Outcome<Answer>> {
        self.access.forget();
        let failure = match done {
            Err(failure) => failure,
            done => return done,
        };
        let request = options.request.as_ref();
        let settled = settle(&self.pool, caller.scope().tenant(), caller.author(), request, failure).await;
        settled.map(Outcome::replayed).map_err(|error| match error.broken_key() {
            Some("branches_account_id_name_key_key") => Error::BranchExists,
            _ => error,
        })
    }
}

async fn create_counted(
    conn: &mut PgConnection,
    caller: &Caller,
    branch: &Branch,
    options: &Options,
) -> Result<Outcome<Answer>> {
    store::accounts::lock_lists(conn, caller.scope()).await?;
    if store::accounts::branches::count(conn, caller.scope()).await? >= Branch::MAX_IN_ACCOUNT {
        return Err(Refusal::LimitReached("an account has at most 1,000 branches").into());
    }
    let answer = Answer::Branch { branch: branch.clone() };
    let write = write(caller, branch.created_at, options);
    store::accounts::branches::create(conn, caller.scope(), branch, stored(&answer, options)?, write).await?;
    Ok(Outcome::fresh(answer))
}

async fn update_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    id: BranchId,
    edit: &BranchEdit,
    options: &Options,
) -> Result<Outcome<Answer>> {
    let before = store::accounts::branches::lock(conn, caller.scope(), id).await?;
    if let Some(request) = &options.request
        && let Some(stored) = store::requests::find(conn, caller.scope().tenant(), caller.author(), request).await?
    {
        return stored.answer(request).map(Outcome::replayed);
    }
    let after = before.edited(edit.clone());
    let answer = Answer::Branch { branch: after.clone() };
    if before != after {
        let stored = stored(&answer, options)?;
        let write = write(caller, clock::now(), options);
        store::accounts::branches::update(conn, caller.scope(), &before, &after, stored, write).await?;
    }
    Ok(Outcome::fresh(answer))
}

fn branches_of(caller: &Caller) -> PageOf<'static, bool> {
    PageOf { list: "ListBranches", place: (caller.scope().tenant(), caller.scope().root()), query: &true }
}
