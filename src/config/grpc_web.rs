//! gRPC-Web, by which pages in browsers call: which origins may.

use http::{HeaderValue, uri::Authority};

use super::{
    parse,
    problems::Problems,
    settings::{GRPC_WEB, GRPC_WEB_ORIGINS},
    sources::RawSettings,
    values::{list, required},
};

/// gRPC-Web is served, to pages of these origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcWeb {
    /// The origins, as browsers write them. At least one.
    pub origins: Vec<HeaderValue>,
}

impl GrpcWeb {
    /// Reads it; none in it if gRPC-Web is off, none at all if there is a problem.
    #[must_use]
    pub(super) fn read(raw: &RawSettings, problems: &mut Problems) -> Option<Option<Self>> {
        let is_on = required(raw, problems, &GRPC_WEB, parse::switch);
        let origins = list(raw, problems, &GRPC_WEB_ORIGINS, origin);
        let (is_on, origins) = is_on.zip(origins)?;
        if is_on == origins.is_empty() {
            problems.0.push(if is_on {
                "--grpc-web needs --grpc-web-origin: the origin of the pages that call, such as https://portal.example"
                    .to_owned()
            } else {
                "--grpc-web-origin needs --grpc-web".to_owned()
            });
            return None;
        }
        Some(is_on.then_some(Self { origins }))
    }
}

/// Parses an origin: `https://portal.example`, `http://localhost:5173`. Returns it as browsers write it: in lower case, without the
/// scheme's own port.
///
/// # Errors
/// What was expected.
pub fn origin(text: &str) -> Result<HeaderValue, String> {
    let parsed = text.split_once("://").and_then(|(scheme, authority)| {
        let (scheme, authority) = (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
        let usual_port = match scheme.as_str() {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let authority: Authority = authority.parse().ok()?;
        let host = authority.host();
        let port = authority.port().map(|port| format!(":{port}")).unwrap_or_default();
        // The rest of an authority is a user, or a port that is no number.
        if host.is_empty() || host.contains('*') || *authority.as_str() != format!("{host}{port}") {
            return None;
        }
        let port = if authority.port_u16() == Some(usual_port) { String::new() } else { port };
        HeaderValue::try_from(format!("{scheme}://{host}{port}")).ok()
    });
    parsed.ok_or_else(|| {
        format!(
            "{text} is not an origin such as https://portal.example or http://localhost:5173: http or https, the host, and its port \
             if it has one, without a path or a pattern"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_as_browsers_write_it() {
        for (given, written) in [
            ("https://portal.example", "https://portal.example"),
            ("HTTPS://Portal.Example:443", "https://portal.example"),
            ("http://localhost:5173", "http://localhost:5173"),
            ("http://localhost:80", "http://localhost"),
            ("https://localhost:80", "https://localhost:80"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(origin(given), Ok(HeaderValue::from_static(written)), "{given}");
        }
    }

    #[test]
    fn what_no_browser_sends_as_an_origin_is_refused() {
        for wrong in [
            "",
            "*",
            "null",
            "portal.example",
            "https://",
            "https://portal.example/",
            "https://portal.example/app",
            "https://me@portal.example",
            "https://portal.example:",
            "https://portal.example:x",
            "https://portal.example:99999",
            "https://*.example",
            "ftp://portal.example",
            "https://portal.example https://other.example",
            "https://bücher.example",
        ] {
            assert!(origin(wrong).unwrap_err().contains("is not an origin such as https://portal.example"), "{wrong}");
        }
    }
}
