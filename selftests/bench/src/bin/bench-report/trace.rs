// SPDX-License-Identifier: GPL-2.0
//! What the plugin `counter` has counted for one row, put into functions.

use crate::classes::{
    is_allocation, is_clear, is_get_user_pages, is_lock, is_wait_queue, Class, CLASSES,
};
use crate::number;
use crate::symbols::Symbols;
use serde::Serialize;
use std::collections::HashMap;

/// Counts per operation.
#[derive(Clone, Debug, Serialize)]
pub struct Counts {
    pub requests: f64,
    pub context_switches: f64,
    /// Locks taken by the module, those of wait queues on its behalf included.
    pub locks: f64,
    /// Of these, those that code of the transport takes itself: in ours, the engine's.
    pub transport_locks: f64,
    /// Allocations by the module.
    pub allocations: f64,
    pub get_user_pages: f64,
    pub wake_ups: f64,
    pub transport_tax: Tax,
}

/// Instructions per operation that are not the scheduler's, nor the VFS's or the programs'.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Tax {
    pub module: f64,
    pub copying: f64,
    pub pinning: f64,
    pub locks: f64,
    pub slab: f64,
    pub clearing: f64,
    pub total: f64,
}

/// One row of one implementation.
pub struct Trace {
    /// Instructions by function.
    pub functions: HashMap<usize, u64>,
    pub user: u64,
    /// How often control came from a function to the beginning of another.
    entries: HashMap<(usize, usize), u64>,
}

impl Trace {
    pub fn parse(text: &str, symbols: &Symbols) -> Result<Trace, String> {
        let mut trace = Trace {
            functions: HashMap::new(),
            user: 0,
            entries: HashMap::new(),
        };
        for line in text.lines() {
            let mut words = line.split(' ');
            match words.next() {
                Some("u") => trace.user = number(words.next(), 10)?,
                Some("i") => {
                    let address = number(words.next(), 16)?;
                    let count = number(words.next(), 10)?;
                    if let Some(function) = symbols.find(address) {
                        *trace.functions.entry(function).or_default() += count;
                    }
                }
                Some("e") => {
                    let from = number(words.next(), 16)?;
                    let to = number(words.next(), 16)?;
                    let count = number(words.next(), 10)?;
                    let (Some(from), Some(function)) = (symbols.find(from), symbols.find(to))
                    else {
                        continue;
                    };
                    if symbols.get(function).start == to {
                        *trace.entries.entry((from, function)).or_default() += count;
                    }
                }
                _ => return Err("a malformed line of the counter's".into()),
            }
        }
        Ok(trace)
    }

    pub fn total(&self) -> u64 {
        self.functions.values().sum::<u64>() + self.user
    }

    /// Instructions of the loops that move bytes.
    pub fn copies(&self, symbols: &Symbols) -> u64 {
        self.by_class(symbols)[&Class::Copy]
    }

    pub fn by_class(&self, symbols: &Symbols) -> HashMap<Class, u64> {
        let mut classes: HashMap<Class, u64> = CLASSES.iter().map(|class| (*class, 0)).collect();
        for (function, count) in &self.functions {
            *classes
                .entry(Class::of(symbols.get(*function)))
                .or_default() += count;
        }
        classes
    }

    /// Entries into functions that `into` names, from those that `from` names.
    fn entered(
        &self,
        symbols: &Symbols,
        into: impl Fn(&str) -> bool,
        from: impl Fn(usize) -> bool,
    ) -> u64 {
        self.entries
            .iter()
            .filter(|((source, target), _)| into(&symbols.get(*target).name) && from(*source))
            .map(|(_, count)| count)
            .sum()
    }

    /// Callers of a function, with how often they called.
    pub fn callers(&self, target: usize) -> Vec<(usize, u64)> {
        let mut callers: Vec<(usize, u64)> = self
            .entries
            .iter()
            .filter(|((_, function), _)| *function == target)
            .map(|((caller, _), count)| (*caller, *count))
            .collect();
        callers.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        callers
    }

    /// The counts of `rounds` operations; requests and switches are filled in by who knows them.
    pub fn counts(&self, symbols: &Symbols, rounds: u64) -> Counts {
        let per = |count: u64| count as f64 / rounds as f64;
        let ours = |function: usize| symbols.get(function).ours;
        let transport =
            |function: usize| ours(function) && symbols.get(function).name.contains("9transport");
        let classes = self.by_class(symbols);
        // Of functions that others call too, the part that the module caused.
        let share = |class: Class, caused: &dyn Fn(usize) -> bool| {
            let in_class = |name: &str| match class {
                Class::Lock => is_lock(name),
                Class::Clear => is_clear(name),
                _ => is_allocation(name),
            };
            let outside = |function: usize| Class::of(symbols.get(function)) != class;
            let all = self.entered(symbols, in_class, outside);
            let part = self.entered(symbols, in_class, |function| {
                outside(function) && caused(function)
            });
            if all == 0 {
                0.0
            } else {
                per(classes[&class]) * part as f64 / all as f64
            }
        };
        let for_us = |function: usize| ours(function) || is_wait_queue(&symbols.get(function).name);
        // An allocation that is to be cleared is nearly always the module's.
        let cleared =
            |function: usize| ours(function) || is_allocation(&symbols.get(function).name);
        let mut tax = Tax {
            module: per(classes[&Class::Module]),
            copying: per(classes[&Class::Copy] + classes[&Class::Iterator]),
            pinning: per(classes[&Class::Pinning]),
            locks: share(Class::Lock, &for_us),
            slab: share(Class::Slab, &ours),
            clearing: share(Class::Clear, &cleared),
            total: 0.0,
        };
        tax.total = tax.module + tax.copying + tax.pinning + tax.locks + tax.slab + tax.clearing;
        Counts {
            requests: 0.0,
            context_switches: 0.0,
            locks: per(self.entered(symbols, is_lock, for_us)),
            transport_locks: per(self.entered(symbols, is_lock, transport)),
            allocations: per(self.entered(symbols, is_allocation, ours)),
            get_user_pages: per(self.entered(symbols, is_get_user_pages, |_| true)),
            wake_ups: per(self.entered(symbols, |name| name == "try_to_wake_up", |_| true)),
            transport_tax: tax,
        }
    }
}
