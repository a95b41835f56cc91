//! Reads bulks for operators.

use throughline_kit::error::{Error, Violations};
use throughline_kit::paging::Page;
use throughline_kit::storage::Database;
use throughline_proto::order::v1 as proto;

use super::{Bulk, BulkError, BulkId, convert, store};
use crate::error::DOMAIN;

/// Reads bulks and what became of their orders.
#[derive(Clone, Debug)]
pub(crate) struct BulkQuery {
    /// Where they are read.
    pub(crate) database: Database,
}

impl BulkQuery {
    /// Reads one bulk.
    pub(crate) async fn get(
        &self,
        bulk_id: &str,
    ) -> Result<proto::GetBulkOperationResponse, Error> {
        let bulk = Some(convert::bulk(&self.find(bulk_id).await?));
        Ok(proto::GetBulkOperationResponse { bulk })
    }

    async fn find(&self, bulk_id: &str) -> Result<Bulk, Error> {
        let missing = || BulkError::NotFound(bulk_id.to_owned());
        let id = BulkId::parse(bulk_id).map_err(|_| missing())?;
        Ok(store::find(&self.database, &id).await?.ok_or_else(missing)?)
    }

    /// Lists bulks, newest first.
    pub(crate) async fn list(
        &self,
        request: &proto::ListBulkOperationsRequest,
    ) -> Result<proto::ListBulkOperationsResponse, Error> {
        let page = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
        let mut wrong = Violations::new(DOMAIN);
        let state = wrong.take("state", convert::state_filter(request.state)).flatten();
        wrong.finish()?;
        let found = store::page(&self.database, state, &page).await?;
        let (found, next_page_token) =
            page.cut(found, |bulk| (bulk.created_at, bulk.id.to_string()));
        let bulks = found.iter().map(convert::bulk).collect();
        Ok(proto::ListBulkOperationsResponse { bulks, next_page_token })
    }

    /// Lists what became of each order, the oldest order first.
    pub(crate) async fn results(
        &self,
        request: &proto::ListBulkResultsRequest,
    ) -> Result<proto::ListBulkResultsResponse, Error> {
        let page = Page::parse(DOMAIN, request.page_size, &request.page_token)?;
        let mut wrong = Violations::new(DOMAIN);
        let outcome = wrong.take("outcome", convert::outcome_filter(request.outcome)).flatten();
        wrong.finish()?;
        let bulk = self.find(&request.bulk_id).await?;
        let found = store::results(&self.database, &bulk.id, outcome, &page).await?;
        let (found, next_page_token) = page.cut(found, |item| item.order_id.clone());
        let results = found.iter().map(convert::result).collect();
        Ok(proto::ListBulkResultsResponse { results, next_page_token })
    }
}
