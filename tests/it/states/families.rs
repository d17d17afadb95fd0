//! The contract's rules on merges and on their undoing, in the model: what one command does to several customers.

use clientele::grpc::pb;

use super::model::{Actor, Model, Owner};

/// A merge that can still be undone.
struct Kept {
    survivor: usize,
    other: usize,
    /// The other one's state before.
    status: pb::CustomerStatus,
    /// Whether the merge gave the survivor the legal name.
    gave_legal_name: bool,
    /// Where the survivor was.
    owner: Owner,
    /// Those that had been merged into the other one.
    sources: Vec<usize>,
}

/// The merges of the customers of one sequence, in their order.
#[derive(Default)]
pub struct Families {
    kept: Vec<Kept>,
}

impl Families {
    /// Checks role, existence, rights, already made, and the blockers of the survivor and of the other one, in this order.
    pub fn merge(
        &mut self,
        actor: Actor,
        models: &mut [&mut Model],
        (survivor, other): (usize, usize),
    ) -> Result<(), &'static str> {
        may_join(actor, &[&*models[survivor], &*models[other]])?;
        if models[other].merged_into == Some(survivor) {
            return Ok(());
        }
        for one in [survivor, other] {
            match models[one].status {
                pb::CustomerStatus::Merged => return Err("CUSTOMER_MERGED"),
                pb::CustomerStatus::Erased => return Err("CUSTOMER_ERASED"),
                _ if models[one].holds > 0 => return Err("CUSTOMER_HELD"),
                _ => {}
            }
        }
        // A customer that became a reseller is alone in its account.
        let is_one_owner = models[survivor].owner == models[other].owner && models[survivor].owner != Owner::Reseller;
        if !is_one_owner || models[other].migration == Some(true) {
            return Err("MERGE_BLOCKED");
        }
        let sources = sources_of(models, other);
        let gave_legal_name = models[other].legal_name && !models[survivor].legal_name;
        let (status, owner) = (models[other].status, models[survivor].owner);
        self.kept.push(Kept { survivor, other, status, gave_legal_name, owner, sources: sources.clone() });
        models[survivor].legal_name |= gave_legal_name;
        models[other].status = pb::CustomerStatus::Merged;
        for moved in sources.into_iter().chain([other]) {
            models[moved].merged_into = Some(survivor);
            models[moved].events += 1;
        }
        models[survivor].events += 1;
        Ok(())
    }

    /// Checks role, existence, rights, state, and what came after the merge, in this order.
    pub fn unmerge(&mut self, actor: Actor, models: &mut [&mut Model], other: usize) -> Result<(), &'static str> {
        may_join(actor, &[&*models[other]])?;
        match models[other].status {
            pb::CustomerStatus::Erased => return Err("CUSTOMER_ERASED"),
            pb::CustomerStatus::Merged => {}
            _ => return Err("NOT_MERGED"),
        }
        // An erasure took it.
        let Some(place) = self.kept.iter().rposition(|kept| kept.other == other) else { return Err("MERGE_FINAL") };
        let survivor = self.kept[place].survivor;
        let is_last =
            self.kept.iter().skip(place + 1).all(|later| later.survivor != survivor && later.other != survivor);
        if !is_last || models[other].merged_into != Some(survivor) || self.kept[place].owner != models[survivor].owner {
            return Err("MERGE_FINAL");
        }
        let kept = self.kept.remove(place);
        // Whoever writes it again after the merge writes the same text, so nothing is lost.
        models[survivor].legal_name &= !kept.gave_legal_name;
        models[survivor].events += 1;
        models[other].status = kept.status;
        models[other].merged_into = None;
        models[other].events += 1;
        for source in kept.sources {
            // One that was erased meanwhile is merged into nothing.
            if models[source].merged_into == Some(survivor) {
                models[source].merged_into = Some(other);
                models[source].events += 1;
            }
        }
        Ok(())
    }

    /// After an erasure: those that were merged into it are erased too, and no merge with one of them can be undone.
    pub fn erased(&mut self, models: &mut [&mut Model], erased: usize) {
        let mut gone = sources_of(models, erased);
        for source in &gone {
            models[*source].become_erased();
        }
        gone.push(erased);
        self.kept.retain(|kept| !gone.contains(&kept.survivor) && !gone.contains(&kept.other));
    }
}

fn sources_of(models: &[&mut Model], of: usize) -> Vec<usize> {
    models.iter().enumerate().filter(|(_, model)| model.merged_into == Some(of)).map(|(place, _)| place).collect()
}

fn may_join(actor: Actor, models: &[&Model]) -> Result<(), &'static str> {
    if actor.role() < pb::Role::ServiceManager {
        return Err("ROLE_TOO_LOW");
    }
    if !models.iter().all(|model| model.sees(actor)) {
        return Err("CUSTOMER_NOT_FOUND");
    }
    if actor == Actor::Below { Err("FLEET_OWNED_ELSEWHERE") } else { Ok(()) }
}
