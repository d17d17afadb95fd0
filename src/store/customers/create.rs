//! The first write shape: a slice of new customers of one account in one statement of plain inserts.

use serde::Serialize;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    domain::{
        access::{caller::Caller, relation::Relation},
        accounts::account::{Account, name_scope},
        customers::{customer::Customer, link::Link},
        fields::{profile::Profile, references::References},
        history::{event::Changes, event_type::EventType},
        requests::{answer::Answer, options::Repeatable, principal::Principal},
        search::Searchable,
        values::{custom_id::CustomIds, ids::EventId, timestamp::Timestamp},
    },
    error::{Error, Result},
    store::{json, principal_key},
    telemetry::Statement as _,
};

/// A customer to be created, and what is remembered of it.
#[derive(Clone, Debug)]
pub struct CustomerInsert {
    /// The customer.
    pub customer: Customer,
    /// The owner's custom IDs of it.
    pub custom_ids: CustomIds,
    /// The ids of its events: its creation, and the custom IDs it came with.
    pub events: [EventId; 2],
    /// Under which the answer is kept.
    pub request: Option<Repeatable>,
}

impl CustomerInsert {
    /// The owner's link to the new customer: at revision 1 if it came with custom IDs, else never written.
    #[must_use]
    pub fn link(&self) -> Link {
        Link { revision: i64::from(!self.custom_ids.is_empty()), custom_ids: self.custom_ids.clone(), tags: Vec::new() }
    }
}

/// One element of the slice as the statement reads it.
#[derive(Serialize)]
struct Element<'a, A> {
    id: Uuid,
    name_scope: Option<Uuid>,
    r#type: &'static str,
    service_class: &'static str,
    reach: &'static str,
    name: &'a str,
    name_key: &'a str,
    status: &'static str,
    /// As columns, and as an object for the check.
    #[serde(flatten)]
    columns: &'a References,
    reference_ids: &'a References,
    origin: &'static str,
    order_reference: Option<&'a str>,
    profile: &'a Profile,
    link_revision: i64,
    custom_ids: &'a CustomIds,
    custom_id_rows: Vec<CustomIdRow<'a>>,
    search_doc: String,
    search_country: String,
    created_at: Timestamp,
    created_by: &'a Principal,
    events: Vec<EventRow>,
    request_id: Option<Uuid>,
    fingerprint: Option<String>,
    answer: Option<A>,
}

#[derive(Serialize)]
struct CustomIdRow<'a> {
    system: &'a str,
    value: &'a str,
    value_key: &'a str,
}

#[derive(Serialize)]
struct EventRow {
    id: Uuid,
    r#type: &'static str,
    audience: Option<Uuid>,
    changes: Changes,
}

/// Creates a slice of customers of the caller's account, each with its custom IDs, events and stored answer, or none of
/// them. `account` is the account, with its tenant's rule on names, as the customers were decided on. Says how many
/// were made: fewer than were given if the account or its tenant has changed since (none was made), or where a reference
/// names something that the account does not have.
///
/// # Errors
/// A broken unique key, unmapped: the caller knows whether to look for a stored answer first.
pub async fn create(
    conn: &mut PgConnection,
    caller: &Caller,
    account: &Account,
    slice: &[CustomerInsert],
) -> Result<usize> {
    let links: Vec<Link> = slice.iter().map(CustomerInsert::link).collect();
    let scope = name_scope(account.name_uniqueness, caller.scope().tenant(), account.id)?;
    let elements: Vec<_> = slice.iter().zip(&links).map(|(new, link)| element(account, scope, new, link)).collect();
    let author = caller.author();
    let made = sqlx::query_scalar!(
        r#"
        with rule as materialized (
            -- Whoever tightens the rule locks this row `for update` first, and waits for us or we for it.
            select t.tenant_id from tenants t where t.tenant_id = $1 and t.revision = $3 for key share
        ), owner as materialized (
            select a.ancestors from accounts a where a.tenant_id = $1 and a.id = $2 and a.revision = $4
        ), new as materialized (
            select n.*, owner.ancestors
            from jsonb_to_recordset($5) as n (
                id uuid, name_scope uuid, type text, service_class text, reach text, name text, name_key text,
                status text, branch_id uuid, sales_person_id uuid, origin text, order_reference text, profile jsonb,
                reference_ids jsonb, link_revision bigint, custom_ids jsonb, custom_id_rows jsonb, search_doc text,
                search_country text,
                created_at timestamptz, created_by jsonb, events jsonb, request_id uuid, fingerprint text, answer jsonb
            )
            cross join rule
            cross join owner
            where not exists (
                select from jsonb_each_text(n.reference_ids) as r (field, id)
                where not exists (
                    select from reference_targets t
                    where t.tenant_id = $1 and t.account_id = $2 and t.field = r.field and t.id = r.id::uuid
                )
            )
        ), made as (
            insert into customers (
                tenant_id, id, account_id, ancestors, revision, owner_link_revision, type, service_class, reach, name,
                name_key, name_scope, status, branch_id, sales_person_id, origin, order_reference, profile, owner_custom_ids,
                created_at, updated_at, created_by, updated_by
            )
            select $1, n.id, $2, n.ancestors, 1, n.link_revision, n.type, n.service_class, n.reach, n.name, n.name_key,
                   n.name_scope, n.status, n.branch_id, n.sales_person_id, n.origin, n.order_reference, n.profile, n.custom_ids,
                   n.created_at, n.created_at, n.created_by, n.created_by
            from new n
            returning id
        ), link as (
            insert into customer_links (tenant_id, customer_id, account_id, revision, custom_ids)
            select $1, n.id, $2, n.link_revision, n.custom_ids from new n where n.link_revision > 0
        ), custom_id as (
            insert into custom_ids (tenant_id, account_id, system, value_key, customer_id, value, is_current, created_at)
            select $1, $2, i.system, i.value_key, n.id, i.value, true, n.created_at
            from new n
            cross join lateral jsonb_to_recordset(n.custom_id_rows) as i (system text, value text, value_key text)
        ), search as (
            insert into customer_search (tenant_id, customer_id, doc, country)
            select $1, n.id, n.search_doc, n.search_country from new n
        ), event as (
            insert into events (
                tenant_id, id, epoch, xid, seq, at, type, customer_id, revision, audience, issuer, subject, actors,
                acting_account_id, rpc, request_id, trace_id, workload, changes
            )
            select $1, e.id, (select epoch from feed_epoch), pg_current_xact_id(), nextval('events_seq'), n.created_at,
                   e.type, n.id, 1, e.audience, $6, $7, $8, $2, $9, n.request_id, $10, $12, e.changes
            from new n
            cross join lateral jsonb_to_recordset(n.events) as e (id uuid, type text, audience uuid, changes jsonb)
        ), answer as (
            insert into requests (tenant_id, principal, rpc, request_id, fingerprint, customer_id, answer, created_at)
            select $1, $11, $9, n.request_id, decode(n.fingerprint, 'hex'), n.id, n.answer, n.created_at
            from new n
            where n.request_id is not null
        )
        select count(*) as "made!" from made
        "#,
        caller.scope().tenant().get(),
        account.id.get(),
        account.tenant_revision,
        account.revision,
        Json(&elements) as _, // written once, into the message itself: a tree of values first costs more than the rest
        author.principal.issuer(),
        author.principal.subject(),
        json(&author.actors)?,
        author.rpc.name(),
        author.trace_id,
        principal_key(&author.principal),
        author.workload(),
    )
    .fetch_one(conn)
    .named("customers.create")
    .await?;
    usize::try_from(made).map_err(Error::internal)
}

fn element<'a>(
    account: &Account,
    name_scope: Option<Uuid>,
    new: &'a CustomerInsert,
    link: &'a Link,
) -> Element<'a, impl Serialize + 'a> {
    let customer = &new.customer;
    let fields = &customer.fields;
    let searchable = Searchable::of(fields);
    Element {
        id: customer.id.get(),
        name_scope,
        r#type: fields.customer_type.as_str(),
        service_class: fields.service_class.as_str(),
        reach: fields.reach.as_str(),
        name: fields.name.as_str(),
        name_key: fields.name.key().as_str(),
        status: customer.status.as_str(),
        columns: &fields.references,
        reference_ids: &fields.references,
        origin: fields.origin.as_str(),
        order_reference: fields.order_reference.as_ref().map(crate::domain::values::text::Text::as_str),
        profile: &fields.profile,
        link_revision: link.revision,
        custom_ids: &new.custom_ids,
        custom_id_rows: new
            .custom_ids
            .iter()
            .map(|(system, id)| CustomIdRow {
                system: system.as_str(),
                value: id.as_str(),
                value_key: id.key().as_str(),
            })
            .collect(),
        search_doc: searchable.doc().to_owned(),
        search_country: searchable.country().to_owned(),
        created_at: customer.created.at,
        created_by: &customer.created.by,
        events: events(account, new),
        request_id: new.request.map(|request| request.id.get()),
        fingerprint: new.request.map(|request| hex(&request.fingerprint)),
        answer: new.request.map(|_| Answer::of_customer(customer, link)),
    }
}

/// The creation, for whoever sees the customer; and the custom IDs it came with, for its owner alone.
fn events(account: &Account, new: &CustomerInsert) -> Vec<EventRow> {
    let created = EventRow {
        id: new.events[0].get(),
        r#type: EventType::Created.as_str(),
        audience: None,
        changes: Changes::of_new(&new.customer).seen_from(Relation::OwnerOrAbove),
    };
    let custom_ids = (!new.custom_ids.is_empty()).then(|| EventRow {
        id: new.events[1].get(),
        r#type: EventType::CustomIdsChanged.as_str(),
        audience: Some(account.id.get()),
        changes: Changes::of_custom_ids(&CustomIds::new(), &new.custom_ids),
    });
    std::iter::once(created).chain(custom_ids).collect()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    })
}
