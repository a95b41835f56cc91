//! Rows of `campaigns`, `campaign_buyers`, `campaign_claims` and `buyer_groups`.

use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::paging::Page;
use throughline_kit::storage::{Database, Insert, Tx, Value, corrupt};
use throughline_kit::{AnyRow, Row};

use super::ledger::{Account, Sheet};
use super::{CampaignState, Group, GroupId};
use crate::error::{DOMAIN, conflict};
use crate::order::OrderId;

/// Each of these stores a new row, or the version after the one that is there; meets no row when that one is another.
static PUT_CAMPAIGN: Insert = Insert {
    table: "campaigns",
    columns: &[
        "campaign",
        "version",
        "created_at_us",
        "starts_at_us",
        "ends_at_us",
        "taken_units",
        "document",
    ],
    otherwise: "ON CONFLICT (campaign) DO UPDATE SET version = excluded.version, \
        starts_at_us = excluded.starts_at_us, ends_at_us = excluded.ends_at_us, \
        taken_units = excluded.taken_units, document = excluded.document \
        WHERE campaigns.version = excluded.version - 1",
};
static PUT_BUYER: Insert = Insert {
    table: "campaign_buyers",
    columns: &["campaign", "buyer_id", "version", "taken_units"],
    otherwise: "ON CONFLICT (campaign, buyer_id) DO UPDATE SET version = excluded.version, \
        taken_units = excluded.taken_units \
        WHERE campaign_buyers.version = excluded.version - 1",
};
static PUT_GROUP: Insert = Insert {
    table: "buyer_groups",
    columns: &["group_id", "campaign", "state", "version", "expires_at_us", "document"],
    otherwise: "ON CONFLICT (group_id) DO UPDATE SET state = excluded.state, \
        version = excluded.version, document = excluded.document \
        WHERE buyer_groups.version = excluded.version - 1",
};
static INSERT_CLAIM: Insert = Insert {
    table: "campaign_claims",
    columns: &["order_id", "campaign", "buyer_id", "units"],
    otherwise: "",
};
const SELECT_CAMPAIGN: &str =
    "SELECT version, taken_units, document FROM campaigns WHERE campaign = $1";
/// `$4` is now.
const SELECT_PAGE: &str = "SELECT version, taken_units, document FROM campaigns \
     WHERE (created_at_us, campaign) < ($1, $2) \
     AND (CAST($5 AS TEXT) IS NULL OR $5 = CASE WHEN ends_at_us <= $4 THEN 'ENDED' \
         WHEN starts_at_us > $4 THEN 'SCHEDULED' ELSE 'OPEN' END) \
     ORDER BY created_at_us DESC, campaign DESC LIMIT $3";
const COUNT_CAMPAIGNS: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM campaigns";
const SELECT_BUYER: &str = "SELECT version, taken_units FROM campaign_buyers \
     WHERE campaign = $1 AND buyer_id = $2";
const SELECT_CLAIM: &str = "SELECT campaign, buyer_id, units FROM campaign_claims \
     WHERE order_id = $1 AND settled_at_us IS NULL";
const SETTLE_CLAIM: &str = "UPDATE campaign_claims SET kept_units = $2, settled_at_us = $3 \
     WHERE order_id = $1 AND settled_at_us IS NULL";
const SELECT_GROUP: &str = "SELECT version, document FROM buyer_groups WHERE group_id = $1";
const SELECT_OVER: &str = "SELECT group_id FROM buyer_groups \
     WHERE state = 'OPEN' AND expires_at_us <= $1 ORDER BY expires_at_us LIMIT $2";

/// Reads a campaign in order to change it.
pub(crate) async fn load(tx: &mut Tx, code: &str) -> Result<Option<Sheet<Account>>, Error> {
    let row = tx.fetch_optional(SELECT_CAMPAIGN, [code.into()]).await?;
    row.as_ref().map(account).transpose()
}

/// Reads a campaign outside of any transaction.
pub(crate) async fn find(database: &Database, code: &str) -> Result<Option<Account>, Error> {
    let row = database.fetch_optional(SELECT_CAMPAIGN, [code.into()]).await?;
    Ok(row.as_ref().map(account).transpose()?.map(|sheet| sheet.value))
}

/// Reads one page of campaigns, newest first.
pub(crate) async fn page(
    database: &Database,
    state: Option<CampaignState>,
    page: &Page<(Instant, String)>,
    now: Instant,
) -> Result<Vec<Account>, Error> {
    let (at, code) = page.after.clone().unwrap_or((Instant(i64::MAX), String::new()));
    let arguments: [Value; 5] = [
        at.into(),
        code.into(),
        page.fetch_limit().into(),
        now.into(),
        state.map(|state| state.as_str().to_owned()).into(),
    ];
    let rows = database.fetch_all(SELECT_PAGE, arguments).await?;
    rows.iter().map(|row| Ok(account(row)?.value)).collect()
}

/// Counts the campaigns that are stored.
pub(crate) async fn count(tx: &mut Tx) -> Result<i64, Error> {
    Ok(tx.fetch_optional(COUNT_CAMPAIGNS, []).await?.map_or(0, |row| row.get(0)))
}

/// Stores campaigns.
pub(crate) async fn put(
    tx: &mut Tx,
    changed: impl Iterator<Item = &Sheet<Account>>,
) -> Result<(), Error> {
    let row = |sheet: &Sheet<Account>| -> Result<Vec<Value>, Error> {
        let Account { campaign, taken } = &sheet.value;
        Ok(vec![
            campaign.code.as_str().into(),
            (sheet.version + 1).into(),
            campaign.created_at.into(),
            campaign.starts_at.into(),
            campaign.ends_at.into(),
            (*taken).into(),
            document(campaign)?.into(),
        ])
    };
    let rows = changed.map(row).collect::<Result<Vec<_>, _>>()?;
    put_all(tx, &PUT_CAMPAIGN, rows).await
}

/// Reads how much a buyer has taken.
pub(crate) async fn load_buyer(
    tx: &mut Tx,
    campaign: &str,
    buyer: &str,
) -> Result<Option<Sheet<i64>>, Error> {
    let row = tx.fetch_optional(SELECT_BUYER, [campaign.into(), buyer.into()]).await?;
    Ok(row.map(|row| Sheet::read(row.get(1), row.get(0))))
}

/// Stores how much buyers have taken.
pub(crate) async fn put_buyers<'a>(
    tx: &mut Tx,
    changed: impl Iterator<Item = (&'a (String, String), &'a Sheet<i64>)>,
) -> Result<(), Error> {
    let row = |((campaign, buyer), sheet): (&(String, String), &Sheet<i64>)| -> Vec<Value> {
        let version = sheet.version + 1;
        vec![campaign.as_str().into(), buyer.as_str().into(), version.into(), sheet.value.into()]
    };
    put_all(tx, &PUT_BUYER, changed.map(row).collect()).await
}

/// What an order takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim<'a> {
    /// Order.
    pub(crate) order_id: &'a OrderId,
    /// Campaign.
    pub(crate) campaign: &'a str,
    /// Buyer.
    pub(crate) buyer: &'a str,
    /// Units.
    pub(crate) units: i64,
}

/// Adds the claim of a new order.
pub(crate) fn claim(tx: &mut Tx, claim: &Claim<'_>) {
    let row = [
        claim.order_id.as_str().into(),
        claim.campaign.into(),
        claim.buyer.into(),
        claim.units.into(),
    ];
    tx.append(&INSERT_CLAIM, row);
}

/// What an order had taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Campaign.
    pub(crate) campaign: String,
    /// Buyer.
    pub(crate) buyer: String,
    /// Units.
    pub(crate) units: i64,
}

/// Settles the claim of an order that has ended; `None` when it is settled already.
pub(crate) async fn settle(
    tx: &mut Tx,
    order_id: &OrderId,
    kept: i64,
    now: Instant,
) -> Result<Option<Settled>, Error> {
    let Some(row) = tx.fetch_optional(SELECT_CLAIM, [order_id.as_str().into()]).await? else {
        return Ok(None);
    };
    let arguments = [order_id.as_str().into(), kept.into(), now.into()];
    if tx.execute(SETTLE_CLAIM, arguments).await? != 1 {
        return Err(conflict("a claim"));
    }
    Ok(Some(Settled { campaign: row.get(0), buyer: row.get(1), units: row.get(2) }))
}

/// Reads a group in order to change it.
pub(crate) async fn load_group(tx: &mut Tx, id: &GroupId) -> Result<Option<Sheet<Group>>, Error> {
    let row = tx.fetch_optional(SELECT_GROUP, [id.as_str().into()]).await?;
    row.map(|row| Ok(Sheet::read(group(&row)?, row.get(0)))).transpose()
}

/// Reads a group outside of any transaction.
pub(crate) async fn find_group(database: &Database, id: &GroupId) -> Result<Option<Group>, Error> {
    let row = database.fetch_optional(SELECT_GROUP, [id.as_str().into()]).await?;
    row.as_ref().map(group).transpose()
}

/// Stores groups.
pub(crate) async fn put_groups(
    tx: &mut Tx,
    changed: impl Iterator<Item = &Sheet<Group>>,
) -> Result<(), Error> {
    let row = |sheet: &Sheet<Group>| -> Result<Vec<Value>, Error> {
        let group = &sheet.value;
        Ok(vec![
            group.id.as_str().into(),
            group.campaign.as_str().into(),
            group.state.as_str().into(),
            (sheet.version + 1).into(),
            group.expires_at.into(),
            document(group)?.into(),
        ])
    };
    let rows = changed.map(row).collect::<Result<Vec<_>, _>>()?;
    put_all(tx, &PUT_GROUP, rows).await
}

/// Whether the deadline of an open group has passed.
pub(crate) async fn is_group_over(database: &Database, now: Instant) -> Result<bool, Error> {
    Ok(database.fetch_optional(SELECT_OVER, [now.into(), 1_i64.into()]).await?.is_some())
}

/// Open groups whose deadline has passed, so many at most.
pub(crate) async fn groups_over(
    tx: &mut Tx,
    now: Instant,
    limit: i64,
) -> Result<Vec<GroupId>, Error> {
    let rows = tx.fetch_all(SELECT_OVER, [now.into(), limit.into()]).await?;
    let id = |row: &AnyRow| GroupId::parse(&row.get::<String, _>(0));
    rows.iter().map(|row| id(row).map_err(|e| corrupt(DOMAIN, "buyer_groups", e))).collect()
}

async fn put_all(tx: &mut Tx, insert: &'static Insert, rows: Vec<Vec<Value>>) -> Result<(), Error> {
    let expected = rows.len() as u64;
    if tx.put(insert, rows).await? == expected { Ok(()) } else { Err(conflict(insert.table)) }
}

fn document(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|e| Error::internal(DOMAIN, e))
}

fn account(row: &AnyRow) -> Result<Sheet<Account>, Error> {
    let campaign = serde_json::from_str(&row.get::<String, _>(2));
    let campaign = campaign.map_err(|e| corrupt(DOMAIN, "campaigns", e))?;
    Ok(Sheet::read(Account { campaign, taken: row.get(1) }, row.get(0)))
}

fn group(row: &AnyRow) -> Result<Group, Error> {
    let document = row.get::<String, _>(1);
    serde_json::from_str(&document).map_err(|e| corrupt(DOMAIN, "buyer_groups", e))
}
