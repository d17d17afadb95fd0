//! A customer of the demo, and the accounts that own one.

use std::collections::BTreeMap;

use strum::VariantArray;

/// The owner of a demo customer: an account of the demo's tree. Each comes after the one above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, VariantArray)]
pub enum Owner {
    /// The distributor; all its resellers serve the customer.
    Distributor,
    /// The reseller with few required fields.
    Cloud,
    /// The telecom reseller, with manual approval.
    Telecom,
    /// The dealer, with branches and a dealer management system.
    Dealer,
    /// The reseller below the cloud reseller.
    Market,
    /// The reseller with many required fields.
    Full,
}

/// The state to which a customer of the demo is brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinalState {
    /// Only created.
    Created,
    /// Approved.
    Approved,
    /// Rejected.
    Rejected,
    /// Suspended.
    Suspended,
    /// Archived.
    Archived,
    /// With a hold.
    Held,
}

/// One customer of the demo. Empty texts are left out.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each field without its own comment is a field of the contract's Customer or of its contact"
)]
pub struct Record {
    pub owner: Owner,
    pub final_state: FinalState,
    pub is_person: bool,
    pub name: &'static str,
    pub legal_name: &'static str,
    pub registration_number: &'static str,
    pub tax_id: &'static str,
    pub industry: &'static str,
    pub line1: &'static str,
    pub postal_code: &'static str,
    pub city: &'static str,
    pub state: &'static str,
    pub country: &'static str,
    pub phone: &'static str,
    pub email: &'static str,
    pub billing_email: &'static str,
    pub first_name: &'static str,
    pub last_name: &'static str,
    pub job_title: &'static str,
    pub contact_email: &'static str,
    pub currency: &'static str,
    pub language: &'static str,
    pub custom_ids: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    pub order_reference: String,
    pub tags: Vec<&'static str>,
    /// The index of the customer's branch, if the owner has branches.
    pub branch: usize,
    /// The subject of its sales person; none if empty.
    pub sales_person: &'static str,
}
