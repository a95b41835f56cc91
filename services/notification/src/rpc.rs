//! The two services: decode, call, encode.

use std::sync::Arc;

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::idempotency::RequestKey;
use throughline_kit::identity::Caller;
use throughline_kit::paging::Page;
use throughline_kit::storage::Database;
use throughline_proto::notification::v1 as proto;
use throughline_proto::notification::v1::notification_service_server::NotificationService;
use throughline_proto::notification::v1::template_service_server::TemplateService;
use tonic::{Request, Response, Status};

use crate::error::{DOMAIN, Refusal};
use crate::library::Library;
use crate::sending::Sending;
use crate::{convert, store};

const SEND_NOTIFICATION: &str = "throughline.notification.v1.NotificationService/SendNotification";

/// Serves both services.
#[derive(Clone, Debug)]
pub(crate) struct Rpc {
    pub(crate) sending: Sending,
    pub(crate) database: Database,
    pub(crate) library: Arc<Library>,
}

#[tonic::async_trait]
impl NotificationService for Rpc {
    async fn send_notification(
        &self,
        request: Request<proto::SendNotificationRequest>,
    ) -> Result<Response<proto::SendNotificationResponse>, Status> {
        let caller = Caller::from_metadata(request.metadata());
        let request = request.into_inner();
        let message = convert::message(&request)?;
        let id = message.request_id.clone();
        let key = RequestKey::new(&caller.name, id, SEND_NOTIFICATION, &request);
        Ok(Response::new(self.sending.send(key, &caller, message).await?))
    }

    async fn get_notification(
        &self,
        request: Request<proto::GetNotificationRequest>,
    ) -> Result<Response<proto::GetNotificationResponse>, Status> {
        let id = request.into_inner().notification_id;
        let Some(found) = store::find(&self.database, &id).await? else {
            return Err(Error::from(Refusal::NotificationNotFound { id }).into());
        };
        let notification = Some(convert::notification_to_proto(&found));
        Ok(Response::new(proto::GetNotificationResponse { notification }))
    }

    async fn list_notifications(
        &self,
        request: Request<proto::ListNotificationsRequest>,
    ) -> Result<Response<proto::ListNotificationsResponse>, Status> {
        let request = request.into_inner();
        let filter = convert::filter(&request)?;
        let page =
            Page::<(Instant, String)>::parse(DOMAIN, request.page_size, &request.page_token)?;
        let found = store::list(&self.database, &filter, &page).await?;
        let (found, next_page_token) = page.cut(found, |n| (n.created_at, n.id.to_string()));
        let notifications = found.iter().map(convert::notification_to_proto).collect();
        Ok(Response::new(proto::ListNotificationsResponse { notifications, next_page_token }))
    }
}

#[tonic::async_trait]
impl TemplateService for Rpc {
    async fn list_templates(
        &self,
        _: Request<proto::ListTemplatesRequest>,
    ) -> Result<Response<proto::ListTemplatesResponse>, Status> {
        let templates = self.library.templates().map(convert::template_to_proto).collect();
        Ok(Response::new(proto::ListTemplatesResponse { templates }))
    }

    async fn list_policies(
        &self,
        _: Request<proto::ListPoliciesRequest>,
    ) -> Result<Response<proto::ListPoliciesResponse>, Status> {
        let policies = self.library.policies().map(convert::policy_to_proto).collect();
        Ok(Response::new(proto::ListPoliciesResponse { policies }))
    }
}
