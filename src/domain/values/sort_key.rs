//! The key by which names are sorted: the Unicode root collation, in which É is beside E, and Ö beside O.
//!
//! Rule: keys are compared as bytes, so `PostgreSQL` sorts a `bytea`. A key depends on the Unicode data of the library; a
//! stored one says so by [`SortKey::VERSION`]. It decides an order and nothing else: different names can have one key.

use std::sync::LazyLock;

use icu_collator::{Collator, CollatorBorrowed};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The byte between the levels of a key: base letters, accents, case.
const LEVEL_END: u8 = 1;

/// The root collation, with its default strength: letters, then accents, then case.
static ROOT: LazyLock<Option<CollatorBorrowed<'static>>> =
    LazyLock::new(|| Collator::try_new(Default::default(), Default::default()).ok());

/// The least key of each bucket, in order.
static BUCKETS: LazyLock<Vec<SortKey>> = LazyLock::new(|| {
    let starts = FIRST_LETTERS.chars().map(|letter| {
        let SortKey(mut key) = SortKey::of(letter.encode_utf8(&mut [0; 4]));
        key.truncate(key.iter().position(|byte| *byte == LEVEL_END).unwrap_or(key.len()));
        SortKey(key)
    });
    std::iter::once(SortKey::default()).chain(starts).collect()
});

/// The letter that each bucket but the first begins with. After Latin: Greek, Cyrillic and their neighbours; Hebrew to
/// Khmer, and what else is between; Hangul, kana and their neighbours; Han up to radical 63, and the rest.
const FIRST_LETTERS: &str = "abcdefghijklmnopqrstuvwxyzαאᄀ一手";

/// The sort key of a name: at most [`SortKey::MAX_BYTES`].
///
/// As text it is hexadecimal in the way of `PostgreSQL`, so that a JSON object can hold it for a `bytea` column.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SortKey(Vec<u8>);

impl SortKey {
    /// The version of all keys that this program makes. It is raised when the Unicode data change, as a test below tells;
    /// then `clientele migrate` makes the stored keys anew. Texts of searches hold the key and its bucket, so their version is
    /// raised with it.
    pub const VERSION: i32 = 1;
    /// The most bytes of a key. A B-tree of `PostgreSQL` takes entries of 2,704 bytes, and 120 × U+FDFA would have 5,109.
    pub const MAX_BYTES: usize = 512;
    /// How many buckets there are.
    pub const BUCKETS: u8 = 32;

    /// The key of a text in any normalization form. It is never empty: an empty one means "not computed yet".
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut key = Vec::with_capacity(2 * text.len() + 8);
        if let Some(root) = &*ROOT {
            let Ok(()) = root.write_sort_key_to(text, &mut key);
        }
        key.truncate(Self::MAX_BYTES);
        Self(key)
    }

    /// A key as it is stored.
    #[must_use]
    pub fn from_stored(key: Vec<u8>) -> Self {
        Self(key)
    }

    /// The bytes of the key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bucket of the key, below [`SortKey::BUCKETS`]. A greater key is never in a lower bucket: 0 has what sorts before
    /// "a" (punctuation, symbols, digits), 1 to 26 have a letter each, from its key to that of the next one (þ comes after
    /// z), and the rest have the other scripts.
    #[must_use]
    pub fn bucket(&self) -> u8 {
        let begun = BUCKETS.partition_point(|least| least <= self);
        u8::try_from(begun).map_or(Self::BUCKETS, |begun| begun).saturating_sub(1)
    }

    /// The least key of a bucket; empty for the first one.
    #[must_use]
    pub fn lowest(bucket: u8) -> &'static [u8] {
        BUCKETS.get(usize::from(bucket)).map_or(&[], |least| least.as_bytes())
    }
}

impl Serialize for SortKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
        let digits = self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]);
        serializer.serialize_str(&"\\x".chars().chain(digits).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for SortKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes = text.strip_prefix("\\x").and_then(|digits| digits.as_bytes().chunks(2).map(byte).collect());
        bytes.map(Self).ok_or_else(|| D::Error::custom("not a sort key"))
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{Context, SHA256};
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    fn sorted<const N: usize>(names: [&str; N]) {
        let keys: Vec<SortKey> = names.iter().map(|name| SortKey::of(name)).collect();
        for (keys, names) in keys.windows(2).zip(names.windows(2)) {
            assert!(keys[0] < keys[1], "{names:?}");
        }
    }

    fn bucket(text: &str) -> u8 {
        SortKey::of(text).bucket()
    }

    #[test]
    fn letters_with_accents_are_beside_their_letters() {
        sorted(["Eb", "Éc", "Ed", "Êe", "F"]);
        sorted(["Oa", "Öb", "Oc", "Ød", "Oe", "P"]);
        sorted(["La", "Łb", "Lc", "M"]);
        sorted(["Ca", "Çb", "Cc", "D"]);
        sorted(["Ad", "ægir", "af", "Z", "þórr", "Ωmega", "Яна", "א", "가", "あ", "田中"]);
    }

    #[test]
    fn spaces_and_punctuation_come_before_digits_and_these_before_letters_and_case_decides_last() {
        sorted(["—", "(x)", "😀", "€uro", "1", "42", "7", "a", "A", "á", "Á", "ab"]);
        sorted(["de Vries", "de vriesa", "Devries"]);
        sorted(["resume", "Resume", "résumé", "Résumé", "resumes"]);
    }

    #[test]
    fn normalization_forms_and_what_is_invisible_make_no_difference() {
        assert_eq!(SortKey::of("Mu\u{308}nchen"), SortKey::of("München"));
        assert_eq!(SortKey::of("a\u{200d}b"), SortKey::of("ab"));
    }

    #[test]
    fn a_key_is_cut_so_that_an_index_takes_it_and_is_never_empty() {
        let long = |text: &str| SortKey::of(&text.repeat(120)).as_bytes().len();
        assert_eq!(long("\u{fdfa}"), SortKey::MAX_BYTES);
        assert!(long("W") < SortKey::MAX_BYTES);
        for invisible in ["", "\u{200d}", "\u{ad}\u{ad}"] {
            assert!(!SortKey::of(invisible).as_bytes().is_empty());
        }
    }

    #[test]
    fn each_letter_has_a_bucket_and_the_other_scripts_share_the_rest() {
        for (letter, expected) in ('a'..='z').zip(1_u8..) {
            assert_eq!(bucket(&letter.to_string()), expected);
            assert_eq!(bucket(&letter.to_uppercase().to_string()), expected);
            assert_eq!(bucket(&format!("{letter}{letter}")), expected);
        }
        for (text, expected) in [
            ("", 0),
            ("-", 0),
            ("😀", 0),
            ("9", 0),
            ("É", 5),
            ("Ł", 12),
            ("Öz", 15),
            ("ß", 19),
            ("þ", 26),
            ("α", 27),
            ("Ж", 27),
            ("ა", 27),
            ("א", 28),
            ("ب", 28),
            ("क", 28),
            ("ก", 28),
            ("ᄀ", 29),
            ("가", 29),
            ("ア", 29),
            ("一", 30),
            ("中", 30),
            ("手", 31),
            ("株", 31),
            ("田", 31),
            ("\u{3400}", 31),
            ("\u{20000}", 31),
            ("\u{10ffff}", 31),
        ] {
            assert_eq!(bucket(text), expected, "{text:?}");
        }
    }

    #[test]
    fn buckets_begin_with_their_least_keys() {
        assert_eq!((BUCKETS.len(), SortKey::lowest(0)), (usize::from(SortKey::BUCKETS), &b""[..]));
        for number in 0..SortKey::BUCKETS {
            let least = SortKey::from_stored(SortKey::lowest(number).to_vec());
            assert_eq!(least.bucket(), number);
            assert!(number == 0 || least.as_bytes() > SortKey::lowest(number - 1));
        }
        assert_eq!(SortKey::from_stored(vec![0xff; 4]).bucket(), SortKey::BUCKETS - 1);
    }

    #[test]
    fn the_version_is_raised_when_the_data_change() {
        let mut all = Context::new(&SHA256);
        for letter in '\0'..='\u{2FFFF}' {
            all.update(SortKey::of(letter.encode_utf8(&mut [0; 4])).as_bytes());
        }
        let digest: String = all.finish().as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        // Another digest: the keys have changed. Write it here and raise `SortKey::VERSION`.
        assert_eq!((SortKey::VERSION, digest.as_str()), (1, "0c570d670cd8f302"));
    }

    proptest! {
        #[test]
        fn the_order_of_keys_is_the_collations_and_buckets_follow_it(
            one in samples::raw(),
            other in samples::raw(),
        ) {
            let (mut low, mut high) = (SortKey::of(&one), SortKey::of(&other));
            if low.as_bytes().len().max(high.as_bytes().len()) < SortKey::MAX_BYTES {
                prop_assert_eq!(low.cmp(&high), ROOT.as_ref().unwrap().compare(&one, &other));
            }
            if low > high {
                std::mem::swap(&mut low, &mut high);
            }
            prop_assert!(low.bucket() <= high.bucket());
            for key in [low, high] {
                prop_assert!(key.as_bytes().len() <= SortKey::MAX_BYTES);
                prop_assert!(SortKey::lowest(key.bucket()) <= key.as_bytes());
                let text = serde_json::to_string(&key).unwrap();
                prop_assert_eq!(serde_json::from_str::<SortKey>(&text).unwrap(), key);
            }
        }
    }
}
