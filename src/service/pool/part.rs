//! A part of a transaction, which fails alone.

use sqlx::PgConnection;

use crate::{error::Result, telemetry::Statement as _};

/// Runs a part of the transaction at hand. If it fails, what it wrote is rolled back and its locks are given back; what was written
/// before it stays, and the transaction can go on.
///
/// # Errors
/// Those of the part; or the session was lost.
pub(in crate::service) async fn part<T>(
    conn: &mut PgConnection,
    work: impl AsyncFnOnce(&mut PgConnection) -> Result<T>,
) -> Result<T> {
    sqlx::raw_sql("savepoint part").execute(&mut *conn).named("savepoint").await?;
    let done = work(conn).await;
    let end = if done.is_ok() { "release savepoint part" } else { "rollback to savepoint part" };
    sqlx::raw_sql(end).execute(&mut *conn).named("savepoint").await?;
    done
}
