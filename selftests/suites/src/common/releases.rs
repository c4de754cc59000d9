// SPDX-License-Identifier: GPL-2.0

//! RELEASEs that the daemon keeps, which fill the background.

use mockd::errno::Res;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::user;
use mockd::wire::Op;
use mockd::{Mock, Request};

/// Opens and closes `n` files and leaves their RELEASEs unanswered; gives those that were seen.
#[track_caller]
pub fn unanswered(m: &mut Mock, fs: &mut Memfs, n: usize) -> Vec<Request> {
    for i in 0..n {
        fs.file(&format!("f{i}"), b"");
    }
    let c = m.caller(|mnt, _| {
        (0..n)
            .try_for_each(|i| user::close(user::open(&mnt.join(format!("f{i}")), libc::O_RDWR, 0)?))
    });
    let mut kept = Vec::new();
    let r: Res<()> = m.serve(c, &mut |r| {
        if r.op == Op::RELEASE {
            kept.push(r.clone());
            return Answer::None;
        }
        fs.handle(r)
    });
    assert_eq!(r, Ok(()));
    kept
}
