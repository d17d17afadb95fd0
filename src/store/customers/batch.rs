//! The third write shape: many customers in one transaction, their rows locked in id order.

use serde::Serialize;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::{
    CustomerRecord,
    row::{self, Row, columns},
};
use crate::{
    domain::{
        access::caller::Caller,
        history::{event::Changes, event_type::EventType},
        requests::answer::Answer,
        values::{
            ids::{CustomerId, EventId},
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    store::{Write, json, path, principal_key},
    telemetry::Statement as _,
};

/// Locks the customers of these ids that the caller sees, in id order, and reads them. Those it does not see are
/// missing.
pub async fn lock_all(conn: &mut PgConnection, caller: &Caller, ids: &[CustomerId]) -> Result<Vec<CustomerRecord>> {
    let scope = caller.scope();
    let ids: Vec<Uuid> = ids.iter().filter(|id| scope.admits(**id)).map(|id| id.get()).collect();
    let locked = sqlx::query_scalar!(
        r#"
        select c.id from customers c
        where c.tenant_id = $1 and c.id = any($2)
          and ($3 = any(c.ancestors) or (c.reach = 'FLEET' and c.account_id = any($4)))
        order by c.id
        for update
        "#,
        scope.tenant().get(),
        &ids,
        scope.root().get(),
        &path(scope),
    )
    .fetch_all(&mut *conn)
    .named("customers.lock_all")
    .await?;
    // A statement of its own: one that waits for a lock sees the locked row anew, but links and tags as they were before.
    columns!(
        r#"
        , (select a.policies from accounts a where a.tenant_id = c.tenant_id and a.id = c.account_id)
          as "policies: row::Policies"
        , null::bytea as "fingerprint?", null::jsonb as "answer?", null::text[] as "foreign?"
        from customers c
        where c.tenant_id = $1 and c.id = any($2)
          and ($3 = any(c.ancestors) or (c.reach = 'FLEET' and c.account_id = any($4)))
        "#,
        scope.tenant().get(),
        &locked,
        scope.root().get(),
        path(scope) as _,
    )
    .fetch_all(conn)
    .named("customers.read_locked")
    .await?
    .into_iter()
    .map(|row: Row| row.seen(caller))
    .collect()
}

/// One customer that goes into the archive or comes out of it.
#[derive(Clone, Debug)]
pub struct Archiving {
    /// Which.
    pub customer: CustomerId,
    /// The id of its event.
    pub event: EventId,
    /// What changes.
    pub changes: Changes,
}

#[derive(Serialize)]
struct Element<'a> {
    customer_id: Uuid,
    event_id: Uuid,
    changes: &'a Changes,
}

/// Archives locked customers at a time, or takes them out (`archived_at` is none), with an event each and one stored
/// answer.
pub async fn save_archiving(
    conn: &mut PgConnection,
    caller: &Caller,
    changed: &[Archiving],
    archived_at: Option<Timestamp>,
    happened: EventType,
    answer: &Answer,
    write: Write<'_>,
) -> Result<()> {
    let elements: Vec<Element<'_>> = changed
        .iter()
        .map(|one| Element { customer_id: one.customer.get(), event_id: one.event.get(), changes: &one.changes })
        .collect();
    sqlx::query!(
        r#"
        with element as materialized (
            select * from jsonb_to_recordset($2) as e (customer_id uuid, event_id uuid, changes jsonb)
        ), head as (
            update customers c set revision = c.revision + 1, archived_at = $3, updated_at = $4, updated_by = $5
            from element e
            where c.tenant_id = $1 and c.id = e.customer_id
            returning c.tenant_id, c.id, c.revision, e.event_id, e.changes
        ), event as (
            insert into events (
                tenant_id, id, epoch, xid, seq, at, type, customer_id, revision, issuer, subject, actors,
                acting_account_id, rpc, request_id, trace_id, workload, changes
            )
            select head.tenant_id, head.event_id, (select epoch from feed_epoch), pg_current_xact_id(),
                   nextval('events_seq'), $4, $6, head.id, head.revision, $7, $8, $9, $10, $11, $12, $13, $17, head.changes
            from head
        )
        insert into requests (tenant_id, principal, rpc, request_id, fingerprint, answer, created_at)
        select $1, $14, $11, $12, $15, $16, $4
        where $12::uuid is not null
        "#,
        caller.scope().tenant().get(),
        Json(&elements) as _,
        archived_at,
        write.at,
        json(&write.author.principal)?,
        happened.as_str(),
        write.author.principal.issuer(),
        write.author.principal.subject(),
        write.actors()?,
        write.acting.map(crate::domain::values::ids::AccountId::get),
        write.author.rpc.name(),
        write.request_id(),
        write.author.trace_id,
        principal_key(&write.author.principal),
        write.fingerprint(),
        write.request.map(|_| answer.to_stored()).transpose().map_err(Error::internal)?,
        write.author.workload(),
    )
    .execute(conn)
    .named("customers.save_archiving")
    .await?;
    Ok(())
}
