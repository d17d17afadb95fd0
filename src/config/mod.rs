//! Configuration: one struct per concern. Secrets are never printed. All errors are reported together.
//!
//! `settings` is the table of all settings. `sources` collects their values from flags, environment and file. `read` turns
//! these values into the structs.

mod connections;
mod database;
mod environment;
mod file;
pub mod grpc_web;
mod identity;
pub mod jwks;
mod limits;
mod load;
pub mod mail;
pub mod parse;
mod problems;
mod read;
mod read_mail;
mod reloadable;
mod sealing;
mod server;
pub mod settings;
mod sources;
mod telemetry;
pub mod tls;
mod token_types;
mod values;

pub use self::{
    connections::Connections,
    database::{Database, database_location},
    environment::Environment,
    grpc_web::GrpcWeb,
    identity::{Identity, Issuer, Jwks, MeshIdentity, ServicePrincipal},
    limits::Limits,
    load::{Load, RateLimit},
    mail::Mail,
    problems::Problems,
    read::database_options,
    reloadable::Reloadable,
    sealing::SealingKeys,
    server::Config,
    sources::{Flags, RawSettings, Source},
    telemetry::Telemetry,
    tls::{Tls, Validity},
    token_types::TokenType,
};
