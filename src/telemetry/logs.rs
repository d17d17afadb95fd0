//! Logs: a line for each thing that happened, on standard error, so that standard output stays the program's answer. For
//! people, or one JSON object a line. What happens inside a call has its trace's ids.

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

/// What the access lines are filtered by.
pub const ACCESS: &str = "clientele::access";

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
pub fn init(filter: EnvFilter, format: Format) -> Passing {
    let text = filter.to_string();
    let (filter, handle) = reload::Layer::new(filter);
    // Times are UTC. The filter is the layer's own: a global one would stand before whatever else wants to listen.
    let lines = tracing_subscriber::fmt::layer().event_format(Lines::new(format, stderr().is_terminal()));
    let lines = lines.with_writer(stderr).with_filter(filter);
    let _already = tracing_subscriber::registry().with(lines).try_init();
    Passing { text, handle }
}

/// What passes the filter.
pub struct Passing {
    text: String,
    handle: reload::Handle<EnvFilter, Registry>,
}

impl Passing {
    /// Does work whose calls have no access lines, unless they fail by our doing.
    pub async fn without_access_lines<T>(&self, work: impl Future<Output = T>) -> T {
        self.set(&format!("{},{ACCESS}=warn", self.text));
        let done = work.await;
        self.set(&self.text);
        done
    }

    fn set(&self, text: &str) {
        if let Ok(filter) = filter(text) {
            // It fails if another logs: then this one's filter is of no concern.
            let _ = self.handle.reload(filter);
        }
    }
}

/// Has panics told in the log like anything else, and by no other way: where, and what was said if that is a text of
/// the code. One that was put together may hold anything.
pub fn report_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(target: "clientele::panic", place, said = said(panic.payload()), "panic");
    }));
}

/// What a panic says, if that is a text of the code.
#[must_use]
pub fn said(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("a text put together at run time, which is not told")
}

/// How an event becomes a line.
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
                if let Some((trace_id, span_id)) = super::ids() {
                    write!(out, " trace_id={trace_id:?} span_id={span_id:?}")?;
                }
                writeln!(out)
            }
        }
    }
}

/// `timestamp`, `level`, `target`, the ids, then the event's own fields, `message` among them, in the order of the code.
fn json(mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
    let mut time = String::with_capacity(32);
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    let metadata = event.metadata();
    let mut line = Vec::with_capacity(512);
    let mut serializer = serde_json::Serializer::new(&mut line);
    let mut fields = Fields { map: serializer.serialize_map(None).map_err(|_| fmt::Error)?, put: Ok(()) };
    fields.put("timestamp", &time);
    fields.put("level", metadata.level().as_str());
    fields.put("target", metadata.target());
    if let Some((trace_id, span_id)) = super::ids() {
        fields.put("trace_id", &trace_id);
        fields.put("span_id", &span_id);
    }
    event.record(&mut fields);
    fields.put.and_then(|()| fields.map.end()).map_err(|_| fmt::Error)?;
    writeln!(out, "{}", str::from_utf8(&line).map_err(|_| fmt::Error)?)
}

/// Writes an event's fields as they come. Numbers and truths stay what they are.
struct Fields<M: SerializeMap> {
    map: M,
    put: Result<(), M::Error>,
}

impl<M: SerializeMap> Fields<M> {
    fn put(&mut self, name: &str, value: impl Serialize) {
        if self.put.is_ok() {
            self.put = self.map.serialize_entry(name, &value);
        }
    }

    fn record(&mut self, field: &Field, value: impl Serialize) {
        // `r#type` is named so in the code alone.
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
        self.record(field, CustomerDetails(value));
    }
}

/// What a value's `Debug` says, as a text.
struct CustomerDetails<'a>(&'a dyn fmt::Debug);

impl Serialize for CustomerDetails<'_> {
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
    fn a_filter_that_is_none_is_refused_and_beginning_twice_is_not() {
        assert!(filter("clientele=loud").unwrap_err().starts_with("\"clientele=loud\" is no filter: "));
        assert_eq!(Format::parse("xml").unwrap_err(), "xml is neither text nor json");
        for format in ["text", "json"] {
            init(filter("info,sqlx=warn").unwrap(), Format::parse(format).unwrap());
        }
    }

    #[test]
    fn a_json_line_is_one_object_with_the_events_own_fields_and_the_calls_ids() {
        let (log, _listening) = Log::listen(Format::Json);
        let place = super::super::unrecorded(&opentelemetry::trace::SpanContext::empty_context());
        {
            let _call = Context::new().with_remote_span_context(place.clone()).attach();
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
        assert_eq!(inside["trace_id"], place.trace_id().to_string());
        assert_eq!(inside["span_id"], place.span_id().to_string());
        assert!(inside.get("none").is_none() && outside.get("trace_id").is_none(), "{inside} {outside}");
    }

    #[test]
    fn of_a_panic_only_a_text_of_the_code_is_told() {
        let of = |panics: fn()| said(&*panic::catch_unwind(panics).unwrap_err());
        let name = String::from("Ada");
        assert_eq!(of(|| panic!("a text of the code")), "a text of the code");
        let told = of(|| panic!("{}", std::hint::black_box("Ada Lovelace")));
        assert!(!told.contains(&name) && told.contains("not told"), "{told}");
    }
}
