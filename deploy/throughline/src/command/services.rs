//! `services`

use std::process::ExitCode;

use throughline_kit::error::Error;
use throughline_proto::gateway::v1 as proto;
use throughline_proto::gateway::v1::catalog_service_client::CatalogServiceClient;
use throughline_proto::gateway::v1::registry_service_client::RegistryServiceClient;

use crate::connection::{Session, bounded, refused};
use crate::console::short;

pub(super) async fn run(session: &Session, methods: bool) -> Result<ExitCode, Error> {
    let operator = session.client("operator")?;
    if methods {
        let listed = CatalogServiceClient::new(operator.channel())
            .list_methods(bounded(proto::ListMethodsRequest {}))
            .await
            .map_err(refused)?
            .into_inner();
        return show_methods(session, &listed);
    }
    let listed = RegistryServiceClient::new(operator.channel())
        .list_services(bounded(proto::ListServicesRequest {}))
        .await
        .map_err(refused)?
        .into_inner();
    if session.console.is_json() {
        session.console.message(&listed)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<[String; 4]> = listed
        .services
        .iter()
        .flat_map(|service| {
            service.instances.iter().map(|instance| {
                [
                    service.center.clone(),
                    instance.endpoint.clone(),
                    instance.version.clone(),
                    service.services.join(" "),
                ]
            })
        })
        .collect();
    session.console.table(["CENTER", "ENDPOINT", "VERSION", "SERVICES"], &rows);
    Ok(ExitCode::SUCCESS)
}

fn show_methods(session: &Session, listed: &proto::ListMethodsResponse) -> Result<ExitCode, Error> {
    if session.console.is_json() {
        session.console.message(listed)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<[String; 4]> = listed
        .methods
        .iter()
        .map(|method| {
            [
                method.method.clone(),
                short(method.exposure().as_str_name(), "EXPOSURE_").to_owned(),
                short(method.level().as_str_name(), "CAPABILITY_LEVEL_").to_owned(),
                method.centers.join(" "),
            ]
        })
        .collect();
    session.console.table(["METHOD", "EXPOSURE", "LEVEL", "CENTERS"], &rows);
    Ok(ExitCode::SUCCESS)
}
