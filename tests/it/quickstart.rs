//! Runs the Rust example. `.ci/clients` runs it in every language on `clientele dev`, and expects the same lines.

use crate::{
    billing::{chargeable, create_feature, create_plan, rate_plan},
    world::{World, requiring},
};
use clientele::{
    client::Client,
    pb::{self, money::Money},
};

#[path = "../../examples/quickstart.rs"]
pub(crate) mod example;

#[tokio::test]
async fn the_quickstart_prints_the_expected_lines() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    // What the demo's distributor sells.
    create_feature(&acme.admin, chargeable("voicemail")).await.unwrap();
    let price = Money { units: 2, nanos: 500_000_000, ..Default::default() };
    let standard = pb::RatePlan { prices: [("voicemail".to_owned(), price)].into(), ..rate_plan("Standard") };
    create_plan(&acme.admin, standard).await.unwrap();
    // The policies of the account of the demo's bob.
    let policies = requiring(&["billing_email"], &["email", "primary_address.city", "primary_contact.email"]);
    let policies = pb::AccountPolicies { auto_approve: Some(false), ..policies };
    let north = acme.child_with("north", Some(policies)).await;
    north.add("bob", pb::Role::Admin).await;
    world.subject("bob").accepting_all().await;

    let mut steps = Vec::new();
    let client = Client::builder(world.server.address().to_string()).token(world.keys.token("bob"));
    let client = client.connect().await.unwrap();
    Box::pin(example::walk(&client, |step| steps.push(step))).await.unwrap();

    let expected: Vec<&str> = include_str!("../../examples/quickstart.txt").lines().collect();
    assert_eq!(steps.len(), expected.len(), "{steps:#?}");
    for (step, expected) in steps.iter().zip(expected) {
        assert!(matches(step, expected), "{step} should match {expected}");
    }
}

/// Whether a line is as expected; … matches any text.
fn matches(line: &str, expected: &str) -> bool {
    let mut pieces = expected.split('…');
    let Some(rest) = pieces.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let last = pieces.next_back();
    let rest = pieces.try_fold(rest, |rest, piece| rest.split_once(piece).map(|(_, rest)| rest));
    rest.is_some_and(|rest| last.map_or(rest.is_empty(), |last| rest.ends_with(last)))
}
