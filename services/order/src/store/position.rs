//! Rows of positions, and what monitors read of them.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::paging::{Page, PageKey};
use throughline_kit::storage::{Insert, Tx, Value, corrupt};
use throughline_kit::{AnyRow, Row};

use super::OrderStore;
use crate::error::DOMAIN;
use crate::order::Order;
use crate::position::{Aspect, Lateness, Position, positions};
use crate::step::StepState;

const DELETE: &str = "DELETE FROM positions WHERE order_id = $1";
static INSERT: Insert = Insert {
    table: "positions",
    columns: &[
        "order_id",
        "business_order_id",
        "step_id",
        "aspect",
        "template",
        "value",
        "since_us",
    ],
    otherwise: "",
};
/// The largest groups first.
const SELECT_GROUPS: &str = "SELECT template, step_id, value, CAST(COUNT(*) AS BIGINT), \
     CAST(COUNT(DISTINCT order_id) AS BIGINT), CAST(MIN(since_us) AS BIGINT) FROM positions \
     WHERE aspect = $1 AND (CAST($3 AS TEXT) IS NULL OR template = $3) \
     AND (CAST($4 AS TEXT) IS NULL OR step_id = $4) AND (CAST($5 AS TEXT) IS NULL OR value = $5) \
     GROUP BY template, step_id, value ORDER BY 4 DESC, 1, 2, 3 LIMIT $2";
/// Those that are late the longest first.
const SELECT_LATE: &str = "SELECT order_id, business_order_id, step_id, template, value, since_us \
     FROM positions WHERE aspect = 'LATENESS' \
     AND (since_us, order_id, business_order_id, step_id) > ($1, $2, $3, $4) \
     AND (CAST($6 AS TEXT) IS NULL OR template = $6) \
     AND (CAST($7 AS TEXT) IS NULL OR step_id = $7) AND (CAST($8 AS TEXT) IS NULL OR value = $8) \
     ORDER BY since_us, order_id, business_order_id, step_id LIMIT $5";

impl Aspect {
    fn name(self) -> &'static str {
        match self {
            Self::State(_) => STATE,
            Self::Lateness(_) => LATENESS,
        }
    }

    fn value(self) -> &'static str {
        match self {
            Self::State(state) => state.as_str(),
            Self::Lateness(lateness) => lateness.as_str(),
        }
    }
}

const STATE: &str = "STATE";
const LATENESS: &str = "LATENESS";

/// Which steps to count or list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PositionFilter {
    /// Only of this template.
    pub(crate) template: Option<String>,
    /// Only with this id.
    pub(crate) step_id: Option<String>,
    /// Only so late.
    pub(crate) lateness: Option<Lateness>,
}

impl PositionFilter {
    fn values(&self) -> [Value; 3] {
        let lateness = self.lateness.map(|lateness| lateness.as_str().to_owned());
        [self.template.clone().into(), self.step_id.clone().into(), lateness.into()]
    }
}

/// Steps of live orders that stand alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PositionGroup<V> {
    /// Their template.
    pub(crate) template: String,
    /// Their id.
    pub(crate) step_id: String,
    /// How they stand.
    pub(crate) value: V,
    /// How many there are.
    pub(crate) steps: i64,
    /// In how many orders.
    pub(crate) orders: i64,
    /// The earliest begin of one.
    pub(crate) oldest: Instant,
}

/// One step that is late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LateRow {
    /// Where it stands.
    pub(crate) key: LateKey,
    /// Its template.
    pub(crate) template: String,
    /// How late it is.
    pub(crate) lateness: Lateness,
}

/// A place in the list of what is late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LateKey {
    /// Since when.
    pub(crate) since: Instant,
    /// Order.
    pub(crate) order_id: String,
    /// Business order; empty for the order's own steps.
    pub(crate) business_order_id: String,
    /// Step.
    pub(crate) step_id: String,
}

impl PageKey for LateKey {
    fn encode(&self) -> String {
        let Self { since, order_id, business_order_id, step_id } = self;
        format!("{}:{order_id}:{business_order_id}:{step_id}", since.0)
    }

    fn decode(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, ':');
        let since = Instant(parts.next()?.parse().ok()?);
        let mut text = || parts.next().map(str::to_owned);
        let (order_id, business_order_id, step_id) = (text()?, text()?, text()?);
        Some(Self { since, order_id, business_order_id, step_id })
    }
}

/// Stores the positions of an order in place of those that it had.
pub(super) async fn replace(tx: &mut Tx, order: &Order) -> Result<(), Error> {
    tx.execute(DELETE, [order.id.as_str().into()]).await?;
    let row = |Position { place, aspect, since }: Position| {
        let business_order = place.business_order.map(|index| &order.business_orders[index].id);
        vec![
            order.id.as_str().into(),
            business_order.map(|id| id.as_str()).unwrap_or_default().into(),
            order.step(place).id.as_str().into(),
            aspect.name().into(),
            order.template_of(place.business_order).into(),
            aspect.value().into(),
            since.into(),
        ]
    };
    tx.put(&INSERT, positions(order).map(row).collect()).await?;
    Ok(())
}

fn state(text: &str) -> Result<StepState, Error> {
    StepState::parse(text).ok_or_else(|| corrupt(DOMAIN, "positions", format!("the state {text}")))
}

fn late(text: &str) -> Result<Lateness, Error> {
    Lateness::parse(text).ok_or_else(|| corrupt(DOMAIN, "positions", format!("late as {text}")))
}

impl OrderStore {
    /// How many steps of live orders stand how, the largest groups first.
    pub(crate) async fn load(
        &self,
        filter: &PositionFilter,
        limit: i64,
    ) -> Result<Vec<PositionGroup<StepState>>, Error> {
        let rows = self.position_groups(STATE, filter, limit).await?;
        let read = |row: &AnyRow| Ok(group(row, state(&row.get::<String, _>(2))?));
        rows.iter().map(read).collect()
    }

    /// How many steps of live orders are how late, the largest groups first.
    pub(crate) async fn late_groups(
        &self,
        filter: &PositionFilter,
        limit: i64,
    ) -> Result<Vec<PositionGroup<Lateness>>, Error> {
        let rows = self.position_groups(LATENESS, filter, limit).await?;
        let read = |row: &AnyRow| Ok(group(row, late(&row.get::<String, _>(2))?));
        rows.iter().map(read).collect()
    }

    async fn position_groups(
        &self,
        aspect: &str,
        filter: &PositionFilter,
        limit: i64,
    ) -> Result<Vec<AnyRow>, Error> {
        let mut arguments: Vec<Value> = vec![aspect.into(), limit.into()];
        arguments.extend(filter.values());
        self.database.fetch_all(SELECT_GROUPS, arguments).await
    }

    /// Reads one page of steps that are late, those that are so the longest first.
    pub(crate) async fn late_page(
        &self,
        filter: &PositionFilter,
        page: &Page<LateKey>,
    ) -> Result<Vec<LateRow>, Error> {
        let begin = || LateKey {
            since: Instant(i64::MIN),
            order_id: String::new(),
            business_order_id: String::new(),
            step_id: String::new(),
        };
        let after = page.after.clone().unwrap_or_else(begin);
        let mut arguments: Vec<Value> = vec![
            after.since.into(),
            after.order_id.into(),
            after.business_order_id.into(),
            after.step_id.into(),
            page.fetch_limit().into(),
        ];
        arguments.extend(filter.values());
        let rows = self.database.fetch_all(SELECT_LATE, arguments).await?;
        rows.iter().map(late_row).collect()
    }
}

fn group<V>(row: &AnyRow, value: V) -> PositionGroup<V> {
    PositionGroup {
        template: row.get(0),
        step_id: row.get(1),
        value,
        steps: row.get(3),
        orders: row.get(4),
        oldest: Instant(row.get(5)),
    }
}

fn late_row(row: &AnyRow) -> Result<LateRow, Error> {
    let key = LateKey {
        order_id: row.get(0),
        business_order_id: row.get(1),
        step_id: row.get(2),
        since: Instant(row.get(5)),
    };
    let lateness = late(&row.get::<String, _>(4))?;
    Ok(LateRow { key, template: row.get(3), lateness })
}
