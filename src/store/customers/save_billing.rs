//! Writes what a command changes of a customer's plan, credit and features.

use serde::Serialize;
use sqlx::{PgConnection, types::Json};

use super::{CustomerRecord, columns::BilledColumns};
use crate::{
    domain::{
        billing::relied::{Relied, UseChange},
        customers::customer::Customer,
        history::event::Changes,
    },
    error::Result,
    store::{
        mutation::mutation,
        write::{NewEvent, Recorded},
    },
    telemetry::Statement as _,
};

/// Writes the columns of billing, unless the customer, or what the decision relied on, has changed.
pub(super) async fn save_billing<A: Serialize>(
    conn: &mut PgConnection,
    before: &CustomerRecord,
    after: &Customer,
    recorded: &Recorded<'_, NewEvent<Changes>, A>,
) -> Result<i64> {
    let relied = Relied::of(&before.customer, after, &before.terms);
    let uses = UseChange::of(&before.customer, after, &before.terms);
    let saved = mutation!(
        recorded,
        "with " RELIED ", written as (
            update customers set
                (rate_plan_id, billing) = (
                    select rate_plan_id, billing from jsonb_populate_record(null::customers, $16)
                ),
                revision = revision + 1, updated_at = $9, updated_by = $17
            where tenant_id = $1 and id = $13 and revision = $14 and owner_link_revision = $15
              and (select held from relied)
            returning id
        ), use_gone as (
            delete from feature_uses u using written w
            where u.tenant_id = $1 and u.customer_id = w.id and u.key = any($18)
        ), use_new as (
            insert into feature_uses (tenant_id, customer_id, key)
            select $1, w.id, k.key from written w cross join unnest($19::text[]) as k (key)
        )" RECORDED,
        Json(&relied) as _,
        after.id.get(),
        before.customer.revision,
        before.owner_link_revision,
        Json(BilledColumns::from(after)) as _,
        Json(&after.updated.by) as _,
        &uses.gone,
        &uses.new,
    )
    .fetch_one(conn)
    .named("customers.save_billing")
    .await?;
    Ok(saved.written)
}
