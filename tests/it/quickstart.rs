//! The example, walked as it stands. `.ci/examples` walks it in every language on `clientele dev`, and asks for the same lines.

use crate::world::{World, requiring};
use clientele::grpc::pb;

#[path = "../../examples/quickstart.rs"]
pub(crate) mod example;

#[tokio::test]
async fn the_quickstart_walks_a_customer_through_its_life() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    // What the demo's bob keeps his customers by.
    let policies = requiring(&["billing_email"], &["email", "primary_address.city", "primary_contact.email"]);
    let policies = pb::AccountPolicies { auto_approve: Some(false), ..policies };
    let north = acme.child_with("north", Some(policies)).await;
    north.add("bob", pb::Role::Admin).await;

    let mut told = Vec::new();
    let token = world.keys.token("bob");
    Box::pin(example::walk(world.channel(), &token, |step| told.push(step))).await.unwrap();

    let expected: Vec<&str> = include_str!("../../examples/quickstart.txt").lines().collect();
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (step, expected) in told.iter().zip(expected) {
        assert!(says(step, expected), "{step} should say {expected}");
    }
}

/// Whether a line is as expected; … stands for anything.
fn says(line: &str, expected: &str) -> bool {
    let mut pieces = expected.split('…');
    let Some(rest) = pieces.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let last = pieces.next_back();
    let rest = pieces.try_fold(rest, |rest, piece| rest.split_once(piece).map(|(_, rest)| rest));
    rest.is_some_and(|rest| last.map_or(rest.is_empty(), |last| rest.ends_with(last)))
}
