// SPDX-License-Identifier: GPL-2.0

//! Trace events of FUSE, in the kernel's own buffer.

use std::path::{Path, PathBuf};

use crate::setting::set;

/// Where they are.
pub const EVENTS: &str = "/sys/kernel/tracing/events/fuse";

const TRACE: &str = "/sys/kernel/tracing/trace";

/// Some of them are on while it lives.
pub struct Tracing(Vec<PathBuf>);

impl Tracing {
    /// All.
    pub fn all() -> Tracing {
        Tracing::start(vec![Path::new(EVENTS).join("enable")])
    }

    /// Those with these names.
    pub fn of(names: &[&str]) -> Tracing {
        let file = |name| Path::new(EVENTS).join(name).join("enable");
        Tracing::start(names.iter().map(file).collect())
    }

    fn start(files: Vec<PathBuf>) -> Tracing {
        ktap::needs("CONFIG_EVENT_TRACING");
        let _ = std::fs::write(TRACE, "");
        let t = Tracing(files);
        t.switch("1");
        t
    }

    fn switch(&self, v: &str) {
        for file in &self.0 {
            set(file, v).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        }
    }

    /// What has been traced.
    pub fn text(&self) -> String {
        std::fs::read_to_string(TRACE).expect("trace")
    }
}

impl Drop for Tracing {
    fn drop(&mut self) {
        self.switch("0");
    }
}

/// A probe at a function of the kernel: a line in the buffer for each call while it lives.
pub struct Probe {
    name: &'static str,
    enable: PathBuf,
}

const PROBES: &str = "/sys/kernel/tracing/kprobe_events";

impl Probe {
    /// A line with the name and these arguments, in the language of kprobe_events.
    pub fn at(function: &str, name: &'static str, args: &str) -> Probe {
        ktap::needs("CONFIG_KPROBE_EVENTS");
        let _ = std::fs::write(TRACE, "");
        set(
            Path::new(PROBES),
            &format!("p:rf/{name} {function} {args}\n"),
        )
        .unwrap_or_else(|e| panic!("{function}: {e}"));
        let enable = Path::new("/sys/kernel/tracing/events/rf")
            .join(name)
            .join("enable");
        let probe = Probe { name, enable };
        set(&probe.enable, "1").expect("enable");
        probe
    }

    /// The arguments of each call so far.
    pub fn calls(&self) -> Vec<String> {
        let text = std::fs::read_to_string(TRACE).expect("trace");
        let mark = format!(" {}: ", self.name);
        text.lines()
            .filter_map(|l| l.split_once(&mark))
            .map(|(_, l)| l.split_once(") ").map_or(l, |(_, args)| args).to_string())
            .collect()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = set(&self.enable, "0");
        // Appended: others stay.
        let file = std::fs::OpenOptions::new().append(true).open(PROBES);
        let _ = file.and_then(|mut f| {
            use std::io::Write;
            writeln!(f, "-:rf/{}", self.name)
        });
    }
}
