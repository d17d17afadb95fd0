//! The references of customers to things that their owner has; see the view in migrations/0002_customers.sql.

use sqlx::{PgConnection, types::Json};

use crate::{
    domain::{
        access::caller::Scope,
        fields::{field::Field, references::References},
        values::ids::AccountId,
    },
    error::Result,
    telemetry::Statement as _,
};

/// Keeps the references to things that an account has.
pub async fn owned(
    conn: &mut PgConnection,
    scope: &Scope,
    account: AccountId,
    references: &References,
) -> Result<References> {
    let found = sqlx::query!(
        r#"
        select t.field as "field!", t.id as "id!"
        from jsonb_each_text($3) as r (field, id)
        join reference_targets t
          on t.tenant_id = $1 and t.account_id = $2 and t.field = r.field and t.id = r.id::uuid
        "#,
        scope.tenant().get(),
        account.get(),
        Json(references) as _,
    )
    .fetch_all(conn)
    .named("references.owned")
    .await?;
    Ok(found.into_iter().filter_map(|row| Some((Field::parse(&row.field)?, Some(row.id)))).collect())
}
