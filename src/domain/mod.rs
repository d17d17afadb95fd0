//! The domain: what a customer is and what may happen to it. Pure: no async, no SQL, no gRPC, no clock, no environment.
//!
//! Each file is one noun. A value has one door, `parse`, which takes what a client sent and says what is wrong with it.
//! Reading back what we stored is not that door: a rule may tighten later, and what was accepted once stays readable.

pub mod address;
pub mod contact;
pub mod custom_id;
pub mod email;
pub mod enums;
pub mod ids;
pub mod key;
pub mod label;
pub mod language;
pub mod name;
pub mod phone;
#[cfg(test)]
mod samples;
pub mod status;
pub mod tax_id;
pub mod text;
pub mod violation;
