//! The table of all settings. Flags, environment variables and file keys are derived from it, and a test compares
//! docs/settings.md with it. A flag takes precedence over the environment, the environment over the file, the file over the default.

/// The prefix of all environment variables.
pub const PREFIX: &str = "CLIENTELE_";

/// A setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its key in a file. Its environment variable is `CLIENTELE_` and this in capitals.
    pub key: &'static str,
    /// The kind of its value.
    pub kind: Kind,
    /// Its default; empty: none.
    pub default: &'static str,
    /// The commands that accept it.
    pub commands: Commands,
    /// Its description, a sentence or two.
    pub help: &'static str,
}

/// The kind of a setting's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Switch,
    /// A whole number.
    Number,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A text, with its name in help.
    Text(&'static str),
    /// A text that is never printed.
    Secret(&'static str),
    /// Any number of texts. The flag is repeated, or a `;` separates them; in a file it is a list.
    List(&'static str),
}

/// The commands that accept a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commands {
    /// All commands.
    All,
    /// Commands that connect to a database of your own: `migrate` and those of `Serve`.
    Database,
    /// `serve`, `check-config` and `health`.
    Serve,
}

impl Setting {
    /// Returns its environment variable.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.key.to_ascii_uppercase())
    }

    /// Returns its flag without the leading dashes. A list's flag takes one value, so its name is in the singular.
    #[must_use]
    pub fn flag(&self) -> String {
        let flag = self.key.replace('_', "-");
        match flag.strip_suffix("ies") {
            Some(stem) if self.is_list() => format!("{stem}y"),
            _ if self.is_list() => flag.trim_end_matches('s').to_owned(),
            _ => flag,
        }
    }

    /// The heading under which help lists it. What belongs nowhere else is the server's own.
    #[must_use]
    pub fn heading(&self) -> &'static str {
        let is_of = |parts: &[&str]| parts.iter().any(|part| self.key.starts_with(part));
        match self.key {
            "emailless_issuers" => "Mails of invitations",
            key if key.starts_with("log") => "Logs",
            _ if is_of(&["database_", "pool_", "search_pool", "stream_", "statement_", "lock_"]) => "Database",
            _ if is_of(&["issuers", "token_", "jwks_", "operators", "service_principals", "sealing_"]) => {
                "Tokens, callers and keys"
            }
            _ if is_of(&[
                "tls_",
                "trust",
                "max_client",
                "max_connections",
                "max_streams",
                "idle_connection",
                "grpc_web",
            ]) =>
            {
                "Connections"
            }
            _ if is_of(&["metrics_", "otlp_", "trace_"]) => "Metrics and traces",
            _ if is_of(&["smtp_", "mail_", "invitation_"]) => "Mails of invitations",
            _ if is_of(&["deadline", "max_in_flight", "queue_", "message_", "max_bytes", "rate_"]) => "Calls and load",
            _ => "Server",
        }
    }

    /// Whether it has several values.
    #[must_use]
    pub fn is_list(&self) -> bool {
        matches!(self.kind, Kind::List(_))
    }
}

macro_rules! settings {
    ($($(#[doc = $help:literal])+ $name:ident: $commands:ident = $key:literal, $kind:expr, $default:literal;)+) => {
        $(
            $(#[doc = $help])+
            pub const $name: Setting = Setting {
                key: $key,
                kind: $kind,
                default: $default,
                commands: Commands::$commands,
                help: concat!($($help),+),
            };
        )+

        /// All settings, in the order of the documents.
        pub const ALL: &[Setting] = &[$($name),+];
    };
}

settings! {
    /// Address to listen on
    LISTEN: Serve = "listen", Kind::Text("ADDR"), "0.0.0.0:50051";
    /// Database URL: postgres://USER:PASSWORD@HOST:5432/DATABASE, with options such as `?sslmode=verify-full`
    DATABASE_URL: Database = "database_url", Kind::Secret("URL"), "";
    /// File with the database URL, for a mounted secret. Reloaded when it changes
    DATABASE_URL_FILE: Database = "database_url_file", Kind::Text("FILE"), "";
    /// File with the database password; overrides a password in the URL. Reloaded when it changes; new connections use it
    DATABASE_PASSWORD_FILE: Database = "database_password_file", Kind::Text("FILE"), "";
    /// Maximum number of database connections, not counting those for searches and streams
    POOL_SIZE: Serve = "pool_size", Kind::Number, "16";
    /// Maximum number of database connections for searches. They are separate, so that many searches do not slow other calls
    SEARCH_POOL_SIZE: Serve = "search_pool_size", Kind::Number, "4";
    /// Maximum number of streams at once, such as billing reports; each has a database connection of its own. More fail with
    /// OVERLOADED
    STREAM_POOL_SIZE: Serve = "stream_pool_size", Kind::Number, "4";
    /// How long a stream may run; its caller resumes it
    STREAM_TIMEOUT: Serve = "stream_timeout", Kind::Text("DURATION"), "1h";
    /// How long a call waits for a database connection before it fails with OVERLOADED
    POOL_TIMEOUT: Serve = "pool_timeout", Kind::Text("DURATION"), "1s";
    /// Maximum duration of one SQL statement. A connection that does not answer within twice this time is closed
    STATEMENT_TIMEOUT: Serve = "statement_timeout", Kind::Text("DURATION"), "4s";
    /// How long an SQL statement waits for a lock
    LOCK_TIMEOUT: Serve = "lock_timeout", Kind::Text("DURATION"), "2s";
    /// Trusted token issuer, the audience that its tokens must name in `aud`, and its public keys (a JSON Web Key Set, RFC 7517):
    /// a file, which is reloaded when it changes, or an https URL, which is refreshed in the background. At least one
    ISSUERS: Serve = "issuers", Kind::List("ISSUER,AUDIENCE,JWKS"), "";
    /// Type of tokens (`typ` in a token's header) that is accepted of every issuer, or with an issuer before it, of this issuer, which
    /// then has no others. `none` is a token without a type. RFC 9068 calls access tokens at+jwt; most issuers call every token JWT
    TOKEN_TYPES: Serve = "token_types", Kind::List("TYPE"), "at+jwt;JWT;none";
    /// File with the certificate authorities (PEM) for the issuers' https URLs, instead of the built-in Mozilla roots
    JWKS_CA_FILE: Serve = "jwks_ca_file", Kind::Text("FILE"), "";
    /// Platform operator; operators create tenants
    OPERATORS: Serve = "operators", Kind::List("ISSUER SUBJECT"), "";
    /// Service with this role in every tenant: VIEWER, MEMBER, SERVICE_MANAGER or ADMIN
    SERVICE_PRINCIPALS: Serve = "service_principals", Kind::List("ROLE ISSUER SUBJECT"), "";
    /// File with a key of 32 random bytes, raw, in hexadecimal or in base64. The first key seals etags and page tokens; all keys
    /// open them. At least one, the same for all replicas. Reloaded when it changes
    SEALING_KEY_FILES: Serve = "sealing_key_files", Kind::List("FILE"), "";
    /// Deadline of a call that names none, and the maximum that a call may name
    DEADLINE: Serve = "deadline", Kind::Text("DURATION"), "20s";
    /// How long a stopping server still accepts calls after its health reports NOT_SERVING, for load balancers that poll health.
    /// In Kubernetes use the pod's `preStop` instead
    DRAIN_DELAY: Serve = "drain_delay", Kind::Text("DURATION"), "0s";
    /// How long a stopping server waits for running calls. Set it below the grace period of your process manager
    DRAIN_TIMEOUT: Serve = "drain_timeout", Kind::Text("DURATION"), "25s";
    /// File with the server certificate (PEM, followed by its chain). Without one the server serves in clear text. Reloaded when it
    /// changes
    TLS_CERT_FILE: Serve = "tls_cert_file", Kind::Text("FILE"), "";
    /// File with the certificate's private key (PEM). Reloaded when it changes
    TLS_KEY_FILE: Serve = "tls_key_file", Kind::Text("FILE"), "";
    /// File with the certificate authorities (PEM) for client certificates (mTLS). Every client must then present one; its SPIFFE ID is
    /// recorded in the log and in events. Reloaded when it changes
    TLS_CLIENT_CA_FILE: Serve = "tls_client_ca_file", Kind::Text("FILE"), "";
    /// Trusted proxy header that names the calling workload, accepted only from this machine: Istio's x-forwarded-client-cert
    /// (xfcc) or Linkerd's l5d-client-id
    TRUST_MESH_IDENTITY: Serve = "trust_mesh_identity", Kind::Choice(&["none", "xfcc", "linkerd"]), "none";
    /// Address of the Prometheus endpoint /metrics, in clear text; usually 0.0.0.0:9464. Without it there are no metrics
    METRICS_LISTEN: Serve = "metrics_listen", Kind::Text("ADDR"), "";
    /// Collector for traces (OTLP over gRPC), as in http://localhost:4317, or https for TLS. Without it no traces are sent
    OTLP_ENDPOINT: Serve = "otlp_endpoint", Kind::Text("URL"), "";
    /// File with the certificate authorities (PEM) for the collector, instead of the built-in Mozilla roots
    OTLP_CA_FILE: Serve = "otlp_ca_file", Kind::Text("FILE"), "";
    /// Share of the traces that begin here which is recorded, from 0 to 1. For a trace that a caller began, the caller decides
    TRACE_SAMPLE_RATIO: Serve = "trace_sample_ratio", Kind::Text("RATIO"), "0.05";
    /// Maximum number of client connections; more are closed at once. Each may hold 128 KiB of unread messages (half a KiB for each
    /// of its streams, if it may have more than 256)
    MAX_CLIENT_CONNECTIONS: Serve = "max_client_connections", Kind::Number, "2048";
    /// Maximum number of client connections of one peer: an IPv4 address or an IPv6 /64 network. 0: a quarter of
    /// max_client_connections. This machine and trusted_proxies have no such limit
    MAX_CONNECTIONS_PER_PEER: Serve = "max_connections_per_peer", Kind::Number, "0";
    /// IP address or network, as in 10.0.0.0/8, of a proxy or load balancer through which many callers connect
    TRUSTED_PROXIES: Serve = "trusted_proxies", Kind::List("ADDRESS"), "";
    /// Maximum number of calls at once on one connection
    MAX_STREAMS_PER_CONNECTION: Serve = "max_streams_per_connection", Kind::Number, "256";
    /// How long a client connection may be without a call before the server closes it (GOAWAY)
    IDLE_CONNECTION_TIMEOUT: Serve = "idle_connection_timeout", Kind::Text("DURATION"), "5m";
    /// Serve gRPC-Web too, over HTTP/1.1 and HTTP/2 on the same port, for pages in browsers and other clients that have no HTTP/2
    GRPC_WEB: Serve = "grpc_web", Kind::Switch, "false";
    /// Origin of pages that may call by gRPC-Web, as in `https://portal.example`: scheme, host, and port if it is not the usual one.
    /// A page of any other origin is refused. At least one with grpc_web
    GRPC_WEB_ORIGINS: Serve = "grpc_web_origins", Kind::List("ORIGIN"), "";
    /// Maximum number of calls in flight, not counting searches, which have four for each of their database connections
    MAX_IN_FLIGHT: Serve = "max_in_flight", Kind::Number, "256";
    /// How long a call beyond max_in_flight waits in the queue before it fails with OVERLOADED. The queue holds a quarter of
    /// max_in_flight; when it is full, calls fail at once
    QUEUE_TIMEOUT: Serve = "queue_timeout", Kind::Text("DURATION"), "100ms";
    /// How long the message of a call may take to arrive; a call whose message is not complete by then fails with MESSAGE_INCOMPLETE
    MESSAGE_TIMEOUT: Serve = "message_timeout", Kind::Text("DURATION"), "5s";
    /// Maximum memory that is held for callers at once, such as 64MiB: messages, rows that are read, and answers that are not taken
    /// yet. One principal has at most a quarter; what would exceed either fails with OVERLOADED. At least 16MiB
    MAX_BYTES_IN_FLIGHT: Serve = "max_bytes_in_flight", Kind::Text("SIZE"), "64MiB";
    /// Calls per second that one principal may make to one replica, on average; more fail with RATE_LIMITED. 0: no limit
    RATE_LIMIT: Serve = "rate_limit", Kind::Number, "0";
    /// Calls that a principal may make at once after a pause. 0: as many as in one second
    RATE_BURST: Serve = "rate_burst", Kind::Number, "0";
    /// Mail server for invitations. Without one, invitations wait until there is one
    SMTP_HOST: Serve = "smtp_host", Kind::Text("HOST"), "";
    /// Port of the mail server. 0: 587 for starttls, 465 for tls, 25 for none
    SMTP_PORT: Serve = "smtp_port", Kind::Number, "0";
    /// How the connection to the mail server is protected: by TLS after STARTTLS, which the server must support, by TLS from the
    /// start, or not at all
    SMTP_SECURITY: Serve = "smtp_security", Kind::Choice(&["starttls", "tls", "none"]), "starttls";
    /// File with the user of the mail server. Reloaded when it changes
    SMTP_USER_FILE: Serve = "smtp_user_file", Kind::Text("FILE"), "";
    /// File with the password of that user. Reloaded when it changes
    SMTP_PASSWORD_FILE: Serve = "smtp_password_file", Kind::Text("FILE"), "";
    /// File with the certificate authorities (PEM) of the mail server, instead of the built-in Mozilla roots
    SMTP_CA_FILE: Serve = "smtp_ca_file", Kind::Text("FILE"), "";
    /// Email address that sends invitations
    MAIL_FROM: Serve = "mail_from", Kind::Text("ADDRESS"), "";
    /// Link in the mail of an invitation: the page of your portal that calls AcceptInvitation, with `{token}` where the token goes, as
    /// in `https://portal.example/join#{token}`
    INVITATION_URL: Serve = "invitation_url", Kind::Text("URL"), "";
    /// How long an invitation can be accepted, from 1m to 2160h
    INVITATION_LIFETIME: Serve = "invitation_lifetime", Kind::Text("DURATION"), "168h";
    /// Issuer whose tokens have no verified email address (claims `email` and `email_verified`): for its callers the token of an
    /// invitation suffices to accept it
    EMAILLESS_ISSUERS: Serve = "emailless_issuers", Kind::List("ISSUER"), "";
    /// Serve gRPC reflection, so that grpcurl needs no proto files
    REFLECTION: Serve = "reflection", Kind::Switch, "false";
    /// What is logged to standard error: a level, or levels by module as in `info,clientele=debug`. The default hides sqlx's lines,
    /// one for every statement at debug
    LOG: All = "log", Kind::Text("FILTER"), "info,sqlx=warn";
    /// Format of a log line
    LOG_FORMAT: All = "log_format", Kind::Choice(&["text", "json"]), "text";
}

/// The environment variable that names the configuration file, like `--config`.
pub const CONFIG_VARIABLE: &str = "CLIENTELE_CONFIG";

/// Variables that are not settings of a server, each with the option that it sets.
pub const OTHER_VARIABLES: [(&str, &str); 5] = [
    (CONFIG_VARIABLE, "`--config FILE` of `serve`, `migrate`, `health` and `check-config`: the configuration file"),
    ("CLIENTELE_DATA_DIR", "`--data-dir DIR` of `dev` and `token`: dev's data folder"),
    ("CLIENTELE_NO_DEMO_DATA", "`--no-demo-data` of `dev`: create no demo data"),
    ("CLIENTELE_TOKEN_TTL", "`--ttl DURATION` of `token`: how long the token is valid"),
    ("CLIENTELE_PG_BIN", "Folder of the PostgreSQL binaries for `dev` and the tests"),
];

/// Variables of tests and scripts, which the programs that they start inherit.
pub(super) const TEST_VARIABLES: [&str; 4] =
    ["CLIENTELE_FAULT_ROUNDS", "CLIENTELE_NIGHTLY_RUNS", "CLIENTELE_BENCH_JSON", "CLIENTELE_WALK_LISTEN"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_setting_has_one_name_in_three_forms() {
        assert_eq!(SEALING_KEY_FILES.flag(), "sealing-key-file");
        assert_eq!(TRUSTED_PROXIES.flag(), "trusted-proxy");
        assert_eq!(SEALING_KEY_FILES.variable(), "CLIENTELE_SEALING_KEY_FILES");
        assert_eq!(POOL_TIMEOUT.flag(), "pool-timeout");
        let keys: BTreeSet<&str> = ALL.iter().map(|setting| setting.key).collect();
        assert_eq!(keys.len(), ALL.len());
    }

    #[test]
    fn no_setting_has_a_variable_of_another_purpose() {
        for setting in ALL {
            let variable = setting.variable();
            assert!(
                !OTHER_VARIABLES.iter().any(|(name, _)| *name == variable)
                    && !TEST_VARIABLES.contains(&variable.as_str())
            );
        }
    }
}
