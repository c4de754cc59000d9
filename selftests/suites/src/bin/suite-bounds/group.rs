// SPDX-License-Identifier: GPL-2.0

//! The control group that an ordinary user is in: how much memory and how many tasks they may have.

use std::path::{Path, PathBuf};

use mockd::errno::check;

const ROOT: &str = "/sys/fs/cgroup";

/// Tasks that the user may have.
pub const TASKS: usize = 64;

/// Takes everybody in it to their end, and is removed, when dropped.
pub struct Group(PathBuf);

impl Group {
    /// With so many MiB of memory.
    pub fn new(room: i64) -> Group {
        ktap::needs("CONFIG_MEMCG");
        ktap::needs("CONFIG_CGROUP_PIDS");
        let g = Group(Path::new(ROOT).join("bounds"));
        put(
            &Path::new(ROOT).join("cgroup.subtree_control"),
            "+memory +pids",
        );
        let _ = std::fs::remove_dir(&g.0);
        std::fs::create_dir(&g.0).expect("the group");
        put(&g.0.join("memory.max"), &format!("{room}M"));
        put(&g.0.join("pids.max"), &TASKS.to_string());
        g
    }

    /// Takes this process in, and all that it forks from now on.
    pub fn enter(&self) {
        put(
            &self.0.join("cgroup.procs"),
            &std::process::id().to_string(),
        );
    }

    /// KiB that it has now.
    pub fn current(&self) -> i64 {
        self.bytes("memory.current") / 1024
    }

    /// KiB that it has had at most.
    pub fn peak(&self) -> i64 {
        self.bytes("memory.peak") / 1024
    }

    fn bytes(&self, file: &str) -> i64 {
        let text = std::fs::read_to_string(self.0.join(file)).expect(file);
        text.trim().parse().expect(file)
    }

    /// A number of `memory.events` or `pids.events`.
    pub fn events(&self, file: &str, name: &str) -> u64 {
        count(&self.0.join(file), name)
    }

    /// Sends SIGKILL to everybody in it, and waits until all are gone and buried.
    pub fn end(&self) {
        put(&self.0.join("cgroup.kill"), "1");
        suites::daemon::until("the end of the user's processes", || {
            bury();
            (count(&self.0.join("cgroup.events"), "populated") == 0).then_some(())
        });
        bury();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
        let _ = std::fs::remove_dir(&self.0);
    }
}

fn put(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap_or_else(|e| panic!("{}: {text}: {e}", file.display()));
}

fn count(file: &Path, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).expect("events");
    let line = text
        .lines()
        .find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
    line.expect(name).parse().expect(name)
}

/// Has the user's orphans become children of this process, which must bury them: a task counts
/// until then.
pub fn adopt() {
    // SAFETY: integers.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) }).expect("subreaper");
}

/// Buries all children that have died.
fn bury() {
    // SAFETY: no place for the status.
    while unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } > 0 {}
}
