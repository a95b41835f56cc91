//! A channel's own HTTP server: keeps what it is sent, checks signatures, and misbehaves on request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use throughline_kit::testing::eventually;
use tokio::net::TcpListener;

/// What the receiver answers.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A status and a body.
    Status(u16, String),
    /// Sends the caller somewhere else.
    Redirect(String),
    /// Never answers.
    Silence,
}

/// One request, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub(crate) id: String,
    pub(crate) timestamp: String,
    pub(crate) signatures: Vec<String>,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

impl Received {
    /// Whether one of its signatures is of a secret.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let key =
            STANDARD.decode(secret.strip_prefix("whsec_").expect("a secret")).expect("base64");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let signed = format!("{}.{}.{}", self.id, self.timestamp, self.body);
        self.signatures.iter().any(|signature| {
            let tag = signature.strip_prefix("v1,").expect("version 1");
            let tag = STANDARD.decode(tag).expect("base64");
            hmac::verify(&key, signed.as_bytes(), &tag).is_ok()
        })
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    pub(crate) fn kind(&self) -> String {
        self.json()["type"].as_str().expect("a type").to_owned()
    }
}

#[derive(Debug)]
struct Desk {
    received: Vec<Received>,
    next: VecDeque<Reply>,
    otherwise: Reply,
}

/// A server that lives as long as the test.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    desk: Arc<Mutex<Desk>>,
}

impl Receiver {
    /// Serves on loopback and answers 204.
    pub(crate) async fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let otherwise = Reply::Status(204, String::new());
        let desk = Desk { received: Vec::new(), next: VecDeque::new(), otherwise };
        let receiver = Self { url, desk: Arc::new(Mutex::new(desk)) };
        let router = Router::new().route("/{*path}", any(take)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    /// Answers the next requests so.
    pub(crate) fn next(&self, replies: &[Reply]) {
        self.desk().next.extend(replies.iter().cloned());
    }

    /// Answers all other requests so.
    pub(crate) fn always(&self, reply: Reply) {
        self.desk().otherwise = reply;
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.desk().received.clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.desk().received.len()
    }

    /// Waits for a number of requests, while the clock stands still.
    pub(crate) async fn hears(&self, count: usize) -> Vec<Received> {
        eventually("the receiver hears", async || (self.count() >= count).then_some(())).await;
        let received = self.received();
        assert_eq!(received.len(), count, "{received:#?}");
        received
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: String) -> Response {
    let text = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let reply = {
        let mut desk = receiver.desk();
        desk.received.push(Received {
            id: text("webhook-id"),
            timestamp: text("webhook-timestamp"),
            signatures: text("webhook-signature").split(' ').map(str::to_owned).collect(),
            content_type: text("content-type"),
            body,
        });
        desk.next.pop_front().unwrap_or_else(|| desk.otherwise.clone())
    };
    match reply {
        Reply::Status(code, body) => {
            (StatusCode::from_u16(code).expect("a status"), body).into_response()
        }
        Reply::Redirect(to) => (StatusCode::TEMPORARY_REDIRECT, [("location", to)]).into_response(),
        Reply::Silence => std::future::pending().await,
    }
}
