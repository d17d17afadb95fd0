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
        search::fold,
        values::ids::BranchId,
    },
    error::{Error, Result},
    service::{
        access::cache::Stale,
        call, clock,
        mutation::{Call, end, find_stored, replay_as_stored, to_stored, write},
        page::{self, Page},
        pool::Lease,
        seal::PageContext,
    },
    store::{self, rows::ByName},
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
        let done = self.change_branch(caller, options, dms_integrated, |mut lease| async move {
            lease.transaction(end(options), async |conn| create_locked(conn, caller, branch, options).await).await
        });
        self.named(caller, Some(&branch.name), done.await).await
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
        let done = self.change_branch(caller, options, edit.dms_integrated.is_some(), |mut lease| async move {
            lease.transaction(end(options), async |conn| update_locked(conn, caller, id, edit, options).await).await
        });
        self.named(caller, edit.name.as_ref(), done.await).await
    }

    /// Deletes a branch of the acting account that no customer is in. A repeat finds no branch, but the stored answer.
    ///
    /// # Errors
    /// `BranchNotFound`, `BranchInUse`, `Narrowed`.
    pub async fn delete_branch(&self, caller: &Caller, id: BranchId, options: &Options) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        self.change_branch(caller, options, true, |mut lease| async move {
            lease.transaction(end(options), async |conn| delete_locked(conn, caller, id, options).await).await
        })
        .await
    }

    /// Runs a mutation of one branch. If it may change which branches are integrated with a dealer management system,
    /// the `dms_link` of customers follows at once in this process.
    async fn change_branch<A>(
        &self,
        caller: &Caller,
        options: &Options,
        changes_integration: bool,
        attempt: impl Fn(Lease) -> A,
    ) -> Result<Outcome<Answer>>
    where
        A: Future<Output = Result<Outcome<Answer>>>,
    {
        let stale = changes_integration.then(|| Stale::Account(caller.scope().tenant(), caller.scope().root()));
        let call = Call::new(caller, options).making_stale(stale);
        self.mutations.run(call, attempt, replay_as_stored).await
    }

    /// Turns a taken name into `BranchExists`, with the branch that has it.
    async fn named(
        &self,
        caller: &Caller,
        name: Option<&BranchName>,
        done: Result<Outcome<Answer>>,
    ) -> Result<Outcome<Answer>> {
        let name = match (done, name) {
            (Err(failure), Some(name)) if failure.broken_key() == Some("branches_account_id_name_key_key") => name,
            (done, _) => return done,
        };
        let by = async {
            let mut lease = self.pool.lease().await?;
            lease.run(async |conn| store::accounts::branches::find(conn, caller.scope(), name).await).await
        };
        Err(Error::BranchExists { by: by.await.unwrap_or_default() })
    }

    /// Lists the branches of the acting account by name, those with this text in it, each with its position. The text is folded.
    ///
    /// # Errors
    /// `PageToken`.
    pub async fn list_branches(
        &self,
        caller: &Caller,
        name: &str,
        size: usize,
        token: &str,
    ) -> Result<Page<(ByName, Branch)>> {
        let name = fold(name);
        let name = name.as_str();
        let after: Option<ByName> = self.sealer.open_page(&branches_context(caller, name), token)?;
        let after = after.unwrap_or_default();
        // With a name all that is left is read: an account has few branches.
        let limit = page::limit(if name.is_empty() { size } else { Branch::MAX_IN_ACCOUNT });
        let mut lease = self.pool.lease().await?;
        let mut found = lease
            .run(async |conn| store::accounts::branches::list(conn, caller.scope(), &after, limit, call::hold).await)
            .await?;
        if !name.is_empty() {
            found.items.retain(|(_, branch)| fold(branch.name.as_str()).contains(name));
        }
        Ok(Page::of(found, size))
    }

    /// The token of the page after this position.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn branches_token(&self, caller: &Caller, name: &str, last: &ByName) -> Result<String> {
        self.sealer.page_token(&branches_context(caller, &fold(name)), last)
    }
}

async fn create_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    branch: &Branch,
    options: &Options,
) -> Result<Outcome<Answer>> {
    store::accounts::lock_lists(conn, caller.scope()).await?;
    if let Some(answer) = find_stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(answer));
    }
    if store::accounts::branches::count(conn, caller.scope()).await? >= Branch::MAX_IN_ACCOUNT {
        return Err(Refusal::LimitReached("an account has at most 1,000 branches").into());
    }
    let answer = Answer::Branch { branch: branch.clone() };
    let write = write(caller, branch.created_at, options);
    store::accounts::branches::create(conn, caller.scope(), branch, to_stored(&answer, options)?, write).await?;
    Ok(Outcome::changed(answer))
}

async fn update_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    id: BranchId,
    edit: &BranchEdit,
    options: &Options,
) -> Result<Outcome<Answer>> {
    let before = store::accounts::branches::lock(conn, caller.scope(), id).await?;
    if let Some(answer) = find_stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(answer));
    }
    let after = before.edited(edit.clone());
    let answer = Answer::Branch { branch: after.clone() };
    if before == after {
        return Ok(Outcome::unchanged(answer));
    }
    let stored = to_stored(&answer, options)?;
    let write = write(caller, clock::now(), options);
    store::accounts::branches::update(conn, caller.scope(), &before, &after, stored, write).await?;
    Ok(Outcome::changed(answer))
}

async fn delete_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    id: BranchId,
    options: &Options,
) -> Result<Outcome<Answer>> {
    let branch = match store::accounts::branches::lock(conn, caller.scope(), id).await {
        // Not refused yet: the first call of this request may have deleted it.
        Err(Error::BranchNotFound) => None,
        branch => Some(branch?),
    };
    if let Some(answer) = find_stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(answer));
    }
    let branch = branch.ok_or(Error::BranchNotFound)?;
    if store::accounts::branches::is_used(conn, caller.scope(), id).await? {
        return Err(Refusal::BranchInUse.into());
    }
    let answer = Answer::BranchDeleted {};
    let (stored, write) = (to_stored(&answer, options)?, write(caller, clock::now(), options));
    store::accounts::branches::delete(conn, caller.scope(), &branch, stored, write).await?;
    Ok(Outcome::changed(answer))
}

fn branches_context<'a>(caller: &Caller, name: &'a str) -> PageContext<'a, str> {
    PageContext::new("ListBranches", caller, name)
}
