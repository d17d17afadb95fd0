//! Names in metrics and traces: those of OpenTelemetry's semantic conventions 1.45 for RPC and databases, in which both are
//! stable, and our own, which begin with `clientele.`. The conventions' own crate is older than the stable RPC names: it calls
//! `rpc.status_code` `rpc.response.status_code`.

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use uuid::Uuid;

/// The version of the conventions, as exporters name it.
pub const SCHEMA: &str = "https://opentelemetry.io/schemas/1.45.0";

/// `grpc`.
pub const RPC_SYSTEM: &str = "rpc.system.name";
/// The RPC's full name, or `_OTHER`.
pub const RPC_METHOD: &str = "rpc.method";
/// The status code of the call, as in `NOT_FOUND`.
pub const RPC_STATUS: &str = "rpc.status_code";
/// `postgresql`.
pub const DB_SYSTEM: &str = "db.system.name";
/// The statement's name: the store's function that sends it, as in `customers.load`.
pub const DB_SUMMARY: &str = "db.query.summary";
/// PostgreSQL's error code (SQLSTATE).
pub const DB_STATUS: &str = "db.response.status_code";
/// The name of the connection pool.
pub const DB_POOL: &str = "db.client.connection.pool.name";
/// The pool of everything but searches.
pub const MAIN: &str = "main";
/// The pool of searches.
pub const SEARCH: &str = "search";
/// The state of a pool's connection.
pub const DB_STATE: &str = "db.client.connection.state";
/// The type of an error.
pub const ERROR: &str = "error.type";
/// The reason in the error's `ErrorInfo`.
pub const REASON: &str = "clientele.error.reason";
/// What keeps a server from being ready.
pub const NOT_READY_REASON: &str = "reason";
/// Everything that can keep a server from being ready.
pub const NOT_READY: [&str; 5] =
    ["ISSUER_UNAVAILABLE", "DATABASE_UNAVAILABLE", "POOLER_IN_TRANSACTION_MODE", "SCHEMA_OUTDATED", "SHUTTING_DOWN"];
/// The tenant of a call. Only on spans: metrics have no such label.
pub const TENANT: &str = "clientele.tenant.id";
/// The acting account of a call. Only on spans.
pub const ACCOUNT: &str = "clientele.account.id";

/// The RPC's name in telemetry. Never the request's path: a caller could write anything into logs, and create any number of
/// metric series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RpcName {
    /// An RPC of the contract, or `_OTHER`.
    Contract(&'static str),
    /// Health and reflection, which probes call all day: not traced, and logged only at debug.
    Infrastructure(&'static str),
}

impl RpcName {
    /// Returns the name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contract(name) | Self::Infrastructure(name) => name,
        }
    }
}

/// The label of a connection pool.
pub(super) fn pool(name: &'static str) -> KeyValue {
    KeyValue::new(DB_POOL, name)
}

/// The source of all telemetry: this service, this version, this process.
pub(super) fn resource() -> Resource {
    Resource::builder()
        .with_service_name(env!("CARGO_PKG_NAME"))
        .with_schema_url(
            [
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("service.instance.id", Uuid::new_v4().to_string()),
            ],
            SCHEMA,
        )
        .build()
}
