//! What is sold in a simulated world, and the templates that deliver it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use throughline_kit::money::{Currency, Money};
use throughline_proto::descriptors;

use crate::event::{Preparation, PreparedBusinessOrder};
use crate::flow::Pinned;
use crate::order::{Action, Item, ItemPlan, Order, Original, ReturnOf};
use crate::template::{SHIPPED, Template, compile};

/// Currency of every simulated amount.
const CURRENCY: &str = "CNY";

/// Characteristic of a line: keys of lines that must be done first, and without which it makes no sense.
pub(crate) const REQUIRES: &str = "requires";
/// Characteristic of a line: keys of lines that must have ended first.
pub(crate) const AFTER: &str = "after";
/// Characteristic of a line: key of the line whose business order delivers it too.
pub(crate) const WITH: &str = "with";

/// The shipped templates, compiled once.
static SHIPPED_TEMPLATES: LazyLock<Vec<Arc<Template>>> = LazyLock::new(|| {
    let compiled = |source| compile(source, 1, descriptors()).expect("shipped templates compile");
    SHIPPED.iter().map(|shipped| Arc::new(compiled(shipped.source))).collect()
});

/// The simulated currency.
pub(crate) fn currency() -> Currency {
    Currency::parse(CURRENCY).expect("it is a currency")
}

/// A thing that is sold.
#[derive(Clone, Debug)]
pub(crate) struct Offering {
    /// Its code.
    pub(crate) code: String,
    /// Template that delivers it.
    pub(crate) template: Pinned,
    /// Template that takes it back beyond its point of no return.
    pub(crate) reversal: Option<Pinned>,
    /// Once, for each unit, in minor units.
    pub(crate) charge: i64,
    /// It takes a unit of stock for each that is sold.
    pub(crate) takes_stock: bool,
    /// It is one of those that are brought back.
    pub(crate) is_return: bool,
}

/// What is sold, and the templates that deliver it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    /// What is sold, by code.
    pub(crate) offerings: BTreeMap<String, Offering>,
    /// All templates, by name.
    templates: BTreeMap<String, Arc<Template>>,
}

/// Offering, template, charge in minor units, and whether it takes stock.
const SHIPPED_OFFERINGS: [(&str, &str, i64, bool); 10] = [
    ("plan-4g", "telecom-plan", 1_000, true),
    ("broadband-100m", "telecom-broadband", 10_000, true),
    ("ip-phone", "telecom-ip-phone", 2_000, true),
    ("parcel", "retail-goods", 4_500, true),
    ("number-400", "national-400", 8_000, true),
    ("line-10g", "cmnet-line", 90_000, false),
    ("ims-seat", "ims", 0, true),
    ("package", "package-change", 0, false),
    ("suspension", "suspend-service", 0, false),
    ("resumption", "resume-service", 500, false),
];

/// What customers bring back.
const RETURN: &str = "return";

impl Catalog {
    /// What the shipped templates deliver.
    pub(crate) fn shipped() -> Self {
        let mut catalog = Self::default();
        for template in SHIPPED_TEMPLATES.iter() {
            catalog.add(Arc::clone(template));
        }
        for (code, template, charge, takes_stock) in SHIPPED_OFFERINGS {
            catalog.sell(code, template, charge, takes_stock);
        }
        catalog.sell(RETURN, "retail-return", 1_500, true).is_return = true;
        catalog
    }

    /// Adds a template.
    pub(crate) fn add(&mut self, template: Arc<Template>) {
        self.templates.insert(template.name.clone(), template);
    }

    /// Sells what a template delivers.
    pub(crate) fn sell(
        &mut self,
        code: &str,
        template: &str,
        charge: i64,
        takes_stock: bool,
    ) -> &mut Offering {
        let pinned = self.pinned(template);
        let reversal = pinned.template().and_then(|template| template.reversal.clone());
        let reversal = reversal.map(|name| self.pinned(&name));
        let code = code.to_owned();
        self.offerings.entry(code.clone()).or_insert(Offering {
            code,
            template: pinned,
            reversal,
            charge,
            takes_stock,
            is_return: false,
        })
    }

    /// The template with a name.
    pub(crate) fn pinned(&self, name: &str) -> Pinned {
        Pinned::new(Arc::clone(&self.templates[name]))
    }

    /// A version of a template; there is one of each.
    pub(crate) fn find(&self, name: &str, version: i64) -> Option<Arc<Template>> {
        self.templates.get(name).filter(|template| template.version == version).cloned()
    }

    /// The price of a line, for all its units; of what comes back, what is paid for it.
    pub(crate) fn charge(&self, item: &Item) -> i64 {
        self.offerings[&item.offering].charge * item.quantity
    }

    /// What the product center says of an order.
    pub(crate) fn prepare(&self, order: &Order) -> Preparation {
        let money = |minor| Money::new(order.currency, minor);
        let plans: Vec<ItemPlan> = order.items.iter().map(|item| self.plan(order, item)).collect();
        let sold = order.items.iter().filter(|item| item.action != Action::Delete);
        Preparation {
            total: money(sold.map(|item| self.charge(item)).sum()),
            items: plans,
            business_orders: self.business_orders(&order.items),
        }
    }

    fn plan(&self, order: &Order, item: &Item) -> ItemPlan {
        let offering = &self.offerings[&item.offering];
        let demands = offering.takes_stock.then(|| (offering.code.clone(), item.quantity));
        let original = match &item.return_of {
            Some(ReturnOf::Order(number)) => Some(Original {
                payment_order_id: format!("pay-of-{number}"),
                reservation_id: format!("res-of-{number}"),
                item_key: item.key.clone(),
            }),
            Some(ReturnOf::StandAlone(_)) | None => None,
        };
        ItemPlan {
            charge: Money::new(order.currency, self.charge(item)),
            recurring: Money::zero(order.currency),
            demands: demands.into_iter().collect(),
            original,
        }
    }

    fn business_orders(&self, items: &[Item]) -> Vec<PreparedBusinessOrder> {
        let exists = |key: &str| items.iter().any(|item| item.key == key);
        let said = |item: &Item, what: &str| -> Vec<String> {
            let text = item.characteristics.get(what).map(String::as_str).unwrap_or_default();
            text.split(',').filter(|key| exists(key)).map(str::to_owned).collect()
        };
        // A line that goes with another is delivered by that one's business order.
        let head = |item: &Item| -> String {
            said(item, WITH).into_iter().next().unwrap_or_else(|| item.key.clone())
        };
        let head_of: BTreeMap<&str, String> =
            items.iter().map(|item| (item.key.as_str(), head(item))).collect();
        let heads = items.iter().filter(|item| head_of[item.key.as_str()] == item.key);
        heads
            .map(|first| {
                let lines = || items.iter().filter(|item| head_of[item.key.as_str()] == first.key);
                let others = |what: &str| {
                    let named = lines().flat_map(|item| said(item, what));
                    let theirs = named.map(|key| head_of[key.as_str()].clone());
                    let found: BTreeSet<String> = theirs.filter(|key| *key != first.key).collect();
                    found.into_iter().collect()
                };
                let offering = &self.offerings[&first.offering];
                PreparedBusinessOrder {
                    key: first.key.clone(),
                    template: offering.template.clone(),
                    reversal: offering.reversal.clone(),
                    item_keys: lines().map(|item| item.key.clone()).collect(),
                    requires: others(REQUIRES),
                    after: others(AFTER),
                }
            })
            .collect()
    }
}
