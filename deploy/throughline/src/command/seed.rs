//! `seed FILE`

use std::path::Path;
use std::process::ExitCode;

use throughline_kit::error::{Error, Kind};

use crate::connection::Session;
use crate::seed::Seed;

pub(super) async fn run(session: &Session, file: &Path) -> Result<ExitCode, Error> {
    let seed = Seed::parse(&read(file)?)?;
    let seeded = seed.load(&session.client("operator")?).await?;
    if session.console.is_json() {
        session.console.line(format!(
            r#"{{"release":{},"offerings":{},"pools":{}}}"#,
            seeded.release, seeded.offerings, seeded.pools
        ));
    } else {
        session.console.line(format!(
            "catalog release {}: {} offerings added or changed; stock: {} pools",
            seeded.release, seeded.offerings, seeded.pools
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads a text file; an error names it.
pub(super) fn read(file: &Path) -> Result<String, Error> {
    std::fs::read_to_string(file).map_err(|cause| {
        let message = format!("file {} cannot be read: {cause}", file.display());
        Error::new(Kind::Invalid, "file", "FILE_UNREADABLE", message)
    })
}
