// SPDX-License-Identifier: GPL-2.0

//! Each operation of the catalogue, answered badly in a call that would have succeeded: chance may
//! leave one out that is reached seldom.

use std::time::Duration;

use fastrand::Rng;
use mockd::caller::readable;
use mockd::{Init, Mock, Setup};
use suites::catalogue::{self, sample, Names, Place, Row};

use crate::daemon::{letters, send, Behind, Tally};
use crate::replay::wait;

pub fn rows(seed: u64, tally: &mut Tally) {
    let mut rng = Rng::with_seed(seed);
    for row in catalogue::main() {
        meets_bad(row, &mut rng, tally);
        let met = tally.ops.contains_key(&(row.op as u32));
        assert!(met, "{}: {:?} did not come", row.name, row.op);
    }
}

fn meets_bad(row: &Row, rng: &mut Rng, tally: &mut Tally) {
    let mut fs = sample();
    fs.check_forgets = false;
    (row.files)(&mut fs);
    let mut behind = Behind::only(fs, row.op);
    let init = row.init(Init::plain());
    let mut m = Mock::with(&Setup::default(), &init);
    m.without_record();
    tally.mounts += 1;
    let ready = row.ready;
    let caller = m.caller(move |mnt, _| {
        // What comes of it is not the question here.
        if let Ok(mut act) = ready(&Place::new(mnt, Names::ROOT)) {
            let _ = act.call();
        }
    });
    let mut serve = || {
        while m.pending() {
            let r = m.read().expect("request");
            send(letters(rng, &r, &mut behind), r.op, tally, |b| m.write(b));
        }
    };
    while !readable(caller.fd(), Duration::ZERO) {
        assert!(wait(&m, &caller), "{}: {}", row.name, caller.state());
        serve();
    }
    caller.join::<()>();
    serve();
    m.umount();
}
