//! Why a call failed, with the details that the server sends.

use std::{error::Error as StdError, fmt, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, ResourceInfo, StatusExt as _};

use crate::pb::ErrorReason;

/// The domain of the service's reasons.
const DOMAIN: &str = "clientele";
/// What a reason's name in the contract begins with, and its name on the wire does not.
const PREFIX: &str = "ERROR_REASON_";

/// Why a call failed. A `Status` becomes one by `?`.
#[derive(Clone)]
pub struct Error {
    status: Status,
    details: Box<ErrorDetails>,
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let details = Box::new(status.get_error_details());
        Self { status, details }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        error.status
    }
}

impl Error {
    /// gRPC's code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.status.code()
    }

    /// What people read; programs read the reason.
    #[must_use]
    pub fn message(&self) -> &str {
        self.status.message()
    }

    /// The reason, by which a program decides. Nothing if the error is not the service's own, as when there is no connection, or if
    /// this client is older than the reason: [`Error::reason_name`] has it then.
    #[must_use]
    pub fn reason(&self) -> Option<ErrorReason> {
        ErrorReason::from_str_name(&format!("{PREFIX}{}", self.reason_name()?))
    }

    /// The reason's name, as `CUSTOMER_NOT_FOUND`.
    #[must_use]
    pub fn reason_name(&self) -> Option<&str> {
        let info = self.details.error_info().filter(|info| info.domain == DOMAIN)?;
        Some(info.reason.as_str())
    }

    /// What the reason says besides: `field`, `required_role`, `etag`, `changed_fields`, `missing_fields` and others, as the contract
    /// lists them at each reason.
    #[must_use]
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.details.error_info()?.metadata.get(key).map(String::as_str)
    }

    /// The invalid fields of the request, all of them, by their paths.
    #[must_use]
    pub fn violations(&self) -> &[FieldViolation] {
        self.details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default()
    }

    /// After which pause the same request may succeed. The client has obeyed it as often as it tries.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.details.retry_info()?.retry_delay
    }

    /// What was not found, or exists already.
    #[must_use]
    pub fn resource(&self) -> Option<&ResourceInfo> {
        self.details.resource_info()
    }

    /// All details.
    #[must_use]
    pub fn details(&self) -> &ErrorDetails {
        &self.details
    }

    /// The error as gRPC has it, with the metadata of the answer.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.status
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.code())?;
        if let Some(reason) = self.reason_name() {
            write!(out, " {reason}")?;
        }
        write!(out, ": {}", self.message())?;
        for violation in self.violations() {
            write!(out, "; {}: {}", violation.field, violation.description)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.status)
    }
}
