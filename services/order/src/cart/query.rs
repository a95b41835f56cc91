//! Reads carts for callers: a channel sees its own, operators see all.

use throughline_kit::clock::Clock;
use throughline_kit::error::{Error, Violations};
use throughline_kit::identity::Caller;
use throughline_kit::paging::Page;
use throughline_kit::storage::Database;
use throughline_proto::order::v1 as proto;

use super::change::seen;
use super::store::{self, Filter, Owner};
use crate::convert;
use crate::error::DOMAIN;

/// Reads carts.
#[derive(Clone, Debug)]
pub(crate) struct CartQuery {
    /// Where carts are read.
    pub(crate) database: Database,
    /// Decides when it is.
    pub(crate) clock: Clock,
}

impl CartQuery {
    /// Reads one cart with its lines.
    pub(crate) async fn get(
        &self,
        caller: &Caller,
        request: &proto::GetCartRequest,
    ) -> Result<proto::GetCartResponse, Error> {
        let target = convert::cart::target(caller, &request.cart_id, 0)?;
        let found = store::find(&self.database, &target.cart_id).await?;
        let cart = seen(found, &target.cart_id, target.channel.as_deref())?;
        Ok(proto::GetCartResponse {
            cart: Some(convert::cart::head(&cart.head, self.clock.now())),
            items: cart.lines.iter().map(convert::submitted_item).collect(),
        })
    }

    /// Lists the carts of one customer or visitor, newest first.
    pub(crate) async fn list(
        &self,
        caller: &Caller,
        request: &proto::ListCartsRequest,
    ) -> Result<proto::ListCartsResponse, Error> {
        let page = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
        let mut wrong = Violations::new(DOMAIN);
        wrong.length("customer_id", &request.customer_id, 0, 64);
        wrong.length("visitor_id", &request.visitor_id, 0, 64);
        let state = wrong.take("state", convert::cart::state_filter(request.state)).flatten();
        if request.customer_id.is_empty() == request.visitor_id.is_empty() {
            wrong.add("customer_id", "exactly one of customer_id and visitor_id must be set");
        }
        wrong.finish()?;
        let owner = if request.customer_id.is_empty() {
            Owner::Visitor(request.visitor_id.clone())
        } else {
            Owner::Customer(request.customer_id.clone())
        };
        let filter = Filter { owner, channel: caller.channel().map(str::to_owned), state };
        let now = self.clock.now();
        let heads = store::page(&self.database, &filter, &page, now).await?;
        let (heads, next_page_token) =
            page.cut(heads, |head| (head.created_at, head.id.to_string()));
        let carts = heads.iter().map(|head| convert::cart::head(head, now)).collect();
        Ok(proto::ListCartsResponse { carts, next_page_token })
    }
}
