//! Starts a server: services, layers, health, reflection, the listener.

use std::{io, net::SocketAddr, time::Duration};

use opentelemetry::context::FutureExt as _;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::service::{LayerExt as _, Routes};
use tonic_health::{
    ServingStatus,
    pb::health_server::HealthServer,
    server::{HealthReporter, HealthService},
};
use tonic_reflection::server::Builder as Reflection;
use tower::ServiceBuilder;
use tracing::info;

use super::{
    background::{run_cleanup, run_mailer},
    connection::Http,
    incoming,
    limits::ConnectionLimits,
    readiness::{LIVENESS, set_readiness, update_readiness},
    running::RunningServer,
};
use crate::{
    config::{Config, Limits, mail::Delivery},
    error::Error,
    grpc,
    layers::{
        ActiveRequests, AddErrorDetails, Admission, CheckAccess, ContentType, DeadlineLayer, Detach, GrpcWeb, Inner,
        IntoTower, PanicGuard, Receive, Respond, SayWhyNotReady, Trace, VerifyToken, WorkloadIdentity,
        token::Verifier,
        tokenless::{MAX_MESSAGE, Tokenless},
    },
    service::{Services, bytes::ByteBudget, rate::RateLimiter, readiness::Readiness},
    telemetry::{self, MetricsPort, Telemetry},
};

/// Why a server did not start, as a sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another process listens on the address.
    #[error("{0} is in use: stop the process that listens there, or choose another address with --listen")]
    InUse(SocketAddr),
    /// The server cannot listen on the address.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        cause: io::Error,
    },
    /// Tokens could not be verified.
    #[error("{0}")]
    Identity(String),
    /// The services could not be built.
    #[error("{0}")]
    Services(#[from] Error),
    /// The server cannot listen on the address for metrics.
    #[error("cannot listen on {address} for metrics: {cause}; choose another address with --metrics-listen")]
    Metrics {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        cause: io::Error,
    },
    /// Traces cannot be sent.
    #[error("{0}")]
    Traces(#[from] telemetry::InvalidEndpoint),
    /// The descriptors cannot be loaded.
    #[error("reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Starts a server.
///
/// # Errors
/// What is wrong with the configuration or the address. An unavailable database is not an error.
pub async fn start(config: Config) -> Result<RunningServer, StartError> {
    let verifier = Verifier::load(&config.identity).map_err(StartError::Identity)?;
    let services = Services::new(&config)?;
    let telemetry = Telemetry::new(&config.telemetry)?;
    let pools = services.clone();
    telemetry.metrics().add_pool_gauges(move || pools.sessions());
    let (health, readiness) = (HealthReporter::new(), Readiness::default());
    let in_the_way = readiness.clone();
    telemetry.metrics().add_readiness_gauge(move || in_the_way.words());
    set_readiness(&health, ServingStatus::NotServing).await;
    health.set_service_status(LIVENESS, ServingStatus::Serving).await;
    let budget = ByteBudget::new(config.load.max_bytes_in_flight);
    let routes = routes(&services, &health, &readiness, config.reflection, &Tokenless::new(budget.clone()))?;
    let listener = TcpListener::bind(config.listen).await.map_err(|cause| match cause.kind() {
        io::ErrorKind::AddrInUse => StartError::InUse(config.listen),
        _ => StartError::Listen { address: config.listen, cause },
    })?;
    let address = listener.local_addr().map_err(|cause| StartError::Listen { address: config.listen, cause })?;

    let metrics_port = match config.telemetry.metrics_listen {
        Some(address) => {
            Some(MetricsPort::bind(address).await.map_err(|cause| StartError::Metrics { address, cause })?)
        }
        None => None,
    };
    let metrics_address = metrics_port.as_ref().map(MetricsPort::address);

    let (tasks, requests, stop) = (TaskTracker::new(), ActiveRequests::default(), CancellationToken::new());
    // Cancelled before `stop`, or with it.
    let not_ready = stop.child_token();
    let admission = Admission::new(&config, &requests);
    let counted = budget.clone();
    telemetry.metrics().add_memory_gauges(config.load.max_bytes_in_flight, move || counted.held());
    // The values that are reloaded while the server runs: issuers' keys, the database's password, sealing keys, the
    // certificate.
    let context = telemetry.context();
    let mut reloads = verifier.key_refreshes();
    reloads.push(Box::pin(config.database.options.watch()));
    reloads.push(Box::pin(config.sealing.watch()));
    if let Delivery::Smtp(smtp) = &config.mail.delivery
        && let Some(credentials) = smtp.credentials.clone()
    {
        reloads.push(Box::pin(credentials.watch()));
    }
    if let Some(tls) = &config.tls {
        let current = tls.clone();
        telemetry.metrics().add_certificate_gauges(move || current.get().validity);
        reloads.push(Box::pin(tls.clone().watch()));
    }
    for reload in reloads {
        tasks.spawn(stop.clone().run_until_cancelled_owned(reload).with_context(context.clone()));
    }
    let http1 = config.grpc_web.is_some();
    let layers = Layers {
        grpc_web: config.grpc_web.map(GrpcWeb::new),
        workload: WorkloadIdentity::new(config.mesh_identity),
        trace: Trace::new(telemetry.clone()),
        verify: VerifyToken::new(verifier.clone()).with_rate_limit(config.load.rate_limit.map(RateLimiter::new)),
        receive: Receive::new(budget.clone(), config.load.message_timeout, &requests),
        admission,
        stream_timeout: config.database.stream_timeout,
        access: CheckAccess::new(services.access.clone(), config.identity.operators, readiness.clone()),
        budget,
        limits: config.limits,
    };
    let http = Http::new(service(routes, layers, &tasks), &config.connections, http1, &tasks, stop.clone());
    let limits = ConnectionLimits::new(&config.connections);
    let accepting = incoming::accept(listener, config.tls, limits, http, tasks.clone(), stop.clone());
    tasks.spawn(stop.clone().run_until_cancelled_owned(accepting));
    let readiness = update_readiness(health, readiness, verifier, services.clone(), not_ready.clone(), stop.clone());
    tasks.spawn(readiness.with_context(context.clone()));
    tasks.spawn(run_cleanup(services.clone(), stop.clone()).with_context(context.clone()));
    let (stopped, streaming) = (stop.clone(), services.clone());
    tasks.spawn(async move {
        stopped.cancelled().await;
        streaming.end_streams();
    });
    let mailer = services.mailer.clone();
    telemetry.metrics().add_outbox_gauges({
        let mailer = mailer.clone();
        move || mailer.status()
    });
    tasks.spawn(run_mailer(mailer, requests.clone(), stop.clone()).with_context(context));
    // Not in the set that a stopping server waits for: metrics are served until the last call has ended.
    let stop_metrics = CancellationToken::new();
    if let Some(port) = metrics_port {
        info!(address = %port.address(), "serving metrics");
        TaskTracker::new().spawn(telemetry::serve_metrics(port, telemetry.clone(), stop_metrics.clone()));
    }
    Ok(RunningServer {
        address,
        metrics_address,
        services,
        tasks,
        requests,
        drain_delay: config.limits.drain_delay,
        drain_timeout: config.limits.drain_timeout,
        not_ready,
        stop: stop.drop_guard(),
        telemetry,
        _stop_metrics: stop_metrics.drop_guard(),
    })
}

/// Returns the contract's services, health, and reflection if it is configured.
fn routes(
    services: &Services,
    health: &HealthReporter,
    readiness: &Readiness,
    reflection: bool,
    tokenless: &Tokenless,
) -> Result<Routes, StartError> {
    let tokenless = IntoTower(tokenless.clone());
    let health = HealthServer::new(HealthService::from_health_reporter(health.clone()));
    let health = tokenless.named_layer(health.max_decoding_message_size(MAX_MESSAGE));
    let routes = grpc::routes(services).add_service(IntoTower(SayWhyNotReady(readiness.clone())).named_layer(health));
    if !reflection {
        return Ok(routes);
    }
    let descriptors = || {
        Reflection::configure()
            .register_encoded_file_descriptor_set(grpc::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    // grpcurl up to 1.8.7 and grpcio support only v1alpha.
    let v1 = descriptors().build_v1()?.max_decoding_message_size(MAX_MESSAGE);
    let v1alpha = descriptors().build_v1alpha()?.max_decoding_message_size(MAX_MESSAGE);
    Ok(routes.add_service(tokenless.named_layer(v1)).add_service(tokenless.named_layer(v1alpha)))
}

/// The layers that depend on the configuration.
struct Layers {
    grpc_web: Option<GrpcWeb>,
    workload: WorkloadIdentity,
    trace: Trace,
    verify: VerifyToken,
    receive: Receive,
    admission: Admission,
    stream_timeout: Duration,
    access: CheckAccess,
    budget: ByteBudget,
    limits: Limits,
}

/// Returns the service with the layers around it.
fn service(
    routes: Routes,
    Layers { grpc_web, workload, trace, verify, receive, admission, stream_timeout, access, budget, limits }: Layers,
    tasks: &TaskTracker,
) -> impl Inner {
    ServiceBuilder::new()
        // From the outside in; `layers` explains the order.
        .option_layer(grpc_web.map(IntoTower))
        .layer(IntoTower(workload))
        .layer(IntoTower(trace))
        .layer(IntoTower(ContentType))
        .layer(IntoTower(PanicGuard))
        .layer(IntoTower(AddErrorDetails))
        .layer(IntoTower(DeadlineLayer::new(limits.deadline, stream_timeout)))
        .layer(IntoTower(verify))
        .layer(IntoTower(receive))
        .layer(IntoTower(admission))
        .layer(IntoTower(Detach::new(limits.detach.then(|| tasks.clone()), budget.clone())))
        .layer(IntoTower(access))
        .layer(IntoTower(Respond::new(budget)))
        .service(routes.prepare())
}
