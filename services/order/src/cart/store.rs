//! Rows of `carts`.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::paging::Page;
use throughline_kit::storage::{Database, Insert, Tx, Value, corrupt};
use throughline_kit::{AnyRow, Row};

use super::{Cart, CartId, CartState, Head};
use crate::error::{DOMAIN, conflict};

const TABLE: &str = "carts";
/// Stores a new cart, or the version after the one that is there; meets no row when that one is another.
static PUT_CART: Insert = Insert {
    table: TABLE,
    columns: &[
        "cart_id",
        "channel",
        "customer_id",
        "visitor_id",
        "state",
        "version",
        "created_at_us",
        "due_at_us",
        "head",
        "lines",
    ],
    otherwise: "ON CONFLICT (cart_id) DO UPDATE SET channel = excluded.channel, \
        customer_id = excluded.customer_id, state = excluded.state, version = excluded.version, \
        due_at_us = excluded.due_at_us, head = excluded.head, lines = excluded.lines \
        WHERE carts.version = excluded.version - 1",
};
const SELECT_CART: &str = "SELECT head, lines FROM carts WHERE cart_id = $1";
const COUNT_OF_CUSTOMER: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM carts \
     WHERE customer_id = $1 AND state = 'ACTIVE' AND due_at_us > $2";
const COUNT_OF_VISITOR: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM carts \
     WHERE visitor_id = $1 AND state = 'ACTIVE' AND due_at_us > $2 \
     AND customer_id = '' AND channel = $3";
/// `$5` is now: a cart that is over is EXPIRED before the sweeper has noted it.
const SELECT_PAGE_OF_CUSTOMER: &str = "SELECT head FROM carts \
     WHERE customer_id = $4 AND (created_at_us, cart_id) < ($1, $2) \
     AND (CAST($6 AS TEXT) IS NULL OR channel = $6) \
     AND (CAST($7 AS TEXT) IS NULL OR $7 = CASE \
         WHEN state = 'ACTIVE' AND due_at_us <= $5 THEN 'EXPIRED' ELSE state END) \
     ORDER BY created_at_us DESC, cart_id DESC LIMIT $3";
const SELECT_PAGE_OF_VISITOR: &str = "SELECT head FROM carts \
     WHERE visitor_id = $4 AND customer_id = '' AND (created_at_us, cart_id) < ($1, $2) \
     AND (CAST($6 AS TEXT) IS NULL OR channel = $6) \
     AND (CAST($7 AS TEXT) IS NULL OR $7 = CASE \
         WHEN state = 'ACTIVE' AND due_at_us <= $5 THEN 'EXPIRED' ELSE state END) \
     ORDER BY created_at_us DESC, cart_id DESC LIMIT $3";
const SELECT_IS_DUE: &str = "SELECT 1 FROM carts WHERE due_at_us <= $1 LIMIT 1";
const SELECT_DUE: &str = "SELECT head FROM carts WHERE due_at_us <= $1 ORDER BY due_at_us LIMIT $2";
const EXPIRE: &str = "UPDATE carts SET state = 'EXPIRED', version = $3, due_at_us = $4, head = $5 \
     WHERE cart_id = $1 AND version = $2";
const DELETE: &str = "DELETE FROM carts WHERE cart_id = $1 AND version = $2";

/// Whose carts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A customer.
    Customer(String),
    /// A guest.
    Visitor(String),
}

/// Which carts to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Whose.
    pub(crate) owner: Owner,
    /// Only this channel.
    pub(crate) channel: Option<String>,
    /// Only this state.
    pub(crate) state: Option<CartState>,
}

/// Reads a cart outside of any transaction.
pub(crate) async fn find(database: &Database, id: &CartId) -> Result<Option<Cart>, Error> {
    let row = database.fetch_optional(SELECT_CART, [id.as_str().into()]).await?;
    row.as_ref().map(cart).transpose()
}

/// Reads a cart in order to change it.
pub(crate) async fn load(tx: &mut Tx, id: &CartId) -> Result<Option<Cart>, Error> {
    let row = tx.fetch_optional(SELECT_CART, [id.as_str().into()]).await?;
    row.as_ref().map(cart).transpose()
}

/// Stores a new cart or the next version of one.
pub(crate) async fn put(tx: &mut Tx, cart: &Cart) -> Result<(), Error> {
    let Cart { head, lines } = cart;
    let lines = serde_json::to_string(lines).map_err(|e| Error::internal(DOMAIN, e))?;
    let row = vec![
        head.id.as_str().into(),
        head.channel.as_str().into(),
        head.customer_id.as_str().into(),
        head.visitor_id.as_str().into(),
        head.state.as_str().into(),
        head.version.into(),
        head.created_at.into(),
        head.due_at().into(),
        document(head)?.into(),
        lines.into(),
    ];
    met(tx.put(&PUT_CART, vec![row]).await?)
}

/// Counts the carts that the owner of a new one has.
pub(crate) async fn count_active(tx: &mut Tx, new: &Head, now: Instant) -> Result<i64, Error> {
    let counted = if new.customer_id.is_empty() {
        let owner = [new.visitor_id.as_str().into(), now.into(), new.channel.as_str().into()];
        tx.fetch_optional(COUNT_OF_VISITOR, owner).await?
    } else {
        tx.fetch_optional(COUNT_OF_CUSTOMER, [new.customer_id.as_str().into(), now.into()]).await?
    };
    Ok(counted.map_or(0, |row| row.get(0)))
}

/// Reads one page of heads, newest first.
pub(crate) async fn page(
    database: &Database,
    filter: &Filter,
    page: &Page<(Instant, String)>,
    now: Instant,
) -> Result<Vec<Head>, Error> {
    let (at, id) = page.after.clone().unwrap_or((Instant(i64::MAX), String::new()));
    let (statement, owner) = match &filter.owner {
        Owner::Customer(id) => (SELECT_PAGE_OF_CUSTOMER, id),
        Owner::Visitor(id) => (SELECT_PAGE_OF_VISITOR, id),
    };
    let arguments: [Value; 7] = [
        at.into(),
        id.into(),
        page.fetch_limit().into(),
        owner.as_str().into(),
        now.into(),
        filter.channel.clone().into(),
        filter.state.map(|state| state.as_str().to_owned()).into(),
    ];
    database.fetch_all(statement, arguments).await?.iter().map(head).collect()
}

/// Whether the sweeper has something to do.
pub(crate) async fn is_due(database: &Database, now: Instant) -> Result<bool, Error> {
    Ok(database.fetch_optional(SELECT_IS_DUE, [now.into()]).await?.is_some())
}

/// Reads the heads of carts whose time has come, so many at most.
pub(crate) async fn due(tx: &mut Tx, now: Instant, limit: i64) -> Result<Vec<Head>, Error> {
    tx.fetch_all(SELECT_DUE, [now.into(), limit.into()]).await?.iter().map(head).collect()
}

/// Notes that a cart has expired.
pub(crate) async fn expire(tx: &mut Tx, head: &Head) -> Result<(), Error> {
    let arguments = [
        head.id.as_str().into(),
        (head.version - 1).into(),
        head.version.into(),
        head.due_at().into(),
        document(head)?.into(),
    ];
    met(tx.execute(EXPIRE, arguments).await?)
}

/// Forgets a cart.
pub(crate) async fn delete(tx: &mut Tx, head: &Head) -> Result<(), Error> {
    met(tx.execute(DELETE, [head.id.as_str().into(), head.version.into()]).await?)
}

fn met(rows: u64) -> Result<(), Error> {
    if rows == 1 { Ok(()) } else { Err(conflict("a cart")) }
}

fn document(head: &Head) -> Result<String, Error> {
    serde_json::to_string(head).map_err(|e| Error::internal(DOMAIN, e))
}

fn head(row: &AnyRow) -> Result<Head, Error> {
    serde_json::from_str(&row.get::<String, _>(0)).map_err(|e| corrupt(DOMAIN, TABLE, e))
}

fn cart(row: &AnyRow) -> Result<Cart, Error> {
    let lines = serde_json::from_str(&row.get::<String, _>(1));
    Ok(Cart { head: head(row)?, lines: lines.map_err(|e| corrupt(DOMAIN, TABLE, e))? })
}
