// SPDX-License-Identifier: GPL-2.0

//! What files of several operations do with mockd.

use mockd::errno::Res;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::{Mock, Op};

/// Offsets and sizes of all requests of one operation so far.
pub fn sizes(m: &Mock, op: Op) -> Vec<(u64, u64)> {
    m.rec
        .all()
        .iter()
        .filter(|r| r.op == op)
        .map(|r| (r.get("offset"), r.get("size")))
        .collect()
}

/// Calls stat for `rel` so many times.
pub fn stat_times(m: &mut Mock, fs: &mut Memfs, rel: &str, n: usize) {
    let rel = rel.to_string();
    let r: Vec<Res<()>> = m.run(fs, |mnt| {
        (0..n)
            .map(|_| user::lstat(&mnt.join(&rel)).map(drop))
            .collect()
    });
    assert_eq!(r, vec![Ok(()); n]);
}
