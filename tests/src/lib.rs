//! The platform under test: in this process, or as separate processes that can be killed.
//!
//! ```text
//! world    the whole platform in this process ─┐
//! process  `throughline` as a user runs it    ─┴─► desk: those who call the gateway
//! shopping orders in code
//! actions  what else people and outside systems do
//! operations  what a back office does with orders on their way
//! traces   what orders leave behind
//! tour     orders of each kind, whose ends can be compared
//! roles    one process for each role, killed and started again one by one
//! flows    templates that tests publish, and what is delivered by them
//! effort   how much a test does
//! load     a mix of orders that go on while things break
//! back_office  what persons do with orders while things break
//! proof    that nothing was lost and nothing done twice
//! shop_day what a file of a web shop's day says
//! postgres a database of a test's own
//! peers    whom a process is connected to
//! chance   random moments from a seed
//! ```

pub mod actions;
pub mod back_office;
pub mod chance;
pub mod desk;
pub mod effort;
pub mod flows;
pub mod load;
pub mod operations;
pub mod peers;
pub mod postgres;
pub mod process;
pub mod proof;
pub mod roles;
pub mod shop_day;
pub mod shopping;
pub mod tour;
pub mod traces;
pub mod world;
