// SPDX-License-Identifier: GPL-2.0

//! STATFS.

use ktap::{cases, Case};
use mockd::user;

use crate::through::each;

pub fn cases() -> Vec<Case> {
    cases![statfs_same]
}

/// All but the type, which is FUSE's, and what is free, which changes by itself.
fn statfs_same() {
    each(|d| {
        let (mut a, mut b) = (
            user::statfs(&d.mnt).expect("statfs"),
            user::statfs(&d.src).expect("statfs"),
        );
        assert_eq!(a[0], 0x6573_5546);
        // The type differs; what is free changes by itself.
        for v in [&mut a, &mut b] {
            v[0] = 0;
            v[3] = 0;
            v[4] = 0;
            v[6] = 0;
        }
        assert_eq!(a, b);
    });
}
