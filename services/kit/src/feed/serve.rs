//! `EventFeedService`: the outbox, read in order.

use std::pin::Pin;
use std::time::Duration;

use futures::Stream;
use throughline_proto::event::v1 as proto;
use throughline_proto::event::v1::event_feed_service_server::EventFeedService;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use crate::error::{Error, Kind};
use crate::outbox;
use crate::storage::{Database, Writer};

/// Events in one message.
pub const MAX_EVENTS_PER_MESSAGE: usize = 256;
/// Messages ahead of a slow subscriber.
const MAX_MESSAGES_AHEAD: usize = 4;
/// How long events gather after a commit before they are sent: a subscriber that commits for each message it gets would
/// otherwise commit as often as all that it follows.
const GATHER_TIME: Duration = Duration::from_millis(20);
/// How often to look for events that another instance wrote.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// A silent stream says that it lives this often.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Serves the feed of one center.
#[derive(Clone, Debug)]
pub struct FeedServer {
    database: Database,
    committed: watch::Receiver<i64>,
    ending: CancellationToken,
}

impl FeedServer {
    /// Serves what the writer commits to the database.
    pub fn new(database: Database, writer: &Writer) -> Self {
        Self { database, committed: writer.committed(), ending: CancellationToken::new() }
    }

    /// Ends every stream when the token is cancelled: subscribers resume from their cursor elsewhere.
    pub(crate) fn until(self, ending: CancellationToken) -> Self {
        Self { ending, ..self }
    }
}

#[tonic::async_trait]
impl EventFeedService for FeedServer {
    type SubscribeStream =
        Pin<Box<dyn Stream<Item = Result<proto::SubscribeResponse, Status>> + Send>>;

    async fn subscribe(
        &self,
        request: Request<proto::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let cursor = request.into_inner().cursor;
        if cursor < 0 {
            let center = self.database.center();
            return Err(Error::new(
                Kind::Invalid,
                center,
                "CURSOR_INVALID",
                "cursor must be the sequence of an event, or 0",
            )
            .with("cursor", cursor)
            .into());
        }
        let (messages, stream) = mpsc::channel(MAX_MESSAGES_AHEAD);
        let FeedServer { database, committed, ending } = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = ending.cancelled() => {}
                () = pump(database, committed, cursor, messages) => {}
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

type Messages = mpsc::Sender<Result<proto::SubscribeResponse, Status>>;

async fn pump(
    database: Database,
    mut committed: watch::Receiver<i64>,
    mut cursor: i64,
    messages: Messages,
) {
    let mut silent = Duration::ZERO;
    loop {
        committed.mark_unchanged();
        let events = match outbox::read_after(&database, cursor, MAX_EVENTS_PER_MESSAGE).await {
            Ok(events) => events,
            Err(error) => {
                let _ = messages.send(Err(error.into())).await;
                return;
            }
        };
        if let Some(last) = events.last() {
            cursor = last.sequence;
        }
        let keep_alive = silent >= KEEP_ALIVE_INTERVAL;
        let is_full = events.len() == MAX_EVENTS_PER_MESSAGE;
        if !events.is_empty() || keep_alive {
            silent = Duration::ZERO;
            if messages.send(Ok(proto::SubscribeResponse { events })).await.is_err() {
                return;
            }
            if is_full {
                continue;
            }
        }
        tokio::select! {
            () = messages.closed() => return,
            changed = committed.changed() => {
                if changed.is_err() {
                    return;
                }
                tokio::time::sleep(GATHER_TIME).await;
            }
            () = tokio::time::sleep(POLL_INTERVAL) => silent += POLL_INTERVAL,
        }
    }
}
