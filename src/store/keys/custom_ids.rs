//! The keys of custom IDs, current ones and aliases. The key is a part of the row's own key.

use std::slice::from_ref;

use sqlx::PgConnection;
use uuid::Uuid;

use super::rekeyed::{AT_ONCE, Conflict, Rekeyed, is_of_one_row};
use crate::{domain::values::key::Key, telemetry::Statement as _};

struct Row {
    customer_id: Uuid,
    account_id: Uuid,
    system: String,
    value: String,
    value_key: String,
}

/// A row whose key changes.
struct Stale {
    row: Row,
    key: Key,
}

/// Brings the keys of one tenant's custom IDs to the new rule.
pub(super) async fn rekey(conn: &mut PgConnection, tenant: Uuid, rekeyed: &mut Rekeyed) -> sqlx::Result<()> {
    let mut last = (Uuid::nil(), Uuid::nil(), String::new(), String::new());
    loop {
        // A row whose key was changed may come again, and then needs no change.
        let rows = sqlx::query_as!(
            Row,
            "
            select customer_id, account_id, system, value, value_key
            from custom_ids
            where tenant_id = $1 and (customer_id, account_id, system, value_key) > ($2, $3, $4, $5)
            order by customer_id, account_id, system, value_key
            limit $6
            ",
            tenant,
            last.0,
            last.1,
            last.2,
            last.3,
            AT_ONCE,
        )
        .fetch_all(&mut *conn)
        .named("keys.read_custom_ids")
        .await?;
        let Some(end) = rows.last() else { return Ok(()) };
        last = (end.customer_id, end.account_id, end.system.clone(), end.value_key.clone());
        let stale: Vec<Stale> = rows
            .into_iter()
            .map(|row| Stale { key: Key::fold(&row.value), row })
            .filter(|stale| stale.key.as_str() != stale.row.value_key)
            .collect();
        match write(conn, tenant, &stale).await {
            Ok(changed) => rekeyed.changed += changed,
            Err(failure) if is_of_one_row(&failure) => write_singly(conn, tenant, &stale, rekeyed).await?,
            Err(failure) => return Err(failure),
        }
    }
}

/// Returns how many rows were changed.
async fn write(conn: &mut PgConnection, tenant: Uuid, stale: &[Stale]) -> sqlx::Result<u64> {
    if stale.is_empty() {
        return Ok(0);
    }
    let texts = |text: fn(&Stale) -> &str| stale.iter().map(|stale| text(stale).to_owned()).collect::<Vec<_>>();
    let done = sqlx::query!(
        "
        update custom_ids c set value_key = n.key
        from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[])
             as n (customer_id, account_id, system, value, old_key, key)
        where c.tenant_id = $1 and c.account_id = n.account_id and c.system = n.system and c.value_key = n.old_key
          and c.customer_id = n.customer_id and c.value = n.value
        ",
        tenant,
        &stale.iter().map(|stale| stale.row.customer_id).collect::<Vec<_>>(),
        &stale.iter().map(|stale| stale.row.account_id).collect::<Vec<_>>(),
        &texts(|stale| &stale.row.system),
        &texts(|stale| &stale.row.value),
        &texts(|stale| &stale.row.value_key),
        &texts(|stale| stale.key.as_str()),
    )
    .execute(conn)
    .named("keys.write_custom_ids")
    .await?;
    Ok(done.rows_affected())
}

async fn write_singly(
    conn: &mut PgConnection,
    tenant: Uuid,
    stale: &[Stale],
    rekeyed: &mut Rekeyed,
) -> sqlx::Result<()> {
    for stale in stale {
        drop_alias(conn, tenant, stale).await?;
        let Some(failure) = rekeyed.count(write(conn, tenant, from_ref(stale)).await)? else { continue };
        // None if the holder went away meanwhile: the next run brings this row up to date.
        let holder = holder(conn, tenant, stale).await?.ok_or(failure)?;
        rekeyed.report(Conflict { tenant, table: "custom_ids", row: stale.row.customer_id, holder });
    }
    Ok(())
}

/// Deletes an alias whose customer has the same value twice, once by its old key and once by its new one: at most one of the
/// two is current, and either finds the customer.
async fn drop_alias(conn: &mut PgConnection, tenant: Uuid, stale: &Stale) -> sqlx::Result<()> {
    sqlx::query!(
        "
        delete from custom_ids c
        using custom_ids o
        where c.tenant_id = $1 and c.account_id = $2 and c.system = $3 and c.customer_id = $4 and not c.is_current
          and o.tenant_id = $1 and o.account_id = $2 and o.system = $3 and o.customer_id = $4
          and ((c.value_key = $5 and o.value_key = $6) or (c.value_key = $6 and o.value_key = $5 and o.is_current))
        ",
        tenant,
        stale.row.account_id,
        stale.row.system,
        stale.row.customer_id,
        stale.row.value_key,
        stale.key.as_str(),
    )
    .execute(conn)
    .named("keys.drop_alias")
    .await?;
    Ok(())
}

/// The other customer that has the current custom ID.
async fn holder(conn: &mut PgConnection, tenant: Uuid, stale: &Stale) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "
        select customer_id
        from custom_ids
        where tenant_id = $1 and account_id = $2 and system = $3 and value_key = $4 and is_current and customer_id <> $5
        ",
        tenant,
        stale.row.account_id,
        stale.row.system,
        stale.key.as_str(),
        stale.row.customer_id,
    )
    .fetch_optional(conn)
    .named("keys.holder_of_custom_id")
    .await
}
