//! Deletes deliveries that are old, and those of webhooks that were deleted, a bounded number in one commit.

use std::time::Duration;

use throughline_kit::CancellationToken;
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Database, Tx, Writer};

use super::{WebhookId, store};

/// How long deliveries are kept, whatever their state.
const KEPT_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often to look for what is old.
const INTERVAL: Duration = Duration::from_secs(60);
/// Rows deleted in one commit, so that nobody waits long behind it.
const MAX_ROWS_PER_COMMIT: u16 = 1_000;

/// Deletes until the center ends.
pub(crate) async fn run(
    database: Database,
    writer: Writer,
    clock: Clock,
    shutdown: CancellationToken,
) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        if let Err(cause) = delete(&database, &writer, clock.now()).await {
            tracing::warn!(%cause, "delete old deliveries");
        }
    }
}

/// Deletes all that is old now.
pub(crate) async fn delete(
    database: &Database,
    writer: &Writer,
    now: Instant,
) -> Result<(), Error> {
    let kept = i64::try_from(KEPT_FOR.as_micros()).expect("days fit");
    let old = Doomed::Before(Instant(now.0.saturating_sub(kept)));
    while writer.write(old.clone()).await? >= u64::from(MAX_ROWS_PER_COMMIT) {}
    while let Some(deleted) = store::deleted(database).await? {
        writer.write(Doomed::Of(deleted)).await?;
    }
    Ok(())
}

/// What is deleted.
#[derive(Clone, Debug)]
enum Doomed {
    /// Deliveries of events before an instant.
    Before(Instant),
    /// Deliveries of a deleted webhook, and after the last of them its row.
    Of(WebhookId),
}

impl Change for Doomed {
    type Output = u64;

    async fn apply(&self, tx: &mut Tx) -> Result<u64, Error> {
        let limit = i64::from(MAX_ROWS_PER_COMMIT);
        match self {
            Self::Before(instant) => store::delete_old(tx, *instant, limit).await,
            Self::Of(webhook_id) => {
                let deleted = store::delete_some_of(tx, webhook_id, limit).await?;
                if deleted < u64::from(MAX_ROWS_PER_COMMIT) {
                    store::forget(tx, webhook_id).await?;
                }
                Ok(deleted)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use throughline_kit::storage::WriterLimits;
    use throughline_kit::testing::each_database;

    use super::*;
    use crate::store::MIGRATIONS;
    use crate::webhook::change::{Delete, Named, Set};
    use crate::webhook::delivery::tests::delivery;
    use crate::webhook::delivery::{Delivery, DeliveryId};
    use crate::webhook::secret::Secret;
    use crate::webhook::store::DeliveryFilter;

    struct Insert(Vec<Delivery>);

    impl Change for Insert {
        type Output = ();

        async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
            self.0.iter().for_each(|delivery| store::insert_delivery(tx, delivery));
            Ok(())
        }
    }

    fn of(webhook_id: &WebhookId, created_at: i64) -> Delivery {
        let id = DeliveryId::generate();
        let (webhook_id, event_id) = (webhook_id.clone(), id.to_string());
        Delivery { id, webhook_id, event_id, created_at: Instant(created_at), ..delivery() }
    }

    async fn left(database: &Database, webhook_id: &WebhookId) -> usize {
        let webhook_id = Some(webhook_id.to_string());
        let filter = DeliveryFilter { webhook_id, ..DeliveryFilter::default() };
        let page = throughline_kit::paging::Page { size: i32::MAX, after: None };
        store::deliveries(database, filter, &page).await.expect("read").len()
    }

    #[tokio::test]
    async fn deliveries_go_by_age_and_with_their_webhook() {
        for kept in each_database().await {
            let database = Database::open("order", &kept.config, MIGRATIONS).await.expect("open");
            let writer = Writer::start(&database, WriterLimits::default());
            let month = i64::try_from(KEPT_FOR.as_micros()).expect("fits");
            let now = Instant(2 * month);
            let set = |name: &str| Set {
                id: WebhookId::generate(),
                channel: "hall".to_owned(),
                name: name.to_owned(),
                url: "https://shop.example.com/".to_owned(),
                event_types: Vec::new(),
                secret: Secret::generate().expect("made"),
                now,
            };
            let (stays, goes) = (set("stays"), set("goes"));
            let (stays_id, goes_id) = (stays.id.clone(), goes.id.clone());
            writer.write(stays).await.expect("stored");
            writer.write(goes).await.expect("stored");
            let mut rows = vec![of(&stays_id, month - 1), of(&stays_id, month)];
            rows.extend((0..=u64::from(MAX_ROWS_PER_COMMIT)).map(|_| of(&goes_id, month)));
            writer.write(Insert(rows)).await.expect("stored");

            delete(&database, &writer, now).await.expect("deleted");
            assert_eq!(left(&database, &stays_id).await, 1, "what is younger than a month stays");
            assert_eq!(left(&database, &goes_id).await, usize::from(MAX_ROWS_PER_COMMIT) + 1);
            let named = Named { id: goes_id.to_string(), channel: None, now };
            writer.write(Delete(named)).await.expect("stored");
            delete(&database, &writer, now).await.expect("deleted");
            assert_eq!(left(&database, &goes_id).await, 0);
            assert_eq!(left(&database, &stays_id).await, 1);
            assert_eq!(store::deleted(&database).await.expect("read"), None, "the row goes last");
        }
    }
}
