//! Plays a template on an order without calling anybody: which steps would run, what each would send, how long it would take, and
//! what would follow if one failed. The order is a stored one, or made up.

use std::sync::Arc;

use throughline_kit::error::{Error, Violations};
use throughline_kit::identity::Caller;
use throughline_proto::order::v1 as proto;

use crate::convert;
use crate::duration::Measured;
use crate::error::{DOMAIN, OrderError};
use crate::flow::Pinned;
use crate::forecast::{CAUTIOUS, MEDIAN};
use crate::order::Place;
use crate::publishing::Publishing;
use crate::query::Query;
use crate::target;
use crate::template::{Kind, Template};

mod assumption;
mod failure;
mod played;
mod stage;

use assumption::Assumptions;
use played::{Played, simulated};
use stage::Stage;

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
    /// Plays a template.
    pub(crate) async fn play(
        &self,
        caller: &Caller,
        request: proto::SimulateTemplateRequest,
    ) -> Result<proto::SimulateTemplateResponse, Error> {
        let mut wrong = Violations::new(DOMAIN);
        if request.source.is_empty() == request.name.is_empty() {
            wrong.add("source", "give either a document or the name of a published template");
        }
        if request.order_id.is_empty() == request.order.is_none() {
            wrong.add("order_id", "give either the id of a stored order or an order");
        }
        let assumptions = Assumptions::read(&request, &mut wrong);
        wrong.finish()?;
        let template = self.template(&request).await?;
        let mut stage = self.stage(caller, &request, template, &assumptions).await?;
        assumptions.keep(&mut stage)?;
        let this = self.clone();
        self.publishing.beside(move || this.play_on(&stage, &request)).await?
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

    /// The order as it is when the template begins.
    async fn stage(
        &self,
        caller: &Caller,
        request: &proto::SimulateTemplateRequest,
        template: Arc<Template>,
        assumptions: &Assumptions,
    ) -> Result<Stage, Error> {
        let (kind, template) = (template.kind, Pinned::new(template));
        let now = self.publishing.clock.now();
        if let Some(order) = &request.order {
            let submission = convert::made_up(order)?;
            let own = self.publishing.templates.for_submission(&submission)?;
            let order = assumptions.order(submission, own, &request.channel, now)?;
            return match kind {
                Kind::Order => Ok(Stage::of_order(order, template)),
                Kind::Business => Ok(Stage::of_made_up_business(order, assumptions, template, now)),
            };
        }
        let order = self.query.get(caller, &request.order_id).await?;
        let index = match (kind, request.business_order_id.as_str()) {
            (Kind::Order, _) => return Ok(Stage::of_order(order, template)),
            (Kind::Business, "") if order.business_orders.is_empty() => {
                let id = order.id.to_string();
                return Err(OrderError::BusinessOrderNotFound(id, String::new()).into());
            }
            (Kind::Business, "") => 0,
            (Kind::Business, id) => target::business_order(&order, id)?,
        };
        Ok(Stage::of_business_order(order, index, template, now))
    }

    fn play_on(
        &self,
        stage: &Stage,
        request: &proto::SimulateTemplateRequest,
    ) -> Result<proto::SimulateTemplateResponse, Error> {
        let now = self.publishing.clock.now();
        let Stage { order, business_order } = stage;
        let template = order.template_of(*business_order);
        let mut played = Played::default();
        for (index, step) in stage.steps().iter().enumerate() {
            let place = Place { business_order: *business_order, step: index };
            let one = simulated(order, place, now);
            let quantile =
                |percent| self.measured.quantile(template, &step.definition().id, percent);
            played.add(step, one, quantile(MEDIAN), quantile(CAUTIOUS));
        }
        let failure = match request.failed_step_id.as_str() {
            "" => None,
            id => Some(failure::follows(stage, &played, id, &request.failure_reason, now)?),
        };
        Ok(proto::SimulateTemplateResponse { failure, ..played.answer() })
    }
}
