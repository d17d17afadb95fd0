//! Gives a mutation a `request_id`, which makes it safe to send again: in the encoded request, so that one piece of code serves all
//! RPCs and callers use the generated clients as they are.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use prost::{decode_length_delimiter, encode_length_delimiter};
use uuid::Uuid;

/// What comes before a message: whether it is compressed, and its length in four bytes.
const PREFIX: usize = 5;
/// The type of a field that has a length: a text.
const TEXT: usize = 2;

/// The request with a `request_id` in the field of this number, a new one if it has none; and whether it has one now. A compressed
/// request is left as it is.
pub(super) fn with_request_id(request: Bytes, field: u32) -> (Bytes, bool) {
    let Some((&[0, ..], message)) = request.split_at_checked(PREFIX) else { return (request, false) };
    match has_text(message, field) {
        None => (request, false),
        Some(true) => (request, true),
        // Of a field that comes twice the last one counts, so an empty one before it does not matter.
        Some(false) => match appended(message, field, &Uuid::new_v4().to_string()) {
            Some(longer) => (longer, true),
            None => (request, false),
        },
    }
}

/// The request of a message with one more text; nothing if that is too long for a request.
fn appended(message: &[u8], field: u32, text: &str) -> Option<Bytes> {
    let key = usize::try_from(field).ok()? << 3 | TEXT;
    let mut request = BytesMut::new();
    request.put_bytes(0, PREFIX);
    request.put_slice(message);
    encode_length_delimiter(key, &mut request).ok()?;
    encode_length_delimiter(text.len(), &mut request).ok()?;
    request.put_slice(text.as_bytes());
    let length = u32::try_from(request.len() - PREFIX).ok()?;
    request.get_mut(1..PREFIX)?.copy_from_slice(&length.to_be_bytes());
    Some(request.freeze())
}

/// Whether the message has a text in this field; nothing if it is no message.
fn has_text(mut message: &[u8], field: u32) -> Option<bool> {
    let mut found = false;
    while message.has_remaining() {
        let key = decode_length_delimiter(&mut message).ok()?;
        let length = match key & 7 {
            0 => {
                while message.try_get_u8().ok()? >= 0x80 {}
                0
            }
            1 => 8,
            TEXT => decode_length_delimiter(&mut message).ok()?,
            5 => 4,
            _ => return None,
        };
        if u32::try_from(key >> 3) == Ok(field) {
            found = length > 0;
        }
        message = message.get(length..)?;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::pb::{
        AddPaymentMethodRequest, CreateCustomerRequest, Customer, ListTagsRequest, MigrateCustomerToResellerRequest,
    };

    fn framed(message: &impl Message) -> Bytes {
        let mut request = BytesMut::new();
        request.put_u8(0);
        request.put_u32(u32::try_from(message.encoded_len()).unwrap());
        message.encode(&mut request).unwrap();
        request.freeze()
    }

    fn message<M: Message + Default>(request: &Bytes) -> M {
        assert_eq!(u32::from_be_bytes(request[1..PREFIX].try_into().unwrap()) as usize, request.len() - PREFIX);
        M::decode(&request[PREFIX..]).unwrap()
    }

    #[test]
    fn a_request_without_a_request_id_gets_one_and_keeps_everything_else() {
        let customer = Customer { name: "Ada".repeat(90), reach: -1, ..Customer::default() };
        let request = CreateCustomerRequest { customer: Some(customer), validate_only: true, ..Default::default() };
        let (sent, has) = with_request_id(framed(&request), 2);
        let sent: CreateCustomerRequest = message(&sent);
        assert!(has && Uuid::parse_str(&sent.request_id).is_ok(), "{sent:?}");
        assert_eq!(CreateCustomerRequest { request_id: String::new(), ..sent.clone() }, request);
        let (other, _) = with_request_id(framed(&request), 2);
        assert_ne!(message::<CreateCustomerRequest>(&other).request_id, sent.request_id);

        let empty = with_request_id(framed(&MigrateCustomerToResellerRequest::default()), 8).0;
        assert_eq!(message::<MigrateCustomerToResellerRequest>(&empty).request_id.len(), 36);
    }

    #[test]
    fn a_request_id_of_the_caller_is_kept() {
        let request = AddPaymentMethodRequest { request_id: "mine".to_owned(), ..Default::default() };
        assert_eq!(with_request_id(framed(&request), 4), (framed(&request), true));
    }

    #[test]
    fn what_is_no_plain_message_is_sent_as_it_is_and_counts_as_without_one() {
        let compressed = Bytes::from_static(&[1, 0, 0, 0, 1, 7]);
        let broken = Bytes::from_static(&[0, 0, 0, 0, 2, 0x0a, 9]);
        let short = Bytes::from_static(&[0, 0]);
        for request in [compressed, broken, short] {
            assert_eq!(with_request_id(request.clone(), 2), (request, false));
        }
        let text_elsewhere = framed(&ListTagsRequest { page_token: "next".to_owned(), ..Default::default() });
        assert!(has_text(&text_elsewhere[PREFIX..], 1).is_some_and(|found| !found));
    }
}
