//! An issuer of tokens that the service accepts, and requests with these tokens.

use std::fs;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, get_current_timestamp};
use serde_json::json;
use tonic::{
    Code, Request, Response, Status,
    metadata::{Ascii, MetadataValue},
};

use super::{Result, child::Scratch};

pub const ISSUER: &str = "https://load.example";
pub const AUDIENCE: &str = "clientele";
pub const OPERATOR: &str = "operator";
pub const ADMIN: &str = "admin";
const TOKEN_SECONDS: u64 = 24 * 60 * 60;

/// The value of the header `authorization`.
pub type Bearer = MetadataValue<Ascii>;

pub struct Issuer(EncodingKey);

impl Issuer {
    /// Writes the files that the service needs into the folder: JWKS and sealing key.
    pub fn new(scratch: &Scratch) -> Result<Self> {
        let pair = Ed25519KeyPair::generate()?;
        let public = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "load", "alg": "EdDSA", "x": public}]});
        fs::write(scratch.file("jwks.json"), keys.to_string())?;
        let mut sealing = [0; 32];
        aws_lc_rs::rand::fill(&mut sealing)?;
        fs::write(scratch.file("sealing.key"), sealing)?;
        Ok(Self(EncodingKey::from_ed_der(pair.to_pkcs8v1()?.as_ref())))
    }

    pub fn bearer(&self, subject: &str) -> Result<Bearer> {
        let until = get_current_timestamp() + TOKEN_SECONDS;
        let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": until});
        let header = Header { kid: Some("load".to_owned()), ..Header::new(Algorithm::EdDSA) };
        Ok(format!("Bearer {}", jsonwebtoken::encode(&header, &claims, &self.0)?).parse()?)
    }
}

/// A request with this token, which acts in the account if one is named.
pub fn authorized<M>(token: &Bearer, account: Option<&str>, message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", token.clone());
    if let Some(account) = account.and_then(|account| account.parse().ok()) {
        request.metadata_mut().insert("clientele-account", account);
    }
    request
}

/// The answer of a call that must succeed.
pub fn into_answer<M>(answer: std::result::Result<Response<M>, Status>) -> Result<M> {
    match answer {
        Ok(answer) => Ok(answer.into_inner()),
        Err(status) if status.code() == Code::Internal => Err(format!("{status:?}").into()),
        Err(status) => Err(status.message().to_owned().into()),
    }
}
