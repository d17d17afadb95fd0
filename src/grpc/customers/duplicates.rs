//! The handler of FindDuplicateCustomers, and what creations say of duplicates.

use tonic::Request;

use crate::{
    domain::{
        access::{caller::Caller, relation::Relation},
        accounts::account::Account,
        duplicates::{Duplicate, DuplicatePolicy, Reason, Traits},
        fields::{
            customer_fields::CustomerFields,
            field::{Field, View},
            path::FieldPath,
            profile::Profile,
            settle::Tables,
        },
        values::{
            enums::Origin,
            name::Name,
            rule_code::RuleCode,
            text::{Text, optional},
            violation::{Rule, Violations},
        },
    },
    grpc::{
        convert::customer_id,
        customers::{read, show::in_view},
        handler::{self, Answered},
        pb,
    },
    service::customers::{Compared, Customers, PossibleDuplicate},
};

pub(super) async fn find(
    customers: &Customers,
    request: Request<pb::FindDuplicateCustomersRequest>,
) -> Answered<pb::FindDuplicateCustomersResponse> {
    handler::read(
        request,
        |violations, caller: &Caller, message| parse(violations, caller, message),
        async |caller: &Caller, compared| {
            let found = customers.find_duplicates(caller, &compared).await?;
            Ok(pb::FindDuplicateCustomersResponse { duplicates: out(found) })
        },
    )
    .await
}

fn parse(violations: &mut Violations, caller: &Caller, message: pb::FindDuplicateCustomersRequest) -> Option<Compared> {
    let pb::FindDuplicateCustomersRequest { customer_id: id, customer } = message;
    match customer {
        None => customer_id(violations, "customer_id", &id).map(Compared::Stored),
        Some(_) if !id.is_empty() => {
            violations.push("customer", Rule::new("must not be given together with customer_id"));
            None
        }
        Some(customer) => {
            let fields = violations.nest("", compared(&customer, caller.account()))?;
            if Traits::of(&fields, Relation::OwnerOrAbove).asked().is_empty() {
                let rule = "must have something to compare: a name, a number, an email address or a phone number";
                violations.push("customer", Rule::coded(RuleCode::Required, rule));
                return None;
            }
            Some(Compared::Draft(Box::new(fields)))
        }
    }
}

/// Reads what of a customer is compared with others. Each field is optional, and is read as that of a new customer is.
fn compared(customer: &pb::Customer, acting: &Account) -> Result<CustomerFields, Violations> {
    let mut violations = Violations::default();
    let name = violations.check("customer.name", optional(&customer.name, Name::parse)).flatten();
    let mut fields = CustomerFields::new(name.unwrap_or_else(|| Name::from(String::new())), Origin::default());
    for field in COMPARED {
        if let Some(edit) = read::edit(&mut violations, &FieldPath::Whole(field), customer) {
            violations.nest("customer", fields.apply(edit));
        }
    }
    let tables = Tables {
        region: acting.policies.default_region.as_ref().map(Text::as_str),
        industries: acting.industries.as_deref(),
    };
    violations.nest("customer", fields.settle(&Profile::default(), tables));
    violations.finish(Some(fields))
}

/// The fields that are compared, but for the name.
const COMPARED: [Field; 9] = [
    Field::LegalName,
    Field::RegistrationNumber,
    Field::TaxIds,
    Field::PrimaryAddress,
    Field::Contacts,
    Field::Email,
    Field::BillingEmail,
    Field::Phone,
    Field::Fax,
];

/// Reads what a creation does about duplicates.
pub(in crate::grpc) fn policy(violations: &mut Violations, raw: i32) -> Option<DuplicatePolicy> {
    let policy = match pb::DuplicatePolicy::try_from(raw) {
        Ok(pb::DuplicatePolicy::Unspecified | pb::DuplicatePolicy::Report) => Ok(DuplicatePolicy::Report),
        Ok(pb::DuplicatePolicy::Block) => Ok(DuplicatePolicy::Block),
        Ok(pb::DuplicatePolicy::Ignore) => Ok(DuplicatePolicy::Ignore),
        Err(_) => Err(Rule::new("must be DUPLICATE_POLICY_REPORT, DUPLICATE_POLICY_BLOCK or DUPLICATE_POLICY_IGNORE")),
    };
    violations.check("duplicate_policy", policy)
}

/// Customers that may be the same, as messages.
pub(super) fn out(found: Vec<PossibleDuplicate>) -> Vec<pb::PossibleDuplicate> {
    let message = |PossibleDuplicate { customer, duplicate }| pb::PossibleDuplicate {
        customer: Some(in_view(customer, View::Basic)),
        score: duplicate.score(),
        reasons: reasons(&duplicate),
    };
    found.into_iter().map(message).collect()
}

/// What two customers have in common.
pub(in crate::grpc) fn reasons(duplicate: &Duplicate) -> Vec<i32> {
    duplicate.reasons.iter().map(|reason| reason_out(*reason).into()).collect()
}

fn reason_out(reason: Reason) -> pb::DuplicateReason {
    match reason {
        Reason::TaxId => pb::DuplicateReason::TaxId,
        Reason::RegistrationNumber => pb::DuplicateReason::RegistrationNumber,
        Reason::Email => pb::DuplicateReason::Email,
        Reason::Phone => pb::DuplicateReason::Phone,
        Reason::NameAndCity => pb::DuplicateReason::NameAndCity,
        Reason::Name => pb::DuplicateReason::Name,
        Reason::Unknown => pb::DuplicateReason::Unspecified,
    }
}
