//! An invitation: whoever proves an email address becomes a member of an account with a role.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::domain::{
    refusal::{InvitationRefusal, Refusal},
    requests::principal::Principal,
    values::{
        email::Email,
        enums::{Role, closed_sets},
        ids::{AccountId, InvitationId, MemberId},
        language::Language,
        timestamp::Timestamp,
    },
};

closed_sets! {
    /// How far an invitation has come.
    InvitationState {
        /// Its mail waits to be sent.
        Pending = "PENDING",
        /// A mail server has taken its mail.
        Sent = "SENT",
        /// A principal has accepted it.
        Accepted = "ACCEPTED",
        /// It can no longer be accepted. Never stored: `expires_at` says it.
        Expired = "EXPIRED",
        /// An ADMIN withdrew it.
        Revoked = "REVOKED",
        /// No mail server took its mail for two days, or the address cannot get mail.
        Failed = "FAILED",
    }
}

/// An invitation to become a member of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Its id.
    #[serde(rename = "id")]
    pub id: InvitationId,
    /// Where the role is given.
    #[serde(rename = "account_id")]
    pub account: AccountId,
    /// Who may accept it.
    #[serde(rename = "email")]
    pub email: Email,
    /// What the member may do.
    #[serde(rename = "role")]
    pub role: Role,
    /// The language of its mail; none: English.
    #[serde(rename = "language")]
    pub language: Option<Language>,
    /// How far it has come, whether it has expired or not.
    #[serde(rename = "state")]
    pub state: InvitationState,
    /// Since when.
    #[serde(rename = "created_at")]
    pub created_at: Timestamp,
    /// The principal that invited.
    #[serde(rename = "created_by")]
    pub created_by: Principal,
    /// Until when it can be accepted; none: its mail was queued by an older release, and gets an end with its token.
    #[serde(rename = "expires_at")]
    pub expires_at: Option<Timestamp>,
    /// When a mail server took its last mail.
    #[serde(rename = "sent_at")]
    pub sent_at: Option<Timestamp>,
    /// When it was accepted, revoked or given up.
    #[serde(rename = "ended_at")]
    pub ended_at: Option<Timestamp>,
    /// The member that accepting made.
    #[serde(rename = "member_id")]
    pub member: Option<MemberId>,
}

/// The email address that a token claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailClaim {
    /// The claim `email`.
    pub email: Email,
    /// The claim `email_verified`.
    pub verified: bool,
}

/// Whether a command changed the invitation.
#[must_use = "a change that is not saved is lost"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationChange {
    /// It did.
    Made,
    /// There was nothing to change.
    AlreadyMade,
}

impl Invitation {
    /// How far it has come at a time.
    #[must_use]
    pub fn state_at(&self, at: Timestamp) -> InvitationState {
        match self.state {
            InvitationState::Pending | InvitationState::Sent if self.has_expired(at) => InvitationState::Expired,
            state => state,
        }
    }

    fn has_expired(&self, at: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= at)
    }

    /// Refuses a state of a newer release.
    ///
    /// # Errors
    /// `ValueOfNewerRelease`.
    pub fn must_be_known(&self) -> Result<(), Refusal> {
        if self.state == InvitationState::Unknown || self.role == Role::Unknown {
            return Err(Refusal::ValueOfNewerRelease("the invitation"));
        }
        Ok(())
    }

    /// Withdraws it. Repeating it changes nothing.
    ///
    /// # Errors
    /// It was accepted.
    pub fn revoke(&mut self, at: Timestamp) -> Result<InvitationChange, Refusal> {
        self.must_be_known()?;
        match self.state {
            InvitationState::Accepted => Err(InvitationRefusal::Used.into()),
            InvitationState::Revoked => Ok(InvitationChange::AlreadyMade),
            _ => {
                (self.state, self.ended_at) = (InvitationState::Revoked, Some(at));
                Ok(InvitationChange::Made)
            }
        }
    }

    /// Asks for its mail again, also if it has expired or its mail could not be sent. Returns whether that is another mail: one
    /// that waits still is sent once.
    ///
    /// # Errors
    /// It was accepted or revoked.
    pub fn resend(&mut self, at: Timestamp, lifetime: TimeDelta) -> Result<bool, Refusal> {
        self.must_be_known()?;
        match self.state {
            InvitationState::Accepted => return Err(InvitationRefusal::Used.into()),
            InvitationState::Revoked => return Err(InvitationRefusal::Revoked.into()),
            _ => {}
        }
        let another = self.state != InvitationState::Pending;
        (self.state, self.ended_at, self.expires_at) = (InvitationState::Pending, None, Some(at + lifetime));
        Ok(another)
    }

    /// Whether a principal with this claim is the invited one. `token_suffices`: its issuer states no addresses, so the
    /// invitation's token is proof enough, unless a verified address is another one.
    ///
    /// # Errors
    /// The address is not verified, or another one.
    pub fn must_be_for(&self, claim: Option<&EmailClaim>, token_suffices: bool) -> Result<(), Refusal> {
        match claim.filter(|claim| claim.verified) {
            None if token_suffices => Ok(()),
            None => Err(InvitationRefusal::EmailUnverified.into()),
            Some(claim) if claim.email.compared() == self.email.compared() => Ok(()),
            Some(_) => Err(InvitationRefusal::EmailMismatch.into()),
        }
    }

    /// Whether it can be accepted now.
    ///
    /// # Errors
    /// It was accepted or revoked, or has expired.
    pub fn must_be_open(&self, at: Timestamp) -> Result<(), Refusal> {
        self.must_be_known()?;
        match self.state {
            InvitationState::Accepted => Err(InvitationRefusal::Used.into()),
            InvitationState::Revoked => Err(InvitationRefusal::Revoked.into()),
            _ if self.has_expired(at) => Err(InvitationRefusal::Expired.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples;

    fn claim(email: &str, verified: bool) -> EmailClaim {
        EmailClaim { email: Email::parse(email).unwrap(), verified }
    }

    fn in_state(state: InvitationState) -> Invitation {
        Invitation { state, ended_at: None, member: None, ..samples::invitation() }
    }

    #[test]
    fn an_address_is_compared_without_case_and_must_be_verified() {
        let invitation = Invitation { email: Email::parse("Jan.Janssen@Company.nl").unwrap(), ..samples::invitation() };
        let (mismatch, unverified) =
            (Err(InvitationRefusal::EmailMismatch.into()), Err(InvitationRefusal::EmailUnverified.into()));
        for (claim, strict, lenient) in [
            (Some(claim("jan.janssen@COMPANY.nl", true)), Ok(()), Ok(())),
            (Some(claim("jan.janssen@company.nl", false)), unverified.clone(), Ok(())),
            (Some(claim("jan@company.nl", true)), mismatch.clone(), mismatch.clone()),
            (Some(claim("jan@company.nl", false)), unverified.clone(), Ok(())),
            (None, unverified.clone(), Ok(())),
        ] {
            assert_eq!(invitation.must_be_for(claim.as_ref(), false), strict, "{claim:?}");
            assert_eq!(invitation.must_be_for(claim.as_ref(), true), lenient, "{claim:?}");
        }
    }

    #[test]
    fn every_state_says_what_can_be_done() {
        use InvitationState::{Accepted, Failed, Pending, Revoked, Sent, Unknown};
        let (at, week) = (samples::at(1), TimeDelta::days(7));
        let open = |state| Invitation { expires_at: Some(at + week), ..in_state(state) };
        let newer = || Refusal::ValueOfNewerRelease("the invitation");
        let (used, revoked) = (|| InvitationRefusal::Used.into(), || InvitationRefusal::Revoked.into());
        for (state, accepts, resends, revokes) in [
            (Pending, Ok(()), Ok(false), Ok(InvitationChange::Made)),
            (Sent, Ok(()), Ok(true), Ok(InvitationChange::Made)),
            (Failed, Ok(()), Ok(true), Ok(InvitationChange::Made)),
            (Accepted, Err(used()), Err(used()), Err(used())),
            (Revoked, Err(revoked()), Err(revoked()), Ok(InvitationChange::AlreadyMade)),
            (Unknown, Err(newer()), Err(newer()), Err(newer())),
        ] {
            assert_eq!(open(state).must_be_open(at), accepts, "{state:?}");
            assert_eq!(open(state).resend(at, week), resends, "{state:?}");
            assert_eq!(open(state).revoke(at), revokes, "{state:?}");
        }
    }

    #[test]
    fn an_invitation_ends_with_its_lifetime_and_begins_again_when_it_is_sent_again() {
        let (at, week) = (samples::at(1), TimeDelta::days(7));
        let mut invitation = Invitation { expires_at: Some(at), ..in_state(InvitationState::Sent) };
        assert_eq!(invitation.state_at(at), InvitationState::Expired);
        assert_eq!(invitation.must_be_open(at), Err(InvitationRefusal::Expired.into()));
        assert!(invitation.resend(at, week).unwrap());
        assert_eq!(invitation.state_at(at), InvitationState::Pending);
        invitation.must_be_open(at + week - TimeDelta::microseconds(1)).unwrap();
        assert_eq!(invitation.must_be_open(at + week), Err(InvitationRefusal::Expired.into()));
    }
}
