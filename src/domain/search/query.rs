//! What somebody types to find a customer.

use std::cmp::Reverse;

use serde::Serialize;

use super::{
    condition::Condition,
    field::SearchField,
    fold::fold,
    lexemes::{self, LONG},
    text::{END, VALUE, WORD},
    words::{self, Token, compact, is_unspaced},
};
use crate::domain::values::violation::Rule;

/// A query of more words is compared word by word in one condition, whose size does not depend on their number.
const FEW: usize = 4;
/// Tokens of a query that the index is asked for, the longest. More would hardly leave out a candidate, and each is looked up in every
/// bucket.
const ASKED: usize = 2;
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

    /// What holds of the lexemes of every customer that matches in some of these fields. The query is not empty.
    #[must_use]
    pub fn lexemes(&self, fields: Fields) -> Condition {
        if self.tokens.is_empty() {
            return lexemes::of_value(&self.whole);
        }
        let tokens = self.longest().take(ASKED).map(|token| lexemes::of_token(token, fields.free));
        Condition::any(std::iter::once(Condition::all(tokens)).chain(self.number_lexemes(fields)))
    }

    /// What holds of the lexemes of a number that starts with the query; none if it has neither letter nor digit, or no field of numbers
    /// is asked for.
    fn number_lexemes(&self, fields: Fields) -> Option<Condition> {
        let letters = compact(&self.whole);
        (fields.numbers && !letters.is_empty()).then(|| lexemes::of_number(&letters))
    }

    /// The tokens, the longest first.
    fn longest(&self) -> impl Iterator<Item = &Token> {
        let mut tokens: Vec<&Token> = self.tokens.iter().collect();
        tokens.sort_by_key(|token| Reverse(token.words().map(|word| word.chars().count()).max()));
        tokens.into_iter()
    }

    /// What holds of whoever has one word of the query, the longest, or a number that starts with it. Whoever matches has it, in the text
    /// or in a custom ID. The query has a token.
    #[must_use]
    pub fn lexemes_of_one(&self, fields: Fields) -> Condition {
        let token = self.longest().next().map(|token| lexemes::of_part(token, fields.free));
        Condition::any(token.into_iter().chain(self.number_lexemes(fields)))
    }

    /// What holds of the lexemes of custom IDs in which a word of the query lies, or which start with the whole. The query is not empty.
    #[must_use]
    pub fn id_lexemes(&self) -> Condition {
        if self.tokens.is_empty() {
            return lexemes::of_value(&self.whole);
        }
        let words = self.tokens.iter().flat_map(Token::words).map(|word| lexemes::of_word(word, false));
        Condition::any(words.chain(self.number_lexemes(Fields { free: false, numbers: true })))
    }

    /// What holds of the lexemes of customers with this very name, number or email address, and of such custom IDs.
    #[must_use]
    pub fn exact_lexemes(&self) -> Condition {
        lexemes::of_exact(&self.whole)
    }

    /// What holds of the lexemes of customers whose name starts with the query; it is not empty. `alone`: nothing else is asked for.
    #[must_use]
    pub fn name_start_lexemes(&self, alone: bool) -> Condition {
        lexemes::of_name_start(&self.whole, alone)
    }
}

/// Of which kinds the fields are that a search asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    /// Some are searched anywhere in a word.
    pub free: bool,
    /// Some have numbers, which are found by letters and digits alone.
    pub numbers: bool,
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
