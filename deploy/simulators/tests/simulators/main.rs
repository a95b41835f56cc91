//! The simulators on real sockets, through their generated clients, on both databases.

mod callback;
mod control;
mod gateway;
mod money;
mod step;
mod world;
