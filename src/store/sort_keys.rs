//! The sort keys of stored names. Only the program can compute them, so the migrator does: where there is none yet, and
//! everywhere after [`SortKey::VERSION`] was raised.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{domain::values::sort_key::SortKey, telemetry::Statement as _};

/// Rows of one batch. Each batch is a transaction of its own.
const AT_ONCE: i64 = 500;
/// The name of these keys in `computed_keys`.
const KEY: &str = "name_sort";

/// A row with its name and the key that is stored.
struct Named {
    tenant_id: Uuid,
    id: Uuid,
    name: String,
    name_sort: Vec<u8>,
}

/// The new keys of a batch, column by column.
#[derive(Default)]
struct Changes {
    tenants: Vec<Uuid>,
    ids: Vec<Uuid>,
    names: Vec<String>,
    keys: Vec<Vec<u8>>,
}

impl Changes {
    /// The rows whose key is not that of their name.
    fn of(batch: Vec<Named>) -> Self {
        let mut changes = Self::default();
        for Named { tenant_id, id, name, name_sort } in batch {
            let key = SortKey::of(&name);
            if key.as_bytes() != name_sort {
                changes.tenants.push(tenant_id);
                changes.ids.push(id);
                changes.names.push(name);
                changes.keys.push(key.as_bytes().to_vec());
            }
        }
        changes
    }
}

/// The statements on one table: `after` reads a batch of all rows by primary key, `missing` one of those without a key, by
/// the index of each account's list, and `write` writes new keys, but not over a rename that was faster. It locks rows by
/// id, as commands on many customers do.
macro_rules! table {
    ($name:ident, $table:tt) => {
        mod $name {
            use super::{AT_ONCE, Changes, Named, PgConnection, Uuid};
            use crate::telemetry::Statement as _;

            pub(super) async fn after(conn: &mut PgConnection, last: (Uuid, Uuid)) -> sqlx::Result<Vec<Named>> {
                sqlx::query_as!(
                    Named,
                    "select tenant_id, id, name, name_sort from "
                        + $table
                        + " where (tenant_id, id) > ($1, $2)
                     order by tenant_id, id limit $3",
                    last.0,
                    last.1,
                    AT_ONCE,
                )
                .fetch_all(conn)
                .named(concat!("sort_keys.", $table, "_after"))
                .await
            }

            pub(super) async fn missing(conn: &mut PgConnection) -> sqlx::Result<Vec<Named>> {
                sqlx::query_as!(
                    Named,
                    "select t.tenant_id, t.id, t.name, t.name_sort from accounts a
                     cross join lateral (
                         select u.tenant_id, u.id, u.name, u.name_sort from "
                        + $table
                        + " u
                         where u.tenant_id = a.tenant_id and u.account_id = a.id and u.name_sort = ''
                         limit $1
                     ) t
                     limit $1",
                    AT_ONCE,
                )
                .fetch_all(conn)
                .named(concat!("sort_keys.", $table, "_missing"))
                .await
            }

            pub(super) async fn write(conn: &mut PgConnection, changes: &Changes) -> sqlx::Result<()> {
                sqlx::query!(
                    "with named as materialized (
                         select t.tenant_id, t.id, e.name_sort
                         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[])
                              as e (tenant_id, id, name, name_sort)
                         join "
                        + $table
                        + " t on t.tenant_id = e.tenant_id and t.id = e.id and t.name = e.name
                         order by t.tenant_id, t.id
                         for no key update of t
                     )
                     update "
                        + $table
                        + " t set name_sort = named.name_sort
                     from named
                     where t.tenant_id = named.tenant_id and t.id = named.id",
                    &changes.tenants,
                    &changes.ids,
                    &changes.names,
                    &changes.keys,
                )
                .execute(conn)
                .named(concat!("sort_keys.write_", $table))
                .await
                .map(drop)
            }

            /// Computes all keys, or only those that are missing.
            pub(super) async fn compute(conn: &mut PgConnection, all: bool) -> sqlx::Result<()> {
                let mut last = (Uuid::nil(), Uuid::nil());
                loop {
                    let batch = if all { after(conn, last).await? } else { missing(conn).await? };
                    let Some(end) = batch.last() else { return Ok(()) };
                    last = (end.tenant_id, end.id);
                    let changes = Changes::of(batch);
                    match changes.ids.is_empty() {
                        false => write(conn, &changes).await?,
                        true if all => {}
                        // Without the collation's data no key can be made.
                        true => return Ok(()),
                    }
                }
            }
        }
    };
}

table!(branches, "branches");
table!(tags, "tags");
table!(customers, "customers");

/// Gives every name the key of this program's version.
///
/// # Errors
/// What the server says. It can be called again, and goes on: a row that has its key is not written again.
pub(super) async fn fill_in(conn: &mut PgConnection) -> sqlx::Result<()> {
    let version = sqlx::query_scalar!("select version from computed_keys where key = $1", KEY)
        .fetch_optional(&mut *conn)
        .named("sort_keys.version")
        .await?;
    // A newer program's keys stay: this one may migrate after a rollback.
    let all = version.is_none_or(|version| version < SortKey::VERSION);
    branches::compute(conn, all).await?;
    tags::compute(conn, all).await?;
    customers::compute(conn, all).await?;
    if all {
        sqlx::query!(
            "insert into computed_keys (key, version) values ($1, $2)
             on conflict (key) do update set version = excluded.version",
            KEY,
            SortKey::VERSION,
        )
        .execute(conn)
        .named("sort_keys.set_version")
        .await?;
    }
    Ok(())
}
