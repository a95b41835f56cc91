//! `campaign …`

use std::path::Path;
use std::process::ExitCode;

use throughline_kit::error::{Error, Kind};
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::campaign_service_client::CampaignServiceClient;

use crate::args::CampaignCommand;
use crate::connection::{Session, bounded, refused};
use crate::console::{Console, date_time, from_yaml, short};
use crate::{given, pages};

pub(super) async fn run(session: &Session, command: CampaignCommand) -> Result<ExitCode, Error> {
    let console = session.console;
    let said = |one: &Option<proto::Campaign>| show(console, &one.clone().unwrap_or_default());
    let mut client = CampaignServiceClient::new(session.operator()?);
    match command {
        CampaignCommand::Set { file, once } => {
            let (request_id, campaign) = (once.id(), Some(read(&file)?));
            let request = bounded(proto::SetCampaignRequest { request_id, campaign });
            let answer = client.set_campaign(request).await.map_err(refused)?.into_inner();
            console.answer(&answer, |answer| said(&answer.campaign))
        }
        CampaignCommand::List { state, limit } => {
            let name = "throughline.order.v1.CampaignState";
            let state = given::enum_value(name, "CAMPAIGN_STATE_", state.as_deref())?;
            list(session, state, limit.rows).await
        }
        CampaignCommand::Show { code } => {
            let request = bounded(proto::GetCampaignRequest { campaign: code });
            let answer = client.get_campaign(request).await.map_err(refused)?.into_inner();
            console.answer(&answer, |answer| said(&answer.campaign))
        }
        CampaignCommand::End { code, once } => {
            let request = proto::EndCampaignRequest { request_id: once.id(), campaign: code };
            let answer = client.end_campaign(bounded(request)).await.map_err(refused)?.into_inner();
            console.answer(&answer, |answer| said(&answer.campaign))
        }
    }
}

/// Reads a campaign from a file.
fn read(file: &Path) -> Result<proto::Campaign, Error> {
    let name = file.display().to_string();
    let text = super::seed::read(file)?;
    let document: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text)
        .map_err(|e| Error::new(Kind::Invalid, "file", "FILE_INVALID", format!("{name}: {e}")))?;
    from_yaml(&name, document)
}

async fn list(session: &Session, state: i32, limit: u32) -> Result<ExitCode, Error> {
    let client = CampaignServiceClient::new(session.operator()?);
    let found = pages::read(limit, |page_size, page_token| {
        let request = bounded(proto::ListCampaignsRequest { page_size, page_token, state });
        let mut client = client.clone();
        async move {
            let page = client.list_campaigns(request).await.map_err(refused)?.into_inner();
            Ok((page.campaigns, page.next_page_token))
        }
    })
    .await?;
    let heading = ["CAMPAIGN", "STATE", "KIND", "TAKEN", "OF", "FROM (UTC)", "TO (UTC)"];
    session.console.list(&found, heading, row)
}

fn row(campaign: &proto::Campaign) -> [String; 7] {
    [
        campaign.campaign.clone(),
        state(campaign).to_owned(),
        kind(campaign).to_owned(),
        campaign.taken_units.to_string(),
        limit(campaign.total_units),
        date_time(campaign.start_time.as_ref()),
        date_time(campaign.end_time.as_ref()),
    ]
}

fn state(campaign: &proto::Campaign) -> &'static str {
    short(campaign.state().as_str_name(), "CAMPAIGN_STATE_")
}

fn kind(campaign: &proto::Campaign) -> &'static str {
    short(campaign.kind().as_str_name(), "CAMPAIGN_KIND_")
}

fn limit(units: i64) -> String {
    if units == 0 { "any number".to_owned() } else { units.to_string() }
}

fn show(console: Console, campaign: &proto::Campaign) {
    let (state, kind) = (state(campaign), kind(campaign));
    console.line(format!("campaign  {}  {state}  {kind}", campaign.campaign));
    let mut names: Vec<String> =
        campaign.names.iter().map(|(language, name)| format!("{name} ({language})")).collect();
    names.sort_unstable();
    console.line(format!("name      {}", names.join(", ")));
    let (from, to) =
        (date_time(campaign.start_time.as_ref()), date_time(campaign.end_time.as_ref()));
    console.line(format!("from      {from} to {to}"));
    let (total, buyer) = (limit(campaign.total_units), limit(campaign.units_per_buyer));
    console.line(format!("units     {} of {total} taken, a buyer {buyer}", campaign.taken_units));
    if let Some(terms) = &campaign.group_terms {
        let seconds = terms.group_ttl.as_ref().map_or(0, |ttl| ttl.seconds);
        console.line(format!("groups    of {}, within {seconds} s", terms.group_size));
    }
    console.line(format!("sells     {}", campaign.offering_codes.join(", ")));
    if !campaign.channels.is_empty() {
        console.line(format!("channels  {}", campaign.channels.join(", ")));
    }
    if !campaign.template.is_empty() {
        console.line(format!("template  {}", campaign.template));
    }
}
