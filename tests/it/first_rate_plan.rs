//! The first plan of an account, while several accounts of one path create their first plans at the same moment.

use std::collections::BTreeSet;

use clientele::grpc::pb;
use tokio::sync::watch;

use crate::{
    billing::{create_plan, plans, rate_plan},
    world::{Client, World, at_once, customer, rounds},
};

/// Reads a customer again and again until told to stop: the plans that it was on.
async fn watched(client: Client, id: String, stop: watch::Receiver<bool>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    while !*stop.borrow() {
        seen.insert(client.get(&id).await.unwrap().rate_plan_id);
    }
    seen.insert(client.get(&id).await.unwrap().rate_plan_id);
    seen.remove("");
    seen
}

#[tokio::test]
async fn of_first_plans_at_the_same_moment_a_customer_is_on_one_and_stays_on_it() {
    let world = World::in_production().await;
    for round in 0..rounds(12) {
        let acme = world.tenant(&format!("acme-{round}")).await;
        let north = acme.child("north").await;
        let shop = north.child("shop").await;
        let accounts = [&acme, &north, &shop];
        let mut ids = Vec::new();
        for account in accounts {
            ids.push(account.admin.create(customer("Ada")).await.unwrap().id);
        }
        let (stop, stopped) = watch::channel(false);
        let readers: Vec<_> =
            ids.iter().map(|id| tokio::spawn(watched(acme.admin.clone(), id.clone(), stopped.clone()))).collect();
        // Two calls for each account.
        let calls =
            accounts.iter().rev().flat_map(|account| [account, account]).enumerate().map(|(number, account)| {
                let client = account.admin.clone();
                async move { create_plan(&client, rate_plan(&format!("Plan {number}"))).await }
            });
        let made: Vec<pb::RatePlan> = at_once(calls).await.into_iter().map(Result::unwrap).collect();
        stop.send(true).unwrap();
        for ((account, id), reader) in accounts.iter().zip(&ids).zip(readers) {
            let seen = reader.await.unwrap();
            let now = acme.admin.get(id).await.unwrap().rate_plan_id;
            assert_eq!(seen, BTreeSet::from([now.clone()]), "round {round}: it has been on one plan");
            // That of its own account, as its list has it first, or that of an account above.
            let plan = made.iter().find(|plan| plan.id == now).unwrap();
            let owner = accounts.iter().find(|one| one.account == plan.account_id).unwrap();
            assert_eq!(plans(&owner.admin).await.rate_plans[0].id, now, "round {round}: the first of its list");
            let above = accounts.iter().position(|one| one.account == owner.account).unwrap();
            let below = accounts.iter().position(|one| one.account == account.account).unwrap();
            assert!(above <= below, "round {round}: of its account or one above");
        }
        // The later ones are in their lists, and change nothing for customers that were there before.
        assert_eq!(made.len(), 6);
    }
}
