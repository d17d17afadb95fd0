//! `clientele serve`: the service on a PostgreSQL that somebody else runs.

use std::path::Path;

use clap::builder::BoolishValueParser;

use super::{Failure, Stop, drain, migrate::DatabaseUrl, telemetry_options::TelemetryOptions, tell};
use crate::{
    config::{Config, Database, Identity, Limits, Problems, SealingKeys, Telemetry, parse},
    server,
};

/// Serve on a PostgreSQL of your own until SIGTERM, which lets running calls finish
///
/// The schema must have been brought up to date by `clientele migrate`. Options that may be repeated are
/// --issuer, --operator, --service-principal and --sealing-key-file; a `;` separates several values in one.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Serve {
    /// Where to listen; the default is what a container needs
    #[arg(long, env = "CLIENTELE_LISTEN", value_name = "ADDR", default_value = "0.0.0.0:50051")]
    #[arg(hide_env_values = true)]
    listen: String,
    #[command(flatten)]
    database: DatabaseUrl,
    /// Connections to the database at most
    #[arg(long, env = "CLIENTELE_CONNECTIONS", value_name = "NUMBER", default_value = "16", hide_env_values = true)]
    connections: String,
    /// How long a call waits for one of them before it is refused as OVERLOADED
    #[arg(long, env = "CLIENTELE_CONNECTION_WAIT", value_name = "TIME", default_value = "1s", hide_env_values = true)]
    connection_wait: String,
    /// How long one statement may take
    #[arg(long, env = "CLIENTELE_STATEMENT_TIMEOUT", value_name = "TIME", default_value = "10s")]
    #[arg(hide_env_values = true)]
    statement_timeout: String,
    /// How long a statement waits for a lock
    #[arg(long, env = "CLIENTELE_LOCK_TIMEOUT", value_name = "TIME", default_value = "2s", hide_env_values = true)]
    lock_timeout: String,
    /// An issuer of tokens, what must be in their `aud`, and the file with its public keys. At least one
    ///
    /// The file is a JSON Web Key Set (RFC 7517).
    #[arg(long, env = "CLIENTELE_ISSUERS", value_name = "ISSUER,AUDIENCE,JWKS_FILE", value_delimiter = ';')]
    #[arg(hide_env_values = true)]
    issuer: Vec<String>,
    /// A platform operator: who creates tenants [default: nobody]
    #[arg(long, env = "CLIENTELE_OPERATORS", value_name = "ISSUER SUBJECT", value_delimiter = ';')]
    #[arg(hide_env_values = true)]
    operator: Vec<String>,
    /// A service with this role in every tenant: VIEWER, MEMBER, SERVICE_MANAGER or ADMIN [default: none]
    #[arg(long, env = "CLIENTELE_SERVICE_PRINCIPALS", value_name = "ROLE ISSUER SUBJECT", value_delimiter = ';')]
    #[arg(hide_env_values = true)]
    service_principal: Vec<String>,
    /// A file with a key of 32 random bytes, raw, in hexadecimal or base64. At least one
    ///
    /// It seals etags and page tokens: the first one seals, all open. All replicas need the same.
    #[arg(long, env = "CLIENTELE_SEALING_KEY_FILES", value_name = "FILE", value_delimiter = ';')]
    #[arg(hide_env_values = true)]
    sealing_key_file: Vec<String>,
    /// The deadline of a call that names none, and the longest that one may name
    #[arg(long, env = "CLIENTELE_DEADLINE", value_name = "TIME", default_value = "20s", hide_env_values = true)]
    deadline: String,
    /// How long a stopping server waits for running calls; below the grace period of whoever stops it
    #[arg(long, env = "CLIENTELE_DRAIN", value_name = "TIME", default_value = "25s", hide_env_values = true)]
    drain: String,
    /// Serve reflection, so that grpcurl needs no proto files [default: off]
    #[arg(long, env = "CLIENTELE_REFLECTION", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    reflection: bool,
    #[command(flatten)]
    telemetry: TelemetryOptions,
}

impl Serve {
    /// Serves until it is told to stop and has drained.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let mut stop = Stop::listen()?;
        let config = self.config()?;
        let Some(started) = stop.unless(server::start(config)).await else {
            return Ok(());
        };
        let running = started?;
        // Whether it is ready too depends on the database: health says.
        tell(&format!("listening on {}", running.address()));
        stop.ordered().await;
        drain(running, &mut stop).await;
        Ok(())
    }

    /// The configuration that the options describe.
    ///
    /// # Errors
    /// Everything that is wrong, at once: concerns that were read well are verified though others were not.
    fn config(&self) -> Result<Config, Problems> {
        let mut problems = Problems::default();
        let listen = problems.take("--listen", parse::address(&self.listen));
        let database = problems.concern(|problems| self.database(problems), Database::verify);
        let identity = problems.concern(|problems| self.identity(problems), Identity::verify);
        let sealing = problems.concern(|problems| self.sealing(problems), SealingKeys::verify);
        let limits = problems.concern(|problems| self.limits(problems), Limits::verify);
        let telemetry = problems.concern(|problems| self.telemetry.read(problems), Telemetry::verify);
        let (Some(listen), Some(database), Some(identity), Some(sealing), Some(limits), Some(telemetry)) =
            (listen, database, identity, sealing, limits, telemetry)
        else {
            return Err(problems);
        };
        let config = Config { listen, database, identity, sealing, limits, reflection: self.reflection, telemetry };
        config.verify_across(&mut problems);
        if problems.0.is_empty() { Ok(config) } else { Err(problems) }
    }

    fn database(&self, problems: &mut Problems) -> Option<Database> {
        let options = self.database.options().map_err(|problem| problems.0.push(problem)).ok();
        let connections = self.connections.parse().map_err(|_| format!("{} is no number", self.connections));
        let connections = problems.take("--connections", connections);
        let wait = problems.take("--connection-wait", parse::duration(&self.connection_wait));
        let statement_timeout = problems.take("--statement-timeout", parse::duration(&self.statement_timeout));
        let lock_timeout = problems.take("--lock-timeout", parse::duration(&self.lock_timeout));
        Some(Database {
            options: options?,
            connections: connections?,
            wait: wait?,
            statement_timeout: statement_timeout?,
            lock_timeout: lock_timeout?,
            discard_unfinished: true,
        })
    }

    fn identity(&self, problems: &mut Problems) -> Option<Identity> {
        let issuers = problems.take_all("--issuer", &self.issuer, parse::issuer);
        let operators = problems.take_all("--operator", &self.operator, parse::principal);
        let service_principals =
            problems.take_all("--service-principal", &self.service_principal, parse::service_principal);
        // The issuers are looked at even if a principal could not be read.
        let (operators, service_principals) = (operators.unwrap_or_default(), service_principals.unwrap_or_default());
        Some(Identity { issuers: issuers?, operators, service_principals })
    }

    fn sealing(&self, problems: &mut Problems) -> Option<SealingKeys> {
        problems
            .take_all("--sealing-key-file", &self.sealing_key_file, |file| parse::sealing_key(Path::new(file)))
            .map(SealingKeys)
    }

    fn limits(&self, problems: &mut Problems) -> Option<Limits> {
        let deadline = problems.take("--deadline", parse::duration(&self.deadline));
        let drain = problems.take("--drain", parse::duration(&self.drain));
        Some(Limits { deadline: deadline?, drain: drain?, detach: true })
    }
}
