//! Protobuf ⇄ domain. Everything that is wrong is named at once by its path; values are never repeated in errors.

use std::collections::BTreeMap;

use throughline_kit::error::{Error, Violations};
use throughline_kit::id::RequestId;
use throughline_proto::notification::v1 as proto;

use crate::error::{DOMAIN, Refusal};
use crate::notification::{Delivery, DeliveryState, Notification, State};
use crate::phone::Phone;
use crate::policy::Policy;
use crate::store::Filter;
use crate::template::Template;

/// Variables of one message.
const MAX_VARIABLES: usize = 32;
/// Characters of a variable's name and of its value.
const MAX_VARIABLE_NAME_LENGTH: usize = 64;
const MAX_VARIABLE_LENGTH: usize = 500;
/// Characters of a language tag.
const MAX_LOCALE_LENGTH: usize = 35;
/// Characters of a template's code and of an order's id.
const MAX_CODE_LENGTH: usize = 64;
const MAX_ORDER_ID_LENGTH: usize = 64;

/// A checked message that a caller wants to be sent.
pub(crate) struct Message {
    pub(crate) request_id: RequestId,
    pub(crate) template: String,
    pub(crate) phone: Phone,
    pub(crate) locale: String,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) order_id: String,
}

/// Reads a message.
pub(crate) fn message(request: &proto::SendNotificationRequest) -> Result<Message, Error> {
    let mut violations = Violations::new(DOMAIN);
    let request_id = violations.take("request_id", RequestId::parse(&request.request_id));
    violations.length("template_code", &request.template_code, 1, MAX_CODE_LENGTH);
    violations.length("locale", &request.locale, 0, MAX_LOCALE_LENGTH);
    violations.length("order_id", &request.order_id, 0, MAX_ORDER_ID_LENGTH);
    let count = request.variables.len();
    if count > MAX_VARIABLES {
        violations
            .add("variables", format!("must have at most {MAX_VARIABLES} entries, has {count}"));
    }
    for (nth, (name, value)) in request.variables.iter().take(MAX_VARIABLES).enumerate() {
        if name.chars().count() > MAX_VARIABLE_NAME_LENGTH {
            let most = format!("has a name of more than {MAX_VARIABLE_NAME_LENGTH} characters");
            violations.add(format!("variables[{nth}]"), most);
        } else {
            violations.length(&format!("variables[{name}]"), value, 0, MAX_VARIABLE_LENGTH);
        }
    }
    violations.finish()?;
    let phone = request.recipient_phone.parse().map_err(Refusal::RecipientInvalid)?;
    Ok(Message {
        request_id: request_id.expect("a missing one is a violation"),
        template: request.template_code.clone(),
        phone,
        locale: request.locale.clone(),
        variables: request.variables.clone(),
        order_id: request.order_id.clone(),
    })
}

/// Reads what a list is to show.
pub(crate) fn filter(request: &proto::ListNotificationsRequest) -> Result<Filter, Error> {
    use proto::NotificationState as Wire;
    let mut violations = Violations::new(DOMAIN);
    violations.length("order_id", &request.order_id, 0, MAX_ORDER_ID_LENGTH);
    let state = match Wire::try_from(request.state) {
        Ok(Wire::Unspecified) => None,
        Ok(Wire::Queued) => Some(State::Queued),
        Ok(Wire::Completed) => Some(State::Completed),
        Ok(Wire::Failed) => Some(State::Failed),
        Err(_) => {
            let value = request.state;
            violations.add("state", format!("must be one of the named values, is {value}"));
            None
        }
    };
    violations.finish()?;
    let order_id = Some(request.order_id.clone()).filter(|id| !id.is_empty());
    Ok(Filter { order_id, state })
}

/// Writes the state of a notification.
pub(crate) fn state_to_proto(state: State) -> proto::NotificationState {
    match state {
        State::Queued => proto::NotificationState::Queued,
        State::Completed => proto::NotificationState::Completed,
        State::Failed => proto::NotificationState::Failed,
    }
}

/// Writes a notification.
pub(crate) fn notification_to_proto(notification: &Notification) -> proto::Notification {
    proto::Notification {
        notification_id: notification.id.to_string(),
        state: state_to_proto(notification.state()).into(),
        source: notification.source.clone(),
        template_code: notification.template.clone(),
        locale: notification.locale.clone(),
        order_id: notification.order_id.clone(),
        delivery: Some(delivery_to_proto(&notification.delivery)),
        create_time: Some(notification.created_at.to_proto()),
        end_time: notification.ended_at.map(|at| at.to_proto()),
    }
}

fn delivery_to_proto(delivery: &Delivery) -> proto::Delivery {
    let state = match delivery.state {
        DeliveryState::Pending => proto::DeliveryState::Pending,
        DeliveryState::Dispatching => proto::DeliveryState::Dispatching,
        DeliveryState::Accepted => proto::DeliveryState::Accepted,
        DeliveryState::Undeliverable => proto::DeliveryState::Undeliverable,
        DeliveryState::Unknown => proto::DeliveryState::Unknown,
    };
    proto::Delivery {
        delivery_id: delivery.id.to_string(),
        state: state.into(),
        provider: delivery.provider.clone(),
        recipient_phone: delivery.phone.as_str().to_owned(),
        body: delivery.body.clone(),
        attempts: i32::try_from(delivery.attempts).unwrap_or(i32::MAX),
        failure_reason: delivery.failure_reason.clone(),
        next_attempt_time: delivery.next_attempt_at.map(|at| at.to_proto()),
    }
}

/// Writes a template.
pub(crate) fn template_to_proto(template: &Template) -> proto::Template {
    proto::Template { code: template.code.clone(), bodies: template.texts() }
}

/// Writes a policy.
pub(crate) fn policy_to_proto(policy: &Policy) -> proto::Policy {
    proto::Policy {
        code: policy.code.clone(),
        event_type: policy.event_type.clone(),
        template_code: policy.template.clone(),
    }
}
