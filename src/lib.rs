//! Clientele: the customer-account service for resellers.
//!
//! The layers, from the outside in: `main -> cli -> server -> {layers, grpc} -> service -> store -> domain`. Beside them is `client`, for
//! other programs and for the commands that call a server; both speak the messages of `pb`. The feature `client` has these two alone.

#[cfg(not(feature = "client"))]
compile_error!("clientele needs one of its features: `server` (the default) or `client`");

#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
pub mod domain;
#[cfg(feature = "server")]
pub mod embedded;
#[cfg(feature = "server")]
pub mod error;
#[cfg(feature = "server")]
pub mod grpc;
#[cfg(feature = "server")]
pub mod layers;
pub mod pb;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod service;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "server")]
pub mod telemetry;
