//! Telemetry: traces over real OTLP, metrics on their own port, logs; and that none of them contains customers' data.

mod canaries;
mod canary;
mod canary_mail;
mod collector;
mod metrics;
mod outages;
pub mod scrape;
mod traces;
