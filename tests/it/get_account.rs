//! GetAccount.

use clientele::grpc::pb;
use tonic::{Code, Status};

use crate::world::{Client, World, assert_refused, bad_fields, requiring, unknown_id, wire};

async fn get(client: &Client, id: &str) -> Result<pb::Account, Status> {
    let request = pb::GetAccountRequest { account_id: id.to_owned() };
    Ok(client.accounts().get_account(request).await?.into_inner().account.unwrap())
}

#[tokio::test]
async fn the_acting_account_and_those_below_are_read_with_their_required_fields() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::Account, requiring(&["email"], &["phone"])).await;
    let north = acme.child_with("north", Some(requiring(&["fax"], &[]))).await;
    let deep = north.child("deep").await;

    let own = get(&acme.admin, "").await.unwrap();
    assert_eq!((own.id.as_str(), own.name.as_str()), (acme.account.as_str(), "acme"));
    assert_eq!(own, get(&acme.admin, &acme.account).await.unwrap());
    let below = get(&acme.admin, &deep.account).await.unwrap();
    assert_eq!(below.ancestor_ids, [deep.account.clone(), north.account.clone(), acme.account.clone()]);
    assert_eq!(below.parent_id, north.account);
    assert_eq!(below.name_uniqueness(), pb::NameUniqueness::Account);
    let asks = below.policies.unwrap();
    assert_eq!((asks.required_to_create, asks.required_to_approve), {
        let wanted = requiring(&["fax"], &[]);
        (wanted.required_to_create, wanted.required_to_approve)
    });
    assert_eq!(get(&north.member(pb::Role::Viewer).await, "").await.unwrap().name, "north");
    let shouted = get(&acme.admin, &format!("{{{}}}", deep.account.to_uppercase())).await;
    assert_eq!(shouted.unwrap().id, deep.account, "any UUID syntax is accepted, lower case is returned");
}

#[tokio::test]
async fn any_other_account_does_not_exist() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let viewer = north.member(pb::Role::Viewer).await;
    let refused = async |id: &str| wire(&assert_refused(get(&viewer, id).await, Code::NotFound, "ACCOUNT_NOT_FOUND"));
    let absent = refused(&unknown_id()).await;
    for id in [&acme.account, &south.account, &globex.account] {
        assert_eq!(refused(id).await, absent, "existence must not leak");
    }
    // The acting account limits the view, not the set of accounts in which the caller may act.
    assert_refused(get(&north.admin, &south.account).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
}

#[tokio::test]
async fn a_malformed_id_is_refused() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for id in ["7", "acme", "00000000-0000-0000-0000-00000000000g", &"1".repeat(33)] {
        let refused = assert_refused(get(&acme.admin, id).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["account_id"], "{id}");
    }
}
