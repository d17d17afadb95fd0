//! The payment methods of a customer. They change like any command on one customer.

use sqlx::PgConnection;

use crate::{
    domain::{
        access::caller::Caller,
        billing::{
            payment_method::{Expiry, LastFour, PaymentChannel, PaymentCommand, PaymentMethod, PaymentMethodType},
            payment_summary::PaymentSummary,
        },
        customers::customer::{Change, Stamp},
        fields::references::References,
        requests::{
            answer::Answer,
            options::{Options, Outcome},
        },
        values::{
            ids::{CustomerId, PaymentMethodId},
            text::Text,
        },
    },
    error::{Error, Result},
    service::{
        call, clock,
        customers::{CustomerDetails, Customers, optimistic},
        mutation::{Call, Mutations, write},
        pool::Pool,
        seal::Revisions,
    },
    store::{
        self,
        billing::payment_methods::Rows,
        customers::{CustomerRecord, LoadedCustomer},
    },
};

/// The use cases on payment methods.
#[derive(Clone)]
pub struct PaymentMethods {
    pool: Pool,
    mutations: Mutations,
    customers: Customers,
}

/// A payment method as a client sends it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each is the field of that name in the contract's PaymentMethod")]
pub struct NewPaymentMethod {
    pub kind: PaymentMethodType,
    pub provider: Option<Text<63>>,
    pub token: Option<Text<255>>,
    pub brand: Option<Text<40>>,
    pub last_four: Option<LastFour>,
    pub expiry: Option<Expiry>,
    pub channel: PaymentChannel,
    pub is_default: bool,
}

/// The customer after a call, and the payment method that it added.
type Changed = (CustomerDetails, Option<PaymentMethod>);

/// One command, with what its tries share.
struct Attempt<'a> {
    methods: &'a PaymentMethods,
    caller: &'a Caller,
    id: CustomerId,
    command: &'a PaymentCommand,
    options: &'a Options,
    etag: Option<Revisions>,
}

impl optimistic::Attempt for Attempt<'_> {
    type Answer = Changed;

    /// The order of checks is the contract's.
    async fn decide_and_save(&self, conn: &mut PgConnection) -> Result<Option<Outcome<Changed>>> {
        let Attempt { methods, caller, id, command, options, etag } = *self;
        let request = options.request.as_ref();
        let LoadedCustomer { seen, stored, .. } =
            store::customers::load(conn, caller, id, request, (&References::default(), None)).await?;
        seen.customer.must_be_ours(caller)?;
        if let (Some(stored), Some(request)) = (stored, request) {
            return Ok(Some(Outcome::replayed(methods.replay_over(caller, seen, stored.answer(request)?)?)));
        }
        // Read after the customer: if it has changed since, the customer's revision has, too, and nothing is written.
        let found = match command {
            PaymentCommand::Add(..) => None,
            _ => store::billing::payment_methods::find(conn, caller, id, command.target()).await?,
        };
        seen.customer.must_be_changeable()?;
        if command.names().is_some() && found.is_none() {
            return Err(Error::PaymentMethodNotFound);
        }
        let mut after = seen.customer.clone();
        let decision = command.decide(&mut after, found.as_ref());
        if decision == Ok(Change::AlreadyMade) {
            let details = methods.customers.mutated_details(caller, options, seen)?;
            return Ok(Some(Outcome::unchanged((details, None))));
        }
        methods.customers.check_etag(conn, (caller, id), etag, &seen).await?;
        let happened = match decision? {
            Change::Made(event_type) => event_type,
            Change::AlreadyMade => return Err(Error::internal("decided twice")),
        };
        let at = clock::now();
        after.revision += 1;
        after.updated = Stamp { at, by: caller.author().principal.clone() };
        let added = match command {
            // The time of the decision: an earlier attempt may have lost a race.
            PaymentCommand::Add(method, _) => Some(PaymentMethod { created: after.updated.clone(), ..method.clone() }),
            PaymentCommand::Remove(_) | PaymentCommand::SetDefault(_) => None,
        };
        let removed = found.as_ref().filter(|_| matches!(command, PaymentCommand::Remove(_)));
        let rows = Rows { removed, added: added.as_ref() };
        let (customer, link) = (after.clone(), seen.link.clone());
        let answer = match added.clone() {
            Some(method) => Answer::PaymentMethod { customer, link, method },
            None => Answer::Customer { customer, link, duplicates: Vec::new() },
        };
        let write = write(caller, at, options);
        let saved =
            store::billing::payment_methods::save(conn, caller, &seen, &after, (happened, rows), &answer, write);
        if !saved.await? {
            return Ok(None);
        }
        let record = CustomerRecord { customer: after, ..seen };
        let details = methods.customers.mutated_details(caller, options, record)?;
        Ok(Some(Outcome::changed((details, added))))
    }
}

impl PaymentMethods {
    pub(in crate::service) fn new(pool: Pool, mutations: Mutations, customers: Customers) -> Self {
        Self { pool, mutations, customers }
    }

    /// Lists a customer's payment methods, oldest first, and which is the default.
    ///
    /// # Errors
    /// `CustomerNotFound`, `FleetOwnedElsewhere`.
    pub async fn list(&self, caller: &Caller, id: CustomerId) -> Result<(PaymentSummary, Vec<PaymentMethod>)> {
        let mut lease = self.pool.lease().await?;
        lease.run(async |conn| store::billing::payment_methods::list(conn, caller, id, call::hold).await).await
    }

    /// Adds a payment method.
    ///
    /// # Errors
    /// See the contract's AddPaymentMethod.
    pub async fn add(
        &self,
        caller: &Caller,
        id: CustomerId,
        new: NewPaymentMethod,
        options: &Options,
    ) -> Result<Outcome<Changed>> {
        let NewPaymentMethod { kind, provider, token, brand, last_four, expiry, channel, is_default } = new;
        let created = Stamp { at: clock::now(), by: caller.author().principal.clone() };
        let method = PaymentMethod {
            id: PaymentMethodId::from_uuid(clock::new_id()),
            kind,
            provider,
            token,
            brand,
            last_four,
            expiry,
            channel,
            created,
            unknown: Default::default(),
        };
        self.change(caller, id, &PaymentCommand::Add(method, is_default), options).await
    }

    /// Makes a payment method the default. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's SetDefaultPaymentMethod.
    pub async fn set_default(
        &self,
        caller: &Caller,
        id: CustomerId,
        method: PaymentMethodId,
        options: &Options,
    ) -> Result<Outcome<Changed>> {
        self.change(caller, id, &PaymentCommand::SetDefault(method), options).await
    }

    /// Removes a payment method. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's RemovePaymentMethod.
    pub async fn remove(
        &self,
        caller: &Caller,
        id: CustomerId,
        method: PaymentMethodId,
        options: &Options,
    ) -> Result<Outcome<Changed>> {
        self.change(caller, id, &PaymentCommand::Remove(method), options).await
    }

    async fn change(
        &self,
        caller: &Caller,
        id: CustomerId,
        command: &PaymentCommand,
        options: &Options,
    ) -> Result<Outcome<Changed>> {
        let etag = self.customers.etag(caller, id, options)?;
        let attempt = &Attempt { methods: self, caller, id, command, options, etag };
        let replay = |answer| async move {
            let mut lease = self.pool.lease().await?;
            // Boxed: the answer is large.
            Box::pin(lease.run(async |conn| self.replay_in(conn, caller, answer).await)).await
        };
        let run = |lease| optimistic::try_change(lease, (caller, id, options), attempt);
        self.mutations.run(Call::new(caller, options), run, replay).await
    }

    /// The value of a stored answer, for a caller that may see the customer today.
    async fn replay_in(&self, conn: &mut PgConnection, caller: &Caller, answer: Answer) -> Result<Changed> {
        let (Answer::Customer { customer, .. } | Answer::PaymentMethod { customer, .. }) = &answer else {
            return Err(Error::internal("the stored answer is not of a payment method"));
        };
        let now = store::customers::get(conn, caller, customer.id, call::hold).await?;
        now.customer.must_be_ours(caller)?;
        self.replay_over(caller, now, answer)
    }

    /// The same over the customer as it was just read.
    fn replay_over(&self, caller: &Caller, now: CustomerRecord, answer: Answer) -> Result<Changed> {
        let (answer, added) = match answer {
            Answer::PaymentMethod { customer, link, method } => {
                (Answer::Customer { customer, link, duplicates: Vec::new() }, Some(method))
            }
            answer => (answer, None),
        };
        Ok((self.customers.replay_over(caller, now, answer)?, added))
    }
}
