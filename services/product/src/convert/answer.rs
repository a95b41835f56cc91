//! Answers of the decisions.

use throughline_kit::clock::Instant;
use throughline_proto::product::v1 as proto;

use crate::configuration::Verdict;
use crate::decomposition::{Decomposition, LineDemand, PlannedBusinessOrder};
use crate::quote::{LinePrice, Quote};

/// Writes what a check found.
pub(crate) fn checked(verdicts: Vec<Verdict>, release: i64) -> proto::CheckConfigurationResponse {
    let outcome = if verdicts.is_empty() {
        proto::VerdictOutcome::Pass
    } else {
        proto::VerdictOutcome::Block
    };
    proto::CheckConfigurationResponse {
        outcome: outcome.into(),
        verdicts: verdicts.into_iter().map(verdict).collect(),
        release,
    }
}

fn verdict(verdict: Verdict) -> proto::Verdict {
    proto::Verdict {
        outcome: proto::VerdictOutcome::Block.into(),
        reason: verdict.reason.to_owned(),
        message: verdict.message,
        line_keys: verdict.line_keys,
        remedy: verdict.remedy,
    }
}

/// Writes a quote.
pub(crate) fn quoted(quote: Quote, release: i64, now: Instant) -> proto::QuotePriceResponse {
    proto::QuotePriceResponse {
        lines: quote.lines.into_iter().map(line_price).collect(),
        one_off_total: Some(quote.one_off_total.to_proto()),
        recurring_total: Some(quote.recurring_total.to_proto()),
        refund_total: Some(quote.refund_total.to_proto()),
        release,
        quote_time: Some(now.to_proto()),
    }
}

fn line_price(price: LinePrice) -> proto::LinePrice {
    proto::LinePrice {
        line_key: price.line_key,
        unit_price: Some(price.unit_price.to_proto()),
        one_off: Some(price.one_off.to_proto()),
        recurring: Some(price.recurring.to_proto()),
    }
}

/// Writes a decomposition.
pub(crate) fn decomposed(
    decomposition: Decomposition,
    release: i64,
) -> proto::DecomposeOfferingResponse {
    proto::DecomposeOfferingResponse {
        business_orders: decomposition.business_orders.into_iter().map(planned).collect(),
        demands: decomposition.demands.into_iter().map(demand).collect(),
        release,
    }
}

fn planned(business: PlannedBusinessOrder) -> proto::PlannedBusinessOrder {
    proto::PlannedBusinessOrder {
        plan_key: business.plan_key,
        template: business.template.to_string(),
        line_keys: business.line_keys,
        requires: business.requires,
        after: business.after,
    }
}

fn demand(demand: LineDemand) -> proto::LineDemand {
    proto::LineDemand {
        line_key: demand.line_key,
        pool_code: demand.pool.to_string(),
        quantity: demand.quantity,
    }
}
