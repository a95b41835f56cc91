//! Steps of an order, made from the templates that it keeps for its life.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use throughline_kit::money::Money;

use crate::apply::apply;
use crate::business_order::{BusinessOrder, BusinessOrderId, BusinessOrderState};
use crate::event::{Event, Preparation, PreparedBusinessOrder};
use crate::hold::Hold;
use crate::mark::mark;
use crate::name::Name;
use crate::order::{Order, Original, Place, ReturnOf};
use crate::shared::Shared;
use crate::step::{Definition, Step};
use crate::template::{Activity, StepDefinition, StepWork, Template};

/// A version of a template that an order keeps, whatever is published later.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pinned {
    /// Name.
    pub(crate) name: Name,
    /// Version.
    pub(crate) version: i64,
    /// The version itself; not stored with the order.
    #[serde(skip)]
    template: Option<Arc<Template>>,
}

/// Name and version say which template it is.
impl PartialEq for Pinned {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.version) == (&other.name, other.version)
    }
}

impl Eq for Pinned {}

impl Pinned {
    /// Keeps a version.
    pub(crate) fn new(template: Arc<Template>) -> Self {
        let (name, version) = (Name::from(&template.name), template.version);
        Self { name, version, template: Some(template) }
    }

    /// The version, unless the order was read and not yet resolved.
    pub(crate) fn template(&self) -> Option<&Arc<Template>> {
        self.template.as_ref()
    }

    fn steps(&self) -> &[Arc<StepDefinition>] {
        self.template.as_deref().map(|template| template.steps.as_slice()).unwrap_or_default()
    }

    /// What the step with this id does. A numbered step is one of several of its definition.
    fn definition(&self, id: &str) -> Option<Arc<StepDefinition>> {
        let find = |id: &str| self.steps().iter().find(|step| step.id == id);
        let numbered = || id.rsplit_once('-').and_then(|(id, _)| find(id));
        let of_platform = || Share::ALL.iter().find(|share| share.id == id).map(Share::definition);
        find(id).or_else(numbered).cloned().or_else(of_platform)
    }
}

/// Steps that every business order has besides those of its template: its part of what the order did for all, undone with
/// it; and in one that takes another back, giving that part back.
struct Share {
    id: &'static str,
    activity: Activity,
}

/// Ids that no step of a template may have.
pub(crate) const RESERVED_IDS: [&str; 4] = ["allocation", "charge", "stock-back", "money-back"];

const ALLOCATION: Share = Share { id: "allocation", activity: Activity::Allocation };
const CHARGE: Share = Share { id: "charge", activity: Activity::Charge };
const STOCK_BACK: Share = Share { id: "stock-back", activity: Activity::StockBack };
const MONEY_BACK: Share = Share { id: "money-back", activity: Activity::MoneyBack };

impl Share {
    const ALL: [Self; 4] = [ALLOCATION, CHARGE, STOCK_BACK, MONEY_BACK];

    fn definition(&self) -> Arc<StepDefinition> {
        StepDefinition::of_platform(self.id, self.activity)
    }

    fn step(&self) -> Step {
        Step::new(self.id, self.definition())
    }
}

/// Gives an order that was read the versions of templates that it keeps. Gives the one that is missing otherwise.
pub(crate) fn resolve(
    order: &mut Order,
    find: impl Fn(&str, i64) -> Option<Arc<Template>>,
) -> Result<(), Pinned> {
    let look = |pinned: &mut Pinned| {
        pinned.template = find(&pinned.name, pinned.version);
        if pinned.template.is_some() { Ok(()) } else { Err(pinned.clone()) }
    };
    let define = |pinned: &Pinned, steps: &mut Vec<Step>| {
        steps.iter_mut().all(|step| match pinned.definition(&step.id) {
            Some(definition) => {
                step.definition = Definition(definition);
                true
            }
            None => false,
        })
    };
    look(&mut order.template)?;
    if !define(&order.template, &mut order.steps) {
        return Err(order.template.clone());
    }
    for business_order in &mut order.business_orders {
        let business_order: &mut BusinessOrder = business_order;
        look(&mut business_order.template)?;
        if !define(&business_order.template, &mut business_order.steps) {
            return Err(business_order.template.clone());
        }
        if let Some(reversal) = &mut business_order.reversal {
            look(reversal)?;
        }
    }
    Ok(())
}

/// Versions of templates that an order needs.
pub(crate) fn pinned(order: &Order) -> impl Iterator<Item = &Pinned> {
    let theirs =
        order.business_orders.iter().flat_map(|bo| [Some(&bo.template), bo.reversal.as_ref()]);
    std::iter::once(&order.template).chain(theirs.flatten())
}

/// The order's own steps, as its template has them.
pub(crate) fn own_steps(template: &Pinned) -> Vec<Step> {
    let step = |definition: &Arc<StepDefinition>| Step {
        after: definition.after.as_slice().into(),
        ..Step::new(&definition.id, Arc::clone(definition))
    };
    template.steps().iter().map(step).collect()
}

/// Lets a new order begin with a template. A preparation starts at once, unless a pause covers it: one commit less for almost
/// every order.
pub(crate) fn begin(order: &mut Order, template: Pinned, standing: &[Hold]) {
    order.steps = own_steps(&template);
    order.template = template;
    let first = Place { business_order: None, step: 0 };
    let prepares = order.steps.first().and_then(Step::activity) == Some(Activity::Prepare);
    let now = order.created_at;
    let holds = |hold: &Hold| hold.window.is_open_for(&order.id, now) && hold.covers(order, first);
    if prepares && !standing.iter().any(holds) {
        apply(order, &Event::StepStarted(first), now);
    }
    mark(order);
}

/// Makes the business orders of a prepared order.
pub(crate) fn business_orders(
    order: &Order,
    preparation: &Preparation,
) -> Vec<Shared<BusinessOrder>> {
    let index_of: BTreeMap<&str, usize> = preparation
        .business_orders
        .iter()
        .enumerate()
        .map(|(index, planned)| (planned.key.as_str(), index))
        .collect();
    let indexes = |keys: &[String]| -> Vec<usize> {
        keys.iter().filter_map(|key| index_of.get(key.as_str()).copied()).collect()
    };
    let generation = order.steps.iter().map(|step| step.generation).max().unwrap_or(0).to_string();
    preparation
        .business_orders
        .iter()
        .map(|planned| {
            let mut item_keys = planned.item_keys.clone();
            item_keys.sort();
            let mut identity = vec![order.id.as_str(), &planned.key];
            if generation != "0" {
                identity.push(&generation);
            }
            BusinessOrder {
                id: BusinessOrderId::derive(&identity),
                template: planned.template.clone(),
                state: BusinessOrderState::Planned,
                requires: indexes(&planned.requires),
                after: indexes(&planned.after),
                charge: charge_of(order, preparation, &item_keys),
                steps: steps_of(order, preparation, planned),
                item_keys,
                failure: None,
                policy: None,
                withdrawn: false,
                to_reverse: false,
                reversal: planned.reversal.clone(),
                reverses: None,
                rerun_from: None,
            }
            .into()
        })
        .collect()
}

/// Makes the business order that takes another back: what its template says, then stock and money.
pub(crate) fn reversal_of(order: &Order, index: usize) -> Option<BusinessOrder> {
    let done = &order.business_orders[index];
    let template = done.reversal.clone()?;
    let mut steps = own_steps(&template);
    let back = [(Activity::Allocation, STOCK_BACK), (Activity::Charge, MONEY_BACK)];
    for (activity, share) in back {
        if done.steps.iter().any(|step| step.activity() == Some(activity) && step.needs_undo()) {
            let after = (0..steps.len()).collect();
            steps.push(Step { after, ..share.step() });
        }
    }
    Some(BusinessOrder {
        id: BusinessOrderId::derive(&[done.id.as_str(), "reversal"]),
        template,
        state: BusinessOrderState::Blocked,
        item_keys: done.item_keys.clone(),
        requires: Vec::new(),
        after: Vec::new(),
        steps,
        charge: done.charge,
        failure: None,
        policy: None,
        withdrawn: false,
        to_reverse: false,
        reversal: None,
        reverses: Some(index),
        rerun_from: None,
    })
}

fn charge_of(order: &Order, preparation: &Preparation, item_keys: &[String]) -> Money {
    let minor = order
        .items
        .iter()
        .zip(preparation.items.iter())
        .filter(|(item, _)| item_keys.binary_search(&item.key).is_ok())
        .map(|(_, plan)| plan.charge.minor)
        .sum();
    Money::new(order.currency, minor)
}

fn steps_of(
    order: &Order,
    preparation: &Preparation,
    planned: &PreparedBusinessOrder,
) -> Vec<Step> {
    let groups = return_groups(order, preparation, &planned.item_keys);
    let takes_back = |definition: &StepDefinition| {
        matches!(definition.work, StepWork::Activity(Activity::Restock | Activity::Refund))
    };
    let mut steps = Vec::new();
    if !planned.template.steps().iter().any(|step| takes_back(step)) {
        steps.extend(shares(order, preparation, planned));
    }
    let first = steps.len();
    // Where each definition's steps stand; what comes after it comes after the last of them.
    let mut places: Vec<Vec<usize>> = Vec::new();
    for definition in planned.template.steps() {
        let ids = match &definition.work {
            StepWork::Activity(Activity::Restock) => numbered(definition, &groups, |g| g.restocks),
            StepWork::Activity(Activity::Refund) => numbered(definition, &groups, |g| g.refunds),
            StepWork::Activity(_)
            | StepWork::Call(_)
            | StepWork::Wait(_)
            | StepWork::Timer(_)
            | StepWork::Manual(_) => vec![definition.id.clone()],
        };
        let before: Vec<usize> =
            definition.after.iter().flat_map(|index| places[*index].iter().copied()).collect();
        let mut stand = Vec::new();
        for id in ids {
            let after = stand.last().map_or_else(|| before.clone(), |last| vec![*last]);
            stand.push(steps.len());
            steps.push(Step { after: after.into(), ..Step::new(id, Arc::clone(definition)) });
        }
        // One that has nothing to do stands aside: what comes after it comes after those before it.
        places.push(if stand.is_empty() { before } else { stand });
    }
    debug_assert!(steps.len() >= first);
    steps
}

/// The business order's part of what the order did for all.
fn shares(order: &Order, preparation: &Preparation, planned: &PreparedBusinessOrder) -> Vec<Step> {
    let keys: BTreeSet<&String> = planned.item_keys.iter().collect();
    let lines = || {
        order
            .items
            .iter()
            .zip(preparation.items.iter())
            .filter(|(item, _)| keys.contains(&item.key))
    };
    let mut steps = Vec::new();
    if lines().any(|(_, plan)| !plan.demands.is_empty()) {
        steps.push(ALLOCATION.step());
    }
    if lines().any(|(_, plan)| !plan.charge.is_zero()) {
        steps.push(CHARGE.step());
    }
    steps
}

/// A step for each payment that goods were bought with, by number.
fn numbered(
    definition: &StepDefinition,
    groups: &[ReturnGroup],
    concerns: impl Fn(&ReturnGroup) -> bool,
) -> Vec<String> {
    let numbers = groups.iter().enumerate().filter(|(_, group)| concerns(group));
    numbers.map(|(number, _)| format!("{}-{}", definition.id, number + 1)).collect()
}

struct ReturnGroup {
    restocks: bool,
    refunds: bool,
}

fn return_groups(
    order: &Order,
    preparation: &Preparation,
    item_keys: &[String],
) -> Vec<ReturnGroup> {
    let mut groups: BTreeMap<String, ReturnGroup> = BTreeMap::new();
    for (item, plan) in order.items.iter().zip(preparation.items.iter()) {
        if !item_keys.contains(&item.key) {
            continue;
        }
        let key = plan.original.as_ref().map(payment_of).unwrap_or_default();
        let group = groups.entry(key).or_insert(ReturnGroup { restocks: false, refunds: false });
        group.restocks |= !plan.demands.is_empty();
        group.refunds |= !plan.charge.is_zero();
    }
    groups.into_values().collect()
}

fn payment_of(original: &Original) -> String {
    original.payment_order_id.clone()
}

/// The payments that a return business order gives back to, in the order of its numbered steps. The stand-alone group,
/// where there is one, is the empty text and comes first.
pub(crate) fn return_payments(order: &Order, business_order: &BusinessOrder) -> Vec<String> {
    let payments: BTreeSet<String> = order
        .lines_of(business_order)
        .map(|(_, plan)| plan.original.as_ref().map(payment_of).unwrap_or_default())
        .collect();
    payments.into_iter().collect()
}

/// Why the lines of a return come back.
pub(crate) fn return_reason(order: &Order) -> String {
    let stand_alone = order.items.iter().find_map(|item| match &item.return_of {
        Some(ReturnOf::StandAlone(reason)) => Some(reason.clone()),
        Some(ReturnOf::Order(_)) | None => None,
    });
    stand_alone.unwrap_or_else(|| format!("return {}", order.channel_order_id))
}
