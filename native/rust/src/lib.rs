//! gomalloc as the global allocator of a Rust program for wasm32.
//!
//! ```ignore
//! #[global_allocator]
//! static ALLOCATOR: gomalloc::Gomalloc = gomalloc::Gomalloc;
//! ```
//!
//! The allocator is in the crate: build.rs takes `libgomalloc.a` for the target, which defines C's malloc and its family
//! too, so that no other allocator is in the program. Without cargo: `-L native=FOLDER -l static=gomalloc`.
//!
//! Features:
//!
//! - `debug`: `libgomalloc-debug.a`, which tells a misuse on standard error before it traps; `stats` and `validate`.
//! - `link`: imports from module `gomalloc` instead, which `npx gomalloc link program.wasm` resolves and inlines; `stats`
//!   and `validate` too. What a program does not call is not imported. The link calls `init(__heap_base)` before anything
//!   runs when the program exports that global: on wasm32-unknown-unknown rustc does so (Debian's on wasm32-wasi, too),
//!   elsewhere `-C link-arg=--export=__heap_base`. Without, the heap takes only memory that it grows itself.
//! - `shim`, with `link`: the C family is not defined here; native/gomalloc.c, linked as a static library, does that.
//!
//! Blocks are 16-aligned from 16 bytes up and 8-aligned below, so that nearly every layout is a plain malloc. A dealloc
//! hands its size on: a size above the block's is found (misuse kind 5). One thread.

#![no_std]

use core::alloc::{GlobalAlloc, Layout};

mod ffi {
    #[cfg_attr(feature = "link", link(wasm_import_module = "gomalloc"))]
    extern "C" {
        pub fn malloc(size: usize) -> *mut u8;
        pub fn calloc(count: usize, size: usize) -> *mut u8;
        pub fn realloc(ptr: *mut u8, size: usize) -> *mut u8;
        pub fn aligned_alloc(align: usize, size: usize) -> *mut u8;
        pub fn free_sized(ptr: *mut u8, size: usize);
        pub fn malloc_usable_size(ptr: *mut u8) -> usize;
        pub fn malloc_trim(pad: usize) -> i32;
        #[cfg_attr(not(feature = "link"), link_name = "gomalloc_mallopt")]
        pub fn mallopt(parameter: i32, value: usize) -> i32;
        #[cfg(any(feature = "debug", feature = "link"))]
        #[cfg_attr(not(feature = "link"), link_name = "gomalloc_memstats")]
        pub fn memstats() -> *const super::Stats;
        #[cfg(any(feature = "debug", feature = "link"))]
        #[cfg_attr(not(feature = "link"), link_name = "gomalloc_validate")]
        pub fn validate() -> u32;
    }
}

/// The allocator. It has no state of its own: the heap is one for the instance.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gomalloc;

/// Whether malloc aligns a block of `size` bytes to `align` by itself.
#[inline(always)]
const fn is_natural(align: usize, size: usize) -> bool {
    align <= 8 || (align == 16 && size >= 16)
}

// SAFETY: blocks do not overlap, have the size and alignment asked for, and null is returned when memory runs out.
unsafe impl GlobalAlloc for Gomalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_natural(layout.align(), layout.size()) {
            ffi::malloc(layout.size())
        } else {
            ffi::aligned_alloc(layout.align(), layout.size())
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_natural(layout.align(), layout.size()) {
            return ffi::calloc(1, layout.size());
        }
        let ptr = ffi::aligned_alloc(layout.align(), layout.size());
        if !ptr.is_null() {
            core::ptr::write_bytes(ptr, 0, layout.size());
        }
        ptr
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        ffi::free_sized(ptr, layout.size())
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if is_natural(layout.align(), new_size) {
            ffi::realloc(ptr, new_size)
        } else {
            realloc_aligned(ptr, layout, new_size)
        }
    }
}

/// realloc for an alignment that malloc does not give by itself: in place while the block is large enough and at least
/// half of it stays in use, else a new aligned block.
#[cold]
unsafe fn realloc_aligned(ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
    let usable = ffi::malloc_usable_size(ptr);
    if new_size <= usable && new_size >= usable / 2 {
        return ptr;
    }
    let moved = ffi::aligned_alloc(layout.align(), new_size);
    if !moved.is_null() {
        core::ptr::copy_nonoverlapping(ptr, moved, core::cmp::min(layout.size(), new_size));
        ffi::free_sized(ptr, layout.size());
    }
    moved
}

/// Bytes of the instance's memory, which never shrinks.
#[cfg(target_arch = "wasm32")]
pub fn memory_size() -> usize {
    core::arch::wasm32::memory_size(0) << 16
}

/// Empty spans that are kept for their size go back to the page heap. False when there were none.
pub fn trim() -> bool {
    unsafe { ffi::malloc_trim(0) != 0 }
}

/// The most bytes that the heap may have in all, what it has already and its records included; 0: no limit. Allocation
/// beyond it fails.
pub fn set_max_bytes(bytes: usize) {
    const M_MAX_BYTES: i32 = 2;
    unsafe { ffi::mallopt(M_MAX_BYTES, bytes) };
}

/// Statistics of one size class. Class 0 stands for objects of more than 32768 bytes and has size 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ClassStats {
    pub size: u64,
    pub mallocs: u64,
    pub frees: u64,
    pub spans: u64,
}

/// Statistics of the heap, version 1. Sizes are bytes; the fields are described in `gomalloc.h` and docs.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Stats {
    pub version: u64,
    pub sys: u64,
    pub heap_sys: u64,
    pub heap_inuse: u64,
    pub heap_idle: u64,
    pub heap_alloc: u64,
    pub total_alloc: u64,
    pub mallocs: u64,
    pub frees: u64,
    pub tiny_allocs: u64,
    pub large_mallocs: u64,
    pub large_frees: u64,
    pub large_live_bytes: u64,
    pub mspan_inuse: u64,
    pub other_sys: u64,
    pub refills: u64,
    pub group_refills: u64,
    pub span_refills: u64,
    pub central_hits: u64,
    pub central_grows: u64,
    pub page_cache_hits: u64,
    pub page_cache_refills: u64,
    pub page_allocs: u64,
    pub sys_grows: u64,
    pub sys_grow_failures: u64,
    pub reclaims: u64,
    pub realloc_in_place: u64,
    pub realloc_moves: u64,
    pub zeroed_bytes_skipped: u64,
    pub zeroed_bytes_cleared: u64,
    pub misuses: u64,
    pub spans_in_use: u64,
    pub tiny_blocks: u64,
    pub heap_retained: u64,
    pub stack_inuse: u64,
    pub mspan_sys: u64,
    pub mcache_inuse: u64,
    pub mcache_sys: u64,
    pub buck_hash_sys: u64,
    pub gc_sys: u64,
    pub by_size: [ClassStats; 68],
}

const _: () = assert!(core::mem::size_of::<Stats>() == 312 * 8);

/// The heap's statistics as they are now; None when there is no memory for a heap. O(spans). With the feature `debug` or
/// `link`; the link takes the host flavour.
#[cfg(any(feature = "debug", feature = "link"))]
pub fn stats() -> Option<Stats> {
    // SAFETY: the record is filled by the call and stays until the next one; it is copied here.
    unsafe { ffi::memstats().as_ref().copied() }
}

/// 0 when every invariant of the heap holds, else the number of a broken one. O(the heap's records). With the feature
/// `debug` or `link`; the link takes the host flavour.
#[cfg(any(feature = "debug", feature = "link"))]
pub fn validate() -> u32 {
    unsafe { ffi::validate() }
}

/// The malloc family of C, for a libc that allocates by itself: wasi-libc is part of every wasm32-wasi* program. With
/// these its own allocator is not linked, which would take the same memory for its own. The archive has its own.
#[cfg(all(target_os = "wasi", feature = "link", not(feature = "shim")))]
mod libc {
    mod ffi {
        #[link(wasm_import_module = "gomalloc")]
        extern "C" {
            pub fn free(ptr: *mut u8);
            pub fn posix_memalign(out: *mut *mut u8, align: usize, size: usize) -> i32;
        }
    }
    use super::ffi::{
        aligned_alloc as gm_aligned_alloc, calloc as gm_calloc, malloc as gm_malloc,
        realloc as gm_realloc,
    };

    /// Linux's numbers, which gomalloc returns, to wasi-libc's.
    unsafe fn posix_memalign_of_wasi(out: *mut *mut u8, align: usize, size: usize) -> i32 {
        match ffi::posix_memalign(out, align, size) {
            0 => 0,
            22 => 28,
            _ => 48,
        }
    }

    macro_rules! export {
        ($($name:ident($($arg:ident: $type:ty),*) $(-> $result:ty)? = $call:path;)*) => {
            $(#[no_mangle]
            unsafe extern "C" fn $name($($arg: $type),*) $(-> $result)? {
                $call($($arg),*)
            })*
        };
    }

    export! {
        malloc(size: usize) -> *mut u8 = gm_malloc;
        calloc(count: usize, size: usize) -> *mut u8 = gm_calloc;
        realloc(ptr: *mut u8, size: usize) -> *mut u8 = gm_realloc;
        free(ptr: *mut u8) = ffi::free;
        aligned_alloc(align: usize, size: usize) -> *mut u8 = gm_aligned_alloc;
        posix_memalign(out: *mut *mut u8, align: usize, size: usize) -> i32 = posix_memalign_of_wasi;
        __libc_malloc(size: usize) -> *mut u8 = gm_malloc;
        __libc_calloc(count: usize, size: usize) -> *mut u8 = gm_calloc;
        __libc_free(ptr: *mut u8) = ffi::free;
    }
}
