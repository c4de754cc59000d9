// SPDX-License-Identifier: GPL-2.0

//! Notifications of a hostile daemon.

use fastrand::Rng;
use ktap::{implementation, Impl};
use mockd::reply::{message, Bytes};
use mockd::wire::ROOT;
use mockd::Request;

use crate::mutate::{noise, Bad, Class, World};
use crate::pick::Pick;

/// A notification that no kernel may take: an unknown code, or one whose size does not fit. Or one
/// that every kernel takes: of a file that nobody waits for, if there is such a file, about a node,
/// a name or data, or about everything.
pub fn any(rng: &mut Rng, r: &Request, world: &World) -> Bad {
    let (code, payload) = match rng.u32(..12) {
        0 => (
            [0, -1, 10, 77, 512, i32::MAX, i32::MIN].pick(rng),
            noise(rng, 64),
        ),
        // Too short for any but the codes without a payload.
        1 => ([1, 2, 3, 4, 5, 6, 9].pick(rng), noise(rng, 7)),
        // The sizes of the parts contradict the size of the whole: name lengths of INVAL_ENTRY and
        // DELETE, size of STORE.
        2 => {
            let code = [3, 6].pick(rng);
            let mut b = vec![0; if code == 3 { 16 } else { 24 }];
            let at = if code == 3 { 8 } else { 16 };
            let lie = [7u32, 255, 4096, 1 << 31, u32::MAX].pick(rng);
            b[at..at + 4].copy_from_slice(&lie.to_ne_bytes());
            (code, b)
        }
        3 => {
            let handle = [rng.u64(..9), rng.u64(..)].pick(rng);
            (1, handle.to_ne_bytes().to_vec())
        }
        4..=7 => about_nodes(rng, r, world),
        8..=9 => about_data(rng, r, world),
        // RESEND and INC_EPOCH, which are about all.
        10 if !world.only_common => ([7, 8].pick(rng), noise(rng, 7)),
        _ => {
            let mut b = vec![0; 24];
            b[16..20].copy_from_slice(&[1u32, 4096, u32::MAX].pick(rng).to_ne_bytes());
            (4, b)
        }
    };
    Bad {
        class: Class::Notification,
        label: format!("notification {code}, {} bytes", payload.len()),
        bytes: message(0, code, &payload),
    }
}

/// Nodes that nobody has: none of these is what `mutate` makes of a node's number.
const NOBODY: [u64; 4] = [0, 1 << 62, 1 << 63, 0xdead_beef_0000];

/// A node that there is, or was.
fn known(rng: &mut Rng, r: &Request, world: &World) -> u64 {
    [&[ROOT, r.node][..], &world.nodes].concat().pick(rng)
}

/// A notification about a node or a name, of whatever is there or is not. One that might wait for
/// the answer to this or another request is about nodes that are not there: on C's module that is
/// each with a name. So are those whose effect is a matter of time, where records are compared.
fn about_nodes(rng: &mut Rng, r: &Request, world: &World) -> (i32, Vec<u8>) {
    let (known, nobody) = (known(rng, r, world), NOBODY.pick(rng));
    let node = [known, known, nobody].pick(rng);
    let (parent, pruned) = match implementation() {
        _ if world.only_common => (nobody, nobody),
        Impl::C => (nobody, known),
        Impl::Rust => (node, known),
    };
    let odd = [
        "", ".", "..", "/", "\0", "f0/x", "f0", "f1", "d0", "d1", "l0", "n1", "f", "x",
    ];
    let name = odd.pick(rng).as_bytes();
    let length = |b: Bytes, last: u32| b.u32(name.len() as u32).u32(last).bytes(name).bytes(&[0]);
    let b = Bytes::default();
    let code = [2, 2, 3, 3, 3, 6, 9, 9].pick(rng);
    let b = match code {
        2 => match rng.bool() {
            true => b
                .u64(node)
                .u64([u64::MAX, 1 << 63].pick(rng))
                .u64(rng.u64(..)),
            false => b.u64(nobody).u64(rng.u64(..)).u64(rng.u64(..)),
        },
        3 => length(b.u64(parent), [0, 0, 1, rng.u32(..)].pick(rng)),
        6 => length(b.u64(nobody).u64(node), rng.u32(..)),
        _ => {
            let most = [3, 40, 600].pick(rng);
            let nodes = rng.usize(..most);
            let b = b.u32(nodes as u32).u32(rng.u32(..)).u64(rng.u64(..));
            (0..nodes).fold(b, |b, _| b.u64([pruned, nobody].pick(rng)))
        }
    };
    (code, b.0)
}

/// STORE and RETRIEVE of what is no file, is nobody's or lies beyond all files. Of files only what
/// never waits for a page, and not where records are compared: it is a matter of time what they
/// have. STORE into files is in suite `notify`.
fn about_data(rng: &mut Rng, r: &Request, world: &World) -> (i32, Vec<u8>) {
    let (known, nobody) = (known(rng, r, world), NOBODY.pick(rng));
    let takes = !world.only_common && rng.bool();
    let node = if takes {
        known
    } else {
        [ROOT, nobody].pick(rng)
    };
    let offset = [0, 4096, rng.u64(..1 << 20), i64::MAX as u64, u64::MAX].pick(rng);
    let b = Bytes::default();
    if rng.bool() {
        let data = noise(rng, if takes { 0 } else { 64 });
        let b = b.u64(node).u64(offset).u32(data.len() as u32);
        (4, b.u32(0).bytes(&data).0)
    } else {
        let b = b.u64(rng.u64(..)).u64(node).u64(offset);
        let size = [0, 5000, rng.u32(..)].pick(rng);
        (5, b.u32(size).u32(0).0)
    }
}
