//! Options that several commands take.

use clap::Args;
use throughline_kit::id::new_request_id;

/// What makes a request the same over its repeats.
#[derive(Clone, Debug, Default, Args)]
pub struct Once {
    /// UUID of the request: the same one is carried out once and answered the same [default: a new one].
    #[arg(long, value_name = "UUID")]
    pub request_id: Option<String>,
}

impl Once {
    /// The id that was given, or a new one.
    pub fn id(&self) -> String {
        self.request_id.clone().unwrap_or_else(new_request_id)
    }
}

/// Why something is done; the person is who the key belongs to.
#[derive(Clone, Debug, Args)]
pub struct Why {
    /// Why, 1 to 200 characters; it is kept with who did it.
    #[arg(long)]
    pub reason: String,
    /// What makes the request the same over its repeats.
    #[command(flatten)]
    pub once: Once,
}

/// How much of a list is shown.
#[derive(Clone, Copy, Debug, Args)]
pub struct Limit {
    /// How many at most.
    #[arg(long = "limit", default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rows: u32,
}
