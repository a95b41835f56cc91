//! The callers that every platform has, and what each may call: what it really calls, and nothing else.

use throughline_kit::identity::CallerKind;

use crate::caller::AGREED_PRICE;

/// How an instance of a center or system gets its calls; the list shows it who else is there.
const REGISTRATION: &[&str] = &[
    "throughline.gateway.v1.RegistryService/DeregisterInstance",
    "throughline.gateway.v1.RegistryService/ListServices",
    "throughline.gateway.v1.RegistryService/RegisterInstance",
    "throughline.gateway.v1.RegistryService/RenewLease",
];
const FEEDS: &str = "throughline.event.v1.EventFeedService/Subscribe";
/// Where an outside system says how a step of an order ended that it had taken on, and what else happened to the order.
const STEP_RESULTS: &[&str] = &[
    "throughline.order.v1.StepCallbackService/ReportStepResult",
    "throughline.order.v1.StepCallbackService/SignalOrder",
];
const EVERYTHING: &[&str] = &["*"];

/// A caller that is made at the first start.
#[derive(Debug)]
pub(crate) struct BuiltIn {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) kind: CallerKind,
    /// What it may call beside what its kind may.
    calls: &'static [&'static str],
    /// Rights beyond methods.
    pub(crate) rights: &'static [&'static str],
}

impl BuiltIn {
    const fn new(
        name: &'static str,
        kind: CallerKind,
        calls: &'static [&'static str],
        rights: &'static [&'static str],
    ) -> Self {
        Self { name, kind, calls, rights }
    }

    /// Everything that it may call.
    pub(crate) fn grants(&self) -> impl Iterator<Item = &'static str> {
        let of_kind = match self.kind {
            CallerKind::Center | CallerKind::System => REGISTRATION,
            CallerKind::Operator | CallerKind::Channel => &[],
        };
        of_kind.iter().chain(self.calls).copied()
    }
}

/// Calls of the order center: all that the steps of an order need.
const ORDER: &[&str] = &[
    FEEDS,
    "throughline.billing.v1.BillingService/*",
    "throughline.logistics.v1.LogisticsService/*",
    "throughline.payment.v1.PaymentService/ClosePaymentOrder",
    "throughline.payment.v1.PaymentService/CreatePaymentOrder",
    "throughline.payment.v1.PaymentService/CreateRefund",
    "throughline.payment.v1.PaymentService/GetPaymentOrder",
    "throughline.payment.v1.PaymentService/GetRefund",
    "throughline.payment.v1.PaymentService/StartAttempt",
    "throughline.product.v1.DecisionService/*",
    "throughline.provisioning.v1.ProvisioningService/*",
    "throughline.resource.v1.ReservationService/ConfirmReservation",
    "throughline.resource.v1.ReservationService/CreateReservation",
    "throughline.resource.v1.ReservationService/ReleaseReservation",
    "throughline.resource.v1.StockService/ReturnUnits",
];

/// All of them. A center or system that begins to call something gets it here.
pub(crate) const ALL: &[BuiltIn] = &[
    BuiltIn::new("order", CallerKind::Center, ORDER, &[]),
    BuiltIn::new(
        "payment",
        CallerKind::Center,
        &["throughline.paychannel.v1.PaymentChannelService/*"],
        &[],
    ),
    BuiltIn::new("resource", CallerKind::Center, &[], &[]),
    BuiltIn::new("product", CallerKind::Center, &[], &[]),
    BuiltIn::new(
        "notification",
        CallerKind::Center,
        &[FEEDS, "throughline.sms.v1.SmsService/*"],
        &[],
    ),
    BuiltIn::new("gateway", CallerKind::Center, &[FEEDS], &[]),
    BuiltIn::new("provisioning", CallerKind::System, STEP_RESULTS, &[]),
    BuiltIn::new("billing", CallerKind::System, STEP_RESULTS, &[]),
    BuiltIn::new("logistics", CallerKind::System, STEP_RESULTS, &[]),
    BuiltIn::new(
        "paychannel",
        CallerKind::System,
        &["throughline.payment.v1.PaymentService/HandleChannelEvent"],
        &[],
    ),
    BuiltIn::new("sms", CallerKind::System, &[], &[]),
    BuiltIn::new("simulator", CallerKind::System, &[], &[]),
    BuiltIn::new("operator", CallerKind::Operator, EVERYTHING, &[]),
    BuiltIn::new("demo-channel", CallerKind::Channel, EVERYTHING, &[AGREED_PRICE]),
];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use throughline_kit::clock::Instant;
    use throughline_proto::options::v1::Exposure;

    use super::*;
    use crate::caller::{ApiKey, Caller, Grant, Permission};
    use crate::contract::{Admission, Contract};

    /// Every method of ours with its exposure.
    fn methods() -> BTreeMap<String, Exposure> {
        let contract = Contract::read(throughline_proto::descriptors());
        let services = contract.service_names().map(|name| contract.service(name).expect("ours"));
        let exposed = services.flatten().map(|method| match method.admission {
            Admission::Granted(exposure) => (method.name.to_string(), exposure),
            other => panic!("{}: {other:?}", method.name),
        });
        exposed.collect()
    }

    /// What a caller may call, without the package that all methods are in.
    fn allowed(name: &str) -> BTreeSet<String> {
        let built_in = ALL.iter().find(|built_in| built_in.name == name).expect("built in");
        let caller = Caller {
            name: name.into(),
            kind: built_in.kind,
            key_hash: ApiKey::generate().hash(),
            method_grants: built_in.grants().map(|g| Grant::parse(g).expect("a grant")).collect(),
            right_grants: Vec::new(),
            created_at: Instant(0),
        };
        let may = |(method, exposure): (String, Exposure)| {
            let allowed = caller.permission(&method, exposure) == Permission::Allowed;
            allowed.then(|| method.trim_start_matches("throughline.").to_owned())
        };
        methods().into_iter().filter_map(may).collect()
    }

    #[test]
    fn an_outside_system_may_register_and_call_back_and_nothing_else() {
        let step = "order.v1.StepCallbackService/ReportStepResult";
        let signal = "order.v1.StepCallbackService/SignalOrder";
        let payment = "payment.v1.PaymentService/HandleChannelEvent";
        let table: [(&str, &[&str]); 6] = [
            ("provisioning", &[step, signal]),
            ("billing", &[step, signal]),
            ("logistics", &[step, signal]),
            ("paychannel", &[payment]),
            ("sms", &[]),
            ("simulator", &[]),
        ];
        let registry = ["DeregisterInstance", "ListServices", "RegisterInstance", "RenewLease"]
            .map(|method| format!("gateway.v1.RegistryService/{method}"));
        for (name, callbacks) in table {
            let expected = callbacks.iter().map(|m| (*m).to_owned()).chain(registry.clone());
            assert_eq!(allowed(name), expected.collect(), "{name}");
        }
    }

    #[test]
    fn a_center_may_call_what_its_work_needs_and_not_what_is_for_people() {
        const FEED: &str = "event.v1.EventFeedService/Subscribe";
        let table = [
            ("order", "payment.v1.PaymentService/CreateRefund", true),
            ("order", "payment.v1.PaymentService/GetPaymentOrder", true),
            ("order", "payment.v1.PaymentService/GetRefund", true),
            ("order", "payment.v1.PaymentService/HandleChannelEvent", false),
            ("order", "payment.v1.PaymentService/ResolveAttempt", false),
            ("order", "billing.v1.BillingService/OpenAccount", true),
            ("order", "resource.v1.StockService/ReturnUnits", true),
            ("order", "resource.v1.StockService/AdjustPool", false),
            ("order", "product.v1.DecisionService/DecomposeOffering", true),
            ("order", "product.v1.CatalogService/ImportCatalog", false),
            ("order", FEED, true),
            ("payment", "paychannel.v1.PaymentChannelService/Refund", true),
            ("payment", "payment.v1.PaymentService/CreateRefund", false),
            ("payment", "order.v1.OrderService/SubmitOrder", false),
            ("notification", "sms.v1.SmsService/SendSms", true),
            ("notification", FEED, true),
            ("resource", FEED, false),
            ("product", "resource.v1.ReservationService/CreateReservation", false),
            ("gateway", FEED, true),
            ("gateway", "gateway.v1.AccessService/CreateChannel", false),
        ];
        for (name, method, expected) in table {
            assert_eq!(allowed(name).contains(method), expected, "{name} {method}");
        }
        for built_in in ALL.iter().filter(|b| b.kind == CallerKind::Center) {
            let allowed = allowed(built_in.name);
            assert!(!allowed.iter().any(|m| m.contains("AccessService")), "{}", built_in.name);
        }
    }

    #[test]
    fn every_grant_names_something_that_there_is() {
        let methods = methods();
        for built_in in ALL {
            for grant in built_in.grants().map(|g| Grant::parse(g).expect("a grant")) {
                let something = methods.keys().any(|method| grant.covers(method));
                assert!(something, "{} of {}", grant, built_in.name);
            }
        }
    }
}
