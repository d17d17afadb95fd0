//! The closed sets of the domain. What is stored is the text of a variant, never its number: a dump reads by itself.

use serde::{Deserialize, Serialize};
use strum::VariantArray;

macro_rules! closed_sets {
    ($($(#[$about:meta])* $name:ident { $($(#[$says:meta])* $variant:ident = $text:literal),+ $(,)? })+) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, VariantArray)]
        pub enum $name {
            $($(#[$says])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// The text that is stored.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// The variant of a stored text, if it is one.
            #[must_use]
            pub fn from_str_stored(stored: &str) -> Option<Self> {
                match stored {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    )+};
}

closed_sets! {
    /// What a customer is. Tax and registration numbers are asked of a business only.
    #[derive(Default)]
    CustomerType {
        /// A company or another organisation.
        #[default]
        Business = "BUSINESS",
        /// A person.
        Personal = "PERSONAL",
    }

    /// Which features a customer may have.
    #[derive(Default)]
    ServiceClass {
        /// Every feature.
        #[default]
        Normal = "NORMAL",
        /// A limited set.
        Residential = "RESIDENTIAL",
    }

    /// Who sees a customer besides its owner and the accounts above that.
    #[derive(Default)]
    Reach {
        /// Nobody.
        #[default]
        Local = "LOCAL",
        /// Every account below its owner.
        Fleet = "FLEET",
    }

    /// Where a customer came from.
    #[derive(Default)]
    Origin {
        /// A reseller's control panel.
        ControlPanel = "CONTROL_PANEL",
        /// An order of a marketplace.
        Marketplace = "MARKETPLACE",
        /// Another service, over this API.
        #[default]
        Api = "API",
        /// A file.
        Import = "IMPORT",
    }

    /// What a member may do, from least to most: a role includes those before it.
    #[derive(PartialOrd, Ord)]
    Role {
        /// Reads.
        Viewer = "VIEWER",
        /// Keeps customers.
        Member = "MEMBER",
        /// Suspends, merges, bills.
        ServiceManager = "SERVICE_MANAGER",
        /// Everything in the account and below it.
        Admin = "ADMIN",
    }

    /// Among whom a customer's name is unique.
    #[derive(Default)]
    NameUniqueness {
        /// Names may repeat.
        #[default]
        None = "NONE",
        /// Among the customers of one account.
        Account = "ACCOUNT",
        /// Among all customers of the tenant.
        Tenant = "TENANT",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    macro_rules! round_trip {
        ($($name:ident)+) => {$(
            for &value in $name::VARIANTS {
                assert_eq!($name::from_str_stored(value.as_str()), Some(value));
                assert_eq!(serde_json::to_value(value).unwrap(), value.as_str());
                assert_eq!(serde_json::from_value::<$name>(value.as_str().into()).unwrap(), value);
            }
            assert_eq!($name::from_str_stored(""), None);
        )+};
    }

    #[test]
    fn every_variant_comes_back_from_its_stored_text() {
        round_trip!(CustomerType ServiceClass Reach Origin Role NameUniqueness);
    }

    #[test]
    fn a_role_includes_those_before_it() {
        assert!(Role::VARIANTS.is_sorted());
        assert!(
            Role::Viewer < Role::Member && Role::Member < Role::ServiceManager && Role::ServiceManager < Role::Admin
        );
    }

    #[test]
    fn a_customer_is_a_normal_local_business_from_the_api_unless_said_otherwise() {
        assert_eq!(CustomerType::default(), CustomerType::Business);
        assert_eq!(ServiceClass::default(), ServiceClass::Normal);
        assert_eq!(Reach::default(), Reach::Local);
        assert_eq!(Origin::default(), Origin::Api);
        assert_eq!(NameUniqueness::default(), NameUniqueness::None);
    }

    proptest! {
        #[test]
        fn no_other_text_is_a_role(raw in samples::raw()) {
            prop_assert!(Role::from_str_stored(&raw).is_none_or(|role| role.as_str() == raw));
        }
    }
}
