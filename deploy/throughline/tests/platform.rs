//! Commands against a platform that runs in the test, on a directory of its own and any ports.

#[path = "platform/follow.rs"]
mod follow;
#[path = "platform/import.rs"]
mod import;
#[path = "platform/operate.rs"]
mod operate;
#[path = "platform/seed.rs"]
mod seed;
#[path = "platform/template.rs"]
mod template;
#[path = "platform/world.rs"]
mod world;
