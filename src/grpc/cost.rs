//! What decoding a request costs in memory beside its bytes. A field that takes two bytes on the wire may become a message of
//! hundreds, so a small request could fill the memory of the process. The fields are counted before anything is decoded.

/// How often a part of the message is in memory: decoded, and in a copy or in what is read of it.
const IN_PLACE: usize = 2;
/// The same of an element of a list, which has at most twice the room that it needs while it grows.
const IN_LIST: usize = 3;
/// The most that a message of another package takes, and an entry of a map: two texts.
const SMALL: usize = 64;
/// What a text on its own takes at least.
const ALLOCATED: usize = 16;
/// An entry of a map in a tree whose nodes are half full, with its two texts.
const ENTRY: usize = IN_PLACE * (2 * SMALL + 2 * ALLOCATED);
/// The first node of a map, which has room for eleven entries.
const NODE: usize = IN_PLACE * 640;
/// A text in a list.
const TEXT: usize = IN_LIST * size_of::<String>() + IN_PLACE * ALLOCATED;
/// A number in a list.
const NUMBER: usize = IN_LIST * 8;
/// As deep as the decoder goes.
const MAX_DEPTH: usize = 100;

/// A message: how large it is in memory, and which fields take memory of their own.
struct Shape {
    size: usize,
    fields: &'static [(u64, Holds)],
}

/// What a field takes that is neither one text nor one number.
#[derive(Clone, Copy)]
enum Holds {
    /// A message of this shape, within the one that has it.
    One(usize),
    /// A message of this shape on its own.
    Boxed(usize),
    /// A list of messages of this shape.
    Many(usize),
    /// A map, whose entries have this shape.
    Entry(usize),
    /// A list of texts.
    Texts,
    /// A list of numbers.
    Numbers,
}

include!(concat!(env!("OUT_DIR"), "/shapes.rs"));

/// Bytes of memory that decoding this message costs at most, beside copies of its bytes, for the RPC at this path.
#[must_use]
pub fn decoding_cost(path: &str, message: &[u8]) -> usize {
    request(path).and_then(|shape| SHAPES.get(shape)).map_or(0, |shape| IN_PLACE * shape.size + cost(message, shape, 0))
}

/// What the fields of a message cost, at every depth, up to where decoding it would fail.
fn cost(mut bytes: &[u8], shape: &Shape, depth: usize) -> usize {
    let (mut total, mut maps) = (0, 0_u64);
    // There is no field 0: decoding ends there.
    while let Some(key) = varint(&mut bytes).filter(|key| key >> 3 > 0) {
        let holds = shape.fields.iter().find(|(number, _)| *number == key >> 3).map(|(_, holds)| *holds);
        let skipped = match key & 7 {
            0 => varint(&mut bytes).map(|_| ()),
            1 => bytes.split_off(..8).map(|_| ()),
            2 => varint(&mut bytes)
                .and_then(|length| bytes.split_off(..usize::try_from(length).ok()?))
                .map(|payload| total += of_payload(payload, holds, depth)),
            // A group has no length; what is in it is counted as if it were fields of the message.
            3 | 4 => Some(()),
            5 => bytes.split_off(..4).map(|_| ()),
            _ => None,
        };
        if skipped.is_none() {
            break;
        }
        match holds {
            Some(Holds::Numbers) => total += NUMBER,
            // The first entry of each map; the numbers of maps are small.
            Some(Holds::Entry(_)) if maps & (1 << (key >> 3).min(63)) == 0 => {
                maps |= 1 << (key >> 3).min(63);
                total += NODE;
            }
            _ => {}
        }
    }
    total
}

/// What a field costs that has a length.
fn of_payload(payload: &[u8], holds: Option<Holds>, depth: usize) -> usize {
    let within = |shape: usize| match SHAPES.get(shape) {
        Some(shape) if depth < MAX_DEPTH => (shape.size, cost(payload, shape, depth + 1)),
        _ => (0, 0),
    };
    match holds {
        Some(Holds::One(shape)) => within(shape).1,
        Some(Holds::Many(shape)) => {
            let (size, fields) = within(shape);
            IN_LIST * size + fields
        }
        Some(Holds::Boxed(shape)) => {
            let (size, fields) = within(shape);
            IN_PLACE * size + fields
        }
        Some(Holds::Entry(shape)) => ENTRY + within(shape).1,
        Some(Holds::Texts) => TEXT,
        // Packed: each has at least a byte.
        Some(Holds::Numbers) => NUMBER * payload.len(),
        None => 0,
    }
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
    const IMPORT: &str = "/clientele.v1.ExchangeService/ImportCustomers";
    const BATCH: &str = "/clientele.v1.CustomerService/BatchGetCustomers";

    fn create(customer: pb::Customer) -> Vec<u8> {
        pb::CreateCustomerRequest { customer: Some(customer), ..Default::default() }.encode_to_vec()
    }

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
        let known = IN_PLACE * size_of::<pb::CreateCustomerRequest>()
            // A label, the first of its map; the contacts with room for more.
            + NODE + ENTRY + 3 * IN_LIST * size_of::<pb::Contact>();
        assert_eq!(decoding_cost(CREATE, &create(customer)), known);
        let ids = pb::BatchGetCustomersRequest { customer_ids: vec!["7".to_owned(); 5], ..Default::default() };
        let known = IN_PLACE * size_of::<pb::BatchGetCustomersRequest>() + 5 * TEXT;
        assert_eq!(decoding_cost(BATCH, &ids.encode_to_vec()), known);
    }

    #[test]
    fn a_small_message_of_many_fields_is_known_before_it_is_decoded() {
        // 1,000 empty contacts take two bytes each.
        let customer =
            |contacts| pb::Customer { contacts: vec![pb::Contact::default(); contacts], ..Default::default() };
        let one = decoding_cost(CREATE, &create(customer(1))) - decoding_cost(CREATE, &create(customer(0)));
        assert!(one >= IN_LIST * size_of::<pb::Contact>());
        let mut message = create(customer(1_000));
        assert!(message.len() < 3_100);
        let whole = decoding_cost(CREATE, &message);
        assert_eq!(whole - decoding_cost(CREATE, &create(customer(0))), 1_000 * one);
        // Bytes that do not decode: what comes before them does. A group before them does not hide them.
        message.extend([0x0f, 7]);
        assert_eq!(decoding_cost(CREATE, &message), whole);
        message.splice(..0, [0xbb, 0x01, 0xbc, 0x01]);
        assert_eq!(decoding_cost(CREATE, &message), whole);
    }

    #[test]
    fn an_empty_row_costs_what_a_customer_takes() {
        let rows = |count| {
            let rows = vec![pb::ImportRow { customer: Some(Box::default()) }; count];
            decoding_cost(IMPORT, &pb::ImportCustomersRequest { rows, ..Default::default() }.encode_to_vec())
        };
        assert!(rows(1_000) - rows(0) >= 1_000 * IN_PLACE * size_of::<pb::Customer>());
    }

    #[test]
    fn the_largest_import_fits_into_what_a_caller_has_by_default() {
        let contact =
            pb::Contact { first_name: "Jan".to_owned(), email: "j@b.example".to_owned(), ..Default::default() };
        let customer = pb::Customer {
            name: "Ada Byron".to_owned(),
            custom_ids: [("erp".to_owned(), "00001".to_owned())].into(),
            labels: (0..15).map(|count| (format!("label-{count}"), "a value".to_owned())).collect(),
            contacts: vec![contact; 4],
            ..Default::default()
        };
        let rows = vec![pb::ImportRow { customer: Some(Box::new(customer)) }; crate::domain::exchange::MAX_IMPORTED];
        let message = pb::ImportCustomersRequest { rows, ..Default::default() }.encode_to_vec();
        assert!(message.len() > 200_000 && message.len() <= crate::grpc::MAX_REQUEST, "{}", message.len());
        let cost = decoding_cost(IMPORT, &message) + 5 * message.len();
        // What a message may take of a principal's quarter of the default.
        assert!(cost < 12 * 1024 * 1024, "{cost}");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_counted(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let most = SHAPES.iter().map(|shape| IN_LIST * shape.size + NODE).max().unwrap_or_default();
            for rpc in RPCS {
                proptest::prop_assert!(decoding_cost(rpc.path, &bytes) <= most * (bytes.len() + 1));
            }
        }
    }
}
