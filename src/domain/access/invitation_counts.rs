//! The limits on invitations.

use crate::domain::refusal::Refusal;

/// How many mails an account may ask for, so that no one mails strangers through us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InvitationCounts {
    /// Open invitations to the account; counting stops at the limit.
    pub open: i64,
    /// Mails of the last day that the acting account asked for.
    pub by_account: i64,
    /// Mails of the last day in the tenant.
    pub in_tenant: i64,
    /// Mails of the last day to the address, in the tenant.
    pub to_address: i64,
}

impl InvitationCounts {
    /// Open invitations to one account.
    pub const MAX_OPEN: i64 = 1_000;
    /// Mails that one account may ask for within a day.
    pub const MAX_BY_ACCOUNT: i64 = 200;
    /// Mails within a day in one tenant.
    pub const MAX_IN_TENANT: i64 = 5_000;
    /// Mails within a day to one address in one tenant.
    pub const MAX_TO_ADDRESS: i64 = 10;

    /// Whether one more mail may be asked for.
    ///
    /// # Errors
    /// `LimitReached` with the limit.
    pub fn admit(&self) -> Result<(), Refusal> {
        let limits = [
            (self.open, Self::MAX_OPEN, "an account has at most 1,000 open invitations"),
            (self.to_address, Self::MAX_TO_ADDRESS, "one email address gets at most 10 invitations within a day"),
            (self.by_account, Self::MAX_BY_ACCOUNT, "an account sends at most 200 invitations within a day"),
            (self.in_tenant, Self::MAX_IN_TENANT, "a tenant sends at most 5,000 invitations within a day"),
        ];
        match limits.iter().find(|(count, most, _)| count >= most) {
            Some((_, _, text)) => Err(Refusal::LimitReached(text)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_the_last_that_is_admitted() {
        type Counts = InvitationCounts;
        type Of = fn(i64) -> Counts;
        let at_limit: [(Of, i64); 4] = [
            (|open| Counts { open, ..Counts::default() }, Counts::MAX_OPEN),
            (|by_account| Counts { by_account, ..Counts::default() }, Counts::MAX_BY_ACCOUNT),
            (|in_tenant| Counts { in_tenant, ..Counts::default() }, Counts::MAX_IN_TENANT),
            (|to_address| Counts { to_address, ..Counts::default() }, Counts::MAX_TO_ADDRESS),
        ];
        for (counts, most) in at_limit {
            counts(most - 1).admit().unwrap();
            assert!(matches!(counts(most).admit(), Err(Refusal::LimitReached(_))));
        }
    }
}
