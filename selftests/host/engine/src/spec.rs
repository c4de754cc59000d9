// SPDX-License-Identifier: GPL-2.0

//! What C's queues do, written naively over vectors, from the behaviour of C's `dev.c`: the order
//! in which things are read, which request a reply finds, and the counts. No slots, links or
//! tables.

use super::engine::ReqId;
use std::collections::VecDeque;

/// A request: who it is, and what the engine should know of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Entry {
    id: u16,
    unique: u64,
    background: bool,
    reply: bool,
}

/// What a reader gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    Nothing,
    Closed,
    Interrupt(u64),
    Forgets {
        unique: u64,
        single: bool,
        links: Vec<u16>,
    },
    Request {
        id: u16,
        unique: u64,
        reply: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Spec {
    unique: u64,
    pending: VecDeque<Entry>,
    background: VecDeque<u16>,
    /// Of each device, until it is released: what was read and not answered.
    devices: Vec<Option<Vec<Entry>>>,
    interrupts: VecDeque<u16>,
    forgets: VecDeque<u16>,
    forget_batch: i32,
    pub(crate) num_background: u32,
    pub(crate) active: u32,
    max: u32,
    blocked: bool,
    initialized: bool,
    pub(crate) connected: bool,
}

impl Spec {
    pub(crate) fn new(devices: usize, max: u32) -> Spec {
        Spec {
            unique: 0,
            pending: VecDeque::new(),
            background: VecDeque::new(),
            devices: vec![Some(vec![]); devices],
            interrupts: VecDeque::new(),
            forgets: VecDeque::new(),
            forget_batch: 0,
            num_background: 0,
            active: 0,
            max,
            blocked: max == 0,
            initialized: false,
            connected: true,
        }
    }

    fn next(&mut self) -> u64 {
        self.unique += 2;
        self.unique
    }

    pub(crate) fn gated(&self, background: bool) -> bool {
        !self.initialized || (background && self.blocked)
    }

    pub(crate) fn initialize(&mut self) {
        self.initialized = true;
    }

    pub(crate) fn readable(&self) -> bool {
        !self.pending.is_empty() || !self.interrupts.is_empty() || !self.forgets.is_empty()
    }

    /// True if accepted.
    pub(crate) fn submit(&mut self, id: u16, background: bool, force: bool) -> bool {
        if (!force && self.gated(background)) || !self.connected {
            return false;
        }
        if background {
            self.num_background += 1;
            if self.num_background == self.max {
                self.blocked = true;
            }
            self.background.push_back(id);
            self.flush();
        } else {
            let unique = self.next();
            self.pending.push_back(Entry {
                id,
                unique,
                background,
                reply: true,
            });
        }
        true
    }

    pub(crate) fn notify_reply(&mut self, id: u16, unique: u64) -> bool {
        if self.gated(false) || !self.connected {
            return false;
        }
        self.pending.push_back(Entry {
            id,
            unique,
            background: false,
            reply: false,
        });
        true
    }

    fn flush(&mut self) {
        while self.active < self.max {
            let Some(id) = self.background.pop_front() else {
                return;
            };
            self.active += 1;
            let unique = self.next();
            self.pending.push_back(Entry {
                id,
                unique,
                background: true,
                reply: true,
            });
        }
    }

    /// A request is let go of.
    fn gone(&mut self, entry: &Entry, active: bool) {
        self.interrupts.retain(|&id| id != entry.id);
        if !entry.background {
            return;
        }
        if self.num_background == self.max {
            self.blocked = false;
        }
        self.num_background -= 1;
        if active {
            self.active -= 1;
        }
        if self.connected {
            self.flush();
        }
    }

    pub(crate) fn set_max(&mut self, max: u32) {
        if self.connected {
            self.max = max;
            self.blocked = self.num_background >= max;
            self.flush();
        }
    }

    pub(crate) fn forget(&mut self, link: u16) -> bool {
        if self.connected {
            self.forgets.push_back(link);
        }
        self.connected
    }

    pub(crate) fn read(&mut self, device: usize, max_forgets: usize) -> Read {
        if !self.connected || self.devices[device].is_none() {
            return Read::Closed;
        }
        if let Some(id) = self.interrupts.pop_front() {
            let unique = self
                .entries()
                .find(|entry| entry.id == id)
                .map_or(0, |e| e.unique);
            return Read::Interrupt(unique);
        }
        if !self.forgets.is_empty() {
            let mut forget = self.pending.is_empty();
            if !forget {
                forget = self.forget_batch > 0;
                self.forget_batch -= 1;
            }
            if forget {
                let unique = self.next();
                let single = max_forgets == 1 || self.forgets.len() == 1;
                let count = if single {
                    1
                } else {
                    max_forgets.min(self.forgets.len())
                };
                let links = self.forgets.drain(..count).collect();
                return Read::Forgets {
                    unique,
                    single,
                    links,
                };
            }
            if self.forget_batch <= -8 {
                self.forget_batch = 16;
            }
        }
        let Some(entry) = self.pending.pop_front() else {
            return Read::Nothing;
        };
        let (id, unique, reply) = (entry.id, entry.unique, entry.reply);
        if let Some(device) = &mut self.devices[device] {
            device.push(entry);
        }
        Read::Request { id, unique, reply }
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.devices.iter().flatten().flatten()
    }

    /// Takes out of its device's requests; a reply needs `unique`, from a reader any will do.
    fn take(&mut self, device: usize, matches: impl Fn(&Entry) -> bool) -> Option<u16> {
        let entries = self.devices[device].as_mut()?;
        let at = entries.iter().position(matches)?;
        let entry = entries.remove(at);
        self.gone(&entry, true);
        Some(entry.id)
    }

    pub(crate) fn reply(&mut self, device: usize, unique: u64, sent: &[bool]) -> Option<u16> {
        if !self.connected {
            return None;
        }
        self.take(device, |e| {
            e.reply && e.unique == unique && sent[usize::from(e.id)]
        })
    }

    pub(crate) fn remove(&mut self, id: u16) -> bool {
        (0..self.devices.len()).any(|device| self.take(device, |e| e.id == id).is_some())
    }

    pub(crate) fn cancel(&mut self, id: u16) -> bool {
        match self
            .pending
            .iter()
            .position(|entry| entry.id == id && !entry.background)
        {
            Some(at) => self.pending.remove(at).is_some(),
            None => false,
        }
    }

    /// True if queued.
    pub(crate) fn interrupt(&mut self, id: u16, sent: &[bool]) -> bool {
        let with_daemon = self.entries().any(|entry| entry.id == id && entry.reply);
        let queue = with_daemon && sent[usize::from(id)] && !self.interrupts.contains(&id);
        if queue {
            self.interrupts.push_back(id);
        }
        queue
    }

    /// Which were taken back.
    pub(crate) fn resend(&mut self, sent: &[bool]) -> Vec<u16> {
        if !self.connected {
            return vec![];
        }
        let mut back = vec![];
        for device in self.devices.iter_mut().flatten() {
            let (again, stay) = std::mem::take(device)
                .into_iter()
                .partition(|entry: &Entry| entry.reply && sent[usize::from(entry.id)]);
            *device = stay;
            back.extend::<Vec<Entry>>(again);
        }
        let ids = back.iter().map(|entry| entry.id).collect::<Vec<_>>();
        self.interrupts.retain(|id| !ids.contains(id));
        for mut entry in back.into_iter().rev() {
            entry.unique |= ReqId::RESEND;
            self.pending.push_front(entry);
        }
        ids
    }

    /// Who is ended, and whether it was the last device.
    pub(crate) fn release(&mut self, device: usize) -> (Vec<u16>, bool) {
        let Some(entries) = self.devices[device].take() else {
            return (vec![], false);
        };
        for entry in &entries {
            self.gone(entry, true);
        }
        let last = self.devices.iter().flatten().count() == 0;
        (entries.iter().map(|entry| entry.id).collect(), last)
    }

    /// Who is ended, in any order.
    pub(crate) fn abort(&mut self) -> Vec<u16> {
        if !self.connected {
            return vec![];
        }
        self.connected = false;
        self.initialized = true;
        self.blocked = false;
        self.forgets.clear();
        self.interrupts.clear();
        self.num_background = 0;
        self.active = 0;
        let with_devices = self.devices.iter_mut().flatten().flat_map(std::mem::take);
        let mut ids: Vec<u16> = with_devices.map(|entry| entry.id).collect();
        ids.extend(self.pending.drain(..).map(|entry| entry.id));
        ids.extend(self.background.drain(..));
        ids
    }
}
