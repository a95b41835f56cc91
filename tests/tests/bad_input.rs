//! Bad input at the gateway and at the command line: a clear message that names what and where, and nothing is lost or
//! done twice.

#[path = "bad_input/callers.rs"]
mod callers;
#[path = "bad_input/center_fields.rs"]
mod center_fields;
#[path = "bad_input/commands.rs"]
mod commands;
#[path = "bad_input/fields.rs"]
mod fields;
#[path = "bad_input/flows.rs"]
mod flows;
#[path = "bad_input/full_disk.rs"]
mod full_disk;
#[path = "bad_input/places.rs"]
mod places;
#[path = "bad_input/repeated.rs"]
mod repeated;
#[path = "bad_input/requests.rs"]
mod requests;
#[path = "bad_input/settings.rs"]
mod settings;
#[path = "bad_input/unknown.rs"]
mod unknown;
#[path = "bad_input/wire.rs"]
mod wire;
