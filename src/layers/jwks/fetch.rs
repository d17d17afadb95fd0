//! One GET of an issuer's keys: over https alone, without redirects, within a time and a size.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header::CACHE_CONTROL};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

use crate::config::tls;

/// How long all of it may take.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// Longest answer, in bytes. Real ones have a few thousand.
const SIZE_LIMIT: usize = 1024 * 1024;

/// What the issuer answered.
#[derive(Clone, Debug)]
pub(super) struct Fetched {
    /// The key set, as it came.
    pub(super) body: Bytes,
    /// For how long the issuer says that it may be kept.
    pub(super) max_age: Option<Duration>,
}

/// Fetches what is there. Authorities are those of the file, read now, or those that browsers trust.
///
/// # Errors
/// Why not, for the log.
pub(super) async fn fetch(uri: &Uri, authorities: Option<&Path>) -> Result<Fetched, String> {
    let fetching = tokio::time::timeout(TIME_LIMIT, get(uri, authorities)).await;
    fetching.unwrap_or_else(|_| Err(format!("no answer within {} s", TIME_LIMIT.as_secs())))
}

async fn get(uri: &Uri, authorities: Option<&Path>) -> Result<Fetched, String> {
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls::client(authorities)?).https_only().enable_http1();
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(connector.build());
    let request = Request::get(uri).header("accept", "application/json").body(Empty::new());
    let answer = client.request(request.map_err(|error| error.to_string())?).await.map_err(|error| causes(&error))?;
    if answer.status() != StatusCode::OK {
        return Err(format!("answered {}", answer.status()));
    }
    let cached = answer.headers().get(CACHE_CONTROL).and_then(|header| header.to_str().ok());
    let max_age = cached.and_then(max_age);
    let body = Limited::new(answer.into_body(), SIZE_LIMIT).collect().await.map_err(|error| causes(&*error))?;
    Ok(Fetched { body: body.to_bytes(), max_age })
}

/// How long a `cache-control` lets the answer be kept; one that says not at all lets it for no time.
fn max_age(header: &str) -> Option<Duration> {
    let mut words = header.split(',').map(str::trim);
    let no = |word: &str| ["no-store", "no-cache"].iter().any(|no| word.eq_ignore_ascii_case(no));
    words.clone().find_map(|word| no(word).then_some(Duration::ZERO)).or_else(|| {
        words.find_map(|word| {
            let (name, seconds) = word.split_once('=')?;
            name.eq_ignore_ascii_case("max-age")
                .then(|| seconds.trim_matches('"').parse().ok())?
                .map(Duration::from_secs)
        })
    })
}

/// An error down to its first cause: the outermost says only that it did not work.
fn causes(error: &dyn std::error::Error) -> String {
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
    fn how_long_an_answer_may_be_kept() {
        for (header, told) in [
            ("public, max-age=600, must-revalidate", Some(600)),
            ("Max-Age=\"30\"", Some(30)),
            ("no-store, max-age=600", Some(0)),
            ("max-age=soon", None),
            ("public", None),
        ] {
            assert_eq!(max_age(header), told.map(Duration::from_secs), "{header}");
        }
    }
}
