//! A queue in which holders take turns.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// Items that wait, those of each holder in their order.
#[derive(Debug)]
pub(super) struct Turns<K, T> {
    /// Holders with items that wait. The first one's turn is next.
    turns: VecDeque<K>,
    items: HashMap<K, VecDeque<T>>,
}

impl<K, T> Default for Turns<K, T> {
    fn default() -> Self {
        Self { turns: VecDeque::new(), items: HashMap::new() }
    }
}

impl<K: Hash + Eq + Clone, T> Turns<K, T> {
    /// Adds an item of a holder.
    pub(super) fn push(&mut self, holder: K, item: T) {
        let items = self.items.entry(holder.clone()).or_default();
        if items.is_empty() {
            self.turns.push_back(holder);
        }
        items.push_back(item);
    }

    /// Takes at most `most` items, one of each holder in turn. Those that are not wanted any more are dropped.
    pub(super) fn take(&mut self, most: usize, is_wanted: impl Fn(&T) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(holder) = self.turns.pop_front()
        {
            let Some(items) = self.items.get_mut(&holder) else { continue };
            while let Some(item) = items.pop_front() {
                if is_wanted(&item) {
                    taken.push(item);
                    break;
                }
            }
            if items.is_empty() {
                self.items.remove(&holder);
            } else {
                self.turns.push_back(holder);
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(items: impl IntoIterator<Item = (char, u32)>) -> Turns<char, u32> {
        let mut turns = Turns::default();
        items.into_iter().for_each(|(holder, item)| turns.push(holder, item));
        turns
    }

    #[test]
    fn a_holder_of_hundreds_delays_nobody_elses_one() {
        let mut turns = of((0..300).map(|item| ('a', item)).chain([('b', 1_000), ('c', 2_000), ('b', 1_001)]));
        assert_eq!(turns.take(6, |_| true), [0, 1_000, 2_000, 1, 1_001, 2]);
        assert_eq!(turns.take(400, |_| true), (3..300).collect::<Vec<_>>());
        assert!(turns.take(1, |_| true).is_empty() && turns.items.is_empty() && turns.turns.is_empty());
    }

    #[test]
    fn who_comes_late_is_next_after_those_that_wait() {
        let mut turns = of((0..9).map(|item| ('a', item)));
        assert_eq!(turns.take(2, |_| true), [0, 1]);
        turns.push('b', 100);
        assert_eq!(turns.take(2, |_| true), [2, 100]);
    }

    #[test]
    fn what_is_not_wanted_any_more_takes_no_place() {
        let mut turns = of([('a', 1), ('a', 2), ('b', 3), ('a', 4), ('c', 5)]);
        assert_eq!(turns.take(2, |item| item % 2 == 0), [2, 4]);
        assert!(turns.items.is_empty() && turns.turns.is_empty());
    }
}
