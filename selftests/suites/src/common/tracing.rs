// SPDX-License-Identifier: GPL-2.0

//! Trace events of FUSE, and calls of the kernel's functions, in the kernel's own buffer.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::setting::set;

/// Where they are.
pub const EVENTS: &str = "/sys/kernel/tracing/events/fuse";

const TRACE: &str = "/sys/kernel/tracing/trace";
const KPROBES: &str = "/sys/kernel/tracing/kprobe_events";

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

/// A function of the kernel's, each call of which is traced while it lives.
pub struct Probe {
    name: &'static str,
    tracing: Option<Tracing>,
}

impl Probe {
    /// With these of its arguments, in the words of `kprobe_events`.
    pub fn of(function: &'static str, arguments: &str) -> Probe {
        ktap::needs("CONFIG_KPROBE_EVENTS");
        Probe::define(&format!("p:rf/{function} {function} {arguments}"));
        Probe {
            name: function,
            tracing: Some(Tracing::start(vec![Path::new(EVENTS)
                .with_file_name("rf")
                .join(function)
                .join("enable")])),
        }
    }

    fn define(text: &str) {
        let opened = std::fs::OpenOptions::new().append(true).open(KPROBES);
        let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
        written.unwrap_or_else(|e| panic!("{text}: {e}"));
    }

    /// The arguments of each call so far.
    pub fn calls(&self) -> Vec<String> {
        let text = self.tracing.as_ref().map(Tracing::text).unwrap_or_default();
        // What comes before is the address.
        let call = |line: &str| {
            let (_, call) = line.split_once(&format!(" {}: (", self.name))?;
            Some(call.split_once(") ")?.1.to_string())
        };
        text.lines().filter_map(call).collect()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // It cannot be taken away while it is on.
        self.tracing = None;
        Probe::define(&format!("-:rf/{}", self.name));
    }
}
