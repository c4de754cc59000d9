// SPDX-License-Identifier: GPL-2.0

//! Trace events; see `rust/helpers/fuse_trace.h`. Each costs a jump while it is off: its arguments are
//! asked for only when it is on.

use crate::bindings;

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
    /// A request entered the pending list.
    fuse_request_queued, __tracepoint_fuse_request_queued, fuse_helper_trace_request_queued,
        (connection: u32, unique: u64, opcode: u32, seq: u64);
    /// A reader took a request off pending; it is filed under processing.
    fuse_request_taken, __tracepoint_fuse_request_taken, fuse_helper_trace_request_taken,
        (connection: u32, unique: u64, opcode: u32, seq: u64);
    /// A writer found a request by its unique id.
    fuse_reply_found, __tracepoint_fuse_reply_found, fuse_helper_trace_reply_found,
        (connection: u32, unique: u64, opcode: u32, seq: u64);
    /// A reply is in its request.
    fuse_reply_copied, __tracepoint_fuse_reply_copied, fuse_helper_trace_reply_copied,
        (connection: u32, unique: u64, opcode: u32, seq: u64);
}
