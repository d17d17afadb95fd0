//! Sealing: what clients carry for us (etags, page tokens) they can neither read nor make, nor carry elsewhere.
//!
//! AES-256-GCM-SIV, whose nonce may repeat: equal texts in an equal context give equal seals and nothing else is lost,
//! which is just what an etag wants. The context, which says what for and for whom, is authenticated with it.

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::{
    aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest::{SHA256, digest},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    config::{Reloadable, SealingKeys},
    domain::{
        access::caller::Scope,
        values::ids::{AccountId, CustomerId, TenantId},
    },
    error::{Error, Result},
};

/// How many bytes of a seal tell its key.
const KEY_ID_LEN: usize = 2;

/// Seals with the first key, opens with any; by the keys that hold when it is asked.
pub struct Sealer {
    keys: Reloadable<SealingKeys>,
    /// What was made of the keys that held last.
    made: RwLock<(Arc<SealingKeys>, Ring)>,
}

/// Keys that are ready to be used, each with what seals tell it by.
type Ring = Arc<[([u8; KEY_ID_LEN], LessSafeKey)]>;

/// What a page token goes on from: for whom it was made, and for which query.
#[derive(Clone, Copy, Debug)]
pub struct PageOf<'a, Q> {
    /// The list's name: its RPC.
    pub list: &'static str,
    /// The tenant and the acting account; nil for what has none.
    pub place: (TenantId, AccountId),
    /// Everything that was asked but the size of the page.
    pub query: &'a Q,
}

/// The revisions that an etag names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revisions {
    /// The customer's.
    pub customer: i64,
    /// The acting account's link's.
    pub link: i64,
}

impl Sealer {
    /// A sealer with these keys.
    ///
    /// # Errors
    /// There is none.
    pub fn new(keys: Reloadable<SealingKeys>) -> Result<Self> {
        let now = keys.get();
        let ring = ring(&now)?;
        Ok(Self { keys, made: RwLock::new((now, ring)) })
    }

    /// The keys that hold now.
    fn ring(&self) -> Result<Ring> {
        let now = self.keys.get();
        {
            let made = self.made.read().unwrap_or_else(PoisonError::into_inner);
            if Arc::ptr_eq(&made.0, &now) {
                return Ok(Arc::clone(&made.1));
            }
        }
        let ring = ring(&now)?;
        *self.made.write().unwrap_or_else(PoisonError::into_inner) = (now, Arc::clone(&ring));
        Ok(ring)
    }

    /// Names a state of a customer, as an account sees it.
    ///
    /// # Errors
    /// None that can happen.
    pub fn etag(&self, scope: &Scope, customer: CustomerId, revisions: Revisions) -> Result<String> {
        let mut plain = [0; 16];
        plain[..8].copy_from_slice(&revisions.customer.to_be_bytes());
        plain[8..].copy_from_slice(&revisions.link.to_be_bytes());
        self.seal(&etag_context(scope, customer), &plain)
    }

    /// The revisions that an etag of this customer and account names; none if it is not one.
    #[must_use]
    pub fn open_etag(&self, scope: &Scope, customer: CustomerId, etag: &str) -> Option<Revisions> {
        let plain: [u8; 16] = self.open(&etag_context(scope, customer), etag)?.try_into().ok()?;
        let half = |range: std::ops::Range<usize>| plain[range].try_into().ok().map(i64::from_be_bytes);
        Some(Revisions { customer: half(0..8)?, link: half(8..16)? })
    }

    /// A token for the page after `last`.
    ///
    /// # Errors
    /// None that can happen.
    pub fn page_token<Q: Serialize>(&self, of: &PageOf<'_, Q>, last: &impl Serialize) -> Result<String> {
        self.seal(&page_context(of)?, &serde_json::to_vec(last).map_err(Error::internal)?)
    }

    /// Where the page before ended; none for the first page.
    ///
    /// # Errors
    /// `PageToken` if the token was made for another caller's account or another query, or was not made here.
    pub fn open_page<Q: Serialize, K: DeserializeOwned>(&self, of: &PageOf<'_, Q>, token: &str) -> Result<Option<K>> {
        if token.is_empty() {
            return Ok(None);
        }
        let plain = self.open(&page_context(of)?, token).ok_or(Error::PageToken)?;
        serde_json::from_slice(&plain).map(Some).map_err(|_| Error::PageToken)
    }

    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<String> {
        let ring = self.ring()?;
        let (id, key) = ring.first().ok_or_else(|| Error::internal("no sealing key"))?;
        let mut sealed = plain.to_vec();
        key.seal_in_place_append_tag(nonce(context), Aad::from(context), &mut sealed).map_err(Error::internal)?;
        Ok(URL_SAFE_NO_PAD.encode([id.as_slice(), &sealed].concat()))
    }

    fn open(&self, context: &[u8], text: &str) -> Option<Vec<u8>> {
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (id, sealed) = sealed.split_at_checked(KEY_ID_LEN)?;
        self.ring().ok()?.iter().filter(|(key_id, _)| key_id == id).find_map(|(_, key)| {
            let mut sealed = sealed.to_vec();
            key.open_in_place(nonce(context), Aad::from(context), &mut sealed).ok().map(|plain| plain.to_vec())
        })
    }
}

fn ring(keys: &SealingKeys) -> Result<Ring> {
    if keys.0.is_empty() {
        return Err(Error::internal("no sealing key"));
    }
    let ready = keys.0.iter().map(|key| {
        let fingerprint = digest(&SHA256, key);
        let id = [fingerprint.as_ref()[0], fingerprint.as_ref()[1]];
        Ok((id, LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, key).map_err(Error::internal)?)))
    });
    ready.collect()
}

/// One nonce a context: texts of different customers never share one.
fn nonce(context: &[u8]) -> Nonce {
    let hash = digest(&SHA256, context);
    let mut nonce = [0; NONCE_LEN];
    nonce.copy_from_slice(&hash.as_ref()[..NONCE_LEN]);
    Nonce::assume_unique_for_key(nonce)
}

fn etag_context(scope: &Scope, customer: CustomerId) -> Vec<u8> {
    [b"etag".as_slice(), scope.tenant().get().as_bytes(), scope.root().get().as_bytes(), customer.get().as_bytes()]
        .concat()
}

fn page_context<Q: Serialize>(of: &PageOf<'_, Q>) -> Result<Vec<u8>> {
    let query = serde_json::to_vec(of.query).map_err(Error::internal)?;
    let (tenant, account) = of.place;
    Ok([b"page".as_slice(), tenant.get().as_bytes(), account.get().as_bytes(), of.list.as_bytes(), b"\0", &query]
        .concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(keys: &[u8]) -> Sealer {
        Sealer::new(SealingKeys(keys.iter().map(|byte| [*byte; 32]).collect()).into()).unwrap()
    }

    fn page(query: &char) -> PageOf<'_, char> {
        let place = (TenantId::from_uuid(uuid::Uuid::from_u128(1)), AccountId::from_uuid(uuid::Uuid::from_u128(2)));
        PageOf { list: "list", place, query }
    }

    #[test]
    fn a_token_opens_for_its_own_query_alone() {
        let token = sealer(&[1]).page_token(&page(&'a'), &7).unwrap();
        assert_eq!(sealer(&[1]).open_page::<_, i32>(&page(&'a'), &token).unwrap(), Some(7));
        assert!(matches!(sealer(&[1]).open_page::<_, i32>(&page(&'b'), &token), Err(Error::PageToken)));
    }

    #[test]
    fn a_key_that_no_longer_seals_still_opens() {
        let token = sealer(&[1]).page_token(&page(&'a'), &7).unwrap();
        assert_eq!(sealer(&[2, 1]).open_page::<_, i32>(&page(&'a'), &token).unwrap(), Some(7));
        assert!(matches!(sealer(&[2]).open_page::<_, i32>(&page(&'a'), &token), Err(Error::PageToken)));
    }

    #[test]
    fn a_token_with_any_bit_changed_does_not_open() {
        let token = sealer(&[1]).page_token(&page(&'a'), &7).unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed = URL_SAFE_NO_PAD.encode(changed);
            assert!(matches!(sealer(&[1]).open_page::<_, i32>(&page(&'a'), &changed), Err(Error::PageToken)));
        }
    }

    #[test]
    fn the_same_state_has_the_same_seal() {
        let token = || sealer(&[1]).page_token(&page(&'a'), &7).unwrap();
        assert_eq!(token(), token());
    }
}
