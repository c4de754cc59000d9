// SPDX-License-Identifier: GPL-2.0

//! Tasks, and who they are: credentials, ids, namespaces; suspend, which stops them all.

pub(crate) mod cred;
pub(crate) mod pid_namespace;
pub(crate) mod sched;
pub(crate) mod suspend;
pub(crate) mod uidgid;
pub(crate) mod user_namespace;
