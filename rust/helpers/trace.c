// SPDX-License-Identifier: GPL-2.0
/*
 * Instantiates the trace events, and one out-of-line call for each: the static
 * key is tested in the caller's helper, so that a disabled event costs a call
 * and a jump.
 */

#define CREATE_TRACE_POINTS
#include "fuse_trace.h"

#include "trace_calls.h"

void fuse_helper_trace_request_send(u32 connection, u64 unique, u32 opcode, u32 len)
{
	trace_fuse_request_send(connection, unique, opcode, len);
}

void fuse_helper_trace_request_sent(u32 connection, u64 unique, u32 opcode)
{
	trace_fuse_request_sent(connection, unique, opcode);
}

void fuse_helper_trace_request_end(u32 connection, u64 unique, u32 len, s32 error)
{
	trace_fuse_request_end(connection, unique, len, error);
}

#define FUSE_STEP_BODY(name)						\
FUSE_STEP_CALL(name)							\
{									\
	trace_fuse_##name(connection, unique, opcode, device, seq);	\
}

FUSE_STEP_BODY(request_held)
FUSE_STEP_BODY(request_queued)
FUSE_STEP_BODY(request_taken)
FUSE_STEP_BODY(request_cancelled)
FUSE_STEP_BODY(request_recalled)
FUSE_STEP_BODY(request_removed)
FUSE_STEP_BODY(request_dropped)
FUSE_STEP_BODY(interrupt_queued)
FUSE_STEP_BODY(interrupt_taken)
FUSE_STEP_BODY(reply_found)
FUSE_STEP_BODY(reply_parked)
FUSE_STEP_BODY(reply_copied)
FUSE_STEP_BODY(device_added)
FUSE_STEP_BODY(device_released)
FUSE_STEP_BODY(chan_aborted)
