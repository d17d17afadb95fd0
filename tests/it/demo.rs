//! The demo data of `dev`: every feature has examples, and nothing is made twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::RangeInclusive,
};

use clientele::{
    client::Client,
    grpc::pb::{
        self, account_service_client::AccountServiceClient, customer_service_client::CustomerServiceClient,
        tag_service_client::TagServiceClient,
    },
};
use nix::sys::signal::Signal;

use crate::{
    processes::{Dev, temp_dir, token},
    quickstart::example,
};

/// All customers that a subject sees, archived ones too.
async fn customers(dev: &Dev, subject: &str) -> Vec<pb::Customer> {
    let message = pb::SearchCustomersRequest {
        archived: pb::ArchivedFilter::Show.into(),
        include_descendants: true,
        view: pb::CustomerView::Full.into(),
        page_size: 1000,
        ..Default::default()
    };
    search(dev, subject, message).await
}

async fn search(dev: &Dev, subject: &str, message: pb::SearchCustomersRequest) -> Vec<pb::Customer> {
    let mut client = CustomerServiceClient::new(dev.channel().await);
    let found = client.search_customers(dev.request(subject, message).await).await.unwrap().into_inner();
    assert_eq!(found.next_page_token, "", "all on one page");
    found.results.into_iter().map(|result| result.customer.unwrap()).collect()
}

async fn branches(dev: &Dev) -> Vec<pb::Branch> {
    let mut client = AccountServiceClient::new(dev.channel().await);
    let request = dev.request("carol", pb::ListBranchesRequest::default()).await;
    client.list_branches(request).await.unwrap().into_inner().branches
}

async fn tags(dev: &Dev, subject: &str) -> Vec<pb::TagUse> {
    let mut client = TagServiceClient::new(dev.channel().await);
    let request = dev.request(subject, pb::ListTagsRequest::default()).await;
    client.list_tags(request).await.unwrap().into_inner().tags
}

/// Everything that a restart could make twice.
async fn everything(dev: &Dev) -> impl PartialEq + std::fmt::Debug + use<> {
    let mut seen = BTreeMap::new();
    for subject in ["admin", "alice", "bob", "carol", "dmitri", "erika"] {
        seen.insert(subject, (customers(dev, subject).await, tags(dev, subject).await));
    }
    (dev.tenants().await, dev.accounts().await, branches(dev).await, seen)
}

#[tokio::test]
async fn it_has_customers_of_every_state_kind_and_script() {
    let temp_dir = temp_dir();
    let dev = Dev::start(&temp_dir.path().join("data")).await;
    let all = customers(&dev, "admin").await;
    assert_eq!(all.len(), 120);

    let count = |is: &dyn Fn(&pb::Customer) -> bool| all.iter().filter(|customer| is(customer)).count();
    for status in [pb::CustomerStatus::Active, pb::CustomerStatus::Pending, pb::CustomerStatus::Rejected] {
        assert!(count(&|customer| customer.status() == status) > 1, "{status:?}");
    }
    assert_eq!(count(&|customer| customer.status() == pb::CustomerStatus::Suspended), 4);
    assert!(all.iter().all(|customer| customer.status_reason.is_empty()
        != matches!(customer.status(), pb::CustomerStatus::Rejected | pb::CustomerStatus::Suspended)));
    assert!(count(&|customer| customer.archived_at.is_some()) > 1);
    assert_eq!(count(&|customer| customer.holds.iter().any(|hold| hold.kind == "open-orders")), 1);
    assert_eq!(count(&|customer| customer.reach() == pb::Reach::Fleet), 4);
    assert!(count(&|customer| customer.r#type() == pb::CustomerType::Personal) > 1);
    assert!(count(&|customer| customer.service_class() == pb::ServiceClass::Residential) > 1);
    assert!(
        count(&|customer| customer.origin() == pb::Origin::Marketplace && !customer.order_reference.is_empty()) > 1
    );
    assert!(count(&|customer| !customer.sales_person_id.is_empty()) > 1);

    let countries: BTreeSet<&str> =
        all.iter().filter_map(|customer| Some(customer.primary_address.as_ref()?.country.as_str())).collect();
    assert!(countries.len() >= 40, "{countries:?}");
    let scripts: [(&str, RangeInclusive<char>); 10] = [
        ("umlauts", 'ä'..='ü'),
        ("Greek", 'Α'..='ω'),
        ("Cyrillic", 'А'..='я'),
        ("Hebrew", 'א'..='ת'),
        ("Arabic", 'ا'..='ي'),
        ("Devanagari", 'अ'..='ह'),
        ("Thai", 'ก'..='ฮ'),
        ("Han", '一'..='鿿'),
        ("Hangul", '가'..='힣'),
        ("Vietnamese", 'Ạ'..='ỹ'),
    ];
    for (script, letters) in scripts {
        assert!(count(&|customer| customer.name.chars().any(|letter| letters.contains(&letter))) > 0, "{script}");
    }
    dev.stop(Signal::SIGTERM).await;
}

#[tokio::test]
async fn its_tree_is_three_deep_and_has_every_preset_of_policies() {
    let temp_dir = temp_dir();
    let dev = Dev::start(&temp_dir.path().join("data")).await;
    let accounts = dev.accounts().await;
    let named = |name: &str| accounts.iter().find(|account| account.name == name).unwrap();
    assert_eq!(named("Noordzee Marketplace").parent_id, named("Noordzee Cloud").id);
    assert_eq!(accounts.iter().map(|account| account.ancestor_ids.len()).max(), Some(3));

    let policies_of = |name: &str| {
        let policies = named(name).policies.clone().unwrap();
        let paths = |paths: Option<pb::FieldPaths>| paths.unwrap_or_default().paths;
        let (create, approve) =
            (paths(policies.required_to_create.clone()), paths(policies.required_to_approve.clone()));
        (create.join(" "), approve.len(), policies.auto_approve(), policies.create_role(), policies.custom_id_role())
    };
    let (member, manager) = (pb::Role::Member, pb::Role::ServiceManager);
    assert_eq!(policies_of("Noordzee Cloud"), (String::new(), 1, true, member, manager), "QUICK");
    assert_eq!(policies_of("Baltic Telecom"), ("billing_email".to_owned(), 3, false, member, manager), "TELECOM");
    assert_eq!(policies_of("Autohaus Rheingau"), ("custom_ids.dms".to_owned(), 0, true, member, manager), "DEALER");
    let wanted = "primary_address.line1 primary_address.city primary_address.country email phone";
    assert_eq!(policies_of("Noordzee Marketplace"), (wanted.to_owned(), 0, true, member, member), "MARKETPLACE");
    let full = ("legal_name".to_owned(), 15, false, pb::Role::Admin, manager);
    assert_eq!(policies_of("Aegean Business Services"), full, "FULL");
    dev.stop(Signal::SIGTERM).await;
}

#[tokio::test]
async fn the_printed_calls_find_what_they_show() {
    let temp_dir = temp_dir();
    let dev = Dev::start(&temp_dir.path().join("data")).await;
    let names = |found: Vec<pb::Customer>| found.into_iter().map(|customer| customer.name).collect::<Vec<_>>();

    let by_words = pb::SearchCustomersRequest { query: "backerei munchen".to_owned(), ..Default::default() };
    assert_eq!(names(search(&dev, "alice", by_words).await), ["Bäckerei Grünewald"]);
    let any_of = vec!["grosskunde".to_owned()];
    let tagged = Some(pb::TagFilter { any_of, ..Default::default() });
    let by_tag = pb::SearchCustomersRequest { tags: tagged, ..Default::default() };
    assert!(names(search(&dev, "alice", by_tag).await).contains(&"Elbe Maschinenbau".to_owned()));
    let mut client = CustomerServiceClient::new(dev.channel().await);
    let (system, custom_id) = ("erp".to_owned(), "123".to_owned());
    let lookup = dev.request("alice", pb::LookupCustomerRequest { system, custom_id, ..Default::default() }).await;
    assert_eq!(client.lookup_customer(lookup).await.unwrap().into_inner().customer.unwrap().name, "Copaco");
    for subject in ["admin", "alice", "bob", "carol", "dmitri", "erika"] {
        assert!(!tags(&dev, subject).await.is_empty(), "{subject}");
    }

    let integrated: Vec<(String, bool)> =
        branches(&dev).await.into_iter().map(|branch| (branch.name, branch.dms_integrated)).collect();
    assert_eq!(integrated, [("Rüdesheim".to_owned(), false), ("Wiesbaden".to_owned(), true)]);
    let seen = customers(&dev, "carol").await;
    let links = |reach: pb::Reach| -> BTreeSet<&str> {
        let of_reach = seen.iter().filter(|customer| customer.reach() == reach);
        of_reach.map(|customer| customer.dms_link().as_str_name()).collect()
    };
    assert_eq!(links(pb::Reach::Local), BTreeSet::from(["DMS_LINK_LINKED", "DMS_LINK_NOT_INTEGRATED"]));
    assert_eq!(links(pb::Reach::Fleet), BTreeSet::from(["DMS_LINK_LINKED", "DMS_LINK_NUMBER_MISSING"]));

    let mut systems = BTreeSet::new();
    for subject in ["alice", "bob", "carol", "erika"] {
        systems.extend(customers(&dev, subject).await.into_iter().flat_map(|customer| customer.custom_ids.into_keys()));
    }
    assert_eq!(systems, ["billing", "default", "dms", "erp"].map(str::to_owned).into());

    let pending = vec![pb::CustomerStatus::Pending.into()];
    let view = pb::CustomerView::Full.into();
    let waiting = pb::SearchCustomersRequest { statuses: pending, view, ..Default::default() };
    let missing: Vec<usize> = search(&dev, "erika", waiting)
        .await
        .iter()
        .filter(|customer| customer.reach() == pb::Reach::Local)
        .map(|customer| customer.missing_for_approval.len())
        .collect();
    assert_eq!(missing, [8, 0]);

    let bob = token(&dev.data, "bob").await;
    let mut steps = Vec::new();
    let walking = Client::builder(dev.url.clone()).token(bob.trim()).connect().await.unwrap();
    Box::pin(example::walk(&walking, |step| steps.push(step))).await.unwrap();
    assert!(steps.iter().any(|step| step.contains("approved: CUSTOMER_STATUS_ACTIVE")), "{steps:?}");
    drop(client);
    dev.stop(Signal::SIGTERM).await;
}

#[tokio::test]
async fn a_restart_or_an_interruption_makes_nothing_twice() {
    let temp_dir = temp_dir();
    let data = temp_dir.path().join("data");
    let dev = Dev::start(&data).await;
    let (made, complete) = (everything(&dev).await, fs::read_to_string(data.join("demo.json")).unwrap());
    dev.stop(Signal::SIGTERM).await;

    let dev = Dev::start(&data).await;
    assert_eq!(everything(&dev).await, made);
    dev.stop(Signal::SIGTERM).await;

    fs::write(data.join("demo.json"), "").unwrap(); // as if the server had stopped while it made the data
    let dev = Dev::start(&data).await;
    assert_eq!(fs::read_to_string(data.join("demo.json")).unwrap(), complete);
    assert_eq!(everything(&dev).await, made);
    dev.stop(Signal::SIGTERM).await;
}

#[tokio::test]
async fn demo_data_of_an_older_version_stays_as_it_is() {
    let temp_dir = temp_dir();
    let data = temp_dir.path().join("data");
    let dev = Dev::start(&data).await;
    assert!(!dev.log_text().contains("from an older version"));
    let made = everything(&dev).await;
    dev.stop(Signal::SIGTERM).await;

    let progress = fs::read_to_string(data.join("demo.json")).unwrap();
    let older: String = progress.lines().filter(|line| !line.contains("\"edition\"")).collect();
    assert_ne!(older.len(), progress.lines().collect::<String>().len());
    fs::write(data.join("demo.json"), older).unwrap();
    let dev = Dev::start(&data).await;
    assert!(dev.log_text().contains("the demo data is from an older version"), "{}", dev.log_text());
    assert_eq!(everything(&dev).await, made);
    dev.stop(Signal::SIGTERM).await;
}
