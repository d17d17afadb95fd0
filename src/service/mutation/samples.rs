//! Errors of PostgreSQL, for tests.

use std::{borrow::Cow, error::Error as StdError, fmt};

use sqlx::error::{DatabaseError, ErrorKind};

use crate::{domain::requests::fingerprint::Fingerprint, error::Error};

/// An error of PostgreSQL with this SQLSTATE, about this constraint.
#[derive(Debug)]
struct Sqlstate(&'static str, Option<&'static str>);

impl fmt::Display for Sqlstate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }
}

impl StdError for Sqlstate {}

impl DatabaseError for Sqlstate {
    fn message(&self) -> &str {
        self.0
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.0.into())
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
        self
    }

    fn constraint(&self) -> Option<&str> {
        self.1
    }

    fn kind(&self) -> ErrorKind {
        if self.0 == "23505" { ErrorKind::UniqueViolation } else { ErrorKind::Other }
    }
}

/// A statement failed with this SQLSTATE.
pub(super) fn sqlstate(code: &'static str) -> Error {
    sqlx::Error::Database(Box::new(Sqlstate(code, None))).into()
}

/// A statement would break this unique key.
pub(super) fn broken_key(name: &'static str) -> Error {
    sqlx::Error::Database(Box::new(Sqlstate("23505", Some(name)))).into()
}

/// A fingerprint of a message without fields.
pub(super) fn fingerprint(digest: u8) -> Fingerprint {
    Fingerprint::new([digest; 32], Default::default(), &[])
}
