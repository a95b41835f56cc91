//! All centers and outside systems that the order center calls, in one server: it keeps their
//! promises about request ids and references, notes what it really did, and misbehaves on request.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prost::Message;
use throughline_kit::clock::Clock;
use throughline_kit::error::{Error, Kind};
use throughline_proto::billing::v1::billing_service_server::BillingServiceServer;
use throughline_proto::event::v1::Event;
use throughline_proto::event::v1::event_feed_service_server::EventFeedServiceServer;
use throughline_proto::logistics::v1::logistics_service_server::LogisticsServiceServer;
use throughline_proto::payment::v1::payment_service_server::PaymentServiceServer;
use throughline_proto::payment::v1::{PaymentOrder, Refund};
use throughline_proto::product::v1::decision_service_server::DecisionServiceServer;
use throughline_proto::provisioning::v1::provisioning_service_server::ProvisioningServiceServer;
use throughline_proto::resource::v1::Reservation;
use throughline_proto::resource::v1::reservation_service_server::ReservationServiceServer;
use throughline_proto::resource::v1::stock_service_server::StockServiceServer;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

mod feed;
mod foreign;
mod payer;
mod payment;
mod product;
mod resource;
mod state;
mod systems;

pub(crate) use foreign::Booking;
pub(crate) use systems::Operation;

/// What to do with the next call of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behavior {
    /// Do it and answer.
    Answer,
    /// Refuse for good, with this reason.
    Refuse(&'static str),
    /// Answer UNAVAILABLE, without an effect.
    Down,
    /// Answer PERMISSION_DENIED, without an effect: a grant is missing.
    Denied,
    /// Answer that the outcome is unknown, without an effect.
    LostBefore,
    /// Have the effect, then answer that the outcome is unknown.
    LostAfter,
    /// Never answer, without an effect.
    Silent,
    /// Have the effect, then never answer.
    SilentAfter,
    /// Take it, and answer that it is under way.
    Pending,
    /// The payment channel was not reached.
    NotReached,
    /// Wait until the test lets it go on, then do it and answer.
    Hold,
}

/// A call as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Method, and what it is about where several calls of it differ in that ("ActivateService
    /// ip-phone").
    pub(crate) name: String,
    /// Request id, reference, or what is asked about.
    pub(crate) id: String,
    /// `x-order-id`.
    pub(crate) order_id: String,
}

type FirstAnswer = (Vec<u8>, Result<Vec<u8>, Error>);

#[derive(Debug, Default)]
struct Books {
    calls: Vec<Call>,
    behaviors: HashMap<String, VecDeque<Behavior>>,
    answers: HashMap<(&'static str, String), FirstAnswer>,
    /// What really happened, in order.
    effects: Vec<String>,
    taken: BTreeMap<String, i64>,
    empty_pools: Vec<String>,
    reservations: BTreeMap<String, Reservation>,
    payments: BTreeMap<String, PaymentOrder>,
    refunds: BTreeMap<String, Refund>,
    operations: BTreeMap<String, Operation>,
    bookings: Vec<Booking>,
}

/// The server; clones share its books.
#[derive(Clone, Debug)]
pub(crate) struct Outside {
    books: Arc<Mutex<Books>>,
    clock: Clock,
    gate: Arc<Semaphore>,
    feed: Arc<watch::Sender<Vec<Event>>>,
}

impl Outside {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            books: Arc::default(),
            clock,
            gate: Arc::new(Semaphore::new(0)),
            feed: Arc::new(watch::channel(Vec::new()).0),
        }
    }

    pub(crate) async fn serve(&self) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("bind");
        let address = listener.local_addr().expect("address");
        let server = tonic::transport::Server::builder()
            .add_service(DecisionServiceServer::new(self.clone()))
            .add_service(ReservationServiceServer::new(self.clone()))
            .add_service(StockServiceServer::new(self.clone()))
            .add_service(PaymentServiceServer::new(self.clone()))
            .add_service(ProvisioningServiceServer::new(self.clone()))
            .add_service(BillingServiceServer::new(self.clone()))
            .add_service(LogisticsServiceServer::new(self.clone()))
            .add_service(EventFeedServiceServer::new(self.clone()))
            .add_service(foreign::Crew(self.clone()))
            .add_service(foreign::reflection());
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        address
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says how the next calls of a name are met, one each; after them it answers again. A method's
    /// own name stands for all of its calls.
    pub(crate) fn next(&self, name: &str, behaviors: &[Behavior]) {
        self.books().behaviors.insert(name.to_owned(), behaviors.iter().copied().collect());
    }

    /// Lets one held call go on.
    pub(crate) fn let_go(&self) {
        self.gate.add_permits(1);
    }

    /// Meets one call: notes it, misbehaves as told, has its effect and answers.
    async fn meet<Q, A>(
        &self,
        name: String,
        id: &str,
        request: Request<Q>,
        effect: impl FnOnce(&mut Books, &Q, Behavior) -> Result<A, Error>,
    ) -> Result<Response<A>, Status> {
        let order_id = request.metadata().get("x-order-id").and_then(|id| id.to_str().ok());
        let order_id = order_id.unwrap_or_default().to_owned();
        let behavior = self.books().note(Call { name, id: id.to_owned(), order_id });
        let lost = || {
            let message = "nobody knows whether it happened";
            Status::from(Error::new(Kind::OutcomeUnknown, "gateway", "OUTCOME_UNKNOWN", message))
        };
        match behavior {
            Behavior::Down => {
                let error =
                    Error::new(Kind::Unavailable, "gateway", "PROVIDER_DOWN", "not reached");
                return Err(error.into());
            }
            Behavior::Denied => {
                let (kind, message) = (Kind::PermissionDenied, "the grant is missing");
                return Err(Error::new(kind, "gateway", "NOT_GRANTED", message).into());
            }
            Behavior::LostBefore => return Err(lost()),
            Behavior::Silent => std::future::pending::<()>().await,
            Behavior::Hold => self.gate.acquire().await.expect("never closed").forget(),
            _ => {}
        }
        let answer = effect(&mut self.books(), request.get_ref(), behavior);
        match behavior {
            Behavior::LostAfter => Err(lost()),
            Behavior::SilentAfter => std::future::pending().await,
            _ => answer.map(Response::new).map_err(Status::from),
        }
    }

    /// Meets a call that answers a repeated request id with its first answer.
    async fn once<Q: Message, A: Message + Default>(
        &self,
        method: &'static str,
        request_id: String,
        request: Request<Q>,
        effect: impl FnOnce(&mut Books, &Q, Behavior) -> Result<A, Error>,
    ) -> Result<Response<A>, Status> {
        let key = (method, request_id.clone());
        self.meet(method.to_owned(), &request_id, request, |books, request, behavior| {
            let content = request.encode_to_vec();
            if let Some((first, answer)) = books.answers.get(&key) {
                if *first != content {
                    let message = "the request id belongs to another request";
                    return Err(Error::new(Kind::Invalid, "outside", "REQUEST_ID_REUSED", message));
                }
                let answer = answer.clone()?;
                return Ok(A::decode(answer.as_slice()).expect("what was encoded"));
            }
            let answer = effect(books, request, behavior);
            let kept = answer.as_ref().map(Message::encode_to_vec).map_err(Clone::clone);
            books.answers.insert(key, (content, kept));
            answer
        })
        .await
    }
}

impl Books {
    fn note(&mut self, call: Call) -> Behavior {
        let method = call.name.split(' ').next().unwrap_or_default().to_owned();
        let names = [call.name.clone(), method];
        self.calls.push(call);
        let mut next = names.iter().filter_map(|name| self.behaviors.get_mut(name)?.pop_front());
        next.next().unwrap_or(Behavior::Answer)
    }
}

impl Behavior {
    /// The refusal of a center that was told to refuse.
    fn refusal(self) -> Result<(), Error> {
        match self {
            Self::Refuse(reason) => Err(refused(reason)),
            _ => Ok(()),
        }
    }
}

fn refused(reason: &str) -> Error {
    Error::new(Kind::Precondition, "outside", reason, "refused for good")
}

fn missing(reason: &str) -> Error {
    Error::new(Kind::NotFound, "outside", reason, "there is no such thing")
}

fn unused<A>(method: &str) -> Result<Response<A>, Status> {
    let message = format!("the order center has no business with {method}");
    Err(Error::new(Kind::Invalid, "outside", "UNEXPECTED_CALL", message).into())
}
