//! The part of the statement that filters.

use std::fmt::Write as _;

use sqlx::{Encode, Postgres, Type, types::Json};

use super::builder::Builder;
use crate::{
    domain::{
        customers::status::Status,
        search::{Archived, Search},
        values::ids::{BranchId, MemberId},
    },
    error::{Error, Result},
};

impl Builder {
    /// What must hold beside the words.
    pub(super) fn filters(&mut self, search: &Search) -> Result<String> {
        let mut all = match search.archived {
            Archived::Hide => " and c.archived_at is null".to_owned(),
            Archived::Show => String::new(),
            Archived::Only => " and c.archived_at is not null".to_owned(),
        };
        match search.archived {
            _ if !search.statuses.is_empty() => {}
            // A status of a newer release is found where everything is asked for.
            Archived::Show => all += " and c.status not in ('MERGED', 'ERASED')",
            Archived::Hide | Archived::Only => {
                let known = Some(owned(&Status::LIVING));
                self.filter(&mut all, "c.status", "= any(", ")", known)?;
            }
        }
        let sets = [
            ("c.status", search.statuses.clone()),
            ("c.type", search.types.iter().map(|one| one.as_str()).collect()),
            ("c.service_class", search.service_classes.iter().map(|one| one.as_str()).collect()),
            ("c.reach", search.reach.iter().map(|one| one.as_str()).collect()),
            ("c.origin", search.origins.iter().map(|one| one.as_str()).collect()),
            ("s.country", search.countries.iter().map(String::as_str).collect()),
        ];
        for (column, set) in sets {
            // As a constant: only so the planner knows that the index of those customers has all of them.
            if set == [Status::Pending.as_str()] {
                _ = write!(all, " and {column} = '{}'", Status::Pending.as_str());
                continue;
            }
            self.filter(&mut all, column, "= any(", ")", (!set.is_empty()).then(|| owned(&set)))?;
        }
        let labels = (!search.labels.is_empty()).then(|| Json(search.labels.clone()));
        self.filter(&mut all, "c.profile -> 'labels'", "@> ", "", labels)?;
        self.filter(&mut all, "c.branch_id", "= ", "", search.branch.map(BranchId::get))?;
        self.filter(&mut all, "c.sales_person_id", "= ", "", search.sales_person.map(MemberId::get))?;
        self.filter(&mut all, "c.created_at", ">= ", "", search.created.from)?;
        self.filter(&mut all, "c.created_at", "< ", "", search.created.until)?;
        self.filter(&mut all, "c.updated_at", ">= ", "", search.updated.from)?;
        self.filter(&mut all, "c.updated_at", "< ", "", search.updated.until)?;
        self.links(&mut all, search)?;
        Ok(all)
    }

    /// One comparison, if there is something to compare with.
    fn filter<'q, T: Encode<'q, Postgres> + Type<Postgres> + 'q>(
        &mut self,
        all: &mut String,
        column: &str,
        compare: &str,
        end: &str,
        value: Option<T>,
    ) -> Result<()> {
        if let Some(value) = value {
            let value = self.bind(value)?;
            _ = write!(all, " and {column} {compare}{value}{end}");
        }
        Ok(())
    }

    /// What the acting account keeps on the customer.
    fn links(&mut self, all: &mut String, search: &Search) -> Result<()> {
        const TAGGED: &str = "from customer_tags g
            where g.tenant_id = $1 and g.customer_id = c.id and g.account_id = $3 and g.tag_id = any(array(
                select t.id from tags t where t.tenant_id = $1 and t.account_id = $3 and t.name_key = any(";
        // `offset 0` keeps the planner from a join or a hash table with all that the account keeps.
        for (keys, before, after) in [
            (&search.any_of, "exists (select ", " offset 0)"),
            (&search.none_of, "not exists (select ", " offset 0)"),
            (&search.all_of, "(select count(*) ", ") = "),
        ] {
            if !keys.is_empty() {
                let names = self.bind(keys.iter().map(|key| key.as_str().to_owned()).collect::<Vec<_>>())?;
                _ = write!(all, " and {before}{TAGGED}{names}))){after}");
                if after.ends_with("= ") {
                    all.push_str(&self.bind(i64::try_from(keys.len()).map_err(Error::internal)?)?);
                }
            }
        }
        if let Some(system) = &search.lacks_custom_id_system {
            let system = self.bind(system.clone())?;
            _ = write!(
                all,
                " and not exists (
                    select from custom_ids i
                    where i.tenant_id = $1 and i.customer_id = c.id and i.account_id = $3 and i.system = {system}
                      and i.is_current
                    offset 0
                )"
            );
        }
        Ok(())
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
