// SPDX-License-Identifier: GPL-2.0

//! Safe wrappers over the kernel's C interfaces: one file per C header, C's names.
//!
//! All unsafe code of the module is here. Each file lists the C rules it encodes.

/// A function for a table of operations; none if the kernel was built without what it is for.
macro_rules! if_configured {
    ($config:ident, $function:path) => {{
        #[cfg($config)]
        {
            Some($function)
        }
        #[cfg(not($config))]
        {
            None
        }
    }};
}

pub(crate) mod device;
pub(crate) mod fuse;
pub(crate) mod io;
pub(crate) mod lib;
pub(crate) mod mm;
pub(crate) mod page_cache;
pub(crate) mod sync;
pub(crate) mod task;
pub(crate) mod time;
pub(crate) mod vfs;
