//! Rate plans of accounts. Changes are in `plan_changes`.

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    domain::{
        access::caller::Scope,
        billing::{
            rate_plan::{PlanTerms, Prices, RatePlan},
            refusal::BillingRefusal,
        },
        refusal::Refusal,
        values::{
            ids::{AccountId, RatePlanId},
            text::Text,
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    store::{
        rows::{self, Document, Room, Rows},
        sql::sql,
    },
    telemetry::{RowStream as _, Statement as _},
};

/// Memory of one price beside its text.
const PRICE: usize = 128;

struct Row {
    id: Uuid,
    account_id: Uuid,
    name: String,
    currency: String,
    prices: Document<Prices>,
    created_at: Timestamp,
    archived_at: Option<Timestamp>,
}

impl From<Row> for RatePlan {
    fn from(row: Row) -> Self {
        Self {
            id: RatePlanId::from_uuid(row.id),
            account: AccountId::from_uuid(row.account_id),
            name: Text::stored(row.name),
            currency: Text::stored(row.currency),
            prices: row.prices.value,
            created_at: row.created_at,
            archived_at: row.archived_at,
        }
    }
}

/// The account whose list applies to an account that the scope may act in: the nearest one at or above it with a plan.
///
/// # Errors
/// `AccountNotFound`.
pub async fn list_account(conn: &mut PgConnection, scope: &Scope, account: AccountId) -> Result<Option<AccountId>> {
    let found = sqlx::query!(
        r#"
        select (
            select u.id from unnest(a.ancestors) with ordinality as u (id, nth)
            where exists (
                select from rate_plans p where p.tenant_id = $1 and p.account_id = u.id and p.archived_at is null
            )
            order by u.nth
            limit 1
        ) as "id?"
        from accounts a
        where a.tenant_id = $1 and a.id = $2 and $3 = any(a.ancestors)
        "#,
        scope.tenant().get(),
        account.get(),
        scope.root().get(),
    )
    .fetch_optional(conn)
    .named("rate_plans.list_account")
    .await?
    .ok_or(Error::AccountNotFound)?;
    Ok(found.id.map(AccountId::from_uuid))
}

/// The place of a plan in a list: archived ones come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// Whether it is archived.
    pub archived: bool,
    /// Its position.
    pub position: i32,
    /// Its id.
    pub id: Uuid,
}

/// Lists an account's plans in their order, those after the given place; archived ones last, if they are asked for.
pub async fn list(
    conn: &mut PgConnection,
    scope: &Scope,
    account: AccountId,
    (archived, after): (bool, Option<Place>),
    limit: i64,
    room: Room,
) -> Result<Rows<(Place, RatePlan)>> {
    let after = after.unwrap_or(Place { archived: false, position: -1, id: Uuid::nil() });
    let rows = sqlx::query!(
        r#"
        select id, account_id, name, currency, prices as "prices: Document<Prices>", position, created_at, archived_at
        from rate_plans
        where tenant_id = $1 and account_id = $2 and (archived_at is null or $3::boolean)
          and (archived_at is not null, position, id) > ($4, $5, $6)
        order by archived_at is not null, position, id
        limit $7
        "#,
        scope.tenant().get(),
        account.get(),
        archived,
        after.archived,
        after.position,
        after.id,
        limit,
    )
    .fetch(conn)
    .named("rate_plans.list");
    rows::page(rows, room, |row| {
        let cost = 2 * (size_of::<RatePlan>() + row.name.len()) + row.prices.bytes + PRICE * row.prices.value.len();
        let place = Place { archived: row.archived_at.is_some(), position: row.position, id: row.id };
        let (id, account_id, created_at, archived_at) = (row.id, row.account_id, row.created_at, row.archived_at);
        let (name, currency, prices) = (row.name, row.currency, row.prices);
        let plan = Row { id, account_id, name, currency, prices, created_at, archived_at };
        Ok(Some((cost, (place, RatePlan::from(plan)))))
    })
    .await
}

/// The first plan of the list that applies to an account, without its prices.
pub async fn first(conn: &mut PgConnection, scope: &Scope, account: AccountId) -> Result<Option<PlanTerms>> {
    let first = sql!(
        query_scalar,
        "select " FIRST_PLAN r#" as "first?: Json<PlanTerms>" from accounts a where a.tenant_id = $1 and a.id = $2"#,
        scope.tenant().get(),
        account.get(),
    )
    .fetch_one(conn)
    .named("rate_plans.first")
    .await?;
    Ok(first.map(|first| first.0))
}

/// A plan of the list that applies to an account, archived or not, without its prices.
pub async fn listed(
    conn: &mut PgConnection,
    scope: &Scope,
    account: AccountId,
    plan: RatePlanId,
) -> Result<Option<PlanTerms>> {
    let Some(list) = list_account(&mut *conn, scope, account).await? else { return Ok(None) };
    let found = sqlx::query!(
        r#"
        select currency, archived_at is not null as "archived!" from rate_plans
        where tenant_id = $1 and id = $2 and account_id = $3
        "#,
        scope.tenant().get(),
        plan.get(),
        list.get(),
    )
    .fetch_optional(conn)
    .named("rate_plans.listed")
    .await?;
    Ok(found.map(|row| PlanTerms {
        id: plan,
        account: list,
        currency: Text::stored(row.currency),
        prices: Prices::new(),
        archived: row.archived,
    }))
}

/// Locks one of the acting account's plans until the transaction ends. Activations that need its prices wait.
///
/// # Errors
/// `RatePlanNotFound`.
pub async fn lock(conn: &mut PgConnection, scope: &Scope, id: RatePlanId) -> Result<RatePlan> {
    let row = sqlx::query_as!(
        Row,
        r#"
        select id, account_id, name, currency, prices as "prices: Document<Prices>", created_at, archived_at
        from rate_plans
        where tenant_id = $1 and id = $2 and account_id = $3
        for update
        "#,
        scope.tenant().get(),
        id.get(),
        scope.root().get(),
    )
    .fetch_optional(conn)
    .named("rate_plans.lock")
    .await?;
    row.map(RatePlan::from).ok_or_else(|| Refusal::from(BillingRefusal::RatePlanNotFound).into())
}

/// How many plans the acting account has: in its list, and all.
pub async fn count(conn: &mut PgConnection, scope: &Scope) -> Result<(usize, usize)> {
    let row = sqlx::query!(
        r#"
        select count(*) filter (where archived_at is null) as "listed!", count(*) as "all!" from rate_plans
        where tenant_id = $1 and account_id = $2
        "#,
        scope.tenant().get(),
        scope.root().get(),
    )
    .fetch_one(conn)
    .named("rate_plans.count")
    .await?;
    Ok((usize::try_from(row.listed).map_err(Error::internal)?, usize::try_from(row.all).map_err(Error::internal)?))
}

/// The acting account's list, in its order.
pub async fn order(conn: &mut PgConnection, scope: &Scope) -> Result<Vec<RatePlanId>> {
    let ids = sqlx::query_scalar!(
        r#"
        select id from rate_plans
        where tenant_id = $1 and account_id = $2 and archived_at is null
        order by position, id
        "#,
        scope.tenant().get(),
        scope.root().get(),
    )
    .fetch_all(conn)
    .named("rate_plans.order")
    .await?;
    Ok(ids.into_iter().map(RatePlanId::from_uuid).collect())
}
