//! What every mutation may be told beside its subject.

use serde::{Deserialize, Serialize};

use crate::domain::values::ids::RequestId;

/// A request that its caller may repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeatable {
    /// The caller's own id for the request.
    pub id: RequestId,
    /// SHA-256 over the acting account and the decoded message: whether a repeat is one.
    pub fingerprint: [u8; 32],
}

/// How a mutation is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The state of the customer to change, sealed. None: whichever there is.
    pub etag: Option<String>,
    /// Set if the caller gave a request_id; never together with `validate_only`, which ignores it.
    pub request: Option<Repeatable>,
    /// Check everything, store nothing.
    pub validate_only: bool,
}

/// An outcome, and whether it is the stored answer of an earlier call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome<T> {
    /// What came of it.
    pub value: T,
    /// Whether this is a stored answer.
    pub replayed: bool,
}

impl<T> Outcome<T> {
    /// An outcome of this very call.
    pub fn fresh(value: T) -> Self {
        Self { value, replayed: false }
    }

    /// A stored one.
    pub fn replayed(value: T) -> Self {
        Self { value, replayed: true }
    }

    /// The same of something else.
    pub fn map<U>(self, turn: impl FnOnce(T) -> U) -> Outcome<U> {
        Outcome { value: turn(self.value), replayed: self.replayed }
    }
}
