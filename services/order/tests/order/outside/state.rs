//! What stands outside: asked by tests at the end, and in between.

use std::collections::BTreeSet;

use throughline_proto::payment::v1::RefundState;
use throughline_proto::resource::v1::ReservationState;

use super::{Booking, Call, Outside};

impl Outside {
    /// Calls so far, in order.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.books().calls.clone()
    }

    /// Calls of a name, or of a method where the name is one.
    pub(crate) fn calls_of(&self, name: &str) -> Vec<Call> {
        let is_method = !name.contains(' ');
        let matches = |call: &Call| match call.name.split(' ').next() {
            Some(method) if is_method => method == name,
            _ => call.name == name,
        };
        self.calls().into_iter().filter(matches).collect()
    }

    /// Different ids of the calls of a name.
    pub(crate) fn ids_of(&self, name: &str) -> BTreeSet<String> {
        self.calls_of(name).into_iter().map(|call| call.id).collect()
    }

    /// What really happened, in order.
    pub(crate) fn effects(&self) -> Vec<String> {
        self.books().effects.clone()
    }

    /// What the foreign system was asked to do, and did.
    pub(crate) fn bookings(&self) -> Vec<Booking> {
        self.books().bookings.clone()
    }

    /// Units of a pool that are held or used.
    pub(crate) fn taken(&self, pool: &str) -> i64 {
        self.books().taken.get(pool).copied().unwrap_or_default()
    }

    /// Reservations that hold.
    pub(crate) fn held(&self) -> usize {
        let holds = |state| state == ReservationState::Held;
        self.books().reservations.values().filter(|one| holds(one.state())).count()
    }

    /// Money taken and money given back.
    pub(crate) fn money(&self) -> (i64, i64) {
        let books = self.books();
        let captured = books.payments.values().filter_map(|one| one.captured.as_ref());
        let refunds = books.refunds.values();
        let given = refunds.filter(|one| one.state() == RefundState::Succeeded);
        let minor = |money: &throughline_proto::r#type::v1::Money| money.minor_units;
        (captured.map(minor).sum(), given.filter_map(|one| one.amount.as_ref()).map(minor).sum())
    }

    /// Services that are on, accounts that are open and parcels that are out, sorted.
    pub(crate) fn active(&self) -> Vec<String> {
        let books = self.books();
        let stands = |reference: &String| {
            !books.operations.values().any(|one| one.undoes.as_ref() == Some(reference) && one.done)
        };
        let operations = books.operations.iter();
        let done = operations.filter(|(_, one)| one.done && one.undoes.is_none());
        let mut active: Vec<String> =
            done.filter(|(id, _)| stands(id)).map(|(_, one)| one.name.clone()).collect();
        active.sort();
        active
    }

    /// Empties a pool: nothing more can be taken from it.
    pub(crate) fn sell_out(&self, pool: &str) {
        self.books().empty_pools.push(pool.to_owned());
    }

    /// Checks what must hold after every test: each call said which order it is for.
    pub(crate) fn check(&self) {
        for call in self.calls() {
            assert!(call.order_id.starts_with("ord_"), "without its order: {call:?}");
            assert!(!call.id.is_empty(), "without an id: {call:?}");
        }
    }
}
