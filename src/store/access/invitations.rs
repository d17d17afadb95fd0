//! Invitations that are not yet sent.

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    domain::{
        access::caller::Scope,
        values::{email::Email, enums::Role, ids::AccountId},
    },
    error::Result,
    store::write::Write,
    telemetry::Statement as _,
};

/// Stores an invitation to become a member of an account.
pub async fn create(
    conn: &mut PgConnection,
    scope: &Scope,
    id: Uuid,
    account: AccountId,
    email: &Email,
    role: Role,
    write: Write<'_>,
) -> Result<()> {
    sqlx::query!(
        r#"
        insert into invitations (tenant_id, id, account_id, email, role, created_at, created_by)
        values ($1, $2, $3, $4, $5, $6, $7)
        "#,
        scope.tenant().get(),
        id,
        account.get(),
        email.as_str(),
        role.as_str(),
        write.at,
        Json(&write.author.principal) as _,
    )
    .execute(conn)
    .named("invitations.create")
    .await?;
    Ok(())
}

/// Deletes all invitations of an account.
pub async fn withdraw(conn: &mut PgConnection, scope: &Scope, account: AccountId) -> Result<()> {
    sqlx::query!(
        "delete from invitations where tenant_id = $1 and account_id = $2",
        scope.tenant().get(),
        account.get(),
    )
    .execute(conn)
    .named("invitations.withdraw")
    .await?;
    Ok(())
}
