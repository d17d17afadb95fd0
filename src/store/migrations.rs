//! The schema: which version a database has, and how it gets the newest one. Rule: forward only, one migrator at a time.
//!
//! It connects by itself, before any pool is there, and lets go of its one connection at the end.

use std::{collections::HashSet, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection,
    migrate::{Migrate as _, MigrateError, Migrator},
    postgres::PgConnectOptions,
};
use tokio::time::{Instant, sleep};

use crate::{
    store::{duplicates, keys, search, sort_keys},
    telemetry::Statement as _,
};

/// The migrations that this program was built with. The lock is ours: a migrator that waits for sqlx's own inside a
/// statement deadlocks with another one's `create index concurrently`. What a newer program applied is let be.
pub static MIGRATOR: Migrator = Migrator { locking: false, ignore_missing: true, ..sqlx::migrate!("./migrations") };

/// The oldest PostgreSQL that Clientele runs on, as `server_version_num` says it.
const OLDEST: i32 = 150_000;
/// The advisory lock of migrators: "clientel" in ASCII.
const LOCK: i64 = i64::from_be_bytes(*b"clientel");
/// How long a migrator waits for another one.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
const POLL: Duration = Duration::from_millis(250);

/// What a migration came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The schema's version now; above this program's own if a newer one was there before.
    pub version: i64,
    /// How many migrations this call applied.
    pub applied: usize,
    /// What became of keys that an older program folded.
    pub keys: keys::Rekeyed,
}

/// Why a database was not migrated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// The database does not answer, or refuses.
    #[error("{0}")]
    Database(#[from] sqlx::Error),
    /// A migration failed; those before it stay applied, of itself nothing does.
    #[error("{0}")]
    Migration(#[from] MigrateError),
    /// The server is older than what Clientele supports.
    #[error("the database runs on PostgreSQL {0}, but Clientele needs 15 or later")]
    TooOld(String),
    /// Searches would lose every letter outside ASCII.
    #[error(
        "the database has the encoding {encoding} and the character type {ctype}, with which searches lose every letter \
         outside ASCII; make one with: create database NAME template template0 encoding 'UTF8' lc_collate 'C' \
         lc_ctype 'C.UTF-8'"
    )]
    Locale {
        /// `pg_database.encoding` by name.
        encoding: String,
        /// `pg_database.datctype`.
        ctype: String,
    },
    /// Another migrator has not come to its end.
    #[error("another migration has been running for {} minutes: look at what it waits for", PATIENCE.as_secs() / 60)]
    Busy,
}

/// Makes the database of this name unless it is there. `options` lead to another one of the same server.
///
/// # Errors
/// What the server says.
pub async fn create_database(options: &PgConnectOptions, name: &str) -> Result<(), MigrationError> {
    let mut conn = options.connect().await?;
    let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(name)
        .fetch_one(&mut conn)
        .await?;
    if !exists {
        // A name cannot be a parameter; quoted like this it can be any.
        let statement = format!("create database \"{}\"", name.replace('"', "\"\""));
        sqlx::query(AssertSqlSafe(statement)).execute(&mut conn).await?;
    }
    Ok(conn.close().await?)
}

/// Brings a database's schema to this program's version. `waiting` is called once if another migrator is at work.
///
/// # Errors
/// What stands in the way. It can be called again.
pub async fn migrate(options: &PgConnectOptions, waiting: impl FnOnce()) -> Result<Migrated, MigrationError> {
    let mut conn = options.clone().application_name("clientele migrate").connect().await?;
    check(&mut conn).await?;
    lock(&mut conn, waiting).await?;
    conn.ensure_migrations_table(&MIGRATOR.table_name).await?;
    let before = applied(&mut conn).await?;
    MIGRATOR.run_direct(None, &mut conn, false).await?;
    let after = applied(&mut conn).await?;
    // Only the program knows the folding and the order of names: what a migration cannot compute is filled in here, and
    // again if it broke off.
    sort_keys::fill_in(&mut conn).await?;
    search::renew(&mut conn).await?;
    duplicates::renew(&mut conn).await?;
    let keys = keys::bring_up_to_date(&mut conn).await?;
    conn.close().await?; // the lock goes with it
    Ok(Migrated {
        version: after.iter().copied().max().unwrap_or_default(),
        applied: after.difference(&before).count(),
        keys,
    })
}

/// The newest version that this program knows.
#[must_use]
pub fn newest() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// The version of a database's schema; 0 before the first migration.
///
/// # Errors
/// What the server says.
pub async fn schema_version(conn: &mut PgConnection) -> sqlx::Result<i64> {
    let version = sqlx::query_scalar("select coalesce(max(version), 0) from _sqlx_migrations where success");
    match version.fetch_one(conn).named("migrations.schema_version").await {
        // 42P01: there is no such table.
        Err(sqlx::Error::Database(refused)) if refused.code().as_deref() == Some("42P01") => Ok(0),
        answer => answer,
    }
}

async fn applied(conn: &mut PgConnection) -> Result<HashSet<i64>, MigrateError> {
    let applied = conn.list_applied_migrations(&MIGRATOR.table_name).await?;
    Ok(applied.into_iter().map(|migration| migration.version).collect())
}

/// Refuses servers and databases that Clientele cannot work with.
async fn check(conn: &mut PgConnection) -> Result<(), MigrationError> {
    let (number, version, encoding, ctype): (i32, String, String, String) = sqlx::query_as(
        "select current_setting('server_version_num')::int, current_setting('server_version'),
                pg_encoding_to_char(encoding)::text, datctype::text
         from pg_database
         where datname = current_database()",
    )
    .fetch_one(conn)
    .named("migrations.check")
    .await?;
    if number < OLDEST {
        return Err(MigrationError::TooOld(version));
    }
    if encoding != "UTF8" || ["C", "POSIX"].contains(&ctype.as_str()) {
        return Err(MigrationError::Locale { encoding, ctype });
    }
    Ok(())
}

/// Takes the migrators' lock for the session, asking again and again: a statement that waits holds a snapshot, for which
/// the other migrator's `create index concurrently` may wait in turn.
async fn lock(conn: &mut PgConnection, waiting: impl FnOnce()) -> Result<(), MigrationError> {
    let mut waiting = Some(waiting);
    let end = Instant::now() + PATIENCE;
    loop {
        let ours: bool = sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(LOCK).fetch_one(&mut *conn).await?;
        if ours {
            return Ok(());
        }
        if let Some(waiting) = waiting.take() {
            waiting();
        }
        if Instant::now() >= end {
            return Err(MigrationError::Busy);
        }
        sleep(POLL).await;
    }
}
