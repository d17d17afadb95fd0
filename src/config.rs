//! Configuration: one struct per concern. Secrets are never printed.

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use sqlx::postgres::PgConnectOptions;

use crate::domain::{enums::Role, principal::Principal};

/// Everything that a server is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Its database.
    pub database: Database,
    /// Whom it believes, and who has rights of its own.
    pub identity: Identity,
    /// What seals etags and page tokens. All replicas have the same.
    pub sealing: SealingKeys,
    /// How long things may take.
    pub limits: Limits,
    /// Whether reflection is served.
    pub reflection: bool,
}

/// The database.
#[derive(Clone, Debug)]
pub struct Database {
    /// Where it is, and as whom.
    pub options: PgConnectOptions,
    /// Connections at most.
    pub connections: usize,
    /// How long a call waits for one.
    pub wait: Duration,
    /// How long one statement may take.
    pub statement_timeout: Duration,
    /// How long a statement waits for a lock.
    pub lock_timeout: Duration,
    /// Whether a connection whose work did not come to its end is closed. Only a test of faults says no, to prove that
    /// it would fail without.
    pub discard_unfinished: bool,
}

/// Whom the server believes.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Issuers of tokens.
    pub issuers: Vec<Issuer>,
    /// Platform operators.
    pub operators: Vec<Principal>,
    /// Principals that have a role in every tenant.
    pub service_principals: Vec<ServicePrincipal>,
}

/// One issuer of tokens.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The tokens' `iss`.
    pub issuer: String,
    /// What must be in the tokens' `aud`.
    pub audience: String,
    /// The file with its public keys (RFC 7517).
    pub jwks: PathBuf,
}

/// A principal that is a member of every tenant: an order or billing service.
#[derive(Clone, Debug)]
pub struct ServicePrincipal {
    /// Who.
    pub principal: Principal,
    /// With which role.
    pub role: Role,
}

/// Keys of 32 bytes: the first seals, all open.
#[derive(Clone)]
pub struct SealingKeys(pub Vec<[u8; 32]>);

impl fmt::Debug for SealingKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} sealing keys", self.0.len())
    }
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A call's deadline where the caller names none, and the longest that it may name.
    pub deadline: Duration,
    /// How long a stopping server waits for what runs.
    pub drain: Duration,
    /// Whether mutations run to their end when the caller hangs up. Only a test of faults says no, to prove that it
    /// would fail without.
    pub detach: bool,
}
