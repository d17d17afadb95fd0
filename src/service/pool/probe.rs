//! Recognises a pooler in transaction mode between this process and the database: with one, two clients that are connected at the
//! same time share a process of PostgreSQL, which never happens otherwise.

use std::{sync::atomic::Ordering, time::Duration};

use sqlx::{Connection as _, PgConnection};
use tokio::time::timeout;

use super::connect::Connector;
use crate::{
    error::{Error, Result},
    store::sessions::process,
};

/// Longest time for the probe. A pooler in session mode with one session lets the second client wait.
const LIMIT: Duration = Duration::from_secs(3);

impl Connector {
    /// Whether a pooler gives the sessions of one client to others between its transactions. It makes two connections of its own,
    /// unless it has found out before that none does.
    ///
    /// # Errors
    /// `Unavailable` if the first one cannot be made.
    pub(super) async fn shares_sessions(&self) -> Result<bool> {
        if self.owns_sessions.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let options = self.options();
        let first = timeout(LIMIT, PgConnection::connect_with(&options)).await;
        let mut first = match first {
            Ok(Ok(first)) => first,
            Ok(Err(cause)) => return Err(Error::Unavailable { cause: cause.to_string() }),
            Err(_) => return Err(Error::Unavailable { cause: "connecting took too long".to_owned() }),
        };
        // Not being able to ask is no proof of a pooler: what is wrong then shows at the next statement.
        let shared = timeout(LIMIT, async {
            let mut second = PgConnection::connect_with(&options).await?;
            let shared = share(&mut first, &mut second).await;
            _ = second.close().await;
            shared
        });
        let shared = matches!(shared.await, Ok(Ok(true)));
        _ = timeout(LIMIT, first.close()).await;
        self.owns_sessions.store(!shared, Ordering::Relaxed);
        Ok(shared)
    }
}

/// Whether both clients are served by one process. A pooler gives the second one the session that the first has just left, or the
/// first one another when the second keeps it.
async fn share(first: &mut PgConnection, second: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let before = process(first).await?;
    sqlx::raw_sql("begin").execute(&mut *second).await?;
    let other = process(second).await?;
    let shared = other == before || process(first).await? != before;
    sqlx::raw_sql("rollback").execute(&mut *second).await?;
    Ok(shared)
}
