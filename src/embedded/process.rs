//! PostgreSQL's processes. Rule: they end when the pipe of [`Supervisor`] is closed, also if this process is killed.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

use super::error::Error;
use super::run_as::{RunAs, SHELL};
use super::server_options::ServerOptions;
use super::settings::POLL;

const SCRIPT: &str = include_str!("supervisor.sh");

/// The shell that runs PostgreSQL. It outlives this process long enough to stop PostgreSQL.
#[derive(Debug)]
pub(super) struct Supervisor {
    shell: Child,
    /// Its standard input. Closing it is the order to stop; the kernel closes it when this process dies.
    input: ChildStdin,
    /// Its standard output. Open as long as one of PostgreSQL's processes runs.
    output: ChildStdout,
    read: Vec<u8>,
}

impl Supervisor {
    /// Starts the shell, and in it `initdb` if there is no cluster yet. PostgreSQL starts with
    /// [`Supervisor::start_server`].
    pub(super) fn spawn(run_as: &RunAs, options: ServerOptions<'_>) -> Result<Self, Error> {
        let failed = |source| Error::Io { doing: "cannot start sh".to_owned(), source };
        let ServerOptions { bin, temp_dir, initdb, postgres, log } = options;
        let (new_data, initdb_options) = initdb.unwrap_or((Path::new(""), String::new()));
        let mut command = run_as.command(SHELL);
        command.args(["-c", SCRIPT, "clientele-supervisor"]).args([temp_dir, new_data, &bin.join("initdb")]);
        command.arg(initdb_options).arg(bin.join("postgres")).args(postgres);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        command.process_group(0); // Ctrl-C reaches only this process: running calls end before the database stops
        let mut shell = command.spawn().map_err(failed)?;
        let pipes = shell.stdin.take().zip(shell.stdout.take());
        let (input, output) = pipes.ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
        // Non-blocking reads: no thread and no runtime belongs to a server that a whole test run shares.
        fcntl(&output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(|error| failed(error.into()))?;
        Ok(Self { shell, input, output, read: Vec::new() })
    }

    /// Starts PostgreSQL and returns its process id; none if the supervisor has ended.
    pub(super) async fn start_server(&mut self) -> io::Result<Option<Pid>> {
        self.input.write_all(b"start\n")?;
        Ok(self.read_line().await?.and_then(|line| line.parse().ok()).map(Pid::from_raw))
    }

    /// Reads the next line of its output; none if it and everything it ran have ended.
    pub(super) async fn read_line(&mut self) -> io::Result<Option<String>> {
        loop {
            let ended = self.has_ended()?;
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line).trim().to_owned()));
            }
            if ended {
                return Ok(None);
            }
            sleep(POLL).await;
        }
    }

    /// Whether all of PostgreSQL's processes have ended. The shell itself may still run.
    pub(super) fn has_ended(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 64];
        loop {
            match self.output.read(&mut bytes) {
                Ok(0) => return Ok(true),
                Ok(count) => self.read.extend(bytes.iter().take(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Tells it not to remove its temporary folder, because another supervisor uses it now.
    pub(super) fn keep_temp_dir(&mut self) -> io::Result<()> {
        self.input.write_all(b"keep\n")
    }

    /// Closes the pipe and waits until the shell has stopped PostgreSQL and ended; false if it takes longer than `timeout`.
    pub(super) async fn stop(self, timeout: Duration) -> io::Result<bool> {
        let Self { mut shell, input, output, read: _ } = self;
        drop((input, output));
        let mut failure = None;
        let ended = wait_until(timeout, || match shell.try_wait() {
            Ok(status) => status.is_some(),
            Err(error) => failure.replace(error).is_none(),
        });
        let ended = ended.await;
        failure.map_or(Ok(ended), Err)
    }
}

/// Kills a postmaster and its processes like a power cut: none of them does anything more.
pub(super) fn kill_server(postmaster: Pid) -> nix::Result<()> {
    kill(postmaster, Signal::SIGSTOP)?; // so that it starts no process while its children are listed
    let children = children(postmaster);
    kill(postmaster, Signal::SIGKILL)?;
    for child in children {
        let _ = kill(child, Signal::SIGKILL); // it may have ended already
    }
    Ok(())
}

/// Lists the children of a process. None on systems without `/proc`: there they end by themselves when they notice.
fn children(parent: Pid) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| {
            let pid = process.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(process.path().join("stat")).ok()?;
            // "PID (NAME) STATE PARENT ...": the name may contain anything, so use the last parenthesis
            let parent_pid = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            (Pid::from_raw(parent_pid) == parent).then(|| Pid::from_raw(pid))
        })
        .collect()
}

/// Waits until a condition is true; false if it is not within `timeout`.
pub(super) async fn wait_until(timeout: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + timeout;
    while !condition() {
        if Instant::now() >= end {
            return false;
        }
        sleep(POLL).await;
    }
    true
}
