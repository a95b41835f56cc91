//! Business journeys: the whole platform in this process, called as a channel app and an operator call it. Each ends with an audit.

#[path = "journeys/cancelling.rs"]
mod cancelling;
#[path = "journeys/converged.rs"]
mod converged;
#[path = "journeys/every_template.rs"]
mod every_template;
#[path = "journeys/following.rs"]
mod following;
#[path = "journeys/messages.rs"]
mod messages;
#[path = "journeys/misbehavior.rs"]
mod misbehavior;
#[path = "journeys/no_return.rs"]
mod no_return;
#[path = "journeys/pausing.rs"]
mod pausing;
#[path = "journeys/paying.rs"]
mod paying;
#[path = "journeys/policies.rs"]
mod policies;
#[path = "journeys/purchase.rs"]
mod purchase;
#[path = "journeys/returns.rs"]
mod returns;
#[path = "journeys/rush.rs"]
mod rush;
#[path = "journeys/size.rs"]
mod size;
#[path = "journeys/trajectory.rs"]
mod trajectory;
