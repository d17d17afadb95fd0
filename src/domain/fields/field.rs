//! The table of a customer's fields. One row says everything about a field that does not depend on its value: its name and
//! paths, where it is kept, who reads it, what search, policies, a change of owner and an erasure do with it.
//!
//! A new field starts here. The exhaustive match in `grpc/customers/read.rs`, and the message in
//! `grpc/customers/show.rs`, then do not compile until they have it. `tests/it/fields.rs` compares the table with the
//! contract and with the schema. `read_only.rs` lists the contract's fields that no update writes.

use strum::VariantArray;

use crate::domain::{search::SearchField, values::address::AddressKind};

/// A field that a client may write, in the contract's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, VariantArray)]
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
    PrimaryAddress,
    BillingAddress,
    ShippingAddress,
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

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct FieldSpec {
    /// The field's name in the contract, which its paths begin with.
    pub name: &'static str,
    /// Where its value is stored.
    pub storage: Storage,
    /// Which accounts and views show it.
    pub shown: Shown,
    /// What a path may name within it.
    pub parts: Parts,
    /// The search fields that its value is found by.
    pub search: &'static [SearchField],
    /// Whether it holds personal data: an erasure empties it, and telemetry never shows it.
    pub personal: bool,
    /// Whether a policy that requires it applies to businesses only.
    pub business_only: bool,
    /// Set for the id of something that the owner has. A change of owner clears such a field; every other one moves with
    /// the customer. The text is the rule that an id of another account breaks.
    pub reference: Option<&'static str>,
}

/// Where a field's value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In a column of `customers` with the field's name: statements filter by it, or keep it unique.
    Column,
    /// In the document `customers.profile`.
    Profile,
}

/// Which accounts and views show a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Who may read it.
    pub readers: Readers,
    /// The least view that has it.
    pub view: View,
}

/// Who may read a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// The owner and the accounts above it.
    Owner,
    /// Also the accounts below the owner, which see the customer through its reach FLEET.
    Below,
}

/// How much of a customer a response has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// What a list shows.
    Basic,
    /// Everything.
    Full,
}

impl View {
    /// The fields of the profile that it does not have: a read in this view need not read them.
    #[must_use]
    pub fn left_out(self) -> Vec<String> {
        let specs = Field::VARIANTS.iter().map(|field| field.spec());
        let left_out = specs.filter(|spec| spec.storage == Storage::Profile && spec.shown.view > self);
        left_out.map(|spec| spec.name.to_owned()).collect()
    }
}

/// What a path may name within a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// Nothing: the field is written as a whole.
    None,
    /// One line of this address.
    Address(AddressKind),
    /// One label, by its key.
    Labels,
}

/// A column that the owner alone reads: what a new one should be unless its row says otherwise.
const COLUMN: FieldSpec = FieldSpec {
    name: "",
    storage: Storage::Column,
    shown: OWNER,
    parts: Parts::None,
    search: &[],
    personal: true,
    business_only: false,
    reference: None,
};
/// The same in the profile.
const PROFILE: FieldSpec = FieldSpec { storage: Storage::Profile, ..COLUMN };

const OWNER: Shown = Shown { readers: Readers::Owner, view: View::Basic };
const OWNER_FULL: Shown = Shown { readers: Readers::Owner, view: View::Full };
const BELOW: Shown = Shown { readers: Readers::Below, view: View::Basic };
const BELOW_FULL: Shown = Shown { readers: Readers::Below, view: View::Full };

impl Field {
    /// The field's row.
    #[must_use]
    pub const fn spec(self) -> FieldSpec {
        match self {
            Self::Type => FieldSpec { name: "type", shown: BELOW, personal: false, ..COLUMN },
            Self::ServiceClass => FieldSpec { name: "service_class", shown: BELOW, personal: false, ..COLUMN },
            Self::Reach => FieldSpec { name: "reach", shown: BELOW, personal: false, ..COLUMN },
            Self::Name => FieldSpec { name: "name", shown: BELOW, search: &[SearchField::Name], ..COLUMN },
            Self::LegalName => FieldSpec { name: "legal_name", shown: BELOW, search: &[SearchField::Name], ..PROFILE },
            Self::RegistrationNumber => {
                let search = &[SearchField::Number];
                FieldSpec { name: "registration_number", shown: BELOW, search, business_only: true, ..PROFILE }
            }
            Self::TaxIds => FieldSpec {
                name: "tax_ids",
                shown: BELOW,
                search: &[SearchField::TaxId],
                business_only: true,
                ..PROFILE
            },
            Self::Currency => FieldSpec { name: "currency", ..PROFILE },
            Self::Industry => FieldSpec { name: "industry", ..PROFILE },
            Self::PrimaryAddress => FieldSpec {
                name: "primary_address",
                shown: BELOW,
                parts: Parts::Address(AddressKind::Primary),
                search: &[SearchField::City, SearchField::State],
                ..PROFILE
            },
            Self::BillingAddress => FieldSpec {
                name: "billing_address",
                shown: OWNER_FULL,
                parts: Parts::Address(AddressKind::Billing),
                ..PROFILE
            },
            Self::ShippingAddress => FieldSpec {
                name: "shipping_address",
                shown: BELOW_FULL,
                parts: Parts::Address(AddressKind::Shipping),
                ..PROFILE
            },
            Self::Contacts => FieldSpec {
                name: "contacts",
                shown: BELOW_FULL,
                search: &[SearchField::Email, SearchField::Phone],
                ..PROFILE
            },
            Self::Email => FieldSpec { name: "email", shown: BELOW, search: &[SearchField::Email], ..PROFILE },
            Self::BillingEmail => FieldSpec { name: "billing_email", search: &[SearchField::Email], ..PROFILE },
            Self::Phone => FieldSpec { name: "phone", shown: BELOW, search: &[SearchField::Phone], ..PROFILE },
            Self::Fax => FieldSpec { name: "fax", shown: BELOW, search: &[SearchField::Phone], ..PROFILE },
            Self::BranchId => FieldSpec {
                name: "branch_id",
                personal: false,
                reference: Some("must be the id of a branch of the customer's owner; ListBranches has them"),
                ..COLUMN
            },
            Self::SalesPersonId => FieldSpec {
                name: "sales_person_id",
                personal: false,
                reference: Some("must be the member_id of a member of the customer's owner; ListMembers has them"),
                ..COLUMN
            },
            Self::OrderReference => FieldSpec { name: "order_reference", search: &[SearchField::Number], ..COLUMN },
            Self::Labels => FieldSpec { name: "labels", shown: OWNER_FULL, parts: Parts::Labels, ..PROFILE },
            Self::Language => FieldSpec { name: "language", ..PROFILE },
        }
    }

    /// The field's name in the contract.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// The field of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::VARIANTS.iter().copied().find(|field| field.name() == name)
    }
}

/// The field that is this address.
impl From<AddressKind> for Field {
    fn from(kind: AddressKind) -> Self {
        match kind {
            AddressKind::Primary => Self::PrimaryAddress,
            AddressKind::Billing => Self::BillingAddress,
            AddressKind::Shipping => Self::ShippingAddress,
        }
    }
}

impl From<Field> for Shown {
    fn from(field: Field) -> Self {
        field.spec().shown
    }
}
