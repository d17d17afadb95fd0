//! The handlers that list reference data. They read tables of the program, and of the acting account what the access cache has.

use tonic::Request;

use crate::{
    domain::{
        access::caller::Caller,
        accounts::account::Account,
        reference::{
            currencies, industries,
            languages::LANGUAGES,
            places,
            postal_codes::{self, Usage},
            registration::REGISTERS,
            tax,
        },
    },
    grpc::{
        handler::{Answered, read},
        pb,
    },
};

pub(super) async fn industries(request: Request<pb::ListIndustriesRequest>) -> Answered<pb::ListIndustriesResponse> {
    read(
        request,
        |_, _, pb::ListIndustriesRequest {}| Some(()),
        async |caller: &Caller, ()| Ok(pb::ListIndustriesResponse { industries: industries_of(caller.account()) }),
    )
    .await
}

pub(super) async fn all(request: Request<pb::ListReferenceDataRequest>) -> Answered<pb::ListReferenceDataResponse> {
    read(
        request,
        |violations, caller: &Caller, pb::ListReferenceDataRequest { country }| {
            let default = caller.account().policies.default_region.as_ref();
            let asked = match (country.trim(), default) {
                ("", None) => None,
                // One that was stored before there were codes may be none.
                ("", Some(default)) => places::country(default.as_str()).ok(),
                (asked, _) => Some(violations.check("country", places::country(asked))?),
            };
            let state = |(code, name): (&str, &str)| pb::State { code: code.to_owned(), name: name.to_owned() };
            Some(asked.map(places::states).unwrap_or_default().into_iter().map(state).collect::<Vec<_>>())
        },
        async |caller: &Caller, states| {
            let language =
                |(code, name): &(&str, &str)| pb::Language { code: (*code).to_owned(), name: (*name).to_owned() };
            Ok(pb::ListReferenceDataResponse {
                countries: places::countries().into_iter().map(country).collect(),
                states,
                currencies: currencies::in_use().into_iter().map(currency).collect(),
                languages: LANGUAGES.iter().map(language).collect(),
                industries: industries_of(caller.account()),
            })
        },
    )
    .await
}

/// The industries of the account's tenant.
pub(super) fn industries_of(account: &Account) -> Vec<pb::Industry> {
    let one = |(code, name): (&str, &str)| pb::Industry { code: code.to_owned(), name: name.to_owned() };
    industries::all(account.industries.as_deref()).into_iter().map(one).collect()
}

fn country((code, name): (&'static str, &'static str)) -> pb::Country {
    let usage = match postal_codes::usage(code) {
        Usage::Used => pb::PostalCodeUsage::Used,
        Usage::Optional => pb::PostalCodeUsage::Optional,
        Usage::None => pb::PostalCodeUsage::None,
    };
    let register = REGISTERS.iter().find(|register| register.country == code);
    let example = |example: Option<&'static str>| example.unwrap_or_default().to_owned();
    pb::Country {
        code: code.to_owned(),
        name: name.to_owned(),
        address_fields: postal_codes::needed(code).into_iter().map(|part| part.as_str().to_owned()).collect(),
        postal_code_usage: usage.into(),
        postal_code_example: example(postal_codes::example(code)),
        tax_id_example: example(tax::example(code)),
        registration_number_example: example(register.map(|register| register.example)),
    }
}

fn currency((code, name, decimals): (&'static str, &'static str, u16)) -> pb::Currency {
    pb::Currency { code: code.to_owned(), name: name.to_owned(), decimals: decimals.into() }
}
