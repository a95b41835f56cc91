//! The six services: bound before anything else happens, then started together.

use throughline_kit::CancellationToken;
use throughline_kit::error::Error;
use throughline_kit::server::{Environment, Running, Server};
use throughline_proto::billing::v1::billing_service_server::BillingServiceServer;
use throughline_proto::logistics::v1::logistics_service_server::LogisticsServiceServer;
use throughline_proto::paychannel::v1::payment_channel_service_server::PaymentChannelServiceServer;
use throughline_proto::provisioning::v1::provisioning_service_server::ProvisioningServiceServer;
use throughline_proto::simulator::v1::simulator_control_service_server::SimulatorControlServiceServer;
use throughline_proto::sms::v1::sms_service_server::SmsServiceServer;
use tokio::net::TcpListener;

use crate::control::Control;
use crate::error::DOMAIN;
use crate::method::System;
use crate::perform::Engine;
use crate::{Environments, rpc};

/// The bound addresses.
pub(crate) struct Listeners {
    control: TcpListener,
    provisioning: TcpListener,
    billing: TcpListener,
    logistics: TcpListener,
    paychannel: TcpListener,
    sms: TcpListener,
}

impl Listeners {
    pub(crate) async fn bind(environments: &Environments) -> Result<Self, Error> {
        Ok(Self {
            control: environments.control.bind(DOMAIN).await?,
            provisioning: environments.provisioning.bind(System::Provisioning.name()).await?,
            billing: environments.billing.bind(System::Billing.name()).await?,
            logistics: environments.logistics.bind(System::Logistics.name()).await?,
            paychannel: environments.paychannel.bind(System::Paychannel.name()).await?,
            sms: environments.sms.bind(System::Sms.name()).await?,
        })
    }
}

/// The services, ready to be started.
pub(crate) struct Services {
    pub(crate) listeners: Listeners,
    pub(crate) environments: Environments,
    pub(crate) engine: Engine,
    pub(crate) control: Control,
}

impl Services {
    /// Starts them all; they end with the given token.
    pub(crate) async fn start(self, shutdown: &CancellationToken) -> Result<[Running; 6], Error> {
        let Self { listeners, environments, engine, control } = self;
        let within =
            |environment: Environment| Environment { shutdown: shutdown.clone(), ..environment };
        Ok([
            Server::new(DOMAIN)
                .service(SimulatorControlServiceServer::new(rpc::control::Rpc(control)))
                .start(&within(environments.control), listeners.control)
                .await?,
            Server::new(System::Provisioning.name())
                .service(ProvisioningServiceServer::new(rpc::provisioning::Rpc(engine.clone())))
                .start(&within(environments.provisioning), listeners.provisioning)
                .await?,
            Server::new(System::Billing.name())
                .service(BillingServiceServer::new(rpc::billing::Rpc(engine.clone())))
                .start(&within(environments.billing), listeners.billing)
                .await?,
            Server::new(System::Logistics.name())
                .service(LogisticsServiceServer::new(rpc::logistics::Rpc(engine.clone())))
                .start(&within(environments.logistics), listeners.logistics)
                .await?,
            Server::new(System::Paychannel.name())
                .service(PaymentChannelServiceServer::new(rpc::paychannel::Rpc(engine.clone())))
                .start(&within(environments.paychannel), listeners.paychannel)
                .await?,
            Server::new(System::Sms.name())
                .service(SmsServiceServer::new(rpc::sms::Rpc(engine)))
                .start(&within(environments.sms), listeners.sms)
                .await?,
        ])
    }
}
