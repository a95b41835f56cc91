//! What customers say of their orders after the end: once for each order, kept beside it, and counted by template.

use std::collections::BTreeMap;

use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::{Error, Violations};
use throughline_kit::idempotency::Idempotency;
use throughline_kit::identity::Caller;
use throughline_kit::outbox::Announcement;
use throughline_kit::paging::Page;
use throughline_kit::storage::{Change, Database, Tx};
use throughline_proto::order::v1 as proto;

use crate::announce;
use crate::error::{DOMAIN, OrderError};
use crate::operations::{Asked, Fields};
use crate::order::Order;
use crate::query::Query;
use crate::rollup::rollup;
use crate::webhook;

mod store;

pub(crate) use store::of_orders;

const RATE: &str = "throughline.order.v1.OrderService/RateOrder";
/// Characters of a comment at most.
const MAX_COMMENT_LENGTH: usize = 1_000;
/// The worst and the best.
const SCORES: (i32, i32) = (1, 5);

/// What a customer said of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rating {
    /// 1 to 5.
    pub(crate) score: i64,
    /// In their words.
    pub(crate) comment: String,
    /// When.
    pub(crate) created_at: Instant,
}

impl Rating {
    /// As callers see it.
    pub(crate) fn to_proto(&self) -> proto::Rating {
        proto::Rating {
            score: i32::try_from(self.score).unwrap_or_default(),
            comment: self.comment.clone(),
            create_time: Some(self.created_at.to_proto()),
        }
    }
}

/// A rating, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rated {
    order_id: String,
    channel: String,
    rating: Rating,
}

/// Which ratings to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct RatingFilter {
    template: Option<String>,
    score: Option<i64>,
    from: Option<Instant>,
    before: Option<Instant>,
}

/// Takes and lists ratings.
#[derive(Clone, Debug)]
pub(crate) struct Ratings {
    /// Keeps first answers.
    pub(crate) idempotency: Idempotency,
    /// Where ratings are read.
    pub(crate) database: Database,
    /// Knows the orders, and who may see them.
    pub(crate) query: Query,
    /// Who is told.
    pub(crate) webhooks: webhook::Registry,
    /// Time.
    pub(crate) clock: Clock,
}

impl Ratings {
    /// Takes what a customer says of an order that has ended.
    pub(crate) async fn rate(
        &self,
        caller: &Caller,
        request: proto::RateOrderRequest,
    ) -> Result<proto::RateOrderResponse, Error> {
        let fields = Fields {
            request_id: &request.request_id,
            order_id: &request.order_id,
            reason: "",
            needs_reason: false,
        };
        let asked = Asked::read(caller, RATE, &request, fields, |wrong| {
            wrong.range("score", request.score, SCORES.0, SCORES.1);
            wrong.length("comment", &request.comment, 0, MAX_COMMENT_LENGTH);
        })?;
        let order = self.query.get(caller, &request.order_id).await?;
        let rating = Rating {
            score: request.score.into(),
            comment: request.comment,
            created_at: self.clock.now(),
        };
        let webhooks = self.webhooks.clone();
        self.idempotency.once(asked.key, RateOrder { order, rating, webhooks }).await
    }

    /// Lists ratings, newest first, with the averages of their templates.
    pub(crate) async fn list(
        &self,
        request: proto::ListRatingsRequest,
    ) -> Result<proto::ListRatingsResponse, Error> {
        let page = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
        let mut wrong = Violations::new(DOMAIN);
        wrong.length("template", &request.template, 0, 64);
        wrong.range("score", request.score, 0, SCORES.1);
        wrong.finish()?;
        let filter = RatingFilter {
            template: Some(request.template).filter(|template| !template.is_empty()),
            score: Some(i64::from(request.score)).filter(|score| *score > 0),
            from: request.create_time_from.as_ref().map(Instant::from_proto),
            before: request.create_time_before.as_ref().map(Instant::from_proto),
        };
        let found = store::page(&self.database, &filter, &page).await?;
        let (found, next_page_token) =
            page.cut(found, |rated| (rated.rating.created_at, rated.order_id.clone()));
        let write = |rated: Rated| proto::OrderRating {
            order_id: rated.order_id,
            channel: rated.channel,
            rating: Some(rated.rating.to_proto()),
        };
        let averages = store::totals(&self.database, filter.template.as_deref()).await?;
        Ok(proto::ListRatingsResponse {
            ratings: found.into_iter().map(write).collect(),
            next_page_token,
            averages: averages.into_iter().map(average).collect(),
        })
    }
}

/// How many ratings a template has, and the sum of their scores.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Total {
    template: String,
    ratings: i64,
    score_sum: i64,
}

/// The average in hundredths, half up.
fn average(total: Total) -> proto::TemplateRating {
    let hundredths = (total.score_sum * 200 + total.ratings) / (2 * total.ratings.max(1));
    proto::TemplateRating {
        template: total.template,
        rating_count: total.ratings,
        average_hundredths: i32::try_from(hundredths).unwrap_or(i32::MAX),
    }
}

/// Stores a rating.
struct RateOrder {
    order: Order,
    rating: Rating,
    webhooks: webhook::Registry,
}

impl Change for RateOrder {
    type Output = proto::RateOrderResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        let Self { order, rating, webhooks } = self;
        if order.ended_at.is_none() {
            return Err(OrderError::NotEnded(rollup(order)).into());
        }
        if store::is_rated(tx, order.id.as_str()).await? {
            return Err(OrderError::RatedAlready(order.id.to_string()).into());
        }
        store::insert(tx, order, rating).await?;
        let told: [Announcement; 1] = [announce::rated(order, rating)];
        webhook::enqueue(tx, webhooks, std::iter::once(order), &told);
        for event in told {
            tx.announce(event);
        }
        Ok(proto::RateOrderResponse { rating: Some(rating.to_proto()) })
    }
}

/// Ratings by order.
pub(crate) type RatingsByOrder = BTreeMap<String, Rating>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_are_rounded_to_hundredths() {
        // ratings, sum -> hundredths
        for (ratings, score_sum, hundredths) in
            [(1, 5, 500), (2, 9, 450), (3, 10, 333), (3, 11, 367), (8, 37, 463), (7, 7, 100)]
        {
            let total = Total { template: "standard".to_owned(), ratings, score_sum };
            assert_eq!(average(total).average_hundredths, hundredths, "{score_sum} of {ratings}");
        }
    }
}
