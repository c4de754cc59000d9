// SPDX-License-Identifier: GPL-2.0

//! `capable()` of a number that is no capability is a BUG.

use crate::kapi::task::cred::capable;

fn case() {
    let _ = capable(64); // error[E0308]
}
