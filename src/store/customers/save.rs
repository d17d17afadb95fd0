//! The second write shape: an optimistic command on one customer.

use sqlx::{PgConnection, types::Json};

use super::CustomerRecord;
use crate::{
    domain::{
        access::caller::Caller,
        customers::customer::Customer,
        fields::field::Field,
        history::{event::Changes, event_type::EventType},
        requests::answer::Answer,
        search::Searchable,
    },
    error::Result,
    store::{Write, principal_key, search},
    telemetry::Statement as _,
};

/// Writes a changed customer, its event and the stored answer, if the customer is still as it was read. Says whether it
/// was. `after.revision` must be one more than the revision that was read.
///
/// # Errors
/// A broken unique key, unmapped: the caller knows whether to look for a stored answer first.
pub async fn save(
    conn: &mut PgConnection,
    caller: &Caller,
    before: &CustomerRecord,
    after: &Customer,
    happened: EventType,
    write: Write<'_>,
) -> Result<bool> {
    let fields = &after.fields;
    // What is searched changes rarely, and writing it costs every index of it.
    let searchable = search::change(&before.customer.fields, fields);
    let saved = sqlx::query_scalar!(
        r#"
        with head as (
            -- name_scope stays: whoever changes the tenant's rule sets it on every row.
            update customers set
                revision = revision + 1, type = $5, service_class = $6, reach = $7, name = $8, name_key = $9,
                status = $10, status_reason = $11, archived_at = $12, sales_person_id = $13, order_reference = $14,
                profile = $15, updated_at = $16, updated_by = $17, branch_id = $31, holds = $32
            where tenant_id = $1 and id = $2 and revision = $3 and owner_link_revision = $4
            returning tenant_id, id, revision
        ), search as (
            insert into customer_search (tenant_id, customer_id, doc, country)
            select head.tenant_id, head.id, $33, $34 from head where $33::text is not null
            on conflict (tenant_id, customer_id) do update set doc = excluded.doc, country = excluded.country
        ), event as (
            insert into events (
                tenant_id, id, epoch, xid, seq, at, type, customer_id, revision, issuer, subject, actors,
                acting_account_id, rpc, request_id, trace_id, workload, changes
            )
            select head.tenant_id, $18, (select epoch from feed_epoch), pg_current_xact_id(), nextval('events_seq'),
                   $16, $19, head.id, head.revision, $20, $21, $22, $23, $24, $25, $26, $35, $27
            from head
        ), answer as (
            insert into requests (tenant_id, principal, rpc, request_id, fingerprint, customer_id, answer, created_at)
            select head.tenant_id, $28, $24, $25, $29, head.id, $30, $16
            from head
            where $25::uuid is not null
        )
        select revision as "revision!" from head
        "#,
        caller.scope().tenant().get(),
        after.id.get(),
        before.customer.revision,
        before.owner_link_revision,
        fields.customer_type.as_str(),
        fields.service_class.as_str(),
        fields.reach.as_str(),
        fields.name.as_str(),
        fields.name.key().as_str(),
        after.status.as_str(),
        after.status.reason().map(crate::domain::values::text::Text::as_str),
        after.archived_at,
        fields.references.get(Field::SalesPersonId),
        fields.order_reference.as_ref().map(crate::domain::values::text::Text::as_str),
        Json(&fields.profile) as _,
        write.at,
        Json(&after.updated.by) as _,
        write.event.get(),
        happened.as_str(),
        write.author.principal.issuer(),
        write.author.principal.subject(),
        write.actors()?,
        write.acting.map(crate::domain::values::ids::AccountId::get),
        write.author.rpc.name(),
        write.request_id(),
        write.author.trace_id,
        Json(Changes::of(&before.customer, after)) as _,
        principal_key(&write.author.principal),
        write.fingerprint(),
        write.request.map(|_| Json(Answer::of_customer(after, &before.link))) as _,
        fields.references.get(Field::BranchId),
        Json(&after.holds) as _,
        searchable.as_ref().map(Searchable::doc),
        searchable.as_ref().map(Searchable::country),
        write.author.workload(),
    )
    .fetch_optional(conn)
    .named("customers.save")
    .await?;
    Ok(saved == Some(after.revision))
}
