//! To which version of their rule derived texts have been brought: rows of `derived_texts`. The migration that makes the table has
//! the reasons.

use sqlx::PgConnection;

use crate::telemetry::Statement as _;

/// Whether rows are to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// They were brought to this version, or a newer program has brought them further.
    No,
    /// They are. `is_old`: they were brought to this version so long ago that no older release writes any more.
    Yes { is_old: bool },
}

/// Whether texts of this name are to be brought to a version.
///
/// # Errors
/// What the server says.
pub(super) async fn due(conn: &mut PgConnection, name: &str, version: i32) -> sqlx::Result<Due> {
    let known = sqlx::query!(
        r#"
        select version, is_settled, derived_at < clock_timestamp() - interval '1 hour' as "is_old!"
        from derived_texts
        where name = $1
        "#,
        name,
    )
    .fetch_optional(conn)
    .named("derived.version")
    .await?;
    Ok(match known {
        Some(known) if known.version > version || (known.version == version && known.is_settled) => Due::No,
        Some(known) => Due::Yes { is_old: known.version == version && known.is_old },
        None => Due::Yes { is_old: false },
    })
}

/// Notes that all rows were brought to a version, and whether they need not be looked at again.
///
/// # Errors
/// What the server says.
pub(super) async fn settle(conn: &mut PgConnection, name: &str, version: i32, is_settled: bool) -> sqlx::Result<()> {
    sqlx::query!(
        "
        insert into derived_texts as d (name, version, derived_at, is_settled)
        values ($1, $2, clock_timestamp(), $3)
        on conflict (name) do update
        set version = excluded.version, is_settled = excluded.is_settled,
            derived_at = case when d.version = excluded.version then d.derived_at else excluded.derived_at end
        ",
        name,
        version,
        is_settled,
    )
    .execute(conn)
    .named("derived.settle")
    .await?;
    Ok(())
}
