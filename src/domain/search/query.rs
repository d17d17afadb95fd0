//! What somebody types to find a customer.

use serde::Serialize;

use super::{
    field::SearchField,
    fold::fold,
    grams::{self, Grams},
    text::{END, VALUE, WORD},
    words::{self, Token, compact, is_unspaced},
};
use crate::domain::values::violation::Rule;

/// A word of so many characters lies anywhere in the fields that are searched so; a shorter one starts a word.
const LONG: usize = 3;
/// A query of more words is compared word by word in one condition, whose size does not depend on their number.
const FEW: usize = 4;
/// Grams of one list that the index is asked for. More would hardly leave out a candidate, and each is looked up in every bucket.
const MAX_GRAMS: usize = 32;
/// A text with more bytes than this per allowed character is refused before it is folded.
const MAX_BYTES_PER_CHAR: usize = 16;

/// A query: at most 512 characters, folded. Every character is allowed; those that are no letter, digit or symbol separate words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Query {
    /// The whole, folded.
    whole: String,
    #[serde(skip)]
    tokens: Vec<Token>,
}

/// What one token of a query asks for: that all words of one of these lists lie in the fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked(Vec<Vec<Word>>);

impl Asked {
    /// The lists: the parts, and the whole if there is punctuation in it.
    #[must_use]
    pub fn lists(&self) -> &[Vec<Word>] {
        &self.0
    }
}

impl Query {
    /// The most characters that it has, folded.
    pub const MAX_CHARS: usize = 512;

    /// Parses what a client sent; it may be empty.
    ///
    /// # Errors
    /// Too long.
    pub fn parse(raw: &str) -> Result<Self, Rule> {
        let long =
            |count: usize| Rule::with(format!("must be at most {} characters; this has {count}", Self::MAX_CHARS));
        if raw.len() > Self::MAX_CHARS * MAX_BYTES_PER_CHAR {
            return Err(long(raw.chars().count()));
        }
        let whole = fold(raw);
        let count = whole.chars().count();
        if count > Self::MAX_CHARS {
            return Err(long(count));
        }
        let mut tokens: Vec<Token> = Vec::new();
        for token in words::tokens(&whole) {
            if !tokens.contains(&token) {
                tokens.push(token);
            }
        }
        Ok(Self { whole, tokens })
    }

    /// Whether it asks for nothing: every customer matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.whole.is_empty()
    }

    /// The folded text, to compare with whole names and their starts.
    #[must_use]
    pub fn as_name(&self) -> &str {
        &self.whole
    }

    /// What each token asks for. Empty if the query has neither letter, digit nor symbol: then only a whole value matches.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        let words = |parts: &[String]| parts.iter().map(|part| Word(part.clone())).collect();
        self.tokens
            .iter()
            .map(|token| {
                Asked(
                    std::iter::once(words(&token.parts))
                        .chain(token.whole.iter().map(|it| words(std::slice::from_ref(it))))
                        .collect(),
                )
            })
            .collect()
    }

    /// Whether it is one word of one or two characters.
    #[must_use]
    pub fn is_short(&self) -> bool {
        let mut words = self.tokens.iter().flat_map(Token::words);
        words.next().is_some_and(|word| word.chars().nth(LONG - 1).is_none()) && words.next().is_none()
    }

    /// Whether it has so many words that a condition for each would make the statement long.
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.tokens.iter().flat_map(Token::words).nth(FEW).is_some()
    }

    /// What starts in a section of numbers if one of them starts with the query; none if the query has neither letter nor digit.
    #[must_use]
    pub fn number(&self) -> Option<String> {
        let compact = compact(&self.whole);
        (!compact.is_empty()).then(|| format!("{VALUE}{compact}"))
    }

    /// What lies in a section if one of its whole values is the query.
    #[must_use]
    pub fn value(&self) -> String {
        let compact = compact(&self.whole);
        format!("{VALUE}{}{END}", if compact.is_empty() { &self.whole } else { &compact })
    }

    /// The grams that a matching customer has: all those of one of these lists. Never empty.
    #[must_use]
    pub fn grams(&self) -> Vec<Vec<i32>> {
        if self.tokens.is_empty() {
            return vec![vec![grams::value(&self.whole)]];
        }
        let mut lists = vec![Grams::new()];
        for token in &self.tokens {
            let either = grams::of_token(token);
            // One token doubles the lists. The grams of others like it are left out, and what is found is compared anyway.
            let last = either.len() == 1 || lists.len() == 1;
            if last {
                lists = either
                    .iter()
                    .flat_map(|more| lists.iter().map(|list| list.union(more).copied().collect()))
                    .collect();
            }
        }
        let number = self.number_grams();
        if !number.is_empty() && !lists.iter().any(|list| list.is_subset(&number)) {
            lists.push(number);
        }
        asked(lists)
    }

    /// The grams of a number that starts with the query; none if it has neither letter nor digit.
    fn number_grams(&self) -> Grams {
        let (mut number, letters) = (Grams::new(), compact(&self.whole));
        if !letters.is_empty() {
            grams::of_number(&letters, &mut number);
        }
        number
    }

    /// The grams of one word for each reading of one token, and of a number: a matching customer has all those of one of these
    /// lists, in its text or in a custom ID. For a query that is long.
    #[must_use]
    pub fn grams_of_one(&self) -> Vec<Vec<i32>> {
        let length = |word: &&str| word.chars().count();
        let longest = |token: &&Token| token.words().map(|word| length(&word)).max();
        let token = self.tokens.iter().max_by_key(longest);
        let part = token.and_then(|token| token.parts.iter().map(String::as_str).max_by_key(length));
        let words = part.into_iter().chain(token.and_then(|token| token.whole.as_deref()));
        distinct(words.map(of_word).chain(Some(self.number_grams()).filter(|number| !number.is_empty())).collect())
    }

    /// The grams that a customer has whose custom IDs of the acting account match a word of the query or the whole: all those of
    /// one of these lists.
    #[must_use]
    pub fn id_grams(&self) -> Vec<Vec<i32>> {
        if self.tokens.is_empty() {
            return vec![vec![grams::value(&self.whole)]];
        }
        let words = self.tokens.iter().flat_map(Token::words).map(of_word);
        distinct(words.chain(Some(self.number_grams()).filter(|number| !number.is_empty())).collect())
    }

    /// The gram of customers with this very name, number or email address.
    #[must_use]
    pub fn value_gram(&self) -> i32 {
        grams::value(&self.whole)
    }

    /// The gram of customers whose name starts with the query; it is not empty.
    #[must_use]
    pub fn name_start_gram(&self) -> i32 {
        grams::name_start(&self.whole)
    }
}

fn of_word(word: &str) -> Grams {
    let mut grams = Grams::new();
    grams::of_word(word, &mut grams);
    grams
}

/// Each list once.
fn distinct(mut lists: Vec<Grams>) -> Vec<Vec<i32>> {
    lists.sort();
    lists.dedup();
    asked(lists)
}

/// The lists as the index is asked for them: whoever has all grams of a list has the first ones.
fn asked(lists: Vec<Grams>) -> Vec<Vec<i32>> {
    lists.into_iter().map(|list| list.into_iter().take(MAX_GRAMS).collect()).collect()
}

/// One word that is asked for, folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word(String);

impl Word {
    /// What lies in a section where the word is searched anywhere.
    #[must_use]
    pub fn anywhere(&self) -> &str {
        &self.0
    }

    /// What lies in a section if a word there starts with this one.
    #[must_use]
    pub fn start(&self) -> String {
        format!("{WORD}{}", self.0)
    }

    /// Whether it may lie anywhere in a field.
    #[must_use]
    pub fn is_anywhere_in(&self, field: SearchField) -> bool {
        field.is_free() && self.is_free()
    }

    /// Whether it may lie anywhere in the fields that are searched so.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.0.chars().nth(LONG - 1).is_some() || self.0.chars().any(is_unspaced)
    }

    pub(super) fn lies_in(&self, field: SearchField, section: &str) -> bool {
        if self.is_anywhere_in(field) { section.contains(&self.0) } else { section.contains(&self.start()) }
    }
}
