//! The part of the statement that looks for words.

use std::fmt::Write as _;

use strum::VariantArray as _;

use super::build::{ALIVE, Builder};
use crate::{
    domain::search::{OrderBy, Search, SearchField, Word},
    error::Result,
};

impl Builder {
    /// What the words ask of the text: each must lie in one of the fields.
    pub(super) fn words(&mut self, search: &Search) -> Result<String> {
        let mut all = String::new();
        for word in search.query.words() {
            let any = self.word(search, word)?;
            let any = if any.is_empty() { "false".to_owned() } else { any.join(" or ") };
            _ = write!(all, " and ({any})");
        }
        Ok(all)
    }

    /// The ways in which a word can match. `like` finds candidates by the index; what lies beside it decides.
    fn word(&mut self, search: &Search, word: &Word) -> Result<Vec<String>> {
        let mut any = Vec::new();
        let text = self.bind(word.text().to_owned())?;
        if !word.is_long() {
            if search.asks(SearchField::Name) {
                let like = self.bind(format!("{}%", literal(word.text())))?;
                any.push(format!("(s.doc like {like} and starts_with(s.doc, {text}))"));
            }
            return Ok(any);
        }
        let lies_in = |what: &str, free: bool| {
            let fields =
                SearchField::VARIANTS.iter().copied().filter(|field| field.is_free() == free && search.asks(*field));
            let sections = fields.filter_map(Word::place).map(|place| {
                let place = place + 1;
                format!("strpos(split_part(s.doc, chr(29), {place}), {what}) > 0")
            });
            sections.collect::<Vec<_>>().join(" or ")
        };
        let anywhere = lies_in(&text, true);
        if !anywhere.is_empty() {
            let like = self.bind(format!("%{}%", literal(word.text())))?;
            any.push(format!("(s.doc like {like} and ({anywhere}))"));
        }
        let like = self.bind(format!("%{}%", literal(word.needle())))?;
        let needle = self.bind(word.needle().to_owned())?;
        let beginnings = lies_in(&needle, false);
        if !beginnings.is_empty() {
            any.push(format!("(s.doc like {like} and ({beginnings}))"));
        }
        if search.asks(SearchField::Number) {
            any.push(self.numbered(&format!("i.search_key like {like} and strpos(i.search_key, {needle}) > 0")));
        }
        Ok(any)
    }

    /// That the acting account has such a number for the customer.
    fn numbered(&mut self, such: &str) -> String {
        let name = format!("n{}", self.numbers.len());
        self.numbers.push(format!(
            "{name} as materialized (
                select coalesce(array_agg(i.customer_id), '{{}}') as ids from custom_ids i
                where i.tenant_id = $1 and i.account_id = $3 and {such} and {ALIVE}
            )"
        ));
        format!("s.customer_id = any((select ids from {name})::uuid[])")
    }

    /// The rank of a match in the order of relevance.
    pub(super) fn rank(&mut self, search: &Search) -> Result<String> {
        if search.order.by != OrderBy::Relevance || search.query.words().is_empty() {
            return Ok("0".to_owned());
        }
        let name = self.bind(search.query.as_name())?;
        let number = self.bind(search.query.as_number())?;
        let beginning = self.bind(search.query.as_beginning().to_owned())?;
        let numbered = self.numbered(&format!("i.search_key = {number}"));
        Ok(format!(
            "case when starts_with(s.doc, {name}) or {numbered} then 0 \
             when starts_with(s.doc, {beginning}) then 1 else 2 end"
        ))
    }
}

/// A text as `like` takes it literally.
fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '\\' | '%' | '_') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}
