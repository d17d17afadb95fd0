//! The cached results: bounded in number and in bytes, and by principal, so that one that names thousands of accounts
//! displaces no entry of another.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::lookup::{Lookup, Target};
use crate::{
    domain::{access::caller::ActingAccount, requests::principal::Principal},
    service::share::PARTS,
    store::access::Found,
};

/// The most that is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) entries: usize,
    pub(super) bytes: usize,
}

/// What an entry costs beside the texts and lists that it holds.
const BYTES: usize = 512;
/// A stored policy costs about this many times its JSON.
const PER_JSON_BYTE: usize = 4;

#[derive(Debug)]
pub(super) struct Entries {
    limits: Limits,
    principals: HashMap<Arc<Principal>, Held>,
    /// In the order in which they came, also those that another one has replaced since.
    order: VecDeque<(Arc<Principal>, Target, u64)>,
    bytes: usize,
    /// The number of the entry that came last.
    last: u64,
}

/// The entries of one principal.
#[derive(Debug, Default)]
struct Held {
    entries: HashMap<Target, Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    bytes: usize,
    lookup: Lookup,
}

impl Entries {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, principals: HashMap::new(), order: VecDeque::new(), bytes: 0, last: 0 }
    }

    /// The result for this target. One that holds whatever a call names answers for all.
    pub(super) fn get(&self, principal: &Principal, target: Target) -> Option<&Lookup> {
        let entries = &self.principals.get(principal)?.entries;
        let at = |target: Target| entries.get(&target).map(|entry| &entry.lookup);
        let tenant = Target { account: None, ..target };
        at(target)
            .or_else(|| at(tenant).filter(|lookup| matches!(lookup.found, Found::NotAMember)))
            .or_else(|| at(Target::default()).filter(|lookup| matches!(lookup.found, Found::Stranger)))
    }

    /// Keeps a result, if its principal has room for it, in the place of the oldest ones.
    pub(super) fn insert(&mut self, principal: &Principal, target: Target, lookup: Lookup, max_age: Duration) {
        let target = match lookup.found {
            Found::Stranger => Target::default(),
            Found::NotAMember => Target { account: None, ..target },
            Found::ActingAccount(..) | Found::AccountRequired { .. } | Found::OutOfReach => target,
        };
        self.drop_expired(max_age);
        self.remove(principal, target, None);
        let bytes = bytes(principal, &lookup.found);
        let Limits { entries: max_entries, bytes: max_bytes } = self.limits;
        let (held, held_bytes) = self.principals.get(principal).map_or((0, 0), |held| (held.entries.len(), held.bytes));
        if held >= max_entries / PARTS || held_bytes + bytes > max_bytes / PARTS {
            return;
        }
        while self.order.len() >= max_entries || self.bytes + bytes > max_bytes {
            if !self.drop_oldest() {
                return;
            }
        }
        self.last += 1;
        let key = match self.principals.get_key_value(principal) {
            Some((key, _)) => Arc::clone(key),
            None => Arc::new(principal.clone()),
        };
        self.order.push_back((Arc::clone(&key), target, self.last));
        let held = self.principals.entry(key).or_default();
        held.bytes += bytes;
        self.bytes += bytes;
        held.entries.insert(target, Entry { number: self.last, bytes, lookup });
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn drop_expired(&mut self, max_age: Duration) {
        let now = Instant::now();
        while let Some((principal, target, number)) = self.order.front() {
            let entry = self.principals.get(principal).and_then(|held| held.entries.get(target));
            let current = entry.filter(|entry| entry.number == *number);
            if current.is_some_and(|entry| now.duration_since(entry.lookup.begun) < max_age) {
                return;
            }
            self.drop_oldest();
        }
    }

    /// Whether there was one.
    fn drop_oldest(&mut self) -> bool {
        let Some((principal, target, number)) = self.order.pop_front() else { return false };
        self.remove(&principal, target, Some(number));
        true
    }

    /// Removes an entry; with a number only if it still is that one.
    fn remove(&mut self, principal: &Principal, target: Target, number: Option<u64>) {
        let Some(held) = self.principals.get_mut(principal) else { return };
        if held.entries.get(&target).is_none_or(|entry| number.is_some_and(|number| entry.number != number)) {
            return;
        }
        if let Some(Entry { bytes, .. }) = held.entries.remove(&target) {
            held.bytes -= bytes;
            self.bytes -= bytes;
        }
        if held.entries.is_empty() {
            self.principals.remove(principal);
        }
    }
}

/// About what an entry costs in memory.
fn bytes(principal: &Principal, found: &Found) -> usize {
    let texts = principal.issuer().len() + principal.subject().len();
    let acting = if let Found::ActingAccount(acting, _) = found { bytes_of(acting) } else { 0 };
    BYTES + texts + acting
}

fn bytes_of(acting: &ActingAccount) -> usize {
    let ActingAccount {
        tenant: _,
        account,
        dms_branches,
        tenant_suspended: _,
        first_plan: _,
        unassigned_plan: _,
        has_features: _,
    } = acting;
    let policies = serde_json::to_vec(&*account.policies).map_or(0, |json| json.len() * PER_JSON_BYTE);
    size_of::<ActingAccount>()
        + size_of_val(account.path.ids())
        + account.name.as_str().len()
        + policies
        + size_of_val(dms_branches.as_slice())
        + account.industries.as_ref().map_or(0, |own| PER_JSON_BYTE * own.bytes())
}
