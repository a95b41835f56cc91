//! The disk is full: new orders are refused with a clear error, and nothing that was accepted is lost.

use std::collections::BTreeMap;
use std::path::Path;

use tempfile::TempDir;
use throughline::orders;
use throughline_kit::error::{Error, Kind};
use throughline_proto::order::v1::{OrderState, SubmitOrderRequest};
use throughline_tests::desk::Desk;
use throughline_tests::process::{Up, free_ports};
use throughline_tests::shopping::order;

/// Bytes of a block of `ulimit -f`.
const BLOCK: u64 = 512;
/// Blocks that every file may still grow by: room for some orders, not for many.
const ROOM: u64 = 800;
/// Orders that are tried at most before the disk must be full.
const MAX_TRIES: usize = 3_000;

fn largest_file(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let sizes = entries.map(|entry| entry.expect("an entry").metadata().expect("known").len());
    sizes.max().expect("there are files")
}

fn request(number: usize) -> SubmitOrderRequest {
    order(&format!("customer-{number}"), &[("sim", "sim-card", 1)])
}

const SIM_CARDS: &str = "
catalog:
  offerings:
    - code: sim-card
      state: OFFERING_STATE_ACTIVE
      names: { en: SIM card }
      prices:
        - { kind: PRICE_KIND_ONE_OFF, unitPrice: { currencyCode: CNY, microUnits: 5000000 } }
      resources:
        - { poolCode: sim-cards, quantity: 1 }
      addTemplate: retail-goods
stock:
  receipts:
    - { poolCode: sim-cards, kind: POOL_KIND_COUNTED, quantity: 1000000 }
";

/// Submits until the platform refuses; the orders that were accepted, by number, and the refusal with its number.
async fn submit_until_refused(desk: &Desk) -> (BTreeMap<usize, String>, (usize, Error)) {
    let mut accepted = BTreeMap::new();
    for number in 0..MAX_TRIES {
        match orders::submit(&desk.channel, request(number)).await {
            Ok(answer) => {
                accepted.insert(number, answer.order_id);
            }
            Err(refusal) => return (accepted, (number, refusal)),
        }
    }
    panic!("{MAX_TRIES} orders went on a disk that should be full");
}

#[tokio::test]
async fn orders_are_refused_while_the_disk_is_full_and_none_that_was_accepted_is_lost() {
    let directory = TempDir::new().expect("a directory");
    let data_dir = directory.path();
    let keys = data_dir.join("keys");
    let roomy = Up::start(data_dir, free_ports(), &[]);
    let desk = Desk::open(&roomy.gateway_uri(), &keys);
    desk.seed(SIM_CARDS).await;
    assert!(roomy.terminate().success());

    let blocks = u32::try_from(largest_file(data_dir) / BLOCK + ROOM).expect("a small file");
    let full = Up::start_with_full_disk(data_dir, free_ports(), blocks);
    let desk = Desk::open(&full.gateway_uri(), &keys);
    let (accepted, (number, refusal)) = submit_until_refused(&desk).await;
    assert_eq!((refusal.kind, refusal.reason.as_str()), (Kind::Unavailable, "STORE_UNAVAILABLE"));
    assert_eq!(refusal.domain, "order");
    let (_, first) = accepted.first_key_value().expect("there was room for some");
    assert_eq!(desk.order(first).await.order_id, *first, "what is there can be read");
    full.kill();

    let roomy = Up::start(data_dir, free_ports(), &[]);
    let desk = Desk::open(&roomy.gateway_uri(), &keys);
    for (number, order_id) in &accepted {
        let ended = desk.end_of(order_id).await;
        assert_eq!(ended.state(), OrderState::Completed, "{number}: {:?}", ended.failure);
    }
    let known = desk.orders().await.len();
    assert!(known == accepted.len(), "{known} orders, {} were accepted", accepted.len());
    let again = desk.carry_out(request(number)).await;
    assert_eq!(again.state(), OrderState::Completed, "the refused one goes through now");
    desk.books_add_up().await;
    let used = usize::try_from(desk.units("sim-cards").await.used).expect("positive");
    assert_eq!(used, accepted.len() + 1);
    assert!(roomy.terminate().success());
}
