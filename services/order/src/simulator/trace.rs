//! What lately happened to a simulated order, for whoever has to understand a failure.

use std::collections::VecDeque;
use std::fmt;

use throughline_kit::clock::Instant;

use super::scenario::START;
use crate::event::{Command, Event, Gain, Outcome};
use crate::order::Order;
use crate::step::Step;

/// Notes that are kept.
const MAX_NOTES: usize = 50;

/// One note.
#[derive(Clone, Debug)]
enum Note {
    Command(Command),
    Event(Event),
    Fault(&'static str),
}

/// The last notes of one order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace(VecDeque<(Instant, Note)>);

impl Trace {
    fn keep(&mut self, now: Instant, note: Note) {
        if self.0.len() == MAX_NOTES {
            self.0.pop_front();
        }
        self.0.push_back((now, note));
    }

    /// Notes what was asked of the order.
    pub(crate) fn command(&mut self, now: Instant, command: Command) {
        self.keep(now, Note::Command(command));
    }

    /// Notes what happened to the order.
    pub(crate) fn event(&mut self, now: Instant, event: Event) {
        self.keep(now, Note::Event(event));
    }

    /// Notes what went wrong around the order.
    pub(crate) fn fault(&mut self, now: Instant, fault: &'static str) {
        self.keep(now, Note::Fault(fault));
    }

    /// The notes as lines, oldest first, with the seconds since the beginning; then how the order stands.
    pub(crate) fn lines(&self, order: &Order) -> Vec<String> {
        let notes = self.0.iter().map(|(at, note)| line(*at, note));
        let own = std::iter::once(format!("order {} {}", order.template.name, steps(&order.steps)));
        let parts = order.business_orders.iter().enumerate().map(|(index, bo)| {
            let (name, needs) = (&bo.template.name, (&bo.requires, &bo.after));
            format!("{index} {name} {:?} needs {needs:?} {}", bo.state, steps(&bo.steps))
        });
        notes.chain(own).chain(parts).collect()
    }
}

fn steps(steps: &[Step]) -> String {
    let step = |step: &Step| {
        format!("{} {:?}{}", step.id, step.state, if step.is_final() { "!" } else { "" })
    };
    steps.iter().map(step).collect::<Vec<_>>().join(", ")
}

fn line(at: Instant, note: &Note) -> String {
    let seconds = at.since(START).as_secs_f64();
    match note {
        Note::Command(Command::Settle {
            place,
            outcome: Outcome::Succeeded(Gain::Prepared(_)),
            ..
        }) => format!("{seconds:>14.3}s  asked     {place:?} is prepared"),
        Note::Command(command) => format!("{seconds:>14.3}s  asked     {command:?}"),
        Note::Event(event) => format!("{seconds:>14.3}s    happened  {}", Short(event)),
        Note::Fault(fault) => format!("{seconds:>14.3}s  fault     {fault}"),
    }
}

/// An event on one line: what a preparation says in full helps nobody.
struct Short<'a>(&'a Event);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Event::StepSucceeded(place, Gain::Prepared(preparation)) => {
                let count = preparation.business_orders.len();
                write!(f, "StepSucceeded({place:?}, prepared {count} business orders)")
            }
            event => write!(f, "{event:?}"),
        }
    }
}
