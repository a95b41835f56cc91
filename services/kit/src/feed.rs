//! A center's outbox as a stream, and following the streams of others.

mod follow;
mod serve;

pub use follow::{Consumer, Cursor, FollowConfig, follow};
pub use serve::{FeedServer, MAX_EVENTS_PER_MESSAGE};
