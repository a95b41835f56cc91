//! What changes a bulk: its start, a person, and what became of its orders.

use throughline_kit::clock::{Clock, Instant};
use throughline_kit::error::Error;
use throughline_kit::storage::{Change, Tx};
use throughline_proto::order::v1 as proto;

use super::store::{self, Item};
use super::{Bulk, BulkError, BulkId, BulkState, MAX_RUNNING_BULKS, Outcome, convert};
use crate::error::{DOMAIN, conflict};
use crate::event::By;

/// Adds a bulk whose orders are to be collected.
#[derive(Debug)]
pub(super) struct Begin(pub(super) Bulk);

impl Change for Begin {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        store::insert(tx, &self.0);
        Ok(())
    }
}

/// Adds some orders.
#[derive(Debug)]
pub(super) struct Collect {
    pub(super) id: BulkId,
    pub(super) order_ids: Vec<String>,
}

impl Change for Collect {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        store::add(tx, &self.id, &self.order_ids).await
    }
}

/// All orders are there: it runs.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) id: BulkId,
    pub(super) matched: i64,
    pub(super) now: Instant,
}

impl Change for Launch {
    type Output = proto::StartBulkOperationResponse;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        if store::count_running(tx).await? >= MAX_RUNNING_BULKS {
            return Err(Error::limit(DOMAIN, "max_running_bulks", MAX_RUNNING_BULKS));
        }
        let collecting = store::load_collecting(tx, &self.id).await?;
        let mut bulk = collecting.ok_or_else(|| conflict("the bulk"))?;
        bulk.matched = self.matched;
        bulk.created_at = self.now;
        bulk.state = BulkState::Running;
        bulk.complete(self.now);
        store::update(tx, &bulk).await?;
        Ok(proto::StartBulkOperationResponse { bulk: Some(convert::bulk(&bulk)) })
    }
}

/// Which way a person turns a bulk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Begins nothing more.
    Pause,
    /// Goes on.
    Resume,
    /// Ends.
    Cancel,
}

/// Turns a bulk; `R` makes the answer of it.
#[derive(Debug)]
pub(super) struct TurnBulk<R> {
    pub(super) id: BulkId,
    pub(super) turn: Turn,
    pub(super) by: By,
    pub(super) clock: Clock,
    pub(super) answer: fn(proto::Bulk) -> R,
}

impl<R: Send + 'static> Change for TurnBulk<R> {
    type Output = R;

    async fn apply(&self, tx: &mut Tx) -> Result<R, Error> {
        let missing = || BulkError::NotFound(self.id.to_string());
        let mut bulk = store::load(tx, &self.id).await?.ok_or_else(missing)?;
        if bulk.turn(self.turn, &self.by, self.clock.now())? {
            store::update(tx, &bulk).await?;
        }
        Ok((self.answer)(convert::bulk(&bulk)))
    }
}

/// What became of some orders of a bulk.
#[derive(Debug)]
pub(super) struct Settle {
    pub(super) id: BulkId,
    pub(super) items: Vec<Item>,
    pub(super) now: Instant,
}

impl Change for Settle {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        let found = store::load(tx, &self.id).await?;
        let mut bulk = found.ok_or_else(|| BulkError::NotFound(self.id.to_string()))?;
        for item in &self.items {
            let was_left = i64::from(store::settle(tx, &self.id, item).await?);
            match item.outcome {
                Outcome::Done => bulk.done += was_left,
                Outcome::Refused => bulk.refused += was_left,
                Outcome::Left => {}
            }
        }
        bulk.complete(self.now);
        store::update(tx, &bulk).await
    }
}

/// Deletes a part of a bulk that nobody needs any more; says whether it is gone.
#[derive(Debug)]
pub(super) struct Forget {
    pub(super) id: BulkId,
    /// Orders in one commit.
    pub(super) batch: i64,
}

impl Change for Forget {
    type Output = bool;

    async fn apply(&self, tx: &mut Tx) -> Result<bool, Error> {
        store::forget(tx, &self.id, self.batch).await
    }
}

impl Bulk {
    /// Ends it when nothing is left.
    fn complete(&mut self, now: Instant) {
        assert!(self.left() >= 0, "no order of {} is settled twice", self.id);
        let is_open = matches!(self.state, BulkState::Running | BulkState::Paused);
        if is_open && self.left() == 0 {
            self.state = BulkState::Completed;
            self.ended_at = Some(now);
        }
    }

    /// Turns it as a person wants; says whether anything changed.
    fn turn(&mut self, turn: Turn, by: &By, now: Instant) -> Result<bool, BulkError> {
        let state = match (self.state, turn) {
            (BulkState::Running, Turn::Pause) => BulkState::Paused,
            (BulkState::Paused, Turn::Resume) => BulkState::Running,
            (BulkState::Running | BulkState::Paused, Turn::Cancel) => BulkState::Cancelled,
            (BulkState::Paused, Turn::Pause)
            | (BulkState::Running, Turn::Resume)
            | (BulkState::Cancelled, Turn::Cancel) => return Ok(false),
            (BulkState::Collecting, _) => return Err(BulkError::NotFound(self.id.to_string())),
            (BulkState::Completed, _) | (BulkState::Cancelled, Turn::Pause | Turn::Resume) => {
                return Err(BulkError::Ended(self.id.to_string(), self.state));
            }
        };
        self.state = state;
        self.ended_at = (state == BulkState::Cancelled).then_some(now);
        self.changed_by.clone_from(&by.actor);
        self.change_reason.clone_from(&by.reason);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(state: BulkState) -> Bulk {
        Bulk {
            id: BulkId::generate(),
            state,
            version: 1,
            created_at: Instant(1),
            ended_at: None,
            matched: 3,
            done: 1,
            refused: 1,
            operator: "operator:anna".to_owned(),
            changed_by: String::new(),
            change_reason: String::new(),
            request: proto::StartBulkOperationRequest::default(),
        }
    }

    #[test]
    fn a_bulk_is_turned_from_the_states_that_allow_it() {
        use BulkState::{Cancelled, Collecting, Completed, Paused, Running};
        // state, turn -> state after, or none where it is refused
        let cases = [
            (Running, Turn::Pause, Some(Paused)),
            (Paused, Turn::Pause, Some(Paused)),
            (Completed, Turn::Pause, None),
            (Cancelled, Turn::Pause, None),
            (Running, Turn::Resume, Some(Running)),
            (Paused, Turn::Resume, Some(Running)),
            (Completed, Turn::Resume, None),
            (Cancelled, Turn::Resume, None),
            (Running, Turn::Cancel, Some(Cancelled)),
            (Paused, Turn::Cancel, Some(Cancelled)),
            (Completed, Turn::Cancel, None),
            (Cancelled, Turn::Cancel, Some(Cancelled)),
            (Collecting, Turn::Cancel, None),
        ];
        for (state, turn, after) in cases {
            let mut bulk = bulk(state);
            let turned = bulk.turn(turn, &By::default(), Instant(2));
            assert_eq!(turned.is_ok(), after.is_some(), "{state:?} {turn:?}");
            assert_eq!(bulk.state, after.unwrap_or(state), "{state:?} {turn:?}");
            assert_eq!(turned == Ok(true), bulk.state != state, "{state:?} {turn:?}");
            let ended = (bulk.state != state && after == Some(Cancelled)).then_some(Instant(2));
            assert_eq!(bulk.ended_at, ended);
        }
    }

    #[test]
    fn a_bulk_completes_when_nothing_is_left_unless_a_person_ended_it() {
        use BulkState::{Cancelled, Completed, Paused, Running};
        for (state, refused, after) in [
            (Running, 1, Running),
            (Running, 2, Completed),
            (Paused, 1, Paused),
            (Paused, 2, Completed),
            (Cancelled, 2, Cancelled),
        ] {
            let mut bulk = Bulk { refused, ..bulk(state) };
            bulk.complete(Instant(9));
            assert_eq!(bulk.state, after, "{state:?} {refused}");
        }
    }
}
