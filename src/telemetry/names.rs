//! Names that others read: OpenTelemetry's semantic conventions 1.45 for RPC and databases, in which both are stable,
//! and ours, which begin with `clientele.`. The conventions' own crate is older than the RPC ones: `rpc.status_code` was
//! `rpc.response.status_code` in between.

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use uuid::Uuid;

/// The version of the conventions, as exporters name it.
pub const SCHEMA: &str = "https://opentelemetry.io/schemas/1.45.0";

/// `grpc`.
pub const RPC_SYSTEM: &str = "rpc.system.name";
/// The RPC's full name, or `_OTHER`.
pub const RPC_METHOD: &str = "rpc.method";
/// The code of the call's answer, as in `NOT_FOUND`.
pub const RPC_STATUS: &str = "rpc.status_code";
/// `postgresql`.
pub const DB_SYSTEM: &str = "db.system.name";
/// Which statement it is: the store's function that sends it, as in `customers.load`.
pub const DB_SUMMARY: &str = "db.query.summary";
/// PostgreSQL's code for what went wrong (SQLSTATE).
pub const DB_STATUS: &str = "db.response.status_code";
/// Which pool of sessions.
pub const DB_POOL: &str = "db.client.connection.pool.name";
/// The pool of everything but searches.
pub const MAIN: &str = "main";
/// The pool of searches.
pub const SEARCH: &str = "search";
/// What a session of the pool does.
pub const DB_STATE: &str = "db.client.connection.state";
/// What kind of failure.
pub const ERROR: &str = "error.type";
/// The reason in the error's `ErrorInfo`.
pub const REASON: &str = "clientele.error.reason";
/// In which tenant a call acts. On spans alone: metrics have no such label.
pub const TENANT: &str = "clientele.tenant.id";
/// In which account a call acts. On spans alone.
pub const ACCOUNT: &str = "clientele.account.id";

/// What a call is called. Never the path as it came: a caller could write anything into logs, and make a series of
/// metrics of each word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// One of the contract, or `_OTHER`.
    Rpc(&'static str),
    /// Health and reflection, which probes call all day: neither traced nor logged above debug.
    Plumbing(&'static str),
}

impl Name {
    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rpc(name) | Self::Plumbing(name) => name,
        }
    }
}

/// What tells: this service, this version, this process.
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
