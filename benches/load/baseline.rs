//! The baseline of every RPC: the same message over the same HTTP/2, from memory; bare, or behind the service's own layers,
//! which read a membership from the database every two seconds. It is a process of its own, so that its CPU time excludes
//! the client's.

use std::{fs, net::Ipv4Addr, path::Path, time::Duration};

use clientele::{
    config::{
        Config, Connections, Database, Identity, Limits, Load, Mail, MeshIdentity, SealingKeys, parse, settings::LOG,
    },
    grpc::pb::{
        self,
        customer_service_server::{CustomerService, CustomerServiceServer},
    },
    layers::{
        ActiveRequests, AddErrorDetails, Admission, CheckAccess, DeadlineLayer, Detach, IntoTower, PanicGuard, Receive,
        Respond, Trace, VerifyToken, token::Verifier,
    },
    service::{Services, bytes::ByteBudget, readiness::Readiness},
    telemetry::{self, Telemetry},
};
use prost::Message as _;
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    transport::server::{Server, TcpIncoming},
};

use super::Result;

/// Makes this program the baseline server. The file with its answer follows; then, for a server with the service's layers,
/// the database's URL and the issuer.
pub const FLAG: &str = "--baseline";

struct Baseline(pb::GetCustomerResponse);

/// Serves until it is killed.
pub fn serve(file: &Path, layers: &[String]) -> Result<()> {
    telemetry::init(telemetry::filter(LOG.default)?, telemetry::Format::Text);
    let answer = pb::GetCustomerResponse::decode(fs::read(file)?.as_slice())?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        eprintln!("listening on {}", listener.local_addr()?);
        // As in src/server/mod.rs.
        let mut server = Server::builder()
            .max_concurrent_streams(256)
            .http2_max_pending_accept_reset_streams(Some(256))
            .http2_max_local_error_reset_streams(Some(1024))
            .http2_max_header_list_size(72 * 1024)
            .initial_stream_window_size(64 * 1024 - 1)
            .initial_connection_window_size(128 * 1024)
            .http2_keepalive_interval(Some(Duration::from_secs(30)))
            .http2_keepalive_timeout(Some(Duration::from_secs(10)));
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let service = CustomerServiceServer::new(Baseline(answer));
        let [url, issuer] = layers else {
            return Ok(server.add_service(service).serve_with_incoming(incoming).await?);
        };
        let config = config(url, issuer)?;
        let access = Services::new(&config)?.access;
        let telemetry = Telemetry::new(&config.telemetry)?;
        let (budget, active) = (ByteBudget::new(config.load.max_bytes_in_flight), ActiveRequests::default());
        server
            .layer(IntoTower(Trace::new(telemetry)))
            .layer(IntoTower(PanicGuard))
            .layer(IntoTower(AddErrorDetails))
            .layer(IntoTower(DeadlineLayer::new(config.limits.deadline, config.database.stream_timeout)))
            .layer(IntoTower(VerifyToken::new(Verifier::load(&config.identity)?)))
            .layer(IntoTower(Receive::new(budget.clone(), config.load.message_timeout, &active)))
            .layer(IntoTower(Admission::new(&config, &active)))
            .layer(IntoTower(Detach::new(None, budget.clone())))
            .layer(IntoTower(CheckAccess::new(access, [], Readiness::default())))
            .layer(IntoTower(Respond::new(budget)))
            .add_service(service)
            .serve_with_incoming(incoming)
            .await?;
        Ok(())
    })
}

/// The configuration that the layers need.
fn config(url: &str, issuer: &str) -> Result<Config> {
    Ok(Config {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        database: Database {
            options: parse::database_url(url)?.into(),
            pool_size: 2,
            search_pool_size: 1,
            stream_pool_size: 1,
            stream_timeout: Duration::from_secs(3600),
            pool_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(2),
            discard_unfinished: true,
            close_unresponsive: true,
        },
        identity: Identity {
            issuers: vec![parse::issuer(issuer)?],
            jwks_ca: None,
            operators: Vec::new(),
            service_principals: Vec::new(),
        },
        sealing: SealingKeys(vec![[0; 32]]).into(),
        limits: Limits {
            deadline: Duration::from_secs(20),
            drain_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(20),
            detach: false,
        },
        tls: None,
        mesh_identity: MeshIdentity::None,
        connections: Connections::default(),
        grpc_web: None,
        load: Load::default(),
        reflection: false,
        mail: Mail::default(),
        telemetry: clientele::config::Telemetry::default(),
    })
}

macro_rules! unimplemented_rpcs {
    ($($rpc:ident($request:ident) -> $response:ident;)*) => {
        #[tonic::async_trait]
        impl CustomerService for Baseline {
            async fn get_customer(
                &self,
                _: Request<pb::GetCustomerRequest>,
            ) -> std::result::Result<Response<pb::GetCustomerResponse>, Status> {
                Ok(Response::new(self.0.clone()))
            }

            $(
                async fn $rpc(
                    &self,
                    _: Request<pb::$request>,
                ) -> std::result::Result<Response<pb::$response>, Status> {
                    Err(Status::unimplemented("this is the baseline"))
                }
            )*
        }
    };
}

unimplemented_rpcs! {
    create_customer(CreateCustomerRequest) -> CreateCustomerResponse;
    update_customer(UpdateCustomerRequest) -> UpdateCustomerResponse;
    approve_customer(ApproveCustomerRequest) -> ApproveCustomerResponse;
    suspend_customer(SuspendCustomerRequest) -> SuspendCustomerResponse;
    resume_customer(ResumeCustomerRequest) -> ResumeCustomerResponse;
    place_hold(PlaceHoldRequest) -> PlaceHoldResponse;
    release_hold(ReleaseHoldRequest) -> ReleaseHoldResponse;
    reject_customer(RejectCustomerRequest) -> RejectCustomerResponse;
    archive_customers(ArchiveCustomersRequest) -> ArchiveCustomersResponse;
    unarchive_customers(UnarchiveCustomersRequest) -> UnarchiveCustomersResponse;
    migrate_customer_to_reseller(MigrateCustomerToResellerRequest) -> MigrateCustomerToResellerResponse;
    revert_customer_migration(RevertCustomerMigrationRequest) -> RevertCustomerMigrationResponse;
    merge_customers(MergeCustomersRequest) -> MergeCustomersResponse;
    unmerge_customers(UnmergeCustomersRequest) -> UnmergeCustomersResponse;
    erase_customer(EraseCustomerRequest) -> EraseCustomerResponse;
    transfer_customers(TransferCustomersRequest) -> TransferCustomersResponse;
    search_customers(SearchCustomersRequest) -> SearchCustomersResponse;
    modify_customer_tags(ModifyCustomerTagsRequest) -> ModifyCustomerTagsResponse;
    batch_get_customers(BatchGetCustomersRequest) -> BatchGetCustomersResponse;
    lookup_customer(LookupCustomerRequest) -> LookupCustomerResponse;
    find_duplicate_customers(FindDuplicateCustomersRequest) -> FindDuplicateCustomersResponse;
    check_name_availability(CheckNameAvailabilityRequest) -> CheckNameAvailabilityResponse;
    upsert_customer(UpsertCustomerRequest) -> UpsertCustomerResponse;
    update_custom_id(UpdateCustomIdRequest) -> UpdateCustomIdResponse;
}
