//! Whom a process is connected to, as the kernel sees it (Linux).

use std::collections::BTreeSet;
use std::fs;

/// State of a socket in the kernel's table.
const ESTABLISHED: &str = "01";
const LISTENING: &str = "0A";

/// A TCP socket of a process.
struct Socket {
    state: String,
    here: u16,
    there: u16,
}

/// Ports on which a process listens.
pub fn listening(pid: u32) -> BTreeSet<u16> {
    let listens = |socket: &Socket| socket.state == LISTENING;
    sockets(pid).into_iter().filter(listens).map(|socket| socket.here).collect()
}

/// Open connections of a process: its own port, and the port of the other side.
pub fn established(pid: u32) -> Vec<(u16, u16)> {
    let is_open = |socket: &Socket| socket.state == ESTABLISHED;
    sockets(pid).into_iter().filter(is_open).map(|socket| (socket.here, socket.there)).collect()
}

fn sockets(pid: u32) -> Vec<Socket> {
    let own = inodes(pid);
    assert!(!own.is_empty(), "process {pid} has sockets");
    ["tcp", "tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(format!("/proc/{pid}/net/{table}")).ok())
        .flat_map(|text| {
            text.lines().skip(1).filter_map(|row| socket(row, &own)).collect::<Vec<_>>()
        })
        .collect()
}

/// Reads a row of the kernel's table if the socket is one of the given.
fn socket(row: &str, own: &BTreeSet<String>) -> Option<Socket> {
    let fields: Vec<&str> = row.split_whitespace().collect();
    let port = |address: &str| {
        let (_, port) = address.split_once(':')?;
        u16::from_str_radix(port, 16).ok()
    };
    let &[_, here, there, state, _, _, _, _, _, inode, ..] = fields.as_slice() else {
        return None;
    };
    own.contains(inode).then_some(())?;
    Some(Socket { state: state.to_owned(), here: port(here)?, there: port(there)? })
}

fn inodes(pid: u32) -> BTreeSet<String> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).expect("a running process");
    files
        .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
        .filter_map(|target| {
            let target = target.to_str()?;
            Some(target.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect()
}
