// SPDX-License-Identifier: GPL-2.0

//! What a request has does not stay with a thread of the daemon that is copying it and waits for a
//! page of its own, perhaps for ever.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::PAGE;
use mockd::mount::umount;
use mockd::{user, Mock};
use suites::daemon::until;

use crate::kit::{self, Stuck};
use crate::pages::{open_to_write, prepared};

pub fn cases() -> Vec<Case> {
    cases![folio_of_a_killed_writer]
}

/// In a page that nobody has read.
const AT: u64 = PAGE as u64 + 100;

/// A folio that is not written as a whole is locked until the WRITE has ended, which an abort sees
/// to.
fn folio_of_a_killed_writer() {
    let mut fs = kit::sample();
    let mut m = Mock::new();
    m.without_record();
    let writer = |m: &mut Mock, fs: &mut _| {
        prepared(m, fs, |mnt| {
            let f = open_to_write(mnt, 0);
            Box::new(move || user::pwrite(&f, &[1; 10], AT).map(drop))
        })
    };
    let mut first = writer(&mut m, &mut fs);
    let second = writer(&mut m, &mut fs);
    first.go();
    until("the WRITE", || m.pending().then_some(()));
    let reader = Stuck::reading(&m);
    second.go();
    second.wait_asleep();
    first.kill(libc::SIGKILL);
    if kit::killable() {
        first.reap();
    } else {
        first.wait_signalled();
    }
    kit::force(&m);
    assert_eq!(second.join::<Res<()>>(), Err(ENOTCONN));
    if !kit::killable() {
        first.reap();
    }
    reader.kill();
    until("the mount to be free", || umount(&m.mnt, 0).ok());
}
