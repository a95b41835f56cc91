//! A payment channel that stands where the gateway would: keeps its promises about references, counts what it really
//! did, and misbehaves on request.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use throughline_kit::error::{Error, Kind};
use throughline_proto::paychannel::v1 as proto;
use throughline_proto::paychannel::v1::TransactionOutcome as Outcome;
use throughline_proto::paychannel::v1::payment_channel_service_server::{
    PaymentChannelService, PaymentChannelServiceServer,
};
use throughline_proto::r#type::v1::Money;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// What to do with the next call of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behavior {
    /// Do it and answer.
    Answer,
    /// Refuse for good.
    Refuse,
    /// Answer UNAVAILABLE without an effect.
    Down,
    /// Never answer, without an effect.
    TimeoutBefore,
    /// Have the effect, then never answer.
    TimeoutAfter,
    /// Answer PENDING.
    Pending,
}

/// A charge as the channel has it.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    pub(crate) outcome: Outcome,
    pub(crate) minor: i64,
    pub(crate) authorized_only: bool,
    /// Times that money really moved or was held.
    pub(crate) effects: u32,
}

#[derive(Debug, Default)]
struct Books {
    charges: HashMap<String, Charge>,
    refunds: HashMap<String, (Outcome, i64)>,
    behaviors: HashMap<&'static str, VecDeque<Behavior>>,
    calls: HashMap<&'static str, u32>,
    told_minor: Option<i64>,
}

/// The channel; clones share its books.
#[derive(Clone, Debug, Default)]
pub(crate) struct StandIn {
    books: Arc<Mutex<Books>>,
}

impl StandIn {
    pub(crate) async fn serve(&self) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("bind");
        let address = listener.local_addr().expect("address");
        let service = PaymentChannelServiceServer::new(self.clone());
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        address
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says how the next calls of a method are met, one each; after them it answers again.
    pub(crate) fn next(&self, method: &'static str, behaviors: &[Behavior]) {
        self.books().behaviors.insert(method, behaviors.iter().copied().collect());
    }

    /// Tells another amount than the one that moved; none tells the truth again.
    pub(crate) fn lie_about_amounts(&self, minor: Option<i64>) {
        self.books().told_minor = minor;
    }

    pub(crate) fn calls(&self, method: &'static str) -> u32 {
        self.books().calls.get(method).copied().unwrap_or_default()
    }

    pub(crate) fn charge_of(&self, reference: &str) -> Option<Charge> {
        self.books().charges.get(reference).cloned()
    }

    /// The payer decides about a charge that is pending.
    pub(crate) fn payer_pays(&self, reference: &str) {
        let mut books = self.books();
        let charge = books.charges.get_mut(reference).expect("the charge arrived");
        charge.outcome = Outcome::Succeeded;
        charge.effects += 1;
    }

    /// Breaks the channel's word: takes money for a charge that was ended.
    pub(crate) fn charge_although_cancelled(&self, reference: &str, minor: i64) {
        let charge =
            Charge { outcome: Outcome::Succeeded, minor, authorized_only: false, effects: 1 };
        self.books().charges.insert(reference.to_owned(), charge);
    }

    /// Effects of all charges, the most that one reference had, and money taken less money given back.
    pub(crate) fn totals(&self) -> (u32, u32, i64) {
        let books = self.books();
        let effects = || books.charges.values().map(|charge| charge.effects);
        let taken: i64 = books
            .charges
            .values()
            .filter(|charge| charge.outcome == Outcome::Succeeded && !charge.authorized_only)
            .map(|charge| charge.minor)
            .sum();
        let given: i64 = books
            .refunds
            .values()
            .filter(|(outcome, _)| *outcome == Outcome::Succeeded)
            .map(|(_, minor)| minor)
            .sum();
        (effects().sum(), effects().max().unwrap_or_default(), taken - given)
    }

    pub(crate) fn refunds(&self) -> usize {
        self.books().refunds.len()
    }

    /// Counts a call and says how it is met. What never answers and has no effect ends here.
    async fn meet(&self, method: &'static str) -> Result<Behavior, Status> {
        let behavior = {
            let mut books = self.books();
            *books.calls.entry(method).or_default() += 1;
            let next = books.behaviors.get_mut(method).and_then(VecDeque::pop_front);
            next.unwrap_or(Behavior::Answer)
        };
        match behavior {
            Behavior::Down => {
                Err(Error::new(Kind::Unavailable, "paychannel", "SYSTEM_DOWN", "down").into())
            }
            Behavior::TimeoutBefore => std::future::pending().await,
            other => Ok(other),
        }
    }
}

fn missing(reason: &str) -> Status {
    Error::new(Kind::NotFound, "paychannel", reason, "never arrived").into()
}

fn minor(money: Option<&Money>) -> i64 {
    money.expect("an amount").minor_units
}

#[tonic::async_trait]
impl PaymentChannelService for StandIn {
    async fn charge(
        &self,
        request: Request<proto::ChargeRequest>,
    ) -> Result<Response<proto::ChargeResponse>, Status> {
        let order_id = request.metadata().get("x-order-id").cloned();
        let request = request.into_inner();
        assert_eq!(order_id.expect("every call names its order"), request.order_id.as_str());
        let behavior = self.meet("Charge").await?;
        let answer = {
            let mut books = self.books();
            let charge = books.charges.entry(request.reference).or_insert_with(|| {
                let outcome = match behavior {
                    Behavior::Refuse => Outcome::Declined,
                    Behavior::Pending => Outcome::Pending,
                    _ => Outcome::Succeeded,
                };
                Charge {
                    outcome,
                    minor: minor(request.amount.as_ref()),
                    authorized_only: request.authorize_only,
                    effects: u32::from(outcome == Outcome::Succeeded),
                }
            });
            let refused = matches!(charge.outcome, Outcome::Declined | Outcome::Cancelled);
            let reason = if refused { "INSUFFICIENT_FUNDS" } else { "" };
            proto::ChargeResponse { outcome: charge.outcome.into(), reason: reason.to_owned() }
        };
        if behavior == Behavior::TimeoutAfter {
            std::future::pending::<()>().await;
        }
        Ok(Response::new(answer))
    }

    async fn capture(
        &self,
        request: Request<proto::CaptureRequest>,
    ) -> Result<Response<proto::CaptureResponse>, Status> {
        let request = request.into_inner();
        let behavior = self.meet("Capture").await?;
        {
            let mut books = self.books();
            let found = books.charges.get_mut(&request.charge_reference);
            let charge = found.ok_or_else(|| missing("CHARGE_NOT_FOUND"))?;
            if charge.outcome != Outcome::Succeeded || behavior == Behavior::Refuse {
                let kind = Kind::Precondition;
                return Err(Error::new(kind, "paychannel", "NOT_CAPTURABLE", "it ended").into());
            }
            if charge.authorized_only {
                charge.authorized_only = false;
                charge.minor = minor(request.amount.as_ref());
            }
        }
        if behavior == Behavior::TimeoutAfter {
            std::future::pending::<()>().await;
        }
        let outcome = Outcome::Succeeded.into();
        Ok(Response::new(proto::CaptureResponse { outcome, reason: String::new() }))
    }

    async fn cancel_charge(
        &self,
        request: Request<proto::CancelChargeRequest>,
    ) -> Result<Response<proto::CancelChargeResponse>, Status> {
        let request = request.into_inner();
        self.meet("CancelCharge").await?;
        let mut books = self.books();
        let charge = books.charges.entry(request.charge_reference).or_insert(Charge {
            outcome: Outcome::Cancelled,
            minor: 0,
            authorized_only: false,
            effects: 0,
        });
        if charge.outcome == Outcome::Pending || charge.authorized_only {
            charge.outcome = Outcome::Cancelled;
        }
        let outcome = charge.outcome.into();
        Ok(Response::new(proto::CancelChargeResponse { outcome }))
    }

    async fn refund(
        &self,
        request: Request<proto::RefundRequest>,
    ) -> Result<Response<proto::RefundResponse>, Status> {
        let request = request.into_inner();
        let behavior = self.meet("Refund").await?;
        let outcome = {
            let mut books = self.books();
            let first = match behavior {
                Behavior::Refuse => Outcome::Declined,
                _ => Outcome::Succeeded,
            };
            let entry = (first, minor(request.amount.as_ref()));
            books.refunds.entry(request.reference).or_insert(entry).0
        };
        if behavior == Behavior::TimeoutAfter {
            std::future::pending::<()>().await;
        }
        let told = if behavior == Behavior::Pending { Outcome::Pending } else { outcome };
        let refused = told == Outcome::Declined;
        let reason = if refused { "ACCOUNT_CLOSED".to_owned() } else { String::new() };
        Ok(Response::new(proto::RefundResponse { outcome: told.into(), reason }))
    }

    async fn get_transaction(
        &self,
        request: Request<proto::GetTransactionRequest>,
    ) -> Result<Response<proto::GetTransactionResponse>, Status> {
        let reference = request.into_inner().reference;
        self.meet("GetTransaction").await?;
        let books = self.books();
        let charge = books.charges.get(&reference);
        let charge = charge.ok_or_else(|| missing("REFERENCE_NOT_FOUND"))?;
        let minor_units = books.told_minor.unwrap_or(charge.minor);
        Ok(Response::new(proto::GetTransactionResponse {
            outcome: charge.outcome.into(),
            reason: String::new(),
            amount: Some(Money { currency_code: "GBP".to_owned(), minor_units }),
            authorized_only: charge.authorized_only,
        }))
    }
}
