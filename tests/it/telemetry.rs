//! What the service tells of itself: traces over real OTLP, metrics on their own port, logs; and that none of them tells of
//! customers.

mod canaries;
mod canary;
mod collector;
mod metrics;
mod outages;
pub mod scrape;
mod traces;
