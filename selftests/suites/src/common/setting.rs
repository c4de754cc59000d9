// SPDX-License-Identifier: GPL-2.0

//! A file of /proc/sys, /sys or the control file system: read, written, and put back at the end.

use std::path::{Path, PathBuf};

use mockd::errno::Res;
use mockd::user;

/// The text of such a file.
pub fn get(p: &Path) -> Res<String> {
    let f = user::open(p, libc::O_RDONLY, 0)?;
    let b = user::read(&f, 4096)?;
    Ok(String::from_utf8(b).expect("text"))
}

/// One write(2) of all of it.
pub fn set(p: &Path, v: &str) -> Res<()> {
    let f = user::open(p, libc::O_WRONLY, 0)?;
    let n = user::write(&f, v.as_bytes())?;
    assert_eq!(n, v.len(), "{}", p.display());
    Ok(())
}

/// A setting of the whole machine. When it goes out of scope, the value is as it was before, also
/// after a failed assertion.
pub struct Setting {
    path: PathBuf,
    before: String,
}

impl Setting {
    /// A sysctl: `fs/fuse/max_pages_limit`.
    pub fn sysctl(name: &str) -> Setting {
        ktap::needs("CONFIG_SYSCTL");
        Setting::at(Path::new("/proc/sys").join(name))
    }

    /// A parameter of the module under test.
    pub fn parameter(name: &str) -> Setting {
        Setting::at(Path::new("/sys/module/fuse/parameters").join(name))
    }

    /// Sets a parameter of ours; nothing with C, which does not have it.
    pub fn of_ours(name: &str, value: &str) -> Option<Setting> {
        (ktap::implementation() == ktap::Impl::Rust).then(|| {
            let setting = Setting::parameter(name);
            setting.set(value).expect("parameter");
            setting
        })
    }

    fn at(path: PathBuf) -> Setting {
        let before = get(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Setting { path, before }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its text now.
    pub fn get(&self) -> String {
        get(&self.path).expect("setting")
    }

    /// Writes a text.
    pub fn set(&self, v: &str) -> Res<()> {
        set(&self.path, v)
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        let _ = self.set(&self.before);
    }
}
