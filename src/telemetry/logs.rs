//! Logs on standard error, so that standard output has only the program's result. A line is text for people, or one JSON
//! object. Lines inside a call have its trace id and span id.

use std::{
    any::Any,
    fmt,
    io::{IsTerminal as _, stderr},
    panic,
};

use serde::{Serialize, Serializer, ser::SerializeMap};
use tracing::{
    Event, Subscriber, error,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter, Layer as _, Registry,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{self, Compact, Writer},
        time::{FormatTime, SystemTime},
    },
    layer::SubscriberExt as _,
    registry::LookupSpan,
    reload,
    util::SubscriberInitExt as _,
};

use super::handle;

/// The target of the access lines.
pub const ACCESS: &str = "clientele::access";

/// The format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text for people.
    Text,
    /// One flat JSON object, for collectors.
    Json,
}

impl Format {
    /// Parses a format's name.
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

/// Parses a filter such as `info,clientele::access=warn`.
///
/// # Errors
/// What is wrong with it.
pub fn filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::builder().parse(text).map_err(|error| format!("{text:?} is not a log filter: {error}"))
}

/// Starts logging what passes the filter. If a logger exists already, as in tests, it stays.
pub fn init(filter: EnvFilter, format: Format) -> LogFilter {
    let text = filter.to_string();
    let (filter, handle) = reload::Layer::new(filter);
    // Times are UTC. The filter applies to this layer only; a global filter would apply to all other layers too.
    let lines = tracing_subscriber::fmt::layer().event_format(Lines::new(format, stderr().is_terminal()));
    let lines = lines.with_writer(stderr).with_filter(filter);
    let _already = tracing_subscriber::registry().with(lines).try_init();
    LogFilter { text, handle }
}

/// The filter of the log, which can be changed.
pub struct LogFilter {
    text: String,
    handle: reload::Handle<EnvFilter, Registry>,
}

impl LogFilter {
    /// Runs work whose calls have no access lines, except for server errors.
    pub async fn without_access_lines<T>(&self, work: impl Future<Output = T>) -> T {
        self.set(&format!("{},{ACCESS}=warn", self.text));
        let result = work.await;
        self.set(&self.text);
        result
    }

    fn set(&self, text: &str) {
        if let Ok(filter) = filter(text) {
            // It fails if another logger is active; this filter has no effect then.
            let _ = self.handle.reload(filter);
        }
    }
}

/// Logs panics like other events, and nowhere else: the location, and the message if it is a constant of the code. A
/// formatted message may contain anything.
pub fn report_panics() {
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(target: "clientele::panic", location, panic_message = panic_message(panic.payload()), "panic");
    }));
}

/// Returns a panic's message, if it is a constant of the code.
#[must_use]
pub fn panic_message(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("a formatted message, which is not logged")
}

/// Formats an event as a line.
pub(crate) struct Lines {
    format: Format,
    compact: format::Format<Compact>,
}

impl Lines {
    pub(crate) fn new(format: Format, ansi: bool) -> Self {
        Self { format, compact: format::Format::default().compact().with_ansi(ansi) }
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        match self.format {
            Format::Json => json(out, event),
            Format::Text => {
                let mut line = String::with_capacity(256);
                self.compact.format_event(context, Writer::new(&mut line), event)?;
                out.write_str(line.trim_end())?;
                if let Some((trace_id, span_id)) = handle::ids() {
                    write!(out, " trace_id={trace_id:?} span_id={span_id:?}")?;
                }
                writeln!(out)
            }
        }
    }
}

/// Writes `timestamp`, `level`, `target`, the ids, then the event's own fields including `message`, in the code's order.
fn json(mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
    let mut time = String::with_capacity(32);
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    let metadata = event.metadata();
    let mut line = Vec::with_capacity(512);
    let mut serializer = serde_json::Serializer::new(&mut line);
    let mut fields = Fields { map: serializer.serialize_map(None).map_err(|_| fmt::Error)?, result: Ok(()) };
    fields.put("timestamp", &time);
    fields.put("level", metadata.level().as_str());
    fields.put("target", metadata.target());
    if let Some((trace_id, span_id)) = handle::ids() {
        fields.put("trace_id", &trace_id);
        fields.put("span_id", &span_id);
    }
    event.record(&mut fields);
    fields.result.and_then(|()| fields.map.end()).map_err(|_| fmt::Error)?;
    writeln!(out, "{}", str::from_utf8(&line).map_err(|_| fmt::Error)?)
}

/// Writes an event's fields in their order. Numbers and booleans keep their type.
struct Fields<M: SerializeMap> {
    map: M,
    result: Result<(), M::Error>,
}

impl<M: SerializeMap> Fields<M> {
    fn put(&mut self, name: &str, value: impl Serialize) {
        if self.result.is_ok() {
            self.result = self.map.serialize_entry(name, &value);
        }
    }

    fn record(&mut self, field: &Field, value: impl Serialize) {
        // Raw identifiers such as `r#type` are logged without the prefix.
        self.put(field.name().trim_start_matches("r#"), value);
    }
}

impl<M: SerializeMap> Visit for Fields<M> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.record(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.record(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.record(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record(field, DebugText(value));
    }
}

/// A value's `Debug` output as a string.
struct DebugText<'a>(&'a dyn fmt::Debug);

impl Serialize for DebugText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:?}", self.0))
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::{Context, trace::TraceContextExt as _};
    use serde_json::Value;
    use tracing::info;

    use super::{super::samples::Log, *};

    #[test]
    fn an_invalid_filter_is_rejected_and_starting_twice_is_not() {
        assert!(filter("clientele=loud").unwrap_err().starts_with("\"clientele=loud\" is not a log filter: "));
        assert_eq!(Format::parse("xml").unwrap_err(), "xml is neither text nor json");
        for format in ["text", "json"] {
            init(filter("info,sqlx=warn").unwrap(), Format::parse(format).unwrap());
        }
    }

    #[test]
    fn a_json_line_is_one_object_with_the_events_own_fields_and_the_calls_ids() {
        let (log, _capturing) = Log::capture(Format::Json);
        let span = handle::unrecorded_span(&opentelemetry::trace::SpanContext::empty_context());
        {
            let _call = Context::new().with_remote_span_context(span.clone()).attach();
            info!(number = 7, half = 0.5, yes = true, text = "a \"b\"\nc", none = None::<u8>, "hello");
        }
        info!("outside");
        let lines: Vec<Value> = log.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [inside, outside] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((&inside["number"], &inside["half"], &inside["yes"]), (&7.into(), &0.5.into(), &true.into()));
        assert_eq!((&inside["text"], &inside["message"]), (&"a \"b\"\nc".into(), &"hello".into()));
        assert_eq!(
            (&inside["level"], &inside["target"]),
            (&"INFO".into(), &"clientele::telemetry::logs::tests".into())
        );
        assert!(inside["timestamp"].as_str().unwrap().ends_with('Z'), "{inside}");
        assert_eq!(inside["trace_id"], span.trace_id().to_string());
        assert_eq!(inside["span_id"], span.span_id().to_string());
        assert!(inside.get("none").is_none() && outside.get("trace_id").is_none(), "{inside} {outside}");
    }

    #[test]
    fn a_panics_message_is_reported_only_if_it_is_a_constant() {
        let message_of = |panics: fn()| panic_message(&*panic::catch_unwind(panics).unwrap_err());
        let name = String::from("Ada");
        assert_eq!(message_of(|| panic!("a constant of the code")), "a constant of the code");
        let message = message_of(|| panic!("{}", std::hint::black_box("Ada Lovelace")));
        assert!(!message.contains(&name) && message.contains("not logged"), "{message}");
    }
}
