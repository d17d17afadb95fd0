//! Keeps the keys of customers that an older release wrote, or an older rule made.

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    domain::{
        duplicates::{FLEET, Key, VERSION, stored_keys},
        fields::{customer_fields::CustomerFields, profile::Profile},
        values::{
            enums::{Origin, Reach},
            name::Name,
        },
    },
    store::derived::{self, Due},
    telemetry::Statement as _,
};

/// Customers whose keys one statement brings up to date.
const AT_ONCE: i64 = 500;
/// The name in `derived_texts`.
const NAME: &str = "duplicates";

/// The keys that a customer is to have.
#[derive(serde::Serialize)]
struct Element {
    customer_id: Uuid,
    revision: i64,
    keys: Vec<Key>,
}

/// Brings the keys of all customers to this program's version, unless that was done, or done by a newer program. Returns of how many
/// customers keys changed.
///
/// An older release may write customers until its last replica has stopped, so a run looks at all again until an hour has passed.
///
/// # Errors
/// What the server says. It can be called again.
pub(in crate::store) async fn renew(conn: &mut PgConnection) -> sqlx::Result<i64> {
    let Due::Yes { is_old } = derived::due(conn, NAME, VERSION).await? else { return Ok(0) };
    let (mut last, mut changed, mut is_empty) = ((Uuid::nil(), Uuid::nil()), 0, true);
    loop {
        let batch = sqlx::query!(
            r#"
            select c.tenant_id, c.id, c.revision, c.name, c.reach, c.profile as "profile: Json<Profile>"
            from customers c
            where (c.tenant_id, c.id) > ($1, $2)
            order by c.tenant_id, c.id
            limit $3
            "#,
            last.0,
            last.1,
            AT_ONCE,
        )
        .fetch_all(&mut *conn)
        .named("duplicates.find_customers")
        .await?;
        let Some(end) = batch.last() else { break };
        (last, is_empty) = ((end.tenant_id, end.id), false);
        // A batch may go from one tenant to the next, but a statement is of one.
        let mut rest = batch.into_iter().peekable();
        while let Some(tenant) = rest.peek().map(|row| row.tenant_id) {
            let mut elements = Vec::new();
            while let Some(row) = rest.next_if(|row| row.tenant_id == tenant) {
                let fields = CustomerFields {
                    reach: Reach::stored(&row.reach),
                    profile: Box::new(row.profile.0),
                    ..CustomerFields::new(Name::from(row.name), Origin::default())
                };
                let keys = stored_keys(&fields).into_iter().collect();
                elements.push(Element { customer_id: row.id, revision: row.revision, keys });
            }
            changed += write(conn, tenant, &elements).await?;
        }
    }
    derived::settle(conn, NAME, VERSION, is_empty || is_old).await?;
    Ok(changed)
}

/// Gives customers of one tenant these keys, and takes others from them. A customer that changed since it was read is left alone: its
/// writer wrote its keys, or was an older release, and then the next run comes to it.
async fn write(conn: &mut PgConnection, tenant: Uuid, elements: &[Element]) -> sqlx::Result<i64> {
    let written = sqlx::query!(
        r#"
        with locked as materialized (
            select c.id, c.account_id, c.ancestors, e.keys
            from jsonb_to_recordset($2) as e (customer_id uuid, revision bigint, keys bigint[])
            cross join lateral (
                select c.id, c.account_id, c.ancestors from customers c
                where c.tenant_id = $1 and c.id = e.customer_id and c.revision = e.revision
                for no key update
            ) c
        ), wanted as materialized (
            select l.id, a.account_id, k.key
            from locked l
            cross join lateral unnest(l.keys) as k (key)
            cross join lateral unnest(l.ancestors) as a (account_id)
            where k.key & $3 = 0 or a.account_id = l.account_id
        ), gone as (
            delete from duplicate_keys d
            where d.tenant_id = $1 and d.customer_id = any(array(select l.id from locked l))
              and d.customer_id <> '00000000-0000-0000-0000-000000000000' and not exists (
                select from wanted w where w.id = d.customer_id and w.account_id = d.account_id and w.key = d.key
            )
            returning d.customer_id
        ), made as (
            insert into duplicate_keys (tenant_id, account_id, key, customer_id)
            select $1, w.account_id, w.key, w.id from wanted w
            on conflict do nothing
            returning customer_id
        )
        select count(*) as "count!" from (select customer_id from gone union select customer_id from made) c
        "#,
        tenant,
        Json(elements) as _,
        FLEET,
    )
    .fetch_one(conn)
    .named("duplicates.renew")
    .await?;
    Ok(written.count)
}
