//! The labels of our own metrics, each with its closed list of values.

use opentelemetry::KeyValue;

use super::names;

/// The result of a cache look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheResult {
    /// The entry was cached.
    Hit,
    /// The entry was not cached.
    Miss,
}

/// Why a write was retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryReason {
    /// Another call changed the record between the read and the write.
    Conflict,
    /// PostgreSQL rolled it back because of a deadlock.
    Deadlock,
}

/// What came of an attempt to send a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailResult {
    /// A mail server has taken it.
    Sent,
    /// It is tried again.
    Deferred,
    /// It is given up.
    Failed,
}

pub(super) fn export_failed() -> KeyValue {
    KeyValue::new(names::ERROR, "export_failed")
}

pub(super) fn retry_reason(reason: RetryReason) -> KeyValue {
    let value = match reason {
        RetryReason::Conflict => "conflict",
        RetryReason::Deadlock => "deadlock",
    };
    KeyValue::new("reason", value)
}

pub(super) fn mail_result(result: MailResult) -> KeyValue {
    let value = match result {
        MailResult::Sent => "sent",
        MailResult::Deferred => "deferred",
        MailResult::Failed => "failed",
    };
    KeyValue::new("result", value)
}

pub(super) fn cache_result(result: CacheResult) -> KeyValue {
    let value = match result {
        CacheResult::Hit => "hit",
        CacheResult::Miss => "miss",
    };
    KeyValue::new("result", value)
}

pub(super) fn success_result(success: bool) -> KeyValue {
    KeyValue::new("result", if success { "success" } else { "failure" })
}
