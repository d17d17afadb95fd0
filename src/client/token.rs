//! Where the token of a call comes from.

use std::{error::Error, fmt, pin::Pin, sync::Arc};

use http::HeaderValue;
use tonic::Status;

/// A token that is on its way.
type Provided = Pin<Box<dyn Future<Output = Result<String, Box<dyn Error + Send + Sync>>> + Send>>;

/// Gives the token of each try.
#[derive(Clone)]
pub(super) struct Token(Arc<dyn Fn() -> Provided + Send + Sync>);

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a token")
    }
}

impl Token {
    /// Always this one.
    pub(super) fn fixed(token: String) -> Self {
        Self(Arc::new(move || {
            let token = token.clone();
            Box::pin(async move { Ok(token) })
        }))
    }

    /// The one that the provider gives at that moment.
    pub(super) fn provided<P, F, E>(provider: P) -> Self
    where
        P: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        Self(Arc::new(move || {
            let token = provider();
            Box::pin(async move { token.await.map_err(Into::into) })
        }))
    }

    /// The header of a call.
    pub(super) async fn header(&self) -> Result<HeaderValue, Status> {
        let token = (self.0)().await.map_err(|error| Status::unauthenticated(format!("there is no token: {error}")))?;
        let mut value = HeaderValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Status::unauthenticated("the token cannot be a header"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}
