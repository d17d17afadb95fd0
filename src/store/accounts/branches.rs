//! Branches of accounts.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        access::caller::Scope,
        accounts::branch::{Branch, BranchName},
        history::event::Changes,
        values::{ids::BranchId, sort_key::SortKey, timestamp::Timestamp},
    },
    error::{Error, Result},
    store::{
        mutation::mutation,
        rows::{self, ByName, Room, Rows},
        write::Write,
    },
    telemetry::{RowStream as _, Statement as _},
};

struct Row {
    id: Uuid,
    name: String,
    dms_integrated: bool,
    created_at: Timestamp,
}

impl From<Row> for Branch {
    fn from(row: Row) -> Self {
        let Row { id, name, dms_integrated, created_at } = row;
        Self { id: BranchId::from_uuid(id), name: BranchName::from(name), dms_integrated, created_at }
    }
}

/// Lists the acting account's branches by name, those after the given position.
pub async fn list(
    conn: &mut PgConnection,
    scope: &Scope,
    after: &ByName,
    limit: i64,
    room: Room,
) -> Result<Rows<(ByName, Branch)>> {
    let rows = sqlx::query!(
        r#"
        select id, name, name_sort, dms_integrated, created_at from branches
        where tenant_id = $1 and account_id = $2 and (name_sort, id) > ($3, $4)
        order by name_sort, id
        limit $5
        "#,
        scope.tenant().get(),
        scope.root().get(),
        after.key.as_bytes(),
        after.id,
        limit,
    )
    .fetch(conn)
    .named("branches.list");
    rows::page(rows, room, |row| {
        let cost = size_of::<(ByName, Branch)>() + 2 * row.name.len() + row.name_sort.len();
        let at = ByName::new(row.name_sort, row.id);
        let (id, name, dms_integrated, created_at) = (row.id, row.name, row.dms_integrated, row.created_at);
        Ok(Some((cost, (at, Branch::from(Row { id, name, dms_integrated, created_at })))))
    })
    .await
}

/// Counts the acting account's branches.
pub async fn count(conn: &mut PgConnection, scope: &Scope) -> Result<usize> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from branches where tenant_id = $1 and account_id = $2"#,
        scope.tenant().get(),
        scope.root().get(),
    )
    .fetch_one(conn)
    .named("branches.count")
    .await?;
    usize::try_from(count).map_err(Error::internal)
}

/// Finds the acting account's branch of this name.
pub async fn find(conn: &mut PgConnection, scope: &Scope, name: &BranchName) -> Result<Option<BranchId>> {
    let id = sqlx::query_scalar!(
        "select id from branches where tenant_id = $1 and account_id = $2 and name_key = $3",
        scope.tenant().get(),
        scope.root().get(),
        name.key().as_str(),
    )
    .fetch_optional(conn)
    .named("branches.find")
    .await?;
    Ok(id.map(BranchId::from_uuid))
}

/// Locks one of the acting account's branches until the transaction ends, and reads it.
pub async fn lock(conn: &mut PgConnection, scope: &Scope, id: BranchId) -> Result<Branch> {
    sqlx::query_as!(
        Row,
        r#"
        select id, name, dms_integrated, created_at from branches
        where tenant_id = $1 and id = $2 and account_id = $3
        for update
        "#,
        scope.tenant().get(),
        id.get(),
        scope.root().get(),
    )
    .fetch_optional(conn)
    .named("branches.lock")
    .await?
    .map(Branch::from)
    .ok_or(Error::BranchNotFound)
}

/// Adds a branch to the acting account.
///
/// # Errors
/// A broken unique key, unmapped: the account has a branch of this name, or the request is a repeat.
pub async fn create(
    conn: &mut PgConnection,
    scope: &Scope,
    branch: &Branch,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let event = write.event("BRANCH_CREATED", Changes::of_branch(None, branch));
    let name_sort = SortKey::of(branch.name.as_str());
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(scope.tenant(), &[event], answer.as_slice()),
        "with written as (
            insert into branches (tenant_id, id, account_id, name, name_key, name_sort, dms_integrated, created_at)
            values ($1, $13, $12, $14, $15, $16, $17, $9)
            returning id
        )" RECORDED,
        scope.root().get(),
        branch.id.get(),
        branch.name.as_str(),
        branch.name.key().as_str(),
        name_sort.as_bytes(),
        branch.dms_integrated,
    )
    .fetch_one(conn)
    .named("branches.create")
    .await?;
    Ok(())
}

/// Writes a locked branch that has changed.
///
/// # Errors
/// A broken unique key, unmapped: another branch has the name, or the request is a repeat.
pub async fn update(
    conn: &mut PgConnection,
    scope: &Scope,
    before: &Branch,
    after: &Branch,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let event = write.event("BRANCH_UPDATED", Changes::of_branch(Some(before), after));
    let name_sort = SortKey::of(after.name.as_str());
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(scope.tenant(), &[event], answer.as_slice()),
        "with written as (
            update branches
            set name = $14, dms_integrated = $17, name_sort = $16,
                -- A name that stays keeps its key, which may be of an older rule: by today's another branch can have it.
                name_key = case when name = $14 then name_key else $15 end
            where tenant_id = $1 and id = $13 and account_id = $12
            returning id
        )" RECORDED,
        scope.root().get(),
        after.id.get(),
        after.name.as_str(),
        after.name.key().as_str(),
        name_sort.as_bytes(),
        after.dms_integrated,
    )
    .fetch_one(conn)
    .named("branches.update")
    .await?;
    Ok(())
}

/// Whether a customer is in a branch. No other call puts one into it while the branch is locked.
pub async fn is_used(conn: &mut PgConnection, scope: &Scope, id: BranchId) -> Result<bool> {
    let used = sqlx::query_scalar!(
        r#"select exists (select from customers where tenant_id = $1 and branch_id = $2) as "used!""#,
        scope.tenant().get(),
        id.get(),
    )
    .fetch_one(conn)
    .named("branches.is_used")
    .await?;
    Ok(used)
}

/// Deletes a locked branch that no customer is in.
///
/// # Errors
/// A broken unique key, unmapped: the request is a repeat.
pub async fn delete(
    conn: &mut PgConnection,
    scope: &Scope,
    branch: &Branch,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let event = write.event("BRANCH_DELETED", Changes::of_deleted_branch(branch));
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(scope.tenant(), &[event], answer.as_slice()),
        "with written as (
            delete from branches where tenant_id = $1 and id = $13 and account_id = $12
            returning id
        )" RECORDED,
        scope.root().get(),
        branch.id.get(),
    )
    .fetch_one(conn)
    .named("branches.delete")
    .await?;
    Ok(())
}
