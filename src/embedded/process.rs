//! PostgreSQL's processes. Rule: they live no longer than the pipe that [`Guard`] holds, whatever becomes of us.

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, User};
use tokio::time::{Instant, sleep};

use super::server_options::Orders;
use super::{Environment, Error};

const SCRIPT: &str = include_str!("supervisor.sh");
const POLL: Duration = Duration::from_millis(10);

/// By its path, and where its tools (`rm`, `sleep`) are besides: an empty `PATH` must not stop us from stopping PostgreSQL.
const SHELL: &str = "/bin/sh";
const TOOLS: [&str; 2] = ["/usr/bin", "/bin"];

/// Variables by which a user's settings for other servers would reach this one.
const FOREIGN: [&str; 7] = ["PGDATA", "PGPORT", "PGHOST", "PGOPTIONS", "PGDATESTYLE", "PGTZ", "PGCLIENTENCODING"];

/// The user that PostgreSQL runs as: ourselves, or, as it refuses root, somebody else if we are root.
#[derive(Clone, Debug)]
pub(super) struct RunAs(Option<User>);

impl RunAs {
    /// As root the owner of the data if there is some, else `postgres`, else `nobody`.
    pub(super) fn choose(data: &Path) -> Result<Self, Error> {
        if !Uid::effective().is_root() {
            return Ok(Self(None));
        }
        let owner = fs::metadata(data).ok().map(|data| Uid::from_raw(data.uid())).filter(|uid| !uid.is_root());
        let owner = owner.and_then(|uid| User::from_uid(uid).ok().flatten());
        let named = |name| User::from_name(name).ok().flatten();
        let user = owner.or_else(|| named("postgres")).or_else(|| named("nobody")).ok_or(Error::NoUser)?;
        Ok(Self(Some(user)))
    }

    /// Makes the user the owner of a file or folder of ours.
    pub(super) fn own(&self, path: &Path) -> Result<(), Error> {
        let Some(User { uid, gid, .. }) = &self.0 else {
            return Ok(());
        };
        chown(path, Some(uid.as_raw()), Some(gid.as_raw())).map_err(Error::io("change the owner of", path))
    }

    /// The first folder on the way into `path` that the user may not enter, and the user's name.
    ///
    /// The kernel decides, in a process of that user: modes alone do not know of access lists.
    pub(super) fn barred_from(&self, path: &Path) -> Result<Option<(String, String)>, Error> {
        let Some(user) = &self.0 else { return Ok(None) };
        let mut way: Vec<&Path> = path.ancestors().collect();
        way.reverse();
        let mut look = self.command(SHELL);
        look.args(["-c", r#"for d do [ -x "$d" ] || { printf %s "$d"; exit; }; done"#, "look"]).args(way);
        let said = look.output().map_err(Error::io("run", Path::new(SHELL)))?.stdout;
        let barred = String::from_utf8_lossy(&said).into_owned();
        Ok((!barred.is_empty()).then(|| (barred, user.name.clone())))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").env("LC_ALL", "C"); // our own folder may be closed to that user; messages in English
        for name in FOREIGN {
            command.env_remove(name);
        }
        let path = Environment::read().path;
        let folders = path.iter().flat_map(env::split_paths).chain(TOOLS.map(PathBuf::from));
        if let Ok(path) = env::join_paths(folders) {
            command.env("PATH", path);
        }
        if let Some(User { uid, gid, .. }) = &self.0 {
            command.uid(Uid::as_raw(*uid)).gid(Gid::as_raw(*gid));
        }
        command
    }
}

/// The shell that runs PostgreSQL and outlives us long enough to stop it.
#[derive(Debug)]
pub(super) struct Guard {
    shell: Child,
    /// Closed when dropped, at the latest by the kernel: the order to stop.
    orders: ChildStdin,
    /// Open as long as any of PostgreSQL's processes is there.
    voice: ChildStdout,
    said: Vec<u8>,
}

impl Guard {
    /// Starts the shell, and in it `initdb` if a folder is to be made; PostgreSQL itself waits for [`Guard::go`].
    pub(super) fn spawn(run_as: &RunAs, orders: Orders<'_>) -> Result<Self, Error> {
        let failed = |source| Error::Io { doing: "cannot start sh".to_owned(), source };
        let Orders { bin, room, initdb, postgres, log } = orders;
        let (fresh, words) = initdb.unwrap_or((Path::new(""), String::new()));
        let mut command = run_as.command(SHELL);
        command.args(["-c", SCRIPT, "clientele-guard"]).args([room, fresh, &bin.join("initdb")]).arg(words);
        command.arg(bin.join("postgres")).args(postgres);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        command.process_group(0); // Ctrl-C is for us alone: we finish what runs before the database stops
        let mut shell = command.spawn().map_err(failed)?;
        let pipes = shell.stdin.take().zip(shell.stdout.take());
        let (orders, voice) = pipes.ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
        // Read without blocking, so that no thread and no runtime is tied to a server that a whole test run shares.
        fcntl(&voice, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(|error| failed(error.into()))?;
        Ok(Self { shell, orders, voice, said: Vec::new() })
    }

    /// Lets PostgreSQL start and gives its process number, or none if the guard has ended before.
    pub(super) async fn go(&mut self) -> io::Result<Option<Pid>> {
        self.orders.write_all(b"go\n")?;
        Ok(self.hear().await?.and_then(|line| line.parse().ok()).map(Pid::from_raw))
    }

    /// The next line it says; none if it and everything it ran have ended.
    pub(super) async fn hear(&mut self) -> io::Result<Option<String>> {
        loop {
            let ended = self.ended()?;
            if let Some(end) = self.said.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.said.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line).trim().to_owned()));
            }
            if ended {
                return Ok(None);
            }
            sleep(POLL).await;
        }
    }

    /// Whether PostgreSQL and all its processes have ended (the shell itself may still be there).
    pub(super) fn ended(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 64];
        loop {
            match self.voice.read(&mut bytes) {
                Ok(0) => return Ok(true),
                Ok(count) => self.said.extend(bytes.iter().take(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Tells it to leave its room standing: another guard has it now.
    pub(super) fn keep(&mut self) -> io::Result<()> {
        self.orders.write_all(b"keep\n")
    }

    /// Closes the pipe and waits until the shell has stopped PostgreSQL and ended; false if it does not within `limit`.
    pub(super) async fn release(self, limit: Duration) -> io::Result<bool> {
        let Self { mut shell, orders, voice, said: _ } = self;
        drop((orders, voice));
        let mut failure = None;
        let gone = until(limit, || match shell.try_wait() {
            Ok(status) => status.is_some(),
            Err(error) => failure.replace(error).is_none(),
        });
        let gone = gone.await;
        failure.map_or(Ok(gone), Err)
    }
}

/// Ends a postmaster and its processes as a power cut does: none of them does anything more.
pub(super) fn cut(postmaster: Pid) -> nix::Result<()> {
    kill(postmaster, Signal::SIGSTOP)?; // it forks no further process while we look
    let children = children(postmaster);
    kill(postmaster, Signal::SIGKILL)?;
    for child in children {
        let _ = kill(child, Signal::SIGKILL); // gone by itself: the better
    }
    Ok(())
}

/// The children of a process; none where there is no `/proc`: they then end by themselves as soon as they look up.
fn children(parent: Pid) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| {
            let pid = process.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(process.path().join("stat")).ok()?;
            // "PID (NAME) STATE PARENT ...": the name may hold anything, so the last parenthesis counts
            let of = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            (Pid::from_raw(of) == parent).then(|| Pid::from_raw(pid))
        })
        .collect()
}

/// Waits until a condition holds; false if it does not within `limit`.
pub(super) async fn until(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    while !holds() {
        if Instant::now() >= end {
            return false;
        }
        sleep(POLL).await;
    }
    true
}
