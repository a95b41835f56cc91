//! `up` and `serve ROLE`

use std::process::ExitCode;

use throughline_kit::error::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::Role;
use crate::connection::Session;
use crate::platform::Platform;

pub(super) async fn up(session: &Session, check: bool) -> Result<ExitCode, Error> {
    if check {
        return print_settings(session);
    }
    let platform = Platform::start(&session.settings, &Role::ALL).await?;
    platform.ready().await?;
    let end = EndRequest::listen()?;
    say_ready(session, &platform);
    Ok(run_to_end(platform, end).await)
}

pub(super) async fn serve(session: &Session, role: Role, check: bool) -> Result<ExitCode, Error> {
    if check {
        return print_settings(session);
    }
    let platform = Platform::start(&session.settings, &[role]).await?;
    platform.ready().await?;
    let end = EndRequest::listen()?;
    say_ready(session, &platform);
    Ok(run_to_end(platform, end).await)
}

/// Runs until somebody asks it to end, or a part of it fails: then whoever keeps it running starts it again.
pub(super) async fn run_to_end(platform: Platform, mut end: EndRequest) -> ExitCode {
    let code = tokio::select! {
        () = end.arrives() => ExitCode::SUCCESS,
        () = platform.failed() => ExitCode::FAILURE,
    };
    platform.stop().await;
    code
}

/// One line with everything that a person or a program needs to go on.
fn say_ready(session: &Session, platform: &Platform) {
    let keys = session.settings.keys_directory();
    let keys = ["demo-channel.key", "operator.key"].map(|name| keys.join(name));
    let addresses = platform.addresses();
    if session.console.is_json() {
        let services: serde_json::Map<String, serde_json::Value> = addresses
            .iter()
            .map(|(name, address)| ((*name).to_owned(), address.to_string().into()))
            .collect();
        session.console.line(
            serde_json::json!({
                "ready": true,
                "gateway": platform.gateway_uri(),
                "http": format!("http://{}", platform.http_address()),
                "services": services,
                "keys": keys,
            })
            .to_string(),
        );
        return;
    }
    let services: Vec<String> =
        addresses.iter().map(|(name, address)| format!("{name}={address}")).collect();
    // The gateway stands first, as commands take it with --gateway, and not again as a service.
    let services = services.iter().filter(|service| !service.starts_with("gateway="));
    let services: Vec<&str> = services.map(String::as_str).collect();
    session.console.line(format!(
        "ready gateway={} http=http://{} {} keys={},{}",
        platform.gateway_uri(),
        platform.http_address(),
        services.join(" "),
        keys[0].display(),
        keys[1].display(),
    ));
}

fn print_settings(session: &Session) -> Result<ExitCode, Error> {
    let text = serde_json::to_string_pretty(&session.settings.without_secrets())
        .map_err(|e| Error::internal("config", e))?;
    session.console.line(text);
    Ok(ExitCode::SUCCESS)
}

/// An interrupt or a request to terminate. It is listened for before anybody is told that the platform is ready: until
/// then it ends the process at once.
pub(super) struct EndRequest {
    interrupt: Signal,
    terminate: Signal,
}

impl EndRequest {
    pub(super) fn listen() -> Result<Self, Error> {
        let listen = |kind| signal(kind).map_err(|e| Error::internal("platform", e));
        let interrupt = listen(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: listen(SignalKind::terminate())? })
    }

    async fn arrives(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
