//! The promises of the gateway, over real sockets.

mod access;
mod backends;
mod calls;
mod health;
mod limits;
mod platform;
mod protocol;
mod raw;
mod registry;
mod resets;
mod store;
mod trajectory;
