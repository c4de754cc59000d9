// SPDX-License-Identifier: GPL-2.0

//! `mutex_unlock()` is for the task that has taken the mutex.

use crate::kapi::sync::mutex::StaticMutex;
use kernel::prelude::*;

static LOCK: StaticMutex<u32> = StaticMutex::new(c"sent", 0);

fn send<T: Send>(_: T) {}

fn case() {
    let guard = LOCK.lock();
    send(guard); // error[E0277]
}
