//! A mix of orders that go on while things break, by customers who repeat every request until they have an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use throughline::connection::bounded;
use throughline_kit::client::CallOutcome;
use throughline_kit::error::Error;
use throughline_kit::id::derived_uuid;
use throughline_proto::order::v1::order_service_client::OrderServiceClient;
use throughline_proto::order::v1::{
    CancelOrderRequest, CancelPlan, CustomerOrder, FailurePolicy, OrderState, SubmitOrderRequest,
};
use throughline_proto::payment::v1 as payment;
use throughline_proto::payment::v1::payment_service_client::PaymentServiceClient;
use throughline_proto::simulator::v1::simulator_control_service_client::SimulatorControlServiceClient;
use throughline_proto::simulator::v1::{AddRuleRequest, Misbehavior, Rule};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::{Response, Status};

use crate::back_office;
use crate::desk::{Desk, MAX_WAIT};
use crate::proof;
use crate::shopping::{at_the_counter, back, converged, of_order, order};

/// Customers at a time.
const CUSTOMERS: usize = 8;
/// Wait before a request without an answer is repeated.
const REPEAT_INTERVAL: Duration = Duration::from_millis(30);
/// How long a customer may pay at the counter, and one who never does.
const TIME_TO_PAY: Duration = Duration::from_secs(600);
const TIME_OF_A_MISER: Duration = Duration::from_secs(2);
const EARPHONES: [(&str, &str, i64); 1] = [("ears", "earphones", 1)];

/// What a customer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Errand {
    Goods,
    Plan,
    Converged,
    Branch,
    Whole,
    Cash,
    NeverPays,
    Return,
    Cancel,
    Paused,
    PausedAndCancelled,
    Approved,
    Refused,
}

const ERRANDS: [Errand; 9] = [
    Errand::Goods,
    Errand::Plan,
    Errand::Branch,
    Errand::Cancel,
    Errand::Cash,
    Errand::Return,
    Errand::Whole,
    Errand::NeverPays,
    Errand::Converged,
];
const WITH_BACK_OFFICE: [Errand; 13] = [
    Errand::Goods,
    Errand::Paused,
    Errand::Plan,
    Errand::Approved,
    Errand::Branch,
    Errand::Cancel,
    Errand::Refused,
    Errand::Cash,
    Errand::Return,
    Errand::PausedAndCancelled,
    Errand::Whole,
    Errand::NeverPays,
    Errand::Converged,
];

/// An order that was accepted, and how it must end.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// What was asked for, with the request id that it keeps.
    pub request: SubmitOrderRequest,
    /// The answer.
    pub order_id: String,
    /// How it must end.
    pub end: OrderState,
    /// Charges at the payment channel; `None` for at most one.
    pub charges: Option<usize>,
}

/// Customers on their way.
#[derive(Debug)]
pub struct Load {
    desk: Desk,
    customers: JoinSet<Vec<Accepted>>,
    progress: Arc<AtomicUsize>,
    /// Orders in all.
    pub orders: usize,
}

impl Load {
    /// Sends customers with so many rounds of errands, ten orders each.
    pub async fn begin(desk: &Desk, rounds: usize) -> Self {
        Self::begin_errands(desk, rounds, &ERRANDS).await
    }

    /// The same with persons who pause, resume, cancel and do tasks: fourteen orders in a round.
    pub async fn begin_with_back_office(desk: &Desk, rounds: usize) -> Self {
        back_office::sell_reviews(desk).await;
        Self::begin_errands(desk, rounds, &WITH_BACK_OFFICE).await
    }

    async fn begin_errands(desk: &Desk, rounds: usize, errands: &[Errand]) -> Self {
        let named = |round: usize| errands.iter().map(move |e| (format!("{e:?}-{round}"), *e));
        let errands: Vec<(String, Errand)> = (0..rounds).flat_map(named).collect();
        for (name, errand) in &errands {
            if matches!(errand, Errand::Branch | Errand::Whole) {
                no_line_for(desk, name).await;
            }
        }
        let progress = Arc::new(AtomicUsize::new(0));
        let mut customers = JoinSet::new();
        for first in 0..CUSTOMERS {
            let mine: Vec<_> = errands.iter().skip(first).step_by(CUSTOMERS).cloned().collect();
            let customer = Customer { desk: desk.clone(), progress: Arc::clone(&progress) };
            customers.spawn(async move {
                let mut accepted = Vec::new();
                for (name, errand) in mine {
                    Box::pin(customer.run(&name, errand, &mut accepted)).await;
                }
                accepted
            });
        }
        // A return is two orders.
        let orders = errands.len() + rounds;
        Self { desk: desk.clone(), customers, progress, orders }
    }

    /// Submissions answered and ends seen so far: twice the orders in the end.
    pub fn progress(&self) -> usize {
        self.progress.load(Ordering::Relaxed)
    }

    /// Waits until there is so much progress.
    pub async fn reaches(&self, progress: usize) {
        assert!(progress <= 2 * self.orders, "there will be no more");
        let patience = Instant::now() + MAX_WAIT;
        while self.progress() < progress {
            let seen = self.progress();
            assert!(Instant::now() < patience, "waited {MAX_WAIT:?} for {progress}, saw {seen}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits for all customers, then proves that each order ended as it must and that nothing was lost or done twice.
    pub async fn prove(self) {
        let accepted: Vec<Accepted> = self.customers.join_all().await.concat();
        assert_eq!(accepted.len(), self.orders);
        proof::nothing_lost(&self.desk, &accepted).await;
        proof::nothing_twice(&self.desk, &accepted).await;
    }
}

/// Nobody can lay a line to this customer.
async fn no_line_for(desk: &Desk, customer: &str) {
    let rule = Rule {
        method: "ActivateService".to_owned(),
        offering_code: "broadband-100m".to_owned(),
        customer_id: customer.to_owned(),
        misbehavior: Misbehavior::Refuse.into(),
        reason: "NO_LINE_AT_ADDRESS".to_owned(),
        ..Rule::default()
    };
    let request = AddRuleRequest { rule: Some(rule) };
    let add = || {
        let mut control = SimulatorControlServiceClient::new(desk.operator.channel());
        let request = bounded(request.clone());
        async move { control.add_rule(request).await }
    };
    answered("add a rule", add).await.expect("a rule");
}

/// Repeats a request until it is answered or refused for good: what any client should do.
pub(crate) async fn answered<T, F>(what: &str, mut call: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    let patience = Instant::now() + MAX_WAIT;
    loop {
        match CallOutcome::from_result(call().await) {
            CallOutcome::Answered(answer) => return Ok(answer),
            CallOutcome::Declined(refusal) => return Err(refusal),
            CallOutcome::NotAttempted(error) | CallOutcome::Unknown(error) => {
                assert!(Instant::now() < patience, "{what}: {error}");
            }
        }
        tokio::time::sleep(REPEAT_INTERVAL).await;
    }
}

#[derive(Clone, Debug)]
struct Customer {
    desk: Desk,
    progress: Arc<AtomicUsize>,
}

impl Customer {
    async fn run(&self, name: &str, errand: Errand, accepted: &mut Vec<Accepted>) {
        use OrderState::{Cancelled, Completed, Failed, Partial};
        let plain = order(name, &EARPHONES);
        let (request, end, charges) = match errand {
            Errand::Goods | Errand::Return => (plain, Completed, Some(1)),
            Errand::Plan => (order(name, &[("plan", "plan-4g-59", 1)]), Completed, Some(1)),
            Errand::Converged => (converged(name, FailurePolicy::Whole), Completed, Some(1)),
            Errand::Branch => (converged(name, FailurePolicy::Branch), Partial, Some(1)),
            Errand::Whole => (converged(name, FailurePolicy::Whole), Cancelled, Some(1)),
            Errand::Cash => (at_the_counter(plain, TIME_TO_PAY), Completed, Some(0)),
            Errand::NeverPays => (at_the_counter(plain, TIME_OF_A_MISER), Cancelled, Some(0)),
            Errand::Cancel | Errand::Paused | Errand::PausedAndCancelled => {
                (plain, Completed, None)
            }
            Errand::Approved => (back_office::reviewed(name), Completed, Some(0)),
            Errand::Refused => (back_office::reviewed(name), Failed, Some(0)),
        };
        let order_id = self.submit(&request).await;
        let mut sold = Accepted { request, order_id, end, charges };
        match errand {
            Errand::Cash => self.pay_cash(&sold.order_id).await,
            Errand::Cancel => sold.end = self.cancel(&sold.order_id).await,
            Errand::Paused => {
                back_office::pause(&self.desk, &sold.order_id).await;
                back_office::resume(&self.desk, &sold.order_id).await;
            }
            Errand::PausedAndCancelled => {
                back_office::pause(&self.desk, &sold.order_id).await;
                sold.end = self.cancel(&sold.order_id).await;
            }
            Errand::Approved => back_office::review(&self.desk, &sold.order_id, "true").await,
            Errand::Refused => back_office::review(&self.desk, &sold.order_id, "false").await,
            Errand::Goods
            | Errand::Plan
            | Errand::Converged
            | Errand::Branch
            | Errand::Whole
            | Errand::NeverPays
            | Errand::Return => {}
        }
        self.see_end(&sold.order_id).await;
        if errand == Errand::Return {
            let number = format!("{name}-back");
            let request = SubmitOrderRequest {
                customer: sold.request.customer.clone(),
                ..back(&number, &EARPHONES, &of_order(name))
            };
            let order_id = self.submit(&request).await;
            self.see_end(&order_id).await;
            accepted.push(Accepted { request, order_id, end, charges: Some(0) });
        }
        accepted.push(sold);
    }

    async fn submit(&self, request: &SubmitOrderRequest) -> String {
        let submit = || {
            let mut orders = OrderServiceClient::new(self.desk.channel.channel());
            let request = bounded(request.clone());
            async move { orders.submit_order(request).await }
        };
        let order_id = answered("submit", submit).await.expect("accepted").order_id;
        self.progress.fetch_add(1, Ordering::Relaxed);
        order_id
    }

    async fn see_end(&self, order_id: &str) {
        self.desk.end_of(order_id).await;
        self.progress.fetch_add(1, Ordering::Relaxed);
    }

    async fn pay_cash(&self, order_id: &str) {
        let is_owed = |order: &CustomerOrder| !order.payment_order_id.is_empty();
        let order = self.desk.until(order_id, "its payment order", is_owed).await;
        let request = payment::RecordReceiptRequest {
            request_id: derived_uuid(&["cash", order_id]).to_string(),
            payment_order_id: order.payment_order_id,
            amount: order.total,
            receipt_number: format!("receipt-{order_id}"),
        };
        let pay = || {
            let mut payments = PaymentServiceClient::new(self.desk.operator.channel());
            let request = bounded(request.clone());
            async move { payments.record_receipt(request).await }
        };
        answered("pay at the counter", pay).await.expect("taken");
    }

    /// Cancels, and says how the order must end after this answer.
    async fn cancel(&self, order_id: &str) -> OrderState {
        let request = CancelOrderRequest {
            request_id: derived_uuid(&["cancel", order_id]).to_string(),
            order_id: order_id.to_owned(),
            reason: "thought better of it".to_owned(),
            ..Default::default()
        };
        let cancel = || {
            let mut orders = OrderServiceClient::new(self.desk.channel.channel());
            let request = bounded(request.clone());
            async move { orders.cancel_order(request).await }
        };
        let kept = |plan: Option<CancelPlan>| plan.is_some_and(|plan| !plan.keep.is_empty());
        match answered("cancel", cancel).await {
            Ok(answer) if kept(answer.plan.clone()) => OrderState::Completed,
            Ok(_) => OrderState::Cancelled,
            Err(_) => OrderState::Completed,
        }
    }
}
