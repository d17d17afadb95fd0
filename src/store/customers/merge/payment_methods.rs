//! The payment methods of customers that are merged, and of those that come back.

use sqlx::PgConnection;
use uuid::Uuid;

use super::Merging;
use crate::{
    domain::{access::caller::Scope, values::ids::CustomerId},
    error::Result,
    telemetry::Statement as _,
};

/// The survivor gets the payment methods of all. If it has no default, it gets that of the first of the others that has one.
pub(super) async fn unite(conn: &mut PgConnection, scope: &Scope, merging: Merging<'_>) -> Result<()> {
    sqlx::query!(
        "
        with moved as (
            update payment_methods p set customer_id = $2
            where p.tenant_id = $1 and p.customer_id = any($3)
            returning p.id
        )
        update customers c set
            payment_method_count = case when c.id = $2 then c.payment_method_count + (select count(*) from moved) else 0 end,
            default_payment_method_id = case when c.id = $2 then coalesce(c.default_payment_method_id, (
                select o.default_payment_method_id from customers o
                where o.tenant_id = $1 and o.id = any($3) and o.default_payment_method_id is not null
                order by array_position($3, o.id)
                limit 1
            )) end
        where c.tenant_id = $1 and (c.id = $2 or c.id = any($3)) and exists (select from moved)
        ",
        scope.tenant().get(),
        merging.survivor.get(),
        &merging.others(),
    )
    .execute(conn)
    .named("merge.payment_methods")
    .await?;
    Ok(())
}

/// Moves payment methods back that are still there. A default that goes back leaves the survivor with the one that it had.
pub(super) async fn give_back(
    conn: &mut PgConnection,
    scope: &Scope,
    merge: Uuid,
    survivor: CustomerId,
    customers: &[Uuid],
) -> Result<()> {
    sqlx::query!(
        "
        with image as materialized (
            select m.place, m.customer_id as of_customer, (m.image -> 'row' ->> 'default_payment_method_id')::uuid as was_default,
                   array(
                       select k.id::uuid
                       from jsonb_array_elements_text(coalesce(m.image -> 'payment_methods', '[]')) as k (id)
                   ) as ids
            from merge_images m
            where m.tenant_id = $1 and m.merge_id = $2
        ), moved as (
            update payment_methods p set customer_id = t.of_customer
            from image t
            where t.place > 1 and p.tenant_id = $1 and p.customer_id = $3 and p.id = any(t.ids)
            returning p.customer_id, p.id
        )
        update customers c set
            payment_method_count = case when c.id = $3 then c.payment_method_count - (select count(*) from moved)
                                        else (select count(*) from moved m where m.customer_id = c.id) end,
            default_payment_method_id = case
                when c.id <> $3 then (select m.id from moved m where m.customer_id = c.id and m.id = t.was_default)
                when c.default_payment_method_id = any(array(select m.id from moved m)) then (
                    select p.id from payment_methods p
                    where p.tenant_id = $1 and p.customer_id = $3 and p.id = t.was_default
                )
                else c.default_payment_method_id
            end
        from image t
        where c.tenant_id = $1 and c.id = any($4) and t.of_customer = c.id and exists (select from moved)
        ",
        scope.tenant().get(),
        merge,
        survivor.get(),
        customers,
    )
    .execute(conn)
    .named("undo.payment_methods")
    .await?;
    Ok(())
}
