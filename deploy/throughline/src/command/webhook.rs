//! `webhook …`

use std::process::ExitCode;

use throughline_kit::error::Error;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::redeliver_webhook_request::What;
use throughline_proto::order::v1::webhook_service_client::WebhookServiceClient;

use crate::args::{
    WebhookCommand, WebhookDeliveries, WebhookOne, WebhookRedelivery, WebhookSetting,
};
use crate::connection::{Session, bounded, refused};
use crate::console::{Console, date_time, short};
use crate::{given, pages};

pub(super) async fn run(session: &Session, command: WebhookCommand) -> Result<ExitCode, Error> {
    match command {
        WebhookCommand::Set(setting) => set(session, setting).await,
        WebhookCommand::List { channel, limit } => list(session, channel, limit.rows).await,
        WebhookCommand::Deliveries(wanted) => deliveries(session, wanted).await,
        WebhookCommand::Redeliver(wanted) => redeliver(session, wanted).await,
        WebhookCommand::RotateSecret(one) => rotate_secret(session, one).await,
        WebhookCommand::Pause(one) => pause(session, one).await,
        WebhookCommand::Resume(one) => resume(session, one).await,
        WebhookCommand::Delete(one) => delete(session, one).await,
    }
}

async fn set(session: &Session, setting: WebhookSetting) -> Result<ExitCode, Error> {
    let console = session.console;
    let request = proto::SetWebhookRequest {
        request_id: setting.once.id(),
        channel: setting.channel.unwrap_or_default(),
        name: setting.name,
        url: setting.url,
        event_types: setting.events,
    };
    let answer = WebhookServiceClient::new(session.operator()?)
        .set_webhook(bounded(request))
        .await
        .map_err(refused)?
        .into_inner();
    console.answer(&answer, |answer| {
        show(console, answer.webhook.as_ref());
        if answer.secret.is_empty() {
            console.line("changed; its secret stays");
        } else {
            say_secret(console, &answer.secret);
        }
    })
}

fn say_secret(console: Console, secret: &str) {
    console.line("its secret is shown only now:");
    console.line(secret);
}

fn show(console: Console, webhook: Option<&proto::Webhook>) {
    let webhook = webhook.cloned().unwrap_or_default();
    let proto::Webhook { webhook_id, channel, name, url, .. } = &webhook;
    console.line(format!("webhook   {webhook_id}  {}  {channel}/{name}", state(&webhook)));
    console.line(format!("sends     {} to {url}", events(&webhook)));
}

fn state(webhook: &proto::Webhook) -> &'static str {
    short(webhook.state().as_str_name(), "WEBHOOK_STATE_")
}

fn events(webhook: &proto::Webhook) -> String {
    match webhook.event_types.is_empty() {
        true => "every order event".to_owned(),
        false => webhook.event_types.join(" "),
    }
}

async fn list(session: &Session, channel: Option<String>, limit: u32) -> Result<ExitCode, Error> {
    let client = WebhookServiceClient::new(session.operator()?);
    let channel = channel.unwrap_or_default();
    let found = pages::read(limit, |page_size, page_token| {
        let channel = channel.clone();
        let request = bounded(proto::ListWebhooksRequest { channel, page_size, page_token });
        let mut client = client.clone();
        async move {
            let page = client.list_webhooks(request).await.map_err(refused)?.into_inner();
            Ok((page.webhooks, page.next_page_token))
        }
    })
    .await?;
    let heading = ["WEBHOOK", "STATE", "CHANNEL", "NAME", "URL", "EVENTS"];
    session.console.list(&found, heading, |webhook: &proto::Webhook| {
        [
            webhook.webhook_id.clone(),
            state(webhook).to_owned(),
            webhook.channel.clone(),
            webhook.name.clone(),
            webhook.url.clone(),
            events(webhook),
        ]
    })
}

async fn deliveries(session: &Session, wanted: WebhookDeliveries) -> Result<ExitCode, Error> {
    let client = WebhookServiceClient::new(session.operator()?);
    let state = match wanted.failed {
        true => proto::WebhookDeliveryState::Failed,
        false => proto::WebhookDeliveryState::Unspecified,
    };
    let request = proto::ListDeliveriesRequest {
        webhook_id: wanted.webhook.unwrap_or_default(),
        order_id: wanted.order.unwrap_or_default(),
        state: state.into(),
        ..proto::ListDeliveriesRequest::default()
    };
    let found = pages::read(wanted.limit.rows, |page_size, page_token| {
        let request = proto::ListDeliveriesRequest { page_size, page_token, ..request.clone() };
        let mut client = client.clone();
        async move {
            let page =
                client.list_deliveries(bounded(request)).await.map_err(refused)?.into_inner();
            Ok((page.deliveries, page.next_page_token))
        }
    })
    .await?;
    let heading =
        ["DELIVERY", "STATE", "EVENT", "ORDER", "ATTEMPTS", "NEXT (UTC)", "ANSWER", "WHY"];
    session.console.list(&found, heading, delivery)
}

fn delivery(delivery: &proto::WebhookDelivery) -> [String; 8] {
    let code = delivery.response_code;
    let why = delivery.failure.as_ref().map(|failure| failure.reason.clone());
    [
        delivery.delivery_id.clone(),
        short(delivery.state().as_str_name(), "WEBHOOK_DELIVERY_STATE_").to_owned(),
        delivery.event_type.clone(),
        delivery.order_id.clone(),
        delivery.attempts.to_string(),
        date_time(delivery.next_attempt_time.as_ref()),
        if code == 0 { "-".to_owned() } else { code.to_string() },
        why.unwrap_or_default(),
    ]
}

async fn redeliver(session: &Session, wanted: WebhookRedelivery) -> Result<ExitCode, Error> {
    let since_time = given::time("--since", wanted.since.as_deref())?;
    let what = match (wanted.delivery, wanted.failed) {
        (Some(delivery_id), _) => Some(What::DeliveryId(delivery_id)),
        (None, Some(webhook_id)) => {
            Some(What::Failed(proto::FailedDeliveries { webhook_id, since_time }))
        }
        (None, None) => None,
    };
    let request = proto::RedeliverWebhookRequest { request_id: wanted.once.id(), what };
    let answer = WebhookServiceClient::new(session.operator()?)
        .redeliver_webhook(bounded(request))
        .await
        .map_err(refused)?
        .into_inner();
    session.console.answer(&answer, |answer| {
        let more = if answer.more { "; more are left, ask again" } else { "" };
        session.console.line(format!("{} will be sent again{more}", answer.deliveries));
    })
}

async fn rotate_secret(session: &Session, one: WebhookOne) -> Result<ExitCode, Error> {
    let request_id = one.once.id();
    let request = proto::RotateWebhookSecretRequest { request_id, webhook_id: one.id };
    let answer = WebhookServiceClient::new(session.operator()?)
        .rotate_webhook_secret(bounded(request))
        .await
        .map_err(refused)?
        .into_inner();
    session.console.answer(&answer, |answer| {
        show(session.console, answer.webhook.as_ref());
        say_secret(session.console, &answer.secret);
    })
}

async fn pause(session: &Session, one: WebhookOne) -> Result<ExitCode, Error> {
    let request = proto::PauseWebhookRequest { request_id: one.once.id(), webhook_id: one.id };
    let answer = WebhookServiceClient::new(session.operator()?)
        .pause_webhook(bounded(request))
        .await
        .map_err(refused)?
        .into_inner();
    session.console.answer(&answer, |answer| show(session.console, answer.webhook.as_ref()))
}

async fn resume(session: &Session, one: WebhookOne) -> Result<ExitCode, Error> {
    let request = proto::ResumeWebhookRequest { request_id: one.once.id(), webhook_id: one.id };
    let answer = WebhookServiceClient::new(session.operator()?)
        .resume_webhook(bounded(request))
        .await
        .map_err(refused)?
        .into_inner();
    session.console.answer(&answer, |answer| show(session.console, answer.webhook.as_ref()))
}

async fn delete(session: &Session, one: WebhookOne) -> Result<ExitCode, Error> {
    let said = format!("{} is removed", one.id);
    let request = proto::DeleteWebhookRequest { request_id: one.once.id(), webhook_id: one.id };
    let answer = WebhookServiceClient::new(session.operator()?)
        .delete_webhook(bounded(request))
        .await
        .map_err(refused)?
        .into_inner();
    session.console.answer(&answer, |_| session.console.line(said))
}
