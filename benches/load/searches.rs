//! The searches: for what customers of an account are called, have and are tagged with, as people type it.

use std::sync::Arc;

use clientele::grpc::pb;
use tonic::Status;

use super::{
    crew::{Call, Caller},
    dice::Dice,
    names::Names,
};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A word of a name, in names.
    Name,
    /// A word of a name, a city, a custom ID or an address for mail, wherever it is.
    All,
    /// One of the account's tags, and no word.
    Tag,
    /// Nothing: everybody, by name.
    List,
    /// The same, and the page behind the first.
    SecondPage,
}

/// Whose customers are asked for.
#[derive(Clone)]
pub struct Subjects {
    pub names: Arc<Names>,
    /// Their numbers.
    pub members: Arc<[u64]>,
    pub tags: &'static [(&'static str, u64)],
}

/// Pages of 50, BASIC, in the order that the contract has if none is asked for.
pub struct Search {
    caller: Caller,
    dice: Dice,
    subjects: Subjects,
    ask: Ask,
    /// Of the second page.
    token: String,
}

impl Search {
    pub fn new(caller: Caller, subjects: Subjects, ask: Ask) -> Self {
        Self { caller, dice: Dice::new(), subjects, ask, token: String::new() }
    }

    fn message(&mut self) -> pb::SearchCustomersRequest {
        let mut message = pb::SearchCustomersRequest::default();
        match self.ask {
            Ask::Name => {
                message.query = self.word();
                message.field = pb::SearchField::Name.into();
            }
            Ask::All => message.query = self.anything(),
            Ask::Tag => {
                let (tag, _) = *self.dice.one(self.subjects.tags);
                message.tags = Some(pb::TagFilter { any_of: vec![tag.to_owned()], ..Default::default() });
            }
            Ask::List => {}
            Ask::SecondPage => message.page_token.clone_from(&self.token),
        }
        message
    }

    /// A word of somebody's name, every other time only how it begins. So common words are asked for often.
    fn word(&mut self) -> String {
        let named = self.subjects.names.customer(*self.dice.one(&self.subjects.members));
        let words = long(&named.name);
        let word = self.dice.one(&words);
        let most = if self.dice.below(2) == 0 { 4 } else { usize::MAX };
        word.chars().take(most).collect()
    }

    fn anything(&mut self) -> String {
        let named = self.subjects.names.customer(*self.dice.one(&self.subjects.members));
        match self.dice.below(4) {
            0 => self.word(),
            1 => long(named.city).join(" "),
            2 => named.number,
            _ => format!("info@{}", named.host),
        }
    }
}

/// Its words of three characters and more. Shorter ones are looked for where a name begins alone.
fn long(text: &str) -> Vec<&str> {
    text.split(' ').filter(|word| word.chars().count() >= 3).collect()
}

impl Call for Search {
    async fn call(&mut self) -> Result<bool, Status> {
        let message = self.message();
        let asked = format!("{:?} {:?}", message.query, message.tags);
        let request = self.caller.request(message);
        let answer = self.caller.client.search_customers(request).await?.into_inner();
        assert!(!answer.results.is_empty(), "{asked}: nobody found");
        if self.ask == Ask::SecondPage && self.token.is_empty() {
            self.token = answer.next_page_token; // the first call, while warming up
            assert!(!self.token.is_empty(), "there is no second page");
        }
        Ok(true)
    }
}
