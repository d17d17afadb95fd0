//! What keeps customers from being merged, and a merge from being undone.

use std::borrow::Cow;

use crate::domain::billing::{
    feature::FeatureCode,
    money::{Currency, Money},
};

/// What keeps customers from being merged.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    CreditLimit { needed: Box<Money>, limit: Option<Box<Money>> },
    PriceMissing(FeatureCode),
    Currency { from: Currency, to: Currency },
    ServiceClass(FeatureCode),
    TooManyFeatures,
}

impl MergeBlocker {
    /// What it says to people.
    #[must_use]
    pub fn text(&self) -> Cow<'static, str> {
        let fixed = match self {
            Self::CreditLimit { needed, limit: Some(limit) } => {
                return format!(
                    "The active features of all would cost {needed} a month, and the credit limit of the one that stays is \
                     {limit}. Raise that limit, or deactivate a feature."
                )
                .into();
            }
            Self::CreditLimit { needed, limit: None } => {
                return format!(
                    "The active features of all would cost {needed} a month, and the one that stays has no credit limit. Set one, \
                     or deactivate a feature."
                )
                .into();
            }
            Self::PriceMissing(code) => {
                return format!(
                    "It has the feature {} active, for which the rate plan of the one that stays has no price.",
                    code.as_str()
                )
                .into();
            }
            Self::Currency { from, to } => {
                return format!(
                    "It has chargeable features in {}, and the rate plan of the one that stays is in {}.",
                    from.as_str(),
                    to.as_str()
                )
                .into();
            }
            Self::ServiceClass(code) => {
                return format!(
                    "It has the feature {} active, which the service class of the one that stays cannot have.",
                    code.as_str()
                )
                .into();
            }
            Self::TooManyFeatures => {
                "Together they have more than 200 active features, or more than 1,000,000 of one of them."
            }
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
                "It has active features, and features are activated on an ACTIVE customer that is not archived only: the one that \
                 stays is not. Change that, or deactivate them."
            }
            Self::TooManyPaymentMethods => "Together they have more than 20 payment methods.",
        };
        fixed.into()
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
    Features,
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
            Self::Features => {
                "A feature that would come back is not for its customer's service class any more, or the customer's rate plan has \
                 no price for it any more."
            }
        }
    }
}
