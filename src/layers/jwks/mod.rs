//! The keys of issuers at a URL: fetched in the background, and kept through an outage.

mod fetch;
mod remote;

use std::path::PathBuf;

use http::Uri;
use tracing::info;

use self::remote::Fetching;
pub(super) use self::remote::Remote;
use crate::config::jwks::{Key, parse};

/// Makes a value from the keys at a URL, each time they were fetched.
pub(super) fn from_url<T: Send + Sync + 'static>(
    url: &Uri,
    ca_file: Option<PathBuf>,
    make: impl Fn(Vec<Key>) -> T + Send + Sync + 'static,
) -> Remote<T> {
    let fetch = {
        let url = url.clone();
        move || -> Fetching {
            let (url, ca_file) = (url.clone(), ca_file.clone());
            Box::pin(async move { fetch::fetch(&url, ca_file.as_deref()).await })
        }
    };
    let name = url.to_string();
    // An issuer may publish keys for other uses too. One usable key is enough to replace the old set.
    let skip = {
        let name = name.clone();
        move |cause: String| {
            info!(url = name, cause, "an unusable key of the issuer is skipped");
            Ok(())
        }
    };
    Remote::new(name, fetch, move |bytes| parse(bytes, &skip).map(&make))
}
