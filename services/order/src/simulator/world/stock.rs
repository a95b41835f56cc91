//! The resource center: units that are held, in use and given back.

use std::collections::{BTreeMap, BTreeSet};

use throughline_kit::clock::Instant;

use super::{Answers, Manner, done, failure};
use crate::event::{Gain, Outcome};
use crate::order::{Action, Order};
use crate::work::Restock;

/// How a reservation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reservation {
    /// Units are held until then.
    Held(Instant),
    /// They are in use.
    Confirmed,
    /// They were given back.
    Released,
    /// They were held too long.
    Expired,
}

/// Reservations and what is in use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stock {
    answers: Answers,
    /// By id.
    pub(crate) reservations: BTreeMap<String, Reservation>,
    /// Lines of which units are in use, by reservation.
    pub(crate) used: BTreeSet<(String, String)>,
    /// Units that were put back for returns, by request.
    pub(crate) restocked: BTreeMap<String, i64>,
}

impl Stock {
    /// Lines that a reservation is for.
    pub(crate) fn lines(order: &Order) -> impl Iterator<Item = &str> {
        let plans = order.item_plans.as_deref().unwrap_or_default();
        let lines = order.items.iter().zip(plans);
        let takes =
            lines.filter(|(item, plan)| item.action != Action::Delete && !plan.demands.is_empty());
        takes.map(|(item, _)| item.key.as_str())
    }

    fn first(&mut self, id: &str, answer: impl FnOnce(&mut Self) -> Outcome) -> Outcome {
        if let Some(first) = self.answers.get(id) {
            return first.clone();
        }
        let first = answer(self);
        self.answers.insert(id.to_owned(), first.clone());
        first
    }

    pub(super) fn reserve(&mut self, id: &str, manner: Manner, until: Instant) -> Outcome {
        self.first(id, |stock| match manner {
            Manner::Refuse(reason) => Outcome::Declined(failure(reason)),
            Manner::Grant | Manner::Later => {
                let reservation_id = format!("res_{id}");
                stock.reservations.insert(reservation_id.clone(), Reservation::Held(until));
                Outcome::Succeeded(Gain::Reserved { reservation_id, assigned: BTreeMap::new() })
            }
        })
    }

    pub(super) fn confirm(
        &mut self,
        order: &Order,
        id: &str,
        manner: Manner,
        now: Instant,
    ) -> Result<Outcome, String> {
        let reservation_id = order.reservation_id.clone();
        let held = self.reservations.get(&reservation_id).copied();
        let Some(held) = held else {
            return Err(format!("reservation {reservation_id:?} is confirmed, and is not there"));
        };
        Ok(self.first(id, |stock| match (manner, held) {
            (Manner::Refuse(reason), Reservation::Held(_)) => Outcome::Declined(failure(reason)),
            (_, Reservation::Held(until)) if until > now => {
                stock.reservations.insert(reservation_id.clone(), Reservation::Confirmed);
                let used = Self::lines(order).map(|key| (reservation_id.clone(), key.to_owned()));
                stock.used.extend(used);
                done()
            }
            (_, Reservation::Held(_)) => {
                stock.reservations.insert(reservation_id.clone(), Reservation::Expired);
                Outcome::Declined(failure("RESERVATION_EXPIRED"))
            }
            (_, Reservation::Confirmed | Reservation::Released | Reservation::Expired) => {
                Outcome::Declined(failure("RESERVATION_NOT_HELD"))
            }
        }))
    }

    pub(super) fn release(
        &mut self,
        order: &Order,
        id: &str,
        manner: Manner,
    ) -> Result<Outcome, String> {
        let reservation_id = order.reservation_id.clone();
        match self.reservations.get(&reservation_id) {
            Some(Reservation::Confirmed) => {
                return Err(format!("{reservation_id} is released, and its units are in use"));
            }
            None => return Err(format!("{reservation_id:?} is released, and is not there")),
            Some(Reservation::Held(_) | Reservation::Released | Reservation::Expired) => {}
        }
        Ok(self.first(id, |stock| match manner {
            Manner::Refuse(reason) => Outcome::Declined(failure(reason)),
            Manner::Grant | Manner::Later => {
                stock.reservations.insert(reservation_id, Reservation::Released);
                done()
            }
        }))
    }

    pub(super) fn give_back(
        &mut self,
        order: &Order,
        id: &str,
        item_keys: &[String],
        manner: Manner,
    ) -> Result<Outcome, String> {
        let lines: Vec<(String, String)> = Self::lines(order)
            .filter(|key| item_keys.iter().any(|wanted| wanted == key))
            .map(|key| (order.reservation_id.clone(), key.to_owned()))
            .collect();
        let is_new = !self.answers.contains_key(id);
        if let Some(line) = lines.iter().find(|line| is_new && !self.used.contains(*line)) {
            return Err(format!("{line:?} is given back, and is not in use"));
        }
        Ok(self.first(id, |stock| match manner {
            Manner::Refuse(reason) => Outcome::Declined(failure(reason)),
            Manner::Grant | Manner::Later => {
                for line in &lines {
                    stock.used.remove(line);
                }
                done()
            }
        }))
    }

    pub(super) fn restock(
        &mut self,
        id: &str,
        restock: &Restock,
        manner: Manner,
    ) -> Result<Outcome, String> {
        if restock.linked.is_empty() && restock.unlinked.is_empty() {
            return Err("nothing is put back".to_owned());
        }
        let linked: i64 = restock.linked.iter().map(|linked| linked.units).sum();
        let unlinked: i64 = restock.unlinked.iter().map(|(_, units)| units).sum();
        Ok(self.first(id, |stock| match manner {
            Manner::Refuse(reason) => Outcome::Declined(failure(reason)),
            Manner::Grant | Manner::Later => {
                stock.restocked.insert(id.to_owned(), linked + unlinked);
                done()
            }
        }))
    }

    /// A reservation still holds units.
    pub(crate) fn holds_units(&self) -> bool {
        self.reservations.values().any(|state| matches!(state, Reservation::Held(_)))
    }
}
