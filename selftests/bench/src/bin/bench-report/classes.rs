// SPDX-License-Identifier: GPL-2.0
//! Which function belongs to what part of the kernel.

use crate::symbols::Function;

/// What a function is for. Those up to `Clear` are the transport tax.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The module itself: engine and filesystem.
    Module,
    /// The loops that move bytes.
    Copy,
    /// What leads to those loops: iterators over the daemon's and the caller's memory.
    Iterator,
    /// get_user_pages and what gives pages back.
    Pinning,
    /// Spinlocks and mutexes.
    Lock,
    /// Memory from slabs.
    Slab,
    /// Clearing memory.
    Clear,
    /// Wait queues, wake-ups and the scheduler.
    Scheduler,
    /// Everything else: entry, VFS.
    Other,
}

pub const CLASSES: [Class; 9] = [
    Class::Module,
    Class::Copy,
    Class::Iterator,
    Class::Pinning,
    Class::Lock,
    Class::Slab,
    Class::Clear,
    Class::Scheduler,
    Class::Other,
];

fn any(name: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| name.contains(part))
}

fn starts(name: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| name.starts_with(part))
}

/// Parts of the names of functions that pin pages and let them go.
const PINNING: &[&str] = &[
    "gup_",
    "get_user_pages",
    "pin_user_page",
    "unpin_",
    "iov_iter_get_pages",
    "iov_iter_extract_pages",
    "try_grab_folio",
    "set_page_dirty_lock",
    "mark_dirty_lock",
];

/// How functions begin that give memory back.
const SLABS: &[&str] = &[
    "kfree",
    "kvfree",
    "kmem_cache_free",
    "__slab",
    "___slab",
    "__kfree",
    "slab_",
];

/// How functions of the scheduler begin.
const SCHEDULER: &[&str] = &[
    "__schedule",
    "schedule",
    "try_to_wake_up",
    "ttwu_",
    "wake_up_",
    "enqueue_task",
    "dequeue_task",
    "select_task_rq",
    "pick_",
    "put_prev_",
    "set_next_",
    "update_rq",
    "update_curr",
    "__switch_to",
    "finish_task_switch",
    "prepare_task_switch",
    "rcu_note_context",
    "sched_",
    "__sched",
    "psi_",
    "activate_task",
    "deactivate_task",
    "prev_balance",
    "balance_",
    "push_rt",
    "pull_rt",
    "resched_",
    "native_sched_clock",
    "switch_mm",
    "enter_lazy",
    "cpuacct_",
    "rcuwait_",
    "default_wake_function",
    "autoremove_wake",
    "__enqueue_rt",
    "__dequeue_rt",
    "dequeue_rt",
    "enqueue_rt",
    "requeue_rt",
    "inc_rt",
    "dec_rt",
    "raw_spin_rq",
    "set_rd_overloaded",
    "perf_event_task_sched",
    "__perf_event_task_sched",
    "wakeup_preempt",
    "check_preempt",
    "arch_scale",
    "sugov",
    "cpufreq",
    "task_tick",
    "block_task",
    "update_load",
    "yield_",
    "dl_",
    "check_class_changed",
    "_pick_next",
    "avg_vruntime",
];

impl Class {
    pub fn of(function: &Function) -> Class {
        let name = function.name.as_str();
        if function.ours {
            Class::Module
        } else if is_copy_loop(name) {
            Class::Copy
        } else if is_clear(name) {
            Class::Clear
        } else if is_lock(name) || starts(name, &["mutex_", "__mutex_", "_raw_"]) {
            Class::Lock
        } else if any(name, PINNING) {
            Class::Pinning
        } else if (name.contains("_iter") && any(name, &["copy_", "iov_iter_"]))
            || starts(name, &["_copy_to_user", "_copy_from_user"])
        {
            Class::Iterator
        } else if is_allocation(name) || starts(name, SLABS) || any(name, &["memcg_slab"]) {
            Class::Slab
        } else if is_wait_queue(name) || starts(name, SCHEDULER) {
            Class::Scheduler
        } else {
            Class::Other
        }
    }
}

/// One that takes a lock, by being called.
pub fn is_lock(name: &str) -> bool {
    starts(
        name,
        &[
            "_raw_spin_lock",
            "_raw_spin_trylock",
            "_raw_read_lock",
            "_raw_write_lock",
            "mutex_lock",
            "mutex_trylock",
        ],
    )
}

/// Takes locks of wait queues for whoever calls.
pub fn is_wait_queue(name: &str) -> bool {
    starts(
        name,
        &[
            "prepare_to_wait",
            "finish_wait",
            "add_wait_queue",
            "remove_wait_queue",
            "__wake_up",
            "do_wait_intr",
            "init_wait",
        ],
    )
}

/// One that allocates memory.
pub fn is_allocation(name: &str) -> bool {
    starts(
        name,
        &[
            "kmem_cache_alloc",
            "__kmem_cache_alloc",
            "kmalloc",
            "__kmalloc",
            "__kvmalloc",
            "kvrealloc",
            "krealloc",
            "vrealloc",
            "__do_kmalloc",
        ],
    )
}

/// One that clears memory.
pub fn is_clear(name: &str) -> bool {
    ["memset", "__memset", "memset_orig"].contains(&name)
}

/// A lookup of user pages.
pub fn is_get_user_pages(name: &str) -> bool {
    [
        "gup_fast_fallback",
        "__gup_longterm_locked",
        "get_user_pages_unlocked",
        "get_user_pages_remote",
    ]
    .contains(&name)
}

/// A loop that moves bytes: what processors differ in most, and emulators too.
pub fn is_copy_loop(name: &str) -> bool {
    [
        "memcpy",
        "__memcpy",
        "memcpy_orig",
        "memmove",
        "__memmove",
        "rep_movs_alternative",
        "copy_page",
        "copy_page_regs",
        "__copy_user_nocache",
    ]
    .contains(&name)
}
