//! `hold …`

use std::process::ExitCode;

use throughline_kit::error::Error;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::hold_service_client::HoldServiceClient;

use crate::args::{HoldCommand, HoldOn};
use crate::connection::{Session, bounded, refused};
use crate::console::{date_time, short};

pub(super) async fn run(session: &Session, command: HoldCommand) -> Result<ExitCode, Error> {
    let console = session.console;
    let mut client = HoldServiceClient::new(session.operator()?);
    match command {
        HoldCommand::Add(on) => {
            let what = what(&on);
            let (request_id, reason) = (on.why.once.id(), on.why.reason);
            let (template, method) =
                (on.template.unwrap_or_default(), on.method.unwrap_or_default());
            let request = proto::HoldCapabilityRequest { request_id, template, method, reason };
            let answer = client.hold_capability(bounded(request)).await.map_err(refused)?;
            console.answer(&answer.into_inner(), |_| console.line(format!("paused {what}")))
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
                let rows: Vec<[String; 5]> = answer.holds.iter().map(row).collect();
                console.table(["WHAT", "PAUSED", "BY", "SINCE (UTC)", "WHY"], &rows);
            })
        }
    }
}

fn what(on: &HoldOn) -> String {
    let template = on.template.as_ref().map(|name| format!("template {name}"));
    template.or_else(|| on.method.clone()).unwrap_or_default()
}

fn row(hold: &proto::Hold) -> [String; 5] {
    [
        short(hold.scope().as_str_name(), "HOLD_SCOPE_").to_owned(),
        hold.target.clone(),
        hold.operator.clone(),
        date_time(hold.create_time.as_ref()),
        hold.reason.clone(),
    ]
}
