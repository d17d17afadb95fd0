//! A mail server that fails as it is told: a small peer that speaks just enough SMTP.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
};

/// What the server does with the next mails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Takes the mail.
    Take,
    /// Takes the mail, and never answers QUIT.
    TakeAndFallSilent,
    /// Accepts the connection and says nothing.
    Silent,
    /// Refuses the recipient with this answer.
    Refuse(&'static str),
    /// Drops the connection after the whole mail, before its answer.
    DropAfterData,
    /// Waits for a permit before it answers that it has taken the mail.
    TakeWhenAllowed,
    /// Waits for a permit before it answers the whole mail with this.
    RefuseWhenAllowed(&'static str),
}

/// The server.
pub struct Scripted {
    pub port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    fate: Mutex<Fate>,
    /// Every whole mail that arrived, whatever became of it.
    arrived: Mutex<Vec<String>>,
    connections: Mutex<usize>,
    allowed: Semaphore,
}

impl Scripted {
    pub async fn start(fate: Fate) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), fate)
    }

    /// On a port that was free before.
    pub async fn start_on(port: u16, fate: Fate) -> Self {
        Self::on(TcpListener::bind(("127.0.0.1", port)).await.unwrap(), fate)
    }

    fn on(listener: TcpListener, fate: Fate) -> Self {
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            fate: Mutex::new(fate),
            arrived: Mutex::default(),
            connections: Mutex::default(),
            allowed: Semaphore::new(0),
        });
        let serving = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                *serving.connections.lock().unwrap() += 1;
                let serving = Arc::clone(&serving);
                tokio::spawn(async move {
                    // A client that hangs up is no failure of the server.
                    let _: std::io::Result<()> = serve(stream, &serving).await;
                });
            }
        });
        Self { port, shared, accepting }
    }

    pub fn set(&self, fate: Fate) {
        *self.shared.fate.lock().unwrap() = fate;
    }

    pub fn allow(&self) {
        self.shared.allowed.add_permits(1);
    }

    pub fn arrived(&self) -> Vec<String> {
        self.shared.arrived.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        *self.shared.connections.lock().unwrap()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    let fate = *shared.fate.lock().unwrap();
    if fate == Fate::Silent {
        // Until the client has gone.
        while lines.next_line().await?.is_some() {}
        return Ok(());
    }
    writer.write_all(b"220 scripted\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let answer = match line.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" => "250-scripted\r\n250 8BITMIME",
            "RCPT" => match fate {
                Fate::Refuse(answer) => answer,
                _ => "250 OK",
            },
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await?;
                let mut mail = String::new();
                loop {
                    // A text that does not end is none.
                    let Some(line) = lines.next_line().await? else { return Ok(()) };
                    if line == "." {
                        break;
                    }
                    mail += &line;
                    mail += "\r\n";
                }
                shared.arrived.lock().unwrap().push(mail);
                match fate {
                    Fate::DropAfterData => return Ok(()),
                    Fate::TakeWhenAllowed | Fate::RefuseWhenAllowed(_) => {
                        shared.allowed.acquire().await.unwrap().forget();
                    }
                    _ => {}
                }
                match fate {
                    Fate::RefuseWhenAllowed(answer) => answer,
                    _ => "250 taken",
                }
            }
            "QUIT" if fate == Fate::TakeAndFallSilent => continue,
            "QUIT" => "221 bye",
            _ => "250 OK",
        };
        writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}
