//! Tags: an account's private labels for customers.

pub mod tag;
pub mod tagging;
