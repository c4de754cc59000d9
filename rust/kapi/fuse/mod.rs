// SPDX-License-Identifier: GPL-2.0

//! This module's own unsafe face: parameters, sysctls, tracepoints, static keys, arguments that are lent.

pub(crate) mod inval_wq;
pub(crate) mod jump_label;
pub(crate) mod lend;
pub(crate) mod lockdep;
pub(crate) mod moduleparam;
pub(crate) mod numbers;
pub(crate) mod sysctl;
pub(crate) mod trace;
