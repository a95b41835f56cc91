//! Proxies that others made, where they are installed: the same calls to the same backend, in the same run.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use throughline_kit::error::{Error, Kind};
use throughline_kit::id;

/// How long a proxy may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// A proxy of another make.
#[derive(Clone, Copy, Debug)]
pub(super) enum Make {
    /// nginx with `grpc_pass`.
    Nginx,
    /// HAProxy with HTTP/2 on both legs.
    HaProxy,
}

impl Make {
    /// Both.
    pub(super) const ALL: [Self; 2] = [Self::Nginx, Self::HaProxy];

    /// Name of its program.
    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::HaProxy => "haproxy",
        }
    }

    /// One worker, HTTP/2 without TLS on both legs, no log.
    fn configuration(self, listen: u16, backend: u16, directory: &str) -> String {
        match self {
            Self::Nginx => format!(
                "worker_processes 1; daemon off; pid {directory}/pid; error_log /dev/null crit;\n\
                 events {{ worker_connections 1024; }}\n\
                 http {{ access_log off; client_body_temp_path {directory};\n\
                 proxy_temp_path {directory}; fastcgi_temp_path {directory};\n\
                 uwsgi_temp_path {directory}; scgi_temp_path {directory};\n\
                 upstream backend {{ server 127.0.0.1:{backend}; keepalive 64; }}\n\
                 server {{ listen 127.0.0.1:{listen} http2; keepalive_requests 100000000;\n\
                 location / {{ grpc_pass grpc://backend; }} }} }}\n"
            ),
            Self::HaProxy => format!(
                "global\n nbthread 1\n\
                 defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
                 frontend front\n bind 127.0.0.1:{listen} proto h2\n default_backend back\n\
                 backend back\n server one 127.0.0.1:{backend} proto h2\n"
            ),
        }
    }
}

/// A running proxy, ended when dropped.
#[derive(Debug)]
pub(super) struct Peer {
    child: Child,
    directory: PathBuf,
}

impl Peer {
    /// Starts it; `None` where it is not installed.
    pub(super) async fn start(
        make: Make,
        listen: u16,
        backend: u16,
    ) -> Result<Option<Self>, Error> {
        let failed = |cause: std::io::Error| {
            let message = format!("start {}: {cause}", make.program());
            Error::new(Kind::Unavailable, "bench", "PEER_FAILED", message)
        };
        let directory = std::env::temp_dir().join(format!("throughline-peer-{}", id::new_body()));
        std::fs::create_dir_all(&directory).map_err(failed)?;
        let file = directory.join("configuration");
        let text = make.configuration(listen, backend, &directory.display().to_string());
        std::fs::write(&file, text).map_err(failed)?;
        let arguments: &[&str] = match make {
            Make::Nginx => &["-c"],
            Make::HaProxy => &["-db", "-f"],
        };
        let started = Command::new(make.program())
            .args(arguments)
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match started {
            Ok(child) => {
                let peer = Self { child, directory };
                peer.wait(make, listen).await?;
                Ok(Some(peer))
            }
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                let _ = std::fs::remove_dir_all(&directory);
                Ok(None)
            }
            Err(cause) => Err(failed(cause)),
        }
    }

    async fn wait(&self, make: Make, listen: u16) -> Result<(), Error> {
        let listens = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", listen)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(START_TIMEOUT, listens).await.map_err(|_| {
            let message = format!("{} does not listen on {listen}", make.program());
            Error::new(Kind::Unavailable, "bench", "PEER_FAILED", message)
        })
    }

    /// Its process.
    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // A worker of nginx ends with its master only when the master is asked to.
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        if asked.is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
