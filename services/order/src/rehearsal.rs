//! Plays a template on an order without calling anybody: which steps would run, and what each would send.

use std::sync::Arc;
use std::time::Duration;

use throughline_kit::clock::span_to_proto;
use throughline_kit::error::{Error, Violations};
use throughline_kit::identity::Caller;
use throughline_proto::order::v1 as proto;

use crate::duration::Measured;
use crate::error::{DOMAIN, OrderError};
use crate::facts::OrderFacts;
use crate::flow::{Pinned, own_steps};
use crate::forecast::{CAUTIOUS, MEDIAN};
use crate::order::{Order, Place};
use crate::publishing::Publishing;
use crate::query::Query;
use crate::step::Step;
use crate::target;
use crate::template::{Kind, StepWork, Template};

/// Plays templates.
#[derive(Clone, Debug)]
pub(crate) struct Rehearsal {
    /// Compiles documents and knows what is published.
    pub(crate) publishing: Publishing,
    /// Reads orders.
    pub(crate) query: Query,
    /// How long steps took.
    pub(crate) measured: Measured,
}

impl Rehearsal {
    /// Plays a template on a stored order.
    pub(crate) async fn play(
        &self,
        caller: &Caller,
        request: proto::SimulateTemplateRequest,
    ) -> Result<proto::SimulateTemplateResponse, Error> {
        let mut wrong = Violations::new(DOMAIN);
        if request.source.is_empty() == request.name.is_empty() {
            wrong.add("source", "give either a document or the name of a published template");
        }
        wrong.length("order_id", &request.order_id, 1, 64);
        wrong.finish()?;
        let template = self.template(&request).await?;
        let order = self.query.get(caller, &request.order_id).await?;
        let index = match (template.kind, request.business_order_id.as_str()) {
            (Kind::Order, _) => None,
            (Kind::Business, "") if order.business_orders.is_empty() => {
                let id = order.id.to_string();
                return Err(OrderError::BusinessOrderNotFound(id, String::new()).into());
            }
            (Kind::Business, "") => Some(0),
            (Kind::Business, id) => Some(target::business_order(&order, id)?),
        };
        Ok(self.play_on(order, index, template))
    }

    async fn template(
        &self,
        request: &proto::SimulateTemplateRequest,
    ) -> Result<Arc<Template>, Error> {
        if request.name.is_empty() {
            return self.publishing.compiled(&request.source).await.map(Arc::new);
        }
        let templates = &self.publishing.templates;
        let version = templates.in_force_version(&request.name).unwrap_or(0);
        let missing = || OrderError::TemplateNotFound(request.name.clone(), version);
        templates.version(&request.name, version).ok_or_else(|| missing().into())
    }
}

impl Rehearsal {
    /// Plays the template on a copy of the order in which nothing of it has run.
    fn play_on(
        &self,
        mut order: Order,
        business_order: Option<usize>,
        template: Arc<Template>,
    ) -> proto::SimulateTemplateResponse {
        let now = self.publishing.clock.now();
        let pinned = Pinned::new(template);
        let steps = own_steps(&pinned);
        match business_order {
            None => (order.template, order.steps) = (pinned, steps),
            Some(index) => {
                let business_order = &mut order.business_orders[index];
                (business_order.template, business_order.steps) = (pinned, steps);
            }
        }
        let steps = match business_order {
            None => &order.steps,
            Some(index) => &order.business_orders[index].steps,
        };
        let template = order.template_of(business_order);
        let mut played = Played::default();
        for (index, step) in steps.iter().enumerate() {
            let place = Place { business_order, step: index };
            let one = simulated(&order, place, now);
            let quantile = |percent| self.measured.quantile(template, &step.id, percent);
            played.add(step, one, quantile(MEDIAN), quantile(CAUTIOUS));
        }
        played.answer()
    }
}

/// Steps that were played, with when each would end.
#[derive(Default)]
struct Played {
    steps: Vec<proto::SimulatedStep>,
    ends: Vec<(Duration, Duration)>,
    unmeasured: bool,
}

impl Played {
    /// Adds a step after those that it comes after. One that was never measured is counted as taking no time.
    fn add(
        &mut self,
        step: &Step,
        mut played: proto::SimulatedStep,
        median: Option<Duration>,
        p90: Option<Duration>,
    ) {
        let before = step.after.iter().map(|before| self.ends[*before]);
        let begins = before.fold((Duration::ZERO, Duration::ZERO), |latest, end| {
            (latest.0.max(end.0), latest.1.max(end.1))
        });
        played.start_offset = Some(span_to_proto(begins.0));
        let mut ends = begins;
        if played.runs {
            self.unmeasured |= median.is_none();
            played.median_duration = median.map(span_to_proto);
            played.p90_duration = p90.map(span_to_proto);
            ends.0 += median.unwrap_or_default();
            ends.1 += p90.unwrap_or_default();
        }
        self.ends.push(ends);
        self.steps.push(played);
    }

    fn answer(self) -> proto::SimulateTemplateResponse {
        let last = |of: fn(&(Duration, Duration)) -> Duration| {
            let longest = self.ends.iter().map(of).max().filter(|_| !self.unmeasured);
            longest.map(span_to_proto)
        };
        let (median_duration, p90_duration) = (last(|ends| ends.0), last(|ends| ends.1));
        proto::SimulateTemplateResponse { median_duration, p90_duration, steps: self.steps }
    }
}

fn simulated(
    order: &Order,
    place: Place,
    now: throughline_kit::clock::Instant,
) -> proto::SimulatedStep {
    let step: &Step = order.step(place);
    let definition = step.definition();
    let facts = OrderFacts::new(order, place, now);
    let mut played = proto::SimulatedStep {
        step_id: step.id.clone(),
        runs: true,
        ..proto::SimulatedStep::default()
    };
    match definition.when.as_ref().map(|when| when.bool(&facts)) {
        Some(Ok(false)) => {
            played.runs = false;
            played.note = "its condition does not hold".to_owned();
            return played;
        }
        Some(Err(cause)) => played.note = cause.to_string(),
        Some(Ok(true)) | None => {}
    }
    match &definition.work {
        StepWork::Call(call) => match call.request(&facts) {
            Ok(request) => {
                played.request = serde_json::to_string(&request).unwrap_or_default();
                played.note = format!("calls {}", call.method());
            }
            Err(cause) => played.note = cause.to_string(),
        },
        StepWork::Wait(wait) => played.note = format!("waits for {}", wait.event),
        StepWork::Timer(_) => played.note = "lets time pass".to_owned(),
        StepWork::Manual(manual) => played.note = format!("a task of {}", manual.group),
        StepWork::Activity(activity) => played.note = format!("calls {}", activity.method()),
    }
    played
}
