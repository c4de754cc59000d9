// SPDX-License-Identifier: GPL-2.0
//! A plugin of QEMU that counts, between two marks, how often each instruction of the guest ran and
//! from where each function was entered.
//!
//! `-plugin libcounter.so,out=DIR`. A mark is a long no-op with a number in it that no compiler
//! makes (`nopl NUMBER(%rax,%rax,1)`); `bench` has the same two. Each pair of marks writes `DIR/N`,
//! N counting from 0, with lines
//!
//! ```text
//! i ADDRESS COUNT        an instruction of the kernel
//! u COUNT                all instructions of user space
//! e FROM TO COUNT        control came from the instruction FROM to the beginning of a block TO
//! ```
//!
//! QEMU translates the guest's code in blocks. A block is counted when it begins, so one that an
//! interrupt or a fault leaves early is counted whole; with `-accel tcg,one-insn-per-tb=on` a block
//! is one instruction, and the counts are exact. One virtual processor only.

use std::collections::HashMap;
use std::ffi::{c_char, c_int, c_uint, c_void, CStr};
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::Mutex;

/// `qemu-plugin.h`, as far as it is used. All pointers are QEMU's own and opaque.
mod qemu {
    use super::{c_char, c_int, c_uint, c_void};

    pub type TbTrans = extern "C" fn(u64, *mut c_void);
    pub type Exec = extern "C" fn(c_uint, *mut c_void);
    /// `QEMU_PLUGIN_CB_NO_REGS`.
    pub const NO_REGS: c_int = 0;

    #[allow(improper_ctypes)]
    extern "C" {
        pub fn qemu_plugin_register_vcpu_tb_trans_cb(id: u64, callback: TbTrans);
        pub fn qemu_plugin_register_vcpu_tb_exec_cb(
            tb: *mut c_void,
            callback: Exec,
            flags: c_int,
            data: *mut c_void,
        );
        pub fn qemu_plugin_register_vcpu_insn_exec_cb(
            insn: *mut c_void,
            callback: Exec,
            flags: c_int,
            data: *mut c_void,
        );
        pub fn qemu_plugin_tb_n_insns(tb: *const c_void) -> usize;
        pub fn qemu_plugin_tb_get_insn(tb: *const c_void, index: usize) -> *mut c_void;
        pub fn qemu_plugin_insn_vaddr(insn: *const c_void) -> u64;
        pub fn qemu_plugin_insn_data(insn: *const c_void, to: *mut c_void, length: usize) -> usize;
        pub fn qemu_plugin_outs(text: *const c_char);
    }
}

/// The first five bytes of a mark; then its number.
const MARK: [u8; 7] = [0x0f, 0x1f, 0x84, 0x00, b'R', b'F', b'B'];
const BEGIN: u8 = 1;
const END: u8 = 2;

/// Version of QEMU's interface.
#[no_mangle]
#[allow(non_upper_case_globals)]
pub static qemu_plugin_version: c_int = 4;

/// A translated block; never freed, as QEMU may run it at any time.
struct Block {
    instructions: Box<[u64]>,
    number: usize,
    count: AtomicU64,
}

struct State {
    blocks: Vec<&'static Block>,
    edges: HashMap<(usize, usize), u64>,
    directory: String,
    written: usize,
}

static STATE: Mutex<Option<State>> = Mutex::new(None);
/// The block that ran before, plus one; 0 while nothing is counted.
static BEFORE: AtomicUsize = AtomicUsize::new(0);

fn with_state(act: impl FnOnce(&mut State)) {
    let mut state = STATE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(state) = state.as_mut() {
        act(state);
    }
}

extern "C" fn translated(_id: u64, tb: *mut c_void) {
    // SAFETY: QEMU passes a valid block, whose instructions are valid during this call.
    let instructions: Vec<*mut c_void> = unsafe {
        (0..qemu::qemu_plugin_tb_n_insns(tb))
            .map(|index| qemu::qemu_plugin_tb_get_insn(tb, index))
            .collect()
    };
    // SAFETY: As above.
    let addresses = instructions
        .iter()
        .map(|&insn| unsafe { qemu::qemu_plugin_insn_vaddr(insn) })
        .collect();
    with_state(|state| {
        let block: &'static Block = Box::leak(Box::new(Block {
            instructions: addresses,
            number: state.blocks.len(),
            count: AtomicU64::new(0),
        }));
        state.blocks.push(block);
        let data = (&raw const *block).cast_mut().cast();
        // SAFETY: The block is valid, the data lives for ever.
        unsafe { qemu::qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, qemu::NO_REGS, data) };
    });
    for insn in instructions {
        let mut bytes = [0u8; 8];
        // SAFETY: QEMU writes at most as many bytes as there is room for.
        let length =
            unsafe { qemu::qemu_plugin_insn_data(insn, bytes.as_mut_ptr().cast(), bytes.len()) };
        if length == bytes.len() && bytes.starts_with(&MARK) {
            let data = usize::from(bytes[7]) as *mut c_void;
            // SAFETY: The instruction is valid; the data is a number.
            unsafe {
                qemu::qemu_plugin_register_vcpu_insn_exec_cb(insn, marked, qemu::NO_REGS, data)
            };
        }
    }
}

extern "C" fn executed(_vcpu: c_uint, data: *mut c_void) {
    let before = BEFORE.load(Relaxed);
    if before == 0 {
        return;
    }
    // SAFETY: The pointer is the one registered with this callback, to a block that lives for ever.
    let block = unsafe { &*data.cast::<Block>() };
    block.count.fetch_add(1, Relaxed);
    BEFORE.store(block.number + 1, Relaxed);
    with_state(|state| *state.edges.entry((before - 1, block.number)).or_default() += 1);
}

extern "C" fn marked(_vcpu: c_uint, data: *mut c_void) {
    match data as usize as u8 {
        BEGIN => with_state(|state| {
            for block in &state.blocks {
                block.count.store(0, Relaxed);
            }
            state.edges.clear();
            // Whatever block this is, it is user space's.
            BEFORE.store(1, Relaxed);
        }),
        END => {
            BEFORE.store(0, Relaxed);
            with_state(|state| {
                let path = format!("{}/{}", state.directory, state.written);
                state.written += 1;
                if let Err(error) = std::fs::write(&path, report(state)) {
                    say(&format!("counter: {path}: {error}\n\0"));
                }
            });
        }
        _ => {}
    }
}

fn is_kernel(address: u64) -> bool {
    (address as i64) < 0
}

fn report(state: &State) -> String {
    let mut text = String::new();
    let mut counts: HashMap<u64, u64> = HashMap::new();
    let mut user = 0;
    for block in &state.blocks {
        let count = block.count.load(Relaxed);
        if count == 0 {
            continue;
        }
        for &address in &block.instructions {
            if is_kernel(address) {
                *counts.entry(address).or_default() += count;
            } else {
                user += count;
            }
        }
    }
    // Writing to a string does not fail.
    let _ = writeln!(text, "u {user}");
    for (address, count) in counts {
        let _ = writeln!(text, "i {address:x} {count}");
    }
    for ((from, to), count) in &state.edges {
        let (Some(from), Some(to)) = (state.blocks.get(*from), state.blocks.get(*to)) else {
            continue;
        };
        if let (Some(from), Some(to)) = (from.instructions.last(), to.instructions.first()) {
            if is_kernel(*to) {
                let _ = writeln!(text, "e {from:x} {to:x} {count}");
            }
        }
    }
    text
}

fn say(text: &str) {
    if let Ok(text) = CStr::from_bytes_until_nul(text.as_bytes()) {
        // SAFETY: A valid string.
        unsafe { qemu::qemu_plugin_outs(text.as_ptr()) };
    }
}

/// Called by QEMU once.
///
/// # Safety
///
/// `argv` has `argc` strings.
#[no_mangle]
pub unsafe extern "C" fn qemu_plugin_install(
    id: u64,
    _info: *const c_void,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    let directory = (0..usize::try_from(argc).unwrap_or(0))
        // SAFETY: By the contract.
        .map(|index| unsafe { CStr::from_ptr(*argv.add(index)) }.to_string_lossy())
        .find_map(|argument| argument.strip_prefix("out=").map(String::from));
    let Some(directory) = directory else {
        say("counter: out=DIR is missing\n\0");
        return -1;
    };
    *STATE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(State {
        blocks: Vec::new(),
        edges: HashMap::new(),
        directory,
        written: 0,
    });
    // SAFETY: The callback has the type that QEMU calls.
    unsafe { qemu::qemu_plugin_register_vcpu_tb_trans_cb(id, translated) };
    0
}
