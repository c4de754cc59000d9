// SPDX-License-Identifier: GPL-2.0

//! Names as the wire takes them.
//!
//! C counterpart: none; there a name is sent as it is. Takes no locks.

use crate::abi::Name;
use kernel::prelude::*;

/// A name, or the target of a link, as the wire takes it. The VFS gives us no other.
///
/// # Errors
///
/// EINVAL.
pub(in crate::fs) fn wire_name(name: &[u8]) -> Result<Name<'_>> {
    Name::new(name).ok_or(EINVAL)
}
