//! Creations in one account that are in flight at once are written together: a slice of them by one statement, with one commit.
//!
//! A creation goes out at once, by a statement of its own, while fewer than `AT_ONCE` of its account are on their way. Those that come
//! meanwhile wait, each with the session that it has. When one that is on its way ends, the one that has waited longest writes
//! itself and those behind it, in its own session. So a caller that is alone waits for nobody, and the more are in flight, the less
//! each costs.
//!
//! A slice is all or nothing. If it writes nothing, as a key is taken, a reference names nothing or the account has changed, each of
//! its creations goes out alone, so only those that are at fault hear of it. The next ones of the account are then not put together
//! for a while: creations that fail shall not cost the others a statement each time. One that has waited for `PATIENCE` goes out
//! alone, too.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    domain::{
        access::caller::Caller,
        accounts::account::Account,
        requests::principal::Author,
        values::ids::{AccountId, TenantId},
    },
    error::{Error, Result},
    service::pool::Lease,
    store::{self, customers::CustomerInsert},
    telemetry::Statement as _,
};

/// Statements of an account at once. With two, a machine with two cores creates 5 % more a second, but four callers less than without
/// slices, and a larger database would have nothing to do.
const AT_ONCE: usize = 4;
/// Creations in one slice.
const IN_SLICE: usize = 32;
/// How long one waits for the end of those before it: many times what a slice takes, unless a lock holds it up.
const PATIENCE: Duration = Duration::from_millis(50);
/// After a slice that wrote nothing, so many creations of the account go out alone.
const APART: usize = 4 * IN_SLICE;

/// The creations in flight, by account. Clones share them.
#[derive(Clone, Default)]
pub(super) struct CreateSlices(Arc<Mutex<HashMap<Place, Line>>>);

/// An account as creations were decided on it: only those that were decided on the same go together.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    tenant: TenantId,
    account: AccountId,
    revision: i64,
    tenant_revision: i64,
}

/// The creations in one account.
#[derive(Default)]
struct Line {
    /// Statements on their way.
    on_their_way: usize,
    /// The longest waiting first.
    waiting: VecDeque<Waiting>,
    /// So many more go out alone.
    apart: usize,
}

/// A creation that waits.
struct Waiting {
    insert: Arc<CustomerInsert>,
    author: Author,
    told: oneshot::Sender<Told>,
}

/// What one that waits is told.
enum Told {
    /// It writes itself and these.
    WriteWith(Vec<Waiting>),
    /// It was written.
    Written,
    /// It was not written, and goes out alone.
    GoAlone,
    /// It may have been written: the session was lost.
    Lost(Error),
}

impl CreateSlices {
    /// Writes a new customer, decided on this account: by `alone`, or with others in the session of one of them. Returns whether it
    /// was written: not if the account or its tenant has changed.
    ///
    /// # Errors
    /// Those of `alone`, and `Unavailable` if the session was lost.
    pub(super) async fn write(
        &self,
        lease: &mut Lease,
        caller: &Caller,
        account: &Account,
        insert: &Arc<CustomerInsert>,
        alone: impl AsyncFnOnce(&mut Lease) -> Result<bool>,
    ) -> Result<bool> {
        let tenant = caller.scope().tenant();
        let (revision, tenant_revision) = (account.revision, account.tenant_revision);
        let place = Place { tenant, account: account.id, revision, tenant_revision };
        let Some(told) = self.wait_or_begin(place, caller, insert) else {
            let _turn = Turn { slices: self, place };
            return alone(lease).await;
        };
        match self.wait(place, insert, told).await {
            Told::Written => Ok(true),
            Told::Lost(lost) => Err(lost),
            Told::GoAlone => alone(lease).await,
            Told::WriteWith(others) => {
                let turn = Turn { slices: self, place };
                if others.is_empty() {
                    return alone(lease).await;
                }
                match write_slice(lease, tenant, account, (insert, caller.author()), others).await? {
                    true => Ok(true),
                    false => {
                        self.lines().entry(place).or_default().apart = APART;
                        drop(turn);
                        alone(lease).await
                    }
                }
            }
        }
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<Place, Line>> {
        // Nothing in here panics while a line is half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a creation wait; none if it goes out alone at once.
    fn wait_or_begin(
        &self,
        place: Place,
        caller: &Caller,
        insert: &Arc<CustomerInsert>,
    ) -> Option<oneshot::Receiver<Told>> {
        let mut lines = self.lines();
        let line = lines.entry(place).or_default();
        if line.on_their_way < AT_ONCE || line.apart > 0 {
            line.apart = line.apart.saturating_sub(1);
            line.on_their_way += 1;
            return None;
        }
        let (told, receiver) = oneshot::channel();
        line.waiting.push_back(Waiting { insert: Arc::clone(insert), author: caller.author().clone(), told });
        Some(receiver)
    }

    /// Waits to be told what becomes of a creation. It is measured as a statement of the call.
    async fn wait(&self, place: Place, insert: &Arc<CustomerInsert>, mut told: oneshot::Receiver<Told>) -> Told {
        let waiting = async {
            let said = match tokio::time::timeout(PATIENCE, &mut told).await {
                Ok(said) => said,
                Err(_) if self.leave(place, insert) => Ok(Told::GoAlone),
                // It is being written.
                Err(_) => told.await,
            };
            Ok(said.unwrap_or_else(|_| {
                Told::Lost(Error::Unavailable {
                    cause: "the statement that wrote it did not come to its end".to_owned(),
                })
            }))
        };
        waiting.named("customers.create_together").await.unwrap_or(Told::GoAlone)
    }

    /// Takes a creation out of those that wait. False if it does not wait any more.
    fn leave(&self, place: Place, insert: &Arc<CustomerInsert>) -> bool {
        let mut lines = self.lines();
        let Some(line) = lines.get_mut(&place) else { return false };
        let before = line.waiting.len();
        line.waiting.retain(|waiting| !Arc::ptr_eq(&waiting.insert, insert));
        line.waiting.len() < before
    }

    /// A statement of the account has ended: those that wait are next.
    fn end(&self, place: Place) {
        let mut lines = self.lines();
        let Some(line) = lines.get_mut(&place) else { return };
        line.on_their_way -= 1;
        while let Some(first) = line.waiting.pop_front() {
            let others = line.waiting.drain(..line.waiting.len().min(IN_SLICE - 1)).collect();
            match first.told.send(Told::WriteWith(others)) {
                Ok(()) => {
                    line.on_their_way += 1;
                    break;
                }
                // Its call is gone: the others are as before.
                Err(Told::WriteWith(others)) => {
                    others.into_iter().rev().for_each(|other| line.waiting.push_front(other));
                }
                Err(_) => {}
            }
        }
        if line.on_their_way == 0 && line.waiting.is_empty() {
            lines.remove(&place);
        }
    }
}

/// Writes a slice, and tells the others. Returns whether it was written; nothing was, if not.
async fn write_slice(
    lease: &mut Lease,
    tenant: TenantId,
    account: &Account,
    first: (&CustomerInsert, &Author),
    others: Vec<Waiting>,
) -> Result<bool> {
    let mut slice = vec![first];
    slice.extend(others.iter().map(|other| (&*other.insert, &other.author)));
    let written = lease.run(async |conn| store::customers::create(conn, tenant, account, &slice).await).await;
    let (count, lost) = match written {
        Ok(count) => (count, None),
        Err(lost) if lost.is_lost_session() => (0, Some(lost)),
        // It was rolled back.
        Err(_) => (0, None),
    };
    let all = count == slice.len();
    drop(slice);
    for Waiting { insert, told, .. } in others {
        // So that its caller holds the only one.
        drop(insert);
        let said = match &lost {
            Some(lost) => Told::Lost(lost.duplicate()),
            None if all => Told::Written,
            None => Told::GoAlone,
        };
        // A call that is gone hears nothing.
        _ = told.send(said);
    }
    lost.map_or(Ok(all), Err)
}

/// A statement that is on its way, until this is dropped.
struct Turn<'a> {
    slices: &'a CreateSlices,
    place: Place,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.slices.end(self.place);
    }
}
