// SPDX-License-Identifier: GPL-2.0

//! What a name and a node cost while the kernel knows them.

use ktap::{cases, Case};
use mockd::errno::Res;
use mockd::user;
use suites::slabs;

use crate::kit::*;

pub fn cases() -> Vec<Case> {
    cases![names_and_nodes]
}

const FILES: usize = 20_000;

/// What C's module takes for a name with its node, all of the kernel's part included, in bytes.
const EACH: i64 = 1212;

/// Names with nodes take no more than with C. (On debug kernels all is larger by what watches it.)
fn names_and_nodes() {
    let mut m = mock(&plus());
    m.without_record();
    let mut fs = files(FILES);
    let before = slabs::idle();
    let all: Res<usize> = m.run(&mut fs, |mnt| user::list(mnt).map(|l| l.len()));
    assert_eq!(all, Ok(FILES));
    let taken = slabs::now() - before;
    println!("{} bytes each", (taken << 10) / FILES as i64);
    if !ktap::debug_kernel() {
        assert!(
            taken << 10 <= EACH * FILES as i64 + (1 << 20),
            "{taken} KiB"
        );
    }
    m.forget_all(&mut fs);
    m.finish();
}
