//! Calls to outside systems: provisioning, billing, logistics. Each knows an operation by our reference.

use throughline_kit::client::CallOutcome;
use throughline_kit::error::Kind;
use throughline_kit::money::Money;
use throughline_proto::billing::v1 as billing;
use throughline_proto::billing::v1::billing_service_client::BillingServiceClient;
use throughline_proto::logistics::v1 as logistics;
use throughline_proto::logistics::v1::logistics_service_client::LogisticsServiceClient;
use throughline_proto::provisioning::v1 as provisioning;
use throughline_proto::provisioning::v1::provisioning_service_client::ProvisioningServiceClient;

use super::{Peers, failure, operation, outcome};
use crate::event::Outcome;
use crate::order::Order;
use crate::work::{ServiceOrder, System};

impl Peers {
    pub(super) async fn activate(
        &self,
        order: &Order,
        reference: String,
        service: ServiceOrder,
    ) -> Outcome {
        let request = self.context(order).request(provisioning::ActivateServiceRequest {
            reference,
            order_id: order.id.to_string(),
            customer_id: order.customer.id.clone(),
            offering_code: service.offering,
            resources: service.resources,
        });
        let result =
            ProvisioningServiceClient::new(self.client.channel()).activate_service(request).await;
        outcome(result, |a| operation(a.outcome(), a.reason, a.message, "provisioning"))
    }

    pub(super) async fn deactivate(
        &self,
        order: &Order,
        reference: String,
        activation_reference: String,
    ) -> Outcome {
        let request = self.context(order).request(provisioning::DeactivateServiceRequest {
            reference,
            order_id: order.id.to_string(),
            activation_reference,
        });
        let result =
            ProvisioningServiceClient::new(self.client.channel()).deactivate_service(request).await;
        outcome(result, |a| operation(a.outcome(), a.reason, a.message, "provisioning"))
    }

    pub(super) async fn open_account(
        &self,
        order: &Order,
        reference: String,
        service: ServiceOrder,
        recurring: Money,
    ) -> Outcome {
        let request = self.context(order).request(billing::OpenAccountRequest {
            reference,
            order_id: order.id.to_string(),
            customer_id: order.customer.id.clone(),
            offering_code: service.offering,
            recurring_charge: Some(recurring.to_proto()),
        });
        let result = BillingServiceClient::new(self.client.channel()).open_account(request).await;
        outcome(result, |a| operation(a.outcome(), a.reason, a.message, "billing"))
    }

    pub(super) async fn close_account(
        &self,
        order: &Order,
        reference: String,
        open_reference: String,
    ) -> Outcome {
        let request = self.context(order).request(billing::CloseAccountRequest {
            reference,
            order_id: order.id.to_string(),
            open_reference,
        });
        let result = BillingServiceClient::new(self.client.channel()).close_account(request).await;
        outcome(result, |a| operation(a.outcome(), a.reason, a.message, "billing"))
    }

    pub(super) async fn ship(
        &self,
        order: &Order,
        reference: String,
        lines: Vec<(String, i64)>,
    ) -> Outcome {
        let lines = lines
            .into_iter()
            .map(|(offering_code, quantity)| logistics::ParcelLine { offering_code, quantity })
            .collect();
        let request = self.context(order).request(logistics::CreateShipmentRequest {
            reference,
            order_id: order.id.to_string(),
            customer_id: order.customer.id.clone(),
            address: order.customer.address.clone(),
            lines,
        });
        let result =
            LogisticsServiceClient::new(self.client.channel()).create_shipment(request).await;
        outcome(result, |a| operation(a.outcome(), a.reason, a.message, "logistics"))
    }

    pub(super) async fn cancel_shipment(
        &self,
        order: &Order,
        reference: String,
        shipment_reference: String,
    ) -> Outcome {
        let request = self.context(order).request(logistics::CancelShipmentRequest {
            reference,
            order_id: order.id.to_string(),
            shipment_reference,
        });
        let result =
            LogisticsServiceClient::new(self.client.channel()).cancel_shipment(request).await;
        outcome(result, |a| operation(a.outcome(), a.reason, a.message, "logistics"))
    }

    /// Learns how an operation stands. One that never arrived may be sent again, with the same reference.
    pub(super) async fn ask_operation(
        &self,
        order: &Order,
        reference: String,
        system: System,
    ) -> Outcome {
        let context = self.context(order);
        let channel = self.client.channel();
        let answer = match system {
            System::Provisioning => {
                let request = context.request(provisioning::GetOperationRequest { reference });
                let result = ProvisioningServiceClient::new(channel).get_operation(request).await;
                map(result, |a| operation(a.outcome(), a.reason, a.message, "provisioning"))
            }
            System::Billing => {
                let request = context.request(billing::GetOperationRequest { reference });
                let result = BillingServiceClient::new(channel).get_operation(request).await;
                map(result, |a| operation(a.outcome(), a.reason, a.message, "billing"))
            }
            System::Logistics => {
                let request = context.request(logistics::GetOperationRequest { reference });
                let result = LogisticsServiceClient::new(channel).get_operation(request).await;
                map(result, |a| operation(a.outcome(), a.reason, a.message, "logistics"))
            }
        };
        match answer {
            CallOutcome::Answered(outcome) => outcome,
            CallOutcome::Declined(error) if error.kind == Kind::NotFound => {
                Outcome::NeverArrived(failure(&error))
            }
            CallOutcome::Declined(error)
            | CallOutcome::NotAttempted(error)
            | CallOutcome::Unknown(error) => Outcome::Unknown(failure(&error)),
        }
    }
}

fn map<T>(
    result: Result<tonic::Response<T>, tonic::Status>,
    read: impl FnOnce(T) -> Outcome,
) -> CallOutcome<Outcome> {
    match CallOutcome::from_result(result) {
        CallOutcome::Answered(answer) => CallOutcome::Answered(read(answer)),
        CallOutcome::Declined(error) => CallOutcome::Declined(error),
        CallOutcome::NotAttempted(error) => CallOutcome::NotAttempted(error),
        CallOutcome::Unknown(error) => CallOutcome::Unknown(error),
    }
}
