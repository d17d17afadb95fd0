//! A customer as a call answers with it: what the caller may see and do, and what is computed for it.

use sqlx::PgConnection;

use super::{CustomerDetails, Customers};
use crate::{
    domain::{
        access::{caller::Caller, relation::Relation},
        billing::terms::Charges,
        customers::{command::DecisionInputs, dms::DmsLink},
        fields::field::View,
        requests::{answer::Answer, options::Options},
    },
    error::{Error, Result},
    service::{call, clock, seal::Revisions},
    store::{self, customers::CustomerRecord},
};

impl Customers {
    /// A stored customer, with its etag.
    pub(in crate::service) fn details(&self, caller: &Caller, record: CustomerRecord) -> Result<CustomerDetails> {
        let etag = self.etag_of(caller, &record)?;
        Ok(CustomerDetails { etag: Some(etag), ..preview(caller, record) })
    }

    /// A stored customer in a view. The view BASIC has neither actions nor what its approval requires, and the customer may have
    /// been read without what they depend on.
    pub(super) fn details_in(&self, caller: &Caller, record: CustomerRecord, view: View) -> Result<CustomerDetails> {
        if view == View::Full {
            return self.details(caller, record);
        }
        let etag = self.etag_of(caller, &record)?;
        let sales_person_gone = record.is_sales_person_gone();
        let CustomerRecord { customer, link, .. } = record;
        Ok(CustomerDetails {
            relation: customer.relation(caller.scope()),
            sales_person_gone,
            dms_link: DmsLink::of(&customer, &link, caller),
            allowed_actions: Vec::new(),
            missing_for_approval: Vec::new(),
            charges: Charges::default(),
            charges_before: None,
            industries: caller.account().industries.clone(),
            customer,
            link,
            etag: Some(etag),
        })
    }

    fn etag_of(&self, caller: &Caller, record: &CustomerRecord) -> Result<String> {
        let revisions = Revisions { customer: record.customer.revision, link: record.link.revision };
        self.sealer.etag(caller.scope(), record.customer.id, revisions)
    }

    /// The customer that a mutation answers with. Under `validate_only` it has no etag: its state is not stored.
    pub(in crate::service) fn mutated_details(
        &self,
        caller: &Caller,
        options: &Options,
        record: CustomerRecord,
    ) -> Result<CustomerDetails> {
        if options.validate_only { Ok(preview(caller, record)) } else { self.details(caller, record) }
    }

    /// The customer of a stored answer, for a caller that may see the customer today.
    pub(super) async fn replay(&self, caller: &Caller, answer: Answer) -> Result<CustomerDetails> {
        let mut lease = self.pool.lease().await?;
        // Boxed: the answer is large.
        Box::pin(lease.run(async |conn| self.replay_in(conn, caller, answer).await)).await
    }

    /// The same in a session that the call has already.
    pub(in crate::service) async fn replay_in(
        &self,
        conn: &mut PgConnection,
        caller: &Caller,
        answer: Answer,
    ) -> Result<CustomerDetails> {
        let Answer::Customer { customer, .. } = &answer else { return Err(other_answer()) };
        let now = store::customers::get(conn, caller, customer.id, call::hold).await?;
        self.replay_over(caller, now, answer)
    }

    /// The same over the customer as it was just read.
    pub(in crate::service) fn replay_over(
        &self,
        caller: &Caller,
        now: CustomerRecord,
        answer: Answer,
    ) -> Result<CustomerDetails> {
        let Answer::Customer { customer, link, .. } = answer else { return Err(other_answer()) };
        self.details(caller, CustomerRecord { customer, link, ..now })
    }
}

fn other_answer() -> Error {
    Error::internal("the stored answer is not of one customer")
}

/// A customer without an etag.
fn preview(caller: &Caller, record: CustomerRecord) -> CustomerDetails {
    let CustomerRecord { policies, owner_ids, terms, .. } = &record;
    let inputs = DecisionInputs { policies, owner_ids, acting: caller.account(), terms };
    let relation = record.customer.relation(caller.scope());
    CustomerDetails {
        relation,
        sales_person_gone: record.is_sales_person_gone(),
        dms_link: DmsLink::of(&record.customer, &record.link, caller),
        allowed_actions: record.customer.allowed_actions(caller, inputs, clock::now()),
        missing_for_approval: match relation {
            Relation::OwnerOrAbove => record.customer.missing_for_approval(inputs),
            Relation::Below => Vec::new(),
        },
        charges: terms.charges(record.customer.rate_plan, &record.customer.billing),
        charges_before: None,
        industries: caller.account().industries.clone(),
        customer: record.customer,
        link: record.link,
        etag: None,
    }
}
