//! The product center: a small catalog.

use throughline_kit::error::Error;
use throughline_proto::product::v1 as proto;
use throughline_proto::product::v1::decision_service_server::DecisionService;
use throughline_proto::product::v1::{LineAction, VerdictOutcome};
use throughline_proto::r#type::v1::Money;
use tonic::{Request, Response, Status};

use super::{Behavior, Outside, refused};

struct Offering {
    code: &'static str,
    template: &'static str,
    price: i64,
    recurring: i64,
    pool: Option<&'static str>,
    requires: Option<&'static str>,
}

const GOODS: &str = "retail-goods";

const fn offering(code: &'static str, template: &'static str, price: i64) -> Offering {
    Offering { code, template, price, recurring: 0, pool: None, requires: None }
}

const CATALOG: &[Offering] = &[
    Offering {
        recurring: 5_900,
        pool: Some("msisdn"),
        ..offering("plan-4g", "telecom-plan", 1_000)
    },
    Offering {
        recurring: 9_900,
        pool: Some("modem"),
        ..offering("broadband-100m", "telecom-broadband", 10_000)
    },
    Offering {
        pool: Some("landline"),
        requires: Some("broadband-100m"),
        ..offering("ip-phone", "telecom-ip-phone", 2_000)
    },
    Offering { pool: Some("mug"), ..offering("mug", GOODS, 850) },
    offering("postage", GOODS, 300),
    offering("leaflet", GOODS, 0),
    offering("visit", "home-visit", 4_000),
    Offering { pool: Some("handset"), ..offering("handset", "handover", 5_000) },
    Offering { requires: Some("handset"), ..offering("cover", "home-visit", 700) },
    offering("riddle", "no-such-template", 100),
];

fn find(line: &proto::Line) -> Result<&'static Offering, Error> {
    let found = CATALOG.iter().find(|offering| offering.code == line.offering_code);
    found.ok_or_else(|| refused("OFFERING_NOT_ACTIVE"))
}

fn is_return(line: &proto::Line) -> bool {
    line.action() == LineAction::Delete
}

fn verdict(lines: &[proto::Line], behavior: Behavior) -> Option<proto::Verdict> {
    let block = |reason: &str, remedy: String| proto::Verdict {
        outcome: VerdictOutcome::Block.into(),
        reason: reason.to_owned(),
        message: "the lines do not fit".to_owned(),
        line_keys: Vec::new(),
        remedy,
    };
    if let Behavior::Refuse(reason) = behavior {
        return Some(block(reason, String::new()));
    }
    lines.iter().find_map(|line| {
        let Ok(offering) = find(line) else {
            return Some(block("OFFERING_NOT_ACTIVE", "order something else".to_owned()));
        };
        let wanted = offering.requires.filter(|_| !is_return(line))?;
        let has = lines.iter().any(|other| other.offering_code == wanted);
        (!has).then(|| block("REQUIRED_OFFERING_MISSING", format!("add {wanted}")))
    })
}

fn price(line: &proto::Line, currency: &str) -> Result<proto::LinePrice, Error> {
    let offering = find(line)?;
    let money = |minor_units| Some(Money { currency_code: currency.to_owned(), minor_units });
    let one_off = match &line.agreed_unit_price {
        // Half up to the minor unit of two digits.
        Some(agreed) => (agreed.micro_units * line.quantity + 5_000) / 10_000,
        None => offering.price * line.quantity,
    };
    Ok(proto::LinePrice {
        line_key: line.line_key.clone(),
        unit_price: None,
        one_off: money(one_off),
        recurring: money(if is_return(line) { 0 } else { offering.recurring * line.quantity }),
    })
}

fn decompose(lines: &[proto::Line]) -> Result<proto::DecomposeOfferingResponse, Error> {
    let mut answer = proto::DecomposeOfferingResponse::default();
    let mut offered: Vec<(String, &Offering)> = Vec::new();
    for line in lines {
        let offering = find(line)?;
        let template = if is_return(line) { "retail-return" } else { offering.template };
        let keys = vec![line.line_key.clone()];
        let shares = [GOODS, "retail-return"].contains(&template);
        let existing = answer.business_orders.iter_mut().find(|one| one.template == template);
        match existing.filter(|_| shares) {
            Some(existing) => existing.line_keys.extend(keys),
            None => {
                let plan_key = format!("bo-{}", answer.business_orders.len() + 1);
                offered.push((plan_key.clone(), offering));
                answer.business_orders.push(proto::PlannedBusinessOrder {
                    plan_key,
                    template: template.to_owned(),
                    line_keys: keys,
                    requires: Vec::new(),
                    after: Vec::new(),
                });
            }
        }
        answer.demands.extend(offering.pool.map(|pool| proto::LineDemand {
            line_key: line.line_key.clone(),
            pool_code: pool.to_owned(),
            quantity: line.quantity,
        }));
    }
    for (planned, (_, offering)) in answer.business_orders.iter_mut().zip(&offered) {
        let needed = offered.iter().filter(|(_, other)| offering.requires == Some(other.code));
        planned.requires = needed.map(|(key, _)| key.clone()).collect();
    }
    Ok(answer)
}

#[tonic::async_trait]
impl DecisionService for Outside {
    async fn check_configuration(
        &self,
        request: Request<proto::CheckConfigurationRequest>,
    ) -> Result<Response<proto::CheckConfigurationResponse>, Status> {
        let name = "CheckConfiguration".to_owned();
        self.meet(name, "question", request, |_, request, behavior| {
            let verdicts: Vec<_> = verdict(&request.lines, behavior).into_iter().collect();
            let outcome =
                if verdicts.is_empty() { VerdictOutcome::Pass } else { VerdictOutcome::Block };
            let outcome = outcome.into();
            Ok(proto::CheckConfigurationResponse { outcome, verdicts, release: 1 })
        })
        .await
    }

    async fn quote_price(
        &self,
        request: Request<proto::QuotePriceRequest>,
    ) -> Result<Response<proto::QuotePriceResponse>, Status> {
        self.meet("QuotePrice".to_owned(), "question", request, |_, request, behavior| {
            behavior.refusal()?;
            let currency = &request.currency_code;
            let price = |line| price(line, currency);
            let lines = request.lines.iter().map(price).collect::<Result<Vec<_>, _>>()?;
            let sold = request.lines.iter().zip(&lines).filter(|(line, _)| !is_return(line));
            let one_off = sold.filter_map(|(_, price)| price.one_off.as_ref());
            let minor_units = one_off.map(|money| money.minor_units).sum();
            let one_off_total = Some(Money { currency_code: currency.clone(), minor_units });
            Ok(proto::QuotePriceResponse { lines, one_off_total, ..Default::default() })
        })
        .await
    }

    async fn decompose_offering(
        &self,
        request: Request<proto::DecomposeOfferingRequest>,
    ) -> Result<Response<proto::DecomposeOfferingResponse>, Status> {
        self.meet("DecomposeOffering".to_owned(), "question", request, |_, request, behavior| {
            behavior.refusal()?;
            decompose(&request.lines)
        })
        .await
    }
}
