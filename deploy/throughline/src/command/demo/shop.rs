//! A day of a web shop of our own making: about 140 invoices with the dirt and the heavy tail of a real one.

use throughline_kit::error::{Error, Kind};

use super::super::import::{orders_of, show};
use super::super::progress::Progress;
use super::Stage;
use crate::retail::generate::write_day;
use crate::retail::invoice::read;
use crate::retail::submit::import;

/// Orders on the way at a time.
const IN_FLIGHT: usize = 64;
const CHANNEL: &str = "demo-channel";

pub(super) async fn play(stage: &mut Stage, seed: u64) -> Result<(), Error> {
    let mut file = Vec::new();
    write_day(seed, &mut file).map_err(|cause| {
        Error::new(Kind::Internal, "demo", "DAY_NOT_WRITTEN", cause.to_string())
    })?;
    let day = read(file.as_slice())?;
    stage.say("");
    stage.say(format!("a day of a web shop (generated, seed {seed}):"));
    let progress = Progress::orders(orders_of(&day));
    let (channel, operator) = (stage.channel.clone(), stage.operator.clone());
    let summary = import(&channel, &operator, &day, CHANNEL, IN_FLIGHT, |n| progress.at(n)).await?;
    progress.end();
    if !stage.console.is_json() {
        show(stage.console, &summary);
    }
    let unfinished: Vec<String> = summary
        .unfinished
        .iter()
        .map(|order| format!("{} {} {}", order.invoice, order.state, order.reason))
        .collect();
    let all_completed = summary.unfinished.is_empty();
    stage.expect("every order of the day is completed", all_completed, unfinished.join("; "));
    let agrees = summary.differences.is_empty() && summary.totals.iter().all(|t| t.agree());
    stage.expect(
        "the day's money equals the file to the penny",
        agrees,
        format!("{:?} {:?}", summary.totals, summary.differences),
    );
    let most = summary.reports.len();
    stage.expect("lines that make no sense are reported", most > 0, "none was reported");
    Ok(())
}
