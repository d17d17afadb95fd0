//! The clock: the one place that asks what time it is.

use chrono::{DateTime, SubsecRound, Utc};
use uuid::Uuid;

use crate::domain::values::timestamp::Timestamp;

/// Now, to the microsecond that PostgreSQL keeps.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Timestamp {
    DateTime::<Utc>::from(std::time::SystemTime::now()).trunc_subsecs(6)
}

/// A new id: UUIDv7, so that ids sort by age.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is where ids are made")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}
