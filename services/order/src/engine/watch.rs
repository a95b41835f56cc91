//! Tells watchers of an order when it changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use throughline_kit::error::Error;
use tokio::sync::watch;

use crate::error::DOMAIN;
use crate::order::{Order, OrderId};

type Latest = Option<Arc<Order>>;

#[derive(Debug, Default)]
struct Followed {
    orders: HashMap<OrderId, watch::Sender<Latest>>,
    watches: usize,
}

/// All watches of a process.
#[derive(Clone, Debug)]
pub(crate) struct Watches {
    followed: Arc<Mutex<Followed>>,
    max_watches: usize,
}

/// One watch; it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    latest: watch::Receiver<Latest>,
    order_id: OrderId,
    watches: Watches,
}

impl Watches {
    pub(super) fn new(max_watches: usize) -> Self {
        Self { followed: Arc::default(), max_watches }
    }

    pub(super) fn follow(&self, order_id: &OrderId) -> Result<Watch, Error> {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if followed.watches >= self.max_watches {
            return Err(Error::limit(DOMAIN, "max_watches", self.max_watches));
        }
        followed.watches += 1;
        let entry = followed.orders.entry(order_id.clone());
        let sender = entry.or_insert_with(|| watch::channel(None).0);
        let latest = sender.subscribe();
        Ok(Watch { latest, order_id: order_id.clone(), watches: self.clone() })
    }

    pub(super) fn publish(&self, order: &Arc<Order>) {
        let followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = followed.orders.get(&order.id) {
            sender.send_replace(Some(Arc::clone(order)));
        }
    }
}

impl Watch {
    /// Waits for a version of the order that is newer than the given one.
    pub(crate) async fn newer_than(&mut self, version: i64) -> Option<Arc<Order>> {
        loop {
            let latest = self.latest.borrow_and_update().clone();
            if let Some(order) = latest.filter(|order| order.version > version) {
                return Some(order);
            }
            self.latest.changed().await.ok()?;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let followed = &self.watches.followed;
        let mut followed = followed.lock().unwrap_or_else(PoisonError::into_inner);
        followed.watches -= 1;
        // This watch still counts as one.
        if followed.orders.get(&self.order_id).is_some_and(|sender| sender.receiver_count() <= 1) {
            followed.orders.remove(&self.order_id);
        }
    }
}
