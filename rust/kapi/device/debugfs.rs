// SPDX-License-Identifier: GPL-2.0

//! Files in debugfs whose text is made piece by piece.
//!
//! C headers: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h),
//! [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h).
//!
//! The kernel crate's `debugfs` makes a file's whole text at once, in one allocation as long as
//! that is, and gives no choice of mode. C rules encoded here:
//!
//! - `debugfs_remove()` waits for an `open` that is running (`debugfs_create_file_unsafe()`) and
//!   lets none begin; what an open file needs it must own. So removal does not wait for a reader,
//!   who may be waiting for a page of its buffer.
//! - `start` and `next` of a sequence file return a non-null pointer or the end, and leave the
//!   position where the piece is to be found again; all four run with the file's mutex held.
//! - Removing a directory removes all below it, whose dentries nobody may use afterwards: what is
//!   in the module's directory keeps it.
//! - A failure to make a file is no reason to fail: nothing depends on debugfs.

use crate::{
    bindings,
    kapi::sync::mutex::StaticMutex, //
};
use core::{
    marker::PhantomData,
    mem,
    ptr, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    ffi::{
        c_char,
        c_int,
        c_void, //
    },
    module::{
        this_module,
        ModuleMetadata, //
    },
    prelude::*,
    seq_file::SeqFile,
    sync::{
        Arc,
        ArcBorrow, //
    },
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

/// Longest text that may be written to a file.
const MAX_WRITE: usize = 16;

/// What a file shows.
pub(crate) trait DebugFile: Send + Sync + Sized + 'static {
    /// The module that must stay while files are open.
    type OwnerModule: ModuleMetadata;

    /// Owner only, as there are no other users of it: `0400`, or `0600` if it can be written.
    const MODE: u16;

    /// What a piece of the text is made from.
    type Item: Send;

    /// The piece at position `from`, or the next one, and its position; `None` at the end. May
    /// sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or what the reader is to be told.
    fn find(&self, from: u64) -> Result<Option<(u64, Self::Item)>>;

    /// Writes a piece. What does not fit into the buffer is written again later, to a larger one.
    fn show(&self, item: &Self::Item, m: &SeqFile);

    /// Takes what was written, without white space at the ends.
    ///
    /// # Errors
    ///
    /// `EINVAL`, or what the writer is to be told.
    fn write(&self, _text: &[u8]) -> Result {
        Err(EINVAL)
    }
}

/// A dentry in debugfs, or an error, which its functions take for "do nothing".
#[derive(Clone, Copy)]
struct Entry(*mut bindings::dentry);

// SAFETY: All functions of debugfs may be called from any thread.
unsafe impl Send for Entry {}
// SAFETY: As above.
unsafe impl Sync for Entry {}

impl Entry {
    /// Nothing is made in it.
    fn none() -> Self {
        Self(ENODEV.to_ptr())
    }
}

/// Makes a directory; in the root of debugfs if the parent is null.
fn create_dir(name: &CStr, parent: Entry) -> Entry {
    // SAFETY: A valid name, and a directory or an error.
    #[cfg(CONFIG_DEBUG_FS)]
    let dir = unsafe { bindings::debugfs_create_dir(name.as_char_ptr(), parent.0) };
    #[cfg(not(CONFIG_DEBUG_FS))]
    let (dir, _) = (parent.0, name);
    Entry(dir)
}

/// Makes a file.
///
/// # Safety
///
/// `data` stays valid until the file has been removed.
unsafe fn create_file<F: DebugFile>(name: &CStr, parent: Entry, data: *const F) {
    // SAFETY: A valid name, a directory or an error, a static table; and by the contract.
    #[cfg(CONFIG_DEBUG_FS)]
    unsafe {
        bindings::debugfs_create_file_unsafe(
            name.as_char_ptr(),
            F::MODE,
            parent.0,
            data.cast_mut().cast(),
            Table::<F>::FILE,
        )
    };
    #[cfg(not(CONFIG_DEBUG_FS))]
    let _ = (name, parent, data, Table::<F>::FILE);
}

/// Removes an entry with all below it.
///
/// # Safety
///
/// Once for each entry, and before the one that it is in.
unsafe fn remove(entry: Entry) {
    // SAFETY: An entry of ours or an error; and by the contract.
    #[cfg(CONFIG_DEBUG_FS)]
    unsafe {
        bindings::debugfs_remove(entry.0)
    };
    #[cfg(not(CONFIG_DEBUG_FS))]
    let _ = entry;
}

/// The module's directory; goes with the last one that is in it.
struct RootDir(Entry);

impl Drop for RootDir {
    fn drop(&mut self) {
        // SAFETY: This is dropped once, and whatever is in it has a reference.
        unsafe { remove(self.0) };
    }
}

static ROOT: StaticMutex<Option<Arc<RootDir>>> = StaticMutex::new(c"debugfs_root", None);

/// While this lives there is the module's directory, if it could be made, for new ones to be in.
pub(crate) struct Root(());

impl Root {
    /// Makes the directory. Of two the older one gets no new ones any more.
    pub(crate) fn new(name: &'static CStr) -> Self {
        let dir = Arc::new(
            RootDir(create_dir(name, Entry(ptr::null_mut()))),
            GFP_KERNEL,
        );
        let old = mem::replace(&mut *ROOT.lock(), dir.ok());
        // Without the lock.
        drop(old);
        Self(())
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let dir = ROOT.lock().take();
        // As in `new()`.
        drop(dir);
    }
}

/// What keeps a file's data alive.
trait Keep: Send + Sync {}

impl<T: Send + Sync> Keep for T {}

/// A directory in the module's. Dropping it removes it with its files; sleeps, but for no reader.
pub(crate) struct Dir {
    entry: Entry,
    /// What the files point to.
    kept: KVec<Arc<dyn Keep>>,
    /// What it is in.
    _root: Option<Arc<RootDir>>,
}

impl Dir {
    /// Makes one, of which nothing is seen if there is no [`Root`].
    pub(crate) fn new(name: &CStr) -> Self {
        let root = ROOT.lock().clone();
        Self {
            entry: create_dir(name, root.as_ref().map_or(Entry::none(), |root| root.0)),
            kept: KVec::new(),
            _root: root,
        }
    }

    /// Makes a file in it.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn add<F: DebugFile>(&mut self, name: &CStr, file: Arc<F>) -> Result {
        let data = Arc::as_ptr(&file);
        self.kept.push(file, GFP_KERNEL)?;
        // SAFETY: It is kept until the directory has been removed.
        unsafe { create_file(name, self.entry, data) };
        Ok(())
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // SAFETY: This is dropped once, and the module's directory afterwards. No `open` runs any
        // more then, so what the files point to may go.
        unsafe { remove(self.entry) };
    }
}

/// An open file.
struct Open<F: DebugFile> {
    file: Arc<F>,
    /// The piece at hand, and its position; between `start` and `stop` only.
    piece: Option<(u64, F::Item)>,
}

/// The tables of a kind of file.
struct Table<F>(PhantomData<F>);

impl<F: DebugFile> Table<F> {
    const SEQ: &'static bindings::seq_operations = &bindings::seq_operations {
        start: Some(start::<F>),
        next: Some(next::<F>),
        show: Some(show::<F>),
        stop: Some(stop::<F>),
    };

    const FILE: &'static bindings::file_operations = &bindings::file_operations {
        owner: this_module::<F::OwnerModule>().as_ptr(),
        open: Some(open::<F>),
        read: Some(bindings::seq_read),
        write: Some(write::<F>),
        llseek: Some(bindings::seq_lseek),
        release: Some(release::<F>),
        ..pin_init::zeroed()
    };
}

/// # Safety
///
/// `m` is a sequence file that [`open`] has set up for `F`, until [`release`].
unsafe fn data<'a, F: DebugFile>(m: *mut bindings::seq_file) -> &'a F {
    // SAFETY: By the contract; the field does not change.
    unsafe { &(*(*m).private.cast::<Open<F>>()).file }
}

/// # Safety
///
/// As for [`data`]; and the file's mutex is held for as long as the reference is used, of which
/// there is one at a time.
unsafe fn piece<'a, F: DebugFile>(m: *mut bindings::seq_file) -> &'a mut Option<(u64, F::Item)> {
    // SAFETY: By the contract.
    unsafe { &mut (*(*m).private.cast::<Open<F>>()).piece }
}

/// Looks for the piece at `pos` or after it.
///
/// # Safety
///
/// As for [`piece`], and `pos` is valid.
unsafe fn find<F: DebugFile>(
    m: *mut bindings::seq_file,
    pos: *mut bindings::loff_t,
) -> *mut c_void {
    // SAFETY: By the contract.
    let (data, piece, pos) = unsafe { (data::<F>(m), piece::<F>(m), &mut *pos) };
    let found = u64::try_from(*pos).map_or(Ok(None), |from| data.find(from));
    let found = match found {
        Ok(found) => found,
        Err(error) => return error.to_ptr(),
    };
    *piece = found;
    match piece {
        Some((at, _)) => {
            *pos = bindings::loff_t::try_from(*at).unwrap_or(bindings::loff_t::MAX);
            // Anything but null.
            m.cast()
        }
        None => ptr::null_mut(),
    }
}

/// # Safety
///
/// Called by debugfs, with `i_private` as given to it.
unsafe extern "C" fn open<F: DebugFile>(
    inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    from_result(|| {
        // SAFETY: The file is not being removed before this returns, so there is a reference; this
        // is another one.
        let data = unsafe {
            let data = (*inode).i_private.cast::<F>().cast_const();
            Arc::from(ArcBorrow::from_raw(data))
        };
        let open = KBox::new(
            Open {
                file: data,
                piece: None,
            },
            GFP_KERNEL,
        )?;
        // SAFETY: A file that is being opened, and a static table.
        to_result(unsafe { bindings::seq_open(file, Table::<F>::SEQ) })?;
        // SAFETY: `seq_open()` has put its `seq_file` there.
        unsafe {
            let m: *mut bindings::seq_file = (*file).private_data.cast();
            (*m).private = KBox::into_raw(open).cast();
        }
        Ok(0)
    })
}

/// # Safety
///
/// Called by the VFS, once for each successful [`open`].
unsafe extern "C" fn release<F: DebugFile>(
    inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    // SAFETY: Set by `open()`, and nobody uses the file any more.
    unsafe {
        let m: *mut bindings::seq_file = (*file).private_data.cast();
        drop(KBox::<Open<F>>::from_raw((*m).private.cast()));
        bindings::seq_release(inode, file)
    }
}

/// # Safety
///
/// Called by `seq_read()`, with the file's mutex held.
unsafe extern "C" fn start<F: DebugFile>(
    m: *mut bindings::seq_file,
    pos: *mut bindings::loff_t,
) -> *mut c_void {
    // SAFETY: By the contract; the position is the file's.
    unsafe { find::<F>(m, pos) }
}

/// # Safety
///
/// Called by `seq_read()`, with the file's mutex held.
unsafe extern "C" fn next<F: DebugFile>(
    m: *mut bindings::seq_file,
    _piece: *mut c_void,
    pos: *mut bindings::loff_t,
) -> *mut c_void {
    // SAFETY: By the contract; the position is the file's.
    unsafe {
        *pos = (*pos).saturating_add(1);
        find::<F>(m, pos)
    }
}

/// # Safety
///
/// Called by `seq_read()`, with the file's mutex held.
unsafe extern "C" fn stop<F: DebugFile>(m: *mut bindings::seq_file, _piece: *mut c_void) {
    // SAFETY: By the contract.
    unsafe { *piece::<F>(m) = None };
}

/// # Safety
///
/// Called by `seq_read()`, with the file's mutex held.
unsafe extern "C" fn show<F: DebugFile>(m: *mut bindings::seq_file, _piece: *mut c_void) -> c_int {
    // SAFETY: By the contract. The text is in a buffer of its own.
    let (data, piece, m) = unsafe { (data::<F>(m), piece::<F>(m), SeqFile::from_raw(m)) };
    if let Some((_, item)) = piece {
        data.show(item, m);
    }
    0
}

/// # Safety
///
/// Called by the VFS with an open file.
unsafe extern "C" fn write<F: DebugFile>(
    file: *mut bindings::file,
    from: *const c_char,
    len: usize,
    _pos: *mut bindings::loff_t,
) -> isize {
    from_result(|| {
        let mut text = [0; MAX_WRITE];
        let text = text.get_mut(..len).ok_or(EINVAL)?;
        UserSlice::new(UserPtr::from_ptr(from.cast_mut().cast()), len)
            .reader()
            .read_slice(text)?;
        // SAFETY: An open file.
        let data = unsafe { data::<F>((*file).private_data.cast()) };
        data.write(text.trim_ascii())?;
        Ok(isize::try_from(len).unwrap_or(isize::MAX))
    })
}
