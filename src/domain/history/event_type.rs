//! The types of events.

/// What happened to a customer: the type of its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Every type.
    pub const ALL: [Self; 15] = [
        Self::Created,
        Self::Updated,
        Self::Approved,
        Self::Rejected,
        Self::Archived,
        Self::Unarchived,
        Self::CustomIdsChanged,
        Self::Suspended,
        Self::Resumed,
        Self::HoldPlaced,
        Self::HoldReleased,
        Self::TagsChanged,
        Self::Migrated,
        Self::MigrationReverted,
        Self::Transferred,
    ];

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
}
