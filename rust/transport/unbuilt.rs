// SPDX-License-Identifier: GPL-2.0

//! What a daemon may ask for and this module does not have yet: it is refused, and the log says so.
//!
//! No counterpart in C. One line for each of these while the module is loaded, however often it is
//! asked for: otherwise anybody who may open the device could fill the log. Takes no lock.

/// The error with which `$what` is refused; the first time, the log has a line.
macro_rules! unbuilt {
    ($what:literal, $error:ident) => {{
        kernel::pr_info_once!(
            "{} was asked for, which is not built: {}\n",
            $what,
            stringify!($error)
        );
        $error
    }};
}

pub(in crate::transport) use unbuilt;
