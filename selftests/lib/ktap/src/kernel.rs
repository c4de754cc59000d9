// SPDX-License-Identifier: GPL-2.0

//! What the running kernel was built with: `/proc/config.gz` (CONFIG_IKCONFIG_PROC).
//!
//! A kernel that does not say it has everything: a case that lacks something then fails, and says
//! what.

use std::process::Command;
use std::sync::OnceLock;

/// How the reason to skip begins if another kernel may run the case; `scripts/lib/lanes.sh` goes by
/// it.
pub const LACKING: &str = "this kernel has no ";

/// The lines of the configuration.
fn config() -> Option<&'static str> {
    static CONFIG: OnceLock<Option<String>> = OnceLock::new();
    CONFIG
        .get_or_init(|| {
            let out = Command::new("gzip")
                .args(["-dc", "/proc/config.gz"])
                .output()
                .ok()?;
            out.status.success().then_some(())?;
            String::from_utf8(out.stdout).ok()
        })
        .as_deref()
}

/// Reads it. Done once before there are cases, each of which inherits it.
pub(crate) fn read() {
    config();
}

fn says(config: &str, option: &str) -> bool {
    config
        .lines()
        .filter_map(|line| line.strip_prefix(option)?.strip_prefix('='))
        .any(|value| value != "n")
}

/// Whether the kernel has `option`, as in `has("CONFIG_SYSCTL")`; a module counts.
pub fn has(option: &str) -> bool {
    config().is_none_or(|config| says(config, option))
}

/// Ends the running case as skipped if the kernel was built without `option`. For the process of
/// the case.
pub fn needs(option: &str) {
    if !has(option) {
        crate::skip(&format!("{LACKING}{option}"));
    }
}

/// The same if there is one processor alone, for what happens to a kernel that is busy.
pub fn needs_second_processor() {
    if std::thread::available_parallelism().is_ok_and(|n| n.get() < 2) {
        crate::skip(&format!("{LACKING}second processor"));
    }
}

#[cfg(test)]
mod tests {
    use super::says;

    #[test]
    fn options() {
        let config = "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_CD=m\nCONFIG_E=\"n\"\n";
        for (option, there) in [
            ("CONFIG_A", true),
            ("CONFIG_B", false),
            ("CONFIG_C", false),
            ("CONFIG_CD", true),
            ("CONFIG_E", true),
            ("A", false),
        ] {
            assert_eq!(says(config, option), there, "{option}");
        }
    }
}
