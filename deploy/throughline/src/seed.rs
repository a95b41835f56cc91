//! A catalog and stock in a YAML file: the canonical JSON form of `ImportCatalogRequest` and `ReceiveStockRequest`.

use throughline_kit::client::GatewayClient;
use throughline_kit::error::{Error, Kind};
use throughline_kit::id::{derived_uuid, new_request_id};
use throughline_proto::product::v1 as product;
use throughline_proto::product::v1::catalog_service_client::CatalogServiceClient;
use throughline_proto::resource::v1 as resource;
use throughline_proto::resource::v1::stock_service_client::StockServiceClient;

use crate::connection::{bounded, refused};
use crate::console::from_yaml;

/// What a seed file holds.
#[derive(Clone, Debug)]
pub struct Seed {
    /// Offerings.
    pub catalog: product::ImportCatalogRequest,
    /// Stock.
    pub stock: resource::ReceiveStockRequest,
}

/// What a seed changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeded {
    /// Release of the catalog.
    pub release: i64,
    /// Offerings that are new or changed.
    pub offerings: i32,
    /// Pools in the file.
    pub pools: usize,
}

impl Seed {
    /// Reads a file's text. The stock's request id follows from the content, so that loading it twice adds no stock.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let invalid = |cause: String| Error::new(Kind::Invalid, "seed", "FILE_INVALID", cause);
        let mut document: serde_yaml_ng::Mapping =
            serde_yaml_ng::from_str(text).map_err(|e| invalid(e.to_string()))?;
        let mut take = |key: &str| {
            document.remove(key).unwrap_or_else(|| serde_yaml_ng::Mapping::new().into())
        };
        let (catalog, stock) = (take("catalog"), take("stock"));
        if let Some(key) = document.keys().next() {
            let key = serde_yaml_ng::to_string(key).unwrap_or_default();
            let message = format!("key {}: expected `catalog` and `stock`", key.trim());
            return Err(invalid(message));
        }
        let catalog: product::ImportCatalogRequest = from_yaml("catalog", catalog)?;
        let mut stock: resource::ReceiveStockRequest = from_yaml("stock", stock)?;
        stock.request_id = derived_uuid(&["seed stock", text]).to_string();
        Ok(Self { catalog, stock })
    }

    /// Loads it.
    pub async fn load(mut self, operator: &GatewayClient) -> Result<Seeded, Error> {
        // An import of what is there already changes nothing. An id that followed from the content would be answered with
        // the first answer even where another file has changed the catalog since.
        self.catalog.request_id = new_request_id();
        let pools = self.stock.receipts.len();
        let (mut release, mut offerings) = (0, 0);
        if !self.catalog.offerings.is_empty() {
            let imported = CatalogServiceClient::new(operator.channel())
                .import_catalog(bounded(self.catalog))
                .await
                .map_err(refused)?
                .into_inner();
            release = imported.release;
            offerings = imported.added_count + imported.changed_count;
        }
        if pools > 0 {
            StockServiceClient::new(operator.channel())
                .receive_stock(bounded(self.stock))
                .await
                .map_err(|status| with_release(refused(status), release))?;
        }
        Ok(Seeded { release, offerings, pools })
    }
}

/// Says that the catalog of a file is in force although its stock is not there.
fn with_release(mut error: Error, release: i64) -> Error {
    if release > 0 {
        let more = format!("; the stock was not received, catalog release {release} is in force");
        error.message.push_str(&more);
    }
    error
}
