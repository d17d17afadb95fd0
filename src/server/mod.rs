//! The server: wires services, layers, health, reflection and the listener; and stops in order.
//!
//! It starts without its database, and is not ready until the schema is new enough. Then it stays ready until it stops: if
//! readiness depended on the database, one outage would take all replicas out of the load balancer at once.

mod background;
mod connection;
mod drain;
mod headers;
pub mod health;
mod incoming;
mod limits;
mod opening;
mod readiness;
mod running;
mod start;
mod streams;
mod write_timeout;

pub use self::{
    readiness::{LIVENESS, READINESS},
    running::{DrainOutcome, RunningServer},
    start::{StartError, start},
};

#[cfg(test)]
mod tests;
