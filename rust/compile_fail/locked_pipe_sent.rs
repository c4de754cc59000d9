// SPDX-License-Identifier: GPL-2.0

//! A pipe that the VFS has locked is locked for the current task, until its call returns.

use crate::kapi::io::pipe_fs_i::LockedPipe;

fn send<T: Send>(_: T) {}

fn case(pipe: &LockedPipe) {
    send(pipe); // error[E0277]
}
