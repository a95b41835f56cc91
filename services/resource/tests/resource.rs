//! The resource center through its gRPC services, on a real socket and on both databases.

#[path = "resource/center.rs"]
mod center;
#[path = "resource/concurrency.rs"]
mod concurrency;
#[path = "resource/histories.rs"]
mod histories;
#[path = "resource/lifetime.rs"]
mod lifetime;
#[path = "resource/requests.rs"]
mod requests;
#[path = "resource/reservations.rs"]
mod reservations;
#[path = "resource/returns.rs"]
mod returns;
#[path = "resource/stock.rs"]
mod stock;
