//! The product center through its gRPC services, on each database.

use std::collections::BTreeMap;

use throughline_kit::CancellationToken;
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::Error;
use throughline_kit::id::new_request_id;
use throughline_kit::server::Running;
use throughline_kit::storage::StorageConfig;
use throughline_kit::testing::{each_database, environment, eventually, no_unexpected_warnings};
use throughline_product::Config;
use throughline_proto::event::v1::event_feed_service_client::EventFeedServiceClient;
use throughline_proto::product::v1 as proto;
use throughline_proto::product::v1::catalog_service_client::CatalogServiceClient;
use throughline_proto::product::v1::decision_service_client::DecisionServiceClient;
use throughline_proto::r#type::v1::{Money, UnitPrice};
use tonic::Status;
use tonic::transport::Channel;

mod decisions;
mod imports;
mod releases;

const START: Instant = Instant(1_700_000_000_000_000);

/// A running center and its clients.
struct Center {
    catalog: CatalogServiceClient<Channel>,
    decisions: DecisionServiceClient<Channel>,
    events: EventFeedServiceClient<Channel>,
    running: Running,
    shutdown: CancellationToken,
}

impl Center {
    async fn start(storage: &StorageConfig) -> Self {
        Self::start_with(storage, Config::default()).await
    }

    async fn start_with(storage: &StorageConfig, config: Config) -> Self {
        let environment = environment(storage, Clock::fixed(START));
        let shutdown = environment.shutdown.clone();
        let running = throughline_product::start(config, environment).await.expect("start");
        let uri = format!("http://{}", running.address);
        let channel = Channel::from_shared(uri).expect("an address").connect_lazy();
        Self {
            catalog: CatalogServiceClient::new(channel.clone()),
            decisions: DecisionServiceClient::new(channel.clone()),
            events: EventFeedServiceClient::new(channel),
            running,
            shutdown,
        }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        drop((self.catalog, self.decisions, self.events));
        self.running.stopped().await;
    }

    async fn import(
        &mut self,
        offerings: Vec<proto::Offering>,
    ) -> Result<proto::ImportCatalogResponse, Error> {
        let request = proto::ImportCatalogRequest { request_id: new_request_id(), offerings };
        answer(self.catalog.import_catalog(request).await)
    }

    async fn codes(&mut self) -> Vec<String> {
        let request = proto::ListOfferingsRequest::default();
        let list = self.catalog.list_offerings(request).await.expect("list").into_inner();
        list.offerings.into_iter().map(|o| o.code).collect()
    }
}

fn answer<T>(result: Result<tonic::Response<T>, Status>) -> Result<T, Error> {
    result.map(tonic::Response::into_inner).map_err(|status| Error::from_status(&status))
}

fn paths(error: &Error) -> Vec<&str> {
    error.fields.iter().map(|(path, _)| path.as_str()).collect()
}

fn offering(code: &str, pence: i64) -> proto::Offering {
    proto::Offering {
        code: code.to_owned(),
        state: proto::OfferingState::Active.into(),
        names: BTreeMap::from([("en".to_owned(), code.to_owned())]),
        prices: vec![price(proto::PriceKind::OneOff, pence)],
        resources: vec![proto::ResourceDemand {
            pool_code: format!("{}-pool", code.replace(' ', "_")),
            quantity: 2,
        }],
        add_template: "deliver".to_owned(),
        delete_template: "collect".to_owned(),
        grain: proto::DecompositionGrain::PerItem.into(),
        ..proto::Offering::default()
    }
}

fn price(kind: proto::PriceKind, pence: i64) -> proto::Price {
    let currency_code = "GBP".to_owned();
    let unit_price = Some(UnitPrice { currency_code, micro_units: pence * 10_000 });
    proto::Price { kind: kind.into(), unit_price }
}

fn relation(kind: proto::RelationKind, code: &str) -> proto::Relation {
    proto::Relation { kind: kind.into(), offering_code: code.to_owned() }
}

fn line(key: &str, code: &str, quantity: i64) -> proto::Line {
    proto::Line {
        line_key: key.to_owned(),
        offering_code: code.to_owned(),
        quantity,
        ..proto::Line::default()
    }
}

fn gbp(minor_units: i64) -> Option<Money> {
    Some(Money { currency_code: "GBP".to_owned(), minor_units })
}

/// broadband, and an IPTV that requires it.
fn shop() -> Vec<proto::Offering> {
    let mut iptv = offering("iptv", 500);
    iptv.prices.push(price(proto::PriceKind::Recurring, 999));
    iptv.relations.push(relation(proto::RelationKind::Requires, "broadband"));
    vec![offering("broadband", 2_000), iptv]
}
