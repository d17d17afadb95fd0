//! The answer of a mutation as it is stored for a repeat: its outcome, with revisions unsealed.
//!
//! Rule: a stored answer is read as a whole or not at all. A release that stores something else than an older one can read gives
//! it another version; a new kind of answer gets a new name. Either is an [`Unreadable::Newer`] to the older release.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{
    access::{invitation::Invitation, member::Member, membership::Membership},
    accounts::{account::Account, branch::Branch},
    billing::{feature::Feature, payment_method::PaymentMethod, rate_plan::RatePlan},
    customers::{customer::Customer, link::Link, migration::MigrationPlan},
    duplicates::Duplicate,
    tags::tag::Tag,
    values::{
        enums::NameUniqueness,
        ids::{CustomerId, RatePlanId, TenantId},
        timestamp::Timestamp,
    },
};

/// What a batch did with one customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchOutcome {
    /// The customer.
    #[serde(rename = "customer_id")]
    pub customer: CustomerId,
    /// Whether it changed.
    #[serde(rename = "changed")]
    pub changed: bool,
    /// Its revision after the call.
    #[serde(rename = "revision")]
    pub revision: i64,
    /// The revision of the acting account's link.
    #[serde(rename = "link_revision")]
    pub link_revision: i64,
}

/// A tenant, with its provider's account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id, which is also the provider's.
    #[serde(rename = "id")]
    pub id: TenantId,
    /// The provider's name.
    #[serde(rename = "name")]
    pub name: String,
    /// Where customer names must be unique.
    #[serde(rename = "name_uniqueness")]
    pub name_uniqueness: NameUniqueness,
    /// When it was created.
    #[serde(rename = "created_at")]
    pub created_at: Timestamp,
    /// Since when it is suspended, if it is.
    #[serde(rename = "suspended_at", default, skip_serializing_if = "Option::is_none")]
    pub suspended_at: Option<Timestamp>,
}

/// The outcome of a mutation. `KINDS` lists the names of the variants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of")]
pub enum Answer {
    /// A command on one customer: the customer and the acting account's link.
    #[serde(rename = "customer")]
    Customer {
        /// The customer.
        #[serde(rename = "customer")]
        customer: Customer,
        /// The acting account's link to it.
        #[serde(rename = "link")]
        link: Link,
        /// Customers that may be the same, of a creation.
        #[serde(rename = "duplicates", default, skip_serializing_if = "Vec::is_empty")]
        duplicates: Vec<Duplicate>,
    },
    /// A batch; ids, outcomes and revisions only.
    #[serde(rename = "batch")]
    Batch {
        /// In the request's order.
        #[serde(rename = "outcomes")]
        touched: Vec<BatchOutcome>,
    },
    /// A customer that was migrated to a reseller account of its own.
    #[serde(rename = "migrated")]
    Migrated {
        /// The customer.
        #[serde(rename = "customer")]
        customer: Customer,
        /// The acting account's link to it.
        #[serde(rename = "link")]
        link: Link,
        /// What was done.
        #[serde(rename = "plan")]
        plan: MigrationPlan,
    },
    /// A new or changed account; a new one with its first admin.
    #[serde(rename = "account")]
    Account {
        /// The account.
        #[serde(rename = "account")]
        account: Account,
        /// Its first admin, if one was asked for.
        #[serde(rename = "admin")]
        admin: Option<Member>,
        /// The invitation of its first admin, if an address was given.
        #[serde(rename = "invitation", default, skip_serializing_if = "Option::is_none")]
        invitation: Option<Invitation>,
    },
    /// A new tenant.
    #[serde(rename = "tenant")]
    Tenant {
        /// The tenant.
        #[serde(rename = "tenant")]
        tenant: Tenant,
        /// Its provider's account.
        #[serde(rename = "account")]
        account: Account,
        /// The first admin.
        #[serde(rename = "admin")]
        admin: Member,
    },
    /// A tenant that was suspended or resumed.
    #[serde(rename = "tenant_changed")]
    TenantChanged {
        /// The tenant.
        #[serde(rename = "tenant")]
        tenant: Tenant,
    },
    /// A branch that was deleted.
    #[serde(rename = "branch_deleted")]
    BranchDeleted {},
    /// A new or changed member, or one that was removed, as it was.
    #[serde(rename = "member")]
    Member {
        /// The member.
        #[serde(rename = "member")]
        member: Member,
    },
    /// A new or changed invitation.
    #[serde(rename = "invitation")]
    Invitation {
        /// The invitation, without its token.
        #[serde(rename = "invitation")]
        invitation: Invitation,
    },
    /// A membership that its principal accepted or declined.
    #[serde(rename = "membership")]
    Membership {
        /// The membership: as it is, or as it was.
        #[serde(rename = "membership")]
        membership: Membership,
    },
    /// A new or changed branch.
    #[serde(rename = "branch")]
    Branch {
        /// The branch.
        #[serde(rename = "branch")]
        branch: Branch,
    },
    /// A new or renamed tag.
    #[serde(rename = "tag")]
    Tag {
        /// The tag.
        #[serde(rename = "tag")]
        tag: Tag,
    },
    /// A payment method that was added to a customer.
    #[serde(rename = "payment_method")]
    PaymentMethod {
        /// The customer.
        #[serde(rename = "customer")]
        customer: Customer,
        /// The acting account's link to it.
        #[serde(rename = "link")]
        link: Link,
        /// The payment method.
        #[serde(rename = "payment_method")]
        method: PaymentMethod,
    },
    /// A new or changed feature.
    #[serde(rename = "feature")]
    Feature {
        /// The feature.
        #[serde(rename = "feature")]
        feature: Feature,
    },
    /// A new, changed or archived rate plan.
    #[serde(rename = "rate_plan")]
    RatePlan {
        /// The plan.
        #[serde(rename = "rate_plan")]
        plan: RatePlan,
    },
    /// Another order of rate plans.
    #[serde(rename = "rate_plans")]
    RatePlans {
        /// The plans, in their order.
        #[serde(rename = "rate_plan_ids")]
        order: Vec<RatePlanId>,
    },
    /// A tag that was deleted.
    #[serde(rename = "tag_deleted")]
    TagDeleted {
        /// How many customers had it.
        #[serde(rename = "customers")]
        customers: usize,
    },
}

/// The names of the answers that this release knows.
pub(in crate::domain) const KINDS: [&str; 17] = [
    "customer",
    "batch",
    "migrated",
    "account",
    "tenant",
    "member",
    "membership",
    "invitation",
    "branch",
    "tag",
    "tag_deleted",
    "tenant_changed",
    "branch_deleted",
    "payment_method",
    "feature",
    "rate_plan",
    "rate_plans",
];

/// The version in which this release stores answers.
const VERSION: u64 = 1;

#[derive(Serialize, Deserialize)]
struct Versioned<A> {
    #[serde(rename = "v")]
    version: u64,
    #[serde(flatten)]
    answer: A,
}

/// [`Answer::Customer`] of borrowed values.
#[derive(Serialize)]
#[serde(tag = "of")]
enum Borrowed<'a> {
    #[serde(rename = "customer")]
    Customer {
        #[serde(rename = "customer")]
        customer: &'a Customer,
        #[serde(rename = "link")]
        link: &'a Link,
        #[serde(rename = "duplicates", skip_serializing_if = "<[Duplicate]>::is_empty")]
        duplicates: &'a [Duplicate],
    },
}

/// Why a stored answer cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// A newer release stored it.
    Newer,
    /// It is not what any release stores.
    Broken,
}

impl Answer {
    /// The stored answer of a command on one customer, without a copy of either.
    pub fn of_customer<'a>(customer: &'a Customer, link: &'a Link) -> impl Serialize + 'a {
        Self::of_created(customer, link, &[])
    }

    /// The same of a creation, with the customers that may be the same.
    pub fn of_created<'a>(customer: &'a Customer, link: &'a Link, duplicates: &'a [Duplicate]) -> impl Serialize + 'a {
        Versioned { version: VERSION, answer: Borrowed::Customer { customer, link, duplicates } }
    }

    /// The answer as it is stored.
    ///
    /// # Errors
    /// None: an answer is plain data.
    pub fn to_stored(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(Versioned { version: VERSION, answer: self })
    }

    /// Reads a stored answer.
    ///
    /// # Errors
    /// Of another version or kind than this release knows, or broken.
    pub fn stored(stored: Value) -> Result<Self, Unreadable> {
        let version = stored.get("v").and_then(Value::as_u64).ok_or(Unreadable::Broken)?;
        let kind = stored.get("of").and_then(Value::as_str).ok_or(Unreadable::Broken)?;
        if version > VERSION || !KINDS.contains(&kind) {
            return Err(Unreadable::Newer);
        }
        let read = |stored: Versioned<Self>| stored.answer;
        serde_json::from_value(stored).map(read).map_err(|_| Unreadable::Broken)
    }
}
