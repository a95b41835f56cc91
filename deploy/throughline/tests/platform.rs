//! Commands against a platform that runs in the test, on a directory of its own and any ports.

#[path = "platform/follow.rs"]
mod follow;
#[path = "platform/import.rs"]
mod import;
#[path = "platform/seed.rs"]
mod seed;
#[path = "platform/world.rs"]
mod world;
