//! The trace ids of events.

use crate::world::{Client, World, customer};
use clientele::grpc::pb;

/// The trace id in the event of a creation with this header.
async fn traced(admin: &Client, traceparent: Option<&str>) -> String {
    let client = Client { traceparent: traceparent.map(str::to_owned), ..admin.clone() };
    let created = client.create(customer("Ada")).await.unwrap();
    let events = admin.events(&created.id).await.unwrap();
    assert_eq!((events.len(), events[0].r#type()), (1, pb::CustomerEventType::Created));
    events[0].trace_id.clone()
}

#[tokio::test]
async fn an_event_has_the_callers_trace_id_or_a_new_one() {
    let world = World::start().await;
    let admin = world.tenant("acme").await.admin;
    for flags in ["00", "01"] {
        let parent = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
        assert_eq!(traced(&admin, Some(&parent)).await, "0af7651916cd43dd8448eb211c80319c");
    }
    let mut new = Vec::new();
    for malformed in [
        None,
        None,
        Some("garbage"),
        Some(""),
        Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"),
        Some("00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01"),
        Some("00-0xf7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        Some("00-00000000000000000000000000000000-b7ad6b7169203331-01"),
        Some("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"),
        Some("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ] {
        let id = traced(&admin, malformed).await;
        assert!(id.len() == 32 && id.bytes().all(|byte| b"0123456789abcdef".contains(&byte)), "{malformed:?}: {id}");
        assert!(id.bytes().any(|byte| byte != b'0'), "{malformed:?}");
        new.push(id);
    }
    new.push("0af7651916cd43dd8448eb211c80319c".to_owned());
    let all = new.len();
    new.sort();
    new.dedup();
    assert_eq!(new.len(), all, "each new one is different");
}
