//! What the pure core promises, without I/O: tables for the cases that have names, a simulator for all the others.

mod cases;
mod faults;
mod plans;
mod run;
mod simulation;
mod states;
