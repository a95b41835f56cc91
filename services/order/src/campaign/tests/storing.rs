//! What commits store of campaigns and groups, on each database.

use std::time::Duration;

use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::Error;
use throughline_kit::id::{RequestId, new_request_id};
use throughline_kit::idempotency::{Idempotency, RequestKey};
use throughline_kit::storage::{Change, Database, Tx, Writer, WriterLimits};
use throughline_kit::testing::each_database;

use super::{START, TERMS, campaign, order};
use crate::campaign::change::SetCampaign;
use crate::campaign::ledger::Ledger;
use crate::campaign::news::{self, News, NewsKind};
use crate::campaign::{Group, GroupId, GroupState, Kind, store};
use crate::order::OrderId;
use crate::store::MIGRATIONS;

/// Takes units for a buyer, unless that is more than all may have.
struct Take {
    buyer: String,
    units: i64,
    most: i64,
}

impl Change for Take {
    type Output = bool;

    async fn apply(&self, tx: &mut Tx) -> Result<bool, Error> {
        let mut ledger = Ledger::open(tx);
        let loaded = async {
            ledger.load_campaign(tx, "spring").await?;
            ledger.load_buyer(tx, "spring", &self.buyer).await
        };
        let loaded = loaded.await;
        let taken = ledger.campaign("spring").map_or(i64::MAX, |account| account.taken);
        let takes = loaded.is_ok() && taken < self.most;
        if takes {
            ledger.take("spring", &self.buyer, self.units);
            // A commit without a write is none.
            store::claim(
                tx,
                &store::Claim {
                    order_id: &OrderId::generate(),
                    campaign: "spring",
                    buyer: &self.buyer,
                    units: self.units,
                },
            );
        }
        ledger.close(tx);
        loaded.map(|()| takes)
    }
}

/// Lets something happen to a group.
struct Happen {
    group: GroupId,
    paid: Option<OrderId>,
    now: Instant,
}

impl Change for Happen {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        let mut ledger = Ledger::open(tx);
        let changed = ledger
            .change_group(tx, &self.group, self.now, |group| match &self.paid {
                Some(order_id) => group.pay(order_id, self.now),
                None => group.ring(self.now),
            })
            .await;
        ledger.close(tx);
        changed?;
        a_write(tx).await
    }
}

struct OpenGroup(Group);

impl Change for OpenGroup {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        let mut ledger = Ledger::open(tx);
        ledger.put_group(self.0.clone());
        ledger.close(tx);
        a_write(tx).await
    }
}

/// A commit of the working set alone is none: in the center orders are written beside it.
async fn a_write(tx: &mut Tx) -> Result<(), Error> {
    let (order_id, data) = (order("nobody"), String::new());
    news::taken(tx, &News { order_id, kind: NewsKind::GroupMissed, data }).await
}

struct TakeNews(News);

impl Change for TakeNews {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        news::taken(tx, &self.0).await
    }
}

async fn each_store() -> Vec<(Database, Writer, throughline_kit::testing::TestDatabase)> {
    let mut stores = Vec::new();
    for kept in each_database().await {
        let database = Database::open("order", &kept.config, MIGRATIONS).await.expect("opened");
        let writer = Writer::start(&database, WriterLimits::default());
        stores.push((database, writer, kept));
    }
    stores
}

#[tokio::test]
async fn units_that_many_take_in_one_commit_are_counted_exactly() {
    for (database, writer, _kept) in each_store().await {
        let campaign = campaign(Kind::FlashSale);
        let clock = Clock::fixed(START);
        let idempotency = Idempotency::new(writer.clone(), clock.clone(), "order");
        let request_id = RequestId::parse(&new_request_id()).expect("valid");
        let key = RequestKey::new("olga", request_id, "SetCampaign", &());
        let set = SetCampaign { campaign, clock };
        idempotency.once(key, set).await.expect("stored");
        let takes = (0..200).map(|n| {
            let take = Take { buyer: format!("buyer {}", n % 7), units: 1, most: 100 };
            writer.write(take)
        });
        let taken = futures::future::join_all(takes).await;
        let taken = taken.into_iter().filter(|taken| *taken.as_ref().expect("stored")).count();
        assert_eq!(taken, 100);
        let account = store::find(&database, "spring").await.expect("read").expect("there");
        assert_eq!(account.taken, 100);
    }
}

#[tokio::test]
async fn the_end_of_a_group_is_told_to_each_of_its_orders_and_taken_once() {
    for (database, writer, _kept) in each_store().await {
        let campaign = campaign(Kind::GroupBuy(TERMS));
        let mut group = Group::open(GroupId::generate(), &campaign, TERMS, START);
        for name in ["a", "b"] {
            group.join(name, &order(name), START).expect("a place");
        }
        let id = group.id.clone();
        writer.write(OpenGroup(group)).await.expect("stored");
        let after = START.plus(Duration::from_secs(1));
        for name in ["a", "a", "b"] {
            assert_eq!(news::waiting(&database, 9).await.expect("read"), []);
            let paid = Happen { group: id.clone(), paid: Some(order(name)), now: after };
            writer.write(paid).await.expect("stored");
        }
        let stored = store::find_group(&database, &id).await.expect("read").expect("there");
        assert_eq!((stored.state, stored.paid()), (GroupState::Completed, 2));
        let waiting = news::waiting(&database, 9).await.expect("read");
        assert_eq!(waiting.len(), 2);
        for signal in &waiting {
            assert_eq!(signal.kind, NewsKind::GroupCompleted);
            assert!(signal.data.contains(id.as_str()), "{}", signal.data);
        }
        writer.write(TakeNews(waiting[0].clone())).await.expect("taken");
        assert_eq!(news::waiting(&database, 9).await.expect("read"), waiting[1..]);
    }
}
