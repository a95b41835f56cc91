//! What a seed sells, and what its customers order.

use std::sync::Arc;
use std::time::Duration;

use throughline_proto::descriptors;

use super::catalog::{AFTER, Catalog, REQUIRES, WITH};
use super::random::Random;
use super::scenario::{START, accepted, converged_lines, line};
use super::writing;
use crate::hold::HoldScope;
use crate::order::{Action, Item, Order, ReturnOf};
use crate::template::{FailurePolicy, compile};

/// Made-up templates of businesses, of those that take them back, and of orders.
const MADE_UP: usize = 12;
const TAKE_BACK: usize = 3;
const MADE_UP_ORDERS: usize = 6;
/// Lines of an order at most.
const MAX_LINES: usize = 6;
const RETURN: &str = "return";

/// Everything that orders of one seed are made of.
#[derive(Clone, Debug)]
pub(crate) struct Market {
    pub(crate) catalog: Arc<Catalog>,
    sold: Vec<String>,
    orders: Vec<String>,
    businesses: Vec<String>,
}

const SHIPPED_ORDERS: [&str; 5] = ["standard", "pre-order", "flash-sale", "group-buy", "audited"];
const METHODS: [&str; 3] = [
    "throughline.provisioning.v1.ProvisioningService/ActivateService",
    "throughline.payment.v1.PaymentService/StartAttempt",
    "throughline.resource.v1.StockService/ReturnUnits",
];

impl Market {
    /// The market of a seed. Gives a made-up template that does not compile.
    pub(crate) fn open(random: &mut Random) -> Result<Self, String> {
        let mut catalog = Catalog::shipped();
        let mut sold: Vec<String> = catalog.offerings.keys().cloned().collect();
        sold.retain(|code| code != RETURN);
        let mut orders: Vec<String> = SHIPPED_ORDERS.map(str::to_owned).into();
        let mut businesses = Vec::new();
        for number in 0..TAKE_BACK {
            let name = format!("take-back-{number}");
            add(&mut catalog, &writing::business(random, &name, None))?;
        }
        for number in 0..MADE_UP {
            let name = format!("made-up-{number}");
            let reversal = format!("take-back-{}", random.below(TAKE_BACK));
            let reversal = random.one_in(2).then_some(reversal.as_str());
            add(&mut catalog, &writing::business(random, &name, reversal))?;
            let charge = 100 * i64::try_from(random.below(50)).expect("it is below fifty");
            catalog.sell(&name, &name, charge, random.one_in(2));
            businesses.push(name.clone());
            sold.push(name);
        }
        for number in 0..MADE_UP_ORDERS {
            let name = format!("made-up-order-{number}");
            add(&mut catalog, &writing::order(random, &name))?;
            orders.push(name);
        }
        Ok(Self { catalog: Arc::new(catalog), sold, orders, businesses })
    }

    /// An order of some customer.
    pub(crate) fn order(&self, random: &mut Random, name: &str) -> Order {
        let policies = [
            FailurePolicy::Branch,
            FailurePolicy::Whole,
            FailurePolicy::Forward,
            FailurePolicy::Ask,
        ];
        let policy = *random.pick(&policies);
        let template = self.catalog.pinned(random.pick::<String>(&self.orders));
        let items = self.lines(random);
        let mut order = accepted(name, template, policy, items);
        if random.one_in(3) {
            let hours = u64::try_from(random.below(100)).expect("it is below a hundred");
            order.requested_start_at = Some(START.plus(Duration::from_secs(3600 * hours)));
        }
        order
    }

    /// What some customer wants.
    pub(crate) fn lines(&self, random: &mut Random) -> Vec<Item> {
        if random.one_in(5) {
            return converged_lines();
        }
        let count = 1 + random.below(MAX_LINES);
        let mut lines: Vec<Item> = Vec::new();
        for number in 0..count {
            let line = self.line(random, &lines, number);
            lines.push(line);
        }
        lines
    }

    fn line(&self, random: &mut Random, before: &[Item], number: usize) -> Item {
        let key = format!("line-{number}");
        if random.one_in(8) {
            let reason = "it does not fit".to_owned();
            let of = [ReturnOf::Order("old-1".to_owned()), ReturnOf::StandAlone(reason)];
            let return_of = Some(random.pick(&of).clone());
            return Item { action: Action::Delete, return_of, ..line(&key, RETURN) };
        }
        let mut line = line(&key, random.pick::<String>(&self.sold));
        line.quantity = 1 + i64::from(random.one_in(3));
        let others: Vec<&Item> = before.iter().filter(|item| item.return_of.is_none()).collect();
        let mut relate = |relation: &str, times: u64| {
            let earlier = if random.one_in(times) { random.any(&others) } else { None };
            if let Some(earlier) = earlier {
                line.characteristics.insert(relation.to_owned(), earlier.key.clone());
            }
        };
        relate(REQUIRES, 3);
        relate(AFTER, 5);
        // One that goes with a line that goes with a line would be delivered by nobody.
        let heads = |item: &&&Item| !item.characteristics.contains_key(WITH);
        let heads: Vec<&Item> = others.iter().filter(heads).copied().collect();
        if random.one_in(6)
            && let Some(head) = random.any(&heads)
        {
            line.characteristics = [(WITH.to_owned(), head.key.clone())].into();
        }
        line
    }

    /// Something that can stand still for all orders.
    pub(crate) fn standing_scope(&self, random: &mut Random) -> HoldScope {
        let name = match random.below(3) {
            0 => return HoldScope::Capability((*random.pick(&METHODS)).to_owned()),
            1 => random.pick(&self.orders),
            _ => random.pick(&self.businesses),
        };
        HoldScope::Template(name.clone())
    }
}

fn add(catalog: &mut Catalog, source: &str) -> Result<(), String> {
    let compiled = compile(source, 1, descriptors());
    let template = compiled.map_err(|findings| format!("{findings:#?}\n{source}"))?;
    catalog.add(Arc::new(template));
    Ok(())
}
