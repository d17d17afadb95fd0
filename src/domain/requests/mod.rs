//! What all requests have in common: the contract's table of RPCs, the author, the options of mutations, the stored answer.

pub mod answer;
pub mod contract;
pub mod fingerprint;
pub mod options;
pub mod principal;
#[cfg(test)]
mod tests;
