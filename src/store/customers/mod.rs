//! Customers: one row is the record, see the migration that creates `customers`.

mod batch;
mod columns;
mod create;
pub mod custom_ids;
mod duplicates;
pub mod erase;
pub mod family;
mod find;
mod gathered;
mod hidden_ids;
pub mod merge;
pub mod ownership;
mod record;
pub mod references;
pub(super) mod row;
mod save;
mod save_billing;
mod tagging;
pub mod taken;

use sqlx::{PgConnection, types::Json};

use self::row::Row;
pub use self::{
    batch::{Archiving, lock_all, save_archiving},
    create::{CustomerInsert, create},
    duplicates::find_duplicates,
    find::{came_by_merge, find_by_custom_id, get_all, lookup},
    gathered::{By, ByCustomId, Found, Wanted, read_gathered},
    hidden_ids::{HiddenHolder, find_hidden, release},
    record::{BatchCustomer, CustomerRecord, LoadedCustomer},
    save::{save, save_changes},
    tagging::{Tagged, Tagging, read_tags, save_tagging},
};
use crate::{
    domain::{
        access::caller::{Caller, Scope},
        customers::command::Command,
        fields::references::References,
        requests::options::Repeatable,
        values::ids::{CustomerId, RatePlanId},
    },
    error::{Error, Result},
    store::{path, rows::Room, sql::sql},
    telemetry::Statement as _,
};

/// Reads one customer as the caller's account sees it. The policies of another owner are read with it; the acting
/// account's own are the caller's.
pub async fn get(conn: &mut PgConnection, caller: &Caller, id: CustomerId, room: Room) -> Result<CustomerRecord> {
    let scope = admitting(caller.scope(), id)?;
    let row = sql!(
        query_as Row,
        ONE_TO_READ READ_ONLY "
        from customers c
        where c.tenant_id = $1 and c.id = $2 and " VISIBLE,
        scope.tenant().get(),
        id.get(),
        scope.root().get(),
        path(scope) as _,
    )
    .fetch_optional(conn)
    .named("customers.get")
    .await?
    .ok_or(Error::CustomerNotFound { at: None })?;
    room(row.cost())?;
    row.seen(caller)
}

/// Reads one customer with everything that a command on it decides by, as it is now. Its memory is not counted: there is at
/// most one for each session.
pub async fn load(
    conn: &mut PgConnection,
    caller: &Caller,
    id: CustomerId,
    request: Option<&Repeatable>,
    (references, command): (&References, Option<&Command>),
) -> Result<LoadedCustomer> {
    let scope = admitting(caller.scope(), id)?;
    let author = caller.author();
    sql!(
        query_as Row,
        ONE_TO_CHANGE r#"
        , r.fingerprint as "fingerprint?", r.answer as "answer?" "# ASKED r#", false as "cut!"
        from customers c
        left join requests r
          on r.tenant_id = $1 and r.principal = $5 || ' ' || $6 and r.rpc = $7 and r.request_id = $8
        where c.tenant_id = $1 and c.id = $2 and "# VISIBLE,
        scope.tenant().get(),
        id.get(),
        scope.root().get(),
        path(scope) as _,
        author.principal.issuer(),
        author.principal.subject(),
        author.rpc.name(),
        request.map(|request| request.key.get()),
        Json(references) as _,
        &command.and_then(Command::feature).map(|code| code.as_str().to_owned()).into_iter().collect::<Vec<_>>(),
        command.and_then(Command::plan).map(RatePlanId::get),
    )
    .fetch_optional(conn)
    .named("customers.load")
    .await?
    .ok_or(Error::CustomerNotFound { at: None })?
    .loaded(caller)
}

/// Locks a customer that the caller sees until the transaction ends.
pub async fn lock(conn: &mut PgConnection, scope: &Scope, id: CustomerId) -> Result<()> {
    let scope = admitting(scope, id)?;
    sql!(
        query_scalar,
        "select true from customers c where c.tenant_id = $1 and c.id = $2 and " VISIBLE " for update",
        scope.tenant().get(),
        id.get(),
        scope.root().get(),
        path(scope) as _,
    )
    .fetch_optional(conn)
    .named("customers.lock")
    .await?
    .map(|_| ())
    .ok_or(Error::CustomerNotFound { at: None })
}

/// The scope, unless the call is narrowed to another customer.
pub(super) fn admitting(scope: &Scope, id: CustomerId) -> Result<&Scope> {
    if scope.admits(id) { Ok(scope) } else { Err(Error::CustomerNotFound { at: None }) }
}
