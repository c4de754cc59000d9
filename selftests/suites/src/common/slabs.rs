// SPDX-License-Identifier: GPL-2.0

//! Memory that the kernel's slabs take.

/// KiB that they take now, with nothing kept at hand.
pub fn now() -> i64 {
    for cache in std::fs::read_dir("/sys/kernel/slab").expect("caches") {
        // One that goes meanwhile has nothing to give.
        let _ = std::fs::write(cache.expect("a cache").path().join("shrink"), "1");
    }
    // Each processor counts for itself, up to here.
    std::fs::read("/proc/sys/vm/stat_refresh").expect("numbers");
    let text = std::fs::read_to_string("/proc/meminfo").expect("meminfo");
    let kib = text.lines().find_map(|l| l.strip_prefix("Slab:"));
    let kib = kib.expect("slabs").trim().trim_end_matches(" kB");
    kib.parse().expect("KiB")
}

/// The same when nothing is cached that nobody uses.
pub fn idle() -> i64 {
    mockd::user::drop_caches();
    now()
}
