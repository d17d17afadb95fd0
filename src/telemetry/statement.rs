//! Statements: how long each took, and a span of its own in a trace that is recorded. A statement is named after the
//! store's function that sends it; its text and its values are told to nobody.

use std::{
    borrow::Cow,
    pin::Pin,
    sync::Arc,
    task::{Context as Waker, Poll, ready},
    time::Instant,
};

use opentelemetry::{
    Context, KeyValue,
    trace::{Span as _, Status},
};
use opentelemetry_sdk::trace::Span;
use pin_project_lite::pin_project;

use super::{Metrics, Telemetry, names};

/// A statement that can be told of: what sqlx's `fetch_…` and `execute` return.
pub trait Statement<T>: Future<Output = Result<T, sqlx::Error>> + Sized {
    /// The same statement, told under this name. It begins now.
    fn named(self, name: &'static str) -> Told<Self> {
        Told { statement: self, watch: Watch::begin(name) }
    }
}

impl<T, F: Future<Output = Result<T, sqlx::Error>>> Statement<T> for F {}

pin_project! {
    /// A statement that is told of.
    #[must_use = "a statement that is not awaited is not sent"]
    pub struct Told<F> {
        #[pin]
        statement: F,
        watch: Watch,
    }
}

impl<T, F: Future<Output = Result<T, sqlx::Error>>> Future for Told<F> {
    type Output = Result<T, sqlx::Error>;

    fn poll(self: Pin<&mut Self>, waker: &mut Waker<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let done = ready!(this.statement.poll(waker));
        this.watch.end(done.as_ref().err().map(kind));
        Poll::Ready(done)
    }
}

/// What kind of failure it is: PostgreSQL's own code, or where on the way it was lost. Nothing of its text, which may
/// repeat values.
fn kind(error: &sqlx::Error) -> Cow<'_, str> {
    match error {
        sqlx::Error::Database(refused) => refused.code().unwrap_or(Cow::Borrowed("_OTHER")),
        sqlx::Error::Io(_) => Cow::Borrowed("io"),
        sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) => Cow::Borrowed("protocol"),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Cow::Borrowed("decode"),
        sqlx::Error::RowNotFound => Cow::Borrowed("row_not_found"),
        _ => Cow::Borrowed("_OTHER"),
    }
}

/// The watch over one statement. One that is dropped before its end was cancelled.
struct Watch {
    name: &'static str,
    begun: Instant,
    /// None once it ended, or where nobody listens. The span is boxed, as it is large and rare: every call's future holds
    /// its place.
    telling: Option<(Arc<Metrics>, Option<Box<Span>>)>,
}

impl Watch {
    fn begin(name: &'static str) -> Self {
        let telling = Context::map_current(|context| {
            let telemetry = context.get::<Telemetry>()?;
            let span = telemetry.traces.as_ref().and_then(|traces| {
                traces.open_statement(context, name, || {
                    vec![KeyValue::new(names::DB_SYSTEM, "postgresql"), KeyValue::new(names::DB_SUMMARY, name)]
                })
            });
            Some((Arc::clone(&telemetry.metrics), span.map(Box::new)))
        });
        Self { name, begun: Instant::now(), telling }
    }

    fn end(&mut self, failed: Option<Cow<'_, str>>) {
        let Some((metrics, span)) = self.telling.take() else { return };
        metrics.statement(self.name, failed.as_deref(), self.begun.elapsed());
        let Some(mut span) = span else { return };
        if let Some(failed) = failed {
            // SQLSTATE has five characters; our own words have more, or begin with an underscore.
            if failed.len() == 5 {
                span.set_attribute(KeyValue::new(names::DB_STATUS, failed.clone().into_owned()));
            }
            span.set_attribute(KeyValue::new(names::ERROR, failed.into_owned()));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end(Some(Cow::Borrowed("cancelled")));
    }
}
