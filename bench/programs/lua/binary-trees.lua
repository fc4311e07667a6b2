-- Builds and drops binary trees of many sizes, as the benchmark of that name.
local depth = tonumber(arg[1])

local function grow(d)
  if d == 0 then return { false, false } end
  return { grow(d - 1), grow(d - 1) }
end

local function count(tree)
  if not tree[1] then return 1 end
  return 1 + count(tree[1]) + count(tree[2])
end

local long = grow(depth)
for d = 4, depth, 4 do
  local trees, nodes = 1 << (depth - d + 4), 0
  for _ = 1, trees do nodes = nodes + count(grow(d)) end
  print(trees, "trees of depth", d, nodes)
end
print("long-lived", count(long))
