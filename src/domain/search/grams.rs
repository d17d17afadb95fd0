//! Grams: small pieces of words, hashed, by which the index finds candidates. What a candidate says is then compared with the
//! query itself, so two pieces with one hash cost time and nothing else.
//!
//! Rule: words and grams are stored. A change of folding, of what a document has or of what is made here needs a new [`VERSION`].

use std::collections::BTreeSet;

use super::words::{Token, compact, is_unspaced};

/// The version of what is stored for searching. `clientele migrate` makes the text of customers with another one again.
pub const VERSION: i16 = 5;

/// Characters of a piece that may lie anywhere in a word.
const PIECE: usize = 3;
/// Pieces of a word that a query asks for, and all that is kept of a word that is searched from its start only: so many, end to
/// end. Each costs every write of a customer and every bucket of a search; nine characters tell words apart well enough.
const ASKED: usize = 3;
/// The most characters of a name's start that are one gram.
const NAME_START: usize = 3;

/// Hashes of pieces, as they are stored.
pub(super) type Grams = BTreeSet<i32>;

/// Kinds of pieces; the same characters are another gram in each.
#[derive(Clone, Copy)]
enum Kind {
    /// Three characters of a word.
    Piece = 1,
    /// One or two characters at the start of a word.
    Start = 2,
    /// One or two characters anywhere, in scripts without spaces.
    Anywhere = 3,
    /// The first one to three characters of the folded name.
    NameStart = 4,
    /// A whole value.
    Value = 5,
    /// What a filter asks for: a field's name and its value.
    Filter = 6,
}

/// FNV-1a of the kind and the characters, folded to 32 bits.
fn hash(kind: Kind, letters: impl IntoIterator<Item = char>) -> i32 {
    let mut state: u64 = 0xcbf2_9ce4_8422_2325;
    let mut mix = |byte: u8| state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    mix(kind as u8);
    for letter in letters {
        u32::from(letter).to_le_bytes().into_iter().take(3).for_each(&mut mix);
    }
    let [a, b, c, d, e, f, g, h] = state.to_le_bytes();
    i32::from_le_bytes([a ^ e, b ^ f, c ^ g, d ^ h])
}

/// Adds the grams of a stored word. `free`: it is searched anywhere, not only from its start.
pub(super) fn add_word(grams: &mut Grams, word: &str, free: bool) {
    let letters: Vec<char> = word.chars().collect();
    if free {
        grams.extend(letters.windows(PIECE).map(piece));
    } else {
        grams.extend(asked(&letters));
    }
    for length in 1..=letters.len().min(PIECE - 1) {
        grams.insert(hash(Kind::Start, letters.iter().copied().take(length)));
    }
    for length in 1..PIECE {
        let pieces = letters.windows(length).take(if free { usize::MAX } else { 1 });
        let unspaced = pieces.filter(|piece| piece.iter().any(|letter| is_unspaced(*letter)));
        grams.extend(unspaced.map(|piece| hash(Kind::Anywhere, piece.iter().copied())));
    }
}

/// Adds the grams of a whole stored value, folded: it is found as such, by its letters and digits if it has any.
pub(super) fn add_value(grams: &mut Grams, folded: &str) {
    grams.insert(value(folded));
}

/// Adds the grams of how a folded name starts.
pub(super) fn add_name_start(grams: &mut Grams, folded: &str) {
    let starts = 1..=folded.chars().count().min(NAME_START);
    grams.extend(starts.map(|length| hash(Kind::NameStart, folded.chars().take(length))));
}

/// The gram of customers whose field has this value, for filters.
pub(super) fn filter(field: &str, value: &str) -> i32 {
    hash(Kind::Filter, field.chars().chain(std::iter::once('=')).chain(value.chars()))
}

/// The gram of a name that starts with this, which is not empty.
pub(super) fn name_start(folded: &str) -> i32 {
    hash(Kind::NameStart, folded.chars().take(NAME_START))
}

/// The gram of a whole value.
pub(super) fn value(folded: &str) -> i32 {
    let letters = compact(folded);
    hash(Kind::Value, if letters.is_empty() { folded.chars() } else { letters.chars() })
}

fn piece(letters: &[char]) -> i32 {
    hash(Kind::Piece, letters.iter().copied())
}

/// The pieces of a word that a query asks for.
fn asked(letters: &[char]) -> impl Iterator<Item = i32> {
    letters.chunks_exact(PIECE).take(ASKED).map(piece)
}

/// The grams of a word that is asked for.
pub(super) fn of_word(word: &str, grams: &mut Grams) {
    let letters: Vec<char> = word.chars().collect();
    if letters.len() >= PIECE {
        grams.extend(asked(&letters));
        return;
    }
    let anywhere = letters.iter().any(|letter| is_unspaced(*letter));
    let kind = if anywhere { Kind::Anywhere } else { Kind::Start };
    grams.insert(hash(kind, letters));
}

/// The grams of a number that starts with this. Only short scripts are found anywhere, so a short start is asked as a start.
pub(super) fn of_number(letters: &str, grams: &mut Grams) {
    let letters: Vec<char> = letters.chars().collect();
    if letters.len() >= PIECE {
        grams.extend(asked(&letters));
    } else {
        grams.insert(hash(Kind::Start, letters));
    }
}

/// The grams of a token that is asked for: all those of any one of these sets. One set if one is enough.
pub(super) fn of_token(token: &Token) -> Vec<Grams> {
    let mut parts = Grams::new();
    token.parts.iter().for_each(|part| of_word(part, &mut parts));
    let Some(whole) = &token.whole else { return vec![parts] };
    let mut together = Grams::new();
    of_word(whole, &mut together);
    // Whoever has the parts and whoever has the whole have these.
    let both: Grams = parts.intersection(&together).copied().collect();
    if both.len() < 2 { vec![parts, together] } else { vec![both] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::search::words::tokens;

    fn stored(words: &str, free: bool) -> Grams {
        let mut grams = Grams::new();
        for token in tokens(words) {
            token.words().for_each(|word| add_word(&mut grams, word, free));
        }
        grams
    }

    fn finds(query: &str, grams: &Grams) -> bool {
        tokens(query).all(|token| of_token(&token).iter().any(|asked| asked.is_subset(grams)))
    }

    #[test]
    fn what_is_asked_for_is_among_what_is_stored() {
        let free = stored("t-systems h.l.f. de 株式会社田中 route 66", true);
        for query in [
            "t-systems",
            "tsystems",
            "systems",
            "stem",
            "hlf",
            "h.l.f",
            "de",
            "d",
            "田中",
            "田",
            "会社田中",
            "66",
            "rou",
        ] {
            assert!(finds(query, &free), "{query}");
        }
        for query in ["x", "tsx", "中田", "mat"] {
            assert!(!finds(query, &free), "{query}");
        }
        let starts = stored("first.lastname@firm.example", false);
        for query in ["first", "firstlastnamefirm", "lastname@firm", "exam", "f", "first.lastname@firm.example"] {
            assert!(finds(query, &starts), "{query}");
        }
    }

    #[test]
    fn hashes_are_stored_and_never_change() {
        insta::assert_compact_debug_snapshot!(
            [hash(Kind::Piece, "abc".chars()), hash(Kind::Start, "ab".chars()), hash(Kind::Anywhere, "田".chars())],
            @"[-421984738, 1836727520, 893099939]"
        );
    }
}
