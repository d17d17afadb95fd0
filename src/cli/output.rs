//! What a command prints: its result on standard output, messages for people on standard error.

use std::io::{self, Write as _};

/// Why a command failed, as a message for people: what happened and what to do.
#[derive(Debug)]
pub(super) struct Failure(pub(super) String);

impl Failure {
    /// Returns a closure for `map_err` that puts what failed before the error.
    pub(super) fn context<E: std::error::Error>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        move |error| Self(format!("{}: {error}", what.into()))
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Prints a command's result on standard output and flushes it.
pub(super) fn print_result(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Prints a message for people on standard error. A failure to print it is ignored.
pub(super) fn print_message(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
