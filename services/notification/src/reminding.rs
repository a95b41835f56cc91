//! Telling customers what happened to their orders: events of the order center become notifications by policy.
//!
//! The id of such a notification is made from the event's and the policy's, and it is stored with the cursor in one
//! change: however often an event comes, its customer is told once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prost::Message;
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::Error;
use throughline_kit::feed::{Consumer, Cursor};
use throughline_kit::money::Money;
use throughline_kit::storage::{Change, Tx, Writer};
use throughline_proto::event::v1::Event;
use throughline_proto::order::v1::{Failure, OrderChanged};
use throughline_proto::r#type::v1 as proto;

use crate::library::{EVENT_VARIABLES, Library};
use crate::notification::{Notification, NotificationId};
use crate::queue::{Places, Queue};
use crate::sending::Draft;
use crate::store;
use crate::template::FALLBACK_LANGUAGE;

/// Events without effect that may be read again after a restart: saves a commit for each batch of them.
const MAX_EVENTS_BEFORE_SAVING: usize = 1_000;

/// Makes notifications of events.
#[derive(Debug)]
pub(crate) struct Reminders {
    pub(crate) writer: Writer,
    pub(crate) library: Arc<Library>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) clock: Clock,
    pub(crate) provider: String,
    /// Events without effect since the cursor was stored.
    pub(crate) unsaved: AtomicUsize,
}

impl Consumer for Reminders {
    async fn consume(&self, events: Vec<Event>, cursor: Cursor) -> Result<(), Error> {
        let now = self.clock.now();
        let notifications: Vec<Notification> =
            events.iter().flat_map(|event| self.reminders(event, now)).collect();
        if notifications.is_empty() {
            let unsaved = self.unsaved.fetch_add(events.len(), Ordering::Relaxed) + events.len();
            if unsaved < MAX_EVENTS_BEFORE_SAVING {
                return Ok(());
            }
        }
        let places = Places::new(&self.queue);
        let change = Remind { notifications, cursor, places: Arc::clone(&places) };
        self.writer.write(change).await?;
        places.keep();
        self.unsaved.store(0, Ordering::Relaxed);
        self.queue.wake();
        Ok(())
    }
}

impl Reminders {
    /// What an event tells whom. An event that cannot be understood is told to nobody: the feed must go on.
    fn reminders(&self, event: &Event, now: Instant) -> Vec<Notification> {
        let mut policies = self.library.policies_for(&event.r#type).peekable();
        if policies.peek().is_none() {
            return Vec::new();
        }
        let payload = event.payload.as_ref().map(|any| OrderChanged::decode(any.value.as_slice()));
        let Some(Ok(order)) = payload else {
            let event_id = event.event_id.as_str();
            tracing::warn!(event_id, kind = event.r#type, "read the payload of an event");
            return Vec::new();
        };
        let customer = order.customer.clone().unwrap_or_default();
        let Ok(phone) = customer.phone.parse() else {
            // Without a phone nobody is told.
            return Vec::new();
        };
        let wanted =
            if customer.locale.is_empty() { FALLBACK_LANGUAGE } else { customer.locale.as_str() };
        let made = policies.filter_map(|(policy, template)| {
            let variables = variables(&self.library, &order, template.language(wanted));
            let draft = Draft {
                id: NotificationId::derive(&[&event.event_id, &policy.code]),
                source: policy.source(),
                template,
                phone: Clone::clone(&phone),
                locale: wanted,
                variables: &variables,
                order_id: &event.order_id,
                trace_parent: &event.trace_parent,
            };
            // Cannot fail: the library was checked to use no other variables.
            draft.queue(&self.provider, now).ok()
        });
        made.collect()
    }
}

/// The variables of an event, none of them empty.
fn variables(library: &Library, order: &OrderChanged, language: &str) -> BTreeMap<String, String> {
    let name = order.customer.as_ref().map(|c| c.name.trim().to_owned());
    let values = [
        ("name", name),
        ("channel_order_id", Some(order.channel_order_id.clone())),
        ("total", money(order.total.as_ref())),
        ("paid", money(order.paid.as_ref())),
        ("reason", order.failure.as_ref().map(|failure| reason(library, failure, language))),
    ];
    debug_assert!(values.iter().all(|(name, _)| EVENT_VARIABLES.contains(name)));
    let filled = values.into_iter().map(|(name, value)| {
        let value = value
            .filter(|value| !value.is_empty())
            .or_else(|| library.absent(name, language).map(str::to_owned));
        (name.to_owned(), value.unwrap_or_default())
    });
    filled.collect()
}

fn money(money: Option<&proto::Money>) -> Option<String> {
    Money::from_proto(money).ok().map(|money| money.to_string())
}

/// Our words for the reason where we have some, else the sentence of who refused, without its full stop.
fn reason(library: &Library, failure: &Failure, language: &str) -> String {
    let sentence = failure.message.trim().trim_end_matches('.');
    library.reason(&failure.reason, language).unwrap_or(sentence).to_owned()
}

struct Remind {
    notifications: Vec<Notification>,
    cursor: Cursor,
    places: Arc<Places>,
}

impl Change for Remind {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        let mut fresh = Vec::with_capacity(self.notifications.len());
        for notification in &self.notifications {
            if !store::exists(tx, &notification.id).await? {
                fresh.push(notification);
            }
        }
        // A full queue holds the feed up: the same events come again.
        self.places.take(fresh.len())?;
        for notification in fresh {
            store::insert(tx, notification);
        }
        self.cursor.store(tx).await
    }
}

#[cfg(test)]
mod tests;
