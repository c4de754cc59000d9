// SPDX-License-Identifier: GPL-2.0

//! A device is read under `fdget_pos()` without `f_pos_lock`, which `File` forbids: its `struct
//! file` would be sent to other threads.

use crate::kapi::device::miscdevice::MiscDevice;
use kernel::fs::File;

fn case<D: MiscDevice>(data: &D, file: &File) {
    let _ = |to| data.read_iter(file, to); // error[E0308]
}
