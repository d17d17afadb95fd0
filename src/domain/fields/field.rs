//! The fields of a customer by path, as update masks, policies and events write them.

use std::fmt;

use crate::domain::{
    fields::customer_fields::CustomerFields,
    values::{
        address::{AddressKind, AddressPart},
        contact::ContactPart,
        custom_id::{CustomIds, System},
        enums::CustomerType,
        label::LabelKey,
    },
};

/// A field that a client may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the field of that name in the contract's Customer")]
pub enum Field {
    Type,
    ServiceClass,
    Reach,
    Name,
    LegalName,
    RegistrationNumber,
    TaxIds,
    Currency,
    Industry,
    Address(AddressKind),
    Contacts,
    Email,
    BillingEmail,
    Phone,
    Fax,
    BranchId,
    SalesPersonId,
    OrderReference,
    Labels,
    Language,
}

impl Field {
    /// Every field, in the contract's order.
    pub const ALL: [Self; 22] = [
        Self::Type,
        Self::ServiceClass,
        Self::Reach,
        Self::Name,
        Self::LegalName,
        Self::RegistrationNumber,
        Self::TaxIds,
        Self::Currency,
        Self::Industry,
        Self::Address(AddressKind::Primary),
        Self::Address(AddressKind::Billing),
        Self::Address(AddressKind::Shipping),
        Self::Contacts,
        Self::Email,
        Self::BillingEmail,
        Self::Phone,
        Self::Fax,
        Self::BranchId,
        Self::SalesPersonId,
        Self::OrderReference,
        Self::Labels,
        Self::Language,
    ];

    /// The field's name in the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::ServiceClass => "service_class",
            Self::Reach => "reach",
            Self::Name => "name",
            Self::LegalName => "legal_name",
            Self::RegistrationNumber => "registration_number",
            Self::TaxIds => "tax_ids",
            Self::Currency => "currency",
            Self::Industry => "industry",
            Self::Address(AddressKind::Primary) => "primary_address",
            Self::Address(AddressKind::Billing) => "billing_address",
            Self::Address(AddressKind::Shipping) => "shipping_address",
            Self::Contacts => "contacts",
            Self::Email => "email",
            Self::BillingEmail => "billing_email",
            Self::Phone => "phone",
            Self::Fax => "fax",
            Self::BranchId => "branch_id",
            Self::SalesPersonId => "sales_person_id",
            Self::OrderReference => "order_reference",
            Self::Labels => "labels",
            Self::Language => "language",
        }
    }

    fn parse(raw: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == raw)
    }
}

/// A path: a field, a part of one, or what only policies ask for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldPath {
    /// A top-level field.
    Whole(Field),
    /// One line of an address.
    AddressPart(AddressKind, AddressPart),
    /// One label.
    Label(LabelKey),
    /// A field of the primary contact. Only policies have it.
    PrimaryContact(ContactPart),
    /// A custom ID of the customer's owner. Only policies have it.
    CustomId(System),
}

impl FieldPath {
    /// Reads a path as an update mask may name it. Nothing if there is no such field to write.
    #[must_use]
    pub fn parse_writable(raw: &str) -> Option<Self> {
        let Some((head, rest)) = raw.split_once('.') else { return Field::parse(raw).map(Self::Whole) };
        match Field::parse(head)? {
            Field::Address(kind) => AddressPart::parse(rest).map(|part| Self::AddressPart(kind, part)),
            Field::Labels => LabelKey::parse(rest).ok().map(Self::Label),
            _ => None,
        }
    }

    /// Reads a path as a policy may ask for it. Nothing if there is none such.
    #[must_use]
    pub fn parse_required(raw: &str) -> Option<Self> {
        match raw.split_once('.') {
            Some(("custom_ids", system)) => System::parse(system).ok().map(Self::CustomId),
            Some(("primary_contact", part)) => ContactPart::parse(part).map(Self::PrimaryContact),
            _ => Self::parse_writable(raw),
        }
    }

    /// The top-level field that the path is of or in; none for what only policies ask for.
    #[must_use]
    pub fn field(&self) -> Option<Field> {
        match self {
            Self::Whole(field) => Some(*field),
            Self::AddressPart(kind, _) => Some(Field::Address(*kind)),
            Self::Label(_) => Some(Field::Labels),
            Self::PrimaryContact(_) | Self::CustomId(_) => None,
        }
    }

    /// Whether this path names the other's field too: the same path, or one is the whole of which the other is a part.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self == other
            || (self.field() == other.field() && (matches!(self, Self::Whole(_)) || matches!(other, Self::Whole(_))))
    }

    /// Whether a policy that asks for this field binds such a customer: tax and registration numbers bind companies
    /// alone.
    #[must_use]
    pub fn binds(&self, fields: &CustomerFields) -> bool {
        !matches!(self, Self::Whole(Field::TaxIds | Field::RegistrationNumber))
            || fields.customer_type == CustomerType::Business
    }

    /// Whether the field holds something. `owner_ids` are the owner's custom IDs of the customer.
    #[must_use]
    pub fn is_filled(&self, fields: &CustomerFields, owner_ids: &CustomIds) -> bool {
        let profile = &fields.profile;
        match self {
            Self::Whole(field) => match field {
                Field::Type | Field::ServiceClass | Field::Reach | Field::Name => true,
                Field::LegalName => profile.legal_name.is_some(),
                Field::RegistrationNumber => profile.registration_number.is_some(),
                Field::TaxIds => !profile.tax_ids.is_empty(),
                Field::Currency => profile.currency.is_some(),
                Field::Industry => profile.industry.is_some(),
                Field::Address(kind) => !profile.address(*kind).is_empty(),
                Field::Contacts => profile.contacts.primary().is_some(),
                Field::Email => profile.email.is_some(),
                Field::BillingEmail => profile.billing_email.is_some(),
                Field::Phone => profile.phone.is_some(),
                Field::Fax => profile.fax.is_some(),
                Field::BranchId => fields.branch.is_some(),
                Field::SalesPersonId => fields.sales_person.is_some(),
                Field::OrderReference => fields.order_reference.is_some(),
                Field::Labels => !profile.labels.is_empty(),
                Field::Language => profile.language.is_some(),
            },
            Self::AddressPart(kind, part) => profile.address(*kind).get(*part).is_some(),
            Self::Label(key) => profile.labels.get(key).is_some(),
            Self::PrimaryContact(part) => {
                profile.contacts.primary().is_some_and(|contact| contact.get(*part).is_some())
            }
            Self::CustomId(system) => owner_ids.contains_key(system),
        }
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(field) => out.write_str(field.as_str()),
            Self::AddressPart(kind, part) => write!(out, "{}.{}", Field::Address(*kind).as_str(), part.as_str()),
            Self::Label(key) => write!(out, "labels.{}", key.as_str()),
            Self::PrimaryContact(part) => write!(out, "primary_contact.{}", part.as_str()),
            Self::CustomId(system) => write!(out, "custom_ids.{}", system.as_str()),
        }
    }
}

/// Paths joined by commas, as error metadata carries them.
#[must_use]
pub fn joined(paths: &[FieldPath]) -> String {
    paths.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
