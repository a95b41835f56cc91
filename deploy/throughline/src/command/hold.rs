//! `hold …`

use std::process::ExitCode;
use std::time::Duration;

use throughline_kit::clock::span_to_proto;
use throughline_kit::error::Error;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::hold_service_client::HoldServiceClient;

use crate::args::{HoldAdd, HoldCommand, HoldOn};
use crate::connection::{Session, bounded, refused};
use crate::console::{date_time, short};
use crate::given;

pub(super) async fn run(session: &Session, command: HoldCommand) -> Result<ExitCode, Error> {
    let console = session.console;
    let mut client = HoldServiceClient::new(session.operator()?);
    match command {
        HoldCommand::Add(add) => {
            let (what, when) = (what(&add.on), when(&add));
            let request = bounded(hold(add)?);
            let answer = client.hold_capability(request).await.map_err(refused)?;
            console.answer(&answer.into_inner(), |_| console.line(format!("paused {what}{when}")))
        }
        HoldCommand::Remove(on) => {
            let what = what(&on);
            let (request_id, reason) = (on.why.once.id(), on.why.reason);
            let (template, method) =
                (on.template.unwrap_or_default(), on.method.unwrap_or_default());
            let request = proto::ReleaseCapabilityRequest { request_id, template, method, reason };
            let answer = client.release_capability(bounded(request)).await.map_err(refused)?;
            console.answer(&answer.into_inner(), |_| console.line(format!("{what} goes on")))
        }
        HoldCommand::List => {
            let request = bounded(proto::ListHoldsRequest {});
            let answer = client.list_holds(request).await.map_err(refused)?.into_inner();
            console.answer(&answer, |answer| {
                let rows: Vec<[String; 6]> = answer.holds.iter().map(row).collect();
                console.table(["WHAT", "PAUSED", "BY", "FROM (UTC)", "UNTIL (UTC)", "WHY"], &rows);
            })
        }
    }
}

fn hold(add: HoldAdd) -> Result<proto::HoldCapabilityRequest, Error> {
    let HoldAdd { on, from, until, ramp_minutes } = add;
    Ok(proto::HoldCapabilityRequest {
        request_id: on.why.once.id(),
        template: on.template.unwrap_or_default(),
        method: on.method.unwrap_or_default(),
        reason: on.why.reason,
        start_time: given::time("from", from.as_deref())?,
        end_time: given::time("until", until.as_deref())?,
        ramp: ramp_minutes
            .map(|minutes| span_to_proto(Duration::from_secs(u64::from(minutes) * 60))),
    })
}

fn when(add: &HoldAdd) -> String {
    let said = |word, time: &Option<String>| {
        time.as_ref().map(|time| format!(" {word} {time}")).unwrap_or_default()
    };
    said("from", &add.from) + &said("until", &add.until)
}

fn what(on: &HoldOn) -> String {
    let template = on.template.as_ref().map(|name| format!("template {name}"));
    template.or_else(|| on.method.clone()).unwrap_or_default()
}

fn row(hold: &proto::Hold) -> [String; 6] {
    [
        short(hold.scope().as_str_name(), "HOLD_SCOPE_").to_owned(),
        hold.target.clone(),
        hold.operator.clone(),
        date_time(hold.start_time.as_ref().or(hold.create_time.as_ref())),
        hold.end_time.as_ref().map(|end| date_time(Some(end))).unwrap_or_default(),
        hold.reason.clone(),
    ]
}
