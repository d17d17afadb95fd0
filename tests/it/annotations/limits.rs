//! What the code allows of each field that has rules.

use std::collections::BTreeMap;

use clientele::domain::{
    accounts::branch::BranchName,
    billing::{
        feature::FeatureName,
        payment_method::PaymentMethod,
        rate_plan::{RatePlan, RatePlanName},
    },
    customers::{
        hold::Hold,
        merge::{MAX_CHOICES, MAX_MERGED},
    },
    exchange::MAX_IMPORTED,
    fields::{customer_fields::CustomerFields, profile::Profile, requirements::Requirements},
    reference::industries::Industries,
    requests::principal::Principal,
    search::MAX_LIST,
    tags::tag::{Tag, TagName},
    values::{
        address::{Address, AddressPart},
        contact::Contact,
        contacts::Contacts,
        custom_id::{CustomId, MAX_SYSTEMS},
        email::Email,
        label::{LabelValue, Labels},
        language::Language,
        name::{AccountName, Name},
        phone::{Extension, Phone},
        status_reason::StatusReason,
        tax_id::{TaxId, TaxIds},
        text::Text,
    },
};

fn of<T, const MAX: usize>(_: impl Fn(&T) -> &Text<MAX>) -> usize {
    MAX
}

fn in_option<T, const MAX: usize>(_: impl Fn(&T) -> &Option<Text<MAX>>) -> usize {
    MAX
}

/// The longest text that a line of an address takes.
fn of_line(part: AddressPart) -> usize {
    let fits = |chars: &usize| Address::default().set(part, &"1".repeat(*chars)).is_ok();
    (1..1_000).take_while(fits).last().unwrap()
}

/// What the code allows, by field and rule.
pub fn limits() -> BTreeMap<(&'static str, &'static str), usize> {
    let (len, bytes, items) = ("string.max_len", "string.max_bytes", "repeated.max_items");
    let entries = [
        ("ImportCustomersRequest.rows", items, MAX_IMPORTED),
        ("MergeCustomersRequest.merged_customer_ids", items, MAX_MERGED),
        ("MergeCustomersRequest.choices", "map.max_pairs", MAX_CHOICES),
        ("MergeCustomersRequest.merged_etags", "map.max_pairs", MAX_MERGED),
        ("Tenant.name", len, AccountName::MAX_CHARS),
        ("Account.name", len, AccountName::MAX_CHARS),
        ("ListAccountsRequest.name", len, AccountName::MAX_CHARS),
        ("MigrateCustomerToResellerRequest.account_name", len, AccountName::MAX_CHARS),
        ("Feature.name", len, FeatureName::MAX_CHARS),
        ("RatePlan.name", len, RatePlanName::MAX_CHARS),
        ("RatePlan.prices", "map.max_pairs", RatePlan::MAX_PRICES),
        ("Branch.name", len, BranchName::MAX_CHARS),
        ("ListBranchesRequest.name", len, BranchName::MAX_CHARS),
        ("ListMembersRequest.subject", len, Principal::MAX_CHARS),
        ("ListMembersRequest.issuer", len, Principal::MAX_CHARS),
        ("Account.industries", items, Industries::MAX),
        ("Industry.name", len, Industries::MAX_NAME),
        ("FieldPaths.paths", items, Requirements::MAX),
        ("AccountPolicies.default_currency", len, in_option(|profile: &Profile| &profile.currency)),
        ("AccountPolicies.default_region", len, of_line(AddressPart::Country)),
        ("ListReferenceDataRequest.country", len, of_line(AddressPart::Country)),
        ("SearchCustomersRequest.countries", "repeated.items.string.max_len", of_line(AddressPart::Country)),
        ("SearchCustomersRequest.countries", items, MAX_LIST),
        ("Address.line1", len, of_line(AddressPart::Line1)),
        ("Address.line2", len, of_line(AddressPart::Line2)),
        ("Address.city", len, of_line(AddressPart::City)),
        ("Address.state", len, of_line(AddressPart::State)),
        ("Address.postal_code", len, of_line(AddressPart::PostalCode)),
        ("Address.country", len, of_line(AddressPart::Country)),
        ("Contact.first_name", len, in_option(|contact: &Contact| &contact.first_name)),
        ("Contact.last_name", len, in_option(|contact: &Contact| &contact.last_name)),
        ("Contact.job_title", len, in_option(|contact: &Contact| &contact.job_title)),
        ("Contact.email", bytes, Email::MAX_CHARS),
        ("Phone.number", len, Phone::MAX_CHARS),
        ("Phone.extension", len, Extension::MAX_CHARS),
        ("Customer.name", len, Name::MAX_CHARS),
        ("CheckNameAvailabilityRequest.name", len, Name::MAX_CHARS),
        ("Customer.legal_name", len, in_option(|profile: &Profile| &profile.legal_name)),
        ("Customer.custom_ids", "map.max_pairs", MAX_SYSTEMS),
        ("Customer.custom_ids", "map.values.string.max_len", CustomId::MAX_CHARS),
        ("LookupCustomerRequest.custom_id", len, CustomId::MAX_CHARS),
        ("UpdateCustomIdRequest.custom_id", len, CustomId::MAX_CHARS),
        ("Customer.registration_number", len, in_option(|profile: &Profile| &profile.registration_number)),
        ("Customer.tax_ids", items, TaxIds::MAX),
        ("TaxId.value", len, TaxId::MAX_CHARS),
        ("TaxId.country", len, of_line(AddressPart::Country)),
        ("Customer.currency", len, in_option(|profile: &Profile| &profile.currency)),
        ("Customer.industry", len, in_option(|profile: &Profile| &profile.industry)),
        ("Customer.contacts", items, Contacts::MAX),
        ("Customer.email", bytes, Email::MAX_CHARS),
        ("Customer.billing_email", bytes, Email::MAX_CHARS),
        ("Customer.order_reference", len, in_option(|fields: &CustomerFields| &fields.order_reference)),
        ("Customer.labels", "map.max_pairs", Labels::MAX),
        ("Customer.labels", "map.values.string.max_len", LabelValue::MAX_CHARS),
        ("Customer.language", len, Language::MAX_CHARS),
        ("InviteMemberRequest.email", bytes, Email::MAX_CHARS),
        ("InviteMemberRequest.language", len, Language::MAX_CHARS),
        ("CreateAccountRequest.admin_email", bytes, Email::MAX_CHARS),
        ("CreateAccountRequest.admin_language", len, Language::MAX_CHARS),
        ("MigrateCustomerToResellerRequest.admin_email", bytes, Email::MAX_CHARS),
        ("RejectCustomerRequest.reason", len, StatusReason::MAX_CHARS),
        ("SuspendCustomerRequest.reason", len, StatusReason::MAX_CHARS),
        ("PlaceHoldRequest.kind", len, of(|hold: &Hold| &hold.kind)),
        ("PlaceHoldRequest.reason", len, of(|hold: &Hold| &hold.reason)),
        ("PaymentMethod.provider", len, in_option(|method: &PaymentMethod| &method.provider)),
        ("PaymentMethod.token", len, in_option(|method: &PaymentMethod| &method.token)),
        ("PaymentMethod.brand", len, in_option(|method: &PaymentMethod| &method.brand)),
        ("Principal.issuer", len, Principal::MAX_CHARS),
        ("Principal.subject", len, Principal::MAX_CHARS),
        ("CreateTagRequest.name", len, TagName::MAX_CHARS),
        ("RenameTagRequest.name", len, TagName::MAX_CHARS),
        ("ModifyCustomerTagsRequest.add_tags", items, Tag::MAX_ON_CUSTOMER),
        ("ModifyCustomerTagsRequest.add_tags", "repeated.items.string.max_len", TagName::MAX_CHARS),
        ("ModifyCustomerTagsRequest.remove_tags", items, Tag::MAX_ON_CUSTOMER),
        ("ModifyCustomerTagsRequest.remove_tags", "repeated.items.string.max_len", TagName::MAX_CHARS),
    ];
    let limits: BTreeMap<_, _> = entries.into_iter().map(|(field, rule, limit)| ((field, rule), limit)).collect();
    assert_eq!(limits.len(), entries.len());
    limits
}
