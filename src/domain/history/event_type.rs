//! The types of events.

use strum::VariantArray;

/// What happened to a customer: the type of its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
#[expect(missing_docs, reason = "each is the type of that name in the contract's CustomerEventType")]
pub enum EventType {
    Created,
    Updated,
    Approved,
    Rejected,
    Archived,
    Unarchived,
    CustomIdsChanged,
    Suspended,
    Resumed,
    HoldPlaced,
    HoldReleased,
    TagsChanged,
    Migrated,
    MigrationReverted,
    Transferred,
}

impl EventType {
    /// The text that is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Updated => "UPDATED",
            Self::Approved => "APPROVED",
            Self::Rejected => "REJECTED",
            Self::Archived => "ARCHIVED",
            Self::Unarchived => "UNARCHIVED",
            Self::CustomIdsChanged => "CUSTOM_IDS_CHANGED",
            Self::Suspended => "SUSPENDED",
            Self::Resumed => "RESUMED",
            Self::HoldPlaced => "HOLD_PLACED",
            Self::HoldReleased => "HOLD_RELEASED",
            Self::TagsChanged => "TAGS_CHANGED",
            Self::Migrated => "MIGRATED",
            Self::MigrationReverted => "MIGRATION_REVERTED",
            Self::Transferred => "TRANSFERRED",
        }
    }

    /// The type of a stored text, if it is one.
    #[must_use]
    pub fn from_str_stored(stored: &str) -> Option<Self> {
        Self::VARIANTS.iter().copied().find(|event_type| event_type.as_str() == stored)
    }
}
