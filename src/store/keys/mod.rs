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
use crate::{
    domain::values::key::Key,
    store::derived::{self, Due},
    telemetry::Statement as _,
};

/// The name in `derived_texts`.
const NAME: &str = "keys";

/// Brings the keys of all rows to this program's version, unless that was done, or done by a newer program.
///
/// # Errors
/// What the server says. It can be called again.
pub(super) async fn bring_up_to_date(conn: &mut PgConnection) -> sqlx::Result<Rekeyed> {
    let Due::Yes { is_old } = derived::due(conn, NAME, Key::VERSION).await? else { return Ok(Rekeyed::default()) };
    let (mut rekeyed, mut tenant, mut is_empty) = (Rekeyed::default(), Uuid::nil(), true);
    while let Some(next) = next_tenant(conn, tenant).await? {
        (tenant, is_empty) = (next, false);
        for table in Table::ALL {
            named::rekey(conn, tenant, table, &mut rekeyed).await?;
        }
        custom_ids::rekey(conn, tenant, &mut rekeyed).await?;
    }
    // While an older release may still write, and while there are conflicts, the next run looks again.
    derived::settle(conn, NAME, Key::VERSION, rekeyed.conflicts == 0 && (is_empty || is_old)).await?;
    Ok(rekeyed)
}

async fn next_tenant(conn: &mut PgConnection, after: Uuid) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!("select tenant_id from tenants where tenant_id > $1 order by tenant_id limit 1", after)
        .fetch_optional(conn)
        .named("keys.next_tenant")
        .await
}
