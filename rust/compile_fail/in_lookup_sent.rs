// SPDX-License-Identifier: GPL-2.0

//! Its directory is locked by the task that looks the name up, and others wait for that task.

use crate::kapi::vfs::{
    dentry_lookup::InLookup,
    types::Types, //
};

fn send<S: Send>(_: S) {}

fn case<T: Types>(new: InLookup<'_, T>) {
    send(new); // error[E0277]
}
