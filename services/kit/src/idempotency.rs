//! The first answer to a request is its answer forever: kept with the change that it tells of.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prost::Message;
use sha2::{Digest, Sha256};

use crate::clock::{Clock, Instant};
use crate::error::{Error, Kind};
use crate::id::RequestId;
use crate::retention::DeleteOld;
use crate::storage::{AnyRow, Change, Database, Insert, Row, Tx, Value, Writer, corrupt};

/// When a request in flight may be asked for again.
const IN_PROGRESS_RETRY: Duration = Duration::from_millis(100);
/// How long answers are kept.
pub const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

const SELECT_ANSWER: &str =
    "SELECT fingerprint, outcome, answer FROM requests WHERE caller = $1 AND request_id = $2";
pub(crate) const DELETE_OLD: &str = "DELETE FROM requests WHERE (caller, request_id) IN \
     (SELECT caller, request_id FROM requests WHERE created_at_us < $1 LIMIT 1000)";
static INSERT_ANSWER: Insert = Insert {
    table: "requests",
    columns: &["caller", "request_id", "fingerprint", "outcome", "answer", "created_at_us"],
    otherwise: "",
};

/// Which request: who asks, its id, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    caller: String,
    request_id: RequestId,
    fingerprint: String,
}

impl RequestKey {
    /// Takes the key of a request message; its content is everything in the message and the method's name.
    pub fn new(caller: &str, request_id: RequestId, method: &str, request: &impl Message) -> Self {
        let mut hash = Sha256::new();
        hash.update(method.as_bytes());
        hash.update([0]);
        hash.update(request.encode_to_vec());
        let fingerprint = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { caller: caller.to_owned(), request_id, fingerprint }
    }

    /// The request's id.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    fn row_key(&self) -> [Value; 2] {
        [self.caller.as_str().into(), self.request_id.as_str().into()]
    }

    /// Who asks.
    pub fn caller(&self) -> &str {
        &self.caller
    }
}

/// Answers repeated requests with their first answer.
#[derive(Clone, Debug)]
pub struct Idempotency {
    writer: Writer,
    clock: Clock,
    center: &'static str,
    in_flight: Arc<Mutex<HashSet<(String, String)>>>,
}

/// Keeps others with the same request id out while it lives.
#[derive(Debug)]
pub struct InFlight {
    all: Arc<Mutex<HashSet<(String, String)>>>,
    key: (String, String),
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl Idempotency {
    /// Keeps answers with the given writer.
    pub fn new(writer: Writer, clock: Clock, center: &'static str) -> Self {
        Self { writer, clock, center, in_flight: Arc::default() }
    }

    /// Claims a request id for the time of one call; a second call meanwhile is ABORTED.
    pub fn enter(&self, key: &RequestKey) -> Result<InFlight, Error> {
        let name = (key.caller.clone(), key.request_id.to_string());
        let mut all = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.insert(name.clone()) {
            return Err(Error::new(
                Kind::Aborted,
                self.center,
                "REQUEST_IN_PROGRESS",
                format!("request {} is being worked on; ask again", key.request_id),
            )
            .with("request_id", &key.request_id)
            .retry_after(IN_PROGRESS_RETRY));
        }
        drop(all);
        Ok(InFlight { all: Arc::clone(&self.in_flight), key: name })
    }

    /// Applies the change once for this request and answers every repetition with the first outcome.
    pub async fn once<C>(&self, key: RequestKey, change: C) -> Result<C::Output, Error>
    where
        C: Change,
        C::Output: Message + Default,
    {
        let _in_flight = self.enter(&key)?;
        self.writer.write(self.wrap(key, change)).await?
    }

    /// Finds the first answer to a request, where there is one.
    pub async fn recall<M: Message + Default>(
        &self,
        database: &Database,
        key: &RequestKey,
    ) -> Result<Option<Result<M, Error>>, Error> {
        let row = database.fetch_optional(SELECT_ANSWER, key.row_key()).await?;
        row.map(|row| read_answer(self.center, key, &row)).transpose()
    }

    /// Keeps a final refusal of a request that changed nothing.
    pub async fn keep_refusal(&self, key: RequestKey, refusal: &Error) -> Result<(), Error> {
        let answer = FirstAnswer::new::<()>(key, Err(refusal), self.clock.now())?;
        self.writer.write(KeepAnswer(answer)).await
    }

    /// Makes the change that [`Idempotency::once`] writes, for a caller that has claimed the request id itself.
    pub fn wrap<C>(&self, key: RequestKey, change: C) -> Once<C> {
        Once { key, change, clock: self.clock.clone(), center: self.center }
    }

    /// Forgets some answers that are older than [`KEPT_FOR`]; [`crate::retention`] does so regularly.
    pub async fn forget_old(&self) -> Result<u64, Error> {
        let keep = i64::try_from(KEPT_FOR.as_micros()).expect("a week fits");
        let before = self.clock.now().0 - keep;
        self.writer.write(DeleteOld { statement: DELETE_OLD, before }).await
    }
}

/// A change that happens once for its request.
#[derive(Debug)]
pub struct Once<C> {
    key: RequestKey,
    change: C,
    clock: Clock,
    center: &'static str,
}

impl<C> Change for Once<C>
where
    C: Change,
    C::Output: Message + Default,
{
    type Output = Result<C::Output, Error>;

    async fn apply(&self, tx: &mut Tx) -> Result<Self::Output, Error> {
        if let Some(row) = tx.fetch_optional(SELECT_ANSWER, self.key.row_key()).await? {
            return read_answer(self.center, &self.key, &row);
        }
        let before = tx.writes();
        let answer = self.change.apply(tx).await;
        match &answer {
            Err(error) if !error.is_final() || tx.writes() != before => return answer.map(Ok),
            Ok(_) | Err(_) => {}
        }
        FirstAnswer::new(self.key.clone(), answer.as_ref(), self.clock.now())?.keep(tx);
        Ok(answer)
    }
}

/// An answer to keep with the change that it tells of, for a service that decides outside of [`Once`].
#[derive(Clone, Debug)]
pub struct FirstAnswer {
    key: RequestKey,
    outcome: &'static str,
    answer: Vec<u8>,
    answered_at: Instant,
}

impl FirstAnswer {
    /// Takes what is answered: a message, or a final refusal.
    pub fn new<M: Message>(
        key: RequestKey,
        answer: Result<&M, &Error>,
        answered_at: Instant,
    ) -> Result<Self, Error> {
        let (outcome, answer) = match answer {
            Ok(message) => ("ANSWERED", message.encode_to_vec()),
            Err(refusal) => {
                let text =
                    serde_json::to_vec(refusal).map_err(|e| Error::internal(&refusal.domain, e))?;
                ("REFUSED", text)
            }
        };
        Ok(Self { key, outcome, answer, answered_at })
    }

    /// Adds it to the transaction.
    pub fn keep(&self, tx: &mut Tx) {
        tx.append(
            &INSERT_ANSWER,
            [
                self.key.caller.as_str().into(),
                self.key.request_id.as_str().into(),
                self.key.fingerprint.as_str().into(),
                self.outcome.into(),
                self.answer.clone().into(),
                self.answered_at.into(),
            ],
        );
    }
}

/// A final refusal, kept on its own.
struct KeepAnswer(FirstAnswer);

impl Change for KeepAnswer {
    type Output = ();

    async fn apply(&self, tx: &mut Tx) -> Result<(), Error> {
        self.0.keep(tx);
        Ok(())
    }
}

fn read_answer<M: Message + Default>(
    center: &'static str,
    key: &RequestKey,
    row: &AnyRow,
) -> Result<Result<M, Error>, Error> {
    let (fingerprint, outcome, answer): (String, String, Vec<u8>) =
        (row.get(0), row.get(1), row.get(2));
    if fingerprint != key.fingerprint {
        return Err(Error::new(
            Kind::Invalid,
            center,
            "REQUEST_ID_REUSED",
            "this request_id was used for a request with other content; make a new one",
        )
        .with("request_id", &key.request_id));
    }
    match outcome.as_str() {
        "ANSWERED" => {
            M::decode(answer.as_slice()).map(Ok).map_err(|e| corrupt(center, "requests", e))
        }
        "REFUSED" => {
            serde_json::from_slice(&answer).map(Err).map_err(|e| corrupt(center, "requests", e))
        }
        other => Err(corrupt(center, "requests", format!("outcome {other}"))),
    }
}
