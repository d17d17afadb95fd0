//! The fields of a customer: the table of fields, their paths and values, updates, and what policies require.

pub mod customer_fields;
pub mod edit;
pub mod field;
pub mod path;
pub mod profile;
pub mod read_only;
pub mod references;
pub mod requirements;
pub mod settle;
