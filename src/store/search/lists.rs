//! Customers without a query: along an index of the order. If a filter lets few of them through, its own index gives them.

use super::{
    builder::{Arm, Builder, Node, Parts, order},
    keys::Candidates,
    walk::{End, PLACE, UNCOUNTED, Walk, counted, first_or},
};
use crate::{
    domain::search::{Condition, Range},
    error::Result,
};

/// Customers from the index of a filter.
struct Filtered {
    /// Their ids in no order, some of them twice, where it costs little to see that they are few.
    few: Option<String>,
    all: String,
}

impl Filtered {
    fn all(all: String) -> Self {
        Self { few: None, all }
    }
}

impl Builder {
    /// What goes before the page, and the page.
    pub(super) fn list(&mut self, parts: &Parts<'_>, arms: &[Arm]) -> Result<(String, String)> {
        let (mut with, mut page) = (String::new(), Vec::new());
        for (place, arm) in arms.iter().enumerate() {
            let walk = Walk { arm, matches: None, behind: parts.behind.as_ref() };
            match self.filtered(parts, &walk, true)? {
                Some(Filtered { few, all }) => {
                    let (before, arm) = first_or(parts, &walk, &format!("first{place}"), few.as_deref(), &all);
                    with += &before;
                    page.push(arm);
                }
                None => page.push(format!(
                    "(select {PLACE}, 0 as place {} order by {} limit {})",
                    walk.along(parts),
                    order(parts.search, "c"),
                    parts.limit
                )),
            }
        }
        Ok((with, page.join(" union all ")))
    }

    /// Counts all of them, if that was asked for.
    pub(super) fn count_list(&mut self, parts: &Parts<'_>, arms: &[Arm], count: bool) -> Result<String> {
        if !count {
            return Ok(UNCOUNTED.to_owned());
        }
        let mut all = Vec::new();
        for arm in arms {
            let walk = Walk { arm, matches: None, behind: None };
            all.push(self.filtered(parts, &walk, false)?.map_or_else(|| walk.along(parts), |it| it.all));
        }
        Ok(counted(&all))
    }

    /// Customers of an arm from the index of a filter, all or those of a page; none if no filter has one.
    fn filtered(&mut self, parts: &Parts<'_>, walk: &Walk<'_>, page: bool) -> Result<Option<Filtered>> {
        let search = parts.search;
        if walk.arm.node == Node::Customer {
            return Ok(None);
        }
        if !search.filter_lexemes().is_empty() {
            return Ok(Some(Filtered::all(self.with_keys(parts, walk, page)?)));
        }
        // Of tags that must all be there one is enough: the filter has the others.
        let tags = if search.any_of.is_empty() { search.all_of.get(..1) } else { Some(search.any_of.as_slice()) };
        if let Some(tags) = tags.filter(|tags| !tags.is_empty()) {
            let names = self.bind(tags.iter().map(|key| key.as_str().to_owned()).collect::<Vec<_>>())?;
            let tagged = format!(
                "select g.customer_id as id from tags t
                 cross join lateral (
                    select g.customer_id from customer_tags g where g.tenant_id = $1 and g.tag_id = t.id offset 0
                 ) g
                 where t.tenant_id = $1 and t.account_id = $3 and t.name_key = any({names})"
            );
            let all = walk.from(parts, &format!("select distinct t.id from ({tagged}) t"));
            return Ok(Some(Filtered { few: Some(tagged), all }));
        }
        for (column, range) in [("created_at", search.created), ("updated_at", search.updated)] {
            if let (Range { from: Some(from), until }, Node::Account(_)) = (range, &walk.arm.node) {
                let mut within = format!(" and c.{column} >= {}", self.bind(from)?);
                if let Some(until) = until {
                    within += &format!(" and c.{column} < {}", self.bind(until)?);
                }
                let made =
                    format!("select c.id from customers c where c.tenant_id = $1 and {}{within}", walk.arm.index);
                return Ok(Some(Filtered::all(walk.from(parts, &made))));
            }
        }
        if walk.arm.is_within {
            return Ok(Some(Filtered::all(self.with_keys(parts, walk, page)?)));
        }
        Ok(None)
    }

    /// Customers of an arm that have the keys of the filters, all or those of a page.
    fn with_keys(&mut self, parts: &Parts<'_>, walk: &Walk<'_>, page: bool) -> Result<String> {
        let asked = walk.arm.filter(parts.search);
        let asked = (!asked.is_empty()).then(|| self.condition(&Condition::all(asked))).transpose()?;
        let candidates = Candidates::of(walk.arm, asked);
        if !page || !parts.search.order.by.is_by_name() {
            return self.buckets(parts, walk, &candidates, PLACE, End::None);
        }
        // In the order of the buckets a page is full after a few of them.
        let all = self.buckets(parts, walk, &candidates, PLACE, End::Page)?;
        Ok(format!("from (select {PLACE} {all} limit {}) c", parts.limit))
    }
}
