//! Measures each SQL statement, and gives it a span if its trace is recorded. A statement's name is that of the store's
//! function that sends it. SQL text and parameters are never recorded.

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
use tokio_stream::Stream;

use super::{handle::Telemetry, metrics::Metrics, names};

/// A statement: the future that sqlx's `fetch_…` and `execute` return.
pub trait Statement<T>: Future<Output = Result<T, sqlx::Error>> + Sized {
    /// Measures the statement under this name. The measurement starts now.
    fn named(self, name: &'static str) -> MeasuredStatement<Self> {
        MeasuredStatement { statement: self, measurement: Measurement::start(name) }
    }
}

impl<T, F: Future<Output = Result<T, sqlx::Error>>> Statement<T> for F {}

pin_project! {
    /// A statement that is measured.
    #[must_use = "a statement that is not awaited is not sent"]
    pub struct MeasuredStatement<F> {
        #[pin]
        statement: F,
        measurement: Measurement,
    }
}

impl<T, F: Future<Output = Result<T, sqlx::Error>>> Future for MeasuredStatement<F> {
    type Output = Result<T, sqlx::Error>;

    fn poll(self: Pin<&mut Self>, waker: &mut Waker<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.statement.poll(waker));
        this.measurement.end(result.as_ref().err().map(error_type));
        Poll::Ready(result)
    }
}

/// A statement whose rows are read one by one: the stream that sqlx's `fetch` returns.
pub trait RowStream<T>: Stream<Item = Result<T, sqlx::Error>> + Sized {
    /// Measures the statement under this name, until its last row is read.
    fn named(self, name: &'static str) -> MeasuredRows<Self> {
        MeasuredRows { rows: self, measurement: Measurement::start(name) }
    }
}

impl<T, S: Stream<Item = Result<T, sqlx::Error>>> RowStream<T> for S {}

pin_project! {
    /// The rows of a statement that is measured.
    #[must_use = "a statement whose rows are not read is not sent"]
    pub struct MeasuredRows<S> {
        #[pin]
        rows: S,
        measurement: Measurement,
    }
}

impl<T, S: Stream<Item = Result<T, sqlx::Error>>> Stream for MeasuredRows<S> {
    type Item = Result<T, sqlx::Error>;

    fn poll_next(self: Pin<&mut Self>, waker: &mut Waker<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let row = ready!(this.rows.poll_next(waker));
        match &row {
            Some(Ok(_)) => {}
            Some(Err(error)) => this.measurement.end(Some(error_type(error))),
            None => this.measurement.end(None),
        }
        Poll::Ready(row)
    }
}

/// Returns the error's type: PostgreSQL's code, or the driver's kind of error. Never its text, which may repeat values.
fn error_type(error: &sqlx::Error) -> Cow<'_, str> {
    match error {
        sqlx::Error::Database(error) => error.code().unwrap_or(Cow::Borrowed("_OTHER")),
        sqlx::Error::Io(_) => Cow::Borrowed("io"),
        sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) => Cow::Borrowed("protocol"),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Cow::Borrowed("decode"),
        sqlx::Error::RowNotFound => Cow::Borrowed("row_not_found"),
        _ => Cow::Borrowed("_OTHER"),
    }
}

/// The measurement of one statement. A statement that is dropped before its end counts as cancelled.
struct Measurement {
    name: &'static str,
    started: Instant,
    /// None after the end, or without telemetry. The span is boxed, because it is large and rare, and every call's future
    /// has room for it.
    sink: Option<(Arc<Metrics>, Option<Box<Span>>)>,
}

impl Measurement {
    fn start(name: &'static str) -> Self {
        let sink = Context::map_current(|context| {
            let telemetry = context.get::<Telemetry>()?;
            let span = telemetry.traces.as_ref().and_then(|traces| {
                traces.start_statement(context, name, || {
                    vec![KeyValue::new(names::DB_SYSTEM, "postgresql"), KeyValue::new(names::DB_SUMMARY, name)]
                })
            });
            Some((Arc::clone(&telemetry.metrics), span.map(Box::new)))
        });
        Self { name, started: Instant::now(), sink }
    }

    fn end(&mut self, error: Option<Cow<'_, str>>) {
        let Some((metrics, span)) = self.sink.take() else { return };
        metrics.statement(self.name, error.as_deref(), self.started.elapsed());
        let Some(mut span) = span else { return };
        if let Some(error) = error {
            // An SQLSTATE has five characters; the driver's kinds have other lengths.
            if error.len() == 5 {
                span.set_attribute(KeyValue::new(names::DB_STATUS, error.clone().into_owned()));
            }
            span.set_attribute(KeyValue::new(names::ERROR, error.into_owned()));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

impl Drop for Measurement {
    fn drop(&mut self) {
        self.end(Some(Cow::Borrowed("cancelled")));
    }
}
