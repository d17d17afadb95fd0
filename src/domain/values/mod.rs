//! Value types. Each has one entry point, `parse`, which takes what a client sent and returns the rule that it breaks. Reading
//! a stored value does not use it: a rule may become stricter later, and a value that was accepted once stays readable.

pub mod address;
pub(in crate::domain) mod characters;
pub mod contact;
pub mod contacts;
pub mod custom_id;
pub mod email;
pub mod enums;
pub mod ids;
pub mod key;
pub mod label;
pub mod language;
pub mod name;
pub mod phone;
pub mod rule_code;
mod sequences;
pub mod sort_key;
pub mod status_reason;
pub mod tax_id;
pub mod text;
pub mod timestamp;
pub mod unknown_fields;
pub mod violation;
pub mod workload;
