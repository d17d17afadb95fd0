//! Logs, metrics and traces. Rules: telemetry costs a call only microseconds; nothing waits for a scraper or a collector; and
//! no customer data is recorded. Names are constants of this code; values are counts, times, codes, and ids of tenants and
//! accounts.
//!
//! A call has its [`Telemetry`] and its span in OpenTelemetry's `Context`. So code at any depth can record without a handle
//! in its parameters: [`current`] finds it. Each server has its own, so that several servers in one process do not mix.

mod gauges;
mod handle;
mod labels;
pub mod logs;
mod metrics;
pub mod names;
mod port;
#[cfg(test)]
pub(crate) mod samples;
mod statement;
mod traces;

pub use self::{
    gauges::{OutboxStatus, PoolStatus},
    handle::{Telemetry, context, current, ids, measure},
    labels::{CacheResult, MailResult, RetryReason},
    logs::{Format, LogFilter, filter, init},
    metrics::{InFlightCount, Metrics},
    port::{MetricsPort, serve_metrics},
    statement::{MeasuredRows, MeasuredStatement, RowStream, Statement},
    traces::InvalidEndpoint,
};
