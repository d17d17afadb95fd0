//! Customers that go to another account. What belongs to a customer names it by its id, so a transfer is an update of its
//! row; the columns that repeat the owner's link are read anew from the new owner's.
//!
//! Locks are taken in one order: the tenant's rule on names, the account that a migration made, the customers by id.

mod save;

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

pub use self::save::{Move, copy_link, save};
use crate::{
    domain::{
        access::caller::Scope,
        accounts::account::name_scope,
        customers::{customer::Customer, link::Link, migration::AccountUsage},
        values::{
            enums::NameUniqueness,
            ids::{AccountId, CustomerId},
        },
    },
    error::Result,
    store::{path, sql::sql},
    telemetry::Statement as _,
};

/// Reads the tenant's rule on names and keeps it from changing until the transaction ends.
pub async fn hold_name_rule(conn: &mut PgConnection, scope: &Scope) -> Result<NameUniqueness> {
    let rule = sqlx::query_scalar!(
        "select name_uniqueness from tenants where tenant_id = $1 for key share",
        scope.tenant().get(),
    )
    .fetch_one(conn)
    .named("ownership.hold_name_rule")
    .await?;
    Ok(NameUniqueness::stored(&rule))
}

/// Locks an account: no call creates anything in it until the transaction ends.
pub async fn lock_account(conn: &mut PgConnection, scope: &Scope, account: AccountId) -> Result<()> {
    sqlx::query_scalar!(
        "select id from accounts where tenant_id = $1 and id = $2 for update",
        scope.tenant().get(),
        account.get(),
    )
    .fetch_one(conn)
    .named("ownership.lock_account")
    .await?;
    Ok(())
}

/// How the account that a migration made of a customer is used. What a member wrote counts after it has gone, too; that it
/// agreed to be one, or did not, is no use of the account.
pub async fn used(
    conn: &mut PgConnection,
    scope: &Scope,
    account: AccountId,
    customer: CustomerId,
) -> Result<AccountUsage> {
    let found = sqlx::query_as!(
        AccountUsage,
        r#"
        select
            exists (select from branches b where b.tenant_id = $1 and b.account_id = $2) as "branch!",
            exists (select from accounts a where a.tenant_id = $1 and a.parent_id = $2) as "account!",
            exists (
                select from customers c where c.tenant_id = $1 and c.account_id = $2 and c.id <> $3
            ) as "customer!",
            exists (
                select from events e
                where e.tenant_id = $1 and e.acting_account_id = $2
                  and e.type <> all(
                      '{MEMBER_ACCEPTED,MEMBER_DECLINED,INVITATION_ACCEPTED,INVITATION_SENT,INVITATION_FAILED}'
                  )
                  and e.rpc <> 'clientele.v1.AccessService/AcceptInvitation'
                  and (
                      exists (
                          select from members m
                          where m.tenant_id = $1 and m.account_id = $2 and m.issuer = e.issuer and m.subject = e.subject
                      ) or exists (
                          select from events gone
                          where gone.tenant_id = $1 and gone.acting_account_id = $2
                            and gone.type = any('{MEMBER_REMOVED,MEMBER_DECLINED}')
                            and gone.changes -> 'issuer' ->> 'old' = e.issuer
                            and gone.changes -> 'subject' ->> 'old' = e.subject
                      )
                  )
            ) as "written!"
        "#,
        scope.tenant().get(),
        account.get(),
        customer.get(),
    )
    .fetch_one(conn)
    .named("ownership.used")
    .await?;
    Ok(found)
}

/// A value that another customer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// That customer, if the caller sees it.
    pub by: Option<CustomerId>,
}

/// What another customer of the new owner has already.
#[derive(Clone, Copy, Debug)]
pub struct Conflict {
    /// The customer that is to go there.
    pub customer: CustomerId,
    /// Its name, where names must be unique.
    pub name: Option<Taken>,
    /// Its order reference.
    pub order_reference: Option<Taken>,
}

/// Finds which of the customers that are to go to an account conflict with customers that do not go with them.
pub async fn find_conflicts(
    conn: &mut PgConnection,
    scope: &Scope,
    to: AccountId,
    rule: NameUniqueness,
    moving: &[&Customer],
) -> Result<Vec<Conflict>> {
    let (ids, keys): (Vec<Uuid>, Vec<String>) =
        moving.iter().map(|customer| (customer.id.get(), customer.fields.name.key().as_str().to_owned())).unzip();
    let orders: Vec<Option<String>> = moving
        .iter()
        .map(|customer| customer.fields.order_reference.as_ref().map(|reference| reference.as_str().to_owned()))
        .collect();
    let rows = sql!(
        query,
        r#"
        select e.customer_id as "customer_id!", n.id as "name_id?", n.seen as "name_seen?", o.id as "order_id?",
               o.seen as "order_seen?"
        from unnest($2::uuid[], $5::text[], $6::text[]) as e (customer_id, name_key, order_reference)
        left join lateral (
            select c.id, "# VISIBLE r#" as seen
            from customers c
            where c.tenant_id = $1 and c.name_scope = $7 and c.name_key = e.name_key and c.id <> all($2)
        ) n on true
        left join lateral (
            select c.id, "# VISIBLE r#" as seen
            from customers c
            where c.tenant_id = $1 and c.account_id = $8 and c.order_reference = e.order_reference and c.id <> all($2)
        ) o on true
        where n.id is not null or o.id is not null
        "#,
        scope.tenant().get(),
        &ids,
        scope.root().get(),
        &path(scope),
        &keys,
        &orders as _,
        name_scope(rule, scope.tenant(), to)?,
        to.get(),
    )
    .fetch_all(conn)
    .named("ownership.find_conflicts")
    .await?;
    let taken = |id: Option<Uuid>, seen: Option<bool>| {
        let by = id.filter(|_| seen == Some(true)).map(CustomerId::from_uuid);
        id.map(|_| Taken { by: by.filter(|id| scope.admits(*id)) })
    };
    let conflicts = rows.into_iter().map(|row| Conflict {
        customer: CustomerId::from_uuid(row.customer_id),
        name: taken(row.name_id, row.name_seen),
        order_reference: taken(row.order_id, row.order_seen),
    });
    Ok(conflicts.collect())
}

/// Reads an account's link to a customer, whichever account owns the customer. One that was never written is empty.
pub async fn link(conn: &mut PgConnection, scope: &Scope, customer: CustomerId, account: AccountId) -> Result<Link> {
    let found = sqlx::query_scalar!(
        r#"
        select jsonb_build_object('revision', l.revision, 'custom_ids', l.custom_ids, 'tags', (
            select coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name) order by t.name_sort, t.id), '[]')
            from tags t where t.tenant_id = l.tenant_id and t.id = any(l.tags)
        )) as "link!: Json<Link>"
        from customer_links l
        where l.tenant_id = $1 and l.customer_id = $2 and l.account_id = $3
        "#,
        scope.tenant().get(),
        customer.get(),
        account.get(),
    )
    .fetch_optional(conn)
    .named("ownership.link")
    .await?;
    Ok(found.map(|link| link.0).unwrap_or_default())
}
