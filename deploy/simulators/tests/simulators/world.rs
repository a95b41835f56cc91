//! The simulators of one test, with clients that speak to them directly.

use std::net::SocketAddr;
use std::time::Duration;

use throughline_kit::CancellationToken;
use throughline_kit::client::GatewayConfig;
use throughline_kit::clock::{Clock, Instant, span_to_proto};
use throughline_kit::error::Error;
use throughline_kit::server::{Environment, Running};
use throughline_kit::storage::StorageConfig;
use throughline_kit::testing::environment;
use throughline_proto::billing::v1::billing_service_client::BillingServiceClient;
use throughline_proto::logistics::v1::logistics_service_client::LogisticsServiceClient;
use throughline_proto::paychannel::v1::payment_channel_service_client::PaymentChannelServiceClient;
use throughline_proto::provisioning::v1 as provisioning;
use throughline_proto::provisioning::v1::provisioning_service_client::ProvisioningServiceClient;
use throughline_proto::simulator::v1 as simulator;
use throughline_proto::simulator::v1::simulator_control_service_client::SimulatorControlServiceClient;
use throughline_proto::sms::v1::sms_service_client::SmsServiceClient;
use throughline_proto::r#type::v1 as types;
use throughline_simulators::{Config, Environments, Simulators, start};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

/// How long a caller waits for an answer that must not come.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

pub(crate) struct World {
    pub(crate) control: SimulatorControlServiceClient<Channel>,
    pub(crate) provisioning: ProvisioningServiceClient<Channel>,
    pub(crate) billing: BillingServiceClient<Channel>,
    pub(crate) logistics: LogisticsServiceClient<Channel>,
    pub(crate) paychannel: PaymentChannelServiceClient<Channel>,
    pub(crate) sms: SmsServiceClient<Channel>,
    pub(crate) clock: Clock,
    simulators: Simulators,
    shutdown: CancellationToken,
}

impl World {
    pub(crate) async fn start(storage: &StorageConfig) -> Self {
        Self::start_with(storage, Clock::fixed(Instant(1_000_000)), None, Config::default()).await
    }

    pub(crate) async fn start_with(
        storage: &StorageConfig,
        clock: Clock,
        gateway: Option<SocketAddr>,
        config: Config,
    ) -> Self {
        let shutdown = CancellationToken::new();
        let within = |system: &str| Environment {
            gateway: gateway.map(|address| GatewayConfig {
                uri: format!("http://{address}"),
                api_key: format!("key-of-{system}"),
            }),
            shutdown: shutdown.clone(),
            ..environment(storage, clock.clone())
        };
        let environments = Environments {
            control: within("simulator"),
            provisioning: within("provisioning"),
            billing: within("billing"),
            logistics: within("logistics"),
            paychannel: within("paychannel"),
            sms: within("sms"),
        };
        let simulators = start(config, environments).await.expect("start");
        Self {
            control: SimulatorControlServiceClient::new(channel(&simulators.control)),
            provisioning: ProvisioningServiceClient::new(channel(&simulators.provisioning)),
            billing: BillingServiceClient::new(channel(&simulators.billing)),
            logistics: LogisticsServiceClient::new(channel(&simulators.logistics)),
            paychannel: PaymentChannelServiceClient::new(channel(&simulators.paychannel)),
            sms: SmsServiceClient::new(channel(&simulators.sms)),
            clock,
            simulators,
            shutdown,
        }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.simulators.stopped().await;
    }

    pub(crate) async fn misbehave(&mut self, rule: simulator::Rule) {
        let request = simulator::AddRuleRequest { rule: Some(rule) };
        self.control.add_rule(request).await.expect("add a rule");
    }

    /// What happened so far: "method reference", with "!" before a refusal.
    pub(crate) async fn journal(&mut self) -> Vec<String> {
        self.effects()
            .await
            .iter()
            .map(|effect| {
                let refused = if effect.succeeded { "" } else { "!" };
                format!("{refused}{} {}", effect.method, effect.reference)
            })
            .collect()
    }

    pub(crate) async fn effects(&mut self) -> Vec<simulator::Effect> {
        let request = simulator::ListEffectsRequest { page_size: 500, ..Default::default() };
        self.control.list_effects(request).await.expect("list").into_inner().effects
    }

    pub(crate) async fn activate(
        &mut self,
        reference: &str,
    ) -> Result<provisioning::ActivateServiceResponse, Error> {
        answer(self.provisioning.activate_service(activation(reference)).await)
    }

    /// How an activation or deactivation ended; `None` when it never arrived.
    pub(crate) async fn operation(&mut self, reference: &str) -> Option<types::OperationOutcome> {
        let request = provisioning::GetOperationRequest { reference: reference.to_owned() };
        match answer(self.provisioning.get_operation(request).await) {
            Ok(found) => Some(found.outcome()),
            Err(error) => {
                assert_eq!(error.reason, "REFERENCE_NOT_FOUND", "{error}");
                None
            }
        }
    }
}

fn channel(running: &Running) -> Channel {
    let uri = format!("http://{}", running.address);
    Channel::from_shared(uri).expect("an address").connect_lazy()
}

/// Reads an answer or the error that a caller would see.
pub(crate) fn answer<T>(result: Result<Response<T>, Status>) -> Result<T, Error> {
    result.map(Response::into_inner).map_err(|status| Error::from_status(&status))
}

/// Lets a call wait only shortly.
pub(crate) fn impatient<M>(message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.set_timeout(SHORT);
    request
}

pub(crate) fn activation(reference: &str) -> provisioning::ActivateServiceRequest {
    provisioning::ActivateServiceRequest {
        reference: reference.to_owned(),
        order_id: "ord_1".to_owned(),
        customer_id: "alice".to_owned(),
        offering_code: "broadband-100m".to_owned(),
        resources: vec!["modem-1".to_owned()],
    }
}

pub(crate) fn rule(method: &str, misbehavior: simulator::Misbehavior) -> simulator::Rule {
    simulator::Rule {
        method: method.to_owned(),
        misbehavior: misbehavior.into(),
        ..Default::default()
    }
}

/// A rule that takes its time.
pub(crate) fn slow_rule(
    method: &str,
    misbehavior: simulator::Misbehavior,
    delay: Duration,
) -> simulator::Rule {
    simulator::Rule { delay: Some(span_to_proto(delay)), ..rule(method, misbehavior) }
}

pub(crate) fn money(currency: &str, minor_units: i64) -> Option<types::Money> {
    Some(types::Money { currency_code: currency.to_owned(), minor_units })
}

pub(crate) fn field_paths(error: &Error) -> Vec<&str> {
    error.fields.iter().map(|(path, _)| path.as_str()).collect()
}
