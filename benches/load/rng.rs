//! Random numbers that take no time compared to a call (xorshift).

use uuid::Uuid;

#[derive(Clone)]
pub struct Rng(u64);

impl Rng {
    /// A random seed.
    pub fn new() -> Self {
        Self::seeded(Uuid::new_v4().as_u64_pair().1)
    }

    /// The same numbers for the same seed. Adjacent seeds give unrelated numbers.
    pub fn seeded(seed: u64) -> Self {
        let mut mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self((mixed ^ (mixed >> 31)) | 1)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// One of them, with equal probability.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        self.least(of, 1)
    }

    /// One of them, the first far more often than the last, like names.
    pub fn pick_skewed<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        self.least(of, 3)
    }

    /// The item at the least of so many random indexes.
    fn least<'a, T>(&mut self, of: &'a [T], throws: usize) -> &'a T {
        let least = (0..throws).map(|_| self.below(of.len() as u64)).min().unwrap_or_default();
        &of[usize::try_from(least).expect("an index of a slice")]
    }
}
