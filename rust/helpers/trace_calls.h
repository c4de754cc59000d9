/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _FUSE_TRACE_CALLS_H
#define _FUSE_TRACE_CALLS_H

#include <linux/types.h>

void fuse_helper_trace_request_send(u32 connection, u64 unique, u32 opcode, u32 len);
void fuse_helper_trace_request_sent(u32 connection, u64 unique, u32 opcode);
void fuse_helper_trace_request_end(u32 connection, u64 unique, u32 len, s32 error);
void fuse_helper_trace_request_queued(u32 connection, u64 unique, u32 opcode, u64 seq);
void fuse_helper_trace_request_taken(u32 connection, u64 unique, u32 opcode, u64 seq);
void fuse_helper_trace_reply_found(u32 connection, u64 unique, u32 opcode, u64 seq);
void fuse_helper_trace_reply_copied(u32 connection, u64 unique, u32 opcode, u64 seq);

#endif /* _FUSE_TRACE_CALLS_H */
