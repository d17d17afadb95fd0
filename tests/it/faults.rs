//! Callers that hang up, and a database that goes away, on PostgreSQL with production settings.

mod black_hole;
mod hang_up;
mod outage;
mod silence;
