//! The parameters of a statement, and whose customers it looks at.

use sqlx::{Arguments as _, Encode, Postgres, Type, postgres::PgArguments};

use super::place::{Place, PlaceKey};
use crate::{
    domain::{
        access::caller::Scope,
        fields::field::View,
        search::{Condition, OrderBy, Search},
        values::ids::CustomerId,
    },
    error::{Error, Result},
    store::sql::sql,
};

/// The parameters so far. $1 is the tenant, $2 the customer that the call is narrowed to, $3 the acting account, $4 its path, $5
/// the fields that the view leaves out.
pub(super) struct Builder {
    pub(super) arguments: PgArguments,
    parameters: usize,
}

/// What every arm of a statement has.
pub(super) struct Parts<'a> {
    pub(super) search: &'a Search,
    pub(super) filters: String,
    pub(super) behind: Option<Behind<'a>>,
    pub(super) limit: String,
}

/// What comes behind a place.
pub(super) struct Behind<'a> {
    /// The condition on the customer `c`; on the rank `r` as well if there are ranks.
    pub(super) condition: String,
    /// The same on a candidate `s` of a bucket; none in an order by time.
    pub(super) of_candidate: Option<String>,
    pub(super) place: &'a Place,
    pub(super) is_ranked: bool,
}

/// Customers that the acting account sees for one reason.
pub(super) struct Arm {
    /// The condition on the customer `c`.
    pub(super) whose: String,
    /// The part of it that an index of the order has.
    pub(super) index: String,
    /// The account, or the tenant, whose keys the index has for their text.
    pub(super) node: Node,
    /// What of their text is shown.
    pub(super) shown: Shown,
    /// Whether the node has customers that are not below the acting account.
    pub(super) is_within: bool,
}

/// The condition of all customers of the tenant.
const EVERY: &str = "true";

impl Arm {
    fn new(whose: &str, index: &str, node: Node, shown: Shown) -> Self {
        Self { whose: whose.to_owned(), index: index.to_owned(), node, shown, is_within: false }
    }

    /// Whether an index has its customers in an order. In the order of time there is one of each account, and none of the tenant:
    /// the planner would take it to read a customer by its id, until there are statistics.
    pub(super) fn has_index_of(&self, order: OrderBy) -> bool {
        self.index != EVERY || order.is_by_name()
    }

    /// What must hold before its buckets are looked through: that an account above has customers which are shown below. Most have none.
    pub(super) fn has_any(&self) -> String {
        match self.shown {
            Shown::Below => {
                format!(" where exists (select from customers c where c.tenant_id = $1 and {} offset 0)", self.index)
            }
            Shown::All | Shown::ByPlace => String::new(),
        }
    }

    /// What must hold of its customers' lexemes beside those of their text: what filters ask for, and of an account above that they
    /// are shown below.
    pub(super) fn filter(&self, search: &Search) -> Vec<Condition> {
        let fleet = (self.shown == Shown::Below).then(Search::fleet_lexemes);
        search.filter_lexemes().into_iter().chain(fleet).collect()
    }
}

/// Whose keys the index is asked for.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// Those of an account: the parameter.
    Account(String),
    /// Those of the acting account on all customers below it, not its own.
    Below,
    /// Those of the custom IDs that the acting account gave to customers of others.
    Elsewhere,
    /// Those of the tenant.
    Tenant,
    /// None: the customer is known.
    Customer,
}

impl Node {
    /// What its keys begin with.
    pub(super) fn key(&self) -> String {
        let (id, kind) = match self {
            Self::Account(parameter) => (parameter.as_str(), 0),
            Self::Tenant | Self::Customer => ("$1", 1),
            Self::Elsewhere => ("$3", 2),
            Self::Below => ("$3", 3),
        };
        format!("substr(encode(int8send(uuid_hash_extended({id}, {kind})), 'base64'), 1, 5)")
    }
}

/// Which sections the acting account is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// All.
    All,
    /// Those of a customer that it sees through its reach.
    Below,
    /// As its place to the owner is.
    ByPlace,
}

impl Builder {
    pub(super) fn new(scope: &Scope, view: View) -> Result<Self> {
        let mut builder = Self { arguments: PgArguments::default(), parameters: 0 };
        let path: Vec<uuid::Uuid> = scope.path().ids().iter().map(|id| id.get()).collect();
        builder.bind(scope.tenant().get())?;
        builder.bind(scope.narrowed().map(CustomerId::get))?;
        builder.bind(scope.root().get())?;
        builder.bind(path)?;
        builder.bind(view.left_out())?;
        Ok(builder)
    }

    /// Adds a parameter; what stands for it in the text.
    pub(super) fn bind<'q, T: Encode<'q, Postgres> + Type<Postgres> + 'q>(&mut self, value: T) -> Result<String> {
        self.arguments.add(value).map_err(Error::internal)?;
        self.parameters += 1;
        Ok(format!("${}", self.parameters))
    }

    /// Whose customers are looked at.
    pub(super) fn arms(&mut self, scope: &Scope, search: &Search) -> Result<Vec<Arm>> {
        let from_below = !search.filters_by_hidden();
        if scope.narrowed().is_some() {
            let visible = if from_below { sql!(text, VISIBLE) } else { "$3 = any(c.ancestors)" };
            let whose = format!("c.id = $2 and {visible}");
            let index = "c.id = $2".to_owned();
            return Ok(vec![Arm::new(&whose, &index, Node::Customer, Shown::ByPlace)]);
        }
        let mut arms = Vec::new();
        let is_root = scope.path().ids().len() == 1;
        if search.include_descendants && is_root && search.query.is_empty() && search.filter_lexemes().is_empty() {
            // One walk in the tenant's order gives both. In this form the planner takes the condition to be true of most: it would
            // sort all of the tenant's if it took it to be rare.
            arms.push(Arm::new("array_position(c.ancestors, $3) is not null", EVERY, Node::Tenant, Shown::All));
        } else {
            let own = "c.account_id = $3";
            arms.push(Arm::new(own, own, Node::Account("$3".to_owned()), Shown::All));
            if search.include_descendants {
                let below = "$3 = any(c.ancestors) and c.account_id <> $3";
                let below = Arm::new(below, EVERY, Node::Tenant, Shown::All);
                arms.push(Arm { is_within: !is_root, ..below });
            }
        }
        for above in scope.path().ids().iter().skip(1).filter(|_| from_below) {
            let above = self.bind(above.get())?;
            let whose = format!("c.account_id = {above} and c.reach = 'FLEET'");
            arms.push(Arm::new(&whose, &whose, Node::Account(above), Shown::Below));
        }
        Ok(arms)
    }

    /// What comes behind a place, in the order of the list.
    pub(super) fn behind<'a>(&mut self, search: &Search, place: &'a Place) -> Result<Behind<'a>> {
        let key = match &place.key {
            PlaceKey::Name(key) => self.bind(key.as_bytes().to_vec())?,
            PlaceKey::At(at) => self.bind(*at)?,
        };
        let id = self.bind(place.id.get())?;
        let beyond = if search.order.descending { "<" } else { ">" };
        let is_ranked = search.order.by == OrderBy::Relevance && !search.query.is_empty();
        let beyond = |columns: &str| {
            let condition = format!("({columns}) {beyond} ({key}, {id})");
            if is_ranked { format!("(r.rank > {} or {condition})", place.rank) } else { condition }
        };
        let condition = beyond(&format!("c.{}, c.id", column(search.order.by)));
        let of_candidate = search.order.by.is_by_name().then(|| beyond("s.name_sort, s.customer_id"));
        Ok(Behind { condition, of_candidate, place, is_ranked })
    }
}

fn column(by: OrderBy) -> &'static str {
    match by {
        OrderBy::Relevance | OrderBy::Name => "name_sort",
        OrderBy::CreateTime => "created_at",
        OrderBy::UpdateTime => "updated_at",
    }
}

/// By what a list is sorted within a rank, of the table or union of this name.
pub(super) fn order(search: &Search, of: &str) -> String {
    let turned = if search.order.descending { " desc" } else { "" };
    format!("{of}.{}{turned}, {of}.id{turned}", column(search.order.by))
}

/// By what the candidates `s` of a bucket are sorted in an order by name.
pub(super) fn order_of_candidates(search: &Search) -> String {
    let turned = if search.order.descending { " desc" } else { "" };
    format!("s.name_sort{turned}, s.customer_id{turned}")
}
