//! Folders and files of a cluster. Rule: files that we did not create are never changed or removed.

use std::env;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::statvfs::statvfs;
use nix::unistd::Uid;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

use super::error::Error;
use super::log::Log;
use super::run_as::RunAs;
use super::settings::{ClusterLocation, ClusterSettings, Durability, POLL};

/// The name of the socket in the temporary folder. The server does not listen on the port.
pub(super) const SOCKET: &str = ".s.PGSQL.5432";
/// Maximum length of a socket's path on all supported systems (macOS has the lowest).
const MAX_SOCKET_PATH: usize = 103;
/// Free space that a memory disk needs before a database is put there; containers often have 64 MB.
const MEMORY_NEEDED: u64 = 2 << 30;
/// How long the server of an earlier, killed process may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// The parent of data folders that are elsewhere, because PostgreSQL's user cannot enter the configured folder. Only root
/// has such folders.
const SHARED_DATA: &str = "/var/lib/clientele";
/// The link in the configured folder to such a data folder.
const LINK: &str = "postgres-data";

/// The folders and files of a cluster.
#[derive(Debug)]
pub(super) struct Layout {
    /// A private folder with a short path, for the socket; for a temporary cluster also for everything else.
    pub(super) temp_dir: PathBuf,
    /// PostgreSQL's data directory.
    pub(super) data: PathBuf,
    /// Where `initdb` creates a new cluster, if there is none. It is renamed to `data` when complete.
    pub(super) new_data: Option<PathBuf>,
    /// The log, emptied at each start.
    pub(super) log: Log,
    pub(super) run_as: RunAs,
}

impl Layout {
    /// Creates or checks the folders that a start needs.
    pub(super) async fn prepare(settings: &ClusterSettings, bin: &Path, major: u32) -> Result<Self, Error> {
        let ClusterLocation::Kept(folder) = &settings.location else {
            return Self::temporary(settings.durability, bin);
        };
        create_dir(folder)?;
        let folder = fs::canonicalize(folder).map_err(Error::io("find", folder))?;
        let run_as = choose_user(&folder.join("postgres"), bin)?;
        let shared_dir = match run_as.inaccessible_parent(&folder)? {
            Some(_) => Some(shared_data_dir(&folder, &run_as)?),
            None => None,
        };
        let data_dir = shared_dir.as_deref().unwrap_or(&folder);
        let data = data_dir.join("postgres");
        let new_data = if has_cluster(&data, major)? {
            recover(&data).await?;
            None
        } else {
            Some(create_new_data(data_dir, &run_as)?)
        };
        let log = Log::open(&folder.join("postgres.log"))?;
        let temp_dir = create_temp_dir(&["/tmp"], &run_as)?;
        Ok(Self { temp_dir, data, new_data, log, run_as })
    }

    fn temporary(durability: Durability, bin: &Path) -> Result<Self, Error> {
        let run_as = choose_user(Path::new(""), bin)?;
        let parents: &[&str] = match durability {
            Durability::Fast if has_memory("/dev/shm") => &["/dev/shm", "/tmp"],
            Durability::Fast => &["/tmp"],
            // /tmp is in memory on many systems, /var/tmp is on a disk.
            Durability::Production => &["/var/tmp", "/tmp"],
        };
        let temp_dir = create_temp_dir(parents, &run_as)?;
        let data = temp_dir.join("data");
        let log = Log::open(&temp_dir.join("postgres.log"))?;
        Ok(Self { new_data: Some(data.clone()), data, temp_dir, log, run_as })
    }

    /// Renames the new cluster to the data directory.
    pub(super) fn move_new_data(&self) -> Result<(), Error> {
        match &self.new_data {
            Some(new_data) if *new_data != self.data => {
                fs::rename(new_data, &self.data).map_err(Error::io("create", &self.data))
            }
            _ => Ok(()),
        }
    }
}

/// Returns the data folder for a folder that PostgreSQL's user cannot enter, such as one in root's home: a separate folder, to
/// which a link in the configured folder points. Without the link a new data folder is created.
fn shared_data_dir(folder: &Path, run_as: &RunAs) -> Result<PathBuf, Error> {
    let link = folder.join(LINK);
    if let Ok(data_dir) = fs::read_link(&link)
        && data_dir.is_dir()
    {
        return Ok(data_dir);
    }
    let data_dir = Path::new(SHARED_DATA).join(uuid::Uuid::new_v4().simple().to_string());
    create_dir(&data_dir)?;
    if let Some((directory, user)) = run_as.inaccessible_parent(&data_dir)? {
        return Err(Error::DataOutOfReach { directory: directory.into(), user });
    }
    match fs::remove_file(&link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io("replace", &link)(error)),
        _ => {}
    }
    std::os::unix::fs::symlink(&data_dir, &link).map_err(Error::io("create", &link))?;
    tracing::warn!(folder = %folder.display(), data_dir = %data_dir.display(),
        "PostgreSQL's user cannot enter this folder; a link in it points to the folder with the data");
    Ok(data_dir)
}

/// Chooses the user that PostgreSQL runs as, and checks that it has access to the binaries.
fn choose_user(data: &Path, bin: &Path) -> Result<RunAs, Error> {
    let run_as = RunAs::choose(data)?;
    match run_as.inaccessible_parent(bin)? {
        Some((directory, user)) => Err(Error::BinariesOutOfReach { directory: directory.into(), user }),
        None => Ok(run_as),
    }
}

/// Whether the data directory has a cluster, which must be of this major version.
fn has_cluster(data: &Path, major: u32) -> Result<bool, Error> {
    match fs::read_to_string(data.join("PG_VERSION")) {
        Ok(created_by) if created_by.trim() == major.to_string() => Ok(true),
        Ok(created_by) => {
            Err(Error::OtherMajor { data: data.to_owned(), created_by: created_by.trim().to_owned(), found: major })
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(Error::NotOwner(data.to_owned())),
        Err(_) if fs::read_dir(data).is_ok_and(|mut entries| entries.next().is_some()) => {
            Err(Error::NotData(data.to_owned()))
        }
        Err(_) => Ok(false),
    }
}

/// Creates a folder and its missing parents. For root all users may enter them (but not list them), whatever root's umask is:
/// the user that PostgreSQL then runs as must reach its own files in there.
pub(super) fn create_dir(folder: &Path) -> Result<(), Error> {
    let created: Vec<&Path> = folder.ancestors().take_while(|path| !path.exists()).collect();
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    for path in created.iter().filter(|path| Uid::effective().is_root() && path.exists()) {
        let mode = fs::metadata(path).map_err(Error::io("read", path))?.permissions().mode();
        fs::set_permissions(path, Permissions::from_mode(mode | 0o111)).map_err(Error::io("open", path))?;
    }
    Ok(())
}

/// Creates an empty folder for `initdb` beside the data directory. Removes the rest of an interrupted start.
fn create_new_data(folder: &Path, run_as: &RunAs) -> Result<PathBuf, Error> {
    let new_data = folder.join("postgres.new");
    match fs::remove_dir_all(&new_data) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io("empty", &new_data)(error)),
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(&new_data).map_err(Error::io("create", &new_data))?;
    run_as.own(&new_data)?;
    Ok(new_data)
}

/// Waits for a server that is still stopping on this data, and removes the lock file of one that was killed.
///
/// PostgreSQL itself only checks whether the process id in that file is in use. After a restart of the machine or of a
/// container another process may have that id. PostgreSQL detects left-over processes of the dead server by their shared
/// memory.
pub(super) async fn recover(data: &Path) -> Result<(), Error> {
    let lock = data.join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&lock) else {
        return Ok(());
    };
    let Some(socket_dir) = text.lines().nth(4).filter(|line| !line.is_empty()) else {
        return Ok(());
    };
    let socket = Path::new(socket_dir).join(SOCKET);
    let end = Instant::now() + STOP_TIMEOUT;
    // Non-blocking: a server that hangs accepts no connection, and when its backlog is full (twice `max_connections` since
    // PostgreSQL 16), a blocking connect would hang too.
    while !matches!(
        UnixStream::connect(&socket).await.map_err(|error| error.kind()),
        Err(io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
    ) {
        if Instant::now() >= end {
            return Err(Error::InUse(data.to_owned()));
        }
        sleep(POLL).await;
    }
    for file in [lock, Path::new(socket_dir).join(format!("{SOCKET}.lock"))] {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io("remove", &file)(error)),
            _ => {}
        }
    }
    Ok(())
}

fn has_memory(folder: &str) -> bool {
    statvfs(folder).is_ok_and(|disk| {
        #[expect(clippy::useless_conversion, reason = "the counts' types differ from system to system")]
        let blocks = u64::from(disk.blocks_available());
        blocks.saturating_mul(disk.fragment_size()) >= MEMORY_NEEDED
    })
}

/// Creates a private folder in the first usable parent, or else in the system's temporary folder.
fn create_temp_dir(parents: &[&str], run_as: &RunAs) -> Result<PathBuf, Error> {
    let mut tried = Vec::new();
    for parent in parents.iter().map(PathBuf::from).chain([env::temp_dir()]) {
        match create_temp_dir_in(&parent, run_as) {
            Ok(temp_dir) => return Ok(temp_dir),
            Err(cause) => tried.push(format!("{} ({cause})", parent.display())),
        }
    }
    Err(Error::NoTempDir { tried: tried.join(", ") })
}

fn create_temp_dir_in(parent: &Path, run_as: &RunAs) -> Result<PathBuf, String> {
    let name = uuid::Uuid::new_v4().simple().to_string();
    let temp_dir = parent.join(format!("clientele-{}", name.get(..12).unwrap_or(&name)));
    if temp_dir.join(SOCKET).as_os_str().len() > MAX_SOCKET_PATH {
        return Err("its path is too long for a socket".to_owned());
    }
    if let Some((directory, user)) = run_as.inaccessible_parent(parent).map_err(|error| error.to_string())? {
        return Err(format!("{user} cannot enter {directory}"));
    }
    DirBuilder::new().mode(0o700).create(&temp_dir).map_err(|error| error.to_string())?;
    run_as.own(&temp_dir).map_err(|error| error.to_string())?;
    Ok(temp_dir)
}
