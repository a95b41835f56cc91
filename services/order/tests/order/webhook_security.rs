//! Webhooks go over TLS to those who can prove their name, and leave no secret behind.

use std::io::Write;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::NamedTempFile;
use throughline_kit::testing::eventually;
use throughline_order::{Config, WebhookConfig};
use throughline_proto::order::v1::{OrderState, WebhookDeliveryState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::fixture::Center;
use crate::requests::mugs;

/// A server on loopback whose certificate is made out to a name, and the authority that signed it.
async fn serve(name: &str) -> (u16, NamedTempFile) {
    let authority_key = KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = authority.self_signed(&authority_key).expect("signed");
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    let certificate = certificate.signed_by(&key, &issuer).expect("signed");

    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a certificate");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    let mut file = NamedTempFile::new().expect("a file");
    file.write_all(root.pem().as_bytes()).expect("written");
    (port, file)
}

fn trusting(ca_file: &NamedTempFile) -> Config {
    let webhook = WebhookConfig {
        allow_private_addresses: true,
        ca_file: ca_file.path().display().to_string(),
        ..WebhookConfig::default()
    };
    Config { webhook, ..Config::default() }
}

async fn outcome(center: &mut Center, url: &str) -> String {
    let (webhook_id, _) = center.set_webhook(url, &["order.accepted"]).await;
    let order_id = center.submit(mugs(1)).await;
    center.becomes(&order_id, OrderState::Completed).await;
    eventually("an attempt ends", async || {
        let all = center.deliveries(&webhook_id).await;
        let mine = all.into_iter().find(|delivery| delivery.order_id == order_id)?;
        let is_delivered = mine.state() == WebhookDeliveryState::Delivered;
        let reason = mine.failure.map(|failure| failure.reason);
        reason.or_else(|| is_delivered.then(|| "delivered".to_owned()))
    })
    .await
}

on_each_database!(a_receiver_must_prove_its_name, async |mut center: Center| {
    for (certified, called, trusted, expected) in [
        ("localhost", "localhost", true, "delivered"),
        ("127.0.0.1", "127.0.0.1", true, "delivered"),
        ("shop.example.com", "localhost", true, "TLS_FAILED"),
        ("localhost", "localhost", false, "TLS_FAILED"),
    ] {
        let (port, authority) = serve(certified).await;
        let (_, other_authority) = serve(certified).await;
        let authority = if trusted { authority } else { other_authority };
        center = center.restart_with(trusting(&authority)).await;
        let url = format!("https://{called}:{port}/");
        assert_eq!(outcome(&mut center, &url).await, expected, "{certified} at {called}");
    }
    center
});
