//! The calls of all paths except the searches.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use clientele::grpc::pb;
use tonic::{Status, transport::Channel};
use uuid::Uuid;

use super::{
    clients::{Call, Caller},
    customers::{self, ACTIVE, CHANGED, PENDING, SEARCHED},
    issuer::Bearer,
    rng::Rng,
};

/// Number of customers that one `batch_get` reads.
const BATCH: u64 = 50;
/// Step between two customers of a batch. It has no divisor in common with the number of customers, so that none is named
/// twice.
const STRIDE: u64 = 197;
/// Number of customers that one `tag_1000` tags.
pub const TAGGED: u64 = 1_000;

type Answer = Result<bool, Status>;

/// Reads a random customer out of so many, in full.
pub struct Get {
    caller: Caller,
    rng: Rng,
    count: u64,
}

impl Get {
    pub fn new(caller: Caller, count: u64) -> Self {
        Self { caller, rng: Rng::new(), count }
    }

    /// A caller of its own on this connection.
    pub fn of(channel: Channel, token: &Bearer, account: &str, count: u64) -> Self {
        Self::new(Caller::new(channel, 0, token, account), count)
    }
}

impl Call for Get {
    async fn call(&mut self) -> Answer {
        let id = customers::id(ACTIVE, 1 + self.rng.below(self.count));
        get(&mut self.caller, id).await
    }
}

/// Reads a random customer of an account in the search dataset, in full.
pub struct GetMember {
    caller: Caller,
    rng: Rng,
    members: Arc<[u64]>,
}

impl GetMember {
    pub fn new(caller: Caller, members: Arc<[u64]>) -> Self {
        Self { caller, rng: Rng::new(), members }
    }
}

impl Call for GetMember {
    async fn call(&mut self) -> Answer {
        let id = customers::id(SEARCHED, *self.rng.pick(&self.members));
        get(&mut self.caller, id).await
    }
}

async fn get(caller: &mut Caller, id: Uuid) -> Answer {
    let message = pb::GetCustomerRequest { customer_id: id.to_string(), view: pb::CustomerView::Full.into() };
    let request = caller.request(message);
    let answer = caller.client.get_customer(request).await?.into_inner();
    assert!(answer.customer.is_some_and(|customer| !customer.contacts.is_empty()), "not in full");
    Ok(true)
}

/// Reads 50 customers out of so many, in full.
pub struct BatchGet(Get);

impl BatchGet {
    pub fn new(caller: Caller, count: u64) -> Self {
        Self(Get::new(caller, count))
    }
}

impl Call for BatchGet {
    async fn call(&mut self) -> Answer {
        let Self(Get { caller, rng, count }) = self;
        let first = rng.below(*count);
        let ids = (0..BATCH).map(|place| customers::id(ACTIVE, 1 + (first + place * STRIDE) % *count).to_string());
        let message = pb::BatchGetCustomersRequest { customer_ids: ids.collect(), view: pb::CustomerView::Full.into() };
        let request = caller.request(message);
        let answer = caller.client.batch_get_customers(request).await?.into_inner();
        assert!(answer.missing_ids.is_empty() && answer.customers.len() as u64 == BATCH, "not all of them");
        Ok(true)
    }
}

/// Looks up a customer, in full, by a random custom ID of the account in the system `erp`.
pub struct Lookup {
    caller: Caller,
    rng: Rng,
    numbers: Arc<[String]>,
}

impl Lookup {
    pub fn new(caller: Caller, numbers: Arc<[String]>) -> Self {
        Self { caller, rng: Rng::new(), numbers }
    }
}

impl Call for Lookup {
    async fn call(&mut self) -> Answer {
        let number = self.rng.pick(&self.numbers);
        let message = pb::LookupCustomerRequest {
            custom_id: number.clone(),
            system: "erp".to_owned(),
            view: pb::CustomerView::Full.into(),
        };
        let request = self.caller.request(message);
        let answer = self.caller.client.lookup_customer(request).await?.into_inner();
        let found = answer.customer.is_some_and(|customer| customer.custom_ids.get("erp") == Some(number));
        assert!(found, "not the customer of {number}");
        Ok(true)
    }
}

/// Creates a customer with every field, a custom ID in two systems, and a request_id.
pub struct Create(Caller, pb::DuplicatePolicy);

impl Create {
    pub fn new(caller: Caller, policy: pb::DuplicatePolicy) -> Self {
        Self(caller, policy)
    }
}

impl Call for Create {
    async fn call(&mut self) -> Answer {
        let mut message = customers::create(&customers::token());
        message.set_duplicate_policy(self.1);
        let request = self.0.request(message);
        self.0.client.create_customer(request).await?;
        Ok(true)
    }
}

/// Approves a pending customer: a different one each time.
pub struct Approve {
    caller: Caller,
    /// The number of the next customer, for all workers.
    next: Arc<AtomicU64>,
    /// The number of pending customers.
    count: u64,
}

impl Approve {
    pub fn new(caller: Caller, next: Arc<AtomicU64>, count: u64) -> Self {
        Self { caller, next, count }
    }
}

impl Call for Approve {
    async fn call(&mut self) -> Answer {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        if next > self.count {
            return Ok(false);
        }
        let id = customers::id(PENDING, next);
        let message = pb::ApproveCustomerRequest { customer_id: id.to_string(), ..Default::default() };
        let request = self.caller.request(message);
        let answer = self.caller.client.approve_customer(request).await?.into_inner();
        assert!(
            answer.customer.is_some_and(|customer| customer.status() == pb::CustomerStatus::Active),
            "not approved"
        );
        Ok(true)
    }
}

/// Changes the custom ID of a random customer in the system `dms`.
pub struct UpdateCustomId {
    caller: Caller,
    rng: Rng,
    count: u64,
}

impl UpdateCustomId {
    pub fn new(caller: Caller, count: u64) -> Self {
        Self { caller, rng: Rng::new(), count }
    }
}

impl Call for UpdateCustomId {
    async fn call(&mut self) -> Answer {
        let id = customers::id(CHANGED, 1 + self.rng.below(self.count));
        let number = format!("00{}", customers::token());
        let message = pb::UpdateCustomIdRequest {
            customer_id: id.to_string(),
            system: "dms".to_owned(),
            custom_id: number.clone(),
            ..Default::default()
        };
        let request = self.caller.request(message);
        let answer = self.caller.client.update_custom_id(request).await?.into_inner();
        assert!(
            answer.customer.is_some_and(|customer| customer.custom_ids.get("dms") == Some(&number)),
            "the custom ID did not change"
        );
        Ok(true)
    }
}

/// Adds a tag to a thousand customers, then removes it. Every worker has a thousand customers of its own.
pub struct Tag {
    caller: Caller,
    customers: Vec<String>,
    tag: String,
    on: bool,
}

impl Tag {
    pub fn new(caller: Caller) -> Self {
        let first = 1 + caller.worker * TAGGED;
        let customers = (first..first + TAGGED).map(|number| customers::id(CHANGED, number).to_string()).collect();
        // A new tag, so that the first call changes something too.
        Self { caller, customers, tag: format!("load {}", Uuid::new_v4().as_fields().0), on: false }
    }
}

impl Call for Tag {
    async fn call(&mut self) -> Answer {
        let (one, none) = (vec![self.tag.clone()], Vec::new());
        let (add_tags, remove_tags) = if self.on { (none, one) } else { (one, none) };
        let customer_ids = self.customers.clone();
        let message = pb::ModifyCustomerTagsRequest { customer_ids, add_tags, remove_tags, ..Default::default() };
        let request = self.caller.request(message);
        let answer = self.caller.client.modify_customer_tags(request).await?.into_inner();
        assert!(answer.outcomes.iter().all(|outcome| outcome.changed), "not all of them changed");
        self.on = !self.on;
        Ok(true)
    }
}
