//! The part of the statement that compares a customer's text with the query. The index gives candidates; this decides.

use super::builder::{Arm, Builder, Shown};
use crate::{
    domain::search::{Asked, FREE, HIDDEN, SECTIONS, Search, SearchField, Section, Word},
    error::Result,
};

/// A custom ID that its customer still has, by its present value or an old one that no other customer has taken since.
pub(super) const ALIVE: &str = "(i.is_current or not exists (
    select from custom_ids n
    where n.tenant_id = i.tenant_id and n.account_id = i.account_id and n.system = i.system
      and n.value_key = i.value_key and n.customer_id <> i.customer_id
      and (n.is_current or n.created_at > i.created_at)
))";

/// The query's parameters.
pub(super) struct BoundQuery {
    tokens: Tokens,
    number: Option<String>,
    value: String,
    whole: String,
}

enum Tokens {
    /// Of each its readings, of each its words.
    Few(Vec<Vec<Vec<BoundWord>>>),
    /// The words as rows `w`: an expression of arrays, and one of these words.
    Many(String, BoundWord),
}

impl Tokens {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Few(tokens) if tokens.is_empty())
    }

    /// That each token matches in one of its readings.
    fn all_match(&self, search: &Search, arm: &Arm) -> String {
        match self {
            Self::Few(tokens) => all(tokens
                .iter()
                .map(|token| any(token.iter().map(|list| all(list.iter().map(|word| word.lies_in(search, arm))))))),
            Self::Many(rows, word) => format!(
                "not exists (
                    select from (
                        select w.token, bool_and({}) as fits from {rows} group by w.token, w.reading
                    ) r
                    group by r.token
                    having not bool_or(r.fits)
                )",
                word.lies_in(search, arm)
            ),
        }
    }
}

struct BoundWord {
    anywhere: Option<String>,
    start: String,
}

/// How well a customer matches: the ranks of the order of relevance.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// It has this very name, number or email address.
    Exact,
    /// Its name starts with the query.
    Starts,
    /// It matches in another way.
    Matches,
}

impl Rank {
    /// The ranks in order.
    pub(super) const ORDER: [Self; 3] = [Self::Exact, Self::Starts, Self::Matches];

    /// The number that stands for it in a place.
    pub(super) const fn number(self) -> i32 {
        match self {
            Self::Exact => 0,
            Self::Starts => 1,
            Self::Matches => 2,
        }
    }
}

impl Builder {
    /// Binds what the query asks for.
    pub(super) fn query(&mut self, search: &Search) -> Result<BoundQuery> {
        let query = &search.query;
        let tokens = query.asked();
        let tokens = if query.is_long() {
            self.many(&tokens)?
        } else {
            Tokens::Few(tokens.iter().map(|token| self.token(token)).collect::<Result<_>>()?)
        };
        Ok(BoundQuery {
            tokens,
            number: query.number().map(|number| self.bind(number)).transpose()?,
            value: self.bind(query.value())?,
            whole: self.bind(query.as_name().to_owned())?,
        })
    }

    fn many(&mut self, tokens: &[Asked]) -> Result<Tokens> {
        let (mut places, mut readings, mut anywhere, mut starts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (place, token) in (0_i32..).zip(tokens) {
            for (reading, list) in (0_i32..).zip(token.lists()) {
                for word in list {
                    places.push(place);
                    readings.push(reading);
                    anywhere.push(if word.is_free() { word.anywhere().to_owned() } else { word.start() });
                    starts.push(word.start());
                }
            }
        }
        let (places, readings) = (self.bind(places)?, self.bind(readings)?);
        let (anywhere, starts) = (self.bind(anywhere)?, self.bind(starts)?);
        let rows = format!(
            "unnest({places}::integer[], {readings}::integer[], {anywhere}::text[], {starts}::text[]) \
             w (token, reading, anywhere, start)"
        );
        Ok(Tokens::Many(rows, BoundWord { anywhere: Some("w.anywhere".to_owned()), start: "w.start".to_owned() }))
    }

    fn token(&mut self, token: &Asked) -> Result<Vec<Vec<BoundWord>>> {
        token.lists().iter().map(|list| list.iter().map(|word| self.word(word)).collect()).collect()
    }

    fn word(&mut self, word: &Word) -> Result<BoundWord> {
        let anywhere = word.is_free().then(|| self.bind(word.anywhere().to_owned())).transpose()?;
        Ok(BoundWord { anywhere, start: self.bind(word.start())? })
    }
}

impl BoundQuery {
    /// What must hold of the text `s` and the custom IDs `x` of a customer `c` of this arm.
    pub(super) fn matches(&self, search: &Search, arm: &Arm) -> String {
        let words = (!self.tokens.is_empty()).then(|| self.tokens.all_match(search, arm));
        let is_number = |field: SearchField| search.asks(field) && field.is_number();
        let number = self.number.iter().flat_map(|number| sections(arm, is_number, number));
        let value = sections(arm, |field| self.tokens.is_empty() && search.asks(field), &self.value);
        any(words.into_iter().chain(number).chain(value))
    }

    /// The number of the rank of a customer that matches.
    pub(super) fn rank(&self, arm: &Arm) -> String {
        let [exact, starts, rest] = Rank::ORDER.map(Rank::number);
        let starts_with = format!("starts_with(s.name, {})", self.whole);
        format!("case when {} then {exact} when {starts_with} then {starts} else {rest} end", self.exact(arm))
    }

    /// Whether the name, a number or an email address is the query, whatever fields are asked for.
    fn exact(&self, arm: &Arm) -> String {
        let is_exact = |field| matches!(field, SearchField::Number | SearchField::Email);
        let name = format!("s.name = {}", self.whole);
        any(std::iter::once(name).chain(sections(arm, is_exact, &self.value)))
    }
}

impl BoundWord {
    /// That it lies in one of the fields that are asked for.
    fn lies_in(&self, search: &Search, arm: &Arm) -> String {
        let start = &self.start;
        if search.field.is_some() {
            let lies_in = |section: &Section| {
                let anywhere = self.anywhere.as_ref().filter(|_| section.field.is_free());
                contains(arm, *section, anywhere.unwrap_or(start))
            };
            let asked = SECTIONS.iter().filter(|section| search.asks(section.field)).filter_map(lies_in);
            return any(asked.chain(search.asks(SearchField::Number).then(|| numbered(start))));
        }
        // In all fields: whole groups are looked through at once.
        let free = self.anywhere.as_ref().map(|anywhere| format!("strpos({}, {anywhere}) > 0", group(FREE)));
        let others = match arm.shown {
            Shown::All => vec![format!("strpos(s.doc, {start}) > 0")],
            Shown::Below | Shown::ByPlace => {
                let mut others: Vec<String> =
                    (FREE..HIDDEN).map(|place| format!("strpos({}, {start}) > 0", group(place))).collect();
                if arm.shown == Shown::ByPlace {
                    others.push(format!("$3 = any(c.ancestors) and strpos({}, {start}) > 0", group(HIDDEN)));
                }
                others
            }
        };
        any(free.into_iter().chain(others).chain(std::iter::once(numbered(start))))
    }
}

/// That a text lies in one of the sections of these fields, or in a custom ID.
fn sections(arm: &Arm, of: impl Fn(SearchField) -> bool, text: &str) -> Vec<String> {
    let asked = SECTIONS.iter().filter(|section| of(section.field));
    let mut found: Vec<String> = asked.filter_map(|section| contains(arm, *section, text)).collect();
    // To take a section out of the document costs several times a look at all of it.
    if found.len() > 1 {
        found = vec![format!("(strpos(s.doc, {text}) > 0 and {})", any(found))];
    }
    found.extend(of(SearchField::Number).then(|| numbered(text)));
    found
}

/// That a text lies in a section; none if the acting account is not shown it.
fn contains(arm: &Arm, section: Section, text: &str) -> Option<String> {
    let lies = format!("strpos(split_part({}, chr(29), {}), {text}) > 0", group(section.group), section.place + 1);
    match arm.shown {
        _ if section.is_shown_below() => Some(lies),
        Shown::All => Some(lies),
        Shown::Below => None,
        Shown::ByPlace => Some(format!("$3 = any(c.ancestors) and {lies}")),
    }
}

fn group(place: usize) -> String {
    format!("split_part(s.doc, chr(28), {})", place + 1)
}

/// That the acting account gave the customer a custom ID in whose words a text lies.
fn numbered(text: &str) -> String {
    format!("strpos(x.ids, {text}) > 0")
}

fn any(conditions: impl IntoIterator<Item = String>) -> String {
    let all: Vec<String> = conditions.into_iter().collect();
    if all.is_empty() { "false".to_owned() } else { format!("({})", all.join(" or ")) }
}

fn all(conditions: impl IntoIterator<Item = String>) -> String {
    let all: Vec<String> = conditions.into_iter().collect();
    if all.is_empty() { "true".to_owned() } else { format!("({})", all.join(" and ")) }
}
