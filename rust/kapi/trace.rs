// SPDX-License-Identifier: GPL-2.0

//! Trace events; see `rust/helpers/fuse_trace.h`. Each costs a jump while it is off: its arguments are
//! asked for only when it is on.

use crate::bindings;

/// A step of a channel's engine: connection, unique, opcode, device (0 for none), and its place in the
/// order of steps, a number taken under the engine's lock. What it is not about is 0.
pub(crate) type Step = (u32, u64, u32, u64, u64);

macro_rules! events {
    ($($(#[$attr:meta])* $name:ident, $tracepoint:ident, $call:ident,
       ($($arg:ident: $type:ty),*);)*) => {$(
        $(#[$attr])*
        #[inline(always)]
        pub(crate) fn $name(args: impl FnOnce() -> ($($type,)*)) {
            // SAFETY: Looks at the static key of a tracepoint of this module.
            let enabled = unsafe {
                kernel::jump_label::static_branch_unlikely!(
                    bindings::$tracepoint,
                    bindings::tracepoint,
                    key
                )
            };
            if enabled {
                let ($($arg,)*) = args();
                // SAFETY: Takes plain numbers; allowed in any context.
                unsafe { bindings::$call($($arg),*) };
            }
        }
    )*};
}

events! {
    /// A request got its number.
    fuse_request_send, __tracepoint_fuse_request_send, fuse_helper_trace_request_send,
        (connection: u32, unique: u64, opcode: u32, len: u32);
    /// The daemon has all of a request.
    fuse_request_sent, __tracepoint_fuse_request_sent, fuse_helper_trace_request_sent,
        (connection: u32, unique: u64, opcode: u32);
    /// A request ends; `len` and `error` as in the reply.
    fuse_request_end, __tracepoint_fuse_request_end, fuse_helper_trace_request_end,
        (connection: u32, unique: u64, len: u32, error: i32);
}

macro_rules! steps {
    ($($(#[$attr:meta])* $name:ident, $tracepoint:ident, $call:ident;)*) => {
        events! {$(
            $(#[$attr])*
            $name, $tracepoint, $call,
                (connection: u32, unique: u64, opcode: u32, device: u64, seq: u64);
        )*}
    };
}

steps! {
    /// A background request is held back until there is room for it; it has no number yet.
    fuse_request_held, __tracepoint_fuse_request_held, fuse_helper_trace_request_held;
    /// A request entered the pending list.
    fuse_request_queued, __tracepoint_fuse_request_queued, fuse_helper_trace_request_queued;
    /// A reader took a request off pending; it is filed under processing.
    fuse_request_taken, __tracepoint_fuse_request_taken, fuse_helper_trace_request_taken;
    /// A killed caller has taken back what the daemon had not read.
    fuse_request_cancelled, __tracepoint_fuse_request_cancelled, fuse_helper_trace_request_cancelled;
    /// It is to be sent again: off processing, and to the front of pending.
    fuse_request_recalled, __tracepoint_fuse_request_recalled, fuse_helper_trace_request_recalled;
    /// A reader or writer lets go of it, as it ends.
    fuse_request_removed, __tracepoint_fuse_request_removed, fuse_helper_trace_request_removed;
    /// The engine lets go of it, as its device or all of the channel ends.
    fuse_request_dropped, __tracepoint_fuse_request_dropped, fuse_helper_trace_request_dropped;
    /// Its INTERRUPT is to be read.
    fuse_interrupt_queued, __tracepoint_fuse_interrupt_queued, fuse_helper_trace_interrupt_queued;
    /// A reader took its INTERRUPT.
    fuse_interrupt_taken, __tracepoint_fuse_interrupt_taken, fuse_helper_trace_interrupt_taken;
    /// A writer found a request by its unique id.
    fuse_reply_found, __tracepoint_fuse_reply_found, fuse_helper_trace_reply_found;
    /// The writer of its reply waits for a page: it is where an abort finds it.
    fuse_reply_parked, __tracepoint_fuse_reply_parked, fuse_helper_trace_reply_parked;
    /// A reply is in its request; not a step of the engine.
    fuse_reply_copied, __tracepoint_fuse_reply_copied, fuse_helper_trace_reply_copied;
    /// A device belongs to the channel.
    fuse_device_added, __tracepoint_fuse_device_added, fuse_helper_trace_device_added;
    /// A device is closed: nothing is read or found through it any more.
    fuse_device_released, __tracepoint_fuse_device_released, fuse_helper_trace_device_released;
    /// Nothing is queued, read or found any more.
    fuse_chan_aborted, __tracepoint_fuse_chan_aborted, fuse_helper_trace_chan_aborted;
}
