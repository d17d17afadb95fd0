//! Processes that end with this one. Each runs under a small shell whose standard input is a pipe of ours: when we end, in
//! whatever way, the pipe ends, and the shell kills the process.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    os::unix::{fs::DirBuilderExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use uuid::Uuid;

use super::Result;

/// Maximum time until a server listens.
const STARTING: Duration = Duration::from_secs(180);
/// Time between two reads of a server's log: long enough not to wake up for every line, short enough for the pipe not to
/// fill.
const READING: Duration = Duration::from_millis(4);
/// Unit of CPU time in /proc, on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

const RUN: &str = r#"
trap '' HUP INT TERM
"$@" </dev/null &
echo $!
exec >/dev/null 2>&1
cat
kill -s KILL $!
"#;
const REMOVE: &str = r#"
trap '' HUP INT TERM
cat >/dev/null
rm -rf "$1"
"#;

fn guard(script: &str, words: &[&std::ffi::OsStr]) -> Result<Command> {
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "load-guard"]).args(words).stdin(Stdio::piped());
    shell.process_group(0); // Ctrl-C must reach only us
    // The environment may have settings of another Clientele server.
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CLIENTELE_")) {
        shell.env_remove(name);
    }
    Ok(shell)
}

fn end(shell: &mut Child) {
    drop(shell.stdin.take());
    let _ended = shell.wait();
}

/// A private folder that is removed when this process ends.
pub struct Scratch {
    pub path: PathBuf,
    shell: Child,
}

impl Scratch {
    pub fn new() -> Result<Self> {
        let path = env::temp_dir().join(format!("clientele-load-{}", Uuid::new_v4().simple()));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        let shell = guard(REMOVE, &[path.as_os_str()])?.spawn()?;
        Ok(Self { path, shell })
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        end(&mut self.shell);
    }
}

/// A server in a process of its own.
pub struct Server {
    pub address: SocketAddr,
    pid: u32,
    shell: Child,
}

impl Server {
    /// Starts a program that writes `listening on ADDRESS` to its standard error. All of its log is read, as in production.
    pub fn start(program: &Path, words: &[String]) -> Result<Self> {
        let words: Vec<&std::ffi::OsStr> =
            [program.as_os_str()].into_iter().chain(words.iter().map(AsRef::as_ref)).collect();
        let mut shell = guard(RUN, &words)?.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (out, err) = shell.stdout.take().zip(shell.stderr.take()).expect("both are pipes");
        let mut pid = String::new();
        BufReader::new(out).read_line(&mut pid)?;
        let pid = pid.trim().parse()?;

        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut log = BufReader::with_capacity(64 << 10, err);
            let mut lines = String::new();
            while log.read_line(&mut lines).is_ok_and(|count| count > 0) {
                if let Some((_, address)) = lines.rsplit_once("listening on ") {
                    let _gone = sender.send(Ok(address.trim().to_owned()));
                    let mut log = log.into_inner();
                    let mut buffer = vec![0; 64 << 10];
                    while log.read(&mut buffer).is_ok_and(|count| count > 0) {
                        thread::sleep(READING);
                    }
                    return;
                }
            }
            let _gone = sender.send(Err(lines));
        });
        let address =
            receiver.recv_timeout(STARTING)?.map_err(|log| format!("a server did not start: {log}"))?.parse()?;
        Ok(Self { address, pid, shell })
    }

    /// The CPU time that it has used, in user and kernel mode; None without /proc.
    pub fn cpu(&self) -> Option<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        // "PID (NAME) STATE …": the name may contain anything, so split at the last parenthesis. Fields 14 and 15 are utime
        // and stime.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut ticks = || fields.next()?.parse::<f64>().ok();
        Some(Duration::from_secs_f64((ticks()? + ticks()?) / TICKS_PER_SECOND))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.shell);
    }
}
