//! Helpers of the layers' tests: configuration, requests, and how to read a response.

use std::{convert::Infallible, path::Path, time::Duration};

use http::{Request, Response};
use sqlx::postgres::PgConnectOptions;
use tonic::{Code, Status, body::Body};
use tonic_types::StatusExt as _;
use tower::{Layer as _, service_fn};

use super::call_layer::{CallLayer, Inner as _, IntoTower};
use crate::config::{
    Config, Connections, Database, Identity, Issuer, Jwks, Limits, Load, Mail, MeshIdentity, SealingKeys, TokenType,
};

/// The trusted issuer, and the audience of its tokens.
pub(crate) const ISSUER: &str = "https://idp.example";
pub(crate) const AUDIENCE: &str = "clientele";

/// A configuration with this JWKS file and no database: nothing listens on port 1.
pub(crate) fn config(jwks: &Path) -> Config {
    let issuer = Issuer {
        issuer: ISSUER.into(),
        audience: AUDIENCE.into(),
        jwks: Jwks::File(jwks.into()),
        token_types: TokenType::usual(),
    };
    let short = Duration::from_secs(1);
    Config {
        listen: ([127, 0, 0, 1], 0).into(),
        database: Database {
            options: PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(1).into(),
            pool_size: 1,
            search_pool_size: 1,
            stream_pool_size: 1,
            stream_timeout: Duration::from_secs(3600),
            pool_timeout: short,
            statement_timeout: short,
            lock_timeout: short,
            discard_unfinished: true,
            close_unresponsive: true,
        },
        identity: Identity { issuers: vec![issuer], jwks_ca: None, operators: vec![], service_principals: vec![] },
        sealing: SealingKeys(vec![[1; 32]]).into(),
        limits: Limits {
            deadline: short,
            drain_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(10),
            detach: true,
        },
        tls: None,
        mesh_identity: MeshIdentity::None,
        connections: Connections::default(),
        grpc_web: None,
        load: Load::default(),
        reflection: true,
        mail: Mail::default(),
        telemetry: crate::config::Telemetry::default(),
    }
}

/// A read of the contract.
pub(super) const READ: &str = "/clientele.v1.CustomerService/GetCustomer";
/// A stream of the contract.
pub(super) const STREAM: &str = "/clientele.v1.BillingService/StreamBillingReport";
/// A mutation of the contract.
pub(super) const MUTATION: &str = "/clientele.v1.CustomerService/CreateCustomer";

/// A request without headers or body.
pub(super) fn request(path: &str) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse().unwrap();
    request
}

/// Runs a handler with one layer around it.
pub(super) async fn run<L, H, F>(layer: L, request: Request<Body>, handler: H) -> Response<Body>
where
    L: CallLayer,
    H: FnMut(Request<Body>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let mut handler = handler;
    let service = service_fn(move |request| {
        let answer = handler(request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    IntoTower(layer).layer(service).run(request).await
}

/// The response's code; OK where the trailers have it.
pub(super) fn code(response: &Response<Body>) -> Code {
    Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code())
}

/// The response's reason; empty without one.
pub(super) fn reason(response: &Response<Body>) -> String {
    let status = Status::from_header_map(response.headers());
    status.and_then(|status| status.get_details_error_info()).map(|info| info.reason).unwrap_or_default()
}
