//! Large headers: what is taken, how a large token is refused, and what the library does with larger lists.

use clientele::grpc::pb;
use serde_json::json;
use tonic::{Code, Request, Status};

use crate::{
    frames::{Frames, GOAWAY, HEADERS},
    world::{AUDIENCE, Client, ISSUER, World, assert_refused, customer},
};

async fn who(client: &Client) -> Result<pb::WhoAmIResponse, Status> {
    Ok(client.access().who_am_i(pb::WhoAmIRequest::default()).await?.into_inner())
}

#[tokio::test]
async fn a_header_list_of_up_to_64_kib_is_taken() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    for (headers, size) in [(1, 60_000), (60, 1_000), (200, 280)] {
        let mut request = Request::new(pb::GetCustomerRequest { customer_id: ada.id.clone(), ..Default::default() });
        for number in 0..headers {
            let name = format!("x-padding-{number}").parse::<tonic::metadata::AsciiMetadataKey>().unwrap();
            request.metadata_mut().insert(name, "p".repeat(size).parse().unwrap());
        }
        let read = acme.admin.customers().get_customer(request).await;
        let read = read.unwrap_or_else(|refused| panic!("{headers} headers of {size} bytes: {refused:?}"));
        assert_eq!(read.into_inner().customer.unwrap().etag, ada.etag);
    }
}

#[tokio::test]
async fn a_token_may_have_16_kib_and_a_larger_one_is_refused_as_such() {
    let world = World::start().await;
    let groups: Vec<_> = (0..200).map(|number| format!("group {number:040}")).collect();
    let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": 9_999_999_999_u64, "groups": groups});
    let large = world.keys.sign(claims);
    assert!((12_000..16_384).contains(&large.len()), "{}", large.len());
    who(&world.bearer(large.clone())).await.unwrap();

    for size in [16 * 1024 + 1, 20_000, 40_000, 64_000] {
        let refused = who(&world.bearer("t".repeat(size))).await;
        let refused = assert_refused(refused, Code::Unauthenticated, "TOKEN_TOO_LARGE");
        assert!(refused.message().contains("16 KiB"), "{refused:?}");
    }
    assert_refused(who(&world.bearer("t".repeat(16 * 1024))).await, Code::Unauthenticated, "TOKEN_INVALID");
    who(&world.bearer(large)).await.expect("the connection still works");
}

#[tokio::test]
async fn a_larger_list_is_refused_by_the_library_and_one_beyond_its_patience_ends_the_connection() {
    let world = World::start().await;
    let mut frames = Frames::connect(world.server.address()).await;
    for size in [80_000, 100_000] {
        let refused = frames.call("/clientele.v1.AccessService/WhoAmI", &[("x-padding", &"p".repeat(size))]).await;
        assert!(frames.until(HEADERS, refused).await.unwrap().ends());
        assert!(frames.is_alive().await, "after {size} bytes");
    }
    frames.call("/clientele.v1.AccessService/WhoAmI", &[("x-padding", &"p".repeat(200_000))]).await;
    while frames.next().await.expect("GOAWAY before the end").kind != GOAWAY {}
}
