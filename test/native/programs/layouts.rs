//! The global allocator as a library sees it: layouts of all alignments, each block filled and checked over its life.
//! `check(seed)` returns 0, or the number of the check that failed. With `--cfg unchecked` it does without what the
//! allocator says of itself.

use std::alloc::{alloc, alloc_zeroed, dealloc, realloc, Layout};

#[global_allocator]
static ALLOCATOR: gomalloc::Gomalloc = gomalloc::Gomalloc;

struct Block {
    ptr: *mut u8,
    layout: Layout,
    fill: u8,
}

impl Block {
    unsafe fn is_intact(&self, bytes: usize) -> bool {
        self.ptr as usize % self.layout.align() == 0
            && (0..bytes).all(|i| *self.ptr.add(i) == self.fill)
    }

    unsafe fn fill(&mut self, fill: u8) {
        self.fill = fill;
        std::ptr::write_bytes(self.ptr, fill, self.layout.size());
    }
}

#[cfg(not(unchecked))]
fn live() -> Option<u64> {
    gomalloc::stats().map(|stats| stats.mallocs - stats.frees)
}

#[cfg(not(unchecked))]
use gomalloc::validate;

#[cfg(unchecked)]
fn live() -> Option<u64> {
    None
}

#[cfg(unchecked)]
fn validate() -> u32 {
    0
}

#[no_mangle]
pub extern "C" fn check(seed: u32) -> u32 {
    let mut state = seed;
    let mut next = move |limit: usize| {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        (state >> 8) as usize % limit
    };
    let mut blocks: Vec<Block> = Vec::new();
    for i in 0..20_000 {
        unsafe {
            let size = 1 + if next(20) == 0 {
                next(200_000)
            } else {
                next(600)
            };
            match next(4) {
                0 | 1 => {
                    let layout = Layout::from_size_align(size, 1 << next(13)).unwrap();
                    let zeroed = next(2) == 0;
                    let ptr = if zeroed {
                        alloc_zeroed(layout)
                    } else {
                        alloc(layout)
                    };
                    if ptr.is_null() {
                        return 1;
                    }
                    let mut block = Block {
                        ptr,
                        layout,
                        fill: 0,
                    };
                    if zeroed && !block.is_intact(size) {
                        return 2;
                    }
                    block.fill(i as u8);
                    blocks.push(block);
                }
                2 if !blocks.is_empty() => {
                    let at = next(blocks.len());
                    let block = &mut blocks[at];
                    let kept = size.min(block.layout.size());
                    block.ptr = realloc(block.ptr, block.layout, size);
                    block.layout = Layout::from_size_align(size, block.layout.align()).unwrap();
                    if block.ptr.is_null() || !block.is_intact(kept) {
                        return 3;
                    }
                    block.fill(i as u8);
                }
                _ if blocks.len() > 200 => {
                    let at = next(blocks.len());
                    let block = blocks.swap_remove(at);
                    if !block.is_intact(block.layout.size()) {
                        return 4;
                    }
                    dealloc(block.ptr, block.layout);
                }
                _ => {}
            }
        }
    }
    let before = live();
    let count = blocks.len() as u64;
    for block in blocks.drain(..) {
        unsafe {
            if !block.is_intact(block.layout.size()) {
                return 5;
            }
            dealloc(block.ptr, block.layout);
        }
    }
    let freed = before.zip(live()).map(|(before, left)| before - left);
    if freed != (if cfg!(unchecked) { None } else { Some(count) }) {
        return 6;
    }
    gomalloc::trim();
    if gomalloc::memory_size() < 65536 {
        return 7;
    }
    100 * validate()
}

/// A block of `size` bytes beyond the heap's limit: 1 when it is refused as it should be.
#[no_mangle]
pub extern "C" fn refuses(size: usize) -> u32 {
    gomalloc::set_max_bytes(1);
    let refused = Vec::<u8>::new().try_reserve_exact(size).is_err();
    gomalloc::set_max_bytes(0);
    refused as u32
}
