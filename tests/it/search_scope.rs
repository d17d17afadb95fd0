//! SearchCustomers: visibility.

use std::collections::BTreeMap;

use clientele::grpc::pb;
use tonic::{Code, Request, Status};

use crate::{
    search_customers::{in_field, names, query, search},
    world::{Client, World, assert_refused, customer, full_customer, unknown_id, wire},
};

#[tokio::test]
async fn a_customer_of_a_sibling_or_another_tenant_is_not_found_and_one_below_only_on_request() {
    let world = World::start().await;
    let provider = world.tenant("provider").await;
    let (north, south) = (provider.child("north").await, provider.child("south").await);
    let stranger = world.tenant("stranger").await;
    north.admin.create(customer("Ada")).await.unwrap();
    let everything = pb::SearchCustomersRequest { include_descendants: true, ..query("") };
    for words in ["", "ada"] {
        let below = pb::SearchCustomersRequest { query: words.to_owned(), ..everything.clone() };
        assert_eq!(names(&north.admin, query(words)).await, ["Ada"]);
        assert!(names(&provider.admin, query(words)).await.is_empty());
        assert_eq!(names(&provider.admin, below.clone()).await, ["Ada"]);
        for other in [&south, &stranger] {
            let absent = search(&other.admin, query("absent")).await.unwrap();
            assert_eq!(search(&other.admin, below.clone()).await.unwrap(), absent);
        }
    }
}

#[tokio::test]
async fn from_below_a_fleet_customer_is_found_only_by_visible_fields() {
    let world = World::start().await;
    let provider = world.tenant("provider").await;
    let dealer = provider.child("dealer").await;
    let deeper = dealer.child("deeper").await;
    let member = provider.add("sales", pb::Role::Member).await;
    let fleet = pb::Customer {
        reach: pb::Reach::Fleet.into(),
        sales_person_id: member.member_id.clone(),
        billing_email: "secret@example.com".to_owned(),
        labels: [("tier".to_owned(), "gold".to_owned())].into(),
        origin: pb::Origin::Marketplace.into(),
        ..full_customer("Fleet")
    };
    let made = provider.admin.create(fleet).await.unwrap();
    provider.admin.create(customer("Local")).await.unwrap();
    for test_account in [&dealer, &deeper] {
        assert_eq!(names(&test_account.admin, query("")).await, ["Fleet"]);
        for words in ["fleet", "eindhoven", "noord", "info@", "+31402505000", "nl006486253b01"] {
            assert_eq!(names(&test_account.admin, query(words)).await, ["Fleet"], "{words:?}");
        }
        let shown =
            search(&test_account.admin, pb::SearchCustomersRequest { view: 2, ..query("fleet") }).await.unwrap();
        assert_eq!(shown.results[0].customer, Some(test_account.admin.get(&made.id).await.unwrap()));
        // A caller that could search or filter by a hidden field would learn its value.
        for secret in ["secret", "Fleet-00123"] {
            assert!(names(&test_account.admin, in_field(pb::SearchField::Number, secret)).await.is_empty());
            assert!(names(&test_account.admin, in_field(pb::SearchField::Email, secret)).await.is_empty());
        }
        for hidden in [
            pb::SearchCustomersRequest { labels: [("tier".to_owned(), "gold".to_owned())].into(), ..query("") },
            pb::SearchCustomersRequest { origins: vec![pb::Origin::Marketplace.into()], ..query("") },
            pb::SearchCustomersRequest { sales_person_id: member.member_id.clone(), ..query("") },
        ] {
            assert_eq!(names(&provider.admin, hidden.clone()).await, ["Fleet"], "{hidden:?}");
            assert!(names(&test_account.admin, hidden.clone()).await.is_empty(), "{hidden:?}");
        }
    }
}

#[tokio::test]
async fn each_account_searches_its_own_custom_ids_and_their_aliases() {
    let world = World::start().await;
    let provider = world.tenant("provider").await;
    let (north, south) = (provider.child("north").await, provider.child("south").await);
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Fleet") };
    let fleet = provider.admin.create(fleet).await.unwrap();
    let other = north.admin.create(customer("Other")).await.unwrap();
    for (test_account, value) in [(&north, "OLD-1"), (&north, "N-777"), (&south, "S-888")] {
        test_account.admin.set_id(&fleet.id, "dms", value).await.unwrap();
    }
    for (test_account, words, expected) in [
        (&north, "n-777", vec!["Fleet"]),
        (&north, "s-888", vec![]),
        (&south, "s-888", vec!["Fleet"]),
        (&south, "n-777", vec![]),
        (&provider, "n-777", vec![]),
        (&north, "old-1", vec!["Fleet"]),
    ] {
        assert_eq!(names(&test_account.admin, query(words)).await, expected, "{words:?}");
    }
    north.admin.set_id(&other.id, "dms", "old-1").await.unwrap();
    assert_eq!(names(&north.admin, query("old-1")).await, ["Other"]);
    let lacks = pb::SearchCustomersRequest { lacks_custom_id_system: "dms".to_owned(), ..query("") };
    assert!(names(&north.admin, lacks.clone()).await.is_empty());
    assert_eq!(names(&provider.admin, lacks).await, ["Fleet"]);
}

#[tokio::test]
async fn a_narrowed_call_finds_its_customer_at_any_level_below() {
    let world = World::start().await;
    let provider = world.tenant("provider").await;
    let north = provider.child("north").await;
    let ada = north.admin.create(customer("Ada")).await.unwrap();
    north.admin.create(customer("Adam")).await.unwrap();
    let narrowed = async |client: &Client, to: &str, request: pb::SearchCustomersRequest| {
        let mut request = Request::new(request);
        request.metadata_mut().insert("clientele-customer", to.parse().unwrap());
        let found = client.customers().search_customers(request).await?.into_inner();
        Ok::<_, Status>(found)
    };
    for (test_account, words, finds) in
        [(&north, "", 1), (&north, "ada", 1), (&north, "adam", 0), (&provider, "ada", 1), (&provider, "", 1)]
    {
        let asked = pb::SearchCustomersRequest { include_total_size: true, ..query(words) };
        let found = narrowed(&test_account.admin, &ada.id, asked).await.unwrap();
        assert!(found.results.iter().all(|result| result.customer.as_ref().unwrap().id == ada.id));
        assert_eq!((found.results.len(), found.total_size), (finds, i32::try_from(finds).unwrap()), "{words:?}");
    }
    let absent = narrowed(&north.admin, &unknown_id(), query("")).await.unwrap();
    assert!(absent.results.is_empty());
    let wide = search(&north.admin, pb::SearchCustomersRequest { page_size: 1, ..query("ada") }).await.unwrap();
    let carried = pb::SearchCustomersRequest { page_size: 1, page_token: wide.next_page_token, ..query("ada") };
    let refused = narrowed(&north.admin, &ada.id, carried).await;
    assert_refused(refused, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
}

#[tokio::test]
async fn members_of_every_role_may_search_and_other_callers_may_not() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    acme.admin.create(customer("Ada")).await.unwrap();
    for role in [pb::Role::Viewer, pb::Role::Member, pb::Role::ServiceManager, pb::Role::Admin] {
        assert_eq!(names(&acme.member(role).await, query("ada")).await, ["Ada"], "{role:?}");
    }
    let outsider = world.subject("outsider");
    assert_refused(search(&outsider, query("")).await, Code::PermissionDenied, "NOT_A_MEMBER");
    let elsewhere = world.tenant("elsewhere").await.admin.acting_in(&acme.account);
    let refused = assert_refused(search(&elsewhere, query("")).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
    let absent = search(&elsewhere.acting_in(&unknown_id()), query("")).await.unwrap_err();
    assert_eq!(wire(&refused), wire(&absent));
}

#[tokio::test]
async fn results_have_the_fields_of_their_view() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let made = acme.admin.create(full_customer("Copaco")).await.unwrap();
    let shown = async |view: pb::CustomerView| {
        let asked = pb::SearchCustomersRequest { view: view.into(), ..query("copaco") };
        search(&acme.admin, asked).await.unwrap().results.remove(0).customer.unwrap()
    };
    assert_eq!(shown(pb::CustomerView::Full).await, made);
    let basic = pb::Customer {
        contacts: Vec::new(),
        billing_address: None,
        shipping_address: None,
        labels: BTreeMap::new(),
        holds: Vec::new(),
        allowed_actions: Vec::new(),
        missing_for_approval: Vec::new(),
        ..made
    };
    assert_eq!(shown(pb::CustomerView::Basic).await, basic);
    assert_eq!(shown(pb::CustomerView::Unspecified).await, basic);
}

#[tokio::test]
async fn a_query_of_as_many_words_as_fit_is_answered_at_the_bottom_of_the_deepest_tree() {
    let world = World::start().await;
    let mut seat = world.tenant("provider").await;
    for depth in 2..=8 {
        seat = seat.child(&format!("level {depth}")).await;
    }
    let words: Vec<String> = ('\u{4E00}'..).take(256).map(String::from).collect();
    let name: String = words.iter().take(120).map(String::as_str).collect();
    seat.admin.create(customer(&name)).await.unwrap();
    for (count, found) in [(120, 1), (256, 0)] {
        let asked = pb::SearchCustomersRequest { include_total_size: true, ..query(&words[..count].join(" ")) };
        let answer = search(&seat.admin, asked).await.unwrap();
        assert_eq!(answer.results.len(), found, "{count} words");
    }
}
