//! skeleton

pub mod domain;
