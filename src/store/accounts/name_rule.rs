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

/// Looks for equal names among the next customers. In order of names those of one name are neighbours, so each is compared
/// with the one before and the one after it: the part begins with the last customer of the part before, and its own last one
/// is only looked at by the one before.
pub async fn find_conflicts(
    conn: &mut PgConnection,
    scope: &Scope,
    rule: NameUniqueness,
    after: Option<&Place>,
) -> Result<Part> {
    let rows = sqlx::query!(
        r#"
        with part as materialized (
            select c.name_key, c.account_id, c.id, c.name from customers c
            where c.tenant_id = $1 and (c.name_key, c.account_id, c.id) >= ($2 collate "C", $3, $4)
              and c.status not in ('MERGED', 'ERASED')
            order by c.name_key, c.account_id, c.id
            limit $6
        ), compared as (
            select p.name_key, p.account_id, p.id, p.name, row_number() over byname as nth,
                   (lag(p.name_key) over byname = p.name_key and ($5 or lag(p.account_id) over byname = p.account_id))
                   or (lead(p.name_key) over byname = p.name_key and ($5 or lead(p.account_id) over byname = p.account_id))
                   as conflicts
            from part p
            window byname as (order by p.name_key, p.account_id, p.id)
        )
        select c.name_key, c.account_id, c.id, c.name, coalesce(c.conflicts, false) as "conflicts!",
               c.nth = $6 - 1 and (select count(*) from part) = $6 as "last!"
        from compared c
        where (c.name_key, c.account_id, c.id) > ($2 collate "C", $3, $4) and c.nth < $6
          and (c.conflicts or c.nth = $6 - 1)
        order by c.nth
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
        if row.last {
            part.last = Some(at.clone());
        }
        if row.conflicts {
            part.conflicts.push(Conflict { at, name: row.name });
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
            set name_scope = case
                -- A merged or erased customer has freed its name.
                when c.status in ('MERGED', 'ERASED') then null
                when $2 = 'ACCOUNT' then c.account_id
                when $2 = 'TENANT' then c.tenant_id
            end
            where c.tenant_id = $1 and c.id = any(array(select p.id from part p))
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
