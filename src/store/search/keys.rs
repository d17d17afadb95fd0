//! The part of the statement that finds candidates by the index.

use std::fmt::Write as _;

use super::{
    builder::{Arm, Builder, Node},
    words::Rank,
};
use crate::{
    domain::search::{Condition, Fields, IN_BUCKET, IN_NODE, Search, SearchField, VERSION},
    error::Result,
};

/// A condition on the keys of a node.
struct Keys {
    node: Node,
    /// An expression of the text of a [`Condition`]; none if it asks for nothing of their words.
    condition: Option<String>,
    /// A node that has the customers too, by one key each.
    more: Option<Node>,
}

impl Keys {
    /// The condition in the bucket `n` as an expression of columns of `g`, and these columns.
    fn in_bucket(&self, name: &str) -> (String, String) {
        let (mut all, mut columns) = (Vec::new(), Vec::new());
        if let Some(condition) = &self.condition {
            let node = self.node.key();
            columns.push(format!(
                "{node} as {name}_node, replace({condition}, chr({}), {node} || '~') as {name}_asked",
                u32::from(IN_NODE)
            ));
            // What is in no bucket is the same in each.
            let asked = format!("replace(g.{name}_asked, chr({}), g.{name}_node || chr(48 + n))", u32::from(IN_BUCKET));
            all.push(format!("'(' || {asked} || ')'"));
        }
        if let Some(more) = &self.more {
            columns.push(format!("{} as {name}_more", more.key()));
            all.push(format!("quote_literal(g.{name}_more || chr(48 + n))"));
        }
        (format!("({})::tsquery", all.join(" || '&' || ")), columns.join(", "))
    }
}

/// What the index is asked for.
pub(super) struct Candidates {
    /// Of the keys of customers.
    customers: Keys,
    /// Of the keys of custom IDs that the acting account gave to customers of others.
    custom_ids: Option<Keys>,
    /// Ranks whose conditions ask for nothing that is in a bucket: one look-up finds them all.
    one_look_up: Vec<Rank>,
}

impl Candidates {
    /// Those of an arm whose condition this is.
    pub(super) fn of(arm: &Arm, condition: Option<String>) -> Self {
        Self { customers: arm.keys(condition), custom_ids: None, one_look_up: Vec::new() }
    }

    /// The buckets `n`, each with its conditions as columns. A condition that is null has no candidates.
    pub(super) fn buckets(&self, (from, to, step): (&str, &str, i32), condition: &str) -> String {
        let ranks: Vec<String> = self.one_look_up.iter().map(|rank| rank.number().to_string()).collect();
        let from = match ranks.as_slice() {
            [] => from.to_owned(),
            ranks => format!("case when r.rank in ({}) then {to}::integer else {from}::integer end", ranks.join(", ")),
        };
        let all = std::iter::once(("k", &self.customers)).chain(self.custom_ids.iter().map(|keys| ("i", keys)));
        let (mut made, mut columns) = (Vec::new(), String::new());
        for (name, keys) in all {
            let (condition, parts) = keys.in_bucket(name);
            made.push(parts);
            _ = write!(columns, ", {condition} as {name}");
        }
        format!(
            "select n{columns} from (select {} offset 0) g cross join generate_series({from}, {to}, {step}) n{condition}",
            made.join(", ")
        )
    }

    /// The candidates of the bucket `b`, as rows of `customer_search`. Both tables are read by their keys alone, so that no
    /// statistics can lead to another plan: the indexes have no column for the tenant, and would be joined with one that has.
    pub(super) fn rows(&self) -> String {
        let text = format!(
            "s.customer_id, s.doc, s.name, s.country, coalesce(case when s.version >= {VERSION} then s.name_sort end, (
                select c.name_sort from customers c where c.tenant_id = $1 and c.id = s.customer_id
             )) as name_sort"
        );
        let keys = "customer_lexemes(s.tenant_id, s.account_id, s.ancestors, s.bucket, s.lexemes, s.id_lexemes)";
        let customers = format!("from customer_search s where {keys} @@ b.k and s.tenant_id is not distinct from $1");
        if self.custom_ids.is_none() {
            return format!("select {text} {customers} offset 0");
        }
        format!(
            "select {text} from (
                select s.customer_id {customers}
                union
                select i.customer_id from custom_ids i
                where i.elsewhere and custom_id_lexemes(i.account_id, i.bucket, i.lexemes) @@ b.i
                  and i.tenant_id is not distinct from $1
             ) f
             cross join lateral (
                select * from customer_search s where s.tenant_id = $1 and s.customer_id = f.customer_id offset 0
             ) s
             offset 0"
        )
    }
}

impl Arm {
    /// The condition on the keys of its customers. Where the node has customers that are not below the acting account, those that are
    /// have one more key.
    fn keys(&self, condition: Option<String>) -> Keys {
        Keys { node: self.node.clone(), condition, more: self.is_within.then_some(Node::Below) }
    }

    /// Whether its customers are the acting account's own.
    fn is_own(&self) -> bool {
        self.node == Node::Account("$3".to_owned())
    }
}

/// What candidates have: their text, or custom IDs elsewhere.
struct Asked {
    text: Condition,
    ids: Option<Condition>,
}

impl Asked {
    /// Those of customers of an arm that match.
    fn of(search: &Search, arm: &Arm) -> Self {
        let (query, fields) = (&search.query, search.fields());
        // Custom IDs are the acting account's, whoever owns the customer. Where it is the owner, the text's keys have both.
        let has_ids = !arm.is_own() && search.asks(SearchField::Number);
        // A match by text has all words in the text; one by custom IDs has some word in one of these. Of many words one is enough,
        // wherever it is.
        let is_one = query.is_long() && has_ids;
        let text = if is_one { query.lexemes_of_one(fields) } else { query.lexemes(fields) };
        let of_ids =
            || if is_one { query.lexemes_of_one(Fields { free: false, ..fields }) } else { query.id_lexemes() };
        Self { text, ids: has_ids.then(of_ids) }
    }

    /// Those whose name, number or email address is the query. They are exact whatever was asked for, and so are custom IDs.
    fn of_exact(search: &Search, arm: &Arm) -> Self {
        let exact = search.query.exact_lexemes();
        Self { ids: (!arm.is_own()).then(|| exact.clone()), text: exact }
    }

    fn is_in_no_bucket(&self) -> bool {
        std::iter::once(&self.text).chain(&self.ids).all(Condition::is_in_no_bucket)
    }

    /// The text has these, too.
    fn with(self, more: &[Condition]) -> Self {
        Self { text: Condition::all(more.iter().cloned().chain([self.text])), ..self }
    }
}

impl Builder {
    /// What the index is asked for, of the customers of an arm that match. What filters ask for is in the same index.
    pub(super) fn candidates(&mut self, search: &Search, arm: &Arm) -> Result<Candidates> {
        let Asked { text, ids } = Asked::of(search, arm).with(&arm.filter(search));
        let customers = arm.keys(Some(self.condition(&text)?));
        let custom_ids = ids.map(|ids| self.condition(&ids)).transpose()?.map(elsewhere);
        Ok(Candidates { customers, custom_ids, one_look_up: Vec::new() })
    }

    /// The same of those that match with the rank `r`.
    pub(super) fn candidates_of_rank(&mut self, search: &Search, arm: &Arm) -> Result<Candidates> {
        let filter = arm.filter(search);
        let is_alone = !arm.is_within && filter.is_empty();
        let ranks = Rank::ORDER.map(|rank| {
            let asked = match rank {
                Rank::Exact => Asked::of_exact(search, arm),
                Rank::Starts => Asked { text: search.query.name_start_lexemes(is_alone), ids: None },
                Rank::Matches => Asked::of(search, arm),
            };
            asked.with(&filter)
        });
        let customers = self.by_rank(ranks.each_ref().map(|asked| Some(&asked.text)))?;
        let has_ids = ranks.iter().any(|asked| asked.ids.is_some());
        let custom_ids = has_ids.then(|| self.by_rank(ranks.each_ref().map(|asked| asked.ids.as_ref()))).transpose()?;
        let one_look_up =
            Rank::ORDER.into_iter().zip(&ranks).filter(|(_, asked)| asked.is_in_no_bucket() && !arm.is_within);
        let one_look_up = one_look_up.map(|(rank, _)| rank).collect();
        Ok(Candidates { customers: arm.keys(Some(customers)), custom_ids: custom_ids.map(elsewhere), one_look_up })
    }

    /// The condition that the rank `r` has; null if it has none.
    fn by_rank(&mut self, ranks: [Option<&Condition>; Rank::ORDER.len()]) -> Result<String> {
        let mut cases = String::new();
        for (rank, condition) in Rank::ORDER.into_iter().zip(ranks) {
            if let Some(condition) = condition {
                _ = write!(cases, " when {} then {}", rank.number(), self.condition(condition)?);
            }
        }
        Ok(format!("(case r.rank{cases} end)"))
    }

    /// A condition as its text.
    pub(super) fn condition(&mut self, condition: &Condition) -> Result<String> {
        Ok(format!("{}::text", self.bind(condition.text())?))
    }
}

/// The condition on the keys of custom IDs.
fn elsewhere(condition: String) -> Keys {
    Keys { node: Node::Elsewhere, condition: Some(condition), more: None }
}
