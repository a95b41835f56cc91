//! A running center and short ways to call it.

use std::time::Duration;

use prost::Message;
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::Error;
use throughline_kit::id;
use throughline_kit::server::{Environment, Running};
use throughline_kit::testing::{TestDatabase, environment};
use throughline_proto::event::v1 as events;
use throughline_proto::event::v1::event_feed_service_client::EventFeedServiceClient;
use throughline_proto::resource::v1 as proto;
use throughline_proto::resource::v1::reservation_service_client::ReservationServiceClient;
use throughline_proto::resource::v1::stock_service_client::StockServiceClient;
use throughline_resource::Config;
use tonic::Response;
use tonic::transport::Channel;

/// 2026-01-01T00:00:00Z.
pub(crate) const START: Instant = Instant(1_767_225_600_000_000);
/// Longer than any test: only what is decided at the commit happens.
const NEVER_MS: u64 = 24 * 3600 * 1000;

pub(crate) struct Center {
    pub(crate) reservations: ReservationServiceClient<Channel>,
    pub(crate) stock: StockServiceClient<Channel>,
    pub(crate) clock: Clock,
    feed: EventFeedServiceClient<Channel>,
    environment: Environment,
    running: Running,
}

/// A configuration whose sweeper sleeps through the test.
pub(crate) fn without_sweeper() -> Config {
    Config { sweep_interval_ms: NEVER_MS, ..Config::default() }
}

/// A configuration whose sweeper looks often.
pub(crate) fn with_sweeper() -> Config {
    Config { sweep_interval_ms: 2, quarantine_seconds: 60, ..Config::default() }
}

pub(crate) fn fixed_clock() -> Clock {
    Clock::fixed(START)
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn demand(line_key: &str, pool_code: &str, quantity: i64) -> proto::Demand {
    proto::Demand { line_key: line_key.to_owned(), pool_code: pool_code.to_owned(), quantity }
}

pub(crate) fn counted(pool_code: &str, quantity: i64) -> proto::StockReceipt {
    proto::StockReceipt {
        pool_code: pool_code.to_owned(),
        kind: proto::PoolKind::Counted.into(),
        name: format!("name of {pool_code}"),
        quantity,
        item_ids: Vec::new(),
    }
}

pub(crate) fn serial(pool_code: &str, items: &[&str]) -> proto::StockReceipt {
    proto::StockReceipt {
        kind: proto::PoolKind::Serial.into(),
        item_ids: items.iter().map(|item| (*item).to_owned()).collect(),
        ..counted(pool_code, 0)
    }
}

pub(crate) fn wish(demands: &[proto::Demand], ttl: Duration) -> proto::CreateReservationRequest {
    proto::CreateReservationRequest {
        request_id: id::new_request_id(),
        order_id: "ord_1".to_owned(),
        demands: demands.to_vec(),
        ttl: Some(throughline_kit::clock::span_to_proto(ttl)),
    }
}

/// The part of a result that a test looks at.
pub(crate) fn answer<T>(result: Result<Response<T>, tonic::Status>) -> Result<T, Error> {
    result.map(Response::into_inner).map_err(|status| Error::from_status(&status))
}

/// Reason of a refusal.
pub(crate) fn reason<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.expect_err("refused").reason
}

/// Paths of the fields of a refusal.
pub(crate) fn paths<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<String> {
    let error = result.expect_err("refused");
    assert_eq!(error.reason, "FIELD_INVALID", "{error}");
    error.fields.into_iter().map(|(path, _)| path).collect()
}

impl Center {
    pub(crate) async fn start(database: &TestDatabase, clock: Clock, config: Config) -> Self {
        let environment = environment(&database.config, clock.clone());
        let running = throughline_resource::start(config, environment.clone())
            .await
            .expect("start the center");
        let channel = Channel::from_shared(format!("http://{}", running.address))
            .expect("an address")
            .connect()
            .await
            .expect("connect");
        Self {
            reservations: ReservationServiceClient::new(channel.clone()),
            stock: StockServiceClient::new(channel.clone()),
            clock,
            feed: EventFeedServiceClient::new(channel),
            environment,
            running,
        }
    }

    pub(crate) async fn stop(self) {
        let Self { reservations, stock, feed, environment, running, .. } = self;
        drop((reservations, stock, feed));
        environment.shutdown.cancel();
        running.stopped().await;
    }

    pub(crate) async fn receive(
        &self,
        receipts: &[proto::StockReceipt],
    ) -> Result<Vec<proto::Pool>, Error> {
        let request = proto::ReceiveStockRequest {
            request_id: id::new_request_id(),
            receipts: receipts.to_vec(),
        };
        answer(self.stock.clone().receive_stock(request).await).map(|received| received.pools)
    }

    pub(crate) async fn create(
        &self,
        request: proto::CreateReservationRequest,
    ) -> Result<proto::Reservation, Error> {
        let created = answer(self.reservations.clone().create_reservation(request).await)?;
        Ok(created.reservation.expect("a reservation"))
    }

    pub(crate) async fn reserve(
        &self,
        demands: &[proto::Demand],
        ttl: Duration,
    ) -> Result<proto::Reservation, Error> {
        self.create(wish(demands, ttl)).await
    }

    pub(crate) async fn confirm(&self, reservation_id: &str) -> Result<proto::Reservation, Error> {
        let request = proto::ConfirmReservationRequest {
            request_id: id::new_request_id(),
            reservation_id: reservation_id.to_owned(),
        };
        let confirmed = answer(self.reservations.clone().confirm_reservation(request).await)?;
        Ok(confirmed.reservation.expect("a reservation"))
    }

    pub(crate) async fn release(&self, reservation_id: &str) -> Result<proto::Reservation, Error> {
        let request = proto::ReleaseReservationRequest {
            request_id: id::new_request_id(),
            reservation_id: reservation_id.to_owned(),
            reason: "no longer wanted".to_owned(),
        };
        let released = answer(self.reservations.clone().release_reservation(request).await)?;
        Ok(released.reservation.expect("a reservation"))
    }

    pub(crate) async fn reservation(
        &self,
        reservation_id: &str,
    ) -> Result<proto::Reservation, Error> {
        let request = proto::GetReservationRequest { reservation_id: reservation_id.to_owned() };
        let found = answer(self.reservations.clone().get_reservation(request).await)?;
        Ok(found.reservation.expect("a reservation"))
    }

    pub(crate) async fn adjust(&self, pool_code: &str, delta: i64) -> Result<proto::Pool, Error> {
        let request = proto::AdjustPoolRequest {
            request_id: id::new_request_id(),
            pool_code: pool_code.to_owned(),
            delta,
            reason: "counted again".to_owned(),
        };
        let adjusted = answer(self.stock.clone().adjust_pool(request).await)?;
        Ok(adjusted.pool.expect("a pool"))
    }

    pub(crate) async fn give_back(&self, lines: &[proto::ReturnLine]) -> Result<i64, Error> {
        let request = proto::ReturnUnitsRequest {
            request_id: id::new_request_id(),
            order_id: String::new(),
            lines: lines.to_vec(),
            reason: "came back".to_owned(),
        };
        let returned = answer(self.stock.clone().return_units(request).await)?;
        Ok(returned.returned_quantity)
    }

    pub(crate) async fn pool(&self, pool_code: &str) -> proto::Pool {
        let request = proto::GetPoolRequest { pool_code: pool_code.to_owned() };
        let found = answer(self.stock.clone().get_pool(request).await).expect("read the pool");
        found.pool.expect("a pool")
    }

    /// available, held, used, quarantined of a pool; their sum is checked here, always.
    pub(crate) async fn buckets(&self, pool_code: &str) -> [i64; 4] {
        let pool = self.pool(pool_code).await;
        let buckets = [pool.available, pool.held, pool.used, pool.quarantined];
        assert_eq!(buckets.iter().sum::<i64>(), pool.total, "every unit is in one bucket");
        buckets
    }

    /// Fails the test with the divergence, if the pool has one.
    pub(crate) async fn verify(&self, pool_code: &str) {
        let request = proto::VerifyPoolRequest { pool_code: pool_code.to_owned() };
        let verdict = answer(self.stock.clone().verify_pool(request).await).expect("verify");
        assert!(verdict.consistent, "{pool_code}: {}", verdict.divergence);
    }

    pub(crate) async fn items(&self, pool_code: &str) -> Vec<(String, proto::ItemState)> {
        let request = proto::ListItemsRequest {
            pool_code: pool_code.to_owned(),
            page_size: 500,
            page_token: String::new(),
        };
        let listed = answer(self.stock.clone().list_items(request).await).expect("list items");
        listed.items.into_iter().map(|item| (item.item_id.clone(), item.state())).collect()
    }

    /// The first events of the feed: type, order and reservation.
    pub(crate) async fn events(&self, count: usize) -> Vec<(events::Event, proto::Reservation)> {
        let request = events::SubscribeRequest { cursor: 0 };
        let mut stream =
            self.feed.clone().subscribe(request).await.expect("subscribe").into_inner();
        let mut all = Vec::new();
        while all.len() < count {
            let message = stream.message().await.expect("read the feed").expect("no end");
            all.extend(message.events.into_iter().map(|event| {
                let payload = event.payload.as_ref().expect("a payload");
                let changed = proto::ReservationChanged::decode(payload.value.as_slice())
                    .expect("the center's own message");
                (event, changed.reservation.expect("a reservation"))
            }));
        }
        all
    }
}
