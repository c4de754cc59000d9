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
