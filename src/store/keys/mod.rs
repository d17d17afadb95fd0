//! The keys of rows that were written by an older rule of folding: `clientele migrate` brings them to [`Key::VERSION`].
//!
//! Rule: a batch is a statement of its own, and what it changed stays if a later one fails. A key is changed only if the row
//! still has the text and the key that were read, so the service may write at the same time. A key that another row of the
//! same scope has already is reported, and its row keeps the old one.

mod custom_ids;
mod named;
mod rekeyed;

use sqlx::PgConnection;
use uuid::Uuid;

use self::named::Table;
pub use self::rekeyed::{Conflict, Rekeyed};
use crate::{domain::values::key::Key, telemetry::Statement as _};

/// The name in `derived_texts`.
const NAME: &str = "keys";

/// Brings the keys of all rows to this program's version, unless that was done, or done by a newer program.
///
/// # Errors
/// What the server says. It can be called again.
pub(super) async fn bring_up_to_date(conn: &mut PgConnection) -> sqlx::Result<Rekeyed> {
    let known = sqlx::query!(
        r#"
        select version, is_settled, derived_at < clock_timestamp() - interval '1 hour' as "is_old!"
        from derived_texts
        where name = $1
        "#,
        NAME,
    )
    .fetch_optional(&mut *conn)
    .named("keys.version")
    .await?;
    let mut is_old = false;
    if let Some(known) = known {
        if known.version > Key::VERSION || (known.version == Key::VERSION && known.is_settled) {
            return Ok(Rekeyed::default());
        }
        is_old = known.version == Key::VERSION && known.is_old;
    }
    let (mut rekeyed, mut tenant, mut is_empty) = (Rekeyed::default(), Uuid::nil(), true);
    while let Some(next) = next_tenant(conn, tenant).await? {
        (tenant, is_empty) = (next, false);
        for table in Table::ALL {
            named::rekey(conn, tenant, table, &mut rekeyed).await?;
        }
        custom_ids::rekey(conn, tenant, &mut rekeyed).await?;
    }
    // While an older release may still write, and while there are conflicts, the next run looks again.
    settle(conn, rekeyed.conflicts == 0 && (is_empty || is_old)).await?;
    Ok(rekeyed)
}

async fn next_tenant(conn: &mut PgConnection, after: Uuid) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!("select tenant_id from tenants where tenant_id > $1 order by tenant_id limit 1", after)
        .fetch_optional(conn)
        .named("keys.next_tenant")
        .await
}

async fn settle(conn: &mut PgConnection, is_settled: bool) -> sqlx::Result<()> {
    sqlx::query!(
        "
        insert into derived_texts as d (name, version, derived_at, is_settled)
        values ($1, $2, clock_timestamp(), $3)
        on conflict (name) do update
        set version = excluded.version, is_settled = excluded.is_settled,
            derived_at = case when d.version = excluded.version then d.derived_at else excluded.derived_at end
        ",
        NAME,
        Key::VERSION,
        is_settled,
    )
    .execute(conn)
    .named("keys.settle")
    .await?;
    Ok(())
}
