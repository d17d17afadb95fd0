//! The handlers of BillingService for payment methods. Each first refuses what looks like a card number or an IBAN, in
//! whichever text field it is: nothing has been logged, traced or stored by then.

use tonic::{Request, Status};

use crate::{
    domain::{
        access::caller::Caller,
        billing::{
            card_number::holds_card_number,
            payment_method::{Expiry, LastFour, PaymentChannel, PaymentMethod, PaymentMethodType},
            payment_summary::PaymentSummary,
        },
        requests::options::Outcome,
        values::{
            ids::{self, CustomerId, PaymentMethodId},
            text::Text,
            violation::{Rule, Violations},
        },
    },
    error::Error,
    grpc::{
        convert::{customer_id, principal_out, time_out},
        customers::show,
        handler::{Answered, mutate, read},
        pb,
        status::{self, Repeat, RequestFields},
    },
    service::billing::{NewPaymentMethod, PaymentMethods},
};

/// A rule that names no value.
const REFUSED: Rule = Rule::new("must not hold a card number or an IBAN; send the payment provider's token");

pub(super) async fn add(
    methods: &PaymentMethods,
    request: Request<pb::AddPaymentMethodRequest>,
) -> Answered<pb::AddPaymentMethodResponse> {
    let pb::AddPaymentMethodRequest { customer_id: customer, payment_method, etag, request_id, validate_only: _ } =
        request.get_ref();
    let mut texts = vec![("customer_id", customer), ("etag", etag), ("request_id", request_id)];
    if let Some(method) = payment_method {
        texts.extend(method_texts(method));
    }
    refuse_card_numbers::<pb::AddPaymentMethodRequest>(&texts)?;
    mutate(
        request,
        |violations, _, message| {
            let pb::AddPaymentMethodRequest { customer_id: id, payment_method, .. } = message;
            let id = customer_id(violations, "customer_id", &id);
            id.zip(violations.nest("payment_method", parse(&payment_method.unwrap_or_default())))
        },
        async |caller: &Caller, (id, new), options| {
            let Outcome { value: (details, added), replayed, .. } = methods.add(caller, id, new, options).await?;
            let added = added.ok_or_else(|| Error::internal("no payment method was added"))?;
            let mut method = method_out(&added, details.customer.payment);
            if options.validate_only {
                // It is not stored, so its id finds nothing.
                method.id.clear();
            }
            let mut customer = show::full(details);
            if options.validate_only && method.is_default {
                customer.default_payment_method_id.clear();
            }
            Ok(pb::AddPaymentMethodResponse { payment_method: Some(method), customer: Some(customer), replayed })
        },
    )
    .await
}

pub(super) async fn set_default(
    methods: &PaymentMethods,
    request: Request<pb::SetDefaultPaymentMethodRequest>,
) -> Answered<pb::SetDefaultPaymentMethodResponse> {
    let pb::SetDefaultPaymentMethodRequest {
        customer_id: customer,
        payment_method_id,
        etag,
        request_id,
        validate_only: _,
    } = request.get_ref();
    refuse_card_numbers::<pb::SetDefaultPaymentMethodRequest>(&[
        ("customer_id", customer),
        ("payment_method_id", payment_method_id),
        ("etag", etag),
        ("request_id", request_id),
    ])?;
    mutate(
        request,
        |violations, _, message| named(violations, &message.customer_id, &message.payment_method_id),
        async |caller: &Caller, (id, method), options| {
            let Outcome { value: (details, _), replayed, .. } =
                methods.set_default(caller, id, method, options).await?;
            Ok(pb::SetDefaultPaymentMethodResponse { customer: Some(show::full(details)), replayed })
        },
    )
    .await
}

/// Reads the customer, and the payment method that the request names.
fn named(violations: &mut Violations, customer: &str, method: &str) -> Option<(CustomerId, PaymentMethodId)> {
    let customer = customer_id(violations, "customer_id", customer);
    customer.zip(violations.check("payment_method_id", PaymentMethodId::parse(method)))
}

pub(super) async fn remove(
    methods: &PaymentMethods,
    request: Request<pb::RemovePaymentMethodRequest>,
) -> Answered<pb::RemovePaymentMethodResponse> {
    let pb::RemovePaymentMethodRequest { customer_id: customer, payment_method_id, etag, request_id, validate_only: _ } =
        request.get_ref();
    refuse_card_numbers::<pb::RemovePaymentMethodRequest>(&[
        ("customer_id", customer),
        ("payment_method_id", payment_method_id),
        ("etag", etag),
        ("request_id", request_id),
    ])?;
    mutate(
        request,
        |violations, _, message| named(violations, &message.customer_id, &message.payment_method_id),
        async |caller: &Caller, (id, method), options| {
            let Outcome { value: (details, _), replayed, .. } = methods.remove(caller, id, method, options).await?;
            Ok(pb::RemovePaymentMethodResponse { customer: Some(show::full(details)), replayed })
        },
    )
    .await
}

pub(super) async fn list(
    methods: &PaymentMethods,
    request: Request<pb::ListPaymentMethodsRequest>,
) -> Answered<pb::ListPaymentMethodsResponse> {
    let pb::ListPaymentMethodsRequest { customer_id: customer } = request.get_ref();
    refuse_card_numbers::<pb::ListPaymentMethodsRequest>(&[("customer_id", customer)])?;
    read(
        request,
        |violations, _, pb::ListPaymentMethodsRequest { customer_id: id }| customer_id(violations, "customer_id", &id),
        async |caller: &Caller, id| {
            let (summary, methods) = methods.list(caller, id).await?;
            let payment_methods = methods.iter().map(|method| method_out(method, summary)).collect();
            Ok(pb::ListPaymentMethodsResponse { payment_methods })
        },
    )
    .await
}

/// The texts of a payment method with their paths. Every field is named, so that a new one does not compile here.
fn method_texts(method: &pb::PaymentMethod) -> Vec<(&'static str, &String)> {
    let pb::PaymentMethod {
        id,
        r#type: _,
        provider,
        token,
        brand,
        last_four,
        expiry_month: _,
        expiry_year: _,
        channel: _,
        is_default: _,
        create_time: _,
        created_by,
    } = method;
    let mut texts = vec![
        ("payment_method.id", id),
        ("payment_method.provider", provider),
        ("payment_method.token", token),
        ("payment_method.brand", brand),
        ("payment_method.last_four", last_four),
    ];
    if let Some(pb::Principal { issuer, subject }) = created_by {
        texts.extend([("payment_method.created_by.issuer", issuer), ("payment_method.created_by.subject", subject)]);
    }
    texts
}

/// Refuses texts that hold what looks like a card number or an IBAN. A UUID is neither, whatever its digits are.
fn refuse_card_numbers<M: RequestFields>(texts: &[(&'static str, &String)]) -> Result<(), Status> {
    let mut violations = Violations::default();
    for (field, text) in texts {
        if ids::parse(text).is_err() && holds_card_number(text) {
            violations.push(*field, REFUSED);
        }
    }
    if violations.is_empty() {
        return Ok(());
    }
    Err(status::for_request::<M>(Error::CardNumberRefused(violations), Repeat::Safe))
}

/// Parses a payment method. What only the server writes is ignored.
fn parse(method: &pb::PaymentMethod) -> Result<NewPaymentMethod, Violations> {
    let mut violations = Violations::default();
    let kind = match method.r#type() {
        pb::PaymentMethodType::Unspecified => None,
        pb::PaymentMethodType::Invoice => Some(PaymentMethodType::Invoice),
        pb::PaymentMethodType::Card => Some(PaymentMethodType::Card),
        pb::PaymentMethodType::DirectDebit => Some(PaymentMethodType::DirectDebit),
        pb::PaymentMethodType::Wallet => Some(PaymentMethodType::Wallet),
    };
    let rule = "must be PAYMENT_METHOD_TYPE_INVOICE, _CARD, _DIRECT_DEBIT or _WALLET";
    let kind = violations.check("type", kind.ok_or(Rule::new(rule)));
    let channel = match pb::PaymentChannel::try_from(method.channel) {
        Ok(pb::PaymentChannel::Unspecified | pb::PaymentChannel::Web) => Ok(PaymentChannel::Web),
        Ok(pb::PaymentChannel::Telephone) => Ok(PaymentChannel::Telephone),
        Err(_) => Err(Rule::new("must be PAYMENT_CHANNEL_WEB or PAYMENT_CHANNEL_TELEPHONE")),
    };
    let channel = violations.check("channel", channel);
    let provider = violations.check("provider", Text::parse_optional(&method.provider));
    let token = violations.check("token", Text::parse_optional(&method.token));
    if kind.is_some_and(|kind| kind != PaymentMethodType::Invoice) {
        let needed = Rule::coded(
            crate::domain::values::rule_code::RuleCode::Required,
            "must be given, unless the type is PAYMENT_METHOD_TYPE_INVOICE",
        );
        if provider == Some(None) {
            violations.push("provider", needed.clone());
        }
        if token == Some(None) {
            violations.push("token", needed);
        }
    }
    let brand = violations.check("brand", Text::parse_optional(&method.brand));
    let last_four = violations.check("last_four", LastFour::parse_optional(&method.last_four));
    let expiry = violations.nest("", Expiry::parse(method.expiry_month, method.expiry_year));
    let is_default = method.is_default;
    let whole = (|| {
        Some(NewPaymentMethod {
            kind: kind?,
            provider: provider?,
            token: token?,
            brand: brand?,
            last_four: last_four?,
            expiry: expiry?,
            channel: channel?,
            is_default,
        })
    })();
    violations.finish(whole)
}

/// Converts a payment method to its message.
fn method_out(method: &PaymentMethod, summary: PaymentSummary) -> pb::PaymentMethod {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let kind = match method.kind {
        PaymentMethodType::Unknown => pb::PaymentMethodType::Unspecified,
        PaymentMethodType::Invoice => pb::PaymentMethodType::Invoice,
        PaymentMethodType::Card => pb::PaymentMethodType::Card,
        PaymentMethodType::DirectDebit => pb::PaymentMethodType::DirectDebit,
        PaymentMethodType::Wallet => pb::PaymentMethodType::Wallet,
    };
    let channel = match method.channel {
        PaymentChannel::Unknown => pb::PaymentChannel::Unspecified,
        PaymentChannel::Web => pb::PaymentChannel::Web,
        PaymentChannel::Telephone => pb::PaymentChannel::Telephone,
    };
    pb::PaymentMethod {
        id: method.id.to_string(),
        r#type: kind.into(),
        provider: text(method.provider.as_ref().map(Text::as_str)),
        token: text(method.token.as_ref().map(Text::as_str)),
        brand: text(method.brand.as_ref().map(Text::as_str)),
        last_four: text(method.last_four.as_ref().map(LastFour::as_str)),
        expiry_month: method.expiry.map_or(0, |expiry| expiry.month.into()),
        expiry_year: method.expiry.map_or(0, |expiry| expiry.year.into()),
        channel: channel.into(),
        is_default: summary.default == Some(method.id),
        create_time: Some(time_out(method.created.at)),
        created_by: Some(principal_out(&method.created.by)),
    }
}
