//! What a change of an order's lines does, as the preview shows it and as it is then carried out.

use std::collections::BTreeMap;

use throughline_kit::money::Money;
use throughline_proto::order::v1 as proto;

use crate::business_order::BusinessOrder;
use crate::order::{Change, Item, Order};

/// Says what the change does.
pub(crate) fn change_plan(order: &Order, change: &Change) -> proto::ChangePlan {
    let by_key = |items: &[Item]| -> BTreeMap<String, Item> {
        items.iter().map(|item| (item.key.clone(), item.clone())).collect()
    };
    let (before, after) = (by_key(&order.items), by_key(&change.items));
    let keys_of = |these: &BTreeMap<String, Item>, keep: &dyn Fn(&String, &Item) -> bool| {
        these.iter().filter(|(key, item)| keep(key, item)).map(|(key, _)| key.clone()).collect()
    };
    let differs = |key: &String, item: &Item| before.get(key).is_some_and(|before| before != item);
    let undone = BusinessOrder::undo_order(&order.steps);
    let refund = order.captured - order.refunded;
    proto::ChangePlan {
        added: keys_of(&after, &|key, _| !before.contains_key(key)),
        removed: keys_of(&before, &|key, _| !after.contains_key(key)),
        changed: keys_of(&after, &differs),
        undone_steps: undone.into_iter().map(|step| order.steps[step].id.to_string()).collect(),
        refund: (refund > 0).then(|| Money::new(order.currency, refund).to_proto()),
    }
}
