//! Every limit of the gateway, named with its unit.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the gateway runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the keys of the built-in callers lie, one file `<name>.key` each, readable by the owner only.
    pub keys_directory: PathBuf,
    /// Threads of the data plane, each with its own listener and connections; the default is one for each core.
    pub workers: usize,

    /// Largest message in either direction, in bytes; a larger one ends its call: a request with RESOURCE_EXHAUSTED, as
    /// nothing happened, an answer with INTERNAL, as nobody knows.
    pub max_message_bytes: u32,
    /// Largest header list of a call, in bytes.
    pub max_header_list_bytes: u32,
    /// Calls at a time on one connection of a caller.
    pub max_streams_per_connection: u32,
    /// Connections of callers at a time on one worker; further ones are closed at once.
    pub max_connections_per_worker: usize,
    /// Longest time of a call that does not stream, in ms; a shorter `grpc-timeout` is kept.
    pub max_unary_time_ms: u64,
    /// How long a caller may take to begin HTTP/2, in ms.
    pub handshake_timeout_ms: u64,
    /// How long running calls may take to finish after the end was asked for, in ms.
    pub drain_timeout_ms: u64,

    /// How long connecting to an instance may take, in ms.
    pub connect_timeout_ms: u64,
    /// Connections of one worker to one instance.
    pub max_connections_per_endpoint: usize,
    /// Calls of one worker that wait for a place on a connection to one instance; further ones are refused.
    pub max_waiting_calls_per_endpoint: usize,

    /// Registered instances at a time.
    pub max_instances: usize,
    /// Callers at a time.
    pub max_callers: usize,
    /// After this time without renewal an instance gets no more calls, in ms.
    pub lease_ttl_ms: u64,
    /// How often an instance is asked to renew, in ms.
    pub renew_interval_ms: u64,
    /// How often leases are looked at, in ms.
    pub lease_check_interval_ms: u64,

    /// Hop records wait at most this long before they are stored, in ms.
    pub hop_flush_interval_ms: u64,
    /// Hop records of one worker that wait to be stored; further ones are counted and warned about, not stored.
    pub max_buffered_hops: usize,
    /// Hop records in one change.
    pub max_hops_per_change: usize,
    /// Entries of one trajectory that are read: business steps, and in the room that they leave calls.
    pub max_trajectory_entries: usize,
    /// Trajectories watched at a time.
    pub max_watches: usize,
    /// How often a watched trajectory is looked at when nothing is announced, in ms.
    pub watch_poll_interval_ms: u64,
    /// How long hops and steps are kept, in days.
    pub trajectory_kept_days: u64,
    /// How often old hops and steps are deleted, in ms.
    pub cleanup_interval_ms: u64,
    /// Rows deleted in one change.
    pub max_deleted_rows_per_change: u32,
    /// Centers whose events become business steps.
    pub followed_centers: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            keys_directory: PathBuf::from("keys"),
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            max_message_bytes: 8 << 20,
            max_header_list_bytes: 32 << 10,
            max_streams_per_connection: 10_000,
            max_connections_per_worker: 4_096,
            max_unary_time_ms: 60_000,
            handshake_timeout_ms: 10_000,
            drain_timeout_ms: 5_000,
            connect_timeout_ms: 3_000,
            max_connections_per_endpoint: 8,
            max_waiting_calls_per_endpoint: 10_000,
            max_instances: 1_000,
            max_callers: 1_000,
            lease_ttl_ms: 10_000,
            renew_interval_ms: 3_000,
            lease_check_interval_ms: 200,
            hop_flush_interval_ms: 50,
            max_buffered_hops: 100_000,
            max_hops_per_change: 512,
            max_trajectory_entries: 10_000,
            max_watches: 1_000,
            watch_poll_interval_ms: 1_000,
            trajectory_kept_days: 30,
            cleanup_interval_ms: 60_000,
            max_deleted_rows_per_change: 1_000,
            followed_centers: ["order", "payment", "resource", "product", "notification"]
                .map(str::to_owned)
                .to_vec(),
        }
    }
}

/// Reads a span that is configured in milliseconds.
pub(crate) fn milliseconds(value: u64) -> Duration {
    Duration::from_millis(value)
}
