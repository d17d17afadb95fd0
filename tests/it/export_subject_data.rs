//! ExportSubjectData.

use std::collections::BTreeMap;

use clientele::{
    domain::fields::field::{Field, Storage},
    grpc::pb::{self, ExportSubjectDataRequest as Exporting},
};
use serde_json::Value;
use strum::VariantArray as _;
use tonic::{Code, Status};

use crate::{
    invitations::invited,
    world::{Client, World, assert_refused, customer, full_customer, unknown_id, wire},
};

async fn page(client: &Client, request: &Exporting) -> Result<pb::ExportSubjectDataResponse, Status> {
    Ok(client.exchange().export_subject_data(request.clone()).await?.into_inner())
}

/// All documents of a customer, in pages of this size.
pub async fn export(client: &Client, id: &str, page_size: i32) -> Vec<pb::SubjectDocument> {
    let mut request = Exporting { customer_id: id.to_owned(), page_size, ..Default::default() };
    let mut all = Vec::new();
    loop {
        let answer = page(client, &request).await.unwrap();
        assert!(answer.documents.len() <= usize::try_from(page_size).unwrap());
        all.extend(answer.documents);
        request.page_token = answer.next_page_token;
        if request.page_token.is_empty() {
            return all;
        }
    }
}

pub fn by_kind(documents: &[pb::SubjectDocument]) -> BTreeMap<&str, Vec<Value>> {
    let mut kinds: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for document in documents {
        kinds.entry(&document.kind).or_default().push(serde_json::from_str(&document.json).unwrap());
    }
    kinds
}

#[tokio::test]
async fn everything_that_is_stored_about_a_customer_is_in_it_once() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let wanted = pb::Customer {
        branch_id: north.branch("Harbour").await,
        sales_person_id: north.add("sam", pb::Role::Member).await.member_id,
        ..full_customer("Copaco")
    };
    let id = north.admin.create(wanted).await.unwrap().id;
    for value in ["K-1", "K-2"] {
        north.admin.set_id(&id, "dms", value).await.unwrap();
    }
    north.admin.tag(&[&id], &["vip"], &[]).await.unwrap();
    acme.admin.set_id(&id, "erp", "P-1").await.unwrap();
    for number in 0..30 {
        let changed = pb::Customer { id: id.clone(), legal_name: format!("Copaco {number}"), ..Default::default() };
        north.admin.update(changed, &["legal_name"]).await.unwrap();
    }
    let invitation = invited(&north, "info@company.nl").await;

    let whole = export(&acme.admin, &id, 1_000).await;
    let kinds = by_kind(&whole);
    for size in [1, 7] {
        assert_eq!(export(&acme.admin, &id, size).await, whole, "pages of {size}");
    }
    assert_eq!(kinds.keys().copied().collect::<Vec<_>>(), ["custom_id", "customer", "event", "invitation", "link"]);
    assert!(whole.iter().all(|document| document.customer_id == id));
    let record = &kinds["customer"][0];
    for spec in Field::VARIANTS.iter().map(|field| field.spec()) {
        let value = if spec.storage == Storage::Column { &record[spec.name] } else { &record["profile"][spec.name] };
        assert!(!value.is_null(), "{}", spec.name);
    }
    let values: Vec<_> = kinds["custom_id"].iter().map(|id| id["value"].as_str().unwrap()).collect();
    assert_eq!(values.len(), 4, "{values:?}");
    assert!(kinds["link"].iter().any(|link| link["tags"] == serde_json::json!(["vip"])), "{:?}", kinds["link"]);
    assert_eq!(kinds["event"].len(), 2 + 2 + 1 + 1 + 30);
    assert_eq!(kinds["invitation"][0]["invitation_id"], invitation.invitation_id);

    // What an account above keeps for itself is its own.
    let from_below = export(&north.admin, &id, 1_000).await;
    let text = format!("{from_below:?}");
    assert!(!text.contains("P-1") && text.contains("K-1"), "{text}");
    assert_eq!(by_kind(&from_below)["event"].len(), 2 + 2 + 1 + 30);
}

#[tokio::test]
async fn rights_and_tenancy_are_those_of_the_contract() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let fleet = acme.admin.create(pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Ada") }).await.unwrap();
    let request = |id: &str| Exporting { customer_id: id.to_owned(), ..Default::default() };
    let refused = page(&north.admin, &request(&fleet.id)).await;
    assert_refused(refused, Code::PermissionDenied, "FLEET_OWNED_ELSEWHERE");
    let manager = acme.member(pb::Role::ServiceManager).await;
    assert_refused(page(&manager, &request(&fleet.id)).await, Code::PermissionDenied, "ROLE_TOO_LOW");
    let globex = world.tenant("globex").await;
    let foreign = assert_refused(page(&globex.admin, &request(&fleet.id)).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    let absent = page(&globex.admin, &request(&unknown_id())).await;
    assert_eq!(wire(&foreign), wire(&assert_refused(absent, Code::NotFound, "CUSTOMER_NOT_FOUND")));
    // A token of another customer's export.
    let first = page(&acme.admin, &Exporting { page_size: 1, ..request(&fleet.id) }).await.unwrap();
    let other = acme.admin.create(customer("Bob")).await.unwrap();
    let mixed = Exporting { page_token: first.next_page_token, ..request(&other.id) };
    assert_refused(page(&acme.admin, &mixed).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
}

#[tokio::test]
async fn a_page_of_large_documents_ends_early_and_none_is_lost() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let id = acme.admin.create(full_customer("Copaco")).await.unwrap().id;
    let fill = "update events set changes = jsonb_build_object('name', jsonb_build_object('old', null, 'new', repeat(md5(seq::text), 20000)))
                where customer_id = $1::uuid";
    for number in 0..6 {
        let changed = pb::Customer { id: id.clone(), legal_name: format!("Copaco {number}"), ..Default::default() };
        acme.admin.update(changed, &["legal_name"]).await.unwrap();
    }
    sqlx::query(fill).bind(&id).execute(&mut world.sql().await).await.unwrap();
    let mut request = Exporting { customer_id: id.clone(), page_size: 1_000, ..Default::default() };
    let (mut pages, mut events) = (0, 0);
    loop {
        let answer = page(&acme.admin, &request).await.unwrap();
        let size: usize = answer.documents.iter().map(|document| document.json.len()).sum();
        assert!(size <= 3 * 1024 * 1024, "{size}");
        pages += 1;
        events += answer.documents.iter().filter(|document| document.kind == "event").count();
        request.page_token = answer.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(events, 8);
    assert!(pages >= 3, "{pages}");
}
