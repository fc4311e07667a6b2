//! gomalloc as a std.mem.Allocator, for wasm32 and Zig 0.13 to 0.15 (the vtable has `remap` since 0.14).
//!
//!     const gomalloc = @import("gomalloc.zig");
//!     var list = std.ArrayList(u8).init(gomalloc.allocator);
//!
//!     zig build-exe main.zig -target wasm32-wasi -O ReleaseFast --export=__heap_base -femit-bin=main.wasm
//!     npx gomalloc link main.wasm -o main.out.wasm
//!
//! Not compiled by the package's tests, which have no Zig. A program that links libc takes native/gomalloc.c as well, or
//! libc would bring its own allocator for its own calls.
//!
//! Blocks are 16-aligned from 16 bytes up and 8-aligned below; other alignments go to aligned_alloc. One thread.

const std = @import("std");
const Allocator = std.mem.Allocator;

extern "gomalloc" fn malloc(size: usize) ?[*]u8;
extern "gomalloc" fn aligned_alloc(alignment: usize, size: usize) ?[*]u8;
extern "gomalloc" fn realloc(ptr: [*]u8, size: usize) ?[*]u8;
extern "gomalloc" fn free_sized(ptr: [*]u8, size: usize) void;
extern "gomalloc" fn malloc_usable_size(ptr: [*]u8) usize;

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

fn isNatural(alignment: usize, size: usize) bool {
    return alignment <= 8 or (alignment == 16 and size >= 16);
}

fn alloc(_: *anyopaque, len: usize, alignment: Alignment, _: usize) ?[*]u8 {
    const bytes = bytesOf(alignment);
    return if (isNatural(bytes, len)) malloc(len) else aligned_alloc(bytes, len);
}

/// In place or not at all: while the block has the bytes. It keeps them, so that a later resize may grow again.
fn resize(_: *anyopaque, memory: []u8, _: Alignment, new_len: usize, _: usize) bool {
    return new_len <= malloc_usable_size(memory.ptr);
}

/// Resize, moved if need be; null leaves it to the caller to allocate and copy.
fn remap(_: *anyopaque, memory: []u8, alignment: Alignment, new_len: usize, _: usize) ?[*]u8 {
    if (isNatural(bytesOf(alignment), new_len)) return realloc(memory.ptr, new_len);
    return if (new_len <= malloc_usable_size(memory.ptr)) memory.ptr else null;
}

fn free(_: *anyopaque, memory: []u8, _: Alignment, _: usize) void {
    free_sized(memory.ptr, memory.len);
}
