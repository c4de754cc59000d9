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

DECLARE_EVENT_CLASS(fuse_step,
	TP_PROTO(u32 connection, u64 unique, u32 opcode, u64 seq),

	TP_ARGS(connection, unique, opcode, seq),

	TP_STRUCT__entry(
		__field(dev_t,			connection)
		__field(uint64_t,		unique)
		__field(enum fuse_opcode,	opcode)
		__field(uint64_t,		seq)
	),

	TP_fast_assign(
		__entry->connection	=	connection;
		__entry->unique		=	unique;
		__entry->opcode		=	opcode;
		__entry->seq		=	seq;
	),

	TP_printk("connection %u req %llu opcode %u (%s) seq %llu",
		  __entry->connection, __entry->unique, __entry->opcode,
		  __print_symbolic(__entry->opcode, FUSE_OPCODES), __entry->seq)
);

/* The caller has put its request on the pending list. */
DEFINE_EVENT(fuse_step, fuse_request_queued,
	TP_PROTO(u32 connection, u64 unique, u32 opcode, u64 seq),
	TP_ARGS(connection, unique, opcode, seq));

/* A reader took it off pending and filed it under processing. */
DEFINE_EVENT(fuse_step, fuse_request_taken,
	TP_PROTO(u32 connection, u64 unique, u32 opcode, u64 seq),
	TP_ARGS(connection, unique, opcode, seq));

/* A writer found it under processing by its unique id. */
DEFINE_EVENT(fuse_step, fuse_reply_found,
	TP_PROTO(u32 connection, u64 unique, u32 opcode, u64 seq),
	TP_ARGS(connection, unique, opcode, seq));

/* The reply is in the request; the caller is woken next. */
DEFINE_EVENT(fuse_step, fuse_reply_copied,
	TP_PROTO(u32 connection, u64 unique, u32 opcode, u64 seq),
	TP_ARGS(connection, unique, opcode, seq));

#endif /* _FUSE_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE fuse_trace
#include <trace/define_trace.h>
