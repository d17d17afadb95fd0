//! The fields of a customer: their names and paths, their values, updates, and what policies require.

pub mod customer_fields;
pub mod edit;
pub mod field;
pub mod profile;
pub mod requirements;
