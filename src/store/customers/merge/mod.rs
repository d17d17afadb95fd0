//! Merging customers: what belongs to those that go moves to the one that stays. What is kept of a merge to undo it is in
//! `images`, whatever belongs to a customer is united in `unite`, and nowhere else.
//!
//! All of it runs in one transaction, under locks of all customers of the merge.

pub mod billing;
pub mod images;
mod lost;
mod payment_methods;
pub mod undo;
mod unite;

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

pub use self::unite::unite;
use super::family::Relative;
use crate::{
    domain::{
        access::caller::{Caller, Scope},
        customers::link::Link,
        history::{event::Changes, event_type::EventType},
        values::ids::{AccountId, CustomerId, EventId},
    },
    error::Result,
    store::{
        mutation::mutation,
        write::{NewAnswer, NewEvent, Write},
    },
    telemetry::Statement as _,
};

/// Those that are merged, and the one that stays.
#[derive(Clone, Copy, Debug)]
pub struct Merging<'a> {
    /// The one that stays.
    pub survivor: CustomerId,
    /// The others, in the request's order.
    pub others: &'a [CustomerId],
}

impl Merging<'_> {
    fn others(&self) -> Vec<Uuid> {
        self.others.iter().map(|id| id.get()).collect()
    }

    fn all(&self) -> Vec<Uuid> {
        std::iter::once(self.survivor).chain(self.others.iter().copied()).map(CustomerId::get).collect()
    }
}

/// An account's link to one of the customers, with its tags by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountLink {
    /// The customer.
    pub customer: CustomerId,
    /// The account.
    pub account: AccountId,
    /// The link.
    pub link: Link,
}

/// The accounts that keep custom IDs, also former ones, or tags on one of those that go: at most `limit` of them.
pub async fn accounts(
    conn: &mut PgConnection,
    scope: &Scope,
    others: &[CustomerId],
    limit: i64,
) -> Result<Vec<AccountId>> {
    let ids: Vec<Uuid> = others.iter().map(|id| id.get()).collect();
    let accounts = sqlx::query_scalar!(
        r#"
        select distinct k.account_id as "account_id!" from (
            select i.account_id from custom_ids i where i.tenant_id = $1 and i.customer_id = any($2)
            union all
            select g.account_id from customer_tags g where g.tenant_id = $1 and g.customer_id = any($2)
        ) k
        order by 1
        limit $3
        "#,
        scope.tenant().get(),
        &ids,
        limit,
    )
    .fetch_all(conn)
    .named("merge.accounts")
    .await?;
    Ok(accounts.into_iter().map(AccountId::from_uuid).collect())
}

/// The links of these accounts to these customers. One that was never written is not among them.
pub async fn links(
    conn: &mut PgConnection,
    scope: &Scope,
    customers: &[CustomerId],
    accounts: &[AccountId],
) -> Result<Vec<AccountLink>> {
    let rows = sqlx::query!(
        r#"
        select l.customer_id, l.account_id,
               jsonb_build_object('revision', l.revision, 'custom_ids', l.custom_ids, 'tags', (
                   select coalesce(
                       jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name) order by t.name_sort, t.id), '[]'
                   )
                   from tags t where t.tenant_id = l.tenant_id and t.id = any(l.tags)
               )) as "link!: Json<Link>"
        from customer_links l
        where l.tenant_id = $1 and l.customer_id = any($2) and l.account_id = any($3)
        order by l.customer_id, l.account_id
        "#,
        scope.tenant().get(),
        &customers.iter().map(|id| id.get()).collect::<Vec<_>>(),
        &accounts.iter().map(|id| id.get()).collect::<Vec<_>>(),
    )
    .fetch_all(conn)
    .named("merge.links")
    .await?;
    let link = |customer, account, link: Json<Link>| AccountLink {
        customer: CustomerId::from_uuid(customer),
        account: AccountId::from_uuid(account),
        link: link.0,
    };
    Ok(rows.into_iter().map(|row| link(row.customer_id, row.account_id, row.link)).collect())
}

/// Repeats the owner's link in the rows of these customers.
async fn copy_owners_links(conn: &mut PgConnection, scope: &Scope, customers: &[Uuid]) -> Result<()> {
    sqlx::query!(
        "
        update customers c set owner_link_revision = l.revision, owner_custom_ids = l.custom_ids, owner_tags = l.tags
        from customer_links l
        where c.tenant_id = $1 and c.id = any($2) and l.tenant_id = $1 and l.customer_id = c.id and l.account_id = c.account_id
          and l.revision <> c.owner_link_revision
        ",
        scope.tenant().get(),
        customers,
    )
    .execute(conn)
    .named("merge.copy_owners_links")
    .await?;
    Ok(())
}

/// An event of a customer that a merge, or its undoing, changed.
#[derive(Clone, Debug)]
pub struct Changed {
    /// The customer.
    pub customer: CustomerId,
    /// Its revision after the change.
    pub revision: i64,
    /// The account that alone sees the event; none: all that see the customer.
    pub audience: Option<AccountId>,
    /// What happened.
    pub happened: EventType,
    /// The id of the event.
    pub event: EventId,
    /// The changed fields.
    pub changes: Changes,
}

fn events<'a>(changed: &'a [Changed], write: Write<'a>) -> Vec<NewEvent<&'a Changes>> {
    let event = |changed: &'a Changed| NewEvent {
        id: changed.event,
        customer_id: Some(changed.customer),
        revision: Some(changed.revision),
        audience: changed.audience,
        ..write.event(changed.happened.as_str(), &changed.changes)
    };
    changed.iter().map(event).collect()
}

/// Makes those that go MERGED, and lets those that were merged into them before name the one that stays. Writes all events but the
/// survivor's own.
pub async fn become_merged(
    conn: &mut PgConnection,
    caller: &Caller,
    merging: Merging<'_>,
    sources: &[Relative],
    changed: &[Changed],
    write: Write<'_>,
) -> Result<()> {
    let sources: Vec<Uuid> = sources.iter().map(|source| source.id.get()).collect();
    mutation!(
        write.recorded(caller.scope().tenant(), &events(changed, write), &[] as &[NewAnswer<()>]),
        "with source as (
            update customers c set merged_into = $12, revision = c.revision + 1, updated_at = $9, updated_by = $14
            where c.tenant_id = $1 and c.id = any($15) and c.status = 'MERGED'
        ), written as (
            update customers c set
                status = 'MERGED', status_reason = null, merged_into = $12, name_scope = null, order_reference = null,
                branch_id = null, sales_person_id = null, revision = c.revision + 1, updated_at = $9, updated_by = $14
            where c.tenant_id = $1 and c.id = any($13)
            returning c.id
        )" RECORDED,
        merging.survivor.get(),
        &merging.others(),
        Json(&write.author.principal) as _,
        &sources,
    )
    .fetch_one(conn)
    .named("merge.become_merged")
    .await?;
    Ok(())
}
