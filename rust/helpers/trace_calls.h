/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _FUSE_TRACE_CALLS_H
#define _FUSE_TRACE_CALLS_H

#include <linux/types.h>

void fuse_helper_trace_request_send(u32 connection, u64 unique, u32 opcode, u32 len);
void fuse_helper_trace_request_sent(u32 connection, u64 unique, u32 opcode);
void fuse_helper_trace_request_end(u32 connection, u64 unique, u32 len, s32 error);

#define FUSE_STEP_CALL(name)						\
void fuse_helper_trace_##name(u32 connection, u64 unique, u32 opcode,	\
			      u64 device, u64 seq)

FUSE_STEP_CALL(request_held);
FUSE_STEP_CALL(request_queued);
FUSE_STEP_CALL(request_taken);
FUSE_STEP_CALL(request_cancelled);
FUSE_STEP_CALL(request_recalled);
FUSE_STEP_CALL(request_removed);
FUSE_STEP_CALL(request_dropped);
FUSE_STEP_CALL(interrupt_queued);
FUSE_STEP_CALL(interrupt_taken);
FUSE_STEP_CALL(reply_found);
FUSE_STEP_CALL(reply_parked);
FUSE_STEP_CALL(reply_copied);
FUSE_STEP_CALL(device_added);
FUSE_STEP_CALL(device_released);
FUSE_STEP_CALL(chan_aborted);

#endif /* _FUSE_TRACE_CALLS_H */
