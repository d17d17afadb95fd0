//! A client of the service, for Rust programs: `default-features = false, features = ["client"]` builds it without the server.
//!
//! A [`Client`] has the generated clients of all services over one connection. Under them, [`Calls`] does for each call what a
//! careful caller does: it sends a token, sets a deadline, gives a mutation a `request_id`, and tries again where the contract
//! says that this is safe. [`Error`] reads why a call was refused.

mod answer;
mod attempt;
mod builder;
mod calls;
mod error;
mod policy;
mod request_id;
mod retry;
mod tls;
mod token;

pub use tonic_types::{ErrorDetails, FieldViolation, ResourceInfo};

pub use self::{builder::Builder, calls::Calls, error::Error, tls::Tls};
use crate::pb::{
    access_service_client::AccessServiceClient, account_service_client::AccountServiceClient,
    billing_service_client::BillingServiceClient, customer_service_client::CustomerServiceClient,
    exchange_service_client::ExchangeServiceClient, history_service_client::HistoryServiceClient,
    tag_service_client::TagServiceClient,
};

/// Longest answer: the contract's limit, with room.
const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// A client of all services. Clones share the connection.
#[derive(Clone, Debug)]
pub struct Client {
    calls: Calls,
}

impl Client {
    /// The same client, acting in this account.
    ///
    /// # Errors
    /// INVALID_ARGUMENT if the id cannot be a header.
    pub fn in_account(&self, id: &str) -> Result<Self, Error> {
        Ok(Self { calls: self.calls.with_header(calls::ACCOUNT, id)? })
    }

    /// The same client, narrowed to this customer: its calls see no other.
    ///
    /// # Errors
    /// INVALID_ARGUMENT if the id cannot be a header.
    pub fn for_customer(&self, id: &str) -> Result<Self, Error> {
        Ok(Self { calls: self.calls.with_header(calls::CUSTOMER, id)? })
    }

    /// What the clients below call through; for the generated clients of the server's other services, such as health.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.calls.clone()
    }
}

macro_rules! services {
    ($($name:ident: $client:ident, $about:literal;)*) => {
        impl Client {
            $(
                #[doc = $about]
                #[must_use]
                pub fn $name(&self) -> $client<Calls> {
                    $client::new(self.calls.clone()).max_decoding_message_size(MAX_ANSWER)
                }
            )*
        }

        /// The names of the services that a [`Client`] has.
        pub const SERVICES: &[&str] = &[$(stringify!($client)),*];
    };
}

services! {
    access: AccessServiceClient, "Who the caller is; members and invitations.";
    accounts: AccountServiceClient, "Tenants, accounts and branches.";
    billing: BillingServiceClient, "Rate plans, features, credit, payment methods, and the report.";
    customers: CustomerServiceClient, "Customers.";
    exchange: ExchangeServiceClient, "Data in bulk.";
    history: HistoryServiceClient, "Events of customers.";
    tags: TagServiceClient, "Tags.";
}
