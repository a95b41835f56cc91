//! The notification center through its gRPC services, on each database. A small server stands where the gateway would.

use std::collections::BTreeMap;

use throughline_kit::CancellationToken;
use throughline_kit::client::GatewayConfig;
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::Error;
use throughline_kit::id::new_request_id;
use throughline_kit::server::Running;
use throughline_kit::storage::StorageConfig;
use throughline_kit::testing::{each_database, environment, eventually, no_unexpected_warnings};
use throughline_notification::Config;
use throughline_proto::event::v1::event_feed_service_client::EventFeedServiceClient;
use throughline_proto::event::v1::{Event, SubscribeRequest};
use throughline_proto::notification::v1 as proto;
use throughline_proto::notification::v1::notification_service_client::NotificationServiceClient;
use throughline_proto::notification::v1::template_service_client::TemplateServiceClient;
use throughline_proto::notification::v1::{DeliveryState, NotificationState};
use tonic::Status;
use tonic::transport::Channel;

mod deliveries;
mod reminders;
mod requests;
mod world;

use world::{Sms, World};

const START: Instant = Instant(1_700_000_000_000_000);
const PHONE: &str = "+442071838750";
/// Said by the kit after a while, because nobody keeps a registry here.
const NO_REGISTRY: &str = "register at the gateway";

/// A running center and its clients.
struct Center {
    notifications: NotificationServiceClient<Channel>,
    templates: TemplateServiceClient<Channel>,
    events: EventFeedServiceClient<Channel>,
    running: Running,
    shutdown: CancellationToken,
}

/// Fast enough for tests: a call is given up after 150 ms.
fn config() -> Config {
    Config { call_timeout_ms: 150, poll_interval_ms: 10, ..Config::default() }
}

impl Center {
    async fn start(storage: &StorageConfig, world: &World) -> Self {
        Self::start_with(storage, world, config()).await
    }

    async fn start_with(storage: &StorageConfig, world: &World, config: Config) -> Self {
        let mut environment = environment(storage, world.clock.clone());
        environment.gateway =
            Some(GatewayConfig { uri: world.uri(), api_key: "secret".to_owned() });
        let shutdown = environment.shutdown.clone();
        let running = throughline_notification::start(config, environment).await.expect("start");
        let uri = format!("http://{}", running.address);
        let channel = Channel::from_shared(uri).expect("an address").connect_lazy();
        Self {
            notifications: NotificationServiceClient::new(channel.clone()),
            templates: TemplateServiceClient::new(channel.clone()),
            events: EventFeedServiceClient::new(channel),
            running,
            shutdown,
        }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        drop((self.notifications, self.templates, self.events));
        self.running.stopped().await;
    }

    async fn send(
        &mut self,
        request: proto::SendNotificationRequest,
    ) -> Result<proto::Notification, Error> {
        let sent = answer(self.notifications.send_notification(request).await)?;
        Ok(sent.notification.expect("a notification"))
    }

    async fn get(&self, id: &str) -> proto::Notification {
        let request = proto::GetNotificationRequest { notification_id: id.to_owned() };
        let read = answer(self.notifications.clone().get_notification(request).await);
        read.expect("read").notification.expect("a notification")
    }

    async fn list(&self, request: proto::ListNotificationsRequest) -> Vec<proto::Notification> {
        let list = answer(self.notifications.clone().list_notifications(request).await);
        list.expect("listed").notifications
    }

    /// Waits until the delivery of a notification is in a state.
    async fn until(&self, id: &str, state: DeliveryState) -> proto::Notification {
        eventually(&format!("a delivery that is {}", state.as_str_name()), async || {
            let read = self.get(id).await;
            (read.delivery.as_ref()?.state() == state).then_some(read)
        })
        .await
    }

    /// The center's own events, as many as are waited for.
    async fn events(&mut self, count: usize) -> Vec<Event> {
        let request = SubscribeRequest { cursor: 0 };
        let mut feed = answer(self.events.subscribe(request).await).expect("subscribed");
        let mut events = Vec::new();
        while events.len() < count {
            events.extend(feed.message().await.expect("alive").expect("open").events);
        }
        events
    }
}

fn answer<T>(result: Result<tonic::Response<T>, Status>) -> Result<T, Error> {
    result.map(tonic::Response::into_inner).map_err(|status| Error::from_status(&status))
}

fn paths(error: &Error) -> Vec<&str> {
    error.fields.iter().map(|(path, _)| path.as_str()).collect()
}

/// A message that an order was accepted.
fn message() -> proto::SendNotificationRequest {
    proto::SendNotificationRequest {
        request_id: new_request_id(),
        template_code: "order.accepted".to_owned(),
        recipient_phone: PHONE.to_owned(),
        locale: "zh-CN".to_owned(),
        variables: BTreeMap::from([
            ("name".to_owned(), "王芳".to_owned()),
            ("channel_order_id".to_owned(), "A-1".to_owned()),
        ]),
        order_id: "ord_1".to_owned(),
    }
}

fn delivery(notification: &proto::Notification) -> &proto::Delivery {
    notification.delivery.as_ref().expect("a delivery")
}
