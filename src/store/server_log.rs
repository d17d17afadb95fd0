//! What PostgreSQL's own log may show of customers.

use sqlx::PgConnection;

use crate::{error::Result, telemetry::Statement as _};

/// The settings of this session under which PostgreSQL writes customers' data into its log: `NAME = VALUE`, with what it
/// must be. An error's detail repeats keys and whole rows; a statement that is logged repeats its values. A role may read
/// these settings, but only a superuser sets them.
pub async fn indiscreet(conn: &mut PgConnection) -> Result<Vec<String>> {
    let settings = sqlx::query_scalar!(
        r#"
        select format('%s = %s, not %s', s.name, current_setting(s.name), s.discreet) as "setting!"
        from (values
            ('log_error_verbosity', 'terse'), ('log_parameter_max_length', '0'), ('log_parameter_max_length_on_error', '0')
        ) as s (name, discreet)
        where current_setting(s.name) <> s.discreet
        "#
    )
    .fetch_all(conn)
    .named("server_log.indiscreet")
    .await?;
    Ok(settings)
}
