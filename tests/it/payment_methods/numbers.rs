//! Card numbers and IBANs in requests on payment methods: refused in every text field, and nowhere else.

use clientele::grpc::{
    DESCRIPTORS,
    pb::{self, AddPaymentMethodRequest as Adding},
};
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor, Value};
use tonic::Code;

use super::{add, adding, card, list, remove, set_default};
use crate::{
    suspend_customer::active,
    world::{World, assert_refused, bad_fields, customer},
};

/// Test numbers of the networks, and published example IBANs.
const NUMBERS: [&str; 6] = [
    "4111 1111 1111 1111",
    "378282246310005",
    "ref 5555-5555-5555-4444 of May",
    "４１１１１１１１１１１１１１１１",
    "NL91 ABNA 0417 1643 00",
    "GB29NWBK60161331926819",
];

/// The paths of all texts of a message, each set to a value.
fn texts(descriptor: &MessageDescriptor, at: &str, found: &mut Vec<String>) {
    for field in descriptor.fields() {
        let path = if at.is_empty() { field.name().to_owned() } else { format!("{at}.{}", field.name()) };
        match field.kind() {
            Kind::String => found.push(path),
            Kind::Message(part) if part.package_name() == "clientele.v1" => texts(&part, &path, found),
            _ => {}
        }
    }
}

/// The message with a text at a path.
fn with(mut message: DynamicMessage, path: &str, text: &str) -> DynamicMessage {
    match path.split_once('.') {
        None => message.set_field_by_name(path, Value::String(text.to_owned())),
        Some((head, rest)) => {
            let part = message.get_field_by_name(head).unwrap().as_message().unwrap().clone();
            message.set_field_by_name(head, Value::Message(with(part, rest, text)));
        }
    }
    message
}

#[tokio::test]
async fn a_number_in_any_text_field_is_refused_and_never_echoed() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    let before = world.stored().await;
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let descriptor = pool.get_message_by_name("clientele.v1.AddPaymentMethodRequest").unwrap();
    let mut paths = Vec::new();
    texts(&descriptor, "", &mut paths);
    assert!(paths.len() >= 9, "{paths:?}");
    let valid = prost::Message::encode_to_vec(&adding(&ada.id));
    for path in &paths {
        for number in NUMBERS {
            let message = DynamicMessage::decode(descriptor.clone(), valid.as_slice()).unwrap();
            let message = with(message, path, number);
            let request: Adding = message.transcode_to().unwrap();
            let refused =
                assert_refused(add(&acme.admin, &request).await, Code::InvalidArgument, "CARD_NUMBER_REFUSED");
            assert_eq!(bad_fields(&refused), [path.as_str()]);
            let told = format!("{refused:?}");
            assert!(!told.contains("1111 1111") && !told.contains("ABNA") && !told.contains("5555"), "{told}");
        }
    }
    let number = NUMBERS[0];
    for refused in [
        set_default(&acme.admin, number, &ada.id).await.map(drop),
        set_default(&acme.admin, &ada.id, number).await.map(drop),
        remove(&acme.admin, number, &ada.id).await.map(drop),
        remove(&acme.admin, &ada.id, number).await.map(drop),
        list(&acme.admin, number).await.map(drop),
    ] {
        assert_refused(refused, Code::InvalidArgument, "CARD_NUMBER_REFUSED");
    }
    // With other fields that are wrong as well, this is what the caller must know.
    let broken = pb::PaymentMethod { r#type: 9, token: number.to_owned(), ..card() };
    let broken = Adding { payment_method: Some(broken), ..adding("7") };
    assert_refused(add(&acme.admin, &broken).await, Code::InvalidArgument, "CARD_NUMBER_REFUSED");
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn other_requests_may_have_such_numbers_and_ids_are_none() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    let order = pb::Customer { order_reference: "4111111111111111".to_owned(), ..customer("Bob") };
    acme.admin.create(order).await.unwrap();
    acme.admin.set_id(&ada.id, "erp", "GB29NWBK60161331926819").await.unwrap();
    // A UUID whose digits, with the dashes between them, are a card number.
    let id = "41111111-1111-4111-8111-abcdefabcdef";
    let id_of_digits = Adding { request_id: id.to_owned(), ..adding(&ada.id) };
    add(&acme.admin, &id_of_digits).await.unwrap();
    let token = pb::PaymentMethod { token: "42424242-4242-4242-8242-424242abcdef".to_owned(), ..card() };
    add(&acme.admin, &Adding { payment_method: Some(token), ..adding(&ada.id) }).await.unwrap();
}
