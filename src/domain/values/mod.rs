//! Value types. Each has one entry point, `parse`, which takes what a client sent and says which rule it breaks. Reading a stored
//! value back does not use it: a rule may tighten later, and a value that was accepted once stays readable.

pub mod address;
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
pub mod status_reason;
pub mod tax_id;
pub mod text;
pub mod timestamp;
pub mod violation;
pub mod workload;
