//! The addresses of networks that may be read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which addresses of networks may be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressRule {
    /// Any: the environment names the endpoint.
    Any,
    /// Any but those of the metadata service of a machine in a cloud, which has its credentials.
    NoMetadata,
    /// Public ones only.
    Public,
}

impl AddressRule {
    /// Whether an address may be connected to.
    pub(crate) fn allows(self, address: IpAddr) -> bool {
        let address = embedded_v4(address).map_or(address, IpAddr::V4);
        match self {
            Self::Any => true,
            Self::NoMetadata => !is_link_local(address) && !is_of_many(address),
            Self::Public => is_public(address),
        }
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, or translated by NAT64.
fn embedded_v4(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else { return None };
    let [prefix @ .., high, low] = address.segments();
    let embedded = Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    let is_translated = prefix == [0x64, 0xff9b, 0, 0, 0, 0];
    // `::` and `::1` are addresses of IPv6.
    let is_compatible = prefix == [0; 6] && u32::from(embedded) > 1;
    address.to_ipv4_mapped().or((is_translated || is_compatible).then_some(embedded))
}

/// The addresses of one link, among them 169.254.169.254 of metadata services, and the one of AWS with IPv6.
fn is_link_local(address: IpAddr) -> bool {
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.segments()[0] & 0xffc0 == 0xfe80 || address == METADATA,
    }
}

/// Addresses that are of no single machine.
fn is_of_many(address: IpAddr) -> bool {
    let is_reserved = |address: Ipv4Addr| address.is_broadcast() || address.octets()[0] >= 240;
    address.is_multicast() || matches!(address, IpAddr::V4(address) if is_reserved(address))
}

/// Whether an address is globally reachable unicast: no loopback, private, link-local, shared, documentation, benchmarking,
/// multicast or reserved address (IANA special-purpose registries, RFC 6890). One of IPv6 that stands for one of IPv4 is as public
/// as this.
pub fn is_public(address: IpAddr) -> bool {
    match embedded_v4(address).map_or(address, IpAddr::V4) {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = matches!(
        (a, b, c),
        // This network, private, loopback, and all of multicast and the reserved addresses above.
        (0 | 10 | 127 | 224.., ..)
            | (172, 16..=31, _)
            | (192, 168, _)
            // Shared between a carrier's customers, link-local.
            | (100, 64..=127, _)
            | (169, 254, _)
            // Protocol assignments, documentation, 6to4 relays, benchmarking.
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Global unicast is 2000::/3: neither ::1 nor the IPv4-mapped, NAT64, unique-local, link-local and multicast addresses.
    let is_global = first & 0xe000 == 0x2000;
    // Teredo and other protocol assignments (2001::/23), documentation, and 6to4.
    let is_special =
        first == 0x2001 && (second < 0x200 || second == 0xdb8) || first == 0x2002 || first == 0x3fff && second < 0x1000;
    is_global && !is_special
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn private_networks_and_metadata_services_are_distinguished_from_public_addresses() {
        for (address, is_allowed) in [
            ("93.184.216.34", [true, true, true]),
            ("2606:4700::1111", [true, true, true]),
            ("127.0.0.1", [true, true, false]),
            ("10.1.2.3", [true, true, false]),
            ("172.31.0.1", [true, true, false]),
            ("192.168.1.1", [true, true, false]),
            ("100.64.0.1", [true, true, false]),
            ("0.0.0.0", [true, true, false]),
            ("::1", [true, true, false]),
            ("::ffff:10.0.0.1", [true, true, false]),
            ("64:ff9b::a00:1", [true, true, false]),
            ("fd12::1", [true, true, false]),
            ("169.254.169.254", [true, false, false]),
            ("::ffff:169.254.169.254", [true, false, false]),
            ("64:ff9b::a9fe:a9fe", [true, false, false]),
            ("fd00:ec2::254", [true, false, false]),
            ("fe80::1", [true, false, false]),
            ("224.0.0.1", [true, false, false]),
            ("255.255.255.255", [true, false, false]),
        ] {
            let rules = [AddressRule::Any, AddressRule::NoMetadata, AddressRule::Public];
            assert_eq!(rules.map(|rule| rule.allows(address.parse().unwrap())), is_allowed, "{address}");
        }
    }

    #[test]
    fn only_globally_reachable_addresses_are_public() {
        for public in [
            "1.1.1.1",
            "93.184.215.14",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "192.0.1.1",
            "2606:4700::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for special in [
            "0.0.0.0",
            "10.1.2.3",
            "127.0.0.1",
            "127.255.0.9",
            "100.64.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.8",
            "::10.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(special.parse().unwrap()), "{special}");
        }
    }
}
