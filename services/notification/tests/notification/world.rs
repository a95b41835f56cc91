//! What the center meets behind the gateway: an SMS provider and the feed of orders.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use throughline_kit::error::{Error, Kind};
use throughline_proto::event::v1::event_feed_service_server::{
    EventFeedService, EventFeedServiceServer,
};
use throughline_proto::event::v1::{Event, SubscribeRequest, SubscribeResponse};
use throughline_proto::sms::v1 as proto;
use throughline_proto::sms::v1::sms_service_server::{SmsService, SmsServiceServer};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_stream::Stream;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status};

use super::{Clock, START};

/// What the provider does with a text. What is not said is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sms {
    Accept,
    Reject,
    /// Says INVALID_ARGUMENT.
    Invalid,
    /// Says UNAVAILABLE.
    Down,
    /// Takes it and never answers.
    LoseAnswer,
    /// Never hears it.
    LoseRequest,
    /// Answers when the number of texts at a time has been reached.
    Gather(usize),
}

#[derive(Debug, Default)]
pub(crate) struct Provider {
    pub(crate) script: VecDeque<Sms>,
    /// For everything after the script.
    pub(crate) then: Option<Sms>,
    /// Every call that sends.
    pub(crate) sent: Vec<proto::SendSmsRequest>,
    /// Every reference that was asked about.
    pub(crate) asked: Vec<String>,
    taken: BTreeMap<String, proto::SmsOutcome>,
    at_a_time: usize,
    pub(crate) most_at_a_time: usize,
}

/// A gateway with a provider and a feed behind it; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    address: SocketAddr,
    provider: Arc<Mutex<Provider>>,
    orders: watch::Sender<Vec<Event>>,
    gathered: watch::Sender<usize>,
}

impl World {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("bind");
        let world = Self {
            clock: Clock::fixed(START),
            address: listener.local_addr().expect("bound"),
            provider: Arc::default(),
            orders: watch::Sender::new(Vec::new()),
            gathered: watch::Sender::new(0),
        };
        let server = tonic::transport::Server::builder()
            .add_service(SmsServiceServer::new(world.clone()))
            .add_service(EventFeedServiceServer::new(world.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        world
    }

    pub(crate) fn uri(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn provider(&self) -> MutexGuard<'_, Provider> {
        self.provider.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what the provider does with the next texts.
    pub(crate) fn script(&self, script: &[Sms]) {
        self.provider().script = script.iter().copied().collect();
    }

    /// References of all calls that sent.
    pub(crate) fn references(&self) -> Vec<String> {
        self.provider().sent.iter().map(|sms| sms.reference.clone()).collect()
    }

    /// Announces events of the order center.
    pub(crate) fn announce(&self, events: impl IntoIterator<Item = Event>) {
        self.orders.send_modify(|all| all.extend(events));
    }
}

#[tonic::async_trait]
impl SmsService for World {
    async fn send_sms(
        &self,
        request: Request<proto::SendSmsRequest>,
    ) -> Result<Response<proto::SendSmsResponse>, Status> {
        assert_eq!(request.metadata().get("authorization").expect("a key"), "Bearer secret");
        let order_id = request.metadata().get("x-order-id").cloned();
        let request = request.into_inner();
        assert_eq!(order_id.expect("an order"), request.order_id.as_str());
        let reference = request.reference.clone();
        let does = {
            let mut provider = self.provider();
            provider.sent.push(request);
            provider.at_a_time += 1;
            provider.most_at_a_time = provider.most_at_a_time.max(provider.at_a_time);
            let then = provider.then.unwrap_or(Sms::Accept);
            provider.script.pop_front().unwrap_or(then)
        };
        let answer = self.treat(&reference, does).await;
        self.provider().at_a_time -= 1;
        answer.map(Response::new)
    }

    async fn get_sms(
        &self,
        request: Request<proto::GetSmsRequest>,
    ) -> Result<Response<proto::GetSmsResponse>, Status> {
        let reference = request.into_inner().reference;
        let mut provider = self.provider();
        provider.asked.push(reference.clone());
        match provider.taken.get(&reference) {
            Some(outcome) => {
                let outcome = (*outcome).into();
                Ok(Response::new(proto::GetSmsResponse { outcome, reason: String::new() }))
            }
            None => Err(refuse(Kind::NotFound, "REFERENCE_NOT_FOUND")),
        }
    }
}

impl World {
    async fn treat(&self, reference: &str, does: Sms) -> Result<proto::SendSmsResponse, Status> {
        let take = |outcome| {
            self.provider().taken.insert(reference.to_owned(), outcome);
        };
        let (outcome, reason) = match does {
            Sms::Down => return Err(refuse(Kind::Unavailable, "SYSTEM_DOWN")),
            Sms::Invalid => return Err(refuse(Kind::Invalid, "FIELD_INVALID")),
            Sms::LoseRequest => std::future::pending().await,
            Sms::LoseAnswer => {
                take(proto::SmsOutcome::Accepted);
                std::future::pending().await
            }
            Sms::Gather(count) => {
                self.gathered.send_modify(|gathered| *gathered += 1);
                let mut gathered = self.gathered.subscribe();
                gathered.wait_for(|gathered| *gathered >= count).await.expect("the world lasts");
                (proto::SmsOutcome::Accepted, "")
            }
            Sms::Accept => (proto::SmsOutcome::Accepted, ""),
            Sms::Reject => (proto::SmsOutcome::Rejected, "NUMBER_BLOCKED"),
        };
        take(outcome);
        Ok(proto::SendSmsResponse { outcome: outcome.into(), reason: reason.to_owned() })
    }
}

fn refuse(kind: Kind, reason: &str) -> Status {
    Error::new(kind, "sms", reason, "the provider of this test says so").into()
}

#[tonic::async_trait]
impl EventFeedService for World {
    type SubscribeStream = Pin<Box<dyn Stream<Item = Result<SubscribeResponse, Status>> + Send>>;

    async fn subscribe(
        &self,
        request: Request<SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        assert_eq!(request.metadata().get("x-center").expect("a center"), "order");
        let mut cursor = request.into_inner().cursor;
        let mut orders = self.orders.subscribe();
        let (messages, stream) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                let all = orders.borrow_and_update().clone();
                let events: Vec<_> = all.into_iter().filter(|e| e.sequence > cursor).collect();
                if let Some(last) = events.last() {
                    cursor = last.sequence;
                    if messages.send(Ok(SubscribeResponse { events })).await.is_err() {
                        return;
                    }
                }
                tokio::select! {
                    changed = orders.changed() => if changed.is_err() { return },
                    () = messages.closed() => return,
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}
