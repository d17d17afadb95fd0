//! Customers that match a query, in the order of relevance or in another one.
//!
//! If all matches fit on the page, one walk from bucket to bucket reads them with their ranks. If not, each rank is a walk that
//! stops when the page is full, and is only executed if those before it have not filled the page. An order by time has no
//! buckets: all matches are read, unless the first customers in that order have enough.

use super::{
    builder::{Arm, Builder, Parts, order},
    walk::{PLACE, UNCOUNTED, Walk, counted, first_or},
    words::{BoundQuery, Rank},
};
use crate::{domain::search::OrderBy, error::Result};

impl Builder {
    /// What goes before the page, and the page.
    pub(super) fn matches(&mut self, parts: &Parts<'_>, arms: &[Arm], query: &BoundQuery) -> Result<(String, String)> {
        match parts.search.order.by {
            OrderBy::Relevance => self.by_relevance(parts, arms, query),
            OrderBy::Name => Ok((String::new(), self.by_name(parts, arms, query, Rank::Any, &parts.limit)?)),
            OrderBy::CreateTime | OrderBy::UpdateTime => self.by_time(parts, arms, query),
        }
    }

    fn by_relevance(&mut self, parts: &Parts<'_>, arms: &[Arm], query: &BoundQuery) -> Result<(String, String)> {
        let first = parts.behind.as_ref().map_or(0, |(_, after)| after.rank);
        let (mut with, mut pages, mut need) = (String::new(), Vec::new(), parts.limit.clone());
        // Behind a place there is as a rule more than a page.
        if parts.behind.is_none() && !parts.search.asks_for_common() {
            with = self.all_matches(parts, arms, query)?;
            pages.push("select * from found where (select yes from found_is_all)".to_owned());
            need = format!("case when (select yes from found_is_all) then 0 else {need} end");
        }
        for rank in Rank::ORDER.into_iter().filter(|rank| rank.number() >= first) {
            let name = format!("rank{}", rank.number());
            let need_now = format!("greatest({need}, 0)");
            let page = self.by_name(parts, arms, query, rank, &need_now)?;
            let order = order(parts.search, "u");
            with += &format!("{name} as materialized (select * from ({page}) u order by {order} limit {need_now}), ");
            need += &format!(" - (select count(*) from {name})");
            pages.push(format!("select * from {name}"));
        }
        Ok((with, pages.join(" union all ")))
    }

    /// Matches in no order, each with its rank, and whether they are all.
    fn all_matches(&mut self, parts: &Parts<'_>, arms: &[Arm], query: &BoundQuery) -> Result<String> {
        let (mut all, limit) = (Vec::new(), &parts.limit);
        for arm in arms {
            let walk = Walk { arm, matches: Some(query.matches(parts.search, arm, Rank::Any)), behind: None };
            let candidates = self.candidates(parts.search, arm, Rank::Any)?;
            let columns = format!("{PLACE}, {} as place", query.rank(arm));
            let walk = self.buckets(parts, &walk, &candidates, &columns, "")?;
            all.push(format!("(select {PLACE}, c.place {walk} limit {limit})"));
        }
        Ok(format!(
            "found as materialized (select * from ({}) u limit {limit}),
             found_is_all as materialized (select count(*) < {limit} as yes from found), ",
            all.join(" union all ")
        ))
    }

    /// The matches of one rank in all arms, by name.
    fn by_name(
        &mut self,
        parts: &Parts<'_>,
        arms: &[Arm],
        query: &BoundQuery,
        rank: Rank,
        need: &str,
    ) -> Result<String> {
        let place = rank.number();
        let behind = parts.behind.as_ref().filter(|(_, after)| rank == Rank::Any || after.rank == place);
        let stop = format!(" order by {} limit {need}", order(parts.search, "c"));
        let mut all = Vec::new();
        for arm in arms {
            let walk = Walk { arm, matches: Some(query.matches(parts.search, arm, rank)), behind };
            let candidates = self.candidates(parts.search, arm, rank)?;
            let walk = self.buckets(parts, &walk, &candidates, PLACE, &stop)?;
            all.push(format!("(select {PLACE}, {place} as place {walk} limit {need})"));
        }
        Ok(all.join(" union all "))
    }

    fn by_time(&mut self, parts: &Parts<'_>, arms: &[Arm], query: &BoundQuery) -> Result<(String, String)> {
        let (mut with, mut all) = (String::new(), Vec::new());
        for (place, arm) in arms.iter().enumerate() {
            let matches = Some(query.matches(parts.search, arm, Rank::Any));
            let walk = Walk { arm, matches, behind: parts.behind.as_ref() };
            let candidates = self.candidates(parts.search, arm, Rank::Any)?;
            let rest = self.buckets(parts, &walk, &candidates, PLACE, "")?;
            let (before, arm) = first_or(parts, &walk, &format!("first{place}"), None, &rest);
            with += &before;
            all.push(arm);
        }
        Ok((with, all.join(" union all ")))
    }

    /// Counts all of them, if that was asked for.
    pub(super) fn count_matches(
        &mut self,
        parts: &Parts<'_>,
        arms: &[Arm],
        query: &BoundQuery,
        count: bool,
    ) -> Result<String> {
        if !count {
            return Ok(UNCOUNTED.to_owned());
        }
        let mut all = Vec::new();
        for arm in arms {
            let walk = Walk { arm, matches: Some(query.matches(parts.search, arm, Rank::Any)), behind: None };
            let candidates = self.candidates(parts.search, arm, Rank::Any)?;
            all.push(self.buckets(parts, &walk, &candidates, PLACE, "")?);
        }
        Ok(counted(&all))
    }
}
