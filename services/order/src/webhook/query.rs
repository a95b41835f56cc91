//! Reads webhooks and deliveries for callers: a channel sees its own, operators and centers see all.

use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Violations};
use throughline_kit::identity::Caller;
use throughline_kit::paging::Page;
use throughline_kit::storage::Database;
use throughline_proto::order::v1 as proto;

use super::delivery::{Delivery, DeliveryId};
use super::error::WebhookError;
use super::store::{self, DeliveryFilter};
use super::{Webhook, WebhookId, convert};
use crate::error::DOMAIN;

/// Reads webhooks and deliveries.
#[derive(Clone, Debug)]
pub(crate) struct WebhookQuery {
    /// Where they are.
    pub(crate) database: Database,
}

impl WebhookQuery {
    /// Reads one webhook that the caller may see.
    pub(crate) async fn get(&self, caller: &Caller, id: &str) -> Result<Webhook, Error> {
        let missing = || WebhookError::NotFound(id.to_owned());
        WebhookId::parse(id).map_err(|_| missing())?;
        let found = store::by_id(&self.database, id, caller.channel()).await?;
        Ok(found.ok_or_else(missing)?)
    }

    /// Lists webhooks, by id.
    pub(crate) async fn list(
        &self,
        caller: &Caller,
        request: proto::ListWebhooksRequest,
    ) -> Result<proto::ListWebhooksResponse, Error> {
        let page = Page::<String>::parse(DOMAIN, request.page_size, &request.page_token)?;
        let mut wrong = Violations::new(DOMAIN);
        wrong.length("channel", &request.channel, 0, 64);
        wrong.finish()?;
        let channel = caller.channel().map(str::to_owned).or_else(|| some(request.channel));
        let after = page.after.clone().unwrap_or_default();
        let found = store::page(&self.database, channel, &after, page.fetch_limit()).await?;
        let (found, next_page_token) = page.cut(found, |webhook| webhook.id.to_string());
        let webhooks = found.iter().map(convert::webhook).collect();
        Ok(proto::ListWebhooksResponse { webhooks, next_page_token })
    }

    /// Reads one delivery that the caller may see.
    pub(crate) async fn delivery(&self, caller: &Caller, id: &str) -> Result<Delivery, Error> {
        let missing = || WebhookError::DeliveryNotFound(id.to_owned());
        DeliveryId::parse(id).map_err(|_| missing())?;
        let found = store::by_delivery_id(&self.database, id, caller.channel()).await?;
        Ok(found.ok_or_else(missing)?)
    }

    /// Lists deliveries, newest first.
    pub(crate) async fn deliveries(
        &self,
        caller: &Caller,
        request: proto::ListDeliveriesRequest,
    ) -> Result<proto::ListDeliveriesResponse, Error> {
        let page = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
        let mut wrong = Violations::new(DOMAIN);
        if request.webhook_id.is_empty() && request.order_id.is_empty() {
            wrong.add("webhook_id", "must not be empty where order_id is empty");
        }
        wrong.length("order_id", &request.order_id, 0, 64);
        let state = wrong.take("state", convert::state_filter(request.state)).flatten();
        wrong.finish()?;
        if !request.webhook_id.is_empty() {
            self.get(caller, &request.webhook_id).await?;
        }
        let filter = DeliveryFilter {
            channel: caller.channel().map(str::to_owned),
            webhook_id: some(request.webhook_id),
            order_id: some(request.order_id),
            state,
            from: request.from_time.as_ref().map(Instant::from_proto),
            until: request.until_time.as_ref().map(Instant::from_proto),
        };
        let found = store::deliveries(&self.database, filter, &page).await?;
        let (found, next_page_token) = page.cut(found, |it| (it.created_at, it.id.to_string()));
        let deliveries = found.iter().map(convert::delivery).collect();
        Ok(proto::ListDeliveriesResponse { deliveries, next_page_token })
    }
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
