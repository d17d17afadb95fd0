//! The author of a call. Rights come from memberships; a principal is only a name.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::domain::{
    requests::contract::Rpc,
    values::{text::Text, unknown_fields::UnknownFields, violation::Rule, workload::Workload},
};

/// The issuer and the subject of a token, both compared byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Principal {
    #[serde(rename = "issuer")]
    issuer: String,
    #[serde(rename = "subject")]
    subject: String,
    #[serde(flatten)]
    unknown: UnknownFields,
}

impl Principal {
    /// Longest issuer and longest subject, in characters.
    pub const MAX_CHARS: usize = 255;

    /// A principal from a verified token or a verified configuration.
    #[must_use]
    pub fn new(issuer: impl Into<String>, subject: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), subject: subject.into(), unknown: UnknownFields::default() }
    }

    /// Checks an issuer: 1 to 255 printable characters without spaces.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse_issuer(raw: &str) -> Result<String, Rule> {
        let issuer = Text::<{ Self::MAX_CHARS }>::parse(raw)?.as_str().to_owned();
        // The stored answers' key joins issuer and subject by a space.
        if issuer.contains(' ') { Err(Rule::new("must not hold spaces")) } else { Ok(issuer) }
    }

    /// Checks a subject: 1 to 255 printable characters.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse_subject(raw: &str) -> Result<String, Rule> {
        Text::<{ Self::MAX_CHARS }>::parse(raw).map(|subject| subject.as_str().to_owned())
    }

    /// The token's `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The token's `sub`.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

/// The author of a call and the call itself, as events and stored answers record them.
#[derive(Clone, Debug)]
pub struct Author {
    /// The principal whose rights apply.
    pub principal: Principal,
    /// The actors that act for the principal, the latest first (RFC 8693's `act`).
    pub actors: Vec<Principal>,
    /// The workload that made the call, if its connection proves one.
    pub workload: Option<Workload>,
    /// The RPC that was called.
    pub rpc: Rpc,
    /// The call's W3C trace id: 32 hexadecimal digits.
    pub trace_id: String,
    /// When the answer must be sent; none for background work. A write is not tried again after it.
    pub deadline: Option<Instant>,
}

impl Author {
    /// The workload's identity, as events record it.
    #[must_use]
    pub fn workload(&self) -> Option<&str> {
        self.workload.as_ref().map(Workload::as_str)
    }
}
