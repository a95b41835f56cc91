//! The services of the control plane: decode, call, encode.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use throughline_kit::clock::span_to_proto;
use throughline_kit::identity::{Caller, CallerKind};
use throughline_proto::gateway::v1 as proto;
use throughline_proto::gateway::v1::access_service_server::AccessService;
use throughline_proto::gateway::v1::catalog_service_server::CatalogService;
use throughline_proto::gateway::v1::registry_service_server::RegistryService;
use throughline_proto::gateway::v1::trajectory_service_server::TrajectoryService;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use crate::control::Control;
use crate::convert;
use crate::error::ControlRefusal;
use crate::registry::Registration;
use crate::trajectory::Trajectories;

/// Packages of the platform's own services.
const PLATFORM_PREFIX: &str = "throughline.";
/// The package that every center may offer.
const SHARED_PACKAGE: &str = "event";

/// Serves registry, catalog and access.
#[derive(Clone, Debug)]
pub(crate) struct ControlServer {
    /// What they show and change.
    pub(crate) control: Arc<Control>,
    /// How often instances should renew.
    pub(crate) renew_interval: Duration,
}

/// Serves trajectories.
#[derive(Clone, Debug)]
pub(crate) struct TrajectoryServer {
    /// What is recorded.
    pub(crate) trajectories: Trajectories,
}

fn own_name(caller: &Caller, center: &str) -> Result<(), ControlRefusal> {
    match caller.kind {
        CallerKind::Center | CallerKind::System if caller.name == center => Ok(()),
        CallerKind::Center | CallerKind::System | CallerKind::Channel | CallerKind::Operator => {
            let (caller, center) = (caller.name.clone(), center.to_owned());
            Err(ControlRefusal::NameNotOwned { caller, center })
        }
    }
}

/// The platform's own services belong to the center that their package is named after; every center has a feed of events.
fn own_services(announced: &convert::Announced) -> Result<(), ControlRefusal> {
    let foreign = |service: &&String| {
        service.strip_prefix(PLATFORM_PREFIX).is_some_and(|rest| {
            let package = rest.split('.').next().unwrap_or_default();
            package != announced.center && package != SHARED_PACKAGE
        })
    };
    match announced.services.iter().find(foreign) {
        Some(service) => {
            let (center, service) = (announced.center.clone(), service.clone());
            Err(ControlRefusal::ServiceNotOwned { center, service })
        }
        None => Ok(()),
    }
}

fn refused(refusal: ControlRefusal) -> Status {
    throughline_kit::error::Error::from(refusal).into()
}

#[tonic::async_trait]
impl RegistryService for ControlServer {
    async fn register_instance(
        &self,
        request: Request<proto::RegisterInstanceRequest>,
    ) -> Result<Response<proto::RegisterInstanceResponse>, Status> {
        let caller = Caller::from_metadata(request.metadata());
        let announced = convert::registration(request.into_inner())?;
        own_name(&caller, &announced.center).map_err(refused)?;
        own_services(&announced).map_err(refused)?;
        let contract = self.control.contract(&announced.descriptor_set).map_err(refused)?;
        let convert::Announced { center, instance_id, authority, version, services, .. } =
            announced;
        let registration =
            Registration { center, instance_id, authority, version, services, contract };
        self.control.register(registration).map_err(refused)?;
        Ok(Response::new(proto::RegisterInstanceResponse {
            lease_ttl: Some(span_to_proto(self.control.lease_ttl())),
            renew_interval: Some(span_to_proto(self.renew_interval)),
        }))
    }

    async fn renew_lease(
        &self,
        request: Request<proto::RenewLeaseRequest>,
    ) -> Result<Response<proto::RenewLeaseResponse>, Status> {
        let caller = Caller::from_metadata(request.metadata());
        let instance_id = request.into_inner().instance_id;
        convert::instance_id(&instance_id)?;
        self.control.renew(&caller.name, &instance_id).map_err(refused)?;
        Ok(Response::new(proto::RenewLeaseResponse {}))
    }

    async fn deregister_instance(
        &self,
        request: Request<proto::DeregisterInstanceRequest>,
    ) -> Result<Response<proto::DeregisterInstanceResponse>, Status> {
        let caller = Caller::from_metadata(request.metadata());
        let instance_id = request.into_inner().instance_id;
        convert::instance_id(&instance_id)?;
        self.control.deregister(&caller.name, &instance_id);
        Ok(Response::new(proto::DeregisterInstanceResponse {}))
    }

    async fn list_services(
        &self,
        _: Request<proto::ListServicesRequest>,
    ) -> Result<Response<proto::ListServicesResponse>, Status> {
        let services = self
            .control
            .with_registry(|registry| registry.centers().map(convert::center).collect());
        Ok(Response::new(proto::ListServicesResponse { services }))
    }
}

#[tonic::async_trait]
impl CatalogService for ControlServer {
    async fn list_methods(
        &self,
        _: Request<proto::ListMethodsRequest>,
    ) -> Result<Response<proto::ListMethodsResponse>, Status> {
        let methods = self.control.with_registry(|registry| {
            let mut all = BTreeMap::new();
            for center in registry.centers() {
                for method in center.services.values().flatten() {
                    let entry = all.entry(&method.name).or_insert_with(|| (method, Vec::new()));
                    entry.1.push(center.name.to_string());
                }
            }
            all.into_values()
                .map(|(method, centers)| convert::capability(method, centers))
                .collect()
        });
        Ok(Response::new(proto::ListMethodsResponse { methods }))
    }
}

#[tonic::async_trait]
impl AccessService for ControlServer {
    async fn create_channel(
        &self,
        request: Request<proto::CreateChannelRequest>,
    ) -> Result<Response<proto::CreateChannelResponse>, Status> {
        let (key, now) = self.control.new_key();
        let snapshot = self.control.snapshots().load_full();
        let (caller, request_id) =
            convert::channel(request.into_inner(), &snapshot, key.hash(), now)?;
        let answer = convert::caller(&caller);
        self.control.create_caller(caller, request_id).await?;
        let api_key = key.as_str().to_owned();
        Ok(Response::new(proto::CreateChannelResponse { caller: Some(answer), api_key }))
    }

    async fn list_callers(
        &self,
        _: Request<proto::ListCallersRequest>,
    ) -> Result<Response<proto::ListCallersResponse>, Status> {
        let callers = self.control.with_callers(|callers| callers.map(convert::caller).collect());
        Ok(Response::new(proto::ListCallersResponse { callers }))
    }
}

#[tonic::async_trait]
impl TrajectoryService for TrajectoryServer {
    async fn get_trajectory(
        &self,
        request: Request<proto::GetTrajectoryRequest>,
    ) -> Result<Response<proto::GetTrajectoryResponse>, Status> {
        let order_id = convert::order_id(request.into_inner().order_id)?;
        let trajectory = self.trajectories.read(&order_id).await?;
        if trajectory.entries.is_empty() {
            return Err(refused(ControlRefusal::TrajectoryNotFound { order_id }));
        }
        let truncated = trajectory.truncated;
        let entries = trajectory.into_proto();
        Ok(Response::new(proto::GetTrajectoryResponse { order_id, entries, truncated }))
    }

    type WatchTrajectoryStream =
        Pin<Box<dyn Stream<Item = Result<proto::WatchTrajectoryResponse, Status>> + Send>>;

    async fn watch_trajectory(
        &self,
        request: Request<proto::WatchTrajectoryRequest>,
    ) -> Result<Response<Self::WatchTrajectoryStream>, Status> {
        let order_id = convert::order_id(request.into_inner().order_id)?;
        let entries = self.trajectories.watch(order_id)?;
        Ok(Response::new(Box::pin(entries)))
    }
}
