//! Logs: lines on standard error, for people or as JSON, so that standard output stays the program's answer.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::{EnvFilter, Layer as _, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One flat object a line, as collectors take it.
    Json,
}

impl Format {
    /// The format of this name.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(name: &str) -> Result<Self, String> {
        match name {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("{name} is neither text nor json")),
        }
    }
}

/// What passes a filter such as `info,clientele::access=warn`.
///
/// # Errors
/// What is wrong with it.
pub fn filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::builder().parse(text).map_err(|error| format!("{text:?} is no filter: {error}"))
}

/// Begins to log what passes the filter. Where something logs already, as in a test before this one, that goes on.
pub fn init(filter: EnvFilter, format: Format) {
    let lines = fmt::layer().with_writer(stderr);
    // Times are UTC. The filter is the layer's own: a global one would also drop the spans that an exporter wants.
    let lines = match format {
        Format::Text => lines.compact().with_ansi(stderr().is_terminal()).with_filter(filter).boxed(),
        Format::Json => lines.json().flatten_event(true).with_span_list(false).with_filter(filter).boxed(),
    };
    let _already = tracing_subscriber::registry().with(lines).try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_none_is_refused_and_beginning_twice_is_not() {
        assert!(filter("clientele=loud").unwrap_err().starts_with("\"clientele=loud\" is no filter: "));
        assert_eq!(Format::parse("xml").unwrap_err(), "xml is neither text nor json");
        for format in ["text", "json"] {
            init(filter("info,sqlx=warn").unwrap(), Format::parse(format).unwrap());
        }
    }
}
