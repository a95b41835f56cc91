//! `channel create NAME`

use std::process::ExitCode;

use throughline_kit::error::Error;
use throughline_kit::id;
use throughline_proto::gateway::v1 as proto;
use throughline_proto::gateway::v1::access_service_client::AccessServiceClient;

use crate::args::ChannelCommand;
use crate::connection::{Session, bounded, refused};

pub(super) async fn run(session: &Session, command: ChannelCommand) -> Result<ExitCode, Error> {
    let ChannelCommand::Create { name, grants, rights } = command;
    let request = proto::CreateChannelRequest {
        name,
        method_grants: grants,
        right_grants: rights,
        request_id: id::new_request_id(),
    };
    let created = AccessServiceClient::new(session.client("operator")?.channel())
        .create_channel(bounded(request))
        .await
        .map_err(refused)?
        .into_inner();
    if session.console.is_json() {
        session.console.message(&created)?;
    } else {
        let name = created.caller.map(|caller| caller.name).unwrap_or_default();
        session.console.line(format!("channel {name} created; its key is shown only now:"));
        session.console.line(created.api_key);
    }
    Ok(ExitCode::SUCCESS)
}
