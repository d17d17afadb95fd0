//! Every setting, once: flags, environment variables and a file's keys are made of this table, and README's is held
//! against it. A flag goes before the environment, the environment before the file, the file before the default.

/// What the environment variables of all settings begin with.
pub const PREFIX: &str = "CLIENTELE_";

/// A setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its key in a file. Its environment variable is `CLIENTELE_` and this in capitals.
    pub key: &'static str,
    /// What is written.
    pub kind: Kind,
    /// What holds if nobody says anything; empty: nothing does.
    pub default: &'static str,
    /// Which commands take it.
    pub of: Of,
    /// What it is, in a sentence or two.
    pub help: &'static str,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Yes or no.
    Switch,
    /// A whole number.
    Number,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A text; what help calls it.
    Text(&'static str),
    /// A text that is shown to nobody.
    Secret(&'static str),
    /// Any number of texts. The flag is repeated, or a `;` separates them; in a file it is a list.
    List(&'static str),
}

/// Which commands take a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// All that log.
    Every,
    /// Those with a database that somebody else runs.
    Database,
    /// Whoever serves on it.
    Serve,
}

impl Setting {
    /// Its environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.key.to_ascii_uppercase())
    }

    /// Its flag, without the dashes in front. One of a list says one value, so that it is called in the singular.
    #[must_use]
    pub fn flag(&self) -> String {
        let flag = self.key.replace('_', "-");
        if self.is_list() { flag.trim_end_matches('s').to_owned() } else { flag }
    }

    /// Whether it may be said more than once.
    #[must_use]
    pub fn is_list(&self) -> bool {
        matches!(self.kind, Kind::List(_))
    }
}

macro_rules! settings {
    ($($(#[doc = $help:literal])+ $name:ident: $of:ident = $key:literal, $kind:expr, $default:literal;)+) => {
        $(
            $(#[doc = $help])+
            pub const $name: Setting =
                Setting { key: $key, kind: $kind, default: $default, of: Of::$of, help: concat!($($help),+) };
        )+

        /// All of them, in the order of the documents.
        pub const ALL: &[Setting] = &[$($name),+];
    };
}

settings! {
    /// Where to listen; the default is what a container needs
    LISTEN: Serve = "listen", Kind::Text("ADDR"), "0.0.0.0:50051";
    /// The database: postgres://USER:PASSWORD@HOST:5432/DATABASE, with `?sslmode=verify-full` and the like
    DATABASE_URL: Database = "database_url", Kind::Secret("URL"), "";
    /// A file with that URL, for a secret that is mounted. Read again when it changes
    DATABASE_URL_FILE: Database = "database_url_file", Kind::Text("FILE"), "";
    /// A file with the password, which goes before the URL's own. Read again when it changes: the next connection has it
    DATABASE_PASSWORD_FILE: Database = "database_password_file", Kind::Text("FILE"), "";
    /// Connections to the database at most, searches' apart
    CONNECTIONS: Serve = "connections", Kind::Number, "16";
    /// Connections to the database for searches alone, beside the others, at most: however many search, the rest goes on
    SEARCH_CONNECTIONS: Serve = "search_connections", Kind::Number, "4";
    /// How long a call in flight waits for a connection before it is refused as OVERLOADED
    CONNECTION_WAIT: Serve = "connection_wait", Kind::Text("TIME"), "1s";
    /// How long one statement may take. A connection that says nothing for twice as long is given up
    STATEMENT_TIMEOUT: Serve = "statement_timeout", Kind::Text("TIME"), "4s";
    /// How long a statement waits for a lock
    LOCK_TIMEOUT: Serve = "lock_timeout", Kind::Text("TIME"), "2s";
    /// An issuer of tokens, what must be in their `aud`, and its public keys (RFC 7517): a file, which is read again when it
    /// changes, or an https URL, which is fetched again in the background. At least one
    ISSUERS: Serve = "issuers", Kind::List("ISSUER,AUDIENCE,JWKS"), "";
    /// A file with the authorities (PEM) by which issuers' https servers are believed, instead of those that browsers trust
    JWKS_CA_FILE: Serve = "jwks_ca_file", Kind::Text("FILE"), "";
    /// A platform operator: who creates tenants
    OPERATORS: Serve = "operators", Kind::List("ISSUER SUBJECT"), "";
    /// A service with this role in every tenant: VIEWER, MEMBER, SERVICE_MANAGER or ADMIN
    SERVICE_PRINCIPALS: Serve = "service_principals", Kind::List("ROLE ISSUER SUBJECT"), "";
    /// A file with a key of 32 random bytes, raw, in hexadecimal or base64. It seals etags and page tokens: the first one
    /// seals, all open. At least one, the same for all replicas; read again when they change
    SEALING_KEY_FILES: Serve = "sealing_key_files", Kind::List("FILE"), "";
    /// The deadline of a call that names none, and the longest that one may name
    DEADLINE: Serve = "deadline", Kind::Text("TIME"), "20s";
    /// How long a server that is told to stop still takes calls after its health says that it is not ready, for balancers that ask
    /// now and then; in Kubernetes a pod's `preStop` does as much
    DRAIN_DELAY: Serve = "drain_delay", Kind::Text("TIME"), "0s";
    /// How long a stopping server waits for running calls; below the grace period of whoever stops it
    DRAIN: Serve = "drain", Kind::Text("TIME"), "25s";
    /// A file with the certificate (PEM, its chain behind it) to serve TLS by; without one the service is in the clear. Read
    /// again when it changes
    TLS_CERT_FILE: Serve = "tls_cert_file", Kind::Text("FILE"), "";
    /// A file with the certificate's private key (PEM). Read again when it changes
    TLS_KEY_FILE: Serve = "tls_key_file", Kind::Text("FILE"), "";
    /// A file with authorities (PEM) for mTLS: every client must have a certificate of one of them, and its SPIFFE id goes into
    /// log and events. Read again when it changes
    TLS_CLIENT_CA_FILE: Serve = "tls_client_ca_file", Kind::Text("FILE"), "";
    /// Whose header on the calling workload is believed, from this machine alone: Istio's x-forwarded-client-cert, or
    /// Linkerd's l5d-client-id
    TRUST_MESH_IDENTITY: Serve = "trust_mesh_identity", Kind::Choice(&["none", "xfcc", "linkerd"]), "none";
    /// Where Prometheus finds metrics, at /metrics, in the clear; 0.0.0.0:9464 is usual, and nowhere is the default
    METRICS_LISTEN: Serve = "metrics_listen", Kind::Text("ADDR"), "";
    /// The collector that takes traces by OTLP over gRPC, as in http://localhost:4317, or https for TLS; by default none does
    OTLP_ENDPOINT: Serve = "otlp_endpoint", Kind::Text("URL"), "";
    /// A file with the authorities (PEM) by which the collector's certificate is believed, instead of those that browsers trust
    OTLP_CA_FILE: Serve = "otlp_ca_file", Kind::Text("FILE"), "";
    /// The part of the traces that begin here which is recorded, from 0 to 1; a caller's own are as the caller says
    TRACE_SAMPLE_RATIO: Serve = "trace_sample_ratio", Kind::Text("0 TO 1"), "0.05";
    /// Connections of clients at most; any more are closed at once
    MAX_CONNECTIONS: Serve = "max_connections", Kind::Number, "4096";
    /// Calls in flight at most, searches apart (those have four for each of their connections)
    MAX_IN_FLIGHT: Serve = "max_in_flight", Kind::Number, "256";
    /// How long a call waits to be one of them, as many at most as may be in flight, before it is refused as OVERLOADED; any
    /// more are refused at once
    QUEUE_WAIT: Serve = "queue_wait", Kind::Text("TIME"), "100ms";
    /// Calls that one principal may make to one replica in a second, in the long run; any more are refused as RATE_LIMITED. 0: as
    /// many as it likes
    RATE_LIMIT: Serve = "rate_limit", Kind::Number, "0";
    /// Calls that it may make at once after a pause. 0: as many as in a second
    RATE_BURST: Serve = "rate_burst", Kind::Number, "0";
    /// Serve reflection, so that grpcurl needs no proto files
    REFLECTION: Serve = "reflection", Kind::Switch, "false";
    /// What is logged to standard error: a level, or levels by module as in `info,clientele=debug`. By default without
    /// sqlx's lines, which tell of every statement at debug
    LOG: Every = "log", Kind::Text("FILTER"), "info,sqlx=warn";
    /// How a line of the log is written
    LOG_FORMAT: Every = "log_format", Kind::Choice(&["text", "json"]), "text";
}

/// The variable that names the file with settings, as `--config` does.
pub const CONFIG_VARIABLE: &str = "CLIENTELE_CONFIG";

/// Variables that are no setting of a server, each with what reads it: the file itself, `dev` and `token`, and where
/// PostgreSQL's programs are for `dev`.
pub const OTHERS: [(&str, &str); 5] = [
    (CONFIG_VARIABLE, "`--config FILE` of `serve`, `migrate` and `check-config`: the file with settings"),
    ("CLIENTELE_DATA", "`--data DIR` of `dev` and `token`: the folder that keeps dev's data"),
    ("CLIENTELE_EMPTY", "`--empty` of `dev`: no demo data"),
    ("CLIENTELE_TOKEN_TTL", "`--ttl TIME` of `token`: how long the token is good for"),
    ("CLIENTELE_PG_BIN", "the folder of PostgreSQL's programs for `dev` and the tests"),
];

/// Variables of tests and scripts, which a program that they start finds around it.
pub(super) const FOREIGN: [&str; 4] =
    ["CLIENTELE_FAULT_ROUNDS", "CLIENTELE_NIGHTLY_RUNS", "CLIENTELE_BENCH_JSON", "CLIENTELE_WALK_LISTEN"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_setting_has_one_name_in_three_forms() {
        assert_eq!(SEALING_KEY_FILES.flag(), "sealing-key-file");
        assert_eq!(SEALING_KEY_FILES.variable(), "CLIENTELE_SEALING_KEY_FILES");
        assert_eq!(CONNECTION_WAIT.flag(), "connection-wait");
        let keys: BTreeSet<&str> = ALL.iter().map(|setting| setting.key).collect();
        assert_eq!(keys.len(), ALL.len());
    }

    #[test]
    fn no_variable_of_a_setting_is_one_of_another_purpose() {
        for setting in ALL {
            let variable = setting.variable();
            assert!(!OTHERS.iter().any(|(name, _)| *name == variable) && !FOREIGN.contains(&variable.as_str()));
        }
    }
}
