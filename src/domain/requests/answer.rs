//! The answer of a mutation, as it is stored for a repeat: what came of it, with revisions unsealed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{
    access::member::Member,
    accounts::{account::Account, branch::Branch},
    customers::{customer::Customer, link::Link, migration::MigrationPlan},
    tags::tag::Tag,
    values::{
        enums::NameUniqueness,
        ids::{CustomerId, TenantId},
        timestamp::Timestamp,
    },
};

/// What a batch did with one customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchOutcome {
    /// Which.
    pub customer: CustomerId,
    /// Whether it changed.
    pub changed: bool,
    /// Its revision after the call.
    pub revision: i64,
    /// The revision of the acting account's link.
    pub link_revision: i64,
}

/// A tenant, with its provider's account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its id, which is also the provider's.
    pub id: TenantId,
    /// The provider's name.
    pub name: String,
    /// Where customer names must be unique.
    pub name_uniqueness: NameUniqueness,
    /// When it was created.
    pub created_at: Timestamp,
}

/// What came of a mutation. The names of the variants are stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Answer {
    /// A command on one customer: the customer and the acting account's link.
    Customer {
        /// The customer.
        customer: Customer,
        /// The acting account's link to it.
        link: Link,
    },
    /// A batch; ids, outcomes and revisions only.
    Batch {
        /// In the request's order.
        touched: Vec<BatchOutcome>,
    },
    /// A customer that was migrated to a reseller account of its own.
    Migrated {
        /// The customer.
        customer: Customer,
        /// The acting account's link to it.
        link: Link,
        /// What was done.
        plan: MigrationPlan,
    },
    /// A new account, and its first admin.
    Account {
        /// The account.
        account: Account,
        /// Its first admin, if one was asked for.
        admin: Option<Member>,
    },
    /// A new tenant.
    Tenant {
        /// The tenant.
        tenant: Tenant,
        /// Its provider's account.
        account: Account,
        /// The first admin.
        admin: Member,
    },
    /// A new member.
    Member {
        /// The member.
        member: Member,
    },
    /// A new or changed branch.
    Branch {
        /// The branch.
        branch: Branch,
    },
    /// A new or renamed tag.
    Tag {
        /// The tag.
        tag: Tag,
    },
    /// A tag that was deleted.
    TagDeleted {
        /// How many customers had it.
        customers: usize,
    },
}

/// The shape in which answers are stored today.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Versioned<A> {
    v: u8,
    #[serde(flatten)]
    answer: A,
}

/// [`Answer::Customer`] of what is kept elsewhere.
#[derive(Serialize)]
#[serde(tag = "of", rename_all = "snake_case")]
enum Borrowed<'a> {
    Customer { customer: &'a Customer, link: &'a Link },
}

impl Answer {
    /// The stored answer of a command on one customer, without a copy of either.
    pub fn of_customer<'a>(customer: &'a Customer, link: &'a Link) -> impl Serialize + 'a {
        Versioned { v: VERSION, answer: Borrowed::Customer { customer, link } }
    }

    /// The answer as it is stored.
    ///
    /// # Errors
    /// None that can happen: an answer is plain data.
    pub fn to_stored(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(Versioned { v: VERSION, answer: self })
    }

    /// Reads a stored answer.
    ///
    /// # Errors
    /// It is of a version that this server does not know.
    pub fn stored(stored: Value) -> Result<Self, String> {
        // serde's own words would repeat what is stored.
        let stored: Versioned<Self> = serde_json::from_value(stored).map_err(|_| "a stored answer of no known form")?;
        if stored.v == VERSION { Ok(stored.answer) } else { Err(format!("a stored answer of version {}", stored.v)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_of_what_is_kept_elsewhere_is_stored_like_any_other() {
        let id = "01a203ef-05ed-717d-abe5-4cecec2aedc4";
        let stamp = json!({"at": "2026-11-22T15:45:26.020735Z", "by": {"issuer": "i", "subject": "s"}});
        let customer: Customer = serde_json::from_value(json!({
            "id": id, "owner": id, "path": [id], "revision": 1, "status": {"Rejected": {"reason": "no"}},
            "fields": {"type": "BUSINESS", "service_class": "NORMAL", "reach": "LOCAL", "name": "Zoë", "origin": "API"},
            "archived_at": null, "created": stamp, "updated": stamp
        }))
        .unwrap();
        let link = Link::default();
        let borrowed = serde_json::to_string(&Answer::of_customer(&customer, &link)).unwrap();
        let borrowed: Value = serde_json::from_str(&borrowed).unwrap();
        let answer = Answer::Customer { customer, link };
        assert_eq!(borrowed, answer.to_stored().unwrap());
        assert_eq!(Answer::stored(borrowed), Ok(answer));
    }
}
