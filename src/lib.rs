//! Clientele: the customer-account service for resellers.
//!
//! The layers, from the outside in: `main -> cli -> server -> {layers, grpc} -> service -> store -> domain`.

pub mod cli;
pub mod config;
pub mod domain;
pub mod embedded;
pub mod error;
pub mod grpc;
pub mod layers;
pub mod server;
pub mod service;
pub mod store;
pub mod telemetry;
