//! The binary as a user runs it: on a data directory of its own, on ports of its own, and killed at will.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// How long a process may take to end after it was asked to.
const MAX_END_TIME: Duration = Duration::from_secs(30);
const LOOK_INTERVAL: Duration = Duration::from_millis(10);
/// Rows of a hundred ports, below those that the kernel gives to outgoing connections: one of those could sit on a port
/// of ours just when a killed process wants it back.
const FIRST_ROW: u16 = 100;
const ROWS: u16 = 220;
/// Ports of a row that a platform takes.
const OFFSETS: [u16; 20] =
    [0, 1, 10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 90, 91, 92, 93, 94, 95, 98, 99];

/// A running `throughline`, killed when dropped.
#[derive(Debug)]
pub struct Up {
    child: Child,
    /// What it printed when everything was serving.
    pub ready: serde_json::Value,
}

/// Where the built binary is: cargo puts it beside the test's own directory.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test has an executable");
    let directory = test.parent().and_then(Path::parent).expect("target/<profile>/deps");
    let binary = directory.join("throughline");
    assert!(binary.exists(), "{} is not built; cargo test --workspace builds it", binary.display());
    binary
}

/// Runs a command to its end.
pub fn run(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).stdin(Stdio::null()).output().expect("the binary starts")
}

/// Runs a command that should end by itself, and kills it when it does not in time.
pub fn run_within(limit: Duration, arguments: &[&str]) -> Output {
    let mut child = Command::new(binary())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let Some(_) = wait_within(&mut child, limit) else {
        let _ = child.kill();
        let output = child.wait_with_output().expect("output");
        panic!("{arguments:?} did not end within {limit:?}: {output:?}");
    };
    child.wait_with_output().expect("output")
}

/// Runs the command that an operator runs afterwards: nothing is live and nothing differs.
pub fn audit_is_clean(data_dir: &Path, port_base: u16) {
    let (directory, port) = (data_dir.to_str().expect("UTF-8"), port_base.to_string());
    let output = run(&["audit", "--json", "--data-dir", directory, "--port-base", &port]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    let report: serde_json::Value = serde_json::from_str(&said).expect("a report");
    assert_eq!(report["live"], 0, "{said}");
    assert_eq!(report["channel_compared"], true, "{said}");
}

/// Asks the HTTP side of a process: status and body, or nothing where nobody answers.
pub fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

fn wait_within(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let patience = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return Some(status);
        }
        if Instant::now() > patience {
            return None;
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
}

/// First of a hundred ports that are free at this moment and that no other test of this process was given.
pub fn free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Processes that test at the same time begin at different rows.
    let begin = u16::try_from(std::process::id().wrapping_mul(37) % u32::from(ROWS)).unwrap_or(0);
    for _ in 0..ROWS {
        let row = (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % ROWS;
        let base = (FIRST_ROW + row) * 100;
        let free = |offset: &u16| TcpListener::bind(("127.0.0.1", base + offset)).is_ok();
        if OFFSETS.iter().all(free) {
            return base;
        }
    }
    panic!("no row of free ports");
}

impl Up {
    /// Starts the whole platform and waits until it says that it is ready.
    pub fn start(data_dir: &Path, port_base: u16, more: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.arg("up");
        Self::ready(place(&mut command, data_dir, port_base).args(more))
    }

    /// Starts one role and waits until it says that it serves.
    pub fn serve(role: &str, data_dir: &Path, port_base: u16) -> Self {
        let mut command = Command::new(binary());
        command.args(["serve", role]);
        Self::ready(place(&mut command, data_dir, port_base))
    }

    /// Starts one role with more options.
    pub fn serve_with(role: &str, data_dir: &Path, port_base: u16, more: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.args(["serve", role]);
        Self::ready(place(&mut command, data_dir, port_base).args(more))
    }

    /// Starts the whole platform; no file may grow beyond so many blocks of 512 bytes, as if the disk were full.
    pub fn start_with_full_disk(data_dir: &Path, port_base: u16, max_file_blocks: u32) -> Self {
        let mut command = Command::new("sh");
        // Ignored, the signal turns into a write that fails. The log goes nowhere: it may be a file as well.
        let script = format!(
            "trap '' XFSZ; ulimit -f {max_file_blocks}; exec {} up \"$@\" 2>/dev/null",
            binary().display()
        );
        command.args(["-c", &script, "sh"]);
        Self::ready(place(&mut command, data_dir, port_base))
    }

    fn ready(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let ready = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not ready: {line:?}"));
        Self { child, ready }
    }

    /// Address of the gateway.
    pub fn gateway_uri(&self) -> String {
        self.ready["gateway"].as_str().expect("a gateway").to_owned()
    }

    /// Number of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Asks it to end, as a service manager does, and waits for it.
    pub fn terminate(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(sent.success(), "no signal reached {pid}");
        wait_within(&mut self.child, MAX_END_TIME).expect("it ends in time")
    }
}

/// A command that runs beside the test, killed when dropped.
#[derive(Debug)]
pub struct Background {
    child: Child,
}

impl Background {
    /// Starts a command whose output nobody reads.
    pub fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { child: command.spawn().expect("the binary starts") }
    }

    /// Waits for its end for a time, and kills it when that is over: whether it was killed.
    pub fn killed_after(mut self, limit: Duration) -> bool {
        wait_within(&mut self.child, limit).is_none()
    }

    /// Kills it; it must not have ended by itself.
    pub fn kill(mut self) {
        let ended = self.child.try_wait().expect("a child");
        assert!(ended.is_none(), "it ended before it could be killed: {ended:?}");
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn place<'c>(command: &'c mut Command, data_dir: &Path, port_base: u16) -> &'c mut Command {
    let port_base = port_base.to_string();
    command.args(["--json", "--data-dir"]).arg(data_dir).args(["--port-base", &port_base])
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
