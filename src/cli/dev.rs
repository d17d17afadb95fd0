//! `clientele dev`: everything needed to try Clientele, in one process and one folder.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::builder::BoolishValueParser;

use super::{
    data_dir::{self, DataDir},
    demo, hints,
    listen::{check_is_free, local_address},
    migrate,
    output::{Failure, print_message, print_result},
    settings::Logging,
    stop::{StopSignals, drain},
    telemetry_options::TelemetryOptions,
    token::{self, DevIssuer, OPERATOR},
};
use crate::{
    config::{
        Config, Connections, Database, GrpcWeb, Identity, Limits, Load, Mail, MeshIdentity, Problems, RawSettings,
        SealingKeys, Telemetry, grpc_web, mail::Delivery, parse,
    },
    domain::requests::principal::Principal,
    embedded::{Cluster, ClusterLocation, ClusterSettings, Durability},
    server::{self, RunningServer},
    store::migrations,
    telemetry::LogFilter,
};

/// The database's name in dev's own PostgreSQL.
const DATABASE: &str = "clientele";
/// Where the page of a portal would be.
const INVITATION_URL: &str = "https://portal.example.com/join#{token}";
const POOL_SIZE: u16 = 16;
const SEARCH_POOL_SIZE: u16 = 4;
const STREAM_POOL_SIZE: u16 = 4;
const STREAM_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// Connections besides the service's: three are reserved for superusers, the rest is for psql and a migration.
const SPARE_CONNECTIONS: u16 = 14;

/// Try Clientele: the service with a private PostgreSQL, demo data and its own token issuer
///
/// When it is ready, it prints `ready on ADDR` on standard output. How to call it is on standard error.
/// Ctrl-C stops everything that it started; the data is kept.
#[derive(clap::Args)]
pub(super) struct Dev {
    /// Address to listen on; port 0 picks a free one
    #[arg(long, env = "CLIENTELE_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:50051")]
    #[arg(hide_env_values = true)]
    listen: String,
    /// Data folder; remove it to start again without data
    #[arg(long, env = "CLIENTELE_DATA_DIR", value_name = "DIR", default_value = data_dir::DEFAULT)]
    #[arg(hide_env_values = true)]
    data_dir: PathBuf,
    /// Create no demo data [default: create it if there is no tenant]
    #[arg(long, env = "CLIENTELE_NO_DEMO_DATA", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    no_demo_data: bool,
    /// Origin of pages that may call by gRPC-Web, as in http://localhost:5173; repeatable [default: gRPC-Web is off]
    #[arg(long = "grpc-web-origin", env = "CLIENTELE_GRPC_WEB_ORIGINS", value_name = "ORIGIN", value_delimiter = ';')]
    #[arg(hide_env_values = true)]
    grpc_web_origins: Vec<String>,
    #[command(flatten)]
    telemetry: TelemetryOptions,
    #[command(flatten)]
    logging: Logging,
}

impl Dev {
    /// Returns the settings of its log.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn log_settings(&self) -> Result<RawSettings, Problems> {
        let mut problems = Problems::default();
        let settings = self.logging.gather(&mut problems);
        if problems.0.is_empty() { Ok(settings) } else { Err(problems) }
    }

    /// Serves until a signal stops it; then nothing that it started is left.
    pub(super) async fn run(self, log_filter: LogFilter) -> Result<(), Failure> {
        let mut signals = StopSignals::listen()?;
        let listen = parse::address(&self.listen).map_err(|problem| Failure(format!("--listen: {problem}")))?;
        let data_dir = DataDir::create(&self.data_dir)?;
        let _lock = data_dir.lock()?;
        check_is_free(listen)?;
        print_message(&format!("starting PostgreSQL in {}", data_dir.path().display()));
        let Some(cluster) = signals.run_until_stopped(Cluster::start(cluster_settings(&data_dir))).await else {
            return Ok(()); // the supervisor stops a cluster that is still starting
        };
        let cluster = cluster?;
        let outcome = Box::pin(self.serve(listen, &cluster, &data_dir, &log_filter, &mut signals)).await;
        print_message("stopping PostgreSQL");
        let stopped = cluster.stop().await;
        if stopped.is_ok() {
            print_message(&format!("stopped; the data stays in {}", data_dir.path().display()));
        }
        outcome.and(stopped.map_err(Failure::from))
    }

    /// Serves on a running PostgreSQL.
    async fn serve(
        &self,
        listen: SocketAddr,
        cluster: &Cluster,
        data_dir: &DataDir,
        log_filter: &LogFilter,
        signals: &mut StopSignals,
    ) -> Result<(), Failure> {
        let issuer = DevIssuer::load(data_dir)?;
        let mut problems = Problems::default();
        let telemetry = self.telemetry.read(&mut problems).ok_or(problems)?;
        let mut config = server_config(listen, cluster, data_dir, &issuer, telemetry)?;
        config.grpc_web = self.grpc_web()?;
        let Some(started) = signals.run_until_stopped(start_server(cluster, config)).await else {
            return Ok(());
        };
        let server = started?;
        let ready = self.prepare(&server, cluster, data_dir, &issuer, log_filter);
        let outcome = match signals.run_until_stopped(ready).await {
            Some(Ok(())) => {
                signals.wait().await;
                Ok(())
            }
            Some(failed) => failed,
            None => Ok(()),
        };
        drain(server, signals).await;
        outcome
    }

    fn grpc_web(&self) -> Result<Option<GrpcWeb>, Failure> {
        let origins =
            self.grpc_web_origins.iter().map(|origin| grpc_web::origin(origin)).collect::<Result<Vec<_>, _>>();
        let origins = origins.map_err(|problem| Failure(format!("--grpc-web-origin: {problem}")))?;
        Ok(if origins.is_empty() { None } else { Some(GrpcWeb { origins }) })
    }

    /// Creates the demo data, prints how to call the service, and then that it is ready.
    async fn prepare(
        &self,
        server: &RunningServer,
        cluster: &Cluster,
        data_dir: &DataDir,
        issuer: &DevIssuer,
        log_filter: &LogFilter,
    ) -> Result<(), Failure> {
        let address = server.address();
        let local = local_address(address);
        let create = Box::pin(demo::create(local, data_dir, issuer, self.no_demo_data));
        let demo = log_filter.without_access_lines(create).await?;
        let link = match &demo {
            Some(demo) => demo::link(&server.services().mailer, demo).await?,
            None => None,
        };
        print_message(&hints::text(local, data_dir.path(), &psql(cluster), demo.as_ref(), link.as_ref()));
        Ok(print_result(&format!("ready on {address}"))?)
    }
}

/// The command that opens dev's database.
fn psql(cluster: &Cluster) -> String {
    let psql = cluster.bin().join("psql");
    // A downloaded PostgreSQL may have none.
    let psql = if psql.exists() { psql.display().to_string() } else { "psql".to_owned() };
    format!("{} {}", hints::quote(&psql), hints::quote(&cluster.url(DATABASE)))
}

fn cluster_settings(data_dir: &DataDir) -> ClusterSettings {
    ClusterSettings {
        location: ClusterLocation::Kept(data_dir.path().to_owned()),
        durability: Durability::Production,
        max_connections: POOL_SIZE + SEARCH_POOL_SIZE + STREAM_POOL_SIZE + SPARE_CONNECTIONS,
    }
}

fn server_config(
    listen: SocketAddr,
    cluster: &Cluster,
    data_dir: &DataDir,
    issuer: &DevIssuer,
    telemetry: Telemetry,
) -> Result<Config, Failure> {
    let config = Config {
        listen,
        database: Database {
            options: cluster.options(DATABASE).into(),
            pool_size: POOL_SIZE.into(),
            search_pool_size: SEARCH_POOL_SIZE.into(),
            stream_pool_size: STREAM_POOL_SIZE.into(),
            stream_timeout: STREAM_TIMEOUT,
            pool_timeout: Duration::from_secs(1),
            statement_timeout: Duration::from_secs(4),
            lock_timeout: Duration::from_secs(2),
            discard_unfinished: true,
            close_unresponsive: true,
        },
        identity: Identity {
            issuers: vec![issuer.config()],
            jwks_ca: None,
            operators: vec![Principal::new(token::ISSUER, OPERATOR)],
            service_principals: Vec::new(),
        },
        sealing: SealingKeys(vec![token::sealing_key(data_dir)?]).into(),
        limits: Limits {
            deadline: Duration::from_secs(20),
            drain_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(20),
            detach: true,
        },
        tls: None,
        mesh_identity: MeshIdentity::None,
        connections: Connections::default(),
        grpc_web: None,
        load: Load::default(),
        reflection: true,
        mail: Mail {
            delivery: Delivery::Print(print_message),
            invitation_url: Some(INVITATION_URL.to_owned()),
            ..Mail::default()
        },
        telemetry,
    };
    config.verify()?;
    Ok(config)
}

/// Creates the database, brings its schema up to date and starts the service.
async fn start_server(cluster: &Cluster, config: Config) -> Result<RunningServer, Failure> {
    migrations::create_database(&cluster.options("postgres"), DATABASE).await?;
    migrate::migrate(&cluster.options(DATABASE)).await?;
    Ok(server::start(config).await?)
}
