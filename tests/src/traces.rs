//! What an order leaves behind: at the outside systems, at the customer's phone, in its trajectory, in stock.

use throughline::connection::bounded;
use throughline_kit::error::Error;
use throughline_kit::testing::eventually;
use throughline_proto::gateway::v1 as gateway;
use throughline_proto::gateway::v1::trajectory_entry::Entry;
use throughline_proto::gateway::v1::trajectory_service_client::TrajectoryServiceClient;
use throughline_proto::notification::v1 as notification;
use throughline_proto::notification::v1::notification_service_client::NotificationServiceClient;
use throughline_proto::resource::v1::Pool;
use throughline_proto::simulator::v1::Effect;

use crate::desk::Desk;

/// Rows of one page.
const PAGE_SIZE: i32 = 500;

/// Units of a pool by what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Units {
    /// May be sold.
    pub available: i64,
    /// Reserved for an order.
    pub held: i64,
    /// Sold.
    pub used: i64,
    /// At rest before they are available again.
    pub quarantined: i64,
}

/// Nothing of a pool is sold, held or at rest.
pub fn untouched(available: i64) -> Units {
    Units { available, held: 0, used: 0, quarantined: 0 }
}

impl Desk {
    /// How the units of a pool stand.
    pub async fn units(&self, pool_code: &str) -> Units {
        let Pool { available, held, used, quarantined, .. } = self.pool(pool_code).await;
        Units { available, held, used, quarantined }
    }

    /// Everything that outside systems did or refused for one order, oldest first.
    pub async fn effects_of(&self, order_id: &str) -> Vec<Effect> {
        let mut effects = self.effects("").await;
        effects.retain(|effect| effect.order_id == order_id);
        effects
    }

    /// Messages about one order, oldest first.
    pub async fn messages(&self, order_id: &str) -> Vec<notification::Notification> {
        let request = notification::ListNotificationsRequest {
            order_id: order_id.to_owned(),
            page_size: PAGE_SIZE,
            ..Default::default()
        };
        let mut service = NotificationServiceClient::new(self.operator.channel());
        let answer = service.list_notifications(bounded(request)).await;
        let mut messages = answer.expect("notifications").into_inner().notifications;
        messages.reverse();
        messages
    }

    /// Waits until the customer was told how the order ended; everything they were told, that last.
    pub async fn told(&self, order_id: &str, end: &str) -> Vec<String> {
        eventually(&format!("the message {end} of order {order_id}"), || async {
            let mut messages = self.messages(order_id).await;
            // An order that ends at once has messages of the same time.
            messages.sort_by_key(|message| message.template_code == end);
            let sent = |message: &notification::Notification| {
                message.state() == notification::NotificationState::Completed
            };
            let ended = messages.iter().any(|message| message.template_code == end);
            (ended && messages.iter().all(sent))
                .then(|| messages.into_iter().map(|m| m.delivery.unwrap_or_default().body))
        })
        .await
        .collect()
    }

    /// The whole way of an order, as far as it is recorded.
    pub async fn trajectory(&self, order_id: &str) -> Result<Vec<Entry>, Error> {
        let request = gateway::GetTrajectoryRequest { order_id: order_id.to_owned() };
        let mut service = TrajectoryServiceClient::new(self.operator.channel());
        let answer = service.get_trajectory(bounded(request)).await;
        let answer = answer.map_err(|status| Error::from_status(&status))?.into_inner();
        assert!(!answer.truncated, "a trajectory of a test is short");
        Ok(answer.entries.into_iter().filter_map(|entry| entry.entry).collect())
    }
}

/// How often a method really did something.
pub fn times_done(effects: &[Effect], method: &str) -> usize {
    effects.iter().filter(|effect| effect.method == method && effect.succeeded).count()
}

/// Minor units that a method moved.
pub fn moved(effects: &[Effect], method: &str) -> i64 {
    let done = effects.iter().filter(|effect| effect.method == method && effect.succeeded);
    done.filter_map(|effect| effect.amount.as_ref()).map(|amount| amount.minor_units).sum()
}
