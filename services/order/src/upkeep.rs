//! Brings what an earlier version stored to what this one looks for: once after each start, some rows in each commit. What is
//! done is not found again, so an end in between only means that the next start goes on.

use std::time::Duration;

use throughline_kit::CancellationToken;
use throughline_kit::clock::Instant;
use throughline_kit::error::Error;
use throughline_kit::storage::Writer;

use crate::store::OrderStore;
use crate::store::upkeep::{Left, LiveDone, MarkLive, MoveEnded};

/// Orders in one commit at most, so that nobody waits long behind it.
const BATCH: i64 = 64;
/// Wait before it goes on after the store failed.
const RETRY: Duration = Duration::from_secs(5);

/// Gives live orders what they are found by, once for all. Before the engine owns them; there are as many as may be live.
pub(crate) async fn mark_live(
    store: &OrderStore,
    writer: &Writer,
    now: Instant,
) -> Result<(), Error> {
    let mut after = String::new();
    loop {
        let found = store.left_behind(Left::Live, &after, BATCH).await?;
        let Some(last) = found.last else { return writer.write(LiveDone(now)).await };
        if !found.orders.is_empty() {
            writer.write(MarkLive(found.orders)).await?;
        }
        after = last;
    }
}

/// Moves ended orders out of the table of live ones, beside all other work.
pub(crate) async fn move_ended(store: OrderStore, writer: Writer, shutdown: CancellationToken) {
    let mut after = String::new();
    loop {
        let moved = tokio::select! {
            () = shutdown.cancelled() => return,
            moved = move_some(&store, &writer, &after) => moved,
        };
        match moved {
            Ok(Some(last)) => after = last,
            Ok(None) => return,
            Err(cause) => {
                tracing::warn!(%cause, "move ended orders of an earlier version; trying again");
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = tokio::time::sleep(RETRY) => {}
                }
            }
        }
    }
}

/// Moves some, and gives the last of them.
async fn move_some(
    store: &OrderStore,
    writer: &Writer,
    after: &str,
) -> Result<Option<String>, Error> {
    let found = store.left_behind(Left::Ended, after, BATCH).await?;
    if writer.write(MoveEnded(found.orders.clone())).await.is_ok() {
        return Ok(found.last);
    }
    // One of them that cannot be moved stays, and keeps no other back; where none can, the store is away.
    let mut failed = None;
    let mut moved = 0;
    for order in found.orders {
        let order_id = order.id.to_string();
        match writer.write(MoveEnded(vec![order])).await {
            Ok(()) => moved += 1,
            Err(cause) => {
                tracing::warn!(%cause, order_id, "leave an ended order among the live ones");
                failed = Some(cause);
            }
        }
    }
    if moved == 0
        && let Some(cause) = failed
    {
        return Err(cause);
    }
    Ok(found.last)
}
