//! Orders at Restate, where it is installed: a durable handler that calls eight others stands for an order, in the same run on
//! the same machine.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http::{Method, Request};
use http_body_util::BodyExt;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use throughline_kit::error::{Error, Kind};
use throughline_kit::id;
use tokio::net::TcpStream;

use super::load::{Measured, closed_loop};
use crate::args::LISTEN;
use crate::command::machine::{resident_kib, tree_cpu_micros};

/// How long it may take until the handlers are registered.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const START_POLL: Duration = Duration::from_millis(200);
/// Its ports: what callers use, what registers handlers, what its nodes use, and the handlers.
const PORTS: [u16; 4] = [19_800, 19_801, 19_802, 19_803];
const SERVER: &str = "node_modules/@restatedev/restate-server-linux-x64/bin/restate-server";

/// A running Restate with the handlers, ended and its data removed when dropped.
#[derive(Debug)]
pub(super) struct Restate {
    server: Child,
    handlers: Child,
    directory: PathBuf,
}

/// What it came to.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) completed: Measured,
    pub(super) accepted: Measured,
    /// CPU µs of an order, of the server and of the handlers.
    pub(super) cpu: [u64; 2],
    pub(super) resident_kib: u64,
}

impl Restate {
    /// Starts what `npm ci` installed in a directory.
    pub(super) async fn start(installed: &Path) -> Result<Self, Error> {
        let directory =
            std::env::temp_dir().join(format!("throughline-restate-{}", id::new_body()));
        let [ingress, admin, node, handlers] = PORTS;
        let bind = |port: u16| format!("{LISTEN}:{port}");
        let mut server = Command::new(installed.join(SERVER));
        server.arg("--no-logo").arg("--base-dir").arg(&directory).envs([
            ("RESTATE_DISABLE_TELEMETRY", "true".to_owned()),
            ("RESTATE_LISTEN_MODE", "tcp".to_owned()),
            ("RESTATE_INGRESS__BIND_ADDRESS", bind(ingress)),
            ("RESTATE_ADMIN__BIND_ADDRESS", bind(admin)),
            ("RESTATE_BIND_ADDRESS", bind(node)),
        ]);
        let mut service = Command::new("node");
        service.current_dir(installed).args(["orders.mjs", &handlers.to_string()]);
        let server = spawn(&mut server, installed)?;
        let mut restate = Self { server, handlers: spawn(&mut service, installed)?, directory };
        let registered = tokio::time::timeout(START_TIMEOUT, restate.register()).await;
        registered.map_err(|_| failed("it did not start within 60 s; are its ports free?"))??;
        Ok(restate)
    }

    /// Tells it of the handlers, again until both are there.
    async fn register(&mut self) -> Result<(), Error> {
        let [_, admin, _, handlers] = PORTS;
        let body = format!("{{\"uri\":\"http://{LISTEN}:{handlers}\"}}");
        loop {
            for child in [&mut self.server, &mut self.handlers] {
                if let Ok(Some(status)) = child.try_wait() {
                    return Err(failed(&format!("a process of it ended: {status}")));
                }
            }
            if let Ok(client) = connect(admin).await
                && post(client, admin, "/deployments", body.clone()).await.is_ok()
            {
                return Ok(());
            }
            tokio::time::sleep(START_POLL).await;
        }
    }

    /// Carries out and accepts so many orders, after a tenth of them to warm it up.
    pub(super) async fn measure(&self, orders: u64, in_flight: usize) -> Result<Outcome, Error> {
        let port = PORTS[0];
        let client = connect(port).await.map_err(|cause| failed(&cause))?;
        let place = |path: &'static str| {
            let client = client.clone();
            move |_| {
                let client = client.clone();
                async move { post(client, port, path, "1".to_owned()).await }
            }
        };
        closed_loop((orders / 10).max(1), in_flight, place("/orders/place")).await?;
        let before = self.cpu();
        let completed = closed_loop(orders, in_flight, place("/orders/place")).await?;
        let after = self.cpu();
        let cpu = [0, 1].map(|index| (after[index] - before[index]) / orders.max(1));
        let accepted = closed_loop(orders, in_flight, place("/orders/place/send")).await?;
        let resident_kib = [&self.server, &self.handlers].map(|child| resident_kib(child.id()));
        Ok(Outcome { completed, accepted, cpu, resident_kib: resident_kib.iter().sum() })
    }

    fn cpu(&self) -> [u64; 2] {
        [&self.server, &self.handlers].map(|child| tree_cpu_micros(child.id()))
    }
}

impl Drop for Restate {
    fn drop(&mut self) {
        for child in [&mut self.server, &mut self.handlers] {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn spawn(command: &mut Command, installed: &Path) -> Result<Child, Error> {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.spawn().map_err(|cause| {
        let place = installed.display();
        failed(&format!("{cause}; install it with `npm ci --prefix {place}`, which needs node"))
    })
}

type Client = SendRequest<String>;

async fn connect(port: u16) -> Result<Client, String> {
    let stream = TcpStream::connect((LISTEN, port)).await.map_err(|e| e.to_string())?;
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (client, connection) = handshake.map_err(|e| e.to_string())?;
    tokio::spawn(connection);
    Ok(client)
}

/// Posts, and reads the answer to its end. Each has a key of its own, under which a repetition would be the same order.
async fn post(mut client: Client, port: u16, path: &str, body: String) -> Result<(), Error> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{LISTEN}:{port}{path}"))
        .header("content-type", "application/json")
        .header("idempotency-key", id::new_request_id())
        .body(body)
        .map_err(|e| Error::internal("bench", e))?;
    let answer = client.send_request(request).await.map_err(|e| failed(&e.to_string()))?;
    let status = answer.status();
    answer.into_body().collect().await.map_err(|e| failed(&e.to_string()))?;
    if status.is_success() { Ok(()) } else { Err(failed(&format!("{path}: {status}"))) }
}

fn failed(cause: &str) -> Error {
    Error::new(Kind::Unavailable, "bench", "PEER_FAILED", format!("restate: {cause}"))
}
