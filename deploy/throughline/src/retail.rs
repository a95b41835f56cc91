//! The shop's day: one day of a web shop, in the layout of the UCI data set "Online Retail", driven through the platform's
//! public API.
//!
//! ```text
//! file ──► invoice (sales, returns, reports) ──► catalog (offerings, stock)  ─┐
//!            ▲                              └──► order (submissions)         ─┴─► submit ──► summary, to the penny
//!        generate (a day of our own making, from a seed)
//! ```
//!
//! Everything but [`submit`] is pure. It owns no rule of a center: what a line costs and what comes back is decided there,
//! and compared here with what the file says.

pub mod catalog;
mod field;
pub mod generate;
pub mod invoice;
mod link;
pub mod order;
mod reconcile;
mod record;
pub mod submit;
pub mod summary;
mod words;

pub use generate::write_day;
pub use invoice::{Day, read};
pub use submit::import;
pub use summary::ImportSummary;
