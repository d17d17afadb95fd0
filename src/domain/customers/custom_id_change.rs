//! Changes of custom IDs after a customer's creation: who may make them, and what comes of them. UpdateCustomId and
//! UpsertCustomer ask the same functions, as does whatever changes custom IDs later.

use std::collections::BTreeMap;

use crate::domain::{
    accounts::policies::Policies,
    fields::{customer_fields::CustomerFields, path::FieldPath},
    refusal::Refusal,
    values::{
        custom_id::{CustomId, CustomIds, MAX_SYSTEMS, System},
        enums::Reach,
    },
};

/// What an account wants to call a customer, by system; none: nothing any more. Systems that are not in it stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomIdChange(BTreeMap<System, Option<CustomId>>);

impl CustomIdChange {
    /// A new value in one system, or none.
    #[must_use]
    pub fn of_one(system: System, id: Option<CustomId>) -> Self {
        Self(BTreeMap::from([(system, id)]))
    }

    /// These values, as far as the account does not call the customer just so already.
    #[must_use]
    pub fn towards(wanted: &CustomIds, ids: &CustomIds) -> Self {
        let differs = |(system, id): &(&System, &CustomId)| ids.get(*system) != Some(*id);
        Self(wanted.iter().filter(differs).map(|(system, id)| (system.clone(), Some(id.clone()))).collect())
    }

    /// The systems and their new values.
    pub fn iter(&self) -> impl Iterator<Item = (&System, Option<&CustomId>)> {
        self.0.iter().map(|(system, id)| (system, id.as_ref()))
    }

    /// Whether this takes the acting account's `custom_id_role`, where `ids` are that account's. Of a LOCAL customer it
    /// always does. Of a FLEET customer only to change or clear what is set: a blank may be filled in by any MEMBER.
    #[must_use]
    pub fn takes_custom_id_role(&self, reach: Reach, ids: &CustomIds) -> bool {
        match reach {
            Reach::Local | Reach::Unknown => !self.0.is_empty(),
            Reach::Fleet => self.iter().any(|(system, new)| ids.get(system).is_some_and(|old| Some(old) != new)),
        }
    }

    /// The account's custom IDs as they come to be; none if they are so already.
    ///
    /// # Errors
    /// `TooManyCustomIds` beyond [`MAX_SYSTEMS`].
    pub fn decide(&self, ids: &CustomIds) -> Result<Option<CustomIds>, Refusal> {
        let mut after = ids.clone();
        for (system, id) in &self.0 {
            match id {
                Some(id) => _ = after.insert(system.clone(), id.clone()),
                None => _ = after.remove(system),
            }
        }
        if after.len() > MAX_SYSTEMS.max(ids.len()) {
            return Err(Refusal::TooManyCustomIds);
        }
        Ok((after != *ids).then_some(after))
    }
}

/// Refuses to empty custom IDs of the owner that its policy `required_to_create` asks for. What was empty before may
/// stay so.
///
/// # Errors
/// `RequiredToCreate` with those that would be missing.
pub fn must_keep_required(
    policies: &Policies,
    fields: &CustomerFields,
    before: &CustomIds,
    after: &CustomIds,
) -> Result<(), Refusal> {
    let missing_before = policies.required_to_create.missing(fields, before);
    let mut missing = policies.required_to_create.missing(fields, after);
    missing.retain(|path| matches!(path, FieldPath::CustomId(_)) && !missing_before.contains(path));
    if missing.is_empty() { Ok(()) } else { Err(Refusal::RequiredToCreate(missing)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(pairs: &[(&str, &str)]) -> CustomIds {
        pairs.iter().map(|(system, id)| (System::parse(system).unwrap(), CustomId::parse(id).unwrap())).collect()
    }

    fn change(system: &str, id: &str) -> CustomIdChange {
        CustomIdChange::of_one(System::parse(system).unwrap(), CustomId::parse_optional(id).unwrap())
    }

    #[test]
    fn a_change_of_a_local_customers_ids_always_takes_the_role() {
        for change in [change("erp", "2"), change("erp", "1"), change("erp", ""), change("dms", "1")] {
            assert!(change.takes_custom_id_role(Reach::Local, &ids(&[("erp", "1")])), "{change:?}");
        }
        assert!(!CustomIdChange::default().takes_custom_id_role(Reach::Local, &ids(&[("erp", "1")])));
    }

    #[test]
    fn a_blank_of_a_fleet_customer_may_be_filled_in_and_what_is_set_takes_the_role() {
        let before = ids(&[("erp", "1")]);
        for (change, takes) in [
            (change("dms", "1"), false),
            (change("dms", ""), false),
            (change("erp", "1"), false),
            (change("erp", "2"), true),
            (change("erp", ""), true),
        ] {
            assert_eq!(change.takes_custom_id_role(Reach::Fleet, &before), takes, "{change:?}");
        }
        let both = CustomIdChange::towards(&ids(&[("dms", "1"), ("erp", "2")]), &before);
        assert!(both.takes_custom_id_role(Reach::Fleet, &before), "one of several is enough");
    }

    #[test]
    fn a_change_is_made_of_what_differs_and_case_differs() {
        let before = ids(&[("erp", "abc")]);
        assert_eq!(change("erp", "abc").decide(&before), Ok(None));
        assert_eq!(change("dms", "").decide(&before), Ok(None));
        assert_eq!(change("erp", "ABC").decide(&before), Ok(Some(ids(&[("erp", "ABC")]))));
        assert_eq!(change("erp", "").decide(&before), Ok(Some(ids(&[]))));
        assert_eq!(change("dms", "7").decide(&before), Ok(Some(ids(&[("dms", "7"), ("erp", "abc")]))));
        let wanted = ids(&[("dms", "7"), ("erp", "abc")]);
        assert_eq!(CustomIdChange::towards(&wanted, &before), change("dms", "7"));
    }

    #[test]
    fn an_account_has_at_most_20_custom_ids_of_a_customer() {
        let many = |count: usize| {
            let systems =
                (0..count).map(|number| (System::parse(&format!("s{number}")).unwrap(), "1".to_owned().into()));
            systems.collect::<CustomIds>()
        };
        assert!(change("erp", "1").decide(&many(19)).is_ok());
        assert!(matches!(change("erp", "1").decide(&many(20)), Err(Refusal::TooManyCustomIds)));
        assert!(change("s1", "2").decide(&many(20)).is_ok());
        assert!(change("s1", "").decide(&many(25)).is_ok(), "what is there already may be fewer and stay");
    }
}
