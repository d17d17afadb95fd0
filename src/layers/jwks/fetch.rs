//! Fetches an issuer's keys: only over https, without redirects, with a time limit and a size limit.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header::CACHE_CONTROL};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

use crate::config::tls;

/// Time limit of the whole fetch.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// Size limit of the response, in bytes. Real key sets have a few thousand.
const SIZE_LIMIT: usize = 1024 * 1024;

/// The issuer's response.
#[derive(Clone, Debug)]
pub(super) struct Fetched {
    /// The key set, as received.
    pub(super) body: Bytes,
    /// How long the issuer allows it to be cached.
    pub(super) max_age: Option<Duration>,
}

/// Fetches the keys. Trusts the file's certificate authorities, read now, or without a file the built-in Mozilla roots.
///
/// # Errors
/// Why it failed, for the log.
pub(super) async fn fetch(url: &Uri, ca_file: Option<&Path>) -> Result<Fetched, String> {
    let fetching = tokio::time::timeout(TIME_LIMIT, get(url, ca_file)).await;
    fetching.unwrap_or_else(|_| Err(format!("no response within {} s", TIME_LIMIT.as_secs())))
}

async fn get(url: &Uri, ca_file: Option<&Path>) -> Result<Fetched, String> {
    let tls = tls::client_config(ca_file)?;
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1();
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(connector.build());
    let request = Request::get(url).header("accept", "application/json").body(Empty::new());
    let response =
        client.request(request.map_err(|error| error.to_string())?).await.map_err(|error| with_causes(&error))?;
    if response.status() != StatusCode::OK {
        return Err(format!("the response is {}", response.status()));
    }
    let cache_control = response.headers().get(CACHE_CONTROL).and_then(|header| header.to_str().ok());
    let max_age = cache_control.and_then(max_age);
    let body = Limited::new(response.into_body(), SIZE_LIMIT).collect().await.map_err(|error| with_causes(&*error))?;
    Ok(Fetched { body: body.to_bytes(), max_age })
}

/// Returns how long a `cache-control` header allows caching; zero if it forbids caching.
fn max_age(header: &str) -> Option<Duration> {
    let mut directives = header.split(',').map(str::trim);
    let forbids = |directive: &str| ["no-store", "no-cache"].iter().any(|name| directive.eq_ignore_ascii_case(name));
    directives.clone().find_map(|directive| forbids(directive).then_some(Duration::ZERO)).or_else(|| {
        directives.find_map(|directive| {
            let (name, seconds) = directive.split_once('=')?;
            name.eq_ignore_ascii_case("max-age")
                .then(|| seconds.trim_matches('"').parse().ok())?
                .map(Duration::from_secs)
        })
    })
}

/// Formats an error with all its causes: the outermost error alone does not say why.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_control_says_how_long_a_response_may_be_cached() {
        for (header, seconds) in [
            ("public, max-age=600, must-revalidate", Some(600)),
            ("Max-Age=\"30\"", Some(30)),
            ("no-store, max-age=600", Some(0)),
            ("max-age=soon", None),
            ("public", None),
        ] {
            assert_eq!(max_age(header), seconds.map(Duration::from_secs), "{header}");
        }
    }
}
