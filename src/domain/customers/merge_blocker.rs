//! What keeps customers from being merged, and a merge from being undone.

/// What keeps customers from being merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the one of that name in the contract's MergeBlocker")]
pub enum MergeBlocker {
    Hold,
    OtherOwner,
    Merged,
    Erased,
    Reseller,
    TooManyContacts,
    TooManyLabels,
    TooManyCustomIds,
    TooManyTags,
    TooManyLinks,
    TooManySources,
    ActiveFeatures,
    TooManyPaymentMethods,
}

impl MergeBlocker {
    /// What it says to people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Hold => "A hold is placed on the customer. The service that placed it releases it.",
            Self::OtherOwner => "Another account owns it. TransferCustomers brings it to the same account first.",
            Self::Merged => "It is merged into another customer already.",
            Self::Erased => "It was erased.",
            Self::Reseller => {
                "It is a reseller account of its own. Revert its migration first, or let it be the one that stays."
            }
            Self::TooManyContacts => "Together they have more than 50 contacts.",
            Self::TooManyLabels => "Together they have more than 50 labels.",
            Self::TooManyCustomIds => "Together they have custom IDs of one account in more than 20 systems.",
            Self::TooManyTags => "Together they have more than 100 tags of one account.",
            Self::TooManyLinks => "More than 2,000 accounts keep custom IDs or tags on them.",
            Self::TooManySources => "More than 200 customers would be merged into one.",
            Self::ActiveFeatures => {
                "It has active features. Deactivate them first; the customer that stays can have them."
            }
            Self::TooManyPaymentMethods => "Together they have more than 20 payment methods.",
        }
    }
}

/// What keeps a merge from being undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the one of that name in the contract's UnmergeBlocker")]
pub enum UndoBlocker {
    NotMerged,
    TooLate,
    LaterMerge,
    MovedOn,
    Erased,
    NameTaken,
    OrderReferenceTaken,
}

impl UndoBlocker {
    /// What it says to people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotMerged => "The customer is not merged into another one.",
            Self::TooLate => "It was merged more than 30 days ago.",
            Self::LaterMerge => {
                "There was a later merge with the customer that it was merged into. Undo that one first."
            }
            Self::MovedOn => "The customer that it was merged into belongs to another account by now.",
            Self::Erased => "A customer of the same merge was erased, and with it what is needed to undo the merge.",
            Self::NameTaken => "Another customer has the name of one that would come back.",
            Self::OrderReferenceTaken => "Another customer has the order reference of one that would come back.",
        }
    }
}
