//! The part of the statement that finds candidates by the index.

use super::{
    builder::{Arm, Builder, Node},
    words::Rank,
};
use crate::{
    domain::search::{Search, SearchField},
    error::Result,
};

/// A list of keys: of each node these grams, by parameter.
type Keys = Vec<(Node, String)>;

/// Lists of keys: a candidate has all keys of one of them.
pub(super) struct Candidates(Vec<Keys>);

impl Candidates {
    /// Those with all of these keys.
    pub(super) fn of(keys: Keys) -> Self {
        Self(vec![keys])
    }

    /// The columns of one bucket `n`: a list of keys each.
    pub(super) fn columns(&self) -> String {
        let columns = self.0.iter().enumerate().map(|(place, keys)| {
            let keys: Vec<String> = keys
                .iter()
                .map(|(node, grams)| {
                    format!("select {} | (n::bigint << 32) | g from unnest({grams}::bigint[]) g", node.bits())
                })
                .collect();
            format!(", array({}) as k{place}", keys.join(" union all "))
        });
        columns.collect()
    }

    /// That a row of `customer_search s` is a candidate of the bucket `b`.
    pub(super) fn condition(&self) -> String {
        let lists = 0..self.0.len();
        let one =
            |place| format!("search_keys(s.tenant_id, s.account_id, s.bucket, s.grams, s.id_grams) @> b.k{place}");
        format!("({})", lists.map(one).collect::<Vec<_>>().join(" or "))
    }
}

impl Builder {
    /// What the index is asked for, of the customers of an arm and of a rank.
    pub(super) fn candidates(&mut self, search: &Search, arm: &Arm, rank: Rank) -> Result<Candidates> {
        let query = &search.query;
        let is_own = arm.node == Node::Account("$3".to_owned());
        // Custom IDs are the acting account's, whoever owns the customer. Where it is the owner, one list has both.
        let ids = !is_own && search.asks(SearchField::Number);
        let value = vec![query.value_gram()];
        // A match by text has all words in the text; one by custom IDs has some word in one of these. Of many words one is enough,
        // wherever it is.
        let all = || if query.is_long() && ids { query.grams_of_one() } else { query.grams() };
        let some = || if query.is_long() { query.grams_of_one() } else { query.id_grams() };
        let (of_text, of_ids, more) = match rank {
            Rank::Exact => (vec![value.clone()], vec![value], None),
            Rank::Starts => (all(), some(), Some(query.name_start_gram())),
            Rank::Matches | Rank::Any => (all(), some(), None),
        };
        // What filters ask for is in the same index.
        let more: Vec<i32> = more.into_iter().chain(arm.grams(search)).collect();
        let more = if more.is_empty() { None } else { Some(self.grams(&more)?) };
        let more = || more.iter().map(|more| (arm.node.clone(), more.clone()));
        let mut lists = Vec::new();
        for grams in of_text {
            lists.push(std::iter::once((arm.node.clone(), self.grams(&grams)?)).chain(more()).collect());
        }
        // A name that is the query is exact whatever was asked for; so is a custom ID.
        for grams in of_ids.into_iter().filter(|_| ids || (!is_own && rank == Rank::Exact)) {
            lists.push(std::iter::once((Node::Elsewhere, self.grams(&grams)?)).chain(more()).collect());
        }
        Ok(Candidates(lists))
    }

    /// Grams as bits of keys.
    pub(super) fn grams(&mut self, grams: &[i32]) -> Result<String> {
        self.bind(grams.iter().map(|gram| i64::from(gram.cast_unsigned())).collect::<Vec<_>>())
    }
}
