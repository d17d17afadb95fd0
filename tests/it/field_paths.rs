//! How errors name fields: by one grammar, the path of the field in the request. `world::assert_refused` holds every refusal of
//! every test against it.

use std::sync::LazyLock;

use clientele::grpc::{DESCRIPTORS, pb};
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor, MethodDescriptor, Value};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{
    messages::send,
    world::{World, assert_refused, bad_fields, customer, metadata, unknown_id},
};

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).unwrap());
/// The headers that an error can be about.
const HEADERS: [&str; 3] = ["clientele-tenant", "clientele-account", "clientele-customer"];

fn methods() -> impl Iterator<Item = MethodDescriptor> {
    let services = POOL.services().filter(|service| service.package_name() == "clientele.v1");
    services.flat_map(|service| service.methods().collect::<Vec<_>>())
}

/// The fields that a refusal names: in `BadRequest`, and in the metadata `field` and `missing_fields`.
fn named(status: &Status) -> Vec<String> {
    let mut named = bad_fields(status);
    named.extend(metadata(status, "field"));
    let missing = metadata(status, "missing_fields").unwrap_or_default();
    named.extend(missing.split(',').map(str::to_owned));
    named.retain(|field| !field.is_empty());
    named
}

/// Whether a path leads to a field of this message: names with dots between them, `[3]` for an entry of a list, `.KEY` for one of a
/// map. `primary_contact` stands for the entry of `contacts` that is primary.
fn leads_into(message: &MessageDescriptor, path: &str) -> bool {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let (name, index) = head.split_once('[').map_or((head, None), |(name, index)| (name, Some(index)));
    let name = if name == "primary_contact" { "contacts" } else { name };
    let Some(field) = message.get_field_by_name(name) else { return false };
    let is_index = index.is_none_or(|index| {
        field.is_list() && index.strip_suffix(']').is_some_and(|number| number.parse::<usize>().is_ok())
    });
    is_index
        && match (rest, field.kind()) {
            (None, _) => true,
            (Some(_), _) if field.is_map() => true,
            (Some(rest), Kind::Message(inner)) => leads_into(&inner, rest),
            _ => false,
        }
}

/// Asserts that every field that a refusal names is a field of some request.
#[track_caller]
pub fn check(status: &Status) {
    for field in named(status) {
        let known = HEADERS.contains(&field.as_str()) || methods().any(|method| leads_into(&method.input(), &field));
        assert!(known, "{field} is no field of a request: {status:?}");
    }
}

/// Asserts that a refusal about a value of the request names its field in the metadata, and the first of `BadRequest`.
#[track_caller]
pub fn check_field(status: &Status, reason: &str) {
    let of_value = reason.ends_with("_TAKEN") || reason.ends_with("_EXISTS") || !bad_fields(status).is_empty();
    let field = metadata(status, "field");
    assert!(field.is_some() || !of_value, "{reason} names no field: {status:?}");
    if let Some(first) = bad_fields(status).first() {
        assert_eq!(field.as_ref(), Some(first), "{status:?}");
    }
}

#[tokio::test]
async fn a_mask_that_names_a_field_of_the_message_that_it_does_not_write_says_why() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let mut updates = 0;
    for method in methods().filter(|method| method.input().get_field_by_name("update_mask").is_some()) {
        let input = method.input();
        // Each row of an import is an upsert.
        if input.get_field_by_name("rows").is_some() {
            continue;
        }
        let resource = input.fields().find_map(|field| match field.kind() {
            Kind::Message(inner) if inner.package_name() == "clientele.v1" => Some((field, inner)),
            _ => None,
        });
        let (field, resource) = resource.expect("an update has the message that it changes");
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        updates += 1;
        for written in resource.fields() {
            let mut part = DynamicMessage::new(resource.clone());
            part.set_field_by_name("id", Value::String(unknown_id()));
            let mask = prost_types::FieldMask { paths: vec![written.name().to_owned()] };
            let mut message = DynamicMessage::new(input.clone());
            message.set_field(&field, Value::Message(part));
            let mask_type = POOL.get_message_by_name("google.protobuf.FieldMask").unwrap();
            let mut dynamic = DynamicMessage::new(mask_type);
            dynamic.transcode_from(&mask).unwrap();
            message.set_field_by_name("update_mask", Value::Message(dynamic));
            let refused = send(&acme.admin, &path, prost::Message::encode_to_vec(&message)).await.unwrap_err();
            let violations = refused.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
            for violation in violations.iter().filter(|violation| violation.field == "update_mask.paths[0]") {
                let hint = violation.description.strip_prefix(&format!("must not name {}: ", written.name()));
                assert!(hint.is_some_and(|hint| hint.len() > 10), "{path}, {}: {violation:?}", written.name());
            }
        }
    }
    assert!(updates >= 4, "{updates}");
}

#[tokio::test]
async fn what_is_taken_or_exists_names_its_field_and_free_names_are_data() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::Account, pb::AccountPolicies::default()).await;
    let named = |name: &str, order: &str| pb::Customer { order_reference: order.to_owned(), ..customer(name) };
    acme.admin.create(named("Ada, Ltd.", "7")).await.unwrap();
    let bob = acme.admin.create(customer("Bob")).await.unwrap();

    let taken = assert_refused(acme.admin.create(customer("Ada, Ltd.")).await, Code::AlreadyExists, "NAME_TAKEN");
    assert_eq!(metadata(&taken, "field").as_deref(), Some("customer.name"));
    let free: Vec<String> = serde_json::from_str(&metadata(&taken, "free_names").unwrap()).unwrap();
    assert!(free.contains(&"Ada, Ltd. 2".to_owned()), "{free:?}");
    acme.admin.create(customer(&free[0])).await.unwrap();

    let renamed = acme.admin.update(pb::Customer { id: bob.id.clone(), ..customer("Ada, Ltd.") }, &["name"]).await;
    let taken = assert_refused(renamed, Code::AlreadyExists, "NAME_TAKEN");
    assert_eq!(metadata(&taken, "field").as_deref(), Some("customer.name"));
    let ordered =
        assert_refused(acme.admin.create(named("Cid", "7")).await, Code::AlreadyExists, "ORDER_REFERENCE_TAKEN");
    assert_eq!(metadata(&ordered, "field").as_deref(), Some("customer.order_reference"));
}

#[tokio::test]
async fn a_range_that_ends_before_it_starts_is_refused() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
    let range = |start, end| Some(pb::TimeRange { start_time: time(start), end_time: time(end) });
    let search = async |created, updated| {
        let query = pb::SearchCustomersRequest { created, updated, ..Default::default() };
        acme.admin.customers().search_customers(query).await
    };
    search(range(5, 5), range(1, 2)).await.unwrap();
    let refused = assert_refused(search(range(5, 4), range(2, 1)).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["created.end_time", "updated.end_time"]);
}
