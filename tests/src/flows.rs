//! Templates that tests publish, and offerings that are delivered by them.

/// A line that is beyond its point of no return once its account is open; something follows that can still fail.
pub const FIBRE_LINE: &str = "
template: fibre-line
kind: BUSINESS
title: Fibre line
reversal: fibre-removal
steps:
  - id: install
    call:
      method: throughline.provisioning.v1.ProvisioningService/ActivateService
      request:
        reference: step.reference
        order_id: order.order_id
        customer_id: order.customer.customer_id
        offering_code: items[0].offering_code
        resources: items.map(i, i.assigned_items).flatten()
    puts_in_use: true
    timeout: 10s
    undo:
      method: throughline.provisioning.v1.ProvisioningService/DeactivateService
      request:
        reference: step.reference
        order_id: order.order_id
        activation_reference: step.done_reference
  - id: open-account
    call:
      method: throughline.billing.v1.BillingService/OpenAccount
      request:
        reference: step.reference
        order_id: order.order_id
        customer_id: order.customer.customer_id
        offering_code: items[0].offering_code
        recurring_charge: business_order.recurring_charge
    timeout: 10s
    point_of_no_return: true
  - id: set-top-box
    call:
      method: throughline.logistics.v1.LogisticsService/CreateShipment
      request:
        reference: step.reference
        order_id: order.order_id
        customer_id: order.customer.customer_id
        address: order.customer.address
        lines: \"items.map(i, {'offering_code': 'set-top-box', 'quantity': i.quantity})\"
    timeout: 10s
    undo: none
";

/// Takes a fibre line back.
pub const FIBRE_REMOVAL: &str = "
template: fibre-removal
kind: BUSINESS
title: Removal of a fibre line
steps:
  - id: close-account
    call:
      method: throughline.billing.v1.BillingService/CloseAccount
      request:
        reference: step.reference
        order_id: order.order_id
        open_reference: reversed.steps.filter(s, s.step_id == 'open-account')[0].reference
    timeout: 10s
    point_of_no_return: true
  - id: remove
    call:
      method: throughline.provisioning.v1.ProvisioningService/DeactivateService
      request:
        reference: step.reference
        order_id: order.order_id
        activation_reference: reversed.steps.filter(s, s.step_id == 'install')[0].reference
    timeout: 10s
    point_of_no_return: true
";

/// A fibre line for 200.00 CNY, one that nothing takes back, and a pack for 30.00 CNY that comes after either.
pub const FIBRE_OFFERINGS: &str = "
catalog:
  offerings:
    - code: fibre
      state: OFFERING_STATE_ACTIVE
      names: { en: Fibre line }
      prices:
        - { kind: PRICE_KIND_ONE_OFF, unitPrice: { currencyCode: CNY, microUnits: 200000000 } }
      resources: [{ poolCode: modem, quantity: 1 }]
      addTemplate: fibre-line
    - code: fibre-for-good
      state: OFFERING_STATE_ACTIVE
      names: { en: Fibre line for good }
      prices:
        - { kind: PRICE_KIND_ONE_OFF, unitPrice: { currencyCode: CNY, microUnits: 200000000 } }
      resources: [{ poolCode: modem, quantity: 1 }]
      addTemplate: fibre-for-good
    - code: late-pack
      state: OFFERING_STATE_ACTIVE
      names: { en: Late pack }
      prices:
        - { kind: PRICE_KIND_ONE_OFF, unitPrice: { currencyCode: CNY, microUnits: 30000000 } }
      relations:
        - { kind: RELATION_KIND_AFTER, offeringCode: fibre }
        - { kind: RELATION_KIND_AFTER, offeringCode: fibre-for-good }
      addTemplate: telecom-plan
";

/// The fibre line without anything that takes it back.
pub fn fibre_for_good() -> String {
    let named = FIBRE_LINE.replace("template: fibre-line", "template: fibre-for-good");
    named.replace("reversal: fibre-removal\n", "")
}

/// Waits for one event, at most so long ("30d").
pub fn waiting(name: &str, timeout: &str) -> String {
    format!(
        "
template: {name}
kind: BUSINESS
title: Waits for a word from outside
steps:
  - id: hear
    wait:
      event: word.given
      refused_by: [word.refused]
    timeout: {timeout}
"
    )
}

/// A person's work, at most so long ("2s") before it goes to the supervisors, and after that before it fails.
pub fn by_hand(name: &str, timeout: &str) -> String {
    format!(
        "
template: {name}
kind: BUSINESS
title: Done by hand
steps:
  - id: look
    manual:
      group: field-survey
      form:
        - {{ field: fine, type: BOOL, required: true, title: It is fine }}
        - {{ field: note, type: TEXT, title: Note }}
      refused_when: \"!form.fine\"
      reason: NOT_FINE
      escalate_to: supervisors
    timeout: {timeout}
"
    )
}

/// Something free of charge that a template delivers, one business order for each line.
pub fn offering(code: &str, template: &str) -> String {
    format!(
        "
catalog:
  offerings:
    - code: {code}
      state: OFFERING_STATE_ACTIVE
      names: {{ en: {code} }}
      prices:
        - {{ kind: PRICE_KIND_ONE_OFF, unitPrice: {{ currencyCode: CNY, microUnits: 0 }} }}
      addTemplate: {template}
      grain: DECOMPOSITION_GRAIN_PER_ITEM
"
    )
}
