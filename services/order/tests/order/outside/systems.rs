//! Provisioning, billing and logistics: each knows an operation by our reference, and does it once.

use throughline_kit::error::Error;
use throughline_proto::billing::v1 as billing;
use throughline_proto::billing::v1::billing_service_server::BillingService;
use throughline_proto::logistics::v1 as logistics;
use throughline_proto::logistics::v1::logistics_service_server::LogisticsService;
use throughline_proto::provisioning::v1 as provisioning;
use throughline_proto::provisioning::v1::provisioning_service_server::ProvisioningService;
use throughline_proto::r#type::v1::OperationOutcome;
use tonic::{Request, Response, Status};

use super::{Behavior, Books, Outside, missing};

/// An operation as the system has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// What it does ("activate plan-4g").
    pub(crate) name: String,
    /// How it stands.
    pub(crate) outcome: OperationOutcome,
    /// Why it was refused.
    pub(crate) reason: String,
    /// It had its effect.
    pub(crate) done: bool,
    /// Reference of what it takes back.
    pub(crate) undoes: Option<String>,
}

impl Outside {
    /// Ends an operation that is under way.
    pub(crate) fn complete(&self, reference: &str, outcome: OperationOutcome) {
        self.books().complete(reference, outcome, "NO_LINE_AT_ADDRESS");
    }

    /// Reference of the only operation of a name.
    pub(crate) fn reference_of(&self, name: &str) -> String {
        let found = self.references_of(name);
        assert_eq!(found.len(), 1, "{name}");
        found[0].clone()
    }

    /// Our references of all operations of a name.
    pub(crate) fn references_of(&self, name: &str) -> Vec<String> {
        let books = self.books();
        let of_name = books.operations.iter().filter(|(_, one)| one.name == name);
        of_name.map(|(reference, _)| reference.clone()).collect()
    }
}

impl Books {
    /// Does something new, or tells how the same stands.
    fn operate(
        &mut self,
        reference: &str,
        name: String,
        undoes: Option<&String>,
        behavior: Behavior,
    ) -> Operation {
        if !self.operations.contains_key(reference) {
            let started = Operation {
                name,
                outcome: OperationOutcome::Pending,
                reason: String::new(),
                done: false,
                undoes: undoes.cloned(),
            };
            self.operations.insert(reference.to_owned(), started);
            match behavior {
                Behavior::Pending => {}
                Behavior::Refuse(reason) => {
                    self.complete(reference, OperationOutcome::Declined, reason);
                }
                _ => self.complete(reference, OperationOutcome::Succeeded, ""),
            }
        }
        self.operations[reference].clone()
    }

    /// Takes back what an earlier operation did. It is named like that operation: the caller says
    /// only its reference.
    fn take_away(&mut self, reference: &str, undone: &String, behavior: Behavior) -> Operation {
        let undone_name = self.operations.get(undone).map(|one| one.name.clone());
        let name = format!("undo {}", undone_name.as_deref().unwrap_or("nothing"));
        self.operate(reference, name, Some(undone), behavior)
    }

    fn complete(&mut self, reference: &str, outcome: OperationOutcome, reason: &str) {
        let operation = self.operations.get_mut(reference).expect("an operation");
        operation.outcome = outcome;
        operation.done = outcome == OperationOutcome::Succeeded;
        if operation.done {
            self.effects.push(operation.name.clone());
        } else {
            reason.clone_into(&mut operation.reason);
        }
    }

    fn operation(&self, reference: &str) -> Result<Operation, Error> {
        self.operations.get(reference).cloned().ok_or_else(|| missing("REFERENCE_NOT_FOUND"))
    }
}

/// Serves a system of three methods: one that does, one that undoes, and one that tells how an
/// operation stands.
macro_rules! system {
    (
        $service:ident of $package:ident,
        $do:ident($do_request:ident) -> $do_response:ident named $name:expr, doing $verb:expr,
        $undo:ident($undo_request:ident) -> $undo_response:ident named $undo_name:literal,
        asked as $ask_name:literal,
        by $undone:ident
    ) => {
        #[tonic::async_trait]
        impl $service for Outside {
            async fn $do(
                &self,
                request: Request<$package::$do_request>,
            ) -> Result<Response<$package::$do_response>, Status> {
                let id = request.get_ref().reference.clone();
                let name = ($name)(request.get_ref());
                self.meet(name, &id, request, |books, request, behavior| {
                    let doing = ($verb)(request);
                    let Operation { outcome, reason, .. } =
                        books.operate(&request.reference, doing, None, behavior);
                    let outcome = outcome.into();
                    Ok($package::$do_response { outcome, reason, message: String::new() })
                })
                .await
            }

            async fn $undo(
                &self,
                request: Request<$package::$undo_request>,
            ) -> Result<Response<$package::$undo_response>, Status> {
                let id = request.get_ref().reference.clone();
                self.meet($undo_name.to_owned(), &id, request, |books, request, behavior| {
                    let Operation { outcome, reason, .. } =
                        books.take_away(&request.reference, &request.$undone, behavior);
                    let outcome = outcome.into();
                    Ok($package::$undo_response { outcome, reason, message: String::new() })
                })
                .await
            }

            async fn get_operation(
                &self,
                request: Request<$package::GetOperationRequest>,
            ) -> Result<Response<$package::GetOperationResponse>, Status> {
                let id = request.get_ref().reference.clone();
                self.meet($ask_name.to_owned(), &id, request, |books, request, _| {
                    let Operation { outcome, reason, .. } = books.operation(&request.reference)?;
                    let outcome = outcome.into();
                    Ok($package::GetOperationResponse { outcome, reason, message: String::new() })
                })
                .await
            }
        }
    };
}

system! {
    ProvisioningService of provisioning,
    activate_service(ActivateServiceRequest) -> ActivateServiceResponse
        named |request: &provisioning::ActivateServiceRequest| {
            format!("ActivateService {}", request.offering_code)
        },
        doing |request: &provisioning::ActivateServiceRequest| {
            format!("activate {}", request.offering_code)
        },
    deactivate_service(DeactivateServiceRequest) -> DeactivateServiceResponse
        named "DeactivateService",
    asked as "GetOperation provisioning",
    by activation_reference
}

system! {
    BillingService of billing,
    open_account(OpenAccountRequest) -> OpenAccountResponse
        named |request: &billing::OpenAccountRequest| {
            format!("OpenAccount {}", request.offering_code)
        },
        doing |request: &billing::OpenAccountRequest| format!("open {}", request.offering_code),
    close_account(CloseAccountRequest) -> CloseAccountResponse named "CloseAccount",
    asked as "GetOperation billing",
    by open_reference
}

system! {
    LogisticsService of logistics,
    create_shipment(CreateShipmentRequest) -> CreateShipmentResponse
        named |_: &logistics::CreateShipmentRequest| "CreateShipment".to_owned(),
        doing |_: &logistics::CreateShipmentRequest| "ship".to_owned(),
    cancel_shipment(CancelShipmentRequest) -> CancelShipmentResponse named "CancelShipment",
    asked as "GetOperation logistics",
    by shipment_reference
}
