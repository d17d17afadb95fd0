//! The token of an invitation: the tenant, the invitation and a secret, in base64. docs/adr/0003-invitation-tokens.md has the
//! reasons.
//!
//! The secret is derived from a sealing key, so every replica can write the same link, also when it tries again after a
//! delivery whose outcome it does not know. The database has its hash alone. A token stays valid when the key goes: it is
//! compared by the hash.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::{
    domain::values::ids::{InvitationId, TenantId},
    service::seal::Sealer,
    store::access::invitations::TokenHash,
};

/// The bytes of a token: two ids and the secret.
const LEN: usize = 16 + 16 + 32;
/// The first generation of an invitation's tokens.
pub(in crate::service) const FIRST_GENERATION: i32 = 1;

/// A token. It has no `Debug`: it must be in no log.
#[derive(Clone, Copy)]
pub(in crate::service) struct InvitationToken {
    pub(in crate::service) tenant: TenantId,
    pub(in crate::service) invitation: InvitationId,
    secret: [u8; 32],
}

impl InvitationToken {
    /// The token of this generation, with the secret of each key, that of the sealing key first.
    pub(in crate::service) fn derive(
        sealer: &Sealer,
        tenant: TenantId,
        invitation: InvitationId,
        generation: i32,
    ) -> impl Iterator<Item = Self> {
        let ids = [tenant.get().into_bytes(), invitation.get().into_bytes()].concat();
        let context = [b"invitation".as_slice(), &ids, &generation.to_be_bytes()].concat();
        sealer.secrets(&context).into_iter().map(move |secret| Self { tenant, invitation, secret })
    }

    /// Reads a token; none if it was never given.
    pub(in crate::service) fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; LEN] = URL_SAFE_NO_PAD.decode(text.trim()).ok()?.try_into().ok()?;
        let id = |range: std::ops::Range<usize>| Uuid::from_slice(&bytes[range]).ok();
        let (tenant, invitation) = (TenantId::from_uuid(id(0..16)?), InvitationId::from_uuid(id(16..32)?));
        Some(Self { tenant, invitation, secret: bytes[32..].try_into().ok()? })
    }

    /// The text of the link.
    pub(in crate::service) fn text(&self) -> String {
        let ids = [self.tenant.get().into_bytes(), self.invitation.get().into_bytes()].concat();
        URL_SAFE_NO_PAD.encode([ids.as_slice(), &self.secret].concat())
    }

    /// What is stored of it.
    pub(in crate::service) fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, &self.secret).as_ref());
        hash
    }

    /// What is stored of it, with its generation.
    pub(in crate::service) fn stored(&self, generation: i32) -> TokenHash {
        TokenHash { generation, hash: self.hash() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SealingKeys;

    fn sealer(keys: &[u8]) -> Sealer {
        Sealer::new(SealingKeys(keys.iter().map(|byte| [*byte; 32]).collect()).into()).unwrap()
    }

    fn derived(keys: &[u8], tenant: u128, invitation: u128, generation: i32) -> Vec<String> {
        let (tenant, invitation) =
            (TenantId::from_uuid(Uuid::from_u128(tenant)), InvitationId::from_uuid(Uuid::from_u128(invitation)));
        InvitationToken::derive(&sealer(keys), tenant, invitation, generation).map(|token| token.text()).collect()
    }

    #[test]
    fn every_replica_derives_the_same_token_and_another_one_for_all_else() {
        let token = derived(&[1], 1, 2, 1);
        assert_eq!(token, derived(&[1], 1, 2, 1));
        assert_eq!(derived(&[3, 1], 1, 2, 1)[1], token[0], "a key that no longer seals");
        for other in [derived(&[3], 1, 2, 1), derived(&[1], 9, 2, 1), derived(&[1], 1, 9, 1), derived(&[1], 1, 2, 2)] {
            assert_ne!(other, token);
        }
    }

    #[test]
    fn a_token_names_its_tenant_and_its_invitation() {
        let text = derived(&[1], 1, 2, 1).remove(0);
        let token = InvitationToken::parse(&text).unwrap();
        assert_eq!((token.tenant.get().as_u128(), token.invitation.get().as_u128()), (1, 2));
        assert_eq!(token.text(), text);
        for wrong in ["", "x", "AAAA", &format!("{text}A"), text.strip_prefix('A').unwrap()] {
            assert!(InvitationToken::parse(wrong).is_none(), "{wrong}");
        }
    }
}
