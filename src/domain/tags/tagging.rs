//! Putting tags on a customer and taking them off.

use std::collections::{HashMap, HashSet};

use crate::domain::{
    customers::{customer::Change, link::Link},
    history::event_type::EventType,
    refusal::Refusal,
    tags::tag::Tag,
    values::{ids::TagId, sort_key::SortKey},
};

/// Sorts tags as statements do, by name and then by id. One call makes the key of each tag once, for all customers.
#[derive(Debug, Default)]
pub struct TagOrder(HashMap<TagId, SortKey>);

impl TagOrder {
    /// Sorts these tags.
    pub fn sort(&mut self, tags: &mut [Tag]) {
        for tag in &*tags {
            self.0.entry(tag.id).or_insert_with(|| tag.sort_key());
        }
        tags.sort_by_cached_key(|tag| (self.0.get(&tag.id), tag.id));
    }
}

impl Link {
    /// Puts tags on and takes tags off; what is so already stays so.
    ///
    /// # Errors
    /// `LimitReached` with more than [`Tag::MAX_ON_CUSTOMER`] after it.
    pub fn retag(&mut self, add: &[Tag], remove: &HashSet<TagId>, order: &mut TagOrder) -> Result<Change, Refusal> {
        let mut before = self.tags.clone();
        self.tags.retain(|tag| !remove.contains(&tag.id));
        for tag in add {
            if !self.tags.iter().any(|there| there.id == tag.id) {
                self.tags.push(tag.clone());
            }
        }
        if self.tags.len() > Tag::MAX_ON_CUSTOMER && self.tags.len() > before.len() {
            return Err(Refusal::LimitReached("a customer has at most 100 tags of one account"));
        }
        order.sort(&mut self.tags);
        // They may come in another order: a stored sort key may be missing or older.
        order.sort(&mut before);
        if self.tags == before {
            return Ok(Change::AlreadyMade);
        }
        self.revision += 1;
        Ok(Change::Made(EventType::TagsChanged))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{samples, tags::tag::TagName};

    fn tag(number: u128) -> Tag {
        Tag { id: TagId::from_uuid(Uuid::from_u128(number + 1)), name: TagName::from(format!("Tag {number:04}")) }
    }

    fn tags(numbers: impl IntoIterator<Item = u128>) -> Vec<Tag> {
        numbers.into_iter().map(tag).collect()
    }

    fn ids(tags: &[Tag]) -> HashSet<TagId> {
        tags.iter().map(|tag| tag.id).collect()
    }

    #[test]
    fn a_customer_has_at_most_a_hundred_tags_of_an_account_and_room_is_made_in_the_same_call() {
        let (mut link, mut order) = (Link { tags: tags(0..100), ..Link::default() }, TagOrder::default());
        assert!(matches!(link.clone().retag(&tags([100]), &HashSet::new(), &mut order), Err(Refusal::LimitReached(_))));
        assert_eq!(link.retag(&tags([99]), &HashSet::new(), &mut order), Ok(Change::AlreadyMade));
        assert_eq!(link.retag(&tags([100]), &ids(&tags([5])), &mut order), Ok(Change::Made(EventType::TagsChanged)));
        assert_eq!((link.tags.len(), link.revision), (100, 1));
    }

    proptest! {
        #[test]
        fn what_was_added_is_there_what_was_removed_is_not_and_the_rest_stays(
            before in prop::collection::btree_set(0_u128..40, 0..20),
            add in prop::collection::btree_set(0_u128..40, 0..20),
            remove in prop::collection::btree_set(0_u128..40, 0..20),
        ) {
            let remove: std::collections::BTreeSet<u128> = remove.difference(&add).copied().collect();
            let mut link = Link { tags: tags(before.clone()), revision: 7, ..Link::default() };
            let change = link.retag(&tags(add.clone()), &ids(&tags(remove.clone())), &mut TagOrder::default()).unwrap();
            let expected: std::collections::BTreeSet<u128> =
                before.union(&add).copied().filter(|number| !remove.contains(number)).collect();
            prop_assert_eq!(&link.tags, &tags(expected.clone()), "by name");
            prop_assert_eq!(change == Change::AlreadyMade, expected == before);
            prop_assert_eq!(link.revision, 7 + i64::from(expected != before));
        }

        #[test]
        fn whatever_is_sent_is_refused_or_kept_in_its_final_form(raw in samples::raw()) {
            if let Ok(name) = TagName::parse(&raw) {
                samples::assert_kept(name.as_str(), TagName::MAX_CHARS);
                prop_assert_eq!(TagName::parse(name.as_str()), Ok(name.clone()));
            }
        }
    }
}
