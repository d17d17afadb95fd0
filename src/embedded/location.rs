//! Folders and files of a cluster. Rule: nothing that we did not make is ever changed or taken away.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::statvfs::statvfs;
use nix::unistd::Uid;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

use super::process::RunAs;
use super::{Durability, Error, POLL, Place, Settings};

/// The name of the socket in the room; the port is never listened on.
pub(super) const SOCKET: &str = ".s.PGSQL.5432";
/// The longest path that a socket's address holds, on the shortest of the systems (macOS).
const LONGEST_SOCKET: usize = 103;
/// What must be free on a memory disk before a database goes there; containers often have 64 MB.
const MEMORY_NEEDED: u64 = 2 << 30;
/// How long a server of a start before, whose owner was killed, may take to stop.
const STOPPING: Duration = Duration::from_secs(30);
const LOG_TAIL: usize = 20;
/// Where data lies whose own folder PostgreSQL's user cannot enter. Only root has such folders.
const ANNEXES: &str = "/var/lib/clientele";

/// Where a cluster's parts lie.
#[derive(Debug)]
pub(super) struct Layout {
    /// A private folder with a short path for the socket, and for everything else if the cluster is temporary.
    pub(super) room: PathBuf,
    /// PostgreSQL's data directory.
    pub(super) data: PathBuf,
    /// Where `initdb` makes a new cluster, if there is none: put into its place when done, so never half made there.
    pub(super) fresh: Option<PathBuf>,
    /// The log, emptied at each start.
    pub(super) log: Log,
    pub(super) run_as: RunAs,
}

impl Layout {
    /// Makes or checks the folders that a start needs.
    pub(super) async fn prepare(settings: &Settings, bin: &Path, major: u32) -> Result<Self, Error> {
        let Place::Kept(folder) = &settings.place else {
            return Self::temporary(settings.durability, bin);
        };
        make(folder)?;
        let folder = fs::canonicalize(folder).map_err(Error::io("find", folder))?;
        let run_as = runner(&folder.join("postgres"), bin)?;
        let annex = match run_as.barred_from(&folder)? {
            Some(_) => Some(annex(&folder, &run_as)?),
            None => None,
        };
        let place = annex.as_deref().unwrap_or(&folder);
        let data = place.join("postgres");
        let fresh = if is_made(&data, major)? {
            settle(&data).await?;
            None
        } else {
            Some(make_fresh(place, &run_as)?)
        };
        let log = Log::open(&folder.join("postgres.log"))?;
        let room = room(&["/tmp"], &run_as)?;
        Ok(Self { room, data, fresh, log, run_as })
    }

    fn temporary(durability: Durability, bin: &Path) -> Result<Self, Error> {
        let run_as = runner(Path::new(""), bin)?;
        let places: &[&str] = match durability {
            Durability::Fast if has_memory("/dev/shm") => &["/dev/shm", "/tmp"],
            Durability::Fast => &["/tmp"],
            // Of the two, the one that is on a disk where the other is in memory.
            Durability::Production => &["/var/tmp", "/tmp"],
        };
        let room = room(places, &run_as)?;
        let data = room.join("data");
        let log = Log::open(&room.join("postgres.log"))?;
        Ok(Self { fresh: Some(data.clone()), data, room, log, run_as })
    }

    /// Puts what `initdb` has made into its place.
    pub(super) fn put_in_place(&self) -> Result<(), Error> {
        match &self.fresh {
            Some(fresh) if *fresh != self.data => {
                fs::rename(fresh, &self.data).map_err(Error::io("put in place", &self.data))
            }
            _ => Ok(()),
        }
    }
}

/// Where the data directory lies of a folder that PostgreSQL's user cannot enter, such as one under root's home: in a
/// folder of its own, to which a link in the folder leads. Without the link the folder is new, whatever lay there before.
fn annex(folder: &Path, run_as: &RunAs) -> Result<PathBuf, Error> {
    let link = folder.join("annex");
    if let Ok(annex) = fs::read_link(&link)
        && annex.is_dir()
    {
        return Ok(annex);
    }
    let annex = Path::new(ANNEXES).join(uuid::Uuid::new_v4().simple().to_string());
    make(&annex)?;
    if let Some((directory, user)) = run_as.barred_from(&annex)? {
        return Err(Error::DataOutOfReach { directory: directory.into(), user });
    }
    match fs::remove_file(&link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io("renew", &link)(error)),
        _ => {}
    }
    std::os::unix::fs::symlink(&annex, &link).map_err(Error::io("make", &link))?;
    tracing::warn!(folder = %folder.display(), annex = %annex.display(),
        "PostgreSQL's user cannot enter this folder: its data lies in the annex, to which a link leads");
    Ok(annex)
}

/// The user PostgreSQL runs as, who can reach its binaries.
fn runner(data: &Path, bin: &Path) -> Result<RunAs, Error> {
    let run_as = RunAs::choose(data)?;
    match run_as.barred_from(bin)? {
        Some((directory, user)) => Err(Error::BinariesOutOfReach { directory: directory.into(), user }),
        None => Ok(run_as),
    }
}

/// Whether the data directory holds a cluster, which must be of this major version.
fn is_made(data: &Path, major: u32) -> Result<bool, Error> {
    match fs::read_to_string(data.join("PG_VERSION")) {
        Ok(made_by) if made_by.trim() == major.to_string() => Ok(true),
        Ok(made_by) => {
            Err(Error::OtherMajor { data: data.to_owned(), made_by: made_by.trim().to_owned(), found: major })
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(Error::NotOurs(data.to_owned())),
        Err(_) if fs::read_dir(data).is_ok_and(|mut entries| entries.next().is_some()) => {
            Err(Error::NotData(data.to_owned()))
        }
        Err(_) => Ok(false),
    }
}

/// Makes a folder and what is missing on the way. As root they let others through, though not look around, whatever
/// root's umask is: the user that PostgreSQL then runs as must reach what is its own in there.
pub(super) fn make(folder: &Path) -> Result<(), Error> {
    let made: Vec<&Path> = folder.ancestors().take_while(|path| !path.exists()).collect();
    fs::create_dir_all(folder).map_err(Error::io("make", folder))?;
    for path in made.iter().filter(|path| Uid::effective().is_root() && path.exists()) {
        let mode = fs::metadata(path).map_err(Error::io("look at", path))?.permissions().mode();
        fs::set_permissions(path, Permissions::from_mode(mode | 0o111)).map_err(Error::io("open", path))?;
    }
    Ok(())
}

/// An empty folder beside the data directory's place; what a start that was cut off left there is ours to drop.
fn make_fresh(folder: &Path, run_as: &RunAs) -> Result<PathBuf, Error> {
    let fresh = folder.join("postgres.new");
    match fs::remove_dir_all(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io("empty", &fresh)(error)),
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(&fresh).map_err(Error::io("make", &fresh))?;
    run_as.own(&fresh)?;
    Ok(fresh)
}

/// Waits for a server that still stops on this data, and takes away the lock file of one that was killed.
///
/// PostgreSQL itself only looks whether the process number in that file is in use: after a restart of the machine or of
/// a container it may be anybody's. Left-over processes of the dead server it knows by their shared memory.
pub(super) async fn settle(data: &Path) -> Result<(), Error> {
    let lock = data.join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&lock) else {
        return Ok(());
    };
    let Some(room) = text.lines().nth(4).filter(|line| !line.is_empty()) else {
        return Ok(());
    };
    let socket = Path::new(room).join(SOCKET);
    let end = Instant::now() + STOPPING;
    // Without blocking: one that hangs takes no connection, and when its queue is full (twice `max_connections` since
    // PostgreSQL 16) would stop us with it.
    while !matches!(
        UnixStream::connect(&socket).await.map_err(|error| error.kind()),
        Err(io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
    ) {
        if Instant::now() >= end {
            return Err(Error::InUse(data.to_owned()));
        }
        sleep(POLL).await;
    }
    for file in [lock, Path::new(room).join(format!("{SOCKET}.lock"))] {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io("remove", &file)(error)),
            _ => {}
        }
    }
    Ok(())
}

fn has_memory(place: &str) -> bool {
    statvfs(place).is_ok_and(|disk| {
        #[expect(clippy::useless_conversion, reason = "the counts' types differ from system to system")]
        let blocks = u64::from(disk.blocks_available());
        blocks.saturating_mul(disk.fragment_size()) >= MEMORY_NEEDED
    })
}

/// A new private folder in the first of the places, or else the temporary folder, where one can be made and reached.
fn room(places: &[&str], run_as: &RunAs) -> Result<PathBuf, Error> {
    let mut tried = Vec::new();
    for place in places.iter().map(PathBuf::from).chain([env::temp_dir()]) {
        match room_in(&place, run_as) {
            Ok(room) => return Ok(room),
            Err(why) => tried.push(format!("{} ({why})", place.display())),
        }
    }
    Err(Error::NoRoom { tried: tried.join(", ") })
}

fn room_in(place: &Path, run_as: &RunAs) -> Result<PathBuf, String> {
    let name = uuid::Uuid::new_v4().simple().to_string();
    let room = place.join(format!("clientele-{}", name.get(..12).unwrap_or(&name)));
    if room.join(SOCKET).as_os_str().len() > LONGEST_SOCKET {
        return Err("its path is too long for a socket".to_owned());
    }
    if let Some((directory, user)) = run_as.barred_from(place).map_err(|error| error.to_string())? {
        return Err(format!("{user} cannot enter {directory}"));
    }
    DirBuilder::new().mode(0o700).create(&room).map_err(|error| error.to_string())?;
    run_as.own(&room).map_err(|error| error.to_string())?;
    Ok(room)
}

/// PostgreSQL's log, opened by us: the user it runs as need not be able to write where it lies.
#[derive(Debug)]
pub(super) struct Log(File);

impl Log {
    fn open(path: &Path) -> Result<Self, Error> {
        let file = OpenOptions::new().create(true).append(true).read(true).open(path);
        let log = Self(file.map_err(Error::io("open", path))?);
        log.0.set_len(0).map_err(Error::io("empty", path))?; // or it grows for ever
        Ok(log)
    }

    /// The file for a process to write to.
    pub(super) fn file(&self) -> Result<File, Error> {
        self.0.try_clone().map_err(|source| Error::Io { doing: "cannot share PostgreSQL's log".to_owned(), source })
    }

    /// Its last lines, also when its folder is gone already.
    pub(super) fn tail(&self) -> String {
        let mut bytes = vec![0; 16 << 10];
        let from = self.0.metadata().map_or(0, |log| log.len().saturating_sub(16 << 10));
        let count = self.0.read_at(&mut bytes, from).unwrap_or(0);
        bytes.truncate(count);
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines.iter().skip(lines.len().saturating_sub(LOG_TAIL)).copied().collect::<Vec<_>>().join("\n")
    }
}
