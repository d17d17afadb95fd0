//! What a status was made of.

use std::fmt;

use crate::error::Error;

/// The error behind a status, for the log. Its `Debug` is its `Display`: the `Debug` of a database error contains values of
/// rows.
pub(super) struct Cause(pub(super) Error);

impl fmt::Debug for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, out)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, out)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0)
    }
}
