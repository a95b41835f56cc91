//! The converged order: two 4G plans, one home broadband, one IP phone that requires the broadband, in one submission.
//! All succeeds; the broadband cannot be installed under BRANCH; the same under WHOLE.

use std::collections::BTreeMap;
use std::time::Duration;

use throughline_kit::error::Error;
use throughline_kit::id::derived_uuid;
use throughline_proto::notification::v1::notification_service_client::NotificationServiceClient;
use throughline_proto::notification::v1::{ListNotificationsRequest, NotificationState};
use throughline_proto::order::v1::{
    BusinessOrderState, CustomerOrder, FailurePolicy, SubmitOrderRequest,
};
use throughline_proto::simulator::v1::simulator_control_service_client::SimulatorControlServiceClient;
use throughline_proto::simulator::v1::{AddRuleRequest, ClearRulesRequest, Misbehavior, Rule};

use super::Stage;
use crate::connection::{bounded, refused};
use crate::console::{amount, short};
use crate::orders;

const CONVERGED_ORDER: &str = include_str!("../../../samples/converged-order.yaml");
/// How long the customer's message may take.
const MESSAGE_PATIENCE: Duration = Duration::from_secs(10);
const MESSAGE_POLL: Duration = Duration::from_millis(20);

/// One way in which the order can go.
struct Case {
    name: &'static str,
    customer_id: &'static str,
    policy: FailurePolicy,
    broadband_fails: bool,
    state: &'static str,
    paid: &'static str,
    business_orders: [(&'static str, usize); 3],
}

/// 10 + 10 for the plans, 100 for the installation, 20 for the phone: 140 CNY once.
const CASES: [Case; 3] = [
    Case {
        name: "all succeeds",
        customer_id: "demo-converged-a",
        policy: FailurePolicy::Branch,
        broadband_fails: false,
        state: "COMPLETED",
        paid: "140.00 CNY",
        business_orders: [("DONE", 4), ("COMPENSATED", 0), ("CANCELLED", 0)],
    },
    Case {
        name: "broadband cannot be installed, policy BRANCH",
        customer_id: "demo-converged-b",
        policy: FailurePolicy::Branch,
        broadband_fails: true,
        state: "PARTIAL",
        paid: "20.00 CNY",
        business_orders: [("DONE", 2), ("COMPENSATED", 1), ("CANCELLED", 1)],
    },
    Case {
        name: "broadband cannot be installed, policy WHOLE",
        customer_id: "demo-converged-c",
        policy: FailurePolicy::Whole,
        broadband_fails: true,
        state: "CANCELLED",
        paid: "0.00 CNY",
        business_orders: [("DONE", 0), ("COMPENSATED", 3), ("CANCELLED", 1)],
    },
];

/// Plays the three cases; gives the order of the second.
pub(super) async fn play(stage: &mut Stage) -> Result<String, Error> {
    let mut control = SimulatorControlServiceClient::new(stage.operator.channel());

    control.clear_rules(bounded(ClearRulesRequest {})).await.map_err(refused)?;
    for case in CASES.iter().filter(|case| case.broadband_fails) {
        refuse_broadband(stage, case.customer_id).await?;
    }
    let mut told = String::new();
    stage.say("");
    for case in &CASES {
        let order = run(stage, case).await?;
        check(stage, case, &order);
        check_message(stage, case, &order).await?;
        if case.state == "PARTIAL" {
            told.clone_from(&order.order_id);
        }
    }
    Ok(told)
}

/// From now on the broadband of this customer cannot be installed.
pub(super) async fn refuse_broadband(stage: &Stage, customer_id: &str) -> Result<(), Error> {
    let rule = Rule {
        method: "ActivateService".to_owned(),
        offering_code: "broadband-100m".to_owned(),
        customer_id: customer_id.to_owned(),
        misbehavior: Misbehavior::Refuse.into(),
        reason: "NO_LINE_AT_ADDRESS".to_owned(),
        ..Default::default()
    };
    let request = bounded(AddRuleRequest { rule: Some(rule) });
    let mut control = SimulatorControlServiceClient::new(stage.operator.channel());
    control.add_rule(request).await.map_err(refused)?;
    Ok(())
}

/// The order of a customer.
pub(super) fn order_of(
    customer_id: &str,
    policy: FailurePolicy,
) -> Result<SubmitOrderRequest, Error> {
    let mut request: SubmitOrderRequest = orders::parse(CONVERGED_ORDER)?;
    request.request_id = derived_uuid(&["demo", customer_id]).to_string();
    request.channel_order_id = customer_id.to_owned();
    request.failure_policy = policy.into();
    if let Some(customer) = &mut request.customer {
        customer.customer_id = customer_id.to_owned();
    }
    Ok(request)
}

async fn run(stage: &Stage, case: &Case) -> Result<CustomerOrder, Error> {
    let request = order_of(case.customer_id, case.policy)?;
    let accepted = orders::submit(&stage.channel, request).await?;
    let order = orders::follow(&stage.channel, &accepted.order_id, |_| {}).await?;
    let state = short(order.state().as_str_name(), "ORDER_STATE_");
    stage.say(format!(
        "converged order, {}: {state}, total {}, paid in the end {}",
        case.name,
        amount(order.total.as_ref()),
        amount(order.paid.as_ref())
    ));
    for business_order in &order.business_orders {
        let state = short(business_order.state().as_str_name(), "BUSINESS_ORDER_STATE_");
        let why = business_order.failure.as_ref().map(|f| format!("  {}", f.reason));
        stage.say(format!(
            "  {:<18} {state:<12} {:>12}{}",
            business_order.template,
            amount(business_order.charge.as_ref()),
            why.unwrap_or_default()
        ));
    }
    Ok(order)
}

fn check(stage: &mut Stage, case: &Case, order: &CustomerOrder) {
    let name = case.name;
    let state = short(order.state().as_str_name(), "ORDER_STATE_");
    stage.expect(format!("converged order, {name}: {}", case.state), state == case.state, state);
    let paid = amount(order.paid.as_ref());
    stage.expect(format!("converged order, {name}: {} kept", case.paid), paid == case.paid, paid);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for business_order in &order.business_orders {
        let state = short(business_order.state().as_str_name(), "BUSINESS_ORDER_STATE_");
        *counts.entry(state).or_default() += 1;
    }
    let as_expected = case
        .business_orders
        .iter()
        .all(|(state, number)| counts.get(state).copied().unwrap_or(0) == *number);
    let what = format!("converged order, {name}: each part ends as the policy says");
    stage.expect(what, as_expected, format!("{counts:?}"));
    let ran = |state: BusinessOrderState| state == BusinessOrderState::Done;
    let numbers = order
        .items
        .iter()
        .filter(|item| item.offering_code.starts_with("plan-"))
        .all(|item| !item.assigned_items.is_empty());
    let sold = order.business_orders.iter().any(|bo| ran(bo.state()));
    let what = format!("converged order, {name}: each plan that is sold has a number of its own");
    stage.expect(what, numbers || !sold, "a plan without a number");
}

/// The customer is told how it ended.
async fn check_message(stage: &mut Stage, case: &Case, order: &CustomerOrder) -> Result<(), Error> {
    let wanted = format!("order.{}", case.state.to_ascii_lowercase());
    let patience = tokio::time::Instant::now() + MESSAGE_PATIENCE;
    let mut told = false;
    while !told && tokio::time::Instant::now() < patience {
        let request =
            ListNotificationsRequest { order_id: order.order_id.clone(), ..Default::default() };
        let listed = NotificationServiceClient::new(stage.operator.channel())
            .list_notifications(bounded(request))
            .await
            .map_err(refused)?
            .into_inner();
        told = listed.notifications.iter().any(|notification| {
            notification.template_code == wanted
                && notification.state() == NotificationState::Completed
        });
        if !told {
            tokio::time::sleep(MESSAGE_POLL).await;
        }
    }
    let what = format!("converged order, {}: the customer is told", case.name);
    stage.expect(what, told, format!("no message {wanted} was sent"));
    Ok(())
}
