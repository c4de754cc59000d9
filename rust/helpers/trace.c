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

void fuse_helper_trace_request_queued(u32 connection, u64 unique, u32 opcode, u64 seq)
{
	trace_fuse_request_queued(connection, unique, opcode, seq);
}

void fuse_helper_trace_request_taken(u32 connection, u64 unique, u32 opcode, u64 seq)
{
	trace_fuse_request_taken(connection, unique, opcode, seq);
}

void fuse_helper_trace_reply_found(u32 connection, u64 unique, u32 opcode, u64 seq)
{
	trace_fuse_reply_found(connection, unique, opcode, seq);
}

void fuse_helper_trace_reply_copied(u32 connection, u64 unique, u32 opcode, u64 seq)
{
	trace_fuse_reply_copied(connection, unique, opcode, seq);
}
