//! A capability that the platform was not built for.

use throughline_proto::order::v1::{OrderState, StepState};

use crate::fixture::Center;
use crate::flows::{WAIT, business};
use crate::outside::Behavior;
use crate::pausing::one_visit;
use crate::requests::step;

/// Sends a crew, by a system that the platform knows nothing of.
const CREW: &str = "
  - id: crew
    call:
      method: acme.crew.v1.CrewService/Book
      request:
        reference: step.reference
        place: order.customer.address
        units: items[0].quantity * 2
        skills: \"['fibre', items[0].offering_code]\"
      answer: { succeeded: answer.booked, reason: answer.reason }
      save: { ticket: answer.ticket }
    timeout: 10s
    undo:
      method: acme.crew.v1.CrewService/Unbook
      request: { reference: step.reference, place: steps.crew.ticket }
";

on_each_database!(
    a_system_that_was_registered_yesterday_is_called_by_a_template_published_today,
    async |center: Center| {
        assert_eq!(center.check_template(&business("home-visit", &[CREW])).await, []);
        let stream = CREW.replace("/Book", "/Follow");
        let findings = center.check_template(&business("home-visit", &[&stream])).await;
        assert_eq!(findings[0].code, "CAPABILITY_STREAMING");
        let unknown = CREW.replace("units:", "unity:");
        let findings = center.check_template(&business("home-visit", &[&unknown])).await;
        assert_eq!(
            (findings[0].code.as_str(), findings[0].path.as_str()),
            ("FIELD_UNKNOWN", "steps[0].call.request.unity")
        );
        center.publish(&business("home-visit", &[CREW, WAIT])).await;
        // Its contract is kept with the template, and need not be asked for again.
        let mut center = center.restart().await;
        let id = center.submit(one_visit()).await;
        let order = center.stands(&id, "visit", "visited", StepState::Waiting).await;
        let crew = step(&order, "visit", "crew");
        assert_eq!(crew.capability, "acme.crew.v1.CrewService/Book");
        assert_eq!(crew.saved["ticket"], "\"ticket-1\"");
        let booking = center.outside.bookings().remove(0);
        assert_eq!(booking.reference, center.outside.calls_of("Book")[0].id);
        assert_eq!((booking.place.as_str(), booking.units), ("12 St James's Square", 2));
        assert_eq!(booking.skills, ["fibre", "visit"]);
        center.signal(&id, "visit.missed").await.expect("taken");
        center.becomes(&id, OrderState::Failed).await;
        assert_eq!(center.outside.bookings()[1].place, "ticket-1");
        assert_ne!(center.outside.bookings()[1].reference, booking.reference);
        center.outside.next("Book", &[Behavior::Refuse("NO_CREW")]);
        let id = center.submit(one_visit()).await;
        let order = center.becomes(&id, OrderState::Failed).await;
        let failure = order.failure.expect("a failure");
        assert_eq!((failure.reason.as_str(), failure.domain.as_str()), ("NO_CREW", "acme.crew.v1"));
        center
    }
);
