//! An enum number that this release does not know is INVALID_FIELDS in every field of every request that reads it.

use std::collections::BTreeSet;

use clientele::{
    domain::requests::contract::{Access, RPCS},
    grpc::DESCRIPTORS,
};
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use tonic::Code;

use crate::{
    messages::send,
    world::{World, assert_refused, bad_fields},
};

/// Enums that requests contain only because they are in a message that answers share.
const OUTPUT_ONLY: [&str; 5] =
    ["customer.status", "customer.dms_link", "account.name_uniqueness", "account.state", "tenant.state"];

/// The fields that lead to an enum: each of them, by singular messages and lists of enums.
fn enums(message: &MessageDescriptor) -> Vec<Vec<FieldDescriptor>> {
    let mut paths = Vec::new();
    for field in message.fields().filter(|field| !field.is_map()) {
        match field.kind() {
            Kind::Enum(_) => paths.push(vec![field]),
            Kind::Message(inner) if inner.package_name() == "clientele.v1" && !field.is_list() => {
                paths.extend(enums(&inner).into_iter().map(|rest| [vec![field.clone()], rest].concat()));
            }
            _ => {}
        }
    }
    paths
}

/// Gives the enum at the end of a path an unknown number.
fn set(message: &mut DynamicMessage, path: &[FieldDescriptor]) {
    const UNKNOWN: Value = Value::EnumNumber(9_999);
    match path {
        [field] if field.is_list() => message.set_field(field, Value::List(vec![UNKNOWN])),
        [field] => message.set_field(field, UNKNOWN),
        [field, rest @ ..] => {
            let Value::Message(inner) = message.get_field_mut(field) else { panic!("{field:?}") };
            set(inner, rest);
        }
        [] => {}
    }
}

/// The message, and what violations call the field.
fn with_unknown(input: MessageDescriptor, path: &[FieldDescriptor]) -> (Vec<u8>, String) {
    let mut message = DynamicMessage::new(input.clone());
    set(&mut message, path);
    let names: Vec<&str> = path.iter().map(FieldDescriptor::name).collect();
    if let Some(mask) = input.get_field_by_name("update_mask") {
        let paths = Value::List(vec![Value::String(names[1..].join("."))]);
        let Value::Message(inner) = message.get_field_mut(&mask) else { panic!("{mask:?}") };
        inner.set_field_by_name("paths", paths);
    }
    let list = if path.last().unwrap().is_list() { "[0]" } else { "" };
    (prost::Message::encode_to_vec(&message), names.join(".") + list)
}

#[tokio::test]
async fn an_unknown_enum_number_in_a_request_is_an_invalid_field() {
    let world = World::start().await;
    let admin = world.tenant("acme").await.admin;
    let operator = world.operator();
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let (mut checked, mut ignored) = (0, BTreeSet::new());
    for rpc in RPCS {
        let (service, name) = rpc.path.trim_start_matches('/').split_once('/').unwrap();
        let service = pool.get_service_by_name(service).unwrap();
        let input = service.methods().find(|method| method.name() == name).unwrap().input();
        // It reads what is compared, and nothing of that is an enum.
        let read = if name == "FindDuplicateCustomers" { Vec::new() } else { enums(&input) };
        for path in read {
            let (message, field) = with_unknown(input.clone(), &path);
            let client = if rpc.access == Access::Platform { &operator } else { &admin };
            let refused = send(client, rpc.path, message).await;
            let is_written = field == "account.name_uniqueness" && name == "UpdateAccount";
            let is_output = (OUTPUT_ONLY.contains(&field.as_str()) && !is_written)
                || (field == "customer.origin" && name == "UpdateCustomer");
            if is_output {
                ignored.insert(field);
                continue;
            }
            let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
            assert!(bad_fields(&refused).contains(&field), "{name}: {field} is not in {:?}", bad_fields(&refused));
            checked += 1;
        }
    }
    assert!(checked >= 25, "{checked}");
    assert_eq!(ignored.len(), OUTPUT_ONLY.len() + 1, "{ignored:?}");
}
