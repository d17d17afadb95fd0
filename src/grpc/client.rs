//! Connects to a server, for the commands that call one.

use std::{error::Error, sync::Arc, time::Duration};

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{io, net::TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

/// Time limit for connecting.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// Connects to HOST:PORT, over TLS if there is a TLS configuration. Each call must have its response within `limit`, if there
/// is one.
///
/// # Errors
/// What is wrong with the address, or why there is no connection.
pub async fn connect(address: &str, tls: Option<ClientConfig>, limit: Option<Duration>) -> Result<Channel, String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| format!("{address} is not of the form HOST:PORT"))?
        .connect_timeout(CONNECT_LIMIT);
    let endpoint = match limit {
        Some(limit) => endpoint.timeout(limit),
        None => endpoint,
    };
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
