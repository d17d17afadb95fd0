//! Reference data: countries, tax numbers, currencies and the like, by public standards. Pure tables and what is computed from
//! them; each names its source.

pub mod currencies;
pub mod industries;
pub mod languages;
pub mod phones;
pub mod places;
pub(in crate::domain) mod plain_phones;
pub mod postal_codes;
pub mod registration;
pub(in crate::domain) mod shape;
pub mod tax;
