//! `clientele dev`: everything that it takes to try Clientele, in one process and one folder.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};

use clap::builder::BoolishValueParser;

use super::{
    Failure, Stop, demo, drain,
    folder::{self, Folder},
    hints, migrate, print,
    telemetry_options::TelemetryOptions,
    tell,
    token::{self, DevIssuer},
};
use crate::{
    config::{Config, Database, Identity, Limits, Load, MeshIdentity, Problems, SealingKeys, Telemetry, parse},
    domain::requests::principal::Principal,
    embedded::{Cluster, Durability, Place, Settings},
    server::{self, Running},
    store::migrations,
    telemetry::Passing,
};

/// The database's name in dev's own PostgreSQL.
const DATABASE: &str = "clientele";
/// Dev's platform operator.
pub(super) const OPERATOR: &str = "operator";
const CONNECTIONS: u16 = 16;
const SEARCH_CONNECTIONS: u16 = 4;
/// Sessions besides the service's: three are kept for superusers, the rest for psql and a migration.
const SPARE_SESSIONS: u16 = 14;

/// Try Clientele: the service with a private PostgreSQL, demo data and an issuer of tokens of its own
///
/// Prints `ready on ADDR` on standard output when it is, and how to call it on standard error.
/// Ctrl-C stops all that it started; the data is kept.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Dev {
    /// Where to listen; port 0 picks a free one
    #[arg(long, env = "CLIENTELE_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:50051")]
    #[arg(hide_env_values = true)]
    listen: String,
    /// The folder that keeps the data; removing it starts anew
    #[arg(long, env = "CLIENTELE_DATA", value_name = "DIR", default_value = folder::DEFAULT, hide_env_values = true)]
    data: PathBuf,
    /// Make no demo data [default: make it unless there is a tenant]
    #[arg(long, env = "CLIENTELE_EMPTY", value_parser = BoolishValueParser::new(), hide_env_values = true)]
    empty: bool,
    #[command(flatten)]
    telemetry: TelemetryOptions,
}

impl Dev {
    /// Serves until it is told to stop; then nothing that it started is left.
    pub(super) async fn run(self, passing: Passing) -> Result<(), Failure> {
        let mut stop = Stop::listen()?;
        let listen = parse::address(&self.listen).map_err(|problem| Failure(format!("--listen: {problem}")))?;
        let folder = Folder::make(&self.data)?;
        let _lock = folder.lock()?;
        must_be_free(listen)?;
        tell(&format!("starting PostgreSQL in {}", folder.path().display()));
        let Some(cluster) = stop.unless(Cluster::start(settings(&folder))).await else {
            return Ok(()); // half started: the cluster's guard ends it
        };
        let cluster = cluster?;
        let outcome = self.serve(listen, &cluster, &folder, &passing, &mut stop).await;
        let stopped = cluster.stop().await;
        outcome.and(stopped.map_err(Failure::from))
    }

    /// Serves on a running PostgreSQL.
    async fn serve(
        &self,
        listen: SocketAddr,
        cluster: &Cluster,
        folder: &Folder,
        passing: &Passing,
        stop: &mut Stop,
    ) -> Result<(), Failure> {
        let issuer = DevIssuer::of(folder)?;
        let mut problems = Problems::default();
        let telemetry = self.telemetry.read(&mut problems).ok_or(problems)?;
        let config = config(listen, cluster, folder, &issuer, telemetry)?;
        let Some(running) = stop.unless(start(cluster, config)).await else {
            return Ok(());
        };
        let running = running?;
        let outcome = match stop.unless(self.welcome(running.address(), folder, &issuer, passing)).await {
            Some(Ok(())) => {
                stop.ordered().await;
                Ok(())
            }
            Some(failed) => failed,
            None => Ok(()),
        };
        drain(running, stop).await;
        outcome
    }

    /// Fills in the demo data, says how to call, and then that all is ready.
    async fn welcome(
        &self,
        address: SocketAddr,
        folder: &Folder,
        issuer: &DevIssuer,
        passing: &Passing,
    ) -> Result<(), Failure> {
        let from_here = callable(address);
        let demo = passing.without_access_lines(Box::pin(demo::fill(from_here, folder, issuer, self.empty))).await?;
        tell(&hints::text(from_here, folder.path(), demo.as_ref()));
        Ok(print(&format!("ready on {address}"))?)
    }
}

/// Where this machine calls a server that listens there: one that listens everywhere is called on the loopback.
pub(super) fn callable(address: SocketAddr) -> SocketAddr {
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(host, address.port())
}

/// Says at once, before the slow work, that the address cannot be had.
fn must_be_free(listen: SocketAddr) -> Result<(), Failure> {
    use std::io::ErrorKind::{AddrInUse, PermissionDenied};
    let Err(error) = TcpListener::bind(listen) else {
        return Ok(());
    };
    let (port, host) = (listen.port(), listen.ip());
    let why = match error.kind() {
        AddrInUse => format!("port {port} is in use on {host}: stop whoever listens there"),
        PermissionDenied => format!("port {port} is kept for root"),
        _ => return Err(Failure(format!("cannot listen on {listen}: {error}"))),
    };
    let any = SocketAddr::new(host, 0);
    Err(Failure(format!("{why}, or choose another with --listen ADDR (--listen {any} picks a free port)")))
}

fn settings(folder: &Folder) -> Settings {
    Settings {
        place: Place::Kept(folder.path().to_owned()),
        durability: Durability::Production,
        max_connections: CONNECTIONS + SEARCH_CONNECTIONS + SPARE_SESSIONS,
    }
}

fn config(
    listen: SocketAddr,
    cluster: &Cluster,
    folder: &Folder,
    issuer: &DevIssuer,
    telemetry: Telemetry,
) -> Result<Config, Failure> {
    let config = Config {
        listen,
        database: Database {
            options: cluster.options(DATABASE).into(),
            connections: CONNECTIONS.into(),
            search_connections: SEARCH_CONNECTIONS.into(),
            wait: Duration::from_secs(1),
            statement_timeout: Duration::from_secs(4),
            lock_timeout: Duration::from_secs(2),
            discard_unfinished: true,
            give_up_silent: true,
        },
        identity: Identity {
            issuers: vec![issuer.config()],
            jwks_ca: None,
            operators: vec![Principal::new(token::ISSUER, OPERATOR)],
            service_principals: Vec::new(),
        },
        sealing: SealingKeys(vec![token::sealing_key(folder)?]).into(),
        limits: Limits {
            deadline: Duration::from_secs(20),
            drain_delay: Duration::ZERO,
            drain: Duration::from_secs(20),
            detach: true,
        },
        tls: None,
        mesh_identity: MeshIdentity::None,
        load: Load::default(),
        reflection: true,
        telemetry,
    };
    config.verify()?;
    Ok(config)
}

/// Starts the service on a schema that is up to date.
async fn start(cluster: &Cluster, config: Config) -> Result<Running, Failure> {
    migrations::create_database(&cluster.options("postgres"), DATABASE).await?;
    migrate::migrate(&cluster.options(DATABASE)).await?;
    Ok(server::start(config).await?)
}
