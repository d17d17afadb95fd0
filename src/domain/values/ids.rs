//! The ids: each is a UUID with a type of its own, so that a tenant's id cannot be used as an account's.
//!
//! Rule: any UUID syntax is accepted, lower case with hyphens is returned, and the nil UUID names nothing.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::violation::Rule;

/// The longest syntax of a UUID: `urn:uuid:` and 36 characters.
const MAX_CHARS: usize = 45;

/// Parses the id of something whose type the value does not say: one that a field refers to.
///
/// # Errors
/// Not a UUID, or the nil one.
pub fn parse(raw: &str) -> Result<Uuid, Rule> {
    let id = if raw.len() > MAX_CHARS { None } else { Uuid::try_parse(raw).ok() };
    match id {
        Some(id) if id.is_nil() => Err(Rule::new("must not be the nil UUID, which names nothing")),
        Some(id) => Ok(id),
        None => Err(Rule::new("must be a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057")),
    }
}

macro_rules! ids {
    ($($(#[$about:meta])* $name:ident)+) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The most bytes of any syntax that is accepted.
            pub const MAX_CHARS: usize = MAX_CHARS;

            /// Parses what a client sent: with hyphens or without, in braces or as a URN, in upper or lower case.
            ///
            /// # Errors
            /// Not a UUID, or the nil one.
            pub fn parse(raw: &str) -> Result<Self, Rule> {
                parse(raw).map(Self)
            }

            /// An id that this service made or stored.
            #[must_use]
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The UUID itself, for the database.
            #[must_use]
            pub const fn get(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    )+};
}

ids! {
    /// A tenant: the id of its provider's account.
    TenantId
    /// An account of a tenant's tree.
    AccountId
    /// A customer, whichever account owns it; a `UUIDv7`.
    CustomerId
    /// A member: a principal with a role in an account.
    MemberId
    /// A branch of an account.
    BranchId
    /// A contact of a customer.
    ContactId
    /// An event.
    EventId
    /// A hold on a customer.
    HoldId
    /// A payment method of a customer.
    PaymentMethodId
    /// An invitation to become a member.
    InvitationId
    /// A tag of an account.
    TagId
    /// The id that a client gives a mutation, so that a repeat gets the first answer.
    RequestId
}

impl TenantId {
    /// The nil UUID: no tenant. The stored answers of `CreateTenant` have it in their key. Never parsed.
    pub const PLATFORM: Self = Self(Uuid::nil());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    #[test]
    fn any_syntax_is_accepted_and_one_is_returned() {
        let upper = ID.to_uppercase();
        for raw in [ID, &upper, &ID.replace('-', ""), &format!("{{{ID}}}"), &format!("urn:uuid:{ID}")] {
            assert_eq!(CustomerId::parse(raw).unwrap().to_string(), ID);
        }
    }

    #[test]
    fn what_is_not_an_id_is_refused_with_an_example() {
        for raw in ["", "1", "not-an-id", &format!("{ID} "), ID.get(1..).unwrap(), &ID.repeat(1000)] {
            assert_eq!(AccountId::parse(raw).unwrap_err().text(), format!("must be a UUID such as {ID}"));
        }
    }

    #[test]
    fn the_nil_id_is_refused_from_clients_and_is_the_platforms_own() {
        let nil = TenantId::PLATFORM.to_string();
        assert_eq!(nil, "00000000-0000-0000-0000-000000000000");
        assert_eq!(TenantId::parse(&nil).unwrap_err().text(), "must not be the nil UUID, which names nothing");
    }

    #[test]
    fn an_id_is_stored_as_its_text() {
        let id = CustomerId::parse(ID).unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{ID}\""));
    }

    proptest! {
        #[test]
        fn any_input_is_refused_or_an_id(raw in prop_oneof![samples::raw(), "[{]?[0-9a-fA-F-]{30,38}[}]?"]) {
            if let Ok(id) = RequestId::parse(&raw) {
                prop_assert_eq!(RequestId::parse(&id.to_string()), Ok(id));
            }
        }

        #[test]
        fn every_id_but_nil_comes_back(bits in 1_u128..) {
            let id = EventId::from_uuid(Uuid::from_u128(bits));
            prop_assert_eq!(EventId::parse(&id.to_string()), Ok(id));
            prop_assert_eq!(EventId::parse(&id.get().braced().to_string().to_uppercase()), Ok(id));
        }
    }
}
