//! The private PostgreSQL: it starts anywhere, keeps its data and leaves no process or file behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use clientele::embedded::{
    Cluster, ClusterLocation, ClusterSettings, Durability, Environment, Error, binaries, find_binaries,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User};
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions, Connection, Row};

/// If this file is in the working directory, the test below acts as the owner that gets killed.
const HOLD: &str = "clientele-hold";

fn settings(location: ClusterLocation, durability: Durability) -> ClusterSettings {
    ClusterSettings { location, durability, max_connections: 20 }
}

fn temporary() -> ClusterSettings {
    settings(ClusterLocation::Temporary, Durability::Fast)
}

/// A folder that every user may enter, so that the data of a cluster started by root can lie there.
pub(crate) fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("clientele-test-").tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

async fn connect(cluster: &Cluster) -> PgConnection {
    cluster.options("postgres").connect().await.unwrap()
}

async fn text(cluster: &Cluster, query: &'static str) -> String {
    sqlx::query(query).fetch_one(&mut connect(cluster).await).await.unwrap().get(0)
}

async fn run(cluster: &Cluster, statement: &'static str) {
    sqlx::query(statement).execute(&mut connect(cluster).await).await.unwrap();
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "waited 60 s: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Copies a program, so that every user can run it. Another process makes the copy: a child that another thread forks while
/// this process writes the file would keep it open for writing until its exec, and running the copy would fail as busy.
pub(crate) fn copy_program(program: &Path, to: &Path) {
    assert!(Command::new("cp").arg(program).arg(to).status().unwrap().success());
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Writes a shell script that every user can run; by another process, for the same reason.
pub(crate) fn script(text: &str, to: &Path) {
    let write =
        Command::new("sh").args(["-c", "printf '#!/bin/sh\\n%s\\n' \"$1\" >\"$2\"", "sh", text]).arg(to).status();
    assert!(write.unwrap().success());
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).unwrap();
}

/// This binary, running one of its tests.
pub(crate) fn this_test_binary(binary: &Path, test: &str) -> Command {
    let mut command = Command::new(binary);
    command.args([test, "--exact", "--nocapture"]).stdin(Stdio::null());
    command
}

#[tokio::test]
async fn it_starts_and_answers_and_is_gone_when_stopped() {
    let cluster = Cluster::start(temporary()).await.unwrap();
    assert_eq!(text(&cluster, "select current_user::text").await, cluster.user());
    assert_eq!(text(&cluster, "show fsync").await, "off");
    assert_eq!(text(&cluster, "show listen_addresses").await, "");
    assert_eq!(text(&cluster, "show max_connections").await, "20");

    let socket_dir = cluster.socket_dir().to_owned();
    assert_eq!(fs::metadata(&socket_dir).unwrap().permissions().mode() & 0o777, 0o700);
    cluster.stop().await.unwrap();
    assert!(!socket_dir.exists());
}

#[tokio::test]
async fn a_dropped_cluster_stops() {
    let cluster = Cluster::start(temporary()).await.unwrap();
    let socket_dir = cluster.socket_dir().to_owned();
    let _session = connect(&cluster).await;
    drop(cluster);
    eventually("its folder is removed", || !socket_dir.exists()).await;
}

#[tokio::test]
async fn sqlx_and_psql_read_its_url_alike() {
    let cluster = Cluster::start(temporary()).await.unwrap();
    let url = cluster.url("template1");
    let asked = "select current_user || ' ' || current_database()";

    let mut session = PgConnection::connect(&url).await.unwrap();
    let ours: String = sqlx::query(asked).fetch_one(&mut session).await.unwrap().get(0);
    session.close().await.unwrap();
    let psql = Command::new(cluster.bin().join("psql")).args(["-XAtc", asked, &url]).output().unwrap();

    assert_eq!(ours, "clientele template1");
    assert_eq!(String::from_utf8(psql.stdout).unwrap().trim(), ours, "{}", String::from_utf8_lossy(&psql.stderr));
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn kept_data_survives_a_stop_and_a_start() {
    let folder = open_folder();
    let kept = || settings(ClusterLocation::Kept(folder.path().join("deep/data")), Durability::Production);

    let cluster = Cluster::start(kept()).await.unwrap();
    run(&cluster, "create table kept as select 'still here' as word").await;
    cluster.stop().await.unwrap();

    // After a power failure the lock file names a process id that another process may have by now; here it is this process.
    let data = folder.path().join("deep/data/postgres");
    let lock = format!("{}\n{}\n1700000000\n5432\n/tmp/no-such-dir\n\n", std::process::id(), data.display());
    fs::write(data.join("postmaster.pid"), lock).unwrap();

    let cluster = Cluster::start(kept()).await.unwrap();
    assert_eq!(text(&cluster, "select word from kept").await, "still here");
    assert_eq!(text(&cluster, "show fsync").await, "on");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_start_waits_until_the_previous_server_has_stopped() {
    let folder = open_folder();
    let kept = || settings(ClusterLocation::Kept(folder.path().to_owned()), Durability::Fast);
    let first = Cluster::start(kept()).await.unwrap();
    let lock = fs::read_to_string(folder.path().join("postgres/postmaster.pid"));
    // The server is paused, so it cannot stop when it gets the signal.
    let postmaster = Pid::from_raw(lock.unwrap().lines().next().unwrap().parse().unwrap());
    kill(postmaster, Signal::SIGSTOP).unwrap();
    drop(first);

    let mut second = pin!(Cluster::start(kept()));
    assert!(tokio::time::timeout(Duration::from_millis(500), &mut second).await.is_err(), "it must wait");
    kill(postmaster, Signal::SIGCONT).unwrap();
    second.await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn a_crash_loses_nothing_that_was_committed() {
    let mut cluster = Cluster::start(settings(ClusterLocation::Temporary, Durability::Production)).await.unwrap();
    assert_eq!(text(&cluster, "show wal_level").await, "replica");
    run(&cluster, "create table kept as select 'committed' as word").await;
    let mut session = connect(&cluster).await;
    let mut open = session.begin().await.unwrap();
    sqlx::query("update kept set word = 'not committed'").execute(&mut *open).await.unwrap();

    let mut busy = connect(&cluster).await;
    let busy = tokio::spawn(async move {
        sqlx::query("select count(*) from generate_series(1, 100000000000)").execute(&mut busy).await
    });
    let working = "select count(*)::text from pg_stat_activity
                   where state = 'active' and query like '%100000000000%' and pid <> pg_backend_pid()";
    while text(&cluster, working).await == "0" {}

    let cut = Instant::now();
    cluster.crash().await.unwrap();
    assert!(cut.elapsed() < Duration::from_secs(5), "a running session must not continue");
    assert!(busy.await.unwrap().is_err());
    assert!(sqlx::query("select 1").execute(&mut *open).await.is_err());
    assert!(cluster.options("postgres").connect().await.is_err());

    cluster.restart().await.unwrap();
    assert_eq!(text(&cluster, "select word from kept").await, "committed");
    cluster.crash().await.unwrap();
    cluster.restart().await.unwrap();
    assert_eq!(text(&cluster, "select word from kept").await, "committed");

    let socket_dir = cluster.socket_dir().to_owned();
    cluster.stop().await.unwrap();
    assert!(!socket_dir.exists());
}

#[tokio::test]
async fn letters_outside_ascii_are_letters() {
    let cluster = Cluster::start(temporary()).await.unwrap();
    run(&cluster, "create extension pg_trgm").await;
    assert_eq!(text(&cluster, "select lower('Ü')").await, "ü");
    assert_eq!(text(&cluster, "select cardinality(show_trgm('münchen'))::text").await, "8");
    assert_eq!(text(&cluster, "select cardinality(show_trgm('ö'))::text").await, "2");
    cluster.stop().await.unwrap();
}

/// Not an independent test: the owner in the next test, which runs this one in a folder with the file [`HOLD`].
#[tokio::test]
async fn the_owner_holds_its_cluster_until_it_is_killed() {
    if Path::new(HOLD).exists() {
        let cluster = Cluster::start(temporary()).await.unwrap();
        fs::write("socket_dir.new", cluster.socket_dir().to_str().unwrap()).unwrap();
        fs::rename("socket_dir.new", "socket_dir").unwrap();
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn nothing_survives_a_kill_of_its_owner() {
    let folder = open_folder();
    fs::write(folder.path().join(HOLD), "").unwrap();
    let test = "embedded::the_owner_holds_its_cluster_until_it_is_killed";
    let mut owner = this_test_binary(&std::env::current_exe().unwrap(), test)
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the owner's cluster is up", || folder.path().join("socket_dir").exists()).await;
    let socket_dir = PathBuf::from(fs::read_to_string(folder.path().join("socket_dir")).unwrap());
    assert!(socket_dir.join("data/postmaster.pid").exists());

    owner.kill().unwrap();
    assert_eq!(owner.wait().unwrap().signal(), Some(9));

    // The folder is removed last, after the server's last process.
    eventually("its folder is removed", || !socket_dir.exists()).await;
}

#[tokio::test]
async fn an_ordinary_user_runs_it_too() {
    if !Uid::effective().is_root() {
        return; // then every other test covers it
    }
    let nobody = User::from_name("nobody").unwrap().unwrap();
    let folder = open_folder();
    let bin = binaries(&Environment::read()).await.unwrap(); // the user `nobody` has no folder to download one into
    let binary = folder.path().join("it"); // the user `nobody` may not be able to enter the build folder
    copy_program(&std::env::current_exe().unwrap(), &binary);

    for test in ["kept_data_survives_a_stop_and_a_start", "it_starts_and_answers_and_is_gone_when_stopped"] {
        let mut command = this_test_binary(&binary, &format!("embedded::{test}"));
        command.uid(nobody.uid.as_raw()).gid(nobody.gid.as_raw()).current_dir("/").env("CLIENTELE_PG_BIN", &bin);
        let Output { status, stdout, stderr } = command.env_remove("HOME").env_remove("TMPDIR").output().unwrap();
        let output = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
        assert!(status.success() && output.contains("1 passed"), "{output}");
    }
}

#[test]
fn without_binaries_the_error_says_how_to_install_them() {
    let empty = tempfile::tempdir().unwrap();
    let nowhere = Environment {
        pg_bin: None,
        path: Some(empty.path().into()),
        cache_home: None,
        home: Some(empty.path().to_owned()),
        root: empty.path().to_owned(),
    };
    let message = find_binaries(&nowhere).unwrap_err().to_string();
    for line in ["apt-get install postgresql\n", "dnf install postgresql-server postgresql-contrib", "brew install"] {
        assert!(message.contains(line), "{message}");
    }

    fs::write(empty.path().join("README"), "no programs here").unwrap();
    let wrong = Environment { pg_bin: Some(empty.path().to_owned()), ..Environment::read() };
    let message = find_binaries(&wrong).unwrap_err().to_string();
    assert!(message.contains("CLIENTELE_PG_BIN") && message.contains("initdb"), "{message}");
}

/// Makes a folder of binaries whose `postgres` reports this version.
pub(crate) fn fake(bin: &Path, version: &str) {
    fs::create_dir_all(bin).unwrap();
    for name in ["initdb", "postgres"] {
        script(&format!("echo 'postgres (PostgreSQL) {version}'"), &bin.join(name));
    }
}

#[test]
fn the_highest_version_wins_and_an_old_one_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().canonicalize().unwrap();
    let surroundings =
        Environment { pg_bin: None, path: None, cache_home: Some(root.join("cache")), home: None, root: root.clone() };

    fake(&root.join("usr/lib/postgresql/9.6/bin"), "9.6.24");
    let message = find_binaries(&surroundings).unwrap_err().to_string();
    assert!(message.contains("version 9") && message.contains("15"), "{message}");

    let cached = root.join("cache/clientele/postgresql/18.6.3/bin");
    fake(&cached, "18.6");
    assert_eq!(find_binaries(&surroundings).unwrap(), cached);

    for version in ["15", "17", "9.6"] {
        fake(&root.join("usr/lib/postgresql").join(version).join("bin"), &format!("{version}.2 (Debian 1)"));
    }
    assert_eq!(find_binaries(&surroundings).unwrap(), root.join("usr/lib/postgresql/17/bin"));

    // A single link on PATH leads to the folder of its target.
    fs::create_dir(root.join("path")).unwrap();
    let linked = root.join("usr/lib/postgresql/15/bin");
    std::os::unix::fs::symlink(linked.join("postgres"), root.join("path/postgres")).unwrap();
    let on_path = Environment { path: Some(root.join("path").into()), ..surroundings };
    assert_eq!(find_binaries(&on_path).unwrap(), linked);
}

#[tokio::test]
async fn data_of_another_version_is_refused_naming_both() {
    let folder = open_folder();
    fs::create_dir(folder.path().join("postgres")).unwrap();
    fs::write(folder.path().join("postgres/PG_VERSION"), "12\n").unwrap();
    let error =
        Cluster::start(settings(ClusterLocation::Kept(folder.path().to_owned()), Durability::Fast)).await.unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, Error::OtherMajor { .. }), "{message}");
    assert!(message.contains("created by PostgreSQL 12") && message.contains("CLIENTELE_PG_BIN"), "{message}");
}

#[tokio::test]
async fn a_folder_with_other_files_is_not_changed() {
    let folder = open_folder();
    fs::create_dir(folder.path().join("postgres")).unwrap();
    fs::write(folder.path().join("postgres/thesis.txt"), "the only copy").unwrap();
    let error =
        Cluster::start(settings(ClusterLocation::Kept(folder.path().to_owned()), Durability::Fast)).await.unwrap_err();
    assert!(matches!(error, Error::NotData(_)), "{error}");
    assert_eq!(fs::read_to_string(folder.path().join("postgres/thesis.txt")).unwrap(), "the only copy");
}

#[tokio::test]
async fn data_is_kept_elsewhere_if_postgresqls_user_cannot_enter_the_folder() {
    if !Uid::effective().is_root() {
        return; // then it runs as the owner, which can enter the folder that it made
    }
    let folder = open_folder();
    let closed = folder.path().join("closed");
    let data = closed.join("data");
    fs::create_dir_all(&data).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let kept = || settings(ClusterLocation::Kept(data.clone()), Durability::Fast);

    let cluster = Cluster::start(kept()).await.unwrap();
    run(&cluster, "create table kept as select 'here' as what").await;
    cluster.stop().await.unwrap();
    let annex = fs::read_link(data.join("postgres-data")).unwrap();
    assert!(annex.join("postgres/PG_VERSION").exists());

    let cluster = Cluster::start(kept()).await.unwrap();
    assert_eq!(text(&cluster, "select what from kept").await, "here");
    cluster.stop().await.unwrap();
    fs::remove_dir_all(annex).unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_start_shows_the_end_of_its_log() {
    let folder = open_folder();
    let kept = || settings(ClusterLocation::Kept(folder.path().to_owned()), Durability::Fast);
    Cluster::start(kept()).await.unwrap().stop().await.unwrap();
    fs::write(folder.path().join("postgres/postgresql.conf"), "no_such_setting = 1\n").unwrap();

    let started = Instant::now();
    let error = Cluster::start(kept()).await.unwrap_err();
    assert!(matches!(&error, Error::Ended { log } if log.contains("no_such_setting")), "{error}");
    assert!(started.elapsed() < Duration::from_secs(20), "it ends as soon as the server does");
}

#[tokio::test]
async fn a_cluster_without_a_utf8_character_type_is_refused() {
    let folder = open_folder();
    let kept = || settings(ClusterLocation::Kept(folder.path().to_owned()), Durability::Fast);
    let cluster = Cluster::start(kept()).await.unwrap();
    run(&cluster, "update pg_database set datctype = 'C' where datname = 'template1'").await;
    cluster.stop().await.unwrap();

    let error = Cluster::start(kept()).await.unwrap_err();
    assert!(matches!(&error, Error::Locale { ctype, .. } if ctype == "C"), "{error}");
}
