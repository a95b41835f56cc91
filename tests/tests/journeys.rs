//! Business journeys: the whole platform in this process, called as a channel app and an operator call it. Each ends with an audit.

#[path = "journeys/cancelling.rs"]
mod cancelling;
#[path = "journeys/converged.rs"]
mod converged;
#[path = "journeys/following.rs"]
mod following;
#[path = "journeys/messages.rs"]
mod messages;
#[path = "journeys/misbehavior.rs"]
mod misbehavior;
#[path = "journeys/paying.rs"]
mod paying;
#[path = "journeys/purchase.rs"]
mod purchase;
#[path = "journeys/returns.rs"]
mod returns;
#[path = "journeys/rush.rs"]
mod rush;
#[path = "journeys/trajectory.rs"]
mod trajectory;
