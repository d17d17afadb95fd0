//! The fingerprint of a mutation's request: of the message as it is read, so with ids in one spelling, and without the
//! fields that only the server writes.

use aws_lc_rs::digest::{Context, SHA256};
use prost::{
    Message,
    encoding::{DecodeContext, decode_key, skip_field},
};
use uuid::Builder;

use crate::{
    domain::{
        requests::fingerprint::{Fingerprint, PARTS},
        values::ids::{self, RequestId},
    },
    grpc::pb,
};

/// The message of a mutation: what all of them have beside their subject. `build.rs` writes the implementations.
pub(super) trait Mutation: Message + Clone {
    /// The numbers and names of its fields.
    const FIELDS: &'static [(usize, &'static str)];
    /// The idempotency key; empty without one.
    fn request_id(&self) -> &str;
    /// The etag of the state to change; empty without one, and if the message has no such field.
    fn etag(&self) -> &str;
    /// Whether the call is checked and not executed.
    fn validate_only(&self) -> bool;
    /// Leaves of the message what is read of it.
    fn normalize(&mut self);
}

/// A message of the contract within a request.
trait Part {
    /// Writes ids in one spelling, and clears what only the server writes: what the contract calls "Output only".
    /// `creates`: in a request that creates, where the client does not choose the id either.
    fn normalize(&mut self, creates: bool);
}

impl<P: Part> Part for Box<P> {
    fn normalize(&mut self, creates: bool) {
        P::normalize(self, creates);
    }
}

include!(concat!(env!("OUT_DIR"), "/mutations.rs"));

/// Writes an id as answers do. What is no id stays: the request is refused for it.
fn normalize_id(id: &mut String) {
    if let Ok(parsed) = ids::parse(id) {
        *id = parsed.to_string();
    }
}

/// The fingerprint of a message, and of what a repeat must have in common with the first call besides.
pub(super) fn fingerprint<M: Mutation>(around: &[u8], message: &M) -> Fingerprint {
    let mut message = message.clone();
    message.normalize();
    let mut hashes: [Option<Context>; PARTS] = [const { None }; PARTS];
    hashes[0] = Some(of(around));
    // Fields are encoded in the order of their numbers, and maps in key order: equal messages have equal bytes.
    let bytes = message.encode_to_vec();
    for (number, field) in fields(&bytes) {
        hashes[number.min(PARTS - 1)].get_or_insert_with(|| Context::new(&SHA256)).update(field);
    }
    let (mut whole, mut parts) = (Context::new(&SHA256), [[0; 4]; PARTS]);
    for (part, hash) in hashes.into_iter().enumerate() {
        let Some(hash) = hash.map(Context::finish) else { continue };
        whole.update(&part.to_be_bytes());
        whole.update(hash.as_ref());
        parts[part].copy_from_slice(&hash.as_ref()[..4]);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(whole.finish().as_ref());
    Fingerprint::new(digest, parts, M::FIELDS)
}

/// The key of the stored answer of one row of a request: the same for the same row of a repeat, and no other request's.
pub(super) fn of_row(request: RequestId, row: usize) -> RequestId {
    let mut hash = of(request.get().as_bytes());
    hash.update(&row.to_be_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finish().as_ref()[..16]);
    RequestId::from_uuid(Builder::from_custom_bytes(bytes).into_uuid())
}

fn of(bytes: &[u8]) -> Context {
    let mut hash = Context::new(&SHA256);
    hash.update(bytes);
    hash
}

/// The fields of an encoded message: the number of each, and its bytes. The encoder wrote them, so nothing is left over.
fn fields(mut bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    std::iter::from_fn(move || {
        let field = bytes;
        let (number, kind) = decode_key(&mut bytes).ok()?;
        skip_field(kind, number, &mut bytes, DecodeContext::default()).ok()?;
        Some((usize::try_from(number).ok()?, field.get(..field.len() - bytes.len())?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
    const OTHER: &str = "01890a5d-ac96-774b-bcce-b302099a8058";

    fn update(id: &str, name: &str) -> pb::UpdateCustomerRequest {
        let customer = pb::Customer { id: id.to_owned(), name: name.to_owned(), ..Default::default() };
        pb::UpdateCustomerRequest {
            customer: Some(customer),
            etag: "e".to_owned(),
            request_id: ID.to_owned(),
            ..Default::default()
        }
    }

    fn is_repeat<M: Mutation>(first: &M, second: &M) -> bool {
        fingerprint(b"here", second).is(&fingerprint(b"here", first).to_bytes())
    }

    #[test]
    fn an_id_in_another_spelling_is_the_same_id() {
        let urn = format!("urn:uuid:{ID}");
        for id in [ID.to_uppercase(), ID.replace('-', ""), format!("{{{ID}}}"), urn] {
            let other = pb::UpdateCustomerRequest { request_id: id.clone(), ..update(&id, "Ada") };
            assert!(is_repeat(&update(ID, "Ada"), &other), "{id}");
            let ids = |id: &str| vec![id.to_owned(), OTHER.to_owned()];
            let batch = |id: &str| pb::TransferCustomersRequest {
                customer_ids: ids(id),
                account_id: id.to_owned(),
                ..Default::default()
            };
            assert!(is_repeat(&batch(ID), &batch(&id)), "{id}");
            let contact = |id: &str| pb::Contact { contact_id: id.to_owned(), ..Default::default() };
            let nested = |id: &str| pb::CreateCustomerRequest {
                customer: Some(pb::Customer {
                    contacts: vec![contact(id)],
                    branch_id: id.to_owned(),
                    ..Default::default()
                }),
                ..Default::default()
            };
            assert!(is_repeat(&nested(ID), &nested(&id)), "{id}");
            let text = |id: &str| pb::UpdateCustomIdRequest { custom_id: id.to_owned(), ..Default::default() };
            assert!(!is_repeat(&text(ID), &text(&id)), "a custom ID is no UUID: {id}");
        }
        assert!(!is_repeat(&update(ID, "Ada"), &update(OTHER, "Ada")));
    }

    #[test]
    fn what_only_the_server_writes_does_not_count() {
        let read = pb::Customer {
            account_id: OTHER.to_owned(),
            status: pb::CustomerStatus::Active.into(),
            archived_at: Some(prost_types::Timestamp::default()),
            allowed_actions: vec!["ApproveCustomer".to_owned()],
            update_time: Some(prost_types::Timestamp::default()),
            updated_by: Some(pb::Principal::default()),
            etag: "e".to_owned(),
            tags: vec![pb::Tag::default()],
            holds: vec![pb::Hold::default()],
            reseller_account_id: OTHER.to_owned(),
            ..update(ID, "Ada").customer.unwrap()
        };
        let whole = pb::UpdateCustomerRequest { customer: Some(read.clone()), ..update(ID, "Ada") };
        assert!(is_repeat(&update(ID, "Ada"), &whole));
        let create = |customer| pb::CreateCustomerRequest { customer: Some(customer), ..Default::default() };
        assert!(is_repeat(&create(pb::Customer { name: "Ada".to_owned(), ..Default::default() }), &create(read)));
        let branch = |id: &str| pb::Branch { id: id.to_owned(), ..Default::default() };
        let create = |id| pb::CreateBranchRequest { branch: Some(branch(id)), ..Default::default() };
        assert!(is_repeat(&create(ID), &create(OTHER)));
        let update = |id| pb::UpdateBranchRequest { branch: Some(branch(id)), ..Default::default() };
        assert!(!is_repeat(&update(ID), &update(OTHER)));
    }

    #[test]
    fn what_differs_is_named_by_its_field() {
        let first = fingerprint(b"here", &update(ID, "Ada"));
        let differing = |around: &[u8], other| fingerprint(around, &other).differing(&first.to_bytes());
        let with_etag = |etag: &str| pb::UpdateCustomerRequest { etag: etag.to_owned(), ..update(ID, "Ada") };
        assert!(differing(b"here", update(ID, "Ada")).is_empty());
        assert_eq!(differing(b"here", with_etag("f")), ["etag"]);
        assert_eq!(differing(b"here", with_etag("")), ["etag"]);
        assert_eq!(differing(b"here", update(ID, "Bob")), ["customer"]);
        assert_eq!(differing(b"there", update(ID, "Ada")).len(), 1);
    }
}
