//! What a back office watches of orders: each answer comes of rows that are kept for it.

use throughline_kit::clock::Instant;
use throughline_kit::error::{Error, Violations};
use throughline_kit::paging::Page;
use throughline_kit::storage::Database;
use throughline_proto::order::v1 as proto;

use crate::cancellation;
use crate::convert;
use crate::engine::Engine;
use crate::error::DOMAIN;
use crate::mark;
use crate::store::{Filter, LateRow, Listed, OrderStore, PositionFilter};

/// Groups in one answer.
pub(crate) const MAX_LISTED_GROUPS: i64 = 500;

/// Reads what is watched.
#[derive(Clone, Debug)]
pub(crate) struct Monitors {
    /// Reads orders and what is kept beside them.
    pub(crate) store: OrderStore,
    /// Where requests to cancel are read.
    pub(crate) database: Database,
    /// Knows how many orders are live.
    pub(crate) engine: Engine,
}

impl Monitors {
    /// Counts the steps of live orders that stand still.
    pub(crate) async fn load(
        &self,
        request: proto::ListLoadRequest,
    ) -> Result<proto::ListLoadResponse, Error> {
        let mut wrong = Violations::new(DOMAIN);
        let filter = steps(request.template, request.step_id, &mut wrong);
        wrong.finish()?;
        let groups = self.store.load(&filter, MAX_LISTED_GROUPS).await?;
        let live = self.engine.live_orders();
        Ok(proto::ListLoadResponse {
            groups: groups.into_iter().map(convert::load_group).collect(),
            live_order_count: i64::try_from(live).unwrap_or(i64::MAX),
        })
    }

    /// Lists what is late, the longest first.
    pub(crate) async fn timeouts(
        &self,
        request: proto::ListTimeoutsRequest,
    ) -> Result<proto::ListTimeoutsResponse, Error> {
        let page = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
        let mut wrong = Violations::new(DOMAIN);
        let lateness = wrong.take("lateness", convert::lateness_filter(request.lateness)).flatten();
        let filter = steps(request.template, request.step_id, &mut wrong);
        wrong.finish()?;
        let filter = PositionFilter { lateness, ..filter };
        let rows = self.store.late_page(&filter, &page).await?;
        let (rows, next_page_token) = page.cut(rows, |row: &LateRow| row.key.clone());
        let groups = match page.after {
            None => self.store.late_groups(&filter, MAX_LISTED_GROUPS).await?,
            Some(_) => Vec::new(),
        };
        Ok(proto::ListTimeoutsResponse {
            timeouts: rows.into_iter().map(convert::timeout).collect(),
            next_page_token,
            groups: groups.into_iter().map(convert::timeout_group).collect(),
        })
    }

    /// Lists requests to cancel and to change, newest first.
    pub(crate) async fn cancellations(
        &self,
        request: proto::ListCancellationsRequest,
    ) -> Result<proto::ListCancellationsResponse, Error> {
        cancellation::query::list(&self.database, request).await
    }

    /// Lists live orders whose customer asked to hurry, newest first.
    pub(crate) async fn urges(
        &self,
        request: proto::ListUrgesRequest,
    ) -> Result<proto::ListUrgesResponse, Error> {
        let page = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
        let mut wrong = Violations::new(DOMAIN);
        wrong.length("channel", &request.channel, 0, MAX_NAME_LENGTH);
        wrong.finish()?;
        let channel = given(request.channel);
        let filter = Filter { mark: Some(mark::URGED.to_owned()), channel, ..Filter::default() };
        let orders = self.store.page(&filter, &page).await?;
        let (orders, next_page_token) = page.cut(orders, Listed::place);
        let orders = orders.iter().map(convert::urged_order).collect();
        Ok(proto::ListUrgesResponse { orders, next_page_token })
    }

    /// Signatures of exceptions with the number of live orders that have them, the most first.
    pub(crate) async fn exceptions(&self) -> Result<proto::ListExceptionsResponse, Error> {
        let found = self.store.exceptions(MAX_LISTED_GROUPS).await?;
        let group = |(signature, order_count)| proto::ExceptionGroup { signature, order_count };
        Ok(proto::ListExceptionsResponse { groups: found.into_iter().map(group).collect() })
    }

    /// Lists orders whose money is not what it should be, newest first.
    pub(crate) async fn fee_differences(
        &self,
        request: &proto::ListFeeDifferencesRequest,
    ) -> Result<proto::ListFeeDifferencesResponse, Error> {
        let page = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
        let from = request.create_time_from.as_ref().map(Instant::from_proto);
        let filter = Filter { mark: Some(mark::FEE.to_owned()), from, ..Filter::default() };
        let orders = self.store.page(&filter, &page).await?;
        let (orders, next_page_token) = page.cut(orders, Listed::place);
        let differences = orders.iter().map(convert::fee_difference).collect();
        Ok(proto::ListFeeDifferencesResponse { differences, next_page_token })
    }
}

/// Characters of the name of a template, a step or a channel.
const MAX_NAME_LENGTH: usize = 64;

fn steps(template: String, step_id: String, wrong: &mut Violations) -> PositionFilter {
    wrong.length("template", &template, 0, MAX_NAME_LENGTH);
    wrong.length("step_id", &step_id, 0, MAX_NAME_LENGTH);
    PositionFilter { template: given(template), step_id: given(step_id), lateness: None }
}

fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
