//! The platform under test: in this process, or as separate processes that can be killed.
//!
//! ```text
//! world    the whole platform in this process ─┐
//! process  `throughline` as a user runs it    ─┴─► desk: a channel and an operator who call the gateway
//! shopping orders in code
//! ```

pub mod desk;
pub mod process;
pub mod shopping;
pub mod world;
