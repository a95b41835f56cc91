//! Templates that tests publish.

/// A template for the delivery of a business.
pub(crate) fn business(name: &str, steps: &[&str]) -> String {
    business_with(name, "", steps)
}

/// The same, with more keys of the template, a line each.
pub(crate) fn business_with(name: &str, more: &str, steps: &[&str]) -> String {
    let steps = steps.concat();
    format!("template: {name}\nkind: BUSINESS\ntitle: {name} of a test\n{more}steps:\n{steps}")
}

/// A template for an order's own steps.
pub(crate) fn own(name: &str, steps: &[&str]) -> String {
    let steps = steps.concat();
    format!("template: {name}\nkind: ORDER\ntitle: {name} of a test\nsteps:\n{steps}")
}

pub(crate) const PREPARE: &str = "  - { id: prepare, activity: prepare }\n";
pub(crate) const RESERVE: &str = "  - { id: reserve, activity: reserve }\n";
pub(crate) const PAY: &str = "  - { id: pay, activity: pay }\n";
pub(crate) const ALLOCATE: &str = "  - { id: allocate, activity: allocate }\n";

/// Switches something on, and off again when it is undone.
pub(crate) const ACTIVATE: &str = "
  - id: activate
    call:
      method: throughline.provisioning.v1.ProvisioningService/ActivateService
      request:
        reference: step.reference
        order_id: order.order_id
        offering_code: items[0].offering_code
    timeout: 10s
    on_unknown:
      method: throughline.provisioning.v1.ProvisioningService/GetOperation
      request: { reference: step.reference }
    undo:
      method: throughline.provisioning.v1.ProvisioningService/DeactivateService
      request:
        reference: step.reference
        order_id: order.order_id
        activation_reference: step.done_reference
";

/// Opens an account, and closes it when it is undone.
pub(crate) const OPEN_ACCOUNT: &str = "
  - id: open-account
    call:
      method: throughline.billing.v1.BillingService/OpenAccount
      request:
        reference: step.reference
        order_id: order.order_id
        offering_code: items[0].offering_code
    timeout: 10s
    undo:
      method: throughline.billing.v1.BillingService/CloseAccount
      request:
        reference: step.reference
        order_id: order.order_id
        open_reference: step.done_reference
";

/// Sends the parcel for good.
pub(crate) const SHIP_FOR_GOOD: &str = "
  - id: ship
    call:
      method: throughline.logistics.v1.LogisticsService/CreateShipment
      request:
        reference: step.reference
        order_id: order.order_id
    timeout: 10s
    point_of_no_return: true
";

/// Waits until somebody came, or did not.
pub(crate) const WAIT: &str = "
  - id: visited
    wait:
      event: visit.done
      refused_by: [visit.missed]
    timeout: 2h
";

/// The same, and keeps who came.
pub(crate) const WAIT_WHO: &str = "
  - id: visited
    wait:
      event: visit.done
      refused_by: [visit.missed]
      save: { engineer: event.engineer }
    timeout: 2h
";

/// Waits for an hour.
pub(crate) const TIMER: &str = "  - { id: rest, timer: { for: 1h } }\n";

/// A person looks at it within a day; nobody else gets it then.
pub(crate) const CHECK: &str = "
  - id: check
    manual:
      group: back-office
      form:
        - { field: approved, type: BOOL, required: true }
        - { field: floor, type: NUMBER }
        - { field: day, type: DATE }
        - { field: slot, type: CHOICE, options: [morning, evening] }
      refused_when: '!form.approved'
      reason: CHECK_REFUSED
      save: { floor: form.floor, slot: form.slot }
    timeout: 1d
";

/// Adds keys to a step.
pub(crate) fn with(step: &str, more: &str) -> String {
    format!(
        "{}    {more}\n",
        if step.ends_with('\n') { step.to_owned() } else { format!("{step}\n") }
    )
}
