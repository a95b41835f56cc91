//! Runs roles of the platform in this process: each its own gRPC server on its own port with its own database.

use std::fs::{DirBuilder, File};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use throughline_gateway::{Gateway, load_key};
use throughline_kit::CancellationToken;
use throughline_kit::client::{CallContext, GatewayClient, GatewayConfig};
use throughline_kit::clock::Clock;
use throughline_kit::error::{Error, Kind};
use throughline_kit::http::{self, Readiness};
use throughline_kit::metrics::Metrics;
use throughline_kit::server::{Environment, Running};
use throughline_proto::gateway::v1 as proto;
use throughline_proto::gateway::v1::registry_service_client::RegistryServiceClient;
use throughline_simulators::{Environments, Simulators};
use tokio::net::TcpListener;

use crate::args::{LISTEN, Role};
use crate::settings::Settings;

/// How long all services may take to be registered.
const READY_TIMEOUT: Duration = Duration::from_secs(30);
const READY_POLL: Duration = Duration::from_millis(5);
/// How long a role waits for the keys that the gateway makes at its first start.
const KEY_TIMEOUT: Duration = Duration::from_secs(30);
const KEY_POLL: Duration = Duration::from_millis(50);

/// Names under which the simulators are registered, with the distance of each port from theirs.
const SYSTEMS: [(&str, u16); 6] = [
    ("simulator", 0),
    ("provisioning", 1),
    ("billing", 2),
    ("logistics", 3),
    ("paychannel", 4),
    ("sms", 5),
];

/// Roles that run in this process.
#[derive(Debug)]
pub struct Platform {
    settings: Settings,
    gateway_uri: String,
    http_address: SocketAddr,
    gateway: Option<Gateway>,
    centers: Vec<Running>,
    simulators: Option<Simulators>,
    readiness: Readiness,
    clients_end: CancellationToken,
    gateway_end: CancellationToken,
    _locks: Vec<File>,
}

impl Platform {
    /// Starts the roles; the gateway first, then the others at once.
    pub async fn start(settings: &Settings, roles: &[Role]) -> Result<Self, Error> {
        prepare_directory(&settings.platform.data_dir)?;
        let locks = roles
            .iter()
            .map(|role| lock(&settings.platform.data_dir, *role))
            .collect::<Result<Vec<_>, _>>()?;
        let metrics = Metrics::default();
        let (clients_end, gateway_end) = (CancellationToken::new(), CancellationToken::new());
        let http = listen_http(settings, roles).await?;
        let http_address = http.local_addr().map_err(|e| unusable("HTTP", &e))?;
        let readiness = Readiness::default();
        drop(http::serve(http, metrics.clone(), readiness.clone(), gateway_end.clone()));

        let mut gateway_uri = settings.gateway_uri();
        let mut gateway = None;
        if roles.contains(&Role::Gateway) {
            let environment =
                environment(settings, Role::Gateway, 0, None, &metrics, &gateway_end)?;
            let config = throughline_gateway::Config {
                keys_directory: settings.keys_directory(),
                ..settings.gateway.clone()
            };
            let started = throughline_gateway::start(config, environment).await?;
            gateway_uri = format!("http://{}", started.address);
            gateway = Some(started);
        }
        let starter = Starter { settings, uri: &gateway_uri, metrics, shutdown: &clients_end };
        let (centers, simulators) = starter.start_all(roles).await?;
        Ok(Self {
            settings: settings.clone(),
            gateway_uri,
            http_address,
            gateway,
            centers,
            simulators,
            readiness,
            clients_end,
            gateway_end,
            _locks: locks,
        })
    }

    /// Address of the gateway.
    pub fn gateway_uri(&self) -> &str {
        &self.gateway_uri
    }

    /// Address of `/healthz`, `/readyz` and `/metrics`.
    pub fn http_address(&self) -> SocketAddr {
        self.http_address
    }

    /// Name and address of every service in this process.
    pub fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        let gateway = self.gateway.iter().map(|gateway| ("gateway", gateway.address));
        let centers = self.centers.iter().map(|center| (center.center, center.address));
        let systems = self.simulators.iter().flat_map(|simulators| {
            [
                &simulators.control,
                &simulators.provisioning,
                &simulators.billing,
                &simulators.logistics,
                &simulators.paychannel,
                &simulators.sms,
            ]
        });
        let systems = systems.map(|system| (system.center, system.address));
        gateway.chain(centers).chain(systems).collect()
    }

    /// A client that calls under the key of the given caller.
    pub fn client(&self, caller: &str) -> Result<GatewayClient, Error> {
        let api_key = load_key(&self.settings.keys_directory().join(format!("{caller}.key")))?;
        GatewayClient::new(&GatewayConfig { uri: self.gateway_uri.clone(), api_key })
    }

    /// Waits until every service of this process is registered at the gateway.
    pub async fn ready(&self) -> Result<(), Error> {
        let centers = self.centers.iter().map(|center| center.center);
        let systems = self.simulators.iter().flat_map(|_| SYSTEMS.iter().map(|(name, _)| *name));
        let wanted: Vec<&str> = centers.chain(systems).collect();
        // Every caller that is no channel may read the registry: a role that runs alone asks under its own name.
        let asks = if self.gateway.is_some() { Some("operator") } else { wanted.first().copied() };
        if let Some(caller) = asks {
            let client = self.client(caller)?;
            let waited = tokio::time::timeout(READY_TIMEOUT, registered(&client, &wanted)).await;
            waited.map_err(|_| {
                let message = format!("not all of {wanted:?} were registered within 30 s");
                Error::new(Kind::Unavailable, "platform", "NOT_READY", message)
            })?;
        }
        self.readiness.set(true);
        Ok(())
    }

    /// Waits until a service of this process ends although nobody asked it to.
    pub async fn failed(&self) {
        tokio::select! {
            () = self.clients_end.cancelled() => {}
            () = self.gateway_end.cancelled() => {}
        }
    }

    /// Drains all services, the gateway last.
    pub async fn stop(self) {
        self.readiness.set(false);
        self.clients_end.cancel();
        for center in self.centers {
            center.stopped().await;
        }
        if let Some(simulators) = self.simulators {
            simulators.stopped().await;
        }
        self.gateway_end.cancel();
        if let Some(gateway) = self.gateway {
            gateway.stopped().await;
        }
    }
}

async fn registered(client: &GatewayClient, wanted: &[&str]) {
    loop {
        let request = CallContext::default().request(proto::ListServicesRequest {});
        let listed = RegistryServiceClient::new(client.channel()).list_services(request).await;
        let there = listed.map(|answer| answer.into_inner().services).unwrap_or_default();
        let is_there =
            |name: &&str| there.iter().any(|s| s.center == **name && !s.instances.is_empty());
        if wanted.iter().all(is_there) {
            return;
        }
        tokio::time::sleep(READY_POLL).await;
    }
}

/// Starts everything but the gateway.
struct Starter<'a> {
    settings: &'a Settings,
    uri: &'a str,
    metrics: Metrics,
    shutdown: &'a CancellationToken,
}

impl Starter<'_> {
    async fn start_all(&self, roles: &[Role]) -> Result<(Vec<Running>, Option<Simulators>), Error> {
        let centers = roles
            .iter()
            .filter(|role| !matches!(role, Role::Gateway | Role::Simulators))
            .map(|role| self.start_center(*role));
        let simulators = async {
            match roles.contains(&Role::Simulators) {
                true => self.start_simulators().await.map(Some),
                false => Ok(None),
            }
        };
        tokio::try_join!(futures::future::try_join_all(centers), simulators)
    }

    async fn start_center(&self, role: Role) -> Result<Running, Error> {
        let environment = self.environment(role, role.name(), 0).await?;
        let settings = self.settings.clone();
        match role {
            Role::Order => throughline_order::start(settings.order, environment).await,
            Role::Payment => throughline_payment::start(settings.payment, environment).await,
            Role::Resource => throughline_resource::start(settings.resource, environment).await,
            Role::Product => throughline_product::start(settings.product, environment).await,
            Role::Notification => {
                throughline_notification::start(settings.notification, environment).await
            }
            Role::Gateway | Role::Simulators => {
                unreachable!("the gateway and the simulators are no centers")
            }
        }
    }

    async fn start_simulators(&self) -> Result<Simulators, Error> {
        let mut environments = Vec::with_capacity(SYSTEMS.len());
        for (name, offset) in SYSTEMS {
            environments.push(self.environment(Role::Simulators, name, offset).await?);
        }
        let [control, provisioning, billing, logistics, paychannel, sms] =
            <[Environment; 6]>::try_from(environments).expect("one for each system");
        let environments =
            Environments { control, provisioning, billing, logistics, paychannel, sms };
        throughline_simulators::start(self.settings.simulators.clone(), environments).await
    }

    async fn environment(
        &self,
        role: Role,
        caller: &str,
        offset: u16,
    ) -> Result<Environment, Error> {
        let path = self.settings.keys_directory().join(format!("{caller}.key"));
        let api_key = wait_for_key(&path).await?;
        let gateway = Some(GatewayConfig { uri: self.uri.to_owned(), api_key });
        environment(self.settings, role, offset, gateway, &self.metrics, self.shutdown)
    }
}

fn environment(
    settings: &Settings,
    role: Role,
    offset: u16,
    gateway: Option<GatewayConfig>,
    metrics: &Metrics,
    shutdown: &CancellationToken,
) -> Result<Environment, Error> {
    Ok(Environment {
        clock: Clock::system(),
        storage: settings.storage(role),
        instance: settings.instance(),
        listen: (LISTEN, settings.port(role.port_offset() + offset)?).into(),
        gateway,
        metrics: metrics.clone(),
        shutdown: shutdown.clone(),
    })
}

/// A role that runs alone may start before the gateway has made the keys.
async fn wait_for_key(path: &Path) -> Result<String, Error> {
    let patience = tokio::time::Instant::now() + KEY_TIMEOUT;
    if !path.exists() {
        // On standard error: a program reads the line `ready` from standard output.
        let mut out = std::io::stderr().lock();
        let _ = writeln!(out, "waiting for {}, which the gateway makes", path.display());
    }
    loop {
        match load_key(path) {
            Ok(key) => return Ok(key),
            Err(error) if tokio::time::Instant::now() > patience => return Err(error),
            Err(_) => tokio::time::sleep(KEY_POLL).await,
        }
    }
}

fn prepare_directory(directory: &Path) -> Result<(), Error> {
    let failed = |cause: &std::io::Error| {
        let message = format!(
            "data directory {} cannot be written: {cause}; choose another with --data-dir",
            directory.display()
        );
        Error::new(Kind::Precondition, "platform", "DATA_DIRECTORY_UNUSABLE", message)
    };
    // Orders and keys are nobody else's business. A directory that is there already stays as its owner made it.
    let created = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    created.map_err(|e| failed(&e))?;
    let probe = directory.join(format!(".write-probe-{}", std::process::id()));
    std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe)).map_err(|e| failed(&e))
}

/// Takes the role's lock in the data directory, for as long as the file is open.
fn lock(directory: &Path, role: Role) -> Result<File, Error> {
    let path: PathBuf = directory.join(format!("{}.lock", role.name()));
    let file = File::create(&path).map_err(|e| unusable(&path.display().to_string(), &e))?;
    file.try_lock().map_err(|_| {
        let message = format!(
            "another process runs the role {} on data directory {}; stop it, or choose another \
             directory with --data-dir",
            role.name(),
            directory.display()
        );
        Error::new(Kind::Precondition, "platform", "DATA_DIRECTORY_IN_USE", message)
    })?;
    Ok(file)
}

async fn listen_http(settings: &Settings, roles: &[Role]) -> Result<TcpListener, Error> {
    let first = roles.first().map_or(0, |role| role.port_offset());
    // The simulators take a row of ports, their HTTP side the one after it.
    let offset = if roles == [Role::Simulators] { first + 9 } else { first + 1 };
    let port = settings.port(offset)?;
    TcpListener::bind((LISTEN, port)).await.map_err(|cause| {
        let message = format!(
            "HTTP port {port} is not free: {cause}; is another one running? choose other ports with --port-base"
        );
        Error::new(Kind::Unavailable, "platform", "ADDRESS_UNAVAILABLE", message)
    })
}

fn unusable(what: &str, cause: &std::io::Error) -> Error {
    Error::new(Kind::Unavailable, "platform", "UNUSABLE", format!("{what}: {cause}"))
}
