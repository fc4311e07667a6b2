//! Counts the words of its input: strings in a hash map, sorted. Only such parts of std as Zig 0.13 to 0.15 all have.

const std = @import("std");
const gomalloc = @import("gomalloc");

const allocator = gomalloc.allocator;

const Word = struct {
    text: []const u8,
    count: usize,

    fn isBefore(_: void, a: Word, b: Word) bool {
        if (a.count != b.count) return a.count > b.count;
        return std.mem.lessThan(u8, a.text, b.text);
    }
};

pub fn main() !void {
    const text = try readAll();
    defer allocator.free(text);

    var counts: std.StringHashMapUnmanaged(usize) = .{};
    defer counts.deinit(allocator);
    var total: usize = 0;
    var rest: []const u8 = text;
    while (nextWord(&rest)) |word| : (total += 1) {
        const lower = try std.ascii.allocLowerString(allocator, word);
        const entry = try counts.getOrPut(allocator, lower);
        if (entry.found_existing) {
            allocator.free(lower);
            entry.value_ptr.* += 1;
        } else {
            entry.value_ptr.* = 1;
        }
    }

    var words: std.ArrayListUnmanaged(Word) = .{};
    defer words.deinit(allocator);
    var entries = counts.iterator();
    while (entries.next()) |entry| {
        try words.append(allocator, .{ .text = entry.key_ptr.*, .count = entry.value_ptr.* });
    }
    std.mem.sort(Word, words.items, {}, Word.isBefore);

    try print("{d} words, {d} different\n", .{ total, words.items.len });
    for (words.items[0..@min(10, words.items.len)]) |word| try print("{d: >6} {s}\n", .{ word.count, word.text });
    for (words.items) |word| allocator.free(word.text);
}

/// Standard input to its end.
fn readAll() ![]u8 {
    var text: std.ArrayListUnmanaged(u8) = .{};
    errdefer text.deinit(allocator);
    while (true) {
        try text.ensureUnusedCapacity(allocator, 4096);
        const n = try std.posix.read(std.posix.STDIN_FILENO, text.unusedCapacitySlice());
        if (n == 0) return text.toOwnedSlice(allocator);
        text.items.len += n;
    }
}

/// The first word of `rest`, which then begins behind it.
fn nextWord(rest: *[]const u8) ?[]const u8 {
    var start: usize = 0;
    while (start < rest.len and !std.ascii.isAlphanumeric(rest.*[start])) start += 1;
    var end = start;
    while (end < rest.len and std.ascii.isAlphanumeric(rest.*[end])) end += 1;
    defer rest.* = rest.*[end..];
    return if (end == start) null else rest.*[start..end];
}

fn print(comptime format: []const u8, arguments: anytype) !void {
    const line = try std.fmt.allocPrint(allocator, format, arguments);
    defer allocator.free(line);
    var left: []const u8 = line;
    while (left.len > 0) left = left[try std.posix.write(std.posix.STDOUT_FILENO, left)..];
}
