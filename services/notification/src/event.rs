//! What the center announces: that a message was sent, and that one could not be.

use throughline_kit::clock::Instant;
use throughline_kit::outbox::Announcement;
use throughline_proto::notification::v1 as proto;

use crate::convert;
use crate::notification::{Notification, State};

/// The event of a notification that has just ended; none while it goes on.
pub(crate) fn ended(notification: &Notification, now: Instant) -> Option<Announcement> {
    let kind = match notification.state() {
        State::Queued => return None,
        State::Completed => "notification.sent",
        State::Failed => "notification.failed",
    };
    let payload = proto::NotificationChanged {
        notification_id: notification.id.to_string(),
        state: convert::state_to_proto(notification.state()).into(),
        template_code: notification.template.clone(),
        failure_reason: notification.delivery.failure_reason.clone(),
    };
    let subject = notification.id.as_str();
    let announcement = Announcement::new(kind, subject, &notification.order_id, now, &payload);
    Some(announcement.in_trace(&notification.trace_parent))
}
