//! What the domain refuses, as an error.

use super::Error;
use crate::domain::{refusal::Refusal, values::violation::Violations};

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { refusal, at: None }
    }
}

impl From<Violations> for Error {
    fn from(violations: Violations) -> Self {
        Self::Invalid(violations)
    }
}
