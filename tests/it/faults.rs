//! Callers that hang up, and a database that goes away, on PostgreSQL with production settings.

mod hang_up;
mod outage;
mod silence;
