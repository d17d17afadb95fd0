//! The settings of every session.

use std::time::Duration;

use crate::{config, telemetry::names};

/// Settings of this pool's sessions, sent at connect. docs/operations.md lists them for a pooler that does not pass them on.
pub(super) fn settings(pool: &str, config: &config::Database) -> Vec<(&'static str, String)> {
    let mut all = common(config).to_vec();
    // A search is planned once for each of its shapes: planning takes longer than executing most of them. Its statement leaves the
    // planner no choice that would depend on the words.
    if pool == names::SEARCH {
        all.push(("plan_cache_mode", "force_generic_plan".to_owned()));
    }
    // The work of a stream waits for its peer within its transaction, for as long as a stream may run.
    if pool == names::STREAM {
        let idle = config.stream_timeout.saturating_add(STREAM_MARGIN).as_millis().to_string();
        for (name, value) in &mut all {
            if *name == "idle_in_transaction_session_timeout" {
                value.clone_from(&idle);
            }
        }
    }
    all
}

/// What a stream may take longer than its time, until it has ended.
const STREAM_MARGIN: Duration = Duration::from_secs(60);

fn common(config: &config::Database) -> [(&'static str, String); 8] {
    let millis = |limit: Duration| limit.as_millis().to_string();
    [
        ("statement_timeout", millis(config.statement_timeout)),
        ("lock_timeout", millis(config.lock_timeout)),
        ("idle_in_transaction_session_timeout", "5000".to_owned()),
        // The server notices within two seconds that the client has gone.
        ("client_connection_check_interval", "2000".to_owned()),
        // A role may set this one itself: see `store::server_log`.
        ("log_parameter_max_length_on_error", "0".to_owned()),
        // The default suits spinning disks: with it a search reads every tenant's candidates instead of looking up two
        // thousand customers by their keys (66 ms instead of 10).
        ("random_page_cost", "1.1".to_owned()),
        // One session is one PostgreSQL process: so the number of sessions bounds the processors that all calls, and a
        // flood of searches, can use.
        ("max_parallel_workers_per_gather", "0".to_owned()),
        // Compiling costs more than executing any of our statements.
        ("jit", "off".to_owned()),
    ]
}
