//! An issuer's keys, from a file or a URL, each with the rules for its tokens.

use std::{path::PathBuf, pin::Pin, sync::Arc};

use super::check::Check;
use crate::{
    config::{
        Issuer, Jwks, Reloadable,
        jwks::{self, Key},
    },
    error::{Error, Result},
    layers::jwks::{Remote, from_url},
};

/// A background task that keeps keys fresh; it never ends.
pub type KeyRefresh = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An issuer's current keys.
#[derive(Clone)]
pub(super) enum Keys {
    File(Reloadable<Vec<Check>>),
    Url(Remote<Vec<Check>>),
}

impl Keys {
    pub(super) fn load(issuer: &Issuer, ca_file: Option<PathBuf>) -> Result<Self, String> {
        let owner = issuer.clone();
        let checks =
            move |keys: Vec<Key>| -> Vec<Check> { keys.into_iter().map(|key| Check::new(&owner, key)).collect() };
        match &issuer.jwks {
            Jwks::File(file) => {
                let path = file.clone();
                Reloadable::from_files(vec![file.clone()], move || jwks::read_file(&path).map(&checks)).map(Self::File)
            }
            Jwks::Url(url) => Ok(Self::Url(from_url(url, ca_file, checks))),
        }
    }

    pub(super) fn refresh(self) -> KeyRefresh {
        match self {
            Self::File(file) => Box::pin(file.watch()),
            Self::Url(remote) => Box::pin(remote.refresh()),
        }
    }

    /// Waits until the first fetch has ended, successful or not.
    pub(super) async fn first_fetch(&self) {
        match self {
            Self::File(_) => {}
            Self::Url(remote) => remote.first_fetch().await,
        }
    }

    pub(super) fn get(&self) -> Option<Arc<Vec<Check>>> {
        match self {
            Self::File(file) => Some(file.get()),
            Self::Url(remote) => remote.get(),
        }
    }

    /// Whether these are still the current keys.
    pub(super) fn are_current(&self, checks: &Arc<Vec<Check>>) -> bool {
        self.get().is_some_and(|now| Arc::ptr_eq(&now, checks))
    }

    /// Returns the keys, with the key that the token names if the issuer has it.
    pub(super) async fn with_kid(&self, issuer: &str, kid: Option<&str>) -> Result<Arc<Vec<Check>>> {
        let has_key =
            |checks: &Vec<Check>| kid.is_none_or(|kid| checks.iter().any(|check| check.key.id.as_deref() == Some(kid)));
        let checks = match self {
            Self::File(file) => Some(file.get()),
            Self::Url(remote) => remote.get_or_fetch(has_key).await,
        };
        checks.ok_or_else(|| Error::IssuerUnavailable(issuer.to_owned()))
    }
}
