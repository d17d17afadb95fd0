//! Clientele: the customer-account service for resellers.
//!
//! The map, from the outside in: `main -> cli -> server -> {layers, grpc} -> service -> store -> domain`.

pub mod config;
pub mod domain;
pub mod error;
pub mod store;
