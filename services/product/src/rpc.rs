//! The two services: decode, call, encode.

use std::sync::Arc;

use throughline_kit::clock::Clock;
use throughline_kit::error::Error;
use throughline_kit::idempotency::RequestKey;
use throughline_kit::identity::Caller;
use throughline_kit::paging::Page;
use throughline_proto::product::v1 as proto;
use throughline_proto::product::v1::catalog_service_server::CatalogService;
use throughline_proto::product::v1::decision_service_server::DecisionService;
use tonic::{Request, Response, Status};

use crate::error::{DOMAIN, Refusal};
use crate::publication::Publication;
use crate::{Config, configuration, convert, decomposition, quote};

const IMPORT_CATALOG: &str = "throughline.product.v1.CatalogService/ImportCatalog";

/// Serves both services.
#[derive(Clone, Debug)]
pub(crate) struct Rpc {
    pub(crate) publication: Publication,
    pub(crate) clock: Clock,
    pub(crate) config: Arc<Config>,
}

#[tonic::async_trait]
impl CatalogService for Rpc {
    async fn import_catalog(
        &self,
        request: Request<proto::ImportCatalogRequest>,
    ) -> Result<Response<proto::ImportCatalogResponse>, Status> {
        let caller = Caller::from_metadata(request.metadata());
        let request = request.into_inner();
        let import = convert::import(&request, &self.config)?;
        let key = RequestKey::new(&caller.name, import.request_id, IMPORT_CATALOG, &request);
        let publication = &self.publication;
        let answer = publication.import(key, import.offerings, caller.trace_parent).await?;
        Ok(Response::new(answer))
    }

    async fn get_offering(
        &self,
        request: Request<proto::GetOfferingRequest>,
    ) -> Result<Response<proto::GetOfferingResponse>, Status> {
        let code = request.into_inner().code;
        let catalog = self.publication.current();
        let Some(offering) = catalog.get(&code) else {
            return Err(Error::from(Refusal::OfferingNotFound { code }).into());
        };
        let offering = Some(convert::offering_to_proto(offering));
        Ok(Response::new(proto::GetOfferingResponse { offering, release: catalog.release() }))
    }

    async fn list_offerings(
        &self,
        request: Request<proto::ListOfferingsRequest>,
    ) -> Result<Response<proto::ListOfferingsResponse>, Status> {
        let request = request.into_inner();
        let page = Page::<String>::parse(DOMAIN, request.page_size, &request.page_token)?;
        let limit = usize::try_from(page.fetch_limit()).unwrap_or(usize::MAX);
        let found = self.publication.current().after(page.after.as_deref(), limit);
        let (found, next_page_token) = page.cut(found, |offering| offering.code.to_string());
        let offerings = found.iter().map(|o| convert::offering_to_proto(o)).collect();
        Ok(Response::new(proto::ListOfferingsResponse { offerings, next_page_token }))
    }
}

#[tonic::async_trait]
impl DecisionService for Rpc {
    async fn check_configuration(
        &self,
        request: Request<proto::CheckConfigurationRequest>,
    ) -> Result<Response<proto::CheckConfigurationResponse>, Status> {
        let lines = convert::lines(&request.into_inner().lines, &self.config)?;
        let catalog = self.publication.current();
        let verdicts = configuration::check(&catalog, &lines);
        Ok(Response::new(convert::checked(verdicts, catalog.release())))
    }

    async fn quote_price(
        &self,
        request: Request<proto::QuotePriceRequest>,
    ) -> Result<Response<proto::QuotePriceResponse>, Status> {
        let (lines, currency) = convert::quote_request(&request.into_inner(), &self.config)?;
        let catalog = self.publication.current();
        let quote = quote::quote(&catalog, &lines, currency).map_err(Error::from)?;
        Ok(Response::new(convert::quoted(quote, catalog.release(), self.clock.now())))
    }

    async fn decompose_offering(
        &self,
        request: Request<proto::DecomposeOfferingRequest>,
    ) -> Result<Response<proto::DecomposeOfferingResponse>, Status> {
        let lines = convert::lines(&request.into_inner().lines, &self.config)?;
        let catalog = self.publication.current();
        let max = self.config.max_business_orders;
        let plan = decomposition::decompose(&catalog, &lines, max).map_err(Error::from)?;
        Ok(Response::new(convert::decomposed(plan, catalog.release())))
    }
}
