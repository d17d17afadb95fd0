//! Secrets are files that change while the server runs: a new file is used without a restart, and a broken one is never
//! used.

use std::{fs, path::Path, time::Duration};

use clientele::{
    config::{Config, Environment, Flags, Jwks, Problems, RawSettings},
    embedded::{Cluster, Durability},
    grpc::pb,
};
use sqlx::Connection as _;
use tokio::time::timeout;
use tonic::Code;

use crate::world::{
    AUDIENCE, Client, ISSUER, Keys, OPERATOR, World, assert_refused, cluster, customer, database_in, until,
};

/// A server on a cluster, configured by flags like the program; `more` has further settings by key.
async fn start_with_flags(cluster: &Cluster, user: &str, more: &[(&'static str, Vec<&Path>)]) -> World {
    let database = database_in(cluster, "file_copy").await;
    let name = database.get_database().unwrap().to_owned();
    let url = format!("postgres://{user}@localhost/{name}?host={}&sslmode=disable", cluster.socket_dir().display());
    let more = more.iter().map(|(key, files)| (*key, files.iter().map(|file| file.display().to_string()).collect()));
    let more: Vec<(&str, Vec<String>)> = more.collect();
    World::start_with(database, |config| {
        let one = |key, text: String| (key, vec![text]);
        let Jwks::File(jwks) = &config.identity.issuers[0].jwks else { panic!("a file") };
        let jwks = jwks.display();
        let mut flags = Flags::from([
            one("listen", "127.0.0.1:0".to_owned()),
            one("database_url", url),
            one("issuers", format!("{ISSUER},{AUDIENCE},{jwks}")),
            one("operators", format!("{ISSUER} {OPERATOR}")),
        ]);
        flags.extend(more);
        let mut problems = Problems::default();
        let settings = RawSettings::gather(&flags, &Environment::default(), None, &mut problems);
        *config = Config::read(&settings, &mut problems).unwrap_or_else(|| panic!("{problems}"));
    })
    .await
}

async fn works(client: &Client) -> bool {
    client.accounts().list_tenants(pb::ListTenantsRequest::default()).await.is_ok()
}

fn sealing_key(byte: u8) -> Vec<u8> {
    (0..32).map(|index| byte.wrapping_add(index)).collect()
}

#[tokio::test]
async fn a_rotated_database_password_needs_no_restart() {
    let (cluster, temp_dir) = (cluster(Durability::Fast).await, tempfile::tempdir().unwrap());
    let (password, key) = (temp_dir.path().join("password"), temp_dir.path().join("key"));
    fs::write(&password, "first\n").unwrap();
    fs::write(&key, sealing_key(200)).unwrap();
    let mut sql = sqlx::PgConnection::connect(&cluster.url("postgres")).await.unwrap();
    let said = "show hba_file";
    let hba: String = sqlx::query_scalar(said).fetch_one(&mut sql).await.unwrap();
    fs::write(hba, "local all app scram-sha-256\nlocal all all trust\n").unwrap();
    let made = "create role app superuser login password 'first'; select pg_reload_conf()";
    sqlx::raw_sql(made).execute(&mut sql).await.unwrap();

    let files = [("database_password_file", vec![password.as_path()]), ("sealing_key_files", vec![&key])];
    let world = start_with_flags(&cluster, "app", &files).await;
    let operator = world.operator();
    until("the first password works", || works(&operator)).await;
    // The rotation: a new password in the database, and the end of every session with the old one.
    // The password is committed first: until then the server can connect with the old one again.
    sqlx::raw_sql("alter role app password 'second'").execute(&mut sql).await.unwrap();
    // Again and again: a session that was being made at that moment has the old one too.
    let left = "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'app'";
    let ended = async { while sqlx::query_scalar::<_, i64>(left).fetch_one(&mut sql).await.unwrap() > 0 {} };
    timeout(Duration::from_secs(20), ended).await.expect("the sessions end");
    until("the first password no longer works", async || !works(&operator).await).await;
    // An empty file is broken: the previous password stays, and does not work either.
    fs::write(&password, "").unwrap();
    assert!(!works(&operator).await);
    fs::write(&password, "second\n").unwrap();
    until("the second password works", || works(&operator)).await;
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn etags_of_the_old_sealing_key_open_while_both_keys_are_configured() {
    let (cluster, temp_dir) = (cluster(Durability::Fast).await, tempfile::tempdir().unwrap());
    let [first, second] = ["first", "second"].map(|name| temp_dir.path().join(name));
    let [old, new, other] = [1, 100, 200].map(sealing_key);
    fs::write(&first, &old).unwrap();
    fs::write(&second, &other).unwrap();
    let world = start_with_flags(&cluster, "clientele", &[("sealing_key_files", vec![&first, &second])]).await;
    let admin = world.tenant("acme").await.admin;
    let created = admin.create(customer("Ada")).await.unwrap();
    let etag = async || admin.get(&created.id).await.unwrap().etag;
    let by_old = etag().await;

    // A file that is not a key changes nothing, however often it is read.
    fs::write(&second, "a password, not a key").unwrap();
    fs::write(&first, &new).unwrap();
    assert_eq!(etag().await, by_old);
    fs::write(&second, &old).unwrap();
    until("the new key seals", async || etag().await != by_old).await;
    let renamed = pb::Customer { name: "Bob".to_owned(), etag: by_old.clone(), ..created.clone() };
    let update = |etag: &str| pb::UpdateCustomerRequest {
        customer: Some(renamed.clone()),
        update_mask: Some(crate::world::mask(&["name"])),
        etag: etag.to_owned(),
        ..Default::default()
    };
    admin.customers().update_customer(update(&by_old)).await.expect("the old etag opens, and names the current state");
    let by_new = etag().await;
    fs::write(&second, &other).unwrap();
    fs::write(&first, &old).unwrap();
    until("the new key is no longer used", async || etag().await != by_new).await;
    let other_name = pb::Customer { name: "Eve".to_owned(), ..renamed.clone() };
    let stale = pb::UpdateCustomerRequest { customer: Some(other_name), ..update(&by_new) };
    assert_refused(admin.customers().update_customer(stale).await, Code::InvalidArgument, "INVALID_FIELDS");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn an_issuers_new_keys_are_accepted_and_its_old_ones_refused() {
    let world = World::start().await;
    let who = async |keys: &Keys| {
        world.bearer(keys.token("ada")).access().who_am_i(pb::WhoAmIRequest::default()).await.map(|_| ())
    };
    let (old, new) = (world.keys.clone(), Keys::new());
    let remembered = world.bearer(old.token("ada"));
    remembered.access().who_am_i(pb::WhoAmIRequest::default()).await.unwrap();
    assert_refused(who(&new).await, Code::Unauthenticated, "TOKEN_INVALID");

    let its_keys = fs::read(old.jwks()).unwrap();
    fs::write(old.jwks(), fs::read(new.jwks()).unwrap()).unwrap();
    until("the new keys are accepted", async || who(&new).await.is_ok()).await;
    assert_refused(who(&old).await, Code::Unauthenticated, "TOKEN_INVALID");
    let remembered = remembered.access().who_am_i(pb::WhoAmIRequest::default()).await;
    assert_refused(remembered, Code::Unauthenticated, "TOKEN_INVALID");

    fs::write(old.jwks(), "{}").unwrap();
    who(&new).await.unwrap();
    fs::write(old.jwks(), its_keys).unwrap();
    until("the old keys are back", async || who(&old).await.is_ok()).await;
}
