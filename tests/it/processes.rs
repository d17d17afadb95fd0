//! The program as a process, and the processes that it leaves.

use std::{
    borrow::BorrowMut,
    env,
    ffi::OsString,
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    time::Duration,
};

use clientele::grpc::pb::{
    self, access_service_client::AccessServiceClient, account_service_client::AccountServiceClient,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::{Instant, sleep, timeout},
};
use tonic::{
    Request,
    transport::{Channel, Endpoint},
};

pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// A folder that PostgreSQL's user can enter.
pub(crate) fn temp_dir() -> TempDir {
    let temp_dir = tempfile::Builder::new().prefix("clientele-dev-").tempdir().unwrap();
    fs::set_permissions(temp_dir.path(), Permissions::from_mode(0o755)).unwrap();
    temp_dir
}

/// The program, without this process's configuration except the folder of PostgreSQL's programs.
pub(crate) fn clientele(arguments: &[&str]) -> Command {
    clientele_at(Path::new(env!("CARGO_BIN_EXE_clientele")), arguments)
}

/// The same of a copy of the program.
pub(crate) fn clientele_at(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    let ours = |name: &OsString| name.to_string_lossy().starts_with("CLIENTELE_") && name != "CLIENTELE_PG_BIN";
    for name in env::vars_os().map(|(name, _)| name).filter(ours) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command
}

pub(crate) async fn output(mut command: impl BorrowMut<Command>) -> Output {
    timeout(BOUND, command.borrow_mut().output()).await.expect("it ends").unwrap()
}

/// Runs a command that must fail; returns its standard error.
pub(crate) async fn failure(command: impl BorrowMut<Command>) -> String {
    let output = output(command).await;
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(output.stdout.is_empty(), "{:?}", output.stdout);
    stderr
}

pub(crate) async fn token(data: &Path, subject: &str) -> String {
    let output = output(clientele(&["token", subject, "--data-dir", path(data)])).await;
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A running `clientele dev`.
pub(crate) struct Dev {
    pub(crate) child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    pub(crate) data: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) url: String,
}

impl Dev {
    pub(crate) async fn start(data: &Path) -> Self {
        Self::ready(Self::launch(data, clientele(&[]), &[])).await
    }

    /// Starts one; it is not ready yet.
    pub(crate) fn launch(data: &Path, mut command: Command, more: &[&str]) -> Self {
        let log = data.with_extension("log");
        let stderr = File::options().create(true).append(true).open(&log).unwrap();
        command.args(["dev", "--listen", "127.0.0.1:0", "--data-dir", path(data)]).args(more);
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, stdout, data: data.to_owned(), log, url: String::new() }
    }

    pub(crate) async fn ready(mut self) -> Self {
        let line = timeout(BOUND, self.stdout.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("not ready: {}", self.log_text())).unwrap();
        let line = line.unwrap_or_else(|| panic!("it ended: {}", self.log_text()));
        let address = line.strip_prefix("ready on ").unwrap_or_else(|| panic!("{line}"));
        self.url = format!("http://{address}");
        self
    }

    pub(crate) fn log_text(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().unwrap().cast_signed()), signal).unwrap();
    }

    pub(crate) fn postmaster(&self) -> Pid {
        let file = fs::read_to_string(self.data.join("postgres/postmaster.pid")).unwrap();
        Pid::from_raw(file.lines().next().unwrap().parse().unwrap())
    }

    /// Waits until it has ended, and asserts that it printed nothing more.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let status = timeout(BOUND, self.child.wait()).await;
        let status = status.unwrap_or_else(|_| panic!("it does not end: {}", self.log_text())).unwrap();
        assert_eq!(self.stdout.next_line().await.unwrap(), None, "one line on standard output and no more");
        status
    }

    pub(crate) async fn stop(mut self, signal: Signal) {
        let postmaster = self.postmaster();
        self.signal(signal);
        let status = self.ended().await;
        assert_eq!(status.code(), Some(0), "{}", self.log_text());
        assert!(!runs(postmaster), "PostgreSQL outlived it");
        assert_eq!(processes_of(&self.data), [], "a process is still running");
    }

    pub(crate) async fn request<T>(&self, subject: &str, message: T) -> Request<T> {
        request(&token(&self.data, subject).await, message)
    }

    pub(crate) async fn channel(&self) -> Channel {
        channel(&self.url).await
    }

    pub(crate) async fn who_am_i(&self, subject: &str) -> pb::WhoAmIResponse {
        let mut client = AccessServiceClient::new(self.channel().await);
        let request = self.request(subject, pb::WhoAmIRequest::default()).await;
        client.who_am_i(request).await.unwrap_or_else(|status| panic!("{status}: {}", self.log_text())).into_inner()
    }

    pub(crate) async fn tenants(&self) -> Vec<pb::Tenant> {
        let mut client = AccountServiceClient::new(self.channel().await);
        let request = self.request("operator", pb::ListTenantsRequest::default()).await;
        client.list_tenants(request).await.unwrap().into_inner().tenants
    }

    pub(crate) async fn accounts(&self) -> Vec<pb::Account> {
        let mut client = AccountServiceClient::new(self.channel().await);
        let message = pb::ListAccountsRequest { include_descendants: true, ..Default::default() };
        client.list_accounts(self.request("admin", message).await).await.unwrap().into_inner().accounts
    }
}

pub(crate) async fn channel(url: &str) -> Channel {
    Endpoint::from_shared(url.to_owned()).unwrap().connect().await.unwrap()
}

pub(crate) fn request<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {}", token.trim()).parse().unwrap());
    request
}

/// Whether a process runs and is not a zombie.
pub(crate) fn runs(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    kill(process, None).is_ok() && !stat.contains(") Z ")
}

/// The processes that were started with this folder on their command line.
pub(crate) fn processes_of(folder: &Path) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    numbers
        .filter(|number| {
            let words = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&words).contains(path(folder))
        })
        .map(Pid::from_raw)
        .filter(|process| runs(*process))
        .collect()
}

pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + BOUND;
    while !holds() {
        assert!(Instant::now() < end, "waited a minute: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
