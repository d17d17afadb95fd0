//! The domain: what a customer is and what may happen to it. Pure: no async, no SQL, no gRPC, no clock, no environment.

pub mod access;
pub mod accounts;
pub mod billing;
pub mod customers;
pub mod duplicates;
pub mod exchange;
pub mod fields;
mod hash;
pub mod history;
pub mod reference;
pub mod refusal;
pub mod requests;
#[cfg(test)]
mod samples;
pub mod search;
pub mod tags;
#[cfg(test)]
mod tests;
pub mod values;
