//! Asking a server how it is, as probes do that cannot ask by themselves.

use std::{error::Error, sync::Arc, time::Duration};

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{io, net::TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tower::service_fn;

/// How long connecting may take, and how long the answer.
const LIMIT: Duration = Duration::from_secs(2);

/// Asks the server at HOST:PORT for this service's health, over TLS if there is a configuration of it.
///
/// # Errors
/// Why it is not well: what it said, or why it said nothing.
pub async fn ask(address: &str, tls: Option<ClientConfig>, service: &str) -> Result<(), String> {
    let channel = channel(address, tls).await?;
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(channel).check(request).await;
    let answer = answer.map_err(|status| format!("{service}: {}", status.message()))?;
    match answer.into_inner().status() {
        ServingStatus::Serving => Ok(()),
        status => Err(format!("{service} is {}", status.as_str_name())),
    }
}

async fn channel(address: &str, tls: Option<ClientConfig>) -> Result<Channel, String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| format!("{address} is no HOST:PORT"))?
        .connect_timeout(LIMIT)
        .timeout(LIMIT);
    let connected = match tls {
        None => endpoint.connect().await,
        Some(tls) => {
            let connector = TlsConnector::from(Arc::new(tls));
            endpoint.connect_with_connector(service_fn(move |uri| encrypted(connector.clone(), uri))).await
        }
    };
    connected.map_err(|error| format!("{address}: {}", deepest(&error)))
}

async fn encrypted(connector: TlsConnector, uri: Uri) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
    let host = uri.host().unwrap_or_default();
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(io::Error::other)?;
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), uri.port_u16().unwrap_or_default())).await?;
    connector.connect(name, stream).await.map(TokioIo::new)
}

/// What began it: tonic's own words for it are "transport error".
fn deepest(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), deepest)
}
