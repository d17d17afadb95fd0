//! ModifyCustomerTags: effects and errors. Races and repeats have files of their own.

use clientele::grpc::pb::{self, CustomerEventType, ModifyCustomerTagsRequest as Tagging};
use tonic::{Code, Status};

use crate::{
    rows::rows,
    world::{Client, TestAccount, World, assert_refused, customer, manual_approval, mask, metadata, unknown_id, wire},
};

/// A tenant with two customers.
pub async fn pair(world: &World) -> (TestAccount, pb::Customer, pb::Customer) {
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let bob = acme.admin.create(customer("Bob")).await.unwrap();
    (acme, ada, bob)
}

pub fn tagging(ids: &[&str], add: &[&str], remove: &[&str]) -> Tagging {
    let [customer_ids, add_tags, remove_tags] =
        [ids, add, remove].map(|all| all.iter().map(ToString::to_string).collect());
    Tagging { customer_ids, add_tags, remove_tags, ..Default::default() }
}

pub async fn modify(client: &Client, request: &Tagging) -> Result<pb::ModifyCustomerTagsResponse, Status> {
    Ok(client.customers().modify_customer_tags(request.clone()).await?.into_inner())
}

/// The names of a client's tags on a customer.
pub async fn tags_of(client: &Client, id: &str) -> Vec<String> {
    client.get(id).await.unwrap().tags.into_iter().map(|tag| tag.name).collect()
}

/// The names in a client's catalogue, with how many customers have each.
pub async fn catalogue(client: &Client) -> Vec<(String, i32)> {
    let request = pb::ListTagsRequest { page_size: 1_000, ..Default::default() };
    let tags = client.tags().list_tags(request).await.unwrap().into_inner().tags;
    tags.into_iter().map(|used| (used.tag.unwrap().name, used.customer_count)).collect()
}

/// Asserts that the copies of tags in customers and links equal `customer_tags`.
pub async fn assert_consistent(world: &World) {
    let differing = r"
        with said as (
            select tenant_id, customer_id, account_id, array_agg(tag_id order by tag_id) as tags
            from customer_tags group by 1, 2, 3
        ), linked as (
            select l.tenant_id, l.customer_id, l.account_id, array(select unnest(l.tags) order by 1) as tags
            from customer_links l where l.tags <> '{}'
        ), owned as (
            select c.tenant_id, c.id, c.account_id, array(select unnest(c.owner_tags) order by 1) as tags
            from customers c where c.owner_tags <> '{}'
        ), truth as (
            select s.* from said s join customers c on c.id = s.customer_id and c.account_id = s.account_id
        )
        select (select count(*) from ((table said except table linked) union all (table linked except table said)) x)
             + (select count(*) from ((table truth except table owned) union all (table owned except table truth)) x)
             + (select count(*) from customers c join customer_links l on l.customer_id = c.id
                where l.account_id = c.account_id and l.revision <> c.owner_link_revision)
    ";
    let differing: i64 = sqlx::query_scalar(differing).fetch_one(&mut world.sql().await).await.unwrap();
    assert_eq!(differing, 0, "customers, links and customer_tags disagree");
}

#[tokio::test]
async fn tags_are_added_by_name_and_new_ones_are_created() {
    let world = World::start().await;
    let (acme, ada, bob) = pair(&world).await;
    let new = pb::CreateTagRequest { name: "VIP".to_owned(), ..Default::default() };
    let vip = acme.admin.tags().create_tag(new).await.unwrap().into_inner().tag.unwrap();

    let answer = acme.admin.tag(&[&bob.id, &ada.id], &[" vip ", "North  Sea", "NORTH SEA"], &[]).await.unwrap();

    assert!(!answer.replayed);
    assert_eq!(answer.outcomes.iter().map(|one| &one.customer_id).collect::<Vec<_>>(), [&bob.id, &ada.id]);
    for (outcome, before) in answer.outcomes.iter().zip([&bob, &ada]) {
        let now = acme.admin.get(&before.id).await.unwrap();
        assert!(outcome.changed && outcome.etag == now.etag && now.etag != before.etag);
        let names: Vec<_> = now.tags.iter().map(|tag| tag.name.as_str()).collect();
        assert_eq!(names, ["North Sea", "VIP"], "sorted by name, spelt as in the catalogue");
        assert_eq!(now.tags[1], vip);
        assert_eq!(now.update_time, before.update_time, "the customer itself did not change");
    }
    assert_eq!(catalogue(&acme.admin).await, [("North Sea".to_owned(), 2), ("VIP".to_owned(), 2)]);
    assert_consistent(&world).await;
}

#[tokio::test]
async fn the_answer_shows_which_customers_changed_and_the_others_stay_as_they_are() {
    let world = World::start().await;
    let (acme, ada, bob) = pair(&world).await;
    acme.admin.tag(&[&ada.id], &["vip", "north"], &[]).await.unwrap();
    let before = acme.admin.get(&ada.id).await.unwrap();
    let changed = |answer: pb::ModifyCustomerTagsResponse| -> Vec<bool> {
        answer.outcomes.iter().map(|outcome| outcome.changed).collect()
    };

    let both = [ada.id.as_str(), bob.id.as_str()];
    assert_eq!(changed(acme.admin.tag(&both, &["VIP"], &["south"]).await.unwrap()), [false, true]);
    assert_eq!(acme.admin.get(&ada.id).await.unwrap(), before);

    let everything = rows(&world).await;
    let again = acme.admin.tag(&both, &["vip"], &["never heard of"]).await.unwrap();
    assert_eq!(again.outcomes[0].etag, before.etag);
    assert_eq!(changed(again), [false, false]);
    assert_eq!(rows(&world).await, everything, "no event, no answer, no tag");

    assert_eq!(changed(acme.admin.tag(&both, &[], &["NORTH", "south"]).await.unwrap()), [true, false]);
    assert_eq!(changed(acme.admin.tag(&both, &["gold"], &["vip"]).await.unwrap()), [true, true]);
    assert_eq!((tags_of(&acme.admin, &ada.id).await, tags_of(&acme.admin, &bob.id).await), {
        let gold = vec!["gold".to_owned()];
        (gold.clone(), gold)
    });
    assert_consistent(&world).await;
}

#[tokio::test]
async fn only_the_acting_account_sees_the_event_with_old_and_new_tags() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Ada") };
    let ada = acme.admin.create(fleet).await.unwrap();

    let answer = north.admin.tag(&[&ada.id], &["vip"], &[]).await.unwrap();
    let request = Tagging { request_id: crate::world::request_id(), ..tagging(&[&ada.id], &["gold"], &["vip"]) };
    modify(&north.admin, &request).await.unwrap();

    let events = north.admin.events(&ada.id).await.unwrap();
    let tag_events: Vec<_> = events.iter().filter(|event| event.r#type() == CustomerEventType::TagsChanged).collect();
    let [second, first] = tag_events[..] else { panic!("{events:?}") };
    assert_eq!((second.request_id.as_str(), second.rpc.as_str()), {
        (request.request_id.as_str(), "clientele.v1.CustomerService/ModifyCustomerTags")
    });
    assert_eq!(second.acting_account_id, north.account);
    let shown = format!("{:?} {:?}", first.changes, second.changes);
    assert_eq!((first.changes.len(), second.changes.len()), (1, 1), "{shown}");
    assert_eq!(second.changes[0].field, "tags");
    let names = |value: &Option<prost_types::Value>| format!("{value:?}").matches("StringValue").count();
    assert_eq!((names(&first.changes[0].old_value), names(&first.changes[0].new_value)), (0, 1), "{shown}");
    assert!(format!("{:?}", second.changes[0].old_value).contains("vip"), "{shown}");
    assert!(format!("{:?}", second.changes[0].new_value).contains("gold"), "{shown}");

    for other in [&acme.admin, &south.admin] {
        let events = other.events(&ada.id).await.unwrap();
        assert!(events.iter().all(|event| event.r#type() != CustomerEventType::TagsChanged), "{events:?}");
    }
    assert!(answer.outcomes[0].changed);
}

#[tokio::test]
async fn each_account_that_sees_a_customer_has_private_tags_of_its_own() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let deep = north.child("deep").await;
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Ada") };
    let ada = north.admin.create(fleet).await.unwrap();
    let seats = [&acme, &north, &deep];
    let mut etags = Vec::new();
    for test_account in seats {
        etags.push(test_account.admin.get(&ada.id).await.unwrap().etag);
    }

    // In the account above, the owner and the account below, the same name is three tags.
    for (mine, test_account) in seats.iter().enumerate() {
        let others: Vec<_> = (0..3).filter(|other| *other != mine).collect();
        test_account.admin.tag(&[&ada.id], &["vip", &format!("own {mine}")], &[]).await.unwrap();
        for other in others {
            let etag = seats[other].admin.get(&ada.id).await.unwrap().etag;
            assert_eq!(etag, etags[other], "tags of another account do not change the etag");
        }
        let now = test_account.admin.get(&ada.id).await.unwrap();
        assert_ne!(now.etag, etags[mine]);
        assert_eq!(now.tags.iter().map(|tag| tag.name.clone()).collect::<Vec<_>>(), [&format!("own {mine}"), "vip"]);
        etags[mine] = now.etag;
    }
    for (mine, test_account) in seats.iter().enumerate() {
        assert_eq!(catalogue(&test_account.admin).await, [(format!("own {mine}"), 1), ("vip".to_owned(), 1)]);
    }
    assert_eq!(catalogue(&south.admin).await, []);
    assert_refused(south.admin.tag(&[&ada.id], &["x"], &[]).await, Code::NotFound, "CUSTOMER_NOT_FOUND");

    // A change of the account's own tags makes an etag stale; a change by another account does not.
    let below = deep.admin.get(&ada.id).await.unwrap();
    assert!(below.allowed_actions.contains(&"ModifyCustomerTags".to_owned()), "{below:?}");
    assert!(!below.allowed_actions.contains(&"UpdateCustomer".to_owned()), "{below:?}");
    let renamed = pb::UpdateCustomerRequest {
        customer: Some(pb::Customer { id: ada.id.clone(), ..customer("Eve") }),
        update_mask: Some(mask(&["name"])),
        etag: ada.etag.clone(),
        ..Default::default()
    };
    let stale = north.admin.customers().update_customer(renamed.clone()).await;
    assert_refused(stale, Code::Aborted, "ETAG_MISMATCH");
    let fresh = pb::UpdateCustomerRequest { etag: etags[1].clone(), ..renamed };
    north.admin.customers().update_customer(fresh).await.unwrap();
    assert_consistent(&world).await;
}

#[tokio::test]
async fn a_customer_of_any_status_can_be_tagged() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let mut ids = Vec::new();
    for name in ["pending", "active", "rejected", "suspended", "archived"] {
        ids.push(acme.admin.create(customer(name)).await.unwrap().id);
    }
    for place in [1, 3] {
        acme.admin.approve(&ids[place]).await.unwrap();
    }
    acme.admin.reject(&ids[2], "no").await.unwrap();
    let request =
        pb::SuspendCustomerRequest { customer_id: ids[3].clone(), reason: "no".to_owned(), ..Default::default() };
    acme.admin.customers().suspend_customer(request).await.unwrap();
    acme.admin.archive(&[&ids[4]]).await.unwrap();

    let all: Vec<_> = ids.iter().map(String::as_str).collect();
    let answer = acme.admin.tag(&all, &["vip"], &[]).await.unwrap();
    assert!(answer.outcomes.iter().all(|outcome| outcome.changed));
    assert_eq!(catalogue(&acme.admin).await, [("vip".to_owned(), 5)], "archived ones count");
}

#[tokio::test]
async fn a_batch_changes_all_or_none_and_its_error_names_the_first_customer() {
    let world = World::start().await;
    let (acme, ada, bob) = pair(&world).await;
    let south = acme.child("south").await;
    let own = south.admin.create(customer("Eve")).await.unwrap();
    let before = rows(&world).await;

    let absent = unknown_id();
    let ids = [ada.id.as_str(), &absent, bob.id.as_str(), &unknown_id()];
    let refused = assert_refused(acme.admin.tag(&ids, &["new"], &[]).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_eq!(metadata(&refused, "field").as_deref(), Some("customer_ids[1]"));
    let hidden = south.admin.tag(&[&own.id, &ada.id], &["new"], &[]).await;
    let hidden = assert_refused(hidden, Code::NotFound, "CUSTOMER_NOT_FOUND");
    let absent = south.admin.tag(&[&own.id, &absent], &["new"], &[]).await.unwrap_err();
    assert_eq!(wire(&hidden), wire(&absent), "existence must not leak");
    let elsewhere = world.tenant("globex").await;
    let refused = elsewhere.admin.tag(&[&ada.id], &["new"], &[]).await;
    let absent = elsewhere.admin.tag(&[&unknown_id()], &["new"], &[]).await.unwrap_err();
    assert_eq!(wire(&assert_refused(refused, Code::NotFound, "CUSTOMER_NOT_FOUND")), wire(&absent));

    let after = rows(&world).await;
    for table in ["tags", "customer_tags", "customers", "customer_links", "requests"] {
        assert_eq!(after[table], before[table], "{table}: nothing is written, and no tag is created");
    }
}

#[tokio::test]
async fn members_may_tag_and_viewers_may_not() {
    let world = World::start().await;
    let (acme, ada, _) = pair(&world).await;
    let viewer = acme.member(pb::Role::Viewer).await;
    let refused = assert_refused(viewer.tag(&[&ada.id], &["vip"], &[]).await, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(metadata(&refused, "required_role").as_deref(), Some("MEMBER"));
    assert!(!viewer.get(&ada.id).await.unwrap().allowed_actions.contains(&"ModifyCustomerTags".to_owned()));
    for (place, role) in [pb::Role::Member, pb::Role::ServiceManager, pb::Role::Admin].into_iter().enumerate() {
        let client = acme.member(role).await;
        assert!(client.get(&ada.id).await.unwrap().allowed_actions.contains(&"ModifyCustomerTags".to_owned()));
        client.tag(&[&ada.id], &[&format!("tag {place}")], &[]).await.unwrap();
    }
    assert_eq!(tags_of(&viewer, &ada.id).await, ["tag 0", "tag 1", "tag 2"], "viewers see them");
}
