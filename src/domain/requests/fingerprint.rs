//! What a repeat must have in common with the first call: the hash of the request as it is read, that is, ids in one
//! spelling and without the fields that only the server writes; and of the account and the customer that the call names.
//!
//! As it is stored: 32 bytes over everything, then 4 bytes for each part, 0 for one that is empty. Equality is that of the
//! first 32 bytes; the others only tell which parts differ.

/// Parts of a request: first what is no field of its message, then the field of each number, the last with all that follow.
pub const PARTS: usize = 16;

/// Bytes over everything.
const DIGEST: usize = 32;
/// Bytes of one part.
const PART: usize = 4;
/// What the part is called that is no field.
const AROUND: &str = "the acting account or the header clientele-customer";

/// The fingerprint of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    digest: [u8; DIGEST],
    parts: [[u8; PART]; PARTS],
    fields: &'static [(usize, &'static str)],
}

impl Fingerprint {
    /// A fingerprint of these hashes. `fields` has the numbers and names of the message's fields.
    #[must_use]
    pub fn new(digest: [u8; DIGEST], parts: [[u8; PART]; PARTS], fields: &'static [(usize, &'static str)]) -> Self {
        Self { digest, parts, fields }
    }

    /// As it is stored.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        self.digest.into_iter().chain(self.parts.into_iter().flatten()).collect()
    }

    /// Whether it is the stored one.
    #[must_use]
    pub fn is(&self, stored: &[u8]) -> bool {
        stored.get(..DIGEST) == Some(self.digest.as_slice())
    }

    /// The names of what differs from the stored one; `request_id` never does.
    #[must_use]
    pub fn differing(&self, stored: &[u8]) -> Vec<&'static str> {
        let stored = stored.get(DIGEST..).unwrap_or_default().chunks(PART);
        let differs: Vec<usize> = self
            .parts
            .iter()
            .zip(stored)
            .enumerate()
            .filter(|(_, (own, other))| own != other)
            .map(|(n, _)| n)
            .collect();
        let name = |part: usize| self.fields.iter().find(|(number, _)| part == (*number).min(PARTS - 1));
        differs
            .into_iter()
            .filter_map(|part| if part == 0 { Some(AROUND) } else { name(part).map(|(_, name)| *name) })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[(usize, &str)] = &[(1, "customer"), (3, "etag"), (19, "reason")];

    fn of(digest: u8, parts: &[(usize, u8)]) -> Fingerprint {
        let mut all = [[0; PART]; PARTS];
        for (part, value) in parts {
            all[*part] = [*value; PART];
        }
        Fingerprint::new([digest; DIGEST], all, FIELDS)
    }

    #[test]
    fn what_differs_is_named() {
        let first = of(1, &[(0, 1), (1, 1), (3, 1)]).to_bytes();
        assert_eq!(first.len(), 96);
        assert!(of(1, &[]).is(&first) && !of(2, &[]).is(&first) && !of(0, &[]).is(&[]));
        assert!(of(2, &[(0, 1), (1, 1), (3, 1)]).differing(&first).is_empty());
        assert_eq!(of(2, &[(0, 1), (1, 1), (3, 2)]).differing(&first), ["etag"]);
        assert_eq!(of(2, &[(0, 1), (1, 1)]).differing(&first), ["etag"], "left out");
        assert_eq!(of(2, &[(0, 2), (1, 2), (3, 1), (15, 1)]).differing(&first), [AROUND, "customer", "reason"]);
        assert!(of(2, &[(1, 1)]).differing(&first[..DIGEST]).is_empty(), "nothing is known of the parts");
    }
}
