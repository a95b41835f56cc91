//! The payment center's feed.

use throughline_proto::event::v1 as proto;
use throughline_proto::event::v1::event_feed_service_server::EventFeedService;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::Outside;

#[tonic::async_trait]
impl EventFeedService for Outside {
    type SubscribeStream = ReceiverStream<Result<proto::SubscribeResponse, Status>>;

    async fn subscribe(
        &self,
        request: Request<proto::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let center = request.metadata().get("x-center").and_then(|center| center.to_str().ok());
        assert_eq!(center, Some("payment"), "the only feed that the order center follows");
        let mut cursor = request.into_inner().cursor;
        let mut feed = self.feed.subscribe();
        let (messages, stream) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let all = feed.borrow_and_update().clone();
                let events: Vec<_> = all.into_iter().filter(|one| one.sequence > cursor).collect();
                if let Some(last) = events.last() {
                    cursor = last.sequence;
                    if messages.send(Ok(proto::SubscribeResponse { events })).await.is_err() {
                        return;
                    }
                }
                tokio::select! {
                    () = messages.closed() => return,
                    changed = feed.changed() => if changed.is_err() { return },
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}
