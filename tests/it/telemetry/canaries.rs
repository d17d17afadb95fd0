//! Calls with canaries: a unique word in every field in which a caller can send customers' data or its own.

use clientele::grpc::pb;
use tonic::{Request, Status, metadata::MetadataValue, transport::Channel};
use tonic_types::StatusExt as _;

use crate::{
    payment_methods::{self, card},
    world::{Client, full_customer, principal, request_id, unknown_id},
};

/// The start of every canary. Search folding does not change it.
pub const BIRD: &str = "kanarie";
/// A card number and an IBAN, which are refused.
pub const CARDS: [&str; 2] = ["4111 1111 1111 1111", "nl91 abna 0417 1643 00"];
/// Canaries for numbers: a phone, a registration number, a tax ID, a postal code.
pub const NUMBERS: [&str; 5] = ["407776655", "7776655", "17048595", "006486253", "9876 zx"];

/// The canary of a field.
pub fn canary(place: &str) -> String {
    format!("{BIRD}{place}")
}

/// The canaries in a text.
pub fn found(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let around = |at: usize| {
        let from = lower.floor_char_boundary(at.saturating_sub(80));
        lower[from..lower.ceil_char_boundary((at + 80).min(lower.len()))].to_owned()
    };
    let birds = [BIRD].into_iter().chain(NUMBERS).chain(CARDS);
    birds.filter_map(|bird| lower.find(bird).map(around)).collect()
}

/// A customer with a canary in every text field.
pub fn customer() -> pb::Customer {
    let address = |which: &str| {
        let part = |name: &str| canary(&format!("{which}{name}"));
        Some(pb::Address {
            line1: part("line1"),
            line2: part("line2"),
            city: part("city"),
            state: part("state"),
            postal_code: "9876ZX".to_owned(),
            country: "Netherlands".to_owned(),
        })
    };
    let phone = || {
        Some(pb::Phone { number: "+31 40 777 66 55".to_owned(), extension: "7776655".to_owned(), ..Default::default() })
    };
    let email = |place: &str| format!("{}@{BIRD}.example", canary(place));
    pb::Customer {
        name: canary("name"),
        legal_name: canary("legal"),
        custom_ids: [("erp".to_owned(), canary("erp"))].into(),
        primary_address: address("primary"),
        billing_address: address("billing"),
        shipping_address: address("shipping"),
        contacts: vec![pb::Contact {
            first_name: canary("first"),
            last_name: canary("last"),
            job_title: canary("job"),
            email: email("contact"),
            phone: phone(),
            primary: true,
            ..Default::default()
        }],
        email: email("email"),
        billing_email: email("billingemail"),
        phone: phone(),
        fax: phone(),
        order_reference: canary("order"),
        labels: [(canary("key"), canary("label"))].into(),
        ..full_customer(BIRD)
    }
}

/// All canaries that a successful call stores in the database, in lower case.
pub const PLANTED: [&str; 25] = [
    "name",
    "legal",
    "erp",
    "primaryline1",
    "primarycity",
    "billingline2",
    "shippingstate",
    "first",
    "last",
    "job",
    "contact",
    "email",
    "billingemail",
    "order",
    "key",
    "label",
    "tenant",
    "branch",
    "tag",
    "reason",
    "hold",
    "invited",
    "provider",
    "token",
    "brand",
];

/// The calls, and their errors.
pub struct Planting {
    pub errors: Vec<Status>,
    calls: usize,
}

/// The calls' trace ids: each has its own.
pub fn trace(call: usize) -> String {
    format!("{:032x}", 0xca0_0000 + call)
}

impl Planting {
    /// Makes all calls; `token` makes a token for a subject.
    pub async fn of(channel: Channel, token: impl AsyncFn(&str) -> String) -> Self {
        let mut planting = Self { errors: Vec::new(), calls: 0 };
        let client = |token| Client {
            channel: channel.clone(),
            token: Some(token),
            account: None,
            tenant: None,
            customer: None,
            traceparent: None,
        };
        let operator = client(token("operator").await.trim().to_owned());
        let admin = client(token(&canary("admin")).await.trim().to_owned());
        let stranger = client(token(&canary("stranger")).await.trim().to_owned());
        let forger = client(format!("{BIRD}.{BIRD}.{BIRD}"));
        planting.successes(&operator, &admin).await;
        planting.refusals(&admin).await;
        planting.strangers(&stranger, &forger).await;
        planting
    }

    /// Number of calls.
    pub fn calls(&self) -> usize {
        self.calls
    }

    /// The same client, with the next call's trace id, and canaries in headers that a caller may send.
    fn next(&mut self, client: &Client) -> Client {
        self.calls += 1;
        Client { traceparent: Some(format!("00-{}-b7ad6b7169203331-01", trace(self.calls))), ..client.clone() }
    }

    fn refused<T: std::fmt::Debug>(&mut self, what: &str, answer: Result<T, Status>) {
        self.errors.push(answer.expect_err(what));
    }

    async fn successes(&mut self, operator: &Client, admin: &Client) {
        let tenant = pb::CreateTenantRequest {
            tenant: Some(pb::Tenant {
                name: canary("tenant"),
                name_uniqueness: pb::NameUniqueness::Tenant.into(),
                ..Default::default()
            }),
            first_admin: Some(principal(&canary("admin"))),
            ..Default::default()
        };
        self.next(operator).accounts().create_tenant(tenant).await.unwrap();
        let branch = Some(pb::Branch { name: canary("branch"), ..Default::default() });
        let branch = pb::CreateBranchRequest { branch, ..Default::default() };
        self.next(admin).accounts().create_branch(branch).await.unwrap();
        let made = self.next(admin).create(customer()).await.unwrap();
        assert_eq!(made.name, canary("name"));
        self.next(admin).tag(&[&made.id], &[&canary("tag")], &[]).await.unwrap();
        let hold = pb::PlaceHoldRequest {
            customer_id: made.id.clone(),
            kind: "orders".to_owned(),
            reason: canary("hold"),
            ..Default::default()
        };
        self.next(admin).customers().place_hold(hold).await.unwrap();
        let method = pb::PaymentMethod {
            provider: canary("provider"),
            token: canary("token"),
            brand: canary("brand"),
            ..card()
        };
        let adding = pb::AddPaymentMethodRequest { payment_method: Some(method), ..payment_methods::adding(&made.id) };
        let added = self.next(admin).billing().add_payment_method(adding).await.unwrap().into_inner();
        let list = pb::ListPaymentMethodsRequest { customer_id: made.id.clone() };
        self.next(admin).billing().list_payment_methods(list).await.unwrap();
        let second = pb::PaymentMethod { token: canary("token"), ..card() };
        let adding = pb::AddPaymentMethodRequest { payment_method: Some(second), ..payment_methods::adding(&made.id) };
        self.next(admin).billing().add_payment_method(adding).await.unwrap();
        let removing = pb::RemovePaymentMethodRequest {
            customer_id: made.id.clone(),
            payment_method_id: added.payment_method.unwrap().id,
            ..Default::default()
        };
        self.next(admin).billing().remove_payment_method(removing).await.unwrap();
        let email = format!("{}@{BIRD}.example", canary("invited"));
        let invite = pb::InviteMemberRequest { email, role: pb::Role::Viewer.into(), ..Default::default() };
        let invited = self.next(admin).access().invite_member(invite).await.unwrap().into_inner().invitation.unwrap();
        let resend = pb::ResendInvitationRequest { invitation_id: invited.invitation_id.clone(), ..Default::default() };
        self.next(admin).access().resend_invitation(resend).await.unwrap();
        self.next(admin).access().list_invitations(pb::ListInvitationsRequest::default()).await.unwrap();
        let changed =
            pb::Customer { id: made.id.clone(), email: format!("{}@x.example", canary("email")), ..Default::default() };
        self.next(admin).update(changed, &["email"]).await.unwrap();
        let suspend =
            pb::SuspendCustomerRequest { customer_id: made.id.clone(), reason: canary("reason"), ..Default::default() };
        self.next(admin).customers().suspend_customer(suspend).await.unwrap();
        for query in [canary(""), canary("city"), "7776655".to_owned(), canary("email")] {
            let search = pb::SearchCustomersRequest {
                query,
                labels: [(canary("key"), canary("label"))].into(),
                tags: Some(pb::TagFilter { any_of: vec![canary("tag")], ..Default::default() }),
                ..Default::default()
            };
            self.next(admin).customers().search_customers(search).await.unwrap();
        }
        let lookup = pb::LookupCustomerRequest { custom_id: canary("erp"), ..Default::default() };
        self.next(admin).customers().lookup_customer(lookup).await.unwrap();
        self.next(admin).get(&made.id).await.unwrap();
        self.next(admin).events(&made.id).await.unwrap();
    }

    /// Calls by an admin that are refused: taken names, invalid fields, unreadable values.
    async fn refusals(&mut self, admin: &Client) {
        let same = self.next(admin).create(customer()).await;
        self.refused("a name taken", same);
        let other = || pb::Customer { name: canary("other"), ..customer() };
        let order = pb::Customer { custom_ids: Default::default(), ..other() };
        let order = self.next(admin).create(order).await;
        self.refused("an order reference taken", order);
        let erp = self.next(admin).create(pb::Customer { order_reference: canary("order2"), ..other() }).await;
        self.refused("a custom ID taken", erp);
        let broken = pb::Customer {
            email: format!("{BIRD}@@{BIRD}"),
            phone: Some(pb::Phone { number: canary("phone"), extension: canary("ext"), ..Default::default() }),
            currency: canary("currency"),
            language: canary("language"),
            registration_number: canary("registration").repeat(20),
            tax_ids: vec![pb::TaxId { value: canary("tax"), country: canary("country"), ..Default::default() }],
            branch_id: canary("branch"),
            sales_person_id: canary("member"),
            name: format!("{BIRD}\u{202e}"),
            ..other()
        };
        let broken = self.next(admin).create(broken).await;
        self.refused("broken rules", broken);
        let unknown = pb::Customer { id: unknown_id(), ..customer() };
        let unknown = self.next(admin).update(unknown, &["name", "email"]).await;
        self.refused("no such customer", unknown);
        let path =
            self.next(admin).update(pb::Customer { id: unknown_id(), ..customer() }, &["name", "kanariepath"]).await;
        self.refused("no such path", path);
        let etag = pb::ApproveCustomerRequest { customer_id: unknown_id(), etag: canary("etag"), ..Default::default() };
        let etag = self.next(admin).customers().approve_customer(etag).await;
        self.refused("no such etag", etag);
        let page =
            pb::SearchCustomersRequest { page_token: canary("page"), query: canary("query"), ..Default::default() };
        let page = self.next(admin).customers().search_customers(page).await;
        self.refused("no such page", page);
        let lookup = pb::LookupCustomerRequest { custom_id: canary("nobody"), ..Default::default() };
        let lookup = self.next(admin).customers().lookup_customer(lookup).await;
        self.refused("no such custom ID", lookup);
        let id = request_id();
        for name in ["tag2", "tag3"] {
            let tag = pb::CreateTagRequest { name: canary(name), request_id: id.clone(), ..Default::default() };
            let answer = self.next(admin).tags().create_tag(tag).await;
            if name == "tag3" {
                self.refused("a request_id used again", answer);
            }
        }
        let email = format!("{}@{BIRD}.example", canary("invited"));
        let invite = pb::InviteMemberRequest { email, role: pb::Role::Viewer.into(), ..Default::default() };
        let again = self.next(admin).access().invite_member(invite).await;
        self.refused("an address that is invited", again);
        let guess = pb::AcceptInvitationRequest { token: canary("token").repeat(5), ..Default::default() };
        let guess = self.next(admin).access().accept_invitation(guess).await;
        self.refused("no such invitation", guess);
        let get = self.next(admin).get(&canary("id")).await;
        self.refused("no id", get);
        for number in CARDS {
            for place in 0..5 {
                let text = |here: usize| if here == place { format!("my {number}") } else { "x".to_owned() };
                let (provider, token, brand) = (text(0), text(1), text(2));
                let method = pb::PaymentMethod { provider, token, brand, ..card() };
                let (etag, request_id) = if place < 3 { Default::default() } else { (text(3), text(4)) };
                let adding = pb::AddPaymentMethodRequest {
                    payment_method: Some(method),
                    etag,
                    request_id,
                    ..payment_methods::adding(&unknown_id())
                };
                let refused = self.next(admin).billing().add_payment_method(adding).await;
                self.refused("a card number", refused);
            }
        }
        let account = self.next(&admin.acting_in(&canary("account"))).get(&unknown_id()).await;
        self.refused("no account", account);
        let narrowed = self.next(&admin.narrowed_to(&canary("customer"))).get(&unknown_id()).await;
        self.refused("no customer to narrow to", narrowed);
    }

    /// Calls by others that are refused, also with canaries in headers and paths.
    async fn strangers(&mut self, stranger: &Client, forger: &Client) {
        let get = self.next(stranger).get(&unknown_id()).await;
        self.refused("no member", get);
        let get = self.next(forger).get(&unknown_id()).await;
        self.refused("no token", get);
        for header in ["tracestate", "baggage", "grpc-timeout", "x-name", "grpc-previous-rpc-attempts"] {
            let client = self.next(stranger);
            let mut request = Request::new(pb::WhoAmIRequest::default());
            request.metadata_mut().insert(header, MetadataValue::try_from(format!("{BIRD}={BIRD}")).unwrap());
            client.access().who_am_i(request).await.unwrap();
        }
        for path in [format!("/{BIRD}.Service/{BIRD}"), format!("/clientele.v1.CustomerService/{BIRD}")] {
            let mut grpc = tonic::client::Grpc::new(self.next(stranger).intercepted());
            grpc.ready().await.unwrap();
            let codec = tonic_prost::ProstCodec::<(), ()>::default();
            let answer = grpc.unary(Request::new(()), path.parse().unwrap(), codec).await;
            self.refused("no such RPC", answer);
        }
        let odd = Client { traceparent: Some(BIRD.to_owned()), ..stranger.clone() };
        self.refused("no member", odd.get(&unknown_id()).await);
    }
}

/// Everything in an error that its caller gets.
pub fn error_text(status: &Status) -> String {
    format!("{} {:?} {:?}", status.message(), status.get_error_details(), status.metadata())
}
