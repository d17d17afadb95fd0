//! What is kept of a merge, to undo it.

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::Merging;
use crate::{
    domain::{
        access::caller::{Caller, Scope},
        billing::customer_billing::Billing,
        customers::status::Status,
        fields::customer_fields::CustomerFields,
        requests::answer::Answer,
        values::{
            ids::{AccountId, CustomerId},
            timestamp::Timestamp,
        },
    },
    error::Result,
    store::{
        customers::CustomerRecord,
        mutation::mutation,
        write::{NewAnswer, NewEvent, Write},
    },
    telemetry::Statement as _,
};

/// Stores what the customers are before they are merged.
pub async fn keep(
    conn: &mut PgConnection,
    scope: &Scope,
    merging: Merging<'_>,
    (merge, at): (Uuid, Timestamp),
) -> Result<()> {
    sqlx::query!(
        "
        insert into merge_images (tenant_id, customer_id, merge_id, survivor_id, place, merged_at, image)
        select $1, c.id, $3, $2, array_position($4, c.id), $5, jsonb_build_object(
            'row', to_jsonb(c),
            'custom_ids', (
                select coalesce(jsonb_agg(to_jsonb(i)), '[]') from custom_ids i where i.tenant_id = $1 and i.customer_id = c.id
            ),
            'tags', (
                select coalesce(jsonb_agg(to_jsonb(g)), '[]') from customer_tags g
                where g.tenant_id = $1 and g.customer_id = c.id
            ),
            'payment_methods', (
                select coalesce(jsonb_agg(p.id), '[]') from payment_methods p
                where p.tenant_id = $1 and p.customer_id = c.id
            ),
            'sources', (
                select coalesce(jsonb_agg(s.id), '[]') from customers s where s.tenant_id = $1 and s.merged_into = c.id
            )
        )
        from customers c
        where c.tenant_id = $1 and c.id = any($4)
        ",
        scope.tenant().get(),
        merging.survivor.get(),
        merge,
        &merging.all(),
        at,
    )
    .execute(conn)
    .named("images.keep")
    .await?;
    Ok(())
}

/// Stores what the survivor is after the merge.
pub async fn keep_after(conn: &mut PgConnection, scope: &Scope, survivor: CustomerId, merge: Uuid) -> Result<()> {
    sqlx::query!(
        "
        update merge_images m set after = to_jsonb(c)
        from customers c
        where m.tenant_id = $1 and m.customer_id = $2 and m.merge_id = $3 and c.tenant_id = $1 and c.id = $2
        ",
        scope.tenant().get(),
        survivor.get(),
        merge,
    )
    .execute(conn)
    .named("images.keep_after")
    .await?;
    Ok(())
}

/// A merge that a customer was part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptMerge {
    /// Its id.
    pub id: Uuid,
    /// The one that stayed.
    pub survivor: CustomerId,
    /// When.
    pub at: Timestamp,
}

/// Finds the last merge that a customer was part of, of which there are images.
pub async fn last(conn: &mut PgConnection, scope: &Scope, customer: CustomerId) -> Result<Option<KeptMerge>> {
    let found = sqlx::query!(
        "select merge_id, survivor_id, merged_at from merge_images
         where tenant_id = $1 and customer_id = $2
         order by merged_at desc, merge_id desc
         limit 1",
        scope.tenant().get(),
        customer.get(),
    )
    .fetch_optional(conn)
    .named("images.last")
    .await?;
    let kept = |id, survivor, at| KeptMerge { id, survivor: CustomerId::from_uuid(survivor), at };
    Ok(found.map(|row| kept(row.merge_id, row.survivor_id, row.merged_at)))
}

/// What a customer was before a merge.
#[derive(Clone, Debug)]
pub struct Image {
    /// The customer.
    pub customer: CustomerId,
    /// Its owner.
    pub owner: AccountId,
    /// Its fields.
    pub fields: CustomerFields,
    /// Its status.
    pub status: Status,
    /// Its credit limit and active features.
    pub billing: Billing,
    /// Its fields after the merge, of the one that stayed.
    pub after: Option<CustomerFields>,
    /// Its credit limit and active features after the merge, of the one that stayed.
    pub after_billing: Option<Billing>,
    /// Those that had been merged into it.
    pub sources: Vec<CustomerId>,
}

/// Reads the images of a merge, that of the one that stayed first.
pub async fn read(conn: &mut PgConnection, scope: &Scope, merge: Uuid) -> Result<Vec<Image>> {
    let rows = sqlx::query!(
        r#"
        select m.customer_id, (m.image -> 'row' ->> 'account_id')::uuid as "owner!",
               m.image -> 'row' ->> 'status' as "status!", m.image -> 'row' ->> 'status_reason' as status_reason,
               (m.image -> 'row') || (m.image -> 'row' -> 'profile') as "fields!: Json<CustomerFields>",
               m.after || (m.after -> 'profile') as "after: Json<CustomerFields>",
               coalesce(m.image -> 'row' -> 'billing', '{}') as "billing!: Json<Billing>",
               case when m.after is not null then coalesce(m.after -> 'billing', '{}') end as "after_billing: Json<Billing>",
               array(select jsonb_array_elements_text(m.image -> 'sources')::uuid) as "sources!"
        from merge_images m
        where m.tenant_id = $1 and m.merge_id = $2
        order by m.place
        "#,
        scope.tenant().get(),
        merge,
    )
    .fetch_all(conn)
    .named("images.read")
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Image {
            customer: CustomerId::from_uuid(row.customer_id),
            owner: AccountId::from_uuid(row.owner),
            fields: row.fields.0,
            status: Status::stored(&row.status, row.status_reason, None),
            billing: row.billing.0,
            after: row.after.map(|after| after.0),
            after_billing: row.after_billing.map(|after| after.0),
            sources: row.sources.into_iter().map(CustomerId::from_uuid).collect(),
        })
        .collect())
}

/// Stores the answer of a merge that was undone, which is about a customer as it is now.
pub async fn store_answer(
    conn: &mut PgConnection,
    caller: &Caller,
    now: &CustomerRecord,
    write: Write<'_>,
) -> Result<()> {
    let (id, no_events) = (now.customer.id, &[] as &[NewEvent<()>]);
    let answer = write.answer(Answer::of_customer(&now.customer, &now.link));
    let answer = answer.map(|answer| NewAnswer { customer_id: Some(id), ..answer });
    mutation!(
        write.recorded(caller.scope().tenant(), no_events, answer.as_slice()),
        "with written as (select c.id from customers c where c.tenant_id = $1 and c.id = $12)" RECORDED,
        id.get(),
    )
    .fetch_one(conn)
    .named("images.store_answer")
    .await?;
    Ok(())
}

/// Deletes up to `limit` images of merges before a time, and returns how many.
pub async fn sweep(conn: &mut PgConnection, before: Timestamp, limit: i64) -> Result<u64> {
    let swept = sqlx::query!(
        r#"
        delete from merge_images
        where ctid = any(array(select ctid from merge_images where merged_at < $1 limit $2 for update skip locked))
        "#,
        before,
        limit,
    )
    .execute(conn)
    .named("images.sweep")
    .await?;
    Ok(swept.rows_affected())
}
