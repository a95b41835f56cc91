//! One order that runs in a world which behaves, but for what a test refuses.

use std::sync::Arc;

use throughline_kit::clock::Instant;

use crate::business_order::BusinessOrderState;
use crate::decide::{Decided, Refusal, Surroundings, decide};
use crate::duration::Measured;
use crate::event::{By, Command, Event, Operation, Outcome};
use crate::hold::Hold;
use crate::order::{Item, Order, Place};
use crate::simulator::{Catalog, Manner, START, World, accepted, converged_lines};
use crate::template::{FailurePolicy, compile};
use crate::work::{Work, due, next_due};

pub(super) struct Run {
    pub(super) catalog: Arc<Catalog>,
    pub(super) order: Order,
    pub(super) world: World,
    pub(super) now: Instant,
    pub(super) standing: Vec<Hold>,
}

/// Nothing is refused.
pub(super) fn nothing(_: &Order, _: &Work) -> bool {
    false
}

/// Goes on to the end.
pub(super) fn never(_: &Order) -> bool {
    false
}

/// The catalog with templates of the test, and the name of the last.
fn with(sources: &[&str]) -> (Catalog, String) {
    let mut catalog = Catalog::shipped();
    let mut last = String::new();
    for source in sources {
        let template = compile(source, 1, throughline_proto::descriptors())
            .unwrap_or_else(|findings| panic!("{findings:#?}\n{source}"));
        last.clone_from(&template.name);
        catalog.add(Arc::new(template));
    }
    (catalog, last)
}

impl Run {
    /// Two plans, one broadband, one IP phone that requires the broadband.
    pub(super) fn converged(policy: FailurePolicy) -> Self {
        Self::of(Catalog::shipped(), "standard", policy, converged_lines())
    }

    /// An order for what a template of the test delivers.
    pub(super) fn business(policy: FailurePolicy, source: &str) -> Self {
        Self::businesses(policy, &[source], vec![crate::simulator::line("a", "thing")])
    }

    /// An order for what templates of the test deliver: the last of them delivers `thing`, for 700.
    pub(super) fn businesses(policy: FailurePolicy, sources: &[&str], lines: Vec<Item>) -> Self {
        let (mut catalog, last) = with(sources);
        catalog.sell("thing", &last, 700, true);
        Self::of(catalog, "standard", policy, lines)
    }

    /// The converged order, by a template of the test.
    pub(super) fn by(source: &str, policy: FailurePolicy) -> Self {
        let (catalog, name) = with(&[source]);
        Self::of(catalog, &name, policy, converged_lines())
    }

    pub(super) fn of(
        catalog: Catalog,
        template: &str,
        policy: FailurePolicy,
        lines: Vec<Item>,
    ) -> Self {
        let catalog = Arc::new(catalog);
        Self {
            order: accepted("case", catalog.pinned(template), policy, lines),
            world: World::new(Arc::clone(&catalog)),
            catalog,
            now: START,
            standing: Vec::new(),
        }
    }

    pub(super) fn decide(&self, command: &Command) -> Result<Option<Decided>, Refusal> {
        decide(
            &self.order,
            command,
            Surroundings {
                now: self.now,
                standing: &self.standing,
                measured: &Measured::default(),
            },
        )
    }

    pub(super) fn command(&mut self, command: &Command) -> Vec<Event> {
        let decided = self.decide(command).expect("it is not refused");
        let Some(Decided { order, events }) = decided else { return Vec::new() };
        self.order = order;
        events
    }

    pub(super) fn operate(&mut self, operation: Operation) -> Vec<Event> {
        let by = By { actor: "operator:anna".to_owned(), reason: "as the test says".to_owned() };
        self.command(&Command::Operate { operation, by })
    }

    pub(super) fn refusal(&self, operation: Operation) -> Refusal {
        let by = By { actor: "operator:anna".to_owned(), reason: "as the test says".to_owned() };
        self.decide(&Command::Operate { operation, by }).expect_err("it is refused")
    }

    pub(super) fn settle(&mut self, work: &Work, outcome: Outcome) -> Vec<Event> {
        let (place, direction) = (work.place, work.direction);
        self.command(&Command::Settle { place, direction, outcome })
    }

    pub(super) fn due(&self) -> Vec<Work> {
        due(&self.order, self.now)
    }

    /// Performs one piece of work and settles it.
    pub(super) fn perform(&mut self, work: &Work, manner: Manner) {
        let outcome = self.world.perform(&self.order, work, manner, self.now);
        self.settle(work, outcome.expect("the world goes on"));
    }

    /// Performs everything that is due until nothing is, or until `stop` says so.
    pub(super) fn go(
        &mut self,
        refuse: impl Fn(&Order, &Work) -> bool,
        stop: impl Fn(&Order) -> bool,
    ) {
        while !stop(&self.order) {
            let Some(work) = self.due().into_iter().next() else {
                let Some(at) = next_due(&self.order, self.now) else { return };
                self.now = at;
                self.command(&Command::Advance);
                continue;
            };
            let refused = refuse(&self.order, &work);
            let manner = if refused { Manner::Refuse("REFUSED") } else { Manner::Grant };
            self.perform(&work, manner);
        }
    }

    pub(super) fn states(&self) -> Vec<BusinessOrderState> {
        self.order.business_orders.iter().map(|bo| bo.state).collect()
    }

    /// The step of the first business order with this id.
    pub(super) fn place(&self, id: &str) -> Place {
        let found = self.order.places().find(|(_, step)| step.id == id);
        found.map(|(place, _)| place).unwrap_or_else(|| panic!("there is no step {id}"))
    }

    /// Makes it stored and read again, as after a crash.
    pub(super) fn restart(&mut self) {
        let stored = serde_json::to_string(&self.order).expect("it can be written");
        self.order = serde_json::from_str(&stored).expect("it can be read");
        let found = |name: &str, version| self.catalog.find(name, version);
        crate::flow::resolve(&mut self.order, found).expect("its templates are there");
    }

    /// Money that the payer is without, at the world's and at the order's books.
    pub(super) fn kept(&self) -> i64 {
        let kept = self.world.money.captured() - self.world.money.refunded();
        assert_eq!(kept, self.order.captured - self.order.refunded, "the books agree");
        kept
    }

    /// The open task of a step, done as the form says.
    pub(super) fn complete(&mut self, id: &str, field: &str, value: &str) -> Vec<Event> {
        let place = self.place(id);
        let task = self.order.step(place).task.as_ref().expect("it has a task").id.clone();
        let form = [(field.to_owned(), value.to_owned())].into();
        self.operate(Operation::Complete(task, form))
    }

    /// The call of a step that is due.
    pub(super) fn call_of(&self, id: &str) -> Work {
        let place = self.place(id);
        let found = self.due().into_iter().find(|work| work.place == place);
        found.unwrap_or_else(|| panic!("{id} has no call, it is {:?}", self.order.step(place)))
    }

    /// The call of a step is made and answered.
    pub(super) fn does(&mut self, id: &str, manner: Manner) {
        let work = self.call_of(id);
        self.perform(&work, manner);
    }
}
