//! The billing report: its columns, and a row of it.

use crate::domain::values::{
    custom_id::CustomIds,
    ids::{AccountId, CustomerId},
    timestamp::Timestamp,
};

/// The columns that a report has beside the customer's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the column of that name in the contract")]
pub struct Columns {
    pub account: bool,
    pub name: bool,
    pub custom_ids: bool,
    pub status: bool,
    pub billing_email: bool,
    pub currency: bool,
}

impl Columns {
    /// All of them.
    pub const ALL: Self =
        Self { account: true, name: true, custom_ids: true, status: true, billing_email: true, currency: true };
    /// None of them.
    pub const NONE: Self =
        Self { account: false, name: false, custom_ids: false, status: false, billing_email: false, currency: false };
}

/// What a report is asked for.
#[derive(Clone, Copy, Debug)]
pub struct ReportQuery {
    /// Whether it has the customers of the accounts below the acting one.
    pub include_descendants: bool,
    /// Its columns.
    pub columns: Columns,
    /// It begins after this customer.
    pub after: Option<CustomerId>,
}

/// A customer in a report. A column that was not asked for is empty.
#[derive(Clone, Debug)]
pub struct ReportRow {
    /// The customer.
    pub id: CustomerId,
    /// Its owner.
    pub account: Option<AccountId>,
    /// Its name.
    pub name: String,
    /// The acting account's custom IDs of it.
    pub custom_ids: CustomIds,
    /// The word of its status.
    pub status: Option<String>,
    /// When it was archived.
    pub archived_at: Option<Timestamp>,
    /// Its billing email address.
    pub billing_email: String,
    /// Its billing currency.
    pub currency: String,
}

impl ReportRow {
    /// What a row costs beside its texts, in memory and on the wire.
    const FIXED: usize = 256;
    /// What a custom ID costs beside its text.
    const CUSTOM_ID: usize = 64;

    /// What it costs at most, in memory or as a message.
    #[must_use]
    pub fn cost(&self) -> usize {
        let ids =
            self.custom_ids.iter().map(|(system, id)| Self::CUSTOM_ID + system.as_str().len() + id.as_str().len());
        Self::FIXED + self.name.len() + self.billing_email.len() + self.currency.len() + ids.sum::<usize>()
    }
}
