// SPDX-License-Identifier: GPL-2.0

//! As `static_mutex_guard_sent`.

use crate::kapi::sync::mutex::KillableMutex;

fn send<T: Send>(_: T) {}

fn case(mutex: &KillableMutex) {
    let guard = mutex.lock();
    send(guard); // error[E0277]
}
