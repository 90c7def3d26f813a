//! Address ranges of trusted proxies.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The addresses of proxies: a single address, a range in CIDR notation such as `10.0.0.0/8`, or a named group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub enum ProxyRange {
    /// `loopback`: 127.0.0.0/8 and `::1`.
    Loopback,
    /// `private`: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 and `fc00::/7`.
    Private,
    /// The addresses that have the first `prefix_bits` bits of `address`.
    Network {
        /// An address of the range.
        address: IpAddr,
        /// The length of the common prefix in bits: at most 32 for IPv4, 128 for IPv6.
        prefix_bits: u8,
    },
}

impl ProxyRange {
    /// Whether the range contains `address`. An IPv4-mapped IPv6 address counts as IPv4.
    pub fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match (self, address) {
            (Self::Loopback, address) => address.is_loopback(),
            (Self::Private, IpAddr::V4(address)) => address.is_private(),
            (Self::Private, IpAddr::V6(address)) => address.is_unique_local(),
            (Self::Network { address: first, prefix_bits }, address) => {
                let ([first, first_width], [other, other_width]) = (bits(first), bits(address));
                let host_bits = first_width.saturating_sub(u128::from(prefix_bits));
                first_width == other_width && (first ^ other).checked_shr(host_bits as u32).unwrap_or(0) == 0
            }
        }
    }
}

/// The bits of an address, and their number.
fn bits(address: IpAddr) -> [u128; 2] {
    match address {
        IpAddr::V4(address) => [u128::from(address.to_bits()), 32],
        IpAddr::V6(address) => [address.to_bits(), 128],
    }
}

impl FromStr for ProxyRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || format!("`{text}` is not an IP address, a range such as 10.0.0.0/8, loopback or private");
        match text {
            "loopback" => return Ok(Self::Loopback),
            "private" => return Ok(Self::Private),
            _ => {}
        }
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = prefix.map_or(Ok(width), |prefix| prefix.parse().map_err(|_| malformed()))?;
        if prefix_bits > width { Err(malformed()) } else { Ok(Self::Network { address, prefix_bits }) }
    }
}

impl fmt::Display for ProxyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback => f.write_str("loopback"),
            Self::Private => f.write_str("private"),
            Self::Network { address: IpAddr::V4(address), prefix_bits: 32 } => write!(f, "{address}"),
            Self::Network { address: IpAddr::V6(address), prefix_bits: 128 } => write!(f, "{address}"),
            Self::Network { address, prefix_bits } => write!(f, "{address}/{prefix_bits}"),
        }
    }
}

impl TryFrom<String> for ProxyRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ProxyRange> for String {
    fn from(range: ProxyRange) -> Self {
        range.to_string()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_range_contains_exactly_its_addresses() {
        for (range, inside, outside) in [
            ("192.0.2.7", "192.0.2.7 ::ffff:192.0.2.7", "192.0.2.6 192.0.3.7 ::c000:207 ::1"),
            ("10.1.0.0/16", "10.1.0.0 10.1.255.255", "10.2.0.0 11.1.0.0 ::a01:0"),
            ("192.0.2.128/25", "192.0.2.128 192.0.2.255", "192.0.2.127"),
            ("0.0.0.0/0", "1.2.3.4 255.255.255.255", "::1 2001:db8::1"),
            ("::/0", "::1 2001:db8::1", "1.2.3.4 ::ffff:1.2.3.4"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1 2001:db9::"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
            ("loopback", "127.0.0.1 127.9.9.9 ::1 ::ffff:127.0.0.1", "128.0.0.1 10.0.0.1 ::2"),
            ("private", "10.9.8.7 172.16.0.1 172.31.0.1 192.168.1.1 fd00::1", "127.0.0.1 172.32.0.1 ::1 fe80::1"),
        ] {
            let parsed: ProxyRange = range.parse().unwrap();
            assert_eq!(parsed.to_string(), range);
            let contains = |address: &str| parsed.contains(address.parse().unwrap());
            assert!(inside.split(' ').all(contains), "{range}");
            assert!(!outside.split(' ').any(contains), "{range}");
        }
        for bad in ["", "proxy", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8", "10.0.0.0/-1", "10.0.0.1:80", "*"] {
            assert!(bad.parse::<ProxyRange>().unwrap_err().contains("10.0.0.0/8"), "{bad}");
        }
    }
}
