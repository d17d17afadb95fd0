//! The closed sets of the domain. The word of a variant is stored, never its number: a dump can be read without the source. A
//! word that a newer release stored is read as `Unknown`: reading never fails.

/// Represents every word of a newer release. No request and no command can store it.
pub(in crate::domain) const UNKNOWN: &str = "UNSPECIFIED";

/// Declares enums by the words that are stored.
macro_rules! closed_sets {
    ($($(#[$about:meta])* $name:ident { $($(#[$says:meta])* $variant:ident = $text:literal),+ $(,)? })+) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            /// A word that a newer release stored. No request can name it.
            Unknown,
            $($(#[$says])* $variant,)+
        }

        impl $name {
            /// Every variant that this release knows, in order.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),+];

            /// The word that is stored.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::Unknown => $crate::domain::values::enums::UNKNOWN,
                    $(Self::$variant => $text,)+
                }
            }

            /// The variant of a word, if this release knows it.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The variant of a stored word.
            #[must_use]
            pub fn stored(word: &str) -> Self {
                Self::parse(word).unwrap_or(Self::Unknown)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(deserializer).map(|word| Self::stored(&word))
            }
        }
    )+};
}
pub(in crate::domain) use closed_sets;

closed_sets! {
    /// What a customer is. Only a business is asked for tax and registration numbers.
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

    /// Which accounts see a customer besides its owner and the accounts above the owner.
    #[derive(Default)]
    Reach {
        /// None.
        #[default]
        Local = "LOCAL",
        /// Every account below its owner.
        Fleet = "FLEET",
    }

    /// How a customer was created.
    #[derive(Default)]
    Origin {
        /// In a reseller's control panel.
        ControlPanel = "CONTROL_PANEL",
        /// By an order of a marketplace.
        Marketplace = "MARKETPLACE",
        /// By another service, over this API.
        #[default]
        Api = "API",
        /// From a file.
        Import = "IMPORT",
    }

    /// What a member may do, from least to most: a role includes those before it. An unknown role gives no right.
    #[derive(PartialOrd, Ord)]
    Role {
        /// Reads.
        Viewer = "VIEWER",
        /// Creates and changes customers.
        Member = "MEMBER",
        /// Also suspends, merges and bills customers.
        ServiceManager = "SERVICE_MANAGER",
        /// May do everything in the account and below it.
        Admin = "ADMIN",
    }

    /// Where a customer's name must be unique.
    #[derive(Default)]
    NameUniqueness {
        /// Nowhere.
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
            for &value in $name::KNOWN {
                assert_eq!($name::stored(value.as_str()), value);
                assert_eq!(serde_json::to_value(value).unwrap(), value.as_str());
                assert_eq!(serde_json::from_value::<$name>(value.as_str().into()).unwrap(), value);
            }
            for word in ["", "OF_A_NEWER_RELEASE", UNKNOWN] {
                assert_eq!($name::stored(word), $name::Unknown);
                assert_eq!(serde_json::from_value::<$name>(word.into()).unwrap(), $name::Unknown);
                assert_eq!($name::parse(word), None);
            }
        )+};
    }

    #[test]
    fn every_variant_comes_back_from_its_stored_word_and_any_other_word_is_unknown() {
        round_trip!(CustomerType ServiceClass Reach Origin Role NameUniqueness);
    }

    #[test]
    fn a_role_includes_those_before_it_and_an_unknown_role_none() {
        assert!(Role::KNOWN.is_sorted());
        assert!(Role::KNOWN.iter().all(|role| Role::Unknown < *role));
        assert!(
            Role::Viewer < Role::Member && Role::Member < Role::ServiceManager && Role::ServiceManager < Role::Admin
        );
    }

    #[test]
    fn a_customer_is_a_normal_local_business_from_the_api_by_default() {
        assert_eq!(CustomerType::default(), CustomerType::Business);
        assert_eq!(ServiceClass::default(), ServiceClass::Normal);
        assert_eq!(Reach::default(), Reach::Local);
        assert_eq!(Origin::default(), Origin::Api);
        assert_eq!(NameUniqueness::default(), NameUniqueness::None);
    }

    proptest! {
        #[test]
        fn no_other_text_is_a_role(raw in samples::raw()) {
            prop_assert!(Role::parse(&raw).is_none_or(|role| role.as_str() == raw));
        }
    }
}
