//! The fields of the contract's Customer that no update writes: other RPCs change them, or the server computes them.

use strum::VariantArray;

use crate::domain::fields::field::{Readers, Shown, View};

/// A field that no update mask may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
#[expect(missing_docs, reason = "each is the field of that name in the contract's Customer")]
pub enum ReadOnlyField {
    Id,
    AccountId,
    CustomIds,
    Origin,
    Status,
    StatusReason,
    ArchivedAt,
    AllowedActions,
    MissingForApproval,
    CreateTime,
    UpdateTime,
    CreatedBy,
    UpdatedBy,
    Etag,
    Tags,
    Holds,
    DefaultPaymentMethodId,
    DmsLink,
    ResellerAccountId,
    SalesPersonGone,
    InvalidFields,
}

/// What holds of such a field whatever its value is.
#[derive(Clone, Copy, Debug)]
pub struct ReadOnlySpec {
    /// The field's name in the contract.
    pub name: &'static str,
    /// Why an update does not write it. It ends the message about a mask that names the field.
    pub reason: &'static str,
    /// Which accounts and views show it.
    pub shown: Shown,
}

impl ReadOnlyField {
    /// What holds of the field whatever its value is.
    #[must_use]
    pub const fn spec(self) -> ReadOnlySpec {
        match self {
            Self::Id => below("id", "it never changes"),
            Self::AccountId => below("account_id", "TransferCustomers and MigrateCustomerToReseller change it"),
            // The acting account's own, as are tags.
            Self::CustomIds => below("custom_ids", "UpdateCustomId changes them"),
            Self::Origin => owner("origin", "it is set at creation and stays"),
            Self::Status => {
                below("status", "ApproveCustomer, RejectCustomer, SuspendCustomer and ResumeCustomer change it")
            }
            Self::StatusReason => owner("status_reason", "RejectCustomer and SuspendCustomer set it"),
            Self::ArchivedAt => below("archived_at", "ArchiveCustomers and UnarchiveCustomers change it"),
            Self::AllowedActions => in_full(below("allowed_actions", "it is computed for each caller")),
            Self::MissingForApproval => {
                in_full(owner("missing_for_approval", "it is computed from the owner's policies"))
            }
            Self::CreateTime => below("create_time", "the server sets it"),
            Self::UpdateTime => below("update_time", "the server sets it"),
            Self::CreatedBy => owner("created_by", "the server sets it"),
            Self::UpdatedBy => owner("updated_by", "the server sets it"),
            Self::Etag => below("etag", "the request's own field `etag` takes it"),
            Self::Tags => below("tags", "ModifyCustomerTags changes them"),
            Self::Holds => in_full(owner("holds", "PlaceHold and ReleaseHold change them")),
            Self::DefaultPaymentMethodId => in_full(owner(
                "default_payment_method_id",
                "SetDefaultPaymentMethod, AddPaymentMethod and RemovePaymentMethod change it",
            )),
            Self::DmsLink => below("dms_link", "it is computed from the branch and the custom IDs"),
            Self::SalesPersonGone => owner("sales_person_gone", "RemoveMember and DeclineMembership set it"),
            Self::ResellerAccountId => owner("reseller_account_id", "MigrateCustomerToReseller sets it"),
            Self::InvalidFields => in_full(owner("invalid_fields", "it is computed from the other fields")),
        }
    }

    /// The field of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::VARIANTS.iter().copied().find(|field| field.spec().name == name)
    }
}

impl From<ReadOnlyField> for Shown {
    fn from(field: ReadOnlyField) -> Self {
        field.spec().shown
    }
}

/// A field that the owner and the accounts above it read.
const fn owner(name: &'static str, reason: &'static str) -> ReadOnlySpec {
    ReadOnlySpec { name, reason, shown: Shown { readers: Readers::Owner, view: View::Basic } }
}

/// A field that the accounts below the owner read too.
const fn below(name: &'static str, reason: &'static str) -> ReadOnlySpec {
    ReadOnlySpec { name, reason, shown: Shown { readers: Readers::Below, view: View::Basic } }
}

/// The same field, left out of lists.
const fn in_full(spec: ReadOnlySpec) -> ReadOnlySpec {
    ReadOnlySpec { shown: Shown { view: View::Full, ..spec.shown }, ..spec }
}
