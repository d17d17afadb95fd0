//! What every mutation writes beside its subject: events, and the stored answer of a call that may be repeated.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::{
    domain::{
        history::event::{Changes, Delta},
        requests::{answer::Answer, options::Repeatable, principal::Author},
        values::{
            ids::{AccountId, CustomerId, EventId, MemberId, RequestId, TenantId},
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
};

/// Who writes, when, and what is recorded of it. The same for every mutation.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// The principal, and the RPC that it called.
    pub author: &'a Author,
    /// The acting account; none for a platform operator.
    pub acting: Option<AccountId>,
    /// When.
    pub at: Timestamp,
    /// The id of its event.
    pub event: EventId,
    /// The key of the stored answer; none if the caller cannot repeat the call.
    pub request: Option<Repeatable>,
}

impl Write<'_> {
    /// The write's event, about no customer and visible to all that may read it. The caller changes what differs.
    pub(super) fn event<C>(&self, r#type: &'static str, changes: C) -> NewEvent<C> {
        NewEvent {
            id: self.event,
            r#type,
            customer_id: None,
            revision: None,
            audience: None,
            account_id: None,
            member_id: None,
            request_id: self.request.map(|request| request.id),
            changes,
        }
    }

    /// The answer to be stored, if the call may be repeated.
    pub(super) fn answer<A>(&self, answer: A) -> Option<NewAnswer<A>> {
        self.request.map(|request| NewAnswer::new(&request, answer))
    }

    /// The same of a whole [`Answer`].
    pub(super) fn stored_answer(&self, answer: &Answer) -> Result<Option<NewAnswer<Value>>> {
        let Some(request) = &self.request else { return Ok(None) };
        let answer = answer.to_stored().map_err(Error::internal)?;
        Ok(Some(NewAnswer::new(request, answer)))
    }

    /// What the statement records.
    pub(super) fn recorded<'b, E, A>(
        &'b self,
        tenant: TenantId,
        events: &'b [E],
        answers: &'b [A],
    ) -> Recorded<'b, E, A> {
        Recorded { tenant, author: self.author, acting: self.acting, at: self.at, events, answers }
    }
}

/// The change of something new: one field, from nothing to its value.
pub(super) fn created(path: &str, value: impl Into<Value>) -> Changes {
    Changes(BTreeMap::from([(path.to_owned(), Delta { old: Value::Null, new: value.into() })]))
}

/// What a [`mutation!`](super::mutation::mutation) records: its first eleven parameters.
pub(super) struct Recorded<'a, E, A> {
    pub(super) tenant: TenantId,
    pub(super) author: &'a Author,
    pub(super) acting: Option<AccountId>,
    pub(super) at: Timestamp,
    /// Each a [`NewEvent`], in the order of their `seq`.
    pub(super) events: &'a [E],
    /// Each a [`NewAnswer`].
    pub(super) answers: &'a [A],
}

/// An event as the statement reads it.
#[derive(Serialize)]
pub(super) struct NewEvent<C> {
    pub(super) id: EventId,
    pub(super) r#type: &'static str,
    /// The customer that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) customer_id: Option<CustomerId>,
    /// The customer's revision after the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) revision: Option<i64>,
    /// The one account that sees it; none: all that see the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) audience: Option<AccountId>,
    /// The account that an event without a customer is about, if that is not the acting account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) account_id: Option<AccountId>,
    /// The member that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) member_id: Option<MemberId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_id: Option<RequestId>,
    pub(super) changes: C,
}

/// A stored answer as the statement reads it.
#[derive(Serialize)]
pub(super) struct NewAnswer<A> {
    /// The tenant of its key, if it is not the one that the statement writes in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tenant_id: Option<TenantId>,
    pub(super) request_id: RequestId,
    #[serde(serialize_with = "hex")]
    pub(super) fingerprint: Vec<u8>,
    /// The customer that it is about; none of a batch's, which names customers by their ids alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) customer_id: Option<CustomerId>,
    pub(super) answer: A,
}

impl<A> NewAnswer<A> {
    pub(super) fn new(request: &Repeatable, answer: A) -> Self {
        let fingerprint = request.fingerprint.to_bytes();
        Self { tenant_id: None, request_id: request.key, fingerprint, customer_id: None, answer }
    }
}

fn hex<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    use std::fmt::Write as _;
    let text = bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    });
    serializer.serialize_str(&text)
}
