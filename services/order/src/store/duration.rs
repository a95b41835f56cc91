//! Rows of measured durations.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Database, Insert, Tx, corrupt};
use throughline_kit::{AnyRow, Row};

use crate::duration::{Durations, MAX_MEASURED_STEPS, StepKey};
use crate::error::DOMAIN;

const SELECT_ALL: &str = "SELECT template, step_id, durations FROM step_durations \
     ORDER BY updated_at_us DESC LIMIT $1";
static UPSERT: Insert = Insert {
    table: "step_durations",
    columns: &["template", "step_id", "durations", "updated_at_us"],
    otherwise: "ON CONFLICT (template, step_id) DO UPDATE SET durations = excluded.durations, \
        updated_at_us = excluded.updated_at_us",
};

/// Reads what was measured, the latest first.
pub(crate) async fn all(database: &Database) -> Result<Vec<(StepKey, Durations)>, Error> {
    let most = i64::try_from(MAX_MEASURED_STEPS).unwrap_or(i64::MAX);
    let rows = database.fetch_all(SELECT_ALL, [most.into()]).await?;
    rows.iter().map(measured).collect()
}

fn measured(row: &AnyRow) -> Result<(StepKey, Durations), Error> {
    let text: String = row.get(2);
    let durations =
        serde_json::from_str(&text).map_err(|cause| corrupt(DOMAIN, "step_durations", cause))?;
    Ok(((row.get(0), row.get(1)), durations))
}

/// Stores what was measured.
#[derive(Debug)]
pub(crate) struct SaveDurations {
    /// All that changed.
    pub(crate) measured: Vec<(StepKey, Durations)>,
    /// Now.
    pub(crate) at: Instant,
}

impl Change for SaveDurations {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        let mut rows = Vec::with_capacity(self.measured.len());
        for ((template, step), durations) in &self.measured {
            let text = serde_json::to_string(durations).map_err(|e| Error::internal(DOMAIN, e))?;
            let (template, step) = (template.as_str(), step.as_str());
            rows.push(vec![template.into(), step.into(), text.into(), self.at.into()]);
        }
        tx.put(&UPSERT, rows).await.map(drop)
    }
}
