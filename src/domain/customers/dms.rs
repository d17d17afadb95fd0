//! The link of a customer to an account's dealer management system (DMS).

use crate::domain::{
    access::caller::Caller,
    customers::{customer::Customer, link::Link},
    values::custom_id::System,
};

/// The system of custom IDs that a DMS knows customers by.
const DMS: &str = "dms";

/// The acting account's view of a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DmsLink {
    /// No branch that counts works with a DMS.
    NotIntegrated,
    /// One does, and the acting account has no `dms` number of the customer.
    NumberMissing,
    /// One does, and the number is there.
    Linked,
}

impl DmsLink {
    /// The branch that counts is the customer's, if the acting account owns both; else any branch of the acting account.
    #[must_use]
    pub fn of(customer: &Customer, link: &Link, caller: &Caller) -> Self {
        let own_branch = customer.fields.references.branch().filter(|_| customer.owner == caller.scope().root());
        let integrated = match own_branch {
            Some(branch) => caller.dms_branches().contains(&branch),
            None => !caller.dms_branches().is_empty(),
        };
        match (integrated, System::parse(DMS).is_ok_and(|system| link.custom_ids.contains_key(&system))) {
            (false, _) => Self::NotIntegrated,
            (true, false) => Self::NumberMissing,
            (true, true) => Self::Linked,
        }
    }
}
