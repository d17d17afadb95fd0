//! Timestamps.

use chrono::{DateTime, Utc};

/// A point in time, to the microsecond that PostgreSQL keeps.
pub type Timestamp = DateTime<Utc>;
