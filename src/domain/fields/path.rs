//! Paths to fields and their parts, as update masks, policies and events write them.

use std::fmt;

use crate::domain::{
    fields::field::{Field, Parts},
    values::{
        address::{AddressKind, AddressPart},
        contact::ContactPart,
        custom_id::System,
        label::LabelKey,
    },
};

/// A path to a field, to a part of one, or to something that only a policy may require.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldPath {
    /// A whole field.
    Whole(Field),
    /// One line of an address.
    AddressPart(AddressKind, AddressPart),
    /// One label.
    Label(LabelKey),
    /// A part of the primary contact. Policies only.
    PrimaryContact(ContactPart),
    /// A custom ID that the customer's owner gives. Policies only.
    CustomId(System),
    /// The rate plan. Policies only.
    RatePlan,
    /// The credit limit. Policies only.
    CreditLimit,
}

impl FieldPath {
    /// Parses a path of an update mask. None: no field that an update writes has this path.
    #[must_use]
    pub fn parse_writable(raw: &str) -> Option<Self> {
        let Some((head, rest)) = raw.split_once('.') else { return Field::parse(raw).map(Self::Whole) };
        match Field::parse(head)?.spec().parts {
            Parts::Address(kind) => AddressPart::parse(rest).map(|part| Self::AddressPart(kind, part)),
            Parts::Labels => LabelKey::parse(rest).ok().map(Self::Label),
            Parts::None => None,
        }
    }

    /// Parses a path that a policy requires. None: a policy cannot require it.
    #[must_use]
    pub fn parse_required(raw: &str) -> Option<Self> {
        match (raw, raw.split_once('.')) {
            ("rate_plan_id", _) => Some(Self::RatePlan),
            ("credit_limit", _) => Some(Self::CreditLimit),
            (_, Some(("custom_ids", system))) => System::parse(system).ok().map(Self::CustomId),
            (_, Some(("primary_contact", part))) => ContactPart::parse(part).map(Self::PrimaryContact),
            _ => Self::parse_writable(raw),
        }
    }

    /// The field that the path names as a whole or in part; none for a path that only policies have.
    #[must_use]
    pub fn field(&self) -> Option<Field> {
        match self {
            Self::Whole(field) => Some(*field),
            Self::AddressPart(kind, _) => Some(Field::from(*kind)),
            Self::Label(_) => Some(Field::Labels),
            Self::PrimaryContact(_) | Self::CustomId(_) | Self::RatePlan | Self::CreditLimit => None,
        }
    }

    /// Whether the two paths are the same, or one is the whole field of which the other is a part.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self == other
            || (self.field() == other.field() && (matches!(self, Self::Whole(_)) || matches!(other, Self::Whole(_))))
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(field) => out.write_str(field.name()),
            Self::AddressPart(kind, part) => write!(out, "{}.{}", Field::from(*kind).name(), part.as_str()),
            Self::Label(key) => write!(out, "{}.{}", Field::Labels.name(), key.as_str()),
            Self::PrimaryContact(part) => write!(out, "primary_contact.{}", part.as_str()),
            Self::CustomId(system) => write!(out, "custom_ids.{}", system.as_str()),
            Self::RatePlan => out.write_str("rate_plan_id"),
            Self::CreditLimit => out.write_str("credit_limit"),
        }
    }
}
