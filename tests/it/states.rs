//! The customer's states, compared with a model through the service: random sequences of commands by random callers. After
//! each step the test compares what the callers see with a small model in Rust, written from the contract.

mod families;
mod model;

use std::collections::{BTreeSet, HashMap};

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tonic::Status;

use self::{
    families::Families,
    model::{Actor, Command, Guard, Model, Owner, Required},
};
use crate::{
    place_hold::place,
    world::{Client, World, customer, mask, reason, requiring, rounds, unknown_id},
};
use clientele::grpc::pb;

/// A sequence of up to sixteen steps, the first of which makes a customer.
fn sequence() -> impl Strategy<Value = Vec<(Actor, Command)>> {
    let first = (any::<bool>(), prop::bool::weighted(0.7))
        .prop_map(|(fleet, legal_name)| (Actor::Admin, Command::Create { fleet, email: true, legal_name }));
    (first, prop::collection::vec(step(), 1..=15)).prop_map(|(first, rest)| [vec![first], rest].concat())
}

fn step() -> impl Strategy<Value = (Actor, Command)> {
    let actor = prop_oneof![5 => Just(Actor::Admin), 3 => proptest::sample::select(&Actor::ALL[..])];
    let guard = prop_oneof![4 => Just(Guard::None), 1 => Just(Guard::Born)];
    let field = prop_oneof![1 => Just(Required::Email), 2 => Just(Required::LegalName)];
    // Mostly the first one, so that the sequence makes progress.
    let of = prop_oneof![4 => Just(0_usize), 2 => 1..4_usize];
    let command = prop_oneof![
        3 => (any::<bool>(), prop::bool::weighted(0.6), any::<bool>())
            .prop_map(|(fleet, email, legal_name)| Command::Create { fleet, email, legal_name }),
        3 => (of.clone(), field, any::<bool>(), guard.clone())
            .prop_map(|(of, field, filled, guard)| Command::Update { of, field, filled, guard }),
        3 => (of.clone(), guard.clone()).prop_map(|(of, guard)| Command::Approve { of, guard }),
        2 => (of.clone(), guard.clone()).prop_map(|(of, guard)| Command::Reject { of, guard }),
        2 => (of.clone(), guard.clone()).prop_map(|(of, guard)| Command::Suspend { of, guard }),
        2 => (of.clone(), guard.clone()).prop_map(|(of, guard)| Command::Resume { of, guard }),
        2 => of.clone().prop_map(|of| Command::Archive { of }),
        2 => of.clone().prop_map(|of| Command::Unarchive { of }),
        1 => of.clone().prop_map(|of| Command::Hold { of }),
        1 => of.clone().prop_map(|of| Command::Release { of }),
        3 => (of.clone(), guard.clone()).prop_map(|(of, guard)| Command::Migrate { of, guard }),
        2 => (of.clone(), guard).prop_map(|(of, guard)| Command::Revert { of, guard }),
        1 => (of.clone(), prop_oneof![Just(Guard::None), Just(Guard::Born)])
            .prop_map(|(of, guard)| Command::Erase { of, guard }),
        4 => (0..4_usize, of.clone()).prop_map(|(of, into)| Command::Merge { of, into }),
        3 => (0..4_usize).prop_map(|of| Command::Unmerge { of }),
        2 => (of, any::<bool>()).prop_map(|(of, home)| Command::Transfer { of, home }),
    ];
    (actor, command)
}

/// An account with its callers; each case makes its own customers in it.
struct Fixture {
    approves: bool,
    home: String,
    /// Another account below it.
    annex: String,
    callers: HashMap<Actor, Client>,
}

impl Fixture {
    async fn new(world: &World, approves: bool) -> Self {
        let acme = world.tenant("acme").await;
        let policies = pb::AccountPolicies { auto_approve: Some(approves), ..requiring(&["email"], &["legal_name"]) };
        let north = acme.child_with("north", Some(policies)).await;
        let (shop, south) = (north.child("shop").await, acme.child("south").await);
        let annex = north.child("annex").await.account;
        let from_above = acme.member(pb::Role::Viewer).await.acting_in(&north.account);
        let mut callers = HashMap::from([
            (Actor::Above, acme.member(pb::Role::Admin).await),
            (Actor::ViewerFromAbove, from_above),
            (Actor::Below, shop.member(pb::Role::Admin).await),
            (Actor::Beside, south.member(pb::Role::Admin).await),
        ]);
        for actor in [Actor::Viewer, Actor::Member, Actor::ServiceManager, Actor::Admin] {
            callers.insert(actor, north.member(actor.role()).await);
        }
        Self { approves, home: north.account, annex, callers }
    }
}

/// A customer in the service, with the first etag for each account, and the same customer in the model.
struct Subject {
    id: String,
    /// Its email address, when it has one.
    address: String,
    born: HashMap<Actor, String>,
    model: Model,
}

/// When a sequence is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watch {
    /// After each step, as seen by its caller and some others; at the end by all.
    Closely,
    /// At the end, as seen by the admin.
    AtTheEnd,
}

async fn play(fixture: &Fixture, steps: &[(Actor, Command)], watch: Watch) -> Result<(), TestCaseError> {
    let actors: BTreeSet<Actor> = steps.iter().map(|(actor, _)| *actor).collect();
    let mut subjects: Vec<Subject> = Vec::new();
    let mut families = Families::default();
    for (place, (actor, command)) in steps.iter().enumerate() {
        let touched = match command {
            Command::Create { fleet, email, legal_name } => {
                // Customers are created in the acting account, so only members of the owner create.
                let insider = !matches!(actor, Actor::Above | Actor::Below | Actor::Beside);
                let actor = if insider { *actor } else { Actor::Admin };
                // Each its own: of mails to one address there are so many in a day.
                let address = format!("{}@x.example", unknown_id());
                let email_or_none = if *email { address.as_str() } else { "" };
                let made = create(&fixture.callers[&actor], *fleet, email_or_none, *legal_name).await;
                let model = Model::create(actor, fixture.approves, *fleet, *email, *legal_name);
                prop_assert_eq!(refusal(&made), refusal(&model), "step {}: the outcome", place);
                let (Ok(made), Ok(model)) = (made, model) else { continue };
                let mut born = HashMap::new();
                for actor in actors.iter().filter(|actor| model.sees(**actor)) {
                    born.insert(*actor, fixture.callers[actor].get(&made.id).await.unwrap().etag);
                }
                subjects.push(Subject { id: made.id, address, born, model });
                subjects.len() - 1
            }
            Command::Merge { of, into } => {
                let (of, into) = (of % subjects.len(), into % subjects.len());
                let into = if into == of { (into + 1) % subjects.len() } else { into };
                // There is only one yet.
                if into == of {
                    continue;
                }
                let client = &fixture.callers[actor];
                let done = client.merge(&subjects[into].id, &[&subjects[of].id]).await;
                let model = families.merge(*actor, &mut models(&mut subjects), (into, of));
                prop_assert_eq!(refusal(&done), refusal(&model), "step {}: the outcome", place);
                of
            }
            Command::Unmerge { of } => {
                let of = of % subjects.len();
                let done = fixture.callers[actor].unmerge(&subjects[of].id).await;
                let model = families.unmerge(*actor, &mut models(&mut subjects), of);
                prop_assert_eq!(refusal(&done), refusal(&model), "step {}: the outcome", place);
                of
            }
            Command::Update { of, .. }
            | Command::Approve { of, .. }
            | Command::Reject { of, .. }
            | Command::Suspend { of, .. }
            | Command::Resume { of, .. }
            | Command::Archive { of }
            | Command::Unarchive { of }
            | Command::Hold { of }
            | Command::Release { of }
            | Command::Migrate { of, .. }
            | Command::Revert { of, .. }
            | Command::Erase { of, .. }
            | Command::Transfer { of, .. } => {
                let touched = of % subjects.len();
                let subject = &mut subjects[touched];
                let done = call(fixture, *actor, subject, command).await;
                let was = subject.model.status;
                let model = subject.model.apply(*actor, command);
                prop_assert_eq!(refusal(&done), refusal(&model), "step {}: the outcome", place);
                if was != pb::CustomerStatus::Erased && subject.model.status == pb::CustomerStatus::Erased {
                    families.erased(&mut models(&mut subjects), touched);
                }
                touched
            }
        };
        if watch == Watch::Closely {
            let watchers = BTreeSet::from([*actor, Actor::Admin, Actor::Below]);
            let seen = check(fixture, &subjects, touched, watchers).await;
            seen.map_err(|error| TestCaseError::fail(format!("step {place}: {error}")))?;
        }
    }
    // A command on one customer did not change another.
    for touched in 0..subjects.len() {
        let watchers = if watch == Watch::Closely { Actor::ALL.into() } else { [Actor::Admin].into() };
        let seen = check(fixture, &subjects, touched, watchers).await;
        seen.map_err(|error| TestCaseError::fail(format!("at the end: {error}")))?;
    }
    Ok(())
}

fn models(subjects: &mut [Subject]) -> Vec<&mut Model> {
    subjects.iter_mut().map(|subject| &mut subject.model).collect()
}

async fn create(client: &Client, fleet: bool, email: &str, legal_name: bool) -> Result<pb::Customer, Status> {
    let filled = |filled: bool, text: &str| if filled { text.to_owned() } else { String::new() };
    let reach = if fleet { pb::Reach::Fleet } else { pb::Reach::Local };
    client
        .create(pb::Customer {
            reach: reach.into(),
            email: email.to_owned(),
            legal_name: filled(legal_name, "Ada B.V."),
            ..customer("Ada")
        })
        .await
}

async fn call(fixture: &Fixture, actor: Actor, subject: &Subject, command: &Command) -> Result<(), Status> {
    let client = &fixture.callers[&actor];
    let customer_id = subject.id.clone();
    let etag = |guard: &Guard| match guard {
        Guard::None => String::new(),
        Guard::Born => subject.born.get(&actor).cloned().unwrap_or_default(),
    };
    match command {
        Command::Update { field, filled, guard, .. } => {
            let filled = |text: &str| if *filled { text.to_owned() } else { String::new() };
            let customer = pb::Customer {
                id: customer_id,
                email: filled(&subject.address),
                legal_name: filled("Ada B.V."),
                ..Default::default()
            };
            let path = if *field == Required::Email { "email" } else { "legal_name" };
            let request = pb::UpdateCustomerRequest {
                customer: Some(customer),
                update_mask: Some(mask(&[path])),
                etag: etag(guard),
                ..Default::default()
            };
            client.customers().update_customer(request).await.map(drop)
        }
        Command::Approve { guard, .. } => {
            let request = pb::ApproveCustomerRequest { customer_id, etag: etag(guard), ..Default::default() };
            client.customers().approve_customer(request).await.map(drop)
        }
        Command::Reject { guard, .. } => {
            let reason = "no papers".to_owned();
            let request = pb::RejectCustomerRequest { customer_id, reason, etag: etag(guard), ..Default::default() };
            client.customers().reject_customer(request).await.map(drop)
        }
        Command::Suspend { guard, .. } => {
            let reason = "no papers".to_owned();
            let request = pb::SuspendCustomerRequest { customer_id, reason, etag: etag(guard), ..Default::default() };
            client.customers().suspend_customer(request).await.map(drop)
        }
        Command::Resume { guard, .. } => {
            let request = pb::ResumeCustomerRequest { customer_id, etag: etag(guard), ..Default::default() };
            client.customers().resume_customer(request).await.map(drop)
        }
        Command::Archive { .. } => client.archive(&[&customer_id]).await.map(drop),
        Command::Unarchive { .. } => client.unarchive(&[&customer_id]).await.map(drop),
        Command::Hold { .. } => place(client, &customer_id, "orders").await.map(drop),
        Command::Release { .. } => {
            let holds = fixture.callers[&Actor::Admin].get(&customer_id).await.unwrap().holds;
            let hold_id = holds.first().map_or_else(unknown_id, |hold| hold.hold_id.clone());
            let request = pb::ReleaseHoldRequest { customer_id, hold_id, ..Default::default() };
            client.customers().release_hold(request).await.map(drop)
        }
        Command::Migrate { guard, .. } => {
            let request = pb::MigrateCustomerToResellerRequest { customer_id, etag: etag(guard), ..Default::default() };
            client.customers().migrate_customer_to_reseller(request).await.map(drop)
        }
        Command::Revert { guard, .. } => {
            let request = pb::RevertCustomerMigrationRequest { customer_id, etag: etag(guard), ..Default::default() };
            client.customers().revert_customer_migration(request).await.map(drop)
        }
        Command::Erase { guard, .. } => {
            let request = pb::EraseCustomerRequest { customer_id, etag: etag(guard), ..Default::default() };
            client.customers().erase_customer(request).await.map(drop)
        }
        Command::Transfer { home, .. } => {
            client.transfer(&[&customer_id], if *home { &fixture.home } else { &fixture.annex }).await.map(drop)
        }
        Command::Create { .. } | Command::Merge { .. } | Command::Unmerge { .. } => unreachable!(),
    }
}

/// Compares what actors see of a customer with the model.
async fn check(
    fixture: &Fixture,
    subjects: &[Subject],
    touched: usize,
    watchers: BTreeSet<Actor>,
) -> Result<(), TestCaseError> {
    let Subject { id, model, .. } = &subjects[touched];
    let merged_into = model.merged_into.map(|into| subjects[into].id.clone()).unwrap_or_default();
    for actor in watchers {
        let seen = match fixture.callers[&actor].get(id).await {
            Ok(seen) => seen,
            Err(status) => {
                prop_assert_eq!(reason(&status), "CUSTOMER_NOT_FOUND", "{:?}", actor);
                prop_assert!(!model.sees(actor), "{:?} should see {:?}", actor, model);
                continue;
            }
        };
        prop_assert!(model.sees(actor), "{:?} should not see {:?}", actor, model);
        prop_assert_eq!(seen.status(), model.status, "{:?}", actor);
        prop_assert_eq!(seen.archived_at.is_some(), model.archived, "{:?}", actor);
        prop_assert_eq!(&seen.allowed_actions, &model.allowed(actor), "{:?} of {:?}", actor, model);
        prop_assert_eq!(&seen.merged_into, &merged_into, "{:?} of {:?}", actor, model);
        if actor != Actor::Below {
            let with_reason = matches!(model.status, pb::CustomerStatus::Rejected | pb::CustomerStatus::Suspended);
            let why = if with_reason { "no papers" } else { "" };
            prop_assert_eq!(seen.status_reason, why);
            prop_assert_eq!(seen.missing_for_approval, model.missing(), "{:?} of {:?}", actor, model);
            prop_assert_eq!(seen.holds.len(), model.holds, "{:?} of {:?}", actor, model);
            prop_assert_eq!(!seen.reseller_account_id.is_empty(), model.migration == Some(true), "{:?}", model);
            let owner = match &seen.account_id {
                id if *id == fixture.home => Owner::Home,
                id if *id == fixture.annex => Owner::Annex,
                _ => Owner::Reseller,
            };
            prop_assert_eq!(owner, model.owner, "{:?}", model);
        }
    }
    prop_assert_eq!(fixture.callers[&Actor::Admin].events(id).await.unwrap().len(), model.events, "the events");
    Ok(())
}

trait Reason {
    fn reason(&self) -> String;
}

impl Reason for Status {
    fn reason(&self) -> String {
        reason(self)
    }
}

impl Reason for &str {
    fn reason(&self) -> String {
        (*self).to_owned()
    }
}

/// The reason of a refusal, or None.
fn refusal<T, E: Reason>(result: &Result<T, E>) -> Option<String> {
    result.as_ref().err().map(Reason::reason)
}

/// A server, and accounts on it with and without auto_approve.
async fn fixtures() -> (World, [Fixture; 2]) {
    let world = World::start().await;
    let fixtures = [Fixture::new(&world, true).await, Fixture::new(&world, false).await];
    (world, fixtures)
}

#[test]
fn the_service_and_the_model_agree_after_every_command() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_world, [approving, asking]) = runtime.block_on(fixtures());
    let config = Config { cases: 24, max_shrink_iters: 100, failure_persistence: None, ..Config::default() };
    let sequences = (prop::bool::weighted(0.25), sequence());

    let run = TestRunner::new(config).run(&sequences, |(approves, steps)| {
        let fixture = if approves { &approving } else { &asking };
        runtime.block_on(play(fixture, &steps, Watch::Closely))
    });

    // The failure's text has the shortest failing sequence.
    run.unwrap_or_else(|failure| panic!("{failure}"));
}

/// Commands that bring a new customer into each state, archived or not, with and without the legal name.
fn ways() -> Vec<Vec<Command>> {
    let clear = Command::Update { of: 0, field: Required::LegalName, filled: false, guard: Guard::None };
    let (approve, reject) =
        (Command::Approve { of: 0, guard: Guard::None }, Command::Reject { of: 0, guard: Guard::None });
    let mut ways = Vec::new();
    let suspend = Command::Suspend { of: 0, guard: Guard::None };
    let create = |fleet: bool| vec![Command::Create { fleet, email: true, legal_name: true }];
    for status in [vec![], vec![approve.clone()], vec![reject], vec![approve.clone(), suspend]] {
        for legal_name in [vec![], vec![clear.clone()]] {
            for archived in [vec![], vec![Command::Archive { of: 0 }]] {
                ways.push([create(false), status.clone(), legal_name.clone(), archived].concat());
            }
        }
    }
    // With a hold, as a FLEET customer, and in every possible account.
    let hold = Command::Hold { of: 0 };
    let (migrate, revert) =
        (Command::Migrate { of: 0, guard: Guard::None }, Command::Revert { of: 0, guard: Guard::None });
    let away = Command::Transfer { of: 0, home: false };
    ways.push([create(true), vec![approve.clone()]].concat());
    for moved in [vec![], vec![migrate.clone()], vec![migrate.clone(), revert], vec![migrate, away.clone()], vec![away]]
    {
        for held in [vec![], vec![hold.clone()]] {
            ways.push([create(false), vec![approve.clone()], moved.clone(), held].concat());
        }
    }
    // Erased, from each of them.
    let erase = Command::Erase { of: 0, guard: Guard::None };
    let erased: Vec<_> = ways.iter().step_by(5).map(|way| [way.clone(), vec![erase.clone()]].concat()).collect();
    // Merged into another one, with another one merged into it, and the same undone.
    let (merged, united) = (Command::Merge { of: 0, into: 1 }, Command::Merge { of: 1, into: 0 });
    let joined = ways.iter().step_by(4).flat_map(|way| {
        let merged = [way.clone(), create(false), vec![merged.clone()]].concat();
        let united = [way.clone(), create(false), vec![united.clone()]].concat();
        let back = [merged.clone(), vec![Command::Unmerge { of: 0 }]].concat();
        // A chain, the first of which is erased.
        let chain = [merged.clone(), create(false), vec![Command::Merge { of: 1, into: 2 }, erase.clone()]].concat();
        [merged, united, back, chain]
    });
    let joined: Vec<_> = joined.collect();
    ways.extend(erased);
    ways.extend(joined);
    ways
}

fn commands() -> Vec<Command> {
    let mut commands = vec![Command::Archive { of: 0 }, Command::Unarchive { of: 0 }];
    commands.extend([Command::Hold { of: 0 }, Command::Release { of: 0 }]);
    commands.extend([Command::Transfer { of: 0, home: true }, Command::Transfer { of: 0, home: false }]);
    commands.extend([Command::Merge { of: 0, into: 1 }, Command::Merge { of: 1, into: 0 }]);
    commands.extend([Command::Unmerge { of: 0 }, Command::Unmerge { of: 1 }]);
    for guard in [Guard::None, Guard::Born] {
        commands.extend([Command::Approve { of: 0, guard }, Command::Reject { of: 0, guard }]);
        commands.extend([Command::Suspend { of: 0, guard }, Command::Resume { of: 0, guard }]);
        commands.push(Command::Erase { of: 0, guard });
        commands.extend([Command::Migrate { of: 0, guard }, Command::Revert { of: 0, guard }]);
        for (field, filled) in [
            (Required::Email, true),
            (Required::Email, false),
            (Required::LegalName, true),
            (Required::LegalName, false),
        ] {
            commands.push(Command::Update { of: 0, field, filled, guard });
        }
    }
    commands
}

#[tokio::test]
async fn every_command_in_every_state_does_what_the_model_says() {
    let world = World::start().await;
    let mut asking = Fixture::new(&world, false).await;
    // All take minutes: every third way in every run, all of them at night.
    let step = if rounds(1) > 1 { 1 } else { 3 };
    for (place, way) in ways().into_iter().step_by(step).enumerate() {
        // An account may invite so many admins of new resellers in a day.
        if place % 5 == 4 {
            asking = Fixture::new(&world, false).await;
        }
        for command in commands() {
            let mut steps = way.clone();
            // Of merges there is another one to merge with.
            let is_alone = way.iter().filter(|step| matches!(step, Command::Create { .. })).count() == 1;
            if is_alone && matches!(command, Command::Merge { .. }) {
                steps.push(Command::Create { fleet: false, email: true, legal_name: true });
            }
            steps.push(command);
            let steps: Vec<_> = steps.into_iter().map(|command| (Actor::Admin, command)).collect();
            play(&asking, &steps, Watch::AtTheEnd).await.unwrap_or_else(|error| panic!("{error}: {steps:#?}"));
        }
    }
}
