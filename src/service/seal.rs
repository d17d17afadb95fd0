//! Seals etags and page tokens, so that clients can neither read nor forge them, nor use them in another context.
//!
//! AES-256-GCM-SIV allows a nonce to repeat: equal texts in an equal context get equal seals, which is what an etag
//! needs, and nothing else is revealed. The context names the purpose, the tenant and the account, and is authenticated
//! with the text.

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::{
    aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest::{SHA256, digest},
    hmac,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    config::{Reloadable, SealingKeys},
    domain::{
        access::caller::{Caller, Scope},
        values::ids::{AccountId, CustomerId, TenantId},
    },
    error::{Error, Result},
};

/// The start of every context of a secret: no other use of the keys is a message authentication code.
const SECRET: &[u8] = b"clientele secret 1\0";
/// Bytes of a seal that name its key.
const KEY_ID_LEN: usize = 2;

/// Seals with the first key and opens with any key. The keys are configuration that may be reloaded.
pub struct Sealer {
    keys: Reloadable<SealingKeys>,
    /// The key ring made from the keys that were used last.
    ring: RwLock<(Arc<SealingKeys>, Ring)>,
}

/// Keys that are ready to use, each with its id in seals.
type Ring = Arc<[([u8; KEY_ID_LEN], LessSafeKey)]>;

/// The context of a page token: the list, the account and the query that it was made for.
#[derive(Clone, Copy, Debug)]
pub struct PageContext<'a, Q: ?Sized> {
    list: &'static str,
    acting: (TenantId, AccountId),
    query: &'a Q,
}

impl<'a, Q: ?Sized> PageContext<'a, Q> {
    /// A list, by the name of its RPC, as the caller's acting account sees it. The query is everything that selects or
    /// sorts items; the size of the page is no part of it.
    #[must_use]
    pub fn new(list: &'static str, caller: &Caller, query: &'a Q) -> Self {
        Self { list, acting: (caller.scope().tenant(), caller.scope().root()), query }
    }

    /// A list of callers who act in no account: platform operators, or a principal that the query names.
    #[must_use]
    pub const fn without_account(list: &'static str, query: &'a Q) -> Self {
        Self { list, acting: (TenantId::PLATFORM, AccountId::from_uuid(TenantId::PLATFORM.get())), query }
    }
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
    /// There is no key.
    pub fn new(keys: Reloadable<SealingKeys>) -> Result<Self> {
        let now = keys.get();
        let ring = ring(&now)?;
        Ok(Self { keys, ring: RwLock::new((now, ring)) })
    }

    /// The current keys.
    fn ring(&self) -> Result<Ring> {
        let now = self.keys.get();
        {
            let last = self.ring.read().unwrap_or_else(PoisonError::into_inner);
            if Arc::ptr_eq(&last.0, &now) {
                return Ok(Arc::clone(&last.1));
            }
        }
        let ring = ring(&now)?;
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = (now, Arc::clone(&ring));
        Ok(ring)
    }

    /// The etag of a customer's state, as an account sees it.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn etag(&self, scope: &Scope, customer: CustomerId, revisions: Revisions) -> Result<String> {
        let mut plain = [0; 16];
        plain[..8].copy_from_slice(&revisions.customer.to_be_bytes());
        plain[8..].copy_from_slice(&revisions.link.to_be_bytes());
        self.seal(&etag_context(scope, customer), &plain)
    }

    /// The revisions that an etag names; none if it is no etag of this customer and account.
    #[must_use]
    pub fn open_etag(&self, scope: &Scope, customer: CustomerId, etag: &str) -> Option<Revisions> {
        let plain: [u8; 16] = self.open(&etag_context(scope, customer), etag)?.try_into().ok()?;
        let half = |range: std::ops::Range<usize>| plain[range].try_into().ok().map(i64::from_be_bytes);
        Some(Revisions { customer: half(0..8)?, link: half(8..16)? })
    }

    /// The token of the page after `last`, which is the cursor of the list.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn page_token<Q: Serialize + ?Sized>(
        &self,
        context: &PageContext<'_, Q>,
        last: &impl Serialize,
    ) -> Result<String> {
        self.seal(&page_context(context)?, &serde_json::to_vec(last).map_err(Error::internal)?)
    }

    /// The cursor at which the page before ended; none for the first page.
    ///
    /// # Errors
    /// `PageToken` if the token was made in another context or with a key that this server does not have.
    pub fn open_page<Q: Serialize + ?Sized, K: DeserializeOwned>(
        &self,
        context: &PageContext<'_, Q>,
        token: &str,
    ) -> Result<Option<K>> {
        if token.is_empty() {
            return Ok(None);
        }
        let plain = self.open(&page_context(context)?, token).ok_or(Error::PageToken)?;
        serde_json::from_slice(&plain).map(Some).map_err(|_| Error::PageToken)
    }

    /// A secret for this context from each key, that of the sealing key first: whoever knows none of the keys cannot find it.
    #[must_use]
    pub fn secrets(&self, context: &[u8]) -> Vec<[u8; 32]> {
        let context = [SECRET, context].concat();
        let secret = |key: &[u8; 32]| {
            let mut secret = [0; 32];
            secret.copy_from_slice(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &context).as_ref());
            secret
        };
        self.keys.get().0.iter().map(secret).collect()
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

/// One nonce per context: texts of different customers never share one.
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

fn page_context<Q: Serialize + ?Sized>(context: &PageContext<'_, Q>) -> Result<Vec<u8>> {
    let query = serde_json::to_vec(context.query).map_err(Error::internal)?;
    let (tenant, account) = context.acting;
    Ok([b"page".as_slice(), tenant.get().as_bytes(), account.get().as_bytes(), context.list.as_bytes(), b"\0", &query]
        .concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(keys: &[u8]) -> Sealer {
        Sealer::new(SealingKeys(keys.iter().map(|byte| [*byte; 32]).collect()).into()).unwrap()
    }

    fn page(query: &char) -> PageContext<'_, char> {
        let acting = (TenantId::from_uuid(uuid::Uuid::from_u128(1)), AccountId::from_uuid(uuid::Uuid::from_u128(2)));
        PageContext { list: "list", acting, query }
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
    fn each_key_has_its_own_secret_for_each_context() {
        let [first, second] = [sealer(&[1]), sealer(&[2])].map(|sealer| sealer.secrets(b"a"));
        assert_eq!(sealer(&[2, 1]).secrets(b"a"), [second.clone(), first.clone()].concat());
        assert_ne!(first, second);
        assert_ne!(first, sealer(&[1]).secrets(b"b"));
    }

    #[test]
    fn the_same_state_has_the_same_seal() {
        let token = || sealer(&[1]).page_token(&page(&'a'), &7).unwrap();
        assert_eq!(token(), token());
    }
}
