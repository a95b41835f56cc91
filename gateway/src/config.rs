//! Every limit of the gateway, named with its unit.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use throughline_kit::config::Check;
use throughline_kit::error::Error;

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

impl Config {
    /// Refuses values with which the gateway could not work, and names them.
    pub fn check(&self) -> Result<(), Error> {
        let mut check = Check::of("gateway");
        check.above_zero("workers", self.workers);
        let limits = [
            ("max_connections_per_worker", self.max_connections_per_worker),
            ("max_connections_per_endpoint", self.max_connections_per_endpoint),
            ("max_waiting_calls_per_endpoint", self.max_waiting_calls_per_endpoint),
            ("max_instances", self.max_instances),
            ("max_callers", self.max_callers),
            ("max_buffered_hops", self.max_buffered_hops),
            ("max_hops_per_change", self.max_hops_per_change),
            ("max_trajectory_entries", self.max_trajectory_entries),
            ("max_watches", self.max_watches),
        ];
        let sizes = [
            ("max_message_bytes", self.max_message_bytes),
            ("max_header_list_bytes", self.max_header_list_bytes),
            ("max_streams_per_connection", self.max_streams_per_connection),
            ("max_deleted_rows_per_change", self.max_deleted_rows_per_change),
        ];
        let times = [
            ("max_unary_time_ms", self.max_unary_time_ms),
            ("handshake_timeout_ms", self.handshake_timeout_ms),
            ("connect_timeout_ms", self.connect_timeout_ms),
            ("renew_interval_ms", self.renew_interval_ms),
            ("lease_check_interval_ms", self.lease_check_interval_ms),
            ("hop_flush_interval_ms", self.hop_flush_interval_ms),
            ("watch_poll_interval_ms", self.watch_poll_interval_ms),
            ("trajectory_kept_days", self.trajectory_kept_days),
            ("cleanup_interval_ms", self.cleanup_interval_ms),
        ];
        limits.into_iter().for_each(|(key, value)| check.above_zero(key, value));
        sizes.into_iter().for_each(|(key, value)| check.above_zero(key, value));
        times.into_iter().for_each(|(key, value)| check.above_zero(key, value));
        // One renewal may be lost.
        check.at_least("lease_ttl_ms", self.lease_ttl_ms, self.renew_interval_ms.saturating_mul(2));
        check.finish()
    }
}

/// Reads a span that is configured in milliseconds.
pub(crate) fn milliseconds(value: u64) -> Duration {
    Duration::from_millis(value)
}
