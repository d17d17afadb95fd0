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
        FeatureActivated = "FEATURE_ACTIVATED",
        FeatureDeactivated = "FEATURE_DEACTIVATED",
        CreditLimitChanged = "CREDIT_LIMIT_CHANGED",
        RatePlanAssigned = "RATE_PLAN_ASSIGNED",
        PaymentMethodAdded = "PAYMENT_METHOD_ADDED",
        DefaultPaymentMethodChanged = "DEFAULT_PAYMENT_METHOD_CHANGED",
        PaymentMethodRemoved = "PAYMENT_METHOD_REMOVED",
        Erased = "ERASED",
        CustomersMerged = "CUSTOMERS_MERGED",
        Merged = "MERGED",
        CustomersUnmerged = "CUSTOMERS_UNMERGED",
        Unmerged = "UNMERGED",
    }
}
