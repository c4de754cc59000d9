// SPDX-License-Identifier: GPL-2.0

//! Trace events. Each costs a jump while it is off: its arguments are asked for only when it is on.
//! Without CONFIG_TRACEPOINTS there are none.
//!
//! C header: [`include/linux/tracepoint.h`](srctree/include/linux/tracepoint.h). The events are
//! defined in `rust/helpers/fuse_trace.h`. The kernel crate's `declare_trace!` is for events that
//! the kernel's own headers declare, and has the arguments made also when it is off.

#[cfg(CONFIG_TRACEPOINTS)]
use crate::bindings;

/// A step of a channel's engine: connection, unique, opcode, device (0 for none), and its place in
/// the order of steps, a number taken under the engine's lock. What it is not about is 0.
pub(crate) type Step = (u32, u64, u32, u64, u64);

// `name` is `fuse_name` to the kernel.
macro_rules! events {
    ($($(#[$attr:meta])* $name:ident($($arg:ident: $type:ty),*);)*) => {kernel::macros::paste! {$(
        $(#[$attr])*
        #[inline(always)]
        pub(crate) fn [<fuse_ $name>](args: impl FnOnce() -> ($($type,)*)) {
            if [<fuse_ $name _enabled>]() {
                let ($($arg,)*) = args();
                #[cfg(CONFIG_TRACEPOINTS)]
                // SAFETY: Takes plain numbers; allowed in any context.
                unsafe {
                    bindings::[<fuse_helper_trace_ $name>]($($arg),*)
                };
                #[cfg(not(CONFIG_TRACEPOINTS))]
                let _ = ($($arg,)*);
            }
        }

        /// Whether that is on.
        #[inline(always)]
        pub(crate) fn [<fuse_ $name _enabled>]() -> bool {
            #[cfg(CONFIG_TRACEPOINTS)]
            // SAFETY: Looks at the static key of a tracepoint of this module.
            return unsafe {
                kernel::jump_label::static_branch_unlikely!(
                    bindings::[<__tracepoint_fuse_ $name>],
                    bindings::tracepoint,
                    key
                )
            };
            #[cfg(not(CONFIG_TRACEPOINTS))]
            false
        }
    )*}};
}

events! {
    /// A request got its number.
    request_send(connection: u32, unique: u64, opcode: u32, len: u32);
    /// The daemon has all of a request.
    request_sent(connection: u32, unique: u64, opcode: u32);
    /// A request ends; `len` and `error` as in the reply.
    request_end(connection: u32, unique: u64, len: u32, error: i32);
}

macro_rules! steps {
    ($($(#[$attr:meta])* $name:ident;)*) => {
        events! {$(
            $(#[$attr])*
            $name(connection: u32, unique: u64, opcode: u32, device: u64, seq: u64);
        )*}
    };
}

steps! {
    /// A background request is held back until there is room for it; it has no number yet.
    request_held;
    /// A request entered the pending list.
    request_queued;
    /// A reader took a request off pending; it is filed under processing.
    request_taken;
    /// A killed caller has taken back what the daemon had not read.
    request_cancelled;
    /// It is to be sent again: off processing, and to the front of pending.
    request_recalled;
    /// A reader or writer lets go of it, as it ends.
    request_removed;
    /// The engine lets go of it, as its device or all of the channel ends.
    request_dropped;
    /// Its INTERRUPT is to be read.
    interrupt_queued;
    /// A reader took its INTERRUPT.
    interrupt_taken;
    /// A writer found a request by its unique id.
    reply_found;
    /// The writer of its reply waits for a page: it is where an abort finds it.
    reply_parked;
    /// A reply is in its request; not a step of the engine.
    reply_copied;
    /// A device belongs to the channel.
    device_added;
    /// A device is closed: nothing is read or found through it any more.
    device_released;
    /// Nothing is queued, read or found any more.
    chan_aborted;
}
