//! Follows another center's feed through the gateway, from where this center last stored.

use std::future::Future;
use std::time::Duration;

use throughline_proto::event::v1 as proto;
use throughline_proto::event::v1::event_feed_service_client::EventFeedServiceClient;
use tokio_util::sync::CancellationToken;

use crate::client::{CallContext, GatewayClient};
use crate::error::{Error, Kind};
use crate::storage::{Change, Database, Row, Tx, Writer};

/// How long a feed may be silent: it sends a keep-alive every 15 s.
const MAX_SILENCE: Duration = Duration::from_secs(45);
/// Wait before subscribing again after a broken stream.
const RECONNECT_DELAY: Duration = Duration::from_millis(250);
/// Broken streams in a row before it is worth a warning.
const RECONNECTS_BEFORE_WARNING: u32 = 40;

const SELECT_CURSOR: &str = "SELECT sequence FROM cursors WHERE consumer = $1 AND center = $2";
const UPSERT_CURSOR: &str = "INSERT INTO cursors (consumer, center, sequence) VALUES ($1, $2, $3) \
     ON CONFLICT (consumer, center) DO UPDATE SET sequence = excluded.sequence \
     WHERE cursors.sequence < excluded.sequence";

/// Which feed to follow, as whom.
#[derive(Clone, Debug)]
pub struct FollowConfig {
    /// Center whose feed it is.
    pub center: String,
    /// Name under which this consumer keeps its place.
    pub consumer: &'static str,
}

/// How far a consumer has read. Stored in the same transaction as the effect of what was read.
#[derive(Clone, Debug)]
pub struct Cursor {
    consumer: &'static str,
    center: String,
    sequence: i64,
}

impl Cursor {
    /// Stores the cursor with the change that the transaction makes.
    pub async fn store(&self, tx: &mut Tx) -> Result<(), Error> {
        let row = [self.consumer.into(), self.center.as_str().into(), self.sequence.into()];
        tx.execute(UPSERT_CURSOR, row).await.map(|_| ())
    }

    /// Stores the cursor alone, for effects that are the same when repeated.
    pub async fn save(self, writer: &Writer) -> Result<(), Error> {
        writer.write(SaveCursor(self)).await
    }
}

struct SaveCursor(Cursor);

impl Change for SaveCursor {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        self.0.store(tx).await
    }
}

/// Takes events in order.
pub trait Consumer: Send + Sync + 'static {
    /// Has the effect of the events and stores the cursor; on an error the same events come again.
    fn consume(
        &self,
        events: Vec<proto::Event>,
        cursor: Cursor,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Follows a feed until the token is cancelled; a broken stream is resumed from the stored cursor.
pub async fn follow<C: Consumer>(
    config: FollowConfig,
    client: GatewayClient,
    database: Database,
    consumer: C,
    shutdown: CancellationToken,
) {
    let mut broken = 0_u32;
    loop {
        let round = follow_once(&config, &client, &database, &consumer, &mut broken);
        tokio::select! {
            () = shutdown.cancelled() => return,
            outcome = round => {
                broken += 1;
                if let Err(cause) = outcome {
                    report(&config, broken, &cause);
                }
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(RECONNECT_DELAY) => {}
        }
    }
}

fn report(config: &FollowConfig, broken: u32, cause: &Error) {
    let (center, consumer) = (&config.center, config.consumer);
    if broken.is_multiple_of(RECONNECTS_BEFORE_WARNING) {
        tracing::warn!(center, consumer, %cause, broken, "follow the feed of a center");
    } else {
        tracing::debug!(center, consumer, %cause, "follow the feed of a center");
    }
}

/// The next message. A feed that lives says so; one that is silent for longer is given up and followed anew.
async fn next(
    stream: &mut tonic::Streaming<proto::SubscribeResponse>,
    center: &str,
) -> Result<Option<proto::SubscribeResponse>, Error> {
    let message = tokio::time::timeout(MAX_SILENCE, stream.message()).await.map_err(|_| {
        Error::new(
            Kind::Unavailable,
            center,
            "FEED_SILENT",
            "the feed has been silent for too long",
        )
    })?;
    message.map_err(|status| Error::from_status(&status))
}

async fn follow_once<C: Consumer>(
    config: &FollowConfig,
    client: &GatewayClient,
    database: &Database,
    consumer: &C,
    broken: &mut u32,
) -> Result<(), Error> {
    let key = [config.consumer.into(), config.center.as_str().into()];
    let row = database.fetch_optional(SELECT_CURSOR, key).await?;
    let cursor = row.map_or(0, |row| row.get(0));
    let request =
        CallContext::to_center(&config.center).request(proto::SubscribeRequest { cursor });
    let mut stream = EventFeedServiceClient::new(client.channel())
        .subscribe(request)
        .await
        .map_err(|status| Error::from_status(&status))?
        .into_inner();
    while let Some(message) = next(&mut stream, &config.center).await? {
        deliver(config, consumer, message.events, broken).await?;
    }
    Ok(())
}

/// Hands over what a message holds; one without events only says that the stream lives. The row of broken streams ends
/// with that and not before: a consumer that always fails at the same events would never be worth a warning.
async fn deliver<C: Consumer>(
    config: &FollowConfig,
    consumer: &C,
    events: Vec<proto::Event>,
    broken: &mut u32,
) -> Result<(), Error> {
    if let Some(last) = events.last() {
        let cursor = Cursor {
            consumer: config.consumer,
            center: config.center.clone(),
            sequence: last.sequence,
        };
        consumer.consume(events, cursor).await?;
    }
    *broken = 0;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fails;

    impl Consumer for Fails {
        async fn consume(&self, _: Vec<proto::Event>, _: Cursor) -> Result<(), Error> {
            Err(Error::new(Kind::Internal, "test", "INTERNAL", "it fails each time"))
        }
    }

    struct Takes;

    impl Consumer for Takes {
        async fn consume(&self, _: Vec<proto::Event>, _: Cursor) -> Result<(), Error> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_row_of_broken_streams_ends_with_what_was_taken_in_and_not_with_what_arrived() {
        let config = FollowConfig { center: "source".to_owned(), consumer: "test" };
        let events = || vec![proto::Event { sequence: 7, ..proto::Event::default() }];
        let mut broken = 3;
        deliver(&config, &Fails, events(), &mut broken).await.expect_err("it fails");
        assert_eq!(broken, 3, "the streams so far count on");
        deliver(&config, &Takes, events(), &mut broken).await.expect("taken");
        assert_eq!(broken, 0);
        broken = 3;
        deliver(&config, &Fails, Vec::new(), &mut broken).await.expect("nothing to take");
        assert_eq!(broken, 0, "the stream lives");
    }
}
