//! What decoding a request costs in memory beside its bytes. A field that takes two bytes on the wire may become a message of
//! hundreds, so a small request could fill the memory of the process. The fields are counted before anything is decoded.

/// What one field costs at most: the largest message that a field may repeat, in a list that has grown to twice its length.
const FIELD: usize = 512;
/// Numbers that are packed into one field, by the bytes that they take: each may become eight bytes.
const PACKED_PER_FIELD: usize = FIELD / 8;
/// As deep as the decoder goes.
const MAX_DEPTH: usize = 100;

/// What a field of a message holds, if it is more than one value.
#[derive(Clone, Copy)]
enum Holds {
    /// A message of this shape.
    Message(usize),
    /// A list of numbers.
    Numbers,
}

include!(concat!(env!("OUT_DIR"), "/shapes.rs"));

/// Bytes of memory that decoding this message costs at most, beside copies of its bytes, for the RPC at this path.
#[must_use]
pub fn decoding_cost(path: &str, message: &[u8]) -> usize {
    request(path).map_or(0, |shape| FIELD * fields(message, shape, 0))
}

/// The fields of a message, at every depth, up to where decoding it would fail.
fn fields(mut bytes: &[u8], shape: usize, depth: usize) -> usize {
    let mut count = 0;
    // There is no field 0: decoding ends there.
    while let Some(key) = varint(&mut bytes).filter(|key| key >> 3 > 0) {
        count += 1;
        let skipped = match key & 7 {
            0 => varint(&mut bytes).map(|_| ()),
            1 => bytes.split_off(..8).map(|_| ()),
            2 => {
                varint(&mut bytes).and_then(|length| bytes.split_off(..usize::try_from(length).ok()?)).map(|payload| {
                    let holds =
                        SHAPES.get(shape).and_then(|shape| shape.iter().find(|(number, _)| *number == key >> 3));
                    match holds {
                        Some((_, Holds::Message(shape))) if depth < MAX_DEPTH => {
                            count += fields(payload, *shape, depth + 1);
                        }
                        Some((_, Holds::Numbers)) => count += payload.len().div_ceil(PACKED_PER_FIELD),
                        _ => {}
                    }
                })
            }
            // A group has no length; what is in it is counted as if it were fields of the message.
            3 | 4 => Some(()),
            5 => bytes.split_off(..4).map(|_| ()),
            _ => None,
        };
        if skipped.is_none() {
            break;
        }
    }
    count
}

/// Takes a number of variable length off the start.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::{domain::requests::contract::RPCS, grpc::pb};

    const CREATE: &str = "/clientele.v1.CustomerService/CreateCustomer";

    #[test]
    fn every_request_has_a_shape() {
        for rpc in RPCS {
            assert!(request(rpc.path).is_some(), "{}", rpc.path);
        }
        assert_eq!(decoding_cost("/other", &[8, 1]), 0);
    }

    #[test]
    fn fields_are_counted_at_every_depth() {
        let contact =
            pb::Contact { first_name: "Jan".to_owned(), phone: Some(pb::Phone::default()), ..Default::default() };
        let customer = pb::Customer {
            name: "Ada".to_owned(),
            contacts: vec![contact; 3],
            labels: [("segment".to_owned(), "smb".to_owned())].into(),
            ..Default::default()
        };
        let message = pb::CreateCustomerRequest { customer: Some(customer), ..Default::default() }.encode_to_vec();
        // The customer; its name; a label's entry, key and value; three contacts, their names and phones.
        assert_eq!(decoding_cost(CREATE, &message), FIELD * (1 + 1 + 3 + 9));
    }

    #[test]
    fn a_small_message_of_many_fields_is_known_before_it_is_decoded() {
        // 1,000 empty contacts take two bytes each.
        let customer = pb::Customer { contacts: vec![pb::Contact::default(); 1_000], ..Default::default() };
        let mut message = pb::CreateCustomerRequest { customer: Some(customer), ..Default::default() }.encode_to_vec();
        assert!(message.len() < 3_100);
        assert_eq!(decoding_cost(CREATE, &message), FIELD * 1_001);
        // Bytes that do not decode: what comes before them does. A group before them does not hide them.
        message.extend([0x0f, 7]);
        assert_eq!(decoding_cost(CREATE, &message), FIELD * 1_002);
        message.splice(..0, [0xbb, 0x01, 0xbc, 0x01]);
        assert_eq!(decoding_cost(CREATE, &message), FIELD * 1_004);
    }

    #[test]
    fn a_field_costs_no_more_than_is_counted() {
        for size in [size_of::<pb::Contact>(), size_of::<pb::TaxId>(), 2 * size_of::<String>()] {
            assert!(2 * size <= FIELD, "{size}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_counted(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            for rpc in RPCS {
                proptest::prop_assert!(decoding_cost(rpc.path, &bytes) <= FIELD * bytes.len());
            }
        }
    }
}
