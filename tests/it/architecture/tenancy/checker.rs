//! Checks that a statement restricts every table of the tenants to one tenant.
//!
//! A table in `from`, `join`, `using`, `update` or `delete` is restricted if a conjunct that applies to it says
//! `tenant_id = $n` (or `is not distinct from`), or says that its tenant_id equals that of a table which is restricted itself. Conjuncts are the
//! operands of the top-level `and` of a `where` or of a join's `on`; the `on` of a left join applies to the joined table
//! only. An insert is restricted if the value that it writes to tenant_id is `$n` or the tenant_id of a restricted table.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

use sqlparser::{
    ast::{
        BinaryOperator, Expr, FromTable, Ident, Insert, JoinConstraint, JoinOperator, ObjectName, Query, Select,
        SelectItem, SelectItemQualifiedWildcardKind, SetExpr, Statement, TableFactor, TableObject, TableWithJoins,
        UpdateTableFromKind, Value, Visit as _, Visitor,
    },
    dialect::PostgreSqlDialect,
    parser::Parser,
};

const TENANT: &str = "tenant_id";

/// Pieces of our statements, and what the checker reads in their place.
const READ_AS: [(&str, &str); 5] = [
    // The parser does not know these two locks.
    ("for key share", "for share"),
    ("for no key update", "for update"),
    // A stored answer's tenant: the statement's, but for CreateTenant, whose key has the nil UUID (DESIGN 3.1).
    ("coalesce(a.tenant_id, $1)", "$1"),
    // The parser does not know `rows from`.
    ("rows from (jsonb_to_recordset($10) as (", "(select * from jsonb_to_recordset($10) as recorded ("),
    (")) with ordinality as e", ")) as e"),
];

/// The tables of the tenants that a statement names without restricting them, each as a line for a failed test. A table
/// on the list `exempt` counts as restricted.
pub fn unrestricted(statement: &str, tables: &BTreeSet<String>, exempt: &[&str]) -> Result<Vec<String>, String> {
    // The statement of a search is deep, and the parser calls itself for each level.
    std::thread::scope(|scope| {
        let check = || unrestricted_within(statement, tables, exempt);
        std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, check).unwrap().join().unwrap()
    })
}

const STACK: usize = 256 * 1024 * 1024;
const LEVELS: usize = 500;

fn unrestricted_within(statement: &str, tables: &BTreeSet<String>, exempt: &[&str]) -> Result<Vec<String>, String> {
    let statement = READ_AS.iter().fold(statement.to_owned(), |text, (piece, other)| text.replace(piece, other));
    let parser = Parser::new(&PostgreSqlDialect {}).with_recursion_limit(LEVELS);
    let parsed = parser.try_with_sql(&statement).and_then(|mut parser| parser.parse_statements());
    let parsed = parsed.map_err(|error| error.to_string())?;
    let mut check = Check { tables, exempt, scopes: Vec::new(), found: Vec::new(), named: 0, judged: 0 };
    _ = parsed.visit(&mut check);
    if check.named != check.judged {
        return Err(format!("it names {} tables of the tenants, but the checker sees {}", check.named, check.judged));
    }
    Ok(check.found)
}

/// What the column tenant_id of a relation proves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// A table of the tenants without a restriction so far.
    Open,
    /// A restricted table, or a `with` query or subquery whose tenant_id comes from one.
    Restricted,
    /// Anything else: a function, a subquery, a table without tenants. It proves nothing.
    Other,
}

/// The names that one query, select or writing statement adds.
#[derive(Clone, Default)]
struct Scope {
    with: BTreeMap<String, Relation>,
    relations: BTreeMap<String, Relation>,
    /// How many of the relations are tables of the tenants.
    tables: usize,
}

/// A condition, and the only relation that it can restrict if it is in the `on` of a left join.
type Conjunct<'a> = (&'a Expr, Option<String>);

struct Check<'a> {
    tables: &'a BTreeSet<String>,
    exempt: &'a [&'a str],
    scopes: Vec<Scope>,
    found: Vec<String>,
    /// How often tables of the tenants are named, as the parser counts and as the checker does. They differ if a table is
    /// named in a place that the checker does not know.
    named: usize,
    judged: usize,
}

impl Check<'_> {
    /// The same scopes, to look at a part that is judged elsewhere.
    fn apart(&self) -> Self {
        let (scopes, found) = (self.scopes.clone(), Vec::new());
        Check { tables: self.tables, exempt: self.exempt, scopes, found, named: 0, judged: 0 }
    }

    fn with(&self, name: &str) -> Option<Relation> {
        self.scopes.iter().rev().find_map(|scope| scope.with.get(name).copied())
    }

    fn relation(&self, alias: &str) -> Option<Relation> {
        self.scopes.iter().rev().find_map(|scope| scope.relations.get(alias).copied())
    }

    fn innermost(&mut self) -> &mut Scope {
        self.scopes.last_mut().expect("a scope was entered")
    }

    /// The scope of a list of relations with a `where`, and its conjuncts.
    fn scope<'e>(
        &self,
        from: impl IntoIterator<Item = &'e TableWithJoins>,
        selection: Option<&'e Expr>,
    ) -> (Scope, Vec<Conjunct<'e>>) {
        let mut scope = Scope::default();
        let mut conjuncts: Vec<_> = from.into_iter().flat_map(|from| self.add(from, &mut scope)).collect();
        conjuncts.extend(selection.into_iter().flat_map(and).map(|conjunct| (conjunct, None)));
        (scope, conjuncts)
    }

    fn scope_of<'e>(&mut self, statement: &'e Statement) -> (Scope, Vec<Conjunct<'e>>) {
        match statement {
            Statement::Insert(insert) => (self.scope_of_insert(insert), Vec::new()),
            Statement::Update(update) => {
                let from = match &update.from {
                    Some(UpdateTableFromKind::BeforeSet(from) | UpdateTableFromKind::AfterSet(from)) => from.as_slice(),
                    None => &[],
                };
                self.scope([&update.table].into_iter().chain(from), update.selection.as_ref())
            }
            Statement::Delete(delete) => {
                let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
                self.scope(from.iter().chain(delete.using.iter().flatten()), delete.selection.as_ref())
            }
            _ => Default::default(),
        }
    }

    fn scope_of_insert(&mut self, insert: &Insert) -> Scope {
        let mut scope = Scope::default();
        if let TableObject::TableName(name) = &insert.table
            && let relation @ (Relation::Open | Relation::Restricted) = self.table(&last(name))
        {
            let writes = relation == Relation::Restricted || self.writes_tenant(insert);
            let alias = insert.table_alias.as_ref().map_or(last(name), |alias| alias.alias.value.clone());
            scope.relations.insert(alias, if writes { Relation::Restricted } else { Relation::Open });
            scope.tables += 1;
        }
        scope
    }

    fn table(&self, name: &str) -> Relation {
        match self.tables.contains(name) {
            true if self.exempt.contains(&name) => Relation::Restricted,
            true => Relation::Open,
            false => Relation::Other,
        }
    }

    /// Adds relations that are joined, and returns the conjuncts of the joins.
    fn add<'e>(&self, from: &'e TableWithJoins, scope: &mut Scope) -> Vec<Conjunct<'e>> {
        let mut conjuncts = self.add_one(&from.relation, scope).1;
        for join in &from.joins {
            let (alias, more) = self.add_one(&join.relation, scope);
            conjuncts.extend(more);
            let (on, only) = match &join.join_operator {
                JoinOperator::Join(on) | JoinOperator::Inner(on) | JoinOperator::CrossJoin(on) => (on, None),
                JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => (on, Some(alias.unwrap_or_default())),
                // A full join keeps rows of both sides that no `on` restricts.
                _ => continue,
            };
            if let JoinConstraint::On(on) = on {
                conjuncts.extend(and(on).into_iter().map(|conjunct| (conjunct, only.clone())));
            }
        }
        conjuncts
    }

    fn add_one<'e>(&self, factor: &'e TableFactor, scope: &mut Scope) -> (Option<String>, Vec<Conjunct<'e>>) {
        let (alias, relation) = match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let name = last(name);
                scope.tables += usize::from(self.tables.contains(&name));
                let relation = self.with(&name).unwrap_or_else(|| self.table(&name));
                (alias.as_ref().map_or(name, |alias| alias.name.value.clone()), relation)
            }
            TableFactor::NestedJoin { table_with_joins, .. } => return (None, self.add(table_with_joins, scope)),
            TableFactor::Derived { alias: Some(alias), subquery, .. } => {
                let mut apart = self.apart();
                // A lateral subquery names relations before it.
                apart.scopes.push(scope.clone());
                (alias.name.value.clone(), apart.yields(subquery))
            }
            TableFactor::Table { alias: Some(alias), .. }
            | TableFactor::Function { alias: Some(alias), .. }
            | TableFactor::UNNEST { alias: Some(alias), .. } => (alias.name.value.clone(), Relation::Other),
            _ => return (None, Vec::new()),
        };
        scope.relations.insert(alias.clone(), relation);
        (Some(alias), Vec::new())
    }

    /// Enters a scope, and lets its conjuncts restrict its tables until none of them restricts another one.
    fn enter(&mut self, (scope, conjuncts): (Scope, Vec<Conjunct<'_>>)) {
        self.scopes.push(scope);
        while let Some(alias) = conjuncts.iter().find_map(|conjunct| self.restricts(conjunct)) {
            self.innermost().relations.insert(alias, Relation::Restricted);
        }
    }

    /// Enters a scope, and reports the tables that stay open.
    fn judge(&mut self, scope: (Scope, Vec<Conjunct<'_>>)) -> ControlFlow<()> {
        self.judged += scope.0.tables;
        self.enter(scope);
        let relations = self.innermost().relations.clone();
        let open = relations.into_iter().filter(|(_, relation)| *relation == Relation::Open);
        self.found.extend(open.map(|(alias, _)| format!("{alias} is not restricted to a tenant")));
        ControlFlow::Continue(())
    }

    fn leave(&mut self) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    /// Whether a value is restricted in a scope that is judged elsewhere.
    fn is_restricted_in(&mut self, scope: (Scope, Vec<Conjunct<'_>>), value: &Expr) -> bool {
        self.enter(scope);
        let restricted = self.is_restricted(value);
        self.scopes.pop();
        restricted
    }

    /// The open table of the innermost scope that a conjunct restricts.
    fn restricts(&self, (conjunct, only): &Conjunct<'_>) -> Option<String> {
        let (Expr::BinaryOp { left, op: BinaryOperator::Eq, right } | Expr::IsNotDistinctFrom(left, right)) = conjunct
        else {
            return None;
        };
        [(left, right), (right, left)].into_iter().find_map(|(column, value)| {
            let alias = self.owner_of_tenant(column)?;
            let open = self.scopes.last()?.relations.get(&alias) == Some(&Relation::Open);
            let applies = only.as_ref().is_none_or(|only| *only == alias);
            (open && applies && self.is_restricted(value)).then_some(alias)
        })
    }

    /// The relation whose tenant_id a column is. Without an alias it is the only table of the innermost scope.
    fn owner_of_tenant(&self, column: &Expr) -> Option<String> {
        match column {
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [alias, column] if column.value == TENANT => Some(alias.value.clone()),
                _ => None,
            },
            Expr::Identifier(column) if column.value == TENANT => {
                let relations = &self.scopes.last()?.relations;
                let mut tables = relations.iter().filter(|(_, relation)| **relation != Relation::Other);
                let (only, _) = tables.next()?;
                tables.next().is_none().then(|| only.clone())
            }
            _ => None,
        }
    }

    /// Whether a value is a parameter, or the tenant_id of a restricted relation.
    fn is_restricted(&self, value: &Expr) -> bool {
        match value {
            Expr::Value(value) => matches!(value.value, Value::Placeholder(_)),
            Expr::Cast { expr, .. } => self.is_restricted(expr),
            _ => self.owner_of_tenant(value).and_then(|alias| self.relation(&alias)) == Some(Relation::Restricted),
        }
    }

    fn writes_tenant(&mut self, insert: &Insert) -> bool {
        let Some(at) = insert.columns.iter().position(|column| last(column) == TENANT) else { return false };
        match insert.source.as_deref().filter(|source| source.with.is_none()).map(|source| source.body.as_ref()) {
            Some(SetExpr::Values(values)) => {
                values.rows.iter().all(|row| row.get(at).is_some_and(|value| self.is_restricted(value)))
            }
            Some(SetExpr::Select(select)) => match select.projection.get(at) {
                Some(SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }) => {
                    let scope = self.scope(&select.from, select.selection.as_ref());
                    self.is_restricted_in(scope, value)
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// What the column tenant_id of a `with` query or of a subquery proves.
    fn yields(&mut self, query: &Query) -> Relation {
        if self.is_body_restricted(&query.body) { Relation::Restricted } else { Relation::Other }
    }

    fn is_body_restricted(&mut self, body: &SetExpr) -> bool {
        match body {
            SetExpr::Query(inner) => inner.with.is_none() && self.is_body_restricted(&inner.body),
            // The column of both sides, at the same place.
            SetExpr::SetOperation { left, right, .. } => {
                place_of_tenant(left).is_some_and(|place| place_of_tenant(right) == Some(place))
                    && self.is_body_restricted(left)
                    && self.is_body_restricted(right)
            }
            SetExpr::Select(select) => {
                let value = tenant_among(&select.projection).cloned().or_else(|| tenant_of_all(&select.projection));
                value.is_some_and(|value| {
                    let scope = self.scope(&select.from, select.selection.as_ref());
                    self.is_restricted_in(scope, &value)
                })
            }
            SetExpr::Insert(statement) | SetExpr::Update(statement) | SetExpr::Delete(statement) => {
                let returned = match statement {
                    Statement::Insert(insert) => insert.returning.as_deref(),
                    Statement::Update(update) => update.returning.as_deref(),
                    Statement::Delete(delete) => delete.returning.as_deref(),
                    _ => None,
                };
                let scope = self.scope_of(statement);
                returned.and_then(tenant_among).is_some_and(|value| self.is_restricted_in(scope, value))
            }
            _ => false,
        }
    }
}

impl Visitor for Check<'_> {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        self.named += usize::from(self.tables.contains(&last(relation)));
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.scopes.push(Scope::default());
        for with in query.with.iter().flat_map(|with| &with.cte_tables) {
            let name = with.alias.name.value.clone();
            if self.tables.contains(&name) {
                self.found.push(format!("the `with` query {name} has the name of a table"));
            }
            let relation = self.yields(&with.query);
            self.innermost().with.insert(name, relation);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.leave()
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let scope = self.scope(&select.from, select.selection.as_ref());
        self.judge(scope)
    }

    fn post_visit_select(&mut self, _: &Select) -> ControlFlow<()> {
        self.leave()
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        let scope = self.scope_of(statement);
        self.judge(scope)
    }

    fn post_visit_statement(&mut self, _: &Statement) -> ControlFlow<()> {
        self.leave()
    }
}

/// The operands of the top-level `and`.
fn and(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => [and(left), and(right)].concat(),
        Expr::Nested(inner) => and(inner),
        other => vec![other],
    }
}

/// The value of the column tenant_id among the columns of a result.
fn tenant_among(columns: &[SelectItem]) -> Option<&Expr> {
    let is_tenant = |name: &Ident| name.value == TENANT;
    columns.iter().find_map(|column| match column {
        SelectItem::ExprWithAlias { expr, alias } => is_tenant(alias).then_some(expr),
        SelectItem::UnnamedExpr(value @ Expr::CompoundIdentifier(parts)) => {
            parts.last().is_some_and(is_tenant).then_some(value)
        }
        SelectItem::UnnamedExpr(value @ Expr::Identifier(name)) => is_tenant(name).then_some(value),
        _ => None,
    })
}

/// Which column of a result is tenant_id, if all are named one by one.
fn place_of_tenant(body: &SetExpr) -> Option<usize> {
    match body {
        SetExpr::Select(select) => {
            let is_tenant = |column: &SelectItem| tenant_among(std::slice::from_ref(column)).is_some();
            let wild =
                |column: &SelectItem| matches!(column, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
            select.projection.iter().position(is_tenant).filter(|_| !select.projection.iter().any(wild))
        }
        SetExpr::SetOperation { left, .. } => place_of_tenant(left),
        SetExpr::Query(inner) => place_of_tenant(&inner.body),
        _ => None,
    }
}

/// The tenant_id of the relation of which all columns are among those of a result.
fn tenant_of_all(columns: &[SelectItem]) -> Option<Expr> {
    columns.iter().find_map(|column| match column {
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
            Some(Expr::CompoundIdentifier(vec![Ident::new(last(name)), Ident::new(TENANT)]))
        }
        _ => None,
    })
}

/// A name without its schema.
fn last(name: &ObjectName) -> String {
    name.0.last().and_then(|part| part.as_ident()).map(|name| name.value.clone()).unwrap_or_default()
}
