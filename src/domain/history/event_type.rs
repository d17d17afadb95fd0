//! The types of events.

use crate::domain::values::enums::closed_sets;

closed_sets! {
    /// What happened to a customer: the type of its event.
    #[expect(missing_docs, reason = "each is the type of that name in the contract's CustomerEventType")]
    EventType {
        Created = "CREATED",
        Updated = "UPDATED",
        Approved = "APPROVED",
        Rejected = "REJECTED",
        Archived = "ARCHIVED",
        Unarchived = "UNARCHIVED",
        CustomIdsChanged = "CUSTOM_IDS_CHANGED",
        Suspended = "SUSPENDED",
        Resumed = "RESUMED",
        HoldPlaced = "HOLD_PLACED",
        HoldReleased = "HOLD_RELEASED",
        TagsChanged = "TAGS_CHANGED",
        Migrated = "MIGRATED",
        MigrationReverted = "MIGRATION_REVERTED",
        Transferred = "TRANSFERRED",
        PaymentMethodAdded = "PAYMENT_METHOD_ADDED",
        DefaultPaymentMethodChanged = "DEFAULT_PAYMENT_METHOD_CHANGED",
        PaymentMethodRemoved = "PAYMENT_METHOD_REMOVED",
    }
}
