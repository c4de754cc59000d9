/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trace events of the transport. fuse_request_send, _sent and _end are those of
 * the C implementation, with its names, fields and texts. The others follow one
 * request through the queues; "seq" counts the steps of one input queue and is
 * taken under its lock, so that the events can be put into the order in which
 * the steps happened, and be replayed.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM fuse

#if !defined(_FUSE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _FUSE_TRACE_H

#include <linux/tracepoint.h>
#include <linux/types.h>
#include <linux/fuse.h>

#define FUSE_OPCODES							\
	EM(FUSE_LOOKUP)							\
	EM(FUSE_FORGET)							\
	EM(FUSE_GETATTR)						\
	EM(FUSE_SETATTR)						\
	EM(FUSE_READLINK)						\
	EM(FUSE_SYMLINK)						\
	EM(FUSE_MKNOD)							\
	EM(FUSE_MKDIR)							\
	EM(FUSE_UNLINK)							\
	EM(FUSE_RMDIR)							\
	EM(FUSE_RENAME)							\
	EM(FUSE_LINK)							\
	EM(FUSE_OPEN)							\
	EM(FUSE_READ)							\
	EM(FUSE_WRITE)							\
	EM(FUSE_STATFS)							\
	EM(FUSE_RELEASE)						\
	EM(FUSE_FSYNC)							\
	EM(FUSE_SETXATTR)						\
	EM(FUSE_GETXATTR)						\
	EM(FUSE_LISTXATTR)						\
	EM(FUSE_REMOVEXATTR)						\
	EM(FUSE_FLUSH)							\
	EM(FUSE_INIT)							\
	EM(FUSE_OPENDIR)						\
	EM(FUSE_READDIR)						\
	EM(FUSE_RELEASEDIR)						\
	EM(FUSE_FSYNCDIR)						\
	EM(FUSE_GETLK)							\
	EM(FUSE_SETLK)							\
	EM(FUSE_SETLKW)							\
	EM(FUSE_ACCESS)							\
	EM(FUSE_CREATE)							\
	EM(FUSE_INTERRUPT)						\
	EM(FUSE_BMAP)							\
	EM(FUSE_DESTROY)						\
	EM(FUSE_IOCTL)							\
	EM(FUSE_POLL)							\
	EM(FUSE_NOTIFY_REPLY)						\
	EM(FUSE_BATCH_FORGET)						\
	EM(FUSE_FALLOCATE)						\
	EM(FUSE_READDIRPLUS)						\
	EM(FUSE_RENAME2)						\
	EM(FUSE_LSEEK)							\
	EM(FUSE_COPY_FILE_RANGE)					\
	EM(FUSE_SETUPMAPPING)						\
	EM(FUSE_REMOVEMAPPING)						\
	EM(FUSE_SYNCFS)							\
	EM(FUSE_TMPFILE)						\
	EM(FUSE_STATX)							\
	EMe(CUSE_INIT)

#undef EM
#undef EMe
#define EM(a)	TRACE_DEFINE_ENUM(a);
#define EMe(a)	TRACE_DEFINE_ENUM(a);

FUSE_OPCODES

/* Without blanks: this is shown as it stands, and is to be the same as C's. */
#undef EM
#undef EMe
#define EM(a)	{a, #a},
#define EMe(a)	{a, #a}

TRACE_EVENT(fuse_request_send,
	TP_PROTO(u32 connection, u64 unique, u32 opcode, u32 len),

	TP_ARGS(connection, unique, opcode, len),

	TP_STRUCT__entry(
		__field(dev_t,			connection)
		__field(uint64_t,		unique)
		__field(enum fuse_opcode,	opcode)
		__field(uint32_t,		len)
	),

	TP_fast_assign(
		__entry->connection	=	connection;
		__entry->unique		=	unique;
		__entry->opcode		=	opcode;
		__entry->len		=	len;
	),

	TP_printk("connection %u req %llu opcode %u (%s) len %u ",
		  __entry->connection, __entry->unique, __entry->opcode,
		  __print_symbolic(__entry->opcode, FUSE_OPCODES), __entry->len)
);

TRACE_EVENT(fuse_request_sent,
	TP_PROTO(u32 connection, u64 unique, u32 opcode),

	TP_ARGS(connection, unique, opcode),

	TP_STRUCT__entry(
		__field(dev_t,			connection)
		__field(uint64_t,		unique)
		__field(enum fuse_opcode,	opcode)
	),

	TP_fast_assign(
		__entry->connection	=	connection;
		__entry->unique		=	unique;
		__entry->opcode		=	opcode;
	),

	TP_printk("connection %u req %llu opcode %u (%s)",
		  __entry->connection, __entry->unique, __entry->opcode,
		  __print_symbolic(__entry->opcode, FUSE_OPCODES))
);

TRACE_EVENT(fuse_request_end,
	TP_PROTO(u32 connection, u64 unique, u32 len, s32 error),

	TP_ARGS(connection, unique, len, error),

	TP_STRUCT__entry(
		__field(dev_t,		connection)
		__field(uint64_t,	unique)
		__field(uint32_t,	len)
		__field(int32_t,	error)
	),

	TP_fast_assign(
		__entry->connection	=	connection;
		__entry->unique		=	unique;
		__entry->len		=	len;
		__entry->error		=	error;
	),

	TP_printk("connection %u req %llu len %u error %d", __entry->connection,
		  __entry->unique, __entry->len, __entry->error)
);

/*
 * "device" numbers the open device that a step is about, 0 for none. Steps about no
 * request have unique and opcode 0.
 */
DECLARE_EVENT_CLASS(fuse_step,
	TP_PROTO(u32 connection, u64 unique, u32 opcode, u64 device, u64 seq),

	TP_ARGS(connection, unique, opcode, device, seq),

	TP_STRUCT__entry(
		__field(dev_t,			connection)
		__field(uint64_t,		unique)
		__field(enum fuse_opcode,	opcode)
		__field(uint64_t,		device)
		__field(uint64_t,		seq)
	),

	TP_fast_assign(
		__entry->connection	=	connection;
		__entry->unique		=	unique;
		__entry->opcode		=	opcode;
		__entry->device		=	device;
		__entry->seq		=	seq;
	),

	TP_printk("connection %u req %llu opcode %u (%s) device %llu seq %llu",
		  __entry->connection, __entry->unique, __entry->opcode,
		  __print_symbolic(__entry->opcode, FUSE_OPCODES),
		  __entry->device, __entry->seq)
);

#define FUSE_STEP(name)							\
DEFINE_EVENT(fuse_step, name,						\
	TP_PROTO(u32 connection, u64 unique, u32 opcode, u64 device, u64 seq), \
	TP_ARGS(connection, unique, opcode, device, seq))

/* A background request is held back until there is room for it; it has no number yet. */
FUSE_STEP(fuse_request_held);

/* The caller has put its request on the pending list. */
FUSE_STEP(fuse_request_queued);

/* A reader took it off pending and filed it under processing. */
FUSE_STEP(fuse_request_taken);

/* A killed caller has taken back what the daemon had not read. */
FUSE_STEP(fuse_request_cancelled);

/* It is to be sent again: off processing, and to the front of pending. */
FUSE_STEP(fuse_request_recalled);

/* A reader or writer lets go of it, as it ends. */
FUSE_STEP(fuse_request_removed);

/* The engine lets go of it, as its device or all of the channel ends. */
FUSE_STEP(fuse_request_dropped);

/* Its INTERRUPT is to be read. */
FUSE_STEP(fuse_interrupt_queued);

/* A reader took its INTERRUPT. */
FUSE_STEP(fuse_interrupt_taken);

/* A writer found it under processing by its unique id. */
FUSE_STEP(fuse_reply_found);

/* The writer of its reply waits for a page: it is where an abort finds it. */
FUSE_STEP(fuse_reply_parked);

/* The reply is in the request; the caller is woken next. */
FUSE_STEP(fuse_reply_copied);

/* A device belongs to the channel. */
FUSE_STEP(fuse_device_added);

/* A device is closed: nothing is read or found through it any more. */
FUSE_STEP(fuse_device_released);

/* Nothing is queued, read or found any more. */
FUSE_STEP(fuse_chan_aborted);

#endif /* _FUSE_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE fuse_trace
#include <trace/define_trace.h>
