//! Money: what was taken and given back against what was delivered.

use std::collections::BTreeMap;

use throughline_kit::money::{Currency, Money};
use throughline_proto::order::v1::{CustomerOrder, ItemAction};
use throughline_proto::payment::v1::{PaymentOrderState, RefundState};
use throughline_proto::r#type::v1 as types;

use super::{Books, delivered_lines, is_terminal};

/// Amounts by currency code.
type Sums = BTreeMap<String, i64>;

fn add(sums: &mut Sums, money: Option<&types::Money>, sign: i64) {
    if let Some(money) = money.filter(|money| money.minor_units != 0) {
        *sums.entry(money.currency_code.clone()).or_default() += sign * money.minor_units;
    }
}

fn text(sums: &Sums) -> String {
    let amounts: Vec<String> = sums
        .iter()
        .filter(|(_, minor)| **minor != 0)
        .map(|(code, minor)| {
            Currency::parse(code)
                .map_or_else(|_| format!("{minor} {code}"), |c| Money::new(c, *minor).to_string())
        })
        .collect();
    if amounts.is_empty() { "nothing".to_owned() } else { amounts.join(" + ") }
}

pub(super) fn compare(books: &Books, differences: &mut Vec<String>) {
    let mut nets: BTreeMap<&str, Sums> = BTreeMap::new();
    for owed in &books.payment_orders {
        if !books.orders.contains_key(&owed.order_id) {
            let (id, order) = (&owed.payment_order_id, &owed.order_id);
            differences.push(format!("payment order {id} is for order {order}, which is unknown"));
        }
        add(nets.entry(&owed.order_id).or_default(), owed.captured.as_ref(), 1);
    }
    for refund in &books.refunds {
        if !books.orders.contains_key(&refund.order_id) {
            let (id, order) = (&refund.refund_id, &refund.order_id);
            differences.push(format!("refund {id} is for order {order}, which is unknown"));
        }
    }
    for refund in books.refunds.iter().filter(|r| r.state() != RefundState::Failed) {
        add(nets.entry(&refund.order_id).or_default(), refund.amount.as_ref(), -1);
    }
    for order in books.orders.values().filter(|order| is_terminal(order)) {
        let net = nets.remove(order.order_id.as_str()).unwrap_or_default();
        compare_order(order, &net, differences);
    }
    open_payments(books, differences);
    channel(books, differences);
}

fn compare_order(order: &CustomerOrder, net: &Sums, differences: &mut Vec<String>) {
    let (delivered, net) = (text(&delivered(order)), text(net));
    let id = &order.order_id;
    if delivered != net {
        differences
            .push(format!("order {id} delivered {delivered}, the payment center kept {net}"));
    }
    let mut own = Sums::new();
    add(&mut own, order.paid.as_ref(), 1);
    let own = text(&own);
    if own != net {
        differences.push(format!("order {id} says that {own} was kept, the payment center {net}"));
    }
}

/// Price of what was delivered, less what was paid back for goods that came back.
fn delivered(order: &CustomerOrder) -> Sums {
    let mut sums = Sums::new();
    let keys = delivered_lines(order);
    for item in order.items.iter().filter(|item| keys.contains(&item.item_key)) {
        let sign = if item.action() == ItemAction::Delete { -1 } else { 1 };
        add(&mut sums, item.charge.as_ref(), sign);
    }
    sums
}

/// No payment of a terminal order may still be under way.
fn open_payments(books: &Books, differences: &mut Vec<String>) {
    let ended = |order_id: &String| books.orders.get(order_id).is_some_and(is_terminal);
    for owed in books.payment_orders.iter().filter(|owed| ended(&owed.order_id)) {
        let open = match owed.state() {
            PaymentOrderState::Unspecified
            | PaymentOrderState::Created
            | PaymentOrderState::AwaitingPayer
            | PaymentOrderState::Processing
            | PaymentOrderState::Authorized
            | PaymentOrderState::Closing => true,
            PaymentOrderState::Paid
            | PaymentOrderState::PartiallyRefunded
            | PaymentOrderState::Refunded
            | PaymentOrderState::Closed => false,
        };
        if open {
            let (id, order) = (&owed.payment_order_id, &owed.order_id);
            let state = owed.state().as_str_name().trim_start_matches("PAYMENT_ORDER_STATE_");
            differences.push(format!("payment order {id} of ended order {order} is still {state}"));
        }
    }
    for refund in &books.refunds {
        if refund.state() == RefundState::Failed {
            differences.push(format!("refund {} was refused by the channel", refund.refund_id));
        }
    }
}

/// The channel against the payment center.
fn channel(books: &Books, differences: &mut Vec<String>) {
    let Some(effects) = &books.channel_effects else { return };
    let mut charges: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut there, mut here) = (Sums::new(), Sums::new());
    for effect in effects.iter().filter(|effect| effect.succeeded) {
        match effect.method.as_str() {
            "Charge" => {
                *charges.entry(&effect.reference).or_default() += 1;
                add(&mut there, effect.amount.as_ref(), 1);
            }
            "Refund" => add(&mut there, effect.amount.as_ref(), -1),
            _ => {}
        }
    }
    for (reference, times) in charges.into_iter().filter(|(_, times)| *times > 1) {
        differences.push(format!("the channel charged attempt {reference} {times} times"));
    }
    let by_channel = |name: &str| name != "counter";
    for owed in &books.payment_orders {
        let on_channel = owed.attempts.iter().any(|a| by_channel(&a.payment_channel));
        if on_channel {
            add(&mut here, owed.captured.as_ref(), 1);
        }
    }
    let counter: std::collections::BTreeSet<&String> = books
        .payment_orders
        .iter()
        .filter(|owed| !owed.attempts.iter().any(|a| by_channel(&a.payment_channel)))
        .map(|owed| &owed.payment_order_id)
        .collect();
    for refund in books.refunds.iter().filter(|r| r.state() == RefundState::Succeeded) {
        if !counter.contains(&refund.payment_order_id) {
            add(&mut here, refund.amount.as_ref(), -1);
        }
    }
    let (there, here) = (text(&there), text(&here));
    if there != here {
        differences.push(format!("the channel moved {there}, the payment center knows {here}"));
    }
}
