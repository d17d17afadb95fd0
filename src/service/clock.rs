//! The clock: the only place that reads the time and makes ids.

use chrono::{DateTime, SubsecRound, Utc};
use uuid::Uuid;

use crate::domain::values::timestamp::Timestamp;

/// The current time, in the microseconds that PostgreSQL stores.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Timestamp {
    DateTime::<Utc>::from(std::time::SystemTime::now()).trunc_subsecs(6)
}

/// A new id: a UUIDv7, so that ids sort by age.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is where ids are made")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}
