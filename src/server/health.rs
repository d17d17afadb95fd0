//! A health check of a server, for probes that cannot call gRPC's health service themselves.

use std::{error::Error, sync::Arc, time::Duration};

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{io, net::TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tower::service_fn;

use crate::layers::NOT_READY;

/// Time limit for connecting, and for the response.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Checks the health of a service at HOST:PORT, over TLS if there is a TLS configuration.
///
/// # Errors
/// The service's status if it is not SERVING, or why there is no response.
pub async fn check(address: &str, tls: Option<ClientConfig>, service: &str) -> Result<(), String> {
    let channel = connect(address, tls).await?;
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(channel).check(request).await;
    let answer = answer.map_err(|status| format!("{service}: {}", status.message()))?;
    let why = answer.metadata().get(NOT_READY.as_str()).and_then(|words| words.to_str().ok()).map(ToOwned::to_owned);
    match (answer.into_inner().status(), why) {
        (ServingStatus::Serving, _) => Ok(()),
        (status, None) => Err(format!("{service} is {}", status.as_str_name())),
        (status, Some(why)) => Err(format!("{service} is {}: {why}", status.as_str_name())),
    }
}

async fn connect(address: &str, tls: Option<ClientConfig>) -> Result<Channel, String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| format!("{address} is not of the form HOST:PORT"))?
        .connect_timeout(TIMEOUT)
        .timeout(TIMEOUT);
    let connected = match tls {
        None => endpoint.connect().await,
        Some(tls) => {
            let connector = TlsConnector::from(Arc::new(tls));
            endpoint.connect_with_connector(service_fn(move |uri| connect_tls(connector.clone(), uri))).await
        }
    };
    connected.map_err(|error| format!("{address}: {}", root_cause(&error)))
}

async fn connect_tls(connector: TlsConnector, uri: Uri) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
    let host = uri.host().unwrap_or_default();
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(io::Error::other)?;
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), uri.port_u16().unwrap_or_default())).await?;
    connector.connect(name, stream).await.map(TokioIo::new)
}

/// Returns the innermost error: tonic's own is only "transport error".
fn root_cause(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), root_cause)
}
