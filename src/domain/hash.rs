//! A hash that is stored: it never changes.

/// FNV-1a of the bytes, its halves mixed: the lowest bits of a product depend on the lowest bits of its factors alone.
pub(in crate::domain) fn hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let mix = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, mix);
    hash ^ (hash >> 32)
}
