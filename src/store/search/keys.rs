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
pub(super) struct Candidates {
    /// Keys of customers.
    customers: Vec<Keys>,
    /// Grams of custom IDs that the acting account gave to customers of others, by parameter.
    custom_ids: Vec<String>,
}

/// The gram of keys that stand for no gram.
const NO_GRAM: &str = "array[0]";

impl Candidates {
    /// Those with all of these keys.
    pub(super) fn of(keys: Keys) -> Self {
        Self { customers: vec![keys], custom_ids: Vec::new() }
    }

    /// The columns of one bucket `n`: a list of keys each.
    pub(super) fn columns(&self) -> String {
        let keys = |node: &Node, grams: &str| {
            format!("select {} | (n::bigint << 32) | g from unnest({grams}::bigint[]) g", node.bits())
        };
        let customers = self.customers.iter().enumerate().map(|(place, list)| {
            let all: Vec<String> = list.iter().map(|(node, grams)| keys(node, grams)).collect();
            format!(", array({}) as k{place}", all.join(" union all "))
        });
        let custom_ids = self.custom_ids.iter().enumerate();
        let custom_ids =
            custom_ids.map(|(place, grams)| format!(", array({}) as i{place}", keys(&Node::Elsewhere, grams)));
        customers.chain(custom_ids).collect()
    }

    /// The candidates of the bucket `b`, as rows of `customer_search`. Both tables are read by their keys alone, so that no
    /// statistics can lead to another plan: the indexes have no column for the tenant, and would be joined with one that has.
    pub(super) fn rows(&self) -> String {
        const TEXT: &str = "s.customer_id, s.doc, s.name, s.country";
        let any = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<Vec<_>>().join(" or ");
        let keys = "customer_keys(s.tenant_id, s.account_id, s.ancestors, s.bucket, s.grams, s.id_grams)";
        let customers = any(self.customers.len(), &|place| format!("{keys} @> b.k{place}"));
        let customers = format!("from customer_search s where ({customers}) and s.tenant_id is not distinct from $1");
        if self.custom_ids.is_empty() {
            return format!("select {TEXT} {customers} offset 0");
        }
        let keys = "custom_id_keys(i.account_id, i.bucket, i.grams)";
        let custom_ids = any(self.custom_ids.len(), &|place| format!("{keys} @> b.i{place}"));
        format!(
            "select {TEXT} from (
                select s.customer_id {customers}
                union
                select i.customer_id from custom_ids i
                where i.elsewhere and ({custom_ids}) and i.tenant_id is not distinct from $1
             ) f
             cross join lateral (
                select * from customer_search s where s.tenant_id = $1 and s.customer_id = f.customer_id offset 0
             ) s
             offset 0"
        )
    }
}

impl Arm {
    /// The key that all of its customers have which are below the acting account, where others of the tenant are not.
    pub(super) fn within(&self) -> Option<(Node, String)> {
        self.is_within.then(|| (Node::Below, NO_GRAM.to_owned()))
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
        let mut customers = Vec::new();
        for grams in of_text {
            let more = more.iter().map(|more| (arm.node.clone(), more.clone()));
            let text = std::iter::once((arm.node.clone(), self.grams(&grams)?));
            customers.push(text.chain(more).chain(arm.within()).collect());
        }
        // A name that is the query is exact whatever was asked for; so is a custom ID.
        let of_ids = of_ids.into_iter().filter(|_| ids || (!is_own && rank == Rank::Exact));
        let custom_ids = of_ids.map(|grams| self.grams(&grams)).collect::<Result<_>>()?;
        Ok(Candidates { customers, custom_ids })
    }

    /// Grams as bits of keys.
    pub(super) fn grams(&mut self, grams: &[i32]) -> Result<String> {
        self.bind(grams.iter().map(|gram| i64::from(gram.cast_unsigned())).collect::<Vec<_>>())
    }
}
