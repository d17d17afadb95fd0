//! The calling workload: proved by the connection's client certificate, or named by a mesh's sidecar in a header. A header is
//! trusted only if the configuration says so, and only from this machine: every client that reaches the port can send one.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, Request, Response};
use tonic::body::Body;

use super::call_layer::{CallLayer, Inner};
use crate::{config::MeshIdentity, domain::values::workload::Workload};

/// Envoy's header, and so Istio's.
const XFCC: HeaderName = HeaderName::from_static("x-forwarded-client-cert");
/// Linkerd's header.
const LINKERD: HeaderName = HeaderName::from_static("l5d-client-id");

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// The workload that its client certificate proves.
    pub workload: Option<Workload>,
}

/// Puts the calling `Workload` into the request's extensions, and removes the headers.
#[derive(Clone, Copy, Debug)]
pub struct WorkloadIdentity {
    mesh: MeshIdentity,
}

impl WorkloadIdentity {
    /// Trusts this mesh's header.
    #[must_use]
    pub fn new(mesh: MeshIdentity) -> Self {
        Self { mesh }
    }

    fn find(self, peer: Option<&Peer>, headers: &HeaderMap) -> Option<Workload> {
        let peer = peer?;
        if peer.workload.is_some() {
            return peer.workload.clone();
        }
        if !peer.address.ip().to_canonical().is_loopback() {
            return None;
        }
        match self.mesh {
            MeshIdentity::None => None,
            MeshIdentity::Xfcc => single(headers, &XFCC).and_then(from_xfcc),
            MeshIdentity::Linkerd => Workload::parse_linkerd(single(headers, &LINKERD)?).ok(),
        }
    }
}

impl CallLayer for WorkloadIdentity {
    fn handle<S: Inner>(
        self,
        inner: S,
        mut request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + Send + 'static {
        let workload = self.find(request.extensions().get(), request.headers());
        for name in [XFCC, LINKERD] {
            request.headers_mut().remove(name);
        }
        if let Some(workload) = workload {
            request.extensions_mut().insert(workload);
        }
        inner.run(request)
    }
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

/// Returns the URI of the only element. Several elements are a chain of proxies, and a client may have written the first;
/// a certificate with several URIs is not a SPIFFE certificate.
fn from_xfcc(header: &str) -> Option<Workload> {
    let mut elements = outside_quotes(header, ',');
    let (element, None) = (elements.next()?, elements.next()) else { return None };
    let mut uris = outside_quotes(element, ';').filter_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case("uri").then(|| value.trim().trim_matches('"'))
    });
    let (uri, None) = (uris.next()?, uris.next()) else { return None };
    Workload::parse_spiffe(uri).ok()
}

/// Splits a text at separators outside quotes: a certificate's subject may contain quotes and separators.
fn outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |char: char| {
        quoted ^= char == '"' && !escaped;
        escaped = char == '\\' && !escaped;
        char == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: &str = "spiffe://example.org/ns/shop/sa/orders";

    fn identity_of(mesh: MeshIdentity, address: &str, headers: &[(HeaderName, &str)]) -> Option<String> {
        let peer = Peer { address: address.parse().unwrap(), workload: None };
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value.parse().unwrap());
        }
        WorkloadIdentity::new(mesh).find(Some(&peer), &map).map(|workload| workload.to_string())
    }

    #[test]
    fn a_header_is_trusted_if_it_is_configured_and_from_this_machine() {
        let (xfcc, linkerd) = (format!("By=spiffe://a/b;Hash=1;URI={ORDERS}"), "orders.shop.local");
        let headers = [(XFCC, xfcc.as_str()), (LINKERD, linkerd)];
        for local in ["127.0.0.1:7", "127.0.0.6:7", "[::1]:7", "[::ffff:127.0.0.1]:7"] {
            assert_eq!(identity_of(MeshIdentity::Xfcc, local, &headers).as_deref(), Some(ORDERS), "{local}");
            assert_eq!(identity_of(MeshIdentity::Linkerd, local, &headers).as_deref(), Some(linkerd), "{local}");
            assert_eq!(identity_of(MeshIdentity::None, local, &headers), None, "{local}");
        }
        for remote in ["10.0.0.7:7", "[fd00::1]:7", "[::ffff:10.0.0.7]:7"] {
            assert_eq!(identity_of(MeshIdentity::Xfcc, remote, &headers), None, "{remote}");
            assert_eq!(identity_of(MeshIdentity::Linkerd, remote, &headers), None, "{remote}");
        }
        assert_eq!(identity_of(MeshIdentity::Linkerd, "127.0.0.1:7", &headers[..1]), None);
    }

    #[test]
    fn an_ambiguous_header_is_not_an_identity() {
        for (header, identity) in [
            (format!("URI={ORDERS}"), Some(ORDERS)),
            (format!("Subject=\"CN=a,O=b;URI=spiffe://evil/x\";uri=\"{ORDERS}\""), Some(ORDERS)),
            (format!("Subject=\"a\\\"b,c\";URI={ORDERS}"), Some(ORDERS)),
            (format!("URI=spiffe://evil/x,URI={ORDERS}"), None),
            (format!("URI=spiffe://evil/x;URI={ORDERS}"), None),
            ("URI=https://example.org".to_owned(), None),
            ("URI=".to_owned(), None),
            ("Hash=1".to_owned(), None),
            (String::new(), None),
        ] {
            let found = identity_of(MeshIdentity::Xfcc, "127.0.0.1:7", &[(XFCC, header.as_str())]);
            assert_eq!(found.as_deref(), identity, "{header}");
        }
        let twice = format!("URI={ORDERS}");
        assert_eq!(identity_of(MeshIdentity::Xfcc, "127.0.0.1:7", &[(XFCC, &twice), (XFCC, &twice)]), None);
    }

    #[test]
    fn the_connections_certificate_overrides_a_header() {
        let workload = Some(Workload::parse_spiffe("spiffe://example.org/proved").unwrap());
        let peer = Peer { address: "127.0.0.1:7".parse().unwrap(), workload: workload.clone() };
        let mut headers = HeaderMap::new();
        headers.insert(XFCC, format!("URI={ORDERS}").parse().unwrap());
        assert_eq!(WorkloadIdentity::new(MeshIdentity::Xfcc).find(Some(&peer), &headers), workload);
        assert_eq!(WorkloadIdentity::new(MeshIdentity::Xfcc).find(None, &headers), None);
    }
}
