//! Accounts' own ids for customers.

use sqlx::PgConnection;

use crate::{
    domain::{
        caller::Scope,
        custom_id::{CustomIds, System},
    },
    error::Result,
};

/// Of these, the first system in which a customer of the acting account has that custom ID.
pub async fn first_taken(conn: &mut PgConnection, scope: &Scope, ids: &CustomIds) -> Result<Option<System>> {
    let (systems, keys): (Vec<String>, Vec<String>) =
        ids.iter().map(|(system, id)| (system.as_str().to_owned(), id.key().as_str().to_owned())).unzip();
    let taken = sqlx::query_scalar!(
        r#"
        select c.system
        from custom_ids c
        join unnest($3::text[], $4::text[]) as asked (system, value_key)
          on asked.system = c.system and asked.value_key = c.value_key
        where c.tenant_id = $1 and c.account_id = $2 and c.is_current
        order by c.system
        limit 1
        "#,
        scope.tenant().get(),
        scope.root().get(),
        &systems,
        &keys,
    )
    .fetch_optional(conn)
    .await?;
    Ok(taken.and_then(|taken| ids.keys().find(|system| system.as_str() == taken).cloned()))
}
