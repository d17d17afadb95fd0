//! The domain: what a customer is and what may happen to it. Pure: no async, no SQL, no gRPC, no clock, no environment.
//!
//! Each file is one noun. A value has one door, `parse`, which takes what a client sent and says what is wrong with it.
//! Reading back what we stored is not that door: a rule may tighten later, and what was accepted once stays readable.

pub mod account;
pub mod address;
pub mod answer;
pub mod branch;
pub mod caller;
pub mod command;
pub mod contact;
pub mod contract;
pub mod custom_id;
pub mod custom_id_change;
pub mod customer;
pub mod dms;
pub mod edit;
pub mod email;
pub mod enums;
pub mod event;
pub mod field;
pub mod hold;
pub mod ids;
pub mod key;
pub mod label;
pub mod language;
pub mod link;
pub mod member;
pub mod migration;
pub mod name;
pub mod options;
pub mod phone;
pub mod policies;
pub mod principal;
pub mod profile;
pub mod refusal;
#[cfg(test)]
mod samples;
pub mod search;
pub mod status;
pub mod tag;
pub mod tax_id;
pub mod text;
pub mod violation;
pub mod workload;
