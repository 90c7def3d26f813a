//! Whether this machine is one of a cloud, which gives it credentials.

use std::fs;

/// A cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cloud {
    Aws,
    Google,
    Azure,
}

/// The cloud of this machine, by what its firmware states; on other systems than Linux, `None`.
///
/// So no request is sent to an address where nothing may listen, and a computer at a desk waits for no timeout.
pub(crate) fn cloud_of_machine() -> Option<Cloud> {
    cloud_of(|name| fs::read_to_string(name).ok())
}

fn cloud_of(read: impl Fn(&str) -> Option<String>) -> Option<Cloud> {
    let has =
        |name: &str, text: &str| read(name).is_some_and(|found| found.trim().to_ascii_lowercase().starts_with(text));
    if has("/sys/class/dmi/id/sys_vendor", "amazon ec2") || has("/sys/hypervisor/uuid", "ec2") {
        Some(Cloud::Aws)
    } else if has("/sys/class/dmi/id/product_name", "google") {
        Some(Cloud::Google)
    } else if has("/sys/class/dmi/id/chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77") {
        Some(Cloud::Azure)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cloud_of_a_machine_is_that_of_its_firmware() {
        let machine = |file: &'static str, text: &'static str| cloud_of(|name| (name == file).then(|| text.to_owned()));
        assert_eq!(machine("/sys/class/dmi/id/sys_vendor", "Amazon EC2\n"), Some(Cloud::Aws));
        assert_eq!(machine("/sys/hypervisor/uuid", "ec2e1916-9099\n"), Some(Cloud::Aws));
        assert_eq!(machine("/sys/class/dmi/id/product_name", "Google Compute Engine\n"), Some(Cloud::Google));
        assert_eq!(
            machine("/sys/class/dmi/id/chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77\n"),
            Some(Cloud::Azure)
        );
        assert_eq!(machine("/sys/class/dmi/id/sys_vendor", "LENOVO\n"), None);
    }
}
