//! The catalog of one release, compiled for reading: immutable, shared, never touched by an import.

use std::collections::HashMap;
use std::sync::Arc;

use crate::code::Code;
use crate::error::Refusal;
use crate::line::{Action, Line};
use crate::offering::{Offering, State};

/// All offerings as of one release.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    release: i64,
    offerings: HashMap<Code, Arc<Offering>>,
    /// The codes in order, for lists.
    codes: Vec<Code>,
}

impl Catalog {
    /// Compiles the catalog that this one becomes when the offerings are added or replaced.
    pub(crate) fn published(
        &self,
        release: i64,
        offerings: impl IntoIterator<Item = Arc<Offering>>,
    ) -> Self {
        let mut all = self.offerings.clone();
        all.extend(offerings.into_iter().map(|o| (o.code.clone(), o)));
        let mut codes: Vec<Code> = all.keys().cloned().collect();
        codes.sort_unstable();
        Self { release, offerings: all, codes }
    }

    /// Number of the release; 0 before the first.
    pub(crate) fn release(&self) -> i64 {
        self.release
    }

    pub(crate) fn get(&self, code: &str) -> Option<&Arc<Offering>> {
        self.offerings.get(code)
    }

    /// At most `limit` offerings by code, after one.
    pub(crate) fn after(&self, code: Option<&str>, limit: usize) -> Vec<Arc<Offering>> {
        let start = code.map_or(0, |code| self.codes.partition_point(|c| c.as_str() <= code));
        let codes = self.codes[start..].iter().take(limit);
        codes.filter_map(|code| self.offerings.get(code).cloned()).collect()
    }

    /// The offering of a line, if the line may be ordered by itself. What was sold can be taken back whatever the
    /// offering's state is now; only what is sold, or changed to, must be active.
    pub(crate) fn orderable(&self, line: &Line) -> Result<&Arc<Offering>, Refusal> {
        let code = &line.offering;
        let not_active = |state| Refusal::OfferingNotActive {
            line: line.key.clone(),
            offering: code.clone(),
            state,
        };
        let offering = self.get(code.as_str()).ok_or_else(|| not_active(None))?;
        match (line.action, offering.state) {
            (Action::Add | Action::Modify, State::Suspended | State::Retired) => {
                Err(not_active(Some(offering.state)))
            }
            (action, _) if offering.template(action).is_none() => Err(Refusal::ActionNotOffered {
                line: line.key.clone(),
                offering: code.clone(),
                action,
            }),
            (Action::Add | Action::Modify, State::Active) | (Action::Delete, _) => Ok(offering),
        }
    }
}
