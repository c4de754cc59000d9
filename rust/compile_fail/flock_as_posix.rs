// SPDX-License-Identifier: GPL-2.0

//! A request of `flock(2)` is put into no list of POSIX locks: there it would be taken for one of
//! a process.

use crate::kapi::vfs::{
    file::File,
    file_lock::{
        FileLock,
        Flock, //
    },
    types::Types, //
};

fn case<T: Types>(file: &File<T>, fl: &FileLock<Flock>) {
    let _ = file.posix_lock_file(fl); // error[E0308]
}
