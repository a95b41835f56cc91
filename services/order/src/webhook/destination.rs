//! Where a webhook goes: a URL that was checked, and the addresses behind it that may be called.

use std::net::{IpAddr, SocketAddr};

use rustls::pki_types::ServerName;
use url::{Host, Url};

use super::network::Network;
use crate::failure::Failure;

/// Characters of a URL at most.
pub(crate) const MAX_URL_LENGTH: usize = 2_048;
/// Ports below are for services that are not HTTP, but for these two.
const FIRST_FREE_PORT: u16 = 1_024;
const HTTP_PORTS: [u16; 2] = [80, 443];
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;

/// A URL that may be called, as far as can be told from its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    url: Url,
    host: Host<String>,
    port: u16,
    network: Network,
}

impl Destination {
    /// Reads a URL; says what is wrong with one that is refused.
    pub(crate) fn parse(text: &str, network: Network) -> Result<Self, String> {
        let length = text.chars().count();
        if length > MAX_URL_LENGTH {
            return Err(format!("has {length} characters, at most {MAX_URL_LENGTH} are allowed"));
        }
        // The parser would drop some of them silently.
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("must have no spaces and no control characters".to_owned());
        }
        let url = Url::parse(text).map_err(|cause| format!("is no absolute URL: {cause}"))?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(format!("must begin with http:// or https://, not {}:", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            let why = "must have no user and password; receivers verify the signature instead";
            return Err(why.to_owned());
        }
        if url.fragment().is_some() {
            return Err("must have no fragment: it would not be sent".to_owned());
        }
        let port = url.port_or_known_default().unwrap_or_default();
        if port < FIRST_FREE_PORT && !HTTP_PORTS.contains(&port) {
            return Err(format!("port {port} is not for HTTP; use 80, 443 or 1024 and above"));
        }
        let host = url.host().ok_or("has no host")?.to_owned();
        check_host(&host, network)?;
        Ok(Self { host, port, network, url })
    }

    /// The URL in its usual form.
    pub(crate) fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// Whether it is called over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// What a request asks for: path and query.
    pub(crate) fn path(&self) -> String {
        let query = self.url.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}{query}", self.url.path())
    }

    /// Header `host`.
    pub(crate) fn authority(&self) -> String {
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}{port}", self.host)
    }

    /// Whom the certificate must be made out to.
    pub(crate) fn server_name(&self) -> Result<ServerName<'static>, Failure> {
        match &self.host {
            Host::Ipv4(address) => Ok(IpAddr::V4(*address).into()),
            Host::Ipv6(address) => Ok(IpAddr::V6(*address).into()),
            Host::Domain(name) => {
                let name = name.trim_end_matches('.').to_owned();
                ServerName::try_from(name).map_err(|cause| refused(&cause.to_string()))
            }
        }
    }

    /// Looks up where it leads now, and gives only what may be called: whoever connects must connect to these, as the
    /// same name may lead elsewhere when it is looked up again.
    pub(crate) async fn addresses(&self) -> Result<Vec<SocketAddr>, Failure> {
        let found = match &self.host {
            Host::Ipv4(address) => vec![SocketAddr::new(IpAddr::V4(*address), self.port)],
            Host::Ipv6(address) => vec![SocketAddr::new(IpAddr::V6(*address), self.port)],
            Host::Domain(name) => {
                let found = tokio::net::lookup_host((name.as_str(), self.port)).await;
                let failed = |cause: std::io::Error| not_resolved(name, &cause.to_string());
                found.map_err(failed)?.collect()
            }
        };
        permitted(found, self.network)
    }
}

fn check_host(host: &Host<String>, network: Network) -> Result<(), String> {
    let address = match host {
        Host::Ipv4(address) => IpAddr::V4(*address),
        Host::Ipv6(address) => IpAddr::V6(*address),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            let is_local = name == "localhost" || name.ends_with(".localhost");
            if is_local && !network.has_loopback() {
                return Err(format!("{name} is this machine, which is not called"));
            }
            return Ok(());
        }
    };
    network.refusal(address).map_or(Ok(()), |name| Err(not_called(address, name)))
}

fn permitted(found: Vec<SocketAddr>, network: Network) -> Result<Vec<SocketAddr>, Failure> {
    let mut refusal = None;
    let mut permitted = Vec::new();
    for address in found {
        match network.refusal(address.ip()) {
            Some(name) => refusal = Some(not_called(address.ip(), name)),
            None if permitted.len() < MAX_ADDRESSES => permitted.push(address),
            None => {}
        }
    }
    match refusal {
        Some(why) if permitted.is_empty() => Err(refused(&why)),
        Some(_) | None => Ok(permitted),
    }
}

fn not_called(address: IpAddr, name: &str) -> String {
    format!("{address} is not on the public internet ({name}) and is not called")
}

fn refused(why: &str) -> Failure {
    Failure::new("DESTINATION_REFUSED", super::DOMAIN, why)
}

fn not_resolved(name: &str, cause: &str) -> Failure {
    let message = format!("look up {name}: {cause}");
    Failure::heard("NAME_NOT_RESOLVED", super::DOMAIN, &message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_the_public_internet_is_read() {
        for (text, authority, path, secure) in [
            ("https://shop.example.com", "shop.example.com", "/", true),
            (
                "https://shop.example.com:443/hook?a=1&b=2",
                "shop.example.com",
                "/hook?a=1&b=2",
                true,
            ),
            (
                "http://shop.example.com:8080/订单",
                "shop.example.com:8080",
                "/%E8%AE%A2%E5%8D%95",
                false,
            ),
            ("HTTPS://SHOP.example.com./x", "shop.example.com.", "/x", true),
            ("https://[2606:4700::1111]:8443/", "[2606:4700::1111]:8443", "/", true),
            ("http://1.1.1.1/", "1.1.1.1", "/", false),
        ] {
            let destination = Destination::parse(text, Network::Public).expect(text);
            assert_eq!(destination.authority(), authority, "{text}");
            assert_eq!(destination.path(), path, "{text}");
            assert_eq!(destination.is_secure(), secure, "{text}");
            destination.server_name().expect("a name");
        }
    }

    #[test]
    fn a_hostile_url_is_refused_with_the_reason() {
        let long = format!("https://shop.example.com/{}", "x".repeat(MAX_URL_LENGTH));
        for (text, why) in [
            ("", "no absolute URL"),
            ("/hook", "no absolute URL"),
            ("https://", "no absolute URL"),
            ("https://shop.example.com:99999/", "no absolute URL"),
            ("ftp://shop.example.com/", "must begin with http"),
            ("file:///etc/passwd", "must begin with http"),
            ("gopher://shop.example.com/", "must begin with http"),
            ("javascript:alert(1)", "must begin with http"),
            ("https://user@shop.example.com/", "no user and password"),
            ("https://:secret@shop.example.com/", "no user and password"),
            ("https://shop.example.com/#part", "no fragment"),
            ("https://shop.example.com/a b", "no spaces"),
            ("https://shop.example.com/\r\nhost: x", "no spaces"),
            ("https://shop.example.com/\0", "no spaces"),
            ("https://shop.example.com:22/", "port 22"),
            ("http://shop.example.com:25/", "port 25"),
            ("http://shop.example.com:0/", "port 0"),
            ("http://localhost/", "this machine"),
            ("http://api.localhost./", "this machine"),
            ("http://127.0.0.1/", "loopback"),
            ("http://2130706433/", "loopback"),
            ("http://0x7f.1/", "loopback"),
            ("http://0177.0.0.1/", "loopback"),
            ("http://[::1]/", "loopback"),
            ("http://[::ffff:10.0.0.1]/", "private"),
            ("http://169.254.169.254/latest/meta-data/", "link-local"),
            ("http://0/", "unspecified"),
            (&long, "at most 2048"),
        ] {
            let refused = Destination::parse(text, Network::Public).expect_err(text);
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }

    #[test]
    fn loopback_is_read_where_it_is_allowed() {
        for text in ["http://127.0.0.1:8080/", "http://localhost:8080/", "http://[::1]:8080/"] {
            Destination::parse(text, Network::PrivateToo).expect(text);
        }
    }

    #[test]
    fn of_what_a_name_leads_to_only_public_addresses_are_called() {
        let at = |text: &str| SocketAddr::new(text.parse().expect("an address"), 443);
        let mixed = vec![at("127.0.0.1"), at("1.1.1.1"), at("10.0.0.1"), at("2606:4700::1111")];
        let called = permitted(mixed, Network::Public).expect("two of them");
        assert_eq!(called, [at("1.1.1.1"), at("2606:4700::1111")]);
        let refused = permitted(vec![at("10.0.0.1")], Network::Public).expect_err("none of them");
        assert_eq!(refused.reason, "DESTINATION_REFUSED");
        let many = (1..=9).map(|n| at(&format!("1.1.1.{n}"))).collect();
        assert_eq!(permitted(many, Network::Public).expect("some").len(), MAX_ADDRESSES);
    }

    #[tokio::test]
    async fn a_name_that_leads_to_loopback_is_refused_when_it_is_called() {
        let called = Destination::parse("http://localhost:8080/", Network::PrivateToo);
        let mut destination = called.expect("read");
        assert!(!destination.addresses().await.expect("looked up").is_empty());
        destination.network = Network::Public;
        let refused = destination.addresses().await.expect_err("refused");
        assert_eq!(refused.reason, "DESTINATION_REFUSED");
    }
}
