//! Rows of `ratings`, `rating_templates` and `rating_totals`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use throughline_kit::Row;
use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::paging::Page;
use throughline_kit::storage::{Database, Insert, Tx, Value};

use super::{Rated, Rating, RatingFilter, RatingsByOrder, Total};
use crate::order::Order;

static INSERT_RATING: Insert = Insert {
    table: "ratings",
    columns: &["order_id", "channel", "score", "comment", "created_at_us"],
    otherwise: "",
};
static INSERT_TEMPLATE: Insert = Insert {
    table: "rating_templates",
    columns: &["template", "created_at_us", "order_id"],
    otherwise: "",
};
static ADD_TO_TOTAL: Insert = Insert {
    table: "rating_totals",
    columns: &["template", "ratings", "score_sum"],
    otherwise: "ON CONFLICT (template) DO UPDATE SET \
        ratings = rating_totals.ratings + excluded.ratings, \
        score_sum = rating_totals.score_sum + excluded.score_sum",
};
const SELECT_RATED: &str = "SELECT order_id FROM ratings WHERE order_id = $1";
const SELECT_PAGE: &str = "SELECT order_id, channel, score, comment, created_at_us FROM ratings \
     WHERE (created_at_us, order_id) < ($1, $2) AND created_at_us >= $4 \
     ORDER BY created_at_us DESC, order_id DESC LIMIT $3";
const SELECT_SCORE: &str = "SELECT order_id, channel, score, comment, created_at_us FROM ratings \
     WHERE score = $5 AND (created_at_us, order_id) < ($1, $2) AND created_at_us >= $4 \
     ORDER BY created_at_us DESC, order_id DESC LIMIT $3";
const SELECT_TEMPLATE: &str = "SELECT r.order_id, r.channel, r.score, r.comment, r.created_at_us \
     FROM rating_templates t JOIN ratings r ON r.order_id = t.order_id \
     WHERE t.template = $6 AND (t.created_at_us, t.order_id) < ($1, $2) AND t.created_at_us >= $4 \
     AND (CAST($5 AS BIGINT) IS NULL OR r.score = $5) \
     ORDER BY t.created_at_us DESC, t.order_id DESC LIMIT $3";
const SELECT_TOTALS: &str = "SELECT template, ratings, score_sum FROM rating_totals \
     WHERE (CAST($1 AS TEXT) IS NULL OR template = $1) ORDER BY template";
/// Orders whose ratings are looked up at once.
const LOOKUP: usize = 100;
static SELECT_OF_ORDERS: LazyLock<String> = LazyLock::new(|| {
    let marks: Vec<String> = (1..=LOOKUP).map(|number| format!("${number}")).collect();
    format!(
        "SELECT order_id, score, comment, created_at_us FROM ratings WHERE order_id IN ({})",
        marks.join(", ")
    )
});

/// Whether an order has a rating.
pub(super) async fn is_rated(tx: &mut Tx, order_id: &str) -> Result<bool, Error> {
    Ok(tx.fetch_optional(SELECT_RATED, [order_id.into()]).await?.is_some())
}

/// Adds a rating, and counts it.
pub(super) async fn insert(tx: &mut Tx, order: &Order, rating: &Rating) -> Result<(), Error> {
    let id = order.id.as_str();
    tx.append(
        &INSERT_RATING,
        [
            id.into(),
            order.channel.as_str().into(),
            rating.score.into(),
            rating.comment.as_str().into(),
            rating.created_at.into(),
        ],
    );
    let businesses = order.business_orders.iter().map(|bo| bo.template.name.as_str());
    let templates: BTreeSet<&str> =
        businesses.chain(std::iter::once(order.template.name.as_str())).collect();
    for template in &templates {
        tx.append(&INSERT_TEMPLATE, [(*template).into(), rating.created_at.into(), id.into()]);
    }
    let count = |template: &&str| vec![(*template).into(), 1_i64.into(), rating.score.into()];
    tx.put(&ADD_TO_TOTAL, templates.iter().map(count).collect()).await?;
    Ok(())
}

/// Reads one page, newest first.
pub(super) async fn page(
    database: &Database,
    filter: &RatingFilter,
    page: &Page<(Instant, String)>,
) -> Result<Vec<Rated>, Error> {
    let end = filter.before.unwrap_or(Instant(i64::MAX));
    let (at, id) = page.after.clone().unwrap_or((end, String::new()));
    let from = filter.from.unwrap_or(Instant(i64::MIN));
    let mut arguments: Vec<Value> =
        vec![at.into(), id.into(), page.fetch_limit().into(), from.into()];
    let statement = match (&filter.template, filter.score) {
        (None, None) => SELECT_PAGE,
        (None, score) => {
            arguments.push(score.into());
            SELECT_SCORE
        }
        (Some(template), score) => {
            arguments.extend([score.into(), template.as_str().into()]);
            SELECT_TEMPLATE
        }
    };
    let rows = database.fetch_all(statement, arguments).await?;
    let rated = rows.iter().map(|row| Rated {
        order_id: row.get(0),
        channel: row.get(1),
        rating: Rating { score: row.get(2), comment: row.get(3), created_at: Instant(row.get(4)) },
    });
    Ok(rated.collect())
}

/// Reads how often and how well templates were rated; of all, or of one.
pub(super) async fn totals(
    database: &Database,
    template: Option<&str>,
) -> Result<Vec<Total>, Error> {
    let rows = database.fetch_all(SELECT_TOTALS, [template.map(str::to_owned).into()]).await?;
    let total = |row: &throughline_kit::AnyRow| Total {
        template: row.get(0),
        ratings: row.get(1),
        score_sum: row.get(2),
    };
    Ok(rows.iter().map(total).collect())
}

/// Reads the ratings of some orders, a hundred in each lookup.
pub(crate) async fn of_orders(
    database: &Database,
    orders: impl Iterator<Item = &Order>,
) -> Result<RatingsByOrder, Error> {
    // Only what has ended is rated.
    let ended: Vec<&str> =
        orders.filter(|order| order.ended_at.is_some()).map(|order| order.id.as_str()).collect();
    let mut ratings = BTreeMap::new();
    for ids in ended.chunks(LOOKUP) {
        let padding = std::iter::repeat_n("", LOOKUP - ids.len());
        let arguments = ids.iter().copied().chain(padding).map(Value::from);
        for row in database.fetch_all(&SELECT_OF_ORDERS, arguments).await? {
            let rating =
                Rating { score: row.get(1), comment: row.get(2), created_at: Instant(row.get(3)) };
            ratings.insert(row.get(0), rating);
        }
    }
    Ok(ratings)
}
