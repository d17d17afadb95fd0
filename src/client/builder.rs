//! What a client is made of: the address, TLS, the token, the acting account, and limits.

use std::{error::Error as StdError, time::Duration};

use http::HeaderMap;
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};

use super::{
    Client,
    attempt::no_answer,
    calls::{ACCOUNT, Calls, TENANT, header},
    error::Error,
    policy::RETRIES,
    tls::Tls,
    token::Token,
};

/// How the client names itself to the server.
const USER_AGENT: &str = concat!("clientele-rust/", env!("CARGO_PKG_VERSION"));
/// Time limit for connecting, unless [`Builder::connect_timeout`] sets another.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// How often a connection with calls in flight is probed, and how long the answer may take: a peer that has vanished fails the
/// calls after both.
const PROBE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));

/// Makes a [`Client`].
#[derive(Clone, Debug)]
pub struct Builder {
    address: String,
    tls: Option<Tls>,
    token: Option<Token>,
    headers: Vec<(&'static str, String)>,
    deadline: Option<Duration>,
    attempts: u32,
    connect_timeout: Duration,
}

impl Client {
    /// A client of the server at this address: `https://host:port`, `http://host:port`, or `host:port`.
    #[must_use]
    pub fn builder(address: impl Into<String>) -> Builder {
        Builder {
            address: address.into(),
            tls: None,
            token: None,
            headers: Vec::new(),
            deadline: None,
            attempts: RETRIES.attempts,
            connect_timeout: CONNECT_LIMIT,
        }
    }
}

impl Builder {
    /// Connects over TLS. An address with `https://` needs this only for something else than the built-in Mozilla roots.
    #[must_use]
    pub fn tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Sends this token with every call.
    #[must_use]
    pub fn token(self, token: impl Into<String>) -> Self {
        Self { token: Some(Token::fixed(token.into())), ..self }
    }

    /// Asks for a token before every try of a call, so that a token that expires is replaced. The provider keeps a token for as
    /// long as it is good; its error fails the call as UNAUTHENTICATED.
    #[must_use]
    pub fn token_provider<P, F, E>(self, provider: P) -> Self
    where
        P: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        Self { token: Some(Token::provided(provider)), ..self }
    }

    /// The account in which calls act, by its id; without it the caller's only one.
    #[must_use]
    pub fn account(self, id: impl Into<String>) -> Self {
        self.header(ACCOUNT, id.into())
    }

    /// The tenant, by its id; for service principals.
    #[must_use]
    pub fn tenant(self, id: impl Into<String>) -> Self {
        self.header(TENANT, id.into())
    }

    fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The time limit of a call, all its tries included, instead of the service config's for the RPC. A call with a timeout of its
    /// own (`Request::set_timeout`) has that one.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// How often a call is tried at most, instead of the service config's three times. 1: never again.
    #[must_use]
    pub fn attempts(self, attempts: u32) -> Self {
        Self { attempts, ..self }
    }

    /// Time limit for connecting, instead of two seconds.
    #[must_use]
    pub fn connect_timeout(self, limit: Duration) -> Self {
        Self { connect_timeout: limit, ..self }
    }

    /// Connects to the server.
    ///
    /// # Errors
    /// INVALID_ARGUMENT if the address, a header or TLS is wrong; UNAVAILABLE if there is no connection.
    pub async fn connect(self) -> Result<Client, Error> {
        let endpoint = self.endpoint()?;
        let connected = endpoint.connect().await.map_err(no_answer);
        let channel = connected
            .map_err(|status| Status::new(status.code(), format!("{}: {}", self.address, status.message())))?;
        self.client(channel)
    }

    /// A client that connects with its first call.
    ///
    /// # Errors
    /// INVALID_ARGUMENT if the address, a header or TLS is wrong.
    pub fn connect_lazy(self) -> Result<Client, Error> {
        let channel = self.endpoint()?.connect_lazy();
        self.client(channel)
    }

    fn endpoint(&self) -> Result<Endpoint, Error> {
        let address = &self.address;
        let invalid = |why: &dyn std::fmt::Display| Status::invalid_argument(format!("{address}: {why}"));
        let uri = match (address.contains("://"), &self.tls) {
            (true, Some(_)) if address.starts_with("http://") => {
                return Err(invalid(&"is without TLS, but TLS is set").into());
            }
            (true, _) => address.clone(),
            (false, None) => format!("http://{address}"),
            (false, Some(_)) => format!("https://{address}"),
        };
        let secure = uri.starts_with("https://");
        let endpoint = Endpoint::from_shared(uri)
            .map_err(|_| Status::invalid_argument(format!("{address} is not of the form HOST:PORT")))?
            .user_agent(USER_AGENT)
            .map_err(|error| invalid(&error))?
            .connect_timeout(self.connect_timeout)
            .http2_keep_alive_interval(PROBE.0)
            .keep_alive_timeout(PROBE.1);
        if !secure {
            return Ok(endpoint);
        }
        let tls = self.tls.clone().unwrap_or_else(Tls::mozilla_roots);
        Ok(tls.apply(endpoint).map_err(|error| invalid(&no_answer(error).message()))?)
    }

    fn client(self, channel: Channel) -> Result<Client, Error> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.insert(*name, header(name, value)?);
        }
        let calls = Calls::new(channel, self.token, headers, self.deadline, self.attempts);
        Ok(Client { calls })
    }
}
