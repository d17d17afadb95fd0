//! The tenant's rule on names: where the names of customers must be unique. A change of it writes every customer of the
//! tenant, and a stricter one first looks for equal names; both in batches.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        access::caller::Scope,
        values::{
            enums::NameUniqueness,
            ids::{AccountId, CustomerId},
        },
    },
    error::{Error, Result},
    telemetry::Statement as _,
};

/// Customers that one statement looks at.
const LOOKED_AT: i64 = 5_000;
/// Customers that one statement writes.
const WRITTEN: i64 = 1_000;

/// Locks the tenant's row against creates and returns its rule on names. A plain update would not exclude creates, which
/// read the row `for key share`.
pub async fn lock(conn: &mut PgConnection, scope: &Scope) -> Result<NameUniqueness> {
    let rule = sqlx::query_scalar!(
        "select name_uniqueness from tenants where tenant_id = $1 for update",
        scope.tenant().get()
    )
    .fetch_optional(conn)
    .named("name_rule.lock")
    .await?
    .ok_or(Error::AccountNotFound)?;
    Ok(NameUniqueness::stored(&rule))
}

/// A place among the tenant's customers, by the key of the name, the owner and the id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The key.
    pub key: String,
    /// The owner.
    pub account: AccountId,
    /// The customer.
    pub customer: CustomerId,
}

/// A customer whose name another customer has.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// Where it is.
    pub at: Place,
    /// Its name.
    pub name: String,
}

/// What a part of the tenant's customers has.
#[derive(Clone, Debug)]
pub struct Part {
    /// The customers whose name another customer has where the rule forbids it, in order.
    pub conflicts: Vec<Conflict>,
    /// The last customer of the part, if there are more.
    pub last: Option<Place>,
}

/// Looks for equal names among the next customers.
pub async fn find_conflicts(
    conn: &mut PgConnection,
    scope: &Scope,
    rule: NameUniqueness,
    after: Option<&Place>,
) -> Result<Part> {
    let rows = sqlx::query!(
        r#"
        with part as materialized (
            select c.name_key, c.account_id, c.id from customers c
            where c.tenant_id = $1 and (c.name_key, c.account_id, c.id) > ($2 collate "C", $3, $4)
            order by c.name_key, c.account_id, c.id
            limit $6
        ), last as (
            select p.name_key, p.account_id, p.id from part p
            order by p.name_key desc, p.account_id desc, p.id desc
            limit case when (select count(*) from part) = $6 then 1 else 0 end
        )
        select p.name_key as "name_key!", p.account_id as "account_id!", p.id as "id!", c.name as "name?"
        from part p
        join customers c on c.tenant_id = $1 and c.id = p.id
        where exists (
            select from customers o
            where o.tenant_id = $1 and o.name_key = p.name_key and ($5 or o.account_id = p.account_id) and o.id <> p.id
        )
        union all
        select l.name_key, l.account_id, l.id, null from last l
        order by 1, 2, 3, 4
        "#,
        scope.tenant().get(),
        after.map_or("", |after| after.key.as_str()),
        after.map_or(Uuid::nil(), |after| after.account.get()),
        after.map_or(Uuid::nil(), |after| after.customer.get()),
        rule == NameUniqueness::Tenant,
        LOOKED_AT,
    )
    .fetch_all(conn)
    .named("name_rule.find_conflicts")
    .await?;
    let mut part = Part { conflicts: Vec::new(), last: None };
    for row in rows {
        let (account, customer) = (AccountId::from_uuid(row.account_id), CustomerId::from_uuid(row.id));
        let at = Place { key: row.name_key, account, customer };
        match row.name {
            Some(name) => part.conflicts.push(Conflict { at, name }),
            None => part.last = Some(at),
        }
    }
    Ok(part)
}

/// Writes the unique keys of the next customers by id, so that they follow a rule. Returns the last of them, if there are
/// more.
///
/// # Errors
/// A broken unique key, unmapped: two customers have the same name where the rule forbids it.
pub async fn apply(
    conn: &mut PgConnection,
    scope: &Scope,
    rule: NameUniqueness,
    after: Option<CustomerId>,
) -> Result<Option<CustomerId>> {
    let last = sqlx::query_scalar!(
        r#"
        with part as materialized (
            select c.id from customers c
            where c.tenant_id = $1 and c.id > $3
            order by c.id
            limit $4
            for no key update
        ), written as (
            update customers c
            set name_scope = case $2 when 'ACCOUNT' then c.account_id when 'TENANT' then c.tenant_id end
            from part p
            where c.tenant_id = $1 and c.id = p.id
        )
        select p.id from part p order by p.id desc limit 1
        "#,
        scope.tenant().get(),
        rule.as_str(),
        after.map_or(Uuid::nil(), CustomerId::get),
        WRITTEN,
    )
    .fetch_optional(conn)
    .named("name_rule.apply")
    .await?;
    Ok(last.map(CustomerId::from_uuid))
}
