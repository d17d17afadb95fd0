//! What a merge moved and cannot simply go back.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{access::caller::Scope, values::ids::AccountId},
    error::Result,
    telemetry::Statement as _,
};

/// A custom ID that cannot simply go back: the survivor uses it now in place of its own, or another customer has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostId {
    /// The account that gave it.
    pub account: AccountId,
    /// The system.
    pub system: String,
}

/// Finds the custom IDs of those that were merged that cannot simply go back.
pub async fn lost_ids(conn: &mut PgConnection, scope: &Scope, merge: Uuid) -> Result<Vec<LostId>> {
    let rows = sqlx::query!(
        r#"
        with image as materialized (
            select m.place, m.customer_id as of_customer, m.survivor_id, i.account_id, i.system, i.value_key, i.is_current
            from merge_images m
            cross join lateral jsonb_populate_recordset(null::custom_ids, m.image -> 'custom_ids') i
            where m.tenant_id = $1 and m.merge_id = $2
        )
        select distinct t.account_id as "account_id!", t.system as "system!"
        from image t
        where t.place > 1 and (exists (
            select from custom_ids n
            join image o on o.place = 1 and o.account_id = n.account_id and o.system = n.system and o.is_current
            where n.tenant_id = $1 and n.customer_id = t.survivor_id and n.account_id = t.account_id and n.system = t.system
              and n.value_key = t.value_key and n.is_current and o.value_key <> n.value_key
        ) or t.is_current and exists (
            select from custom_ids x
            where x.tenant_id = $1 and x.account_id = t.account_id and x.system = t.system and x.value_key = t.value_key
              and x.is_current and x.customer_id <> t.survivor_id and x.customer_id <> t.of_customer
        ))
        order by 1, 2
        "#,
        scope.tenant().get(),
        merge,
    )
    .fetch_all(conn)
    .named("merge.lost_ids")
    .await?;
    let lost = |account, system| LostId { account: AccountId::from_uuid(account), system };
    Ok(rows.into_iter().map(|row| lost(row.account_id, row.system)).collect())
}
