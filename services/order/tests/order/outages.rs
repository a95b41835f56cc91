//! An outside system that is down for a minute, and for an hour: every order ends as it should, the calls are few, and
//! a person hears of it.

use std::cell::Cell;
use std::time::Duration;

use throughline_kit::clock::Instant;
use throughline_kit::testing::eventually;
use throughline_proto::order::v1::{CustomerOrder, OrderState};

use crate::faults::{effects_since, mixed, mixed_whole};
use crate::fixture::{Center, is_terminal};
use crate::outside::Behavior;
use crate::requests::{gbp, steps};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// Calls of one step while a system is away: what a template gives it by default.
const MAX_ATTEMPTS: usize = 10;
/// Calls that undo two business orders in an hour: each is repeated until it happens, at last every 30 seconds.
const MAX_UNDO_CALLS: usize = 2 * 140;
/// More than any order calls.
const ALWAYS: usize = 10_000;

/// What is called on the way of an order, one after the other.
const CALLS: [&str; 6] = [
    "DecomposeOffering",
    "CreateReservation",
    "StartAttempt",
    "ConfirmReservation",
    "ActivateService plan-4g",
    "CreateShipment",
];
const DONE: [&str; 6] =
    ["activate plan-4g", "capture 1850", "confirm", "open plan-4g", "reserve", "ship"];

/// How an order came through an outage.
struct Outcome {
    order: CustomerOrder,
    /// A person was told to look at it.
    raised: bool,
    /// Calls of what was down.
    calls: usize,
}

/// Lets a name be down for a time, and follows an order that is on its way to the end.
async fn outlive(center: &Center, id: &str, name: &str, outage: Duration) -> Outcome {
    let up_again = center.clock.now().plus(outage);
    let before = center.outside.calls_of(name).len();
    let (raised, is_down) = (Cell::new(false), Cell::new(true));
    let what = format!("{name} is outlived");
    let order = eventually(&what, async || {
        let order = center.get(id).await;
        if is_terminal(order.state()) {
            return Some(order);
        }
        raised.set(raised.get() || order.attention);
        // The clock goes on to what is due next: what is due after the outage finds the system up.
        let due = steps(&order).into_iter().filter_map(|(_, step)| step.next_attempt_time);
        let next = due.map(|at| Instant::from_proto(&at)).min();
        if is_down.get() && next.is_some_and(|at| at >= up_again) {
            center.outside.next(name, &[]);
            is_down.set(false);
        }
        center.pass_time(&order).await;
        None
    });
    let order = order.await;
    center.outside.next(name, &[]);
    let calls = center.outside.calls_of(name).len() - before;
    Outcome { order, raised: raised.get(), calls }
}

on_each_database!(
    an_outage_of_a_minute_delays_an_order_and_changes_nothing_else,
    async |mut center: Center| {
        for name in CALLS {
            let before = center.outside.effects().len();
            center.outside.next(name, &[Behavior::Down; ALWAYS]);
            let id = center.submit(mixed()).await;
            let Outcome { order, raised, calls } = outlive(&center, &id, name, MINUTE).await;
            assert_eq!(order.state(), OrderState::Completed, "{name}: {:?}", order.failure);
            assert_eq!(effects_since(&center, before), DONE, "{name}");
            assert!(raised, "{name}: a person should have looked");
            assert!((2..=MAX_ATTEMPTS).contains(&calls), "{name} was called {calls} times");
        }
        center
    }
);

on_each_database!(
    an_outage_of_an_hour_ends_an_order_with_all_money_back,
    async |mut center: Center| {
        for name in CALLS {
            center.outside.next(name, &[Behavior::Down; ALWAYS]);
            let id = center.submit(mixed_whole()).await;
            let Outcome { order, raised, calls } = outlive(&center, &id, name, HOUR).await;
            let ended = [OrderState::Rejected, OrderState::Failed, OrderState::Cancelled];
            assert!(ended.contains(&order.state()), "{name}: {:?}", order.state());
            assert_eq!(order.failure.as_ref().map(|f| f.reason.as_str()), Some("PROVIDER_DOWN"));
            assert_eq!(order.paid, gbp(0), "{name}");
            assert!(raised, "{name}: a person should have looked");
            assert_eq!(calls, MAX_ATTEMPTS, "{name}");
            assert!(center.outside.active().is_empty(), "{name}");
            let taken = (center.outside.taken("mug"), center.outside.taken("msisdn"));
            assert_eq!(taken, (0, 0), "{name}");
        }
        center
    }
);

on_each_database!(
    an_undo_is_repeated_through_an_outage_of_an_hour_until_it_happens,
    async |mut center: Center| {
        for name in ["DeactivateService", "CancelShipment", "ReturnUnits", "CreateRefund"] {
            center.outside.next("OpenAccount", &[Behavior::Refuse("CREDIT_CHECK_FAILED")]);
            center.outside.next(name, &[Behavior::Down; ALWAYS]);
            let id = center.submit(mixed_whole()).await;
            let Outcome { order, raised, calls } = outlive(&center, &id, name, HOUR).await;
            assert_eq!(order.state(), OrderState::Cancelled, "{name}");
            assert_eq!(order.paid, gbp(0), "{name}");
            assert!(raised, "{name}: a person should have looked");
            assert!((3..=MAX_UNDO_CALLS).contains(&calls), "{name} was called {calls} times");
            assert!(center.outside.active().is_empty(), "{name}");
            let taken = (center.outside.taken("mug"), center.outside.taken("msisdn"));
            assert_eq!(taken, (0, 0), "{name}");
        }
        center
    }
);
