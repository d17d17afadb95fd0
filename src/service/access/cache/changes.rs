//! What commits of this process changed, by number, for as long as a look-up from before may be cached.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::lookup::{Lookup, Target};
use crate::{
    domain::{
        access::member::Member,
        requests::principal::Principal,
        values::ids::{AccountId, TenantId},
    },
    store::access::Found,
};

/// Changes that are told apart. Beyond that, every look-up from before is stale.
const MAX: usize = 10_000;

/// What a commit changed that look-ups depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::service) enum Stale {
    /// The accepted memberships of a principal in the tenant.
    Memberships(TenantId, Principal),
    /// Only memberships of it in the tenant that wait for its consent. Others give and take them, so they make nothing stale
    /// that they do not count for: the result of a call that names no account, and of one that acts in another tenant.
    WaitingMemberships(TenantId, Principal),
    /// The branches of the account.
    Account(TenantId, AccountId),
    /// The rules of the tenant.
    Tenant(TenantId),
}

impl Stale {
    /// What a new, changed or removed member makes stale.
    pub(in crate::service) fn of_member(tenant: TenantId, member: &Member) -> Self {
        let principal = member.principal.clone();
        match member.waiting {
            true => Self::WaitingMemberships(tenant, principal),
            false => Self::Memberships(tenant, principal),
        }
    }
}

/// One thing that changes, as look-ups depend on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Subject {
    /// A principal's memberships, in whichever tenant.
    Principal(Principal),
    Member(TenantId, Principal),
    /// Its memberships that wait, in whichever tenant.
    Named(Principal),
    NamedIn(TenantId, Principal),
    Account(TenantId, AccountId),
    Tenant(TenantId),
}

/// The latest changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// The number of the last one.
    last: u64,
    /// The last one that is told apart no more.
    forgotten: u64,
    latest: HashMap<Subject, u64>,
    /// When each came, the oldest first.
    order: VecDeque<(Instant, Subject, u64)>,
}

impl Changes {
    /// The number of the last change. A look-up that begins now sees it and all before it.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Notes a change that has been committed. Changes are kept for `max_age`: an older look-up is not used anyway.
    pub(super) fn note(&mut self, stale: Stale, max_age: Duration) {
        let now = Instant::now();
        while let Some((at, ..)) = self.order.front()
            && now.duration_since(*at) > max_age
        {
            self.drop_oldest();
        }
        self.last += 1;
        let subjects = match stale {
            // A call that names no account acts in the only one, so a membership elsewhere changes its result.
            Stale::Memberships(tenant, principal) => {
                vec![Subject::Principal(principal.clone()), Subject::Member(tenant, principal)]
            }
            Stale::WaitingMemberships(tenant, principal) => {
                vec![Subject::Named(principal.clone()), Subject::NamedIn(tenant, principal)]
            }
            Stale::Account(tenant, account) => vec![Subject::Account(tenant, account)],
            Stale::Tenant(tenant) => vec![Subject::Tenant(tenant)],
        };
        for subject in subjects {
            self.latest.insert(subject.clone(), self.last);
            self.order.push_back((now, subject, self.last));
        }
        while self.order.len() > MAX {
            if let Some(number) = self.drop_oldest() {
                self.forgotten = number;
            }
        }
    }

    fn drop_oldest(&mut self) -> Option<u64> {
        let (_, subject, number) = self.order.pop_front()?;
        if self.latest.get(&subject) == Some(&number) {
            self.latest.remove(&subject);
        }
        Some(number)
    }

    /// Whether something that this result depends on has changed since its look-up began.
    pub(super) fn is_stale(&self, principal: &Principal, target: Target, lookup: &Lookup) -> bool {
        let Lookup { found, begun: _, seen } = lookup;
        if *seen == self.last {
            return false;
        }
        let changed = |subject: Subject| self.latest.get(&subject).is_some_and(|number| number > seen);
        let of_principal = |tenant: Option<TenantId>| match tenant {
            Some(tenant) => changed(Subject::Member(tenant, principal.clone())),
            None => changed(Subject::Principal(principal.clone())),
        };
        let of_waiting = |tenant: Option<TenantId>| match tenant {
            Some(tenant) => changed(Subject::NamedIn(tenant, principal.clone())),
            None => changed(Subject::Named(principal.clone())),
        };
        *seen < self.forgotten
            || match found {
                Found::ActingAccount(acting, _) => {
                    let named = target.account.and(Some(acting.tenant));
                    of_principal(named.or(target.tenant))
                        || named.is_some_and(|tenant| of_waiting(Some(tenant)))
                        || changed(Subject::Account(acting.tenant, acting.account.id))
                        || changed(Subject::Tenant(acting.tenant))
                }
                Found::Stranger => of_principal(None) || of_waiting(None),
                Found::NotAMember | Found::AccountRequired { .. } | Found::OutOfReach => {
                    of_principal(target.tenant) || of_waiting(target.tenant)
                }
            }
    }
}
