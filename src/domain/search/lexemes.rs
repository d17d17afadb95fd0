//! Lexemes: short pieces of words, by which the index finds candidates. What a candidate says is then compared with the query
//! itself, so a lexeme that several words have in common costs time and nothing else.
//!
//! A lexeme is a letter for its kind and some characters. A word is found by how it starts, and a word that is searched anywhere also by
//! how it goes on from every second character: what lies at an odd place is found one character later. Each lexeme costs every write
//! of a customer, so there are few, and they are short: those of many customers are then the same, and take little room.
//!
//! Rule: words and lexemes are stored. A change of folding, of what a document has or of what is made here needs a new [`VERSION`].

use std::{cmp::Reverse, collections::BTreeSet};

use super::{
    condition::Condition,
    words::{Token, compact, is_unspaced},
};
use crate::domain::hash::hash;

/// The version of what is stored for searching. `clientele migrate` makes the text of customers with another one again.
pub const VERSION: i16 = 6;

/// Characters of a word's start that one lexeme has.
const START: usize = 8;
/// Characters of a number behind its start that another lexeme has: numbers of one account often start alike.
const NEXT: usize = 4;
/// Characters of a lexeme from inside a word.
const INSIDE: usize = 5;
/// From one lexeme inside a word to the next.
const STEP: usize = 2;
/// Bits of the hash of a filter's value.
const FILTER_BITS: u32 = 36;
/// Bits of the hash of a whole name, number or email address. It only leaves out most of those who have another; with more bits, each key
/// would be of one customer alone, and take more room.
const EXACT_BITS: u32 = 12;
/// A word of so many characters lies anywhere in the fields that are searched so; a shorter one starts a word.
pub(super) const LONG: usize = 3;

/// Parts of a word with punctuation that a query asks for.
const PARTS: usize = 2;
/// A part of so many characters with a digit among them is asked for alone.
const TELLING: usize = 5;

/// Lexemes as they are stored.
pub(super) type Lexemes = BTreeSet<String>;

/// Kinds of lexemes: each is its first letter. The keys of a capital letter are in no bucket.
#[derive(Clone, Copy)]
enum Kind {
    /// The start of a word, or of a whole value's letters and digits.
    Start = 'w' as isize,
    /// What follows the start of a number.
    Next = 'd' as isize,
    /// Inside a word that is searched anywhere.
    Inside = 'i' as isize,
    /// The start of the folded name. Nearly all names that start alike are in one bucket, so that one look-up finds no more than one of
    /// each bucket would.
    Name = 'N' as isize,
    /// The same in the name's bucket, for what is asked for together with it: the index first finds all that start so.
    NameOfBucket = 'n' as isize,
    /// The start of a whole value that has neither letter nor digit.
    Value = 's' as isize,
    /// A hash of a whole name, number or email address: whoever searches for a word does not look at all customers that have it for one
    /// whose number it is.
    Exact = 'X' as isize,
    /// What a filter asks for: a hash of a field's name and its value.
    Filter = 'f' as isize,
}

impl Kind {
    fn of(self, letters: impl IntoIterator<Item = char>) -> String {
        std::iter::once(char::from(self as u8)).chain(letters).collect()
    }
}

fn first(letters: &[char], most: usize) -> impl Iterator<Item = char> {
    letters.iter().copied().take(most)
}

/// What follows the start of a word that looks like a number; none otherwise. Whoever has the first characters of a word in common with it
/// decides in the same way.
fn next(letters: &[char]) -> Option<&[char]> {
    let (start, next) = letters.split_at_checked(START)?;
    (!next.is_empty() && start.iter().any(char::is_ascii_digit)).then(|| &next[..next.len().min(NEXT)])
}

/// Adds the lexemes of a stored word. `free`: it is searched anywhere, not only from its start.
pub(super) fn add_word(lexemes: &mut Lexemes, word: &str, free: bool) {
    let letters: Vec<char> = word.chars().collect();
    if letters.is_empty() {
        return;
    }
    lexemes.insert(Kind::Start.of(first(&letters, START)));
    lexemes.extend(next(&letters).map(|next| Kind::Next.of(next.iter().copied())));
    if !free {
        return;
    }
    // Words of scripts without spaces are found by one character, so each place counts.
    let (step, least) = if letters.iter().copied().any(is_unspaced) { (1, 1) } else { (STEP, STEP) };
    for place in (step..letters.len()).step_by(step).filter(|place| letters.len() - place >= least) {
        lexemes.insert(Kind::Inside.of(first(&letters[place..], INSIDE)));
    }
}

/// Adds the lexemes of a whole stored value, folded: it is found as such, by its letters and digits if it has any.
pub(super) fn add_value(lexemes: &mut Lexemes, folded: &str) {
    let letters = compact(folded);
    if letters.is_empty() {
        lexemes.insert(Kind::Value.of(folded.chars().take(START)));
    } else {
        add_word(lexemes, &letters, false);
    }
}

/// Adds the lexeme of a whole number or email address, folded, with which the whole query is compared.
pub(super) fn add_exact(lexemes: &mut Lexemes, folded: &str) {
    lexemes.insert(exact(folded));
}

fn exact(folded: &str) -> String {
    Kind::Exact.of(digits(compact(folded).bytes(), EXACT_BITS).chars())
}

/// Adds the lexemes of a folded name, as such and by its start.
pub(super) fn add_name(lexemes: &mut Lexemes, folded: &str) {
    add_exact(lexemes, folded);
    lexemes.extend([Kind::Name, Kind::NameOfBucket].map(|kind| kind.of(folded.chars().take(START))));
}

/// The lexeme of customers whose field has this value, for filters.
pub(super) fn filter(field: &str, value: &str) -> String {
    Kind::Filter.of(digits(field.bytes().chain([b'=']).chain(value.bytes()), FILTER_BITS).chars())
}

/// So many bits of a hash, in hexadecimal digits.
fn digits(bytes: impl Iterator<Item = u8>, bits: u32) -> String {
    format!("{:x}", hash(bytes) & ((1 << bits) - 1))
}

/// That a word starts so.
fn starts(letters: &[char]) -> Condition {
    let start = Condition::begins(Kind::Start.of(first(letters, START)), letters.len() < START);
    let next = next(letters).map(|next| Condition::begins(Kind::Next.of(next.iter().copied()), next.len() < NEXT));
    Condition::all(std::iter::once(start).chain(next))
}

/// What holds of whoever has a word that is asked for. `free`: also inside a word.
pub(super) fn of_word(word: &str, free: bool) -> Condition {
    let letters: Vec<char> = word.chars().collect();
    let unspaced = letters.iter().copied().any(is_unspaced);
    if !free || (letters.len() < LONG && !unspaced) {
        return starts(&letters);
    }
    let inside = |from: usize| {
        let letters = &letters[from..];
        Condition::begins(Kind::Inside.of(first(letters, INSIDE)), letters.len() < INSIDE)
    };
    // At an even place inside, or at an odd one, where what is stored begins with the next character.
    let odd = (!unspaced).then(|| inside(1));
    Condition::any([starts(&letters), inside(0)].into_iter().chain(odd))
}

/// What holds of whoever has a number that starts with these letters and digits.
pub(super) fn of_number(letters: &str) -> Condition {
    starts(&letters.chars().collect::<Vec<_>>())
}

/// What holds of whoever matches a token: its parts are there, or the whole.
pub(super) fn of_token(token: &Token, free: bool) -> Condition {
    let parts = Condition::all(telling(&token.parts).into_iter().map(|part| of_word(part, free)));
    Condition::any(std::iter::once(parts).chain(token.whole.as_deref().map(|whole| of_word(whole, free))))
}

/// What holds of whoever matches a token with some of its words elsewhere: one part is there, or the whole. Each part can be in a text or
/// a custom ID of its own.
pub(super) fn of_part(token: &Token, free: bool) -> Condition {
    let part = telling(&token.parts).into_iter().next();
    let words = part.into_iter().chain(&token.whole);
    Condition::any(words.map(|word| of_word(word, free)))
}

/// The parts of a token that tell customers apart best, as each costs every bucket, and those that many words start with most of all: one
/// that looks like a number, or the longest. The last of several is left out: it is the end of a domain, as a rule.
fn telling(parts: &[String]) -> Vec<&String> {
    let has_digit = |part: &&String| part.contains(|letter: char| letter.is_ascii_digit());
    let length = |part: &&String| part.chars().count();
    if let Some(number) = parts.iter().find(|part| length(part) >= TELLING && has_digit(part)) {
        return vec![number];
    }
    let mut long: Vec<&String> = parts.iter().filter(|part| length(part) >= LONG).collect();
    if long.is_empty() {
        return parts.iter().max_by_key(length).into_iter().collect();
    }
    if long.len() > PARTS && !long.last().is_some_and(has_digit) {
        long.pop();
    }
    long.sort_by_key(|part| Reverse(length(part)));
    long.truncate(PARTS);
    long
}

/// What holds of whoever has this whole value, folded, which has neither letter nor digit.
pub(super) fn of_value(folded: &str) -> Condition {
    Condition::Has(Kind::Value.of(folded.chars().take(START)))
}

/// What holds of whoever has this whole name, number or email address, folded.
pub(super) fn of_exact(folded: &str) -> Condition {
    Condition::Has(exact(folded))
}

/// What holds of whoever has a name that starts with this, which is not empty. `alone`: nothing else is asked for.
pub(super) fn of_name_start(folded: &str, alone: bool) -> Condition {
    let kind = if alone { Kind::Name } else { Kind::NameOfBucket };
    Condition::begins(kind.of(folded.chars().take(START)), folded.chars().count() < START)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::search::words::tokens;

    fn stored(words: &str, free: bool) -> Lexemes {
        let mut lexemes = Lexemes::new();
        for token in tokens(words) {
            token.words().for_each(|word| add_word(&mut lexemes, word, free));
        }
        lexemes
    }

    fn finds(query: &str, lexemes: &Lexemes, free: bool) -> bool {
        tokens(query).all(|token| of_token(&token, free).holds(lexemes))
    }

    #[test]
    fn what_is_asked_for_is_among_what_is_stored() {
        let free = stored("t-systems h.l.f. de 株式会社田中 route 66", true);
        let asked = "t-systems tsystems systems stem ste ems hlf h.l.f de d 田中 田 会社田中 66 rou oute ute";
        for query in asked.split(' ') {
            assert!(finds(query, &free, true), "{query}");
        }
        for query in ["x", "tsx", "中田", "mat", "ystm"] {
            assert!(!finds(query, &free, true), "{query}");
        }
        let starts = stored("first.lastname@firm.example", false);
        for query in ["first", "firstlastnamefirm", "lastname@firm", "exam", "f", "first.lastname@firm.example"] {
            assert!(finds(query, &starts, true), "{query}");
            assert!(finds(query, &starts, false), "{query}");
        }
        let number = stored("kl-000012345678", false);
        for query in ["kl0000123", "kl-00001234", "kl00001234567", "kl-000012345678"] {
            assert!(finds(query, &number, false), "{query}");
        }
        assert!(!finds("kl-000012945", &number, false));
    }

    proptest! {
        #[test]
        fn whatever_lies_in_a_word_finds_it(word in "[a-c1田가ß]{1,14}", from in 0_usize..14, length in 1_usize..14) {
            let from = from % word.chars().count();
            let asked: String = word.chars().skip(from).take(length).collect();
            let (mut free, mut starts) = (Lexemes::new(), Lexemes::new());
            add_word(&mut free, &word, true);
            add_word(&mut starts, &word, false);
            if from == 0 {
                prop_assert!(of_word(&asked, false).holds(&starts) && of_number(&asked).holds(&starts), "{starts:?}");
            }
            if from == 0 || asked.chars().count() >= LONG || asked.chars().any(is_unspaced) {
                prop_assert!(of_word(&asked, true).holds(&free), "{asked} in {free:?}");
            }
        }
    }

    #[test]
    fn lexemes_are_stored_and_never_change() {
        insta::assert_compact_debug_snapshot!(
            [stored("trading", true), stored("田中", true), stored("31490083016", false), [filter("type", "BUSINESS")].into()],
            @r#"[{"iading", "iing", "wtrading"}, {"i中", "w田中"}, {"d016", "w31490083"}, {"fabf3dfb50"}]"#
        );
    }
}
