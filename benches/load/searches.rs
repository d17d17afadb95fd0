//! The searches: for names, other values and tags of an account's customers, as people type them.

use std::sync::Arc;

use clientele::grpc::pb;
use tonic::Status;

use super::{
    clients::{Call, Caller},
    names::{Details, Names},
    rng::Rng,
};

/// The kind of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchKind {
    /// A word of a name, in names.
    Name,
    /// A word of a name, a city, a custom ID or an email address, in all fields.
    All,
    /// One of the account's tags, and no word.
    Tag,
    /// No word: all customers, by name.
    List,
    /// The same, and the page after the first.
    SecondPage,
    /// The email address of one customer, in all fields.
    Rare,
    /// Two words: of a name, and a city.
    TwoWords,
    /// A city, in cities.
    City,
    /// A custom ID, in numbers.
    Number,
    /// The first two characters of a word of a name, in all fields.
    Short,
    /// A word that nobody has, in all fields.
    Nothing,
    /// As `Name`, of the account and all below it.
    Below,
}

/// The customers to search for.
#[derive(Clone)]
pub struct Subjects {
    pub names: Arc<Names>,
    /// Their numbers.
    pub members: Arc<[u64]>,
    pub tags: &'static [(&'static str, u64)],
}

/// A search with pages of 50, BASIC, in the default order.
pub struct Search {
    caller: Caller,
    rng: Rng,
    subjects: Subjects,
    kind: SearchKind,
    /// Of the second page.
    token: String,
}

impl Search {
    pub fn new(caller: Caller, subjects: Subjects, kind: SearchKind) -> Self {
        Self { caller, rng: Rng::new(), subjects, kind, token: String::new() }
    }

    fn message(&mut self) -> pb::SearchCustomersRequest {
        let mut message = pb::SearchCustomersRequest::default();
        match self.kind {
            SearchKind::Name => {
                message.query = self.word();
                message.field = pb::SearchField::Name.into();
            }
            SearchKind::Below => {
                message.query = self.word();
                message.field = pb::SearchField::Name.into();
                message.include_descendants = true;
            }
            SearchKind::All => message.query = self.anything(),
            SearchKind::Tag => {
                let (tag, _) = *self.rng.pick(self.subjects.tags);
                message.tags = Some(pb::TagFilter { any_of: vec![tag.to_owned()], ..Default::default() });
            }
            SearchKind::List => {}
            SearchKind::SecondPage => message.page_token.clone_from(&self.token),
            SearchKind::Rare => message.query = format!("info@{}.example", self.details().host),
            SearchKind::TwoWords => {
                let details = self.details();
                let (word, city) = (self.rng.pick(&long(&details.name)).to_string(), details.city);
                message.query = format!("{word} {city}");
            }
            SearchKind::City => {
                message.query = self.details().city.to_owned();
                message.field = pb::SearchField::City.into();
            }
            SearchKind::Number => {
                message.query = self.details().number;
                message.field = pb::SearchField::Number.into();
            }
            SearchKind::Short => message.query = self.word().chars().take(2).collect(),
            SearchKind::Nothing => message.query = format!("qx{}zq", self.rng.below(1_000_000)),
        }
        message
    }

    fn details(&mut self) -> Details {
        self.subjects.names.customer(*self.rng.pick(&self.subjects.members))
    }

    /// A word of a customer's name; every second time only its start. So common words are searched for often.
    fn word(&mut self) -> String {
        let details = self.details();
        let words = long(&details.name);
        let word = self.rng.pick(&words);
        let most = if self.rng.below(2) == 0 { 4 } else { usize::MAX };
        word.chars().take(most).collect()
    }

    fn anything(&mut self) -> String {
        let details = self.details();
        match self.rng.below(4) {
            0 => self.word(),
            1 => long(details.city).join(" "),
            2 => details.number,
            _ => format!("info@{}", details.host),
        }
    }
}

/// The words of three or more characters.
fn long(text: &str) -> Vec<&str> {
    text.split(' ').filter(|word| word.chars().count() >= 3).collect()
}

impl Call for Search {
    async fn call(&mut self) -> Result<bool, Status> {
        let message = self.message();
        let query = format!("{:?} {:?}", message.query, message.tags);
        let request = self.caller.request(message);
        let answer = self.caller.client.search_customers(request).await?.into_inner();
        assert_eq!(answer.results.is_empty(), self.kind == SearchKind::Nothing, "{query}");
        if self.kind == SearchKind::SecondPage && self.token.is_empty() {
            self.token = answer.next_page_token; // the first call, while warming up
            assert!(!self.token.is_empty(), "there is no second page");
        }
        Ok(true)
    }
}
