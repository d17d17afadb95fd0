//! Wiring: services, the layers around them, health, reflection, the listener; and an orderly end.
//!
//! It starts without its database, is not ready until the schema is new enough, and then stays ready until it stops:
//! were readiness to follow the database, one outage would take away all replicas at once.

mod background;
mod drain;
pub mod health;
mod incoming;
mod preface;

use std::{io, net::SocketAddr, time::Duration};

use opentelemetry::context::FutureExt as _;
use tokio::net::TcpListener;
use tokio_stream::Stream;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tonic::{service::Routes, transport::server::Server};
use tonic_health::{
    ServingStatus,
    server::{HealthReporter, HealthService},
};
use tonic_reflection::server::Builder as Reflection;
use tracing::{error, info};

pub use self::{
    background::{LIVENESS, READINESS},
    drain::Drained,
};
use self::{
    background::{follow_readiness, report, sweep},
    incoming::Connection,
};
use crate::{
    config::{Config, Limits},
    error::Error,
    grpc,
    layers::{
        ActiveRequests, AddErrorDetails, Admission, Authenticate, Deadlines, Detach, Layered, PanicGuard, RateLimit,
        Trace, Workloads, token::Verifier,
    },
    service::Services,
    telemetry::{self, MetricsPort, Telemetry},
};

/// Calls at once on one connection. A mesh's sidecar puts all of a node's on few.
const MAX_STREAMS: u32 = 256;
/// Resets by a peer that were not yet accepted, and of a peer's broken streams, before the connection is closed: more
/// than callers that give up make, fewer than a flood (CVE-2023-44487).
const MAX_PENDING_RESETS: usize = 256;
const MAX_ERROR_RESETS: usize = 1024;
const MAX_HEADERS: u32 = 16 * 1024;
const KEEPALIVE_EVERY: Duration = Duration::from_secs(30);
const KEEPALIVE_LIMIT: Duration = Duration::from_secs(10);

/// Why a server did not start: sentences for whoever started it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Something listens there already.
    #[error("{0} is in use: stop what listens there, or choose another address with --listen")]
    InUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
    /// Tokens could not be verified.
    #[error("{0}")]
    Identity(String),
    /// The services could not be built.
    #[error("{0}")]
    Services(#[from] Error),
    /// The address for metrics cannot be listened on.
    #[error("cannot listen on {address} for metrics: {cause}; choose another address with --metrics-listen")]
    Metrics {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
    /// Traces cannot be sent.
    #[error("{0}")]
    Traces(#[from] telemetry::Unusable),
    /// The descriptors do not load.
    #[error("reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// A server that runs. Dropping it stops it without waiting.
pub struct Running {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    services: Services,
    tasks: TaskTracker,
    /// Calls in flight.
    calls: ActiveRequests,
    drain_delay: Duration,
    drain: Duration,
    leaving: CancellationToken,
    stop: DropGuard,
    telemetry: Telemetry,
    _scraped: DropGuard,
}

/// Starts to serve.
///
/// # Errors
/// What is wrong with the configuration or the address. A database that is away is no error.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let verifier = Verifier::load(&config.identity).map_err(StartError::Identity)?;
    let services = Services::new(&config)?;
    let telemetry = Telemetry::new(&config.telemetry)?;
    let watched = services.clone();
    telemetry.metrics().watch(move || watched.sessions());
    let health = HealthReporter::new();
    report(&health, ServingStatus::NotServing).await;
    health.set_service_status(LIVENESS, ServingStatus::Serving).await;
    let routes = routes(&services, &health, config.reflection)?;
    let listener = TcpListener::bind(config.listen).await.map_err(|cause| match cause.kind() {
        io::ErrorKind::AddrInUse => StartError::InUse(config.listen),
        _ => StartError::Listen { address: config.listen, cause },
    })?;
    let address = listener.local_addr().map_err(|cause| StartError::Listen { address: config.listen, cause })?;

    let metrics = match config.telemetry.metrics_listen {
        Some(address) => {
            Some(MetricsPort::bind(address).await.map_err(|cause| StartError::Metrics { address, cause })?)
        }
        None => None,
    };
    let metrics_address = metrics.as_ref().map(MetricsPort::address);

    let (tasks, calls, stop) = (TaskTracker::new(), ActiveRequests::default(), CancellationToken::new());
    // Who stops leaves too, and may have left before.
    let leaving = stop.child_token();
    let admission = Admission::new(&config, &calls);
    // What changes while it runs: issuers' keys, the database's password, sealing keys, the certificate.
    let told = telemetry.context();
    let mut upkeep = verifier.upkeep();
    upkeep.push(Box::pin(config.database.options.follow()));
    upkeep.push(Box::pin(config.sealing.follow()));
    if let Some(tls) = &config.tls {
        let shown = tls.clone();
        telemetry.metrics().watch_certificate(move || shown.get().validity);
        upkeep.push(Box::pin(tls.clone().follow()));
    }
    for upkeep in upkeep {
        tasks.spawn(stop.clone().run_until_cancelled_owned(upkeep).with_context(told.clone()));
    }
    let layers = Layers {
        workloads: Workloads::new(config.mesh_identity),
        trace: Trace::new(telemetry.clone()),
        admission,
        gate: Authenticate::new(verifier.clone(), services.access.clone(), config.identity.operators)
            .limited(config.load.rate.map(RateLimit::new)),
        limits: config.limits,
    };
    let connections = incoming::connections(listener, config.tls, config.load.connections, &tasks, stop.clone());
    tasks.spawn(serve(connections, routes, layers, &tasks, stop.clone()));
    let ready = follow_readiness(health, verifier, services.clone(), leaving.clone(), stop.clone());
    tasks.spawn(ready.with_context(told.clone()));
    tasks.spawn(sweep(services.clone(), stop.clone()).with_context(told));
    // Outside the set that a stopping server waits for: metrics are read until the last call has ended.
    let scraped = CancellationToken::new();
    if let Some(port) = metrics {
        info!(address = %port.address(), "metrics are told");
        TaskTracker::new().spawn(telemetry::expose(port, telemetry.clone(), scraped.clone()));
    }
    Ok(Running {
        address,
        metrics_address,
        services,
        tasks,
        calls,
        drain_delay: config.limits.drain_delay,
        drain: config.limits.drain,
        leaving,
        stop: stop.drop_guard(),
        telemetry,
        _scraped: scraped.drop_guard(),
    })
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it answers Prometheus, if it does.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// What it serves.
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.services
    }
}

/// The contract's services, health, and reflection if it is wanted.
fn routes(services: &Services, health: &HealthReporter, reflection: bool) -> Result<Routes, StartError> {
    let health = HealthService::from_health_reporter(health.clone());
    let routes = grpc::routes(services).add_service(tonic_health::pb::health_server::HealthServer::new(health));
    if !reflection {
        return Ok(routes);
    }
    let descriptors = || {
        Reflection::configure()
            .register_encoded_file_descriptor_set(grpc::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    // grpcurl up to 1.8.7 and grpcio speak v1alpha alone.
    Ok(routes.add_service(descriptors().build_v1()?).add_service(descriptors().build_v1alpha()?))
}

/// The layers that are made of something.
struct Layers {
    workloads: Workloads,
    trace: Trace,
    admission: Admission,
    gate: Authenticate,
    limits: Limits,
}

/// Serves until it is told to stop and every connection has come to its end.
fn serve(
    connections: impl Stream<Item = io::Result<Connection>> + Send + 'static,
    routes: Routes,
    Layers { workloads, trace, admission, gate, limits }: Layers,
    tasks: &TaskTracker,
    stop: CancellationToken,
) -> impl Future<Output = ()> + Send + 'static {
    let server = Server::builder()
        .max_concurrent_streams(MAX_STREAMS)
        .http2_max_pending_accept_reset_streams(Some(MAX_PENDING_RESETS))
        .http2_max_local_error_reset_streams(Some(MAX_ERROR_RESETS))
        .http2_max_header_list_size(MAX_HEADERS)
        .http2_keepalive_interval(Some(KEEPALIVE_EVERY))
        .http2_keepalive_timeout(Some(KEEPALIVE_LIMIT))
        // From the outside in; `layers` says why in this order.
        .layer(Layered(workloads))
        .layer(Layered(trace))
        .layer(Layered(PanicGuard))
        .layer(Layered(AddErrorDetails))
        .layer(Layered(Deadlines::new(limits.deadline)))
        .layer(Layered(admission))
        .layer(Layered(Detach::new(limits.detach.then(|| tasks.clone()))))
        .layer(Layered(gate))
        .add_routes(routes);
    async move {
        if let Err(cause) = server.serve_with_incoming_shutdown(connections, stop.cancelled_owned()).await {
            error!(%cause, "the server ended");
        }
    }
}

#[cfg(test)]
mod tests;
