//! The third form of a write: many customers in one transaction, their rows locked in id order.

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::{
    BatchCustomer,
    row::{self, Row},
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
    error::Result,
    store::{
        mutation::mutation,
        path,
        rows::{self, Room},
        sql::sql,
        write::{NewEvent, Write},
    },
    telemetry::{RowStream as _, Statement as _},
};

/// Locks those of these customers that the caller sees, in id order, and reads what batches decide by.
pub async fn lock_all(
    conn: &mut PgConnection,
    caller: &Caller,
    ids: &[CustomerId],
    room: Room,
) -> Result<Vec<BatchCustomer>> {
    let scope = caller.scope();
    let ids: Vec<Uuid> = ids.iter().filter(|id| scope.admits(**id)).map(|id| id.get()).collect();
    let locked = sql!(
        query_scalar,
        "select c.id from customers c where c.tenant_id = $1 and c.id = any($2) and " VISIBLE "
        order by c.id
        for update",
        scope.tenant().get(),
        &ids,
        scope.root().get(),
        &path(scope),
    )
    .fetch_all(&mut *conn)
    .named("customers.lock_all")
    .await?;
    // A second statement: one that waited for a lock sees the locked row anew, but links and tags as they were before.
    let rows = sql!(
        query_as Row,
        RECORD_OF_BATCH READ_ONLY "
        from customers c
        where c.tenant_id = $1 and c.id = any($2) and " VISIBLE,
        scope.tenant().get(),
        &locked,
        scope.root().get(),
        path(scope) as _,
    )
    .fetch(conn)
    .named("customers.read_locked");
    rows::all(rows, room, |row: Row| Ok((row.cost(), row.of_batch(caller)))).await
}

/// One customer that is archived or unarchived.
#[derive(Clone, Debug)]
pub struct Archiving {
    /// Its id.
    pub customer: CustomerId,
    /// Its revision after the change.
    pub revision: i64,
    /// The id of its event.
    pub event: EventId,
    /// The changed fields.
    pub changes: Changes,
}

/// Archives locked customers at a time, or unarchives them (`archived_at` is none), with an event each and one stored
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
    let events: Vec<NewEvent<&Changes>> = changed
        .iter()
        .map(|Archiving { customer, revision, event, changes }| NewEvent {
            id: *event,
            customer_id: Some(*customer),
            revision: Some(*revision),
            ..write.event(happened.as_str(), changes)
        })
        .collect();
    mutation!(
        write.recorded(caller.scope().tenant(), &events, write.stored_answer(answer)?.as_slice()),
        "with written as (
            update customers c set revision = c.revision + 1, archived_at = $13, updated_at = $9, updated_by = $14
            where c.tenant_id = $1 and c.id = any($12)
            returning c.id
        )" RECORDED,
        &changed.iter().map(|archiving| archiving.customer.get()).collect::<Vec<_>>(),
        archived_at,
        Json(&write.author.principal) as _,
    )
    .fetch_one(conn)
    .named("customers.save_archiving")
    .await?;
    Ok(())
}
