//! ListReferenceData and ListIndustries.

use clientele::grpc::pb;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::world::{Client, World, assert_refused, bad_fields, customer};

async fn data(client: &Client, country: &str) -> Result<pb::ListReferenceDataResponse, Status> {
    let request = pb::ListReferenceDataRequest { country: country.to_owned() };
    Ok(client.accounts().list_reference_data(request).await?.into_inner())
}

#[tokio::test]
async fn one_call_has_everything_that_a_form_draws_its_menus_from() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let viewer = acme.member(pb::Role::Viewer).await;

    let found = data(&viewer, "Netherlands").await.unwrap();

    let country = |code: &str| found.countries.iter().find(|country| country.code == code).unwrap();
    let netherlands = country("NL");
    assert_eq!(netherlands.address_fields, ["line1", "city", "postal_code", "country"]);
    assert_eq!(netherlands.postal_code_usage(), pb::PostalCodeUsage::Used);
    assert_eq!(
        (netherlands.postal_code_example.as_str(), netherlands.tax_id_example.as_str()),
        ("1234 AB", "NL004495445B01")
    );
    assert_eq!(country("HK").postal_code_usage(), pb::PostalCodeUsage::None);
    assert_eq!(country("IE").postal_code_usage(), pb::PostalCodeUsage::Optional);
    assert!(country("US").address_fields.contains(&"state".to_owned()));
    let brabant = pb::State { code: "NL-NB".to_owned(), name: "Noord-Brabant".to_owned() };
    assert!(found.states.contains(&brabant) && found.states.iter().all(|state| state.code.starts_with("NL-")));
    let euro = pb::Currency { code: "EUR".to_owned(), name: "Euro".to_owned(), decimals: 2 };
    assert!(found.currencies.contains(&euro) && !found.currencies.iter().any(|it| ["HRK", "XAU"].contains(&&*it.code)));
    assert!(found.languages.iter().any(|language| language.code == "nl" && language.name == "Dutch"));
    let industries = viewer.accounts().list_industries(pb::ListIndustriesRequest {}).await.unwrap().into_inner();
    assert_eq!(found.industries, industries.industries);
    assert!(industries.industries.iter().any(|it| it.code == "non-profit" && it.name == "Non-profit"));
}

#[tokio::test]
async fn the_states_are_those_of_the_country_that_is_named_or_of_the_accounts() {
    let world = World::start().await;
    let policies = pb::AccountPolicies { default_region: Some("Belgium".to_owned()), ..Default::default() };
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, policies).await;
    let bare = world.tenant("bare").await;
    assert!(data(&acme.admin, "").await.unwrap().states.iter().any(|state| state.code == "BE-VLG"));
    assert!(data(&acme.admin, "us").await.unwrap().states.iter().any(|state| state.code == "US-TX"));
    assert!(data(&bare.admin, "").await.unwrap().states.is_empty());
    let refused = assert_refused(data(&acme.admin, "Atlantis").await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["country"]);
    assert_eq!(refused.get_details_bad_request().unwrap().field_violations[0].reason, "COUNTRY");
}

#[tokio::test]
async fn a_customer_takes_every_value_that_is_listed() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let found = data(&acme.admin, "NL").await.unwrap();
    for (number, industry) in found.industries.iter().enumerate() {
        let currency = &found.currencies[number];
        let state = &found.states[number % found.states.len()];
        let language = &found.languages[number];
        let created = acme.admin.create(pb::Customer {
            industry: industry.name.clone(),
            currency: currency.name.clone(),
            language: language.code.clone(),
            primary_address: Some(pb::Address {
                country: "NL".to_owned(),
                state: state.name.clone(),
                ..Default::default()
            }),
            ..customer(&industry.name)
        });
        let created = created.await.unwrap();
        assert_eq!(
            (&created.industry, &created.currency, &created.language),
            (&industry.code, &currency.code, &language.code)
        );
        assert_eq!(created.primary_address.unwrap().state, state.code);
    }
}
