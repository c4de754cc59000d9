// SPDX-License-Identifier: GPL-2.0

//! What lockdep was told to be held is held by a task: another one cannot release it.

use crate::kapi::fuse::lockdep::DoingLeft;

fn send<T: Send>(_: T) {}

fn case() {
    let doing = DoingLeft::new();
    send(doing); // error[E0277]
}
