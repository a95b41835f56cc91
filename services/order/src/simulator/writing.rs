//! Templates that nobody would write: steps in parallel, waits, times, persons, substitutes, points of no return.

use std::fmt::Write;

use super::random::Random;

/// Steps of a made-up template at most.
const MAX_STEPS: usize = 6;
const POLICIES: [&str; 4] = ["BRANCH", "WHOLE", "FORWARD", "ASK"];
/// Reasons of refusals, of which templates know some.
pub(crate) const REASONS: [&str; 4] = ["BUSY", "NO_LINE", "REFUSED", "NOT_OK"];

const ASK: &str = "
      method: throughline.provisioning.v1.ProvisioningService/GetOperation
      request: { reference: step.reference }";

const UNDO: &str = "
      method: throughline.provisioning.v1.ProvisioningService/DeactivateService
      request: { reference: step.reference, activation_reference: step.done_reference }";

const SUBSTITUTE: &str = "
      method: throughline.billing.v1.BillingService/OpenAccount
      request: { reference: step.reference }";

/// Writes the template of a business; `reversal` names the one that takes it back.
pub(crate) fn business(random: &mut Random, name: &str, reversal: Option<&str>) -> String {
    let mut text = format!("template: {name}\nkind: BUSINESS\ntitle: Made up\n");
    if random.one_in(3) {
        add(&mut text, &format!("policy: {}\n", random.pick(&POLICIES)));
    }
    if random.one_in(4) {
        let policy = random.pick(&POLICIES);
        let reason = random.pick(&REASONS);
        add(&mut text, &format!("overrides: [{{ reason: {reason}, policy: {policy} }}]\n"));
    }
    if let Some(reversal) = reversal {
        add(&mut text, &format!("reversal: {reversal}\n"));
    }
    text.push_str("steps:\n");
    for index in 0..=random.below(MAX_STEPS) {
        step(random, &mut text, index);
    }
    text
}

/// Writes the template of an order: its phases in some order, and other steps between them.
pub(crate) fn order(random: &mut Random, name: &str) -> String {
    let mut text = format!("template: {name}\nkind: ORDER\ntitle: Made up\nsteps:\n");
    let mut phases = vec!["prepare"];
    let (reserves, pays) = (!random.one_in(8), !random.one_in(8));
    let mut middle = Vec::new();
    middle.extend(reserves.then_some("reserve"));
    middle.extend(pays.then_some("pay"));
    if random.one_in(3) {
        middle.reverse();
    }
    phases.extend(middle);
    phases.extend(reserves.then_some("allocate"));
    let is_parallel = reserves && pays && random.one_in(4);
    let mut number = 0;
    let mut before: Vec<&str> = Vec::new();
    for phase in phases {
        let mut after = match phase {
            "reserve" | "pay" if is_parallel => vec!["prepare".to_owned()],
            _ => before.iter().map(|phase| (*phase).to_owned()).collect(),
        };
        if random.one_in(4) {
            step(random, &mut text, number);
            after.push(format!("s{number}"));
            number += 1;
        }
        add(&mut text, &format!("  - id: {phase}\n    activity: {phase}\n"));
        add(&mut text, &format!("    after: [{}]\n", after.join(", ")));
        before.push(phase);
        if phase != "prepare" && phase != "allocate" && random.one_in(6) {
            text.push_str("    on_failure: MANUAL\n    on_failure_group: fixers\n");
        }
        if phase == "pay" && random.one_in(4) {
            text.push_str("    retry: { attempts: 3, reasons: [BUSY] }\n");
        }
    }
    if random.one_in(4) {
        step(random, &mut text, number);
    }
    text
}

fn add(text: &mut String, more: &str) {
    text.push_str(more);
}

fn step(random: &mut Random, text: &mut String, index: usize) {
    let _ = writeln!(text, "  - id: s{index}");
    after(random, text, index);
    if random.one_in(10) {
        let when = *random.pick(&["items.size() > 1", "order.priority > 4", "order.channel != ''"]);
        let _ = writeln!(text, "    when: \"{when}\"");
    }
    if random.one_in(4) {
        text.push_str("    sla: { warn: 30m, breach: 6h }\n");
    }
    match random.below(10) {
        0 => text.push_str("    timer: { for: 3h }\n"),
        1 => text.push_str("    timer: { until: order.requested_start_time }\n"),
        2 => wait(random, text),
        3 => manual(random, text),
        _ => call(random, text),
    }
    match random.below(8) {
        0 => text.push_str("    on_failure: SKIP\n"),
        1 => text.push_str("    on_failure: MANUAL\n    on_failure_group: fixers\n"),
        _ => {}
    }
}

fn after(random: &mut Random, text: &mut String, index: usize) {
    match random.below(4) {
        0 => text.push_str("    after: []\n"),
        1 if index > 0 => {
            let first = random.below(index);
            let _ = writeln!(text, "    after: [s{first}]");
        }
        2 if index > 1 => {
            let _ = writeln!(text, "    after: [s{}, s{}]", index - 1, index - 2);
        }
        _ => {}
    }
}

fn wait(random: &mut Random, text: &mut String) {
    let event = *random.pick(&super::person::EVENTS);
    let refused_by = super::person::REFUSAL;
    let _ = writeln!(text, "    wait: {{ event: {event}, refused_by: [{refused_by}] }}");
    text.push_str("    timeout: 5d\n");
}

fn manual(random: &mut Random, text: &mut String) {
    text.push_str(
        "    manual:
      group: field
      form: [{ field: ok, type: BOOL, required: true, title: It is well }]
      refused_when: \"!form.ok\"
      reason: NOT_OK
      save: { well: form.ok }\n",
    );
    if random.one_in(2) {
        text.push_str("      escalate_to: supervisors\n");
    }
    text.push_str("    timeout: 2d\n");
    if random.one_in(3) {
        let _ = writeln!(text, "    undo:{UNDO}");
    }
}

fn call(random: &mut Random, text: &mut String) {
    text.push_str(
        "    call:
      method: throughline.provisioning.v1.ProvisioningService/ActivateService
      request: { reference: step.reference, order_id: order.order_id }
    timeout: 10s\n",
    );
    if !random.one_in(4) {
        let _ = writeln!(text, "    on_unknown:{ASK}");
    }
    match random.below(8) {
        0 => text.push_str("    undo: none\n"),
        1 | 2 => text.push_str("    point_of_no_return: true\n"),
        _ => {
            let _ = writeln!(text, "    undo:{UNDO}");
        }
    }
    if random.one_in(3) {
        let attempts = 1 + random.below(4);
        let _ = writeln!(text, "    retry: {{ attempts: {attempts}, reasons: [BUSY] }}");
    }
    if random.one_in(4) {
        let _ = writeln!(text, "    substitute:{SUBSTITUTE}");
        if random.one_in(2) {
            let ask = ASK.replace("\n      ", "\n        ");
            let ask = ask.replace("Provisioning", "Billing").replace("provisioning", "billing");
            let _ = writeln!(text, "      on_unknown:{ask}");
        }
    }
    if random.one_in(4) {
        text.push_str("    puts_in_use: true\n");
    }
}
