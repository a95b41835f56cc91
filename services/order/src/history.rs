//! A past for measurements: ended orders in the archive as if they had been, each like one that has really ended there.

use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::{Error, Kind};
use throughline_kit::storage::{Change, Database, StorageConfig, Tx, Writer, WriterLimits};

use crate::CENTER;
use crate::error::DOMAIN;
use crate::order::OrderId;
use crate::store::{self, Ended};

/// Ended orders that are copied.
const SAMPLES: i64 = 100;
/// Orders in one commit: much faster than a few, and short enough for a center that runs on the same store.
const BATCH: u64 = 10_000;
/// Customers of the past; each has a phone.
const CUSTOMERS: u64 = 100_000;
/// Time between two orders, in microseconds.
const APART_US: i64 = 10_000;

/// How much has been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// Ended orders.
    pub orders: u64,
    /// The same seed makes the same customers.
    pub seed: u64,
}

impl Past {
    /// Stores it in the store of an order center, which may be running, before all that is there. Fails where no order has
    /// ended in that store.
    pub async fn write(self, storage: &StorageConfig) -> Result<(), Error> {
        let database = Database::open(CENTER, storage, store::MIGRATIONS).await?;
        let samples = store::ended_samples(&database, SAMPLES).await?;
        if samples.is_empty() {
            let message = "no order has ended in this store that the past could be like";
            return Err(Error::new(Kind::Precondition, DOMAIN, "NO_SAMPLE", message));
        }
        let writer = Writer::start(&database, WriterLimits::default());
        let now = Clock::system().now();
        let mut number = 0;
        while number < self.orders {
            let end = self.orders.min(number + BATCH);
            let batch = (number..end).map(|number| self.order(&samples, number, now)).collect();
            writer.write(AddEnded(batch)).await?;
            number = end;
        }
        drop(writer);
        database.close().await;
        Ok(())
    }

    fn order(self, samples: &[Ended], number: u64, now: Instant) -> Ended {
        let sample = usize::try_from(number).unwrap_or(0) % samples.len();
        let Ended { order, state } = samples[sample].clone();
        let mut order = *order;
        let ago = i64::try_from(self.orders - number).unwrap_or(i64::MAX).saturating_mul(APART_US);
        let created_at = Instant(now.0.saturating_sub(ago));
        let took = order.ended_at.unwrap_or(order.created_at).since(order.created_at);
        let customer = mixed(self.seed.wrapping_add(number)) % CUSTOMERS;
        order.id = OrderId::generate();
        order.channel_order_id = format!("past-{}-{number:010}", self.seed);
        order.customer.id = format!("c{customer}");
        order.customer.phone = format!("+44207{customer:07}");
        order.created_at = created_at;
        order.ended_at = Some(created_at.plus(took));
        order.updated_at = created_at.plus(took);
        Ended { order: Box::new(order), state }
    }
}

/// Spreads numbers that stand in a row.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    number ^ (number >> 29)
}

/// Adds ended orders.
#[derive(Debug)]
struct AddEnded(Vec<Ended>);

impl Change for AddEnded {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        store::add_ended(tx, &self.0)
    }
}
