//! Customers that match a query, in the order of relevance or in another one.
//!
//! If all candidates fit on the page, they are read with their ranks. If not, a walk from bucket to bucket is made for each
//! rank, until the page is full. An order by time has no buckets: all matches are read, unless the first customers in that order have
//! enough.

use super::{
    builder::{Arm, Builder, Node, Parts, order},
    walk::{End, PLACE, UNCOUNTED, Walk, counted, first_or},
    words::{BoundQuery, Rank},
};
use crate::{domain::search::OrderBy, error::Result};

impl Builder {
    /// What goes before the page, and the page.
    pub(super) fn matches(&mut self, parts: &Parts<'_>, arms: &[Arm], query: &BoundQuery) -> Result<(String, String)> {
        match parts.search.order.by {
            OrderBy::Relevance => self.by_relevance(parts, arms, query),
            OrderBy::Name => Ok((String::new(), self.by_name(parts, arms, query)?)),
            OrderBy::CreateTime | OrderBy::UpdateTime => self.by_time(parts, arms, query),
        }
    }

    fn by_relevance(&mut self, parts: &Parts<'_>, arms: &[Arm], query: &BoundQuery) -> Result<(String, String)> {
        let ranked = self.by_rank_and_name(parts, arms, query)?;
        let limit = &parts.limit;
        // Behind a place there is as a rule more than a page.
        if parts.behind.is_some() || parts.search.asks_for_common() {
            return Ok((String::new(), format!("{ranked} limit {limit}")));
        }
        let page = format!(
            "(select * from found where (select yes from found_is_all)) union all
             ({ranked} limit case when (select yes from found_is_all) then 0 else {limit} end)"
        );
        Ok((self.all_matches(parts, arms, query)?, page))
    }

    /// Matches in no order, each with its rank, if they surely fit on the page: if already the candidates do. So nothing is read of
    /// many that the ranks then read again.
    fn all_matches(&mut self, parts: &Parts<'_>, arms: &[Arm], query: &BoundQuery) -> Result<String> {
        let (mut with, mut counts, mut all) = (String::new(), Vec::new(), Vec::new());
        let limit = &parts.limit;
        for (place, arm) in arms.iter().enumerate() {
            let walk = Walk { arm, matches: Some(query.matches(parts.search, arm)), behind: None };
            let columns = format!("{PLACE}, {} as place", query.rank(arm));
            let matches = if arm.node == Node::Customer {
                walk.along(parts)
            } else {
                let candidates = self.candidates(parts.search, arm)?;
                let candidates = self.candidates_by_bucket(parts, &walk, &candidates)?;
                with += &format!("candidates{place} as materialized (select s.* {candidates} limit {limit}), ");
                counts.push(format!("(select count(*) from candidates{place})"));
                walk.of_candidates(parts, &format!("candidates{place}"))
            };
            all.push(format!("(select {columns} {matches} and (select yes from found_is_all))"));
        }
        let count = if counts.is_empty() { "0".to_owned() } else { counts.join(" + ") };
        Ok(format!(
            "{with}found_is_all as materialized (select {count} < {limit} as yes),
             found as materialized ({}), ",
            all.join(" union all ")
        ))
    }

    /// The matches of all arms rank by rank `r`, each by name: the next rank is looked for when there is room for it.
    fn by_rank_and_name(&mut self, parts: &Parts<'_>, arms: &[Arm], query: &BoundQuery) -> Result<String> {
        let (mut all, limit) = (Vec::new(), &parts.limit);
        let order = order(parts.search, "u");
        for arm in arms {
            let matches = format!("{} and {} = r.rank", query.matches(parts.search, arm), query.rank(arm));
            let walk = Walk { arm, matches: Some(matches), behind: parts.behind.as_ref() };
            let candidates = self.candidates_of_rank(parts.search, arm)?;
            let walk = self.buckets(parts, &walk, &candidates, PLACE, End::Page)?;
            all.push(format!("(select {PLACE}, r.rank as place {walk} limit {limit})"));
        }
        let first = parts.behind.as_ref().map_or(0, |behind| behind.place.rank);
        let last = Rank::Matches.number();
        Ok(format!(
            "select p.* from generate_series({first}, {last}) r (rank)
             cross join lateral (select * from ({}) u order by {order} limit {limit}) p",
            all.join(" union all ")
        ))
    }

    /// The matches of all arms by name, whatever their rank.
    fn by_name(&mut self, parts: &Parts<'_>, arms: &[Arm], query: &BoundQuery) -> Result<String> {
        let mut all = Vec::new();
        for arm in arms {
            let walk = Walk { arm, matches: Some(query.matches(parts.search, arm)), behind: parts.behind.as_ref() };
            let candidates = self.candidates(parts.search, arm)?;
            let walk = self.buckets(parts, &walk, &candidates, PLACE, End::Page)?;
            all.push(format!("(select {PLACE}, 0 as place {walk} limit {})", parts.limit));
        }
        Ok(all.join(" union all "))
    }

    fn by_time(&mut self, parts: &Parts<'_>, arms: &[Arm], query: &BoundQuery) -> Result<(String, String)> {
        let (mut with, mut all) = (String::new(), Vec::new());
        for (place, arm) in arms.iter().enumerate() {
            let matches = Some(query.matches(parts.search, arm));
            let walk = Walk { arm, matches, behind: parts.behind.as_ref() };
            let candidates = self.candidates(parts.search, arm)?;
            let rest = self.buckets(parts, &walk, &candidates, PLACE, End::None)?;
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
            let walk = Walk { arm, matches: Some(query.matches(parts.search, arm)), behind: None };
            let candidates = self.candidates(parts.search, arm)?;
            all.push(self.buckets(parts, &walk, &candidates, PLACE, End::None)?);
        }
        Ok(counted(&all))
    }
}
