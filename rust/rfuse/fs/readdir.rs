// SPDX-License-Identifier: GPL-2.0

//! Listing of directories.
//!
//! One answer of the server serves several calls: what did not fit in the caller's buffer is kept
//! with the open directory, for the call that goes on from there.

use super::{
    dir::fresh,
    handle::{Handle, HandleKind},
    inode, ioctl,
    kept::Mark,
    mount::Fs,
    name_word,
};
use crate::conn::{request::Payload, Connection};
use core::ops::ControlFlow;
use kernel::{
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    sync::{Arc, Mutex},
};
use rfuse_kapi::{
    dentry::{d_alloc_parallel, d_lookup, Dentry, Name, Parallel},
    dir::DirContext,
    file::{File, FileOperations, OpeningFile, Seek},
    inode::Inode,
    ioctl::Ioctl,
};
use rfuse_proto::{
    attr::Node,
    dirent::{DirentFault, Dirents, DirentsPlus, EntryPlus, Listing, Lookups},
    flags::InitFlags,
    op,
};

/// Size of the buffer for an answer, in bytes.
const BUFFER: usize = 8 * PAGE_SIZE;

/// An open directory.
#[pin_data]
pub(crate) struct OpenDir {
    handle: Handle,
    #[pin]
    stream: Mutex<Stream>,
}

/// The answer that is being passed on.
struct Stream {
    bytes: KVec<u8>,
    len: usize,
    plus: bool,
    place: Place,
    /// Where it was kept, if it is none of the server's.
    mark: Option<Mark>,
}

/// Where an answer goes on.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Where the next entry lies in the answer.
    next: usize,
    /// The position in the directory of that entry.
    position: u64,
}

/// Operations of open directories.
pub(crate) struct DirFileOps;

#[vtable]
impl FileOperations for DirFileOps {
    type Fs = Fs;
    type Data = OpenDir;

    const SEEK: Seek = Seek::Generic;

    fn open(inode: &Inode<Fs>, file: &OpeningFile<'_>) -> Result<Arc<OpenDir>> {
        inode.data().check()?;
        let conn = &inode.super_data().conn;
        let handle = Handle::open(conn, HandleKind::Dir, inode.data().nodeid(), file.flags())?;
        handle.restrict(file);
        let stream = Stream {
            bytes: KVec::new(),
            len: 0,
            plus: false,
            place: Place::default(),
            mark: None,
        };
        if handle.keeps_listings() && !handle.keeps_cache() {
            if let Some(kept) = inode.data().kept()? {
                kept.clear(inode);
            }
        }
        Arc::pin_init(
            pin_init!(OpenDir { handle, stream <- new_mutex!(stream) }),
            GFP_KERNEL,
        )
    }

    fn release(inode: &Inode<Fs>, dir: Arc<OpenDir>) {
        dir.handle.closed(inode);
    }

    fn iterate_shared(file: &File<'_, Self>, ctx: &mut DirContext<'_>) -> Result {
        file.inode().data().check()?;
        let dir = file.data();
        let mut stream = dir.stream.lock();
        loop {
            if !stream.continues(ctx.pos()) {
                stream.fetch(&dir.handle, file, ctx.pos())?;
                if stream.len == 0 {
                    return Ok(());
                }
            }
            if let ControlFlow::Break(end) = stream.pass_on(ctx) {
                return end;
            }
        }
    }

    fn ioctl(file: &File<'_, Self>, call: Ioctl) -> Result<u32> {
        file.inode().data().check()?;
        file.inode().super_data().admit()?;
        ioctl::ioctl(&file.data().handle, call)
    }

    fn fsync(file: &File<'_, Self>, _start: i64, _end: i64, datasync: bool) -> Result {
        file.data().handle.fsync(datasync)
    }
}

impl Stream {
    /// Whether the answer at hand goes on at `position`. From the start, it never does: a listing
    /// that begins anew shows what is there now.
    fn continues(&self, position: i64) -> bool {
        position != 0 && self.place.next < self.len && self.place.position as i64 == position
    }

    /// Gets entries from `position` on: what is kept of them, or what the server says.
    fn fetch(&mut self, handle: &Handle, file: &File<'_, DirFileOps>, position: i64) -> Result {
        self.len = 0;
        if self.bytes.is_empty() {
            self.bytes = KVec::zeroed(BUFFER, GFP_KERNEL)?;
        }
        let dir = file.inode();
        let kept = match handle.keeps_listings() {
            true => dir.data().kept()?,
            false => None,
        };
        let Some(kept) = kept else {
            return self.ask(handle, file, position);
        };
        let at = position as u64;
        let mark = match self.place.position == at {
            true => self.mark.map(|mark| mark.behind(self.place.next)),
            false => None,
        };
        if let Some((mark, len)) = kept.load(dir, at, mark, &mut self.bytes)? {
            self.begin(len, false, at);
            self.mark = Some(mark);
            return Ok(());
        }
        self.ask(handle, file, position)?;
        kept.add(dir, at, self.plus, self.filled());
        Ok(())
    }

    /// Another answer is at hand, for what lies behind `position`.
    fn begin(&mut self, len: usize, plus: bool, position: u64) {
        self.len = len;
        self.plus = plus;
        self.place = Place { next: 0, position };
        self.mark = None;
    }

    /// Asks for entries from `position` on.
    fn ask(&mut self, handle: &Handle, file: &File<'_, DirFileOps>, position: i64) -> Result {
        let conn = handle.conn();
        let asked_at = conn.attr_version();
        let plus = wants_plus(conn, file.inode(), position);
        let bytes = core::mem::replace(&mut self.bytes, KVec::new());
        let range = handle.range(position as u64, u32::try_from(bytes.len())?);
        let (len, payload) = ask(conn, plus, range, Payload::Bytes(bytes))?;
        let Payload::Bytes(bytes) = payload else {
            return Err(EIO);
        };
        self.bytes = bytes;
        self.begin(len, plus, position as u64);
        if plus {
            self.link_all(file.dentry(), asked_at);
        }
        Ok(())
    }

    fn filled(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    /// Enters what came with the names into the caches.
    fn link_all(&self, parent: &Dentry<Fs>, asked_at: u64) {
        let mut entries = DirentsPlus::new(self.filled());
        let mut position = 0;
        while let Some(entry) = entries.next() {
            let Ok(entry) = entry else {
                // Those behind the fault were looked up too.
                let rest = self.filled().get(position..).unwrap_or(&[]);
                let conn = &parent.super_block().data().conn;
                return Lookups::new(rest).for_each(|nodeid| conn.forget(nodeid, 1));
            };
            link(parent, &entry, asked_at);
            position = entries.position();
        }
    }

    /// Passes entries on. Goes on with the next answer only if this one had none to pass on.
    fn pass_on(&mut self, ctx: &mut DirContext<'_>) -> ControlFlow<Result> {
        let (bytes, mut place) = (self.filled(), self.place);
        // Also across answers: an entry at the very position that was asked for leads nowhere.
        let before = (place.next > 0 || place.position > 0).then_some(place.position);
        let told = match self.plus {
            true => emit_all(
                DirentsPlus::resume(bytes, place.next, before),
                &mut place,
                ctx,
            ),
            false => emit_all(Dirents::resume(bytes, place.next, before), &mut place, ctx),
        };
        let advanced = place.next > self.place.next;
        self.place = place;
        match told {
            ControlFlow::Break(Ok(())) => return ControlFlow::Break(Ok(())),
            ControlFlow::Break(Err(fault)) => return ControlFlow::Break(self.refuse(&fault)),
            ControlFlow::Continue(()) => {}
        }
        // A last entry that was cut off is asked for again.
        self.len = 0;
        match advanced {
            true => ControlFlow::Break(Ok(())),
            false => ControlFlow::Break(Err(EIO)),
        }
    }

    fn refuse(&self, fault: &DirentFault) -> Result {
        rfuse_kapi::log::err_ratelimited(format_args!("bad directory listing: {fault}"));
        Err(EIO)
    }
}

/// Passes entries on until the caller has no room or the answer ends; `place` moves with them.
fn emit_all<'a>(
    mut entries: impl Listing<'a>,
    place: &mut Place,
    ctx: &mut DirContext<'_>,
) -> ControlFlow<Result<(), DirentFault>> {
    while let Some(entry) = entries.next_entry() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(fault) => return ControlFlow::Break(Err(fault)),
        };
        if !ctx.emit(entry.name, entry.ino, entry.kind, entry.off as i64) {
            return ControlFlow::Break(Ok(()));
        }
        *place = Place {
            next: entries.position(),
            position: entry.off,
        };
    }
    ControlFlow::Continue(())
}

/// Whether to ask for attributes with the names.
fn wants_plus(conn: &Connection, inode: &Inode<Fs>, position: i64) -> bool {
    conn.has(InitFlags::DO_READDIRPLUS)
        && !conn.lacks(op::Optional::Readdirplus)
        && (!conn.has(InitFlags::READDIRPLUS_AUTO)
            || inode.data().take_plus_advice()
            || position == 0)
}

/// One READDIR or READDIRPLUS.
fn ask(conn: &Connection, plus: bool, range: op::Range, room: Payload) -> Result<(usize, Payload)> {
    match plus {
        true => conn.call_with(op::Readdirplus(range), room),
        false => conn.call_with(op::Readdir(range), room),
    }
}

/// Enters one name into the caches, or gives its lookup back.
fn link(parent: &Dentry<Fs>, entry: &EntryPlus<'_>, asked_at: u64) {
    let nodeid = entry.nodeid();
    if entry.dirent.is_dot() || nodeid == 0 {
        return;
    }
    let linked = match Node::from_entry(&entry.entry()) {
        Ok(node) => link_node(parent, entry.dirent.name, &node, asked_at),
        Err(_) => Err(EIO),
    };
    if linked.is_err() && nodeid != inode::ROOT_ID {
        parent.super_block().data().conn.forget(nodeid, 1);
    }
}

/// # Errors
///
/// The lookup was not taken over.
fn link_node(parent: &Dentry<Fs>, name: &[u8], node: &Node, asked_at: u64) -> Result {
    let name = Name::new(parent, name)?;
    if let Some(dentry) = d_lookup(&name) {
        if renew(&dentry, node, asked_at) {
            return Ok(());
        }
        dentry.d_invalidate();
    }
    match d_alloc_parallel(&name)? {
        Parallel::Found(dentry) => match renew(&dentry, node, asked_at) {
            true => Ok(()),
            false => Err(EAGAIN),
        },
        Parallel::InLookup(dentry) => {
            let sb = parent.super_block();
            let inode = inode::iget(sb, node.nodeid, node.generation, &fresh(node, asked_at))?;
            inode.data().mark_from_listing();
            // From here on the inode has the lookup.
            if let Ok(dentry) = dentry.splice(Some(inode)) {
                let conn = &sb.data().conn;
                name_word::hold(dentry.word(), conn, asked_at, node.entry_valid);
            }
            Ok(())
        }
    }
}

/// Whether the name stands for the node already; then it holds anew.
fn renew(dentry: &Dentry<Fs>, node: &Node, asked_at: u64) -> bool {
    let Some(inode) = dentry.inode() else {
        return false;
    };
    if inode.data().nodeid() != node.nodeid
        || inode.data().check().is_err()
        || !inode::same_node(inode, node.generation, &node.attributes)
    {
        return false;
    }
    inode.data().looked_up();
    inode::update(inode, &fresh(node, asked_at));
    let conn = &dentry.super_block().data().conn;
    name_word::hold(dentry.word(), conn, asked_at, node.entry_valid);
    true
}
