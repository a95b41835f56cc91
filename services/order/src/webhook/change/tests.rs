//! How much one request changes.

use throughline_kit::storage::{Database, Writer, WriterLimits};
use throughline_kit::testing::each_database;

use super::*;
use crate::store::MIGRATIONS;
use crate::webhook::delivery::tests::delivery;
use crate::webhook::delivery::{Delivery, DeliveryState};

struct InsertFailed {
    webhook_id: WebhookId,
    count: u16,
}

impl Change for InsertFailed {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        for _ in 0..self.count {
            let id = DeliveryId::generate();
            let (webhook_id, event_id) = (self.webhook_id.clone(), id.to_string());
            let failed = Delivery {
                id,
                webhook_id,
                event_id,
                state: DeliveryState::Failed,
                next_attempt_at: None,
                ..delivery()
            };
            store::insert_delivery(tx, &failed);
        }
        Ok(())
    }
}

#[tokio::test]
async fn one_request_sends_a_bounded_number_again_and_says_that_more_are_left() {
    for kept in each_database().await {
        let database = Database::open("order", &kept.config, MIGRATIONS).await.expect("open");
        let writer = Writer::start(&database, WriterLimits::default());
        let id = WebhookId::generate();
        let set = Set {
            id: id.clone(),
            channel: "hall".to_owned(),
            name: "default".to_owned(),
            url: "https://shop.example.com/".to_owned(),
            event_types: Vec::new(),
            secret: Secret::generate().expect("made"),
            now: Instant(0),
        };
        writer.write(set).await.expect("stored");
        let insert = InsertFailed { webhook_id: id.clone(), count: MAX_REDELIVERIES + 1 };
        writer.write(insert).await.expect("stored");
        for (expected, more) in [(i32::from(MAX_REDELIVERIES), true), (1, false), (0, false)] {
            let named = Named { id: id.to_string(), channel: None, now: Instant(1) };
            let again = RedeliverFailed { named, since: Instant(0) };
            let answer = writer.write(again).await.expect("stored");
            assert_eq!((answer.deliveries, answer.more), (expected, more));
        }
    }
}
