//! Logs: readable lines on standard error, so that standard output stays the program's answer.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::{EnvFilter, Layer as _, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// What is logged unless the caller says otherwise: sqlx tells of every statement at debug, and of slow ones at warn.
pub const DEFAULT_FILTER: &str = "info,sqlx=warn";

/// Begins to log what passes the filter, such as `info,clientele::access=warn`. Where something logs already, as in a
/// test before this one, that goes on.
///
/// # Errors
/// What is wrong with the filter.
pub fn init(filter: &str) -> Result<(), String> {
    let filter = EnvFilter::builder().parse(filter).map_err(|error| format!("log filter {filter:?}: {error}"))?;
    // Times are UTC. The filter is the layer's own: a global one would also drop the spans that an exporter wants.
    let lines = fmt::layer().compact().with_writer(stderr).with_ansi(stderr().is_terminal()).with_filter(filter);
    let _already = tracing_subscriber::registry().with(lines).try_init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_none_is_refused_and_beginning_twice_is_not() {
        assert!(init("clientele=loud").unwrap_err().starts_with("log filter \"clientele=loud\": "));
        init(DEFAULT_FILTER).unwrap();
        init(DEFAULT_FILTER).unwrap();
    }
}
