//! Configuration: one struct per concern. Secrets are never printed; what is wrong is told all at once.
//!
//! `settings` is the table of all settings; `said` gathers what flags, environment and file say of them; `read` makes the
//! structs here of that.

mod environment;
mod file;
mod load;
pub mod parse;
mod problems;
mod read;
mod reloadable;
pub mod settings;
mod sources;
pub mod tls;

use std::{collections::HashSet, fmt, fs, net::SocketAddr, path::PathBuf, time::Duration};

use http::Uri;
use sqlx::postgres::PgConnectOptions;

pub use self::{
    environment::Environment,
    load::{Load, Rate},
    problems::Problems,
    read::options,
    reloadable::Reloadable,
    sources::{Flags, RawSettings, Source},
    tls::{Tls, Validity},
};
use crate::domain::{requests::principal::Principal, values::enums::Role};

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
    pub sealing: Reloadable<SealingKeys>,
    /// How long things may take.
    pub limits: Limits,
    /// The certificate that it serves by; none serves in the clear.
    pub tls: Option<Reloadable<Tls>>,
    /// Whose word on the calling workload is believed besides a certificate.
    pub mesh_identity: MeshIdentity,
    /// How much is taken at once.
    pub load: Load,
    /// Whether reflection is served.
    pub reflection: bool,
    /// To whom it tells of itself.
    pub telemetry: Telemetry,
}

/// The database.
#[derive(Clone)]
pub struct Database {
    /// Where it is, and as whom. Connections that are there stay when it changes.
    pub options: Reloadable<PgConnectOptions>,
    /// Connections at most, searches' apart.
    pub connections: usize,
    /// Connections for searches, at most.
    pub search_connections: usize,
    /// How long a call waits for one.
    pub wait: Duration,
    /// How long one statement may take.
    pub statement_timeout: Duration,
    /// How long a statement waits for a lock.
    pub lock_timeout: Duration,
    /// Whether a connection whose work did not come to its end is closed. Only a test of faults says no, to prove that
    /// it would fail without.
    pub discard_unfinished: bool,
    /// Whether a connection that says nothing for twice a statement's time is given up. Only a test of faults says no, to
    /// prove that it would fail without.
    pub give_up_silent: bool,
}

impl fmt::Debug for Database {
    /// Leaves the password out, which the driver's own `Debug` prints.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.connections + self.search_connections;
        write!(out, "{all} connections to {}", place(&self.options.get()))
    }
}

/// Where a database is, for people: host, port and name, without user and password.
#[must_use]
pub fn place(options: &PgConnectOptions) -> String {
    let name = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(folder) => format!("{name} in {}", folder.display()),
        None => format!("{name} on {}:{}", options.get_host(), options.get_port()),
    }
}

/// Whom the server believes.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Issuers of tokens.
    pub issuers: Vec<Issuer>,
    /// The authorities that a URL's server is believed by, if not those that browsers trust.
    pub jwks_ca: Option<PathBuf>,
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
    /// Where its public keys are.
    pub jwks: Jwks,
}

/// Where a JSON Web Key Set (RFC 7517) is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jwks {
    /// In a file.
    File(PathBuf),
    /// Behind https.
    Url(Uri),
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

/// To whom a server tells of itself, besides its log.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// Where it answers Prometheus; port 0 picks a free one. Nowhere, if nothing is said.
    pub metrics_listen: Option<SocketAddr>,
    /// The collector that traces are sent to by OTLP over gRPC, as in `http://localhost:4317`, or over TLS by `https`. None are
    /// sent, if nothing is said.
    pub otlp_endpoint: Option<String>,
    /// A file with the authorities by which its certificate is believed, instead of those that browsers trust.
    pub otlp_ca: Option<PathBuf>,
    /// The part of the traces that begin here which is recorded, from 0 to 1. What a caller began is recorded if the caller
    /// says so.
    pub sample_ratio: f64,
}

impl Telemetry {
    /// The part that is recorded unless something else is said: one in twenty.
    pub const SAMPLE_RATIO: f64 = 0.05;
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { metrics_listen: None, otlp_endpoint: None, otlp_ca: None, sample_ratio: Self::SAMPLE_RATIO }
    }
}

/// Whose header on the calling workload is believed, if it comes from this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeshIdentity {
    /// Nobody's.
    None,
    /// Envoy's, so Istio's: `x-forwarded-client-cert`.
    Xfcc,
    /// Linkerd's: `l5d-client-id`.
    Linkerd,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A call's deadline where the caller names none, and the longest that it may name.
    pub deadline: Duration,
    /// How long a server that is told to stop takes calls after it says that it is not ready.
    pub drain_delay: Duration,
    /// How long a stopping server waits for what runs.
    pub drain: Duration,
    /// Whether mutations run to their end when the caller hangs up. Only a test of faults says no, to prove that it
    /// would fail without.
    pub detach: bool,
}

impl Config {
    /// Whether a server can run with it.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn verify(&self) -> Result<(), Problems> {
        let mut problems = Problems::default();
        self.database.verify(&mut problems);
        self.identity.verify(&mut problems);
        self.sealing.get().verify(&mut problems);
        self.limits.verify(&mut problems);
        self.telemetry.verify(&mut problems);
        self.load.verify(&mut problems);
        self.verify_across(&mut problems);
        if problems.0.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// Notes what is wrong between one concern and another.
    pub fn verify_across(&self, problems: &mut Problems) {
        problems.unless(self.database.statement_timeout <= self.limits.deadline, || {
            "--statement-timeout is longer than --deadline: a statement would outlive its call".to_owned()
        });
    }
}

impl Database {
    /// Connections that one replica may hold: far more than a PostgreSQL serves well.
    const MOST_CONNECTIONS: usize = 1000;

    /// Notes what is wrong with it.
    pub fn verify(&self, problems: &mut Problems) {
        for (flag, connections) in
            [("--connections", self.connections), ("--search-connections", self.search_connections)]
        {
            problems.unless((1..=Self::MOST_CONNECTIONS).contains(&connections), || {
                format!("{flag} must be 1 to {}", Self::MOST_CONNECTIONS)
            });
        }
        problems.unless(!self.wait.is_zero(), || "--connection-wait must be longer than nothing".to_owned());
        problems.unless(!self.lock_timeout.is_zero(), || "--lock-timeout must be longer than nothing".to_owned());
        problems.unless(self.lock_timeout < self.statement_timeout, || {
            "--lock-timeout must be shorter than --statement-timeout, or a wait for a lock is never told from a slow \
             statement"
                .to_owned()
        });
    }
}

impl Identity {
    /// Notes what is wrong with it.
    pub fn verify(&self, problems: &mut Problems) {
        problems.unless(!self.issuers.is_empty(), || "--issuer is missing: nobody could call".to_owned());
        let mut known = HashSet::new();
        for issuer in &self.issuers {
            problems.unless(known.insert(issuer.issuer.as_str()), || format!("--issuer names {} twice", issuer.issuer));
            if let Err(problem) = issuer.verify() {
                problems.0.push(format!("--issuer {}: {problem}", issuer.issuer));
            }
        }
        for operator in &self.operators {
            problems.unless(known.contains(operator.issuer()), || {
                format!("--operator {}: no --issuer is {}", operator.subject(), operator.issuer())
            });
        }
        if let Some(Err(problem)) = self.jwks_ca.as_deref().map(tls::roots) {
            problems.0.push(format!("--jwks-ca-file {problem}"));
        }
        let mut named = HashSet::new();
        for ServicePrincipal { principal, .. } in &self.service_principals {
            problems.unless(known.contains(principal.issuer()), || {
                format!("--service-principal {}: no --issuer is {}", principal.subject(), principal.issuer())
            });
            problems
                .unless(named.insert(principal), || format!("--service-principal names {} twice", principal.subject()));
        }
    }
}

impl Issuer {
    /// Whether its file holds keys at all; which of them are of use is the gate's to say. A URL is not asked here.
    fn verify(&self) -> Result<(), String> {
        let Jwks::File(file) = &self.jwks else { return Ok(()) };
        let (path, file) = (file, file.display());
        let bytes = fs::read(path).map_err(|error| format!("cannot read {file}: {error}"))?;
        let content: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        match content.get("keys").and_then(|keys| keys.as_array()) {
            Some(keys) if !keys.is_empty() => Ok(()),
            Some(_) => Err(format!("{file} has no key in it")),
            None => Err(format!("{file} is no JSON Web Key Set (RFC 7517)")),
        }
    }
}

impl SealingKeys {
    /// Notes what is wrong with them.
    pub fn verify(&self, problems: &mut Problems) {
        problems.unless(!self.0.is_empty(), || {
            "--sealing-key-file is missing: make one by `head -c 32 /dev/urandom > FILE`, the same for all replicas"
                .to_owned()
        });
        let distinct: HashSet<_> = self.0.iter().collect();
        problems
            .unless(distinct.len() == self.0.len(), || "--sealing-key-file: the same key is given twice".to_owned());
    }
}

impl Telemetry {
    /// Notes what is wrong with it.
    pub fn verify(&self, problems: &mut Problems) {
        problems.unless((0.0..=1.0).contains(&self.sample_ratio), || {
            "--trace-sample-ratio must be from 0 to 1, as in 0.05".to_owned()
        });
        let over_tls = self.otlp_endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("https://"));
        problems.unless(over_tls || self.otlp_ca.is_none(), || {
            "--otlp-ca-file is of no use without an --otlp-endpoint that begins with https://".to_owned()
        });
        if let Some(Err(problem)) = self.otlp_ca.as_deref().map(tls::roots) {
            problems.0.push(format!("--otlp-ca-file {problem}"));
        }
        let Some(endpoint) = &self.otlp_endpoint else { return };
        let host = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
        problems.unless(host.is_some_and(|host| !host.is_empty()), || {
            format!(
                "--otlp-endpoint {endpoint}: it must be http://HOST:4317 or https://HOST:4317, where a collector speaks OTLP over \
                 gRPC"
            )
        });
    }
}

impl Limits {
    /// Notes what is wrong with them.
    pub fn verify(&self, problems: &mut Problems) {
        problems.unless(!self.deadline.is_zero(), || "--deadline must be longer than nothing".to_owned());
        problems.unless(self.drain >= self.deadline, || {
            "--drain is shorter than --deadline: a stopping server would cut calls off that may still run".to_owned()
        });
    }
}
