//! The words of a query.

use serde::Serialize;

use super::{
    field::SearchField,
    text::{EXACT, fold, marked, number, place, separates},
};
use crate::domain::values::{text::printable, violation::Rule};

/// A word of fewer characters is looked for where the name begins, and nowhere else.
const LONG: usize = 3;

/// What somebody types to find a customer: at most 200 characters, at most 10 words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Query {
    /// The whole, folded.
    whole: String,
    #[serde(skip)]
    words: Vec<Word>,
}

impl Query {
    /// The most characters that it has.
    pub const MAX_CHARS: usize = 200;
    /// The most words that it has.
    pub const MAX_WORDS: usize = 10;

    /// Parses what a client sent; it may be empty.
    ///
    /// # Errors
    /// Too long, too many words, or not printable.
    pub fn parse(raw: &str) -> Result<Self, Rule> {
        let folded = fold(&printable(raw, 0..=Self::MAX_CHARS)?);
        let mut words: Vec<Word> = Vec::new();
        let mut count = 0;
        for word in folded.split(' ').filter(|word| !word.is_empty()) {
            count += 1;
            if !words.iter().any(|other| other.text == word) {
                words.push(Word { text: word.to_owned(), needle: needle(word) });
            }
        }
        if count > Self::MAX_WORDS {
            return Err(Rule::with(format!("must be at most {} words; these are {count}", Self::MAX_WORDS)));
        }
        Ok(Self { whole: folded, words })
    }

    /// The words, each once. None: nothing is looked for.
    #[must_use]
    pub fn words(&self) -> &[Word] {
        &self.words
    }

    /// How the document of a customer begins whose name begins like this.
    #[must_use]
    pub fn as_beginning(&self) -> &str {
        &self.whole
    }

    /// How the document of a customer begins whose name is this.
    #[must_use]
    pub fn as_name(&self) -> String {
        format!("{}{EXACT}", self.whole)
    }

    /// The custom ID that is this, as it is stored for searching.
    #[must_use]
    pub fn as_number(&self) -> String {
        number(&self.whole)
    }
}

/// One word of a query, folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    text: String,
    needle: String,
}

impl Word {
    /// The word.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is in a section of beginnings if and only if a value there, or a word in one, begins with this word.
    #[must_use]
    pub fn needle(&self) -> &str {
        &self.needle
    }

    /// Whether it is looked for beyond the beginning of the name.
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.text.chars().nth(LONG - 1).is_some()
    }

    /// The place, from 0, of a field's section in the document.
    #[must_use]
    pub fn place(field: SearchField) -> Option<usize> {
        place(field)
    }

    /// Whether it lies in a field, whose section this is.
    pub(super) fn lies_in(&self, field: SearchField, section: &str) -> bool {
        match (self.is_long(), field.is_free()) {
            (true, true) => section.contains(&self.text),
            (true, false) => section.contains(&self.needle),
            (false, _) => field == SearchField::Name && section.starts_with(&self.text),
        }
    }
}

/// A word that begins with punctuation is nowhere the beginning of a word, so it must begin the value.
fn needle(word: &str) -> String {
    if word.starts_with(separates) { number(word) } else { marked(word) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    #[test]
    fn a_query_is_words_without_case_and_accents_each_once() {
        let query = Query::parse("  Société  GÉNÉRALE société ").unwrap();
        let words: Vec<_> = query.words().iter().map(Word::text).collect();
        assert_eq!(words, ["societe", "generale"]);
        assert_eq!(query.as_beginning(), "societe generale societe");
    }

    #[test]
    fn a_query_has_at_most_200_characters_and_10_words() {
        assert!(Query::parse(&"é".repeat(200)).is_ok());
        assert_eq!(Query::parse(&"é".repeat(201)).unwrap_err().text(), "must be at most 200 characters; this has 201");
        assert!(Query::parse(&"a ".repeat(10)).is_ok());
        assert_eq!(Query::parse(&"a ".repeat(11)).unwrap_err().text(), "must be at most 10 words; these are 11");
        assert!(Query::parse("a\0b").unwrap_err().text().starts_with("must not hold invisible"));
    }

    #[test]
    fn a_short_word_is_only_looked_for_where_the_name_begins() {
        let query = Query::parse("co").unwrap();
        let word = &query.words()[0];
        assert!(word.lies_in(SearchField::Name, "copaco\u{1f}"));
        assert!(!word.lies_in(SearchField::Name, "nv copaco\u{1f}"));
        assert!(!word.lies_in(SearchField::City, "copaco\u{1f}"));
    }

    #[test]
    fn a_word_is_a_beginning_of_a_value_or_of_a_word_in_it() {
        let value = number("jan.janssen@company.nl");
        let lies_in = |raw: &str| Query::parse(raw).unwrap().words()[0].lies_in(SearchField::Email, &value);
        for begins in ["jan", "jan.janssen", "Janssen@comp", "company.nl", "n.nl"] {
            assert_eq!(lies_in(begins), begins != "n.nl", "{begins}");
        }
        for inside in ["anssen", ".janssen", "@company", "ompany", "jan.anssen"] {
            assert!(!lies_in(inside), "{inside}");
        }
        let phone = number("+31(0)123456789");
        for begins in ["+31", "+31(0)12", "123456", "31(0)"] {
            assert!(Query::parse(begins).unwrap().words()[0].lies_in(SearchField::Phone, &phone), "{begins}");
        }
    }

    proptest! {
        /// The marks are only another way to say it.
        #[test]
        fn a_needle_lies_exactly_where_a_value_or_word_begins(value in "[ab .+@]{1,12}", word in "[ab.+@]{3,5}") {
            let letters: Vec<char> = value.chars().collect();
            let begins = (0..letters.len()).any(|place| {
                let starts_word = !separates(letters[place]) && (place == 0 || separates(letters[place - 1]));
                let rest: String = letters[place..].iter().collect();
                (place == 0 || starts_word) && rest.starts_with(&word)
            });
            prop_assert_eq!(number(&value).contains(&needle(&word)), begins);
        }

        #[test]
        fn whatever_is_sent_is_refused_or_a_query(raw in samples::raw()) {
            if let Ok(query) = Query::parse(&raw) {
                prop_assert!(query.words().len() <= Query::MAX_WORDS);
                prop_assert!(query.words().iter().all(|word| !word.text().is_empty() && !word.text().contains(' ')));
            }
        }
    }
}
