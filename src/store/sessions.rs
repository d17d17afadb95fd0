//! Which process of PostgreSQL serves a client.

use sqlx::{PgConnection, Row as _};

use crate::telemetry::Statement as _;

/// The id of the process. Not by a prepared statement, which a pooler in transaction mode may not know.
///
/// # Errors
/// What the server says.
pub async fn process(client: &mut PgConnection) -> sqlx::Result<i32> {
    let asked = sqlx::raw_sql("select pg_backend_pid()").fetch_one(client).named("sessions.process").await?;
    asked.try_get(0)
}
