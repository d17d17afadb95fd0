//! Stored answers of committed mutations, by (tenant, principal, RPC, request_id). The key holds the principal as its
//! issuer, a space and its subject: no issuer contains a space.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        requests::{
            answer::{Answer, Unreadable},
            options::Repeatable,
            principal::Author,
        },
        values::{
            ids::{CustomerId, RequestId, TenantId},
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    telemetry::Statement as _,
};

/// A stored answer, with the fingerprint of the request that it answered.
#[derive(Clone, Debug)]
pub struct Stored {
    fingerprint: Vec<u8>,
    answer: serde_json::Value,
}

impl Stored {
    /// From the columns of a statement that read it with something else.
    #[must_use]
    pub fn from_columns(fingerprint: Option<Vec<u8>>, answer: Option<serde_json::Value>) -> Option<Self> {
        Some(Self { fingerprint: fingerprint?, answer: answer? })
    }

    /// The answer, if it answered this request.
    ///
    /// # Errors
    /// `RequestIdReused` if it answered another one; `AnswerOfNewerRelease`.
    pub fn answer(self, request: &Repeatable) -> Result<Answer> {
        if !request.fingerprint.is(&self.fingerprint) {
            return Err(Error::RequestIdReused { differs: request.fingerprint.differing(&self.fingerprint) });
        }
        Answer::stored(self.answer).map_err(|unreadable| match unreadable {
            Unreadable::Newer => Error::AnswerOfNewerRelease,
            Unreadable::Broken => Error::internal("a stored answer that no release has written"),
        })
    }
}

/// Finds the stored answer of a request.
pub async fn find(
    conn: &mut PgConnection,
    tenant: TenantId,
    author: &Author,
    request: &Repeatable,
) -> Result<Option<Stored>> {
    let row = sqlx::query!(
        r#"
        select fingerprint, answer from requests
        where tenant_id = $1 and principal = $2 || ' ' || $3 and rpc = $4 and request_id = $5
        "#,
        tenant.get(),
        author.principal.issuer(),
        author.principal.subject(),
        author.rpc.name(),
        request.key.get(),
    )
    .fetch_optional(conn)
    .named("requests.find")
    .await?;
    Ok(row.map(|row| Stored { fingerprint: row.fingerprint, answer: row.answer }))
}

/// Finds which of these keys of one author's RPC have an answer, with the customer that each is about.
pub async fn answered(
    conn: &mut PgConnection,
    tenant: TenantId,
    author: &Author,
    keys: &[RequestId],
) -> Result<HashMap<RequestId, CustomerId>> {
    let keys: Vec<Uuid> = keys.iter().map(|key| key.get()).collect();
    let rows = sqlx::query!(
        r#"
        select request_id, customer_id as "customer_id!" from requests
        where tenant_id = $1 and principal = $2 || ' ' || $3 and rpc = $4 and request_id = any($5)
          and customer_id is not null
        "#,
        tenant.get(),
        author.principal.issuer(),
        author.principal.subject(),
        author.rpc.name(),
        &keys,
    )
    .fetch_all(conn)
    .named("requests.answered")
    .await?;
    let entry = |row: (Uuid, Uuid)| (RequestId::from_uuid(row.0), CustomerId::from_uuid(row.1));
    Ok(rows.into_iter().map(|row| entry((row.request_id, row.customer_id))).collect())
}

/// Deletes up to `limit` answers that were stored before a time and returns how many. Does not wait for the sweepers of
/// other replicas.
pub async fn sweep(conn: &mut PgConnection, before: Timestamp, limit: i64) -> Result<u64> {
    let swept = sqlx::query!(
        r#"
        delete from requests
        where ctid = any(array(
            select ctid from requests where created_at < $1 limit $2 for update skip locked
        ))
        "#,
        before,
        limit,
    )
    .execute(conn)
    .named("requests.sweep")
    .await?;
    Ok(swept.rows_affected())
}
