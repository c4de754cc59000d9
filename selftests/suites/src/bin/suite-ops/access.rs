// SPDX-License-Identifier: GPL-2.0

//! ACCESS: who asks for it, and who does not.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::user;
use mockd::wire::{Op, ROOT};
use mockd::{Init, Mock, Setup};

use crate::through::{each, write};

pub fn cases() -> Vec<Case> {
    cases![
        access_checks,
        access_masks,
        access_not_sent_with_default_permissions,
        chdir_and_open_ask_access,
        exec_checks_mode_first,
    ]
}

/// A daemon without ACCESS lets everything pass that is there, executable or not.
fn access_checks() {
    each(|d| {
        write(&d.at("f"), b"#!/bin/true\n");
        user::chmod(&d.at("f"), 0o644).expect("chmod");
        assert_eq!(user::access(&d.at("f"), libc::F_OK), Ok(()));
        assert_eq!(user::access(&d.at("f"), libc::R_OK | libc::W_OK), Ok(()));
        // passthrough_ll has no ACCESS: everything is let pass, until it is done.
        assert_eq!(user::access(&d.at("f"), libc::X_OK), Ok(()));
        assert_eq!(user::access(&d.at("none"), libc::F_OK), Err(ENOENT));
        user::chmod(&d.at("f"), 0o755).expect("chmod");
        assert_eq!(user::access(&d.at("f"), libc::X_OK), Ok(()));
        assert_eq!(
            user::access(&d.at(""), libc::R_OK | libc::W_OK | libc::X_OK),
            Ok(())
        );
    });
}

/// The mask arrives as the caller gave it, and the daemon's error is what the caller gets.
fn access_masks() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.add(ROOT, "f", libc::S_IFREG | 0o755, b"");
    let masks = [
        libc::F_OK,
        libc::R_OK,
        libc::W_OK,
        libc::X_OK,
        libc::R_OK | libc::W_OK | libc::X_OK,
    ];
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        masks
            .iter()
            .map(|k| user::access(&mnt.join("f"), *k))
            .collect()
    });
    assert_eq!(r, vec![Ok(()); 5]);
    let sent: Vec<u64> = m
        .rec
        .all()
        .iter()
        .filter(|r| r.op == Op::ACCESS)
        .map(|r| r.get("mask"))
        .collect();
    println!("{sent:?}");
    assert_eq!(sent, [0, 4, 2, 1, 7]);
    fs.on(Op::ACCESS, Answer::Err(EACCES));
    let r: Res<()> = m.run(&mut fs, |mnt| user::access(&mnt.join("f"), libc::R_OK));
    assert_eq!(r, Err(EACCES));
    m.finish();
}

/// There the kernel decides by mode and owner, and asks nobody.
fn access_not_sent_with_default_permissions() {
    let mut m = Mock::with(
        &Setup::default().opt("default_permissions", ""),
        &Init::plain(),
    );
    let mut fs = Memfs::new();
    fs.add(ROOT, "f", libc::S_IFREG | 0o640, b"");
    fs.dir("d");
    let r: (Res<()>, Res<()>, Res<()>) = m.run(&mut fs, |mnt| {
        (
            user::access(&mnt.join("f"), libc::R_OK),
            user::access(&mnt.join("f"), libc::X_OK),
            user::chdir(&mnt.join("d")),
        )
    });
    assert_eq!(r, (Ok(()), Err(EACCES), Ok(())));
    assert_eq!(m.rec.count(Op::ACCESS), 0);
    m.finish();
}

/// To enter a directory asks ACCESS; to open a file does not, for OPEN itself can refuse.
fn chdir_and_open_ask_access() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let d = fs.dir("d");
    fs.add(d, "f", libc::S_IFREG | 0o644, b"");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        user::chdir(&mnt.join("d"))?;
        user::open(&mnt.join("d/f"), libc::O_RDWR, 0).map(drop)
    });
    assert_eq!(r, Ok(()));
    m.finish_compared();
}

/// A file that nobody may execute is not, whatever the daemon would say.
fn exec_checks_mode_first() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.add(ROOT, "no", libc::S_IFREG | 0o644, b"#!/bin/true\n");
    fs.add(ROOT, "yes", libc::S_IFREG | 0o755, b"#!/bin/true\n");
    let run = |p: std::path::PathBuf| -> Res<bool> {
        Ok(std::process::Command::new(p).status()?.success())
    };
    let r: (Res<bool>, Res<bool>) =
        m.run(&mut fs, |mnt| (run(mnt.join("no")), run(mnt.join("yes"))));
    assert_eq!(r, (Err(EACCES), Ok(true)));
    m.without_record();
    m.finish();
}
