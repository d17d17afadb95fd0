//! An issuer's keys, from a file or from behind a URL, each with what a token must hold that it signed.

use std::{path::PathBuf, sync::Arc};

use super::{Check, Upkeep};
use crate::{
    config::{Issuer, Jwks, Reloadable},
    error::{Error, Result},
    layers::jwks::{self, Key, Remote},
};

/// An issuer's keys, as they are now.
#[derive(Clone)]
pub(super) enum Keys {
    File(Reloadable<Vec<Check>>),
    Url(Remote<Vec<Check>>),
}

impl Keys {
    pub(super) fn of(issuer: &Issuer, authorities: Option<PathBuf>) -> Result<Self, String> {
        let its = issuer.clone();
        let checks =
            move |keys: Vec<Key>| -> Vec<Check> { keys.into_iter().map(|key| Check::new(&its, key)).collect() };
        match &issuer.jwks {
            Jwks::File(file) => {
                let path = file.clone();
                Reloadable::of_files(vec![file.clone()], move || jwks::read(&path).map(&checks)).map(Self::File)
            }
            Jwks::Url(uri) => Ok(Self::Url(jwks::at(uri, authorities, checks))),
        }
    }

    pub(super) fn follow(self) -> Upkeep {
        match self {
            Self::File(live) => Box::pin(live.follow()),
            Self::Url(remote) => Box::pin(remote.follow()),
        }
    }

    pub(super) async fn tried(&self) {
        match self {
            Self::File(_) => {}
            Self::Url(remote) => remote.tried().await,
        }
    }

    pub(super) fn get(&self) -> Option<Arc<Vec<Check>>> {
        match self {
            Self::File(live) => Some(live.get()),
            Self::Url(remote) => remote.get(),
        }
    }

    pub(super) fn are(&self, checks: &Arc<Vec<Check>>) -> bool {
        self.get().is_some_and(|now| Arc::ptr_eq(&now, checks))
    }

    /// The keys, with the one that a token names if the issuer has it.
    pub(super) async fn having(&self, issuer: &str, kid: Option<&str>) -> Result<Arc<Vec<Check>>> {
        let known =
            |checks: &Vec<Check>| kid.is_none_or(|kid| checks.iter().any(|check| check.key.id.as_deref() == Some(kid)));
        let checks = match self {
            Self::File(live) => Some(live.get()),
            Self::Url(remote) => remote.having(known).await,
        };
        checks.ok_or_else(|| Error::IssuerUnavailable(issuer.to_owned()))
    }
}
