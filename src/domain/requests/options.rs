//! The options that every mutation takes, and the outcome that every mutation has.

use crate::domain::{requests::fingerprint::Fingerprint, values::ids::RequestId};

/// The idempotency key of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeatable {
    /// The caller's own id of the request, which events record.
    pub id: RequestId,
    /// The id by which the stored answer is found: the same, or that of one row of an import.
    pub key: RequestId,
    /// What a repeat has in common with the first call.
    pub fingerprint: Fingerprint,
}

/// The options of a mutation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The state of the customer that the caller read, sealed. None: no check.
    pub etag: Option<String>,
    /// The idempotency key, if the caller gave one; never together with `validate_only`, which ignores it.
    pub request: Option<Repeatable>,
    /// Check everything, store nothing.
    pub validate_only: bool,
}

/// The result of a mutation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome<T> {
    /// The value to answer with.
    pub value: T,
    /// Whether this call changed something, or would have (`validate_only`).
    pub changed: bool,
    /// Whether the value is the stored answer of an earlier call.
    pub replayed: bool,
}

impl<T> Outcome<T> {
    /// This call changed something.
    pub fn changed(value: T) -> Self {
        Self { value, changed: true, replayed: false }
    }

    /// There was nothing to change: the call was made before, or found a reason not to.
    pub fn unchanged(value: T) -> Self {
        Self { value, changed: false, replayed: false }
    }

    /// The stored answer of an earlier call with the same request_id.
    pub fn replayed(value: T) -> Self {
        Self { value, changed: false, replayed: true }
    }

    /// The same outcome with another value.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Outcome<U> {
        Outcome { value: convert(self.value), changed: self.changed, replayed: self.replayed }
    }
}
