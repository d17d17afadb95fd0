//! The keys that seal etags and page tokens.

use std::{collections::HashSet, fmt};

use super::problems::Problems;

/// Keys of 32 bytes: the first seals, all open.
#[derive(Clone)]
pub struct SealingKeys(pub Vec<[u8; 32]>);

impl fmt::Debug for SealingKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} sealing keys", self.0.len())
    }
}

impl SealingKeys {
    /// Adds their problems.
    pub fn verify(&self, problems: &mut Problems) {
        problems.require(!self.0.is_empty(), || {
            "--sealing-key-file is missing: create one with `head -c 32 /dev/urandom > FILE`, the same for all replicas"
                .to_owned()
        });
        let distinct: HashSet<_> = self.0.iter().collect();
        problems
            .require(distinct.len() == self.0.len(), || "--sealing-key-file: the same key is given twice".to_owned());
    }
}
