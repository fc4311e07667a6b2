//! gomalloc as a std.mem.Allocator, for wasm32 and Zig 0.13 to 0.15 (the vtable has `remap` since 0.14).
//!
//!     const allocator = @import("gomalloc").allocator;
//!     const buffer = try allocator.alloc(u8, 100);
//!
//!     zig build-exe -target wasm32-wasi -O ReleaseFast \
//!       node_modules/gomalloc/lib/wasm32-unknown-unknown/libgomalloc.a \
//!       --dep gomalloc -Mroot=main.zig -Mgomalloc=node_modules/gomalloc/native/zig/gomalloc.zig --name main
//!
//! Or in build.zig, for an `exe` made by addExecutable:
//!
//!     exe.root_module.addAnonymousImport("gomalloc", .{
//!         .root_source_file = b.path("node_modules/gomalloc/native/zig/gomalloc.zig"),
//!     });
//!     exe.root_module.addObjectFile(b.path("node_modules/gomalloc/lib/wasm32-unknown-unknown/libgomalloc.a"));
//!
//! The archive is the one without a libc, for wasm32-wasi and wasm32-freestanding alike: without `-lc` Zig has none. With
//! `-lc` the linker refuses it ("duplicate symbol: __libc_malloc"), because Zig names its libc first: take gomalloc link.
//!
//! gomalloc link: a program whose root file says `pub const gomalloc_link = true;` imports the allocator instead. It has no
//! archive, exports the start of the heap (`--export=__heap_base`, or `exe.root_module.export_symbol_names =
//! &.{"__heap_base"}`), and `npx gomalloc link main.wasm -o main.out.wasm` puts the allocator in and inlines it. Without
//! that export the heap takes only memory that it grows itself. With `-lc` Zig's libc keeps its own allocator for its own
//! calls, which takes what lies above __heap_base: the heap begins behind that.
//!
//! Blocks are 16-aligned from 16 bytes up and 8-aligned below; other alignments go to aligned_alloc. A free hands its
//! size on: a size above the block's is found (misuse kind 5). One thread.

const std = @import("std");
const Allocator = std.mem.Allocator;

const root = @import("root");
const is_linked_later = @hasDecl(root, "gomalloc_link") and root.gomalloc_link;

const ffi = if (is_linked_later) struct {
    extern "gomalloc" fn malloc(size: usize) ?[*]u8;
    extern "gomalloc" fn aligned_alloc(alignment: usize, size: usize) ?[*]u8;
    extern "gomalloc" fn realloc(ptr: [*]u8, size: usize) ?[*]u8;
    extern "gomalloc" fn free_sized(ptr: [*]u8, size: usize) void;
    extern "gomalloc" fn malloc_usable_size(ptr: [*]u8) usize;
} else struct {
    extern fn malloc(size: usize) ?[*]u8;
    extern fn aligned_alloc(alignment: usize, size: usize) ?[*]u8;
    extern fn realloc(ptr: [*]u8, size: usize) ?[*]u8;
    extern fn free_sized(ptr: [*]u8, size: usize) void;
    extern fn malloc_usable_size(ptr: [*]u8) usize;
};

pub const allocator: Allocator = .{ .ptr = undefined, .vtable = &vtable };

const has_remap = @hasField(Allocator.VTable, "remap");
/// Before 0.14 an alignment was the logarithm of its bytes.
const Alignment = if (has_remap) std.mem.Alignment else u8;

const vtable: Allocator.VTable = if (has_remap)
    .{ .alloc = alloc, .resize = resize, .remap = remap, .free = free }
else
    .{ .alloc = alloc, .resize = resize, .free = free };

fn bytesOf(alignment: Alignment) usize {
    return if (has_remap) alignment.toByteUnits() else @as(usize, 1) << @intCast(alignment);
}

/// Whether malloc aligns a block of `size` bytes to `alignment` by itself.
fn isNatural(alignment: usize, size: usize) bool {
    return alignment <= 8 or (alignment == 16 and size >= 16);
}

/// Whether `size` bytes may stay in the block at `ptr`: it has them, and at least half of it stays in use.
fn fits(ptr: [*]u8, size: usize) bool {
    const usable = ffi.malloc_usable_size(ptr);
    return size <= usable and size >= usable / 2;
}

fn alloc(_: *anyopaque, len: usize, alignment: Alignment, _: usize) ?[*]u8 {
    const bytes = bytesOf(alignment);
    return if (isNatural(bytes, len)) ffi.malloc(len) else ffi.aligned_alloc(bytes, len);
}

/// In place or not at all. A block that has become far too large is left to the caller to move.
fn resize(_: *anyopaque, memory: []u8, _: Alignment, new_len: usize, _: usize) bool {
    return fits(memory.ptr, new_len);
}

/// Resized, and moved if need be. Null leaves it to the caller to allocate and copy.
fn remap(_: *anyopaque, memory: []u8, alignment: Alignment, new_len: usize, _: usize) ?[*]u8 {
    if (isNatural(bytesOf(alignment), new_len)) return ffi.realloc(memory.ptr, new_len);
    return if (fits(memory.ptr, new_len)) memory.ptr else null;
}

fn free(_: *anyopaque, memory: []u8, _: Alignment, _: usize) void {
    ffi.free_sized(memory.ptr, memory.len);
}
