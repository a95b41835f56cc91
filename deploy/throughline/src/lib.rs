//! The one binary of Throughline: the platform in any topology, its demo, and the operator's commands.
//!
//! ```text
//! main ─► args ─► command/* ─┬─► platform: roles in this process (up, demo, serve)
//!                            └─► connection: a running gateway, called with a key like anybody else
//! ```

pub mod args;
pub mod audit;
pub mod command;
pub mod connection;
pub mod console;
pub mod given;
pub mod orders;
pub mod pages;
mod patience;
pub mod platform;
pub mod retail;
pub mod seed;
pub mod settings;
