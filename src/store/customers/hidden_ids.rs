//! Custom IDs of customers that their account does not see any more, as after a transfer. They keep the value until another
//! customer of the account takes it: then they become aliases. So nothing is written when a customer leaves the account's
//! sight or returns.

use serde::Serialize;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::{path, row};
use crate::{
    domain::{
        access::caller::{Caller, Scope},
        history::{event::Changes, event_type::EventType},
        values::{
            custom_id::{CustomId, CustomIds, System},
            ids::{CustomerId, EventId},
        },
    },
    error::Result,
    store::{
        mutation::mutation,
        sql::sql,
        write::{NewAnswer, NewEvent, Write},
    },
    telemetry::Statement as _,
};

/// A customer that the acting account does not see, with custom IDs of that account that are to be released.
#[derive(Clone, Debug)]
pub struct HiddenHolder {
    customer: CustomerId,
    revision: i64,
    link_revision: i64,
    before: CustomIds,
    after: CustomIds,
}

struct Row {
    customer_id: Uuid,
    revision: i64,
    link_revision: i64,
    custom_ids: row::CustomIds,
}

/// Finds the customers out of the acting account's sight that have one of these custom IDs, and locks them with the
/// account's links: a transfer that brings one back repeats the link in the customer's row, and so comes before or after.
pub async fn find_hidden(conn: &mut PgConnection, scope: &Scope, ids: &CustomIds) -> Result<Vec<HiddenHolder>> {
    let (systems, keys): (Vec<String>, Vec<String>) =
        ids.iter().map(|(system, id)| (system.as_str().to_owned(), id.key().as_str().to_owned())).unzip();
    let rows: Vec<Row> = sql!(
        query_as Row,
        r#"
        select l.customer_id, c.revision, l.revision as link_revision, l.custom_ids as "custom_ids: row::CustomIds"
        from customer_links l
        join customers c on c.tenant_id = l.tenant_id and c.id = l.customer_id
        where l.tenant_id = $1 and l.account_id = $3 and not "# VISIBLE "
          and l.customer_id in (
              select i.customer_id
              from custom_ids i
              join unnest($2::text[], $5::text[]) as asked (system, value_key)
                on asked.system = i.system and asked.value_key = i.value_key
              where i.tenant_id = $1 and i.account_id = $3 and i.is_current
          )
        order by l.customer_id
        for no key update",
        scope.tenant().get(),
        &systems,
        scope.root().get(),
        &path(scope),
        &keys,
    )
    .fetch_all(conn)
    .named("custom_ids.find_hidden")
    .await?;
    let holder = |row: Row| {
        let before = row.custom_ids.value;
        let has = |(system, id): &(&System, &CustomId)| ids.get(*system).is_some_and(|asked| asked.key() == id.key());
        let after = before.iter().filter(|pair| !has(pair)).map(|(system, id)| (system.clone(), id.clone())).collect();
        let customer = CustomerId::from_uuid(row.customer_id);
        HiddenHolder { customer, revision: row.revision, link_revision: row.link_revision, before, after }
    };
    Ok(rows.into_iter().map(holder).filter(|holder| holder.before != holder.after).collect())
}

/// One link as the statement reads it.
#[derive(Serialize)]
struct Element<'a> {
    customer_id: CustomerId,
    revision: i64,
    custom_ids: &'a CustomIds,
    released: Vec<&'a str>,
}

/// Makes the custom IDs of these customers aliases, each with a revision of the link and an event for the acting account.
pub async fn release(
    conn: &mut PgConnection,
    caller: &Caller,
    holders: &[(HiddenHolder, EventId)],
    write: Write<'_>,
) -> Result<()> {
    let account = caller.scope().root();
    let elements: Vec<Element<'_>> = holders
        .iter()
        .map(|(holder, _)| Element {
            customer_id: holder.customer,
            revision: holder.link_revision + 1,
            custom_ids: &holder.after,
            released: holder.before.keys().filter(|it| !holder.after.contains_key(*it)).map(System::as_str).collect(),
        })
        .collect();
    let events: Vec<NewEvent<Changes>> = holders
        .iter()
        .map(|(holder, event)| NewEvent {
            id: *event,
            customer_id: Some(holder.customer),
            revision: Some(holder.revision),
            audience: Some(account),
            ..write.event(EventType::CustomIdsChanged.as_str(), Changes::of_custom_ids(&holder.before, &holder.after))
        })
        .collect();
    mutation!(
        write.recorded(caller.scope().tenant(), &events, &[] as &[NewAnswer<()>]),
        "with element as materialized (
            select * from jsonb_to_recordset($12) as e (
                customer_id uuid, revision bigint, custom_ids jsonb, released text[]
            )
        ), written as (
            update customer_links l set revision = e.revision, custom_ids = e.custom_ids
            from element e
            where l.tenant_id = $1 and l.customer_id = e.customer_id and l.account_id = $13
            returning l.customer_id
        ), retired as (
            update custom_ids i set is_current = false
            from element e
            where i.tenant_id = $1 and i.customer_id = e.customer_id and i.account_id = $13 and i.is_current
              and i.system = any(e.released)
        )" RECORDED,
        Json(&elements) as _,
        account.get(),
    )
    .fetch_one(conn)
    .named("custom_ids.release")
    .await?;
    Ok(())
}
