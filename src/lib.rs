//! skeleton
pub mod embedded;
