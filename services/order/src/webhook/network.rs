//! Which addresses a channel may have us call: those of the public internet, so that a webhook is no way into the
//! networks that the center itself can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far webhooks reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// The public internet only.
    Public,
    /// Loopback and private networks as well.
    PrivateToo,
}

/// Who may be called in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Only with [`Network::PrivateToo`].
    Private,
    /// Nobody ever.
    Never,
}

use Reach::{Never, Private};

/// IPv4 ranges that are not the public internet: first address, bits of the prefix.
const RANGES_V4: &[(Ipv4Addr, u32, Reach, &str)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8, Never, "unspecified"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Private, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Private, "shared by a carrier"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Private, "loopback"),
    // The metadata services of clouds, which give out credentials, stand here.
    (Ipv4Addr::new(169, 254, 0, 0), 16, Never, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Private, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Never, "reserved"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Never, "documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Never, "reserved"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Private, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Never, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Never, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Never, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Never, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Never, "reserved"),
];

/// IPv6 ranges with a name of their own.
const RANGES_V6: &[(Ipv6Addr, u32, Reach, &str)] = &[
    (Ipv6Addr::UNSPECIFIED, 128, Never, "unspecified"),
    (Ipv6Addr::LOCALHOST, 128, Private, "loopback"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Private, "private"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, Never, "link-local"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, Never, "multicast"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Never, "reserved"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Never, "documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, Never, "a tunnel"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Never, "documentation"),
];
/// Metadata service of a cloud inside the private range.
const CLOUD_METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0);
const CLOUD_METADATA_BITS: u32 = 32;
/// All public IPv6 addresses.
const GLOBAL_UNICAST: Ipv6Addr = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);
const GLOBAL_UNICAST_BITS: u32 = 3;
/// Translated to the IPv4 address in their last 32 bits.
const TRANSLATED: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);
const TRANSLATED_BITS: u32 = 96;

impl Network {
    /// Says why an address may not be called; nothing when it may.
    pub(crate) fn refusal(self, address: IpAddr) -> Option<&'static str> {
        let (reach, name) = match address {
            IpAddr::V4(address) => special_v4(address)?,
            IpAddr::V6(address) => special_v6(address)?,
        };
        match (self, reach) {
            (Self::PrivateToo, Private) => None,
            (Self::PrivateToo | Self::Public, _) => Some(name),
        }
    }

    /// Whether loopback may be called.
    pub(crate) fn has_loopback(self) -> bool {
        self == Self::PrivateToo
    }
}

fn special_v4(address: Ipv4Addr) -> Option<(Reach, &'static str)> {
    let holds = |first: Ipv4Addr, bits: u32| {
        let mask = u32::MAX << (u32::BITS - bits);
        address.to_bits() & mask == first.to_bits()
    };
    let found = RANGES_V4.iter().find(|(first, bits, ..)| holds(*first, *bits));
    found.map(|(_, _, reach, name)| (*reach, *name))
}

fn special_v6(address: Ipv6Addr) -> Option<(Reach, &'static str)> {
    let holds = |first: Ipv6Addr, bits: u32| {
        let mask = u128::MAX << (u128::BITS - bits);
        address.to_bits() & mask == first.to_bits()
    };
    if let Some(mapped) = address.to_ipv4_mapped() {
        return special_v4(mapped);
    }
    if holds(TRANSLATED, TRANSLATED_BITS) {
        let [.., a, b, c, d] = address.octets();
        return special_v4(Ipv4Addr::new(a, b, c, d));
    }
    if holds(CLOUD_METADATA, CLOUD_METADATA_BITS) {
        return Some((Never, "metadata of a cloud"));
    }
    let found = RANGES_V6.iter().find(|(first, bits, ..)| holds(*first, *bits));
    let named = found.map(|(_, _, reach, name)| (*reach, *name));
    let is_global = holds(GLOBAL_UNICAST, GLOBAL_UNICAST_BITS);
    named.or_else(|| (!is_global).then_some((Never, "reserved")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn the_public_internet_may_be_called() {
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:200::1",
            "2001:4860:4860::8888",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
        ] {
            for network in [Network::Public, Network::PrivateToo] {
                assert_eq!(network.refusal(address(public)), None, "{public}");
            }
        }
    }

    #[test]
    fn private_networks_may_be_called_where_that_is_allowed() {
        for (private, name) in [
            ("10.0.0.0", "private"),
            ("10.255.255.255", "private"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.168.1.1", "private"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("100.64.0.1", "shared by a carrier"),
            ("100.127.255.255", "shared by a carrier"),
            ("::1", "loopback"),
            ("fc00::1", "private"),
            ("fdff:ffff::1", "private"),
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:10.1.2.3", "private"),
            ("64:ff9b::192.168.0.1", "private"),
        ] {
            assert_eq!(Network::Public.refusal(address(private)), Some(name), "{private}");
            assert_eq!(Network::PrivateToo.refusal(address(private)), None, "{private}");
        }
    }

    #[test]
    fn some_addresses_are_never_called() {
        for (never, name) in [
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("169.254.169.254", "link-local"),
            ("::ffff:169.254.169.254", "link-local"),
            ("64:ff9b::169.254.169.254", "link-local"),
            ("192.0.0.8", "reserved"),
            ("192.0.2.1", "documentation"),
            ("198.51.100.1", "documentation"),
            ("203.0.113.255", "documentation"),
            ("198.19.255.255", "benchmarking"),
            ("224.0.0.1", "multicast"),
            ("239.255.255.255", "multicast"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.255", "reserved"),
            ("::", "unspecified"),
            ("::127.0.0.1", "reserved"),
            ("64:ff9b:1::10.0.0.1", "reserved"),
            ("100::1", "reserved"),
            ("fe80::1", "link-local"),
            ("febf::1", "link-local"),
            ("fec0::1", "reserved"),
            ("ff02::1", "multicast"),
            ("2001::1", "reserved"),
            ("2001:db8::1", "documentation"),
            ("3fff::1", "documentation"),
            ("2002:7f00:1::1", "a tunnel"),
            ("fd00:ec2::254", "metadata of a cloud"),
        ] {
            for network in [Network::Public, Network::PrivateToo] {
                assert_eq!(network.refusal(address(never)), Some(name), "{never}");
            }
        }
    }
}
